//! F1, F2 and F16: who may import whom, one home per foreign package, and what every crate inherits.

use crate::crates::members;
use crate::house::House;
use crate::violation::Violation;
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

const DRAWING: &str = "xtask/floors.toml";

/// F1: every import goes to a strictly lower floor; the drawing is exact in both directions.
pub(crate) fn floors(house: &House) -> Vec<Violation> {
    let mut found: Vec<Violation> = house
        .broken
        .iter()
        .map(|(path, why)| Violation::new("F1", path, 0, format!("does not parse: {why}")))
        .collect();
    let folders: BTreeMap<&str, &str> =
        house.crates.iter().map(|one| (one.name.as_str(), one.folder.as_str())).collect();
    let members: BTreeSet<String> = members(&house.tree).into_iter().collect();
    for one in &house.crates {
        let path = format!("{}/Cargo.toml", one.folder);
        let outside = house.floors.outside.contains(&one.folder);
        let floor = house.floors.floors.get(&one.folder).copied();
        if floor.is_none() && !outside {
            found.push(Violation::new("F1", &path, 0, format!("has no floor: draw it in {DRAWING}")));
        }
        if !members.contains(&one.folder) {
            found.push(Violation::new("F1", &path, 0, "is not a member: list it in the root Cargo.toml"));
        }
        for dependency in &one.dependencies {
            let Some(target) = folders.get(dependency.name.as_str()) else { continue };
            let below = house.floors.floors.get(*target).copied();
            let name = &dependency.name;
            if outside {
                found.push(Violation::new("F1", &path, 0, format!("stands outside but imports {name}")));
            } else if house.floors.outside.contains(*target) {
                found.push(Violation::new("F1", &path, 0, format!("imports {name}, which stands outside")));
            } else if house.floors.tools.contains(*target) {
                found.push(Violation::new("F1", &path, 0, format!("imports {name}, an instrument")));
            } else if let (Some(floor), Some(below)) = (floor, below)
                && below >= floor
            {
                let what = format!("floor {floor} imports {name} on floor {below}: imports go strictly down");
                found.push(Violation::new("F1", &path, 0, what));
            }
        }
    }
    let drawn = house.floors.floors.keys().chain(&house.floors.outside).chain(&house.floors.tools);
    for folder in drawn {
        if !house.crates.iter().any(|one| one.folder == *folder) {
            found.push(Violation::new("F1", DRAWING, 0, format!("draws {folder}, where no crate is")));
        }
    }
    found.extend(borrowed(house));
    found
}

/// A `#[path]` that leaves its crate must be drawn, and what is drawn must be used.
fn borrowed(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for (path, source) in &house.tree.sources {
        let Some(home) = house.crate_of(path) else { continue };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in source.code.lines().enumerate() {
            let Some(target) = line.split_once("#[path = \"").and_then(|(_, tail)| tail.split_once('"'))
            else {
                continue;
            };
            let target = crate::house::normal(&format!("{folder}/{}", target.0));
            if house.crate_of(&target).is_some_and(|other| other.folder == home.folder) {
                continue;
            }
            if house.floors.borrowed.get(&target) == Some(&home.folder) {
                used.insert(target);
            } else {
                let what = format!("borrows {target}: draw it under [borrowed] in {DRAWING}");
                found.push(Violation::new("F1", path, number + 1, what));
            }
        }
    }
    for file in house.floors.borrowed.keys().filter(|file| !used.contains(*file)) {
        found.push(Violation::new("F1", DRAWING, 0, format!("[borrowed] {file}: nobody borrows it")));
    }
    found
}

/// F2: a foreign package has one home, or a reasoned line; lines are exact.
pub(crate) fn homes(house: &House) -> Vec<Violation> {
    let own: BTreeSet<&str> = house.crates.iter().map(|one| one.name.as_str()).collect();
    let mut homes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in house.crates.iter().filter(|one| !house.floors.tools.contains(&one.folder)) {
        for dependency in one.dependencies.iter().filter(|other| !own.contains(other.name.as_str())) {
            let name = dependency.name.as_str();
            if dependency.development && house.floors.development.contains(name) {
                continue;
            }
            homes.entry(name).or_default().insert(&one.folder);
        }
    }
    let mut found = Vec::new();
    for (package, importers) in &homes {
        let line = house.floors.shared.iter().find(|line| line.package == *package);
        let drawn: BTreeSet<&str> =
            line.map(|line| line.crates.iter().map(String::as_str).collect()).unwrap_or_default();
        if line.is_none() && importers.len() > 1 {
            let what =
                format!("{package} has several homes ({importers:?}): give it one, or a [[shared]] line");
            found.push(Violation::new("F2", DRAWING, 0, what));
        } else if line.is_some() && drawn != *importers {
            let what = format!("{package} is drawn for {drawn:?} and imported by {importers:?}");
            found.push(Violation::new("F2", DRAWING, 0, what));
        }
    }
    for line in &house.floors.shared {
        let package = &line.package;
        if line.why.trim().is_empty() {
            found.push(Violation::new("F2", DRAWING, 0, format!("{package}: say why it has several homes")));
        }
        if line.crates.len() < 2 || !homes.contains_key(package.as_str()) {
            let what = format!("{package} does not have several homes: take its line out");
            found.push(Violation::new("F2", DRAWING, 0, what));
        }
    }
    found
}

/// F16: every crate inherits lints, edition and versions from the workspace.
pub(crate) fn inherits(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for one in &house.crates {
        let path = format!("{}/Cargo.toml", one.folder);
        let says = |table: Option<&Value>| {
            table.and_then(|table| table.get("workspace")).and_then(Value::as_bool).unwrap_or(false)
        };
        if !says(one.manifest.get("lints")) {
            found.push(Violation::new("F16", &path, 0, "write [lints] workspace = true"));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !says(one.manifest.get("package").and_then(|package| package.get(key))) {
                found.push(Violation::new("F16", &path, 0, format!("write {key}.workspace = true")));
            }
        }
        for dependency in one.dependencies.iter().filter(|dependency| !dependency.inherited) {
            let what = format!("{}: take it from [workspace.dependencies]", dependency.name);
            found.push(Violation::new("F16", &path, 0, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::planting::{found, manifest};

    const ROOT: &str = "[workspace]\nmembers = [\"low\", \"high\", \"side\"]\n";
    const DRAWN: &str = "outside = []\ndevelopment = [\"proptest\"]\n[floors]\nlow = 0\nhigh = 1\nside = 1\n";

    fn house(low: &str, high: &str, drawn: &str) -> Vec<(String, String)> {
        vec![
            ("Cargo.toml".into(), ROOT.into()),
            (DRAWING.into(), format!("{DRAWN}{drawn}")),
            ("low/Cargo.toml".into(), manifest("low", low)),
            ("high/Cargo.toml".into(), manifest("high", high)),
            ("side/Cargo.toml".into(), manifest("side", "")),
        ]
    }

    fn judged(rule: crate::rules::Rule, files: &[(String, String)]) -> Vec<String> {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        found(rule, &files)
    }

    const DOWN: &str = "[dependencies]\ntessera-low.workspace = true\n";

    /// PROPERTY: an import that goes up or sideways is found, also one for tests only.
    #[test]
    fn imports_go_strictly_down() {
        assert!(judged(floors, &house("", DOWN, "")).is_empty());
        let up = "[dev-dependencies]\ntessera-high.workspace = true\n";
        assert_eq!(judged(floors, &house(up, DOWN, "")), ["low/Cargo.toml:0"]);
        let sideways = "[dependencies]\ntessera-side.workspace = true\n";
        assert_eq!(judged(floors, &house("", sideways, "")), ["high/Cargo.toml:0"]);
    }

    /// PROPERTY: a crate without a floor, a floor without a crate and a stranger's file are found.
    #[test]
    fn the_drawing_is_exact() {
        assert_eq!(judged(floors, &house("", DOWN, "none = 3\n")), [format!("{DRAWING}:0")]);
        let mut more = house("", DOWN, "");
        more.push(("new/Cargo.toml".into(), manifest("new", "")));
        assert_eq!(judged(floors, &more), ["new/Cargo.toml:0", "new/Cargo.toml:0"]);
        let mut borrows = house("", DOWN, "");
        borrows.push(("low/src/lib.rs".into(), "//! A.\n#[path = \"../../high/src/x.rs\"]\nmod x;\n".into()));
        borrows.push(("high/src/x.rs".into(), "//! B.\n".into()));
        assert_eq!(judged(floors, &borrows), ["low/src/lib.rs:2"]);
    }

    /// PROPERTY: a second home needs a line that names exactly the homes and a reason.
    #[test]
    fn a_foreign_package_has_one_home() {
        let serde = "[dependencies]\nserde.workspace = true\n";
        let tests = "[dev-dependencies]\nproptest.workspace = true\n";
        assert!(judged(homes, &house(serde, tests, "")).is_empty());
        assert_eq!(judged(homes, &house(serde, serde, "")), [format!("{DRAWING}:0")]);
        let line = "[[shared]]\npackage = \"serde\"\ncrates = [\"low\", \"high\"]\nwhy = \"both speak it\"\n";
        assert!(judged(homes, &house(serde, serde, line)).is_empty());
        assert_eq!(judged(homes, &house(serde, "", line)).len(), 1);
        assert_eq!(judged(homes, &house(serde, serde, &line.replace("both speak it", ""))).len(), 1);
    }

    /// PROPERTY: a version or a lint table of a crate's own is found.
    #[test]
    fn crates_inherit_from_the_workspace() {
        assert!(judged(inherits, &house("", DOWN, "")).is_empty());
        let own = "[dependencies]\nserde = \"1\"\n";
        assert_eq!(judged(inherits, &house(own, "", "")), ["low/Cargo.toml:0"]);
        let mut bare = house("", "", "");
        bare.push(("bare/Cargo.toml".into(), "[package]\nname = \"bare\"\n".into()));
        assert_eq!(judged(inherits, &bare).len(), 6);
    }
}
