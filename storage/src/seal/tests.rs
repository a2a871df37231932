//! What is sealed opens for its owner at its place alone; what was erased is passed over, and nothing else is.

use super::*;
use crate::batch::{Batch, Head, Staged};
use crate::record::frame::{Form, FrameView};
use crate::record::samples::every_event;
use tessera_model::{Caller, CommandId, CommandKind, Event, Private, Revision, Row, RowKind, UnixMillis};

/// Every owner has a key, but for those that were erased.
#[derive(Default)]
pub(crate) struct Always {
    pub(crate) erased: Vec<SubjectIndex>,
}

impl Vault for Always {
    fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError> {
        if self.erased.contains(&owner) {
            return Ok(KeyHeld::Erased);
        }
        let seed = [tenant.0.to_le_bytes().as_slice(), &owner.0.to_le_bytes()].concat();
        Ok(KeyHeld::Key(Arc::new(PartKey::new(Key::new(digest::hash(&[&seed]))))))
    }

    fn draw(&self, tenant: TenantId) -> Result<(u32, Arc<PartKey>), StorageError> {
        Err(StorageError::KeysMissing(tenant))
    }

    fn bear(&self, _tenant: TenantId) -> Result<(), StorageError> {
        Ok(())
    }
}

/// A batch that is sealed under keys of its own.
pub(crate) fn batch(head: &Head) -> Batch {
    Batch::new(head, usize::MAX, Arc::new(Always::default()))
}

/// A part, for what reads parts.
pub(crate) fn sealed_part() -> Vec<u8> {
    sealed(b"ann@example.com")
}

/// A part in which this is sealed.
pub(crate) fn sealed(plain: &[u8]) -> Vec<u8> {
    let place = Place { tenant: TenantId(1), owner: SubjectIndex(2), kind: FRAME, key: b"3" };
    key(1).seal(&place, plain).unwrap()
}

fn key(of: u8) -> PartKey {
    PartKey::new(Key::new([of; 32]))
}

/// PROPERTY: a part opens under its own key at its own place, and nowhere else, in no changed form; equal parts are
/// sealed alike, others under other nonces.
#[test]
fn parts_open_at_their_place_alone() {
    let place = Place { tenant: TenantId(1), owner: SubjectIndex(2), kind: FRAME, key: b"3" };
    let sealed = key(1).seal(&place, b"ann@example.com").unwrap();
    let part = Part::whole(&sealed).unwrap();
    assert_eq!(key(1).open(&place, &part).unwrap(), b"ann@example.com");
    assert!(key(2).open(&place, &part).is_none());
    let others = [
        Place { tenant: TenantId(2), ..place },
        Place { owner: SubjectIndex(3), ..place },
        Place { kind: BUCKET, ..place },
        Place { key: b"4", ..place },
    ];
    for other in others {
        assert!(key(1).open(&other, &part).is_none());
    }
    for bit in 0..sealed.len() * 8 {
        let mut turned = sealed.clone();
        turned[bit / 8] ^= 1 << (bit % 8);
        let opened = Part::whole(&turned).ok().and_then(|part| key(1).open(&place, &part));
        assert!(opened.is_none(), "bit {bit}");
    }
    assert_eq!(sealed, key(1).seal(&place, b"ann@example.com").unwrap());
    let other = key(1).seal(&place, b"ann@example.con").unwrap();
    assert_ne!(sealed[12..24], other[12..24]);
}

fn staged(events: Vec<Event>) -> Staged {
    let mut rows = vec![Row {
        kind: RowKind::Identifier,
        key: Row::subject_key(SubjectIndex(1), &[7; 16]),
        value: Some(Private::new(b"canary".to_vec())),
    }];
    rows.push(Row { kind: RowKind::Front, key: Row::DOORS.to_vec(), value: Some(Private::new(vec![1, 2])) });
    Staged {
        kind: CommandKind::OpenSession,
        id: CommandId([6; 16]),
        fingerprint: 0x1122_3344_5566_7788,
        caller: Caller::Node,
        wall: UnixMillis(8),
        events,
        rows,
    }
}

/// PROPERTY: nothing private of a frame stands in it in the clear; whoever has the keys reads all of it; who was
/// erased is blank and everybody else is not; without any other reason nothing is passed over.
#[test]
fn frames_keep_what_is_private() {
    let head = Head { next: Revision(4), link: [5; 32], ..Head::unborn(TenantId(9)) };
    let staged = staged(every_event());
    let mut batch = batch(&head);
    batch.push(&staged).unwrap();
    let bytes = batch.bytes().to_vec();
    for plain in [b"ticket 7".as_slice(), b"on call", "gr\u{fc}n".as_bytes(), b"canary", &[7; 16]] {
        assert!(!bytes.windows(plain.len()).any(|some| some == plain), "{plain:?} stands in the clear");
    }
    assert!(!bytes.windows(8).any(|some| some == staged.fingerprint.to_le_bytes()));
    let (view, _) = FrameView::read(&bytes, Form::Journal).unwrap();
    let read = frame::read(&view, &Always::default(), "journal").unwrap();
    assert_eq!((read.events, read.fingerprint), (staged.events.clone(), staged.fingerprint));
    let one = Always { erased: vec![SubjectIndex(2)] };
    let read = frame::read(&view, &one, "journal").unwrap();
    let taken =
        |event: &Event| matches!(event, Event::IdentifierTaken { .. } | Event::IdentifierFreed { .. });
    let left: Vec<_> = staged.events.iter().filter(|event| !taken(event)).cloned().collect();
    assert_eq!(read.events, left);
    let row = view.rows().unwrap().into_iter().find(|row| row.kind == RowKind::Identifier).unwrap();
    let stored = (row.key.as_slice(), row.value.as_ref().unwrap());
    let opened = row::open(&Always::default(), TenantId(9), row.kind, stored).unwrap().unwrap();
    assert_eq!(
        (opened.0.as_slice(), opened.1.expose()),
        (staged.rows[0].key.as_slice(), b"canary".as_slice())
    );
    let erased = Always { erased: vec![SubjectIndex(1)] };
    assert!(row::open(&erased, TenantId(9), row.kind, stored).unwrap().is_none());
    let other = row::open(&Always::default(), TenantId(8), row.kind, stored);
    assert!(matches!(other, Err(StorageError::Damaged(_))));
}
