//! A store to measure over: another store, with a made-up tenant in it or checkpoints held back.

use crate::world::World;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::TenantId;
use tessera_storage::{Around, Head, Replay, StorageError, Store};

/// A store that adds a made-up tenant to what it loads, and may keep checkpoints from being taken.
pub struct Prepared {
    inner: Arc<dyn Store>,
    world: Option<World>,
    checkpoints: Arc<AtomicBool>,
}

impl Prepared {
    /// A store that gives every tenant but the system's these facts when it is loaded.
    #[must_use]
    pub fn with_world(inner: Arc<dyn Store>, world: World) -> Self {
        Self { inner, world: Some(world), checkpoints: Arc::new(AtomicBool::new(true)) }
    }

    /// A store that asks for a checkpoint only while this is true: else its tail grows to its bound.
    #[must_use]
    pub fn switched(inner: Arc<dyn Store>, checkpoints: Arc<AtomicBool>) -> Self {
        Self { inner, world: None, checkpoints }
    }
}

impl Around for Prepared {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn loads(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        if let Some(world) = self.world.filter(|_| tenant != TenantId::SYSTEM) {
            world.replay(tenant, sink);
        }
        self.inner.load(tenant, sink)
    }

    fn is_due(&self) -> bool {
        self.checkpoints.load(Ordering::Relaxed) && self.inner.due()
    }
}
