//! A hash of numbers that this crate gives: they are dense and nobody outside chooses them.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds the hash.
pub(crate) type NumberHash = BuildHasherDefault<Number>;

/// One multiplication for each number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Number(u64);

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // The odd number is 2^64 over the golden ratio; the turn brings its good bits to the low end.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.unsigned_abs() as u64);
    }
}
