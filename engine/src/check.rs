//! The read path: one question, one answer, nothing in between.
//!
//! It takes no lock, never spins, allocates nothing, awaits nothing and cannot fail: whatever it does
//! not recognise, it denies. The order of its loads is that of [`crate::order`].

use crate::beside::{cut, standing};
use crate::facts::under_conditions;
use crate::order::{self, Verdict};
use crate::question::{Asked, Ids, Question, ruled};
use crate::root::Root;
use crate::table::{ALIVE, Fields, KEY, SIDE, Words};
use crate::view::Reading;
use std::net::IpAddr;
use tessera_crypto::compare::equal_words;
use tessera_crypto::digest::Tagger;
use tessera_model::record::SubjectStatus;
use tessera_model::{
    CheckQuery, Deadline, Decision, Generation, Handle, HandleBytes, PermissionId, PermissionRef, Place,
    Reason, RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex, WorkspaceRef,
};

/// What a place and a root say together. Two words, which stay in registers: with a third the compiler
/// keeps them in memory, and a check waits for its own stores.
#[derive(Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) reason: Reason,
    /// [`STALE_UNTIL`] where the root lacks an index that the place names.
    pub(crate) valid_until: UnixMillis,
}

impl Judged {
    pub(crate) const fn deny(reason: Reason) -> Self {
        Self { reason, valid_until: NEVER }
    }

    pub(crate) const STALE: Self = Self { reason: Reason::Changed, valid_until: STALE_UNTIL };
}

pub(crate) const NEVER: UnixMillis = UnixMillis(u64::MAX);
/// No answer: a judged place is judged anew.
const STALE_UNTIL: UnixMillis = UnixMillis(0);

impl Verdict for Judged {
    fn permits(&self) -> bool {
        matches!(self.reason, Reason::None)
    }

    fn stale(&self) -> bool {
        matches!(self.reason, Reason::Changed) && self.valid_until.0 == STALE_UNTIL.0
    }

    fn changed() -> Self {
        Self::deny(Reason::Changed)
    }
}

/// The named parts of the eight words.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    pub(crate) key: bool,
    pub(crate) subject: SubjectIndex,
    pub(crate) workspace: WorkspaceIndex,
    pub(crate) expires: Deadline,
    pub(crate) cut_off: u32,
    pub(crate) idle: Deadline,
    pub(crate) restriction: RestrictionId,
    pub(crate) opened: Deadline,
}

/// Low and high half of a word.
pub(crate) const fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

impl Live {
    pub(crate) const fn of(fields: &Fields) -> Self {
        let [w0, _, _, w3, w4, w5, w6, _] = *fields;
        let (subject, workspace) = halves(w3);
        let (expires, cut_off) = halves(w4);
        let (idle, restriction) = halves(w5);
        let (_, opened) = halves(w6);
        Self {
            key: w0 & KEY != 0,
            subject: SubjectIndex(subject),
            workspace: WorkspaceIndex(workspace),
            expires: Deadline(expires),
            cut_off,
            idle: Deadline(idle),
            restriction: RestrictionId(restriction),
            opened: Deadline(opened),
        }
    }

    /// Whether time has ended it, and until when time alone leaves that as it is.
    pub(crate) const fn clock(&self, now: UnixMillis) -> Result<UnixMillis, Reason> {
        if self.expires.passed(now) {
            return Err(Reason::Expired);
        }
        let end = self.expires.to_millis();
        if self.key {
            return Ok(end);
        }
        if self.idle.passed(now) {
            return Err(Reason::Idle);
        }
        let idle = self.idle.to_millis();
        Ok(if idle.0 < end.0 { idle } else { end })
    }
}

/// Whose handle it is, read off a live place under one root: the part of a check that knows no
/// permission yet.
#[inline(always)]
pub(crate) fn alive<'r>(
    root: &'r Root,
    fields: &Fields,
    (generation, tag): (u32, (u64, u64)),
    now: UnixMillis,
) -> Result<(&'r tessera_policy::Line, Live, UnixMillis), Judged> {
    let [w0, w1, w2, ..] = *fields;
    let (held, _) = halves(w0);
    if held != generation || !equal_words((w1, w2), tag) {
        return Err(Judged::deny(Reason::HandleUnknown));
    }
    if w0 & ALIVE == 0 {
        return Err(Judged::deny(Reason::Revoked));
    }
    let live = Live::of(fields);
    let Some(line) = root.rules.line(live.subject) else { return Err(Judged::STALE) };
    if !line.is_active() {
        return Err(inactive(root.cut_off, line, live.key, live.cut_off));
    }
    if is_cut_off(root.cut_off, line, live.key, live.cut_off) {
        return Err(Judged::deny(Reason::Revoked));
    }
    match live.clock(now) {
        Ok(end) => Ok((line, live, end)),
        Err(reason) => Err(Judged::deny(reason)),
    }
}

/// Whether a session was opened before its subject's or its tenant's last cut-off.
#[inline(always)]
fn is_cut_off(root: u32, line: &tessera_policy::Line, key: bool, opened: u32) -> bool {
    !key && (opened < line.cut_off() || opened < root)
}

/// Why somebody who may not act is denied: deleted, ended or suspended, in this order.
#[cold]
#[inline(never)]
fn inactive(root: u32, line: &tessera_policy::Line, key: bool, opened: u32) -> Judged {
    Judged::deny(match line.status() {
        SubjectStatus::Deleted => Reason::SubjectDeleted,
        _ if is_cut_off(root, line, key, opened) => Reason::Revoked,
        SubjectStatus::Suspended | SubjectStatus::Active => Reason::SubjectSuspended,
    })
}

/// Where a handle is used from, for keys that are bound to networks. By reference: most checks never look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UsedFrom<'a> {
    /// It was looked at before.
    Anywhere,
    /// It was looked at before: there.
    Seen(&'a Option<IpAddr>),
    /// There, or nobody knows.
    Address(&'a Option<IpAddr>),
}

impl UsedFrom<'_> {
    /// The address, where somebody knows it.
    pub(crate) const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Anywhere => None,
            Self::Seen(address) | Self::Address(address) => *address,
        }
    }
}

#[inline(always)]
pub(crate) fn judge(
    root: &Root,
    fields: &Fields,
    who: (u32, (u64, u64)),
    asked: impl Asked,
    now: UnixMillis,
) -> Judged {
    let (line, live, end) = match alive(root, fields, who, now) {
        Ok(found) => found,
        Err(judged) => return judged,
    };
    let (permission, workspace) = match asked.ids(root) {
        Ok(ids) => ids,
        Err(reason) => return Judged { reason, valid_until: end },
    };
    let outcome = root.rules.evaluate(line, permission, workspace, live.restriction, now);
    let valid_until = if outcome.valid_until.0 < end.0 { outcome.valid_until } else { end };
    Judged { reason: outcome.reason, valid_until }
}

/// What holds at the later of two times, if it holds at the earlier one too.
pub(crate) fn both(late: Judged, early: Judged) -> Judged {
    let valid_until =
        if early.valid_until.0 < late.valid_until.0 { early.valid_until } else { late.valid_until };
    if early.permits() { Judged { valid_until, ..late } } else { early }
}

impl Reading<'_> {
    /// Answers a check of a handle, its secret hashed after its place was asked from memory.
    #[must_use]
    pub fn check(&self, tagger: &Tagger, query: &CheckQuery<'_>) -> Decision {
        // Before anything else, also before it is known to be a handle: the check before this one in a row waits
        // for memory meanwhile, and the processor looks only so far ahead.
        let words = self.view.table.place(Handle::place_of(query.handle).0);
        if let Some(words) = words {
            tessera_policy::touch(std::slice::from_ref(words), 0);
        }
        let handle = match self.parse(query.handle) {
            Ok(handle) => handle,
            Err(reason) => return Decision::deny(reason, self.seen),
        };
        let tag = tagger.tag_words(query.handle);
        let Some(words) = words else { return Decision::deny(Reason::HandleUnknown, self.seen) };
        let from = UsedFrom::Address(&query.address);
        let asked = (&query.permission, &query.workspace);
        self.check_at(words, (handle.place, handle.generation), tag, asked, from)
    }

    /// Answers a check of a place whose handle was hashed before, from no known address.
    #[must_use]
    #[inline]
    pub fn check_tag(
        &self,
        place: Place,
        generation: Generation,
        tag: (u64, u64),
        permission: PermissionRef<'_>,
        workspace: WorkspaceRef<'_>,
    ) -> Decision {
        self.check_from((place, generation), tag, (&permission, &workspace), UsedFrom::Address(&None))
    }

    /// As [`Reading::check_tag`], of a holder who is somewhere.
    #[inline]
    pub(crate) fn check_from(
        &self,
        (place, generation): (Place, Generation),
        tag: (u64, u64),
        asked: (&PermissionRef<'_>, &WorkspaceRef<'_>),
        from: UsedFrom<'_>,
    ) -> Decision {
        match self.view.table.place(place.0) {
            Some(words) => self.check_at(words, (place, generation), tag, asked, from),
            None => Decision::deny(Reason::HandleUnknown, self.seen),
        }
    }

    /// The same of a place that was found.
    #[inline]
    fn check_at(
        &self,
        words: &Words,
        (place, generation): (Place, Generation),
        tag: (u64, u64),
        (permission, workspace): (&PermissionRef<'_>, &WorkspaceRef<'_>),
        from: UsedFrom<'_>,
    ) -> Decision {
        let who = (place, generation.0);
        let judged = match (permission, workspace) {
            (&PermissionRef::Id(permission), &WorkspaceRef::Index(workspace)) => {
                self.judge_ids(words, who, tag, Ids { permission, workspace }, from)
            }
            (&PermissionRef::Id(permission), WorkspaceRef::Tenant) => {
                self.judge_ids(words, who, tag, Ids { permission, workspace: WorkspaceIndex(0) }, from)
            }
            _ => self.judge_named(words, who, tag, (permission, workspace), from),
        };
        Decision { reason: judged.reason, seen: self.seen, valid_until: judged.valid_until }
    }

    /// By ids. One copy for all callers, which takes and gives words that stay in registers: an argument that is
    /// stored in parts and loaded whole waits until the processor has retired everything before it, and so keeps
    /// the checks of a row from overlapping.
    #[inline(never)]
    fn judge_ids(
        &self,
        words: &Words,
        who: (Place, u32),
        tag: (u64, u64),
        asked: Ids,
        from: UsedFrom<'_>,
    ) -> Judged {
        self.judge_by(words, who, tag, asked, from)
    }

    #[inline(never)]
    fn judge_named(
        &self,
        words: &Words,
        who: (Place, u32),
        tag: (u64, u64),
        (permission, workspace): (&PermissionRef<'_>, &WorkspaceRef<'_>),
        from: UsedFrom<'_>,
    ) -> Judged {
        let asked = Question { permission: *permission, workspace: *workspace };
        self.judge_by(words, who, tag, asked, from)
    }

    #[inline(always)]
    fn judge_by(
        &self,
        words: &Words,
        (place, generation): (Place, u32),
        tag: (u64, u64),
        asked: impl Asked,
        from: UsedFrom<'_>,
    ) -> Judged {
        let start = (&*self.root, self.version);
        order::answer(words, &self.view.root, &self.view.marks, start, move |root: &Root, fields: &Fields| {
            let judged = judge(root, fields, (generation, tag), asked, self.now);
            let [head, ..] = *fields;
            let conditional = matches!(judged.reason, Reason::ConditionsUnmet);
            if head & SIDE != 0 || self.early.0 < self.now.0 || root.policed.is_some() || conditional {
                return self.rarely(judged, (root, *fields), (place, generation), tag, asked, from);
            }
            judged
        })
    }

    /// What else counts for keys that are bound to networks, on devices, where somebody acts for the subject, in
    /// tenants that have policies, under conditions of grants, and while the node's clock is in doubt. Kept out of the way of all other checks;
    /// takes copies, so that those need not keep in memory what this one needs.
    #[cold]
    #[inline(never)]
    fn rarely(
        &self,
        judged: Judged,
        (root, fields): (&Root, Fields),
        (place, generation): (Place, u32),
        tag: (u64, u64),
        asked: impl Asked,
        from: UsedFrom<'_>,
    ) -> Judged {
        // What is not known was denied for that.
        let ids = asked.ids(root).ok();
        let question = ids.map(|(at, place)| (PermissionRef::Id(at), WorkspaceRef::Index(place)));
        let rule = |judged, now| match question {
            Some(question) => ruled((root, &fields), judged, question, from, now),
            None => judged,
        };
        let who = ((place, generation), tag, from);
        let known = |judged, now| under_conditions((root, &fields), judged, ids, from, now);
        let judged = known(judged, self.now);
        self.as_it_stands(judged, (root, &fields), who, ids.map(|(permission, _)| permission), &rule, |now| {
            known(judge(root, &fields, (generation, tag), asked, now), now)
        })
    }

    /// What is left of an answer, whatever was asked: whether the place may be used from there, by its device and by
    /// whoever acts in it; what policies make of it; what device and actor cut; and what held at the earlier of two
    /// times. `again` judges at that.
    pub(crate) fn as_it_stands(
        &self,
        judged: Judged,
        (root, fields): (&Root, &Fields),
        ((place, generation), tag, from): ((Place, u32), (u64, u64), UsedFrom<'_>),
        permission: Option<PermissionId>,
        rule: &dyn Fn(Judged, UnixMillis) -> Judged,
        again: impl Fn(UnixMillis) -> Judged,
    ) -> Judged {
        let read = |place: Place| self.whole(place);
        let at = |judged: Judged, now| {
            let found = standing(root, fields, (generation, tag), (place, from), (&read, now));
            found.map_or_else(
                |denied| denied,
                |standing| cut(rule(judged, now), root, permission, standing, now),
            )
        };
        let judged = at(judged, self.now);
        if self.early.0 < self.now.0 && judged.permits() {
            return both(judged, at(again(self.early), self.early));
        }
        judged
    }

    /// Asks for the place of a query's handle and for its workspace: the first pass over a batch.
    #[inline]
    pub fn touch(&self, query: &CheckQuery<'_>) {
        if let Ok(handle) = Handle::parse(query.handle) {
            self.touch_place(handle.place);
            self.root.rules.touch_workspace(query.workspace);
        }
    }

    /// Asks for the line of the subject that stands in a handle's place: the second pass over a batch.
    #[inline]
    pub fn touch_subject(&self, query: &CheckQuery<'_>) {
        if let Ok(handle) = Handle::parse(query.handle) {
            self.touch_line(handle.place);
        }
    }

    /// As [`Reading::touch`], of a place whose handle was parsed before.
    #[inline]
    pub fn touch_place(&self, place: Place) {
        self.view.table.touch(place.0, tessera_policy::touch);
    }

    /// As [`Reading::touch_subject`], of a place whose handle was parsed before.
    #[inline]
    pub fn touch_line(&self, place: Place) {
        if let Some(words) = self.view.table.place(place.0) {
            let (subject, _) = halves(words.subject_relaxed());
            self.root.rules.touch_line(SubjectIndex(subject));
        }
    }

    pub(crate) fn parse(&self, handle: &HandleBytes) -> Result<Handle, Reason> {
        let handle = Handle::parse(handle).map_err(|_| Reason::HandleUnknown)?;
        if handle.tenant != self.view.tenant {
            return Err(Reason::OtherTenant);
        }
        if !handle.kind.is_credential() {
            return Err(Reason::HandleKindWrong);
        }
        Ok(handle)
    }
}
