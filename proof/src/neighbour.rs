//! Neighbours that take all they can: a tenant with a hundred callers beside one with one caller, and a subject that
//! ends its own sessions without end beside the others of its tenant.

use crate::node::{Node, Trouble, handle_of};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_client::wire::{Page, Request, SubjectRow};
use tessera_client::{Client, ClientError};
use tessera_model::{
    CheckQuery, Handle, HandleBytes, Identifier, IdentifierKind, PermissionRef, PublicId, Receipt, Refusal,
    WorkspaceRef,
};
use tokio::task::JoinSet;

/// Callers of the loud tenant, beside one of the quiet one.
const LOUD: usize = 100;
/// Rounds of the quiet one: so many checks and one command each.
const ROUNDS: u32 = 15;
const CHECKS: u32 = 10;
/// Commands of the subject's tenant that must be done beside its loop, and callers of that loop.
const BESIDE: u64 = 10;
const LOOPS: usize = 64;

/// Somebody who asks and orders: a tenant's admin, a subject of it and a session that is good.
#[derive(Clone)]
pub(crate) struct Caller {
    admin: Client,
    subject: PublicId,
    session: HandleBytes,
}

/// What was answered.
#[derive(Default)]
struct Tally {
    checks: AtomicU64,
    commands: AtomicU64,
    wrong: AtomicU64,
    stop: AtomicBool,
}

impl Caller {
    /// The person of a tenant, by its name, with a new session.
    pub(crate) async fn new(admin: &Client, name: &str, password: &str) -> Result<(Self, String), Trouble> {
        let admin = admin.with_deadline(Duration::from_secs(60));
        let identifier = Some(Identifier::new(IdentifierKind::Username, name)?);
        let page: Page<SubjectRow> = admin.list(&Request::ReadSubject { subject: None, identifier }).await?;
        let subject = page.rows.first().ok_or("nobody has the name")?.subject;
        // The flood of before came from the same source, and may have used its tries up for a moment.
        let mut made = admin.sign_in(name, password).await;
        for _ in 0..60 {
            if made.as_ref().err().and_then(ClientError::code) != Some(Refusal::TooManyFailures.code()) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            made = admin.sign_in(name, password).await;
        }
        let key = handle_of(&made?)?;
        let session = Handle::parse_text(&key).map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok((Self { admin, subject, session }, key))
    }

    /// Some checks and a command; tells how long each check took.
    async fn round(&self, tally: &Tally) -> Vec<Duration> {
        let mut took = Vec::new();
        for _ in 0..CHECKS {
            let query = CheckQuery {
                handle: &self.session,
                permission: PermissionRef::Name("proof.act"),
                workspace: WorkspaceRef::Tenant,
                at_least: Receipt::default(),
                address: None,
            };
            let asked = Instant::now();
            match self.admin.check(&query).await {
                Ok(decision) if decision.is_permit() => tally.checks.fetch_add(1, Ordering::Relaxed),
                Ok(_) | Err(_) => tally.wrong.fetch_add(1, Ordering::Relaxed),
            };
            took.push(asked.elapsed());
        }
        let open = Request::OpenSession { subject: self.subject, device: None, proof: None };
        match self.admin.request(&open).await {
            Ok(made) => {
                tally.commands.fetch_add(1, Ordering::Relaxed);
                // So that a subject's sessions have room for the next.
                if let Some(session) = made.session {
                    drop(self.admin.request(&Request::EndSession { session }).await);
                }
            }
            // Who takes all that is to be had is told that it is too much.
            Err(ClientError::Refused(Refusal::Busy(_))) => {}
            Err(_) => {
                tally.wrong.fetch_add(1, Ordering::Relaxed);
            }
        }
        took
    }

    /// Rounds one after the other; the time that one check in a hundred took at least.
    async fn rounds(&self, tally: &Tally) -> Duration {
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            took.extend(self.round(tally).await);
        }
        took.sort_unstable();
        took.get(took.len() * 99 / 100).copied().unwrap_or_default()
    }
}

/// A tenant at a hundred times the callers of another: every answer of both is right, and the quiet one is served.
pub(crate) async fn loud(quiet: &Caller, loud: &Caller, faults: &mut Vec<String>) -> Result<String, Trouble> {
    let (alone, beside, noise) = (Tally::default(), Tally::default(), Arc::new(Tally::default()));
    let before = quiet.rounds(&alone).await;
    let mut callers = JoinSet::new();
    for _ in 0..LOUD {
        let (loud, noise) = (loud.clone(), Arc::clone(&noise));
        callers.spawn(async move {
            while !noise.stop.load(Ordering::Relaxed) {
                loud.round(&noise).await;
            }
        });
    }
    let under = quiet.rounds(&beside).await;
    noise.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = callers.join_next().await {
        ended?;
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (name, tally) in [("alone", &alone), ("beside a loud tenant", &beside), ("a loud tenant", &noise)] {
        if count(&tally.wrong) > 0 {
            faults.push(format!("{name}: {} answers were wrong or did not come", count(&tally.wrong)));
        }
    }
    let wanted = (u64::from(ROUNDS * CHECKS), u64::from(ROUNDS));
    for (name, tally) in [("alone", &alone), ("beside a loud tenant", &beside)] {
        let done = (count(&tally.checks), count(&tally.commands));
        if done != wanted {
            faults.push(format!("{name}: {done:?} checks and commands of {wanted:?} were done"));
        }
    }
    if count(&noise.checks) < wanted.0 {
        faults.push(format!("{LOUD} callers came to {} checks: they were not loud", count(&noise.checks)));
    }
    Ok(format!(
        "beside {LOUD} callers of another tenant ({} checks, {} commands) {} checks and {} commands of one, p99 {} us, {} us alone",
        count(&noise.checks),
        count(&noise.commands),
        count(&beside.checks),
        count(&beside.commands),
        under.as_micros(),
        before.as_micros()
    ))
}

/// A subject that ends its own sessions in a loop, which narrows and so comes first: the others of its tenant are
/// served all the same.
pub(crate) async fn ender(
    node: &Node,
    (caller, key): (&Caller, &str),
    faults: &mut Vec<String>,
) -> Result<String, Trouble> {
    let own = node.client(Some(key.to_owned())).await?;
    let (ended, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut loops = JoinSet::new();
    for _ in 0..LOOPS {
        let (own, ended, stop) = (own.clone(), Arc::clone(&ended), Arc::clone(&stop));
        loops.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let told = own.request(&Request::EndOtherSessions {}).await;
                ended.fetch_add(u64::from(told.is_ok()), Ordering::Relaxed);
            }
        });
    }
    // It has begun.
    let began = Instant::now();
    while ended.load(Ordering::Relaxed) == 0 && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let tally = Tally::default();
    for _ in 0..BESIDE {
        caller.round(&tally).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(one) = loops.join_next().await {
        one?;
    }
    let (done, wrong) = (tally.commands.load(Ordering::Relaxed), tally.wrong.load(Ordering::Relaxed));
    let ended = ended.load(Ordering::Relaxed);
    if done != BESIDE || wrong > 0 || ended == 0 {
        faults.push(format!("beside {ended} endings of one subject's sessions {done} of {BESIDE} commands were done, {wrong} answers were wrong"));
    }
    Ok(format!("{done} commands beside {ended} times that a subject ended its sessions"))
}
