//! Who is connected: a credential bound to a tenant, looked at again with every drained read.

use crate::check::{Live, UsedFrom};
use crate::directory::{Entry, Standing};
use crate::engine::Engine;
use crate::order;
use crate::root::Root;
use crate::table::Fields;
use crate::view::{Reading, View};
use std::net::IpAddr;
use std::sync::Arc;
use tessera_crypto::compare::equal_arrays;
use tessera_model::record::TenantStatus;
use tessera_model::{
    Caller, CellId, Decision, Generation, Handle, HandleBytes, PermissionRef, Place, PublicId, Reason,
    Refusal, TenantId, Whence, WorkspaceIndex, WorkspaceRef,
};
use tessera_storage::{Placed, StorageError};

/// A live credential, bound to the tenant that its holder asks about.
#[derive(Clone)]
pub struct Bound {
    /// The tenant it is bound to.
    pub entry: Arc<Entry>,
    /// The tenant that the credential belongs to; the same unless an operator acts on another.
    pub home: Arc<Entry>,
    /// Who orders commands.
    pub caller: Caller,
    /// The public id of whose credential it is.
    pub subject: PublicId,
    /// The public id of the session or key itself.
    pub credential: PublicId,
    /// Whether it is an API key: a key does only what its permissions say, also about its owner.
    pub key: bool,
    /// Whether somebody acts in the session for its subject: that reads nothing as the subject's own.
    pub acting: bool,
    /// Where its holder connects from, when the door knows.
    pub peer: Option<IpAddr>,
    place: Place,
    generation: Generation,
    tag: (u64, u64),
}

impl Bound {
    /// Whether somebody else acts in it for its subject.
    pub(crate) fn is_acting(&self) -> bool {
        let life = (self.place, self.generation);
        self.home.view().as_ref().is_some_and(|view| view.root.full().acts.alive.contains_key(&life))
    }

    /// Where a handle is used from of which this caller says nothing: its own from where it connects. Of anybody
    /// else's nobody knows: an application's own address says nothing of whoever it asks for.
    ///
    /// Only where an answer may hang on it. Kept out of the way of all other checks.
    #[cold]
    #[inline(never)]
    pub(crate) fn address_of(&self, handle: &HandleBytes) -> Option<IpAddr> {
        let is_own = |asked: Handle| {
            asked.tenant == self.home.tenant && (asked.place, asked.generation) == self.place()
        };
        if Handle::parse(handle).is_ok_and(is_own) { self.peer } else { None }
    }
}

/// Why a Hello was turned down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HelloRefusal {
    /// The credential opens nothing here: one answer for every cause.
    Refused,
    /// The tenant sleeps and is being woken: come again.
    NotReady,
    /// The tenant's stored data is damaged: nobody can tell what the credential opens.
    Failed,
    /// The credential is good and its tenant suspended. Whoever has none is Refused all the same.
    Suspended,
    /// The tenant lives in another cell of the fleet, whatever the credential is worth: it is judged there.
    Elsewhere(CellId),
}

impl Bound {
    /// Where the credential stands, and in which life.
    #[must_use]
    pub const fn place(&self) -> (Place, Generation) {
        (self.place, self.generation)
    }

    /// Whether the credential reads what is a subject's own without a permission: as a session of that subject, in
    /// which nobody acts.
    #[must_use]
    pub fn reads_as(&self, subject: PublicId) -> bool {
        !self.key && !self.acting && self.subject == subject
    }

    /// Whether the credential is the session of this life of a place in its own tenant.
    pub(crate) fn is_at(&self, place: Place, generation: Generation) -> bool {
        !self.key
            && self.entry.tenant == self.home.tenant
            && (self.place, self.generation) == (place, generation)
    }
}

impl Engine {
    /// Binds a credential to a tenant. A stranger wakes nobody: for a sleeping tenant only the tag of
    /// that place is read, and only a match starts a wake.
    ///
    /// # Errors
    /// [`HelloRefusal`].
    pub fn hello(&self, bytes: &HandleBytes, wanted: Option<TenantId>) -> Result<Bound, HelloRefusal> {
        self.hello_from(bytes, wanted, None)
    }

    /// As [`Engine::hello`], of a holder who connects from an address.
    ///
    /// # Errors
    /// [`HelloRefusal`].
    pub fn hello_from(
        &self,
        bytes: &HandleBytes,
        wanted: Option<TenantId>,
        peer: Option<IpAddr>,
    ) -> Result<Bound, HelloRefusal> {
        let handle = Handle::parse(bytes).map_err(|_| HelloRefusal::Refused)?;
        if !handle.kind.is_credential() {
            return Err(HelloRefusal::Refused);
        }
        let tenant = wanted.unwrap_or(handle.tenant);
        if tenant != handle.tenant && handle.tenant != TenantId::SYSTEM {
            return Err(HelloRefusal::Refused);
        }
        self.house.stays(&handle, wanted)?;
        let home = self.house.entry(handle.tenant).ok_or(HelloRefusal::Refused)?;
        let suspended = home.status() == TenantStatus::Suspended;
        if !home.is_active() && !suspended {
            return Err(HelloRefusal::Refused);
        }
        let tag = self.house.tagger.tag_words(bytes);
        let view = home.view();
        let Some(view) = view.as_ref() else {
            if suspended {
                let matches = self.matches(&home, &handle, bytes).unwrap_or(false);
                return Err(if matches { HelloRefusal::Suspended } else { HelloRefusal::Refused });
            }
            return Err(self.knock(&home, &handle, bytes));
        };
        if suspended {
            let lives = self.read(view).caller_lives((handle.place, handle.generation), tag, peer);
            let good = lives == Reason::None;
            return Err(if good { HelloRefusal::Suspended } else { HelloRefusal::Refused });
        }
        let bound = bind(&home, view, &self.read(view), (&handle, tag, peer)).ok_or(HelloRefusal::Refused)?;
        home.used(self.now());
        if tenant == handle.tenant {
            return Ok(bound);
        }
        self.bind_operator(bound, tenant)
    }

    /// An operator acts on another tenant: it must exist, and is woken.
    fn bind_operator(&self, bound: Bound, tenant: TenantId) -> Result<Bound, HelloRefusal> {
        if let Some(cell) = self.house.away(tenant) {
            let may = !bound.acting && self.may(&bound, "tessera.admin.tenants");
            return Err(if may { HelloRefusal::Elsewhere(cell) } else { HelloRefusal::Refused });
        }
        let (Caller::Holder { place, generation, subject, from }, Some(entry)) =
            (bound.caller, self.house.entry(tenant))
        else {
            return Err(HelloRefusal::Refused);
        };
        if matches!(entry.status(), TenantStatus::Closing | TenantStatus::Deleted) {
            return Err(HelloRefusal::Refused);
        }
        let bound = Bound { entry, caller: Caller::Operator { place, generation, subject, from }, ..bound };
        // Whoever acts for an operator is none.
        if bound.acting || !self.may(&bound, "tessera.admin.tenants") {
            return Err(HelloRefusal::Refused);
        }
        bound.entry.used(self.now());
        if bound.entry.view().is_some() {
            return Ok(bound);
        }
        Err(self.house.unready(&bound.entry))
    }

    /// Whether a handle is that of its place in the checkpoint of a tenant without a view. Where the checkpoint does not
    /// know all places it may be: who loads the tenant finds out.
    fn matches(&self, entry: &Entry, handle: &Handle, bytes: &HandleBytes) -> Result<bool, StorageError> {
        Ok(match self.house.store.place(entry.tenant, handle.place)? {
            Placed::Here(record) => {
                record.generation == handle.generation
                    && equal_arrays(&record.tag, &self.house.tagger.tag(bytes))
            }
            Placed::Nobody => false,
            Placed::Behind => true,
        })
    }

    /// Somebody knocks at a tenant without a view.
    fn knock(&self, entry: &Entry, handle: &Handle, bytes: &HandleBytes) -> HelloRefusal {
        match entry.standing() {
            Standing::Failed => HelloRefusal::Failed,
            Standing::Waking | Standing::Leaving | Standing::Awake => HelloRefusal::NotReady,
            Standing::Asleep if self.house.store.has_tail(entry.tenant) => {
                // The node owes its frames a checkpoint and wakes it anyway.
                self.house.wake(entry);
                HelloRefusal::NotReady
            }
            Standing::Asleep => {
                let matches = match self.matches(entry, handle, bytes) {
                    Ok(matches) => matches,
                    Err(error) => {
                        entry.note_failure(error.to_string());
                        if entry.shift(Standing::Asleep, Standing::Failed) {
                            tracing::error!(tenant = %entry.tenant, %error, "a tenant cannot be read");
                        }
                        return HelloRefusal::Failed;
                    }
                };
                if !matches {
                    return HelloRefusal::Refused;
                }
                self.house.wake(entry);
                HelloRefusal::NotReady
            }
        }
    }

    /// Whether the tenant of a bound credential sleeps: nobody can tell whether the credential is alive,
    /// and everything is answered NotReady until the tenant, which this wakes, is back.
    #[must_use]
    pub fn is_asleep(&self, bound: &Bound) -> bool {
        let asleep = bound.home.is_active() && bound.home.view().is_none();
        if asleep {
            self.house.wake(&bound.home);
        }
        asleep
    }

    /// Whether a bound credential is still alive. Asked with every drained read.
    #[must_use]
    pub fn is_alive(&self, bound: &Bound) -> bool {
        if matches!(bound.caller, Caller::Operator { .. }) && !self.may(bound, "tessera.admin.tenants") {
            return false;
        }
        let now = self.now();
        bound.entry.used(now);
        bound.home.used(now);
        let view = bound.home.view();
        let Some(view) = view.as_ref() else { return false };
        bound.home.is_active()
            && self.read(view).caller_lives((bound.place, bound.generation), bound.tag, bound.peer)
                == Reason::None
    }

    /// Whether a bound credential is alive and holds a permission of its own tenant.
    #[must_use]
    pub fn may(&self, bound: &Bound, permission: &str) -> bool {
        self.may_in(bound, permission, WorkspaceIndex(0))
    }

    /// As [`Engine::may`], in a workspace; 0 for the whole tenant.
    pub(crate) fn may_in(&self, bound: &Bound, permission: &str, workspace: WorkspaceIndex) -> bool {
        let place = if workspace.0 == 0 { WorkspaceRef::Tenant } else { WorkspaceRef::Index(workspace) };
        let view = bound.home.view();
        let Some(view) = view.as_ref() else { return false };
        let reading = self.read(view);
        let asked = PermissionRef::Name(permission);
        bound.home.is_active()
            && reading
                .check_from(
                    (bound.place, bound.generation),
                    bound.tag,
                    (&asked, &place),
                    UsedFrom::Address(&bound.peer),
                )
                .is_permit()
    }

    /// Whether a handle is the bound credential itself (a session may ask about itself).
    #[must_use]
    pub fn is_own(&self, bound: &Bound, handle: &HandleBytes) -> bool {
        let tag = self.house.tagger.tag_words(handle);
        tessera_crypto::compare::equal_words(tag, bound.tag)
    }

    /// Answers a check of a bound connection, with the reading of this drained read. The query's address is
    /// what the caller says of where the handle is used from, who needs the permission [`ADDRESS`] for it: the
    /// doors look at that. Where nothing is said the address of the caller stands for its own handle alone; of
    /// another's nobody knows, and what asks for a network does not hold.
    ///
    /// [`ADDRESS`]: crate::ADDRESS
    #[must_use]
    pub fn check(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &tessera_model::CheckQuery<'_>,
    ) -> Decision {
        if !bound.entry.is_active() {
            return Decision::deny(Reason::TenantClosed, reading.seen());
        }
        if reading.root.policed.is_some() && query.address.is_none() {
            return self.check_at_peer(bound, reading, query);
        }
        let decision = reading.check(&self.house.tagger, query);
        if by_address(decision.reason) && query.address.is_none() {
            return self.check_at_peer(bound, reading, query);
        }
        decision
    }

    /// The same of a key that is bound to networks, or where policies may ask for it, by the address that stands for
    /// what was not said.
    #[cold]
    #[inline(never)]
    fn check_at_peer(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &tessera_model::CheckQuery<'_>,
    ) -> Decision {
        let address = bound.address_of(query.handle);
        reading.check(&self.house.tagger, &tessera_model::CheckQuery { address, ..*query })
    }
}

/// Whether an answer may be another one from an address that is known. Whoever acts for somebody may hold from some
/// networks alone what it needs for that.
pub(crate) const fn by_address(reason: Reason) -> bool {
    matches!(reason, Reason::AddressNotAllowed | Reason::ActorGone | Reason::BeyondActor)
        || reason.is_conditional()
}

fn bind(
    home: &Arc<Entry>,
    view: &Arc<View>,
    reading: &Reading<'_>,
    (handle, tag, peer): (&Handle, (u64, u64), Option<IpAddr>),
) -> Option<Bound> {
    if !home.is_active() {
        return None;
    }
    if reading.caller_lives((handle.place, handle.generation), tag, peer) != Reason::None {
        return None;
    }
    let live = Live::of(&view.table.place(handle.place.0)?.read());
    let root = view.root.full();
    let subject = root.subjects.get(&live.subject)?.id;
    Some(Bound {
        entry: Arc::clone(home),
        home: Arc::clone(home),
        caller: Caller::Holder {
            place: handle.place,
            generation: handle.generation,
            subject: live.subject,
            from: Whence(peer),
        },
        subject,
        credential: PublicId::of_place(live.opened, handle.place, handle.generation),
        key: live.key,
        acting: root.acts.alive.contains_key(&(handle.place, handle.generation)),
        peer,
        place: handle.place,
        generation: handle.generation,
        tag,
    })
}

impl Reading<'_> {
    /// Whether whoever lives at a place with this tag is alive; `Reason::None` says yes.
    pub(crate) fn caller_lives(
        &self,
        (place, generation): (Place, Generation),
        tag: (u64, u64),
        peer: Option<IpAddr>,
    ) -> Reason {
        let Some(words) = self.view.table.place(place.0) else { return Reason::HandleUnknown };
        let judge = |root: &Root, fields: &Fields| {
            let from = (place, UsedFrom::Address(&peer));
            let read = |place: Place| self.whole(place);
            crate::beside::judge_alive(root, fields, (generation.0, tag), from, (&read, self.now))
        };
        let start = (&*self.root, self.version);
        order::answer(words, &self.view.root, &self.view.marks, start, judge).reason
    }

    /// Whether whoever lives at a place (its handle was verified before) holds a permission.
    pub(crate) fn caller_holds(
        &self,
        place: Place,
        (generation, from): (Generation, Whence),
        permission: PermissionRef<'_>,
        workspace: WorkspaceIndex,
    ) -> Reason {
        let Some(words) = self.view.table.place(place.0) else { return Reason::HandleUnknown };
        let [_, w1, w2, ..] = words.read();
        let asked = (&permission, &WorkspaceRef::Index(workspace));
        // Where it is used from was looked at when its command came.
        self.check_from((place, generation), (w1, w2), asked, UsedFrom::Seen(&from.0)).reason
    }
}

impl From<HelloRefusal> for Refusal {
    fn from(refusal: HelloRefusal) -> Self {
        match refusal {
            HelloRefusal::Refused => Self::Unauthorized,
            HelloRefusal::NotReady => Self::NotReady,
            HelloRefusal::Failed => Self::TenantFailed,
            HelloRefusal::Suspended => Self::TenantSuspended,
            HelloRefusal::Elsewhere(_) => Self::Redirect,
        }
    }
}
