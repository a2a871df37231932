//! Signs a person in, asks what they may do, and ends the session.
//!
//! `cargo run --example check -- 127.0.0.1:7443 certificate.pem tkey_... amy@example.org 'a password' orders.read`

use std::io::Write as _;
use tessera_client::{Client, ClientError, Config, Trust};

const USAGE: ClientError =
    ClientError::BadConfig("usage: check ADDRESS CERTIFICATE KEY IDENTIFIER PASSWORD PERMISSION");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), ClientError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, key, identifier, password, permission] = arguments.as_slice() else {
        return Err(USAGE);
    };
    let pem = std::fs::read(certificate).map_err(|_| ClientError::BadConfig("the certificate's file"))?;
    let address = address.parse().map_err(|_| USAGE)?;
    let mut config = Config::new(address, "localhost", Trust::pinned_pem(&pem)?);
    config.credential = Some(key.clone());
    let client = Client::connect(config).await?;

    let made = client.sign_in(identifier, password).await?;
    let handle = made.handle_text().unwrap_or_default();
    let may = client.is_permitted(&handle, permission, None).await;
    let answer = if may { "Permit" } else { "Deny" };
    // Nobody listens any more: nothing to do about it.
    drop(writeln!(std::io::stdout(), "{permission}: {answer}"));
    if let Some(session) = made.session {
        client.end(session).await?;
    }
    client.close().await;
    Ok(())
}
