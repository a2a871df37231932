//! The start of a store, which tells what a power cut tore from what was damaged.
//!
//! It reads what the journal holds behind the checkpoint, and builds the tail of it.

use crate::batch::Head;
use crate::checkpoint::aside::AsideFrames;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{AsideRow, DirectoryRow, Life};
use crate::error::{Damage, StorageError};
use crate::journal::files::name_of;
use crate::journal::group::{Entry, Name, Salt};
use crate::journal::scan::{Anchor, Chain, Found, Gap, Linked, Scan};
use crate::journal::write::End;
use crate::record::RecordError;
use crate::record::frame::{Form, FrameView};
use crate::tail::{Spot, Tail, Tailed};
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

/// Of one tenant, what stands aside in the checkpoint's file.
pub(crate) struct Aside {
    pub(crate) tenant: TenantId,
    pub(crate) row: AsideRow,
    /// Its frames, unless it is refused.
    pub(crate) frames: AsideFrames,
}

/// Reads the journal behind `anchor`.
pub(crate) fn recover(
    files: &[Found],
    salt: &Salt,
    anchor: &Anchor,
    lookup: Lookup<'_>,
    aside: &[Aside],
) -> Result<Recovered, StorageError> {
    let scan = Scan::new(files, salt, anchor)?;
    let chain = scan.follow(anchor)?;
    if anchor.sequence > 0 && chain.anchor.is_none() && chain.groups.is_empty() {
        return Err(StorageError::Damaged(Damage {
            file: "journal".into(),
            offset: 0,
            what: "the checkpoint is ahead of the journal's end".into(),
            tenants: None,
        }));
    }
    let last = chain.groups.last().or(chain.anchor.as_ref());
    let end = last.map_or_else(End::default, |linked| End {
        sequence: linked.header.last_sequence(),
        hash: linked.header.hash,
        lane_epoch: linked.header.lane_epoch,
    });
    let mut build = Build {
        tail: Tail::default(),
        lookup,
        used: BTreeMap::new(),
        name: None,
        floors: BTreeMap::new(),
        aside: BTreeMap::new(),
    };
    build.tail.covered = anchor.sequence;
    for aside in aside {
        build.take_aside(aside)?;
    }
    if let Some(anchor) = &chain.anchor {
        build.note_name(anchor);
    }
    let mut proven: Vec<BTreeSet<TenantId>> = vec![BTreeSet::new(); chain.gaps.len()];
    let mut gaps = chain.gaps.iter().enumerate().peekable();
    for (at, linked) in chain.groups.iter().enumerate() {
        while let Some((no, gap)) = gaps.next_if(|(_, gap)| gap.before <= at) {
            build.gap(&scan, gap, proven.get_mut(..no).unwrap_or_default())?;
            build.used.insert(gap.file, linked.header.sequence);
        }
        let behind = chain.gaps.iter().take_while(|gap| gap.before <= at).count();
        build.group(&scan, linked, proven.get_mut(..behind).unwrap_or_default())?;
    }
    build.refuse_behind_floors();
    build.tail.refused.all_but = all_but(&chain, proven);
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

/// The gaps of which nobody knows all that was in them.
fn all_but(chain: &Chain, proven: Vec<BTreeSet<TenantId>>) -> Vec<(Damage, BTreeSet<TenantId>)> {
    let unknown = chain.gaps.iter().zip(proven).filter(|(gap, _)| !gap.known);
    let told = unknown.map(|(gap, proven)| {
        let damage = Damage {
            file: name_of(gap.file).into(),
            offset: gap.offset,
            what: "acknowledged groups are gone, valid ones stand behind them".into(),
            tenants: None,
        };
        tracing::error!(%damage, "the journal is damaged");
        (damage, proven)
    });
    told.collect()
}

struct Build<'a> {
    tail: Tail,
    lookup: Lookup<'a>,
    used: BTreeMap<u32, u64>,
    name: Option<Name>,
    /// Where each tenant's directory row stands.
    floors: BTreeMap<TenantId, Head>,
    /// The revision before which a tenant's frames stand aside.
    aside: BTreeMap<TenantId, u64>,
}

impl Build<'_> {
    /// Refuses tenants whose directory row is ahead of their last frame: the journal lost frames.
    fn refuse_behind_floors(&mut self) {
        for (tenant, floor) in &self.floors {
            if self.tail.tenants.get(tenant).is_none_or(|tailed| tailed.head.next >= floor.next) {
                continue;
            }
            let Some(tailed) = self.tail.tenants.remove(tenant) else { continue };
            let damage = Damage {
                file: "journal".into(),
                offset: 0,
                what: "the checkpoint is ahead of the tenant's last frame".into(),
                tenants: Some(vec![*tenant]),
            };
            tracing::error!(%damage, "the journal is damaged");
            self.tail.refused.add(tailed.head, damage, tailed.spots);
        }
    }

    /// Takes in what stands aside of a tenant: its damage, or frames that the journal had before all that
    /// it has now.
    fn take_aside(&mut self, aside: &Aside) -> Result<(), StorageError> {
        let Aside { tenant, row, frames } = aside;
        let head = Head { tenant: *tenant, slot: row.slot, epoch: row.epoch, next: row.next, link: row.link };
        if let Some(damage) = &row.damage {
            let damage = Damage {
                file: damage.file.clone(),
                offset: damage.offset,
                what: damage.what.to_string().into(),
                tenants: Some(vec![*tenant]),
            };
            tracing::error!(%damage, "a tenant is refused until it is repaired");
            self.tail.refused.some.insert(*tenant, damage);
            self.floors.insert(*tenant, head);
            return Ok(());
        }
        let stored = (self.lookup)(*tenant)?.map_or(Revision(0), |row| row.next);
        if stored >= row.next {
            return Ok(());
        }
        let mut tailed = Tailed::new(head);
        for (revision, frame) in frames.range(stored.0..) {
            tailed.push(Spot::aside(*revision));
            // What does not read fails the tenant when it is loaded, and nobody else.
            let Ok((view, _)) = FrameView::read(frame, Form::Journal) else { continue };
            for row in view.rows().unwrap_or_default() {
                tailed.note_row(row, view.head.revision);
            }
        }
        self.aside.insert(*tenant, row.next.0);
        self.tail.tenants.insert(*tenant, tailed);
        Ok(())
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
            let spot = spot_of(sequence, entry, (file, start));
            self.frame(&view, spot, proven).map_err(|error| damaged(error.text()))?;
        }
        Ok(())
    }

    /// Refuses a tenant; its frames are kept for whoever repairs it.
    fn refuse(&mut self, spot: &Spot, tenant: TenantId, what: &'static str) {
        let file = name_of(spot.file).into();
        let damage = Damage { file, offset: spot.offset, what: what.into(), tenants: Some(vec![tenant]) };
        if !self.tail.refused.some.contains_key(&tenant) {
            tracing::error!(%damage, "the journal is damaged");
        }
        let known = self.tail.tenants.remove(&tenant);
        let head = known.as_ref().map(|tailed| tailed.head).or_else(|| self.floors.get(&tenant).copied());
        let spots = known.into_iter().flat_map(|tailed| tailed.spots).chain([*spot]);
        self.tail.refused.add(head.unwrap_or(Head::unborn(tenant)), damage, spots);
    }

    /// Makes sure that the tail knows a tenant before its frame at `spot`; false when the frame counts
    /// for nothing: the tenant is forgotten or refused, or the frame stands aside.
    fn admits(&mut self, spot: &Spot, tenant: TenantId) -> bool {
        if self.tail.forgotten.contains(&tenant)
            || self.aside.get(&tenant).is_some_and(|next| spot.revision < *next)
        {
            return false;
        }
        if self.tail.refused.some.contains_key(&tenant) {
            self.refuse(spot, tenant, "the tenant is refused");
            return false;
        }
        if self.tail.tenants.contains_key(&tenant) {
            return true;
        }
        let row = match (self.lookup)(tenant) {
            Ok(row) => row,
            Err(error) => {
                tracing::error!(%error, %tenant, "a directory row cannot be read");
                self.refuse(spot, tenant, "the tenant's directory row cannot be read");
                return false;
            }
        };
        if row.as_ref().is_some_and(|row| row.life != Life::Kept) {
            self.tail.forgotten.insert(tenant);
            return false;
        }
        let floor = row.map_or(Head::unborn(tenant), |row| table::head_of(tenant, &row));
        self.floors.insert(tenant, floor);
        // Frames that the checkpoint has come first; from there on they must be in one row.
        let next = floor.next.min(Revision(spot.revision));
        self.tail.tenants.insert(tenant, Tailed::new(Head { next, ..floor }));
        true
    }

    fn frame(
        &mut self,
        view: &FrameView<'_>,
        spot: Spot,
        proven: &mut [BTreeSet<TenantId>],
    ) -> Result<(), RecordError> {
        let tenant = view.head.tenant;
        if !self.admits(&spot, tenant) {
            return Ok(());
        }
        let Some(tailed) = self.tail.tenants.get_mut(&tenant) else { return Ok(()) };
        if tailed.head.next.0 != spot.revision {
            self.refuse(&spot, tenant, "frames of the tenant are missing before this one");
            return Ok(());
        }
        tailed.head = head_of(view, Revision(spot.revision + 1), view.link);
        tailed.push(spot);
        for row in view.rows()? {
            tailed.note_row(row, view.head.revision);
        }
        // A frame that continues its tenant's row of frames proves that none of it is gone before.
        for proven in proven {
            proven.insert(tenant);
        }
        Ok(())
    }

    /// Takes what is whole out of the damaged groups of a gap: the table says whose frames they are, and
    /// each tenant's chain whether they are the ones that were written.
    fn gap(
        &mut self,
        scan: &Scan<'_>,
        gap: &Gap,
        proven: &mut [BTreeSet<TenantId>],
    ) -> Result<(), StorageError> {
        for lost in &gap.lost {
            let bytes = scan.bytes_of_lost(lost)?;
            let header = &lost.header;
            let (file, start) = lost.place;
            self.used.insert(file, header.last_sequence());
            self.tail.note_group(
                header.last_sequence(),
                header.hash,
                u64::from(header.count),
                header.padded_len(),
            );
            for (sequence, entry) in (header.sequence..).zip(&lost.entries) {
                let spot = spot_of(sequence, entry, (file, start));
                let from = usize::try_from(entry.offset).unwrap_or(usize::MAX);
                let frame = bytes.get(from..).and_then(|rest| rest.get(..usize::try_from(entry.len).ok()?));
                self.doubtful(frame.unwrap_or_default(), spot, entry.tenant, proven);
            }
        }
        Ok(())
    }

    /// A frame of a damaged group, which may be whole.
    fn doubtful(&mut self, frame: &[u8], spot: Spot, tenant: TenantId, proven: &mut [BTreeSet<TenantId>]) {
        if !self.admits(&spot, tenant) {
            return;
        }
        let floor = self.floors.get(&tenant).copied();
        let Some(tailed) = self.tail.tenants.get_mut(&tenant) else { return };
        if let Some(floor) = floor.filter(|floor| spot.revision < floor.next.0) {
            // The checkpoint has it, whatever became of it here.
            if tailed.head.next.0 == spot.revision {
                tailed.head = Head { next: Revision(spot.revision + 1), ..floor };
            }
            return;
        }
        let before = tailed.head.link;
        let whole = FrameView::read(frame, Form::Journal).ok().filter(|(view, len)| {
            let genesis = view.genesis().ok().flatten();
            *len == frame.len()
                && view.head.tenant == tenant
                && view.head.revision.0 == spot.revision
                && view.holds(&genesis.unwrap_or(before), Form::Journal)
        });
        let taken = whole.is_some_and(|(view, _)| self.frame(&view, spot, proven).is_ok());
        if !taken {
            self.refuse(&spot, tenant, "a frame does not verify");
        }
    }
}

fn spot_of(sequence: u64, entry: &Entry, (file, start): (u32, u64)) -> Spot {
    let offset = start + u64::from(entry.offset);
    Spot { revision: entry.revision, sequence, offset, file, len: entry.len }
}

fn head_of(view: &FrameView<'_>, next: Revision, link: [u8; 32]) -> Head {
    Head { tenant: view.head.tenant, slot: view.head.slot, epoch: view.head.epoch, next, link }
}
