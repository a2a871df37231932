//! The exit codes of `tessera`: stable, documented in docs/operate/exit-codes.md.

use std::process::ExitCode;
use tessera_ctl::CtlError;

/// Done; for a check: permit; for the server: stopped after a drain.
pub(crate) const OK: u8 = 0;
/// Refused by the engine; for a check: deny.
pub(crate) const REFUSED: u8 = 1;
/// The command line was wrong.
pub(crate) const USAGE: u8 = 2;
/// The node could not be reached, or it did not answer in time.
pub(crate) const UNREACHABLE: u8 = 3;
/// Something that the node needs is not available: an address in use, a directory held by another process.
pub(crate) const UNAVAILABLE: u8 = 69;
/// The store failed while committing, or its files are damaged: repeat what was not answered after the restart.
pub(crate) const STORAGE: u8 = 75;
/// The configuration cannot be used.
pub(crate) const CONFIG: u8 = 78;

/// All of them with a word, for the help text.
pub(crate) const ALL: &[(u8, &str)] = &[
    (OK, "done or permit"),
    (REFUSED, "refused or deny"),
    (USAGE, "usage"),
    (UNREACHABLE, "not reachable"),
    (UNAVAILABLE, "unavailable"),
    (STORAGE, "storage"),
    (CONFIG, "configuration"),
];

/// A failure that ends the program, in words for people.
#[derive(Debug)]
pub(crate) struct FatalError {
    /// The exit code.
    pub(crate) code: u8,
    /// What could not be done, why, and what to do.
    pub(crate) what: String,
}

impl FatalError {
    /// Something that the node needs is not available.
    pub(crate) fn unavailable(what: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, what: what.into() }
    }

    /// The configuration cannot be used.
    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self { code: CONFIG, what: what.into() }
    }

    /// The store failed or is damaged.
    pub(crate) fn storage(what: impl Into<String>) -> Self {
        Self { code: STORAGE, what: what.into() }
    }

    /// Prints it, with `json` for programs too, and gives its code for the operating system.
    pub(crate) fn print(&self, json: bool) -> ExitCode {
        ExitCode::from(self.told().print(json))
    }

    /// The object that `--json` prints.
    pub(crate) fn object(&self) -> serde_json::Value {
        self.told().to_json()
    }

    fn told(&self) -> CtlError {
        let name = match self.code {
            USAGE => "Usage",
            UNREACHABLE => "Unreachable",
            UNAVAILABLE => "Unavailable",
            STORAGE => "Storage",
            CONFIG => "Config",
            _ => "Refused",
        };
        CtlError::new(self.code, name, self.what.clone())
    }
}

/// What to do where an address is taken: the variable that names another.
pub(crate) fn elsewhere(table: &str, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        format!("; name another address with TESSERA_{table}__LISTEN=127.0.0.1:PORT, or in the configuration")
    } else {
        String::new()
    }
}

impl std::fmt::Display for FatalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for FatalError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: every code has its line in the operator's document.
    #[test]
    fn codes_are_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operate/exit-codes.md");
        let text = std::fs::read_to_string(path).expect("the document");
        for (code, _) in ALL {
            assert_eq!(text.matches(&format!("\n| {code} |")).count(), 1, "{code}");
        }
    }
}
