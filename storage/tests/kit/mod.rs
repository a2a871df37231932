//! What the tests of the store share: staged commands, tenants, stores of each kind.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses some of it")]

use std::sync::Arc;
use tessera_model::limits::BUCKET_PLACES;
use tessera_model::record::{PlaceRecord, SubjectKind, SubjectRecord, SubjectStatus};
use tessera_model::refresh::RefreshRecord;
use tessera_model::{
    Caller, CommandId, CommandKind, Deadline, Event, Generation, Place, PlaceImage, Private, PublicId,
    RestrictionId, Row, RowKind, SubjectIndex, TenantId, UnixMillis, WorkspaceIndex,
};
pub use tessera_storage::Sealing as _;
use tessera_storage::disk::Disk;
use tessera_storage::{
    Batch, Bucket, BucketKind, Drive, Embedded, Head, Image, Memory, Options, Replay, RootKey, Staged,
    StorageError, Store,
};

pub const SALT: [u8; 32] = [7; 32];
pub const SMALL: u64 = 64 * 1024;

pub fn root() -> RootKey {
    RootKey::new([3; 32])
}

/// Options with small files, driven by threads.
pub fn small() -> Options {
    Options { journal_file_bytes: SMALL, ..Options::new(root(), SALT, [5; 32]) }
}

pub fn by_hand() -> Options {
    Options { drive: Drive::ByHand, ..small() }
}

pub fn place(place: u32, generation: u32) -> PlaceRecord {
    PlaceRecord {
        place: Place(place),
        generation: Generation(generation),
        key: false,
        acr: 1,
        tag: [place.to_le_bytes()[0]; 16],
        subject: SubjectIndex(1 + place % 5),
        workspace: WorkspaceIndex(0),
        expires: Deadline(1_000_000),
        cut_off: 0,
        idle: Deadline(900_000),
        restriction: RestrictionId(0),
        device: 0,
        opened: Deadline(100),
        refresh: RefreshRecord::default(),
        side: false,
    }
}

pub fn open_event(record: PlaceRecord) -> Event {
    Event::SessionOpened { record, evicted: vec![] }
}

/// A bucket of places as they lie, the first `count` of them in use.
pub fn lying(no: u32, count: u32) -> Bucket {
    let places = (0..count).map(|at| PlaceImage::of(&place(no * BUCKET_PLACES + at, 1)));
    Bucket { image: Image::Places(places.collect()), ..Bucket::of(BucketKind::Places, no, vec![]) }
}

pub fn subject(index: u32) -> Event {
    Event::SubjectChanged(SubjectRecord {
        index: SubjectIndex(index),
        id: PublicId([index.to_le_bytes()[0]; 16]),
        kind: SubjectKind::Person,
        status: SubjectStatus::Active,
        cut_off: 0,
        has_password: true,
        guest: false,
    })
}

pub fn staged(no: u64, events: Vec<Event>, rows: Vec<Row>) -> Staged {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&no.to_be_bytes());
    Staged {
        kind: CommandKind::OpenSession,
        id: CommandId(id),
        fingerprint: no.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        caller: Caller::Node,
        wall: UnixMillis(1_700_000_000_000 + no),
        events,
        rows,
    }
}

pub fn opened(no: u64) -> Staged {
    let at = u32::try_from(no).unwrap();
    staged(no, vec![open_event(place(at, 1))], vec![])
}

pub fn row(key: &[u8], value: Option<&[u8]>) -> Row {
    Row { kind: RowKind::Profile, key: key.to_vec(), value: value.map(|value| Private::new(value.to_vec())) }
}

pub fn born(tenant: TenantId) -> Staged {
    staged(0, vec![Event::TenantBorn { tenant, at: Deadline(5) }], vec![])
}

/// Gives birth to a tenant in a batch of its own, and tells its head.
pub fn birth(store: &dyn Store, tenant: TenantId) -> Head {
    let mut batch = store.batch(&Head::unborn(tenant));
    batch.birth(tenant, [9; 32], &born(tenant)).unwrap();
    commit(store, batch).unwrap()
}

/// Commits and tells the head; a store by hand is driven by `drive`.
pub fn commit(store: &dyn Store, batch: Batch) -> Result<Head, StorageError> {
    let after = batch.head_after();
    let durable = store.commit(batch).wait()?;
    assert_eq!(*durable.head(), after);
    Ok(*durable.head())
}

/// Commits one frame.
pub fn push(store: &dyn Store, head: &Head, staged: &Staged) -> Result<Head, StorageError> {
    let mut batch = store.batch(head);
    batch.push(staged)?;
    commit(store, batch)
}

pub type Loaded = (Vec<Event>, Vec<u64>, Option<Head>);

/// Everything that a load gives: events of buckets, then of frames; and the head.
pub fn load(store: &dyn Store, tenant: TenantId) -> Result<Loaded, StorageError> {
    let (mut events, mut revisions) = (Vec::new(), Vec::new());
    let head = store.load(tenant, &mut |replay| match replay {
        Replay::Bucket(bucket) => {
            assert!(revisions.is_empty(), "buckets come first");
            if let Image::Places(places) = &bucket.image {
                let lying = (bucket.no * BUCKET_PLACES..).zip(places);
                events.extend(lying.filter_map(|(at, image)| image.record(Place(at))).map(open_event));
            }
            events.extend(bucket.events);
        }
        Replay::Frame(frame) => {
            revisions.push(frame.revision.0);
            events.extend(frame.events);
        }
    })?;
    Ok((events, revisions, head))
}

pub fn read(store: &dyn Store, tenant: TenantId, key: &[u8]) -> Option<Vec<u8>> {
    let row = store.row(tenant, RowKind::Profile, key).unwrap();
    row.value.map(|value| value.expose().to_vec())
}

pub fn embedded(path: &std::path::Path) -> Embedded {
    Embedded::open(path, small()).unwrap()
}

pub fn on(disk: Arc<dyn Disk>, options: Options) -> Result<Embedded, StorageError> {
    Embedded::open_on(disk, options)
}

pub fn memory() -> Memory {
    Memory::new(500_000)
}
