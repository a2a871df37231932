//! Makes every example of docs/file.md anew from the code, and fails where the text differs.
//!
//! `TESSERA_WRITE_DOCS=1 cargo test -p tessera-storage --test file_doc` writes them into the text.

mod kit;
#[path = "../src/record/samples.rs"]
mod samples;

use kit::*;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use std::fmt::Write;
use std::path::Path;
use tessera_model::record::CommandIdRecord;
use tessera_model::refresh::EndReason;
use tessera_model::{CommandId, Event, Generation, PlaceImage, Revision, TenantId, UnixMillis};
use tessera_storage::{
    Batch, Bucket, BucketKind, Drive, Embedded, Head, Image, Options, Progress, Staged, Store,
};

const TENANT: TenantId = TenantId(0x2A);
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/file.md");

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (at, line) in bytes.chunks(32).enumerate() {
        write!(out, "{:5} ", at * 32).unwrap();
        for four in line.chunks(4) {
            out.push(' ');
            four.iter().for_each(|byte| write!(out, "{byte:02x}").unwrap());
        }
        out.push('\n');
    }
    out
}

fn plain(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

fn options() -> Options {
    Options { drive: Drive::ByHand, ..small() }
}

fn first(store: &Embedded) -> Batch {
    let mut batch = store.batch(&Head::unborn(TENANT));
    batch.birth(TENANT, [9; 32], &born(TENANT)).unwrap();
    batch
}

fn second(store: &Embedded, head: &Head) -> Batch {
    let mut batch = store.batch(head);
    let rows = vec![row(b"nickname", Some(b"Amy")), row(b"old", None)];
    batch.push(&staged(1, vec![open_event(samples::place())], rows)).unwrap();
    batch
}

/// The bytes of one event: the payload of a frame of its own, behind its head of 13 bytes.
fn event_bytes(store: &Embedded, event: Event) -> Vec<u8> {
    let mut batch = store.batch(&Head::unborn(TENANT));
    let staged: Staged = staged(0, vec![event], vec![]);
    batch.push(&staged).unwrap();
    let frame = batch.bytes();
    let payload = usize::try_from(u32::from_le_bytes(frame[8..12].try_into().unwrap())).unwrap();
    // Behind it come the sealed parts: their count, and where there is one what it holds.
    let events = &frame[64 + 13..64 + payload];
    let parts = events.windows(4).position(|four| four == b"\xfeTSP").unwrap_or(events.len());
    events[..parts - 4].to_vec()
}

fn events(store: &Embedded) -> String {
    let mut out = String::new();
    for event in samples::every_event() {
        let mut text = format!("{event:?}");
        for byte in 0..8u8 {
            text = text.replace(&format!("{:?}", [byte; 16]), &format!("[{byte}; 16]"));
        }
        let bytes = event_bytes(store, event);
        writeln!(out, "{:2} {text}\n   {}", bytes[0], plain(&bytes)).unwrap();
    }
    out
}

fn table(database: &redb::Database, name: &'static str) -> String {
    let definition: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(name);
    let transaction = database.begin_read().unwrap();
    let mut out = String::new();
    for entry in transaction.open_table(definition).unwrap().iter().unwrap() {
        let (key, value) = entry.unwrap();
        writeln!(out, "key {}\n{}", plain(key.value()), hex(value.value()).trim_end()).unwrap();
    }
    out
}

/// One bucket of each form: places as they lie (nobody ever had the first), command ids, events.
fn buckets() -> Vec<Bucket> {
    let ended = PlaceImage::ended(Generation(19), EndReason::RefreshReused);
    let places = vec![PlaceImage::default(), PlaceImage::of(&samples::place()), ended];
    let id = |no| CommandIdRecord { id: CommandId([no; 16]), revision: Revision(20), fingerprint: 21 };
    let image = |kind, no, image| Bucket { image, ..Bucket::of(kind, no, vec![]) };
    vec![
        image(BucketKind::Places, 0, Image::Places(places)),
        image(BucketKind::Commands, 22, Image::Commands(vec![id(23), id(24)])),
        Bucket::of(BucketKind::Subjects, 0, vec![subject(25)]),
    ]
}

/// The examples, by their names.
fn examples() -> Vec<(&'static str, String)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let store = Embedded::open(path, options()).unwrap();
    store.make_tenant_keys(TENANT, &[1; 64], &[2; 24]).unwrap();
    let commit = |batch: Batch| {
        let commit = store.commit(batch);
        while store.turn() {}
        *commit.wait().unwrap().head()
    };
    let birth = first(&store);
    let birth_bytes = birth.bytes().to_vec();
    let head = commit(birth);
    let second = second(&store, &head);
    let frame = second.bytes().to_vec();
    let head = commit(second);
    let cut = store.cut();
    store.put(TENANT, &head, buckets()).unwrap();
    store.finish(&cut).unwrap();
    store.rest();
    let mut third = store.batch(&head);
    third.push(&staged(2, vec![], vec![])).unwrap();
    commit(third);
    let backup = tessera_storage::disk::simulated::Simulated::new();
    store.backup_to(&backup, UnixMillis(1_700_000_000_000), &Progress::default()).unwrap();
    let backed = |name: &str| {
        let file = tessera_storage::disk::Disk::open(&backup, name).unwrap();
        let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_at(0, &mut bytes).unwrap();
        hex(&bytes)
    };
    let keys = hex(&std::fs::read(path.join("keys-a")).unwrap());
    let events_told = self::events(&store);
    store.set_aside(TENANT).unwrap();
    store.stop();
    drop(store);
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let journal = read("journal-0000");
    let group = |at: usize| {
        let body = u32::from_le_bytes(journal[at * 4096 + 20..at * 4096 + 24].try_into().unwrap());
        hex(&journal[at * 4096..at * 4096 + 128 + usize::try_from(body).unwrap()])
    };
    let database = redb::Database::open(path.join("state.redb")).unwrap();
    vec![
        ("identity", hex(&read("LANE"))),
        ("events", events_told),
        ("birth", hex(&birth_bytes)),
        ("frame", hex(&frame)),
        ("first-group", group(0)),
        ("group", group(1)),
        ("naming-group", group(3)),
        ("keys", keys),
        ("meta", table(&database, "meta_v1")),
        ("directory", table(&database, "directory_v1")),
        ("bucket", table(&database, "bucket_v1")),
        ("row", table(&database, "row_v1")),
        ("share", table(&database, "share_v1")),
        ("segment", table(&database, "segment_v1")),
        ("aside", table(&database, "aside_v1")),
        ("aside-frame", table(&database, "aside_frame_v1")),
        ("backup-tail", backed("tail")),
        ("manifest", backed("MANIFEST")),
    ]
}

/// PROPERTY: each example in the text is what the code writes.
#[test]
fn every_example_is_made_by_the_code() {
    let document = std::fs::read_to_string(Path::new(DOCUMENT)).unwrap();
    let mut made = document.clone();
    let examples = examples();
    for (name, example) in &examples {
        let mark = format!("<!-- made: {name} -->");
        let start = made.find(&mark).unwrap_or_else(|| panic!("docs/file.md lacks {mark}")) + mark.len();
        let end = start + made[start..].find("<!-- end -->").unwrap();
        made.replace_range(start..end, &format!("\n\n```text\n{}\n```\n\n", example.trim_end()));
    }
    assert_eq!(made.matches("<!-- made: ").count(), examples.len(), "an example without code");
    if std::env::var_os("TESSERA_WRITE_DOCS").is_some() {
        std::fs::write(DOCUMENT, &made).unwrap();
    }
    assert!(made == document || std::env::var_os("TESSERA_WRITE_DOCS").is_some(), "docs/file.md differs");
}
