//! The scrub finds what a read would find, before it is needed.

mod kit;

use kit::*;
use std::sync::Arc;
use tessera_model::{Event, RowKind, TenantId};
use tessera_storage::disk::{Disk, simulated::Simulated};
use tessera_storage::{Batch, Bucket, BucketKind, Damage, Embedded, Scrub, StorageError, Store};

const TENANTS: u64 = 6;

fn open(disk: &Simulated) -> Result<Embedded, StorageError> {
    on(Arc::new(disk.clone()), by_hand())
}

fn commit(store: &Embedded, batch: Batch) {
    let commit = store.commit(batch);
    while store.turn() {}
    commit.wait().unwrap();
}

/// Tenants with buckets, rows and history in the checkpoint, one of them with frames aside.
fn world() -> Simulated {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    for tenant in (1..=TENANTS).map(TenantId) {
        let mut batch = store.batch(&tessera_storage::Head::unborn(tenant));
        batch.birth(tenant, [9; 32], &born(tenant)).unwrap();
        commit(&store, batch);
        for no in 0..6 {
            let mut batch = store.batch(&store.head(tenant).unwrap().unwrap());
            let rows =
                vec![row(&no.to_string().repeat(5).into_bytes(), Some(&vec![1; 300 + tenant.0 as usize]))];
            batch.push(&staged(no, vec![subject(1)], rows)).unwrap();
            commit(&store, batch);
        }
    }
    let cut = store.cut();
    for tenant in (1..=TENANTS).map(TenantId) {
        if tenant.0 == TENANTS {
            store.set_aside(tenant).unwrap();
            continue;
        }
        let events: Vec<_> =
            (0..200).map(|no| Event::SessionOpened { record: place(no, 1), evicted: vec![] }).collect();
        let buckets = vec![
            Bucket { kind: BucketKind::Places, no: 0, events },
            Bucket { kind: BucketKind::Subjects, no: 0, events: vec![subject(1)] },
        ];
        store.put(tenant, &store.head(tenant).unwrap().unwrap(), buckets).unwrap();
    }
    store.finish(&cut).unwrap();
    store.rest();
    store.stop();
    disk.image()
}

/// A whole pass in steps of some bytes: what it found, and how many steps it took.
fn pass(store: &Embedded, bytes_max: u64) -> (Vec<Damage>, u64, u32) {
    let (mut at, mut found, mut bytes, mut steps) = (Scrub::default(), Vec::new(), 0, 0);
    loop {
        let step = store.scrub(&at, bytes_max).unwrap();
        found.extend(step.damage);
        bytes += step.bytes;
        steps += 1;
        match step.next {
            Some(next) => {
                assert_ne!(next, at, "it stands still");
                at = next;
            }
            None => return (found, bytes, steps),
        }
    }
}

/// Whether every tenant still reads whole.
fn all_read(store: &Embedded) -> bool {
    (1..=TENANTS).map(TenantId).all(|tenant| {
        let rows = store.rows(tenant, RowKind::Profile, b"", 100);
        load(store, tenant).is_ok() && store.verify(tenant).is_ok() && rows.is_ok_and(|rows| rows.len() == 6)
    })
}

/// PROPERTY: a pass over what is whole finds nothing and looks at everything, in steps of any size.
#[test]
fn a_pass_over_what_is_whole_finds_nothing() {
    let disk = world();
    let store = open(&disk).unwrap();
    assert!(all_read(&store));
    let (found, whole, steps) = pass(&store, u64::MAX);
    assert_eq!((found, steps), (vec![], 1));
    assert!(whole > 20_000, "{whole}");
    for bytes_max in [1, 1_000, 10_000] {
        let (found, bytes, steps) = pass(&store, bytes_max);
        assert_eq!((found, bytes), (vec![], whole));
        assert!(u64::from(steps) >= whole / (bytes_max + 60_000));
    }
}

/// PROPERTY: whatever byte of the file is turned, a pass ends, and where a read of any tenant goes wrong it has found
/// damage; where the damage is in a tenant's value it names the tenant. METHOD: turned bytes all over the file.
/// TC-98 in part.
#[test]
fn whatever_would_be_found_by_a_read_is_found() {
    let disk = world();
    let len = usize::try_from(disk.open("state.redb").unwrap().size().unwrap()).unwrap();
    let (mut opened, mut wrong, mut named, mut silent) = (0, 0, 0, 0);
    for at in (0..len).step_by(97) {
        let disk = disk.image();
        disk.tamper("state.redb", |bytes| bytes[at] ^= 0x20);
        let Ok(store) = open(&disk) else { continue };
        opened += 1;
        let (found, ..) = pass(&store, 5_000);
        named += usize::from(found.iter().any(|damage| damage.tenants.is_some()));
        if !all_read(&store) {
            wrong += 1;
            assert!(!found.is_empty(), "byte {at}");
        } else {
            silent += usize::from(found.is_empty());
        }
    }
    println!("{opened} opened, {wrong} read wrong, {named} named a tenant, {silent} without trouble");
    assert!(wrong > 50 && named > 50 && silent > 100);
}

/// PROPERTY: of damaged rows each is named by its kind, its subject and its tenant, and by nothing that it holds;
/// a read of one tells the same.
#[test]
fn damaged_rows_are_named() {
    let disk = world();
    // The values of tenant 3 are sealed in parts of a length that are nobody else's.
    let whole = {
        let file = disk.open("state.redb").unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    };
    let is_one =
        |at: &usize| whole[*at..].starts_with(b"\xfeTSP") && whole[*at + 8..*at + 12] == [47, 1, 0, 0];
    let at: Vec<usize> = (0..whole.len() - 300).filter(is_one).collect();
    assert!(at.len() >= 6, "{at:?}");
    disk.tamper("state.redb", |bytes| at.iter().for_each(|at| bytes[at + 100] ^= 1));
    let store = open(&disk).unwrap();
    let (found, ..) = pass(&store, 10_000);
    let mut told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 6, "{told:?}");
    let subject = u32::from_be_bytes(*b"0000");
    let first = format!("state.redb/row_v1: the profile row of subject {subject}: ");
    assert!(
        told[0].starts_with(&first) && told[0].ends_with("concerns tenants 0000000000000003"),
        "{told:?}"
    );
    let read = store.row(TenantId(3), RowKind::Profile, b"00000").err().unwrap();
    assert_eq!(read.to_string(), format!("damaged: {}", told[0]));
    let all = store.rows(TenantId(3), RowKind::Profile, b"", 100).err().unwrap();
    assert_eq!(all.to_string(), read.to_string());
    told.dedup();
    assert_eq!(told.len(), 6, "{told:?}");
}

/// PROPERTY: a damaged segment of history is told and stays as it is; the tenant is loaded, written and taken into
/// checkpoints as before, and history from there on reads.
/// TC-73 in part: closed segments.
#[test]
fn damaged_history_stops_nobody() {
    let disk = world();
    let tenant = TenantId(2);
    // The last frame of the tenant's only segment: magic, version, its id.
    let bytes = {
        let file = disk.open("state.redb").unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    };
    let is_frame = |at: &usize| {
        bytes[*at..].starts_with(b"\xFET\x01") && bytes[at + 16..at + 24] == tenant.0.to_le_bytes()
    };
    let at: Vec<usize> = (0..bytes.len() - 64).filter(is_frame).collect();
    assert!(at.len() >= 7);
    disk.tamper("state.redb", |bytes| at.iter().for_each(|at| bytes[at + 70] ^= 1));
    let store = open(&disk).unwrap();
    let (found, ..) = pass(&store, 10_000);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&*found[0].file, &found[0].tenants), ("state.redb/segment_v1", &Some(vec![tenant])));
    for no in 0..5 {
        assert!(load(&store, tenant).is_ok());
        let mut batch = store.batch(&store.head(tenant).unwrap().unwrap());
        batch.push(&staged(50 + no, vec![subject(1)], vec![])).unwrap();
        commit(&store, batch);
        let cut = store.cut();
        store.put(tenant, &store.head(tenant).unwrap().unwrap(), vec![]).unwrap();
        // The tenant that stands aside is not in the way of the others.
        store.set_aside(TenantId(TENANTS)).unwrap();
        store.finish(&cut).unwrap();
    }
    assert!(matches!(store.verify(tenant), Err(StorageError::Damaged(_))));
    assert!(store.history(tenant, tessera_model::Revision(0), 100).is_err());
    let later = store.history(tenant, tessera_model::Revision(7), 100).unwrap();
    assert_eq!(later.iter().map(|frame| frame.revision.0).collect::<Vec<_>>(), [7, 8, 9, 10, 11]);
    let again = open(&disk.image());
    drop(store);
    assert!(load(&again.unwrap(), tenant).is_ok());
}
