//! Just enough of Rust's lexical structure to tell code from comments and from texts in quotes.

/// What a stretch of a source file is, when it is not plain code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A comment, doc comments included.
    Comment,
    /// A string, byte string or character literal.
    Text,
}

/// A stretch of bytes that is not plain code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    /// What it is.
    pub(crate) kind: Kind,
    /// First byte.
    pub(crate) start: usize,
    /// The byte behind the last.
    pub(crate) end: usize,
}

/// All comments and literals of `text`, in order.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut spans = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let (kind, length) = next(rest);
        if let Some(kind) = kind {
            spans.push(Span { kind, start: at, end: at + length });
        }
        at += length.max(1);
    }
    spans
}

/// The same text with the spans of `kinds` blanked; lines and columns stay.
pub(crate) fn blank(text: &str, spans: &[Span], kinds: &[Kind]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans.iter().filter(|span| kinds.contains(&span.kind)) {
        for byte in bytes.get_mut(span.start..span.end).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether `byte` can stand in an identifier.
pub(crate) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn next(rest: &[u8]) -> (Option<Kind>, usize) {
    match rest {
        [b'/', b'/', ..] => (Some(Kind::Comment), until(rest, |byte| byte == b'\n')),
        [b'/', b'*', ..] => (Some(Kind::Comment), block_comment(rest)),
        [b'"', ..] => (Some(Kind::Text), quoted(rest)),
        [b'\'', ..] => character(rest),
        [first, ..] if is_word(*first) => {
            let word = until(rest, |byte| !is_word(byte));
            let (prefix, tail) = rest.split_at_checked(word).unwrap_or_default();
            match (prefix, tail.first()) {
                (b"r" | b"br" | b"cr", Some(b'"' | b'#')) => match raw(tail) {
                    Some(length) => (Some(Kind::Text), word + length),
                    None => (None, word),
                },
                (b"b" | b"c", Some(b'"')) => (Some(Kind::Text), word + quoted(tail)),
                _ => (None, word),
            }
        }
        _ => (None, 1),
    }
}

fn until(rest: &[u8], stop: impl Fn(u8) -> bool) -> usize {
    rest.iter().position(|byte| stop(*byte)).unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `#*"..."#*`, or nothing when this is a raw identifier.
fn raw(tail: &[u8]) -> Option<usize> {
    let hashes = until(tail, |byte| byte != b'#');
    if tail.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(hashes + 1, b'#');
    let body = tail.get(hashes + 1..)?;
    let close = body.windows(end.len()).position(|window| window == end);
    Some(close.map_or(tail.len(), |at| hashes + 1 + at + end.len()))
}

/// A character literal, or the tick of a lifetime.
fn character(rest: &[u8]) -> (Option<Kind>, usize) {
    if rest.get(1) == Some(&b'\\') {
        let tail = rest.get(3..).unwrap_or_default();
        return (Some(Kind::Text), (3 + until(tail, |byte| byte == b'\'') + 1).min(rest.len()));
    }
    let width = match rest.get(1) {
        Some(byte) if *byte >= 0xf0 => 4,
        Some(byte) if *byte >= 0xe0 => 3,
        Some(byte) if *byte >= 0xc0 => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { (Some(Kind::Text), width + 2) } else { (None, 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: comments and literals of every shape are found whole, and nothing else is.
    #[test]
    fn comments_and_literals_are_told_from_code() {
        let text = concat!(
            "let a = \"x // no \\\" [0]\"; // yes [1]\n",
            "let b = r#\"y \" z\"#; /* c /* d */ e */ let r#type = 'q'; let t: &'static str = b\"w\";\n",
            "let c = '\\''; let d = '\u{e9}'; f(v[2]);\n",
        );
        let spans = spans(text);
        let code = blank(text, &spans, &[Kind::Comment, Kind::Text]);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.lines().count(), text.lines().count());
        let words: Vec<&str> = code.split_whitespace().collect();
        let expected =
            "let a = ; let b = ; let r#type = ; let t: &'static str = ; let c = ; let d = ; f(v[2]);";
        assert_eq!(words.join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}
