//! Refreshes: the current handle of a session gets a successor, a spent one is refused and ends its session.
//!
//! A refresh is a write of its subject: no other is in flight, so that each answer is right or wrong.

use crate::audit::{Auditor, Family, Subject, Tenant, lock};
use crate::moment::Stopwatch;
use crate::write::{Outcome, order};
use tessera_client::ClientError;
use tessera_client::wire::{Made, Request};
use tessera_model::{HandleBytes, Private, PublicId, Refusal};

/// The refresh handle that a receipt holds.
#[must_use]
pub fn refresh_of(made: &Made) -> Option<HandleBytes> {
    made.refresh.as_ref().and_then(|handle| handle.expose().try_into().ok())
}

/// A session of the subject with a refresh handle; where a spent one is wanted, one that has such.
fn drawn(subject: &Subject, spent: bool, pick: u32) -> Option<(PublicId, Family)> {
    let live = subject.newest().facts.live;
    let mut families = lock(&subject.families);
    families.retain(|session, _| live.contains(session));
    let fit: Vec<_> = families.iter().filter(|(_, family)| !spent || family.index >= 2).collect();
    let at = usize::try_from(pick).ok()? % fit.len().max(1);
    fit.get(at).map(|(session, family)| (**session, **family))
}

/// Whether a refusal says nothing about the handle.
const fn is_passing(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Refused(
            Refusal::SessionUnknown
                | Refusal::RefreshReused
                | Refusal::RefreshExpired
                | Refusal::RefreshExhausted
                | Refusal::WrongClient
                | Refusal::ClientUnknown
                | Refusal::Malformed
                | Refusal::Unauthorized
        )
    )
}

/// Uses a refresh handle of the subject: the current one, or one that was replaced twice. `None` when
/// another write is in flight or there is none; otherwise how it ended, and the session.
pub async fn refresh(
    (auditor, watch): (&Auditor, Stopwatch),
    tenant: &Tenant,
    subject: &Subject,
    (spent, pick): (bool, u32),
) -> Option<(Outcome, PublicId)> {
    let (session, family) = drawn(subject, spent, pick)?;
    {
        let mut history = lock(&subject.history);
        let mut state = history.newest().cloned().unwrap_or_default();
        // Another task may have ended it meanwhile.
        if history.in_flight() || !state.facts.live.contains(&session) {
            return None;
        }
        if spent {
            state.facts.live.remove(&session);
        }
        history.order(state, watch.now());
    }
    let handle = if spent { family.first } else { family.current };
    let request = Request::RefreshSession { handle: Private::new(handle.to_vec()) };
    let outcome = order(&tenant.client, &request).await;
    let now = watch.now();
    let mut history = lock(&subject.history);
    let mut families = lock(&subject.families);
    // Whatever is not certain is not used again.
    families.remove(&session);
    match &outcome {
        Outcome::Unknown => {}
        Outcome::Done(made) => {
            history.settle(now);
            let next = refresh_of(made);
            // A repeat past the grace has no secret; one that has is another handle of the same session.
            let right = !spent
                && made.session == Some(session)
                && next.is_none_or(|next| next != family.current && next != family.first);
            auditor
                .refreshed(subject, right, || format!("a refresh of session {session} gave another thing"));
            auditor.wrote(tenant, made.receipt.revision.0, false);
            if let (Some(current), true) = (next, right) {
                families.insert(session, Family { current, index: family.index + 1, ..family });
            }
        }
        Outcome::NotDone(ClientError::Refused(Refusal::RefreshReused)) if spent => {
            history.settle(now);
            auditor.refreshed(subject, true, String::new);
        }
        Outcome::NotDone(error) => {
            history.refuse();
            if is_passing(error) {
                families.insert(session, family);
            } else {
                auditor.refreshed(subject, false, || format!("a refresh of session {session}: {error}"));
            }
        }
    }
    drop((families, history));
    Some((outcome, session))
}
