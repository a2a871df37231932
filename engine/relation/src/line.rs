//! One object in one cache line: its name, the tuples about it and those that name it, as long as they fit.
//!
//! What fits stands packed in the line itself, so that a step from one object to the next waits for memory once:
//! see [`crate::runs`].

use crate::edges::{Edge, Edges};
use crate::runs::{Side, packed};
use crate::words::TypeId;
use std::sync::Arc;

/// Bytes for the id and both lists.
pub(crate) const ROOM: usize = 48;
/// Bytes of an id that stands in the line: a UUID, and room for one tuple beside it.
const ID_IN_LINE: usize = 40;
/// In the place of a length: it stands apart.
const APART: u8 = u8::MAX;
/// A turn that counts no further: the object may have changed since.
pub(crate) const WORN: u16 = u16::MAX;
/// A list apart comes back into the line when it has so few edges, and they fit.
const FEW: usize = 6;

/// Which of an object's lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// Tuples about it: relation, set, subject.
    Forward,
    /// Tuples that name it: relation, set, object.
    Reverse,
}

/// What does not fit into the line.
#[derive(Clone, Debug, Default)]
struct Apart {
    id: Option<Arc<str>>,
    forward: Edges,
    reverse: Edges,
}

/// One object: 64 bytes.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Object {
    apart: Option<Arc<Apart>>,
    pub(crate) type_id: TypeId,
    /// Sets within sets below this object, at least as many as there are: see [`crate::meet`].
    pub(crate) height: u8,
    /// Bytes of each part of the room, in this order, or [`APART`].
    id: u8,
    forward: u8,
    reverse: u8,
    /// Changes of the tuples that lead on from it, over all lives of its number: see [`crate::ancestors`].
    pub(crate) turn: u16,
    room: [u8; ROOM],
}

impl Default for Object {
    fn default() -> Self {
        let (type_id, room) = (TypeId(0), [0; ROOM]);
        Self { apart: None, type_id, height: 0, id: 0, forward: 0, reverse: 0, turn: 0, room }
    }
}

/// Bytes in the room.
#[inline]
fn bytes(length: u8) -> usize {
    if length == APART { 0 } else { usize::from(length) }
}

impl Object {
    /// An object that stands in no tuple yet, of a number that had this turn.
    pub(crate) fn new(type_id: TypeId, id: &str, turn: u16) -> Self {
        let mut object = Self { type_id, turn, ..Self::default() };
        match (object.room.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(place), Ok(len)) if id.len() <= ID_IN_LINE => {
                place.copy_from_slice(id.as_bytes());
                object.id = len;
            }
            _ => {
                object.id = APART;
                object.apart = Some(Arc::new(Apart { id: Some(Arc::from(id)), ..Apart::default() }));
            }
        }
        object
    }

    /// A forgotten object: it has no name, and leads to the next forgotten one.
    pub(crate) fn forgotten(next: Option<u32>, turn: u16) -> Self {
        let mut object = Self { turn, ..Self::default() };
        if let Some(next) = next {
            object.insert(Way::Forward, Edge::new(0, 0, next));
        }
        object
    }

    /// The id as bytes.
    #[inline]
    pub(crate) fn id_bytes(&self) -> &[u8] {
        if self.id == APART {
            return self.apart.as_ref().and_then(|apart| apart.id.as_ref()).map_or(&[], |id| id.as_bytes());
        }
        self.room.get(..usize::from(self.id)).unwrap_or_default()
    }

    /// Whether this is the object of that name.
    #[inline]
    pub(crate) fn is(&self, type_id: TypeId, id: &str) -> bool {
        self.type_id == type_id && self.id_bytes() == id.as_bytes()
    }

    pub(crate) fn id(&self) -> &str {
        std::str::from_utf8(self.id_bytes()).unwrap_or_default()
    }

    /// Whether it stands for everybody of its type.
    #[inline]
    pub(crate) fn is_everybody(&self) -> bool {
        self.id_bytes() == b"*"
    }

    pub(crate) fn is_free(&self) -> bool {
        self.forward().is_empty() && self.reverse().is_empty()
    }

    /// Tuples about this object: relation, set, subject.
    #[inline]
    pub(crate) fn forward(&self) -> Side<'_> {
        if self.forward == APART {
            return self.apart.as_ref().map_or(Side::Packed(&[]), |apart| Side::Apart(&apart.forward));
        }
        let from = bytes(self.id);
        Side::Packed(self.room.get(from..from + usize::from(self.forward)).unwrap_or_default())
    }

    /// Tuples that name this object: relation, set, object.
    #[inline]
    pub(crate) fn reverse(&self) -> Side<'_> {
        if self.reverse == APART {
            return self.apart.as_ref().map_or(Side::Packed(&[]), |apart| Side::Apart(&apart.reverse));
        }
        let from = bytes(self.id) + bytes(self.forward);
        Side::Packed(self.room.get(from..from + usize::from(self.reverse)).unwrap_or_default())
    }

    fn side(&self, way: Way) -> Side<'_> {
        match way {
            Way::Forward => self.forward(),
            Way::Reverse => self.reverse(),
        }
    }

    fn apart(&mut self, way: Way) -> &mut Edges {
        let apart = Arc::make_mut(self.apart.get_or_insert_default());
        match way {
            Way::Forward => &mut apart.forward,
            Way::Reverse => &mut apart.reverse,
        }
    }

    fn is_apart(&self, way: Way) -> bool {
        APART == if way == Way::Forward { self.forward } else { self.reverse }
    }

    /// Puts the edge in, in the place of the same with another mark.
    pub(crate) fn insert(&mut self, way: Way, edge: Edge) {
        if self.is_apart(way) {
            return self.apart(way).insert(edge);
        }
        let mut edges: Vec<Edge> = self.side(way).iter().collect();
        match edges.binary_search_by_key(&edge.key(), |one| one.key()) {
            Ok(at) => edges.iter_mut().skip(at).take(1).for_each(|one| *one = edge),
            Err(at) => edges.insert(at, edge),
        }
        self.place(way, &edges);
    }

    /// Takes the edge out, whatever its mark.
    pub(crate) fn remove(&mut self, way: Way, edge: Edge) {
        if self.is_apart(way) {
            let list = self.apart(way);
            list.remove(edge);
            let edges: Vec<Edge> = list.iter().take(FEW + 1).collect();
            if edges.len() <= FEW {
                self.come_back(way, &edges);
            }
            return;
        }
        let edges: Vec<Edge> = self.side(way).iter().filter(|one| one.key() != edge.key()).collect();
        self.place(way, &edges);
    }

    /// Puts a list into the line where it fits; else the longer of both lists stands apart from now on.
    fn place(&mut self, way: Way, edges: &[Edge]) {
        let other = if way == Way::Forward { Way::Reverse } else { Way::Forward };
        let free = ROOM.saturating_sub(bytes(self.id));
        let taken = match self.side(other) {
            Side::Packed(other) => other.len(),
            Side::Apart(_) => 0,
        };
        let fits = packed(edges);
        match fits {
            Some((room, len)) if len + taken <= free => self.fill(way, room.get(..len).unwrap_or_default()),
            Some((room, len)) if len < taken => {
                let longer: Vec<Edge> = self.side(other).iter().collect();
                self.go_apart(other, &longer);
                self.fill(way, room.get(..len).unwrap_or_default());
            }
            Some(_) | None => self.go_apart(way, edges),
        }
    }

    fn go_apart(&mut self, way: Way, edges: &[Edge]) {
        self.fill(way, &[]);
        *self.apart(way) = Edges::of(edges);
        let length = if way == Way::Forward { &mut self.forward } else { &mut self.reverse };
        *length = APART;
    }

    /// Takes a list back into the line, if it fits beside the other.
    fn come_back(&mut self, way: Way, edges: &[Edge]) {
        let taken =
            bytes(self.id) + if way == Way::Forward { bytes(self.reverse) } else { bytes(self.forward) };
        let Some((room, len)) = packed(edges).filter(|(_, len)| taken + len <= ROOM) else { return };
        *self.apart(way) = Edges::Empty;
        self.fill(way, room.get(..len).unwrap_or_default());
        let none =
            |apart: &Arc<Apart>| apart.id.is_none() && apart.forward.is_empty() && apart.reverse.is_empty();
        if self.apart.as_ref().is_some_and(none) {
            self.apart = None;
        }
    }

    /// Writes a list of the line anew, which the caller knows to fit.
    fn fill(&mut self, way: Way, list: &[u8]) {
        let other = if way == Way::Forward { self.reverse() } else { self.forward() };
        let (mut kept, mut len) = ([0; ROOM], 0);
        if let Side::Packed(other) = other {
            kept.iter_mut().zip(other).for_each(|(place, byte)| *place = *byte);
            len = other.len();
        }
        let kept = kept.get(..len).unwrap_or_default();
        let (forward, reverse) = if way == Way::Forward { (list, kept) } else { (kept, list) };
        let places = self.room.iter_mut().skip(bytes(self.id));
        let lists = forward.iter().chain(reverse).chain(std::iter::repeat(&0));
        places.zip(lists).for_each(|(place, byte)| *place = *byte);
        let length = if way == Way::Forward { &mut self.forward } else { &mut self.reverse };
        *length = u8::try_from(list.len()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::RelationId;
    use std::collections::BTreeMap;

    #[test]
    fn an_object_is_a_cache_line() {
        assert_eq!((size_of::<Object>(), align_of::<Object>()), (64, 64));
    }

    /// PROPERTY: both lists of an object behave as sorted maps, however long its id and each of them is; a clone
    /// never sees a later change, and what fits into the line again stands there. METHOD: random edits, one list
    /// growing while the other shrinks.
    #[test]
    fn both_lists_behave_as_sorted_maps() {
        for id in ["d1", "0190c2f4-7a1e-7cc3-98c4-dc0c0c07398f", &"x".repeat(41), &"long".repeat(64)] {
            let mut object = Object::new(TypeId(3), id, 0);
            let mut plain = [BTreeMap::new(), BTreeMap::new()];
            let (mut kept, mut state) = (vec![], 7_u64);
            for step in 0..4_000_u32 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let number = u32::try_from(state >> 40).unwrap() % 14;
                let (relation, set) =
                    (u16::try_from(number % 3).unwrap() + 1, u16::try_from(number % 2).unwrap());
                let edge = Edge::new(relation, set, number | 0x7fff_ff00).timed(state & 1 << 20 != 0);
                let second = state >> 30 & 1 == 1;
                let (way, plain_one) = match (second, &mut plain) {
                    (false, [forward, _]) => (Way::Forward, forward),
                    (true, [_, reverse]) => (Way::Reverse, reverse),
                };
                let grows = (step / 500 % 2 == 0) != second;
                if (state >> 33) % 10 < if grows { 8 } else { 2 } {
                    object.insert(way, edge);
                    plain_one.insert(edge.key(), edge);
                } else {
                    object.remove(way, edge);
                    plain_one.remove(&edge.key());
                }
                assert_eq!(object.side(way).find(edge), plain_one.get(&edge.key()).copied());
                if step % 50 == 3 {
                    kept.push((object.clone(), plain.clone()));
                }
            }
            let mut apart = 0;
            for (object, [forward, reverse]) in &kept {
                assert_eq!((object.id(), object.type_id), (id, TypeId(3)));
                assert_eq!(object.is_free(), forward.is_empty() && reverse.is_empty());
                apart +=
                    usize::from(object.is_apart(Way::Forward)) + usize::from(object.is_apart(Way::Reverse));
                for (side, plain) in [(object.forward(), forward), (object.reverse(), reverse)] {
                    assert!(side.iter().eq(plain.values().copied()));
                    for relation in 1..4 {
                        let (from, to) = (Edge::new(relation, 1, 0), Edge::new(relation, 2, 0));
                        let run = side.of(RelationId(relation), RelationId(1));
                        assert!(run.eq(plain.range(from..to).map(|(_, edge)| *edge)));
                        assert!(side.from(from).eq(plain.range(from..).map(|(_, edge)| *edge)));
                    }
                }
            }
            assert!(apart > 20 && apart < 2 * kept.len() - 10, "{apart} of {}", kept.len());
        }
    }

    /// PROPERTY: what came back into the line leaves nothing apart.
    #[test]
    fn what_fits_again_stands_in_the_line() {
        let mut object = Object::new(TypeId(1), "d1", 0);
        let edges: Vec<Edge> = (0..20).map(|number| Edge::new(1, 0, number)).collect();
        edges.iter().for_each(|edge| object.insert(Way::Forward, *edge));
        assert!(object.apart.is_some());
        edges.iter().skip(2).for_each(|edge| object.remove(Way::Forward, *edge));
        assert!(object.apart.is_none() && object.forward().iter().count() == 2);
        assert!(object.clone().forward().iter().eq([Edge::new(1, 0, 0), Edge::new(1, 0, 1)]));
    }
}
