//! A tenant that is written down beside the engine, and a slow, obvious reading of who sees whom in it.

use crate::support::{House, Tenant, key};
use std::collections::BTreeSet;
use tessera_engine::Bound;
use tessera_model::limits::CREATORS_DEPTH_MAX;
use tessera_model::record::SubjectKind;
use tessera_model::visibility::{Circle, Detail, Details, Reach, VisibilityDraft, VisibilityRule};
use tessera_model::{Command, Deadline, Name, Pattern, Private, PublicId, SubjectIndex, UnixMillis};

pub(crate) const NONE: Deadline = Deadline::NONE;
pub(crate) const SUBJECTS: &str = "tessera.admin.subjects";

/// The roles of every world, and the permission that each gives by itself.
pub(crate) const ROLES: [(&str, &str); 5] = [
    ("reader", tessera_engine::PEOPLE),
    ("lead", tessera_engine::PEOPLE),
    ("maker", SUBJECTS),
    ("plain", "orders.read"),
    ("chief", SUBJECTS),
];
pub(crate) const GROUPS: usize = 4;
pub(crate) const WORKSPACES: usize = 5;
/// The attribute that rules show by name.
pub(crate) const TITLE: &str = "title";

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// The same numbers for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x0123_4567_89AB_CDEF)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("small")
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

type Window = (Deadline, Deadline);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holder {
    Subject(usize),
    Group(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    holder: Holder,
    role: usize,
    /// Where; none for the whole tenant.
    place: Option<usize>,
    window: Window,
}

pub(crate) struct Subject {
    pub(crate) id: PublicId,
    pub(crate) index: SubjectIndex,
    pub(crate) bound: Bound,
    handle: tessera_model::Handle,
    /// Who made it; none for the tenant's admin, who is nobody of these.
    creator: Option<usize>,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) subjects: Vec<Subject>,
    /// The workspaces: what each lies in, and whether it takes what is above.
    places: Vec<(Option<usize>, bool)>,
    /// The roles that each has for parents.
    parents: Vec<Vec<usize>>,
    /// What lies in what: outer, inner.
    nested: Vec<(usize, usize)>,
    members: Vec<(usize, usize, Window)>,
    grants: Vec<Grant>,
    pub(crate) rules: Vec<(Option<usize>, Reach, Details, bool)>,
}

/// What a rule shows, and where its role is held, unless it is in the whole tenant.
type Limit = (Reach, Details, bool, Option<Vec<usize>>);

/// What somebody sees of somebody else.
pub(crate) type Shown = (BTreeSet<&'static str>, bool);

fn is_open((from, until): Window, now: UnixMillis) -> bool {
    (from == NONE || from.passed(now)) && (until == NONE || !until.passed(now))
}

impl World {
    pub(crate) fn random_window(dice: &mut Dice, now: UnixMillis) -> Window {
        let at = |seconds: u32| now.to_deadline().plus_seconds(seconds);
        match dice.below(6) {
            0 => (NONE, at(50)),
            1 => (at(50), NONE),
            2 => (NONE, at(500)),
            _ => (NONE, NONE),
        }
    }

    /// Makes a world: its subjects, one after another, and what they hold.
    pub(crate) async fn build(house: &House, tenant: &Tenant, dice: &mut Dice) -> Self {
        let mut world = Self { parents: vec![Vec::new(); ROLES.len()], ..Self::default() };
        for (role, gives) in ROLES {
            house.role(tenant, role, &[gives]).await;
        }
        // Before there are walls, behind which nobody makes keys for others.
        for _ in 0..8 {
            world.another_subject(house, tenant, dice).await;
        }
        for at in 0..WORKSPACES {
            let parent = if at == 0 || dice.one_in(4) { None } else { Some(dice.below(at)) };
            let inherits = !dice.one_in(4);
            let command = Command::CreateWorkspace {
                name: name(&format!("w{at}")),
                parent: parent.map(|at| name(&format!("w{at}"))),
                inherits,
            };
            house.submit(&tenant.admin, command).await;
            world.places.push((parent, inherits));
        }
        for at in 0..GROUPS {
            let command = Command::CreateGroup { name: name(&format!("g{at}")), rule: Vec::new() };
            house.submit(&tenant.admin, command).await;
        }
        for _ in 0..40 {
            world.change(house, tenant, dice).await;
        }
        world
    }

    async fn another_subject(&mut self, house: &House, tenant: &Tenant, dice: &mut Dice) {
        let creator = (!self.subjects.is_empty() && !dice.one_in(3)).then(|| dice.below(self.subjects.len()));
        let creator = creator.filter(|at| self.may(*at, SUBJECTS, house.engine.now()));
        let by = creator.map_or(&tenant.admin, |at| &self.subjects[at].bound);
        let command = Command::CreateSubject {
            kind: SubjectKind::Machine,
            identifiers: Vec::new(),
            password: Private::default(),
        };
        let made = house.submit(by, command).await.made;
        let (id, index) = (made.subject.expect("an id"), SubjectIndex(made.number.expect("an index")));
        let expires = house.engine.now().plus_seconds(300 * 86_400).to_deadline();
        let all = vec![Pattern::new("tessera.*").expect("a pattern")];
        let made = house.submit(&tenant.admin, key(id, all, expires, Private::default())).await.made;
        let handle = made.handle.expect("a key");
        let bound = house.bind(&handle).await;
        self.subjects.push(Subject { id, index, bound, handle, creator });
        if dice.one_in(2) {
            let holder = Holder::Subject(self.subjects.len() - 1);
            self.put(house, tenant, Grant { holder, role: 2, place: None, window: (NONE, NONE) }).await;
        }
    }

    /// Binds everybody anew, to another life of the house.
    pub(crate) async fn bind(&mut self, house: &House) {
        for subject in &mut self.subjects {
            subject.bound = house.bind(&subject.handle).await;
        }
    }

    /// One change of what there is, by the tenant's admin.
    pub(crate) async fn change(&mut self, house: &House, tenant: &Tenant, dice: &mut Dice) {
        let now = house.engine.now();
        let admin = &tenant.admin;
        match dice.below(12) {
            0..=4 => self.grant(house, tenant, dice).await,
            5 | 6 => {
                let (group, subject) = (dice.below(GROUPS), dice.below(self.subjects.len()));
                let window = Self::random_window(dice, now);
                let id = self.subjects[subject].id;
                let (from, until) = window;
                let command =
                    Command::AddMember { group: name(&format!("g{group}")), subject: id, from, until };
                house.submit(admin, command).await;
                self.members.retain(|(at, of, _)| (*at, *of) != (group, subject));
                self.members.push((group, subject, window));
            }
            7 if !self.members.is_empty() => {
                let (group, subject, _) = self.members.swap_remove(dice.below(self.members.len()));
                let subject = self.subjects[subject].id;
                let command = Command::RemoveMember { group: name(&format!("g{group}")), subject };
                house.submit(admin, command).await;
            }
            8 => {
                // The outer one has the smaller number: no circles.
                let inner = 1 + dice.below(GROUPS - 1);
                let outer = dice.below(inner);
                let (group, member) = (name(&format!("g{outer}")), name(&format!("g{inner}")));
                if self.nested.contains(&(outer, inner)) {
                    self.nested.retain(|pair| *pair != (outer, inner));
                    house.submit(admin, Command::RemoveSubgroup { group, member }).await;
                } else {
                    self.nested.push((outer, inner));
                    house
                        .submit(
                            admin,
                            Command::AddSubgroup {
                                group,
                                member,
                                from: Deadline::NONE,
                                until: Deadline::NONE,
                            },
                        )
                        .await;
                }
            }
            9 if !self.grants.is_empty() => {
                let grant = self.grants.swap_remove(dice.below(self.grants.len()));
                let (role, workspace) =
                    (name(ROLES[grant.role].0), grant.place.map(|at| name(&format!("w{at}"))));
                let command = match grant.holder {
                    Holder::Subject(at) => {
                        Command::Ungrant { subject: self.subjects[at].id, role, workspace }
                    }
                    Holder::Group(at) => {
                        Command::UngrantGroup { group: name(&format!("g{at}")), role, workspace }
                    }
                };
                house.submit(admin, command).await;
            }
            10 => {
                // A parent has the smaller number: no circles.
                let role = 1 + dice.below(ROLES.len() - 1);
                let parents: Vec<usize> = (0..role).filter(|_| dice.one_in(4)).collect();
                let names = parents.iter().map(|at| name(ROLES[*at].0)).collect();
                let command = Command::SetRoleParents { name: name(ROLES[role].0), parents: names };
                house.submit(admin, command).await;
                self.parents[role] = parents;
            }
            11 => {
                let at = 1 + dice.below(WORKSPACES - 1);
                let (parent, inherits) =
                    (if dice.one_in(4) { None } else { Some(dice.below(at)) }, !dice.one_in(4));
                let command = Command::MoveWorkspace {
                    name: name(&format!("w{at}")),
                    parent: parent.map(|at| name(&format!("w{at}"))),
                    inherits,
                };
                house.submit(admin, command).await;
                self.places[at] = (parent, inherits);
            }
            _ => {}
        }
    }

    async fn grant(&mut self, house: &House, tenant: &Tenant, dice: &mut Dice) {
        let window = Self::random_window(dice, house.engine.now());
        let (role, place) = (dice.below(ROLES.len()), (!dice.one_in(3)).then(|| dice.below(WORKSPACES)));
        let holder = if dice.one_in(4) {
            Holder::Group(dice.below(GROUPS))
        } else {
            Holder::Subject(dice.below(self.subjects.len()))
        };
        self.put(house, tenant, Grant { holder, role, place, window }).await;
    }

    async fn put(&mut self, house: &House, tenant: &Tenant, grant: Grant) {
        let Grant { holder, role, place, window: (from, until) } = grant;
        let (named, workspace) = (name(ROLES[role].0), place.map(|at| name(&format!("w{at}"))));
        let command = match holder {
            Holder::Subject(at) => {
                Command::Grant { subject: self.subjects[at].id, role: named, workspace, from, until }
            }
            Holder::Group(at) => {
                Command::GrantGroup { group: name(&format!("g{at}")), role: named, workspace, from, until }
            }
        };
        house.submit(&tenant.admin, command).await;
        self.grants.retain(|one| (one.holder, one.role, one.place) != (holder, role, place));
        self.grants.push(grant);
    }

    /// Sets other rules.
    pub(crate) async fn rule(&mut self, house: &House, tenant: &Tenant, dice: &mut Dice) {
        self.rules.clear();
        let whose = (0..ROLES.len()).map(Some).chain([None]);
        for role in whose.filter(|_| !dice.one_in(2)).collect::<Vec<_>>() {
            let reach: Reach = Circle::ALL
                .iter()
                .copied()
                .filter(|one| match one {
                    Circle::Everybody => dice.one_in(8),
                    Circle::Workspace | Circle::Group | Circle::Created => dice.one_in(2),
                })
                .collect();
            let details = Detail::ALL.iter().copied().filter(|_| dice.one_in(2)).collect();
            self.rules.push((role, reach, details, dice.one_in(2)));
        }
        let rules = self.rules.iter().map(|(role, reach, details, title)| VisibilityRule {
            role: role.map(|at| name(ROLES[at].0)),
            reach: *reach,
            details: *details,
            attributes: title.then(|| name(TITLE)).into_iter().collect(),
        });
        let draft = VisibilityDraft { rules: rules.collect(), expected: None };
        house.submit(&tenant.admin, Command::SetVisibility { draft }).await;
    }

    // From here on: who sees whom, read from what was written down.

    fn lies_in(&self, outer: usize, inner: usize) -> bool {
        outer == inner
            || self.nested.iter().any(|(out, within)| *out == outer && self.lies_in(*within, inner))
    }

    fn is_in(&self, group: usize, subject: usize, now: UnixMillis) -> bool {
        let own = |of: &&(usize, usize, Window)| of.1 == subject && is_open(of.2, now);
        self.members.iter().filter(own).any(|(at, ..)| self.lies_in(group, *at))
    }

    fn holds(&self, subject: usize, role: usize, place: Option<usize>, now: UnixMillis) -> bool {
        self.grants.iter().any(|grant| {
            let held = match grant.holder {
                Holder::Subject(at) => at == subject,
                Holder::Group(at) => self.is_in(at, subject, now),
            };
            held && (grant.role, grant.place) == (role, place) && is_open(grant.window, now)
        })
    }

    /// Whether a role is another one, or has it above it.
    fn includes(&self, role: usize, other: usize) -> bool {
        role == other || self.parents[role].iter().any(|parent| self.includes(*parent, other))
    }

    fn has_role(&self, subject: usize, role: usize, now: UnixMillis) -> bool {
        (0..ROLES.len()).any(|held| self.holds(subject, held, None, now) && self.includes(held, role))
    }

    pub(crate) fn may(&self, subject: usize, permission: &str, now: UnixMillis) -> bool {
        (0..ROLES.len()).any(|role| ROLES[role].1 == permission && self.has_role(subject, role, now))
    }

    /// Whether something that is granted in a workspace holds in another one.
    fn reaches(&self, from: usize, to: usize) -> bool {
        from == to || matches!(self.places[to], (Some(parent), true) if self.reaches(from, parent))
    }

    fn works_in(&self, subject: usize, place: usize, now: UnixMillis) -> bool {
        let from = (0..WORKSPACES).filter(|from| self.reaches(*from, place)).collect::<Vec<_>>();
        from.iter().any(|from| (0..ROLES.len()).any(|role| self.holds(subject, role, Some(*from), now)))
    }

    fn made(&self, viewer: usize, subject: usize) -> bool {
        let (mut at, mut left) = (subject, CREATORS_DEPTH_MAX);
        while let Some(by) = self.subjects[at].creator.filter(|_| left > 0) {
            if by == viewer {
                return true;
            }
            (at, left) = (by, left - 1);
        }
        false
    }

    pub(crate) fn meets(&self, circle: Circle, viewer: usize, subject: usize, now: UnixMillis) -> bool {
        match circle {
            Circle::Everybody => true,
            Circle::Workspace => (0..WORKSPACES)
                .any(|place| self.works_in(viewer, place, now) && self.works_in(subject, place, now)),
            Circle::Group => {
                (0..GROUPS).any(|group| self.is_in(group, viewer, now) && self.is_in(group, subject, now))
            }
            Circle::Created => self.made(viewer, subject),
        }
    }

    /// The workspaces in which somebody holds a role, or one that has it above it.
    fn places_of(&self, subject: usize, role: usize, now: UnixMillis) -> Vec<usize> {
        let by = |held: usize, place: usize| {
            self.holds(subject, held, Some(place), now) && self.includes(held, role)
        };
        (0..WORKSPACES).filter(|place| (0..ROLES.len()).any(|held| by(held, *place))).collect()
    }

    /// Whether somebody may read people: in the whole tenant, or in a workspace.
    pub(crate) fn reads_people(&self, subject: usize, now: UnixMillis) -> bool {
        let gives = |role: &usize| ROLES[*role].1 == tessera_engine::PEOPLE;
        let by =
            |role: usize| self.has_role(subject, role, now) || !self.places_of(subject, role, now).is_empty();
        (0..ROLES.len()).filter(gives).any(by)
    }

    /// The rules that hold for a viewer, each with the workspaces that its role is held in, where it is not in the whole
    /// tenant; none where nothing limits it.
    fn limits(&self, viewer: usize, now: UnixMillis) -> Option<Vec<Limit>> {
        let admin = self.may(viewer, SUBJECTS, now);
        if self.rules.is_empty() {
            return (!admin).then(Vec::new);
        }
        let named = |role: usize| self.rules.iter().any(|rule| rule.0 == Some(role));
        let gives = |role: usize| ROLES[role].1 == SUBJECTS && self.has_role(viewer, role, now);
        if (0..ROLES.len()).any(|role| gives(role) && !named(role)) {
            return None;
        }
        let any_named = (0..ROLES.len()).any(|role| named(role) && self.has_role(viewer, role, now));
        let holds = |whose: Option<usize>| match whose {
            Some(role) => self.has_role(viewer, role, now),
            None => !any_named,
        };
        let mine = self.rules.iter().filter_map(|(whose, reach, details, title)| {
            let places = match whose {
                _ if holds(*whose) => None,
                Some(role) => Some(self.places_of(viewer, *role, now)).filter(|places| !places.is_empty()),
                None => return None,
            };
            (holds(*whose) || places.is_some()).then_some((*reach, *details, *title, places))
        });
        Some(mine.collect())
    }

    /// What a viewer is shown of a subject; none where it does not see it.
    pub(crate) fn shown(&self, viewer: usize, subject: usize, now: UnixMillis) -> Option<Shown> {
        let all = || (Detail::NAMES.iter().copied().collect(), true);
        let Some(rules) = self.limits(viewer, now) else { return Some(all()) };
        if viewer == subject {
            return Some(all());
        }
        let (mut seen, mut shown, mut title) = (false, BTreeSet::new(), false);
        for (reach, details, named, places) in rules {
            let there = |from: &usize| {
                (0..WORKSPACES).any(|at| self.reaches(*from, at) && self.works_in(subject, at, now))
            };
            if reach.each().any(|circle| self.meets(circle, viewer, subject, now))
                && places.is_none_or(|places| places.iter().any(there))
            {
                seen = true;
                shown.extend(details.names());
                title |= named || details.has(Detail::Attributes);
            }
        }
        seen.then_some((shown, title))
    }
}
