//! The scan of all journal files for the one chain of groups through them.
//!
//! A group counts where the writer puts one: behind the last, or at the start of a file. Anything
//! else that reads like a group may be an image of one inside a tenant's data, and proves at most, when
//! it verifies by itself and is newer than the chain's end, that acknowledged groups before it are gone.

use super::files::name_of;
use super::group::{self, BLOCK_BYTES, Draft, Entry, HEADER_BYTES, Header, Name, Reading, Salt};
use crate::disk::DiskFile;
use crate::error::StorageError;
use std::sync::Arc;
use tessera_model::limits::GROUP_BYTES_MAX;

/// Bytes read at once while looking for headers.
const WINDOW_BYTES: usize = 1024 * 1024;

/// A journal file that exists.
pub(crate) struct Found {
    pub(crate) no: u32,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) size: u64,
}

/// A place that reads like the header of a group.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    file: usize,
    offset: u64,
    header: Header,
}

impl Candidate {
    const fn end(&self, padded: u64) -> u64 {
        self.offset + padded
    }
}

/// A group of the chain, with every place it stands at (a start after a kill writes it again).
pub(crate) struct Linked {
    pub(crate) header: Header,
    pub(crate) entries: Vec<Entry>,
    pub(crate) name: Option<Name>,
    /// Number of the file and offset, as often as it was written.
    pub(crate) places: Vec<(u32, u64)>,
    /// The file's end of each.
    ends: Vec<(usize, u64)>,
}

impl Linked {
    /// Puts the place last that the next group stands behind: there the lane went on, after a sync.
    fn prefer_before(&mut self, next: &Self) {
        let Some((file, offset)) = next.places.last().copied() else { return };
        let padded = self.header.padded_len();
        if let Some(at) = self.places.iter().position(|(no, start)| *no == file && start + padded == offset) {
            let last = self.places.len() - 1;
            self.places.swap(at, last);
        }
    }
}

/// A damaged group whose table verifies: it tells whose frames it held, and where.
pub(crate) struct Lost {
    pub(crate) header: Header,
    pub(crate) entries: Vec<Entry>,
    /// Number of the file, and offset.
    pub(crate) place: (u32, u64),
}

/// The group that is looked for and not there.
#[derive(Clone, Copy)]
struct Missing {
    sequence: u64,
    /// The hash of the group before it, and in which life that was written.
    hash: [u8; 32],
    lane_epoch: u64,
}

/// A hole in the chain, with valid groups behind it.
pub(crate) struct Gap {
    pub(crate) file: u32,
    pub(crate) offset: u64,
    /// Index of the first group of the chain behind it.
    pub(crate) before: usize,
    /// The damaged groups whose tables verify.
    pub(crate) lost: Vec<Lost>,
    /// Whether they are all that is gone.
    pub(crate) known: bool,
}

/// The chain as found.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) groups: Vec<Linked>,
    pub(crate) gaps: Vec<Gap>,
    /// The group that the chain was to continue, when it is still there.
    pub(crate) anchor: Option<Linked>,
}

/// Where a chain is to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    pub(crate) sequence: u64,
    pub(crate) hash: [u8; 32],
}

/// All journal files, with every header in them that is not older than the anchor.
pub(crate) struct Scan<'a> {
    files: &'a [Found],
    salt: &'a Salt,
    candidates: Vec<Candidate>,
}

impl<'a> Scan<'a> {
    /// Looks at every block of every file but those that hold nothing newer than `anchor`.
    pub(crate) fn new(files: &'a [Found], salt: &'a Salt, anchor: &Anchor) -> Result<Self, StorageError> {
        let mut scan = Self { files, salt, candidates: Vec::new() };
        let passed = scan.passed(anchor)?;
        let mut window = vec![0; WINDOW_BYTES];
        for (at, found) in files.iter().enumerate().filter(|(at, _)| !passed.contains(at)) {
            let mut offset = 0;
            while offset + HEADER_BYTES as u64 <= found.size {
                let len = usize::try_from(found.size - offset).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
                let bytes = window.get_mut(..len).unwrap_or_default();
                found
                    .file
                    .read_at(offset, bytes)
                    .map_err(StorageError::while_doing("reading", &name_of(found.no)))?;
                for (block, bytes) in bytes.chunks(BLOCK_BYTES).enumerate() {
                    let offset = offset + (block * BLOCK_BYTES) as u64;
                    if let Some(header) = Header::read(bytes) {
                        // What stands before the anchor is never asked for, and a file may hold much of it.
                        if header.last_sequence() >= anchor.sequence {
                            scan.candidates.push(Candidate { file: at, offset, header });
                        }
                    } else if let Some(found) = Header::is_newer(bytes).filter(|_| offset == 0) {
                        return Err(StorageError::NewerFormat { found, known: 1 });
                    }
                }
                offset += len as u64;
            }
        }
        // Later lives of the lane first: where two groups stand behind one, theirs counts.
        scan.candidates
            .sort_by_key(|candidate| (candidate.header.sequence, u64::MAX - candidate.header.lane_epoch));
        Ok(scan)
    }

    /// The files that were left before `anchor` was written.
    ///
    /// The lane writes one file after another: once it has gone on in a later file, which that file's second
    /// group proves (its first may be the last one of the file before, written again), nothing is added to the
    /// one before until that begins anew. Behind a file's newest group stand older ones only. So a file whose
    /// first group verifies is left behind when a later one has two groups at its start that verify, the second
    /// of them no newer than `anchor`.
    fn passed(&self, anchor: &Anchor) -> Result<Vec<usize>, StorageError> {
        let (mut begins, mut newest) = (Vec::new(), 0);
        for file in 0..self.files.len() {
            let Some(first) = self.whole_at(file, 0)? else { continue };
            begins.push((file, first.sequence));
            let Some(second) = self.whole_at(file, first.padded_len())? else { continue };
            let follows = second.previous == first.hash && second.sequence == first.last_sequence() + 1;
            if follows && second.last_sequence() <= anchor.sequence {
                newest = first.sequence.max(newest);
            }
        }
        Ok(begins.into_iter().filter(|(_, sequence)| *sequence < newest).map(|(file, _)| file).collect())
    }

    /// The header of a group that verifies here.
    fn whole_at(&self, file: usize, offset: u64) -> Result<Option<Header>, StorageError> {
        let Some(found) = self.files.get(file) else { return Ok(None) };
        if offset + HEADER_BYTES as u64 > found.size {
            return Ok(None);
        }
        let mut head = [0; HEADER_BYTES];
        found
            .file
            .read_at(offset, &mut head)
            .map_err(StorageError::while_doing("reading", &name_of(found.no)))?;
        let Some(header) = Header::read(&head) else { return Ok(None) };
        let whole = matches!(self.read(&Candidate { file, offset, header })?, Reading::Whole(..));
        Ok(whole.then_some(header))
    }

    fn number(&self, file: usize) -> u32 {
        self.files.get(file).map_or(0, |found| found.no)
    }

    /// The bytes of a candidate, without padding. What lies beyond the file's end is missing.
    fn bytes(&self, candidate: &Candidate) -> Result<Vec<u8>, StorageError> {
        let Some(found) = self.files.get(candidate.file) else { return Ok(Vec::new()) };
        let left = usize::try_from(found.size - candidate.offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; candidate.header.whole_len().min(left)];
        found
            .file
            .read_at(candidate.offset, &mut bytes)
            .map_err(StorageError::while_doing("reading", &name_of(found.no)))?;
        Ok(bytes)
    }

    /// The bytes of a group of the chain, from its last place.
    pub(crate) fn bytes_of(&self, linked: &Linked) -> Result<Vec<u8>, StorageError> {
        linked.places.last().map_or_else(|| Ok(Vec::new()), |place| self.bytes_at(&linked.header, *place))
    }

    /// The bytes of a damaged group.
    pub(crate) fn bytes_of_lost(&self, lost: &Lost) -> Result<Vec<u8>, StorageError> {
        self.bytes_at(&lost.header, lost.place)
    }

    fn bytes_at(&self, header: &Header, (no, offset): (u32, u64)) -> Result<Vec<u8>, StorageError> {
        let file = self.files.iter().position(|found| found.no == no).unwrap_or(usize::MAX);
        self.bytes(&Candidate { file, offset, header: *header })
    }

    fn with_sequence(&self, sequence: u64) -> impl Iterator<Item = &Candidate> {
        let from = self.candidates.partition_point(|candidate| candidate.header.sequence < sequence);
        let here = self.candidates.get(from..).unwrap_or_default().iter();
        here.take_while(move |candidate| candidate.header.sequence == sequence)
    }

    fn read(&self, candidate: &Candidate) -> Result<Reading, StorageError> {
        Ok(group::read(&self.bytes(candidate)?, &candidate.header, self.salt))
    }

    /// The group at `candidate` with all its places, if it verifies.
    fn linked(&self, candidate: &Candidate) -> Result<Option<Linked>, StorageError> {
        let Reading::Whole(entries, name) = self.read(candidate)? else { return Ok(None) };
        let place = |copy: &Candidate| (self.number(copy.file), copy.offset);
        let end = |copy: &Candidate| (copy.file, copy.end(copy.header.padded_len()));
        let mut linked = Linked {
            header: candidate.header,
            entries,
            name,
            places: vec![place(candidate)],
            ends: vec![end(candidate)],
        };
        for copy in self.with_sequence(candidate.header.sequence) {
            let same = copy.header.hash == candidate.header.hash;
            let elsewhere = (copy.file, copy.offset) != (candidate.file, candidate.offset);
            if same && elsewhere && matches!(self.read(copy)?, Reading::Whole(..)) {
                linked.places.push(place(copy));
                linked.ends.push(end(copy));
            }
        }
        Ok(Some(linked))
    }

    /// The group that continues the one with this hash, if it stands where one may.
    fn next(
        &self,
        sequence: u64,
        hash: &[u8; 32],
        ends: Option<&[(usize, u64)]>,
    ) -> Result<Option<Linked>, StorageError> {
        for candidate in self.with_sequence(sequence) {
            let behind = ends.is_none_or(|ends| ends.contains(&(candidate.file, candidate.offset)));
            let continues = candidate.header.previous == *hash || crate::planted::is_chain_unchecked();
            if continues
                && (candidate.offset == 0 || behind)
                && let Some(linked) = self.linked(candidate)?
            {
                return Ok(Some(linked));
            }
        }
        Ok(None)
    }

    /// Follows the chain from behind `anchor` to its end, over gaps.
    pub(crate) fn follow(&self, anchor: &Anchor) -> Result<Chain, StorageError> {
        let mut chain = Chain { anchor: self.find_anchor(anchor)?, ..Chain::default() };
        let (mut sequence, mut hash) = (anchor.sequence + 1, anchor.hash);
        // Behind a covered group its own place may be gone; any place will do for the first.
        let mut ends = chain.anchor.as_ref().map(|linked| linked.ends.clone());
        let mut at_start = true;
        loop {
            let next = match self.next(sequence, &hash, ends.as_deref().filter(|_| !at_start))? {
                Some(next) => Some(next),
                None => {
                    let before = chain.groups.last().or(chain.anchor.as_ref());
                    let lane_epoch = before.map_or(1, |before| before.header.lane_epoch);
                    let missing = Missing { sequence, hash, lane_epoch };
                    self.over_gap(missing, ends.as_deref(), &mut chain)?
                }
            };
            let Some(next) = next else { return Ok(chain) };
            at_start = false;
            if let Some(before) = chain.groups.last_mut().or(chain.anchor.as_mut()) {
                before.prefer_before(&next);
            }
            (sequence, hash) = (next.header.last_sequence() + 1, next.header.hash);
            ends = Some(next.ends.clone());
            chain.groups.push(next);
        }
    }

    fn find_anchor(&self, anchor: &Anchor) -> Result<Option<Linked>, StorageError> {
        for candidate in &self.candidates {
            let header = &candidate.header;
            if header.hash == anchor.hash
                && header.last_sequence() == anchor.sequence
                && let Some(linked) = self.linked(candidate)?
            {
                return Ok(Some(linked));
            }
        }
        Ok(None)
    }

    /// The first valid group at or behind the one that is missing, and a note of what is gone before it.
    /// What can be made anew of its frames is not gone.
    fn over_gap(
        &self,
        missing: Missing,
        ends: Option<&[(usize, u64)]>,
        chain: &mut Chain,
    ) -> Result<Option<Linked>, StorageError> {
        let from = self.candidates.partition_point(|candidate| candidate.header.sequence < missing.sequence);
        let mut tables = Vec::new();
        for candidate in self.candidates.get(from..).unwrap_or_default() {
            match self.read(candidate)? {
                Reading::Whole(..) => {
                    let Some(linked) = self.linked(candidate)? else { continue };
                    self.note_gap(missing, ends, tables, &linked.header, chain)?;
                    return Ok(Some(linked));
                }
                Reading::TableOnly(entries) => {
                    let place = (self.number(candidate.file), candidate.offset);
                    tables.push(Lost { header: candidate.header, entries, place });
                }
                Reading::Nothing => {}
            }
        }
        Ok(None)
    }

    /// Walks back from the group behind a gap: each group names the hash of the one before it.
    fn note_gap(
        &self,
        missing: Missing,
        ends: Option<&[(usize, u64)]>,
        mut tables: Vec<Lost>,
        behind: &Header,
        chain: &mut Chain,
    ) -> Result<(), StorageError> {
        let (mut start, mut wanted, mut lost) = (behind.sequence, behind.previous, Vec::new());
        let is_before = |table: &Lost, start: u64, wanted: &[u8; 32]| {
            table.header.hash == *wanted && table.header.last_sequence() + 1 == start
        };
        while start > missing.sequence {
            let Some(at) = tables.iter().position(|table| is_before(table, start, &wanted)) else { break };
            let table = tables.swap_remove(at);
            (start, wanted) = (table.header.sequence, table.header.previous);
            lost.push(table);
        }
        lost.reverse();
        let mut known = start == missing.sequence && wanted == missing.hash;
        if start > missing.sequence
            && let Some(again) = self.made_anew(missing, (start, &wanted), behind.lane_epoch, ends)?
        {
            known = true;
            chain.groups.push(again);
        }
        if !known || !lost.is_empty() {
            let (file, offset) = ends.and_then(<[_]>::last).copied().unwrap_or((0, 0));
            let file = self.number(file);
            chain.gaps.push(Gap { file, offset, before: chain.groups.len(), lost, known });
        }
        Ok(())
    }

    /// The one missing group, where only its header or table was damaged: it stands where it was written,
    /// and the group behind it names its hash.
    fn made_anew(
        &self,
        missing: Missing,
        (end, wanted): (u64, &[u8; 32]),
        epoch_behind: u64,
        ends: Option<&[(usize, u64)]>,
    ) -> Result<Option<Linked>, StorageError> {
        let starts = (0..self.files.len()).map(|file| (file, 0));
        let places = ends.unwrap_or_default().iter().copied().chain(starts);
        let frames = end - missing.sequence;
        for (file, offset) in places {
            let bytes = self.bytes_within(file, offset)?;
            for lane_epoch in [epoch_behind, missing.lane_epoch] {
                let draft =
                    Draft { sequence: missing.sequence, lane_epoch, previous: missing.hash, name: None };
                let Some((header, entries, name)) =
                    group::make_anew(&bytes, self.salt, &draft, frames, wanted)
                else {
                    continue;
                };
                tracing::warn!(file = %name_of(self.number(file)), offset, "a group's damaged head was made anew");
                let places = vec![(self.number(file), offset)];
                let ends = vec![(file, offset + header.padded_len())];
                return Ok(Some(Linked { header, entries, name, places, ends }));
            }
        }
        Ok(None)
    }

    /// As many bytes of a file as a group can have.
    fn bytes_within(&self, file: usize, offset: u64) -> Result<Vec<u8>, StorageError> {
        let Some(found) = self.files.get(file) else { return Ok(Vec::new()) };
        let left = usize::try_from(found.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(GROUP_BYTES_MAX)];
        let name = name_of(found.no);
        found.file.read_at(offset, &mut bytes).map_err(StorageError::while_doing("reading", &name))?;
        Ok(bytes)
    }
}
