//! JSON as trees with the place of every value: contexts, entities and schemas before anything gives them a type.

use std::collections::BTreeSet;
use std::fmt;

/// How much a text may hold.
#[derive(Clone, Copy, Debug)]
pub struct PlainBounds {
    /// Its bytes.
    pub bytes: usize,
    /// Values within values.
    pub depth: u32,
    /// Values in all.
    pub nodes: u32,
}

/// A value without a type of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(String),
    /// Values in a row.
    List(Vec<Placed>),
    /// Values under names, each once, in the order of the text.
    Object(Vec<(String, Placed)>),
}

/// A value and where it begins: line and column from 1, columns in letters.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// The value.
    pub value: Plain,
}

/// What is wrong with a text or with what it holds, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlainError {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong.
    pub says: String,
}

impl fmt::Display for PlainError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.line, self.column, self.says)
    }
}

impl std::error::Error for PlainError {}

impl Placed {
    /// A fault at this place.
    #[must_use]
    pub fn misfit(&self, says: impl Into<String>) -> PlainError {
        PlainError { line: self.line, column: self.column, says: says.into() }
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Plain::Object(members) = &self.value else { return None };
        members.iter().find(|(one, _)| one == name).map(|(_, value)| value)
    }

    /// The text that it is.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Plain::Text(text) = &self.value { Some(text) } else { None }
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self.value {
            Plain::Bool(_) => "a truth value",
            Plain::Long(_) => "a number",
            Plain::Text(_) => "a text",
            Plain::List(_) => "a list",
            Plain::Object(_) => "an object",
        }
    }
}

impl Plain {
    /// Reads the one value that is the whole text (RFC 8259). Total: no name stands twice, numbers are whole, there is
    /// no `null`.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(text: &str, bounds: PlainBounds) -> Result<Placed, PlainError> {
        let mut reader = Reader { rest: text, line: 1, column: 1, nodes: bounds.nodes };
        if text.len() > bounds.bytes {
            return Err(reader.wrong(&format!("{} bytes, at most {}", text.len(), bounds.bytes)));
        }
        let value = reader.value(bounds.depth)?;
        reader.blanks();
        if reader.rest.is_empty() { Ok(value) } else { Err(reader.wrong("expected the end of the text")) }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
    nodes: u32,
}

impl Reader<'_> {
    fn wrong(&self, says: &str) -> PlainError {
        PlainError { line: self.line, column: self.column, says: says.to_owned() }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        if letter == '\n' {
            (self.line, self.column) = (self.line.saturating_add(1), 1);
        } else {
            self.column = self.column.saturating_add(1);
        }
        Some(letter)
    }

    fn skip(&mut self, letters: usize) {
        for _ in 0..letters {
            self.next();
        }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn takes(&mut self, letter: char) -> bool {
        self.blanks();
        let found = self.peek() == Some(letter);
        if found {
            self.next();
        }
        found
    }

    /// LIMIT: recursion is as deep as `depth` says.
    fn value(&mut self, depth: u32) -> Result<Placed, PlainError> {
        self.blanks();
        let (line, column) = (self.line, self.column);
        let depth = depth.checked_sub(1).ok_or_else(|| self.wrong("values are nested too deep"))?;
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| self.wrong("too many values"))?;
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Plain::Text(self.text()?),
            Some('-' | '0'..='9') => Plain::Long(self.number()?),
            Some('t' | 'f' | 'n') => self.word()?,
            _ => return Err(self.wrong("expected a value")),
        };
        Ok(Placed { line, column, value })
    }

    fn word(&mut self) -> Result<Plain, PlainError> {
        for (word, value) in [("true", Some(true)), ("false", Some(false)), ("null", None)] {
            if self.rest.starts_with(word) {
                let value = value.ok_or_else(|| self.wrong("null is no value here: leave the name out"))?;
                self.skip(word.len());
                return Ok(Plain::Bool(value));
            }
        }
        Err(self.wrong("expected a value"))
    }

    fn number(&mut self) -> Result<i64, PlainError> {
        let end = self.rest.find(|letter: char| !matches!(letter, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
        let word = self.rest.get(..end.unwrap_or(self.rest.len())).unwrap_or_default();
        let digits = word.strip_prefix('-').unwrap_or(word);
        let plain =
            digits == "0" || !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = word.parse::<i64>().ok().filter(|_| plain);
        let number = number.ok_or_else(|| self.wrong("expected a whole number of 64 bits"))?;
        self.skip(word.len());
        Ok(number)
    }

    fn list(&mut self, depth: u32) -> Result<Plain, PlainError> {
        self.next();
        let mut items = Vec::new();
        if self.takes(']') {
            return Ok(Plain::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.takes(']') {
                return Ok(Plain::List(items));
            }
            if !self.takes(',') {
                return Err(self.wrong("expected `,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<Plain, PlainError> {
        self.next();
        let (mut members, mut names) = (Vec::new(), BTreeSet::new());
        if self.takes('}') {
            return Ok(Plain::Object(members));
        }
        loop {
            self.blanks();
            let at = self.wrong("");
            if self.peek() != Some('"') {
                return Err(self.wrong("expected a name in quotes"));
            }
            let name = self.text()?;
            if !names.insert(name.clone()) {
                return Err(PlainError {
                    says: format!("the name {name:?} stands twice in one object"),
                    ..at
                });
            }
            if !self.takes(':') {
                return Err(self.wrong("expected `:`"));
            }
            members.push((name, self.value(depth)?));
            if self.takes('}') {
                return Ok(Plain::Object(members));
            }
            if !self.takes(',') {
                return Err(self.wrong("expected `,` or `}`"));
            }
        }
    }

    fn text(&mut self) -> Result<String, PlainError> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escaped()?),
                Some(letter) if letter >= ' ' => text.push(letter),
                Some(_) => return Err(self.wrong("a control character in a text")),
                None => return Err(self.wrong("a text does not end")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, PlainError> {
        Ok(match self.next() {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let unit = self.unit()?;
                if !(0xd800..0xe000).contains(&unit) {
                    return char::from_u32(unit).ok_or_else(|| self.wrong("no such letter"));
                }
                // A letter of two units: high, then low.
                let low =
                    if self.next() == Some('\\') && self.next() == Some('u') { self.unit()? } else { 0 };
                let pair = (unit < 0xdc00 && (0xdc00..0xe000).contains(&low))
                    .then(|| 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
                return pair.and_then(char::from_u32).ok_or_else(|| self.wrong("half a letter"));
            }
            _ => return Err(self.wrong("no such escape")),
        })
    }

    fn unit(&mut self) -> Result<u32, PlainError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|letter| letter.to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.wrong("expected four hexadecimal digits"))?;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: PlainBounds = PlainBounds { bytes: 4_000_000, depth: 16, nodes: 1_000 };

    /// PROPERTY: what is no JSON, stands twice, or goes over a bound is refused at its place, whatever its length.
    #[test]
    fn bad_texts_are_refused_at_their_place() {
        for (text, line, column) in [
            ("", 1, 1),
            ("{\"a\":1,\n \"a\":2}", 2, 2),
            ("{\"a\": 1.5}", 1, 7),
            ("{\"a\": 01}", 1, 7),
            ("{\"a\": null}", 1, 7),
            ("[1,]", 1, 4),
            ("[9223372036854775808]", 1, 2),
            ("{\"a\" 1}", 1, 6),
            ("{} {}", 1, 4),
            (&"[".repeat(1_000_000), 1, 17),
            (&format!("[{}1]", "1,".repeat(2_000)), 1, 2_000),
        ] {
            let misfit = Plain::read(text, BOUNDS).expect_err("refused");
            assert_eq!((misfit.line, misfit.column), (line, column), "{}", misfit.says);
        }
        for bad in ["\"\\ud800\"", "\"\\u12\"", "\"\\x\"", "\"a", "\"\u{1}\"", "tru", "-", "+1", "1e3"] {
            assert!(Plain::read(bad, BOUNDS).is_err(), "{bad}");
        }
        assert!(Plain::read(&" ".repeat(4_000_001), BOUNDS).is_err());
    }

    /// PROPERTY: what is well formed is read as it says.
    #[test]
    fn good_texts_are_read() {
        let read = |text: &str| Plain::read(text, BOUNDS).expect("read");
        assert_eq!(read(" -9223372036854775808 ").value, Plain::Long(i64::MIN));
        assert_eq!(read(r#""\u00e9\ud83d\ude00\n\/""#).text(), Some("\u{e9}\u{1f600}\n/"));
        let object = read(r#"{"a": [true, {"b": "c"}], "d": 0}"#);
        assert_eq!(object.member("d").map(|value| &value.value), Some(&Plain::Long(0)));
        assert_eq!((object.member("d").map(|at| at.column), object.member("x")), (Some(32), None));
    }
}
