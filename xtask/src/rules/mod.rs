//! The rules, one group a file: each is a function from the house to what breaks it.

mod cases;
mod documents;
mod errors;
mod files;
mod floors;
mod hot;
mod secrets;
mod surfaces;
mod words;

use crate::house::House;
use crate::violation::Violation;

/// One rule.
pub(crate) type Rule = fn(&House) -> Vec<Violation>;

/// All rules with their names.
pub(crate) const ALL: &[(&str, Rule)] = &[
    ("F1", floors::floors),
    ("F2", floors::homes),
    ("F3", files::size),
    ("F4", files::opening),
    ("F5", files::lib),
    ("F6", words::banned),
    ("F7", words::suffixes),
    ("F8", words::limits),
    ("F9", words::unfinished),
    ("F10", errors::errors),
    ("F11", hot::hot),
    ("F12", surfaces::tables),
    ("F14", surfaces::golden),
    ("F15", files::dead),
    ("F16", floors::inherits),
    ("F17", files::ascii),
    ("F18", documents::documents),
    ("F19", secrets::secrets),
    ("F20", documents::items),
    ("F21", hot::input),
    ("F22", cases::cases),
];

#[cfg(test)]
pub(crate) mod planting {
    use super::*;
    use crate::tree::planted::Planted;

    /// What `rule` finds in a tree of exactly these files, as `path:line`.
    pub(crate) fn found(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
        let planted = Planted::new(files);
        let house = House::read(planted.path()).expect("the planted tree is readable");
        let mut found: Vec<String> =
            rule(&house).iter().map(|one| format!("{}:{}", one.path, one.line)).collect();
        found.sort();
        found
    }

    /// A manifest of a crate named after its folder.
    pub(crate) fn manifest(name: &str, dependencies: &str) -> String {
        format!(
            "[package]\nname = \"tessera-{name}\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n{dependencies}"
        )
    }

    /// PROPERTY: no two rules share a name.
    #[test]
    fn rules_have_names_of_their_own() {
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
