//! Standard output: written whole, or told why not.

use crate::error::CtlError;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

/// Writes a text to standard output. A reader that has gone away had enough: that is no failure.
///
/// # Errors
/// When the output cannot be written: a full disk, a closed descriptor.
pub fn put(text: &str) -> Result<(), CtlError> {
    is_read(text).map(|_| ())
}

/// As [`put`], and whether somebody reads: where nobody does, more need not be written.
///
/// # Errors
/// As [`put`].
pub(crate) fn is_read(text: &str) -> Result<bool, CtlError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CtlError::file("writing", Path::new("standard output"), &error)),
    }
}

/// The same value with the members of every object in the order of their names, whatever order they were
/// put in: a package that keeps another order must not show in what programs read.
#[must_use]
pub fn sorted(mut value: serde_json::Value) -> serde_json::Value {
    value.sort_all_objects();
    value
}

/// Writes a line to standard error. One that is closed leaves the exit code, which says enough.
pub fn tell(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
