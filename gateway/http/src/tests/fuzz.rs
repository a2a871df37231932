//! Any bytes at the readers of contents and queries: every operation of the table.

use super::operations::request;
use crate::input::Input;
use crate::json::{self, Json};
use crate::openapi::example;
use crate::operation::{Operation, Stand};
use crate::parameters;
use crate::problem::Problem;
use crate::table::OPERATIONS;
use tessera_fuzz::{FindingError, Outcome, Run, Target};

fn told(found: Result<Run, FindingError>) -> Run {
    match found {
        Ok(run) => run,
        Err(finding) => panic!("{finding}"),
    }
}

/// Reads each field of a request in every way that an operation may read it.
fn read_all(input: &Input, operation: &Operation) -> usize {
    let mut good = 0;
    for field in operation.fields {
        let name = field.name;
        let all = [
            input.bool(name).is_ok(),
            input.count(name).is_ok(),
            input.name(name).is_ok(),
            input.public_id(name).is_ok(),
            input.networks(name).is_ok(),
            input.origins(name).is_ok(),
            input.patterns(name).is_ok(),
            input.rule(name).is_ok(),
            input.names(name).is_ok(),
            input.identifier(name).is_ok(),
            input.identifiers(name).is_ok(),
            input.handle(name).is_ok(),
            input.instant(name).is_ok(),
            input.receipt(name).is_ok(),
            input.cursor(name).is_some(),
            input.subject_kind(name).is_ok(),
            input.attribute_kind(name).is_ok(),
            input.attributes(name).is_ok(),
            input.name_or_number(name).is_ok(),
            input.tuples(name).is_ok(),
            input.entries(name).is_ok(),
            input.rows(name).is_some(),
            input.checks(name).iter().all(|check| crate::tuple::check(check).is_ok()),
        ];
        good += all.into_iter().filter(|good| *good).count();
    }
    good
}

/// A request of an operation, with these bytes for its content and its query.
fn gathered(operation: &'static Operation, content: &[u8], query: &str) -> Result<Input, Problem> {
    let query = parameters::read(query)?;
    let text = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let path = operation.fields.iter().filter(|field| field.stand == Stand::Path);
    let path = path.map(|field| (field.name.to_owned(), text(example(field.shape)))).collect();
    let members = match json::read(content)? {
        Json::Members(members) => members,
        _ => Vec::new(),
    };
    Input::gather(operation, path, query, members)
}

/// PROPERTY: any content and query of any operation is a request whose every field reads, or a problem that says
/// where. METHOD: 200,000 changed contents and queries over all operations, and 3,000 of each.
/// TC-83 in part: JSON over HTTP.
#[test]
fn fuzz_requests() {
    let words = "{ } [ ] : , \" null true false 1e5 -1 0.5 \\u0000 \\ud800 % & = + %zz";
    let (mut executions, mut taken) = (0, 0);
    for operation in OPERATIONS {
        let (_, (_, content)) = request(operation);
        let target = Target::new(&format!("http {}", operation.id)).seeds([content]).words(words);
        let run = told(target.one_of_many(3_000).run(|bytes| {
            let (content, query) = bytes.split_at(bytes.len() - bytes.len().min(bytes.len() % 7));
            let read = gathered(operation, content, &String::from_utf8_lossy(query));
            match read {
                Ok(input) => Outcome::taken(&read_all(&input, operation)),
                Err(problem) => Outcome::refused(&problem),
            }
        }));
        (executions, taken) = (executions + run.executions, taken + run.taken);
    }
    let operations = OPERATIONS.len();
    println!(
        "fuzz http-requests: {executions} executions over {operations} operations, {taken} taken, 0 findings"
    );
    let seeds = ["{\"a\":[1,-2.5,\"\\u00e9\",null,true],\"b\":{}}", "[[[[1]]]]", "\"a\""];
    let run = told(Target::new("json").seeds(seeds).words(words).run(|bytes| {
        let read = json::read(bytes);
        Outcome::of(&read.map(drop))
    }));
    println!("{run}");
    let seeds = ["limit=5&after=AAEC&name=a%20b+c", "a=%e2%82%ac&b"];
    let run = told(Target::new("http-query").seeds(seeds).words(words).share(100_000).run(|bytes| {
        let read = parameters::read(&String::from_utf8_lossy(bytes));
        Outcome::of(&read.map(drop))
    }));
    println!("{run}");
}
