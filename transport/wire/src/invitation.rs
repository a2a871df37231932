//! Invitations, guests and personal workspaces: their commands and lists in the table of requests, their rows, and how
//! their types lie in fields.

use crate::fault::WireError;
use crate::fields::{FieldsReader, FieldsWriter};
use crate::part::{Part, kind_number, number};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::invitation::InvitationState;
use tessera_model::{Deadline, Identifier, Name, PublicId};

impl Part for InvitationState {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(self.number()));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        kind_number(tag, number(tag, from)?, Self::from_number)
    }
}

shapes! {
    /// An invitation. No `Debug`: it holds personal data.
    #[derive(Clone, Eq, PartialEq)]
    InvitationRow {
        /// Its public id.
        invitation: PublicId = Invitation,
        /// Whom it is for; none when that is not kept any more.
        whom: Option<Identifier> = Identifier,
        /// Who invites; none when they are gone.
        inviter: Option<PublicId> = Actor,
        /// With which role; none when it was deleted since.
        role: Option<Name> = Role,
        /// Where; none when that was deleted since.
        workspace: Option<Name> = Workspace,
        /// The end of the grant that it makes; `NONE` for no end.
        grant_until: Deadline = GrantedUntil,
        /// Whether a subject that it makes is a guest.
        guest: bool = Guest,
        /// How many secrets were made for it.
        secrets: u32 = Secrets,
        /// When it was made.
        made: Deadline = Created,
        /// Until when it may be answered.
        until: Deadline = Until,
        /// Where it stands; an open one past `until` has lapsed.
        state: InvitationState = InvitationState,
        /// Whether it has lapsed.
        lapsed: bool = Lapsed,
        /// Who accepted it.
        subject: Option<PublicId> = Subject,
        /// When it was answered or taken back; `NONE` while it is open.
        decided: Deadline = Decided,
    }
    /// How a tenant has personal workspaces.
    #[derive(Clone, Debug, Eq, PartialEq)]
    PersonalRoleRow {
        /// The role by which persons own theirs; none where new ones get none.
        role: Option<Name> = Role,
    }
}

/// The table of requests: the commands that are given, then those about invitations, guests and personal workspaces with
/// their lists, then the other lists.
macro_rules! and_invitations {
    ($($commands:tt)*) => {
        $crate::lists::and_lists! {
            $($commands)*
            /// Invites somebody into a workspace, whether there is an account or not, which is told to nobody.
            Invite = 0x10B0 -> Made {
                /// Whom.
                whom: Identifier = Identifier,
                /// Where.
                workspace: Name = Workspace,
                /// With which role.
                role: Name = Role,
                /// The end of the grant; `NONE` for no end.
                grant_until: Deadline = GrantedUntil,
                /// Until when it may be answered, 30 days from now at most.
                until: Deadline = Until,
                /// Whether a subject that it makes is a guest.
                guest: bool = Guest,
            };
            /// Answers an invitation: in a session for its own subject, which has the invited identifier; or with the
            /// secret for a credential, for somebody who has no account yet and, accepting, gets one with this password.
            AnswerInvitation = 0x10B1 -> Made {
                /// The one-time secret, 40 bytes.
                secret: Private = OneTimeSecret,
                /// Whether it is accepted.
                accept: bool = Accept,
                /// The password of the subject that is to be made.
                password: Option<Private> = Password,
            };
            /// Takes an invitation back. A session may do that for its own subject's.
            WithdrawInvitation = 0x10B2 -> Made {
                /// Which.
                invitation: PublicId = Invitation,
            };
            /// Makes a new secret for an invitation; the one before ends.
            ResendInvitation = 0x10B3 -> Made {
                /// Which.
                invitation: PublicId = Invitation,
                /// Until when it may be answered from now on, 30 days from now at most.
                until: Deadline = Until,
            };
            /// Erases whom an invitation is for: it ends, and nobody can read that any more. Repeated, tells whether it is
            /// done.
            EraseInvitation = 0x10FB -> Made {
                /// Which.
                invitation: PublicId = Invitation,
            };
            /// Makes a guest of a subject, or a member of a guest.
            SetGuest = 0x10B4 -> Made {
                /// Whom.
                subject: PublicId = Subject,
                /// Whether it is a guest.
                guest: bool = Guest,
            };
            /// Names the role by which persons own their personal workspaces, or turns those off for new persons.
            SetPersonalRole = 0x10B5 -> Made {
                /// Which; none for no personal workspaces.
                role: Option<Name> = Role,
            };
            /// Makes the personal workspace of a subject, or tells which it is. A session may do that for its own.
            MakePersonalWorkspace = 0x10B6 -> Made {
                /// Whose.
                subject: PublicId = Subject,
            };
            /// The invitations, in the order in which they were made. A session may list its own subject's.
            ListInvitations = 0x20B0 -> InvitationRow {
                /// Who invites; none for everybody's.
                subject: Option<PublicId> = Subject,
                /// Those alone that can be answered.
                open: bool = Open,
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
                /// Those alone that are for this identifier, whoever made them: by whoever administers subjects, and of one's own by anybody.
                whom: Option<Identifier> = Identifier,
            };
            /// How the tenant has personal workspaces.
            ReadPersonalRole = 0x20B1 -> PersonalRoleRow {};
        }
    };
}
pub(crate) use and_invitations;
