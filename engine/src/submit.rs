//! Commands: identified, given entropy, admitted, awaited. Slow proofs are made before admission.

use crate::admit::{Done, Waiting};
use crate::bound::Bound;
use crate::directory::{Entry, Standing};
use crate::engine::Engine;
use crate::house::House;
use std::fmt;
use std::sync::Arc;
use tessera_crypto::Fingerprint;
use tessera_model::command::{ENTROPY_BYTES, Entropy, Ordered};
use tessera_model::endpoint::sound;
use tessera_model::record::TenantStatus;
use tessera_model::{Caller, Command, CommandId, Refusal, TenantId};
use tokio::sync::oneshot;

/// How a command ended when it was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SubmitError {
    /// It was turned down; nothing of it happened.
    Refused(Refusal),
    /// It was turned down for a while.
    Wait {
        /// Why.
        refusal: Refusal,
        /// When it may be tried again, ms from now; 0 when waiting does not help.
        retry_ms: u64,
    },
    /// Nobody knows: the same command id, sent again, gives the final answer.
    Unknown,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) | Self::Wait { refusal, .. } => refusal.fmt(f),
            Self::Unknown => f.write_str("unknown: repeat it under the same command id"),
        }
    }
}

impl std::error::Error for SubmitError {}

impl From<Refusal> for SubmitError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Engine {
    /// Orders a command of a bound connection.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub fn submit<'e>(
        &'e self,
        bound: &'e Bound,
        id: CommandId,
        command: Command,
    ) -> impl Future<Output = Result<Done, SubmitError>> + Send + 'e {
        // Boxed before anybody waits: hundreds of bytes that would go from future to future.
        let ordered = self.look_at(bound, &command).map(|()| self.ordered(bound.caller, id, command));
        async move { submit(&self.house, &bound.entry, ordered?).await }
    }

    /// Orders a command of a bound connection, or tries it only: then it is decided as it would be, nothing of
    /// it happens, its id counts for nothing, and the receipt is the position that it was tried at.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, the same as without the trial, or Unknown.
    pub async fn submit_or_try(
        &self,
        bound: &Bound,
        (id, trial): (CommandId, bool),
        command: Command,
    ) -> Result<Done, SubmitError> {
        self.look_at(bound, &command)?;
        let mut ordered = self.ordered(bound.caller, id, command);
        ordered.trial = trial;
        submit(&self.house, &bound.entry, ordered).await
    }

    /// Looks at what depends on nothing but the command itself and costs much, on the caller's time and not in the
    /// tenant's queue; for whoever may order it.
    fn look_at(&self, bound: &Bound, command: &Command) -> Result<(), Refusal> {
        if let Command::PlaceTenant { placement } = command {
            let fleet = self.house.fleet.load();
            let known = fleet.as_ref().is_some_and(|fleet| fleet.cell(placement.cell).is_some());
            if !known {
                return Err(Refusal::CellUnknown);
            }
        }
        // What it deletes would live on in the cell that it moves to.
        if let Command::DeleteTenant { tenant, finish: false } = command
            && bound.entry.tenant == TenantId::SYSTEM
            && self.house.moves_away(*tenant)
            && self.may(bound, command.kind().permission())
        {
            return Err(Refusal::MoveRunning);
        }
        let Command::SetEndpoints { endpoints, .. } = command else { return Ok(()) };
        let is_holder = matches!(bound.caller, Caller::Holder { .. });
        if is_holder && bound.home.view().is_some() && !self.may(bound, command.kind().permission()) {
            return Err(if bound.is_acting() { Refusal::Acting } else { Refusal::Unauthorized });
        }
        sound(endpoints)
    }

    /// Orders a command of the system tenant for the node itself or the holder of the one-time secret.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn submit_system(
        &self,
        caller: Caller,
        id: CommandId,
        command: Command,
    ) -> Result<Done, SubmitError> {
        if let Command::SetEndpoints { endpoints, .. } = &command {
            sound(endpoints)?;
        }
        let entry = self.house.entry(TenantId::SYSTEM).ok_or(Refusal::NotReady)?;
        let ordered = self.ordered(caller, id, command);
        submit(&self.house, &entry, ordered).await
    }

    /// A fresh command id of the node itself.
    #[must_use]
    pub fn command_id(&self) -> CommandId {
        command_id(&self.house)
    }

    pub(crate) fn ordered(&self, caller: Caller, id: CommandId, command: Command) -> Box<Ordered> {
        let fingerprint = fingerprint(caller, &command);
        let (entropy, admitted) = (self.draw(), self.now());
        Box::new(Ordered { command, id, caller, fingerprint, entropy, trial: false, admitted })
    }
}

/// Eight hash bytes of caller and command, without what the caller's task read on the way: a repeat
/// reads it anew.
fn fingerprint(caller: Caller, command: &Command) -> u64 {
    let kind = command.kind();
    if let Command::ChangePassword { subject, .. } = command {
        return Fingerprint::of(&(caller, kind, subject));
    }
    if let Command::SetAttributes { subject, values, .. } = command {
        return Fingerprint::of(&(caller, kind, subject, values));
    }
    if let Command::AnswerInvitation { secret, accept, .. } = command {
        return Fingerprint::of(&(caller, kind, secret, accept));
    }
    if let Command::OpenSession { subject, acr, device, .. } = command {
        return Fingerprint::of(&(caller, kind, subject, acr, device));
    }
    if let Command::RotateKey { key, expires, patterns, networks, overlap_s, .. } = command {
        return Fingerprint::of(&(caller, kind, key, expires, patterns, networks, overlap_s));
    }
    Fingerprint::of(&(caller, command))
}

fn command_id(house: &House) -> CommandId {
    let mut entropy = [0; 10];
    house.entropy.fill(&mut entropy);
    CommandId(tessera_model::PublicId::new(house.now().0, entropy).0)
}

/// Admits a command and waits for its outcome.
pub(crate) async fn submit(
    house: &Arc<House>,
    entry: &Arc<Entry>,
    ordered: Box<Ordered>,
) -> Result<Done, SubmitError> {
    match entry.status() {
        TenantStatus::Active => {}
        TenantStatus::Suspended if ordered.command.kind().narrows() => {}
        TenantStatus::Suspended => return Err(Refusal::TenantSuspended.into()),
        TenantStatus::Closing | TenantStatus::Deleted => return Err(Refusal::TenantUnknown.into()),
    }
    if entry.is_away() && ordered.caller != Caller::Node {
        return Err(Refusal::Redirect.into());
    }
    entry.used(ordered.admitted);
    if entry.standing() != Standing::Awake {
        return Err(Refusal::from(house.unready(entry)).into());
    }
    let (reply, outcome) = oneshot::channel();
    if entry.intake.admit(Waiting { ordered, reply })? {
        let actor = entry.actor.lock().clone();
        if let Some(actor) = actor {
            // An actor that has just ended is reloaded, and then told by the supervisor.
            drop(actor.drain());
        }
    }
    match entry.standing() {
        // It fell asleep between the look and the queue.
        Standing::Asleep => house.wake(entry),
        Standing::Failed => entry.intake.refuse(Refusal::TenantFailed),
        Standing::Waking | Standing::Awake | Standing::Leaving => {}
    }
    match outcome.await {
        Ok(outcome) => outcome.map(|done| *done).map_err(SubmitError::Refused),
        Err(_) => Err(SubmitError::Unknown),
    }
}

/// Writes the tombstone of a tenant whose actor has ended. True when it stands.
pub(crate) async fn finish_deletion(house: &Arc<House>, tenant: TenantId) -> bool {
    let Some(system) = house.entry(TenantId::SYSTEM) else { return false };
    by_node(house, &system, Command::DeleteTenant { tenant, finish: true }).await
}

/// Orders something of the node's own. True when it is done.
pub(crate) async fn by_node(house: &Arc<House>, entry: &Arc<Entry>, command: Command) -> bool {
    submit(house, entry, of_node(house, command)).await.is_ok()
}

/// A command of the node's own.
pub(crate) fn of_node(house: &House, command: Command) -> Box<Ordered> {
    let mut bytes = [0; ENTROPY_BYTES];
    house.entropy.fill(&mut bytes);
    Box::new(Ordered {
        fingerprint: Fingerprint::of(&(Caller::Node, &command)),
        command,
        id: command_id(house),
        caller: Caller::Node,
        entropy: Entropy(bytes),
        trial: false,
        admitted: house.now(),
    })
}
