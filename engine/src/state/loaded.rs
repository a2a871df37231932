//! What a state is told while and after it is loaded: rows, remembered ids, and where its history stands.

use super::{BucketKind, Row, State, SubjectIndex, command_id};
use tessera_model::{Revision, UnixMillis};

impl State {
    /// Notes which profiles moved, so that a command based on an older read is refused.
    pub(crate) fn rows_written(&mut self, rows: &[Row]) {
        for row in rows {
            let Some(subject) = row.key.first_chunk::<4>() else { continue };
            if row.kind == tessera_model::RowKind::Profile {
                self.profile_moved.insert(SubjectIndex(u32::from_be_bytes(*subject)), self.revision);
            }
        }
    }
    /// Whether remembered command ids are of a time that has not come.
    pub(crate) fn is_ahead_of(&self, now: UnixMillis) -> bool {
        self.ids.is_ahead_of(now)
    }

    /// Forgets command ids of a time that has not come, in the next checkpoint too.
    pub(crate) fn forget_ahead_of(&mut self, now: UnixMillis) {
        self.ids.forget_ahead_of(now);
        let shrunk = self.ids.take_shrunk();
        self.dirty.extend(shrunk.into_iter().chain([0]).map(|minute| (BucketKind::Commands, minute)));
    }

    /// Remembers the id of a frame of the tail.
    pub(crate) fn remember_record(&mut self, record: tessera_model::record::CommandIdRecord) {
        self.dirty.insert((BucketKind::Commands, command_id::minute(record.id)));
        self.ids.remember(record);
    }

    /// Where the loaded history stands, and when it was loaded.
    pub(crate) fn loaded(&mut self, epoch: tessera_model::Epoch, next: Revision, now: UnixMillis) {
        self.root.epoch = epoch;
        self.revision = next;
        self.loading = false;
        self.compile_relation_model();
        self.read_policies();
        self.free_restrictions();
        self.woken = now;
        self.root.life = now.0;
    }

    /// The numbers of the refresh keys that there are.
    pub(crate) fn refresh_numbers(&self) -> Vec<u8> {
        self.root.refresh_keys.keys().copied().collect()
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.root.bytes() + self.ids.len() * crate::view::REMEMBERED_BYTES
    }

    /// No command's id up to this time is taken any more.
    #[cfg(debug_assertions)]
    pub(crate) const fn floor_ms(&self) -> u64 {
        self.ids.floor_ms()
    }

    /// The buckets that are to be put.
    #[cfg(debug_assertions)]
    pub(crate) fn dirty(&self) -> impl Iterator<Item = (BucketKind, u32)> + '_ {
        self.dirty.iter().copied()
    }

    /// Whether a bucket is to be put.
    #[cfg(debug_assertions)]
    pub(crate) fn is_dirty(&self, name: (BucketKind, u32)) -> bool {
        self.dirty.contains(&name)
    }
}
