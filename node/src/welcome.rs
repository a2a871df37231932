//! How a caller on this machine reaches the node: the profile beside the data, and the walk of `tessera dev`.

use crate::assemble::Walk;
use crate::config::Config;
use crate::exit::FatalError;
use crate::offer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
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

fn server_name(config: &Config) -> String {
    config.quic.names.first().cloned().unwrap_or_else(|| "localhost".to_owned())
}

/// Writes the profile that makes `--profile DATA_DIRECTORY` enough for the commands.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_profile(config: &Config, claimable: bool) -> Result<(), FatalError> {
    let own = config.quic.certificate_file.as_os_str().is_empty();
    let profile = Profile {
        address: Some(address(config).to_string()),
        server_name: Some(server_name(config)),
        ca: own.then(|| PathBuf::from("certificate.pem")),
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
        server_name: server_name(config),
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
