//! Test files in the form of Cedar's own integration tests: policies, a schema, entities, questions, and
//! the decision that each should have.

use crate::policy::{bytes, lines, objects};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tessera_policy_cedar::{
    ENTITIES_BYTES_MAX, Facts, Parsed, PolicyError, Question, Schema, TEXT_BYTES_MAX, check_json,
};
use tessera_program::{Entities, FaultRule, Names, Outcome, Policies};

/// LIMIT: bytes of a test file; its policies, schema and entities stand in files of their own.
const TEST_BYTES_MAX: usize = 64 << 20;

#[derive(serde::Deserialize)]
struct TestFile {
    policies: PathBuf,
    schema: PathBuf,
    entities: PathBuf,
    #[serde(rename = "shouldValidate")]
    should_validate: bool,
    #[serde(default)]
    requests: Vec<Request>,
}

#[derive(serde::Deserialize)]
struct Request {
    #[serde(default, alias = "desc")]
    description: Option<String>,
    principal: Value,
    action: Value,
    resource: Value,
    #[serde(default)]
    context: Value,
    #[serde(default, rename = "validateRequest")]
    validate: Option<bool>,
    decision: String,
    #[serde(default, alias = "reasons")]
    reason: BTreeSet<String>,
    #[serde(default)]
    errors: BTreeSet<String>,
}

/// A question, what it should come to and what it came to.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) what: String,
    pub(crate) expected: String,
    pub(crate) found: String,
    /// Policies that decided, and those that failed: as found, and whether they are those of the file.
    pub(crate) reason: BTreeSet<String>,
    pub(crate) errors: BTreeSet<String>,
    same: bool,
}

impl Asked {
    pub(crate) fn passed(&self) -> bool {
        self.expected == self.found
    }

    /// Whether the same policies decided and failed.
    pub(crate) const fn same_causes(&self) -> bool {
        self.same
    }

    pub(crate) fn causes(&self) -> String {
        format!("decided by {:?}, failed {:?}: not those of the file", self.reason, self.errors)
    }
}

/// What a file came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) asked: Vec<Asked>,
}

/// Why a file was not run.
#[derive(Debug)]
pub(crate) struct TestError {
    file: PathBuf,
    faults: Vec<PolicyError>,
    unreadable: Option<String>,
}

impl TestError {
    fn unreadable(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), faults: Vec::new(), unreadable: Some(what.into()) }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut told = lines(&self.file, &self.faults);
        told.extend(self.unreadable.iter().map(|what| format!("{}: {what}", self.file.display())));
        told
    }

    pub(crate) fn object(&self) -> Value {
        json!({
            "file": self.file.display().to_string(),
            "faults": objects(&self.faults),
            "unreadable": self.unreadable,
        })
    }
}

fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, TestError> {
    bytes(path, bytes_max).map_err(|error| TestError::unreadable(path, error.to_string()))
}

/// Runs one test file. The paths in it are relative to `base`.
pub(crate) fn run(base: &Path, path: &Path) -> Result<Report, TestError> {
    let text = read(path, TEST_BYTES_MAX)?;
    let text = std::str::from_utf8(&text).map_err(|_| TestError::unreadable(path, "not UTF-8"))?;
    if text.len() > TEST_BYTES_MAX {
        return Err(TestError::unreadable(path, format!("more than {TEST_BYTES_MAX} bytes")));
    }
    let at = |file: &Path| {
        let file = file.to_owned();
        move |faults: Vec<PolicyError>| TestError { file, faults, unreadable: None }
    };
    check_json(text).map_err(|fault| at(path)(vec![fault]))?;
    let mut test: TestFile =
        serde_json::from_str(text).map_err(|error| TestError::unreadable(path, error.to_string()))?;
    for file in [&mut test.policies, &mut test.schema, &mut test.entities] {
        *file = base.join(&*file);
    }
    let schema = Schema::parse(&read(&test.schema, TEXT_BYTES_MAX)?).map_err(at(&test.schema))?;
    let source = read(&test.policies, TEXT_BYTES_MAX)?;
    let parsed = Parsed::parse(&source).and_then(|parsed| parsed.validate(&schema).map(|()| parsed));
    if !test.should_validate {
        return Ok(Report { asked: vec![refused(&test.policies, parsed.is_err())] });
    }
    let parsed = parsed.map_err(at(&test.policies))?;
    let mut names = Names::default();
    let policies = parsed.compile(&mut names).map_err(at(&test.policies))?;
    let entities = read(&test.entities, ENTITIES_BYTES_MAX)?;
    let facts = Facts::parse(&entities, Some(&schema)).map_err(at(&test.entities))?;
    let stored = facts.store(&mut names).map_err(|fault| at(&test.entities)(vec![fault]))?;
    let world = World { schema: &schema, names: &names, policies: &policies, stored: &stored };
    Ok(Report {
        asked: test.requests.iter().enumerate().map(|(number, one)| world.ask(number, one)).collect(),
    })
}

fn refused(policies: &Path, refused: bool) -> Asked {
    Asked {
        what: policies.display().to_string(),
        expected: "refused".to_owned(),
        found: if refused { "refused" } else { "taken" }.to_owned(),
        reason: BTreeSet::new(),
        errors: BTreeSet::new(),
        same: true,
    }
}

/// Whether it is permitted, and the policies that apply or fail.
type Decided = (bool, Vec<(u32, Outcome)>);

struct World<'a> {
    schema: &'a Schema,
    names: &'a Names,
    policies: &'a Policies,
    stored: &'a Entities,
}

impl World<'_> {
    fn ask(&self, number: usize, request: &Request) -> Asked {
        let what = request.description.clone().unwrap_or_else(|| format!("question {}", number + 1));
        let expected = request.decision.to_lowercase();
        let (mut reason, mut errors) = (BTreeSet::new(), BTreeSet::new());
        let found = match self.decide(request) {
            Ok((permits, of)) => {
                for (number, outcome) in of {
                    let name = self.policies.name(number).to_owned();
                    let decides =
                        (self.policies.effect(number) == tessera_program::Effect::Permit) == permits;
                    match outcome {
                        Outcome::Applies if decides => drop(reason.insert(name)),
                        Outcome::Failed(_) => drop(errors.insert(name)),
                        Outcome::Applies => {}
                    }
                }
                if permits { "allow" } else { "deny" }.to_owned()
            }
            Err(faults) => {
                let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
                format!("the question is refused: {}", told.join("; "))
            }
        };
        let same = reason == request.reason && errors == request.errors;
        Asked { what, expected, found, reason, errors, same }
    }

    /// The decision under Cedar's rule, and the policies that apply or fail.
    fn decide(&self, request: &Request) -> Result<Decided, Vec<PolicyError>> {
        let (subject, action, resource) =
            (written(&request.principal), written(&request.action), written(&request.resource));
        let context = if request.context.is_null() { "{}".to_owned() } else { request.context.to_string() };
        let strict = request.validate.unwrap_or(true);
        let question = Question::parse([&subject, &action, &resource], &context, Some(self.schema), strict)?;
        let numbered = question.numbered(self.names).map_err(|fault| vec![fault])?;
        let mut room = self.policies.room();
        let ruling = self.policies.decide(self.stored, &numbered, FaultRule::Cedar, &mut room);
        Ok((ruling.permits(), self.policies.all(self.stored, &numbered, &mut room)))
    }
}

/// An entity as the language writes it: `Type::"id"`, from that text or from its type and id.
fn written(value: &Value) -> String {
    let whole = value.get("__entity").unwrap_or(value);
    let part = |name: &str| whole.get(name).and_then(Value::as_str);
    match (part("type"), part("id"), whole.as_str()) {
        (Some(kind), Some(id), _) => format!("{kind}::\"{}\"", id.escape_debug()),
        (_, _, Some(text)) => text.to_owned(),
        _ => whole.to_string(),
    }
}
