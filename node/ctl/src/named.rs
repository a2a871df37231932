//! Which of the permissions that a command names are none.

use crate::error::CtlError;
use crate::link::Link;
use tessera_client::ClientError;
use tessera_client::wire::{Request, Resolve};
use tessera_model::{Name, Pattern, Refusal};

/// What a command names of permissions where it only cuts.
fn patterns_of(request: &Request) -> &[Pattern] {
    if let Request::CreateKey { patterns, .. }
    | Request::RotateKey { patterns, .. }
    | Request::SetCeiling { patterns, .. }
    | Request::LimitDevice { patterns, .. }
    | Request::LimitTrust { patterns, .. }
    | Request::Impersonate { patterns, .. } = request
    {
        patterns
    } else {
        &[]
    }
}

impl Link {
    /// That there is no such permission, with the names among the patterns that are none.
    pub(crate) async fn unknown(&self, request: &Request) -> CtlError {
        let told = self.told(&ClientError::Refused(Refusal::PermissionUnknown));
        let mut unknown = Vec::new();
        for name in patterns_of(request).iter().filter_map(|pattern| Name::new(pattern.exact()?).ok()) {
            // What cannot be asked is not told.
            if !self.knows(&name).await.unwrap_or(true) {
                unknown.push(name.to_string());
            }
        }
        if unknown.is_empty() {
            told
        } else {
            told.saying(format!("no such permission: {}", unknown.join(", ")))
        }
    }

    /// Whether a permission of this name is registered.
    pub(crate) async fn knows(&self, permission: &Name) -> Result<bool, CtlError> {
        let asked = [Resolve::Permission(permission.as_str())];
        let found = self.client.resolve(&asked).await.map_err(|error| self.told(&error))?;
        Ok(found.ids.first().is_some_and(|id| *id != 0))
    }
}
