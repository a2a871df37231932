//! Compiled policies over a tenant: who asks is described by what the rules say of him, and what is asked about by
//! what is stored or sent.
//!
//! Off the hot path: a check comes here only in a tenant that has policies. Roles and relations are asked before; then
//! what permits is added, what forbids is taken away, and what restricts a handle or a workspace cuts the rest.

use crate::check::Judged;
use crate::circumstances::Circumstances;
use crate::policies::all_actions;
use crate::policies::taken;
use crate::root::Root;
use crate::state::key_of;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use tessera_model::limits::{ENGINE_PERMISSIONS_MAX, ENTITY_ANCESTORS_MAX};
use tessera_model::policy::{EntityName, PolicyRecord};
use tessera_model::record::{AttributeValue, SubjectKind};
use tessera_model::{PermissionId, Reason, RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex};
use tessera_policy::{Facts, HeldThing};
use tessera_program::{
    Desk, Entities, EntityRef, Fact, FaultRule, Ip, Kind, Names, Outcome, Program, Request, Room, Ruling,
    Shape, Uid, Value, Word,
};

pub(crate) use tessera_model::policy::GIVEN;
/// The id of the one entity of type `Tenant`.
const TENANT: &str = "tenant";
/// LIMIT: steps that a list of permissions may take over all of them: some 10 ms.
const LIST_STEPS_MAX: u32 = 1 << 20;
/// Values of gone entities that a table may hold before it is made anew, beside as many as of living ones.
const WORN: usize = 65_536;

/// What a check is about, beside who, what and where.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// To which resource, `Type:id`; none for the workspace that is asked in.
    pub resource: Option<&'a str>,
    /// The circumstances, a JSON object.
    pub context: Option<&'a str>,
    /// Entities that are known for this question only, a JSON list.
    pub entities: Option<&'a str>,
    /// Tuples and nodes of relations that may be looked at.
    pub budget: u32,
}

/// Of an action, which given facts its context has a place for, and whether it must be told others.
#[derive(Clone, Copy)]
struct Place {
    given: [bool; GIVEN.len()],
    /// Which of them every context has.
    promised: [bool; GIVEN.len()],
    needs: bool,
}

/// What checks of a tenant with policies ask.
#[derive(Clone)]
pub(crate) struct Policed {
    program: Program,
    shape: Arc<Shape>,
    entities: Entities,
    rule: FaultRule,
    given: [Word; GIVEN.len()],
    places: HashMap<Uid, Place>,
    /// The declared attributes of subjects that policies speak of, by the number of their declaration.
    attributes: Vec<(u32, Word)>,
    kind: Word,
    /// The stored program is none that this build reads.
    unreadable: bool,
    fresh: usize,
}

/// Who asks what, where, and from where.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) subject: SubjectIndex,
    pub(crate) permission: PermissionId,
    pub(crate) workspace: WorkspaceIndex,
    pub(crate) restriction: RestrictionId,
    /// What is known of whoever asks.
    pub(crate) facts: Facts,
    /// When the session or key was opened, and whether it is a key; none where nobody has opened one.
    pub(crate) opened: Option<(UnixMillis, bool)>,
}

thread_local! {
    /// Room that questions are made and answered in.
    static DESK: Cell<Option<Box<(Desk, Room)>>> = const { Cell::new(None) };
}

/// Says the circumstances of the action that is asked about.
type Tell<'a> = &'a dyn Fn(&mut Request<'_>) -> Option<FaultRule>;

/// A public id as text, on the stack.
struct IdText([u8; 64], usize);

impl std::fmt::Write for IdText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.1 + text.len();
        let place = self.0.get_mut(self.1..end).ok_or(std::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.1 = end;
        Ok(())
    }
}

impl IdText {
    fn as_str(&self) -> &str {
        self.0.get(..self.1).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// All that an entity lies in, by what each lies in straight. It is among them itself only when it lies in itself;
/// nothing when they are more than may be, of which one more is looked at.
pub(crate) fn ancestors<'a>(
    of: &EntityName,
    straight: &dyn Fn(&EntityName) -> Option<&'a [EntityName]>,
) -> Option<HashSet<&'a EntityName>> {
    let (mut all, mut open) = (HashSet::new(), straight(of).map_or_else(Vec::new, |above| vec![above]));
    while let Some(above) = open.pop() {
        for one in above {
            if all.insert(one) {
                if all.len() > ENTITY_ANCESTORS_MAX {
                    return None;
                }
                open.extend(straight(one));
            }
        }
    }
    Some(all)
}

pub(crate) fn stored_above<'a>(root: &'a Root, name: &EntityName) -> Option<&'a [EntityName]> {
    root.parents.get(name).map(|above| &**above)
}

pub(crate) fn pairs(of: Option<HashSet<&EntityName>>) -> BTreeSet<(String, String)> {
    of.into_iter().flatten().map(|name| (name.kind.to_string(), name.id.to_string())).collect()
}

/// A resource as a type and an id: the type ends at the first colon that stands alone.
pub(crate) fn resource_of(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(':')?;
        let (kind, rest) = (text.get(..at)?, text.get(at + 1..)?);
        if !rest.starts_with(':') {
            return (!kind.is_empty() && !rest.is_empty()).then_some((kind, rest));
        }
        from = at + 2;
    }
}

/// The declared attributes that policies speak of.
fn spoken(names: &Names, root: &Root) -> Vec<(u32, Word)> {
    let declared = root.attributes.values().filter(|record| record.name.as_str() != "kind");
    declared.filter_map(|record| Some((record.id, names.known_word(record.name.as_str())?))).collect()
}

impl Policed {
    /// Reads a stored program over a tenant.
    pub(crate) fn new(record: &PolicyRecord, root: &Root) -> Self {
        let read = Program::decode(&record.program);
        let unreadable = read.is_err();
        let mut program = read.unwrap_or_default();
        let mut shape = std::mem::take(&mut program.shape);
        if record.schema.is_none() {
            all_actions(&mut shape, root);
        }
        let shape = Arc::new(shape);
        let names = &mut program.names;
        let attributes = spoken(names, root);
        let given = GIVEN.map(|name| names.word(name));
        let [now, ..] = given;
        program.policies.moved_by_clock(&[now]);
        let mut entities = Entities::default();
        let mut places = HashMap::new();
        for ((kind, id), action) in &shape.actions {
            let ancestors = action.above.iter().cloned().collect();
            entities.put(names, kind, id, &Fact { ancestors, ..Fact::default() });
            let fields = shape.fields(action.context);
            let has = |name: &str, wanted: &Kind| {
                let field = fields.iter().find(|field| field.name == name);
                field.is_some_and(|field| shape.kind(field.kind) == Some(wanted))
            };
            let workspace = Kind::Entity("Workspace".to_owned());
            let (bool, long, datetime) = (Kind::Bool, Kind::Long, Kind::Datetime);
            let kinds =
                [datetime.clone(), Kind::Ip, datetime.clone(), bool, workspace, long.clone(), datetime, long];
            let mut found = [false; GIVEN.len()];
            for ((place, name), kind) in found.iter_mut().zip(GIVEN).zip(&kinds) {
                *place = has(name, kind);
            }
            let from_node = |name: &str| GIVEN.iter().zip(found).any(|(one, given)| *one == name && given);
            let needs = fields.iter().any(|field| field.required && !from_node(&field.name));
            let required = |name: &str| fields.iter().any(|field| field.required && field.name == name);
            let mut promised = found;
            for (place, name) in promised.iter_mut().zip(GIVEN) {
                *place &= required(name);
            }
            places.insert(names.uid(kind, id), Place { given: found, promised, needs });
        }
        let kind = names.word("kind");
        let rule = if record.lenient { FaultRule::Cedar } else { FaultRule::Strict };
        let mut policed =
            Self { program, shape, entities, rule, given, places, attributes, kind, unreadable, fresh: 0 };
        for (_, name) in root.entities.keys() {
            policed.put_entity(name, root);
        }
        policed.fresh = policed.size();
        policed
    }

    /// What the schema says.
    pub(crate) fn shape(&self) -> Arc<Shape> {
        Arc::clone(&self.shape)
    }

    /// How many policies there are.
    pub(crate) fn count(&self) -> usize {
        self.program.policies.count()
    }

    /// Whether there is anything to ask.
    pub(crate) fn rules(&self) -> bool {
        self.unreadable || self.program.policies.count() > 0
    }

    fn size(&self) -> usize {
        self.entities.size() + self.program.names.size()
    }

    /// Whether the table holds more of what is gone than of what there is.
    pub(crate) fn is_worn(&self) -> bool {
        self.size() > self.fresh.saturating_mul(2).saturating_add(WORN)
    }

    /// Takes over what is stored of an entity now.
    pub(crate) fn put_entity(&mut self, name: &EntityName, root: &Root) {
        let names = &mut self.program.names;
        let fact = root.entities.get(&key_of(name)).map(|record| Fact::decode(&record.fact));
        let Some(Ok(mut fact)) = fact else { return self.entities.remove(names, &name.kind, &name.id) };
        fact.ancestors = pairs(ancestors(name, &|name| stored_above(root, name)));
        self.entities.put(names, &name.kind, &name.id, &fact);
    }

    /// Takes over what lies above an entity now that is in the table already.
    pub(crate) fn move_entity(&mut self, name: &EntityName, root: &Root) {
        let above = ancestors(name, &|name| stored_above(root, name)).into_iter().flatten();
        let above = above.map(|above| (&*above.kind, &*above.id));
        self.entities.put_above(&mut self.program.names, (&name.kind, &name.id), above);
    }

    /// About how many bytes of memory the tables take.
    pub(crate) fn bytes(&self) -> usize {
        self.entities.size() * size_of::<Value>() + self.program.names.size() * 100
    }

    /// Takes over the declared attributes. COST: copies the tables only where policies speak of one that is new.
    pub(crate) fn declare(this: &mut Arc<Self>, root: &Root) {
        let attributes = spoken(&this.program.names, root);
        if attributes != this.attributes {
            Arc::make_mut(this).attributes = attributes;
        }
    }

    /// Describes who asks and where, and asks then: with what says the circumstances, and the moment at which time changes
    /// what was described.
    fn described<T>(
        &self,
        root: &Root,
        (asked, resource): (&Asked, Option<&str>),
        with: Option<&Circumstances>,
        now: UnixMillis,
        ask: impl FnOnce(&mut Request<'_>, Tell<'_>, (&mut Room, UnixMillis)) -> Option<T>,
    ) -> Option<T> {
        let subject = root.subjects.get(&asked.subject)?;
        let line = root.rules.line(asked.subject)?;
        let permission = root.rules.permission_name(asked.permission)?;
        let place = root.rules.workspace_name(asked.workspace);
        let here = place.map_or(("Tenant", TENANT), |name| ("Workspace", name.as_str()));
        let about = match resource {
            Some(text) => resource_of(text)?,
            None => here,
        };
        let mut id = IdText([0; 64], 0);
        write!(id, "{}", subject.id).ok()?;
        let refer = |(kind, id)| EntityRef { kind, id };
        let who = (refer(("User", id.as_str())), refer(("Action", permission.as_str())), refer(about));
        let mut kept: Box<(Desk, Room)> = DESK.take().unwrap_or_default();
        let (desk, room) = &mut *kept;
        let mut request = Request::begin(&self.program.names, who, std::mem::take(desk));
        let next = self.describe(&mut request, root, (asked, line, subject.kind), now);
        if asked.workspace.0 != 0 {
            let uid = request.uid(here.0, here.1);
            root.rules.each_above(asked.workspace, &mut |above| {
                if let Some(name) = root.rules.workspace_name(above) {
                    let above = request.uid("Workspace", name.as_str());
                    request.lies_in(above);
                }
            });
            let tenant = request.uid("Tenant", TENANT);
            request.lies_in(tenant);
            request.describe(uid);
        }
        let tell = |request: &mut Request<'_>| self.tell(request, asked, with, here, now);
        let answered = ask(&mut request, &tell, (room, next));
        // What is lent goes back, so that nothing is taken anew.
        *desk = request.end();
        DESK.set(Some(kept));
        answered
    }

    /// Asks about one action.
    fn ask<T>(
        &self,
        root: &Root,
        (asked, resource): (&Asked, Option<&str>),
        with: Option<&Circumstances>,
        now: UnixMillis,
        ask: impl FnOnce(&Request<'_>, FaultRule, &mut Room) -> T,
    ) -> Option<(T, UnixMillis)> {
        self.described(root, (asked, resource), with, now, |request, tell, (room, next)| {
            let rule = tell(request)?;
            let answered = ask(request, rule, room);
            taken(room.steps());
            Some((answered, if room.is_timed() { now } else { next }))
        })
    }

    /// Describes who asks; answers with the moment at which time changes that.
    fn describe(
        &self,
        request: &mut Request<'_>,
        root: &Root,
        (asked, line, kind): (&Asked, &tessera_policy::Line, SubjectKind),
        now: UnixMillis,
    ) -> UnixMillis {
        let uid = request.subject();
        let kind = request.word(kind.name());
        request.attribute(self.kind, Value::Text(kind));
        for (attribute, name) in &self.attributes {
            let Some(value) = root.rules.value_of(asked.subject, *attribute) else { continue };
            let value = match value {
                AttributeValue::Bool(value) => Value::Bool(*value),
                AttributeValue::Integer(value) => Value::Long(*value),
                AttributeValue::Text(text) => Value::Text(request.word(text)),
            };
            request.attribute(*name, value);
        }
        let next = root.rules.each_held(line, asked.workspace, (now, &asked.facts), &mut |held| {
            let (kind, name) = match held {
                HeldThing::Role(role) => ("Role", root.roles.get(&role).map(|record| &record.name)),
                HeldThing::Group(group) => ("Group", root.groups.get(&group).map(|record| &record.name)),
            };
            if let Some(name) = name {
                let uid = request.uid(kind, name.as_str());
                request.lies_in(uid);
            }
        });
        request.describe(uid);
        next
    }

    /// Says the circumstances: what was sent and what the node says. Answers with the rule about what fails: a question
    /// that lacks what the schema promises is judged strictly.
    fn tell(
        &self,
        request: &mut Request<'_>,
        asked: &Asked,
        with: Option<&Circumstances>,
        here: (&str, &str),
        now: UnixMillis,
    ) -> Option<FaultRule> {
        let all = [true; GIVEN.len()];
        let whole = Place { given: all, promised: [false; GIVEN.len()], needs: false };
        let place = self.places.get(&request.action()).copied().unwrap_or(whole);
        let millis = |at: UnixMillis| Value::Datetime(i64::try_from(at.0).unwrap_or(i64::MAX));
        let workspace = (asked.workspace.0 != 0).then(|| Value::Entity(request.uid(here.0, here.1)));
        let values = [
            Some(millis(now)),
            asked.facts.address.map(|address| Value::Ip(Ip::of(address))),
            asked.opened.map(|(opened, _)| millis(opened)),
            asked.opened.map(|(_, key)| Value::Bool(key)),
            workspace,
            (asked.opened.is_some() || asked.facts.acr > 0).then(|| Value::Long(i64::from(asked.facts.acr))),
            asked.facts.proven.map(millis),
            asked.facts.trust.map(|trust| Value::Long(i64::from(trust.number()))),
        ];
        let sent = with.map(|with| &with.context);
        let mut given = [(self.kind, Value::Bool(false)); GIVEN.len()];
        let (mut count, mut lacks) = (0, false);
        let facts = GIVEN.iter().zip(self.given).zip(values);
        for (((name, word), value), (wanted, promised)) in facts.zip(place.given.iter().zip(place.promised)) {
            let (wanted, other) = (*wanted, sent.is_some_and(|sent| sent.contains_key(*name)));
            lacks |= promised && value.is_none() && !other;
            if let (Some(value), true, Some(cell)) = (value, wanted && !other, given.get_mut(count)) {
                *cell = (word, value);
                count += 1;
            }
        }
        let nothing = BTreeMap::new();
        if !request.tell(sent.unwrap_or(&nothing), given.get(..count)?) {
            return None;
        }
        for sent in with.into_iter().flat_map(|with| &with.sent) {
            if !request.send(EntityRef { kind: &sent.kind, id: &sent.id }, &sent.fact) {
                return None;
            }
        }
        let told = with.is_some_and(|with| with.told);
        Some(if lacks || place.needs && !told { FaultRule::Strict } else { self.rule })
    }

    /// What the policies make of what roles and relations came to.
    #[cold]
    #[inline(never)]
    pub(crate) fn judge(
        &self,
        root: &Root,
        judged: Judged,
        (asked, resource): (&Asked, Option<&str>),
        with: Option<&Circumstances>,
        now: UnixMillis,
    ) -> Judged {
        if asked.permission.0 <= ENGINE_PERMISSIONS_MAX {
            return judged;
        }
        let permits = judged.reason == Reason::None;
        let open =
            matches!(judged.reason, Reason::DepthExceeded | Reason::BudgetExceeded | Reason::ResourceUnknown)
                || judged.reason.is_ungranted();
        if !permits && !open {
            return judged;
        }
        if self.unreadable {
            return Judged::deny(Reason::PolicyUnreadable);
        }
        let ruled = self.ask(root, (asked, resource), with, now, |request, rule, room| {
            self.ruling(permits, request, rule, room)
        });
        let Some((ruling, until)) = ruled else { return Judged::deny(Reason::ResourceUnknown) };
        let valid_until = if judged.valid_until.0 < until.0 { judged.valid_until } else { until };
        Judged { reason: reason_of(root, asked, judged.reason, ruling), valid_until }
    }

    /// What the policies say; only those that forbid are asked where something else permits already.
    fn ruling(&self, permits: bool, request: &Request<'_>, rule: FaultRule, room: &mut Room) -> Ruling {
        let (entities, policies) = (&self.entities, &self.program.policies);
        if permits {
            policies.forbids(entities, request, rule, room).unwrap_or(Ruling::Permit(u32::MAX))
        } else {
            policies.decide(entities, request, rule, room)
        }
    }

    /// Adds to a list of permissions what policies permit about the workspace itself, and takes out what they forbid;
    /// answers with the moment at which time changes that. COST: asks about every permission, of one who is described
    /// once, within one number of steps.
    ///
    /// # Errors
    /// `BudgetExceeded` when the steps do not suffice, and why nothing can be asked.
    pub(crate) fn list(
        &self,
        root: &Root,
        asked: &Asked,
        words: &mut Vec<u64>,
        now: UnixMillis,
    ) -> Result<UnixMillis, Reason> {
        let own = root.permissions.keys().copied().filter(|id| *id > ENGINE_PERMISSIONS_MAX);
        let own: Vec<u32> = own.collect();
        let Some(first) = own.first() else { return Ok(UnixMillis(u64::MAX)) };
        if self.unreadable {
            return Err(Reason::PolicyUnreadable);
        }
        let at_first = Asked { permission: PermissionId(*first), ..*asked };
        let listed = self.described(root, (&at_first, None), None, now, |request, tell, (room, next)| {
            let (mut until, mut left) = (next, LIST_STEPS_MAX);
            for id in own {
                let Some(name) = root.rules.permission_name(PermissionId(id)) else { continue };
                request.turn_to("Action", name.as_str());
                let (word, bit) = (id as usize / 64, 1_u64 << (id % 64));
                let held = words.get(word).is_some_and(|held| held & bit != 0);
                let rule = tell(request)?;
                let ruling = self.ruling(held, request, rule, room);
                taken(room.steps());
                let Some(rest) = left.checked_sub(room.steps()) else {
                    return Some(Err(Reason::BudgetExceeded));
                };
                left = rest;
                if room.is_timed() {
                    until = now;
                }
                let asked = Asked { permission: PermissionId(id), ..*asked };
                let before = if held { Reason::None } else { Reason::NotGranted };
                let reason = reason_of(root, &asked, before, ruling);
                if words.len() <= word {
                    words.resize(word + 1, 0);
                }
                if let Some(place) = words.get_mut(word) {
                    *place = if reason == Reason::None { *place | bit } else { *place & !bit };
                }
            }
            Some(Ok(until))
        });
        listed.unwrap_or(Err(Reason::ResourceUnknown))
    }

    /// Every policy that applies or fails: its name, whether it forbids, and what it says.
    pub(crate) fn said(
        &self,
        root: &Root,
        of: (&Asked, Option<&str>),
        with: Option<&Circumstances>,
        now: UnixMillis,
    ) -> Vec<(String, bool, Outcome)> {
        let (entities, policies) = (&self.entities, &self.program.policies);
        let found = self.ask(root, of, with, now, |request, _, room| policies.all(entities, request, room));
        let forbids = |at: u32| policies.effect(at) == tessera_program::Effect::Forbid;
        let found = found.map(|(found, _)| found).unwrap_or_default().into_iter();
        found.map(|(at, outcome)| (policies.name(at).to_owned(), forbids(at), outcome)).collect()
    }
}

/// What a ruling makes of what was said before it.
fn reason_of(root: &Root, asked: &Asked, before: Reason, ruling: Ruling) -> Reason {
    match ruling {
        Ruling::Permit(_) if before == Reason::None => Reason::None,
        Ruling::Permit(_) => {
            root.rules.cut(asked.restriction, asked.permission, asked.workspace).unwrap_or(Reason::None)
        }
        Ruling::NoPermit => before,
        Ruling::Forbidden(_) => Reason::PolicyForbids,
        Ruling::Failed(..) => Reason::PolicyFailed,
    }
}
