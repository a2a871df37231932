//! What the load does: drawn from the seed, sent through the client, handed to the auditor.

use crate::audit::{Asked, Auditor, Held, Subject, Tenant, lock};
use crate::facts::{PERMISSIONS, ROLES};
use crate::moment::{Moment, Stopwatch};
use crate::refresh::refresh;
use crate::report::Kind;
use crate::seeded::Seeded;
use crate::timeline::Timeline;
use crate::write::{Outcome, Write, change, edit_role};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_client::Client;
use tessera_client::wire::{GrantRow, Request, SessionRow};
use tessera_model::{CheckQuery, PermissionRef, Receipt, WorkspaceRef};

/// LIMIT: live sessions of a subject before the load ends some.
const LIVE_MAX: usize = 8;
/// Writes of one tide, unless the load is too short for it.
pub const TIDE: u64 = 1_024;
/// Checks of one batch.
const BATCH: usize = 16;

/// What sessions do for a while. Where they open and end together, the place of an ended one is given
/// away at once, and that hides one that was not ended: so mostly they open first and end then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tide {
    /// They open.
    Flood,
    /// They end.
    Ebb,
    /// Both.
    Mixed,
}

const fn tide(write: u64, length: u64) -> Tide {
    match write / length % 8 {
        6 => Tide::Mixed,
        0 | 2 | 4 => Tide::Flood,
        _ => Tide::Ebb,
    }
}

/// What the load runs on.
pub struct Load {
    /// The tenants, the busiest first.
    pub tenants: Vec<Tenant>,
    /// The auditor.
    pub auditor: Auditor,
    /// The clock of the run.
    pub watch: Stopwatch,
    /// Writes drawn so far.
    pub writes: AtomicU64,
    /// Writes of one tide.
    pub tide: u64,
    /// The first answer after the last kill that was asked about.
    pub first: First,
    /// The course of the run.
    pub timeline: Timeline,
    /// What must happen before the run may end: moves, and kills of nodes.
    pub due: AtomicU64,
}

/// Notes the first answer after a moment.
#[derive(Default)]
pub struct First {
    killed: AtomicU64,
    answered: AtomicU64,
}

impl First {
    /// The node was killed now: the next answer is the first one.
    pub fn killed(&self, now: Moment) {
        self.answered.store(0, Ordering::SeqCst);
        self.killed.store(now, Ordering::SeqCst);
    }

    /// Something that was sent after the kill was answered now.
    pub fn note(&self, sent: Moment, now: Moment) {
        let killed = self.killed.load(Ordering::Relaxed);
        if killed > 0 && sent > killed {
            // Only the first one counts.
            self.answered.compare_exchange(0, now, Ordering::SeqCst, Ordering::Relaxed).unwrap_or_default();
        }
    }

    /// Nanoseconds from the kill to the first answer to something sent after it.
    #[must_use]
    pub fn took(&self) -> Option<Moment> {
        let answered = self.answered.load(Ordering::SeqCst);
        (answered > 0).then(|| answered.saturating_sub(self.killed.load(Ordering::SeqCst)))
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It was answered.
    Answered,
    /// It was refused for the moment or by a rule (Busy above all).
    Refused,
    /// No answer came within the deadline.
    Unanswered,
    /// There was nothing to do: another write of the same subject is in flight.
    Idle,
}

/// Draws what to do next.
pub fn draw(random: &mut Seeded, writes: u32) -> Kind {
    if random.below(1_000) >= writes {
        return if random.below(20) == 0 { Kind::Batch } else { Kind::Check };
    }
    match random.below(100) {
        0..20 => Kind::SignIn,
        20..45 => Kind::Open,
        45..72 => Kind::Revoke,
        72..88 => Kind::Grant,
        88..98 => Kind::Refresh,
        _ => Kind::Role,
    }
}

impl Load {
    /// A tenant by the cube of a uniform number: of eight, the first gets half of the load.
    pub fn tenant(&self, random: &mut Seeded) -> Option<&Tenant> {
        let count = u32::try_from(self.tenants.len()).ok()?;
        let (a, b) = (u64::from(random.below(1 << 16)), u64::from(random.below(1 << 16)));
        let c = u64::from(random.below(1 << 16));
        let at = usize::try_from((a * b / (1 << 16) * c / (1 << 16)) * u64::from(count) / (1 << 16)).ok()?;
        self.tenants.get(at)
    }

    /// Does one operation in a tenant.
    pub async fn perform(&self, kind: Kind, tenant: &Tenant, random: &mut Seeded) -> Ended {
        match kind {
            Kind::Check => self.check(tenant, random).await,
            Kind::Batch => self.batch(tenant, random).await,
            Kind::Role => match edit_role((&self.auditor, self.watch), tenant).await {
                None => self.check(tenant, random).await,
                Some(outcome) => ended(&outcome),
            },
            Kind::Refresh => self.refresh(tenant, random).await,
            Kind::SignIn | Kind::Open | Kind::Revoke | Kind::Grant => self.write(kind, tenant, random).await,
        }
    }

    async fn write(&self, kind: Kind, tenant: &Tenant, random: &mut Seeded) -> Ended {
        let Some(subject) = pick(&tenant.subjects, random) else { return Ended::Idle };
        let live = subject.newest().facts.live.len();
        let tide = tide(self.writes.fetch_add(1, Ordering::Relaxed), self.tide.max(1));
        let (may_open, may_end) = (live < LIVE_MAX && tide != Tide::Ebb, live > 0 && tide != Tide::Flood);
        let write = match kind {
            Kind::SignIn if may_open => Write::SignIn,
            Kind::Open if may_open => Write::Open,
            Kind::Revoke if may_open && !may_end => Write::Open,
            Kind::SignIn | Kind::Open | Kind::Revoke if !may_end => Write::Grant(role(random)),
            Kind::Grant => Write::Grant(role(random)),
            Kind::Revoke
            | Kind::SignIn
            | Kind::Open
            | Kind::Check
            | Kind::Batch
            | Kind::Refresh
            | Kind::Role => {
                if random.below(20) == 0 {
                    Write::EndAll
                } else {
                    Write::End
                }
            }
        };
        let pick = random.below(u32::MAX);
        let Some((outcome, probe)) =
            change((&self.auditor, self.watch), tenant, subject, (write, pick)).await
        else {
            return Ended::Idle;
        };
        // In force at the next check: ask at once.
        if let (Outcome::Done(_), Some(held)) = (&outcome, probe) {
            let permission = match write {
                Write::Grant(role) => role.max(usize::from(role == 1)),
                Write::SignIn | Write::Open | Write::End | Write::EndAll => 0,
            };
            self.ask(tenant, subject, held, permission).await;
        }
        ended(&outcome)
    }

    /// Uses a refresh handle; one in twenty is spent, and ends its session.
    async fn refresh(&self, tenant: &Tenant, random: &mut Seeded) -> Ended {
        let Some(subject) = pick(&tenant.subjects, random) else { return Ended::Idle };
        let (spent, drawn) = (random.below(20) == 0, random.below(u32::MAX));
        let with = (&self.auditor, self.watch);
        let Some((outcome, session)) = refresh(with, tenant, subject, (spent, drawn)).await else {
            return Ended::Idle;
        };
        // In force at the next check: ask at once.
        let held = lock(&subject.held).iter().find(|held| held.session == session).copied();
        if let Some(held) = held {
            self.ask(tenant, subject, held, 0).await;
        }
        ended(&outcome)
    }

    async fn check(&self, tenant: &Tenant, random: &mut Seeded) -> Ended {
        let Some((subject, held)) = held(tenant, random) else { return Ended::Idle };
        self.ask(tenant, subject, held, permission(random)).await
    }

    async fn ask(&self, tenant: &Tenant, subject: &Subject, held: Held, permission: usize) -> Ended {
        self.ask_by(&tenant.client, tenant, subject, (held, permission)).await
    }

    /// Asks one question over these connections, and has the auditor judge the answer.
    pub async fn ask_by(
        &self,
        client: &Client,
        tenant: &Tenant,
        subject: &Subject,
        (held, permission): (Held, usize),
    ) -> Ended {
        let floor = tenant.floor.load(Ordering::SeqCst);
        let sent = self.watch.now();
        let answer = client.check(&query(&held, permission)).await;
        let received = self.watch.now();
        let Ok(decision) = answer else { return Ended::Unanswered };
        let asked = Asked { session: held.session, permission, sent, received, floor };
        self.auditor.judge(tenant, subject, &asked, &decision);
        Ended::Answered
    }

    async fn batch(&self, tenant: &Tenant, random: &mut Seeded) -> Ended {
        let drawn: Vec<_> =
            (0..BATCH).filter_map(|_| Some((held(tenant, random)?, permission(random)))).collect();
        let queries: Vec<_> = drawn.iter().map(|((_, held), permission)| query(held, *permission)).collect();
        let floor = tenant.floor.load(Ordering::SeqCst);
        let sent = self.watch.now();
        let answer = tenant.client.check_batch(Receipt::default(), &queries).await;
        let received = self.watch.now();
        let Ok(decisions) = answer else { return Ended::Unanswered };
        for (((subject, held), permission), decision) in drawn.iter().zip(&decisions) {
            let asked = Asked { session: held.session, permission: *permission, sent, received, floor };
            self.auditor.judge(tenant, subject, &asked, decision);
        }
        Ended::Answered
    }

    /// Reads what is left of a subject's acknowledged writes. False when it could not be read.
    pub async fn reread(&self, tenant: &Tenant, subject: &Subject) -> bool {
        let client = tenant.client.with_deadline(std::time::Duration::from_secs(30));
        let sent = self.watch.now();
        let sessions = client
            .list::<SessionRow>(&Request::ListSessions { subject: subject.id, after: None, limit: 0 })
            .await;
        let between = self.watch.now();
        let grants = client
            .list::<GrantRow>(&Request::ListGrants { subject: subject.id, after: None, limit: 0 })
            .await;
        let received = self.watch.now();
        let (Ok(sessions), Ok(grants)) = (sessions, grants) else { return false };
        let live: BTreeSet<_> = sessions.rows.iter().filter(|row| !row.key).map(|row| row.session).collect();
        self.auditor.sessions(subject, &live, (sent, between));
        let bits = grants.rows.iter().filter(|row| row.workspace.is_none()).fold(0, |bits, row| {
            let role = ROLES.iter().position(|role| *role == row.role.as_str());
            bits | role.map_or(0, |role| 1 << role)
        });
        self.auditor.grants(subject, bits, (between, received));
        true
    }
}

fn query(held: &Held, permission: usize) -> CheckQuery<'_> {
    CheckQuery {
        handle: &held.handle,
        permission: PermissionRef::Name(PERMISSIONS.get(permission).copied().unwrap_or_default()),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    }
}

fn role(random: &mut Seeded) -> usize {
    random.below(u32::try_from(ROLES.len()).unwrap_or(1)) as usize
}

fn permission(random: &mut Seeded) -> usize {
    random.below(u32::try_from(PERMISSIONS.len()).unwrap_or(1)) as usize
}

fn pick<'a, T>(all: &'a [T], random: &mut Seeded) -> Option<&'a T> {
    all.get(random.below(u32::try_from(all.len()).ok()?) as usize)
}

fn held<'a>(tenant: &'a Tenant, random: &mut Seeded) -> Option<(&'a Subject, Held)> {
    let subject = pick(&tenant.subjects, random)?;
    let held = lock(&subject.held);
    Some((subject, *pick(&held, random)?))
}

const fn ended(outcome: &Outcome) -> Ended {
    match outcome {
        Outcome::Done(_) => Ended::Answered,
        Outcome::NotDone(tessera_client::ClientError::Refused(_)) => Ended::Refused,
        Outcome::NotDone(_) | Outcome::Unknown => Ended::Unanswered,
    }
}
