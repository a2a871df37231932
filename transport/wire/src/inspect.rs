//! What a handle is, and which ids names have.

use crate::archive::{
    self, ArchivedResolveItem, IntrospectPayload, IntrospectionPayload, ResolveItem, ResolvePayload,
    ResolvedPayload,
};
use crate::check::{address_from, address_of, length_of, name_from, reason_from, receipt};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use std::net::IpAddr;
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::query::Introspection;
use tessera_model::{
    Generation, HandleBytes, Place, PublicId, Reason, Receipt, SubjectIndex, TenantId, UnixMillis,
    WorkspaceIndex,
};

const IS_KEY: u16 = 1;
const NOUN_PERMISSION: u16 = 1;
const NOUN_WORKSPACE: u16 = 2;

/// The public id of something; zeros are none.
fn some(id: [u8; 16]) -> Option<PublicId> {
    (id != [0; 16]).then_some(PublicId(id))
}

/// What is this handle?
#[derive(Clone, Copy)]
pub struct Introspect<'a> {
    /// The handle as its holder sent it.
    pub handle: &'a HandleBytes,
    /// The position that the answer must have seen; zero asks for nothing.
    pub at_least: Receipt,
    /// Where the holder's request came from, if the caller is entitled to say so.
    pub address: Option<IpAddr>,
}

/// Which ids do these names have?
pub enum Resolve<'a> {
    /// A permission.
    Permission(&'a str),
    /// A workspace.
    Workspace(&'a str),
}

/// The names of a `resolve` as received: borrowed from the receive buffer.
pub struct ResolveItems<'a> {
    items: std::slice::Iter<'a, ArchivedResolveItem>,
    names: &'a [u8],
}

impl<'a> Iterator for ResolveItems<'a> {
    type Item = Result<Resolve<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next()?;
        Some(name_from(&mut self.names, item.len.to_native()).and_then(|name| match item.noun.to_native() {
            NOUN_PERMISSION => Ok(Resolve::Permission(name)),
            NOUN_WORKSPACE => Ok(Resolve::Workspace(name)),
            _ => Err(WireError::BadPayload),
        }))
    }
}

/// The ids of names, in their order; 0 for an unknown one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Resolved {
    /// The position the answer was taken at.
    pub seen: Receipt,
    /// The ids.
    pub ids: Vec<u32>,
}

impl Outbox {
    /// Asks what a handle is.
    ///
    /// # Errors
    /// None that can happen: the payload is of one size.
    pub fn introspect(&mut self, request_id: u64, ask: &Introspect<'_>) -> Result<(), WireError> {
        let (address, flags) = address_of(ask.address);
        let payload = IntrospectPayload {
            epoch: ask.at_least.epoch.0,
            revision: ask.at_least.revision.0,
            handle: *ask.handle,
            address,
            flags,
            pad: [0; 6],
        };
        self.payload(Kind::Introspect, request_id, &payload)
    }

    /// Answers what a handle is, or why it is nothing.
    ///
    /// # Errors
    /// None that can happen: the payload is of one size.
    pub fn introspection(
        &mut self,
        request_id: u64,
        answer: &Result<Introspection, (Reason, Receipt)>,
    ) -> Result<(), WireError> {
        let payload = match answer {
            Ok(found) => IntrospectionPayload {
                epoch: found.seen.epoch.0,
                revision: found.seen.revision.0,
                tenant: found.tenant.0,
                authenticated_ms: found.authenticated_at.0,
                expires_ms: found.expires.0,
                idle_until_ms: found.idle_until.0,
                subject: found.subject.0,
                id: found.id.0,
                device: found.device.unwrap_or_default().0,
                actor: found.actor.unwrap_or_default().0,
                subject_index: found.subject_index.0,
                place: found.place.0,
                generation: found.generation.0,
                workspace: found.workspace.0,
                reason: 0,
                flags: if found.key { IS_KEY } else { 0 },
                pad: 0,
            },
            Err((reason, seen)) => IntrospectionPayload {
                epoch: seen.epoch.0,
                revision: seen.revision.0,
                tenant: 0,
                authenticated_ms: 0,
                expires_ms: 0,
                idle_until_ms: 0,
                subject: [0; 16],
                id: [0; 16],
                device: [0; 16],
                actor: [0; 16],
                subject_index: 0,
                place: 0,
                generation: 0,
                workspace: 0,
                reason: reason.code(),
                flags: 0,
                pad: 0,
            },
        };
        self.payload(Kind::Introspection, request_id, &payload)
    }

    /// Asks for the ids of names.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`] over 1,024 names, [`WireError::BadPayload`] for one over 128 bytes.
    pub fn resolve(&mut self, request_id: u64, names: &[Resolve<'_>]) -> Result<(), WireError> {
        if names.len() > BATCH_CHECKS_MAX {
            return Err(WireError::FrameTooLarge);
        }
        let mut payload = ResolvePayload { items: Vec::with_capacity(names.len()), names: Vec::new() };
        for asked in names {
            let (noun, name) = match asked {
                Resolve::Permission(name) => (NOUN_PERMISSION, name),
                Resolve::Workspace(name) => (NOUN_WORKSPACE, name),
            };
            payload.items.push(ResolveItem { noun, len: length_of(name)? });
            payload.names.extend_from_slice(name.as_bytes());
        }
        self.payload(Kind::Resolve, request_id, &payload)
    }

    /// Answers with ids.
    ///
    /// # Errors
    /// None that can happen for 1,024 ids.
    pub fn resolved(&mut self, request_id: u64, resolved: &Resolved) -> Result<(), WireError> {
        let payload = ResolvedPayload {
            epoch: resolved.seen.epoch.0,
            revision: resolved.seen.revision.0,
            ids: resolved.ids.clone(),
        };
        self.payload(Kind::Resolved, request_id, &payload)
    }
}

impl<'a> Frame<'a> {
    /// Reads the question what a handle is.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn introspect(&self) -> Result<Introspect<'a>, WireError> {
        let payload = archive::read::<archive::ArchivedIntrospectPayload>(self.payload)?;
        let at_least = receipt(payload.epoch.to_native(), payload.revision.to_native());
        let address = address_from(payload.flags.to_native(), &payload.address)?;
        Ok(Introspect { handle: &payload.handle, at_least, address })
    }

    /// Reads what a handle is; the inner error says why it is nothing.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn introspection(&self) -> Result<Result<Introspection, (Reason, Receipt)>, WireError> {
        let payload = archive::read::<archive::ArchivedIntrospectionPayload>(self.payload)?;
        let seen = receipt(payload.epoch.to_native(), payload.revision.to_native());
        let reason = reason_from(payload.reason.to_native())?;
        if reason != Reason::None {
            return Ok(Err((reason, seen)));
        }
        Ok(Ok(Introspection {
            tenant: TenantId(payload.tenant.to_native()),
            subject: PublicId(payload.subject),
            subject_index: SubjectIndex(payload.subject_index.to_native()),
            id: PublicId(payload.id),
            place: Place(payload.place.to_native()),
            generation: Generation(payload.generation.to_native()),
            key: payload.flags.to_native() & IS_KEY != 0,
            authenticated_at: UnixMillis(payload.authenticated_ms.to_native()),
            expires: UnixMillis(payload.expires_ms.to_native()),
            idle_until: UnixMillis(payload.idle_until_ms.to_native()),
            workspace: WorkspaceIndex(payload.workspace.to_native()),
            device: some(payload.device),
            actor: some(payload.actor),
            seen,
        }))
    }

    /// Reads the names whose ids are asked for.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn resolve(&self) -> Result<ResolveItems<'a>, WireError> {
        let payload = archive::read::<archive::ArchivedResolvePayload>(self.payload)?;
        let items = payload.items.as_slice();
        let named: usize = items.iter().map(|item| usize::from(item.len.to_native())).sum();
        if items.len() > BATCH_CHECKS_MAX || named != payload.names.len() {
            return Err(WireError::BadPayload);
        }
        Ok(ResolveItems { items: items.iter(), names: payload.names.as_slice() })
    }

    /// Reads ids.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn resolved(&self) -> Result<Resolved, WireError> {
        let payload = archive::read::<archive::ArchivedResolvedPayload>(self.payload)?;
        if payload.ids.len() > BATCH_CHECKS_MAX {
            return Err(WireError::BadPayload);
        }
        Ok(Resolved {
            seen: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            ids: payload.ids.iter().map(|id| id.to_native()).collect(),
        })
    }
}
