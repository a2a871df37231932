//! Moving one tenant to another store: copied as the checkpoint has it, in passes of which each sends what the one
//! before did not, and opened there by the frame that ends its life here.
//!
//! A copy is a row of pieces: keys first, then whatever is sealed under them or names their slots, as it lies; the
//! directory row ends a pass. Keys travel as they are, over a link that nobody else reads; each store wraps them
//! under its own root key before anything is on its disk, and gives slots of its own. Until it is opened, what was
//! copied is no tenant of the store: nobody finds it, and no backup has it.

mod arrive;
mod last;
mod leave;
mod note;
mod piece;
mod warm;

pub use arrive::Arrival;
pub use leave::Sent;
pub use note::Arriving;

use crate::batch::Head;
use crate::error::StorageError;
use crate::store::{FrameRead, Replay};
use tessera_model::record::TenantRecord;
use tessera_model::{Epoch, Revision, TenantId};

/// Takes a chunk of a copy.
pub type CopySink<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<(), StorageError>;

/// Whether a frame is the one that opens a tenant.
pub type Opens<'a> = &'a dyn Fn(&FrameRead) -> bool;

/// Whether a tenant is known as one that lives here.
pub type Adopted<'a> = &'a dyn Fn(TenantId) -> bool;

fn unable<T>() -> Result<T, StorageError> {
    Err(StorageError::BadCopy("this store neither gives nor takes tenants"))
}

/// The part of a store that gives tenants to other stores, and takes them. Everything here blocks: not for a
/// runtime's thread.
pub trait Moves {
    /// One pass of a copy, in chunks: what the checkpoint has of a tenant and was not `sent` yet. Tells where the
    /// copy stands then.
    ///
    /// # Errors
    /// When anything reads wrong, or `sink` fails: the copy is begun anew.
    fn copy_out(
        &self,
        _tenant: TenantId,
        _sent: &mut Sent,
        _sink: CopySink<'_>,
    ) -> Result<Head, StorageError> {
        unable()
    }

    /// What a tenant got behind a pass of its copy, without a checkpoint: its frames, and the rows that they wrote. Tells
    /// where it leads; none where the journal does not go on where that pass ended, or has more than a few: then another
    /// pass is due.
    ///
    /// # Errors
    /// As [`Moves::copy_out`].
    fn copy_last(
        &self,
        _from: &Head,
        _sent: &mut Sent,
        _sink: CopySink<'_>,
    ) -> Result<Option<Head>, StorageError> {
        unable()
    }

    /// A frame of a tenant as history keeps it, for [`Moves::open_arrival`] elsewhere.
    ///
    /// # Errors
    /// When it reads wrong.
    fn frame(&self, _tenant: TenantId, _revision: Revision) -> Result<Option<Vec<u8>>, StorageError> {
        unable()
    }

    /// Begins to take a tenant; what is left of an earlier copy that was not opened goes.
    ///
    /// # Errors
    /// [`StorageError::TenantHere`] when it lives in this store; otherwise as the disk reports.
    fn begin_arrival(&self, _tenant: TenantId) -> Result<Arrival, StorageError> {
        unable()
    }

    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`StorageError::BadCopy`]; otherwise as the disk reports. The copy is begun anew.
    fn take_arrival(&self, _arrival: &mut Arrival, _chunk: &[u8]) -> Result<(), StorageError> {
        unable()
    }

    /// Gives what a load of the copy would give, up to the last pass that was taken whole: its buckets and the frames behind
    /// them; or from a revision on the frames alone. Tells where that leads; none before the first whole pass.
    ///
    /// # Errors
    /// When anything reads wrong; what `sink` took until then must be thrown away.
    fn load_arrival(
        &self,
        _arrival: &Arrival,
        _from: Option<Revision>,
        _sink: &mut dyn FnMut(Replay),
    ) -> Result<Option<Head>, StorageError> {
        unable()
    }

    /// Ends a copy whose last pass was taken: it verifies, and is durable, closed, in this epoch. Tells its head.
    ///
    /// # Errors
    /// As [`Moves::take_arrival`].
    fn end_arrival(&self, _arrival: &mut Arrival, _epoch: Epoch) -> Result<Head, StorageError> {
        unable()
    }

    /// The head of a whole copy that waits to be opened.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn arrived(&self, _tenant: TenantId) -> Result<Option<Head>, StorageError> {
        Ok(None)
    }

    /// Opens a tenant that was copied, by its next frame: it lives in this store from then on. Repeated, it tells
    /// the head again.
    ///
    /// # Errors
    /// [`StorageError::BadCopy`] when the frame does not extend what was copied, or does not open it.
    fn open_arrival(
        &self,
        _tenant: TenantId,
        _frame: &[u8],
        _opens: Opens<'_>,
    ) -> Result<Head, StorageError> {
        unable()
    }

    /// Notes what is known of a tenant that is being taken, beside the copy; it goes when that is opened or dropped.
    ///
    /// # Errors
    /// As the disk reports.
    fn note_arrival(&self, _record: &TenantRecord, _adopted: Adopted<'_>) -> Result<(), StorageError> {
        unable()
    }

    /// The tenants of which something was copied, and that were not opened, or opened and are nobody's tenant yet.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn arrivals(&self, _adopted: Adopted<'_>) -> Result<Vec<Arriving>, StorageError> {
        Ok(Vec::new())
    }

    /// Opens a whole copy without a last word, or lets a tenant that is kept go on, in this epoch or the later one that
    /// it has. Tells the head. What of it stands in the journal is in the checkpoint before.
    ///
    /// # Errors
    /// [`StorageError::TenantUnknown`] where there is no whole copy; `Busy` where the journal has frames of it;
    /// otherwise as the disk reports.
    fn claim(&self, _tenant: TenantId, _epoch: Epoch) -> Result<Head, StorageError> {
        unable()
    }

    /// Drops a copy that was not opened; nothing where there is none.
    ///
    /// # Errors
    /// [`StorageError::TenantHere`] when it lives in this store; otherwise as the disk reports.
    fn drop_arrival(&self, _tenant: TenantId) -> Result<(), StorageError> {
        unable()
    }
}

impl Moves for crate::Memory {}
