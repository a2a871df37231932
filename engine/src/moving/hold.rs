//! Tenants that are in memory and closed: until it is known that they live here.

use crate::directory::Entry;
use crate::view::View;
use std::sync::Arc;

/// Why a tenant is closed that is in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hold {
    /// The cell was restored, and the other ones have not said yet what has left it.
    Unheard = 1,
    /// Another cell may have opened a copy of it while this one was down, or it is being opened by an operator's word.
    Own = 2,
}

impl Entry {
    pub(crate) fn show(&self, view: Option<Arc<View>>) {
        let mut held = self.held.lock();
        let (why, hidden) = &mut *held;
        let (shown, kept) = if *why == 0 { (view, None) } else { (None, view) };
        *hidden = kept;
        self.view.store(shown);
    }

    /// Closes the tenant, for one more reason: whoever asks is told to come again, as of one that wakes.
    pub(crate) fn hold(&self, why: Hold) {
        let mut held = self.held.lock();
        let (known, hidden) = &mut *held;
        if *known == 0 {
            *hidden = self.view.swap(None);
        }
        *known |= why as u8;
    }

    /// Opens it again, unless it is closed for another reason, too.
    pub(crate) fn release(&self, why: Hold) {
        let mut held = self.held.lock();
        let (known, hidden) = &mut *held;
        let was = std::mem::replace(known, *known & !(why as u8));
        if was != 0 && *known == 0 {
            self.view.store(hidden.take());
            self.stirs.notify_waiters();
        }
    }

    /// Whether the tenant is closed until it is known where it lives.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.lock().0 != 0
    }

    /// The view of a tenant that is in memory, for the node itself: shown or not.
    pub(crate) fn known_view(&self) -> Option<Arc<View>> {
        let held = self.held.lock();
        if held.0 == 0 { self.view.load_full() } else { held.1.clone() }
    }
}
