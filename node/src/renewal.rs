//! Certificates that are renewed while the node runs: looked at now and then, and at SIGHUP.
//!
//! Contents are compared, not times or names: a link that was swapped (as Kubernetes does with `..data`) is
//! noticed, a file that was only touched is not. A pair that does not hold leaves the old one in its place, is
//! told once, and is tried again until the files change to one that does.

use crate::assemble::Live;
use crate::config::Config;
use crate::every::Every;
use crate::exit::FatalError;
use crate::metric;
use crate::tls::{self, Identity};
use std::time::Duration;
use tessera_crypto::digest;

/// What is known of the pair on the disk.
pub(crate) struct Renewal {
    /// How often it is looked at; never when there is nothing that anybody renews.
    every: Every,
    /// The pair that is in use.
    used: Option<[u8; 32]>,
    /// The pair, or what kept it from being read, that was told about last.
    told: Option<[u8; 32]>,
}

fn fingerprint(identity: &Identity) -> [u8; 32] {
    digest::hash(&[&digest::hash(&[&identity.chain_pem]), identity.key_pem.expose()])
}

impl Renewal {
    /// The pair that the node was started with is in use.
    pub(crate) fn new(config: &Config, used: &Identity) -> Self {
        let own = config.quic.certificate_file.as_os_str().is_empty();
        let seconds = config.quic.certificate_poll_seconds;
        let every = (!own && seconds > 0).then(|| Duration::from_secs(seconds));
        Self { every: Every::new(every), used: Some(fingerprint(used)), told: None }
    }

    /// Waits until it is time to look.
    pub(crate) async fn due(&mut self) {
        self.every.due().await;
    }

    /// Takes the pair on the disk into use, when it is another one and it holds; always when it was `asked`
    /// for.
    pub(crate) fn look(&mut self, config: &Config, node: &Live, asked: bool) {
        let read = tls::identity(config);
        let found = match &read {
            Ok(pair) => fingerprint(pair),
            Err(error) => digest::hash(&[error.what.as_bytes()]),
        };
        if !asked && (self.used == Some(found) || self.told == Some(found)) {
            return;
        }
        self.told = Some(found);
        match read.and_then(|pair| node.reload(&pair)) {
            Ok(()) => {
                self.used = Some(found);
                metrics::counter!(metric::CERTIFICATE_RELOADS_TOTAL).increment(1);
                tracing::info!("loaded the certificate again");
            }
            Err(error) => self.stays(&error),
        }
    }

    fn stays(&self, error: &FatalError) {
        metrics::counter!(metric::CERTIFICATE_RELOADS_FAILED_TOTAL).increment(1);
        tracing::error!(%error, "the old certificate stays");
    }
}
