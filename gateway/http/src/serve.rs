//! One request of the table: who asks, what is asked, within which budget, and the answer.

use crate::ask;
use crate::caller::{self, Caller, Origin, single};
use crate::condition;
use crate::door::Shared;
use crate::elevation;
use crate::figures::add;
use crate::forward;
use crate::input::Input;
use crate::json::{self, Json};
use crate::limits::BODY_BYTES_MAX;
use crate::list;
use crate::load::{self, Form};
use crate::operation::{Act, Ask, Needs, Operation, Stand};
use crate::order::{self, Answered};
use crate::parameters;
use crate::problem::Problem;
use crate::public;
use crate::route::Told;
use crate::turn::{self, Turn};
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use tessera_engine::{Bound, Engine};
use tessera_model::{CommandKind, Limit, LimitAt, Refusal, Source, UnixMillis};

/// What a content of rows must be.
const ROWS_TYPE: &str = "the content must be application/x-ndjson or text/csv";

/// Answers a request of an operation.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    operation: &'static Operation,
    path: Option<RawPathParams>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answered = attempt(&shared, operation, path, (&parts, body)).await;
    let told = |problem: Problem| {
        let problem = if operation.is_about_relations() { problem.in_openfga() } else { problem };
        problem.into_response()
    };
    let mut response = answered.unwrap_or_else(told);
    if operation.act == Act::Ask(Ask::Forward) {
        forward::strip(&mut response);
    }
    response.extensions_mut().insert(Told(operation.path));
    response
}

/// Takes requests that show nothing good from the budget of their source.
pub(crate) fn counted<T>(shared: &Shared, origin: &Origin, asked: Result<T, Problem>) -> Result<T, Problem> {
    if let Err(problem) = &asked
        && problem.status() == StatusCode::UNAUTHORIZED
    {
        add(&shared.counters.unauthenticated, 1);
        stranger(shared, origin)?;
    }
    asked
}

/// Takes a request without a credential from the budget of its source.
pub(crate) fn stranger(shared: &Shared, origin: &Origin) -> Result<(), Problem> {
    let taken = shared.by_source.take(Source::of(origin.address), 1, shared.engine.now());
    let bound = Limit::SourcePerSecond.at(shared.limits.source_per_second.into());
    taken.map_err(|wait| over_budget(shared, bound, wait))
}

/// Takes a refresh from the budget of where it comes from, before its hash is computed.
pub(crate) fn may_refresh(shared: &Shared, parts: &Parts) -> Result<(), Problem> {
    let origin = parts.extensions.get::<Origin>().ok_or_else(Problem::failed)?;
    let taken = shared.refreshes.take(Source::of(origin.address), 1, shared.engine.now());
    let bound = Limit::RefreshesPerSecond.at(shared.limits.refreshes_per_second.into());
    taken.map_err(|wait| over_budget(shared, bound, wait))
}

fn over_budget(shared: &Shared, limit: LimitAt, wait: u32) -> Problem {
    add(&shared.counters.over_budget, 1);
    Problem::over_budget(limit, wait)
}

async fn attempt(
    shared: &Arc<Shared>,
    operation: &'static Operation,
    path: Option<RawPathParams>,
    (parts, body): (&Parts, Body),
) -> Result<Response<Body>, Problem> {
    let origin = parts.extensions.get::<Origin>().cloned().ok_or_else(Problem::failed)?;
    let path = path.ok_or_else(|| Problem::unreadable("the path does not read"))?;
    let (mut tenant, mut rest) = (None, Vec::new());
    for (name, value) in &path {
        if name == "tenant" {
            tenant = Some(value.to_owned());
        } else {
            rest.push((name.to_owned(), value.to_owned()));
        }
    }
    let named = caller::tenant(shared, parts, tenant.as_deref(), &origin)?;
    let query = parts.uri.query().unwrap_or_default();
    if operation.needs == Needs::Nothing {
        stranger(shared, &origin)?;
        let input = read(shared, operation, (rest, query), (parts, body)).await?;
        let id = order::command_id(shared, parts)?;
        if let Act::Own(own) = operation.act {
            let (value, headers) =
                public::perform(shared, (own, id), (parts, named), &origin, &input).await?;
            return with(value, headers);
        }
        return ok(order::unbound(shared, operation.act, id, &input).await?);
    }
    let forward = operation.act == Act::Ask(Ask::Forward);
    let bound = caller::bind(shared, parts, named, (&origin, forward)).await;
    let caller = counted(shared, &origin, bound)?;
    let input = read(shared, operation, (rest, query), (parts, body)).await?;
    afford(shared, &caller, cost(&input))?;
    match operation.act {
        Act::Ask(Ask::Check)
            if ["resource", "context", "entities"].iter().any(|of| input.json(of).is_some()) =>
        {
            if shared.engine.is_asleep(&caller.bound) {
                return Err(shared.engine.unready(&caller.bound.home).into());
            }
            ok(ask::check_resource(shared, &caller, input).await?)
        }
        Act::Ask(asked) if ask::may_be_long(&caller.bound, asked, &input) => {
            ok(ask::aside(shared, &caller, asked, input).await?)
        }
        Act::Ask(asked) => ask(shared, &caller, (asked, parts), &input),
        Act::List(asked) => {
            let value = list::answer(shared, &caller, (operation, asked), input).await?;
            if condition::is_record(asked) { tagged(parts, value) } else { ok(value) }
        }
        act @ (Act::Order(_) | Act::Own(_)) => {
            may_order(shared, &caller, operation.needs)?;
            let id = order::command_id(shared, parts)?;
            let _turn = turn(shared, &caller, (act, parts), &input).await?;
            condition::hold(shared, &caller, (operation, parts), &input).await?;
            let (value, headers): Answered =
                order::perform(shared, &caller, (act, id), (parts, &input)).await?;
            with(value, headers)
        }
    }
}

/// The turn of a change that depends on what is there. A tenant's conditions are looked at one after another, so that of
/// two that saw the same one is told; a merge patch of a client's terms is made of what is there. A trial changes nothing
/// that another one could have seen, and waits for none.
async fn turn(
    shared: &Shared,
    caller: &Caller,
    (act, parts): (Act, &Parts),
    input: &Input,
) -> Result<Option<Turn>, Problem> {
    let merges = act == Act::Order(CommandKind::ChangeClient);
    let depends = merges || condition::wanted(parts, "if-match").is_some();
    if depends && !input.bool("dry_run")?.unwrap_or(false) {
        return Ok(Some(turn::take(shared, caller.bound.entry.tenant).await?));
    }
    Ok(None)
}

/// Refuses whoever lacks the permission before anything is looked up: what is there is told to nobody else. What is
/// one's own the engine knows.
fn may_order(shared: &Shared, caller: &Caller, needs: Needs) -> Result<(), Problem> {
    let (engine, bound) = (&shared.engine, &caller.bound);
    let Needs::Permission(permission) = needs else { return Ok(()) };
    if engine.is_asleep(bound) {
        return Err(engine.unready(&bound.home).into());
    }
    if engine.may(bound, permission) { Ok(()) } else { Err(Refusal::Unauthorized.into()) }
}

fn ask(
    shared: &Shared,
    caller: &Caller,
    (asked, parts): (Ask, &Parts),
    input: &Input,
) -> Result<Response<Body>, Problem> {
    let engine: &Engine = &shared.engine;
    if engine.is_asleep(&caller.bound) {
        return Err(engine.unready(&caller.bound.home).into());
    }
    match asked {
        Ask::Check => ok(ask::check(shared, caller, input)?),
        Ask::CheckBatch => ok(ask::check_batch(shared, caller, input)?),
        Ask::Introspect => ok(ask::introspect(shared, caller, input)?),
        Ask::Permissions => ok(ask::permissions(shared, caller, input)?),
        Ask::Resolve => ok(ask::resolve(shared, caller, input)?),
        Ask::WhoAmI => ok(ask::who_am_i(shared, caller)?),
        Ask::Authorize => ok(ask::authorize(shared, caller, input)?),
        Ask::Challenge => ok(elevation::ask_challenge(&shared.engine, &caller.bound, input)?),
        Ask::Forward => {
            let workspace = input.text("workspace");
            let wanted = match (input.text("permission"), input.text("service")) {
                (Some(_), Some(_)) => return Err(crate::input::ill_formed("service")),
                (None, Some(service)) => forward::Wants::Request(service, forward::original(parts)?),
                (permission, None) => forward::Wants::Permission(permission),
            };
            forward::ask(shared, caller, (wanted, workspace))
        }
    }
}

/// What a request costs: each check of a batch and each row of a load counts.
fn cost(input: &Input) -> u32 {
    let rows = input.rows("rows").map_or(0, |(_, text)| text.lines().count());
    u32::try_from(input.checks("checks").len().max(rows).max(1)).unwrap_or(u32::MAX)
}

/// Takes a request from the budgets of its credential and tenant.
pub(crate) fn afford(shared: &Shared, caller: &Caller, cost: u32) -> Result<(), Problem> {
    take(shared, &caller.bound, (cost, shared.engine.now()))
}

/// Takes what a request costs from the budgets of its credential and tenant.
pub(crate) fn take(shared: &Shared, bound: &Bound, (cost, now): (u32, UnixMillis)) -> Result<(), Problem> {
    let credential = (bound.home.tenant, bound.credential);
    let taken = shared.by_credential.take(credential, cost, now);
    let most = Limit::CredentialPerSecond.at(shared.limits.credential_per_second.into());
    taken.map_err(|wait| over_budget(shared, most, wait))?;
    let taken = shared.by_tenant.take(bound.entry.tenant, cost, now);
    let most = Limit::TenantPerSecond.at(shared.limits.tenant_per_second.into());
    taken.map_err(|wait| over_budget(shared, most, wait))
}

/// Gives back what was taken for a request that is answered elsewhere, and pays there.
pub(crate) fn give_back(shared: &Shared, bound: &Bound, cost: u32) {
    shared.by_credential.give_back(&(bound.home.tenant, bound.credential), cost);
    shared.by_tenant.give_back(&bound.entry.tenant, cost);
}

/// Takes what an answer has cost beside its request from the budgets of its credential and tenant.
pub(crate) fn charge(shared: &Shared, bound: &Bound, cost: u64) {
    if cost > 0 {
        shared.by_credential.charge(&(bound.home.tenant, bound.credential), cost);
        shared.by_tenant.charge(&bound.entry.tenant, cost);
    }
}

/// Reads query and content as the table says.
async fn read(
    shared: &Shared,
    operation: &'static Operation,
    (path, query): (Vec<(String, String)>, &str),
    (parts, body): (&Parts, Body),
) -> Result<Input, Problem> {
    let query = parameters::read(query)?;
    let bytes = content(shared, parts, body).await?;
    let members = members(operation, parts, &bytes)?;
    Input::gather(operation, path, query, members)
}

/// The content, within its cap and its time.
pub(crate) async fn content(shared: &Shared, parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    if let Some(length) = single(&parts.headers, "content-length")? {
        let length: usize =
            length.parse().map_err(|_| Problem::unreadable("is no length").at("content-length"))?;
        if length > BODY_BYTES_MAX {
            return Err(Problem::too_large());
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
    }
    let read = axum::body::to_bytes(body, BODY_BYTES_MAX);
    match tokio::time::timeout(shared.limits.body, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem::too_large()),
        Err(_) => Err(Problem::too_slow()),
    }
}

/// The type of the content, which is in UTF-8 and not compressed.
pub(crate) fn kind(parts: &Parts) -> Result<&str, Problem> {
    let kind = single(&parts.headers, "content-type")?.ok_or_else(Problem::content_type)?;
    let (kind, parameter) = kind.split_once(';').unwrap_or((kind, ""));
    let parameter = parameter.trim();
    if !parameter.is_empty() && !parameter.eq_ignore_ascii_case("charset=utf-8") {
        return Err(Problem::content_type());
    }
    if parts.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::content_type().at("content-encoding"));
    }
    Ok(kind.trim())
}

/// The members of the content: JSON, or for introspection also a form (RFC 7662 section 2.1).
fn members(operation: &Operation, parts: &Parts, bytes: &[u8]) -> Result<Vec<(String, Json)>, Problem> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let takes = matches!(operation.verb, crate::operation::Verb::Post)
        || operation.fields.iter().any(|field| field.stand == Stand::Body);
    if !takes {
        return Err(Problem::unreadable("no content is read here"));
    }
    let kind = kind(parts)?;
    if let Some(field) = operation.content() {
        let form = Form::of(kind).ok_or_else(|| Problem::content_type().because(ROWS_TYPE))?;
        let text = str::from_utf8(bytes).map_err(|_| Problem::unreadable("not in UTF-8").at(field.name))?;
        return Ok(vec![(field.name.to_owned(), load::field(form, text))]);
    }
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && operation.act == Act::Ask(Ask::Introspect)
    {
        let text = str::from_utf8(bytes).map_err(|_| Problem::unreadable("not a form"))?;
        let pairs = parameters::read(text)?;
        return Ok(pairs.into_iter().map(|(name, value)| (name, Json::Text(value))).collect());
    }
    let merge = operation.verb == crate::operation::Verb::Patch
        && kind.eq_ignore_ascii_case("application/merge-patch+json");
    if !merge && !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::content_type());
    }
    match json::read(bytes)? {
        Json::Members(members) => Ok(members),
        Json::Null | Json::Bool(_) | Json::Whole(_) | Json::Fraction | Json::Text(_) | Json::List(_) => {
            Err(Problem::unreadable("the content must be an object"))
        }
    }
}

fn ok(value: Value) -> Result<Response<Body>, Problem> {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// An answer with headers of its own.
fn with(value: Value, headers: Vec<(HeaderName, HeaderValue)>) -> Result<Response<Body>, Problem> {
    let mut response = ok(value)?;
    // Two cookies are two headers.
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// A record with its tag; nothing of it when the caller has it.
fn tagged(parts: &Parts, value: Value) -> Result<Response<Body>, Problem> {
    let tag = condition::tag(&value);
    let has = condition::wanted(parts, "if-none-match").is_some_and(|list| condition::names(&list, &tag));
    let mut response = ok(value)?;
    if has {
        *response.body_mut() = Body::empty();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let tag = HeaderValue::from_str(&tag).map_err(|_| Problem::failed())?;
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}
