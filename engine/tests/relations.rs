//! Relations in a tenant: conditions, whole commands, models that change, replay and checkpoints.

mod spy;
mod support;

use spy::Spy;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{House, START_MS, Tenant};
use tessera_engine::{EngineConfig, SubmitError};
use tessera_model::limits::{RELATION_CHANGES_MAX, RELATION_MODEL_BYTES_MAX};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Command, Deadline, Limit, Pattern, Receipt, Refusal};
use tessera_relation::{Ask, Filter, TupleRef};
use tessera_storage::{Memory, Store};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype document\n  relations\n    define blocked: [user]\n    define viewer: [user, user:*, team#member]\n    define can_view: viewer but not blocked\n";

fn record(text: &str) -> RelationRecord {
    let words: Vec<&str> = text.split(' ').collect();
    RelationRecord {
        subject: words[0].into(),
        relation: words[1].into(),
        object: words[2].into(),
        from: Deadline::NONE,
        until: Deadline::NONE,
    }
}

fn change(act: RelationAct, condition: RelationCondition, text: &str) -> RelationChange {
    RelationChange { act, condition, tuple: record(text) }
}

fn write(text: &str) -> RelationChange {
    change(RelationAct::Write, RelationCondition::Any, text)
}

fn remove(text: &str) -> RelationChange {
    change(RelationAct::Remove, RelationCondition::Any, text)
}

struct Scene {
    house: House,
    tenant: Tenant,
}

impl Scene {
    async fn over(store: Arc<dyn Store>) -> Self {
        let house = House::over(store, START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let scene = Self { house, tenant };
        scene.model(MODEL, false).await.expect("a model");
        scene
    }

    async fn order(&self, command: Command) -> Result<Receipt, Refusal> {
        let engine = &self.house.engine;
        match engine.submit(&self.tenant.admin, engine.command_id(), command).await {
            Ok(done) => Ok(done.receipt),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    async fn model(&self, text: &str, allow_orphans: bool) -> Result<Receipt, Refusal> {
        self.order(Command::SetRelationModel { text: text.into(), allow_orphans }).await
    }

    async fn change(&self, changes: Vec<RelationChange>) -> Result<Receipt, Refusal> {
        self.order(Command::ChangeRelations { changes }).await
    }

    fn check(&self, text: &str) -> bool {
        let tuple = record(text);
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let ask = Ask::at(self.house.engine.now());
        let tuple = TupleRef { subject: &tuple.subject, relation: &tuple.relation, object: &tuple.object };
        listing.relations().check(&ask, &tuple).expect("an answer").permitted
    }

    fn stored(&self) -> Vec<(String, String, String, u32)> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let page = listing.relations().read(&Filter::default(), None, 100_000).expect("a page");
        assert!(page.next.is_none());
        let rows = page.tuples.into_iter();
        let mut rows: Vec<_> =
            rows.map(|row| (row.subject, row.relation, row.object, row.window.until.0)).collect();
        rows.sort_unstable();
        rows
    }
}

/// PROPERTY: changes happen in their order, all or none; conditions are held against what stands then; what
/// changes nothing takes no position; a repeat gets its receipt (F-20).
#[tokio::test]
async fn f_20_changes_are_whole_and_repeatable() {
    let scene = Scene::over(Arc::new(Memory::new(1 << 20))).await;
    let ann = "user:ann viewer document:1";
    let first = scene.change(vec![write(ann), write("user:ann member team:a")]).await.expect("done");
    // Already there and no condition: done, and nothing happened.
    let again = scene.change(vec![write(ann)]).await.expect("done");
    assert_eq!(again.revision, first.revision);
    let absent = change(RelationAct::Write, RelationCondition::Absent, ann);
    let other = write("user:bob viewer document:1");
    assert_eq!(scene.change(vec![other.clone(), absent]).await, Err(Refusal::RelationExists));
    assert!(!scene.check("user:bob viewer document:1"), "half of a command happened");
    let present = change(RelationAct::Require, RelationCondition::Present, "user:bob member team:a");
    assert_eq!(scene.change(vec![other.clone(), present]).await, Err(Refusal::RelationMissing));
    assert!(!scene.check("user:bob viewer document:1"));
    // Removed and written in one command: nothing changes, and there is no moment without it.
    let both = scene.change(vec![remove(ann), write(ann)]).await.expect("done");
    assert_eq!(both.revision, first.revision);
    assert_eq!(scene.change(vec![write("team:a viewer document:1")]).await, Err(Refusal::RelationMismatch));
    assert_eq!(scene.change(vec![write("user:ann viewer document:*")]).await, Err(Refusal::RelationMismatch));
    let many = (0..=1_000).map(|number| write(&format!("user:{number} viewer document:1"))).collect();
    assert!(matches!(scene.change(many).await, Err(Refusal::LimitReached(_))));

    let engine = &scene.house.engine;
    let id = engine.command_id();
    let command = || Command::ChangeRelations { changes: vec![write("user:cy viewer document:2")] };
    let once = engine.submit(&scene.tenant.admin, id, command()).await.expect("done").receipt;
    assert_eq!(engine.submit(&scene.tenant.admin, id, command()).await.expect("done").receipt, once);
    assert_eq!(once.revision.0, first.revision.0 + 1, "a hundred tuples or one: one position");
}

/// PROPERTY: a model that leaves tuples behind is refused unless asked for; what it leaves behind counts in
/// no answer, and counts again under a model that takes it; a wrong model changes nothing.
#[tokio::test]
async fn orphans_never_count() {
    let scene = Scene::over(Arc::new(Memory::new(1 << 20))).await;
    let set = "user:ann member team:a";
    scene.change(vec![write(set), write("team:a#member viewer document:1")]).await.expect("done");
    assert!(scene.check("user:ann can_view document:1"));
    let narrow = MODEL.replace("define viewer: [user, user:*, team#member]", "define viewer: [user, user:*]");
    assert_eq!(scene.model(&narrow, false).await, Err(Refusal::RelationOrphans));
    assert_eq!(scene.model("model\n  schema 1.1\ntype a b\n", true).await, Err(Refusal::RelationModelWrong));
    assert!(scene.check("user:ann can_view document:1"));
    let long = " ".repeat(RELATION_MODEL_BYTES_MAX + 1);
    assert_eq!(scene.model(&long, true).await, Err(Limit::RelationModelBytes.reached()));
    let many = vec![write(set); RELATION_CHANGES_MAX + 1];
    assert_eq!(scene.change(many).await, Err(Limit::RelationChanges.reached()));
    scene.model(&narrow, true).await.expect("a model");
    assert!(!scene.check("user:ann can_view document:1"));
    assert!(!scene.check("team:a#member viewer document:1"));
    let receipt = scene.model(MODEL, false).await.expect("a model");
    assert!(scene.check("user:ann can_view document:1"));
    assert_eq!(scene.model(MODEL, false).await, Ok(receipt), "the same model is no change");
}

/// PROPERTY: a window begins and ends at its millisecond.
#[tokio::test]
async fn windows_are_exact() {
    let scene = Scene::over(Arc::new(Memory::new(1 << 20))).await;
    let second = |after: u32| scene.house.engine.now().plus_seconds(after).to_deadline();
    let mut change = write("user:ann viewer document:1");
    (change.tuple.from, change.tuple.until) = (second(10), second(20));
    scene.change(vec![change]).await.expect("done");
    let ask = "user:ann can_view document:1";
    let mut answers = vec![scene.check(ask)];
    for ms in [9_999, 1, 9_999, 1] {
        scene.house.pass(ms);
        answers.push(scene.check(ask));
    }
    assert_eq!(answers, [false, false, true, true, false]);
}

/// PROPERTY: what is stored is what a replay of buckets and tail gives, wherever checkpoints fell, and the
/// same as in a plain map. METHOD: seeded changes, checkpoints between, a second engine over the store.
#[tokio::test]
async fn replay_gives_the_same_tuples() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 22));
    let scene = Scene::over(Arc::clone(&store)).await;
    let mut plain: BTreeMap<String, u32> = BTreeMap::new();
    let mut state = 7_u64;
    let mut next = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % bound
    };
    for round in 0..60 {
        let mut changes = Vec::new();
        for _ in 0..20 {
            let text = match next(3) {
                0 => format!("user:{} viewer document:{}", next(40), next(60)),
                1 => format!("user:{} member team:{}", next(40), next(10)),
                _ => format!("team:{}#member viewer document:{}", next(10), next(60)),
            };
            if next(3) == 0 {
                plain.remove(&text);
                changes.push(remove(&text));
            } else {
                let until = if next(4) == 0 {
                    scene.house.engine.now().plus_seconds(500).to_deadline()
                } else {
                    Deadline::NONE
                };
                let mut change = write(&text);
                change.tuple.until = until;
                plain.insert(text, until.0);
                changes.push(change);
            }
        }
        scene.change(changes).await.expect("done");
        if round % 13 == 5 {
            assert!(scene.house.engine.checkpoint().await);
        }
    }
    let mut expected: Vec<_> = plain
        .iter()
        .map(|(text, until)| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            (words[0].clone(), words[1].clone(), words[2].clone(), *until)
        })
        .collect();
    expected.sort_unstable();
    assert_eq!(scene.stored(), expected);
    let again = House::over(store, scene.house.engine.now().0).await;
    let admin = again.bind(&scene.tenant.admin_key).await;
    let tenant = Tenant { id: scene.tenant.id, admin, admin_key: scene.tenant.admin_key };
    let again = Scene { house: again, tenant };
    assert_eq!(again.stored(), expected);
    for text in plain.keys() {
        let can = text.replace(" viewer ", " can_view ");
        assert_eq!(again.check(&can), scene.check(&can), "{can}");
    }
    again.change(vec![write("user:new viewer document:1")]).await.expect("done");
    assert!(again.check("user:new can_view document:1"));
}

/// PROPERTY: a change is told however many commands about something else lie before it, by those who were there and
/// after a restart; commands about something else wake nobody who waits. METHOD: 4,200 changes of a role, then a
/// tuple; then 100 more while somebody waits, then the next tuple.
#[tokio::test]
async fn changes_are_found_behind_other_commands() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let scene = Scene::over(Arc::clone(&store)).await;
    let admin = &scene.tenant.admin;
    let name = |text| tessera_model::Name::new(text).expect("a name");
    let pattern = |text| vec![Pattern::new(text).expect("a pattern")];
    scene.order(Command::CreateRole { name: name("r"), patterns: pattern("a.b") }).await.expect("made");
    let toggle = |no: usize| Command::ChangeRole {
        name: name("r"),
        patterns: pattern(if no.is_multiple_of(2) { "a.c" } else { "a.b" }),
    };
    let engine = &scene.house.engine;
    let begin = engine.watch_relations(admin, None, (0, Duration::ZERO)).await.expect("where to begin");
    let cursor = begin.cursor(begin.next);
    for no in 0..4_200 {
        scene.order(toggle(no)).await.expect("changed");
    }
    scene.change(vec![write("user:ann viewer document:1")]).await.expect("written");
    let heard = engine.watch_relations(admin, Some(cursor.clone()), (0, Duration::ZERO)).await.expect("told");
    assert_eq!((heard.events.len(), heard.fell_behind), (1, false));
    let behind = heard.cursor(heard.events[0].behind);
    let (waited, ()) =
        tokio::join!(engine.watch_relations(admin, Some(behind), (0, Duration::from_secs(25))), async {
            for no in 0..100 {
                scene.order(toggle(no)).await.expect("changed");
            }
            scene.change(vec![write("user:bob viewer document:1")]).await.expect("written");
        });
    assert_eq!(waited.expect("told").events.len(), 1);
    engine.stop().await;
    let again = House::over(store, scene.house.engine.now().0).await;
    let admin = again.bind(&scene.tenant.admin_key).await;
    let heard = again.engine.watch_relations(&admin, Some(cursor), (0, Duration::ZERO)).await.expect("told");
    assert_eq!((heard.events.len(), heard.fell_behind), (2, false));
}

/// PROPERTY: who waits for changes is told that it may not any more, that its credential has ended, and that its
/// tenant went to sleep; none of it waits out. METHOD: a watch of 25 s beside each, and a change behind it that
/// would be told.
#[tokio::test]
async fn a_watch_ends_with_its_permission() {
    let config =
        EngineConfig { idle_sleep_ms: 5_000, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(Arc::new(Memory::new(1 << 20)), START_MS, config).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let scene = Scene { house, tenant };
    scene.model(MODEL, false).await.expect("a model");
    let (house, tenant) = (&scene.house, &scene.tenant);
    let engine = &house.engine;
    house.role(tenant, "watcher", &["tessera.admin.relations"]).await;
    let role = tessera_model::Name::new("watcher").expect("a name");
    let expires = engine.now().plus_seconds(86_400).to_deadline();
    let mut written = 0;
    for ends_credential in [false, true] {
        let subject =
            house.person(tenant, &format!("w{ends_credential}@example.org"), "a long password").await;
        house.grant(tenant, subject, "watcher").await;
        let made = house
            .submit(
                &tenant.admin,
                support::key(
                    subject,
                    vec![Pattern::new("tessera.admin.relations").expect("a pattern")],
                    expires,
                    tessera_model::Private::new(Vec::new()),
                ),
            )
            .await;
        let watcher = house.bind(&made.made.handle.expect("a key")).await;
        let begin =
            engine.watch_relations(&watcher, None, (0, Duration::ZERO)).await.expect("where to begin");
        let cursor = begin.cursor(begin.next);
        let (told, ()) = tokio::join!(
            engine.watch_relations(&watcher, Some(cursor), (0, Duration::from_secs(25))),
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let end = if ends_credential {
                    Command::SuspendSubject { subject }
                } else {
                    Command::Ungrant { subject, role: role.clone(), workspace: None }
                };
                house.submit(&tenant.admin, end).await;
                written += 1;
                scene
                    .change(vec![write(&format!("user:u{written} viewer document:1"))])
                    .await
                    .expect("written");
            }
        );
        assert_eq!(told.err(), Some(Refusal::Unauthorized));
    }
    let begin =
        engine.watch_relations(&tenant.admin, None, (0, Duration::ZERO)).await.expect("where to begin");
    let cursor = begin.cursor(begin.next);
    let slept = async {
        assert!(engine.checkpoint().await);
        house.pass(10_000);
    };
    let watch = engine.watch_relations(&tenant.admin, Some(cursor), (0, Duration::from_secs(25)));
    let both = async { tokio::join!(watch, slept) };
    let (told, ()) =
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("it heard of the sleep");
    assert_eq!(told.err(), Some(Refusal::NotReady));
}

/// PROPERTY: a tenant that wakes compiles the last model alone. METHOD: a relation that only an earlier model knows is
/// no word of the tenant that woke: a page of tuples looks at none for it.
#[tokio::test]
async fn a_wake_compiles_one_model() {
    for checkpoint in [false, true] {
        let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
        let scene = Scene::over(Arc::clone(&store)).await;
        let ancient = MODEL.replace("define blocked", "define ancient: [user]\n    define blocked");
        scene.model(&ancient, false).await.expect("a model");
        scene.model(MODEL, false).await.expect("a model");
        scene.change(vec![write("user:ann viewer document:1")]).await.expect("written");
        let looked_at = |bound: &tessera_engine::Bound| {
            let view = bound.entry.view();
            let listing = view.as_ref().expect("awake").listing();
            let filter = Filter { relation: "ancient", ..Filter::default() };
            (
                listing.relations().read(&filter, None, 10).expect("a page").looked_at,
                listing.relation_models().count(),
            )
        };
        assert_eq!(looked_at(&scene.tenant.admin).1, 3);
        assert!(looked_at(&scene.tenant.admin).0 > 0);
        if checkpoint {
            assert!(scene.house.engine.checkpoint().await);
        }
        scene.house.engine.stop().await;
        let again = House::over(store, scene.house.engine.now().0).await;
        let admin = again.bind(&scene.tenant.admin_key).await;
        assert_eq!(looked_at(&admin), (0, 3));
        let view = admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let tuple = TupleRef { subject: "user:ann", relation: "can_view", object: "document:1" };
        assert!(
            listing.relations().check(&Ask::at(again.engine.now()), &tuple).expect("an answer").permitted
        );
    }
}

/// PROPERTY: a command of a hundred tuples, windows and removals among them, is one commit of one frame, as one of a
/// single tuple is; so is one of which the last tuple is refused no commit at all. METHOD: batches that the store is
/// handed are counted.
#[tokio::test]
async fn a_hundred_tuples_are_one_commit() {
    let (batches, mut spy) = (Arc::new(AtomicUsize::new(0)), Spy::plain(Arc::new(Memory::new(1 << 20))));
    let counted = Arc::clone(&batches);
    spy.before_commit = Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        None
    });
    let scene = Scene::over(Arc::new(spy)).await;
    let mut last = scene.change(vec![write("user:ann viewer document:0")]).await.expect("written");
    for round in 0..3 {
        let before = batches.load(Ordering::SeqCst);
        let mut changes: Vec<_> =
            (0..99).map(|no| write(&format!("user:u{no} viewer document:r{round}"))).collect();
        changes.push(match round {
            0 => remove("user:ann viewer document:0"),
            _ => write(&format!("team:t{round}#member viewer document:r{round}")),
        });
        changes[7].tuple.until = Deadline(u32::MAX - 1);
        let told = scene.change(changes.clone()).await.expect("written");
        assert_eq!((batches.load(Ordering::SeqCst), told.revision.0), (before + 1, last.revision.0 + 1));
        last = told;
        changes[99] = write("user:ann viewer nothing:1");
        changes[3] = write("user:late viewer document:1");
        assert!(scene.change(changes).await.is_err());
        assert_eq!(batches.load(Ordering::SeqCst), before + 1);
    }
    assert!(scene.check("user:u98 can_view document:r2") && !scene.check("user:late viewer document:1"));
}
