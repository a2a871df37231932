//! Rounds: us and the peer in turn, so that whatever disturbs the machine disturbs both.

use std::time::Instant;

/// The median of some numbers; NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of the numbers lies; NaN of none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, reason = "an index between 0 and the number of samples")]
    let at = (last as f64 * share.clamp(0.0, 1.0)).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// Nanoseconds that `work` took, divided by `parts`.
pub fn nanos_each(parts: usize, work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    let nanos = started.elapsed().as_nanos() as f64;
    let parts = parts.max(1) as f64;
    nanos / parts
}

/// Medians of both after `rounds` rounds in turn, A first; one round before them is thrown away.
pub fn interleave(rounds: usize, mut ours: impl FnMut() -> f64, mut peer: impl FnMut() -> f64) -> (f64, f64) {
    let (mut a, mut b) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    ours();
    peer();
    for _ in 0..rounds {
        a.push(ours());
        b.push(peer());
    }
    (median(&a), median(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: median and quantiles are values of the sample, at the expected places.
    #[test]
    fn quantiles_are_samples() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert!((median(&values) - 3.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 0.0) - 1.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 1.0) - 5.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    /// PROPERTY: both sides run equally often, in turn.
    #[test]
    fn rounds_alternate() {
        let order = std::cell::RefCell::new(String::new());
        let run = |letter: char| {
            order.borrow_mut().push(letter);
            0.0
        };
        interleave(3, || run('a'), || run('b'));
        assert_eq!(order.into_inner(), "abababab");
    }
}
