//! Huge pages: for large tables, not for a small node.
//!
//! The allocator asks the system for pages of 2 MiB wherever it may. Over large tables of sessions they save what every
//! check would wait for; a node that holds little takes a whole one for each small thing that it touches first, some
//! 13 MB that nobody uses. So a node goes without them until it holds much, or opens a directory that is large, and has
//! them from then on.

use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};
use std::path::Path;
use std::time::Duration;
use tessera_engine::Engine;

/// Bytes of tenants in memory from which on huge pages are worth it.
const WORTH_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a directory's checkpoint from which on so much may be woken at once.
const LARGE_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// How often a node that goes without them looks.
const LOOK: Duration = Duration::from_secs(1);

/// Whether this process goes without huge pages for now.
pub(crate) struct Without(bool);

/// Goes without them, unless the directory is large. Where they were switched off for the process already, that stays.
pub(crate) fn spare(directory: &Path) -> Without {
    let large = checkpoint_bytes(directory) >= LARGE_FILE_BYTES;
    let spares = !large && transparent_huge_pages_are_disabled().is_ok_and(|already| !already);
    // A system without huge pages has none to spare.
    Without(spares && disable_transparent_huge_pages(true).is_ok())
}

fn checkpoint_bytes(directory: &Path) -> u64 {
    std::fs::metadata(directory.join(tessera_storage::CHECKPOINT_FILE)).map_or(0, |file| file.len())
}

impl Without {
    /// Takes them into use once the tenants in memory are worth it. Ends then.
    pub(crate) async fn until_worth_it(mut self, engine: Engine) {
        while self.0 {
            tokio::time::sleep(LOOK).await;
            self.look(engine.usage().awake_bytes);
        }
    }

    fn look(&mut self, bytes: usize) {
        if bytes >= WORTH_BYTES {
            // Without them the node is slower over large tables, and right.
            let (Ok(()) | Err(_)) = disable_transparent_huge_pages(false);
            self.0 = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a process has no huge pages from its start on until its tenants take much, and then has them; over a
    /// large directory it has them from the start.
    #[test]
    fn a_small_node_goes_without() {
        let folder = tempfile::tempdir().expect("a folder");
        let Ok(false) = transparent_huge_pages_are_disabled() else { return };
        let mut small = spare(folder.path());
        assert!(transparent_huge_pages_are_disabled().expect("told"));
        assert!(!spare(folder.path()).0, "what is off already was switched off by somebody else");
        small.look(WORTH_BYTES - 1);
        assert!(small.0 && transparent_huge_pages_are_disabled().expect("told"));
        small.look(WORTH_BYTES);
        assert!(!small.0 && !transparent_huge_pages_are_disabled().expect("told"));
        let file =
            std::fs::File::create(folder.path().join(tessera_storage::CHECKPOINT_FILE)).expect("a file");
        file.set_len(LARGE_FILE_BYTES).expect("a length");
        assert!(!spare(folder.path()).0 && !transparent_huge_pages_are_disabled().expect("told"));
    }
}
