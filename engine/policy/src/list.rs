//! Everything a subject may do in a workspace, as one bitset.

use crate::conditions::Facts;
use crate::line::Line;
use crate::overflow::NEVER;
use crate::rules::Rules;
use crate::windows::Lens;
use tessera_model::{RestrictionId, UnixMillis, WorkspaceIndex};

impl Rules {
    /// Writes the permitted permissions into `out`, bit `n % 64` of word `n / 64` for permission `n`.
    /// Answers until when that holds: never later than the first change by time alone, and earlier
    /// only where two windows give the same.
    ///
    /// An unknown workspace permits nothing; a grant with conditions does not count.
    pub fn list(
        &self,
        line: &Line,
        workspace: WorkspaceIndex,
        restriction: RestrictionId,
        now: UnixMillis,
        out: &mut Vec<u64>,
    ) -> UnixMillis {
        self.list_under(line, workspace, restriction, (now, None), out)
    }

    /// As [`Rules::list`], by what is known of whoever asks: grants with conditions count while they hold.
    pub fn list_under(
        &self,
        line: &Line,
        workspace: WorkspaceIndex,
        restriction: RestrictionId,
        (now, facts): (UnixMillis, Option<&Facts>),
        out: &mut Vec<u64>,
    ) -> UnixMillis {
        let lens = Lens { at: now, facts };
        out.clear();
        out.resize(self.permissions.words(), 0);
        let Some(scope) = self.workspaces.scope(workspace) else { return NEVER };
        let mask = self.restrictions.mask(restriction);
        let ceiling = self.workspaces.ceiling(workspace);
        for line in std::iter::once(line).chain(self.groups_line(line)) {
            for set in self.sets_in(line, &scope) {
                self.sets.add_to(set, out);
            }
        }
        let mut until = NEVER;
        let masked = |at: usize, word: u64| {
            let below = ceiling.map_or(u64::MAX, |ceiling| ceiling.get(at).copied().unwrap_or(0));
            word & mask.word(at) & below
        };
        // Whether a window would add something here to what is granted for good.
        let for_good = &*out;
        self.each_window(line, &scope, lens, &mut |(words, from, end)| {
            let mut pairs = words.iter().zip(for_good).enumerate();
            if end > now && pairs.any(|(at, (window, given))| masked(at, *window) & !given != 0) {
                until = until.min(if from > now { from } else { end });
            }
        });
        // WHY: a second pass, so that what one window adds does not hide that another one adds it too.
        self.each_window(line, &scope, lens, &mut |(words, from, end)| {
            if from <= now && end > now {
                for (to, word) in out.iter_mut().zip(words) {
                    *to |= word;
                }
            }
        });
        for (at, word) in out.iter_mut().enumerate() {
            *word = masked(at, *word);
        }
        until
    }
}
