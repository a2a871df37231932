//! One-time secrets with which people set a password: reset by an administrator, used once by whoever has
//! it, over a connection of their own or a service's.
//!
//! The secret is looked at before anything is hashed: a wrong one costs a look-up. `decide` looks again.

use crate::admit::Done;
use crate::bound::{Bound, HelloRefusal};
use crate::directory::{Entry, Standing};
use crate::engine::Engine;
use crate::house::House;
use crate::submit::{self, SubmitError};
use std::sync::Arc;
use tessera_crypto::compare::equal;
use tessera_model::{
    Caller, Command, CommandId, Handle, HandleBytes, HandleKind, Private, Refusal, Row, RowKind, SubjectIndex,
};

impl Engine {
    /// Whether this is the one-time secret of somebody here: what lets a stranger in to use it. For a
    /// sleeping tenant only the subject's row is read, and only a match starts a wake.
    ///
    /// # Errors
    /// [`HelloRefusal`].
    pub fn hello_set_up(&self, bytes: &HandleBytes) -> Result<(), HelloRefusal> {
        self.house.leads_here(bytes)?;
        let (entry, subject) = self.set_up_of(bytes).ok_or(HelloRefusal::Refused)?;
        let tag = self.house.tagger.tag(bytes);
        if let Some(view) = entry.view().as_ref() {
            let good = view.root.full().is_set_up(subject, &tag, self.now());
            return if good { Ok(()) } else { Err(HelloRefusal::Refused) };
        }
        if entry.standing() == Standing::Failed {
            return Err(HelloRefusal::Failed);
        }
        let row = self.house.store.row(entry.tenant, RowKind::SetUp, &Row::subject_key(subject, &[]));
        let offered = row.map_err(|error| House::unread(&entry, &error))?.value;
        if !offered.is_some_and(|offered| equal(offered.expose(), &tag)) {
            return Err(HelloRefusal::Refused);
        }
        Err(self.house.unready(&entry))
    }

    /// The active tenant and the subject that a one-time secret names.
    fn set_up_of(&self, bytes: &HandleBytes) -> Option<(Arc<Entry>, SubjectIndex)> {
        let handle = Handle::parse(bytes).ok().filter(|handle| handle.kind == HandleKind::SetUp)?;
        let entry = self.house.entry(handle.tenant).filter(|entry| entry.is_active())?;
        Some((entry, SubjectIndex(handle.place.0)))
    }

    /// Sets a password with a one-time secret: all sessions of its subject end, the secret is used up.
    /// Over a bound connection the secret must be of its tenant.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal (`SecretWrong` when it is wrong, used or expired), or Unknown.
    pub async fn set_up_password(
        &self,
        bound: Option<&Bound>,
        id: CommandId,
        secret: &Private,
        password: Private,
    ) -> Result<Done, SubmitError> {
        let bytes: &HandleBytes = secret.expose().try_into().map_err(|_| Refusal::SecretWrong)?;
        self.house.leads_here(bytes).map_err(Refusal::from)?;
        let (entry, subject) = self.set_up_of(bytes).ok_or(Refusal::SecretWrong)?;
        if bound.is_some_and(|bound| bound.entry.tenant != entry.tenant) {
            return Err(Refusal::SecretWrong.into());
        }
        let view = entry.view().as_ref().map(Arc::clone);
        let Some(view) = view else {
            // Whoever has no secret of its people wakes no tenant.
            return Err(match self.hello_set_up(bytes) {
                Err(HelloRefusal::Refused) => Refusal::SecretWrong,
                Err(refusal) => refusal.into(),
                Ok(()) => Refusal::NotReady,
            }
            .into());
        };
        let (tag, root) = (self.house.tagger.tag(bytes), view.root.full());
        let password = if root.is_set_up(subject, &tag, self.now()) {
            self.hash(entry.tenant, &root.settings, password).await?
        } else {
            // It may be a repeat of the command that used the secret up: then it is told so.
            Private::default()
        };
        let command = Command::SetUpPassword { subject, tag, password };
        submit::submit(&self.house, &entry, self.ordered(Caller::Claimant, id, command)).await
    }
}
