//! What one tenant's policies may cost the others: steps, entities below those that move, bytes; and what is refused for
//! it.

mod support;

use support::{House, Tenant};
use tessera_engine::{About, PolicyParts, SubmitError};
use tessera_model::{
    CheckQuery, Command, Handle, Limit, Name, PermissionRef, Reason, Receipt, Refusal, WorkspaceRef,
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
        for permission in ["create", "docs.read"] {
            house.submit(&tenant.admin, Command::RegisterPermission { name: name(permission) }).await;
        }
        Self { house, tenant, session }
    }

    async fn set(&self, parts: PolicyParts) -> Result<u32, Refusal> {
        let engine = &self.house.engine;
        match engine.set_policies(&self.tenant.admin, (engine.command_id(), false), parts).await {
            Ok(done) => Ok(done.made.number.expect("a version")),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    async fn policies(&self, schema: &str, text: &str) -> Result<u32, Refusal> {
        let (text, schema) = (Some(text.into()), Some(schema.into()));
        self.set(PolicyParts { text, schema, ..PolicyParts::default() }).await
    }

    async fn entities(&self, text: &str) -> Result<(), Refusal> {
        let engine = &self.house.engine;
        let put = (Some(text), Vec::new());
        match engine.change_entities(&self.tenant.admin, (engine.command_id(), false), put).await {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
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
    let few = r#"{"one": ["a"], "other": ["a"], "text": "x"}"#;
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
    format!(r#"{{"uid": {{"type": "{kind}", "id": "{id}"}}, "attrs": {{"note": "{note}"}}, "parents": [{parents}]}}"#)
}

fn list(of: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", of.into_iter().collect::<Vec<_>>().join(","))
}

/// PROPERTY: what lies above changes with what is moved, for all below it; a command that moves too many at once is
/// refused, and one that moves none of them is not; so is a chain that is longer than may be, and one that closes.
#[tokio::test]
async fn what_is_below_has_a_bound() {
    let scene = Scene::new().await;
    let text = r#"permit (principal, action, resource); forbid (principal, action, resource in Folder::"shut");"#;
    scene.policies(DOCS, text).await.expect("set");
    scene.entities(&list([entity("Folder", "top", None, ""), entity("Folder", "shut", None, "")])).await.expect("put");
    let docs = |from: usize, to: usize| list((from..to).map(|at| entity("Doc", &format!("d{at}"), Some("top"), "")));
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
    let text = r#"permit (principal, action, resource); forbid (principal, action, resource in Folder::"shut");"#;
    scene.policies(DOCS, text).await.expect("set");
    let stored = [entity("Folder", "top", None, ""), entity("Doc", "d", Some("top"), ""), entity("Doc", "e", None, "")];
    scene.entities(&list(stored)).await.expect("put");
    let ask = |resource: &str, sent: String| {
        let about = About { resource: Some(resource), entities: Some(&list([sent])), ..About::default() };
        scene.about("docs.read", about)
    };
    assert_eq!(ask("Doc:d", entity("Folder", "top", Some("shut"), "")), Err(Refusal::EntityWrong));
    assert_eq!(ask("Doc:d", entity("Folder", "top", None, "other")), Ok(Reason::None));
    assert_eq!(ask("Doc:e", entity("Doc", "e", Some("shut"), "")), Ok(Reason::PolicyForbids));
}
