//! What policies cost whoever asks: counted on the thread that answers, and charged by the door that was asked.

use std::cell::Cell;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// LIMIT: steps of policies that are part of a check; so many more cost as much as one.
const STEPS_PER_CHECK: u64 = 64;

/// Counts the steps that policies take on this thread from its making on. It stays on that thread.
#[derive(Debug)]
pub struct PolicySteps {
    before: u64,
    /// Not sent elsewhere: another thread has another count.
    here: std::marker::PhantomData<*const ()>,
}

impl PolicySteps {
    /// Counts from here on.
    #[must_use]
    pub fn counting() -> Self {
        Self { before: TAKEN.get(), here: std::marker::PhantomData }
    }

    /// As how many checks the steps since then are to be charged, beside those that were asked.
    #[must_use]
    pub fn checks(&self) -> u64 {
        Self::as_checks(self.steps())
    }

    /// The steps since then.
    #[must_use]
    #[inline]
    pub fn steps(&self) -> u64 {
        TAKEN.get().wrapping_sub(self.before)
    }

    /// As how many checks steps are to be charged that were added up.
    #[must_use]
    pub const fn as_checks(steps: u64) -> u64 {
        steps / STEPS_PER_CHECK
    }
}

/// Notes steps that policies took.
pub(crate) fn taken(steps: u32) {
    TAKEN.set(TAKEN.get().wrapping_add(u64::from(steps)));
}
