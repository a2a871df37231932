//! The swift way to an answer: over lists that are kept with every write, without a search.
//!
//! The object and all that it lies in are gone over once, for the sets that they name ([`crate::ancestors`]); then each set
//! that the subject stands in is asked whether it is one of those or leads into one ([`crate::flat`]). What no list tells
//! for good is left to the search: a tuple with a window, a way that leads round or too deep, more than fits here, and
//! tuples that came with the question. INVARIANT: an answer from here is the search's own.

use crate::edges::Edge;
use crate::merged::{Merged, untimed};
use crate::objects::{Object, ObjectId};
use crate::plan::Above;
use crate::question::{Ask, Subject, TupleRef};
use crate::relations::{Answer, Relations};
use crate::runs::{Side, Words, is_timed, object_of};
use crate::schema::{Allowed, Op, Rule};
use crate::seen::Node;
use crate::sets::CHAIN_MAX;
use crate::words::{RelationId, TypeId};
use std::sync::atomic::Ordering;
use tessera_model::UnixMillis;

/// LIMIT: sets that one question may come by here.
const TARGETS_MAX: usize = 32;
/// LIMIT: tuples that may be looked at here: some us.
const LOOKED_MAX: u32 = 1_024;

/// LIMIT: objects that are asked for before they are looked at: more than one line names.
const TOUCHED_MAX: usize = 16;

/// What a check asks about, when both objects stand in tuples.
pub(crate) struct Both<'a> {
    about: (ObjectId, &'a Object),
    relation: RelationId,
    named: (ObjectId, &'a Object),
    subject_type: TypeId,
}

impl Both<'_> {
    pub(crate) fn node(&self) -> Node {
        Node::new(self.about.0.0, self.relation.0)
    }

    pub(crate) fn subject(&self) -> Subject {
        let (type_id, relation) = (self.subject_type, RelationId::NONE);
        Subject { object: self.named.0, allowed: Allowed { type_id, relation, wildcard: false } }
    }
}

/// What stands before the first colon, and behind it.
#[inline]
fn parted(text: &str) -> Option<(&str, &str)> {
    // WHY: names of types are short: their letters are counted sooner than a search for one begins.
    let at = text.bytes().position(|byte| byte == b':')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl Relations {
    /// The objects of a check that stand in tuples: then their texts are good, because only good ones are stored.
    #[inline]
    pub(crate) fn both_stored(&self, tuple: &TupleRef<'_>) -> Option<Both<'_>> {
        let (type_name, id) = parted(tuple.object)?;
        let (subject_type, name) = parted(tuple.subject)?;
        let type_id = self.known_type(type_name).ok()?;
        let relation = self.words.relation_id(tuple.relation)?;
        self.schema.number(type_id, relation)?;
        let subject_type = self.known_type(subject_type).ok()?;
        if id == "*" || name == "*" {
            return None;
        }
        let [about, named] = self.tuples.objects.find_both([(type_id, id), (subject_type, name)])?;
        Some(Both { about, relation, named, subject_type })
    }

    /// The answer to a check, where lists tell it; and how much was looked at, where they do not.
    #[inline]
    pub(crate) fn swift(&self, ask: &Ask<'_>, both: &Both<'_>, looked: &mut u32) -> Option<Answer> {
        let listed = !self.deep && self.flat.is_kept() && self.schema.sets.chain < CHAIN_MAX;
        let gone = ask.gone.is_some_and(|gone| gone.load(Ordering::Relaxed));
        if !listed || gone || !ask.contextual.is_empty() {
            return None;
        }
        let rule = self.schema.rule(both.about.1.type_id, both.relation)?;
        let mut swift = Swift {
            relations: self,
            both,
            everybody: self.tuples.objects.wildcard(both.subject_type),
            depth: ask.depth,
            deepest: 0,
            looked: 0,
            limit: ask.budget.min(LOOKED_MAX),
            wanted: 0,
            len: 0,
            targets: [Node::NONE; TARGETS_MAX],
        };
        let found = swift.rule(rule, 0);
        *looked = swift.looked;
        Some(Answer { permitted: found?, valid_until: UnixMillis(u64::MAX), steps: swift.looked })
    }
}

struct Swift<'a, 'b> {
    relations: &'a Relations,
    both: &'b Both<'a>,
    /// Who stands for everybody of the subject's type.
    everybody: Option<ObjectId>,
    /// Steps that an answer may lie away.
    depth: u32,
    /// Steps to what lies deepest, at least as many as there are.
    deepest: u32,
    looked: u32,
    /// LIMIT: what may be looked at: what is left of the question's budget at most.
    limit: u32,
    /// A bit for the end of the number of each set that is wanted.
    wanted: u64,
    len: usize,
    /// The sets that the object and all that it lies in name.
    targets: [Node; TARGETS_MAX],
}

impl<'a> Swift<'a, '_> {
    /// Counts what is looked at; none when it is too much for here.
    #[inline]
    fn look(&mut self, count: u32) -> Option<()> {
        self.looked = self.looked.saturating_add(count);
        if self.looked <= self.limit { Some(()) } else { None }
    }

    /// Whether the subject is in a relation to the object, so many steps away.
    fn rule(&mut self, rule: &'a Rule, depth: u32) -> Option<bool> {
        if let Some(merged) = &rule.merged {
            return self.reach(merged, depth);
        }
        // What can be part of a circle is looked at whole.
        if rule.circular || rule.met || rule.long > 0 || depth >= self.depth {
            return None;
        }
        self.op(rule, 0, depth)
    }

    /// One step of a program over relations of the object.
    fn op(&mut self, rule: &'a Rule, at: usize, depth: u32) -> Option<bool> {
        // Operators over operators name the same one again and again: each time counts.
        self.look(1)?;
        match *rule.program.get(at)? {
            Op::Computed(relation) => {
                self.rule(self.relations.schema.rule(rule.type_id, relation)?, depth + 1)
            }
            Op::Direct | Op::From { .. } => None,
            Op::Exclusion { end } => {
                let behind = rule.program.get(at + 1).map_or(end, |op| op.end(at + 1));
                Some(self.op(rule, at + 1, depth)? && !self.op(rule, behind, depth)?)
            }
            op @ (Op::Union { end } | Op::Intersection { end }) => {
                let union = matches!(op, Op::Union { .. });
                let mut operand = at + 1;
                while operand < end {
                    if self.op(rule, operand, depth)? == union {
                        return Some(union);
                    }
                    operand = rule.program.get(operand)?.end(operand);
                }
                Some(!union)
            }
        }
    }

    /// The same, where only unions are below.
    fn reach(&mut self, merged: &'a Merged, depth: u32) -> Option<bool> {
        let relations = self.relations;
        (self.len, self.wanted, self.deepest) = (0, 0, 0);
        let (about, object) = self.both.about;
        // The lists of what the object lies in are asked for before anything else is looked at.
        for told in merged.leading() {
            for edge in object.forward().of(told.relation, told.set).take(TOUCHED_MAX) {
                relations.tuples.objects.touch(ObjectId(edge.object()));
                relations.ancestors.touch(ObjectId(edge.object()));
            }
        }
        if self.visit(merged, (about, object), depth)? {
            return Some(true);
        }
        let below = depth + merged.same + 1;
        for told in merged.leading() {
            for edge in object.forward().of(told.relation, told.set) {
                self.look(1)?;
                let target = ObjectId(edge.object());
                let found = relations.tuples.objects.get(target).filter(|_| !edge.is_timed())?;
                for (_, number) in told.below.iter().filter(|(type_id, _)| *type_id == found.type_id) {
                    if self.come_by(*number, (target, found), below)? {
                        return Some(true);
                    }
                }
            }
        }
        if self.len == 0 {
            return Some(false);
        }
        // What a set names lies a step further than the object that names it.
        if relations.lies_in(self.deepest + 1, relations.highest, self.depth) {
            self.is_in_any()
        } else {
            None
        }
    }

    /// Goes over an object that the one asked about lies in, and over all that it lies in itself.
    fn come_by(
        &mut self,
        number: usize,
        (about, object): (ObjectId, &'a Object),
        depth: u32,
    ) -> Option<bool> {
        let relations = self.relations;
        let rule = relations.schema.rule_at(number)?;
        self.look(1)?;
        if rule.met {
            self.want(Node::new(about.0, rule.relation.0).typed(rule.type_id))?;
            self.deepest = self.deepest.max(depth);
            return Some(false);
        }
        let list = relations.ancestors.of(about);
        // What other rules have there is passed by: a small part of what an entry of its own costs.
        self.look(u32::try_from(list.len() / 16).unwrap_or(u32::MAX))?;
        let mut listed = false;
        for one in list.iter().filter(|one| usize::from(one.from) == number) {
            listed = true;
            relations.tuples.objects.touch(one.object);
        }
        if !listed {
            let merged = rule.merged.as_ref()?;
            let leads =
                merged.leading().any(|told| object.forward().of(told.relation, told.set).next().is_some());
            return if leads { None } else { self.visit(merged, (about, object), depth) };
        }
        for one in list.iter().filter(|one| usize::from(one.from) == number) {
            let object = relations.tuples.objects.get(one.object).filter(|object| object.turn == one.turn)?;
            let merged = relations.merged_at(usize::from(one.rule))?;
            if self.visit(merged, (one.object, object), depth + u32::from(one.level))? {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Whether a tuple about an object names the subject; notes the sets that others name.
    #[inline]
    fn visit(&mut self, merged: &Merged, (about, object): (ObjectId, &Object), depth: u32) -> Option<bool> {
        let deepest = depth + merged.same;
        if deepest >= self.depth {
            return None;
        }
        self.deepest = self.deepest.max(deepest);
        for relation in &merged.sets {
            self.want(Node::new(about.0, relation.0).typed(object.type_id))?;
        }
        let Side::Packed(list) = object.forward() else { return self.visit_apart(merged, object.forward()) };
        // At most as many as a line holds.
        self.look(1 + u32::try_from(list.len() / 4).unwrap_or(0))?;
        for (run, words) in Words::of(list) {
            let Some(told) = merged.of(run) else { continue };
            if let Some(type_id) = told.met {
                for word in words {
                    self.want(Node::new(untimed(*word)?.0, told.set.0).typed(type_id))?;
                }
            } else if let Some(number) = told.named {
                for word in words {
                    let named = object_of(*word);
                    if named == self.both.named.0 || self.everybody == Some(named) {
                        match self.is_named(number, *word) {
                            Some(false) => {}
                            told @ (Some(true) | None) => return told,
                        }
                    }
                }
            }
        }
        Some(false)
    }

    /// Whether a tuple that names the subject, or everybody of its type, counts.
    #[cold]
    #[inline(never)]
    fn is_named(&self, number: usize, word: [u8; 4]) -> Option<bool> {
        let itself = object_of(word) == self.both.named.0;
        if !self.names(number, itself) {
            return Some(false);
        }
        if is_timed(word) { None } else { Some(true) }
    }

    /// The same for an object with many tuples.
    #[cold]
    #[inline(never)]
    fn visit_apart(&mut self, merged: &Merged, side: Side<'_>) -> Option<bool> {
        for told in &merged.told {
            self.look(1)?;
            for (who, itself) in [(Some(self.both.named.0), true), (self.everybody, false)] {
                let (Some(number), Some(who)) = (told.named, who) else { continue };
                if let Some(edge) = side.find(Edge::new(told.relation.0, RelationId::NONE.0, who.0))
                    && self.names(number, itself)
                {
                    return if edge.is_timed() { None } else { Some(true) };
                }
            }
            if let Some(type_id) = told.met {
                for edge in side.of(told.relation, told.set) {
                    if edge.is_timed() {
                        return None;
                    }
                    self.look(1)?;
                    self.want(Node::new(edge.object(), told.set.0).typed(type_id))?;
                }
            }
        }
        Some(false)
    }

    /// Whether a tuple of this rule may name the subject, or everybody of its type.
    fn names(&self, number: usize, itself: bool) -> bool {
        let rule = self.relations.schema.rule_at(number);
        rule.is_some_and(|rule| rule.allows(self.both.subject_type, RelationId::NONE, !itself))
    }

    /// Notes a set; none when there is no room.
    #[inline]
    fn want(&mut self, node: Node) -> Option<()> {
        *self.targets.get_mut(self.len)? = node;
        self.len += 1;
        self.wanted |= 1 << (node.object() & 63);
        Some(())
    }

    /// Whether the subject is in any of the sets that were noted.
    fn is_in_any(&mut self) -> Option<bool> {
        let (sets, at) = (&self.relations.schema.sets, usize::from(self.both.subject_type.0));
        let above = sets.objects.get(at).map(Vec::as_slice).unwrap_or_default();
        if !above.is_empty() && self.is_in_by(self.both.named.1, above)? {
            return Some(true);
        }
        let above = sets.everybody.get(at).map(Vec::as_slice).unwrap_or_default();
        match self.everybody.filter(|_| !above.is_empty()) {
            Some(everybody) => self.is_in_by(self.relations.tuples.objects.get(everybody)?, above),
            None => Some(false),
        }
    }

    /// Whether somebody is in one of them by the tuples that name it.
    fn is_in_by(&mut self, named: &Object, above: &[Above]) -> Option<bool> {
        match named.reverse() {
            Side::Packed(list) => {
                for (run, words) in Words::of(list) {
                    let Some(one) = above.iter().find(|one| one.run == run) else { continue };
                    for word in words {
                        if self.leads_in(one, untimed(*word)?)? {
                            return Some(true);
                        }
                    }
                }
            }
            side @ Side::Apart(_) => {
                for one in above {
                    for back in side.of(one.relation, one.set) {
                        if back.is_timed() {
                            return None;
                        }
                        if self.leads_in(one, ObjectId(back.object()))? {
                            return Some(true);
                        }
                    }
                }
            }
        }
        Some(false)
    }

    /// Whether a set that the subject stands in is one of them, or leads into one.
    #[inline]
    fn leads_in(&mut self, one: &Above, about: ObjectId) -> Option<bool> {
        self.look(1)?;
        let leads = self.relations.flat.entry(about);
        if (leads.ends | 1 << (about.0 & 63)) & self.wanted == 0 {
            return Some(false);
        }
        self.leads_into(one, about, leads.list())
    }

    #[inline(never)]
    fn leads_into(&mut self, one: &Above, about: ObjectId, list: &[crate::flat::Lead]) -> Option<bool> {
        let type_id = match one.only {
            Some(type_id) => type_id,
            None => match self.relations.tuples.objects.get(about).map(|object| object.type_id) {
                Some(type_id) if one.types.contains(&type_id) => type_id,
                Some(_) | None => return Some(false),
            },
        };
        let itself = |relation: RelationId| Node::new(about.0, relation.0).typed(type_id);
        if self.is_wanted(itself(one.relation)) {
            return Some(true);
        }
        let mut alike = one.alike.iter().filter(|(own, _)| *own == type_id);
        if alike.any(|(_, relation)| self.is_wanted(itself(*relation))) {
            return Some(true);
        }
        for lead in list.iter().filter(|lead| lead.from == one.relation && lead.own == type_id) {
            self.look(1)?;
            if lead.to == Node::NONE {
                return None;
            }
            if self.is_wanted(lead.to) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Whether a set is one of them, and its object of the type that it has to have.
    #[inline]
    fn is_wanted(&self, node: Node) -> bool {
        let object = ObjectId(node.object());
        self.wanted >> (object.0 & 63) & 1 == 1
            && self.targets.iter().take(self.len).any(|one| *one == node)
            && self.relations.tuples.objects.get(object).is_some_and(|one| one.type_id == node.type_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Window};
    use tessera_model::Deadline;

    const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define owner: [user]\n    define member: [user, user:*, group#member] or owner\ntype folder\n  relations\n    define parent: [folder]\n    define owner: [user] or owner from parent\n    define viewer: [user, user:*, group#member] or owner or viewer from parent\ntype document\n  relations\n    define parent: [folder, document]\n    define blocked: [user, group#member]\n    define viewer: [user, group#member] or viewer from parent\n    define can_view: viewer but not blocked\n";

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    /// Some tuple; folders mostly lie in one with a lower number, so that most ways lead nowhere round.
    fn tuple(dice: &mut Dice) -> (String, &'static str, String) {
        let (one, other) = (dice.below(12), dice.below(12));
        let round = dice.below(40) == 0;
        let (low, high) = if round || one < other { (one, other) } else { (other, one + 1) };
        let user = if dice.below(25) == 0 { "user:*".to_owned() } else { format!("user:{}", dice.below(9)) };
        match dice.below(12) {
            0..=2 => {
                (format!("folder:{low}"), "parent", format!("folder:{}", if round { low } else { high }))
            }
            3 | 4 => (format!("folder:{low}"), "parent", format!("document:{one}")),
            5 => (format!("document:{low}"), "parent", format!("document:{high}")),
            6 => (format!("group:{high}#member"), "member", format!("group:{low}")),
            7 => (user, "member", format!("group:{one}")),
            8 => (format!("group:{other}#member"), "viewer", format!("folder:{one}")),
            9 => (user, "viewer", format!("folder:{one}")),
            10 => (format!("group:{other}#member"), "viewer", format!("document:{one}")),
            _ => (format!("user:{}", dice.below(9)), ["owner", "blocked"][usize::from(round)], {
                if round { format!("document:{one}") } else { format!("folder:{one}") }
            }),
        }
    }

    /// PROPERTY: what lists tell is what the search finds, after every edit of folders, groups, grants and windows, also
    /// where numbers of objects are used again and lists were not remade. METHOD: random edits, each question asked both ways.
    #[test]
    fn lists_tell_what_the_search_finds() {
        let (mut told, mut permits, mut asked) = (0_u32, 0_u32, 0_u32);
        for seed in 0..40 {
            let (mut dice, mut stored) = (Dice(seed), Vec::new());
            let mut relations = Relations::new();
            relations.set_model(&Model::parse(MODEL).unwrap()).unwrap();
            for step in 0..160_u32 {
                let grows = dice.below(10) < if step < 90 { 9 } else { 4 };
                if grows || stored.is_empty() {
                    let one = tuple(&mut dice);
                    let until = if dice.below(50) == 0 { Deadline(50) } else { Deadline::NONE };
                    // What an edit may look at was used up: lists below stay as they were.
                    relations.ancestors.owe(step % 3 == 0);
                    let reference = TupleRef { subject: &one.0, relation: one.1, object: &one.2 };
                    if relations.write(&reference, Window { from: Deadline::NONE, until }).is_ok() {
                        stored.push(one);
                    }
                } else {
                    let at = usize::try_from(dice.below(stored.len() as u64)).unwrap();
                    let one = stored.swap_remove(at);
                    relations.remove(&TupleRef { subject: &one.0, relation: one.1, object: &one.2 });
                }
                for _ in 0..6 {
                    let subject = format!("user:{}", dice.below(9));
                    let (kind, relation) =
                        [("document", "can_view"), ("folder", "viewer"), ("document", "viewer")]
                            [usize::try_from(dice.below(3)).unwrap()];
                    let object = format!("{kind}:{}", dice.below(12));
                    let tuple = TupleRef { subject: &subject, relation, object: &object };
                    let depth = if dice.below(4) == 0 { 4 } else { 25 };
                    let ask = Ask { depth, ..Ask::at(UnixMillis(0)) };
                    let Some(both) = relations.both_stored(&tuple) else { continue };
                    asked += 1;
                    let Some(answer) = relations.swift(&ask, &both, &mut 0) else { continue };
                    let found = relations.search(&ask, &tuple, None).map(|found| found.permitted);
                    assert_eq!(Ok(answer.permitted), found, "seed {seed}, step {step}: {tuple:?}");
                    told += 1;
                    permits += u32::from(answer.permitted);
                }
            }
        }
        assert!(
            told > asked / 3 && permits > told / 8 && permits < told,
            "{told} of {asked}, {permits} permits"
        );
    }

    /// PROPERTY: folders five deep with groups are told by lists, however they were put together, and the answer follows a
    /// folder that moves.
    #[test]
    fn folders_are_told_by_lists() {
        for turned in [false, true] {
            let mut relations = Relations::new();
            relations.set_model(&Model::parse(MODEL).unwrap()).unwrap();
            let mut levels: Vec<u32> = (1..5).collect();
            if turned {
                levels.reverse();
            }
            let put = |relations: &mut Relations, subject: &str, relation: &str, object: &str| {
                relations.write(&TupleRef { subject, relation, object }, Window::ALWAYS).unwrap();
            };
            for level in levels {
                put(&mut relations, &format!("folder:{}", level - 1), "parent", &format!("folder:{level}"));
            }
            put(&mut relations, "folder:4", "parent", "document:1");
            put(&mut relations, "group:a#member", "viewer", "folder:0");
            put(&mut relations, "group:b#member", "member", "group:a");
            put(&mut relations, "user:ann", "member", "group:b");
            let ask = Ask::at(UnixMillis(0));
            let tuple = TupleRef { subject: "user:ann", relation: "can_view", object: "document:1" };
            let told = |relations: &Relations| {
                relations.swift(&ask, &relations.both_stored(&tuple)?, &mut 0).map(|answer| answer.permitted)
            };
            assert_eq!(told(&relations), Some(true));
            assert!(relations.remove(&TupleRef {
                subject: "folder:1",
                relation: "parent",
                object: "folder:2"
            }));
            assert_eq!(told(&relations), Some(false));
            put(&mut relations, "folder:0", "parent", "folder:2");
            assert_eq!(told(&relations), Some(true));
        }
    }
}
