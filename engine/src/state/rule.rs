//! Groups whose members follow from a rule over declared attributes.
//!
//! Nobody comes to more power through a rule than whoever writes it, or the values under it, may hand out.

use super::{Decided, Made, State};
use std::collections::BTreeMap;
use tessera_model::limits::{GROUPS_MAX, RULE_CONDITIONS_MAX, RULE_GROUPS_MAX, RULE_SUBJECTS_MAX};
use tessera_model::record::{AttributeKind, AttributeValue, GroupRecord, MemberRecord};
use tessera_model::rule::{GroupRule, Match, Term};
use tessera_model::{Caller, Condition, Event, GroupId, Limit, Name, Refusal, SubjectIndex, UnixMillis};

/// Values that become others, by attribute; none for one that is taken away.
type Changes<'a> = Vec<(u32, Option<&'a AttributeValue>)>;

impl State {
    pub(super) fn create_group(&self, name: &Name, rule: &[Condition]) -> Result<Decided, Refusal> {
        Self::may_be_called(name)?;
        if self.root.group_names.contains_key(name) {
            return Err(Refusal::Duplicate);
        }
        if self.next.group > GROUPS_MAX {
            return Err(Limit::Groups.reached());
        }
        let mut made = Made { number: Some(self.next.group), ..Made::default() };
        let mut ruled = None;
        if !rule.is_empty() {
            if self.root.rules.rule_groups() >= RULE_GROUPS_MAX {
                return Err(Limit::RuleGroups.reached());
            }
            // Nothing is granted to it yet, so nobody comes to anything.
            let (rule, left) = self.reaching(self.terms_of(rule)?, Vec::new(), SubjectIndex(0));
            (ruled, made.left) = (Some(rule), Some(left));
        }
        let id = GroupId(self.next.group);
        let (parents, windows) = (Vec::new(), Vec::new());
        let record = GroupRecord { id, name: name.clone(), parents, windows, rule: ruled };
        Ok(Decided { made, ..Decided::of(Event::GroupChanged(record)) })
    }

    pub(super) fn change_group_rule(
        &self,
        name: &Name,
        rule: &[Condition],
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let id = self.group_id(name)?;
        let record = self.root.groups.get(&id).ok_or(Refusal::GroupUnknown)?;
        let old = record.rule.as_ref().ok_or(Refusal::NoRule)?;
        let terms = self.terms_of(rule)?;
        let left = |left| Made { left: Some(left), ..Made::default() };
        let (rule, more) = match (old.terms == terms, old.is_settled()) {
            (true, true) => return Ok(Decided { made: left(0), ..Decided::nothing() }),
            (true, false) => self.reaching(terms, old.before.clone(), old.settled),
            (false, true) => self.reaching(terms, old.terms.clone(), SubjectIndex(0)),
            (false, false) if old.before == terms => Self::going_back(old),
            (false, false) => return Err(Refusal::RuleUnsettled),
        };
        if !self.may_hand_out_all(&self.handed_by(id), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let changed = GroupRecord { rule: Some(rule), ..(**record).clone() };
        if self.leaves_no_operator(|rules| rules.put_group(&changed), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Decided { made: left(more), ..Decided::of(Event::GroupChanged(changed)) })
    }

    /// A rule whose change reaches the next subjects after those that it has reached, and how many are left.
    fn reaching(&self, terms: Vec<Term>, before: Vec<Term>, reached: SubjectIndex) -> (GroupRule, u32) {
        let next = reached.0.saturating_add(RULE_SUBJECTS_MAX);
        match self.next.subject.checked_sub(next) {
            Some(left @ 1..) => (GroupRule { terms, before, settled: SubjectIndex(next) }, left),
            Some(0) | None => (GroupRule { terms, before: Vec::new(), settled: GroupRule::SETTLED }, 0),
        }
    }

    /// A rule whose change is taken back from the last of those that it has reached, and how many are left.
    fn going_back(old: &GroupRule) -> (GroupRule, u32) {
        match old.settled.0.saturating_sub(RULE_SUBJECTS_MAX) {
            0 => {
                let terms = old.before.clone();
                (GroupRule { terms, before: Vec::new(), settled: GroupRule::SETTLED }, 0)
            }
            left => (GroupRule { settled: SubjectIndex(left), ..old.clone() }, left),
        }
    }

    /// The conditions of a rule as they are kept.
    fn terms_of(&self, rule: &[Condition]) -> Result<Vec<Term>, Refusal> {
        if rule.is_empty() {
            return Err(Refusal::Malformed);
        }
        if rule.len() > RULE_CONDITIONS_MAX {
            return Err(Limit::RuleConditions.reached());
        }
        let term = |condition: &Condition| {
            let known = self.root.attributes.get(condition.attribute()).ok_or(Refusal::AttributeUnknown)?;
            let matches: Option<Vec<Match>> =
                condition.matches().iter().map(|value| of_kind(value, known.kind)).collect();
            Ok(Term { attribute: known.id, matches: matches.ok_or(Refusal::AttributeKind)? })
        };
        rule.iter().map(term).collect()
    }

    /// Whether these facts bring somebody into a group that anything is granted with.
    pub(crate) fn bring_power(&self, facts: &[Event]) -> bool {
        if self.root.rules.rule_groups() == 0 {
            return false;
        }
        let mut changed: BTreeMap<SubjectIndex, Changes<'_>> = BTreeMap::new();
        for fact in facts {
            if let Event::AttributeChanged { subject, attribute, value } = fact {
                changed.entry(*subject).or_default().push((*attribute, value.as_ref()));
            }
        }
        changed.into_iter().any(|(subject, changes)| {
            let entered = self.entered_by(subject, &changes);
            entered.into_iter().any(|group| !self.handed_by(group).is_empty())
        })
    }

    /// The memberships of a subject that do not follow from rules: those that are written down.
    pub(super) fn written_memberships(&self, subject: SubjectIndex) -> impl Iterator<Item = MemberRecord> {
        let rules = &self.root.rules;
        rules.memberships_of(subject).into_iter().filter(|member| !rules.follows_rule(member.group))
    }

    /// The groups that a subject comes into when these facts change its values; they are all of that subject.
    pub(super) fn entered(&self, subject: SubjectIndex, facts: &[Event]) -> Vec<GroupId> {
        let mut changes = Changes::new();
        for fact in facts {
            if let Event::AttributeChanged { attribute, value, .. } = fact {
                changes.push((*attribute, value.as_ref()));
            }
        }
        self.entered_by(subject, &changes)
    }

    /// As [`Self::entered`]: the groups that it comes into now, and those into which a change of their rule that has
    /// not reached everybody will bring it.
    fn entered_by(&self, subject: SubjectIndex, changes: &Changes<'_>) -> Vec<GroupId> {
        let rules = &self.root.rules;
        if rules.rule_groups() == 0 {
            return Vec::new();
        }
        let mut values: BTreeMap<u32, &AttributeValue> = rules.values_of(subject).collect();
        let groups = |values: &BTreeMap<u32, &AttributeValue>| {
            let values: Vec<_> = values.iter().map(|(at, value)| (*at, *value)).collect();
            (rules.groups_ruled(subject, &values), rules.groups_reached(&values))
        };
        let before = groups(&values);
        for (attribute, value) in changes {
            match value {
                Some(value) => values.insert(*attribute, value),
                None => values.remove(attribute),
            };
        }
        let after = groups(&values);
        let mut entered: Vec<_> =
            after.0.into_iter().filter(|group| before.0.binary_search(group).is_err()).collect();
        entered.extend(after.1.into_iter().filter(|group| before.1.binary_search(group).is_err()));
        entered.sort_unstable();
        entered.dedup();
        entered
    }
}

/// A value that is wanted, in the one form that values of a kind are compared in.
fn of_kind(wanted: &Match, kind: AttributeKind) -> Option<Match> {
    match (wanted, kind) {
        (Match::Any, _) | (Match::Is(_) | Match::Ends(_), AttributeKind::Text) => Some(wanted.clone()),
        (Match::Is(text), AttributeKind::Bool) => matches!(&**text, "true" | "false").then(|| wanted.clone()),
        (Match::Is(text), AttributeKind::Integer) => {
            let number: i64 = text.parse().ok()?;
            Some(Match::Is(number.to_string().into()))
        }
        (Match::Ends(_), AttributeKind::Bool | AttributeKind::Integer) => None,
    }
}
