//! Bad input over QUIC, made from docs/wire.md: every request in every shape that does not read.
//!
//! The requests are the document's examples, taken apart by a reader of its own; so no request of the table is left
//! out, and the document is held to what it shows.

use crate::support;

use std::collections::BTreeMap;
use support::raw::Raw;
use support::{House, query};
use tessera_client::wire::Kind;

/// How a field is written.
const NUMBER: u16 = 1;
const FLAG: u16 = 2;
const TEXT: u16 = 4;
const BYTES: u16 = 5;

/// One field of a payload.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Field {
    tag: u16,
    kind: u16,
    number: u64,
    held: Vec<u8>,
}

/// A request as the document shows it.
struct Shown {
    name: String,
    kind: u16,
    fields: Vec<Field>,
}

/// A part of the table of requests.
struct Part {
    name: String,
    of_type: String,
    tag: u16,
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md");
    std::fs::read_to_string(path).expect("the document")
}

fn made<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<!-- made: {name} -->")).expect(name);
    rest.split_once("<!-- end -->").expect("its end").0
}

/// Kind and parts of every request, by name.
fn requests(text: &str) -> BTreeMap<String, (u16, Vec<Part>)> {
    let lines = made(text, "requests").lines().filter(|line| line.starts_with("| 0x"));
    let read = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (kind, rest) = cells[1].split_once(' ').expect("a kind and a name");
        let (name, _) = rest.split_once(" -> ").expect("an answer");
        let parts = cells[2].split(", ").filter(|part| !part.is_empty()).filter_map(|part| {
            // Types of pairs hold a comma of their own.
            let (name, rest) = part.split_once(" `")?;
            let (of_type, tag) = rest.rsplit_once("` ")?;
            Some(Part { name: name.to_owned(), of_type: of_type.to_owned(), tag: tag.parse().ok()? })
        });
        let kind = u16::from_str_radix(kind.trim_start_matches("0x"), 16).expect("a kind");
        (name.to_owned(), (kind, parts.collect()))
    };
    lines.map(read).collect()
}

/// The names of the tags.
fn tags(text: &str) -> BTreeMap<u16, String> {
    let listed = made(text, "tags").trim().trim_end_matches('.').split(", ");
    listed
        .map(|one| one.split_once(' ').expect("a tag"))
        .map(|(tag, name)| (tag.parse().expect("a number"), name.to_owned()))
        .collect()
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// The bytes of an example.
fn dumped(dump: &str) -> Vec<u8> {
    let digits = |line: &str| -> Vec<u8> {
        let words = line.split_whitespace().skip(1).take(16);
        words.take_while(|word| word.len() == 2).map_while(|word| u8::from_str_radix(word, 16).ok()).collect()
    };
    // What stands beside the bytes begins in its own column.
    dump.lines().flat_map(|line| digits(line.get(..54).unwrap_or(line))).collect()
}

/// Every request of the document, from its first example.
fn shown(text: &str, requests: &BTreeMap<String, (u16, Vec<Part>)>) -> Vec<Shown> {
    let mut found = Vec::new();
    for (name, (kind, _)) in requests {
        let title = format!("\n### {name}\n\n```text\n");
        let (_, rest) = text.split_once(&title).unwrap_or_else(|| panic!("no example of {name}"));
        let frame = dumped(rest.split_once("```").expect("its end").0);
        assert_eq!(number(&frame, 4, 2), u64::from(*kind), "{name}");
        let payload = &frame[16..16 + usize::try_from(number(&frame, 0, 4)).expect("small")];
        let root = payload.len() - 40;
        let at = |pointer: usize| {
            let away = i32::from_le_bytes(payload[pointer..pointer + 4].try_into().expect("four bytes"));
            let place = i64::try_from(pointer).expect("small") + i64::from(away);
            usize::try_from(place).expect("within")
        };
        let (first, count) = (at(root + 24), number(payload, root + 28, 4));
        let pool = at(root + 32);
        let fields = (0..usize::try_from(count).expect("small")).map(|nth| {
            let at = first + 16 * nth;
            let (tag, kind) = (number(payload, at, 2), number(payload, at + 2, 2));
            let (length, value) = (number(payload, at + 4, 4), number(payload, at + 8, 8));
            let kind = u16::try_from(kind).expect("a kind");
            let held = if kind >= TEXT {
                let from = pool + usize::try_from(value).expect("small");
                payload[from..from + usize::try_from(length).expect("small")].to_vec()
            } else {
                Vec::new()
            };
            Field { tag: u16::try_from(tag).expect("a tag"), kind, number: value, held }
        });
        found.push(Shown { name: name.clone(), kind: *kind, fields: fields.collect() });
    }
    found
}

/// A frame of these fields, as the document says how one is written.
fn frame(kind: u16, id: u64, command_id: [u8; 16], fields: &[Field]) -> Vec<u8> {
    let (mut table, mut pool) = (Vec::new(), Vec::new());
    for field in fields {
        let (length, value) =
            if field.kind >= TEXT { (field.held.len(), pool.len() as u64) } else { (0, field.number) };
        table.extend_from_slice(&field.tag.to_le_bytes());
        table.extend_from_slice(&field.kind.to_le_bytes());
        table.extend_from_slice(&u32::try_from(length).expect("small").to_le_bytes());
        table.extend_from_slice(&value.to_le_bytes());
        pool.extend_from_slice(&field.held);
    }
    let mut payload = [table.as_slice(), &pool].concat();
    payload.resize(payload.len().next_multiple_of(8), 0);
    let root = i32::try_from(payload.len()).expect("small");
    payload.extend_from_slice(&command_id);
    payload.extend_from_slice(&u64::MAX.to_le_bytes());
    let count = |length: usize| u32::try_from(length).expect("small").to_le_bytes();
    payload.extend_from_slice(&(-(root + 24)).to_le_bytes());
    payload.extend_from_slice(&count(fields.len()));
    let pool_at = i32::try_from(table.len()).expect("small");
    payload.extend_from_slice(&(pool_at - (root + 32)).to_le_bytes());
    payload.extend_from_slice(&count(pool.len()));
    framed(kind, id, &payload)
}

fn framed(kind: u16, id: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(payload.len()).expect("small").to_le_bytes().to_vec();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(16), 0);
    out
}

/// What is wrong, the fields that say so, the codes that may tell it, and the tag that must be named; none where the
/// payload as a whole is meant.
type Wrong = (String, Vec<Field>, &'static [u16], Option<u16>);

/// Whether a part is one field of its own, once.
fn is_single(of_type: &str) -> bool {
    matches!(
        of_type,
        "Name"
            | "Private"
            | "PublicId"
            | "TenantId"
            | "u32"
            | "bool"
            | "Deadline"
            | "SubjectKind"
            | "AttributeKind"
            | "IpAddr"
    )
}

/// Every shape of a request that does not read.
fn wrongs(shown: &Shown, parts: &[Part]) -> Vec<Wrong> {
    let mut all: Vec<Wrong> = Vec::new();
    let stranger = Field { tag: 9_999, kind: NUMBER, number: 7, held: Vec::new() };
    all.push((
        "a field that nobody knows".into(),
        [shown.fields.clone(), vec![stranger]].concat(),
        &[403],
        None,
    ));
    for part in parts {
        let inner = part.of_type.strip_prefix("Option<").and_then(|inner| inner.strip_suffix('>'));
        let (of_type, needed) = (inner.unwrap_or(&part.of_type), inner.is_none());
        if !is_single(of_type) {
            continue;
        }
        let places: Vec<usize> =
            (0..shown.fields.len()).filter(|nth| shown.fields[*nth].tag == part.tag).collect();
        // One that the example leaves out is optional; one that stands in rows too is looked at there.
        let [place] = places.as_slice() else { continue };
        let place = *place;
        let (name, tag) = (&part.name, Some(part.tag));
        let mut push = |what: &str, fields: Vec<Field>, codes: &'static [u16]| {
            all.push((format!("{name}: {what}"), fields, codes, tag));
        };
        if needed {
            let mut less = shown.fields.clone();
            less.remove(place);
            push("missing", less, &[403]);
        }
        let mut twice = shown.fields.clone();
        twice.insert(place, shown.fields[place].clone());
        push("twice", twice, &[403]);
        let mut with = |what: &str, field: Field, codes: &'static [u16]| {
            let mut fields = shown.fields.clone();
            fields[place] = Field { tag: part.tag, ..field };
            push(what, fields, codes);
        };
        let plain = |kind: u16, number: u64| Field { tag: 0, kind, number, held: Vec::new() };
        let held = |kind: u16, held: &[u8]| Field { tag: 0, kind, number: 0, held: held.to_vec() };
        match shown.fields[place].kind {
            NUMBER | FLAG => with("as text", held(TEXT, b"x"), &[403]),
            _ => with("as a number", plain(NUMBER, 7), &[403]),
        }
        match of_type {
            "Name" => {
                with("no name", held(TEXT, b"a b"), &[227]);
                with("nothing", held(TEXT, b""), &[227]);
                with("too long", held(TEXT, &[b'x'; 129]), &[220]);
            }
            "PublicId" => with("too short", held(BYTES, &[1; 15]), &[403]),
            "IpAddr" => with("of five bytes", held(BYTES, &[1; 5]), &[403]),
            "u32" | "SubjectKind" | "AttributeKind" => {
                with("beyond its type", plain(NUMBER, 1 << 33), &[403, 227])
            }
            "Deadline" => {
                with("long ago", plain(NUMBER, 1), &[217]);
                with("too far ahead", plain(NUMBER, u64::MAX), &[217]);
            }
            _ => {}
        }
    }
    all
}

/// PROPERTY: whatever of a request is missing, twice, unknown, of another kind, ill-formed, too long or cut off is
/// answered by an Error to that request alone, with its code and the field's name; the connection goes on, and
/// nothing happened.
/// TC-82 in part, TC-84 in part: unknown numbers.
#[tokio::test]
async fn bad_requests_are_told_by_their_field() {
    let text = document();
    let (requests, names) = (requests(&text), tags(&text));
    let shown = shown(&text, &requests);
    assert!(shown.len() > 80, "{}", shown.len());
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let position = async || {
        let own = acme.client.check(&query(&[0; 40], "a")).await.expect("an answer").seen;
        (own, operator.check(&query(&[0; 40], "a")).await.expect("an answer").seen)
    };
    let before = position().await;
    let mut raw = Raw::hello(&house, &acme.key).await;
    let (mut id, mut asked) = (1_000, 0);
    for one in &shown {
        let parts = &requests[&one.name].1;
        for (what, fields, codes, tag) in wrongs(one, parts) {
            id += 1;
            raw.write(&frame(one.kind, id, acme.client.command_id().0, &fields)).await;
            let (of, kind, fault) = raw.next().await.expect("an answer");
            let fault = fault.unwrap_or_else(|| panic!("{} {what}: taken", one.name));
            assert_eq!((of, kind), (id, Kind::Error), "{} {what}", one.name);
            assert!(codes.contains(&fault.code), "{} {what}: {fault:?}", one.name);
            if let Some(tag) = tag {
                assert!(
                    fault.detail.contains(&format!("field {}", names[&tag])),
                    "{} {what}: {fault:?}",
                    one.name
                );
            }
            if fault.code == 220 {
                assert_eq!(
                    (fault.named.as_str(), fault.bound),
                    ("NAME_BYTES_MAX", 128),
                    "{} {what}",
                    one.name
                );
            }
            for inside in ["panicked", "src/", "Err("] {
                assert!(!fault.detail.contains(inside), "{} {what}: {fault:?}", one.name);
            }
            asked += 1;
        }
        // Cut off: its frame is whole, and its payload is not.
        let whole = frame(one.kind, 0, acme.client.command_id().0, &one.fields);
        let length = usize::try_from(number(&whole, 0, 4)).expect("small");
        for cut in [0, length / 2, length - 8, length - 1] {
            id += 1;
            raw.write(&framed(one.kind, id, &whole[16..16 + cut])).await;
            raw.expect_fault(id, 403).await;
            asked += 1;
        }
    }
    println!("{asked} bad requests of {} kinds", shown.len());
    assert!(asked > 800, "{asked}");
    assert_eq!(position().await, before);
}
