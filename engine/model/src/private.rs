//! Bytes that belong to a person or are secret: stored sealed, never printed.

/// Personal data or a credential on its way to the store. It has no `Debug`, no `Display` and no
/// `==`; storage seals what is inside under the subject's key before it reaches a disk.
#[derive(Clone, Default)]
pub struct Private(Vec<u8>);

impl Private {
    /// Wraps bytes that must be stored sealed.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes inside. Each use is a place where a person's data is looked at.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether nothing is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::hash::Hash for Private {
    /// Contributes nothing: a fingerprint of a command never depends on a secret (a salted password
    /// hash differs at each repeat).
    fn hash<H: std::hash::Hasher>(&self, _state: &mut H) {}
}
