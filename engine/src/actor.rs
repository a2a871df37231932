//! The writer of one tenant: the one place that knows the order decide, commit, publish, reply.
//!
//! The mailbox carries no content: commands wait in the intake, and reads never come here. One batch
//! is in flight at a time; while it is, new commands collect.

use crate::admit::{Done, Next, Outcome, Waiting, refuse_but, refuse_wide};
use crate::directory::Entry;
use crate::house::House;
use crate::ring::{self, Ring};
use crate::sign_in::parameters;
use crate::state::{BUILT_IN, Birth, Known, Made, State, Unsigned, hands_out};
use crate::submit;
use crate::supervisor::Calls;
use crate::supervisor::SupervisorMessage;
use crate::view::View;
use crate::watch;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus};
use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tessera_model::command::Ordered;
use tessera_model::limits::BATCH_COMMANDS_MAX;
use tessera_model::record::TenantStatus;
use tessera_model::{
    Caller, Command, Event, Limit, PermissionRef, Reason, Refusal, Revision, Setting, TenantId, UnixMillis,
    WorkspaceIndex,
};
use tessera_storage::{Batch, Bucket, BucketKind, Head, Room, Staged, StorageError};
use tokio::sync::oneshot;

/// LIMIT: places looked at in one checkpoint for those that have ended by their time: some 5 ms; the next one
/// goes on behind them.
const SWEPT_MAX: usize = 1 << 20;
/// LIMIT: frames, behind one another, of ends of acting; the next drain goes on.
const NOTED_FRAMES_MAX: usize = 16;

/// What the mailbox of a tenant carries.
pub(crate) enum TenantMessage {
    /// Commands are waiting in the intake: the actor goes there, and stays until something else is in its mailbox.
    Drain,
    /// Hand over up to so many buckets that differ from the checkpoint; whether a checkpoint begins with it.
    HandOver(usize, bool, oneshot::Sender<Handed>),
    /// These buckets could not be written: they are still to be handed over.
    Again(BTreeSet<(BucketKind, u32)>),
}

/// Buckets on their way to the checkpoint.
pub(crate) struct Handed {
    /// The durable position that they are at.
    pub(crate) head: Head,
    /// The buckets.
    pub(crate) buckets: Vec<Bucket>,
    /// Their names, to be given back if they could not be written.
    pub(crate) names: BTreeSet<(BucketKind, u32)>,
    /// How many more there are.
    pub(crate) left: usize,
}

/// The actor. It has no fields: everything is its state.
pub(crate) struct TenantActor;

/// What a tenant's actor starts with and keeps.
pub(crate) struct Running {
    pub(crate) house: Arc<House>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) view: Arc<View>,
    pub(crate) state: State,
    /// The refresh keys, those of the batch in the making included.
    pub(crate) ring: Arc<Ring>,
    /// Whether the batch in the making made or dropped a refresh key.
    pub(crate) refresh_keys_changed: bool,
    /// Whether the batch in the making begins to erase somebody.
    pub(crate) erases: bool,
    /// Where the tenant goes with the batch in the making.
    pub(crate) gone: Option<tessera_model::CellId>,
    /// Tenants whose placement the batch in the making changes.
    pub(crate) placed: Vec<TenantId>,
    pub(crate) head: Head,
    /// What else is in its mailbox.
    pub(crate) calls: Calls,
    /// Where the commands stood that were taken last.
    pub(crate) waiting: VecDeque<Waiting>,
    /// The latest wall time that a frame of this tenant carries; it never goes back.
    pub(crate) wall: UnixMillis,
    /// Revocations seen so far, for the planted fault.
    #[cfg(feature = "planted")]
    pub(crate) planted_seen: u32,
}

/// What became of a command.
pub(crate) enum Taken {
    /// Its answer, for when the batch is durable.
    Answered(Outcome),
    /// The batch is full: it comes into the next one.
    Later,
}

impl From<Outcome> for Taken {
    fn from(outcome: Outcome) -> Self {
        Self::Answered(outcome)
    }
}

/// Why an actor ended before its time. The supervisor reloads the tenant.
#[derive(Debug)]
pub(crate) enum ActorError {
    /// A command panicked while it was decided or applied.
    Panicked,
    /// The commit is not certain, or certainly did not happen.
    Commit(StorageError),
}

impl std::fmt::Display for ActorError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Panicked => f.write_str("a command panicked"),
            Self::Commit(error) => write!(f, "the commit failed: {error}"),
        }
    }
}

impl std::error::Error for ActorError {}

impl Actor for TenantActor {
    type Msg = TenantMessage;
    type State = Box<Running>;
    type Arguments = Box<Running>;

    async fn pre_start(
        &self,
        _myself: ActorRef<TenantMessage>,
        running: Box<Running>,
    ) -> Result<Box<Running>, ActorProcessingErr> {
        Ok(running)
    }

    async fn handle(
        &self,
        myself: ActorRef<TenantMessage>,
        message: TenantMessage,
        running: &mut Box<Running>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            TenantMessage::Drain => {
                // Behind the mark of its end an actor takes no message: what is left is drained at once, and nobody
                // waits for more.
                let stays = || myself.get_status() < ActorStatus::Draining;
                while running.drain(stays).await? && myself.cast(TenantMessage::Drain).is_err() {}
            }
            TenantMessage::HandOver(most, first, reply) => {
                running.calls.answered();
                drop(reply.send(running.hand_over(most, first)));
            }
            TenantMessage::Again(names) => {
                running.calls.answered();
                running.state.mark_dirty(names);
            }
        }
        Ok(())
    }
}

impl Running {
    /// Drains the intake, and waits there for more, until something else is in the mailbox. True when commands are left,
    /// and the mailbox goes before them.
    async fn drain(&mut self, stays: impl Fn() -> bool) -> Result<bool, ActorError> {
        loop {
            self.execute().await?;
            // What never waited for the disk, as refusals do not, lets others of this thread come.
            tokio::task::consume_budget().await;
            match self.entry.intake.next(&self.calls, stays()).await {
                Next::Drain => {}
                Next::Leave => return Ok(false),
                Next::Return => return Ok(true),
            }
        }
    }

    /// Decide and apply, commit, publish, reply. On failure nothing was published; the replies are
    /// dropped unanswered, which their callers read as Unknown, and the tenant is reloaded.
    async fn execute(&mut self) -> Result<(), ActorError> {
        let mut waiting = self.entry.intake.take(BATCH_COMMANDS_MAX, std::mem::take(&mut self.waiting));
        let (now, stopped) = self.house.now_and_stopped();
        self.wall = self.wall.max(now);
        // Before the places of those that are over are given away.
        if !self.state.acts_are_over(now) || Box::pin(self.note_acts(now)).await? {
            self.state.sweep(waiting.len() * 2, now);
        }
        if self.entry.is_away() {
            // It left while they waited. What the node itself has to write is the end of its history here.
            let kept = |one: &Waiting| one.ordered.caller == tessera_model::Caller::Node;
            waiting = refuse_but(waiting, Refusal::Redirect, kept);
        }
        match self.house.store.room() {
            Room::Any if stopped => waiting = refuse_wide(waiting, Refusal::ClockStopped),
            Room::Any => {}
            Room::Tight => {
                waiting = refuse_but(waiting, self.tail(), |one| !one.ordered.command.kind().is_bulk())
            }
            Room::Full => waiting = refuse_wide(waiting, Refusal::StorageFull),
            Room::Nothing => {
                for one in waiting.drain(..) {
                    drop(one.reply.send(Err(Refusal::ReserveFull)));
                }
            }
            Room::Busy => waiting = refuse_wide(waiting, self.tail()),
        }
        while !waiting.is_empty() {
            self.execute_some(&mut waiting, now).await?;
        }
        self.waiting = waiting;
        if self.state.acts_are_over(now) {
            Box::pin(self.note_acts(now)).await?;
        }
        Ok(())
    }

    /// Notes that somebody acts for somebody else no more, where that is so: what a batch has ended, and what time has.
    /// False when there may be more of that, for which places must stay.
    async fn note_acts(&mut self, now: UnixMillis) -> Result<bool, ActorError> {
        for _ in 0..NOTED_FRAMES_MAX {
            let house = &self.house;
            if !self.state.acts_are_over(now) || house.store.room() != Room::Any || house.now_and_stopped().1
            {
                return Ok(true);
            }
            let ordered = submit::of_node(&self.house, Command::NoteActings {});
            let mut waiting = VecDeque::from([Waiting { ordered, reply: oneshot::channel().0 }]);
            self.execute_some(&mut waiting, now).await?;
        }
        Ok(false)
    }

    /// Takes one command; a panic is counted against it and ends the actor.
    pub(crate) fn guarded(
        &mut self,
        ordered: &Ordered,
        batch: &mut Batch,
        tenants: &mut Vec<(TenantId, TenantStatus)>,
        now: UnixMillis,
    ) -> Result<Taken, ActorError> {
        if self.entry.is_quarantined(ordered.id) {
            return Ok(Err(Refusal::Quarantined).into());
        }
        match catch_unwind(AssertUnwindSafe(|| self.take(ordered, batch, tenants, now))) {
            Ok(outcome) => outcome,
            Err(_) => {
                self.entry.strike(ordered.id);
                Err(ActorError::Panicked)
            }
        }
    }

    /// Decides one command, applies what was decided and stages its frame.
    fn take(
        &mut self,
        ordered: &Ordered,
        batch: &mut Batch,
        tenants: &mut Vec<(TenantId, TenantStatus)>,
        now: UnixMillis,
    ) -> Result<Taken, ActorError> {
        if !self.state.is_from_its_client(ordered, now) {
            return Ok(Err(Refusal::WrongClient).into());
        }
        match if ordered.trial { Known::New } else { self.state.known(ordered, now) } {
            Known::New => {}
            Known::Repeat(revision) => {
                let receipt = self.state.receipt(revision);
                let again = self.state.refreshed_again(&ordered.command, now);
                let again =
                    again.map(|(made, renewed)| self.signed(Done { receipt, made, repeat: true }, renewed));
                return Ok(again.into());
            }
            Known::Refused(refusal) => return Ok(Err(refusal).into()),
        }
        if let Err(refusal) = self.operator_may(ordered) {
            return Ok(Err(refusal).into());
        }
        if let Err(refusal) = self.affordable(&ordered.command) {
            return Ok(Err(refusal).into());
        }
        let decided = match self.state.decide(ordered, now) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal).into()),
        };
        if let Err(refusal) = self.operator_brings(ordered, &decided.events) {
            return Ok(Err(refusal).into());
        }
        if ordered.trial {
            // Nothing is made, so nothing of it is shown.
            let seen = tessera_model::Revision(self.state.revision.0.saturating_sub(1));
            let receipt = self.state.receipt(seen);
            // How many entries would stay, or subjects be left, is nothing that is made.
            let made = Made { kept: decided.made.kept, left: decided.made.left, ..Made::default() };
            return Ok(Done::now(receipt, made).into());
        }
        if decided.events.is_empty() && decided.rows.is_empty() {
            let seen = tessera_model::Revision(self.state.revision.0.saturating_sub(1));
            let receipt = self.state.receipt(seen);
            let done = Done { receipt, made: decided.made, repeat: false };
            return Ok(Ok(self.signed(done, decided.renewed)).into());
        }
        // Staged before it is applied: what no frame can hold is refused, and nothing of it has happened.
        let staged = self.staged(ordered, decided.events, decided.rows);
        let revision = match batch.push(&staged) {
            Ok(revision) => revision,
            Err(StorageError::BatchFull) => return Ok(Taken::Later),
            Err(StorageError::FrameTooLarge { max, .. }) => {
                let bound = u64::try_from(max).unwrap_or(u64::MAX);
                return Ok(Err(Refusal::LimitReached(Limit::FrameBytes.at(bound))).into());
            }
            // A key could not be made: nothing of the command has happened.
            Err(error) if error.is_full() => return Ok(Err(Refusal::StorageFull).into()),
            Err(error) => return Err(ActorError::Commit(error)),
        };
        if let Some(number) = decided.new_refresh_key {
            self.make_refresh_key(number)?;
        }
        for event in &staged.events {
            self.state.apply(event);
            self.note(event, revision, tenants);
        }
        self.state.rows_written(&staged.rows);
        if let Some(birth) = decided.birth {
            self.give_birth(ordered, birth, batch)?;
        }
        self.state.remember(ordered, revision);
        self.state.revision = revision.next();
        if let Some(refusal) = decided.refusal {
            return Ok(Err(refusal).into());
        }
        let done = Done { receipt: self.state.receipt(revision), made: decided.made, repeat: false };
        Ok(Ok(self.signed(done, decided.renewed)).into())
    }

    /// What others are to hear of an event once it is published.
    fn note(&mut self, event: &Event, revision: Revision, tenants: &mut Vec<(TenantId, TenantStatus)>) {
        if let Event::TenantChanged(record) = event {
            tenants.push((record.id, record.status));
        }
        if let Event::TenantPlaced(placement) = event {
            self.placed.push(placement.tenant);
        }
        if let Event::TenantMoved { to, .. } = event {
            self.gone = Some(*to);
        }
        self.erases |= self.state.root.begins_erasing(event);
        if watch::is_change(event) {
            self.view.watchers.note(revision);
        }
    }

    /// Whether this node would hash passwords by the settings that a change comes to.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other command changes what a hash costs")]
    fn affordable(&self, command: &Command) -> Result<(), Refusal> {
        let settings = match command {
            Command::ChangeSettings { settings } => settings.applied(self.state.settings()),
            _ => return Ok(()),
        };
        // One that is out of its own bounds is named before what it comes to.
        let cost = parameters(&settings).cost();
        if cost > self.house.config.password_cost_max && settings.fault().is_none() {
            return Err(Refusal::SettingOutOfBounds(Setting::PasswordsCost));
        }
        Ok(())
    }

    fn staged(&self, ordered: &Ordered, events: Vec<Event>, rows: Vec<tessera_model::Row>) -> Staged {
        Staged {
            kind: ordered.command.kind(),
            id: ordered.id,
            fingerprint: ordered.fingerprint,
            caller: ordered.caller,
            wall: self.wall,
            events,
            rows,
        }
    }

    /// Stages frame 0 of a new tenant in the same batch; nobody else can write there yet.
    fn give_birth(&self, ordered: &Ordered, birth: Birth, batch: &mut Batch) -> Result<(), ActorError> {
        let mut bytes = [0; 88];
        self.house.entropy.fill(&mut bytes);
        let (Some(entropy), Some(nonces)) = (bytes.first_chunk::<64>(), bytes.last_chunk::<24>()) else {
            return Ok(());
        };
        self.house.store.make_tenant_keys(birth.tenant, entropy, nonces).map_err(ActorError::Commit)?;
        let staged = self.staged(ordered, birth.events, birth.rows);
        batch.birth(birth.tenant, birth.nonce, &staged).map_err(ActorError::Commit)
    }

    /// What a command made, with the refresh handle that goes with it. Without its key there is none, and the
    /// session lives without.
    fn signed(&self, done: Done, renewed: Option<Unsigned>) -> Box<Done> {
        let mut done = Box::new(done);
        if let Some(unsigned) = renewed {
            done.made.refresh = self.ring.sign(self.house.config.cell, self.entry.tenant, &unsigned);
            done.made.refresh_until = done.made.refresh_until.filter(|_| done.made.refresh.is_some());
        }
        done
    }

    /// Makes a refresh key, durable before the event that names it is.
    fn make_refresh_key(&mut self, number: u8) -> Result<(), ActorError> {
        let (mut key, mut nonces) = ([0; 32], [0; 24]);
        self.house.entropy.fill(&mut key);
        self.house.entropy.fill(&mut nonces);
        let made = self.house.store.make_refresh_key(self.entry.tenant, number, &key, &nonces);
        made.map_err(ActorError::Commit)?;
        self.ring = Arc::new(self.ring.with(number, key));
        self.refresh_keys_changed = true;
        Ok(())
    }

    /// Shows callers the refresh keys after a durable rotation, and erases the dropped ones.
    pub(crate) fn publish_ring(&mut self) {
        if !std::mem::take(&mut self.refresh_keys_changed) {
            return;
        }
        let numbers = self.state.refresh_numbers();
        self.ring = Arc::new(self.ring.kept(&numbers));
        self.view.ring.store(Arc::clone(&self.ring));
        ring::erase(&*self.house.store, self.entry.tenant, &numbers);
    }

    /// An operator's credential is looked at again in the system tenant's view when the batch drains.
    fn operator_may(&self, ordered: &Ordered) -> Result<(), Refusal> {
        if !self.operator_holds(ordered, &[ordered.command.kind().permission()])? {
            return Err(Refusal::Unauthorized);
        }
        // What hands out power over a tenant is for operators that hold all of it.
        if hands_out(&ordered.command) && !self.operator_holds(ordered, BUILT_IN)? {
            return Err(Refusal::BeyondCreator);
        }
        Ok(())
    }

    /// So is what values of attributes hand out: whoever comes into a group by its rule has what is granted to it.
    fn operator_brings(&self, ordered: &Ordered, events: &[Event]) -> Result<(), Refusal> {
        let lesser = matches!(ordered.caller, Caller::Operator { .. }) && self.state.bring_power(events);
        if lesser && !self.operator_holds(ordered, BUILT_IN)? {
            return Err(Refusal::BeyondCreator);
        }
        Ok(())
    }

    /// Whether an operator holds all of these in the system tenant now; nobody else is asked.
    fn operator_holds(&self, ordered: &Ordered, names: &[&str]) -> Result<bool, Refusal> {
        let Caller::Operator { place, generation, from, .. } = ordered.caller else { return Ok(true) };
        let system = self.house.system().ok_or(Refusal::NotReady)?;
        let reading = self.house.read(&system);
        let holds = |name: &&str| {
            let permission = PermissionRef::Name(name);
            reading.caller_holds(place, (generation, from), permission, WorkspaceIndex(0)) == Reason::None
        };
        Ok(names.iter().all(holds))
    }

    /// The system tenant's publish writes the status of tenants; closing ones are handed on.
    pub(crate) fn after_publish(&self, tenants: &[(TenantId, TenantStatus)]) {
        for (tenant, status) in tenants {
            if let Some(entry) = self.house.directory.entry(*tenant) {
                entry.set_status(*status);
            } else if let (TenantStatus::Active, Some(entry)) = (*status, self.house.entry(*tenant)) {
                // Newborn: its admin is on the way.
                self.house.wake(&entry);
            }
            if *status == TenantStatus::Closing {
                self.house.tell(SupervisorMessage::Close(*tenant));
            }
        }
    }

    fn hand_over(&mut self, most: usize, first: bool) -> Handed {
        if first && !self.state.acts_are_over(self.house.now()) {
            // What has ended by its time alone gives its place away, however few commands come.
            self.state.sweep(SWEPT_MAX, self.house.now());
        }
        let mut dirty = self.state.take_dirty();
        let names: BTreeSet<_> = dirty.iter().take(most).copied().collect();
        for name in &names {
            dirty.remove(name);
        }
        let left = dirty.len();
        self.state.mark_dirty(dirty);
        let buckets = names.iter().map(|name| self.state.bucket(*name)).collect();
        Handed { head: self.head, buckets, names, left }
    }
}
