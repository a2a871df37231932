//! Names and what they name: a persistent map whose copies share almost everything.

use rpds::HashTrieMapSync;
use std::borrow::Borrow;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use tessera_model::Name;

/// The standard hash without a random key: no randomness enters here, and a flood of colliding names
/// slows down the tenant that chose them, nobody else.
pub(crate) type FixedHasher = BuildHasherDefault<DefaultHasher>;

/// A name, shared between the map and the table of what it names.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Known(Arc<Name>);

impl Known {
    pub(crate) fn new(name: &Name) -> Self {
        Self(Arc::new(name.clone()))
    }

    pub(crate) fn name(&self) -> &Name {
        &self.0
    }
}

impl Hash for Known {
    /// As `str` does, because lookups come with a borrowed text.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Borrow<str> for Known {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

/// Name to id.
#[derive(Clone)]
pub(crate) struct Names(HashTrieMapSync<Known, u32, FixedHasher>);

impl Names {
    pub(crate) fn new() -> Self {
        Self(HashTrieMapSync::new_with_hasher_and_ptr_kind(FixedHasher::default()))
    }

    /// The id under this name.
    pub(crate) fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// Puts an id under a name, in the place of an older one.
    pub(crate) fn insert(&mut self, name: Known, id: u32) {
        self.0.insert_mut(name, id);
    }

    /// Removes the name if it still names this id.
    pub(crate) fn remove(&mut self, name: &Known, id: u32) {
        if self.get(name.name().as_str()) == Some(id) {
            self.0.remove_mut(name.name().as_str());
        }
    }
}
