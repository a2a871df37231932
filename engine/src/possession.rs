//! Devices prove that they hold their key: challenges are made, signed proofs verified, and each is used once.
//!
//! A challenge costs no memory: it is sealed by a key that lives as long as the view which made it, so that it is good in
//! one tenant, for one device, in one life of the tenant. What is remembered is that one was used, and only after the key of
//! that device has signed it: nobody else fills that memory. A proof is verified before anything is admitted; that the device
//! still has that key and may be used is looked at again when its session is decided.

use crate::admit::Done;
use crate::bound::Bound;
use crate::engine::Engine;
use crate::front::Stranger;
use crate::root::Root;
use crate::state::ADDRESS;
use crate::submit::SubmitError;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::OnceLock;
use tessera_crypto::compare::equal_arrays;
use tessera_crypto::digest::keyed;
use tessera_crypto::possession::{is_key, is_signed_by, sha256};
use tessera_model::limits::{CHALLENGE_TTL_S, CHALLENGES_USED_MAX, DEVICE_PROOFS_MAX};
use tessera_model::{
    Challenge, Command, CommandId, Deadline, DeviceKey, DeviceProof, Identifier, Limit, OnDevice, Private,
    PublicId, Refusal, Thumbprint, UnixMillis,
};

/// Numbers of challenges that a device has signed: until when, and for which command; none once that was refused.
type Used = BTreeMap<(PublicId, [u8; 16]), (Deadline, Option<CommandId>)>;

/// The challenges of one tenant while it is awake, or of nobody's door.
#[derive(Default)]
pub(crate) struct Challenges {
    /// What they are sealed by: drawn when the first one is made.
    key: OnceLock<[u8; 32]>,
    used: Mutex<Used>,
}

impl Challenges {
    fn make(&self, fill: impl Fn(&mut [u8]), of: &[u8], device: PublicId, now: UnixMillis) -> Challenge {
        let key = self.key.get_or_init(|| {
            let mut key = [0; 32];
            fill(&mut key);
            key
        });
        let mut number = [0; 16];
        fill(&mut number);
        let until = now.to_deadline().plus_seconds(CHALLENGE_TTL_S);
        Challenge::new(until, number, seal(key, of, device, (until, number)))
    }

    /// Whether it was made here for this device, and is not over.
    fn is_good(&self, of: &[u8], device: PublicId, challenge: &Challenge, now: UnixMillis) -> bool {
        let (until, number, sealed) = challenge.parts();
        let Some(key) = self.key.get() else { return false };
        equal_arrays(&sealed, &seal(key, of, device, (until, number))) && !until.passed(now)
    }

    /// Uses it up for a command, which may be repeated with it. The time is taken once nobody else forgets used ones: one
    /// that was forgotten is over.
    fn use_up(
        &self,
        device: PublicId,
        challenge: &Challenge,
        id: CommandId,
        now: impl FnOnce() -> UnixMillis,
    ) -> Result<(), Refusal> {
        let (until, number, _) = challenge.parts();
        let mut used = self.used.lock();
        let now = now();
        if until.passed(now) {
            return Err(Refusal::ChallengeStale);
        }
        if let Some((_, by)) = used.get(&(device, number)) {
            return if *by == Some(id) { Ok(()) } else { Err(Refusal::ChallengeStale) };
        }
        if used.len() >= CHALLENGES_USED_MAX {
            used.retain(|_, (until, _)| !until.passed(now));
            if used.len() >= CHALLENGES_USED_MAX {
                return Err(Limit::ChallengesUsed.busy());
            }
        }
        let all = (device, [0; 16])..=(device, [u8::MAX; 16]);
        let of_device: Vec<_> = used.range(all).map(|(at, (until, _))| (*at, *until)).collect();
        let (over, live): (Vec<_>, Vec<_>) = of_device.into_iter().partition(|(_, until)| until.passed(now));
        for (at, _) in over {
            used.remove(&at);
        }
        if live.len() >= DEVICE_PROOFS_MAX {
            return Err(Limit::DeviceProofs.busy());
        }
        used.insert((device, number), (until, Some(id)));
        Ok(())
    }

    /// What came of a proof: one that was refused with its command is not good for another try.
    pub(crate) fn settle(
        &self,
        shown: &DeviceShown,
        opened: Result<Done, SubmitError>,
    ) -> Result<Done, SubmitError> {
        if opened.as_ref().is_err_and(|error| !may_repeat(*error)) {
            let (_, number, _) = shown.proof.challenge.parts();
            if let Some((_, by)) = self.used.lock().get_mut(&(shown.device, number)) {
                *by = None;
            }
        }
        opened
    }
}

fn seal(key: &[u8; 32], of: &[u8], device: PublicId, (until, number): (Deadline, [u8; 16])) -> [u8; 16] {
    let sealed = keyed(key, &[b"tessera challenge v1", &until.0.to_le_bytes(), &number, &device.0, of]);
    sealed.first_chunk().copied().unwrap_or_default()
}

/// A device that is named, with the proof of its key.
#[derive(Clone, Copy, Debug)]
pub struct DeviceShown {
    /// Its public id.
    pub device: PublicId,
    /// The proof.
    pub proof: DeviceProof,
}

impl DeviceShown {
    /// The thumbprint of a device's key (RFC 7638).
    ///
    /// # Errors
    /// `Malformed` for what is no key: a point that does not lie on its curve.
    pub fn thumbprint(key: &DeviceKey) -> Result<Thumbprint, Refusal> {
        if is_key(key.bytes()) { Ok(thumbprint_of(key)) } else { Err(Refusal::Malformed) }
    }
}

fn thumbprint_of(key: &DeviceKey) -> Thumbprint {
    Thumbprint(sha256(key.thumbprint_text().as_bytes()))
}

/// Whether what ended a command so may be asked again under its id.
const fn may_repeat(error: SubmitError) -> bool {
    match error {
        SubmitError::Unknown | SubmitError::Wait { .. } => true,
        SubmitError::Refused(refusal) => matches!(refusal.code(), 300..=399),
    }
}

impl Engine {
    /// A challenge for a device of a bound connection's tenant, and until when it is good. Whether there is such a device is
    /// not looked at, and told by nothing.
    ///
    /// # Errors
    /// [`SubmitError`]: `Unauthorized` without the permission to open sessions, or why the tenant answers nothing now.
    pub fn challenge(&self, bound: &Bound, device: PublicId) -> Result<(Challenge, Deadline), SubmitError> {
        self.allowed(bound, "tessera.sessions.open")?;
        let view = self.view_of(bound)?;
        let tenant = bound.entry.tenant.0.to_le_bytes();
        Ok(self.make_challenge(&view.challenges, &tenant, device))
    }

    /// As [`Engine::challenge`], for somebody for whom no application speaks. At nobody's door it is as good.
    ///
    /// # Errors
    /// [`SubmitError`]: why the tenant answers nothing now.
    pub fn challenge_stranger(
        &self,
        stranger: &Stranger,
        device: PublicId,
    ) -> Result<(Challenge, Deadline), SubmitError> {
        self.let_go(stranger);
        let Some(entry) = stranger.entry() else {
            return Ok(self.make_challenge(&self.house.strangers.challenges, stranger.named(), device));
        };
        let view = self.view_at(entry)?;
        Ok(self.make_challenge(&view.challenges, &entry.tenant.0.to_le_bytes(), device))
    }

    fn make_challenge(&self, by: &Challenges, of: &[u8], device: PublicId) -> (Challenge, Deadline) {
        let challenge = by.make(|bytes| self.house.entropy.fill(bytes), of, device, self.now());
        (challenge, challenge.parts().0)
    }

    /// Verifies the proof of a device, and uses its challenge up for a command. Where there is no such device it costs the
    /// same, and is the same answer as another one's key.
    pub(crate) fn prove_device(
        &self,
        (challenges, of): (&Challenges, &[u8]),
        root: Option<&Root>,
        shown: &DeviceShown,
        id: CommandId,
    ) -> Result<OnDevice, Refusal> {
        let DeviceShown { device, proof } = *shown;
        if !challenges.is_good(of, device, &proof.challenge, self.now()) {
            return Err(Refusal::ChallengeStale);
        }
        if !is_signed_by(proof.key.bytes(), &proof.challenge.signed(device), &proof.signature) {
            return Err(Refusal::DeviceProofWrong);
        }
        let key = thumbprint_of(&proof.key);
        let known = root.and_then(|root| root.devices.get(root.device_ids.get(&device)?));
        if known.is_none_or(|known| known.key != key || !known.is_usable()) {
            return Err(Refusal::DeviceProofWrong);
        }
        challenges.use_up(device, &proof.challenge, id, || self.now())?;
        Ok(OnDevice { id: device, proven: Some(key) })
    }

    /// Signs a person in as [`Engine::sign_in`] does, on a device that proves its key.
    ///
    /// # Errors
    /// [`SubmitError`]: `ChallengeStale` or `DeviceProofWrong`, and those of [`Engine::sign_in`].
    pub async fn sign_in_on(
        &self,
        bound: &Bound,
        id: CommandId,
        proof: (&Identifier, Private),
        (from, shown): (Option<IpAddr>, &DeviceShown),
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.sessions.open")?;
        if from.is_some() && !self.may(bound, ADDRESS) {
            return Err(Refusal::Unauthorized.into());
        }
        let view = self.view_of(bound)?;
        let tenant = bound.entry.tenant.0.to_le_bytes();
        let on = self.prove_device((&view.challenges, &tenant), Some(&view.root.full()), shown, id)?;
        let at = (from.or(bound.peer), Some(on));
        let opened = self.prove_and_open((&bound.entry, bound.caller), id, proof, at).await;
        view.challenges.settle(shown, opened)
    }

    /// Opens a session for a subject whom the caller has authenticated itself, on a device that proves its key.
    ///
    /// # Errors
    /// [`SubmitError`]: `ChallengeStale` or `DeviceProofWrong`, another refusal, or Unknown.
    pub async fn open_session_on(
        &self,
        bound: &Bound,
        id: CommandId,
        subject: PublicId,
        shown: &DeviceShown,
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.sessions.open")?;
        let view = self.view_of(bound)?;
        let (root, tenant) = (view.root.full(), bound.entry.tenant.0.to_le_bytes());
        let record = root.subject(subject).ok_or(Refusal::SubjectUnknown)?;
        let (index, seen_cut_off) = (record.index, record.cut_off);
        let on = self.prove_device((&view.challenges, &tenant), Some(&root), shown, id)?;
        let (identifier, device) = (None, Some(on));
        let command = Command::OpenSession { subject: index, seen_cut_off, identifier, acr: 0, device };
        let opened = self.submit(bound, id, command).await;
        view.challenges.settle(shown, opened)
    }
}
