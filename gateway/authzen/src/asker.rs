//! From the standard's entities to the engine's questions: who, where, and what comes of it.

use crate::print::Verdict;
use crate::read::{Entity, Said};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;
use tessera_engine::{ADDRESS, Brought, Listing, OfSubject, PolicySteps, Reading, Resource};
use tessera_gateway_http::{Admitted, Problem};
use tessera_model::{
    CheckQuery, Handle, HandleBytes, Identifier, PermissionRef, PublicId, Reason, Receipt, Refusal,
    SubjectIndex, WorkspaceIndex, WorkspaceRef,
};
use tessera_relation::{Filter, RELATION_BUDGET};

/// LIMIT: steps that policies may take for one request beside other requests: those of one question, some 200 us.
const QUICK_POLICY_STEPS: u64 = 16_384;
/// Bytes of what comes with a question that are charged as one check, as at the rest of the door.
const BYTES_PER_CHECK: u64 = 1_024;
/// Where a session or key is used from.
const IP_ADDRESS: &str = "ip_address";
/// Where the context says it.
const CONTEXT_ADDRESS: &str = "context/ip_address";

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

/// Where a question is asked.
pub(crate) enum Place {
    /// In a workspace, or the whole tenant.
    Whole(WorkspaceIndex),
    /// About the object that the resource names, roles being asked there.
    Object(WorkspaceIndex),
    /// Nowhere, and why.
    Nowhere(Verdict),
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
    /// Steps that policies took.
    policies: Cell<u64>,
    /// Bytes that came with questions and were read for policies.
    brought: Cell<u64>,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(admitted: &'a Admitted, reading: Reading<'a>, (quick, budget): (bool, u32)) -> Self {
        let listing = reading.listing();
        Self {
            admitted,
            reading,
            listing,
            quick,
            left: Cell::new(budget),
            spent: Cell::new(0),
            policies: Cell::new(0),
            brought: Cell::new(0),
        }
    }

    /// The position of all answers.
    pub(crate) fn seen(&self) -> Receipt {
        self.reading.seen()
    }

    /// What is left of the budget.
    pub(crate) fn left(&self) -> u32 {
        self.left.get()
    }

    /// Whether policies may permit what roles and relations do not, or forbid what they do.
    pub(crate) fn has_policies(&self) -> bool {
        self.reading.has_policies()
    }

    /// Whether a tuple is about an object.
    pub(crate) fn is_about(&self, object: &str) -> bool {
        let filter = Filter { object, ..Filter::default() };
        self.listing.relations().read(&filter, None, 1).is_ok_and(|page| !page.tuples.is_empty())
    }

    /// Steps that policies took so far.
    pub(crate) fn policy_steps(&self) -> u64 {
        self.policies.get()
    }

    /// Takes what was asked beside the request, and what that cost, from the caller's budgets.
    pub(crate) fn charge(&self, checks: u64) {
        let checks = checks.saturating_add(PolicySteps::as_checks(self.policies.get()));
        let checks = checks.saturating_add(self.brought.get() / BYTES_PER_CHECK);
        self.admitted.charge(checks, self.spent.get());
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
    pub(crate) fn who<'s>(
        &self,
        subject: Entity<'s>,
        at: &str,
        context: impl Into<Said<'s>>,
    ) -> Result<Who, Stop> {
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
                let address = self.address(subject.properties, at, context.into())?;
                let handle = Handle::parse_text(id).ok();
                let unknown = Verdict::of(Reason::HandleUnknown, tessera_model::UnixMillis(u64::MAX));
                Ok(handle.map_or(Who::Nobody(unknown), |handle| Who::Handle(handle.to_bytes(), address)))
            }
            _ => Ok(Who::Nobody(Verdict::refused(Refusal::SubjectUnknown))),
        }
    }

    /// Where a handle is used from, as the subject's properties or the context say, if the caller may say so.
    fn address(&self, properties: Said<'_>, at: &str, context: Said<'_>) -> Result<Option<IpAddr>, Problem> {
        let (said, field) = if properties.has(IP_ADDRESS) {
            (properties, Cow::Owned(format!("{at}/properties/{IP_ADDRESS}")))
        } else {
            (context, Cow::Borrowed(CONTEXT_ADDRESS))
        };
        let Some(text) = said.text(IP_ADDRESS, || field.to_string())? else { return Ok(None) };
        let address = text.parse();
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
        let properties = resource.properties;
        if !properties.has("workspace") {
            return Ok(Ok(WorkspaceIndex(0)));
        }
        let named = properties.text("workspace", || format!("{at}/properties/workspace"))?;
        let found = self.workspace(named.unwrap_or_default())?;
        Ok(found.ok_or_else(no_workspace))
    }

    /// Where a question about a resource of a request is asked.
    pub(crate) fn place(&self, resource: Entity<'_>, at: &str) -> Result<Place, Stop> {
        let id = resource.id.unwrap_or_default();
        Ok(match resource.kind {
            "tenant" if self.admitted.is_tenant(id) => Place::Whole(WorkspaceIndex(0)),
            "tenant" => Place::Nowhere(Verdict::refused(Refusal::TenantUnknown)),
            "workspace" => match self.workspace(id)? {
                Some(found) => Place::Whole(found),
                None => Place::Nowhere(no_workspace()),
            },
            kind if is_type(kind) => match self.within(resource, at)? {
                Ok(workspace) => Place::Object(workspace),
                Err(verdict) => Place::Nowhere(verdict),
            },
            _ => Place::Nowhere(no_resource()),
        })
    }

    /// What a resource of a request is.
    pub(crate) fn what(&self, resource: Entity<'_>, at: &str) -> Result<What, Stop> {
        let id = resource.id.unwrap_or_default();
        Ok(match self.place(resource, at)? {
            Place::Whole(workspace) => What::Place(workspace),
            Place::Object(workspace) => What::Object(format!("{}:{id}", resource.kind), workspace),
            Place::Nowhere(verdict) => What::Nothing(verdict),
        })
    }

    /// What of a question policies may look at: of its context and of its resource's properties what the schema has a place
    /// for. Everything else is passed over, as the standard has it.
    pub(crate) fn brought(
        &self,
        permission: &str,
        (context, context_at): (Said<'_>, &str),
        resource: Option<(Entity<'_>, &str)>,
    ) -> Result<Option<Brought>, Stop> {
        if !self.has_policies() {
            return Ok(None);
        }
        let context = context.some_of(&self.listing.context_names(permission));
        let resource = resource.and_then(|(resource, at)| {
            let id = resource.id?;
            let attributes = resource.properties.some_of(&self.listing.attribute_names(resource.kind, id))?;
            Some((json!({ "type": resource.kind, "id": id }), attributes, at))
        });
        if context.is_none() && resource.is_none() {
            return Ok(None);
        }
        self.later(|| {
            let context =
                context.map(|context| (serde_json::to_string(&context).unwrap_or_default(), context));
            let entities = resource.as_ref().map(|(uid, attributes, _)| {
                let attributes = serde_json::to_string(attributes).unwrap_or_default();
                format!("{ATTRIBUTES}{attributes},\"uid\":{uid}}}]")
            });
            let text = context.as_ref().map(|(text, _)| text.as_str());
            let came = text.map_or(0, str::len) + entities.as_ref().map_or(0, String::len);
            self.brought.set(self.brought.get().saturating_add(came as u64));
            let brought = self.listing.brought(permission, (text, entities.as_deref()));
            let brought = brought.map_err(|(refusal, misfit)| {
                let of_context = refusal.is_of_context();
                let (at, members, before) = match &resource {
                    Some((_, attributes, at)) if !of_context => {
                        (format!("{at}/properties"), Some(attributes), ATTRIBUTES.len())
                    }
                    _ => (context_at.to_owned(), context.as_ref().map(|(_, context)| context), 0),
                };
                let member = members.and_then(|members| member_at(members, before, misfit.column));
                let at = member.map_or(at.clone(), |member| format!("{at}/{member}"));
                Problem::from(refusal).as_bad_request().at(&at).because(misfit.says)
            });
            Ok(Some(brought?))
        })
    }

    /// The answer, within what is left of the budget.
    pub(crate) fn decide(
        &self,
        who: &Who,
        permission: PermissionRef<'_>,
        what: &What,
        brought: Option<&Brought>,
    ) -> Result<Verdict, Stop> {
        match what {
            What::Place(workspace) => self.judge(who, permission, (*workspace, None), brought),
            What::Object(object, workspace) => {
                self.judge(who, permission, (*workspace, Some(object)), brought)
            }
            What::Nothing(verdict) => Ok(verdict.clone()),
        }
    }

    /// The same in a workspace, about an object where there is one.
    pub(crate) fn judge(
        &self,
        who: &Who,
        permission: PermissionRef<'_>,
        (workspace, object): (WorkspaceIndex, Option<&str>),
        brought: Option<&Brought>,
    ) -> Result<Verdict, Stop> {
        let budget = self.left.get().min(RELATION_BUDGET);
        let about = object.map(|object| Resource { object, budget });
        let (engine, bound) = (self.admitted.engine(), self.admitted.bound());
        let policies = PolicySteps::counting();
        let (reason, valid_until, steps) = match who {
            Who::Nobody(verdict) => return Ok(verdict.clone()),
            Who::Subject(subject, _) => {
                let asked = OfSubject { subject: *subject, permission, workspace, about, brought };
                let decided = engine.decide(bound, &self.reading, &asked);
                (decided.reason, decided.valid_until, decided.steps)
            }
            Who::Handle(handle, address) => {
                let workspace =
                    if workspace.0 == 0 { WorkspaceRef::Tenant } else { WorkspaceRef::Index(workspace) };
                let at_least = Receipt::default();
                let query = CheckQuery { handle, permission, workspace, at_least, address: *address };
                let (decision, steps) = match (about, brought) {
                    (about, Some(brought)) => {
                        engine.check_brought(bound, &self.reading, &query, (about, brought))
                    }
                    (None, None) => (engine.check(bound, &self.reading, &query), 0),
                    (Some(about), None) => engine.check_resource(bound, &self.reading, &query, about),
                };
                (decision.reason, decision.valid_until, steps)
            }
        };
        self.pay(steps);
        self.policies.set(self.policies.get().saturating_add(policies.steps()));
        let long = reason == Reason::BudgetExceeded || self.policies.get() > QUICK_POLICY_STEPS;
        if self.quick && long {
            return Err(Stop::Later);
        }
        Ok(Verdict::of(reason, valid_until))
    }
}

/// What stands before the attributes of the one entity that comes with a question.
const ATTRIBUTES: &str = "[{\"attrs\":";

/// The member of an object that a column of its text is in, which letters stand before.
fn member_at(members: &Map<String, Value>, before: usize, column: u32) -> Option<&str> {
    let letters = |value: String| value.chars().count();
    let mut begins = before + 1;
    for (name, value) in members {
        let ends = begins + letters(Value::from(name.as_str()).to_string()) + 1 + letters(value.to_string());
        // Columns are counted from 1.
        if (begins + 1..=ends).contains(&(column as usize)) {
            return Some(name);
        }
        begins = ends + 1;
    }
    None
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
