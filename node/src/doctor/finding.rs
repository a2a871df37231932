//! What was found, and how it is told.

use crate::exit;
use serde_json::json;

/// How something stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// A node runs; something is worse than it need be, or will be.
    Warn,
    /// A node does not run, or not rightly.
    Fail,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Its stable name.
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    /// How it stands.
    pub(crate) what: String,
    /// What to do; nothing where it is as it should be.
    pub(crate) todo: String,
    /// The exit code where it fails.
    pub(crate) code: u8,
    /// What programs are told beside it.
    pub(crate) details: serde_json::Value,
}

impl Finding {
    fn new(name: &'static str, level: Level, (what, todo): (String, String), code: u8) -> Self {
        Self { name, level, what, todo, code, details: json!({}) }
    }

    pub(crate) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Level::Ok, (what.into(), String::new()), exit::OK)
    }

    pub(crate) fn warn(name: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(name, Level::Warn, (what.into(), todo.into()), exit::OK)
    }

    /// Something that fails, with the exit code that says of which kind it is.
    pub(crate) fn fail(
        name: &'static str,
        code: u8,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self::new(name, Level::Fail, (what.into(), todo.into()), code)
    }

    pub(crate) fn with(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }
}

/// The exit code of all: damage goes before what is configured, and that before what is not available.
pub(crate) fn exit(findings: &[Finding]) -> u8 {
    let has = |code: u8| findings.iter().any(|one| one.level == Level::Fail && one.code == code);
    [exit::STORAGE, exit::CONFIG, exit::UNAVAILABLE].into_iter().find(|code| has(*code)).unwrap_or(exit::OK)
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|one| one.level == level).count()
}

/// For people: a line for each, and what to do below those that need it.
pub(crate) fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for one in findings {
        text.push_str(&format!("{:<4}  {:<13} {}\n", one.level.word(), one.name, one.what));
        if !one.todo.is_empty() {
            text.push_str(&format!("{:<20}to do: {}\n", "", one.todo));
        }
    }
    let (good, warned, failed) =
        (count(findings, Level::Ok), count(findings, Level::Warn), count(findings, Level::Fail));
    text.push_str(&format!("\n{good} ok, {warned} to look at, {failed} failed.\n"));
    text
}

/// For programs.
pub(crate) fn object(findings: &[Finding], code: u8) -> String {
    let rows: Vec<_> = findings
        .iter()
        .map(|one| {
            json!({
                "name": one.name, "level": one.level.word(), "what": one.what, "todo": one.todo,
                "details": one.details,
            })
        })
        .collect();
    let object = tessera_ctl::sorted(json!({
        "ok": code == exit::OK, "exit_code": code, "findings": rows,
        "warned": count(findings, Level::Warn), "failed": count(findings, Level::Fail),
    }));
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the exit code is that of the worst failure, and warnings are none.
    #[test]
    fn the_worst_failure_decides() {
        let ok = || Finding::ok("a", "good");
        let warn = || Finding::warn("b", "less good", "do");
        let fail = |code| Finding::fail("c", code, "bad", "do");
        assert_eq!(exit(&[ok(), warn()]), exit::OK);
        assert_eq!(exit(&[ok(), fail(exit::UNAVAILABLE)]), exit::UNAVAILABLE);
        assert_eq!(exit(&[fail(exit::CONFIG), fail(exit::UNAVAILABLE)]), exit::CONFIG);
        assert_eq!(exit(&[fail(exit::UNAVAILABLE), fail(exit::STORAGE), fail(exit::CONFIG)]), exit::STORAGE);
        let told = text(&[ok(), fail(exit::CONFIG)]);
        assert_eq!(
            told,
            "ok    a             good\nfail  c             bad\n                    to do: do\n\n1 ok, 0 to look at, 1 failed.\n"
        );
        let object: serde_json::Value = serde_json::from_str(&object(&[warn()], 0)).expect("JSON");
        assert_eq!((&object["ok"], &object["findings"][0]["level"]), (&json!(true), &json!("warn")));
    }
}
