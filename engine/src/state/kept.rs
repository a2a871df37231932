//! What a state keeps about commands and checkpoints: remembered ids, receipts, and buckets that differ.

use super::command_id::Known;
use super::{State, command_id};
use std::collections::BTreeSet;
use tessera_model::command::Ordered;
use tessera_model::{Receipt, Revision, UnixMillis};
use tessera_storage::BucketKind;

impl State {
    /// How many command ids are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.ids.len()
    }

    /// Remembers a command that was decided; its receipt is given again to a repeat.
    pub(crate) fn remember(&mut self, ordered: &Ordered, revision: Revision) {
        self.ids.remember(tessera_model::record::CommandIdRecord {
            id: ordered.id,
            revision,
            fingerprint: ordered.fingerprint,
        });
        self.dirty.insert((BucketKind::Commands, command_id::minute(ordered.id)));
    }

    /// What is known of a command id at `now`.
    pub(crate) fn known(&mut self, ordered: &Ordered, now: UnixMillis) -> Known {
        let known = self.ids.known(ordered, now);
        let shrunk = if self.ids.has_shrunk() { self.ids.take_shrunk() } else { BTreeSet::new() };
        for minute in shrunk {
            // The bucket shrinks or goes, and the floor that stands for it is kept.
            self.dirty.insert((BucketKind::Commands, minute));
            self.dirty.insert((BucketKind::Commands, 0));
        }
        known
    }

    /// The receipt of a revision in this history.
    pub(crate) const fn receipt(&self, revision: Revision) -> Receipt {
        Receipt { epoch: self.root.epoch, revision }
    }

    /// Takes the set of buckets that differ from the last checkpoint.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<(BucketKind, u32)> {
        std::mem::take(&mut self.dirty)
    }

    /// Puts buckets back that could not be handed over.
    pub(crate) fn mark_dirty(&mut self, buckets: BTreeSet<(BucketKind, u32)>) {
        self.dirty.extend(buckets);
    }
}
