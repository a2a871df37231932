//! A stand-in for tests of applications: a client that asks nobody, and permits what it was told.

use crate::client::Client;
use crate::lane::Answer;
use std::collections::HashSet;
use tessera_model::{
    CheckQuery, Decision, Epoch, HandleBytes, PermissionRef, Reason, Receipt, Refusal, Revision,
};
use tessera_model::{UnixMillis, WorkspaceRef};
use tessera_wire::{Fault, Frame, Inbox, Kind, Outbox, WireError};

/// What a double answers: it reads a frame and writes one.
type Script = dyn Fn(&Frame<'_>, &mut Outbox) -> Result<(), WireError> + Send + Sync;

/// A script in place of a node.
pub(crate) struct Double(Box<Script>);

/// What a double permits: everything else is denied.
///
/// ```
/// # async fn example() {
/// use tessera_client::Permitted;
///
/// let client = Permitted::new().permit(&[1; 40], "orders.read", None).client();
/// // The application under test takes `client` as it would take a real one.
/// # }
/// ```
#[derive(Default)]
pub struct Permitted(HashSet<(HandleBytes, String, Option<String>)>);

impl Permitted {
    /// Permits nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Permits one more thing: this handle may do this, there (`None`: in the tenant itself).
    #[must_use]
    pub fn permit(mut self, handle: &HandleBytes, permission: &str, workspace: Option<&str>) -> Self {
        self.0.insert((*handle, permission.to_owned(), workspace.map(str::to_owned)));
        self
    }

    /// A client that answers checks from this, and refuses everything else as unauthorized.
    #[must_use]
    pub fn client(self) -> Client {
        Client::double(move |frame, out| self.answer(frame, out))
    }

    fn decide(&self, query: &CheckQuery<'_>) -> Decision {
        let seen = Receipt { epoch: Epoch(1), revision: Revision(0) };
        let workspace = match query.workspace {
            WorkspaceRef::Tenant => Some(None),
            WorkspaceRef::Name(name) => Some(Some(name.to_owned())),
            WorkspaceRef::Index(_) => None,
        };
        let (PermissionRef::Name(name), Some(workspace)) = (query.permission, workspace) else {
            return Decision::deny(Reason::PermissionUnknown, seen);
        };
        if self.0.contains(&(*query.handle, name.to_owned(), workspace)) {
            Decision { reason: Reason::None, seen, valid_until: UnixMillis(u64::MAX) }
        } else {
            Decision::deny(Reason::NotGranted, seen)
        }
    }

    fn answer(&self, frame: &Frame<'_>, out: &mut Outbox) -> Result<(), WireError> {
        let id = frame.header.request_id;
        let kind = frame.kind()?;
        if kind == Kind::Check {
            return out.decision(id, &self.decide(&frame.check()?));
        }
        if kind == Kind::CheckBatch {
            let mut answers = tessera_wire::DecisionBatchWriter::default();
            answers.start(Receipt { epoch: Epoch(1), revision: Revision(0) });
            for query in frame.check_batch()?.queries() {
                answers.push(&self.decide(&query?));
            }
            return out.decision_batch(id, &answers);
        }
        out.fault(id, &Fault::refused(Refusal::Unauthorized))
    }
}

impl Double {
    pub(crate) fn new(
        script: impl Fn(&Frame<'_>, &mut Outbox) -> Result<(), WireError> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(script))
    }

    /// The script's answer to a question.
    pub(crate) fn answer(
        &self,
        write: &(dyn Fn(&mut Outbox, u64) -> Result<(), WireError> + Sync),
    ) -> Result<Answer, WireError> {
        let (mut question, mut answer) = (Outbox::new(), Outbox::new());
        let (mut asked, mut answered) = (Inbox::default(), Inbox::default());
        write(&mut question, 1)?;
        asked.extend(question.as_bytes());
        let frame = asked.next_frame()?.ok_or(WireError::BadPayload)?;
        (self.0)(&frame, &mut answer)?;
        answered.extend(answer.as_bytes());
        let frame = answered.next_frame()?.ok_or(WireError::BadPayload)?;
        Ok(Answer::of(&frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ClientError;
    use tessera_model::{Handle, HandleKind};

    /// PROPERTY: a double permits what it was told and nothing else, through every call for checks.
    #[tokio::test]
    async fn a_double_permits_what_it_was_told() {
        let handle = Handle {
            kind: HandleKind::Session,
            cell: tessera_model::CellId(0),
            tenant: tessera_model::TenantId(2),
            place: tessera_model::Place(1),
            generation: tessera_model::Generation(1),
            secret: [7; 20],
        };
        let (bytes, text) = (handle.to_bytes(), handle.to_text());
        let permitted = Permitted::new().permit(&bytes, "a", None).permit(&bytes, "b", Some("eu"));
        let client = permitted.client();
        assert!(client.is_permitted(&text, "a", None).await);
        assert!(client.is_permitted(&text, "b", Some("eu")).await);
        assert!(!client.is_permitted(&text, "a", Some("eu")).await);
        assert!(!client.is_permitted(&text, "b", None).await);
        let ask = |name| CheckQuery {
            handle: &bytes,
            permission: PermissionRef::Name(name),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        let answers = client.check_batch(Receipt::default(), &[ask("a"), ask("b")]).await.expect("answers");
        assert_eq!(answers.iter().map(Decision::is_permit).collect::<Vec<_>>(), [true, false]);
        let refused = client.sign_in("amy", "x").await.err();
        assert!(matches!(refused, Some(ClientError::Refused(Refusal::Unauthorized))));
        client.close().await;
    }
}
