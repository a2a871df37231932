//! Which rules of a model are met from below, and where the ways up begin and go on: see [`crate::meet`].

use crate::plan::Above;
use crate::schema::{Op, Rule, Schema, Way};
use crate::words::RelationId;

/// Sets that are found from below: where the ways up begin and go on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sets {
    /// By type: met rules whose tuples may name an object of it.
    pub(crate) objects: Vec<Vec<Above>>,
    /// By type: met rules whose tuples may name everybody of it.
    pub(crate) everybody: Vec<Vec<Above>>,
    /// By type: relations of met rules whose tuples may name a set of it, each with the set's relation.
    pub(crate) nests: Vec<Vec<(RelationId, RelationId)>>,
    /// By type: relations of met rules whose tuples about an object of it may name sets, each with the sets' relation.
    pub(crate) holds: Vec<Vec<(RelationId, RelationId)>>,
    /// By type: the numbers of its met rules.
    pub(crate) by_type: Vec<Vec<usize>>,
    /// Steps on one object that follow each other in met rules, at most; [`CHAIN_MAX`] for more than is counted.
    pub(crate) chain: u32,
}

/// LIMIT: steps on one object that are counted: more than a question may look down.
pub(crate) const CHAIN_MAX: u32 = 32;

/// What is found from below.
impl Schema {
    /// Finds out which rules are met, and how the ways up go.
    pub(crate) fn meet(&mut self, types: usize) {
        let down: Vec<Vec<(Way, usize)>> = self
            .rules
            .iter()
            .map(|rule| rule.program.iter().flat_map(|op| self.below(rule, *op)).collect())
            .collect();
        // What is no list of tuples and relations of the same object spoils all that leads to it.
        let leads_on = |rule: &Rule| rule.program.iter().any(|op| matches!(op, Op::From { .. }));
        let mut flat: Vec<bool> = self.rules.iter().map(|rule| rule.plain && !leads_on(rule)).collect();
        let mut spoilt: Vec<usize> =
            (0..flat.len()).filter(|number| flat.get(*number) == Some(&false)).collect();
        let mut up: Vec<Vec<usize>> = vec![Vec::new(); down.len()];
        for (number, ways) in down.iter().enumerate() {
            for (_, below) in ways {
                up.get_mut(*below).into_iter().for_each(|list| list.push(number));
            }
        }
        while let Some(number) = spoilt.pop() {
            for user in up.get(number).into_iter().flatten() {
                if let Some(place) = flat.get_mut(*user).filter(|place| **place) {
                    *place = false;
                    spoilt.push(*user);
                }
            }
        }
        let targets = down.iter().flatten().filter(|(way, _)| *way == Way::Userset).map(|(_, below)| *below);
        let mut open: Vec<usize> = targets.filter(|below| flat.get(*below) == Some(&true)).collect();
        let mut met = vec![false; flat.len()];
        while let Some(number) = open.pop() {
            if let Some(place) = met.get_mut(number).filter(|place| !**place) {
                *place = true;
                open.extend(down.get(number).into_iter().flatten().map(|(_, below)| *below));
            }
        }
        for (number, rule) in self.rules.iter_mut().enumerate() {
            rule.met = met.get(number) == Some(&true);
        }
        self.sets = Sets::of(&self.rules, types, chain(&down, &met));
    }
}

impl Sets {
    fn of(rules: &[Rule], types: usize, chain: u32) -> Self {
        let mut sets = Self { chain, ..Self::default() };
        let (mut objects, mut everybody) = (vec![Vec::new(); types], vec![Vec::new(); types]);
        sets.nests.resize(types, Vec::new());
        (sets.holds, sets.by_type) = (sets.nests.clone(), vec![Vec::new(); types]);
        for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.met) {
            let own = usize::from(rule.type_id.0);
            sets.by_type.get_mut(own).into_iter().for_each(|list| list.push(number));
            for one in &rule.allowed {
                let at = usize::from(one.type_id.0);
                if one.relation != RelationId::NONE {
                    let held = (rule.relation, one.relation);
                    sets.holds.get_mut(own).into_iter().for_each(|list| list.push(held));
                    sets.nests
                        .get_mut(at)
                        .into_iter()
                        .for_each(|list| list.push((rule.relation, one.relation)));
                } else {
                    let lists = if one.wildcard { &mut everybody } else { &mut objects };
                    let user = (rule.relation, RelationId::NONE, rule.type_id);
                    lists.get_mut(at).into_iter().for_each(|list| list.push(user));
                }
            }
        }
        sets.objects = objects.into_iter().map(Above::runs).collect();
        sets.everybody = everybody.into_iter().map(Above::runs).collect();
        for list in sets.nests.iter_mut().chain(&mut sets.holds) {
            list.sort_unstable();
            list.dedup();
        }
        sets
    }
}

/// The longest row of steps on one object, counted as far as [`CHAIN_MAX`].
fn chain(down: &[Vec<(Way, usize)>], met: &[bool]) -> u32 {
    let mut long = vec![0_u32; down.len()];
    for round in 0.. {
        let mut grew = false;
        for (number, ways) in down.iter().enumerate().filter(|(number, _)| met.get(*number) == Some(&true)) {
            let below = ways.iter().filter(|(way, _)| *way == Way::Computed);
            let least =
                below.filter_map(|(_, below)| long.get(*below)).map(|long| long + 1).max().unwrap_or(0);
            if let Some(place) = long.get_mut(number).filter(|place| **place < least) {
                *place = least;
                grew = true;
            }
        }
        if !grew || round >= CHAIN_MAX {
            break;
        }
    }
    long.into_iter().max().unwrap_or(0).min(CHAIN_MAX)
}
