//! Looks at everything in the checkpoint's file again, slowly: damage is told before anybody needs what is damaged.
//!
//! A pass takes half of its period at most, one step of a mebibyte after another, each on a thread that may
//! wait. Nobody is refused for what it finds: a tenant that cannot be loaded says so itself.

use crate::metric;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_crypto::digest;
use tessera_engine::Engine;
use tessera_storage::Scrub;

/// Bytes of one step: some milliseconds of one core.
const STEP_BYTES: u64 = 1024 * 1024;
/// LIMIT: the shortest pause between two steps: at most 20 MiB a second are read, whatever the period.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// LIMIT: the longest.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long a node runs before its first pass, so that a start is not disturbed.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// What the last pass found, or the one that runs, whichever is more.
#[derive(Debug, Default)]
pub(crate) struct Findings(AtomicU64);

impl Findings {
    /// Entries that read wrong.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// LIMIT: findings that are known from pass to pass, by 32 bytes each; beyond them each pass tells again.
const TOLD_MAX: usize = 10_000;

/// What earlier passes told: a finding is told once, and again when it was gone meanwhile.
#[derive(Default)]
struct Told {
    before: BTreeSet<[u8; 32]>,
    now: BTreeSet<[u8; 32]>,
}

impl Told {
    /// Whether a finding was not told before.
    fn is_news(&mut self, damage: &str) -> bool {
        let known = digest::hash(&[damage.as_bytes()]);
        let again = self.now.len() < TOLD_MAX && !self.now.insert(known);
        !again && !self.before.contains(&known)
    }

    /// A pass has ended.
    fn end(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

/// The pause between two steps of a pass over so many bytes that is to take half of `every`.
fn pause(every: Duration, bytes: u64) -> Duration {
    let steps = u32::try_from(bytes / STEP_BYTES + 1).unwrap_or(u32::MAX);
    (every / 2 / steps).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Passes, one every `every`, until the node ends.
pub(crate) async fn run(engine: Engine, every: Duration, findings: Arc<Findings>) {
    tokio::time::sleep(every.min(FIRST_AFTER)).await;
    let mut told = Told::default();
    loop {
        let begun = Instant::now();
        let pause = pause(every, engine.usage().store.checkpoint_bytes);
        if let Some(found) = pass(&engine, pause, (&findings, &mut told)).await {
            told.end();
            findings.0.store(found, Ordering::Relaxed);
            metrics::counter!(metric::SCRUB_PASSES_TOTAL).increment(1);
            metrics::gauge!(metric::SCRUB_DAMAGE).set(found as f64);
        }
        tokio::time::sleep(every.saturating_sub(begun.elapsed()).max(PAUSE_MIN)).await;
    }
}

/// One pass: how many entries read wrong; `None` when it could not be ended.
async fn pass(engine: &Engine, pause: Duration, (findings, told): (&Findings, &mut Told)) -> Option<u64> {
    let (mut at, mut found) = (Scrub::default(), 0);
    loop {
        let step = match engine.scrub(at, STEP_BYTES).await {
            Ok(step) => step,
            Err(error) => {
                tracing::warn!(%error, "a pass over the checkpoint could not be ended");
                return None;
            }
        };
        metrics::counter!(metric::SCRUB_BYTES_TOTAL).increment(step.bytes);
        found += step.damage.len() as u64;
        if found > findings.count() {
            findings.0.store(found, Ordering::Relaxed);
            metrics::gauge!(metric::SCRUB_DAMAGE).set(found as f64);
        }
        for damage in &step.damage {
            if told.is_news(&damage.to_string()) {
                tracing::error!(%damage, "the checkpoint is damaged");
            }
        }
        at = match step.next {
            Some(next) => next,
            None => return Some(found),
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what reads wrong is told once while it stays so, however many entries and passes find it; it is
    /// told again after a pass that did not find it.
    #[test]
    fn a_finding_is_told_once() {
        let mut told = Told::default();
        for pass in 0..3 {
            assert_eq!(told.is_news("a"), pass == 0);
            assert!(!told.is_news("a"));
            assert!(told.is_news(&format!("b{pass}")));
            told.end();
        }
        told.end();
        assert!(told.is_news("a"));
    }

    /// PROPERTY: a pass over any number of bytes takes about half of its period, but never more than 20 MiB a second,
    /// and never more than a minute from step to step.
    #[test]
    fn a_pass_is_slow_and_ends_in_time() {
        const MIB: u64 = 1024 * 1024;
        let day = Duration::from_secs(86_400);
        assert_eq!(pause(day, 0), PAUSE_MAX);
        assert_eq!(pause(Duration::from_secs(1), 1024 * MIB), PAUSE_MIN);
        for mib in [1_000, 4_000, 60_000, 800_000] {
            let whole = pause(day, mib * MIB) * u32::try_from(mib + 1).expect("small");
            assert!(whole <= day / 2 || pause(day, mib * MIB) == PAUSE_MIN, "{mib}");
            assert!(whole >= day / 3, "{mib}");
        }
    }
}
