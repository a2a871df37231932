//! Questions: borrowed from the receive buffer, answered without a copy.

use crate::handle::HandleBytes;
use crate::id::{Generation, PermissionId, Place, PublicId, SubjectIndex, TenantId, WorkspaceIndex};
use crate::revision::Receipt;
use crate::time::UnixMillis;
use std::net::IpAddr;

/// The permission asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PermissionRef<'a> {
    /// By the id that `resolve` returned.
    Id(PermissionId),
    /// By name.
    Name(&'a str),
}

/// The workspace asked in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkspaceRef<'a> {
    /// The tenant itself.
    Tenant,
    /// By the index that `resolve` returned.
    Index(WorkspaceIndex),
    /// By name.
    Name(&'a str),
}

/// Is this session or key alive, and may it do this, there, now?
#[derive(Clone, Copy)]
pub struct CheckQuery<'a> {
    /// The handle as its holder sent it, 40 bytes.
    pub handle: &'a HandleBytes,
    /// What it wants to do.
    pub permission: PermissionRef<'a>,
    /// Where.
    pub workspace: WorkspaceRef<'a>,
    /// The position that the answer must have seen; zero asks for nothing.
    pub at_least: Receipt,
    /// Where the holder's request came from, if the caller is entitled to say so.
    pub address: Option<IpAddr>,
}

/// What is known about a live session or key (RFC 7662's purpose, in our nouns).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Introspection {
    /// The tenant.
    pub tenant: TenantId,
    /// Whose it is: the public id.
    pub subject: PublicId,
    /// The index of whose it is.
    pub subject_index: SubjectIndex,
    /// The public id of the session or key itself.
    pub id: PublicId,
    /// Its place.
    pub place: Place,
    /// The life of the place.
    pub generation: Generation,
    /// Whether it is an API key.
    pub key: bool,
    /// When the holder proved who they are (sessions) or the key was made.
    pub authenticated_at: UnixMillis,
    /// When it ends at the latest.
    pub expires: UnixMillis,
    /// When it ends unless touched; `u64::MAX` for keys.
    pub idle_until: UnixMillis,
    /// The workspace it is bound to, 0 for none.
    pub workspace: WorkspaceIndex,
    /// The device that it stands on.
    pub device: Option<PublicId>,
    /// Who acts in it for its subject (RFC 8693 section 4.1).
    pub actor: Option<PublicId>,
    /// The position the answer was taken at.
    pub seen: Receipt,
}
