//! Conditions of grants, compiled: a fixed form that a check holds against what is known of whoever asks.
//!
//! A grant with conditions is no part of any interned set: it stands where grants with windows do, and a check that
//! does not come there pays nothing for it. Conditions are interned by what they say, and kept by holder, role and
//! workspace; they may be put before their grant or after it.

use crate::line::Line;
use crate::names::FixedHasher;
use crate::overflow::{NEVER, begins, ends};
use crate::rules::Rules;
use crate::slab::Slab;
use crate::week::{Week, zone};
use crate::workspaces::Scope;
use jiff::tz::TimeZone;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::net::IpAddr;
use std::sync::Arc;
use tessera_model::grant_condition::{
    GrantCondition, GrantConditionKind, GrantConditions, GrantConditionsRecord, Grantee,
};
use tessera_model::{Network, PermissionId, Reason, RoleId, Trust, UnixMillis, WorkspaceIndex};

/// What is known of whoever asks, beside who it is. What is not known fulfils no condition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// From where.
    pub address: Option<IpAddr>,
    /// The level of proof that the session was opened with; 0 for none, and of keys.
    pub acr: u8,
    /// When that proof was made.
    pub proven: Option<UnixMillis>,
    /// How far the device of the session is trusted.
    pub trust: Option<Trust>,
}

/// Whether a time zone of this name is known.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    zone(name).is_some()
}

/// The conditions of a grant as a check reads them.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    conditions: GrantConditions,
    /// The hours of the week; `Some(None)` where their zone is unknown to this build: never.
    hours: Option<Option<Week>>,
    networks: Option<Box<[Network]>>,
    /// The trust that a device must have; none where no device is asked for.
    trust: Option<Trust>,
    acr: u8,
    /// The age, s, that the proof must be below; 0 for any.
    step_up: u32,
}

impl Compiled {
    fn new(
        conditions: &GrantConditions,
        zones: &mut HashTrieMapSync<Box<str>, TimeZone, FixedHasher>,
    ) -> Self {
        let (mut hours, mut networks, mut trust, mut acr, mut step_up) = (None, None, None, 0, 0);
        for condition in conditions.as_slice() {
            match condition {
                GrantCondition::Hours(asked) => {
                    let known = zones.get(asked.zone()).cloned().or_else(|| zone(asked.zone()));
                    if let Some(known) = &known {
                        zones.insert_mut(asked.zone().into(), known.clone());
                    }
                    hours = Some(known.map(|zone| Week::new(asked, zone)));
                }
                GrantCondition::Networks(asked) => networks = Some(asked.as_slice().into()),
                GrantCondition::Device(asked) => trust = Some(*asked),
                GrantCondition::Acr(level) => acr = *level,
                GrantCondition::StepUp(age) => step_up = *age,
            }
        }
        Self { conditions: conditions.clone(), hours, networks, trust, acr, step_up }
    }

    /// Whether a condition that time does not change holds.
    fn is_met(&self, kind: GrantConditionKind, facts: &Facts) -> bool {
        match kind {
            GrantConditionKind::Hours | GrantConditionKind::StepUp => true,
            GrantConditionKind::Networks => self.networks.as_ref().is_none_or(|networks| {
                let inside = |address| networks.iter().any(|network| network.contains(address));
                facts.address.is_some_and(inside)
            }),
            GrantConditionKind::Device => self.trust.is_none() || facts.trust >= self.trust,
            GrantConditionKind::Acr => facts.acr >= self.acr,
        }
    }

    /// The first instant at which the proof is too old; the beginning of time where there is none.
    fn outdated(&self, facts: &Facts) -> UnixMillis {
        if self.step_up == 0 {
            return NEVER;
        }
        facts.proven.map_or(UnixMillis(0), |proven| proven.plus_seconds(self.step_up))
    }

    /// The first span of time from an instant on in which all of them hold: its first instant, which may lie before,
    /// and the first after it.
    pub(crate) fn run(&self, facts: &Facts, at: UnixMillis) -> Option<(UnixMillis, UnixMillis)> {
        use GrantConditionKind::{Acr, Device, Networks};
        if ![Networks, Device, Acr].into_iter().all(|kind| self.is_met(kind, facts)) {
            return None;
        }
        let (from, until) = match &self.hours {
            None => (UnixMillis(0), NEVER),
            Some(week) => week.as_ref()?.run(at)?,
        };
        let until = until.min(self.outdated(facts));
        (from < until && at < until).then_some((from, until))
    }

    /// The first that does not hold at an instant.
    pub(crate) fn unmet(&self, facts: &Facts, now: UnixMillis) -> Option<GrantConditionKind> {
        GrantConditionKind::ALL.into_iter().find(|kind| match kind {
            GrantConditionKind::Hours => self.hours.as_ref().is_some_and(|week| {
                let run = week.as_ref().and_then(|week| week.run(now));
                run.is_none_or(|(from, _)| from > now)
            }),
            GrantConditionKind::StepUp => self.outdated(facts) <= now,
            GrantConditionKind::Networks | GrantConditionKind::Device | GrantConditionKind::Acr => {
                !self.is_met(*kind, facts)
            }
        })
    }
}

/// What a check is told of the first condition that does not hold.
const fn reason(kind: GrantConditionKind) -> Reason {
    match kind {
        GrantConditionKind::Hours => Reason::OutsideHours,
        GrantConditionKind::Networks => Reason::OutsideNetworks,
        GrantConditionKind::Device => Reason::DeviceUntrusted,
        GrantConditionKind::Acr | GrantConditionKind::StepUp => Reason::StepUpNeeded,
    }
}

/// Interned conditions, with how many grants have them.
type Interned = (Arc<Compiled>, u32);

/// The conditions of all grants of a tenant. Id 0 is of a grant without.
#[derive(Clone)]
pub(crate) struct Conditions {
    compiled: Slab<Interned>,
    by_text: HashTrieMapSync<GrantConditions, u32, FixedHasher>,
    held: RedBlackTreeMapSync<(Grantee, RoleId, WorkspaceIndex), u32>,
    zones: HashTrieMapSync<Box<str>, TimeZone, FixedHasher>,
}

impl Conditions {
    pub(crate) fn new() -> Self {
        Self {
            compiled: Slab::new(u32::MAX),
            by_text: HashTrieMapSync::new_with_hasher_and_ptr_kind(FixedHasher::default()),
            held: RedBlackTreeMapSync::new_with_ptr_kind(),
            zones: HashTrieMapSync::new_with_hasher_and_ptr_kind(FixedHasher::default()),
        }
    }

    /// Whether no grant has any.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Compiled> {
        self.compiled.get(id).map(|(compiled, _)| &**compiled)
    }

    /// Those of a grant; 0 for none.
    pub(crate) fn id_of(&self, grantee: Grantee, role: RoleId, workspace: WorkspaceIndex) -> u32 {
        if self.held.is_empty() {
            return 0;
        }
        self.held.get(&(grantee, role, workspace)).copied().unwrap_or(0)
    }

    fn put(&mut self, key: (Grantee, RoleId, WorkspaceIndex), conditions: &GrantConditions) {
        let id = if conditions.is_empty() { 0 } else { self.acquire(conditions) };
        self.drop_key(&key);
        if id != 0 {
            self.held.insert_mut(key, id);
        }
    }

    fn acquire(&mut self, conditions: &GrantConditions) -> u32 {
        if let Some(id) = self.by_text.get(conditions).copied() {
            self.compiled.update(id, |(_, grants)| *grants += 1);
            return id;
        }
        let compiled = Compiled::new(conditions, &mut self.zones);
        let id = self.compiled.insert((Arc::new(compiled), 1));
        self.by_text.insert_mut(conditions.clone(), id);
        id
    }

    pub(crate) fn drop_key(&mut self, key: &(Grantee, RoleId, WorkspaceIndex)) {
        let Some(id) = self.held.get(key).copied() else { return };
        self.held.remove_mut(key);
        let mut left = 0;
        self.compiled.update(id, |(_, grants)| {
            *grants -= 1;
            left = *grants;
        });
        if left == 0 {
            if let Some(conditions) = self.get(id).map(|compiled| compiled.conditions.clone()) {
                self.by_text.remove_mut(&conditions);
            }
            self.compiled.remove(id);
        }
    }

    /// Drops those of every grant that is gone. COST: looks at every grant with conditions.
    pub(crate) fn drop_where(&mut self, gone: impl Fn(&(Grantee, RoleId, WorkspaceIndex)) -> bool) {
        let keys: Vec<_> = self.held.keys().filter(|key| gone(key)).copied().collect();
        for key in keys {
            self.drop_key(&key);
        }
    }

    /// Drops those of all grants of a holder.
    pub(crate) fn drop_all_of(&mut self, grantee: Grantee) {
        let keys: Vec<_> = self.of(grantee).map(|(role, workspace, _)| (grantee, role, workspace)).collect();
        keys.iter().for_each(|key| self.drop_key(key));
    }

    /// Those of a holder's grants.
    fn of(&self, grantee: Grantee) -> impl Iterator<Item = (RoleId, WorkspaceIndex, &Compiled)> {
        let range =
            (grantee, RoleId(0), WorkspaceIndex(0))..=(grantee, RoleId(u32::MAX), WorkspaceIndex(u32::MAX));
        let held = self.held.range(range);
        held.filter_map(|((_, role, workspace), id)| Some((*role, *workspace, self.get(*id)?)))
    }
}

impl Rules {
    /// Puts the conditions of a grant, in the place of those that it has; none for a grant without.
    ///
    /// The grant may come later.
    pub fn put_conditions(&mut self, record: &GrantConditionsRecord) {
        let GrantConditionsRecord { grantee, role, workspace, ref conditions } = *record;
        self.conditions.put((grantee, role, workspace), conditions);
        match grantee {
            Grantee::Subject(subject) => {
                let standing =
                    self.grants_of(subject).find(|at| (at.role, at.workspace) == (role, workspace));
                if let Some(grant) = standing {
                    self.put_grant(&grant);
                }
            }
            Grantee::Group(group) => {
                let standing = self.grants_to(group).find(|at| (at.role, at.workspace) == (role, workspace));
                if let Some(grant) = standing {
                    self.put_group_grant(&grant);
                }
            }
        }
    }

    /// The conditions of a grant; nothing for one without.
    #[must_use]
    pub fn conditions_of(
        &self,
        grantee: Grantee,
        role: RoleId,
        workspace: WorkspaceIndex,
    ) -> Option<&GrantConditions> {
        self.conditions.get(self.conditions.id_of(grantee, role, workspace)).map(|known| &known.conditions)
    }

    /// The conditions of all grants of a holder.
    pub fn conditions_held(&self, grantee: Grantee) -> impl Iterator<Item = GrantConditionsRecord> + '_ {
        self.conditions.of(grantee).map(move |(role, workspace, known)| GrantConditionsRecord {
            grantee,
            role,
            workspace,
            conditions: known.conditions.clone(),
        })
    }

    /// Whether any grant has conditions.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The first condition of a grant that does not hold.
    pub(crate) fn unmet_of(
        &self,
        (grantee, role, workspace): (Grantee, RoleId, WorkspaceIndex),
        facts: &Facts,
        now: UnixMillis,
    ) -> Option<GrantConditionKind> {
        self.conditions.get(self.conditions.id_of(grantee, role, workspace))?.unmet(facts, now)
    }

    /// Why grants that cover a permission in their windows do not count: the condition of the one that is nearest to
    /// it. The ordinary reason where there is none.
    #[cold]
    pub(crate) fn ungranted(
        &self,
        line: &Line,
        scope: &Scope<'_>,
        permission: PermissionId,
        now: UnixMillis,
        facts: Option<&Facts>,
    ) -> Reason {
        let mut nearest: Option<Option<GrantConditionKind>> = None;
        let mut look = |known: &Compiled| {
            let unmet = facts.and_then(|facts| known.unmet(facts, now));
            nearest = Some(nearest.flatten().max(unmet));
        };
        // Without facts also what begins later: whoever asks looks again with them, and learns when that is.
        let when = (now, facts.is_none());
        self.own_conditions(line, scope, permission, when, &mut look);
        if let Some(groups) = self.groups_line(line) {
            self.own_conditions(groups, scope, permission, when, &mut look);
        }
        let overflow = self.overflows.get(line.overflow);
        for member in overflow.into_iter().flat_map(|overflow| overflow.members.iter()) {
            let inside = (begins(member.from) <= now || when.1) && now < ends(member.until);
            if let Some(groups) = self.members.line(member.membership).filter(|_| inside) {
                self.own_conditions(groups, scope, permission, when, &mut look);
            }
        }
        match nearest {
            None => Reason::NotGranted,
            Some(None) => Reason::ConditionsUnmet,
            Some(Some(kind)) => reason(kind),
        }
    }

    /// The conditions of one line's grants that cover a permission and whose windows hold, or will.
    fn own_conditions(
        &self,
        line: &Line,
        scope: &Scope<'_>,
        permission: PermissionId,
        (now, early): (UnixMillis, bool),
        look: &mut impl FnMut(&Compiled),
    ) {
        let overflow = self.overflows.get(line.overflow);
        for timed in overflow.into_iter().flat_map(|overflow| overflow.timed.iter()) {
            let begun = timed.begins() <= now || early;
            let inside = timed.condition != 0 && begun && now < timed.ends();
            if inside && scope.contains(timed.workspace) && self.roles.covers(timed.role, permission) {
                self.conditions.get(timed.condition).into_iter().for_each(&mut *look);
            }
        }
    }
}
