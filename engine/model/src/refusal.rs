//! Why a command was turned down. Expected, harmless, and part of the protocol.

use crate::named::{CursorFault, Limit, LimitAt, Setting};
use std::fmt;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $(($names:ty))? = $code:literal, $text:literal;)*) => {
        /// Why a command was turned down: an answer, not a failure. Nothing of the command happened.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* $name $(($names))?,)*
        }

        impl Refusal {
            /// Its number in the one code space (2xx, 6xx, 3xx, and 5xx for what is damaged).
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$name { .. } => $code,)* }
            }

            /// The refusal with this code.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$name $((<$names>::UNNAMED))?),)* _ => None }
            }

            /// Its stable name, for logs and `--json`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)* }
            }

            /// The refusal with this code, and with what it names and the number of that, as
            /// [`Refusal::named`] and [`Refusal::bound`] gave them.
            #[must_use]
            pub fn read(code: u16, named: &str, bound: u64) -> Option<Self> {
                let limit = Limit::from_name(named).at(bound);
                let plain = Self::from_code(code)?;
                Some(if let Self::LimitReached(_) = plain {
                    Self::LimitReached(limit)
                } else if let Self::SessionsLimit(_) = plain {
                    Self::SessionsLimit(limit)
                } else if let Self::PasswordLength(_) = plain {
                    Self::PasswordLength(limit)
                } else if let Self::Busy(_) = plain {
                    Self::Busy(limit)
                } else if let Self::SettingOutOfBounds(_) = plain {
                    Self::SettingOutOfBounds(Setting::from_name(named))
                } else if let Self::CursorRefused(_) = plain {
                    Self::CursorRefused(CursorFault::from_name(named))
                } else {
                    plain
                })
            }

            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name $((<$names>::UNNAMED))?,)*];
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name { .. } => $text,)* })?;
                if let Some(limit) = self.limit().filter(|limit| limit.limit != Limit::Unnamed) {
                    write!(f, ": {limit}")
                } else if self.named().is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {}", self.named())
                }
            }
        }
    };
}

refusals! {
    /// The caller's credential is not alive or lacks the permission that this command needs.
    Unauthorized = 200, "the credential is not alive or lacks the permission for this";
    /// No such tenant, or none that this caller may name.
    TenantUnknown = 201, "no such tenant";
    /// The tenant is suspended.
    TenantSuspended = 202, "the tenant is suspended";
    /// No such subject.
    SubjectUnknown = 203, "no such subject";
    /// The subject is suspended.
    SubjectSuspended = 204, "the subject is suspended";
    /// No such role.
    RoleUnknown = 205, "no such role";
    /// No such permission.
    PermissionUnknown = 206, "no such permission";
    /// No such workspace.
    WorkspaceUnknown = 207, "no such workspace";
    /// No such session or key, or it has ended.
    SessionUnknown = 208, "no such session or key, or it has ended";
    /// No such attribute is declared.
    AttributeUnknown = 209, "no such attribute is declared";
    /// The subject has no such identifier.
    IdentifierUnknown = 210, "the subject has no such identifier";
    /// The name or identifier is taken.
    Duplicate = 211, "the name or identifier is taken";
    /// The command id was used for another command or by another caller.
    IdReused = 212, "the command id was used for another command";
    /// The command id's time is more than 10 s ahead of the node's clock.
    ClockSkew = 213, "the command id's time is too far ahead of the node's clock";
    /// The command id is too old for the node to tell whether it is a repeat.
    CommandTooOld = 214, "the command id is too old";
    /// Identifier and password do not fit together (one answer for unknown and wrong).
    SignInFailed = 215, "identifier and password do not fit together";
    /// The password is shorter than the tenant's minimum or over 1,024 bytes; the one that it is is named.
    PasswordLength(LimitAt) = 216, "the password is too short or too long";
    /// A lifetime or deadline is 0, in the past, or beyond what is allowed.
    DeadlinePassed = 217, "a lifetime or deadline is zero, in the past or too far ahead";
    /// A setting is out of its bounds, those of the node included; it is named.
    SettingOutOfBounds(Setting) = 218, "a setting is out of its bounds";
    /// A key would cover more than its creator may do.
    BeyondCreator = 219, "more than the caller itself may do (a key for somebody else must name what it covers)";
    /// A limit is reached; it is named as in docs/surface/limits.txt, with its number.
    LimitReached(LimitAt) = 220, "a limit is reached";
    /// The workspace still has children.
    NotEmpty = 221, "the workspace still has children";
    /// The value is of another kind than the attribute declares.
    AttributeKind = 222, "the value does not fit the attribute";
    /// What the proof was made from has changed since.
    Changed = 223, "what this was based on has changed";
    /// The one-time secret is wrong, used or expired.
    SecretWrong = 224, "the one-time secret is wrong, used or expired";
    /// The command panicked three times and is quarantined until the node restarts.
    Quarantined = 225, "this command was quarantined after it failed three times";
    /// Built-in roles, permissions, subjects and the system tenant cannot be changed this way.
    BuiltIn = 226, "built-in things cannot be changed this way";
    /// The command holds something ill-formed (a name, an identifier, an address).
    Malformed = 227, "the command holds something ill-formed";
    /// The command is of a kind that this tenant does not take (system tenant only, or never there).
    WrongTenant = 228, "this tenant does not take this command";
    /// The store has no space; only commands that narrow are taken.
    StorageFull = 229, "the store is full: only commands that narrow are taken";
    /// The subject was deleted.
    SubjectDeleted = 230, "the subject was deleted";
    /// The wall clock is too far from the journal's time; writes wait for an operator.
    ClockStopped = 231, "the clock is too far off: writes wait for an operator";
    /// The password is already the subject's password, or none is set.
    PasswordUnset = 232, "the subject has no password";
    /// The receipt or cursor is of a history that a restore has left.
    Restored = 233, "the position is of a history that a restore has left";
    /// The only active operator cannot be suspended, deleted or demoted.
    LastOperator = 234, "the only active operator cannot be taken away: make another one first";
    /// The refresh handle had been replaced: it was copied, and its session has ended.
    RefreshReused = 235, "the refresh handle had been replaced: its session has ended, sign in anew";
    /// The refresh handle was not used in its lifetime, or its client takes no refreshes any more.
    RefreshExpired = 236, "the refresh handle is past its lifetime: sign in anew";
    /// The refresh handle is the last of its session (2^24 in all).
    RefreshExhausted = 237, "the refresh handle is the last of its session: sign in anew";
    /// The refresh handle was given to another client.
    WrongClient = 238, "the refresh handle was given to another client";
    /// No such client, or the one that the caller's key names was deleted.
    ClientUnknown = 239, "no such client";
    /// The subject has as many live sessions as it may; how many that are is told.
    SessionsLimit(LimitAt) = 240, "the subject has as many live sessions as it may";
    /// The identifier, or the source, failed to sign in too often: wait. One answer for a right password too.
    TooManyFailures = 241, "too many failed sign-ins: wait before the next";
    /// The store has no space, and what is kept for commands that narrow is used up: nothing is taken.
    ReserveFull = 242, "the store is full, and so is its reserve for commands that narrow: nothing is taken until there is space";
    /// The cursor is of another list, tenant or filter, or damaged; what of it does not fit is named.
    CursorRefused(CursorFault) = 243, "the cursor does not belong here: it is of";
    /// Whoever sees less than everybody in full says nothing about who sees whom.
    SightLimited = 244, "whoever does not see everybody in full does not say who sees whom";
    /// The subject is seen, and this of it is not shown to the caller.
    NotShown = 245, "this of the subject is not shown to the caller";
    /// Who sees whom is of another version than was expected.
    VisibilityVersion = 246, "who sees whom is of another version by now: read it again";
    /// No such invitation.
    InvitationUnknown = 247, "no such invitation";
    /// The invitation was answered, withdrawn or has lapsed.
    InvitationClosed = 248, "the invitation was answered, withdrawn or has lapsed";
    /// Whoever invited may not grant any more what the invitation is about.
    InviterUnfit = 249, "whoever invited may not grant this any more: ask to be invited anew";
    /// No such group.
    GroupUnknown = 250, "no such group";
    /// A role or group would lie in itself, straight or through others.
    Cycle = 251, "it would lie in itself";
    /// The workspace would be left without an owner who is active and stays.
    LastOwner = 252, "the workspace would be left without an owner: name another one first";
    /// The subject has no such grant.
    GrantUnknown = 253, "no such grant";
    /// The group's members follow from its rule: nobody is put into it or taken out of it.
    RuleGroup = 254, "the group's members follow from its rule: change that, or their attributes";
    /// The group has no rule: its members are put into it.
    NoRule = 255, "the group has no rule: its members are put into it";
    /// A change of the group's rule has not reached everybody yet.
    RuleUnsettled = 256, "a change of the group's rule has not reached everybody: order the same rule again first";
    /// A personal workspace stays with its subject: it is not made, moved or deleted apart from it.
    Personal = 257, "a personal workspace goes with its subject";
    /// The tenant has no personal workspaces, or this subject, a guest, has none.
    PersonalOff = 258, "no personal workspace: the tenant has none, or the subject is a guest";
    /// No such device, or it was revoked.
    DeviceUnknown = 259, "no such device, or it was revoked";
    /// The password's hash is no Argon2id hash in PHC form that this node would verify.
    HashUnfit = 260, "the password's hash is no Argon2id hash (PHC form, version 19) within the node's bounds";
    /// Sessions of persons open on a registered device only.
    DeviceRequired = 261, "sessions open on a registered device only: name one";
    /// No such request for a role.
    RequestUnknown = 262, "no such request";
    /// The request was decided, withdrawn or has lapsed.
    RequestClosed = 263, "the request was decided, withdrawn or has lapsed";
    /// Nobody decides about their own request.
    OwnRequest = 264, "somebody else must decide about this";
    /// The subject has the role there for as long or longer.
    GrantStands = 265, "the subject has that role there for as long or longer";
    /// Whoever acts for somebody else orders nothing in their name but the end of it.
    Acting = 266, "whoever acts for somebody else changes nothing in their name";
    /// A role of a workspace would be granted, or be a parent, outside of it.
    RoleOutside = 267, "the role belongs to a workspace: it holds there and below alone";
    /// No time zone of this name is known.
    ZoneUnknown = 268, "no such time zone: a name of the IANA database is expected";
    /// The proof of a device's key does not hold: its signature, its key or its device is another one.
    DeviceProofWrong = 269, "the device's proof does not hold: it must be signed by the key that the device is registered with";
    /// The relationship model's text is wrong; trying it tells line and column.
    RelationModelWrong = 270, "the relationship model is wrong: try it to learn where";
    /// Stored tuples would not fit the relationship model, and it was not asked to leave them behind.
    RelationOrphans = 271, "stored tuples do not fit the relationship model";
    /// A tuple is there that must not be.
    RelationExists = 272, "a tuple is there that must not be";
    /// A tuple is not there that must be.
    RelationMissing = 273, "a tuple is not there that must be";
    /// A tuple does not fit the relationship model (OpenFGA: 2027).
    RelationMismatch = 274, "a tuple does not fit the relationship model";
    /// A question names what the relationship model does not have, or an ill-formed object (OpenFGA: 2000).
    RelationUnknown = 275, "the relationship model has no such type or relation, or the name is ill-formed";
    /// The answer lies deeper than 25 steps (OpenFGA: 2002).
    RelationTooDeep = 276, "the answer lies deeper than 25 steps";
    /// The question would look at more than one question may.
    RelationBudget = 277, "the question looks at more than one question may";
    /// There is no relationship model yet, or none of this version is kept (OpenFGA: 2001).
    RelationModelUnknown = 278, "no relationship model, or none of this version";
    /// A session on a device opens with a proof of its key, or by whoever may answer for devices.
    DeviceProofRequired = 279, "a session on a device opens with a proof of its key: ask for a challenge, and sign it";
    /// The node's configuration names no directory for backups.
    BackupsOff = 280, "this node has no place for backups";
    /// There is a backup of this name, or what is left of one: none is ever replaced.
    BackupExists = 281, "a backup of this name is there already";
    /// Another backup is being taken: one at a time.
    BackupRunning = 282, "another backup is being taken";
    /// No backup of this name was begun since the node was started.
    BackupUnknown = 283, "no backup of this name was begun since the node was started";
    /// No such service.
    ServiceUnknown = 284, "no such service";
    /// A permission is an entry of another service, or its name lies below that of one: that service registers it.
    PermissionOwned = 285, "the permission belongs to a service, which registers it itself";
    /// A scope with filters was given where nothing compares them: they stand in what keys are restricted to.
    ScopeFiltered = 286, "a scope with filters restricts a key, and stands nowhere else";
    /// Two endpoints match one request, neither of them narrower, or are told apart by case alone.
    EndpointAmbiguous = 287, "two endpoints match one request, and neither is narrower than the other";
    /// The tenant is placed in this epoch or a later one already.
    PlacementOld = 288, "the tenant is placed in this epoch or a later one already";
    /// The node belongs to no fleet, or its fleet has no cell of this number.
    CellUnknown = 289, "the node belongs to no fleet, or its fleet has no such cell";
    /// The schema is wrong; trying it tells line and column.
    PolicySchemaWrong = 290, "the policy schema is wrong: try it to learn where";
    /// A policy is wrong or does not fit the schema; trying it tells line and column.
    PolicyWrong = 291, "a policy is wrong or does not fit the schema: try them to learn where";
    /// The set of policies is of another version than was expected.
    PolicyVersion = 292, "the policies are of another version by now: read them again";
    /// The context of a question is no JSON, too large, or does not fit the schema.
    ContextWrong = 293, "the context does not fit the schema, or is no JSON within its limits";
    /// An entity is no JSON, too large, or does not fit the schema.
    EntityWrong = 294, "an entity does not fit the schema, or is no JSON within its limits";
    /// Stored entities would not fit the schema.
    EntitiesStored = 295, "stored entities do not fit the schema: remove or change them first";
    /// There are no policies, so there is no schema for entities.
    PoliciesUnset = 296, "no policies are set, and no schema";
    /// The resource of a question is ill-formed: `Type:id` is expected.
    ResourceMalformed = 297, "the resource is ill-formed: a type, a colon and an id are expected";
    /// The tenant is being moved, or taken, by another command.
    MoveRunning = 298, "the tenant is being moved already";
    /// No move of this tenant was begun since the node was started.
    MoveUnknown = 299, "no move of this tenant was begun since the node was started";
    /// The tenant is asleep or waking: come again within the deadline.
    NotReady = 300, "the tenant is waking: try again";
    /// A limit is reached for the moment, which is named with its number: come again later.
    Busy(LimitAt) = 301, "busy, try again later";
    /// The tenant lives in another cell of the fleet; doors say in which, and where that is.
    Redirect = 302, "another node has the tenant";
    /// The position that was asked for lies ahead of what this node has published: come again.
    Behind = 303, "this node has not reached that position yet: try again";
    /// The tenant is on its way to another cell, and takes no commands until it is there: the same one, sent again, is taken then.
    Moving = 304, "the tenant is moving to another cell: send it again";
    /// The challenge that a device signed was not made here lately, is for another device, is over or was used.
    ChallengeStale = 600, "the challenge was not made for this device here, is over or was used: ask for another one";
    /// This cell has nothing of the tenant that could be opened or removed.
    CopyUnknown = 605, "this cell has no copy of the tenant";
    /// What was copied of the tenant when its cell was lost is not whole.
    CopyPartial = 606, "what was copied of the tenant is not whole and opens nowhere: restore the backup of the cell that is lost";
    /// A cell that answers has the tenant: nothing is lost.
    CellAlive = 607, "a cell that answers has the tenant: nothing is lost, give the command to move it there";
    /// Opening the copy loses what was written elsewhere behind it, and nobody said that this may be.
    LossUnsaid = 608, "what was acknowledged elsewhere behind this copy would be lost: say that it may be, with accept-loss";
    /// The epoch of a placement is ahead of the time of day by more than clocks differ: nothing could ever replace it.
    EpochAhead = 609, "the epoch is further ahead than clocks differ: no later one could replace it";
    /// The cell that the tenant lives in does not say that it has it.
    CopyNeeded = 610, "the cell that has the tenant was not reached, or does not say that it has it: this copy may be the only one";
    /// The tenant's stored data does not verify: nothing of it is answered until it is repaired.
    TenantFailed = 502, "the tenant's stored data is damaged: the node's log says where";
}

impl Refusal {
    /// Whether it is about what a question brought as its context, and not about entities.
    #[must_use]
    pub fn is_of_context(self) -> bool {
        self == Self::ContextWrong || self.limit().is_some_and(|reached| reached.limit == Limit::ContextBytes)
    }

    /// The limit that is reached, with its number.
    #[must_use]
    pub const fn limit(self) -> Option<LimitAt> {
        if let Self::LimitReached(limit)
        | Self::SessionsLimit(limit)
        | Self::PasswordLength(limit)
        | Self::Busy(limit) = self
        {
            Some(limit)
        } else if let Self::ClockSkew = self {
            Some(Limit::CommandIdAhead.at(Limit::CommandIdAhead.bound()))
        } else if let Self::CommandTooOld = self {
            Some(Limit::CommandIdAge.at(Limit::CommandIdAge.bound()))
        } else {
            None
        }
    }

    /// The number that OpenFGA's API has for this cause in its `ErrorCode`; none for what it does not know.
    #[must_use]
    pub const fn openfga_code(self) -> Option<u16> {
        match self.code() {
            270 => Some(2056),
            272 | 273 => Some(2017),
            274 => Some(2027),
            275 => Some(2000),
            276 | 277 => Some(2002),
            278 => Some(2001),
            _ => None,
        }
    }

    /// What it names: a limit, a setting, what of a cursor does not fit; empty for nothing.
    #[must_use]
    pub const fn named(self) -> &'static str {
        if let Self::SettingOutOfBounds(setting) = self {
            setting.name()
        } else if let Self::CursorRefused(fault) = self {
            fault.name()
        } else if let Some(limit) = self.limit() {
            limit.limit.name()
        } else {
            ""
        }
    }

    /// The number of the limit that it names; 0 for none.
    #[must_use]
    pub const fn bound(self) -> u64 {
        if let Some(limit) = self.limit() { limit.bound } else { 0 }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: codes are one to one.
    #[test]
    fn codes_are_one_to_one() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(*refusal));
        }
    }

    /// PROPERTY: a refusal is read back from its code, what it names and the number of that; a name that this
    /// program does not know leaves the number.
    #[test]
    fn names_are_read_back() {
        let limits = Limit::ALL.iter().map(|limit| limit.reached());
        let settings = Setting::ALL.iter().map(|setting| Refusal::SettingOutOfBounds(*setting));
        let cursors = CursorFault::ALL.iter().map(|fault| Refusal::CursorRefused(*fault));
        let full = [7, u64::MAX].map(|bound| Refusal::SessionsLimit(Limit::SessionsMax.at(bound)));
        let busy = Limit::ALL.iter().map(|limit| limit.busy());
        for refusal in
            Refusal::ALL.iter().copied().chain(limits).chain(busy).chain(settings).chain(cursors).chain(full)
        {
            let read = Refusal::read(refusal.code(), refusal.named(), refusal.bound());
            assert_eq!(read, Some(refusal));
        }
        assert_eq!(Refusal::read(220, "OTHER_MAX", 7), Some(Refusal::LimitReached(Limit::Unnamed.at(7))));
        assert_eq!(Refusal::read(999, "", 0), None);
        let told = Refusal::LimitReached(Limit::Subjects.at(1_000_000)).to_string();
        assert_eq!(told, "a limit is reached: SUBJECTS_MAX 1,000,000");
        assert_eq!(Limit::Intake.busy().to_string(), "busy, try again later: INTAKE_MAX 4,096");
    }
}
