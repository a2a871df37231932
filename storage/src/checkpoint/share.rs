//! Shares of cold rows: how many rows stand together, and a sum of their hashes that knows no order.
//!
//! A row that is there proves itself; a row that is not there proves nothing. So the rows of 64 subjects of
//! one kind make a share, which a table of its own counts, and the directory row counts the shares. What a
//! put changes it adds and takes away: nothing is read again. Where a row is looked for and not found, its
//! share is counted anew; when a tenant is loaded, its shares are.

use super::Pending;
use super::read::{Sink, damage, row_named, scan};
use super::schema::{self, Of, ROW, ROW_KEY_HEAD, SEAL_BYTES, SHARE, Table};
use crate::error::{Damage, StorageError};
use crate::record::{RecordError, field::record};
use redb::ReadTransaction;
use std::collections::BTreeMap;
use tessera_crypto::digest;
use tessera_model::{RowKind, TenantId};

/// Bytes of a row's key that name its share: tenant, kind and subject.
const SHARE_KEY_BYTES: usize = ROW_KEY_HEAD + 4;
/// What of the last of them counts: 64 subjects stand together.
const SHARE_MASK: u8 = 0xc0;

/// How many rows there are, and the sum of their keyed hashes, modulo 2^128.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) hashes: [u8; SEAL_BYTES],
}

/// The key of the sums: the directory's salt.
pub(crate) type Salt = [u8; 32];

impl Sum {
    /// Puts a value in, and takes another of the same key out.
    fn replace(&mut self, salt: &Salt, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let mut hashes = u128::from_le_bytes(self.hashes);
        if let Some(old) = old {
            self.count = self.count.wrapping_sub(1);
            hashes = hashes.wrapping_sub(weight(salt, key, old));
        }
        if let Some(new) = new {
            self.count = self.count.wrapping_add(1);
            hashes = hashes.wrapping_add(weight(salt, key, new));
        }
        self.hashes = hashes.to_le_bytes();
    }
}

/// What an entry adds to its sum: the keyed hash of its key and of the hash that its value ends with.
fn weight(salt: &Salt, key: &[u8], value: &[u8]) -> u128 {
    let seal = value.last_chunk::<SEAL_BYTES>().copied().unwrap_or_default();
    let hash = digest::keyed(salt, &[key, &seal]);
    u128::from_le_bytes(hash.first_chunk().copied().unwrap_or_default())
}

record! { Sum { count, hashes } }

/// The sum of a share, as a value of [`SHARE`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Share {
    pub(crate) schema: u16,
    pub(crate) rows: Sum,
}

record! { Share { schema, rows } }

/// The key of the share that a row's key, or the beginning of several, belongs to.
fn share_of(key: &[u8]) -> Vec<u8> {
    let mut share = key.get(..SHARE_KEY_BYTES).unwrap_or(key).to_vec();
    if let (SHARE_KEY_BYTES, Some(last)) = (share.len(), share.last_mut()) {
        *last &= SHARE_MASK;
    }
    share
}

fn stored(transaction: &ReadTransaction, table: Table) -> Result<impl Fn(&[u8]) -> Stored, StorageError> {
    let table = transaction.open_table(table).map_err(StorageError::checkpoint("opening a table"))?;
    Ok(move |key: &[u8]| {
        let value = table.get(key).map_err(StorageError::checkpoint("reading"))?;
        Ok(value.map(|value| value.value().to_vec()))
    })
}

type Stored = Result<Option<Vec<u8>>, StorageError>;
/// A share's value until now, and its new sum; none when the value does not read.
type Changed = (Option<Vec<u8>>, Option<Sum>);
/// Rows as they stand: keys and values.
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Adds to a put what its rows change: the sums of their shares, and that of the tenant.
pub(crate) fn add(
    transaction: &ReadTransaction,
    salt: &Salt,
    shares: &mut Sum,
    pending: &mut Pending,
) -> Result<(), StorageError> {
    // Of entries with one key the last counts.
    let rows = pending.entries.iter().filter(|(table, ..)| is(*table, ROW));
    let rows: BTreeMap<&[u8], Option<&[u8]>> =
        rows.map(|(_, key, value)| (key.as_slice(), value.as_deref())).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let (row, share) = (stored(transaction, ROW)?, stored(transaction, SHARE)?);
    let mut changed: BTreeMap<Vec<u8>, Changed> = BTreeMap::new();
    for (key, new) in rows {
        let at = share_of(key);
        if !changed.contains_key(&at) {
            let old = share(&at)?;
            let sum = old.as_deref().map_or(Some(Sum::default()), |old| read(&at, old).ok());
            changed.insert(at.clone(), (old, sum));
        }
        if let Some((_, Some(sum))) = changed.get_mut(&at) {
            sum.replace(salt, key, row(key)?.as_deref(), new);
        }
    }
    for (key, (old, sum)) in changed {
        // One that does not read stays as it is, for whoever looks for a row to find.
        let Some(sum) = sum else { continue };
        let new = (sum != Sum::default())
            .then(|| schema::encode(Of::Share, &key, &Share { schema: schema::SCHEMA, rows: sum }));
        shares.replace(salt, &key, old.as_deref(), new.as_deref());
        pending.entries.push((SHARE, key, new));
    }
    Ok(())
}

fn is(table: Table, other: Table) -> bool {
    use redb::TableHandle;
    table.name() == other.name()
}

fn read(key: &[u8], value: &[u8]) -> Result<Sum, RecordError> {
    let share: Share = schema::decode(Of::Share, key, value)?;
    if share.schema == schema::SCHEMA { Ok(share.rows) } else { Err(RecordError::BadHeader) }
}

/// Whether a tenant's shares are all there, as its directory row says.
pub(crate) fn all_there(
    transaction: &ReadTransaction,
    (tenant, salt): (TenantId, &Salt),
    shares: &Sum,
) -> Result<(), StorageError> {
    let mut found = Sum::default();
    scan(transaction, SHARE, &schema::tenant_key(tenant), &mut |key, value| {
        found.replace(salt, key, None, Some(value));
        Ok(true)
    })?;
    if found == *shares {
        Ok(())
    } else {
        Err(damage(Of::Share, "the counts of cold rows are not the tenant's", Some(tenant)))
    }
}

/// How many rows a tenant has, by its shares. One that does not read is damage for whoever looks for its rows,
/// and not for who counts.
pub(crate) fn count(transaction: &ReadTransaction, tenant: TenantId) -> Result<u64, StorageError> {
    let mut rows = 0_u64;
    // The store's own rows are nobody's.
    let own = schema::row_key(tenant, RowKind::SubjectKey, &[]);
    scan(transaction, SHARE, &schema::tenant_key(tenant), &mut |key, value| {
        if key.starts_with(&own) {
            return Ok(true);
        }
        rows = rows.saturating_add(read(key, value).map_or(0, |sum| sum.count));
        Ok(true)
    })?;
    Ok(rows)
}

/// The rows whose keys begin with `prefix`, in order, as their values stand: all of them, for those that share a
/// count with them are counted too.
pub(crate) fn rows(
    transaction: &ReadTransaction,
    (tenant, salt): (TenantId, &Salt),
    prefix: &[u8],
) -> Result<Rows, StorageError> {
    let from = share_of(prefix);
    let mut sums: BTreeMap<Vec<u8>, Sum> = BTreeMap::new();
    let within = |key: &[u8]| key.starts_with(&from) || share_of(key) == from;
    let missing = |share: &[u8]| {
        let what = format!("{}, or one beside it, is missing", row_named(share)).into();
        let file = Of::Row.name().into();
        StorageError::Damaged(Damage { file, offset: 0, what, tenants: Some(vec![tenant]) })
    };
    let mut found = Vec::new();
    range(transaction, SHARE, &from, &mut |key, value| {
        if !within(key) {
            return Ok(false);
        }
        let sum = read(key, value).map_err(|error| damage(Of::Share, error.text(), Some(tenant)))?;
        sums.insert(key.to_vec(), sum);
        Ok(true)
    })?;
    let mut counted: BTreeMap<Vec<u8>, Sum> = BTreeMap::new();
    range(transaction, ROW, &from, &mut |key, value| {
        if !within(key) {
            return Ok(false);
        }
        if key.starts_with(prefix) {
            found.push((key.to_vec(), value.to_vec()));
        }
        counted.entry(share_of(key)).or_default().replace(salt, key, None, Some(value));
        Ok(true)
    })?;
    let differs = |share: &&Vec<u8>| sums.get(*share) != counted.get(*share);
    match sums.keys().chain(counted.keys()).find(differs) {
        Some(share) => Err(missing(share)),
        None => Ok(found),
    }
}

/// Nothing, where a row was looked for by its key and not found: unless it is there, or was.
pub(crate) fn none(
    transaction: &ReadTransaction,
    of: (TenantId, &Salt),
    key: &[u8],
) -> Result<(), StorageError> {
    if rows(transaction, of, key)?.iter().any(|(found, _)| found == key) {
        let what = format!("{} is where nobody finds it", row_named(key)).into();
        let (file, tenants) = (Of::Row.name().into(), Some(vec![of.0]));
        return Err(StorageError::Damaged(Damage { file, offset: 0, what, tenants }));
    }
    Ok(())
}

/// Gives the entries from a key on to `sink`, until it has enough.
fn range(
    transaction: &ReadTransaction,
    table: Table,
    from: &[u8],
    sink: Sink<'_>,
) -> Result<(), StorageError> {
    let table = transaction.open_table(table).map_err(StorageError::checkpoint("opening a table"))?;
    for entry in table.range::<&[u8]>(from..).map_err(StorageError::checkpoint("reading"))? {
        let (key, value) = entry.map_err(StorageError::checkpoint("reading"))?;
        if !sink(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}
