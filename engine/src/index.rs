//! A persistent map from 16 bytes to a dense number, some 28 bytes an entry: what uniqueness is decided on.
//!
//! Nodes of 16 under nodes of 16, and leaves of up to 48 entries in no order. A clone shares everything; an
//! edit copies one leaf and the short way to it. Maps of one allocation per entry took five times as much.

use std::sync::Arc;

/// LIMIT: entries of a leaf before it becomes a node of 16 leaves: looked at one by one, 20 B each.
const LEAF_MAX: usize = 48;
/// Entries that a leaf grows by.
const LEAF_STEP: usize = 4;
/// Bits of a key's hash that choose a child.
const BITS: u32 = 4;
/// Children of a node.
const WIDTH: usize = 1 << BITS;

type Key = [u8; 16];
type Leaf<V> = Arc<Vec<(Key, V)>>;

#[derive(Clone)]
enum Node<V> {
    Leaf(Leaf<V>),
    Inner(Arc<[Node<V>; WIDTH]>),
}

/// The map.
#[derive(Clone)]
pub(crate) struct Index<V> {
    root: Node<V>,
    len: usize,
}

/// Spreads a key over 64 bits: ids begin with a time, hashes are spread already.
fn spread(key: &Key) -> u64 {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *key;
    let (low, high) =
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]));
    let mut mixed = (low ^ high.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 32;
    mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The child of a node at a depth.
fn child(hash: u64, depth: u32) -> usize {
    // From the top: the product's high bits are the best mixed.
    let shift = 64 - BITS * (depth + 1);
    usize::try_from(hash >> shift).unwrap_or_default() % WIDTH
}

/// LIMIT: nodes above a leaf; there, after all bits, a leaf takes whatever comes.
const DEPTH_MAX: u32 = 64 / BITS - 1;

impl<V: Copy> Index<V> {
    /// An empty map.
    pub(crate) fn new() -> Self {
        Self { root: Node::Leaf(Arc::default()), len: 0 }
    }

    /// How many entries it has.
    pub(crate) const fn size(&self) -> usize {
        self.len
    }

    /// The number of a key.
    pub(crate) fn get(&self, key: &Key) -> Option<V> {
        let hash = spread(key);
        let (mut node, mut depth) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(entries) => {
                    return entries.iter().find(|(known, _)| known == key).map(|(_, number)| *number);
                }
                Node::Inner(children) => node = children.get(child(hash, depth))?,
            }
            depth += 1;
        }
    }

    /// Gives a key its number, in place of an older one.
    pub(crate) fn insert(&mut self, key: Key, number: V) {
        let hash = spread(&key);
        let (mut node, mut depth) = (&mut self.root, 0);
        loop {
            if let Node::Leaf(entries) = node
                && entries.len() >= LEAF_MAX
                && depth < DEPTH_MAX
                && !entries.iter().any(|(known, _)| *known == key)
            {
                *node = split(entries, depth);
            }
            match node {
                Node::Leaf(entries) => {
                    self.len += usize::from(put(entries, key, number));
                    return;
                }
                Node::Inner(children) => {
                    let Some(next) = Arc::make_mut(children).get_mut(child(hash, depth)) else { return };
                    node = next;
                }
            }
            depth += 1;
        }
    }

    /// Takes a key out.
    pub(crate) fn remove(&mut self, key: &Key) {
        if self.get(key).is_none() {
            return;
        }
        let hash = spread(key);
        let (mut node, mut depth) = (&mut self.root, 0);
        loop {
            match node {
                Node::Leaf(entries) => {
                    Arc::make_mut(entries).retain(|(known, _)| known != key);
                    self.len -= 1;
                    return;
                }
                Node::Inner(children) => {
                    let Some(next) = Arc::make_mut(children).get_mut(child(hash, depth)) else { return };
                    node = next;
                }
            }
            depth += 1;
        }
    }
}

/// Puts an entry into a leaf; true when its key was not there.
fn put<V: Copy>(entries: &mut Leaf<V>, key: Key, number: V) -> bool {
    let at = entries.iter().position(|(known, _)| *known == key);
    if Arc::get_mut(entries).is_none() {
        // Copied with the room that it needs.
        let mut copy = Vec::with_capacity((entries.len() + 1).next_multiple_of(LEAF_STEP));
        copy.extend_from_slice(entries);
        *entries = Arc::new(copy);
    }
    let entries = Arc::make_mut(entries);
    if let Some(held) = at.and_then(|at| entries.get_mut(at)) {
        held.1 = number;
        return false;
    }
    if entries.len() == entries.capacity() {
        entries.reserve_exact(LEAF_STEP);
    }
    entries.push((key, number));
    true
}

/// The node of a leaf that is full.
fn split<V: Copy>(entries: &[(Key, V)], depth: u32) -> Node<V> {
    let leaf = |at: usize| {
        let mine = entries.iter().filter(|(key, _)| child(spread(key), depth) == at).copied();
        Node::Leaf(Arc::new(mine.collect()))
    };
    Node::Inner(Arc::new(std::array::from_fn(leaf)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn key(number: u64) -> Key {
        // Few keys with much in common: times and counters.
        let mut key = [1; 16];
        key[6..14].copy_from_slice(&(number / 3 * 3).to_be_bytes());
        key[15] = (number % 3) as u8;
        key
    }

    /// PROPERTY: behaves as an ordered map, and a clone never sees a later change. METHOD: seeded inserts,
    /// replacements and removals beside a plain map, clones kept aside and compared at the end.
    #[test]
    fn behaves_as_a_map_and_clones_stand_still() {
        let (mut index, mut plain, mut kept, mut dice) =
            (Index::<u32>::new(), BTreeMap::new(), Vec::new(), 7_u64);
        for step in 0..40_000_u32 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chosen = key((dice >> 33) % 12_000);
            if dice >> 20 & 7 == 0 {
                index.remove(&chosen);
                plain.remove(&chosen);
            } else {
                index.insert(chosen, step);
                plain.insert(chosen, step);
            }
            if step % 8_000 == 11 {
                kept.push((index.clone(), plain.clone()));
            }
        }
        kept.push((index, plain));
        for (index, plain) in kept {
            assert_eq!(index.size(), plain.len());
            for number in 0..12_000 {
                assert_eq!(index.get(&key(number)), plain.get(&key(number)).copied(), "{number}");
            }
        }
    }

    /// PROPERTY: keys that share every bit that chooses a child stand in one leaf, however many.
    #[test]
    fn keys_of_one_hash_share_a_leaf() {
        let mut index = Index::<u32>::new();
        // (low ^ high << 29) is the same for all of them.
        let same = |number: u64| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&number.rotate_left(29).to_le_bytes());
            key[8..].copy_from_slice(&number.to_le_bytes());
            key
        };
        assert!((1..100).all(|number| spread(&same(number)) == spread(&same(0))));
        (0..200).for_each(|number| index.insert(same(number), u32::try_from(number).expect("small")));
        assert_eq!(index.size(), 200);
        assert!((0..200).all(|number| index.get(&same(number)).map(u64::from) == Some(number)));
    }
}
