//! Last use of keys: noted when a door sees one used as a credential, at most once a minute and key.
//!
//! A check writes nothing (F-33); what is written is one touch, ordered by the node and awaited by nobody.

use crate::bound::Bound;
use crate::engine::Engine;
use crate::submit;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::{Caller, Command};

/// How long a key's last use stays as it is, s.
pub(crate) const TOUCH_EVERY_S: u32 = 60;
/// LIMIT: touches of one tenant that are under way: a quarter of its intake.
const UNDER_WAY_MAX: usize = 1_024;

/// Places whose touch is under way.
#[derive(Default)]
pub(crate) struct Touching(Mutex<BTreeSet<u32>>);

impl Touching {
    fn begin(&self, place: u32) -> bool {
        let mut places = self.0.lock();
        places.len() < UNDER_WAY_MAX && places.insert(place)
    }

    fn end(&self, place: u32) {
        self.0.lock().remove(&place);
    }
}

impl Engine {
    /// Notes that a bound key was used. Returns at once; a door calls it with every read that it drains. What stands there
    /// from its making on counts for a use: whoever makes a key and uses it at once costs one command, not two.
    pub fn note_use(&self, bound: &Bound) {
        if !bound.key {
            return;
        }
        let view = bound.home.view();
        let Some(view) = view.as_ref() else { return };
        let (place, generation) = bound.place();
        let Some(words) = view.table.place(place.0) else { return };
        let now = self.now().to_deadline();
        if now.0.saturating_sub(words.idle_relaxed()) < TOUCH_EVERY_S || !view.touching.begin(place.0) {
            return;
        }
        let (engine, home, view) = (self.clone(), Arc::clone(&bound.home), Arc::clone(view));
        tokio::spawn(async move {
            let command = Command::TouchSession { place, generation };
            let ordered = engine.ordered(Caller::Node, engine.command_id(), command);
            // What does not happen now happens with the next use.
            drop(submit::submit(&engine.house, &home, ordered).await);
            view.touching.end(place.0);
        });
    }
}
