//! `cargo xtask gen`: the golden texts in docs/surface/, made from the sources that they mirror.
//!
//! A change of public behaviour is then a readable difference in a text file, and tidy (F14) asks for it.

use crate::source::Source;
use crate::tree::Tree;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// One golden text.
pub(crate) struct Surface {
    /// Where the text stands.
    pub(crate) path: &'static str,
    /// The files that it is made from.
    pub(crate) sources: &'static [&'static str],
    /// Its first lines.
    head: &'static str,
    /// How one file becomes lines.
    make: fn(&Source) -> String,
}

/// All golden texts that are made here.
pub(crate) const SURFACES: &[Surface] = &[
    Surface {
        path: "docs/surface/limits.txt",
        sources: &["engine/model/src/limits.rs"],
        head: "Limits (engine/model/src/limits.rs): name, value, why.",
        make: constants,
    },
    Surface {
        path: "docs/surface/codes.txt",
        sources: &["engine/model/src/decision.rs", "engine/model/src/refusal.rs", "engine/model/src/code.rs"],
        head: "Codes (append-only): 1xx deny reasons, 2xx refusals, 3xx retry, 4xx protocol, 5xx unknown or failed.",
        make: codes,
    },
    Surface {
        path: "docs/surface/metrics.txt",
        sources: &["node/src/metric.rs"],
        head: "Metrics (node/src/metric.rs): name, labels and meaning.",
        make: constants,
    },
    Surface {
        path: "docs/surface/exit-codes.txt",
        sources: &["node/src/exit.rs"],
        head: "Exit codes of `tessera` (node/src/exit.rs): name, number, meaning.",
        make: constants,
    },
];

/// The text of `surface`, or nothing when one of its sources is missing.
pub(crate) fn text(surface: &Surface, tree: &Tree) -> Option<String> {
    let mut text = format!("{}\nMade by `cargo xtask gen`; do not edit.\n\n", surface.head);
    for path in surface.sources {
        text.push_str(&(surface.make)(tree.sources.get(*path)?));
    }
    Some(text)
}

/// Writes every golden text anew.
pub(crate) fn run(root: &Path) -> io::Result<ExitCode> {
    let tree = Tree::read(root)?;
    let mut missing = false;
    for surface in SURFACES {
        let path = root.join(surface.path);
        if let Some(text) = text(surface, &tree) {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&path, text)?;
            writeln!(io::stdout(), "wrote {}", surface.path)?;
        } else {
            missing = true;
            writeln!(io::stderr(), "{}: a source of {:?} is missing", surface.path, surface.sources)?;
        }
    }
    Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `NAME = value: documentation` for every constant that is a number or a text.
fn constants(source: &Source) -> String {
    let mut lines = String::new();
    let mut document = String::new();
    for line in source.raw.lines() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix("/// ") {
            document = format!("{document} {}", comment.trim());
        } else if let Some((name, value)) = constant(line) {
            lines.push_str(&format!("{name} = {value}:{document}\n"));
            document.clear();
        } else if !line.starts_with("#[") {
            document.clear();
        }
    }
    lines
}

/// Name and value of `const NAME: T = value;` on one line.
fn constant(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let (name, rest) = line.strip_prefix("const ")?.split_once(':')?;
    let (_, value) = rest.split_once('=')?;
    Some((name.trim(), value.trim().strip_suffix(';')?))
}

/// `number name` for every line of a table of codes.
fn codes(source: &Source) -> String {
    let mut rows: Vec<(u32, String)> = Vec::new();
    for line in source.raw.lines().map(str::trim) {
        let row = macro_row(line).or_else(|| match_row(line)).or_else(|| {
            let (name, value) = constant(line)?;
            Some((value.parse().ok()?, name.to_owned()))
        });
        rows.extend(row);
    }
    rows.sort();
    rows.iter().map(|(number, text)| format!("{number:03} {text}\n")).collect()
}

/// `Name = 100, "text";`
fn macro_row(line: &str) -> Option<(u32, String)> {
    let (name, rest) = line.split_once(" = ")?;
    let (number, text) = rest.split_once(", \"")?;
    let text = text.strip_suffix("\";")?;
    Some((number.parse().ok()?, format!("{name}: {text}")))
}

/// `Self::Name => 100,`
fn match_row(line: &str) -> Option<(u32, String)> {
    let (name, number) = line.strip_prefix("Self::")?.split_once(" => ")?;
    Some((number.strip_suffix(',')?.parse().ok()?, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: constants and codes of every written shape become one line each.
    #[test]
    fn sources_become_lines() {
        let limits = Source::new(
            "//! L.\n\n/// LIMIT: two,\n/// for a reason.\npub const A: u8 = 1 << 1;\nconst B: &str = \"b\";\n",
        );
        assert_eq!(constants(&limits), "A = 1 << 1: LIMIT: two, for a reason.\nB = \"b\":\n");
        let table =
            Source::new("//! C.\n  Two = 200, \"two\";\n Self::One => 100,\npub const CODE: u16 = 300;\n");
        assert_eq!(codes(&table), "100 One\n200 Two: two\n300 CODE\n");
    }
}
