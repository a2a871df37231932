//! Sets within sets, flattened: beside each set all those that whoever is in it is in thereby.
//!
//! A group lies in groups that lie in groups. A question wants all of them at once, and they change seldom: so they stand
//! in one list by object, kept with every write that nests a set. INVARIANT: where lists are kept, that of an object
//! holds for each of its met relations every met node that tuples without windows lead up to from there, or says that one
//! has to climb: because a tuple with a window lies on a way, or because there are too many. An object without a list
//! leads to relations of its own at most: see [`Above::alike`].
//!
//! An edit pays for the sets below the one that it nests, which may be many. Where these are too many, no lists are kept
//! any more until all are made anew, and questions climb.

use crate::objects::{LOCAL, Object, ObjectId};
use crate::relations::{Admitted, Relations};
use crate::seen::{Node, Seen};
use crate::words::{RelationId, TypeId};
use std::sync::Arc;
use tessera_policy::Chunked;

/// LIMIT: nodes of one list: who is in more climbs.
const LEADS_MAX: usize = 128;
/// LIMIT: tuples that one edit may look at to keep lists: some ms.
const FLATTENED_MAX: usize = 32_768;
/// LIMIT: tuples that edits may look at in a row beyond [`FLATTENED_FREE`] each: 0.2 s. Behind that no lists are kept.
const FLATTENED_DEBT_MAX: usize = 64 * FLATTENED_MAX;
/// Tuples that each edit may look at for nothing.
const FLATTENED_FREE: usize = 1_024;
/// LIMIT: tuples that are looked at to make all lists anew: some 0.4 s of a wake.
const FLATTENED_ALL_MAX: usize = 4_194_304;
/// LIMIT: nodes of all lists of a tenant: 64 MiB.
const LEADS_ALL_MAX: usize = 4_194_304;

/// That whoever is in a relation to the object that it stands at is in a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lead {
    /// The relation to that object.
    pub(crate) from: RelationId,
    /// The type that the object has.
    pub(crate) own: TypeId,
    /// The node, with its type; [`Node::NONE`] where one has to climb.
    pub(crate) to: Node,
}

/// The list of one object.
#[derive(Clone, Default)]
pub(crate) struct Leads {
    /// A bit for the end of each number in it, all where it says that one has to climb.
    pub(crate) ends: u64,
    list: Option<Arc<[Lead]>>,
}

impl Leads {
    /// No list.
    const NONE: Self = Self { ends: 0, list: None };

    fn of(list: Vec<Lead>) -> Self {
        let end = |lead: &Lead| if lead.to == Node::NONE { u64::MAX } else { 1 << (lead.to.object() & 63) };
        let ends = list.iter().map(end).fold(0, |ends, end| ends | end);
        Self { ends, list: (!list.is_empty()).then(|| list.into()) }
    }

    /// The list.
    #[inline]
    pub(crate) fn list(&self) -> &[Lead] {
        self.list.as_deref().unwrap_or_default()
    }
}

/// The lists, by object.
#[derive(Clone)]
pub(crate) struct Flat {
    lists: Option<Chunked<Leads>>,
    /// Nodes of all lists.
    nodes: usize,
    /// Tuples that were looked at beyond what edits may.
    debt: usize,
}

impl Flat {
    /// Lists of nothing.
    pub(crate) fn new() -> Self {
        Self { lists: Some(Chunked::new(LOCAL)), nodes: 0, debt: 0 }
    }

    /// Keeps no lists any more: questions climb.
    fn drop_all(&mut self) {
        *self = Self { lists: None, nodes: 0, debt: 0 };
    }

    /// Whether lists are kept.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        self.lists.is_some()
    }

    /// The list of an object.
    #[inline]
    pub(crate) fn of(&self, object: ObjectId) -> &[Lead] {
        self.entry(object).list()
    }

    /// The same, with its ends.
    #[inline]
    pub(crate) fn entry(&self, object: ObjectId) -> &Leads {
        self.lists.as_ref().and_then(|lists| lists.get(object.0)).unwrap_or(&Leads::NONE)
    }

    /// Asks for the place of an object's list, without waiting for it.
    #[inline]
    pub(crate) fn touch(&self, object: ObjectId) {
        self.lists.iter().for_each(|lists| lists.touch(object.0));
    }

    fn set(&mut self, object: ObjectId, list: Leads) {
        let Some(lists) = &mut self.lists else { return };
        let (had, has) = (lists.get(object.0).map_or(0, |list| list.list().len()), list.list().len());
        if had > 0 || has > 0 {
            lists.set(object.0, list);
            self.nodes = self.nodes.saturating_sub(had).saturating_add(has);
        }
        if self.nodes > LEADS_ALL_MAX {
            self.drop_all();
        }
    }
}

impl Relations {
    /// Whether a tuple nests a set: the subject's object then.
    pub(crate) fn nested(&self, one: &Admitted<'_>) -> Option<ObjectId> {
        let set = one.subject.allowed.relation != RelationId::NONE;
        let met = set && self.schema.rule(one.object.0, one.relation).is_some_and(|rule| rule.met);
        if met { self.tuples.objects.find(one.subject.allowed.type_id, one.subject.id) } else { None }
    }

    /// Keeps the lists of a set and of all below it, when a tuple that names the set has come, changed or gone.
    pub(crate) fn flatten(&mut self, named: ObjectId) {
        if self.deep {
            // Nobody asks for lists.
            return;
        }
        let (mut seen, mut at, mut looks) = (Seen::new(), 0, 0);
        seen.insert(Node::new(named.0, 0));
        while let Some(node) = seen.get(at).filter(|_| self.flat.is_kept()) {
            at += 1;
            let about = ObjectId(node.object());
            let list = self.leads(about, &mut looks);
            self.flat.set(about, list);
            if let Some(object) = self.standing(about) {
                let holds = self.schema.sets.holds.get(usize::from(object.type_id.0));
                for (relation, set) in holds.into_iter().flatten() {
                    let below = object.forward().of(*relation, *set);
                    below.for_each(|edge| {
                        looks += 1;
                        seen.insert(Node::new(edge.object(), 0));
                    });
                }
            }
            if looks > FLATTENED_MAX {
                self.flat.drop_all();
            }
        }
        // A row of such edits would keep the tenant's writer from everything else.
        self.flat.debt = self.flat.debt.saturating_add(looks).saturating_sub(FLATTENED_FREE);
        if self.flat.debt > FLATTENED_DEBT_MAX {
            self.flat.drop_all();
        }
    }

    /// Makes all lists anew.
    pub(crate) fn flatten_all(&mut self) {
        let (mut flat, mut looks) = (Flat::new(), 0_usize);
        if self.schema.sets.nests.iter().any(|nests| !nests.is_empty()) {
            for (about, object) in self.tuples.objects.iter() {
                let nests = self.schema.sets.nests.get(usize::from(object.type_id.0));
                if nests.is_some_and(|nests| !nests.is_empty()) {
                    let mut looked = 1;
                    flat.set(about, self.leads(about, &mut looked));
                    looks = looks.saturating_add(looked);
                }
                if looks > FLATTENED_ALL_MAX {
                    flat.drop_all();
                    break;
                }
            }
        }
        self.flat = flat;
    }

    /// An object that stands in a tuple.
    pub(crate) fn standing(&self, about: ObjectId) -> Option<&Object> {
        self.tuples.objects.get(about).filter(|object| !object.id_bytes().is_empty())
    }

    /// The list of an object, found by climbing.
    fn leads(&self, about: ObjectId, looks: &mut usize) -> Leads {
        let Some(object) = self.standing(about) else { return Leads::NONE };
        let mut list = Vec::new();
        for number in self.schema.sets.by_type.get(usize::from(object.type_id.0)).into_iter().flatten() {
            let Some(rule) = self.schema.rule_at(*number) else { continue };
            let (from, own) = (rule.relation, rule.type_id);
            let before = list.len();
            let mut seen = Seen::new();
            seen.insert(Node::new(about.0, from.0).typed(own));
            match self.climb_all(&mut seen, looks) {
                Some(false) => {}
                Some(true) => {
                    let nodes = (1..seen.len()).filter_map(|at| seen.get(at));
                    list.extend(nodes.map(|to| Lead { from, own, to }));
                }
                None => list.push(Lead { from, own, to: Node::NONE }),
            }
            if list.len() > LEADS_MAX {
                list.truncate(before);
                list.push(Lead { from, own, to: Node::NONE });
            }
        }
        Leads::of(list)
    }

    /// Goes up from the first node of a set to all that it leads to. Whether any tuple led up; none where one with a
    /// window did, or too many.
    fn climb_all(&self, seen: &mut Seen, looks: &mut usize) -> Option<bool> {
        let (objects, mut at, mut led) = (&self.tuples.objects, 0, false);
        while let Some(node) = seen.get(at) {
            at += 1;
            let about = ObjectId(node.object());
            let rule = self.schema.rule(node.type_id(), RelationId(node.relation()));
            let (Some(object), Some(rule)) = (objects.get(about), rule) else { continue };
            for one in &rule.above {
                if one.same {
                    one.types.iter().for_each(|type_id| {
                        seen.insert(Node::new(about.0, one.relation.0).typed(*type_id));
                    });
                    continue;
                }
                for back in object.reverse().of(one.relation, one.set) {
                    *looks += 1;
                    if back.is_timed() || seen.len() > LEADS_MAX || *looks > FLATTENED_MAX {
                        return None;
                    }
                    let type_id = objects.get(ObjectId(back.object())).map(|above| above.type_id);
                    let Some(type_id) = type_id.filter(|type_id| one.types.contains(type_id)) else {
                        continue;
                    };
                    led = true;
                    seen.insert(Node::new(back.object(), one.relation.0).typed(type_id));
                }
            }
        }
        Some(led)
    }
}
