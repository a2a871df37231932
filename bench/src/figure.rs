//! A figure: one row of the table and of the JSON file, with its goal and its peer of the same run.

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Why a figure could not be taken.
pub type Why = Box<dyn std::error::Error + Send + Sync>;

/// The value, or an end with why there is none: a bench that measured nothing must not look like one that did.
pub fn or_end<T>(made: Result<T, Why>) -> T {
    made.unwrap_or_else(|why| {
        // A closed standard error leaves only the exit code.
        drop(writeln!(std::io::stderr(), "bench: {why}"));
        std::process::exit(1)
    })
}

/// The end of a program that measures: with why there is nothing, if there is nothing.
pub fn ended(done: Result<(), Why>) -> std::process::ExitCode {
    or_end(done);
    std::process::ExitCode::SUCCESS
}

/// A measured number, or why there is none.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// The number, in the row's unit.
    Number(f64),
    /// Why it could not be taken.
    Why(String),
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its stable id, for `--only`.
    pub id: &'static str,
    /// What was measured.
    pub what: String,
    /// Our number, or why there is none.
    pub value: Value,
    /// Unit of the value, and of the peer's where there is a ratio.
    pub unit: &'static str,
    /// What stood beside it in the same run.
    pub peer: Option<String>,
    /// The peer's number.
    pub peer_value: Option<f64>,
    /// Ours by the peer's.
    pub ratio: Option<f64>,
    /// The goal, in words.
    pub goal: &'static str,
    /// Whether it was met; null below the goal's size or without a number.
    pub met: Option<bool>,
    /// Sizes, rounds and circumstances.
    pub sizes: String,
    /// How long it took to measure.
    pub seconds: f64,
}

impl Row {
    /// A row with a number and no peer.
    #[must_use]
    pub fn new(spec: &Spec, value: f64, sizes: String) -> Self {
        Self {
            id: spec.id,
            what: spec.what.to_owned(),
            value: Value::Number(value),
            unit: spec.unit,
            peer: None,
            peer_value: None,
            ratio: None,
            goal: spec.goal,
            met: None,
            sizes,
            seconds: 0.0,
        }
    }

    /// A row that says why there is no number.
    #[must_use]
    pub fn absent(spec: &Spec, why: &str) -> Self {
        Self { value: Value::Why(why.to_owned()), ..Self::new(spec, 0.0, String::new()) }
    }

    /// With a peer of the same unit.
    #[must_use]
    pub fn beside(mut self, peer: &str, value: f64) -> Self {
        self.peer = Some(peer.to_owned());
        self.peer_value = Some(value);
        if let Value::Number(ours) = self.value {
            self.ratio = Some(ours / value);
        }
        self
    }

    /// With a peer of another unit, which has no ratio.
    #[must_use]
    pub fn told_beside(self, peer: &str, value: f64) -> Self {
        Self { ratio: None, ..self.beside(peer, value) }
    }

    /// With a verdict; `None` when the size is below the goal's.
    #[must_use]
    pub const fn judged(mut self, met: Option<bool>) -> Self {
        self.met = met;
        self
    }
}

/// What is fixed about a figure.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its stable id.
    pub id: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// The goal, in words.
    pub goal: &'static str,
}

/// What every figure is given.
pub struct Setup {
    /// Small sizes, for trying; goals are not judged below their size.
    pub quick: bool,
    /// This process was started for one family alone (see [`crate::apart`]).
    pub apart: bool,
    /// Where figures that need a disk work.
    pub folder: PathBuf,
    /// The real binary.
    pub node: PathBuf,
    /// What is happening, for whoever waits.
    pub progress: Progress,
}

impl Setup {
    /// One of two sizes.
    #[must_use]
    pub const fn size(&self, full: u32, quick: u32) -> u32 {
        if self.quick { quick } else { full }
    }

    /// The verdict at full size, none at quick size.
    #[must_use]
    pub const fn verdict(&self, met: bool) -> Option<bool> {
        if self.quick { None } else { Some(met) }
    }
}

/// Shows what is happening: a spinner on a terminal, lines elsewhere.
pub struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    /// Progress over this many families.
    #[must_use]
    pub fn new(families: u64) -> Self {
        let lines = !io::stderr().is_terminal();
        let bar = if lines { ProgressBar::hidden() } else { ProgressBar::new(families) };
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed}] {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, lines }
    }

    /// What is done now.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        if self.lines {
            // A closed standard error only loses progress.
            drop(writeln!(io::stderr(), "figures: {what}"));
        }
    }

    /// One family is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// All are done.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// A family of figures that share what they are measured on.
pub struct Family {
    /// The figures, in the order of the table.
    pub specs: &'static [Spec],
    /// Takes them.
    pub take: fn(&Setup) -> Result<Vec<Row>, Why>,
}

impl Family {
    /// Takes its figures. What fails says why in every row.
    #[must_use]
    pub fn rows(&self, setup: &Setup) -> Vec<Row> {
        let started = Instant::now();
        let mut rows = match (self.take)(setup) {
            Ok(rows) => rows,
            Err(why) => self.specs.iter().map(|spec| Row::absent(spec, &why.to_string())).collect(),
        };
        let seconds = started.elapsed().as_secs_f64();
        for row in &mut rows {
            if row.seconds == 0.0 {
                row.seconds = seconds;
            }
        }
        rows
    }
}

/// Three significant digits or so.
fn short(value: f64) -> String {
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

/// The table for people.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let value = match &row.value {
            Value::Number(value) => format!("{} {}", short(*value), row.unit),
            Value::Why(why) => format!("not taken: {why}"),
        };
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "-",
        };
        writeln!(out, "{:<24} {value:<16} goal {} [{met}]", row.id, row.goal).unwrap_or_default();
        if let (Some(peer), Some(value)) = (&row.peer, row.peer_value) {
            let ratio = row.ratio.map_or_else(String::new, |ratio| format!(", ratio {ratio:.2}"));
            writeln!(out, "{:<24} beside {peer}: {} {}{ratio}", "", short(value), row.unit)
                .unwrap_or_default();
        }
        writeln!(out, "{:<24} {} ({}; {:.0} s)", "", row.what, row.sizes, row.seconds).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec { id: "a", what: "b", unit: "ns", goal: "<= 1" };

    /// PROPERTY: a row has exactly the fields that readers of the file expect, and a figure that was
    /// not taken says why where its number would stand.
    #[test]
    fn rows_have_their_fields() {
        let row = Row::new(&SPEC, 2.0, "c".to_owned()).beside("d", 4.0).judged(Some(true));
        let value = serde_json::to_value(&row).expect("json");
        let keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
        let mut wanted = vec![
            "id",
            "what",
            "value",
            "unit",
            "peer",
            "peer_value",
            "ratio",
            "goal",
            "met",
            "sizes",
            "seconds",
        ];
        wanted.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, wanted);
        assert_eq!(value["ratio"], 0.5);
        let absent = serde_json::to_value(Row::absent(&SPEC, "no disk")).expect("json");
        assert_eq!(absent["value"], "no disk");
        assert!(absent["met"].is_null());
    }
}
