//! Why a question is answered as it is, and what it would be at another time or with another role or grant.

mod through;

use crate::check::Judged;
use crate::circumstances::circumstances;
use crate::list::Listing;
use crate::policed::{Asked, GIVEN};
use crate::policies::{PolicySaid, said};
use crate::resource;
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::grant_condition::{GrantConditionKind, GrantConditions, GrantConditionsRecord, Grantee};
use tessera_model::limits::{ENGINE_PERMISSIONS_MAX, PATTERNS_MAX, ROLES_MAX};
use tessera_model::record::{GrantRecord, MemberRecord, RoleRecord, SubjectStatus};
use tessera_model::{
    Deadline, GroupId, Limit, Name, Pattern, PermissionId, PermissionRef, PublicId, Reason, Refusal,
    RestrictionId, RoleId, SubjectIndex, UnixMillis, WorkspaceIndex, WorkspaceRef,
};
use tessera_policy::{Explanation, Facts, Outcome, Source};
use tessera_relation::{Ask, Explanation as Way, Step, TupleRef};
use through::Put;
pub use through::{Cut, Through};

/// LIMIT: grants that one explanation names; those that count come first.
const SOURCES_MAX: usize = 200;

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct Why {
    /// Who; the holder of the session or key, when it is asked through one.
    pub subject: PublicId,
    /// The session or key that it is asked through ([`Engine::through`](crate::Engine::through)): what a check of it says is explained. `None` for
    /// the subject itself, in a session that nothing cuts.
    pub through: Option<Through>,
    /// What.
    pub permission: Name,
    /// Where; `None` for the tenant.
    pub workspace: Option<Name>,
    /// To which resource, `type:id`; `None` for no question about one.
    pub resource: Option<Box<str>>,
    /// The circumstances, a JSON object; `None` for none.
    pub context: Option<Box<str>>,
    /// Entities that are known for this question only, a JSON list; `None` for none.
    pub entities: Option<Box<str>>,
    /// When.
    pub at: UnixMillis,
}

/// How a permission follows from a relation to a resource, or does not.
#[derive(Clone, Debug)]
pub struct Related {
    /// The resource and the relation that the permission is mapped to: `type:id#relation`.
    pub set: String,
    /// Whether the subject is in it.
    pub holds: bool,
    /// The way to a tuple, or what takes it away.
    pub path: Vec<Step>,
    /// What was looked at for it, in tuples and nodes.
    pub steps: u32,
}

/// What is supposed beside what stands.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// A role that covers these instead of what it covers by itself; a new one when there is none of this name.
    pub role: Option<(Name, Vec<Pattern>)>,
    /// A grant to the subject: role, workspace, window.
    pub grant: Option<(Name, Option<Name>, Deadline, Deadline)>,
    /// A grant to the subject that is taken back: role, workspace.
    pub without: Option<(Name, Option<Name>)>,
    /// A group that the subject is put into.
    pub group: Option<Name>,
    /// The conditions of that grant.
    pub conditions: GrantConditions,
    /// What is supposed of whoever asks, for conditions of grants; through a session or key only from where.
    pub facts: Facts,
}

/// A grant that covers what was asked, in names.
#[derive(Clone, Debug)]
pub struct Because {
    /// The role that is granted; then its parents, up to the one whose pattern covers the permission.
    pub roles: Vec<Name>,
    /// That pattern.
    pub pattern: Option<Pattern>,
    /// Where the grant stands; `None` for the whole tenant.
    pub workspace: Option<Name>,
    /// First instant of the grant.
    pub from: Deadline,
    /// First instant after it.
    pub until: Deadline,
    /// The groups that it comes through: the one that the subject is in itself, up to the one that has it.
    pub groups: Vec<Name>,
    /// First instant of that membership.
    pub member_from: Deadline,
    /// First instant after it.
    pub member_until: Deadline,
    /// The workspace that does not inherit and so keeps the grant out.
    pub wall: Option<Name>,
    /// The conditions under which it counts.
    pub conditions: GrantConditions,
    /// The first of them that does not hold, by its word; empty when all do.
    pub unmet: &'static str,
    /// Whether it does not reach the subject, a guest.
    pub withheld: bool,
    /// Whether it counts at that instant.
    pub holds: bool,
}

/// Why a question is answered as it is.
#[derive(Clone, Debug)]
pub struct Explained {
    /// `Reason::None` for a Permit, else why not.
    pub reason: Reason,
    /// The first moment at which time alone changes that.
    pub valid_until: UnixMillis,
    /// Every grant that covers it, those that count first; 200 at most.
    pub sources: Vec<Because>,
    /// What of the session or key that it is asked through cuts it.
    pub cuts: Vec<Cut>,
    /// The workspaces whose ceilings cut it.
    pub ceilings: Vec<Name>,
    /// The relation to the resource that the permission is mapped to; `None` where nothing is.
    pub related: Option<Related>,
    /// Every policy that applies or fails.
    pub policies: Vec<PolicySaid>,
}

impl Listing {
    /// Explains an answer, with what is supposed beside what stands. Changes nothing. Through a session or key it is
    /// what a check of it says.
    ///
    /// # Errors
    /// What is named and does not exist; `NotShown` through a session or key of somebody of whom its reader is not shown
    /// those.
    pub fn explain(&self, why: &Why, draft: &Draft) -> Result<Explained, Refusal> {
        let record = self.subject(why.subject).ok_or(Refusal::SubjectUnknown)?;
        let subject = record.index;
        if let Some(through) = &why.through {
            through.is_of(self, subject)?;
        }
        let supposed = self.supposed(subject, draft)?;
        let (root, workspace) = (&*supposed.0, self.place(why.workspace.as_ref())?);
        let permission = root.rules.permission(PermissionRef::Name(why.permission.as_str()));
        let permission = permission.unwrap_or(PermissionId(0));
        let through = why.through.as_ref();
        let facts = through.map_or(draft.facts, |through| through.facts(root, draft.facts.address));
        let found = root.rules.explain_under(subject, permission, workspace, (why.at, &facts));
        let came = (why.context.as_deref(), why.entities.as_deref());
        // What a node says itself of a session or key is not said in its place.
        let given: &[&str] = if through.is_some() { &GIVEN } else { &["now", "workspace"] };
        let asks = through.map_or(root.policed.is_some(), |_| came != (None, None));
        let with = asks.then(|| circumstances(root, why.permission.as_str(), came, given)).transpose();
        let with = with.map_err(|(refusal, _)| refusal)?;
        let resource = why.resource.as_deref();
        let put = Put { permission, workspace, resource, with: with.as_ref(), address: draft.facts.address };
        let related = resource.map(|object| supposed.related(record.id, permission, object, why.at));
        let asked = match through {
            Some(through) => through.asked(root, &put),
            None => {
                let restriction = RestrictionId(0);
                Some(Asked { subject, permission, workspace, restriction, facts, opened: None })
            }
        };
        let Judged { reason, valid_until } = match through {
            Some(through) => through.judge(root, &put, why.at),
            None => {
                let judged = unrestricted(record.status, &found, related.as_ref());
                match (root.policed.as_deref(), &asked) {
                    (Some(policed), Some(asked)) => {
                        policed.judge(root, judged, (asked, resource), put.with, why.at)
                    }
                    _ => judged,
                }
            }
        };
        let policies = match (root.policed.as_deref(), &asked) {
            (Some(policed), Some(asked)) if permission.0 > ENGINE_PERMISSIONS_MAX => {
                said(policed.said(root, (asked, resource), put.with, why.at))
            }
            _ => Vec::new(),
        };
        let sources = found.sources.iter().take(SOURCES_MAX);
        Ok(Explained {
            policies,
            reason,
            valid_until,
            sources: sources.map(|source| supposed.because(source, &why.permission)).collect(),
            cuts: through.map(|through| through.cuts(&supposed, &put, why.at)).unwrap_or_default(),
            // What is no permission no ceiling cuts.
            ceilings: found
                .ceilings
                .iter()
                .filter(|_| permission != PermissionId(0))
                .filter_map(|at| self.workspace_name(*at).cloned())
                .collect(),
            related: related.and_then(|(_, _, related)| related),
        })
    }

    /// What the relations to a resource say about a permission, until when, and how that comes about.
    fn related(
        &self,
        subject: PublicId,
        permission: PermissionId,
        object: &str,
        now: UnixMillis,
    ) -> (Reason, UnixMillis, Option<Related>) {
        let never = UnixMillis(u64::MAX);
        if permission == PermissionId(0) {
            return (Reason::NotGranted, never, None);
        }
        let relation = match resource::mapped(&self.0, permission.0, object) {
            Ok(Some(relation)) => relation,
            Ok(None) => return (Reason::NotGranted, never, None),
            Err(reason) => return (reason, never, None),
        };
        let subject = resource::subject_text(subject);
        let tuple = TupleRef { subject: &subject, relation, object };
        let ask = Ask::at(now);
        let set = format!("{object}#{relation}");
        match self.0.relations.explain(&ask, &tuple) {
            Ok(Way { answer, path }) => {
                let reason = if answer.permitted { Reason::None } else { Reason::NotGranted };
                let related = Related { set, holds: answer.permitted, path, steps: answer.steps };
                (reason, answer.valid_until, Some(related))
            }
            Err(error) => {
                let until = if resource::is_unsettled(error) { now } else { never };
                let related = Related { set, holds: false, path: Vec::new(), steps: error.steps(ask.budget) };
                (resource::reason(error), until, Some(related))
            }
        }
    }

    fn place(&self, workspace: Option<&Name>) -> Result<WorkspaceIndex, Refusal> {
        let Some(name) = workspace else { return Ok(WorkspaceIndex(0)) };
        let found = self.0.rules.workspace(WorkspaceRef::Name(name.as_str()));
        let shown = found.filter(|_| self.workspace_named(name).is_some());
        shown.ok_or(Refusal::WorkspaceUnknown)
    }

    /// The tenant with what is supposed, as its reader sees it.
    fn supposed(&self, subject: SubjectIndex, draft: &Draft) -> Result<Self, Refusal> {
        let mut root = (*self.0).clone();
        let mut drafted = None;
        if let Some((name, patterns)) = &draft.role {
            if patterns.len() > PATTERNS_MAX {
                return Err(Limit::Patterns.reached());
            }
            let record = match self.role_named(name).and_then(|id| self.0.roles.get(&id)) {
                Some(known) => RoleRecord { patterns: patterns.clone(), ..(**known).clone() },
                None => {
                    if self.0.next.role >= ROLES_MAX {
                        return Err(Limit::Roles.reached());
                    }
                    let id = RoleId(self.0.next.role);
                    let (name, patterns) = (name.clone(), patterns.clone());
                    RoleRecord { id, name, patterns, parents: Vec::new(), workspace: WorkspaceIndex(0) }
                }
            };
            root.rules.put_role(&record);
            // Policies speak of the roles that are supposed, too.
            root.roles.insert_mut(record.id, Arc::new(record.clone()));
            drafted = Some(record);
        }
        let role = |name: &Name| {
            let fresh = drafted.as_ref().filter(|record| record.name == *name).map(|record| record.id);
            fresh.or_else(|| self.role_named(name)).ok_or(Refusal::RoleUnknown)
        };
        if let Some((name, place)) = &draft.without {
            root.rules.remove_grant(subject, role(name)?, self.place(place.as_ref())?);
        }
        if let Some((name, place, from, until)) = &draft.grant {
            let (role, workspace) = (role(name)?, self.place(place.as_ref())?);
            if !draft.conditions.is_empty() {
                let (grantee, conditions) = (Grantee::Subject(subject), draft.conditions.clone());
                root.rules.put_conditions(&GrantConditionsRecord { grantee, role, workspace, conditions });
            }
            root.rules.put_grant(&GrantRecord { subject, role, workspace, from: *from, until: *until });
        }
        if let Some(name) = &draft.group {
            let group = self.group_named(name).ok_or(Refusal::GroupUnknown)?.id;
            let (from, until) = (Deadline::NONE, Deadline::NONE);
            root.rules.put_member(&MemberRecord { subject, group, from, until });
        }
        Ok(Self(Arc::new(root), self.1.clone()))
    }

    fn because(&self, source: &Source, permission: &Name) -> Because {
        let (roles, pattern) = self.role_path(source.role, permission);
        let (groups, member_from, member_until) = match source.through {
            None => (Vec::new(), Deadline::NONE, Deadline::NONE),
            Some((group, member)) => (self.group_path(member.group, group), member.from, member.until),
        };
        Because {
            roles,
            pattern,
            workspace: self.workspace_name(source.workspace).cloned(),
            from: source.from,
            until: source.until,
            groups,
            member_from,
            member_until,
            wall: source.wall.and_then(|wall| self.workspace_name(wall).cloned()),
            conditions: source.conditions.clone(),
            unmet: source.unmet.map_or("", GrantConditionKind::word),
            withheld: source.guest,
            holds: source.holds,
        }
    }

    /// The shortest way from a role up to one whose own pattern covers a permission.
    fn role_path(&self, from: RoleId, permission: &Name) -> (Vec<Name>, Option<Pattern>) {
        let record = |role: RoleId| self.0.roles.get(&role);
        let covering = |role: RoleId| {
            record(role)?.patterns.iter().find(|pattern| pattern.covers(permission.as_str())).cloned()
        };
        let above = |role: RoleId| record(role).map(|record| record.parents.clone()).unwrap_or_default();
        let path = shortest(from, |role| covering(role).is_some(), above);
        let pattern = path.last().and_then(|role| covering(*role));
        let names = path.iter().filter_map(|role| record(*role).map(|record| record.name.clone()));
        (names.collect(), pattern)
    }

    /// The shortest way from a group up to another.
    fn group_path(&self, from: GroupId, to: GroupId) -> Vec<Name> {
        let above = |group: GroupId| {
            self.0.groups.get(&group).map(|record| record.parents.clone()).unwrap_or_default()
        };
        self.group_names(&shortest(from, |group| group == to, above))
    }
}

/// What roles and relations say of a subject by itself.
fn unrestricted(
    status: SubjectStatus,
    found: &Explanation,
    related: Option<&(Reason, UnixMillis, Option<Related>)>,
) -> Judged {
    let Outcome { reason, valid_until } = found.outcome;
    if status == SubjectStatus::Suspended {
        return Judged { reason: Reason::SubjectSuspended, valid_until };
    }
    let Some((verdict, until, _)) = related.filter(|_| reason.is_ungranted()) else {
        return Judged { reason, valid_until };
    };
    if *verdict == Reason::None && found.ceilings.is_empty() {
        return Judged { reason: Reason::None, valid_until: *until };
    }
    let reason = if *verdict == Reason::None {
        Reason::BeyondCeiling
    } else if *verdict == Reason::NotGranted {
        reason
    } else {
        *verdict
    };
    Judged { reason, valid_until: valid_until.min(*until) }
}

/// The shortest way from one node to one that is wanted, both included; the node alone when there is none.
fn shortest<N: Copy + Ord>(from: N, wanted: impl Fn(N) -> bool, above: impl Fn(N) -> Vec<N>) -> Vec<N> {
    let (mut came_from, mut level) = (BTreeMap::from([(from, from)]), vec![from]);
    while !level.is_empty() {
        if let Some(found) = level.iter().copied().find(|node| wanted(*node)) {
            let mut path = vec![found];
            let mut at = found;
            while let Some(before) = came_from.get(&at).filter(|before| **before != at) {
                path.push(*before);
                at = *before;
            }
            path.reverse();
            return path;
        }
        let mut next = Vec::new();
        for node in level {
            for parent in above(node) {
                came_from.entry(parent).or_insert_with(|| {
                    next.push(parent);
                    node
                });
            }
        }
        level = next;
    }
    vec![from]
}
