//! Why a request was not answered with what it asked for: a problem document (RFC 9457).
//!
//! `code` and `name` are those of the one code table (docs/surface/codes.txt); the status is that of
//! HTTP. Nothing from inside the node is told.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};
use std::borrow::Cow;
use tessera_engine::SubmitError;
use tessera_model::code::{CODE_FAILED, CODE_UNKNOWN, ProtocolCode};
use tessera_model::{Limit, LimitAt, Refusal};

/// When a caller should come again whose tenant wakes or whose budget is used up, ms.
const COME_AGAIN_MS: u32 = 50;

/// A problem on its way to the caller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: u16,
    name: &'static str,
    title: String,
    /// The member, parameter or header that is meant.
    pub(crate) field: Option<Box<str>>,
    detail: Option<Cow<'static, str>>,
    /// The limit that is reached, with its number; 0 for one that is not told.
    pub(crate) limit: Option<(&'static str, u64)>,
    retry_ms: u32,
    /// Members of its own.
    pub(crate) more: Option<Box<Map<String, Value>>>,
}

/// The status that stands for a refusal.
const fn status_of(code: u16) -> StatusCode {
    match code {
        200 | 202 | 215 | 219 | 224 | 235..=238 | 244 | 245 | 264 | 266 | 269 | 279 | 600 => {
            StatusCode::FORBIDDEN
        }
        201 | 203 | 205..=210 | 228 | 230 | 239 | 247 | 250 | 253 | 259 | 262 => StatusCode::NOT_FOUND,
        278 | 283 | 284 | 289 | 299 | 605 => StatusCode::NOT_FOUND,
        213 | 214 => StatusCode::BAD_REQUEST,
        212
        | 216
        | 217
        | 218
        | 222
        | 227
        | 243
        | 260
        | 268
        | 270
        | 274..=277
        | 286
        | 290
        | 291
        | 293
        | 294
        | 297 => StatusCode::UNPROCESSABLE_ENTITY,
        229 | 242 => StatusCode::INSUFFICIENT_STORAGE,
        231 | 300 | 303 | 304 | 502 => StatusCode::SERVICE_UNAVAILABLE,
        241 | 301 => StatusCode::TOO_MANY_REQUESTS,
        302 => StatusCode::MISDIRECTED_REQUEST,
        _ => StatusCode::CONFLICT,
    }
}

impl Problem {
    fn new(status: StatusCode, code: u16, name: &'static str, title: &str) -> Self {
        Self {
            status,
            code,
            name,
            title: title.to_owned(),
            field: None,
            detail: None,
            limit: None,
            retry_ms: 0,
            more: None,
        }
    }

    fn protocol(status: StatusCode, code: ProtocolCode, name: &'static str) -> Self {
        Self::new(status, code.code(), name, code.text())
    }

    /// The same, told at a member, parameter or header.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, with the name of the limit that is reached.
    #[must_use]
    pub const fn limited_by(mut self, limit: &'static str) -> Self {
        self.limit = Some((limit, 0));
        self
    }

    /// The same, with a sentence for people.
    #[must_use]
    pub fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The request does not read: bad JSON, a bad query, a bad header.
    #[must_use]
    pub fn unreadable(detail: &'static str) -> Self {
        Self::protocol(StatusCode::BAD_REQUEST, ProtocolCode::BadPayload, "BadPayload").because(detail)
    }

    /// No credential, or one that opens nothing: one answer for every cause.
    pub(crate) fn unauthenticated() -> Self {
        Self::protocol(StatusCode::UNAUTHORIZED, ProtocolCode::HelloRefused, "HelloRefused")
    }

    /// A browser's request that another site may have made.
    pub(crate) fn cross_site(detail: &'static str) -> Self {
        Self::from(Refusal::Unauthorized).because(detail)
    }

    /// A browser's request that a page of another origin has made, as this header says.
    pub(crate) fn another_site(header: &str) -> Self {
        Self::cross_site("another site has made this request").at(header)
    }

    /// Nothing is served at this path.
    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, ProtocolCode::KindUnknown.code(), "KindUnknown", "no such path")
    }

    /// The path is served, but not with this method.
    pub(crate) fn no_such_method() -> Self {
        let code = ProtocolCode::KindUnknown.code();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code, "KindUnknown", "not with this method")
    }

    /// The content is not of a type that is read here.
    pub(crate) fn content_type() -> Self {
        Self::protocol(StatusCode::UNSUPPORTED_MEDIA_TYPE, ProtocolCode::BadPayload, "BadPayload")
            .at("content-type")
            .because("the content must be application/json")
    }

    /// The content is over the cap.
    pub(crate) fn too_large() -> Self {
        Self::protocol(StatusCode::PAYLOAD_TOO_LARGE, ProtocolCode::FrameTooLarge, "FrameTooLarge")
    }

    /// The content has no length of its own (RFC 9112 section 6.3).
    pub(crate) fn length_required() -> Self {
        Self::protocol(StatusCode::LENGTH_REQUIRED, ProtocolCode::BadHeader, "BadHeader")
            .at("transfer-encoding")
            .because("send content with a content-length")
    }

    /// The target is longer than any that is served.
    pub(crate) fn target_too_long() -> Self {
        Self::protocol(StatusCode::URI_TOO_LONG, ProtocolCode::FrameTooLarge, "FrameTooLarge")
    }

    /// The head, or one of its fields, is over the caps.
    pub(crate) fn head_too_large() -> Self {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self::protocol(status, ProtocolCode::FrameTooLarge, "FrameTooLarge")
    }

    /// The bytes are no request.
    pub(crate) fn no_request() -> Self {
        Self::protocol(StatusCode::BAD_REQUEST, ProtocolCode::BadHeader, "BadHeader")
            .because("not a request as RFC 9112 writes it")
    }

    /// The content came too slowly.
    pub(crate) fn too_slow() -> Self {
        Self::protocol(StatusCode::REQUEST_TIMEOUT, ProtocolCode::TooSlow, "TooSlow")
    }

    /// Host, SNI, path, header and credential do not name the same tenant or host.
    pub(crate) fn misdirected(field: &str) -> Self {
        Self::protocol(StatusCode::MISDIRECTED_REQUEST, ProtocolCode::BadHeader, "BadHeader")
            .at(field)
            .because("the request names more than one host or tenant")
    }

    /// The node is going away.
    pub(crate) fn draining() -> Self {
        let mut problem = Self::protocol(StatusCode::SERVICE_UNAVAILABLE, ProtocolCode::Draining, "Draining");
        problem.retry_ms = 1_000;
        problem
    }

    /// The node has failed at this request.
    #[must_use]
    pub fn failed() -> Self {
        let title = "the node failed; nothing is known to have happened";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, CODE_FAILED, "Failed", title)
    }

    /// A budget is used up.
    pub(crate) fn over_budget(limit: LimitAt, retry_ms: u32) -> Self {
        let mut problem = Self::from(Refusal::Busy(limit));
        problem.retry_ms = retry_ms.max(1);
        problem
    }

    /// What the caller saw is not what is there now (RFC 9110 section 13.1.1).
    pub(crate) fn precondition() -> Self {
        let mut problem = Self::from(Refusal::Changed).at("if-match");
        problem.status = StatusCode::PRECONDITION_FAILED;
        problem
    }

    /// The status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The document.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |member: &str, value: Value| json.insert(member.to_owned(), value);
        put("type", format!("urn:tessera:code:{}", self.code).into());
        put("title", self.title.clone().into());
        put("status", self.status.as_u16().into());
        put("code", self.code.into());
        put("name", self.name.into());
        if let Some(field) = &self.field {
            put("field", field.to_string().into());
        }
        if let Some(detail) = self.detail.clone() {
            put("detail", detail.into_owned().into());
        }
        if let Some((limit, bound)) = self.limit {
            put("limit", limit.into());
            if bound > 0 {
                put("bound", bound.into());
            }
        }
        if self.retry_ms > 0 {
            put("retry_ms", self.retry_ms.into());
        }
        for (member, value) in self.more.iter().flat_map(|more| more.iter()) {
            put(member, value.clone());
        }
        crate::answer::sorted(Value::Object(json))
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.retry_ms > 0 {
            // Whole seconds only; `retry_ms` is finer.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_ms.div_ceil(1_000)));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = refusal.code();
        let mut problem = Self::new(status_of(code), code, refusal.name(), &refusal.to_string());
        let named = refusal.limit().filter(|at| at.limit != Limit::Unnamed);
        problem.limit = named.map(|at| (at.limit.name(), at.bound));
        if matches!(refusal, Refusal::NotReady | Refusal::Busy(_) | Refusal::Behind | Refusal::Moving) {
            problem.retry_ms = COME_AGAIN_MS;
        }
        if matches!(refusal, Refusal::ClockSkew | Refusal::CommandTooOld | Refusal::IdReused) {
            problem = problem.at("idempotency-key");
        }
        if matches!(refusal, Refusal::CursorRefused(_)) {
            problem = problem.at("cursor");
        }
        if matches!(refusal, Refusal::PasswordLength(_)) {
            problem = problem.at("password");
        }
        if let Refusal::SettingOutOfBounds(setting) = refusal {
            problem = problem.at(setting.name());
        }
        problem
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::Wait { refusal, retry_ms } => {
                let mut problem = Self::from(refusal);
                problem.retry_ms = u32::try_from(retry_ms).unwrap_or(u32::MAX);
                problem
            }
            SubmitError::Unknown => {
                let title = "the outcome is not known: repeat it under the same idempotency key";
                let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, CODE_UNKNOWN, "Unknown", title);
                problem.retry_ms = COME_AGAIN_MS;
                problem
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: every refusal has a status of the client's or the node's fault, and its own code.
    #[test]
    fn every_refusal_has_a_status() {
        for refusal in Refusal::ALL {
            let problem = Problem::from(*refusal);
            assert!(problem.status.is_client_error() || problem.status.is_server_error(), "{refusal:?}");
            assert_eq!(problem.to_json().get("code"), Some(&Value::from(refusal.code())));
        }
        assert_eq!(Problem::from(Refusal::RoleUnknown).status, StatusCode::NOT_FOUND);
        assert_eq!(Problem::from(Refusal::Duplicate).status, StatusCode::CONFLICT);
        // What is not there is not found, whatever it is. A zone and a relation are words of a language, and one that it
        // has not is ill-formed.
        let unknown = Refusal::ALL.iter().filter(|refusal| refusal.name().ends_with("Unknown"));
        let (words, nouns): (Vec<Refusal>, Vec<Refusal>) =
            unknown.partition(|refusal| matches!(refusal, Refusal::ZoneUnknown | Refusal::RelationUnknown));
        assert!(words.len() == 2 && nouns.len() > 15, "{nouns:?}");
        let status = |refusal: &Refusal| Problem::from(*refusal).status;
        for refusal in nouns {
            assert_eq!(status(&refusal), StatusCode::NOT_FOUND, "{refusal:?}");
        }
        assert!(words.iter().all(|refusal| status(refusal) == StatusCode::UNPROCESSABLE_ENTITY));
    }
}
