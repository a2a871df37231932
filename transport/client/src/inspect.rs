//! What a handle is: asked of the node, with where it is used when the caller may say so.

use crate::client::{Client, Found, unexpected};
use crate::error::ClientError;
use crate::lane::Answer;
use tessera_model::{HandleBytes, Receipt};
use tessera_wire::{Introspect, Outbox};

impl Client {
    /// What is this handle?
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn introspect(&self, handle: &HandleBytes, at_least: Receipt) -> Result<Found, ClientError> {
        self.introspect_from(&Introspect { handle, at_least, address: None }).await
    }

    /// What is this handle, used from where its holder's request came from? Saying that needs the permission
    /// `tessera.address`.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn introspect_from(&self, ask: &Introspect<'_>) -> Result<Found, ClientError> {
        let write = |out: &mut Outbox, id| out.introspect(id, ask);
        let Answer::Introspection(answer) = self.read("introspect", &write).await? else {
            return Err(unexpected());
        };
        Ok(match *answer {
            Ok(found) => Found::Alive(found),
            Err((reason, seen)) => Found::Nothing(reason, seen),
        })
    }
}
