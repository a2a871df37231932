//! Why a question is answered as it is, and what it would be at another time or with another role or grant.

use crate::check::Judged;
use crate::circumstances::circumstances;
use crate::list::Listing;
use crate::policed::Asked;
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
use tessera_policy::{Facts, Rules, Source};
use tessera_relation::{Ask, Explanation, Step, TupleRef};

/// LIMIT: grants that one explanation names; those that count come first.
const SOURCES_MAX: usize = 200;

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct Why {
    /// Who; a key's owner, when it is asked through one.
    pub subject: PublicId,
    /// What the key lets through that is asked through; empty for everything.
    pub allowed: Vec<Pattern>,
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
    /// What is supposed of whoever asks, for conditions of grants.
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
    /// Whether the key that it is asked through cuts it.
    pub restricted: bool,
    /// The workspaces whose ceilings cut it.
    pub ceilings: Vec<Name>,
    /// The relation to the resource that the permission is mapped to; `None` where nothing is.
    pub related: Option<Related>,
    /// Every policy that applies or fails.
    pub policies: Vec<PolicySaid>,
}

impl Listing {
    /// Explains an answer, with what is supposed beside what stands. Changes nothing.
    ///
    /// # Errors
    /// What is named and does not exist.
    pub fn explain(&self, why: &Why, draft: &Draft) -> Result<Explained, Refusal> {
        let record = self.subject(why.subject).ok_or(Refusal::SubjectUnknown)?;
        let subject = record.index;
        let (rules, drafted) = self.drafted(subject, draft)?;
        let workspace = self.place(why.workspace.as_ref())?;
        let permission = rules.permission(PermissionRef::Name(why.permission.as_str()));
        let permission = permission.unwrap_or(PermissionId(0));
        let found = rules.explain_under(subject, permission, workspace, (why.at, &draft.facts));
        let covers = |pattern: &Pattern| pattern.covers(why.permission.as_str());
        let restricted = !why.allowed.is_empty() && !why.allowed.iter().any(covers);
        let reason = match (record.status, found.outcome.reason) {
            (SubjectStatus::Suspended, _) => Reason::SubjectSuspended,
            (SubjectStatus::Active | SubjectStatus::Deleted, Reason::None | Reason::BeyondCeiling)
                if restricted =>
            {
                Reason::Restricted
            }
            (SubjectStatus::Active | SubjectStatus::Deleted, reason) => reason,
        };
        let sources = found.sources.iter().take(SOURCES_MAX);
        let (mut reason, mut valid_until, mut shown) = (reason, found.outcome.valid_until, None);
        if let Some(resource) = why.resource.as_deref() {
            let (verdict, until, related) = self.related(record.id, permission, resource, why.at);
            if reason.is_ungranted() {
                let given = verdict == Reason::None;
                reason = if given && restricted {
                    Reason::Restricted
                } else if given && !found.ceilings.is_empty() {
                    Reason::BeyondCeiling
                } else if verdict == Reason::NotGranted {
                    reason
                } else {
                    verdict
                };
                valid_until = if reason == Reason::None { until } else { valid_until.min(until) };
            }
            shown = related;
        }
        let judged = Judged { reason, valid_until };
        let of = (subject, permission, workspace);
        let supposed = (&rules, drafted.as_ref());
        let (Judged { reason, valid_until }, policies) =
            self.policed(why, of, supposed, (judged, restricted, draft.facts))?;
        Ok(Explained {
            policies,
            reason,
            valid_until,
            sources: sources.map(|source| self.because(source, &why.permission, drafted.as_ref())).collect(),
            restricted,
            ceilings: found.ceilings.iter().filter_map(|at| self.workspace_name(*at).cloned()).collect(),
            related: shown,
        })
    }

    /// What policies make of an answer, and what each of them says.
    fn policed(
        &self,
        why: &Why,
        (subject, permission, workspace): (SubjectIndex, PermissionId, WorkspaceIndex),
        (rules, drafted): (&Rules, Option<&RoleRecord>),
        (judged, restricted, facts): (Judged, bool, Facts),
    ) -> Result<(Judged, Vec<PolicySaid>), Refusal> {
        let Some(policed) = self.0.policed.as_deref() else { return Ok((judged, Vec::new())) };
        let asked =
            Asked { subject, permission, workspace, restriction: RestrictionId(0), facts, opened: None };
        let came = (why.context.as_deref(), why.entities.as_deref());
        let with = circumstances(&self.0, why.permission.as_str(), came, &["now", "workspace"]);
        let with = with.map_err(|(refusal, _)| refusal)?;
        let of = (&asked, why.resource.as_deref());
        // Policies speak of the roles and groups that are supposed, too.
        let mut supposed = (*self.0).clone();
        supposed.rules = rules.clone();
        if let Some(role) = drafted {
            supposed.roles.insert_mut(role.id, Arc::new(role.clone()));
        }
        let mut ruled = policed.judge(&supposed, judged, of, Some(&with), why.at);
        if ruled.reason == Reason::None && judged.reason != Reason::None && restricted {
            ruled.reason = Reason::Restricted;
        }
        let policies = if permission.0 > ENGINE_PERMISSIONS_MAX {
            said(policed.said(&supposed, of, Some(&with), why.at))
        } else {
            Vec::new()
        };
        Ok((ruled, policies))
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
            Ok(Explanation { answer, path }) => {
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

    /// A copy of the rules with what is supposed, and the role that is.
    fn drafted(&self, subject: SubjectIndex, draft: &Draft) -> Result<(Rules, Option<RoleRecord>), Refusal> {
        let mut rules = self.0.rules.clone();
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
            rules.put_role(&record);
            drafted = Some(record);
        }
        let role = |name: &Name| {
            let fresh = drafted.as_ref().filter(|record| record.name == *name).map(|record| record.id);
            fresh.or_else(|| self.role_named(name)).ok_or(Refusal::RoleUnknown)
        };
        if let Some((name, place)) = &draft.without {
            rules.remove_grant(subject, role(name)?, self.place(place.as_ref())?);
        }
        if let Some((name, place, from, until)) = &draft.grant {
            let (role, workspace) = (role(name)?, self.place(place.as_ref())?);
            if !draft.conditions.is_empty() {
                let (grantee, conditions) = (Grantee::Subject(subject), draft.conditions.clone());
                rules.put_conditions(&GrantConditionsRecord { grantee, role, workspace, conditions });
            }
            rules.put_grant(&GrantRecord { subject, role, workspace, from: *from, until: *until });
        }
        if let Some(name) = &draft.group {
            let group = self.group_named(name).ok_or(Refusal::GroupUnknown)?.id;
            let (from, until) = (Deadline::NONE, Deadline::NONE);
            rules.put_member(&MemberRecord { subject, group, from, until });
        }
        Ok((rules, drafted))
    }

    fn because(&self, source: &Source, permission: &Name, drafted: Option<&RoleRecord>) -> Because {
        let (roles, pattern) = self.role_path(source.role, permission, drafted);
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
    fn role_path(
        &self,
        from: RoleId,
        permission: &Name,
        drafted: Option<&RoleRecord>,
    ) -> (Vec<Name>, Option<Pattern>) {
        let record = |role: RoleId| match drafted.filter(|record| record.id == role) {
            Some(record) => Some(record),
            None => self.0.roles.get(&role).map(|record| &**record),
        };
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
