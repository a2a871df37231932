//! F6 to F9: words with another name here, empty suffixes, unexplained limits, unfinished work.

use crate::house::House;
use crate::source::words as words_of;
use crate::violation::Violation;
use std::collections::{BTreeMap, BTreeSet};

/// Parts of identifiers that have another word here (docs/glossary.md).
const BANNED: &[(&str, &str)] = &[
    ("realm", "tenant"),
    ("principal", "subject"),
    ("login", "sign_in"),
    ("logout", "revoke or end"),
    ("acl", "relation"),
    ("sudo", "elevation"),
    ("gatekeeper", "check"),
    ("ticket", "session"),
];
/// Whole identifiers that say too little.
const BANNED_WHOLE: &[(&str, &str)] = &[("auth", "authentication or authorization")];
/// Last parts of a defined name that say nothing.
const SUFFIXES: &[&str] =
    &["manager", "util", "utils", "handler", "service", "common", "misc", "helper", "helpers"];
const DEFINING: &[&str] = &["fn", "struct", "enum", "trait", "type", "mod", "const", "static", "union"];
const LIMITS: &str = "engine/model/src/limits.rs";
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// The lower-case parts of a name: `OpenSession` and `open_session` are open, session.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut lower = true;
    for letter in name.chars() {
        if letter == '_' {
            lower = true;
            parts.push(String::new());
            continue;
        }
        if parts.is_empty()
            || letter.is_uppercase() && lower && parts.last().is_some_and(|part| !part.is_empty())
        {
            parts.push(String::new());
        }
        lower = !letter.is_uppercase();
        if let Some(part) = parts.last_mut() {
            part.extend(letter.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The names that `code` defines, with line and the word that defines them.
fn definitions(code: &str) -> Vec<(usize, &str, &str)> {
    let words: Vec<(usize, &str)> = words_of(code).collect();
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs
        .filter(|((_, keyword), _)| DEFINING.contains(keyword))
        .filter(|(_, (_, name))| !DEFINING.contains(name) && *name != "unsafe" && *name != "mut")
        .map(|((line, keyword), (_, name))| (*line, *keyword, *name))
        .collect()
}

/// F6: banned words in the names that we define, and `get_`.
pub(crate) fn banned(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        for (line, keyword, name) in definitions(&source.bare) {
            let parts = parts(name);
            let part = BANNED.iter().find(|(word, _)| parts.iter().any(|part| part == word));
            let whole = BANNED_WHOLE.iter().find(|(word, _)| name.eq_ignore_ascii_case(word));
            if let Some((word, instead)) = part.or(whole) {
                found.push(Violation::new("F6", path, line, format!("{name}: say {instead}, not {word}")));
            }
            if keyword == "fn" && name.starts_with("get_") {
                found.push(Violation::new("F6", path, line, format!("{name}: leave out get_")));
            }
        }
    }
    found
}

/// F7: names that end in a word without meaning, and numbers for generations.
pub(crate) fn suffixes(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, source) in &house.tree.sources {
        let folder = house.crate_of(path).map_or("", |one| one.folder.as_str());
        names.entry(folder).or_default().extend(definitions(&source.live).iter().map(|(.., name)| *name));
    }
    for (path, source) in &house.tree.sources {
        let folder = house.crate_of(path).map_or("", |one| one.folder.as_str());
        for (line, _, name) in definitions(&source.live) {
            let last = parts(name).pop().unwrap_or_default();
            if SUFFIXES.contains(&last.as_str()) {
                found.push(Violation::new(
                    "F7",
                    path,
                    line,
                    format!("{name}: {last} says nothing, name what it is"),
                ));
            }
            let base =
                name.trim_end_matches(|letter: char| ('2'..='9').contains(&letter)).trim_end_matches("_v");
            let version =
                name.len() > base.len() && name.get(base.len()..).is_some_and(|tail| tail.len() < 4);
            if version && names.get(folder).is_some_and(|names| names.contains(base)) {
                let what =
                    format!("{name} beside {base}: delete the old one, or give the new one its own noun");
                found.push(Violation::new("F7", path, line, what));
            }
        }
    }
    for path in house.tree.sources.keys() {
        let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let last = parts(stem).pop().unwrap_or_default();
        if SUFFIXES.contains(&last.as_str()) {
            found.push(Violation::new(
                "F7",
                path,
                0,
                format!("{stem}.rs: {last} says nothing, name what it is"),
            ));
        }
    }
    found
}

/// F8: a limit stands in model/limits or is explained by a `LIMIT:` line; `unsafe` by `SAFETY:`.
pub(crate) fn limits(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        let raw: Vec<&str> = source.raw.lines().collect();
        for (line, keyword, name) in definitions(house.live(path)) {
            let limit = keyword == "const" && (name.ends_with("_MAX") || path == LIMITS);
            if limit && !comment_above(&raw, line).contains("LIMIT:") {
                let what = format!("{name}: explain the number in a LIMIT: line, or move it to {LIMITS}");
                found.push(Violation::new("F8", path, line, what));
            }
        }
        for (line, _) in words_of(&source.bare).filter(|(_, word)| *word == "unsafe") {
            if !comment_above(&raw, line).contains("SAFETY:") {
                found.push(Violation::new("F8", path, line, "an unsafe block needs a SAFETY: line"));
            }
        }
    }
    found
}

/// The comments and attributes that stand directly above `line` (from 1).
fn comment_above(raw: &[&str], line: usize) -> String {
    let above = raw.get(..line.saturating_sub(1)).unwrap_or_default();
    let comments = above.iter().rev().map(|text| text.trim_start());
    comments.take_while(|text| text.starts_with("//") || text.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// F9: no unfinished work on the main branch: an issue or nothing.
pub(crate) fn unfinished(house: &House) -> Vec<Violation> {
    let rust = house.tree.sources.iter().map(|(path, source)| (path, source.raw.as_str()));
    let texts = house.tree.texts.iter().map(|(path, text)| (path, text.as_str()));
    let mut found = Vec::new();
    for (path, text) in rust.chain(texts) {
        for word in UNFINISHED {
            for line in crate::source::finds(text, word) {
                found.push(Violation::new("F9", path, line, format!("{word}: file an issue or do it")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::found;

    /// PROPERTY: names are cut into their words, whatever their case.
    #[test]
    fn names_have_parts() {
        assert_eq!(parts("OpenSession"), ["open", "session"]);
        assert_eq!(parts("open_session_MAX"), ["open", "session", "max"]);
        assert_eq!(parts("HTTPDoor"), ["httpdoor"]);
    }

    /// PROPERTY: a banned word is found in what we define, not in what we use.
    #[test]
    fn banned_words_are_found() {
        let good = "//! A.\nuse x::login;\nfn sign_in() { login(); let auth_time = 1; }\nfn target() {}\n";
        assert!(found(banned, &[("a/src/b.rs", good)]).is_empty());
        for bad in ["fn do_login() {}", "struct RealmId;", "mod auth {}", "fn get_name() {}", "enum Acl {}"] {
            let text = format!("//! A.\n{bad}\n");
            assert_eq!(found(banned, &[("a/src/b.rs", &text)]), ["a/src/b.rs:2"], "{bad}");
        }
    }

    /// PROPERTY: empty suffixes and generations are found, in names and in files.
    #[test]
    fn empty_suffixes_are_found() {
        let good = "//! A.\nuse t::Service;\nfn blake3() {}\nfn u64() {}\nconst X25519: u8 = 1;\n";
        assert!(found(suffixes, &[("a/src/b.rs", good)]).is_empty());
        for bad in
            ["struct TenantManager;", "mod util {}", "trait RowHelper {}", "fn check() {} fn check2() {}"]
        {
            let text = format!("//! A.\n{bad}\n");
            assert_eq!(found(suffixes, &[("a/src/b.rs", &text)]), ["a/src/b.rs:2"], "{bad}");
        }
        assert_eq!(found(suffixes, &[("a/src/utils.rs", "//! A.\n")]), ["a/src/utils.rs:0"]);
    }

    /// PROPERTY: a limit without its reason is found, also in the file of limits.
    #[test]
    fn limits_are_explained() {
        let good = "//! A.\n/// LIMIT: two.\n#[cfg(x)]\nconst A_MAX: u8 = 2;\n";
        assert!(found(limits, &[("a/src/b.rs", good)]).is_empty());
        let bad = "//! A.\n/// Two.\nconst A_MAX: u8 = 2;\n";
        assert_eq!(found(limits, &[("a/src/b.rs", bad)]), ["a/src/b.rs:3"]);
        assert_eq!(found(limits, &[(LIMITS, "//! A.\n/// Two.\npub const A: u8 = 2;\n")]).len(), 1);
        assert_eq!(found(limits, &[("a/src/b.rs", "//! A.\nunsafe fn f() {}\n")]), ["a/src/b.rs:2"]);
    }

    /// PROPERTY: unfinished work is found in code, comments and documents.
    #[test]
    fn unfinished_work_is_found() {
        let [first, second] = UNFINISHED else { panic!("two words") };
        let code = format!("//! A.\n// {first}: later\n");
        let text = format!("# A\n{second}\n");
        assert_eq!(found(unfinished, &[("a/src/b.rs", &code), ("c.md", &text)]), ["a/src/b.rs:2", "c.md:2"]);
        assert!(found(unfinished, &[("c.md", "# A todo list\n")]).is_empty());
    }
}
