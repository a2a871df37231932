//! Refresh over the real store: what a kill leaves at each point of a refresh and of a key rotation.

use crate::spy;
use crate::support;

use spy::Spy;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{House, START_MS, Tenant};
use tessera_engine::EngineConfig;
use tessera_model::refresh::{RefreshMode, RefreshSecret};
use tessera_model::{Command, Handle, PublicId, Reason, Refusal};
use tessera_storage::{Embedded, Options, RootKey};

fn open(path: &Path) -> Arc<Embedded> {
    let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
    options.journal_file_bytes = 1024 * 1024;
    Arc::new(Embedded::open(path, options).expect("a store"))
}

/// What a kill -9 would leave now.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// A house over a directory, with images of it taken before commits while armed.
struct Watched {
    house: House,
    tenant: Tenant,
    amy: PublicId,
    armed: Arc<AtomicBool>,
}

impl Watched {
    async fn over(live: &Path, image: &Path) -> Self {
        let armed = Arc::new(AtomicBool::new(false));
        let mut spy = Spy::plain(open(live));
        let (arms, from, to) = (Arc::clone(&armed), live.to_owned(), image.to_owned());
        spy.before_commit = Box::new(move |_| {
            if arms.swap(false, Ordering::SeqCst) {
                copy(&from, &to);
            }
            None
        });
        let config = EngineConfig { checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
        let house = House::configured(Arc::new(spy), START_MS, config).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.grant(&tenant, amy, "reader").await;
        house.set(&tenant, |settings| settings.refresh = u32::from(RefreshMode::Rotating.number())).await;
        Self { house, tenant, amy, armed }
    }

    async fn session(&self) -> (Handle, Handle) {
        let made = self.house.open(&self.tenant.admin, self.amy).await.expect("opened").made;
        (made.handle.expect("a handle"), made.refresh.expect("a refresh handle"))
    }
}

async fn again(path: &Path, old: &Tenant, now_ms: u64) -> (House, Tenant) {
    let house = House::over(open(path), now_ms).await;
    let admin = house.bind(&old.admin_key).await;
    (house, Tenant { id: old.id, admin, admin_key: old.admin_key })
}

/// PROPERTY: wherever a kill falls between the command, its commit and its reply, the retry under the same
/// command id converges to the same successor, byte for byte; later the old handle is reuse (F-21, TC-18).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tc_18_a_kill_at_each_point_of_a_refresh_converges() {
    for checkpoint in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let [live, before, after] = ["live", "before", "after"].map(|name| folder.path().join(name));
        let watched = Watched::over(&live, &before).await;
        let (session, a) = watched.session().await;
        if checkpoint {
            assert!(watched.house.engine.checkpoint().await);
        }
        let (engine, admin) = (&watched.house.engine, &watched.tenant.admin);
        watched.armed.store(true, Ordering::SeqCst);
        let id = engine.command_id();
        let b = engine.refresh(admin, id, &a.to_bytes()).await.expect("refreshed");
        let b = b.made.refresh.expect("a successor").to_bytes();
        if checkpoint {
            assert!(engine.checkpoint().await);
        }
        copy(&live, &after);
        for (image, happened) in [(&before, false), (&after, true)] {
            let (house, tenant) = again(image, &watched.tenant, START_MS + 1_000).await;
            let retried = house.engine.refresh(&tenant.admin, id, &a.to_bytes()).await.expect("refreshed");
            assert_eq!(retried.repeat, happened);
            assert!(retried.made.refresh.expect("a successor").to_bytes() == b);
            house.engine.stop().await;
            drop(house);
            // And after a second start the family goes on, and reuse is told.
            let (house, tenant) = again(image, &watched.tenant, START_MS + 2_000).await;
            let b = Handle::parse(&b).expect("a handle");
            let c = house.refresh(&tenant.admin, &b).await.expect("refreshed").made.refresh.expect("one");
            assert_eq!(RefreshSecret::parse(&c.secret).index, 2);
            house.pass(60_000);
            assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
            assert_eq!(house.refresh(&tenant.admin, &b).await.err(), Some(Refusal::RefreshReused.into()));
            assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::Revoked);
        }
    }
}

/// PROPERTY: a kill in the middle of a key rotation leaves the old keys and their families, or the new one;
/// a key that no event names is erased at the next start, one that was dropped stays gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_a_key_rotation_leaves_one_or_the_other() {
    for now in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let [live, before, after] = ["live", "before", "after"].map(|name| folder.path().join(name));
        let watched = Watched::over(&live, &before).await;
        let (session, a) = watched.session().await;
        watched.armed.store(true, Ordering::SeqCst);
        let rotate = || Command::RotateRefreshKeys { now };
        watched.house.submit(&watched.tenant.admin, rotate()).await;
        copy(&live, &after);
        let numbers = |house: &House| {
            let keys = house.store.tenant_keys(watched.tenant.id).expect("keys").refresh;
            keys.iter().map(|(number, _)| *number).collect::<Vec<_>>()
        };
        // The key was there before its event.
        let (house, tenant) = again(&before, &watched.tenant, START_MS + 1_000).await;
        assert_eq!(numbers(&house), [1]);
        assert!(house.refresh(&tenant.admin, &a).await.is_ok());
        house.submit(&tenant.admin, rotate()).await;
        assert_eq!(numbers(&house), if now { vec![2] } else { vec![1, 2] });
        let (house, tenant) = again(&after, &watched.tenant, START_MS + 1_000).await;
        assert_eq!(numbers(&house), if now { vec![2] } else { vec![1, 2] });
        let reason = house.check(&tenant, &session, "orders.read").reason;
        assert_eq!(reason, if now { Reason::Revoked } else { Reason::None });
        match house.refresh(&tenant.admin, &a).await {
            Ok(done) if !now => {
                let next = done.made.refresh.expect("a successor");
                assert_eq!(RefreshSecret::parse(&next.secret).number, 2);
            }
            Err(error) if now => assert_eq!(error, Refusal::SessionUnknown.into()),
            Ok(_) | Err(_) => panic!("{now}"),
        }
    }
}
