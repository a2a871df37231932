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
    /// By what a row without identifiers is told from its like: where it stands, or stood first.
    pub(crate) serial: u64,
    /// Its text, or what is wrong with it.
    pub(crate) text: Result<String, NoRow>,
}

/// A line that is no text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NoRow {
    pub(crate) what: &'static str,
    /// Its bytes without its end; none of an over-long one.
    pub(crate) bytes: Option<Vec<u8>>,
}

/// What stands before the reason in a comment above a row that was turned down: the row's serial number.
const MARK: &str = "# (row ";

/// The comment above a row that was turned down.
pub(crate) fn comment(serial: u64, why: &str) -> String {
    format!("{MARK}{serial}) {why}")
}

/// The serial number in such a comment.
fn marked(comment: &str) -> Option<u64> {
    comment.strip_prefix(MARK)?.split_once(')')?.0.parse().ok()
}

/// The serial number of a row: where it stands (`file`, `line`), or in a file of rejects the one in the comment above
/// it, so that a row that is mended there is not taken for the one on that line of the file that it comes from. Rows
/// that stand `behind` such a one without a comment of their own, and those of a later file, have others than any line.
fn serial(file: usize, line: u64, mark: Option<u64>, behind: u64) -> u64 {
    let file = file as u64;
    match mark {
        None => file << 48 | line,
        Some(mark) if file == 0 && behind == 0 => mark,
        Some(mark) => 1 << 63 | (mark ^ behind << 32 ^ file << 56),
    }
}

/// All lines of all files.
pub(crate) struct Source {
    paths: Vec<PathBuf>,
    open: Option<BufReader<File>>,
    /// The file that is open, or comes next.
    file: usize,
    number: u64,
    /// The serial number in the last comment that holds one, and how many rows stood behind it.
    mark: Option<u64>,
    behind: u64,
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
        Ok(Self {
            paths: paths.to_vec(),
            open: None,
            file: 0,
            number: 0,
            mark: None,
            behind: 0,
            bytes: 0,
            total,
        })
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
                (self.number, self.mark, self.behind) = (0, None, 0);
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
            if let Ok(text) = &text
                && (text.is_empty() || text.starts_with('#'))
            {
                if let Some(mark) = marked(text) {
                    (self.mark, self.behind) = (Some(mark), 0);
                }
                continue;
            }
            let serial = serial(self.file, self.number, self.mark, self.behind);
            self.behind += 1;
            return Ok(Some(Line { file: self.file, number: self.number, serial, text }));
        }
    }
}

fn text_of(text: Result<String, NoText>, first: bool) -> Result<String, NoRow> {
    match text {
        Ok(text) => {
            let text = if first { text.trim_start_matches('\u{feff}') } else { &text };
            Ok(text.trim().to_owned())
        }
        Err(NoText::Long) => Err(NoRow { what: "a line has at most 196,608 bytes", bytes: None }),
        Err(NoText::Coded(bytes)) => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| first).unwrap_or(&bytes);
            let bytes = Some(bytes.trim_ascii().to_vec());
            Err(NoRow { what: "the line is not UTF-8", bytes })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&[u8]]) -> Vec<Line> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |(at, text): (usize, &&[u8])| {
            let path = folder.path().join(at.to_string());
            std::fs::write(&path, text).expect("written");
            path
        };
        let paths: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
        let mut source = Source::open(&paths).expect("a source");
        let found = std::iter::from_fn(|| source.next().expect("a line")).collect();
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
        let told: Vec<_> = found.into_iter().map(|line| (line.file, line.number, line.text)).collect();
        let text = |text: &str| Ok(text.to_owned());
        assert_eq!(
            told,
            [
                (0, 1, text("one")),
                (0, 4, text("two")),
                (0, 5, text("three")),
                (2, 1, text("a")),
                (2, 2, Err(NoRow { what: "a line has at most 196,608 bytes", bytes: None })),
                (2, 3, text("b")),
                (3, 1, Err(NoRow { what: "the line is not UTF-8", bytes: Some(b"\xff".to_vec()) })),
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

    /// PROPERTY: a row that is mended in a file of rejects has the serial number of the line that it comes from,
    /// whatever the file is called, and never that of another line; twice read it is the same.
    #[test]
    fn mended_rows_keep_their_serials() {
        let serials = |texts: &[&str]| {
            let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            lines(&texts).iter().map(|line| line.serial).collect::<Vec<_>>()
        };
        assert_eq!(serials(&["a\nb\nc\n", "d\n"]), [1, 2, 3, (1 << 48) | 1]);
        let rejects = format!("{}\nc\n{}\nd\n", comment(3, "a:3: no"), comment((1 << 48) | 1, "b:1: no"));
        assert_eq!(serials(&[&rejects]), [3, (1 << 48) | 1]);
        // Added by hand, and behind another file: like no line of any file.
        let mut more = serials(&[&format!("{rejects}e\nf\n"), &rejects]);
        more.sort_unstable();
        more.dedup();
        assert_eq!((more.len(), more.iter().filter(|serial| **serial >> 63 == 1).count()), (6, 4));
    }
}
