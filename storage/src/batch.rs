//! A batch: the encoded frames of one tenant, linked in the actor, so that the lane only copies.

use crate::chain;
use crate::error::StorageError;
use crate::journal::group::ENTRY_BYTES;
use crate::record::frame::{self, FrameHead};
use crate::seal::Vault;
use crate::seal::frame::{self as frame_parts, Fresh};
use std::fmt;
use std::sync::Arc;
use tessera_model::limits::{FRAME_BYTES_MAX, FRAME_WITH_ROWS_BYTES_MAX};
use tessera_model::{
    Caller, CommandId, CommandKind, Epoch, Event, Revision, Row, Slot, TenantId, UnixMillis,
};

/// LIMIT: bytes of a batch's frames: formats section 4.
const BATCH_BYTES_MAX: usize = FRAME_WITH_ROWS_BYTES_MAX;

/// Where a tenant's history stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Whose.
    pub tenant: TenantId,
    /// Its slot, as stored.
    pub slot: Slot,
    /// The life of its history.
    pub epoch: Epoch,
    /// The revision that the next frame gets.
    pub next: Revision,
    /// The link of the frame before.
    pub link: [u8; 32],
}

impl Head {
    /// The last revision that it has; 0 for none.
    #[must_use]
    pub const fn last(&self) -> Revision {
        Revision(self.next.0.saturating_sub(1))
    }

    /// The head of a tenant that is not born yet: a batch that begins here must begin with its birth.
    #[must_use]
    pub const fn unborn(tenant: TenantId) -> Self {
        Self { tenant, slot: tenant.slot_at_birth(), epoch: Epoch(1), next: Revision(0), link: [0; 32] }
    }
}

/// One decided command, ready to be framed.
pub struct Staged {
    /// What was ordered.
    pub kind: CommandKind,
    /// The command's id.
    pub id: CommandId,
    /// Eight hash bytes of caller and command.
    pub fingerprint: u64,
    /// Who ordered it.
    pub caller: Caller,
    /// The node's time of the batch.
    pub wall: UnixMillis,
    /// What happened.
    pub events: Vec<Event>,
    /// The cold rows it writes.
    pub rows: Vec<Row>,
}

/// Proof that frames are durable. Only the store makes one.
pub struct Durable {
    head: Head,
    sequence: u64,
}

impl Durable {
    pub(crate) const fn new(head: Head, sequence: u64) -> Self {
        Self { head, sequence }
    }

    /// Whose frames.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.head.tenant
    }

    /// The head that they led to.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The lane's sequence of the last of them.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Durable({} before {}, lane {})", self.head.tenant, self.head.next, self.sequence)
    }
}

/// One frame's place in a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Whose frame: the batch's tenant, or one that is born in it.
    pub(crate) tenant: TenantId,
    /// Its revision.
    pub(crate) revision: Revision,
    /// Its first byte in the batch.
    pub(crate) start: usize,
    /// Its bytes.
    pub(crate) len: usize,
}

/// The frames of one tenant on their way to the lane, with frame 0 of any tenant born in them.
pub struct Batch {
    before: Head,
    after: Head,
    pub(crate) frames: Vec<u8>,
    pub(crate) spans: Vec<Span>,
    pub(crate) births: Vec<Head>,
    pub(crate) rows: Vec<(TenantId, Revision, Row)>,
    pub(crate) narrowing: bool,
    bytes_max: usize,
    vault: Arc<dyn Vault>,
    /// Keys that were made for its frames.
    fresh: Fresh,
}

impl Batch {
    /// An empty batch that continues `head`, of at most so many bytes ([`Batch::len_bytes`]), sealed under the
    /// keys of `vault`.
    pub(crate) fn new(head: &Head, bytes_max: usize, vault: Arc<dyn Vault>) -> Self {
        Self {
            vault,
            fresh: Fresh::new(),
            bytes_max: bytes_max.min(BATCH_BYTES_MAX),
            before: *head,
            after: *head,
            frames: Vec::with_capacity(512),
            spans: Vec::with_capacity(4),
            births: Vec::new(),
            rows: Vec::new(),
            narrowing: false,
        }
    }

    /// Adds the frame of one command and tells its revision.
    ///
    /// # Errors
    /// [`StorageError::FrameTooLarge`], [`StorageError::BatchFull`]; the batch is as before. What the keys of
    /// those whom it is about could not be read or made for.
    pub fn push(&mut self, staged: &Staged) -> Result<Revision, StorageError> {
        let revision = self.after.next;
        let link = self.frame(&self.after.clone(), None, staged)?;
        self.after = Head { next: revision.next(), link, ..self.after };
        Ok(revision)
    }

    /// Adds frame 0 of a newborn tenant, whose chain starts from `nonce`: another one, or, in a batch
    /// that begins with [`Head::unborn`], the batch's own.
    ///
    /// # Errors
    /// As [`Batch::push`].
    pub fn birth(&mut self, tenant: TenantId, nonce: [u8; 32], staged: &Staged) -> Result<(), StorageError> {
        let epoch = self.before.epoch;
        self.vault.bear(tenant)?;
        let head = Head { link: chain::genesis(tenant, &nonce), epoch, ..Head::unborn(tenant) };
        let link = self.frame(&head, Some(&nonce), staged)?;
        let born = Head { next: Revision(1), link, ..head };
        self.births.push(born);
        if tenant == self.before.tenant {
            self.after = born;
        }
        Ok(())
    }

    fn frame(
        &mut self,
        head: &Head,
        nonce: Option<&[u8; 32]>,
        staged: &Staged,
    ) -> Result<[u8; 32], StorageError> {
        let start = self.frames.len();
        let fields = FrameHead {
            tenant: head.tenant,
            slot: head.slot,
            revision: head.next,
            epoch: head.epoch,
            wall: staged.wall,
            kind: staged.kind,
            id: staged.id,
        };
        let whose = (head.tenant, head.next);
        let sealed = frame_parts::seal(&*self.vault, &self.fresh, whose, staged)?;
        let made = frame::encode(&mut self.frames, &fields, &head.link, nonce, (staged, &sealed));
        let len = self.frames.len() - start;
        let fault = if made.without_rows > FRAME_BYTES_MAX {
            Some(StorageError::FrameTooLarge { bytes: made.without_rows, max: FRAME_BYTES_MAX })
        } else if len > FRAME_WITH_ROWS_BYTES_MAX || len + ENTRY_BYTES > self.bytes_max {
            let max = FRAME_WITH_ROWS_BYTES_MAX.min(self.bytes_max.saturating_sub(ENTRY_BYTES));
            Some(StorageError::FrameTooLarge { bytes: len, max })
        } else if start > 0 && self.len_bytes() + ENTRY_BYTES > self.bytes_max {
            Some(StorageError::BatchFull)
        } else {
            None
        };
        if let Some(fault) = fault {
            self.frames.truncate(start);
            return Err(fault);
        }
        self.spans.push(Span { tenant: head.tenant, revision: head.next, start, len });
        if !sealed.fresh.is_empty() {
            self.fresh.extend(sealed.fresh);
        }
        self.rows.extend(sealed.rows.into_iter().map(|row| (head.tenant, head.next, row)));
        Ok(made.link)
    }

    /// Marks the batch as one that only takes rights away: it may use the reserve when the disk is full.
    pub const fn narrowing(&mut self, narrowing: bool) {
        self.narrowing = narrowing;
    }

    /// Whose batch.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.before.tenant
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The number of frames in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The encoded frames, one behind the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.frames
    }

    /// Bytes that it takes in a group, its share of the table included.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.frames.len() + self.spans.len() * ENTRY_BYTES
    }

    /// The head that it continues.
    #[must_use]
    pub const fn head_before(&self) -> &Head {
        &self.before
    }

    /// Whether the batch's own tenant is born in it.
    pub(crate) fn is_own_birth(&self) -> bool {
        self.births.iter().any(|head| head.tenant == self.before.tenant)
    }

    /// The head that it leads to, once durable.
    #[must_use]
    pub const fn head_after(&self) -> Head {
        self.after
    }
}
