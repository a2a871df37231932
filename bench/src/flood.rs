//! `flood-p99` and `neighbour-p99`: checks while others make the node work.

use crate::caller::Caller;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::memory::lowest;
use crate::process::{Node, fresh};
use crate::rounds::{median, quantile};
use crate::wire::{Prepared, claim, session, tenant};
use rustix::process::{Pid, setpriority_process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tessera_client::wire::Request;
use tessera_client::{Client, Config, Trust};
use tessera_model::record::SubjectKind;
use tessera_model::{Identifier, Private};

/// Checks beside a flood of sign-ins.
pub const FLOOD: Family = Family { specs: &[FLOODED, CONTROL], take: flood };
/// Checks beside another tenant's.
pub const NEIGHBOUR: Family = Family { specs: &[NEIGHBOURED], take: neighbour };

const FLOODED: Spec = Spec {
    id: "flood-p99",
    what: "checks over QUIC, 2,000 a second, p99 from when each was due, while as many sign in as can be hashed",
    unit: "us",
    goal: "<= 1.5 x without them on 2 cores (<= 1.1 x with 4 and more)",
};
const CONTROL: Spec = Spec {
    id: "flood-p99-control",
    what: "the same with the hashing threads at everybody's priority",
    unit: "us",
    goal: "over the bound of flood-p99, or the flood was none",
};
const NEIGHBOURED: Spec = Spec {
    id: "neighbour-p99",
    what: "checks over QUIC, 500 a second, p99 from when each was due, while another tenant asks 50,000 a second",
    unit: "us",
    goal: "<= 2 x alone",
};

/// Checks a second beside the flood, and of the quiet neighbour.
const RATE: u32 = 2_000;
const QUIET: u32 = 500;
/// How much more the loud one asks.
const LOUD: u32 = 100;
/// Sign-ins on their way at a time: more than are hashed at once, fewer than may wait.
const SIGNING_IN: usize = 24;
const EMAIL: &str = "amy@example.org";
const PASSWORD: &str = "correct horse battery staple";
const LOWEST: i32 = 19;

/// People who sign in as fast as they are let, while it is on.
struct Crowd {
    on: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    signed_in: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    fn start(config: Config) -> Result<Self, Why> {
        let (on, end) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let signed_in = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let flags = (Arc::clone(&on), Arc::clone(&end), Arc::clone(&signed_in));
        let client = runtime.block_on(Client::connect(config))?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let all: Vec<_> =
                    (0..SIGNING_IN).map(|_| tokio::spawn(sign_in(client.clone(), flags.clone()))).collect();
                for one in all {
                    one.await.unwrap_or_default();
                }
            });
        });
        Ok(Self { on, end, signed_in, thread: Some(thread) })
    }

    /// Lets them in, and waits until all are at it; or keeps them out, and waits until the last has its answer.
    fn switch(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(if on { 300 } else { 1_500 }));
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn sign_in(client: Client, (on, end, signed_in): (Arc<AtomicBool>, Arc<AtomicBool>, Arc<AtomicU64>)) {
    while !end.load(Ordering::SeqCst) {
        if !on.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        } else if client.sign_in(EMAIL, PASSWORD).await.is_ok() {
            signed_in.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Puts threads at a priority.
fn put(threads: &[i32], priority: i32) -> Result<(), Why> {
    for thread in threads {
        setpriority_process(Some(Pid::from_raw(*thread).ok_or("a thread without a number")?), priority)
            .map_err(|error| format!("the control needs the right to raise a thread's priority: {error}"))?;
    }
    Ok(())
}

fn p99(caller: &mut Caller, frame: &[u8], rate: u32, count: u32) -> Result<f64, Why> {
    Ok(caller.paced(frame, rate, count)?.value_at_quantile(0.99) as f64 / 1e3)
}

/// Somebody who can sign in, and how to reach the node as their service.
fn person(prepared: &mut Prepared) -> Result<Config, Why> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let admin = prepared.node.client(Some(prepared.key.clone())).await?;
        let amy = Request::CreateSubject {
            kind: SubjectKind::Person,
            identifiers: vec![Identifier::guess(EMAIL).map_err(|_| "not an identifier")?],
            password: Some(Private::new(PASSWORD.as_bytes().to_vec())),
        };
        admin.request(&amy).await?;
        admin.close().await;
        Ok::<_, Why>(())
    })?;
    let trust = Trust::pinned_pem(&prepared.node.certificate()?)?;
    let mut config = Config::new(prepared.node.address, "localhost", trust);
    config.credential = Some(prepared.key.clone());
    config.deadline = Duration::from_secs(30);
    Ok(config)
}

fn flood(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("flood-p99: starting a node");
    let folder = fresh(&setup.folder, "flood")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut prepared = runtime.block_on(Prepared::new(&setup.node, &folder))?;
    let config = person(&mut prepared)?;
    let (mut caller, frame) = (prepared.caller()?, prepared.frame()?);
    let threads = lowest(prepared.node.process.id());
    if threads.is_empty() {
        return Err("the node has no thread of the lowest priority".into());
    }
    let crowd = Crowd::start(config)?;
    let (rounds, count) = (setup.size(7, 3), setup.size(RATE * 4, RATE));
    let (mut calm, mut flooded, mut control) = (Vec::new(), Vec::new(), Vec::new());
    let mut raised = Ok(());
    p99(&mut caller, &frame, RATE, count / 4)?;
    for round in 1..=rounds {
        setup.progress.say(&format!("flood-p99: round {round} of {rounds}"));
        calm.push(p99(&mut caller, &frame, RATE, count)?);
        crowd.switch(true);
        flooded.push(p99(&mut caller, &frame, RATE, count)?);
        if raised.is_ok() {
            raised = put(&threads, 0);
        }
        if raised.is_ok() {
            control.push(p99(&mut caller, &frame, RATE, count)?);
            put(&threads, LOWEST)?;
        }
        crowd.switch(false);
    }
    prepared.permitted(&mut caller)?;
    let signed_in = crowd.signed_in.load(Ordering::SeqCst);
    if signed_in == 0 {
        return Err("nobody signed in: there was no flood".into());
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let times = if cores >= 4 { 1.1 } else { 1.5 };
    let (alone, beside) = (median(&calm), median(&flooded));
    let sizes = |p99s: &[f64]| {
        format!(
            "{cores} cores, {} hashing threads, {SIGNING_IN} sign-ins under way, {signed_in} done, {count} checks a round, {rounds} rounds in turn, from {:.0} to {:.0} us",
            threads.len(),
            quantile(p99s, 0.0),
            quantile(p99s, 1.0)
        )
    };
    let peer = "without sign-ins";
    let row = Row::new(&FLOODED, beside, sizes(&flooded)).beside(peer, alone);
    let mut rows = vec![row.judged(setup.verdict(beside <= times * alone))];
    rows.push(match raised {
        Ok(()) => {
            let row = Row::new(&CONTROL, median(&control), sizes(&control)).beside(peer, alone);
            row.judged(setup.verdict(median(&control) > times * alone))
        }
        Err(why) => Row::absent(&CONTROL, &why.to_string()),
    });
    Ok(rows)
}

fn neighbour(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("neighbour-p99: a node with two tenants");
    let folder = fresh(&setup.folder, "neighbour")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut node = Node::start(&setup.node, &folder, &[])?;
    let (quiet, loud) = runtime.block_on(async {
        let operator = claim(&mut node).await?;
        let mut parts = Vec::new();
        for name in ["quiet", "loud"] {
            let key = tenant(&operator, name).await?;
            let admin = node.client(Some(key.clone())).await?;
            let (handle, permission) = session(&admin).await?;
            admin.close().await;
            parts.push((key, handle, permission));
        }
        operator.close().await;
        parts
            .pop()
            .and_then(|loud| Some((parts.pop()?, loud)))
            .ok_or_else(|| Why::from("two tenants are missing"))
    })?;
    let (key, handle, permission) = loud;
    let mut prepared = Prepared { node, key, handle, permission };
    let (mut loud, loud_frame) = (prepared.caller()?, prepared.frame()?);
    (prepared.key, prepared.handle, prepared.permission) = quiet;
    let (mut quiet, frame) = (prepared.caller()?, prepared.frame()?);
    let (rounds, count) = (setup.size(7, 3), setup.size(QUIET * 5, QUIET));
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    p99(&mut quiet, &frame, QUIET, count / 5)?;
    for round in 1..=rounds {
        setup.progress.say(&format!("neighbour-p99: round {round} of {rounds}"));
        alone.push(p99(&mut quiet, &frame, QUIET, count)?);
        let both = std::thread::scope(|scope| -> Result<f64, Why> {
            let noise = scope.spawn(|| loud.paced(&loud_frame, QUIET * LOUD, count * LOUD).map(|_| ()));
            let taken = p99(&mut quiet, &frame, QUIET, count);
            noise.join().map_err(|_| "the loud one ended")??;
            taken
        });
        beside.push(both?);
    }
    prepared.permitted(&mut quiet)?;
    let (value, peer) = (median(&beside), median(&alone));
    let sizes = format!(
        "{count} checks a round beside {} of another tenant, {rounds} rounds in turn, from {:.0} to {:.0} us; both ends share the cores",
        count * LOUD,
        quantile(&beside, 0.0),
        quantile(&beside, 1.0)
    );
    let row = Row::new(&NEIGHBOURED, value, sizes).beside("alone", peer);
    Ok(vec![row.judged(setup.verdict(value <= 2.0 * peer))])
}
