//! Checks by scope, and of requests to applications.

use crate::client::Client;
use crate::error::ClientError;
use tessera_model::{CheckQuery, Decision, Name, Private, Reason, Receipt, Refusal, WorkspaceRef};
use tessera_wire::{AuthorizedRow, Request, WireError};

/// What somebody wants to do with an application.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// What a scope says, `[action:]path[?filters]`: one action to one path, and what the request says of itself.
    Scope(&'a str),
    /// A request: a service's name, the method in capitals, and the target (path and query) as it came.
    Request(&'a str, &'a str, &'a str),
    /// An action of a service: the service's name, and an entry's permission, in full or behind the service's name.
    Action(&'a str, &'a str),
}

/// What was asked for, and whether it may be done.
#[derive(Clone, Debug)]
pub struct Authorized {
    /// Whether.
    pub decision: Decision,
    /// The permission that was asked; `None` where nothing is known to be asked for.
    pub permission: Option<Name>,
}

impl Client {
    /// May this session or key do this with an application, there, now? The permission of the query does not count;
    /// its workspace is asked by name. What no endpoint matches is denied.
    ///
    /// # Errors
    /// [`ClientError`]; no answer is a permit. `Refusal::Malformed` for a name that is none, and for a workspace by
    /// index.
    pub async fn authorize(
        &self,
        query: &CheckQuery<'_>,
        wanted: Wanted<'_>,
    ) -> Result<Authorized, ClientError> {
        let name = |text| Name::new(text).map_err(|_| ClientError::Refused(Refusal::Malformed));
        let private = |text: &str| Private::new(text.as_bytes().to_vec());
        let workspace = match query.workspace {
            WorkspaceRef::Tenant => None,
            WorkspaceRef::Name(text) => Some(name(text)?),
            WorkspaceRef::Index(_) => return Err(ClientError::Refused(Refusal::Malformed)),
        };
        let (mut scope, mut service, mut action, mut method, mut target) = (None, None, None, None, None);
        match wanted {
            Wanted::Scope(text) => scope = Some(private(text)),
            Wanted::Action(of, text) => (service, action) = (Some(name(of)?), Some(name(text)?)),
            Wanted::Request(of, by, to) => {
                (service, method, target) = (Some(name(of)?), Some(name(by)?), Some(private(to)));
            }
        }
        let request = Request::Authorize {
            handle: Private::new(query.handle.to_vec()),
            workspace,
            scope,
            service,
            action,
            method,
            target,
            address: query.address,
            at_least: (query.at_least != Receipt::default()).then_some(query.at_least),
        };
        let row = self.list::<AuthorizedRow>(&request).await?.rows.pop();
        let row = row.ok_or(ClientError::Unreadable(WireError::KindUnknown))?;
        let reason = u16::try_from(row.reason).ok().and_then(Reason::from_code);
        let reason = reason.ok_or(ClientError::Unreadable(WireError::KindUnknown))?;
        let decision = Decision { reason, seen: row.seen, valid_until: row.valid_until };
        Ok(Authorized { decision, permission: row.permission })
    }
}
