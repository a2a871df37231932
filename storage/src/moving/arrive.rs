//! Taking a tenant: written as it comes, under keys of this store's own root, and no tenant until it is opened.

use super::leave::Sent;
use super::note::Arriving;
use super::piece::{Piece, take_pieces};
use super::{Adopted, CopySink, Moves, Opens};
use crate::batch::Head;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{self, BUCKET, DIRECTORY, DirectoryRow, Life, Of, ROW, SEAL_BYTES, SEGMENT};
use crate::checkpoint::segment::Segment;
use crate::checkpoint::share::{self, Sum};
use crate::checkpoint::{Entry, Pending};
use crate::embedded::Embedded;
use crate::error::StorageError;
use crate::record::RecordError;
use crate::record::frame::{Form, FrameView};
use crate::seal::{frame as sealed_frame, row as sealed_row};
use crate::store::{Replay, Store};
use std::collections::BTreeMap;
use tessera_crypto::Key;
use tessera_model::record::TenantRecord;
use tessera_model::{Epoch, Private, Revision, RowKind, TenantId};

/// Bytes of entries that one transaction writes.
const WRITE_BYTES: usize = 4 * 1024 * 1024;
/// Keys that are made durable at once.
const SLOTS_AT_ONCE: usize = 4_096;

/// A tenant that is being taken.
pub struct Arrival {
    pub(super) tenant: TenantId,
    received: Vec<u8>,
    /// Sets of keys: the refresh key's number → the slot here.
    pub(super) sets: BTreeMap<u8, u32>,
    /// The key that the others are wrapped under.
    sealing: Option<Key>,
    /// Slots there → slots here.
    pub(super) slots: BTreeMap<u32, u32>,
    /// Keys that have no slot here yet.
    unslotted: Vec<(u32, Option<Key>)>,
    entries: Vec<Entry>,
    bytes: usize,
    pub(super) shares: Sum,
    /// Segments that were taken and hold: first revision → link before, next revision, link of the last.
    segments: BTreeMap<u64, ([u8; 32], Revision, [u8; 32])>,
    /// Parts of buckets that were taken: key → hash.
    parts: BTreeMap<Vec<u8>, [u8; SEAL_BYTES]>,
    /// The directory row of the last whole pass.
    pub(super) row: Option<Box<DirectoryRow>>,
    /// Where the frames that came behind it lead, and these, as history keeps them, one behind the other.
    pub(super) at: (Revision, [u8; 32]),
    pub(super) frames: Vec<u8>,
    /// Whole passes that were taken.
    passes: u64,
    /// Keys that were erased there since they came.
    erased: u64,
}

impl Arrival {
    /// Whose copy it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// How many passes were taken whole.
    #[must_use]
    pub const fn passes(&self) -> u64 {
        self.passes
    }

    /// Whether nothing came behind the buckets of the last pass.
    #[must_use]
    pub fn is_in_buckets(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.next == self.at.0)
    }

    /// How many keys were erased there since they came: what was sealed under them and read before may stay in no memory.
    #[must_use]
    pub const fn erased(&self) -> u64 {
        self.erased
    }
}

pub(super) fn bad<T>(what: &'static str) -> Result<T, StorageError> {
    Err(StorageError::BadCopy(what))
}

pub(super) fn wrong(error: RecordError) -> StorageError {
    StorageError::BadCopy(error.text())
}

/// Notes what is verified of an entry that was taken: a segment holds link by link.
fn note(arrival: &mut Arrival, of: Of, key: &[u8], value: Option<&[u8]>) -> Result<(), StorageError> {
    match (of, value) {
        (Of::Segment, value) => {
            let first = u64::from_be_bytes(key.last_chunk::<8>().copied().unwrap_or_default());
            arrival.segments.remove(&first);
            if let Some(value) = value {
                let segment = Segment::read(arrival.tenant, Revision(first), value).map_err(wrong)?;
                segment.walk(wrong, &mut |_| Ok(true))?;
                arrival.segments.insert(first, (segment.before, segment.next, segment.link));
            }
        }
        (Of::Bucket, Some(value)) => {
            let hash = value.last_chunk().copied().unwrap_or_default();
            arrival.parts.insert(key.to_vec(), hash);
        }
        (Of::Bucket, None) => drop(arrival.parts.remove(key)),
        (Of::Row | Of::Meta | Of::Directory | Of::Aside | Of::AsideFrame | Of::Share, _) => {}
    }
    Ok(())
}

impl Moves for Embedded {
    fn copy_out(&self, tenant: TenantId, sent: &mut Sent, sink: CopySink<'_>) -> Result<Head, StorageError> {
        self.copy_tenant(tenant, sent, sink)
    }

    fn copy_last(
        &self,
        from: &Head,
        sent: &mut Sent,
        sink: CopySink<'_>,
    ) -> Result<Option<Head>, StorageError> {
        self.copy_last_frames(from, sent, sink)
    }

    fn frame(&self, tenant: TenantId, revision: Revision) -> Result<Option<Vec<u8>>, StorageError> {
        self.frame_at(tenant, revision)
    }

    fn begin_arrival(&self, tenant: TenantId) -> Result<Arrival, StorageError> {
        self.drop_arrival(tenant)?;
        self.write_row(tenant, &Self::arriving(tenant))?;
        Ok(Arrival {
            tenant,
            received: Vec::new(),
            sets: BTreeMap::new(),
            sealing: None,
            slots: BTreeMap::new(),
            unslotted: Vec::new(),
            entries: Vec::new(),
            bytes: 0,
            shares: Sum::default(),
            segments: BTreeMap::new(),
            parts: BTreeMap::new(),
            row: None,
            at: (Revision(0), [0; 32]),
            frames: Vec::new(),
            passes: 0,
            erased: 0,
        })
    }

    fn take_arrival(&self, arrival: &mut Arrival, chunk: &[u8]) -> Result<(), StorageError> {
        let mut received = std::mem::take(&mut arrival.received);
        received.extend_from_slice(chunk);
        take_pieces(&mut received, &mut |piece| self.take_piece(arrival, piece))?;
        arrival.received = received;
        Ok(())
    }

    fn load_arrival(
        &self,
        arrival: &Arrival,
        from: Option<Revision>,
        sink: &mut dyn FnMut(Replay),
    ) -> Result<Option<Head>, StorageError> {
        self.load_arriving(arrival, from, sink)
    }

    fn end_arrival(&self, arrival: &mut Arrival, epoch: Epoch) -> Result<Head, StorageError> {
        self.make_room_for_keys(arrival)?;
        let Some(row) = arrival.row.as_ref().filter(|_| arrival.received.is_empty()) else {
            return bad("it ends inside a pass");
        };
        let numbers: Vec<u8> = row.keys.iter().map(|slot| slot.number).collect();
        for (_, slot) in arrival.sets.iter().filter(|(number, _)| !numbers.contains(number)) {
            self.keys.erase(*slot)?;
        }
        arrival.sets.retain(|number, _| numbers.contains(number));
        let tenant = arrival.tenant;
        let mut row = arrival.here()?;
        self.verify_copy(arrival, &row)?;
        let mut entries = std::mem::take(&mut arrival.entries);
        let salt = &self.shared.checkpoint.salt;
        entries.append(&mut self.last_history(arrival, &table::head_of(tenant, &row))?);
        let mut pending = Pending { tenant, next: Revision(0), entries, rows: Vec::new() };
        self.shared
            .checkpoint
            .read(|transaction| share::add(transaction, salt, &mut row.shares, &mut pending))?;
        if arrival.at.0 > row.next {
            row.schema = schema::AHEAD;
        }
        (row.epoch, row.next, row.link) = (epoch, arrival.at.0, arrival.at.1);
        let key = schema::tenant_key(tenant);
        pending.entries.push((DIRECTORY, key.to_vec(), Some(schema::encode(Of::Directory, &key, &row))));
        self.shared.checkpoint.write_now(&pending.entries)?;
        (arrival.shares, arrival.bytes, arrival.frames) = (row.shares, 0, Vec::new());
        Ok(table::head_of(tenant, &row))
    }

    fn arrived(&self, tenant: TenantId) -> Result<Option<Head>, StorageError> {
        let row = self.shared.checkpoint.directory(tenant)?;
        let whole = row.filter(|row| row.life == Life::Arriving && !row.keys.is_empty());
        Ok(whole.map(|row| table::head_of(tenant, &row)))
    }

    fn open_arrival(&self, tenant: TenantId, frame: &[u8], opens: Opens<'_>) -> Result<Head, StorageError> {
        let _one = self.finishing.lock();
        let Some(mut row) = self.shared.checkpoint.directory(tenant)? else {
            return Err(StorageError::TenantUnknown(tenant));
        };
        let (view, len) = FrameView::read(frame, Form::History).map_err(wrong)?;
        if len != frame.len() || view.head.tenant != tenant {
            return bad("the frame is not one of the tenant's");
        }
        if row.life == Life::Kept {
            // It was opened: by this frame, or it came another way.
            let same = self.frame_at(tenant, view.head.revision)?.is_some_and(|known| known == frame);
            let head = self.shared.head(tenant)?.ok_or(StorageError::TenantUnknown(tenant))?;
            return if same { Ok(head) } else { Err(StorageError::TenantHere(tenant)) };
        }
        if row.life != Life::Arriving || row.keys.is_empty() {
            return Err(StorageError::TenantUnknown(tenant));
        }
        if view.head.revision != row.next || !view.holds(&row.link, Form::History) {
            return bad("the frame does not extend what was copied");
        }
        if !opens(&sealed_frame::read_blank(&view, "the frame")?) {
            return bad("the frame does not open the tenant here");
        }
        let mut entries = self.extend_history(&table::head_of(tenant, &row), std::slice::from_ref(&view))?;
        (row.life, row.next, row.link) = (Life::Kept, row.next.next(), view.link);
        // No bucket has the last word: a load applies it, as what was in memory before did.
        row.schema = schema::AHEAD;
        let key = schema::tenant_key(tenant);
        entries.push((DIRECTORY, key.to_vec(), Some(schema::encode(Of::Directory, &key, &row))));
        self.shared.checkpoint.write_now(&entries)?;
        self.safe.forget(tenant);
        {
            let mut tail = self.shared.tail.lock();
            tail.forgotten.remove(&tenant);
            // The lane may remember where it stood when it left.
            tail.returned.insert(tenant);
        }
        Ok(self.shared.raised(table::head_of(tenant, &row)))
    }

    fn note_arrival(&self, record: &TenantRecord, adopted: Adopted<'_>) -> Result<(), StorageError> {
        self.note_arriving(record, adopted)
    }

    fn arrivals(&self, adopted: Adopted<'_>) -> Result<Vec<Arriving>, StorageError> {
        self.arriving_now(adopted)
    }

    fn claim(&self, tenant: TenantId, epoch: Epoch) -> Result<Head, StorageError> {
        self.claim_tenant(tenant, epoch)
    }

    fn drop_arrival(&self, tenant: TenantId) -> Result<(), StorageError> {
        let row = self.shared.checkpoint.directory(tenant)?;
        let is_there = row.is_some();
        let kept = table::kept(row).is_some() || self.shared.head(tenant)?.is_some();
        if kept || tenant == TenantId::SYSTEM {
            return Err(StorageError::TenantHere(tenant));
        }
        if is_there || !self.keys.slots_of(tenant, &[]).is_empty() { self.forget(tenant) } else { Ok(()) }
    }
}

impl Embedded {
    /// The directory row of a tenant that is being taken.
    fn arriving(tenant: TenantId) -> DirectoryRow {
        let unborn = Head::unborn(tenant);
        DirectoryRow {
            schema: schema::SCHEMA,
            life: Life::Arriving,
            slot: unborn.slot,
            epoch: unborn.epoch,
            next: unborn.next,
            link: unborn.link,
            keys: Vec::new(),
            buckets: Vec::new(),
            old_keys: Vec::new(),
            shares: Sum::default(),
        }
    }

    fn write_row(&self, tenant: TenantId, row: &DirectoryRow) -> Result<(), StorageError> {
        let key = schema::tenant_key(tenant);
        let value = schema::encode(Of::Directory, &key, row);
        self.shared.checkpoint.write_now(&[(DIRECTORY, key.to_vec(), Some(value))])
    }

    fn take_piece(&self, arrival: &mut Arrival, piece: Piece<'_>) -> Result<(), StorageError> {
        match piece {
            Piece::Set(number, keys) => self.take_set(arrival, number, &keys),
            Piece::Slot(slot, key) => {
                arrival.unslotted.push((slot, key));
                if arrival.unslotted.len() >= SLOTS_AT_ONCE {
                    self.make_room_for_keys(arrival)
                } else {
                    Ok(())
                }
            }
            Piece::Put(of, key, value) => self.take_entry(arrival, of, key, Some(value)),
            Piece::Gone(of, key) => self.take_entry(arrival, of, key, None),
            Piece::Row(row) => {
                self.write_arrived(arrival)?;
                (arrival.at, arrival.frames) = ((row.next, row.link), Vec::new());
                arrival.row = Some(row);
                arrival.passes += 1;
                Ok(())
            }
            Piece::Frame(frame) => arrival.take_frame(frame),
            Piece::Reached(next, link) => {
                self.make_room_for_keys(arrival)?;
                if arrival.row.is_none() || arrival.at != (next, link) {
                    return bad("its last frames do not lead to its head");
                }
                arrival.passes += 1;
                Ok(())
            }
        }
    }

    fn take_set(&self, arrival: &mut Arrival, number: u8, keys: &[Key; 3]) -> Result<(), StorageError> {
        let tenant = arrival.tenant;
        let [_, _, sealing] = keys;
        let same = arrival
            .sealing
            .as_ref()
            .is_none_or(|known| tessera_crypto::compare::equal_arrays(known.expose(), sealing.expose()));
        if !same {
            return bad("two sealing keys");
        }
        if let Some(old) = arrival.sets.remove(&number) {
            self.keys.erase(old)?;
        }
        let draw = &self.keys.draw;
        let nonces = [draw.nonce(), draw.nonce(), draw.nonce()];
        let sequence = self.shared.tail.lock().sequence;
        self.keys.make((tenant, number), keys, &nonces, sequence)?;
        let made = self.keys.slots_of(tenant, &[]).into_iter().find(|slot| slot.number == number);
        let made = made.ok_or(StorageError::KeysMissing(tenant))?;
        arrival.sets.insert(number, made.slot);
        arrival.sealing = Some(sealing.clone());
        Ok(())
    }

    /// Gives slots to the keys that have none, and erases those that were erased there since.
    fn make_room_for_keys(&self, arrival: &mut Arrival) -> Result<(), StorageError> {
        let unslotted = std::mem::take(&mut arrival.unslotted);
        let Some(sealing) = arrival.sealing.clone() else {
            return if unslotted.is_empty() { Ok(()) } else { bad("keys without the one over them") };
        };
        let (known, fresh): (Vec<_>, Vec<_>) =
            unslotted.into_iter().partition(|(slot, _)| arrival.slots.contains_key(slot));
        let gone = known.iter().filter(|(_, key)| key.is_none());
        let gone: Vec<u32> = gone.filter_map(|(slot, _)| arrival.slots.get(slot).copied()).collect();
        if !gone.is_empty() {
            arrival.erased += gone.len() as u64;
            self.keys.erase_slots(&gone)?;
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let (slots, keys): (Vec<u32>, Vec<Option<Key>>) = fresh.into_iter().unzip();
        let under = self.keys.slots_key(arrival.tenant, &sealing);
        let first = self.keys.adopt_slots(arrival.tenant, &under, &keys)?;
        arrival.slots.extend(slots.into_iter().zip(first..));
        Ok(())
    }

    fn take_entry(
        &self,
        arrival: &mut Arrival,
        of: Of,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StorageError> {
        let tenant = arrival.tenant;
        if !key.starts_with(&schema::tenant_key(tenant)) {
            return bad("an entry of another tenant");
        }
        if let Some(value) = value {
            schema::open(of, key, value).map_err(wrong)?;
        }
        note(arrival, of, key, value)?;
        let table = match of {
            Of::Bucket => BUCKET,
            Of::Segment => SEGMENT,
            Of::Row => ROW,
            Of::Meta | Of::Directory | Of::Aside | Of::AsideFrame | Of::Share => {
                return bad("an entry that no copy has");
            }
        };
        let mut stored = value.map(<[u8]>::to_vec);
        let names_slot = key.starts_with(&schema::row_key(tenant, RowKind::SubjectKey, &[]));
        if let (Of::Row, true, Some(value)) = (of, names_slot, value) {
            if !arrival.unslotted.is_empty() {
                self.make_room_for_keys(arrival)?;
            }
            let row = table::decode_row(key, value).map_err(wrong)?;
            let there = row.value.as_ref().and_then(sealed_row::slot_in);
            let Some(here) = there.and_then(|there| arrival.slots.get(&there)) else {
                return bad("the key of a subject is missing");
            };
            stored = Some(table::put_row(key, &Private::new(here.to_le_bytes().to_vec()), row.revision));
        }
        arrival.bytes += key.len() + stored.as_ref().map_or(0, Vec::len);
        arrival.entries.push((table, key.to_vec(), stored));
        if arrival.bytes >= WRITE_BYTES { self.write_arrived(arrival) } else { Ok(()) }
    }

    /// Writes what was taken, with the counts of its rows.
    fn write_arrived(&self, arrival: &mut Arrival) -> Result<(), StorageError> {
        self.make_room_for_keys(arrival)?;
        let entries = std::mem::take(&mut arrival.entries);
        arrival.bytes = 0;
        let mut pending = Pending { tenant: arrival.tenant, next: Revision(0), entries, rows: Vec::new() };
        let checkpoint = &self.shared.checkpoint;
        checkpoint.read(|transaction| {
            share::add(transaction, &checkpoint.salt, &mut arrival.shares, &mut pending)
        })?;
        if pending.entries.is_empty() { Ok(()) } else { checkpoint.write_now(&pending.entries) }
    }

    /// Whether what was copied is what its directory row says: history, link by link, to the head; every bucket;
    /// as many rows as are counted.
    fn verify_copy(&self, arrival: &Arrival, row: &DirectoryRow) -> Result<(), StorageError> {
        let tenant = arrival.tenant;
        table::listed_once(tenant, row)?;
        let checkpoint = &self.shared.checkpoint;
        checkpoint
            .read(|transaction| share::all_there(transaction, (tenant, &checkpoint.salt), &row.shares))?;
        let (mut next, mut link) = (Revision(0), [0; 32]);
        for (first, (before, behind, last)) in &arrival.segments {
            if *first != next.0 || (next > Revision(0) && *before != link) {
                return bad("its history has a gap");
            }
            (next, link) = (*behind, *last);
        }
        if (next, link) != (row.next, row.link) || next == Revision(0) {
            return bad("its history does not lead to its head");
        }
        for listed in &row.buckets {
            for (part, hash) in (0u32..).zip(&listed.parts) {
                let key = schema::bucket_key(tenant, listed.kind, listed.no, part);
                if arrival.parts.get(&key) != Some(hash) {
                    return bad("a bucket is not the listed one");
                }
            }
        }
        Ok(())
    }
}
