//! The payloads as they lie on the wire: flat structs of fixed integers, fixed arrays and vectors of
//! bytes or flat structs; the root at the end. Nothing outside this crate sees them.
//!
//! INVARIANT: no implicit padding (each gap is a field), no string, option, enum, box, map or nesting.
//! Field order is byte order. Provisional until the first release, frozen from then on.

use crate::fault::WireError;
use rkyv::api::low::{LowValidator, access};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;
use rkyv::{Archive, Portable, Serialize};

/// Validates a payload and reads it in place.
pub(crate) fn read<T>(payload: &[u8]) -> Result<&T, WireError>
where
    T: Portable + for<'a> CheckBytes<LowValidator<'a, Failure>>,
{
    access::<T, Failure>(payload).map_err(|_| WireError::BadPayload)
}

macro_rules! flat {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Archive, Serialize)]
            pub(crate) struct $name { $(pub(crate) $field: $type,)* }

            impl $name {
                /// The layout as docs/wire.md and docs/surface/wire.txt show it.
                pub(crate) const LAYOUT: &'static [(&'static str, &'static str)] =
                    &[$((stringify!($field), stringify!($type)),)*];
            }
        )*
    };
}

flat! {
    HelloPayload {
        features: u64,
        tenant: u64,
        credential: [u8; 40],
        flags: u32,
        version: u32,
    }
    HelloReplyPayload {
        features: u64,
        node_ms: u64,
        tenant: u64,
        epoch: u64,
        revision: u64,
        subject: [u8; 16],
        credential: [u8; 16],
        map_version: u64,
        cell: u16,
        flags: u16,
        version: u32,
    }
    CheckPayload {
        epoch: u64,
        revision: u64,
        handle: [u8; 40],
        address: [u8; 16],
        permission: u32,
        workspace: u32,
        flags: u16,
        permission_len: u16,
        workspace_len: u16,
        pad: u16,
        names: Vec<u8>,
    }
    DecisionPayload {
        epoch: u64,
        revision: u64,
        valid_until_ms: u64,
        reason: u16,
        flags: u16,
        pad: u32,
    }
    CheckItem {
        handle: [u8; 40],
        address: [u8; 16],
        permission: u32,
        workspace: u32,
        flags: u16,
        permission_len: u16,
        workspace_len: u16,
        pad: u16,
    }
    CheckBatchPayload {
        epoch: u64,
        revision: u64,
        items: Vec<CheckItem>,
        names: Vec<u8>,
    }
    DecisionItem {
        valid_until_ms: u64,
        reason: u16,
        flags: u16,
        pad: u32,
    }
    #[derive(Default)]
    DecisionBatchPayload {
        epoch: u64,
        revision: u64,
        items: Vec<DecisionItem>,
    }
    IntrospectPayload {
        epoch: u64,
        revision: u64,
        handle: [u8; 40],
        address: [u8; 16],
        flags: u16,
        pad: [u8; 6],
    }
    IntrospectionPayload {
        epoch: u64,
        revision: u64,
        tenant: u64,
        authenticated_ms: u64,
        expires_ms: u64,
        idle_until_ms: u64,
        subject: [u8; 16],
        id: [u8; 16],
        device: [u8; 16],
        actor: [u8; 16],
        subject_index: u32,
        place: u32,
        generation: u32,
        workspace: u32,
        reason: u16,
        flags: u16,
        pad: u32,
    }
    ListPermissionsPayload {
        epoch: u64,
        revision: u64,
        handle: [u8; 40],
        address: [u8; 16],
        workspace: u32,
        workspace_len: u16,
        flags: u16,
        after: u32,
        pad: u32,
        names: Vec<u8>,
    }
    NameItem {
        id: u32,
        len: u16,
        pad: u16,
    }
    PermissionsPayload {
        epoch: u64,
        revision: u64,
        valid_until_ms: u64,
        reason: u16,
        flags: u16,
        next: u32,
        words: Vec<u64>,
        items: Vec<NameItem>,
        names: Vec<u8>,
    }
    ResolveItem {
        noun: u16,
        len: u16,
    }
    ResolvePayload {
        items: Vec<ResolveItem>,
        names: Vec<u8>,
    }
    ResolvedPayload {
        epoch: u64,
        revision: u64,
        ids: Vec<u32>,
    }
    CheckRelationPayload {
        epoch: u64,
        revision: u64,
        object_len: u16,
        relation_len: u16,
        subject_len: u16,
        flags: u16,
        names: Vec<u8>,
    }
    RelationDecisionPayload {
        epoch: u64,
        revision: u64,
        valid_until_ms: u64,
        steps: u32,
        code: u16,
        flags: u16,
    }
    ErrorPayload {
        code: u16,
        cell: u16,
        retry_ms: u32,
        bound: u64,
        named: Vec<u8>,
        detail: Vec<u8>,
    }
    Field {
        tag: u16,
        kind: u16,
        len: u32,
        number: u64,
    }
    FieldsPayload {
        command_id: [u8; 16],
        tenant: u64,
        fields: Vec<Field>,
        bytes: Vec<u8>,
    }
}
