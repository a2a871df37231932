//! Waiting for a tenant to be in memory: told when it stirs, not looked at again and again.

use crate::directory::{Entry, Standing};
use crate::house::House;
use std::sync::Arc;
use std::time::Duration;

/// LIMIT: how long a tenant may take to be in memory.
pub(super) const AWAKE_PATIENCE: Duration = Duration::from_secs(600);

/// Waits until a tenant is awake; false when it has failed, or does not come.
pub(super) async fn until_awake(house: &Arc<House>, entry: &Arc<Entry>) -> bool {
    let awake = async {
        loop {
            // Before the look: what stirs in between is not missed.
            let stirred = entry.stirred();
            house.wake(entry);
            match entry.standing() {
                Standing::Awake => return true,
                Standing::Failed => return false,
                Standing::Asleep | Standing::Waking | Standing::Leaving => stirred.await,
            }
        }
    };
    tokio::time::timeout(AWAKE_PATIENCE, awake).await.unwrap_or(false)
}

/// As [`until_awake`], of a tenant of which there was nothing to load until now: a load that began before that ends first.
pub(super) async fn until_loaded(house: &Arc<House>, entry: &Arc<Entry>) -> bool {
    let over = async {
        loop {
            let stirred = entry.stirred();
            if entry.standing() != Standing::Waking {
                return;
            }
            stirred.await;
        }
    };
    if tokio::time::timeout(AWAKE_PATIENCE, over).await.is_err() {
        return false;
    }
    entry.shift(Standing::Failed, Standing::Asleep);
    until_awake(house, entry).await
}
