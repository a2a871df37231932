//! Who sees whom, and who made whom.

use super::{ADMIN_ROLE, Decided, State};
use crate::sight::{OPENED, PEOPLE, SIGHTED, is_unlimited};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use tessera_model::limits::{VISIBILITY_ATTRIBUTES_MAX, VISIBILITY_RULES_MAX};
use tessera_model::visibility::{SightRecord, VisibilityDraft, VisibilityRecord, VisibilityRule};
use tessera_model::{Caller, Event, Limit, Pattern, Refusal, RoleId, SubjectIndex, TenantId, UnixMillis};

/// What hands out a sight of others, as a pattern.
static SIGHT: LazyLock<Option<Pattern>> = LazyLock::new(|| Pattern::new(PEOPLE).ok());

impl State {
    pub(super) fn set_visibility(
        &self,
        draft: &VisibilityDraft,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        // Operators see each other.
        if self.root.tenant == TenantId::SYSTEM {
            return Err(Refusal::WrongTenant);
        }
        if !self.sees_everybody(caller, now) {
            return Err(Refusal::SightLimited);
        }
        let known = self.root.visibility.as_deref();
        let in_force = known.filter(|known| !known.rules.is_empty());
        let version = in_force.map_or(0, |known| known.version);
        if draft.expected.is_some_and(|expected| expected != version) {
            return Err(Refusal::VisibilityVersion);
        }
        if draft.rules.len() > VISIBILITY_RULES_MAX {
            return Err(Limit::VisibilityRules.reached());
        }
        let mut rules = draft.rules.iter().map(|rule| self.sight_of(rule)).collect::<Result<Vec<_>, _>>()?;
        rules.sort_unstable_by_key(|rule| rule.role);
        if rules.windows(2).any(|pair| matches!(pair, [one, other] if one.role == other.role)) {
            return Err(Refusal::Duplicate);
        }
        if known.map_or(&[][..], |known| &known.rules) == rules.as_slice() {
            return Ok(Decided::nothing());
        }
        let version = known.map_or(0, |known| known.version).saturating_add(1);
        Ok(Decided::of(Event::VisibilityChanged(VisibilityRecord { version, rules })))
    }

    /// A rule by ids. The role that every tenant is born with is never limited, so that there is somebody who may say
    /// who sees whom; a role of a workspace is held there, and rules speak of who is held in the whole tenant.
    fn sight_of(&self, rule: &VisibilityRule) -> Result<SightRecord, Refusal> {
        if rule.attributes.len() > VISIBILITY_ATTRIBUTES_MAX {
            return Err(Limit::VisibilityAttributes.reached());
        }
        let role = rule.role.as_ref().map_or(Ok(RoleId(0)), |name| self.role_id(name))?;
        if rule.role.as_ref().is_some_and(|name| name.as_str() == ADMIN_ROLE) {
            return Err(Refusal::BuiltIn);
        }
        if self.root.roles.get(&role).is_some_and(|record| record.workspace.0 != 0) {
            return Err(Refusal::RoleOutside);
        }
        let attributes: BTreeSet<_> = rule.attributes.iter().cloned().collect();
        let (reach, details) = (rule.reach, rule.details);
        Ok(SightRecord { role, reach, details, attributes: attributes.into_iter().collect() })
    }

    /// Whether a caller has all that shows subjects, and no rule limits it: rules give nobody more than who sets them
    /// has.
    fn sees_everybody(&self, caller: Caller, now: UnixMillis) -> bool {
        let has = |name: &&str| self.may_order(caller, name, now) && self.is_unlimited(caller, name, now);
        OPENED.iter().all(has)
    }

    /// Whether nothing limits whom a caller sees by a permission that it has.
    pub(super) fn is_unlimited(&self, caller: Caller, permission: &str, now: UnixMillis) -> bool {
        let Caller::Holder { subject, .. } = caller else { return true };
        let limits = self.root.visibility.as_ref().is_some_and(|record| !record.rules.is_empty());
        !limits || !SIGHTED.contains(&permission) || is_unlimited(&self.root, subject, permission, now)
    }

    /// What a role hands out because a rule names it or one above it: a sight of others.
    pub(super) fn sight_by(&self, roles: &BTreeSet<RoleId>) -> Option<&'static Pattern> {
        let rules = &self.root.visibility.as_ref()?.rules;
        if rules.iter().any(|rule| roles.contains(&rule.role)) { SIGHT.as_ref() } else { None }
    }

    /// What was decided about new subjects, with who made them.
    pub(super) fn created_by(mut decided: Decided, caller: Caller, first: u32) -> Decided {
        let Caller::Holder { subject: by, .. } = caller else { return decided };
        let new = |event: &Event| {
            let Event::SubjectChanged(record) = event else { return None };
            (record.index.0 >= first).then_some(record.index)
        };
        let made: Vec<_> = decided.events.iter().filter_map(new).collect();
        decided.events.extend(made.into_iter().map(|subject| Event::CreatorNoted { subject, by }));
        decided
    }

    pub(super) fn apply_visibility(&mut self, record: &VisibilityRecord) {
        self.root.visibility = Some(Arc::new(record.clone()));
    }

    pub(super) fn apply_creator(&mut self, subject: SubjectIndex, by: SubjectIndex) {
        self.root.creators.set(subject.0, by.0);
    }

    /// Who made a subject, as an event.
    pub(super) fn creator_event(&self, subject: SubjectIndex) -> Option<Event> {
        let by = self.root.creators.get(subject.0).copied().filter(|by| *by != 0)?;
        Some(Event::CreatorNoted { subject, by: SubjectIndex(by) })
    }

    /// Who sees whom, as an event.
    pub(super) fn visibility_event(&self) -> Option<Event> {
        self.root.visibility.as_deref().cloned().map(Event::VisibilityChanged)
    }
}
