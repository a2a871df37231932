//! The profile: a small TOML file that says where a node is and which key to use, so that the commands
//! need one flag or none.
//!
//! A node writes one into its data directory; `operator claim` writes `~/.config/tessera/client.toml`.
//! Files that it names by a relative path stand beside it. A profile in the working directory is never
//! read by itself: it could lead a key to a stranger's node.

use crate::error::CtlError;
use crate::secret::Kept;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The name of a profile's file.
pub const PROFILE_FILE: &str = "client.toml";

/// Where a node is, and as whom to ask it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Where the node listens: `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The name in the node's certificate, when it is not the host of `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The trusted certificates (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The file that holds the key. It may be missing until somebody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The tenant to act on with an operator's key: its name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The file that holds the handle that `check` asks about when none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle_file: Option<PathBuf>,
    /// The file of the one-time secret of a node without an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
}

impl Profile {
    /// Reads a profile: a file, or a folder that holds one named `client.toml`.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something that no profile holds.
    pub fn read(path: &Path) -> Result<Self, CtlError> {
        let file = if path.is_dir() { path.join(PROFILE_FILE) } else { path.to_owned() };
        let text = std::fs::read_to_string(&file)
            .map_err(|error| CtlError::config(format!("the profile {}: {error}", file.display())))?;
        let mut profile: Self = toml::from_str(&text).map_err(|error| {
            CtlError::config(format!("the profile {}: {}", file.display(), error.to_string().trim()))
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let files =
            [&mut profile.ca, &mut profile.key_file, &mut profile.handle_file, &mut profile.secret_file];
        for named in files.into_iter().flatten() {
            *named = folder.join(&*named);
        }
        Ok(profile)
    }

    /// Writes the profile whole, or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), CtlError> {
        let text = toml::to_string(self)
            .map_err(|error| CtlError::config(format!("the profile {}: {error}", file.display())))?;
        let head = "# Where the node is and which key to use: tessera COMMAND --profile THIS_FILE\n";
        Kept::open(file)?.keep(&format!("{head}{text}"))
    }

    /// `$XDG_CONFIG_HOME/tessera`, or `~/.config/tessera`.
    pub(crate) fn folder() -> Option<PathBuf> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))?;
        Some(base.join("tessera"))
    }

    /// The profile of the person at this machine, when there is one.
    pub(crate) fn personal() -> Result<Option<Self>, CtlError> {
        let file = Self::folder().map(|folder| folder.join(PROFILE_FILE));
        match file.filter(|file| file.exists()) {
            Some(file) => Self::read(&file).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a written profile reads back, from its file and from its folder, with its files beside it.
    #[test]
    fn profiles_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = Profile {
            address: Some("127.0.0.1:7443".into()),
            ca: Some("certificate.pem".into()),
            key_file: Some("/elsewhere/operator.key".into()),
            ..Profile::default()
        };
        let file = folder.path().join(PROFILE_FILE);
        profile.write(&file).expect("written");
        let expected = Profile { ca: Some(folder.path().join("certificate.pem")), ..profile };
        assert_eq!(Profile::read(&file).expect("read"), expected);
        assert_eq!(Profile::read(folder.path()).expect("read"), expected);
    }

    /// PROPERTY: an unknown key, a wrong type and a missing file are told with the file's name.
    #[test]
    fn bad_profiles_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("p.toml");
        for text in ["adress = \"x\"\n", "address = 1\n", "address"] {
            std::fs::write(&file, text).expect("a file");
            let error = Profile::read(&file).expect_err("refused");
            assert_eq!(error.exit(), 78);
            assert!(error.to_string().contains("p.toml"), "{error}");
        }
        assert_eq!(Profile::read(Path::new("/none/p.toml")).expect_err("missing").exit(), 78);
    }
}
