//! Conditional requests (RFC 9110 section 13): what a caller saw, against what is there now.

use crate::caller::Caller;
use crate::door::Shared;
use crate::input::Input;
use crate::list;
use crate::operation::{About, Act, List, Operation, Own};
use crate::problem::Problem;
use axum::http::request::Parts;
use serde_json::Value;
use std::sync::Arc;
use tessera_crypto::digest;
use tessera_model::CommandKind;

/// The record that an operation changes, as a list reads it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others change no record that can be read alone")]
pub(crate) const fn record(act: Act) -> Option<List> {
    match act {
        Act::Own(Own::PatchSettings) => Some(List::Settings),
        Act::Order(kind) => match kind {
            CommandKind::ChangeRole | CommandKind::DeleteRole | CommandKind::SetRoleParents => {
                Some(List::Role)
            }
            CommandKind::DeleteGroup | CommandKind::ChangeGroupRule => Some(List::Group),
            CommandKind::DeleteWorkspace
            | CommandKind::DeleteWorkspaceTree
            | CommandKind::MoveWorkspace
            | CommandKind::SetCeiling
            | CommandKind::SetOwners => Some(List::Workspace),
            CommandKind::DeleteSubject
            | CommandKind::SuspendSubject
            | CommandKind::ResumeSubject
            | CommandKind::ResetPassword => Some(List::Subject),
            CommandKind::RevokeKey => Some(List::Key),
            CommandKind::ChangeOrigins => Some(List::Origins),
            CommandKind::SetPolicies | CommandKind::DeletePolicies => Some(List::Policies),
            CommandKind::SetRelationModel => Some(List::Relation(About::Model)),
            CommandKind::ChangeClient | CommandKind::DeleteClient => Some(List::Client),
            CommandKind::SetEndpoints => Some(List::Endpoints),
            CommandKind::SetService => Some(List::Service),
            CommandKind::SetPersonalRole => Some(List::PersonalRole),
            CommandKind::SetGuest => Some(List::Subject),
            CommandKind::SetVisibility => Some(List::Visibility),
            CommandKind::SuspendTenant | CommandKind::ResumeTenant | CommandKind::DeleteTenant => {
                Some(List::Tenant)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a list is one record, with a tag of its own.
pub(crate) const fn is_record(list: List) -> bool {
    matches!(
        list,
        List::Settings
            | List::Role
            | List::Group
            | List::Workspace
            | List::Subject
            | List::Tenant
            | List::Key
            | List::Client
            | List::Origins
            | List::Endpoints
            | List::Service
            | List::PersonalRole
            | List::Visibility
            | List::Policies
            | List::Relation(About::Model)
    )
}

/// The strong tag of a record: the same for the same content.
pub(crate) fn tag(record: &Value) -> String {
    let digest = digest::hash(&[b"tessera etag v1", record.to_string().as_bytes()]);
    let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// Whether a list of tags names this one.
pub(crate) fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one == tag)
}

/// The tags that a request names (RFC 9110 section 13.1), in one header or several; bytes that no tag of
/// ours holds match nothing.
pub(crate) fn wanted(parts: &Parts, header: &str) -> Option<String> {
    let values: Vec<_> =
        parts.headers.get_all(header).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Refuses a change of what the caller has not seen as it is.
///
/// # Errors
/// 412 when the record is another, and what keeps it from being read.
pub(crate) async fn hold(
    shared: &Arc<Shared>,
    caller: &Caller,
    (operation, parts): (&'static Operation, &Parts),
    input: &Input,
) -> Result<(), Problem> {
    let Some(wanted) = wanted(parts, "if-match") else { return Ok(()) };
    let Some(record) = record(operation.act) else {
        return Err(Problem::unreadable("nothing here has a tag").at("if-match"));
    };
    let now = list::answer(shared, caller, (operation, record), input.clone()).await?;
    if names(&wanted, &tag(&now)) { Ok(()) } else { Err(Problem::precondition()) }
}
