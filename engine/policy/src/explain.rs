//! Why a question is answered as it is: the grants that cover it, and what keeps them from counting.

use crate::conditions::Facts;
use crate::evaluate::Outcome;
use crate::overflow::{begins, ends};
use crate::reach::Reach;
use crate::rules::Rules;
use crate::within::Within;
use tessera_model::grant_condition::{GrantConditionKind, GrantConditions, Grantee};
use tessera_model::record::MemberRecord;
use tessera_model::{
    Deadline, GroupId, PermissionId, Reason, RestrictionId, RoleId, SubjectIndex, UnixMillis, WorkspaceIndex,
};

/// A grant that covers a permission, in the workspace that was asked for or above it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The role that is granted.
    pub role: RoleId,
    /// Where; 0 for the whole tenant.
    pub workspace: WorkspaceIndex,
    /// First instant of the grant.
    pub from: Deadline,
    /// First instant after it.
    pub until: Deadline,
    /// The group that it is granted to, and the subject's own membership that leads there, in the window in which it
    /// does; `None` for a grant
    /// to the subject itself.
    pub through: Option<(GroupId, MemberRecord)>,
    /// The workspace that does not inherit and so keeps the grant out.
    pub wall: Option<WorkspaceIndex>,
    /// The conditions under which it counts; none for any.
    pub conditions: GrantConditions,
    /// The first of them that does not hold.
    pub unmet: Option<GrantConditionKind>,
    /// Whether it does not reach the subject because that is a guest.
    pub guest: bool,
    /// Whether it counts at that instant: both windows hold, its conditions too, no wall is between, and it reaches
    /// the subject.
    pub holds: bool,
}

impl Source {
    /// A grant of which nothing was looked at yet.
    fn standing(
        (role, workspace): (RoleId, WorkspaceIndex),
        (from, until): (Deadline, Deadline),
        through: Option<(GroupId, MemberRecord)>,
    ) -> Self {
        let (conditions, unmet) = (GrantConditions::default(), None);
        let (wall, guest, holds) = (None, false, false);
        Self { role, workspace, from, until, through, wall, conditions, unmet, guest, holds }
    }

    /// Whether both of its windows hold at `now`.
    fn is_in_time(&self, now: UnixMillis) -> bool {
        let holds = |from, until| begins(from) <= now && now < ends(until);
        holds(self.from, self.until)
            && self.through.is_none_or(|(_, member)| holds(member.from, member.until))
    }
}

/// Why a question is answered as it is.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What is answered.
    pub outcome: Outcome,
    /// Every grant that covers the permission, those that count first.
    pub sources: Vec<Source>,
    /// The workspaces whose ceilings cut it, from the one that was asked for upwards.
    pub ceilings: Vec<WorkspaceIndex>,
}

impl Rules {
    /// Explains the answer about a permission in a workspace (0 for the tenant) at `now`, without a key's
    /// restriction. Off the hot path: it walks everything that it names.
    #[must_use]
    pub fn explain(
        &self,
        subject: SubjectIndex,
        permission: PermissionId,
        workspace: WorkspaceIndex,
        now: UnixMillis,
    ) -> Explanation {
        self.explain_under(subject, permission, workspace, (now, &Facts::default()))
    }

    /// As [`Rules::explain`], by what is known of whoever asks.
    #[must_use]
    pub fn explain_under(
        &self,
        subject: SubjectIndex,
        permission: PermissionId,
        workspace: WorkspaceIndex,
        (now, facts): (UnixMillis, &Facts),
    ) -> Explanation {
        let line = self.lines.get(subject.0).copied().unwrap_or_default();
        let outcome = self.evaluate_under(&line, permission, workspace, RestrictionId(0), (now, Some(facts)));
        let (places, guest) = (self.places_above(workspace), line.is_guest());
        let mut sources = vec![];
        let mut add = |mut source: Source| {
            let place = places.iter().find(|(place, _)| *place == source.workspace);
            if let Some((_, wall)) = place
                && self.roles.covers(source.role, permission)
            {
                let grantee =
                    source.through.map_or(Grantee::Subject(subject), |(group, _)| Grantee::Group(group));
                let at = (grantee, source.role, source.workspace);
                source.conditions = self.conditions_of(at.0, at.1, at.2).cloned().unwrap_or_default();
                source.unmet = self.unmet_of(at, facts, now);
                source.wall = *wall;
                source.holds =
                    wall.is_none() && !source.guest && source.unmet.is_none() && source.is_in_time(now);
                sources.push(source);
            }
        };
        for grant in self.grants_of(subject) {
            let (from, until) = (grant.from, grant.until);
            let (role, workspace) = (grant.role, grant.workspace);
            let guest = guest && workspace.0 == 0;
            add(Source { guest, ..Source::standing((role, workspace), (from, until), None) });
        }
        for member in self.memberships_of(subject) {
            for reach in self.reaches(member.group) {
                // The way there counts while both the membership and what lies between do.
                let (from, until) = reach.meet(member.from, member.until);
                if (Reach { from, until, ..reach }).is_empty() {
                    continue;
                }
                let through = Some((reach.group, MemberRecord { from, until, ..member }));
                for grant in self.grants_to(reach.group) {
                    let (from, until) = (grant.from, grant.until);
                    let (role, workspace) = (grant.role, grant.workspace);
                    add(Source { guest, ..Source::standing((role, workspace), (from, until), through) });
                }
            }
        }
        sources.sort_by_key(|source| !source.holds);
        let name = self.permission_name(permission).map_or("", tessera_model::Name::as_str);
        let ceilings = places.iter().map(|(place, _)| *place);
        let ceilings = ceilings.filter(|place| self.workspaces.ceilings.cuts(place.0, name)).collect();
        Explanation { outcome, sources, ceilings }
    }

    /// A workspace and all above it up to the tenant, each with the nearest wall below it.
    fn places_above(&self, workspace: WorkspaceIndex) -> Vec<(WorkspaceIndex, Option<WorkspaceIndex>)> {
        let (mut at, mut wall, mut places) = (workspace, None, vec![]);
        if !self.workspaces.exists(workspace) {
            return places;
        }
        while places.len() <= tessera_model::limits::WORKSPACE_DEPTH_MAX {
            places.push((at, wall));
            if at.0 == 0 {
                break;
            }
            if wall.is_none() && !self.workspaces.inherits(at.0) {
                wall = Some(at);
            }
            at = WorkspaceIndex(self.workspaces.parent(at.0));
        }
        places
    }
}

impl Rules {
    /// What cuts a permission in a workspace although something gives it; none for nothing.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn cut(
        &self,
        restriction: RestrictionId,
        permission: PermissionId,
        workspace: WorkspaceIndex,
    ) -> Option<Reason> {
        if !self.restrictions.lets_through(restriction, permission) {
            return Some(Reason::Restricted);
        }
        (!self.workspaces.lets_through(workspace, permission)).then_some(Reason::BeyondCeiling)
    }
    /// Everything that cuts a permission of a session or key, whether anything gives it or not: what it is restricted
    /// to, and what it must lie in besides. Off the hot path.
    #[must_use]
    pub fn cuts_of(
        &self,
        restriction: RestrictionId,
        permission: PermissionId,
        within: &Within<'_>,
        now: UnixMillis,
    ) -> Cuts {
        let cut = |mask| !self.restrictions.lets_through(mask, permission);
        Cuts {
            restriction: cut(restriction),
            device: within.ceilings.map(cut),
            actor: !self.actor_may(permission, within, now),
        }
    }
}

/// What cuts a permission of a session or key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cuts {
    /// What it is restricted to.
    pub restriction: bool,
    /// The ceilings of a device: that of its level, and its own.
    pub device: [bool; 2],
    /// That whoever acts does not hold it.
    pub actor: bool,
}
