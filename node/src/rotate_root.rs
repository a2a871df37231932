//! `tessera keys rotate --root`: another root key for a stopped node.
//!
//! The new key stands beside the old one until everything is wrapped under it, and takes its name then: a command
//! that is cut off is simply run again.

use crate::command::Files;
use crate::config::{self, Config};
use crate::exit::FatalError;
use crate::root_key;
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tessera_storage::{RootKey, StorageError, rotate_root};

/// The noun of the command line that this verb belongs to, and the verb.
const NOUN: &str = "keys";
const VERB: &str = "rotate";

/// Which node.
#[derive(clap::Args)]
struct Rotate {
    /// The root key: make another one, and wrap every tenant's keys under it.
    #[arg(long, required = true)]
    root: bool,
    #[command(flatten)]
    files: Files,
    /// The folder of a node for development (`tessera dev`).
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    folder: Option<PathBuf>,
}

/// The command line with this verb beside those of its noun, which need a running node.
pub(crate) fn mounted(line: Command) -> Command {
    // The texts come last: the arguments' own would stand in their place.
    let verb = Rotate::augment_args(Command::new(VERB))
        .about("Make another root key for a stopped node, and wrap every tenant's keys under it")
        .long_about(
            "Make another root key for a stopped node, and wrap every tenant's keys under it.\n\nIt needs the node's configuration, its data directory and its root key, and no running node on them. The new key takes the place of the old one, which is gone then: what is left of the data directory elsewhere (on flash, in snapshots, in backups of before) opens with the old key alone. Keep a copy of the old key for as long as you want to restore those backups; destroy it to make them useless. Cut off, it is run again.",
        )
        .after_help(
            "Examples:\n  tessera keys rotate --root --config /etc/tessera/tessera.toml\n  tessera keys rotate --root --folder .tessera",
        );
    line.mut_subcommand(NOUN, |noun| noun.subcommand(verb))
}

/// Does it, when the line asks for it: the answer for people or programs, and whether it is for programs.
pub(crate) fn run(found: &ArgMatches) -> Option<(Result<String, FatalError>, bool)> {
    let verb = found.subcommand_matches(NOUN)?.subcommand_matches(VERB)?;
    let json = verb.get_flag("json");
    let done = Rotate::from_arg_matches(verb)
        .map_err(|error| FatalError { code: crate::exit::USAGE, what: error.to_string() })
        .and_then(|rotate| rotate.run(json));
    Some((done, json))
}

impl Rotate {
    fn run(self, json: bool) -> Result<String, FatalError> {
        let base = self.folder.as_deref().map_or_else(Config::default, Config::development);
        let loaded = config::load(base, self.files.config.as_deref());
        let storage = loaded.map_err(|error| FatalError::config(error.to_string()))?.storage;
        let file = &storage.root_key_file;
        if !file.is_file() {
            return Err(FatalError::config(format!(
                "storage.root_key_file {}: is missing; a root key from TESSERA_ROOT_KEY must stand in this file to be rotated",
                file.display()
            )));
        }
        let (old, beside) = (root_key::read_file(&storage)?, beside(file));
        if !beside.exists() {
            root_key::make(&beside)?;
        }
        let new = RootKey::read(&beside).map_err(|error| told(&beside, &error))?;
        let seed =
            tessera_crypto::random::bytes().map_err(|error| FatalError::unavailable(error.to_string()))?;
        let sets =
            rotate_root(&storage.dir, &old, &new, &seed).map_err(|error| told(&storage.dir, &error))?;
        put_in_place(&beside, file).map_err(|error| {
            FatalError::unavailable(format!("{}: {error}; run the command again", file.display()))
        })?;
        let file = file.display().to_string();
        Ok(if json {
            tessera_ctl::sorted(serde_json::json!({ "ok": true, "root_key_file": file, "sets": sets }))
                .to_string()
        } else {
            format!(
                "{file} holds another root key now; {sets} sets of tenants' keys are wrapped under it.\nKeep a copy of it elsewhere: without it nothing sealed can be read. The old key opens backups of before, and nothing else."
            )
        })
    }
}

/// Where the new key stands until it counts.
fn beside(file: &Path) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn put_in_place(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::File::open(above)?.sync_all()
}

/// What a failure means for whoever rotates, and its exit code.
fn told(at: &Path, error: &StorageError) -> FatalError {
    let what = format!("{}: {error}", at.display());
    if matches!(error, StorageError::RootKeyWrong | StorageError::OlderFormat { .. }) {
        return FatalError::config(what);
    }
    if matches!(error, StorageError::InUse) {
        return FatalError::unavailable(format!("{what}; stop the node first"));
    }
    FatalError::storage(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tessera_storage::{Embedded, Options};

    /// PROPERTY: a rotated directory opens with the new key alone, also when the command was cut off between its
    /// files and run again.
    #[test]
    fn a_rotated_directory_opens_with_the_new_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = Config::development(folder.path()).storage;
        root_key::make_if_missing(&storage).expect("a key");
        std::fs::create_dir_all(&storage.dir).expect("a folder");
        let open = |text: &str| {
            let key = RootKey::parse(text).expect("a key");
            Embedded::open(&storage.dir, Options::new(key, [7; 32], [8; 32])).map(Arc::new)
        };
        let read = || std::fs::read_to_string(&storage.root_key_file).expect("a key");
        let first = read();
        drop(open(&first).expect("made"));
        let was = std::fs::read(storage.dir.join("keys-b")).expect("a file");
        let rotate = || {
            Rotate { root: true, files: Files { config: None }, folder: Some(folder.path().to_owned()) }
                .run(true)
        };
        rotate().unwrap_or_else(|error| panic!("{}", error.what));
        let second = read();
        assert_ne!(first, second);
        assert!(matches!(open(&first).err(), Some(StorageError::RootKeyWrong)));
        drop(open(&second).expect("opens"));
        // Cut off behind the first copy, before the new key took its place.
        std::fs::write(storage.dir.join("keys-b"), &was).expect("written");
        std::fs::write(beside(&storage.root_key_file), &second).expect("written");
        std::fs::set_permissions(
            beside(&storage.root_key_file),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .expect("a mode");
        std::fs::write(&storage.root_key_file, &first).expect("written");
        rotate().unwrap_or_else(|error| panic!("{}", error.what));
        assert_eq!(read(), second);
        drop(open(&second).expect("opens"));
    }

    /// PROPERTY: the verb says what it does, in the list of its noun and in its help.
    #[test]
    fn the_verb_says_what_it_does() {
        let line = mounted(Command::new("tessera").subcommand(Command::new(NOUN)));
        let verb = line.find_subcommand(NOUN).and_then(|noun| noun.find_subcommand(VERB)).expect("there");
        assert!(verb.get_long_about().expect("long").to_string().contains("no running node"));
    }
}
