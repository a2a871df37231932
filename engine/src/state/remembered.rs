//! Remembered command ids as they lie: records of 32 bytes in the order in which they came, and a table that finds
//! them by a part of their hash. What a bucket held stands in the order of its ids, and is found by halves.
//!
//! Some 32 to 55 bytes an id. Chunks that are full neither move nor grow, and what is taken over is only copied: a map
//! of one entry for each took three times as much, and a table of them a quarter of a wake.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use tessera_model::CommandId;
use tessera_model::record::CommandIdRecord;

/// Records of one chunk: 8 KiB.
const CHUNK: usize = 256;
/// Slots of the smallest table.
const SLOTS_MIN: usize = 64;

/// A slot of the table: the number of a record, and the part of its id's hash that says where it belongs. The lowest
/// bit of that part is set, so that 0 is an empty slot.
type Slot = u64;

/// The ids.
#[derive(Default)]
pub(super) struct Remembered {
    /// What buckets held: before all others, each in the memory that it was read into and none empty, in the order of
    /// their ids.
    loaded: VecDeque<Vec<CommandIdRecord>>,
    /// How many of the first of these are gone.
    loaded_gone: usize,
    /// How many are left of them.
    loaded_len: usize,
    /// The others. All chunks but the last are full.
    chunks: VecDeque<Vec<CommandIdRecord>>,
    /// How many of the first chunk are gone.
    gone: usize,
    /// How many there are in chunks.
    len: usize,
    /// The number of the first record; numbers go round.
    first: u32,
    /// Open, a power of two; empty or filled to three quarters at most.
    slots: Vec<Slot>,
}

/// The part of an id's hash that a slot holds.
fn part(id: CommandId) -> u32 {
    let hash = foldhash::fast::FixedState::default().hash_one(u128::from_le_bytes(id.0));
    u32::try_from(hash >> 32).unwrap_or_default() | 1
}

const fn number_of(slot: Slot) -> u32 {
    let [a, b, c, d, ..] = slot.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

const fn part_of(slot: Slot) -> u32 {
    let [.., a, b, c, d] = slot.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Remembered {
    pub(super) const fn len(&self) -> usize {
        self.loaded_len + self.len
    }

    /// What is left of what buckets held.
    fn left(&self) -> impl Iterator<Item = &CommandIdRecord> {
        self.loaded.iter().flatten().skip(self.loaded_gone)
    }

    /// Where in which bucket's ids this one stands, if it is left of them.
    fn among_loaded(&self, id: CommandId) -> Option<(usize, usize)> {
        let run = self.loaded.partition_point(|run| run.last().is_some_and(|last| last.id.0 < id.0));
        let at = self.loaded.get(run)?.binary_search_by(|known| known.id.0.cmp(&id.0)).ok()?;
        (run > 0 || at >= self.loaded_gone).then_some((run, at))
    }

    /// Takes over what a bucket holds: as it lies, where its ids stand behind all that came before.
    pub(super) fn take_over(&mut self, ids: Vec<CommandIdRecord>) {
        let rises = ids.is_sorted_by(|one, next| one.id.0 < next.id.0);
        let last = self.loaded.back().and_then(|run| run.last());
        let behind = match (last, ids.first()) {
            (Some(last), Some(first)) => last.id.0 < first.id.0,
            (None, Some(_)) => true,
            (_, None) => return,
        };
        if !rises || !behind || self.len > 0 {
            ids.into_iter().for_each(|record| self.put(record));
        } else {
            self.loaded_len += ids.len();
            self.loaded.push_back(ids);
        }
    }

    fn at(&self, at: usize) -> Option<&CommandIdRecord> {
        let at = at + self.gone;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    fn numbered(&self, number: u32) -> Option<&CommandIdRecord> {
        self.at(number.wrapping_sub(self.first) as usize)
    }

    /// The slot where something of this part belongs.
    fn home(&self, part: u32) -> usize {
        // From the top: a table has no more than 2^31 slots.
        usize::try_from((u64::from(part) * self.slots.len() as u64) >> 32).unwrap_or_default()
    }

    fn behind(&self, slot: usize) -> usize {
        if slot + 1 < self.slots.len() { slot + 1 } else { 0 }
    }

    /// The slot of an id, or the empty one where it would be.
    fn slot(&self, id: CommandId, part: u32) -> (usize, Slot) {
        let mut at = self.home(part);
        // LIMIT: a quarter of the slots is empty.
        while let Some(slot) = self.slots.get(at).copied() {
            let found =
                part_of(slot) == part && self.numbered(number_of(slot)).is_some_and(|one| one.id == id);
            if slot == 0 || found {
                return (at, slot);
            }
            at = self.behind(at);
        }
        (at, 0)
    }

    /// What is remembered of an id.
    pub(super) fn get(&self, id: CommandId) -> Option<&CommandIdRecord> {
        if let Some((run, at)) = self.among_loaded(id) {
            return self.loaded.get(run)?.get(at);
        }
        let (_, slot) = self.slot(id, part(id));
        if slot == 0 { None } else { self.numbered(number_of(slot)) }
    }

    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &CommandIdRecord> {
        self.left().chain(self.chunks.iter().flatten().skip(self.gone))
    }

    /// The one that came first.
    pub(super) fn front(&self) -> Option<&CommandIdRecord> {
        self.loaded.front().and_then(|run| run.get(self.loaded_gone)).or_else(|| self.at(0))
    }

    /// Remembers an id, in the place of what was remembered of it before.
    pub(super) fn put(&mut self, record: CommandIdRecord) {
        if let Some((run, at)) = self.among_loaded(record.id) {
            if let Some(known) = self.loaded.get_mut(run).and_then(|run| run.get_mut(at)) {
                *known = record;
            }
            return;
        }
        self.make_room(1);
        let part = part(record.id);
        let (at, held) = self.slot(record.id, part);
        if held != 0 {
            let place = number_of(held).wrapping_sub(self.first) as usize + self.gone;
            let old = self.chunks.get_mut(place / CHUNK).and_then(|chunk| chunk.get_mut(place % CHUNK));
            if let Some(old) = old {
                *old = record;
            }
            return;
        }
        let number = self.first.wrapping_add(u32::try_from(self.len).unwrap_or(u32::MAX));
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = u64::from(number) | u64::from(part) << 32;
        }
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(record),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(record);
                self.chunks.push_back(chunk);
            }
        }
        self.len += 1;
    }

    /// Room for so many more in the table.
    fn make_room(&mut self, more: usize) {
        if (self.len + more) * 4 <= self.slots.len() * 3 {
            return;
        }
        let size = ((self.len + more) * 4).div_ceil(3).next_power_of_two().max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let mut at = self.home(part_of(slot));
            while self.slots.get(at).is_some_and(|taken| *taken != 0) {
                at = self.behind(at);
            }
            if let Some(empty) = self.slots.get_mut(at) {
                *empty = slot;
            }
        }
    }

    /// Forgets the one that came first.
    pub(super) fn pop_front(&mut self) -> Option<CommandIdRecord> {
        let record = *self.front()?;
        if let Some(run) = self.loaded.front() {
            (self.loaded_gone, self.loaded_len) = (self.loaded_gone + 1, self.loaded_len - 1);
            if self.loaded_gone == run.len() {
                self.loaded.pop_front();
                self.loaded_gone = 0;
            }
            return Some(record);
        }
        let (at, slot) = self.slot(record.id, part(record.id));
        if slot != 0 {
            self.empty(at);
        }
        self.gone += 1;
        self.len -= 1;
        self.first = self.first.wrapping_add(1);
        if self.gone >= CHUNK {
            self.chunks.pop_front();
            self.gone = 0;
        }
        if self.len == 0 {
            *self = Self::default();
        }
        Some(record)
    }

    /// Empties a slot, and moves up what stands behind it only because it was taken.
    fn empty(&mut self, mut hole: usize) {
        let size = self.slots.len();
        let mut at = self.behind(hole);
        while let Some(slot) = self.slots.get(at).copied().filter(|slot| *slot != 0) {
            let home = self.home(part_of(slot));
            // How far it is from its home, and from the hole.
            let (far, gap) = ((at + size - home) % size, (at + size - hole) % size);
            if far >= gap {
                if let Some(to) = self.slots.get_mut(hole) {
                    *to = slot;
                }
                hole = at;
            }
            at = self.behind(at);
        }
        if let Some(last) = self.slots.get_mut(hole) {
            *last = 0;
        }
    }

    /// Keeps those that it says.
    pub(super) fn retain(&mut self, keep: impl Fn(&CommandIdRecord) -> bool) {
        let kept: Vec<CommandIdRecord> = self.iter().copied().filter(keep).collect();
        *self = Self::default();
        self.make_room(kept.len());
        kept.into_iter().for_each(|record| self.put(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, VecDeque};
    use tessera_model::Revision;

    /// PROPERTY: it remembers what a plain map and a plain row of ids remember, in the same order. METHOD: seeded
    /// puts, repeats, removals from the front and sometimes of one in three, in rows that grow, shrink and empty; at
    /// the beginning and sometimes later what buckets held is taken over, in order or not.
    #[test]
    fn remembers_as_a_map_and_a_row() {
        let (mut ours, mut plain, mut row) = (Remembered::default(), BTreeMap::new(), VecDeque::new());
        let mut dice = 3_u64;
        for step in 0..60_000_u64 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = CommandId((u128::from(dice >> 33) % 30_000).to_be_bytes());
            let grows = step / 10_000 % 2 == 0;
            if step % 7_000 == 0 {
                let from = u128::from(step) * 2;
                let taken =
                    (from..from + 900).map(|no| if step == 7_000 { from + 900 - no % 900 } else { no });
                let taken = taken.map(|no| CommandId((no % 30_000).to_be_bytes()));
                let record = |id| CommandIdRecord { id, revision: Revision(step), fingerprint: step };
                let taken: Vec<CommandIdRecord> = taken.map(record).collect();
                ours.take_over(taken.clone());
                for record in taken {
                    if plain.insert(record.id.0, record).is_none() {
                        row.push_back(record.id.0);
                    }
                }
            }
            if dice >> 20 & 7 < if grows { 6 } else { 2 } {
                let record = CommandIdRecord { id, revision: Revision(step), fingerprint: !step };
                ours.put(record);
                if plain.insert(id.0, record).is_none() {
                    row.push_back(id.0);
                }
            } else {
                let gone = row.pop_front();
                assert_eq!(ours.pop_front().map(|record| record.id.0), gone);
                gone.map(|id| plain.remove(&id));
            }
            if step % 9_001 == 9_000 {
                ours.retain(|record| record.id.0[15] % 3 != 0);
                row.retain(|id| id[15] % 3 != 0);
                plain.retain(|id, _| id[15] % 3 != 0);
            }
            assert_eq!((ours.len(), ours.get(id)), (row.len(), plain.get(&id.0)), "step {step}");
            if step % 5_000 == 0 {
                assert!(ours.iter().map(|record| record.id.0).eq(row.iter().copied()));
                assert!(row.iter().all(|id| ours.get(CommandId(*id)) == plain.get(id)));
                assert_eq!(ours.front(), row.front().and_then(|id| plain.get(id)));
            }
        }
    }

    /// PROPERTY: numbers go round: what came before the last one and behind it is found. METHOD: a row that begins a
    /// little before the end of the numbers.
    #[test]
    fn numbers_go_round() {
        let mut ours = Remembered { first: u32::MAX - 40, ..Remembered::default() };
        let id = |no: u128| CommandId(no.to_be_bytes());
        for no in 0..100 {
            ours.put(CommandIdRecord { id: id(no), revision: Revision(0), fingerprint: 0 });
        }
        assert!((0..100).all(|no| ours.get(id(no)).is_some()));
        (0..60).for_each(|_| assert!(ours.pop_front().is_some()));
        assert!((0..100).all(|no| ours.get(id(no)).is_some() == (no >= 60)));
    }
}
