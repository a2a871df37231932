//! From the standard's entities to the engine's questions: who, where, and what comes of it.

use crate::print::Verdict;
use crate::read::{Entity, Members, member, text};
use std::cell::Cell;
use std::net::IpAddr;
use tessera_engine::{ADDRESS, Listing, OfSubject, Reading, Resource};
use tessera_gateway_http::{Admitted, Problem};
use tessera_model::{
    CheckQuery, Handle, HandleBytes, Identifier, PermissionRef, PublicId, Reason, Receipt, Refusal,
    SubjectIndex, WorkspaceIndex, WorkspaceRef,
};
use tessera_relation::RELATION_BUDGET;

/// Why there is no answer yet.
pub(crate) enum Stop {
    /// It may take a while, or wait for the disk: not on a thread that answers checks.
    Later,
    /// The request is wrong.
    Problem(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Whom a question is about.
#[derive(Clone)]
pub(crate) enum Who {
    /// A subject.
    Subject(SubjectIndex, PublicId),
    /// A session or key, used from an address if one is said.
    Handle(HandleBytes, Option<IpAddr>),
    /// Nobody, and why.
    Nobody(Verdict),
}

/// What a question is about.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A workspace, or the whole tenant.
    Place(WorkspaceIndex),
    /// An object of the relationship model, roles being asked there.
    Object(String, WorkspaceIndex),
    /// Nothing, and why.
    Nothing(Verdict),
}

/// Asks one reading of the tenant's view.
pub(crate) struct Asker<'a> {
    pub(crate) admitted: &'a Admitted,
    pub(crate) reading: Reading<'a>,
    pub(crate) listing: Listing,
    /// Whether nothing that may take a while is begun.
    quick: bool,
    /// Tuples and nodes that may still be looked at.
    left: Cell<u32>,
    /// Tuples and nodes that were looked at.
    spent: Cell<u64>,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(admitted: &'a Admitted, reading: Reading<'a>, (quick, budget): (bool, u32)) -> Self {
        let listing = reading.listing();
        Self { admitted, reading, listing, quick, left: Cell::new(budget), spent: Cell::new(0) }
    }

    /// The position of all answers.
    pub(crate) fn seen(&self) -> Receipt {
        self.reading.seen()
    }

    /// What is left of the budget.
    pub(crate) fn left(&self) -> u32 {
        self.left.get()
    }

    /// What was looked at.
    pub(crate) fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Pays for what was looked at.
    pub(crate) fn pay(&self, steps: u32) {
        self.left.set(self.left.get().saturating_sub(steps));
        self.spent.set(self.spent.get().saturating_add(u64::from(steps)));
    }

    fn later<T>(&self, otherwise: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
        if self.quick { Err(Stop::Later) } else { otherwise() }
    }

    /// Who a subject of a request is. One that nobody knows is an answer, not an error.
    pub(crate) fn who(&self, subject: Entity<'_>, at: &str, context: &Members) -> Result<Who, Stop> {
        let id = subject.id.unwrap_or_default();
        match subject.kind {
            "user" | "subject" => {
                if let Some(found) = PublicId::parse(id).and_then(|id| self.listing.subject(id)) {
                    return Ok(Who::Subject(found.index, found.id));
                }
                let unknown = || Who::Nobody(Verdict::refused(Refusal::SubjectUnknown));
                let Ok(identifier) = Identifier::guess(id) else { return Ok(unknown()) };
                self.later(|| {
                    let tenant = self.admitted.bound().entry.tenant;
                    let hash = self.admitted.engine().identifier_hash(tenant, &identifier);
                    let hash = hash.map_err(Problem::from)?;
                    let found = self.listing.subject_with(&hash, identifier.kind());
                    Ok(found.map_or_else(unknown, |found| Who::Subject(found.index, found.id)))
                })
            }
            "session" => {
                let address = self.address(subject.properties, at, context)?;
                let handle = Handle::parse_text(id).ok();
                let unknown = Verdict::of(Reason::HandleUnknown, tessera_model::UnixMillis(u64::MAX));
                Ok(handle.map_or(Who::Nobody(unknown), |handle| Who::Handle(handle.to_bytes(), address)))
            }
            _ => Ok(Who::Nobody(Verdict::refused(Refusal::SubjectUnknown))),
        }
    }

    /// Where a handle is used from, as the subject's properties or the context say, if the caller may say so.
    fn address(&self, properties: &Members, at: &str, context: &Members) -> Result<Option<IpAddr>, Problem> {
        let said =
            member(properties, "ip_address").map(|value| (value, format!("{at}/properties/ip_address")));
        let said = said
            .or_else(|| member(context, "ip_address").map(|value| (value, "context/ip_address".to_owned())));
        let Some((value, field)) = said else { return Ok(None) };
        let address = text(value, &field)?.parse();
        let address =
            address.map_err(|_| Problem::unreadable("must be an IPv4 or IPv6 address").at(&field))?;
        if self.admitted.engine().may(self.admitted.bound(), ADDRESS) {
            Ok(Some(address))
        } else {
            Err(Problem::from(Refusal::Unauthorized).at(&field))
        }
    }

    /// The workspace with this name or id.
    fn workspace(&self, text: &str) -> Result<Option<WorkspaceIndex>, Stop> {
        let (_, named) = self.reading.resolve("", text);
        if named.0 != 0 {
            return Ok(Some(named));
        }
        let Some(id) = PublicId::parse(text) else { return Ok(None) };
        self.later(|| Ok(self.listing.workspace_with(id)))
    }

    /// Where roles are asked for an object: in the workspace that its properties name, else in the whole tenant.
    pub(crate) fn within(
        &self,
        resource: Entity<'_>,
        at: &str,
    ) -> Result<Result<WorkspaceIndex, Verdict>, Stop> {
        let Some(value) = member(resource.properties, "workspace") else { return Ok(Ok(WorkspaceIndex(0))) };
        let found = self.workspace(text(value, &format!("{at}/properties/workspace"))?)?;
        Ok(found.ok_or_else(no_workspace))
    }

    /// What a resource of a request is.
    pub(crate) fn what(&self, resource: Entity<'_>, at: &str) -> Result<What, Stop> {
        let id = resource.id.unwrap_or_default();
        Ok(match resource.kind {
            "tenant" if self.admitted.is_tenant(id) => What::Place(WorkspaceIndex(0)),
            "tenant" => What::Nothing(Verdict::refused(Refusal::TenantUnknown)),
            "workspace" => match self.workspace(id)? {
                Some(found) => What::Place(found),
                None => What::Nothing(no_workspace()),
            },
            kind if is_type(kind) => match self.within(resource, at)? {
                Ok(workspace) => What::Object(format!("{kind}:{id}"), workspace),
                Err(verdict) => What::Nothing(verdict),
            },
            _ => What::Nothing(no_resource()),
        })
    }

    /// The answer, within what is left of the budget.
    pub(crate) fn decide(
        &self,
        who: &Who,
        permission: PermissionRef<'_>,
        what: &What,
    ) -> Result<Verdict, Stop> {
        let (workspace, object) = match what {
            What::Place(workspace) => (*workspace, None),
            What::Object(object, workspace) => (*workspace, Some(object.as_str())),
            What::Nothing(verdict) => return Ok(verdict.clone()),
        };
        let budget = self.left.get().min(RELATION_BUDGET);
        let about = object.map(|object| Resource { object, budget });
        let (engine, bound) = (self.admitted.engine(), self.admitted.bound());
        let (reason, valid_until, steps) = match who {
            Who::Nobody(verdict) => return Ok(verdict.clone()),
            Who::Subject(subject, _) => {
                let asked = OfSubject { subject: *subject, permission, workspace, about };
                let decided = engine.decide(bound, &self.reading, &asked);
                (decided.reason, decided.valid_until, decided.steps)
            }
            Who::Handle(handle, address) => {
                let workspace =
                    if workspace.0 == 0 { WorkspaceRef::Tenant } else { WorkspaceRef::Index(workspace) };
                let at_least = Receipt::default();
                let query = CheckQuery { handle, permission, workspace, at_least, address: *address };
                let (decision, steps) = match about {
                    None => (engine.check(bound, &self.reading, &query), 0),
                    Some(about) => engine.check_resource(bound, &self.reading, &query, about),
                };
                (decision.reason, decision.valid_until, steps)
            }
        };
        self.pay(steps);
        if self.quick && reason == Reason::BudgetExceeded {
            return Err(Stop::Later);
        }
        Ok(Verdict::of(reason, valid_until))
    }
}

/// Whether a text may be the type of an object.
pub(crate) fn is_type(kind: &str) -> bool {
    !kind.is_empty() && !kind.contains(':')
}

fn no_workspace() -> Verdict {
    Verdict::of(Reason::WorkspaceUnknown, tessera_model::UnixMillis(u64::MAX))
}

/// There is no such resource, and no such type.
pub(crate) fn no_resource() -> Verdict {
    Verdict::of(Reason::ResourceUnknown, tessera_model::UnixMillis(u64::MAX))
}
