//! What a connection without a credential may take.

use crate::support;

use std::time::Duration;
use support::raw::{Raw, endpoint};
use support::{House, name};
use tessera_client::wire::{Hello, Outbox, Request};
use tessera_client::{Client, ClientError};
use tessera_model::{Private, Refusal};
use tessera_transport::Limits;
use tokio::time::timeout;

/// Says Hello without a credential.
async fn greet(raw: &mut Raw) {
    let mut out = Outbox::new();
    out.hello(1, &Hello::default()).expect("written");
    raw.write(out.as_bytes()).await;
}

/// PROPERTY: Hello without a credential lifts no cap: a frame beyond 4 KiB ends the connection, and no
/// more streams than before Hello are given. METHOD: Hello, then a header that announces 256 KiB; in a
/// second connection, streams until none is given.
#[tokio::test]
async fn a_stranger_keeps_the_caps_of_before_hello() {
    let house = House::open().await;
    let client = endpoint(&house, b"tessera/1");
    let connect = || client.connect(house.door.address(), "localhost").expect("an address");
    let mut hello = Outbox::new();
    hello.hello(1, &Hello::default()).expect("written");

    let connection = connect().await.expect("connected");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(hello.as_bytes()).await.expect("sent");
    receive.read_chunk(1_024, true).await.expect("an answer");
    let mut header = 262_144_u32.to_le_bytes().to_vec();
    header.extend([3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    send.write_all(&header).await.expect("sent");
    let closed = timeout(Duration::from_secs(60), connection.closed()).await;
    assert!(closed.is_ok(), "a frame of 256 KiB was awaited from a stranger");

    let connection = connect().await.expect("connected");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(hello.as_bytes()).await.expect("sent");
    receive.read_chunk(1_024, true).await.expect("an answer");
    let mut streams = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(300), connection.open_bi()).await {
        streams.push(stream.expect("a stream"));
        assert!(streams.len() < 16, "a stranger was given more streams");
    }
    assert_eq!(streams.len(), 15, "sixteen with the first");
}

/// PROPERTY: strangers hold no more places than are theirs, whether they say Hello or not, and none that
/// somebody with a credential needs. METHOD: a door of twelve places, four of them for strangers; thirty
/// strangers connect and stay as long as they are let, then eight callers with keys are all served.
/// TC-76 in part: strangers.
#[tokio::test]
async fn strangers_hold_few_places() {
    let limits = Limits { connections: 12, strangers: 4, strangers_per_source: 4, ..Limits::default() };
    let house = House::with(limits).await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    house.offer().await;
    let (mut here, mut refused) = (Vec::new(), 0);
    for nth in 0..30 {
        let client = endpoint(&house, b"tessera/1");
        match client.connect(house.door.address(), "localhost").expect("an address").await {
            Err(_) => refused += 1,
            Ok(connection) => {
                let (send, receive) = connection.open_bi().await.expect("a stream");
                let mut raw = Raw::over(client, connection, send, receive);
                if nth % 2 == 0 {
                    greet(&mut raw).await;
                }
                here.push(raw);
            }
        }
        assert!(house.door.figures().strangers <= 4);
    }
    assert!(refused > 0, "the places of strangers were never full");
    let mut served = Vec::new();
    for _ in 0..8 {
        let client = house.client(&acme.key).await;
        client.request(&Request::EndTenantSessions {}).await.expect("served");
        served.push(client);
    }
    assert!(house.door.figures().strangers_refused >= refused);
}

/// PROPERTY: a connection that no Hello has bound ends with TooSlow when a stranger's time is up; a bound
/// one stays.
#[tokio::test]
async fn a_strangers_time_is_short() {
    let span = Duration::from_millis(400);
    let house =
        House::with(Limits { handshake: Duration::from_millis(300), stranger: span, ..Limits::default() })
            .await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let bound = Raw::hello(&house, &acme.key).await;
    house.offer().await;
    let mut stranger = Raw::connect(&house).await;
    greet(&mut stranger).await;
    stranger.next().await.expect("an answer");
    assert_eq!(stranger.closed().await, 407);
    assert!(bound.connection.close_reason().is_none());
    // The peer may hear of its end before the door has put its place back.
    let patience = std::time::Instant::now() + Duration::from_secs(60);
    while house.door.figures().strangers > 0 {
        assert!(std::time::Instant::now() < patience, "the place of an ended stranger stays taken");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// PROPERTY: a claimed node that offers no secret has nothing for a stranger, who is told so and closed at
/// once; with a secret on offer, a stranger claims an operator.
#[tokio::test]
async fn nothing_to_claim_no_strangers() {
    let house = House::open().await;
    let operator = house.operator().await;
    let mut stranger = Raw::connect(&house).await;
    greet(&mut stranger).await;
    stranger.expect_fault(1, 405).await;
    assert_eq!(stranger.closed().await, 405);
    let refused = Client::connect(house.config(None)).await.err().expect("refused");
    assert!(matches!(&refused, ClientError::Faulted(fault) if fault.code == 405), "{refused}");
    let secret = house.offer().await;
    let stranger = Client::connect(house.config(None)).await.expect("connected");
    let claim = Request::ClaimOperator { secret, name: name("second") };
    stranger.request(&claim).await.expect("claimed");
    let late = Client::connect(house.config(None)).await.err().expect("refused");
    assert_eq!(late.code(), Some(405));
    operator.request(&Request::EndTenantSessions {}).await.expect("served");
    // A secret that nobody used in time is none.
    house.offer().await;
    house.pass(1_801_000);
    let late = Client::connect(house.config(None)).await.err().expect("refused");
    assert_eq!(late.code(), Some(405));
}

/// PROPERTY: whoever has a one-time secret sets a password with it over a connection that opens nothing else
/// and keeps a stranger's caps; whoever has a wrong or used one is turned away at Hello. A service may use
/// one for its owner, in its own tenant only.
/// TC-69 in part.
#[tokio::test]
async fn a_one_time_secret_sets_a_password_and_nothing_else() {
    let house = House::open().await;
    let operator = house.operator().await;
    let (acme, other) = (house.tenant(&operator, "acme").await, house.tenant(&operator, "other").await);
    let amy = acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let reset = || async {
        let until = house.engine.now().plus_seconds(3_600).to_deadline();
        let made = acme.client.request(&Request::ResetPassword { subject: amy, until, clear: false }).await;
        let made = made.expect("reset");
        let bytes: [u8; 40] = made.handle.as_ref().expect("a secret").expose().try_into().expect("40 bytes");
        (bytes, made.handle_text().expect("a secret"))
    };
    let (secret, text) = reset().await;
    assert!(text.starts_with("tset_"), "{text}");
    let stranger = house.client(&text).await;
    assert_eq!((stranger.hello().tenant, stranger.hello().bound), (acme.id, None));
    for request in [
        Request::EndTenantSessions {},
        Request::ClaimOperator { secret: Private::new(b"x".to_vec()), name: name("x") },
    ] {
        let refused = stranger.request(&request).await.err().expect("refused");
        assert_eq!(refused.code(), Some(Refusal::Unauthorized.code()));
    }
    stranger.set_up_password(&secret, "battery staple").await.expect("set");
    acme.client.sign_in("amy@example.org", "battery staple").await.expect("signed in");
    let again = stranger.set_up_password(&secret, "stolen letter").await.err().expect("refused");
    assert_eq!(again.code(), Some(Refusal::SecretWrong.code()));
    let late = Client::connect(house.config(Some(text))).await.err().expect("refused");
    assert_eq!(late.code(), Some(405));
    let (secret, _) = reset().await;
    let foreign = other.client.set_up_password(&secret, "stolen letter").await.err().expect("refused");
    assert_eq!(foreign.code(), Some(Refusal::SecretWrong.code()));
    acme.client.set_up_password(&secret, "by a service").await.expect("set");
    acme.client.sign_in("amy@example.org", "by a service").await.expect("signed in");
}
