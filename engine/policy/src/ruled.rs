//! Groups whose members follow from a rule: who has which attributes, and which rules hold for that.
//!
//! INVARIANT: such a membership is never written down. It is worked out from rules, values and status whenever one of
//! them is put, in whatever order, so that it cannot differ from what they say.

use crate::rules::Rules;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use tessera_model::record::{AttributeValue, GroupRecord, SubjectStatus};
use tessera_model::rule::{GroupRule, Match, Term};
use tessera_model::{GroupId, SubjectIndex};

type Map<K, V> = HashMap<K, V, crate::names::FixedHasher>;

/// The rules that an attribute may bring somebody under.
#[derive(Clone, Default)]
struct Watching {
    /// Those that want one of certain values, by each of them.
    by_value: Map<Box<str>, Vec<GroupId>>,
    /// The others.
    others: Vec<GroupId>,
}

/// Values of declared attributes, and the rules over them.
#[derive(Clone)]
pub(crate) struct Ruled {
    values: RedBlackTreeMapSync<(SubjectIndex, u32), AttributeValue>,
    rules: RedBlackTreeMapSync<GroupId, Arc<GroupRule>>,
    removed: RedBlackTreeSetSync<GroupId>,
    /// By the attribute of one condition of each rule.
    watching: Arc<Map<u32, Watching>>,
}

/// A value as rules write it.
fn written<'a>(value: &'a AttributeValue, room: &'a mut String) -> &'a str {
    match value {
        AttributeValue::Bool(true) => "true",
        AttributeValue::Bool(false) => "false",
        AttributeValue::Text(text) => text,
        AttributeValue::Integer(number) => {
            *room = number.to_string();
            room
        }
    }
}

/// The condition that a rule is found by: one that wants certain values, where there is one.
fn key_of(terms: &[Term]) -> Option<&Term> {
    let exact = |term: &&Term| term.matches.iter().all(|value| matches!(value, Match::Is(_)));
    terms.iter().find(exact).or_else(|| terms.first())
}

fn holds<'a>(terms: &[Term], value_of: impl Fn(u32) -> Option<&'a AttributeValue>) -> bool {
    let mut room = String::new();
    !terms.is_empty()
        && terms.iter().all(|term| {
            let Some(value) = value_of(term.attribute) else { return false };
            let text = written(value, &mut room);
            term.matches.iter().any(|wanted| match wanted {
                Match::Any => true,
                Match::Is(wanted) => **wanted == *text,
                Match::Ends(end) => matches!(value, AttributeValue::Text(_)) && text.ends_with(&**end),
            })
        })
}

impl Ruled {
    pub(crate) fn new() -> Self {
        Self {
            values: RedBlackTreeMapSync::new_sync(),
            rules: RedBlackTreeMapSync::new_sync(),
            removed: RedBlackTreeSetSync::new_sync(),
            watching: Arc::default(),
        }
    }

    fn is_rule(&self, group: GroupId) -> bool {
        self.rules.contains_key(&group)
    }

    fn values_of(&self, subject: SubjectIndex) -> impl Iterator<Item = (u32, &AttributeValue)> {
        let range = self.values.range((subject, 0)..=(subject, u32::MAX));
        range.map(|((_, attribute), value)| (*attribute, value))
    }

    /// The groups whose rules hold for these values (sorted by attribute) of a subject, sorted; without one, what
    /// held before a change counts as well as what holds after it.
    fn groups_ruled(&self, subject: Option<SubjectIndex>, values: &[(u32, &AttributeValue)]) -> Vec<GroupId> {
        let (mut found, mut room) = (vec![], String::new());
        if self.rules.is_empty() {
            return found;
        }
        let value_of = |attribute: u32| {
            let at = values.binary_search_by_key(&attribute, |(attribute, _)| *attribute).ok()?;
            values.get(at).map(|(_, value)| *value)
        };
        for (attribute, value) in values {
            let Some(watching) = self.watching.get(attribute) else { continue };
            let exact = watching.by_value.get(written(value, &mut room)).into_iter().flatten();
            let candidates = exact.chain(&watching.others).copied();
            found.extend(candidates.filter(|group| {
                let rule = self.rules.get(group);
                rule.is_some_and(|rule| match subject {
                    Some(subject) => holds(rule.terms_for(subject), value_of),
                    None => holds(&rule.terms, value_of) || holds(&rule.before, value_of),
                })
            }));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn watch(&mut self, group: GroupId, terms: &[Term]) {
        let Some(key) = key_of(terms) else { return };
        let watching = Arc::make_mut(&mut self.watching).entry(key.attribute).or_default();
        let mut exact = vec![];
        for value in &key.matches {
            if let Match::Is(text) = value {
                exact.push(text);
            }
        }
        if exact.len() == key.matches.len() {
            exact.into_iter().for_each(|text| watching.by_value.entry(text.clone()).or_default().push(group));
        } else {
            watching.others.push(group);
        }
    }

    fn unwatch(&mut self, group: GroupId, terms: &[Term]) {
        let Some(key) = key_of(terms) else { return };
        let Some(watching) = Arc::make_mut(&mut self.watching).get_mut(&key.attribute) else { return };
        watching.others.retain(|other| *other != group);
        for value in &key.matches {
            if let Match::Is(text) = value
                && let Some(groups) = watching.by_value.get_mut(text)
            {
                groups.retain(|other| *other != group);
                if groups.is_empty() {
                    watching.by_value.remove(text);
                }
            }
        }
    }

    fn remove(&mut self, group: GroupId) {
        if let Some(old) = self.rules.get(&group).map(Arc::clone) {
            self.unwatch(group, &old.before);
            self.unwatch(group, &old.terms);
            self.rules.remove_mut(&group);
        }
        self.removed.insert_mut(group);
    }

    /// Puts the rule of a group. Answers with the subjects for whom something may have changed.
    fn put(&mut self, record: &GroupRecord) -> Range<u32> {
        let (id, old) = (record.id, self.rules.get(&record.id).map(Arc::clone));
        let Some(rule) = record.rule.as_ref().filter(|_| !self.removed.contains(&id)) else { return 0..0 };
        if old.as_deref() == Some(rule) {
            return 0..0;
        }
        if let Some(old) = &old {
            self.unwatch(id, &old.before);
            self.unwatch(id, &old.terms);
        }
        self.watch(id, &rule.before);
        self.watch(id, &rule.terms);
        self.rules.insert_mut(id, Arc::new(rule.clone()));
        // Looked at are those for whom something else must hold now.
        let none = GroupRule { terms: vec![], before: vec![], settled: SubjectIndex(0) };
        let old = old.as_deref().unwrap_or(&none);
        let (low, high) = (old.settled.min(rule.settled).0, old.settled.max(rule.settled).0);
        let differs = |part: &Range<u32>| {
            let at = SubjectIndex(part.start);
            !part.is_empty() && old.terms_for(at) != rule.terms_for(at)
        };
        let mut parts = [0..low, low..high, high..u32::MAX].into_iter().filter(differs);
        let Some(first) = parts.next() else { return 0..0 };
        first.start..parts.next_back().map_or(first.end, |last| last.end)
    }

    /// The subjects among these that have a value, in their order.
    fn subjects_in(&self, range: Range<u32>) -> Vec<SubjectIndex> {
        let range = (SubjectIndex(range.start), 0)..(SubjectIndex(range.end), 0);
        let mut subjects: Vec<_> = self.values.range(range).map(|((subject, _), _)| *subject).collect();
        subjects.dedup();
        subjects
    }
}

impl Rules {
    /// Puts the value of a declared attribute, or takes it away. The subject's groups follow.
    pub fn put_value(&mut self, subject: SubjectIndex, attribute: u32, value: Option<&AttributeValue>) {
        match value {
            Some(value) => self.ruled.values.insert_mut((subject, attribute), value.clone()),
            None => {
                self.ruled.values.remove_mut(&(subject, attribute));
            }
        }
        self.follow_values(subject);
    }

    /// The values of a subject's declared attributes, by attribute.
    pub fn values_of(&self, subject: SubjectIndex) -> impl Iterator<Item = (u32, &AttributeValue)> {
        self.ruled.values_of(subject)
    }

    /// The value of one declared attribute.
    #[must_use]
    pub fn value_of(&self, subject: SubjectIndex, attribute: u32) -> Option<&AttributeValue> {
        self.ruled.values.get(&(subject, attribute))
    }

    /// How many values there are.
    #[must_use]
    pub fn values(&self) -> usize {
        self.ruled.values.size()
    }

    /// How many groups have a rule.
    #[must_use]
    pub fn rule_groups(&self) -> usize {
        self.ruled.rules.size()
    }

    /// Whether a group's members follow from a rule.
    #[must_use]
    pub fn follows_rule(&self, group: GroupId) -> bool {
        self.ruled.is_rule(group)
    }

    /// The groups whose rules would hold for a subject that had these values, sorted by attribute.
    #[must_use]
    pub fn groups_ruled(&self, subject: SubjectIndex, values: &[(u32, &AttributeValue)]) -> Vec<GroupId> {
        self.ruled.groups_ruled(Some(subject), values)
    }

    /// The groups whose rules hold for these values, sorted by attribute, for a subject that a change of the rule has
    /// reached or for one that it has not, sorted.
    #[must_use]
    pub fn groups_reached(&self, values: &[(u32, &AttributeValue)]) -> Vec<GroupId> {
        self.ruled.groups_ruled(None, values)
    }

    pub(crate) fn put_rule(&mut self, record: &GroupRecord) {
        let range = self.ruled.put(record);
        for subject in self.ruled.subjects_in(range) {
            self.follow_values(subject);
        }
    }

    pub(crate) fn remove_rule(&mut self, group: GroupId) {
        self.ruled.remove(group);
    }

    /// Brings a subject into the groups whose rules hold for it, and out of the others.
    pub(crate) fn follow_values(&mut self, subject: SubjectIndex) {
        if self.ruled.rules.is_empty() || !Self::is_subject(subject) {
            return;
        }
        let old = self.lines.get(subject.0).copied();
        let deleted = self.line(subject).is_some_and(|line| line.status() == SubjectStatus::Deleted);
        let values: Vec<_> = self.ruled.values_of(subject).collect();
        let mut list = if deleted { vec![] } else { self.ruled.groups_ruled(Some(subject), &values) };
        let groups = self.members.groups(old.map_or(0, |line| line.groups));
        list.extend(groups.iter().copied().filter(|group| !self.ruled.is_rule(*group)));
        list.sort_unstable();
        if groups == list {
            return;
        }
        let mut line = self.clean_line(old);
        let new = self.acquire_membership(&list);
        self.release_membership(line.groups);
        line.groups = new;
        self.lines.set(subject.0, line);
    }
}
