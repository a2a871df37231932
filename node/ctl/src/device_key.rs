//! A device's private key in a file, for programs and tests that play a device: made, read, and used to prove a device.
//! Real devices keep theirs in hardware, and sign themselves.

use crate::error::CtlError;
use crate::link::Link;
use crate::secret::{self, Kept};
use std::path::{Path, PathBuf};
use tessera_client::DeviceSigner as _;
use tessera_client::wire::{ChallengeRow, Request};
use tessera_crypto::possession::SigningKey;
use tessera_model::possession::{pem_of, pkcs8_of};
use tessera_model::{Challenge, DeviceKey, DeviceProof, PublicId};

/// The private key of a device.
pub(crate) struct Signer(SigningKey);

impl tessera_client::DeviceSigner for Signer {
    fn public_key(&self) -> DeviceKey {
        // By INVARIANT of the library a public key has 65 bytes or 32.
        DeviceKey::from_bytes(self.0.public_key()).unwrap_or(DeviceKey::Ed25519([0; 32]))
    }

    fn sign(&self, bytes: &[u8]) -> Option<[u8; 64]> {
        self.0.sign(bytes).ok()
    }
}

/// Which key a device signs with.
#[derive(Clone, clap::Args)]
pub(crate) struct DeviceKeyFrom {
    /// A file that holds the device's private key (PKCS#8 in PEM, P-256 or Ed25519): the device proves itself with it.
    #[arg(long, value_name = "FILE")]
    device_key: Option<PathBuf>,
}

impl Signer {
    pub(crate) fn read(path: &Path) -> Result<Self, CtlError> {
        let unfit = || {
            let told = format!("{}: no private key of P-256 or Ed25519 in PEM (PKCS#8)", path.display());
            CtlError::usage(told).advise("tessera device register WHO NAME --make-key FILE makes one")
        };
        let key = pkcs8_of(&secret::file(path)?).ok_or_else(unfit)?;
        SigningKey::from_pkcs8(key.expose()).map(Self).map_err(|_| unfit())
    }

    /// Makes one of P-256, and keeps it in a file for its owner only.
    pub(crate) fn make(path: &Path) -> Result<Self, CtlError> {
        if path.exists() {
            let told = format!("--make-key {}: there is something already", path.display());
            return Err(CtlError::usage(told).advise("nothing was changed: name another file"));
        }
        let kept = Kept::open(path)?;
        let lost = |_| CtlError::usage("the system gave no key");
        let made = SigningKey::generate_p256().map_err(lost)?;
        let signer = SigningKey::from_pkcs8(&made).map_err(lost)?;
        let text = pem_of(&made);
        kept.keep(std::str::from_utf8(text.expose()).unwrap_or_default())?;
        Ok(Self(signer))
    }

    /// The proof of a device by a challenge.
    pub(crate) fn prove(&self, device: PublicId, challenge: Challenge) -> Result<DeviceProof, CtlError> {
        let signature = self.sign(&challenge.signed(device));
        let signature = signature.ok_or_else(|| CtlError::usage("the device's key did not sign"))?;
        Ok(DeviceProof { key: self.public_key(), signature, challenge })
    }
}

/// What the node asks a device to sign.
pub(crate) async fn challenge(link: &Link, device: PublicId) -> Result<ChallengeRow, CtlError> {
    let page = link.page::<ChallengeRow>(&Request::ChallengeDevice { device }).await?;
    page.rows.into_iter().next().ok_or_else(|| CtlError::usage("the node gave no challenge"))
}

impl DeviceKeyFrom {
    /// The proof of the device that a session is to open on; none where no key is named.
    pub(crate) async fn prove(
        &self,
        link: &Link,
        device: Option<PublicId>,
    ) -> Result<Option<DeviceProof>, CtlError> {
        let Some(path) = &self.device_key else { return Ok(None) };
        let Some(device) = device else {
            return Err(CtlError::usage("--device-key proves a device").advise("name it with --device UUID"));
        };
        let signer = Signer::read(path)?;
        signer.prove(device, challenge(link, device).await?.challenge).map(Some)
    }
}
