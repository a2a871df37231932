//! Refreshing a session, safely repeated.

use crate::client::Client;
use crate::error::ClientError;
use crate::wire::{Made, Request, TENANT_OF_CONNECTION};
use tessera_model::{HandleBytes, Private};

impl Client {
    /// Uses a refresh handle: the session's idle end moves, and the reply holds the handle to keep from now
    /// on ([`Made::refresh_text`]): the successor, or of a client with fixed handles the same one.
    ///
    /// It repeats safely: an attempt whose outcome is not known is repeated under the same command id, for
    /// one more deadline. After [`ClientError::OutcomeUnknown`] keep the handle and refresh again with it:
    /// within the node's grace the same successor comes again. Use a handle from one place at a time.
    ///
    /// # Errors
    /// Any [`ClientError`]. [`ClientError::SecretLost`] when it happened before and the grace is over: the
    /// session was ended, as far as this caller may; sign in anew. So do after `SessionUnknown`,
    /// `RefreshReused`, `RefreshExpired` and `RefreshExhausted`.
    pub async fn refresh(&self, handle: &HandleBytes) -> Result<Made, ClientError> {
        let (id, request) =
            (self.command_id(), Request::RefreshSession { handle: Private::new(handle.to_vec()) });
        let first = self.request_again(TENANT_OF_CONNECTION, id, &request).await;
        let made = match first {
            Err(ClientError::OutcomeUnknown(id)) => {
                self.request_again(TENANT_OF_CONNECTION, id, &request).await?
            }
            known => known?,
        };
        if made.refresh.is_some() {
            return Ok(made);
        }
        if let Some(session) = made.session {
            // Nobody can refresh it any more. Whoever may not end it leaves it to its idle end.
            drop(self.end(session).await);
        }
        Err(ClientError::SecretLost)
    }
}
