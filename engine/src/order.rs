//! The order of publishing and reading: the one place where readers and the writer meet.
//!
//! Writer: (1) the ends of places that live on, then empty the places that end; (2) swap the root,
//! then the version; (3) fill the places that open, body before head; (4) the published revision;
//! (5) the caller acknowledges. Reader: (1) published, version, root; (2) head and body; (3) an index
//! that the root does not hold takes the root anew; (4) judge; (5) fence and head again: changed
//! denies; (6) a permit although the version moved is judged once more against the newer root, with
//! the fields read again after it (docs/decisions/0003-second-look.md).
//! Bounded, without a loop that retries. INVARIANT: no answer permits what neither the old nor the
//! new state permits. The source is compiled by the model checker as it stands (proof/order).

use crate::sync::{AtomicU64, Ordering, fence};
use crate::table::{Fields, Table, Words};

/// Where the root stands: an atomic pointer in the engine, a lock in the model checker.
pub(crate) trait RootCell<R> {
    /// What a load gives: derefs to the root for as long as it lives.
    type Loaded: std::ops::Deref<Target = R>;
    /// The root that was swapped in last.
    fn load(&self) -> Self::Loaded;
}

/// What a judge says of one place under one root.
pub(crate) trait Verdict: Copy {
    /// Whether it permits.
    fn permits(&self) -> bool;
    /// Whether the root lacks an index that the place names (it is older than the place).
    fn stale(&self) -> bool;
    /// The denial of a place that changed hands while it was judged.
    fn changed() -> Self;
}

/// The words that tell readers how far publishing has come.
pub(crate) struct Marks {
    version: AtomicU64,
    published: AtomicU64,
}

impl Marks {
    /// Marks of a view whose history stands at `published`.
    pub(crate) fn new(published: u64) -> Self {
        Self { version: AtomicU64::new(0), published: AtomicU64::new(published) }
    }

    /// The number of root swaps so far.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The next revision after the published ones.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }
}

/// One change of one place, in the shape that publishing needs.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// The place lives on; only its ends (w4) and idle half (w5) may differ.
    Moved(Fields),
    /// What lived there has ended; the fields keep generation and tag without the alive bit.
    Ended(Fields),
    /// Something new lives there.
    Opened(Fields),
}

/// Publishes one durable batch. `swap` replaces the root, if the batch changed it. The caller holds
/// the proof that the batch is durable.
pub(crate) fn publish(
    table: &Table,
    marks: &Marks,
    changes: &[(u32, Change)],
    swap: Option<&mut dyn FnMut()>,
    published: u64,
) {
    // (1) What narrows: the ends of those that live on, then the heads of those that end. A place
    // that is opened anew first stops being what it was.
    for (place, change) in changes {
        if let (Change::Moved(fields), Some(words)) = (change, table.place(*place)) {
            words.store_ends(value(fields, 4));
        }
    }
    for (place, change) in changes {
        let Some(words) = table.make(*place) else { continue };
        match change {
            Change::Moved(_) => {}
            Change::Ended(fields) => words.store_head(value(fields, 0), Ordering::Relaxed),
            Change::Opened(_) => words.store_head(0, Ordering::Relaxed),
        }
    }
    fence(Ordering::Release);
    for (place, change) in changes {
        if let (Change::Ended(fields), Some(words)) = (change, table.place(*place)) {
            words.store_body(fields);
        }
    }
    // (2) The root, then the version.
    if let Some(swap) = swap {
        swap();
        marks.version.store(marks.version.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
    // (3) What opens: body before head; idle ends of those that live on.
    for (place, change) in changes {
        let Some(words) = table.place(*place) else { continue };
        match change {
            Change::Moved(fields) => words.store_idle(value(fields, 5)),
            Change::Ended(_) => {}
            Change::Opened(fields) => {
                words.store_body(fields);
                words.store_head(value(fields, 0), Ordering::Release);
            }
        }
    }
    // (4) The published revision; (5) is the caller's acknowledgement.
    marks.published.store(published, Ordering::Release);
}

fn value(fields: &Fields, at: usize) -> u64 {
    fields.get(at).copied().unwrap_or(0)
}

/// All that is said of a place, of one life: nothing while another one is being filled in. The head is looked at again
/// behind a fence, so that no word was read of a later life.
pub(crate) fn whole(words: &Words) -> Option<Fields> {
    let fields = words.read();
    fence(Ordering::Acquire);
    (words.head_relaxed() == value(&fields, 0)).then_some(fields)
}

/// Answers one question about one place: steps (2) to (6) of the reader. `root` and `version` were
/// loaded at step (1).
#[inline]
pub(crate) fn answer<R, C: RootCell<R>, V: Verdict>(
    words: &Words,
    cell: &C,
    marks: &Marks,
    (root, version): (&R, u64),
    judge: impl Fn(&R, &Fields) -> V + Copy,
) -> V {
    let fields = words.read();
    let [head, ..] = fields;
    let mut verdict = judge(root, &fields);
    if verdict.stale() {
        verdict = judge_anew(words, cell, head, judge);
    }
    if !verdict.permits() {
        return verdict;
    }
    fence(Ordering::Acquire);
    if words.head_relaxed() != head {
        return V::changed();
    }
    if marks.version() == version {
        return verdict;
    }
    fence(Ordering::Acquire);
    judge_anew(words, cell, head, judge)
}

/// Judges under the newest root, with the fields read after it: the ends of a session that a cut-off
/// spares were stored before the root that cuts was swapped in, so they are seen with it. Takes the judge by value:
/// behind a reference it would stand in memory for every answer.
#[cold]
#[inline(never)]
fn judge_anew<R, C: RootCell<R>, V: Verdict>(
    words: &Words,
    cell: &C,
    head: u64,
    judge: impl Fn(&R, &Fields) -> V,
) -> V {
    let root = cell.load();
    let fields = words.read();
    if value(&fields, 0) != head {
        return V::changed();
    }
    let verdict = judge(&*root, &fields);
    fence(Ordering::Acquire);
    // What the newest root lacks too is gone: nothing newer is waited for.
    if words.head_relaxed() == head && !verdict.stale() { verdict } else { V::changed() }
}
