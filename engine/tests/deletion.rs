//! Deleting a tenant at awkward moments.

use crate::spy;
use crate::support;

use spy::Spy;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use support::{House, START_MS};
use tessera_engine::{EngineConfig, HelloRefusal, Standing};
use tessera_model::record::TenantStatus;
use tessera_model::{Command, TenantId};
use tessera_storage::{Embedded, Memory, Options, RootKey, StorageError, Store};

/// PROPERTY: a tenant that is deleted while it wakes never comes up, and leaves memory with its deletion.
/// METHOD: its load is held until the deletion is finished.
/// TC-65 in part: while it wakes.
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

/// PROPERTY: a kill between a tenant's tombstone and the end of its data is made good at the next start: the
/// data goes, whether its frames were covered or stand in the tail, and checkpoints are taken as ever.
/// METHOD: the first life removes nothing.
/// TC-65 in part: kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_a_kill_cut_off_is_finished() {
    for covered in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
            Arc::new(Embedded::open(folder.path(), options).expect("a store"))
        };
        let mut gone = Vec::new();
        {
            let store = open();
            let mut spy = Spy::plain(Arc::clone(&store) as Arc<dyn Store>);
            spy.before_forget = Box::new(|_| Some(StorageError::LaneStopped));
            let house = House::over(Arc::new(spy), START_MS).await;
            let operator = house.operator().await;
            for no in 0..5 {
                gone.push(house.tenant(&operator, &format!("tenant{no}")).await);
            }
            if covered {
                assert!(house.engine.checkpoint().await);
            }
            for tenant in &gone {
                house.submit(&operator, Command::DeleteTenant { tenant: tenant.id, finish: false }).await;
                while tenant.admin.entry.status() != TenantStatus::Deleted {
                    tokio::task::yield_now().await;
                }
            }
            assert!(gone.iter().all(|tenant| store.is_kept(tenant.id).expect("kept")));
            house.engine.stop().await;
            store.stop();
        }
        let house = House::over(open(), START_MS).await;
        assert!(house.engine.checkpoint().await, "no checkpoint could be taken");
        while gone.iter().any(|tenant| house.store.is_kept(tenant.id).expect("kept")) {
            tokio::task::yield_now().await;
        }
        for tenant in &gone {
            assert!(house.store.tenant_keys(tenant.id).is_err());
            assert_eq!(
                house.engine.hello(&tenant.admin_key.to_bytes(), None).err(),
                Some(HelloRefusal::Refused)
            );
        }
        house.store.stop();
    }
}

/// PROPERTY: however many tenants are deleted at once, their data is removed on one thread of those that may
/// block, and somebody else wakes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_deletions_leave_threads_to_others() {
    let (running, most, left) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(100)));
    let woken = Arc::new(AtomicBool::new(false));
    let mut spy = Spy::plain(Arc::new(Memory::new(1 << 20)));
    let (now, all, rest, seen) =
        (Arc::clone(&running), Arc::clone(&most), Arc::clone(&left), Arc::clone(&woken));
    spy.before_forget = Box::new(move |_| {
        all.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Nothing goes until the other one is awake.
        while !seen.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        now.fetch_sub(1, Ordering::SeqCst);
        rest.fetch_sub(1, Ordering::SeqCst);
        None
    });
    let config =
        EngineConfig { idle_sleep_ms: 5_000, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(Arc::new(spy), START_MS, config).await;
    let operator = house.operator().await;
    let other = house.tenant(&operator, "other").await;
    let mut gone = Vec::new();
    for no in 0..100 {
        gone.push(house.tenant(&operator, &format!("tenant{no}")).await);
    }
    assert!(house.engine.checkpoint().await);
    house.pass(10_000);
    while other.admin.entry.standing() != Standing::Asleep {
        tokio::task::yield_now().await;
    }
    for tenant in &gone {
        house.submit(&operator, Command::DeleteTenant { tenant: tenant.id, finish: false }).await;
    }
    while running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    while house.engine.hello(&other.admin_key.to_bytes(), None).is_err() {
        tokio::task::yield_now().await;
    }
    woken.store(true, Ordering::SeqCst);
    while left.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}
