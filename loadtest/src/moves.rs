//! Moves of tenants between the nodes of a fleet while the load goes on: how long commands stood still, and that the node
//! that gave a tenant away answers nothing of it any more.

use crate::audit::{Held, Subject, Tenant, lock};
use crate::fleet::Fleet;
use crate::moment::Moment;
use crate::operation::Load;
use crate::seeded::{Seeded, mix};
use crate::timeline::Event;
use crate::write::{Outcome, Write, change, change_by};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tessera_client::wire::{MoveRow, Request};
use tessera_client::{Client, ClientError};
use tessera_model::Refusal;
use tessera_model::moving::MoveStatus;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// LIMIT: how long one move may take, kills of its nodes included.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often it is asked how far a move is.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The rest before a move that stopped is begun again.
const REST: Duration = Duration::from_millis(100);
/// The rest between two writes that show when commands stand still.
const BEAT: Duration = Duration::from_millis(1);
/// LIMIT: milliseconds of a move behind which a kill hits it.
const HIT_MS: u32 = 150;
/// LIMIT: how long a move waits for the first write that is acknowledged.
const FIRST: Duration = Duration::from_secs(5);
/// LIMIT: tries to write behind a move until one is acknowledged.
const TRIES_BEHIND: u32 = 3;
/// Writes behind a move, each followed by a question to the node that gave.
const ASKED_BEHIND: u32 = 8;
/// The role that is granted and taken back by these, and what it alone covers.
const ROLE: usize = 2;

/// A move as it was.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    /// The tenant's name.
    pub tenant: String,
    /// The node that it left.
    pub from: String,
    /// The node that it went to.
    pub to: String,
    /// When it was begun, seconds since the load began.
    pub at_s: f64,
    /// How long it took.
    pub seconds: f64,
    /// Live sessions that it took along.
    pub sessions: usize,
    /// How often it was ordered.
    pub tries: u32,
    /// Whether one of its nodes was killed meanwhile.
    pub interrupted: bool,
    /// How long the tenant took no commands, as the node says, ms; none when that was killed meanwhile.
    pub gap_ms: Option<u64>,
    /// The longest time between two acknowledged writes of one writer meanwhile, ms.
    pub seen_ms: Option<f64>,
    /// Questions to the node that gave the tenant away, each behind a write where it lives now.
    pub asked_behind: u32,
    /// Whether it came to an end.
    pub done: bool,
    /// Why it stopped, where it did.
    pub trouble: Option<String>,
}

/// How long commands stood still over all moves of which no node was killed, ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gaps {
    /// Such moves.
    pub count: usize,
    /// The median, as the nodes say.
    pub p50_ms: f64,
    /// The longest, as the nodes say.
    pub max_ms: f64,
    /// The median, as a writer saw it.
    pub seen_p50_ms: f64,
    /// The longest, as a writer saw it.
    pub seen_max_ms: f64,
}

impl Gaps {
    /// Over these moves; nothing where each was hit by a kill.
    #[must_use]
    pub fn of(moves: &[Moved]) -> Option<Self> {
        let whole = moves.iter().filter(|moved| moved.done && !moved.interrupted);
        let told: Vec<f64> = whole.clone().filter_map(|moved| Some(moved.gap_ms? as f64)).collect();
        let seen: Vec<f64> = whole.filter_map(|moved| moved.seen_ms).collect();
        let (p50_ms, max_ms) = middle_and_most(told.clone())?;
        let (seen_p50_ms, seen_max_ms) = middle_and_most(seen)?;
        Some(Self { count: told.len(), p50_ms, max_ms, seen_p50_ms, seen_max_ms })
    }
}

fn middle_and_most(mut of: Vec<f64>) -> Option<(f64, f64)> {
    of.sort_by(f64::total_cmp);
    Some((*of.get((of.len().max(1) - 1) / 2)?, *of.last()?))
}

/// What is moved when.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Moves.
    pub count: u32,
    /// Over so long.
    pub seconds: u64,
    /// What it is drawn from.
    pub seed: u64,
    /// Whether nodes are killed, in the middle of moves, too.
    pub kills: bool,
}

/// Moves tenants at the moments that the seed gives, one after the other.
pub async fn run(load: Arc<Load>, fleet: Arc<Fleet>, plan: Plan) -> Vec<Moved> {
    let mut random = Seeded::new(mix(plan.seed ^ 0x4D4F_5645));
    let whole_ms = u32::try_from(plan.seconds * 1_000).unwrap_or(u32::MAX);
    let mut moments: Vec<u32> =
        (0..plan.count).map(|_| whole_ms / 20 + random.below(whole_ms / 10 * 9)).collect();
    moments.sort_unstable();
    let begun = load.watch.now();
    let mut moves = Vec::new();
    for moment in moments {
        let at = begun + Moment::from(moment) * 1_000_000;
        tokio::time::sleep_until(load.watch.instant(at).into()).await;
        if let Some(course) = Course::drawn(&load, &fleet, &mut random) {
            let hit = plan.kills.then(|| course.hit(&mut random)).flatten();
            moves.push(course.run(&load, &fleet, hit).await);
        }
        load.due.fetch_sub(1, Ordering::SeqCst);
    }
    moves
}

/// A move that is to be.
#[derive(Clone, Copy)]
struct Course {
    tenant: usize,
    from: usize,
    to: usize,
}

/// What an order came to.
#[derive(Default)]
struct Ordered {
    done: bool,
    tries: u32,
    gap_ms: Option<u64>,
    trouble: Option<String>,
}

impl Course {
    /// A tenant with live sessions, and another cell.
    fn drawn(load: &Load, fleet: &Fleet, random: &mut Seeded) -> Option<Self> {
        let fit = |at: &usize| load.tenants.get(*at).is_some_and(|tenant| live(tenant) > 0);
        let fit: Vec<usize> = (0..load.tenants.len()).filter(fit).collect();
        let tenant = *fit.get(random.below(u32::try_from(fit.len()).ok()?) as usize)?;
        let from = load.tenants.get(tenant)?.cell.load(Ordering::SeqCst);
        let others = u32::try_from(fleet.cells.len().checked_sub(1)?).ok().filter(|others| *others > 0)?;
        let to = (from + 1 + random.below(others) as usize) % fleet.cells.len();
        Some(Self { tenant, from, to })
    }

    /// Which of its nodes is killed in its middle, and when.
    fn hit(&self, random: &mut Seeded) -> Option<(usize, Duration)> {
        let after = Duration::from_millis(random.below(HIT_MS).into());
        match random.below(3) {
            0 => None,
            1 => Some((self.from, after)),
            _ => Some((self.to, after)),
        }
    }

    async fn run(self, load: &Arc<Load>, fleet: &Arc<Fleet>, hit: Option<(usize, Duration)>) -> Moved {
        let witness = match load.tenants.get(self.tenant) {
            Some(tenant) => fleet.client(self.from, tenant).await.ok(),
            None => None,
        };
        let moving = Arc::new(AtomicBool::new(true));
        let (ready, writes) = oneshot::channel();
        let beats = tokio::spawn(beats(Arc::clone(load), self.tenant, Arc::clone(&moving), ready));
        // Where the tenant takes no write for so long, it moves all the same.
        drop(timeout(FIRST, writes).await);
        let (begun, kills) = (load.watch.now(), self.kills(fleet));
        let sessions = load.tenants.get(self.tenant).map_or(0, live);
        let killer = hit.map(|(nth, after)| {
            let (load, fleet) = (Arc::clone(load), Arc::clone(fleet));
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                fleet.kill_unless_killed(&load, nth).await
            })
        });
        let ordered = self.order(load, fleet).await;
        if let (true, Some(tenant)) = (ordered.done, load.tenants.get(self.tenant)) {
            tenant.cell.store(self.to, Ordering::SeqCst);
        }
        let ended = load.watch.now();
        moving.store(false, Ordering::SeqCst);
        let mut trouble = ordered.trouble;
        if let Some(killer) = killer {
            let killed = killer.await.unwrap_or_else(|error| Err(error.into()));
            trouble = killed.err().map(|why| why.to_string()).or(trouble);
        }
        let interrupted = self.kills(fleet) != kills;
        let asked_behind = match witness {
            Some(witness) if ordered.done => self.ask_behind(load, fleet, &witness).await,
            Some(_) | None => 0,
        };
        let seen = beats.await.ok().flatten();
        let name = |nth: usize| fleet.cells.get(nth).map(|cell| cell.name.clone()).unwrap_or_default();
        let moved = Moved {
            tenant: load.tenants.get(self.tenant).map(|tenant| tenant.name.clone()).unwrap_or_default(),
            from: name(self.from),
            to: name(self.to),
            at_s: load.timeline.since_begun(begun),
            seconds: Duration::from_nanos(ended.saturating_sub(begun)).as_secs_f64(),
            sessions,
            tries: ordered.tries,
            interrupted,
            gap_ms: ordered.gap_ms,
            seen_ms: seen.map(|seen| Duration::from_nanos(seen).as_secs_f64() * 1_000.0),
            asked_behind,
            done: ordered.done,
            trouble,
        };
        load.timeline.mark(begun, Event::Move, moved.text());
        moved
    }

    fn kills(self, fleet: &Fleet) -> u64 {
        let of = |nth: usize| fleet.cells.get(nth).map_or(0, |cell| cell.kills.load(Ordering::SeqCst));
        of(self.from) + of(self.to)
    }

    /// Orders the move where the tenant lives, again and again until it is done.
    async fn order(self, load: &Load, fleet: &Fleet) -> Ordered {
        let mut ordered = Ordered::default();
        let (Some(tenant), Some(from), Some(to)) =
            (load.tenants.get(self.tenant), fleet.cells.get(self.from), fleet.cells.get(self.to))
        else {
            return ordered;
        };
        let ask = async |follow| {
            let request = Request::MoveTenant { tenant: tenant.id, cell: to.number, undo: false, follow };
            let page = from.operator.list::<MoveRow>(&request).await?;
            Ok::<_, ClientError>(page.rows.into_iter().next())
        };
        let give_up = Instant::now() + PATIENCE;
        let mut follow = false;
        while Instant::now() < give_up {
            ordered.tries += u32::from(!follow);
            let rest = match ask(follow).await {
                Ok(Some(row)) if MoveStatus::from_number(row.status) == Some(MoveStatus::Done) => {
                    ordered.gap_ms = Some(row.gap).filter(|gap| *gap > 0);
                    ordered.done = true;
                    return ordered;
                }
                Ok(Some(row)) if MoveStatus::from_number(row.status).is_some_and(MoveStatus::is_over) => {
                    ordered.trouble = row.trouble;
                    follow = false;
                    REST
                }
                Ok(_) => {
                    follow = true;
                    LOOK_EVERY
                }
                Err(error) => {
                    // A node that was started again knows of no move: it is ordered anew.
                    if !matches!(error, ClientError::Refused(Refusal::MoveUnknown)) {
                        ordered.trouble = Some(error.to_string());
                    }
                    follow = false;
                    REST
                }
            };
            tokio::time::sleep(rest).await;
        }
        ordered
    }

    /// Writes where the tenant lives now, and asks the node that gave it away, or whom that names. How often it was asked.
    async fn ask_behind(self, load: &Load, fleet: &Fleet, witness: &Client) -> u32 {
        let Some(tenant) = load.tenants.get(self.tenant) else { return 0 };
        let Ok(there) = fleet.client(self.to, tenant).await else { return 0 };
        let (mut asked, mut left) = (0, ASKED_BEHIND * 16);
        while asked < ASKED_BEHIND && left > 0 {
            left -= 1;
            // Not the one whose grant is changed meanwhile, unless there is no other.
            let Some((subject, held)) = tenant.subjects.iter().rev().find_map(held) else { return asked };
            let with = (&load.auditor, load.watch);
            let changed = change_by(&there, with, tenant, subject, (Write::Grant(ROLE), 0)).await;
            if let Some((Outcome::Done(_), _)) = changed {
                load.ask_by(witness, tenant, subject, (held, ROLE)).await;
                asked += 1;
            } else {
                tokio::time::sleep(BEAT).await;
            }
        }
        asked
    }
}

impl Moved {
    /// What is told of it.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { tenant, from, to, seconds, tries, .. } = self;
        let mut text = format!("{tenant} from {from} to {to}: {seconds:.2} s");
        match (self.gap_ms, self.interrupted) {
            (_, true) => text.push_str(", hit by a kill"),
            (Some(gap), false) => text.push_str(&format!(", no commands for {gap} ms")),
            (None, false) => {}
        }
        if *tries > 1 {
            text.push_str(&format!(", ordered {tries} times"));
        }
        if !self.done {
            let why = self.trouble.as_deref().unwrap_or("it does not come to an end");
            text.push_str(&format!(", NOT DONE: {why}"));
        }
        text
    }
}

/// Live sessions of a tenant.
fn live(tenant: &Tenant) -> usize {
    tenant.subjects.iter().map(|subject| subject.newest().facts.live.len()).sum()
}

/// A live session of a subject whose handle is known.
fn held(subject: &Subject) -> Option<(&Subject, Held)> {
    let live = subject.newest().facts.live;
    let held = lock(&subject.held).iter().find(|held| live.contains(&held.session)).copied();
    Some((subject, held?))
}

/// Writes one after the other in a tenant that moves, until one is acknowledged behind the move. The longest time between
/// two that were acknowledged.
async fn beats(
    load: Arc<Load>,
    at: usize,
    moving: Arc<AtomicBool>,
    ready: oneshot::Sender<()>,
) -> Option<Moment> {
    let mut ready = Some(ready);
    let tenant = load.tenants.get(at)?;
    let give_up = Instant::now() + PATIENCE;
    let (mut last, mut longest, mut left) = (None, None, TRIES_BEHIND);
    while Instant::now() < give_up && left > 0 {
        let subject = tenant.subjects.first()?;
        let is_last = !moving.load(Ordering::SeqCst);
        let with = (&load.auditor, load.watch);
        let changed = change(with, tenant, subject, (Write::Grant(ROLE), 0)).await;
        if let Some((Outcome::Done(_), _)) = changed {
            let now = load.watch.now();
            longest = last.map(|last| now.saturating_sub(last)).max(longest);
            last = Some(now);
            if let Some(ready) = ready.take() {
                // Nobody may wait for it any more.
                ready.send(()).unwrap_or_default();
            }
            if is_last {
                return longest;
            }
        } else if changed.is_some() {
            left -= u32::from(is_last);
        }
        tokio::time::sleep(BEAT).await;
    }
    longest
}
