//! The seam under all files: what the store asks of a disk, real or simulated.
//!
//! Journal, checkpoint and keys stand on it, so that one simulator can cut the power under everything
//! at once. Names are plain file names in one directory.

pub mod overlay;
pub mod real;
pub mod simulated;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// One directory of files.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// As the operating system reports; `NotFound` when there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a new empty file. Only a synced directory keeps it through a power cut.
    ///
    /// # Errors
    /// As the operating system reports; `AlreadyExists` when there is one.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// As the operating system reports.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system reports.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in order.
    ///
    /// # Errors
    /// As the operating system reports.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes names durable: what was created, renamed and removed.
    ///
    /// # Errors
    /// As the operating system reports.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the directory for this process until the returned guard is dropped. `None` when another
    /// has it.
    ///
    /// # Errors
    /// As the operating system reports.
    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Send + Sync>>>;
}

/// One open file.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when the file ends before; otherwise as the operating system reports.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// As the operating system reports; how much was written is then unknown.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written durable.
    ///
    /// # Errors
    /// As the operating system reports; what is durable is then unknown, and stays so.
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// As the operating system reports.
    fn size(&self) -> io::Result<u64>;

    /// Changes the length; new bytes are zero.
    ///
    /// # Errors
    /// As the operating system reports.
    fn set_size(&self, size: u64) -> io::Result<()>;
}

/// Zeros are written in pieces of this many bytes.
const ZEROS: usize = 256 * 1024;

/// Writes `size` zeros and syncs: only written blocks are reserved, and only synced ones are there.
///
/// # Errors
/// As the disk reports.
pub(crate) fn fill_with_zeros(file: &dyn DiskFile, size: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    let mut at = 0;
    while at < size {
        let piece = usize::try_from(size - at).unwrap_or(ZEROS).min(ZEROS);
        file.write_at(at, zeros.get(..piece).unwrap_or_default())?;
        at += piece as u64;
    }
    file.set_size(size)?;
    file.sync()
}

/// Reads a whole file.
///
/// # Errors
/// As the disk reports.
pub(crate) fn read_all(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    read_at_most(disk, name, u64::MAX)
}

/// Reads a whole file that may have so many bytes.
///
/// # Errors
/// `FileTooLarge` when it has more; otherwise as the disk reports.
pub(crate) fn read_at_most(disk: &dyn Disk, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
    let size = Some(file.size()?).filter(|size| *size <= bytes_max).ok_or_else(too_large)?;
    let size = usize::try_from(size).map_err(|_| too_large())?;
    let mut bytes = vec![0; size];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes a whole file under a name that never shows half of it: beside it, synced, renamed, and the
/// directory synced.
///
/// # Errors
/// As the disk reports.
pub(crate) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = format!("{name}.new");
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = disk.create(&beside)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    disk.rename(&beside, name)?;
    disk.sync_dir()
}
