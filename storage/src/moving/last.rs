//! The last that a tenant gives: the frames behind the last pass of its copy and the rows that they wrote, out of the
//! journal and memory. No checkpoint is taken for it, and nothing that was given before is looked at.

use super::CopySink;
use super::leave::{Leaving, Sent};
use super::piece::{Piece, Writer};
use crate::batch::Head;
use crate::checkpoint::aside::AsideFrames;
use crate::checkpoint::read as table;
use crate::checkpoint::schema::{self, Of, SEAL_BYTES};
use crate::embedded::Embedded;
use crate::error::StorageError;
use crate::seal::row as sealed_row;
use crate::tail::Spot;
use tessera_model::{Row, RowKind};

/// LIMIT: frames that are given so: a load there applies them one by one, some 5 us each, until its next checkpoint.
const FRAMES_MAX: u64 = 4_096;
/// LIMIT: their bytes in the journal: they are in memory at once, here and there.
const BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Whether frames are as many bytes as may be taken so.
pub(super) const fn are_few(bytes: usize) -> bool {
    bytes as u64 <= BYTES_MAX
}

impl Leaving<'_> {
    /// Gives a row as it lies, its key before it where it names one; or that it is gone.
    fn last_row(
        &mut self,
        sent: &mut Sent,
        (kind, stored): (RowKind, &[u8]),
        value: Option<&[u8]>,
    ) -> Result<(), StorageError> {
        let of = Of::Row;
        let Some(value) = value else {
            sent.forget(of, stored);
            return self.out.piece(&Piece::Gone(of, stored));
        };
        if kind == RowKind::SubjectKey {
            let fault = |_| table::damage(Of::Row, "a key's row does not read", Some(self.tenant));
            let read = table::decode_row(stored, value).map_err(fault)?;
            if let Some(slot) = read.value.as_ref().and_then(sealed_row::slot_in) {
                let key = self.key(slot)?;
                self.slot(slot, key, sent)?;
            }
        }
        sent.note(of, stored, value.last_chunk::<SEAL_BYTES>().copied().unwrap_or_default());
        self.out.piece(&Piece::Put(of, stored, value))
    }
}

impl Embedded {
    pub(super) fn copy_last_frames(
        &self,
        from: &Head,
        sent: &mut Sent,
        sink: CopySink<'_>,
    ) -> Result<Option<Head>, StorageError> {
        // Journal files are held while they are read, and not while the other cell takes what was read.
        let mut chunks = Vec::new();
        let head = self.last_frames(from, sent, &mut |chunk| {
            chunks.push(chunk);
            Ok(())
        })?;
        chunks.into_iter().try_for_each(sink)?;
        Ok(head)
    }

    fn last_frames(
        &self,
        from: &Head,
        sent: &mut Sent,
        sink: CopySink<'_>,
    ) -> Result<Option<Head>, StorageError> {
        let tenant = from.tenant;
        if sent.erased() != self.safe.erasures(tenant) {
            // Keys may be gone that were given.
            return Ok(None);
        }
        let Some(head) = self.shared.head(tenant)? else { return Err(StorageError::TenantUnknown(tenant)) };
        let _pin = self.pins.read();
        let (spots, rows) = self.recent(tenant, &head)?;
        let behind: Vec<&Spot> = spots.iter().filter(|spot| spot.revision >= from.next.0).collect();
        let bytes = behind.iter().map(|spot| u64::from(spot.len)).sum::<u64>();
        let all = head.next.0.saturating_sub(from.next.0);
        let few = all <= FRAMES_MAX && bytes <= BYTES_MAX;
        if !few || behind.len() as u64 != all || behind.iter().any(|spot| spot.is_aside()) {
            return Ok(None);
        }
        // Behind the look at what is in memory: what has left it since stands in the file, and then so does its position.
        let transaction = self.shared.checkpoint.snapshot()?;
        table::guarded(|| {
            let row = table::kept(table::directory(&transaction, tenant)?);
            let row = row.ok_or(StorageError::TenantUnknown(tenant))?;
            let known = self.key_slots(tenant, &row.keys)?.iter().all(|set| sent.has_set(set));
            if (row.next, row.link) != (from.next, from.link) || !known {
                return Ok(None);
            }
            let out = Writer::new(sink);
            let mut leaving = Leaving { store: self, transaction: &transaction, tenant, out };
            let reached = self.walk_tail(from, (&spots, &AsideFrames::new()), &mut |view| {
                let mut frame = Vec::new();
                view.put_history(&mut frame);
                leaving.out.piece(&Piece::Frame(&frame))?;
                Ok(true)
            })?;
            for (kind, key, recent) in rows.iter().filter(|(.., recent)| recent.revision >= from.next) {
                let stored = schema::row_key(tenant, *kind, key);
                if recent.value.is_none() && Row::whole_key(key) == Some(key) {
                    for under in sent.under(Of::Row, &stored) {
                        leaving.last_row(sent, (*kind, &under), None)?;
                    }
                }
                let value =
                    recent.value.as_ref().map(|value| table::put_row(&stored, value, recent.revision));
                leaving.last_row(sent, (*kind, &stored), value.as_deref())?;
            }
            leaving.out.piece(&Piece::Reached(reached.next, reached.link))?;
            leaving.out.flush()?;
            sent.last(leaving.out.bytes);
            let whole = (reached.next, reached.link) == (head.next, head.link);
            if whole {
                Ok(Some(head))
            } else {
                Err(StorageError::BadCopy("the journal does not lead to the head"))
            }
        })
    }
}
