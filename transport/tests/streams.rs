//! What a stream keeps while it rests, and how it ends.

use crate::support;

use std::time::Duration;
use support::House;
use support::raw::Raw;
use tessera_client::wire::{Head, Outbox, Request, TENANT_OF_CONNECTION};
use tessera_model::{Private, PublicId};
use tessera_transport::Limits;

/// A frame of 200 KiB that a bound connection may send: a key with an absurd description.
fn large(id: u64) -> Vec<u8> {
    let request = Request::CreateKey {
        client: None,
        subject: PublicId([7; 16]),
        patterns: Vec::new(),
        expires: tessera_model::Deadline(1),
        description: Private::new(vec![b'x'; 200 * 1024]),
        networks: Vec::new(),
    };
    let mut out = Outbox::new();
    let head = Head { command_id: tessera_model::CommandId([1; 16]), tenant: TENANT_OF_CONNECTION };
    out.request(id, head, &request).expect("written");
    out.as_bytes().to_vec()
}

/// PROPERTY: a stream that has taken a large frame gives the memory back when it rests, and is served on.
/// METHOD: a bound connection sends 200 KiB and is silent; the door's figure of its buffers falls from
/// over that to at most two pages for each stream.
#[tokio::test]
async fn buffers_shrink_when_a_stream_rests() {
    let house = House::with(Limits { rest: Duration::from_millis(20), ..Limits::default() }).await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let mut raw = Raw::hello(&house, &acme.key).await;
    let mut most = 0;
    let bytes = large(2);
    let (first, rest) = bytes.split_at(bytes.len() - 16);
    raw.write(first).await;
    for _ in 0..6_000 {
        most = house.door.figures().buffer_bytes;
        if most >= 200 * 1024 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(most >= 200 * 1024, "{most}");
    raw.write(rest).await;
    raw.next().await.expect("an answer");
    let mut least = u64::MAX;
    for _ in 0..6_000 {
        least = house.door.figures().buffer_bytes;
        // The operator's, the tenant's and this one.
        if least <= 3 * 8 * 1024 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(least <= 3 * 8 * 1024, "{least} bytes are kept");
    raw.write(&large(3)).await;
    assert_eq!(raw.next().await.map(|(id, ..)| id), Some(3));
}

/// PROPERTY: half a frame and the end of the stream close the connection with TooSlow (407): its rest will
/// not come; whole frames and the end do not.
/// TC-77 in part.
#[tokio::test]
async fn half_a_frame_and_the_end_is_too_slow() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let mut whole = Raw::hello(&house, &acme.key).await;
    whole.send.finish().expect("ended");
    assert!(whole.next().await.is_none());
    assert!(whole.connection.close_reason().is_none());
    for cut in [1, 15, 16, 40] {
        let mut raw = Raw::hello(&house, &acme.key).await;
        raw.write(&large(2)[..cut]).await;
        raw.send.finish().expect("ended");
        assert_eq!(raw.closed().await, 407, "after {cut} bytes");
    }
}
