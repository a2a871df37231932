//! Full disks, failing calls, turned bits, a second process, a file that must not grow.

mod every_call;
mod kit;

use kit::*;
use std::sync::Arc;
use tessera_model::{Revision, RowKind, TenantId};
use tessera_storage::disk::{Disk, simulated::Fault, simulated::Simulated};
use tessera_storage::{Batch, Bucket, BucketKind, Embedded, Head, Options, Room, StorageError, Store};

const A: TenantId = TenantId(1);
const B: TenantId = TenantId(2);

fn open(disk: &Simulated) -> Result<Embedded, StorageError> {
    on(Arc::new(disk.clone()), by_hand())
}

fn try_one(store: &Embedded, tenant: TenantId, no: u64, narrowing: bool) -> Result<Head, StorageError> {
    let head = store.head(tenant)?;
    let mut batch = store.batch(&head.unwrap_or(Head::unborn(tenant)));
    match head {
        None => batch.birth(tenant, [9; 32], &born(tenant))?,
        Some(_) => assert!(batch.push(&opened(no)).is_ok()),
    }
    batch.narrowing(narrowing);
    let commit = store.commit(batch);
    while store.turn() {}
    commit.wait().map(|durable| *durable.head())
}

/// F-51. PROPERTY: on a full disk commands get StorageFull, narrowing ones go on into the reserve, a
/// restart on the full disk has everything, and when space returns the same process goes on.
/// TC-97 in part.
#[test]
fn f_51_a_full_disk_loses_nothing() {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    for tenant in [A, B] {
        try_one(&store, tenant, 0, false).unwrap();
    }
    disk.limit_space(Some(disk.used()));
    let mut no = 0;
    let mut last = loop {
        no += 1;
        match try_one(&store, A, no, false) {
            Ok(_) => {}
            Err(StorageError::StorageFull) => break store.head(A).unwrap().unwrap(),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(store.usage().full && !store.failed());
    let mut narrowed = 0;
    for _ in 0..8 {
        assert!(matches!(try_one(&store, B, no, false), Err(StorageError::StorageFull)));
        last = try_one(&store, A, no, true).unwrap();
        narrowed += 1;
    }
    while try_one(&store, A, no, true).is_ok() {
        narrowed += 1;
        last = store.head(A).unwrap().unwrap();
    }
    println!("{narrowed} narrowing commits into the reserve");
    assert!(matches!(try_one(&store, A, no, true), Err(StorageError::StorageFull)));
    // The process dies, and starts on the full disk: twice.
    let image = disk.image();
    image.limit_space(Some(image.used()));
    for _ in 0..2 {
        let again = open(&image).unwrap();
        assert_eq!(load(&again, A).unwrap().2, Some(last));
        assert!(matches!(try_one(&again, B, no, false), Err(StorageError::StorageFull)));
    }
    // Space returns: the same process goes on.
    disk.limit_space(None);
    assert_eq!(try_one(&store, A, no, false).unwrap().next, last.next.next());
    try_one(&store, B, no, false).unwrap();
    image.limit_space(None);
    let again = open(&image).unwrap();
    try_one(&again, A, no, false).unwrap();
    assert_eq!(again.verify(A).unwrap().frames, last.next.0 + 1);
}

/// PROPERTY: with threads too, a full disk refuses, and goes on by itself when space returns.
/// TC-97 in part, F-51.
#[test]
fn space_that_returns_is_used() {
    let disk = Simulated::new();
    let store = on(Arc::new(disk.clone()), small()).unwrap();
    let mut head = birth(&store, A);
    // The preparer has made what is kept free; from here on nothing more can be made.
    while store.usage().journal_files < 3 {
        std::thread::yield_now();
    }
    disk.limit_space(Some(disk.used()));
    let mut no = 0;
    loop {
        no += 1;
        match push(&store, &head, &opened(no)) {
            Ok(next) => head = next,
            Err(StorageError::StorageFull) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(store.room(), Room::Full);
    // The store says beforehand when not even the reserve has room.
    loop {
        let mut batch = store.batch(&head);
        batch.push(&opened(no)).unwrap();
        batch.narrowing(true);
        match store.commit(batch).wait() {
            Ok(durable) => head = *durable.head(),
            Err(StorageError::StorageFull) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(store.room(), Room::Nothing);
    disk.limit_space(None);
    let start = std::time::Instant::now();
    while store.room() != Room::Any {
        assert!(start.elapsed().as_secs() < 120, "space returned and nobody said so");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    while push(&store, &head, &opened(no)).is_err() {
        assert!(start.elapsed().as_secs() < 120, "space returned and was not used");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// PROPERTY: after a write or sync of a prepared file failed, whoever waits gets an unknown, nothing
/// more is acknowledged, the failure is told, and the next start has what was acknowledged.
/// TC-96 in part.
#[test]
fn a_failed_write_stops_everything() {
    for call in 1..=2 {
        let disk = Simulated::new();
        let store = on(Arc::new(disk.clone()), by_hand()).unwrap();
        let head = try_one(&store, A, 0, false).unwrap();
        try_one(&store, B, 0, false).unwrap();
        // The next two calls are the write and the sync of a group.
        store.turn();
        disk.plant(disk.calls() + call, Fault::Io);
        let error = try_one(&store, A, 1, false).unwrap_err();
        assert!(matches!(error, StorageError::Disk { .. }) && error.is_unknown(), "{error}");
        assert!(store.failed());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.until_failed());
        let error = try_one(&store, B, 1, false).unwrap_err();
        assert!(matches!(error, StorageError::LaneStopped) && error.is_unknown());
        drop(store);
        let store = open(&disk).unwrap();
        let next = store.head(A).unwrap().unwrap().next;
        assert!(next == head.next || next == head.next.next());
        assert_eq!(store.verify(A).unwrap().frames, next.0);
        try_one(&store, A, 2, false).unwrap();
    }
}

/// PROPERTY: a checkpoint that fails loses nothing, and succeeds when it is repeated.
/// TC-97 in part, TC-100.
#[test]
fn a_failed_checkpoint_is_repeated() {
    let mut failures = 0;
    for call in 1..60 {
        let disk = Simulated::new();
        let store = open(&disk).unwrap();
        try_one(&store, A, 0, false).unwrap();
        let head = try_one(&store, A, 1, false).unwrap();
        let checkpoint = || {
            let cut = store.cut();
            let events = vec![open_event(place(1, 1))];
            store.put(A, &head, vec![Bucket::of(BucketKind::Places, 0, events)])?;
            store.finish(&cut)
        };
        disk.plant(disk.calls() + call, if call % 2 == 0 { Fault::Io } else { Fault::NoSpace });
        if checkpoint().is_err() {
            failures += 1;
            assert!(!store.failed());
            // That it was for space is told until one succeeds.
            assert_eq!(store.usage().full, call % 2 == 1, "call {call}");
            assert_eq!(load(&store, A).unwrap().2, Some(head));
            checkpoint().unwrap();
        }
        assert!(!store.has_tail(A) && !store.usage().full);
        assert_eq!(load(&store, A).unwrap(), (vec![open_event(place(1, 1))], vec![], Some(head)));
        // Without power what was said to be covered is there.
        let left = disk.after_cut(tessera_storage::disk::simulated::Survival::None, &mut |_| 0);
        let store = open(&left).unwrap();
        assert_eq!(load(&store, A).unwrap().2, Some(head), "call {call}");
    }
    println!("{failures} checkpoints failed and were repeated");
    assert!(failures > 10);
}

/// Everything that can be asked of a store about one tenant.
fn answers(store: &Embedded, tenant: TenantId) -> Vec<(&'static str, Option<String>)> {
    let rows = |error: Result<Vec<(Vec<u8>, tessera_model::Private)>, StorageError>| {
        error.map(|rows| format!("{:?}", rows.iter().map(|(k, v)| (k, v.expose())).collect::<Vec<_>>()))
    };
    let row = store.row(tenant, RowKind::Profile, b"a");
    let keys = store.tenant_keys(tenant);
    vec![
        ("head", store.head(tenant).map(|head| format!("{head:?}")).ok()),
        ("load", load(store, tenant).map(|loaded| format!("{loaded:?}")).ok()),
        ("row", row.map(|row| format!("{:?}", row.value.map(|value| value.expose().to_vec()))).ok()),
        ("rows", rows(store.rows(tenant, RowKind::Profile, b"", 99)).ok()),
        ("place", store.place(tenant, tessera_model::Place(3)).map(|place| format!("{place:?}")).ok()),
        ("history", store.history(tenant, Revision(0), 999).map(|frames| format!("{frames:?}")).ok()),
        ("verify", store.verify(tenant).map(|verified| format!("{verified:?}")).ok()),
        ("keys", keys.map(|keys| format!("{:?}{:?}", keys.index.expose(), keys.refresh[0].1.expose())).ok()),
    ]
}

/// PROPERTY: no turned bit, zeroed piece or cut of any file is served: every answer is right or an
/// error, and no start ends the process.
/// TC-98 in part.
#[test]
fn damage_is_never_served() {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    for tenant in [A, B] {
        store.make_tenant_keys(tenant, &[u8::try_from(tenant.0).unwrap(); 64], &[7; 24]).unwrap();
        try_one(&store, tenant, 0, false).unwrap();
        let mut batch = store.batch(&store.head(tenant).unwrap().unwrap());
        for no in 1..20 {
            let row = row(&[b'a' + u8::try_from(no % 4).unwrap() - 1], Some(&[3; 50]));
            batch.push(&staged(no, vec![subject(u32::try_from(no).unwrap())], vec![row])).unwrap();
        }
        let commit = store.commit(batch);
        while store.turn() {}
        let head = *commit.wait().unwrap().head();
        let events = (0..50).map(|at| open_event(place(at, 1))).collect();
        store.put(tenant, &head, vec![Bucket::of(BucketKind::Places, 0, events)]).unwrap();
    }
    store.finish(&store.cut()).unwrap();
    for no in 20..25 {
        try_one(&store, A, no, false).unwrap();
    }
    let truth = [answers(&store, A), answers(&store, B)];
    assert!(truth.iter().flatten().all(|(_, answer)| answer.is_some()));
    store.stop();
    drop(store);
    let (mut faults, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut random = 1u64;
    let mut below = move |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % n.max(1)
    };
    for name in disk.list().unwrap() {
        let size = usize::try_from(disk.open(&name).unwrap().size().unwrap()).unwrap();
        for kind in 0..if size > 10_000 { 200 } else { 100 } {
            let image = disk.image();
            // Half of the faults fall where something stands.
            let mut at = below(size);
            image.tamper(&name, |bytes| {
                if kind % 2 == 0 {
                    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
                    at = used.get(below(used.len())).copied().unwrap_or(at);
                }
                match kind % 5 {
                    0..=2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (kind % 8)),
                    3 => bytes.iter_mut().skip(at).take(512).for_each(|byte| *byte = 0),
                    _ => bytes.truncate(at),
                }
            });
            faults += 1;
            let Ok(store) = open(&image) else {
                refused += 1;
                continue;
            };
            for (tenant, truth) in [A, B].into_iter().zip(&truth) {
                for ((what, answer), (_, right)) in answers(&store, tenant).into_iter().zip(truth) {
                    if answer.is_some() && answer != *right {
                        wrong.push(format!("{name} at {at}, kind {kind}: {what}"));
                    }
                }
            }
        }
    }
    println!("{faults} faults, {refused} refused to open, {} answers wrong", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// PROPERTY: a second process, or a second opening, is refused while the first lives, and not after.
#[test]
fn a_second_process_is_refused() {
    const CHILD: &str = "TESSERA_TEST_DIRECTORY";
    if let Ok(path) = std::env::var(CHILD) {
        let refused = Embedded::open(std::path::Path::new(&path), small());
        assert!(matches!(refused, Err(StorageError::InUse)));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let store = embedded(directory.path());
    let head = birth(&store, A);
    assert!(matches!(Embedded::open(directory.path(), small()), Err(StorageError::InUse)));
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["a_second_process_is_refused", "--exact"])
        .env(CHILD, directory.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    drop(store);
    assert_eq!(embedded(directory.path()).head(A).unwrap(), Some(head));
}

/// PROPERTY: another root key opens nothing, and the right one still does afterwards.
#[test]
fn another_root_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = embedded(directory.path());
    store.make_tenant_keys(A, &[1; 64], &[2; 24]).unwrap();
    drop(store);
    let wrong = Options { root_key: tessera_storage::RootKey::new([4; 32]), ..small() };
    assert!(matches!(Embedded::open(directory.path(), wrong), Err(StorageError::RootKeyWrong)));
    assert_eq!(embedded(directory.path()).tenant_keys(A).unwrap().index.expose(), &[1; 32]);
}

/// PROPERTY: whatever becomes of one copy of the key file, the other one opens the directory and makes it whole again;
/// without both, a directory that has tenants is refused with their names, by any root key, and the wrong root key
/// is told from damage. METHOD: every length of one copy, every turned byte of its header, with each tenant's keys
/// read after one more start that has lost the other copy.
/// TC-98 in part: key files.
#[test]
fn one_copy_of_the_keys_is_enough() {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    for (no, tenant) in [(1, A), (2, B)] {
        store.make_tenant_keys(tenant, &[no; 64], &[no; 24]).unwrap();
        try_one(&store, tenant, 0, false).unwrap();
    }
    let cut = store.cut();
    store.put(A, &store.head(A).unwrap().unwrap(), vec![]).unwrap();
    store.put(B, &store.head(B).unwrap().unwrap(), vec![]).unwrap();
    store.finish(&cut).unwrap();
    store.stop();
    drop(store);
    let len = usize::try_from(disk.open("keys-a").unwrap().size().unwrap()).unwrap();
    assert_eq!(len, 64 * 9);
    type Change = Box<dyn Fn(&mut Vec<u8>)>;
    let mut changes: Vec<(String, Change)> = Vec::new();
    for cut in (0..len).step_by(31).chain([1, 63, 64, 65, len - 1]) {
        changes.push((format!("cut to {cut}"), Box::new(move |bytes| bytes.truncate(cut))));
    }
    for byte in 0..40 {
        changes.push((format!("byte {byte} turned"), Box::new(move |bytes| bytes[byte] ^= 0x40)));
    }
    changes.push(("of another directory".into(), Box::new(|bytes| bytes[8..].fill(9))));
    for (gone, other) in [("keys-a", "keys-b"), ("keys-b", "keys-a")] {
        for (what, change) in &changes {
            let disk = disk.image();
            disk.tamper(gone, |bytes| change(bytes));
            if what.starts_with("byte 5") || what.starts_with("byte 4") {
                // A version that is not known is not written over.
                assert!(matches!(open(&disk), Err(StorageError::NewerFormat { .. })), "{gone} {what}");
                continue;
            }
            drop(open(&disk).unwrap_or_else(|error| panic!("{gone} {what}: {error}")));
            disk.remove(other).unwrap();
            let store = open(&disk).unwrap_or_else(|error| panic!("{gone} {what}, alone: {error}"));
            for (no, tenant) in [(1, A), (2, B)] {
                assert_eq!(store.tenant_keys(tenant).unwrap().index.expose(), &[no; 32], "{gone} {what}");
            }
        }
    }
    let both = disk.image();
    both.remove("keys-a").unwrap();
    both.remove("keys-b").unwrap();
    let wrong = || Options { root_key: tessera_storage::RootKey::new([4; 32]), ..by_hand() };
    for options in [by_hand(), wrong()] {
        let Err(StorageError::Damaged(damage)) = on(Arc::new(both.clone()), options) else {
            panic!("opened")
        };
        assert_eq!(&*damage.file, "keys-a, keys-b");
        assert!(damage.what.contains("missing"), "{damage}");
    }
    let torn = disk.image();
    torn.tamper("keys-a", |bytes| bytes.truncate(10));
    assert!(matches!(on(Arc::new(torn.clone()), wrong()), Err(StorageError::RootKeyWrong)));
    torn.tamper("keys-b", |bytes| bytes[0] = 0);
    let Err(StorageError::Damaged(damage)) = open(&torn) else { panic!("opened") };
    assert!(damage.what.contains("neither"), "{damage}");
}

/// PROPERTY: a root key's file is made for its owner alone, never replaced, and refused when others
/// may read it.
#[test]
fn root_key_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    use tessera_storage::RootKey;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    assert!(RootKey::read(&path).is_err());
    RootKey::create(&path, [0xAB; 32]).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(RootKey::read(&path).is_ok());
    assert!(RootKey::create(&path, [1; 32]).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "ab".repeat(32) + "\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(RootKey::read(&path), Err(StorageError::RootKeyUnfit(_))));
    for bad in ["", "ab", &"zz".repeat(32)] {
        assert!(matches!(RootKey::parse(bad), Err(StorageError::RootKeyUnfit(_))));
    }
}

/// PROPERTY: at the tail's bound writers get Busy, narrowing ones go on to twice the bound, and a
/// checkpoint, wanted since half of it, lets everyone go on.
#[test]
fn the_tail_is_bounded() {
    let options = Options { tail_frames_max: 40, ..by_hand() };
    let store = on(Arc::new(Simulated::new()), options).unwrap();
    let mut head = try_one(&store, A, 0, false).unwrap();
    for no in 1..40 {
        assert_eq!(store.due(), no >= 20, "{no}");
        head = try_one(&store, A, no, false).unwrap();
    }
    let error = try_one(&store, A, 50, false).unwrap_err();
    assert!(matches!(error, StorageError::Busy) && !error.is_unknown());
    for no in 0..40 {
        head = try_one(&store, A, no, true).unwrap();
    }
    assert!(matches!(try_one(&store, A, 50, true), Err(StorageError::Busy)));
    assert_eq!(store.usage().tail_frames, 80);
    let cut = store.cut();
    store.put(A, &head, vec![]).unwrap();
    store.finish(&cut).unwrap();
    assert_eq!((store.usage().tail_frames, store.due()), (0, false));
    try_one(&store, A, 50, false).unwrap();
}

/// PROPERTY: a batch that no group of this directory holds is refused whole, and the lane goes on.
#[test]
fn batches_are_capped_by_the_file_size() {
    let store = open(&Simulated::new()).unwrap();
    let head = try_one(&store, A, 0, false).unwrap();
    let batch = |bytes: usize| {
        let mut batch = store.batch(&head);
        let value = vec![1; bytes];
        batch.push(&staged(1, vec![], vec![row(b"k", Some(&value))])).map(|_| batch)
    };
    let fits = store.batch_bytes_max();
    let commit = |batch: Batch| {
        let commit = store.commit(batch);
        while store.turn() {}
        commit.wait()
    };
    assert!(matches!(batch(fits), Err(StorageError::FrameTooLarge { .. })));
    let just = batch(fits - 300).unwrap();
    assert!(just.len_bytes() <= fits);
    commit(just).unwrap();
}

/// PROPERTY: what a newer version wrote is refused with its number, not taken for damage.
/// TC-100, TC-101 in part: newer files.
#[test]
fn newer_formats_are_refused() {
    let disk = Simulated::new();
    drop(open(&disk).unwrap());
    let newer = disk.image();
    newer.tamper("journal-0000", |bytes| bytes[4] = 2);
    let opened = open(&newer);
    assert!(matches!(opened, Err(StorageError::NewerFormat { found: 2, known: 1 })), "{:?}", opened.err());
    let newer = disk.image();
    newer.tamper("LANE", |bytes| {
        bytes[4] = 9;
        let body = bytes.len() - 32;
        let hash = tessera_crypto::digest::hash(&[&bytes[..body]]);
        bytes[body..].copy_from_slice(&hash);
    });
    let Err(error) = open(&newer) else { panic!() };
    assert!(matches!(error, StorageError::NewerFormat { found: 9, known: 2 }));
    assert!(error.to_string().contains("start the version that wrote it"), "{error}");
    for name in ["keys-a", "keys-b"] {
        disk.tamper(name, |bytes| bytes[4] = 3);
    }
    assert!(matches!(open(&disk), Err(StorageError::NewerFormat { found: 3, known: 2 })));
}

/// F-53. PROPERTY: rewriting 10,000 subjects 100 times leaves the checkpoint's file at most four times
/// as large as after the first load.
#[test]
fn f_53_the_checkpoint_does_not_grow() {
    let disk = Simulated::new();
    let options = Options { journal_file_bytes: 4 << 20, ..by_hand() };
    let store = on(Arc::new(disk), options).unwrap();
    try_one(&store, A, 0, false).unwrap();
    let mut no = 0u64;
    let mut rewrite = |round: u64| {
        for chunk in 0..50u32 {
            let mut batch = store.batch(&store.head(A).unwrap().unwrap());
            for part in 0..2 {
                no += 1;
                let indexes = (0..100).map(|at| chunk * 200 + part * 100 + at);
                let events = indexes.clone().map(subject).collect();
                let value = vec![u8::try_from(round % 200).unwrap(); 90];
                let rows = indexes.map(|at| row(&at.to_be_bytes(), Some(&value))).collect();
                batch.push(&staged(no, events, rows)).unwrap();
            }
            let commit = store.commit(batch);
            while store.turn() {}
            commit.wait().unwrap();
        }
        let cut = store.cut();
        let bucket = |no: u32| {
            let events = (no * 2_500..(no + 1) * 2_500).map(subject).collect();
            Bucket::of(BucketKind::Subjects, no, events)
        };
        store.put(A, &store.head(A).unwrap().unwrap(), (0..4).map(bucket).collect()).unwrap();
        store.finish(&cut).unwrap();
        store.usage().checkpoint_bytes
    };
    let first = rewrite(0);
    let sizes: Vec<u64> = (1..=100).map(&mut rewrite).collect();
    // 100 subjects of 28 bytes, header, payload's head, hash and link.
    let history = store.history(A, Revision(0), usize::MAX).unwrap().len() as u64 * (2_800 + 64 + 17 + 64);
    let last = *sizes.last().unwrap();
    println!("{first} bytes after the first load, {last} after 100 rewrites, of which history {history}");
    assert!(last.saturating_sub(history) <= 4 * first + history / 2, "{last} against {first}");
    assert!(last <= 2 * (first + history));
}

/// PROPERTY: a refresh key that was erased stays gone, and one that was made stays, over a start: with the
/// directory row from before or after it, and when a crash came between the two copies.
#[test]
fn refresh_keys_outlive_a_start() {
    for (covered, torn) in [(false, false), (true, false), (false, true), (true, true)] {
        let directory = tempfile::tempdir().unwrap();
        let store = embedded(directory.path());
        store.make_tenant_keys(A, &[1; 64], &[2; 24]).unwrap();
        let mut batch = store.batch(&Head::unborn(A));
        batch.birth(A, [9; 32], &born(A)).unwrap();
        let head = *store.commit(batch).wait().unwrap().head();
        store.make_refresh_key(A, 2, &[5; 32], &[2; 24]).unwrap();
        if covered {
            let cut = store.cut();
            store.put(A, &head, vec![]).unwrap();
            store.finish(&cut).unwrap();
        }
        store.make_refresh_key(A, 3, &[6; 32], &[2; 24]).unwrap();
        let before = std::fs::read(directory.path().join("keys-b")).unwrap();
        store.keep_refresh_keys(A, &[2, 3]).unwrap();
        drop(store);
        if torn {
            std::fs::write(directory.path().join("keys-b"), before).unwrap();
        }
        for _ in 0..2 {
            let store = embedded(directory.path());
            let keys = store.tenant_keys(A).unwrap();
            let refresh: Vec<_> = keys.refresh.iter().map(|(no, key)| (*no, key.expose()[0])).collect();
            assert_eq!((keys.index.expose()[0], refresh), (1, vec![(2, 5), (3, 6)]), "{covered} {torn}");
        }
        let [a, b] = ["keys-a", "keys-b"].map(|name| std::fs::read(directory.path().join(name)).unwrap());
        assert_eq!(a, b, "{covered} {torn}");
    }
}
