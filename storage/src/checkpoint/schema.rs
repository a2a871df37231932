//! The tables of `state.redb`, their keys and the form of their values.
//!
//! Keys are bytes in big-endian order, so that a tenant's entries stand together. Every value ends with
//! the first 16 bytes of BLAKE3(table ‖ key ‖ value before): the database's own checksums are not
//! looked at on reads.

use super::share::Sum;
use crate::keys::KeySlot;
use crate::record::{Field, Reader, RecordError, field::put_bytes, field::put_list, field::record};
use crate::store::BucketKind;
use redb::TableDefinition;
use tessera_crypto::digest;
use tessera_model::record::TenantRecord;
use tessera_model::{Epoch, Revision, RowKind, Slot, TenantId};

pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// One entry: what the checkpoint covers.
pub(crate) const META: Table = TableDefinition::new("meta_v1");
/// Tenant → its head, keys' slot and list of buckets.
pub(crate) const DIRECTORY: Table = TableDefinition::new("directory_v1");
/// Tenant, kind, number, part → events.
pub(crate) const BUCKET: Table = TableDefinition::new("bucket_v1");
/// Tenant, kind, key → cold row.
pub(crate) const ROW: Table = TableDefinition::new("row_v1");
/// Tenant, first revision → frames without rows.
pub(crate) const SEGMENT: Table = TableDefinition::new("segment_v1");

/// Tenant → how far its frames stand aside, and its damage if it has any.
pub(crate) const ASIDE: Table = TableDefinition::new("aside_v1");
/// Tenant, revision → a frame that stands aside, as the journal had it.
pub(crate) const ASIDE_FRAME: Table = TableDefinition::new("aside_frame_v1");
/// Tenant, kind, subjects → how many cold rows there are, see [`super::share`].
pub(crate) const SHARE: Table = TableDefinition::new("share_v1");
/// All tables.
pub(crate) const TABLES: [Table; 8] = [META, DIRECTORY, BUCKET, ROW, SEGMENT, ASIDE, ASIDE_FRAME, SHARE];

/// The key of the one entry of [`META`].
pub(crate) const META_KEY: &[u8] = b"meta";
/// The key of the second entry of [`META`].
pub(crate) const ERASING_KEY: &[u8] = b"erasing";
/// The key of the third: what is known of tenants that are being taken from other stores.
pub(crate) const ARRIVING_KEY: &[u8] = b"arriving";
/// The version of values in every table.
pub(crate) const SCHEMA: u16 = 1;
/// Bytes of a value's hash.
pub(crate) const SEAL_BYTES: usize = 16;

/// Which table a value is of, for its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Meta = 1,
    Directory = 2,
    Bucket = 3,
    Row = 4,
    Segment = 5,
    Aside = 6,
    AsideFrame = 7,
    Share = 8,
}

impl Of {
    /// All of them, in the order of [`TABLES`].
    pub(crate) const ALL: [Self; 8] = [
        Self::Meta,
        Self::Directory,
        Self::Bucket,
        Self::Row,
        Self::Segment,
        Self::Aside,
        Self::AsideFrame,
        Self::Share,
    ];

    /// The table of this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|of| *of as u8 == number)
    }

    /// The table's name, for errors.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "state.redb/meta_v1",
            Self::Directory => "state.redb/directory_v1",
            Self::Bucket => "state.redb/bucket_v1",
            Self::Row => "state.redb/row_v1",
            Self::Segment => "state.redb/segment_v1",
            Self::Aside => "state.redb/aside_v1",
            Self::AsideFrame => "state.redb/aside_frame_v1",
            Self::Share => "state.redb/share_v1",
        }
    }
}

/// First 16 bytes of BLAKE3(table ‖ key ‖ value).
pub(crate) fn half_hash(of: Of, key: &[u8], value: &[u8]) -> [u8; SEAL_BYTES] {
    let mut out = [0; SEAL_BYTES];
    for (to, from) in out.iter_mut().zip(digest::hash(&[&[of as u8], key, value])) {
        *to = from;
    }
    out
}

/// Puts the hash behind a value.
pub(crate) fn close(of: Of, key: &[u8], value: &mut Vec<u8>) {
    let hash = half_hash(of, key, value);
    value.extend_from_slice(&hash);
}

/// The value before its hash, if that is right.
pub(crate) fn open<'a>(of: Of, key: &[u8], value: &'a [u8]) -> Result<&'a [u8], RecordError> {
    let (value, hash) = value.split_last_chunk::<SEAL_BYTES>().ok_or(RecordError::Short)?;
    if half_hash(of, key, value) == *hash { Ok(value) } else { Err(RecordError::BadHash) }
}

/// The key of a tenant's directory row, and the beginning of all its other keys.
pub(crate) const fn tenant_key(tenant: TenantId) -> [u8; 8] {
    tenant.0.to_be_bytes()
}

/// The key of one part of a bucket.
pub(crate) fn bucket_key(tenant: TenantId, kind: BucketKind, no: u32, part: u32) -> Vec<u8> {
    let mut key = tenant_key(tenant).to_vec();
    key.push(kind.number());
    key.extend_from_slice(&no.to_be_bytes());
    key.extend_from_slice(&part.to_be_bytes());
    key
}

/// The key of a cold row, or with a part of its key the beginning of several.
pub(crate) fn row_key(tenant: TenantId, kind: RowKind, key: &[u8]) -> Vec<u8> {
    let mut out = tenant_key(tenant).to_vec();
    out.extend_from_slice(&kind.number().to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// Bytes of a row's key before the model's key.
pub(crate) const ROW_KEY_HEAD: usize = 10;

/// The key of a history segment, or of a frame that stands aside.
pub(crate) fn segment_key(tenant: TenantId, first: Revision) -> Vec<u8> {
    let mut key = tenant_key(tenant).to_vec();
    key.extend_from_slice(&first.0.to_be_bytes());
    key
}

/// What the checkpoint covers. The only value of [`META`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Meta {
    pub(crate) schema: u16,
    /// The directory's salt: a file of another directory is told.
    pub(crate) salt: [u8; 32],
    /// The last sequence of the journal that is covered, and the hash of its group.
    pub(crate) covered: u64,
    pub(crate) hash: [u8; 32],
    /// Transactions so far.
    pub(crate) writes: u64,
    /// Slots of the key file below this one are named by directory rows.
    pub(crate) keys_upto: u32,
}

/// Whether a directory row stands for a tenant or for the memory of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    Kept,
    Forgotten,
    /// Copied from another store, whole or not, and not opened: no tenant of this one.
    Arriving,
}

impl Field for Life {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Kept => 1u8.put(out),
            Self::Forgotten => 2u8.put(out),
            Self::Arriving => 3u8.put(out),
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        match u8::take(input)? {
            1 => Ok(Self::Kept),
            2 => Ok(Self::Forgotten),
            3 => Ok(Self::Arriving),
            _ => Err(RecordError::BadNumber),
        }
    }
}

/// LIMIT: sets of keys of a tenant: one for each number that a refresh key can have.
const KEY_SLOTS_MAX: usize = 256;
/// LIMIT: buckets of a tenant: 2^24 places in buckets of 3,500, and as many shares of other kinds.
const BUCKETS_MAX: usize = 65_536;
/// LIMIT: parts of a bucket: 64 × 252 KiB.
const PARTS_MAX: usize = 65_536;

/// A bucket in a directory row's list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listed {
    pub(crate) kind: BucketKind,
    pub(crate) no: u32,
    /// It holds everything before this revision.
    pub(crate) upto: Revision,
    /// The slot of its key; 0 while nothing private was in it.
    pub(crate) key: u32,
    /// The hash of each part.
    pub(crate) parts: Vec<[u8; SEAL_BYTES]>,
}

impl Field for BucketKind {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Self::from_number(u8::take(input)?).ok_or(RecordError::BadNumber)
    }
}

impl Field for Vec<[u8; SEAL_BYTES]> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(PARTS_MAX)
    }
}

/// Slots of keys: a bucket has one at most.
impl Field for Vec<u32> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(BUCKETS_MAX)
    }
}

impl Field for Vec<KeySlot> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(KEY_SLOTS_MAX)
    }
}

impl Field for Vec<Listed> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(BUCKETS_MAX)
    }
}

/// A tenant's directory row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DirectoryRow {
    pub(crate) schema: u16,
    pub(crate) life: Life,
    pub(crate) slot: Slot,
    pub(crate) epoch: Epoch,
    /// Rows and history hold everything before this revision, and so do buckets, unless it is `AHEAD`.
    pub(crate) next: Revision,
    pub(crate) link: [u8; 32],
    /// Its sets of keys in the key file; none when they were not made yet.
    pub(crate) keys: Vec<KeySlot>,
    pub(crate) buckets: Vec<Listed>,
    /// Slots of keys that buckets had until now: they are to be erased.
    pub(crate) old_keys: Vec<u32>,
    /// The shares of its cold rows.
    pub(crate) shares: Sum,
}

/// A directory row whose history is ahead of its buckets: they hold everything before the highest revision that one of
/// them is listed with. A version that does not know it refuses it.
pub(crate) const AHEAD: u16 = 2;

impl DirectoryRow {
    /// How far its buckets reach. What history has behind that is applied by a load, as the tail is.
    pub(crate) fn in_buckets(&self) -> Revision {
        if self.schema != AHEAD {
            return self.next;
        }
        self.buckets.iter().map(|listed| listed.upto).max().unwrap_or_default()
    }
}

/// LIMIT: tenants in which somebody is being erased: as many as a node may have.
const ERASING_MAX: usize = 1 << 20;

/// Tenants in which somebody is being erased.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Erasing {
    pub(crate) schema: u16,
    pub(crate) tenants: Vec<TenantId>,
}

impl Field for Vec<TenantId> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(ERASING_MAX)
    }
}

/// LIMIT: records of tenants that are being taken, see [`crate::moving`].
pub(crate) const ARRIVING_MAX: usize = 512;

/// What is known of the tenants that are being taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ArrivingRows {
    pub(crate) schema: u16,
    pub(crate) records: Vec<TenantRecord>,
}

impl Field for Vec<TenantRecord> {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self, out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.list(ARRIVING_MAX)
    }
}

/// LIMIT: bytes of the texts of a damage: a file's name and a sentence.
const DAMAGE_TEXT_BYTES_MAX: usize = 256;

/// What is kept of a tenant whose frames no actor could take into buckets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AsideRow {
    pub(crate) schema: u16,
    pub(crate) slot: Slot,
    pub(crate) epoch: Epoch,
    /// The frames that stand aside lead to before this revision.
    pub(crate) next: Revision,
    pub(crate) link: [u8; 32],
    /// Why the tenant is refused, where a start found that its journal was damaged.
    pub(crate) damage: Option<AsideDamage>,
}

/// Where the journal was damaged, as the start that found it told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AsideDamage {
    pub(crate) file: Box<str>,
    pub(crate) offset: u64,
    pub(crate) what: Box<str>,
}

impl Field for AsideDamage {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.file.as_bytes(), out);
        self.offset.put(out);
        put_bytes(self.what.as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let text = |input: &mut Reader<'_>| {
            let bytes = input.bytes(DAMAGE_TEXT_BYTES_MAX)?;
            std::str::from_utf8(bytes).map(Box::from).map_err(|_| RecordError::BadText)
        };
        Ok(Self { file: text(input)?, offset: u64::take(input)?, what: text(input)? })
    }
}

record! {
    Erasing { schema, tenants }
    ArrivingRows { schema, records }
    AsideRow { schema, slot, epoch, next, link, damage }
    Meta { schema, salt, covered, hash, writes, keys_upto }
    Listed { kind, no, upto, key, parts }
    DirectoryRow { schema, life, slot, epoch, next, link, keys, buckets, old_keys, shares }
}

/// Decodes a whole value behind its hash.
pub(crate) fn decode<T: Field>(of: Of, key: &[u8], value: &[u8]) -> Result<T, RecordError> {
    let mut input = Reader::new(open(of, key, value)?);
    let found = T::take(&mut input)?;
    input.end()?;
    Ok(found)
}

/// Encodes a whole value with its hash.
pub(crate) fn encode<T: Field>(of: Of, key: &[u8], value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.put(&mut out);
    close(of, key, &mut out);
    out
}
