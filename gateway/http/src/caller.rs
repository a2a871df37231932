//! Who asks, about which tenant, and from where: read from one request, refused where it disagrees.

use crate::door::Shared;
use crate::problem::Problem;
use crate::value;
use crate::wake;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use tessera_crypto::compare::equal_arrays;
use tessera_crypto::digest;
use tessera_engine::{Bound, Engine, HelloRefusal};
use tessera_model::{CellId, Handle, HandleBytes, Name, Refusal, TenantId};

/// The header that names a tenant by id or name.
pub(crate) const TENANT_HEADER: &str = "x-tenant-id";
/// The header that a browser's request carries beside the cookie.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";
/// The cookie of a browser's session (RFC 6265bis section 4.1.3.2: this host only, TLS only).
pub(crate) const COOKIE: &str = "__Host-tessera";
/// The cookie of a browser's refresh handle: as the session's.
pub(crate) const REFRESH_COOKIE: &str = "__Host-tessera-refresh";

/// Where a request came from and how.
#[derive(Clone)]
pub(crate) struct Origin {
    /// The address of the peer, or of whoever a listed proxy speaks for.
    pub(crate) address: IpAddr,
    /// The name that TLS was asked for, in lower case.
    pub(crate) sni: Option<Arc<str>>,
    /// Whether a listed proxy has handed the request on.
    pub(crate) proxied: bool,
    /// Whether scripts of the origin that the request names may ask.
    pub(crate) listed: Listed,
}

/// Whether an origin may ask, and whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Listed {
    /// Nobody lists it.
    No,
    /// The node's configuration does: every tenant.
    Node,
    /// A tenant does: that one.
    Tenant(TenantId),
}

/// A live credential and how it was shown. No `Debug`: it holds a secret.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) bound: Bound,
    pub(crate) handle: HandleBytes,
    /// Whether a browser's cookie showed it.
    pub(crate) cookie: bool,
}

/// The value of a header that may stand once only.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::unreadable("a header stands twice").at(name));
    }
    let read = |value: &'a axum::http::HeaderValue| {
        value.to_str().map_err(|_| Problem::unreadable("a header does not read").at(name))
    };
    first.map(read).transpose()
}

/// The host that a request is for, without its port, in lower case. Host and target must agree.
pub(crate) fn host(parts: &Parts) -> Result<Cow<'_, str>, Problem> {
    let named = single(&parts.headers, "host")?;
    host_of(named, parts.uri.authority().map(axum::http::uri::Authority::as_str))
}

/// The same of the host as the header names it, and as the target does.
pub(crate) fn host_of<'a>(named: Option<&'a str>, target: Option<&'a str>) -> Result<Cow<'a, str>, Problem> {
    let authority = match (named, target) {
        (Some(named), Some(target)) if !named.eq_ignore_ascii_case(target) => {
            return Err(Problem::misdirected("host"));
        }
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return Err(Problem::unreadable("is missing").at("host")),
    };
    let bare = match authority.rsplit_once(':') {
        Some((bare, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => authority,
    };
    let bare = bare.trim_end_matches('.');
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    if bare.is_empty() || !bare.bytes().all(plain) {
        return Err(Problem::unreadable("is no host").at("host"));
    }
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(bare.to_ascii_lowercase().into());
    }
    Ok(bare.into())
}

/// The first label of a host below the door's domain.
pub(crate) fn label<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let label = host.strip_suffix(domain)?.strip_suffix('.')?;
    (!domain.is_empty() && !label.is_empty() && !label.contains('.')).then_some(label)
}

/// The tenant with this id or name.
pub(crate) fn tenant_named(engine: &Engine, text: &str) -> Option<TenantId> {
    if let Some(id) = TenantId::parse(text) {
        return Some(id);
    }
    let name = Name::new(text).ok()?;
    let system = engine.entry(TenantId::SYSTEM)?;
    let view = system.view();
    view.as_ref()?.listing().tenant_named(&name)
}

/// What a request says about its tenant.
pub(crate) enum Named {
    /// Nothing: the credential's own.
    None,
    /// One tenant, wherever it is named.
    One(TenantId),
    /// A tenant that there is not, as it was named; told only to whom it may concern.
    Unknown(String),
}

/// The tenant that host, SNI, path and header name.
///
/// # Errors
/// When two of them name different ones: there is no rule of precedence.
pub(crate) fn tenant(
    shared: &Shared,
    parts: &Parts,
    path: Option<&str>,
    origin: &Origin,
) -> Result<Named, Problem> {
    let host = host(parts)?;
    named(shared, (&host, path, single(&parts.headers, TENANT_HEADER)?), origin)
}

/// The same of host, path and header as they were read.
pub(crate) fn named(
    shared: &Shared,
    (host, path, header): (&str, Option<&str>, Option<&str>),
    origin: &Origin,
) -> Result<Named, Problem> {
    let mut named: Option<(Option<TenantId>, &str)> = None;
    let by_host = label(host, &shared.domain);
    let by_sni = origin.sni.as_deref().and_then(|sni| label(sni, &shared.domain));
    for (text, field) in [(by_host, "host"), (by_sni, "host"), (path, "tenant"), (header, TENANT_HEADER)] {
        let Some(text) = text else { continue };
        let id = tenant_named(&shared.engine, text);
        match named {
            Some((before, other)) if before != id || (id.is_none() && other != text) => {
                return Err(Problem::misdirected(field));
            }
            Some(_) => {}
            None => named = Some((id, text)),
        }
    }
    Ok(match named {
        None => Named::None,
        Some((Some(id), _)) => Named::One(id),
        Some((None, text)) => Named::Unknown(text.to_owned()),
    })
}

/// The token that a browser's request must carry beside its cookie: only who can read an answer of this
/// host knows it.
pub(crate) fn csrf_token(handle: &HandleBytes) -> String {
    let digest = digest::hash(&[b"tessera csrf token v1", handle]);
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The credential that a request shows: a bearer token, or a browser's cookie with its proofs.
///
/// # Errors
/// When there is none, or more than one, or another site may have made the request.
fn shown(parts: &Parts, (origin, forward): (&Origin, bool)) -> Result<(HandleBytes, bool), Problem> {
    let authorization = single(&parts.headers, header::AUTHORIZATION.as_str())?;
    let cookie = cookie(&parts.headers, COOKIE)?;
    match (authorization, cookie) {
        (Some(_), Some(_)) => {
            Err(Problem::unreadable("a bearer token and a cookie: show one").at("authorization"))
        }
        (Some(authorization), None) => {
            let handle = bearer(authorization).ok_or_else(Problem::unauthenticated)?;
            Ok((handle.to_bytes(), false))
        }
        (None, Some(text)) => {
            let handle = value::handle(text).ok_or_else(Problem::unauthenticated)?;
            same_site(parts, &handle, (origin, forward))?;
            Ok((handle, true))
        }
        (None, None) => Err(Problem::unauthenticated()),
    }
}

/// The handle of a bearer token (RFC 6750 section 2.1).
pub(crate) fn bearer(authorization: &str) -> Option<Handle> {
    let (scheme, token) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { Handle::parse_text(token).ok() } else { None }
}

/// The value of a cookie that may stand once only.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Result<Option<&'a str>, Problem> {
    let mut found = None;
    for value in headers.get_all(header::COOKIE) {
        let text = value.to_str().map_err(|_| Problem::unreadable("a header does not read").at("cookie"))?;
        for pair in text.split(';') {
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            if name == wanted && found.replace(value).is_some() {
                return Err(Problem::unreadable("a cookie stands twice").at("cookie"));
            }
        }
    }
    Ok(found)
}

/// Refuses what another site may have made a browser send (Fetch Metadata; the token for what changes).
///
/// A proxy asks about a request of its own application: the token is not asked for, but what changes
/// something must come from the application's own pages.
fn same_site(parts: &Parts, handle: &HandleBytes, (origin, forward): (&Origin, bool)) -> Result<(), Problem> {
    let site = single(&parts.headers, "sec-fetch-site")?;
    let method = if forward { crate::forward::original_method(parts)? } else { parts.method.clone() };
    let safe = matches!(method, Method::GET | Method::HEAD);
    if forward {
        let navigates = single(&parts.headers, "sec-fetch-mode")? == Some("navigate");
        return match site {
            Some("same-origin" | "none") => Ok(()),
            Some(_) if safe && navigates => Ok(()),
            None if safe => Ok(()),
            Some(_) | None => Err(Problem::another_site("sec-fetch-site")),
        };
    }
    from_own_page(parts, origin)?;
    if safe {
        return Ok(());
    }
    let token = single(&parts.headers, CSRF_HEADER)?.unwrap_or_default();
    let (shown, wanted) = (digest::hash(&[token.as_bytes()]), digest::hash(&[csrf_token(handle).as_bytes()]));
    if equal_arrays(&shown, &wanted) {
        Ok(())
    } else {
        Err(Problem::cross_site("the cookie needs its token beside it").at(CSRF_HEADER))
    }
}

/// Refuses a browser's request that a page of another origin has made, unless that origin is listed (Fetch
/// Metadata; RFC 6454).
pub(crate) fn from_own_page(parts: &Parts, origin: &Origin) -> Result<(), Problem> {
    let site = single(&parts.headers, "sec-fetch-site")?;
    let named = single(&parts.headers, "origin")?;
    if origin.listed != Listed::No {
        return Ok(());
    }
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Problem::another_site("sec-fetch-site"));
    }
    let own = |origin: &str| {
        host(parts).is_ok_and(|host| {
            let bare = origin.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
            let bare = bare.rsplit_once(':').map_or(bare, |(bare, _)| bare);
            bare.eq_ignore_ascii_case(&host)
        })
    };
    if named.is_some_and(|named| !own(named)) {
        return Err(Problem::another_site("origin"));
    }
    Ok(())
}

/// Binds the credential of a request to the tenant that it names.
///
/// # Errors
/// One answer for everything that the credential does not open.
pub(crate) async fn bind(
    shared: &Shared,
    parts: &Parts,
    named: Named,
    (origin, forward): (&Origin, bool),
) -> Result<Caller, Problem> {
    let (handle, cookie) = shown(parts, (origin, forward))?;
    let parsed = Handle::parse(&handle).map_err(|_| Problem::unauthenticated())?;
    if let (true, Listed::Tenant(tenant)) = (cookie, origin.listed)
        && tenant != parsed.tenant
    {
        // A tenant's word on origins opens nobody else's browsers: an operator's neither.
        return Err(Problem::another_site("origin"));
    }
    let operator = parsed.tenant == TenantId::SYSTEM;
    let wanted = match named {
        Named::None => None,
        Named::One(tenant) if operator || tenant == parsed.tenant => Some(tenant),
        Named::Unknown(_) if operator => {
            // Whether it is an operator at all comes first.
            hello(shared, &handle, None, origin).await?;
            return Err(Refusal::TenantUnknown.into());
        }
        Named::One(_) | Named::Unknown(_) => return Err(Problem::unauthenticated()),
    };
    let bound = match hello(shared, &handle, wanted, origin).await {
        Err(problem) if operator && wanted.is_some_and(|tenant| tenant != TenantId::SYSTEM) => {
            hello(shared, &handle, None, origin).await?;
            return Err(if problem == Problem::unauthenticated() {
                Refusal::TenantUnknown.into()
            } else {
                problem
            });
        }
        other => other?,
    };
    shared.engine.note_use(&bound);
    Ok(Caller { bound, handle, cookie })
}

/// Another cell has the tenant: which, and where that is asked, as far as the fleet file says so.
fn elsewhere(shared: &Shared, cell: CellId) -> Problem {
    let mut problem = Problem::from(Refusal::Redirect);
    if let Some((cell, _)) = shared.engine.cell(cell) {
        let mut more = serde_json::Map::new();
        more.insert("cell".to_owned(), cell.name.as_str().into());
        if !cell.http.is_empty() {
            more.insert("cell_url".to_owned(), (&*cell.http).into());
        }
        problem.more = Some(Box::new(more));
    }
    problem
}

/// Whether the caller's tenant, and the one that it asks about, still live here: looked at again where an answer takes
/// long.
pub(crate) fn stays(shared: &Shared, bound: &Bound) -> Result<(), Problem> {
    let away = bound.entry.away().or_else(|| bound.home.away());
    away.map_or(Ok(()), |cell| Err(elsewhere(shared, cell)))
}

/// Says Hello to the engine; waits a little while the tenant wakes.
async fn hello(
    shared: &Shared,
    handle: &HandleBytes,
    tenant: Option<TenantId>,
    origin: &Origin,
) -> Result<Bound, Problem> {
    let until = wake::patience(shared);
    loop {
        match shared.engine.hello_from(handle, tenant, Some(origin.address)) {
            Ok(bound) => return Ok(bound),
            Err(HelloRefusal::Refused) => return Err(Problem::unauthenticated()),
            Err(HelloRefusal::NotReady) if tokio::time::Instant::now() < until => {
                let of_handle = Handle::parse(handle).map(|handle| handle.tenant).ok();
                let Some(entry) = tenant.or(of_handle).and_then(|id| shared.engine.entry(id)) else {
                    return Err(Refusal::NotReady.into());
                };
                wake::until_awake(shared, &entry, until).await?;
            }
            Err(HelloRefusal::Elsewhere(cell)) => return Err(elsewhere(shared, cell)),
            Err(refusal) => return Err(Refusal::from(refusal).into()),
        }
    }
}

/// Where a request came from: the peer, or whoever the nearest proxy that is not listed was (RFC 7239's
/// purpose, in the form of X-Forwarded-For). Headers of anybody else are not looked at.
pub(crate) fn source(shared: &Shared, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !shared.proxies.contains(&peer) {
        return peer;
    }
    let mut hops = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        let Ok(text) = value.to_str() else { return peer };
        hops.extend(text.split(',').map(str::trim));
    }
    for hop in hops.iter().rev() {
        let Ok(address) = hop.parse::<IpAddr>() else { return peer };
        let address = address.to_canonical();
        if !shared.proxies.contains(&address) {
            return address;
        }
    }
    peer
}
