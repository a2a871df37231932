//! Numbers from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014): one seed gives the same numbers again.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed and a name, so that targets of one seed do not go in step.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mut start = seed ^ 0xCBF2_9CE4_8422_2325;
        for byte in name.bytes() {
            start = (start ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Self(start)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `most`; 0 where that is 0.
    pub fn below(&mut self, most: usize) -> usize {
        let most = u64::try_from(most).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % most).unwrap_or_default()
    }

    /// One of `all`.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below(all.len());
        all.get(at)
    }
}
