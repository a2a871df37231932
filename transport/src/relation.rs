//! Questions about relations: answered from the published root, page by page where they are lists.

use crate::list::{rows_of, whole};
use crate::sight;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tessera_engine::{ADDRESS, Bound, Cursors, Engine, Listing, Reading, Resource, Sees, View};
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::relation::{RelationRecord, is_correlation};
use tessera_model::{
    CheckQuery, CursorFault, Decision, HandleBytes, Limit, ListKind, PermissionId, PermissionRef, Private,
    Receipt, Refusal, UnixMillis, WorkspaceRef,
};
use tessera_relation::{
    Answer, Ask, AskError, Branch, Filter, Listed, Mark, Model, RELATION_BATCH_BUDGET, RELATION_BUDGET,
    RELATION_LIST_BUDGET, Relations, StepKind, Stored, TupleRef,
};
use tessera_wire::{
    RelationAnswerRow, RelationMappingRow, RelationModelRow, RelationNameRow, RelationRow, RelationStepRow,
    RelationTrialRow, RelationVersionRow, Request, ResourceRow, Rows, RowsWriter,
};

/// What a page answers with, or what is being asked for with it.
pub(crate) struct Asked<'a> {
    pub(crate) relations: &'a Relations,
    pub(crate) now: UnixMillis,
    /// Tuples and nodes that one check may look at.
    pub(crate) budget: u32,
    /// Those of all checks of a request.
    pub(crate) of_batch: u32,
    pub(crate) walked: &'a mut u64,
    /// Set when nobody waits for the answer any more.
    pub(crate) gone: Option<&'a AtomicBool>,
}

/// Whose the list is, and how its cursors are made.
struct Window<'a> {
    cursors: Cursors,
    after: Option<&'a [u8]>,
    limit: usize,
}

/// Whether a question is about the caller's own handle.
pub(crate) fn is_own(engine: &Engine, bound: &Bound, request: &Request) -> bool {
    let (Request::CheckResource { handle, .. } | Request::Authorize { handle, .. }) = request else {
        return false;
    };
    let handle: Result<&HandleBytes, _> = handle.expose().try_into();
    handle.is_ok_and(|handle| engine.is_own(bound, handle))
}

/// Answers a question about relations.
#[expect(clippy::wildcard_enum_match_arm, reason = "a command is no list and is refused")]
#[expect(clippy::too_many_lines, reason = "one arm for each question")]
pub(crate) fn page(
    (engine, bound, view): (&Engine, &Bound, &View),
    permission: Option<&str>,
    request: Request,
    (walked, gone): (&mut u64, &AtomicBool),
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
        | Request::CheckResource { at_least, .. }
        | Request::ListRelationObjects { at_least, .. }
        | Request::ListRelationSubjects { at_least, .. }
        | Request::ExpandRelation { at_least, .. }
        | Request::ExplainRelation { at_least, .. } => seen(*at_least)?,
        _ => {}
    }
    // The position was published before this root was taken.
    let listing = sight::listing(engine, (bound, view), permission);
    let mut asked = Asked {
        relations: listing.relations(),
        now: engine.now(),
        budget: RELATION_BUDGET,
        of_batch: RELATION_BATCH_BUDGET,
        walked,
        gone: Some(gone),
    };
    let window = |kind, about: &[&str], after, limit| {
        let cursors = engine.relation_cursors(bound.entry.tenant, kind, about)?;
        Ok::<_, Refusal>(Window { cursors, after, limit: rows_of(limit) })
    };
    match request {
        Request::ReadRelationModel { version } => {
            let mut models = listing.relation_models();
            let found = match version {
                None => models.next(),
                Some(version) => {
                    let found = models.find(|record| record.version == version);
                    Some(found.ok_or(Refusal::RelationModelUnknown)?)
                }
            };
            whole(found.map(|record| RelationModelRow {
                version: record.version,
                text: private(&record.text),
                created: record.at,
            }))
        }
        Request::ListRelationModels {} => whole(listing.relation_models().map(|record| RelationVersionRow {
            version: record.version,
            created: record.at,
            bytes: record.text.len() as u64,
        })),
        Request::ListMappings { after, limit } => {
            mappings(&listing, &window(ListKind::Mappings, &[], after.as_ref().map(Private::expose), limit)?)
        }
        request @ Request::CheckResource { .. } => {
            let reading = engine.read(view);
            let (decision, steps) = resource((engine, bound, &reading), &request, RELATION_BUDGET)?;
            asked.spent(steps);
            whole([resource_row(decision, steps)])
        }
        Request::TryRelationModel { text } => whole([asked.trial(&listing, &text)?]),
        Request::ListRelations { object, relation, subject, after, limit } => {
            let parts = [text(object.as_ref())?, text(relation.as_ref())?, text(subject.as_ref())?];
            let window = window(ListKind::Relations, &parts, after.as_ref().map(Private::expose), limit)?;
            tuples(&listing, parts, &window, asked.walked)
        }
        Request::CheckRelations { checks, contextual, correlations, .. } => {
            asked.checks(&checks, &contextual, &correlations).and_then(whole)
        }
        Request::ListRelationObjects { subject, relation, type_name, contextual, after, limit, .. } => {
            let names = [text(Some(&subject))?, text(Some(&relation))?, text(Some(&type_name))?];
            let [subject, relation, type_name] = names;
            let parts = along(&names, &contextual);
            let after = after.as_ref().map(Private::expose);
            let window = window(ListKind::RelationObjects, &parts, after, limit)?;
            let list = asked.list(&contextual, |relations, ask| {
                relations.list_objects(ask, subject, relation, type_name)
            })?;
            names_page(&list, &window)
        }
        Request::ListRelationSubjects { object, relation, type_name, contextual, after, limit, .. } => {
            let names = [text(Some(&object))?, text(Some(&relation))?, text(Some(&type_name))?];
            let [object, relation, wanted] = names;
            let parts = along(&names, &contextual);
            let after = after.as_ref().map(Private::expose);
            let window = window(ListKind::RelationSubjects, &parts, after, limit)?;
            let (type_name, set) = match wanted.split_once('#') {
                Some((type_name, set)) => (type_name, Some(set)),
                None => (wanted, None),
            };
            let mut list = asked.list(&contextual, |relations, ask| {
                relations.list_subjects(ask, object, relation, type_name, set)
            })?;
            list.names.retain(|name| listing.tells(name));
            names_page(&list, &window)
        }
        Request::ExpandRelation { object, relation, contextual, .. } => {
            asked.expand(&listing, (text(Some(&object))?, text(Some(&relation))?), &contextual)
        }
        Request::ExplainRelation { check, contextual, .. } => asked.explain(&listing, &check, &contextual),
        _ => Err(Refusal::Malformed),
    }
}

/// Decides a check about a resource within a budget, and says what was looked at for it.
pub(crate) fn resource(
    (engine, bound, reading): (&Engine, &Bound, &Reading<'_>),
    request: &Request,
    budget: u32,
) -> Result<(Decision, u32), Refusal> {
    let Request::CheckResource { handle, permission, workspace, resource, address, .. } = request else {
        return Err(Refusal::Malformed);
    };
    let handle: &HandleBytes = handle.expose().try_into().map_err(|_| Refusal::Malformed)?;
    if address.is_some() && !engine.may(bound, ADDRESS) {
        return Err(Refusal::Unauthorized);
    }
    let place = workspace.as_ref();
    let query = CheckQuery {
        handle,
        permission: PermissionRef::Name(permission.as_str()),
        workspace: place.map_or(WorkspaceRef::Tenant, |name| WorkspaceRef::Name(name.as_str())),
        at_least: Receipt::default(),
        address: *address,
    };
    let about = Resource { object: text(Some(resource))?, budget };
    Ok(engine.check_resource(bound, reading, &query, about))
}

/// What a list is narrowed to: its own words, and the tuples that came with it.
fn along<'a>(names: &[&'a str], contextual: &'a [(u32, RelationRecord)]) -> Vec<&'a str> {
    let parts = contextual.iter().flat_map(|(_, one)| [&*one.subject, &*one.relation, &*one.object]);
    names.iter().copied().chain(parts).collect()
}

/// The row that answers a check about a resource.
pub(crate) fn resource_row(decision: Decision, steps: u32) -> ResourceRow {
    ResourceRow {
        reason: u32::from(decision.reason.code()),
        seen: decision.seen,
        valid_until: decision.valid_until,
        steps,
    }
}

/// What a step of an explanation is, as a number.
pub(crate) const fn step_kind(kind: StepKind) -> u32 {
    match kind {
        StepKind::Set => 11,
        StepKind::Tuple => 12,
        StepKind::ButNot => 13,
        StepKind::NotTold => 14,
    }
}

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn text(value: Option<&Private>) -> Result<&str, Refusal> {
    value.map_or(Ok(""), |value| std::str::from_utf8(value.expose()).map_err(|_| Refusal::Malformed))
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

    /// Pays for a question that failed.
    fn failed(&mut self, error: AskError, budget: u32) -> Refusal {
        self.spent(error.steps(budget));
        error.into()
    }

    fn trial(&mut self, listing: &Listing, model: &Private) -> Result<RelationTrialRow, Refusal> {
        let wrong = |error: &tessera_relation::ModelError| RelationTrialRow {
            line: error.at.line,
            column: error.at.column,
            told: private(&error.reason.to_string()),
            orphans: 0,
            tuples: Vec::new(),
        };
        let found = Model::parse(text(Some(model))?).and_then(|model| self.relations.orphans(&model, None));
        self.spent(u32::try_from(self.relations.len()).unwrap_or(u32::MAX));
        Ok(match found {
            Err(error) => wrong(&error),
            Ok(orphans) => RelationTrialRow {
                line: 0,
                column: 0,
                told: private(""),
                orphans: u32::try_from(orphans.count).unwrap_or(u32::MAX),
                tuples: orphans
                    .examples
                    .into_iter()
                    .map(record)
                    .filter(|one| listing.tells(&one.object) && listing.tells(&one.subject))
                    .collect(),
            },
        })
    }

    /// Tuples of the question that count in the check of this number.
    pub(crate) fn checks(
        &mut self,
        checks: &[RelationRecord],
        contextual: &[(u32, RelationRecord)],
        correlations: &[String],
    ) -> Result<Vec<RelationAnswerRow>, Refusal> {
        if checks.len() > BATCH_CHECKS_MAX {
            return Err(Refusal::Malformed);
        }
        let alike = || correlations.iter().collect::<BTreeSet<_>>().len() != correlations.len();
        let ill = || correlations.len() != checks.len() || !correlations.iter().all(|id| is_correlation(id));
        if !correlations.is_empty() && (ill() || alike()) {
            return Err(Refusal::Malformed);
        }
        let mut rows = Vec::with_capacity(checks.len());
        let mut left = self.of_batch;
        for (number, check) in (0_u32..).zip(checks) {
            if self.gone.is_some_and(|gone| gone.load(Ordering::Relaxed)) {
                return Err(Refusal::RelationBudget);
            }
            let of = contextual.iter().filter(|(check, _)| *check == number);
            let of: Vec<TupleRef<'_>> = of.map(|(_, one)| one.into()).collect();
            let (row, cost) = self.check(&check.into(), &of, left);
            left = left.saturating_sub(cost);
            let correlation = usize::try_from(number).ok().and_then(|at| correlations.get(at)).cloned();
            rows.push(RelationAnswerRow { correlation, ..row });
        }
        Ok(rows)
    }

    /// Answers one check with what is left of the budget, and says what it cost.
    pub(crate) fn check(
        &mut self,
        tuple: &TupleRef<'_>,
        contextual: &[TupleRef<'_>],
        left: u32,
    ) -> (RelationAnswerRow, u32) {
        let budget = self.budget.min(left);
        let ask = Ask { contextual, budget, gone: self.gone, ..Ask::at(self.now) };
        let (row, cost) = match self.relations.check(&ask, tuple) {
            Ok(Answer { permitted, valid_until, steps }) => {
                (RelationAnswerRow { permitted, code: 0, valid_until, steps, correlation: None }, steps)
            }
            Err(error) => {
                let cost = error.steps(budget);
                let code = u32::from(Refusal::from(error).code());
                let (permitted, valid_until, steps) = (false, self.now, 0);
                (RelationAnswerRow { permitted, code, valid_until, steps, correlation: None }, cost)
            }
        };
        self.spent(cost);
        (row, cost)
    }

    fn list(
        &mut self,
        contextual: &[(u32, RelationRecord)],
        list: impl FnOnce(&Relations, &Ask<'_>) -> Result<Listed, AskError>,
    ) -> Result<Listed, Refusal> {
        let of: Vec<TupleRef<'_>> = contextual.iter().map(|(_, one)| one.into()).collect();
        let ask = Ask { contextual: &of, budget: RELATION_LIST_BUDGET, gone: self.gone, ..Ask::at(self.now) };
        let listed = list(self.relations, &ask).map_err(|error| self.failed(error, RELATION_LIST_BUDGET))?;
        self.spent(listed.steps);
        Ok(listed)
    }

    fn expand(
        &mut self,
        listing: &Listing,
        (object, relation): (&str, &str),
        contextual: &[(u32, RelationRecord)],
    ) -> Result<Rows, Refusal> {
        let of: Vec<TupleRef<'_>> = contextual.iter().map(|(_, one)| one.into()).collect();
        let ask = Ask { contextual: &of, gone: self.gone, ..Ask::at(self.now) };
        let branch = self.relations.expand(&ask, object, relation);
        let branch = branch.map_err(|error| self.failed(error, RELATION_BUDGET))?;
        let mut rows: Vec<RelationStepRow> = Vec::new();
        branch_rows(&branch, 0, &mut rows);
        // A name stands in a row of its own; what is computed from is a set.
        rows.retain(|row| text(Some(&row.told)).is_ok_and(|told| listing.tells(told)));
        self.spent(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        Ok(cut(&rows))
    }

    fn explain(
        &mut self,
        listing: &Listing,
        check: &RelationRecord,
        contextual: &[(u32, RelationRecord)],
    ) -> Result<Rows, Refusal> {
        let of: Vec<TupleRef<'_>> = contextual.iter().map(|(_, one)| one.into()).collect();
        let ask = Ask { contextual: &of, gone: self.gone, ..Ask::at(self.now) };
        let told = self.relations.explain(&ask, &check.into());
        let told = told.map_err(|error| self.failed(error, ask.budget))?;
        self.spent(told.answer.steps);
        whole(told.path.into_iter().map(|step| RelationStepRow {
            depth: step.depth,
            kind: step_kind(step.kind),
            told: private(listing.told_line(&step.what)),
            holds: step.holds,
            left: None,
        }))
    }
}

/// Says how many steps of an expansion stand behind the last one that a frame holds.
const MORE: u32 = 7;

/// An expansion as far as a frame holds it. What it does not is counted in its last row, so that nobody takes a part for
/// all of it: tuples are listed in pages elsewhere.
fn cut(rows: &[RelationStepRow]) -> Rows {
    let mut told = rows.len();
    loop {
        let mut writer = RowsWriter::new();
        let (fitting, rest) = rows.split_at(told);
        let held = fitting.iter().take_while(|row| writer.push(*row)).count();
        let left = rows.len().saturating_sub(held);
        let marker = RelationStepRow {
            depth: rest.first().map_or(0, |row| row.depth),
            kind: MORE,
            told: private(""),
            holds: false,
            left: u32::try_from(left).ok(),
        };
        // Without room for the marker one row less is told; an empty page has room.
        if left == 0 || held == told && writer.push(&marker) || told == 0 {
            return writer.finish(None);
        }
        told = held.min(told.saturating_sub(1));
    }
}

/// An expansion in preorder.
fn branch_rows(branch: &Branch, depth: u32, rows: &mut Vec<RelationStepRow>) {
    let mut row = |kind: u32, told: &str, depth: u32| {
        rows.push(RelationStepRow { depth, kind, told: private(told), holds: false, left: None });
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

/// A page of names behind the one that the cursor stands at.
fn names_page(list: &Listed, window: &Window<'_>) -> Result<Rows, Refusal> {
    let from = window.cursors.tail(window.after)?.map(|(_, tail)| tail).unwrap_or_default();
    let start = list.names.partition_point(|name| !from.is_empty() && name.as_bytes() <= from);
    let mut writer = RowsWriter::new();
    let mut last: Option<&str> = None;
    for name in list.names.iter().skip(start).take(window.limit) {
        if !writer.push(&RelationNameRow { name: private(name) }) {
            break;
        }
        last = Some(name);
    }
    let more = last.is_some_and(|last| list.names.last().is_some_and(|end| end != last));
    if last.is_none() && start < list.names.len() {
        return Err(Limit::WireFrameBytes.reached());
    }
    let next = last.filter(|_| more).map(|last| window.cursors.behind(0, last.as_bytes()));
    Ok(writer.finish(next.as_deref()))
}

/// A page of stored tuples. A cursor is good for one life of the tenant: then numbers are given anew.
fn tuples(
    listing: &Listing,
    [object, relation, subject]: [&str; 3],
    window: &Window<'_>,
    walked: &mut u64,
) -> Result<Rows, Refusal> {
    let life = listing.life();
    let after = match window.cursors.tail(window.after)? {
        None => None,
        Some((of, _)) if of != life => return Err(Refusal::Changed),
        Some((_, tail)) => Some(Mark::from_bytes(tail).ok_or(Refusal::CursorRefused(CursorFault::Damaged))?),
    };
    let filter = Filter { object, relation, subject };
    let relations = listing.relations();
    let (mut writer, mut from) = (RowsWriter::new(), after);
    // Row by row would look at the same tuples again and again; a page is cut where the frame is full.
    let mut count = window.limit;
    loop {
        let page = relations.read(&filter, from, count).map_err(AskError::Query)?;
        *walked += page.looked_at;
        let full = page.tuples.len();
        let told = page.tuples.into_iter().map(|stored| RelationRow { tuple: record(stored) });
        let told = told.filter(|row| listing.tells(&row.tuple.object) && listing.tells(&row.tuple.subject));
        let rows: Vec<RelationRow> = told.collect();
        if rows.iter().all(|row| writer.push(row)) {
            let next = page.next.map(|mark| window.cursors.behind(life, &mark.to_bytes()));
            return Ok(writer.finish(next.as_deref()));
        }
        // A frame holds some hundred rows of any size.
        count = full / 4;
        if count == 0 {
            return Err(Limit::WireFrameBytes.reached());
        }
        (writer, from) = (RowsWriter::new(), after);
    }
}

/// A page of the permissions that follow from relations.
fn mappings(listing: &Listing, window: &Window<'_>) -> Result<Rows, Refusal> {
    let (after, tail) = window.cursors.tail(window.after)?.unwrap_or((0, &[]));
    let from = (u32::try_from(after).unwrap_or(u32::MAX), std::str::from_utf8(tail).unwrap_or_default());
    let mut rest = listing.relation_mappings(from).peekable();
    let (mut writer, mut last) = (RowsWriter::new(), None);
    while let Some((permission, type_name, relation)) = rest.peek().copied() {
        let name = listing.permission_name(permission).ok_or(Refusal::PermissionUnknown)?.clone();
        let (type_text, relation) = (type_name.to_owned(), relation.to_owned());
        let row = RelationMappingRow { permission: name, type_name: type_text, relation };
        if writer.len() >= window.limit || !writer.push(&row) {
            let (permission, type_name): (PermissionId, &str) =
                last.ok_or(Limit::WireFrameBytes.reached())?;
            let next = window.cursors.behind(u64::from(permission.0), type_name.as_bytes());
            return Ok(writer.finish(Some(&next)));
        }
        last = Some((permission, type_name));
        rest.next();
    }
    Ok(writer.finish(None))
}
