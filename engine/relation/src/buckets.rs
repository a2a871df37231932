//! Names by their hashes: linear hashing, so that no write pays for all. A bucket is a cache line.

use std::sync::Arc;
use tessera_policy::Chunked;

/// Hashes with their numbers that stand in a bucket's own line.
const FEW: usize = 7;
/// Names for which one bucket is added: most buckets are then not full.
const PER_BUCKET: u32 = 5;
/// Buckets of one chunk: with the counts before them just 1,024 bytes.
const CHUNK: usize = 15;
/// LIMIT: buckets: as many as there may be names.
const BUCKETS_MAX: u32 = 1 << 31;
/// A place that holds nothing: no name has this number.
const NONE: (u32, u32) = (0, u32::MAX);

/// Names whose hashes end alike.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Bucket {
    few: [(u32, u32); FEW],
    more: Option<Arc<Vec<(u32, u32)>>>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { few: [NONE; FEW], more: None }
    }
}

impl Bucket {
    /// Hash and number of each.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        let few = self.few.iter().take_while(|one| **one != NONE);
        few.chain(self.more.iter().flat_map(|more| more.iter())).copied()
    }

    /// The first with this hash.
    #[inline]
    pub(crate) fn first(&self, hash: u32) -> Option<u32> {
        for (one, number) in self.few {
            if one == hash && number != NONE.1 {
                return Some(number);
            }
        }
        let more = self.more.as_deref()?;
        more.iter().find(|(one, _)| *one == hash).map(|(_, number)| *number)
    }

    fn put(&mut self, hash: u32, number: u32) {
        match self.few.iter_mut().find(|one| **one == NONE) {
            Some(place) => *place = (hash, number),
            None => Arc::make_mut(self.more.get_or_insert_default()).push((hash, number)),
        }
    }

    fn of(all: &[(u32, u32)]) -> Self {
        let mut bucket = Self::default();
        bucket.few.iter_mut().zip(all).for_each(|(place, one)| *place = *one);
        bucket.more = all.get(FEW..).filter(|more| !more.is_empty()).map(|more| Arc::new(more.to_vec()));
        bucket
    }
}

/// Numbers of names, by hash.
#[derive(Clone)]
pub(crate) struct Buckets {
    all: Chunked<Bucket, CHUNK>,
    count: u32,
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self { all: Chunked::new(BUCKETS_MAX), count: 1 }
    }

    #[inline]
    fn place(&self, hash: u32) -> u32 {
        let whole = self.count.next_power_of_two();
        let place = hash & (whole - 1);
        if place < self.count { place } else { place & (whole / 2 - 1) }
    }

    /// The bucket of a hash, which is not waited for yet.
    #[inline]
    pub(crate) fn of(&self, hash: u32) -> Option<&Bucket> {
        self.all.get(self.place(hash))
    }

    /// Numbers of names with this very hash.
    pub(crate) fn with(&self, hash: u32) -> impl Iterator<Item = u32> {
        let bucket = self.of(hash);
        let all = bucket.into_iter().flat_map(Bucket::iter);
        all.filter(move |(one, _)| *one == hash).map(|(_, number)| number)
    }

    /// Numbers of names whose hash ends in the bits of `no`, of as many as `mask` has.
    pub(crate) fn share(&self, no: u32, mask: u32) -> Vec<u32> {
        let (first, step) = if self.count > mask { (no, mask + 1) } else { (self.place(no), u32::MAX) };
        let buckets = (first..self.count).step_by(step as usize).filter_map(|place| self.all.get(place));
        buckets
            .flat_map(Bucket::iter)
            .filter(|(hash, _)| hash & mask == no)
            .map(|(_, number)| number)
            .collect()
    }

    /// Adds a name, of which there are so many then.
    pub(crate) fn put(&mut self, hash: u32, number: u32, names: u32) {
        self.all.update(self.place(hash), |bucket| bucket.put(hash, number));
        if names / PER_BUCKET >= self.count {
            self.split();
        }
    }

    /// Takes a name out.
    pub(crate) fn remove(&mut self, hash: u32, number: u32) {
        self.all.update(self.place(hash), |bucket| {
            let left: Vec<(u32, u32)> = bucket.iter().filter(|(_, one)| *one != number).collect();
            *bucket = Bucket::of(&left);
        });
    }

    /// Adds one bucket and shares out the one that it comes from.
    fn split(&mut self) {
        let added = self.count;
        let from = if added.is_power_of_two() { 0 } else { added - added.next_power_of_two() / 2 };
        self.count += 1;
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        for one in self.all.get(from).into_iter().flat_map(Bucket::iter) {
            if self.place(one.0) == added { go.push(one) } else { stay.push(one) }
        }
        self.all.set(from, Bucket::of(&stay));
        self.all.set(added, Bucket::of(&go));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!((size_of::<Bucket>(), align_of::<Bucket>()), (64, 64));
    }

    /// PROPERTY: every number is found by its hash and in its share, however many share a hash; a clone stands still.
    #[test]
    fn numbers_are_found_by_their_hashes() {
        let (mut buckets, mut plain) = (Buckets::new(), BTreeSet::new());
        let mut state = 3_u64;
        for step in 0..6_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = u32::try_from(state >> 40).unwrap() % 2_000;
            // A tenth of all names have one hash.
            let hash = if number % 10 == 0 { 77 } else { number.wrapping_mul(2_654_435_761) };
            if (state >> 33) % 10 < if step < 4_000 { 8 } else { 2 } {
                if plain.insert((hash, number)) {
                    buckets.put(hash, number, u32::try_from(plain.len()).unwrap());
                }
            } else if plain.remove(&(hash, number)) {
                buckets.remove(hash, number);
            }
            let first = buckets.of(hash).and_then(|bucket| bucket.first(hash));
            assert_eq!(first, buckets.with(hash).next());
            let mut found: Vec<u32> = buckets.with(hash).collect();
            found.sort_unstable();
            let expected = plain.range((hash, 0)..=(hash, u32::MAX)).map(|(_, number)| *number);
            assert!(found.into_iter().eq(expected));
        }
        let kept = buckets.clone();
        let before: usize = (0..8).map(|no| kept.share(no, 7).len()).sum();
        for mask in [0, 7, 1_023] {
            for no in 0..=mask {
                let shared: BTreeSet<u32> = buckets.share(no, mask).into_iter().collect();
                let expected = plain.iter().filter(|(hash, _)| hash & mask == no).map(|(_, number)| *number);
                assert_eq!(shared, expected.collect());
            }
        }
        plain.iter().for_each(|(hash, number)| buckets.remove(*hash, *number));
        assert!(buckets.share(0, 0).is_empty() && kept.share(0, 0).len() == before && before == plain.len());
    }
}
