//! The root key, and who else may read what the node keeps.

use super::finding::Finding;
use crate::config::Config;
use crate::exit;
use crate::root_key;
use crate::store;
use serde_json::json;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use tessera_storage::try_root_key;

const ROOT_KEY: &str = "root-key";
const KEY_FILES: &str = "key-files";
const DIRECTORY: &str = "directory";

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|about| about.permissions().mode() & 0o777)
}

/// The root key: there, a key, and for the node's user alone.
pub(crate) fn root_key(config: &Config) -> Finding {
    let storage = &config.storage;
    let path = &storage.root_key_file;
    match root_key::read(storage) {
        Err(error) => Finding::fail(
            ROOT_KEY,
            error.code,
            error.what,
            "serve refuses to start: see docs/operate/running.md, First start",
        ),
        Ok(_) if !path.exists() => {
            Finding::ok(ROOT_KEY, "the key is in TESSERA_ROOT_KEY; is there a copy elsewhere?")
        }
        Ok(_) => {
            let mode = mode(path).unwrap_or_default();
            let shown = path.display();
            if mode & 0o077 != 0 {
                return Finding::warn(
                    ROOT_KEY,
                    format!("{shown} has mode {mode:o}: others on this machine can read it"),
                    format!(
                        "chmod 600 {shown}, and take danger_root_key_readable_by_others away; if others had access, rotate it"
                    ),
                );
            }
            Finding::ok(ROOT_KEY, format!("{shown} holds a key, mode {mode:o}; is there a copy elsewhere?"))
                .with(json!({ "mode": format!("{mode:o}") }))
        }
    }
}

/// The key files: whether the root key opens them, as at a start. None of a directory that holds
/// nothing yet, or whose root key does not read: that is told already.
pub(crate) fn key_files(config: &Config) -> Option<Finding> {
    let storage = &config.storage;
    if !storage.dir.join("LANE").exists() {
        return None;
    }
    let key = root_key::read(storage).ok()?;
    Some(match try_root_key(&storage.dir, &key) {
        Ok(()) => Finding::ok(KEY_FILES, format!("the root key opens {}", storage.dir.display())),
        Err(error) => {
            let told = store::told(storage, &error);
            let todo = "serve refuses to start: see docs/operate/running.md, Damage";
            Finding::fail(KEY_FILES, told.code, told.what, todo)
        }
    })
}

/// The data directory: for the node's user alone.
pub(crate) fn directory(config: &Config) -> Finding {
    let dir = &config.storage.dir;
    let shown = dir.display();
    let Ok(about) = std::fs::metadata(dir) else {
        return Finding::ok(DIRECTORY, format!("{shown} is not there yet: serve makes it, with mode 0700"));
    };
    if !about.is_dir() {
        return Finding::fail(
            DIRECTORY,
            exit::CONFIG,
            format!("{shown} is no directory"),
            "name a directory in storage.dir",
        );
    }
    let (owner, own) = (about.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        return Finding::warn(
            DIRECTORY,
            format!("{shown} belongs to the user {owner}, and this command runs as {own}"),
            "run the doctor as the node's user: sudo -u tessera tessera doctor",
        );
    }
    let open: Vec<String> = [dir.clone(), dir.join("keys-a"), dir.join("keys-b")]
        .iter()
        .filter_map(|path| mode(path).filter(|mode| mode & 0o077 != 0).map(|mode| (path, mode)))
        .map(|(path, mode)| format!("{} ({mode:o})", path.display()))
        .collect();
    if open.is_empty() {
        Finding::ok(DIRECTORY, format!("{shown} is for the user {own} alone"))
    } else {
        Finding::warn(
            DIRECTORY,
            format!("others on this machine can read {}", open.join(", ")),
            "chmod 700 the directory, 600 its files",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use std::fs::Permissions;

    /// PROPERTY: a key that is missing, open to others or none, and a directory open to others or none, are each told.
    #[test]
    fn doubtful_keys_and_directories_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::development(folder.path());
        let path = config.storage.root_key_file.clone();
        let missing = root_key(&config);
        assert_eq!((missing.level, missing.code), (Level::Fail, exit::UNAVAILABLE));
        root_key::make(&path).expect("made");
        assert_eq!(root_key(&config).level, Level::Ok);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("mode");
        let open = root_key(&config);
        assert_eq!((open.level, open.code), (Level::Fail, exit::CONFIG));
        config.storage.danger_root_key_readable_by_others = true;
        assert_eq!(root_key(&config).level, Level::Warn);
        std::fs::write(&path, "no key").expect("written");
        assert_eq!(root_key(&config).level, Level::Fail);
        assert_eq!(directory(&config).level, Level::Ok);
        let dir = config.storage.dir.clone();
        std::fs::create_dir_all(&dir).expect("a folder");
        std::fs::set_permissions(&dir, Permissions::from_mode(0o750)).expect("mode");
        assert_eq!(directory(&config).level, Level::Warn);
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700)).expect("mode");
        assert_eq!(directory(&config).level, Level::Ok);
        std::fs::remove_dir(&dir).expect("removed");
        std::fs::write(&dir, "a file").expect("written");
        assert_eq!(directory(&config).level, Level::Fail);
    }

    /// PROPERTY: what keeps a start from opening the directory fails with the start's own code: another directory's root key,
    /// and a directory with tenants whose key files are both gone; nothing is written meanwhile, beside a node too.
    #[tokio::test]
    async fn what_a_start_cannot_open_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::development(folder.path());
        assert!(key_files(&config).is_none(), "nothing is there");
        root_key::make(&config.storage.root_key_file).expect("made");
        let clock = || std::sync::Arc::new(crate::clock::NodeClock::new(crate::clock::Machine));
        let engine = crate::assemble::engine(&config, None, clock()).await.expect("an engine");
        let look = || key_files(&config).map(|found| (found.level, found.code));
        assert_eq!(look(), Some((Level::Ok, exit::OK)), "beside a node");
        let fresh = folder.path().join("fresh.key");
        root_key::make(&fresh).expect("made");
        let mut other = config.clone();
        other.storage.root_key_file = fresh;
        let wrong = || key_files(&other).map(|found| (found.level, found.code));
        assert_eq!(wrong(), Some((Level::Fail, exit::CONFIG)), "beside a node");
        engine.stop().await;
        drop(engine);
        assert_eq!(look(), Some((Level::Ok, exit::OK)));
        assert_eq!(wrong(), Some((Level::Fail, exit::CONFIG)));
        for name in tessera_storage::KEY_FILES {
            std::fs::remove_file(config.storage.dir.join(name)).expect("removed");
        }
        assert_eq!(look(), Some((Level::Fail, exit::STORAGE)));
        assert!(!config.storage.dir.join(tessera_storage::KEY_FILES[0]).exists(), "nothing is made");
    }
}
