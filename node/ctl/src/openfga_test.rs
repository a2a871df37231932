//! The check cases of the `OpenFGA` project, every one through the public interface.

use crate::yaml::{Yaml, read};
use tessera_model::UnixMillis;
use tessera_relation::{Ask, Model, Relations, TupleRef, Window};

fn member<'a>(yaml: &'a Yaml, name: &str) -> Option<&'a Yaml> {
    yaml.map("a map").expect("a map").iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn text<'a>(yaml: &'a Yaml, name: &str) -> &'a str {
    member(yaml, name).expect(name).text(name).expect("a text")
}

fn list<'a>(yaml: &'a Yaml, name: &str) -> &'a [Yaml] {
    member(yaml, name).map_or(&[], |value| value.list(name).expect("a list"))
}

fn tuple(yaml: &Yaml) -> TupleRef<'_> {
    TupleRef { subject: text(yaml, "user"), relation: text(yaml, "relation"), object: text(yaml, "object") }
}

/// PROPERTY: all 360 assertions of `OpenFGA`'s consolidated cases hold, twelve of them errors with their
/// numbers. Tuples of earlier stages stay under later models, as they do there.
#[test]
fn openfga_check_cases_hold() {
    let cases = read(include_str!("../tests/openfga-check.yaml")).expect("the cases");
    let (mut asked, mut errors, mut wrong) = (0, 0, Vec::new());
    for test in list(&cases, "tests") {
        let name = text(test, "name");
        let mut relations = Relations::new();
        for stage in list(test, "stages") {
            let model = Model::parse(text(stage, "model")).unwrap_or_else(|error| panic!("{name}: {error}"));
            relations.set_model(&model).unwrap_or_else(|error| panic!("{name}: {error}"));
            for one in list(stage, "tuples") {
                relations
                    .write(&tuple(one), Window::ALWAYS)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            for assertion in list(stage, "checkAssertions") {
                let contextual: Vec<TupleRef<'_>> =
                    list(assertion, "contextualTuples").iter().map(tuple).collect();
                let asks = tuple(member(assertion, "tuple").expect("a tuple"));
                let ask = Ask { contextual: &contextual, ..Ask::at(UnixMillis(0)) };
                let found = match relations.check(&ask, &asks) {
                    Ok(answer) => answer.permitted.to_string(),
                    Err(error) => error.openfga_code().to_string(),
                };
                let expected = if member(assertion, "errorCode").is_some() {
                    errors += 1;
                    text(assertion, "errorCode")
                } else {
                    text(assertion, "expectation")
                };
                asked += 1;
                if found != expected {
                    wrong.push(format!("{name}: {asks:?}: expected {expected}, found {found}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((asked, errors), (360, 12));
}
