//! Cold rows as they are stored: the value sealed under its owner's key.
//!
//! The key of an identifier's row holds its hash, which tells who guesses it: it is stored as a hash under
//! the owner's key, and stands inside what is sealed.

use super::{KeyHeld, Part, PartKey, Place, TENANT, Vault, damaged};
use crate::error::StorageError;
use crate::record::field::put_bytes;
use crate::record::{Reader, RecordError, row::ROW_KEY_BYTES_MAX};
use tessera_model::invitation::key_owner;
use tessera_model::{Private, Row, RowKind, SubjectIndex, TenantId};

/// Bytes of an owner at the beginning of a key.
const OWNER_BYTES: usize = 4;
/// Where damage stands.
const FILE: &str = "state.redb/row_v1";

/// Whose row that is.
pub(crate) fn owner_of(kind: RowKind, key: &[u8]) -> SubjectIndex {
    let first = key.first_chunk().map(|number| u32::from_be_bytes(*number));
    if kind == RowKind::Invitation {
        return first.map_or(TENANT, key_owner);
    }
    first.filter(|_| kind.is_of_subject()).map_or(TENANT, SubjectIndex)
}

/// The row that says which key a subject has.
pub(crate) fn key_row(owner: SubjectIndex, slot: u32) -> Row {
    let value = Some(Private::new(slot.to_le_bytes().to_vec()));
    Row { kind: RowKind::SubjectKey, key: Row::subject_key(owner, &[]), value }
}

/// What such a row says.
pub(crate) fn slot_in(value: &Private) -> Option<u32> {
    value.expose().try_into().ok().map(u32::from_le_bytes)
}

/// Whether a row's key is stored as a hash.
pub(crate) fn is_masked(kind: RowKind, key: &[u8]) -> bool {
    kind == RowKind::Identifier && key.len() > OWNER_BYTES
}

/// The key as it is stored, under the key of its owner.
pub(crate) fn stored_key(kind: RowKind, key: &[u8], under: &PartKey) -> Vec<u8> {
    match key.split_at_checked(OWNER_BYTES) {
        Some((owner, rest)) if is_masked(kind, key) => [owner, &under.row_key(rest)].concat(),
        Some(_) | None => key.to_vec(),
    }
}

/// The row as it is stored.
pub(crate) fn sealed(tenant: TenantId, row: &Row, under: &PartKey) -> Result<Row, StorageError> {
    let key = stored_key(row.kind, &row.key, under);
    let Some(value) = &row.value else { return Ok(Row { kind: row.kind, key, value: None }) };
    let place = Place { tenant, owner: owner_of(row.kind, &key), kind: row.kind.number(), key: &key };
    let value = match row.key.get(OWNER_BYTES..) {
        Some(rest) if is_masked(row.kind, &row.key) => {
            let mut plain = Vec::with_capacity(4 + rest.len() + value.expose().len());
            put_bytes(rest, &mut plain);
            plain.extend_from_slice(value.expose());
            under.seal(&place, &plain)?
        }
        Some(_) | None => under.seal(&place, value.expose())?,
    };
    Ok(Row { kind: row.kind, key, value: Some(Private::new(value)) })
}

/// Opens a stored row: its key and value. `None` where its owner's key was erased.
pub(crate) fn open(
    vault: &dyn Vault,
    tenant: TenantId,
    kind: RowKind,
    (key, value): (&[u8], &Private),
) -> Result<Option<(Vec<u8>, Private)>, StorageError> {
    let named = owner_of(kind, key);
    let wrong =
        |what: &str| damaged(FILE, format!("the {} row of subject {}: {what}", kind.name(), named.0), tenant);
    let part = Part::whole(value.expose()).map_err(|error| wrong(error.text()))?;
    // Before invitations had keys of their own it stood under the tenant's.
    let owner = if kind == RowKind::Invitation && part.owner == TENANT { TENANT } else { named };
    let under = match vault.held(tenant, owner)? {
        KeyHeld::Key(key) => key,
        KeyHeld::Erased => return Ok(None),
        KeyHeld::Never => return Err(wrong("it is sealed, and its key was never made")),
    };
    let place = Place { tenant, owner, kind: kind.number(), key };
    let plain = under.open(&place, &part).ok_or_else(|| wrong("what is sealed does not open"))?;
    if !is_masked(kind, key) {
        return Ok(Some((key.to_vec(), Private::new(plain))));
    }
    let unmask = || {
        let mut input = Reader::new(&plain);
        let rest = input.bytes(ROW_KEY_BYTES_MAX)?;
        let whole = [key.get(..OWNER_BYTES).unwrap_or_default(), rest].concat();
        Ok((whole, Private::new(input.rest().to_vec())))
    };
    unmask().map(Some).map_err(|error: RecordError| wrong(error.text()))
}
