//! How a check says what it asks for: by ids, or by names that are looked up in a root; and the same for policies.

use crate::check::{Judged, Live, UsedFrom};
use crate::facts::facts_of;
use crate::root::Root;
use crate::table::Fields;
use tessera_model::{PermissionId, PermissionRef, Reason, UnixMillis, WorkspaceIndex, WorkspaceRef};

/// What is asked, with names looked up in a root.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) permission: PermissionRef<'a>,
    pub(crate) workspace: WorkspaceRef<'a>,
}

/// How a check says what it asks for.
pub(crate) trait Asked: Copy {
    /// The ids of a root, or why there are none.
    fn ids(self, root: &Root) -> Result<(PermissionId, WorkspaceIndex), Reason>;
}

/// By ids, which are not looked up: evaluating says what it does not know.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    pub(crate) permission: PermissionId,
    pub(crate) workspace: WorkspaceIndex,
}

impl Asked for Ids {
    #[inline(always)]
    fn ids(self, _: &Root) -> Result<(PermissionId, WorkspaceIndex), Reason> {
        Ok((self.permission, self.workspace))
    }
}

impl Asked for Question<'_> {
    #[inline]
    fn ids(self, root: &Root) -> Result<(PermissionId, WorkspaceIndex), Reason> {
        let permission = match self.permission {
            PermissionRef::Id(id) => id,
            name @ PermissionRef::Name(_) => root.rules.permission(name).ok_or(Reason::PermissionUnknown)?,
        };
        let workspace = match self.workspace {
            WorkspaceRef::Tenant => WorkspaceIndex(0),
            WorkspaceRef::Index(index) => index,
            name @ WorkspaceRef::Name(_) => {
                let named = root.rules.workspace(name);
                named.ok_or_else(|| root.rules.unknown(permission, Reason::WorkspaceUnknown))?
            }
        };
        Ok((permission, workspace))
    }
}

/// What a live handle asks, for policies; nothing where that does not exist.
pub(crate) fn asked(
    root: &Root,
    fields: &Fields,
    (permission, workspace): (PermissionRef<'_>, WorkspaceRef<'_>),
    from: UsedFrom<'_>,
) -> Option<crate::policed::Asked> {
    let live = Live::of(fields);
    Some(crate::policed::Asked {
        subject: live.subject,
        permission: root.rules.permission(permission)?,
        workspace: root.rules.workspace(workspace)?,
        restriction: live.restriction,
        facts: facts_of(root, fields, from.address()),
        opened: Some((live.opened.to_millis(), live.key)),
    })
}

/// What policies make of what roles came to, of a handle that is alive.
pub(crate) fn ruled(
    (root, fields): (&Root, &Fields),
    judged: Judged,
    question: (PermissionRef<'_>, WorkspaceRef<'_>),
    from: UsedFrom<'_>,
    now: UnixMillis,
) -> Judged {
    let Some(policed) = root.policed.as_deref() else { return judged };
    match asked(root, fields, question, from) {
        Some(asked) => policed.judge(root, judged, (&asked, None), None, now),
        None => judged,
    }
}
