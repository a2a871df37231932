//! What a connection without a credential may take.

mod support;

use support::House;
use support::raw::endpoint;
use tessera_client::wire::{Hello, Outbox};

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
    let closed = tokio::time::timeout(std::time::Duration::from_secs(5), connection.closed()).await;
    assert!(closed.is_ok(), "a frame of 256 KiB was awaited from a stranger");

    let connection = connect().await.expect("connected");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(hello.as_bytes()).await.expect("sent");
    receive.read_chunk(1_024, true).await.expect("an answer");
    let mut streams = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(std::time::Duration::from_millis(300), connection.open_bi()).await
    {
        streams.push(stream.expect("a stream"));
        assert!(streams.len() < 16, "a stranger was given more streams");
    }
    assert_eq!(streams.len(), 15, "sixteen with the first");
}
