//! Bad input: refused with its kind and place, never a panic, never a permit.

use tessera_policy_cedar::{
    CONTEXT_BYTES_MAX, Facts, Parsed, PolicyError, PolicyReason, Question, Schema, TEXT_BYTES_MAX, format,
};
use tessera_program::{FaultRule, Names, Ruling};

const SCHEMA: &str = "entity User = { level: Long };\nentity Doc;\naction read appliesTo { principal: [User], resource: [Doc], context: { n: Long, who?: User } };";

fn schema() -> Schema {
    Schema::parse(SCHEMA.as_bytes()).expect("a schema")
}

fn first<T>(result: Result<T, Vec<PolicyError>>) -> PolicyError {
    result.err().and_then(|faults| faults.into_iter().next()).expect("a fault")
}

fn validated(text: &str) -> Result<(), Vec<PolicyError>> {
    Parsed::parse(text.as_bytes())?.validate(&schema())
}

/// PROPERTY: each wrong policy is refused with its kind, on the line where the fault is.
#[test]
fn wrong_policies_have_a_place() {
    let head = "permit(principal, action == Action::\"read\", resource)\nwhen\n{ ";
    for (condition, reason) in [
        ("context.n == \"a\"", PolicyReason::Validation),
        ("context.n + 1", PolicyReason::Validation),
        ("context.m == 1", PolicyReason::Validation),
        ("context.who.level == 1", PolicyReason::Validation),
        ("principal == Usr::\"a\"", PolicyReason::Validation),
        ("action == Action::\"rite\"", PolicyReason::Validation),
        ("ip(\"10.0.0.256\").isIpv4()", PolicyReason::Validation),
        ("decimal(context) == decimal(\"1.0\")", PolicyReason::Validation),
        ("[].contains(1)", PolicyReason::Validation),
        ("resource.getTag(\"a\") == 1", PolicyReason::Validation),
        ("context.n = 1", PolicyReason::Syntax),
        ("context.n ==", PolicyReason::Syntax),
        ("9223372036854775808 == 1", PolicyReason::Syntax),
        ("nothing(1)", PolicyReason::Syntax),
        ("{\"a\": 1, \"a\": 2} == {\"a\": 1}", PolicyReason::Syntax),
        ("\"\\q\" == \"a\"", PolicyReason::Syntax),
    ] {
        let result = validated(&format!("{head}{condition} }};"));
        assert!(result.is_err(), "{condition}");
        let fault = first(result);
        assert_eq!(fault.reason, reason, "{condition}: {fault}");
        assert_eq!(fault.place.map(|place| place.line), Some(3), "{condition}: {fault}");
    }
    let unknown = first(validated("\n  permit(principal, action == Action::\"rite\", resource);"));
    assert_eq!(unknown.reason, PolicyReason::Validation);
    assert_eq!(unknown.place.map(|place| place.line), Some(2), "{unknown}");
}

/// PROPERTY: texts that are too long, too deep or no text are refused before they are parsed.
#[test]
fn texts_out_of_bounds_are_refused() {
    let deep = "permit(principal, action, resource) when { ".to_owned() + &"[".repeat(1_000_000);
    let long = " ".repeat(TEXT_BYTES_MAX + 1);
    for (text, reason) in [(&deep, PolicyReason::TooDeep), (&long, PolicyReason::TooLong)] {
        assert_eq!(first(Parsed::parse(text.as_bytes())).reason, reason);
        assert_eq!(first(Schema::parse(text.as_bytes())).reason, reason);
        assert_eq!(first(format(text.as_bytes())).reason, reason);
    }
    let json = "[".repeat(1_000_000);
    assert_eq!(first(Parsed::parse(json.as_bytes())).reason, PolicyReason::TooDeep);
    assert_eq!(first(Facts::parse(json.as_bytes(), None)).reason, PolicyReason::TooDeep);
    let broken = b"permit(principal,\n  action, \xff resource);";
    let fault = first(Parsed::parse(broken));
    assert_eq!(fault.reason, PolicyReason::Encoding);
    assert_eq!(fault.place.map(|place| (place.line, place.column)), Some((2, 11)));
    assert_eq!(first(Schema::parse(broken)).reason, PolicyReason::Encoding);
    assert_eq!(first(Facts::parse(broken, None)).reason, PolicyReason::Encoding);
    assert_eq!(first(Schema::parse(b"entity User = { a: Nothing };")).reason, PolicyReason::Schema);
    assert_eq!(first(Schema::parse(b"entity User = {")).reason, PolicyReason::Schema);
}

/// PROPERTY: the heights that pass are parsed, validated, compiled and evaluated, whatever they are made of.
#[test]
fn heights_that_pass_are_safe() {
    let mut names = Names::default();
    for condition in [
        format!("{}true{}", "(".repeat(60), ")".repeat(60)),
        format!("true{}", " && context.n == 0".repeat(300)),
        format!("context.n{} == 1", " + 1".repeat(1_000)),
        format!("{}1 == 1", "!".repeat(3)),
        format!("{}1 == 1", "if context.n == 1 then false else ".repeat(150)),
    ] {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let parsed = Parsed::parse(text.as_bytes()).unwrap_or_else(|faults| panic!("{}", faults[0]));
        drop(parsed.validate(&schema()));
        drop(parsed.compile(&mut names));
    }
}

/// PROPERTY: entities and questions that do not fit are refused, names that stand twice too.
#[test]
fn wrong_facts_are_refused() {
    let schema = schema();
    for (text, reason) in [
        (r#"[{"uid":{"type":"User","id":"a"},"attrs":{"level":"x"},"parents":[]}]"#, PolicyReason::Entity),
        (r#"[{"uid":{"type":"User","id":"a"},"attrs":{},"parents":[]}]"#, PolicyReason::Entity),
        (r#"[{"uid":{"type":"Usr","id":"a"},"attrs":{},"parents":[]}]"#, PolicyReason::Entity),
        (
            r#"[{"uid":{"type":"User","id":"a"},"attrs":{"level":1,"level":2},"parents":[]}]"#,
            PolicyReason::DuplicateName,
        ),
        ("[{]", PolicyReason::Entity),
    ] {
        assert_eq!(first(Facts::parse(text.as_bytes(), Some(&schema))).reason, reason, "{text}");
    }
    let asked = ["User::\"a\"", "Action::\"read\"", "Doc::\"d\""];
    let long = format!(r#"{{"n": 1, "x": "{}"}}"#, "x".repeat(CONTEXT_BYTES_MAX));
    for (context, reason) in [
        ("{}", PolicyReason::Request),
        (r#"{"n": "1"}"#, PolicyReason::Request),
        (r#"{"n": 1, "m": 2}"#, PolicyReason::Request),
        (r#"{"n": 1, "n": 2}"#, PolicyReason::DuplicateName),
        (r#"{"n": 1"#, PolicyReason::Request),
        ("[1]", PolicyReason::Request),
        (&long, PolicyReason::TooLong),
    ] {
        assert_eq!(
            first(Question::parse(asked, context, Some(&schema), true)).reason,
            reason,
            "{context:.40}"
        );
    }
    for wrong in [
        ["User::a", asked[1], asked[2]],
        ["Doc::\"d\"", asked[1], asked[2]],
        [asked[0], "Action::\"rite\"", asked[2]],
    ] {
        assert_eq!(
            first(Question::parse(wrong, r#"{"n": 1}"#, Some(&schema), true)).reason,
            PolicyReason::Request
        );
    }
}

/// PROPERTY: values of another type than the schema says, or missing ones, are faults and never a permit.
#[test]
fn values_of_another_type_permit_nothing() {
    let text = "permit(principal, action, resource) when { context.n < 5 && principal.level > 0 };";
    let parsed = Parsed::parse(text.as_bytes()).expect("parses");
    parsed.validate(&schema()).expect("fits");
    let mut names = Names::default();
    let policies = parsed.compile(&mut names).expect("compiles");
    let entities = r#"[{"uid":{"type":"User","id":"a"},"attrs":{"level":"high"},"parents":[]},
        {"uid":{"type":"User","id":"b"},"attrs":{},"parents":[]},
        {"uid":{"type":"User","id":"ok"},"attrs":{"level":7},"parents":[]}]"#;
    let stored = Facts::parse(entities.as_bytes(), None).expect("parses").store(&mut names).expect("stored");
    let mut room = policies.room();
    for (who, context, permits) in [
        ("ok", r#"{"n": 1}"#, true),
        ("ok", r#"{"n": "1"}"#, false),
        ("ok", r#"{"n": [1]}"#, false),
        ("ok", "{}", false),
        ("a", r#"{"n": 1}"#, false),
        ("b", r#"{"n": 1}"#, false),
        ("nobody", r#"{"n": 1}"#, false),
    ] {
        let who = format!("User::\"{who}\"");
        let asked = [who.as_str(), "Action::\"read\"", "Doc::\"d\""];
        let question = Question::parse(asked, context, None, false).expect("parses");
        let request = question.numbered(&names).expect("whole");
        let ruling = policies.decide(&stored, &request, FaultRule::Strict, &mut room);
        assert_eq!(ruling.permits(), permits, "{who} {context}: {ruling:?}");
        assert!(permits || ruling == Ruling::NoPermit);
    }
}

/// PROPERTY: a formatted text says the same, keeps its comments and does not change when formatted again.
#[test]
fn one_form() {
    let text = "// why\npermit(principal,action,resource)when{context.n==1&&true};";
    let once = format(text.as_bytes()).expect("formatted");
    assert!(once.contains("// why") && once.contains("context.n == 1 && true"), "{once}");
    assert_eq!(format(once.as_bytes()).expect("formatted"), once);
    assert_eq!(first(format(b"permit(")).reason, PolicyReason::Syntax);
    assert_eq!(first(format(b"{}")).reason, PolicyReason::Syntax);
}
