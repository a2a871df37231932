//! The read path: one question, one answer, nothing in between.
//!
//! It takes no lock, never spins, allocates nothing, awaits nothing and cannot fail: whatever it does
//! not recognise, it denies. The order of its loads is that of [`crate::order`].

use crate::order::{self, Verdict};
use crate::root::Root;
use crate::table::{ALIVE, Fields, KEY, SIDE, Words};
use crate::view::Reading;
use std::net::IpAddr;
use tessera_crypto::compare::equal_words;
use tessera_crypto::digest::Tagger;
use tessera_model::record::SubjectStatus;
use tessera_model::{
    CheckQuery, Deadline, Decision, Generation, Handle, HandleBytes, PermissionRef, Place, Reason,
    RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex, WorkspaceRef,
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

const NEVER: UnixMillis = UnixMillis(u64::MAX);
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
    let status = line.status();
    if status == SubjectStatus::Deleted {
        return Err(Judged::deny(Reason::SubjectDeleted));
    }
    if !live.key && (live.cut_off < line.cut_off() || live.cut_off < root.cut_off) {
        return Err(Judged::deny(Reason::Revoked));
    }
    if status == SubjectStatus::Suspended {
        return Err(Judged::deny(Reason::SubjectSuspended));
    }
    match live.clock(now) {
        Ok(end) => Ok((line, live, end)),
        Err(reason) => Err(Judged::deny(reason)),
    }
}

/// Where a handle is used from, for keys that are bound to networks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UsedFrom {
    /// It was looked at before.
    Anywhere,
    /// There, or nobody knows.
    Address(Option<IpAddr>),
}

/// Whether a handle is used from where it may be, which only keys that are bound to networks mind.
#[inline]
pub(crate) fn placed(root: &Root, fields: &Fields, who: (Place, u32), from: UsedFrom) -> Result<(), Judged> {
    let [head, ..] = *fields;
    if head & SIDE == 0 { Ok(()) } else { within_networks(root, who, from) }
}

#[cold]
#[inline(never)]
fn within_networks(root: &Root, (place, generation): (Place, u32), from: UsedFrom) -> Result<(), Judged> {
    let UsedFrom::Address(address) = from else { return Ok(()) };
    let Some(networks) = root.sides.get(&(place, Generation(generation))) else { return Err(Judged::STALE) };
    let inside = address.is_some_and(|address| networks.iter().any(|network| network.contains(address)));
    if inside { Ok(()) } else { Err(Judged::deny(Reason::AddressNotAllowed)) }
}

/// Whether it is alive at all and used from where it may be, without a permission.
pub(crate) fn judge_alive(
    root: &Root,
    fields: &Fields,
    who: (u32, (u64, u64)),
    (place, from): (Place, UsedFrom),
    now: UnixMillis,
) -> Judged {
    let judged = alive(root, fields, who, now).and_then(|(_, _, valid_until)| {
        placed(root, fields, (place, who.0), from)?;
        Ok(Judged { reason: Reason::None, valid_until })
    });
    judged.unwrap_or_else(|denied| denied)
}

/// What is asked, with names looked up in a root.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) permission: PermissionRef<'a>,
    pub(crate) workspace: WorkspaceRef<'a>,
}

#[inline(always)]
pub(crate) fn judge(
    root: &Root,
    fields: &Fields,
    who: (u32, (u64, u64)),
    question: &Question<'_>,
    now: UnixMillis,
) -> Judged {
    let (line, live, end) = match alive(root, fields, who, now) {
        Ok(found) => found,
        Err(judged) => return judged,
    };
    // Ids are not looked up here: evaluating says what it does not know.
    let permission = match question.permission {
        PermissionRef::Id(id) => id,
        name @ PermissionRef::Name(_) => match root.rules.permission(name) {
            Some(id) => id,
            None => return Judged { valid_until: end, ..Judged::deny(Reason::PermissionUnknown) },
        },
    };
    let workspace = match question.workspace {
        WorkspaceRef::Tenant => WorkspaceIndex(0),
        WorkspaceRef::Index(index) => index,
        name @ WorkspaceRef::Name(_) => match root.rules.workspace(name) {
            Some(index) => index,
            None => {
                let reason = root.rules.unknown(permission, Reason::WorkspaceUnknown);
                return Judged { valid_until: end, ..Judged::deny(reason) };
            }
        },
    };
    let outcome = root.rules.evaluate(line, permission, workspace, live.restriction, now);
    let valid_until = if outcome.valid_until.0 < end.0 { outcome.valid_until } else { end };
    Judged { reason: outcome.reason, valid_until }
}

/// What a live handle asks, for policies.
pub(crate) fn asked(
    root: &Root,
    fields: &Fields,
    question: &Question<'_>,
    from: UsedFrom,
) -> Option<crate::policed::Asked> {
    let live = Live::of(fields);
    let address = if let UsedFrom::Address(address) = from { address } else { None };
    Some(crate::policed::Asked {
        subject: live.subject,
        permission: root.rules.permission(question.permission)?,
        workspace: root.rules.workspace(question.workspace)?,
        restriction: live.restriction,
        address,
        opened: Some((live.opened.to_millis(), live.key)),
    })
}

/// What policies make of what roles came to, of a handle that is alive.
fn ruled(
    (root, fields): (&Root, &Fields),
    judged: Judged,
    question: &Question<'_>,
    from: UsedFrom,
    now: UnixMillis,
) -> Judged {
    let Some(policed) = root.policed.as_deref() else { return judged };
    match asked(root, fields, question, from) {
        Some(asked) => policed.judge(root, judged, (&asked, None), None, now),
        None => judged,
    }
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
        let from = UsedFrom::Address(query.address);
        let asked = (query.permission, query.workspace);
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
        self.check_from((place, generation), tag, (permission, workspace), UsedFrom::Address(None))
    }

    /// As [`Reading::check_tag`], of a holder who is somewhere.
    #[inline]
    pub(crate) fn check_from(
        &self,
        (place, generation): (Place, Generation),
        tag: (u64, u64),
        asked: (PermissionRef<'_>, WorkspaceRef<'_>),
        from: UsedFrom,
    ) -> Decision {
        match self.view.table.place(place.0) {
            Some(words) => self.check_at(words, (place, generation), tag, asked, from),
            None => Decision::deny(Reason::HandleUnknown, self.seen),
        }
    }

    /// The same of a place that was found. One copy for all callers: inlined into theirs it is laid out anew each
    /// time, and not for the better.
    #[inline(never)]
    fn check_at(
        &self,
        words: &Words,
        (place, generation): (Place, Generation),
        tag: (u64, u64),
        (permission, workspace): (PermissionRef<'_>, WorkspaceRef<'_>),
        from: UsedFrom,
    ) -> Decision {
        let question = Question { permission, workspace };
        let who = (generation.0, tag);
        let judged = order::answer(
            words,
            &self.view.root,
            &self.view.marks,
            (&*self.root, self.version),
            move |root: &Root, fields| {
                let judged = judge(root, fields, who, &question, self.now);
                let [head, ..] = *fields;
                if head & SIDE != 0 || self.early.0 < self.now.0 || root.policed.is_some() {
                    return self.rarely(judged, (root, fields), who, (&question, place, &from));
                }
                judged
            },
        );
        Decision { reason: judged.reason, seen: self.seen, valid_until: judged.valid_until }
    }

    /// What else counts for keys that are bound to networks, while the node's clock is in doubt, and in tenants that
    /// have policies. Kept out of the way of all other checks.
    #[cold]
    #[inline(never)]
    fn rarely(
        &self,
        judged: Judged,
        (root, fields): (&Root, &Fields),
        who: (u32, (u64, u64)),
        (question, place, from): (&Question<'_>, Place, &UsedFrom),
    ) -> Judged {
        let alive = judge_alive(root, fields, who, (place, *from), self.now);
        if !alive.permits() {
            return alive;
        }
        let judged = ruled((root, fields), judged, question, *from, self.now);
        if self.early.0 < self.now.0 && judged.permits() {
            let early = judge(root, fields, who, question, self.early);
            return both(judged, ruled((root, fields), early, question, *from, self.early));
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
