//! Planted faults of a wake: a store whose tenants forget something when they are loaded.

use super::plant::Spoil;
use std::sync::Arc;
use tessera_model::TenantId;
use tessera_storage::{Around, Bucket, Embedded, FrameRead, Head, Replay, StorageError, Store};

/// A store whose loads leave something out.
pub(crate) struct Spoiled {
    pub(crate) inner: Arc<Embedded>,
    pub(crate) spoil: Spoil,
}

impl Around for Spoiled {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn loads(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) -> Result<Option<Head>, StorageError> {
        self.inner.load(tenant, &mut |mut replay| {
            let (Replay::Bucket(Bucket { events, .. }) | Replay::Frame(FrameRead { events, .. })) =
                &mut replay;
            events.retain(|event| !self.spoil.forgets(event));
            sink(replay);
        })
    }
}
