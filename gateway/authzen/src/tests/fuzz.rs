//! Any JSON at the readers of evaluations and searches.

use crate::evaluate::looks;
use crate::read::{self, Id, canonical, entity, member};
use serde_json::Value;
use tessera_fuzz::{Outcome, Target};
use tessera_gateway_http::Json;

/// A value as the door reads it.
fn read(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => number.as_i128().map_or(Json::Fraction, Json::Whole),
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(items) => Json::List(items.iter().map(read).collect()),
        Value::Object(members) => {
            Json::Members(members.iter().map(|(name, value)| (name.clone(), read(value))).collect())
        }
    }
}

/// PROPERTY: any JSON is an evaluation, several, a search, or a problem that names its member; equal values have one
/// canonical text. METHOD: 200,000 changed requests, each read in every way.
/// TC-83 in part: AuthZEN.
#[test]
fn fuzz_authzen() {
    let one = r#"{"subject":{"type":"user","id":"ann","properties":{"a":1}},"action":{"name":"read","properties":{}},"resource":{"type":"document","id":"1"},"context":{"ip":"10.0.0.1"}}"#;
    let many = r#"{"subject":{"type":"user","id":"ann"},"action":{"name":"read"},"evaluations":[{"resource":{"type":"document","id":"1"}},{"resource":{"type":"document","id":"2"},"action":{"name":"write"}}],"options":{"evaluations_semantic":"deny_on_first_deny"}}"#;
    let search = r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"document","id":"1"},"page":{"limit":5,"token":"AAEC","properties":{}}}"#;
    let words = "subject action resource context type id name properties evaluations options evaluations_semantic page token limit execute_all { } [ ] : , \" null 1e5 -1 true";
    let target = Target::new("authzen").seeds([one, many, search]).words(words);
    let run = target.run(|bytes| {
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Outcome::refused(&"no JSON") };
        let json = read(&value);
        let mut text = String::new();
        canonical(&json, &mut text);
        let mut again = String::new();
        canonical(&json.clone(), &mut again);
        assert_eq!(text, again, "one value, two texts");
        let Json::Members(members) = &json else { return Outcome::refused(&"no object") };
        let said = [
            read::question(members, "", &[]).is_ok(),
            read::defaults(members).is_ok(),
            looks(members).is_ok(),
            member(members, "subject").is_some_and(|value| entity(value, "subject", Id::Sought).is_ok()),
            member(members, "resource").is_some_and(|value| entity(value, "resource", Id::Sought).is_ok()),
        ];
        Outcome::taken(&said)
    });
    match run {
        Ok(run) => println!("{run}"),
        Err(finding) => panic!("{finding}"),
    }
}
