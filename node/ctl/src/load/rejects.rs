//! Rows that were turned down: told as they come, and kept in a file that can be mended and loaded again.

use crate::error::CtlError;
use serde_json::{Value, json};
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
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

/// The file of rejects: written beside its name, which it gets at the end.
pub(crate) struct Rejects {
    path: PathBuf,
    part: PathBuf,
    out: Option<BufWriter<File>>,
    /// What stands before the first row.
    head: Option<String>,
    pub(crate) count: u64,
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
        Ok(Self { path, part, out: None, head: None, count: 0, faults: Vec::new() })
    }

    /// What the file begins with, once there is a row for it.
    pub(crate) fn head(&mut self, head: &str) {
        self.head = Some(head.to_owned());
    }

    /// Notes a fault, and with a row keeps that.
    pub(crate) fn push(&mut self, fault: Fault, row: Option<&str>) -> Result<(), CtlError> {
        self.count += 1;
        if let Some(row) = row {
            let told = |error| CtlError::file("writing", &self.part, &error);
            if self.out.is_none() {
                let mut out = BufWriter::new(File::create(&self.part).map_err(told)?);
                if let Some(head) = &self.head {
                    writeln!(out, "{head}").map_err(told)?;
                }
                self.out = Some(out);
            }
            if let Some(out) = self.out.as_mut() {
                let why = fault.to_string().replace(['\n', '\r'], " ");
                writeln!(out, "# {why}\n{row}").map_err(told)?;
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
