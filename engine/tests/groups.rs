//! Groups and roles above roles: who has what through whom, and what is refused.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_model::limits::{GROUP_DEPTH_MAX, GROUPS_PER_SUBJECT_MAX, ROLE_DEPTH_MAX};
use tessera_model::{
    CheckQuery, Command, Deadline, Handle, Limit, Name, Pattern, PermissionRef, Private, PublicId, Reason,
    Receipt, Refusal, WorkspaceRef,
};

const NONE: Deadline = Deadline::NONE;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn group(text: &str) -> Command {
    Command::CreateGroup { name: name(text), rule: Vec::new() }
}

fn nest(outer: &str, inner: &str) -> Command {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    Command::AddSubgroup { group: name(outer), member: name(inner), from, until }
}

fn join(group: &str, subject: PublicId) -> Command {
    Command::AddMember { group: name(group), subject, from: NONE, until: NONE }
}

fn grant(group: &str, role: &str, workspace: Option<&str>) -> Command {
    let workspace = workspace.map(name);
    Command::GrantGroup { group: name(group), role: name(role), workspace, from: NONE, until: NONE }
}

fn parents(role: &str, parents: &[&str]) -> Command {
    Command::SetRoleParents { name: name(role), parents: parents.iter().map(|text| name(text)).collect() }
}

/// A tenant with ann, who is signed in.
struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    session: Handle,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        for (role, pattern) in [("reader", "orders.read"), ("boss", "orders.*"), ("writer", "orders.write")] {
            house.role(&tenant, role, &[pattern]).await;
        }
        let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
        Self { house, tenant, ann, session }
    }

    async fn done(&self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            self.house.submit(&self.tenant.admin, command).await;
        }
    }

    async fn refused(&self, command: Command) -> Refusal {
        self.house.refused(&self.tenant.admin, command).await
    }

    fn asks(&self, permission: &str, workspace: Option<&str>) -> Reason {
        let view = self.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let query = CheckQuery {
            handle: &self.session.to_bytes(),
            permission: PermissionRef::Name(permission),
            workspace: workspace.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name),
            at_least: Receipt::default(),
            address: None,
        };
        let reading = view.read(self.house.engine.now());
        self.house.engine.check(&self.tenant.admin, &reading, &query).reason
    }

    /// The members of a group: those in it itself, or all.
    fn members(&self, group: &str, nested: bool) -> Vec<(PublicId, bool, Vec<String>)> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let id = listing.group_named(&name(group)).expect("a group").id;
        let rows = listing.members(id, nested, 0, 100).rows.into_iter();
        let texts = |names: Vec<Name>| names.iter().map(ToString::to_string).collect();
        rows.map(|row| (row.subject, row.way.direct, texts(row.way.through))).collect()
    }

    /// Ann's groups: name and whether she is in it itself.
    fn groups(&self) -> Vec<(String, bool)> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let ann = listing.subject(self.ann).expect("ann").index;
        let rows = listing.memberships(ann, 0, 100).rows.into_iter();
        rows.map(|row| (row.group.to_string(), row.way.direct)).collect()
    }
}

/// PROPERTY: what an outer group is granted, members of an inner one have; not the other way round. Lists tell
/// direct from effective (F-35).
#[tokio::test]
async fn f_35_members_of_an_inner_group_have_what_the_outer_one_has() {
    let scene = Scene::new().await;
    let bob = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    let setup = [
        group("users"),
        group("admins"),
        nest("users", "admins"),
        grant("users", "reader", None),
        grant("admins", "boss", None),
        join("admins", scene.ann),
        join("users", bob),
    ];
    scene.done(setup).await;
    assert_eq!([scene.asks("orders.read", None), scene.asks("orders.write", None)], [Reason::None; 2]);
    assert_eq!(scene.groups(), [("users".into(), false), ("admins".into(), true)]);
    assert_eq!(scene.members("users", false), [(bob, true, vec![])]);
    let all = [(scene.ann, false, vec!["admins".to_owned()]), (bob, true, vec![])];
    assert_eq!(scene.members("users", true), all);
    assert_eq!(scene.members("admins", true), [(scene.ann, true, vec![])]);
    let session = scene.house.sign_in(&scene.tenant, "bob@example.org", "correct horse").await;
    let bobs = Scene { session: session.expect("signed in"), ..scene };
    assert_eq!(bobs.asks("orders.read", None), Reason::None);
    assert_eq!(bobs.asks("orders.write", None), Reason::NotGranted);
}

/// PROPERTY: a deleted group leaves nothing behind, and one of the same name is another group (F-36); so with
/// each single thing that was taken back.
/// TC-60 in part: groups.
#[tokio::test]
async fn f_36_a_group_of_the_same_name_is_another_group() {
    let scene = Scene::new().await;
    let north = Command::CreateWorkspace { name: name("north"), parent: None, inherits: true };
    let make = [group("users"), grant("users", "reader", Some("north")), join("users", scene.ann)];
    scene.done([north]).await;
    scene.done(make.clone()).await;
    assert_eq!(scene.asks("orders.read", Some("north")), Reason::None);
    assert_eq!(scene.asks("orders.read", None), Reason::NotGranted);
    scene.done([Command::DeleteGroup { name: name("users") }]).await;
    assert_eq!(scene.asks("orders.read", Some("north")), Reason::NotGranted);
    assert_eq!(scene.groups(), []);
    scene.done([group("users"), grant("users", "reader", Some("north"))]).await;
    assert_eq!(scene.asks("orders.read", Some("north")), Reason::NotGranted);
    assert_eq!(scene.members("users", true), []);
    scene.done([join("users", scene.ann)]).await;
    assert_eq!(scene.asks("orders.read", Some("north")), Reason::None);
    for (undo, redo) in [
        (
            Command::UngrantGroup {
                group: name("users"),
                role: name("reader"),
                workspace: Some(name("north")),
            },
            grant("users", "reader", Some("north")),
        ),
        (Command::RemoveMember { group: name("users"), subject: scene.ann }, join("users", scene.ann)),
    ] {
        scene.done([undo]).await;
        assert_eq!(scene.asks("orders.read", Some("north")), Reason::NotGranted);
        scene.done([redo]).await;
        assert_eq!(scene.asks("orders.read", Some("north")), Reason::None);
    }
    // The role and the workspace take the group's grant with them.
    scene.done([Command::DeleteRole { name: name("reader") }]).await;
    assert_eq!(scene.asks("orders.read", Some("north")), Reason::NotGranted);
}

/// PROPERTY: a membership counts from `from` to the millisecond before `until`, and the answer says so.
#[tokio::test]
async fn memberships_have_windows() {
    let scene = Scene::new().await;
    scene.done([group("users"), grant("users", "reader", None)]).await;
    let now = scene.house.engine.now();
    let (from, until) = (now.plus_seconds(10).to_deadline(), now.plus_seconds(20).to_deadline());
    let member = Command::AddMember { group: name("users"), subject: scene.ann, from, until };
    scene.done([member.clone()]).await;
    let mut told = vec![];
    for _ in 0..21 {
        told.push(scene.asks("orders.read", None) == Reason::None);
        scene.house.pass(1_000);
    }
    let right: Vec<bool> = (0..21).map(|second| (10..20).contains(&second)).collect();
    assert_eq!(told, right);
    assert_eq!(scene.refused(member).await, Refusal::DeadlinePassed);
}

/// PROPERTY: what lies in itself, too deep or in too many is refused, each by its name; nothing changes.
#[tokio::test]
async fn circles_and_depths_are_refused() {
    let scene = Scene::new().await;
    let called = |no: usize| format!("g{no:03}");
    for no in 0..=GROUP_DEPTH_MAX {
        scene.done([group(&called(no))]).await;
    }
    for no in 1..GROUP_DEPTH_MAX {
        scene.done([nest(&called(no - 1), &called(no))]).await;
    }
    assert_eq!(scene.refused(nest("g003", "g003")).await, Refusal::Cycle);
    assert_eq!(scene.refused(nest("g007", "g002")).await, Refusal::Cycle);
    let deep = nest(&called(GROUP_DEPTH_MAX - 1), &called(GROUP_DEPTH_MAX));
    assert_eq!(scene.refused(deep).await, Limit::GroupDepth.reached());
    let above = nest(&called(GROUP_DEPTH_MAX), "g000");
    assert_eq!(scene.refused(above).await, Limit::GroupDepth.reached());
    assert_eq!(scene.refused(nest("g000", "nobody")).await, Refusal::GroupUnknown);
    assert_eq!(scene.refused(group("g001")).await, Refusal::Duplicate);
    assert_eq!(scene.refused(join("nobody", scene.ann)).await, Refusal::GroupUnknown);
    assert_eq!(scene.refused(join("g001", PublicId::default())).await, Refusal::SubjectUnknown);
    assert_eq!(scene.refused(grant("g001", "nothing", None)).await, Refusal::RoleUnknown);
    // Ann at the bottom has what the top has.
    scene.done([join(&called(GROUP_DEPTH_MAX - 1), scene.ann), grant("g000", "reader", None)]).await;
    assert_eq!(scene.asks("orders.read", None), Reason::None);
    for no in 0..GROUPS_PER_SUBJECT_MAX {
        let called = format!("h{no}");
        scene.done([group(&called)]).await;
        let more = join(&called, scene.ann);
        if no + 1 < GROUPS_PER_SUBJECT_MAX {
            scene.done([more]).await;
        } else {
            assert_eq!(scene.refused(more).await, Limit::GroupsPerSubject.reached());
        }
    }
}

/// PROPERTY: a role covers what its parents cover, at once and through every level; a circle is refused, and a
/// deleted parent gives nothing.
#[tokio::test]
async fn roles_cover_what_their_parents_cover() {
    let scene = Scene::new().await;
    scene.done([support::grant(scene.ann, "reader")]).await;
    assert_eq!(scene.asks("orders.write", None), Reason::NotGranted);
    scene.done([parents("reader", &["writer"])]).await;
    assert_eq!(scene.asks("orders.write", None), Reason::None);
    assert_eq!(scene.refused(parents("writer", &["reader"])).await, Refusal::Cycle);
    assert_eq!(scene.refused(parents("writer", &["writer"])).await, Refusal::Cycle);
    assert_eq!(scene.refused(parents("writer", &["none"])).await, Refusal::RoleUnknown);
    assert_eq!(scene.refused(parents("tessera.service", &["reader"])).await, Refusal::BuiltIn);
    scene.house.role(&scene.tenant, "top", &["bills.*"]).await;
    scene.done([Command::RegisterPermission { name: name("bills.pay") }]).await;
    assert_eq!(scene.asks("bills.pay", None), Reason::NotGranted);
    scene.done([parents("writer", &["top"])]).await;
    assert_eq!(scene.asks("bills.pay", None), Reason::None);
    // What is registered later comes down too.
    scene.done([Command::RegisterPermission { name: name("bills.sign") }]).await;
    assert_eq!(scene.asks("bills.sign", None), Reason::None);
    let uses = |role: &str| {
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        listing.role_uses(listing.role_named(&name(role)).expect("a role")).len()
    };
    assert_eq!([uses("top"), uses("writer"), uses("reader")], [1, 1, 0]);
    scene.done([Command::DeleteRole { name: name("writer") }]).await;
    for permission in ["orders.write", "bills.pay", "bills.sign"] {
        assert_eq!(scene.asks(permission, None), Reason::NotGranted);
    }
    assert_eq!(scene.asks("orders.read", None), Reason::None);
    // Levels are bounded.
    for no in 0..ROLE_DEPTH_MAX {
        scene.house.role(&scene.tenant, &format!("r{no}"), &[]).await;
        if no > 0 {
            scene.done([parents(&format!("r{no}"), &[&format!("r{}", no - 1)])]).await;
        }
    }
    let deep = parents("reader", &[&format!("r{}", ROLE_DEPTH_MAX - 1)]);
    assert_eq!(scene.refused(deep).await, Limit::RoleDepth.reached());
    assert_eq!(scene.refused(parents("r0", &["top"])).await, Limit::RoleDepth.reached());
}

/// PROPERTY: nobody comes to more power over the tenant through groups or parents of roles than they may hand
/// out. METHOD: a caller with the permissions for groups, roles and grants alone, every way.
/// TC-61 in part: groups.
#[tokio::test]
async fn groups_hand_out_no_more_than_the_caller_has() {
    let scene = Scene::new().await;
    let setup = [group("admins"), grant("admins", "tessera.admin", None), group("mine"), group("inner")];
    scene.done(setup).await;
    let needs = ["tessera.admin.groups", "tessera.admin.roles", "tessera.admin.grants"];
    scene.house.role(&scene.tenant, "helper", &needs).await;
    scene.done([support::grant(scene.ann, "helper")]).await;
    let ann = scene.house.bind(&scene.session).await;
    let order = async |command| {
        let engine = &scene.house.engine;
        engine.submit(&ann, engine.command_id(), command).await.map(drop)
    };
    let beyond = Err(Refusal::BeyondCreator.into());
    assert_eq!(order(join("admins", scene.ann)).await, beyond);
    assert_eq!(order(nest("admins", "mine")).await, beyond);
    assert_eq!(order(grant("mine", "tessera.admin", None)).await, beyond);
    assert_eq!(order(parents("reader", &["tessera.admin"])).await, beyond);
    assert_eq!(order(join("mine", scene.ann)).await, Ok(()));
    assert_eq!(order(grant("mine", "boss", None)).await, Ok(()));
    assert_eq!(order(nest("mine", "inner")).await, Ok(()));
    scene.done([nest("admins", "mine")]).await;
    assert_eq!(order(join("inner", scene.ann)).await, Ok(()), "she is an admin through mine by now");
}

/// PROPERTY: an operator whose key covers a part of the power hands none of it out in a tenant, by no way.
#[tokio::test]
async fn a_lesser_operator_hands_out_nothing() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    for command in [group("admins"), grant("admins", "tessera.admin", None), group("mine")] {
        house.submit(&tenant.admin, command).await;
    }
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, ann, "reader").await;
    let patterns = [
        "tessera.admin.tenants",
        "tessera.admin.groups",
        "tessera.admin.roles",
        "tessera.admin.grants",
        "tessera.admin.services",
    ];
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
    let order = |command| house.engine.submit(&lesser, house.engine.command_id(), command);
    assert!(order(group("harmless")).await.is_ok());
    let own = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let (own, admin) = (house.bind(&own).await, name("tessera.admin"));
    let (duration_s, reason) = (3_600, "why".into());
    let ask = Command::RequestRole { subject: ann, role: admin, workspace: None, duration_s, reason };
    let request = house.submit(&own, ask).await.made.request.expect("an id");
    let workspace = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
    house.submit(&tenant.admin, workspace).await;
    let everything = vec![Pattern::new("*").expect("a pattern")];
    let role = name("reader");
    for command in [
        join("admins", ann),
        nest("admins", "mine"),
        grant("mine", "tessera.admin", None),
        parents("reader", &["tessera.admin"]),
        Command::RenewGrant { subject: ann, role, workspace: None, until: NONE },
        support::grant(ann, "tessera.admin"),
        Command::ApproveRequest { request },
        Command::CreateRole { name: name("all"), patterns: everything.clone() },
        Command::CreateRoleIn { workspace: name("berlin"), name: name("all"), patterns: everything.clone() },
        Command::ChangeRole { name: name("reader"), patterns: everything },
        Command::SetEndpoints { name: name("shop"), endpoints: Vec::new() },
    ] {
        let kind = command.kind();
        assert_eq!(order(command).await.err(), Some(Refusal::BeyondCreator.into()), "{kind:?}");
    }
}

/// PROPERTY: a role that the last operator is one by is neither changed nor deleted, nor is her grant of it
/// taken back or begun later; what is not the last way is done.
#[tokio::test]
async fn the_last_operator_stays_one() {
    let house = House::new().await;
    let operator = house.operator().await;
    let order =
        async |command| house.engine.submit(&operator, house.engine.command_id(), command).await.err();
    let make =
        Command::CreateRole { name: name("chief"), patterns: vec![Pattern::new("*").expect("a pattern")] };
    let ungrant = |subject, role| Command::Ungrant { subject, role: name(role), workspace: None };
    let last = Some(Refusal::LastOperator.into());
    assert_eq!(order(ungrant(operator.subject, "tessera.admin")).await, last);
    assert_eq!(order(make).await, None);
    assert_eq!(order(support::grant(operator.subject, "chief")).await, None);
    assert_eq!(order(ungrant(operator.subject, "tessera.admin")).await, None);
    // From here on she is an operator by that role alone.
    let later = house.engine.now().plus_seconds(3_600).to_deadline();
    let (subject, role) = (operator.subject, name("chief"));
    let less = vec![Pattern::new("orders.*").expect("a pattern")];
    for command in [
        ungrant(subject, "chief"),
        Command::Grant { subject, role, workspace: None, from: later, until: NONE },
        Command::ChangeRole { name: name("chief"), patterns: less },
        Command::DeleteRole { name: name("chief") },
    ] {
        let kind = command.kind();
        assert_eq!(order(command).await, last, "{kind:?}");
    }
    assert_eq!(order(support::grant(operator.subject, "tessera.admin")).await, None);
    assert_eq!(order(Command::DeleteRole { name: name("chief") }).await, None);
}

/// PROPERTY: groups, memberships, grants to groups and parents of roles are the same after a checkpoint and a
/// new start, whatever was deleted before.
#[tokio::test]
async fn groups_outlive_the_node() {
    let scene = Scene::new().await;
    let from = scene.house.engine.now().plus_seconds(3_600).to_deadline();
    let setup = [
        group("users"),
        group("gone"),
        group("admins"),
        nest("users", "admins"),
        nest("gone", "admins"),
        grant("users", "reader", None),
        grant("gone", "boss", None),
        join("admins", scene.ann),
        join("gone", scene.ann),
        parents("reader", &["writer"]),
        Command::AddMember { group: name("users"), subject: scene.ann, from, until: NONE },
        Command::DeleteGroup { name: name("gone") },
    ];
    scene.done(setup).await;
    let told = |scene: &Scene| {
        let asked = ["orders.read", "orders.write", "orders.cancel"].map(|what| scene.asks(what, None));
        (asked, scene.groups(), scene.members("users", true))
    };
    let before = told(&scene);
    assert_eq!(before.0, [Reason::None, Reason::None, Reason::PermissionUnknown]);
    for checkpoint in [false, true] {
        if checkpoint {
            assert!(scene.house.engine.checkpoint().await);
        }
        let house = House::over(Arc::clone(&scene.house.store), START_MS).await;
        let admin = house.bind(&scene.tenant.admin_key).await;
        let tenant = Tenant { id: scene.tenant.id, admin, admin_key: scene.tenant.admin_key };
        let again = Scene { house, tenant, ann: scene.ann, session: scene.session };
        assert_eq!(told(&again), before, "checkpoint: {checkpoint}");
    }
}
