//! The root key: wraps every tenant's keys, and stands in a file beside the data directory.

use crate::error::StorageError;
use std::io;
use std::path::Path;
use tessera_crypto::Key;

/// The root key of a directory. No `Debug`, no `==`.
pub struct RootKey(pub(crate) Key);

impl RootKey {
    /// Takes 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Key::new(bytes))
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`StorageError::RootKeyUnfit`] when it is anything else.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let unfit = StorageError::RootKeyUnfit("it must hold 64 hexadecimal digits");
        let text = text.trim();
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(unfit);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(pair, 16)
                .map_err(|_| StorageError::RootKeyUnfit("it must hold 64 hexadecimal digits"))?;
        }
        Ok(Self::new(bytes))
    }

    /// Reads a key's file, which must be its owner's alone (mode 0600).
    ///
    /// # Errors
    /// [`StorageError::RootKeyUnfit`] when others may read it or it holds no key; otherwise as the
    /// operating system reports.
    pub fn read(path: &Path) -> Result<Self, StorageError> {
        let name = path.display().to_string();
        let doing = || StorageError::while_doing("reading", &name);
        let mode = std::fs::metadata(path).map_err(doing())?;
        if std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o077 != 0 {
            return Err(StorageError::RootKeyUnfit("others may read it: chmod 600"));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(doing())?)
    }

    /// Writes a new key's file with mode 0600, synced. Refuses to replace one.
    ///
    /// # Errors
    /// As the operating system reports; `AlreadyExists` when there is one.
    pub fn create(path: &Path, bytes: [u8; 32]) -> Result<Self, StorageError> {
        let name = path.display().to_string();
        let doing = |doing| StorageError::while_doing(doing, &name);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).chain(["\n".into()]).collect();
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.write(true).create_new(true).open(path).map_err(doing("making"))?;
        io::Write::write_all(&mut file, text.as_bytes()).map_err(doing("writing"))?;
        file.sync_all().map_err(doing("syncing"))?;
        if let Some(above) = path.parent() {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            std::fs::File::open(above).and_then(|above| above.sync_all()).map_err(doing("syncing"))?;
        }
        Ok(Self::new(bytes))
    }
}
