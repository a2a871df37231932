//! The one-time secret that makes the first operator: offered by the node, claimed by a person.
//!
//! The engine keeps the secret's tag only. Offering again replaces what was offered before.

use crate::admit::Done;
use crate::engine::Engine;
use crate::submit::SubmitError;
use tessera_crypto::digest;
use tessera_model::{Caller, Command, CommandId, Deadline, Name, Private, TenantId};

/// The tag of a one-time secret: first 16 bytes of a hash that nothing else uses.
fn tag(secret: &[u8]) -> [u8; 16] {
    let digest = digest::hash(&[b"tessera one-time secret v1", secret]);
    digest.first_chunk().copied().unwrap_or_default()
}

impl Engine {
    /// Offers a one-time secret, good until `until`. For the node itself.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal, or Unknown.
    pub async fn offer_operator(&self, secret: &Private, until: Deadline) -> Result<Done, SubmitError> {
        let command = Command::OfferBootstrap { tag: tag(secret.expose()), until };
        self.submit_system(Caller::Node, self.command_id(), command).await
    }

    /// Turns the one-time secret into an operator with a key.
    ///
    /// # Errors
    /// [`SubmitError`]: a refusal (`SecretWrong` when it is wrong, used or expired), or Unknown.
    pub async fn claim_operator(
        &self,
        id: CommandId,
        secret: &Private,
        name: Name,
    ) -> Result<Done, SubmitError> {
        let command = Command::ClaimOperator { tag: tag(secret.expose()), name };
        self.submit_system(Caller::Bootstrap, id, command).await
    }

    /// Whether this node waits for somebody to claim it: it has no operator yet, or offers a one-time
    /// secret that is still good.
    #[must_use]
    pub fn awaits_claim(&self) -> bool {
        let offered = self.entry(TenantId::SYSTEM).is_some_and(|entry| {
            let view = entry.view();
            view.as_ref().is_some_and(|view| view.listing().offers_secret(self.now()))
        });
        offered || !self.has_operator()
    }

    /// Whether an operator was ever made: only operators are subjects of the system tenant.
    #[must_use]
    pub fn has_operator(&self) -> bool {
        let Some(entry) = self.entry(TenantId::SYSTEM) else { return false };
        let view = entry.view();
        view.as_ref().is_some_and(|view| !view.listing().subjects(0, 1).rows.is_empty())
    }
}
