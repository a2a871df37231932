//! Backups taken while the store goes on: whole cuts, restored as they were, and refused when anything of
//! them was changed.

mod kit;

use kit::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::{Epoch, Event, Revision, SubjectIndex, TenantId, UnixMillis};
use tessera_storage::disk::{Disk, simulated::Fault, simulated::Simulated};
use tessera_storage::{
    Backup, Backups as _, Bucket, BucketKind, Embedded, FrameRead, Head, Moves as _, Options, Progress,
    RootKey, Sent, StorageError, Store, inspect,
};

const TENANTS: u64 = 4;
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
/// When it is restored.
const LATER: UnixMillis = UnixMillis(1_800_000_000_000);

fn tenants() -> impl Iterator<Item = TenantId> {
    (1..=TENANTS).map(TenantId)
}

/// A store of tenants with keys, each with a frame, one of them covered by a checkpoint.
fn world(disk: &Simulated) -> Embedded {
    let store = on(Arc::new(disk.clone()), small()).unwrap();
    for tenant in tenants() {
        store.make_tenant_keys(tenant, &[2; 64], &[3; 24]).unwrap();
        let head = birth(&store, tenant);
        let rows = vec![row(&[0, 0, 0, 1, b'n'], Some(&tenant.0.to_le_bytes()))];
        push(&store, &head, &staged(1, vec![open_event(place(1, 1))], rows)).unwrap();
    }
    checkpoint(&store);
    store
}

/// Covers everything: the state of these tenants is their sessions.
fn checkpoint(store: &Embedded) {
    let cut = store.cut();
    for tenant in &cut.tenants {
        let (events, _, head) = load(store, *tenant).unwrap();
        let opened = |event: &Event| matches!(event, Event::SessionOpened { .. });
        let events = events.into_iter().filter(opened).collect();
        let bucket = Bucket::of(BucketKind::Places, 0, events);
        store.put(*tenant, &head.unwrap(), vec![bucket]).unwrap();
    }
    store.finish(&cut).unwrap();
}

fn again(store: &Embedded, tenant: TenantId, no: u64) -> Head {
    let head = store.head(tenant).unwrap().unwrap();
    let rows = vec![row(&[0, 0, 0, 1, b'n'], Some(&no.to_le_bytes()))];
    let at = u32::try_from(no % 3_000).unwrap();
    push(store, &head, &staged(no, vec![open_event(place(at, 1))], rows)).unwrap()
}

fn restored(backup: &Simulated, root: RootKey) -> Result<(Simulated, Epoch), StorageError> {
    let to = Simulated::new();
    let disk: Arc<dyn Disk> = Arc::new(to.clone());
    let backup = Backup::open_on(Arc::new(backup.clone()))?;
    let (epoch, _) = backup.restore(&disk, &root, LATER, &Progress::default())?;
    Ok((to, epoch))
}

/// PROPERTY: a backup that is taken while commands, checkpoints and births go on holds, of every tenant, all
/// that was acknowledged before it began, and up to its revision what the running store has there, link by link
/// and row by row. METHOD: twenty backups beside two writers and checkpoints; each is restored and compared with
/// the histories of the running store.
#[test]
fn backups_under_load_are_whole() {
    let disk = Simulated::new();
    let store = Arc::new(world(&disk));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = [[1, 2], [3, 4]]
        .into_iter()
        .map(|mine| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut no = 2;
                while !stop.load(Ordering::Relaxed) {
                    for tenant in mine {
                        again(&store, TenantId(tenant), no);
                    }
                    no += 1;
                    if mine[0] == 1 && no % 50 == 0 {
                        checkpoint(&store);
                    }
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for _ in 0..20 {
        let before: Vec<Head> = tenants().map(|tenant| store.head(tenant).unwrap().unwrap()).collect();
        let to = Simulated::new();
        let told = store.backup_to(&to, NOW, &Progress::default()).unwrap();
        assert_eq!((told.tenants, told.epoch), (TENANTS, Epoch(1)));
        taken.push((to, before));
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    for (backup, before) in taken {
        let (to, epoch) = restored(&backup, root()).unwrap();
        assert_eq!(epoch, Epoch(LATER.0));
        let copy = on(Arc::new(to), small()).unwrap();
        for (tenant, before) in tenants().zip(before) {
            let head = copy.head(tenant).unwrap().unwrap();
            assert_eq!(head.epoch, epoch);
            assert!(holds(&copy, &store, &before), "{tenant}: acknowledged before, and missing");
            let frames = copy.history(tenant, Revision(0), usize::MAX).unwrap();
            assert_eq!(copy.verify(tenant).unwrap().link, head.link);
            let newest = frames.last().unwrap().id.0;
            let no = u64::from_be_bytes(newest[8..].try_into().unwrap());
            let no = if no == 1 { tenant.0 } else { no };
            assert_eq!(read(&copy, tenant, &[0, 0, 0, 1, b'n']), Some(no.to_le_bytes().to_vec()));
            assert!(copy.tenant_keys(tenant).is_ok());
            // It goes on, in the new epoch, and stays whole over a checkpoint and a start.
            let after = again(&copy, tenant, 2_999);
            assert_eq!((after.epoch, after.next), (epoch, head.next.next()));
        }
        checkpoint(&copy);
        for tenant in tenants() {
            copy.verify(tenant).unwrap();
            assert_eq!(load(&copy, tenant).unwrap().2.unwrap().epoch, epoch);
        }
    }
}

/// The comparison: whether a copy holds all frames before a head, and no others than the store.
fn holds(copy: &Embedded, store: &Embedded, before: &Head) -> bool {
    let frames = copy.history(before.tenant, Revision(0), usize::MAX).unwrap();
    frames.len() as u64 >= before.next.0
        && frames == store.history(before.tenant, Revision(0), frames.len()).unwrap()
}

/// PROPERTY: the comparison notices a backup that lacks its tail. METHOD: the planted fault is a backup of the
/// checkpoint alone, taken before the frames behind it.
#[test]
fn a_planted_lack_of_the_tail_is_noticed() {
    let disk = Simulated::new();
    let store = world(&disk);
    let planted = Simulated::new();
    store.backup_to(&planted, NOW, &Progress::default()).unwrap();
    let before = again(&store, TenantId(2), 5);
    let whole = Simulated::new();
    store.backup_to(&whole, NOW, &Progress::default()).unwrap();
    for (backup, expected) in [(planted, false), (whole, true)] {
        let copy = on(Arc::new(restored(&backup, root()).unwrap().0), small()).unwrap();
        assert_eq!(holds(&copy, &store, &before), expected);
    }
}

fn bytes(disk: &Simulated, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// PROPERTY: two restores of one backup are in two epochs, both behind that of the backup, whatever the clock
/// says.
#[test]
fn every_restore_is_an_epoch_of_its_own() {
    let backup = sample();
    let epoch = |now: u64| {
        let disk: Arc<dyn Disk> = Arc::new(Simulated::new());
        let backup = Backup::open_on(Arc::new(backup.clone())).unwrap();
        backup.restore(&disk, &root(), UnixMillis(now), &Progress::default()).unwrap().0
    };
    assert_eq!([epoch(0), epoch(LATER.0), epoch(LATER.0 + 1)], [2, LATER.0, LATER.0 + 1].map(Epoch));
}

/// A copy of a backup with another manifest, under a hash of its own.
fn forged(backup: &Simulated, change: impl FnOnce(&mut Vec<u8>)) -> Simulated {
    changed(backup, "MANIFEST", |bytes| {
        change(bytes);
        let body = bytes.len() - 32;
        let hash = tessera_crypto::digest::hash(&[&bytes[..body]]);
        bytes[body..].copy_from_slice(&hash);
    })
}

/// PROPERTY: a manifest with a hash of its own whose lengths have no sum, or whose journal files can have no such
/// size, is refused, and nothing is made.
#[test]
fn numbers_that_cannot_be_are_refused() {
    let backup = sample();
    for name in ["state", "tail", "keys"] {
        for bytes_told in [u64::MAX, u64::MAX / 2, u64::MAX / 4] {
            let forged = forged(&backup, |bytes| {
                let name = name.as_bytes();
                let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len();
                bytes[at..at + 8].copy_from_slice(&bytes_told.to_le_bytes());
            });
            assert_refused(&forged, if bytes_told > u64::MAX / 4 { "MANIFEST" } else { name });
        }
    }
    for file_bytes in [0, 1, 65_537, 1 << 40, u64::MAX] {
        // Behind magic, version, time and salt.
        let forged = forged(&backup, |bytes| bytes[48..56].copy_from_slice(&u64::to_le_bytes(file_bytes)));
        assert_refused(&forged, "MANIFEST");
    }
}

/// A copy of a disk with one file changed.
fn changed(disk: &Simulated, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Simulated {
    let copy = disk.image();
    copy.tamper(name, change);
    copy
}

fn sample() -> Simulated {
    let disk = Simulated::new();
    let store = world(&disk);
    again(&store, TenantId(1), 7);
    let mut born = store.batch(&Head::unborn(TenantId(9)));
    store.make_tenant_keys(TenantId(9), &[4; 64], &[5; 24]).unwrap();
    born.birth(TenantId(9), [9; 32], &kit::born(TenantId(9))).unwrap();
    commit(&store, born).unwrap();
    let to = Simulated::new();
    store.backup_to(&to, NOW, &Progress::default()).unwrap();
    to
}

/// PROPERTY: whatever bit of whatever file of a backup is changed, however far it is cut or lengthened, and
/// whichever is missing, a restore is refused with the name of a file, and nothing is made.
#[test]
fn changed_backups_are_refused() {
    let backup = sample();
    restored(&backup, root()).unwrap();
    let names = backup.list().unwrap();
    assert_eq!(names, ["MANIFEST", "keys", "state", "tail"]);
    for name in &names {
        let len = bytes(&backup, name).len();
        let step = (len / 97).max(1);
        for at in (0..len).step_by(step) {
            let bit = 1 << (at % 8);
            assert_refused(&changed(&backup, name, |bytes| bytes[at] ^= bit), name);
        }
        for cut in [0, 1, len / 2, len - 1] {
            assert_refused(&changed(&backup, name, |bytes| bytes.truncate(cut)), name);
        }
        assert_refused(&changed(&backup, name, |bytes| bytes.push(0)), name);
        let without = changed(&backup, name, |_| {});
        without.remove(name).unwrap();
        assert_refused(&without, name);
    }
}

fn assert_refused(backup: &Simulated, file: &str) {
    let to = Simulated::new();
    let disk: Arc<dyn Disk> = Arc::new(to.clone());
    let opened = Backup::open_on(Arc::new(backup.clone()));
    let error =
        opened.and_then(|backup| backup.restore(&disk, &root(), LATER, &Progress::default())).unwrap_err();
    match &error {
        StorageError::BadBackup { file: named, what } => {
            assert_eq!(&**named, file, "{error}");
            assert!(what.contains("take another"), "{error}");
        }
        StorageError::NewerBackup { .. } => assert_eq!(file, "MANIFEST"),
        _ => panic!("{file}: {error}"),
    }
    assert_eq!(to.list().unwrap(), [""; 0]);
}

/// PROPERTY: a manifest with a hash of its own that names other heads than the files lead to is refused: a tail
/// that lacks frames is not taken for whole.
#[test]
fn a_tail_that_lacks_frames_is_refused() {
    let backup = sample();
    let without = changed(&backup, "tail", Vec::clear);
    let forged = forged(&without, |bytes| {
        // The note of the tail: its name, its length, its hash.
        let at = bytes.windows(8).position(|window| window == b"\x04\0\0\0tail").unwrap() + 8;
        bytes[at..at + 8].fill(0);
        bytes[at + 8..at + 40].copy_from_slice(&tessera_crypto::digest::hash(&[b""]));
    });
    let error = restored(&forged, root()).expect_err("refused").to_string();
    assert!(error.contains("do not lead to the heads"), "{error}");
}

/// PROPERTY: a newer format, another root key and a directory with files are refused, each with its own error.
#[test]
fn what_does_not_fit_is_refused() {
    let backup = sample();
    let newer = forged(&backup, |bytes| bytes[4] = 2);
    let error = restored(&newer, root()).expect_err("refused");
    assert!(matches!(error, StorageError::NewerBackup { found: 2, known: 1 }), "{error}");
    assert!(error.to_string().contains("the version that wrote it"));
    let error = restored(&backup, RootKey::new([4; 32])).expect_err("refused");
    assert!(matches!(error, StorageError::RootKeyWrong), "{error}");
    let used = Simulated::new();
    used.create("anything").unwrap();
    let disk: Arc<dyn Disk> = Arc::new(used);
    let whole = Backup::open_on(Arc::new(backup)).unwrap();
    let error = whole.restore(&disk, &root(), LATER, &Progress::default()).unwrap_err();
    assert!(matches!(error, StorageError::NotEmpty), "{error}");
}

/// PROPERTY: a backup that was cut off at any call to the disk is none, and a restore that was cut off at any
/// call leaves no directory that opens.
#[test]
fn what_is_cut_off_is_none() {
    let disk = Simulated::new();
    let store = world(&disk);
    let whole = sample();
    for at in 1.. {
        let to = Simulated::new();
        to.plant(at, Fault::Io);
        let done = store.backup_to(&to, NOW, &Progress::default());
        let opened = Backup::open_on(Arc::new(to.clone()));
        if done.is_ok() {
            opened.unwrap();
            break;
        }
        // The last call syncs the directory that has the manifest's name already.
        if let Ok(opened) = opened {
            opened.verify(&Progress::default()).unwrap();
        }
    }
    for at in 1.. {
        let to = Simulated::new();
        to.plant(at, Fault::Io);
        let backup = Backup::open_on(Arc::new(whole.clone())).unwrap();
        let shared: Arc<dyn Disk> = Arc::new(to.clone());
        if backup.restore(&shared, &root(), LATER, &Progress::default()).is_ok() {
            break;
        }
        let names = to.list().unwrap();
        assert!(names.contains(&"LANE".to_owned()) || !names.contains(&"journal-0000".to_owned()));
        if !names.contains(&"LANE".to_owned()) && names.contains(&"state.redb".to_owned()) {
            assert!(on(Arc::new(to), small()).is_err());
        }
    }
}

/// PROPERTY: where no directory is named for backups, none is taken.
#[test]
fn a_store_without_a_place_takes_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let store = embedded(folder.path());
    let error = store.backup("daily", NOW, &Progress::default()).unwrap_err();
    assert!(matches!(error, StorageError::BackupsOff), "{error}");
    store.stop();
}

/// PROPERTY: a stopped directory and a backup are told as they are, byte for byte unchanged; a directory that
/// somebody has is not looked at.
#[test]
fn directories_are_told_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backups) = (folder.path().join("data"), folder.path().join("backups"));
    std::fs::create_dir(&backups).unwrap();
    let mut options = small();
    options.backup_dir = Some(backups.clone());
    let store = Embedded::open(&data, options).unwrap();
    for tenant in [TenantId(0), TenantId(5)] {
        store.make_tenant_keys(tenant, &[2; 64], &[3; 24]).unwrap();
        birth(&store, tenant);
    }
    checkpoint(&store);
    let head = again(&store, TenantId(5), 1);
    let taken = store.backup("daily", NOW, &Progress::default()).unwrap();
    assert_eq!(taken.tenants, 2);
    let error = store.backup("daily", NOW, &Progress::default()).unwrap_err();
    assert!(matches!(error, StorageError::BackupThere), "{error}");
    assert!(matches!(inspect(&data, &Progress::default()), Err(StorageError::InUse)));
    store.stop();
    drop(store);
    let image = |path: &std::path::Path| {
        let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    for (path, epoch) in [(data, true), (backups.join("daily"), false)] {
        let before = image(&path);
        let told = inspect(&path, &Progress::default()).unwrap();
        assert!(image(&path) == before, "looking changed {}", path.display());
        assert_eq!((told.backup_made.is_none(), told.epoch), (epoch, Epoch(1)));
        let tenants: Vec<_> = told
            .tenants
            .iter()
            .map(|one| (one.tenant, one.revision, one.frames, one.damage.clone()))
            .collect();
        let expected = [(TenantId(0), Some(Revision(0)), 1, None), (TenantId(5), Some(Revision(1)), 2, None)];
        assert_eq!(tenants, expected);
        assert_eq!(told.tenants[1].link, head.link);
        assert!(told.files.len() >= 3 && told.damage.is_empty());
    }
    assert!(inspect(folder.path(), &Progress::default()).is_err());
}

/// What a move hands from store to store: passes of a copy, kept whole to be cut and changed.
fn pass(from: &Embedded, tenant: TenantId, sent: &mut Sent) -> (Head, Vec<Vec<u8>>) {
    let mut chunks = Vec::new();
    let head = from.copy_out(tenant, sent, &mut |chunk| {
        chunks.push(chunk);
        Ok(())
    });
    (head.unwrap(), chunks)
}

fn arrived(to: &Embedded, tenant: TenantId, passes: &[Vec<Vec<u8>>]) -> Result<Head, StorageError> {
    let mut arrival = to.begin_arrival(tenant)?;
    for chunk in passes.iter().flatten() {
        to.take_arrival(&mut arrival, chunk)?;
    }
    to.end_arrival(&mut arrival, Epoch(7))
}

/// PROPERTY: a tenant that is copied in passes while it is written, and erased from, is in the other store what it
/// was, under another root key and other slots; nobody finds it there, and no backup has it, before the frame that
/// opens it; what was erased stays unreadable; it goes on there, and comes back the same way. tc_60
#[test]
fn a_tenant_goes_to_another_store_and_comes_back() {
    let (there, tenant) = (Simulated::new(), TenantId(2));
    let from = world(&Simulated::new());
    let options = Options { root_key: RootKey::new([8; 32]), salt: [6; 32], ..small() };
    let to = on(Arc::new(there.clone()), options).unwrap();
    for owner in [3, 4] {
        let head = from.head(tenant).unwrap().unwrap();
        let rows = vec![row(&[0, 0, 0, owner, b'n'], Some(b"private"))];
        push(&from, &head, &staged(50 + u64::from(owner), vec![subject(u32::from(owner))], rows)).unwrap();
    }
    checkpoint(&from);
    let mut sent = Sent::new();
    let mut passes = vec![pass(&from, tenant, &mut sent).1];
    let all = sent.last_bytes();
    // Written and erased between two passes.
    again(&from, tenant, 60);
    from.erase(tenant, SubjectIndex(4), (BucketKind::Subjects, 0)).unwrap();
    checkpoint(&from);
    let (head, second) = pass(&from, tenant, &mut sent);
    assert!(sent.last_bytes() < all, "what was sent is not sent again");
    passes.push(second);
    assert_eq!(head, from.head(tenant).unwrap().unwrap());
    let mut short = passes.clone();
    short[1].last_mut().unwrap().pop();
    assert!(matches!(arrived(&to, tenant, &short), Err(StorageError::BadCopy(_))));
    assert!(matches!(to.begin_arrival(TenantId::SYSTEM), Err(StorageError::TenantHere(_))));
    let copied = arrived(&to, tenant, &passes).unwrap();
    assert_eq!((copied.next, copied.link, copied.epoch), (head.next, head.link, Epoch(7)));
    // Closed: no tenant of that store, nor of its backups, whatever comes.
    drop(to);
    let options = || Options { root_key: RootKey::new([8; 32]), salt: [6; 32], ..small() };
    let to = on(Arc::new(there.clone()), options()).unwrap();
    assert!(to.head(tenant).unwrap().is_none() && load(&to, tenant).unwrap().2.is_none());
    let backup = Simulated::new();
    assert_eq!(to.backup_to(&backup, NOW, &Progress::default()).unwrap().tenants, 0);
    restored(&backup, RootKey::new([8; 32])).unwrap();
    assert_eq!(to.arrived(tenant).unwrap(), Some(copied));
    let after = again(&from, tenant, 61);
    let frame = from.frame(tenant, head.next).unwrap().unwrap();
    let other = from.frame(tenant, Revision(1)).unwrap().unwrap();
    let yes = |_: &FrameRead| true;
    assert!(matches!(to.open_arrival(tenant, &other, &yes), Err(StorageError::BadCopy(_))));
    assert!(matches!(to.open_arrival(tenant, &frame, &|_| false), Err(StorageError::BadCopy(_))));
    for _ in 0..2 {
        let opened = to.open_arrival(tenant, &frame, &yes).unwrap();
        assert_eq!((opened.next, opened.link), (after.next, after.link));
    }
    assert!(matches!(to.begin_arrival(tenant), Err(StorageError::TenantHere(_))));
    assert_eq!(to.verify(tenant).unwrap().link, after.link);
    assert_eq!(read(&to, tenant, &[0, 0, 0, 3, b'n']).as_deref(), Some(&b"private"[..]));
    assert_eq!(read(&to, tenant, &[0, 0, 0, 4, b'n']), None, "erased");
    let keys = |store: &Embedded| {
        let keys = store.tenant_keys(tenant).unwrap();
        (*keys.index.expose(), keys.refresh.iter().map(|(no, key)| (*no, *key.expose())).collect::<Vec<_>>())
    };
    assert!(keys(&to) == keys(&from));
    let events = |store: &Embedded| load(store, tenant).unwrap().0.len();
    assert!(events(&to) > 0);
    // It left the first store, goes on in the second, and comes back.
    from.forget(tenant).unwrap();
    again(&to, tenant, 62);
    let cut = to.cut();
    to.put(tenant, &to.head(tenant).unwrap().unwrap(), vec![]).unwrap();
    to.finish(&cut).unwrap();
    checkpoint(&from);
    let (head, back) = pass(&to, tenant, &mut Sent::new());
    arrived(&from, tenant, &[back]).unwrap();
    again(&to, tenant, 63);
    let frame = to.frame(tenant, head.next).unwrap().unwrap();
    from.open_arrival(tenant, &frame, &yes).unwrap();
    let head = again(&from, tenant, 64);
    assert_eq!(from.verify(tenant).unwrap().link, head.link);
    assert_eq!(read(&from, tenant, &[0, 0, 0, 3, b'n']).as_deref(), Some(&b"private"[..]));
}

/// What a move hands over last: none where another pass is due.
fn last(from: &Embedded, base: &Head, sent: &mut Sent) -> Option<(Head, Vec<Vec<u8>>)> {
    let mut chunks = Vec::new();
    let head = from.copy_last(base, sent, &mut |chunk| {
        chunks.push(chunk);
        Ok(())
    });
    head.unwrap().map(|head| (head, chunks))
}

/// PROPERTY: what a tenant got behind a pass goes over as its frames and the rows that they wrote, new keys of subjects among
/// them, without a checkpoint; the other store gives the frames to every load until its next checkpoint, also after a
/// start, and its chain verifies. Another pass is due behind a checkpoint and behind an erasure, and takes what went over
/// so into account. No bit of it may differ.
#[test]
fn what_comes_last_comes_as_frames() {
    let (tenant, there) = (TenantId(2), Simulated::new());
    let from = world(&Simulated::new());
    let options = || Options { root_key: RootKey::new([8; 32]), salt: [6; 32], ..small() };
    let to = on(Arc::new(there.clone()), options()).unwrap();
    let mut sent = Sent::new();
    let (base, first) = pass(&from, tenant, &mut sent);
    let order = |no: u64, key: &[u8], value: Option<&[u8]>| {
        let head = from.head(tenant).unwrap().unwrap();
        push(&from, &head, &staged(no, vec![subject(9)], vec![row(key, value)])).unwrap()
    };
    order(70, &[0, 0, 0, 1, b'n'], Some(b"newer"));
    order(71, &[0, 0, 0, 9, b'n'], Some(b"of one whose key is new"));
    order(72, &[0, 0, 0, 9, b'm'], Some(b"for a while"));
    let (halfway, some) = last(&from, &base, &mut sent).unwrap();
    order(73, &[0, 0, 0, 9, b'm'], None);
    assert!(last(&from, &halfway, &mut Sent::new()).is_none(), "no pass went before");
    // Whoever looks at the base again gets all of it.
    let (head, all) = last(&from, &base, &mut sent).unwrap();
    assert_eq!((head.next.0, halfway.next.0), (base.next.0 + 4, base.next.0 + 3));
    // The frames come first.
    for at in (0..600).step_by(37) {
        let mut other = all.clone();
        other[0][at] ^= 1;
        assert!(arrived(&to, tenant, &[first.clone(), other]).is_err(), "byte {at}");
    }
    let mut missing = all.clone();
    missing[0].drain(..some[0].len().min(200));
    assert!(arrived(&to, tenant, &[first.clone(), missing]).is_err());
    let copied = arrived(&to, tenant, &[first, all]).unwrap();
    assert_eq!((copied.next, copied.link), (head.next, head.link));
    let after = again(&from, tenant, 74);
    let frame = from.frame(tenant, head.next).unwrap().unwrap();
    to.open_arrival(tenant, &frame, &|_: &FrameRead| true).unwrap();
    drop(to);
    let to = on(Arc::new(there.clone()), options()).unwrap();
    let (events, behind, led) = load(&to, tenant).unwrap();
    assert_eq!(behind, (base.next.0..after.next.0).collect::<Vec<u64>>(), "what no bucket has");
    assert!(events.contains(&subject(9)) && led.map(|led| led.link) == Some(after.link));
    assert_eq!(to.verify(tenant).unwrap().link, after.link);
    let there = |key: &[u8]| read(&to, tenant, key);
    // What the frame that opens it wrote there is not its own: a last word writes no rows.
    assert_eq!(there(&[0, 0, 0, 1, b'n']).as_deref(), Some(&b"newer"[..]));
    assert_eq!(there(&[0, 0, 0, 9, b'n']).as_deref(), Some(&b"of one whose key is new"[..]));
    assert_eq!(there(&[0, 0, 0, 9, b'm']), None);
    again(&to, tenant, 75);
    checkpoint(&to);
    assert_eq!(load(&to, tenant).unwrap().1, Vec::<u64>::new(), "it is in buckets");
    checkpoint(&from);
    assert!(last(&from, &head, &mut sent).is_none(), "a checkpoint came between");
    let (base, _) = pass(&from, tenant, &mut sent);
    from.erase(tenant, SubjectIndex(9), (BucketKind::Subjects, 0)).unwrap();
    again(&from, tenant, 76);
    assert!(last(&from, &base, &mut sent).is_none(), "a key was erased");
}
