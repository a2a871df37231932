//! Command ids: a repeat happens once. Kept for 15 minutes in a ring, hot in memory.

use super::Map;
use std::collections::{BTreeSet, VecDeque};
use tessera_model::command::Ordered;
use tessera_model::limits::{COMMAND_ID_AGE_MS_MAX, COMMAND_ID_AHEAD_MS_MAX, COMMAND_IDS_MAX};
use tessera_model::record::CommandIdRecord;
use tessera_model::{CommandId, Limit, Refusal, Revision, UnixMillis};

/// LIMIT: ids younger than this are never dropped to make room; the caller is told Busy instead.
const YOUNGEST_DROPPED_MS: u64 = 5_000;

/// What is known of a command id.
pub(crate) enum Known {
    /// Nothing: decide it.
    New,
    /// It was done at this revision, by the same caller with the same command.
    Repeat(Revision),
    /// It is turned down before it is decided.
    Refused(Refusal),
}

/// The remembered ids of one tenant.
#[derive(Default)]
pub(super) struct CommandIds {
    known: Map<CommandId, (Revision, u64)>,
    /// In the order in which they were remembered.
    order: VecDeque<CommandId>,
    /// Ids at or below this time are too old to tell.
    floor_ms: u64,
    /// Minutes of which something was dropped: their buckets shrink at the next checkpoint.
    shrunk: BTreeSet<u32>,
}

/// The bucket that remembers an id: its minute.
pub(super) fn minute(id: CommandId) -> u32 {
    u32::try_from(id.unix_ms() / 60_000).unwrap_or(u32::MAX)
}

impl CommandIds {
    pub(super) fn known(&mut self, ordered: &Ordered, now: UnixMillis) -> Known {
        if let Some((revision, fingerprint)) = self.known.get(&ordered.id) {
            return if *fingerprint == ordered.fingerprint {
                Known::Repeat(*revision)
            } else {
                Known::Refused(Refusal::IdReused)
            };
        }
        let at = ordered.id.unix_ms();
        if at > now.0 + COMMAND_ID_AHEAD_MS_MAX {
            return Known::Refused(Refusal::ClockSkew);
        }
        self.prune(now);
        if at <= self.floor_ms || at + COMMAND_ID_AGE_MS_MAX <= now.0 {
            return Known::Refused(Refusal::CommandTooOld);
        }
        if self.order.len() >= COMMAND_IDS_MAX {
            return Known::Refused(Limit::CommandIds.busy());
        }
        Known::New
    }

    pub(super) fn remember(&mut self, record: CommandIdRecord) {
        if self.known.insert(record.id, (record.revision, record.fingerprint)).is_none() {
            self.order.push_back(record.id);
        }
    }

    pub(super) fn raise_floor(&mut self, unix_ms: u64) {
        self.floor_ms = self.floor_ms.max(unix_ms);
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) const fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    /// The minutes of which something was dropped since this was asked last.
    pub(super) fn take_shrunk(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.shrunk)
    }

    /// Whether anything remembered is of a later time than may be taken now.
    pub(super) fn is_ahead_of(&self, now: UnixMillis) -> bool {
        let most = now.0 + COMMAND_ID_AHEAD_MS_MAX;
        self.floor_ms > now.0 || self.order.iter().any(|id| id.unix_ms() > most)
    }

    /// Forgets ids of a later time than may be taken now: until then they are refused for their skew.
    pub(super) fn forget_ahead_of(&mut self, now: UnixMillis) {
        let most = now.0 + COMMAND_ID_AHEAD_MS_MAX;
        for id in self.order.iter().filter(|id| id.unix_ms() > most) {
            self.known.remove(id);
            self.shrunk.insert(minute(*id));
        }
        self.order.retain(|id| id.unix_ms() <= most);
        self.floor_ms = self.floor_ms.min(now.0);
    }

    /// The ids of one minute, for its bucket.
    pub(super) fn of_minute(&self, wanted: u32) -> impl Iterator<Item = CommandIdRecord> + '_ {
        self.order.iter().filter(move |id| minute(**id) == wanted).filter_map(|id| {
            let (revision, fingerprint) = self.known.get(id)?;
            Some(CommandIdRecord { id: *id, revision: *revision, fingerprint: *fingerprint })
        })
    }

    /// Drops what is over 15 minutes old, and under pressure what is over 5 seconds old. What goes
    /// raises the floor, so that nothing forgotten can happen twice.
    fn prune(&mut self, now: UnixMillis) {
        let full = self.order.len() >= COMMAND_IDS_MAX;
        let keep = if full { YOUNGEST_DROPPED_MS } else { COMMAND_ID_AGE_MS_MAX };
        // A step of at most 4,096 ids: no command waits for a long clean-up.
        for _ in 0..4_096 {
            let Some(oldest) = self.order.front() else { break };
            if oldest.unix_ms() + keep > now.0 {
                break;
            }
            self.floor_ms = self.floor_ms.max(oldest.unix_ms());
            self.shrunk.insert(minute(*oldest));
            self.known.remove(oldest);
            self.order.pop_front();
        }
    }
}
