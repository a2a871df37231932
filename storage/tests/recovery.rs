//! What a start makes of journals that were torn, damaged, lost, or planted with images of groups.

mod kit;

use kit::*;
use std::sync::Arc;
use tessera_model::{Revision, TenantId};
use tessera_storage::disk::{Disk, simulated::Simulated};
use tessera_storage::{Batch, Embedded, Head, Options, StorageError, Store};

const A: TenantId = TenantId(1);
const B: TenantId = TenantId(2);
const C: TenantId = TenantId(3);
const BLOCK: usize = 4096;
const MAGIC: &[u8] = b"\xFFTSG";

fn open(disk: &Simulated) -> Result<Embedded, StorageError> {
    on(Arc::new(disk.clone()), by_hand())
}

fn commit_all(store: &Embedded, batches: Vec<Batch>) -> Vec<Head> {
    let commits: Vec<_> = batches.into_iter().map(|batch| store.commit(batch)).collect();
    while store.turn() {}
    commits.into_iter().map(|commit| *commit.wait().unwrap().head()).collect()
}

fn one(store: &Embedded, tenant: TenantId, no: u64) -> Head {
    let head = store.head(tenant).unwrap();
    let mut batch = store.batch(&head.unwrap_or(Head::unborn(tenant)));
    match head {
        None => batch.birth(tenant, [9; 32], &born(tenant)).unwrap(),
        Some(_) => assert!(batch.push(&opened(no)).is_ok()),
    }
    commit_all(store, vec![batch])[0]
}

fn bytes(disk: &Simulated, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// File and offset of every group with frames, in the order of sequences; copies behind one another.
fn groups(disk: &Simulated) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for name in disk.list().unwrap().into_iter().filter(|name| name.starts_with("journal-")) {
        let bytes = bytes(disk, &name);
        for offset in (0..bytes.len()).step_by(BLOCK) {
            let header = &bytes[offset..];
            let count = u32::from_le_bytes(header[16..20].try_into().unwrap());
            if header.starts_with(MAGIC) && count > 0 {
                let sequence = u64::from_le_bytes(header[8..16].try_into().unwrap());
                found.push((sequence, name.clone(), offset));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, name, offset)| (name, offset)).collect()
}

/// A, B, C are born; then one group each: A, B, A, C, in one life without a closing group.
fn world() -> (Simulated, [Head; 3]) {
    let disk = Simulated::new();
    let store = open(&disk).unwrap();
    for tenant in [A, B, C] {
        one(&store, tenant, 0);
    }
    for (no, tenant) in (1..).zip([A, B, A, C]) {
        one(&store, tenant, no);
    }
    let heads = [A, B, C].map(|tenant| store.head(tenant).unwrap().unwrap());
    (disk.image(), heads)
}

fn frames_of(disk: &Simulated, at: &(String, usize)) -> std::ops::Range<usize> {
    let bytes = bytes(disk, &at.0);
    let body_len = u32::from_le_bytes(bytes[at.1 + 20..at.1 + 24].try_into().unwrap());
    let count = u32::from_le_bytes(bytes[at.1 + 16..at.1 + 20].try_into().unwrap());
    at.1 + 128 + usize::try_from(count).unwrap() * 32..at.1 + 128 + usize::try_from(body_len).unwrap()
}

/// Which of A, B, C are refused.
fn refused(store: &Embedded) -> Vec<TenantId> {
    let refused = |tenant: &TenantId| matches!(store.head(*tenant), Err(StorageError::Damaged(_)));
    [A, B, C].into_iter().filter(refused).collect()
}

/// PROPERTY: what stands at the end and does not verify was torn: it is gone, all before it is there.
#[test]
fn a_torn_end_is_cut() {
    let (disk, heads) = world();
    let last = groups(&disk).pop().unwrap();
    let frames = frames_of(&disk, &last);
    type Tear = Box<dyn Fn(&mut Vec<u8>)>;
    let tears: Vec<(&str, Tear)> = vec![
        ("header gone", Box::new(move |bytes| bytes[last.1..last.1 + 128].fill(0))),
        ("a bit of the header", Box::new(move |bytes| bytes[last.1 + 100] ^= 4)),
        ("a bit of the table", Box::new(move |bytes| bytes[last.1 + 130] ^= 4)),
        (
            "a bit of the last frame",
            Box::new({
                let end = frames.end - 20;
                move |bytes| bytes[end] ^= 4
            }),
        ),
    ];
    for (what, tear) in tears {
        let torn = disk.image();
        torn.tamper(&last.0, |bytes| tear(bytes));
        let store = open(&torn).unwrap();
        assert_eq!(refused(&store), [], "{what}");
        assert_eq!(store.head(A).unwrap(), Some(heads[0]), "{what}");
        assert_eq!(store.head(C).unwrap().unwrap().next, Revision(1), "{what}");
        let head = one(&store, C, 9);
        drop(store);
        let store = open(&torn).unwrap();
        assert_eq!(load(&store, C).unwrap().2, Some(head), "{what}");
    }
}

/// PROPERTY: a closing group tells a damaged end from a torn one.
#[test]
fn a_damaged_end_behind_a_rest_is_noticed() {
    let (disk, heads) = world();
    let store = open(&disk).unwrap();
    let last = one(&store, C, 9);
    store.rest();
    assert_eq!(last.next, Revision(3));
    let whole = disk.image();
    let last = groups(&whole).pop().unwrap();
    let frames = frames_of(&whole, &last);
    whole.tamper(&last.0, |bytes| bytes[frames.start + 40] ^= 1);
    let store = open(&whole).unwrap();
    assert_eq!(refused(&store), [C]);
    assert_eq!(store.head(A).unwrap(), Some(heads[0]));
}

/// PROPERTY: damage inside the chain refuses exactly the tenants of the damaged groups, the others go
/// on, through restarts.
#[test]
fn damage_refuses_its_tenants() {
    let (disk, heads) = world();
    let all = groups(&disk);
    // The births are groups 0 to 2, then A, B, A, C.
    for (at, expected) in [(0, vec![A]), (3, vec![A]), (4, vec![B]), (5, vec![A])] {
        let damaged = disk.image();
        let frames = frames_of(&disk, &all[at]);
        damaged.tamper(&all[at].0, |bytes| bytes[frames.start + 10] ^= 1);
        for life in 0..3 {
            let store = open(&damaged).unwrap();
            assert_eq!(refused(&store), expected, "group {at}, life {life}");
            let Err(StorageError::Damaged(damage)) = store.head(expected[0]) else { panic!() };
            assert_eq!(damage.tenants, Some(expected.clone()));
            assert!(damage.file.starts_with("journal-"), "{damage}");
            assert!(load(&store, expected[0]).is_err() && store.verify(expected[0]).is_err());
            assert!(store.row(expected[0], tessera_model::RowKind::Profile, b"a").is_err());
            let before = store.head(C).unwrap().unwrap();
            assert_eq!(one(&store, C, 50 + life).next.0, before.next.0 + 1);
            let mut batch = store.batch(&heads[if expected[0] == A { 0 } else { 1 }]);
            batch.push(&opened(1)).unwrap();
            let refused = store.commit(batch);
            while store.turn() {}
            assert!(matches!(refused.wait(), Err(StorageError::Damaged(_))));
        }
    }
}

/// PROPERTY: where a group's table is gone too, everyone is refused whose later frames do not prove
/// that nothing of theirs was in it.
#[test]
fn damage_without_a_table_refuses_the_unproven() {
    let (disk, heads) = world();
    let all = groups(&disk);
    let damaged = disk.image();
    // The group of B: A and C have frames behind it, one continues its row.
    damaged.tamper(&all[4].0, |bytes| bytes[all[4].1..all[4].1 + 512].fill(0));
    let store = open(&damaged).unwrap();
    assert_eq!(refused(&store), [B]);
    assert!(matches!(store.head(TenantId(77)), Err(StorageError::Damaged(_))), "nothing proves anyone else");
    assert_eq!(store.head(A).unwrap(), Some(heads[0]));
    assert!(store.refused().1);
    // The group of the second frame of A: C proves itself, B has nothing behind it.
    let damaged = disk.image();
    damaged.tamper(&all[5].0, |bytes| bytes[all[5].1..all[5].1 + 512].fill(0));
    assert_eq!(refused(&open(&damaged).unwrap()), [A, B]);
}

fn checkpoint(store: &Embedded) {
    let cut = store.cut();
    for tenant in &cut.tenants {
        let head = store.head(*tenant).unwrap().unwrap();
        store.put(*tenant, &head, vec![]).unwrap();
    }
    store.finish(&cut).unwrap();
}

/// PROPERTY: files that are missing, swapped or older than the others are damage, never a silent cut.
/// TC-73 in part: files taken away and put back; TC-99 in part.
#[test]
fn lost_and_old_files_are_noticed() {
    let (disk, _) = world();
    let store = open(&disk).unwrap();
    let old = disk.image();
    one(&store, B, 19);
    checkpoint(&store);
    one(&store, A, 20);
    store.rest();
    drop(store);
    let fresh = disk.image();
    // All journal files gone, or from before the checkpoint.
    let gone = fresh.image();
    for name in gone.list().unwrap().iter().filter(|name| name.starts_with("journal-")) {
        gone.remove(name).unwrap();
    }
    assert!(matches!(open(&gone), Err(StorageError::Damaged(_))));
    let back = fresh.image();
    for name in back.list().unwrap().into_iter().filter(|name| name.starts_with("journal-")) {
        let older = if old.list().unwrap().contains(&name) { bytes(&old, &name) } else { vec![0; BLOCK] };
        back.tamper(&name, |bytes| *bytes = older.clone());
    }
    let opened = open(&back);
    assert!(matches!(opened, Err(StorageError::Damaged(_))), "{:?}", opened.err());
    // The checkpoint's file gone, or from before the checkpoint, its journal used again.
    let store = open(&fresh).unwrap();
    for no in 0..400 {
        one(&store, B, no);
        if no % 50 == 0 {
            checkpoint(&store);
        }
    }
    assert!(store.usage().reuses > 2);
    drop(store);
    for old in [None, Some(bytes(&old, "state.redb"))] {
        let back = fresh.image();
        match old {
            None => back.remove("state.redb").unwrap(),
            Some(old) => back.tamper("state.redb", |bytes| *bytes = old.clone()),
        }
        let nobody = match open(&back) {
            Err(error) => matches!(error, StorageError::Damaged(_)),
            Ok(store) => [A, B, C].iter().all(|tenant| !matches!(store.head(*tenant), Ok(Some(_)))),
        };
        assert!(nobody, "an old checkpoint was believed");
    }
    // A journal file that lost its end, or is missing in their row: who can tell what was in it?
    for (name, size) in [("journal-0000", 9_000), ("journal-0001", 0), ("journal-0000", usize::MAX)] {
        let back = fresh.image();
        match size {
            usize::MAX => back.remove(name).unwrap(),
            size => back.tamper(name, |bytes| bytes.truncate(size)),
        }
        let nobody = open(&back).map_or(true, |store| refused(&store) == [A, B, C]);
        assert!(nobody, "{name} cut to {size}");
    }
    for name in ["LANE", "keys-a", "keys-b"] {
        let back = fresh.image();
        back.tamper(name, |bytes| bytes[20] ^= 1);
        let opened = open(&back);
        assert_eq!(opened.is_err(), name == "LANE", "{name}: {:?}", opened.err());
    }
    let back = fresh.image();
    back.remove("LANE").unwrap();
    assert!(matches!(open(&back), Err(StorageError::Damaged(_))));
}

/// What is not private stands in a frame as somebody sent it.
fn planted_event(value: &[u8]) -> tessera_model::Event {
    tessera_model::Event::PoliciesChanged(tessera_model::policy::PolicyRecord {
        version: 1,
        schema: None,
        text: "".into(),
        program: value.into(),
        lenient: false,
        at: tessera_model::Deadline(1),
    })
}

/// PROPERTY: images of groups inside a tenant's data confuse nobody: not of older groups of the same
/// directory, not of another directory's with higher numbers, whether the group that holds them is
/// whole, torn or damaged.
/// TC-73 in part: groups of elsewhere.
#[test]
fn planted_images_of_groups_confuse_nobody() {
    let (disk, _) = world();
    let own: Vec<Vec<u8>> =
        groups(&disk).iter().map(|at| bytes(&disk, &at.0)[at.1..at.1 + BLOCK].to_vec()).collect();
    let other = {
        let disk = Simulated::new();
        let options = Options { salt: [99; 32], ..by_hand() };
        let store = on(Arc::new(disk.clone()), options).unwrap();
        for no in 0..40 {
            one(&store, A, no);
        }
        let at = groups(&disk).pop().unwrap();
        bytes(&disk, &at.0)[at.1..at.1 + BLOCK].to_vec()
    };
    let mut planted = 0;
    for image in own.iter().chain([&other]) {
        let disk = disk.image();
        // Where the bytes of a program fall in their group is the same each time: look once, then pad.
        let store = open(&disk).unwrap();
        let push = |store: &Embedded, value: &[u8]| {
            let mut batch = store.batch(&store.head(B).unwrap().unwrap());
            batch.push(&staged(60, vec![subject(1), planted_event(value)], vec![])).unwrap();
            commit_all(store, vec![batch])[0]
        };
        let marker = [0xA5; 64];
        push(&store, &marker);
        let (name, at) = groups(&disk).pop().unwrap();
        let within = bytes(&disk, &name)[at..].windows(64).position(|bytes| bytes == marker).unwrap();
        let mut value = vec![0; BLOCK - within];
        value.extend_from_slice(image);
        let head = push(&store, &value);
        let (name, at) = groups(&disk)
            .into_iter()
            .rev()
            .find(|(name, at)| {
                let bytes = bytes(&disk, name);
                bytes.len() > at + 2 * BLOCK
                    && bytes[at + BLOCK..].starts_with(&image[..128])
                    && bytes[*at..] != image[..]
            })
            .unwrap();
        planted += 1;
        // Before the store ends: at its end it writes a closing group, and then nothing may be torn.
        let whole = disk.image();
        let torn = disk.image();
        drop(store);
        torn.tamper(&name, |bytes| bytes[at + 3] ^= 1);
        let before = Revision(head.next.0 - 1);
        for (disk, next) in [(whole, head.next), (torn, before)] {
            let store = open(&disk).unwrap();
            assert_eq!(refused(&store), [], "{:?} at {at} in {name}, image {planted}", store.head(A));
            assert_eq!(store.head(B).unwrap().unwrap().next, next);
            one(&store, C, 70);
            drop(store);
            let store = open(&disk).unwrap();
            assert_eq!((refused(&store), load(&store, B).unwrap().2.unwrap().next), (vec![], next));
        }
        // Damaged with a group behind it: its tenant is refused, and nobody else, image or not.
        let store = open(&disk).unwrap();
        one(&store, A, 71);
        store.rest();
        drop(store);
        let holds = |copy: &&(String, usize)| {
            let inside = bytes(&disk, &copy.0)
                .get(copy.1 + BLOCK..)
                .is_some_and(|rest| rest.starts_with(&image[..128]));
            inside && frames_of(&disk, copy).len() > BLOCK
        };
        let copies = groups(&disk);
        let copies: Vec<_> = copies.iter().filter(holds).collect();
        assert!(!copies.is_empty());
        for copy in copies {
            disk.tamper(&copy.0, |bytes| bytes[copy.1 + 300] ^= 1);
        }
        let store = open(&disk).unwrap();
        assert_eq!(refused(&store), [B]);
    }
    println!("{planted} images planted");
    assert_eq!(planted, own.len() + 1);
}

/// PROPERTY: files are switched and used again without end, and every restart in between agrees.
#[test]
fn files_are_used_again_a_thousand_times() {
    let disk = Simulated::new();
    let (mut switches, mut reuses, mut no) = (0, 0, 0);
    let mut head = None;
    for life in 0..5 {
        let store = open(&disk).unwrap();
        if let Some(head) = head {
            assert_eq!(store.head(A).unwrap(), Some(head), "life {life}");
        }
        let value = vec![7; 9_000];
        while store.usage().switches < 450 {
            for _ in 0..8 {
                no += 1;
                let known = store.head(A).unwrap();
                let mut batch = store.batch(&known.unwrap_or(Head::unborn(A)));
                match known {
                    None => batch.birth(A, [9; 32], &born(A)).unwrap(),
                    Some(_) => {
                        let row = row(&(no % 100u64).to_le_bytes(), Some(&value));
                        assert!(batch.push(&staged(no, vec![subject(1)], vec![row])).is_ok());
                    }
                }
                head = Some(commit_all(&store, vec![batch])[0]);
            }
            if store.usage().journal_files > 6 {
                checkpoint(&store);
            }
        }
        let usage = store.usage();
        switches += usage.switches;
        reuses += usage.reuses;
        assert!(usage.journal_files <= 9, "{usage:?}");
        if life % 2 == 0 {
            store.stop();
        }
    }
    let store = open(&disk).unwrap();
    assert_eq!(load(&store, A).unwrap().2, head);
    assert_eq!(store.verify(A).unwrap().frames, head.unwrap().next.0);
    println!("{switches} switches of journal files, {reuses} of them to files used before, {no} frames");
    assert!(switches >= 1_000 && reuses >= 1_000);
}
