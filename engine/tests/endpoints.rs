//! Endpoints of services: what is registered, what a request needs, and what that comes to.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant, grant, key};
use tessera_engine::{Authorized, UsedBy, Wanted};
use tessera_model::catalogue::{EntryText, ServiceEntry};
use tessera_model::endpoint::Endpoint;
use tessera_model::{
    CheckQuery, Command, Handle, Limit, Name, Pattern, PermissionRef, Private, PublicId, Reason, Receipt,
    Refusal, WorkspaceRef,
};
use tessera_storage::{Memory, Store};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

fn catalogue(text: &str, permissions: &[&str]) -> Command {
    let entry = |permission: &&str| ServiceEntry {
        permission: name(permission),
        text: EntryText::default(),
        replaced_by: None,
    };
    Command::SetService { name: name(text), entries: permissions.iter().map(entry).collect() }
}

fn endpoints(text: &str, all: &[(&str, &str, &str)]) -> Command {
    let endpoint = |(method, path, needs): &(&str, &str, &str)| {
        Endpoint::new(method, path, &pattern(needs)).expect("an endpoint")
    };
    Command::SetEndpoints { name: name(text), endpoints: all.iter().map(endpoint).collect() }
}

const ORDERS: &[(&str, &str, &str)] = &[
    ("GET", "/orders", "orders.list"),
    ("GET", "/orders/{id}", "orders.read"),
    ("*", "/orders/**", "orders.write"),
    ("GET", "/orders/export", "orders.export"),
    ("GET", "/files/{id}", "scope=read:docs/files?kind=order"),
];

struct Acme {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    session: Handle,
}

impl Acme {
    async fn over(store: Arc<dyn Store>) -> Self {
        let house = House::over(store, START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
        let all = ["orders.list", "orders.read", "orders.write", "orders.export", "orders:read"];
        house.submit(&tenant.admin, catalogue("orders", &all)).await;
        house.submit(&tenant.admin, catalogue("media", &["media/files:read"])).await;
        house.submit(&tenant.admin, Command::RegisterPermission { name: name("docs/files:read") }).await;
        house.role(&tenant, "reader", &["orders.list", "orders.read", "media/*", "docs/*"]).await;
        house.grant(&tenant, ann, "reader").await;
        house.submit(&tenant.admin, endpoints("orders", ORDERS)).await;
        // Whoever makes keys for others holds what they name.
        house.role(&tenant, "everything", &["*"]).await;
        house.grant(&tenant, tenant.admin.subject, "everything").await;
        let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("in");
        Self { house, tenant, ann, session }
    }

    async fn open() -> Self {
        Self::over(Arc::new(Memory::new(1 << 20))).await
    }

    fn asked(&self, handle: &Handle, wanted: Wanted<'_>) -> Authorized {
        let view = self.tenant.admin.entry.view();
        let reading = self.house.engine.read(view.as_ref().expect("awake"));
        let query = CheckQuery {
            handle: &handle.to_bytes(),
            permission: PermissionRef::Name(""),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        self.house.engine.authorize(&self.tenant.admin, &reading, &query, wanted)
    }

    /// The reason, and the permission that was asked.
    fn request(&self, method: &str, target: &str) -> (Reason, Option<String>) {
        let found = self.asked(&self.session, Wanted::Request("orders", method, target));
        (found.decision.reason, found.permission.map(|name| name.to_string()))
    }

    async fn refused(&self, command: Command) -> Refusal {
        self.house.refused(&self.tenant.admin, command).await
    }

    fn listed(&self, service: &str) -> Option<usize> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let index = listing.service_named(&name(service))?.index;
        Some(listing.endpoints(index).len())
    }
}

fn told(reason: Reason, permission: &str) -> (Reason, Option<String>) {
    (reason, (!permission.is_empty()).then(|| permission.to_owned()))
}

/// PROPERTY: a request needs what the narrowest endpoint says that matches it, and is answered as a check of that; one that
/// nothing matches, or that can be read in more than one way, is denied with why, and permits nobody. The same after a
/// restart, from the journal and from a checkpoint.
#[tokio::test]
async fn requests_need_what_the_narrowest_endpoint_says() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let mut acme = Acme::over(Arc::clone(&store)).await;
    for round in 0..3 {
        for (method, target, reason, permission) in [
            ("GET", "/orders", Reason::None, "orders.list"),
            ("GET", "/orders?page=2", Reason::None, "orders.list"),
            ("GET", "/orders/7", Reason::None, "orders.read"),
            ("GET", "/orders/export", Reason::NotGranted, "orders.export"),
            ("PUT", "/orders/7", Reason::NotGranted, "orders.write"),
            ("GET", "/orders/7/lines", Reason::NotGranted, "orders.write"),
            ("GET", "/files/7", Reason::None, "docs/files:read"),
            ("POST", "/orders/7/", Reason::NotGranted, "orders.write"),
            ("GET", "/orders/7/", Reason::EndpointUnknown, ""),
            ("GET", "/orders/export.csv", Reason::EndpointUnknown, ""),
            ("HEAD", "/orders/7", Reason::EndpointUnknown, ""),
            ("GET", "/orders/", Reason::EndpointUnknown, ""),
            ("HEAD", "/orders", Reason::EndpointUnknown, ""),
            ("GET", "/Orders", Reason::EndpointUnknown, ""),
            ("GET", "/orders/EXPORT", Reason::EndpointUnknown, ""),
            ("GET", "/nothing", Reason::EndpointUnknown, ""),
            ("get", "/orders", Reason::RequestDoubtful, ""),
            ("GET", "//orders", Reason::RequestDoubtful, ""),
            ("GET", "/orders/../orders", Reason::RequestDoubtful, ""),
            ("GET", "/orders/%2e%2e/x", Reason::RequestDoubtful, ""),
            ("GET", "/orders%2f7", Reason::RequestDoubtful, ""),
            ("GET", "/%6frders", Reason::RequestDoubtful, ""),
            ("GET", "/orders;x=1", Reason::RequestDoubtful, ""),
            ("GET", "http://shop.example/orders", Reason::RequestDoubtful, ""),
        ] {
            assert_eq!(acme.request(method, target), told(reason, permission), "{method} {target}");
        }
        for (wanted, reason, permission) in [
            (Wanted::Action("orders", "orders.read"), Reason::None, "orders.read"),
            (Wanted::Action("orders", "list"), Reason::None, "orders.list"),
            (Wanted::Action("orders", "write"), Reason::NotGranted, "orders.write"),
            // Two are called so behind the service's name.
            (Wanted::Action("orders", "read"), Reason::EndpointUnknown, ""),
            (Wanted::Action("orders", ""), Reason::EndpointUnknown, ""),
            (Wanted::Action("orders", "media/files:read"), Reason::EndpointUnknown, ""),
            (Wanted::Action("media", "files:read"), Reason::None, "media/files:read"),
            (Wanted::Action("nothing", "read"), Reason::ServiceUnknown, ""),
            (Wanted::Request("nothing", "GET", "/"), Reason::ServiceUnknown, ""),
            (Wanted::Request("media", "GET", "/"), Reason::EndpointUnknown, ""),
            (Wanted::Scope("read:media/files?kind=x"), Reason::None, "media/files:read"),
            (Wanted::Scope("read:media//files"), Reason::ScopeMalformed, ""),
        ] {
            let found = acme.asked(&acme.session, wanted);
            let found = (found.decision.reason, found.permission.map(|name| name.to_string()));
            assert_eq!(found, told(reason, permission), "{wanted:?}");
        }
        if round < 2 {
            if round == 1 {
                acme.house.engine.checkpoint().await;
            }
            acme.house.engine.stop().await;
            acme.house = House::over(Arc::clone(&store), START_MS + 1_000).await;
            acme.house.wake(&acme.tenant).await;
        }
    }
}

/// PROPERTY: an endpoint asks for its scope with what is always said of it: a key's filters hold for it or do not; and a
/// handle that opens nothing is told that, whatever it asks for.
#[tokio::test]
async fn endpoints_ask_with_their_scope() {
    let acme = Acme::open().await;
    let until = acme.house.engine.now().plus_seconds(60).to_deadline();
    for (covers, reason) in [
        ("scope=read:docs/files?kind=order", Reason::None),
        ("scope=read:docs/files?kind=bill", Reason::ScopeFiltered),
        ("scope=read:other/notes", Reason::Restricted),
        ("docs/files:read", Reason::None),
    ] {
        let command = key(acme.ann, vec![pattern(covers)], until, Private::default());
        let handle = acme.house.submit(&acme.tenant.admin, command).await.made.handle.expect("a key");
        let found = acme.asked(&handle, Wanted::Request("orders", "GET", "/files/7"));
        assert_eq!(found.decision.reason, reason, "{covers}");
    }
    let command = Command::EndSubjectSessions { subject: acme.ann };
    acme.house.submit(&acme.tenant.admin, command).await;
    for target in ["/orders", "/nothing", "//"] {
        assert_eq!(acme.request("GET", target).0, Reason::Revoked, "{target}");
    }
}

/// PROPERTY: endpoints are replaced as a whole or not at all; what would be in doubt, or asks for what is no permission,
/// is refused; they go with their service, and where they ask for an entry is told as its use.
#[tokio::test]
async fn endpoints_are_replaced_as_a_whole() {
    let acme = Acme::open().await;
    assert_eq!(acme.listed("orders"), Some(5));
    for (all, refusal) in [
        (
            &[("GET", "/a/{x}", "orders.read"), ("GET", "/{y}/b", "orders.read")][..],
            Refusal::EndpointAmbiguous,
        ),
        (&[("GET", "/a", "orders.read"), ("GET", "/a", "orders.write")], Refusal::EndpointAmbiguous),
        (&[("GET", "/{x}", "orders.read"), ("*", "/a", "orders.read")], Refusal::EndpointAmbiguous),
        (&[("GET", "/a", "orders.read"), ("PUT", "/A", "orders.read")], Refusal::EndpointAmbiguous),
        (&[("GET", "/a", "orders.nothing")], Refusal::PermissionUnknown),
        (&[("GET", "/a", "scope=write:media/files")], Refusal::PermissionUnknown),
        // What another service has registered is that one's to say.
        (&[("GET", "/a", "media/files:read")], Refusal::PermissionOwned),
        (&[("GET", "/a", "scope=read:media/files?kind=order")], Refusal::PermissionOwned),
    ] {
        assert_eq!(acme.refused(endpoints("orders", all)).await, refusal, "{all:?}");
    }
    assert_eq!(acme.refused(endpoints("nothing", ORDERS)).await, Refusal::ServiceUnknown);
    let many: Vec<String> = (0..513).map(|no| format!("/{no}")).collect();
    let many: Vec<_> = many.iter().map(|path| ("GET", path.as_str(), "orders.read")).collect();
    assert_eq!(acme.refused(endpoints("orders", &many)).await, Limit::Endpoints.reached());
    let long: Vec<String> = (0..500).map(|no| format!("/{no}{}", "x".repeat(200))).collect();
    let long: Vec<_> = long.iter().map(|path| ("GET", path.as_str(), "orders.read")).collect();
    assert_eq!(acme.refused(endpoints("orders", &long)).await, Limit::EndpointMapBytes.reached());
    assert_eq!(acme.listed("orders"), Some(5), "nothing of what was refused");
    let (engine, bound) = (&acme.house.engine, &acme.tenant.admin);
    let trial = engine.submit_or_try(bound, (engine.command_id(), true), endpoints("orders", &[]));
    trial.await.expect("a trial");
    assert_eq!(acme.listed("orders"), Some(5), "a trial");
    let uses = || {
        let view = acme.tenant.admin.entry.view();
        let reading = engine.read(view.as_ref().expect("awake"));
        let page = reading.entry_uses(&name("orders.export"), (0, 100)).expect("an entry");
        let uses = page.rows.into_iter().filter_map(|found| match found.by {
            UsedBy::Endpoint(service, method, path) => Some(format!("{service} {method} {path}")),
            _ => None,
        });
        uses.collect::<Vec<_>>()
    };
    assert_eq!(uses(), ["orders GET /orders/export"]);
    // What an endpoint asks for stays an entry.
    let fewer = catalogue("orders", &["orders.list", "orders.read", "orders.write"]);
    assert_eq!(acme.house.submit(bound, fewer).await.made.kept, Some(1));
    acme.house.submit(bound, endpoints("orders", &[("GET", "/v2/orders", "orders.list")])).await;
    assert_eq!((uses(), acme.listed("orders")), (Vec::new(), Some(1)));
    assert_eq!(acme.request("GET", "/orders"), told(Reason::EndpointUnknown, ""));
    assert_eq!(acme.request("GET", "/v2/orders"), told(Reason::None, "orders.list"));
    acme.house.submit(bound, catalogue("orders", &[])).await;
    acme.house.submit(bound, endpoints("media", &[])).await;
    assert_eq!(
        acme.request("GET", "/v2/orders"),
        told(Reason::None, "orders.list"),
        "it is in use, and stays"
    );
    acme.house.submit(bound, endpoints("orders", &[])).await;
    acme.house.submit(bound, Command::DeleteRole { name: name("reader") }).await;
    acme.house.submit(bound, catalogue("orders", &[])).await;
    assert_eq!(acme.listed("orders"), None);
    assert_eq!(acme.request("GET", "/v2/orders"), told(Reason::ServiceUnknown, ""));
    acme.house.submit(bound, catalogue("orders", &["orders.list"])).await;
    assert_eq!(acme.listed("orders"), Some(0), "a service of the same name begins with none");
    // Who may not register services registers no endpoints.
    acme.house.role(&acme.tenant, "roles", &["tessera.admin.roles"]).await;
    acme.house.submit(bound, grant(acme.ann, "roles")).await;
    let ann = acme.house.bind(&acme.session).await;
    assert_eq!(acme.house.refused(&ann, endpoints("orders", &[])).await, Refusal::Unauthorized);
    // Nor is told what is wrong with them.
    let doubtful = endpoints("orders", &[("GET", "/a", "orders.list"), ("GET", "/a", "orders.list")]);
    assert_eq!(acme.house.refused(&ann, doubtful).await, Refusal::Unauthorized);
}

/// PROPERTY: an endpoint uses the one permission that its scope asks for, not those that are included in its action.
#[tokio::test]
async fn an_endpoint_uses_what_it_asks_for() {
    let acme = Acme::open().await;
    let (engine, bound) = (&acme.house.engine, &acme.tenant.admin);
    // The lower one is known by a lower number.
    acme.house.submit(bound, catalogue("shop", &["shop/files:read", "shop/files:update"])).await;
    acme.house.submit(bound, endpoints("shop", &[("PUT", "/files", "scope=update:shop/files")])).await;
    let uses = |permission: &str| {
        let view = acme.tenant.admin.entry.view();
        let reading = engine.read(view.as_ref().expect("awake"));
        let page = reading.entry_uses(&name(permission), (0, 100)).expect("an entry");
        page.rows.into_iter().filter(|found| matches!(found.by, UsedBy::Endpoint(..))).count()
    };
    assert_eq!((uses("shop/files:read"), uses("shop/files:update")), (0, 1));
    let fewer = catalogue("shop", &["shop/notes:read"]);
    assert_eq!(acme.house.submit(bound, fewer).await.made.kept, Some(1), "the one that is asked for");
}
