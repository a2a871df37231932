//! One stream of a connection: frames out in one write, answers in to whoever waits.
//!
//! Callers write their frame straight into the lane's send buffer and wait in a slot; one task sends
//! the buffer, one reads answers into the slots. A request id is a slot and its life, so that a late
//! answer never reaches the next call in that slot.

use crate::error::ClientError;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tessera_model::query::Introspection;
use tessera_model::{Decision, Reason, Receipt};
use tessera_wire::{
    DecisionBatch, Fault, Frame, HelloReply, Inbox, Kind, Made, Outbox, Permissions, RelationDecision,
    Resolved, WireError,
};
use tokio::sync::Notify;

/// LIMIT: calls in flight on one stream: what a node may have to answer at once.
const IN_FLIGHT_MAX: usize = 4_096;
/// LIMIT: bytes that wait to be sent on one stream: four of the largest frames.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// An answer as read from a frame.
pub(crate) enum Answer {
    Hello(HelloReply),
    Decision(Decision),
    Batch(DecisionBatch),
    Introspection(Box<Result<Introspection, (Reason, Receipt)>>),
    Permissions(Box<Permissions>),
    Resolved(Resolved),
    Relation(RelationDecision),
    Made(Box<Made>),
    Rows(Inbox),
    Fault(Fault),
    Unreadable(WireError),
}

impl Answer {
    /// Reads an answer; what does not read is an answer too.
    pub(crate) fn of(frame: &Frame<'_>) -> Self {
        Self::read(frame).unwrap_or_else(Self::Unreadable)
    }

    /// The answer, unless it is an Error or does not read.
    pub(crate) fn sound(self) -> Result<Self, ClientError> {
        if let Self::Fault(fault) = self {
            return Err(ClientError::of(fault));
        }
        if let Self::Unreadable(error) = self {
            return Err(error.into());
        }
        Ok(self)
    }

    fn read(frame: &Frame<'_>) -> Result<Self, WireError> {
        Ok(match frame.kind()? {
            Kind::Decision => Self::Decision(frame.decision()?),
            Kind::DecisionBatch => Self::Batch(frame.decision_batch()?),
            Kind::Introspection => Self::Introspection(Box::new(frame.introspection()?)),
            Kind::Permissions => Self::Permissions(Box::new(frame.permissions()?)),
            Kind::Resolved => Self::Resolved(frame.resolved()?),
            Kind::RelationDecision => Self::Relation(frame.relation_decision()?),
            Kind::Receipt => Self::Made(Box::new(frame.made()?)),
            Kind::Error => Self::Fault(frame.fault()?),
            Kind::HelloReply => Self::Hello(frame.hello_reply()?),
            Kind::Rows => {
                let mut kept = Inbox::default();
                kept.extend(&frame.header.to_bytes());
                kept.extend(frame.payload);
                let padding = frame.payload.len().next_multiple_of(16) - frame.payload.len();
                kept.extend([0; 16].get(..padding).unwrap_or_default());
                Self::Rows(kept)
            }
            Kind::Hello
            | Kind::Check
            | Kind::CheckBatch
            | Kind::Introspect
            | Kind::ListPermissions
            | Kind::Resolve
            | Kind::CheckRelation
            | Kind::Request(_) => return Err(WireError::KindUnknown),
        })
    }
}

/// Why a call in flight ended without an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// Its deadline passed.
    Deadline,
    /// The connection is gone.
    Lost,
}

/// Why a frame was not taken.
pub(crate) enum NotSent {
    /// As many calls or bytes wait as may.
    Full,
    /// The connection is gone.
    Lost,
    /// The question cannot be written.
    Unwritable(WireError),
}

enum Slot {
    Free,
    Waiting { waker: Option<Waker>, sent: Instant, deadline: Instant },
    Done(Result<Answer, Ended>),
}

#[derive(Default)]
struct State {
    outbox: Outbox,
    slots: Vec<(u32, Slot)>,
    free: Vec<u32>,
    lost: bool,
    /// When a frame came last, to tell a silent node from a slow call.
    heard: Option<Instant>,
}

impl State {
    fn release(&mut self, index: u32, of: u32) {
        if let Some((life, slot)) = self.slots.get_mut(index as usize).filter(|(life, _)| *life == of) {
            *life = life.wrapping_add(1);
            *slot = Slot::Free;
            self.free.push(index);
        }
    }

    fn take_slot(&mut self, sent: Instant, deadline: Instant) -> Option<(u32, u32)> {
        let waiting = Slot::Waiting { waker: None, sent, deadline };
        if let Some(index) = self.free.pop() {
            let (life, slot) = self.slots.get_mut(index as usize)?;
            *slot = waiting;
            return Some((index, *life));
        }
        let index = u32::try_from(self.slots.len()).ok().filter(|_| self.slots.len() < IN_FLIGHT_MAX)?;
        self.slots.push((0, waiting));
        Some((index, 0))
    }

    /// Puts an end to a waiting slot; gives back whom to wake.
    fn end(&mut self, index: usize, life: Option<u32>, result: Result<Answer, Ended>) -> Option<Waker> {
        let (found, slot) = self.slots.get_mut(index)?;
        if life.is_some_and(|life| life != *found) {
            return None;
        }
        let Slot::Waiting { waker, .. } = slot else { return None };
        let waker = waker.take();
        *slot = Slot::Done(result);
        waker
    }
}

/// One stream. Shared by callers, the writing and the reading task.
#[derive(Default)]
pub(crate) struct Lane {
    state: Mutex<State>,
    /// Tells the writing task that frames wait.
    written: Notify,
}

impl Lane {
    /// Writes a frame and takes a slot for its answer.
    pub(crate) fn ask(
        self: &Arc<Self>,
        sent: Instant,
        deadline: Instant,
        write: &(impl Fn(&mut Outbox, u64) -> Result<(), WireError> + ?Sized),
    ) -> Result<Pending, NotSent> {
        let mut state = self.state.lock();
        if state.lost {
            return Err(NotSent::Lost);
        }
        if state.outbox.len() > WAITING_BYTES_MAX {
            return Err(NotSent::Full);
        }
        let (index, life) = state.take_slot(sent, deadline).ok_or(NotSent::Full)?;
        let was_empty = state.outbox.is_empty();
        if let Err(error) = write(&mut state.outbox, u64::from(life) << 32 | u64::from(index)) {
            state.release(index, life);
            return Err(NotSent::Unwritable(error));
        }
        drop(state);
        if was_empty {
            self.written.notify_one();
        }
        Ok(Pending { lane: Arc::clone(self), index, life, over: false })
    }

    /// Waits for frames to send and swaps them into `empty`. Nothing is left when the lane is lost.
    pub(crate) async fn frames(&self, empty: &mut Outbox) -> bool {
        loop {
            {
                let mut state = self.state.lock();
                if state.lost {
                    return false;
                }
                if !state.outbox.is_empty() {
                    std::mem::swap(&mut state.outbox, empty);
                    return true;
                }
            }
            self.written.notified().await;
        }
    }

    /// Gives every whole frame to whoever waits for it.
    pub(crate) fn deliver(&self, inbox: &mut Inbox, wakers: &mut Vec<Waker>) -> Result<(), WireError> {
        let mut state = self.state.lock();
        state.heard = Some(Instant::now());
        while let Some(frame) = inbox.next_frame()? {
            let [l0, l1, l2, l3, h0, h1, h2, h3] = frame.header.request_id.to_le_bytes();
            let (index, life) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([h0, h1, h2, h3]));
            wakers.extend(state.end(index as usize, Some(life), Ok(Answer::of(&frame))));
        }
        drop(state);
        wakers.drain(..).for_each(Waker::wake);
        Ok(())
    }

    /// Ends calls whose deadline has passed. True when the node was silent for the whole of one of
    /// them: since it was sent, nothing came.
    pub(crate) fn expire(&self, now: Instant, heard: Option<Instant>) -> bool {
        let (mut wakers, mut silent) = (Vec::new(), false);
        let mut state = self.state.lock();
        for index in 0..state.slots.len() {
            let Some((_, Slot::Waiting { sent, deadline, .. })) = state.slots.get(index) else { continue };
            if *deadline <= now {
                silent |= heard.is_none_or(|heard| *sent >= heard);
                wakers.extend(state.end(index, None, Err(Ended::Deadline)));
            }
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        silent
    }

    /// The connection is gone: everybody who waits is told, nobody waits any more.
    pub(crate) fn lose(&self) {
        let mut state = self.state.lock();
        state.lost = true;
        let ends: Vec<_> =
            (0..state.slots.len()).filter_map(|index| state.end(index, None, Err(Ended::Lost))).collect();
        drop(state);
        ends.into_iter().for_each(Waker::wake);
        self.written.notify_one();
    }

    /// Calls in flight.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.state.lock();
        state.slots.len() - state.free.len()
    }

    /// When a frame came last.
    pub(crate) fn heard(&self) -> Option<Instant> {
        self.state.lock().heard
    }
}

/// A call in flight. Dropping it gives the slot back; a late answer is thrown away.
pub(crate) struct Pending {
    lane: Arc<Lane>,
    index: u32,
    life: u32,
    /// The answer was taken, and the slot given back with it.
    over: bool,
}

impl Future for Pending {
    type Output = Result<Answer, Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.over {
            return Poll::Ready(Err(Ended::Lost));
        }
        let mut state = self.lane.state.lock();
        let slot = state.slots.get_mut(self.index as usize).filter(|(life, _)| *life == self.life);
        let result = match slot {
            Some((_, Slot::Waiting { waker, .. })) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    *waker = Some(context.waker().clone());
                }
                return Poll::Pending;
            }
            Some((_, slot @ Slot::Done(_))) => match std::mem::replace(slot, Slot::Free) {
                Slot::Done(result) => result,
                Slot::Free | Slot::Waiting { .. } => Err(Ended::Lost),
            },
            Some((_, Slot::Free)) | None => Err(Ended::Lost),
        };
        state.release(self.index, self.life);
        drop(state);
        self.over = true;
        Poll::Ready(result)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.over {
            self.lane.state.lock().release(self.index, self.life);
        }
    }
}
