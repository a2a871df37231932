//! Groups in both: written and removed, with members and with rules.

use super::{ATTRIBUTES, SUBJECTS, Scene, Seeded, TICK_S, VALUES};
use std::collections::BTreeMap;
use tessera_judge::{Conditions, Holder, Rule, Wanted, Window};
use tessera_model::record::{AttributeValue, EdgeWindow, GroupRecord, MemberRecord};
use tessera_model::rule::{GroupRule, Match, Term};
use tessera_model::{GroupId, Name, SubjectIndex};

fn terms(conditions: &Conditions) -> Vec<Term> {
    let matches = |wanted: &Wanted| match wanted {
        Wanted::Any => Match::Any,
        Wanted::Is(text) => Match::Is(text.as_str().into()),
        Wanted::Ends(end) => Match::Ends(end.as_str().into()),
    };
    let term = |(attribute, wanted): &(u32, Vec<Wanted>)| Term {
        attribute: *attribute,
        matches: wanted.iter().map(matches).collect(),
    };
    conditions.iter().map(term).collect()
}

impl Scene {
    pub(super) fn put_group(&mut self) {
        let known: Vec<u32> = self.world.groups.keys().copied().collect();
        let id = self.number(1, &known, 7);
        let mut parents = BTreeMap::new();
        for _ in 0..1 + self.random.below(2) {
            if let Some(parent) = (!known.is_empty()).then(|| self.random.pick(&known))
                && !self.group_reaches(parent, id)
            {
                let window = if self.random.one_in(5) { Window::default() } else { self.limited() };
                parents.insert(parent, window);
            }
        }
        if !known.contains(&id) && self.random.one_in(3) {
            let rule = Rule { now: self.conditions(), before: vec![], reached: u32::MAX };
            self.world.rules.insert(id, rule);
        }
        self.world.groups.insert(id, parents);
        self.rules.put_group(&self.group(id));
    }

    /// The record of a group.
    pub(super) fn group(&self, id: u32) -> GroupRecord {
        let parents = || self.world.groups.get(&id).into_iter().flatten();
        let limited = parents().filter(|(_, window)| window.is_limited());
        let windows = limited.map(|(parent, window)| EdgeWindow {
            parent: GroupId(*parent),
            from: self.deadline(window.from),
            until: self.deadline(window.until),
        });
        let rule = self.world.rules.get(&id).map(|rule| GroupRule {
            terms: terms(&rule.now),
            before: terms(&rule.before),
            settled: SubjectIndex(rule.reached),
        });
        let name = Name::new(&format!("group{id}")).unwrap();
        let windows = windows.collect();
        let parents = parents().map(|(parent, _)| GroupId(*parent)).collect();
        GroupRecord { id: GroupId(id), name, parents, windows, rule }
    }

    /// A window that begins, ends, or does both.
    fn limited(&mut self) -> Window {
        match self.random.below(5) {
            0 => Window { from: Some((1 + self.random.below(10)) * TICK_S), until: None },
            1 => Window { from: None, until: Some((14 + self.random.below(10)) * TICK_S) },
            _ => {
                let from = 1 + self.random.below(12);
                let until = from + 1 + self.random.below(12);
                Window { from: Some(from * TICK_S), until: Some(until * TICK_S) }
            }
        }
    }

    /// Makes a guest of a subject, or a member of a guest.
    pub(super) fn turn_guest(&mut self) {
        let subject = 1 + self.random.below(SUBJECTS);
        let guest = !self.world.guests.remove(&subject);
        if guest {
            self.world.guests.insert(subject);
        }
        self.rules.put_guest(SubjectIndex(subject), guest);
    }

    fn conditions(&mut self) -> Conditions {
        let condition = |random: &mut Seeded| {
            let wanted = (0..1 + random.below(2)).map(|_| match random.below(6) {
                0 => Wanted::Any,
                1 => Wanted::Ends(random.pick(&VALUES).to_owned()),
                _ => Wanted::Is(random.pick(&VALUES).to_owned()),
            });
            let wanted = wanted.collect();
            (1 + random.below(ATTRIBUTES), wanted)
        };
        (0..1 + self.random.below(2)).map(|_| condition(&mut self.random)).collect()
    }

    /// Begins another rule of a group, goes on with one, finishes it, or takes it back, partly or as a whole.
    pub(super) fn change_rule(&mut self) {
        let known: Vec<u32> = self.world.rules.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let id = self.random.pick(&known);
        let (conditions, reached) = (self.conditions(), self.random.pick(&[1, 2, 3, u32::MAX]));
        let back = self.random.one_in(3);
        let rule = self.world.rules.get_mut(&id).unwrap();
        if rule.reached == u32::MAX {
            let before = std::mem::replace(&mut rule.now, conditions);
            (rule.before, rule.reached) = (before, reached);
        } else if back && reached < rule.reached {
            rule.reached = reached;
        } else if back && !rule.before.is_empty() {
            (rule.now, rule.reached) = (std::mem::take(&mut rule.before), u32::MAX);
        } else {
            rule.reached = rule.reached.max(reached);
        }
        if rule.reached == u32::MAX {
            rule.before.clear();
        }
        self.rules.put_group(&self.group(id));
    }

    pub(super) fn put_value(&mut self) {
        let key @ (subject, attribute) = (1 + self.random.below(SUBJECTS), 1 + self.random.below(ATTRIBUTES));
        let value = (!self.random.one_in(4)).then(|| self.random.pick(&VALUES));
        let written = value.map(|text| AttributeValue::Text(text.into()));
        self.rules.put_value(SubjectIndex(subject), attribute, written.as_ref());
        match value {
            Some(text) => drop(self.world.values.insert(key, text.to_owned())),
            None => drop(self.world.values.remove(&key)),
        }
    }

    fn group_reaches(&self, from: u32, to: u32) -> bool {
        from == to
            || self
                .world
                .groups
                .get(&from)
                .is_some_and(|parents| parents.keys().any(|parent| self.group_reaches(*parent, to)))
    }

    pub(super) fn remove_group(&mut self) {
        let known: Vec<u32> = self.world.groups.keys().copied().collect();
        let id = self.random.pick(&known);
        self.rules.remove_group(GroupId(id));
        self.world.groups.remove(&id);
        self.world.rules.remove(&id);
        self.world.members.retain(|(_, group), _| *group != id);
        self.world.grants.retain(|(holder, _, _), _| *holder != Holder::Group(id));
        self.world.under.retain(|(holder, _, _), _| *holder != Holder::Group(id));
    }

    pub(super) fn put_member(&mut self) {
        let mut groups: Vec<u32> = self.world.groups.keys().copied().collect();
        groups.retain(|group| !self.world.rules.contains_key(group));
        if groups.is_empty() {
            return;
        }
        let (subject, group) = (1 + self.random.below(SUBJECTS), self.random.pick(&groups));
        if self.world.members.len() >= 8 && !self.world.members.contains_key(&(subject, group)) {
            return self.remove_member();
        }
        let window = self.window();
        self.rules.put_member(&MemberRecord {
            subject: SubjectIndex(subject),
            group: GroupId(group),
            from: self.deadline(window.from),
            until: self.deadline(window.until),
        });
        self.world.members.insert((subject, group), window);
    }

    pub(super) fn remove_member(&mut self) {
        let known: Vec<_> = self.world.members.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let (subject, group) = self.random.pick(&known);
        self.rules.remove_member(SubjectIndex(subject), GroupId(group));
        self.world.members.remove(&(subject, group));
    }
}
