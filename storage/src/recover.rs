//! The start of a store, which tells what a power cut tore from what was damaged.
//!
//! It reads what the journal holds behind the checkpoint, and builds the tail of it.

use crate::batch::Head;
use crate::checkpoint::schema::{DirectoryRow, Life};
use crate::error::{Damage, StorageError};
use crate::journal::files::name_of;
use crate::journal::group::{Name, Salt};
use crate::journal::scan::{Anchor, Chain, Found, Gap, Linked, Scan};
use crate::journal::write::End;
use crate::record::RecordError;
use crate::record::frame::{Form, FrameView};
use crate::tail::{Refused, Spot, Tail, Tailed};
use std::collections::{BTreeMap, BTreeSet};
use tessera_model::{Revision, TenantId};

/// What the start found.
pub(crate) struct Recovered {
    pub(crate) tail: Tail,
    pub(crate) end: End,
    /// The last group's bytes and its places, to be written again; `None` in a new directory.
    pub(crate) last: Option<Last>,
    /// The last sequence in each file that still holds frames of the tail.
    pub(crate) used: BTreeMap<u32, u64>,
    /// The newest name of a checkpoint in the tail.
    pub(crate) name: Option<Name>,
}

/// The last group.
pub(crate) struct Last {
    pub(crate) bytes: Vec<u8>,
    pub(crate) file: u32,
    pub(crate) offset: u64,
    /// Behind it in that file.
    pub(crate) end: u64,
    /// Its first sequence.
    pub(crate) sequence: u64,
}

/// Gives a tenant's directory row.
pub(crate) type Lookup<'a> = &'a dyn Fn(TenantId) -> Result<Option<DirectoryRow>, StorageError>;

/// Reads the journal behind `anchor`.
pub(crate) fn recover(
    files: &[Found],
    salt: &Salt,
    anchor: &Anchor,
    lookup: Lookup<'_>,
) -> Result<Recovered, StorageError> {
    let scan = Scan::new(files, salt)?;
    let chain = scan.follow(anchor)?;
    if anchor.sequence > 0 && chain.anchor.is_none() && chain.groups.is_empty() {
        return Err(StorageError::Damaged(Damage {
            file: "journal".into(),
            offset: 0,
            what: "the checkpoint is ahead of the journal's end",
            tenants: None,
        }));
    }
    let last = chain.groups.last().or(chain.anchor.as_ref());
    let end = last.map_or_else(End::default, |linked| End {
        sequence: linked.header.last_sequence(),
        hash: linked.header.hash,
        lane_epoch: linked.header.lane_epoch,
    });
    let mut build =
        Build { tail: Tail::default(), lookup, used: BTreeMap::new(), name: None, floors: BTreeMap::new() };
    build.tail.covered = anchor.sequence;
    if let Some(anchor) = &chain.anchor {
        build.note_name(anchor);
    }
    let mut proven: Vec<BTreeSet<TenantId>> = vec![BTreeSet::new(); chain.gaps.len()];
    for (at, linked) in chain.groups.iter().enumerate() {
        let behind = chain.gaps.iter().take_while(|gap| gap.before <= at).count();
        build.group(&scan, linked, proven.get_mut(..behind).unwrap_or_default())?;
    }
    build.refuse_behind_floors();
    build.tail.refused.add_gaps(&chain, proven);
    build.tail.sequence = end.sequence;
    build.tail.hash = end.hash;
    let last = match last {
        None => None,
        Some(linked) => {
            let (file, offset) = linked.places.last().copied().unwrap_or_default();
            let end = offset + linked.header.padded_len();
            Some(Last { bytes: scan.bytes_of(linked)?, file, offset, end, sequence: linked.header.sequence })
        }
    };
    Ok(Recovered { tail: build.tail, end, last, used: build.used, name: build.name })
}

impl Refused {
    fn add_gaps(&mut self, chain: &Chain, proven: Vec<BTreeSet<TenantId>>) {
        for (gap, proven) in chain.gaps.iter().zip(proven) {
            let damage = damage_of(gap);
            tracing::error!(%damage, "the journal is damaged");
            match &gap.tenants {
                Some(tenants) => {
                    let named = tenants.iter().map(|tenant| (*tenant, damage.clone()));
                    self.some.extend(named);
                }
                None => self.all_but.push((damage, proven)),
            }
        }
    }
}

fn damage_of(gap: &Gap) -> Damage {
    Damage {
        file: name_of(gap.file).into(),
        offset: gap.offset,
        what: "acknowledged groups are gone, valid ones stand behind them",
        tenants: gap.tenants.clone(),
    }
}

struct Build<'a> {
    tail: Tail,
    lookup: Lookup<'a>,
    used: BTreeMap<u32, u64>,
    name: Option<Name>,
    /// The revision that each tenant's directory row stands before.
    floors: BTreeMap<TenantId, u64>,
}

impl Build<'_> {
    /// Refuses tenants whose directory row is ahead of their last frame: the journal lost frames.
    fn refuse_behind_floors(&mut self) {
        for (tenant, floor) in &self.floors {
            let Some(tailed) = self.tail.tenants.get(tenant) else { continue };
            if tailed.head.next.0 < *floor {
                self.tail.refused.some.entry(*tenant).or_insert_with(|| Damage {
                    file: "journal".into(),
                    offset: 0,
                    what: "the checkpoint is ahead of the tenant's last frame",
                    tenants: Some(vec![*tenant]),
                });
            }
        }
    }

    fn note_name(&mut self, linked: &Linked) {
        if let Some(name) = linked.name {
            self.name = Some(name);
        }
        for (file, _) in &linked.places {
            self.used.insert(*file, linked.header.last_sequence());
        }
    }

    /// Takes one group in. `proven` are the tenants that groups behind each gap so far prove whole.
    fn group(
        &mut self,
        scan: &Scan<'_>,
        linked: &Linked,
        proven: &mut [BTreeSet<TenantId>],
    ) -> Result<(), StorageError> {
        self.note_name(linked);
        let header = &linked.header;
        self.tail.note_group(
            header.last_sequence(),
            header.hash,
            u64::from(header.count),
            header.padded_len(),
        );
        if linked.entries.is_empty() {
            return Ok(());
        }
        let bytes = scan.bytes_of(linked)?;
        let (file, start) = linked.places.last().copied().unwrap_or_default();
        for (sequence, entry) in (header.sequence..).zip(&linked.entries) {
            let from = usize::try_from(entry.offset).unwrap_or(usize::MAX);
            let frame = bytes.get(from..).and_then(|rest| rest.get(..usize::try_from(entry.len).ok()?));
            let damaged = |what| {
                StorageError::damaged(&name_of(file), start + u64::from(entry.offset), what, entry.tenant)
            };
            let frame = frame.ok_or_else(|| damaged("a frame lies outside its group"))?;
            let (view, len) = FrameView::read(frame, Form::Journal).map_err(|error| damaged(error.text()))?;
            if len != frame.len()
                || view.head.tenant != entry.tenant
                || view.head.revision.0 != entry.revision
            {
                return Err(damaged("a frame is not the one of its group's table"));
            }
            let spot = Spot {
                revision: entry.revision,
                sequence,
                offset: start + u64::from(entry.offset),
                file,
                len: entry.len,
            };
            self.frame(&view, spot, proven).map_err(|error| damaged(error.text()))?;
        }
        Ok(())
    }

    fn refuse(&mut self, spot: &Spot, tenant: TenantId, what: &'static str) {
        let file = name_of(spot.file).into();
        let damage = Damage { file, offset: spot.offset, what, tenants: Some(vec![tenant]) };
        self.tail.refused.some.entry(tenant).or_insert(damage);
    }

    fn frame(
        &mut self,
        view: &FrameView<'_>,
        spot: Spot,
        proven: &mut [BTreeSet<TenantId>],
    ) -> Result<(), RecordError> {
        let tenant = view.head.tenant;
        if self.tail.forgotten.contains(&tenant) || self.tail.refused.some.contains_key(&tenant) {
            return Ok(());
        }
        if !self.tail.tenants.contains_key(&tenant) {
            let row = match (self.lookup)(tenant) {
                Ok(row) => row,
                Err(error) => {
                    self.refuse(&spot, tenant, "the tenant's directory row cannot be read");
                    tracing::error!(%error, %tenant, "a directory row cannot be read");
                    return Ok(());
                }
            };
            if row.as_ref().is_some_and(|row| row.life == Life::Forgotten) {
                self.tail.forgotten.insert(tenant);
                return Ok(());
            }
            // Frames that the checkpoint has come first; from there on they must be in one row.
            let floor = row.map_or(0, |row| row.next.0);
            self.floors.insert(tenant, floor);
            let next = floor.min(spot.revision);
            let head = head_of(view, Revision(next), [0; 32]);
            self.tail.tenants.insert(tenant, Tailed::new(head));
        }
        let Some(tailed) = self.tail.tenants.get_mut(&tenant) else { return Ok(()) };
        if tailed.head.next.0 != spot.revision {
            self.refuse(&spot, tenant, "frames of the tenant are missing before this one");
            return Ok(());
        }
        tailed.head = head_of(view, Revision(spot.revision + 1), view.link);
        tailed.spots.push_back(spot);
        for row in view.rows()? {
            tailed.note_row(row, view.head.revision);
        }
        // A frame that continues its tenant's row of frames proves that none of it is gone before.
        for proven in proven {
            proven.insert(tenant);
        }
        Ok(())
    }
}

fn head_of(view: &FrameView<'_>, next: Revision, link: [u8; 32]) -> Head {
    Head { tenant: view.head.tenant, slot: view.head.slot, epoch: view.head.epoch, next, link }
}
