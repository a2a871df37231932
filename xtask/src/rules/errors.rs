//! F10: the shape of errors: a name that says so, and no variant that says nothing.

use crate::house::House;
use crate::source::{item_end, line_of};
use crate::violation::Violation;

const ENDINGS: &[&str] = &["Error", "Refusal", "Reason"];
const EMPTY: &[&str] = &["Other", "Internal", "General", "Misc"];

/// F10: types that implement `Error` end in Error, Refusal or Reason; no catch-all variants.
pub(crate) fn errors(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in house.tree.sources.keys() {
        let live = house.live(path);
        for (at, needle) in live.match_indices("Error for ") {
            let line = live.get(..at).and_then(|head| head.rsplit('\n').next()).unwrap_or_default();
            if !line.trim_start().starts_with("impl") || line.contains("From<") {
                continue;
            }
            let name = word_at(live, at + needle.len());
            if !named_as_error(name) {
                let what = format!("{name} is an error: end its name in Error, Refusal or Reason");
                found.push(Violation::new("F10", path, line_of(live, at), what));
            }
        }
        for (at, needle) in live.match_indices("enum ") {
            let name = word_at(live, at + needle.len());
            if named_as_error(name) {
                variants(path, live, at, name, &mut found);
            }
        }
    }
    found
}

fn named_as_error(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn word_at(text: &str, at: usize) -> &str {
    let tail = text.get(at..).unwrap_or_default();
    let path = tail.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':').next();
    path.unwrap_or_default().rsplit("::").next().unwrap_or_default()
}

/// The variants of the enum at `at`, each judged by its name and payload.
fn variants(path: &str, live: &str, at: usize, name: &str, found: &mut Vec<Violation>) {
    let body = live.get(at..item_end(live, at)).unwrap_or_default();
    let Some(open) = body.find('{') else { return };
    let start = at + open + 1;
    let mut from = start;
    let end = at + body.len() - 1;
    while from < end {
        let text = live.get(from..end).unwrap_or_default();
        let length = item_end(text, 0).max(1);
        let item = text.get(..length).unwrap_or_default();
        let lead = item.len() - item.trim_start().len();
        let trimmed = item.trim().trim_end_matches(',');
        let variant = trimmed.rsplit(']').next().map(str::trim_start).unwrap_or_default();
        let variant = word_at(if trimmed.starts_with('#') { variant } else { trimmed }, 0);
        let line = line_of(live, from + lead);
        if EMPTY.contains(&variant) {
            let what = format!("{name}::{variant} says nothing: name what failed");
            found.push(Violation::new("F10", path, line, what));
        } else if trimmed.ends_with("(String)") {
            let what = format!("{name}::{variant} is only a text: give it typed fields");
            found.push(Violation::new("F10", path, line, what));
        } else if variant.len() > 5 && variant.ends_with("Error") {
            let what = format!("{name}::{variant}: leave out the second Error");
            found.push(Violation::new("F10", path, line, what));
        }
        from += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::found;

    /// PROPERTY: wrong names, catch-all variants and bare texts are found; honest errors are not.
    #[test]
    fn shapeless_errors_are_found() {
        let good = "//! A.\n/// E.\npub enum StoreError {\n    /// F.\n    Journal { doing: &'static str, name: String },\n    Full,\n    #[x(y)]\n    Odd(u8),\n}\nimpl std::error::Error for StoreError {}\nimpl From<Error> for StoreError {}\n";
        assert!(found(errors, &[("a/src/b.rs", good)]).is_empty());
        for bad in ["Other", "Internal(u8)", "Net(String)", "IoError"] {
            let text = format!("//! A.\npub enum StoreError {{\n    Full,\n    {bad},\n}}\n");
            assert_eq!(found(errors, &[("a/src/b.rs", &text)]), ["a/src/b.rs:4"], "{bad}");
        }
        let name = "//! A.\nstruct Broken;\nimpl std::error::Error for Broken {}\n";
        assert_eq!(found(errors, &[("a/src/b.rs", name)]), ["a/src/b.rs:3"]);
    }
}
