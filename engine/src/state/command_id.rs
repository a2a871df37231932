//! Command ids: a repeat happens once. Kept for 15 minutes in a ring, hot in memory.

use super::remembered::Remembered;
use std::collections::BTreeSet;
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
    known: Remembered,
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
        if let Some(record) = self.known.get(ordered.id) {
            return if record.fingerprint == ordered.fingerprint {
                Known::Repeat(record.revision)
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
        if self.known.len() >= COMMAND_IDS_MAX {
            return Known::Refused(Limit::CommandIds.busy());
        }
        Known::New
    }

    pub(super) fn remember(&mut self, record: CommandIdRecord) {
        self.known.put(record);
    }

    /// Remembers what a bucket holds.
    pub(super) fn take_over(&mut self, ids: Vec<CommandIdRecord>) {
        self.known.take_over(ids);
    }

    pub(super) fn raise_floor(&mut self, unix_ms: u64) {
        self.floor_ms = self.floor_ms.max(unix_ms);
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) const fn floor_ms(&self) -> u64 {
        self.floor_ms
    }

    /// Whether there are minutes of which something was dropped since they were asked for last.
    pub(super) fn has_shrunk(&self) -> bool {
        !self.shrunk.is_empty()
    }

    /// The minutes of which something was dropped since this was asked last.
    pub(super) fn take_shrunk(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.shrunk)
    }

    /// Whether anything remembered is of a later time than may be taken now.
    pub(super) fn is_ahead_of(&self, now: UnixMillis) -> bool {
        let most = now.0 + COMMAND_ID_AHEAD_MS_MAX;
        self.floor_ms > now.0 || self.known.iter().any(|record| record.id.unix_ms() > most)
    }

    /// Forgets ids of a later time than may be taken now: until then they are refused for their skew.
    pub(super) fn forget_ahead_of(&mut self, now: UnixMillis) {
        let most = now.0 + COMMAND_ID_AHEAD_MS_MAX;
        let ahead = self.known.iter().filter(|record| record.id.unix_ms() > most);
        self.shrunk.extend(ahead.map(|record| minute(record.id)));
        self.known.retain(|record| record.id.unix_ms() <= most);
        self.floor_ms = self.floor_ms.min(now.0);
    }

    /// The ids of one minute, for its bucket: in the order of their bytes, which is that of their times.
    pub(super) fn of_minute(&self, wanted: u32) -> Vec<CommandIdRecord> {
        let mine = self.known.iter().filter(|record| minute(record.id) == wanted);
        let mut mine: Vec<CommandIdRecord> = mine.copied().collect();
        mine.sort_unstable_by_key(|record| record.id.0);
        mine
    }

    /// Drops what is over 15 minutes old, and under pressure what is over 5 seconds old. What goes
    /// raises the floor, so that nothing forgotten can happen twice.
    fn prune(&mut self, now: UnixMillis) {
        let full = self.known.len() >= COMMAND_IDS_MAX;
        let keep = if full { YOUNGEST_DROPPED_MS } else { COMMAND_ID_AGE_MS_MAX };
        // A step of at most 4,096 ids: no command waits for a long clean-up.
        for _ in 0..4_096 {
            let Some(oldest) = self.known.front().map(|record| record.id) else { break };
            if oldest.unix_ms() + keep > now.0 {
                break;
            }
            self.floor_ms = self.floor_ms.max(oldest.unix_ms());
            self.shrunk.insert(minute(oldest));
            self.known.pop_front();
        }
    }
}
