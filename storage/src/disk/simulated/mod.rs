//! A disk in memory whose power can be cut and whose calls can be made to fail.
//!
//! It keeps what programs see (live) apart from what would be left without power (durable), with the
//! writes in between in their order. A cut keeps none of them, a prefix, or any sectors; names of
//! files survive up to some point of their own order. A sync that fails leaves its writes visible and
//! never durable, as kernels do. Choices come from the caller, so that a seed repeats them.

mod cut;
mod stage;
mod step;

use super::{Disk, DiskFile};
pub use cut::Survival;
use parking_lot::Mutex;
pub use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
pub use step::{Act, Planted, Step};

/// What a planted fault does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The call fails with EIO; of a write nothing happened, of a sync nobody knows.
    Io,
    /// The call fails with ENOSPC.
    NoSpace,
    /// The power goes: this and every later call fails, until [`Simulated::after_cut`].
    PowerCut,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Size(usize),
}

#[derive(Clone, Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Changes since the last sync, each with its place in the disk's order.
    pending: Vec<(u64, Change)>,
    /// What it was changed for last.
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Naming {
    Link(String, u64),
    Unlink(String),
    Move(String, String, u64),
}

#[derive(Debug, Default)]
struct State {
    contents: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    pending_names: Vec<Naming>,
    locks: BTreeSet<String>,
    next_inode: u64,
    order: u64,
    calls: u64,
    faults: Vec<(u64, Fault)>,
    off: bool,
    space: Option<u64>,
    planted: Option<Planted>,
    syncs: u64,
    /// A file whose sync was answered and is to come, where that is planted.
    late: Option<u64>,
    /// The power goes at so many more calls of this step.
    cut_at: Option<(Step, u64)>,
    /// The power goes at so many more calls of this stage.
    cut_at_stage: Option<(Stage, u64)>,
    /// The step at which the power went.
    cut_in: Option<Step>,
    /// The stage at which the power went.
    cut_stage: Option<Stage>,
}

/// A disk in memory.
#[derive(Clone, Debug, Default)]
pub struct Simulated(Arc<Mutex<State>>);

#[derive(Debug)]
struct SimulatedFile {
    disk: Simulated,
    inode: u64,
}

struct Lock {
    disk: Simulated,
    name: String,
    held: AtomicBool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.held.swap(false, Ordering::SeqCst) {
            self.disk.0.lock().locks.remove(&self.name);
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change, piece: std::ops::Range<usize>) {
    match change {
        Change::Size(size) => bytes.resize(*size, 0),
        Change::Write { offset, bytes: written } => {
            let Some(part) = written.get(piece.clone()) else { return };
            let from = offset + piece.start;
            if bytes.len() < from + part.len() {
                bytes.resize(from + part.len(), 0);
            }
            if let Some(to) = bytes.get_mut(from..from + part.len()) {
                to.copy_from_slice(part);
            }
        }
    }
}

fn whole(change: &Change) -> std::ops::Range<usize> {
    match change {
        Change::Size(_) => 0..0,
        Change::Write { bytes, .. } => 0..bytes.len(),
    }
}

impl State {
    /// A call that changes nothing fails only without power.
    fn look(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Counts a changing call and fails it when that is planned.
    fn call(&mut self, step: Step, stage: Stage) -> io::Result<Option<Fault>> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        let is_sync = matches!(step.act, Act::Sync | Act::SyncDirectory);
        self.calls += 1;
        let at = self.calls;
        let planned = self.faults.iter().position(|(call, _)| *call == at);
        let mut fault = planned.map(|planned| self.faults.remove(planned).1);
        if let Some((wanted, left)) = &mut self.cut_at
            && *wanted == step
        {
            if *left == 0 {
                self.cut_at = None;
                fault = Some(Fault::PowerCut);
            } else {
                *left -= 1;
            }
        }
        if let Some((wanted, left)) = &mut self.cut_at_stage
            && *wanted == stage
        {
            if *left == 0 {
                self.cut_at_stage = None;
                fault = Some(Fault::PowerCut);
            } else {
                *left -= 1;
            }
        }
        match fault {
            None => Ok(None),
            Some(Fault::PowerCut) => {
                self.off = true;
                self.cut_in = Some(step);
                self.cut_stage = Some(stage);
                Err(io::Error::other("the power is off"))
            }
            Some(Fault::NoSpace) => Err(io::Error::from_raw_os_error(28)),
            Some(Fault::Io) if is_sync => Ok(Some(Fault::Io)),
            Some(Fault::Io) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    /// Makes what was written to a file durable.
    fn settle(&mut self, inode: u64) {
        if let Some(content) = self.contents.get_mut(&inode) {
            for (_, change) in std::mem::take(&mut content.pending) {
                apply(&mut content.durable, &change, whole(&change));
            }
        }
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.contents.get(inode))
            .map(|file| file.live.len() as u64)
            .sum()
    }

    fn change(&mut self, inode: u64, change: Change) -> io::Result<()> {
        self.order += 1;
        let order = self.order;
        let used = self.used();
        let space = self.space;
        let content = self.contents.entry(inode).or_default();
        let before = content.live.len();
        let after = match &change {
            Change::Size(size) => *size,
            Change::Write { offset, bytes } => before.max(offset + bytes.len()),
        };
        let grows = after.saturating_sub(before) as u64;
        if space.is_some_and(|space| grows > 0 && used + grows > space) {
            return Err(io::Error::from_raw_os_error(28));
        }
        apply(&mut content.live, &change, whole(&change));
        content.pending.push((order, change));
        Ok(())
    }
}

impl Simulated {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changing calls so far: creates, writes, sizes, syncs, renames, removes. Faults are planted by
    /// their number.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// Syncs of files so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Makes the call of this number fail (the first call of a disk is 1).
    pub fn plant(&self, call: u64, fault: Fault) {
        self.0.lock().faults.push((call, fault));
    }

    /// Limits the bytes of all files together; `None` lifts the limit.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.0.lock().space = bytes;
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Whether the power went.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.lock().off
    }

    /// A copy that shares nothing, with everything durable: as if copied while the power was on.
    #[must_use]
    pub fn image(&self) -> Self {
        let state = self.0.lock();
        let settle = |content: &Content| Content {
            live: content.live.clone(),
            durable: content.live.clone(),
            pending: Vec::new(),
            stage: content.stage,
        };
        let contents = state.contents.iter().map(|(inode, content)| (*inode, settle(content))).collect();
        Self(Arc::new(Mutex::new(State {
            contents,
            names: state.names.clone(),
            durable_names: state.names.clone(),
            next_inode: state.next_inode,
            ..State::default()
        })))
    }

    /// Changes bytes of a file behind everyone's back, durable at once.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        let Some(inode) = state.names.get(name).copied() else { return };
        if let Some(content) = state.contents.get_mut(&inode) {
            change(&mut content.live);
            content.durable.clone_from(&content.live);
            content.pending.clear();
        }
    }
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Disk for Simulated {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.0.lock();
        state.look()?;
        let inode = state.names.get(name).copied().ok_or_else(not_found)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.call(Step { act: Act::Create, file: step::kind_of(name) }, Stage::of_name(name))?;
        if state.names.contains_key(name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        state.next_inode += 1;
        let inode = state.next_inode;
        state.contents.insert(inode, Content::default());
        state.names.insert(name.to_owned(), inode);
        state.pending_names.push(Naming::Link(name.to_owned(), inode));
        Ok(Arc::new(SimulatedFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        // A name beside says what a file is made for.
        state.call(Step { act: Act::Rename, file: step::kind_of(to) }, Stage::of_name(from))?;
        let inode = state.names.remove(from).ok_or_else(not_found)?;
        state.names.insert(to.to_owned(), inode);
        // One step: the new name and the end of the old one survive together, or not.
        state.pending_names.push(Naming::Move(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.call(Step { act: Act::Remove, file: step::kind_of(name) }, Stage::of_name(name))?;
        state.names.remove(name).ok_or_else(not_found)?;
        state.pending_names.push(Naming::Unlink(name.to_owned()));
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        state.look()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.call(Step { act: Act::SyncDirectory, file: "the directory" }, Stage::Names)?.is_some() {
            return Err(io::Error::from_raw_os_error(5));
        }
        if state.planted == Some(Planted::DirectoryNotSynced) {
            return Ok(());
        }
        state.durable_names = state.names.clone();
        state.pending_names.clear();
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let mut state = self.0.lock();
        state.look()?;
        if !state.locks.insert(name.to_owned()) {
            return Ok(None);
        }
        crate::planted::leave_chain_unchecked(state.planted == Some(Planted::ChainNotChecked));
        let held = AtomicBool::new(true);
        Ok(Some(Box::new(Lock { disk: self.clone(), name: name.to_owned(), held })))
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.disk.0.lock();
        state.look()?;
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let content = state.contents.get(&self.inode).ok_or_else(not_found)?;
        let found = content.live.get(from..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let step = state.step(Act::Write, self.inode);
        let stage = state.stage(self.inode, offset, bytes);
        state.call(step, stage)?;
        state.contents.entry(self.inode).or_default().stage = stage;
        if let Some(late) = state.late.take() {
            state.settle(late);
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let dropped = state.planted.is_some_and(|planted| planted.drops(step, bytes));
        if dropped && let Some(content) = state.contents.get_mut(&self.inode) {
            let change = Change::Write { offset, bytes: bytes.to_vec() };
            apply(&mut content.live, &change, whole(&change));
            return Ok(());
        }
        state.change(self.inode, Change::Write { offset, bytes: bytes.to_vec() })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let step = state.step(Act::Sync, self.inode);
        let stage = state.synced_stage(self.inode);
        let fault = state.call(step, stage)?;
        state.syncs += 1;
        match state.planted {
            Some(Planted::Lies(every)) if state.syncs.is_multiple_of(every) => return Ok(()),
            Some(Planted::SyncAfterAnswer) if step.file == step::JOURNAL => {
                let late = state.late.replace(self.inode);
                late.into_iter().for_each(|late| state.settle(late));
                return Ok(());
            }
            Some(Planted::CheckpointNotSynced) if step.file == step::CHECKPOINT => return Ok(()),
            Some(_) | None => {}
        }
        if fault.is_some() {
            // Visible, and never durable unless written again.
            state.contents.get_mut(&self.inode).ok_or_else(not_found)?.pending.clear();
            return Err(io::Error::from_raw_os_error(5));
        }
        state.settle(self.inode);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.disk.0.lock();
        state.look()?;
        state.contents.get(&self.inode).map(|content| content.live.len() as u64).ok_or_else(not_found)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let step = state.step(Act::Size, self.inode);
        let stage = state.stage(self.inode, u64::MAX, &[]);
        state.call(step, stage)?;
        let size = usize::try_from(size).map_err(io::Error::other)?;
        state.change(self.inode, Change::Size(size))
    }
}
