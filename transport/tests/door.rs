//! The whole way over the wire: client, QUIC, door, engine and back.

use crate::support;

use std::time::Duration;
use support::{House, name, query, soon};
use tessera_client::wire::{
    AttributeValueRow, GrantRow, IdentifierRow, ListPermissions, PermissionRow, Request, Resolve, RoleRow,
    SessionRow, SettingsRow, SubjectRow, TenantRow, WorkspaceRow,
};
use tessera_client::{Client, ClientError, Found};
use tessera_model::record::AttributeValue;
use tessera_model::{
    Deadline, Epoch, Identifier, PermissionId, PermissionRef, Private, Reason, Receipt, Refusal, Revision,
    WorkspaceRef,
};

/// PROPERTY: the main job over the wire: sign in, permit, revoke, deny, each at the next check.
#[tokio::test]
async fn a_session_is_permitted_until_it_is_revoked() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let amy = acme.person("Amy@example.org", "reader", &["orders.*", "orders.read"]).await;
    let made = acme.client.sign_in("amy@EXAMPLE.org", "correct horse").await.expect("signed in");
    assert_eq!(made.subject, Some(amy));
    let text = made.handle_text().expect("a handle");
    let handle = made.handle.as_ref().expect("a handle").expose().try_into().expect("40 bytes");
    let decision = acme.client.check(&query(&handle, "orders.read")).await.expect("an answer");
    assert_eq!(decision.reason, Reason::None);
    assert!(decision.valid_until.0 > house.engine.now().0 && decision.seen >= made.receipt);
    let unknown = acme.client.check(&query(&handle, "orders.fly")).await.expect("an answer");
    assert_eq!(unknown.reason, Reason::PermissionUnknown);
    assert!(acme.client.is_permitted(&text, "orders.read", None).await);
    let ended = acme.client.end(made.session.expect("an id")).await.expect("ended");
    let after = acme.client.check(&query(&handle, "orders.read")).await.expect("an answer");
    assert_eq!(after.reason, Reason::Revoked);
    assert!(after.seen >= ended.receipt);
    for password in ["wrong", ""] {
        let wrong = acme.client.sign_in("amy@example.org", password).await;
        assert!(matches!(wrong.err(), Some(ClientError::Refused(Refusal::SignInFailed))));
    }
    for identifier in ["bob@example.org", "not an identifier"] {
        let unknown = acme.client.sign_in(identifier, "correct horse").await;
        assert!(matches!(unknown.err(), Some(ClientError::Refused(Refusal::SignInFailed))));
    }
}

/// PROPERTY: batch, introspection, permission list and resolve agree with single checks.
#[tokio::test]
async fn every_question_agrees_with_single_checks() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let amy = acme.person("amy@example.org", "reader", &["orders.read", "bills.*", "bills.pay"]).await;
    let register = Request::RegisterPermission { name: name("orders.write") };
    acme.client.request(&register).await.expect("registered");
    let (handle, _) = acme.session("amy@example.org").await;
    let names = ["orders.read", "orders.write", "bills.pay", "nothing"];
    let asked: Vec<_> = names.iter().map(|name| Resolve::Permission(name)).collect();
    let resolved = acme.client.resolve(&asked).await.expect("resolved");
    assert!(resolved.ids[..3].iter().all(|id| *id != 0) && resolved.ids[3] == 0);
    let by_name: Vec<_> = (0..300).map(|at| query(&handle, names[at % 4])).collect();
    let mut by_id = by_name.clone();
    for (at, query) in by_id.iter_mut().enumerate() {
        query.permission = PermissionRef::Id(PermissionId(resolved.ids[at % 4]));
    }
    let ask = ListPermissions {
        address: None,
        handle: &handle,
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        with_names: true,
        after: PermissionId(0),
    };
    let list = acme.client.list_permissions(&ask).await.expect("listed");
    let listed: Vec<_> = list.names.iter().map(|name| name.name.as_str()).collect();
    assert_eq!(listed, ["orders.read", "bills.pay"]);
    let first = acme.client.check_batch(Receipt::default(), &by_name).await.expect("answers");
    assert_eq!(first, acme.client.check_batch(Receipt::default(), &by_id).await.expect("answers"));
    for (query, answer) in by_name.iter().zip(&first).take(8) {
        assert_eq!(acme.client.check(query).await.expect("an answer"), *answer);
        let PermissionRef::Name(name) = query.permission else { panic!("by name") };
        assert_eq!(answer.is_permit(), listed.contains(&name));
    }
    let found = acme.client.introspect(&handle, Receipt::default()).await.expect("found");
    let Found::Alive(found) = found else { panic!("alive") };
    assert_eq!((found.subject, found.tenant, found.key), (amy, acme.id, false));
    house.pass(3_600_000);
    let found = acme.client.introspect(&handle, Receipt::default()).await.expect("found");
    assert!(matches!(found, Found::Nothing(Reason::Idle, _)));
}

/// PROPERTY: a receipt sent along as `at_least` is honoured: beyond the present Behind, waited out
/// until the deadline; of a history that was left, Restored.
#[tokio::test]
async fn receipts_are_honoured() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let (handle, _) = acme.session("amy@example.org").await;
    let seen = acme.client.check(&query(&handle, "orders.read")).await.expect("an answer").seen;
    let mut asked = query(&handle, "orders.read");
    asked.at_least = seen;
    assert!(acme.client.check(&asked).await.expect("an answer").is_permit());
    asked.at_least.revision = Revision(seen.revision.0 + 1);
    let ahead = soon(&acme.client, async |brief| brief.check(&asked).await).await.err();
    assert!(matches!(ahead, Some(ClientError::Refused(Refusal::Behind))), "{ahead:?}");
    let client = acme.client.clone();
    let (handle, at_least) = (handle, asked.at_least);
    let waiting = tokio::spawn(async move {
        let asked = tessera_model::CheckQuery { at_least, ..query(&handle, "orders.read") };
        client.check(&asked).await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    acme.client.request(&Request::RegisterPermission { name: name("x") }).await.expect("registered");
    assert!(waiting.await.expect("no panic").expect("an answer").seen >= at_least);
    asked.at_least = Receipt { epoch: Epoch(0), revision: Revision(9) };
    assert!(acme.client.check(&asked).await.is_ok(), "epoch 0 asks for nothing");
}

/// PROPERTY: lists show what commands made, in pages; a session reads what is its own, no more.
#[tokio::test]
async fn lists_show_what_was_made() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let amy = acme.person("Amy@example.org", "reader", &["orders.read"]).await;
    let client = &acme.client;
    for at in 0..25 {
        let name = name(&format!("p{at:02}"));
        client.request(&Request::RegisterPermission { name }).await.expect("registered");
    }
    let (mut after, mut names) = (None, Vec::new());
    loop {
        let request = Request::ListPermissionNames { after, limit: 10 };
        let page = client.list::<PermissionRow>(&request).await.expect("a page");
        names.extend(page.rows.into_iter().map(|row| row.name.as_str().to_owned()));
        let Some(next) = page.next else { break };
        after = Some(Private::new(next));
    }
    assert_eq!(names.iter().filter(|name| name.starts_with('p') && name.len() == 3).count(), 25);
    let values = vec![(name("nick"), Some(AttributeValue::Text("Ams".into())))];
    client.request(&Request::SetAttributes { subject: amy, values: values.clone() }).await.expect("set");
    let workspace = Request::CreateWorkspace { name: name("eu"), parent: None, inherits: true };
    client.request(&workspace).await.expect("created");
    let by_identifier = Identifier::guess("amy@example.org").ok();
    let read = Request::ReadSubject { subject: None, identifier: by_identifier };
    assert_eq!(client.list::<SubjectRow>(&read).await.expect("found").rows[0].subject, amy);
    let of_amy = Request::ListIdentifiers { subject: amy };
    let identifiers = client.list::<IdentifierRow>(&of_amy).await.expect("listed").rows;
    assert_eq!(identifiers[0].identifier.typed(), "Amy@example.org");
    let attributes = client.list::<AttributeValueRow>(&Request::ListAttributeValues { subject: amy }).await;
    assert!(attributes.expect("listed").rows[0].values == values);
    let grants = client
        .list::<GrantRow>(&Request::ListGrants { subject: amy, after: None, limit: 0 })
        .await
        .expect("listed")
        .rows;
    assert_eq!((grants[0].role.as_str(), grants[0].until), ("reader", Deadline::NONE));
    let all = (None, 0);
    let roles = client.list::<RoleRow>(&Request::ListRoles { after: all.0.clone(), limit: all.1 }).await;
    assert!(roles.expect("listed").rows.iter().any(|role| role.name.as_str() == "reader"));
    let spaces = client.list::<WorkspaceRow>(&Request::ListWorkspaces { after: None, limit: 0 }).await;
    assert_eq!(spaces.expect("listed").rows[0].name.as_str(), "eu");
    let settings = client.list::<SettingsRow>(&Request::ReadSettings {}).await.expect("read").rows;
    assert_eq!(settings[0].settings.argon_memory_kib, 64);
    let (_, text) = acme.session("amy@example.org").await;
    let own = house.client(&text).await;
    let sessions = own
        .list::<SessionRow>(&Request::ListSessions { subject: amy, after: None, limit: 0 })
        .await
        .expect("own")
        .rows;
    assert_eq!(sessions.len(), 1);
    let others = own.list::<SubjectRow>(&Request::ListSubjects { after: None, limit: 0 }).await.err();
    assert!(matches!(others, Some(ClientError::Refused(Refusal::Unauthorized))), "{others:?}");
    let tenants = Request::ListTenants { after: None, limit: 0 };
    let tenants = operator.list::<TenantRow>(&tenants).await.expect("listed").rows;
    assert!(tenants.iter().any(|tenant| tenant.tenant == acme.id && tenant.name.as_str() == "acme"));
    assert!(
        client.list::<TenantRow>(&Request::ReadTenant { tenant: Some(acme.id), name: None }).await.is_err()
    );
}

/// PROPERTY: an operator acts on a tenant that it names, in Hello or in the command; nobody else does.
/// TC-58 in part: over QUIC.
#[tokio::test]
async fn only_operators_name_another_tenant() {
    let house = House::open().await;
    let operator = house.operator().await;
    let (acme, other) = (house.tenant(&operator, "acme").await, house.tenant(&operator, "other").await);
    let role = Request::CreateRole { name: name("reader"), patterns: Vec::new() };
    let id = operator.command_id();
    operator.request_again(acme.id, id, &role).await.expect("an operator may");
    let again = operator.request_again(acme.id, id, &role).await.expect("a repeat");
    assert!(again.repeated);
    let roles = Request::ListRoles { after: None, limit: 0 };
    assert!(operator.list_of::<RoleRow>(acme.id, &roles).await.expect("listed").rows.len() > 1);
    let foreign = acme.client.request_again(other.id, acme.client.command_id(), &role).await.err();
    assert!(matches!(foreign, Some(ClientError::Refused(Refusal::TenantUnknown))), "{foreign:?}");
    let config = tessera_client::Config { tenant: Some(other.id), ..house.config(Some(acme.key.clone())) };
    let refused = Client::connect(config).await.err().expect("refused");
    assert_eq!(refused.code(), Some(405), "{refused}");
}

/// PROPERTY: a caller without `tessera.check` asks about its own handle only; a handle of another
/// tenant is denied.
/// TC-68 in part.
#[tokio::test]
async fn handles_of_others_need_the_permission() {
    let house = House::open().await;
    let operator = house.operator().await;
    let (acme, other) = (house.tenant(&operator, "acme").await, house.tenant(&operator, "other").await);
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let ((first, text), (second, _)) =
        (acme.session("amy@example.org").await, acme.session("amy@example.org").await);
    let own = house.client(&text).await;
    assert!(own.check(&query(&first, "orders.read")).await.expect("an answer").is_permit());
    let foreign = own.check(&query(&second, "orders.read")).await.err();
    assert!(matches!(foreign, Some(ClientError::Refused(Refusal::Unauthorized))), "{foreign:?}");
    let batch = own.check_batch(Receipt::default(), &[query(&first, "x"), query(&second, "x")]).await.err();
    assert!(matches!(batch, Some(ClientError::Refused(Refusal::Unauthorized))));
    let denied = other.client.check(&query(&first, "orders.read")).await.expect("an answer");
    assert_eq!(denied.reason, Reason::OtherTenant);
}
