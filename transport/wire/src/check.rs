//! One check and its answer: the hot path of the wire.

use crate::archive::{self, CheckPayload, DecisionPayload};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use std::net::{IpAddr, Ipv6Addr};
use tessera_model::limits::NAME_BYTES_MAX;
use tessera_model::{
    CheckQuery, Decision, Epoch, PermissionId, PermissionRef, Reason, Receipt, Revision, UnixMillis,
    WorkspaceIndex, WorkspaceRef,
};

/// Flag of a check: the address field holds one (IPv4 as `::ffff:a.b.c.d`).
pub(crate) const HAS_ADDRESS: u16 = 1;

/// A query's fixed fields as they lie on the wire.
pub(crate) struct Asked<'a> {
    pub(crate) permission: (u32, &'a str),
    pub(crate) workspace: (u32, &'a str),
    pub(crate) address: [u8; 16],
    pub(crate) flags: u16,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(query: &CheckQuery<'a>) -> Self {
        let (address, flags) = address_of(query.address);
        let permission = match query.permission {
            PermissionRef::Id(id) => (id.0, ""),
            PermissionRef::Name(name) => (0, name),
        };
        Self { permission, workspace: workspace_of(query.workspace), address, flags }
    }

    pub(crate) fn names(&self) -> Vec<u8> {
        // COST: no allocation when both are ids.
        let mut names = Vec::new();
        names.extend_from_slice(self.permission.1.as_bytes());
        names.extend_from_slice(self.workspace.1.as_bytes());
        names
    }
}

/// Number and name of a workspace in a query.
pub(crate) const fn workspace_of<'a>(workspace: WorkspaceRef<'a>) -> (u32, &'a str) {
    match workspace {
        WorkspaceRef::Tenant => (0, ""),
        WorkspaceRef::Index(index) => (index.0, ""),
        WorkspaceRef::Name(name) => (0, name),
    }
}

/// The length of a name as the wire carries it, of so many bytes at most. Over-long names are not sent.
pub(crate) fn length_within(name: &str, most: usize) -> Result<u16, WireError> {
    if name.len() > most {
        return Err(WireError::BadPayload);
    }
    u16::try_from(name.len()).map_err(|_| WireError::BadPayload)
}

/// As [`length_within`], of names of nouns.
pub(crate) fn length_of(name: &str) -> Result<u16, WireError> {
    length_within(name, NAME_BYTES_MAX)
}

/// As [`name_within`], of names of nouns.
pub(crate) fn name_from<'a>(names: &mut &'a [u8], len: u16) -> Result<&'a str, WireError> {
    name_within(names, len, NAME_BYTES_MAX)
}

/// Takes a name of `len` bytes, at most so many, from the front of `names`.
pub(crate) fn name_within<'a>(names: &mut &'a [u8], len: u16, most: usize) -> Result<&'a str, WireError> {
    let len = usize::from(len);
    if len > most {
        return Err(WireError::BadPayload);
    }
    let (name, rest) = names.split_at_checked(len).ok_or(WireError::BadPayload)?;
    *names = rest;
    str::from_utf8(name).map_err(|_| WireError::BadPayload)
}

pub(crate) fn permission_from<'a>(id: u32, name: &'a str) -> Result<PermissionRef<'a>, WireError> {
    match (id, name.is_empty()) {
        (id, true) => Ok(PermissionRef::Id(PermissionId(id))),
        (0, false) => Ok(PermissionRef::Name(name)),
        (_, false) => Err(WireError::BadPayload),
    }
}

pub(crate) fn workspace_from<'a>(index: u32, name: &'a str) -> Result<WorkspaceRef<'a>, WireError> {
    match (index, name.is_empty()) {
        (0, true) => Ok(WorkspaceRef::Tenant),
        (index, true) => Ok(WorkspaceRef::Index(WorkspaceIndex(index))),
        (0, false) => Ok(WorkspaceRef::Name(name)),
        (_, false) => Err(WireError::BadPayload),
    }
}

/// An address and the flag that there is one.
pub(crate) const fn address_of(address: Option<IpAddr>) -> ([u8; 16], u16) {
    match address {
        Some(IpAddr::V4(address)) => (address.to_ipv6_mapped().octets(), HAS_ADDRESS),
        Some(IpAddr::V6(address)) => (address.octets(), HAS_ADDRESS),
        None => ([0; 16], 0),
    }
}

pub(crate) fn address_from(flags: u16, octets: &[u8; 16]) -> Result<Option<IpAddr>, WireError> {
    match flags {
        0 => Ok(None),
        HAS_ADDRESS => Ok(Some(IpAddr::V6(Ipv6Addr::from(*octets)).to_canonical())),
        _ => Err(WireError::BadPayload),
    }
}

/// A position as it lies on the wire.
pub(crate) const fn receipt(epoch: u64, revision: u64) -> Receipt {
    Receipt { epoch: Epoch(epoch), revision: Revision(revision) }
}

pub(crate) fn reason_from(code: u16) -> Result<Reason, WireError> {
    Reason::from_code(code).ok_or(WireError::BadPayload)
}

impl Outbox {
    /// Writes one check.
    ///
    /// # Errors
    /// [`WireError::BadPayload`] for a name over 128 bytes.
    pub fn check(&mut self, request_id: u64, query: &CheckQuery<'_>) -> Result<(), WireError> {
        let asked = Asked::of(query);
        let payload = CheckPayload {
            epoch: query.at_least.epoch.0,
            revision: query.at_least.revision.0,
            handle: *query.handle,
            address: asked.address,
            permission: asked.permission.0,
            workspace: asked.workspace.0,
            flags: asked.flags,
            permission_len: length_of(asked.permission.1)?,
            workspace_len: length_of(asked.workspace.1)?,
            pad: 0,
            names: asked.names(),
        };
        self.payload(Kind::Check, request_id, &payload)
    }

    /// Writes the answer to one check.
    ///
    /// # Errors
    /// None that can happen: the payload is of one size.
    pub fn decision(&mut self, request_id: u64, decision: &Decision) -> Result<(), WireError> {
        let payload = DecisionPayload {
            epoch: decision.seen.epoch.0,
            revision: decision.seen.revision.0,
            valid_until_ms: decision.valid_until.0,
            reason: decision.reason.code(),
            flags: 0,
            pad: 0,
        };
        self.payload(Kind::Decision, request_id, &payload)
    }
}

impl<'a> Frame<'a> {
    /// Reads a check in place: the query borrows from the receive buffer.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn check(&self) -> Result<CheckQuery<'a>, WireError> {
        let payload = archive::read::<archive::ArchivedCheckPayload>(self.payload)?;
        let mut names = payload.names.as_slice();
        let permission = name_from(&mut names, payload.permission_len.to_native())?;
        let workspace = name_from(&mut names, payload.workspace_len.to_native())?;
        if !names.is_empty() {
            return Err(WireError::BadPayload);
        }
        Ok(CheckQuery {
            handle: &payload.handle,
            permission: permission_from(payload.permission.to_native(), permission)?,
            workspace: workspace_from(payload.workspace.to_native(), workspace)?,
            at_least: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            address: address_from(payload.flags.to_native(), &payload.address)?,
        })
    }

    /// Reads the answer to a check. A reason that this build does not know is an error, never a Permit.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn decision(&self) -> Result<Decision, WireError> {
        let payload = archive::read::<archive::ArchivedDecisionPayload>(self.payload)?;
        if payload.flags.to_native() != 0 {
            return Err(WireError::BadPayload);
        }
        Ok(Decision {
            reason: reason_from(payload.reason.to_native())?,
            seen: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            valid_until: UnixMillis(payload.valid_until_ms.to_native()),
        })
    }
}
