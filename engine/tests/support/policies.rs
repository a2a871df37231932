//! Policies and entities of a house's tenants.

use super::House;
use tessera_engine::{Bound, PolicyParts, SubmitError};
use tessera_model::Refusal;

impl House {
    /// Sets policies: their version, or why not.
    pub(crate) async fn set_policies(&self, by: &Bound, parts: PolicyParts) -> Result<u32, Refusal> {
        match self.engine.set_policies(by, (self.engine.command_id(), false), parts).await {
            Ok(done) => Ok(done.made.number.expect("a version")),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    /// Stores entities, or why not.
    pub(crate) async fn put_entities(&self, by: &Bound, text: &str) -> Result<(), Refusal> {
        let put = (Some(text), Vec::new());
        match self.engine.change_entities(by, (self.engine.command_id(), false), put).await {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }
}
