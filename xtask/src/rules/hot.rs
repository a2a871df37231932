//! F11 and F21: what may not stand on the read path, and on the paths of bytes from outside.

use crate::house::House;
use crate::lexeme::is_word;
use crate::source::{finds, line_of};
use crate::tree::inside;
use crate::violation::Violation;

/// Files of which every function may run inside a check.
const HOT: &[&str] = &["engine/src/check.rs", "engine/policy/src/evaluate.rs"];
/// What allocates, waits or locks.
const COSTLY: &[&str] = &[
    "async",
    "await",
    "Vec::new",
    "vec!",
    "format!",
    ".to_string()",
    ".to_owned()",
    ".to_vec()",
    "Box::new",
    "String::new",
    "String::from",
    ".collect()",
    ".collect::",
    ".lock()",
    "Mutex",
    "RwLock",
    "Arc::new",
];
/// Folders and files where bytes from outside are read.
const INPUT: &[&str] = &["transport/wire/src", "transport/src", "storage/src/record"];
const INPUT_FILES: &[&str] =
    &["engine/model/src/handle.rs", "engine/model/src/identifier.rs", "storage/src/record.rs"];
/// What ends the process on a surprise.
const SURPRISES: &[&str] = &[".unwrap()", ".expect(", ".unwrap_err()", "panic!", "unreachable!", "assert!"];

/// F11: the read path allocates nothing, waits for nothing and locks nothing.
pub(crate) fn hot(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in HOT {
        if !house.tree.sources.contains_key(*path) {
            let what =
                "the read path lives here: keep the file, or draw the new one in xtask/src/rules/hot.rs";
            found.push(Violation::new("F11", path, 0, what));
        }
        let live = house.live(path);
        for word in COSTLY {
            for line in finds(live, word) {
                found.push(Violation::new(
                    "F11",
                    path,
                    line,
                    format!("{word} on the read path: a check costs nothing"),
                ));
            }
        }
    }
    found
}

/// F21: nothing on the paths of bytes from outside may end the process.
pub(crate) fn input(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for path in house.tree.sources.keys() {
        if !INPUT_FILES.contains(&path.as_str()) && !INPUT.iter().any(|folder| inside(path, folder)) {
            continue;
        }
        let live = house.live(path);
        for word in SURPRISES {
            for line in finds(live, word) {
                if *word == "assert!" && is_of_compiler(live, line) {
                    continue;
                }
                let what = format!("{word} on an input path: answer with a typed error");
                found.push(Violation::new("F21", path, line, what));
            }
        }
        for at in indexings(live) {
            let what = "an index on an input path: use .get(..) or split_at_checked";
            found.push(Violation::new("F21", path, line_of(live, at), what));
        }
    }
    found
}

/// Whether what stands there is looked at while it is compiled, and never while it runs.
fn is_of_compiler(live: &str, line: usize) -> bool {
    let text = live.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    text.contains("const _: () = assert!") || text.contains("const { assert!")
}

/// Places where `[` indexes something: it touches a name, a call or another index.
fn indexings(live: &str) -> Vec<usize> {
    let bytes = live.as_bytes();
    live.match_indices('[')
        .map(|(at, _)| at)
        .filter(|at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied();
            before.is_some_and(|byte| is_word(byte) || matches!(byte, b')' | b']' | b'?'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::found;

    const EVALUATE: (&str, &str) = ("engine/policy/src/evaluate.rs", "//! E.\n");

    /// PROPERTY: whatever allocates, waits or locks is found on the read path, its tests apart.
    #[test]
    fn costs_on_the_read_path_are_found() {
        let good = "//! C.\nfn check() { awaiting(); \"format!\"; }\n#[cfg(test)]\nmod tests { fn a() { vec![1]; } }\n";
        assert!(found(hot, &[("engine/src/check.rs", good), EVALUATE]).is_empty());
        for bad in ["async fn f() {}", "x.await", "Vec::new()", "format!(\"a\")", "a.to_string()", "b.lock()"]
        {
            let text = format!("//! C.\nfn f() {{ {bad}; }}\n");
            assert_eq!(
                found(hot, &[("engine/src/check.rs", &text), EVALUATE]),
                ["engine/src/check.rs:2"],
                "{bad}"
            );
        }
        assert_eq!(found(hot, &[EVALUATE]), ["engine/src/check.rs:0"]);
    }

    /// PROPERTY: what can end the process is found on an input path, and only there.
    #[test]
    fn surprises_on_input_paths_are_found() {
        let good = "//! A.\n#[derive(Debug)]\nfn f(a: &[u8], b: [u8; 4]) -> Vec<[u8; 2]> { let [c, d] = e else { return }; matches!(x, [1]); a.get(..2) }\n#[cfg(test)]\nmod tests { fn a() { b[0].unwrap(); } }\n";
        assert!(found(input, &[("transport/wire/src/frame.rs", good)]).is_empty());
        for bad in ["a.unwrap()", "a.expect(\"b\")", "a[0]", "f(x)[1]", "a[0..2]", "unreachable!()"] {
            let text = format!("//! A.\nfn f() {{ {bad}; }}\n");
            let path = "transport/wire/src/frame.rs";
            assert_eq!(found(input, &[(path, &text)]), [format!("{path}:2")], "{bad}");
            assert!(found(input, &[("bench/src/main.rs", &text)]).is_empty());
        }
        // What the compiler looks at excuses nothing beside it.
        for (code, bad) in [
            ("const { assert!(A) };", false),
            ("const { assert!(A) }; b.unwrap();", true),
            ("assert!(a);", true),
        ] {
            let text = format!("//! A.\nfn f() {{ {code} }}\n");
            assert_eq!(!found(input, &[("transport/wire/src/frame.rs", &text)]).is_empty(), bad, "{code}");
        }
    }
}
