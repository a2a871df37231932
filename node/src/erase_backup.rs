//! `tessera backup erase`: an erasure reaches a backup of before, by another backup that is made of it.

use crate::command::Files;
use crate::config::{self, Config};
use crate::exit::FatalError;
use crate::restore::told;
use crate::root_key;
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use tessera_storage::disk::real::Directory;
use tessera_storage::{Backup, BackupErased, KEY_FILES, Progress, RootKey};

/// The word of the command line that this verb stands behind, and the verb.
const WORD: &str = "backup";
const VERB: &str = "erase";
/// The file of the data directory that tells which one it is.
const LANE: &str = "LANE";

/// Which backup.
#[derive(clap::Args)]
struct Erase {
    /// The directory of the backup.
    backup: PathBuf,
    /// The directory of the backup that takes its place; it must be empty or absent.
    new: PathBuf,
    /// The file of the root key that the node had when the backup was taken; without it that of the configuration.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
    /// The folder of a node for development (`tessera dev`).
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    folder: Option<PathBuf>,
}

/// The command line with this verb behind its word, which needs a running node without it.
pub(crate) fn mounted(line: Command) -> Command {
    let verb = Erase::augment_args(Command::new(VERB))
        .about("Make another backup without those who were erased since, and destroy the keys of the old one")
        .long_about(
            "Make another backup without those who were erased since, and destroy the keys of the old one.\n\nIt needs the node's configuration, its data directory, which tells who was erased, and the root key of when the backup was taken. The node may run. Whatever was erased since is gone from the new backup; everything else is as it was. Until the new one is whole the old one can be restored, and behind that nothing sealed in it can be read. Where nobody in it was erased, nothing is made and nothing destroyed.",
        )
        .after_help(
            "Examples:\n  tessera backup erase /backups/monday /backups/monday.2 --config /etc/tessera/tessera.toml\n  tessera backup erase backups/monday backups/monday.2 --folder .tessera",
        );
    line.mut_subcommand(WORD, |word| word.subcommand(verb).subcommand_negates_reqs(true))
}

/// Does it, when the line asks for it: the answer for people or programs, and whether it is for programs.
pub(crate) fn run(found: &ArgMatches) -> Option<(Result<String, FatalError>, bool)> {
    let verb = found.subcommand_matches(WORD)?.subcommand_matches(VERB)?;
    let json = verb.try_get_one::<bool>("json").ok().flatten().copied().unwrap_or_default();
    let done = Erase::from_arg_matches(verb)
        .map_err(|error| FatalError { code: crate::exit::USAGE, what: error.to_string() })
        .and_then(|erase| erase.run(json));
    Some((done, json))
}

impl Erase {
    fn run(self, json: bool) -> Result<String, FatalError> {
        let base = self.folder.as_deref().map_or_else(Config::default, Config::development);
        let loaded = config::load(base, self.files.config.as_deref());
        let storage = loaded.map_err(|error| FatalError::config(error.to_string()))?.storage;
        let root = match &self.root_key {
            Some(file) => RootKey::read(file).map_err(|error| told(file, &error))?,
            None => root_key::read_file(&storage)?,
        };
        let read = |name: &str| {
            let file = storage.dir.join(name);
            std::fs::read(&file)
                .map_err(|error| FatalError::unavailable(format!("{}: {error}", file.display())))
        };
        let lane = read(LANE)?;
        // One of them is enough, as it is for the node.
        let [one, other] = KEY_FILES.map(&read);
        let now = match (one, other) {
            (Err(error), Err(_)) => return Err(error),
            (one, other) => [one, other].into_iter().flatten().collect::<Vec<_>>(),
        };
        let backup = Backup::open(&self.backup).map_err(|error| told(&self.backup, &error))?;
        backup.check_is_of(&lane).map_err(|error| told(&self.backup, &error))?;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.new);
        made.map_err(|error| FatalError::unavailable(format!("{}: {error}", self.new.display())))?;
        let to = Directory::open(&self.new)
            .map_err(|error| FatalError::unavailable(format!("{}: {error}", self.new.display())))?;
        let seed =
            tessera_crypto::random::bytes().map_err(|error| FatalError::unavailable(error.to_string()))?;
        let erased = backup.erase(&to, (&root, &lane, &now), &seed, &Progress::default());
        let BackupErased { subjects, invitations, buckets } =
            erased.map_err(|error| told(&self.backup, &error))?;
        let (old, new) = (self.backup.display().to_string(), self.new.display().to_string());
        Ok(if json {
            let backup = if subjects + invitations > 0 { &new } else { &old };
            tessera_ctl::sorted(serde_json::json!({ "ok": true, "subjects": subjects, "invitations": invitations, "backup": backup }))
                .to_string()
        } else if subjects + invitations == 0 {
            format!("Nobody whom {old} holds was erased since: it stays as it is, and nothing was made.")
        } else {
            format!(
                "{new} holds what {old} held, without {subjects} who were erased since and whom {invitations} invitations were for ({buckets} parts written anew).\nThe keys of {old} are destroyed: nothing sealed in it can be read any more. Remove it."
            )
        })
    }
}
