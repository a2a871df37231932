//! Every record there and back, cut short at every byte, and with every bit turned.

use super::frame::{Form, FrameView};
use super::samples::{every_event, place};
use super::{Field, Reader, RecordError, bucket};
use crate::batch::{Head, Staged};
use tessera_model::{
    Caller, CommandId, CommandKind, Event, Generation, Place, Private, Revision, Row, RowKind, SubjectIndex,
    TenantId, UnixMillis,
};

fn bytes_of(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    event.put(&mut out);
    out
}

fn take_whole(bytes: &[u8]) -> Result<Event, RecordError> {
    let mut input = Reader::new(bytes);
    let event = Event::take(&mut input)?;
    input.end()?;
    Ok(event)
}

/// PROPERTY: every event comes back as it went, no beginning of its bytes is an event, and what any
/// turned bit makes of it either is refused or encodes to just those bytes.
#[test]
fn events_there_and_back() {
    let mut seen = [false; 256];
    for event in every_event() {
        let bytes = bytes_of(&event);
        seen[usize::from(bytes[0])] = true;
        let mut private = Vec::new();
        event.put_private(&mut private);
        let filled = |private: &[u8]| {
            let (mut read, mut input) = (take_whole(&bytes)?, Reader::new(private));
            read.take_private(&mut input)?;
            input.end().map(|()| read)
        };
        assert_eq!(filled(&private), Ok(event));
        for cut in 0..private.len() {
            assert!(filled(&private[..cut]).is_err(), "{cut} private bytes of {bytes:?}");
        }
        for cut in 0..bytes.len() {
            assert!(take_whole(&bytes[..cut]).is_err(), "{cut} bytes of {bytes:?}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut turned = bytes.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = take_whole(&turned) {
                assert_eq!(bytes_of(&other), turned);
            }
        }
    }
    for unknown in (0..=u8::MAX).filter(|number| !seen[usize::from(*number)]) {
        let refused = take_whole(&[unknown; 100]);
        assert_eq!(refused, Err(RecordError::BadNumber), "kind {unknown} has no example");
    }
}

fn staged(caller: Caller, rows: Vec<Row>) -> Staged {
    Staged {
        kind: CommandKind::OpenSession,
        id: CommandId([6; 16]),
        fingerprint: 7,
        caller,
        wall: UnixMillis(8),
        events: every_event(),
        rows,
    }
}

fn rows() -> Vec<Row> {
    let value = Some(Private::new(b"ann@example.com".to_vec()));
    vec![
        Row { kind: RowKind::Identifier, key: vec![1, 2, 3], value },
        Row { kind: RowKind::Password, key: vec![], value: None },
    ]
}

fn callers() -> [Caller; 5] {
    let (place, generation, subject) = (Place(1), Generation(2), SubjectIndex(3));
    [
        Caller::Holder { place, generation, subject },
        Caller::Operator { place, generation, subject },
        Caller::Bootstrap,
        Caller::Node,
        Caller::Claimant,
    ]
}

/// PROPERTY: a frame comes back as it went, and any cut or turned bit is noticed.
#[test]
fn frames_notice_every_bit() {
    let head = Head { next: Revision(4), link: [5; 32], ..Head::unborn(TenantId(9)) };
    for (caller, rows) in callers().into_iter().zip([rows(), vec![], rows(), vec![], rows()]) {
        let staged = staged(caller, rows);
        let mut batch = crate::seal::tests::batch(&head);
        batch.push(&staged).unwrap();
        let bytes = batch.bytes();
        let (view, len) = FrameView::read(bytes, Form::Journal).unwrap();
        assert_eq!(len, bytes.len());
        assert!(view.holds(&head.link, Form::Journal) && !view.holds(&[6; 32], Form::Journal));
        let frame =
            crate::seal::frame::read(&view, &crate::seal::tests::Always::default(), "journal").unwrap();
        assert_eq!((frame.caller, frame.events), (staged.caller, staged.events));
        assert_eq!((frame.id, frame.fingerprint, frame.wall), (staged.id, staged.fingerprint, staged.wall));
        assert_eq!(view.rows().unwrap().len(), staged.rows.len());
        let mut history = Vec::new();
        view.put_history(&mut history);
        for (form, bytes) in [(Form::Journal, bytes), (Form::History, &history)] {
            let sound = |bytes: &[u8]| {
                FrameView::read(bytes, form)
                    .is_ok_and(|(view, len)| len == bytes.len() && view.holds(&head.link, form))
            };
            assert!(sound(bytes));
            for cut in 0..bytes.len() {
                assert!(!sound(&bytes[..cut]), "{cut} bytes pass");
            }
            for bit in 0..bytes.len() * 8 {
                let mut turned = bytes.to_vec();
                turned[bit / 8] ^= 1 << (bit % 8);
                assert!(!sound(&turned), "{form:?}: turned bit {bit} passes");
            }
        }
    }
}

/// PROPERTY: any bytes give an event or an error, never a panic, and no more memory than they have.
#[test]
fn any_bytes_are_survived() {
    let mut stream = vec![0; 1 << 20];
    tessera_crypto::Hasher::new().fill(&mut stream);
    for (at, chunk) in stream.chunks(61).enumerate() {
        let mut bytes = chunk.to_vec();
        bytes[0] = u8::try_from(at % 64).unwrap();
        drop(take_whole(&bytes));
        drop(bucket::take_part(&mut Reader::new(&bytes)));
        drop(super::row::take_rows(&bytes));
    }
    let mut claim = vec![0xFF; 4];
    claim.push(1);
    assert_eq!(bucket::take_part(&mut Reader::new(&claim)), Err(RecordError::OverCap));
}

/// PROPERTY: however many events a bucket has, its parts are under the cap and join to it again.
#[test]
fn buckets_split_and_join() {
    for count in [0, 1, 3_500, 9_999] {
        let events = vec![Event::SessionOpened { record: place(), evicted: vec![] }; count];
        let parts = bucket::parts(&events);
        let mut joined = Vec::new();
        for part in &parts {
            assert!(part.body.len() + part.private.len() <= tessera_model::limits::BUCKET_BYTES_MAX - 64);
            let mut events = bucket::take_part(&mut Reader::new(&part.body)).unwrap();
            bucket::take_private(&mut events, &part.private).unwrap();
            joined.append(&mut events);
        }
        assert_eq!(joined, events);
        assert_eq!(parts.len(), count.div_ceil(3_582), "{count} places");
    }
}
