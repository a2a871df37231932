//! Reading the checkpoint: every value is verified before it is believed.

use super::Checkpoint;
use super::schema::{
    self, BUCKET, DIRECTORY, DirectoryRow, Life, Listed, Of, ROW, ROW_KEY_HEAD, SEAL_BYTES, Table,
};
use super::share;
use crate::batch::Head;
use crate::error::{Damage, StorageError};
use crate::record::{Field, Reader, RecordError, image};
use crate::seal::vault::Safe;
use crate::seal::{self, KeyHeld, PartKey, Place, TENANT};
use crate::store::{Bucket, BucketKind, RowRead};
use redb::{AccessGuard, ReadTransaction, ReadableDatabase};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tessera_model::{Private, Revision, RowKind, TenantId};

/// Damage in one of the tables.
pub(crate) fn damage(of: Of, what: &'static str, tenant: Option<TenantId>) -> StorageError {
    let tenants = tenant.map(|tenant| vec![tenant]);
    StorageError::Damaged(Damage { file: of.name().into(), offset: 0, what: what.into(), tenants })
}

pub(crate) fn fault(of: Of, tenant: TenantId) -> impl Fn(RecordError) -> StorageError + Copy {
    move |error| damage(of, error.text(), Some(tenant))
}

/// Which row that is, without anything private: its kind, and whose.
pub(crate) fn row_named(key: &[u8]) -> String {
    let number = |from: usize, to: usize| {
        key.get(from..to).map(|bytes| bytes.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)))
    };
    let kind = number(8, ROW_KEY_HEAD).and_then(|kind| RowKind::from_number(u16::try_from(kind).ok()?));
    let kind = kind.map_or("unknown", RowKind::name);
    match number(ROW_KEY_HEAD, ROW_KEY_HEAD + 4) {
        Some(subject) => format!("the {kind} row of subject {subject}"),
        None => format!("a {kind} row"),
    }
}

fn row_fault(key: &[u8], tenant: TenantId) -> impl Fn(RecordError) -> StorageError {
    move |error| {
        let what = format!("{}: {}", row_named(key), error.text()).into();
        let file = Of::Row.name().into();
        StorageError::Damaged(Damage { file, offset: 0, what, tenants: Some(vec![tenant]) })
    }
}

/// A panic inside the database, which a damaged file can cause.
#[derive(Debug)]
pub(crate) struct DatabasePanickedError;

impl std::fmt::Display for DatabasePanickedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database panicked: its file is damaged")
    }
}

impl std::error::Error for DatabasePanickedError {}

/// Runs a use of the database; a panic inside it is an error.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, StorageError>) -> Result<T, StorageError> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(StorageError::checkpoint("reading")(DatabasePanickedError)))
}

impl Checkpoint {
    /// Runs `run` in one read transaction.
    pub(crate) fn read<T>(
        &self,
        run: impl FnOnce(&ReadTransaction) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        // Whoever reads may look for a key in between: a second read must not wait for who waits for the first.
        let database = self.database.read_recursive();
        let database = database.as_ref().ok_or(StorageError::LaneStopped)?;
        guarded(|| run(&database.begin_read().map_err(StorageError::checkpoint("beginning to read"))?))
    }

    /// A transaction that stays as it is, whatever is written meanwhile.
    pub(crate) fn snapshot(&self) -> Result<ReadTransaction, StorageError> {
        let database = self.database.read();
        let database = database.as_ref().ok_or(StorageError::LaneStopped)?;
        guarded(|| database.begin_read().map_err(StorageError::checkpoint("beginning to read")))
    }

    /// One verified and decoded value.
    pub(crate) fn value<T: Field>(
        &self,
        table: Table,
        of: Of,
        key: &[u8],
    ) -> Result<Option<T>, StorageError> {
        self.read(|transaction| {
            let Some(value) = raw(transaction, table, key)? else { return Ok(None) };
            schema::decode(of, key, &value).map(Some).map_err(|error| damage(of, error.text(), None))
        })
    }

    /// A tenant's directory row, forgotten ones included.
    pub(crate) fn directory(&self, tenant: TenantId) -> Result<Option<DirectoryRow>, StorageError> {
        self.read(|transaction| directory(transaction, tenant))
    }

    /// Whether there is any directory row.
    pub(crate) fn has_tenants(&self) -> Result<bool, StorageError> {
        self.read(|transaction| {
            let mut found = false;
            scan(transaction, DIRECTORY, &[], &mut |_, _| {
                found = true;
                Ok(false)
            })?;
            Ok(found)
        })
    }

    /// Where every tenant that is not forgotten stands.
    pub(crate) fn tenants(&self) -> Result<BTreeMap<TenantId, Head>, StorageError> {
        self.read(|transaction| {
            let mut found = BTreeMap::new();
            scan(transaction, DIRECTORY, &[], &mut |key, value| {
                let tenant = key.try_into().map(u64::from_be_bytes).map(TenantId).unwrap_or_default();
                // A row that does not read fails its own tenant when it is asked for.
                let row = schema::decode::<DirectoryRow>(Of::Directory, key, value).ok();
                if let Some(row) = kept(row) {
                    found.insert(tenant, head_of(tenant, &row));
                }
                Ok(true)
            })?;
            Ok(found)
        })
    }

    /// One cold row.
    pub(crate) fn row(&self, tenant: TenantId, kind: RowKind, key: &[u8]) -> Result<RowRead, StorageError> {
        let key = schema::row_key(tenant, kind, key);
        self.read(|transaction| {
            let Some(value) = raw(transaction, ROW, &key)? else {
                share::none(transaction, (tenant, &self.salt), &key)?;
                return Ok(RowRead::default());
            };
            decode_row(&key, &value).map_err(row_fault(&key, tenant))
        })
    }

    /// How many cold rows a tenant has.
    pub(crate) fn rows_of(&self, tenant: TenantId) -> Result<u64, StorageError> {
        self.read(|transaction| share::count(transaction, tenant))
    }

    /// Cold rows whose key begins with `prefix`, in order, until `sink` has enough. None of them is missing.
    pub(crate) fn rows(
        &self,
        tenant: TenantId,
        kind: RowKind,
        prefix: &[u8],
        sink: &mut dyn FnMut(Vec<u8>, RowRead) -> bool,
    ) -> Result<(), StorageError> {
        let from = schema::row_key(tenant, kind, prefix);
        self.read(|transaction| {
            for (key, value) in share::rows(transaction, (tenant, &self.salt), &from)? {
                let row = decode_row(&key, &value).map_err(row_fault(&key, tenant))?;
                if !sink(key.get(ROW_KEY_HEAD..).unwrap_or_default().to_vec(), row) {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// Takes a key and its value; false ends the scan.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<bool, StorageError>;

/// Gives every entry whose key begins with `prefix` to `sink`, in order, until it says that it has
/// enough.
pub(crate) fn scan(
    transaction: &ReadTransaction,
    table: Table,
    prefix: &[u8],
    sink: Sink<'_>,
) -> Result<(), StorageError> {
    let table = transaction.open_table(table).map_err(StorageError::checkpoint("opening a table"))?;
    let range = table.range::<&[u8]>(prefix..).map_err(StorageError::checkpoint("reading"))?;
    for entry in range {
        let (key, value) = entry.map_err(StorageError::checkpoint("reading"))?;
        if !key.value().starts_with(prefix) || !sink(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}

/// A value as it stands in a table.
pub(crate) fn raw(
    transaction: &ReadTransaction,
    table: Table,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StorageError> {
    let table = transaction.open_table(table).map_err(StorageError::checkpoint("opening a table"))?;
    let value = table.get(key).map_err(StorageError::checkpoint("reading"))?;
    Ok(value.map(|value| value.value().to_vec()))
}

/// A tenant's directory row within a transaction.
pub(crate) fn directory(
    transaction: &ReadTransaction,
    tenant: TenantId,
) -> Result<Option<DirectoryRow>, StorageError> {
    let key = schema::tenant_key(tenant);
    let Some(value) = raw(transaction, DIRECTORY, &key)? else { return Ok(None) };
    let row: DirectoryRow =
        schema::decode(Of::Directory, &key, &value).map_err(fault(Of::Directory, tenant))?;
    if !matches!(row.schema, schema::SCHEMA | schema::AHEAD) {
        return Err(StorageError::NewerFormat { found: row.schema, known: schema::SCHEMA });
    }
    Ok(Some(row))
}

/// A directory row of a tenant that is not forgotten.
pub(crate) fn kept(row: Option<DirectoryRow>) -> Option<DirectoryRow> {
    row.filter(|row| row.life == Life::Kept)
}

/// The head that a directory row stands for.
pub(crate) const fn head_of(tenant: TenantId, row: &DirectoryRow) -> Head {
    Head { tenant, slot: row.slot, epoch: row.epoch, next: row.next, link: row.link }
}

/// Whether a directory row lists each bucket once, in the order in which a load takes them.
pub(crate) fn listed_once(tenant: TenantId, row: &DirectoryRow) -> Result<(), StorageError> {
    let rises = row.buckets.is_sorted_by(|one, next| (one.kind, one.no) < (next.kind, next.no));
    if rises {
        Ok(())
    } else {
        Err(damage(Of::Directory, "a bucket is listed twice, or out of order", Some(tenant)))
    }
}

/// The parts of a listed bucket as they stand in the file, each with its key and verified against the list. They are
/// read where they lie: a copy of every bucket would cost a tenth of a wake.
pub(crate) struct Fetched(Vec<(Vec<u8>, AccessGuard<'static, &'static [u8]>)>);

/// Reads the parts of a listed bucket and verifies them.
pub(crate) fn fetch(
    transaction: &ReadTransaction,
    tenant: TenantId,
    listed: &Listed,
) -> Result<Fetched, StorageError> {
    let table = transaction.open_table(BUCKET).map_err(StorageError::checkpoint("opening a table"))?;
    let parts = (0u32..).zip(&listed.parts).map(|(part, hash)| {
        let key = schema::bucket_key(tenant, listed.kind, listed.no, part);
        let value = table.get(key.as_slice()).map_err(StorageError::checkpoint("reading"))?;
        let value = value.ok_or_else(|| damage(Of::Bucket, "a listed bucket is missing", Some(tenant)))?;
        schema::open(Of::Bucket, &key, value.value()).map_err(fault(Of::Bucket, tenant))?;
        if value.value().last_chunk::<SEAL_BYTES>() != Some(hash) {
            return Err(damage(Of::Bucket, "a bucket is not the listed one", Some(tenant)));
        }
        Ok((key, value))
    });
    parts.collect::<Result<_, _>>().map(Fetched)
}

/// A bucket of its parts. Without keys what is private of it is blank.
pub(crate) fn decode(
    tenant: TenantId,
    listed: &Listed,
    fetched: &Fetched,
    keys: Option<&BucketKeys>,
) -> Result<Bucket, StorageError> {
    let mut bucket = Bucket::of(listed.kind, listed.no, Vec::new());
    let under = keys.and_then(|keys| keys.get(&listed.key));
    for (key, value) in &fetched.0 {
        // Its hash was looked at when it was read.
        let (body, _) = value.value().split_last_chunk::<SEAL_BYTES>().unwrap_or((&[], &[0; SEAL_BYTES]));
        let read = take_bucket(body, listed, &mut bucket).map_err(fault(Of::Bucket, tenant))?;
        if keys.is_none() {
            read.blank(&mut bucket);
            continue;
        }
        let place = Place { tenant, owner: TENANT, kind: seal::BUCKET, key };
        let plain = match (read.sealed(), under) {
            (None, _) => Vec::new(),
            (Some(sealed), Some(under)) => under.open(&place, sealed).ok_or_else(|| {
                damage(Of::Bucket, "what is sealed of a bucket does not open", Some(tenant))
            })?,
            (Some(_), None) => {
                return Err(damage(Of::Bucket, "a sealed bucket names no key", Some(tenant)));
            }
        };
        read.fill(&plain, &mut bucket).map_err(fault(Of::Bucket, tenant))?;
    }
    Ok(bucket)
}

/// A listed bucket, all its parts verified against the list. Without keys what is private of it is blank.
pub(crate) fn bucket(
    transaction: &ReadTransaction,
    tenant: TenantId,
    listed: &Listed,
    keys: Option<&BucketKeys>,
) -> Result<Bucket, StorageError> {
    decode(tenant, listed, &fetch(transaction, tenant, listed)?, keys)
}

/// The keys of buckets, by their slots.
pub(crate) type BucketKeys = BTreeMap<u32, Arc<PartKey>>;

/// Opens the keys of all buckets that a directory row lists, before any of them is read. Where one was erased, its slot:
/// a row of now lists that bucket with another key, unless it is damaged.
pub(crate) fn bucket_keys(
    tenant: TenantId,
    row: &DirectoryRow,
    safe: &Safe,
) -> Result<Result<BucketKeys, u32>, StorageError> {
    let mut keys = BucketKeys::new();
    for slot in row.buckets.iter().map(|listed| listed.key).filter(|slot| *slot != 0) {
        if keys.contains_key(&slot) {
            continue;
        }
        match safe.key_at(tenant, slot)? {
            KeyHeld::Key(key) => drop(keys.insert(slot, key)),
            KeyHeld::Erased | KeyHeld::Never => return Ok(Err(slot)),
        }
    }
    Ok(Ok(keys))
}

/// Reads a part of a listed bucket, but for what is private of it.
pub(crate) fn take_bucket<'a>(
    body: &'a [u8],
    listed: &Listed,
    bucket: &mut Bucket,
) -> Result<image::Read<'a>, RecordError> {
    let mut input = Reader::new(body);
    let (schema, kind, form) = (u16::take(&mut input)?, BucketKind::take(&mut input)?, u8::take(&mut input)?);
    let (no, upto) = (u32::take(&mut input)?, Revision::take(&mut input)?);
    if schema != schema::SCHEMA || (kind, no, upto) != (listed.kind, listed.no, listed.upto) {
        return Err(RecordError::BadHeader);
    }
    image::take_part(form, input, bucket, listed.parts.len())
}

/// The keys of the rows that begin so.
pub(crate) fn row_keys(
    transaction: &ReadTransaction,
    tenant: TenantId,
    kind: RowKind,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StorageError> {
    let mut found = Vec::new();
    scan(transaction, ROW, &schema::row_key(tenant, kind, prefix), &mut |key, _| {
        found.push(key.to_vec());
        Ok(true)
    })?;
    Ok(found)
}

/// One part of a bucket as a value: its image, or its events and sealed what is private of them.
pub(crate) fn put_bucket(listed: &Listed, key: &[u8], (form, body): (u8, &[u8]), sealed: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(body.len() + sealed.len() + 32);
    schema::SCHEMA.put(&mut value);
    listed.kind.put(&mut value);
    form.put(&mut value);
    listed.no.put(&mut value);
    listed.upto.put(&mut value);
    value.extend_from_slice(body);
    value.extend_from_slice(sealed);
    schema::close(Of::Bucket, key, &mut value);
    value
}

/// A cold row as a value.
pub(crate) fn put_row(key: &[u8], value: &Private, revision: Revision) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.expose().len() + 28);
    schema::SCHEMA.put(&mut out);
    0u16.put(&mut out);
    revision.put(&mut out);
    out.extend_from_slice(value.expose());
    schema::close(Of::Row, key, &mut out);
    out
}

pub(crate) fn decode_row(key: &[u8], value: &[u8]) -> Result<RowRead, RecordError> {
    let mut input = Reader::new(schema::open(Of::Row, key, value)?);
    let (schema, flags) = (u16::take(&mut input)?, u16::take(&mut input)?);
    if schema != schema::SCHEMA || flags != 0 {
        return Err(RecordError::BadHeader);
    }
    let revision = Revision::take(&mut input)?;
    Ok(RowRead { value: Some(Private::new(input.rest().to_vec())), revision })
}
