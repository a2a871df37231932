//! The run: a schedule or a closed loop, kills in between, rereading at the end.

use crate::args::Args;
use crate::audit::lock;
use crate::fleet::Fleet;
use crate::moment::{Moment, Stopwatch};
use crate::moves::{self, Plan};
use crate::node::Node;
use crate::operation::{Ended, Load, draw};
use crate::report::{Audited, Report, Tally, latencies};
use crate::seeded::{Seeded, mix};
use crate::setup::{self, Ground, Reach, Why};
use crate::timeline::Event;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// LIMIT: operations of the open loop in flight; what is due beyond waits, and its latency counts.
const IN_FLIGHT_MAX: usize = 4_096;
/// LIMIT: subjects read again at a time.
const REREADS: usize = 32;

/// What kills and restarts came to.
#[derive(Default)]
struct Kills {
    count: u64,
    longest_s: f64,
}

/// Runs the load that the command line asks for.
///
/// # Errors
/// When it could not run; what it found is in the report.
pub async fn run(args: &Args) -> Result<Report, Why> {
    if args.is_over_fleet() {
        return over_fleet(args).await;
    }
    let mut node = match (&args.server_bin, &args.data) {
        (Some(program), Some(folder)) => Some(Node::start(program, folder)?),
        (_, _) => None,
    };
    let reach = Reach::of(args, node.as_mut())?;
    let operator = setup::operator(args, &reach, node.as_mut()).await?;
    let load = Arc::new(setup::build(args, &Ground::one(&reach, &operator), &bar()).await?);
    let stop = Arc::new(AtomicBool::new(false));
    load.timeline.begin(load.watch.now());
    let killer = match (args.kill_every, node.take()) {
        (Some(every), Some(node)) => {
            Some(tokio::spawn(kill(Arc::clone(&load), node, every.max(1), Arc::clone(&stop))))
        }
        (_, kept) => {
            node = kept;
            None
        }
    };
    let driven = drive(args, &load, &stop).await?;
    let (kills, node) = match killer {
        Some(killer) => {
            let (kills, node) = killer.await?;
            (kills, Some(node))
        }
        None => (Kills::default(), node),
    };
    let found = Found::reread(&load).await;
    drop(node);
    Ok(report(args, &load, driven, kills, found))
}

/// The load over a fleet, its own or one that runs already, with moves and, over its own, kills.
async fn over_fleet(args: &Args) -> Result<Report, Why> {
    let fleet = match &args.fleet_keys {
        Some(keys) => Fleet::join(args, keys).await?,
        None => Fleet::start(args, args.data.as_deref().ok_or("give --data")?, args.nodes).await?,
    };
    let fleet = Arc::new(fleet);
    let joined = args.fleet_keys.is_some();
    let built = setup::build(args, &fleet.ground(), &bar()).await;
    if built.is_err() && joined {
        say("the tenants that were made so far stay: `tessera tenant list`");
    }
    let load = Arc::new(built?);
    let report = Box::pin(driven_over(args, &fleet, &load)).await;
    if !joined || args.keep {
        return report;
    }
    if !report.as_ref().is_ok_and(Report::is_clean) {
        // They are what shows why.
        let ids: Vec<String> = load.tenants.iter().map(|tenant| tenant.id.to_string()).collect();
        say(&format!("its tenants stay, to be looked at: {}", ids.join(" ")));
        return report;
    }
    let left = fleet.clear(&load).await;
    if left > 0 {
        say(&format!(
            "{left} tenants, or copies of them, could not be deleted: `tessera tenant list`, `tessera tenant copies`"
        ));
    }
    report
}

fn say(what: &str) {
    // A closed standard error hears nothing.
    drop(writeln!(std::io::stderr(), "loadtest: {what}"));
}

/// What the load over a fleet came to.
async fn driven_over(args: &Args, fleet: &Arc<Fleet>, load: &Arc<Load>) -> Result<Report, Why> {
    let stop = Arc::new(AtomicBool::new(false));
    load.timeline.begin(load.watch.now());
    let killed = args.kill_every.map_or(0, |_| fleet.cells.len() as u64);
    load.due.store(killed + u64::from(args.moves), Ordering::SeqCst);
    let plan =
        Plan { count: args.moves, seconds: args.seconds, seed: args.seed, kills: args.kill_every.is_some() };
    let mover = tokio::spawn(moves::run(Arc::clone(load), Arc::clone(fleet), plan));
    let killer = args.kill_every.map(|every| {
        let (load, fleet, stop) = (Arc::clone(load), Arc::clone(fleet), Arc::clone(&stop));
        tokio::spawn(kill_in_turn(load, fleet, every.max(1), stop))
    });
    let driven = drive(args, load, &stop).await?;
    let moves = mover.await?;
    if let Some(killer) = killer {
        killer.await??;
    }
    let found = Found::reread(load).await;
    let (count, longest_s) = fleet.kills();
    let report = report(args, load, driven, Kills { count, longest_s }, found);
    Ok(report.over(fleet.told(load), moves))
}

/// A load that has ended.
struct Driven {
    tally: Tally,
    begun: Moment,
    ended: Moment,
}

/// Drives the load until it is to stop.
async fn drive(args: &Args, load: &Arc<Load>, stop: &Arc<AtomicBool>) -> Result<Driven, Why> {
    let begun = load.watch.now();
    let watcher = tokio::spawn(watch(Arc::clone(load), args.clone(), Arc::clone(stop)));
    let tally = match args.closed {
        Some(depth) => closed(load, args, depth, stop).await,
        None => open(load, args, stop).await,
    };
    let ended = load.watch.now();
    watcher.await?;
    Ok(Driven { tally, begun, ended })
}

/// What the auditor found, the last reading included.
struct Found(Audited);

impl Found {
    async fn reread(load: &Arc<Load>) -> Self {
        let unread = reread(load, 1).await;
        Self(Audited::of(&load.auditor, unknown(load), unread))
    }
}

fn report(args: &Args, load: &Load, driven: Driven, kills: Kills, Found(audited): Found) -> Report {
    let Driven { tally, begun, ended } = driven;
    let (course, marks) = load.timeline.course(ended);
    let seconds = Duration::from_nanos(ended.saturating_sub(begun)).as_secs_f64();
    let per_second = tally.answered() as f64 / seconds.max(1e-9);
    let mode = match args.closed {
        Some(depth) => format!("closed loop, {depth} in flight"),
        None => format!("open loop, {} operations/s", args.rate),
    };
    Report {
        seed: args.seed,
        mode,
        seconds,
        tenants: args.tenants as usize,
        subjects: args.subjects,
        kills: kills.count,
        restart_seconds_max: kills.longest_s,
        per_second,
        refused: tally.refused,
        unanswered: tally.unanswered,
        latencies: latencies(&tally),
        audited,
        cells: Vec::new(),
        moves: Vec::new(),
        gaps: None,
        course,
        marks,
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(1) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed}] {bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Ends the run when its time is up and enough sessions were ended; shows how far it is.
async fn watch(load: Arc<Load>, args: Args, stop: Arc<AtomicBool>) {
    let bar = bar();
    bar.set_length(args.seconds);
    let begun = load.watch.now();
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let seconds = (load.watch.now() - begun) / 1_000_000_000;
        let revocations = load.auditor.revocations.load(Ordering::Relaxed);
        bar.set_position(seconds.min(args.seconds));
        bar.set_message(format!(
            "{} checks audited, {} writes, {} findings",
            load.auditor.checks.load(Ordering::Relaxed),
            load.auditor.writes.load(Ordering::Relaxed),
            load.auditor.findings()
        ));
        let due = load.due.load(Ordering::SeqCst);
        if seconds >= args.seconds && revocations >= args.revocations && due == 0 {
            stop.store(true, Ordering::SeqCst);
            bar.finish_and_clear();
            return;
        }
    }
}

/// Kills and restarts the node so often, and reads a share of the subjects again after each restart.
async fn kill(load: Arc<Load>, mut node: Node, every: u64, stop: Arc<AtomicBool>) -> (Kills, Node) {
    let mut kills = Kills::default();
    loop {
        for _ in 0..every * 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if stop.load(Ordering::SeqCst) {
                return (kills, node);
            }
        }
        let killed = load.watch.now();
        load.first.killed(killed);
        load.timeline.mark(
            killed,
            Event::Kill,
            "kill -9 of the node, which is started again at once".to_owned(),
        );
        let (restarted, back) =
            match tokio::task::spawn_blocking(move || (node.kill_and_restart(), node)).await {
                Ok(done) => done,
                // A panic of this program; there is no node to go on with.
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
        node = back;
        if let Err(error) = restarted {
            drop(writeln!(std::io::stderr(), "loadtest: the node did not start again: {error}"));
            return (kills, node);
        }
        kills.count += 1;
        // The load goes on meanwhile; the first subject that can be read ends the restart.
        let unread = reread(&load, 4).await;
        let took = load.first.took();
        let seconds = took.map_or(f64::NAN, |took| Duration::from_nanos(took).as_secs_f64());
        if let Some(took) = took {
            let text = format!("the first answer, {seconds:.2} s after the kill");
            load.timeline.mark(killed + took, Event::Restart, text);
        }
        kills.longest_s = kills.longest_s.max(seconds);
        if unread > 0 {
            say(&format!("{unread} subjects could not be read after a restart"));
        }
    }
}

/// Kills and restarts the nodes of a fleet in turn, each so long after the one before, and reads a share of the subjects
/// again after each restart. Goes on until each was killed, whatever stops the load.
async fn kill_in_turn(
    load: Arc<Load>,
    fleet: Arc<Fleet>,
    every: u64,
    stop: Arc<AtomicBool>,
) -> Result<(), Why> {
    let mut killed = 0_u64;
    loop {
        for _ in 0..every * 10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if stop.load(Ordering::SeqCst) {
                return Ok(());
            }
        }
        let nth = usize::try_from(killed).unwrap_or_default() % fleet.cells.len().max(1);
        let done = fleet.kill(&load, nth).await;
        killed += 1;
        if killed <= fleet.cells.len() as u64 {
            // One that does not come back is no reason to wait for ever.
            load.due.fetch_sub(1, Ordering::SeqCst);
        }
        if let Err(why) = done {
            // None of those that were to be killed yet is.
            load.due.fetch_sub((fleet.cells.len() as u64).saturating_sub(killed), Ordering::SeqCst);
            return Err(why);
        }
        reread(&load, 4).await;
    }
}

/// Reads every `share`th subject again. How many could not be read.
async fn reread(load: &Arc<Load>, share: usize) -> u64 {
    let permits = Arc::new(Semaphore::new(REREADS));
    let mut tasks = Vec::new();
    for at in 0..load.tenants.len() {
        let subjects = load.tenants.get(at).map_or(0, |tenant| tenant.subjects.len());
        for number in (0..subjects).step_by(share.max(1)) {
            let (load, permits) = (Arc::clone(load), Arc::clone(&permits));
            tasks.push(tokio::spawn(async move {
                let _permit = permits.acquire().await;
                let tenant = load.tenants.get(at)?;
                let subject = tenant.subjects.get(number)?;
                load.reread(tenant, subject).await.then_some(())
            }));
        }
    }
    let mut unread = 0;
    for task in tasks {
        unread += u64::from(!matches!(task.await, Ok(Some(()))));
    }
    unread
}

/// Histories whose last change stayed unknown.
fn unknown(load: &Load) -> u64 {
    let tenants = load.tenants.iter();
    let open = tenants.map(|tenant| {
        let subjects = tenant.subjects.iter().filter(|subject| lock(&subject.history).in_flight()).count();
        subjects + usize::from(lock(&tenant.wide).in_flight())
    });
    open.sum::<usize>() as u64
}

/// One operation with its latency from `intended`.
async fn one(load: &Load, tally: &mut Tally, random: &mut Seeded, writes: u32, intended: Moment) {
    let (kind, began) = (draw(random, writes), load.watch.now());
    let Some(tenant) = load.tenant(random) else {
        tally.idle += 1;
        return;
    };
    let cell = tenant.cell.load(Ordering::Relaxed);
    match load.perform(kind, tenant, random).await {
        Ended::Answered => {
            let now = load.watch.now();
            load.first.note(began, now);
            tally.record(kind, now.saturating_sub(intended));
            load.timeline.answered(now, now.saturating_sub(intended), cell);
        }
        Ended::Refused => {
            tally.refused += 1;
            load.timeline.refused(load.watch.now());
        }
        Ended::Unanswered => {
            tally.unanswered += 1;
            load.timeline.unanswered(load.watch.now());
        }
        Ended::Idle => tally.idle += 1,
    }
}

/// So many workers, each with one operation after the other.
async fn closed(load: &Arc<Load>, args: &Args, depth: usize, stop: &Arc<AtomicBool>) -> Tally {
    let mut workers = Vec::with_capacity(depth);
    for number in 0..depth as u64 {
        let (load, stop) = (Arc::clone(load), Arc::clone(stop));
        let (writes, mut random) = (args.writes, Seeded::new(mix(args.seed ^ number << 32)));
        workers.push(tokio::spawn(async move {
            let mut tally = Tally::default();
            while !stop.load(Ordering::Relaxed) {
                let now = load.watch.now();
                one(&load, &mut tally, &mut random, writes, now).await;
            }
            tally
        }));
    }
    gather(workers).await
}

/// Operations by a fixed schedule. A thread of its own gives them out at their intended moment.
async fn open(load: &Arc<Load>, args: &Args, stop: &Arc<AtomicBool>) -> Tally {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Moment>(1 << 16);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let (watch, stopped, rate) = (load.watch, Arc::clone(stop), u64::from(args.rate.max(1)));
    let schedule = std::thread::spawn(move || give_out(watch, rate, &stopped, &sender));
    let workers = IN_FLIGHT_MAX.min(usize::try_from(rate).unwrap_or(IN_FLIGHT_MAX).max(64));
    let mut tasks = Vec::with_capacity(workers);
    let number = Arc::new(AtomicU64::new(0));
    for _ in 0..workers {
        let (load, receiver, number) = (Arc::clone(load), Arc::clone(&receiver), Arc::clone(&number));
        let (writes, seed) = (args.writes, args.seed);
        tasks.push(tokio::spawn(async move {
            let mut tally = Tally::default();
            loop {
                let due = receiver.lock().await.recv().await;
                let Some(intended) = due else { return tally };
                let nth = number.fetch_add(1, Ordering::Relaxed);
                let mut random = Seeded::new(mix(seed ^ mix(nth)));
                one(&load, &mut tally, &mut random, writes, intended).await;
            }
        }));
    }
    let tally = gather(tasks).await;
    // It has seen the same stop; a panic in it would only lose its message.
    drop(schedule.join());
    tally
}

/// Gives out the moments of the schedule, each when it has come. What nobody takes waits here, and its
/// latency grows.
fn give_out(watch: Stopwatch, rate: u64, stop: &AtomicBool, sender: &tokio::sync::mpsc::Sender<Moment>) {
    let begun = watch.now();
    let mut nth = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let intended = begun + nth * 1_000_000_000 / rate;
        let now = watch.now();
        if intended > now {
            std::thread::sleep(Duration::from_nanos((intended - now).min(100_000_000)));
            continue;
        }
        if sender.blocking_send(intended).is_err() {
            return;
        }
        nth += 1;
    }
}

async fn gather(workers: Vec<tokio::task::JoinHandle<Tally>>) -> Tally {
    let mut all = Tally::default();
    for worker in workers {
        match worker.await {
            Ok(tally) => all.add(&tally),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    all
}
