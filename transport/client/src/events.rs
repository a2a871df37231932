//! Watching the events of a tenant, page by page.

use crate::client::Client;
use crate::error::ClientError;
use tessera_model::{Private, PublicId, Receipt};
use tessera_wire::{EventRow, Page, Request};

/// Which events are watched, and from where.
#[derive(Clone, Debug, Default)]
pub struct EventWatch {
    /// Behind this cursor of a page before; none for `since`.
    pub after: Option<Vec<u8>>,
    /// Behind this position; one of epoch 0 is the beginning of the history. None for behind what is there now.
    pub since: Option<Receipt>,
    /// Only of these kinds: whole names (`grant.added`), or their first words (`grant`); none for all.
    pub kinds: Vec<String>,
    /// Only what is about this subject, or ordered by it.
    pub subject: Option<PublicId>,
    /// How many events at most; 0 for as many as a page holds.
    pub limit: u32,
    /// How long to wait where nothing has happened, at most 30,000 ms.
    pub wait_ms: Option<u32>,
}

impl Client {
    /// The events behind a position, as soon as there are some; its `next` is where to go on, whatever there is. A client
    /// that waits needs a deadline beyond that.
    ///
    /// # Errors
    /// As every list; `Restored` for a position that a restore took back: begin anew, what was seen behind the restored
    /// position did not happen.
    pub async fn watch_events(&self, watch: EventWatch) -> Result<Page<EventRow>, ClientError> {
        let EventWatch { after, since, kinds, subject, limit, wait_ms } = watch;
        let after = after.map(Private::new);
        self.list(&Request::WatchEvents { after, limit, wait_ms, since, kinds, subject }).await
    }
}
