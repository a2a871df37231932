//! One Rust file, seen four ways: as written, without comments, without literals, and without its tests.

use crate::lexeme::{self, Kind, is_word};

/// One Rust file of the tree.
#[derive(Debug)]
pub(crate) struct Source {
    /// As written.
    pub(crate) raw: String,
    /// Comments blanked.
    pub(crate) code: String,
    /// Comments and literals blanked.
    pub(crate) bare: String,
    /// Comments, literals and everything behind `#[cfg(test)]` blanked.
    pub(crate) live: String,
}

impl Source {
    /// Reads one file's text.
    pub(crate) fn new(raw: &str) -> Self {
        let spans = lexeme::spans(raw);
        let code = lexeme::blank(raw, &spans, &[Kind::Comment]);
        let bare = lexeme::blank(raw, &spans, &[Kind::Comment, Kind::Text]);
        let live = without_tests(&bare);
        Self { raw: raw.to_owned(), code, bare, live }
    }

    /// The identifiers of the code, with their lines; tests included.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        words(&self.bare)
    }
}

/// The identifiers of `code` (numbers left out), each with its line.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(number, line)| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
            .map(move |word| (number + 1, word))
    })
}

/// The line, from 1, of the byte at `at`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Each place where `needle` stands in `code` as a whole word or path, with its line.
pub(crate) fn finds(code: &str, needle: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let word_starts = needle.bytes().next().is_some_and(is_word);
    let word_ends = needle.bytes().next_back().is_some_and(is_word);
    code.match_indices(needle)
        .filter(|(at, _)| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before)).copied();
            let behind = bytes.get(at + needle.len()).copied();
            !(word_starts && before.is_some_and(is_word) || word_ends && behind.is_some_and(is_word))
        })
        .map(|(at, _)| line_of(code, at))
        .collect()
}

/// The byte behind the item that starts at `at`: its `;`, or the brace that closes its first brace.
pub(crate) fn item_end(bare: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    let mut round = 0_usize;
    for (offset, byte) in bare.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round = round.saturating_sub(1),
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            b';' | b',' if depth == 0 && round == 0 => return offset + 1,
            _ => {}
        }
    }
    bare.len()
}

/// Where the attribute `#[...]` that starts at `at` ends.
fn attribute_end(bare: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in bare.bytes().enumerate().skip(at) {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            _ => {}
        }
    }
    bare.len()
}

/// Byte ranges of the items behind `#[cfg(test)]` and its relatives.
pub(crate) fn test_ranges(bare: &str) -> Vec<(usize, usize)> {
    ["#[cfg(test)]", "#[cfg(all(test"]
        .iter()
        .flat_map(|needle| bare.match_indices(needle))
        .map(|(at, _)| (at, item_end(bare, attributes_end(bare, at))))
        .collect()
}

/// Where the row of attributes that starts at `at` ends.
fn attributes_end(bare: &str, at: usize) -> usize {
    let mut end = attribute_end(bare, at);
    loop {
        let tail = bare.get(end..).unwrap_or_default();
        let gap = tail.len() - tail.trim_start().len();
        if !tail.trim_start().starts_with("#[") {
            return end + gap;
        }
        end = attribute_end(bare, end + gap);
    }
}

fn without_tests(bare: &str) -> String {
    let mut bytes = bare.as_bytes().to_vec();
    for (start, end) in test_ranges(bare) {
        for byte in bytes.get_mut(start..end).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what stands behind `cfg(test)` is blanked to its end, what follows it is not.
    #[test]
    fn tests_are_cut_out_and_nothing_else() {
        let source = Source::new(
            "//! A.\nfn a() { b[0]; }\n#[cfg(test)]\n#[expect(x, reason = \"y\")]\nmod tests {\n fn c() { d(\"}\") }\n}\nfn e() {}\n#[cfg(test)]\nuse f;\nfn g() {}\n",
        );
        let live: Vec<&str> = words(&source.live).map(|(_, word)| word).collect();
        assert_eq!(live, ["fn", "a", "b", "fn", "e", "fn", "g"]);
        assert_eq!(words(&source.live).last(), Some((11, "g")));
    }

    /// PROPERTY: a needle is found as a whole word only.
    #[test]
    fn needles_are_whole_words() {
        assert_eq!(finds("a.unwrap()\nunwrap_or(b)\nawaits\n.await", ".unwrap()"), [1]);
        assert_eq!(finds("awaits\nx.await", "await"), [2]);
    }
}
