//! Answers as JSON. Names are those of the command line's `--json`: ids are strings, an instant is two
//! members, ISO 8601 in UTC and `_ms`.

use serde_json::{Map, Value};
use tessera_engine::Done;
use tessera_model::query::Introspection;
use tessera_model::{Deadline, Reason, UnixMillis};

/// One object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A member that is printed as it displays.
    pub(crate) fn shown(self, name: &str, value: impl ToString) -> Self {
        self.with(name, value.to_string())
    }

    /// An instant twice; null for none and for the end of time.
    pub(crate) fn at(self, name: &str, at: Option<UnixMillis>) -> Self {
        let at = at.filter(|at| at.0 != u64::MAX);
        self.with(name, at.map(|at| at.to_string())).with(&format!("{name}_ms"), at.map(|at| at.0))
    }

    /// A deadline twice; null for none.
    pub(crate) fn until(self, name: &str, at: Deadline) -> Self {
        self.at(name, (at != Deadline::NONE).then(|| at.to_millis()))
    }

    /// A decision's word, reason and code.
    pub(crate) fn decided(self, reason: Reason) -> Self {
        let word = if reason == Reason::None { "permit" } else { "deny" };
        self.with("decision", word).with("reason", reason.name()).with("reason_code", reason.code())
    }

    /// The value.
    pub(crate) fn value(self) -> Value {
        sorted(Value::Object(self.0))
    }
}

/// The same value with the members of every object in the order of their names, whatever order they were put
/// in: a package that keeps another order must not show in an answer.
pub(crate) fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// `session` or `key`.
pub(crate) const fn kind(key: bool) -> &'static str {
    if key { "key" } else { "session" }
}

/// A row of the list of sessions.
pub(crate) fn session(found: &Introspection) -> Object {
    Object::new()
        .shown("session", found.id)
        .with("kind", kind(found.key))
        .at("created", Some(found.authenticated_at))
        .at("expires", Some(found.expires))
        .at("idle_until", Some(found.idle_until))
        .with("device", found.device.map(|id| id.to_string()))
        .with("actor", found.actor.map(|id| id.to_string()))
}

/// What a command made. `number` names the member for a dense id.
pub(crate) fn made(done: &Done, number: Option<&str>) -> Object {
    let made = &done.made;
    let mut object = Object::new().shown("receipt", done.receipt).with("repeated", done.repeat);
    for (name, id) in [("subject", made.subject), ("session", made.session)] {
        if let Some(id) = id {
            object = object.shown(name, id);
        }
    }
    for (name, id) in [("device", made.device), ("request", made.request), ("invitation", made.invitation)] {
        if let Some(id) = id {
            object = object.shown(name, id);
        }
    }
    if let Some(workspace) = made.workspace {
        object = object.shown("workspace_id", workspace);
    }
    if let Some(tenant) = made.tenant {
        object = object.shown("tenant", tenant);
    }
    if let Some(handle) = made.handle {
        object = object.with("handle", handle.to_text());
    }
    if let Some(handle) = made.refresh {
        object = object.with("refresh_handle", handle.to_text());
    }
    if !made.evicted.is_empty() {
        let evicted: Vec<String> = made.evicted.iter().map(ToString::to_string).collect();
        object = object.with("evicted", evicted);
    }
    for (name, at) in
        [("expires", made.expires), ("idle_until", made.idle_until), ("refresh_until", made.refresh_until)]
    {
        if at.is_some() {
            object = object.at(name, at);
        }
    }
    if let Some(kept) = made.kept {
        object = object.with("kept", kept);
    }
    if let Some(erased) = made.erased {
        object = object.with("erased", erased);
    }
    if let Some(left) = made.left {
        object = object.with("left", left);
    }
    if let (Some(name), Some(id)) = (number, made.number) {
        object = object.with(name, id);
    }
    object
}
