//! The crates of the workspace, read from their manifests.

use crate::tree::Tree;
use toml::{Table, Value};

/// One crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    /// Its folder from the root.
    pub(crate) folder: String,
    /// Its package name.
    pub(crate) name: String,
    /// Its manifest.
    pub(crate) manifest: Table,
    /// What it depends on, development and build included.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a dependency table.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// For tests, benches and examples only.
    pub(crate) development: bool,
    /// The version comes from the workspace.
    pub(crate) inherited: bool,
}

/// Reads all manifests below the root; the second part lists those that do not parse.
pub(crate) fn read(tree: &Tree) -> (Vec<Crate>, Vec<(String, String)>) {
    let (mut crates, mut broken) = (Vec::new(), Vec::new());
    for (path, text) in &tree.texts {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else { continue };
        match text.parse::<Table>() {
            Ok(manifest) => crates.push(of(folder, manifest)),
            Err(error) => broken.push((path.clone(), error.message().to_owned())),
        }
    }
    (crates, broken)
}

/// The members that the root manifest lists.
pub(crate) fn members(tree: &Tree) -> Vec<String> {
    let root = tree.text("Cargo.toml").and_then(|text| text.parse::<Table>().ok()).unwrap_or_default();
    let members = root.get("workspace").and_then(|workspace| workspace.get("members"));
    let members = members.and_then(Value::as_array).into_iter().flatten();
    members.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn of(folder: &str, manifest: Table) -> Crate {
    let package = manifest.get("package").and_then(|package| package.get("name"));
    let name = package.and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut dependencies = Vec::new();
    tables(&manifest, &mut dependencies);
    for target in manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
        if let Some(table) = target.as_table() {
            tables(table, &mut dependencies);
        }
    }
    Crate { folder: folder.to_owned(), name, manifest, dependencies }
}

fn tables(manifest: &Table, into: &mut Vec<Dependency>) {
    for (key, development) in
        [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
    {
        for (name, value) in manifest.get(key).and_then(Value::as_table).into_iter().flatten() {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
            let inherited = value.get("workspace").and_then(Value::as_bool).unwrap_or(false);
            into.push(Dependency { name: package.to_owned(), development, inherited });
        }
    }
}
