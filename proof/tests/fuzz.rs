//! Any bytes at every reader that a crate shows: handles, ids, identifiers, names, relations, policies, rows.
//! The readers that crates keep to themselves are tried in tests of theirs.

use std::collections::BTreeMap;
use tessera_fuzz::{FindingError, Outcome, Run, Target};
use tessera_model::catalogue::{Label, Language};
use tessera_model::record::AttributeKind;
use tessera_model::{
    Condition, Handle, Identifier, IdentifierKind, Name, Network, Origin, Pattern, PublicId, TenantId,
    UnixMillis, cursor,
};
use tessera_policy_cedar::{Facts, Parsed, PolicyError, PolicyReason, Question, Schema};
use tessera_program::{FaultRule, Ip, Names};
use tessera_relation::{Ask, Model, Relations, TupleRef, Window};

fn told(found: Result<Run, FindingError>) {
    match found {
        Ok(run) => println!("{run}"),
        Err(finding) => panic!("{finding}"),
    }
}

/// Bytes as the texts that readers are given.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// PROPERTY: any text is a handle or an error; what is a handle writes as the same text and bytes.
/// TC-83 in part: handles.
#[test]
fn fuzz_handles() {
    let mut bytes = [7; 40];
    bytes[..2].copy_from_slice(&[1, 1]);
    let handles: Vec<Handle> = (1..=8)
        .filter_map(|kind| {
            bytes[1] = kind;
            Handle::parse(&bytes).ok()
        })
        .collect();
    let seeds = handles.iter().map(Handle::to_text);
    told(Target::new("handle-text").seeds(seeds).words("tess_ tkey_ tref_ . = + / -").run(|bytes| {
        let text = text(bytes);
        let read = Handle::parse_text(&text);
        if let Ok(handle) = &read {
            assert_eq!(handle.to_text(), text, "a handle has two texts");
        }
        Outcome::of(&read)
    }));
    let seeds = handles.iter().map(Handle::to_bytes);
    told(Target::new("handle-bytes").seeds(seeds).share(40_000).run(|bytes| {
        let Some(bytes) = bytes.first_chunk::<40>() else { return Outcome::refused(&"short") };
        let read = Handle::parse(bytes);
        if let Ok(handle) = &read {
            assert_eq!(handle.to_bytes(), *bytes, "a handle has two forms");
        }
        Outcome::of(&read)
    }));
}

/// PROPERTY: any text is an identifier of its kind or an error; the normal form of one is its own normal form, so
/// that an account is found under whatever was typed. METHOD: 200,000 texts, each read as all kinds.
/// TC-83 in part: identifiers.
#[test]
fn fuzz_identifiers() {
    let seeds = [
        "Amy.Poe@EXAMPLE.org",
        "\u{e4}mil@b\u{fc}cher.example",
        "amy@xn--bcher-kva.example",
        "+44 20 7946-0958",
        "004420 79460958",
        "amy.poe",
        "Amy_Poe-7",
        "\u{ff21}my",
        "stra\u{df}e@example.org",
        "\u{130}@example.org",
    ];
    let kinds = [IdentifierKind::Email, IdentifierKind::Phone, IdentifierKind::Username];
    let target = Target::new("identifier").seeds(seeds).words("@ . xn-- + ( ) - _").bytes_max(600);
    told(target.run(|bytes| {
        let text = text(bytes);
        drop(Identifier::guess(&text));
        let read = kinds.map(|kind| {
            let read = Identifier::new(kind, &text);
            if let Ok(found) = &read {
                // A number is kept without the sign that it is written with.
                let sign = if kind == IdentifierKind::Phone { "+" } else { "" };
                let again = Identifier::new(kind, &format!("{sign}{}", found.normal()));
                let again = again.map(|again| again.normal().to_owned());
                assert_eq!(again.as_deref(), Ok(found.normal()), "{kind:?}: a normal form is not its own");
                assert!(found.normal().len() <= 254, "a normal form is over its limit");
            }
            read.map(drop)
        });
        if read.iter().any(Result::is_ok) {
            Outcome::taken(&format!("{read:?}"))
        } else {
            Outcome::refused(&read)
        }
    }));
}

/// PROPERTY: any text is a name, pattern, network, origin, id, instant, cursor, condition or label, or is not; what
/// is one writes as a text that reads as the same. METHOD: 200,000 texts, each read as all of them.
/// TC-83 in part: texts of fields.
#[test]
fn fuzz_fields() {
    let seeds = [
        "orders.read",
        "orders.*",
        "acme/eu",
        "10.0.0.0/8",
        "2001:db8::/32",
        "https://app.example.com:8443",
        "http://localhost:3000",
        "01a2157f-2efc-788e-b29a-57721e09a4f1",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000Z",
        "department=sales|support",
        "mail=*@example.org",
        "de-CH-1996",
        "281474976710658",
        "AAECAwQFBgc",
    ];
    let words = "* . / : :: = | \\ https:// http:// T Z - _ 255 65535";
    told(Target::new("field").seeds(seeds).words(words).bytes_max(1_200).run(|bytes| {
        let text = text(bytes);
        let mut kinds = Vec::new();
        if let Ok(name) = Name::new(&text) {
            assert_eq!(name.as_str(), text);
            kinds.push("name");
        }
        if let Ok(pattern) = Pattern::new(&text) {
            assert_eq!(pattern.as_str(), text);
            assert!(pattern.contains(&pattern));
            kinds.push("pattern");
        }
        if let Ok(network) = Network::parse(&text) {
            assert!(network.contains(network.address()) && network.holds(&network));
            kinds.push("network");
        }
        if let Ok(origin) = Origin::new(&text) {
            assert_eq!(Origin::new(origin.as_str()).ok(), Some(origin));
            kinds.push("origin");
        }
        if let Some(id) = PublicId::parse(&text) {
            assert_eq!(PublicId::parse(&id.to_string()), Some(id));
            kinds.push("id");
        }
        if let Some(id) = TenantId::parse(&text) {
            assert_eq!(TenantId::parse(&id.to_string()), Some(id));
            kinds.push("tenant");
        }
        if let Some(at) = UnixMillis::parse(&text) {
            assert!(at.as_deadline().is_none_or(|deadline| deadline == at.to_deadline()));
            kinds.push("instant");
        }
        if let Some(bytes) = cursor::from_text(&text) {
            assert_eq!(cursor::to_text(&bytes), text);
            kinds.push("cursor");
        }
        if let Ok(condition) = Condition::new(&text) {
            let again = Condition::of(condition.attribute().clone(), condition.matches().to_vec());
            assert_eq!(again, condition);
            kinds.push("condition");
        }
        if let Ok(language) = Language::new(&text) {
            assert!(Language::new(language.as_str()).is_ok());
            kinds.push("language");
        }
        if Label::new("en", &text).is_ok() {
            kinds.push("label");
        }
        if Ip::parse(&text).is_some() {
            kinds.push("ip");
        }
        let numbers = [tessera_program::decimal(&text), tessera_program::duration(&text)];
        if numbers.iter().any(Option::is_some) || tessera_program::datetime(&text).is_some() {
            kinds.push("value");
        }
        if tessera_crypto::password::parameters_of(&text).is_some() {
            kinds.push("hash");
        }
        if kinds.is_empty() { Outcome::refused(&"none") } else { Outcome::taken(&kinds) }
    }));
    let phc = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG";
    told(Target::new("password-hash").seeds([phc]).words("$ m= t= p= v= argon2id , 4294967295").run(
        |bytes| {
            let found = tessera_crypto::password::parameters_of(&text(bytes));
            assert!(found.is_none_or(|found| found.within_caps()), "a stored hash may cost anything");
            Outcome::some(&found)
        },
    ));
}

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype folder\n  relations\n    define owner: [user]\n    define viewer: [user, user:*, team#member] or owner\ntype document\n  relations\n    define parent: [folder]\n    define blocked: [user]\n    define viewer: ([user] or viewer from parent) but not blocked\n    define both: viewer and owner from parent\n";

/// PROPERTY: any text is a relationship model or an error with its place, and any question under a model that reads
/// ends in an answer or a typed error. METHOD: 200,000 changed models in the language, 60,000 in JSON, 100,000
/// tuples.
/// TC-83 in part: models.
#[test]
fn fuzz_relations() {
    let ask = |model: &Model| {
        let mut relations = Relations::new();
        relations.set_model(model)?;
        let tuple = |subject, relation, object| TupleRef { subject, relation, object };
        for (subject, relation, object) in [
            ("user:ann", "member", "team:a"),
            ("team:a#member", "viewer", "folder:f"),
            ("folder:f", "parent", "document:d"),
            ("user:*", "viewer", "folder:f"),
        ] {
            // A model need not know them.
            let (Ok(_) | Err(_)) = relations.write(&tuple(subject, relation, object), Window::ALWAYS);
        }
        let asked = tuple("user:ann", "viewer", "document:d");
        let (Ok(_) | Err(_)) = relations.check(&Ask::at(UnixMillis(0)), &asked);
        Ok::<_, tessera_relation::ModelError>(())
    };
    let small =
        "model\n  schema 1.1\ntype user\ntype d\n  relations\n    define a: [user]\n    define b: a\n";
    let words = "define type relations model schema 1.1 [user] or and but not from : # , ( ) user:* \n with condition";
    let target = Target::new("relation-model").seeds([MODEL, small]).words(words);
    told(target.run(|bytes| Outcome::of(&Model::parse(&text(bytes)).and_then(|model| ask(&model)))));
    let json = r#"{"schema_version":"1.1","type_definitions":[{"type":"user"},{"type":"document","relations":{"parent":{"this":{}},"viewer":{"union":{"child":[{"this":{}},{"computedUserset":{"relation":"parent"}},{"tupleToUserset":{"tupleset":{"relation":"parent"},"computedUserset":{"relation":"viewer"}}}]}}},"metadata":{"relations":{"parent":{"directly_related_user_types":[{"type":"document"}]},"viewer":{"directly_related_user_types":[{"type":"user"},{"type":"user","wildcard":{}}]}}}}]}"#;
    let words = "this union intersection difference base subtract child computedUserset tupleToUserset { } [ ] : , \" null";
    let target = Target::new("relation-json").seeds([json]).words(words).share(60_000);
    told(target.run(|bytes| Outcome::of(&Model::parse_json(&text(bytes)).and_then(|model| ask(&model)))));
    let mut relations = Relations::new();
    relations.set_model(&Model::parse(MODEL).expect("a model")).expect("a model");
    let target = Target::new("relation-tuple")
        .seeds(["user:ann|viewer|document:d", "team:a#member|viewer|folder:f", "user:*|viewer|folder:f"])
        .words("| : # * user team document folder viewer member parent")
        .share(100_000);
    told(target.run(|bytes| {
        let text = text(bytes);
        let mut parts = text.split('|');
        let mut part = || parts.next().unwrap_or_default();
        let tuple = TupleRef { subject: part(), relation: part(), object: part() };
        let written = relations.write(&tuple, Window::ALWAYS);
        let (Ok(_) | Err(_)) = relations.check(&Ask::at(UnixMillis(0)), &tuple);
        if written.is_ok() {
            assert!(relations.remove(&tuple), "what was written cannot be removed");
        }
        Outcome::of(&written)
    }));
}

/// What became of a policy text. A parser that ends its thread is told as one without a stack: here it is a finding.
fn policy<T>(read: &Result<T, Vec<PolicyError>>) -> Outcome {
    match read {
        Ok(_) => Outcome::taken(&0),
        Err(faults) => {
            let reasons: Vec<_> = faults.iter().map(|fault| fault.reason).collect();
            assert!(!reasons.contains(&PolicyReason::Resources), "a parser panicked: {faults:?}");
            Outcome::refused(&reasons)
        }
    }
}

/// PROPERTY: any text is a schema, policies, entities or a question of Cedar, or errors; what reads is held against
/// the schema, formatted, compiled and asked. METHOD: 200,000 texts over all of these.
/// TC-83 in part: policies.
#[test]
fn fuzz_policies() {
    let schema_text = "entity User in [Team] { age: Long, mail?: String }; entity Team; entity Doc { owner: User, tags: Set<String> } tags String; action read, write appliesTo { principal: User, resource: Doc, context: { ip: ipaddr, at: datetime } };";
    let schema = Schema::parse(schema_text.as_bytes()).expect("a schema");
    let words = "entity action appliesTo principal resource context in [ ] { } ; : , Set<String> Long ? :: \" enum type namespace";
    let target =
        Target::new("policy-schema").seeds([schema_text, "{\"\":{\"entityTypes\":{},\"actions\":{}}}"]);
    told(target.words(words).share(40_000).bytes_max(2_048).run(|bytes| policy(&Schema::parse(bytes))));
    let policies = [
        "permit(principal == User::\"ann\", action, resource);",
        "forbid(principal, action == Action::\"write\", resource) when { principal.age < 18 && !(resource.tags.contains(\"x\")) } unless { context.ip.isInRange(ip(\"10.0.0.0/8\")) };",
        "@id(\"a\") permit(principal in Team::\"t\", action in [Action::\"read\"], resource is Doc) when { if principal has mail then principal.mail like \"*@example.org\" else resource.owner == principal };",
        "permit(principal == ?principal, action, resource);",
    ];
    let words = "permit forbid principal action resource context when unless in has like is == != < && || ! . ( ) [ ] { } :: \" if then else ip( decimal( datetime( duration( contains ; , -";
    let target = Target::new("policy-text").seeds(policies).words(words).share(80_000).bytes_max(2_048);
    told(target.run(|bytes| {
        let read = Parsed::parse(bytes);
        if let Ok(parsed) = &read {
            let sound = parsed.validate(&schema);
            policy(&sound);
            let mut names = Names::default();
            let compiled = parsed.compile(&mut names);
            policy(&compiled);
            if let (Ok(()), Ok(compiled)) = (sound, compiled) {
                let store = Facts::parse(b"[]", None)
                    .and_then(|facts| facts.store(&mut names).map_err(|fault| vec![fault]));
                let asked = ["User::\"ann\"", "Action::\"read\"", "Doc::\"1\""];
                let question = Question::parse(asked, "{}", None, false).expect("a question");
                let (entities, mut room) = (store.expect("no entities"), compiled.room());
                let request = question.numbered(&names).expect("a question");
                compiled.decide(&entities, &request, FaultRule::Strict, &mut room);
            }
        }
        policy(&read)
    }));
    let target = Target::new("policy-format").seeds(policies).words(words).share(20_000).bytes_max(1_024);
    told(target.run(|bytes| {
        let formatted = tessera_policy_cedar::format(bytes);
        if let Ok(text) = &formatted {
            policy(&Parsed::parse(text.as_bytes()));
        }
        policy(&formatted)
    }));
    let facts = r#"[{"uid":{"type":"User","id":"ann"},"attrs":{"age":18,"mail":"a"},"parents":[{"type":"Team","id":"t"}]},{"uid":{"type":"Doc","id":"1"},"attrs":{"owner":{"__entity":{"type":"User","id":"ann"}},"tags":["x"]},"parents":[],"tags":{"a":"b"}}]"#;
    let words =
        "uid type id attrs parents tags __entity __extn fn arg ip decimal datetime { } [ ] : , \" null true";
    let target = Target::new("policy-entities").seeds([facts]).words(words).share(30_000).bytes_max(2_048);
    told(target.run(|bytes| {
        let read = Facts::parse(bytes, if bytes.len() % 2 == 0 { Some(&schema) } else { None });
        if let Ok(facts) = &read {
            drop(facts.store(&mut Names::default()));
        }
        policy(&read)
    }));
    let seeds =
        ["User::\"ann\"|{\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"10.0.0.1\"}}}", "a::b::\"\\u{0}\"|{}"];
    let target = Target::new("policy-question").seeds(seeds).words(words).share(30_000).bytes_max(1_024);
    told(target.run(|bytes| {
        let text = text(bytes);
        let (subject, context) = text.split_once('|').unwrap_or((&text, "{}"));
        let asked = [subject, "Action::\"read\"", "Doc::\"1\""];
        let read = Question::parse(asked, context, Some(&schema), bytes.len() % 2 == 0);
        if let Ok(question) = &read {
            drop(question.numbered(&Names::default()));
        }
        policy(&read)
    }));
}

/// PROPERTY: any line is a row of subjects, or a fault at its field. METHOD: 200,000 lines of NDJSON, 100,000 of CSV
/// under changed headings.
/// TC-83 in part: rows; F-65 in part.
#[test]
fn fuzz_rows() {
    let line = r#"{"kind":"person","status":"active","email":"amy@example.org","phone":["+442079460958"],"username":"amy","password_hash":"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaA","attributes":{"age":18,"vip":true,"tier":"gold"},"roles":["reader"],"workspaces":{"berlin":["reader"]},"grants":[{"role":"reader","workspace":"berlin","until":"2027-01-01T00:00:00Z"}]}"#;
    let words = "kind status email phone username password_hash attributes roles workspaces grants { } [ ] : , \" null until from";
    told(Target::new("rows-ndjson").seeds([line, "{}"]).words(words).run(|bytes| {
        let read = tessera_rows::read(&text(bytes));
        Outcome::of(&read.map(drop))
    }));
    let kinds =
        BTreeMap::from([("age".to_owned(), AttributeKind::Integer), ("vip".to_owned(), AttributeKind::Bool)]);
    let seeds = [
        "kind,email,roles,workspaces,attribute.age,attribute.vip\nperson,amy@example.org;a@b.org,reader,berlin:reader,18,true",
    ];
    let target =
        Target::new("rows-csv").seeds(seeds).words("kind email roles workspaces attribute. , ; : \" \n true");
    told(target.share(100_000).run(|bytes| {
        let text = text(bytes);
        let (heading, row) = text.split_once('\n').unwrap_or((&text, ""));
        let read = tessera_rows::Heading::new(heading, &kinds).and_then(|heading| heading.read(row));
        Outcome::of(&read.map(drop))
    }));
}
