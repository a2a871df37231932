//! The stand-in of the client crate beside a real node: the same answers.

use crate::support;

use std::collections::BTreeSet;
use support::{House, name};
use tessera_client::wire::{ListPermissions, Request, Resolve};
use tessera_client::{Client, Found, Permitted};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, Handle, HandleBytes, Pattern, PermissionId, PermissionRef, Reason, Receipt,
    WorkspaceRef,
};

const PERMISSIONS: [&str; 4] = ["orders.read", "orders.write", "bills.read", "bills.pay"];
const PLACES: [Option<&str>; 3] = [None, Some("berlin"), Some("paris")];

/// What a client answers about a handle: reasons, lists and numbers of everything that can be asked.
async fn answers(client: &Client, handle: &Handle) -> Vec<String> {
    let (bytes, text) = (handle.to_bytes(), handle.to_text());
    let mut told = Vec::new();
    let unknown = [("orders.fly", None), ("orders.read", Some("nowhere")), ("orders.fly", Some("nowhere"))];
    let known = PERMISSIONS.iter().flat_map(|permission| PLACES.map(|place| (*permission, place)));
    let asked: Vec<_> = known.chain(unknown).collect();
    let query = |permission, place: Option<&'static str>| CheckQuery {
        handle: &bytes,
        permission: PermissionRef::Name(permission),
        workspace: place.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name),
        at_least: Receipt::default(),
        address: None,
    };
    let mut single = Vec::new();
    for (permission, place) in &asked {
        let decision = client.check(&query(permission, *place)).await.expect("an answer");
        assert_eq!(client.is_permitted(&text, permission, *place).await, decision.is_permit());
        told.push(format!("{permission} in {place:?}: {}", decision.reason.name()));
        single.push(decision.reason);
    }
    let queries: Vec<_> = asked.iter().map(|(permission, place)| query(permission, *place)).collect();
    let batch = client.check_batch(Receipt::default(), &queries).await.expect("answers");
    assert_eq!(batch.iter().map(|decision| decision.reason).collect::<Vec<_>>(), single);
    for place in PLACES {
        let ask = ListPermissions {
            address: None,
            handle: &bytes,
            workspace: place.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name),
            at_least: Receipt::default(),
            with_names: true,
            after: PermissionId(0),
        };
        let listed = client.list_permissions(&ask).await.expect("a list");
        let names: BTreeSet<&str> = listed.names.iter().map(|known| known.name.as_str()).collect();
        told.push(format!("all in {place:?}: {} {names:?}", listed.reason.name()));
    }
    told.push(match client.introspect(&bytes, Receipt::default()).await.expect("an answer") {
        Found::Alive(found) => format!("alive, a key: {}", found.key),
        Found::Nothing(reason, _) => format!("nothing: {}", reason.name()),
    });
    told
}

/// PROPERTY: the stand-in answers every question as a node does in which the same was granted: each permission in
/// the tenant and in workspaces, of living, ended and unknown handles, unknown names, and after a sign-out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stand_in_answers_as_a_node() {
    let house = House::open().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let order = async |request: Request| tenant.client.request(&request).await.expect("done");
    for place in PLACES.into_iter().flatten() {
        order(Request::CreateWorkspace { name: name(place), parent: None, inherits: true }).await;
    }
    for permission in PERMISSIONS {
        let patterns = vec![Pattern::new(permission).expect("a pattern")];
        order(Request::CreateRole { name: name(permission), patterns }).await;
    }
    let (mut fake, mut handles) = (Permitted::new(), Vec::new());
    for nth in 0..6_usize {
        let machine =
            Request::CreateSubject { kind: SubjectKind::Machine, identifiers: vec![], password: None };
        let subject = order(machine).await.subject.expect("an id");
        let opened = order(Request::OpenSession { subject, device: None, proof: None }).await;
        let bytes: HandleBytes = opened.handle.as_ref().expect("a handle").expose().try_into().expect("40");
        // Everybody has something, so that the stand-in knows every name and handle.
        for (at, (permission, place)) in
            PERMISSIONS.iter().flat_map(|permission| PLACES.map(|place| (*permission, place))).enumerate()
        {
            if at % 6 != nth && (at * 7 + nth * 3) % 5 != 0 {
                continue;
            }
            let (from, until) = (Deadline::NONE, Deadline::NONE);
            let workspace = place.map(name);
            order(Request::Grant { subject, role: name(permission), workspace, from, until }).await;
            fake = fake.permit(&bytes, permission, place);
        }
        handles.push(Handle::parse(&bytes).expect("a handle"));
    }
    let double = fake.client();
    let mut permits = 0;
    for handle in &handles {
        let node = answers(&tenant.client, handle).await;
        permits += node.iter().filter(|told| told.ends_with(Reason::None.name())).count();
        assert_eq!(answers(&double, handle).await, node);
    }
    assert!(permits > 10, "{permits}");
    // Nobody's handle, and one whose secret is another one.
    let strange = Permitted::handle(77);
    let forged = Handle { secret: [9; 20], ..handles[0] };
    for handle in [Handle { tenant: handles[0].tenant, ..strange }, forged] {
        assert_eq!(answers(&double, &handle).await, answers(&tenant.client, &handle).await);
    }
    // What has ended is told as ended, by both, and again.
    let ended = handles[1].to_bytes();
    for client in [&double, &tenant.client] {
        client.touch(&ended).await.expect("touched");
        client.sign_out(&ended).await.expect("signed out");
    }
    assert_eq!(answers(&double, &handles[1]).await, answers(&tenant.client, &handles[1]).await);
    let touched =
        |client: Client| async move { client.touch(&ended).await.map(|_| ()).map_err(|error| error.code()) };
    assert_eq!(touched(double.clone()).await, touched(tenant.client.clone()).await);
    for names in
        [&[Resolve::Permission("orders.read"), Resolve::Workspace("paris")][..], &[Resolve::Permission("x")]]
    {
        let known = |ids: Vec<u32>| ids.into_iter().map(|id| id > 0).collect::<Vec<_>>();
        let node = tenant.client.resolve(names).await.expect("ids").ids;
        assert_eq!(known(double.resolve(names).await.expect("ids").ids), known(node));
    }
}
