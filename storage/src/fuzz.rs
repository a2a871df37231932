//! Any bytes at the readers of everything on disk; hashes are put right behind a change, so that what stands
//! behind them is reached too.

use crate::backup::{FILES, FileNote, Known, Manifest, TenantNote};
use crate::batch::{Head, Staged};
use crate::checkpoint::read::{decode_row, put_row};
use crate::checkpoint::schema::{self, AsideDamage, AsideRow, DirectoryRow, Life, Listed, Meta, Of};
use crate::checkpoint::segment::Segment;
use crate::checkpoint::share::{Share, Sum};
use crate::embedded::Identity;
use crate::journal::group::{self, Draft, HEADER_BYTES, Header, Name, Piece, Reading};
use crate::keys::KeySlot;
use crate::record::frame::{Form, FrameView};
use crate::record::samples::every_event;
use crate::record::{Field, Reader, RecordError, bucket, image, row};
use crate::root_key::RootKey;
use crate::store::{Bucket, BucketKind};
use std::fmt::Debug;
use tessera_crypto::{Hasher, digest};
use tessera_fuzz::{FindingError, Outcome, Run, Target};
use tessera_model::{
    Caller, CommandId, CommandKind, Epoch, Event, Private, Revision, Row, RowKind, Slot, TenantId, UnixMillis,
};

const SALT: [u8; 32] = [7; 32];
const A: TenantId = TenantId(9);

fn told(found: Result<Run, FindingError>) -> Run {
    match found {
        Ok(run) => run,
        Err(finding) => panic!("{finding}"),
    }
}

fn events(some: &[Event], rows: bool) -> Staged {
    let value = Some(Private::new(b"ann@example.com".to_vec()));
    let row = Row { kind: RowKind::Identifier, key: vec![1, 2, 3], value };
    Staged {
        kind: CommandKind::OpenSession,
        id: CommandId([6; 16]),
        fingerprint: 7,
        caller: Caller::Node,
        wall: UnixMillis(8),
        events: some.to_vec(),
        rows: if rows {
            vec![row, Row { kind: RowKind::Password, key: vec![], value: None }]
        } else {
            vec![]
        },
    }
}

/// Frames of two commands, the first with rows.
fn frames() -> Vec<Vec<u8>> {
    let all = every_event();
    let head = Head { next: Revision(4), link: [5; 32], ..Head::unborn(A) };
    let mut batch = crate::seal::tests::batch(&head);
    for (at, some) in all.chunks(3).take(4).enumerate() {
        batch.push(&events(some, at == 0)).expect("a frame");
    }
    let (mut frames, mut rest) = (Vec::new(), batch.bytes());
    while !rest.is_empty() {
        let (_, len) = FrameView::read(rest, Form::Journal).expect("a frame");
        frames.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    frames
}

/// PROPERTY: any bytes are an event or an error, and what is an event encodes to just those bytes. METHOD: 5,000
/// changed records of each kind of event.
/// TC-98 in part: records.
#[test]
fn fuzz_events() {
    let (mut executions, mut taken, all) = (0, 0, every_event());
    for event in &all {
        let mut bytes = Vec::new();
        event.put(&mut bytes);
        let target = Target::new(&format!("event {}", bytes[0])).seeds([bytes]).one_of_many(5_000);
        let run = told(target.run(|bytes| {
            let mut input = Reader::new(bytes);
            let read = Event::take(&mut input).and_then(|event| input.end().map(|()| event));
            if let Ok(event) = &read {
                let mut again = Vec::new();
                event.put(&mut again);
                assert!(again == bytes, "an event has two forms");
            }
            Outcome::of(&read)
        }));
        (executions, taken) = (executions + run.executions, taken + run.taken);
    }
    println!(
        "fuzz events: {executions} executions over {} samples of every kind, {taken} taken, 0 findings",
        all.len()
    );
}

fn frame_outcome(bytes: &[u8], form: Form) -> Result<usize, RecordError> {
    let (view, len) = FrameView::read(bytes, form)?;
    assert!(len <= bytes.len() && len > 0, "a frame of no length");
    view.genesis()?;
    view.holds(&[5; 32], form);
    view.rows()?;
    let events = view.decode()?.0.events.len();
    view.put_history(&mut Vec::new());
    Ok(events)
}

/// PROPERTY: any bytes are a frame with its events and rows, or an error. METHOD: 200,000 changed frames, in the
/// form of the journal and in that of history.
/// TC-98 in part: frames.
#[test]
fn fuzz_frames() {
    let run = told(Target::new("journal-frame").seeds(frames()).run(|bytes| {
        let read = [Form::Journal, Form::History].map(|form| frame_outcome(bytes, form));
        match read {
            [Ok(events), _] | [_, Ok(events)] => Outcome::taken(&events.min(8)),
            [Err(one), Err(other)] => Outcome::refused(&(one, other)),
        }
    }));
    println!("{run}");
}

/// Puts both hashes of a group right, as far as its header says where it ends.
fn with_hashes(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some(header) = Header::read(&bytes) else { return bytes };
    let whole = header.whole_len();
    let keyed = |head: &[u8], rest: &[u8]| Hasher::keyed(&SALT).update(head).update(rest).finish();
    let count = usize::try_from(header.count).expect("small");
    let table_end = HEADER_BYTES + count * group::ENTRY_BYTES;
    if bytes.len() < whole || table_end > whole {
        return bytes;
    }
    let table = keyed(&bytes[..64], &bytes[HEADER_BYTES..table_end]);
    bytes[64..96].copy_from_slice(&table);
    let all = keyed(&bytes[..96], &bytes[HEADER_BYTES..whole]);
    bytes[96..128].copy_from_slice(&all);
    bytes
}

/// PROPERTY: any bytes are a group, a group whose table alone reads, or nothing; its frames are read or refused,
/// wherever its table says that they stand. METHOD: 200,000 changed groups, half of them with hashes that are
/// right again.
/// TC-98 in part: groups.
#[test]
fn fuzz_groups() {
    let frames = frames();
    let group = |name: Option<Name>, frames: &[Vec<u8>]| {
        let draft = Draft { sequence: 3, lane_epoch: 2, previous: [1; 32], name };
        let piece = |(at, bytes): (u64, _)| Piece { tenant: A, revision: 4 + at, bytes };
        let mut out = Vec::new();
        let pieces: Vec<_> = (0..).zip(frames.iter().map(Vec::as_slice)).map(piece).collect();
        group::encode(&mut out, &SALT, &draft, pieces.into_iter());
        out
    };
    let name = Some(Name { covered: 2, writes: 9 });
    let seeds = [group(None, &frames), group(name, &frames[1..2]), group(None, &[]), group(name, &[])];
    let draft = Draft { sequence: 3, lane_epoch: 2, previous: [1; 32], name: None };
    let target = Target::new("journal-group").seeds(seeds).bytes_max(16_384);
    let run = told(target.run(|bytes| {
        let mended = bytes.len() % 2 == 0;
        let bytes = if mended { with_hashes(bytes) } else { bytes.to_vec() };
        Header::is_newer(&bytes);
        let Some(header) = Header::read(&bytes) else { return Outcome::refused(&"no header") };
        assert!(
            header.last_sequence() >= header.sequence && header.padded_len() >= header.whole_len() as u64
        );
        let body = &bytes[..bytes.len().min(header.whole_len())];
        drop(group::make_anew(body, &SALT, &draft, u64::from(header.count), &[3; 32]));
        let entries = match group::read(body, &header, &SALT) {
            Reading::Nothing => return Outcome::refused(&"nothing"),
            Reading::TableOnly(entries) => entries,
            Reading::Whole(entries, _) => entries,
        };
        let read = entries.iter().map(|entry| {
            let (from, len) = (entry.offset as usize, entry.len as usize);
            let frame = body.get(from..).and_then(|rest| rest.get(..len));
            frame.map(|frame| frame_outcome(frame, Form::Journal))
        });
        Outcome::taken(&read.map(|read| format!("{read:?}")).take(3).collect::<Vec<_>>())
    }));
    println!("{run}");
}

/// PROPERTY: any bytes are a part of a bucket, or an error. METHOD: 200,000 changed parts.
/// TC-98 in part: buckets.
#[test]
fn fuzz_buckets() {
    let all = every_event();
    let seeds = all.chunks(5).flat_map(bucket::parts).map(|part| part.body);
    let run = told(Target::new("bucket").seeds(seeds).run(|bytes| {
        let mut input = Reader::new(bytes);
        let read = bucket::take_part(&mut input).and_then(|events| input.end().map(|()| events));
        if let Ok(events) = &read {
            Bucket::of(BucketKind::Places, 0, events.clone()).place(tessera_model::Place(1));
        }
        Outcome::of(&read)
    }));
    println!("{run}");
}

/// PROPERTY: any bytes are an image of places or command ids, or an error; what is read has no other form. METHOD:
/// 200,000 changed images, behind their form.
/// TC-98 in part: buckets.
#[test]
fn fuzz_images() {
    let images = image::samples().into_iter().flat_map(|bucket| image::parts(&bucket));
    let images = images.filter(|(form, part)| *form > 0 && part.body.len() < 4_096);
    let seeds = images.map(|(form, part)| {
        let sealed = if form == 2 { crate::seal::tests::sealed(&part.private) } else { Vec::new() };
        [vec![form], part.body, sealed].concat()
    });
    let run = told(Target::new("bucket-image").seeds(seeds).run(|bytes| {
        let Some((form, body)) = bytes.split_first() else { return Outcome::refused(&"nothing") };
        let kind = if *form == 2 { BucketKind::Commands } else { BucketKind::Places };
        let mut bucket = Bucket::of(kind, 0, Vec::new());
        let read = image::take_part(*form, Reader::new(body), &mut bucket, 2).map(drop);
        bucket.place(tessera_model::Place(1));
        if read.is_ok() && *form > 0 {
            let again = image::parts(&bucket);
            let bodies = again.iter().map(|(_, part)| part.body.as_slice()).collect::<Vec<_>>().concat();
            assert!(body.starts_with(&bodies) && (*form == 2 || body == bodies), "an image has two forms");
        }
        Outcome::of(&read)
    }));
    println!("{run}");
}

/// PROPERTY: any bytes are what is private of events, and a sealed part, or an error. METHOD: 20,000 changed ones each.
/// TC-98 in part: sealed parts.
#[test]
fn fuzz_sealed_parts() {
    let all = every_event();
    let seeds = all.chunks(5).flat_map(bucket::parts).map(|part| part.private);
    let run = told(Target::new("bucket's private part").seeds(seeds).one_of_many(20_000).run(|bytes| {
        let read = all.chunks(5).map(|some| bucket::take_private(&mut some.to_vec(), bytes));
        Outcome::of(&read.collect::<Result<Vec<()>, _>>())
    }));
    println!("{run}");
    let part = crate::seal::tests::sealed_part();
    let run = told(
        Target::new("sealed part")
            .seeds([part])
            .one_of_many(20_000)
            .run(|bytes| Outcome::of(&crate::seal::Part::whole(bytes).map(|part| part.owner))),
    );
    println!("{run}");
}

/// PROPERTY: any bytes are a segment of history whose frames are walked, or an error. METHOD: 200,000 changed
/// segments, half of them with a hash that is right again.
/// TC-98 in part: history.
#[test]
fn fuzz_segments() {
    let mut segment = Segment::new(A, Revision(4), [5; 32]);
    let empty = segment.write().1;
    for frame in frames() {
        let (view, _) = FrameView::read(&frame, Form::Journal).expect("a frame");
        assert!(segment.push(&view));
    }
    let (key, whole) = segment.write();
    let run = told(Target::new("segment").seeds([whole, empty]).run(|bytes| {
        let mut value = bytes.to_vec();
        if bytes.len() % 2 == 0 && value.len() >= schema::SEAL_BYTES {
            value.truncate(value.len() - schema::SEAL_BYTES);
            schema::close(Of::Segment, &key, &mut value);
        }
        let read = Segment::read(A, Revision(4), &value);
        let walked = read.and_then(|segment| {
            segment.walk(|fault| fault, &mut |view| {
                drop(view.decode());
                Ok(true)
            })
        });
        Outcome::of(&walked)
    }));
    println!("{run}");
}

/// PROPERTY: a segment that says that it ends at the last revision there can be, and a group of the last sequence,
/// are refused: what comes behind is counted nowhere. Found by `fuzz_segments` with seed 1.
#[test]
fn nothing_is_counted_behind_the_last_number() {
    let key = schema::segment_key(A, Revision(4));
    let mut value = Segment::new(A, Revision(4), [5; 32]).write().1;
    value.truncate(value.len() - schema::SEAL_BYTES);
    value[16..24].fill(0xFF);
    schema::close(Of::Segment, &key, &mut value);
    assert_eq!(Segment::read(A, Revision(4), &value).err(), Some(RecordError::BadHeader));
    let draft = Draft { sequence: u64::MAX, lane_epoch: 2, previous: [1; 32], name: None };
    let mut bytes = Vec::new();
    group::encode(&mut bytes, &SALT, &draft, std::iter::empty());
    assert!(Header::read(&bytes).is_none());
}

/// One type of the checkpoint's tables, its hash right again behind each change.
fn table<T: Field + PartialEq + Debug>(of: Of, value: &T) -> Run {
    let (key, mut bytes) = (schema::tenant_key(A), Vec::new());
    value.put(&mut bytes);
    told(Target::new(of.name()).seeds([bytes]).one_of_many(5_000).run(|bytes| {
        let mut sealed = bytes.to_vec();
        schema::close(of, &key, &mut sealed);
        let read = schema::decode::<T>(of, &key, &sealed);
        if let Ok(value) = &read {
            assert!(schema::encode(of, &key, value) == sealed, "a value has two forms");
        }
        Outcome::of(&read)
    }))
}

/// PROPERTY: any bytes are a value of each type that the checkpoint, a backup and the directory keep, or an error;
/// what reads encodes to the same. METHOD: 5,000 changed values of each type, with hashes that are right.
/// TC-98 in part: tables, the manifest and the directory's identity; TC-100 in part: versions.
#[test]
fn fuzz_kept_types() {
    let meta = Meta { schema: 1, salt: SALT, covered: 3, hash: [4; 32], writes: 5, keys_upto: 6 };
    let listed =
        Listed { kind: BucketKind::Places, no: 1, upto: Revision(2), key: 4, parts: vec![[3; 16]; 2] };
    let directory = DirectoryRow {
        schema: 1,
        life: Life::Kept,
        slot: Slot(9),
        epoch: Epoch(1),
        next: Revision(4),
        link: [5; 32],
        keys: vec![KeySlot { number: 1, slot: 4 }],
        buckets: vec![listed.clone(), listed],
        old_keys: vec![5],
        shares: Sum::default(),
    };
    let damage = AsideDamage { file: "journal-0001".into(), offset: 4_096, what: "a group".into() };
    let (slot, epoch, next) = (Slot(9), Epoch(1), Revision(4));
    let aside = AsideRow { schema: 1, slot, epoch, next, link: [5; 32], damage: Some(damage) };
    let share = Share { schema: 1, rows: Sum::default() };
    let mut runs = vec![
        table(Of::Meta, &meta),
        table(Of::Directory, &directory),
        table(Of::Aside, &aside),
        table(Of::Share, &share),
    ];
    let key = schema::row_key(A, RowKind::Profile, b"k");
    let row = put_row(&key, &Private::new(b"value".to_vec()), Revision(4));
    let row = row[..row.len() - schema::SEAL_BYTES].to_vec();
    runs.push(told(Target::new("cold-row").seeds([row]).one_of_many(5_000).run(|bytes| {
        let mut sealed = bytes.to_vec();
        schema::close(Of::Row, &key, &mut sealed);
        Outcome::of(&decode_row(&key, &sealed).map(drop))
    })));
    let mut rows = Vec::new();
    row::put_rows(&events(&[], true).rows, &mut rows);
    runs.push(told(
        Target::new("frame-rows")
            .seeds([rows])
            .one_of_many(5_000)
            .run(|bytes| Outcome::of(&row::take_rows(bytes).map(drop))),
    ));
    let note = |name: &str| FileNote { name: name.into(), bytes: 9, hash: [1; 32] };
    let known = Known {
        name: tessera_model::Name::new("acme").expect("a name"),
        status: tessera_model::record::TenantStatus::Active,
    };
    let manifest = Manifest {
        magic: u32::from_le_bytes([0xFF, b'T', b'S', b'B']),
        version: 1,
        spare: 0,
        made: UnixMillis(1),
        salt: SALT,
        journal_file_bytes: 65_536,
        epoch: Epoch(1),
        sequence: 3,
        files: FILES.map(note).into(),
        tenants: vec![TenantNote { tenant: A, epoch: Epoch(1), next, link: [2; 32], known: Some(known) }],
    };
    let hashed = |bytes: &[u8]| [bytes, &digest::hash(&[bytes])].concat();
    let mut bytes = Vec::new();
    manifest.put(&mut bytes);
    assert!(Manifest::decode(&hashed(&bytes)).is_ok());
    runs.push(told(Target::new("manifest").seeds([bytes]).one_of_many(5_000).run(|bytes| {
        let read = Manifest::decode(&hashed(bytes));
        if let Ok(manifest) = &read {
            assert!(manifest.encode() == hashed(bytes), "a manifest has two forms");
        }
        Outcome::of(&read.map_err(|error| error.to_string()))
    })));
    let mut bytes = Vec::new();
    Identity::of(65_536, SALT, Epoch(1)).put(&mut bytes);
    runs.push(told(Target::new("identity").seeds([bytes]).one_of_many(5_000).run(|bytes| {
        Outcome::of(&Identity::read(&hashed(bytes)).map(drop).map_err(|error| error.to_string()))
    })));
    let text = "ab".repeat(32);
    runs.push(told(Target::new("root-key").seeds([text + "\n"]).one_of_many(5_000).run(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        Outcome::of(&RootKey::parse(&text).map(drop).map_err(|error| error.to_string()))
    })));
    let executions: u64 = runs.iter().map(|run| run.executions).sum();
    println!("fuzz kept-types: {executions} executions over {} types, 0 findings", runs.len());
}
