//! One suite for every store: what the engine may count on, whatever keeps the bytes.

mod kit;

use kit::*;
use tessera_model::limits::{BUCKET_PLACES, FRAME_BYTES_MAX};
use tessera_model::record::CommandIdRecord;
use tessera_model::refresh::EndReason;
use tessera_model::{
    CommandId, Event, Generation, Place, PlaceImage, Private, Revision, Row, RowKind, SubjectIndex, TenantId,
};
use tessera_storage::{Bucket, BucketKind, Head, Image, Replay, StorageError, Store};

const TENANT: TenantId = TenantId(42);

fn each(test: impl Fn(&dyn Store)) {
    test(&memory());
    let directory = tempfile::tempdir().unwrap();
    test(&embedded(directory.path()));
}

/// PROPERTY: what was committed is loaded again, in order, with its revisions and head.
#[test]
fn what_is_committed_is_loaded() {
    each(|store| {
        assert!(store.head(TENANT).unwrap().is_none());
        assert!(load(store, TENANT).unwrap().2.is_none());
        let mut head = birth(store, TENANT);
        assert_eq!(head.next, Revision(1));
        let mut all = vec![Event::TenantBorn { tenant: TENANT, at: tessera_model::Deadline(5) }];
        for round in 0..20u64 {
            let mut batch = store.batch(&head);
            for no in 0..=round % 3 {
                let staged = opened(round * 10 + no);
                all.extend(staged.events.clone());
                assert_eq!(batch.push(&staged).unwrap(), Revision(head.next.0 + no));
            }
            head = commit(store, batch).unwrap();
        }
        assert_eq!(store.head(TENANT).unwrap(), Some(head));
        let (events, revisions, loaded) = load(store, TENANT).unwrap();
        assert_eq!((events, loaded), (all, Some(head)));
        assert_eq!(revisions, (0..head.next.0).collect::<Vec<_>>());
        let verified = store.verify(TENANT).unwrap();
        assert_eq!((verified.frames, verified.link), (head.next.0, head.link));
        assert_eq!(store.with_tail(), [TENANT]);
    });
}

/// PROPERTY: a batch counts exactly when it continues its tenant's head; others go on.
#[test]
fn out_of_order_is_refused_alone() {
    each(|store| {
        let head = birth(store, TENANT);
        let other = birth(store, TenantId(7));
        let next = push(store, &head, &opened(1)).unwrap();
        for stale in [head, Head { link: [1; 32], ..next }, Head { next: Revision(9), ..next }] {
            let error = push(store, &stale, &opened(2)).unwrap_err();
            assert!(
                matches!(error, StorageError::OutOfOrder { tenant: TENANT, expected: Revision(2) }),
                "{error}"
            );
            assert!(!error.is_unknown());
        }
        let mut again = store.batch(&Head::unborn(TENANT));
        again.birth(TENANT, [1; 32], &born(TENANT)).unwrap();
        assert!(matches!(commit(store, again), Err(StorageError::OutOfOrder { .. })));
        assert!(matches!(
            push(store, &Head::unborn(TenantId(99)), &opened(1)),
            Err(StorageError::OutOfOrder { .. })
        ));
        push(store, &other, &opened(1)).unwrap();
        assert_eq!(store.head(TENANT).unwrap(), Some(next));
    });
}

/// PROPERTY: a tenant born in another's batch exists exactly from that commit on.
#[test]
fn a_tenant_is_born_in_anothers_batch() {
    each(|store| {
        let system = birth(store, TenantId::SYSTEM);
        let mut batch = store.batch(&system);
        batch.push(&opened(1)).unwrap();
        batch.birth(TENANT, [8; 32], &born(TENANT)).unwrap();
        batch.push(&opened(2)).unwrap();
        assert!(store.head(TENANT).unwrap().is_none());
        commit(store, batch).unwrap();
        let (events, revisions, head) = load(store, TENANT).unwrap();
        assert_eq!((events, revisions), (born(TENANT).events, vec![0]));
        push(store, &head.unwrap(), &opened(1)).unwrap();
        assert_eq!(load(store, TenantId::SYSTEM).unwrap().1, [0, 1, 2]);
    });
}

/// PROPERTY: what is held of a tenant is what was committed of it: rows that are there, and frames that no
/// checkpoint covers; of others nothing.
#[test]
fn what_is_held_is_counted() {
    each(|store| {
        let mut head = birth(store, TENANT);
        let other = birth(store, TenantId(7));
        for no in 1..=5_u8 {
            head = push(store, &head, &staged(no.into(), vec![], vec![row(&[0, 0, 0, no], Some(b"v"))]))
                .unwrap();
        }
        head = push(store, &head, &staged(6, vec![], vec![row(&[0, 0, 0, 1], None)])).unwrap();
        let before = store.held(TENANT).unwrap();
        assert_eq!(before.tail_frames, 7);
        assert!(before.tail_bytes > 7 * 64, "{before:?}");
        let cut = store.cut();
        store.put(TENANT, &head, Vec::new()).unwrap();
        store.put(TenantId(7), &other, Vec::new()).unwrap();
        store.finish(&cut).unwrap();
        let held = store.held(TENANT).unwrap();
        assert_eq!((held.rows, held.rows_recent, held.tail_frames, held.tail_bytes), (4, 0, 0, 0));
        push(store, &head, &staged(8, vec![], vec![row(&[0, 0, 0, 9], Some(b"v"))])).unwrap();
        let held = store.held(TENANT).unwrap();
        assert_eq!((held.rows + held.rows_recent, held.tail_frames), (5, 1));
        assert_eq!(store.held(TenantId(7)).unwrap().rows, 0);
        assert_eq!(store.held(TenantId(99)).unwrap(), tessera_storage::Held::default());
    });
}

/// PROPERTY: a frame over its cap is refused and leaves the batch as it was.
#[test]
fn frames_are_capped() {
    each(|store| {
        let head = birth(store, TENANT);
        let mut batch = store.batch(&head);
        let many = |count: usize| vec![open_event(place(1, 1)); count];
        let error = batch.push(&staged(1, many(FRAME_BYTES_MAX / 50), vec![])).unwrap_err();
        assert!(matches!(error, StorageError::FrameTooLarge { max: FRAME_BYTES_MAX, .. }), "{error}");
        let error = batch.push(&staged(1, vec![], vec![row(b"k", Some(&[0; 1 << 20]))])).unwrap_err();
        assert!(matches!(error, StorageError::FrameTooLarge { .. }), "{error}");
        assert!(batch.is_empty() && batch.bytes().is_empty());
        batch.push(&opened(1)).unwrap();
        commit(store, batch).unwrap();
        assert_eq!(load(store, TENANT).unwrap().1, [0, 1]);
    });
}

/// PROPERTY: a row reads as its last write, with that write's revision, before and after a checkpoint.
#[test]
fn rows_read_as_last_written() {
    each(|store| {
        let mut head = birth(store, TENANT);
        let writes: [(&[u8], Option<&[u8]>); 6] = [
            (b"a", Some(b"1")),
            (b"ab", Some(b"2")),
            (b"b", Some(b"3")),
            (b"a", Some(b"4")),
            (b"b", None),
            (b"abc", Some(b"")),
        ];
        let look = |store: &dyn Store, a: &[u8]| {
            assert_eq!(read(store, TENANT, b"a").as_deref(), Some(a));
            assert_eq!(read(store, TENANT, b"b"), None);
            assert_eq!(read(store, TENANT, b"none"), None);
            let kind = RowKind::Profile;
            let listed = |prefix: &[u8], limit| {
                let rows = store.rows(TENANT, kind, prefix, limit).unwrap();
                rows.into_iter()
                    .map(|(key, value): (Vec<u8>, Private)| (key, value.expose().to_vec()))
                    .collect::<Vec<_>>()
            };
            let all: Vec<(Vec<u8>, Vec<u8>)> =
                vec![(b"a".into(), a.into()), (b"ab".into(), b"2".into()), (b"abc".into(), vec![])];
            assert_eq!(listed(b"", 10), all);
            assert_eq!(listed(b"ab", 10), all[1..]);
            assert_eq!(listed(b"", 2), all[..2]);
            assert!(store.rows(TENANT, RowKind::Password, b"", 10).unwrap().is_empty());
            assert!(store.rows(TenantId(43), kind, b"", 10).unwrap().is_empty());
        };
        for (no, (key, value)) in (1..).zip(writes) {
            head = push(store, &head, &staged(no, vec![subject(1)], vec![row(key, value)])).unwrap();
        }
        look(store, b"4");
        assert_eq!(store.row(TENANT, RowKind::Profile, b"a").unwrap().revision, Revision(4));
        checkpoint(store, &head, vec![]);
        look(store, b"4");
        assert_eq!(store.row(TENANT, RowKind::Profile, b"a").unwrap().revision, Revision(4));
        head = push(store, &head, &staged(9, vec![subject(1)], vec![row(b"a", Some(b"5"))])).unwrap();
        look(store, b"5");
        checkpoint(store, &head, vec![]);
        look(store, b"5");
    });
}

/// PROPERTY: a removal of all rows of a subject takes those in memory and in the checkpoint, of that kind
/// and that subject alone, and what is written behind it stays. METHOD: seeded writes and removals beside a
/// map; checkpoints in between.
#[test]
fn rows_of_a_subject_go_at_once() {
    each(|store| {
        let mut head = birth(store, TENANT);
        let mut model: std::collections::BTreeMap<(u16, Vec<u8>), Vec<u8>> = Default::default();
        let kinds = [RowKind::Profile, RowKind::Identifier];
        let mut seed = 1_u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for no in 1..=400 {
            let kind = kinds[usize::try_from(next(2)).unwrap()];
            let subject_of = SubjectIndex(u32::try_from(next(3)).unwrap());
            let row = if next(4) == 0 {
                Row::gone(kind, subject_of)
            } else {
                let key = Row::subject_key(subject_of, &next(6).to_be_bytes());
                let value = (next(5) > 0).then(|| Private::new(no.to_string().into_bytes()));
                Row { kind, key, value }
            };
            if row.is_gone() {
                model.retain(|(of, key), _| *of != kind.number() || !key.starts_with(&row.key));
            } else if let Some(value) = &row.value {
                model.insert((kind.number(), row.key.clone()), value.expose().to_vec());
            } else {
                model.remove(&(kind.number(), row.key.clone()));
            }
            head = push(store, &head, &staged(no, vec![subject(1)], vec![row])).unwrap();
            if next(5) == 0 {
                checkpoint(store, &head, vec![]);
            }
            for kind in kinds {
                let all: Vec<_> = model.iter().filter(|((of, _), _)| *of == kind.number()).collect();
                let listed = store.rows(TENANT, kind, b"", 1_000).unwrap();
                let listed: Vec<_> =
                    listed.into_iter().map(|(key, value)| (key, value.expose().to_vec())).collect();
                let right: Vec<_> =
                    all.iter().map(|((_, key), value)| (key.clone(), (*value).clone())).collect();
                assert_eq!(listed, right, "after {no}");
                for ((_, key), value) in all {
                    let read = store.row(TENANT, kind, key).unwrap();
                    assert_eq!(read.value.map(|value| value.expose().to_vec()).as_ref(), Some(value));
                    assert_eq!(store.rows(TENANT, kind, key, 9).unwrap().len(), 1);
                }
                let key = Row::subject_key(SubjectIndex(0), &9_u64.to_be_bytes());
                assert!(store.row(TENANT, kind, &key).unwrap().value.is_none());
            }
        }
    });
}

fn checkpoint(store: &dyn Store, head: &Head, buckets: Vec<Bucket>) {
    let cut = store.cut();
    store.put(head.tenant, head, buckets).unwrap();
    store.finish(&cut).unwrap();
}

/// PROPERTY: a checkpoint covers what was put, keeps what came after, and loses no history.
#[test]
fn checkpoints_cover_and_keep() {
    each(|store| {
        let mut head = birth(store, TENANT);
        for no in 1..=30 {
            head = push(store, &head, &opened(no)).unwrap();
        }
        let cut = store.cut();
        assert_eq!(cut.tenants, [TENANT]);
        assert!(matches!(store.finish(&cut), Err(StorageError::CheckpointIncomplete(TENANT))));
        let later = push(store, &head, &opened(31)).unwrap();
        store.put(TENANT, &head, vec![lying(0, 40), lying(1, 3)]).unwrap();
        store.finish(&cut).unwrap();
        assert!(store.has_tail(TENANT));
        let (events, revisions, loaded) = load(store, TENANT).unwrap();
        assert_eq!((revisions, loaded), (vec![31], Some(later)));
        assert_eq!(events.len(), 44);
        assert_eq!(store.place(TENANT, Place(17)).unwrap().life(), Some(place(17, 1)));
        assert_eq!(
            store.place(TENANT, Place(BUCKET_PLACES + 2)).unwrap().life(),
            Some(place(BUCKET_PLACES + 2, 1))
        );
        assert_eq!(store.place(TENANT, Place(40)).unwrap().life(), None);
        assert_eq!(store.place(TenantId(1), Place(1)).unwrap().life(), None);
        // The next checkpoint replaces one bucket, removes one, leaves nothing in the tail.
        let empty = Bucket::of(BucketKind::Places, 1, vec![]);
        checkpoint(store, &later, vec![lying(0, 2), empty]);
        assert!(!store.has_tail(TENANT) && store.with_tail().is_empty());
        let (events, revisions, loaded) = load(store, TENANT).unwrap();
        let two = (0..2).map(|at| open_event(place(at, 1))).collect();
        assert_eq!((events, revisions, loaded), (two, vec![], Some(later)));
        let history = store.history(TENANT, Revision(0), 1_000).unwrap();
        assert_eq!(
            history.iter().map(|frame| frame.revision.0).collect::<Vec<_>>(),
            (0..32).collect::<Vec<_>>()
        );
        assert_eq!(history[5].events, opened(5).events);
        assert_eq!(history[31].link, later.link);
        let some = store.history(TENANT, Revision(7), 3).unwrap();
        assert_eq!(some.iter().map(|frame| frame.revision.0).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(store.verify(TENANT).unwrap().frames, 32);
        let after = push(store, &later, &opened(50)).unwrap();
        assert_eq!(store.history(TENANT, Revision(31), 9).unwrap().len(), 2);
        // Wherever in the tail it begins, and however much of it is wanted.
        let after = (51..60).fold(after, |head, place| push(store, &head, &opened(place)).unwrap());
        let whole = store.history(TENANT, Revision(0), 1_000).unwrap();
        assert_eq!(whole.len(), 42);
        for from in 29..44 {
            for limit in [0, 1, 2, 5, 1_000] {
                let part: Vec<_> = whole.iter().skip(from).take(limit).cloned().collect();
                assert_eq!(
                    store.history(TENANT, Revision(from as u64), limit).unwrap(),
                    part,
                    "{from} {limit}"
                );
            }
        }
        assert_eq!(store.head(TENANT).unwrap(), Some(after));
    });
}

/// PROPERTY: what a bucket holds as it lies comes back as it was put, with the events behind it; a place is read
/// from its image alone, and what has ended or was never used is nobody's.
#[test]
fn images_come_back_as_they_lay() {
    each(|store| {
        let head = birth(store, TENANT);
        let ended = PlaceImage::ended(Generation(9), EndReason::RefreshReused);
        let side =
            |at| Event::NetworksBound { place: Place(at), generation: Generation(1), networks: vec![] };
        let mut places = lying(3, 500);
        if let Image::Places(places) = &mut places.image {
            (places[7], places[8]) = (ended, PlaceImage::default());
        }
        places.events = vec![side(3 * BUCKET_PLACES + 1)];
        let id = |no: u64| CommandId((u128::from(no) << 40).to_be_bytes());
        let ids =
            (0..20_000).map(|no| CommandIdRecord { id: id(no), revision: Revision(no), fingerprint: !no });
        let ids = Image::Commands(ids.collect());
        let ids = Bucket { image: ids, ..Bucket::of(BucketKind::Commands, 4, vec![]) };
        checkpoint(store, &head, vec![ids.clone(), places.clone()]);
        let mut found = Vec::new();
        let loaded = store.load(TENANT, &mut |replay| {
            if let Replay::Bucket(bucket) = replay {
                found.push(bucket);
            }
        });
        assert_eq!(loaded.unwrap(), Some(head));
        assert!(found == [places, ids], "names, places, …: in the order of their kinds");
        let read = |at: u32| store.place(TENANT, Place(3 * BUCKET_PLACES + at)).unwrap().life();
        assert_eq!(read(6), Some(place(3 * BUCKET_PLACES + 6, 1)));
        assert_eq!((read(7), read(8), read(500)), (None, None, None));
        let empty = |kind, no| Bucket::of(kind, no, vec![]);
        let head = push(store, &head, &opened(1)).unwrap();
        checkpoint(store, &head, vec![empty(BucketKind::Commands, 4), empty(BucketKind::Places, 3)]);
        assert_eq!((load(store, TENANT).unwrap().0, read(6)), (vec![], None));
    });
}

/// PROPERTY: however many buckets there are, they come back whole and in the order of their kinds and numbers; when one
/// is read while others are taken makes no difference. METHOD: more buckets than are read ahead, put in another order.
#[test]
fn many_buckets_come_in_order() {
    each(|store| {
        let head = birth(store, TENANT);
        for count in [1_u32, 3, 4, 5, 9, 23] {
            let places = (0..count).map(|no| lying(no, 1 + no * 7 % 90));
            let subjects = (0..count / 2).map(|no| Bucket::of(BucketKind::Subjects, no, vec![subject(no)]));
            let all: Vec<Bucket> = places.chain(subjects).collect();
            checkpoint(store, &head, all.iter().rev().cloned().collect());
            let mut found = Vec::new();
            let loaded = store.load(TENANT, &mut |replay| {
                if let Replay::Bucket(bucket) = replay {
                    found.push(bucket);
                }
            });
            assert_eq!(loaded.unwrap(), Some(head));
            assert!(found == all, "{count}");
        }
    });
}

/// PROPERTY: a bucket over its cap comes back whole, and shrinks again.
#[test]
fn large_buckets_are_split() {
    each(|store| {
        let head = birth(store, TENANT);
        let big = Bucket::of(BucketKind::Names, 3, (0..20_000).map(subject).collect());
        checkpoint(store, &head, vec![big.clone()]);
        assert_eq!(load(store, TENANT).unwrap().0, big.events);
        let small = Bucket { events: big.events[..5].to_vec(), ..big };
        let head = push(store, &head, &opened(1)).unwrap();
        checkpoint(store, &head, vec![small.clone()]);
        assert_eq!(load(store, TENANT).unwrap().0, small.events);
    });
}

/// PROPERTY: a forgotten tenant is gone in every answer, and its id is never taken again.
/// TC-60 in part: ids; TC-65 in part.
#[test]
fn forgotten_tenants_stay_gone() {
    each(|store| {
        let other = birth(store, TenantId(1));
        let mut head = birth(store, TENANT);
        store.make_tenant_keys(TENANT, &[1; 64], &[2; 24]).unwrap();
        head = push(store, &head, &staged(1, vec![subject(1)], vec![row(b"a", Some(b"1"))])).unwrap();
        let cut = store.cut();
        store.put(TenantId(1), &other, vec![]).unwrap();
        store.put(TENANT, &head, vec![lying(0, 3)]).unwrap();
        store.finish(&cut).unwrap();
        head = push(store, &head, &opened(2)).unwrap();
        store.forget(TENANT).unwrap();
        assert!(store.head(TENANT).unwrap().is_none());
        assert!(load(store, TENANT).unwrap().2.is_none());
        assert!(!store.has_tail(TENANT));
        assert_eq!(read(store, TENANT, b"a"), None);
        assert!(store.history(TENANT, Revision(0), 9).unwrap().is_empty());
        assert!(matches!(store.tenant_keys(TENANT), Err(StorageError::KeysMissing(TENANT))));
        assert!(matches!(push(store, &head, &opened(3)), Err(StorageError::OutOfOrder { .. })));
        let mut again = store.batch(&other);
        again.birth(TENANT, [1; 32], &born(TENANT)).unwrap();
        assert!(matches!(commit(store, again), Err(StorageError::OutOfOrder { .. })));
        checkpoint(store, &other, vec![]);
        assert_eq!(load(store, TenantId(1)).unwrap().1, Vec::<u64>::new());
    });
}

/// PROPERTY: keys are made once, read back as made, and differ by tenant.
#[test]
fn tenant_keys_are_made_once() {
    each(|store| {
        assert!(matches!(store.tenant_keys(TENANT), Err(StorageError::KeysMissing(TENANT))));
        let entropy: [u8; 64] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        store.make_tenant_keys(TENANT, &entropy, &[2; 24]).unwrap();
        store.make_tenant_keys(TENANT, &[5; 64], &[6; 24]).unwrap();
        store.make_tenant_keys(TenantId(1), &[5; 64], &[6; 24]).unwrap();
        let keys = store.tenant_keys(TENANT).unwrap();
        let [(1, refresh)] = &keys.refresh[..] else { panic!("one refresh key, number 1") };
        assert_eq!((&keys.index.expose()[..], &refresh.expose()[..]), entropy.split_at(32));
        let head = birth(store, TENANT);
        checkpoint(store, &head, vec![]);
        assert_eq!(store.tenant_keys(TENANT).unwrap().index.expose()[..], entropy[..32]);
        assert_eq!(store.tenant_keys(TenantId(1)).unwrap().index.expose(), &[5; 32]);
    });
}

/// The index key, and the refresh keys with their numbers.
type Read = (u8, Vec<(u8, u8)>);

/// PROPERTY: refresh keys are made and erased by number, whatever checkpoints fell in between; the index
/// key stays, and of another tenant everything does.
#[test]
fn refresh_keys_come_and_go() {
    fn read(store: &dyn Store, tenant: TenantId) -> Read {
        let keys = store.tenant_keys(tenant).unwrap();
        let refresh = keys.refresh.iter().map(|(number, key)| (*number, key.expose()[0])).collect();
        (keys.index.expose()[0], refresh)
    }
    each(|store| {
        assert!(matches!(
            store.make_refresh_key(TENANT, 2, &[2; 32], &[0; 24]),
            Err(StorageError::KeysMissing(TENANT))
        ));
        store.make_tenant_keys(TENANT, &[1; 64], &[2; 24]).unwrap();
        store.make_tenant_keys(TenantId(1), &[9; 64], &[2; 24]).unwrap();
        let mut head = birth(store, TENANT);
        for round in 0..3_u64 {
            store.make_refresh_key(TENANT, 7, &[77; 32], &[2; 24]).unwrap();
            if round == 1 {
                checkpoint(store, &head, vec![]);
            }
            // Made anew under the same number: what nobody used is gone.
            store.make_refresh_key(TENANT, 7, &[7; 32], &[2; 24]).unwrap();
            store.make_refresh_key(TENANT, 255, &[8; 32], &[2; 24]).unwrap();
            let first = if round == 0 { vec![(1, 1)] } else { vec![] };
            assert_eq!(read(store, TENANT), (1, [first, vec![(7, 7), (255, 8)]].concat()));
            head = push(store, &head, &opened(round + 1)).unwrap();
            checkpoint(store, &head, vec![]);
            store.keep_refresh_keys(TENANT, &[255, 3]).unwrap();
            assert_eq!(read(store, TENANT), (1, vec![(255, 8)]));
            // A list that names none of them erases none.
            store.keep_refresh_keys(TENANT, &[3]).unwrap();
            assert_eq!(read(store, TENANT), (1, vec![(255, 8)]));
        }
        assert_eq!(read(store, TenantId(1)), (9, vec![(1, 9)]));
        store.forget(TENANT).unwrap();
        assert!(matches!(store.tenant_keys(TENANT), Err(StorageError::KeysMissing(TENANT))));
        assert_eq!(read(store, TenantId(1)), (9, vec![(1, 9)]));
    });
}

/// PROPERTY: a stopped store acknowledges nothing.
#[test]
fn a_stopped_store_takes_nothing() {
    each(|store| {
        let head = birth(store, TENANT);
        store.stop();
        assert!(matches!(push(store, &head, &opened(1)), Err(StorageError::LaneStopped)));
        assert!(!store.failed());
    });
}

/// PROPERTY: 64 tenants that commit at once all get their proof, and share groups.
#[test]
fn many_tenants_commit_at_once() {
    each(|store| {
        let mut heads: Vec<Head> = (1..=64).map(|no| birth(store, TenantId(no))).collect();
        for round in 1..=20 {
            let commits: Vec<_> = heads
                .iter()
                .map(|head| {
                    let mut batch = store.batch(head);
                    batch.push(&opened(round)).unwrap();
                    store.commit(batch)
                })
                .collect();
            heads = commits.into_iter().map(|commit| *commit.wait().unwrap().head()).collect();
        }
        for head in &heads {
            assert_eq!(load(store, head.tenant).unwrap().2, Some(*head));
        }
        assert_eq!(store.usage().frames, 64 * 21);
    });
}

/// PROPERTY: a load sees the batch that was handed over before it, answered or not.
#[test]
fn a_load_waits_for_what_is_in_flight() {
    each(|store| {
        let mut head = birth(store, TENANT);
        for no in 1..50 {
            let mut batch = store.batch(&head);
            batch.push(&opened(no)).unwrap();
            head = batch.head_after();
            drop(store.commit(batch));
            assert_eq!(load(store, TENANT).unwrap().2, Some(head));
        }
    });
}
