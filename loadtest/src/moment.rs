//! Moments of a run: nanoseconds of the monotonic clock since its start.

use std::time::Instant;

/// A moment, ns since the start of the run.
pub type Moment = u64;

/// The clock of a run.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The moment now.
    #[must_use]
    pub fn now(&self) -> Moment {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(Moment::MAX)
    }

    /// The instant of a moment.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> Instant {
        self.0 + std::time::Duration::from_nanos(moment)
    }
}
