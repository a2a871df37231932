//! Damage of every kind in every file, at rest: journal, checkpoint, keys, identity, and a backup of them.

mod kit;

use kit::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tessera_model::{Revision, RowKind, TenantId, UnixMillis};
use tessera_storage::disk::{Disk, simulated::Simulated};
use tessera_storage::{Backup, Batch, Bucket, BucketKind, Embedded, Head, Progress, StorageError, Store};

const TENANTS: [TenantId; 4] = [TenantId(0), TenantId(1), TenantId(2), TenantId(3)];
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const BLOCK: usize = 4_096;

fn open(disk: &Simulated) -> Result<Embedded, StorageError> {
    on(Arc::new(disk.clone()), by_hand())
}

fn commit_by_hand(store: &Embedded, batch: Batch) -> Head {
    let commit = store.commit(batch);
    while store.turn() {}
    *commit.wait().unwrap().head()
}

/// Four tenants with keys, buckets, rows, history in the checkpoint and a tail behind it, over several files.
fn world(disk: &Simulated) -> Embedded {
    let store = open(disk).unwrap();
    for tenant in TENANTS {
        let no = u8::try_from(tenant.0).unwrap();
        store.make_tenant_keys(tenant, &[no + 1; 64], &[7; 24]).unwrap();
        let mut batch = store.batch(&Head::unborn(tenant));
        batch.birth(tenant, [9; 32], &born(tenant)).unwrap();
        commit_by_hand(&store, batch);
        grow(&store, tenant, 1..40);
    }
    let cut = store.cut();
    for tenant in TENANTS {
        let events = (0..80).map(|at| open_event(place(4_000 + at, 1))).collect();
        let buckets = vec![lying(0, 80), Bucket::of(BucketKind::Places, 1, events)];
        store.put(tenant, &store.head(tenant).unwrap().unwrap(), buckets).unwrap();
    }
    store.finish(&cut).unwrap();
    for round in 0..6 {
        for tenant in TENANTS {
            grow(&store, tenant, 40 + round * 8..48 + round * 8);
        }
    }
    store
}

fn grow(store: &Embedded, tenant: TenantId, numbers: std::ops::Range<u64>) {
    let mut batch = store.batch(&store.head(tenant).unwrap().unwrap());
    for no in numbers {
        let row = row(&[b'a' + u8::try_from(no % 4).unwrap()], Some(&[3; 60]));
        batch.push(&staged(no, vec![subject(u32::try_from(no).unwrap())], vec![row])).unwrap();
    }
    commit_by_hand(store, batch);
}

/// Everything that can be asked of a store about one tenant: an answer, or what the refusal says.
fn answers(store: &Embedded, tenant: TenantId) -> Vec<(&'static str, Result<String, String>)> {
    fn told<T>(read: Result<T, StorageError>, show: impl FnOnce(T) -> String) -> Result<String, String> {
        read.map(show).map_err(|error| error.to_string())
    }
    let rows = |rows: Vec<(Vec<u8>, tessera_model::Private)>| {
        format!("{:?}", rows.iter().map(|(key, value)| (key, value.expose())).collect::<Vec<_>>())
    };
    vec![
        ("head", told(store.head(tenant), |head| format!("{head:?}"))),
        ("load", told(load(store, tenant), |loaded| format!("{loaded:?}"))),
        (
            "row",
            told(store.row(tenant, RowKind::Profile, b"a"), |row| {
                format!("{:?}", row.value.map(|value| value.expose().to_vec()))
            }),
        ),
        ("rows", told(store.rows(tenant, RowKind::Profile, b"", 99), rows)),
        ("place", told(store.place(tenant, tessera_model::Place(3)), |place| format!("{place:?}"))),
        ("history", told(store.history(tenant, Revision(0), 999), |frames| format!("{frames:?}"))),
        ("verify", told(store.verify(tenant), |verified| format!("{verified:?}"))),
        (
            "keys",
            told(store.tenant_keys(tenant), |keys| {
                format!(
                    "{:?}{:?}",
                    keys.index.expose(),
                    keys.refresh.iter().map(|(no, key)| (*no, key.expose()[0])).collect::<Vec<_>>()
                )
            }),
        ),
    ]
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    Bit,
    Zeroed,
    Noise,
    Misdirected,
    Truncated,
    Appended,
}

const KINDS: [Kind; 6] =
    [Kind::Bit, Kind::Zeroed, Kind::Noise, Kind::Misdirected, Kind::Truncated, Kind::Appended];

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

/// Damages a file; half of the faults fall where something stands. Tells where, or nothing when the bytes are as
/// they were.
fn damage(
    disk: &Simulated,
    name: &str,
    (kind, within): (Kind, Option<&Range<usize>>),
    dice: &mut Dice,
) -> Option<usize> {
    let (mut at, mut changed) = (0, false);
    disk.tamper(name, |bytes| {
        let before = bytes.clone();
        at = dice.below(bytes.len());
        if let Some(within) = within {
            at = within.start + dice.below(within.len());
        } else if dice.below(2) == 0 {
            let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            at = used.get(dice.below(used.len())).copied().unwrap_or(at);
        }
        // Sectors and blocks are lost as such. Whoever takes the last group and the closing one behind it at once has
        // torn off the end, which nothing tells from a loss of power.
        let piece = [1, 16, 512, BLOCK][dice.below(4)];
        if piece >= 512 {
            at -= at % piece;
        }
        match kind {
            Kind::Bit => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            Kind::Zeroed => bytes.iter_mut().skip(at).take(piece).for_each(|byte| *byte = 0),
            Kind::Noise => {
                for byte in bytes.iter_mut().skip(at).take(piece) {
                    *byte = u8::try_from(dice.below(256)).unwrap();
                }
            }
            Kind::Misdirected => {
                // A block that was meant for another place of the same file.
                let blocks = before.len() / BLOCK;
                let (from, to) = (dice.below(blocks) * BLOCK, dice.below(blocks) * BLOCK);
                if blocks > 1 {
                    bytes[to..to + BLOCK].copy_from_slice(&before[from..from + BLOCK]);
                    at = to;
                }
            }
            Kind::Truncated => bytes.truncate(at),
            Kind::Appended => bytes.extend((0..piece).map(|_| u8::try_from(dice.below(256)).unwrap())),
        }
        changed = *bytes != before;
    });
    changed.then_some(at)
}

/// What is always among the targets, whatever chance says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Aim {
    /// The last group that has frames.
    LastGroup,
    /// The first group of a journal file.
    FirstGroup,
    /// A part that is sealed in the checkpoint: a row's value, or what is private of a bucket or segment.
    Value,
}

/// Where these stand: the aim, the file, the bytes.
fn aims(disk: &Simulated) -> Vec<(Aim, String, Range<usize>)> {
    let (mut found, mut last) = (Vec::new(), None::<(u64, String, Range<usize>)>);
    for name in disk.list().unwrap() {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        if name == "state.redb" {
            let parts = bytes.windows(4).enumerate().filter(|(_, four)| *four == [0xFE, b'T', b'S', b'P']);
            found.extend(parts.map(|(at, _)| (Aim::Value, name.clone(), at..at + 100)));
        }
        for (no, block) in bytes.chunks(BLOCK).enumerate().filter(|_| name.starts_with("journal-")) {
            let number = |at: usize, len: usize| {
                let mut eight = [0; 8];
                eight[..len].copy_from_slice(&block[at..at + len]);
                u64::from_le_bytes(eight)
            };
            if !block.starts_with(&[0xFF, b'T', b'S', b'G']) || number(16, 4) == 0 {
                continue;
            }
            let body = usize::try_from(number(20, 4)).unwrap();
            let range = no * BLOCK..no * BLOCK + 128 + body;
            if no == 0 {
                found.push((Aim::FirstGroup, name.clone(), range.clone()));
            }
            let sequence = number(8, 8);
            if last.as_ref().is_none_or(|(before, ..)| *before < sequence) {
                last = Some((sequence, name.clone(), range));
            }
        }
    }
    let (_, name, range) = last.unwrap();
    found.push((Aim::LastGroup, name, range));
    found
}

#[derive(Default)]
struct Count {
    faults: u64,
    refused: u64,
    /// Faults that at least one tenant's answers showed, and all others answered everything.
    partly: u64,
    unseen: u64,
    wrong: Vec<String>,
    by_kind: BTreeMap<Kind, u64>,
    by_aim: BTreeMap<Aim, u64>,
}

/// Whether a refusal says which file, and what is wrong with it or to be done about it.
fn is_told(text: &str) -> bool {
    let named = ["journal-", "state.redb", "keys-a", "keys-b", "LANE", "MANIFEST", "state", "tail", "keys"];
    named.iter().any(|name| text.contains(name))
        || ["root key", "the version that wrote it"].iter().any(|word| text.contains(word))
}

fn faults() -> usize {
    std::env::var("TESSERA_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_250)
}

fn seed() -> u64 {
    std::env::var("TESSERA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// PROPERTY: whatever becomes of a byte, a piece, a block or the length of any file, every answer of the store is
/// the right one or an error that names the file; nothing aborts; and where the store opens, the tenants that the
/// damage does not concern answer as before. METHOD: 1,250 faults of six kinds, the files in turn, each on a copy
/// of one directory; one fault in four falls on the last group, the first group of a file or a sealed value; what every tenant answers is compared with what it answered before.
/// TC-98 in part: journal, checkpoint, keys and identity.
#[test]
fn damage_of_every_kind_is_never_served() {
    let disk = Simulated::new();
    let store = world(&disk);
    let truth: Vec<_> = TENANTS.iter().map(|tenant| answers(&store, *tenant)).collect();
    assert!(truth.iter().flatten().all(|(_, answer)| answer.is_ok()), "{truth:?}");
    store.stop();
    drop(store);
    let (names, aims) = (disk.list().unwrap(), aims(&disk));
    let (mut count, mut dice) = (Count::default(), Dice(seed() | 1));
    for no in 0..faults() {
        let (mut kind, mut name) = (KINDS[no % KINDS.len()], &names[no / KINDS.len() % names.len()]);
        let aim = [Aim::LastGroup, Aim::FirstGroup, Aim::Value][no / 4 % 3];
        let those: Vec<_> = aims.iter().filter(|(of, ..)| *of == aim && no % 4 == 0).collect();
        // One in four is aimed, and changes bytes in place.
        let within = those.get(dice.below(those.len())).map(|(_, file, range)| {
            (kind, name) = (KINDS[dice.below(3)], file);
            range
        });
        let image = disk.image();
        let Some(at) = damage(&image, name, (kind, within), &mut dice) else {
            count.unseen += 1;
            continue;
        };
        count.faults += 1;
        *count.by_kind.entry(kind).or_default() += 1;
        within.into_iter().for_each(|_| *count.by_aim.entry(aim).or_default() += 1);
        let what = format!("{name} at {at}, {kind:?}, fault {no}");
        let looked = catch_unwind(AssertUnwindSafe(|| {
            open(&image).map(|store| TENANTS.map(|tenant| answers(&store, tenant)))
        }));
        match looked {
            Err(_) => count.wrong.push(format!("{what}: a panic")),
            Ok(Err(error)) => {
                count.refused += 1;
                if !is_told(&error.to_string()) {
                    count.wrong.push(format!("{what}: refused without a file: {error}"));
                }
            }
            Ok(Ok(found)) => {
                let mut hurt = 0;
                for (answers, truth) in found.iter().zip(&truth) {
                    let mut damaged = false;
                    for ((asked, answer), (_, right)) in answers.iter().zip(truth) {
                        match answer {
                            Ok(_) if answer != right => {
                                count.wrong.push(format!("{what}: {asked} is another"))
                            }
                            Ok(_) => {}
                            Err(text) => {
                                damaged = true;
                                if !is_told(text) {
                                    count.wrong.push(format!("{what}: {asked} fails without a file: {text}"));
                                }
                            }
                        }
                    }
                    hurt += usize::from(damaged);
                }
                count.partly += u64::from(hurt > 0 && hurt < TENANTS.len());
            }
        }
    }
    let Count { faults, refused, partly, unseen, wrong, by_kind, by_aim } = &count;
    println!(
        "corruption: {faults} faults (seed {}) in {} files {by_kind:?}, aimed {by_aim:?}, {refused} refused to open, {partly} hurt some tenants and not the others, {unseen} changed nothing, {} served or told wrongly",
        seed(),
        names.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(*partly > 0 && *refused > 0);
    assert_eq!(by_aim.len(), 3, "{by_aim:?}");
}

/// PROPERTY: a backup with any such damage is refused before anything is restored, with the file and what to do; it
/// is never restored as something else. METHOD: 300 faults over its four files.
/// TC-98 in part: backups; TC-102 in part.
#[test]
fn damaged_backups_are_refused() {
    let (disk, backup) = (Simulated::new(), Simulated::new());
    let store = world(&disk);
    store.backup_to(&backup, NOW, &Progress::default()).unwrap();
    let restore = |backup: &Simulated| {
        let to = Simulated::new();
        let into: Arc<dyn Disk> = Arc::new(to.clone());
        let found = Backup::open_on(Arc::new(backup.clone()))?;
        found.restore(&into, &root(), NOW, &Progress::default()).map(|_| to)
    };
    let shown = |to: &Simulated| {
        let store = open(to).unwrap();
        TENANTS.map(|tenant| (store.verify(tenant).unwrap().link, answers(&store, tenant)[1..4].to_vec()))
    };
    let truth = shown(&restore(&backup).unwrap());
    let names = backup.list().unwrap();
    let (mut dice, mut tried, mut refused, mut harmless, mut wrong) = (Dice(seed() | 1), 0, 0, 0, Vec::new());
    for no in 0..faults() / 4 {
        let (kind, name) = (KINDS[no % KINDS.len()], &names[no / KINDS.len() % names.len()]);
        let image = backup.image();
        let Some(at) = damage(&image, name, (kind, None), &mut dice) else { continue };
        tried += 1;
        let what = format!("{name} at {at}, {kind:?}, fault {no}");
        match catch_unwind(AssertUnwindSafe(|| restore(&image))) {
            Err(_) => wrong.push(format!("{what}: a panic")),
            Ok(Err(error)) => {
                refused += 1;
                if !is_told(&error.to_string()) {
                    wrong.push(format!("{what}: refused without a file: {error}"));
                }
            }
            // What lies in no record of any tenant may be another and change nothing.
            Ok(Ok(to)) if shown(&to) == truth => harmless += 1,
            Ok(Ok(_)) => wrong.push(format!("{what}: restored as something else")),
        }
    }
    println!(
        "corruption: {tried} damaged backups, {refused} refused, {harmless} harmless, {} wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(harmless, 0, "a changed backup was taken");
}

/// PROPERTY: the comparison notices: a store that serves one changed byte of a row is told. METHOD: the planted fault
/// is a directory whose row was written anew with another value.
#[test]
fn a_served_change_is_noticed() {
    let disk = Simulated::new();
    let store = world(&disk);
    let truth = answers(&store, TENANTS[1]);
    let mut batch = store.batch(&store.head(TENANTS[1]).unwrap().unwrap());
    batch.push(&staged(999, vec![subject(1)], vec![row(b"a", Some(&[4; 60]))])).unwrap();
    commit_by_hand(&store, batch);
    let changed = answers(&store, TENANTS[1]);
    let seen = changed.iter().zip(&truth).filter(|((_, answer), (_, right))| answer != right).count();
    assert!(seen >= 4, "{seen}");
    println!("planted: a row that was changed: caught");
}
