//! The way to the other cells: the shipped client, over QUIC, the other node's certificate believed by the name in the
//! fleet file, this one known there by an operator's key.

use super::file::Keys;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tessera_client::{Client, Config, Trust};
use tessera_model::{Cell, CellId};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// LIMIT: how long another cell may take for one answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections to the other cells: one each, kept while the fleet file says the same of the cell.
pub(crate) struct Peers {
    known_by: RwLock<(Option<Trust>, Keys)>,
    open: Mutex<BTreeMap<CellId, (Cell, Client)>>,
}

impl Peers {
    pub(crate) fn new(trust: Option<Trust>, keys: Keys) -> Self {
        Self { known_by: RwLock::new((trust, keys)), open: Mutex::default() }
    }

    /// Uses other keys and certificates for connections that are made from now on.
    pub(crate) fn renew(&self, trust: Option<Trust>, keys: Keys) {
        *self.known_by.write().unwrap_or_else(PoisonError::into_inner) = (trust, keys);
    }

    /// What a connection to a cell is made with.
    fn credentials(&self, cell: &Cell) -> Result<(Trust, Option<String>), String> {
        let known_by = self.known_by.read().unwrap_or_else(PoisonError::into_inner);
        let trust = known_by.0.clone().ok_or("fleet.trust_file names no certificates to believe")?;
        let key = known_by.1.get(&cell.name).ok_or("fleet.keys_file has no key for it")?;
        Ok((trust, std::str::from_utf8(key.expose()).ok().map(str::to_owned)))
    }

    /// A client of another cell's system tenant.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) async fn client(&self, cell: &Cell) -> Result<Client, String> {
        if let Some((known, client)) = self.open.lock().await.get(&cell.id)
            && known == cell
        {
            return Ok(client.clone());
        }
        let (trust, key) = self.credentials(cell)?;
        let found = timeout(PATIENCE, tokio::net::lookup_host(&*cell.address)).await;
        let found = found.map_err(|_| format!("no address was found for {} in time", cell.address))?;
        let addresses = found.map_err(|error| format!("{}: {error}", cell.address))?.collect::<Vec<_>>();
        let first = *addresses.first().ok_or_else(|| format!("{} has no address", cell.address))?;
        let mut config = Config::new(first, &cell.certificate, trust);
        config.addresses = addresses;
        config.credential = key;
        config.deadline = PATIENCE;
        config.streams = 1;
        let client = Client::connect(config).await.map_err(|error| error.to_string())?;
        self.open.lock().await.insert(cell.id, (cell.clone(), client.clone()));
        Ok(client)
    }

    /// Gives the connection to a cell up: it may be another one by now, or take another key.
    pub(crate) async fn forget(&self, cell: CellId) {
        let known = self.open.lock().await.remove(&cell);
        if let Some((_, client)) = known {
            drop(timeout(PATIENCE, client.close()).await);
        }
    }
}
