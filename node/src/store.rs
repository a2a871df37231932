//! Opens the embedded store as the configuration asks, and says what its failures mean for the process.

use crate::config::{Config, Storage};
use crate::exit::FatalError;
use crate::root_key;
use std::os::unix::fs::DirBuilderExt as _;
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
    let salt = tessera_crypto::random::bytes().map_err(|error| FatalError::unavailable(error.to_string()))?;
    // What is inside concerns nobody else on this machine.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&storage.dir).map_err(|error| {
        FatalError::unavailable(format!("storage.dir {}: {error}", storage.dir.display()))
    })?;
    let options = Options {
        journal_file_bytes: storage.journal_file_bytes,
        tail_frames_max: storage.tail_frames_max,
        tail_bytes_max: storage.tail_bytes_max,
        cache_bytes: usize::try_from(storage.cache_bytes).unwrap_or(usize::MAX),
        ..Options::new(root_key, salt)
    };
    Embedded::open(&storage.dir, options).map_err(|error| told(storage, &error))
}

/// What a failure at the start means for whoever starts the node, and its exit code.
fn told(storage: &Storage, error: &StorageError) -> FatalError {
    let dir = storage.dir.display();
    if matches!(error, StorageError::InUse) {
        return FatalError::unavailable(format!("storage.dir {dir}: another process has it"));
    }
    if matches!(error, StorageError::RootKeyWrong) {
        let key = storage.root_key_file.display();
        return FatalError::unavailable(format!(
            "storage.root_key_file {key}: does not open {dir}; bring the key that it was made with"
        ));
    }
    if let StorageError::NewerFormat { found, known } = error {
        return FatalError::unavailable(format!(
            "storage.dir {dir}: was written by a newer version (format {found}, this one knows {known}); start that version"
        ));
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
