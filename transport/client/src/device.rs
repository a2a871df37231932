//! Sessions on devices: what a device is asked to sign, and the sign-in with the proof that it makes of it.

use crate::client::Client;
use crate::error::ClientError;
use std::net::IpAddr;
use tessera_model::{Challenge, DeviceKey, DeviceProof, Private, PublicId};
use tessera_wire::{ChallengeRow, Made, Request, WireError};

/// Whoever signs for a device: its secure hardware, or the program on it that this service talks to.
///
/// The private key need not be here: [`Client::challenge`] and [`DeviceProof`] are for services whose devices sign elsewhere.
pub trait DeviceSigner {
    /// The device's public key.
    fn public_key(&self) -> DeviceKey;

    /// Signs these bytes: ECDSA on P-256 with SHA-256, r and s behind one another, or Ed25519; none when it does not.
    fn sign(&self, bytes: &[u8]) -> Option<[u8; 64]>;
}

impl Client {
    /// Asks for a challenge, which the device signs as [`Challenge::signed`] says. It is good once, for two minutes.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn challenge(&self, device: PublicId) -> Result<Challenge, ClientError> {
        let page = self.list::<ChallengeRow>(&Request::ChallengeDevice { device }).await?;
        let row = page.rows.into_iter().next().ok_or(WireError::BadPayload)?;
        Ok(row.challenge)
    }

    /// Asks for a challenge and has it signed; none when the device does not sign.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn prove(
        &self,
        device: PublicId,
        signer: &dyn DeviceSigner,
    ) -> Result<Option<DeviceProof>, ClientError> {
        let challenge = self.challenge(device).await?;
        let signature = signer.sign(&challenge.signed(device));
        Ok(signature.map(|signature| DeviceProof { key: signer.public_key(), signature, challenge }))
    }

    /// Signs a person in with a password on a device that has proven its key.
    ///
    /// # Errors
    /// Any [`ClientError`]; `Refusal::ChallengeStale` when the proof was used or is over: ask the device for another one.
    pub async fn sign_in_on(
        &self,
        (identifier, password): (&str, &str),
        address: Option<IpAddr>,
        (device, proof): (PublicId, DeviceProof),
    ) -> Result<Made, ClientError> {
        let private = |text: &str| Private::new(text.as_bytes().to_vec());
        let (identifier, password) = (private(identifier), private(password));
        let (device, proof) = (Some(device), Some(proof));
        self.request(&Request::SignIn { identifier, password, address, device, proof }).await
    }
}
