//! The model's nouns as records, field by field in the order of docs/file.md.

use super::field::{Blank, Field, Reader, RecordError, put_bytes, put_list, record};
use std::net::IpAddr;
use tessera_model::elevation::{ActingEnd, RequestState};
use tessera_model::invitation::InvitationState;
use tessera_model::limits::{
    ATTRIBUTE_BYTES_MAX, CONDITION_BYTES_MAX, CONDITION_VALUES_MAX, EVICTED_MAX, GROUPS_ABOVE_MAX,
    NAME_BYTES_MAX, NETWORKS_MAX, PATTERN_BYTES_MAX, PATTERNS_MAX, RELATION_MODEL_BYTES_MAX,
    ROLE_PARENTS_MAX, RULE_CONDITIONS_MAX, SCOPE_BYTES_MAX,
};
use tessera_model::record::{
    AttributeKind, AttributeRecord, AttributeValue, CommandIdRecord, EdgeWindow, FailureRecord, GrantRecord,
    GroupGrantRecord, GroupRecord, MemberRecord, PlaceRecord, RestrictionRecord, RoleRecord, SubjectKind,
    SubjectRecord, SubjectStatus, TenantRecord, TenantStatus, WorkspaceRecord,
};
use tessera_model::refresh::{
    ClientRecord, ClientTerms, EndReason, REFRESH_INDEX_MAX, RefreshMode, RefreshRecord,
};
use tessera_model::relation::{RelationMappingRecord, RelationModelRecord, RelationRecord};
use tessera_model::rule::{GroupRule, Match, Term};
use tessera_model::{
    Caller, CellId, ClientIndex, CommandId, Deadline, Epoch, Generation, GroupId, Name, Network, Pattern,
    PermissionId, Place, PublicId, RestrictionId, Revision, RoleId, ServiceIndex, Settings, Slot, TenantId,
    Trust, UnixMillis, Whence, WorkspaceIndex,
};

macro_rules! wrapped {
    ($($type:ident),*) => {$(
        impl Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
                Field::take(input).map(Self)
            }
        }
    )*};
}
wrapped!(
    CellId,
    ClientIndex,
    CommandId,
    Deadline,
    Epoch,
    Generation,
    GroupId,
    PermissionId,
    Place,
    PublicId,
    RestrictionId,
    Revision,
    RoleId,
    ServiceIndex,
    Slot,
    TenantId,
    UnixMillis,
    WorkspaceIndex
);

macro_rules! numbered {
    ($($type:ident),*) => {$(
        impl Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                self.number().put(out);
            }
            fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
                Self::from_number(Field::take(input)?).ok_or(RecordError::BadNumber)
            }
        }
    )*};
}
numbered!(
    ActingEnd,
    AttributeKind,
    EndReason,
    InvitationState,
    RefreshMode,
    RequestState,
    SubjectStatus,
    TenantStatus,
    Trust
);

macro_rules! lists {
    ($($item:ident: $most:ident;)*) => {$(
        impl Field for Vec<$item> {
            fn put(&self, out: &mut Vec<u8>) {
                put_list(self, out);
            }
            fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
                input.list($most)
            }
            fn put_private(&self, out: &mut Vec<u8>) {
                self.iter().for_each(|item| item.put_private(out));
            }
            fn take_private(&mut self, input: &mut Reader<'_>) -> Result<(), RecordError> {
                self.iter_mut().try_for_each(|item| item.take_private(input))
            }
        }
    )*};
}
lists! {
    Pattern: PATTERNS_MAX;
    Network: NETWORKS_MAX;
    RoleId: ROLE_PARENTS_MAX;
    GroupId: GROUPS_ABOVE_MAX;
    EdgeWindow: GROUPS_ABOVE_MAX;
    Term: RULE_CONDITIONS_MAX;
    Match: CONDITION_VALUES_MAX;
}

record! {
    TenantRecord { id, name, status, created }
    SubjectRecord { index, id, kind, status, cut_off, has_password, guest }
    RoleRecord { id, name, patterns, parents, workspace }
    GroupRecord { id, name, parents, windows, rule }
    EdgeWindow { parent, from, until }
    GroupRule { terms, before, settled }
    Term { attribute, matches }
    MemberRecord { subject, group, from, until }
    GroupGrantRecord { group, role, workspace, from, until }
    WorkspaceRecord { index, id, name, parent, inherits, ceiling, owners, personal }
    GrantRecord { subject, role, workspace, from, until }
    RestrictionRecord { id, patterns }
    AttributeRecord { id, name, kind }
    PlaceRecord {
        place, generation, key, acr, tag, subject, workspace, expires, cut_off, idle, restriction, device, opened,
        refresh,
        side,
    }
    ClientTerms { refresh, session_ttl_s, session_idle_s, refresh_ttl_s, sessions_max, evict }
    ClientRecord { index, name, terms }
    CommandIdRecord { id, revision; fingerprint }
    FailureRecord { subject, count, at, until; key }
    RelationRecord { object, relation, subject, from, until }
    RelationModelRecord { version, text, at }
    RelationMappingRecord { permission, type_name, relation }
    Settings {
        session_ttl_s, session_idle_s, argon_memory_kib, argon_passes, argon_lanes, password_bytes_min,
        sign_in_free, sign_in_wait_s, sign_in_wait_s_max, sign_in_failures_max, source_failures_max,
        source_refill_s,
        refresh, refresh_ttl_s, refresh_grace_s, sessions_max, sessions_over_limit,
        public_sign_in, registration,
    }
}

impl Field for SubjectKind {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Person => 1u8.put(out),
            Self::Machine => 2u8.put(out),
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        match u8::take(input)? {
            1 => Ok(Self::Person),
            2 => Ok(Self::Machine),
            _ => Err(RecordError::BadNumber),
        }
    }
}

pub(super) fn text<'a>(input: &mut Reader<'a>, max: usize) -> Result<&'a str, RecordError> {
    str::from_utf8(input.bytes(max)?).map_err(|_| RecordError::BadText)
}

/// A name that was erased.
impl Blank for Name {
    fn blank() -> Self {
        Self::erased()
    }
}

impl Field for Name {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str().as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Self::new(text(input, NAME_BYTES_MAX)?).map_err(|_| RecordError::BadText)
    }
}

/// Names of tuples, and the text of a model: the longest of them is the cap.
impl Field for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        text(input, RELATION_MODEL_BYTES_MAX).map(Into::into)
    }
}

impl Field for Pattern {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str().as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let text = text(input, PATTERN_BYTES_MAX.max(Pattern::SCOPE.len() + SCOPE_BYTES_MAX))?;
        let pattern = Self::new(text).map_err(|_| RecordError::BadText)?;
        // A scope is written in one way.
        if pattern.as_str() == text { Ok(pattern) } else { Err(RecordError::BadText) }
    }
}

impl Field for Network {
    fn put(&self, out: &mut Vec<u8>) {
        match self.address() {
            IpAddr::V4(address) => {
                4u8.put(out);
                address.octets().put(out);
            }
            IpAddr::V6(address) => {
                6u8.put(out);
                address.octets().put(out);
            }
        }
        self.prefix().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let address = match u8::take(input)? {
            4 => IpAddr::from(<[u8; 4]>::take(input)?),
            6 => IpAddr::from(<[u8; 16]>::take(input)?),
            _ => return Err(RecordError::BadNumber),
        };
        let network = Self::new(address, u8::take(input)?).map_err(|_| RecordError::BadNumber)?;
        // A mapped IPv4 network has one form only, the short one.
        if network.address() == address { Ok(network) } else { Err(RecordError::BadNumber) }
    }
}

impl Field for AttributeValue {
    fn put(&self, out: &mut Vec<u8>) {
        self.kind().put(out);
        match self {
            Self::Bool(value) => value.put(out),
            Self::Integer(value) => value.put(out),
            Self::Text(value) => put_bytes(value.as_bytes(), out),
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        match AttributeKind::take(input)? {
            AttributeKind::Bool => bool::take(input).map(Self::Bool),
            AttributeKind::Integer => i64::take(input).map(Self::Integer),
            AttributeKind::Text => text(input, ATTRIBUTE_BYTES_MAX).map(|value| Self::Text(value.into())),
        }
    }
}

impl Field for Match {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Any => 1u8.put(out),
            Self::Is(value) => {
                2u8.put(out);
                put_bytes(value.as_bytes(), out);
            }
            Self::Ends(value) => {
                3u8.put(out);
                put_bytes(value.as_bytes(), out);
            }
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        match u8::take(input)? {
            1 => Ok(Self::Any),
            2 => text(input, CONDITION_BYTES_MAX).map(|value| Self::Is(value.into())),
            3 => text(input, CONDITION_BYTES_MAX).map(|value| Self::Ends(value.into())),
            _ => Err(RecordError::BadNumber),
        }
    }
}

impl Field for Caller {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
        match self {
            Self::Holder { place, generation, subject, .. }
            | Self::Operator { place, generation, subject, .. } => {
                place.put(out);
                generation.put(out);
                subject.put(out);
            }
            Self::Bootstrap | Self::Node | Self::Claimant => {}
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let number = u8::take(input)?;
        match number {
            1 | 2 => {
                let (place, generation, subject) =
                    (Field::take(input)?, Field::take(input)?, Field::take(input)?);
                let from = Whence::default();
                Ok(if number == 1 {
                    Self::Holder { place, generation, subject, from }
                } else {
                    Self::Operator { place, generation, subject, from }
                })
            }
            3 => Ok(Self::Bootstrap),
            4 => Ok(Self::Node),
            5 => Ok(Self::Claimant),
            _ => Err(RecordError::BadNumber),
        }
    }
}

impl Field for RefreshRecord {
    fn put(&self, out: &mut Vec<u8>) {
        self.number.put(out);
        // 24 bits: no record has a larger index.
        let [i0, i1, i2, _] = self.index.min(REFRESH_INDEX_MAX).to_le_bytes();
        [i0, i1, i2].put(out);
        self.rotated_at.put(out);
        self.client.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let number = u8::take(input)?;
        let [i0, i1, i2] = <[u8; 3]>::take(input)?;
        let index = u32::from_le_bytes([i0, i1, i2, 0]);
        Ok(Self { number, index, rotated_at: Field::take(input)?, client: Field::take(input)? })
    }
}

/// Sessions that an opening has evicted: a count of one byte, so that an event of every place of a bucket
/// fits into one part.
impl Field for Vec<(Place, Generation)> {
    fn put(&self, out: &mut Vec<u8>) {
        // More than the cap is refused where it is decided.
        u8::try_from(self.len()).unwrap_or(u8::MAX).put(out);
        self.iter().take(EVICTED_MAX).for_each(|item| item.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let count = usize::from(u8::take(input)?);
        (0..count).map(|_| Field::take(input)).collect()
    }
}
