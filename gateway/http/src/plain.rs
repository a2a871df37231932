//! The plain form of a request: the shapes in which callers ask a thousand times a second, read where they lie.
//!
//! Nothing is refused here. What is not in the plain form, well-formed or not, is left to the general way, which
//! alone judges it; what is in it, both ways read alike. A header that is not known here is not in it either.

use crate::limits::BODY_BYTES_MAX;

/// LIMIT: bytes of a plain request, head and content: one with the longest names has some 1,500.
pub(crate) const PLAIN_BYTES_MAX: usize = 8 * 1024;
/// First lines.
const LINES: [(&[u8], Asks); 2] =
    [(b"POST /v1/check HTTP/1.1\r\n", Asks::Check), (b"POST /v1/introspect HTTP/1.1\r\n", Asks::Introspect)];
/// Types of content, and whether it is a form.
const TYPES: [(&str, bool); 3] = [
    ("application/json", false),
    ("application/json; charset=utf-8", false),
    ("application/x-www-form-urlencoded", true),
];
/// Headers of a plain request that no operation looks at.
const UNSEEN: [&[u8]; 7] = [
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"user-agent",
    b"traceparent",
    b"tracestate",
    b"x-request-id",
];

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asks {
    Check,
    Introspect,
}

/// A plain request. No `Debug`: it holds a secret.
pub(crate) struct Plain<'a> {
    pub(crate) asks: Asks,
    pub(crate) host: &'a str,
    pub(crate) authorization: &'a str,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) content: &'a str,
    /// Whether the content is a form.
    pub(crate) form: bool,
    /// How many headers it has, and their bytes as RFC 9113 section 6.5.2 counts them.
    pub(crate) fields: (usize, usize),
    /// Bytes of head and content.
    pub(crate) length: usize,
}

/// How bytes read that begin with a request.
pub(crate) enum Reading<'a> {
    /// A plain request, whole.
    Whole(Plain<'a>),
    /// It may be one once more is there.
    Partial,
    /// Something else.
    Other,
}

/// Reads the request that bytes begin with.
pub(crate) fn read(bytes: &[u8]) -> Reading<'_> {
    let Some((line, asks)) = LINES.iter().find(|(line, _)| bytes.starts_with(line)) else {
        let begins = LINES.iter().any(|(line, _)| line.starts_with(bytes));
        return if begins { Reading::Partial } else { Reading::Other };
    };
    let (mut at, mut head) = (line.len(), Head::default());
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\r') else { return Reading::Partial };
        match rest.get(end + 1) {
            Some(b'\n') => at += end + 2,
            Some(_) => return Reading::Other,
            None => return Reading::Partial,
        }
        if end == 0 {
            break;
        }
        if rest.get(..end).and_then(|line| head.take(line)).is_none() {
            return Reading::Other;
        }
    }
    let (Some(host), Some(authorization), Some(form), Some(length)) =
        (head.host, head.authorization, head.form, head.length)
    else {
        return Reading::Other;
    };
    let Some(content) = bytes.get(at..at + length) else { return Reading::Partial };
    let Ok(content) = str::from_utf8(content) else { return Reading::Other };
    let (tenant, fields, length) = (head.tenant, head.fields, at + length);
    Reading::Whole(Plain { asks: *asks, host, authorization, tenant, content, form, fields, length })
}

/// The headers, as far as they are read.
#[derive(Default)]
struct Head<'a> {
    host: Option<&'a str>,
    authorization: Option<&'a str>,
    tenant: Option<&'a str>,
    /// Whether the content is a form; nothing when its type is not said.
    form: Option<bool>,
    length: Option<usize>,
    fields: (usize, usize),
}

impl<'a> Head<'a> {
    /// Takes one line; nothing when it is not plain, or says again what was said.
    fn take(&mut self, line: &'a [u8]) -> Option<()> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        // Visible text with single words between blanks: no tab, no control, nothing beyond ASCII.
        let visible = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if !visible || value.is_empty() || value.starts_with(b" ") || value.ends_with(b" ") {
            return None;
        }
        let text = str::from_utf8(value).ok()?;
        self.fields = (self.fields.0 + 1, self.fields.1 + name.len() + value.len() + 32);
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let again = match name.len() {
            4 if is(b"host") => self.host.replace(text).is_some(),
            13 if is(b"authorization") => self.authorization.replace(text).is_some(),
            11 if is(b"x-tenant-id") => self.tenant.replace(text).is_some(),
            14 if is(b"content-length") => self.length.replace(length(value)?).is_some(),
            12 if is(b"content-type") => {
                let known = TYPES.iter().find(|(known, _)| text.eq_ignore_ascii_case(known));
                self.form.replace(known?.1).is_some()
            }
            10 if is(b"connection") => !text.eq_ignore_ascii_case("keep-alive"),
            _ => !UNSEEN.iter().any(|known| is(known)),
        };
        if again { None } else { Some(()) }
    }
}

/// A length in digits, of a content that there is.
fn length(digits: &[u8]) -> Option<usize> {
    if digits.len() > 6 {
        return None;
    }
    let digit =
        |length: usize, byte: &u8| byte.is_ascii_digit().then(|| length * 10 + usize::from(byte - b'0'));
    let length = digits.iter().try_fold(0, digit)?;
    (1..=BODY_BYTES_MAX).contains(&length).then_some(length)
}

/// A member's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Text(&'a str),
    Whole(u32),
}

/// The members of one JSON object that has these only, each once, with plain values: text in ASCII without escapes,
/// whole numbers without sign, null. Nothing for any other text, whether it is JSON or not.
pub(crate) fn members<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Option<[Option<Value<'a>>; N]> {
    let mut members = [None; N];
    let mut rest = Rest(text);
    rest.sign(b'{')?;
    loop {
        let name = rest.text()?;
        rest.sign(b':')?;
        let value = rest.value()?;
        let at = names.iter().position(|known| *known == name)?;
        if members.get_mut(at)?.replace(value).is_some() {
            return None;
        }
        if rest.sign(b',').is_none() {
            break;
        }
    }
    rest.sign(b'}')?;
    rest.blanks();
    rest.0.is_empty().then_some(members)
}

/// The same of a form: pairs of text without escapes.
pub(crate) fn pairs<'a, const N: usize>(text: &'a str, names: &[&str; N]) -> Option<[Option<Value<'a>>; N]> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
    let mut pairs = [None; N];
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=')?;
        let at = names.iter().position(|known| *known == name)?;
        if !value.bytes().all(plain) || pairs.get_mut(at)?.replace(Value::Text(value)).is_some() {
            return None;
        }
    }
    Some(pairs)
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes a sign, and blanks before it.
    fn sign(&mut self, sign: u8) -> Option<()> {
        self.blanks();
        self.0 = self.0.strip_prefix(char::from(sign))?;
        Some(())
    }

    fn text(&mut self) -> Option<&'a str> {
        self.sign(b'"')?;
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let end = self.0.bytes().position(|byte| !plain(&byte))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(text)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        self.blanks();
        if self.0.starts_with('"') {
            return self.text().map(Value::Text);
        }
        if let Some(rest) = self.0.strip_prefix("null") {
            self.0 = rest;
            return Some(Value::Null);
        }
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        if digits.len() > 1 && digits.starts_with('0') { None } else { digits.parse().ok().map(Value::Whole) }
    }
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
        ];
        let bytes = b"{}[]\",:0129 nul\\\t\x00\x1f\x7f-.eE+handle";
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
            r#"{}"#,
            r#"{"handle":"a","handle":"a"}"#,
            r#"{"other":1}"#,
            r#"{"n":01}"#,
            r#"{"n":4294967296}"#,
            r#"{"n":1.0}"#,
            r#"{"n":-1}"#,
            r#"{"n":true}"#,
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

    /// PROPERTY: a beginning of a plain request is partial, or something else, and never whole; the whole one has
    /// its content and its length, whatever stands behind it.
    #[test]
    fn a_beginning_is_not_a_request() {
        let head = "POST /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n";
        let text = format!("{head}content-length: 2\r\n\r\n{{}}");
        for end in 0..text.len() {
            assert!(matches!(read(&text.as_bytes()[..end]), Reading::Partial), "{end}");
        }
        let followed = format!("{text}GET");
        let Reading::Whole(plain) = read(followed.as_bytes()) else { panic!("whole") };
        assert_eq!((plain.content, plain.length, plain.fields.0), ("{}", text.len(), 4));
        for other in [
            "GET /v1/check HTTP/1.1\r\n",
            "POST /v1/check HTTP/1.0\r\n",
            "POST /v1/check?x=1 HTTP/1.1\r\n",
            "POST /v1/checks HTTP/1.1\r\n",
            "POST /v1/check HTTP/1.1\n",
        ] {
            assert!(matches!(read(other.as_bytes()), Reading::Other), "{other}");
        }
        for line in [
            "content-length: 2",
            "content-length: 3",
            "transfer-encoding: chunked",
            "connection: close",
            "cookie: a=b",
            "origin: https://a",
            "expect: 100-continue",
            "content-encoding: gzip",
            "x-http-method: GET",
            " folded: a",
            "user-agent : a",
            "user-agent:",
            "user-agent:  a",
            "user-agent: a ",
            "user-agent: a\tb",
            "user-agent: \u{e9}",
            "user-agent",
            "host: b",
        ] {
            let text = format!("{head}content-length: 2\r\n{line}\r\n\r\n{{}}");
            assert!(matches!(read(text.as_bytes()), Reading::Other), "{line}");
        }
    }
}
