//! The tenants of a node, as the system tenant knows them: 7 bytes and its name for each, packed in shares.
//!
//! It is persistent: a clone shares everything, an edit copies one share of up to 64 tenants. Most tenants sleep, and of
//! one that sleeps this is all that is in memory, with its line in the index of names: a record of its own, with its
//! name and its place in a tree, took 150 bytes (docs/decisions/0043).

use rpds::RedBlackTreeMapSync;
use std::ops::Bound;
use std::sync::Arc;
use tessera_model::record::{TenantRecord, TenantStatus};
use tessera_model::{Deadline, Name, TenantId};

/// Tenants of one share: their ids have all but the last 6 bits in common.
const SHARE: u64 = 64;
/// Bytes that a share grows by, behind its tenants zeros: shares of every length would each have a part of the
/// allocator's memory of their own while a start makes them.
const STEP: usize = 256;
/// Bytes of a tenant before its name: the last bits of its id, status, created u32, length of the name.
const HEAD: usize = 7;

/// The tenants, in the order of their ids.
#[derive(Clone)]
pub(crate) struct Tenants {
    shares: RedBlackTreeMapSync<u64, Arc<[u8]>>,
    len: usize,
}

/// One tenant, read where it lies.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) id: TenantId,
    pub(crate) status: TenantStatus,
    created: Deadline,
    name: &'a str,
}

impl Seen<'_> {
    /// The record: what was put in.
    pub(crate) fn record(&self) -> Option<TenantRecord> {
        let name = Name::new(self.name).ok()?;
        Some(TenantRecord { id: self.id, name, status: self.status, created: self.created })
    }
}

/// The first tenant in some bytes of a share, and the bytes behind it.
fn first(share: u64, bytes: &[u8]) -> Option<(Seen<'_>, &[u8])> {
    let ([low, status, c0, c1, c2, c3, len], rest) = bytes.split_first_chunk::<HEAD>()?;
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    let seen = Seen {
        id: TenantId(share * SHARE + u64::from(*low)),
        status: TenantStatus::from_number(*status)?,
        created: Deadline(u32::from_le_bytes([*c0, *c1, *c2, *c3])),
        name: std::str::from_utf8(name).ok()?,
    };
    Some((seen, rest))
}

fn all(share: u64, bytes: &[u8]) -> impl Iterator<Item = Seen<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (seen, behind) = first(share, rest)?;
        rest = behind;
        Some(seen)
    })
}

/// The last bits of an id.
fn low(tenant: TenantId) -> u8 {
    u8::try_from(tenant.0 % SHARE).unwrap_or(u8::MAX)
}

/// Where in the bytes of a share a tenant stands, or would, and how many bytes it takes there.
fn span(bytes: &[u8], low: u8) -> (usize, usize) {
    let (mut at, mut rest) = (0, bytes);
    while let Some(([found, status, .., len], _)) = rest.split_first_chunk::<HEAD>() {
        if *status == 0 {
            break;
        }
        let whole = HEAD + usize::from(*len);
        if *found >= low {
            return (at, if *found == low { whole } else { 0 });
        }
        at += whole;
        rest = rest.get(whole..).unwrap_or_default();
    }
    (at, 0)
}

fn put(seen: &Seen<'_>, out: &mut Vec<u8>) {
    out.push(low(seen.id));
    out.push(seen.status.number());
    out.extend_from_slice(&seen.created.0.to_le_bytes());
    // A name has 128 bytes at most.
    out.push(u8::try_from(seen.name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(seen.name.as_bytes());
}

impl Tenants {
    pub(crate) fn new() -> Self {
        Self { shares: RedBlackTreeMapSync::new_sync(), len: 0 }
    }

    /// How many there are, deleted ones included.
    pub(crate) const fn size(&self) -> usize {
        self.len
    }

    /// A tenant, read where it lies.
    pub(crate) fn see(&self, tenant: TenantId) -> Option<Seen<'_>> {
        let share = tenant.0 / SHARE;
        all(share, self.shares.get(&share)?).find(|seen| seen.id == tenant)
    }

    /// The record of a tenant.
    pub(crate) fn get(&self, tenant: TenantId) -> Option<TenantRecord> {
        self.see(tenant)?.record()
    }

    /// All of them, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Seen<'_>> {
        self.shares.iter().flat_map(|(share, bytes)| all(*share, bytes))
    }

    /// Those behind an id.
    pub(crate) fn after(&self, tenant: TenantId) -> impl Iterator<Item = Seen<'_>> {
        let from = (Bound::Included(tenant.0 / SHARE), Bound::Unbounded);
        let shares = self.shares.range(from).flat_map(|(share, bytes)| all(*share, bytes));
        shares.skip_while(move |seen| seen.id <= tenant)
    }

    /// Puts a record in, in place of the older one. COST: a start does it for each tenant of the node.
    pub(crate) fn insert(&mut self, record: &TenantRecord) {
        let share = record.id.0 / SHARE;
        let old = self.shares.get(&share).map_or(&[][..], |bytes| bytes);
        let name = record.name.as_str();
        let new = Seen { id: record.id, status: record.status, created: record.created, name };
        let ((at, replaced), (end, _)) = (span(old, low(record.id)), span(old, u8::MAX));
        let mut bytes = Vec::with_capacity((end + HEAD + name.len()).next_multiple_of(STEP));
        bytes.extend_from_slice(old.get(..at).unwrap_or_default());
        put(&new, &mut bytes);
        bytes.extend_from_slice(old.get(at + replaced..end).unwrap_or_default());
        bytes.resize(bytes.len().next_multiple_of(STEP), 0);
        self.len += usize::from(replaced == 0);
        self.shares.insert_mut(share, bytes.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tessera_model::CellId;

    /// PROPERTY: behaves as an ordered map of records, and a clone never sees a later change. METHOD: seeded inserts
    /// and replacements of tenants of several cells, with names of every length, beside a plain map.
    #[test]
    fn behaves_as_an_ordered_map() {
        let (mut ours, mut plain, mut kept, mut dice) = (Tenants::new(), BTreeMap::new(), Vec::new(), 5_u64);
        let states =
            [TenantStatus::Active, TenantStatus::Suspended, TenantStatus::Closing, TenantStatus::Deleted];
        for step in 0..4_000_u32 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let cell = CellId(u16::try_from(dice >> 40 & 3).expect("two bits") * 21_845);
            let record = TenantRecord {
                id: TenantId::new(cell, (dice >> 33) % 700),
                name: Name::new(&"x".repeat(1 + (dice >> 50) as usize % 128)).expect("a name"),
                status: states[(dice >> 20) as usize & 3],
                created: Deadline(step.wrapping_mul(0x9E37_79B9)),
            };
            ours.insert(&record);
            plain.insert(record.id, record);
            if step % 1_000 == 3 {
                kept.push((ours.clone(), plain.clone()));
            }
        }
        kept.push((ours, plain));
        for (ours, plain) in kept {
            assert_eq!(ours.size(), plain.len());
            let read: Vec<_> = ours.iter().filter_map(|seen| seen.record()).collect();
            assert!(read.iter().eq(plain.values()));
            for id in plain.keys().copied().chain([TenantId(0), TenantId(u64::MAX)]) {
                assert_eq!(ours.get(id), plain.get(&id).cloned());
                assert_eq!(ours.see(id).map(|seen| seen.status), plain.get(&id).map(|record| record.status));
                let behind = (Bound::Excluded(id), Bound::Unbounded);
                assert!(
                    ours.after(id)
                        .map(|seen| seen.id)
                        .take(9)
                        .eq(plain.range(behind).map(|(id, _)| *id).take(9))
                );
            }
        }
    }
}
