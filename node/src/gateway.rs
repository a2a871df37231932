//! The HTTP door of the node: opened when the configuration says where.

use crate::config::Config;
use crate::exit::{FatalError, elsewhere};
use crate::tls::Identity;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use tessera_engine::Engine;
use tessera_gateway_http::{Door, DoorConfig, DoorError};
use tessera_model::Private;

/// Opens the HTTP door, with the certificate that QUIC shows too.
///
/// # Errors
/// When the address cannot be listened on, or the certificate does not hold.
pub(crate) async fn open(
    config: &Config,
    engine: &Engine,
    identity: &Identity,
) -> Result<Option<Door>, FatalError> {
    let Some(listen) = config.http.address() else { return Ok(None) };
    let key = || Private::new(identity.key_pem.expose().to_vec());
    let door = DoorConfig {
        listen,
        identity: (!config.http.plain).then(|| (identity.chain_pem.clone(), key())),
        domain: config.http.domain.clone(),
        origins: config.http.origins.clone(),
        proxies: config.http.proxies.clone(),
        protocols: vec![tessera_gateway_authzen::PROTOCOL],
        limits: config.http.limits(),
    };
    let opened = Door::open(engine.clone(), door).await;
    opened.map(Some).map_err(|error| {
        if let DoorError::Certificate(what) = &error {
            FatalError::config(format!("quic.certificate_file: {what}"))
        } else {
            let hint = if let DoorError::Listen { source, .. } = &error {
                elsewhere("HTTP", source)
            } else {
                String::new()
            };
            FatalError::unavailable(format!("http.listen: {error}{hint}"))
        }
    })
}

/// Says how to ask over HTTP, after the walk of `tessera dev`.
pub(crate) fn invite(address: SocketAddr, plain: bool, folder: &Path) {
    let scheme = if plain { "http" } else { "https" };
    let (base, folder) = (format!("{scheme}://{address}"), folder.display());
    let key = format!("-H \"Authorization: Bearer $(cat {folder}/demo-admin.key)\"");
    let text = format!(
        "Over HTTP, on {base} (every operation: {base}/explorer):\n\n  curl {key} {base}/v1/me\n  curl {key} --json \"{{\\\"permission\\\":\\\"orders.read\\\",\\\"handle\\\":\\\"$(cat {folder}/amy.session)\\\"}}\" {base}/v1/check\n"
    );
    // A closed standard output is no reason to end.
    drop(writeln!(std::io::stdout(), "{text}"));
}
