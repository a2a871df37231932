//! A stable fingerprint of any value: the same on every run, which the standard hasher is not.

use crate::digest::Hasher;

/// A stable 64-bit fingerprint of anything that implements `Hash`: the same on every run and machine
/// with little-endian integers, unlike the hasher of the standard library.
#[derive(Clone, Default)]
pub struct Fingerprint(Hasher);

impl Fingerprint {
    /// Starts one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The fingerprint of one value.
    #[must_use]
    pub fn of(value: &impl std::hash::Hash) -> u64 {
        let mut fingerprint = Self::new();
        value.hash(&mut fingerprint);
        std::hash::Hasher::finish(&fingerprint)
    }
}

impl std::hash::Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0.finish();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
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
}
