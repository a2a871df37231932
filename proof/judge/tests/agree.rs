//! The engine's decisions against the slow ones, over thousands of random worlds.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it did not expect to be"
)]

mod scene;

use scene::Scene;
use scene::tally::over;
use tessera_judge::Omit;

const WORLDS: u64 = 2_100;
const EDITS: u32 = 6;

/// PROPERTY: every decision, its `valid_until` and the list of permissions are those of a slow and obvious
/// reading of everything that was written, before and after edits, and in rules that were loaded in another order.
/// METHOD: 2,100 random worlds, each edited at random; at least 100,000 questions, both answers at least a
/// fifth of them, each kind of grant and each kind of restriction decisive in at least one of a hundred.
#[test]
fn decisions_are_those_of_a_slow_reading() {
    // No grant of these worlds has conditions.
    let parts: Vec<_> = Omit::ALL.into_iter().filter(|part| !Omit::CONDITIONS.contains(part)).collect();
    let Some(tally) = over(WORLDS, EDITS, &parts, Scene::new) else { return };
    assert!(tally.asked >= 100_000);
    assert!((20.0..=80.0).contains(&tally.share(tally.permits)));
    for part in parts {
        assert!(tally.decisive(part) >= 1.0, "{part:?}");
    }
}
