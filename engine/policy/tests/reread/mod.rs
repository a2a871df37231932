//! The obvious model: records in maps, every question answered by reading all of them again.

use std::collections::BTreeMap;
use tessera_model::record::{GrantRecord, RestrictionRecord, RoleRecord, SubjectStatus, WorkspaceRecord};
use tessera_model::{
    Deadline, Name, Pattern, PermissionId, PublicId, Reason, RestrictionId, RoleId, SubjectIndex, UnixMillis,
    WorkspaceIndex,
};
use tessera_policy::Rules;

pub(crate) const SUBJECTS: u32 = 4;
pub(crate) const PERMISSIONS: u32 = 9;
const NAMES: [&str; 9] =
    ["a.read", "a.write", "a.b.read", "b.read", "b.write", "b", "c.read", "c.write", "c.delete"];
const PATTERNS: [&str; 10] =
    ["a.read", "a.*", "a.b.*", "b.write", "b*", "c.read", "c.*", "*", "c.delete", "none"];
const DEPTH_MAX: usize = 12;

/// A question: who, what, where, under which restriction.
pub(crate) type Asked = (SubjectIndex, PermissionId, WorkspaceIndex, RestrictionId);

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
}

#[derive(Clone)]
pub(crate) struct Reread {
    pub(crate) permissions: BTreeMap<PermissionId, Name>,
    pub(crate) roles: BTreeMap<RoleId, RoleRecord>,
    pub(crate) workspaces: BTreeMap<WorkspaceIndex, WorkspaceRecord>,
    pub(crate) restrictions: BTreeMap<RestrictionId, RestrictionRecord>,
    pub(crate) subjects: BTreeMap<SubjectIndex, (SubjectStatus, u32)>,
    grants: BTreeMap<(SubjectIndex, RoleId, WorkspaceIndex), (Deadline, Deadline)>,
    pub(crate) roles_ever: u32,
    pub(crate) workspaces_ever: u32,
    restrictions_ever: u32,
}

impl Default for Reread {
    fn default() -> Self {
        Self {
            permissions: BTreeMap::new(),
            roles: BTreeMap::new(),
            workspaces: BTreeMap::new(),
            restrictions: BTreeMap::new(),
            subjects: BTreeMap::new(),
            grants: BTreeMap::new(),
            roles_ever: 1,
            workspaces_ever: 1,
            restrictions_ever: 1,
        }
    }
}

fn patterns(random: &mut Seeded) -> Vec<Pattern> {
    (0..random.below(4)).map(|_| Pattern::new(random.pick(&PATTERNS)).unwrap()).collect()
}

fn name(kind: &str, number: u32) -> Name {
    Name::new(&format!("{kind}-{number}")).unwrap()
}

pub(crate) fn millis(deadline: u32) -> u64 {
    Deadline(deadline).to_millis().0
}

/// One subject, one role, one grant for the whole tenant in a window.
pub(crate) fn one_window(from: u32, until: u32) -> (Rules, PermissionId) {
    let mut rules = Rules::new();
    let (subject, role, workspace) = (SubjectIndex(1), RoleId(1), WorkspaceIndex(0));
    rules.put_subject(subject, SubjectStatus::Active, 0);
    rules.put_permission(PermissionId(1), &Name::new("read").unwrap());
    let patterns = vec![Pattern::new("read").unwrap()];
    rules.put_role(&RoleRecord {
        id: role,
        name: name("role", 1),
        patterns,
        parents: vec![],
        workspace: WorkspaceIndex(0),
    });
    let (from, until) = (Deadline(from), Deadline(until));
    rules.put_grant(&GrantRecord { subject, role, workspace, from, until });
    (rules, PermissionId(1))
}

/// A chain of workspaces 1 to `length`, the one at `cut` (0 for none) not inheriting; one subject with
/// a role of its own, number and permission one more than the place, in the tenant and in each.
pub(crate) fn chain(length: u32, cut: u32) -> (Rules, impl Fn(u32) -> PermissionId) {
    let mut rules = Rules::new();
    let subject = SubjectIndex(1);
    rules.put_subject(subject, SubjectStatus::Active, 0);
    for place in 0..=length {
        let (workspace, role) = (WorkspaceIndex(place), RoleId(place + 1));
        let called = name("place", place);
        rules.put_permission(PermissionId(place + 1), &called);
        let patterns = vec![Pattern::new(called.as_str()).unwrap()];
        rules.put_role(&RoleRecord {
            id: role,
            name: called.clone(),
            patterns,
            parents: vec![],
            workspace: WorkspaceIndex(0),
        });
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        rules.put_grant(&GrantRecord { subject, role, workspace, from, until });
        if place != 0 {
            let (id, parent, inherits) = (PublicId::default(), WorkspaceIndex(place - 1), place != cut);
            rules.put_workspace(&WorkspaceRecord {
                index: workspace,
                id,
                name: called,
                parent,
                inherits,
                ceiling: vec![],
                owners: RoleId(0),
                personal: SubjectIndex(0),
            });
        }
    }
    (rules, |place| PermissionId(place + 1))
}

impl Reread {
    /// A tree of some depth to begin with, so that long chains are the rule.
    pub(crate) fn plant(&mut self, random: &mut Seeded, rules: &mut Rules) {
        for _ in 0..14 {
            self.put_workspace(random, rules);
            self.put_role(random, rules);
            self.put_grant(random, rules);
        }
    }

    /// Changes one thing here and in the rules.
    pub(crate) fn change_something(&mut self, random: &mut Seeded, rules: &mut Rules) {
        match random.below(20) {
            0 => self.register(random, rules),
            1 | 2 => self.put_role(random, rules),
            3 if random.below(3) == 0 => self.remove_role(random, rules),
            4..=6 => self.put_workspace(random, rules),
            7 if random.below(3) == 0 => self.remove_workspace(random, rules),
            8 => self.put_restriction(random, rules),
            9 => self.put_subject(random, rules),
            10 | 11 => self.remove_grant(random, rules),
            _ => self.put_grant(random, rules),
        }
    }

    fn register(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let at = random.below(PERMISSIONS);
        let name = Name::new(NAMES[at as usize]).unwrap();
        rules.put_permission(PermissionId(at + 1), &name);
        self.permissions.insert(PermissionId(at + 1), name);
    }

    fn put_role(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let known: Vec<_> = self.roles.keys().copied().collect();
        let id = if known.len() < 3 || (known.len() < 6 && random.below(3) == 0) {
            self.roles_ever += 1;
            RoleId(self.roles_ever - 1)
        } else {
            random.pick(&known)
        };
        let record = RoleRecord {
            id,
            name: name("role", id.0),
            patterns: patterns(random),
            parents: vec![],
            workspace: WorkspaceIndex(0),
        };
        rules.put_role(&record);
        self.roles.insert(id, record);
    }

    fn remove_role(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let known: Vec<_> = self.roles.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let id = random.pick(&known);
        rules.remove_role(id);
        self.roles.remove(&id);
        self.grants.retain(|(_, role, _), _| *role != id);
    }

    /// The ancestors of a workspace, itself first, whatever inherits.
    fn path(&self, workspace: WorkspaceIndex) -> Vec<WorkspaceIndex> {
        let mut path = vec![];
        let mut at = workspace;
        while let Some(record) = self.workspaces.get(&at) {
            path.push(at);
            at = record.parent;
        }
        path
    }

    fn put_workspace(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let known: Vec<_> = self.workspaces.keys().copied().collect();
        let fresh = known.len() < 4 || (known.len() < 16 && random.below(2) == 0);
        let index = if fresh {
            self.workspaces_ever += 1;
            WorkspaceIndex(self.workspaces_ever - 1)
        } else {
            random.pick(&known)
        };
        // Deep trees are wanted: the youngest is a parent as often as all others together.
        let parent = match random.below(6) {
            0 => WorkspaceIndex(0),
            1 | 2 if !known.is_empty() => random.pick(&known),
            _ => known.last().copied().unwrap_or_default(),
        };
        let above = self.path(parent);
        let below = known.iter().map(|at| self.path(*at));
        let height = below.filter_map(|path| path.iter().position(|at| *at == index)).max().unwrap_or(0);
        if above.contains(&index) || above.len() + height + 1 > DEPTH_MAX {
            return;
        }
        // Every now and then a new name.
        let name = name("workspace", index.0 + 1_000 * random.below(2));
        let inherits = random.below(5) != 0;
        let record = WorkspaceRecord {
            index,
            id: PublicId::default(),
            name,
            parent,
            inherits,
            ceiling: vec![],
            owners: RoleId(0),
            personal: SubjectIndex(0),
        };
        rules.put_workspace(&record);
        self.workspaces.insert(index, record);
    }

    fn remove_workspace(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let leaf = |at: &WorkspaceIndex| !self.workspaces.values().any(|record| record.parent == *at);
        let leaves: Vec<_> = self.workspaces.keys().copied().filter(leaf).collect();
        if leaves.is_empty() {
            return;
        }
        let index = random.pick(&leaves);
        rules.remove_workspace(index);
        self.workspaces.remove(&index);
        self.grants.retain(|(_, _, workspace), _| *workspace != index);
    }

    fn put_restriction(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let known: Vec<_> = self.restrictions.keys().copied().collect();
        if known.len() >= 3 {
            let id = random.pick(&known);
            rules.remove_restriction(id);
            self.restrictions.remove(&id);
            return;
        }
        let record =
            RestrictionRecord { id: RestrictionId(self.restrictions_ever), patterns: patterns(random) };
        self.restrictions_ever += 1;
        rules.put_restriction(&record);
        self.restrictions.insert(record.id, record);
    }

    fn put_subject(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let subject = SubjectIndex(random.below(SUBJECTS) + 1);
        let (old, cut_off) = self.subjects.get(&subject).copied().unwrap_or((SubjectStatus::Active, 0));
        if old == SubjectStatus::Deleted {
            return;
        }
        let (status, cut_off) = match random.below(12) {
            0 => (SubjectStatus::Deleted, cut_off),
            1..4 => (SubjectStatus::Suspended, cut_off),
            4..6 => (old, cut_off + 1),
            _ => (SubjectStatus::Active, cut_off),
        };
        if status == old && self.subjects.contains_key(&subject) {
            rules.put_cut_off(subject, cut_off);
        } else {
            rules.put_subject(subject, status, cut_off);
        }
        self.subjects.insert(subject, (status, cut_off));
        if status == SubjectStatus::Deleted {
            self.grants.retain(|(whose, _, _), _| *whose != subject);
        }
    }

    fn put_grant(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let roles: Vec<_> = self.roles.keys().copied().collect();
        let subject = SubjectIndex(random.below(SUBJECTS) + 1);
        let gone = self.subjects.get(&subject).is_some_and(|(status, _)| *status == SubjectStatus::Deleted);
        if roles.is_empty() || gone {
            return;
        }
        let mut places: Vec<_> = self.workspaces.keys().copied().collect();
        places.push(WorkspaceIndex(0));
        let (role, workspace) = (random.pick(&roles), random.pick(&places));
        let (from, until) = match random.below(4) {
            0 | 1 => (0, 0),
            2 => (random.below(2) * (1 + random.below(20)), 1 + random.below(20)),
            _ => (1 + random.below(20), random.below(2) * (1 + random.below(20))),
        };
        let (from, until) = (Deadline(from), Deadline(until));
        rules.put_grant(&GrantRecord { subject, role, workspace, from, until });
        self.grants.insert((subject, role, workspace), (from, until));
    }

    fn remove_grant(&mut self, random: &mut Seeded, rules: &mut Rules) {
        let known: Vec<_> = self.grants.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let key = random.pick(&known);
        rules.remove_grant(key.0, key.1, key.2);
        self.grants.remove(&key);
    }

    /// An instant around the windows: on a boundary, one millisecond before it, or between.
    pub(crate) fn instant(&self, random: &mut Seeded) -> UnixMillis {
        let second = random.below(22);
        UnixMillis(millis(second) + u64::from(random.pick(&[0u32, 1, 500, 999])))
    }

    pub(crate) fn workspaces_to_ask(&self) -> Vec<WorkspaceIndex> {
        let mut out: Vec<_> = self.workspaces.keys().copied().collect();
        out.extend([WorkspaceIndex(0), WorkspaceIndex(self.workspaces_ever)]);
        out
    }

    pub(crate) fn restrictions_to_ask(&self) -> Vec<RestrictionId> {
        let mut out: Vec<_> = self.restrictions.keys().copied().collect();
        out.extend([RestrictionId(0), RestrictionId(self.restrictions_ever)]);
        out
    }

    /// Where grants must stand to hold in a workspace.
    fn holding(&self, workspace: WorkspaceIndex) -> Vec<WorkspaceIndex> {
        let mut out = vec![workspace];
        let mut at = workspace;
        while at.0 != 0 && self.workspaces[&at].inherits {
            at = self.workspaces[&at].parent;
            out.push(at);
        }
        out
    }

    pub(crate) fn judge(
        &self,
        (subject, permission, workspace, restriction): Asked,
        now: UnixMillis,
    ) -> Reason {
        let Some(name) = self.permissions.get(&permission) else { return Reason::PermissionUnknown };
        if workspace.0 != 0 && !self.workspaces.contains_key(&workspace) {
            return Reason::WorkspaceUnknown;
        }
        let covers = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(name.as_str()));
        let holding = self.holding(workspace);
        let granted = self.grants.iter().any(|((whose, role, place), (from, until))| {
            *whose == subject
                && holding.contains(place)
                && self.roles.get(role).is_some_and(|role| covers(&role.patterns))
                && (from.0 == 0 || now.0 >= millis(from.0))
                && (until.0 == 0 || now.0 < millis(until.0))
        });
        let restricted = restriction.0 != 0
            && !self.restrictions.get(&restriction).is_some_and(|record| covers(&record.patterns));
        match (granted, restricted) {
            (false, _) => Reason::NotGranted,
            (true, true) => Reason::Restricted,
            (true, false) => Reason::None,
        }
    }

    /// The first instant after `now` at which permit and deny change places, found by trying all.
    pub(crate) fn change(&self, asked: Asked, now: UnixMillis) -> UnixMillis {
        let permits = |at| self.judge(asked, at) == Reason::None;
        let instants = (0..22).map(|second| UnixMillis(millis(second))).filter(|at| *at > now);
        instants.into_iter().find(|at| permits(*at) != permits(now)).unwrap_or(UnixMillis(u64::MAX))
    }

    /// The grants that are wanted, sorted.
    pub(crate) fn grants_where(&self, wanted: impl Fn(&GrantRecord) -> bool) -> Vec<GrantRecord> {
        let record = |((subject, role, workspace), (from, until)): (&(_, _, _), &(_, _))| GrantRecord {
            subject: *subject,
            role: *role,
            workspace: *workspace,
            from: *from,
            until: *until,
        };
        self.grants.iter().map(record).filter(wanted).collect()
    }

    /// All records as loads in random order, a third of them twice.
    pub(crate) fn shuffled(&self, random: &mut Seeded) -> Vec<Load> {
        let mut out: Vec<Load> = vec![];
        for twice in [false, true] {
            let mut keep = |load: Load| {
                if !twice || random.below(3) == 0 {
                    let at = random.below(u32::try_from(out.len()).unwrap() + 1) as usize;
                    out.insert(at, load);
                }
            };
            for (id, name) in self.permissions.clone() {
                keep(Box::new(move |rules| rules.put_permission(id, &name)));
            }
            for record in self.roles.clone().into_values() {
                keep(Box::new(move |rules| rules.put_role(&record)));
            }
            for record in self.workspaces.clone().into_values() {
                keep(Box::new(move |rules| rules.put_workspace(&record)));
            }
            for record in self.restrictions.clone().into_values() {
                keep(Box::new(move |rules| rules.put_restriction(&record)));
            }
            for (subject, (status, cut_off)) in self.subjects.clone() {
                keep(Box::new(move |rules| rules.put_subject(subject, status, cut_off)));
            }
            for grant in self.grants_where(|_| true) {
                keep(Box::new(move |rules| rules.put_grant(&grant)));
            }
        }
        out
    }
}

/// One record on its way into rules.
pub(crate) type Load = Box<dyn Fn(&mut Rules)>;
