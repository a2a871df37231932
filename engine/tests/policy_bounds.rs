//! What one tenant's policies may cost the others: steps, entities below those that move, bytes; and what is refused for
//! it.

use crate::support;

use support::{House, Tenant};
use tessera_engine::{About, Draft, PolicyParts, Why};
use tessera_model::policy::{EntityChange, EntityName, PolicyDraft};
use tessera_model::record::AttributeKind;
use tessera_model::{
    CheckQuery, Command, Deadline, Handle, Identifier, Limit, Name, Pattern, PermissionRef, Private, Reason,
    Receipt, Refusal, Scope, Thumbprint, WorkspaceRef,
};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

struct Scene {
    house: House,
    tenant: Tenant,
    session: Handle,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        let session = house.open(&tenant.admin, ann).await.expect("opened").made.handle.expect("a handle");
        for permission in ["create", "docs.read", "docs:read"] {
            house.submit(&tenant.admin, Command::RegisterPermission { name: name(permission) }).await;
        }
        Self { house, tenant, session }
    }

    async fn set(&self, parts: PolicyParts) -> Result<u32, Refusal> {
        self.house.set_policies(&self.tenant.admin, parts).await
    }

    async fn policies(&self, schema: &str, text: &str) -> Result<u32, Refusal> {
        let (text, schema) = (Some(text.into()), Some(schema.into()));
        self.set(PolicyParts { text, schema, ..PolicyParts::default() }).await
    }

    async fn entities(&self, text: &str) -> Result<(), Refusal> {
        self.house.put_entities(&self.tenant.admin, text).await
    }

    fn about(&self, permission: &str, about: About<'_>) -> Result<Reason, Refusal> {
        let view = self.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let reading = self.house.engine.read(view);
        let handle = self.session.to_bytes();
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        let about = About { budget: 1_000, ..about };
        let asked = self.house.engine.check_about(&self.tenant.admin, &reading, &query, about);
        asked.map(|(decision, _)| decision.reason).map_err(|(refusal, _)| refusal)
    }
}

/// PROPERTY: a question that would take more steps than one may is denied under both rules, though what forbids would not
/// have applied: sets and records that are compared cost what is in them, forms of texts what they look through; one thing
/// beside itself costs nothing. TC-71 in part.
#[tokio::test]
async fn what_costs_too_much_denies() {
    let scene = Scene::new().await;
    let schema = r#"entity User, Tenant; action create appliesTo { principal: [User], resource: [Tenant],
        context: { one: Set<String>, other: Set<String>, text: String } };"#;
    let many = (0..100).map(|at| format!("\"w{at}\"")).collect::<Vec<_>>().join(",");
    let long = "x".repeat(10_000);
    let context = format!(r#"{{"one": [{many}], "other": [{many}], "text": "{long}"}}"#);
    let few = r#"{"one": ["a"], "other": ["a"], "text": "xx"}"#;
    for (part, times) in [
        ("context.one == context.other", 200),
        ("[context.one].contains(context.other)", 200),
        ("context.one.containsAll(context.other)", 40),
        ("context.text like \"*x*x\"", 150),
        ("[[context.one], [context.other], [context.one]] == [[context.other]]", 80),
    ] {
        let dear = vec![part; times].join(" && ");
        let text = format!(
            "permit (principal, action, resource); forbid (principal, action, resource) when {{ !({dear}) }};"
        );
        scene.policies(schema, &text).await.expect("set");
        for lenient in [false, true] {
            scene.set(PolicyParts { lenient: Some(lenient), ..PolicyParts::default() }).await.expect("set");
            let asked = |context| scene.about("create", About { context: Some(context), ..About::default() });
            assert_eq!(asked(&context), Ok(Reason::PolicyFailed), "{part}");
            if times > 100 {
                assert_eq!(asked(few), Ok(Reason::None), "{part}");
            }
        }
    }
    let same = vec!["context.one == context.one"; 200].join(" && ");
    let text = format!("permit (principal, action, resource) when {{ {same} }};");
    scene.policies(schema, &text).await.expect("set");
    let about = About { context: Some(&context), ..About::default() };
    assert_eq!(scene.about("create", about), Ok(Reason::None));
}

const DOCS: &str = r#"
    entity User, Tenant; entity Folder in [Folder] = { note?: String }; entity Doc in [Folder] = { note?: String };
    action "docs.read" appliesTo { principal: [User], resource: [Doc, Folder] };"#;

fn entity(kind: &str, id: &str, parent: Option<&str>, note: &str) -> String {
    let parents = parent.map_or(String::new(), |of| format!(r#"{{"type": "Folder", "id": "{of}"}}"#));
    format!(
        r#"{{"uid": {{"type": "{kind}", "id": "{id}"}}, "attrs": {{"note": "{note}"}}, "parents": [{parents}]}}"#
    )
}

fn list(of: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", of.into_iter().collect::<Vec<_>>().join(","))
}

/// PROPERTY: what lies above changes with what is moved, for all below it; a command that moves too many at once is
/// refused, and one that moves none of them is not; so is a chain that is longer than may be, and one that closes.
#[tokio::test]
async fn what_is_below_has_a_bound() {
    let scene = Scene::new().await;
    let text =
        r#"permit (principal, action, resource); forbid (principal, action, resource in Folder::"shut");"#;
    scene.policies(DOCS, text).await.expect("set");
    scene
        .entities(&list([entity("Folder", "top", None, ""), entity("Folder", "shut", None, "")]))
        .await
        .expect("put");
    let docs =
        |from: usize, to: usize| list((from..to).map(|at| entity("Doc", &format!("d{at}"), Some("top"), "")));
    for from in (0..4_000).step_by(250) {
        scene.entities(&docs(from, from + 250)).await.expect("put");
    }
    let read = |id: &str| {
        let resource = format!("Doc:{id}");
        scene.about("docs.read", About { resource: Some(&resource), ..About::default() })
    };
    assert_eq!((read("d0"), read("d3999")), (Ok(Reason::None), Ok(Reason::None)));
    scene.entities(&list([entity("Folder", "top", Some("shut"), "")])).await.expect("moved");
    assert_eq!((read("d0"), read("d3999")), (Ok(Reason::PolicyForbids), Ok(Reason::PolicyForbids)));
    scene.entities(&list([entity("Folder", "top", None, "")])).await.expect("moved");
    assert_eq!((read("d0"), read("d3999")), (Ok(Reason::None), Ok(Reason::None)));
    scene.entities(&docs(4_000, 4_200)).await.expect("put");
    let moved = scene.entities(&list([entity("Folder", "top", Some("shut"), "")])).await;
    assert_eq!(moved, Err(Limit::EntityChanges.reached()));
    // Its attributes may still be changed.
    scene.entities(&list([entity("Folder", "top", None, "a note")])).await.expect("changed");
    let above = |at: usize| entity("Folder", &format!("c{at}"), Some(&format!("c{}", at + 1)), "");
    for from in [192, 128, 64, 0] {
        scene.entities(&list((from..from + 64).map(above))).await.expect("put");
    }
    assert_eq!(scene.entities(&list([above(256)])).await, Err(Limit::EntityAncestors.reached()));
    let closed = list([entity("Folder", "c255", Some("c0"), "")]);
    assert_eq!(scene.entities(&closed).await, Err(Refusal::Cycle));
}

/// PROPERTY: an entity that others lie in cannot be sent with other parents, for they would stay where they were; one
/// that nothing lies in can.
#[tokio::test]
async fn what_stored_ones_lie_in_is_not_sent_elsewhere() {
    let scene = Scene::new().await;
    let text =
        r#"permit (principal, action, resource); forbid (principal, action, resource in Folder::"shut");"#;
    scene.policies(DOCS, text).await.expect("set");
    let stored = [
        entity("Folder", "top", None, ""),
        entity("Doc", "d", Some("top"), ""),
        entity("Doc", "e", None, ""),
    ];
    scene.entities(&list(stored)).await.expect("put");
    let ask = |resource: &str, sent: String| {
        let about = About { resource: Some(resource), entities: Some(&list([sent])), ..About::default() };
        scene.about("docs.read", about)
    };
    assert_eq!(ask("Doc:d", entity("Folder", "top", Some("shut"), "")), Err(Refusal::EntityWrong));
    assert_eq!(ask("Doc:d", entity("Folder", "top", None, "other")), Ok(Reason::None));
    assert_eq!(ask("Doc:e", entity("Doc", "e", Some("shut"), "")), Ok(Reason::PolicyForbids));
}

/// A session or key that lists what it may, at an address that is said or not, and the checks beside it.
fn lists_what_checks_say(scene: &Scene, said: Option<std::net::IpAddr>) -> Vec<bool> {
    let view = scene.tenant.admin.entry.view();
    let reading = scene.house.engine.read(view.as_ref().expect("awake"));
    let (engine, bound, handle) = (&scene.house.engine, &scene.tenant.admin, scene.session.to_bytes());
    let listed =
        engine.list_permissions(bound, &reading, (&handle, said), WorkspaceRef::Tenant).expect("listed");
    let of = |permission: &str| {
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: said,
        };
        let checked = engine.check(bound, &reading, &query).is_permit();
        let id = reading.resolve(permission, "").0.0;
        assert_eq!(
            listed.permitted[id as usize / 64] >> (id % 64) & 1 == 1,
            checked,
            "{permission} {said:?}"
        );
        if permission == "docs:read" {
            let scope = Scope::parse(b"read:docs").expect("a scope");
            let by_scope = engine.check_scope(bound, &reading, &query, &scope);
            assert_eq!(by_scope.is_permit(), checked, "{permission} {said:?} {:?}", by_scope.reason);
        }
        checked
    };
    vec![of("docs:read"), of("create")]
}

/// PROPERTY: lists and checks by scope say of the address what checks say: the caller's own for its own handle, what is
/// said for another's, none where nobody knows.
#[tokio::test]
async fn lists_and_scopes_know_the_address_that_checks_know() {
    let scene = Scene::new().await;
    let text = r#"permit (principal, action == Action::"docs:read", resource)
            when { context has ip && context.ip.isInRange(ip("10.0.0.0/8")) };
        permit (principal, action == Action::"create", resource) unless { context has ip };"#;
    let parts = PolicyParts { text: Some(text.into()), built_in: true, ..PolicyParts::default() };
    scene.set(parts).await.expect("set");
    let address = |text: &str| Some(text.parse().expect("an address"));
    assert_eq!(lists_what_checks_say(&scene, address("10.1.2.3")), [true, false]);
    assert_eq!(lists_what_checks_say(&scene, address("192.0.2.1")), [false, false]);
    assert_eq!(lists_what_checks_say(&scene, None), [false, true]);
    // An application inside says nothing of where somebody else is, whether it may say so or not.
    let mut scene = scene;
    scene.tenant.admin.peer = address("10.1.2.3");
    assert_eq!(lists_what_checks_say(&scene, None), [false, true]);
    let checker = scene.house.person(&scene.tenant, "checker@example.org", "correct horse").await;
    scene.house.role(&scene.tenant, "checker", &["tessera.check"]).await;
    scene.house.grant(&scene.tenant, checker, "checker").await;
    let asks = scene.house.sign_in(&scene.tenant, "checker@example.org", "correct horse").await;
    let mut asks = scene.house.bind(&asks.expect("signed in")).await;
    asks.peer = address("10.1.2.3");
    let admin = std::mem::replace(&mut scene.tenant.admin, asks);
    assert_eq!(lists_what_checks_say(&scene, None), [false, true]);
    scene.tenant.admin = admin;
    // Its own handle, from where it is.
    let mut own = scene.house.bind(&scene.session).await;
    own.peer = address("10.1.2.3");
    let tenant = Tenant { admin: own, ..scene.tenant };
    assert_eq!(lists_what_checks_say(&Scene { tenant, ..scene }, None), [true, false]);
}

/// PROPERTY: sets that could never apply are refused, each with the place where it is told: no type for who asks, actions
/// that are none of the tenant's, attributes of another kind than is declared; and what would come to be so later. F-43.
#[tokio::test]
async fn f_43_sets_that_never_apply_are_refused() {
    let scene = Scene::new().await;
    let declare = |text: &str, kind| Command::DeclareAttribute { name: name(text), kind };
    scene.house.submit(&scene.tenant.admin, declare("level", AttributeKind::Integer)).await;
    let forbid = "forbid (principal, action, resource);";
    for schema in [
        "namespace App { entity User, Tenant; action create appliesTo { principal: User, resource: Tenant }; }",
        "entity Person, Tenant; action create appliesTo { principal: Person, resource: Tenant };",
        "entity User, Tenant; action creat appliesTo { principal: User, resource: Tenant };",
        "entity User, Tenant; action \"tessera.check\" appliesTo { principal: User, resource: Tenant };",
        "entity User = { level: String }; entity Tenant; action create appliesTo { principal: User, resource: Tenant };",
        "entity User = { kind: Long }; entity Tenant; action create appliesTo { principal: User, resource: Tenant };",
    ] {
        assert_eq!(scene.policies(schema, forbid).await, Err(Refusal::PolicySchemaWrong), "{schema}");
        let parts =
            PolicyParts { text: Some(forbid.into()), schema: Some(schema.into()), ..PolicyParts::default() };
        let tried = scene.house.engine.try_policies(&scene.tenant.admin, parts).await.expect("tried");
        assert!(tried.in_schema && !tried.faults.is_empty(), "{schema}");
    }
    let schema = "entity User = { level?: Long, team?: String, kind: String }; entity Tenant;
        action all; action create in [all] appliesTo { principal: User, resource: Tenant };";
    scene.policies(schema, forbid).await.expect("set");
    let refused = scene.house.refused(&scene.tenant.admin, declare("team", AttributeKind::Bool)).await;
    assert_eq!(refused, Refusal::AttributeKind);
    scene.house.submit(&scene.tenant.admin, declare("team", AttributeKind::Text)).await;
}

/// PROPERTY: a forbid denies a check by scope as it denies one by name, and a permit lifts no device's ceiling for
/// either.
#[tokio::test]
async fn scopes_are_ruled_and_devices_cut_what_policies_permit() {
    let scene = Scene::new().await;
    let (house, tenant) = (&scene.house, &scene.tenant);
    house.role(tenant, "reader", &["docs:read"]).await;
    let ann = house.person(tenant, "eve@example.org", "correct horse").await;
    house.grant(tenant, ann, "reader").await;
    let device = Command::RegisterDevice { subject: ann, name: name("phone"), key: Thumbprint([7; 32]) };
    let device = house.submit(&tenant.admin, device).await.made.device.expect("a device");
    let patterns = vec![Pattern::new("create").expect("a pattern")];
    house.submit(&tenant.admin, Command::LimitDevice { device, patterns }).await;
    let identifier = Identifier::guess("eve@example.org").expect("an identifier");
    let sign_in = |device| {
        let password = Private::new(b"correct horse".to_vec());
        house.engine.sign_in(
            &tenant.admin,
            house.engine.command_id(),
            (&identifier, password),
            (None, device),
        )
    };
    let free = sign_in(None).await.expect("signed in").made.handle.expect("a handle");
    let on_it = sign_in(Some(device)).await.expect("signed in").made.handle.expect("a handle");
    let by_scope = |handle: &Handle| {
        let view = tenant.admin.entry.view();
        let reading = house.engine.read(view.as_ref().expect("awake"));
        let handle = handle.to_bytes();
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(""),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        let scope = Scope::parse(b"read:docs").expect("a scope");
        house.engine.check_scope(&tenant.admin, &reading, &query, &scope).reason
    };
    let by_name = |handle: &Handle| house.check(tenant, handle, "docs:read").reason;
    assert_eq!((by_scope(&free), by_name(&free)), (Reason::None, Reason::None));
    let set = |text: &str| {
        scene.set(PolicyParts { text: Some(text.into()), built_in: true, ..PolicyParts::default() })
    };
    set("permit (principal, action, resource);").await.expect("set");
    house
        .submit(&tenant.admin, Command::Ungrant { subject: ann, role: name("reader"), workspace: None })
        .await;
    assert_eq!((by_scope(&free), by_name(&free)), (Reason::None, Reason::None));
    assert_eq!((by_scope(&on_it), by_name(&on_it)), (Reason::BeyondDevice, Reason::BeyondDevice));
    house.grant(tenant, ann, "reader").await;
    set("forbid (principal, action == Action::\"docs:read\", resource);").await.expect("set");
    assert_eq!((by_scope(&free), by_name(&free)), (Reason::PolicyForbids, Reason::PolicyForbids));
}

/// A part of the permissions of a tenant's administrator is not enough for an operator to set policies or entities, which
/// hand out power over the tenant.
#[tokio::test]
async fn a_lesser_operator_sets_no_policies() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let patterns = ["tessera.admin.tenants", "tessera.admin.policies"];
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
    let draft =
        PolicyDraft { schema: None, text: "".into(), program: [7].into(), lenient: false, expected: None };
    let none = EntityName::new("Doc", "d").expect("a name");
    for command in [
        Command::SetPolicies { draft },
        Command::DeletePolicies { expected: None },
        Command::ChangeEntities { changes: vec![EntityChange::Remove(none)] },
    ] {
        assert_eq!(house.refused(&lesser, command).await, Refusal::BeyondCreator);
    }
}

/// PROPERTY: an explanation asks the policies about the role and the group that are supposed, not about those that stand;
/// and where it lacks what every question of a session has, it is no Permit under either rule.
#[tokio::test]
async fn explanations_suppose_for_policies_too() {
    let scene = Scene::new().await;
    let (house, tenant) = (&scene.house, &scene.tenant);
    let eve = house.person(tenant, "eve@example.org", "correct horse").await;
    house.submit(&tenant.admin, Command::CreateGroup { name: name("staff"), rule: Vec::new() }).await;
    let text = r#"permit (principal in Role::"auditor", action == Action::"docs.read", resource);
        permit (principal in Group::"staff", action == Action::"create", resource);"#;
    let set = |text: &str, lenient| PolicyParts {
        text: Some(text.into()),
        built_in: true,
        lenient: Some(lenient),
        ..PolicyParts::default()
    };
    scene.set(set(text, false)).await.expect("set");
    let explain = |permission: &str, context: Option<&str>, draft: &Draft| {
        let why = Why {
            subject: eve,
            through: None,
            permission: name(permission),
            workspace: None,
            resource: None,
            context: context.map(Into::into),
            entities: None,
            at: house.engine.now(),
        };
        let view = tenant.admin.entry.view();
        let explained = view.as_ref().expect("awake").listing().explain(&why, draft);
        explained.expect("explained").reason
    };
    let none = Draft::default();
    assert_eq!(explain("docs.read", None, &none), Reason::NotGranted);
    let role = Some((name("auditor"), vec![Pattern::new("other.thing").expect("a pattern")]));
    let grant = Some((name("auditor"), None, Deadline::NONE, Deadline::NONE));
    let draft = Draft { role, grant, ..Draft::default() };
    assert_eq!(explain("docs.read", Some("{}"), &draft), Reason::None);
    assert_eq!(explain("create", None, &draft), Reason::NotGranted);
    let draft = Draft { group: Some(name("staff")), ..Draft::default() };
    assert_eq!(explain("create", None, &draft), Reason::None);
    let text = r#"permit (principal, action, resource);
        forbid (principal, action, resource) when { context.opened < datetime("2999-01-01") };"#;
    scene.set(set(text, true)).await.expect("set");
    assert_eq!(house.check(tenant, &scene.session, "create").reason, Reason::PolicyForbids);
    for context in [None, Some("{}")] {
        assert_eq!(explain("create", context, &none), Reason::PolicyFailed);
    }
    assert_eq!(
        explain("create", Some(r#"{"opened": "2026-01-01", "key": false}"#), &none),
        Reason::PolicyForbids
    );
}

/// PROPERTY: a list of permissions says what checks say of each of many, and is refused where it would take more steps
/// than one may take: it is never short of one.
#[tokio::test]
async fn lists_have_a_bound_and_say_what_checks_say() {
    let scene = Scene::new().await;
    for at in 0..200 {
        let command = Command::RegisterPermission { name: name(&format!("p{at}")) };
        scene.house.submit(&scene.tenant.admin, command).await;
    }
    let set =
        |text: String| PolicyParts { text: Some(text.into()), built_in: true, ..PolicyParts::default() };
    let text = r#"permit (principal, action in [Action::"p3", Action::"p77", Action::"p199"], resource) unless { context.key };
        forbid (principal, action == Action::"p77", resource);"#;
    scene.set(set(text.to_owned())).await.expect("set");
    let list = || {
        let view = scene.tenant.admin.entry.view();
        let reading = scene.house.engine.read(view.as_ref().expect("awake"));
        let handle = scene.session.to_bytes();
        let listed = scene.house.engine.list_permissions(
            &scene.tenant.admin,
            &reading,
            (&handle, None),
            WorkspaceRef::Tenant,
        )?;
        let is = |at: &usize| {
            let id = reading.resolve(&format!("p{at}"), "").0.0;
            listed.permitted[id as usize / 64] >> (id % 64) & 1 == 1
        };
        Ok((0..200).filter(is).collect::<Vec<usize>>())
    };
    let check = |at: &usize| scene.house.check(&scene.tenant, &scene.session, &format!("p{at}")).is_permit();
    assert_eq!(list(), Ok((0..200).filter(check).collect()));
    assert_eq!(list(), Ok(vec![3, 199]));
    let dear = vec!["context.key == context.key"; 1_900].join(", ");
    let text = format!("permit (principal, action, resource) when {{ [{dear}].contains(false) }};");
    scene.set(set(text)).await.expect("set");
    assert_eq!(list(), Err(Reason::BudgetExceeded));
}

/// PROPERTY: a check under policies allocates nothing for somebody in 120 groups either, of which no policy speaks.
#[tokio::test]
async fn many_groups_allocate_nothing() {
    let scene = Scene::new().await;
    let eve = scene.house.person(&scene.tenant, "eve@example.org", "correct horse").await;
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    for at in 0..60 {
        let (group, above) = (name(&format!("group{at}")), name(&format!("above{at}")));
        for name in [group.clone(), above.clone()] {
            scene.house.submit(&scene.tenant.admin, Command::CreateGroup { name, rule: Vec::new() }).await;
        }
        let lies = Command::AddSubgroup {
            group: above,
            member: group.clone(),
            from: Deadline::NONE,
            until: Deadline::NONE,
        };
        scene.house.submit(&scene.tenant.admin, lies).await;
        scene
            .house
            .submit(&scene.tenant.admin, Command::AddMember { group, subject: eve, from, until })
            .await;
    }
    let opened = scene.house.open(&scene.tenant.admin, eve).await.expect("opened");
    let session = opened.made.handle.expect("a handle");
    let text = r#"permit (principal in Group::"above59", action == Action::"create", resource);"#;
    let parts = PolicyParts { text: Some(text.into()), built_in: true, ..PolicyParts::default() };
    scene.set(parts).await.expect("set");
    let view = scene.tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let handle = session.to_bytes();
    let query = CheckQuery {
        handle: &handle,
        permission: PermissionRef::Name("create"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    let engine = &scene.house.engine;
    let ask = || engine.check(&scene.tenant.admin, &engine.read(view), &query).reason;
    assert_eq!(ask(), Reason::None);
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert_eq!(ask(), Reason::None);
        }
    });
    assert_eq!(counted.count_total, 0, "a check allocated");
}
