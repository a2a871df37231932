//! Checks about a resource.

use crate::client::Client;
use crate::error::ClientError;
use tessera_model::{CheckQuery, Decision, PermissionRef, Reason, WorkspaceRef};
use tessera_model::{Name, Private, Receipt};
use tessera_wire::{Request, ResourceRow, WireError};

impl Client {
    /// May this session or key do it to this resource (`type:id`), there, now? Allowed by a role, or where the
    /// permission is mapped to a relation of the resource's type, by that relation. Permission and workspace are
    /// asked by name.
    ///
    /// # Errors
    /// [`ClientError`]; no answer is a permit. `Refusal::Malformed` for a permission or workspace by id.
    pub async fn check_resource(
        &self,
        query: &CheckQuery<'_>,
        resource: &str,
    ) -> Result<Decision, ClientError> {
        let malformed = ClientError::Refused(tessera_model::Refusal::Malformed);
        let (PermissionRef::Name(permission), Ok(workspace)) = (query.permission, place(query.workspace))
        else {
            return Err(malformed);
        };
        let request = Request::CheckResource {
            handle: Private::new(query.handle.to_vec()),
            permission: Name::new(permission).map_err(|_| malformed)?,
            workspace,
            resource: Private::new(resource.as_bytes().to_vec()),
            address: query.address,
            at_least: (query.at_least != Receipt::default()).then_some(query.at_least),
        };
        self.decide(&request).await
    }

    /// May this session or key do it, under these circumstances? By a role, a relation to the resource (`Type:id`; none
    /// for the workspace), or a policy. The context is a JSON object, entities for this question only are a JSON list.
    /// Whoever asks must hold the permission to check.
    ///
    /// # Errors
    /// [`ClientError`]; no answer is a permit. `Refusal::ContextWrong` and `Refusal::EntityWrong` for what does not fit
    /// the tenant's schema, `Refusal::Malformed` for a permission or workspace by id.
    pub async fn check_about(
        &self,
        query: &CheckQuery<'_>,
        resource: Option<&str>,
        (context, entities): (Option<&[u8]>, Option<&[u8]>),
    ) -> Result<Decision, ClientError> {
        let malformed = ClientError::Refused(tessera_model::Refusal::Malformed);
        let (PermissionRef::Name(permission), Ok(workspace)) = (query.permission, place(query.workspace))
        else {
            return Err(malformed);
        };
        let part = |from: Option<&[u8]>| from.map(|from| Private::new(from.to_vec()));
        let request = Request::CheckAbout {
            handle: Private::new(query.handle.to_vec()),
            permission: Name::new(permission).map_err(|_| malformed)?,
            workspace,
            resource: part(resource.map(str::as_bytes)),
            context: part(context),
            entities: part(entities),
            address: query.address,
            at_least: (query.at_least != Receipt::default()).then_some(query.at_least),
        };
        self.decide(&request).await
    }

    async fn decide(&self, request: &Request) -> Result<Decision, ClientError> {
        let row = self.list::<ResourceRow>(request).await?.rows.pop();
        let row = row.ok_or(ClientError::Unreadable(WireError::KindUnknown))?;
        let reason = u16::try_from(row.reason).ok().and_then(Reason::from_code);
        let reason = reason.ok_or(ClientError::Unreadable(WireError::KindUnknown))?;
        Ok(Decision { reason, seen: row.seen, valid_until: row.valid_until })
    }
}

fn place(workspace: WorkspaceRef<'_>) -> Result<Option<Name>, ()> {
    match workspace {
        WorkspaceRef::Tenant => Ok(None),
        WorkspaceRef::Name(name) => Name::new(name).map(Some).map_err(|_| ()),
        WorkspaceRef::Index(_) => Err(()),
    }
}
