//! Deleting a tenant at awkward moments.

mod spy;
mod support;

use spy::Spy;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use support::{House, START_MS};
use tessera_engine::{EngineConfig, HelloRefusal, Standing};
use tessera_model::record::TenantStatus;
use tessera_model::{Command, TenantId};
use tessera_storage::Memory;

/// PROPERTY: a tenant that is deleted while it wakes never comes up, and leaves memory with its deletion.
/// METHOD: its load is held until the deletion is finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_deleted_while_it_wakes_does_not_come_up() {
    let (open, gate) = mpsc::channel::<()>();
    let (reached, at_gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let armed = Arc::new(AtomicBool::new(false));
    let mut spy = Spy::plain(Arc::new(Memory::new(1 << 20)));
    let is_armed = Arc::clone(&armed);
    spy.after_load = Box::new(move |tenant| {
        if tenant != TenantId::SYSTEM && is_armed.load(Ordering::SeqCst) {
            reached.send(()).expect("the test waits");
            gate.lock().expect("sound").recv().expect("the test opens");
        }
    });
    let config =
        EngineConfig { idle_sleep_ms: 5_000, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(Arc::new(spy), START_MS, config).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    assert!(house.engine.checkpoint().await);
    house.pass(10_000);
    let entry = Arc::clone(&tenant.admin.entry);
    while entry.standing() != Standing::Asleep {
        tokio::task::yield_now().await;
    }
    armed.store(true, Ordering::SeqCst);
    assert_eq!(house.engine.hello(&tenant.admin_key.to_bytes(), None).err(), Some(HelloRefusal::NotReady));
    let waited = tokio::task::spawn_blocking(move || at_gate.recv()).await.expect("no panic");
    assert!(waited.is_ok());
    house.submit(&operator, Command::DeleteTenant { tenant: tenant.id, finish: false }).await;
    while entry.status() != TenantStatus::Deleted || house.store.head(tenant.id).expect("a head").is_some() {
        tokio::task::yield_now().await;
    }
    open.send(()).expect("it waits");
    // The load is reported and dropped; a tenant that came up would stay until it is idle.
    while entry.standing() != Standing::Asleep {
        assert!(entry.standing() != Standing::Awake, "it came up");
        tokio::task::yield_now().await;
    }
    assert!(entry.view().is_none());
    assert_eq!((house.engine.usage().awake, house.engine.usage().failed), (1, 0));
    assert_eq!(house.engine.hello(&tenant.admin_key.to_bytes(), None).err(), Some(HelloRefusal::Refused));
}
