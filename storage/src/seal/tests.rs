//! What is sealed opens for its owner at its place alone; what was erased is passed over, and nothing else is.

use super::*;
use crate::batch::{Batch, Head, Staged};
use crate::record::frame::{Form, FrameView};
use crate::record::samples::every_event;
use tessera_model::{Caller, CommandId, CommandKind, Event, Private, Revision, Row, RowKind, UnixMillis};

/// Every owner has a key, but for those that were erased, and those that never had one.
#[derive(Default)]
pub(crate) struct Always {
    pub(crate) erased: Vec<SubjectIndex>,
    pub(crate) never: Vec<SubjectIndex>,
}

impl Vault for Always {
    fn held(&self, tenant: TenantId, owner: SubjectIndex) -> Result<KeyHeld, StorageError> {
        if self.erased.contains(&owner) {
            return Ok(KeyHeld::Erased);
        }
        if self.never.contains(&owner) {
            return Ok(KeyHeld::Never);
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
    let one = Always { erased: vec![SubjectIndex(2)], ..Always::default() };
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
    let erased = Always { erased: vec![SubjectIndex(1)], ..Always::default() };
    assert!(row::open(&erased, TenantId(9), row.kind, stored).unwrap().is_none());
    let other = row::open(&Always::default(), TenantId(8), row.kind, stored);
    assert!(matches!(other, Err(StorageError::Damaged(_))));
}

fn invited() -> Event {
    let is_it = |event: &Event| matches!(event, Event::InvitationChanged(_));
    every_event().into_iter().find(is_it).unwrap()
}

fn invited_row(what: u8) -> Row {
    let value = Some(Private::new(b"canary of the invited".to_vec()));
    Row { kind: RowKind::Invitation, key: Row::subject_key(SubjectIndex(1), &[what]), value }
}

/// What a frame tells of an invitation: its hash, and whom its row is for.
fn told(bytes: &[u8], vault: &Always) -> Result<([u8; 16], Option<Vec<u8>>), StorageError> {
    let (view, _) = FrameView::read(bytes, Form::Journal).unwrap();
    let read = frame::read(&view, vault, "journal")?;
    let [Event::InvitationChanged(record)] = read.events.as_slice() else { panic!("{:?}", read.events) };
    let row = view.rows().unwrap().into_iter().find(|row| row.kind == RowKind::Invitation).unwrap();
    let stored = (row.key.as_slice(), row.value.as_ref().unwrap());
    let opened = row::open(vault, TenantId(9), row.kind, stored)?;
    Ok((record.hash, opened.map(|(_, value)| value.expose().to_vec())))
}

/// PROPERTY: whom an invitation is for opens under the invitation's key alone, in frames and rows: not when that was
/// erased, whatever else there is; and a frame that has lost it is damage. What stood under the tenant's key before
/// invitations had their own is read as before.
#[test]
fn an_invitation_has_a_key_of_its_own() {
    let head = Head { next: Revision(4), link: [5; 32], ..Head::unborn(TenantId(9)) };
    let own = tessera_model::invitation::key_owner(1);
    let staged = Staged { rows: vec![invited_row(Row::INVITED)], ..staged(vec![invited()]) };
    let mut made = batch(&head);
    made.push(&staged).unwrap();
    let bytes = made.bytes().to_vec();
    let whole = ([3; 16], Some(b"canary of the invited".to_vec()));
    assert_eq!(told(&bytes, &Always::default()).unwrap(), whole);
    let erased = Always { erased: vec![own], ..Always::default() };
    assert_eq!(told(&bytes, &erased).unwrap(), ([0; 16], None));
    let without = Always { never: vec![own], ..Always::default() };
    assert!(matches!(told(&bytes, &without), Err(StorageError::Damaged(_))));

    let (view, _) = FrameView::read(&bytes, Form::Journal).unwrap();
    let tenant = match Always::default().held(TenantId(9), TENANT).unwrap() {
        KeyHeld::Key(key) => key,
        KeyHeld::Erased | KeyHeld::Never => panic!("the tenant has a key"),
    };
    let of_tenant = |kind, key: &[u8], plain: &[u8]| {
        tenant.seal(&Place { tenant: TenantId(9), owner: TENANT, kind, key }, plain).unwrap()
    };
    let row = invited_row(Row::INVITED);
    let value = of_tenant(row.kind.number(), &row.key, row.value.as_ref().unwrap().expose());
    let part = [staged.fingerprint.to_le_bytes().as_slice(), &[3; 16]].concat();
    let sealed = frame::Sealed {
        parts: vec![of_tenant(FRAME, &Revision(4).0.to_le_bytes(), &part)],
        rows: vec![Row { value: Some(Private::new(value)), ..row }],
        fresh: frame::Fresh::new(),
        hides_fingerprint: true,
    };
    let mut before = Vec::new();
    crate::record::frame::encode(&mut before, &view.head, &head.link, None, (&staged, &sealed));
    assert_eq!(told(&before, &without).unwrap(), whole);
    // Also where the invitation got a key of its own since, by an event of later.
    assert_eq!(told(&before, &Always::default()).unwrap(), whole);
}

/// PROPERTY: which events have something that is sealed, and under whose key, is what docs/operate/erasing.md says to
/// operators: whoever adds such an event, or takes one away, says so there.
#[test]
fn the_operators_document_names_what_is_sealed() {
    let whose = |event: &Event| match event.owner().unwrap_or(TENANT) {
        TENANT => "tenant",
        owner if tessera_model::invitation::invitation_of(owner).is_some() => "invitation",
        _ => "person",
    };
    let name = |event: &Event| {
        let told = format!("{event:?}");
        told.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned()
    };
    let events = every_event();
    let sealed = events.iter().filter(|event| crate::record::event::is_private(event));
    let found: std::collections::BTreeSet<_> = sealed.map(|event| (name(event), whose(event))).collect();
    let found: Vec<_> = found.iter().map(|(name, whose)| (name.as_str(), *whose)).collect();
    let expected = [
        ("ActingBegun", "person"),
        ("ActingNoted", "person"),
        ("AttributeChanged", "person"),
        // In buckets alone: frames have the fingerprint in their own parts.
        ("CommandRemembered", "tenant"),
        ("DeviceChanged", "person"),
        // Of an identifier that nobody has; that of somebody's is theirs.
        ("FailuresCounted", "tenant"),
        ("IdentifierFreed", "person"),
        ("IdentifierTaken", "person"),
        ("InvitationChanged", "invitation"),
        ("RequestChanged", "person"),
    ];
    assert_eq!(found, expected, "say in docs/operate/erasing.md what stands under which key");
    let rows = [
        (RowKind::Password, 7),
        (RowKind::Identifier, 7),
        (RowKind::Profile, 7),
        (RowKind::KeyDescription, 7),
        (RowKind::SetUp, 7),
        (RowKind::Granted, 7),
        (RowKind::Front, 0),
        (RowKind::GroupGranted, 0),
        (RowKind::Invitation, 0x8000_0007),
    ];
    for (kind, owner) in rows {
        assert_eq!(row::owner_of(kind, &Row::subject_key(SubjectIndex(7), b"x")), SubjectIndex(owner));
    }
}
