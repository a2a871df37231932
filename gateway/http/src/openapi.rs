//! The description of the door (OpenAPI 3.1), made from the table of operations and nothing else.

use crate::events::{KINDS_BYTES_MAX, KINDS_FORM};
use crate::input::TEXT_CHARS_MAX;
use crate::limits::BODY_BYTES_MAX;
use crate::load::{FORMS, Form};
use crate::openapi_relation::relation_shape;
use crate::operation::{Act, Answer, Field, Needs, Operation, Own, Shape, Stand};
use crate::table::OPERATIONS;
use serde_json::{Map, Value, json};
use tessera_model::limits::PAGE_ROWS_MAX;
use tessera_model::settings::SettingUnit;
use tessera_model::{Settings, Trust};

/// The text of a UUIDv7 (RFC 9562 section 5.7).
const UUID_V7: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";

/// Rows as examples, saying the same.
const ROWS_NDJSON: &str = "{\"email\":\"amy@example.org\",\"roles\":[\"orders.clerk\"]}\n{\"kind\":\"machine\",\"username\":\"printer\"}\n";
const ROWS_CSV: &str = "kind,email,username,roles\nperson,amy@example.org,,orders.clerk\nmachine,,printer,\n";

/// The whole document.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(path) = path {
            path.insert(operation.verb.name().to_owned(), described(operation));
        }
    }
    crate::answer::sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tessera",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Identity and access over HTTP. The tenant is that of the credential; an operator names another one by host, by `x-tenant-id`, or by a path below `/t/{tenant}`. Instants are given twice, in ISO 8601 and, as `_ms`, in Unix time in milliseconds.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [
            { "url": "/" },
            { "url": "/t/{tenant}", "variables": { "tenant": { "default": "acme", "description": "id or name" } } },
        ],
        "security": [{ "bearer": [] }, { "cookie": [], "csrf": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "a session (`tess_`) or an API key (`tkey_`)" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": crate::caller::COOKIE },
                "csrf": { "type": "apiKey", "in": "header", "name": crate::caller::CSRF_HEADER },
            },
            "schemas": { "Problem": problem() },
            "responses": { "Problem": {
                "description": "Why it was not done (RFC 9457); nothing of it happened, unless `code` is 500.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
        },
    }))
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "name"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "integer", "description": "number in the one code table" },
            "name": { "type": "string" },
            "field": { "type": "string", "description": "the member, parameter or header that is meant" },
            "detail": { "type": "string" },
            "retry_ms": { "type": "integer", "description": "when to come again" },
            "openfga_code": { "type": "integer", "description": "about relations: the number of OpenFGA's API for this cause" },
            "line": { "type": "integer", "description": "where a relationship model or a policy goes wrong" },
            "column": { "type": "integer" },
            "faults": { "type": "array", "items": {}, "description": "all that is wrong with policies, each at its place" },
            "orphans": { "type": "integer", "description": "stored tuples that would not fit a relationship model" },
            "examples": { "type": "array", "items": {}, "description": "the first of them" },
            "limit": { "type": "string", "description": "the limit that is reached, as docs/surface/limits.txt or the settings name it" },
            "bound": { "type": "integer", "description": "its number" },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for field in operation.fields.iter().filter(|field| matches!(field.stand, Stand::Path | Stand::Query)) {
        let place = if field.stand == Stand::Path { "path" } else { "query" };
        // The one text that stands in a target: kinds of events.
        let (form, shown) = if field.shape == Shape::Text {
            let form = json!({ "type": "string", "maxLength": KINDS_BYTES_MAX, "pattern": KINDS_FORM });
            (form, json!("session,grant.changed"))
        } else {
            (schema(field.shape), example(field.shape))
        };
        parameters.push(json!({
            "name": field.name, "in": place, "required": field.required, "description": field.text,
            "schema": form, "example": shown,
        }));
    }
    if operation.act.changes() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "a UUIDv7, the command's id: sent again within 15 minutes it is done once",
            "schema": { "type": "string", "pattern": UUID_V7 },
        }));
    }
    if crate::condition::record(operation.act).is_some() {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "the tag of the record as it was read", "schema": { "type": "string" },
        }));
    }
    if matches!(operation.act, Act::Own(Own::SignInPublicly | Own::ChallengePublicly | Own::Register)) {
        parameters.push(json!({
            "name": crate::caller::TENANT_HEADER, "in": "header", "required": true,
            "description": "id or name of the tenant; not needed where host or path name it",
            "schema": { "type": "string", "pattern": "^[a-z0-9-]{1,63}$" }, "example": "acme",
        }));
    }
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("operationId", operation.id.into());
    put("summary", operation.summary.into());
    match operation.needs {
        Needs::Nothing => drop(put("security", json!([]))),
        needs @ (Needs::Credential | Needs::Permission(_) | Needs::OwnOr(_)) => {
            let own = matches!(needs, Needs::OwnOr(_));
            let text = match needs.permission() {
                None => "Any live session or key.".to_owned(),
                Some(permission) if own => {
                    format!("Permission `{permission}`, or a session about its own subject.")
                }
                Some(permission) => format!("Permission `{permission}`."),
            };
            put("description", text.into());
        }
    }
    put("parameters", parameters.into());
    if let Some(content) = content(operation) {
        put("requestBody", content);
    }
    put(
        "responses",
        json!({ "200": answered(operation.answer), "default": { "$ref": "#/components/responses/Problem" } }),
    );
    Value::Object(object)
}

/// What a request's content holds; nothing where none is read.
fn content(operation: &Operation) -> Option<Value> {
    if operation.content().is_some() {
        let content = FORMS.into_iter().map(|(kind, form)| {
            let example = if form == Form::Csv { ROWS_CSV } else { ROWS_NDJSON };
            (kind.to_owned(), json!({ "schema": schema(Shape::Rows), "example": example }))
        });
        let content: Map<String, Value> = content.collect();
        return Some(json!({ "required": true, "content": content }));
    }
    let body: Vec<&Field> = operation.fields.iter().filter(|field| field.stand == Stand::Body).collect();
    if body.is_empty() {
        return None;
    }
    let needed = body.iter().any(|field| field.required);
    let content = json!({ "application/json": { "schema": members(&body), "example": sample(&body) } });
    Some(json!({ "required": needed, "content": content }))
}

fn members(fields: &[&Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = schema(field.shape);
            if !field.required {
                schema = or_null(schema);
            }
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), field.text.into());
            }
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

/// What may be left out: an explicit null is as good as none.
pub(crate) fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// An example of a request's content.
pub(crate) fn sample(fields: &[&Field]) -> Value {
    fields
        .iter()
        // A change of tuples that names none would show nothing.
        .filter(|field| field.required || field.shape == Shape::Tuples)
        .map(|field| (field.name.to_owned(), example(field.shape)))
        .collect::<Map<_, _>>()
        .into()
}

fn answered(answer: Answer) -> Value {
    let schema = match answer {
        Answer::Empty => {
            return json!({ "description": "It may pass; who it is stands in `x-tessera-` headers." });
        }
        Answer::One(names) => object(names),
        Answer::Page(names) => page(names),
        Answer::Listed(names) | Answer::Watched(names) => {
            let mut schema = page(names);
            let listed = matches!(answer, Answer::Listed(_));
            let more = object(&["seen", if listed { "valid_until" } else { "fell_behind" }])
                .get_mut("properties")
                .map(Value::take);
            if let (Some(Value::Object(properties)), Some(Value::Object(more))) =
                (schema.get_mut("properties"), more)
            {
                properties.extend(more);
            }
            schema
        }
        Answer::Made(names) => {
            let names: Vec<&str> = ["receipt", "repeated"].into_iter().chain(names.iter().copied()).collect();
            object(&names)
        }
    };
    json!({ "description": "Done.", "content": { "application/json": { "schema": schema } } })
}

fn page(names: &[&str]) -> Value {
    json!({
        "type": "object", "required": ["rows", "next"],
        "properties": {
            "rows": { "type": "array", "items": object(names) },
            "next": { "type": ["string", "null"], "description": "the cursor of the next page" },
        },
    })
}

fn object(names: &[&str]) -> Value {
    let mut properties = Map::new();
    for name in names {
        properties.insert((*name).to_owned(), member(name));
        if matches!(member(name).get("format"), Some(Value::String(format)) if format == "date-time") {
            properties.insert(format!("{name}_ms"), json!({ "type": ["integer", "null"] }));
        }
    }
    json!({ "type": "object", "properties": properties })
}

/// A member of an answer, by its name: one name means one thing everywhere.
fn member(name: &str) -> Value {
    match name {
        "registered" | "revoked" | "decided" | "granted_until" | "grant_until" | "created" | "changed"
        | "expires" | "idle_until" | "refresh_until" | "valid_until" | "at" | "authenticated_at"
        | "last_used" | "from" | "until" | "waits_until" => {
            json!({ "type": ["string", "null"], "format": "date-time" })
        }
        "fell_behind" | "valid" | "active" | "accepted" | "repeated" | "inherits" | "required"
        | "deprecated" | "current" | "direct" | "failed" | "restricted" | "dry_run" | "erased"
        | "built_in_schema" => {
            json!({ "type": "boolean" })
        }
        "line" | "column" => json!({ "type": ["integer", "null"] }),
        "message" | "trouble" => json!({ "type": ["string", "null"] }),
        "tree" => {
            json!({ "type": "object", "description": "one member: `union`, `intersection` or `exclusion` of others, `direct`, `computed`, or `from`" })
        }
        "related" => {
            json!({ "type": ["object", "null"], "description": "`set`, the relation that the permission is mapped to, whether it `holds`, and its `path`" })
        }
        "policies" => {
            json!({ "type": ["string", "array"], "description": "their text, or what each said to a question" })
        }
        "entity" => {
            json!({ "type": "object", "description": "as Cedar writes entities: `uid`, `attrs`, `parents`, `tags`" })
        }
        "version" | "orphans" | "bytes" | "steps" | "reason_code" | "iat" | "exp" | "ended"
        | "duration_s" | "entries" | "deprecated_entries" | "kept" | "role_id" | "number" | "left"
        | "secrets" | "count" | "used" | "made" | "known" => {
            json!({ "type": "integer" })
        }
        // None where they are not shown to whoever asks.
        "bound" | "index" | "failures" => json!({ "type": ["integer", "null"] }),
        "has_password" | "guest" => json!({ "type": ["boolean", "null"] }),
        "status" | "identifier" => json!({ "type": ["string", "null"] }),
        "labels" | "details" => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        "act" => {
            json!({ "type": "object", "required": ["sub"], "properties": { "sub": { "type": "string", "format": "uuid" } }, "description": "who acts for `sub` (RFC 8693); absent where nobody does" })
        }
        "how" => {
            json!({ "type": ["string", "null"], "enum": ["ordered", "lifetime", "actor", "subject", null] })
        }
        "trust" => json!({ "type": "string", "enum": Trust::NAMES }),
        "state" => {
            json!({ "type": "string", "enum": ["open", "lapsed", "approved", "refused", "accepted", "declined", "withdrawn", "erased"] })
        }
        "device" | "actor" | "request" | "decided_by" | "made_by" | "creator" | "inviter" | "personal" => {
            json!({ "type": ["string", "null"], "format": "uuid" })
        }
        "action" | "replaced_by" | "pattern" | "mapping" | "endpoint" | "key" | "acts_because" => {
            json!({ "type": ["string", "null"] })
        }
        "decision" => json!({ "type": "string", "enum": ["permit", "deny"] }),
        "sub" | "session" | "workspace_id" => json!({ "type": "string", "format": "uuid" }),
        // Of what a group holds there is none.
        "subject" => json!({ "type": ["string", "null"], "format": "uuid" }),
        "permissions" | "workspaces" | "patterns" | "networks" | "origins" | "decisions" | "evicted"
        | "examples" | "results" | "rule" | "path" | "endpoints" | "parents" | "through" | "ceiling"
        | "ceilings" | "cuts" | "sources" | "faults" | "rules" | "conditions" | "versions" => {
            json!({ "type": "array", "items": {} })
        }
        "workspace" | "member_of" | "by" | "changed_by" | "parent" | "csrf_token" | "client" | "owners" => {
            json!({ "type": ["string", "integer", "null"] })
        }
        "id" | "value" | "permission" | "role" | "group" => json!({}),
        "rejected" => json!({ "type": "array", "items": rejected() }),
        "over_limit" => json!({ "type": "string", "enum": SettingUnit::OverLimit.choices() }),
        _ => match Settings::named(name).map(|info| info.unit.choices()) {
            Some([]) => json!({ "type": "integer" }),
            Some(choices) => json!({ "type": "string", "enum": choices }),
            None => json!({ "type": "string" }),
        },
    }
}

/// A row that was turned down.
fn rejected() -> Value {
    json!({
        "type": "object", "required": ["line", "field", "code", "name", "title"],
        "properties": {
            "line": { "type": "integer", "description": "from 1, `first_line` counted in" },
            "field": { "type": "string", "description": "empty for the row as a whole" },
            "code": { "type": "integer" },
            "name": { "type": "string" },
            "title": { "type": "string" },
        },
    })
}

#[expect(clippy::too_many_lines, reason = "one arm for each of them")]
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about relations")]
pub(crate) fn schema(shape: Shape) -> Value {
    let name = || json!({ "type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,128}$" });
    match shape {
        Shape::Name => name(),
        Shape::Names => json!({ "type": "array", "maxItems": 1024, "items": name() }),
        Shape::Patterns => {
            json!({ "type": "array", "maxItems": 64, "items": { "type": "string", "pattern": "^([A-Za-z0-9._:/-]{0,128}[*]|[A-Za-z0-9._:/-]{1,128}|scope=.{1,256})$" } })
        }
        Shape::Rule => {
            json!({ "type": "array", "maxItems": 8, "items": { "type": "string", "maxLength": 1024, "pattern": "^[A-Za-z0-9._:/-]{1,128}=.+$", "description": "`attribute=value`, with `|` between values of which one is enough, `*` for any, `*end` for a text's end, and `\\` before such a sign that is meant as it is" } })
        }
        Shape::Conditions => {
            json!({ "type": "array", "maxItems": 5, "items": { "type": "string", "maxLength": 2048, "pattern": "^(hours|networks|device|acr|step-up) .+$", "description": "`hours Mon-Fri 08:00-18:00 Europe/Berlin`, `networks 10.0.0.0/8 2001:db8::/32`, `device managed`, `acr 2` or `step-up 300` (seconds); one of each kind at most" } })
        }
        Shape::Networks => {
            json!({ "type": "array", "maxItems": 32, "items": { "type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$" } })
        }
        Shape::Origins => {
            json!({ "type": "array", "maxItems": 16, "uniqueItems": true, "items": { "type": "string", "format": "tessera-origin" } })
        }
        Shape::Subject | Shape::Session => json!({ "type": "string", "format": "uuid" }),
        Shape::Tenant => json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
        Shape::Handle => {
            json!({ "type": "string", "format": "tessera-handle", "pattern": "^t(ess|key|ref|set)_[A-Za-z0-9_-]{60}$" })
        }
        Shape::Password => json!({ "type": "string", "format": "password", "maxLength": 1024 }),
        Shape::SubjectKind => json!({ "type": "string", "enum": ["person", "machine"] }),
        Shape::Identifier => {
            json!({ "type": "string", "format": "tessera-identifier", "minLength": 3, "maxLength": 254 })
        }
        Shape::Identifiers => json!({ "type": "array", "maxItems": 16, "items": schema(Shape::Identifier) }),
        Shape::AttributeKind => json!({ "type": "string", "enum": ["bool", "integer", "text"] }),
        Shape::Attributes => json!({
            "type": "object", "maxProperties": 64,
            "additionalProperties": { "type": ["boolean", "integer", "string", "null"] },
        }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        Shape::Choice(choices) => json!({ "type": "string", "enum": choices }),
        Shape::Limit => json!({ "type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX }),
        Shape::Address => json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] }),
        Shape::Cursor => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{2,1024}$" }),
        Shape::Instant => json!({
            "oneOf": [
                { "type": "string", "format": "date-time", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$" },
                { "type": "integer", "minimum": 0 },
            ],
        }),
        Shape::Receipt => json!({ "type": "string", "format": "tessera-receipt" }),
        Shape::Permission | Shape::Workspace => json!({
            "oneOf": [name(), { "type": "integer", "minimum": 0, "maximum": u32::MAX }],
        }),
        Shape::Checks => json!({
            "type": "array", "minItems": 1, "maxItems": 1024,
            "items": {
                "type": "object", "additionalProperties": false, "required": ["permission"],
                "properties": {
                    "handle": or_null(schema(Shape::Handle)), "permission": schema(Shape::Permission),
                    "workspace": or_null(schema(Shape::Workspace)), "address": or_null(schema(Shape::Address)),
                },
            },
        }),
        Shape::Text => json!({ "type": "string", "maxLength": TEXT_CHARS_MAX }),
        Shape::Thumbprint => {
            json!({ "type": "string", "format": "tessera-thumbprint", "pattern": "^[A-Za-z0-9_-]{43}$" })
        }
        Shape::DeviceKey => {
            json!({ "type": "string", "format": "tessera-device-key", "pattern": "^([A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{87})$" })
        }
        Shape::DeviceProof => {
            json!({ "type": "string", "format": "tessera-device-proof", "pattern": "^[A-Za-z0-9_-]{178,222}$" })
        }
        Shape::Entries => crate::catalogue::schema(&name()),
        Shape::Endpoints => crate::endpoint::schema(),
        Shape::Sight => crate::sight::schema(),
        Shape::Policies | Shape::Context | Shape::EntityList | Shape::EntityNames => policy_shape(shape),
        Shape::Rows => {
            json!({ "type": "string", "format": "tessera-rows", "minLength": 1, "maxLength": BODY_BYTES_MAX })
        }
        shape => relation_shape(shape),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is the text of policies")]
fn policy_shape(shape: Shape) -> Value {
    match shape {
        Shape::Context => crate::policy::context_schema(),
        Shape::EntityList => crate::policy::entities_schema(),
        Shape::EntityNames => crate::policy::names_schema(),
        _ => crate::policy::text_schema(),
    }
}

/// A value that reads as its shape.
pub(crate) fn example(shape: Shape) -> Value {
    match shape {
        Shape::Name => json!("orders.clerk"),
        Shape::Names => json!(["orders.read"]),
        Shape::Patterns => json!(["orders.*"]),
        Shape::Rule => json!(["department=sales|support"]),
        Shape::Conditions => json!(["hours Mon-Fri 08:00-18:00 Europe/Berlin", "acr 2"]),
        Shape::Networks => json!(["10.0.0.0/8"]),
        Shape::Origins => json!(["https://app.example.com"]),
        Shape::Subject | Shape::Session => json!("01a2157f-2efc-788e-b29a-57721e09a4f3"),
        Shape::Tenant => json!("acme"),
        Shape::Handle => json!("tkey_AQIAAAEAAAAAAAAAAQAAAAIAAABBJOPX7n5E8KNXP9scmBrOj0ASNQ2axR6i"),
        Shape::Password => json!("correct horse battery staple"),
        Shape::SubjectKind => json!("person"),
        Shape::Identifier => json!("amy@example.org"),
        Shape::Identifiers => json!(["amy@example.org"]),
        Shape::AttributeKind => json!("integer"),
        Shape::Attributes => json!({ "floor": 3, "nickname": null }),
        Shape::Bool => json!(true),
        Shape::Choice(choices) => json!(choices.first()),
        Shape::Count | Shape::Limit => json!(100),
        Shape::Address => json!("203.0.113.9"),
        Shape::Cursor => json!("AQIBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABkAAAAAAAAAGnmv5dhMVxw"),
        Shape::Instant => json!("2031-01-01T00:00:00Z"),
        Shape::Receipt => json!("1.42"),
        Shape::Permission => json!("orders.read"),
        Shape::Workspace => json!("berlin"),
        Shape::Checks => {
            json!([{ "permission": "orders.read" }, { "permission": "orders.write", "workspace": "berlin" }])
        }
        Shape::Text => json!("amy@example.org"),
        Shape::Model => json!(
            "model\n  schema 1.1\n\ntype user\n\ntype team\n  relations\n    define member: [user]\n\ntype document\n  relations\n    define viewer: [user, team#member]\n"
        ),
        Shape::User => json!("user:ann"),
        Shape::Relation => json!("viewer"),
        Shape::Object => json!("document:plan"),
        Shape::Type => json!("document"),
        Shape::Tuples => json!([
            { "user": "team:berlin#member", "relation": "viewer", "object": "document:plan" },
            { "user": "user:ann", "relation": "viewer", "object": "document:plan", "until": "2031-01-01T00:00:00Z" },
        ]),
        Shape::Plain(_) => json!([{ "user": "user:ann", "relation": "member", "object": "team:berlin" }]),
        Shape::RelationChecks => json!([
            { "user": "user:ann", "relation": "viewer", "object": "document:plan", "correlation_id": "ann" },
            {
                "user": "user:bob", "relation": "viewer", "object": "document:plan", "correlation_id": "bob",
                "contextual_tuples": [{ "user": "user:bob", "relation": "member", "object": "team:berlin" }],
            },
        ]),
        Shape::Rows => json!(ROWS_NDJSON),
        // That of RFC 7638 section 3.1.
        Shape::Thumbprint => json!("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        // Those of RFC 8037 appendix A.2, with a signature of nothing.
        Shape::DeviceKey => json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        Shape::DeviceProof => crate::elevation::example_proof(),
        Shape::Entries => crate::catalogue::example(),
        Shape::Endpoints => crate::endpoint::example(),
        Shape::Sight => crate::sight::example(),
        Shape::Policies => json!("permit (principal in Group::\"staff\", action, resource);"),
        Shape::Context => json!({ "amount": 3 }),
        Shape::EntityList => {
            json!([{ "uid": { "type": "Document", "id": "2027" }, "attrs": {}, "parents": [] }])
        }
        Shape::EntityNames => json!([{ "type": "Document", "id": "2027" }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/surface/openapi.json");

    /// PROPERTY: a handle as it is written is what the description calls one.
    #[test]
    fn handles_are_what_is_described() {
        let pattern = schema(Shape::Handle)["pattern"].as_str().expect("a pattern").to_owned();
        let (prefixes, signs) = pattern.split_once("_[A-Za-z0-9_-]{").expect("a prefix and a number");
        let signs: usize = signs.trim_end_matches("}$").parse().expect("a number");
        let example = example(Shape::Handle);
        let (prefix, rest) = example.as_str().expect("a text").split_once('_').expect("a prefix");
        let known = prefixes.trim_start_matches("^t(").trim_end_matches(')');
        assert!(known.split('|').any(|one| prefix.strip_prefix('t') == Some(one)), "{prefix}");
        assert_eq!(rest.len(), signs);
        assert_eq!(example.as_str().map(str::len), Some(tessera_model::handle::HANDLE_TEXT_CHARS));
    }

    /// PROPERTY: the golden text is what the table says.
    #[test]
    fn the_golden_text_is_current() {
        let text = serde_json::to_string_pretty(&document()).expect("json") + "\n";
        if std::env::var("TESSERA_GOLDEN").as_deref() == Ok("write") {
            std::fs::write(GOLDEN, &text).expect("written");
        }
        let golden = std::fs::read_to_string(GOLDEN).expect("docs/surface/openapi.json");
        assert!(
            golden == text,
            "TESSERA_GOLDEN=write cargo test -p tessera-gateway-http, and name the change"
        );
    }
}
