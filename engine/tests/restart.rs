//! A start with many tenants in the tail: whoever is asked for is loaded next, and few at a time.

use crate::spy;
use crate::support;

use spy::Spy;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use support::{House, START_MS};
use tessera_engine::{EngineConfig, HelloRefusal, Standing, SubmitError};
use tessera_model::{Command, Name, TenantId};
use tessera_storage::{Memory, StorageError, Store};

/// Loads stand here until as many may pass.
#[derive(Default)]
struct Gate {
    open: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut open = self.open.lock().expect("sound");
        while *open == 0 {
            open = self.changed.wait(open).expect("sound");
        }
        *open -= 1;
    }

    fn open(&self, more: usize) {
        *self.open.lock().expect("sound") += more;
        self.changed.notify_all();
    }
}

/// PROPERTY: after a kill with the frames of many tenants in the tail the start is over at once; a tenant that
/// a connection asks for is the next that is loaded, however many are owed; never more than configured are loaded
/// at a time; those that nobody asks for are loaded in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_for_is_loaded_next() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let mut tenants = Vec::new();
    {
        let house = House::over(Arc::clone(&store), START_MS).await;
        let operator = house.operator().await;
        for no in 0..40 {
            tenants.push(house.tenant(&operator, &format!("tenant{no}")).await);
        }
    }
    for loads_max in [2, 4] {
        let (gate, running, most) =
            (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut spy = Spy::plain(Arc::clone(&store));
        let (at, now, all, seen) =
            (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&most), Arc::clone(&order));
        spy.after_load = Box::new(move |tenant| {
            if tenant == TenantId::SYSTEM {
                return;
            }
            // In this order: whoever sees it counted finds it in the list.
            seen.lock().expect("sound").push(tenant);
            all.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            at.pass();
            now.fetch_sub(1, Ordering::SeqCst);
        });
        let config = EngineConfig { loads_max, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
        // Nothing passes the gate: the start waits for the system tenant alone.
        let house = House::configured(Arc::new(spy), START_MS, config).await;
        while running.load(Ordering::SeqCst) < loads_max - 1 {
            tokio::task::yield_now().await;
        }
        for (asked, tenant) in [33, 21, 38].map(|at| &tenants[at]).into_iter().enumerate() {
            let loaded = order.lock().expect("sound").len();
            assert_eq!(
                house.engine.hello(&tenant.admin_key.to_bytes(), None).err(),
                Some(HelloRefusal::NotReady)
            );
            if asked > 0 {
                // Every place is taken: the first that comes free is for whoever asks.
                gate.open(1);
            }
            while order.lock().expect("sound").len() == loaded {
                tokio::task::yield_now().await;
            }
            assert_eq!(order.lock().expect("sound")[loaded], tenant.id, "asked {asked} of {loads_max}");
        }
        gate.open(1_000);
        let asleep = |tenant: &&support::Tenant| {
            house.engine.entry(tenant.id).expect("an entry").standing() != Standing::Awake
        };
        while tenants.iter().any(|tenant| asleep(&tenant)) {
            tokio::task::yield_now().await;
        }
        assert_eq!(most.load(Ordering::SeqCst), loads_max);
        let mut loaded = order.lock().expect("sound").clone();
        loaded.sort_unstable();
        loaded.dedup();
        assert_eq!(loaded.len(), tenants.len());
    }
}

/// PROPERTY: an actor that fails while its tenant is being put to sleep is loaded by nobody until somebody asks, and
/// then once. METHOD: a commit that hangs while the idle tenant is laid down, and then fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_fails_falling_asleep_is_loaded_once() {
    let (armed, hangs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (gate, loads) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
    let (hanging, waits, counted) = (Arc::clone(&hangs), Arc::clone(&gate), Arc::clone(&loads));
    let takes = Arc::clone(&armed);
    let store: Arc<dyn Store> = Arc::new(Spy {
        before_commit: Box::new(move |batch| {
            if batch.tenant() == TenantId::SYSTEM || !takes.swap(false, Ordering::SeqCst) {
                return None;
            }
            hanging.store(true, Ordering::SeqCst);
            waits.pass();
            Some(StorageError::LaneStopped)
        }),
        after_load: Box::new(move |tenant| {
            counted.fetch_add(usize::from(tenant != TenantId::SYSTEM), Ordering::SeqCst);
        }),
        ..Spy::plain(Arc::new(Memory::new(1 << 20)))
    });
    let config =
        EngineConfig { idle_sleep_ms: 1_000, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(store, START_MS, config).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    assert!(house.engine.checkpoint().await);
    let before = loads.load(Ordering::SeqCst);
    armed.store(true, Ordering::SeqCst);
    let (engine, admin) = (house.engine.clone(), tenant.admin.clone());
    let name = Name::new("orders.read").expect("a name");
    let command = Command::RegisterPermission { name };
    let lost = tokio::spawn(async move { engine.submit(&admin, engine.command_id(), command).await });
    until(|| hangs.load(Ordering::SeqCst)).await;
    house.pass(5_000);
    let entry = Arc::clone(&tenant.admin.entry);
    until(|| entry.standing() == Standing::Leaving).await;
    gate.open(1);
    assert_eq!(lost.await.expect("no panic").err(), Some(SubmitError::Unknown));
    until(|| entry.standing() == Standing::Asleep).await;
    // Whoever would load it has heard of the failure by now.
    assert!(house.engine.checkpoint().await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((loads.load(Ordering::SeqCst) - before, entry.standing()), (0, Standing::Asleep));
    house.bind(&tenant.admin_key).await;
    assert_eq!((loads.load(Ordering::SeqCst) - before, entry.standing()), (1, Standing::Awake));
}

/// Waits until something is so.
async fn until(so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never was so");
}
