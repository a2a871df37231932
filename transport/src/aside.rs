//! Questions that policies may make long: on a thread that may take a while, like lists, and not where checks are
//! answered.

use crate::answer::{Asking, failed, unready};
use crate::budget::Bucket;
use crate::connection::{Line, Peer};
use crate::elsewhere;
use crate::figures::add;
use crate::order::{Reply, permit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_engine::{Bound, PolicySteps};
use tessera_model::Refusal;
use tessera_model::code::ProtocolCode;
use tessera_wire::{DecisionBatchWriter, Fault, Frame, Inbox, Kind, Outbox};
use tokio::sync::mpsc;

/// LIMIT: checks of one frame that are answered where they lie although policies are asked: some 10 ms, where each of them
/// takes all the steps that it may.
const CHECKS_HERE_MAX: usize = 64;

/// Whether a question may take long in a tenant that has policies.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is one question, or asks no policies")]
pub(crate) fn may_be_long(kind: Kind, frame: &Frame<'_>) -> bool {
    match kind {
        Kind::ListPermissions => true,
        Kind::CheckBatch => frame.check_batch().is_ok_and(|asked| asked.len() > CHECKS_HERE_MAX),
        _ => false,
    }
}

/// Answers a question on a thread of its own. Its reply goes to `replies`, whatever happens.
///
/// # Errors
/// Why it was not started: too many run, or the node is going away.
pub(crate) fn start(
    line: &Arc<Line>,
    bound: &Bound,
    frame: &Frame<'_>,
    replies: &mpsc::Sender<Outbox>,
) -> Result<(), Fault> {
    if *line.shared.draining.borrow() {
        return Err(Fault::protocol(ProtocolCode::Draining));
    }
    let bucket = match line.peer.get() {
        Some(Peer::Bound(_, _, bucket)) => Arc::clone(bucket),
        Some(Peer::Stranger(_)) | None => return Err(failed()),
    };
    let permit = permit(line)?;
    let (line, bound, id) = (Arc::clone(line), bound.clone(), frame.header.request_id);
    let (reply, mut kept) = (Reply::to(id, replies.clone()), frame.kept());
    let (gone, stream) = (Arc::new(AtomicBool::new(false)), replies.clone());
    let told = Arc::clone(&gone);
    let work = tokio::task::spawn_blocking(move || {
        let mut reply = reply;
        if let Err(fault) = answer(&line, (&bound, &bucket), (&mut kept, &gone), &mut reply.outbox) {
            reply.fault(&fault);
        }
        drop(reply);
        drop(permit);
    });
    // The runtime owns both as it owns every command: what is answered goes to the stream, and the stream waits for it.
    drop(tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = work => {}
            () = stream.closed() => told.store(true, Ordering::Relaxed),
        }
    }));
    Ok(())
}

fn answer(
    line: &Line,
    (bound, bucket): (&Bound, &Bucket),
    (kept, gone): (&mut Inbox, &AtomicBool),
    out: &mut Outbox,
) -> Result<(), Fault> {
    let (engine, counters, policies) = (&line.shared.engine, &line.shared.counters, PolicySteps::counting());
    // It may have waited for its thread, and the tenant may have left meanwhile.
    let stays = || elsewhere::of(engine, bound).map_or(Ok(()), Err);
    stays()?;
    if engine.is_asleep(bound) {
        return Err(unready(engine.unready(&bound.home)));
    }
    if !engine.is_alive(bound) {
        return Err(Fault::refused(Refusal::Unauthorized));
    }
    let view = bound.entry.view().as_ref().map(Arc::clone);
    let view = view.ok_or_else(|| unready(engine.unready(&bound.entry)))?;
    let frame = kept.next_frame()?.ok_or_else(failed)?;
    let left = line.shared.budgets.left(bucket, engine.now());
    let budget = (left, line.shared.limits.checks_per_second);
    let mut asking = Asking::new(engine, bound, engine.read(&view), budget);
    asking.gone = Some(gone);
    let answered = asking.answer(frame.kind()?, &frame, out, &mut DecisionBatchWriter::default());
    line.shared.budgets.use_up(bucket, asking.spent.saturating_add(policies.checks()));
    add(&counters.checks, asking.checks);
    add(&counters.questions, asking.others);
    // What was read of a tenant that has left since is an answer of nobody.
    stays()?;
    answered
}
