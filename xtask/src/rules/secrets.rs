//! F19: types that hold secrets are not printed, not serialised and not compared with `==`.

use crate::house::House;
use crate::source::{finds, line_of};
use crate::violation::Violation;

/// Types that hold secrets, by name; whatever ends in `Secret` is one too.
const SECRETS: &[&str] = &["Private", "Key", "TenantKeys", "Entropy", "RootKey"];
/// What would print, serialise or compare them.
const FORBIDDEN: &[&str] = &["Debug", "Display", "Serialize", "PartialEq", "Eq", "PartialOrd", "Ord"];

/// F19: no derive and no `impl` of a forbidden trait for a secret type.
pub(crate) fn secrets(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in house.tree.sources.keys() {
        let live = house.live(path);
        for (at, needle) in live.match_indices("struct ") {
            let name = name_at(live, at + needle.len());
            if !is_secret(name) {
                continue;
            }
            for word in FORBIDDEN.iter().filter(|word| !finds(derives_above(live, at), word).is_empty()) {
                found.push(told(path, line_of(live, at), name, word));
            }
        }
        for (at, needle) in live.match_indices(" for ") {
            let name = name_at(live, at + needle.len());
            let head = live.get(..at).and_then(|head| head.rsplit('\n').next()).unwrap_or_default();
            let word = head.rsplit([':', ' ']).next().unwrap_or_default();
            if head.trim_start().starts_with("impl") && is_secret(name) && FORBIDDEN.contains(&word) {
                found.push(told(path, line_of(live, at), name, word));
            }
        }
    }
    found
}

fn told(path: &str, line: usize, name: &str, word: &str) -> Violation {
    let what = format!("{name} holds a secret: no {word}; compare in constant time, print nothing");
    Violation::new("F19", path, line, what)
}

fn is_secret(name: &str) -> bool {
    SECRETS.contains(&name) || name.len() > 6 && name.ends_with("Secret")
}

fn name_at(text: &str, at: usize) -> &str {
    let tail = text.get(at..).unwrap_or_default();
    tail.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default()
}

/// The attributes directly above the item whose keyword is at `at`.
fn derives_above(live: &str, at: usize) -> &str {
    let head = live.get(..at).unwrap_or_default();
    let start = head.rfind([';', '}', '{']).map_or(0, |end| end + 1);
    head.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::found;

    /// PROPERTY: whatever prints, serialises or compares a secret is found; other types may do so.
    /// TC-120 in part: types of secrets.
    #[test]
    fn printed_secrets_are_found() {
        let good = "//! A.\n#[derive(Debug)]\nstruct Open;\n#[derive(Clone)]\npub struct Key([u8; 4]);\nimpl Hash for Key {}\nimpl Debug for Open {}\n";
        assert!(found(secrets, &[("a/src/b.rs", good)]).is_empty());
        for bad in [
            "#[derive(Clone, Debug)]\nstruct Private(u8);",
            "struct OneSecret;\nimpl std::fmt::Display for OneSecret {}",
            "\n#[derive(Eq)] struct Key;",
        ] {
            let text = format!("//! A.\n{bad}\n");
            assert_eq!(found(secrets, &[("a/src/b.rs", &text)]), ["a/src/b.rs:3"], "{bad}");
        }
    }
}
