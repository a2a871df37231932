//! `cargo xtask tidy`: every rule over the whole house, as text or as JSON.

use crate::house::House;
use crate::rules;
use crate::violation::Violation;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// All violations of the house below `root`, sorted.
pub(crate) fn judge(root: &Path) -> io::Result<Vec<Violation>> {
    let house = House::read(root)?;
    let mut found: Vec<Violation> = rules::ALL.iter().flat_map(|(_, rule)| rule(&house)).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

/// Prints what was found; success when nothing was.
pub(crate) fn run(root: &Path, json: bool) -> io::Result<ExitCode> {
    let found = judge(root)?;
    let mut out = io::stdout().lock();
    if json {
        let rows: Vec<serde_json::Value> = found
            .iter()
            .map(|one| {
                serde_json::json!({ "rule": one.rule, "path": one.path, "line": one.line, "what": one.what })
            })
            .collect();
        let answer = serde_json::json!({ "rules": rules::ALL.len(), "violations": rows });
        writeln!(out, "{answer}")?;
    } else {
        for one in &found {
            writeln!(out, "{one}")?;
        }
        writeln!(out, "tidy: {} rules, {} violations", rules::ALL.len(), found.len())?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the house keeps its own rules.
    #[test]
    fn the_house_is_tidy() {
        let found = judge(&crate::tree::root()).expect("the tree is readable");
        let list: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "{}", list.join("\n"));
    }
}
