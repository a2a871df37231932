//! Which places are free: derived, never stored. A place is named in the event that fills it.

use crate::check::{Live, halves};
use crate::table::{ALIVE, Fields, Words};
use tessera_model::limits::PLACES_MAX;
use tessera_model::{Generation, Place, UnixMillis};

/// The free places of one tenant.
#[derive(Default)]
pub(super) struct Places {
    /// The first place that was never used.
    unused: u32,
    free: Vec<u32>,
    /// One bit per place: it is in `free`.
    listed: Vec<u64>,
    /// Where the sweep for ended places goes on.
    hand: u32,
}

impl Places {
    /// The place that the next session gets; [`Places::filled`] takes it.
    pub(super) fn pick(&self) -> Option<u32> {
        self.free.last().copied().or((self.unused < PLACES_MAX).then_some(self.unused))
    }

    /// The place was filled.
    pub(super) fn filled(&mut self, place: u32) {
        if self.free.last() == Some(&place) {
            self.free.pop();
        } else if self.is_listed(place) {
            // Only replay fills places out of order, and it lists none.
            self.free.retain(|free| *free != place);
        }
        self.list(place, false);
        if place >= self.unused {
            // What replay skips over is found by the sweep.
            self.unused = place + 1;
        }
    }

    /// What lived in the place has ended.
    pub(super) fn ended(&mut self, place: u32) {
        self.unused = self.unused.max(place + 1);
        if !self.is_listed(place) {
            self.list(place, true);
            self.free.push(place);
        }
    }

    /// Places up to this one were taken over from a bucket; those that have ended were noted.
    pub(super) fn taken_over(&mut self, to: u32) {
        self.unused = self.unused.max(to);
    }

    /// How many places were ever used.
    pub(super) const fn used(&self) -> u32 {
        self.unused
    }

    /// Looks at up to `budget` places and lists those whose life is over at `now`; gives them, with what
    /// they hold. A wake looks at all of them: `words` gives those from a place on that lie behind one another.
    pub(super) fn sweep<'t>(
        &mut self,
        budget: usize,
        now: UnixMillis,
        words: impl Fn(u32) -> &'t [Words],
        is_cut: impl Fn(&Live) -> bool,
    ) -> Vec<(u32, Fields)> {
        let mut found = Vec::new();
        let mut left = u32::try_from(budget).unwrap_or(u32::MAX).min(self.unused);
        while left > 0 {
            let row = words(self.hand);
            let most = left.min(self.unused.saturating_sub(self.hand));
            let many = u32::try_from(row.len()).unwrap_or(u32::MAX).min(most);
            for (place, words) in (self.hand..).zip(row).take(many as usize) {
                self.look(place, words.read(), (now, &is_cut), &mut found);
            }
            if many == 0 {
                // Nobody ever had a place of this chunk.
                self.look(self.hand, Fields::default(), (now, &is_cut), &mut found);
            }
            let seen = many.max(1);
            self.hand = self.hand.saturating_add(seen);
            if self.hand >= self.unused {
                self.hand = 0;
            }
            left = left.saturating_sub(seen);
        }
        found
    }

    #[inline(always)]
    fn look(
        &mut self,
        place: u32,
        fields: Fields,
        (now, is_cut): (UnixMillis, &impl Fn(&Live) -> bool),
        found: &mut Vec<(u32, Fields)>,
    ) {
        if self.is_listed(place) {
            return;
        }
        let [w0, ..] = fields;
        let live = Live::of(&fields);
        if w0 & ALIVE == 0 || live.clock(now).is_err() || is_cut(&live) {
            self.ended(place);
            found.push((place, fields));
        }
    }

    fn is_listed(&self, place: u32) -> bool {
        self.listed.get(place as usize / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn list(&mut self, place: u32, on: bool) {
        let at = place as usize / 64;
        if self.listed.len() <= at {
            self.listed.resize(at + 1, 0);
        }
        if let Some(word) = self.listed.get_mut(at) {
            *word = if on { *word | 1 << (place % 64) } else { *word & !(1 << (place % 64)) };
        }
    }
}

/// The next life of a place that holds `fields`; `None` when it is retired.
pub(super) fn next_life(place: u32, fields: &Fields) -> Option<(Place, Generation)> {
    let [w0, ..] = fields;
    let (generation, _) = halves(*w0);
    Some((Place(place), Generation(generation.checked_add(1)?)))
}
