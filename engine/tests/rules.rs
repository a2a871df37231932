//! Groups whose members follow from a rule: who is in them, whatever changed in which order, and what is refused.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_engine::{Held, Why};
use tessera_model::limits::{LOAD_ROWS_MAX, RULE_CONDITIONS_MAX, RULE_GROUPS_MAX, RULE_SUBJECTS_MAX};
use tessera_model::load::LoadRow;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::{
    Command, Condition, Deadline, Handle, Identifier, Limit, Name, Pattern, Private, PublicId, Reason,
    Refusal, Revision,
};

const NONE: Deadline = Deadline::NONE;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn rule(conditions: &[&str]) -> Vec<Condition> {
    conditions.iter().map(|text| Condition::new(text).expect("a condition")).collect()
}

fn ruled(group: &str, conditions: &[&str]) -> Command {
    Command::CreateGroup { name: name(group), rule: rule(conditions) }
}

fn change(group: &str, conditions: &[&str]) -> Command {
    Command::ChangeGroupRule { name: name(group), rule: rule(conditions) }
}

fn grant(group: &str, role: &str) -> Command {
    let (group, role) = (name(group), name(role));
    Command::GrantGroup { group, role, workspace: None, from: NONE, until: NONE }
}

fn text(value: &str) -> Option<AttributeValue> {
    Some(AttributeValue::Text(value.into()))
}

fn set(subject: PublicId, values: &[(&str, Option<AttributeValue>)]) -> Command {
    let values = values.iter().map(|(attribute, value)| (name(attribute), value.clone())).collect();
    Command::SetAttributes { subject, values, held: Vec::new(), as_of: Revision(u64::MAX) }
}

fn row(values: &[(&str, &str)], serial: u64) -> LoadRow {
    LoadRow {
        kind: SubjectKind::Person,
        suspended: false,
        identifiers: Vec::new(),
        password: Private::default(),
        values: values
            .iter()
            .map(|(key, value)| (name(key), AttributeValue::Text((*value).into())))
            .collect(),
        grants: Vec::new(),
        serial,
    }
}

/// A tenant with declared attributes, and ann, who is signed in.
struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    session: Handle,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        let kinds = [
            ("department", AttributeKind::Text),
            ("mail", AttributeKind::Text),
            ("floor", AttributeKind::Integer),
            ("remote", AttributeKind::Bool),
        ];
        for (attribute, kind) in kinds {
            house.submit(&tenant.admin, Command::DeclareAttribute { name: name(attribute), kind }).await;
        }
        let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
        Self { house, tenant, ann, session }
    }

    async fn done(&self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            self.house.submit(&self.tenant.admin, command).await;
        }
    }

    async fn left(&self, command: Command) -> Option<u32> {
        self.house.submit(&self.tenant.admin, command).await.made.left
    }

    async fn refused(&self, command: Command) -> Refusal {
        self.house.refused(&self.tenant.admin, command).await
    }

    fn reads(&self) -> Reason {
        self.house.check(&self.tenant, &self.session, "orders.read").reason
    }

    fn members(&self, group: &str) -> Vec<PublicId> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let id = listing.group_named(&name(group)).expect("a group").id;
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let page = listing.members(id, false, after, 1_000);
            all.extend(page.rows.iter().map(|row| row.subject));
            let Some(next) = page.next else { return all };
            after = next;
        }
    }

    /// The same tenant after another start.
    async fn again(&self) -> Self {
        let house = House::over(Arc::clone(&self.house.store), START_MS).await;
        let admin = house.bind(&self.tenant.admin_key).await;
        let tenant = Tenant { id: self.tenant.id, admin, admin_key: self.tenant.admin_key };
        Self { house, tenant, ann: self.ann, session: self.session }
    }
}

/// PROPERTY: whoever has what a rule asks for is in the group, at the next check after any change of a value, a rule or
/// a status, through groups above as well; lists, explanation and review say so.
#[tokio::test]
async fn a_group_follows_its_rule() {
    let scene = Scene::new().await;
    let setup = [
        ruled("sales", &["department=sales|support", "remote=false"]),
        ruled("upstairs", &["floor=3|+4"]),
        ruled("ours", &["mail=*@example.org"]),
        ruled("placed", &["floor=*"]),
        Command::CreateGroup { name: name("staff"), rule: Vec::new() },
        Command::AddSubgroup {
            group: name("staff"),
            member: name("sales"),
            from: Deadline::NONE,
            until: Deadline::NONE,
        },
        grant("staff", "reader"),
    ];
    scene.done(setup).await;
    assert_eq!(scene.reads(), Reason::NotGranted);
    scene.done([set(scene.ann, &[("department", text("sales"))])]).await;
    assert_eq!(scene.reads(), Reason::NotGranted, "all conditions hold, or none counts");
    scene.done([set(scene.ann, &[("remote", Some(AttributeValue::Bool(false)))])]).await;
    assert_eq!((scene.reads(), scene.members("sales")), (Reason::None, vec![scene.ann]));
    let listed = {
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let why = Why {
            context: None,
            entities: None,
            subject: scene.ann,
            through: None,
            permission: name("orders.read"),
            workspace: None,
            resource: None,
            at: scene.house.engine.now(),
        };
        let told = listing.explain(&why, &tessera_engine::Draft::default()).expect("explained");
        let groups = told.sources.iter().map(|source| source.groups.clone()).collect::<Vec<_>>();
        assert_eq!(groups, [[name("sales"), name("staff")]]);
        let record = listing.group_named(&name("upstairs")).expect("a group");
        assert_eq!((listing.rule(record), listing.rule_left(record)), (rule(&["floor=3|4"]), 0));
        scene
            .house
            .engine
            .review(&scene.tenant.admin, &listing, (tessera_engine::ReviewPlace::default(), 100))
            .expect("reviewed")
    };
    let mut held = listed.rows.iter().filter(|row| row.held == Held::Group(name("sales")));
    assert_eq!(held.next().map(|row| (row.by_rule, row.by())), Some((true, Some("rule".to_owned()))));
    scene.done([set(scene.ann, &[("department", text("supporters"))])]).await;
    assert_eq!(scene.reads(), Reason::NotGranted);
    scene.done([set(scene.ann, &[("department", text("support"))])]).await;
    assert_eq!(scene.reads(), Reason::None);
    scene.done([change("sales", &["department=sales"])]).await;
    assert_eq!(scene.reads(), Reason::NotGranted);
    scene.done([change("sales", &["department=*port"])]).await;
    assert_eq!(scene.reads(), Reason::None);
    scene.done([set(scene.ann, &[("department", None)])]).await;
    assert_eq!((scene.reads(), scene.members("sales")), (Reason::NotGranted, vec![]));
    let values = [("floor", Some(AttributeValue::Integer(4))), ("mail", text("ann@example.org"))];
    scene.done([set(scene.ann, &values)]).await;
    for group in ["upstairs", "ours", "placed"] {
        assert_eq!(scene.members(group), [scene.ann], "{group}");
    }
    scene.done([set(scene.ann, &[("mail", text("ann@example.org.evil.example"))])]).await;
    assert_eq!(scene.members("ours"), []);
    // Whoever is suspended stays in what she is in, and may nothing; whoever is deleted is in nothing.
    scene.done([Command::SuspendSubject { subject: scene.ann }]).await;
    assert_eq!(scene.members("placed"), [scene.ann]);
    scene.done([set(scene.ann, &[("department", text("import"))])]).await;
    assert_eq!((scene.members("sales"), scene.reads()), (vec![scene.ann], Reason::Revoked));
    scene.done([Command::ResumeSubject { subject: scene.ann }]).await;
    let session = scene.house.sign_in(&scene.tenant, "ann@example.org", "correct horse").await.expect("in");
    assert_eq!(scene.house.check(&scene.tenant, &session, "orders.read").reason, Reason::None);
    scene.done([Command::DeleteSubject { subject: scene.ann }]).await;
    for group in ["sales", "upstairs", "placed"] {
        assert_eq!(scene.members(group), [], "{group}");
    }
}

/// PROPERTY: a deleted group takes its rule with it, and one of the same name is another one.
#[tokio::test]
async fn a_deleted_rule_brings_nobody_in() {
    let scene = Scene::new().await;
    scene.done([ruled("sales", &["department=sales"]), grant("sales", "reader")]).await;
    scene.done([set(scene.ann, &[("department", text("sales"))])]).await;
    assert_eq!(scene.reads(), Reason::None);
    scene.done([Command::DeleteGroup { name: name("sales") }]).await;
    assert_eq!(scene.reads(), Reason::NotGranted);
    scene.done([set(scene.ann, &[("department", text("other"))])]).await;
    scene.done([ruled("sales", &["department=other"])]).await;
    assert_eq!((scene.reads(), scene.members("sales")), (Reason::NotGranted, vec![scene.ann]));
}

/// PROPERTY: what a rule cannot be is refused by its reason, and so is a member beside it.
#[tokio::test]
async fn what_is_no_rule_is_refused() {
    let scene = Scene::new().await;
    let none = Command::CreateGroup { name: name("plain"), rule: Vec::new() };
    scene.done([none, ruled("sales", &["department=sales"])]).await;
    let add = Command::AddMember { group: name("sales"), subject: scene.ann, from: NONE, until: NONE };
    assert_eq!(scene.refused(add).await, Refusal::RuleGroup);
    let remove = Command::RemoveMember { group: name("sales"), subject: scene.ann };
    assert_eq!(scene.refused(remove).await, Refusal::RuleGroup);
    assert_eq!(scene.refused(change("plain", &["department=sales"])).await, Refusal::NoRule);
    assert_eq!(scene.refused(change("nobody", &["department=sales"])).await, Refusal::GroupUnknown);
    assert_eq!(scene.refused(change("sales", &[])).await, Refusal::Malformed);
    assert_eq!(scene.refused(ruled("x", &["nothing=1"])).await, Refusal::AttributeUnknown);
    for wrong in
        ["floor=high", "floor=3|x", "floor=*3", "remote=yes", "remote=*e", "floor=9223372036854775808"]
    {
        assert_eq!(scene.refused(ruled("x", &[wrong])).await, Refusal::AttributeKind, "{wrong}");
        assert_eq!(scene.refused(change("sales", &[wrong])).await, Refusal::AttributeKind, "{wrong}");
    }
    let many = vec!["department=a"; RULE_CONDITIONS_MAX + 1];
    assert_eq!(scene.refused(ruled("x", &many)).await, Limit::RuleConditions.reached());
    for no in 1..RULE_GROUPS_MAX {
        scene.done([ruled(&format!("g{no}"), &["department=sales"])]).await;
    }
    assert_eq!(scene.refused(ruled("x", &["department=a"])).await, Limit::RuleGroups.reached());
    // She comes to be in all of them at once.
    scene.done([set(scene.ann, &[("department", text("sales"))])]).await;
    assert_eq!(scene.members("g1000"), [scene.ann]);
}

/// PROPERTY: nobody brings anybody to one of the engine's permissions by a rule, a value or a row that they do not
/// hold themselves.
#[tokio::test]
async fn a_rule_hands_out_no_more_than_its_writer_has() {
    let scene = Scene::new().await;
    let clerk = ["tessera.admin.subjects", "tessera.admin.groups", "tessera.admin.settings"];
    scene.house.role(&scene.tenant, "clerk", &clerk).await;
    scene.house.grant(&scene.tenant, scene.ann, "clerk").await;
    let bob = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    scene.done([ruled("heads", &["department=heads"]), grant("heads", "tessera.admin")]).await;
    scene.done([ruled("sales", &["department=sales"]), grant("sales", "reader")]).await;
    scene.done([set(bob, &[("department", text("sales"))])]).await;
    let ann = scene.house.engine.hello(&scene.session.to_bytes(), None).expect("bound");
    let beyond = Refusal::BeyondCreator;
    let heads = [("department", text("heads"))];
    assert_eq!(scene.house.refused(&ann, set(scene.ann, &heads)).await, beyond);
    assert_eq!(scene.house.refused(&ann, change("heads", &["department=sales"])).await, beyond);
    let load = async |value| {
        let (engine, rows) = (&scene.house.engine, vec![row(&[("department", value)], 1)]);
        let done = engine.load_subjects(&ann, engine.command_id(), rows, false).await.expect("told");
        done.made.loaded.expect("told")
    };
    let told = load("heads").await;
    assert_eq!((told.made, told.rejected.first().map(|row| row.refusal)), (0, Some(beyond)));
    assert_eq!(load("sales").await.made, 1);
    scene.house.submit(&ann, set(scene.ann, &[("department", text("sales"))])).await;
    scene.house.submit(&ann, change("sales", &["department=sales|support"])).await;
    // What is there already is not brought by whoever changes something else.
    scene.done([set(bob, &heads)]).await;
    scene.house.submit(&ann, set(bob, &[("mail", text("bob@example.org"))])).await;
    scene.house.submit(&ann, set(bob, &[("department", None)])).await;
    assert_eq!(scene.house.refused(&ann, set(bob, &heads)).await, beyond);
}

/// PROPERTY: an operator whose key covers a part of the power brings nobody to any through a rule of a tenant.
#[tokio::test]
async fn a_lesser_operator_hands_out_nothing_by_rules() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    let kind = AttributeKind::Text;
    house.submit(&tenant.admin, Command::DeclareAttribute { name: name("department"), kind }).await;
    let patterns = ["tessera.admin.tenants", "tessera.admin.groups", "tessera.admin.subjects"];
    let lesser = Command::CreateKey {
        subject: operator.subject,
        patterns: patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect(),
        expires: house.engine.now().plus_seconds(3_600).to_deadline(),
        description: Private::default(),
        client: None,
        networks: Vec::new(),
    };
    let key = house.submit(&operator, lesser).await.made.handle.expect("a key");
    let lesser = house.engine.hello(&key.to_bytes(), Some(tenant.id)).expect("bound");
    house.submit(&lesser, set(bob, &[("department", text("heads"))])).await;
    house.submit(&tenant.admin, ruled("heads", &["department=bosses"])).await;
    house.submit(&lesser, set(bob, &[("department", text("sales"))])).await;
    house.submit(&tenant.admin, grant("heads", "tessera.admin")).await;
    let values = [("department", text("bosses"))];
    assert_eq!(house.refused(&lesser, set(bob, &values)).await, Refusal::BeyondCreator);
    let rule = change("heads", &["department=sales"]);
    assert_eq!(house.refused(&lesser, rule).await, Refusal::BeyondCreator);
    // So is power of an application alone; what brings nobody anywhere is as free as before.
    let clerk = vec![Pattern::new("orders.*").expect("a pattern")];
    house.submit(&tenant.admin, Command::CreateRole { name: name("clerk"), patterns: clerk }).await;
    house.submit(&tenant.admin, ruled("desk", &["department=desk"])).await;
    house.submit(&lesser, set(bob, &[("department", text("desk"))])).await;
    house.submit(&lesser, set(bob, &[("department", text("sales"))])).await;
    house.submit(&tenant.admin, grant("desk", "clerk")).await;
    let desk = [("department", text("desk"))];
    assert_eq!(house.refused(&lesser, set(bob, &desk)).await, Refusal::BeyondCreator);
    house.submit(&lesser, set(bob, &[("department", text("none"))])).await;
    let rows = vec![row(&[("department", "bosses")], 1)];
    let loaded = house.engine.load_subjects(&lesser, house.engine.command_id(), rows, false).await;
    assert_eq!(loaded.err(), Some(Refusal::BeyondCreator.into()));
}

/// PROPERTY: the last operator stays one, whatever rule or value she is one by.
#[tokio::test]
async fn the_last_operator_by_a_rule_stays_one() {
    let house = House::new().await;
    let operator = house.operator().await;
    let kind = AttributeKind::Text;
    let (ops, id) = ([("duty", text("ops"))], operator.subject);
    house.submit(&operator, Command::DeclareAttribute { name: name("duty"), kind }).await;
    for command in [ruled("ops", &["duty=ops"]), grant("ops", "tessera.admin"), set(id, &ops)] {
        house.submit(&operator, command).await;
    }
    house
        .submit(&operator, Command::Ungrant { subject: id, role: name("tessera.admin"), workspace: None })
        .await;
    let last = Refusal::LastOperator;
    assert_eq!(house.refused(&operator, set(id, &[("duty", None)])).await, last);
    assert_eq!(house.refused(&operator, change("ops", &["duty=other"])).await, last);
    assert_eq!(house.refused(&operator, Command::DeleteGroup { name: name("ops") }).await, last);
    house.submit(&operator, change("ops", &["duty=ops|other"])).await;
    house.submit(&operator, set(id, &[("duty", text("other"))])).await;
}

/// PROPERTY: a rule reaches many subjects in slices: those that it has reached follow it, the others what was before,
/// new ones too; the same order goes on where it stopped, after another start as well, and the end is the same.
/// METHOD: more subjects than a slice has, by bulk load, which brings them into their groups at once.
#[tokio::test]
async fn a_rule_reaches_many_in_slices() {
    let scene = Scene::new().await;
    scene.done([ruled("even", &["department=d0"])]).await;
    let slice = usize::try_from(RULE_SUBJECTS_MAX).expect("small");
    let count = slice + 1_000;
    let rows: Vec<_> = (0..count).map(|no| row(&[("department", ["d0", "d1"][no % 2])], no as u64)).collect();
    for rows in rows.chunks(LOAD_ROWS_MAX) {
        let engine = &scene.house.engine;
        let by = &scene.tenant.admin;
        engine.load_subjects(by, engine.command_id(), rows.to_vec(), false).await.expect("loaded");
    }
    let even = scene.members("even");
    assert_eq!(even.len(), count / 2);
    let left = scene.left(change("even", &["department=d1"])).await.expect("told");
    assert!((1_000..1_010).contains(&left), "{left}");
    let half = scene.members("even");
    assert!(
        half.iter().filter(|id| even.contains(id)).count() >= 490,
        "the last ones follow what was before"
    );
    assert_eq!(scene.refused(change("even", &["department=d2"])).await, Refusal::RuleUnsettled);
    // The rule before takes it back; all of it begins anew.
    assert_eq!(scene.left(change("even", &["department=d0"])).await, Some(0));
    assert_eq!(scene.members("even"), even);
    assert_eq!(scene.left(change("even", &["department=d1"])).await, Some(left));
    assert_eq!(scene.members("even"), half);
    let bob = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    scene.done([set(bob, &[("department", text("d0"))])]).await;
    assert!(scene.members("even").contains(&bob), "nobody new is reached before the others");
    let before = scene.members("even");
    assert!(scene.house.engine.checkpoint().await);
    let again = scene.again().await;
    assert_eq!(again.members("even"), before);
    assert_eq!(again.left(change("even", &["department=d1"])).await, Some(0));
    assert_eq!(again.left(change("even", &["department=d1"])).await, Some(0), "nothing is left to do");
    let odd = again.members("even");
    assert_eq!(odd.len(), count / 2);
    assert!(!odd.iter().any(|id| even.contains(id)) && !odd.contains(&bob));
    // A group that is made of many is reached likewise.
    let left = again.left(ruled("late", &["department=d1"])).await.expect("told");
    assert!(left > 0 && again.members("late").len() < odd.len());
    assert_eq!(again.left(change("late", &["department=d1"])).await, Some(0));
    assert_eq!(again.members("late"), odd);
    assert_eq!(again.again().await.members("late"), odd);
}

/// PROPERTY: memberships by rules are the same after a checkpoint and a new start, whatever came in which order.
#[tokio::test]
async fn rules_outlive_the_node() {
    let scene = Scene::new().await;
    let identifiers = vec![Identifier::guess("eve@example.org").expect("an identifier")];
    let engine = &scene.house.engine;
    let eve = engine
        .create_subject(&scene.tenant.admin, engine.command_id(), (SubjectKind::Person, identifiers), None)
        .await
        .expect("made")
        .made
        .subject
        .expect("an id");
    scene.done([set(scene.ann, &[("department", text("sales"))])]).await;
    scene.done([ruled("sales", &["department=sales"]), ruled("gone", &["department=*"])]).await;
    scene
        .done([set(eve, &[("department", text("sales")), ("floor", Some(AttributeValue::Integer(3)))])])
        .await;
    scene.done([change("sales", &["department=sales", "floor=3"]), grant("sales", "reader")]).await;
    scene.done([Command::DeleteGroup { name: name("gone") }]).await;
    let told = |scene: &Scene| (scene.members("sales"), scene.reads());
    assert_eq!(told(&scene), (vec![eve], Reason::NotGranted));
    for checkpoint in [false, true] {
        if checkpoint {
            assert!(scene.house.engine.checkpoint().await);
        }
        let again = scene.again().await;
        assert_eq!(told(&again), (vec![eve], Reason::NotGranted), "checkpoint: {checkpoint}");
        if checkpoint {
            again.done([set(again.ann, &[("floor", Some(AttributeValue::Integer(3)))])]).await;
            assert_eq!(told(&again), (vec![scene.ann, eve], Reason::None));
        }
    }
}
