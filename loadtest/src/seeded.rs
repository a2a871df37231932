//! Numbers that look random and come from a seed alone (SplitMix64).

/// A generator that gives the same numbers for the same seed.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

/// One step of SplitMix64: a good mix of 64 bits.
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The low 32 bits of a number.
#[must_use]
pub const fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Seeded {
    /// A generator for this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        let out = mix(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        out
    }

    /// A number below `bound` (0 when `bound` is 0).
    pub const fn below(&mut self, bound: u32) -> u32 {
        scaled(low(self.next()), bound)
    }
}

/// Scales 32 random bits to `0..bound`.
#[must_use]
pub const fn scaled(bits: u32, bound: u32) -> u32 {
    let [_, _, _, _, a, b, c, d] = (bits as u64 * bound as u64).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the same seed gives the same numbers, and they stay below their bound.
    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut one, mut two) = (Seeded::new(7), Seeded::new(7));
        for bound in 1..1_000 {
            let number = one.below(bound);
            assert!(number < bound);
            assert_eq!(number, two.below(bound));
        }
    }
}
