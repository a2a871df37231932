//! Everything a subject may do in a workspace, as one bitset.

use crate::line::Line;
use crate::overflow::{NEVER, Timed};
use crate::restrictions::Mask;
use crate::rules::Rules;
use crate::workspaces::Scope;
use tessera_model::{RestrictionId, UnixMillis, WorkspaceIndex};

impl Rules {
    /// Writes the permitted permissions into `out`, bit `n % 64` of word `n / 64` for permission `n`.
    /// Answers until when that holds: never later than the first change by time alone, and earlier
    /// only where two windows give the same.
    ///
    /// An unknown workspace permits nothing.
    pub fn list(
        &self,
        line: &Line,
        workspace: WorkspaceIndex,
        restriction: RestrictionId,
        now: UnixMillis,
        out: &mut Vec<u64>,
    ) -> UnixMillis {
        out.clear();
        out.resize(self.permissions.words(), 0);
        let Some(scope) = self.workspaces.scope(workspace) else { return NEVER };
        let mask = self.restrictions.mask(restriction);
        let overflow = self.overflows.get(line.overflow);
        if scope.root {
            self.sets.add_to(line.root(), out);
        }
        let more = overflow.into_iter().flat_map(|overflow| overflow.sets.iter().copied());
        for (_, set) in line.pairs().chain(more).filter(|(at, _)| scope.contains(*at)) {
            self.sets.add_to(set, out);
        }
        let mut until = NEVER;
        for timed in overflow.into_iter().flat_map(|overflow| overflow.timed.iter()) {
            let empty = timed.ends() <= timed.begins();
            if !empty && timed.ends() > now && self.adds(timed, &scope, mask, out) {
                until = until.min(if timed.begins() > now { timed.begins() } else { timed.ends() });
            }
        }
        // WHY: a second pass, so that what one window adds does not hide that another one adds it too.
        for timed in overflow.into_iter().flat_map(|overflow| overflow.timed.iter()) {
            if timed.begins() <= now && timed.ends() > now && scope.contains(timed.workspace) {
                self.roles.add_to(timed.role, out);
            }
        }
        for (at, word) in out.iter_mut().enumerate() {
            *word &= mask.word(at);
        }
        until
    }

    /// Whether a grant with a window would add something here to what is granted for good.
    fn adds(&self, timed: &Timed, scope: &Scope<'_>, mask: Mask<'_>, for_good: &[u64]) -> bool {
        let masked = |at: usize, word: u64| word & mask.word(at);
        let words = self.roles.words(timed.role).iter().zip(for_good).enumerate();
        scope.contains(timed.workspace)
            && words.into_iter().any(|(at, (role, given))| masked(at, *role) & !given != 0)
    }
}
