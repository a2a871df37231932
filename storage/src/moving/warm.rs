//! What was copied of a tenant, read while the rest of it still comes: so that it is in memory when it is opened.

use super::arrive::{Arrival, bad, wrong};
use super::last::are_few;
use crate::batch::Head;
use crate::checkpoint::Entry;
use crate::checkpoint::ahead;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{DirectoryRow, Life, Of, SEGMENT};
use crate::checkpoint::segment::Segment;
use crate::embedded::Embedded;
use crate::error::StorageError;
use crate::keys::KeySlot;
use crate::record::frame::{Form, FrameView};
use crate::store::Replay;
use tessera_model::Revision;

impl Arrival {
    /// Takes a frame behind the last whole pass.
    pub(super) fn take_frame(&mut self, frame: &[u8]) -> Result<(), StorageError> {
        let (view, len) = FrameView::read(frame, Form::History).map_err(wrong)?;
        let (next, link) = self.at;
        if self.row.is_none() || len != frame.len() || view.head.tenant != self.tenant {
            return bad("a frame is not one of the tenant's");
        }
        if view.head.revision != next || !view.holds(&link, Form::History) {
            return bad("a frame does not extend what was copied");
        }
        if !are_few(self.frames.len() + frame.len()) {
            return bad("it has too many last frames");
        }
        self.frames.extend_from_slice(frame);
        self.at = (next.next(), view.link);
        Ok(())
    }

    /// The directory row of the last whole pass, with keys and slots of this store.
    pub(super) fn here(&self) -> Result<DirectoryRow, StorageError> {
        let Some(row) = &self.row else { return bad("no pass of it is whole") };
        let mut row = DirectoryRow { life: Life::Arriving, shares: self.shares, ..(**row).clone() };
        row.old_keys.clear();
        let mut keys = Vec::with_capacity(row.keys.len());
        for KeySlot { number, .. } in &row.keys {
            let Some(slot) = self.sets.get(number) else { return bad("keys of the tenant are missing") };
            keys.push(KeySlot { number: *number, slot: *slot });
        }
        if keys.is_empty() {
            return bad("keys of the tenant are missing");
        }
        row.keys = keys;
        for listed in row.buckets.iter_mut().filter(|listed| listed.key != 0) {
            let Some(slot) = self.slots.get(&listed.key) else { return bad("a bucket's key is missing") };
            listed.key = *slot;
        }
        Ok(row)
    }
}

impl Embedded {
    pub(super) fn load_arriving(
        &self,
        arrival: &Arrival,
        from: Option<Revision>,
        sink: &mut dyn FnMut(Replay),
    ) -> Result<Option<Head>, StorageError> {
        if arrival.row.is_none() {
            return Ok(None);
        }
        let tenant = arrival.tenant;
        let mut row = arrival.here()?;
        let in_buckets = row.in_buckets();
        if arrival.frames.is_empty() {
            // All that came stands on the disk.
            (row.next, row.link) = arrival.at;
        }
        self.shared.checkpoint.read(|transaction| {
            let from = match from {
                Some(from) => from,
                None => {
                    let keys = table::bucket_keys(tenant, &row, &self.safe)?;
                    let fault = "the key of a listed bucket was erased";
                    let keys = keys.map_err(|_| table::damage(Of::Bucket, fault, Some(tenant)))?;
                    table::listed_once(tenant, &row)?;
                    let give = &mut |bucket| sink(Replay::Bucket(bucket));
                    ahead::each(transaction, tenant, &row.buckets, &keys, give)?;
                    in_buckets
                }
            };
            self.give_history(transaction, (tenant, &row), from, sink)
        })?;
        Ok(Some(table::head_of(tenant, &row)))
    }

    /// The history behind a head with the frames that came behind it.
    pub(super) fn last_history(&self, arrival: &Arrival, head: &Head) -> Result<Vec<Entry>, StorageError> {
        let mut views = Vec::new();
        let mut rest = arrival.frames.as_slice();
        while !rest.is_empty() {
            let (view, len) = FrameView::read(rest, Form::History).map_err(wrong)?;
            rest = rest.get(len..).unwrap_or_default();
            views.push(view);
        }
        self.extend_history(head, &views)
    }

    /// The last segment with more frames behind a head, and those that come behind it.
    pub(super) fn extend_history(
        &self,
        head: &Head,
        views: &[FrameView<'_>],
    ) -> Result<Vec<Entry>, StorageError> {
        if views.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.checkpoint.read(|transaction| {
            let mut entries = Vec::new();
            let mut open = Self::open_segment(transaction, head)?;
            for view in views {
                if open.push(view) {
                    continue;
                }
                let (key, value) = open.write();
                entries.push((SEGMENT, key, Some(value)));
                open = Segment::new(head.tenant, view.head.revision, open.link);
                // An empty segment takes any frame.
                open.push(view);
            }
            let (key, value) = open.write();
            entries.push((SEGMENT, key, Some(value)));
            Ok(entries)
        })
    }
}
