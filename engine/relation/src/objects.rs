//! Objects: names to numbers and back, and the edges of each, in arrays whose clones share their chunks.

use crate::edges::{Edge, Edges};
use crate::words::{TypeId, Words};
use std::sync::Arc;
use tessera_policy::{Chunked, touch};

/// An object's number. Numbers from [`LOCAL`] on stand for names that only the question knows.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ObjectId(pub(crate) u32);

/// The first number that no stored object has.
pub(crate) const LOCAL: u32 = 1 << 31;
/// Bytes of an id that stands inline.
const INLINE: usize = 22;

/// An id: short ones stand in the object's own cache line.
#[derive(Clone, Debug)]
enum Id {
    Inline(u8, [u8; INLINE]),
    Apart(Arc<str>),
}

impl Default for Id {
    fn default() -> Self {
        Self::Inline(0, [0; INLINE])
    }
}

impl Id {
    fn new(id: &str) -> Self {
        let mut bytes = [0; INLINE];
        match (bytes.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(id.as_bytes());
                Self::Inline(len, bytes)
            }
            _ => Self::Apart(Arc::from(id)),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Inline(len, bytes) => {
                std::str::from_utf8(bytes.get(..usize::from(*len)).unwrap_or_default()).unwrap_or_default()
            }
            Self::Apart(id) => id,
        }
    }
}

/// One object: 64 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    id: Id,
    pub(crate) type_id: TypeId,
    /// Sets within sets below this object, at least as many as there are: see [`crate::meet`].
    pub(crate) height: u8,
    /// Tuples about this object: relation, set, subject.
    pub(crate) forward: Edges,
    /// Tuples that name this object: relation, set, object.
    pub(crate) reverse: Edges,
}

impl Object {
    pub(crate) fn id(&self) -> &str {
        self.id.as_str()
    }

    fn is_free(&self) -> bool {
        self.forward.is_empty() && self.reverse.is_empty()
    }
}

/// Hash (32 bits) and number of objects whose hashes end alike.
type Bucket = Option<Arc<[(u32, u32)]>>;
/// Objects for which one bucket is added: what a bucket takes beside them is then some 4 bytes for each.
const PER_BUCKET: u32 = 10;

/// All objects that stand in a tuple. An object in none is forgotten, and its number used again.
#[derive(Clone)]
pub(crate) struct Objects {
    all: Chunked<Object>,
    /// Linear hashing: buckets grow one by one, so that no write pays for all.
    buckets: Chunked<Bucket>,
    bucket_count: u32,
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

/// The hash of a text, eight bytes at a time, from a start. Shares of a checkpoint are cut by it: it stays as
/// it is. WHY: no key, because the same journal gives the same state; who floods a bucket slows down the
/// own tenant.
pub(crate) fn hash(start: u32, id: &str) -> u32 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(start);
    for chunk in id.as_bytes().chunks(8) {
        let mut word = [0_u8; 8];
        word.iter_mut().zip(chunk).for_each(|(place, byte)| *place = *byte);
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 32;
    }
    state = (state ^ id.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
    u32::try_from(state >> 32).unwrap_or(0)
}

impl Objects {
    pub(crate) fn new() -> Self {
        Self {
            all: Chunked::new(LOCAL),
            buckets: Chunked::new(LOCAL),
            bucket_count: 1,
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

    fn hash(&self, type_id: TypeId, id: &str) -> u32 {
        hash(self.starts.get(usize::from(type_id.0)).copied().unwrap_or(0), id)
    }

    /// The objects whose hash ends in the bits of `no`, of as many as `mask` has.
    pub(crate) fn share(&self, no: u32, mask: u32) -> Vec<ObjectId> {
        let (first, step) =
            if self.bucket_count > mask { (no, mask + 1) } else { (self.bucket_of(no), u32::MAX) };
        let mut buckets = (first..self.bucket_count).step_by(step as usize);
        let mut found = Vec::new();
        for bucket in &mut buckets {
            let all =
                self.buckets.get(bucket).and_then(Option::as_ref).into_iter().flat_map(|all| all.iter());
            found.extend(all.filter(|(hash, _)| hash & mask == no).map(|(_, number)| ObjectId(*number)));
        }
        found
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

    /// Every number that was given, from this one on, with the object when it stands in a tuple.
    pub(crate) fn places(&self, first: u32) -> impl Iterator<Item = (ObjectId, Option<&Object>)> {
        (first..self.end).map(|number| {
            let object = self.all.get(number).filter(|object| !object.id().is_empty());
            (ObjectId(number), object)
        })
    }

    /// Every object that stands in a tuple.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ObjectId, &Object)> {
        self.places(0).filter_map(|(number, object)| Some((number, object?)))
    }

    fn bucket_of(&self, hash: u32) -> u32 {
        let half = self.bucket_count.next_power_of_two() / 2;
        let whole = self.bucket_count.next_power_of_two();
        let place = hash & (whole.max(1) - 1);
        if place < self.bucket_count { place } else { place & (half.max(1) - 1) }
    }

    /// The number of `type_id:id`, when it stands in a tuple.
    #[inline]
    pub(crate) fn find(&self, type_id: TypeId, id: &str) -> Option<ObjectId> {
        let hash = self.hash(type_id, id);
        let bucket = self.buckets.get(self.bucket_of(hash))?.as_ref()?;
        let mut candidates = bucket.iter().filter(|(one, _)| *one == hash);
        candidates
            .find(|(_, number)| {
                self.all.get(*number).is_some_and(|object| object.type_id == type_id && object.id() == id)
            })
            .map(|(_, number)| ObjectId(*number))
    }

    /// Asks for all that two names are found by, so that the waits for both are one.
    #[inline]
    pub(crate) fn warm(&self, names: [(TypeId, &str); 2]) {
        let hashes = names.map(|(type_id, id)| self.hash(type_id, id));
        let buckets = hashes.map(|hash| self.bucket_of(hash));
        buckets.iter().for_each(|bucket| self.buckets.touch(*bucket));
        let all = buckets.map(|bucket| self.buckets.get(bucket).and_then(|bucket| bucket.as_deref()));
        all.iter().flatten().for_each(|all| touch(all, 0));
        for (all, hash) in all.iter().zip(hashes) {
            let found = all.and_then(|all| all.iter().find(|(one, _)| *one == hash));
            found.into_iter().for_each(|(_, number)| self.all.touch(*number));
        }
    }

    /// The number of `type_id:id`, given now when it has none. None when all numbers are in use.
    fn intern(&mut self, type_id: TypeId, id: &str) -> Option<ObjectId> {
        if let Some(found) = self.find(type_id, id) {
            return Some(found);
        }
        let number = match self.free {
            Some(number) => {
                let next = self.all.get(number).and_then(|object| object.forward.iter().next());
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
        let object = Object { id: Id::new(id), type_id, ..Object::default() };
        self.all.set(number, object);
        let hash = self.hash(type_id, id);
        self.put(self.bucket_of(hash), hash, number);
        if self.live / PER_BUCKET >= self.bucket_count {
            self.split();
        }
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

    fn put(&mut self, bucket: u32, hash: u32, number: u32) {
        self.buckets.update(bucket, |bucket| {
            let all = bucket.iter().flat_map(|all| all.iter().copied());
            *bucket = Some(all.chain([(hash, number)]).collect());
        });
    }

    /// Adds one bucket and shares out the one that it comes from.
    fn split(&mut self) {
        let added = self.bucket_count;
        let from = if added.is_power_of_two() { 0 } else { added - added.next_power_of_two() / 2 };
        self.bucket_count += 1;
        let all = self.buckets.get(from).cloned().flatten();
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        for one in all.iter().flat_map(|all| all.iter()) {
            if self.bucket_of(one.0) == added { go.push(*one) } else { stay.push(*one) }
        }
        self.buckets.set(from, (!stay.is_empty()).then(|| Arc::from(stay)));
        self.buckets.set(added, (!go.is_empty()).then(|| Arc::from(go)));
    }

    /// Forgets the object when it stands in no tuple any more.
    fn release(&mut self, number: ObjectId) {
        let Some(object) = self.all.get(number.0).filter(|object| object.is_free()) else { return };
        let (type_id, wildcard) = (object.type_id, object.id() == "*");
        let bucket = self.bucket_of(self.hash(type_id, object.id()));
        self.buckets.update(bucket, |bucket| {
            let all = bucket.iter().flat_map(|all| all.iter().copied());
            let left: Vec<(u32, u32)> = all.filter(|(_, one)| *one != number.0).collect();
            *bucket = (!left.is_empty()).then(|| Arc::from(left));
        });
        if wildcard {
            self.set_wildcard(type_id, None);
        }
        self.live -= 1;
        // WHY: a forgotten object answers to no name, and holds the way to the next forgotten one.
        let next = self.free.replace(number.0);
        let forward = next.map_or(Edges::Empty, |next| Edges::One(Edge::new(0, 0, next)));
        self.all.set(number.0, Object { forward, ..Object::default() });
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
        self.all.update(about.0, |one| one.forward.insert(edge));
        self.all.update(named.0, |one| one.reverse.insert(back));
        Some((about, edge))
    }

    /// Takes the tuple out and forgets what stands in no other.
    pub(crate) fn remove(&mut self, about: ObjectId, edge: Edge) {
        let named = ObjectId(edge.object());
        let back = Edge::new(edge.relation(), edge.set(), about.0);
        self.all.update(about.0, |one| one.forward.remove(edge));
        self.all.update(named.0, |one| one.reverse.remove(back));
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

    #[test]
    fn an_object_is_a_cache_line() {
        assert_eq!(size_of::<Object>(), 64);
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
            assert_eq!(objects.get(*about).unwrap().forward.find(*edge), Some(*edge));
        }
        assert_eq!(objects.find(TypeId(2), "object-with-a-long-name-1"), None);
        assert_eq!(objects.wildcard(TypeId(2)).is_some(), tuples.keys().any(|(_, b)| b == "*"));
        assert_eq!(objects.iter().map(|(_, one)| one.forward.iter().count()).sum::<usize>(), tuples.len());
        assert_eq!((kept.len(), kept.find(TypeId(2), "s1")), (0, None));
    }
}
