//! Walks a payload by its layout alone, without rkyv: what docs/wire.md shows beside each byte.

use crate::kind::Kind;
use crate::surface::LAYOUTS;

/// A run of bytes and what it is.
pub(crate) struct Run {
    pub(crate) at: usize,
    pub(crate) len: usize,
    pub(crate) what: String,
}

pub(crate) fn layout(name: &str) -> &'static [(&'static str, &'static str)] {
    LAYOUTS.iter().find(|(known, _)| *known == name).map(|(_, layout)| *layout).expect("a layout")
}

/// The name of the layout that a kind's payload has.
pub(crate) fn layout_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Receipt | Kind::Rows | Kind::Request(_) => "Fields",
        _ => kind.name(),
    }
}

/// Size and alignment of a type as it lies on the wire.
pub(crate) fn size(kind: &str) -> (usize, usize) {
    match kind {
        "u16" => (2, 2),
        "u32" => (4, 4),
        "u64" => (8, 8),
        _ if kind.starts_with("Vec") => (8, 4),
        _ if kind.starts_with('[') => {
            let count = kind.trim_end_matches(']').rsplit(' ').next().and_then(|text| text.parse().ok());
            (count.expect("a length"), 1)
        }
        _ => {
            let fields = layout(kind).iter().map(|(_, kind)| size(kind));
            fields.fold((0, 1), |(sum, most), (size, align)| (sum + size, most.max(align)))
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The runs of a struct at `at`: its fields, and where its vectors lie.
fn fields(payload: &[u8], at: usize, name: &str, prefix: &str, runs: &mut Vec<Run>) {
    let mut place = at;
    for (field, kind) in layout(name) {
        let (len, align) = size(kind);
        assert_eq!(place % align, 0, "{name}.{field} is not aligned without padding");
        let bytes = &payload[place..place + len];
        let what = if kind.starts_with("Vec") {
            let offset = i32::from_le_bytes(bytes[..4].try_into().expect("4"));
            let count = usize::try_from(number(&bytes[4..])).expect("small");
            let start = place.checked_add_signed(offset as isize).expect("inside");
            vector(payload, start, count, kind, &format!("{prefix}{field}"), runs);
            format!("{prefix}{field}: at {offset:+}, {count} long")
        } else if kind.starts_with('[') {
            format!("{prefix}{field}")
        } else {
            format!("{prefix}{field} = {}", number(bytes))
        };
        runs.push(Run { at: place, len, what });
        place += len;
    }
}

fn vector(payload: &[u8], start: usize, count: usize, kind: &str, name: &str, runs: &mut Vec<Run>) {
    let item = kind.trim_start_matches("Vec<").trim_end_matches('>').trim();
    if count == 0 {
        return;
    }
    if item == "u8" {
        let text: String = payload[start..start + count]
            .iter()
            .map(|byte| if (0x20..0x7F).contains(byte) { char::from(*byte) } else { '.' })
            .collect();
        return runs.push(Run { at: start, len: count, what: format!("{name} \"{text}\"") });
    }
    let (len, _) = size(item);
    for nth in 0..count {
        let (at, prefix) = (start + nth * len, format!("{name}[{nth}]"));
        if LAYOUTS.iter().any(|(known, _)| *known == item) {
            fields(payload, at, item, &format!("{prefix}."), runs);
        } else {
            let value = number(&payload[at..at + len]);
            runs.push(Run { at, len, what: format!("{prefix} = {value}") });
        }
    }
}

/// Every byte of a payload, in order; what no field names is padding and must be zero.
pub(crate) fn walk(payload: &[u8], name: &str) -> Vec<Run> {
    let (root, _) = size(name);
    let mut runs = Vec::new();
    fields(payload, payload.len() - root, name, "", &mut runs);
    runs.sort_by_key(|run| run.at);
    let (mut whole, mut place) = (Vec::new(), 0);
    for run in runs {
        if run.at > place {
            whole.push(Run { at: place, len: run.at - place, what: "padding".to_owned() });
        }
        assert!(run.at >= place, "runs overlap");
        place = run.at + run.len;
        whole.push(run);
    }
    assert_eq!(place, payload.len());
    for run in whole.iter().filter(|run| run.what == "padding") {
        assert!(payload[run.at..run.at + run.len].iter().all(|byte| *byte == 0));
    }
    whole
}
