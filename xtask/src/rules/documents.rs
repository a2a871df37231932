//! F18 and F20: documents have one title and live links, the drawing names every crate, items are explained.

use crate::house::{House, normal};
use crate::violation::Violation;

const DRAWING: &str = "docs/architecture.md";
const ITEMS: &[&str] =
    &["fn", "struct", "enum", "trait", "const", "static", "type", "union", "async", "unsafe"];

/// F18: one title a document, no dead relative link, and every crate's folder in the drawing.
pub(crate) fn documents(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in house.tree.texts.iter().filter(|(path, _)| path.ends_with(".md")) {
        let lines = prose(text);
        let titles: Vec<usize> =
            lines.iter().filter(|(_, line)| line.starts_with("# ")).map(|(number, _)| *number).collect();
        if titles.len() != 1 {
            let line = titles.get(1).copied().unwrap_or(1);
            found.push(Violation::new(
                "F18",
                path,
                line,
                format!("{} titles: a document has one", titles.len()),
            ));
        }
        for (number, line) in &lines {
            for target in links(line).filter(|target| !alive(house, path, target)) {
                found.push(Violation::new("F18", path, *number, format!("dead link {target:?}")));
            }
        }
    }
    match house.tree.text(DRAWING) {
        None => found.push(Violation::new("F18", DRAWING, 0, "is missing")),
        Some(text) => {
            for one in house.crates.iter().filter(|one| !names(text, &one.folder)) {
                let what = format!("does not name the crate folder {}", one.folder);
                found.push(Violation::new("F18", DRAWING, 0, what));
            }
        }
    }
    found
}

/// The lines outside code fences, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((number + 1, line));
        }
    }
    lines
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|tail| tail.split([')', ' ']).next())
}

fn alive(house: &House, path: &str, target: &str) -> bool {
    let file = target.split('#').next().unwrap_or_default();
    if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
        return true;
    }
    // The advisory form of the hosting site stands outside the tree.
    if file.starts_with("../../") && file.contains("security/advisories") {
        return true;
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    house.tree.paths.contains(&normal(&format!("{folder}/{file}")))
}

/// Whether the drawing names `folder`: whole, as `name/` under its parent, or in a brace list `{a, b}`.
fn names(text: &str, folder: &str) -> bool {
    if !crate::source::finds(text, folder).is_empty() {
        return true;
    }
    let Some((parent, name)) = folder.rsplit_once('/') else { return false };
    let listed = text.split(&format!("{parent}/{{")).skip(1).any(|tail| {
        let list = tail.split('}').next().unwrap_or_default();
        list.split(',').any(|item| item.trim() == name)
    });
    listed || !crate::source::finds(text, &format!("{name}/")).is_empty()
}

/// F20: every `pub` item has its sentence (the compiler's lint does not see binaries and macros).
pub(crate) fn items(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        let raw: Vec<&str> = source.raw.lines().collect();
        for (number, line) in house.live(path).lines().enumerate() {
            let Some(rest) = line.trim_start().strip_prefix("pub ") else { continue };
            let mut words = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            if !words.next().is_some_and(|word| ITEMS.contains(&word)) {
                continue;
            }
            if !explained(&raw, number) {
                let what = format!("say what `{}` is, in a `///` sentence", rest.trim_end());
                found.push(Violation::new("F20", path, number + 1, what));
            }
        }
    }
    found
}

/// Whether a doc comment stands above line `number` (from 0), attributes between them apart.
fn explained(raw: &[&str], number: usize) -> bool {
    let above = raw.get(..number).unwrap_or_default().iter().rev().map(|line| line.trim());
    let mut attribute = false;
    for line in above {
        if line.starts_with("///")
            || line.starts_with("#[doc")
            || line.starts_with("$(#[")
            || line.ends_with("*/")
        {
            return true;
        }
        // An attribute over several lines is read from its last line upwards.
        attribute = !line.starts_with("#[") && (attribute || line.ends_with(")]") || line == "]");
        if !attribute && !line.starts_with("#[") && !line.starts_with("//") {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::{found, manifest};

    /// PROPERTY: a second title, a dead link and a crate that is not drawn are found.
    #[test]
    fn documents_are_whole() {
        let drawing = "# House\n```text\n# not a title\n```\n[a](wire.md#part) [b](https://example.org) [c](../a)\nengine/{model, crypto}\n";
        let manifest = manifest("a", "");
        let good = [
            (DRAWING, drawing),
            ("docs/wire.md", "# Wire\n"),
            ("engine/model/Cargo.toml", &*manifest),
            ("a/x.txt", ""),
        ];
        assert!(found(documents, &good).is_empty());
        let mut bad = good.to_vec();
        bad.push(("docs/two.md", "# A\n# B\n[a](gone.md)\n"));
        bad.push(("quay/Cargo.toml", &*manifest));
        assert_eq!(found(documents, &bad), ["docs/architecture.md:0", "docs/two.md:2", "docs/two.md:3"]);
        assert_eq!(found(documents, &[("docs/wire.md", "# Wire\n")]), ["docs/architecture.md:0"]);
    }

    /// PROPERTY: a public item without a sentence is found, whatever stands between.
    #[test]
    fn public_items_are_explained() {
        let good = "//! A.\n/// B.\n#[derive(Debug)]\n#[expect(\n    x,\n    reason = \"y\"\n)]\npub struct B;\npub use c;\npub mod d;\npub(crate) fn e() {}\n#[cfg(test)]\nmod t { pub fn f() {} }\n";
        assert!(found(items, &[("a/src/b.rs", good)]).is_empty());
        for bad in ["pub fn f() {}", "#[must_use]\npub const fn f() {}", "// No.\npub enum E {}"] {
            let text = format!("//! A.\nuse x;\n{bad}\n");
            assert_eq!(found(items, &[("a/src/b.rs", &text)]).len(), 1, "{bad}");
        }
    }
}
