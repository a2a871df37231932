//! The root key, which wraps every other key: from its file or from `TESSERA_ROOT_KEY`.
//!
//! `serve` refuses to start without it, `dev` makes one. Its loss is the loss of everything sealed.

use crate::config::Storage;
use crate::exit::FatalError;
use std::io::ErrorKind;
use std::path::Path;
use tessera_storage::{RootKey, StorageError};

/// The variable that holds the key itself (64 hexadecimal digits), for machines without a safe file.
const VARIABLE: &str = "TESSERA_ROOT_KEY";

/// The root key.
///
/// # Errors
/// When it is missing, is no key, or its file can be read by others.
pub(crate) fn read(storage: &Storage) -> Result<RootKey, FatalError> {
    if let Ok(text) = std::env::var(VARIABLE)
        && !storage.root_key_file_named
    {
        return RootKey::parse(&text).map_err(|error| FatalError::config(format!("{VARIABLE}: {error}")));
    }
    read_file(storage)
}

/// The root key in its file.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_file(storage: &Storage) -> Result<RootKey, FatalError> {
    let path = &storage.root_key_file;
    let key = if storage.danger_root_key_readable_by_others {
        std::fs::read_to_string(path)
            .map_err(|source| StorageError::Disk {
                doing: "reading",
                file: path.display().to_string().into(),
                source,
            })
            .and_then(|text| RootKey::parse(&text))
    } else {
        RootKey::read(path)
    };
    key.map_err(|error| told(path, &error))
}

fn told(path: &Path, error: &StorageError) -> FatalError {
    let shown = path.display();
    let kind = if let StorageError::Disk { source, .. } = error { Some(source.kind()) } else { None };
    if kind == Some(ErrorKind::NotFound) {
        return FatalError::unavailable(format!(
            "storage.root_key_file {shown}: is missing. For a new node: tessera config root-key {shown}. For an old one: bring its key back, without it nothing sealed can be read"
        ));
    }
    let what = format!("storage.root_key_file {shown}: {error}");
    // What no restart changes is the configuration's trouble; a disk may come back.
    match kind {
        None
        | Some(
            ErrorKind::PermissionDenied
            | ErrorKind::InvalidData
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory,
        ) => FatalError::config(what),
        Some(_) => FatalError::unavailable(what),
    }
}

/// Makes a root key's file, of mode 0600; never replaces one.
///
/// # Errors
/// When there is one, or it cannot be written.
pub(crate) fn make(path: &Path) -> Result<(), FatalError> {
    let bytes =
        tessera_crypto::random::bytes().map_err(|error| FatalError::unavailable(error.to_string()))?;
    match RootKey::create(path, bytes) {
        Ok(_key) => Ok(()),
        Err(error) => Err(FatalError::unavailable(error.to_string())),
    }
}

/// Makes a root key when there is none; for development.
///
/// # Errors
/// When it cannot be written, or when there is data that another key has sealed.
pub(crate) fn make_if_missing(storage: &Storage) -> Result<(), FatalError> {
    let path = &storage.root_key_file;
    if path.exists() || std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    if holds_data(&storage.dir) {
        return Err(FatalError::unavailable(format!(
            "{} holds data, but its root key {} is missing: bring the key back, or use another folder",
            storage.dir.display(),
            path.display()
        )));
    }
    make(path)
}

/// Whether anything but a certificate stands in the data directory.
fn holds_data(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| !entry.file_name().to_string_lossy().starts_with("certificate."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::os::unix::fs::PermissionsExt as _;

    fn storage(folder: &Path) -> Storage {
        Config::development(folder).storage
    }

    /// The message with which `storage`'s key is refused.
    fn refused(storage: &Storage) -> String {
        read(storage).err().expect("refused").what
    }

    /// The exit code then.
    fn code(storage: &Storage) -> u8 {
        read(storage).err().expect("refused").code
    }

    /// PROPERTY: a key is made once, for its owner only, and is not made anew over data.
    #[test]
    fn a_key_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = storage(folder.path());
        assert!(refused(&storage).contains("tessera config root-key"), "{}", refused(&storage));
        make_if_missing(&storage).expect("made");
        let first = std::fs::read(&storage.root_key_file).expect("a file");
        make_if_missing(&storage).expect("kept");
        assert!(make(&storage.root_key_file).is_err());
        assert_eq!(std::fs::read(&storage.root_key_file).expect("a file"), first);
        assert!(read(&storage).is_ok());
        std::fs::create_dir_all(storage.dir.join("journal")).expect("data");
        std::fs::remove_file(&storage.root_key_file).expect("lost");
        assert!(make_if_missing(&storage).expect_err("data").what.contains("holds data"));
    }

    /// PROPERTY: a key that others can read, or that is no key, is refused with what is wrong.
    #[test]
    fn a_doubtful_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut storage = storage(folder.path());
        make_if_missing(&storage).expect("made");
        let path = storage.root_key_file.clone();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("mode");
        assert!(refused(&storage).contains("chmod 600"), "{}", refused(&storage));
        assert_eq!(code(&storage), crate::exit::CONFIG);
        storage.danger_root_key_readable_by_others = true;
        assert!(read(&storage).is_ok());
        std::fs::write(&path, "no key").expect("written");
        assert!(refused(&storage).contains("64 hexadecimal digits"), "{}", refused(&storage));
        assert_eq!(code(&storage), crate::exit::CONFIG);
        // Neither is text, nor a file: no restart changes that.
        std::fs::write(&path, [0xFF; 64]).expect("written");
        assert_eq!(code(&storage), crate::exit::CONFIG);
        storage.root_key_file = folder.path().to_owned();
        assert_eq!(code(&storage), crate::exit::CONFIG);
        // A file that is not there may be on its way.
        storage.root_key_file = folder.path().join("none");
        assert_eq!(code(&storage), crate::exit::UNAVAILABLE);
    }
}
