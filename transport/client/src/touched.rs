//! Which sessions were touched lately: more than once per minute moves nothing, so it is not sent.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};
use tessera_model::HandleBytes;

/// A node moves an idle end at most so often.
const EVERY: Duration = Duration::from_secs(60);
/// LIMIT: sessions remembered: 65,536 × 24 B. Beyond it the old ones are swept out, then all.
const REMEMBERED_MAX: usize = 65_536;

/// Handles by their hash under a random key; none is kept.
#[derive(Default)]
pub(crate) struct Touched {
    keys: RandomState,
    at: Mutex<HashMap<u64, Instant>>,
}

impl Touched {
    /// Whether a touch is due. It counts as made then; [`Touched::forget`] it when it failed.
    pub(crate) fn due(&self, handle: &HandleBytes, now: Instant) -> bool {
        let (key, mut at) = (self.keys.hash_one(handle), self.at.lock());
        if at.get(&key).is_some_and(|last| now.duration_since(*last) < EVERY) {
            return false;
        }
        if at.len() >= REMEMBERED_MAX {
            at.retain(|_, last| now.duration_since(*last) < EVERY);
            if at.len() >= REMEMBERED_MAX {
                at.clear();
            }
        }
        at.insert(key, now);
        true
    }

    /// The touch failed: the next one is due.
    pub(crate) fn forget(&self, handle: &HandleBytes) {
        self.at.lock().remove(&self.keys.hash_one(handle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: one touch per minute and handle is due, a failed one at once again; memory is bounded.
    #[test]
    fn one_touch_per_minute_is_due() {
        let (touched, begun) = (Touched::default(), Instant::now());
        assert!(touched.due(&[1; 40], begun) && touched.due(&[2; 40], begun));
        assert!(!touched.due(&[1; 40], begun + Duration::from_secs(59)));
        assert!(touched.due(&[1; 40], begun + Duration::from_secs(60)));
        touched.forget(&[1; 40]);
        assert!(touched.due(&[1; 40], begun + Duration::from_secs(61)));
        for nth in 0..70_000_u64 {
            let mut handle = [0; 40];
            handle[..8].copy_from_slice(&nth.to_le_bytes());
            touched.due(&handle, begun);
        }
        assert!(touched.at.lock().len() <= REMEMBERED_MAX);
    }
}
