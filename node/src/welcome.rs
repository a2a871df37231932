//! How a caller on this machine reaches the node: the profile beside the data, and the walk of `tessera dev`.

use crate::assemble::Walk;
use crate::config::Config;
use crate::exit::FatalError;
use crate::offer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use tessera_accept::Named;
use tessera_ctl::{Demo, PROFILE_FILE, Profile};
use tessera_model::Private;

/// Where this machine reaches the door: a loopback address when it listens on all.
fn address(config: &Config) -> SocketAddr {
    let mut address = config.quic.listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

/// By what callers know the node and whom they trust for it: the name that they look for in the certificate, and the file
/// that they need; no file where the certificate is an authority's, which the node does not know.
fn known_by(config: &Config) -> (String, Option<PathBuf>) {
    let file = &config.quic.certificate_file;
    let first = || config.quic.names.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    if file.as_os_str().is_empty() {
        return (first(), Some(PathBuf::from("certificate.pem")));
    }
    let named = std::fs::read(file).ok().and_then(|chain| Named::of_chain(&chain));
    // The profile's files stand beside it, unless they are named whole.
    let whole = |_| std::path::absolute(file).unwrap_or_else(|_| file.clone());
    let authority = named.as_ref().filter(|named| named.is_own_authority).map(whole);
    (named.and_then(|named| named.name).unwrap_or_else(first), authority)
}

/// The command that turns the one-time secret into a key.
pub(crate) fn claim(config: &Config) -> String {
    let authority = if known_by(config).1.is_some() { "" } else { " --ca AUTHORITY.pem" };
    format!("tessera operator claim --profile {}{authority}", config.storage.dir.display())
}

/// Writes the profile that makes `--profile DATA_DIRECTORY` enough for the commands.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_profile(config: &Config, claimable: bool) -> Result<(), FatalError> {
    let (server_name, ca) = known_by(config);
    let profile = Profile {
        address: Some(address(config).to_string()),
        server_name: Some(server_name),
        ca,
        secret_file: claimable.then(|| PathBuf::from(offer::FILE)),
        ..Profile::default()
    };
    let file = config.storage.dir.join(PROFILE_FILE);
    profile.write(&file).map_err(|error| FatalError::unavailable(error.to_string()))
}

/// Walks through the main job over QUIC and prints each answer with its time.
///
/// # Errors
/// When an answer is wrong or does not come.
pub(crate) async fn walk(
    config: &Config,
    walk: &Walk,
    secret: Option<String>,
    http: Option<SocketAddr>,
) -> Result<(), FatalError> {
    let scheme = if config.http.plain { "http" } else { "https" };
    let demo = Demo {
        address: address(config).to_string(),
        server_name: known_by(config).0,
        ca: crate::tls::files(config).0,
        folder: walk.folder.clone(),
        secret: secret.map(|secret| Private::new(secret.into_bytes())),
        http: http.map(|address| format!("{scheme}://{address}")),
        json: walk.json,
    };
    tessera_ctl::demo(&demo)
        .await
        .map_err(|error| FatalError { code: error.exit(), what: format!("the walk: {error}") })?;
    // The walk has used the secret; what is left of it would only mislead.
    drop(std::fs::remove_file(config.storage.dir.join(offer::FILE)));
    write_profile(config, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the profile beside the data is enough with the node's own certificate and with one that signed itself;
    /// of another one's authority the command says that its file is needed.
    #[test]
    fn the_profile_knows_the_certificate() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::development(folder.path());
        let data = config.storage.dir.clone();
        std::fs::create_dir(&data).expect("a folder");
        let read = |config: &Config| {
            write_profile(config, true).expect("written");
            Profile::read(&data).expect("read")
        };
        assert_eq!(read(&config).ca, Some(data.join("certificate.pem")));
        let made = rcgen::generate_simple_self_signed(vec!["id.example.org".to_owned()]).expect("made");
        let (file, pem) = (folder.path().join("node.pem"), made.cert.pem());
        config.quic.certificate_file = file.clone();
        std::fs::write(&file, &pem).expect("a file");
        let profile = read(&config);
        assert_eq!(
            (profile.ca, profile.server_name.as_deref()),
            (Some(file.clone()), Some("id.example.org"))
        );
        assert!(!claim(&config).contains("--ca"));
        std::fs::write(&file, format!("{pem}{pem}")).expect("a file");
        let profile = read(&config);
        assert_eq!((profile.ca, profile.server_name.as_deref()), (None, Some("id.example.org")));
        assert!(claim(&config).ends_with(" --ca AUTHORITY.pem"), "{}", claim(&config));
    }
}
