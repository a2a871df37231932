//! JSON with the place of every value: what the JSON form of a model is read from.

use crate::error::{ModelError, ModelReason};
use crate::model::Position;
use tessera_model::limits::RELATION_MODEL_BYTES_MAX;

/// LIMIT: values within values: operators nest at most half as deep.
const DEPTH_MAX: u32 = 96;

/// A value. Numbers are not told apart from the words that they are written with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `null`: as if it were not there.
    Null,
    /// `true`, `false` or a number.
    Bare,
    Text(String),
    List(Vec<Placed>),
    /// Members in the order of the text.
    Object(Vec<(String, Placed)>),
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) at: Position,
    pub(crate) value: Value,
}

/// Reads one value that is the whole text. Total; nothing is read twice.
pub(crate) fn read(text: &str) -> Result<Placed, ModelError> {
    let mut reader = Reader { rest: text, at: Position { line: 1, column: 1 } };
    if text.len() > RELATION_MODEL_BYTES_MAX {
        return Err(ModelError::new(reader.at, ModelReason::TooLong));
    }
    let value = reader.value(0)?;
    reader.blanks();
    if reader.rest.is_empty() { Ok(value) } else { Err(reader.wrong("the end of the text")) }
}

struct Reader<'a> {
    rest: &'a str,
    at: Position,
}

impl Reader<'_> {
    fn wrong(&self, expected: &'static str) -> ModelError {
        let found = match self.rest.chars().next() {
            Some(letter) => format!("{:?}", letter.to_string()),
            None => "the end of the text".to_owned(),
        };
        ModelError::new(self.at, ModelReason::Unexpected { found, expected })
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        if letter == '\n' {
            self.at = Position { line: self.at.line.saturating_add(1), column: 1 };
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(letter)
    }

    fn blanks(&mut self) {
        while self.rest.starts_with([' ', '\t', '\r', '\n']) {
            self.next();
        }
    }

    fn sign(&mut self, sign: char) -> bool {
        self.blanks();
        let there = self.rest.starts_with(sign);
        if there {
            self.next();
        }
        there
    }

    fn value(&mut self, depth: u32) -> Result<Placed, ModelError> {
        self.blanks();
        let at = self.at;
        if depth > DEPTH_MAX {
            return Err(ModelError::new(at, ModelReason::TooDeep));
        }
        let value = match self.rest.chars().next() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::Text(self.text()?),
            Some(letter) if letter.is_ascii_alphanumeric() || letter == '-' => {
                let text = self.rest;
                while self.rest.starts_with(|letter: char| {
                    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '.')
                }) {
                    self.next();
                }
                let word = text.strip_suffix(self.rest);
                if word == Some("null") { Value::Null } else { Value::Bare }
            }
            _ => return Err(self.wrong("a value")),
        };
        Ok(Placed { at, value })
    }

    fn object(&mut self, depth: u32) -> Result<Value, ModelError> {
        self.next();
        let mut members: Vec<(String, Placed)> = Vec::new();
        if self.sign('}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.blanks();
            let name = self.text()?;
            if !self.sign(':') {
                return Err(self.wrong("a colon"));
            }
            let value = self.value(depth.saturating_add(1))?;
            members.push((name, value));
            if self.sign('}') {
                break;
            }
            if !self.sign(',') {
                return Err(self.wrong("a comma or a closing brace"));
            }
        }
        let mut names: Vec<(&str, Position)> =
            members.iter().map(|(name, value)| (name.as_str(), value.at)).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [(one, _), (other, at)] = pair
                && one == other
            {
                return Err(ModelError::new(*at, ModelReason::Twice { name: crate::text::shortened(one) }));
            }
        }
        Ok(Value::Object(members))
    }

    fn list(&mut self, depth: u32) -> Result<Value, ModelError> {
        self.next();
        let mut values = Vec::new();
        if self.sign(']') {
            return Ok(Value::List(values));
        }
        loop {
            let value = self.value(depth.saturating_add(1))?;
            values.push(value);
            if self.sign(']') {
                return Ok(Value::List(values));
            }
            if !self.sign(',') {
                return Err(self.wrong("a comma or a closing bracket"));
            }
        }
    }

    fn text(&mut self) -> Result<String, ModelError> {
        if !self.rest.starts_with('"') {
            return Err(self.wrong("a text"));
        }
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => {
                    let letter = self.escaped()?;
                    text.push(letter);
                }
                Some(letter) if letter >= ' ' => text.push(letter),
                Some(_) | None => return Err(self.wrong("a closing quotation mark")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, ModelError> {
        Ok(match self.next() {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let mut code = 0_u32;
                for _ in 0..4 {
                    let digit = self.rest.chars().next().and_then(|letter| letter.to_digit(16));
                    let Some(digit) = digit else { return Err(self.wrong("four hexadecimal digits")) };
                    code = code << 4 | digit;
                    self.next();
                }
                // Names are ASCII in practice; a half of a pair is no character by itself.
                char::from_u32(code).ok_or_else(|| self.wrong("a character outside of pairs"))?
            }
            Some(_) | None => return Err(self.wrong("an escaped character")),
        })
    }
}
