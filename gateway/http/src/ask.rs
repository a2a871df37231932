//! Questions: answered from the published view, in place, without waiting.

use crate::answer::{self, Object};
use crate::caller::{self, Caller};
use crate::door::Shared;
use crate::input::{Input, ill_formed};
use crate::json::Json;
use crate::operation::Ask;
use crate::policy;
use crate::problem::Problem;
use crate::relation;
use crate::serve;
use crate::value::{self, NameOrNumber};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use tessera_engine::{ADDRESS, About, Authorized, Bound, PolicySteps, Reading, Resource, Sees, View, Wanted};
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::query::Introspection;
use tessera_model::{
    CheckQuery, Decision, HandleBytes, Limit, Name, PermissionId, PermissionRef, Reason, Receipt, Refusal,
    Scope, WorkspaceIndex, WorkspaceRef,
};
use tessera_relation::RELATION_BUDGET;

/// The permission that lets a caller ask about handles that are not its own.
pub(crate) const CHECK: &str = "tessera.check";
/// Members of one question of a batch.
const CHECK_MEMBERS: [&str; 4] = ["handle", "permission", "workspace", "address"];

/// The tenant's view, or why there is none.
pub(crate) fn view(shared: &Shared, bound: &Bound) -> Result<Arc<View>, Problem> {
    match bound.entry.view().as_ref() {
        Some(view) => Ok(Arc::clone(view)),
        None => Err(shared.engine.unready(&bound.entry).into()),
    }
}

/// Whether a reading has seen what the caller has seen.
pub(crate) fn sees(reading: &Reading<'_>, at_least: Receipt) -> Result<(), Problem> {
    match reading.sees(at_least) {
        Sees::Yes => Ok(()),
        Sees::NotYet => Err(Problem::from(Refusal::Behind).at("at_least")),
        Sees::Restored => Err(Problem::from(Refusal::Restored).at("at_least")),
    }
}

/// Whether the caller may ask about this handle: its own, or anybody's with the permission.
fn entitled(shared: &Shared, bound: &Bound, handle: &HandleBytes) -> Result<(), Problem> {
    if shared.engine.is_own(bound, handle) || shared.engine.may(bound, CHECK) {
        Ok(())
    } else {
        Err(Problem::from(Refusal::Unauthorized).at("handle"))
    }
}

pub(crate) const fn permission(asked: NameOrNumber<'_>) -> PermissionRef<'_> {
    match asked {
        NameOrNumber::Name(name) => PermissionRef::Name(name),
        NameOrNumber::Number(id) => PermissionRef::Id(PermissionId(id)),
    }
}

pub(crate) const fn workspace(asked: Option<NameOrNumber<'_>>) -> WorkspaceRef<'_> {
    match asked {
        None => WorkspaceRef::Tenant,
        Some(NameOrNumber::Name(name)) => WorkspaceRef::Name(name),
        Some(NameOrNumber::Number(index)) => WorkspaceRef::Index(WorkspaceIndex(index)),
    }
}

pub(crate) fn address(text: Option<&str>) -> Result<Option<IpAddr>, Problem> {
    text.map(|text| text.parse().map_err(|_| ill_formed("address"))).transpose()
}

/// Whether the caller may say where a handle is used from, if it says so.
fn may_say(shared: &Shared, bound: &Bound, address: Option<IpAddr>) -> Result<(), Problem> {
    if address.is_none() || shared.engine.may(bound, ADDRESS) {
        Ok(())
    } else {
        Err(Problem::from(Refusal::Unauthorized).at("address"))
    }
}

/// The question of a check.
fn question<'a>(input: &'a Input, handle: &'a HandleBytes) -> Result<CheckQuery<'a>, Problem> {
    // Neither it nor a scope.
    let asked = input.name_or_number("permission")?.ok_or_else(|| ill_formed("permission"))?;
    query(input, (handle, permission(asked)))
}

/// The same of a permission that is known.
fn query<'a>(
    input: &'a Input,
    (handle, permission): (&'a HandleBytes, PermissionRef<'a>),
) -> Result<CheckQuery<'a>, Problem> {
    Ok(CheckQuery {
        handle,
        permission,
        workspace: workspace(input.name_or_number("workspace")?),
        at_least: input.receipt("at_least")?,
        address: address(input.text("address"))?,
    })
}

/// Whether the caller may ask it, and what it is to be seen with was seen.
fn may_ask(
    shared: &Shared,
    bound: &Bound,
    (reading, query): (&Reading<'_>, &CheckQuery<'_>),
) -> Result<(), Problem> {
    may_say(shared, bound, query.address)?;
    sees(reading, query.at_least)?;
    entitled(shared, bound, query.handle)
}

/// What is decided, for whoever may ask.
pub(crate) fn decide(shared: &Shared, bound: &Bound, query: &CheckQuery<'_>) -> Result<Decision, Problem> {
    let view = bound.entry.view();
    let view = view.as_ref().ok_or_else(|| Problem::from(shared.engine.unready(&bound.entry)))?;
    let reading = shared.engine.read(view);
    may_ask(shared, bound, (&reading, query))?;
    Ok(shared.engine.check(bound, &reading, query))
}

/// `check`.
pub(crate) fn check(shared: &Shared, caller: &Caller, input: &Input) -> Result<Value, Problem> {
    let policies = PolicySteps::counting();
    let handle = input.handle("handle")?.unwrap_or(caller.handle);
    let decision = match input.text("scope") {
        Some(_) if input.json("permission").is_some() => return Err(ill_formed("scope")),
        Some(text) => {
            let scope = scope(text)?;
            let query = query(input, (&handle, PermissionRef::Name("")))?;
            let view = view(shared, &caller.bound)?;
            let reading = shared.engine.read(&view);
            may_ask(shared, &caller.bound, (&reading, &query))?;
            shared.engine.check_scope(&caller.bound, &reading, &query, &scope)
        }
        None => decide(shared, &caller.bound, &question(input, &handle)?)?,
    };
    serve::charge(shared, &caller.bound, policies.checks());
    let answer = Object::new().decided(decision.reason).shown("seen", decision.seen);
    Ok(answer.at("valid_until", Some(decision.valid_until)).value())
}

/// The scope of a question.
fn scope(text: &str) -> Result<Scope<'_>, Problem> {
    Scope::parse(text.as_bytes()).map_err(|error| {
        let refusal = error.limit().map_or(Refusal::Malformed, Limit::reached);
        Problem::from(refusal).at("scope").because(error.to_string())
    })
}

/// `authorize`.
pub(crate) fn authorize(shared: &Shared, caller: &Caller, input: &Input) -> Result<Value, Problem> {
    let text = |name| input.text(name);
    let told = (text("scope"), text("service"), text("action"), text("method"), text("target"));
    let wanted = match told {
        (Some(text), None, None, None, None) => scope(text).map(|_| Wanted::Scope(text))?,
        (None, Some(service), Some(action), None, None) => Wanted::Action(service, action),
        (None, Some(service), None, Some(method), Some(target)) => Wanted::Request(service, method, target),
        (None, None, ..) => return Err(ill_formed("service")),
        (Some(_), ..) => return Err(ill_formed("scope")),
        (None, Some(_), None, None, _) => return Err(ill_formed("method")),
        (None, Some(_), None, Some(_), None) => return Err(ill_formed("target")),
        (None, Some(_), Some(_), ..) => return Err(ill_formed("action")),
    };
    let handle = input.handle("handle")?.unwrap_or(caller.handle);
    let view = view(shared, &caller.bound)?;
    let reading = shared.engine.read(&view);
    let query = query(input, (&handle, PermissionRef::Name("")))?;
    may_ask(shared, &caller.bound, (&reading, &query))?;
    let policies = PolicySteps::counting();
    let Authorized { decision, permission } =
        shared.engine.authorize(&caller.bound, &reading, &query, wanted);
    serve::charge(shared, &caller.bound, policies.checks());
    let answer = Object::new().decided(decision.reason).shown("seen", decision.seen);
    let answer = answer.at("valid_until", Some(decision.valid_until));
    Ok(answer.with("permission", permission.map(|name| name.to_string())).value())
}

/// LIMIT: tuples and nodes that a check about a resource may look at beside all other requests: some 50 us.
const QUICK_BUDGET: u32 = 1_000;

/// Bytes of what comes with a question that are charged as one check.
const BYTES_PER_CHECK: usize = 1_024;

/// `check` about a resource: where it lies when it costs little, else on a thread that may take a while.
pub(crate) async fn check_resource(
    shared: &Arc<Shared>,
    caller: &Caller,
    input: Input,
) -> Result<Value, Problem> {
    // What comes with a question is read and held against the schema, which is no quick thing.
    let quick = input.json("context").is_none() && input.json("entities").is_none();
    let answered = if quick { resource(shared, caller, &input, QUICK_BUDGET)? } else { None };
    match answered {
        Some(answer) => Ok(answer),
        None => {
            let (on, by) = (Arc::clone(shared), caller.clone());
            let whole = move || resource(&on, &by, &input, RELATION_BUDGET);
            let answer = tokio::task::spawn_blocking(whole).await.map_err(|_| Problem::failed())?;
            caller::stays(shared, &caller.bound)?;
            answer?.ok_or_else(Problem::failed)
        }
    }
}

/// Answers within a budget; nothing where it is too small, and not the last one.
fn resource(shared: &Shared, caller: &Caller, input: &Input, budget: u32) -> Result<Option<Value>, Problem> {
    if input.json("scope").is_some() {
        return Err(ill_formed("scope"));
    }
    let handle = input.handle("handle")?.unwrap_or(caller.handle);
    let view = view(shared, &caller.bound)?;
    let reading = shared.engine.read(&view);
    let query = question(input, &handle)?;
    may_ask(shared, &caller.bound, (&reading, &query))?;
    policy::may_say(shared, &caller.bound, input)?;
    let (context, entities) = (input.json_text("context")?, input.json_text("entities")?);
    let came = context.as_ref().map_or(0, String::len) + entities.as_ref().map_or(0, String::len);
    serve::charge(shared, &caller.bound, (came / BYTES_PER_CHECK) as u64);
    let policies = PolicySteps::counting();
    let (decision, steps) = if context.is_some() || entities.is_some() {
        let about = About {
            resource: input.text("resource"),
            context: context.as_deref(),
            entities: entities.as_deref(),
            budget,
        };
        shared.engine.check_about(&caller.bound, &reading, &query, about).map_err(policy::misfit)?
    } else {
        let about = Resource { object: input.text("resource").unwrap_or_default(), budget };
        shared.engine.check_resource(&caller.bound, &reading, &query, about)
    };
    let cost = policies.checks().saturating_add(u64::from(steps) / relation::STEPS_PER_CHECK);
    serve::charge(shared, &caller.bound, cost);
    if decision.reason == Reason::BudgetExceeded && budget < RELATION_BUDGET {
        return Ok(None);
    }
    let answer = Object::new().decided(decision.reason).shown("seen", decision.seen);
    Ok(Some(answer.at("valid_until", Some(decision.valid_until)).value()))
}

/// `check_batch`: every question reads before the first is answered.
pub(crate) fn check_batch(shared: &Shared, caller: &Caller, input: &Input) -> Result<Value, Problem> {
    let asked = input.checks("checks");
    if asked.is_empty() || asked.len() > BATCH_CHECKS_MAX {
        return Err(ill_formed("checks"));
    }
    let own = input.handle("handle")?.unwrap_or(caller.handle);
    let mut queries = Vec::with_capacity(asked.len());
    for (at, one) in asked.iter().enumerate() {
        queries.push(one_of_batch(one, own).map_err(|member| ill_formed(&format!("checks/{at}{member}")))?);
    }
    let view = view(shared, &caller.bound)?;
    let reading = shared.engine.read(&view);
    sees(&reading, input.receipt("at_least")?)?;
    let mut decisions = Vec::with_capacity(queries.len());
    let policies = PolicySteps::counting();
    for (handle, asked, place, address) in &queries {
        entitled(shared, &caller.bound, handle)?;
        let query = CheckQuery {
            handle,
            permission: permission(*asked),
            workspace: workspace(*place),
            at_least: Receipt::default(),
            address: *address,
        };
        may_say(shared, &caller.bound, query.address)?;
        let decision = shared.engine.check(&caller.bound, &reading, &query);
        let answer = Object::new().decided(decision.reason).at("valid_until", Some(decision.valid_until));
        decisions.push(answer.value());
    }
    serve::charge(shared, &caller.bound, policies.checks());
    Ok(Object::new().shown("seen", reading.seen()).with("decisions", decisions).value())
}

type Question<'a> = (HandleBytes, NameOrNumber<'a>, Option<NameOrNumber<'a>>, Option<IpAddr>);

/// One question of a batch, or the member that does not read.
fn one_of_batch(one: &Json, own: HandleBytes) -> Result<Question<'_>, String> {
    let Json::Members(members) = one else { return Err(String::new()) };
    if let Some((name, _)) = members.iter().find(|(name, _)| !CHECK_MEMBERS.contains(&name.as_str())) {
        return Err(format!("/{name}"));
    }
    let member = |name: &str| {
        members.iter().find(|(known, value)| known == name && *value != Json::Null).map(|(_, value)| value)
    };
    let bad = |name: &str| format!("/{name}");
    let handle = match member("handle") {
        None => own,
        Some(value) => value::text(value).and_then(value::handle).ok_or_else(|| bad("handle"))?,
    };
    let asked = member("permission").and_then(value::name_or_number).ok_or_else(|| bad("permission"))?;
    let place = match member("workspace") {
        None => None,
        Some(value) => Some(value::name_or_number(value).ok_or_else(|| bad("workspace"))?),
    };
    let address = match member("address") {
        None => None,
        Some(value) => {
            Some(value::text(value).and_then(|text| text.parse().ok()).ok_or_else(|| bad("address"))?)
        }
    };
    Ok((handle, asked, place, address))
}

/// `introspect`, in the shape of RFC 7662 section 2.2: whatever is wrong with a token, it is not active.
pub(crate) fn introspect(shared: &Shared, caller: &Caller, input: &Input) -> Result<Value, Problem> {
    let view = view(shared, &caller.bound)?;
    let reading = shared.engine.read(&view);
    sees(&reading, input.receipt("at_least")?)?;
    let inactive = |reason: Reason| {
        let answer = Object::new().with("active", false).shown("seen", reading.seen());
        answer.with("reason", reason.name()).with("reason_code", reason.code()).value()
    };
    let Some(handle) = input.text("token").and_then(value::handle) else {
        // Only who may ask about others' tokens is told that one is none.
        let any = shared.engine.may(&caller.bound, CHECK);
        let refused = || Err(Problem::from(Refusal::Unauthorized).at("token"));
        return if any { Ok(inactive(Reason::HandleUnknown)) } else { refused() };
    };
    let from = address(input.text("address"))?;
    let found = match known(shared, &caller.bound, (&reading, &handle, from))? {
        Ok(found) => found,
        Err(reason) => return Ok(inactive(reason)),
    };
    let listing = view.listing();
    let workspace = listing.workspace_name(found.workspace).map(|name| name.as_str().to_owned());
    Ok(shown(&found, workspace))
}

/// What is told of a token that is active.
pub(crate) fn shown(found: &Introspection, workspace: Option<String>) -> Value {
    let answer = Object::new()
        .with("active", true)
        .with("token_type", "Bearer")
        .shown("sub", found.subject)
        .shown("tenant", found.tenant)
        .shown("session", found.id)
        .with("kind", answer::kind(found.key))
        .with("iat", found.authenticated_at.0 / 1_000)
        .with("exp", found.expires.0 / 1_000)
        .at("idle_until", Some(found.idle_until))
        .with("workspace", workspace)
        .with("device", found.device.map(|id| id.to_string()))
        .shown("seen", found.seen);
    // RFC 8693 section 4.1: there is no such member where nobody acts.
    let answer = match found.actor {
        Some(actor) => answer.with("act", Object::new().shown("sub", actor).value()),
        None => answer,
    };
    answer.value()
}

/// What is known of a token, for whoever may ask.
pub(crate) fn known(
    shared: &Shared,
    bound: &Bound,
    (reading, handle, from): (&Reading<'_>, &HandleBytes, Option<IpAddr>),
) -> Result<Result<Introspection, Reason>, Problem> {
    entitled(shared, bound, handle).map_err(|problem| problem.at("token"))?;
    may_say(shared, bound, from)?;
    Ok(shared.engine.introspect(bound, reading, (handle, from)))
}

/// LIMIT: checks of one batch that are answered where they lie although policies are asked: some 10 ms, where each of them
/// takes all the steps that it may.
const CHECKS_HERE_MAX: usize = 64;

/// Whether policies may make a question long.
pub(crate) fn may_be_long(bound: &Bound, asked: Ask, input: &Input) -> bool {
    let many = match asked {
        Ask::Permissions => true,
        Ask::CheckBatch => input.checks("checks").len() > CHECKS_HERE_MAX,
        Ask::Check
        | Ask::Introspect
        | Ask::Resolve
        | Ask::WhoAmI
        | Ask::Authorize
        | Ask::Forward
        | Ask::Challenge => false,
    };
    many && bound.entry.view().as_ref().is_some_and(|view| view.has_policies())
}

/// Answers such a question on a thread that may take a while.
pub(crate) async fn aside(
    shared: &Arc<Shared>,
    caller: &Caller,
    asked: Ask,
    input: Input,
) -> Result<Value, Problem> {
    caller::stays(shared, &caller.bound)?;
    if shared.engine.is_asleep(&caller.bound) {
        return Err(shared.engine.unready(&caller.bound.home).into());
    }
    let (on, by) = (Arc::clone(shared), caller.clone());
    let whole = move || match asked {
        Ask::Permissions => permissions(&on, &by, &input),
        Ask::CheckBatch => check_batch(&on, &by, &input),
        Ask::Check
        | Ask::Introspect
        | Ask::Resolve
        | Ask::WhoAmI
        | Ask::Authorize
        | Ask::Forward
        | Ask::Challenge => Err(Problem::failed()),
    };
    let answer = tokio::task::spawn_blocking(whole).await.map_err(|_| Problem::failed())?;
    caller::stays(shared, &caller.bound)?;
    answer
}

/// `list_permissions`: names of all that may be done there.
pub(crate) fn permissions(shared: &Shared, caller: &Caller, input: &Input) -> Result<Value, Problem> {
    let handle = input.handle("handle")?.unwrap_or(caller.handle);
    let view = view(shared, &caller.bound)?;
    let reading = shared.engine.read(&view);
    sees(&reading, input.receipt("at_least")?)?;
    entitled(shared, &caller.bound, &handle)?;
    let place = workspace(input.name_or_number("workspace")?);
    let from = address(input.text("address"))?;
    may_say(shared, &caller.bound, from)?;
    serve::charge(shared, &caller.bound, view.listing().policed_checks());
    let answer = match shared.engine.list_permissions(&caller.bound, &reading, (&handle, from), place) {
        Err(reason) => Object::new()
            .decided(reason)
            .at("valid_until", None)
            .with("permissions", Value::Array(Vec::new())),
        Ok(list) => {
            let ids = (0_u32..).zip(&list.permitted).flat_map(|(word, bits)| {
                (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| PermissionId(word * 64 + bit))
            });
            let named = ids.filter_map(|id| {
                Some(Object::new().with("id", id.0).with("name", reading.permission_name(id)?).value())
            });
            let named: Vec<Value> = named.collect();
            Object::new()
                .decided(Reason::None)
                .at("valid_until", Some(list.valid_until))
                .with("permissions", named)
        }
    };
    Ok(answer.shown("seen", reading.seen()).value())
}

/// `resolve`.
pub(crate) fn resolve(shared: &Shared, caller: &Caller, input: &Input) -> Result<Value, Problem> {
    let view = view(shared, &caller.bound)?;
    let reading = shared.engine.read(&view);
    let permissions = input.names("permissions")?;
    let workspaces = input.names("workspaces")?;
    let permissions: Vec<u32> =
        permissions.iter().map(|name| reading.resolve(name.as_str(), "").0.0).collect();
    let place = |name: &Name| shared.engine.resolve_workspace(&caller.bound, &reading, name.as_str()).0;
    let workspaces: Vec<u32> = workspaces.iter().map(place).collect();
    let answer = Object::new().shown("seen", reading.seen());
    Ok(answer.with("permissions", permissions).with("workspaces", workspaces).value())
}

/// `who_am_i`. A browser is told the token that its requests must carry.
pub(crate) fn who_am_i(shared: &Shared, caller: &Caller) -> Result<Value, Problem> {
    let bound = &caller.bound;
    let home = bound.home.view();
    let home = home.as_ref().ok_or_else(|| Problem::from(shared.engine.unready(&bound.home)))?;
    let reading = home.read(shared.engine.now());
    let mut of_home = bound.clone();
    of_home.entry = Arc::clone(&bound.home);
    let found = shared.engine.introspect(&of_home, &reading, (&caller.handle, None));
    let found = found.map_err(|_| Problem::unauthenticated())?;
    let token = caller.cookie.then(|| caller::csrf_token(&caller.handle));
    let answer = Object::new()
        .shown("tenant", bound.entry.tenant)
        .shown("subject", found.subject)
        .shown("session", found.id)
        .with("kind", answer::kind(found.key))
        .at("authenticated_at", Some(found.authenticated_at))
        .at("expires", Some(found.expires))
        .at("idle_until", Some(found.idle_until))
        .with("csrf_token", token)
        .shown("seen", found.seen);
    Ok(answer.value())
}
