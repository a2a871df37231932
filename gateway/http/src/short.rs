//! The short way of the questions that are asked most: from the bytes of a plain request to the bytes of its answer,
//! without a task, a table of headers or a tree of JSON. Two of them are the door's own; what else is asked this way a
//! protocol reads and answers.
//!
//! Who may ask, within which budget, and what is answered is looked up by the same functions as on the general way.
//! Until the budgets are charged nothing has happened, and whatever is not plain success so far goes the general way.

use crate::answer;
use crate::ask;
use crate::caller::{self, Listed, Named, Origin};
use crate::cross;
use crate::door::Shared;
use crate::input::TEXT_CHARS_MAX;
use crate::plain::{self, Asks, Plain, Reading};
use crate::problem::Problem;
use crate::protocol::PlainRequest;
use crate::route::{self, ACCESS, REQUEST_ID};
use crate::scan::{self, Value};
use crate::serve;
use crate::value::{self, NameOrNumber};
use axum::http::{HeaderValue, StatusCode, header};
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use tessera_engine::{Bound, PolicySteps};
use tessera_model::query::Introspection;
use tessera_model::{CheckQuery, Decision, HandleBytes, Name, Reason, Receipt, TenantId, UnixMillis};

/// Members of a check; of a check about a resource there is one more, which is not plain.
const CHECK: [&str; 5] = ["permission", "handle", "workspace", "at_least", "address"];
/// Members of an introspection.
const INTROSPECT: [&str; 4] = ["token", "token_type_hint", "at_least", "address"];
/// What is called by an id, as on the general way.
const ID: &[u8] = b"\r\nx-request-id: ";
/// The first lines of an answer, up to its length.
const BEGIN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";

/// Where answers are made; each thread has one.
pub(crate) struct Desk {
    content: Vec<u8>,
    /// Answers, one after another.
    pub(crate) out: Vec<u8>,
    /// The second of the last answer, and its text.
    date: (u64, [u8; DATE_BYTES]),
}

/// How a beginning of bytes was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Taken {
    /// So many bytes were a request; its answer is on the desk.
    Answered(usize),
    /// More bytes may make it plain.
    Partial,
    /// It goes the general way; nothing has happened.
    Other,
}

/// What is asked, read whole before anything happens.
enum Question<'a> {
    Check(Check<'a>),
    Introspect { token: HandleBytes, at_least: Receipt, address: Option<IpAddr> },
}

struct Check<'a> {
    handle: Option<HandleBytes>,
    permission: NameOrNumber<'a>,
    workspace: Option<NameOrNumber<'a>>,
    at_least: Receipt,
    address: Option<IpAddr>,
}

impl Desk {
    pub(crate) const fn new() -> Self {
        Self { content: Vec::new(), out: Vec::new(), date: (u64::MAX, [b' '; DATE_BYTES]) }
    }

    /// Answers the request that bytes begin with, if it is plain.
    pub(crate) fn answer(&mut self, shared: &Arc<Shared>, peer: &Origin, bytes: &[u8]) -> Taken {
        let plain = match plain::read(bytes, &shared.lines) {
            Reading::Whole(plain) => plain,
            Reading::Partial => return Taken::Partial,
            Reading::Other => return Taken::Other,
        };
        let begun = tracing::enabled!(target: ACCESS, tracing::Level::DEBUG).then(tokio::time::Instant::now);
        let now = shared.engine.now();
        self.content.clear();
        let Some(answered) = attempt(shared, peer, (&plain, now), &mut self.content) else {
            return Taken::Other;
        };
        self.date_of(now);
        let status = match answered {
            Ok(()) => {
                self.granted(shared, plain.id);
                StatusCode::OK
            }
            Err(problem) => self.refused(shared, plain.id, problem),
        };
        route::count(shared, status);
        if let Some(begun) = begun {
            route::log(peer.address, (&axum::http::Method::POST, plain.asks.path()), status, begun);
        }
        Taken::Answered(plain.length)
    }

    fn date_of(&mut self, now: UnixMillis) {
        let second = now.0 / 1_000;
        if self.date.0 != second {
            self.date = (second, date(now));
        }
    }

    fn granted(&mut self, shared: &Shared, id: Option<&str>) {
        let Self { content, out, date } = self;
        out.extend_from_slice(BEGIN);
        number(out, content.len() as u64);
        if let Some(id) = id {
            out.extend_from_slice(ID);
            out.extend_from_slice(id.as_bytes());
        }
        for part in [&shared.harmless, b"\r\ndate: ".as_slice(), &date.1, b"\r\n\r\n", content] {
            out.extend_from_slice(part);
        }
    }

    fn refused(&mut self, shared: &Shared, id: Option<&str>, problem: Problem) -> StatusCode {
        let content = problem.to_json().to_string();
        let mut response = problem.into_response();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            response.headers_mut().append(REQUEST_ID, id);
        }
        cross::finish(shared, (None, Listed::No), &mut response);
        let out = &mut self.out;
        out.extend_from_slice(format!("HTTP/1.1 {}", response.status()).as_bytes());
        for (name, value) in response.headers() {
            for part in [b"\r\n", name.as_str().as_bytes(), b": ", value.as_bytes()] {
                out.extend_from_slice(part);
            }
        }
        for part in [b"\r\ndate: ".as_slice(), &self.date.1, b"\r\n\r\n", content.as_bytes()] {
            out.extend_from_slice(part);
        }
        response.status()
    }
}

/// Answers, and charges for it; nothing when the general way must say what is wrong.
fn attempt(
    shared: &Arc<Shared>,
    peer: &Origin,
    (plain, now): (&Plain<'_>, UnixMillis),
    content: &mut Vec<u8>,
) -> Option<Result<(), Problem>> {
    let (limits, (fields, bytes)) = (&shared.limits, plain.fields);
    let small = fields <= limits.headers && bytes <= limits.head_bytes;
    if !small || shared.proxies.contains(&peer.address) || *shared.draining.borrow() {
        return None;
    }
    if let Asks::Protocol(asked) = plain.asks {
        if plain.form {
            return None;
        }
        return (asked.answer)(&PlainRequest::new(shared, peer, (plain, now)), content);
    }
    let question = Question::of(plain)?;
    let (bound, own) = bind(shared, peer, plain)?;
    let engine = &shared.engine;
    Some(serve::take(shared, &bound, (1, now)).and_then(|()| match question {
        Question::Check(check) => {
            let policies = PolicySteps::counting();
            let decision = ask::decide(shared, &bound, &check.query(&own))?;
            serve::charge(shared, &bound, policies.checks());
            decided(content, &decision);
            Ok(())
        }
        Question::Introspect { token, at_least, address } => {
            let view = bound.entry.view();
            let view = view.as_ref().ok_or_else(|| Problem::from(engine.unready(&bound.entry)))?;
            let reading = engine.read(view);
            ask::sees(&reading, at_least)?;
            match ask::known(shared, &bound, (&reading, &token, address))? {
                Err(reason) => inactive(content, reason, reading.seen()),
                Ok(found) => active(content, &found, view.listing().workspace_name(found.workspace)),
            }
            Ok(())
        }
    }))
}

/// The credential that a plain request shows, bound to its tenant; nothing for whatever is not plain success.
pub(crate) fn bind(shared: &Shared, peer: &Origin, plain: &Plain<'_>) -> Option<(Bound, HandleBytes)> {
    let handle = caller::bearer(plain.authorization)?;
    let host = caller::host_of(Some(plain.host), None).ok()?;
    let wanted = match caller::named(shared, (&host, plain.within, plain.tenant), peer).ok()? {
        // An operator may be told more, and acts on others.
        _ if handle.tenant == TenantId::SYSTEM => return None,
        Named::One(tenant) if tenant != handle.tenant => return None,
        Named::Unknown(_) => return None,
        Named::One(tenant) => Some(tenant),
        Named::None => None,
    };
    let own = handle.to_bytes();
    let engine = &shared.engine;
    // Whoever knocks at a tenant that sleeps is looked at once, and there.
    engine.entry(handle.tenant).filter(|home| home.is_active() && home.view().is_some())?;
    let bound = engine.hello_from(&own, wanted, Some(peer.address)).ok()?;
    if engine.is_asleep(&bound) {
        return None;
    }
    engine.note_use(&bound);
    Some((bound, own))
}

impl<'a> Question<'a> {
    fn of(plain: &Plain<'a>) -> Option<Self> {
        match plain.asks {
            // A protocol reads its own.
            Asks::Protocol(_) => None,
            Asks::Check if plain.form => None,
            Asks::Check => {
                let [permission, handle, workspace, at_least, address] =
                    scan::members(plain.content, &CHECK)?;
                Some(Self::Check(Check {
                    handle: maybe(handle, handle_of)?,
                    permission: maybe(permission, name_or_number)??,
                    workspace: maybe(workspace, name_or_number)?,
                    at_least: maybe(at_least, receipt)?.unwrap_or_default(),
                    address: maybe(address, address_of)?,
                }))
            }
            Asks::Introspect => {
                let read = if plain.form { plain::pairs } else { scan::members };
                let [token, hint, at_least, address] = read(plain.content, &INTROSPECT)?;
                maybe(hint, |hint| text(hint).filter(|hint| hint.chars().count() <= TEXT_CHARS_MAX))?;
                Some(Self::Introspect {
                    token: maybe(token, handle_of)??,
                    at_least: maybe(at_least, receipt)?.unwrap_or_default(),
                    address: maybe(address, address_of)?,
                })
            }
        }
    }
}

impl<'a> Check<'a> {
    fn query(&'a self, own: &'a HandleBytes) -> CheckQuery<'a> {
        CheckQuery {
            handle: self.handle.as_ref().unwrap_or(own),
            permission: ask::permission(self.permission),
            workspace: ask::workspace(self.workspace),
            at_least: self.at_least,
            address: self.address,
        }
    }
}

/// Reads a member that may be left out or null; nothing when it is there and does not read.
#[expect(clippy::option_option, reason = "what does not read is not what is not there")]
fn maybe<'a, T>(value: Option<Value<'a>>, read: impl FnOnce(Value<'a>) -> Option<T>) -> Option<Option<T>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(value) => read(value).map(Some),
    }
}

fn text(value: Value<'_>) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn handle_of(value: Value<'_>) -> Option<HandleBytes> {
    value::handle(text(value)?)
}

fn receipt(value: Value<'_>) -> Option<Receipt> {
    value::receipt(text(value)?)
}

fn address_of(value: Value<'_>) -> Option<IpAddr> {
    text(value)?.parse().ok()
}

fn name_or_number(value: Value<'_>) -> Option<NameOrNumber<'_>> {
    match value {
        Value::Null | Value::Bool(_) => None,
        Value::Text(text) => Name::look(text).is_ok().then_some(NameOrNumber::Name(text)),
        Value::Whole(number) => Some(NameOrNumber::Number(number)),
    }
}

/// The content of a check's answer. Names and words of the engine need no escapes.
fn decided(content: &mut Vec<u8>, decision: &Decision) {
    let word = if decision.reason == Reason::None { "permit" } else { "deny" };
    put(
        content,
        &[r#"{"decision":""#, word, r#"","reason":""#, decision.reason.name(), r#"","reason_code":"#],
    );
    number(content, decision.reason.code().into());
    seen(content, decision.seen);
    instant(content, "valid_until", decision.valid_until);
    put(content, &["}"]);
}

/// The content of an answer about a token that is not active.
fn inactive(content: &mut Vec<u8>, reason: Reason, at: Receipt) {
    put(content, &[r#"{"active":false,"reason":""#, reason.name(), r#"","reason_code":"#]);
    number(content, reason.code().into());
    seen(content, at);
    put(content, &["}"]);
}

/// The content of an answer about a token that is active.
fn active(content: &mut Vec<u8>, found: &Introspection, workspace: Option<&Name>) {
    put(content, &["{"]);
    if let Some(actor) = found.actor {
        put(content, &[r#""act":{"sub":""#]);
        content.extend_from_slice(&actor.to_ascii());
        put(content, &[r#""},"#]);
    }
    put(content, &[r#""active":true,"device":"#]);
    match found.device {
        None => put(content, &["null"]),
        Some(device) => {
            put(content, &[r#"""#]);
            content.extend_from_slice(&device.to_ascii());
            put(content, &[r#"""#]);
        }
    }
    put(content, &[r#","exp":"#]);
    number(content, found.expires.0 / 1_000);
    put(content, &[r#","iat":"#]);
    number(content, found.authenticated_at.0 / 1_000);
    instant(content, "idle_until", found.idle_until);
    put(content, &[r#","kind":""#, answer::kind(found.key), r#"""#]);
    seen(content, found.seen);
    put(content, &[r#","session":""#]);
    content.extend_from_slice(&found.id.to_ascii());
    put(content, &[r#"","sub":""#]);
    content.extend_from_slice(&found.subject.to_ascii());
    put(content, &[r#"","tenant":""#]);
    hex(content, found.tenant.0);
    put(content, &[r#"","token_type":"Bearer","workspace":"#]);
    match workspace {
        None => put(content, &["null}"]),
        Some(name) => put(content, &[r#"""#, name.as_str(), r#""}"#]),
    }
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn seen(out: &mut Vec<u8>, at: Receipt) {
    put(out, &[r#","seen":""#]);
    number(out, at.epoch.0);
    out.push(b'.');
    number(out, at.revision.0);
    out.push(b'"');
}

/// An instant twice, behind another member; null for the end of time.
fn instant(out: &mut Vec<u8>, name: &str, at: UnixMillis) {
    if at.0 == u64::MAX {
        return put(out, &[r#",""#, name, r#"":null,""#, name, r#"_ms":null"#]);
    }
    put(out, &[r#",""#, name, r#"":""#]);
    // A vector takes whatever is written.
    drop(write!(out, "{at}"));
    put(out, &[r#"",""#, name, r#"_ms":"#]);
    number(out, at.0);
}

/// A number in digits.
fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        first = at;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// A number in 16 digits of base 16.
fn hex(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 16];
    for (at, digit) in digits.iter_mut().rev().enumerate() {
        let nibble = u8::try_from(number >> (4 * at) & 15).unwrap_or(0);
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    out.extend_from_slice(&digits);
}

/// Bytes of a date.
const DATE_BYTES: usize = 29;

/// The date of an answer (RFC 9110 section 5.6.7), by the node's clock.
fn date(now: UnixMillis) -> [u8; DATE_BYTES] {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = now.to_string();
    let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default();
    let day = DAYS.iter().cycle().nth(usize::try_from(now.0 / 86_400_000 % 7).unwrap_or(0));
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let (day, month) = (day.copied().unwrap_or_default(), month.copied().unwrap_or_default());
    let text = format!("{day}, {} {month} {} {} GMT", part(8, 10), part(0, 4), part(11, 19));
    text.as_bytes().try_into().unwrap_or([b' '; DATE_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Object;
    use tessera_model::{Epoch, Generation, Place, PublicId, Revision, SubjectIndex, WorkspaceIndex};

    /// PROPERTY: dates are those of the standard.
    #[test]
    fn dates_read_as_the_standard_writes_them() {
        for (ms, text) in [
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399_999, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (1_767_225_600_000, "Thu, 01 Jan 2026 00:00:00 GMT"),
        ] {
            assert_eq!(str::from_utf8(&date(UnixMillis(ms))), Ok(text));
        }
    }

    /// PROPERTY: contents are those that the general way writes. METHOD: every reason, and ends of all fields.
    #[test]
    fn contents_are_those_of_the_general_way() {
        let receipts = [(0, 0), (1, 7), (u64::MAX, u64::MAX)];
        let receipts =
            receipts.map(|(epoch, revision)| Receipt { epoch: Epoch(epoch), revision: Revision(revision) });
        let instants = [0, 999, 1_767_225_600_123, u64::MAX].map(UnixMillis);
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut content = Vec::new();
            write(&mut content);
            String::from_utf8(content).expect("UTF-8")
        };
        for reason in Reason::ALL.iter().copied() {
            for (seen, valid_until) in receipts.into_iter().flat_map(|seen| instants.map(|at| (seen, at))) {
                let decision = Decision { reason, seen, valid_until };
                let slow =
                    Object::new().decided(reason).shown("seen", seen).at("valid_until", Some(valid_until));
                assert_eq!(written(&|out| decided(out, &decision)), slow.value().to_string());
                let slow =
                    Object::new().with("active", false).shown("seen", seen).with("reason", reason.name());
                let slow = slow.with("reason_code", reason.code()).value().to_string();
                assert_eq!(written(&|out| inactive(out, reason, seen)), slow);
            }
        }
        let name = Name::new("a:b/c-d_e.F9").expect("a name");
        let actor = PublicId([7; 16]);
        for (key, workspace, actor) in
            [(true, None, None), (false, Some(&name), None), (false, None, Some(actor))]
        {
            for (seen, at) in receipts.into_iter().flat_map(|seen| instants.map(|at| (seen, at))) {
                let found = Introspection {
                    tenant: TenantId(u64::MAX - at.0 % 1_000),
                    subject: PublicId([0xa5; 16]),
                    subject_index: SubjectIndex(1),
                    id: PublicId([9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]),
                    place: Place(1),
                    generation: Generation(1),
                    key,
                    authenticated_at: at,
                    expires: at,
                    idle_until: at,
                    workspace: WorkspaceIndex(0),
                    device: actor.map(|_| PublicId([8; 16])),
                    actor,
                    seen,
                };
                let slow = ask::shown(&found, workspace.map(|name| name.as_str().to_owned()));
                assert_eq!(written(&|out| active(out, &found, workspace)), slow.to_string());
            }
        }
    }
}
