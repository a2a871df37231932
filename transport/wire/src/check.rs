//! One check and its answer: the hot path of the wire.

use crate::archive::{self, CheckPayload, DecisionPayload};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use std::net::{IpAddr, Ipv6Addr};
use tessera_model::limits::NAME_BYTES_MAX;
use tessera_model::{
    CheckQuery, Decision, Epoch, HandleBytes, PermissionId, PermissionRef, Reason, Receipt, Revision,
    UnixMillis, WorkspaceIndex, WorkspaceRef,
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
        self.flat(Kind::Decision, request_id, words_of(&payload_of(decision)));
        Ok(())
    }
}

const fn payload_of(decision: &Decision) -> DecisionPayload {
    DecisionPayload {
        epoch: decision.seen.epoch.0,
        revision: decision.seen.revision.0,
        valid_until_ms: decision.valid_until.0,
        reason: decision.reason.code(),
        flags: 0,
        pad: 0,
    }
}

/// A decision as it lies on the wire: integers behind one another, as the archive has them.
fn words_of(payload: &DecisionPayload) -> [u64; 4] {
    let DecisionPayload { epoch, revision, valid_until_ms, reason, flags, pad } = payload;
    let last = u64::from(*reason) | u64::from(*flags) << 16 | u64::from(*pad) << 32;
    [*epoch, *revision, *valid_until_ms, last]
}

/// What stands in a check by ids in place of its names: nothing, at the payload's beginning.
const NO_NAMES: [u8; 8] = [0xa8, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// A check by ids from no named address, as it lies in the receive buffer. No `Debug`: it holds a secret.
pub struct CheckByIds<'a> {
    at_least: Receipt,
    handle: &'a HandleBytes,
    permission: PermissionId,
    workspace: WorkspaceIndex,
}

impl<'a> CheckByIds<'a> {
    /// What is asked.
    /// COST: made where it is used, so that no field is stored with others and loaded with others: such a load waits for
    /// everything before it, and keeps the checks of a row from overlapping.
    #[inline(always)]
    #[must_use]
    pub const fn query(&self) -> CheckQuery<'a> {
        let workspace = match self.workspace {
            WorkspaceIndex(0) => WorkspaceRef::Tenant,
            index => WorkspaceRef::Index(index),
        };
        let (handle, permission) = (self.handle, PermissionRef::Id(self.permission));
        CheckQuery { handle, permission, workspace, at_least: self.at_least, address: None }
    }
}

impl<'a> Frame<'a> {
    /// Reads a check by ids as our own encoder lays it out, which is fixed fields alone: what [`Frame::check`] reads, with
    /// no look at an archive. `None` where it is not that.
    #[inline(always)]
    #[must_use]
    pub fn check_by_ids(&self) -> Option<CheckByIds<'a>> {
        let (epoch, rest) = self.payload.split_first_chunk()?;
        let (revision, rest) = rest.split_first_chunk()?;
        let (handle, rest) = rest.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<16>()?;
        let (permission, rest) = rest.split_first_chunk()?;
        let (workspace, rest) = rest.split_first_chunk()?;
        // Flags and two lengths, and behind them a gap, of which nothing is asked.
        let ([f0, f1, l0, l1, l2, l3, _, _], names) = rest.split_first_chunk::<8>()?;
        if (f0 | f1 | l0 | l1 | l2 | l3) != 0 || *names != NO_NAMES {
            return None;
        }
        Some(CheckByIds {
            at_least: receipt(u64::from_le_bytes(*epoch), u64::from_le_bytes(*revision)),
            handle,
            permission: PermissionId(u32::from_le_bytes(*permission)),
            workspace: WorkspaceIndex(u32::from_le_bytes(*workspace)),
        })
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn same(payload: &[u8]) -> bool {
        let header = crate::frame::Header { len: 0, kind: Kind::Check.number(), request_id: 1 };
        let frame = Frame { header, payload };
        let all = |read: Result<CheckQuery<'_>, WireError>| {
            read.map(|query| {
                (
                    *query.handle,
                    query.at_least,
                    query.address,
                    format!("{:?} {:?}", query.permission, query.workspace),
                )
            })
        };
        let short = frame.check_by_ids();
        if let Some(short) = &short {
            assert!(all(Ok(short.query())) == all(frame.check()));
        }
        short.is_some()
    }

    /// PROPERTY: a check by ids is read without a look at an archive, and says what the archive says, whatever its bytes
    /// are; every other check is not read so. METHOD: every byte of each turned in several ways.
    #[test]
    fn checks_are_read_as_archives_are() {
        let handle = std::array::from_fn(|at| at as u8);
        let names = (PermissionRef::Name("orders.read"), WorkspaceRef::Name("shop"));
        let ids = (PermissionRef::Id(PermissionId(7)), WorkspaceRef::Index(WorkspaceIndex(9)));
        let tenant = (PermissionRef::Id(PermissionId(7)), WorkspaceRef::Tenant);
        for (permission, workspace) in [ids, tenant, names] {
            for address in [None, Some(IpAddr::from([10, 1, 2, 3]))] {
                let at_least = receipt(3, 1 << 40);
                let query = CheckQuery { handle: &handle, permission, workspace, at_least, address };
                let (mut outbox, mut inbox) = (Outbox::new(), crate::Inbox::default());
                outbox.check(5, &query).unwrap();
                inbox.extend(outbox.as_bytes());
                let frame = inbox.next_frame().unwrap().unwrap();
                let short = matches!(permission, PermissionRef::Id(_)) && address.is_none();
                assert_eq!(same(frame.payload), short);
                let mut turned = rkyv::util::AlignedVec::<16>::new();
                turned.extend_from_slice(frame.payload);
                for at in 0..turned.len() {
                    let before = turned[at];
                    for bits in [0x01, 0x10, 0x80, 0xff, before] {
                        turned[at] = before ^ bits;
                        same(&turned);
                    }
                    turned[at] = before;
                }
            }
        }
    }

    /// PROPERTY: a decision that is written field by field is the archive.
    #[test]
    fn decisions_are_archives() {
        for reason in [Reason::None, Reason::Expired, Reason::ConditionsUnmet] {
            let decision =
                Decision { reason, seen: receipt(1 << 33, 77), valid_until: UnixMillis(u64::MAX - 5) };
            let (mut ours, mut archived) = (Outbox::new(), Outbox::new());
            ours.decision(9, &decision).unwrap();
            archived.payload(Kind::Decision, 9, &payload_of(&decision)).unwrap();
            assert_eq!(ours.as_bytes(), archived.as_bytes());
        }
    }
}
