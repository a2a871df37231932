//! Scopes and endpoints over the wire: registered, listed, asked, and kept from whoever may not ask.

use crate::support;

use support::{House, Tenant, name, query};
use tessera_client::wire::{EndpointRow, Request};
use tessera_client::{ClientError, Wanted};
use tessera_model::catalogue::{EntryText, ServiceEntry};
use tessera_model::endpoint::Endpoint;
use tessera_model::{CheckQuery, HandleBytes, Pattern, Reason, Receipt, Refusal, Revision, WorkspaceRef};

async fn shop(acme: &Tenant) {
    let entry = |permission: &str| ServiceEntry {
        permission: name(permission),
        text: EntryText::default(),
        replaced_by: None,
    };
    let entries = ["orders.read", "orders.write", "media/files:read"].map(entry).to_vec();
    let set = Request::SetService { name: name("orders"), trial: false, entries };
    acme.client.request(&set).await.expect("a service");
}

fn endpoints(trial: bool, all: &[(&str, &str, &str)]) -> Request {
    let endpoint = |(method, path, needs): &(&str, &str, &str)| {
        Endpoint::new(method, path, &Pattern::new(needs).expect("a pattern")).expect("an endpoint")
    };
    let endpoints = all.iter().map(endpoint).collect();
    Request::SetEndpoints { name: name("orders"), trial, endpoints }
}

async fn listed(acme: &Tenant) -> Vec<(String, String, String)> {
    let request = Request::ListEndpoints { service: name("orders") };
    let rows = acme.client.list::<EndpointRow>(&request).await.expect("a list").rows;
    rows.into_iter().map(|row| (row.method, row.path, row.needs)).collect()
}

/// PROPERTY: what is registered over the wire is what is listed and what is asked, by request, action and scope, in the
/// position that the caller has seen; a trial registers nothing, and what is refused is told by its code.
#[tokio::test]
async fn endpoints_are_registered_and_asked() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    shop(&acme).await;
    let all = [
        ("GET", "/orders/{id}", "orders.read"),
        ("*", "/orders/**", "orders.write"),
        ("GET", "/files", "scope=media/files?kind=order"),
    ];
    acme.client.request(&endpoints(true, &all)).await.expect("a trial");
    assert!(listed(&acme).await.is_empty());
    acme.client.request(&endpoints(false, &all)).await.expect("endpoints");
    let found = listed(&acme).await;
    assert_eq!((found.len(), found[2].2.as_str()), (3, "scope=read:media/files?kind=order"));
    let twice = [("GET", "/a/*", "orders.read"), ("GET", "/*/b", "orders.read")];
    let refused = acme.client.request(&endpoints(false, &twice)).await.err();
    assert!(matches!(refused, Some(ClientError::Refused(Refusal::EndpointAmbiguous))), "{refused:?}");
    let unknown = acme.client.request(&endpoints(false, &[("GET", "/a", "orders.fly")])).await.err();
    assert!(matches!(unknown, Some(ClientError::Refused(Refusal::PermissionUnknown))), "{unknown:?}");
    assert_eq!(listed(&acme).await, found);

    acme.person("ann@example.org", "reader", &["orders.read", "scope=read:media/*"]).await;
    let (handle, key) = acme.session("ann@example.org").await;
    for (wanted, reason, permission) in [
        (Wanted::Request("orders", "GET", "/orders/7?x=1"), Reason::None, Some("orders.read")),
        (Wanted::Request("orders", "PUT", "/orders/7"), Reason::NotGranted, Some("orders.write")),
        (Wanted::Request("orders", "GET", "/files"), Reason::None, Some("media/files:read")),
        (Wanted::Request("orders", "GET", "/nothing"), Reason::EndpointUnknown, None),
        (Wanted::Request("orders", "GET", "/orders/../orders/7"), Reason::RequestDoubtful, None),
        (Wanted::Request("shop", "GET", "/"), Reason::ServiceUnknown, None),
        (Wanted::Action("orders", "read"), Reason::None, Some("orders.read")),
        (Wanted::Action("orders", "orders.write"), Reason::NotGranted, Some("orders.write")),
        (Wanted::Scope("media/files?kind=x"), Reason::None, Some("media/files:read")),
        (Wanted::Scope("media/**"), Reason::ScopeMalformed, None),
    ] {
        let found = acme.client.authorize(&query(&handle, ""), wanted).await.expect("an answer");
        let shown = found.permission.as_ref().map(|name| name.as_str());
        assert_eq!((found.decision.reason, shown), (reason, permission), "{wanted:?}");
    }
    // A workspace is named, and counts.
    let there = CheckQuery { workspace: WorkspaceRef::Name("nowhere"), ..query(&handle, "") };
    let found = acme.client.authorize(&there, Wanted::Action("orders", "read")).await.expect("an answer");
    assert_eq!(found.decision.reason, Reason::WorkspaceUnknown);
    // One's own handle may be asked about by everybody, others' by whoever may ask.
    let ann = house.client(&key).await;
    let wanted = Wanted::Request("orders", "GET", "/orders/7");
    assert!(ann.authorize(&query(&handle, ""), wanted).await.expect("an answer").decision.is_permit());
    let other: HandleBytes = [7; 40];
    let refused = ann.authorize(&query(&other, ""), wanted).await.err();
    assert!(matches!(refused, Some(ClientError::Refused(Refusal::Unauthorized))), "{refused:?}");
    let refused = ann.list::<EndpointRow>(&Request::ListEndpoints { service: name("orders") }).await.err();
    assert!(matches!(refused, Some(ClientError::Refused(Refusal::Unauthorized))), "{refused:?}");
    // What the caller has seen the node must have seen.
    let ahead = Receipt { revision: Revision(1 << 40), ..found.decision.seen };
    let ahead = CheckQuery { at_least: ahead, ..query(&handle, "") };
    let client = acme.client.with_deadline(std::time::Duration::from_millis(300));
    assert!(client.authorize(&ahead, wanted).await.is_err());
}
