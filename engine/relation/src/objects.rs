//! Objects: names to numbers and back, and the edges of each, in arrays whose clones share their chunks.

use crate::buckets::Buckets;
use crate::edges::Edge;
pub(crate) use crate::line::Object;
use crate::line::Way;
use crate::words::{TypeId, Words};
use std::sync::Arc;
use tessera_policy::{Chunked, touch};

/// An object's number. Numbers from [`LOCAL`] on stand for names that only the question knows.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ObjectId(pub(crate) u32);

/// The first number that no stored object has.
pub(crate) const LOCAL: u32 = 1 << 31;

/// Objects of one chunk: with the counts before them just 1,024 bytes.
const CHUNK: usize = 15;

/// All objects that stand in a tuple. An object in none is forgotten, and its number used again.
#[derive(Clone)]
pub(crate) struct Objects {
    all: Chunked<Object, CHUNK>,
    buckets: Buckets,
    live: u32,
    /// One more than the highest number in use.
    end: u32,
    /// Numbers to use again: the first one and how many; each forgotten object names the next.
    free: Option<u32>,
    /// By type: the object that stands for everybody.
    wildcards: Arc<Vec<Option<ObjectId>>>,
    /// By type: the hash of its name.
    starts: Arc<Vec<u32>>,
}

/// The first eight bytes as a number, those that are missing as zeros.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    // Two looks that overlap in the middle, in place of one for each byte.
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let shift = 8 * (bytes.len() - 4);
        return u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << shift;
    }
    if let (Some(low), Some(high)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let shift = 8 * (bytes.len() - 2);
        return u64::from(u16::from_le_bytes(*low)) | u64::from(u16::from_le_bytes(*high)) << shift;
    }
    bytes.first().map_or(0, |byte| u64::from(*byte))
}

/// The hash of a text, eight bytes at a time, from a start. Shares of a checkpoint are cut by it: it stays as
/// it is. WHY: no key, because the same journal gives the same state; who floods a bucket slows down the
/// own tenant.
#[inline]
pub(crate) fn hash(start: u32, id: &str) -> u32 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(start);
    let mix = |state: u64, word: [u8; 8]| {
        let state = (state ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^ state >> 32
    };
    let mut rest = id.as_bytes();
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        state = mix(state, *word);
        rest = behind;
    }
    if !rest.is_empty() {
        state = mix(state, word(rest).to_le_bytes());
    }
    state = (state ^ id.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    u32::try_from(state >> 32).unwrap_or(0)
}

impl Objects {
    pub(crate) fn new() -> Self {
        Self {
            all: Chunked::new(LOCAL),
            buckets: Buckets::new(),
            live: 0,
            end: 0,
            free: None,
            wildcards: Arc::default(),
            starts: Arc::default(),
        }
    }

    /// Learns the names of types that are new.
    pub(crate) fn learn(&mut self, words: &Words) {
        if self.starts.len() < words.types() {
            let new = words.type_names().skip(self.starts.len()).map(|name| hash(0, name));
            Arc::make_mut(&mut self.starts).extend(new);
        }
    }

    #[inline]
    fn hash(&self, type_id: TypeId, id: &str) -> u32 {
        hash(self.starts.get(usize::from(type_id.0)).copied().unwrap_or(0), id)
    }

    /// The objects whose hash ends in the bits of `no`, of as many as `mask` has.
    pub(crate) fn share(&self, no: u32, mask: u32) -> Vec<ObjectId> {
        self.buckets.share(no, mask).into_iter().map(ObjectId).collect()
    }

    /// How many objects stand in tuples.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u32 {
        self.live
    }

    #[inline]
    pub(crate) fn get(&self, object: ObjectId) -> Option<&Object> {
        self.all.get(object.0)
    }

    /// Asks for the object's cache line, without waiting for it.
    #[inline]
    pub(crate) fn touch(&self, object: ObjectId) {
        self.all.touch(object.0);
    }

    /// The object that stands for everybody of the type, when a tuple names it.
    #[inline]
    pub(crate) fn wildcard(&self, type_id: TypeId) -> Option<ObjectId> {
        self.wildcards.get(usize::from(type_id.0)).copied().flatten()
    }

    /// Notes how many sets within sets lie below an object.
    pub(crate) fn set_height(&mut self, object: ObjectId, height: u8) {
        self.all.update(object.0, |one| one.height = height);
    }

    /// Counts a change of the tuples that lead on from an object.
    pub(crate) fn turn(&mut self, object: ObjectId) {
        self.all.update(object.0, |one| one.turn = one.turn.saturating_add(1));
    }

    /// One more than the highest number that was given.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// Every number that was given, from this one on, with the object when it stands in a tuple.
    pub(crate) fn places(&self, first: u32) -> impl Iterator<Item = (ObjectId, Option<&Object>)> {
        (first..self.end).map(|number| {
            let object = self.all.get(number).filter(|object| !object.id_bytes().is_empty());
            (ObjectId(number), object)
        })
    }

    /// Every object that stands in a tuple.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        self.places(0).filter_map(|(number, object)| Some((number, object?)))
    }

    /// The number of `type_id:id`, when it stands in a tuple.
    #[inline]
    pub(crate) fn find(&self, type_id: TypeId, id: &str) -> Option<ObjectId> {
        self.with(self.hash(type_id, id), type_id, id).map(|(number, _)| number)
    }

    /// The object of this name and its hash.
    #[cold]
    #[inline(never)]
    fn with(&self, hash: u32, type_id: TypeId, id: &str) -> Option<(ObjectId, &Object)> {
        let candidates = self.buckets.with(hash).filter_map(|number| Some((number, self.all.get(number)?)));
        let mut named = candidates.filter(|(_, object)| object.is(type_id, id));
        named.next().map(|(number, object)| (ObjectId(number), object))
    }

    /// What two names stand for, looked up side by side, so that the waits for both are one.
    #[inline]
    pub(crate) fn find_both(&self, [about, named]: [(TypeId, &str); 2]) -> Option<[(ObjectId, &Object); 2]> {
        let hashes = [self.hash(about.0, about.1), self.hash(named.0, named.1)];
        let (first, second) = (self.buckets.of(hashes[0])?, self.buckets.of(hashes[1])?);
        touch(std::slice::from_ref(first), 0);
        touch(std::slice::from_ref(second), 0);
        let numbers = [first.first(hashes[0])?, second.first(hashes[1])?];
        let (one, other) = (self.all.get(numbers[0])?, self.all.get(numbers[1])?);
        touch(std::slice::from_ref(one), 0);
        touch(std::slice::from_ref(other), 0);
        let [first, second] = hashes;
        let [number, another] = numbers;
        // Names that share a hash are looked up one by one.
        let one = if one.is(about.0, about.1) {
            (ObjectId(number), one)
        } else {
            self.with(first, about.0, about.1)?
        };
        let other = if other.is(named.0, named.1) {
            (ObjectId(another), other)
        } else {
            self.with(second, named.0, named.1)?
        };
        Some([one, other])
    }

    /// The number of `type_id:id`, given now when it has none. None when all numbers are in use.
    fn intern(&mut self, type_id: TypeId, id: &str) -> Option<ObjectId> {
        if let Some(found) = self.find(type_id, id) {
            return Some(found);
        }
        let number = match self.free {
            Some(number) => {
                let next = self.all.get(number).and_then(|object| object.forward().iter().next());
                self.free = next.map(Edge::object);
                number
            }
            None => self.end,
        };
        if number >= LOCAL {
            return None;
        }
        self.end = self.end.max(number + 1);
        self.live += 1;
        let turn = self.all.get(number).map_or(0, |object| object.turn);
        self.all.set(number, Object::new(type_id, id, turn));
        let hash = self.hash(type_id, id);
        self.buckets.put(hash, number, self.live);
        if id == "*" {
            self.set_wildcard(type_id, Some(ObjectId(number)));
        }
        Some(ObjectId(number))
    }

    fn set_wildcard(&mut self, type_id: TypeId, object: Option<ObjectId>) {
        let wildcards = Arc::make_mut(&mut self.wildcards);
        let at = usize::from(type_id.0);
        if wildcards.len() <= at {
            wildcards.resize(at + 1, None);
        }
        if let Some(place) = wildcards.get_mut(at) {
            *place = object;
        }
    }

    /// Forgets the object when it stands in no tuple any more.
    fn release(&mut self, number: ObjectId) {
        let Some(object) = self.all.get(number.0).filter(|object| object.is_free()) else { return };
        let (type_id, wildcard, turn) = (object.type_id, object.is_everybody(), object.turn);
        let hash = self.hash(type_id, object.id());
        self.buckets.remove(hash, number.0);
        if wildcard {
            self.set_wildcard(type_id, None);
        }
        self.live -= 1;
        // WHY: a forgotten object answers to no name, and holds the way to the next forgotten one.
        let next = self.free.replace(number.0);
        self.all.set(number.0, Object::forgotten(next, turn.saturating_add(1)));
    }

    /// Adds the tuple, or replaces its mark. None when all numbers are in use.
    pub(crate) fn insert(
        &mut self,
        object: (TypeId, &str),
        relation: u16,
        subject: (TypeId, &str, u16),
        timed: bool,
    ) -> Option<(ObjectId, Edge)> {
        let about = self.intern(object.0, object.1)?;
        let Some(named) = self.intern(subject.0, subject.1) else {
            self.release(about);
            return None;
        };
        let edge = Edge::new(relation, subject.2, named.0).timed(timed);
        let back = Edge::new(relation, subject.2, about.0).timed(timed);
        self.all.update(about.0, |one| one.insert(Way::Forward, edge));
        self.all.update(named.0, |one| one.insert(Way::Reverse, back));
        Some((about, edge))
    }

    /// Takes the tuple out and forgets what stands in no other.
    pub(crate) fn remove(&mut self, about: ObjectId, edge: Edge) {
        let named = ObjectId(edge.object());
        let back = Edge::new(edge.relation(), edge.set(), about.0);
        self.all.update(about.0, |one| one.remove(Way::Forward, edge));
        self.all.update(named.0, |one| one.remove(Way::Reverse, back));
        self.release(about);
        if named != about {
            self.release(named);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// PROPERTY: the hash is what it always was, at every length: shares of a checkpoint are cut by it.
    #[test]
    fn the_hash_stays_as_it_is() {
        let slow = |start: u32, id: &str| {
            let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(start);
            for chunk in id.as_bytes().chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                state = (state ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                state ^= state >> 32;
            }
            state = (state ^ id.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
            u32::try_from(state >> 32).unwrap()
        };
        let text = "0190c2f4-7a1e-7cc3-98c4-dc0c0c07398f";
        for len in 0..=text.len() {
            assert_eq!(hash(7, &text[..len]), slow(7, &text[..len]));
            let low = text.bytes().take(8.min(len)).rev().fold(0, |word, byte| word << 8 | u64::from(byte));
            assert_eq!(word(&text.as_bytes()[..len]), low);
        }
    }

    /// PROPERTY: names and numbers agree after any writes and removals; numbers are used again; clones
    /// stand still. METHOD: compared with a plain map from the pair of names.
    #[test]
    fn objects_behave_as_a_map_and_numbers_return() {
        let mut objects = Objects::new();
        let mut tuples: BTreeMap<(String, String), (ObjectId, Edge)> = BTreeMap::new();
        let mut state = 1_u64;
        let mut highest = 0;
        let kept = objects.clone();
        for step in 0..8_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let (a, b) = (state >> 33 & 0x1ff, state >> 45 & 0xff);
            let key = (
                format!("object-with-a-long-name-{a}"),
                if b == 0 { "*".to_owned() } else { format!("s{b}") },
            );
            let grows = state >> 60 < if step < 4_000 { 11 } else { 4 };
            if grows {
                let put = objects.insert((TypeId(1), &key.0), 1, (TypeId(2), &key.1, 0), false);
                tuples.insert(key, put.unwrap());
            } else if let Some((about, edge)) = tuples.remove(&key) {
                objects.remove(about, edge);
            }
            highest = highest.max(objects.len());
        }
        let mut names: Vec<&str> = tuples.keys().flat_map(|(a, b)| [a.as_str(), b.as_str()]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(objects.len() as usize, names.len());
        assert!(objects.end <= highest + 1, "numbers were not used again");
        for ((a, b), (about, edge)) in &tuples {
            assert_eq!(objects.find(TypeId(1), a), Some(*about));
            assert_eq!(objects.find(TypeId(2), b), Some(ObjectId(edge.object())));
            assert_eq!(objects.get(*about).unwrap().forward().find(*edge), Some(*edge));
        }
        assert_eq!(objects.find(TypeId(2), "object-with-a-long-name-1"), None);
        assert_eq!(objects.wildcard(TypeId(2)).is_some(), tuples.keys().any(|(_, b)| b == "*"));
        assert_eq!(objects.iter().map(|(_, one)| one.forward().iter().count()).sum::<usize>(), tuples.len());
        assert_eq!((kept.len(), kept.find(TypeId(2), "s1")), (0, None));
    }
}
