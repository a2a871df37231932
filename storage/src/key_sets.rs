//! Sets of keys in bytes of a key file, for whoever wraps them under another root key.

use crate::error::StorageError;
use crate::keys::{Keys, Owner, SLOT_BYTES, Set, TENANT_BYTES, TENANT_SLOTS, associated, wrap};
use crate::record::Field;
use crate::root_key::RootKey;
use crate::seal::Draw;

impl Keys {
    /// No files, but a root key: to read and make what stands in them.
    pub(crate) fn under(root: &RootKey, draw: Draw) -> Self {
        Self { root: root.0.clone(), draw, ..Self::closed() }
    }

    /// The set in a block of slots, if it is one and opens.
    pub(crate) fn set_in(&self, block: &[u8; TENANT_BYTES], slot: u32) -> Option<(Owner, Set)> {
        let owner = self.owner_in(block, slot)?;
        let set = self.unwrap(owner.tenant, block, slot)?;
        Some((owner, set))
    }

    /// How many sets there are in a file.
    pub(crate) fn count_sets(&self, bytes: &[u8]) -> u64 {
        let blocks = bytes.get(SLOT_BYTES..).unwrap_or_default().chunks_exact(TENANT_BYTES);
        let slots = (1_u32..).step_by(TENANT_SLOTS as usize);
        let sets = slots.zip(blocks).filter_map(|(slot, block)| self.set_in(block.first_chunk()?, slot));
        sets.count() as u64
    }

    /// A set as its slots hold it.
    pub(crate) fn block_of(&self, slot: u32, (owner, set): &(Owner, Set)) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::with_capacity(TENANT_BYTES);
        self.put_owner(slot, owner, &mut bytes);
        for (no, key) in (1..).zip(set) {
            wrap(&self.root, self.draw.nonce(), &associated(owner.tenant, slot + no), key)?.put(&mut bytes);
        }
        Ok(bytes)
    }
}
