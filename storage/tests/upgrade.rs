//! Directories of earlier versions, kept as they were written: each opens with all that it held, also when the power
//! goes while it does; one that a newer version wrote is refused.

mod kit;

use kit::*;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use tessera_model::{Place, Revision, RowKind, TenantId};
use tessera_storage::disk::{Disk, simulated::Fault, simulated::Simulated, simulated::Survival};
use tessera_storage::{Batch, Bucket, BucketKind, Embedded, Head, StorageError, Store};

/// The directory that this version writes, made anew while formats are provisional. At a release it is kept under the
/// version's name (`cargo xtask keep VERSION`), and from then on never written again.
const NEWEST: &str = "0.0.0.txt";
const TENANTS: [TenantId; 3] = [TenantId(0), TenantId(1), TenantId(2)];
/// Bytes of a piece that is written down where it is not all zeros.
const PIECE: usize = 64;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixture")
}

fn open(disk: &Simulated) -> Result<Embedded, StorageError> {
    on(Arc::new(disk.clone()), by_hand())
}

fn commit_by_hand(store: &Embedded, batch: Batch) {
    let commit = store.commit(batch);
    while store.turn() {}
    commit.wait().unwrap();
}

fn grow(store: &Embedded, tenant: TenantId, numbers: std::ops::Range<u64>) {
    let mut batch = store.batch(&store.head(tenant).unwrap().unwrap());
    for no in numbers {
        let row = row(&[b'a' + u8::try_from(no % 4).unwrap()], Some(&no.to_le_bytes()));
        let at = u32::try_from(no).unwrap();
        batch.push(&staged(no, vec![subject(at), open_event(place(at, 1))], vec![row])).unwrap();
    }
    commit_by_hand(store, batch);
}

/// A directory with keys, buckets, cold rows, history and a tail.
fn made() -> Simulated {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    for tenant in TENANTS {
        store.make_tenant_keys(tenant, &[u8::try_from(tenant.0).unwrap() + 1; 64], &[7; 24]).unwrap();
        let mut batch = store.batch(&Head::unborn(tenant));
        batch.birth(tenant, [9; 32], &born(tenant)).unwrap();
        commit_by_hand(&store, batch);
        grow(&store, tenant, 1..12);
    }
    let cut = store.cut();
    for tenant in TENANTS {
        let events = (1..12).map(|at| open_event(place(at, 1))).collect();
        let bucket = Bucket::of(BucketKind::Places, 0, events);
        store.put(tenant, &store.head(tenant).unwrap().unwrap(), vec![bucket]).unwrap();
    }
    store.finish(&cut).unwrap();
    for tenant in &TENANTS[..2] {
        grow(&store, *tenant, 12..17);
    }
    store.stop();
    drop(store);
    disk.image()
}

/// What a store answers, a line a tenant.
fn told(store: &Embedded) -> String {
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let mut text = String::new();
    for tenant in TENANTS {
        let verified = store.verify(tenant).unwrap();
        let history = store.history(tenant, Revision(0), usize::MAX).unwrap();
        let rows = [b"a", b"b", b"c", b"d"].map(|key| {
            let value = store.row(tenant, RowKind::Profile, key).unwrap().value;
            value.map_or_else(String::new, |value| hex(value.expose()))
        });
        let places: Vec<_> = (0..20)
            .filter(|at| store.place(tenant, Place(*at)).unwrap().life().is_some())
            .map(|at| at.to_string())
            .collect();
        let keys = store.tenant_keys(tenant).unwrap();
        let (events, revisions, head) = load(store, tenant).unwrap();
        writeln!(
            text,
            "tenant {} frames {} history {} link {} rows {} places {} events {} tail {} next {} key {}",
            tenant.0,
            verified.frames,
            history.len(),
            hex(&verified.link),
            rows.join(","),
            places.join(","),
            events.len(),
            revisions.len(),
            head.unwrap().next.0,
            hex(keys.index.expose())
        )
        .unwrap();
    }
    text
}

/// A disk as text: its files with their sizes, and the pieces that are not zero.
fn written(disk: &Simulated, told: &str) -> String {
    let mut text = told.to_owned();
    for name in disk.list().unwrap() {
        let file = disk.open(&name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        writeln!(text, "file {name} {}", bytes.len()).unwrap();
        for (no, piece) in bytes.chunks(PIECE).enumerate() {
            if piece.iter().any(|byte| *byte != 0) {
                writeln!(text, "{} {}", no * PIECE, tessera_fuzz::to_hex(piece)).unwrap();
            }
        }
    }
    text
}

/// The directory that this version writes, as text.
fn this_version() -> String {
    let disk = made();
    let shown = told(&open(&disk.image()).unwrap());
    written(&disk, &shown)
}

/// The versions that a changelog says were released: headings like `## 0.1.0 (2027-01-01)`, or `## [0.1.0]`.
fn released(changelog: &str) -> Vec<String> {
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let versions =
        headings.map(|line| line.trim_start_matches('[').split([' ', ']']).next().unwrap_or_default());
    versions
        .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// PROPERTY: of every version that the changelog says was released a directory is kept.
/// TC-101 in part: releases.
#[test]
fn each_release_has_its_directory() {
    assert_eq!(
        released("# C\n## Unreleased (0.3.0)\n## [0.2.0] - x\n### 9\n## 0.1.0 (x)\n"),
        ["0.2.0", "0.1.0"]
    );
    let changelog = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../CHANGELOG.md");
    for version in released(&std::fs::read_to_string(changelog).unwrap()) {
        let file = folder().join(format!("{version}.txt"));
        assert!(file.exists(), "{}: keep it with `cargo xtask keep {version}` at its tag", file.display());
    }
}

/// The disk and what it told when it was written.
fn kept(text: &str) -> (Simulated, String) {
    let (disk, mut told, mut name) = (Simulated::new(), String::new(), String::new());
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("tenant", _) => told += &format!("{line}\n"),
            ("file", file) => {
                name = file.to_owned();
                disk.create(&name).unwrap().set_size(words.next().unwrap().parse().unwrap()).unwrap();
            }
            (at, hex) => {
                let bytes = tessera_fuzz::from_hex(hex).unwrap();
                disk.open(&name).unwrap().write_at(at.parse().unwrap(), &bytes).unwrap();
            }
        }
    }
    (disk.image(), told)
}

fn all_kept() -> Vec<(String, Simulated, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        let (disk, told) = kept(&std::fs::read_to_string(entry.path()).unwrap());
        all.push((entry.file_name().into_string().unwrap(), disk, told));
    }
    assert!(!all.is_empty());
    all
}

/// PROPERTY: a directory of every version that is kept opens with just what it held, goes on, and stays whole over a
/// checkpoint and another start. METHOD: directories written down byte by byte; the newest is what this version
/// writes (TESSERA_GOLDEN=write writes it anew while formats are provisional).
/// TC-100 in part: earlier versions.
#[test]
fn kept_directories_open_as_they_were() {
    if std::env::var("TESSERA_GOLDEN").is_ok_and(|mode| mode == "write") {
        std::fs::write(folder().join(NEWEST), this_version()).unwrap();
    }
    if let Ok(version) = std::env::var("TESSERA_KEEP") {
        let mut file = std::fs::File::create_new(folder().join(format!("{version}.txt")))
            .unwrap_or_else(|error| panic!("what {version} wrote is kept and stays: {error}"));
        std::io::Write::write_all(&mut file, this_version().as_bytes()).unwrap();
    }
    for (name, disk, before) in all_kept() {
        let store = open(&disk).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(told(&store), before, "{name}");
        for tenant in TENANTS {
            grow(&store, tenant, 20..23);
        }
        store.stop();
        drop(store);
        let store = open(&disk.image()).unwrap();
        for tenant in TENANTS {
            let frames = store.verify(tenant).unwrap().frames;
            let line =
                before.lines().find(|line| line.starts_with(&format!("tenant {} ", tenant.0))).unwrap();
            assert!(line.contains(&format!(" frames {} ", frames - 3)), "{name}: {line}, now {frames}");
        }
        println!("upgrade: the directory of {name} opened as it was, and goes on");
    }
}

/// PROPERTY: the proof notices what opens with less than it held: a kept directory whose last commands were taken away, as
/// an opener would that does not read them.
#[test]
fn a_kept_directory_that_lost_its_end_is_noticed() {
    for (name, disk, before) in all_kept() {
        let image = disk.image();
        let journals = image.list().unwrap().into_iter().filter(|file| file.starts_with("journal-"));
        let mut taken = 0;
        for file in journals {
            image.tamper(&file, |bytes| {
                let starts = (0..bytes.len()).step_by(4_096);
                let groups: Vec<_> =
                    starts.filter(|at| bytes[*at..].starts_with(&[0xFF, b'T', b'S', b'G'])).collect();
                // The group that closes it, and the one before.
                if let [.., last, _] = groups[..] {
                    bytes[last..].fill(0);
                    taken += 1;
                }
            });
        }
        assert!(taken > 0, "{name}: nothing to take away");
        let look = || open(&image).map(|store| told(&store));
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(look));
        assert!(!matches!(looked, Ok(Ok(found)) if found == before), "{name}: it was not noticed");
    }
    println!("planted: a kept directory that lost its end: caught");
}

/// PROPERTY: the power may go at every call of the first start on a kept directory: the next start has everything.
/// METHOD: a cut at each of the first calls, with every kind of loss.
/// TC-95 in part, TC-100 in part, TC-101 in part: an upgrade that is cut off.
#[test]
fn a_cut_while_a_kept_directory_opens_loses_nothing() {
    let mut cuts = 0;
    for (name, disk, before) in all_kept() {
        for call in 1..40 {
            for survival in [Survival::None, Survival::Prefix, Survival::Sectors(50), Survival::All] {
                let image = disk.image();
                image.plant(image.calls() + call, Fault::PowerCut);
                drop(open(&image));
                if !image.is_off() {
                    continue;
                }
                cuts += 1;
                let mut dice = call;
                let left = image.after_cut(survival, &mut |most| {
                    dice =
                        dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (dice >> 33) % most.max(1)
                });
                let store = open(&left).unwrap_or_else(|error| panic!("{name}, call {call}: {error}"));
                assert_eq!(told(&store), before, "{name}, call {call}, {survival:?}");
            }
        }
    }
    println!("upgrade: {cuts} power cuts while a kept directory opened, 0 violations");
    assert!(cuts > 8, "{cuts}");
}

/// PROPERTY: a kept directory of which any part says that a newer version wrote it is refused as such, and is as it
/// was afterwards: going back is told, and breaks nothing.
/// TC-101 in part: newer files.
#[test]
fn a_newer_directory_is_refused_and_stays() {
    for (name, disk, before) in all_kept() {
        type Change = fn(&mut Vec<u8>);
        let newer: [(&str, Change); 3] = [
            ("journal-0000", |bytes| bytes[4] = 2),
            ("LANE", |bytes| {
                bytes[4] = 9;
                let body = bytes.len() - 32;
                let hash = tessera_crypto::digest::hash(&[&bytes[..body]]);
                bytes[body..].copy_from_slice(&hash);
            }),
            ("keys-a", |bytes| bytes[4] = 3),
        ];
        for (file, change) in newer {
            let image = disk.image();
            let mut was = Vec::new();
            image.tamper(file, |bytes| {
                was = bytes.clone();
                change(bytes);
            });
            let refused = open(&image).err();
            assert!(matches!(refused, Some(StorageError::NewerFormat { .. })), "{name} {file}: {refused:?}");
            image.tamper(file, |bytes| *bytes = was);
            assert_eq!(told(&open(&image.image()).unwrap()), before, "{name} {file}");
        }
        println!("upgrade: newer parts of {name} refused: 3");
    }
}
