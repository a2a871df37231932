//! The lines of the files of a load, one after another, each with where it stands.

use crate::error::CtlError;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
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
            let (bytes, whole) = match capped(reader, LINE_BYTES_MAX) {
                Ok(read) => read,
                Err(error) => return Err(CtlError::file("reading", self.path(), &error)),
            };
            if bytes.is_empty() && whole == 0 {
                self.open = None;
                self.file += 1;
                continue;
            }
            self.bytes += whole;
            self.number += 1;
            let text = text_of(bytes, whole, self.number == 1);
            if text.as_ref().is_ok_and(|text| text.is_empty() || text.starts_with('#')) {
                continue;
            }
            return Ok(Some(Line { file: self.file, number: self.number, text }));
        }
    }
}

fn text_of(bytes: Vec<u8>, whole: u64, first: bool) -> Result<String, &'static str> {
    if whole > LINE_BYTES_MAX as u64 {
        return Err("a line has at most 196,608 bytes");
    }
    let text = String::from_utf8(bytes).map_err(|_| "the line is not UTF-8")?;
    let text = if first { text.trim_start_matches('\u{feff}') } else { &text };
    Ok(text.trim().to_owned())
}

/// The bytes of a line, at most `most` of them, and how many it has with its end; none at the end of all.
fn capped(reader: &mut impl BufRead, most: usize) -> std::io::Result<(Vec<u8>, u64)> {
    let mut bytes = Vec::new();
    let mut whole = reader.by_ref().take(most as u64 + 1).read_until(b'\n', &mut bytes)? as u64;
    while whole > most as u64 && !bytes.ends_with(b"\n") {
        // The rest of it is passed over, a piece at a time.
        let mut rest = Vec::new();
        let more = reader.by_ref().take(most as u64).read_until(b'\n', &mut rest)? as u64;
        whole += more;
        if more == 0 || rest.ends_with(b"\n") {
            break;
        }
    }
    Ok((bytes, whole))
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
    }
}
