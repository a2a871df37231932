//! Passwords: verified and hashed on the pool, before admission; what enters the intake is the proof.

use crate::admit::Done;
use crate::bound::Bound;
use crate::engine::Engine;
use crate::submit::SubmitError;
use crate::view::View;
use std::sync::Arc;
use tessera_crypto::digest::identifier_hash;
use tessera_crypto::password::SALT_BYTES;
use tessera_crypto::{Job, Outcome, Parameters, Verdict};
use tessera_model::limits::PASSWORD_BYTES_MAX;
use tessera_model::record::{AttributeValue, SubjectStatus};
use tessera_model::{
    Command, CommandId, Identifier, Name, Private, PublicId, Refusal, Row, RowKind, Settings, SubjectIndex,
    TenantId,
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
}

impl Engine {
    /// The keyed hash of an identifier in a tenant, on which uniqueness is decided.
    ///
    /// # Errors
    /// `NotReady` when the tenant's keys cannot be read.
    pub fn identifier_hash(&self, tenant: TenantId, identifier: &Identifier) -> Result<[u8; 16], Refusal> {
        let keys = self.house.store.tenant_keys(tenant).map_err(|_| Refusal::NotReady)?;
        let normal = identifier.normal().as_bytes();
        Ok(identifier_hash(keys.index.expose(), identifier.kind().number(), normal))
    }

    /// Signs a person in with identifier and password and opens a session. One answer and one cost
    /// for unknown identifiers and wrong passwords.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn sign_in(
        &self,
        bound: &Bound,
        id: CommandId,
        identifier: &Identifier,
        password: Private,
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.sessions.open")?;
        let view = self.view_of(bound)?;
        let hash = self.identifier_hash(bound.entry.tenant, identifier)?;
        let root = view.root.full();
        let subject = root.identifiers.get(&hash).copied();
        let proven = self.verify(bound, &view, subject, password).await?;
        let command = Command::OpenSession { subject: proven.subject, seen_cut_off: proven.cut_off, acr: 1 };
        match self.submit(bound, id, command).await {
            // What the proof was made from changed meanwhile: the same answer as a wrong password.
            Err(SubmitError::Refused(Refusal::Changed)) => Err(Refusal::SignInFailed.into()),
            other => other,
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
        let subject = root.subject_ids.get(&bound.subject).copied();
        let proven = self.verify(bound, &view, subject, old).await?;
        let password = self.hash(bound, &root.settings, new).await?;
        let command = Command::SetPassword { subject: bound.subject, password, proven: proven.cut_off };
        self.submit(bound, id, command).await
    }

    /// What a change of one's own password under this id came to, if there was one.
    async fn repeated(&self, bound: &Bound, id: CommandId) -> Result<Option<Done>, SubmitError> {
        // Without a password nothing is set, whoever asks: only what is known of the id is told.
        let ask = Command::SetPassword { subject: bound.subject, password: Private::default(), proven: 0 };
        match self.submit(bound, id, ask).await {
            Ok(done) => Ok(Some(done)),
            Err(SubmitError::Refused(Refusal::PasswordUnset)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets somebody's password by an administrator: all sessions of the subject end.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn set_password(
        &self,
        bound: &Bound,
        id: CommandId,
        subject: PublicId,
        password: Private,
    ) -> Result<Done, SubmitError> {
        self.allowed(bound, "tessera.admin.subjects")?;
        let settings = self.view_of(bound)?.root.full().settings;
        let password = self.hash(bound, &settings, password).await?;
        self.submit(bound, id, Command::SetPassword { subject, password, proven: u32::MAX }).await
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
                self.hash(bound, &settings, password).await?
            }
        };
        self.submit(bound, id, Command::CreateSubject { kind, identifiers: hashed, password }).await
    }

    /// Sets or removes attributes of a subject. What it has of undeclared ones is read first, so that its
    /// profile stays within its bounds.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn set_attributes(
        &self,
        bound: &Bound,
        id: CommandId,
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
            match self.submit(bound, id, command).await {
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
    fn allowed(&self, bound: &Bound, permission: &str) -> Result<(), SubmitError> {
        if self.is_asleep(bound) {
            return Err(Refusal::from(self.house.unready(&bound.home)).into());
        }
        if self.may(bound, permission) { Ok(()) } else { Err(Refusal::Unauthorized.into()) }
    }

    pub(crate) fn view_of(&self, bound: &Bound) -> Result<Arc<View>, SubmitError> {
        if let Some(view) = bound.entry.view().as_ref() {
            return Ok(Arc::clone(view));
        }
        Err(Refusal::from(self.house.unready(&bound.entry)).into())
    }

    async fn verify(
        &self,
        bound: &Bound,
        view: &View,
        subject: Option<SubjectIndex>,
        password: Private,
    ) -> Result<Proven, SubmitError> {
        if password.expose().len() > PASSWORD_BYTES_MAX {
            return Err(Refusal::SignInFailed.into());
        }
        let root = view.root.full();
        let record = subject.and_then(|subject| root.subjects.get(&subject));
        let record = record.filter(|record| record.has_password && record.status == SubjectStatus::Active);
        let stored = match record {
            None => None,
            Some(record) => {
                let key = Row::subject_key(record.index, &[]);
                let row = self.house.store.row(bound.entry.tenant, RowKind::Password, &key);
                let row = row.map_err(|_| Refusal::NotReady)?;
                row.value.and_then(|value| String::from_utf8(value.expose().to_vec()).ok())
            }
        };
        let job = Job::Verify {
            password: password.expose().to_vec().into(),
            stored,
            parameters: self.affordable(&root.settings),
        };
        match (self.on_pool(bound, job).await?, record) {
            (Outcome::Verified { verdict: Verdict::Match, .. }, Some(record)) => {
                Ok(Proven { subject: record.index, cut_off: record.cut_off })
            }
            (Outcome::Busy, _) => Err(Refusal::Busy.into()),
            (Outcome::Verified { .. } | Outcome::Hashed(_), _) => Err(Refusal::SignInFailed.into()),
        }
    }

    async fn hash(
        &self,
        bound: &Bound,
        settings: &Settings,
        password: Private,
    ) -> Result<Private, SubmitError> {
        let length = password.expose().len();
        if length < settings.password_bytes_min as usize || length > PASSWORD_BYTES_MAX {
            return Err(Refusal::PasswordLength.into());
        }
        let mut salt = [0; SALT_BYTES];
        self.house.entropy.fill(&mut salt);
        let parameters = self.affordable(settings);
        let job = Job::Hash { password: password.expose().to_vec().into(), salt, parameters };
        match self.on_pool(bound, job).await? {
            Outcome::Hashed(Ok(phc)) => Ok(Private::new(phc.into_bytes())),
            Outcome::Hashed(Err(_)) | Outcome::Verified { .. } | Outcome::Busy => Err(Refusal::Busy.into()),
        }
    }

    /// What a hash costs here: settings from before the node's cap was lowered go beyond it.
    fn affordable(&self, settings: &Settings) -> Parameters {
        parameters(settings).at_most(self.house.config.password_cost_max)
    }

    async fn on_pool(&self, bound: &Bound, job: Job) -> Result<Outcome, SubmitError> {
        let (reply, outcome) = oneshot::channel();
        let told = Box::new(move |outcome| drop(reply.send(outcome)));
        self.house.pool.try_submit(bound.entry.tenant.0, job, told).map_err(|_| Refusal::Busy)?;
        outcome.await.map_err(|_| Refusal::Busy.into())
    }
}
