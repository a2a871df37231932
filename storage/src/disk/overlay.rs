//! A disk that only reads another one: what is written stays in memory, and goes with it.
//!
//! With it a directory is opened as a start would open it, and stays as it is.

use super::{Disk, DiskFile};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const PAGE_BYTES: usize = 4096;

/// A directory as it is, under what was written since.
#[derive(Debug)]
pub struct Overlay {
    below: Arc<dyn Disk>,
    /// Files that were opened or made; none for one that was removed.
    files: Mutex<BTreeMap<String, Option<Arc<Paged>>>>,
}

/// A file under the pages that were written since.
#[derive(Debug)]
struct Paged {
    below: Option<Arc<dyn DiskFile>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    size: u64,
    /// Up to where the file below counts.
    valid: u64,
    /// Pages that were written; none for one of zeros.
    pages: BTreeMap<u64, Option<Box<[u8]>>>,
}

impl Overlay {
    /// Over a disk as it is.
    #[must_use]
    pub fn new(below: Arc<dyn Disk>) -> Self {
        Self { below, files: Mutex::default() }
    }
}

impl Disk for Overlay {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.lock();
        match files.get(name) {
            Some(Some(file)) => return Ok(Arc::clone(file) as Arc<dyn DiskFile>),
            Some(None) => return Err(io::ErrorKind::NotFound.into()),
            None => {}
        }
        let below = self.below.open(name)?;
        let size = below.size()?;
        let state = State { size, valid: size, pages: BTreeMap::new() };
        let file = Arc::new(Paged { below: Some(below), state: Mutex::new(state) });
        files.insert(name.to_owned(), Some(Arc::clone(&file)));
        Ok(file)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if self.list()?.iter().any(|known| known == name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let state = State { size: 0, valid: 0, pages: BTreeMap::new() };
        let file = Arc::new(Paged { below: None, state: Mutex::new(state) });
        self.files.lock().insert(name.to_owned(), Some(Arc::clone(&file)));
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.open(from)?;
        let mut files = self.files.lock();
        let file = files.insert(from.to_owned(), None).flatten();
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if !self.list()?.iter().any(|known| known == name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.files.lock().insert(name.to_owned(), None);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let files = self.files.lock();
        let below = self.below.list()?.into_iter().filter(|name| !files.contains_key(name));
        let above = files.iter().filter(|(_, file)| file.is_some()).map(|(name, _)| name.clone());
        let mut names: Vec<String> = below.chain(above).collect();
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.below.lock(name)
    }
}

/// The pages that a range touches: number, first byte in the page, first byte of the range, bytes.
fn touched(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= len {
            return None;
        }
        let whole = offset + at as u64;
        let within = usize::try_from(whole % PAGE_BYTES as u64).unwrap_or_default();
        let some = (PAGE_BYTES - within).min(len - at);
        let found = (whole / PAGE_BYTES as u64, within, at, some);
        at += some;
        Some(found)
    })
}

impl Paged {
    /// A page as it stands now.
    fn page(&self, state: &State, no: u64) -> io::Result<Box<[u8]>> {
        match state.pages.get(&no) {
            Some(Some(page)) => return Ok(page.clone()),
            Some(None) => return Ok(vec![0; PAGE_BYTES].into()),
            None => {}
        }
        let mut page = vec![0; PAGE_BYTES];
        let start = no * PAGE_BYTES as u64;
        let some = usize::try_from(state.valid.saturating_sub(start)).unwrap_or(PAGE_BYTES).min(PAGE_BYTES);
        if let (Some(below), Some(bytes), true) = (&self.below, page.get_mut(..some), some > 0) {
            below.read_at(start, bytes)?;
        }
        Ok(page.into())
    }
}

impl DiskFile for Paged {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock();
        if offset + bytes.len() as u64 > state.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let (Some(below), true) = (&self.below, state.pages.is_empty())
            && offset + bytes.len() as u64 <= state.valid
        {
            return below.read_at(offset, bytes);
        }
        for (no, within, at, some) in touched(offset, bytes.len()) {
            let page = self.page(&state, no)?;
            if let (Some(to), Some(from)) = (bytes.get_mut(at..at + some), page.get(within..within + some)) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        for (no, within, at, some) in touched(offset, bytes.len()) {
            let from = bytes.get(at..at + some).unwrap_or_default();
            let page = if some == PAGE_BYTES && from.iter().all(|byte| *byte == 0) {
                None
            } else {
                let mut page = self.page(&state, no)?;
                if let Some(to) = page.get_mut(within..within + some) {
                    to.copy_from_slice(from);
                }
                Some(page)
            };
            state.pages.insert(no, page);
        }
        state.size = state.size.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.state.lock().size)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        if size < state.size {
            let (last, within) = (size / PAGE_BYTES as u64, size % PAGE_BYTES as u64);
            let mut page = self.page(&state, last)?;
            state.pages.retain(|no, _| *no < last);
            if let Some(gone) = page.get_mut(usize::try_from(within).unwrap_or_default()..) {
                gone.fill(0);
            }
            state.pages.insert(last, Some(page));
            state.valid = state.valid.min(size);
        }
        state.size = size;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::Simulated;

    /// PROPERTY: whatever is written over a disk reads back as from a plain file, and the disk stays as it was.
    /// METHOD: random writes, sizes and reads beside a vector of bytes.
    #[test]
    fn what_is_written_over_a_disk_reads_back() {
        for seed in 0..20u64 {
            let below = Simulated::new();
            let mut plain: Vec<u8> = (0..20_000u32).map(|at| at.to_le_bytes()[0] | 1).collect();
            below.create("a").and_then(|file| file.write_at(0, &plain)).expect("made");
            let before = plain.clone();
            let over = Overlay::new(Arc::new(below.clone()));
            let file = over.open("a").expect("there");
            let mut dice = seed | 1;
            let mut roll = |most: usize| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(dice >> 33).expect("small") % most
            };
            for _ in 0..200 {
                match roll(4) {
                    0 => {
                        let size = roll(30_000);
                        plain.resize(size, 0);
                        file.set_size(size as u64).expect("set");
                    }
                    1 | 2 => {
                        let (at, len, byte) = (roll(20_000), roll(9_000), u8::from(roll(2) == 1));
                        plain.resize(plain.len().max(at + len), 0);
                        plain[at..at + len].fill(byte);
                        file.write_at(at as u64, &vec![byte; len]).expect("written");
                    }
                    _ => {}
                }
                let mut bytes = vec![0; plain.len()];
                file.read_at(0, &mut bytes).expect("read");
                assert!(bytes == plain, "seed {seed}");
                assert!(file.read_at(1, &mut bytes).is_err() || bytes.is_empty());
            }
            over.rename("a", "b").expect("renamed");
            assert!(over.open("a").is_err() && over.list().expect("names") == ["b"]);
            assert!(over.create("b").is_err() && over.remove("a").is_err());
            over.remove("b").expect("removed");
            assert_eq!(below.list().expect("names"), ["a"]);
            let mut bytes = vec![0; before.len()];
            below.open("a").and_then(|file| file.read_at(0, &mut bytes)).expect("there");
            assert!(bytes == before, "the disk below changed");
        }
    }
}
