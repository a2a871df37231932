//! Opens the embedded store as the configuration asks, and says what its failures mean for the process.

use crate::config::{Config, Storage};
use crate::exit::FatalError;
use crate::root_key;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tessera_storage::{Embedded, Options, StorageError, Store};

/// Opens the data directory: lock, journal, checkpoint, keys.
///
/// # Errors
/// When another process has it, when the root key does not fit, when something reads wrong.
pub(crate) async fn open(config: &Config) -> Result<Arc<dyn Store>, FatalError> {
    let storage = config.storage.clone();
    // Recovery reads and syncs files: not on a thread of the runtime.
    let opened = tokio::task::spawn_blocking(move || open_here(&storage)).await;
    let store = opened.map_err(|_| FatalError::storage("the store failed while it was opened"))??;
    let (tenants, others) = store.refused();
    if !tenants.is_empty() || others {
        tracing::error!(?tenants, others, "damaged: these tenants are refused until they are repaired");
    }
    Ok(Arc::new(store))
}

fn open_here(storage: &Storage) -> Result<Embedded, FatalError> {
    let root_key = root_key::read(storage)?;
    let random =
        || tessera_crypto::random::bytes().map_err(|error| FatalError::unavailable(error.to_string()));
    let (salt, seed) = (random()?, random()?);
    // What is inside concerns nobody else on this machine.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&storage.dir).map_err(|error| {
        FatalError::unavailable(format!("storage.dir {}: {error}", storage.dir.display()))
    })?;
    for (path, mode) in readable_by_others(&storage.dir) {
        let (path, mode) = (path.display(), format!("{mode:o}"));
        tracing::warn!(%path, mode, "can be read by others on this machine: chmod 700 for the directory, 600 for files");
    }
    let options = Options {
        journal_file_bytes: storage.journal_file_bytes,
        tail_frames_max: storage.tail_frames_max,
        tail_bytes_max: storage.tail_bytes_max,
        cache_bytes: usize::try_from(storage.cache_bytes).unwrap_or(usize::MAX),
        backup_dir: Some(storage.backup_dir.clone()).filter(|dir| !dir.as_os_str().is_empty()),
        ..Options::new(root_key, salt, seed)
    };
    #[cfg(feature = "planted")]
    let opened = {
        let disk = crate::planted::disk(&storage.dir)
            .map_err(|error| FatalError::unavailable(format!("storage.dir: {error}")))?;
        Embedded::open_on(disk, options)
    };
    #[cfg(not(feature = "planted"))]
    let opened = Embedded::open(&storage.dir, options);
    opened.map_err(|error| told(storage, &error))
}

/// The data directory and the key files in it, where others on this machine can read them, with their modes.
fn readable_by_others(dir: &Path) -> Vec<(PathBuf, u32)> {
    let paths = std::iter::once(dir.to_owned()).chain(["keys-a", "keys-b"].map(|name| dir.join(name)));
    let modes = paths.filter_map(|path| {
        let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o777;
        Some((path, mode))
    });
    modes.filter(|(_, mode)| mode & 0o077 != 0).collect()
}

/// What a failure at the start means for whoever starts the node, and its exit code.
pub(crate) fn told(storage: &Storage, error: &StorageError) -> FatalError {
    let dir = storage.dir.display();
    if matches!(error, StorageError::InUse) {
        return FatalError::unavailable(format!("storage.dir {dir}: another process has it"));
    }
    if matches!(error, StorageError::RootKeyWrong) {
        let key = storage.root_key_file.display();
        return FatalError::config(format!(
            "storage.root_key_file {key}: does not open {dir}; bring the key that it was made with"
        ));
    }
    if let StorageError::NewerFormat { found, known } = error {
        return FatalError::config(format!(
            "storage.dir {dir}: was written by a newer version (format {found}, this one knows {known}); start that version"
        ));
    }
    if matches!(error, StorageError::OlderFormat { .. }) {
        return FatalError::config(format!("storage.dir {dir}: {error}"));
    }
    if let StorageError::BadOptions(what) = error {
        return FatalError::config(format!("storage.journal_file_bytes: {what}"));
    }
    if let StorageError::Disk { source, .. } = error
        && source.kind() == std::io::ErrorKind::PermissionDenied
    {
        return FatalError::unavailable(format!("storage.dir {dir}: {error}"));
    }
    FatalError::storage(format!("storage.dir {dir}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: whatever bit of its mode lets others in, the directory and each key file are named; what is the
    /// owner's alone is not.
    #[test]
    fn wide_modes_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let set = |name: &str, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path().join(name), mode).expect("a mode");
        };
        for name in ["keys-a", "keys-b", "other"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        for mode in [0o600, 0o400, 0o700] {
            ["", "keys-a", "keys-b"].iter().for_each(|name| set(name, mode | 0o400));
            set("", 0o700);
            assert_eq!(readable_by_others(folder.path()), []);
        }
        for bit in 0..6 {
            for name in ["", "keys-a", "keys-b"] {
                set(name, 0o700 | 1 << bit);
                let named = readable_by_others(folder.path());
                assert_eq!(named, [(folder.path().join(name), 0o700 | 1 << bit)], "{name:?}");
                set(name, 0o700);
            }
        }
    }
}
