//! Relations over HTTP: the model, the tuples, and every question about both.

use crate::answer::Object;
use crate::ask;
use crate::input::{Input, ill_formed};
use crate::list::limit;
use crate::operation::About;
use crate::problem::Problem;
use crate::sight;
use crate::tuple::{CHECKS_MAX, RelationCheck, check};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::atomic::AtomicBool;
use tessera_engine::{Bound, Cursors, Engine, Listing, View};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationModelRecord};
use tessera_model::{Command, CommandKind, CursorFault, ListKind, Receipt, Refusal, UnixMillis, cursor};
use tessera_relation::{
    Answer, Ask, AskError, Branch, Explanation, Filter, Listed, Mark, Model, NameError,
    RELATION_BATCH_BUDGET, RELATION_BUDGET, RELATION_LIST_BUDGET, Step, StepKind, Stored, TupleRef,
};

/// Steps of a question that cost as much as one check of a session.
pub(crate) const STEPS_PER_CHECK: u64 = 8;

/// One question, on its way to its answer.
struct Asked<'a> {
    engine: &'a Engine,
    bound: &'a Bound,
    input: &'a Input,
    listing: Listing,
    seen: Receipt,
    now: UnixMillis,
    /// Set when the caller has gone.
    gone: &'a AtomicBool,
    /// What was looked at.
    steps: u64,
}

/// Answers a question, and says what it cost in checks.
pub(crate) fn answer(
    (engine, bound, view): (&Engine, &Bound, &View),
    permission: Option<&str>,
    (about, input): (About, &Input),
    (gone, cost): (&AtomicBool, &mut u64),
) -> Result<Value, Problem> {
    let reading = engine.read(view);
    ask::sees(&reading, input.receipt("at_least")?)?;
    let (seen, now) = (reading.seen(), engine.now());
    // The position was published before this root was taken.
    let listing = sight::listing(engine, (bound, view), permission);
    let mut asked = Asked { engine, bound, input, listing, seen, now, gone, steps: 0 };
    let answered = asked.answer(about);
    *cost += asked.steps / STEPS_PER_CHECK;
    answered
}

/// The command behind an operation about relations.
pub(crate) fn command(kind: CommandKind, input: &Input) -> Result<Command, Problem> {
    if kind == CommandKind::SetRelationModel {
        let text = input.text("model").unwrap_or_default().into();
        let allow_orphans = input.bool("allow_orphans")?.unwrap_or(false);
        return Ok(Command::SetRelationModel { text, allow_orphans });
    }
    if matches!(kind, CommandKind::MapPermission | CommandKind::UnmapPermission) {
        let permission = input.name("permission")?.ok_or_else(|| ill_formed("permission"))?;
        let [type_name, relation] =
            ["type", "relation"].map(|name| input.text(name).unwrap_or_default().into());
        return Ok(if kind == CommandKind::MapPermission {
            Command::MapPermission { permission, type_name, relation }
        } else {
            Command::UnmapPermission { permission, type_name }
        });
    }
    let strict = input.bool("strict")?.unwrap_or(false);
    let (new, there) = if strict {
        (RelationCondition::Absent, RelationCondition::Present)
    } else {
        (RelationCondition::Any, RelationCondition::Any)
    };
    let mut changes = Vec::new();
    for (field, act, condition) in [
        ("require", RelationAct::Require, RelationCondition::Present),
        ("forbid", RelationAct::Require, RelationCondition::Absent),
        ("remove", RelationAct::Remove, there),
        ("write", RelationAct::Write, new),
    ] {
        let tuples = input.tuples(field)?.into_iter();
        changes.extend(tuples.map(|tuple| RelationChange { act, condition, tuple }));
    }
    Ok(Command::ChangeRelations { changes })
}

/// A refused command with what makes it plain: the tuple of the command that it is about, which is looked up at once; or
/// the place in the model, and the tuples that it would leave behind. For that all tuples are looked at: not on the
/// threads that answer checks.
pub(crate) async fn told<T>(listing: Listing, input: &Input, done: Result<T, Problem>) -> Result<T, Problem> {
    let problem = match done {
        Ok(done) => return Ok(done),
        Err(problem) => problem,
    };
    let code = problem.code();
    if let Some((field, why)) = wrong(&listing, input, &problem) {
        let problem = problem.at(&field);
        return Err(match why {
            Some(why) => problem.because(why.to_string()),
            None => problem,
        });
    }
    if code != Refusal::RelationModelWrong.code() && code != Refusal::RelationOrphans.code() {
        return Err(problem);
    }
    let text = input.text("model").unwrap_or_default().to_owned();
    let told = tokio::task::spawn_blocking(move || explained(&listing, &text, problem)).await;
    Err(told.unwrap_or_else(|_| Problem::failed()))
}

/// Which tuple of a command a refusal is about, and what is wrong with it where it does not fit the model.
fn wrong(listing: &Listing, input: &Input, problem: &Problem) -> Option<(String, Option<NameError>)> {
    let relations = listing.relations();
    let strict = input.bool("strict").ok().flatten().unwrap_or(false);
    let first = |field: &str, counts: &dyn Fn(&TupleRef<'_>) -> bool| {
        let tuples = input.tuples(field).ok()?;
        let nth = tuples.iter().position(|tuple| counts(&TupleRef::from(tuple)))?;
        Some((format!("{field}/{nth}"), None))
    };
    let stands = |tuple: &TupleRef<'_>| relations.window(tuple).is_some();
    let code = problem.code();
    if code == Refusal::RelationMismatch.code() {
        let tuples = input.tuples("write").ok()?;
        let found = tuples.iter().map(|tuple| relations.admits(&TupleRef::from(tuple)).err()).enumerate();
        let (nth, why) = found.filter_map(|(nth, why)| Some((nth, why?))).next()?;
        Some((format!("write/{nth}"), Some(why)))
    } else if code == Refusal::RelationMissing.code() {
        let gone = || first("remove", &|tuple| !stands(tuple)).filter(|_| strict);
        first("require", &|tuple| !stands(tuple)).or_else(gone)
    } else if code == Refusal::RelationExists.code() {
        let there = || {
            // What the same command removes before is not there when it writes.
            let removed = input.tuples("remove").ok().filter(|_| strict)?;
            let removed: BTreeSet<TupleRef<'_>> = removed.iter().map(TupleRef::from).collect();
            first("write", &|tuple| stands(tuple) && !removed.contains(tuple))
        };
        first("forbid", &stands).or_else(there)
    } else {
        None
    }
}

fn explained(listing: &Listing, text: &str, problem: Problem) -> Problem {
    match Model::parse(text).and_then(|model| listing.relations().orphans(&model, None)) {
        Err(error) if problem.code() == Refusal::RelationModelWrong.code() => {
            let problem = problem.at("model").because(error.reason.to_string());
            problem.with("line", error.at.line).with("column", error.at.column)
        }
        Ok(orphans) if problem.code() == Refusal::RelationOrphans.code() => {
            let examples: Vec<Value> = orphans
                .examples
                .into_iter()
                .filter(|one| listing.tells(&one.object) && listing.tells(&one.subject))
                .map(|one| stored(one).value())
                .collect();
            problem.at("allow_orphans").with("orphans", orphans.count).with("examples", examples)
        }
        Err(_) | Ok(_) => problem,
    }
}

/// A problem of a question, with `OpenFGA`'s number and what is wrong.
fn problem(error: AskError) -> Problem {
    Problem::from(Refusal::from(error)).because(error.to_string())
}

fn stored(one: Stored) -> Object {
    Object::new()
        .with("user", one.subject)
        .with("relation", one.relation)
        .with("object", one.object)
        .until("from", one.window.from)
        .until("until", one.window.until)
}

fn model(record: &RelationModelRecord) -> Object {
    Object::new().with("version", record.version).until("created", record.at)
}

impl<'a> Asked<'a> {
    fn answer(&mut self, about: About) -> Result<Value, Problem> {
        match about {
            About::Model => self.model(),
            About::Models => {
                let row = |record: &RelationModelRecord| model(record).with("bytes", record.text.len());
                Ok(crate::list::whole(self.listing.relation_models().map(row)))
            }
            About::Trial => self.trial(),
            About::Tuples => self.tuples(),
            About::Mappings => self.mappings(),
            About::Watch => Err(Problem::failed()),
            About::Check => {
                let answer = self.contextual(RELATION_BUDGET, |asked, ask| {
                    asked.listing.relations().check(ask, &asked.of())
                })?;
                self.steps += u64::from(answer.steps);
                Ok(decided(&answer).shown("seen", self.seen).value())
            }
            About::Checks => self.checks(),
            About::Expand => {
                let branch = self.contextual(RELATION_BUDGET, |asked, ask| {
                    asked.listing.relations().expand(ask, asked.text("object"), asked.text("relation"))
                })?;
                let mut nodes = 0;
                let tree = tree(&self.listing, &branch, &mut nodes);
                self.steps += nodes;
                Ok(Object::new().shown("seen", self.seen).with("tree", tree).value())
            }
            About::Objects => self.objects(),
            About::Subjects => self.subjects(),
            About::Explain => {
                let Explanation { answer, path } = self.contextual(RELATION_BUDGET, |asked, ask| {
                    asked.listing.relations().explain(ask, &asked.of())
                })?;
                self.steps += u64::from(answer.steps);
                let path: Vec<Value> = path.iter().map(|one| step(&self.listing, one)).collect();
                let object = Object::new().shown("seen", self.seen);
                Ok(object.with("decision", word(answer.permitted)).with("path", path).value())
            }
        }
    }

    fn text(&self, name: &str) -> &'a str {
        self.input.text(name).unwrap_or_default()
    }

    /// Whether a stored tuple names nobody whom the caller does not see.
    fn tells(&self, one: &Stored) -> bool {
        self.listing.tells(&one.object) && self.listing.tells(&one.subject)
    }

    /// The tuple that is asked about.
    fn of(&self) -> TupleRef<'a> {
        TupleRef { subject: self.text("user"), relation: self.text("relation"), object: self.text("object") }
    }

    /// Asks with the tuples that came along, within a budget. A question that fails is paid for, too.
    fn contextual<T>(
        &mut self,
        budget: u32,
        question: impl FnOnce(&Self, &Ask<'_>) -> Result<T, AskError>,
    ) -> Result<T, Problem> {
        let along = self.input.tuples("contextual_tuples")?;
        let along: Vec<TupleRef<'_>> = along.iter().map(TupleRef::from).collect();
        let ask = Ask { contextual: &along, budget, gone: Some(self.gone), ..Ask::at(self.now) };
        let answered = question(self, &ask);
        answered.map_err(|error| {
            self.steps += u64::from(error.steps(budget));
            problem(error)
        })
    }

    fn model(&self) -> Result<Value, Problem> {
        let mut models = self.listing.relation_models();
        let found = match self.input.count("version")? {
            None => models.next(),
            Some(version) => models.find(|record| record.version == version),
        };
        let record = found.ok_or(Refusal::RelationModelUnknown)?;
        Ok(model(record).with("model", &*record.text).value())
    }

    fn trial(&mut self) -> Result<Value, Problem> {
        let relations = self.listing.relations();
        self.steps += relations.len();
        let none: Option<u32> = None;
        Ok(
            match Model::parse(self.text("model"))
                .and_then(|model| relations.orphans(&model, Some(self.gone)))
            {
                Err(error) => Object::new()
                    .with("valid", false)
                    .with("line", error.at.line)
                    .with("column", error.at.column)
                    .with("message", error.reason.to_string())
                    .with("orphans", 0)
                    .with("examples", Value::Array(Vec::new())),
                Ok(orphans) => {
                    let examples: Vec<Value> = orphans
                        .examples
                        .into_iter()
                        .filter(|one| self.tells(one))
                        .map(|one| stored(one).value())
                        .collect();
                    Object::new()
                        .with("valid", true)
                        .with("line", none)
                        .with("column", none)
                        .with("message", Value::Null)
                        .with("orphans", orphans.count)
                        .with("examples", examples)
                }
            }
            .value(),
        )
    }

    fn cursors(&self, kind: ListKind, about: &[&str]) -> Result<Cursors, Problem> {
        Ok(self.engine.relation_cursors(self.bound.entry.tenant, kind, about)?)
    }

    fn tuples(&mut self) -> Result<Value, Problem> {
        let [object, relation, subject] = ["object", "relation", "user"].map(|name| self.text(name));
        let cursors = self.cursors(ListKind::Relations, &[object, relation, subject])?;
        let shown = self.input.cursor("cursor");
        let life = self.listing.life();
        let after = match cursors.tail(shown.as_deref())? {
            None => None,
            // Numbers are given anew with every life of the tenant.
            Some((of, _)) if of != life => return Err(Problem::from(Refusal::Changed).at("cursor")),
            Some((_, tail)) => {
                Some(Mark::from_bytes(tail).ok_or(Refusal::CursorRefused(CursorFault::Damaged))?)
            }
        };
        let filter = Filter { object, relation, subject };
        let page = self.listing.relations().read(&filter, after, limit(self.input)?);
        let page = page.map_err(|error| problem(AskError::Query(error)))?;
        self.steps += page.looked_at;
        let next = page.next.map(|mark| cursor::to_text(&cursors.behind(life, &mark.to_bytes())));
        let told = page.tuples.into_iter().filter(|one| self.tells(one));
        Ok(crate::list::rows_of(told.map(stored), next))
    }

    fn mappings(&self) -> Result<Value, Problem> {
        let cursors = self.cursors(ListKind::Mappings, &[])?;
        let shown = self.input.cursor("cursor");
        let (after, tail) = cursors.tail(shown.as_deref())?.unwrap_or((0, &[]));
        let from = (u32::try_from(after).unwrap_or(u32::MAX), str::from_utf8(tail).unwrap_or_default());
        let most = limit(self.input)?;
        let mut found: Vec<_> = self.listing.relation_mappings(from).take(most.saturating_add(1)).collect();
        let more = found.len() > most;
        found.truncate(most);
        let last = found.last().filter(|_| more);
        let next = last.map(|(permission, type_name, _)| {
            cursor::to_text(&cursors.behind(u64::from(permission.0), type_name.as_bytes()))
        });
        let rows = found.iter().filter_map(|(permission, type_name, relation)| {
            let object = Object::new().shown("permission", self.listing.permission_name(*permission)?);
            Some(object.with("type", *type_name).with("relation", *relation))
        });
        Ok(crate::list::rows_of(rows, next))
    }

    fn checks(&mut self) -> Result<Value, Problem> {
        let asked = self.input.checks("checks");
        if asked.is_empty() || asked.len() > CHECKS_MAX {
            return Err(ill_formed("checks"));
        }
        let (mut checks, mut ids) = (Vec::with_capacity(asked.len()), BTreeSet::new());
        for (at, one) in asked.iter().enumerate() {
            let mut one = check(one).map_err(|member| ill_formed(&format!("checks/{at}{member}")))?;
            let id = one.correlation.take().unwrap_or_else(|| at.to_string());
            if !ids.insert(id.clone()) {
                return Err(ill_formed(&format!("checks/{at}/correlation_id")).because("stands twice"));
            }
            checks.push((id, one));
        }
        let mut left = RELATION_BATCH_BUDGET;
        let results: Vec<Value> = checks.iter().map(|(id, one)| self.one(id, one, &mut left)).collect();
        Ok(Object::new().shown("seen", self.seen).with("results", results).value())
    }

    /// One question of a batch, out of what is left of its budget; an error is its own, and no permit.
    fn one(&mut self, id: &str, one: &RelationCheck, left: &mut u32) -> Value {
        let along: Vec<TupleRef<'_>> = one.contextual.iter().map(TupleRef::from).collect();
        let whole = Ask::at(self.now);
        let budget = whole.budget.min(*left);
        let ask = Ask { contextual: &along, budget, gone: Some(self.gone), ..whole };
        let object = match self.listing.relations().check(&ask, &TupleRef::from(&one.tuple)) {
            Ok(answer) => {
                *left = left.saturating_sub(answer.steps);
                self.steps += u64::from(answer.steps);
                decided(&answer).with("error", Value::Null)
            }
            Err(error) => {
                // It may have looked at all that it might.
                let steps = error.steps(ask.budget);
                *left = left.saturating_sub(steps);
                self.steps += u64::from(steps);
                let refused = problem(error).in_openfga();
                // It may be another one at any time.
                let object = Object::new().with("decision", word(false)).at("valid_until", Some(self.now));
                object.with("steps", 0).with("error", refused.to_json())
            }
        };
        object.with("correlation_id", id).value()
    }

    fn objects(&mut self) -> Result<Value, Problem> {
        let names = ["user", "relation", "type"].map(|name| self.text(name));
        let [subject, relation, type_name] = names;
        let cursors = self.listed_cursors(ListKind::RelationObjects, &names)?;
        let listed = self.contextual(RELATION_LIST_BUDGET, |asked, ask| {
            asked.listing.relations().list_objects(ask, subject, relation, type_name)
        })?;
        let answer = self.names(&cursors, &listed, "object");
        self.steps += u64::from(listed.steps);
        answer
    }

    fn subjects(&mut self) -> Result<Value, Problem> {
        let names = ["object", "relation", "type"].map(|name| self.text(name));
        let [object, relation, wanted] = names;
        let cursors = self.listed_cursors(ListKind::RelationSubjects, &names)?;
        let (type_name, set) = match wanted.split_once('#') {
            Some((type_name, set)) => (type_name, Some(set)),
            None => (wanted, None),
        };
        let mut listed = self.contextual(RELATION_LIST_BUDGET, |asked, ask| {
            asked.listing.relations().list_subjects(ask, object, relation, type_name, set)
        })?;
        listed.names.retain(|name| self.listing.tells(name));
        let answer = self.names(&cursors, &listed, "user");
        self.steps += u64::from(listed.steps);
        answer
    }

    /// The cursors of a list: those of another question, its own tuples included, are refused.
    fn listed_cursors(&self, kind: ListKind, names: &[&str]) -> Result<Cursors, Problem> {
        let along = self.input.tuples("contextual_tuples")?;
        let parts = along.iter().flat_map(|one| [&*one.subject, &*one.relation, &*one.object]);
        let about: Vec<&str> = names.iter().copied().chain(parts).collect();
        self.cursors(kind, &about)
    }

    /// A page of names behind the one that the cursor stands at.
    fn names(&self, cursors: &Cursors, list: &Listed, member: &str) -> Result<Value, Problem> {
        let shown = self.input.cursor("cursor");
        let from = cursors.tail(shown.as_deref())?.map(|(_, tail)| tail).unwrap_or_default();
        let start = list.names.partition_point(|name| !from.is_empty() && name.as_bytes() <= from);
        let rest = list.names.get(start..).unwrap_or_default();
        let page = rest.get(..limit(self.input)?).unwrap_or(rest);
        let last = page.last().filter(|_| page.len() < rest.len());
        let next = last.map(|last| cursor::to_text(&cursors.behind(0, last.as_bytes())));
        let rows: Vec<Value> =
            page.iter().map(|name| Object::new().with(member, name.as_str()).value()).collect();
        let object = Object::new().with("rows", rows).with("next", next).shown("seen", self.seen);
        Ok(object.at("valid_until", Some(list.valid_until)).value())
    }
}

fn decided(answer: &Answer) -> Object {
    let object = Object::new().with("decision", word(answer.permitted));
    object.at("valid_until", Some(answer.valid_until)).with("steps", answer.steps)
}

const fn word(permitted: bool) -> &'static str {
    if permitted { "permit" } else { "deny" }
}

pub(crate) fn step(listing: &Listing, step: &Step) -> Value {
    let kind = match step.kind {
        StepKind::Set => "set",
        StepKind::Tuple => "tuple",
        StepKind::ButNot => "but_not",
        StepKind::NotTold => "not_told",
    };
    json!({ "depth": step.depth, "kind": kind, "what": listing.told_line(&step.what), "holds": step.holds })
}

/// An expansion: each node has one member, which says what it is.
fn tree(listing: &Listing, branch: &Branch, nodes: &mut u64) -> Value {
    *nodes += 1;
    let mut all = |branches: &[Branch]| -> Vec<Value> {
        branches.iter().map(|one| tree(listing, one, nodes)).collect()
    };
    let (member, value) = match branch {
        Branch::Union(of) => ("union", Value::from(all(of))),
        Branch::Intersection(of) => ("intersection", Value::from(all(of))),
        Branch::Exclusion(both) => ("exclusion", Value::from(all(&both[..]))),
        Branch::Direct(names) => {
            *nodes += names.len() as u64;
            ("direct", texts(&names.iter().filter(|name| listing.tells(name)).collect::<Vec<_>>()))
        }
        Branch::Computed(set) => ("computed", Value::from(set.as_str())),
        Branch::From { tupleset, sets } => {
            *nodes += sets.len() as u64;
            ("from", json!({ "tupleset": tupleset, "sets": texts(sets) }))
        }
    };
    Value::Object(Map::from_iter([(member.to_owned(), value)]))
}

fn texts(names: &[impl Display]) -> Value {
    names.iter().map(ToString::to_string).collect::<Vec<String>>().into()
}

#[cfg(test)]
mod tests {
    use tessera_model::Deadline;

    /// PROPERTY: a tuple is read with its window, and what is none is refused.
    #[test]
    fn tuples_are_read_or_refused() {
        let read = |text: &str| {
            let value = crate::json::read(text.as_bytes()).ok()?;
            crate::tuple::tuple(&value, true)
        };
        let good =
            read(r#"{"user":"user:a","relation":"viewer","object":"doc:1","until":"2031-01-01T00:00:00Z"}"#);
        let good = good.expect("a tuple");
        assert!(good.until != Deadline::NONE && good.from == Deadline::NONE);
        for bad in [
            "{}",
            r#"{"user":"user:a","relation":"viewer"}"#,
            r#"{"user":"user:a","relation":"viewer","object":1}"#,
            r#"{"user":"user:a","relation":"viewer","object":"doc:1","condition":{}}"#,
            r#"{"user":"user:a","relation":"viewer","object":"doc:1","until":"soon"}"#,
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
