//! Checks by scope: what is asked for by path and action, and what a key's scopes with filters let through.
//!
//! A scope without filters is bits like every other pattern, and costs a check nothing. What depends on filters lies
//! in no mask: a plain check never comes here, and is denied. A check by scope that nothing but the key's mask denies
//! looks at the key's filters, with what the question says of itself, and what is known of workspace and subject.

use crate::bound::{Bound, by_address};
use crate::check::{Judged, UsedFrom, alive, judge};
use crate::engine::Engine;
use crate::facts::{facts_of, under_conditions};
use crate::order;
use crate::question::{Asked as _, Question, ruled};
use crate::root::Root;
use crate::table::{Fields, SIDE};
use crate::view::Reading;
use tessera_crypto::digest::Tagger;
use tessera_model::limits::NAME_BYTES_MAX;
use tessera_model::record::{AttributeKind, AttributeValue};
use tessera_model::scope::{FilterTarget, ScopeAttributes};
use tessera_model::{
    CheckQuery, Decision, Generation, Name, PermissionRef, Place, PublicId, Reason, RestrictionId, Scope,
    SubjectIndex, UnixMillis, WorkspaceIndex, WorkspaceRef,
};

/// Whether a text is a value of this kind, in the one form in which it is written.
pub(crate) fn reads_as(kind: AttributeKind, text: &str) -> bool {
    match kind {
        AttributeKind::Bool => matches!(text, "true" | "false"),
        AttributeKind::Integer => text.parse::<i64>().is_ok_and(|number| number.to_string() == text),
        AttributeKind::Text => true,
    }
}

/// Whether a value is the one that a filter names.
fn is_value(value: &AttributeValue, text: &str) -> bool {
    match value {
        AttributeValue::Bool(value) => text == if *value { "true" } else { "false" },
        AttributeValue::Integer(number) => text.parse::<i64>().is_ok_and(|wanted| wanted == *number),
        AttributeValue::Text(value) => **value == *text,
    }
}

/// What is known of a question besides what it says.
struct Here<'r> {
    root: &'r Root,
    subject: SubjectIndex,
    workspace: WorkspaceIndex,
}

impl ScopeAttributes for Here<'_> {
    fn workspace_is(&self, value: &str) -> bool {
        FilterTarget::workspace(value) == Some(self.workspace)
    }

    fn subject_is(&self, value: &str) -> bool {
        let record = self.root.subjects.get(&self.subject);
        record.is_some_and(|record| PublicId::parse(value) == Some(record.id))
    }

    fn attribute_is(&self, attribute: &Name, value: &str) -> bool {
        let Some(declared) = self.root.attributes.get(attribute) else { return false };
        let held = self.root.rules.value_of(self.subject, declared.id);
        held.is_some_and(|held| is_value(held, value))
    }
}

/// Judges a place as a plain check does; where nothing but its key's mask denies, by the filters of its scopes.
fn judge_scope(
    (root, fields): (&Root, &Fields),
    who: (u32, (u64, u64)),
    (question, scope, from): (&Question<'_>, &Scope<'_>, UsedFrom<'_>),
    now: UnixMillis,
) -> Judged {
    // Looked up once: the judgement asks by number. What is none is told by its name.
    let known = root.rules.permission(question.permission);
    let question = known.map_or(*question, |id| Question { permission: PermissionRef::Id(id), ..*question });
    let judged = judge(root, fields, who, question, now);
    let judged = under_conditions((root, fields), judged, question.ids(root).ok(), from, now);
    if judged.reason != Reason::Restricted {
        return judged;
    }
    let (line, live, end) = match alive(root, fields, who, now) {
        Ok(found) => found,
        Err(denied) => return denied,
    };
    let Some(permission) = known else { return judged };
    let workspace = match question.workspace {
        WorkspaceRef::Tenant => WorkspaceIndex(0),
        named @ (WorkspaceRef::Index(_) | WorkspaceRef::Name(_)) => match root.rules.workspace(named) {
            Some(workspace) => workspace,
            None => return judged,
        },
    };
    let held = root.rules.filtered_scopes(live.restriction);
    let here = Here { root, subject: live.subject, workspace };
    let mut reached = held.iter().filter(|held| held.reaches(scope)).peekable();
    if reached.peek().is_none() {
        return judged;
    }
    if !reached.any(|held| held.holds(scope, &here)) {
        return Judged { reason: Reason::ScopeFiltered, ..judged };
    }
    let facts = facts_of(root, fields, from.address());
    let when = (now, Some(&facts));
    let outcome = root.rules.evaluate_under(line, permission, workspace, RestrictionId(0), when);
    let valid_until = if outcome.valid_until.0 < end.0 { outcome.valid_until } else { end };
    Judged { reason: outcome.reason, valid_until }
}

/// Whether a scope can be asked for: its filters are what a question may say of itself.
fn may_be_asked(scope: &Scope<'_>) -> bool {
    scope.filters().iter().all(|filter| FilterTarget::may_be_said(filter.key))
}

impl Reading<'_> {
    /// Answers a check by scope; the permission of the query does not count. A scope that is asked for names one
    /// action and one path; its filters are what the request says of itself, and may not speak for workspace and
    /// subject. Allocates nothing.
    #[must_use]
    pub fn check_scope(&self, tagger: &Tagger, query: &CheckQuery<'_>, scope: &Scope<'_>) -> Decision {
        let handle = match self.parse(query.handle) {
            Ok(handle) => handle,
            Err(reason) => return Decision::deny(reason, self.seen),
        };
        let (who, tag) = ((handle.place, handle.generation), tagger.tag_words(query.handle));
        self.scope_at(who, tag, (scope, query.workspace), UsedFrom::Address(&query.address))
    }

    /// As [`Reading::check_scope`], of a place whose handle was hashed before, from no known address.
    #[must_use]
    pub fn check_scope_tag(
        &self,
        place: Place,
        generation: Generation,
        tag: (u64, u64),
        scope: &Scope<'_>,
        workspace: WorkspaceRef<'_>,
    ) -> Decision {
        self.scope_at((place, generation), tag, (scope, workspace), UsedFrom::Address(&None))
    }

    fn scope_at(
        &self,
        (place, generation): (Place, Generation),
        tag: (u64, u64),
        (scope, workspace): (&Scope<'_>, WorkspaceRef<'_>),
        from: UsedFrom<'_>,
    ) -> Decision {
        let Some(words) = self.view.table.place(place.0) else {
            return Decision::deny(Reason::HandleUnknown, self.seen);
        };
        let mut room = [0; NAME_BYTES_MAX];
        // No permission has an empty name: whoever is alive is told that nothing can be asked so.
        let name = scope.permission(&mut room).filter(|_| may_be_asked(scope)).unwrap_or_default();
        let question = Question { permission: PermissionRef::Name(name), workspace };
        let who = (generation.0, tag);
        let judged = order::answer(
            words,
            &self.view.root,
            &self.view.marks,
            (&*self.root, self.version),
            |root: &Root, fields: &Fields| {
                let judge = |now| judge_scope((root, fields), who, (&question, scope, from), now);
                let judged = judge(self.now);
                let [head, ..] = *fields;
                if head & SIDE == 0 && self.early.0 == self.now.0 && root.policed.is_none() {
                    return judged;
                }
                let permission = root.rules.permission(question.permission);
                let asked = (question.permission, question.workspace);
                let rule = |judged, now| ruled((root, fields), judged, asked, from, now);
                self.as_it_stands(
                    judged,
                    (root, fields),
                    ((place, who.0), tag, from),
                    permission,
                    &rule,
                    judge,
                )
            },
        );
        let malformed = name.is_empty() && judged.reason == Reason::PermissionUnknown;
        let reason = if malformed { Reason::ScopeMalformed } else { judged.reason };
        Decision { reason, seen: self.seen, valid_until: judged.valid_until }
    }
}

impl Engine {
    /// As [`Engine::check`], by scope ([`Reading::check_scope`]).
    #[must_use]
    pub fn check_scope(
        &self,
        bound: &Bound,
        reading: &Reading<'_>,
        query: &CheckQuery<'_>,
        scope: &Scope<'_>,
    ) -> Decision {
        if !bound.entry.is_active() {
            return Decision::deny(Reason::TenantClosed, reading.seen());
        }
        if reading.root.policed.is_some() && query.address.is_none() {
            let address = bound.address_of(query.handle);
            return reading.check_scope(&self.house.tagger, &CheckQuery { address, ..*query }, scope);
        }
        let decision = reading.check_scope(&self.house.tagger, query, scope);
        if by_address(decision.reason) && query.address.is_none() {
            let address = bound.address_of(query.handle);
            return reading.check_scope(&self.house.tagger, &CheckQuery { address, ..*query }, scope);
        }
        decision
    }
}
