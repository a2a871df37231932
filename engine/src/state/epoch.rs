//! A new epoch of a history, after a restore: nobody knows what happened between the backup and now.

use super::{Decided, State};
use tessera_model::limits::{
    CLIENTS_MAX, GROUPS_MAX, PERMISSIONS_MAX, ROLES_MAX, SUBJECTS_MAX, WORKSPACES_MAX,
};
use tessera_model::{Event, Generation, Place, Refusal, SubjectIndex};
use tessera_storage::BucketKind;

/// LIMIT: tenants that may have been made since a backup: a second for each of twelve days.
const TENANTS_SKIPPED: u64 = 1 << 20;
/// LIMIT: subjects of a tenant that may have been made since a backup: a thousandth of all that it may have.
const SUBJECTS_SKIPPED: u32 = 1 << 16;
/// LIMIT: permissions that may have been registered since a backup: a 32nd of all that a tenant may have.
const PERMISSIONS_SKIPPED: u32 = 1 << 8;
/// LIMIT: workspaces that may have been made since a backup: a 256th of all that a tenant may have.
const WORKSPACES_SKIPPED: u32 = 1 << 12;

/// LIMIT: roles, groups, and clients, that may have been made since a backup: a 256th of all roles that a tenant may have.
const NAMES_SKIPPED: u32 = 1 << 8;

impl State {
    /// All sessions end: those that had ended since the backup must not be alive again. Numbers that somebody
    /// may hold of something that is not there any more are not given to anything else.
    pub(super) fn begin_epoch(&self) -> Result<Decided, Refusal> {
        let skip = |next: u32, some: u32, max: u32| next.saturating_add(some).min(max.max(next));
        let skipped = Event::NumbersSkipped {
            tenant: self.next.tenant.saturating_add(TENANTS_SKIPPED),
            subject: skip(self.next.subject, SUBJECTS_SKIPPED, SUBJECTS_MAX),
            permission: skip(self.next.permission, PERMISSIONS_SKIPPED, PERMISSIONS_MAX),
            workspace: skip(self.next.workspace, WORKSPACES_SKIPPED, WORKSPACES_MAX),
        };
        let names = Event::NamesSkipped {
            role: skip(self.next.role, NAMES_SKIPPED, ROLES_MAX),
            group: skip(self.next.group, NAMES_SKIPPED, GROUPS_MAX),
        };
        // Devices and requests have public ids, by which alone they are known outside.
        let kept = Event::NumbersKept {
            client: skip(self.next.client, NAMES_SKIPPED, CLIENTS_MAX),
            device: self.next.device,
            request: self.next.request,
        };
        let ended = self.cut(SubjectIndex(0), (Place(0), Generation(0)))?;
        Ok(Decided { events: vec![skipped, names, kept, ended], ..Decided::default() })
    }

    pub(super) fn apply_skipped(&mut self, tenant: u64, (subject, permission, workspace): (u32, u32, u32)) {
        self.next.tenant = self.next.tenant.max(tenant);
        self.next.subject = self.next.subject.max(subject);
        self.next.permission = self.next.permission.max(permission);
        self.next.workspace = self.next.workspace.max(workspace);
        self.skipped = Some(Event::NumbersSkipped { tenant, subject, permission, workspace });
    }

    pub(super) fn apply_names_skipped(&mut self, role: u32, group: u32) {
        self.next.role = self.next.role.max(role);
        self.next.group = self.next.group.max(group);
    }

    pub(super) fn apply_kept(&mut self, client: u32, device: u32, request: u32) {
        self.next.client = self.next.client.max(client);
        self.next.device = self.next.device.max(device);
        self.next.request = self.next.request.max(request);
    }

    /// Has the numbers that were given written with what there is once: the last of them goes without a trace.
    pub(super) fn keep_given(&mut self) {
        self.dirty.insert((BucketKind::Names, 0));
    }

    /// Keeps how far numbers were given out where the last one goes without a trace: callers ask by them, and would
    /// be answered for something else.
    pub(super) fn keep_numbers(&mut self) {
        let next = self.next;
        self.apply_skipped(next.tenant, (next.subject, next.permission, next.workspace));
        self.keep_given();
    }
}
