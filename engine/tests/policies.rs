//! Policies of a tenant: what they permit and forbid beside roles, what is refused, and what outlives a restart.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_engine::{About, PolicyParts, SubmitError, Why};
use tessera_model::policy::{EntityChange, EntityName, EntityRecord};
use tessera_model::record::{AttributeKind, AttributeValue};
use tessera_model::{
    CheckQuery, Command, Deadline, Decision, Handle, Limit, Name, Pattern, PermissionRef, PublicId, Reason,
    Receipt, Refusal, UnixMillis, WorkspaceRef,
};
use tessera_storage::{Memory, Store};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    session: Handle,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        let session = house.open(&tenant.admin, ann).await.expect("opened").made.handle.expect("a handle");
        let scene = Self { house, tenant, ann, session };
        for permission in ["docs.read", "docs.write", "create"] {
            scene.done(Command::RegisterPermission { name: name(permission) }).await;
        }
        scene
    }

    async fn done(&self, command: Command) {
        self.house.submit(&self.tenant.admin, command).await;
    }

    async fn set(&self, parts: PolicyParts) -> Result<u32, Refusal> {
        self.house.set_policies(&self.tenant.admin, parts).await
    }

    async fn policies(&self, schema: Option<&str>, text: &str) -> Result<u32, Refusal> {
        let (text, built_in) = (Some(text.into()), schema.is_none());
        self.set(PolicyParts { text, schema: schema.map(Into::into), built_in, ..PolicyParts::default() })
            .await
    }

    async fn entities(&self, text: &str) -> Result<(), Refusal> {
        self.house.put_entities(&self.tenant.admin, text).await
    }

    fn query<'a>(&self, handle: &'a [u8; 40], permission: &'a str) -> CheckQuery<'a> {
        CheckQuery {
            handle,
            permission: PermissionRef::Name(permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        }
    }

    fn about(&self, handle: &Handle, permission: &str, about: About<'_>) -> Result<Decision, Refusal> {
        let view = self.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let reading = self.house.engine.read(view);
        let about = About { budget: 1_000, ..about };
        let bytes = handle.to_bytes();
        let query = self.query(&bytes, permission);
        let asked = self.house.engine.check_about(&self.tenant.admin, &reading, &query, about);
        asked.map(|(decision, _)| decision).map_err(|(refusal, _)| refusal)
    }

    fn reason(&self, permission: &str, context: &str) -> Result<Reason, Refusal> {
        let about = About { context: Some(context), ..About::default() };
        self.about(&self.session, permission, about).map(|decision| decision.reason)
    }

    fn of(&self, permission: &str, resource: &str) -> Reason {
        let about = About { resource: Some(resource), ..About::default() };
        self.about(&self.session, permission, about).expect("answered").reason
    }

    fn plain(&self, permission: &str) -> Decision {
        self.house.check(&self.tenant, &self.session, permission)
    }
}

const DOCS: &str = include_str!("support/docs.cedarschema");

/// PROPERTY: a permit gives what no role gives, a forbid takes what a role gives, and neither goes beyond what
/// restricts a key, nor touches the engine's own permissions.
#[tokio::test]
async fn permits_add_forbids_win_and_restrictions_cut() {
    let scene = Scene::new().await;
    scene.house.role(&scene.tenant, "writer", &["docs.*"]).await;
    scene.house.grant(&scene.tenant, scene.ann, "writer").await;
    assert_eq!(scene.plain("docs.write").reason, Reason::None);
    let text = r#"
        permit (principal, action == Action::"create", resource) when { principal.kind == "person" };
        forbid (principal, action == Action::"docs.write", resource);
        permit (principal, action, resource) when { principal in Role::"nobody" };"#;
    assert_eq!(scene.policies(None, text).await, Ok(1));
    assert_eq!(scene.plain("docs.read").reason, Reason::None);
    assert_eq!(scene.plain("docs.write").reason, Reason::PolicyForbids);
    assert_eq!(scene.plain("create").reason, Reason::None);
    assert_eq!(scene.plain("nothing").reason, Reason::PermissionUnknown);
    assert_eq!(scene.plain("tessera.admin.policies").reason, Reason::NotGranted);
    // A key of ann's that covers reading alone.
    let expires = scene.house.engine.now().plus_seconds(3_600).to_deadline();
    let patterns = vec![Pattern::new("docs.read").expect("a pattern")];
    let key = support::key(scene.ann, patterns, expires, tessera_model::Private::new(Vec::new()));
    let bound = scene.house.bind(&scene.session).await;
    scene.house.grant(&scene.tenant, scene.ann, "tessera.admin").await;
    let key = scene.house.submit(&bound, key).await.made.handle.expect("a key");
    scene.done(Command::Ungrant { subject: scene.ann, role: name("tessera.admin"), workspace: None }).await;
    let of_key = |permission| scene.house.check(&scene.tenant, &key, permission).reason;
    assert_eq!(of_key("docs.read"), Reason::None);
    assert_eq!(of_key("create"), Reason::Restricted);
    assert_eq!(of_key("docs.write"), Reason::Restricted);
    // Lists say what checks say.
    let view = scene.tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let reading = scene.house.engine.read(view);
    let handle = scene.session.to_bytes();
    let listed = scene.house.engine.list_permissions(
        &scene.tenant.admin,
        &reading,
        (&handle, None),
        WorkspaceRef::Tenant,
    );
    let listed = listed.expect("listed");
    for permission in ["docs.read", "docs.write", "create"] {
        let (id, _) = reading.resolve(permission, "");
        let bit = listed.permitted[id.0 as usize / 64] >> (id.0 % 64) & 1 == 1;
        assert_eq!(bit, scene.plain(permission).is_permit(), "{permission}");
    }
}

/// F-43: a text compared as an entity, and a misspelt attribute, are refused when they are put; the mended form forbids.
#[tokio::test]
async fn f_43_what_would_be_skipped_is_refused() {
    let scene = Scene::new().await;
    let schema = r#"entity User, Tenant, Doc = { }; action create appliesTo { principal: [User], resource: [Doc, Tenant], context: { command: String } };"#;
    let all = "permit (principal, action, resource);\n";
    let forbid = |when: &str| {
        format!("{all}forbid (principal, action == Action::\"create\", resource) when {{ {when} }};")
    };
    for wrong in [r#"context.command in ["rm", "dd"]"#, r#"context.comand == "rm""#] {
        assert_eq!(scene.policies(Some(schema), &forbid(wrong)).await, Err(Refusal::PolicyWrong));
        let engine = &scene.house.engine;
        let parts = PolicyParts {
            text: Some(forbid(wrong).into()),
            schema: Some(schema.into()),
            ..PolicyParts::default()
        };
        let tried = engine.try_policies(&scene.tenant.admin, parts).await.expect("tried");
        assert!(!tried.in_schema && tried.faults[0].place.is_some_and(|place| place.line == 2), "{tried:?}");
    }
    scene.policies(Some(schema), &forbid(r#"["rm", "dd"].contains(context.command)"#)).await.expect("set");
    assert_eq!(scene.reason("create", r#"{"command": "rm"}"#), Ok(Reason::PolicyForbids));
    assert_eq!(scene.reason("create", r#"{"command": "ls"}"#), Ok(Reason::None));
    // Nothing said at all: the forbid fails, and denies.
    assert_eq!(scene.plain("create").reason, Reason::PolicyFailed);
}

/// F-44: an attribute that may be missing must be asked for first; what fails while it is evaluated denies where it
/// forbids, permits nothing where it permits, and is left out only where the tenant chose Cedar's rule.
#[tokio::test]
async fn f_44_a_forbid_that_fails_denies() {
    let scene = Scene::new().await;
    let schema = r#"entity User = { limit: Long }; entity Tenant; action create appliesTo { principal: [User], resource: [Tenant], context: { n: Long, blocked?: Bool } };"#;
    let optional = "forbid (principal, action, resource) when { context.blocked };";
    assert_eq!(scene.policies(Some(schema), optional).await, Err(Refusal::PolicyWrong));
    let overflow = "permit (principal, action, resource);
        forbid (principal, action, resource) when { context.n * 4611686018427387904 > 5 };";
    scene.policies(Some(schema), overflow).await.expect("set");
    let lenient = |lenient: bool| PolicyParts { lenient: Some(lenient), ..PolicyParts::default() };
    for (cedar, expected) in [(false, Reason::PolicyFailed), (true, Reason::None)] {
        scene.set(lenient(cedar)).await.expect("set");
        assert_eq!(scene.reason("create", r#"{"n": 0}"#), Ok(Reason::None));
        assert_eq!(scene.reason("create", r#"{"n": 1}"#), Ok(Reason::PolicyForbids));
        assert_eq!(scene.reason("create", r#"{"n": 2}"#), Ok(expected), "{cedar}");
        // A question that does not say what the schema promises is judged strictly under both.
        assert_eq!(scene.plain("create").reason, Reason::PolicyFailed);
    }
    let limit = "permit (principal, action, resource); forbid (principal, action, resource) when { principal.limit < 5 };";
    scene.policies(Some(schema), limit).await.expect("set");
    for (cedar, expected) in [(false, Reason::PolicyFailed), (true, Reason::None)] {
        scene.set(lenient(cedar)).await.expect("set");
        assert_eq!(scene.reason("create", r#"{"n": 0}"#), Ok(expected));
    }
    let permit = "permit (principal, action, resource) when { context.n * 4611686018427387904 > 5 };";
    scene.policies(Some(schema), permit).await.expect("set");
    for cedar in [false, true] {
        scene.set(lenient(cedar)).await.expect("set");
        assert_eq!(scene.reason("create", r#"{"n": 2}"#), Ok(Reason::NotGranted));
        assert_eq!(scene.reason("create", r#"{"n": 1}"#), Ok(Reason::None));
    }
    // A declared attribute is what the policy reads.
    scene.done(Command::DeclareAttribute { name: name("limit"), kind: AttributeKind::Integer }).await;
    let values = vec![(name("limit"), Some(AttributeValue::Integer(4)))];
    let engine = &scene.house.engine;
    engine
        .set_attributes(&scene.tenant.admin, (engine.command_id(), false), scene.ann, values)
        .await
        .expect("set");
    scene.policies(Some(schema), limit).await.expect("set");
    assert_eq!(scene.reason("create", r#"{"n": 0}"#), Ok(Reason::PolicyForbids));
}

/// F-46: a second role does not bring back what a forbid on the first takes.
#[tokio::test]
async fn f_46_a_second_role_gives_nothing_back() {
    let scene = Scene::new().await;
    let text = r#"permit (principal, action == Action::"create", resource);
        forbid (principal in Role::"user", action == Action::"create", resource);"#;
    scene.policies(None, text).await.expect("set");
    for role in ["user", "foo"] {
        scene.house.role(&scene.tenant, role, &["other.thing"]).await;
    }
    let (user, foo) = (support::grant(scene.ann, "user"), support::grant(scene.ann, "foo"));
    let take = |role: &str| Command::Ungrant { subject: scene.ann, role: name(role), workspace: None };
    assert_eq!(scene.plain("create").reason, Reason::None);
    scene.done(foo).await;
    assert_eq!(scene.plain("create").reason, Reason::None);
    scene.done(user).await;
    assert_eq!(scene.plain("create").reason, Reason::PolicyForbids);
    scene.done(take("foo")).await;
    assert_eq!(scene.plain("create").reason, Reason::PolicyForbids);
    scene.done(take("user")).await;
    assert_eq!(scene.plain("create").reason, Reason::None);
}

/// PROPERTY: a set is put on the condition of its version, what is not named stays, versions are never given again, and
/// all of it outlives a restart.
#[tokio::test]
async fn sets_have_versions_and_outlive_a_restart() {
    for checkpointed in [false, true] {
        versions(checkpointed).await;
    }
}

async fn versions(checkpointed: bool) {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let session = house.open(&tenant.admin, ann).await.expect("opened").made.handle.expect("a handle");
    let mut scene = Scene { house, tenant, ann, session };
    scene.done(Command::RegisterPermission { name: name("docs.read") }).await;
    scene.done(Command::RegisterPermission { name: name("docs.write") }).await;
    let permit = r#"permit (principal, action == Action::"docs.read", resource in Folder::"plans");"#;
    assert_eq!(scene.entities("[]").await, Err(Refusal::PoliciesUnset));
    assert_eq!(scene.policies(Some(DOCS), permit).await, Ok(1));
    assert_eq!(scene.policies(Some(DOCS), permit).await, Ok(1));
    let changed =
        |text: &str, expected| PolicyParts { text: Some(text.into()), expected, ..PolicyParts::default() };
    assert_eq!(scene.set(changed("", Some(7))).await, Err(Refusal::PolicyVersion));
    assert_eq!(scene.set(changed("", Some(1))).await, Ok(2));
    assert_eq!(scene.set(changed(permit, Some(2))).await, Ok(3));
    let doc = r#"{"uid": {"type": "Doc", "id": "1"}, "attrs": {"owner": {"type": "User", "id": "x"}}, "parents": [{"type": "Folder", "id": "year"}]}"#;
    let year = r#"{"uid": {"type": "Folder", "id": "year"}, "parents": [{"type": "Folder", "id": "plans"}]}"#;
    scene.entities(&format!("[{doc}]")).await.expect("stored");
    assert_eq!(scene.of("docs.read", "Doc:1"), Reason::NotGranted);
    scene.entities(&format!("[{year}]")).await.expect("stored");
    assert_eq!(scene.of("docs.read", "Doc:1"), Reason::None);
    assert_eq!(scene.of("docs.read", "Doc:2"), Reason::NotGranted);
    if checkpointed {
        assert!(scene.house.engine.checkpoint().await);
    }
    scene.house = House::over(store, START_MS).await;
    scene.tenant.admin = scene.house.bind(&scene.tenant.admin_key).await;
    assert_eq!(scene.of("docs.read", "Doc:1"), Reason::None);
    assert_eq!(scene.of("docs.read", "Doc:2"), Reason::NotGranted);
    // The schema is in use by entities.
    assert_eq!(scene.policies(None, "").await, Err(Refusal::EntitiesStored));
    let delete = Command::DeletePolicies { expected: Some(3) };
    assert_eq!(scene.house.refused(&scene.tenant.admin, delete.clone()).await, Refusal::EntitiesStored);
    let gone = |kind: &str, id: &str| EntityChange::Remove(EntityName::new(kind, id).expect("a name"));
    let changes = vec![gone("Doc", "1"), gone("Folder", "year"), gone("Doc", "none")];
    scene.done(Command::ChangeEntities { changes }).await;
    assert_eq!(scene.of("docs.read", "Doc:1"), Reason::NotGranted);
    scene.done(delete).await;
    assert_eq!(scene.plain("docs.read").reason, Reason::NotGranted);
    assert_eq!(scene.policies(None, "permit (principal, action, resource);").await, Ok(4));
    assert_eq!(scene.plain("docs.read").reason, Reason::None);
}

/// PROPERTY: entities lie in no circle and in nothing of the tenant's own, fit the schema, and move with those that they
/// lie in.
#[tokio::test]
async fn entities_fit_the_schema_and_move_together() {
    let scene = Scene::new().await;
    let permit = r#"permit (principal, action == Action::"docs.read", resource in Folder::"a");"#;
    scene.policies(Some(DOCS), permit).await.expect("set");
    let folder = |id: &str, parents: &[&str]| {
        let parents: Vec<String> =
            parents.iter().map(|id| format!(r#"{{"type": "Folder", "id": "{id}"}}"#)).collect();
        format!(r#"[{{"uid": {{"type": "Folder", "id": "{id}"}}, "parents": [{}]}}]"#, parents.join(","))
    };
    for (id, parents) in [("b", vec!["a"]), ("c", vec!["b"]), ("d", vec!["c"])] {
        scene.entities(&folder(id, &parents)).await.expect("stored");
    }
    assert_eq!(scene.of("docs.read", "Folder:d"), Reason::None);
    assert_eq!(scene.entities(&folder("a", &["d"])).await, Err(Refusal::Cycle));
    assert_eq!(scene.entities(&folder("e", &["e"])).await, Err(Refusal::Cycle));
    scene.entities(&folder("b", &[])).await.expect("stored");
    assert_eq!(scene.of("docs.read", "Folder:d"), Reason::NotGranted);
    scene.entities(&folder("b", &["a", "x"])).await.expect("stored");
    assert_eq!(scene.of("docs.read", "Folder:d"), Reason::None);
    for (wrong, refusal) in [
        (r#"[{"uid": {"type": "User", "id": "x"}, "attrs": {"kind": "person"}}]"#, Refusal::BuiltIn),
        (r#"[{"uid": {"type": "Nothing", "id": "x"}}]"#, Refusal::EntityWrong),
        (r#"[{"uid": {"type": "Doc", "id": "x"}}]"#, Refusal::EntityWrong),
        (r#"[{"uid": {"type": "Doc", "id": "x"}, "attrs": {"owner": "x"}}]"#, Refusal::EntityWrong),
        (r#"[{"uid": {"type": "Folder", "id": "x"}, "attrs": {"more": 1}}]"#, Refusal::EntityWrong),
        (r#"[{"uid": {"type": "Folder", "id": "x"}, "tags": {"more": "y"}}]"#, Refusal::EntityWrong),
        (
            r#"[{"uid": {"type": "Folder", "id": "x"}, "parents": [{"type": "Doc", "id": "y"}]}]"#,
            Refusal::EntityWrong,
        ),
        (
            r#"[{"uid": {"type": "Folder", "id": "x"}, "uid": {"type": "Folder", "id": "y"}}]"#,
            Refusal::EntityWrong,
        ),
        (
            r#"[{"uid": {"type": "Folder", "id": "x"}}, {"uid": {"type": "Folder", "id": "x"}}]"#,
            Refusal::EntityWrong,
        ),
        ("[", Refusal::EntityWrong),
        (&"[".repeat(100_000), Refusal::EntityWrong),
        (&folder(&"x".repeat(300), &[]), Refusal::EntityWrong),
    ] {
        assert_eq!(scene.entities(wrong).await, Err(refusal), "{:.80}", wrong);
    }
    let many: Vec<String> = (0..257).map(|id| format!("m{id}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(scene.entities(&folder("z", &many)).await, Err(Limit::EntityAncestors.reached()));
    scene.entities(&folder("z", many.get(1..).expect("256"))).await.expect("stored");
    assert_eq!(scene.entities(&folder("y", &["z"])).await, Err(Limit::EntityAncestors.reached()));
    let gone = |id: usize| EntityChange::Remove(EntityName::new("Folder", &id.to_string()).expect("a name"));
    let changes = (0..257).map(gone).collect();
    assert_eq!(
        scene.house.refused(&scene.tenant.admin, Command::ChangeEntities { changes }).await,
        Limit::EntityChanges.reached()
    );
    let bytes = |fact: Vec<u8>| {
        EntityChange::Put(EntityRecord {
            name: EntityName::new("Folder", "x").expect("a name"),
            fact: fact.into(),
        })
    };
    for (fact, refusal) in [
        (vec![9; 10], Refusal::EntityWrong),
        (vec![1, 1, 1, b'a', 0, 0, 0], Refusal::EntityWrong),
        (vec![0; 20_000], Limit::EntityBytes.reached()),
    ] {
        let changes = vec![bytes(fact)];
        assert_eq!(
            scene.house.refused(&scene.tenant.admin, Command::ChangeEntities { changes }).await,
            refusal
        );
    }
}

/// PROPERTY: a context that is no JSON, too large, or does not fit the schema is refused with its place and is no
/// answer; what the node itself says cannot be sent.
#[tokio::test]
async fn contexts_that_do_not_fit_are_refused() {
    let scene = Scene::new().await;
    scene.policies(Some(DOCS), r#"permit (principal, action == Action::"docs.read", resource) unless { context has n && context.n > 3 };"#).await.expect("set");
    assert_eq!(scene.reason("docs.read", r#"{"n": 3, "from": "10.0.0.1"}"#), Ok(Reason::None));
    assert_eq!(scene.reason("docs.read", r#"{"n": 4}"#), Ok(Reason::NotGranted));
    for wrong in [
        r#"{"n": "3"}"#,
        r#"{"n": 3.5}"#,
        r#"{"n": 99999999999999999999}"#,
        r#"{"m": 3}"#,
        r#"{"n": 3, "n": 3}"#,
        r#"{"from": "10.0.0.999"}"#,
        r#"{"now": "2026-01-01"}"#,
        r#"{"n": {"__entity": {"type": "Doc", "id": "1"}}}"#,
        "[]",
        "",
        "{",
        &"{\"a\":".repeat(3_000),
        &"[".repeat(16_000),
        &format!("{{\"n\": 1, \"from\": \"{}\"}}", "x".repeat(10_000)),
    ] {
        assert_eq!(scene.reason("docs.read", wrong), Err(Refusal::ContextWrong), "{:.60}", wrong);
    }
    for long in [&"[".repeat(1_000_000), &format!("{{\"n\": 1, \"x\": \"{}\"}}", "x".repeat(20_000))] {
        assert_eq!(scene.reason("docs.read", long), Err(Limit::ContextBytes.reached()));
    }
    assert_eq!(scene.reason("create", r#"{"n": 3}"#), Err(Refusal::ContextWrong));
    assert_eq!(scene.reason("create", "{}"), Ok(Reason::NotGranted));
    // Entities that come with a question stand before stored ones, for that question alone.
    scene.policies(Some(DOCS), r#"permit (principal, action == Action::"docs.read", resource is Doc) when { !(resource has sealed) && resource in Folder::"a" };"#).await.expect("set");
    let folder = r#"{"uid": {"type": "Folder", "id": "b"}, "parents": [{"type": "Folder", "id": "a"}]}"#;
    scene.entities(&format!("[{folder}]")).await.expect("stored");
    let doc = |more: &str| {
        format!(
            r#"[{{"uid": {{"type": "Doc", "id": "1"}}, "attrs": {{"owner": {{"type": "User", "id": "x"}}{more}}}, "parents": [{{"type": "Folder", "id": "b"}}]}}]"#
        )
    };
    let about = |entities: &str| {
        let about = About { resource: Some("Doc:1"), entities: Some(entities), ..About::default() };
        scene.about(&scene.session, "docs.read", about).map(|decision| decision.reason)
    };
    assert_eq!(about(&doc("")), Ok(Reason::None));
    assert_eq!(about(&doc(", \"sealed\": true")), Ok(Reason::NotGranted));
    assert_eq!(about("[]"), Ok(Reason::NotGranted));
    assert_eq!(about(&" ".repeat(200_000)), Err(Limit::SentEntitiesBytes.reached()));
    let many: Vec<String> =
        (0..65).map(|id| format!(r#"{{"uid": {{"type": "Folder", "id": "{id}"}}}}"#)).collect();
    assert_eq!(about(&format!("[{}]", many.join(","))), Err(Limit::SentEntities.reached()));
    assert_eq!(
        about(r#"[{"uid": {"type": "User", "id": "x"}, "attrs": {"kind": "person"}}]"#),
        Err(Refusal::EntityWrong)
    );
    assert_eq!(
        about(r#"[{"uid": {"type": "Folder", "id": "a"}, "parents": [{"type": "Folder", "id": "b"}]}]"#),
        Err(Refusal::EntityWrong)
    );
    assert_eq!(scene.of("docs.read", "Doc"), Reason::ResourceUnknown);
    assert_eq!(scene.of("docs.read", "Doc::Doc"), Reason::ResourceUnknown);
}

/// PROPERTY: an answer that the clock may change is good for no longer than that: a policy that reads the clock for an
/// instant, a membership that ends until then.
#[tokio::test]
async fn answers_are_good_until_time_may_change_them() {
    let scene = Scene::new().await;
    let never = UnixMillis(u64::MAX);
    let end = |decision: Decision| decision.valid_until;
    let before = end(scene.plain("create"));
    scene
        .policies(None, r#"permit (principal in Group::"team", action == Action::"create", resource);"#)
        .await
        .expect("set");
    scene.done(Command::CreateGroup { name: name("team"), rule: Vec::new() }).await;
    let now = scene.house.engine.now();
    let (from, until) = (now.plus_seconds(60).to_deadline(), now.plus_seconds(120).to_deadline());
    scene.done(Command::AddMember { group: name("team"), subject: scene.ann, from, until }).await;
    assert_eq!(
        (scene.plain("create").reason, end(scene.plain("create"))),
        (Reason::NotGranted, from.to_millis())
    );
    scene.house.pass(60_000);
    assert_eq!((scene.plain("create").reason, end(scene.plain("create"))), (Reason::None, until.to_millis()));
    scene.house.pass(60_000);
    assert_eq!((scene.plain("create").reason, end(scene.plain("create"))), (Reason::NotGranted, before));
    assert!(before < never);
    let hours = r#"@id("hours") permit (principal, action == Action::"create", resource) when { context.now.toTime() < duration("2m30s") };"#;
    scene.policies(None, hours).await.expect("set");
    assert_eq!(scene.plain("create").reason, Reason::None);
    assert_eq!(end(scene.plain("create")), scene.house.engine.now());
    assert_eq!(end(scene.plain("docs.read")), before);
    scene.house.pass(60_000);
    assert_eq!(scene.plain("create").reason, Reason::NotGranted);
    // An explanation at another instant says which policy decides.
    let view = scene.tenant.admin.entry.view();
    let listing = view.as_ref().expect("awake").listing();
    let why = |at: UnixMillis| Why {
        subject: scene.ann,
        through: None,
        permission: name("create"),
        workspace: None,
        resource: None,
        context: None,
        entities: None,
        at,
    };
    let told = |at| listing.explain(&why(at), &tessera_engine::Draft::default()).expect("explained");
    let (early, late) = (told(UnixMillis(START_MS + 60_000)), told(UnixMillis(START_MS + 240_000)));
    assert_eq!((early.reason, late.reason), (Reason::None, Reason::NotGranted));
    let names: Vec<&str> = early.policies.iter().map(|said| said.name.as_str()).collect();
    assert_eq!((names, late.policies.len()), (vec!["hours"], 0));
}

/// PROPERTY: policies and schemas that are too large, or nested without end, are refused, and so is whoever may not set
/// them; nothing changes. TC-71 in part.
#[tokio::test]
async fn bad_texts_are_refused() {
    let scene = Scene::new().await;
    for (schema, text, refusal) in [
        (None, "permit (", Refusal::PolicyWrong),
        (None, "permit (principal, action == Action::\"nothing\", resource);", Refusal::PolicyWrong),
        (None, "permit (principal == Nothing::\"x\", action, resource);", Refusal::PolicyWrong),
        (Some("entity User = { a: Nothing };"), "", Refusal::PolicySchemaWrong),
        (Some("{"), "", Refusal::PolicySchemaWrong),
        (
            None,
            "@id(\"a\") permit (principal, action, resource);@id(\"a\") permit (principal, action, resource);",
            Refusal::PolicyWrong,
        ),
        (None, &"(".repeat(90_000), Refusal::PolicyWrong),
        (None, &" ".repeat(1_000_000), Limit::PolicyTextBytes.reached()),
        (None, &" ".repeat(100_000), Limit::PolicyTextBytes.reached()),
    ] {
        assert_eq!(scene.policies(schema, text).await, Err(refusal), "{:.60}", text);
    }
    for (bytes, refusal) in [(10, Refusal::PolicyWrong), (130 * 1024, Limit::PolicyProgramBytes.reached())] {
        let draft = tessera_model::policy::PolicyDraft {
            schema: None,
            text: "".into(),
            program: vec![7; bytes].into(),
            lenient: false,
            expected: None,
        };
        let told = scene.house.refused(&scene.tenant.admin, Command::SetPolicies { draft }).await;
        assert_eq!(told, refusal);
    }
    let engine = &scene.house.engine;
    let bound = scene.house.bind(&scene.session).await;
    let refused = engine.set_policies(&bound, (engine.command_id(), false), PolicyParts::default()).await;
    assert_eq!(refused.err(), Some(SubmitError::Refused(Refusal::Unauthorized)));
    assert!(scene.tenant.admin.entry.view().as_ref().expect("awake").listing().policies().is_none());
}

/// PROPERTY: a check in a tenant with policies allocates nothing: with roles, groups, attributes, stored resources, the
/// clock and texts that no policy knew; whether it permits, denies or fails.
#[tokio::test]
async fn a_check_under_policies_allocates_nothing() {
    let scene = Scene::new().await;
    scene.done(Command::DeclareAttribute { name: name("team"), kind: AttributeKind::Text }).await;
    scene.house.role(&scene.tenant, "writer", &["docs.write"]).await;
    scene.house.grant(&scene.tenant, scene.ann, "writer").await;
    scene.done(Command::CreateGroup { name: name("staff"), rule: Vec::new() }).await;
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    scene.done(Command::AddMember { group: name("staff"), subject: scene.ann, from, until }).await;
    let engine = &scene.house.engine;
    let values = vec![(name("team"), Some(AttributeValue::Text("nobody knew".into())))];
    engine
        .set_attributes(&scene.tenant.admin, (engine.command_id(), false), scene.ann, values)
        .await
        .expect("set");
    let text = r#"
        permit (principal in Group::"staff", action == Action::"docs.read", resource)
        when { principal has team && principal.team like "nobody*" && context.now > datetime("2020-01-01") };
        forbid (principal in Role::"writer", action == Action::"docs.write", resource)
        when { [principal.kind, "machine"].contains("machine") && principal.kind == "machine" };
        forbid (principal, action == Action::"create", resource) when { 9223372036854775807 + 1 > 0 };"#;
    scene.policies(None, text).await.expect("set");
    let view = scene.tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let handle = scene.session.to_bytes();
    let ask = || {
        let reading = engine.read(view);
        let check = |permission| {
            engine.check(&scene.tenant.admin, &reading, &scene.query(&handle, permission)).reason
        };
        [check("docs.read"), check("docs.write"), check("create")]
    };
    let once = ask();
    assert_eq!(once, [Reason::None, Reason::None, Reason::PolicyFailed]);
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            assert_eq!(ask(), once);
        }
    });
    assert_eq!(counted.count_total, 0, "a check allocated");
}
