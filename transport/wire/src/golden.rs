//! docs/wire.md and docs/surface/{wire,codes}.txt, made anew from the code and compared.
//!
//! `TESSERA_GOLDEN=write cargo test -p tessera-wire` writes them; a difference fails otherwise.

use crate::example::examples;
use crate::fields::FIELD_KINDS;
use crate::frame::{HEADER_BYTES, Header};
use crate::kind::Kind;
use crate::request::RequestKind;
use crate::surface::{LAYOUTS, SHAPES, codes_text, kinds_text};
use crate::tag::Tag;
use crate::walk::{layout_of, size, walk};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Known to builds with planted faults alone: the document says so once.
const PLANTED: &str = "PlantedPanic";

fn docs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn writes() -> bool {
    std::env::var("TESSERA_GOLDEN").is_ok_and(|wish| wish == "write")
}

fn compare(name: &str, made: &str) {
    let path = docs(name);
    if writes() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, made).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(made.lines()).enumerate().find(|(_, (found, made))| found != made);
    assert!(found == made, "{name} is not what the code makes (TESSERA_GOLDEN=write); first: {differs:?}");
}

/// PROPERTY: the golden texts say what the code does.
#[test]
fn surfaces_are_what_the_code_makes() {
    compare("surface/wire.txt", &kinds_text());
    compare("surface/codes.txt", &codes_text());
}

fn lines(text: &mut String, at: usize, bytes: &[u8], what: &str) {
    for (nth, line) in bytes.chunks(16).enumerate() {
        let hex: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let what = if nth == 0 { what } else { "" };
        let line = format!("{:04x}  {:<47}  {what}", at + nth * 16, hex.join(" "));
        writeln!(text, "{}", line.trim_end()).expect("a text");
    }
}

fn examples_text() -> String {
    let mut text = String::new();
    for (name, out) in examples().into_iter().filter(|(name, _)| name != PLANTED) {
        let bytes = out.as_bytes();
        let header = Header::parse(bytes[..HEADER_BYTES].try_into().expect("16")).expect("a header");
        let kind = Kind::from_number(header.kind).expect("a kind");
        let end = HEADER_BYTES + header.len as usize;
        writeln!(text, "### {name}\n\n```text").expect("a text");
        let what =
            format!("len = {}, kind = {}, request_id = {}", header.len, header.kind, header.request_id);
        lines(&mut text, 0, &bytes[..HEADER_BYTES], &what);
        for run in walk(&bytes[HEADER_BYTES..end], layout_of(kind)) {
            let at = HEADER_BYTES + run.at;
            lines(&mut text, at, &bytes[at..at + run.len], &run.what);
        }
        if end < bytes.len() {
            lines(&mut text, end, &bytes[end..], "padding of the frame");
        }
        text.push_str("```\n\n");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn kinds_table() -> String {
    let mut text = String::from("| kind | name | sent by | layout |\n|---|---|---|---|\n");
    for kind in Kind::FIXED {
        let by = if kind.asks() { "caller" } else { "node" };
        writeln!(text, "| {} | {} | {by} | {} |", kind.number(), kind.name(), layout_of(*kind))
            .expect("a text");
    }
    text.push_str("| 0x1001 to 0x1FFF | commands | caller | Fields |\n");
    text.push_str("| 0x2001 to 0x2FFF | lists | caller | Fields |\n");
    text
}

fn layouts_table() -> String {
    let mut text = String::new();
    for (name, layout) in LAYOUTS {
        let (len, align) = size(name);
        writeln!(text, "{name} ({len} bytes, aligned to {align})").expect("a text");
        let mut at = 0;
        for (field, kind) in *layout {
            writeln!(text, "  {at:>3}  {field}: {kind}").expect("a text");
            at += size(kind).0;
        }
        text.push('\n');
    }
    format!("```text\n{}\n```\n", text.trim_end())
}

fn parts_table(rows: &[(String, &'static [(&'static str, &'static str, Tag)])]) -> String {
    let mut text = String::from("| | parts: name, type, tag |\n|---|---|\n");
    for (name, parts) in rows {
        let parts: Vec<_> =
            parts.iter().map(|(part, kind, tag)| format!("{part} `{kind}` {}", tag.number())).collect();
        writeln!(text, "| {name} | {} |", parts.join(", ")).expect("a text");
    }
    text
}

fn made(name: &str) -> String {
    match name {
        "kinds" => kinds_table(),
        "layouts" => layouts_table(),
        "requests" => {
            let shipped = RequestKind::ALL.iter().filter(|kind| kind.name() != PLANTED);
            let rows = shipped.map(|kind| {
                (format!("{:#06x} {} -> {}", kind.number(), kind.name(), kind.answer()), kind.fields())
            });
            parts_table(&rows.collect::<Vec<_>>())
        }
        "shapes" => {
            parts_table(&SHAPES.iter().map(|(name, parts)| ((*name).to_owned(), *parts)).collect::<Vec<_>>())
        }
        "field kinds" => FIELD_KINDS.iter().fold(
            String::from("| kind | name | number and len |\n|---|---|---|\n"),
            |text, (number, name, meaning)| format!("{text}| {number} | {name} | {meaning} |\n"),
        ),
        "tags" => {
            let all: Vec<_> = Tag::ALL.iter().map(|tag| format!("{} {}", tag.number(), tag.name())).collect();
            format!("{}.\n", all.join(", "))
        }
        "examples" => examples_text(),
        other => panic!("nothing makes {other}"),
    }
}

/// PROPERTY: docs/wire.md is byte exact. METHOD: each part between marks is made anew from the code,
/// every example with every byte named by a walk over the layouts that does not use rkyv.
#[test]
fn the_document_is_what_the_code_makes() {
    let text = std::fs::read_to_string(docs("wire.md")).expect("the document");
    let (mut whole, mut rest, mut parts) = (String::new(), text.as_str(), 0);
    while let Some((before, after)) = rest.split_once("<!-- made: ") {
        let (name, after) = after.split_once(" -->").expect("the mark's end");
        let (_, after) = after.split_once("<!-- end -->").expect("the part's end");
        write!(whole, "{before}<!-- made: {name} -->\n\n{}\n<!-- end -->", made(name)).expect("a text");
        (rest, parts) = (after, parts + 1);
    }
    whole.push_str(rest);
    assert_eq!(parts, 7);
    compare("wire.md", &whole);
}
