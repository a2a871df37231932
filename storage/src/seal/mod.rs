//! Sealed parts: what belongs to a person is on disk under a key of its own, and gone when that is.
//!
//! A part has one owner, a subject or (0) the tenant. A [`Vault`] gives the owner's key: there is one, it
//! was erased, or there never was one. Only of an erased key a part may be passed over; whatever else does
//! not open is damage. The nonce of a part is a keyed hash of all that is sealed: no counter that a crash or
//! a restore could set back, and equal parts alone are sealed alike.

mod draw;
pub(crate) mod frame;
pub(crate) mod row;
mod sealing;
pub(crate) mod vault;

pub(crate) use draw::Draw;
pub use sealing::Sealing;

use crate::error::StorageError;
use crate::record::{Field, Reader, RecordError};
use std::sync::Arc;
use tessera_crypto::seal::{NONCE_BYTES, SEAL_BYTES};
use tessera_crypto::{Key, digest};
use tessera_model::{SubjectIndex, TenantId};

/// First four bytes of a part: no text begins so.
const MAGIC: [u8; 4] = [0xFE, b'T', b'S', b'P'];
/// Bytes of a part beside what is sealed.
pub(crate) const AROUND_BYTES: usize = MAGIC.len() + 4 + 4 + NONCE_BYTES + SEAL_BYTES;
/// LIMIT: bytes of a part: a batch has no more.
const PART_BYTES_MAX: usize = tessera_model::limits::FRAME_WITH_ROWS_BYTES_MAX;

/// The owner of what is nobody's in particular: the tenant.
pub(crate) const TENANT: SubjectIndex = SubjectIndex(0);

/// A key that parts are sealed under, with what is derived from it.
pub(crate) struct PartKey {
    key: Key,
    nonces: Key,
    rows: Key,
}

/// Where a part stands: authenticated with it, and not stored in it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) owner: SubjectIndex,
    /// The kind of a row, or one of [`FRAME`] and [`BUCKET`].
    pub(crate) kind: u16,
    /// What names it within its kind.
    pub(crate) key: &'a [u8],
}

/// The part of a frame; its key is the revision.
pub(crate) const FRAME: u16 = 0xFF01;
/// The part of a bucket; its key is kind, number and part.
pub(crate) const BUCKET: u16 = 0xFF02;

impl Place<'_> {
    fn associated(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(14 + self.key.len());
        out.extend_from_slice(&self.tenant.0.to_le_bytes());
        out.extend_from_slice(&self.owner.0.to_le_bytes());
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(self.key);
        out
    }
}

/// A part as it stands on disk.
pub(crate) struct Part<'a> {
    pub(crate) owner: SubjectIndex,
    nonce: [u8; NONCE_BYTES],
    sealed: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads one from the front.
    pub(crate) fn take(input: &mut Reader<'a>) -> Result<Self, RecordError> {
        if input.array::<4>()? != MAGIC {
            return Err(RecordError::BadHeader);
        }
        let owner = SubjectIndex::take(input)?;
        let len = input.count(PART_BYTES_MAX)?;
        let nonce = input.array()?;
        Ok(Self { owner, nonce, sealed: input.slice(len + SEAL_BYTES)? })
    }

    /// Reads one that is all there is.
    pub(crate) fn whole(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut input = Reader::new(bytes);
        let part = Self::take(&mut input)?;
        input.end()?;
        Ok(part)
    }
}

impl PartKey {
    /// Takes 32 bytes.
    pub(crate) fn new(key: Key) -> Self {
        let derived = |context| Key::new(digest::derive_key(context, key.expose()));
        Self { nonces: derived("tessera part nonce v1"), rows: derived("tessera row key v1"), key }
    }

    /// The key itself.
    pub(crate) const fn sealing(&self) -> &Key {
        &self.key
    }

    /// Seals what stands at `place`.
    pub(crate) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StorageError> {
        let associated = place.associated();
        let len = u32::try_from(associated.len()).unwrap_or(u32::MAX).to_le_bytes();
        let hash = digest::keyed(self.nonces.expose(), &[&len, &associated, plain]);
        let nonce = hash.first_chunk::<NONCE_BYTES>().copied().unwrap_or_default();
        let sealed = self
            .key
            .seal(nonce, &associated, plain)
            .map_err(|_| StorageError::BadOptions("the cipher does not seal"))?;
        let mut out = Vec::with_capacity(AROUND_BYTES + plain.len());
        out.extend_from_slice(&MAGIC);
        place.owner.put(&mut out);
        u32::try_from(plain.len()).unwrap_or(u32::MAX).put(&mut out);
        nonce.put(&mut out);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens a part that stands at `place`. `None` when it is not authentic.
    pub(crate) fn open(&self, place: &Place<'_>, part: &Part<'_>) -> Option<Vec<u8>> {
        if part.owner != place.owner {
            return None;
        }
        self.key.open(part.nonce, &place.associated(), part.sealed).ok()
    }

    /// What stands for the rest of a row's key that would tell something of its own.
    fn row_key(&self, rest: &[u8]) -> [u8; 16] {
        let hash = digest::keyed(self.rows.expose(), &[rest]);
        hash.first_chunk().copied().unwrap_or_default()
    }
}

/// What became of an owner's key.
#[derive(Clone)]
pub(crate) enum KeyHeld {
    /// Here it is.
    Key(Arc<PartKey>),
    /// It was erased.
    Erased,
    /// There never was one.
    Never,
}

/// Gives the keys of owners, and makes them.
pub(crate) trait Vault: Send + Sync {
    /// The key of an owner.
    fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError>;

    /// A key that nobody has yet, durable, and its number. It is its owner's with the row that says so.
    fn draw(&self, tenant: TenantId) -> Result<(u32, Arc<PartKey>), StorageError>;

    /// Makes the keys of a tenant that is born, unless it has them.
    fn bear(&self, tenant: TenantId) -> Result<(), StorageError>;
}

/// A part that does not open although its key was not erased.
pub(crate) fn damaged(file: &str, what: String, tenant: TenantId) -> StorageError {
    StorageError::Damaged(crate::error::Damage {
        file: file.into(),
        offset: 0,
        what: what.into(),
        tenants: Some(vec![tenant]),
    })
}

#[cfg(test)]
pub(crate) mod tests;
