//! Answers as the standard writes them, with what a caller needs to keep one rightly: reason, position and end.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use tessera_gateway_http::Problem;
use tessera_model::{Reason, Receipt, Refusal, UnixMillis};

/// An answer before it is printed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// 0 for a permit.
    pub(crate) code: u16,
    pub(crate) name: &'static str,
    pub(crate) text: Cow<'static, str>,
    /// Until when it holds by time alone.
    pub(crate) valid_until: UnixMillis,
}

impl Verdict {
    /// What a check says.
    pub(crate) const fn of(reason: Reason, valid_until: UnixMillis) -> Self {
        Self { code: reason.code(), name: reason.name(), text: Cow::Borrowed(reason.text()), valid_until }
    }

    /// A denial because of what is not there.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        let text = Cow::Owned(refusal.to_string());
        Self { code: refusal.code(), name: refusal.name(), text, valid_until: UnixMillis(u64::MAX) }
    }

    /// Whether it is a permit.
    pub(crate) const fn permits(&self) -> bool {
        self.code == 0
    }

    /// Prints a decision.
    pub(crate) fn print(&self, seen: Receipt, out: &mut Vec<u8>) {
        let (permits, code, name) = (self.permits(), self.code, self.name);
        // A vector takes whatever is written.
        drop(write!(
            out,
            r#"{{"decision":{permits},"context":{{"reason":{{"code":{code},"name":"{name}","text":"#
        ));
        drop(serde_json::to_writer(&mut *out, &*self.text));
        drop(write!(out, "}},{}}}}}", End(seen, self.valid_until)));
    }
}

/// Prints the decision about one of several questions that cannot be evaluated: closed, with what is wrong.
pub(crate) fn wrong(problem: &Problem, seen: Receipt, out: &mut Vec<u8>) {
    let error = problem.as_error();
    drop(write!(
        out,
        r#"{{"decision":false,"context":{{"error":{error},{}}}}}"#,
        End(seen, UnixMillis(u64::MAX))
    ));
}

/// The position of an answer, and until when it holds if there is an end; the last members of an object.
struct End(Receipt, UnixMillis);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(seen, until) = self;
        write!(f, r#""revision":"{seen}""#)?;
        if until.0 == u64::MAX {
            return Ok(());
        }
        write!(f, r#","valid_until":"{until}","valid_until_ms":{}"#, until.0)
    }
}

/// Prints the answer to a search; the page comes first.
pub(crate) fn found(
    results: &[String],
    next: Option<String>,
    (seen, until): (Receipt, UnixMillis),
) -> String {
    let (next, count) = (next.unwrap_or_default(), results.len());
    let (end, results) = (End(seen, until), results.join(","));
    format!(
        r#"{{"page":{{"next_token":"{next}","count":{count}}},"context":{{{end}}},"results":[{results}]}}"#
    )
}

/// Prints a subject or a resource.
pub(crate) fn entity(kind: &str, id: &str) -> String {
    format!(r#"{{"type":{},"id":{}}}"#, Value::from(kind), Value::from(id))
}

/// Prints an action.
pub(crate) fn action(name: &str) -> String {
    format!(r#"{{"name":{}}}"#, Value::from(name))
}
