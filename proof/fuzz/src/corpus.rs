//! The corpus: inputs that are kept and tried again, one text file a target, one input a line in hex.

use std::io;
use std::path::{Path, PathBuf};

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

/// The file of a target.
pub(crate) fn file_of(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}.txt"))
}

/// Bytes in hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hex as bytes; `None` when it is none.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    if digits.len() % 2 != 0 {
        return None;
    }
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |all, digit| all << 4 | digit)).collect())
}

/// The inputs of a target; none where there is no file. What stands behind `#` is for people.
pub(crate) fn read(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let text = match std::fs::read_to_string(file_of(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| from_hex(line).ok_or_else(|| io::Error::other(format!("{name}: {line:?} is no hex"))))
        .collect()
}

/// Keeps inputs as a target's file, under the lines that people wrote.
pub(crate) fn write(name: &str, inputs: &[Vec<u8>]) -> io::Result<()> {
    let path = file_of(name);
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let mut text: String = before.lines().filter(|line| line.contains('#')).fold(String::new(), joined);
    for input in inputs {
        text = joined(text, &to_hex(input));
    }
    if text.is_empty() { Ok(()) } else { std::fs::write(path, text) }
}

fn joined(text: String, line: &str) -> String {
    text + line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: every byte comes back from its hex; what is none is told.
    #[test]
    fn hex_reads_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&all)), Some(all));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for bad in ["0", "0g", "\u{e4}0"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    /// PROPERTY: every file of the corpus reads, and none is empty.
    #[test]
    fn the_corpus_reads() {
        let mut files = 0;
        for entry in std::fs::read_dir(FOLDER).expect("the corpus") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            let inputs = read(name.strip_suffix(".txt").expect("a text")).expect(&name);
            assert!(!inputs.is_empty(), "{name}");
            files += 1;
        }
        assert!(files > 0);
    }
}
