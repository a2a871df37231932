//! Questions about relations: answered from the published root, page by page where they are lists.

use crate::list::{rows_of, whole};
use tessera_engine::{Engine, Listing, Sees, View};
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::relation::RelationRecord;
use tessera_model::{CursorFault, Limit, Private, Receipt, Refusal, UnixMillis};
use tessera_relation::{
    Ask, AskError, Branch, Filter, Listed, Mark, Model, RELATION_BUDGET, RELATION_LIST_BUDGET, Relations,
    StepKind, Stored, TupleRef,
};
use tessera_wire::{
    RelationAnswerRow, RelationModelRow, RelationNameRow, RelationRow, RelationStepRow, RelationTrialRow,
    Request, Rows, RowsWriter,
};

/// What a page answers with, or what is being asked for with it.
struct Asked<'a> {
    relations: &'a Relations,
    now: UnixMillis,
    walked: &'a mut u64,
}

/// Answers a question about relations.
#[expect(clippy::wildcard_enum_match_arm, reason = "a command is no list and is refused")]
pub(crate) fn page(
    engine: &Engine,
    view: &View,
    request: Request,
    walked: &mut u64,
) -> Result<Rows, Refusal> {
    let seen = |at_least: Option<Receipt>| match at_least {
        Some(at_least) => match engine.read(view).sees(at_least) {
            Sees::Yes => Ok(()),
            Sees::NotYet => Err(Refusal::Behind),
            Sees::Restored => Err(Refusal::Restored),
        },
        None => Ok(()),
    };
    match &request {
        Request::CheckRelations { at_least, .. }
        | Request::ListRelationObjects { at_least, .. }
        | Request::ListRelationSubjects { at_least, .. }
        | Request::ExpandRelation { at_least, .. }
        | Request::ExplainRelation { at_least, .. } => seen(*at_least)?,
        _ => {}
    }
    // The position was published before this root was taken.
    let listing = view.listing();
    let mut asked = Asked { relations: listing.relations(), now: engine.now(), walked };
    match request {
        Request::ReadRelationModel {} => {
            let found = listing.relation_model().map(|record| RelationModelRow {
                version: record.version,
                text: private(&record.text),
                created: record.at,
            });
            whole(found)
        }
        Request::TryRelationModel { text } => whole([asked.trial(&text)?]),
        Request::ListRelations { object, relation, subject, after, limit } => {
            let parts = [text(object.as_ref())?, text(relation.as_ref())?, text(subject.as_ref())?];
            tuples(&listing, parts, after.as_ref(), rows_of(limit))
        }
        Request::CheckRelations { checks, contextual, .. } => asked.checks(&checks, &contextual),
        Request::ListRelationObjects { subject, relation, type_name, contextual, after, limit, .. } => {
            let names = [text(Some(&subject))?, text(Some(&relation))?, text(Some(&type_name))?];
            let [subject, relation, type_name] = names;
            let list = asked.list(&contextual, |relations, ask| {
                relations.list_objects(ask, subject, relation, type_name)
            })?;
            names_page(&list, after.as_ref(), rows_of(limit))
        }
        Request::ListRelationSubjects { object, relation, type_name, contextual, after, limit, .. } => {
            let names = [text(Some(&object))?, text(Some(&relation))?, text(Some(&type_name))?];
            let [object, relation, wanted] = names;
            let (type_name, set) = match wanted.split_once('#') {
                Some((type_name, set)) => (type_name, Some(set)),
                None => (wanted, None),
            };
            let list = asked.list(&contextual, |relations, ask| {
                relations.list_subjects(ask, object, relation, type_name, set)
            })?;
            names_page(&list, after.as_ref(), rows_of(limit))
        }
        Request::ExpandRelation { object, relation, contextual, .. } => {
            asked.expand(text(Some(&object))?, text(Some(&relation))?, &contextual)
        }
        Request::ExplainRelation { check, contextual, .. } => asked.explain(&check, &contextual),
        _ => Err(Refusal::Malformed),
    }
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn text(value: Option<&Private>) -> Result<&str, Refusal> {
    value.map_or(Ok(""), |value| std::str::from_utf8(value.expose()).map_err(|_| Refusal::Malformed))
}

/// The refusal that stands for an error of a question.
fn refusal(error: AskError) -> Refusal {
    match error {
        AskError::Contextual(_) => Refusal::RelationMismatch,
        AskError::DepthExceeded => Refusal::RelationTooDeep,
        AskError::BudgetExhausted => Refusal::RelationBudget,
        AskError::Query(_) | _ => Refusal::RelationUnknown,
    }
}

fn tuple(record: &RelationRecord) -> TupleRef<'_> {
    TupleRef { subject: &record.subject, relation: &record.relation, object: &record.object }
}

fn record(stored: Stored) -> RelationRecord {
    RelationRecord {
        object: stored.object.into(),
        relation: stored.relation.into(),
        subject: stored.subject.into(),
        from: stored.window.from,
        until: stored.window.until,
    }
}

impl Asked<'_> {
    fn spent(&mut self, steps: u32) {
        *self.walked += u64::from(steps);
    }

    /// Pays for a question that failed: all that it might have spent, where it was on its way.
    fn failed(&mut self, error: AskError, budget: u32) -> Refusal {
        let begun = matches!(error, AskError::BudgetExhausted | AskError::DepthExceeded);
        self.spent(if begun { budget } else { 1 });
        refusal(error)
    }

    fn trial(&mut self, model: &Private) -> Result<RelationTrialRow, Refusal> {
        let wrong = |error: &tessera_relation::ModelError| RelationTrialRow {
            line: error.at.line,
            column: error.at.column,
            told: private(&error.reason.to_string()),
            orphans: 0,
            tuples: Vec::new(),
        };
        let found = Model::parse(text(Some(model))?).and_then(|model| self.relations.orphans(&model));
        self.spent(u32::try_from(self.relations.len()).unwrap_or(u32::MAX));
        Ok(match found {
            Err(error) => wrong(&error),
            Ok(orphans) => RelationTrialRow {
                line: 0,
                column: 0,
                told: private(""),
                orphans: u32::try_from(orphans.count).unwrap_or(u32::MAX),
                tuples: orphans.examples.into_iter().map(record).collect(),
            },
        })
    }

    /// Tuples of the question that count in the check of this number.
    fn checks(
        &mut self,
        checks: &[RelationRecord],
        contextual: &[(u32, RelationRecord)],
    ) -> Result<Rows, Refusal> {
        if checks.len() > BATCH_CHECKS_MAX {
            return Err(Refusal::Malformed);
        }
        let mut rows = Vec::with_capacity(checks.len());
        for (number, check) in (0_u32..).zip(checks) {
            let of = contextual.iter().filter(|(check, _)| *check == number);
            let of: Vec<TupleRef<'_>> = of.map(|(_, one)| tuple(one)).collect();
            let ask = Ask { contextual: &of, ..Ask::at(self.now) };
            let answer = self.relations.check(&ask, &tuple(check));
            rows.push(match answer {
                Ok(answer) => {
                    self.spent(answer.steps);
                    RelationAnswerRow {
                        permitted: answer.permitted,
                        code: 0,
                        valid_until: answer.valid_until,
                        steps: answer.steps,
                    }
                }
                Err(error) => RelationAnswerRow {
                    permitted: false,
                    code: u32::from(self.failed(error, RELATION_BUDGET).code()),
                    valid_until: self.now,
                    steps: 0,
                },
            });
        }
        whole(rows)
    }

    fn list(
        &mut self,
        contextual: &[(u32, RelationRecord)],
        list: impl FnOnce(&Relations, &Ask<'_>) -> Result<Listed, AskError>,
    ) -> Result<Listed, Refusal> {
        let of: Vec<TupleRef<'_>> = contextual.iter().map(|(_, one)| tuple(one)).collect();
        let ask = Ask { contextual: &of, budget: RELATION_LIST_BUDGET, ..Ask::at(self.now) };
        let listed = list(self.relations, &ask).map_err(|error| self.failed(error, RELATION_LIST_BUDGET))?;
        self.spent(listed.steps);
        Ok(listed)
    }

    fn expand(
        &mut self,
        object: &str,
        relation: &str,
        contextual: &[(u32, RelationRecord)],
    ) -> Result<Rows, Refusal> {
        let of: Vec<TupleRef<'_>> = contextual.iter().map(|(_, one)| tuple(one)).collect();
        let ask = Ask { contextual: &of, ..Ask::at(self.now) };
        let branch = self.relations.expand(&ask, object, relation);
        let branch = branch.map_err(|error| self.failed(error, RELATION_BUDGET))?;
        let mut rows = Vec::new();
        branch_rows(&branch, 0, &mut rows);
        self.spent(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        whole(rows)
    }

    fn explain(
        &mut self,
        check: &RelationRecord,
        contextual: &[(u32, RelationRecord)],
    ) -> Result<Rows, Refusal> {
        let of: Vec<TupleRef<'_>> = contextual.iter().map(|(_, one)| tuple(one)).collect();
        let ask = Ask { contextual: &of, ..Ask::at(self.now) };
        let steps = self.relations.explain(&ask, &tuple(check));
        let steps = steps.map_err(|error| self.failed(error, RELATION_BUDGET))?;
        self.spent(u32::try_from(steps.len()).unwrap_or(u32::MAX).saturating_mul(16));
        whole(steps.into_iter().map(|step| RelationStepRow {
            depth: step.depth,
            kind: match step.kind {
                StepKind::Set => 11,
                StepKind::Tuple => 12,
                StepKind::ButNot => 13,
            },
            told: private(&step.what),
            holds: step.holds,
        }))
    }
}

/// An expansion in preorder.
fn branch_rows(branch: &Branch, depth: u32, rows: &mut Vec<RelationStepRow>) {
    let mut row = |kind: u32, told: &str, depth: u32| {
        rows.push(RelationStepRow { depth, kind, told: private(told), holds: false });
    };
    match branch {
        Branch::Union(all) | Branch::Intersection(all) => {
            row(if matches!(branch, Branch::Union(_)) { 1 } else { 2 }, "", depth);
            all.iter().for_each(|one| branch_rows(one, depth.saturating_add(1), rows));
        }
        Branch::Exclusion(both) => {
            row(3, "", depth);
            both.iter().for_each(|one| branch_rows(one, depth.saturating_add(1), rows));
        }
        Branch::Direct(names) => names.iter().for_each(|name| row(4, name, depth)),
        Branch::Computed(set) => row(5, set, depth),
        Branch::From { tupleset, sets } => {
            row(6, tupleset, depth);
            sets.iter().for_each(|set| row(5, set, depth.saturating_add(1)));
        }
    }
}

/// A page of names, each the cursor behind itself.
fn names_page(list: &Listed, after: Option<&Private>, limit: usize) -> Result<Rows, Refusal> {
    let from = text(after)?;
    let start = if from.is_empty() { 0 } else { list.names.partition_point(|name| name.as_str() <= from) };
    let mut writer = RowsWriter::new();
    let mut last: Option<&str> = None;
    for name in list.names.iter().skip(start).take(limit) {
        if !writer.push(&RelationNameRow { name: private(name) }) {
            break;
        }
        last = Some(name);
    }
    let more = last.is_some_and(|last| list.names.last().is_some_and(|end| end != last));
    if last.is_none() && start < list.names.len() {
        return Err(Limit::WireFrameBytes.reached());
    }
    Ok(writer.finish(last.filter(|_| more).map(str::as_bytes)))
}

/// A page of stored tuples. A cursor is good for one life of the tenant: then numbers are given anew.
fn tuples(
    listing: &Listing,
    [object, relation, subject]: [&str; 3],
    after: Option<&Private>,
    limit: usize,
) -> Result<Rows, Refusal> {
    let after = after.map(|cursor| mark(listing, cursor.expose())).transpose()?;
    let filter = Filter { object, relation, subject };
    let relations = listing.relations();
    let (mut writer, mut from) = (RowsWriter::new(), after);
    // Row by row would look at the same tuples again and again; a page is cut where the frame is full.
    let mut count = limit;
    loop {
        let page = relations.read(&filter, from, count).map_err(|_| Refusal::Malformed)?;
        let full = page.tuples.len();
        let rows: Vec<RelationRow> =
            page.tuples.into_iter().map(|stored| RelationRow { tuple: record(stored) }).collect();
        if rows.iter().all(|row| writer.push(row)) {
            let next = page.next.map(|mark| bytes(listing, mark));
            return Ok(writer.finish(next.as_ref().map(<[u8; 20]>::as_slice)));
        }
        // A frame holds some hundred rows of any size.
        count = full / 4;
        if count == 0 {
            return Err(Limit::WireFrameBytes.reached());
        }
        (writer, from) = (RowsWriter::new(), after);
    }
}

fn bytes(listing: &Listing, mark: Mark) -> [u8; 20] {
    let mut bytes = [0; 20];
    let parts = listing.life().to_le_bytes().into_iter().chain(mark.object.to_le_bytes());
    let parts = parts.chain(mark.edge.to_le_bytes());
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    bytes
}

fn mark(listing: &Listing, cursor: &[u8]) -> Result<Mark, Refusal> {
    let damaged = Refusal::CursorRefused(CursorFault::Damaged);
    let (life, rest) = cursor.split_first_chunk::<8>().ok_or(damaged)?;
    let (object, edge) = rest.split_first_chunk::<4>().ok_or(damaged)?;
    let edge: [u8; 8] = edge.try_into().map_err(|_| damaged)?;
    if u64::from_le_bytes(*life) != listing.life() {
        return Err(Refusal::Changed);
    }
    Ok(Mark { object: u32::from_le_bytes(*object), edge: u64::from_le_bytes(edge) })
}
