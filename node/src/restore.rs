//! `tessera restore`: a data directory made of a backup, whole or not at all.
//!
//! It is built beside its place and gets its name when every tenant has begun its new epoch: a restore that
//! is cut off leaves no data directory.

use crate::assemble;
use crate::clock::{Machine, NodeClock};
use crate::command::Files;
use crate::config::{self, Config};
use crate::exit::{self, FatalError};
use crate::fleet;
use crate::root_key;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tessera_engine::{Begun, Clock as _};
use tessera_model::Epoch;
use tessera_storage::disk::{Disk, real::Directory};
use tessera_storage::{Backup, Progress, Restored, StorageError};

/// What the name of a directory ends with while it is built.
const UNFINISHED: &str = ".restoring";

/// The files of a backup.
const FILES: [&str; 4] = ["MANIFEST", "state", "tail", "keys"];

/// Which backup, and where to.
#[derive(clap::Args)]
pub(crate) struct Restore {
    /// The directory of the backup.
    backup: PathBuf,
    /// The data directory to make; it must be empty or absent.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The file of the root key that the backed-up node had; without it that of the configuration.
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    #[command(flatten)]
    files: Files,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What was restored.
struct Told {
    made: tessera_model::UnixMillis,
    epoch: Epoch,
    restored: Vec<Restored>,
    begun: Vec<Begun>,
}

/// Refuses a directory that a restore has not finished.
///
/// # Errors
/// When its name says so.
pub(crate) fn refuse_unfinished(dir: &Path) -> Result<(), FatalError> {
    if dir.to_string_lossy().ends_with(UNFINISHED) {
        return Err(FatalError::config(format!(
            "storage.dir {}: is what a restore that was cut off has left; remove it and restore again",
            dir.display()
        )));
    }
    Ok(())
}

/// What a failure means for whoever restores or looks, and its exit code.
pub(crate) fn told(at: &Path, error: &StorageError) -> FatalError {
    let what = format!("{}: {error}", at.display());
    if matches!(error, StorageError::NewerBackup { .. } | StorageError::NewerFormat { .. }) {
        return FatalError::config(what);
    }
    if matches!(error, StorageError::RootKeyWrong) {
        return FatalError::config(format!("{what}; bring the key that the backed-up node had"));
    }
    if matches!(error, StorageError::InUse) {
        return FatalError::unavailable(format!("{what}; stop the node first"));
    }
    if matches!(error, StorageError::NotEmpty) {
        return FatalError { code: exit::USAGE, what };
    }
    // A file that ends too early is damage, and no trouble of the disk.
    if let StorageError::Disk { source, .. } = error
        && source.kind() != ErrorKind::UnexpectedEof
    {
        return FatalError::unavailable(what);
    }
    FatalError::storage(what)
}

/// What a failure while a backup was restored means: the disk that fails is that of the backup, or the new one.
fn told_of_either(backup: &Path, new: &Path, error: &StorageError) -> FatalError {
    let of_new = if let StorageError::Disk { file, .. } = error {
        !FILES.contains(&&**file)
    } else {
        matches!(error, StorageError::Checkpoint { .. } | StorageError::StorageFull)
    };
    if of_new {
        return FatalError::unavailable(format!("{}: {error}", new.display()));
    }
    told(backup, error)
}

impl Restore {
    /// Restores, and gives the answer.
    ///
    /// # Errors
    /// What does not fit; nothing was made then.
    pub(crate) fn run(self) -> Result<String, FatalError> {
        let loaded = config::load(Config::default(), self.files.config.as_deref());
        let mut config = loaded.map_err(|error| FatalError::config(error.to_string()))?;
        if let Some(file) = &self.root_key {
            config.storage.root_key_file.clone_from(file);
            config.storage.root_key_file_named = true;
        }
        refuse_unfinished(&self.data)?;
        let beside = beside(&self.data)?;
        let key = root_key::read(&config.storage)?;
        let used = std::fs::read_dir(&self.data).is_ok_and(|mut entries| entries.next().is_some());
        if used || self.data.is_file() {
            return Err(told(&self.data, &StorageError::NotEmpty));
        }
        let backup = Backup::open(&self.backup).map_err(|error| told(&self.backup, &error))?;
        make(&beside)?;
        config.storage.dir.clone_from(&beside);
        let done = build(&backup, &beside, &key, &config)
            .map_err(|error| match error {
                Trouble::Storage(error) => told_of_either(&self.backup, &beside, &error),
                Trouble::Fatal(error) => error,
            })
            .and_then(|told| name(&beside, &self.data).map(|()| told));
        match done {
            Ok(told) => Ok(self.answer(&told)),
            Err(error) => {
                // What is left is no data directory; the first failure is the news.
                drop(std::fs::remove_dir_all(&beside));
                Err(error)
            }
        }
    }

    fn answer(&self, told: &Told) -> String {
        let by: BTreeMap<_, _> = told.begun.iter().map(|begun| (begun.tenant, begun)).collect();
        let begun = |tenant| by.get(&tenant);
        let made = told.made;
        if self.json {
            let tenants: Vec<_> = told
                .restored
                .iter()
                .map(|one| {
                    let begun = begun(one.tenant);
                    json!({
                        "tenant": one.tenant.to_string(),
                        "name": one.name.as_ref().map(ToString::to_string),
                        "revision": one.revision.0,
                        "receipt": begun.map(|begun| begun.receipt.to_string()),
                        "sessions_ended": begun.map(|begun| begun.sessions),
                        "keys": begun.map(|begun| begun.keys),
                    })
                })
                .collect();
            let object = tessera_ctl::sorted(json!({
                "ok": true, "data": self.data.display().to_string(), "backup": self.backup.display().to_string(),
                "made": made.to_string(), "made_ms": made.0, "epoch": told.epoch.0, "tenants": tenants,
            }));
            return format!("{object}\n");
        }
        let mut text = format!(
            "Restored to {} from a backup of {made}; every tenant goes on in epoch {}.\n\n{:<20} {:<24} {:>10} {:>15} {:>10}\n",
            self.data.display(),
            told.epoch.0,
            "TENANT",
            "NAME",
            "REVISION",
            "SESSIONS ENDED",
            "KEYS"
        );
        for one in &told.restored {
            let name = one.name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let of = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
            let (sessions, keys) = (begun(one.tenant).map(|b| b.sessions), begun(one.tenant).map(|b| b.keys));
            let (tenant, revision) = (one.tenant.to_string(), one.revision.0);
            let (sessions, keys) = (of(sessions), of(keys));
            text.push_str(&format!("{tenant:<20} {name:<24} {revision:>10} {sessions:>15} {keys:>10}\n"));
        }
        text.push_str("\nWhat came after these positions is not there. Keys that were revoked since are alive again: look at them with tessera key list.\n");
        text
    }
}

/// What kept a directory from being built.
enum Trouble {
    Storage(StorageError),
    Fatal(FatalError),
}

/// Where the directory is built: beside its place, so that its name is all that changes at the end. A place
/// that no directory can be renamed to is refused.
fn beside(data: &Path) -> Result<PathBuf, FatalError> {
    use std::os::unix::fs::MetadataExt as _;
    let unfit = |what: &str| FatalError { code: exit::USAGE, what: format!("{}: {what}", data.display()) };
    let whole = std::path::absolute(data)
        .map_err(|error| FatalError::unavailable(format!("{}: {error}", data.display())))?;
    // Without a slash at the end, behind which a link would be followed.
    let whole: PathBuf = whole.components().collect();
    let name = whole.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| unfit("names no directory"))?;
    if let Ok(there) = std::fs::symlink_metadata(&whole) {
        if there.file_type().is_symlink() {
            return Err(unfit("is a link: name the directory itself, empty or absent"));
        }
        let above = whole.parent().and_then(|above| std::fs::metadata(above).ok());
        if above.is_some_and(|above| above.dev() != there.dev()) {
            return Err(unfit("is a mount point: name a directory below it, and set storage.dir to that"));
        }
    }
    Ok(whole.with_file_name(format!("{name}{UNFINISHED}")))
}

fn make(beside: &Path) -> Result<(), FatalError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(beside).map_err(|error| {
        let shown = beside.display();
        if error.kind() == ErrorKind::AlreadyExists {
            return FatalError::unavailable(format!(
                "{shown}: another restore is under way, or was cut off; when none is, remove it and restore again"
            ));
        }
        FatalError::unavailable(format!("{shown}: {error}"))
    })
}

fn build(
    backup: &Backup,
    beside: &Path,
    key: &tessera_storage::RootKey,
    config: &Config,
) -> Result<Told, Trouble> {
    let directory = Directory::open(beside)
        .map_err(|error| Trouble::Fatal(FatalError::unavailable(format!("{}: {error}", beside.display()))))?;
    let disk: Arc<dyn Disk> = Arc::new(directory);
    let now = NodeClock::new(Machine).now();
    let restored = backup.restore(&disk, key, now, &Progress::default());
    let (epoch, restored) = restored.map_err(Trouble::Storage)?;
    drop(disk);
    let runtime = assemble::runtime().map_err(Trouble::Fatal)?;
    let begun = runtime.block_on(begin(config)).map_err(Trouble::Fatal)?;
    Ok(Told { made: backup.made(), epoch, restored, begun })
}

async fn begin(config: &Config) -> Result<Vec<Begun>, FatalError> {
    let engine = assemble::engine(config, fleet::read(config)?, Arc::new(NodeClock::new(Machine))).await?;
    let begun = engine.begin_epoch().await;
    engine.stop().await;
    if tokio::time::timeout(std::time::Duration::ZERO, engine.until_failed()).await.is_ok() {
        return Err(FatalError::storage("the new store has failed: look at its disk and restore again"));
    }
    begun.map_err(|(tenant, error)| FatalError::storage(format!("tenant {tenant} cannot go on: {error}")))
}

/// Gives the directory its name, durably.
fn name(beside: &Path, data: &Path) -> Result<(), FatalError> {
    let failed = |error| FatalError::unavailable(format!("{}: {error}", data.display()));
    std::fs::rename(beside, data).map_err(failed)?;
    let above = beside.parent().unwrap_or(Path::new("."));
    std::fs::File::open(above).and_then(|above| above.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what a restore has left half done is not served, and each failure has its exit code.
    #[test]
    fn what_is_unfinished_is_not_served() {
        assert!(refuse_unfinished(Path::new("/srv/data")).is_ok());
        let beside = beside(Path::new("/srv/data")).expect("a name");
        assert_eq!(refuse_unfinished(&beside).expect_err("refused").code, exit::CONFIG);
        let code = |error: StorageError| told(Path::new("b"), &error).code;
        assert_eq!(code(StorageError::NewerBackup { found: 2, known: 1 }), exit::CONFIG);
        assert_eq!(code(StorageError::RootKeyWrong), exit::CONFIG);
        assert_eq!(code(StorageError::InUse), exit::UNAVAILABLE);
        assert_eq!(code(StorageError::NotEmpty), exit::USAGE);
        let bad = StorageError::BadBackup { file: "state".into(), what: "is missing".into() };
        assert_eq!(code(bad), exit::STORAGE);
        let disk = |file: &str, kind: ErrorKind| StorageError::Disk {
            doing: "reading",
            file: file.into(),
            source: kind.into(),
        };
        assert_eq!(code(disk("tail", ErrorKind::PermissionDenied)), exit::UNAVAILABLE);
        assert_eq!(code(disk("tail", ErrorKind::UnexpectedEof)), exit::STORAGE);
        for (file, place) in [("tail", "backup: "), ("LANE", "new: ")] {
            let error = disk(file, ErrorKind::StorageFull);
            let told = told_of_either(Path::new("backup"), Path::new("new"), &error);
            assert_eq!(told.code, exit::UNAVAILABLE);
            assert!(told.what.starts_with(place), "{told}");
        }
    }

    /// PROPERTY: what cannot be given a directory's name is refused at the beginning, with what to do.
    #[test]
    fn links_and_mount_points_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("none"), &link).expect("a link");
        for (path, what) in
            [(link.clone(), "is a link"), (link.join(""), "is a link"), ("/proc".into(), "mount")]
        {
            let error = beside(&path).expect_err("refused");
            assert!(error.code == exit::USAGE && error.what.contains(what), "{error}");
        }
        assert!(beside(folder.path()).is_ok() && beside(&folder.path().join("none")).is_ok());
        assert_eq!(beside(Path::new("/")).expect_err("refused").code, exit::USAGE);
    }
}
