//! What belongs to people is sealed from the first byte on disk, and gone when its key is erased.

mod kit;

use kit::*;
use std::sync::Arc;
use tessera_model::record::AttributeValue;
use tessera_model::{Event, Private, Row, RowKind, SubjectIndex, TenantId};
use tessera_storage::disk::Disk;
use tessera_storage::disk::simulated::{Fault, Simulated, Survival};
use tessera_storage::{
    Bucket, BucketKind, Embedded, Head, Options, RootKey, StorageError, Store, rotate_root_on,
};

const TENANT: TenantId = TenantId(3);
const OWN: (BucketKind, u32) = (BucketKind::Subjects, 0);
/// Who is erased, and who stays.
const ANN: SubjectIndex = SubjectIndex(1);
const BEN: SubjectIndex = SubjectIndex(2);

fn canary(of: SubjectIndex, what: &str) -> String {
    format!("canary {what} of {}", of.0)
}

/// What is private of a subject: events, and rows.
fn private(of: SubjectIndex) -> (Vec<Event>, Vec<Row>) {
    let hash = [of.0.to_le_bytes()[0] | 0xA0; 16];
    let text = AttributeValue::Text(canary(of, "attribute").into());
    let events = vec![
        subject(of.0),
        Event::IdentifierTaken { hash, subject: of },
        Event::AttributeChanged { subject: of, attribute: 1, value: Some(text) },
    ];
    let row = |kind, rest: &[u8], what| Row {
        kind,
        key: Row::subject_key(of, rest),
        value: Some(Private::new(canary(of, what).into_bytes())),
    };
    let rows = vec![
        row(RowKind::Password, &[], "password"),
        row(RowKind::Identifier, &hash, "identifier"),
        row(RowKind::Profile, b"city", "profile"),
    ];
    (events, rows)
}

fn keys_of(of: SubjectIndex) -> [(RowKind, Vec<u8>, &'static str); 3] {
    let (_, rows) = private(of);
    let what = ["password", "identifier", "profile"];
    let mut rows = rows.into_iter().zip(what).map(|(row, what)| (row.kind, row.key, what));
    std::array::from_fn(|_| rows.next().unwrap())
}

fn push(store: &Embedded, no: u64, events: Vec<Event>, rows: Vec<Row>) {
    let head = store.head(TENANT).unwrap().unwrap();
    let mut batch = store.batch(&head);
    batch.push(&staged(no, events, rows)).unwrap();
    let commit = store.commit(batch);
    while store.turn() {}
    commit.wait().unwrap();
}

fn open(disk: &Simulated) -> Result<Embedded, StorageError> {
    Embedded::open_on(Arc::new(disk.clone()), by_hand())
}

/// Two subjects, in buckets and rows, and once more in the tail.
fn made() -> Simulated {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    let mut batch = store.batch(&Head::unborn(TENANT));
    batch.birth(TENANT, [9; 32], &born(TENANT)).unwrap();
    let commit = store.commit(batch);
    while store.turn() {}
    commit.wait().unwrap();
    for (no, of) in (1..).zip([ANN, BEN]) {
        let (events, rows) = private(of);
        push(&store, no, events, rows);
    }
    checkpoint(&store, &[ANN, BEN]);
    for (no, of) in (3..).zip([ANN, BEN]) {
        let (events, rows) = private(of);
        push(&store, no, events, rows);
    }
    store.stop();
    drop(store);
    disk.image()
}

/// A checkpoint whose bucket of subjects holds these.
fn checkpoint(store: &Embedded, of: &[SubjectIndex]) {
    let cut = store.cut();
    let events = of.iter().flat_map(|of| private(*of).0).collect();
    let bucket = Bucket::of(OWN.0, OWN.1, events);
    store.put(TENANT, &store.head(TENANT).unwrap().unwrap(), vec![bucket]).unwrap();
    store.finish(&cut).unwrap();
}

/// Erases one, as the engine does.
fn erase(store: &Embedded, of: SubjectIndex) -> Result<(), StorageError> {
    let names = store.erase(TENANT, of, OWN)?;
    let cut = store.cut();
    let events = private(BEN).0;
    let bucket = Bucket::of(OWN.0, OWN.1, events);
    let head = store.head(TENANT)?.unwrap();
    store.put(TENANT, &head, vec![bucket])?;
    store.finish(&cut)?;
    assert_eq!(names, [OWN]);
    assert!(store.finish_erasing(TENANT)?);
    store.erased(TENANT)
}

/// Slots of the key file that are erased.
fn erased_slots(disk: &Simulated) -> usize {
    let keys = bytes_of(disk).into_iter().find(|(name, _)| name == "keys-a").unwrap().1;
    keys.chunks(64).filter(|slot| slot[60..] == [3, 0, 0, 0]).count()
}

/// Puts a bucket of subjects that holds these, as of a head.
fn put(store: &Embedded, head: &Head, of: &[SubjectIndex]) -> Result<(), StorageError> {
    let events = of.iter().flat_map(|of| private(*of).0).collect();
    store.put(TENANT, head, vec![Bucket::of(OWN.0, OWN.1, events)])
}

/// The head before a frame that begins an erasure, and that frame.
fn begun(store: &Embedded) -> Head {
    let before = store.head(TENANT).unwrap().unwrap();
    push(store, 20, vec![Event::CommandFloor { unix_ms: 1 }], vec![]);
    before
}

fn rows_of(store: &Embedded, of: SubjectIndex) -> Vec<Option<String>> {
    let read = |kind, key: &[u8]| store.row(TENANT, kind, key).unwrap().value;
    let text = |value: Private| String::from_utf8(value.expose().to_vec()).unwrap();
    keys_of(of).iter().map(|(kind, key, _)| read(*kind, key).map(text)).collect()
}

fn is_whole_rows(store: &Embedded, of: SubjectIndex) {
    let expected: Vec<_> = keys_of(of).iter().map(|(_, _, what)| Some(canary(of, what))).collect();
    assert_eq!(rows_of(store, of), expected);
}

fn is_whole(store: &Embedded, of: SubjectIndex) {
    is_whole_rows(store, of);
    let (events, ..) = load(store, TENANT).unwrap();
    for event in private(of).0 {
        assert!(events.contains(&event), "{event:?}");
    }
    let found = store.rows(TENANT, RowKind::Identifier, &Row::subject_key(of, &[]), 10).unwrap();
    let [(_, key, _), ..] = keys_of(of);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0[..4], key[..4]);
}

fn is_gone(store: &Embedded, of: SubjectIndex) {
    assert_eq!(rows_of(store, of), [None, None, None]);
    let (mut events, ..) = load(store, TENANT).unwrap();
    for frame in store.history(TENANT, tessera_model::Revision(0), 100).unwrap() {
        events.extend(frame.events);
    }
    for event in events {
        let told = format!("{event:?}");
        assert!(!told.contains(&canary(of, "attribute")), "{told}");
        assert!(!matches!(event, Event::IdentifierTaken { subject, .. } if subject == of), "{told}");
    }
    store.verify(TENANT).unwrap();
}

fn bytes_of(disk: &Simulated) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        (name, bytes)
    };
    disk.list().unwrap().into_iter().map(read).collect()
}

fn file(disk: &Simulated, name: &str) -> Vec<u8> {
    bytes_of(disk).into_iter().find(|(found, _)| found == name).unwrap().1
}

/// PROPERTY: nothing private of anybody stands on the disk in the clear, in no file and on no page, and all of it is
/// read back after a start.
#[test]
fn nothing_private_stands_in_the_clear() {
    let disk = made();
    let store = open(&disk).unwrap();
    [ANN, BEN].iter().for_each(|of| is_whole(&store, *of));
    for (name, bytes) in bytes_of(&disk) {
        for of in [ANN, BEN] {
            let hash = [of.0.to_le_bytes()[0] | 0xA0; 16];
            for plain in [b"canary".as_slice(), &hash] {
                assert!(!bytes.windows(plain.len()).any(|some| some == plain), "{name} holds {plain:?}");
            }
        }
    }
}

/// PROPERTY: who was erased is read by nobody, before and after a start; everybody else is whole, and goes on.
#[test]
fn an_erased_subject_is_gone_and_nobody_else() {
    let disk = made();
    let store = open(&disk).unwrap();
    erase(&store, ANN).unwrap();
    is_gone(&store, ANN);
    is_whole(&store, BEN);
    let (events, rows) = private(SubjectIndex(7));
    push(&store, 9, events, rows);
    store.stop();
    drop(store);
    let store = open(&disk.image()).unwrap();
    is_gone(&store, ANN);
    is_whole(&store, BEN);
    is_whole(&store, SubjectIndex(7));
    assert!(store.erasing().unwrap().is_empty());
}

/// PROPERTY: the power may go at every call of an erasure: the next start either has everything of the subject, or
/// nothing, and repeating ends it; nobody else ever loses anything. METHOD: a cut at each call, with every kind of
/// loss.
#[test]
fn a_cut_in_an_erasure_is_finished_by_repeating_it() {
    let disk = made();
    let mut cuts = 0;
    for call in 1..60 {
        for survival in [Survival::None, Survival::Prefix, Survival::Sectors(50), Survival::All] {
            let image = disk.image();
            let Ok(store) = open(&image) else { continue };
            image.plant(image.calls() + call, Fault::PowerCut);
            let done = erase(&store, ANN);
            if !image.is_off() {
                assert!(done.is_ok());
                continue;
            }
            cuts += 1;
            drop(store);
            let mut dice = call;
            let left = image.after_cut(survival, &mut |most| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (dice >> 33) % most.max(1)
            });
            let store = open(&left).unwrap_or_else(|error| panic!("call {call}, {survival:?}: {error}"));
            is_whole(&store, BEN);
            erase(&store, ANN).unwrap();
            is_gone(&store, ANN);
            is_whole(&store, BEN);
        }
    }
    println!("seal: {cuts} power cuts in an erasure, 0 violations");
    assert!(cuts > 20, "{cuts}");
}

/// PROPERTY: an erasure is not done while a bucket stands that was taken before it began, whether that waited for its
/// transaction or was handed over later; when it is done, the keys of all such buckets are gone.
#[test]
fn what_was_taken_before_brings_nothing_back() {
    let disk = made();
    let store = open(&disk).unwrap();
    let before = begun(&store);
    // It waits for its transaction, and is listed nowhere.
    let waits = Bucket::of(BucketKind::Names, 0, vec![private(ANN).0.swap_remove(2)]);
    store.put(TENANT, &before, vec![waits]).unwrap();
    let names = store.erase(TENANT, ANN, OWN).unwrap();
    assert_eq!(names, [(BucketKind::Names, 0), OWN]);
    // It was handed over before, and comes now.
    put(&store, &before, &[ANN, BEN]).unwrap();
    let cut = store.cut();
    let late = Bucket::of(BucketKind::Names, 1, vec![private(ANN).0.swap_remove(2)]);
    store.put(TENANT, &before, vec![late]).unwrap();
    let head = store.head(TENANT).unwrap().unwrap();
    let clean = |no| Bucket::of(BucketKind::Names, no, vec![private(BEN).0.swap_remove(2)]);
    store.put(TENANT, &head, vec![clean(0)]).unwrap();
    store.finish(&cut).unwrap();
    assert!(!store.finish_erasing(TENANT).unwrap(), "a bucket of before stands");
    assert_eq!(store.erase(TENANT, ANN, OWN).unwrap().len(), 3);
    let cut = store.cut();
    put(&store, &head, &[BEN]).unwrap();
    store.put(TENANT, &head, vec![clean(0), clean(1)]).unwrap();
    store.finish(&cut).unwrap();
    let erased = erased_slots(&disk);
    assert!(store.finish_erasing(TENANT).unwrap());
    assert!(erased_slots(&disk) >= erased + 2, "the keys of buckets of before");
    is_gone(&store, ANN);
    is_whole(&store, BEN);
}

/// PROPERTY: a put that fails leaves the bucket to be put with another key; keys that could not be made cost no more
/// than were tried.
#[test]
fn a_put_that_fails_forgets_no_erasure() {
    let disk = made();
    let store = open(&disk).unwrap();
    let size = |disk: &Simulated| disk.open("keys-a").unwrap().size().unwrap();
    let before = size(&disk);
    begun(&store);
    assert_eq!(store.erase(TENANT, ANN, OWN).unwrap(), [OWN]);
    let (head, cut) = (store.head(TENANT).unwrap().unwrap(), store.cut());
    // Another key is drawn: the first write is that of the keys.
    disk.plant(disk.calls() + 1, Fault::Io);
    assert!(put(&store, &head, &[BEN]).is_err());
    assert!(!store.finish_erasing(TENANT).unwrap(), "it has its old key");
    put(&store, &head, &[BEN]).unwrap();
    store.finish(&cut).unwrap();
    assert!(store.finish_erasing(TENANT).unwrap());
    assert_eq!(erased_slots(&disk), 2, "the subject's key and the bucket's");
    assert_eq!(size(&disk), before + 2 * 8 * 64, "eight were tried, and eight made");
}

/// PROPERTY: a load that an erasure overtakes reads what it began with.
#[test]
fn a_load_beside_an_erasure_is_no_damage() {
    let disk = made();
    let store = open(&disk).unwrap();
    let cut = store.cut();
    let head = store.head(TENANT).unwrap().unwrap();
    let other = Bucket::of(BucketKind::Names, 0, vec![private(BEN).0.swap_remove(2)]);
    store.put(TENANT, &head, vec![other]).unwrap();
    store.finish(&cut).unwrap();
    let mut buckets = 0;
    let loaded = store.load(TENANT, &mut |replay| {
        let tessera_storage::Replay::Bucket(_) = replay else { return };
        buckets += 1;
        if buckets == 1 {
            store.erase(TENANT, ANN, OWN).unwrap();
            let clean = Bucket::of(BucketKind::Names, 0, vec![private(BEN).0.swap_remove(2)]);
            let own = Bucket::of(OWN.0, OWN.1, private(BEN).0);
            store.put(TENANT, &head, vec![own, clean]).unwrap();
            // It writes what waits.
            store.erase(TENANT, BEN, (BucketKind::Subjects, 9)).unwrap();
            store.put(TENANT, &head, vec![Bucket::of(BucketKind::Subjects, 9, vec![])]).unwrap();
        }
    });
    loaded.unwrap();
    assert_eq!(buckets, 2);
}

/// PROPERTY: the keys of many buckets are erased with as many syncs as that of one.
#[test]
fn old_keys_are_erased_together() {
    let calls = |buckets: u32| {
        let disk = made();
        let store = open(&disk).unwrap();
        let head = store.head(TENANT).unwrap().unwrap();
        let all = || {
            let one = |no| Bucket::of(BucketKind::Names, no, vec![private(BEN).0.swap_remove(2)]);
            (0..buckets).map(one).chain([Bucket::of(OWN.0, OWN.1, private(BEN).0)]).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            let cut = store.cut();
            store.put(TENANT, &head, all()).unwrap();
            store.finish(&cut).unwrap();
            store.erase(TENANT, ANN, OWN).unwrap();
        }
        let cut = store.cut();
        store.put(TENANT, &head, all()).unwrap();
        store.finish(&cut).unwrap();
        let before = (disk.calls(), erased_slots(&disk));
        assert!(store.finish_erasing(TENANT).unwrap());
        let erased = erased_slots(&disk) - before.1;
        (disk.calls() - before.0, erased)
    };
    let (few, many) = (calls(1), calls(9));
    println!("seal: {} keys with {} calls, {} keys with {} calls", few.1, few.0, many.1, many.0);
    assert!(many.1 >= few.1 + 8);
    // A write for each key and copy.
    assert_eq!(many.0 - few.0, 2 * u64::try_from(many.1 - few.1).unwrap());
}

/// PROPERTY: where a backup is restored that was taken during an erasure, the erasure is to be finished.
#[test]
fn a_backup_knows_of_erasures_that_are_not_done() {
    use tessera_model::UnixMillis;
    use tessera_storage::{Backup, Progress};
    let disk = made();
    let store = open(&disk).unwrap();
    store.erase(TENANT, ANN, OWN).unwrap();
    assert_eq!(store.erasing().unwrap(), [TENANT]);
    let (to, restored) = (Simulated::new(), Simulated::new());
    store.backup_to(&to, UnixMillis(1), &Progress::default()).unwrap();
    let backup = Backup::open_on(Arc::new(to.image())).unwrap();
    let (lane, keys) = (file(&disk, "LANE"), [file(&disk, "keys-a")]);
    let told = (&root(), &*lane, &keys[..]);
    let erased = backup.erase(&Simulated::new(), told, &[8; 32], &Progress::default());
    assert_eq!(erased.unwrap().subjects, 1, "what buckets still hold goes as well");
    let backup = Backup::open_on(Arc::new(to)).unwrap();
    let place: Arc<dyn Disk> = Arc::new(restored.clone());
    backup.restore(&place, &root(), UnixMillis(2), &Progress::default()).unwrap();
    drop(place);
    let store = open(&restored).unwrap();
    assert_eq!(store.erasing().unwrap(), [TENANT]);
    erase(&store, ANN).unwrap();
    is_gone(&store, ANN);
    is_whole(&store, BEN);
    assert!(store.erasing().unwrap().is_empty());
}

/// PROPERTY: the backup that is made of one of before holds nothing of whoever was erased since and everything else; the
/// old one opens no more. Where nobody was erased, nothing is made and nothing destroyed. METHOD: both are restored, in
/// front of a copy of the slots of the old backup.
#[test]
fn an_erasure_reaches_a_backup() {
    use tessera_model::UnixMillis;
    use tessera_storage::{Backup, BackupErased, Progress};
    let disk = made();
    let store = open(&disk).unwrap();
    let taken = Simulated::new();
    store.backup_to(&taken, UnixMillis(1), &Progress::default()).unwrap();
    let erase_by = |disk: &Simulated, from: &Simulated, to: &Simulated| {
        let backup = Backup::open_on(Arc::new(from.clone())).unwrap();
        // One copy that is of before the erasure hides it from nobody.
        let (lane, keys) = (file(disk, "LANE"), [file(from, "keys"), file(disk, "keys-b")]);
        backup.erase(to, (&root(), &lane, &keys), &[8; 32], &Progress::default())
    };
    let erase_in = |from: &Simulated, to: &Simulated| erase_by(&disk, from, to);
    let none = Simulated::new();
    assert_eq!(erase_in(&taken, &none).unwrap(), BackupErased { subjects: 0, invitations: 0, buckets: 0 });
    assert!(none.list().unwrap().is_empty());
    begun(&store);
    erase(&store, ANN).unwrap();
    let (to, later) = (Simulated::new(), Simulated::new());
    let old = taken.image();
    let place: Arc<dyn Disk> = Arc::new(later.clone());
    let backup = Backup::open_on(Arc::new(old.clone())).unwrap();
    backup.restore(&place, &root(), UnixMillis(2), &Progress::default()).unwrap();
    let refused = erase_by(&later, &taken, &to);
    assert!(matches!(refused, Err(StorageError::BadBackup { .. })), "a directory of another epoch");
    assert!(to.list().unwrap().is_empty());
    assert_eq!(erase_in(&taken, &to).unwrap().subjects, 1);
    assert!(Backup::open_on(Arc::new(taken.clone())).is_err(), "it is no backup any more");
    assert!(
        bytes_of(&taken).iter().any(|(name, bytes)| name == "keys" && bytes.iter().all(|byte| *byte == 0))
    );
    let restored = |from: &Simulated| {
        let place = Simulated::new();
        let disk: Arc<dyn Disk> = Arc::new(place.clone());
        let backup = Backup::open_on(Arc::new(from.clone())).unwrap();
        backup.restore(&disk, &root(), UnixMillis(2), &Progress::default()).unwrap();
        drop(disk);
        open(&place).unwrap()
    };
    let store = restored(&old);
    is_whole(&store, ANN);
    let store = restored(&to);
    is_gone(&store, ANN);
    is_whole(&store, BEN);
    let (events, rows) = private(SubjectIndex(7));
    push(&store, 9, events, rows);
    is_whole(&store, SubjectIndex(7));
}

/// PROPERTY: what a medium kept of an erased key opens with the root key of its time alone: behind another root key it
/// is damage, and never read. METHOD: the slots of before are written back into both copies, but for the sets that
/// hold tenants' keys.
#[test]
fn another_root_key_leaves_nothing_of_a_kept_slot() {
    let disk = made();
    let kept = bytes_of(&disk).into_iter().find(|(name, _)| name == "keys-a").unwrap().1;
    let store = open(&disk).unwrap();
    begun(&store);
    erase(&store, ANN).unwrap();
    store.stop();
    drop(store);
    let [_, (kind, key, _), _] = keys_of(ANN);
    for rotated in [false, true] {
        let image = disk.image();
        if rotated {
            rotate_root_on(&image, &root(), &RootKey::new([4; 32]), &[5; 32]).unwrap();
        }
        for file in ["keys-a", "keys-b"] {
            image.tamper(file, |bytes| {
                for (now, old) in bytes.chunks_mut(64).zip(kept.chunks(64)) {
                    if now[60..] == [3, 0, 0, 0] {
                        now.copy_from_slice(old);
                    }
                }
            });
        }
        let root_key = RootKey::new([if rotated { 4 } else { 3 }; 32]);
        let options = Options { root_key, ..by_hand() };
        let store = Embedded::open_on(Arc::new(image), options).unwrap();
        let read = store.row(TENANT, kind, &key).map(|row| row.value.is_some());
        match rotated {
            false => assert!(matches!(read, Ok(true)), "the slot is back: {read:?}"),
            true => assert!(matches!(read, Err(StorageError::Damaged(_))), "{read:?}"),
        }
        is_whole_rows(&store, BEN);
    }
}

/// PROPERTY: a turned bit in a key of one copy is healed from the other; in both copies it is damage that names the
/// file, and never an erasure; so is one in what is sealed.
#[test]
fn turned_bits_are_damage_and_never_an_erasure() {
    let disk = made();
    let keys = bytes_of(&disk).into_iter().find(|(name, _)| name == "keys-a").unwrap().1;
    let (mut damaged, mut healed) = (0, 0);
    for slot in 1..keys.len() / 64 {
        for byte in [0, 13, 50, 60] {
            for files in [&["keys-a"][..], &["keys-b"], &["keys-a", "keys-b"]] {
                let image = disk.image();
                for file in files {
                    image.tamper(file, |bytes| bytes[slot * 64 + byte] ^= 4);
                }
                let read = open(&image).and_then(|store| {
                    let rows = [ANN, BEN].map(|of| {
                        let [(kind, key, _), ..] = keys_of(of);
                        store.row(TENANT, kind, &key)
                    });
                    let [ann, ben] = rows;
                    load(&store, TENANT)?;
                    Ok([ann?.value.is_some(), ben?.value.is_some()])
                });
                match (files.len(), read) {
                    (1, Ok(found)) => {
                        assert_eq!(found, [true, true], "slot {slot} byte {byte} of {files:?}");
                        healed += 1;
                    }
                    (2, Ok(found)) => {
                        assert_eq!(found, [true, true], "slot {slot} byte {byte}: nobody has it")
                    }
                    (2, Err(StorageError::Damaged(damage))) => {
                        assert!(damage.file.contains("keys"), "{damage}");
                        damaged += 1;
                    }
                    (2, Err(StorageError::KeysMissing(_))) => damaged += 1,
                    (_, other) => panic!("slot {slot} byte {byte} of {files:?}: {other:?}"),
                }
            }
        }
    }
    println!("seal: {healed} turned bits in one copy healed, {damaged} in both copies told as damage");
    assert!(damaged >= 8 && healed > 0);
}

/// PROPERTY: after another root key the directory opens with it alone, and holds what it held. The power may go at
/// every call: it opens with one of the two, and repeating ends it.
#[test]
fn another_root_key_opens_the_directory() {
    let disk = made();
    let (old, new) = (root(), RootKey::new([4; 32]));
    let with = |disk: &Simulated, key: [u8; 32]| {
        let options = Options { root_key: RootKey::new(key), ..by_hand() };
        Embedded::open_on(Arc::new(disk.clone()), options)
    };
    let whole = |store: &Embedded| [ANN, BEN].iter().for_each(|of| is_whole(store, *of));
    let mut cuts = 0;
    for call in 1..40 {
        for survival in [Survival::None, Survival::Prefix, Survival::All] {
            let image = disk.image();
            image.plant(image.calls() + call, Fault::PowerCut);
            let done = rotate_root_on(&image, &old, &new, &[5; 32]);
            let image = if image.is_off() {
                cuts += 1;
                let left = image.after_cut(survival, &mut |most| call % most.max(1));
                let either = with(&left, [3; 32]).or_else(|_| with(&left, [4; 32]));
                whole(&either.unwrap_or_else(|error| panic!("call {call}, {survival:?}: {error}")));
                let left = image.after_cut(survival, &mut |most| call % most.max(1));
                rotate_root_on(&left, &old, &new, &[6; 32]).unwrap();
                left
            } else {
                assert_eq!(done.unwrap(), 1);
                image.image()
            };
            let refused = with(&image, [3; 32]).err();
            assert!(
                matches!(refused, Some(StorageError::RootKeyWrong)),
                "call {call}, {survival:?}: {refused:?}"
            );
            whole(&with(&image, [4; 32]).unwrap());
        }
    }
    println!("seal: {cuts} power cuts while the root key was replaced, 0 violations");
    assert!(cuts > 10, "{cuts}");
}

/// PROPERTY: a directory of before is refused with what it is and what to do.
#[test]
fn an_older_directory_is_refused() {
    let disk = made();
    disk.tamper("LANE", |bytes| {
        bytes[4] = 1;
        let body = bytes.len() - 32;
        let hash = tessera_crypto::digest::hash(&[&bytes[..body]]);
        bytes[body..].copy_from_slice(&hash);
    });
    let refused = open(&disk).err().unwrap();
    assert!(matches!(refused, StorageError::OlderFormat { found: 1, known: 2 }), "{refused}");
    assert!(refused.to_string().contains("export it"), "{refused}");
}
