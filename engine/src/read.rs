//! The other questions: introspect, list permissions, resolve. Same reading, same order, no mailbox.

use crate::beside::{Standing, placed};
use crate::check::{Live, UsedFrom, alive};
use crate::facts::facts_of;
use crate::order::RootCell;
use crate::sync::{Ordering, fence};
use crate::table::Fields;
use crate::view::Reading;
use tessera_crypto::digest::Tagger;
use tessera_model::query::Introspection;
use tessera_model::{
    HandleBytes, PermissionId, PermissionRef, Place, PublicId, Reason, Receipt, UnixMillis, WorkspaceIndex,
    WorkspaceRef,
};

/// What a session or key may do in one workspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PermissionList {
    /// One bit per permission id, bit `id % 64` of word `id / 64`.
    pub permitted: Vec<u64>,
    /// The earliest moment at which time alone may change the list.
    pub valid_until: UnixMillis,
    /// The position it was taken at.
    pub seen: Receipt,
}

impl Reading<'_> {
    /// What is known about a live session or key.
    ///
    /// # Errors
    /// The [`Reason`] why it is not alive.
    pub(crate) fn introspect(
        &self,
        tagger: &Tagger,
        handle: &HandleBytes,
        from: UsedFrom<'_>,
    ) -> Result<Introspection, Reason> {
        self.with_live(tagger, (handle, from), |root, (live, fields), (place, generation), _| {
            let (device, actor) = Self::besides(root, fields, (place, generation));
            let subject = root.subjects.get(&live.subject).ok_or(Reason::HandleUnknown)?;
            Ok(Introspection {
                tenant: root.tenant,
                subject: subject.id,
                subject_index: live.subject,
                id: PublicId::of_place(live.opened, place, generation),
                place,
                generation,
                key: live.key,
                authenticated_at: live.opened.to_millis(),
                expires: live.expires.to_millis(),
                idle_until: if live.key { UnixMillis(u64::MAX) } else { live.idle.to_millis() },
                workspace: live.workspace,
                device,
                actor,
                seen: self.seen,
            })
        })
    }

    /// The public id of what a handle is or was, alive or not, while its place is nobody else's.
    #[must_use]
    pub fn id_of(&self, tagger: &Tagger, handle: &HandleBytes) -> Option<PublicId> {
        let parsed = self.parse(handle).ok()?;
        let fields = self.view.table.place(parsed.place.0)?.read();
        let [w0, w1, w2, ..] = fields;
        let (held, _) = crate::check::halves(w0);
        let known = held == parsed.generation.0
            && tessera_crypto::compare::equal_words((w1, w2), tagger.tag_words(handle));
        let live = crate::check::Live::of(&fields);
        known.then(|| PublicId::of_place(live.opened, parsed.place, parsed.generation))
    }

    /// Whether policies are asked about what roles and relations say.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        self.root.policed.is_some()
    }

    /// Everything that a session or key may do in a workspace, in one call.
    ///
    /// # Errors
    /// The [`Reason`] why there is nothing to list.
    pub(crate) fn list_permissions(
        &self,
        tagger: &Tagger,
        (handle, from): (&HandleBytes, UsedFrom<'_>),
        workspace: WorkspaceRef<'_>,
    ) -> Result<PermissionList, Reason> {
        self.with_live(tagger, (handle, from), |root, (live, fields), _, (end, within)| {
            let workspace = root.rules.workspace(workspace).ok_or(Reason::WorkspaceUnknown)?;
            let line = root.rules.line(live.subject).ok_or(Reason::HandleUnknown)?;
            let mut permitted = Vec::new();
            let facts = facts_of(root, fields, from.address());
            let when = (self.now, Some(&facts));
            let mut until = root.rules.list_under(line, workspace, live.restriction, when, &mut permitted);
            if let Some(policed) = root.policed.as_deref() {
                let asked = crate::policed::Asked {
                    subject: live.subject,
                    permission: PermissionId(0),
                    workspace,
                    restriction: live.restriction,
                    facts,
                    opened: Some((live.opened.to_millis(), live.key)),
                };
                until = until.min(policed.list(root, &asked, &mut permitted, self.now)?);
            }
            if !within.is_open() {
                until = root.rules.list_within(until, &within, self.now, &mut permitted);
            }
            Ok(PermissionList { permitted, valid_until: until.min(end), seen: self.seen })
        })
    }

    /// The ids of a permission and a workspace, 0 for those that are not known.
    #[must_use]
    pub fn resolve(&self, permission: &str, workspace: &str) -> (PermissionId, WorkspaceIndex) {
        let permission = self.root.rules.permission(PermissionRef::Name(permission));
        let workspace = if workspace.is_empty() {
            None
        } else {
            self.root.rules.workspace(WorkspaceRef::Name(workspace))
        };
        (permission.unwrap_or_default(), workspace.unwrap_or_default())
    }

    /// Whether a scope reaches any permission that is registered.
    #[must_use]
    pub fn reaches(&self, scope: &tessera_model::Scope<'_>) -> bool {
        self.root.rules.reaches_any(scope)
    }

    /// The name of a permission.
    #[must_use]
    pub fn permission_name(&self, id: PermissionId) -> Option<&str> {
        self.root.permissions.get(&id.0).map(tessera_model::Name::as_str)
    }

    /// Runs `then` on a place that is alive, under one root that knows it, and looks at the place again.
    fn with_live<T>(
        &self,
        tagger: &Tagger,
        (handle, from): (&HandleBytes, UsedFrom<'_>),
        then: impl Fn(
            &crate::root::Root,
            (&Live, &Fields),
            (tessera_model::Place, tessera_model::Generation),
            Standing<'_>,
        ) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let parsed = self.parse(handle)?;
        let words = self.view.table.place(parsed.place.0).ok_or(Reason::HandleUnknown)?;
        let fields = words.read();
        // Lists and introspection are off the hot path: they always take the newest root.
        let root = self.view.root.load();
        let who = (parsed.generation.0, tagger.tag_words(handle));
        let (_, live, end) = alive(&root, &fields, who, self.now).map_err(|judged| judged.reason)?;
        let at: (&dyn Fn(Place) -> Fields, _) = (&|place| self.whole(place), self.now);
        let beside = placed(&root, &fields, (parsed.place, parsed.generation.0), from, at);
        let (until, within) = beside.map_err(|judged| judged.reason)?;
        let standing = (until.min(end), within);
        let answer = then(&root, (&live, &fields), (parsed.place, parsed.generation), standing)?;
        let [head, ..] = fields;
        fence(Ordering::Acquire);
        if words.head_relaxed() == head { Ok(answer) } else { Err(Reason::Changed) }
    }
}
