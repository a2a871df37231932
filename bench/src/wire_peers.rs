//! The wire beside what people run today: Redis, HTTP with JSON, gRPC; and checks in frames of 64.

use crate::caller::Caller;
use crate::commit::Rates;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::http::bare;
use crate::lines::{Lines, post};
use crate::process::{Process, fresh};
use crate::redis::{Piped, Redis, VALUE_BYTES};
use crate::rounds::median;
use crate::rpc::Rpc;
use crate::wire::{DECISION_BYTES, Prepared, echo_of};
use std::path::Path;
use std::sync::Arc;
use tessera_model::Receipt;
use tessera_wire::{Inbox, Outbox};

/// The wire beside its peers.
pub const PEERS: Family = Family { specs: &[REDIS, REDIS_CLEAR, HTTP, GRPC, FRAMES], take };

const REDIS: Spec = Spec {
    id: "wire-pipelined-vs-redis",
    what: "checks over QUIC, one connection and stream, 256 in flight",
    unit: "ops/s",
    goal: ">= 1.2 x Redis GET over TLS",
};
const REDIS_CLEAR: Spec =
    Spec { id: "wire-pipelined-vs-redis-clear", goal: ">= 0.9 x Redis GET in the clear", ..REDIS };
const HTTP: Spec =
    Spec { id: "wire-vs-http-json", goal: ">= 6 x HTTP/1.1 with TLS and JSON on axum", ..REDIS };
const GRPC: Spec = Spec { id: "wire-vs-grpc", goal: ">= 6 x gRPC unary on tonic with TLS", ..REDIS };
const FRAMES: Spec = Spec {
    id: "wire-frames-64",
    what: "checks over QUIC in frames of 64, 8 frames in flight",
    unit: "ops/s",
    goal: ">= 1,500,000/s where the machine is idle",
};

/// Questions in flight.
const DEPTH: usize = 256;
/// Checks of a frame, and frames in flight.
const BATCH: usize = 64;
const FRAMES_DEPTH: usize = 8;
/// What the JSON server answers with: a check's own answer over HTTP.
const JSON: &str = r#"{"decision":"permit","epoch":1,"revision":7,"valid_until":1}"#;

/// One peer, which answers so many questions a second.
enum Peer {
    Redis(Piped),
    Http { lines: Lines, request: Arc<[u8]>, _process: Process },
    Grpc(Rpc),
}

impl Peer {
    fn rate(&mut self, count: usize) -> Result<f64, Why> {
        match self {
            Self::Redis(piped) => piped.pipelined(DEPTH, count),
            Self::Http { lines, request, .. } => lines.rate(request, count / 8),
            Self::Grpc(rpc) => rpc.rate(DEPTH, count / 8),
        }
    }
}

/// A row to be: its peer, how many times as fast we are to be, and what was measured.
struct Beside {
    spec: &'static Spec,
    peer: Result<Peer, Why>,
    name: String,
    least: f64,
    rates: Rates,
}

impl Beside {
    fn new(spec: &'static Spec, peer: Result<Peer, Why>, name: &str, least: f64) -> Self {
        let rates = Rates::of(&peer);
        Self { spec, peer, name: name.to_owned(), least, rates }
    }

    fn row(&self, ours: f64, sizes: &str) -> Row {
        if let Some(why) = &self.rates.failed {
            return Row::absent(self.spec, why);
        }
        let theirs = median(&self.rates.taken);
        // Fewer and shorter rounds in a quick run, the same sizes.
        let met = Some(ours >= self.least * theirs);
        Row::new(self.spec, ours, sizes.to_owned()).beside(&self.name, theirs).judged(met)
    }
}

fn json(folder: &Path) -> Result<Peer, Why> {
    let (_process, mut lines) = bare(folder, ("peer", JSON), DEPTH)?;
    let request = post("/v1/check", "none", r#"{"handle":"none","permission":"orders.read"}"#);
    lines.each(&request)?;
    Ok(Peer::Http { lines, request, _process })
}

fn peers(setup: &Setup, folder: &Path, redis: &mut Result<Redis, Why>) -> Vec<Beside> {
    let mut piped = |encrypted: bool| match redis {
        Ok(redis) => redis.piped(encrypted).map(Peer::Redis),
        Err(why) => Err(why.to_string().into()),
    };
    let name =
        |way: &str| format!("Redis GET of {VALUE_BYTES} bytes {way}, one connection, {DEPTH} in flight");
    setup.progress.say("wire peers: Redis, axum, tonic");
    vec![
        Beside::new(&REDIS, piped(true), &name("over TLS"), 1.2),
        Beside::new(&REDIS_CLEAR, piped(false), &name("in the clear"), 0.9),
        Beside::new(
            &HTTP,
            json(folder),
            &format!("bare axum JSON over HTTP/1.1 and TLS, {DEPTH} connections with one in flight each"),
            6.0,
        ),
        Beside::new(
            &GRPC,
            Rpc::start(folder).map(Peer::Grpc),
            &format!("bare tonic, unary calls over TLS, one connection, {DEPTH} in flight"),
            6.0,
        ),
    ]
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("wire peers: starting a node");
    let folder = fresh(&setup.folder, "wire-peers")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut prepared = runtime.block_on(Prepared::new(&setup.node, &folder))?;
    let (mut ours, frame) = (prepared.caller()?, prepared.frame()?);
    let mut redis = Redis::start(&folder);
    let mut besides = peers(setup, &folder, &mut redis);
    let rounds = setup.size(7, 3) as usize;
    let count = setup.size(400_000, 40_000) as usize;
    let mut rates = Vec::new();
    for round in 0..=rounds {
        setup.progress.say(&format!("wire peers: round {round} of {rounds}"));
        let rate = ours.pipelined(&frame, DEPTH, count)?;
        for beside in &mut besides {
            if let Ok(peer) = &mut beside.peer {
                beside.rates.take(|| peer.rate(count));
            }
        }
        if round == 0 {
            // Thrown away.
            besides.iter_mut().for_each(|beside| beside.rates.taken.clear());
        } else {
            rates.push(rate);
        }
    }
    prepared.permitted(&mut ours)?;
    let sizes = format!(
        "{} bytes asked, {DECISION_BYTES} answered, {count} checks a round beside as many GETs and an eighth of requests and calls, {rounds} rounds in turn; both ends share the cores",
        frame.len()
    );
    let rate = median(&rates);
    let mut rows: Vec<Row> = besides.iter().map(|beside| beside.row(rate, &sizes)).collect();
    drop((besides, redis));
    let frames = frames(setup, &prepared, &mut ours, (rounds, count / 16));
    rows.push(frames.unwrap_or_else(|why| Row::absent(&FRAMES, &why.to_string())));
    Ok(rows)
}

/// Checks in frames of 64, beside a bare echo of the same frames.
fn frames(
    setup: &Setup,
    prepared: &Prepared,
    ours: &mut Caller,
    (rounds, count): (usize, usize),
) -> Result<Row, Why> {
    setup.progress.say(FRAMES.id);
    let mut outbox = Outbox::new();
    outbox.check_batch(7, Receipt::default(), (0..BATCH).map(|_| prepared.query()))?;
    let frame = outbox.as_bytes().to_vec();
    let reply = ours.whole(&frame)?;
    let mut inbox = Inbox::default();
    inbox.extend(&reply);
    let batch = inbox.next_frame()?.ok_or("half a reply")?.decision_batch()?;
    if batch.decisions.len() != BATCH || batch.decisions.iter().any(|decision| !decision.is_permit()) {
        return Err("a check of a batch was denied".into());
    }
    let (_process, mut bare) = echo_of(&setup.folder.join("wire-peers"), reply.len(), false)?;
    ours.expect(reply.len());
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (rate, beside) =
            (ours.pipelined(&frame, FRAMES_DEPTH, count)?, bare.pipelined(&frame, FRAMES_DEPTH, count)?);
        if round > 0 {
            a.push(rate * BATCH as f64);
            b.push(beside * BATCH as f64);
        }
    }
    let (rate, beside) = (median(&a), median(&b));
    let sizes = format!(
        "{} bytes asked, {} answered, {count} frames a round, {rounds} rounds in turn; both ends share the cores",
        frame.len(),
        reply.len()
    );
    let row = Row::new(&FRAMES, rate, sizes);
    Ok(row.beside("bare quinn echo of the same frames", beside).judged(Some(rate >= 1_500_000.0)))
}
