//! Searches: the subjects, resources and actions that an evaluation would permit, page by page.
//!
//! Each result was decided as an evaluation decides it. What is looked at for one page is bounded: a page may hold
//! fewer results than its limit, and its token says that there are more to look at.

use crate::asker::{Asker, Stop, What, Who, is_type, no_resource};
use crate::page::{Page, Place, damaged, outdated};
use crate::print::{self, Verdict, entity};
use crate::read::{self, Entity, Id, Members, member, missing, object};
use crate::routes::Asked;
use tessera_engine::{Brought, Listing};
use tessera_gateway_http::{Admitted, Problem};
use tessera_model::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX};
use tessera_model::policy::EntityName;
use tessera_model::{ListKind, PermissionId, PermissionRef, PublicId, Reason, UnixMillis, WorkspaceIndex};
use tessera_relation::{RELATION_BUDGET, RELATION_LIST_BUDGET};

/// The permission of whoever searches.
const CHECK: &str = "tessera.check";

/// LIMIT: objects whose names are read at once from the tuples.
const CHUNK: usize = 1_000;
/// A list of objects goes on behind a number of one life of the tenant.
const BY_NUMBER: u8 = 0;
/// A list of objects goes on behind a name.
const BY_NAME: u8 = 1;

/// A list of objects goes on behind an entity that is stored for policies.
const BY_ENTITY: u8 = 2;
/// LIMIT: steps that policies may take for one page, beside those of its last candidate: some 10 ms.
const POLICY_STEPS_MAX: u64 = 1 << 20;

/// Answers a search. It may wait for the disk, and look at as much as one list may.
pub(crate) fn answer(asked: Asked, admitted: &Admitted) -> Result<String, Problem> {
    within(asked, admitted, RELATION_LIST_BUDGET)
}

/// Answers a search that may look at so many tuples and nodes.
pub(crate) fn within(asked: Asked, admitted: &Admitted, budget: u32) -> Result<String, Problem> {
    let view = admitted.view()?;
    let reading = admitted.engine().read(&view);
    let asker = Asker::new(admitted, reading, (false, budget));
    let search = Search::read(asked, &asker);
    let told = search.and_then(|mut search| {
        match asked {
            Asked::Subjects => search.subjects()?,
            Asked::Resources => search.resources()?,
            Asked::Actions => search.actions()?,
            Asked::Evaluation | Asked::Evaluations => return Err(Problem::failed().into()),
        }
        Ok((search.print(), search.looked / PLACES_PER_CHECK))
    });
    match told {
        Ok((text, checks)) => {
            asker.charge(checks);
            Ok(text)
        }
        Err(stop) => {
            asker.charge(0);
            Err(match stop {
                Stop::Problem(problem) => problem,
                // It is where it may take a while.
                Stop::Later => Problem::failed(),
            })
        }
    }
}

/// LIMIT: subjects, workspaces or permissions that cost as much as one check.
const PLACES_PER_CHECK: u64 = 8;

/// A search on its way.
struct Search<'a> {
    asker: &'a Asker<'a>,
    /// Whom the caller sees: of them results are found.
    shown: Listing,
    page: Page,
    /// The entity that goes without an id is the one that is sought.
    subject: Entity<'a>,
    action: &'a str,
    resource: Entity<'a>,
    context: &'a Members,
    /// What policies may look at besides.
    brought: Option<Brought>,
    rows: Vec<String>,
    /// Where the next page begins.
    next: Option<Place>,
    valid_until: UnixMillis,
    looked: u64,
    /// Whether a candidate was decided about: a page gets on.
    begun: bool,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Go {
    On,
    /// The page ends before what was looked at last.
    End,
}

impl<'a> Search<'a> {
    fn read(asked: Asked, asker: &'a Asker<'a>) -> Result<Self, Stop> {
        let content = asker.admitted.content();
        let of = |name: &str, sought: bool| {
            let value = member(content, name).ok_or_else(|| missing(name))?;
            read::entity(value, name, if sought { Id::Sought } else { Id::Wanted })
        };
        let subject = of("subject", asked == Asked::Subjects)?;
        let resource = of("resource", asked == Asked::Resources)?;
        let action = match member(content, "action") {
            _ if asked == Asked::Actions => "",
            Some(value) => read::action(value, "action")?,
            None => return Err(missing("action").into()),
        };
        let context = match member(content, "context") {
            None => &[],
            Some(value) => object(value, "context")?,
        };
        let kind = match asked {
            Asked::Subjects => ListKind::Subjects,
            Asked::Actions => ListKind::Permissions,
            _ if resource.kind == "workspace" => ListKind::Workspaces,
            Asked::Resources | Asked::Evaluation | Asked::Evaluations => ListKind::RelationObjects,
        };
        let page = Page::read(asker.admitted, (kind, asked.path()), content)?;
        let about = Some((resource, "resource")).filter(|_| asked == Asked::Subjects);
        let brought = match asked {
            // Each has a context of its own.
            Asked::Actions => None,
            Asked::Evaluation | Asked::Evaluations | Asked::Subjects | Asked::Resources => {
                asker.brought(action, (context.into(), "context"), about)?
            }
        };
        let (rows, valid_until) = (Vec::new(), UnixMillis(u64::MAX));
        let (next, looked, begun) = (None, 0, false);
        let admitted = asker.admitted;
        let shown = admitted.engine().listing_of(admitted.bound(), &asker.reading, CHECK);
        Ok(Self {
            asker,
            shown,
            page,
            subject,
            action,
            resource,
            context,
            brought,
            rows,
            next,
            valid_until,
            looked,
            begun,
        })
    }

    fn print(&self) -> String {
        let next = self.next.as_ref().map(|place| self.page.token(place));
        print::found(&self.rows, next, (self.asker.seen(), self.valid_until))
    }

    /// Decides about one candidate. Whether it is a result; nothing where the page ends before it.
    fn decide(
        &mut self,
        who: &Who,
        permission: PermissionRef<'_>,
        what: &What,
    ) -> Result<Option<bool>, Stop> {
        // Each has the budget that an evaluation has: where that is not left, the next page begins with it.
        let spent = self.asker.left() < RELATION_BUDGET || self.asker.policy_steps() >= POLICY_STEPS_MAX;
        if self.begun && spent {
            return Ok(None);
        }
        self.begun = true;
        let verdict: Verdict = self.asker.decide(who, permission, what, self.brought.as_ref())?;
        self.valid_until = self.valid_until.min(verdict.valid_until);
        Ok(Some(verdict.permits()))
    }

    /// Takes in what was decided about a candidate; `before` is the place before it.
    fn take(
        &mut self,
        decided: Option<bool>,
        before: impl FnOnce() -> Place,
        row: impl FnOnce() -> String,
    ) -> Go {
        match decided {
            Some(false) => Go::On,
            Some(true) if self.rows.len() < self.page.limit => {
                self.rows.push(row());
                Go::On
            }
            Some(true) | None => {
                self.next = Some(before());
                Go::End
            }
        }
    }

    fn subjects(&mut self) -> Result<(), Stop> {
        let mut at = self.page.number()?;
        if !matches!(self.subject.kind, "user" | "subject") {
            return Ok(());
        }
        let what = self.asker.what(self.resource, "resource")?;
        // Where the relations tell all of theirs at once, nobody else is held against them.
        let related = match &what {
            What::Nothing(_) => return Ok(()),
            What::Place(_) => None,
            // A policy may be about the object and anybody.
            What::Object(..) if self.asker.has_policies() => None,
            What::Object(object, _) => {
                let cost = (self.asker.left() / 2, self.asker.reading.now());
                self.asker.listing.related_subjects(self.action, object, cost)
            }
        };
        if let Some(related) = &related {
            self.asker.pay(related.steps);
            self.valid_until = self.valid_until.min(related.valid_until);
        }
        let roles_alone = match &what {
            What::Object(_, workspace) => What::Place(*workspace),
            other @ (What::Place(_) | What::Nothing(_)) => other.clone(),
        };
        let (kind, permission) = (self.subject.kind, PermissionRef::Name(self.action));
        loop {
            let listed = self.shown.subjects(at, PAGE_ROWS_MAX);
            self.looked += listed.walked;
            for record in &listed.rows {
                let who = Who::Subject(record.index, record.id);
                let apart = related.as_ref().is_some_and(|related| !related.subjects.contains(&record.id));
                let decided = self.decide(&who, permission, if apart { &roles_alone } else { &what })?;
                let before = || Place { at, tail: Vec::new() };
                let row = || entity(kind, &record.id.to_string());
                if self.take(decided, before, row) == Go::End {
                    return Ok(());
                }
                at = u64::from(record.index.0);
            }
            let Some(next) = listed.next else { return Ok(()) };
            at = next;
            if self.looked >= PAGE_PLACES_MAX {
                self.next = Some(Place { at, tail: Vec::new() });
                return Ok(());
            }
        }
    }

    fn resources(&mut self) -> Result<(), Stop> {
        let who = self.asker.who(self.subject, "subject", self.context)?;
        match self.resource.kind {
            "tenant" => {
                // One there is: whichever page this would be, it is the first.
                self.page.number()?;
                let decided =
                    self.decide(&who, PermissionRef::Name(self.action), &What::Place(WorkspaceIndex(0)))?;
                let id = self.asker.admitted.bound().entry.tenant.to_string();
                let before = || Place { at: 0, tail: Vec::new() };
                self.take(decided, before, || entity("tenant", &id));
                Ok(())
            }
            "workspace" => self.workspaces(&who),
            kind if is_type(kind) => match self.asker.within(self.resource, "resource")? {
                Ok(workspace) => self.objects(&who, workspace),
                Err(_) => Ok(()),
            },
            _ => {
                self.valid_until = no_resource().valid_until;
                Ok(())
            }
        }
    }

    fn workspaces(&mut self, who: &Who) -> Result<(), Stop> {
        let mut at = self.page.number()?;
        loop {
            let listed = self.shown.workspaces(at, PAGE_ROWS_MAX);
            self.looked += listed.walked;
            for record in &listed.rows {
                let what = What::Place(record.index);
                let decided = self.decide(who, PermissionRef::Name(self.action), &what)?;
                let before = || Place { at, tail: Vec::new() };
                let row = || entity("workspace", record.name.as_str());
                if self.take(decided, before, row) == Go::End {
                    return Ok(());
                }
                at = u64::from(record.index.0);
            }
            let Some(next) = listed.next else { return Ok(()) };
            at = next;
            if self.looked >= PAGE_PLACES_MAX {
                self.next = Some(Place { at, tail: Vec::new() });
                return Ok(());
            }
        }
    }

    /// The public id of whom the relations know; none of somebody who may nothing.
    fn known_as(&self, who: &Who) -> Option<PublicId> {
        match who {
            Who::Subject(_, id) => Some(*id),
            Who::Nobody(_) => None,
            Who::Handle(handle, address) => {
                let (engine, bound) = (self.asker.admitted.engine(), self.asker.admitted.bound());
                let found = engine.introspect(bound, &self.asker.reading, (handle, *address));
                found.ok().map(|found| found.subject)
            }
        }
    }

    /// The objects of a type that tuples are about: all of them where a role opens all, else those that the relations
    /// give, or each of them asked about where those are not told as a whole.
    fn objects(&mut self, who: &Who, workspace: WorkspaceIndex) -> Result<(), Stop> {
        if self.asker.has_policies() {
            return self.objects_by_policy(who, workspace);
        }
        let permission = PermissionRef::Name(self.action);
        let by_role = self.asker.decide(who, permission, &What::Place(workspace), None)?;
        self.valid_until = self.valid_until.min(by_role.valid_until);
        let open = by_role.permits();
        if !open && !Reason::from_code(by_role.code).is_some_and(Reason::is_ungranted) {
            return Ok(());
        }
        let listed = if open {
            None
        } else {
            let Some(subject) = self.known_as(who) else { return Ok(()) };
            let cost = (self.asker.left() / 2, self.asker.reading.now());
            let asked = (self.action, self.resource.kind);
            self.asker.listing.related_objects(subject, asked, cost)
        };
        let Some(listed) = listed else { return self.objects_by_number(who, workspace) };
        self.asker.pay(listed.steps);
        self.valid_until = self.valid_until.min(listed.valid_until);
        let behind = self.behind(BY_NAME)?.map(|(_, name)| name).unwrap_or_default();
        let start = listed.names.partition_point(|name| !behind.is_empty() && name.as_bytes() <= &*behind);
        let mut last = behind;
        for name in listed.names.get(start..).unwrap_or_default() {
            let what = What::Object(name.clone(), workspace);
            let tells = self.shown.tells(name);
            let decided = if tells { self.decide(who, permission, &what)? } else { Some(false) };
            let before = || Place { at: 0, tail: [&[BY_NAME], last.as_slice()].concat() };
            if self.take(decided, before, || object_row(name)) == Go::End {
                return Ok(());
            }
            last = name.as_bytes().to_vec();
        }
        Ok(())
    }

    /// What stands behind the token of a list of objects that goes on in this way.
    fn behind(&self, way: u8) -> Result<Option<(u64, Vec<u8>)>, Problem> {
        let Some(place) = &self.page.from else { return Ok(None) };
        let (of, rest) = place.tail.split_first().ok_or_else(damaged)?;
        // A grant was given or taken meanwhile.
        if *of == way { Ok(Some((place.at, rest.to_vec()))) } else { Err(outdated()) }
    }

    fn objects_by_number(&mut self, who: &Who, workspace: WorkspaceIndex) -> Result<(), Stop> {
        let life = self.asker.listing.life();
        let mut from = match self.behind(BY_NUMBER)? {
            None => 0,
            Some((of, _)) if of != life => return Err(outdated().into()),
            Some((_, number)) => u32::from_le_bytes(number.try_into().map_err(|_| damaged())?),
        };
        let place =
            |from: u32| Place { at: life, tail: [&[BY_NUMBER], from.to_le_bytes().as_slice()].concat() };
        loop {
            let known = self.asker.listing.relations().known(self.resource.kind, from, CHUNK);
            self.looked += known.looked_at;
            for (number, name) in &known.objects {
                let what = What::Object(name.clone(), workspace);
                let tells = self.shown.tells(name);
                let asked = PermissionRef::Name(self.action);
                let decided = if tells { self.decide(who, asked, &what)? } else { Some(false) };
                if self.take(decided, || place(*number), || object_row(name)) == Go::End {
                    return Ok(());
                }
            }
            let Some(next) = known.next else { return Ok(()) };
            from = next;
            if self.looked >= PAGE_PLACES_MAX {
                self.next = Some(place(from));
                return Ok(());
            }
        }
    }

    /// Where there are policies: each object that tuples are about or that is stored for them is asked about.
    fn objects_by_policy(&mut self, who: &Who, workspace: WorkspaceIndex) -> Result<(), Stop> {
        if matches!(who, Who::Nobody(_)) {
            return Ok(());
        }
        let nothing = EntityName { kind: "".into(), id: "".into() };
        let mut last = (0, nothing);
        let behind = self.page.from.as_ref().map(|place| (place.at, place.tail.split_first()));
        if let Some((share, Some((&BY_ENTITY, name)))) = behind {
            if !name.is_empty() {
                let text = str::from_utf8(name).map_err(|_| damaged())?;
                let (kind, id) = text.split_once('\0').ok_or_else(damaged)?;
                let name = EntityName::new(kind, id).ok_or_else(damaged)?;
                last = (u32::try_from(share).map_err(|_| damaged())?, name);
            }
        } else {
            self.objects_by_number(who, workspace)?;
            if self.next.is_some() {
                return Ok(());
            }
        }
        let place = |(share, name): &(u32, EntityName)| {
            let named =
                if name.kind.is_empty() { String::new() } else { format!("{}\0{}", name.kind, name.id) };
            Place { at: u64::from(*share), tail: [&[BY_ENTITY], named.as_bytes()].concat() }
        };
        let asker = self.asker;
        for (share, name) in asker.listing.entity_names(last.clone()) {
            if self.looked >= PAGE_PLACES_MAX {
                self.next = Some(place(&last));
                return Ok(());
            }
            self.looked += 1;
            let object = format!("{}:{}", name.kind, name.id);
            if &*name.kind == self.resource.kind && !name.id.is_empty() && !asker.is_about(&object) {
                let asked = PermissionRef::Name(self.action);
                let what = What::Object(object.clone(), workspace);
                let decided =
                    if self.shown.tells(&object) { self.decide(who, asked, &what)? } else { Some(false) };
                if self.take(decided, || place(&last), || object_row(&object)) == Go::End {
                    return Ok(());
                }
            }
            last = (share, name.clone());
        }
        Ok(())
    }

    /// Decides about one action. What came with the question and does not fit it is nothing that it is permitted under.
    fn may(
        &mut self,
        who: &Who,
        (id, name): (PermissionId, &str),
        what: &What,
    ) -> Result<Option<bool>, Stop> {
        let about = Some((self.resource, "resource")).filter(|_| matches!(what, What::Object(..)));
        match self.asker.brought(name, (self.context.into(), "context"), about) {
            Ok(brought) => self.brought = brought,
            Err(Stop::Problem(_)) => return Ok(Some(false)),
            Err(later @ Stop::Later) => return Err(later),
        }
        self.decide(who, PermissionRef::Id(id), what)
    }

    fn actions(&mut self) -> Result<(), Stop> {
        let mut at = self.page.number()?;
        let who = self.asker.who(self.subject, "subject", self.context)?;
        let what = self.asker.what(self.resource, "resource")?;
        if matches!(who, Who::Nobody(_)) || matches!(what, What::Nothing(_)) {
            return Ok(());
        }
        loop {
            let listed = self.asker.listing.permissions(at, PAGE_ROWS_MAX);
            self.looked += listed.walked;
            for (id, name) in &listed.rows {
                let decided = self.may(&who, (*id, name.as_str()), &what)?;
                let before = || Place { at, tail: Vec::new() };
                if self.take(decided, before, || print::action(name.as_str())) == Go::End {
                    return Ok(());
                }
                at = u64::from(id.0);
            }
            let Some(next) = listed.next else { return Ok(()) };
            at = next;
            if self.looked >= PAGE_PLACES_MAX {
                self.next = Some(Place { at, tail: Vec::new() });
                return Ok(());
            }
        }
    }
}

fn object_row(name: &str) -> String {
    let (kind, id) = name.split_once(':').unwrap_or((name, ""));
    entity(kind, id)
}
