//! Passwords: verified and hashed on the pool, before admission; what enters the intake is the proof.

use crate::admit::Done;
use crate::bound::Bound;
use crate::directory::Entry;
use crate::engine::Engine;
use crate::guess::Budget;
use crate::house::House;
use crate::state::{ADDRESS, FOR_EVER, own_key};
use crate::submit::{self, SubmitError};
use crate::view::View;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tessera_crypto::digest::identifier_hash;
use tessera_crypto::password::SALT_BYTES;
use tessera_crypto::{Job, Outcome, Parameters, Verdict};
use tessera_model::limits::PASSWORD_BYTES_MAX;
use tessera_model::record::{AttributeValue, SubjectStatus};
use tessera_model::{
    Caller, Command, CommandId, Identifier, Limit, Name, OnDevice, Private, PublicId, Refusal, Row, RowKind,
    Settings, Source, SubjectIndex, TenantId, UnixMillis,
};
use tokio::sync::oneshot;

/// What a hash costs by a tenant's settings.
pub(crate) const fn parameters(settings: &Settings) -> Parameters {
    Parameters {
        memory_kib: settings.argon_memory_kib,
        passes: settings.argon_passes,
        lanes: settings.argon_lanes,
    }
}

/// Whose password was verified, and the cut-off that the proof was made at.
#[derive(Clone, Copy)]
struct Proven {
    subject: SubjectIndex,
    cut_off: u32,
    /// The stored hash is weaker than the tenant asks for now.
    needs_rehash: bool,
}

/// A sign-in under way, counted against its source.
struct Attempt {
    key: [u8; 16],
    network: Option<Source>,
    budget: Budget,
}

impl Attempt {
    /// It is taken off its source's count.
    fn was_no_failure(&self, view: &View, now: UnixMillis) {
        if let Some(network) = self.network {
            view.sources.give_back(network, self.budget, now);
        }
    }
}

impl Engine {
    /// The keyed hash of an identifier in a tenant, on which uniqueness is decided.
    ///
    /// # Errors
    /// `TenantUnknown` for a tenant that does not exist, `TenantFailed` when its keys cannot be read.
    pub fn identifier_hash(&self, tenant: TenantId, identifier: &Identifier) -> Result<[u8; 16], Refusal> {
        let entry = self.house.entry(tenant).ok_or(Refusal::TenantUnknown)?;
        let keys = self.house.store.tenant_keys(tenant);
        let keys = keys.map_err(|error| House::unread(&entry, &error))?;
        let normal = identifier.normal().as_bytes();
        Ok(identifier_hash(keys.index.expose(), identifier.kind().number(), normal))
    }

    /// Signs a person in with identifier and password and opens a session. One answer and one cost
    /// for unknown identifiers and wrong passwords; a failure is durable before it is answered.
    ///
    /// `from` is where the person's request came from, given by a caller that may say so; the budget of
    /// that source counts, without it that of the connection's peer. The session stands on the device that is named, for
    /// which the caller answers: with the permission [`crate::VOUCH`] alone. Others show its proof
    /// ([`Engine::sign_in_on`]).
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, how long to wait after too many failures, or Unknown.
    pub async fn sign_in(
        &self,
        bound: &Bound,
        id: CommandId,
        (identifier, password): (&Identifier, Private),
        (from, device): (Option<IpAddr>, Option<PublicId>),
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.sessions.open")?;
        if from.is_some() && !self.may(bound, ADDRESS) {
            return Err(Refusal::Unauthorized.into());
        }
        let at = (from.or(bound.peer), device.map(OnDevice::from));
        self.prove_and_open((&bound.entry, bound.caller), id, (identifier, password), at).await
    }

    /// Verifies a password and opens a session for its subject, in the name of this caller.
    pub(crate) async fn prove_and_open(
        &self,
        (entry, caller): (&Arc<Entry>, Caller),
        id: CommandId,
        (identifier, password): (&Identifier, Private),
        (from, device): (Option<IpAddr>, Option<OnDevice>),
    ) -> Result<Done, SubmitError> {
        let view = self.view_at(entry)?;
        // A failure could not be counted: nothing is proven.
        if view.root.full().course.moving.is_some() {
            return Err(Refusal::Moving.into());
        }
        let key = self.identifier_hash(entry.tenant, identifier)?;
        let attempt = self.attempt(&view, key, from)?;
        let root = view.root.full();
        let subject = root.holder(&key);
        let proven = match self.verify(entry, &view, subject, &password).await {
            Ok(proven) => proven,
            Err(error) => return Err(self.failed(entry, &view, &attempt, error).await),
        };
        let command = Command::OpenSession {
            subject: proven.subject,
            seen_cut_off: proven.cut_off,
            identifier: Some(key),
            acr: 1,
            device,
        };
        let opened = submit::submit(&self.house, entry, self.ordered(caller, id, command)).await;
        match self.unless_it_waits((entry, &view), &attempt, opened).await {
            // What the proof was made from changed meanwhile: the same answer as a wrong password.
            Err(SubmitError::Refused(Refusal::Changed)) => Err(Refusal::SignInFailed.into()),
            Ok(done) => {
                if proven.needs_rehash {
                    self.rehash(entry, proven, password);
                }
                Ok(done)
            }
            refused @ Err(_) => refused,
        }
    }

    /// Begins an attempt: neither its identifier nor its source must wait.
    fn attempt(&self, view: &View, key: [u8; 16], from: Option<IpAddr>) -> Result<Attempt, SubmitError> {
        let (root, now) = (view.root.full(), self.now());
        if root.waits(&key, now).is_some() {
            return Err(self.wait(view, &key));
        }
        let budget = Budget::of(&root.settings);
        let network = from.map(Source::of);
        if let Some(Err(retry_ms)) = network.map(|network| view.sources.take(network, budget, now)) {
            self.house.told_to_wait.fetch_add(1, Ordering::Relaxed);
            return Err(SubmitError::Wait { refusal: Refusal::TooManyFailures, retry_ms });
        }
        Ok(Attempt { key, network, budget })
    }

    /// How long an identifier waits.
    fn wait(&self, view: &View, key: &[u8; 16]) -> SubmitError {
        self.house.told_to_wait.fetch_add(1, Ordering::Relaxed);
        let now = self.now();
        let until = view.root.full().waits(key, now).filter(|until| *until != FOR_EVER);
        let retry_ms = until.map_or(0, |until| until.to_millis().0.saturating_sub(now.0));
        SubmitError::Wait { refusal: Refusal::TooManyFailures, retry_ms }
    }

    /// What came of a command with a right proof. Where others failed so often while it was made that it has to wait, it
    /// is counted and answered as a wrong one is: which of many tries was the right one is told to nobody.
    async fn unless_it_waits(
        &self,
        (entry, view): (&Arc<Entry>, &View),
        attempt: &Attempt,
        done: Result<Done, SubmitError>,
    ) -> Result<Done, SubmitError> {
        if let Err(SubmitError::Refused(Refusal::TooManyFailures)) = done {
            return Err(self.failed(entry, view, attempt, Refusal::SignInFailed.into()).await);
        }
        attempt.was_no_failure(view, self.now());
        done
    }

    /// A proof that failed: counted, durably, before anybody is told. It is told to wait where it would be with a right one.
    async fn failed(
        &self,
        entry: &Arc<Entry>,
        view: &View,
        attempt: &Attempt,
        error: SubmitError,
    ) -> SubmitError {
        if error != SubmitError::Refused(Refusal::SignInFailed) {
            attempt.was_no_failure(view, self.now());
            return error;
        }
        self.house.failed_sign_ins.fetch_add(1, Ordering::Relaxed);
        let command = Command::CountFailure { key: attempt.key };
        let ordered = self.ordered(Caller::Node, self.command_id(), command);
        match submit::submit(&self.house, entry, ordered).await {
            Ok(_) => error,
            Err(SubmitError::Refused(Refusal::TooManyFailures)) => self.wait(view, &attempt.key),
            Err(uncounted) => uncounted,
        }
    }

    /// Changes one's own password: the old one is verified, the new one hashed. The session that
    /// orders it lives on, all others of the subject end.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn change_password(
        &self,
        bound: &Bound,
        id: CommandId,
        old: Private,
        new: Private,
    ) -> Result<Done, SubmitError> {
        let view = self.view_of(bound)?;
        // A repeat has its receipt: its old password is not the password any more.
        if let Some(done) = self.repeated(bound, id).await? {
            return Ok(done);
        }
        let root = view.root.full();
        let subject = root.index_of(bound.subject);
        let Some(index) = subject else { return Err(Refusal::SubjectUnknown.into()) };
        let attempt = self.attempt(&view, own_key(index), bound.peer)?;
        let proven = match self.verify(&bound.entry, &view, subject, &old).await {
            Ok(proven) => proven,
            Err(error) => return Err(self.failed(&bound.entry, &view, &attempt, error).await),
        };
        let password = match self.hash(bound.entry.tenant, &root.settings, new).await {
            Ok(password) => password,
            Err(error) => {
                attempt.was_no_failure(&view, self.now());
                return Err(error);
            }
        };
        let command = Command::ChangePassword { subject: bound.subject, password, proven: proven.cut_off };
        let changed = self.submit(bound, id, command).await;
        self.unless_it_waits((&bound.entry, &view), &attempt, changed).await
    }

    /// What a change of one's own password under this id came to, if there was one.
    async fn repeated(&self, bound: &Bound, id: CommandId) -> Result<Option<Done>, SubmitError> {
        // Without a password nothing is set, whoever asks: only what is known of the id is told.
        let ask = Command::ChangePassword { subject: bound.subject, password: Private::default(), proven: 0 };
        match self.submit(bound, id, ask).await {
            Ok(done) => Ok(Some(done)),
            Err(SubmitError::Refused(Refusal::PasswordUnset)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a subject with identifiers and, if given, a password.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn create_subject(
        &self,
        bound: &Bound,
        id: CommandId,
        (kind, identifiers): (tessera_model::record::SubjectKind, Vec<Identifier>),
        password: Option<Private>,
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.admin.subjects")?;
        let mut hashed = Vec::with_capacity(identifiers.len());
        for identifier in identifiers {
            let hash = self.identifier_hash(bound.entry.tenant, &identifier)?;
            hashed.push((identifier, hash));
        }
        let password = match password {
            None => Private::default(),
            Some(password) => {
                let settings = self.view_of(bound)?.root.full().settings;
                self.hash(bound.entry.tenant, &settings, password).await?
            }
        };
        self.submit(bound, id, Command::CreateSubject { kind, identifiers: hashed, password }).await
    }

    /// Sets or removes attributes of a subject, or tries it only. What it has of undeclared ones is read first, so that its
    /// profile stays within its bounds.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn set_attributes(
        &self,
        bound: &Bound,
        (id, trial): (CommandId, bool),
        subject: PublicId,
        values: Vec<(Name, Option<AttributeValue>)>,
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.admin.subjects")?;
        // LIMIT: 8 loads: each further one means that the profile moved again in between.
        for _ in 0..8 {
            let view = self.view_of(bound)?;
            let as_of = tessera_model::Revision(view.marks.published());
            let root = view.root.full();
            let index = root.subject(subject).map(|record| record.index).ok_or(Refusal::SubjectUnknown)?;
            let cold = values.iter().any(|(name, _)| !root.attributes.contains_key(name));
            let held = if cold { self.held(bound, index).await? } else { Vec::new() };
            let command = Command::SetAttributes { subject, values: values.clone(), held, as_of };
            match self.submit_or_try(bound, (id, trial), command).await {
                Err(SubmitError::Refused(Refusal::Changed)) => {}
                other => return other,
            }
        }
        Err(Refusal::Changed.into())
    }

    /// Names and lengths of the undeclared texts of a subject.
    async fn held(&self, bound: &Bound, subject: SubjectIndex) -> Result<Vec<(Name, usize)>, Refusal> {
        let (engine, bound) = (self.clone(), bound.clone());
        // Cold rows may take a while: not on the runtime that answers checks.
        let read = tokio::task::spawn_blocking(move || engine.profile(&bound, subject)).await;
        let rows = read.map_err(|_| Refusal::NotReady)??;
        Ok(rows.into_iter().map(|(name, text)| (name, text.expose().len())).collect())
    }

    /// Whether a caller may order what needs work before it is decided.
    pub(crate) fn allowed(&self, bound: &Bound, permission: &str) -> Result<(), SubmitError> {
        if self.is_asleep(bound) {
            return Err(Refusal::from(self.house.unready(&bound.home)).into());
        }
        if self.may(bound, permission) { Ok(()) } else { Err(Refusal::Unauthorized.into()) }
    }

    /// The published view of a bound connection's tenant.
    ///
    /// # Errors
    /// Why there is none: it wakes, or is damaged.
    pub fn view_of(&self, bound: &Bound) -> Result<Arc<View>, SubmitError> {
        self.view_at(&bound.entry)
    }

    pub(crate) fn view_at(&self, entry: &Entry) -> Result<Arc<View>, SubmitError> {
        if let Some(view) = entry.view().as_ref() {
            return Ok(Arc::clone(view));
        }
        Err(Refusal::from(self.house.unready(entry)).into())
    }

    async fn verify(
        &self,
        entry: &Entry,
        view: &View,
        subject: Option<SubjectIndex>,
        password: &Private,
    ) -> Result<Proven, SubmitError> {
        if password.expose().len() > PASSWORD_BYTES_MAX {
            return Err(Refusal::SignInFailed.into());
        }
        let root = view.root.full();
        let record = subject.and_then(|subject| root.subjects.get(&subject));
        let record = record.filter(|record| record.has_password && record.status == SubjectStatus::Active);
        // Nobody's row is looked for as well, and a hash is computed for nobody: the time does not tell.
        let index = record.map_or(SubjectIndex(u32::MAX), |record| record.index);
        let key = Row::subject_key(index, &[]);
        let row = self.house.store.row(entry.tenant, RowKind::Password, &key);
        let stored = row.map_err(|error| Refusal::from(House::unread(entry, &error)))?.value;
        let stored = stored.and_then(|value| String::from_utf8(value.expose().to_vec()).ok());
        let job = Job::Verify {
            password: password.expose().to_vec().into(),
            stored,
            parameters: self.affordable(&root.settings),
        };
        match (self.on_pool(entry.tenant, job).await?, record) {
            (Outcome::Verified { verdict: Verdict::Match, needs_rehash }, Some(record)) => {
                Ok(Proven { subject: record.index, cut_off: record.cut_off, needs_rehash })
            }
            (Outcome::Busy, _) => Err(self.hashing().into()),
            (Outcome::Verified { .. } | Outcome::Hashed(_), _) => Err(Refusal::SignInFailed.into()),
        }
    }

    pub(crate) async fn hash(
        &self,
        tenant: TenantId,
        settings: &Settings,
        password: Private,
    ) -> Result<Private, SubmitError> {
        let length = password.expose().len();
        if length < settings.password_bytes_min as usize {
            let least = Limit::PasswordBytesMin.at(settings.password_bytes_min.into());
            return Err(Refusal::PasswordLength(least).into());
        }
        if length > PASSWORD_BYTES_MAX {
            let most = Limit::PasswordBytes.at(PASSWORD_BYTES_MAX as u64);
            return Err(Refusal::PasswordLength(most).into());
        }
        self.hash_any(tenant, settings, &password).await
    }

    /// Stores the hash of a password that was just verified by the tenant's present parameters. Nobody
    /// waits for it: what does not happen now happens after another sign-in.
    fn rehash(&self, entry: &Arc<Entry>, proven: Proven, password: Private) {
        let Ok(permit) = Arc::clone(&self.house.rehashes).try_acquire_owned() else { return };
        let (engine, entry) = (self.clone(), Arc::clone(entry));
        tokio::spawn(async move {
            let view = entry.view().as_ref().map(Arc::clone);
            let Some(view) = view else { return };
            let settings = view.root.full().settings;
            let Ok(password) = engine.hash_any(entry.tenant, &settings, &password).await else { return };
            let Proven { subject, cut_off: proven, .. } = proven;
            let command = Command::RehashPassword { subject, proven, password };
            let ordered = engine.ordered(Caller::Node, engine.command_id(), command);
            if let Err(error) = submit::submit(&engine.house, &entry, ordered).await {
                tracing::debug!(tenant = %entry.tenant, %error, "a password was not hashed anew");
            }
            drop(permit);
        });
    }

    async fn hash_any(
        &self,
        tenant: TenantId,
        settings: &Settings,
        password: &Private,
    ) -> Result<Private, SubmitError> {
        let mut salt = [0; SALT_BYTES];
        self.house.entropy.fill(&mut salt);
        let parameters = self.affordable(settings);
        let job = Job::Hash { password: password.expose().to_vec().into(), salt, parameters };
        match self.on_pool(tenant, job).await? {
            Outcome::Hashed(Ok(phc)) => Ok(Private::new(phc.into_bytes())),
            Outcome::Hashed(Err(_)) | Outcome::Verified { .. } | Outcome::Busy => Err(self.hashing().into()),
        }
    }

    /// What a hash costs here: settings from before the node's cap was lowered go beyond it.
    pub(crate) fn affordable(&self, settings: &Settings) -> Parameters {
        parameters(settings).at_most(self.house.config.password_cost_max)
    }

    /// The queue of hashes is full, or one waited in it for too long.
    fn hashing(&self) -> Refusal {
        let bound = u64::try_from(self.house.pool.queue_max()).unwrap_or(u64::MAX);
        Refusal::Busy(Limit::PasswordsQueue.at(bound))
    }

    pub(crate) async fn on_pool(&self, tenant: TenantId, job: Job) -> Result<Outcome, SubmitError> {
        let (reply, outcome) = oneshot::channel();
        let told = Box::new(move |outcome| drop(reply.send(outcome)));
        self.house.pool.try_submit(tenant.0, job, told).map_err(|_| self.hashing())?;
        outcome.await.map_err(|_| self.hashing().into())
    }
}
