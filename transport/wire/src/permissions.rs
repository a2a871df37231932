//! What the holder of a handle may do in a workspace: a set of permission ids, with names on demand.

use crate::archive::{self, ListPermissionsPayload, NameItem, PermissionsPayload};
use crate::check::{
    address_from, address_of, length_of, name_from, reason_from, receipt, workspace_from, workspace_of,
};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use std::net::IpAddr;
use tessera_model::limits::PERMISSIONS_MAX;
use tessera_model::{HandleBytes, PermissionId, Reason, Receipt, UnixMillis, WorkspaceRef};

/// Flag beside that of an address.
const WITH_NAMES: u16 = 2;
/// LIMIT: 64-bit words of a permitted set: 8,192 permissions.
const WORDS_MAX: usize = PERMISSIONS_MAX as usize / 64;

/// What may the holder of this handle do in a workspace?
#[derive(Clone, Copy)]
pub struct ListPermissions<'a> {
    /// The handle as its holder sent it.
    pub handle: &'a HandleBytes,
    /// Where.
    pub workspace: WorkspaceRef<'a>,
    /// The position that the answer must have seen; zero asks for nothing.
    pub at_least: Receipt,
    /// Where the holder's request came from, if the caller is entitled to say so.
    pub address: Option<IpAddr>,
    /// Whether the names of the permitted ids are wanted.
    pub with_names: bool,
    /// Names of ids above this one (a page's `next`); 0 for the first page.
    pub after: PermissionId,
}

/// An id and its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PermissionName {
    /// The id.
    pub id: PermissionId,
    /// The name.
    pub name: String,
}

/// The permitted set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Permissions {
    /// `Reason::None`, or why nothing is permitted.
    pub reason: Reason,
    /// The position the answer was taken at.
    pub seen: Receipt,
    /// The earliest moment at which time alone may change the answer.
    pub valid_until: UnixMillis,
    /// Bit `id mod 64` of word `id / 64` stands for a permission.
    pub words: Vec<u64>,
    /// Names of permitted ids, as many as fit into a frame.
    pub names: Vec<PermissionName>,
    /// Ask again with `after` set to this for more names; 0 when these are all.
    pub next: PermissionId,
}

impl Permissions {
    /// Whether the permission with this id is in the set.
    #[must_use]
    pub fn permits(&self, id: PermissionId) -> bool {
        let word = usize::try_from(id.0 / 64).ok().and_then(|at| self.words.get(at));
        id.0 != 0 && self.reason == Reason::None && word.is_some_and(|word| word >> (id.0 % 64) & 1 == 1)
    }
}

impl Outbox {
    /// Asks for the permitted set.
    ///
    /// # Errors
    /// [`WireError::BadPayload`] for a name over 128 bytes.
    pub fn list_permissions(&mut self, request_id: u64, ask: &ListPermissions<'_>) -> Result<(), WireError> {
        let (workspace, name) = workspace_of(ask.workspace);
        let (address, has_address) = address_of(ask.address);
        let payload = ListPermissionsPayload {
            epoch: ask.at_least.epoch.0,
            revision: ask.at_least.revision.0,
            handle: *ask.handle,
            address,
            workspace,
            workspace_len: length_of(name)?,
            flags: has_address | if ask.with_names { WITH_NAMES } else { 0 },
            after: ask.after.0,
            pad: 0,
            names: name.as_bytes().to_vec(),
        };
        self.payload(Kind::ListPermissions, request_id, &payload)
    }

    /// Answers with the permitted set.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`] when the names do not fit; give fewer and set `next`.
    pub fn permissions(&mut self, request_id: u64, answer: &Permissions) -> Result<(), WireError> {
        let mut payload = PermissionsPayload {
            epoch: answer.seen.epoch.0,
            revision: answer.seen.revision.0,
            valid_until_ms: answer.valid_until.0,
            reason: answer.reason.code(),
            flags: 0,
            next: answer.next.0,
            words: answer.words.clone(),
            items: Vec::with_capacity(answer.names.len()),
            names: Vec::new(),
        };
        for PermissionName { id, name } in &answer.names {
            payload.items.push(NameItem { id: id.0, len: length_of(name)?, pad: 0 });
            payload.names.extend_from_slice(name.as_bytes());
        }
        self.payload(Kind::Permissions, request_id, &payload)
    }
}

impl<'a> Frame<'a> {
    /// Reads the question for the permitted set.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn list_permissions(&self) -> Result<ListPermissions<'a>, WireError> {
        let payload = archive::read::<archive::ArchivedListPermissionsPayload>(self.payload)?;
        let mut names = payload.names.as_slice();
        let name = name_from(&mut names, payload.workspace_len.to_native())?;
        let flags = payload.flags.to_native();
        let address = address_from(flags & !WITH_NAMES, &payload.address)?;
        if !names.is_empty() {
            return Err(WireError::BadPayload);
        }
        Ok(ListPermissions {
            handle: &payload.handle,
            workspace: workspace_from(payload.workspace.to_native(), name)?,
            at_least: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            address,
            with_names: flags & WITH_NAMES != 0,
            after: PermissionId(payload.after.to_native()),
        })
    }

    /// Reads the permitted set.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn permissions(&self) -> Result<Permissions, WireError> {
        let payload = archive::read::<archive::ArchivedPermissionsPayload>(self.payload)?;
        if payload.words.len() > WORDS_MAX {
            return Err(WireError::BadPayload);
        }
        let mut rest = payload.names.as_slice();
        let names = payload
            .items
            .iter()
            .map(|item| {
                let name = name_from(&mut rest, item.len.to_native())?.to_owned();
                Ok(PermissionName { id: PermissionId(item.id.to_native()), name })
            })
            .collect::<Result<Vec<_>, WireError>>()?;
        if !rest.is_empty() {
            return Err(WireError::BadPayload);
        }
        Ok(Permissions {
            reason: reason_from(payload.reason.to_native())?,
            seen: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            valid_until: UnixMillis(payload.valid_until_ms.to_native()),
            words: payload.words.iter().map(|word| word.to_native()).collect(),
            names,
            next: PermissionId(payload.next.to_native()),
        })
    }
}
