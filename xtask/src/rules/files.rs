//! F3, F4, F5, F15 and F17: how big a file is, how it opens, that it is used, and its alphabet.

use crate::house::House;
use crate::source::line_of;
use crate::violation::Violation;

/// LIMIT: lines of a file: what a reader takes in without scrolling back ten times.
const LINES_MAX: usize = 600;
/// LIMIT: functions of a file, tests included.
const FUNCTIONS_MAX: usize = 30;
/// LIMIT: lines of a `lib.rs`, which is a table of contents.
const LIB_LINES_MAX: usize = 80;

/// F3: a file has at most 600 lines and 30 functions.
pub(crate) fn size(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        let lines = source.raw.lines().count();
        if lines > LINES_MAX {
            found.push(Violation::new(
                "F3",
                path,
                lines,
                format!("{lines} lines, at most {LINES_MAX}: split it"),
            ));
        }
        let words: Vec<&str> = source.words().map(|(_, word)| word).collect();
        let functions = source.bare.match_indices("fn ").filter(|(at, _)| defines(&source.bare, *at)).count();
        if functions > FUNCTIONS_MAX && words.contains(&"fn") {
            let what = format!("{functions} functions, at most {FUNCTIONS_MAX}: split it");
            found.push(Violation::new("F3", path, 0, what));
        }
    }
    found
}

/// Whether `fn ` at this byte opens a named function.
fn defines(bare: &str, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bare.as_bytes().get(before)).copied();
    let behind = bare.as_bytes().get(at + 3).copied().unwrap_or(b' ');
    !before.is_some_and(crate::lexeme::is_word) && crate::lexeme::is_word(behind)
}

/// F4: the file opens with `//! ` and a sentence of at most two lines.
pub(crate) fn opening(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        let mut lines = source.raw.lines();
        let first = lines.next().unwrap_or_default();
        let second = lines.next().filter(|line| line.starts_with("//! ")).unwrap_or_default();
        let ends = |line: &str| line.trim_end().ends_with(['.', ':', '?', '!']);
        if !(first.starts_with("//! ") && (ends(first) || ends(second) || second.contains(". "))) {
            let what = "open with `//! ` and a sentence of at most two lines that says what lives here";
            found.push(Violation::new("F4", path, 1, what));
        }
    }
    found
}

/// F5: a `lib.rs` holds documents, `mod` and `use`, and nothing else.
pub(crate) fn lib(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in house.tree.sources.iter().filter(|(path, _)| path.ends_with("/src/lib.rs")) {
        let lines = source.raw.lines().count();
        if lines > LIB_LINES_MAX {
            let what = format!("{lines} lines, at most {LIB_LINES_MAX} in a lib.rs");
            found.push(Violation::new("F5", path, lines, what));
        }
        let mut at = 0;
        while let Some((start, item)) = next_item(&source.bare, at) {
            at = start + item.len();
            if !item.starts_with('#') && !is_contents(item) {
                let what = "a lib.rs holds only documents, `mod` and `pub use`: move this into a module";
                found.push(Violation::new("F5", path, line_of(&source.bare, start), what));
            }
        }
    }
    found
}

/// The next attribute or item at or behind `at`.
fn next_item(bare: &str, at: usize) -> Option<(usize, &str)> {
    let tail = bare.get(at..)?;
    let start = at + tail.len() - tail.trim_start().len();
    let tail = bare.get(start..).filter(|tail| !tail.is_empty())?;
    let end = if tail.starts_with('#') {
        let line = tail.find('\n').unwrap_or(tail.len());
        tail.find(']').map_or(line, |close| close + 1)
    } else if tail.starts_with("pub use") || tail.starts_with("use") || tail.starts_with("pub(crate) use") {
        tail.find(';').map_or(tail.len(), |semicolon| semicolon + 1)
    } else {
        crate::source::item_end(tail, 0)
    };
    Some((start, tail.get(..end.max(1))?))
}

fn is_contents(item: &str) -> bool {
    let item = item.strip_prefix("pub").unwrap_or(item).trim_start();
    let item = item.strip_prefix("(crate)").unwrap_or(item).trim_start();
    item.starts_with("use ")
        || item.starts_with("extern crate ")
        || item.starts_with("mod ") && item.ends_with(';')
}

/// F15: every Rust file is reached by a `mod` from a root of its crate.
pub(crate) fn dead(house: &House) -> Vec<Violation> {
    let unreached = house.tree.sources.keys().filter(|path| !house.reached.contains(*path));
    unreached
        .map(|path| Violation::new("F15", path, 0, "no `mod` reaches this file: use it or delete it"))
        .collect()
}

/// F17: code is ASCII; other alphabets stand in comments, documents, locales and tests.
pub(crate) fn ascii(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        if exempt(path) || house.test_files.contains(path) {
            continue;
        }
        let tests = crate::source::test_ranges(&source.bare);
        let strange = source.code.char_indices().find(|(at, letter)| {
            !letter.is_ascii() && !tests.iter().any(|(start, end)| (*start..*end).contains(at))
        });
        if let Some((at, letter)) = strange {
            let what =
                format!("{letter:?} in code: write it as an escape, or keep it to comments and locales");
            found.push(Violation::new("F17", path, line_of(&source.code, at), what));
        }
    }
    found
}

fn exempt(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/locales/") || path == "engine/model/src/identifier.rs"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::{found, manifest};

    /// PROPERTY: one line and one function too many are found, the limit itself is not.
    #[test]
    fn size_is_bounded() {
        let lines = |count: usize| format!("//! A.\n{}", "// b\n".repeat(count - 1));
        assert!(found(size, &[("a/src/lib.rs", &lines(600))]).is_empty());
        assert_eq!(found(size, &[("a/src/lib.rs", &lines(601))]), ["a/src/lib.rs:601"]);
        let functions = |count: usize| "fn f(g: fn(u8)) {}\n".repeat(count);
        assert!(found(size, &[("a/src/lib.rs", &functions(30))]).is_empty());
        assert_eq!(found(size, &[("a/src/lib.rs", &functions(31))]), ["a/src/lib.rs:0"]);
    }

    /// PROPERTY: a file without an opening sentence is found.
    #[test]
    fn files_open_with_a_sentence() {
        for text in ["//! The a.\n", "//! The a\n//! of b.\n", "//! The a\n//! of b. And\n//! more.\n"] {
            assert!(found(opening, &[("a/src/lib.rs", text)]).is_empty(), "{text:?}");
        }
        for text in [
            "",
            "// The a.\n",
            "//! The a\n",
            "//! The\n//! a\n//! b.\n",
            "//! The a\nuse b.\n",
            "\n//! The a.\n",
            "use b;\n",
        ] {
            assert_eq!(found(opening, &[("a/src/lib.rs", text)]), ["a/src/lib.rs:1"], "{text:?}");
        }
    }

    /// PROPERTY: anything but a table of contents in a lib.rs is found.
    #[test]
    fn lib_is_a_table_of_contents() {
        let good =
            "//! A.\n#![doc = \"x\"]\n#[cfg(test)]\nmod tests;\npub mod b;\n/// C.\npub use b::{C, D};\n";
        assert!(found(lib, &[("a/src/lib.rs", good)]).is_empty());
        for bad in ["fn f() {}", "pub struct S;", "mod b { fn f() {} }", "pub const X: u8 = 1;"] {
            let text = format!("{good}{bad}\n");
            assert_eq!(found(lib, &[("a/src/lib.rs", &text)]), ["a/src/lib.rs:8"], "{bad}");
        }
        let long = format!("//! A.\n{}", "mod b;\n".repeat(80));
        assert_eq!(found(lib, &[("a/src/lib.rs", &long)]), ["a/src/lib.rs:81"]);
    }

    /// PROPERTY: a file that no `mod` names is found, whatever folder it hides in.
    #[test]
    fn unused_files_are_dead() {
        let files = [
            ("a/Cargo.toml", &*manifest("a", "")),
            ("a/src/lib.rs", "//! A.\nmod b;\n#[path = \"d/e.rs\"]\nmod other;\n#[cfg(test)]\nmod tests;\n"),
            ("a/src/b/mod.rs", "//! B.\npub(crate) mod c;\n// mod gone;\n"),
            ("a/src/b/c.rs", "//! C.\n"),
            ("a/src/d/e.rs", "//! E.\n"),
            ("a/src/tests.rs", "//! T.\n"),
            ("a/src/bin/f.rs", "//! F.\n"),
            ("a/tests/g.rs", "//! G.\nmod h;\n"),
            ("a/tests/h/mod.rs", "//! H.\n"),
            ("a/src/b/gone.rs", "//! Gone.\n"),
            ("i/Cargo.toml", &*manifest("i", "")),
            ("i/src/lib.rs", "//! I.\n"),
            ("i/tests/all.rs", "//! All.\nmod j;\n"),
            ("i/tests/j.rs", "//! J.\n"),
            ("i/tests/forgotten.rs", "//! Run by nobody.\n"),
        ];
        assert_eq!(found(dead, &files), ["a/src/b/gone.rs:0", "i/tests/forgotten.rs:0"]);
    }

    /// PROPERTY: another alphabet is found in code and in texts, not in comments and tests.
    #[test]
    fn code_is_ascii() {
        let good = "//! \u{d7}.\n// \u{e9}\n#[cfg(test)]\nmod tests { const A: &str = \"\u{e9}\"; }\n";
        assert!(found(ascii, &[("a/src/lib.rs", good)]).is_empty());
        let bad = "//! A.\nconst A: &str = \"\u{e9}\";\n";
        assert_eq!(found(ascii, &[("a/src/lib.rs", bad)]), ["a/src/lib.rs:2"]);
        assert!(found(ascii, &[("engine/model/src/identifier.rs", bad)]).is_empty());
    }
}
