//! A store file of `OpenFGA` (`*.fga.yaml`): a model, tuples, and what should follow from them.

use crate::relation_ask::record;
use crate::yaml::{self, FILE_BYTES_MAX, Yaml, YamlError};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tessera_model::relation::RelationRecord;
use tessera_model::{Deadline, UnixMillis};
use tessera_relation::{
    Ask, AskError, Model, ModelError, Position, RELATION_LIST_BUDGET, Relations, TupleRef, Window,
};

/// A tuple with its place.
#[derive(Clone, Debug)]
struct Tuple {
    at: Position,
    subject: String,
    relation: String,
    object: String,
    /// When it begins and ends to count; `OpenFGA` has no such thing, and a store file may not have it.
    window: (Deadline, Deadline),
}

impl Tuple {
    fn as_ref(&self) -> TupleRef<'_> {
        TupleRef { subject: &self.subject, relation: &self.relation, object: &self.object }
    }
}

/// Why a file was not run.
#[derive(Debug)]
pub(crate) struct StoreError {
    pub(crate) file: PathBuf,
    pub(crate) at: Option<Position>,
    pub(crate) what: String,
    /// The file is good and asks for what is not supported.
    pub(crate) not_supported: bool,
    /// It could not be read at all.
    pub(crate) unreadable: bool,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(at) = self.at {
            write!(f, ":{}:{}", at.line, at.column)?;
        }
        let kind = if self.not_supported { "not supported" } else { "refused" };
        write!(f, ": {kind}: {}", self.what)
    }
}

impl std::error::Error for StoreError {}

/// One assertion and what came of it.
#[derive(Debug)]
pub(crate) struct Assertion {
    pub(crate) test: String,
    /// What was asked, in one line.
    pub(crate) question: String,
    pub(crate) expected: String,
    pub(crate) found: String,
    pub(crate) passed: bool,
}

/// What a file gave.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) assertions: Vec<Assertion>,
}

/// A file that is being read.
struct Reader<'a> {
    path: &'a Path,
}

/// LIMIT: questions of one file: a few lines of users and objects would multiply to any number.
const ASSERTIONS_MAX: usize = 100_000;
/// Keys that say nothing which would have to be done.
const REMARKS: &[&str] = &["name", "description"];

/// Runs one store file.
pub(crate) fn run(path: &Path) -> Result<Report, StoreError> {
    let reader = Reader { path };
    let text = reader.file(path)?;
    let tree = yaml::read(&text).map_err(|error| reader.wrong(error))?;
    reader.run(&tree)
}

impl Reader<'_> {
    fn wrong(&self, error: YamlError) -> StoreError {
        StoreError {
            file: self.path.to_owned(),
            at: Some(error.at),
            what: error.what,
            not_supported: error.not_supported,
            unreadable: false,
        }
    }

    fn refused(&self, at: Position, what: impl Into<String>) -> StoreError {
        self.wrong(YamlError { at, what: what.into(), not_supported: false })
    }

    fn not_supported(&self, at: Position, what: impl Into<String>) -> StoreError {
        self.wrong(YamlError { at, what: what.into(), not_supported: true })
    }

    fn file(&self, path: &Path) -> Result<String, StoreError> {
        let unreadable = |what: String| StoreError {
            file: path.to_owned(),
            at: None,
            what,
            not_supported: false,
            unreadable: true,
        };
        // What a file says of its size is no bound: a pipe says nothing.
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text))
            .map_err(|error| unreadable(error.to_string()))?;
        if text.len() > FILE_BYTES_MAX {
            return Err(unreadable(format!("more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(text)
    }

    fn beside(&self, named: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(named)
    }

    fn run(&self, tree: &Yaml) -> Result<Report, StoreError> {
        let members = tree.map("a store file").map_err(|error| self.wrong(error))?;
        let (mut name, mut model, mut tuples) = (String::new(), None, Vec::new());
        let mut tests: &[Yaml] = &[];
        for (key, value) in members {
            match key.as_str() {
                "name" => name = self.text(value, "name")?.to_owned(),
                "model" => model = Some(self.model(value)?),
                "model_file" => model = Some(self.model_file(value)?),
                "tests" => tests = value.list("tests").map_err(|error| self.wrong(error))?,
                other if self.tuples(other, value, &mut tuples)? => {}
                other if REMARKS.contains(&other) => {}
                other => return Err(self.not_supported(value.at, format!("the key {other}"))),
            }
        }
        let Some(mut base) = model else { return Err(self.refused(tree.at, "it has no model")) };
        self.write(&mut base, &tuples)?;
        let mut report = Report { name, assertions: Vec::new() };
        for (number, test) in (1..).zip(tests) {
            self.test(number, test, &base, &mut report)?;
        }
        Ok(report)
    }

    fn text<'y>(&self, yaml: &'y Yaml, what: &str) -> Result<&'y str, StoreError> {
        yaml.text(what).map_err(|error| self.wrong(error))
    }

    /// Places in a model count from its own first line; the place of the message is the file's.
    fn model(&self, yaml: &Yaml) -> Result<Relations, StoreError> {
        let text = self.text(yaml, "model")?;
        Model::parse(text).and_then(|model| under(&model)).map_err(|error| {
            let what = format!("model {}: {}", error.at, error.reason);
            let not_supported = error.is_not_supported();
            self.wrong(YamlError { at: yaml.place_in(error.at), what, not_supported })
        })
    }

    fn model_file(&self, yaml: &Yaml) -> Result<Relations, StoreError> {
        let named = self.text(yaml, "model_file")?;
        let path = self.beside(named);
        let text = self.file(&path)?;
        let extension = path.extension().and_then(|extension| extension.to_str());
        let model = match extension {
            Some("mod") => return Err(self.not_supported(yaml.at, "a model of modules")),
            Some("json") => Model::parse_json(&text),
            Some(_) | None => Model::parse(&text),
        };
        model.and_then(|model| under(&model)).map_err(|error| StoreError {
            file: path,
            at: Some(error.at),
            not_supported: error.is_not_supported(),
            what: error.reason.to_string(),
            unreadable: false,
        })
    }

    /// Takes `tuples`, `tuple_file` and `tuple_files`; says whether the key was one of them.
    fn tuples(&self, key: &str, yaml: &Yaml, into: &mut Vec<Tuple>) -> Result<bool, StoreError> {
        match key {
            "tuples" => self.tuple_list(yaml, into)?,
            "tuple_file" => self.tuple_file(yaml, into)?,
            "tuple_files" => {
                for one in yaml.list("tuple_files").map_err(|error| self.wrong(error))? {
                    self.tuple_file(one, into)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tuple_file(&self, yaml: &Yaml, into: &mut Vec<Tuple>) -> Result<(), StoreError> {
        let path = self.beside(self.text(yaml, "tuple_file")?);
        if path.extension().is_some_and(|extension| extension == "csv" || extension == "jsonl") {
            return Err(self.not_supported(yaml.at, "tuples in another form than YAML or JSON"));
        }
        let there = Reader { path: &path };
        let text = there.file(&path)?;
        let tree = yaml::read(&text).map_err(|error| there.wrong(error))?;
        there.tuple_list(&tree, into)
    }

    fn tuple_list(&self, yaml: &Yaml, into: &mut Vec<Tuple>) -> Result<(), StoreError> {
        for one in yaml.list("tuples").map_err(|error| self.wrong(error))? {
            let (mut subject, mut relation, mut object) = (None, None, None);
            let mut window = (Deadline::NONE, Deadline::NONE);
            for (key, value) in one.map("a tuple").map_err(|error| self.wrong(error))? {
                let place = match key.as_str() {
                    "user" => &mut subject,
                    "relation" => &mut relation,
                    "object" => &mut object,
                    "from_ms" => {
                        window.0 = self.instant(value, key)?;
                        continue;
                    }
                    "until_ms" => {
                        window.1 = self.instant(value, key)?;
                        continue;
                    }
                    "condition" => return Err(self.not_supported(value.at, "conditions")),
                    other => return Err(self.not_supported(value.at, format!("the key {other}"))),
                };
                *place = Some(self.text(value, key)?.to_owned());
            }
            let (Some(subject), Some(relation), Some(object)) = (subject, relation, object) else {
                return Err(self.refused(one.at, "a tuple has user, relation and object"));
            };
            into.push(Tuple { at: one.at, subject, relation, object, window });
        }
        Ok(())
    }

    /// Unix time in ms, at a whole second.
    fn instant(&self, value: &Yaml, key: &str) -> Result<Deadline, StoreError> {
        let ms = self.text(value, key)?.parse::<u64>().ok().filter(|ms| ms.is_multiple_of(1_000));
        let at = ms.and_then(|ms| UnixMillis(ms).as_deadline());
        at.ok_or_else(|| self.refused(value.at, format!("{key} is no Unix time in ms at a whole second")))
    }

    fn write(&self, relations: &mut Relations, tuples: &[Tuple]) -> Result<(), StoreError> {
        for (number, tuple) in (1..).zip(tuples) {
            if tuple.window != (Deadline::NONE, Deadline::NONE) {
                return Err(self.not_supported(tuple.at, "windows of tuples in a store file"));
            }
            relations.write(&tuple.as_ref(), Window::ALWAYS).map_err(|error| {
                let one = tuple.as_ref();
                let what = format!(
                    "tuple {number} ({} {} {}): {error} (OpenFGA's code 2027)",
                    one.subject, one.relation, one.object
                );
                self.refused(tuple.at, what)
            })?;
        }
        Ok(())
    }

    fn test(
        &self,
        number: usize,
        yaml: &Yaml,
        base: &Relations,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let (mut name, mut tuples) = (format!("test {number}"), Vec::new());
        let mut asked: Vec<(&str, &Yaml)> = Vec::new();
        for (key, value) in yaml.map("a test").map_err(|error| self.wrong(error))? {
            match key.as_str() {
                "name" => self.text(value, "name")?.clone_into(&mut name),
                "check" | "list_objects" | "list_users" => asked.push((key, value)),
                other if self.tuples(other, value, &mut tuples)? => {}
                other if REMARKS.contains(&other) => {}
                other => return Err(self.not_supported(value.at, format!("the key {other}"))),
            }
        }
        let mut relations = base.clone();
        self.write(&mut relations, &tuples)?;
        let asker = Asker { reader: self, relations: &relations, test: &name };
        for (kind, list) in asked {
            for one in list.list(kind).map_err(|error| self.wrong(error))? {
                asker.ask(kind, one, &mut report.assertions)?;
            }
        }
        Ok(())
    }
}

/// The tuples of a file by itself, YAML or JSON.
pub(crate) fn tuples_of(path: &Path) -> Result<Vec<RelationRecord>, StoreError> {
    let reader = Reader { path };
    let text = reader.file(path)?;
    let tree = yaml::read(&text).map_err(|error| reader.wrong(error))?;
    let mut tuples = Vec::new();
    reader.tuple_list(&tree, &mut tuples)?;
    let windowed = |one: &Tuple| RelationRecord {
        from: one.window.0,
        until: one.window.1,
        ..record(&one.subject, &one.relation, &one.object)
    };
    Ok(tuples.iter().map(windowed).collect())
}

/// No tuples yet under a model, whose errors are told with the model's own places.
fn under(model: &Model) -> Result<Relations, ModelError> {
    let mut relations = Relations::new();
    relations.set_model(model)?;
    Ok(relations)
}

/// Asks what a test asserts.
struct Asker<'a> {
    reader: &'a Reader<'a>,
    relations: &'a Relations,
    test: &'a str,
}

/// What an assertion names, in the words of a store file.
#[derive(Default)]
struct Named<'a> {
    users: Vec<&'a str>,
    objects: Vec<&'a str>,
    type_name: Option<&'a str>,
    filters: Vec<(&'a str, Option<&'a str>)>,
    assertions: &'a [(String, Yaml)],
}

impl Asker<'_> {
    fn named<'y>(&self, yaml: &'y Yaml) -> Result<Named<'y>, StoreError> {
        let reader = self.reader;
        let mut named = Named::default();
        for (key, value) in yaml.map("an assertion").map_err(|error| reader.wrong(error))? {
            match key.as_str() {
                "user" => named.users.push(reader.text(value, "user")?),
                "object" => named.objects.push(reader.text(value, "object")?),
                "users" | "objects" => {
                    for one in value.list(key).map_err(|error| reader.wrong(error))? {
                        let place = if key == "users" { &mut named.users } else { &mut named.objects };
                        place.push(reader.text(one, key)?);
                    }
                }
                "type" => named.type_name = Some(reader.text(value, "type")?),
                "user_filter" => {
                    for one in value.list("user_filter").map_err(|error| reader.wrong(error))? {
                        named.filters.push(self.filter(one)?);
                    }
                }
                "assertions" => {
                    named.assertions = value.map("assertions").map_err(|error| reader.wrong(error))?;
                }
                "context" => return Err(reader.not_supported(value.at, "context of conditions")),
                other if REMARKS.contains(&other) => {}
                other => return Err(reader.not_supported(value.at, format!("the key {other}"))),
            }
        }
        if named.assertions.is_empty() {
            return Err(reader.refused(yaml.at, "nothing is asserted"));
        }
        Ok(named)
    }

    fn filter<'y>(&self, yaml: &'y Yaml) -> Result<(&'y str, Option<&'y str>), StoreError> {
        let (mut type_name, mut relation) = (None, None);
        for (key, value) in yaml.map("a filter").map_err(|error| self.reader.wrong(error))? {
            match key.as_str() {
                "type" => type_name = Some(self.reader.text(value, "type")?),
                "relation" => relation = Some(self.reader.text(value, "relation")?),
                other => return Err(self.reader.not_supported(value.at, format!("the key {other}"))),
            }
        }
        let type_name = type_name.ok_or_else(|| self.reader.refused(yaml.at, "a filter has a type"))?;
        Ok((type_name, relation))
    }

    fn ask(&self, kind: &str, yaml: &Yaml, into: &mut Vec<Assertion>) -> Result<(), StoreError> {
        let named = self.named(yaml)?;
        let (users, objects) = (named.users.len(), named.objects.len());
        let missing = match kind {
            "check" => named.users.is_empty() || named.objects.is_empty(),
            "list_objects" => named.users.is_empty() || named.type_name.is_none(),
            _ => named.objects.is_empty() || named.filters.is_empty(),
        };
        if missing {
            return Err(self
                .reader
                .refused(yaml.at, format!("{kind} does not say whom or what it asks for")));
        }
        let each = match kind {
            "check" => users.saturating_mul(objects),
            "list_objects" => users,
            _ => objects.saturating_mul(named.filters.len()),
        };
        if into.len().saturating_add(each.saturating_mul(named.assertions.len())) > ASSERTIONS_MAX {
            return Err(self.reader.refused(yaml.at, format!("more than {ASSERTIONS_MAX} assertions")));
        }
        for (relation, expected) in named.assertions {
            match kind {
                "check" => self.check(&named, relation, expected, into)?,
                "list_objects" => self.objects(&named, relation, expected, into)?,
                _ => self.subjects(&named, relation, expected, into)?,
            }
        }
        Ok(())
    }

    fn assertion(&self, question: String, expected: String, found: Result<String, AskError>) -> Assertion {
        let found = found.unwrap_or_else(|error| format!("error {}: {error}", error.openfga_code()));
        let passed = expected == found;
        Assertion { test: self.test.to_owned(), question, expected, found, passed }
    }

    fn check(
        &self,
        named: &Named<'_>,
        relation: &str,
        expected: &Yaml,
        into: &mut Vec<Assertion>,
    ) -> Result<(), StoreError> {
        let expected = expected.truth(relation).map_err(|error| self.reader.wrong(error))?;
        for object in &named.objects {
            for subject in &named.users {
                let tuple = TupleRef { subject, relation, object };
                let found = self.relations.check(&now(), &tuple).map(|answer| answer.permitted.to_string());
                let question = format!("check {subject} {relation} {object}");
                into.push(self.assertion(question, expected.to_string(), found));
            }
        }
        Ok(())
    }

    fn objects(
        &self,
        named: &Named<'_>,
        relation: &str,
        expected: &Yaml,
        into: &mut Vec<Assertion>,
    ) -> Result<(), StoreError> {
        let expected = self.names(expected, relation)?;
        let type_name = named.type_name.unwrap_or_default();
        let ask = Ask { budget: RELATION_LIST_BUDGET, ..now() };
        for subject in &named.users {
            let found = self.relations.list_objects(&ask, subject, relation, type_name);
            let found = found.map(|list| list.names.join(", "));
            let question = format!("list_objects {subject} {relation} {type_name}");
            into.push(self.assertion(question, expected.clone(), found));
        }
        Ok(())
    }

    fn subjects(
        &self,
        named: &Named<'_>,
        relation: &str,
        expected: &Yaml,
        into: &mut Vec<Assertion>,
    ) -> Result<(), StoreError> {
        let map = expected.map(relation).map_err(|error| self.reader.wrong(error))?;
        let mut users = None;
        for (key, value) in map {
            match key.as_str() {
                "users" => users = Some(self.names(value, "users")?),
                other => return Err(self.reader.not_supported(value.at, format!("the key {other}"))),
            }
        }
        let expected = users.ok_or_else(|| self.reader.refused(expected.at, "users are not listed"))?;
        let ask = Ask { budget: RELATION_LIST_BUDGET, ..now() };
        for object in &named.objects {
            let mut all = Ok(Vec::new());
            for (type_name, set) in &named.filters {
                let one = self.relations.list_subjects(&ask, object, relation, type_name, *set);
                all = all.and_then(|mut all: Vec<String>| {
                    all.extend(one?.names);
                    Ok(all)
                });
            }
            let found = all.map(|mut all| {
                all.sort_unstable();
                all.dedup();
                all.join(", ")
            });
            let question = format!("list_users {object} {relation}");
            into.push(self.assertion(question, expected.clone(), found));
        }
        Ok(())
    }

    /// A list of names, in order.
    fn names(&self, yaml: &Yaml, what: &str) -> Result<String, StoreError> {
        let mut names = Vec::new();
        for one in yaml.list(what).map_err(|error| self.reader.wrong(error))? {
            names.push(self.reader.text(one, what)?);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names.join(", "))
    }
}

/// Tuples of a store file have no windows, so any instant is right.
fn now() -> Ask<'static> {
    Ask::at(UnixMillis(0))
}
