//! The words and signs of the modeling language, each with its place.

use crate::error::{ModelError, ModelReason};
use crate::model::Position;
use tessera_model::limits::RELATION_MODEL_BYTES_MAX;

/// A word, a sign, or the end of a line that is not inside brackets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    Sign(char),
    Newline,
    End,
}

impl Token<'_> {
    /// How an error shows it: never more than 40 characters of the text.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Word(word) => format!("{:?}", word.chars().take(40).collect::<String>()),
            Self::Sign(sign) => format!("{:?}", sign.to_string()),
            Self::Newline => "the end of the line".to_owned(),
            Self::End => "the end of the text".to_owned(),
        }
    }
}

const SIGNS: &[char] = &[':', ',', '[', ']', '(', ')', '#', '*', '{', '}'];

/// Splits the text. A `#` at the beginning of a line or behind a blank opens a comment.
pub(crate) fn lex(text: &str) -> Result<Vec<(Token<'_>, Position)>, ModelError> {
    if text.len() > RELATION_MODEL_BYTES_MAX {
        return Err(ModelError::new(Position { line: 1, column: 1 }, ModelReason::TooLong));
    }
    let mut tokens = Vec::new();
    let mut open = 0_u32;
    let mut last = Position { line: 1, column: 1 };
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line;
        let mut column = 1;
        let mut blank = true;
        while let Some(letter) = rest.chars().next() {
            let at = Position { line: number, column };
            let length = if letter.is_whitespace() {
                blank = true;
                letter.len_utf8()
            } else if letter == '#' && blank {
                rest.len()
            } else if SIGNS.contains(&letter) {
                match letter {
                    '[' | '(' => open = open.saturating_add(1),
                    ']' | ')' => open = open.saturating_sub(1),
                    _ => {}
                }
                tokens.push((Token::Sign(letter), at));
                blank = false;
                letter.len_utf8()
            } else {
                let end = rest.find(|letter: char| letter.is_whitespace() || SIGNS.contains(&letter));
                let (word, _) = rest.split_at(end.unwrap_or(rest.len()));
                tokens.push((Token::Word(word), at));
                blank = false;
                word.len()
            };
            let (taken, behind) = rest.split_at(length);
            column = column.saturating_add(u32::try_from(taken.chars().count()).unwrap_or(u32::MAX));
            rest = behind;
        }
        if open == 0 {
            tokens.push((Token::Newline, Position { line: number, column }));
        }
        last = Position { line: number, column };
    }
    tokens.push((Token::End, last));
    Ok(tokens)
}
