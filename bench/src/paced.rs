//! The wire under a fixed rate, and with both ends polling.

use crate::caller::Caller;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::process::{Process, fresh};
use crate::rounds::{median, quantile};
use crate::wire::{DECISION_BYTES, Prepared, echo, echo_of};

/// The open loop.
pub const OPEN: Family = Family { specs: &[P99], take: open };
/// Both ends polling.
pub const BUSY: Family = Family { specs: &[BUSY_P50], take: busy };

const P99: Spec = Spec {
    id: "open-loop-p99-vs-quinn",
    what: "checks over QUIC, 20,000 a second at their times whatever becomes of them, p99 from when each was due",
    unit: "us",
    goal: "<= 1.2 x bare quinn echo and < 600 us",
};
const BUSY_P50: Spec = Spec {
    id: "wire-busy-p50",
    what: "check over QUIC, one in flight, node and caller polling (quic.busy_poll, one endpoint), p50",
    unit: "us",
    goal: "<= 20 us",
};

/// Checks a second.
const RATE: u32 = 20_000;

fn open(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("open-loop-p99-vs-quinn: starting a node and a bare echo");
    let folder = fresh(&setup.folder, "open")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut prepared = runtime.block_on(Prepared::new(&setup.node, &folder))?;
    let (_echo, mut bare) = echo(&folder)?;
    let (mut ours, frame) = (prepared.caller()?, prepared.frame()?);
    let (rounds, count) = (setup.size(7, 3) as usize, setup.size(RATE * 4, RATE));
    let mut taken = [Vec::new(), Vec::new()];
    let mut halves = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        setup.progress.say(&format!("open-loop-p99-vs-quinn: round {round} of {rounds}"));
        for ((caller, p99s), p50s) in [&mut ours, &mut bare].into_iter().zip(&mut taken).zip(&mut halves) {
            let times = caller.paced(&frame, RATE, count)?;
            p99s.push(times.value_at_quantile(0.99) as f64 / 1e3);
            p50s.push(times.value_at_quantile(0.5) as f64 / 1e3);
        }
    }
    prepared.permitted(&mut ours)?;
    let [p99, peer] = taken.each_ref().map(|values| median(values));
    let [p50, peer_p50] = halves.map(|values| median(&values));
    let spread = |values: &[f64]| format!("{:.0} to {:.0}", quantile(values, 0.0), quantile(values, 1.0));
    let [ours_spread, peer_spread] = taken.each_ref().map(|values| spread(values));
    let sizes = format!(
        "{} bytes asked, {DECISION_BYTES} answered, {count} checks a round, {rounds} rounds in turn, from {ours_spread} us, bare {peer_spread} us; p50 {p50:.0} us, bare {peer_p50:.0} us; both ends share the cores",
        frame.len()
    );
    // Fewer and shorter rounds in a quick run, the same rate.
    let met = Some(p99 <= 1.2 * peer && p99 < 600.0);
    Ok(vec![Row::new(&P99, p99, sizes).beside("bare quinn echo", peer).judged(met)])
}

/// Median microseconds of one check in flight, while the other server stands still.
fn alone(still: &Process, caller: &mut Caller, (frame, count): (&[u8], usize)) -> Result<f64, Why> {
    still.pause()?;
    let taken = caller.one_by_one(frame, count);
    still.go_on()?;
    Ok(median(&taken?) / 1e3)
}

fn busy(setup: &Setup) -> Result<Vec<Row>, Why> {
    if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
        return Err("each end takes a core whole, and this machine has one".into());
    }
    setup.progress.say("wire-busy-p50: starting a node and a bare echo that poll");
    let folder = fresh(&setup.folder, "busy")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let settings = [("TESSERA_QUIC__BUSY_POLL", "true"), ("TESSERA_QUIC__ENDPOINTS", "1")];
    let mut prepared = runtime.block_on(Prepared::with(&setup.node, &folder, &settings))?;
    let (mut ours, frame) = (prepared.caller()?, prepared.frame()?);
    let (process, mut bare) = echo_of(&folder, DECISION_BYTES, true)?;
    ours.stay_awake();
    bare.stay_awake();
    let (rounds, count) = (setup.size(9, 3) as usize, setup.size(20_000, 2_000) as usize);
    setup.progress.say(BUSY_P50.id);
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let node = alone(&process, &mut ours, (&frame, count))?;
        let peer = alone(&prepared.node.process, &mut bare, (&frame, count))?;
        if round > 0 {
            a.push(node);
            b.push(peer);
        }
    }
    prepared.permitted(&mut ours)?;
    let (p50, peer) = (median(&a), median(&b));
    let sizes = format!(
        "{} bytes asked, {DECISION_BYTES} answered, {count} checks a round, {rounds} rounds in turn, the other server standing still",
        frame.len()
    );
    // Fewer rounds in a quick run, the same sizes.
    let row = Row::new(&BUSY_P50, p50, sizes).beside("bare quinn echo, both ends polling", peer);
    Ok(vec![row.judged(Some(p50 <= 20.0))])
}
