//! Devices prove that they hold their key.

use super::scene;
use crate::support::{House, Tenant};
use std::sync::Arc;
use tessera_crypto::possession::SigningKey;
use tessera_engine::{Bound, DeviceShown, Errand, SubmitError};
use tessera_model::limits::DEVICE_PROOFS_MAX;
use tessera_model::{
    Challenge, Command, CommandId, DeviceKey, DeviceProof, Identifier, Limit, Name, Private, PublicId,
    Refusal,
};

/// A device that holds its key.
struct Held(SigningKey);

impl Held {
    fn new(p256: bool) -> Self {
        let made = if p256 { SigningKey::generate_p256() } else { SigningKey::generate_ed25519() };
        Self(SigningKey::from_pkcs8(&made.expect("made")).expect("a key"))
    }

    fn key(&self) -> DeviceKey {
        DeviceKey::from_bytes(self.0.public_key()).expect("a key")
    }

    /// Registers it for a subject by its key's thumbprint.
    async fn register(&self, house: &House, by: &Bound, subject: PublicId, name: &str) -> PublicId {
        let (name, key) =
            (Name::new(name).expect("a name"), DeviceShown::thumbprint(&self.key()).expect("a key"));
        let command = Command::RegisterDevice { subject, name, key };
        house.submit(by, command).await.made.device.expect("an id")
    }

    /// Signs a challenge as one that was made for this device.
    fn sign(&self, device: PublicId, challenge: Challenge) -> DeviceShown {
        let signature = self.0.sign(&challenge.signed(device)).expect("signed");
        DeviceShown { device, proof: DeviceProof { key: self.key(), signature, challenge } }
    }

    /// Asks for a challenge and signs it.
    fn show(&self, house: &House, by: &Bound, device: PublicId) -> DeviceShown {
        self.sign(device, house.engine.challenge(by, device).expect("a challenge").0)
    }
}

/// A service that signs people in, and answers for no device.
async fn desk(house: &House, tenant: &Tenant) -> Bound {
    house.role(tenant, "service", &["tessera.sessions.open", "tessera.check"]).await;
    let id = house.person(tenant, "service@example.org", "correct horse").await;
    house.grant(tenant, id, "service").await;
    let session = house.sign_in(tenant, "service@example.org", "correct horse").await.expect("signed in");
    house.bind(&session).await
}

async fn sign_in_on(
    house: &House,
    by: &Bound,
    id: CommandId,
    (password, shown): (&str, &DeviceShown),
) -> Result<tessera_engine::Done, Refusal> {
    let identifier = Identifier::guess("ann@example.org").expect("an identifier");
    let proof = (&identifier, Private::new(password.as_bytes().to_vec()));
    house.engine.sign_in_on(by, id, proof, (None, shown)).await.map_err(|error| match error {
        SubmitError::Refused(refusal) | SubmitError::Wait { refusal, .. } => refusal,
        SubmitError::Unknown => panic!("unknown"),
    })
}

/// PROPERTY: a session opens on a device by a signature of its key over a challenge that was made for it here, within two
/// minutes, once: not by the same proof again, another device's challenge, another tenant's, another key's signature, a
/// bent one, one whose password was wrong, one of before a restart, or that of a revoked device. A command that is repeated
/// with its proof is the same command. Who may answer for devices needs no proof; who may not gets none without. TC-61 in
/// part: sessions on devices.
#[tokio::test]
async fn a_device_proves_its_key() {
    let (house, tenant, ann) = scene().await;
    let service = desk(&house, &tenant).await;
    for p256 in [true, false] {
        let (phone, other) = (Held::new(p256), Held::new(!p256));
        let device = phone.register(&house, &tenant.admin, ann, &format!("phone{p256}")).await;
        let second = other.register(&house, &tenant.admin, ann, &format!("second{p256}")).await;
        let fresh = || house.engine.command_id();
        let by =
            async |shown: &DeviceShown| sign_in_on(&house, &service, fresh(), ("correct horse", shown)).await;
        let (id, shown) = (fresh(), phone.show(&house, &service, device));
        let done = sign_in_on(&house, &service, id, ("correct horse", &shown)).await.expect("signed in");
        let handle = done.made.handle.expect("a handle");
        assert!(house.check(&tenant, &handle, "orders.read").is_permit());
        let view = tenant.admin.entry.view();
        let found = house.engine.read(view.as_ref().expect("awake"));
        let found =
            house.engine.introspect(&tenant.admin, &found, (&handle.to_bytes(), None)).expect("alive");
        assert_eq!(found.device, Some(device));
        drop(view);
        // The same command again is the same one; the same proof in another one is no proof.
        let again = sign_in_on(&house, &service, id, ("correct horse", &shown)).await.expect("a receipt");
        assert!(again.repeat && again.made.handle.is_none());
        assert_eq!(by(&shown).await.err(), Some(Refusal::ChallengeStale), "replayed");
        // One for another device, signed by either of the keys.
        let of_other = house.engine.challenge(&service, second).expect("a challenge").0;
        for (shown, refusal) in [
            (phone.sign(device, of_other), Refusal::ChallengeStale),
            (other.show(&house, &service, device), Refusal::DeviceProofWrong),
            (phone.show(&house, &service, second), Refusal::DeviceProofWrong),
            (phone.show(&house, &service, PublicId([7; 16])), Refusal::DeviceProofWrong),
        ] {
            assert_eq!(by(&shown).await.err(), Some(refusal));
        }
        let mut bent = phone.show(&house, &service, device);
        bent.proof.signature[40] ^= 1;
        assert_eq!(by(&bent).await.err(), Some(Refusal::DeviceProofWrong));
        // It was not used up by that: whoever holds the key signs it still.
        let right = phone.sign(device, bent.proof.challenge);
        assert!(by(&right).await.is_ok());
        for at in [0, 3, 4, 20, 35] {
            let mut forged = house.engine.challenge(&service, device).expect("a challenge").0;
            forged.0[at] ^= 1;
            assert_eq!(by(&phone.sign(device, forged)).await.err(), Some(Refusal::ChallengeStale), "{at}");
        }
        // A wrong password uses the proof up.
        let shown = phone.show(&house, &service, device);
        let wrong = sign_in_on(&house, &service, fresh(), ("wrong", &shown)).await.err();
        assert_eq!(wrong, Some(Refusal::SignInFailed));
        assert_eq!(by(&shown).await.err(), Some(Refusal::ChallengeStale), "used up");
        // Two minutes, and not a second more.
        let (early, late) = (phone.show(&house, &service, device), phone.show(&house, &service, device));
        house.pass(119_000);
        assert!(by(&early).await.is_ok());
        house.pass(2_000);
        assert_eq!(by(&late).await.err(), Some(Refusal::ChallengeStale), "over");
        // Somebody else's device, and one that is revoked.
        let bob = house.person(&tenant, &format!("bob{p256}@example.org"), "correct horse").await;
        let theirs = phone.register(&house, &tenant.admin, bob, "theirs").await;
        let shown = phone.show(&house, &service, theirs);
        assert_eq!(by(&shown).await.err(), Some(Refusal::DeviceUnknown), "bob's");
        let shown = phone.show(&house, &service, device);
        house.submit(&tenant.admin, Command::RevokeDevice { device }).await;
        assert_eq!(by(&shown).await.err(), Some(Refusal::DeviceProofWrong), "revoked");
        // Without a proof: by whoever may answer for devices.
        let bare = async |by: &Bound| {
            let identifier = Identifier::guess("ann@example.org").expect("an identifier");
            let proof = (&identifier, Private::new(b"correct horse".to_vec()));
            house.engine.sign_in(by, fresh(), proof, (None, Some(second))).await.map(drop)
        };
        assert_eq!(bare(&service).await, Err(Refusal::DeviceProofRequired.into()));
        assert_eq!(bare(&tenant.admin).await, Ok(()));
        // A session that is opened without a password proves the device as well.
        let open = async |shown: &DeviceShown| {
            house.engine.open_session_on(&service, fresh(), ann, shown).await.map(drop)
        };
        let shown = other.show(&house, &service, second);
        assert_eq!(open(&shown).await, Ok(()));
        assert_eq!(open(&shown).await, Err(Refusal::ChallengeStale.into()));
    }
    // What another tenant made, or this one in a former life, is good nowhere.
    let operator = house.operator().await;
    let globex = house.tenant(&operator, "globex").await;
    let phone = Held::new(true);
    let device = phone.register(&house, &tenant.admin, ann, "last").await;
    let elsewhere = phone.show(&house, &globex.admin, device);
    let before = phone.show(&house, &service, device);
    let told = sign_in_on(&house, &service, house.engine.command_id(), ("correct horse", &elsewhere)).await;
    assert_eq!(told.err(), Some(Refusal::ChallengeStale));
    let third = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let admin = third.bind(&tenant.admin_key).await;
    assert_eq!(
        sign_in_on(&third, &admin, third.engine.command_id(), ("correct horse", &before)).await.err(),
        Some(Refusal::ChallengeStale)
    );
    let shown = phone.show(&third, &admin, device);
    assert!(sign_in_on(&third, &admin, third.engine.command_id(), ("correct horse", &shown)).await.is_ok());
}

/// PROPERTY: used challenges of one device are bounded, and only its key makes them; the others have room all the same,
/// and so has the device when they are over. What is no point of its curve is registered by nobody.
#[tokio::test]
async fn proofs_of_one_device_are_bounded() {
    let (house, tenant, ann) = scene().await;
    let (phone, other) = (Held::new(false), Held::new(false));
    let device = phone.register(&house, &tenant.admin, ann, "phone").await;
    let second = other.register(&house, &tenant.admin, ann, "second").await;
    let open = async |held: &Held, device| {
        let shown = held.show(&house, &tenant.admin, device);
        let id = house.engine.command_id();
        house.engine.open_session_on(&tenant.admin, id, ann, &shown).await.map(drop)
    };
    for _ in 0..DEVICE_PROOFS_MAX {
        assert_eq!(open(&phone, device).await, Ok(()));
    }
    assert_eq!(open(&phone, device).await, Err(Limit::DeviceProofs.busy().into()));
    assert_eq!(open(&other, second).await, Ok(()));
    house.pass(121_000);
    assert_eq!(open(&phone, device).await, Ok(()));
    let mut nowhere = [5; 65];
    nowhere[0] = 4;
    assert_eq!(DeviceShown::thumbprint(&DeviceKey::P256(nowhere)), Err(Refusal::Malformed));
}

/// PROPERTY: a stranger who signs in opens a session on a device that proves its key, also where devices are required; at
/// the door of a tenant that lets nobody in each proof has the same answer as that of a device that is not there.
#[tokio::test]
async fn a_stranger_proves_a_device() {
    let (house, tenant, ann) = scene().await;
    house.set(&tenant, |settings| settings.public_sign_in = 1).await;
    house.submit(&tenant.admin, Command::RequireDevices { required: true }).await;
    let operator = house.operator().await;
    let closed = house.tenant(&operator, "closed").await;
    let (phone, from) = (Held::new(true), std::net::IpAddr::from([192, 0, 2, 1]));
    let device = phone.register(&house, &tenant.admin, ann, "phone").await;
    let knock = |id| house.engine.knock_as_stranger((Some(id), ""), Errand::SignIn, from).expect("let in");
    let identifier = Identifier::guess("ann@example.org").expect("an identifier");
    let sign_in = async |id, shown: DeviceShown| {
        let proof = (&identifier, Private::new(b"correct horse".to_vec()));
        let id = (knock(id), house.engine.command_id());
        house.engine.sign_in_stranger(&id.0, id.1, proof, Some(&shown)).await
    };
    let challenge = |id, device| house.engine.challenge_stranger(&knock(id), device).expect("a challenge").0;
    let shown = phone.sign(device, challenge(tenant.id, device));
    let done = sign_in(tenant.id, shown).await.expect("signed in");
    assert!(house.check(&tenant, &done.made.handle.expect("a handle"), "orders.read").is_permit());
    let err = async |id, shown| sign_in(id, shown).await.err();
    assert_eq!(err(tenant.id, shown).await, Some(Refusal::ChallengeStale.into()));
    let nobodys = PublicId([9; 16]);
    for (id, other) in [(tenant.id, closed.id), (closed.id, tenant.id)] {
        let wrong = phone.sign(nobodys, challenge(id, nobodys));
        assert_eq!(err(id, wrong).await, Some(Refusal::DeviceProofWrong.into()));
        let elsewhere = phone.sign(nobodys, challenge(other, nobodys));
        assert_eq!(err(id, elsewhere).await, Some(Refusal::ChallengeStale.into()));
        let mut bent = phone.sign(nobodys, challenge(id, nobodys));
        bent.proof.signature[0] ^= 1;
        assert_eq!(err(id, bent).await, Some(Refusal::DeviceProofWrong.into()));
    }
}
