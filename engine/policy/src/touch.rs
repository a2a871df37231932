//! Asking for a cache line before it is needed.

/// Asks the processor for the cache line of `slice[index]`, and goes on without waiting for it.
///
/// Changes nothing that a program can see: an index outside of the slice asks for nothing useful.
/// An ordinary early load would do the same, but the processor cannot finish what comes after a load
/// that waits for memory, and so hides only a quarter of the wait.
#[inline]
pub fn touch<T>(slice: &[T], index: usize) {
    prefetch_index::prefetch_index(slice, index);
}

#[cfg(test)]
mod tests {
    /// PROPERTY: any index of any slice is harmless.
    #[test]
    fn touches_change_nothing() {
        let values = [1u64, 2, 3];
        for index in [0, 2, 3, 1 << 40, usize::MAX] {
            super::touch(&values, index);
            super::touch::<u64>(&[], index);
        }
        assert_eq!(values, [1, 2, 3]);
    }
}
