//! Who orders a command, looked at again when it is decided: still alive, still allowed.

use super::State;
use crate::check::{Live, halves};
use crate::table::{ALIVE, Fields};
use tessera_model::command::Ordered;
use tessera_model::record::SubjectStatus;
use tessera_model::{
    Caller, Command, CommandKind, Generation, Pattern, PermissionId, Place, PublicId, Reason, Refusal,
    RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex,
};

impl State {
    /// The fields of a place as this batch sees it.
    pub(super) fn place(&self, place: Place) -> Fields {
        self.overlay
            .read(place.0)
            .or_else(|| self.table.place(place.0).map(crate::table::Words::read))
            .unwrap_or_default()
    }

    /// What lives at a place in this life, if it is alive at `now`.
    pub(super) fn live(&self, place: Place, generation: Generation, now: UnixMillis) -> Option<Live> {
        let fields = self.place(place);
        let [w0, ..] = fields;
        let (held, _) = halves(w0);
        let live = Live::of(&fields);
        let line = self.root.rules.line(live.subject)?;
        let sound = held == generation.0
            && w0 & ALIVE != 0
            && live.clock(now).is_ok()
            && line.status() == SubjectStatus::Active
            && !self.is_cut(&live);
        sound.then_some(live)
    }

    /// Whether a cut-off has ended it.
    pub(super) fn is_cut(&self, live: &Live) -> bool {
        let subject = self.root.rules.line(live.subject).map_or(u32::MAX, |line| line.cut_off());
        !live.key && (live.cut_off < subject || live.cut_off < self.root.cut_off)
    }

    /// Whether whoever lives there holds a permission of the whole tenant.
    pub(super) fn holds(&self, live: &Live, permission: PermissionId, now: UnixMillis) -> bool {
        let Some(line) = self.root.rules.line(live.subject) else { return false };
        let outcome = self.root.rules.evaluate(line, permission, WorkspaceIndex(0), live.restriction, now);
        outcome.reason == Reason::None
    }

    /// Whether the caller may order the command. INVARIANT: default deny; every kind names a permission.
    pub(super) fn authorize(&self, ordered: &Ordered, now: UnixMillis) -> Result<(), Refusal> {
        let kind = ordered.command.kind();
        match ordered.caller {
            Caller::Node => Ok(()),
            Caller::Bootstrap if kind == CommandKind::ClaimOperator => Ok(()),
            Caller::Bootstrap => Err(Refusal::Unauthorized),
            // The actor has looked at the system tenant's view when it drained.
            Caller::Operator { .. } => Ok(()),
            Caller::Holder { place, generation, subject } => {
                let live = self.live(place, generation, now).ok_or(Refusal::Unauthorized)?;
                let permission = self.permission_id(kind.permission()).ok_or(Refusal::Unauthorized)?;
                let may = live.subject == subject
                    && (self.holds(&live, permission, now) || self.is_own(&ordered.command, (place, &live)));
                if may { Ok(()) } else { Err(Refusal::Unauthorized) }
            }
        }
    }

    /// What a session may do for its own subject without any permission.
    fn is_own(&self, command: &Command, (own, live): (Place, &Live)) -> bool {
        if live.key {
            return false;
        }
        let is_self = |id: &PublicId| self.root.subject_ids.get(id) == Some(&live.subject);
        match command {
            Command::SetPassword { subject, proven, .. } => *proven != u32::MAX && is_self(subject),
            Command::EndSubjectSessions { subject } => is_self(subject),
            Command::TouchSession { place, .. } => *place == own,
            Command::EndSession { session } => {
                let (place, _) = session.place();
                Live::of(&self.place(place)).subject == live.subject
            }
            Command::ClaimOperator { .. }
            | Command::OfferBootstrap { .. }
            | Command::CreateTenant { .. }
            | Command::SuspendTenant { .. }
            | Command::ResumeTenant { .. }
            | Command::DeleteTenant { .. }
            | Command::ChangeSettings { .. }
            | Command::CreateSubject { .. }
            | Command::SuspendSubject { .. }
            | Command::ResumeSubject { .. }
            | Command::DeleteSubject { .. }
            | Command::AddIdentifier { .. }
            | Command::RemoveIdentifier { .. }
            | Command::DeclareAttribute { .. }
            | Command::SetAttributes { .. }
            | Command::RegisterPermission { .. }
            | Command::CreateRole { .. }
            | Command::ChangeRole { .. }
            | Command::DeleteRole { .. }
            | Command::CreateWorkspace { .. }
            | Command::DeleteWorkspace { .. }
            | Command::Grant { .. }
            | Command::Ungrant { .. }
            | Command::OpenSession { .. }
            | Command::EndTenantSessions {}
            | Command::CreateKey { .. }
            | Command::RevokeKey { .. }
            | Command::PlantedPanic {} => false,
        }
    }

    /// Whether the caller itself holds every one of the engine's permissions that the patterns cover:
    /// nobody hands out more power over the tenant than they have.
    pub(super) fn may_hand_out(&self, patterns: &[Pattern], caller: Caller, now: UnixMillis) -> bool {
        let Caller::Holder { place, generation, .. } = caller else { return true };
        let Some(live) = self.live(place, generation, now) else { return false };
        (1..).zip(super::BUILT_IN).all(|(id, name)| {
            !patterns.iter().any(|pattern| pattern.covers(name)) || self.holds(&live, PermissionId(id), now)
        })
    }

    /// Whether every permission that the subject's key would have lies within its creator's: a holder
    /// can only hand on what it has, in every workspace.
    pub(super) fn within_creator(
        &self,
        subject: SubjectIndex,
        restriction: RestrictionId,
        patterns: &[Pattern],
        caller: Caller,
        now: UnixMillis,
    ) -> bool {
        let Caller::Holder { place, generation, .. } = caller else { return true };
        let Some(creator) = self.live(place, generation, now) else { return false };
        if creator.subject == subject && creator.restriction.0 == 0 {
            return true;
        }
        let covered = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.covers(name));
        let _ = restriction;
        let (Some(owner), Some(own)) = (self.root.rules.line(subject), self.root.rules.line(creator.subject))
        else {
            return false;
        };
        let spaces = std::iter::once(WorkspaceIndex(0)).chain(self.root.workspaces.keys().copied());
        spaces.into_iter().all(|workspace| {
            self.root.permissions.iter().filter(|(_, name)| covered(name.as_str())).all(|(id, _)| {
                let permission = PermissionId(*id);
                let key = self.root.rules.evaluate(owner, permission, workspace, RestrictionId(0), now);
                key.reason != Reason::None
                    || self.root.rules.evaluate(own, permission, workspace, creator.restriction, now).reason
                        == Reason::None
            })
        })
    }
}
