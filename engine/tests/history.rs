//! Replay, sleep, repeats, panics and isolation: what a tenant's history must give back.

use crate::support;

use std::sync::Arc;
use std::time::Duration;
use support::{House, START_MS, System, Tenant, grant};
use tessera_engine::{Bound, EngineConfig, Entropy, EventBy, EventFilter, EventTold, EventsFrom, Standing};
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

/// All events that there are now, page by page.
async fn events(house: &House, by: &Bound, filter: &EventFilter, limit: usize) -> Vec<EventTold> {
    let (mut from, mut all) = (EventsFrom::First, Vec::new());
    loop {
        let page = house.engine.watch_events(by, filter.clone(), (from, limit, Duration::ZERO)).await;
        let page = page.expect("a page");
        let next = page.cursor(page.next);
        if page.events.is_empty() {
            return all;
        }
        all.extend(page.events);
        from = EventsFrom::Cursor(next);
    }
}

/// What a list of events says.
fn lines(events: &[EventTold]) -> Vec<String> {
    let line = |event: &EventTold| {
        let subject = event.subject.map(|subject| subject.to_string()).unwrap_or_default();
        let details = event.details.join(" ");
        format!("{} {} {} {subject} {details}", event.revision.0, event.kind, event.command)
    };
    events.iter().map(line).collect()
}

/// A key of a new person who may do this.
async fn holder(house: &House, tenant: &Tenant, email: &str, permissions: &[&str]) -> (PublicId, Bound) {
    let subject = house.person(tenant, email, "a long password").await;
    let role = email.split('@').next().expect("a name");
    house.role(tenant, role, permissions).await;
    house.grant(tenant, subject, role).await;
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let patterns = vec![Pattern::new("tessera.*").expect("a pattern")];
    let none = tessera_model::Private::new(Vec::new());
    let made = house.submit(&tenant.admin, support::key(subject, patterns, expires, none)).await;
    (subject, house.bind(&made.made.handle.expect("a key")).await)
}

/// PROPERTY: pages of any size give every event once, in the order of positions, from the tenant's birth on, across a
/// checkpoint and a restart; a receipt is as good as a cursor; a filter gives what a look at all of them gives. What is
/// private is told to whoever may read subjects, and of whom was erased to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_told_once_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |seed| -> Arc<dyn Store> {
        let root = tessera_storage::RootKey::new([7; 32]);
        let options = tessera_storage::Options::new(root, [9; 32], [seed; 32]);
        Arc::new(tessera_storage::Embedded::open(folder.path(), options).expect("a store"))
    };
    let store = open(1);
    let house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let name = |text| Name::new(text).expect("a name");
    let (_, auditor) = holder(&house, &tenant, "eve@example.org", &["tessera.audit"]).await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let kind = tessera_model::record::AttributeKind::Text;
    house.submit(&tenant.admin, Command::DeclareAttribute { name: name("motto"), kind }).await;
    let value = tessera_model::record::AttributeValue::Text("CANARY".into());
    let values = vec![(name("motto"), Some(value))];
    house
        .submit(
            &tenant.admin,
            Command::SetAttributes {
                subject: ann,
                values,
                held: Vec::new(),
                as_of: tessera_model::Revision(u64::MAX),
            },
        )
        .await;
    assert!(house.engine.checkpoint().await);
    house.grant(&tenant, ann, "eve").await;
    let everything = EventFilter::default();
    let all = lines(&events(&house, &tenant.admin, &everything, 1_000).await);
    println!("events: {}", all.join("\nevents: "));
    assert!(all[0].starts_with("0 tenant.born"), "{}", all[0]);
    let born = house
        .engine
        .watch_events(&tenant.admin, everything.clone(), (EventsFrom::First, 1, Duration::ZERO))
        .await;
    assert!(
        born.expect("a page").events.iter().all(|event| event.by == EventBy::Operator),
        "of another tenant"
    );
    for limit in [1, 2, 3, 7] {
        assert_eq!(lines(&events(&house, &tenant.admin, &everything, limit).await), all, "{limit}");
    }
    assert!(all.iter().any(|line| line.contains("value=CANARY")));
    let told = lines(&events(&house, &auditor, &everything, 1_000).await);
    assert!(
        told.iter().all(|line| !line.contains("CANARY"))
            && told.iter().any(|line| line.contains("value=hidden"))
    );
    assert_eq!(told.len(), all.len(), "an auditor is told of everything");
    for (kinds, subject) in [
        (vec!["grant"], None),
        (vec!["grant.added", "role"], None),
        (vec![], Some(ann)),
        (vec!["gran"], None),
    ] {
        let filter = EventFilter { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), subject };
        let found = lines(&events(&house, &tenant.admin, &filter, 2).await);
        let of_kind = |line: &String| {
            let of = line.split(' ').nth(1).expect("a kind");
            kinds.is_empty() || kinds.iter().any(|kind| of == *kind || of.starts_with(&format!("{kind}.")))
        };
        let about = |line: &String| subject.is_none_or(|subject| line.contains(&subject.to_string()));
        let right: Vec<String> = all.iter().filter(|line| of_kind(line) && about(line)).cloned().collect();
        assert_eq!(found, right, "{kinds:?}");
    }
    let done = house.submit(&tenant.admin, Command::SuspendSubject { subject: ann }).await;
    let behind = |receipt| (EventsFrom::Behind(receipt), 0, Duration::ZERO);
    let mut before = done.receipt;
    before.revision.0 -= 1;
    let page = house.engine.watch_events(&auditor, everything.clone(), behind(before)).await.expect("a page");
    let revisions: Vec<_> = page.events.iter().map(|event| event.revision).collect();
    assert!(!revisions.is_empty() && revisions.iter().all(|revision| *revision == done.receipt.revision));
    let mut beyond = done.receipt;
    beyond.revision.0 += 1;
    let refused = house.engine.watch_events(&auditor, everything.clone(), behind(beyond)).await;
    assert_eq!(refused.err(), Some(Refusal::Behind));
    for _ in 0..600 {
        let done = house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await;
        if done.made.erased == Some(true) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    house.engine.stop().await;
    store.stop();
    drop((house, store));
    let house = House::over(open(2), START_MS + 1_000).await;
    let admin = house.bind(&tenant.admin_key).await;
    let left = lines(&events(&house, &admin, &everything, 1_000).await);
    assert!(
        left.iter().all(|line| !line.contains("CANARY"))
            && left.iter().any(|line| line.contains("value=erased"))
    );
    let revisions = |lines: &[String]| {
        lines.iter().map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    let first = all.iter().filter(|line| !line.contains("identifier.")).cloned().collect::<Vec<_>>();
    let again = left.iter().filter(|line| !line.contains("identifier.")).cloned().collect::<Vec<_>>();
    assert!(revisions(&again).starts_with(&revisions(&first)), "positions stay");
}

/// PROPERTY: without the permission nobody is told of events; whoever waits is told when something happens, at once that
/// it may not any more, and nothing after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_events_ends_with_its_permission() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let (_, stranger) = holder(&house, &tenant, "bob@example.org", &["tessera.admin.relations"]).await;
    let (eve, auditor) = holder(&house, &tenant, "eve@example.org", &["tessera.audit"]).await;
    let filter = EventFilter::default;
    let now = || (EventsFrom::Now, 0, Duration::from_secs(25));
    assert_eq!(
        house.engine.watch_events(&stranger, filter(), now()).await.err(),
        Some(Refusal::Unauthorized)
    );
    let begin = house.engine.watch_events(&auditor, filter(), now()).await.expect("where to begin");
    assert!(begin.events.is_empty());
    let cursor = begin.cursor(begin.next);
    let waits = |cursor: &Vec<u8>| (EventsFrom::Cursor(cursor.clone()), 0, Duration::from_secs(25));
    let ordered = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        house.role(&tenant, "reader", &["orders.read"]).await;
    };
    let (told, ()) = tokio::join!(house.engine.watch_events(&auditor, filter(), waits(&cursor)), ordered);
    let told = told.expect("told");
    assert_eq!(told.events[0].kind, "permission.registered", "the first of what making a role does");
    let only = EventFilter { kinds: vec!["group".to_owned()], subject: None };
    let other = house.engine.watch_events(&auditor, only, waits(&cursor)).await;
    let fault = tessera_model::CursorFault::Filter;
    assert_eq!(other.err(), Some(Refusal::CursorRefused(fault)), "a cursor is of its filter");
    let behind = told.cursor(told.next);
    let ends = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let role = Name::new("eve").expect("a name");
        house.submit(&tenant.admin, Command::Ungrant { subject: eve, role, workspace: None }).await;
    };
    let (told, ()) = tokio::join!(house.engine.watch_events(&auditor, filter(), waits(&behind)), ends);
    assert_eq!(told.err(), Some(Refusal::Unauthorized));
}
