//! Rows that were turned down: told as they come, and kept in a file that can be mended and loaded again.

use super::source::comment;
use crate::error::CtlError;
use serde_json::{Value, json};
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// LIMIT: faults that the answer holds; all of them stand in the file of rejects.
pub(crate) const FAULTS_MAX: usize = 100;

/// A row that was turned down.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) file: String,
    pub(crate) line: u64,
    /// Empty for the row as a whole.
    pub(crate) field: String,
    pub(crate) what: String,
    /// The node's code and its name, where the node turned it down.
    pub(crate) code: Option<(u16, &'static str)>,
}

impl Fault {
    pub(crate) fn json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.line,
            "field": (!self.field.is_empty()).then_some(&self.field),
            "message": self.what,
            "code": self.code.map(|(code, _)| code),
            "name": self.code.map_or("RowIllFormed", |(_, name)| name),
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.field.as_str() {
            "" => format!("{}:{}: {}", self.file, self.line, self.what),
            field => format!("{}:{}: {field}: {}", self.file, self.line, self.what),
        };
        f.write_str(&crate::table::plain(&text))?;
        self.code.map_or(Ok(()), |(code, _)| write!(f, " (code {code})"))
    }
}

/// What is kept of a row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    /// By what it is told from its like.
    pub(crate) serial: u64,
    /// Its bytes as they came; none of an over-long one.
    pub(crate) bytes: Option<&'a [u8]>,
}

/// The file of rejects: written beside its name, which it gets at the end.
pub(crate) struct Rejects {
    path: PathBuf,
    part: PathBuf,
    out: Option<BufWriter<File>>,
    /// What stands before the first row.
    head: Option<String>,
    pub(crate) count: u64,
    /// Over-long rows, of which only the comment is kept.
    pub(crate) left_out: u64,
    pub(crate) faults: Vec<Fault>,
}

impl Rejects {
    /// A file that is there may hold rows that somebody is mending: it is not written over.
    pub(crate) fn new(path: &Path, keeps: bool) -> Result<Self, CtlError> {
        if keeps && path.exists() {
            let told = format!("{} is there: it holds the rows that were turned down before", path.display());
            return Err(CtlError::usage(told)
                .advise("mend and load it, then remove it; or name another file with --rejects"));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let (path, part) = (path.to_owned(), PathBuf::from(part));
        Ok(Self { path, part, out: None, head: None, count: 0, left_out: 0, faults: Vec::new() })
    }

    /// What the file begins with, once there is a row for it.
    pub(crate) fn head(&mut self, head: &str) {
        self.head = Some(head.to_owned());
    }

    /// Notes a fault, and with a row keeps that.
    pub(crate) fn push(&mut self, fault: Fault, row: Option<Row<'_>>) -> Result<(), CtlError> {
        self.count += 1;
        if let Some(row) = row {
            let told = |error| CtlError::file("writing", &self.part, &error);
            if self.out.is_none() {
                let mut out = BufWriter::new(owners(&self.part).map_err(told)?);
                if let Some(head) = &self.head {
                    writeln!(out, "{head}").map_err(told)?;
                }
                self.out = Some(out);
            }
            if let Some(out) = self.out.as_mut() {
                let why = fault.to_string().replace(['\n', '\r'], " ");
                let written = match row.bytes {
                    Some(bytes) => writeln!(out, "{}", comment(row.serial, &why))
                        .and_then(|()| out.write_all(bytes))
                        .and_then(|()| writeln!(out)),
                    None => writeln!(out, "# {why} (left out here)"),
                };
                written.map_err(told)?;
                self.left_out += u64::from(row.bytes.is_none());
            }
        }
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
        Ok(())
    }

    /// Gives the file its name; `None` when nothing was kept.
    pub(crate) fn finish(&mut self) -> Result<Option<String>, CtlError> {
        let Some(out) = self.out.take() else { return Ok(None) };
        let told = |error| CtlError::file("writing", &self.part, &error);
        let file = out.into_inner().map_err(|error| told(error.into_error()))?;
        file.sync_all().map_err(told)?;
        std::fs::rename(&self.part, &self.path).map_err(told)?;
        Ok(Some(self.path.display().to_string()))
    }
}

/// A new file for its owner only: rows hold hashes of passwords. What a killed load left there is made anew.
fn owners(path: &Path) -> std::io::Result<File> {
    drop(std::fs::remove_file(path));
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// PROPERTY: rows are kept as they came, whatever their bytes, in a file for its owner only; of an over-long one its
    /// place is kept, and it is counted.
    #[test]
    fn rows_are_kept_as_they_came() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        // Left over from a load that was killed, by another program's mode.
        std::fs::write(folder.path().join("r.part"), "old").expect("a file");
        let mut rejects = Rejects::new(&path, true).expect("free");
        let fault = |line| Fault {
            file: "u".to_owned(),
            line,
            field: String::new(),
            what: "no".to_owned(),
            code: None,
        };
        let mode = |name: &str| {
            let about = std::fs::metadata(folder.path().join(name)).expect("a file");
            about.permissions().mode() & 0o777
        };
        rejects.push(fault(2), Some(Row { serial: 2, bytes: Some(b"caf\xe9") })).expect("kept");
        assert_eq!(mode("r.part"), 0o600);
        rejects.push(fault(5), Some(Row { serial: 5, bytes: None })).expect("kept");
        rejects.finish().expect("named").expect("a name");
        let text = std::fs::read(&path).expect("read");
        assert_eq!(text, b"# (row 2) u:2: no\ncaf\xe9\n# u:5: no (left out here)\n");
        assert_eq!((mode("r"), rejects.count, rejects.left_out), (0o600, 2, 1));
    }
}
