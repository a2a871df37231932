//! F12 and F14: tables of the store are versioned and declared in one place; golden texts are current.

use crate::golden;
use crate::house::House;
use crate::source::line_of;
use crate::violation::Violation;

/// The one file that declares tables.
const SCHEMA: &str = "storage/src/checkpoint/schema.rs";

/// F12: every table's name ends in `_v` and a number and stands in the schema.
pub(crate) fn tables(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, source) in &house.tree.sources {
        let home = path.starts_with("storage/");
        if !home || house.test_files.contains(path) {
            continue;
        }
        let tests = crate::source::test_ranges(&source.bare);
        for (at, needle) in source.code.match_indices("TableDefinition::new(") {
            if tests.iter().any(|(start, end)| (*start..*end).contains(&at)) {
                continue;
            }
            let line = line_of(&source.code, at);
            if path != SCHEMA {
                found.push(Violation::new("F12", path, line, format!("declare tables in {SCHEMA}")));
            }
            let tail = source.code.get(at + needle.len()..).unwrap_or_default().trim_start();
            let name = tail.strip_prefix('"').and_then(|tail| tail.split('"').next()).unwrap_or_default();
            let digits = name.rsplit_once("_v").map_or("", |(_, digits)| digits);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                let what = format!("table {name:?}: end its name in _v and a number");
                found.push(Violation::new("F12", path, line, what));
            }
        }
    }
    found
}

/// F14: every golden text is there and says what the code says.
pub(crate) fn golden(house: &House) -> Vec<Violation> {
    let missing = golden::TESTED.iter().filter(|path| house.tree.text(path).is_none());
    let mut found: Vec<Violation> =
        missing.map(|path| Violation::new("F14", path, 0, "is missing: its crate's test makes it")).collect();
    for surface in golden::SURFACES {
        let Some(expected) = golden::text(surface, &house.tree) else {
            let what = format!("a source is missing: {:?}", surface.sources);
            found.push(Violation::new("F14", surface.path, 0, what));
            continue;
        };
        match house.tree.text(surface.path) {
            None => found.push(Violation::new("F14", surface.path, 0, "is missing: cargo xtask gen")),
            Some(text) if text != expected => {
                let same =
                    text.lines().zip(expected.lines()).take_while(|(left, right)| left == right).count();
                let what =
                    format!("differs from {:?}: cargo xtask gen, and name the change", surface.sources);
                found.push(Violation::new("F14", surface.path, same + 1, what));
            }
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::found;

    /// PROPERTY: a table without a version or outside the schema is found.
    #[test]
    fn tables_are_versioned_and_declared() {
        let row = |name: &str| {
            format!("//! A.\nconst T: TableDefinition<u8, u8> = TableDefinition::new(\"{name}\");\n")
        };
        assert!(found(tables, &[(SCHEMA, &row("bucket_v1"))]).is_empty());
        for bad in ["bucket", "bucket_v", "bucket_v1b"] {
            assert_eq!(found(tables, &[(SCHEMA, &row(bad))]), [format!("{SCHEMA}:2")], "{bad}");
        }
        assert_eq!(found(tables, &[("storage/src/rows.rs", &row("rows_v1"))]), ["storage/src/rows.rs:2"]);
    }

    /// PROPERTY: a golden text that is missing or old is found.
    #[test]
    fn golden_texts_are_current() {
        let source = "//! A.\n/// LIMIT: two.\npub const A: u8 = 2;\n";
        let paths = golden::SURFACES.iter().flat_map(|surface| surface.sources);
        let mut files: Vec<(&str, &str)> = paths.map(|path| (*path, source)).collect();
        assert_eq!(found(golden, &files).len(), golden::SURFACES.len() + golden::TESTED.len());
        files.extend(golden::TESTED.iter().map(|path| (*path, "")));
        assert_eq!(found(golden, &files).len(), golden::SURFACES.len());
        let planted = crate::tree::planted::Planted::new(&files);
        let tree = crate::tree::Tree::read(planted.path()).expect("a tree");
        let texts: Vec<String> =
            golden::SURFACES.iter().map(|surface| golden::text(surface, &tree).expect("whole")).collect();
        files.extend(golden::SURFACES.iter().zip(&texts).map(|(surface, text)| (surface.path, &**text)));
        assert!(found(golden, &files).is_empty());
        let limits = golden::SURFACES[0].path;
        files.retain(|(path, _)| *path != limits);
        files.push((limits, "old\n"));
        assert_eq!(found(golden, &files), [format!("{limits}:1")]);
        files.retain(|(path, _)| !golden::SURFACES.iter().any(|surface| surface.sources.contains(path)));
        assert_eq!(found(golden, &files).len(), golden::SURFACES.len());
    }
}
