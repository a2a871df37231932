//! What one node answers, and two, and three: checks per second and commands per second of a fleet, in a closed loop.
//!
//! The nodes and the client are processes of one group on one machine: with fewer cores than processes they share them, and
//! more nodes are no faster.

use crate::args::Args;
use crate::audit::lock;
use crate::facts::{Answer, PERMISSIONS, ROLES};
use crate::fleet::Fleet;
use crate::moment::Stopwatch;
use crate::operation::Load;
use crate::setup::{Why, build};
use indicatif::ProgressBar;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tessera_client::wire::Request;
use tessera_model::{CheckQuery, Deadline, HandleBytes, Name, PermissionRef, Receipt, WorkspaceRef};

/// Operations in flight, unless --closed says so.
const DEPTH: usize = 256;
/// The role that commands grant and take back.
const ROLE: usize = 1;

/// What so many nodes answered.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// Nodes.
    pub nodes: u16,
    /// Tenants, spread over them.
    pub tenants: usize,
    /// Operations in flight.
    pub in_flight: usize,
    /// Checks answered per second.
    pub checks_per_second: f64,
    /// Commands acknowledged per second.
    pub commands_per_second: f64,
    /// Checks that were answered wrongly.
    pub wrong: u64,
    /// Operations that were refused or not answered.
    pub refused: u64,
}

/// What the workers counted.
#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    done: AtomicU64,
    wrong: AtomicU64,
    refused: AtomicU64,
}

/// One who asks and orders, with a subject of its own.
#[derive(Clone)]
struct Worker {
    load: Arc<Load>,
    tenant: usize,
    subject: usize,
    handle: HandleBytes,
    right: Answer,
}

/// Measures one node, two, and so on.
///
/// # Errors
/// When a fleet does not start, or tenants cannot be made.
pub async fn run(args: &Args) -> Result<Vec<Rate>, Why> {
    let above = args.data.as_deref().ok_or("give --data")?;
    let mut rates = Vec::new();
    for nodes in 1..=args.nodes {
        let fleet = Fleet::start(args, &above.join(format!("of-{nodes}")), nodes).await?;
        let load = Arc::new(build(args, &fleet.ground(), &ProgressBar::hidden()).await?);
        let workers = workers(&load, args.closed.unwrap_or(DEPTH))?;
        let span = Duration::from_secs(args.seconds);
        let (checks, asked) = measured(&workers, span, check).await?;
        let (commands, ordered) = measured(&workers, span, command).await?;
        let both = |of: fn(&Counts) -> &AtomicU64| {
            of(&asked).load(Ordering::SeqCst) + of(&ordered).load(Ordering::SeqCst)
        };
        rates.push(Rate {
            nodes,
            tenants: load.tenants.len(),
            in_flight: workers.len(),
            checks_per_second: checks,
            commands_per_second: commands,
            wrong: both(|counts| &counts.wrong),
            refused: both(|counts| &counts.refused),
        });
    }
    Ok(rates)
}

/// The table for people.
#[must_use]
pub fn text(rates: &[Rate]) -> String {
    let mut out = format!(
        "{:>5} {:>8} {:>10} {:>12} {:>12} {:>6} {:>8}\n",
        "nodes", "tenants", "in flight", "checks/s", "commands/s", "wrong", "refused"
    );
    for rate in rates {
        out.push_str(&format!(
            "{:>5} {:>8} {:>10} {:>12.0} {:>12.0} {:>6} {:>8}\n",
            rate.nodes,
            rate.tenants,
            rate.in_flight,
            rate.checks_per_second,
            rate.commands_per_second,
            rate.wrong,
            rate.refused
        ));
    }
    out
}

/// So many workers, spread over the tenants.
fn workers(load: &Arc<Load>, depth: usize) -> Result<Vec<Worker>, Why> {
    let count = load.tenants.len().max(1);
    (0..depth)
        .map(|nth| {
            let (tenant, subject) = (nth % count, nth / count);
            let of = load.tenants.get(tenant).ok_or("there is no tenant")?;
            let one =
                of.subjects.get(subject).ok_or("--tenants times --subjects must be at least --closed")?;
            let held = lock(&one.held).first().copied().ok_or("a subject has no session")?;
            let right = one.newest().facts.answer(held.session, 0, false);
            Ok(Worker { load: Arc::clone(load), tenant, subject, handle: held.handle, right })
        })
        .collect()
}

/// What all workers do in so long, per second.
async fn measured<F: Future<Output = ()> + Send + 'static>(
    workers: &[Worker],
    span: Duration,
    work: fn(Worker, Arc<Counts>) -> F,
) -> Result<(f64, Arc<Counts>), Why> {
    let counts = Arc::new(Counts::default());
    let watch = Stopwatch::start();
    let begun: Vec<_> =
        workers.iter().map(|worker| tokio::spawn(work(worker.clone(), Arc::clone(&counts)))).collect();
    tokio::time::sleep(span).await;
    let (done, nanos) = (counts.done.load(Ordering::SeqCst), watch.now());
    counts.stop.store(true, Ordering::SeqCst);
    for worker in begun {
        worker.await?;
    }
    let seconds = Duration::from_nanos(nanos).as_secs_f64();
    Ok((done as f64 / seconds.max(1e-9), counts))
}

async fn check(worker: Worker, counts: Arc<Counts>) {
    let Some(tenant) = worker.load.tenants.get(worker.tenant) else { return };
    while !counts.stop.load(Ordering::Relaxed) {
        let query = CheckQuery {
            handle: &worker.handle,
            permission: PermissionRef::Name(PERMISSIONS.first().copied().unwrap_or_default()),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        match tenant.client.check(&query).await {
            Ok(decision) if worker.right.is(decision.reason) => counts.done.fetch_add(1, Ordering::Relaxed),
            Ok(_) => counts.wrong.fetch_add(1, Ordering::Relaxed),
            Err(_) => counts.refused.fetch_add(1, Ordering::Relaxed),
        };
    }
}

async fn command(worker: Worker, counts: Arc<Counts>) {
    let Some(tenant) = worker.load.tenants.get(worker.tenant) else { return };
    let Some(subject) = tenant.subjects.get(worker.subject).map(|subject| subject.id) else { return };
    let Ok(role) = Name::new(ROLES.get(ROLE).copied().unwrap_or_default()) else { return };
    let mut granted = false;
    while !counts.stop.load(Ordering::Relaxed) {
        let (role, workspace) = (role.clone(), None);
        let request = if granted {
            Request::Ungrant { subject, role, workspace }
        } else {
            Request::Grant { subject, role, workspace, from: Deadline::NONE, until: Deadline::NONE }
        };
        if tenant.client.request(&request).await.is_ok() {
            counts.done.fetch_add(1, Ordering::Relaxed);
            granted = !granted;
        } else {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}
