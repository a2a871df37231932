//! Refresh over the wire: clients, successors, reuse, budgets, and what is no refresh handle.

use crate::support;

use support::{House, Tenant, name, query, soon};
use tessera_client::wire::{ClientRow, Made, RefreshKeyRow, Request};
use tessera_client::{Client, ClientError, Found};
use tessera_model::refresh::{ClientTerms, RefreshMode};
use tessera_model::{HandleBytes, Limit, LimitAt, Private, PublicId, Reason, Receipt, Refusal};
use tessera_transport::Limits;

fn bytes(handle: Option<&Private>) -> HandleBytes {
    handle.expect("a handle").expose().try_into().expect("40 bytes")
}

const ROTATING: ClientTerms = ClientTerms {
    refresh: RefreshMode::Rotating,
    session_ttl_s: 0,
    session_idle_s: 0,
    refresh_ttl_s: 0,
    sessions_max: 0,
    evict: false,
};

/// A caller of a client: its key names the client, and may open sessions and check handles.
async fn caller_of(house: &House, acme: &Tenant, called: &str, terms: ClientTerms) -> Client {
    let client = Request::CreateClient { name: name(called), terms };
    acme.client.request(&client).await.expect("made");
    let (admin, _) = acme.client.hello().bound.expect("bound");
    let key = Request::CreateKey {
        subject: admin,
        patterns: Vec::new(),
        expires: house.engine.now().plus_seconds(86_400).to_deadline(),
        description: Private::default(),
        client: Some(name(called)),
        networks: Vec::new(),
    };
    let made = acme.client.request(&key).await.expect("made");
    house.client(&made.handle_text().expect("a key")).await
}

async fn signed_in(caller: &Client, email: &str) -> Made {
    caller.sign_in(email, "correct horse").await.expect("signed in")
}

fn refused(told: Result<Made, ClientError>) -> Refusal {
    match told {
        Err(ClientError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("taken"),
    }
}

/// PROPERTY: a session opened through a client comes with a refresh handle; each use gives the next one and
/// moves the idle end; a replaced one ends the session, which the next check denies (F-21, F-28).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_28_a_family_over_the_wire() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let phone = caller_of(&house, &acme, "phone", ROTATING).await;
    let desk = caller_of(&house, &acme, "desk", ROTATING).await;
    let plain = signed_in(&acme.client, "amy@example.org").await;
    assert!(plain.refresh.is_none(), "the default client says so");
    let made = signed_in(&phone, "amy@example.org").await;
    assert!(made.refresh_text().expect("a text").starts_with("tref_"));
    let (session, first) = (bytes(made.handle.as_ref()), bytes(made.refresh.as_ref()));
    house.pass(90_000);
    let next = phone.refresh(&first).await.expect("refreshed");
    assert!(next.idle_until > made.idle_until && next.refresh_until == made.expires);
    assert_eq!((next.session, next.subject, next.handle.is_none()), (made.session, made.subject, true));
    let second = bytes(next.refresh.as_ref());
    assert_ne!(second, first);
    // A session refreshes itself over a connection of its own.
    let own = house.client(&made.handle_text().expect("a text")).await;
    let third = bytes(own.refresh(&second).await.expect("refreshed").refresh.as_ref());
    assert_eq!(refused(desk.refresh(&third).await), Refusal::WrongClient);
    assert_eq!(refused(acme.client.refresh(&third).await), Refusal::WrongClient);
    house.pass(60_000);
    let permitted = |decision: tessera_model::Decision| decision.is_permit();
    assert!(phone.check(&query(&session, "orders.read")).await.map(permitted).expect("asked"));
    assert_eq!(refused(phone.refresh(&second).await), Refusal::RefreshReused);
    let denied = phone.check(&query(&session, "orders.read")).await.expect("asked");
    assert_eq!(denied.reason, Reason::Revoked);
    for handle in [first, second, third] {
        assert_eq!(refused(phone.refresh(&handle).await), Refusal::RefreshReused);
    }
}

/// PROPERTY: every kind of handle at every door that takes another kind is refused, and a refresh handle that
/// is cut, changed or another tenant's ends nothing (TC-24).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tc_24_refresh_handles_open_nothing_else() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let other = house.tenant(&operator, "other").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    other.person("bob@example.org", "reader", &["orders.read"]).await;
    let phone = caller_of(&house, &acme, "phone", ROTATING).await;
    let theirs = caller_of(&house, &other, "phone", ROTATING).await;
    let made = signed_in(&phone, "amy@example.org").await;
    let (session, refresh) = (bytes(made.handle.as_ref()), bytes(made.refresh.as_ref()));
    let foreign = bytes(signed_in(&theirs, "bob@example.org").await.refresh.as_ref());
    assert_eq!(refused(phone.refresh(&foreign).await), Refusal::SessionUnknown);
    assert_eq!(refused(theirs.refresh(&refresh).await), Refusal::SessionUnknown);
    assert_eq!(refused(phone.refresh(&session).await), Refusal::Malformed);
    for cut in [0, 1, 39] {
        let handle = Private::new(refresh[..cut].to_vec());
        assert_eq!(refused(phone.request(&Request::RefreshSession { handle }).await), Refusal::Malformed);
    }
    for bit in [20 * 8, 21 * 8, 24 * 8, 39 * 8 + 7] {
        let mut changed = refresh;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refused(phone.refresh(&changed).await), Refusal::SessionUnknown, "bit {bit}");
    }
    let other_kinds = [
        Request::TouchSession { handle: Private::new(refresh.to_vec()) },
        Request::SignOut { handle: Private::new(refresh.to_vec()) },
    ];
    for request in &other_kinds {
        assert_eq!(refused(phone.request(request).await), Refusal::SessionUnknown);
    }
    assert_eq!(
        phone.check(&query(&refresh, "orders.read")).await.expect("asked").reason,
        Reason::HandleKindWrong
    );
    let found = phone.introspect(&refresh, Receipt::default()).await.expect("asked");
    assert!(matches!(found, Found::Nothing(..)));
    let config = house.config(Some(made.refresh_text().expect("a text")));
    assert!(Client::connect(config).await.is_err(), "a refresh handle said Hello");
    assert!(phone.check(&query(&session, "orders.read")).await.expect("asked").is_permit());
    assert!(phone.refresh(&refresh).await.is_ok());
}

/// PROPERTY: clients are listed, read, changed and deleted, refresh keys rotated and listed, by whoever may;
/// an evicted session is named to whoever opened the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_and_keys_are_administered() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let evicting = ClientTerms { sessions_max: 1, evict: true, ..ROTATING };
    let phone = caller_of(&house, &acme, "phone", evicting).await;
    let first = signed_in(&phone, "amy@example.org").await;
    assert!(first.evicted.is_empty());
    house.pass(1_000);
    let second = signed_in(&phone, "amy@example.org").await;
    assert_eq!(second.evicted, [first.session.expect("an id")]);
    let handle = bytes(first.handle.as_ref());
    assert_eq!(phone.check(&query(&handle, "orders.read")).await.expect("asked").reason, Reason::Revoked);

    let read = || async {
        let page = acme.client.list::<ClientRow>(&Request::ReadClient { name: name("phone") }).await;
        page.map(|page| page.rows.into_iter().map(|row| (row.index, row.terms)).collect::<Vec<_>>())
    };
    assert_eq!(read().await.expect("read"), [(1, evicting)]);
    let changed = Request::ChangeClient { name: name("phone"), terms: ROTATING };
    acme.client.request(&changed).await.expect("changed");
    assert_eq!(read().await.expect("read"), [(1, ROTATING)]);
    let listed = acme.client.list::<ClientRow>(&Request::ListClients { after: None, limit: 0 }).await;
    assert_eq!(listed.expect("listed").rows.len(), 1);
    let keys = || async {
        let page = acme.client.list::<RefreshKeyRow>(&Request::ListRefreshKeys {}).await.expect("listed");
        page.rows.into_iter().map(|row| (row.number, row.current)).collect::<Vec<_>>()
    };
    assert_eq!(keys().await, [(1, true)]);
    let made = acme.client.request(&Request::RotateRefreshKeys { now: false }).await.expect("rotated");
    assert_eq!(made.refresh_key, Some(2));
    assert_eq!(keys().await, [(1, false), (2, true)]);
    let moved = phone.refresh(&bytes(second.refresh.as_ref())).await.expect("refreshed");
    acme.client.request(&Request::RotateRefreshKeys { now: true }).await.expect("rotated");
    assert_eq!(keys().await, [(3, true)]);
    assert_eq!(refused(phone.refresh(&bytes(moved.refresh.as_ref())).await), Refusal::SessionUnknown);
    // A person's session administers nothing.
    let third = signed_in(&phone, "amy@example.org").await;
    let own = house.client(&third.handle_text().expect("a text")).await;
    let terms = ClientTerms::default();
    for request in [
        Request::CreateClient { name: name("x"), terms },
        Request::ChangeClient { name: name("phone"), terms },
        Request::DeleteClient { name: name("phone") },
        Request::RotateRefreshKeys { now: true },
    ] {
        assert_eq!(refused(own.request(&request).await), Refusal::Unauthorized);
    }
    assert!(own.list::<ClientRow>(&Request::ListClients { after: None, limit: 0 }).await.is_err());
    assert!(own.list::<RefreshKeyRow>(&Request::ListRefreshKeys {}).await.is_err());
    acme.client.request(&Request::DeleteClient { name: name("phone") }).await.expect("deleted");
    assert!(read().await.is_err());
    assert_eq!(refused(phone.sign_in("amy@example.org", "correct horse").await), Refusal::ClientUnknown);
    let id: Option<PublicId> = third.session;
    assert!(id.is_some());
}

/// PROPERTY: refreshes are budgeted by where they come from, whatever the credential; over it Busy, and
/// nothing happens to the family.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_have_a_budget_by_source() {
    let house = House::with(Limits { refreshes_per_second: 10, ..Limits::default() }).await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let phone = caller_of(&house, &acme, "phone", ROTATING).await;
    let desk = caller_of(&house, &acme, "desk", ROTATING).await;
    let made = signed_in(&phone, "amy@example.org").await;
    let refresh = bytes(made.refresh.as_ref());
    let mut forged = refresh;
    forged[39] ^= 1;
    // The clock stands: a bucket of ten, and no more.
    let mut unknown = 0;
    for nth in 0..40 {
        let asker = if nth % 2 == 0 { &phone } else { &desk };
        // What is left of the bucket is answered in its own time; beyond it an answer comes at the deadline.
        let told = if nth < 10 {
            asker.refresh(&forged).await
        } else {
            soon(asker, async |brief| brief.refresh(&forged).await).await
        };
        match refused(told) {
            Refusal::SessionUnknown => unknown += 1,
            Refusal::Busy(_) => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(unknown, 10);
    let told = refused(soon(&phone, async |brief| brief.refresh(&refresh).await).await);
    assert!(
        matches!(told, Refusal::Busy(LimitAt { limit: Limit::RefreshesPerSecond, bound: 1.. })),
        "{told}"
    );
    house.pass(1_000);
    assert!(phone.refresh(&refresh).await.is_ok());
}
