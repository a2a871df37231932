//! A set of permissions: one bit per permission id, immutable and shared.

use std::sync::Arc;
use tessera_model::PermissionId;

/// Bits, with as many words as there were permissions to speak of; what lies beyond is zero.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Bits(Arc<[u64]>);

impl Bits {
    /// From words.
    pub(crate) fn new(words: &[u64]) -> Self {
        Self(words.into())
    }

    /// Whether the permission is in it.
    #[inline]
    pub(crate) fn holds(&self, permission: PermissionId) -> bool {
        match self.0.get(permission.0 as usize / 64) {
            Some(word) => (word >> (permission.0 % 64)) & 1 == 1,
            None => false,
        }
    }

    /// The words.
    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }

    /// The same with one more permission, in at least so many words; `None` when it is there already.
    pub(crate) fn with(&self, permission: PermissionId, words: usize) -> Option<Self> {
        if self.holds(permission) {
            return None;
        }
        let mut raised = self.0.to_vec();
        raised.resize(raised.len().max(words), 0);
        raise(&mut raised, permission);
        Some(Self(raised.into()))
    }

    /// Adds them to `out`, as far as that reaches.
    pub(crate) fn add_to(&self, out: &mut [u64]) {
        for (to, from) in out.iter_mut().zip(self.0.iter()) {
            *to |= from;
        }
    }
}

/// Sets the bit of a permission, as far as `words` reaches.
pub(crate) fn raise(words: &mut [u64], permission: PermissionId) {
    if let Some(word) = words.get_mut(permission.0 as usize / 64) {
        *word |= 1 << (permission.0 % 64);
    }
}
