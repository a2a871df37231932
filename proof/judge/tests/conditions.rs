//! The engine's decisions about grants with conditions against the slow ones.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it did not expect to be"
)]

mod scene;

use scene::Scene;
use scene::tally::over;
use tessera_judge::Omit;

const WORLDS: u64 = 600;
const EDITS: u32 = 6;

/// PROPERTY: decisions by grants with conditions, their `valid_until` and the lists are those of a slow reading, before and
/// after edits and in rules that were loaded in another order; clocks are read by the written rules of three zones, over
/// nights in which they are put forward or back. METHOD: 600 random worlds in which most grants have conditions, each kind
/// of condition decisive in at least one of a hundred questions.
#[test]
fn conditions_are_those_of_a_slow_reading() {
    let Some(tally) = over(WORLDS, EDITS, &Omit::CONDITIONS, Scene::conditioned) else { return };
    for part in Omit::CONDITIONS {
        assert!(tally.decisive(part) >= 1.0, "{part:?}");
    }
}
