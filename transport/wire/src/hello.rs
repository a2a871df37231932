//! The first frame of a connection and its answer.

use crate::archive::{self, HelloPayload, HelloReplyPayload};
use crate::check::receipt;
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use tessera_model::{CellId, HandleBytes, PublicId, Receipt, TenantId, UnixMillis};

const HAS_CREDENTIAL: u32 = 1;
const HAS_TENANT: u32 = 2;
const REPLY_BOUND: u16 = 1;

/// Who asks, about which tenant. No `Debug`: it holds a credential.
#[derive(Clone, Copy, Default)]
pub struct Hello {
    /// What the caller knows beyond this version; no bit is given out yet.
    pub features: u64,
    /// The caller's session or key. Without one only the operator's claim is taken.
    pub credential: Option<HandleBytes>,
    /// The tenant asked about, when it is not the credential's own (operators), or there is none.
    pub tenant: Option<TenantId>,
    /// The caller's version, for the node's logs: major × 10^6 + minor × 10^3 + patch.
    pub version: u32,
}

/// The node's answer to Hello.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HelloReply {
    /// What the node knows beyond this version; no bit is given out yet.
    pub features: u64,
    /// The node's wall clock: command ids are stamped with it.
    pub node_time: UnixMillis,
    /// The tenant that the connection is bound to.
    pub tenant: TenantId,
    /// The tenant's published position; zero for a stranger.
    pub seen: Receipt,
    /// Whose credential it is, and its own id; `None` for a stranger.
    pub bound: Option<(PublicId, PublicId)>,
    /// Version of the fleet map; 0 for a node that belongs to no fleet.
    pub map_version: u64,
    /// The node's cell.
    pub cell: CellId,
    /// The node's version: major × 10^6 + minor × 10^3 + patch.
    pub version: u32,
}

impl Outbox {
    /// Writes Hello.
    ///
    /// # Errors
    /// None that can happen: the payload is of one size.
    pub fn hello(&mut self, request_id: u64, hello: &Hello) -> Result<(), WireError> {
        let credential = if hello.credential.is_some() { HAS_CREDENTIAL } else { 0 };
        let tenant = if hello.tenant.is_some() { HAS_TENANT } else { 0 };
        let payload = HelloPayload {
            features: hello.features,
            tenant: hello.tenant.unwrap_or_default().0,
            credential: hello.credential.unwrap_or([0; 40]),
            flags: credential | tenant,
            version: hello.version,
        };
        self.payload(Kind::Hello, request_id, &payload)
    }

    /// Writes the answer to Hello.
    ///
    /// # Errors
    /// None that can happen: the payload is of one size.
    pub fn hello_reply(&mut self, request_id: u64, reply: &HelloReply) -> Result<(), WireError> {
        let (subject, credential) = reply.bound.unwrap_or_default();
        let payload = HelloReplyPayload {
            features: reply.features,
            node_ms: reply.node_time.0,
            tenant: reply.tenant.0,
            epoch: reply.seen.epoch.0,
            revision: reply.seen.revision.0,
            subject: subject.0,
            credential: credential.0,
            map_version: reply.map_version,
            cell: reply.cell.0,
            flags: if reply.bound.is_some() { REPLY_BOUND } else { 0 },
            version: reply.version,
        };
        self.payload(Kind::HelloReply, request_id, &payload)
    }
}

impl Frame<'_> {
    /// Reads Hello.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn hello(&self) -> Result<Hello, WireError> {
        let payload = archive::read::<archive::ArchivedHelloPayload>(self.payload)?;
        let flags = payload.flags.to_native();
        if flags & !(HAS_CREDENTIAL | HAS_TENANT) != 0 {
            return Err(WireError::BadPayload);
        }
        Ok(Hello {
            features: payload.features.to_native(),
            credential: (flags & HAS_CREDENTIAL != 0).then_some(payload.credential),
            tenant: (flags & HAS_TENANT != 0).then_some(TenantId(payload.tenant.to_native())),
            version: payload.version.to_native(),
        })
    }

    /// Reads the answer to Hello.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn hello_reply(&self) -> Result<HelloReply, WireError> {
        let payload = archive::read::<archive::ArchivedHelloReplyPayload>(self.payload)?;
        let bound = match payload.flags.to_native() {
            0 => None,
            REPLY_BOUND => Some((PublicId(payload.subject), PublicId(payload.credential))),
            _ => return Err(WireError::BadPayload),
        };
        Ok(HelloReply {
            features: payload.features.to_native(),
            node_time: UnixMillis(payload.node_ms.to_native()),
            tenant: TenantId(payload.tenant.to_native()),
            seen: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            bound,
            map_version: payload.map_version.to_native(),
            cell: CellId(payload.cell.to_native()),
            version: payload.version.to_native(),
        })
    }
}
