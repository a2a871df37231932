//! The node in its fleet: the file that says where the cells are, taken into use again when it changes, and the talk with
//! the other cells about where tenants live.
//!
//! INVARIANT: nothing here stands between a caller and an answer. A node that reaches no other cell serves its own
//! tenants by what it knows; only one that was restored from a backup knows too little, and waits until all have been
//! heard, or an operator says that it may open.

mod carry;
mod file;
mod peers;
mod sync;

pub(crate) use file::{keys, read};
pub(crate) use peers::Peers;

use crate::assemble::Live;
use crate::config::Config;
use crate::every::Every;
use crate::exit::FatalError;
use file::Keys;
use std::sync::Arc;
use std::time::Duration;
use tessera_client::Trust;
use tessera_crypto::digest;
use tessera_engine::Engine;
use tessera_model::{Caller, Fleet};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// LIMIT: how long a start waits for the other cells, so that it opens no tenant that has left: each of them is asked at
/// once then, and one that does not answer takes nobody else's time.
const START_PATIENCE: Duration = Duration::from_secs(3);
/// LIMIT: cells that are asked at once.
const ASKED_AT_ONCE: usize = 16;

/// Which certificates of other cells are believed; none where no file is named.
///
/// # Errors
/// When the file cannot be read, or holds none.
pub(crate) fn trust(config: &Config) -> Result<Option<Trust>, FatalError> {
    let path = &config.fleet.trust_file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let told = |what: String| FatalError::config(format!("fleet.trust_file {}: {what}", path.display()));
    let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
    Trust::roots_pem(&pem).map(Some).map_err(|error| told(error.to_string()))
}

/// All that the configuration names of the fleet, read once.
pub(crate) struct Read {
    pub(crate) fleet: Fleet,
    keys: Keys,
    trust: Option<Trust>,
}

/// Reads all that the configuration names of the fleet; nothing for a node that belongs to none.
///
/// # Errors
/// The first thing that is wrong, and what to do.
pub(crate) fn look(config: &Config) -> Result<Option<Read>, FatalError> {
    let Some(fleet) = read(config)? else { return Ok(None) };
    // A cell without a key is told when it is asked: it may be the one that is to be started next.
    Ok(Some(Read { fleet, keys: keys(config)?, trust: trust(config)? }))
}

/// Tells the other cells what this one knows, and hears what they know, until it is dropped.
pub(crate) struct Talk {
    engine: Engine,
    peers: Arc<Peers>,
    every: Duration,
    /// Held by whoever does what is left of moves.
    tending: Arc<tokio::sync::Mutex<()>>,
}

impl Talk {
    /// Prepares it for a node that belongs to a fleet.
    pub(crate) fn new(config: &Config, engine: &Engine, read: Read) -> Self {
        let peers = Arc::new(Peers::new(read.trust, read.keys));
        engine.set_carrier(Arc::new(carry::Links::new(engine.clone(), Arc::clone(&peers))));
        let every = Duration::from_secs(config.fleet.sync_seconds.max(1));
        Self { engine: engine.clone(), peers, every, tending: Arc::default() }
    }

    /// The connections to the other cells.
    pub(crate) fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.peers)
    }

    /// One round before the doors open: whatever another cell says has left this one, opens here no more.
    pub(crate) async fn first(&self) {
        let all = timeout(START_PATIENCE, self.round(usize::MAX)).await;
        if all.is_err() {
            tracing::warn!("not all cells of the fleet have answered: this one begins with what it knows");
        }
    }

    /// Asks all other cells, some at once, and does what is left of moves.
    async fn round(&self, at_once: usize) {
        let Some(fleet) = self.engine.fleet() else { return };
        let mut asked = JoinSet::new();
        let mut all = true;
        for cell in fleet.others() {
            if asked.len() >= at_once {
                all &= asked.join_next().await.is_some_and(|heard| heard.unwrap_or(false));
            }
            let (engine, peers, cell) = (self.engine.clone(), Arc::clone(&self.peers), cell.clone());
            asked.spawn(async move { sync::with(&engine, &peers, &cell).await });
        }
        while let Some(heard) = asked.join_next().await {
            all &= heard.unwrap_or(false);
        }
        if all
            && self.engine.is_unheard()
            && let Err(error) = self.engine.hear_fleet(Caller::Node).await
        {
            tracing::warn!(%error, "the other cells have been heard, and that could not be noted yet");
        }
        // Beside the rounds: a cell that does not answer holds up nobody else's placements.
        if let Ok(one) = Arc::clone(&self.tending).try_lock_owned() {
            let engine = self.engine.clone();
            drop(tokio::spawn(async move {
                engine.tend_moves().await;
                drop(one);
            }));
        }
    }

    /// Goes on for ever: a round every so often, and at once after something has changed here.
    pub(crate) async fn run(self) {
        loop {
            drop(timeout(self.every, self.engine.until_fleet_news()).await);
            self.round(ASKED_AT_ONCE).await;
        }
    }
}

/// Keys and certificates that came with a newer file; where they do not hold, those in use stay.
fn renew(config: &Config, node: &Live) {
    let Some(peers) = node.peers() else { return };
    match trust(config).and_then(|trust| Ok((trust, keys(config)?))) {
        Ok((trust, keys)) => peers.renew(trust, keys),
        Err(error) => tracing::error!(%error, "the keys and certificates of the fleet in use stay"),
    }
}

/// A fleet file that changes while the node runs: looked at now and then, and at SIGHUP.
pub(crate) struct Reload {
    every: Every,
    /// What was told about last.
    told: Option<[u8; 32]>,
}

impl Reload {
    pub(crate) fn new(config: &Config) -> Self {
        let none = config.fleet.file.as_os_str().is_empty() || config.fleet.poll_seconds == 0;
        let every = (!none).then(|| Duration::from_secs(config.fleet.poll_seconds));
        Self { every: Every::new(every), told: None }
    }

    /// Waits until it is time to look.
    pub(crate) async fn due(&mut self) {
        self.every.due().await;
    }

    /// Takes the file on the disk into use when it says something else and holds. One that does not leaves the one in
    /// use in its place, and is told once.
    pub(crate) fn look(&mut self, config: &Config, node: &Live) {
        let engine = node.engine();
        let Some(present) = engine.fleet() else { return };
        let read = read(config).and_then(|read| {
            read.ok_or_else(|| {
                FatalError::config("fleet.file: it is named no more: a node stays in its fleet")
            })
        });
        let read = read.and_then(|read| match file::unfit(&present, &read) {
            Some(what) => {
                Err(FatalError::config(format!("fleet.file {}: {what}", config.fleet.file.display())))
            }
            None => Ok(read),
        });
        match read {
            Ok(read) if read == *present => self.told = None,
            Ok(read) => {
                let (version, cells) = (read.version(), read.cells().len());
                if engine.set_fleet(read) {
                    self.told = None;
                    renew(config, node);
                    tracing::info!(version, cells, "loaded the fleet file again");
                }
            }
            Err(error) => {
                let told = digest::hash(&[error.what.as_bytes()]);
                if self.told != Some(told) {
                    self.told = Some(told);
                    tracing::error!(%error, version = present.version(), "the fleet file in use stays");
                }
            }
        }
    }
}
