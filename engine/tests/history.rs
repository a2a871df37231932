//! Replay, sleep, repeats, panics and isolation: what a tenant's history must give back.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, System, Tenant, grant};
use tessera_engine::{EngineConfig, Entropy, Standing};
use tessera_model::{
    Caller, Command, CommandId, Handle, Name, Pattern, PublicId, Reason, Refusal, UnixMillis,
};
use tessera_storage::{Memory, Store};

/// Numbers from the operating system's seed, printed on failure.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let mut seed = [0; 8];
        System.fill(&mut seed);
        let seed = std::env::var("TESSERA_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(u64::from_le_bytes(seed));
        eprintln!("TESSERA_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        // xorshift64*: enough for choosing commands.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }
}

const ROLES: [&str; 3] = ["reader", "writer", "owner"];
const PERMISSIONS: [&str; 4] = ["orders.read", "orders.write", "bills.read", "bills.pay"];

struct Scene {
    house: House,
    tenant: Tenant,
    people: Vec<PublicId>,
    handles: Vec<Handle>,
}

impl Scene {
    async fn new(store: Arc<dyn Store>) -> Self {
        let house = House::over(store, START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let mut scene = Self { house, tenant, people: Vec::new(), handles: Vec::new() };
        for (role, patterns) in
            ROLES.iter().zip([&["orders.read"][..], &["orders.*", "bills.read"], &["bills.*"]])
        {
            scene.house.role(&scene.tenant, role, patterns).await;
        }
        for permission in PERMISSIONS {
            let name = Name::new(permission).expect("a name");
            scene.house.submit(&scene.tenant.admin, Command::RegisterPermission { name }).await;
        }
        for number in 0..4 {
            let email = format!("p{number}@example.org");
            scene.people.push(scene.house.person(&scene.tenant, &email, "correct horse").await);
        }
        scene
    }

    /// One random command; refusals are part of life.
    async fn step(&mut self, dice: &mut Dice) {
        let person = self.people[dice.below(4) as usize];
        let role = Name::new(ROLES[dice.below(3) as usize]).expect("a name");
        let now = self.house.engine.now();
        let command = match dice.below(10) {
            0..=2 => {
                let email = format!("p{}@example.org", dice.below(4));
                if let Ok(handle) = self.house.sign_in(&self.tenant, &email, "correct horse").await {
                    self.handles.push(handle);
                }
                return;
            }
            3 if !self.handles.is_empty() => {
                let handle = self.handles[dice.below(self.handles.len() as u64) as usize];
                let opened = UnixMillis(START_MS).to_deadline();
                Command::EndSession { session: PublicId::of_place(opened, handle.place, handle.generation) }
            }
            4 => Command::EndSubjectSessions { subject: person },
            5 => Command::SuspendSubject { subject: person },
            6 => Command::ResumeSubject { subject: person },
            7 => Command::Ungrant { subject: person, role, workspace: None },
            8 => {
                let until = now.plus_seconds(60 + dice.below(600) as u32).to_deadline();
                Command::Grant {
                    subject: person,
                    role,
                    workspace: None,
                    from: tessera_model::Deadline::NONE,
                    until,
                }
            }
            _ => grant(person, ROLES[dice.below(3) as usize]),
        };
        let id = self.house.engine.command_id();
        drop(self.house.engine.submit(&self.tenant.admin, id, command).await);
    }

    fn answers(&self, house: &House, tenant: &Tenant) -> Vec<bool> {
        let ask = |handle, permission| house.check(tenant, handle, permission).is_permit();
        self.handles
            .iter()
            .flat_map(|handle| PERMISSIONS.iter().map(move |permission| ask(handle, permission)))
            .collect()
    }
}

/// PROPERTY (I10): what a tenant answers is what a replay of its buckets and tail answers, wherever
/// checkpoints fell. METHOD: random commands, checkpoints at random moments, a second engine over the
/// same store, every handle asked for every permission.
#[tokio::test]
async fn i10_replay_gives_the_live_answers() {
    let mut dice = Dice::new();
    let mut permitted = 0;
    for _ in 0..12 {
        let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
        let mut scene = Scene::new(Arc::clone(&store)).await;
        for _ in 0..60 {
            scene.step(&mut dice).await;
            if dice.below(12) == 0 {
                assert!(scene.house.engine.checkpoint().await);
            }
        }
        let live = scene.answers(&scene.house, &scene.tenant);
        permitted += live.iter().filter(|answer| **answer).count();
        let again = House::over(store, scene.house.engine.now().0).await;
        let admin = again.bind(&scene.tenant.admin_key).await;
        let tenant = Tenant { id: scene.tenant.id, admin, admin_key: scene.tenant.admin_key };
        assert_eq!(scene.answers(&again, &tenant), live);
        // And it goes on: the replayed tenant takes commands and answers them.
        again.submit(&tenant.admin, Command::ResumeSubject { subject: scene.people[0] }).await;
    }
    assert!(permitted > 0, "nothing was ever permitted");
}

/// PROPERTY: an idle tenant leaves memory; a stranger does not wake it, its own credential does, and
/// its sessions live on.
#[tokio::test]
async fn idle_tenants_sleep_and_only_their_own_wake_them() {
    let config = EngineConfig { idle_sleep_ms: 1_000, checkpoint_every_ms: 500, ..EngineConfig::default() };
    let house = House::configured(Arc::new(Memory::new(1 << 20)), START_MS, config).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    house.pass(5_000);
    assert!(house.engine.checkpoint().await);
    let entry = Arc::clone(&tenant.admin.entry);
    for _ in 0..6_000 {
        if entry.standing() == Standing::Asleep {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(entry.standing(), Standing::Asleep);
    let forged = Handle { secret: [9; 20], ..session };
    for _ in 0..1_000 {
        assert!(house.engine.hello(&forged.to_bytes(), None).is_err());
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(entry.standing(), Standing::Asleep, "a stranger woke it");
    house.bind(&session).await;
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
}

/// PROPERTY: a command happens once per id; the same id for another command or caller is refused;
/// ids far ahead or too old are refused (F-27).
#[tokio::test]
async fn f_27_ids_make_commands_happen_once() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let role = |name: &str| Command::CreateRole {
        name: Name::new(name).expect("a name"),
        patterns: vec![Pattern::new("a.b").expect("a pattern")],
    };
    let at = |ms: u64| CommandId(PublicId::new(ms, [5; 10]).0);
    let first = house.engine.submit(&tenant.admin, at(START_MS), role("one")).await.expect("done");
    let again = house.engine.submit(&tenant.admin, at(START_MS), role("one")).await.expect("repeat");
    assert_eq!((first.receipt, first.repeat, again.repeat), (again.receipt, false, true));
    let other = house.engine.submit(&tenant.admin, at(START_MS), role("two")).await;
    assert_eq!(other.err(), Some(Refusal::IdReused.into()));
    assert!(house.engine.submit(&tenant.admin, at(START_MS + 9_000), role("three")).await.is_ok());
    let ahead = house.engine.submit(&tenant.admin, at(START_MS + 11_000), role("four")).await;
    assert_eq!(ahead.err(), Some(Refusal::ClockSkew.into()));
    house.pass(16 * 60 * 1000);
    let old = house.engine.submit(&tenant.admin, at(START_MS + 1), role("five")).await;
    assert_eq!(old.err(), Some(Refusal::CommandTooOld.into()));
}

/// PROPERTY: a suspended tenant answers nothing at the next check, a resumed one does, a deleted one
/// never again; its name is free and the new tenant inherits nothing (TC-60).
#[tokio::test]
async fn tc_60_tenants_end_and_nothing_is_inherited() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let ask = || house.check(&tenant, &session, "orders.read").reason;
    house.submit(&operator, Command::SuspendTenant { tenant: tenant.id }).await;
    assert_eq!(ask(), Reason::TenantClosed);
    assert!(house.engine.hello(&session.to_bytes(), None).is_err());
    house.submit(&operator, Command::ResumeTenant { tenant: tenant.id }).await;
    assert_eq!(ask(), Reason::None);
    house.submit(&operator, Command::DeleteTenant { tenant: tenant.id, finish: false }).await;
    for _ in 0..6_000 {
        if tenant.admin.entry.status() == tessera_model::record::TenantStatus::Deleted {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(tenant.admin.entry.status(), tessera_model::record::TenantStatus::Deleted);
    assert!(house.engine.hello(&session.to_bytes(), None).is_err());
    let again = house.tenant(&operator, "acme").await;
    assert_ne!(again.id, tenant.id);
    assert_eq!(house.check(&again, &session, "orders.read").reason, Reason::OtherTenant);
}

/// PROPERTY: nobody hands out more than they have: an admin of roles and grants only cannot make
/// itself an admin of everything; a session without permissions orders nothing.
#[tokio::test]
async fn callers_order_only_what_they_may() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "granter", &["tessera.admin.roles", "tessera.admin.grants"]).await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let own = house.engine.hello(&session.to_bytes(), None).expect("bound");
    let order = |command| house.engine.submit(&own, house.engine.command_id(), command);
    assert_eq!(order(grant(amy, "granter")).await.err(), Some(Refusal::Unauthorized.into()));
    house.grant(&tenant, amy, "granter").await;
    assert!(order(grant(amy, "granter")).await.is_ok());
    assert_eq!(order(grant(amy, "tessera.admin")).await.err(), Some(Refusal::BeyondCreator.into()));
    let all = vec![Pattern::new("*").expect("a pattern")];
    let make = Command::CreateRole { name: Name::new("all").expect("a name"), patterns: all };
    assert_eq!(order(make).await.err(), Some(Refusal::BeyondCreator.into()));
    let node_only = Command::DeleteTenant { tenant: tenant.id, finish: true };
    assert_eq!(order(node_only).await.err(), Some(Refusal::Unauthorized.into()));
    let foreign =
        house.engine.submit_system(Caller::Bootstrap, house.engine.command_id(), grant(amy, "granter")).await;
    assert_eq!(foreign.err(), Some(Refusal::Unauthorized.into()));
    // The system tenant's credential is no credential of another tenant's people.
    assert!(house.engine.hello(&session.to_bytes(), Some(tessera_model::TenantId::SYSTEM)).is_err());
}

/// PROPERTY (TC-114): a command that panics reloads its tenant and is quarantined at the third time;
/// everybody else goes on.
#[cfg(feature = "planted")]
#[tokio::test]
async fn tc_114_a_command_that_panics_is_quarantined() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let id = house.engine.command_id();
    let mut unknown = 0;
    let quarantined = loop {
        match house.engine.submit(&tenant.admin, id, Command::PlantedPanic {}).await {
            Err(tessera_engine::SubmitError::Unknown) => unknown += 1,
            Err(tessera_engine::SubmitError::Refused(Refusal::NotReady)) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Err(tessera_engine::SubmitError::Refused(refusal)) => break refusal,
            Ok(_) | Err(tessera_engine::SubmitError::Wait { .. }) => panic!("done"),
        }
        assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
    };
    assert_eq!((unknown, quarantined), (3, Refusal::Quarantined));
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
    house.submit(&tenant.admin, Command::EndSubjectSessions { subject: amy }).await;
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::Revoked);
}

/// PROPERTY: what had expired stays expired after a restart with the wall clock set back, with and
/// without a checkpoint before it; far behind the journal only commands that narrow are taken (F-27).
/// TC-25 in part.
#[tokio::test]
async fn f_27_a_clock_set_back_revives_nothing() {
    for checkpointed in [false, true] {
        let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
        let house = House::over(Arc::clone(&store), START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.grant(&tenant, amy, "reader").await;
        let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
        house.pass(2 * 3_600_000);
        assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::Idle);
        house.submit(&tenant.admin, Command::ResumeSubject { subject: amy }).await;
        house.submit(&tenant.admin, grant(amy, "tessera.service")).await;
        if checkpointed {
            assert!(house.engine.checkpoint().await);
        }
        let again = House::over(store, START_MS + 1_000).await;
        let admin = again.bind(&tenant.admin_key).await;
        let back = Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
        assert_eq!(again.check(&back, &session, "orders.read").reason, Reason::Idle);
        let wide =
            again.engine.submit(&back.admin, again.engine.command_id(), grant(amy, "tessera.admin")).await;
        assert_eq!(wide.err(), Some(Refusal::ClockStopped.into()));
        let narrow = Command::EndSubjectSessions { subject: amy };
        assert!(again.engine.submit(&back.admin, again.engine.command_id(), narrow).await.is_ok());
    }
}

/// PROPERTY: what is forgotten of command ids leaves the checkpoint too: a tenant that takes a command
/// a minute does not grow with its age, and a forgotten id is still refused after a restart.
#[tokio::test]
async fn forgotten_command_ids_leave_the_checkpoint() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    let first = house.engine.command_id();
    for _ in 0..120 {
        house.pass(60_000);
        house.submit(&tenant.admin, Command::EndSubjectSessions { subject: amy }).await;
        assert!(house.engine.checkpoint().await);
    }
    let mut minutes = 0;
    let count = &mut |replay| {
        if let tessera_storage::Replay::Bucket(bucket) = replay {
            minutes += usize::from(bucket.kind == tessera_storage::BucketKind::Commands && bucket.no > 0);
        }
    };
    store.load(tenant.id, count).expect("loaded");
    assert!((10..20).contains(&minutes), "{minutes} minutes are kept");
    let again = House::over(store, house.engine.now().0).await;
    let admin = again.bind(&tenant.admin_key).await;
    let late = again.engine.submit(&admin, first, Command::EndSubjectSessions { subject: amy }).await;
    assert_eq!(late.err(), Some(Refusal::CommandTooOld.into()));
}
