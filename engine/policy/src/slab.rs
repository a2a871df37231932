//! A persistent array whose entries are given out and given back; ids start at 1.

use crate::chunked::Chunked;

#[derive(Clone)]
enum Cell<T> {
    /// Given back; the next free one, 0 for none.
    Free(u32),
    Used(T),
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self::Free(0)
    }
}

/// Entries under small ids. The free ones form a list inside the array, so that a clone stays cheap.
#[derive(Clone)]
pub(crate) struct Slab<T> {
    cells: Chunked<Cell<T>>,
    free: u32,
    used: u32,
}

impl<T: Clone> Slab<T> {
    /// An empty one that gives out ids below `limit`.
    pub(crate) fn new(limit: u32) -> Self {
        Self { cells: Chunked::new(limit), free: 0, used: 0 }
    }

    /// The entry with this id.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        match self.cells.get(id)? {
            Cell::Used(value) => Some(value),
            Cell::Free(_) => None,
        }
    }

    /// Stores a value under a fresh id.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let id = if self.free == 0 { self.cells.len().max(1) } else { self.free };
        self.free = match self.cells.get(id) {
            Some(Cell::Free(next)) => *next,
            Some(Cell::Used(_)) | None => 0,
        };
        self.cells.set(id, Cell::Used(value));
        self.used += 1;
        id
    }

    /// Changes the entry with this id, if there is one.
    pub(crate) fn update(&mut self, id: u32, change: impl FnOnce(&mut T)) {
        if self.get(id).is_none() {
            return;
        }
        self.cells.update(id, |cell| {
            if let Cell::Used(value) = cell {
                change(value);
            }
        });
    }

    /// Gives the id back.
    pub(crate) fn remove(&mut self, id: u32) {
        if self.get(id).is_some() {
            self.cells.set(id, Cell::Free(self.free));
            self.free = id;
            self.used -= 1;
        }
    }

    /// Every entry with its id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.cells.iter().filter_map(|(id, cell)| match cell {
            Cell::Used(value) => Some((id, value)),
            Cell::Free(_) => None,
        })
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> u32 {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: ids in use are distinct, ids given back are used again, clones stand still.
    #[test]
    fn ids_are_given_out_and_back() {
        let mut slab = Slab::new(1_000);
        let ids: Vec<u32> = (0..20).map(|value| slab.insert(value)).collect();
        assert_eq!(ids, (1..21).collect::<Vec<_>>());
        let before = slab.clone();
        for id in [3, 7, 7, 900] {
            slab.remove(id);
        }
        assert_eq!(slab.count(), 18);
        assert_eq!(slab.get(3), None);
        assert_eq!([slab.insert(70), slab.insert(30), slab.insert(99)], [7, 3, 21]);
        slab.update(3, |value| *value += 1);
        assert_eq!(slab.get(3), Some(&31));
        assert_eq!(before.get(3), Some(&2));
        assert_eq!(before.count(), 20);
    }
}
