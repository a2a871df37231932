//! A stand-in for tests of applications: a client that asks nobody, and permits what it was told.

use crate::client::Client;
use crate::lane::Answer;
use parking_lot::RwLock;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tessera_model::code::CODE_FAILED;
use tessera_model::query::Introspection;
use tessera_model::{
    CellId, CheckQuery, Decision, Epoch, Generation, Handle, HandleBytes, HandleKind, PermissionId,
    PermissionRef, Place, PublicId, Reason, Receipt, Refusal, Revision, SubjectIndex, TenantId, UnixMillis,
    WorkspaceIndex, WorkspaceRef,
};
use tessera_wire::{
    Fault, Frame, Inbox, Kind, Made, Outbox, PermissionName, Permissions, Request, RequestKind, Resolve,
    Resolved, WireError,
};

/// What a double answers: it reads a frame and writes one.
type Script = dyn Fn(&Frame<'_>, &mut Outbox) -> Result<(), WireError> + Send + Sync;

/// A script in place of a node.
pub(crate) struct Double(Box<Script>);

/// The position that every answer is taken at: the stand-in has no history.
const SEEN: Receipt = Receipt { epoch: Epoch(1), revision: Revision(0) };
/// Never, as an instant.
const NEVER: UnixMillis = UnixMillis(u64::MAX);

/// What a stand-in knows.
#[derive(Default)]
struct Known {
    /// Who may do what, where (`None`: in the tenant itself).
    permitted: HashSet<(HandleBytes, String, Option<String>)>,
    /// Handles that are alive.
    alive: HashSet<HandleBytes>,
    /// Handles that were.
    ended: HashSet<HandleBytes>,
    /// Whether every question fails.
    failing: bool,
}

/// What a stand-in permits: everything else is denied, with the reasons that a node has. Cheap to clone; a
/// test keeps one and changes it while the application runs.
///
/// ```
/// # async fn example() {
/// use tessera_client::Permitted;
///
/// let amy = Permitted::handle(1);
/// let fake = Permitted::new().permit(&amy.to_bytes(), "orders.read", None);
/// let client = fake.client();
/// // The application under test takes `client` as it would take a real one.
/// assert!(client.is_permitted(&amy.to_text(), "orders.read", None).await);
/// fake.revoke(&amy.to_bytes());
/// assert!(!client.is_permitted(&amy.to_text(), "orders.read", None).await);
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Permitted(Arc<RwLock<Known>>);

impl Permitted {
    /// Permits nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A well-formed handle that no node gave out, a different one for each number.
    #[must_use]
    pub fn handle(number: u32) -> Handle {
        let (kind, cell, tenant) = (HandleKind::Session, CellId(0), TenantId(1));
        Handle { kind, cell, tenant, place: Place(number), generation: Generation(1), secret: [7; 20] }
    }

    /// Permits one more thing: this handle is alive and may do this, there (`None`: in the tenant itself).
    #[must_use]
    pub fn permit(self, handle: &HandleBytes, permission: &str, workspace: Option<&str>) -> Self {
        let mut known = self.0.write();
        known.alive.insert(*handle);
        known.permitted.insert((*handle, permission.to_owned(), workspace.map(str::to_owned)));
        drop(known);
        self
    }

    /// Ends a handle: from now on it is denied as revoked.
    pub fn revoke(&self, handle: &HandleBytes) {
        let mut known = self.0.write();
        known.alive.remove(handle);
        known.ended.insert(*handle);
    }

    /// Lets every question fail from now on, as at a node that is broken; or no more.
    pub fn fail(&self, failing: bool) {
        self.0.write().failing = failing;
    }

    /// A client that answers from this: checks and batches, `introspect`, `list_permissions`, `resolve`,
    /// `touch` and `sign_out`. Everything else is refused as unauthorized.
    #[must_use]
    pub fn client(&self) -> Client {
        let known = self.clone();
        Client::double(move |frame, out| known.answer(frame, out))
    }

    fn answer(&self, frame: &Frame<'_>, out: &mut Outbox) -> Result<(), WireError> {
        let (id, kind, known) = (frame.header.request_id, frame.kind()?, self.0.read());
        if known.failing {
            return out.fault(id, &Fault::new(CODE_FAILED, "the stand-in was told to fail"));
        }
        if kind == Kind::Check {
            return out.decision(id, &known.decide(&frame.check()?));
        }
        if kind == Kind::CheckBatch {
            let mut answers = tessera_wire::DecisionBatchWriter::default();
            answers.start(SEEN);
            for query in frame.check_batch()?.queries() {
                answers.push(&known.decide(&query?));
            }
            return out.decision_batch(id, &answers);
        }
        if kind == Kind::Introspect {
            return out.introspection(id, &known.introspect(frame.introspect()?.handle));
        }
        if kind == Kind::ListPermissions {
            let ask = frame.list_permissions()?;
            return out.permissions(id, &known.list(ask.handle, ask.workspace));
        }
        if kind == Kind::Resolve {
            let names = frame.resolve()?.map(|asked| Ok(known.resolve(asked?)));
            let ids = names.collect::<Result<Vec<_>, WireError>>()?;
            return out.resolved(id, &Resolved { seen: SEEN, ids });
        }
        drop(known);
        self.order(kind, frame, out)
    }

    fn order(&self, kind: Kind, frame: &Frame<'_>, out: &mut Outbox) -> Result<(), WireError> {
        let id = frame.header.request_id;
        let Kind::Request(wanted @ (RequestKind::TouchSession | RequestKind::SignOut)) = kind else {
            return out.fault(id, &Fault::refused(Refusal::Unauthorized));
        };
        let (head, request) = frame.request(wanted)?;
        let (Request::TouchSession { handle } | Request::SignOut { handle }) = request else {
            return Err(WireError::KindUnknown);
        };
        let named = HandleBytes::try_from(handle.expose()).ok();
        let Some(handle) = named.filter(|handle| self.0.read().alive.contains(handle)) else {
            return out.fault(id, &Fault::refused(Refusal::SessionUnknown));
        };
        if wanted == RequestKind::SignOut {
            self.revoke(&handle);
        }
        out.made(id, head, &Made::nothing(SEEN))
    }
}

impl Known {
    /// Why a handle is denied whatever it asks, if it is.
    fn dead(&self, handle: &HandleBytes) -> Option<Reason> {
        if self.alive.contains(handle) {
            None
        } else if self.ended.contains(handle) {
            Some(Reason::Revoked)
        } else {
            Some(Reason::HandleUnknown)
        }
    }

    /// The names of all permissions, in the order of their ids, which begin with 1.
    fn permissions(&self) -> BTreeSet<&str> {
        self.permitted.iter().map(|(_, permission, _)| permission.as_str()).collect()
    }

    /// The names of all workspaces, in the order of their indexes, which begin with 1.
    fn workspaces(&self) -> BTreeSet<&str> {
        self.permitted.iter().filter_map(|(_, _, workspace)| workspace.as_deref()).collect()
    }

    /// A workspace as it was named: the tenant itself, a known one, or none.
    fn place(&self, workspace: WorkspaceRef<'_>) -> Option<Option<String>> {
        match workspace {
            WorkspaceRef::Tenant => Some(None),
            WorkspaceRef::Index(WorkspaceIndex(0)) => Some(None),
            WorkspaceRef::Name(name) => self.workspaces().contains(name).then(|| Some(name.to_owned())),
            WorkspaceRef::Index(index) => nth(&self.workspaces(), index.0).map(|name| Some(name.to_owned())),
        }
    }

    fn decide(&self, query: &CheckQuery<'_>) -> Decision {
        match self.judge(query) {
            None => Decision { reason: Reason::None, seen: SEEN, valid_until: NEVER },
            Some(reason) => Decision::deny(reason, SEEN),
        }
    }

    /// Why a question is denied, if it is: in the order in which a node finds out.
    fn judge(&self, query: &CheckQuery<'_>) -> Option<Reason> {
        if let Some(reason) = self.dead(query.handle) {
            return Some(reason);
        }
        let permissions = self.permissions();
        let name = match query.permission {
            PermissionRef::Name(name) => permissions.get(name).copied(),
            PermissionRef::Id(id) => nth(&permissions, id.0),
        };
        let Some(name) = name else { return Some(Reason::PermissionUnknown) };
        let Some(place) = self.place(query.workspace) else { return Some(Reason::WorkspaceUnknown) };
        // What holds in the tenant itself holds below it too.
        let held = |place| self.permitted.contains(&(*query.handle, name.to_owned(), place));
        if held(place) || held(None) { None } else { Some(Reason::NotGranted) }
    }

    fn introspect(&self, bytes: &HandleBytes) -> Result<Introspection, (Reason, Receipt)> {
        if let Some(reason) = self.dead(bytes) {
            return Err((reason, SEEN));
        }
        let handle = Handle::parse(bytes).map_err(|_| (Reason::HandleUnknown, SEEN))?;
        let subject = PublicId::new(u64::from(handle.place.0), [0; 10]);
        Ok(Introspection {
            tenant: handle.tenant,
            subject,
            subject_index: SubjectIndex(handle.place.0),
            id: subject,
            place: handle.place,
            generation: handle.generation,
            key: handle.kind == HandleKind::Key,
            authenticated_at: UnixMillis(0),
            expires: NEVER,
            idle_until: NEVER,
            workspace: WorkspaceIndex(0),
            device: None,
            actor: None,
            seen: SEEN,
        })
    }

    fn list(&self, handle: &HandleBytes, workspace: WorkspaceRef<'_>) -> Permissions {
        let mut answer = Permissions {
            reason: self.dead(handle).unwrap_or(Reason::None),
            seen: SEEN,
            valid_until: NEVER,
            words: Vec::new(),
            names: Vec::new(),
            next: PermissionId(0),
        };
        for (id, name) in (1_u32..).zip(self.permissions()) {
            let (permission, at_least) = (PermissionRef::Name(name), Receipt::default());
            let query = CheckQuery { handle, permission, workspace, at_least, address: None };
            if self.judge(&query).is_some() {
                continue;
            }
            let word = usize::try_from(id / 64).unwrap_or_default();
            answer.words.resize(answer.words.len().max(word + 1), 0);
            if let Some(bits) = answer.words.get_mut(word) {
                *bits |= 1 << (id % 64);
            }
            answer.names.push(PermissionName { id: PermissionId(id), name: name.to_owned() });
        }
        answer
    }

    fn resolve(&self, asked: Resolve<'_>) -> u32 {
        let (names, wanted) = match asked {
            Resolve::Permission(name) => (self.permissions(), name),
            Resolve::Workspace(name) => (self.workspaces(), name),
        };
        (1_u32..).zip(names).find(|(_, name)| *name == wanted).map_or(0, |(id, _)| id)
    }
}

/// The name with this number, counted from 1.
fn nth<'n>(names: &BTreeSet<&'n str>, number: u32) -> Option<&'n str> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    names.iter().nth(at).copied()
}

impl Double {
    pub(crate) fn new(
        script: impl Fn(&Frame<'_>, &mut Outbox) -> Result<(), WireError> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(script))
    }

    /// The script's answer to a question.
    pub(crate) fn answer(
        &self,
        write: &(dyn Fn(&mut Outbox, u64) -> Result<(), WireError> + Sync),
    ) -> Result<Answer, WireError> {
        let (mut question, mut answer) = (Outbox::new(), Outbox::new());
        let (mut asked, mut answered) = (Inbox::default(), Inbox::default());
        write(&mut question, 1)?;
        asked.extend(question.as_bytes());
        let frame = asked.next_frame()?.ok_or(WireError::BadPayload)?;
        (self.0)(&frame, &mut answer)?;
        answered.extend(answer.as_bytes());
        let frame = answered.next_frame()?.ok_or(WireError::BadPayload)?;
        Ok(Answer::of(&frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ClientError;
    use tessera_wire::ListPermissions;

    fn query<'a>(handle: &'a HandleBytes, permission: PermissionRef<'a>) -> CheckQuery<'a> {
        let (workspace, at_least) = (WorkspaceRef::Tenant, Receipt::default());
        CheckQuery { handle, permission, workspace, at_least, address: None }
    }

    /// PROPERTY: a stand-in permits what it was told and nothing else, through every call for checks, by name
    /// and by the ids that it gave; what it denies has the reason that a node has.
    #[tokio::test]
    async fn a_double_permits_what_it_was_told() {
        let (amy, bob) = (Permitted::handle(1), Permitted::handle(2));
        let (bytes, text) = (amy.to_bytes(), amy.to_text());
        let fake = Permitted::new().permit(&bytes, "a", None).permit(&bytes, "b", Some("eu"));
        let client = fake.client();
        assert!(client.is_permitted(&text, "a", None).await);
        assert!(client.is_permitted(&text, "b", Some("eu")).await);
        // A grant in the tenant holds below it, and not the other way about.
        assert!(client.is_permitted(&text, "a", Some("eu")).await);
        assert!(!client.is_permitted(&text, "b", None).await);
        assert!(!client.is_permitted(&text, "a", Some("us")).await);
        assert!(!client.is_permitted(&bob.to_text(), "a", None).await);
        let resolved = client.resolve(&[Resolve::Permission("b"), Resolve::Permission("c")]).await;
        assert_eq!(resolved.expect("ids").ids, [2, 0]);
        let ids = [1, 2, 3].map(|id| query(&bytes, PermissionRef::Id(PermissionId(id))));
        let answers = client.check_batch(Receipt::default(), &ids).await.expect("answers");
        let reasons: Vec<Reason> = answers.iter().map(|decision| decision.reason).collect();
        assert_eq!(reasons, [Reason::None, Reason::NotGranted, Reason::PermissionUnknown]);
        let workspace = WorkspaceRef::Name("eu");
        let (at_least, after) = (Receipt::default(), PermissionId(0));
        let ask =
            ListPermissions { address: None, handle: &bytes, workspace, at_least, with_names: true, after };
        let listed = client.list_permissions(&ask).await.expect("a list");
        let names: Vec<&str> = listed.names.iter().map(|known| known.name.as_str()).collect();
        assert_eq!((names, listed.permits(PermissionId(2))), (vec!["a", "b"], true));
        let refused = client.sign_in("amy", "x").await.err();
        assert!(matches!(refused, Some(ClientError::Refused(Refusal::Unauthorized))));
        client.close().await;
    }

    /// PROPERTY: what a test changes holds for the next question: a revoked handle, a stand-in that fails.
    #[tokio::test]
    async fn a_double_can_be_changed() {
        let amy = Permitted::handle(1);
        let (bytes, text) = (amy.to_bytes(), amy.to_text());
        let fake = Permitted::new().permit(&bytes, "a", None);
        let client = fake.client();
        assert!(client.touch_lazily(&bytes).await.is_ok());
        let found = client.introspect(&bytes, Receipt::default()).await.expect("an answer");
        assert!(matches!(found, crate::Found::Alive(found) if found.tenant == amy.tenant));
        fake.fail(true);
        assert!(!client.is_permitted(&text, "a", None).await);
        let failed = client.check(&query(&bytes, PermissionRef::Name("a"))).await.expect_err("failed");
        assert_eq!(failed.code(), Some(CODE_FAILED));
        fake.fail(false);
        assert!(client.is_permitted(&text, "a", None).await);
        client.sign_out(&bytes).await.expect("signed out");
        let decision = client.check(&query(&bytes, PermissionRef::Name("a"))).await.expect("an answer");
        assert_eq!(decision.reason, Reason::Revoked);
        assert!(matches!(client.sign_out(&bytes).await, Err(ClientError::Refused(Refusal::SessionUnknown))));
    }
}
