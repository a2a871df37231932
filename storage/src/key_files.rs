//! The two copies of the key file as they are opened: made, or made whole from one another.

use crate::disk::{self, Disk, DiskFile};
use crate::error::{Damage, StorageError};
use crate::keys::SLOT_BYTES;
use crate::record::{Field, Reader, field::record};
use std::io;
use std::sync::Arc;
use tessera_crypto::compare;

/// The file, and its second copy.
pub const FILES: [&str; 2] = ["keys-a", "keys-b"];
const MAGIC: u32 = u32::from_le_bytes([0xFF, b'T', b'S', b'K']);
/// 2: what wraps the keys of subjects and buckets is made of the root key, too.
const VERSION: u16 = 2;

struct FileHeader {
    magic: u32,
    version: u16,
    spare: u16,
    check: [u8; 32],
}

record! { FileHeader { magic, version, spare, check } }

/// What a copy is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Worth {
    /// There is none.
    Missing,
    /// Its header does not read.
    Damaged,
    /// It is of another root key, or of another directory.
    Foreign,
    /// It is this directory's, as far as its header says.
    Sound,
}

/// Opens both copies. Where one is missing, damaged or shorter, it is made of the other; where there is
/// none, both are made, unless tenants were `born`.
pub(crate) fn open(
    disk: &dyn Disk,
    check: &[u8; 32],
    born: bool,
) -> Result<[Arc<dyn DiskFile>; 2], StorageError> {
    let [a, b] = FILES;
    let (mut left, mut right) = (worth(disk, a, check)?, worth(disk, b, check)?);
    if left == Worth::Missing && right == Worth::Missing {
        if born {
            return Err(damaged("both copies of the key file are missing, and the directory has tenants"));
        }
        for name in FILES {
            make(disk, name, check)?;
        }
        (left, right) = (Worth::Sound, Worth::Sound);
    }
    match (left, right) {
        (Worth::Sound, Worth::Sound) => {}
        (Worth::Sound, Worth::Damaged) => mend(disk, b, check)?,
        (Worth::Damaged, Worth::Sound) => mend(disk, a, check)?,
        (Worth::Sound, Worth::Missing | Worth::Foreign) => replace(disk, b, a)?,
        (Worth::Missing | Worth::Foreign, Worth::Sound) => replace(disk, a, b)?,
        // A copy that reads says more about the key than one that does not.
        (Worth::Foreign, _) | (_, Worth::Foreign) => return Err(StorageError::RootKeyWrong),
        (Worth::Missing | Worth::Damaged, Worth::Missing | Worth::Damaged) => {
            return Err(damaged("neither copy of the key file reads"));
        }
    }
    let open = |name| disk.open(name).map_err(StorageError::while_doing("opening", name));
    let (left, right) = (open(a)?, open(b)?);
    lengthen(&*right, b, &*left, a)?;
    lengthen(&*left, a, &*right, b)?;
    Ok([left, right])
}

fn damaged(what: &'static str) -> StorageError {
    let file = FILES.join(", ").into();
    StorageError::Damaged(Damage { file, offset: 0, what: what.into(), tenants: None })
}

fn worth(disk: &dyn Disk, name: &str, check: &[u8; 32]) -> Result<Worth, StorageError> {
    let file = match disk.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Worth::Missing),
        opened => opened.map_err(StorageError::while_doing("opening", name))?,
    };
    let mut bytes = [0; SLOT_BYTES];
    match file.read_at(0, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Worth::Damaged),
        read => read.map_err(StorageError::while_doing("reading", name))?,
    }
    let Ok(header) = FileHeader::take(&mut Reader::new(&bytes)) else { return Ok(Worth::Damaged) };
    if header.magic != MAGIC {
        return Ok(Worth::Damaged);
    }
    if header.version > VERSION {
        return Err(StorageError::NewerFormat { found: header.version, known: VERSION });
    }
    if header.version < VERSION {
        return Err(StorageError::OlderFormat { found: header.version, known: VERSION });
    }
    let sound = compare::equal(&header.check, check);
    Ok(if sound { Worth::Sound } else { Worth::Foreign })
}

/// Whether a copy begins with the header of this version, root key and directory.
pub(crate) fn is_of(bytes: &[u8], check: &[u8; 32]) -> bool {
    FileHeader::take(&mut Reader::new(bytes)).is_ok_and(|header| {
        header.magic == MAGIC && header.version == VERSION && compare::equal(&header.check, check)
    })
}

pub(crate) fn header(check: &[u8; 32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    FileHeader { magic: MAGIC, version: VERSION, spare: 0, check: *check }.put(&mut bytes);
    bytes.resize(SLOT_BYTES, 0);
    bytes
}

fn make(disk: &dyn Disk, name: &str, check: &[u8; 32]) -> Result<(), StorageError> {
    disk::replace(disk, name, &header(check)).map_err(StorageError::while_doing("making", name))
}

/// Writes the header of a copy anew; its slots may be newer than those of the other.
fn mend(disk: &dyn Disk, name: &str, check: &[u8; 32]) -> Result<(), StorageError> {
    tracing::warn!(file = name, "the header of a copy of the key file is damaged: it is written anew");
    let file = disk.open(name).map_err(StorageError::while_doing("opening", name))?;
    file.write_at(0, &header(check)).map_err(StorageError::while_doing("writing", name))?;
    file.sync().map_err(StorageError::while_doing("syncing", name))
}

/// Makes a copy of the other one.
fn replace(disk: &dyn Disk, name: &str, of: &str) -> Result<(), StorageError> {
    tracing::warn!(
        file = name,
        from = of,
        "a copy of the key file is missing or foreign: it is made of the other"
    );
    let bytes = disk::read_all(disk, of).map_err(StorageError::while_doing("reading", of))?;
    disk::replace(disk, name, &bytes).map_err(StorageError::while_doing("making", name))
}

/// Gives a copy that lost its end what the other has there. What a crash left of the last slots is
/// looked at slot by slot afterwards.
fn lengthen(short: &dyn DiskFile, name: &str, long: &dyn DiskFile, of: &str) -> Result<(), StorageError> {
    let measure =
        |file: &dyn DiskFile, name| file.size().map_err(StorageError::while_doing("measuring", name));
    let (from, to) = (measure(short, name)?, measure(long, of)?);
    // A slot that was cut in two is taken whole.
    let from = from - from % SLOT_BYTES as u64;
    let Some(len) = to.checked_sub(from).and_then(|len| usize::try_from(len).ok()).filter(|len| *len > 0)
    else {
        return Ok(());
    };
    if measure(short, name)? >= to {
        return Ok(());
    }
    tracing::warn!(
        file = name,
        from = of,
        bytes = len,
        "a copy of the key file is shorter than the other: made whole"
    );
    let mut bytes = vec![0; len];
    long.read_at(from, &mut bytes).map_err(StorageError::while_doing("reading", of))?;
    short.write_at(from, &bytes).map_err(StorageError::while_doing("writing", name))?;
    short.sync().map_err(StorageError::while_doing("syncing", name))
}
