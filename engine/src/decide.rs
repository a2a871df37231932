//! What a subject may do, asked about the subject itself and not through a session or key of it; and the one place
//! where what no role grants goes on to the relations.
//!
//! Nothing is explained here and nothing listed: roles are read as a check reads them, and only the relation path
//! allocates.

use crate::bound::Bound;
use crate::check::{Judged, both};
use crate::engine::Engine;
use crate::list::Listing;
use crate::order::Verdict as _;
use crate::policed::Asked;
use crate::policies::Brought;
use crate::resource::{self, Resource};
use crate::root::Root;
use crate::view::Reading;
use std::cell::Cell;
use tessera_model::record::SubjectStatus;
use tessera_model::{
    PermissionId, PermissionRef, PublicId, Reason, RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex,
};
use tessera_policy::Facts;

/// What time alone never changes.
const NEVER: UnixMillis = UnixMillis(u64::MAX);

/// A question about a subject.
#[derive(Clone, Copy, Debug)]
pub struct OfSubject<'a> {
    /// Whose.
    pub subject: SubjectIndex,
    /// What.
    pub permission: PermissionRef<'a>,
    /// Where; 0 for the whole tenant.
    pub workspace: WorkspaceIndex,
    /// To which resource, where a role does not grant it; `None` for no question about one.
    pub about: Option<Resource<'a>>,
    /// What policies may look at besides.
    pub brought: Option<&'a Brought>,
}

/// The answer to a question about a subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decided {
    /// `Reason::None` means Permit, everything else Deny.
    pub reason: Reason,
    /// The earliest moment at which time alone may change the answer; `u64::MAX` ms for never.
    pub valid_until: UnixMillis,
    /// Tuples and nodes of relations that were looked at for it.
    pub steps: u32,
}

/// What the relations to a resource make of a question that no role grants, within `about`'s budget: nothing where
/// the permission is mapped to no relation of the resource's type; and what cuts a grant cuts a relation, too.
///
/// `judged` is the answer without them, `end` the moment at which time alone ends whoever asks.
pub(crate) fn onward(
    root: &Root,
    (subject, restriction): (PublicId, RestrictionId),
    (permission, workspace): (PermissionId, WorkspaceIndex),
    about: Resource<'_>,
    (judged, end): (Judged, UnixMillis),
    now: UnixMillis,
    steps: &Cell<u32>,
) -> Judged {
    let relation = match resource::mapped(root, permission.0, about.object) {
        Ok(Some(relation)) => relation,
        Ok(None) => return judged,
        Err(reason) => return Judged { reason, ..judged },
    };
    let answer = match resource::related(root, (subject, relation), about, now) {
        Ok(answer) => answer,
        Err(error) => {
            steps.set(steps.get().saturating_add(about.budget));
            let valid_until = if resource::is_unsettled(error) { now } else { judged.valid_until };
            return Judged { reason: resource::reason(error), valid_until };
        }
    };
    steps.set(steps.get().saturating_add(answer.steps));
    if !answer.permitted {
        return Judged { valid_until: judged.valid_until.min(answer.valid_until), ..judged };
    }
    let reason = root.rules.cut(restriction, permission, workspace).unwrap_or(Reason::None);
    Judged { reason, valid_until: end.min(answer.valid_until) }
}

/// Judges a subject as a check judges the holder of a session that never ends.
fn judge_subject(root: &Root, asked: &OfSubject<'_>, now: UnixMillis, steps: &Cell<u32>) -> Judged {
    let Some(line) = root.rules.line(asked.subject) else { return Judged::deny(Reason::SubjectDeleted) };
    match line.status() {
        SubjectStatus::Active => {}
        SubjectStatus::Suspended => return Judged::deny(Reason::SubjectSuspended),
        SubjectStatus::Deleted => return Judged::deny(Reason::SubjectDeleted),
    }
    let Some(permission) = root.rules.permission(asked.permission) else {
        return Judged::deny(Reason::PermissionUnknown);
    };
    let when = (now, Some(&Facts::default()));
    let outcome = root.rules.evaluate_under(line, permission, asked.workspace, RestrictionId(0), when);
    let judged = Judged { reason: outcome.reason, valid_until: outcome.valid_until };
    let judged = match (asked.about, root.subjects.get(&asked.subject)) {
        (Some(about), Some(record)) if judged.reason.is_ungranted() => {
            let (who, what) = ((record.id, RestrictionId(0)), (permission, asked.workspace));
            onward(root, who, what, about, (judged, NEVER), now, steps)
        }
        _ => judged,
    };
    let Some(policed) = root.policed.as_deref() else { return judged };
    let told = Asked {
        subject: asked.subject,
        permission,
        workspace: asked.workspace,
        restriction: RestrictionId(0),
        facts: Facts::default(),
        opened: None,
    };
    let with = asked.brought.map(|brought| &brought.0);
    policed.judge(root, judged, (&told, asked.about.map(|about| about.object)), with, now)
}

impl Reading<'_> {
    /// Answers a question about a subject, whoever is signed in or not.
    pub(crate) fn decide(&self, asked: &OfSubject<'_>) -> Decided {
        let steps = Cell::new(0);
        let judge = |now| judge_subject(&self.root, asked, now, &steps);
        let judged = judge(self.now);
        // While the clock is in doubt, what begins is held against the earlier time.
        let doubt = self.early.0 < self.now.0 && judged.permits();
        let judged = if doubt { both(judged, judge(self.early)) } else { judged };
        Decided { reason: judged.reason, valid_until: judged.valid_until, steps: steps.get() }
    }

    /// The root of this reading, for lists that go with its answers.
    #[must_use]
    pub fn listing(&self) -> Listing {
        Listing::of(self.root.full())
    }
}

impl Engine {
    /// Whether a subject may do something: by its status, its roles and groups in the workspace, and, where a
    /// resource is named that no role opens, by the relation that the permission is mapped to; by the policies; never
    /// beyond a workspace's ceiling. What [`Engine::check`] says of a session of the same subject that lives.
    ///
    /// `Reason::BudgetExceeded` where the relations cost more than the resource allows.
    #[must_use]
    pub fn decide(&self, bound: &Bound, reading: &Reading<'_>, asked: &OfSubject<'_>) -> Decided {
        if bound.entry.is_active() {
            reading.decide(asked)
        } else {
            Decided { reason: Reason::TenantClosed, valid_until: NEVER, steps: 0 }
        }
    }
}
