//! Damage of one tenant's frames: it is refused for ever and keeps what it has, nobody else waits for it.

mod kit;

use kit::*;
use std::sync::Arc;
use tessera_model::{Revision, RowKind, TenantId};
use tessera_storage::disk::Disk;
use tessera_storage::disk::simulated::{Fault, Simulated, Survival};
use tessera_storage::{Batch, Embedded, Head, StorageError, Store};

const SYSTEM: TenantId = TenantId::SYSTEM;
const A: TenantId = TenantId(1);
const B: TenantId = TenantId(2);
const C: TenantId = TenantId(3);
const ALL: [TenantId; 4] = [SYSTEM, A, B, C];
const BLOCK: usize = 4096;

fn open(disk: &Simulated) -> Embedded {
    on(Arc::new(disk.clone()), by_hand()).unwrap()
}

fn batch(store: &Embedded, tenant: TenantId, no: u64) -> Batch {
    let head = store.head(tenant).unwrap();
    let mut batch = store.batch(&head.unwrap_or(Head::unborn(tenant)));
    match head {
        None => batch.birth(tenant, [9; 32], &born(tenant)).unwrap(),
        Some(_) => {
            let rows = vec![row(&no.to_be_bytes(), Some(&[7; 40]))];
            assert!(batch.push(&staged(no, vec![subject(1)], rows)).is_ok());
        }
    }
    batch
}

/// Commits batches of several tenants in one group.
fn together(store: &Embedded, tenants: &[TenantId], no: u64) {
    let commits: Vec<_> = tenants.iter().map(|tenant| store.commit(batch(store, *tenant, no))).collect();
    while store.turn() {}
    for commit in commits {
        commit.wait().unwrap();
    }
}

fn refused(store: &Embedded) -> Vec<TenantId> {
    let is = |tenant: &TenantId| matches!(store.head(*tenant), Err(StorageError::Damaged(_)));
    ALL.into_iter().filter(is).collect()
}

/// A checkpoint of everybody that is not refused.
fn checkpoint(store: &Embedded) {
    let cut = store.cut();
    for tenant in &cut.tenants {
        let head = store.head(*tenant).unwrap().unwrap();
        store.put(*tenant, &head, vec![]).unwrap();
    }
    store.finish(&cut).unwrap();
}

fn bytes(disk: &Simulated, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Where the group whose first frame is of this sequence stands, and its bytes without padding.
fn group(disk: &Simulated, sequence: u64) -> (String, usize, usize) {
    for name in disk.list().unwrap().into_iter().filter(|name| name.starts_with("journal-")) {
        let bytes = bytes(disk, &name);
        for at in (0..bytes.len()).step_by(BLOCK) {
            let header = &bytes[at..];
            if header.starts_with(b"\xFFTSG") && header[8..16] == sequence.to_le_bytes() {
                let body = u32::from_le_bytes(header[20..24].try_into().unwrap());
                return (name, at, 128 + usize::try_from(body).unwrap());
            }
        }
    }
    panic!("no group with {sequence}");
}

/// Everybody is born, one group holds frames of A, B and C, each has a frame behind it, then rest. Gives
/// the heads, and where the shared group stands.
fn world() -> (Simulated, Vec<Option<Head>>, (String, usize, usize)) {
    let disk = Simulated::new();
    let store = open(&disk);
    together(&store, &ALL, 0);
    together(&store, &[A], 1);
    let before = store.usage().frames;
    together(&store, &[A, B, C], 2);
    together(&store, &[C, SYSTEM, B, A], 3);
    store.rest();
    let heads = ALL.map(|tenant| store.head(tenant).unwrap()).to_vec();
    let image = disk.image();
    // Sequence 1 is the directory's first group.
    let place = group(&image, before + 2);
    (image, heads, place)
}

/// PROPERTY: whatever single byte of a group is turned, whoever's frames are whole goes on with all of
/// them; at most one tenant is refused, for ever, and every checkpoint frees the journal. METHOD: every byte
/// of a group that three tenants share.
/// TC-73 in part: the tail.
#[test]
fn one_turned_byte_concerns_at_most_its_tenant() {
    let (disk, heads, (name, at, len)) = world();
    let mut seen = [0; 4];
    for byte in 0..len {
        let turned = disk.image();
        turned.tamper(&name, |bytes| bytes[at + byte] ^= 0x10);
        let store = open(&turned);
        let gone = refused(&store);
        assert!(gone.len() <= 1 && !gone.contains(&SYSTEM), "byte {byte}: {gone:?}");
        for (slot, tenant) in ALL.into_iter().enumerate() {
            if gone.contains(&tenant) {
                seen[slot] += 1;
                let Err(StorageError::Damaged(damage)) = store.head(tenant) else { panic!() };
                assert_eq!((&*damage.file, damage.tenants.clone()), (name.as_str(), Some(vec![tenant])));
                assert!(damage.offset >= at as u64 && damage.offset < (at + len) as u64, "{damage:?}");
            } else {
                assert_eq!(store.head(tenant).unwrap(), heads[slot], "byte {byte}, {tenant}");
                assert_eq!(load(&store, tenant).unwrap().2, heads[slot]);
                assert_eq!(store.verify(tenant).unwrap().frames, heads[slot].unwrap().next.0);
            }
        }
    }
    println!("refused: {seen:?} of {len}");
    assert!(seen[0] == 0 && seen[1..].iter().all(|count| *count > 200));
}

/// PROPERTY: a damaged tenant stays refused after its journal was used again many times, through
/// restarts and a crash in the middle of setting it aside, with file and offset; the others write without end.
#[test]
fn a_damaged_tenant_pins_nothing() {
    let (disk, _, (name, at, len)) = world();
    // The last byte of the last frame before padding is of C.
    disk.tamper(&name, |bytes| bytes[at + len - 40] ^= 1);
    let mut first = None;
    for life in 0..4 {
        let store = open(&disk);
        assert_eq!(refused(&store), [C], "life {life}");
        let Err(StorageError::Damaged(damage)) = store.head(C) else { panic!() };
        assert_eq!(*first.get_or_insert(damage.clone()), damage, "life {life}");
        assert!(damage.file.starts_with("journal-") && damage.offset > 0, "{damage}");
        assert_eq!(store.damaged(), [damage]);
        assert!(load(&store, C).is_err() && store.verify(C).is_err());
        assert!(store.row(C, RowKind::Profile, b"a").is_err());
        let mut more = store.batch(&Head { next: Revision(5), ..Head::unborn(C) });
        more.push(&opened(1)).unwrap();
        let commit = store.commit(more);
        while store.turn() {}
        assert!(matches!(commit.wait(), Err(StorageError::Damaged(_))));
        for no in 0..400 {
            together(&store, &[A, SYSTEM], no);
            if no % 40 == 7 {
                checkpoint(&store);
            }
        }
        let usage = store.usage();
        assert!(usage.reuses > 10 && usage.journal_files <= 6, "{usage:?}");
        assert!(usage.tail_frames < 200, "{usage:?}");
    }
    // What the journal had of it can still be had: all four frames, the damaged one and the one behind it.
    drop(open(&disk));
    let database = redb::Builder::new().create_with_backend(copy(&disk)).unwrap();
    use redb::{ReadableDatabase, ReadableTable};
    let table: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("aside_frame_v1");
    let transaction = database.begin_read().unwrap();
    let table = transaction.open_table(table).unwrap();
    let frames: Vec<_> = table.iter().unwrap().map(Result::unwrap).collect();
    let keys: Vec<_> = frames.iter().map(|(key, _)| key.value().to_vec()).collect();
    let key = |revision: u64| [C.0.to_be_bytes(), revision.to_be_bytes()].concat();
    assert_eq!(keys, [key(0), key(1), key(2)]);
    assert!(frames.iter().all(|(_, frame)| frame.value().starts_with(b"\xFET\x01")));
    // A damaged tenant can be deleted, and is gone then.
    let store = open(&disk);
    store.forget(C).unwrap();
    assert!(refused(&store).is_empty() && store.head(C).unwrap().is_none());
    drop(store);
    assert!(open(&disk).damaged().is_empty());
}

fn copy(disk: &Simulated) -> redb::backends::InMemoryBackend {
    use redb::StorageBackend;
    let bytes = bytes(disk, "state.redb");
    let backend = redb::backends::InMemoryBackend::new();
    backend.set_len(bytes.len() as u64).unwrap();
    backend.write(0, &bytes).unwrap();
    backend
}

/// PROPERTY: frames that were set aside because nobody could take them into buckets are loaded, read and
/// continued like any others, before and after restarts, and leave when they are put. METHOD: one tenant is
/// set aside again and again while another fills the journal; a second store that never sets aside tells
/// what is right.
#[test]
fn what_stands_aside_is_loaded() {
    let (disk, plain) = (Simulated::new(), Simulated::new());
    let (mut store, mut right) = (open(&disk), open(&plain));
    let both = |store: &Embedded, right: &Embedded, tenants: &[TenantId], no| {
        together(store, tenants, no);
        together(right, tenants, no);
    };
    both(&store, &right, &ALL, 0);
    let mut switches = 0;
    for no in 1..=300 {
        both(&store, &right, &[A, B], no);
        if no % 20 == 3 {
            store.set_aside(B).unwrap();
            let cut = store.cut();
            for tenant in cut.tenants.iter().filter(|tenant| **tenant != B) {
                store.put(*tenant, &store.head(*tenant).unwrap().unwrap(), vec![]).unwrap();
            }
            store.finish(&cut).unwrap();
            assert!(store.has_tail(B), "it is still to be put");
        }
        if no % 35 == 0 {
            switches += store.usage().switches;
            drop(store);
            store = open(&disk);
        }
        if no % 25 == 0 {
            assert_eq!(load(&store, B).unwrap().1, (0..=no).collect::<Vec<u64>>());
            assert_eq!(load(&store, B).unwrap(), load(&right, B).unwrap());
            assert_eq!(store.verify(B).unwrap(), right.verify(B).unwrap());
            let from = Revision(no / 2);
            assert_eq!(store.history(B, from, 1_000).unwrap(), right.history(B, from, 1_000).unwrap());
            let all = |store: &Embedded| {
                let rows = store.rows(B, RowKind::Profile, b"", 1_000).unwrap();
                rows.into_iter().map(|(key, value)| (key, value.expose().to_vec())).collect::<Vec<_>>()
            };
            assert_eq!(all(&store), all(&right));
        }
    }
    assert!(switches > 5, "the journal went round");
    checkpoint(&store);
    checkpoint(&right);
    assert!(!store.has_tail(B));
    for _ in 0..2 {
        assert_eq!(store.verify(B).unwrap(), right.verify(B).unwrap());
        assert_eq!(store.verify(B).unwrap().frames, 301);
        assert_eq!(load(&store, B).unwrap(), load(&right, B).unwrap());
        drop((store, right));
        (store, right) = (open(&disk), open(&plain));
    }
}

/// PROPERTY: a power cut at any call while frames are set aside and the cut is finished leaves a store in which
/// a refused tenant is refused and everybody else has everything.
/// TC-93 in part, TC-100.
#[test]
fn a_power_cut_while_setting_aside() {
    let (disk, heads, (name, at, len)) = world();
    disk.tamper(&name, |bytes| bytes[at + len - 40] ^= 1);
    let calls = {
        let disk = disk.image();
        let store = open(&disk);
        let before = disk.calls();
        checkpoint(&store);
        disk.calls() - before
    };
    for call in 1..=calls {
        let disk = disk.image();
        let store = open(&disk);
        disk.plant(disk.calls() + call, Fault::PowerCut);
        let cut = store.cut();
        let puts = cut.tenants.iter().try_for_each(|tenant| {
            let head = store.head(*tenant)?.unwrap();
            store.put(*tenant, &head, vec![])
        });
        drop(puts.and_then(|()| store.finish(&cut)));
        std::mem::forget(store);
        for survival in [Survival::None, Survival::Prefix, Survival::Sectors(50), Survival::All] {
            let mut pick = 0;
            let after = disk.after_cut(survival, &mut |of| {
                pick += 7;
                pick % of.max(1)
            });
            let store = open(&after);
            assert_eq!(refused(&store), [C], "call {call}");
            for (slot, tenant) in [(0, SYSTEM), (1, A), (2, B)] {
                assert_eq!(store.head(tenant).unwrap(), heads[slot], "call {call}");
                assert_eq!(store.verify(tenant).unwrap().frames, heads[slot].unwrap().next.0);
            }
            checkpoint(&store);
        }
    }
    println!("{calls} calls cut");
}
