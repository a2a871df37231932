//! The lines of the files of a load, one after another, each with where it stands.

use crate::error::CtlError;
use crate::lines::{self, NoText};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// LIMIT: bytes of one line: a row of 64 attributes as long as may be is refused by its size on the wire.
pub(crate) const LINE_BYTES_MAX: usize = 192 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// A line, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// Which of the files.
    pub(crate) file: usize,
    /// From 1.
    pub(crate) number: u64,
    /// Its text, or what is wrong with it.
    pub(crate) text: Result<String, &'static str>,
}

/// All lines of all files.
pub(crate) struct Source {
    paths: Vec<PathBuf>,
    open: Option<BufReader<File>>,
    /// The file that is open, or comes next.
    file: usize,
    number: u64,
    /// Bytes read of all files.
    pub(crate) bytes: u64,
    /// Bytes of all files.
    pub(crate) total: u64,
}

impl Source {
    /// Looks at every file first: one that is not there is told before anything is loaded.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, CtlError> {
        let mut total = 0;
        for path in paths {
            let file = File::open(path).map_err(|error| CtlError::file("reading", path, &error))?;
            let meta = file.metadata().map_err(|error| CtlError::file("reading", path, &error))?;
            if meta.is_dir() {
                return Err(CtlError::usage(format!("{} is a directory", path.display())));
            }
            total += meta.len();
        }
        Ok(Self { paths: paths.to_vec(), open: None, file: 0, number: 0, bytes: 0, total })
    }

    /// Refuses what can be read only once: of several files the first lines are looked at beforehand.
    pub(crate) fn can_be_read_twice(paths: &[PathBuf]) -> Result<(), CtlError> {
        for path in paths {
            let meta = path.metadata().map_err(|error| CtlError::file("reading", path, &error))?;
            if !meta.is_file() {
                let told = format!("{} can be read only once", path.display());
                return Err(CtlError::usage(told).advise("load it by itself, or put it into a file before"));
            }
        }
        Ok(())
    }

    /// The name of a file, as it was given.
    pub(crate) fn name(&self, file: usize) -> String {
        self.paths.get(file).map(|path| path.display().to_string()).unwrap_or_default()
    }

    fn path(&self) -> &Path {
        self.paths.get(self.file).map_or_else(|| Path::new(""), PathBuf::as_path)
    }

    /// The next line that is neither empty nor a comment (`#`).
    pub(crate) fn next(&mut self) -> Result<Option<Line>, CtlError> {
        loop {
            if self.open.is_none() {
                if self.file == self.paths.len() {
                    return Ok(None);
                }
                let file = File::open(self.path());
                let file = file.map_err(|error| CtlError::file("reading", self.path(), &error))?;
                self.open = Some(BufReader::with_capacity(READ_BYTES, file));
                self.number = 0;
            }
            let Some(reader) = self.open.as_mut() else { return Ok(None) };
            let read = match lines::next(reader, LINE_BYTES_MAX) {
                Ok(read) => read,
                Err(error) => return Err(CtlError::file("reading", self.path(), &error)),
            };
            let Some((whole, text)) = read else {
                self.open = None;
                self.file += 1;
                continue;
            };
            self.bytes += whole;
            self.number += 1;
            let text = text_of(text, self.number == 1);
            if text.as_ref().is_ok_and(|text| text.is_empty() || text.starts_with('#')) {
                continue;
            }
            return Ok(Some(Line { file: self.file, number: self.number, text }));
        }
    }
}

fn text_of(text: Result<String, NoText>, first: bool) -> Result<String, &'static str> {
    let text = text.map_err(|why| match why {
        NoText::Long => "a line has at most 196,608 bytes",
        NoText::Coded => "the line is not UTF-8",
    })?;
    let text = if first { text.trim_start_matches('\u{feff}') } else { &text };
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&[u8]]) -> Vec<(usize, u64, Result<String, &'static str>)> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |(at, text): (usize, &&[u8])| {
            let path = folder.path().join(at.to_string());
            std::fs::write(&path, text).expect("written");
            path
        };
        let paths: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
        let mut source = Source::open(&paths).expect("a source");
        let mut found = Vec::new();
        while let Some(Line { file, number, text }) = source.next().expect("a line") {
            found.push((file, number, text));
        }
        assert_eq!(source.bytes, source.total);
        found
    }

    /// PROPERTY: lines come in order with their numbers, empty ones and comments counted and left out, over
    /// files with and without an end of line; what is over-long or no text is an error of its own line.
    #[test]
    fn lines_have_their_numbers() {
        let long = vec![b'x'; LINE_BYTES_MAX * 3];
        let long = [&b"a\n"[..], &long, b"\nb\n"].concat();
        let found = lines(&[b"\xef\xbb\xbfone\n\n# no\n two \r\nthree", b"", &long, b"\xff\nc"]);
        let told: Vec<_> = found.iter().map(|(file, number, text)| (*file, *number, text.clone())).collect();
        let text = |text: &str| Ok(text.to_owned());
        assert_eq!(
            told,
            [
                (0, 1, text("one")),
                (0, 4, text("two")),
                (0, 5, text("three")),
                (2, 1, text("a")),
                (2, 2, Err("a line has at most 196,608 bytes")),
                (2, 3, text("b")),
                (3, 1, Err("the line is not UTF-8")),
                (3, 2, text("c")),
            ]
        );
        let exact = [vec![b'y'; LINE_BYTES_MAX - 1], b"\nz".to_vec()].concat();
        assert_eq!(lines(&[&exact]).len(), 2);
        assert!(Source::open(&[PathBuf::from("/nowhere/at/all")]).is_err());
        let twice = |path: &str| Source::can_be_read_twice(&[path.into()]);
        assert!(twice("/dev/null").is_err_and(|error| error.exit() == crate::error::USAGE));
        assert!(twice(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).is_ok());
    }
}
