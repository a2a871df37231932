//! The plain form of a request: the shapes in which callers ask a thousand times a second, read where they lie.
//!
//! Nothing is refused here. What is not in the plain form, well-formed or not, is left to the general way, which
//! alone judges it; what is in it, both ways read alike. A header that is not known here is not in it either.

use crate::limits::BODY_BYTES_MAX;
use crate::protocol::{PlainPath, Protocol};
use crate::scan::Value;
use tessera_model::limits::NAME_BYTES_MAX;

/// LIMIT: bytes of a plain request, head and content: one with the longest names has some 1,500.
pub(crate) const PLAIN_BYTES_MAX: usize = 8 * 1024;
/// What every plain request begins with.
const METHOD: &[u8] = b"POST ";
/// The tenant's part of a path, as far as it is the same for all.
const TENANT: &[u8] = b"/t/";
/// Types of content, and whether it is a form.
const TYPES: [(&str, bool); 3] = [
    ("application/json", false),
    ("application/json; charset=utf-8", false),
    ("application/x-www-form-urlencoded", true),
];
/// Headers of a plain request that no operation looks at.
const UNSEEN: [&[u8]; 6] =
    [b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"traceparent", b"tracestate"];

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asks {
    Check,
    Introspect,
    /// What a protocol answers.
    Protocol(PlainPath),
}

impl Asks {
    /// The path that it is asked at.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Check => "/v1/check",
            Self::Introspect => "/v1/introspect",
            Self::Protocol(plain) => plain.path,
        }
    }
}

/// A path that is asked in the plain form.
pub(crate) struct Line {
    /// The rest of the first line, from its path on.
    text: Box<[u8]>,
    asks: Asks,
}

/// The door's own lines, and those of its protocols.
pub(crate) fn lines(protocols: &[Protocol]) -> Box<[Line]> {
    let theirs = protocols.iter().flat_map(|protocol| protocol.plain).map(|plain| Asks::Protocol(*plain));
    let line = |asks: Asks| Line { text: format!("{} HTTP/1.1\r\n", asks.path()).into_bytes().into(), asks };
    [Asks::Check, Asks::Introspect].into_iter().chain(theirs).map(line).collect()
}

/// A plain request. No `Debug`: it holds a secret.
pub(crate) struct Plain<'a> {
    pub(crate) asks: Asks,
    /// The tenant that the path names.
    pub(crate) within: Option<&'a str>,
    pub(crate) host: &'a str,
    pub(crate) authorization: &'a str,
    pub(crate) tenant: Option<&'a str>,
    /// What the caller calls the request by.
    pub(crate) id: Option<&'a str>,
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

/// What the first line asks, the tenant that it names, and where it ends; else whether more bytes may make it plain.
fn first<'a>(bytes: &'a [u8], lines: &[Line]) -> Result<(Asks, Option<&'a str>, usize), bool> {
    let Some(path) = bytes.strip_prefix(METHOD) else { return Err(METHOD.starts_with(bytes)) };
    let (mut rest, mut within) = (path, None);
    if let Some(named) = path.strip_prefix(TENANT) {
        // Escapes are for the router.
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let end = named.iter().position(|byte| !plain(byte)).unwrap_or(named.len());
        let (name, behind) = named.split_at_checked(end).ok_or(false)?;
        if end > NAME_BYTES_MAX || behind.is_empty() {
            return Err(end <= NAME_BYTES_MAX);
        }
        within = Some(str::from_utf8(name).ok().filter(|name| !name.is_empty()).ok_or(false)?);
        rest = behind;
    }
    if let Some(line) = lines.iter().find(|line| rest.starts_with(&line.text)) {
        return Ok((line.asks, within, bytes.len() - rest.len() + line.text.len()));
    }
    Err(TENANT.starts_with(path) || lines.iter().any(|line| line.text.starts_with(rest)))
}

/// Reads the request that bytes begin with.
pub(crate) fn read<'a>(bytes: &'a [u8], lines: &[Line]) -> Reading<'a> {
    let (asks, within, begin) = match first(bytes, lines) {
        Ok(first) => first,
        Err(true) => return Reading::Partial,
        Err(false) => return Reading::Other,
    };
    let (mut at, mut head) = (begin, Head::default());
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
    let (tenant, id, fields, length) = (head.tenant, head.id, head.fields, at + length);
    Reading::Whole(Plain { asks, within, host, authorization, tenant, id, content, form, fields, length })
}

/// The headers, as far as they are read.
#[derive(Default)]
struct Head<'a> {
    host: Option<&'a str>,
    authorization: Option<&'a str>,
    tenant: Option<&'a str>,
    id: Option<&'a str>,
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
            12 if is(b"x-request-id") => self.id.replace(text).is_some(),
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

/// The pairs of a form that has these only, each at most once: text without escapes.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a beginning of a plain request is partial, or something else, and never whole; the whole one has
    /// its content and its length, whatever stands behind it.
    #[test]
    fn a_beginning_is_not_a_request() {
        let lines = lines(&[]);
        let head = "POST /v1/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n";
        let text = format!("{head}content-length: 2\r\n\r\n{{}}");
        for end in 0..text.len() {
            assert!(matches!(read(&text.as_bytes()[..end], &lines), Reading::Partial), "{end}");
        }
        let followed = format!("{text}GET");
        let Reading::Whole(plain) = read(followed.as_bytes(), &lines) else { panic!("whole") };
        assert_eq!((plain.content, plain.length, plain.fields.0), ("{}", text.len(), 4));
        let below = text.replacen("/v1/", "/t/acme-7/v1/", 1);
        for end in 0..below.len() {
            assert!(matches!(read(&below.as_bytes()[..end], &lines), Reading::Partial), "{end}");
        }
        let Reading::Whole(plain) = read(below.as_bytes(), &lines) else { panic!("whole") };
        assert_eq!((plain.within, plain.length), (Some("acme-7"), below.len()));
        for other in [
            "POST /t//v1/check HTTP/1.1\r\n",
            "POST /t/a%62/v1/check HTTP/1.1\r\n",
            "POST /t/a/b/v1/check HTTP/1.1\r\n",
            "POST /t/a/v1/checks HTTP/1.1\r\n",
            "POST /t/a HTTP/1.1\r\n",
            "POST /v2",
            "GET /v1/check HTTP/1.1\r\n",
            "POST /v1/check HTTP/1.0\r\n",
            "POST /v1/check?x=1 HTTP/1.1\r\n",
            "POST /v1/checks HTTP/1.1\r\n",
            "POST /v1/check HTTP/1.1\n",
        ] {
            assert!(matches!(read(other.as_bytes(), &lines), Reading::Other), "{other}");
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
            assert!(matches!(read(text.as_bytes(), &lines), Reading::Other), "{line}");
        }
    }
}
