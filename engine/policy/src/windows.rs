//! What time limits: grants with windows and memberships with windows, a subject's own and its groups'.

use crate::conditions::Facts;
use crate::line::Line;
use crate::overflow::{NEVER, begins, ends};
use crate::rules::Rules;
use crate::workspaces::Scope;
use tessera_model::{PermissionId, SetId, UnixMillis, WorkspaceIndex};

/// A window in which permissions are granted: their bits, its first instant, and the first after it.
pub(crate) type Window<'a> = (&'a [u64], UnixMillis, UnixMillis);

/// LIMIT: passes that join windows of several lines. Beyond it an answer is right, and good for less long than
/// it might be.
const WINDOW_PASSES_MAX: usize = 16;

/// What windows are looked for: those from an instant on, of grants whose conditions hold by what is known.
#[derive(Clone, Copy)]
pub(crate) struct Lens<'f> {
    /// Windows that end no later are left out where that is known.
    pub(crate) at: UnixMillis,
    /// What is known; nothing: grants with conditions are left out.
    pub(crate) facts: Option<&'f Facts>,
}

impl Rules {
    /// What the groups grant that a subject is in for good.
    #[inline]
    pub(crate) fn groups_line(&self, line: &Line) -> Option<&Line> {
        let groups = line.groups_that_count();
        if groups == 0 { None } else { self.members.line(groups) }
    }

    /// The sets that a line holds for good in a scope.
    pub(crate) fn sets_in<'a>(
        &'a self,
        line: &'a Line,
        scope: &'a Scope<'_>,
    ) -> impl Iterator<Item = SetId> + 'a {
        let tenant = scope.root.then(|| line.root_that_counts());
        let near = line.pairs().filter(|(workspace, _)| scope.contains(*workspace)).map(|(_, set)| set);
        let more = self.overflows.get(line.overflow).filter(|overflow| !overflow.sets.is_empty());
        let far = more
            .into_iter()
            .flat_map(|overflow| scope.places().filter_map(|place| overflow.set_in(WorkspaceIndex(place))));
        tenant.into_iter().chain(near).chain(far)
    }

    /// Whether a line covers a permission for good in a scope.
    pub(crate) fn covers_for_good(&self, line: &Line, scope: &Scope<'_>, permission: PermissionId) -> bool {
        self.sets_in(line, scope).any(|set| self.sets.holds(set, permission))
    }

    /// Shows every window of a subject in a scope; empty ones are left out. Of a grant with conditions that is the
    /// first one from an instant on; the end of one that begins later is not told.
    pub(crate) fn each_window<'a>(
        &'a self,
        line: &Line,
        scope: &Scope<'_>,
        lens: Lens<'_>,
        show: &mut impl FnMut(Window<'a>),
    ) {
        self.own_windows(line, scope, lens, (UnixMillis(0), NEVER), show);
        if let Some(groups) = self.groups_line(line) {
            self.own_windows(groups, scope, lens, (UnixMillis(0), NEVER), show);
        }
        let overflow = self.overflows.get(line.overflow).filter(|_| !line.is_guest());
        for member in overflow.into_iter().flat_map(|overflow| overflow.members.iter()) {
            let window = (begins(member.from), ends(member.until));
            let Some(groups) = self.members.line(member.membership) else { continue };
            if window.0 < window.1 {
                for set in self.sets_in(groups, scope) {
                    show((self.sets.words(set), window.0, window.1));
                }
                self.own_windows(groups, scope, lens, window, show);
            }
        }
    }

    /// The windows of one line, each cut to the window in which the line itself counts.
    fn own_windows<'a>(
        &'a self,
        line: &Line,
        scope: &Scope<'_>,
        lens: Lens<'_>,
        (from, until): (UnixMillis, UnixMillis),
        show: &mut impl FnMut(Window<'a>),
    ) {
        let overflow = self.overflows.get(line.overflow);
        for timed in overflow.into_iter().flat_map(|overflow| overflow.timed.iter()) {
            let (from, until) = (timed.begins().max(from), timed.ends().min(until));
            let reaches = timed.workspace.0 != 0 || !line.is_guest();
            if from < until && reaches && scope.contains(timed.workspace) {
                let window = match timed.condition {
                    0 => Some((from, until)),
                    id => self.conditioned(id, lens, (from, until)),
                };
                if let Some((from, until)) = window {
                    show((self.roles.words(timed.role), from, until));
                }
            }
        }
    }

    /// The first part of a window from an instant on in which conditions hold.
    pub(crate) fn conditioned(
        &self,
        id: u32,
        lens: Lens<'_>,
        (from, until): (UnixMillis, UnixMillis),
    ) -> Option<(UnixMillis, UnixMillis)> {
        let run = self.conditions.get(id)?.run(lens.facts?, lens.at.max(from))?;
        let (from, until) = (from.max(run.0), until.min(run.1));
        (from < until).then_some((from, until))
    }

    /// Whether windows cover a permission at `now`, and the moment at which time changes that: windows that
    /// touch or overlap are one, whatever they come from.
    pub(crate) fn granted_in_windows(
        &self,
        line: &Line,
        scope: &Scope<'_>,
        permission: PermissionId,
        now: UnixMillis,
        facts: Option<&Facts>,
    ) -> (bool, UnixMillis) {
        let (word, bit) = (permission.0 as usize / 64, permission.0 % 64);
        let covers = |words: &[u64]| words.get(word).is_some_and(|word| word >> bit & 1 == 1);
        let (mut end, mut next) = (now, NEVER);
        for _ in 0..WINDOW_PASSES_MAX {
            let before = end;
            let lens = Lens { at: end, facts };
            self.each_window(line, scope, lens, &mut |(words, from, until)| {
                // By where the pass began: the end of a window under conditions that begins later is not known yet.
                if until > before && covers(words) {
                    if from <= before {
                        end = end.max(until);
                    } else {
                        next = next.min(from);
                    }
                }
            });
            if end == before {
                break;
            }
        }
        if end == now { (false, next) } else { (true, end) }
    }
}
