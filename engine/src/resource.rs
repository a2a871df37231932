//! The resource form of a check: what no role grants, a relation to the resource may give.
//!
//! Off the hot path: a plain check never comes here. Roles are asked first; then, where the permission is
//! mapped to a relation of the resource's type, the tuples. What cuts a grant cuts a relation, too.

use crate::bound::Bound;
use crate::check::{Judged, Live, Question, UsedFrom, alive, both, judge, judge_alive};
use crate::decide::onward;
use crate::engine::Engine;
use crate::order::{self, Verdict as _};
use crate::root::Root;
use crate::table::{Fields, SIDE};
use crate::view::Reading;
use std::cell::Cell;
use tessera_crypto::digest::Tagger;
use tessera_model::{
    CheckQuery, Decision, Place, PublicId, Reason, UnixMillis, WorkspaceIndex, WorkspaceRef,
};
use tessera_relation::{Answer, Ask, AskError, Relations, TupleRef};

/// The type that a tenant's subjects have in its relationship model: one is `user:` and its public id.
pub(crate) const SUBJECT_TYPE: &str = "user";

/// What a check is about, and what its relations may cost.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// `type:id`.
    pub object: &'a str,
    /// Tuples and nodes that may be looked at.
    pub budget: u32,
}

/// The subject of relations that stands for a tenant's subject.
pub(crate) fn subject_text(id: PublicId) -> String {
    format!("{SUBJECT_TYPE}:{id}")
}

/// The relation of the resource's type that a permission is mapped to; none where nothing is.
pub(crate) fn mapped<'r>(root: &'r Root, permission: u32, object: &str) -> Result<Option<&'r str>, Reason> {
    let (type_name, _) = object.split_once(':').ok_or(Reason::ResourceUnknown)?;
    let types = root.relation_mappings.get(&permission);
    Ok(types.and_then(|types| types.get(type_name)).map(|relation| &**relation))
}

/// Why a question about relations has no answer.
pub(crate) const fn reason(error: AskError) -> Reason {
    match error {
        AskError::DepthExceeded => Reason::DepthExceeded,
        AskError::BudgetExhausted => Reason::BudgetExceeded,
        AskError::Query(_) | AskError::Contextual(_) | _ => Reason::ResourceUnknown,
    }
}

/// Whether a question was given up on its way: its answer may be another one at any time.
pub(crate) const fn is_unsettled(error: AskError) -> bool {
    matches!(error, AskError::DepthExceeded | AskError::BudgetExhausted)
}

pub(crate) fn related(
    root: &Root,
    (subject, relation): (PublicId, &str),
    about: Resource<'_>,
    now: UnixMillis,
) -> Result<Answer, AskError> {
    let ask = Ask { budget: about.budget, ..Ask::at(now) };
    let subject = subject_text(subject);
    root.relations.check(&ask, &TupleRef { subject: &subject, relation, object: about.object })
}

/// Judges a place as a plain check does; where no role grants, by the relations.
fn judge_resource(
    (root, fields): (&Root, &Fields),
    who: (u32, (u64, u64)),
    (question, about): (&Question<'_>, Resource<'_>),
    now: UnixMillis,
    steps: &Cell<u32>,
) -> Judged {
    let judged = judge(root, fields, who, *question, now);
    if judged.reason != Reason::NotGranted {
        return judged;
    }
    let (live, end): (Live, UnixMillis) = match alive(root, fields, who, now) {
        Ok((_, live, end)) => (live, end),
        Err(denied) => return denied,
    };
    let Some(permission) = root.rules.permission(question.permission) else { return judged };
    let Some(subject) = root.subjects.get(&live.subject) else { return Judged::STALE };
    let workspace = match question.workspace {
        WorkspaceRef::Tenant => WorkspaceIndex(0),
        named @ (WorkspaceRef::Index(_) | WorkspaceRef::Name(_)) => match root.rules.workspace(named) {
            Some(workspace) => workspace,
            None => return Judged::deny(Reason::WorkspaceUnknown),
        },
    };
    let (who, what) = ((subject.id, live.restriction), (permission, workspace));
    onward(root, who, what, about, (judged, end), now, steps)
}

impl Reading<'_> {
    /// Answers a check about a resource, and how much was looked at in its relations.
    #[cold]
    #[inline(never)]
    pub(crate) fn check_resource(
        &self,
        tagger: &Tagger,
        query: &CheckQuery<'_>,
        about: Resource<'_>,
    ) -> (Decision, u32) {
        let handle = match self.parse(query.handle) {
            Ok(handle) => handle,
            Err(reason) => return (Decision::deny(reason, self.seen), 0),
        };
        let tag = tagger.tag_words(query.handle);
        let Some(words) = self.view.table.place(handle.place.0) else {
            return (Decision::deny(Reason::HandleUnknown, self.seen), 0);
        };
        let question = Question { permission: query.permission, workspace: query.workspace };
        let (who, from) = ((handle.generation.0, tag), UsedFrom::Address(&query.address));
        let (place, steps): (Place, Cell<u32>) = (handle.place, Cell::new(0));
        let judged = order::answer(
            words,
            &self.view.root,
            &self.view.marks,
            (&*self.root, self.version),
            |root: &Root, fields: &Fields| {
                let judge = |now| judge_resource((root, fields), who, (&question, about), now, &steps);
                let judged = judge(self.now);
                let [head, ..] = *fields;
                if head & SIDE == 0 && self.early.0 == self.now.0 {
                    return judged;
                }
                let alive = judge_alive(root, fields, who, (place, from), self.now);
                if !alive.permits() {
                    return alive;
                }
                let doubt = self.early.0 < self.now.0 && judged.permits();
                if doubt { both(judged, judge(self.early)) } else { judged }
            },
        );
        let decision = Decision { reason: judged.reason, seen: self.seen, valid_until: judged.valid_until };
        (decision, steps.get())
    }

    /// Tuples and the relationship model of this reading.
    #[must_use]
    pub fn relations(&self) -> &Relations {
        &self.root.relations
    }
}

impl Engine {
    /// As [`Engine::check`], about a resource: allowed by a role, or where the permission is mapped to a relation
    /// of the resource's type, by that relation of `user:` and the subject's public id; never beyond what
    /// restricts the handle and the workspace. Also how much was looked at in the relations.
    ///
    /// `Reason::BudgetExceeded` where they cost more than `about` allows.
    #[must_use]
    #[cold]
    #[inline(never)]
    pub fn check_resource(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        about: Resource<'_>,
    ) -> (Decision, u32) {
        if !bound.entry.is_active() {
            return (Decision::deny(Reason::TenantClosed, reading.seen()), 0);
        }
        let answered = reading.check_resource(&self.house.tagger, query, about);
        if answered.0.reason == Reason::AddressNotAllowed && query.address.is_none() {
            let address = self.address(bound, query.handle);
            return reading.check_resource(&self.house.tagger, &CheckQuery { address, ..*query }, about);
        }
        answered
    }
}
