//! Writes: ordered one at a time per subject, repeated under their command id until the outcome is known.

use crate::audit::{Auditor, Held, Subject, Tenant, lock};
use crate::facts::{EDITED, ROLES, patterns};
use crate::moment::Stopwatch;
use crate::refresh::refresh_of;
use std::time::{Duration, Instant};
use tessera_client::wire::{Made, Request, SessionRow, TENANT_OF_CONNECTION};
use tessera_client::{Client, ClientError};
use tessera_model::{Deadline, Name, Pattern, Private, PublicId, Refusal};

/// LIMIT: how long an unknown outcome is asked for again: a restart takes a second or two.
const ASK_AGAIN: Duration = Duration::from_secs(90);
/// The password of every subject.
pub const PASSWORD: &str = "correct horse battery staple";

/// How a write ended.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once: nobody keeps many")]
pub enum Outcome {
    /// It happened; what it made.
    Done(Made),
    /// It did not happen.
    NotDone(ClientError),
    /// Nobody found out within the time.
    Unknown,
}

/// A write that the load orders.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Write {
    /// Sign in with a password.
    SignIn,
    /// Open a session for somebody authenticated elsewhere.
    Open,
    /// End one session.
    End,
    /// End all sessions of the subject.
    EndAll,
    /// Grant this role, or take it back if it is granted.
    Grant(usize),
}

/// Waits for what may pass.
const fn passes(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable(_)
            | ClientError::DeadlinePassed
            | ClientError::OutcomeUnknown(_)
            | ClientError::TooManyRedirects
            | ClientError::Refused(Refusal::Busy(_) | Refusal::NotReady | Refusal::Changed | Refusal::Moving)
            | ClientError::Faulted(_)
    )
}

/// Orders a command; when its outcome is unknown it is repeated under the same id.
pub async fn order(client: &Client, request: &Request) -> Outcome {
    let id = client.command_id();
    let give_up = Instant::now() + ASK_AGAIN;
    let mut uncertain = false;
    loop {
        match client.request_again(TENANT_OF_CONNECTION, id, request).await {
            Ok(made) => return Outcome::Done(made),
            Err(error) => {
                uncertain |= matches!(error, ClientError::OutcomeUnknown(_));
                if !uncertain {
                    return Outcome::NotDone(error);
                }
                // After an uncertain attempt only an answer about the command itself settles it.
                if !passes(&error) {
                    return Outcome::NotDone(error);
                }
            }
        }
        if Instant::now() >= give_up {
            return Outcome::Unknown;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

/// The request of a write, if it makes sense in this state; with the session that it ends.
fn request(subject: &Subject, write: Write, pick: u32) -> Option<(Request, Option<PublicId>)> {
    let state = subject.newest();
    Some(match write {
        Write::SignIn => {
            let request = Request::SignIn {
                identifier: private(&subject.email),
                password: private(PASSWORD),
                address: None,
                device: None,
                proof: None,
            };
            (request, None)
        }
        Write::Open => (Request::OpenSession { subject: subject.id, device: None, proof: None }, None),
        Write::End => {
            let live = &state.facts.live;
            let at = usize::try_from(pick).ok()? % live.len().max(1);
            let session = *live.iter().nth(at)?;
            (Request::EndSession { session }, Some(session))
        }
        Write::EndAll => (Request::EndSubjectSessions { subject: subject.id }, None),
        Write::Grant(role) => {
            let name = Name::new(ROLES.get(role)?).ok()?;
            let granted = state.facts.has(role);
            let request = if granted {
                Request::Ungrant { subject: subject.id, role: name, workspace: None }
            } else {
                let (from, until) = (Deadline::NONE, Deadline::NONE);
                Request::Grant { subject: subject.id, role: name, workspace: None, from, until }
            };
            (request, None)
        }
    })
}

/// Orders a write for a subject. `None` when another one is in flight or there is nothing to do;
/// otherwise how it ended, with a handle whose check shows it.
pub async fn change(
    with: (&Auditor, Stopwatch),
    tenant: &Tenant,
    subject: &Subject,
    write: (Write, u32),
) -> Option<(Outcome, Option<Held>)> {
    change_by(&tenant.client, with, tenant, subject, write).await
}

/// As [`change`], over other connections than the tenant's own.
pub async fn change_by(
    client: &Client,
    (auditor, watch): (&Auditor, Stopwatch),
    tenant: &Tenant,
    subject: &Subject,
    (write, pick): (Write, u32),
) -> Option<(Outcome, Option<Held>)> {
    let (request, ended) = {
        let mut history = lock(&subject.history);
        if history.in_flight() {
            return None;
        }
        drop(history);
        let (request, ended) = request(subject, write, pick)?;
        history = lock(&subject.history);
        let mut state = history.newest().cloned().unwrap_or_default();
        match write {
            Write::SignIn | Write::Open => state.opening = true,
            Write::End => drop(ended.map(|session| state.facts.live.remove(&session))),
            Write::EndAll => state.facts.live.clear(),
            Write::Grant(role) => state.facts.granted ^= 1 << role,
        }
        // Another task may have come between: then there is nothing to do here.
        if !history.order(state, watch.now()) {
            return None;
        }
        (request, ended)
    };
    let probe = probe(subject, write, ended);
    let mut outcome = order(client, &request).await;
    if let (Outcome::Done(made), Write::SignIn | Write::Open) = (&mut outcome, write)
        && made.session.is_none()
    {
        // A repeat's ids and secrets are not given again: the session that is new is the one.
        made.session = opened(tenant, subject).await;
    }
    let now = watch.now();
    let mut made_one = None;
    {
        let mut history = lock(&subject.history);
        match &outcome {
            Outcome::Done(made) => history.settle_as(now, |state| {
                state.opening = false;
                if let Write::SignIn | Write::Open = write {
                    // An id that nobody gave is on no list: an acknowledged session that is missing is found.
                    state.facts.live.insert(made.session.unwrap_or_default());
                }
            }),
            Outcome::NotDone(_) => history.refuse(),
            Outcome::Unknown => {}
        }
    }
    if let Outcome::Done(made) = &outcome {
        let revoked = matches!(write, Write::End | Write::EndAll);
        auditor.wrote(tenant, made.receipt.revision.0, revoked);
        let handle = made.handle.as_ref().and_then(|handle| handle.expose().try_into().ok());
        if let (Some(session), Some(handle)) = (made.session, handle) {
            made_one = Some(Held { session, handle });
            subject.keep(session, refresh_of(made));
            subject.hold(Held { session, handle });
        }
    }
    Some((outcome, made_one.or(probe)))
}

/// The session that was opened while its receipt was lost: the one listed that was not known. `None`
/// when it cannot be found; the next reread says whether it is missing.
async fn opened(tenant: &Tenant, subject: &Subject) -> Option<PublicId> {
    let known = subject.newest().facts.live;
    let give_up = Instant::now() + ASK_AGAIN;
    loop {
        let request = Request::ListSessions { subject: subject.id, after: None, limit: 0 };
        if let Ok(page) = tenant.client.list::<SessionRow>(&request).await {
            return page.rows.iter().map(|row| row.session).find(|session| !known.contains(session));
        }
        if Instant::now() >= give_up {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A handle whose answer the write changes.
fn probe(subject: &Subject, write: Write, ended: Option<PublicId>) -> Option<Held> {
    let held = lock(&subject.held);
    match write {
        Write::SignIn | Write::Open => None,
        Write::End => held.iter().find(|held| Some(held.session) == ended).copied(),
        Write::EndAll | Write::Grant(_) => held.last().copied(),
    }
}

/// Changes the edited role into its other form. False when another edit is in flight.
pub async fn edit_role((auditor, watch): (&Auditor, Stopwatch), tenant: &Tenant) -> Option<Outcome> {
    let wide = {
        let mut history = lock(&tenant.wide);
        let wide = !history.newest().copied().unwrap_or_default();
        history.order(wide, watch.now()).then_some(wide)?
    };
    let name = Name::new(ROLES.get(EDITED)?).ok()?;
    let patterns = patterns(EDITED, wide).iter().filter_map(|text| Pattern::new(text).ok()).collect();
    let outcome = order(&tenant.client, &Request::ChangeRole { name, patterns }).await;
    let mut history = lock(&tenant.wide);
    match &outcome {
        Outcome::Done(made) => {
            history.settle(watch.now());
            drop(history);
            auditor.wrote(tenant, made.receipt.revision.0, false);
        }
        Outcome::NotDone(_) => history.refuse(),
        Outcome::Unknown => {}
    }
    Some(outcome)
}
