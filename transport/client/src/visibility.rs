//! Who sees whom: read and set.

use crate::client::Client;
use crate::error::ClientError;
use tessera_model::visibility::{VisibilityDraft, VisibilityRule};
use tessera_wire::{Made, Request, VisibilityRow};

impl Client {
    /// The rules about who sees whom and their version; 0 for none, when permissions alone limit who is seen.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn visibility(&self) -> Result<(u32, Vec<VisibilityRule>), ClientError> {
        let rows = self.list::<VisibilityRow>(&Request::ReadVisibility {}).await?.rows;
        let version = rows.first().map_or(0, |row| row.version);
        let rule = |row: VisibilityRow| {
            let VisibilityRow { version: _, role, reach, details, attributes } = row;
            VisibilityRule { role, reach, details, attributes }
        };
        Ok((version, rows.into_iter().map(rule).collect()))
    }

    /// Puts rules in the place of all that there are; none takes them away. With `expected`, only where that is the
    /// version of the present ones.
    ///
    /// # Errors
    /// Any [`ClientError`]; `Refusal::VisibilityVersion` where they are of another version by now.
    pub async fn set_visibility(&self, draft: VisibilityDraft) -> Result<Made, ClientError> {
        let VisibilityDraft { rules, expected: version } = draft;
        self.request(&Request::SetVisibility { version, trial: false, rules }).await
    }
}
