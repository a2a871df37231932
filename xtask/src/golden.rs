//! `cargo xtask gen`: the golden texts in docs, made from the sources that they mirror.
//!
//! A change of public behaviour is then a readable difference in a text file, and tidy (F14) asks for it.

use crate::cases::{self, Catalogue};
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
    /// How it is made.
    make: Make,
}

/// How a golden text is made.
enum Make {
    /// The constants of the sources, below this line.
    Constants(&'static str),
    /// The cases of a catalogue, with the tests that carry their ids.
    Cases(&'static Catalogue),
}

/// All golden texts that are made here.
pub(crate) const SURFACES: &[Surface] = &[
    Surface {
        path: "docs/surface/limits.txt",
        sources: &["engine/model/src/limits.rs"],
        make: Make::Constants("Limits (engine/model/src/limits.rs): name, value, why."),
    },
    Surface {
        path: "docs/surface/metrics.txt",
        sources: &["node/src/metric.rs"],
        make: Make::Constants("Metrics (node/src/metric.rs): name, labels and meaning."),
    },
    Surface {
        path: "docs/surface/exit-codes.txt",
        sources: &["node/src/exit.rs"],
        make: Make::Constants("Exit codes of `tessera` (node/src/exit.rs): name, number, meaning."),
    },
    Surface {
        path: cases::THREATS.document,
        sources: &[cases::THREATS.data],
        make: Make::Cases(&cases::THREATS),
    },
    Surface { path: cases::FIELD.document, sources: &[cases::FIELD.data], make: Make::Cases(&cases::FIELD) },
];

/// Golden texts that a test of their own crate makes and compares (the wire's kinds, layouts and codes).
pub(crate) const TESTED: &[&str] = &[
    "docs/surface/wire.txt",
    "docs/surface/codes.txt",
    "docs/surface/openapi.json",
    "docs/surface/permissions.txt",
];

/// The text of `surface`, or nothing when one of its sources is missing.
pub(crate) fn text(surface: &Surface, tree: &Tree) -> Option<String> {
    match surface.make {
        Make::Constants(head) => {
            let mut text = format!("{head}\nMade by `cargo xtask gen`; do not edit.\n\n");
            for path in surface.sources {
                text.push_str(&constants(tree.sources.get(*path)?));
            }
            Some(text)
        }
        Make::Cases(catalogue) => cases::document(catalogue, tree),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: constants of every written shape become one line each.
    #[test]
    fn sources_become_lines() {
        let limits = Source::new(
            "//! L.\n\n/// LIMIT: two,\n/// for a reason.\npub const A: u8 = 1 << 1;\nconst B: &str = \"b\";\n",
        );
        assert_eq!(constants(&limits), "A = 1 << 1: LIMIT: two, for a reason.\nB = \"b\":\n");
    }
}
