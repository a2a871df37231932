//! Equality whose time does not depend on where two secrets first differ.
//!
//! The optimiser can turn a plain XOR and OR of two words into two early exits. The machine code of
//! `equal_words` was looked at (objdump, rustc 1.95 -O, x86-64; called and inlined behind atomic
//! loads): two xors, an or, a store of the result and one compare with it; no jump before that.

use std::hint::black_box;
use subtle::ConstantTimeEq as _;

/// Whether two tags, each as two words, are equal.
#[must_use]
#[inline]
pub fn equal_words(left: (u64, u64), right: (u64, u64)) -> bool {
    // WHY: black_box makes both differences one value before anything may depend on it.
    black_box((left.0 ^ right.0) | (left.1 ^ right.1)) == 0
}

/// Whether two arrays of one length are equal.
#[must_use]
pub fn equal_arrays<const N: usize>(left: &[u8; N], right: &[u8; N]) -> bool {
    equal(left, right)
}

/// Whether two byte strings are equal. Their lengths are no secret: different ones answer at once.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the answer is that of `==`. METHOD: every single-bit difference of 16 bytes.
    #[test]
    fn agrees_with_plain_equality() {
        let base = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978_u128;
        let words = |whole: u128| {
            let bytes = whole.to_le_bytes();
            crate::digest::tag_words(bytes)
        };
        assert!(equal_words(words(base), words(base)));
        assert!(equal_arrays(&base.to_le_bytes(), &base.to_le_bytes()));
        for bit in 0..128 {
            let other = base ^ (1 << bit);
            assert!(!equal_words(words(base), words(other)));
            assert!(!equal_arrays(&base.to_le_bytes(), &other.to_le_bytes()));
        }
        assert!(!equal(b"ab", b"abc"));
        assert!(equal(b"", b""));
    }
}
