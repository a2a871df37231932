//! A family taken in a process of its own, where no other figure was before.

use crate::figure::{Row, Setup, Spec, Value, Why};
use crate::wire::own_program;
use serde_json::Value as Json;
use std::process::Command;

/// Takes figures in a fresh process: their rows.
///
/// # Errors
/// When it does not start, fails, or its rows do not read.
pub fn rows(setup: &Setup, specs: &'static [Spec]) -> Result<Vec<Row>, Why> {
    std::fs::create_dir_all(&setup.folder)?;
    let json = setup.folder.join("apart.json");
    let ids: Vec<&str> = specs.iter().map(|spec| spec.id).collect();
    let mut command = Command::new(own_program()?);
    command.arg("--apart").args(["--only", &ids.join(",")]).arg("--json").arg(&json);
    command.arg("--folder").arg(&setup.folder).arg("--node").arg(&setup.node);
    if setup.quick {
        command.arg("--quick");
    }
    // Its progress is ours; its table is printed by us.
    let status = command.stdout(std::process::Stdio::null()).status()?;
    if !status.success() {
        return Err(format!("a process of its own ended with {status}").into());
    }
    let rows: Vec<Json> = serde_json::from_slice(&std::fs::read(&json)?)?;
    std::fs::remove_file(json)?;
    let read = |row: &Json| {
        let spec = specs.iter().find(|spec| row.get("id").and_then(Json::as_str) == Some(spec.id))?;
        Some(read(spec, row))
    };
    rows.iter().map(|row| read(row).ok_or_else(|| "a row of no figure".into())).collect()
}

/// A row as [`Row`]'s own JSON says it.
fn read(spec: &Spec, row: &Json) -> Row {
    let text = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_owned);
    let number = |name: &str| row.get(name).and_then(Json::as_f64);
    let value = number("value").map_or_else(|| Value::Why(text("value").unwrap_or_default()), Value::Number);
    Row {
        value,
        peer: text("peer"),
        peer_value: number("peer_value"),
        ratio: number("ratio"),
        met: row.get("met").and_then(Json::as_bool),
        seconds: number("seconds").unwrap_or_default(),
        ..Row::new(spec, 0.0, text("sizes").unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec { id: "a", what: "b", unit: "ns", goal: "<= 1" };

    /// PROPERTY: a row that went through its JSON says the same, with a number or without.
    #[test]
    fn rows_come_back_as_they_were() {
        let row = Row::new(&SPEC, 2.5, "c".to_owned()).beside("d", 4.0).judged(Some(false));
        for row in [row, Row::absent(&SPEC, "no disk")] {
            let json = serde_json::to_value(&row).expect("json");
            assert_eq!(serde_json::to_value(read(&SPEC, &json)).expect("json"), json);
        }
    }
}
