//! Why a command has no answer: what happened, what to do, and the exit code that says it to scripts.

use crate::advice;
use crate::output;
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::path::Path;
use tessera_client::ClientError;
use tessera_client::wire::Made;
use tessera_model::code::{CODE_FAILED, ProtocolCode};
use tessera_model::{LimitAt, Receipt, Refusal};

// The codes of docs/operate/exit-codes.md that a caller can meet.
pub(crate) const OK: u8 = 0;
pub(crate) const REFUSED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const UNREACHABLE: u8 = 3;
pub(crate) const UNAVAILABLE: u8 = 69;
pub(crate) const STORAGE: u8 = 75;
pub(crate) const CONFIG: u8 = 78;

/// Why a command has no answer, in words for people.
#[derive(Clone, Debug)]
pub struct CtlError {
    exit: u8,
    code: Option<u16>,
    name: &'static str,
    what: String,
    advice: Option<String>,
    command_id: Option<Box<str>>,
    retry_ms: Option<u64>,
    /// The limit that is reached, with its number.
    limit: Option<Box<LimitAt>>,
    /// Where a command stands that had happened already: no error, but an answer without names.
    repeated: Option<Box<Receipt>>,
}

impl CtlError {
    /// The same, in other words.
    pub(crate) fn saying(self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self }
    }

    /// Whether it is this refusal.
    pub(crate) fn is(&self, refusal: tessera_model::Refusal) -> bool {
        self.code == Some(refusal.code())
    }

    /// An error of whoever mounts these commands: its exit code, a stable name, what happened.
    #[must_use]
    pub fn new(exit: u8, name: &'static str, what: impl Into<String>) -> Self {
        Self {
            exit,
            code: None,
            name,
            what: what.into(),
            advice: None,
            command_id: None,
            retry_ms: None,
            limit: None,
            repeated: None,
        }
    }

    /// The command line asks for something that makes no sense.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(USAGE, "Usage", what)
    }

    /// The profile, the trusted certificates or the credential cannot be used.
    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self::new(CONFIG, "Config", what)
    }

    /// A file of this machine cannot be read or written.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(UNAVAILABLE, "File", format!("{doing} {}: {error}", path.display()))
    }

    /// The node has an operator and offers no secret that makes another.
    pub(crate) fn nothing_to_claim() -> Self {
        let told =
            Self::new(REFUSED, "NothingToClaim", "this node has an operator and offers no one-time secret");
        Self { code: Some(ProtocolCode::HelloRefused.code()), ..told }
    }

    /// The node does not know the one-time secret.
    pub(crate) fn secret_wrong() -> Self {
        let refusal = Refusal::SecretWrong;
        let told = Self::new(REFUSED, refusal.name(), refusal.to_string());
        Self { code: Some(refusal.code()), advice: advice::of(refusal).map(str::to_owned), ..told }
    }

    /// Nothing has this name.
    pub(crate) fn unknown(what: impl Into<String>) -> Self {
        Self::new(REFUSED, "Unknown", what)
    }

    /// The answer does not hold what was asked for: another node than this build knows.
    pub(crate) fn unexpected(what: impl Into<String>) -> Self {
        Self::new(REFUSED, "Unexpected", what)
    }

    /// A repeat under the same command id: it happened the first time, and what it made is not told again.
    pub(crate) fn unnamed(made: &Made, what: &str) -> Self {
        if !made.repeated {
            return Self::unexpected(format!("the answer names no {what}"));
        }
        let told = format!("This had happened already, at {}; its {what} is not told again.", made.receipt);
        let told = Self::new(OK, "Repeated", told);
        Self { repeated: Some(Box::new(made.receipt)), ..told }
            .advise("look it up in the list; a key or session that was lost is ended there")
    }

    /// What does not fit is the password until now: who it is stands fast.
    pub(crate) fn old_password(mut self) -> Self {
        "the password until now is another one".clone_into(&mut self.what);
        self.advise("forgotten: tessera user password reset WHO, by an administrator")
    }

    /// Its stable name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// What a client met, with the address it was looking at.
    pub(crate) fn of(error: &ClientError, address: &str) -> Self {
        match error {
            ClientError::Refused(refusal) => {
                let exit = if *refusal == Refusal::TenantFailed { STORAGE } else { REFUSED };
                let told = Self::new(exit, refusal.name(), refusal.to_string());
                let advice = advice::at_length(*refusal);
                Self { code: Some(refusal.code()), advice, limit: refusal.limit().map(Box::new), ..told }
            }
            ClientError::Wait { refusal, after } => {
                let told = Self::new(REFUSED, refusal.name(), refusal.to_string());
                let advice = match after {
                    Some(after) => format!("wait {} s", after.as_millis().div_ceil(1_000)),
                    None => {
                        "tessera user password reset WHO, or tessera user unlock WHO, lets them in".to_owned()
                    }
                };
                let retry_ms = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                let limit = refusal.limit().map(Box::new);
                Self { code: Some(refusal.code()), retry_ms, limit, ..told }.advise(advice)
            }
            ClientError::Faulted(fault) => {
                let (exit, name, advice) = if fault.code == ProtocolCode::HelloRefused.code() {
                    (REFUSED, "HelloRefused", Some(advice::HELLO_REFUSED))
                } else if fault.code == CODE_FAILED {
                    (STORAGE, "Failed", Some(advice::FAILED))
                } else if fault.code == ProtocolCode::Draining.code() {
                    (UNREACHABLE, "Draining", Some(advice::UNREACHABLE))
                } else {
                    (REFUSED, "Fault", None)
                };
                let told = Self::new(exit, name, fault.detail.clone());
                Self { code: Some(fault.code), advice: advice.map(str::to_owned), ..told }
            }
            ClientError::Unreachable(source) => {
                let why = source.as_ref().map_or_else(String::new, |source| format!(": {source}"));
                Self::new(UNREACHABLE, "Unreachable", format!("no node answered at {address}{why}"))
                    .advise(advice::UNREACHABLE)
            }
            ClientError::Untrusted(_) => {
                let what = format!("{address}: {error}");
                let advice = advice::of_certificate(&what);
                Self::new(CONFIG, "Untrusted", what).advise(advice)
            }
            ClientError::DeadlinePassed => {
                Self::new(UNREACHABLE, "DeadlinePassed", format!("{address} did not answer in time"))
                    .advise(advice::DEADLINE)
            }
            ClientError::OutcomeUnknown(id) => {
                let told =
                    Self::new(UNREACHABLE, "OutcomeUnknown", "the outcome of the command is not known");
                let told = told.advise(format!("repeat the same command with --command-id {id}"));
                Self { command_id: Some(id.to_string().into()), ..told }
            }
            ClientError::BadConfig(what) => Self::config(*what),
            ClientError::TooManyRedirects => {
                Self::new(UNREACHABLE, "TooManyRedirects", "redirected more than twice")
            }
            ClientError::Unreadable(error) => {
                let told = Self::new(REFUSED, "Unreadable", error.to_string());
                Self { code: Some(error.code()), ..told }
            }
            ClientError::Closed => Self::new(UNREACHABLE, "Closed", "the connection was closed"),
            ClientError::SecretLost => {
                Self::new(REFUSED, "SecretLost", error.to_string()).advise("sign in anew")
            }
            error => Self::new(REFUSED, "Fault", error.to_string()),
        }
    }

    /// Prints it, for people on standard error and with `json` for programs on standard output too; gives
    /// the exit code.
    #[must_use]
    pub fn print(&self, json: bool) -> u8 {
        if self.repeated.is_some() {
            let text = if json { self.to_json().to_string() } else { self.to_string() };
            return output::put(&format!("{text}\n")).map_or_else(
                |error| {
                    output::tell(&format!("tessera: {error}"));
                    error.exit
                },
                |()| self.exit,
            );
        }
        if json && let Err(error) = output::put(&format!("{}\n", self.to_json())) {
            output::tell(&format!("tessera: {error}"));
        }
        output::tell(&format!("tessera: {self}"));
        self.exit
    }

    /// The exit code.
    #[must_use]
    pub const fn exit(&self) -> u8 {
        self.exit
    }

    /// Number in the one code space, where the node gave one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        self.code
    }

    /// The object that `--json` prints.
    #[must_use]
    pub fn to_json(&self) -> Value {
        if let Some(receipt) = &self.repeated {
            return output::sorted(json!({ "ok": true, "receipt": receipt.to_string(), "repeated": true }));
        }
        output::sorted(json!({
            "ok": false,
            "error": {
                "exit_code": self.exit,
                "code": self.code,
                "name": self.name,
                "message": self.what,
                "advice": self.advice,
                "command_id": self.command_id,
                "retry_ms": self.retry_ms,
                "limit": self.limit.as_ref().map(|limit| limit.limit.name()),
                "bound": self.limit.as_ref().map(|limit| limit.bound),
            },
        }))
    }
}

impl fmt::Display for CtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::table::plain(&self.what))?;
        if let Some(code) = self.code {
            write!(f, " (code {code})")?;
        }
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "\n  {advice}"))
    }
}

impl std::error::Error for CtlError {}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_client::wire::Fault;
    use tessera_model::CommandId;

    /// PROPERTY: every kind of failure has the exit code that the operator's document gives it, and says
    /// what to do where anything can be done.
    #[test]
    fn failures_have_their_exit_codes() {
        let cases = [
            (ClientError::Refused(Refusal::Duplicate), 1, Some(211)),
            (ClientError::Refused(Refusal::TenantFailed), 75, Some(502)),
            (ClientError::Unreachable(None), 3, None),
            (ClientError::DeadlinePassed, 3, None),
            (ClientError::OutcomeUnknown(CommandId([7; 16])), 3, None),
            (ClientError::BadConfig("x"), 78, None),
            (ClientError::Faulted(Fault::new(405, "no")), 1, Some(405)),
            (ClientError::Faulted(Fault::new(408, "draining")), 3, Some(408)),
            (ClientError::Faulted(Fault::new(501, "failed")), 75, Some(501)),
        ];
        for (error, exit, code) in cases {
            let told = CtlError::of(&error, "127.0.0.1:1");
            assert_eq!((told.exit(), told.code()), (exit, code), "{error}");
            assert!(exit == 78 || told.to_string().contains("\n  "), "{told}");
            assert_eq!(told.to_json()["error"]["exit_code"], exit);
            assert_eq!(told.to_json()["ok"], false);
        }
    }

    /// PROPERTY: after an unknown outcome both forms name the id to repeat.
    #[test]
    fn an_unknown_outcome_names_its_id() {
        let id = CommandId([7; 16]);
        let told = CtlError::of(&ClientError::OutcomeUnknown(id), "x");
        assert!(told.to_string().contains(&format!("--command-id {id}")));
        assert_eq!(told.to_json()["error"]["command_id"], id.to_string());
    }

    /// PROPERTY: a repeat of what made something is an answer: done, with the receipt and without the name.
    #[test]
    fn a_repeat_is_an_answer() {
        let receipt = crate::answer::receipt("1.42").expect("a receipt");
        let again = CtlError::unnamed(&Made { repeated: true, ..Made::nothing(receipt) }, "subject");
        assert_eq!(again.to_json(), json!({ "ok": true, "receipt": "1.42", "repeated": true }));
        assert_eq!((again.exit(), again.code()), (0, None));
        let odd = CtlError::unnamed(&Made::nothing(receipt), "subject");
        assert_eq!((odd.exit(), &odd.to_json()["ok"]), (1, &false.into()));
    }

    /// PROPERTY: a text from outside cannot steer the terminal.
    /// TC-74 in part: texts.
    #[test]
    fn messages_cannot_steer_the_terminal() {
        let told = CtlError::of(&ClientError::Faulted(Fault::new(403, "a\u{1b}[2Jb")), "x");
        assert!(!told.to_string().contains('\u{1b}'));
    }
}
