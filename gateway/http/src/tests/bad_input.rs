//! Bad input, made from the table: every operation with every shape that does not read, and nothing happens.

use super::House;
use super::operations::request;
use crate::condition;
use crate::openapi::{example, sample};
use crate::operation::{Act, Field, Operation, Shape, Stand, Verb};
use crate::table::OPERATIONS;
use serde_json::{Map, Value, json};

/// What is told of an ill-formed value.
const ILL: u64 = 227;
/// What is told where a limit is reached.
const LIMIT: u64 = 220;
/// What is told of a content or parameter that is none.
const UNREADABLE: u64 = 403;

/// The status that the guide gives for a code of the caller's own fault.
fn status_of(code: u64) -> u16 {
    match code {
        UNREADABLE => 400,
        LIMIT => 409,
        _ => 422,
    }
}

fn repeated(item: &Value, count: usize) -> Value {
    Value::Array(vec![item.clone(); count])
}

/// Values of a field in the content that do not read, each with the code that says so: a slow reading of what
/// the description says of a shape, and nothing of the code that reads.
fn wrong(shape: Shape) -> Vec<(Value, u64)> {
    let ill = |values: Vec<Value>| values.into_iter().map(|value| (value, ILL)).collect::<Vec<_>>();
    let text = || ill(vec![json!(true), json!(7), json!(1.5), json!([]), json!({}), json!(["a"])]);
    let list =
        || ill(vec![json!(true), json!(7), json!("a"), json!({}), json!([7]), json!([null]), json!([[]])]);
    let long = |length: usize| json!("x".repeat(length));
    let with = |mut all: Vec<(Value, u64)>, more: Vec<Value>| {
        all.extend(more.into_iter().map(|value| (value, ILL)));
        all
    };
    let over = |mut all: Vec<(Value, u64)>, value: Value, code: u64| {
        all.push((value, code));
        all
    };
    match shape {
        Shape::Name => {
            over(with(text(), vec![json!(""), json!("a b"), json!("\u{e4}"), json!("..")]), long(129), LIMIT)
        }
        Shape::Names => with(list(), vec![json!(["a b"]), json!([""]), repeated(&json!("a"), 1_025)]),
        Shape::Patterns => {
            let all = with(list(), vec![json!(["a b"]), json!(["a*b"]), json!([""])]);
            over(over(all, repeated(&json!("a.*"), 65), LIMIT), json!([long(130)]), LIMIT)
        }
        Shape::Rule => {
            let forms = ["a", "=b", "a=", "a=b|", "a=b*", "a=\\b", "a b=c"];
            let all = with(list(), forms.map(|text| json!([text])).to_vec());
            let all = over(all, repeated(&json!("a=b"), 9), LIMIT);
            over(all, json!([format!("a={}", "x".repeat(1_023))]), LIMIT)
        }
        Shape::Conditions => {
            let forms =
                ["acr", "acr 0", "device trusted", "hours Mon UTC", "networks a", "step-up 5m", "a b"];
            let all = with(list(), forms.map(|text| json!([text])).to_vec());
            let all = with(all, vec![json!(["acr 1", "acr 2"])]);
            over(
                over(all, repeated(&json!("acr 1"), 6), LIMIT),
                json!([format!("acr {}", long(2_048))]),
                LIMIT,
            )
        }
        Shape::Networks => {
            let forms = ["10.1.2.3/8", "::ffff:10.0.0.0/64", "10.0.0.0/33", "10.0.0", "a"];
            let all = with(list(), forms.map(|text| json!([text])).to_vec());
            over(all, repeated(&json!("10.0.0.0/8"), 33), LIMIT)
        }
        Shape::Origins => {
            let forms = ["a", "https://a.example/b", "*", "http://a.example", "https://A.example"];
            with(list(), forms.map(|text| json!([text])).to_vec())
        }
        Shape::Identifiers => {
            let all = with(list(), vec![json!(["a b"]), json!([""]), json!(["@example.org"])]);
            over(over(all, repeated(&json!("amy"), 17), LIMIT), json!([long(255)]), LIMIT)
        }
        Shape::Identifier => over(
            with(text(), vec![json!("a b"), json!(""), json!("@example.org"), json!("+1")]),
            long(255),
            LIMIT,
        ),
        Shape::Subject | Shape::Session => with(
            text(),
            vec![json!("x"), json!(""), json!("01a2157f-2efc-788e-b29a-57721e09a4f"), long(4_000)],
        ),
        Shape::Handle => {
            let good = example(Shape::Handle);
            let good = good.as_str().expect("a handle");
            // A sign of the checksum, a sign too few, another kind's beginning, a part of it.
            let (cut, _) = good.split_at(good.len() - 1);
            let forms =
                [format!("{cut}_"), cut.to_owned(), good.replacen("tkey", "tess", 1), "tess_x".to_owned()];
            with(text(), forms.map(Value::from).into_iter().chain([json!(""), long(4_000)]).collect())
        }
        Shape::Password => over(text(), long(1_025), 216),
        Shape::SubjectKind => with(text(), vec![json!("robot"), json!("Person"), json!("")]),
        Shape::AttributeKind => with(text(), vec![json!("float"), json!("")]),
        Shape::Choice(_) => with(text(), vec![json!("none of them"), json!("")]),
        Shape::Attributes => {
            let many: Map<String, Value> = (0..65).map(|no| (format!("a{no}"), json!(1))).collect();
            let forms = vec![
                json!(true),
                json!("a"),
                json!([]),
                json!({ "a": 1.5 }),
                json!({ "a": [] }),
                json!({ "a b": 1 }),
            ];
            over(ill(forms), Value::Object(many), LIMIT)
        }
        Shape::Bool => ill(vec![json!(1), json!("true"), json!("yes"), json!([]), json!({})]),
        Shape::Count | Shape::Limit => {
            ill(vec![json!(-1), json!(1.5), json!("5"), json!(4_294_967_296_u64), json!(true), json!([])])
        }
        Shape::Instant => {
            let forms = vec![
                json!(true),
                json!(-1),
                json!(1.5),
                json!([]),
                json!("yesterday"),
                json!("2026-02-30T00:00:00Z"),
                json!("+1h"),
                json!("2026-01-01"),
            ];
            ill(forms)
        }
        Shape::Receipt => with(text(), vec![json!("1"), json!("1.x"), json!("-1.1"), json!("")]),
        Shape::Permission | Shape::Workspace => {
            let forms = vec![
                json!(true),
                json!(-1),
                json!(1.5),
                json!(4_294_967_296_u64),
                json!([]),
                json!({}),
                json!("a b"),
            ];
            over(ill(forms), long(129), LIMIT)
        }
        Shape::Address => {
            with(text(), vec![json!("1.2.3"), json!("10.0.0.0/8"), json!("::ffff:1.2.3"), json!("")])
        }
        Shape::Checks => ill(vec![
            json!(true),
            json!("a"),
            json!({}),
            json!([]),
            repeated(&json!({ "permission": "a" }), 1_025),
        ]),
        Shape::Text => over(text(), long(4_097), ILL),
        // What is no model reads, and is told with its line.
        Shape::Model | Shape::Policies => text(),
        Shape::Context => ill(vec![json!(true), json!(7), json!("a"), json!([])]),
        Shape::EntityList | Shape::EntityNames => ill(vec![json!(true), json!(7), json!("a"), json!({})]),
        Shape::User | Shape::Relation | Shape::Object | Shape::Type => over(text(), long(563), ILL),
        Shape::Tuples | Shape::Plain(_) => {
            let one = json!({ "user": "user:ann", "relation": "viewer", "object": "document:1" });
            let mut part = one.clone();
            part.as_object_mut().expect("an object").remove("relation");
            let mut more = one.clone();
            more["nobody_knows"] = json!(1);
            with(list(), vec![json!([part]), json!([more]), json!(["user:ann viewer document:1"])])
        }
        Shape::Thumbprint => {
            let zeros = "A".repeat(43);
            // Too short, another alphabet, bits behind the last byte, no key at all.
            let forms = [
                "",
                "abc",
                "NzbLsXh8uDCcd+6MNwXF4W/7noWXFZAfHkxZsRGC9Xs",
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt",
                &zeros,
            ];
            with(text(), forms.map(Value::from).to_vec())
        }
        Shape::DeviceKey | Shape::DeviceProof => {
            // Too short, another alphabet, bits behind the last byte, another algorithm's.
            let forms =
                ["", "abc", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", &"A".repeat(87), &"A".repeat(178)];
            with(text(), forms.map(Value::from).to_vec())
        }
        Shape::Entries | Shape::Endpoints | Shape::Sight => {
            ill(vec![json!(true), json!(7), json!("a"), json!({})])
        }
        Shape::RelationChecks => ill(vec![json!(true), json!(7), json!("a"), json!({})]),
        // In a path or a query alone, or a content of its own.
        Shape::Tenant | Shape::Cursor | Shape::Rows => Vec::new(),
    }
}

/// Values of a parameter, escaped, that do not read.
fn wrong_parameter(shape: Shape) -> Vec<(String, u64)> {
    let ill = |texts: &[&str]| texts.iter().map(|text| ((*text).to_owned(), ILL)).collect::<Vec<_>>();
    match shape {
        Shape::Bool => ill(&["maybe", "1", "TRUE", ""]),
        Shape::Limit => ill(&["0", "1001", "x", "-1", "1.5"]),
        Shape::Count => ill(&["x", "-1", "4294967296"]),
        Shape::Cursor => ["x", "!!!!", "AQIBAAAA"].map(|text| (text.to_owned(), 243)).to_vec(),
        Shape::Permission | Shape::Workspace | Shape::Name => {
            let mut all = ill(&["a%20b", "%C3%A4"]);
            all.push(("x".repeat(129), LIMIT));
            all
        }
        Shape::Subject | Shape::Session => ill(&["x", "01a2157f-2efc-788e-b29a-57721e09a4f"]),
        // Whatever it is, there is no such tenant, which is told of no field of its own.
        _ => Vec::new(),
    }
}

/// One operation on its way to be asked wrongly.
struct Asked<'a> {
    house: &'a House,
    operation: &'static Operation,
    key: &'a str,
}

impl Asked<'_> {
    /// The line with the examples of a path's parts, one of them perhaps another; below the tenant.
    fn line(&self, other: Option<(&str, &str)>, query: &str) -> String {
        let mut path = self.operation.path.to_owned();
        for field in self.operation.fields.iter().filter(|field| field.stand == Stand::Path) {
            let good = example(field.shape);
            let good = good.as_str().expect("text");
            let value = other.filter(|(name, _)| *name == field.name).map_or(good, |(_, value)| value);
            path = path.replace(&format!("{{{}}}", field.name), value);
        }
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        format!("{} /t/acme{path}{query}", self.operation.verb.name().to_uppercase())
    }

    /// The members of a good content.
    fn content(&self) -> Value {
        let body: Vec<&Field> =
            self.operation.fields.iter().filter(|field| field.stand == Stand::Body).collect();
        sample(&body)
    }

    /// Asks, and looks at the refusal: status, code and field, and that nothing of the inside is told.
    async fn refused(
        &self,
        line: &str,
        (kind, text): (&str, &str),
        more: &[(&str, &str)],
        (code, field): (u64, &str),
    ) {
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", kind)];
        headers.extend_from_slice(more);
        let reply = self.house.send(line, &headers, text).await;
        let shown = format!("{}: {line} {}: {reply:?}", self.operation.id, text.get(..200).unwrap_or(text));
        let told = reply.json();
        assert_eq!(reply.code(), code, "{shown}");
        // Of a list the item may be told.
        let place = told["field"].as_str().unwrap_or_default();
        let below = place.strip_prefix(field).is_some_and(|below| below.starts_with('/'));
        assert!(place == field || below && !field.is_empty(), "{shown}");
        let status = if field == "content-type" { 415 } else { status_of(code) };
        assert_eq!((reply.status, told["status"].as_u64()), (status, Some(status.into())), "{shown}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{shown}");
        assert!(told["title"].is_string() && told["name"].is_string(), "{shown}");
        for inside in ["panicked", "src/", "Err(", "serde", " at line ", "tkey_", "tess_"] {
            assert!(!reply.text.contains(inside), "{shown}");
        }
    }

    async fn json(&self, line: &str, text: &str, told: (u64, &str)) {
        self.refused(line, ("application/json", text), &[], told).await;
    }

    /// With a content that reads.
    async fn good(&self, line: &str, told: (u64, &str)) {
        let (_, (kind, text)) = request(self.operation);
        self.refused(line, (kind, &text), &[], told).await;
    }

    /// Every field, left out where it is required, and in every shape that does not read.
    async fn fields(&self) {
        let plain = self.line(None, "");
        let good = self.content();
        for field in self.operation.fields {
            match field.stand {
                Stand::Body => {
                    if field.required {
                        let mut content = good.clone();
                        content.as_object_mut().expect("an object").remove(field.name);
                        self.json(&plain, &content.to_string(), (UNREADABLE, field.name)).await;
                        content[field.name] = Value::Null;
                        self.json(&plain, &content.to_string(), (UNREADABLE, field.name)).await;
                    }
                    for (value, code) in wrong(field.shape) {
                        let mut content = good.clone();
                        content[field.name] = value;
                        self.json(&plain, &content.to_string(), (code, field.name)).await;
                    }
                }
                Stand::Path => {
                    for (value, code) in wrong_parameter(field.shape) {
                        let line = self.line(Some((field.name, &value)), "");
                        self.good(&line, (code, field.name)).await;
                    }
                }
                Stand::Query => {
                    for (value, code) in wrong_parameter(field.shape) {
                        // A page's cursor is looked at where its list is, behind what the path names.
                        let elsewhere = ["{", "/v1/tenants", "/v1/operators", "/v1/relations/"];
                        let behind = elsewhere.iter().any(|part| self.operation.path.contains(part));
                        if field.shape == Shape::Cursor && behind {
                            continue;
                        }
                        let line = self.line(None, &format!("{}={value}", field.name));
                        self.good(&line, (code, field.name)).await;
                    }
                    let twice = self.line(None, &format!("{0}=1&{0}=1", field.name));
                    self.good(&twice, (UNREADABLE, field.name)).await;
                }
                Stand::Content => {
                    let rows = ("application/x-ndjson", "");
                    self.refused(&plain, rows, &[], (UNREADABLE, field.name)).await;
                }
            }
        }
    }

    /// A good content as text; none where none is read.
    fn text(&self) -> String {
        if self.takes_members() { self.content().to_string() } else { String::new() }
    }

    fn takes_members(&self) -> bool {
        self.operation.fields.iter().any(|field| field.stand == Stand::Body)
    }

    /// What nobody knows, what stands twice, and contents that are none.
    async fn contents(&self) {
        let line = self.line(None, "");
        let unknown = self.line(None, "nobody_knows=1");
        self.good(&unknown, (UNREADABLE, "nobody_knows")).await;
        if !self.takes_members() {
            if self.operation.content().is_none() && self.operation.verb != Verb::Get {
                let reads = self.operation.verb == Verb::Post;
                let field = if reads { "nobody_knows" } else { "" };
                self.json(&line, "{\"nobody_knows\":1}", (UNREADABLE, field)).await;
            }
            return;
        }
        let mut more = self.content();
        more["nobody_knows"] = json!(1);
        self.json(&line, &more.to_string(), (UNREADABLE, "nobody_knows")).await;
        let name = self.operation.fields.iter().find(|field| field.stand == Stand::Body).expect("one").name;
        let twice = format!("{{\"{name}\":null,\"{name}\":null}}");
        self.json(&line, &twice, (UNREADABLE, name)).await;
        for none in ["[]", "7", "\"x\"", "null", "{\"a\"", "{} {}", "{'a':1}", &"[".repeat(100), "\u{feff}{}"]
        {
            self.json(&line, none, (UNREADABLE, "")).await;
        }
        for kind in ["text/plain", "application/xml", "application/json; charset=latin1", "json"] {
            self.refused(&line, (kind, &self.text()), &[], (UNREADABLE, "content-type")).await;
        }
    }

    /// Command ids that are none, and conditions where nothing has a tag.
    async fn headers(&self) {
        if !self.operation.act.changes() {
            return;
        }
        let (line, (kind, text)) = request(self.operation);
        let line = line.replacen(' ', " /t/acme", 1);
        for id in ["x", "", "01a2157f-2efc-488e-b29a-57721e09a4f3", "01a2157f2efc788eb29a57721e09a4f3"] {
            let more = [("idempotency-key", id)];
            // Whoever may not order it is told so first.
            if !self.operation.path.starts_with("/v1/tenants")
                && !self.operation.path.starts_with("/v1/operators")
            {
                self.refused(&line, (kind, &text), &more, (UNREADABLE, "idempotency-key")).await;
            }
        }
        let free = matches!(self.operation.needs, crate::operation::Needs::Nothing);
        if condition::record(self.operation.act).is_none()
            && !free
            && !matches!(self.operation.act, Act::Own(_))
        {
            let more = [("if-match", "\"0123456789abcdef0123456789abcdef\"")];
            if !self.operation.path.starts_with("/v1/tenants") {
                self.refused(&line, (kind, &text), &more, (UNREADABLE, "if-match")).await;
            }
        }
    }
}

/// PROPERTY: whatever does not read in any field, header or content of any operation is refused by the standard's
/// status and a typed document that names the field; nothing changes, nothing of the inside is told. METHOD: made from
/// the table, so that no operation is left out; the position of the tenant before and behind each operation.
/// TC-11 in part: unknown fields and ill-formed values.
#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_everywhere() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let position = async || {
        let own = house.ask("GET /v1/me", &admin, None).await.expect(200).string("seen");
        (own, house.ask("GET /v1/me", &house.operator, None).await.expect(200).string("seen"))
    };
    let mut before = position().await;
    for operation in OPERATIONS {
        let asked = Asked { house: &house, operation, key: &admin };
        asked.fields().await;
        asked.contents().await;
        asked.headers().await;
        let after = position().await;
        assert_eq!(after, before, "{} changed something", operation.id);
        before = after;
    }
}

/// PROPERTY: a stale tag refuses every change of a record that is there (412), and a record that is not there is told
/// as such first. METHOD: records made from the examples that the table's requests name.
#[tokio::test(flavor = "multi_thread")]
async fn stale_tags_are_refused_everywhere() {
    let house = House::open().await;
    let (_, admin) = house.tenant("acme").await;
    let model = json!({ "model": "model\n  schema 1.1\ntype user\n" });
    house.ask("PUT /v1/relations/model", &admin, Some(model)).await.expect(200);
    for id in ["create_role", "create_workspace", "create_group", "create_client", "set_service"] {
        let operation = OPERATIONS.iter().find(|one| one.id == id).expect("an operation");
        let (line, content) = request(operation);
        house.post(&line, &admin, (content.0, &content.1)).await.expect(200);
    }
    let bearer = format!("Bearer {admin}");
    let position = async || house.ask("GET /v1/me", &admin, None).await.expect(200).string("seen");
    let before = position().await;
    let mut held = 0;
    for operation in OPERATIONS.iter().filter(|one| condition::record(one.act).is_some()) {
        let (line, (kind, text)) = request(operation);
        for tag in ["\"0123456789abcdef0123456789abcdef\"", "W/\"x\"", "x"] {
            let shown = [("authorization", bearer.as_str()), ("content-type", kind), ("if-match", tag)];
            let reply = house.send(&line, &shown, &text).await;
            // Subjects, sessions and tenants of the examples are not there, or not this tenant's.
            let there = !["subject", "key", "tenant_ref"]
                .iter()
                .any(|name| operation.path.contains(&format!("{{{name}}}")));
            if there {
                held += 1;
                assert_eq!((reply.status, reply.code()), (412, 223), "{}: {reply:?}", operation.id);
                assert_eq!(reply.string("field"), "if-match");
            } else {
                assert!(matches!(reply.status, 403 | 404), "{}: {reply:?}", operation.id);
            }
        }
    }
    assert!(held > 30, "{held}");
    assert_eq!(position().await, before);
}
