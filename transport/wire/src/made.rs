//! What a command made: its receipt, new ids, and secrets that are given once.

use crate::fault::WireError;
use crate::fields::{FieldsWriter, Head};
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use crate::shape::{Shape, shapes};
use tessera_model::load::Loaded;
use tessera_model::{Deadline, Handle, Private, PublicId, Receipt, TenantId};

shapes! {
    /// A command was taken, or changed nothing. No `Debug`: it may hold a secret.
    #[derive(Clone, Default)]
    Made {
        /// The position that the command took, or that the answer was taken at.
        receipt: Receipt = Epoch,
        /// Whether this is a repeat, whose secrets are not given again.
        repeated: bool = Repeated,
        /// The new tenant.
        tenant: Option<TenantId> = Tenant,
        /// The new subject, or whose the new session or key is.
        subject: Option<PublicId> = Subject,
        /// The public id of the new session or key.
        session: Option<PublicId> = Session,
        /// Its handle, 40 bytes, given once.
        handle: Option<Private> = Handle,
        /// When it ends at the latest.
        expires: Option<Deadline> = Expires,
        /// When it ends unless touched.
        idle_until: Option<Deadline> = IdleUntil,
        /// Its refresh handle, 40 bytes, or the successor of the one that was used.
        refresh: Option<Private> = RefreshHandle,
        /// When the refresh handle ends unless used.
        refresh_until: Option<Deadline> = RefreshUntil,
        /// How many sessions ended, where their number is told.
        ended: Option<u32> = Ended,
        /// The public ids of the sessions that ended for it, oldest first.
        evicted: Vec<PublicId> = Evicted,
        /// The new role.
        role: Option<u32> = RoleId,
        /// The new permission.
        permission: Option<u32> = PermissionId,
        /// The new workspace's index.
        workspace: Option<u32> = WorkspaceIndex,
        /// The new workspace's public id.
        workspace_id: Option<PublicId> = WorkspaceId,
        /// The new client's index.
        client: Option<u32> = ClientIndex,
        /// The new group's id.
        group: Option<u32> = GroupId,
        /// How many entries of a service stayed because they are in use.
        kept: Option<u32> = Kept,
        /// The public id of a new device.
        device: Option<PublicId> = Device,
        /// The public id of a request.
        request: Option<PublicId> = Request,
        /// The public id of an invitation.
        invitation: Option<PublicId> = Invitation,
        /// The new refresh key's number.
        refresh_key: Option<u32> = KeyNumber,
        /// The version of the policies.
        policies: Option<u32> = PolicyVersion,
        /// What became of the rows of a bulk load.
        loaded: Option<Loaded> = RowsMade,
        /// Whether what is private of a subject is erased; ask again while it is not.
        erased: Option<bool> = Erased,
        /// How many subjects a changed rule has not reached yet.
        left: Option<u32> = Left,
    }
}

impl Made {
    /// A command that made nothing new.
    #[must_use]
    pub fn nothing(receipt: Receipt) -> Self {
        Self { receipt, ..Self::default() }
    }

    /// The handle's text form, to be given to its holder.
    #[must_use]
    pub fn handle_text(&self) -> Option<String> {
        text(self.handle.as_ref()?)
    }

    /// The refresh handle's text form, to be given to its holder.
    #[must_use]
    pub fn refresh_text(&self) -> Option<String> {
        text(self.refresh.as_ref()?)
    }
}

fn text(handle: &Private) -> Option<String> {
    let bytes = handle.expose().try_into().ok()?;
    Handle::parse(bytes).ok().map(|handle| handle.to_text())
}

impl Outbox {
    /// Writes a receipt.
    ///
    /// # Errors
    /// None that can happen: a receipt is small.
    pub fn made(&mut self, request_id: u64, head: Head, made: &Made) -> Result<(), WireError> {
        let mut fields = FieldsWriter::new(head);
        made.put(&mut fields);
        self.fields(Kind::Receipt, request_id, &fields)
    }
}

impl Frame<'_> {
    /// Reads a receipt.
    ///
    /// # Errors
    /// [`WireError::BadPayload`] or [`WireError::BadField`].
    pub fn made(&self) -> Result<Made, WireError> {
        Made::take(&self.fields()?.1)
    }
}
