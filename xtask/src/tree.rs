//! The files of the house, read once: every rule is a function over this set.

use crate::source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Folders that are never looked into.
const SKIPPED: &[&str] = &[".git", "target", ".tessera", "node_modules"];
/// Endings of the files whose text is read.
const TEXTS: &[&str] = &["toml", "md", "txt", "sh", "yml", "yaml", "json"];

/// The set of files that the rules judge.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Rust files by path.
    pub(crate) sources: BTreeMap<String, Source>,
    /// Other texts by path.
    pub(crate) texts: BTreeMap<String, String>,
    /// Every path, folders included.
    pub(crate) paths: BTreeSet<String>,
}

impl Tree {
    /// Reads all files below `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    /// The text of a file that is not Rust, if it is there.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    fn walk(&mut self, root: &Path, folder: &str) -> io::Result<()> {
        for entry in std::fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED.contains(&name.as_str()) && !name.starts_with("target-") {
                    self.paths.insert(path.clone());
                    self.walk(root, &path)?;
                }
            } else if kind.is_file() {
                self.take(root, path)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, root: &Path, path: String) -> io::Result<()> {
        let ending = Path::new(&path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ending == "rs" {
            let text = std::fs::read_to_string(root.join(&path))?;
            self.sources.insert(path.clone(), Source::new(&text));
        } else if TEXTS.contains(&ending) || path.starts_with(".ci/") {
            let text = std::fs::read_to_string(root.join(&path))?;
            self.texts.insert(path.clone(), text);
        }
        self.paths.insert(path);
        Ok(())
    }
}

/// Whether `path` lies below `folder`.
pub(crate) fn inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The root of the tree that this program was built in.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A tree on disk that holds exactly the planted files; it is removed with its guard.
#[cfg(test)]
pub(crate) mod planted {
    use super::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    static COUNT: AtomicUsize = AtomicUsize::new(0);

    /// A folder with planted files.
    pub(crate) struct Planted(PathBuf);

    impl Planted {
        /// Writes `files` (path, text) into a new folder.
        pub(crate) fn new(files: &[(&str, &str)]) -> Self {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("tessera-tidy-{}-{number}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                std::fs::write(path, text).expect("a file");
            }
            Self(root)
        }

        /// Where it stands.
        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            // Left-overs of a test do no harm in the temporary folder.
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}
