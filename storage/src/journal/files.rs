//! The journal's files: which exist, which are free, and how a further one is prepared.
//!
//! INVARIANT: while nothing is full at least two files are free or being prepared: the next one, and
//! one in reserve for commands that narrow. A file is free when a checkpoint covers its last frame.

use crate::disk::{Disk, DiskFile, fill_with_zeros};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long the preparer rests after it found no space.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Free files that are kept: the next one and the reserve.
const FREE_KEPT: usize = 2;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Free,
    Current,
    /// Holds frames up to this sequence.
    Used(u64),
}

struct Kept {
    no: u32,
    file: Arc<dyn DiskFile>,
    state: State,
    used_before: bool,
}

#[derive(Default)]
struct Inner {
    files: Vec<Kept>,
    preparing: bool,
    full: bool,
    /// Not even a batch that narrows found room at the last try.
    exhausted: bool,
    stopping: bool,
    /// Whether a thread prepares; otherwise whoever takes does.
    threaded: bool,
    switches: u64,
    reuses: u64,
}

impl Inner {
    fn free(&self) -> usize {
        self.files.iter().filter(|kept| kept.state == State::Free).count()
    }
}

impl Inner {
    fn move_to_free(&mut self, last: u64) -> Result<Taken, Full> {
        let Some(free) = self.files.iter().position(|kept| kept.state == State::Free) else {
            return Err(Full);
        };
        for kept in &mut self.files {
            if kept.state == State::Current {
                kept.state = State::Used(last);
            }
        }
        let Some(kept) = self.files.get_mut(free) else { return Err(Full) };
        kept.state = State::Current;
        let used_before = std::mem::replace(&mut kept.used_before, true);
        let mut taken = Taken { no: kept.no, file: Arc::clone(&kept.file), is_reserve: false };
        taken.is_reserve = self.full && self.free() == 0;
        self.switches += 1;
        self.reuses += u64::from(used_before);
        Ok(taken)
    }
}

/// A file that the lane goes on in.
pub(crate) struct Taken {
    pub(crate) no: u32,
    pub(crate) file: Arc<dyn DiskFile>,
    /// It was the last free one, and no further one could be made.
    pub(crate) is_reserve: bool,
}

/// No further file could be made.
#[derive(Debug)]
pub(crate) struct Full;

/// All files of the journal, shared by the lane, the preparer and the checkpoint.
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    file_bytes: u64,
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// The name of a journal file.
pub(crate) fn name_of(no: u32) -> String {
    format!("journal-{no:04}")
}

/// The number of a journal file's name.
pub(crate) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("journal-")?;
    let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

impl Files {
    /// No files yet.
    pub(crate) fn new(disk: Arc<dyn Disk>, file_bytes: u64) -> Self {
        Self { disk, file_bytes, inner: Mutex::new(Inner::default()), changed: Condvar::new() }
    }

    /// Bytes of each file.
    pub(crate) const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Takes an existing file in: used up to a sequence, or free.
    pub(crate) fn adopt(&self, no: u32, file: Arc<dyn DiskFile>, last: Option<u64>) {
        let state = last.map_or(State::Free, State::Used);
        self.inner.lock().files.push(Kept { no, file, state, used_before: true });
    }

    /// Marks the file that the lane goes on in behind what it holds.
    pub(crate) fn mark_current(&self, no: u32) {
        for kept in &mut self.inner.lock().files {
            if kept.no == no {
                kept.state = State::Current;
            }
        }
    }

    /// The open file of this number.
    pub(crate) fn file(&self, no: u32) -> Option<Arc<dyn DiskFile>> {
        self.inner.lock().files.iter().find(|kept| kept.no == no).map(|kept| Arc::clone(&kept.file))
    }

    /// Gives the lane its next file; the current one, if any, holds frames up to `last`. Only `narrow`
    /// takes the reserve, and only when no further file can be made.
    pub(crate) fn take(&self, last: u64, narrow: bool) -> Result<Taken, Full> {
        let mut inner = self.inner.lock();
        loop {
            let free = inner.free();
            if free >= FREE_KEPT || (free > 0 && inner.full && narrow) {
                break;
            }
            if !inner.threaded {
                if inner.full {
                    // Space may be back: one try for each call.
                    inner.full = false;
                }
                drop(inner);
                self.prepare();
                inner = self.inner.lock();
                if inner.full && !(narrow && inner.free() > 0) {
                    inner.exhausted |= narrow;
                    return Err(Full);
                }
            } else if inner.full || inner.stopping {
                inner.exhausted |= narrow && inner.full;
                return Err(Full);
            } else {
                self.changed.notify_all();
                self.changed.wait(&mut inner);
            }
        }
        let taken = inner.move_to_free(last);
        self.changed.notify_all();
        taken
    }

    /// Gives the lane any free file at its start, making one if there is none.
    pub(crate) fn take_any(&self, last: u64) -> Result<Taken, Full> {
        if self.inner.lock().free() == 0 {
            self.prepare();
        }
        self.inner.lock().move_to_free(last)
    }

    /// Whether every file holds frames.
    pub(crate) fn has_none_free(&self) -> bool {
        self.inner.lock().free() == 0
    }

    /// Frees the files whose last frame is covered.
    pub(crate) fn release(&self, covered: u64) {
        let mut inner = self.inner.lock();
        for kept in &mut inner.files {
            if matches!(kept.state, State::Used(last) if last <= covered) {
                kept.state = State::Free;
            }
        }
        if inner.free() > 0 {
            inner.exhausted = false;
        }
        if inner.free() >= FREE_KEPT {
            inner.full = false;
        }
        self.changed.notify_all();
    }

    /// Makes one further file if fewer are free than are kept. What fails is removed again, and noted.
    pub(crate) fn prepare(&self) {
        let no = {
            let mut inner = self.inner.lock();
            if inner.preparing || inner.free() >= FREE_KEPT {
                return;
            }
            inner.preparing = true;
            (0..).find(|no| inner.files.iter().all(|kept| kept.no != *no)).unwrap_or(u32::MAX)
        };
        let made = self.make(&name_of(no));
        let mut inner = self.inner.lock();
        inner.preparing = false;
        match made {
            Ok(file) => {
                (inner.full, inner.exhausted) = (false, false);
                inner.files.push(Kept { no, file, state: State::Free, used_before: false });
            }
            Err(error) => {
                if !inner.full {
                    tracing::warn!(%error, "no further journal file can be prepared");
                }
                inner.full = true;
            }
        }
        self.changed.notify_all();
    }

    /// Makes a file beside its name, so that a journal file is whole from the moment it has one.
    fn make(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let beside = format!("{name}.new");
        match self.disk.remove(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = self.disk.create(&beside)?;
        match fill_with_zeros(&*file, self.file_bytes) {
            Ok(()) => {
                self.disk.rename(&beside, name)?;
                self.disk.sync_dir()?;
                Ok(file)
            }
            Err(error) => {
                drop(file);
                // What cannot be removed now is removed at the next try.
                drop(self.disk.remove(&beside));
                Err(error)
            }
        }
    }

    /// Whether a file is free again beside the current one, so that everyone may write; `waits` for the
    /// one that is being prepared. Without a preparing thread, each call tries for one.
    pub(crate) fn is_relieved(&self, waits: bool) -> bool {
        let mut inner = self.inner.lock();
        if !inner.threaded {
            inner.full = false;
            drop(inner);
            self.prepare();
            inner = self.inner.lock();
        }
        while waits && inner.threaded && !inner.full && !inner.stopping && inner.free() == 0 {
            self.changed.notify_all();
            self.changed.wait(&mut inner);
        }
        !inner.full && inner.free() > 0
    }

    /// Says that a thread prepares from now on.
    pub(crate) fn start(&self) {
        self.inner.lock().threaded = true;
    }

    /// Prepares files until stopped. Runs in a thread of its own, behind [`Files::start`].
    pub(crate) fn prepare_until_stopped(&self) {
        loop {
            let mut inner = self.inner.lock();
            while !inner.stopping && inner.free() >= FREE_KEPT {
                self.changed.wait(&mut inner);
            }
            if inner.stopping {
                return;
            }
            if inner.full {
                self.changed.wait_for(&mut inner, RETRY_AFTER);
                if inner.stopping {
                    return;
                }
            }
            drop(inner);
            self.prepare();
        }
    }

    /// Ends the preparer; whoever waits for a file gets none.
    pub(crate) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Files, switches, reuses, and whether no further file could be made.
    pub(crate) fn counts(&self) -> (u64, u64, u64, bool) {
        let inner = self.inner.lock();
        (inner.files.len() as u64, inner.switches, inner.reuses, inner.full)
    }

    /// Whether the reserve is used up too.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.inner.lock().exhausted
    }

    /// Whether no further file could be made.
    pub(crate) fn is_full(&self) -> bool {
        self.inner.lock().full
    }

    /// Files that hold frames which no checkpoint covers, the current one included.
    pub(crate) fn in_use(&self) -> usize {
        let inner = self.inner.lock();
        inner.files.len() - inner.free()
    }
}
