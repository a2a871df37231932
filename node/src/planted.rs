//! Faults that the test build plants at the node's seams, each by an environment variable; a node that is shipped has
//! none of this.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::{env, fs, io};
use tessera_storage::disk::real::Directory;
use tessera_storage::disk::{Disk, DiskFile};

/// The file that says how the clocks are moved: ms for the wall, ms for the boot clock, and the time at which the
/// wall stands still, or 0.
static CLOCKS: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| env::var_os("TESSERA_PLANTED_CLOCKS").map(PathBuf::from));
/// Whether every step of the wall is followed, however large.
static FOLLOWS: LazyLock<bool> = LazyLock::new(|| env::var_os("TESSERA_PLANTED_CLOCK_FOLLOWS").is_some());

/// How the clocks are moved now.
fn moved() -> [i64; 3] {
    let Some(text) = CLOCKS.as_deref().and_then(|path| fs::read_to_string(path).ok()) else { return [0; 3] };
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap_or_default());
    [0; 3].map(|none| numbers.next().unwrap_or(none))
}

/// What the wall clock reads.
pub(crate) fn wall_ms(read: u64) -> u64 {
    let [wall, _, still] = moved();
    u64::try_from(still).ok().filter(|still| *still > 0).unwrap_or(read).saturating_add_signed(wall)
}

/// What the boot clock reads.
pub(crate) fn boot_ms(read: u64) -> u64 {
    let [_, boot, _] = moved();
    read.saturating_add_signed(boot)
}

/// Whether a step of the wall is followed although it is too large.
pub(crate) fn follows() -> bool {
    *FOLLOWS
}

/// Keeps so many MiB from the start on, where that is asked for.
pub(crate) fn hoard() {
    let mebibytes = env::var("TESSERA_PLANTED_HOARD_MIB").ok().and_then(|text| text.parse::<usize>().ok());
    if let Some(mebibytes) = mebibytes {
        // Written to, so that it is resident; never given back.
        Box::leak(vec![1_u8; mebibytes << 20].into_boxed_slice());
    }
}

/// The data directory's disk: as it is, or one that answers before it writes.
pub(crate) fn disk(path: &Path) -> io::Result<Arc<dyn Disk>> {
    let directory = Directory::open(path)?;
    if env::var_os("TESSERA_PLANTED_LATE_WRITES").is_none() {
        return Ok(Arc::new(directory));
    }
    Ok(Arc::new(Late(directory)))
}

/// A disk that writes a piece of a journal file when the next one comes, and says that it did.
#[derive(Debug)]
struct Late(Directory);

#[derive(Debug)]
struct LateFile {
    file: Arc<dyn DiskFile>,
    held: Mutex<Option<(u64, Vec<u8>)>>,
}

impl LateFile {
    fn over(name: &str, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        if !name.starts_with("journal-") || name.contains(".new") {
            return file;
        }
        Arc::new(Self { file, held: Mutex::new(None) })
    }

    /// Writes what was held back, and holds something else.
    fn hold(&self, next: Option<(u64, Vec<u8>)>) -> io::Result<()> {
        let mut held = self.held.lock().map_err(|_| io::Error::other("a panic"))?;
        match std::mem::replace(&mut *held, next) {
            Some((offset, bytes)) => self.file.write_at(offset, &bytes),
            None => Ok(()),
        }
    }
}

impl Disk for Late {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.0.open(name).map(|file| LateFile::over(name, file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.0.create(name).map(|file| LateFile::over(name.trim_end_matches(".new"), file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }

    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.0.lock(name)
    }
}

impl DiskFile for LateFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        // A file that is read while it is held back is read as it was answered.
        self.hold(None)?;
        self.file.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.hold(Some((offset, bytes.to_vec())))
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn size(&self) -> io::Result<u64> {
        self.hold(None)?;
        self.file.size()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.hold(None)?;
        self.file.set_size(size)
    }
}
