//! `tessera authorize`: may they do this with an application?

use crate::answer::Answer;
use crate::check::{object, place};
use crate::error::CtlError;
use crate::handle::HandleFrom;
use crate::link::Link;
use crate::reach;
use std::net::IpAddr;
use tessera_client::Wanted;
use tessera_model::{CheckQuery, Name, PermissionId, PermissionRef, Receipt};

/// A request to an application, or an action of it.
#[derive(Clone, clap::Args)]
pub(crate) struct Authorize {
    /// The application, by the name of its service.
    #[arg(value_parser = reach::name)]
    service: Name,
    /// The request's method, in capitals.
    #[arg(required_unless_present = "action", requires = "target", value_parser = reach::name)]
    method: Option<Name>,
    /// The request's target as it came: path and query.
    target: Option<String>,
    /// Instead of a request: an entry's permission, in full or behind the service's name.
    #[arg(long, value_parser = reach::name, conflicts_with_all = ["method", "target"])]
    action: Option<Name>,
    /// Where; without it, in the whole tenant.
    #[arg(long, value_parser = reach::name)]
    workspace: Option<Name>,
    #[command(flatten)]
    handle: HandleFrom,
    /// The position that the answer must have seen: a receipt, as commands print it.
    #[arg(long, value_name = "RECEIPT", value_parser = reach::at_least)]
    at_least: Option<Receipt>,
    /// The address that the holder's request came from.
    #[arg(long, value_name = "IP")]
    from_address: Option<IpAddr>,
}

impl Authorize {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let handle = self.handle.need(&link.profile)?;
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Id(PermissionId(0)),
            workspace: place(self.workspace.as_ref()),
            at_least: self.at_least.unwrap_or_default(),
            address: self.from_address,
        };
        let (method, target) = (self.method.as_ref(), self.target.as_deref());
        let (wanted, what) = match (&self.action, method, target) {
            (Some(action), ..) => {
                (Wanted::Action(self.service.as_str(), action.as_str()), action.to_string())
            }
            (None, Some(method), Some(target)) => (
                Wanted::Request(self.service.as_str(), method.as_str(), target),
                format!("{method} {target}"),
            ),
            _ => return Err(CtlError::usage("give a method and a target, or --action")),
        };
        let found = link.client.authorize(&query, wanted).await.map_err(|error| link.told(&error))?;
        let decision = found.decision;
        let head = if decision.is_permit() { "Permit" } else { "Deny" };
        let mut text = format!("{head}: {what} of {}", self.service);
        if let Some(permission) = &found.permission {
            text.push_str(&format!(", which needs {permission}"));
        }
        if !decision.is_permit() {
            text.push_str(&format!(": {} (code {})", decision.reason.text(), decision.reason.code()));
        }
        let mut answer = Answer::said(format!("{text}."))
            .with("service", self.service.as_str())
            .with("action", self.action.as_ref().map(Name::as_str))
            .with("method", method.map(Name::as_str))
            .with("target", target)
            .with("permission", found.permission.as_ref().map(Name::as_str))
            .with("workspace", self.workspace.as_ref().map(Name::as_str));
        for (field, value) in object(&decision) {
            answer = answer.with(&field, value);
        }
        Ok(if decision.is_permit() { answer } else { answer.denied() })
    }
}
