//! A fault that a simulated disk plants in the store itself: a start that looks at no hash. It can be switched on
//! only in a build with the feature `planted`.

use std::cell::Cell;

thread_local! {
    static UNCHECKED: Cell<bool> = const { Cell::new(false) };
}

/// Has starts on this thread take groups without looking at their hashes, or not any more.
pub(crate) fn leave_chain_unchecked(on: bool) {
    UNCHECKED.set(on);
}

/// Whether hashes of groups are not looked at.
pub(crate) fn is_chain_unchecked() -> bool {
    cfg!(feature = "planted") && UNCHECKED.get()
}
