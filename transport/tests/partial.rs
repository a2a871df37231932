//! What callers say in part: where a handle is used from, and which settings change.

use crate::support;

use support::{House, query};
use tessera_client::wire::{Introspect, ListPermissions, Request, SessionRow, SettingsRow};
use tessera_client::{ClientError, Found};
use tessera_model::settings::SettingsChange;
use tessera_model::{
    Deadline, Handle, HandleBytes, Network, Pattern, PermissionId, Private, Reason, Receipt, Refusal,
    Setting, WorkspaceRef,
};

/// PROPERTY: introspection and lists of permissions of a key that is bound to networks answer as checks do, by
/// the address that an entitled caller says; whoever is not entitled is refused; a list tells a key's end, and no idle
/// end.
#[tokio::test]
async fn every_question_says_where_a_handle_is_used() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let amy = acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let expires = Deadline(198_000_000);
    let make = |patterns: Vec<Pattern>, networks: Vec<Network>| Request::CreateKey {
        subject: amy,
        patterns,
        expires,
        description: Private::default(),
        client: None,
        networks,
    };
    let network = Network::parse("10.0.0.0/8").expect("a network");
    // An operator makes it: a key that covers whatever its owner may.
    let order = make(Vec::new(), vec![network]);
    let made = operator.request_again(acme.id, operator.command_id(), &order).await.expect("made");
    let bytes: HandleBytes = made.handle.as_ref().expect("a handle").expose().try_into().expect("40 bytes");
    assert!(Handle::parse(&bytes).is_ok());
    for (address, alive) in
        [(Some("10.1.2.3"), true), (Some("::ffff:10.1.2.3"), true), (Some("11.0.0.1"), false), (None, false)]
    {
        let address = address.map(|text| text.parse().expect("an address"));
        let check = tessera_model::CheckQuery { address, ..query(&bytes, "orders.read") };
        let checked = acme.client.check(&check).await.expect("an answer");
        let found = Introspect { handle: &bytes, at_least: Receipt::default(), address };
        let found = acme.client.introspect_from(&found).await.expect("an answer");
        let ask = ListPermissions {
            handle: &bytes,
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address,
            with_names: true,
            after: PermissionId(0),
        };
        let listed = acme.client.list_permissions(&ask).await.expect("an answer");
        let reason = if alive { Reason::None } else { Reason::AddressNotAllowed };
        assert_eq!((checked.reason, listed.reason), (reason, reason), "{address:?}");
        assert_eq!(listed.names.len(), usize::from(alive));
        match found {
            Found::Alive(found) => assert!(alive && found.key),
            Found::Nothing(told, _) => assert_eq!(told, reason),
        }
    }
    // A session that may not say where a handle is used from: of its own neither.
    let (own, text) = acme.session("amy@example.org").await;
    let plain = house.client(&text).await;
    let address = Some("10.1.2.3".parse().expect("an address"));
    let ask = Introspect { handle: &own, at_least: Receipt::default(), address };
    let refused = plain.introspect_from(&ask).await.err();
    assert!(matches!(refused, Some(ClientError::Refused(Refusal::Unauthorized))), "{refused:?}");
    let request = Request::ListSessions { subject: amy, after: None, limit: 0 };
    let rows = acme.client.list::<SessionRow>(&request).await.expect("a page").rows;
    let key = rows.iter().find(|row| row.key).expect("the key");
    assert_eq!((key.expires, key.idle_until), (expires, None));
    assert!(rows.iter().any(|row| !row.key && row.idle_until.is_some_and(|idle| idle < row.expires)));
}

/// PROPERTY: whoever asks about somebody else's key lends it no address: a key bound to the network that the caller stands
/// in is denied, whether the caller may say an address or not, unless it says one; asked about by itself it is where it
/// connects.
#[tokio::test]
async fn nobody_lends_an_address() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let amy = acme.person("amy@example.org", "reader", &["orders.read"]).await;
    acme.person("checker@example.org", "checker", &["tessera.check"]).await;
    let order = Request::CreateKey {
        subject: amy,
        patterns: Vec::new(),
        expires: Deadline(198_000_000),
        description: Private::default(),
        client: None,
        networks: vec![Network::parse("127.0.0.0/8").expect("a network")],
    };
    let made = operator.request_again(acme.id, operator.command_id(), &order).await.expect("made");
    let bytes: HandleBytes = made.handle.as_ref().expect("a handle").expose().try_into().expect("40 bytes");
    let own = house.client(&Handle::parse(&bytes).expect("a handle").to_text()).await;
    let (_, checker) = acme.session("checker@example.org").await;
    let checker = house.client(&checker).await;
    let said = Some("127.0.0.9".parse().expect("an address"));
    let (near, nobody) = (Reason::None, Reason::AddressNotAllowed);
    for (by, address, wanted) in [
        (&own, None, near),
        (&checker, None, nobody),
        (&acme.client, None, nobody),
        (&acme.client, said, near),
    ] {
        let check = tessera_model::CheckQuery { address, ..query(&bytes, "orders.read") };
        assert_eq!(by.check(&check).await.expect("an answer").reason, wanted, "{address:?}");
        let batch = by.check_batch(Receipt::default(), &[check]).await.expect("answers");
        assert_eq!(batch.first().expect("one").reason, wanted, "{address:?}");
    }
}

/// PROPERTY: of two who change different settings at once neither change is lost, and what nobody names stays.
#[tokio::test]
async fn changes_of_settings_are_partial() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let read = async || {
        let page = acme.client.list::<SettingsRow>(&Request::ReadSettings {}).await.expect("a page");
        page.rows.first().expect("a row").settings
    };
    let mut expected = read().await;
    for round in 1..=10_u32 {
        let mut orders = Vec::new();
        for (setting, value) in [
            (Setting::SessionsMax, round),
            (Setting::SignInFree, round),
            (Setting::SessionTtl, 7_200 + round),
        ] {
            let change = SettingsChange::of(|named| (named == setting).then_some(value));
            expected.set(setting, value);
            let client = acme.client.clone();
            orders.push(tokio::spawn(async move {
                client.request(&Request::ChangeSettings { settings: change }).await.map(drop)
            }));
        }
        for order in orders {
            order.await.expect("no panic").expect("changed");
        }
        assert_eq!(read().await, expected, "round {round}");
    }
    // What does not hold together with the others is refused, and the others stay.
    let idle = SettingsChange::of(|named| (named == Setting::SessionIdle).then_some(34_560_000));
    let refused = acme.client.request(&Request::ChangeSettings { settings: idle }).await.err();
    let wanted = Refusal::SettingOutOfBounds(Setting::SessionIdle);
    assert!(matches!(refused, Some(ClientError::Refused(told)) if told == wanted), "{refused:?}");
    assert_eq!(read().await, expected);
}
