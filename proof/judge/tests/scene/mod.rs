//! Random worlds, written into the slow one and into the engine's rules alike.

#![allow(dead_code, clippy::allow_attributes, reason = "each test uses its own part of the scene")]

mod conditions;
mod devices;
mod groups;
pub(crate) mod tally;

use std::collections::BTreeSet;
use tessera_judge::{Holder, Place, Question, Role, Window, World};
use tessera_model::limits::ENGINE_PERMISSIONS_MAX;
use tessera_model::record::{
    AttributeValue, GrantRecord, GroupGrantRecord, MemberRecord, RestrictionRecord, RoleRecord,
    SubjectStatus, WorkspaceRecord,
};
use tessera_model::{
    GroupId, Name, Pattern, PermissionId, PublicId, RestrictionId, RoleId, SubjectIndex, WorkspaceIndex,
};
use tessera_policy::Rules;

const SUBJECTS: u32 = 3;
const ATTRIBUTES: u32 = 3;
const VALUES: [&str; 4] = ["a", "b", "ab", "c"];
const NAMES: [&str; 10] =
    ["a.read", "a.write", "a.b.read", "a.b.write", "b.read", "b.write", "c.read", "c.write", "c.delete", "d"];
const PATTERNS: [&str; 12] =
    ["a.read", "a.write", "a.*", "a.b.*", "b.read", "b.write", "b*", "c.read", "c.write", "c.*", "d", "none"];
/// What deadlines on disk count from, s since 1970 (2020-01-01).
const DEADLINES_S: u64 = 1_577_836_800;
/// Between two instants at which something may change, s.
const TICK_S: u32 = 1_800;
const OWN_UP_TO: u32 = 5;
const DEVICES: u32 = 3;
const LAST_TICK: u32 = 24;

/// Numbers from a seed (SplitMix64).
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) % u64::from(limit)).unwrap()
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(u32::try_from(among.len()).unwrap()) as usize].clone()
    }

    fn one_in(&mut self, chances: u32) -> bool {
        self.below(chances) == 0
    }
}

/// The engine's number of a permission: those up to 5 are power over the tenant itself, the others are not.
pub(crate) const fn numbered(id: u32) -> PermissionId {
    PermissionId(ENGINE_PERMISSIONS_MAX - OWN_UP_TO + id)
}

/// The same tenant twice.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) rules: Rules,
    random: Seeded,
    /// Whether most grants have conditions.
    conditioned: bool,
    /// The next number of a role, group, workspace and restriction: none is used twice.
    next: [u32; 4],
}

impl Scene {
    /// A random tenant whose grants have no conditions.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, false)
    }

    /// A random tenant, most of whose grants have conditions.
    pub(crate) fn conditioned(seed: u64) -> Self {
        Self::with(seed, true)
    }

    fn with(seed: u64, conditioned: bool) -> Self {
        let (world, rules, random) = (World::default(), Rules::new(), Seeded::new(seed));
        let mut scene = Self { world, rules, random, conditioned, next: [1; 4] };
        scene.world.begins_s = conditions::begins(seed);
        for subject in 1..=SUBJECTS {
            scene.rules.put_subject(SubjectIndex(subject), SubjectStatus::Active, 0);
        }
        for id in 1..=8 {
            scene.register(id);
        }
        for _ in 0..7 {
            scene.put_role();
            scene.put_group();
            scene.put_workspace();
        }
        scene.world.own_up_to = OWN_UP_TO;
        scene.put_restriction();
        scene.put_restriction();
        for _ in 0..8 {
            scene.put_device();
        }
        for _ in 0..22 {
            scene.put_grant();
            scene.put_member();
        }
        for _ in 0..4 {
            scene.put_grant();
        }
        for _ in 0..10 {
            scene.put_value();
        }
        if scene.random.one_in(5) {
            scene.turn_guest();
        }
        scene
    }

    /// Changes one thing in both.
    pub(crate) fn edit(&mut self) {
        match self.random.below(if self.conditioned { 43 } else { 35 }) {
            0 => {
                let id = 1 + self.random.below(10);
                self.register(id);
            }
            1..=3 => self.put_role(),
            4 => self.remove_role(),
            5..=7 => self.put_group(),
            8 => self.remove_group(),
            9..=11 => self.put_workspace(),
            12 => self.remove_workspace(),
            13 => self.put_restriction(),
            14..=17 => self.put_grant(),
            18 | 19 => self.remove_grant(),
            20..=23 => self.put_member(),
            24..=26 => self.put_value(),
            27 | 28 => self.change_rule(),
            29..=31 => self.put_device(),
            32 | 33 => self.remove_member(),
            34 => self.turn_guest(),
            _ => self.put_conditions(),
        }
    }

    /// A question, more often about something that there is than not.
    pub(crate) fn question(&mut self) -> Question {
        let mut places: Vec<u32> = self.world.workspaces.keys().copied().collect();
        places.extend([0, 0, 0, self.next[2]]);
        let restrictions: Vec<u32> = self.world.restrictions.keys().copied().collect();
        // One thing at a time, mostly: what cuts twice decides nothing.
        let cut = self.random.below(13);
        let restricted = cut < 2 || self.random.one_in(12);
        let asked = Question {
            subject: 1 + self.random.below(SUBJECTS),
            permission: 1 + self.random.below(9),
            workspace: self.random.pick(&places),
            restriction: if restricted && !restrictions.is_empty() {
                self.random.pick(&restrictions)
            } else {
                0
            },
            device: if matches!(cut, 2..=5) { 1 + self.random.below(DEVICES) } else { 0 },
            actor: if matches!(cut, 6..=8) { 1 + self.random.below(SUBJECTS) } else { 0 },
            actor_restriction: if self.random.one_in(4) && !restrictions.is_empty() {
                self.random.pick(&restrictions)
            } else {
                0
            },
            network: 0,
            trust: None,
            acr: 0,
            proven: None,
            at_ms: u64::from(self.random.below(LAST_TICK)) * u64::from(TICK_S) * 1_000
                + u64::from(self.random.pick(&[0_u32, 1, TICK_S * 500, TICK_S * 1_000 - 1])),
        };
        if !self.conditioned {
            return asked;
        }
        // What cuts beside conditions is asked about elsewhere.
        let asked = if self.random.one_in(4) {
            asked
        } else {
            Question { restriction: 0, device: 0, actor: 0, ..asked }
        };
        let (subject, workspace) = self.asked_about((asked.subject, asked.workspace));
        Question {
            subject,
            workspace,
            network: self.random.below(4),
            trust: self.random.one_in(2).then(|| self.random.below(4)),
            acr: self.random.below(4),
            proven: (!self.random.one_in(4)).then(|| self.random.below(LAST_TICK) * TICK_S),
            ..asked
        }
    }

    /// What the engine says: whether it is permitted, and when time alone changes that (ms).
    pub(crate) fn engine(&self, asked: &Question) -> (bool, u64) {
        let line = self.rules.line(SubjectIndex(asked.subject)).unwrap();
        let (now, facts) = (self.now(asked), self.facts(asked));
        let (permission, place) = (numbered(asked.permission), WorkspaceIndex(asked.workspace));
        let restriction = RestrictionId(asked.restriction);
        let found = self.rules.evaluate_under(line, permission, place, restriction, (now, Some(&facts)));
        let outcome = self.rules.cut_within(found, permission, &self.within(asked), now);
        (outcome.is_permit(), outcome.valid_until.0.saturating_sub(self.beginning_ms()))
    }

    /// Whether the engine's list of all permissions there names this one.
    pub(crate) fn listed(&self, asked: &Question) -> bool {
        let line = self.rules.line(SubjectIndex(asked.subject)).unwrap();
        let mut listed = vec![];
        let (place, restriction) = (WorkspaceIndex(asked.workspace), RestrictionId(asked.restriction));
        let (now, facts) = (self.now(asked), self.facts(asked));
        let until = self.rules.list_under(line, place, restriction, (now, Some(&facts)), &mut listed);
        self.rules.list_within(until, &self.within(asked), now, &mut listed);
        let PermissionId(id) = numbered(asked.permission);
        listed.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// The last instant that the slow answer is looked for at, ms.
    pub(crate) const HORIZON_MS: u64 = (LAST_TICK as u64 + 2) * TICK_S as u64 * 1_000;

    /// When time alone changes the slow answer, found by trying every instant at which it may, up to the horizon.
    pub(crate) fn change(&self, asked: &Question) -> Option<u64> {
        let now = self.world.permits(asked, None);
        let mut instants = (0..=u64::from(LAST_TICK) + 2).map(|tick| tick * u64::from(TICK_S) * 1_000);
        instants.find(|at_ms| {
            *at_ms > asked.at_ms && self.world.permits(&Question { at_ms: *at_ms, ..*asked }, None) != now
        })
    }

    fn window(&mut self) -> Window {
        let mut second = |chances: u32| match self.random.below(chances) {
            0 => Some((1 + self.random.below(LAST_TICK)) * TICK_S),
            _ => None,
        };
        match second(2) {
            None => Window::default(),
            limited => {
                let other = second(2);
                if self.random.one_in(2) {
                    Window { from: limited, until: other }
                } else {
                    Window { from: other, until: limited }
                }
            }
        }
    }

    fn register(&mut self, id: u32) {
        let name = NAMES[id as usize - 1];
        self.rules.put_permission(numbered(id), &Name::new(name).unwrap());
        self.world.permissions.insert(id, name.to_owned());
    }

    fn patterns(&mut self) -> Vec<String> {
        (0..1 + self.random.below(2)).map(|_| self.random.pick(&PATTERNS).to_owned()).collect()
    }

    /// A number: a known one, or the next one.
    fn number(&mut self, kind: usize, known: &[u32], most: usize) -> u32 {
        if known.len() < 4 || known.len() < most && self.random.one_in(2) {
            self.next[kind] += 1;
            self.next[kind] - 1
        } else {
            self.random.pick(known)
        }
    }

    fn put_role(&mut self) {
        let known: Vec<u32> = self.world.roles.keys().copied().collect();
        let id = self.number(0, &known, 8);
        let mut parents = BTreeSet::new();
        for _ in 0..self.random.below(3) {
            if let Some(parent) = (!known.is_empty()).then(|| self.random.pick(&known))
                && !self.role_reaches(parent, id)
            {
                parents.insert(parent);
            }
        }
        let role = Role { patterns: self.patterns(), parents };
        self.rules.put_role(&RoleRecord {
            id: RoleId(id),
            name: Name::new(&format!("role{id}")).unwrap(),
            patterns: role.patterns.iter().map(|text| Pattern::new(text).unwrap()).collect(),
            parents: role.parents.iter().copied().map(RoleId).collect(),
            workspace: WorkspaceIndex(0),
        });
        self.world.roles.insert(id, role);
    }

    fn role_reaches(&self, from: u32, to: u32) -> bool {
        from == to
            || self
                .world
                .roles
                .get(&from)
                .is_some_and(|role| role.parents.iter().any(|parent| self.role_reaches(*parent, to)))
    }

    fn remove_role(&mut self) {
        let known: Vec<u32> = self.world.roles.keys().copied().collect();
        let id = self.random.pick(&known);
        self.rules.remove_role(RoleId(id));
        self.world.roles.remove(&id);
        self.world.grants.retain(|(_, role, _), _| *role != id);
        self.world.under.retain(|(_, role, _), _| *role != id);
    }

    fn put_workspace(&mut self) {
        let known: Vec<u32> = self.world.workspaces.keys().copied().collect();
        let index = self.number(2, &known, 9);
        let parent = match self.random.below(4) {
            0 => 0,
            1 if !known.is_empty() => self.random.pick(&known),
            _ => known.last().copied().unwrap_or(0),
        };
        if self.place_reaches(parent, index) {
            return;
        }
        let ceiling = if self.random.one_in(8) { self.patterns() } else { vec![] };
        let place = Place { parent, inherits: !self.random.one_in(4), ceiling };
        self.rules.put_workspace(&WorkspaceRecord {
            index: WorkspaceIndex(index),
            id: PublicId::default(),
            name: Name::new(&format!("place{index}")).unwrap(),
            parent: WorkspaceIndex(parent),
            inherits: place.inherits,
            ceiling: place.ceiling.iter().map(|text| Pattern::new(text).unwrap()).collect(),
            owners: RoleId(0),
            personal: SubjectIndex(0),
        });
        self.world.workspaces.insert(index, place);
    }

    fn place_reaches(&self, from: u32, to: u32) -> bool {
        from == to || self.world.workspaces.get(&from).is_some_and(|at| self.place_reaches(at.parent, to))
    }

    fn remove_workspace(&mut self) {
        let leaf = |at: &&u32| !self.world.workspaces.values().any(|place| place.parent == **at);
        let leaves: Vec<u32> = self.world.workspaces.keys().filter(leaf).copied().collect();
        let index = self.random.pick(&leaves);
        self.rules.remove_workspace(WorkspaceIndex(index));
        self.world.workspaces.remove(&index);
        self.world.grants.retain(|(_, _, place), _| *place != index);
        self.world.under.retain(|(_, _, place), _| *place != index);
    }

    fn put_restriction(&mut self) {
        let known: Vec<u32> = self.world.restrictions.keys().copied().collect();
        if known.len() >= 3 {
            let id = self.random.pick(&known);
            self.rules.remove_restriction(RestrictionId(id));
            self.world.restrictions.remove(&id);
            return;
        }
        let id = self.next[3];
        self.next[3] += 1;
        let mask = self.patterns();
        let patterns = mask.iter().map(|text| Pattern::new(text).unwrap()).collect();
        self.rules.put_restriction(&RestrictionRecord { id: RestrictionId(id), patterns });
        self.world.restrictions.insert(id, mask);
    }

    fn put_grant(&mut self) {
        let roles: Vec<u32> = self.world.roles.keys().copied().collect();
        let groups: Vec<u32> = self.world.groups.keys().copied().collect();
        let mut places: Vec<u32> = self.world.workspaces.keys().copied().collect();
        places.extend([0, 0, 0]);
        if roles.is_empty() {
            return;
        }
        let (role, place, window) = (self.random.pick(&roles), self.random.pick(&places), self.window());
        let (from, until) = (self.deadline(window.from), self.deadline(window.until));
        let holder = if groups.is_empty() || self.random.one_in(4) {
            Holder::Subject(1 + self.random.below(SUBJECTS))
        } else {
            Holder::Group(self.random.pick(&groups))
        };
        let (role_id, workspace) = (RoleId(role), WorkspaceIndex(place));
        match holder {
            Holder::Subject(subject) => self.rules.put_grant(&GrantRecord {
                subject: SubjectIndex(subject),
                role: role_id,
                workspace,
                from,
                until,
            }),
            Holder::Group(group) => self.rules.put_group_grant(&GroupGrantRecord {
                group: GroupId(group),
                role: role_id,
                workspace,
                from,
                until,
            }),
        }
        self.world.grants.insert((holder, role, place), window);
        if self.conditioned && !self.random.one_in(5) {
            self.put_conditions_of((holder, role, place));
        }
    }

    fn remove_grant(&mut self) {
        let known: Vec<_> = self.world.grants.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let key @ (holder, role, place) = self.random.pick(&known);
        let (role, place) = (RoleId(role), WorkspaceIndex(place));
        match holder {
            Holder::Subject(subject) => self.rules.remove_grant(SubjectIndex(subject), role, place),
            Holder::Group(group) => self.rules.remove_group_grant(GroupId(group), role, place),
        }
        self.world.grants.remove(&key);
        self.world.under.remove(&key);
    }

    /// Everything in reverse order into empty rules, as a load might bring it: what names comes before what is
    /// named.
    pub(crate) fn loaded(&self) -> Rules {
        let mut rules = Rules::new();
        let world = &self.world;
        for ((holder, role, place), window) in world.grants.iter().rev() {
            let (role, workspace) = (RoleId(*role), WorkspaceIndex(*place));
            let (from, until) = (self.deadline(window.from), self.deadline(window.until));
            let key = (*holder, role.0, *place);
            // Conditions before their grants, or behind them.
            let early = role.0.is_multiple_of(2);
            if early {
                self.load_conditions(&mut rules, key);
            }
            match holder {
                Holder::Subject(subject) => {
                    let subject = SubjectIndex(*subject);
                    rules.put_grant(&GrantRecord { subject, role, workspace, from, until });
                }
                Holder::Group(group) => {
                    let group = GroupId(*group);
                    rules.put_group_grant(&GroupGrantRecord { group, role, workspace, from, until });
                }
            }
            if !early {
                self.load_conditions(&mut rules, key);
            }
        }
        for ((subject, group), window) in world.members.iter().rev() {
            let (from, until) = (self.deadline(window.from), self.deadline(window.until));
            let (subject, group) = (SubjectIndex(*subject), GroupId(*group));
            rules.put_member(&MemberRecord { subject, group, from, until });
        }
        let put_values = |rules: &mut Rules| {
            for ((subject, attribute), value) in world.values.iter().rev() {
                let value = AttributeValue::Text(value.as_str().into());
                rules.put_value(SubjectIndex(*subject), *attribute, Some(&value));
            }
        };
        // Values before rules, or behind them.
        let first = world.values.len().is_multiple_of(2);
        if first {
            put_values(&mut rules);
        }
        for id in world.groups.keys().rev() {
            rules.put_group(&self.group(*id));
        }
        if !first {
            put_values(&mut rules);
        }
        for (id, role) in world.roles.iter().rev() {
            rules.put_role(&RoleRecord {
                id: RoleId(*id),
                name: Name::new(&format!("role{id}")).unwrap(),
                patterns: role.patterns.iter().map(|text| Pattern::new(text).unwrap()).collect(),
                parents: role.parents.iter().copied().map(RoleId).collect(),
                workspace: WorkspaceIndex(0),
            });
        }
        for (index, place) in world.workspaces.iter().rev() {
            rules.put_workspace(&WorkspaceRecord {
                index: WorkspaceIndex(*index),
                id: PublicId::default(),
                name: Name::new(&format!("place{index}")).unwrap(),
                parent: WorkspaceIndex(place.parent),
                inherits: place.inherits,
                ceiling: place.ceiling.iter().map(|text| Pattern::new(text).unwrap()).collect(),
                owners: RoleId(0),
                personal: SubjectIndex(0),
            });
        }
        for (id, mask) in world.restrictions.iter().rev() {
            let patterns = mask.iter().map(|text| Pattern::new(text).unwrap()).collect();
            rules.put_restriction(&RestrictionRecord { id: RestrictionId(*id), patterns });
        }
        self.put_ceilings(&mut rules);
        for (id, name) in world.permissions.iter().rev() {
            rules.put_permission(numbered(*id), &Name::new(name).unwrap());
        }
        for subject in 1..=SUBJECTS {
            rules.put_subject(SubjectIndex(subject), SubjectStatus::Active, 0);
            rules.put_guest(SubjectIndex(subject), world.guests.contains(&subject));
        }
        rules
    }
}
