//! The rules of a tenant: what the actor edits, and what readers hold as part of the published root.
//!
//! Writers change a private copy through the `put_` and `remove_` methods, in any order (a grant may
//! come before its role, a child before its parent); each takes the whole resulting value, so that
//! taking it twice changes nothing. A clone costs a few reference counts and stands still for ever.

use crate::chunked::Chunked;
use crate::conditions::Conditions;
use crate::groups::Groups;
use crate::line::Line;
use crate::members::Memberships;
use crate::overflow::SharedOverflow;
use crate::restrictions::Restrictions;
use crate::roles::{Permissions, Registered, Roles};
use crate::ruled::Ruled;
use crate::sets::Sets;
use crate::slab::Slab;
use crate::workspaces::Workspaces;
use tessera_model::limits::SUBJECTS_MAX;
use tessera_model::record::{RestrictionRecord, RoleRecord, SubjectStatus, WorkspaceRecord};
use tessera_model::scope::HeldScope;
use tessera_model::{
    Name, PermissionId, PermissionRef, RestrictionId, RoleId, SubjectIndex, WorkspaceIndex, WorkspaceRef,
};

/// The lines of all subjects. A million of them stand behind 16,000 pointers, 125 KB: over many subjects each check
/// reads another one of these, after its place and before its line, and would wait for memory once more.
pub(crate) type Lines = Chunked<Line, 64, 16>;

/// Everything that decides permissions in one tenant.
#[derive(Clone)]
pub struct Rules {
    pub(crate) lines: Lines,
    pub(crate) members: Memberships,
    pub(crate) sets: Sets,
    pub(crate) workspaces: Workspaces,
    pub(crate) overflows: Slab<SharedOverflow>,
    pub(crate) groups: Groups,
    pub(crate) ruled: Ruled,
    pub(crate) roles: Roles,
    pub(crate) restrictions: Restrictions,
    pub(crate) permissions: Permissions,
    pub(crate) conditions: Conditions,
    pub(crate) subjects: u32,
}

/// How many of each thing the rules hold, for metrics.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Subjects, suspended and deleted ones included.
    pub subjects: u32,
    /// Registered permissions.
    pub permissions: u32,
    /// Roles.
    pub roles: u32,
    /// Workspaces.
    pub workspaces: u32,
    /// Restrictions.
    pub restrictions: u32,
    /// Distinct grant sets.
    pub sets: u32,
    /// Groups.
    pub groups: u32,
    /// Distinct sets of groups that somebody is in.
    pub memberships: u32,
    /// Places (tenant or workspace of a subject, group or membership) that share these sets. Near the number of sets, a
    /// role edit costs as much as its holders.
    pub set_holders: u64,
    /// Subjects, groups and memberships with more workspaces than a line holds, or with what time limits.
    pub overflows: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

impl Rules {
    /// Rules that permit nothing to nobody.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lines: Chunked::new(SUBJECTS_MAX),
            members: Memberships::new(),
            sets: Sets::new(),
            workspaces: Workspaces::new(),
            overflows: Slab::new(u32::MAX),
            groups: Groups::new(),
            ruled: Ruled::new(),
            roles: Roles::new(),
            restrictions: Restrictions::new(),
            permissions: Permissions::new(),
            conditions: Conditions::new(),
            subjects: 0,
        }
    }

    /// Registers a permission's name; patterns of roles and restrictions that match cover it at once.
    ///
    /// COST: looks at every pattern once. When a tenant is loaded, permissions come first.
    pub fn put_permission(&mut self, id: PermissionId, name: &Name) {
        match self.permissions.put(id, name) {
            Registered::Nothing => {}
            Registered::New => {
                self.restrictions.registered(id, name.as_str(), &self.permissions);
                self.workspaces.renamed(&self.permissions);
                let roles = self.roles.registered(id, name.as_str(), &self.permissions);
                self.sets.raise(id, &roles, &self.permissions);
            }
            Registered::Renamed => {
                self.restrictions.renamed(&self.permissions);
                self.workspaces.renamed(&self.permissions);
                let changed = self.roles.renamed(&self.permissions);
                self.sets.rebuild_with(&changed, &self.roles, &self.permissions);
            }
        }
    }

    /// Puts a role and rebuilds the sets that hold it or a role below it, whatever the number of subjects.
    ///
    /// A parent may come later.
    pub fn put_role(&mut self, record: &RoleRecord) {
        let changed = self.roles.put(record, &self.permissions);
        if !changed.is_empty() {
            self.sets.rebuild_with(&changed, &self.roles, &self.permissions);
        }
    }

    /// Removes a role and every grant of it; roles below it cover what it gave them no more.
    pub fn remove_role(&mut self, role: RoleId) {
        self.conditions.drop_where(|(_, of, _)| *of == role);
        let changed = self.roles.remove(role, &self.permissions);
        self.sets.remove_role(role, &self.roles, &self.permissions);
        self.sets.rebuild_with(&changed, &self.roles, &self.permissions);
    }

    /// The roles that have this one for a parent, sorted.
    pub fn roles_below(&self, role: RoleId) -> impl Iterator<Item = RoleId> + '_ {
        self.roles.below(role)
    }

    /// Puts a workspace. When its parent, its inheriting or its ceiling changed, its descendants follow.
    pub fn put_workspace(&mut self, record: &WorkspaceRecord) {
        self.workspaces.put(record, &self.permissions);
    }

    /// The workspaces straight below one.
    #[must_use]
    pub fn workspaces_below(&self, workspace: WorkspaceIndex) -> Vec<WorkspaceIndex> {
        self.workspaces.below(workspace)
    }

    /// Removes a workspace and every grant in it.
    ///
    /// The grants vanish from every answer at once; their entries are reused when their subjects'
    /// grants change.
    pub fn remove_workspace(&mut self, workspace: WorkspaceIndex) {
        self.conditions.drop_where(|(_, _, place)| *place == workspace);
        self.workspaces.remove(workspace);
    }

    /// Puts a restriction.
    pub fn put_restriction(&mut self, record: &RestrictionRecord) {
        self.restrictions.put(record, &self.permissions);
    }

    /// The scopes with filters of a restriction: they lie in no mask, and only a check by scope compares them.
    #[must_use]
    pub fn filtered_scopes(&self, restriction: RestrictionId) -> &[HeldScope] {
        self.restrictions.scopes(restriction)
    }

    /// Removes a restriction; keys that still name it are let through nowhere.
    pub fn remove_restriction(&mut self, restriction: RestrictionId) {
        self.restrictions.remove(restriction);
    }

    /// Puts a subject's status and cut-off. A deleted subject loses its grants for ever.
    pub fn put_subject(&mut self, subject: SubjectIndex, status: SubjectStatus, cut_off: u32) {
        if !Self::is_subject(subject) {
            return;
        }
        if status == SubjectStatus::Deleted {
            self.drop_grants(subject);
        }
        let mut appeared = false;
        self.lines.update(subject.0, |line| {
            appeared = !line.is_present();
            line.put_subject(status, cut_off);
        });
        self.subjects += u32::from(appeared);
        self.follow_values(subject);
    }

    /// Whether an index may be a subject's.
    pub(crate) const fn is_subject(subject: SubjectIndex) -> bool {
        subject.0 != 0 && subject.0 < SUBJECTS_MAX
    }

    /// Notes whether a subject is a guest: what is granted in the whole tenant and to groups does not reach it then.
    /// Changes nothing when there is no such subject.
    pub fn put_guest(&mut self, subject: SubjectIndex, guest: bool) {
        if self.line(subject).is_some_and(|line| line.is_guest() != guest) {
            self.lines.update(subject.0, |line| line.put_guest(guest));
        }
    }

    /// Puts a subject's cut-off alone; changes nothing when there is no such subject.
    pub fn put_cut_off(&mut self, subject: SubjectIndex, cut_off: u32) {
        if self.line(subject).is_some() {
            self.lines.update(subject.0, |line| line.put_cut_off(cut_off));
        }
    }

    /// A subject's line; `None` when there is no such subject. Deleted ones still have theirs.
    #[must_use]
    #[inline]
    pub fn line(&self, subject: SubjectIndex) -> Option<&Line> {
        self.lines.get(subject.0).filter(|line| line.is_present())
    }

    /// Asks for the cache line of a subject's line before it is needed, without waiting for it.
    #[inline]
    pub fn touch_line(&self, subject: SubjectIndex) {
        self.lines.touch(subject.0);
    }

    /// Asks for the cache line of a workspace that a query gives by its index.
    #[inline]
    pub fn touch_workspace(&self, workspace: WorkspaceRef<'_>) {
        if let WorkspaceRef::Index(index) = workspace {
            self.workspaces.touch(index);
        }
    }

    /// The permission that a query names, if it exists. An id costs no hash.
    #[must_use]
    #[inline]
    pub fn permission(&self, query: PermissionRef<'_>) -> Option<PermissionId> {
        match query {
            PermissionRef::Id(id) => self.permissions.exists(id).then_some(id),
            PermissionRef::Name(name) => self.permissions.named(name),
        }
    }

    /// Whether a scope reaches any permission, were it not for its filters. COST: looks at those that begin as its path
    /// does up to a wildcard.
    #[must_use]
    pub fn reaches_any(&self, scope: &tessera_model::Scope<'_>) -> bool {
        self.permissions.any_reached(scope)
    }

    /// The name of a permission.
    #[must_use]
    pub fn permission_name(&self, id: PermissionId) -> Option<&Name> {
        self.permissions.name(id)
    }

    /// The workspace that a query names, if it exists; 0 is the tenant. An index costs no hash.
    #[must_use]
    #[inline]
    pub fn workspace(&self, query: WorkspaceRef<'_>) -> Option<WorkspaceIndex> {
        match query {
            WorkspaceRef::Tenant => Some(WorkspaceIndex(0)),
            WorkspaceRef::Index(index) => self.workspaces.exists(index).then_some(index),
            WorkspaceRef::Name(name) => self.workspaces.named(name),
        }
    }

    /// The name of a workspace.
    #[must_use]
    pub fn workspace_name(&self, workspace: WorkspaceIndex) -> Option<&Name> {
        self.workspaces.name(workspace)
    }

    /// How many of each thing there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let (sets, set_holders) = self.sets.counts();
        Counts {
            subjects: self.subjects,
            permissions: self.permissions.count(),
            roles: self.roles.count(),
            workspaces: self.workspaces.count(),
            restrictions: self.restrictions.count(),
            groups: self.groups.count(),
            memberships: self.members.count(),
            sets,
            set_holders,
            overflows: self.overflows.count(),
        }
    }
}
