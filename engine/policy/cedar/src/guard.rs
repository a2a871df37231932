//! What is looked at before any parser sees a text: its length, its encoding and how deep it goes.
//!
//! Parsers of nested texts recur. A text that passes here is nowhere deeper than [`HEIGHT_MAX`], whether by
//! brackets or by chains of operators.

use crate::error::{Place, PolicyError, PolicyReason};
use std::collections::HashSet;

/// LIMIT: bytes of a text of policies, or of a schema.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// LIMIT: bytes of a file of entities.
pub const ENTITIES_BYTES_MAX: usize = 64 << 20;
/// LIMIT: bytes of the context of one question.
pub const CONTEXT_BYTES_MAX: usize = 64 << 10;
/// LIMIT: brackets that may be open at once.
pub const NESTING_MAX: usize = 64;
/// LIMIT: levels of the tree that a policy may become, chains of operators included.
pub const HEIGHT_MAX: usize = 1_024;

/// LIMIT: bytes that a schema becomes when what is declared of many names at once is written for each.
const COPIED_BYTES_MAX: usize = 4 << 20;

const CHAINS: &[&str] = &["in", "has", "like", "is", "if", "then", "else", "when", "unless"];

/// The text of these bytes, when they are one and not too many.
pub(crate) fn text(bytes: &[u8], bytes_max: usize) -> Result<&str, PolicyError> {
    if bytes.len() > bytes_max {
        // Of a long file no more was read.
        let says = format!("more than {bytes_max} bytes");
        return Err(PolicyError::new(PolicyReason::TooLong, says));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        PolicyError::at(PolicyReason::Encoding, Place::of(&good, good.len()), "not UTF-8")
    })
}

/// Whether a text of the language is one of JSON instead.
pub(crate) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators since the last comma.
    operators: usize,
    /// The highest tree in brackets since the last comma.
    below: usize,
    /// The highest tree between commas.
    highest: usize,
}

impl Level {
    const fn height(self) -> usize {
        self.operators + self.below + 1
    }

    fn next(&mut self) {
        let highest = self.highest.max(self.height());
        *self = Self { highest, ..Self::default() };
    }
}

/// Looks through a text of the language. Gives the place where each statement begins.
pub(crate) fn cedar(text: &str) -> Result<Vec<usize>, PolicyError> {
    let mut levels = vec![Level::default()];
    let (mut starts, mut begun) = (Vec::new(), false);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let at = text.len() - rest.len();
        let length = token(rest, letter);
        let (word, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = tail;
        if letter.is_whitespace() || word.starts_with("//") {
            continue;
        }
        if !begun {
            starts.push(at);
            begun = true;
        }
        let deep = || {
            let says = format!("nested deeper than {NESTING_MAX} brackets or {HEIGHT_MAX} operators");
            PolicyError::at(PolicyReason::TooDeep, Place::of(text, at), says)
        };
        match letter {
            '(' | '[' | '{' => levels.push(Level::default()),
            ')' | ']' | '}' if levels.len() > 1 => {
                let mut closed = levels.pop().unwrap_or_default();
                closed.next();
                if let Some(level) = levels.last_mut() {
                    level.below = level.below.max(closed.highest);
                }
            }
            ',' | ';' => levels.iter_mut().last().into_iter().for_each(Level::next),
            _ if operates(word, letter) => {
                levels.iter_mut().last().into_iter().for_each(|level| level.operators += 1);
            }
            _ => {}
        }
        if letter == ';' && levels.len() == 1 {
            levels = vec![Level::default()];
            begun = false;
        }
        let height: usize = levels.iter().map(|level| level.height()).sum();
        if levels.len() > NESTING_MAX || height > HEIGHT_MAX {
            return Err(deep());
        }
    }
    Ok(starts)
}

/// Looks through a schema of the language: what is declared of many names at once is read once for each of them.
///
/// # Errors
/// With the place of the statement that makes it too much.
pub(crate) fn copies(text: &str) -> Result<(), PolicyError> {
    let (mut rest, mut total) = (text, 0_usize);
    let mut now = Statement::default();
    while let Some(letter) = rest.chars().next() {
        let at = text.len() - rest.len();
        let length = token(rest, letter);
        let (word, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = tail;
        if letter.is_whitespace() || word.starts_with("//") {
            continue;
        }
        now.start = now.start.or(Some(at));
        if now.body {
            now.bytes += length;
        }
        match letter {
            ',' if !now.body && now.open == 0 => now.names += 1,
            // The bracket of a namespace is around statements, not of one.
            '{' if now.space && now.open == 0 => now = Statement::default(),
            '}' if now.open == 0 => now = Statement::default(),
            '(' | '[' | '{' | '=' => {
                now.open += usize::from(letter != '=');
                now.body = true;
            }
            ')' | ']' | '}' => now.open = now.open.saturating_sub(1),
            ';' if now.open == 0 => {
                total = total.saturating_add((now.names + 1).saturating_mul(now.bytes));
                if total > COPIED_BYTES_MAX {
                    let says = "what is declared of many names at once is too much, written for each";
                    let place = Place::of(text, now.start.unwrap_or(at));
                    return Err(PolicyError::at(PolicyReason::TooLong, place, says));
                }
                now = Statement::default();
            }
            _ if word == "namespace" && now.names == 0 && now.start == Some(at) => now.space = true,
            _ if ["in", "appliesTo", "tags", "enum"].contains(&word) && now.start != Some(at) => {
                now.body = true
            }
            _ => {}
        }
    }
    Ok(())
}

/// A statement of a schema that is being looked through.
#[derive(Default)]
struct Statement {
    start: Option<usize>,
    /// Commas between its names.
    names: usize,
    /// Bytes of what is said of them.
    bytes: usize,
    open: usize,
    body: bool,
    space: bool,
}

/// Whether a token makes the tree higher.
fn operates(word: &str, letter: char) -> bool {
    matches!(letter, '&' | '|' | '=' | '!' | '<' | '>' | '+' | '-' | '*' | '.') || CHAINS.contains(&word)
}

/// The length of the token that `rest` begins with.
fn token(rest: &str, letter: char) -> usize {
    if letter == '"' {
        return quoted(rest);
    }
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if letter.is_alphanumeric() || letter == '_' {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        return end.unwrap_or(rest.len());
    }
    let twice = ["&&", "||", "==", "!=", "<=", ">="];
    if twice.iter().any(|one| rest.starts_with(one)) { 2 } else { letter.len_utf8() }
}

/// The length of a text in quotes, quotes included; all of the rest when it does not end.
fn quoted(rest: &str) -> usize {
    let mut escaped = true;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Looks through a text of JSON: its depth, and that no name stands twice in an object.
///
/// # Errors
/// With the place of the bracket or name.
pub fn json(text: &str) -> Result<(), PolicyError> {
    let mut open: Vec<Option<HashSet<String>>> = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let at = text.len() - rest.len();
        let length = if letter == '"' { quoted(rest) } else { letter.len_utf8() };
        let (word, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = tail;
        match letter {
            '{' => open.push(Some(HashSet::new())),
            '[' => open.push(None),
            '}' | ']' => drop(open.pop()),
            '"' if tail.trim_start().starts_with(':') => {
                let names = open.last_mut().and_then(Option::as_mut);
                if names.is_some_and(|names| !names.insert(plain(word))) {
                    let says = format!("the name {word} stands twice in one object");
                    return Err(PolicyError::at(PolicyReason::DuplicateName, Place::of(text, at), says));
                }
            }
            _ => {}
        }
        if open.len() > NESTING_MAX {
            let says = format!("nested deeper than {NESTING_MAX} brackets");
            return Err(PolicyError::at(PolicyReason::TooDeep, Place::of(text, at), says));
        }
    }
    Ok(())
}

/// A name with its escapes taken out, so that one name has one form.
fn plain(word: &str) -> String {
    let mut name = String::new();
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            name.push(letter);
            continue;
        }
        match letters.next() {
            Some('u') => {
                let code: String = letters.by_ref().take(4).collect();
                let unit = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                name.push_str(&unit.map_or_else(|| format!("\\u{}", code.to_lowercase()), String::from));
            }
            Some('n') => name.push('\n'),
            Some('t') => name.push('\t'),
            Some('r') => name.push('\r'),
            Some('b') => name.push('\u{8}'),
            Some('f') => name.push('\u{c}'),
            Some(letter) => name.push(letter),
            None => {}
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: depth by brackets and by chains is refused at its place, breadth is not, and what stands in
    /// texts and comments does not count.
    #[test]
    fn depth_is_refused_and_breadth_is_not() {
        let policy = |condition: &str| format!("permit(principal, action, resource) when {{ {condition} }};");
        for deep in [
            "[".repeat(1_000_000),
            "(".repeat(1_000_000),
            format!("{}1{}", "(".repeat(80), ")".repeat(80)),
            format!("1{} == 1", " + 1".repeat(2_000)),
            format!("context{}", ".a".repeat(2_000)),
            format!("{}1", "if true then 1 else ".repeat(2_000)),
            format!("true{}", " && true".repeat(2_000)),
            format!("{}1{} == 1", "(1 + ".repeat(40), format!("{})", " + 1".repeat(40)).repeat(40)),
        ] {
            let error = cedar(&policy(&deep)).expect_err("deep");
            assert_eq!((error.reason, error.place.map(|place| place.line)), (PolicyReason::TooDeep, Some(1)));
        }
        for broad in [
            format!("[{}].contains(2)", "1, ".repeat(10_000)),
            format!("\"{}\" == \"\\\"(\"", "(".repeat(1_000)),
            format!("true // {}\n", "(".repeat(1_000)),
        ] {
            assert!(cedar(&policy(&broad)).is_ok());
        }
        let many = policy("true").repeat(3_000);
        assert_eq!(cedar(&many).expect("many").len(), 3_000);
        assert_eq!(cedar(" // a\npermit;\n@id(\"b\") forbid;").expect("two"), [6, 14]);
    }

    /// PROPERTY: a name that stands twice is found, whatever its escapes; depth too.
    #[test]
    fn names_stand_once() {
        for bad in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061" : 2}"#, r#"[{"x":{"b":[],"c":1,"b":1}}]"#] {
            assert_eq!(json(bad).expect_err(bad).reason, PolicyReason::DuplicateName);
        }
        for good in [r#"{"a":{"a":"a:"},"b":["a","a"]}"#, r#"[{"a":1},{"a":1}]"#, "\"", "}"] {
            assert!(json(good).is_ok(), "{good}");
        }
        assert_eq!(json(&"[".repeat(1_000_000)).expect_err("deep").reason, PolicyReason::TooDeep);
    }
}
