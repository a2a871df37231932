//! A stable fingerprint of any value: the same on every run, which the standard hasher is not.

use crate::digest::{Hasher, hash};

/// A stable 64-bit fingerprint of anything that implements `Hash`: the same on every run and machine
/// with little-endian integers, unlike the hasher of the standard library.
pub struct Fingerprint {
    /// What came last and is not hashed yet. Most values are all here: they are hashed at once.
    held: [u8; HELD_BYTES],
    len: usize,
    /// What came before it.
    before: Option<Hasher>,
}

/// Bytes that are gathered before they are hashed: a value comes as many small numbers.
const HELD_BYTES: usize = 256;

impl Fingerprint {
    /// Starts one.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: [0; HELD_BYTES], len: 0, before: None }
    }

    /// The fingerprint of one value.
    #[must_use]
    pub fn of(value: &impl std::hash::Hash) -> u64 {
        let mut fingerprint = Self::new();
        value.hash(&mut fingerprint);
        std::hash::Hasher::finish(&fingerprint)
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}

impl std::hash::Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        let held = self.held.get(..self.len).unwrap_or_default();
        let digest = match &self.before {
            Some(before) => before.clone().update(held).finish(),
            None => hash(&[held]),
        };
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(room) = self.held.get_mut(self.len..).and_then(|room| room.get_mut(..bytes.len())) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
            return;
        }
        let held = self.held.get(..self.len).unwrap_or_default();
        self.before.get_or_insert_default().update(held).update(bytes);
        self.len = 0;
    }

    fn write_u8(&mut self, number: u8) {
        self.write(&[number]);
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_le_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write_u128(&mut self, number: u128) {
        self.write(&number.to_le_bytes());
    }

    /// As 64 bits, so that a 32-bit machine agrees. The signed forms come here as well.
    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hash;

    /// PROPERTY: fingerprints never change between builds, and differ where values do.
    /// TC-8.
    #[test]
    fn fingerprints_are_stable() {
        #[derive(Hash)]
        enum Shape {
            Number(u32),
            Text(Box<str>),
        }
        let mut spelled = Hasher::new();
        spelled.update(&0u64.to_le_bytes()).update(&5u32.to_le_bytes());
        let [a, b, c, d, e, f, g, h, ..] = spelled.finish();
        assert_eq!(Fingerprint::of(&Shape::Number(5)), u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        assert_ne!(Fingerprint::of(&Shape::Number(5)), Fingerprint::of(&Shape::Number(6)));
        assert_ne!(Fingerprint::of(&Shape::Text("5".into())), Fingerprint::of(&Shape::Text("6".into())));
        assert_ne!(Fingerprint::of(&("ab", "c")), Fingerprint::of(&("a", "bc")));
    }

    /// PROPERTY: however a value comes, in few large parts or many small ones, what is hashed is its bytes. METHOD:
    /// parts of every length around the bytes that are held, beside one hash over all.
    #[test]
    fn a_fingerprint_is_the_hash_of_all_bytes() {
        let all: Vec<u8> = (0..4 * HELD_BYTES).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for part in (1..20).chain(HELD_BYTES - 2..HELD_BYTES + 3).chain([2 * HELD_BYTES]) {
            for whole in [0, 1, HELD_BYTES - 1, HELD_BYTES, HELD_BYTES + 1, 3 * HELD_BYTES + 7, all.len()] {
                let mut fingerprint = Fingerprint::new();
                all[..whole].chunks(part).for_each(|bytes| std::hash::Hasher::write(&mut fingerprint, bytes));
                let [a, b, c, d, e, f, g, h, ..] = hash(&[&all[..whole]]);
                let expected = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
                assert_eq!(
                    std::hash::Hasher::finish(&fingerprint),
                    expected,
                    "{whole} bytes in parts of {part}"
                );
            }
        }
    }
}
