//! What strangers meet: sign-in and registration without an application's credential, and the origins whose
//! scripts may ask.
//!
//! All of it is off until a tenant's settings turn it on. What a sleeping tenant lets do stands in a cold row:
//! a stranger wakes it only where it would be let in, and only within a budget of its source and of the node.
//! A tenant that is not there, one that lets nobody in, and one whose people's passwords are wrong are one
//! answer at one cost (docs/decisions/0007).

use crate::admit::Done;
use crate::directory::{Entry, Standing};
use crate::engine::Engine;
use crate::guess::{Budget, Sources};
use crate::house::House;
use crate::possession::{Challenges, DeviceShown};
use crate::state::{doors, wait};
use crate::submit::{self, SubmitError};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tessera_crypto::{Job, digest};
use tessera_model::limits::{
    FAILURES_MAX, PASSWORD_BYTES_MAX, PUBLIC_FAILURE_EVERY_MS, PUBLIC_FAILURES_MAX, PUBLIC_WAKE_EVERY_MS,
    PUBLIC_WAKE_PER_SOURCE_EVERY_MS, PUBLIC_WAKES_MAX, PUBLIC_WAKES_PER_SOURCE_MAX, REGISTRATION_EVERY_MS,
    REGISTRATION_PER_SOURCE_EVERY_MS, REGISTRATIONS_MAX, REGISTRATIONS_PER_SOURCE_MAX,
};
use tessera_model::record::SubjectKind;
use tessera_model::{
    Caller, Command, CommandId, Deadline, Identifier, Limit, Origin, Private, Refusal, Row, RowKind,
    Settings, Source, TenantId, UnixMillis,
};

const FAILURES: Budget = Budget::new(PUBLIC_FAILURES_MAX, PUBLIC_FAILURE_EVERY_MS);
const WAKES_PER_SOURCE: Budget = Budget::new(PUBLIC_WAKES_PER_SOURCE_MAX, PUBLIC_WAKE_PER_SOURCE_EVERY_MS);
const WAKES: Budget = Budget::new(PUBLIC_WAKES_MAX, PUBLIC_WAKE_EVERY_MS);
const REGISTRATIONS_PER_SOURCE: Budget =
    Budget::new(REGISTRATIONS_PER_SOURCE_MAX, REGISTRATION_PER_SOURCE_EVERY_MS);
const REGISTRATIONS: Budget = Budget::new(REGISTRATIONS_MAX, REGISTRATION_EVERY_MS);
/// Who hashes at the pool for tenants that let nobody in: no tenant has this number.
const NOBODY: TenantId = TenantId(u64::MAX);

/// What a stranger wants to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Errand {
    /// Sign in with a password.
    SignIn,
    /// Become a subject.
    Register,
}

/// A stranger who was let knock: what it wants, from where, and at whose door. It is nobody's when the tenant
/// is not there or lets nobody in; that is told in no way but by what follows.
#[derive(Clone)]
pub struct Stranger {
    entry: Option<Arc<Entry>>,
    source: Source,
    from: IpAddr,
    /// Under what the failures at nobody's door are counted.
    named: [u8; 32],
}

impl Stranger {
    /// The tenant that is waking for it; whoever asks in its name waits for that. `None` when nothing wakes.
    #[must_use]
    pub fn waits_for(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref().filter(|entry| entry.view().is_none())
    }

    /// The tenant that lets it in.
    pub(crate) const fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// Under what it is known at nobody's door.
    pub(crate) const fn named(&self) -> &[u8; 32] {
        &self.named
    }
}

/// What strangers have done on this node lately: in memory, and bounded.
#[derive(Default)]
pub(crate) struct Strangers {
    failures: Sources,
    wakes: Sources,
    woken: Mutex<u64>,
    registrations: Sources,
    registered: Mutex<HashMap<TenantId, u64, foldhash::fast::FixedState>>,
    /// Failed sign-ins at nobody's door, by what was named and typed: count and until when it waits.
    nobody: Mutex<HashMap<[u8; 16], (u32, Deadline), foldhash::fast::FixedState>>,
    /// Challenges that were made at nobody's door.
    pub(crate) challenges: Challenges,
}

impl Strangers {
    /// Until when somebody may not be tried at nobody's door.
    fn waits(&self, key: &[u8; 16], now: UnixMillis) -> Option<Deadline> {
        let (_, until) = *self.nobody.lock().get(key)?;
        (until != Deadline::NONE && !until.passed(now)).then_some(until)
    }

    /// Counts a failure as a tenant with the default settings would.
    fn count(&self, key: [u8; 16], now: UnixMillis) {
        let mut nobody = self.nobody.lock();
        if nobody.len() >= FAILURES_MAX && !nobody.contains_key(&key) {
            nobody.retain(|_, (_, until)| !until.passed(now));
            if nobody.len() >= FAILURES_MAX {
                nobody.clear();
            }
        }
        let (count, until) = nobody.entry(key).or_insert((0, Deadline::NONE));
        *count = count.saturating_add(1);
        *until = wait(*count, &Settings::default(), now);
    }

    fn may_register(&self, tenant: TenantId, now: UnixMillis) -> Result<(), u64> {
        let mut registered = self.registered.lock();
        if registered.len() >= FAILURES_MAX {
            registered.retain(|_, empty_at| *empty_at > now.0);
            if registered.len() >= FAILURES_MAX && !registered.contains_key(&tenant) {
                return Err(REGISTRATION_EVERY_MS);
            }
        }
        REGISTRATIONS.take(registered.entry(tenant).or_insert(0), now.0)
    }
}

/// A stranger is told to wait for a limit.
fn busy(limit: Limit) -> impl FnOnce(u64) -> SubmitError {
    move |retry_ms| SubmitError::Wait { refusal: limit.busy(), retry_ms }
}

impl Engine {
    /// Lets a stranger knock at a tenant, by its id and by what the request named it. A sleeping tenant that
    /// would let it in begins to wake. It may wait for the disk.
    ///
    /// # Errors
    /// `TooManyFailures` or `Busy` with how long to wait; `TenantFailed` of a damaged one that lets people in.
    pub fn knock_as_stranger(
        &self,
        (tenant, named): (Option<TenantId>, &str),
        errand: Errand,
        from: IpAddr,
    ) -> Result<Stranger, SubmitError> {
        let (strangers, now) = (&self.house.strangers, self.now());
        let source = Source::of(from);
        let told_to_wait = |retry_ms| {
            self.house.told_to_wait.fetch_add(1, Ordering::Relaxed);
            SubmitError::Wait { refusal: Refusal::TooManyFailures, retry_ms }
        };
        match errand {
            Errand::SignIn => strangers.failures.take(source, FAILURES, now).map_err(told_to_wait)?,
            Errand::Register => {
                strangers
                    .registrations
                    .take(source, REGISTRATIONS_PER_SOURCE, now)
                    .map_err(busy(Limit::RegistrationsPerSource))?;
            }
        }
        if tenant.is_some_and(|tenant| self.house.away(tenant).is_some()) {
            return Err(Refusal::Redirect.into());
        }
        let entry =
            tenant.filter(|tenant| *tenant != TenantId::SYSTEM).and_then(|tenant| self.house.entry(tenant));
        let entry = entry.filter(|entry| entry.is_active());
        let named = tenant
            .map_or_else(|| digest::hash(&[named.as_bytes()]), |id| digest::hash(&[&id.0.to_le_bytes()]));
        let mut stranger = Stranger { entry: None, source, from, named };
        if let Some(view) = entry.as_ref().and_then(|entry| entry.view().as_ref().map(Arc::clone)) {
            let open = lets(&doors(&view.root.full().settings), errand);
            stranger.entry = entry.filter(|_| open);
            return Ok(stranger);
        }
        // Asleep or not there: one look at a row for both, and one budget.
        let open = lets(&self.doors(entry.as_ref())?, errand);
        strangers.wakes.take(source, WAKES_PER_SOURCE, now).map_err(busy(Limit::PublicWakesPerSource))?;
        let Some(entry) = entry.filter(|_| open) else { return Ok(stranger) };
        match entry.standing() {
            Standing::Failed => return Err(Refusal::TenantFailed.into()),
            Standing::Asleep => {
                WAKES.take(&mut strangers.woken.lock(), now.0).map_err(busy(Limit::PublicWakes))?;
                self.house.wake(&entry);
            }
            Standing::Waking | Standing::Awake | Standing::Leaving => {}
        }
        stranger.entry = Some(entry);
        Ok(stranger)
    }

    /// What a sleeping tenant lets strangers do; of none, what takes as long.
    fn doors(&self, entry: Option<&Arc<Entry>>) -> Result<Vec<u8>, Refusal> {
        Ok(self.front(entry, Row::DOORS)?.unwrap_or_default())
    }

    fn front(&self, entry: Option<&Arc<Entry>>, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        let tenant = entry.map_or(TenantId::SYSTEM, |entry| entry.tenant);
        let read = self.house.store.row(tenant, RowKind::Front, key);
        let read = match (read, entry) {
            (Ok(read), Some(_)) => read.value,
            (Err(error), Some(entry)) => return Err(House::unread(entry, &error).into()),
            (Ok(_) | Err(_), None) => None,
        };
        Ok(read.map(|value| value.expose().to_vec()))
    }

    /// The origins that an active tenant lists, asleep or awake; none of any other. It may wait for the disk
    /// and wakes nobody.
    ///
    /// # Errors
    /// `TenantFailed` when the row is damaged, `NotReady` when the node is ending.
    pub fn origins(&self, tenant: Option<TenantId>) -> Result<Vec<Origin>, Refusal> {
        let entry =
            tenant.filter(|tenant| *tenant != TenantId::SYSTEM).and_then(|tenant| self.house.entry(tenant));
        let entry = entry.filter(|entry| entry.is_active());
        let text = self.front(entry.as_ref(), Row::ORIGINS)?.unwrap_or_default();
        let text = String::from_utf8(text).unwrap_or_default();
        Ok(text.lines().filter_map(|line| Origin::new(line).ok()).collect())
    }

    /// Signs a person in for whom no application speaks: as [`Engine::sign_in`], with the default client. At
    /// nobody's door it takes as long and fails alike. On a device that proves its key, or on none: nobody answers for
    /// one, so where devices are required nobody is signed in here without a proof.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, how long to wait after too many failures, or Unknown.
    pub async fn sign_in_stranger(
        &self,
        stranger: &Stranger,
        id: CommandId,
        (identifier, password): (&Identifier, Private),
        shown: Option<&DeviceShown>,
    ) -> Result<Done, SubmitError> {
        let Some(entry) = &stranger.entry else {
            if let Some(shown) = shown {
                // As where there is no such device: nobody has one.
                let nobody = (&self.house.strangers.challenges, stranger.named.as_slice());
                self.prove_device(nobody, None, shown, id)?;
            }
            return Err(self.fail_at_nobody(stranger, identifier, password).await);
        };
        let view = self.view_at(entry)?;
        let root = view.root.full();
        // Before anything is tried: that it is so is told, and whether the password was right is not.
        if root.device_policy.required && shown.is_none() {
            self.let_go(stranger);
            return Err(Refusal::DeviceRequired.into());
        }
        let tenant = entry.tenant.0.to_le_bytes();
        let on = shown.map(|shown| self.prove_device((&view.challenges, &tenant), Some(&root), shown, id));
        let on = on.transpose()?;
        let proof = (identifier, password);
        let at = (Some(stranger.from), on);
        let opened = self.prove_and_open((entry, Caller::Claimant), id, proof, at).await;
        let opened = match shown {
            Some(shown) => view.challenges.settle(shown, opened),
            None => opened,
        };
        match opened {
            Err(SubmitError::Refused(Refusal::SignInFailed)) => {}
            // The setting was turned off meanwhile: as if it had been before.
            Err(SubmitError::Refused(Refusal::Unauthorized)) => return Err(Refusal::SignInFailed.into()),
            Ok(_) | Err(_) => self.let_go(stranger),
        }
        opened
    }

    /// A stranger's errand was no failure: it is not counted against its source.
    pub(crate) fn let_go(&self, stranger: &Stranger) {
        self.house.strangers.failures.give_back(stranger.source, FAILURES, self.now());
    }

    /// What a wrong password comes to where nobody is: waits, a hash, a failure that is counted.
    async fn fail_at_nobody(
        &self,
        stranger: &Stranger,
        identifier: &Identifier,
        password: Private,
    ) -> SubmitError {
        let (strangers, now) = (&self.house.strangers, self.now());
        let typed = digest::hash(&[&[identifier.kind().number()], identifier.normal().as_bytes()]);
        let hash = digest::hash(&[&stranger.named, &typed]);
        let key = hash.first_chunk::<16>().copied().unwrap_or_default();
        if let Some(until) = strangers.waits(&key, now) {
            self.house.told_to_wait.fetch_add(1, Ordering::Relaxed);
            let retry_ms = until.to_millis().0.saturating_sub(now.0);
            strangers.failures.give_back(stranger.source, FAILURES, now);
            return SubmitError::Wait { refusal: Refusal::TooManyFailures, retry_ms };
        }
        if password.expose().len() <= PASSWORD_BYTES_MAX {
            let job = Job::Verify {
                password: password.expose().to_vec().into(),
                stored: None,
                parameters: self.affordable(&Settings::default()),
            };
            if let Err(error) = self.on_pool(NOBODY, job).await {
                return error;
            }
        }
        strangers.count(key, self.now());
        self.house.failed_sign_ins.fetch_add(1, Ordering::Relaxed);
        Refusal::SignInFailed.into()
    }

    /// Makes a subject of a person who registers, with one identifier and a password; no session. Whether the
    /// identifier was taken is not told: the answer is the same, and so is what it cost.
    ///
    /// # Errors
    /// [`SubmitError`]: `Unauthorized` at the door of a tenant that is not there or takes no registrations,
    /// another refusal, or Unknown.
    pub async fn register(
        &self,
        stranger: &Stranger,
        id: CommandId,
        (identifier, password): (Identifier, Private),
    ) -> Result<(), SubmitError> {
        let entry = stranger.entry.as_ref().ok_or(Refusal::Unauthorized)?;
        let view = self.view_at(entry)?;
        self.house.strangers.may_register(entry.tenant, self.now()).map_err(busy(Limit::Registrations))?;
        let hash = self.identifier_hash(entry.tenant, &identifier)?;
        let password = self.hash(entry.tenant, &view.root.full().settings, password).await?;
        let identifiers = vec![(identifier, hash)];
        let command = Command::CreateSubject { kind: SubjectKind::Person, identifiers, password };
        match submit::submit(&self.house, entry, self.ordered(Caller::Claimant, id, command)).await {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused(Refusal::Duplicate)) => {
                // What is written takes as long as a newcomer: under a key that nobody signs in with.
                let apart = digest::hash(&[b"tessera registration v1", &hash]);
                let key = apart.first_chunk::<16>().copied().unwrap_or_default();
                let ordered = self.ordered(Caller::Node, self.command_id(), Command::CountFailure { key });
                match submit::submit(&self.house, entry, ordered).await {
                    // Counted all the same, and no news.
                    Ok(_) | Err(SubmitError::Refused(Refusal::TooManyFailures)) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a tenant's doors are open for an errand.
fn lets(doors: &[u8], errand: Errand) -> bool {
    let at = match errand {
        Errand::SignIn => 0,
        Errand::Register => 1,
    };
    doors.get(at).is_some_and(|door| *door > 0)
}
