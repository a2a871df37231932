//! The node's certificate: loaded from the configured files, or made once and kept in the data directory.
//!
//! A certificate of its own making is for first steps and closed networks: clients are given its file.

use crate::config::Config;
use crate::exit::FatalError;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tessera_model::Private;

/// The certificate chain and its key, as PEM texts.
pub(crate) struct Identity {
    /// The chain, the node's own certificate first.
    pub(crate) chain_pem: Vec<u8>,
    /// The private key.
    pub(crate) key_pem: Private,
}

/// Where the two files of `config` stand.
pub(crate) fn files(config: &Config) -> (PathBuf, PathBuf) {
    if config.quic.certificate_file.as_os_str().is_empty() {
        let folder = &config.storage.dir;
        (folder.join("certificate.pem"), folder.join("certificate.key"))
    } else {
        (config.quic.certificate_file.clone(), config.quic.key_file.clone())
    }
}

/// Whether a certificate of the node's own making is to be made: none is configured, and none is there.
///
/// # Errors
/// When that cannot be found out, and when the certificate is there without its key.
pub(crate) fn is_wanting(config: &Config) -> Result<bool, FatalError> {
    if !config.quic.certificate_file.as_os_str().is_empty() {
        return Ok(false);
    }
    let (chain, key) = files(config);
    let (has_chain, has_key) = (is_there(&chain)?, is_there(&key)?);
    if has_chain && !has_key {
        let (chain, key) = (chain.display(), key.display());
        return Err(FatalError::config(format!(
            "{chain} is there, and its key {key} is not: bring the key back, or take the certificate away; then another one is made, and clients must be given it"
        )));
    }
    Ok(!has_chain)
}

/// A file whose place cannot be looked at is no file that is missing, nor is a link that leads nowhere.
fn is_there(path: &Path) -> Result<bool, FatalError> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FatalError::unavailable(format!("{}: {error}", path.display()))),
    }
}

/// Loads the certificate at a start; makes one first when none is configured and none is there. A key that is there is
/// kept.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn first(config: &Config) -> Result<Identity, FatalError> {
    if is_wanting(config)? {
        let (chain, key) = files(config);
        make(&config.quic.names, &chain, &key)?;
        tracing::info!(certificate = %chain.display(), "made a self-signed certificate; give its file to clients");
    }
    identity(config)
}

/// Loads the certificate; makes none.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn identity(config: &Config) -> Result<Identity, FatalError> {
    let (chain, key) = files(config);
    if let Ok(about) = std::fs::metadata(&key)
        && about.permissions().mode() & 0o077 != 0
    {
        let (path, mode) = (key.display(), format!("{:o}", about.permissions().mode() & 0o777));
        tracing::warn!(%path, mode, "the certificate's key can be read by others on this machine: chmod 600");
    }
    let read = |path: &Path, key_name: &str| {
        std::fs::read(path)
            .map_err(|error| FatalError::config(format!("{key_name} {}: {error}", path.display())))
    };
    Ok(Identity {
        chain_pem: read(&chain, "quic.certificate_file")?,
        key_pem: Private::new(read(&key, "quic.key_file")?),
    })
}

/// LIMIT: bytes of the key that stateless resets are made with: as many as of the hash that uses it.
const RESET_KEY_BYTES: usize = 32;
/// The file of that key, in the data directory.
const RESET_KEY_FILE: &str = "reset.key";

/// The key that stateless resets are made with; made once, and kept over kills and renewed certificates, so
/// that callers of a killed node learn at once that their connections are gone.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn reset_key(folder: &Path) -> Result<Private, FatalError> {
    let path = folder.join(RESET_KEY_FILE);
    match std::fs::read(&path) {
        Ok(bytes) if bytes.len() == RESET_KEY_BYTES => return Ok(Private::new(bytes)),
        // Half a file is none: nothing else depends on it.
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(FatalError::unavailable(format!("{}: {error}", path.display()))),
    }
    let bytes: [u8; RESET_KEY_BYTES] =
        tessera_crypto::random::bytes().map_err(|error| FatalError::unavailable(error.to_string()))?;
    write_new(&path, 0o600, &bytes)
        .map_err(|error| FatalError::unavailable(format!("{}: {error}", path.display())))?;
    Ok(Private::new(bytes.to_vec()))
}

/// Makes a self-signed certificate for `names`, of the key that is there, or of a new one; the key's file first, so that no
/// certificate is without one.
fn make(names: &[String], chain: &Path, key: &Path) -> Result<(), FatalError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        FatalError::unavailable(format!("the certificate cannot be made: {what}: {error}"))
    };
    let (pair, is_new) = if is_there(key)? {
        let text = std::fs::read_to_string(key).map_err(|error| failed("key file", &error))?;
        let pair = KeyPair::from_pem(&text).map_err(|error| {
            let (chain, key) = (chain.display(), key.display());
            FatalError::config(format!(
                "{chain} is not there, and its key {key} does not read ({error}): bring both back, or take the key away; then another pair is made, and clients must be given it"
            ))
        })?;
        (pair, false)
    } else {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| failed("key", &error))?;
        (pair, true)
    };
    let mut parameters = CertificateParams::new(names.to_vec()).map_err(|error| failed("names", &error))?;
    parameters.distinguished_name.push(DnType::CommonName, "Tessera node");
    let certificate = parameters.self_signed(&pair).map_err(|error| failed("signature", &error))?;
    if let Some(folder) = chain.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed("folder", &error))?;
    }
    if is_new {
        write_new(key, 0o600, pair.serialize_pem().as_bytes()).map_err(|error| failed("key file", &error))?;
    }
    write_new(chain, 0o644, certificate.pem().as_bytes()).map_err(|error| failed("certificate file", &error))
}

/// Writes a file whole or not at all: beside, synced, renamed.
pub(crate) fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a certificate is made once, at a start, its key is for the owner only, and it stays the same; a load makes
    /// none.
    #[test]
    fn a_certificate_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::development(folder.path());
        let (chain, key) = files(&config);
        assert!(identity(&config).is_err() && !key.exists(), "a load makes none");
        let made = first(&config).expect("made");
        let mode = std::fs::metadata(&key).expect("key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(made.chain_pem.starts_with(b"-----BEGIN CERTIFICATE-----"));
        for again in [first(&config), identity(&config)] {
            assert_eq!(again.expect("loaded").chain_pem, made.chain_pem);
        }
        // A certificate that has vanished does not take its key along: a load says so, a start makes one of that key.
        std::fs::remove_file(&chain).expect("removed");
        assert_eq!(identity(&config).err().expect("missing").code, crate::exit::CONFIG);
        let anew = first(&config).expect("made anew");
        assert_eq!(anew.key_pem.expose(), made.key_pem.expose());
        tessera_accept::Identity::new(&anew.chain_pem, anew.key_pem.expose()).expect("a pair");
    }

    /// PROPERTY: nothing is made over what is there: a key that does not read, a certificate without its key, a link that
    /// leads nowhere; nor where it cannot be looked.
    #[test]
    fn nothing_is_made_over_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::development(folder.path());
        let (chain, key) = files(&config);
        std::fs::create_dir_all(&config.storage.dir).expect("a folder");
        let refused = || first(&config).err().expect("refused").code;
        std::fs::write(&key, "no key").expect("written");
        assert_eq!(refused(), crate::exit::CONFIG);
        assert_eq!(std::fs::read(&key).expect("a file"), b"no key");
        std::fs::rename(&key, &chain).expect("moved");
        assert_eq!((refused(), key.exists()), (crate::exit::CONFIG, false));
        std::fs::remove_file(&chain).expect("removed");
        for path in [&chain, &key] {
            std::os::unix::fs::symlink("/none/of/it", path).expect("a link");
        }
        assert_eq!(refused(), crate::exit::CONFIG);
        assert!(key.is_symlink() && chain.is_symlink());
        std::fs::remove_dir_all(&config.storage.dir).expect("removed");
        std::fs::write(&config.storage.dir, "no folder").expect("written");
        assert_eq!(refused(), crate::exit::UNAVAILABLE);
    }

    /// PROPERTY: a configured file that is not there is a fault of the configuration.
    #[test]
    fn a_missing_file_is_told() {
        let mut config = Config::development(Path::new("/none"));
        config.quic.certificate_file = PathBuf::from("/none/c.pem");
        config.quic.key_file = PathBuf::from("/none/k.pem");
        let error = identity(&config).err().expect("missing");
        assert_eq!(error.code, crate::exit::CONFIG);
        assert!(error.what.contains("/none/c.pem"), "{}", error.what);
    }
}
