//! The question, answered by reading everything.

use crate::world::{Holder, Wanted, World};
use std::collections::BTreeSet;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Who.
    pub subject: u32,
    /// What: a permission's id.
    pub permission: u32,
    /// Where: a workspace's index, 0 for the tenant.
    pub workspace: u32,
    /// Through a key of this restriction; 0 for none.
    pub restriction: u32,
    /// In a session on this device; 0 for none.
    pub device: u32,
    /// In which this subject acts; 0 for nobody else.
    pub actor: u32,
    /// Who does so through a key of this restriction; 0 for none.
    pub actor_restriction: u32,
    /// From the network of this number; 0 for nobody knows.
    pub network: u32,
    /// How far the session's device is trusted; none for no device.
    pub trust: Option<u32>,
    /// The level of proof that the session was opened with; 0 for none.
    pub acr: u32,
    /// When that proof was made, s from the beginning; none for no proof.
    pub proven: Option<u32>,
    /// When, ms from the beginning that windows count from.
    pub at_ms: u64,
}

/// One kind of grant, or one kind of restriction, that is left out of a decision: where that turns the answer
/// around, it was decisive.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Omit {
    /// Grants to the subject itself.
    Direct,
    /// Grants to groups that it is in itself.
    Group,
    /// Grants to groups that it is in through others.
    NestedGroup,
    /// Memberships that follow from a rule.
    RuleGroup,
    /// What roles cover through their parents.
    ParentRole,
    /// Grants that stand in workspaces above, or in the tenant.
    Inherited,
    /// Grants that have a window.
    LimitedGrant,
    /// Memberships that have a window.
    LimitedMember,
    /// That a grant's window may be over, or not have begun.
    GrantWindow,
    /// That a membership's window may be over, or not have begun.
    MemberWindow,
    /// Grants that have conditions.
    Conditioned,
    /// That hours of the week may be over, or not have begun.
    Hours,
    /// That it may be asked from elsewhere.
    Networks,
    /// That a device may be trusted no further.
    Trust,
    /// That a proof may be too weak.
    Acr,
    /// That a proof may be too old.
    StepUp,
    /// Groups that lie in others for a while.
    LimitedEdge,
    /// That the window in which a group lies in another one may be over, or not have begun.
    EdgeWindow,
    /// That what is granted in the whole tenant and to groups does not reach guests.
    Guest,
    /// What a key is restricted to.
    Restriction,
    /// That a workspace does not inherit.
    Wall,
    /// What workspaces have for a ceiling.
    Ceiling,
    /// What a device has for a ceiling.
    Device,
    /// What the level of a device has for a ceiling.
    Level,
    /// That whoever acts must hold what is power over the tenant.
    Actor,
}

impl Omit {
    /// Those about conditions of grants.
    pub const CONDITIONS: [Self; 6] =
        [Self::Conditioned, Self::Hours, Self::Networks, Self::Trust, Self::Acr, Self::StepUp];

    /// All of them: those that give, then those that cut.
    pub const ALL: [Self; 25] = [
        Self::Direct,
        Self::Group,
        Self::NestedGroup,
        Self::RuleGroup,
        Self::ParentRole,
        Self::Inherited,
        Self::LimitedGrant,
        Self::LimitedMember,
        Self::GrantWindow,
        Self::MemberWindow,
        Self::Conditioned,
        Self::Hours,
        Self::Networks,
        Self::Trust,
        Self::Acr,
        Self::StepUp,
        Self::LimitedEdge,
        Self::EdgeWindow,
        Self::Guest,
        Self::Restriction,
        Self::Wall,
        Self::Ceiling,
        Self::Device,
        Self::Level,
        Self::Actor,
    ];
}

fn covers(patterns: &[String], permission: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => permission.starts_with(beginning),
        None => pattern == permission,
    })
}

impl World {
    /// Whether it is permitted, with one thing left out.
    #[must_use]
    pub fn permits(&self, asked: &Question, without: Option<Omit>) -> bool {
        let dropped = |what| without == Some(what);
        let Some(permission) = self.permissions.get(&asked.permission) else { return false };
        if asked.workspace != 0 && !self.workspaces.contains_key(&asked.workspace) {
            return false;
        }
        let restricted = asked.restriction != 0
            && !self.restrictions.get(&asked.restriction).is_some_and(|mask| covers(mask, permission));
        if restricted && !dropped(Omit::Restriction) {
            return false;
        }
        if self.is_above_ceiling(asked.workspace, permission) && !dropped(Omit::Ceiling) {
            return false;
        }
        if let Some(device) = self.devices.get(&asked.device) {
            let below = |ceiling: &[String]| ceiling.is_empty() || covers(ceiling, permission);
            let level = self.levels.get(&device.level).is_none_or(|ceiling| below(ceiling));
            if !dropped(Omit::Device) && !below(&device.ceiling) || !dropped(Omit::Level) && !level {
                return false;
            }
        }
        if asked.actor != 0 && asked.permission <= self.own_up_to && !dropped(Omit::Actor) {
            let theirs = Question {
                subject: asked.actor,
                restriction: asked.actor_restriction,
                workspace: 0,
                device: 0,
                actor: 0,
                ..*asked
            };
            if !self.permits(&theirs, without) {
                return false;
            }
        }
        let places = self.places(asked.workspace, without);
        let held_back = self.guests.contains(&asked.subject) && !dropped(Omit::Guest);
        let mut holders = self.holders(asked, without);
        holders.retain(|holder| !held_back || matches!(holder, Holder::Subject(_)));
        self.grants.iter().any(|((holder, role, place), window)| {
            let limited = window.is_limited() && dropped(Omit::LimitedGrant);
            holders.contains(holder)
                && places.contains(place)
                && !(held_back && *place == 0)
                && !limited
                && (window.holds(asked.at_ms) || dropped(Omit::GrantWindow))
                && self.is_met(&(*holder, *role, *place), asked, without)
                && self.role_covers(*role, permission, without, &mut BTreeSet::new())
        })
    }

    /// Whether the conditions of a grant hold.
    fn is_met(&self, grant: &(Holder, u32, u32), asked: &Question, without: Option<Omit>) -> bool {
        let Some(under) = self.under.get(grant) else { return true };
        let dropped = |what| without == Some(what);
        let second = i64::try_from(asked.at_ms / 1_000).unwrap_or(i64::MAX);
        let young =
            |age: u64| asked.proven.is_some_and(|proven| asked.at_ms < (u64::from(proven) + age) * 1_000);
        !dropped(Omit::Conditioned)
            && (dropped(Omit::Hours) || under.is_open(self.begins_s + second))
            && (dropped(Omit::Networks)
                || under.networks.is_empty()
                || under.networks.contains(&asked.network))
            && (dropped(Omit::Trust)
                || under.trust.is_none_or(|least| asked.trust.is_some_and(|trust| trust >= least)))
            && (dropped(Omit::Acr) || asked.acr >= under.acr)
            && (dropped(Omit::StepUp) || under.step_up_s.is_none_or(young))
    }

    /// Whether the ceiling of a workspace, or of one above it, cuts a permission; walls or not.
    fn is_above_ceiling(&self, workspace: u32, permission: &str) -> bool {
        self.workspaces.get(&workspace).is_some_and(|place| {
            !place.ceiling.is_empty() && !covers(&place.ceiling, permission)
                || self.is_above_ceiling(place.parent, permission)
        })
    }

    /// Where a grant may stand to hold in a workspace.
    fn places(&self, workspace: u32, without: Option<Omit>) -> Vec<u32> {
        let mut places = vec![workspace];
        if without == Some(Omit::Inherited) {
            return places;
        }
        let mut at = workspace;
        while let Some(place) = self.workspaces.get(&at) {
            if !place.inherits && without != Some(Omit::Wall) {
                break;
            }
            at = place.parent;
            places.push(at);
        }
        places
    }

    /// Whose grants count for a subject: its own, and those of all groups that it is in.
    fn holders(&self, asked: &Question, without: Option<Omit>) -> BTreeSet<Holder> {
        let mut holders = BTreeSet::new();
        if without != Some(Omit::Direct) {
            holders.insert(Holder::Subject(asked.subject));
        }
        let ruled = self.rules.keys().filter(|group| self.is_ruled(asked.subject, **group));
        let ruled = ruled.filter(|_| without != Some(Omit::RuleGroup));
        let written = self.members.iter().filter(|((subject, _), window)| {
            let limited = window.is_limited() && without == Some(Omit::LimitedMember);
            let counts = window.holds(asked.at_ms) || without == Some(Omit::MemberWindow);
            *subject == asked.subject && !limited && counts
        });
        for group in written.map(|((_, group), _)| group).chain(ruled) {
            if without != Some(Omit::Group) {
                holders.insert(Holder::Group(*group));
            }
            if without != Some(Omit::NestedGroup) {
                let mut above = BTreeSet::new();
                self.add_parents(*group, (asked.at_ms, without), &mut above);
                holders.extend(above.into_iter().map(Holder::Group));
            }
        }
        holders
    }

    /// Whether the rule of a group brings a subject into it.
    #[must_use]
    pub fn is_ruled(&self, subject: u32, group: u32) -> bool {
        let Some(rule) = self.rules.get(&group) else { return false };
        let conditions = if subject < rule.reached { &rule.now } else { &rule.before };
        !conditions.is_empty()
            && conditions.iter().all(|(attribute, wanted)| {
                self.values.get(&(subject, *attribute)).is_some_and(|value| {
                    wanted.iter().any(|wanted| match wanted {
                        Wanted::Any => true,
                        Wanted::Is(text) => value == text,
                        Wanted::Ends(end) => value.ends_with(end.as_str()),
                    })
                })
            })
    }

    fn add_parents(&self, group: u32, at: (u64, Option<Omit>), above: &mut BTreeSet<u32>) {
        let (at_ms, without) = at;
        for (parent, window) in self.groups.get(&group).into_iter().flatten() {
            let limited = window.is_limited() && without == Some(Omit::LimitedEdge);
            let counts = window.holds(at_ms) || without == Some(Omit::EdgeWindow);
            if counts && !limited && self.groups.contains_key(parent) && above.insert(*parent) {
                self.add_parents(*parent, at, above);
            }
        }
    }

    fn role_covers(
        &self,
        role: u32,
        permission: &str,
        without: Option<Omit>,
        seen: &mut BTreeSet<u32>,
    ) -> bool {
        let Some(known) = self.roles.get(&role).filter(|_| seen.insert(role)) else { return false };
        covers(&known.patterns, permission)
            || without != Some(Omit::ParentRole)
                && known.parents.iter().any(|parent| self.role_covers(*parent, permission, without, seen))
    }
}
