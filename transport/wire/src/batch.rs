//! Many checks in one frame, and their answers.

use crate::archive::{
    self, ArchivedCheckItem, CheckBatchPayload, CheckItem, DecisionBatchPayload, DecisionItem,
};
use crate::check::{
    Asked, address_from, length_of, name_from, permission_from, reason_from, receipt, workspace_from,
};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::{CheckQuery, Decision, Receipt, UnixMillis};

/// A batch as received: borrowed from the receive buffer.
#[derive(Clone, Copy)]
pub struct CheckBatch<'a> {
    at_least: Receipt,
    items: &'a [ArchivedCheckItem],
    names: &'a [u8],
}

impl<'a> CheckBatch<'a> {
    /// The position that the answers must have seen.
    #[must_use]
    pub const fn at_least(&self) -> Receipt {
        self.at_least
    }

    /// How many checks it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The checks, in their order. Each may turn out not to read: the whole batch is refused then.
    #[must_use]
    pub fn queries(&self) -> CheckBatchItems<'a> {
        CheckBatchItems { at_least: self.at_least, items: self.items.iter(), names: self.names }
    }
}

/// The checks of a batch, one after another.
pub struct CheckBatchItems<'a> {
    at_least: Receipt,
    items: std::slice::Iter<'a, ArchivedCheckItem>,
    names: &'a [u8],
}

impl<'a> CheckBatchItems<'a> {
    fn read(&mut self, item: &'a ArchivedCheckItem) -> Result<CheckQuery<'a>, WireError> {
        let permission = name_from(&mut self.names, item.permission_len.to_native())?;
        let workspace = name_from(&mut self.names, item.workspace_len.to_native())?;
        Ok(CheckQuery {
            handle: &item.handle,
            permission: permission_from(item.permission.to_native(), permission)?,
            workspace: workspace_from(item.workspace.to_native(), workspace)?,
            at_least: self.at_least,
            address: address_from(item.flags.to_native(), &item.address)?,
        })
    }
}

impl<'a> Iterator for CheckBatchItems<'a> {
    type Item = Result<CheckQuery<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.items.next()?;
        Some(self.read(item))
    }
}

/// The answers to a batch, all taken at one position.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DecisionBatch {
    /// The answers, in the order of the questions.
    pub decisions: Vec<Decision>,
}

/// Collects the answers to a batch. It can be used again, so that no batch allocates.
#[derive(Default)]
pub struct DecisionBatchWriter {
    payload: DecisionBatchPayload,
}

impl DecisionBatchWriter {
    /// Bytes that it holds on to.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.payload.items.capacity() * size_of::<DecisionItem>()
    }

    /// Starts anew; the answers will be of this position.
    pub fn start(&mut self, seen: Receipt) {
        self.payload.epoch = seen.epoch.0;
        self.payload.revision = seen.revision.0;
        self.payload.items.clear();
    }

    /// Adds the next answer.
    pub fn push(&mut self, decision: &Decision) {
        let (valid_until_ms, reason) = (decision.valid_until.0, decision.reason.code());
        self.payload.items.push(DecisionItem { valid_until_ms, reason, flags: 0, pad: 0 });
    }
}

impl Outbox {
    /// Writes a batch of checks; their own `at_least` is ignored in favour of the batch's.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`] over 1,024 checks or 256 KiB, [`WireError::BadPayload`] for a name
    /// over 128 bytes.
    pub fn check_batch<'q>(
        &mut self,
        request_id: u64,
        at_least: Receipt,
        queries: impl IntoIterator<Item = CheckQuery<'q>>,
    ) -> Result<(), WireError> {
        let mut payload = CheckBatchPayload {
            epoch: at_least.epoch.0,
            revision: at_least.revision.0,
            items: Vec::new(),
            names: Vec::new(),
        };
        for query in queries {
            if payload.items.len() == BATCH_CHECKS_MAX {
                return Err(WireError::FrameTooLarge);
            }
            let asked = Asked::of(&query);
            payload.items.push(CheckItem {
                handle: *query.handle,
                address: asked.address,
                permission: asked.permission.0,
                workspace: asked.workspace.0,
                flags: asked.flags,
                permission_len: length_of(asked.permission.1)?,
                workspace_len: length_of(asked.workspace.1)?,
                pad: 0,
            });
            payload.names.extend_from_slice(asked.permission.1.as_bytes());
            payload.names.extend_from_slice(asked.workspace.1.as_bytes());
        }
        self.payload(Kind::CheckBatch, request_id, &payload)
    }

    /// Writes the answers to a batch.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`] cannot happen for 1,024 answers.
    pub fn decision_batch(&mut self, request_id: u64, batch: &DecisionBatchWriter) -> Result<(), WireError> {
        self.payload(Kind::DecisionBatch, request_id, &batch.payload)
    }
}

impl<'a> Frame<'a> {
    /// Reads a batch of checks in place.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn check_batch(&self) -> Result<CheckBatch<'a>, WireError> {
        let payload = archive::read::<archive::ArchivedCheckBatchPayload>(self.payload)?;
        let items = payload.items.as_slice();
        let named: usize = items
            .iter()
            .map(|item| {
                usize::from(item.permission_len.to_native()) + usize::from(item.workspace_len.to_native())
            })
            .sum();
        if items.len() > BATCH_CHECKS_MAX || named != payload.names.len() {
            return Err(WireError::BadPayload);
        }
        Ok(CheckBatch {
            at_least: receipt(payload.epoch.to_native(), payload.revision.to_native()),
            items,
            names: payload.names.as_slice(),
        })
    }

    /// Reads the answers to a batch.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn decision_batch(&self) -> Result<DecisionBatch, WireError> {
        let payload = archive::read::<archive::ArchivedDecisionBatchPayload>(self.payload)?;
        if payload.items.len() > BATCH_CHECKS_MAX {
            return Err(WireError::BadPayload);
        }
        let seen = receipt(payload.epoch.to_native(), payload.revision.to_native());
        let decisions = payload
            .items
            .iter()
            .map(|item| {
                Ok(Decision {
                    reason: reason_from(item.reason.to_native())?,
                    seen,
                    valid_until: UnixMillis(item.valid_until_ms.to_native()),
                })
            })
            .collect::<Result<_, WireError>>()?;
        Ok(DecisionBatch { decisions })
    }
}
