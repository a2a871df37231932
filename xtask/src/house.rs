//! What the rules judge: the files, the crates, the drawn floors and which files are tests.

use crate::crates::{self, Crate};
use crate::source::test_ranges;
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use toml::{Table, Value};

/// A package with more than one home, and the reason.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The package.
    pub(crate) package: String,
    /// The crate folders that import it.
    pub(crate) crates: BTreeSet<String>,
    /// Why it has several homes.
    pub(crate) why: String,
}

/// `xtask/floors.toml`: the house as it is drawn.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    /// Floor by crate folder.
    pub(crate) floors: BTreeMap<String, i64>,
    /// Crates that stand outside and import none.
    pub(crate) outside: BTreeSet<String>,
    /// Instruments that nobody imports: their packages have no home there.
    pub(crate) tools: BTreeSet<String>,
    /// Packages with more than one home.
    pub(crate) shared: Vec<Shared>,
    /// Packages that any crate may use for its tests.
    pub(crate) development: BTreeSet<String>,
    /// Files that may be read by another crate through `#[path]`: target file → crate folder.
    pub(crate) borrowed: BTreeMap<String, String>,
}

/// Everything that the rules look at.
#[derive(Debug)]
pub(crate) struct House {
    /// The files.
    pub(crate) tree: Tree,
    /// The crates.
    pub(crate) crates: Vec<Crate>,
    /// Manifests that do not parse, with the reason.
    pub(crate) broken: Vec<(String, String)>,
    /// The floors as drawn.
    pub(crate) floors: Floors,
    /// Rust files that some crate's roots reach through `mod`.
    pub(crate) reached: BTreeSet<String>,
    /// Rust files that hold tests only.
    pub(crate) test_files: BTreeSet<String>,
}

impl House {
    /// Reads the house below `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let tree = Tree::read(root)?;
        let (crates, broken) = crates::read(&tree);
        let floors = read_floors(tree.text("xtask/floors.toml").unwrap_or_default());
        let mut house =
            Self { tree, crates, broken, floors, reached: BTreeSet::new(), test_files: BTreeSet::new() };
        house.reach();
        Ok(house)
    }

    /// The crate whose folder holds `path`: the deepest one.
    pub(crate) fn crate_of(&self, path: &str) -> Option<&Crate> {
        self.crates
            .iter()
            .filter(|one| crate::tree::inside(path, &one.folder))
            .max_by_key(|one| one.folder.len())
    }

    /// The code of `path` that is not a test: nothing at all for a file of tests.
    pub(crate) fn live<'a>(&'a self, path: &str) -> &'a str {
        if self.test_files.contains(path) {
            return "";
        }
        self.tree.sources.get(path).map_or("", |source| source.live.as_str())
    }

    /// Follows `mod` from the roots of every crate.
    fn reach(&mut self) {
        let mut waiting: Vec<(String, bool)> = Vec::new();
        for path in self.tree.sources.keys() {
            let Some(one) = self.crate_of(path) else { continue };
            let local = path.strip_prefix(&one.folder).unwrap_or_default().trim_start_matches('/');
            // Where one program holds all tests, the files beside it are parts of it.
            let one_program =
                || self.tree.sources.contains_key(&normal(&format!("{}/{ALL_TESTS}", one.folder)));
            let beside = local.strip_prefix("tests/").is_some_and(|file| !file.contains('/'));
            if beside && local != ALL_TESTS && one_program() {
                continue;
            }
            if let Some(test) = root_kind(local) {
                waiting.push((path.clone(), test));
            }
        }
        let mut seen: BTreeMap<String, bool> = BTreeMap::new();
        while let Some((path, test)) = waiting.pop() {
            // A file that is reached both ways is not a file of tests only.
            if seen.get(&path).is_some_and(|before| *before <= test) {
                continue;
            }
            seen.insert(path.clone(), test);
            waiting.extend(self.modules(&path, test));
        }
        for (path, test) in seen {
            if test {
                self.test_files.insert(path.clone());
            }
            self.reached.insert(path);
        }
    }

    /// The files that the `mod` items of `path` name.
    fn modules(&self, path: &str, test: bool) -> Vec<(String, bool)> {
        let Some(source) = self.tree.sources.get(path) else { return Vec::new() };
        let ranges = test_ranges(&source.bare);
        let mut found = Vec::new();
        for (at, _) in source.bare.match_indices("mod ") {
            if at > 0 && source.bare.as_bytes().get(at - 1).copied().is_some_and(crate::lexeme::is_word) {
                continue;
            }
            let tail = source.bare.get(at + 4..).unwrap_or_default();
            let Some(end) = tail.find([';', '{', '(', ')']) else { continue };
            if tail.as_bytes().get(end) != Some(&b';') {
                continue;
            }
            let name = tail.get(..end).unwrap_or_default().trim();
            let test = test || ranges.iter().any(|(start, end)| (*start..*end).contains(&at));
            for candidate in self.candidates(path, name, &source.code, at) {
                found.push((candidate, test));
            }
        }
        found
    }

    fn candidates(&self, path: &str, name: &str, code: &str, at: usize) -> Vec<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let before = code.get(..at).unwrap_or_default();
        let attribute = before.rsplit_once("#[path = \"").map(|(_, tail)| tail);
        if let Some((target, rest)) = attribute.and_then(|tail| tail.split_once('"'))
            && !rest.contains([';', '}', '{'])
        {
            return vec![normal(&format!("{folder}/{target}"))];
        }
        let names = [
            format!("{folder}/{name}.rs"),
            format!("{folder}/{name}/mod.rs"),
            format!("{folder}/{stem}/{name}.rs"),
            format!("{folder}/{stem}/{name}/mod.rs"),
        ];
        names.into_iter().filter(|name| self.tree.sources.contains_key(name)).take(1).collect()
    }
}

/// The test program of a crate whose tests are one program.
const ALL_TESTS: &str = "tests/all.rs";

/// Whether the file at `local` (inside its crate) is a root, and whether it is one of tests.
fn root_kind(local: &str) -> Option<bool> {
    let parts: Vec<&str> = local.split('/').collect();
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] => Some(false),
        ["src", "bin", _, "main.rs"] | ["examples", _] => Some(false),
        ["tests" | "benches", _] | ["tests" | "benches", _, "main.rs"] => Some(true),
        _ => None,
    }
}

/// The path with its `..` and `.` taken out.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn read_floors(text: &str) -> Floors {
    let table: Table = text.parse().unwrap_or_default();
    let list = |value: Option<&Value>| -> BTreeSet<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let floors = table.get("floors").and_then(Value::as_table).into_iter().flatten();
    let shared = table.get("shared").and_then(Value::as_array).into_iter().flatten();
    let borrowed = table.get("borrowed").and_then(Value::as_table).into_iter().flatten();
    Floors {
        floors: floors.filter_map(|(folder, floor)| Some((folder.clone(), floor.as_integer()?))).collect(),
        outside: list(table.get("outside")),
        tools: list(table.get("tools")),
        development: list(table.get("development")),
        shared: shared
            .map(|entry| Shared {
                package: entry.get("package").and_then(Value::as_str).unwrap_or_default().to_owned(),
                crates: list(entry.get("crates")),
                why: entry.get("why").and_then(Value::as_str).unwrap_or_default().to_owned(),
            })
            .collect(),
        borrowed: borrowed
            .filter_map(|(file, folder)| Some((file.clone(), folder.as_str()?.to_owned())))
            .collect(),
    }
}
