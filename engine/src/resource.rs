//! The resource form of a check: what no role grants, a relation to the resource may give.
//!
//! Off the hot path: a plain check never comes here. Roles are asked first; then, where the permission is
//! mapped to a relation of the resource's type, the tuples; then policies. What cuts a grant cuts a relation, too.

use crate::bound::{Bound, by_address};
use crate::check::{Judged, Live, UsedFrom, alive, judge};
use crate::circumstances::{Circumstances, circumstances};
use crate::decide::onward;
use crate::engine::Engine;
use crate::facts::under_conditions;
use crate::order;
use crate::policed::{self, About};
use crate::policies::Brought;
use crate::question::{Asked as _, Question, asked};
use crate::root::Root;
use crate::table::{Fields, SIDE};
use crate::view::Reading;
use std::cell::Cell;
use tessera_crypto::digest::Tagger;
use tessera_model::{
    CheckQuery, Decision, PermissionRef, Place, PublicId, Reason, Refusal, UnixMillis, WorkspaceIndex,
    WorkspaceRef,
};
use tessera_program::PlainError;
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

/// What a check is about, held against the schema.
#[derive(Clone, Copy)]
struct Matter<'a> {
    resource: Option<Resource<'a>>,
    with: Option<&'a Circumstances>,
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

/// Judges a place as a plain check does; where no role grants, by the relations; then by the policies.
fn judge_matter(
    (root, fields): (&Root, &Fields),
    who: (u32, (u64, u64)),
    (question, about, from): (&Question<'_>, Matter<'_>, UsedFrom<'_>),
    now: UnixMillis,
    steps: &Cell<u32>,
) -> Judged {
    let judged = match about.resource {
        Some(resource) => judge_resource((root, fields), who, (question, resource, from), now, steps),
        None => {
            let judged = judge(root, fields, who, *question, now);
            under_conditions((root, fields), judged, question.ids(root).ok(), from, now)
        }
    };
    let Some(policed) = root.policed.as_deref() else { return judged };
    // A handle that is not alive was denied for that.
    if alive(root, fields, who, now).is_err() {
        return judged;
    }
    match asked(root, fields, (question.permission, question.workspace), from) {
        Some(asked) => {
            let object = about.resource.map(|resource| resource.object);
            policed.judge(root, judged, (&asked, object), about.with, now)
        }
        None => judged,
    }
}

/// Judges a place as a plain check does; where no role grants, by the relations.
fn judge_resource(
    (root, fields): (&Root, &Fields),
    who: (u32, (u64, u64)),
    (question, about, from): (&Question<'_>, Resource<'_>, UsedFrom<'_>),
    now: UnixMillis,
    steps: &Cell<u32>,
) -> Judged {
    let judged = judge(root, fields, who, *question, now);
    let judged = under_conditions((root, fields), judged, question.ids(root).ok(), from, now);
    if !judged.reason.is_ungranted() {
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

/// Judges a place as every check does, before what stands beside it, for an explanation.
pub(crate) fn judge_question(
    of: (&Root, &Fields),
    who: (u32, (u64, u64)),
    (question, (object, with), from): (&Question<'_>, (Option<&str>, Option<&Circumstances>), UsedFrom<'_>),
    now: UnixMillis,
) -> Judged {
    let resource = object.map(|object| Resource { object, budget: Ask::at(now).budget });
    judge_matter(of, who, (question, Matter { resource, with }, from), now, &Cell::new(0))
}

impl Reading<'_> {
    /// Answers a check about a resource, and how much was looked at in its relations.
    #[cold]
    #[inline(never)]
    fn check_matter(&self, tagger: &Tagger, query: &CheckQuery<'_>, about: Matter<'_>) -> (Decision, u32) {
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
                let judge = |now| judge_matter((root, fields), who, (&question, about, from), now, &steps);
                let judged = judge(self.now);
                let [head, ..] = *fields;
                if head & SIDE == 0 && self.early.0 == self.now.0 {
                    return judged;
                }
                let permission = root.rules.permission(question.permission);
                let who = ((place, handle.generation.0), tag, from);
                self.as_it_stands(judged, (root, fields), who, permission, &|judged, _| judged, judge)
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
        self.check_matter(bound, reading, query, Matter { resource: Some(about), with: None })
    }

    /// As [`Engine::check_resource`], with or without a resource, under circumstances that come with the question:
    /// policies may look at them. Who says them must hold the permission to check.
    ///
    /// # Errors
    /// What came with the question does not fit the schema: the refusal, and what is wrong where.
    #[cold]
    #[inline(never)]
    pub fn check_about(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        about: About<'_>,
    ) -> Result<(Decision, u32), (Refusal, PlainError)> {
        let permission = match query.permission {
            PermissionRef::Name(name) => name,
            PermissionRef::Id(id) => reading.permission_name(id).unwrap_or_default(),
        };
        let came = (about.context, about.entities);
        let with = circumstances(&reading.root, permission, came, &policed::GIVEN)?;
        let resource = about.resource.map(|object| Resource { object, budget: about.budget });
        Ok(self.check_matter(bound, reading, query, Matter { resource, with: Some(&with) }))
    }

    /// As [`Engine::check_about`], with what was held against the schema before.
    #[must_use]
    pub fn check_brought(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        (resource, brought): (Option<Resource<'_>>, &Brought),
    ) -> (Decision, u32) {
        self.check_matter(bound, reading, query, Matter { resource, with: Some(&brought.0) })
    }

    fn check_matter(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        about: Matter<'_>,
    ) -> (Decision, u32) {
        if !bound.entry.is_active() {
            return (Decision::deny(Reason::TenantClosed, reading.seen()), 0);
        }
        if reading.root.policed.is_some() && query.address.is_none() {
            let address = bound.address_of(query.handle);
            return reading.check_matter(&self.house.tagger, &CheckQuery { address, ..*query }, about);
        }
        let answered = reading.check_matter(&self.house.tagger, query, about);
        if by_address(answered.0.reason) && query.address.is_none() {
            let address = bound.address_of(query.handle);
            return reading.check_matter(&self.house.tagger, &CheckQuery { address, ..*query }, about);
        }
        answered
    }
}
