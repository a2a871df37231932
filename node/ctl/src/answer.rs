//! An answer in both forms: sentences and tables for people, one object for programs.
//!
//! Field names are stable. Ids are strings; an instant is two fields, ISO 8601 in UTC and `_ms`.

use crate::error::{self, CtlError};
use crate::output;
use serde_json::{Map, Value};
use tessera_client::wire::Made;
use tessera_model::{Deadline, Receipt, UnixMillis};

/// What a command answers.
#[derive(Debug)]
pub(crate) struct Answer {
    text: String,
    json: Map<String, Value>,
    exit: u8,
}

impl Answer {
    /// A sentence.
    pub(crate) fn said(text: impl Into<String>) -> Self {
        let mut json = Map::new();
        json.insert("ok".to_owned(), Value::Bool(true));
        let mut answer = Self { text: String::new(), json, exit: error::OK };
        answer.add(&text.into());
        answer
    }

    /// Nothing for people: what was asked for stands on standard output already.
    pub(crate) fn quiet() -> Self {
        Self { text: String::new(), ..Self::said("") }
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text.trim_end_matches('\n'));
        self.text.push('\n');
    }

    /// Another line, table or tree below.
    pub(crate) fn line(mut self, text: impl Into<String>) -> Self {
        self.add(&text.into());
        self
    }

    /// A field of the object.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.json.insert(field.to_owned(), value.into());
        self
    }

    /// An instant: `field` and `field_ms`.
    pub(crate) fn at(mut self, field: &str, instant: Option<UnixMillis>) -> Self {
        put_instant(&mut self.json, field, instant);
        self
    }

    /// What every command that was taken has: its position, and whether it was a repeat.
    pub(crate) fn made(self, made: &Made) -> Self {
        let answer = self.with("receipt", made.receipt.to_string()).with("repeated", made.repeated);
        if made.repeated { answer.line("(It had happened already: this was a repeat.)") } else { answer }
    }

    /// Ends with the exit code of a refusal.
    pub(crate) fn denied(mut self) -> Self {
        self.exit = error::REFUSED;
        self
    }

    /// Ends with this exit code.
    pub(crate) fn ends(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// The exit code.
    #[cfg(test)]
    pub(crate) const fn exit(&self) -> u8 {
        self.exit
    }

    /// For people.
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        output::sorted(Value::Object(self.json.clone()))
    }
}

/// Prints an answer or why there is none; gives the exit code.
pub(crate) fn print(done: &Result<Answer, CtlError>, json: bool) -> u8 {
    let text = match done {
        Ok(answer) if json => format!("{}\n", answer.json()),
        Ok(answer) => answer.text.clone(),
        Err(error) => return error.print(json),
    };
    match (output::put(&text), done) {
        // What was done stays done; that nobody could be told is the news now.
        (Err(error), _) => {
            output::tell(&format!("tessera: {error}"));
            error.exit()
        }
        (Ok(()), Ok(answer)) => answer.exit,
        (Ok(()), Err(error)) => error.exit(),
    }
}

/// Puts an instant into an object: ISO 8601, and the same in ms; both null for none.
pub(crate) fn put_instant(json: &mut Map<String, Value>, field: &str, instant: Option<UnixMillis>) {
    // The end of time means never.
    let instant = instant.filter(|instant| instant.0 != u64::MAX);
    json.insert(field.to_owned(), instant.map_or(Value::Null, |at| Value::String(at.to_string())));
    json.insert(format!("{field}_ms"), instant.map_or(Value::Null, |at| at.0.into()));
}

/// A deadline as an instant; none when there is none.
pub(crate) fn instant(deadline: Deadline) -> Option<UnixMillis> {
    (deadline != Deadline::NONE).then(|| deadline.to_millis())
}

/// Each as it prints.
pub(crate) fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// An instant for a table.
pub(crate) fn shown(instant: Option<UnixMillis>) -> String {
    instant.filter(|at| at.0 != u64::MAX).map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// Reads the printed form of a receipt, `epoch.revision`.
pub(crate) fn receipt(text: &str) -> Result<Receipt, String> {
    let read = |text: &str| text.parse::<u64>().ok();
    text.split_once('.')
        .and_then(|(epoch, revision)| Some((read(epoch)?, read(revision)?)))
        .map(|(epoch, revision)| Receipt {
            epoch: tessera_model::Epoch(epoch),
            revision: tessera_model::Revision(revision),
        })
        .ok_or_else(|| "a receipt is epoch.revision, as commands print it: 1.42".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// PROPERTY: the object has exactly the fields that were put, instants twice, never as null.
    #[test]
    fn answers_have_both_forms() {
        let made = Made::nothing(receipt("1.42").expect("a receipt"));
        let answer = Answer::said("Done.")
            .with("tenant", "0000000000000001")
            .at("expires", Some(UnixMillis(1_709_164_800_000)))
            .at("idle_until", Some(UnixMillis(u64::MAX)))
            .made(&made);
        assert_eq!(answer.text(), "Done.\n");
        let expected = json!({
            "ok": true, "tenant": "0000000000000001", "receipt": "1.42", "repeated": false,
            "expires": "2024-02-29T00:00:00Z", "expires_ms": 1_709_164_800_000_u64,
            "idle_until": null, "idle_until_ms": null,
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.exit, 0);
        assert_eq!(answer.denied().exit, 1);
    }

    /// PROPERTY: receipts read back; anything else is told what one is.
    #[test]
    fn receipts_read_back() {
        for text in ["0.0", "1.42", "18446744073709551615.7"] {
            assert_eq!(receipt(text).expect("read").to_string(), text);
        }
        for bad in ["", "1", "1.", ".1", "a.b", "1.2.3", "-1.2"] {
            assert!(receipt(bad).is_err(), "{bad}");
        }
    }
}
