//! Nodes that a question has come by, in the order in which it did, each with its number.

use crate::words::TypeId;

/// An object in a relation: whoever is in it is asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Node(u64);

impl Node {
    /// No node: no relation has this number.
    pub(crate) const NONE: Self = Self(u64::MAX);

    pub(crate) fn new(object: u32, relation: u16) -> Self {
        Self(u64::from(object) << 16 | u64::from(relation))
    }

    /// The node with a type beside it, that its object has to have.
    pub(crate) fn typed(self, type_id: TypeId) -> Self {
        Self(self.0 & (u64::MAX >> 16) | u64::from(type_id.0) << 48)
    }

    /// The type beside it.
    pub(crate) fn type_id(self) -> TypeId {
        TypeId((self.0 >> 48) as u16)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the object has 32 bits")]
    pub(crate) fn object(self) -> u32 {
        (self.0 >> 16) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the relation is the lowest 16 bits")]
    pub(crate) fn relation(self) -> u16 {
        self.0 as u16
    }
}

/// Nodes that are compared one by one before a table is made.
const FEW: usize = 24;

/// A set that keeps its order. Few nodes stand inline and cost no allocation.
pub(crate) struct Seen {
    few: [Node; FEW],
    len: usize,
    /// All nodes, once they are not few.
    many: Vec<Node>,
    /// Number and one of the node whose hash leads here, 0 for none. Twice as long as it must be.
    table: Vec<u32>,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self { few: [Node::NONE; FEW], len: 0, many: Vec::new(), table: Vec::new() }
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        (self.len, self.many, self.table) = (0, Vec::new(), Vec::new());
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, number: usize) -> Option<Node> {
        if self.many.is_empty() {
            self.few.get(number).copied().filter(|_| number < self.len)
        } else {
            self.many.get(number).copied()
        }
    }

    /// The node's number, when it was come by.
    #[inline]
    pub(crate) fn find(&self, node: Node) -> Option<usize> {
        if self.many.is_empty() {
            return self.few.iter().take(self.len).position(|one| *one == node);
        }
        let number = self.table.get(self.place(node)).copied().unwrap_or(0) as usize;
        number.checked_sub(1)
    }

    /// The node's number, and whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, node: Node) -> (usize, bool) {
        if self.many.is_empty() {
            if let Some(number) = self.few.iter().take(self.len).position(|one| *one == node) {
                return (number, false);
            }
            if let Some(place) = self.few.get_mut(self.len) {
                *place = node;
                self.len += 1;
                return (self.len - 1, true);
            }
            self.spill();
        }
        let place = self.place(node);
        match self.table.get_mut(place) {
            Some(number) if *number == 0 => {
                *number = u32::try_from(self.len + 1).unwrap_or(u32::MAX);
                self.many.push(node);
                self.len += 1;
                if self.len * 2 > self.table.len() {
                    self.grow();
                }
                (self.len - 1, true)
            }
            Some(number) => (*number as usize - 1, false),
            None => (0, false),
        }
    }

    /// Puts in a node that was not come by, as the caller knows. Its number.
    #[inline]
    pub(crate) fn push(&mut self, node: Node) -> usize {
        match self.few.get_mut(self.len).filter(|_| self.many.is_empty()) {
            Some(place) => {
                *place = node;
                self.len += 1;
                self.len - 1
            }
            None => self.insert(node).0,
        }
    }

    /// Where the node's number is or belongs.
    fn place(&self, node: Node) -> usize {
        let mask = self.table.len().wrapping_sub(1);
        let hash = node.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = usize::try_from(hash >> 20).unwrap_or(0) & mask;
        loop {
            let number = self.table.get(at).copied().unwrap_or(0) as usize;
            if number == 0 || self.many.get(number - 1) == Some(&node) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    #[inline(never)]
    fn spill(&mut self) {
        self.many = self.few.iter().take(self.len).copied().collect();
        self.table = vec![0; 4 * FEW.next_power_of_two()];
        self.fill();
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.table = vec![0; self.table.len() * 2];
        self.fill();
    }

    fn fill(&mut self) {
        for number in 0..self.many.len() {
            let Some(node) = self.many.get(number) else { continue };
            let place = self.place(*node);
            if let Some(slot) = self.table.get_mut(place) {
                *slot = u32::try_from(number + 1).unwrap_or(u32::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// PROPERTY: every node has one number, counted in the order of coming, in every size.
    #[test]
    fn nodes_are_numbered_once() {
        let (mut seen, mut plain) = (Seen::new(), BTreeMap::new());
        for step in 0..5_000_u32 {
            let node = Node::new(step.wrapping_mul(2_654_435_761) % 1_500, 3);
            let next = plain.len();
            let known = plain.get(&node).copied();
            assert_eq!(seen.find(node), known);
            assert_eq!(seen.insert(node), (known.unwrap_or(next), known.is_none()));
            plain.entry(node).or_insert(next);
            assert_eq!(seen.len(), plain.len());
        }
        for (node, number) in plain {
            assert_eq!(seen.get(number), Some(node));
        }
        assert_eq!(seen.get(1_500), None);
    }
}
