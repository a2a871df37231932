//! The one-time secret of a node without an operator: offered at the start, shown once, good for 30 minutes.
//!
//! `tessera operator claim` turns it into an operator's key. The engine keeps only its tag.

use crate::config::{Config, LogFormat};
use crate::exit::FatalError;
use crate::tls::write_new;
use crate::welcome;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tessera_engine::{Engine, Entropy, SubmitError};
use tessera_model::{Deadline, Private, Receipt, Refusal};

/// LIMIT: how long the secret is good, seconds: long enough to type, short enough to forget.
const SECRET_S_MAX: u32 = 30 * 60;
/// Letters of a secret: 32 of them, so that five random bits choose one.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Letters that are drawn: 160 bits.
const LENGTH: usize = 32;
/// How often a node that waits for its operator looks whether it has one.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The file that holds the secret, in the data directory.
pub(crate) const FILE: &str = "operator-secret";

/// A secret on offer.
pub(crate) struct Offered {
    /// The secret itself.
    pub(crate) secret: String,
    /// Until when it is good.
    pub(crate) until: Deadline,
    /// Where the offer stands in the system tenant's history.
    pub(crate) receipt: Receipt,
}

/// Offers a secret when nobody has claimed this node yet; returns it for showing.
///
/// # Errors
/// When the command or the file cannot be written.
pub(crate) async fn offer(
    engine: &Engine,
    entropy: &impl Entropy,
    folder: &Path,
) -> Result<Option<String>, FatalError> {
    if engine.has_operator() {
        if !engine.awaits_claim() {
            // A secret that was used opens nothing; its file would only mislead.
            drop(std::fs::remove_file(folder.join(FILE)));
        }
        return Ok(None);
    }
    renew(engine, entropy, folder).await.map(|offered| Some(offered.secret))
}

/// Offers a new secret in place of any other, and keeps it in its file.
///
/// # Errors
/// When the command or the file cannot be written.
pub(crate) async fn renew(
    engine: &Engine,
    entropy: &impl Entropy,
    folder: &Path,
) -> Result<Offered, FatalError> {
    let path = folder.join(FILE);
    let secret = draw(entropy);
    let until = engine.now().to_deadline().plus_seconds(SECRET_S_MAX);
    let done = engine.offer_operator(&Private::new(secret.clone().into_bytes()), until).await;
    let receipt = match done {
        Ok(done) => done.receipt,
        Err(SubmitError::Refused(Refusal::StorageFull | Refusal::ReserveFull)) => {
            return Err(FatalError::unavailable("the store is full: free space, then start again"));
        }
        Err(error) => return Err(FatalError::storage(format!("the one-time secret: {error}"))),
    };
    write_new(&path, 0o600, format!("{secret}\n").as_bytes())
        .map_err(|error| FatalError::unavailable(format!("{}: {error}", path.display())))?;
    Ok(Offered { secret, until, receipt })
}

/// Takes the secret's file away once it was used: it would only mislead. Ends then.
pub(crate) async fn forget_when_claimed(engine: Engine, folder: PathBuf) {
    let file = folder.join(FILE);
    while engine.awaits_claim() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    drop(std::fs::remove_file(file));
}

fn draw(entropy: &impl Entropy) -> String {
    let mut bytes = [0; LENGTH];
    entropy.fill(&mut bytes);
    let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
    let mut secret = String::from("once-");
    secret.extend(letters.map(|letter| char::from(*letter)));
    secret
}

/// Shows the secret once, on standard error and never in the log, whose lines travel further. Where
/// standard error is a log for programs, the secret stands in its file alone.
pub(crate) fn show(secret: &str, config: &Config) {
    let (folder, claim) = (&config.storage.dir, welcome::claim(config));
    if config.log.format == LogFormat::Json {
        let file = folder.join(FILE);
        tracing::warn!(
            file = %file.display(),
            claim,
            "this node has no operator yet; its one-time secret (30 minutes, one use) is in the file"
        );
        return;
    }
    let text = format!(
        "\nThis node has no operator yet. One-time secret (30 minutes, one use; also in {}):\n\n    {secret}\n\nTurn it into an operator's key: {claim}\n\n",
        folder.join(FILE).display(),
    );
    // A closed standard error leaves the file.
    drop(std::io::stderr().write_all(text.as_bytes()));
}
