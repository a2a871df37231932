//! Looking at everything in the checkpoint's file again, a little at a time: damage is found before it is
//! needed.

use super::Checkpoint;
use super::read;
use super::schema::{
    self, ARRIVING_KEY, ArrivingRows, AsideRow, BUCKET, DirectoryRow, ERASING_KEY, Erasing, Life, META_KEY,
    Meta, Of, SEAL_BYTES, TABLES,
};
use super::share;
use crate::error::{Damage, StorageError};
use crate::record::RecordError;
use crate::store::BucketKind;
use redb::ReadTransaction;
use std::ops::Bound;
use tessera_model::TenantId;

/// LIMIT: damage told by one step; what is beyond it is counted at the next pass.
const DAMAGE_MAX: usize = 64;

/// Where a scrub goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scrub {
    /// Which table.
    table: usize,
    /// The key that was looked at last; `None` before the first.
    after: Option<Vec<u8>>,
}

/// What a step of a scrub found.
#[derive(Debug, Default)]
pub struct Scrubbed {
    /// Where the next one goes on; `None` at the end.
    pub next: Option<Scrub>,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// What reads wrong, with the tenant that it concerns.
    pub damage: Vec<Damage>,
}

impl Checkpoint {
    /// Looks at entries behind `from`, some `bytes_max` bytes of them, in one read transaction.
    pub(crate) fn scrub(&self, from: &Scrub, bytes_max: u64) -> Result<Scrubbed, StorageError> {
        let mut found = Scrubbed::default();
        let mut at = from.clone();
        let looked = self.read(|transaction| {
            let mut rows = Rows { transaction, last: None, salt: &self.salt };
            while at.table < TABLES.len() && found.bytes < bytes_max {
                if !step(&mut rows, &mut at, bytes_max, &mut found)? {
                    at = Scrub { table: at.table + 1, after: None };
                }
            }
            Ok(())
        });
        match looked {
            Ok(()) => {}
            Err(error @ StorageError::LaneStopped) => return Err(error),
            Err(error) => {
                // A page of the database itself: what is behind it in this table cannot be reached.
                let of = Of::ALL.get(at.table).copied().unwrap_or(Of::Meta);
                let what = format!("{error}").into();
                found.damage.push(Damage { file: of.name().into(), offset: 0, what, tenants: None });
                at = Scrub { table: at.table + 1, after: None };
            }
        }
        found.next = (at.table < TABLES.len()).then_some(at);
        Ok(found)
    }
}

/// The directory row that was looked up last: buckets of a tenant stand together.
struct Rows<'t> {
    transaction: &'t ReadTransaction,
    last: Option<(TenantId, Option<DirectoryRow>)>,
    salt: &'t share::Salt,
}

impl Rows<'_> {
    fn of(&mut self, tenant: TenantId) -> Option<&DirectoryRow> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != tenant) {
            // One that does not read is told where its table is looked at.
            let row = read::directory(self.transaction, tenant).ok().flatten();
            self.last = Some((tenant, row));
        }
        self.last.as_ref().and_then(|(_, row)| row.as_ref())
    }
}

/// Looks at entries of one table. False when there are no more.
fn step(
    rows: &mut Rows<'_>,
    at: &mut Scrub,
    bytes_max: u64,
    found: &mut Scrubbed,
) -> Result<bool, StorageError> {
    let (Some(definition), Some(of)) = (TABLES.get(at.table), Of::ALL.get(at.table).copied()) else {
        return Ok(false);
    };
    let open = StorageError::checkpoint("opening a table");
    let table = rows.transaction.open_table(*definition).map_err(open)?;
    let after = at.after.clone();
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let entries =
        table.range::<&[u8]>((from, Bound::Unbounded)).map_err(StorageError::checkpoint("reading"))?;
    for entry in entries {
        let (key, value) = entry.map_err(StorageError::checkpoint("reading"))?;
        let (key, value) = (key.value(), value.value());
        if at.after.as_deref().is_some_and(|after| key <= after) {
            // Whoever went on from here would never end.
            let what = "keys stand out of order".into();
            found.damage.push(Damage { file: of.name().into(), offset: 0, what, tenants: None });
            return Ok(false);
        }
        found.bytes += (key.len() + value.len()) as u64;
        if let Err(wrong) = look(rows, of, key, value)
            && found.damage.len() < DAMAGE_MAX
        {
            found.damage.push(wrong);
        }
        at.after = Some(key.to_vec());
        if found.bytes >= bytes_max {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one entry is what was written, and stands to the others as it must.
fn look(rows: &mut Rows<'_>, of: Of, key: &[u8], value: &[u8]) -> Result<(), Damage> {
    let tenant = key.first_chunk().copied().map(u64::from_be_bytes).map(TenantId);
    let tenant = tenant.filter(|_| !matches!(of, Of::Meta));
    let tenants = tenant.map(|tenant| vec![tenant]);
    let wrong = |what: &'static str| {
        let what = match of {
            Of::Row => format!("{}: {what}", read::row_named(key)).into(),
            Of::Bucket => named_bucket(key, what).into(),
            Of::Segment | Of::AsideFrame => named_frames(key, what).into(),
            Of::Share => format!("the count beside {}: {what}", read::row_named(key)).into(),
            Of::Meta | Of::Directory | Of::Aside => what.into(),
        };
        Damage { file: of.name().into(), offset: 0, what, tenants: tenants.clone() }
    };
    let fault = |error: RecordError| wrong(error.text());
    schema::open(of, key, value).map_err(fault)?;
    match of {
        Of::Meta if key == ERASING_KEY => {
            schema::decode::<Erasing>(of, key, value).map(|_| ()).map_err(fault)
        }
        Of::Meta if key == ARRIVING_KEY => {
            schema::decode::<ArrivingRows>(of, key, value).map(|_| ()).map_err(fault)
        }
        Of::Meta => schema::decode::<Meta>(of, META_KEY, value).map(|_| ()).map_err(fault),
        Of::Aside => schema::decode::<AsideRow>(of, key, value).map(|_| ()).map_err(fault),
        Of::Directory => {
            let row = schema::decode::<DirectoryRow>(of, key, value).map_err(fault)?;
            let Some(tenant) = tenant.filter(|_| row.life == Life::Kept) else { return Ok(()) };
            let missing = || wrong("a listed bucket is missing");
            let table = rows.transaction.open_table(BUCKET).map_err(|_| missing())?;
            for listed in &row.buckets {
                for part in 0..u32::try_from(listed.parts.len()).unwrap_or(u32::MAX) {
                    let key = schema::bucket_key(tenant, listed.kind, listed.no, part);
                    table.get(key.as_slice()).ok().flatten().ok_or_else(missing)?;
                }
            }
            told(share::all_there(rows.transaction, (tenant, rows.salt), &row.shares), &wrong)
        }
        Of::Share => {
            let Some(tenant) = tenant else { return Ok(()) };
            told(share::rows(rows.transaction, (tenant, rows.salt), key).map(|_| ()), &wrong)
        }
        Of::Bucket => {
            let Some(tenant) = tenant else { return Ok(()) };
            let Some(row) = rows.of(tenant) else { return Ok(()) };
            let (kind, no, part) = bucket_of(key).ok_or_else(|| wrong("a bucket's key that is none"))?;
            let listed = row.buckets.iter().find(|listed| (listed.kind, listed.no) == (kind, no));
            let hash = listed.and_then(|listed| listed.parts.get(part));
            // One that the list does not name is nobody's, and does no harm.
            if hash.is_some_and(|hash| value.last_chunk::<SEAL_BYTES>() != Some(hash)) {
                return Err(wrong("a bucket is not the listed one"));
            }
            Ok(())
        }
        Of::Row | Of::Segment | Of::AsideFrame => Ok(()),
    }
}

/// What a look at several entries found.
fn told(looked: Result<(), StorageError>, wrong: &dyn Fn(&'static str) -> Damage) -> Result<(), Damage> {
    looked.map_err(|error| {
        if let StorageError::Damaged(damage) = error { damage } else { wrong("it cannot be read") }
    })
}

/// What a bucket's events are about.
const fn about(kind: BucketKind) -> &'static str {
    match kind {
        BucketKind::Places => "places",
        BucketKind::Subjects => "subjects",
        BucketKind::Names => "names",
        BucketKind::Commands => "commands",
        BucketKind::Directory => "tenants",
        BucketKind::Failures => "failed sign-ins",
        BucketKind::Relations => "relations",
    }
}

/// What reads wrong about a bucket, and which it is.
fn named_bucket(key: &[u8], what: &str) -> String {
    match bucket_of(key) {
        Some((kind, no, part)) => format!("part {part} of bucket {no} of {}: {what}", about(kind)),
        None => what.to_owned(),
    }
}

/// What reads wrong about frames, and from which revision on they are.
fn named_frames(key: &[u8], what: &str) -> String {
    match key.get(8..16).and_then(|revision| revision.first_chunk().copied()) {
        Some(revision) => format!("from revision {} on: {what}", u64::from_be_bytes(revision)),
        None => what.to_owned(),
    }
}

/// Kind, number and part of a bucket's key.
fn bucket_of(key: &[u8]) -> Option<(BucketKind, u32, usize)> {
    let kind = BucketKind::from_number(*key.get(8)?)?;
    let no = key.get(9..13)?.first_chunk().copied().map(u32::from_be_bytes)?;
    let part = key.get(13..17)?.first_chunk().copied().map(u32::from_be_bytes)?;
    Some((kind, no, usize::try_from(part).ok()?))
}
