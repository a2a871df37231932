//! A clock that was wrong: what it stops, what goes on, and the operator's way out.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{House, START_MS, Tenant, grant};
use tessera_engine::{Clock, EngineConfig};
use tessera_model::{Command, Reason, Refusal, UnixMillis};
use tessera_storage::{Embedded, Memory, Options, RootKey, Store};

const HOUR: u64 = 3_600_000;
const YEAR: u64 = 365 * 24 * HOUR;

async fn order(house: &House, tenant: &Tenant, command: Command) -> Result<(), Refusal> {
    match house.engine.submit(&tenant.admin, house.engine.command_id(), command).await {
        Ok(_) => Ok(()),
        Err(tessera_engine::SubmitError::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

async fn back(house: &House, tenant: &Tenant) -> Tenant {
    let admin = house.bind(&tenant.admin_key).await;
    Tenant { id: tenant.id, admin, admin_key: tenant.admin_key }
}

/// PROPERTY: with the journal hours ahead of the wall, writes wait, but time goes on from what the journal
/// proves: a session ends when its time has passed, not before and not never.
/// TC-25 in part.
#[tokio::test]
async fn time_goes_on_behind_a_journal_that_is_ahead() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = House::over(Arc::clone(&store), START_MS + 5 * HOUR).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let again = House::over(store, START_MS).await;
    let tenant = back(&again, &tenant).await;
    assert!(again.engine.usage().journal_ahead_ms >= 5 * HOUR);
    assert_eq!(order(&again, &tenant, grant(amy, "tessera.admin")).await, Err(Refusal::ClockStopped));
    let ask = || again.check(&tenant, &session, "orders.read").reason;
    assert_eq!(ask(), Reason::None);
    again.pass(HOUR - 1);
    assert_eq!(ask(), Reason::None);
    again.pass(1);
    assert_eq!(ask(), Reason::Idle);
    assert_eq!(again.engine.now().0, START_MS + 6 * HOUR);
    let narrow = Command::EndSubjectSessions { subject: amy };
    assert_eq!(order(&again, &tenant, narrow).await, Ok(()));
}

/// PROPERTY: the operator's way out: with the wall clock trusted, everything is written again at the wall's time,
/// and after one round of checkpoints every tenant, used or not, starts at the wall's time without the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_once_far_ahead_stops_nobody_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
        options.journal_file_bytes = 1024 * 1024;
        Arc::new(Embedded::open(folder.path(), options).expect("a store"))
    };
    let wide =
        |name: &str| Command::RegisterPermission { name: tessera_model::Name::new(name).expect("a name") };
    let (used, unused) = {
        let house = House::over(open(), START_MS + 4 * YEAR).await;
        let operator = house.operator().await;
        let (used, unused) = (house.tenant(&operator, "used").await, house.tenant(&operator, "unused").await);
        house.engine.stop().await;
        (used, unused)
    };
    {
        let house = House::over(open(), START_MS + HOUR).await;
        let tenant = back(&house, &used).await;
        assert_eq!(order(&house, &tenant, wide("a.b")).await, Err(Refusal::ClockStopped));
        house.engine.stop().await;
    }
    {
        let config = EngineConfig { trusts_wall: true, ..EngineConfig::default() };
        let house = House::configured(open(), START_MS + 2 * HOUR, config).await;
        let tenant = back(&house, &used).await;
        assert_eq!(order(&house, &tenant, wide("a.b")).await, Ok(()));
        assert_eq!(house.engine.now().0, START_MS + 2 * HOUR);
        // Every tenant is looked at, in checkpoints that are taken for it.
        while house.engine.usage().doubted > 0 {
            assert!(house.engine.checkpoint().await);
        }
        house.engine.stop().await;
    }
    let house = House::over(open(), START_MS + 3 * HOUR).await;
    for tenant in [used, unused] {
        let tenant = back(&house, &tenant).await;
        assert_eq!(house.engine.usage().journal_ahead_ms, 0);
        assert_eq!(order(&house, &tenant, wide("a.c")).await, Ok(()));
    }
}

/// A clock that is in doubt: its own time and the wall's.
struct Doubtful {
    own: AtomicU64,
    wall: AtomicU64,
    stopped: std::sync::atomic::AtomicBool,
}

impl Clock for Doubtful {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.own.load(Ordering::SeqCst))
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn span(&self) -> (UnixMillis, UnixMillis) {
        let (own, wall) = (self.now(), UnixMillis(self.wall.load(Ordering::SeqCst)));
        (own.min(wall), own.max(wall))
    }
}

/// PROPERTY: while clock and wall disagree, a check permits what holds at both: ends are held against the later time,
/// beginnings against the earlier, whichever of the two it is. METHOD: every pair of times around a grant's window.
/// TC-25 in part, TC-75.
#[tokio::test]
async fn a_doubtful_clock_permits_what_holds_either_way() {
    let clock = Arc::new(Doubtful {
        own: AtomicU64::new(START_MS),
        wall: AtomicU64::new(START_MS),
        stopped: Default::default(),
    });
    let house = House::with_clock(Arc::new(Memory::new(1 << 20)), Arc::clone(&clock) as _).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    let at = |seconds: u32| UnixMillis(START_MS).plus_seconds(seconds).to_deadline();
    let role = tessera_model::Name::new("reader").expect("a name");
    let window = Command::Grant { subject: amy, role, workspace: None, from: at(100), until: at(200) };
    house.submit(&tenant.admin, window).await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    // And somebody acts for amy, who may ask in that window alone.
    let sue = house.person(&tenant, "sue@example.org", "correct horse").await;
    house.role(&tenant, "support", &["tessera.sessions.open"]).await;
    house.role(&tenant, "asking", &["tessera.check"]).await;
    house.grant(&tenant, sue, "support").await;
    let role = tessera_model::Name::new("asking").expect("a name");
    let window = Command::Grant { subject: sue, role, workspace: None, from: at(100), until: at(200) };
    house.submit(&tenant.admin, window).await;
    let own = house.sign_in(&tenant, "sue@example.org", "correct horse").await.expect("signed in");
    let patterns = vec![tessera_model::Pattern::new("tessera.*").expect("a pattern")];
    let act = Command::Impersonate { subject: amy, patterns, ttl_s: 3_600, reason: "why".into() };
    let acting = house.submit(&house.bind(&own).await, act).await.made.handle.expect("a handle");
    house.grant(&tenant, amy, "asking").await;
    clock.stopped.store(true, Ordering::SeqCst);
    let times = [0, 99, 100, 150, 199, 200, 3_599, 3_600, 9_999];
    for own in times {
        for wall in times {
            clock.own.store(START_MS + own * 1_000, Ordering::SeqCst);
            clock.wall.store(START_MS + wall * 1_000, Ordering::SeqCst);
            let holds = |time: u64| (100..200).contains(&time);
            let permitted = house.check(&tenant, &session, "orders.read").is_permit();
            assert_eq!(permitted, holds(own) && holds(wall), "own {own}, wall {wall}");
            let permitted = house.check(&tenant, &acting, "tessera.check").is_permit();
            assert_eq!(permitted, holds(own) && holds(wall), "acting: own {own}, wall {wall}");
        }
    }
}
