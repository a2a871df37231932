//! One batch of a tenant on its way: decided, handed to the store, published behind its proof, answered.

use crate::actor::{ActorError, Running, Taken};
use crate::admit::{Outcome, Waiting};
use crate::supervisor::SupervisorMessage;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use tessera_model::record::TenantStatus;
use tessera_model::{Limit, LimitAt, Refusal, TenantId, UnixMillis};
use tessera_storage::{Commit, Durable, StorageError};
use tokio::sync::oneshot;

/// What was decided and is on its way to the disk.
struct DecidedSome {
    /// Who waits for what, and whether it narrows.
    answers: Vec<(oneshot::Sender<Outcome>, bool, Outcome)>,
    /// What becomes of tenants.
    tenants: Vec<(TenantId, TenantStatus)>,
    /// Whether all of them narrow.
    narrows: bool,
}

impl Running {
    /// The journal's tail is near its bound: of frames or of bytes, whichever is nearer.
    pub(crate) fn tail(&self) -> Refusal {
        let usage = self.house.store.usage();
        let by_frames = u128::from(usage.tail_frames) * u128::from(usage.tail_bytes_max)
            >= u128::from(usage.tail_bytes) * u128::from(usage.tail_frames_max);
        Refusal::Busy(if by_frames {
            Limit::TailFrames.at(usage.tail_frames_max)
        } else {
            Limit::TailBytes.at(usage.tail_bytes_max)
        })
    }

    /// Takes commands while they fit into one batch of the store, and sees that batch through.
    pub(crate) async fn execute_some(
        &mut self,
        waiting: &mut VecDeque<Waiting>,
        now: UnixMillis,
    ) -> Result<(), ActorError> {
        // What an actor keeps while it waits for the disk is copied as often as it is handed on: it is little.
        let (commit, decided) = self.decide_some(waiting, now)?;
        let committed = if let Some(commit) = commit { Some(commit.await) } else { None };
        self.answer(committed, decided)
    }

    /// Decides commands while they fit into one batch of the store, and hands that over, if anything is in it.
    fn decide_some(
        &mut self,
        waiting: &mut VecDeque<Waiting>,
        now: UnixMillis,
    ) -> Result<(Option<Commit>, DecidedSome), ActorError> {
        let bytes_max = self.house.store.batch_bytes_max();
        let mut batch = self.house.store.batch(&self.head);
        let mut decided =
            DecidedSome { answers: Vec::with_capacity(waiting.len()), tenants: Vec::new(), narrows: true };
        // Half of it is left for what one more command stages.
        while batch.len_bytes() < bytes_max / 2 {
            let Some(one) = waiting.pop_front() else { break };
            if one.ordered.command.kind().is_bulk() && !decided.answers.is_empty() {
                // Those before it are answered first.
                waiting.push_front(one);
                break;
            }
            match self.guarded(&one.ordered, &mut batch, &mut decided.tenants, now)? {
                Taken::Answered(outcome) => {
                    let narrow = one.ordered.command.kind().narrows();
                    decided.narrows &= narrow;
                    decided.answers.push((one.reply, narrow, outcome));
                }
                Taken::Later => {
                    waiting.push_front(one);
                    break;
                }
            }
        }
        if batch.is_empty() {
            return Ok((None, decided));
        }
        batch.narrowing(decided.narrows);
        self.head = batch.head_after();
        Ok((Some(self.house.store.commit(batch)), decided))
    }

    /// Publishes what was decided behind the proof that it is durable, if anything happened, and answers.
    fn answer(
        &mut self,
        committed: Option<Result<Durable, StorageError>>,
        decided: DecidedSome,
    ) -> Result<(), ActorError> {
        let DecidedSome { answers, tenants, narrows } = decided;
        match committed {
            None => {}
            Some(Ok(durable)) => self.publish(&durable, &tenants),
            Some(Err(error)) => {
                // Certainly not applied: the state is thrown away, the callers are told. Of any
                // other error nobody knows; their replies are dropped.
                let tail = self.tail();
                for (reply, narrow, _) in answers {
                    if let Some(refusal) = refused_by(&error, (narrow, narrows), tail) {
                        drop(reply.send(Err(refusal)));
                    }
                }
                return Err(ActorError::Commit(error));
            }
        }
        for (reply, _, outcome) in answers {
            // The caller may be gone. The command happened all the same.
            drop(reply.send(outcome));
        }
        Ok(())
    }

    fn publish(&mut self, durable: &Durable, tenants: &[(TenantId, TenantStatus)]) {
        let (changes, root) = self.state.take_changes();
        #[cfg(feature = "planted")]
        let changes = self.planted_skip(changes);
        self.view.publish(durable, &changes, root);
        self.view.remembered.store(self.state.remembered(), Ordering::Relaxed);
        self.publish_ring();
        self.after_publish(tenants);
        std::mem::take(&mut self.placed).into_iter().for_each(|tenant| self.house.placed(tenant));
        if let Some(to) = self.gone.take().filter(|_| !self.house.config.keeps_moved()) {
            // From here on it is asked elsewhere; only behind this is the frame that says so given out.
            self.entry.set_away(Some(to));
        }
        if std::mem::take(&mut self.erases) {
            self.house.tell(SupervisorMessage::Erase(self.entry.tenant));
        }
    }

    /// Planted fault: leaves out the publishing of one revocation in `planted_skip_revocations`.
    #[cfg(feature = "planted")]
    fn planted_skip(
        &mut self,
        changes: Vec<(u32, crate::order::Change)>,
    ) -> Vec<(u32, crate::order::Change)> {
        let every = self.house.config.planted_skip_revocations;
        let skipped = |change: &crate::order::Change, seen: &mut u32| {
            let ends = matches!(change, crate::order::Change::Ended(_));
            *seen += u32::from(ends);
            ends && every > 0 && seen.is_multiple_of(every)
        };
        let mut seen = self.planted_seen;
        let kept = changes.into_iter().filter(|(_, change)| !skipped(change, &mut seen)).collect();
        self.planted_seen = seen;
        kept
    }
}

/// What a command of a batch is told that the store did not take, where it is certain that nothing of it happened:
/// whether the command narrows and whether all of the batch did, and what a full tail is.
const fn refused_by(
    error: &StorageError,
    (narrow, all_narrow): (bool, bool),
    tail: Refusal,
) -> Option<Refusal> {
    if matches!(error, StorageError::StorageFull) {
        return Some(match (narrow, all_narrow) {
            (false, _) => Refusal::StorageFull,
            (true, true) => Refusal::ReserveFull,
            // Alone it would have gone into the reserve: the next batch does.
            (true, false) => Refusal::Busy(LimitAt::UNNAMED),
        });
    }
    if matches!(error, StorageError::Busy) { Some(tail) } else { None }
}
