//! Policies over the wire: set, read, tried, and asked by checks under circumstances.

use crate::support;

use support::{House, name};
use tessera_client::ClientError;
use tessera_client::wire::{EntityRow, ExplainRow, PolicyFaultRow, PolicySetRow, Request};
use tessera_model::policy::EntityName;
use tessera_model::{CheckQuery, Deadline, PermissionRef, Private, Reason, Receipt, Refusal, WorkspaceRef};

const SCHEMA: &str = r#"
    entity Tenant; entity Workspace in [Workspace, Tenant]; entity Role in [Role]; entity Group in [Group];
    entity User in [Group, Role] = { kind: String };
    entity Doc = { size: Long };
    action "docs.read" appliesTo { principal: [User], resource: [Doc, Tenant], context: { n?: Long } };"#;
const POLICIES: &str = r#"
    @id("small") permit (principal, action, resource is Doc) when { resource.size < 10 };
    @id("later") forbid (principal, action, resource) when { context has n && context.n > 3 };"#;

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn refusal<T>(result: Result<T, ClientError>) -> Option<Refusal> {
    match result {
        Err(ClientError::Refused(refusal)) => Some(refusal),
        Ok(_) | Err(_) => None,
    }
}

fn set(text: &str, version: Option<u32>) -> Request {
    Request::SetPolicies {
        text: Some(private(text)),
        schema: Some(private(SCHEMA)),
        built_in: false,
        lenient: None,
        version,
        trial: false,
    }
}

fn put(entities: &str) -> Request {
    Request::ChangeEntities { put: Some(private(entities)), remove: Vec::new(), trial: false }
}

/// PROPERTY: over the wire policies are set on the condition of their version, tried with places, read as they were set
/// and asked at the next check; entities come page by page; what does not fit is a refusal and no answer; who may not
/// check says no circumstances, who may not administer changes nothing.
#[tokio::test]
async fn policies_are_set_and_asked() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let client = &acme.client;
    client.request(&Request::RegisterPermission { name: name("docs.read") }).await.expect("a permission");
    acme.person("ann@example.org", "guest", &["guests.enter"]).await;
    let (handle, session) = acme.session("ann@example.org").await;
    let wrong = "permit (principal, action, resource)\nwhen { context.m > 3 };";
    assert_eq!(refusal(client.request(&set(wrong, None)).await), Some(Refusal::PolicyWrong));
    let tried =
        Request::TryPolicies { text: Some(private(wrong)), schema: Some(private(SCHEMA)), built_in: false };
    let faults = client.list::<PolicyFaultRow>(&tried).await.expect("a trial").rows;
    assert_eq!((faults[0].in_schema, faults[0].line), (false, 2));
    assert_eq!(client.request(&set(POLICIES, Some(0))).await.expect("set").policies, Some(1));
    assert_eq!(refusal(client.request(&set("", Some(7))).await), Some(Refusal::PolicyVersion));
    let row = client
        .list::<PolicySetRow>(&Request::ReadPolicies { version: 0 })
        .await
        .expect("read")
        .rows
        .pop()
        .expect("a row");
    assert_eq!((row.version, row.count, row.built_in, row.lenient), (1, 2, false, false));
    assert_eq!((row.text.expose(), row.schema.expose()), (POLICIES.as_bytes(), SCHEMA.as_bytes()));
    let doc = |id: usize, size: &str| {
        format!(r#"{{"uid": {{"type": "Doc", "id": "{id}"}}, "attrs": {{"size": {size}}}}}"#)
    };
    assert_eq!(
        refusal(client.request(&put(&format!("[{}]", doc(0, "\"x\"")))).await),
        Some(Refusal::EntityWrong)
    );
    let many: Vec<String> = (0..200).map(|id| doc(id, &id.to_string())).collect();
    client.request(&put(&format!("[{}]", many.join(",")))).await.expect("stored");
    let (mut found, mut after) = (0, None);
    loop {
        let page =
            client.list::<EntityRow>(&Request::ListEntities { after, limit: 60 }).await.expect("a page");
        found += page.rows.len();
        let Some(next) = page.next else { break };
        after = Some(Private::new(next));
    }
    assert_eq!(found, 200);
    let query = CheckQuery {
        handle: &handle,
        permission: PermissionRef::Name("docs.read"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    let asked = async |resource: &str, context: &str| {
        client.check_about(&query, Some(resource), (Some(context.as_bytes()), None)).await
    };
    let reason =
        async |resource: &str, context: &str| asked(resource, context).await.expect("an answer").reason;
    assert_eq!(reason("Doc:9", "{}").await, Reason::None);
    assert_eq!(reason("Doc:10", "{}").await, Reason::NotGranted);
    assert_eq!(reason("Doc:9", r#"{"n": 4}"#).await, Reason::PolicyForbids);
    assert_eq!(reason("Doc:gone", "{}").await, Reason::NotGranted);
    assert_eq!(client.check_resource(&query, "Doc:9").await.expect("an answer").reason, Reason::None);
    assert_eq!(refusal(asked("Doc:9", r#"{"n": "4"}"#).await), Some(Refusal::ContextWrong));
    assert_eq!(refusal(asked("Doc:9", "{").await), Some(Refusal::ContextWrong));
    let sent = format!("[{}]", doc(999, "1"));
    let about = client.check_about(&query, Some("Doc:999"), (None, Some(sent.as_bytes()))).await;
    assert_eq!(about.expect("an answer").reason, Reason::None);
    let ill = client.check_about(&query, None, (None, Some(b"[{}]"))).await;
    assert_eq!(refusal(ill), Some(Refusal::EntityWrong));
    let subject =
        client.list::<tessera_client::wire::SubjectRow>(&Request::ListSubjects { after: None, limit: 0 });
    let ann = subject.await.expect("a list").rows.pop().expect("ann").subject;
    let explain = Request::Explain {
        subject: ann,
        key: None,
        permission: name("docs.read"),
        workspace: None,
        resource: Some(private("Doc:9")),
        at: Deadline::NONE,
        context: Some(private(r#"{"n": 5}"#)),
        entities: None,
        address: None,
        acr: 0,
        proven: Deadline::NONE,
        trust: None,
    };
    let rows = client.list::<ExplainRow>(&explain).await.expect("explained").rows;
    let told: Vec<(u32, Option<String>)> =
        rows.iter().filter(|row| row.kind >= 7).map(|row| (row.kind, row.told.clone())).collect();
    assert_eq!(told, [(7, Some("small".to_owned())), (8, Some("later".to_owned()))]);
    // A session may ask about itself, but says no circumstances, and administers nothing.
    let own = house.client(&session).await;
    assert_eq!(own.check_resource(&query, "Doc:9").await.expect("an answer").reason, Reason::None);
    let said = own.check_about(&query, Some("Doc:9"), (Some(b"{}"), None)).await;
    assert_eq!(refusal(said), Some(Refusal::Unauthorized));
    for request in [set(POLICIES, None), put("[]"), Request::DeletePolicies { version: None }] {
        assert_eq!(refusal(own.request(&request).await), Some(Refusal::Unauthorized));
    }
    assert_eq!(
        refusal(own.list::<PolicySetRow>(&Request::ReadPolicies { version: 0 }).await),
        Some(Refusal::Unauthorized)
    );
    assert_eq!(refusal(own.list::<PolicyFaultRow>(&tried).await), Some(Refusal::Unauthorized));
    let remove = (0..200).map(|id| EntityName::new("Doc", &id.to_string()).expect("a name")).collect();
    client.request(&Request::ChangeEntities { put: None, remove, trial: false }).await.expect("removed");
    client.request(&Request::DeletePolicies { version: Some(1) }).await.expect("deleted");
    assert_eq!(client.check(&query).await.expect("an answer").reason, Reason::NotGranted);
}
