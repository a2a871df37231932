//! JSON in the plain form, read where it lies: text in ASCII without escapes, whole numbers without sign, true, false,
//! null, and objects of these. Without a tree, and without taking memory.
//!
//! INVARIANT: what reads here, [`crate::json`] reads alike. Nothing is refused: what is not plain, JSON or not, is nothing
//! here, and left to that reader.

/// A member's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A string.
    Text(&'a str),
    /// A number of 32 bits.
    Whole(u32),
}

/// What is left of a text.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    /// Reads a text from its beginning.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes a sign, and blanks before it.
    fn sign(&mut self, sign: u8) -> Option<()> {
        self.blanks();
        self.0 = self.0.strip_prefix(char::from(sign))?;
        Some(())
    }

    /// Takes a word.
    fn word(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// Takes a string.
    pub fn text(&mut self) -> Option<&'a str> {
        self.sign(b'"')?;
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let end = self.0.bytes().position(|byte| !plain(&byte))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    /// Takes a value that is no object.
    pub fn value(&mut self) -> Option<Value<'a>> {
        self.blanks();
        match self.0.as_bytes().first()? {
            b'"' => self.text().map(Value::Text),
            b'n' => self.word("null").map(|()| Value::Null),
            b't' => self.word("true").map(|()| Value::Bool(true)),
            b'f' => self.word("false").map(|()| Value::Bool(false)),
            _ => {
                let end = self.0.bytes().position(|byte| !byte.is_ascii_digit())?;
                let (digits, rest) = self.0.split_at_checked(end)?;
                self.0 = rest;
                let padded = digits.len() > 1 && digits.starts_with('0');
                if padded { None } else { digits.parse().ok().map(Value::Whole) }
            }
        }
    }

    /// Takes an object: `take` is told each name, and takes its value. Whether a name stands twice is for it to see.
    pub fn object(&mut self, mut take: impl FnMut(&'a str, &mut Self) -> Option<()>) -> Option<()> {
        self.sign(b'{')?;
        if self.sign(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.text()?;
            self.sign(b':')?;
            take(name, self)?;
            if self.sign(b',').is_none() {
                break;
            }
        }
        self.sign(b'}')
    }

    /// Whether nothing but blanks is left.
    #[must_use]
    pub fn is_over(mut self) -> bool {
        self.blanks();
        self.0.is_empty()
    }
}

/// The members of one JSON object that has these only, each at most once, and fills the text.
pub(crate) fn members<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Option<[Option<Value<'a>>; N]> {
    let (mut members, mut scan) = ([None; N], Scan::new(text));
    scan.object(|name, scan| {
        let value = scan.value()?;
        let at = names.iter().position(|known| *known == name)?;
        if members.get_mut(at)?.replace(value).is_some() { None } else { Some(()) }
    })?;
    scan.is_over().then_some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Json};

    /// The same by the general reader.
    fn slowly<const N: usize>(text: &str, names: &[&str; N]) -> Option<[Option<Json>; N]> {
        let Ok(Json::Members(members)) = json::read(text.as_bytes()) else { return None };
        let mut found = [const { None }; N];
        for (name, value) in members {
            found[names.iter().position(|known| *known == name)?] = Some(value);
        }
        Some(found)
    }

    fn same(plain: Option<Value<'_>>, json: Option<&Json>) -> bool {
        match (plain, json) {
            (None, None) | (Some(Value::Null), Some(Json::Null)) => true,
            (Some(Value::Bool(one)), Some(Json::Bool(other))) => one == *other,
            (Some(Value::Text(text)), Some(Json::Text(other))) => text == other,
            (Some(Value::Whole(number)), Some(Json::Whole(other))) => i128::from(number) == *other,
            _ => false,
        }
    }

    /// PROPERTY: whatever reads in the plain form, the general reader reads alike; and the plain form is what callers
    /// send. METHOD: texts that differ from good ones in one or two bytes.
    /// TC-49 in part: JSON.
    #[test]
    fn plain_members_read_as_the_general_reader_reads_them() {
        let names = ["handle", "permission", "n"];
        let good = [
            r#"{"handle":"abc","permission":"orders.read"}"#,
            r#"{"permission":7}"#,
            " {\t\"n\" : 0 ,\r\n\"handle\":null}\n ",
            r#"{"n":4294967295}"#,
            r#"{"n":true,"permission":false}"#,
            "{ }",
        ];
        let bytes = b"{}[]\",:0129 nultrefas\\\t\x00\x1f\x7f-.eE+handle";
        let mut plain = 0;
        let mut look = |text: &str| {
            let Some(members) = members(text, &names) else { return };
            let known = slowly(text, &names).unwrap_or_else(|| panic!("{text:?} is nothing to the other"));
            for (one, other) in members.into_iter().zip(&known) {
                assert!(same(one, other.as_ref()), "{text:?}");
            }
            plain += 1;
        };
        for text in good {
            assert!(members(text, &names).is_some(), "{text:?}");
            for at in 0..text.len() {
                for byte in bytes {
                    let (before, after) = text.split_at(at);
                    let byte = char::from(*byte);
                    look(&format!("{before}{byte}{after}"));
                    look(&format!("{before}{byte}{}", &after[1..]));
                    look(&format!("{before}{}", &after[1..]));
                }
            }
        }
        assert!(plain > 1_000, "{plain}");
        for other in [
            "",
            "{",
            "{,}",
            r#"{"handle":"a","handle":"a"}"#,
            r#"{"other":1}"#,
            r#"{"n":01}"#,
            r#"{"n":4294967296}"#,
            r#"{"n":1.0}"#,
            r#"{"n":-1}"#,
            r#"{"n":tru}"#,
            r#"{"n":{}}"#,
            r#"{"n":[]}"#,
            r#"{"handle":"\u0061"}"#,
            r#"{"n":1,}"#,
            r#"{"n":1}}"#,
            r#"{"n":1"#,
            r#"{"n":"#,
            "{\"handle\":\"\u{e9}\"}",
        ] {
            assert_eq!(members(other, &names), None, "{other}");
        }
    }
}
