//! What a power cut leaves: chosen from the durable image and the writes since.

use super::{Change, Content, Naming, Simulated, State, apply, whole};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The smallest piece that a power cut leaves whole or not at all.
const SECTOR: usize = 512;
/// The usual larger piece.
const PAGE: usize = 4096;

/// What a power cut leaves of writes that were not synced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Survival {
    /// Nothing.
    None,
    /// The first ones, the last of them perhaps in part.
    Prefix,
    /// Any sectors of any of them, each with this chance in a hundred.
    Sectors(u64),
    /// Everything.
    All,
}

impl Simulated {
    /// What is left when the power goes now. `choose(n)` picks one of `0..n`.
    #[must_use]
    pub fn after_cut(&self, survival: Survival, choose: &mut dyn FnMut(u64) -> u64) -> Self {
        let state = self.0.lock();
        let mut names = state.durable_names.clone();
        let kept = pick(choose, state.pending_names.len());
        for naming in state.pending_names.iter().take(kept) {
            rename(&mut names, naming);
        }
        let mut order: Vec<u64> = state
            .contents
            .values()
            .flat_map(|content| content.pending.iter().map(|(order, _)| *order))
            .collect();
        order.sort_unstable();
        let kept = pick(choose, order.len());
        let last_whole = kept.checked_sub(1).and_then(|last| order.get(last)).copied();
        let torn = order.get(kept).copied();
        let mut contents = BTreeMap::new();
        // What has no name any more is read by nobody.
        let named: BTreeSet<u64> = names.values().copied().collect();
        for (inode, content) in state.contents.iter().filter(|(inode, _)| named.contains(inode)) {
            let mut left = content.durable.clone();
            for (order, change) in &content.pending {
                match survival {
                    Survival::None => {}
                    Survival::All => apply(&mut left, change, whole(change)),
                    Survival::Prefix if last_whole.is_some_and(|last| *order <= last) => {
                        apply(&mut left, change, whole(change));
                    }
                    Survival::Prefix if torn == Some(*order) => {
                        let sectors = whole(change).end / SECTOR;
                        let cut = pick(choose, sectors) * SECTOR;
                        if cut > 0 {
                            apply(&mut left, change, 0..cut);
                        }
                    }
                    Survival::Prefix => {}
                    Survival::Sectors(percent) => survive(&mut left, change, percent, choose),
                }
            }
            let stage = content.stage;
            contents
                .insert(*inode, Content { live: left.clone(), durable: left, pending: Vec::new(), stage });
        }
        Self(Arc::new(Mutex::new(State {
            contents,
            durable_names: names.clone(),
            names,
            next_inode: state.next_inode,
            ..State::default()
        })))
    }
}

fn pick(choose: &mut dyn FnMut(u64) -> u64, most: usize) -> usize {
    usize::try_from(choose(most as u64 + 1)).unwrap_or(0)
}

fn survive(left: &mut Vec<u8>, change: &Change, percent: u64, choose: &mut dyn FnMut(u64) -> u64) {
    let end = match change {
        Change::Size(_) => {
            if choose(100) < percent {
                apply(left, change, 0..0);
            }
            return;
        }
        Change::Write { bytes, .. } => bytes.len(),
    };
    let piece = if choose(2) == 0 { SECTOR } else { PAGE };
    for start in (0..end).step_by(piece) {
        if choose(100) < percent {
            apply(left, change, start..end.min(start + piece));
        }
    }
}

fn rename(names: &mut BTreeMap<String, u64>, naming: &Naming) {
    match naming {
        Naming::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Naming::Unlink(name) => {
            names.remove(name);
        }
        Naming::Move(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}
