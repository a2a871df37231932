//! Bulk load: rows are sent until somebody tells what became of them.

use crate::client::Client;
use crate::error::ClientError;
use tessera_model::load::Loaded;
use tessera_wire::Request;

impl Client {
    /// Orders [`Request::LoadSubjects`] in the connection's tenant and tells what became of its rows.
    /// However often rows are sent, under whatever command id, each makes one subject.
    ///
    /// # Errors
    /// Any [`ClientError`]; whatever it is, the same rows may be sent again.
    pub async fn load(&self, request: &Request) -> Result<Loaded, ClientError> {
        // LIMIT: each further time means that another reply was lost.
        for _ in 0..8 {
            // A repeat has its receipt alone: what became of the rows is asked under a fresh id.
            if let Some(loaded) = self.request(request).await?.loaded {
                return Ok(loaded);
            }
        }
        Err(ClientError::DeadlinePassed)
    }
}
