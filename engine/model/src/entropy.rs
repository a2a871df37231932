//! The random bytes of one command: drawn before admission, so that `decide` stays pure.

/// LIMIT: random bytes of one command: a handle's secret (20), a UUIDv7 (10), twice, and 4 spare.
pub const ENTROPY_BYTES: usize = 64;

/// The random bytes of one command. No `Debug`: secrets are made of it.
#[derive(Clone, Copy)]
pub struct Entropy(pub [u8; ENTROPY_BYTES]);

impl Entropy {
    /// `N` bytes from `at`; zeros beyond the end (callers stay within 64).
    #[must_use]
    pub fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(self.0.iter().skip(at)) {
            *to = *from;
        }
        out
    }
}
