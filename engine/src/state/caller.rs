//! Who orders a command, looked at again when it is decided: still alive, still allowed.

use super::State;
use crate::beside;
use crate::check::{Live, UsedFrom, halves};
use crate::facts::facts_of;
use crate::sight::SIGHTED;
use crate::table::{ALIVE, Fields, SIDE};
use std::collections::BTreeSet;
use tessera_model::command::Ordered;
use tessera_model::grant_condition::Grantee;
use tessera_model::limits::ENGINE_PERMISSIONS_MAX;
use tessera_model::note::{By, Note};
use tessera_model::record::{GrantRecord, GroupGrantRecord, SubjectStatus};
use tessera_model::{
    Caller, Command, CommandKind, Deadline, Generation, Pattern, PermissionId, Place, PublicId, Reason,
    Refusal, RestrictionId, RoleId, SubjectIndex, UnixMillis, Whence, WorkspaceIndex,
};
use tessera_policy::{Reach, Within};

/// Whether a command is ordered by the node or the holder of a secret alone.
const fn is_proof(kind: CommandKind) -> bool {
    matches!(
        kind,
        CommandKind::SetUpPassword
            | CommandKind::RehashPassword
            | CommandKind::CountFailure
            | CommandKind::BeginEpoch
            | CommandKind::NoteActings
            | CommandKind::NoteMove
    )
}

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
        (sound && (w0 & SIDE == 0 || self.stands_beside(&fields, (place, generation), now))).then_some(live)
    }

    /// Whether what stands beside a place lets it be used.
    fn stands_beside(&self, fields: &Fields, life: (Place, Generation), now: UnixMillis) -> bool {
        self.beside(fields, life, now).is_some()
    }

    fn beside(&self, fields: &Fields, life: (Place, Generation), now: UnixMillis) -> Option<Within<'_>> {
        let read = |place: Place| self.place(place);
        let found = beside::stands(&self.root, fields, life, UsedFrom::Anywhere, (&read, now));
        found.ok().map(|(_, within)| within)
    }

    /// What a place must lie in besides its restriction; `None` where what stands beside it does not let it be used.
    pub(super) fn within(&self, life: (Place, Generation), now: UnixMillis) -> Option<Within<'_>> {
        let fields = self.place(life.0);
        let [w0, ..] = fields;
        if w0 & SIDE == 0 { Some(Within::default()) } else { self.beside(&fields, life, now) }
    }

    /// Whether nothing but its restriction cuts what a place may of its subject's permissions.
    pub(super) fn is_whole(&self, place: Place, now: UnixMillis) -> bool {
        let (generation, _) = halves(self.place(place)[0]);
        self.within((place, Generation(generation)), now).is_some_and(|within| within.is_open())
    }

    /// Whether a session that a caller opens without a proof stands where the caller's own must stand.
    pub(super) fn stays_within(
        &self,
        subject: SubjectIndex,
        device: u32,
        caller: Caller,
        now: UnixMillis,
    ) -> bool {
        let Caller::Holder { place, generation, .. } = caller else { return true };
        let Some(live) = self.live(place, generation, now) else { return false };
        live.subject != subject
            || self.is_whole(place, now)
            || device == beside::device_of(&self.place(place))
    }

    /// Whether a cut-off has ended it.
    pub(super) fn is_cut(&self, live: &Live) -> bool {
        let subject = self.root.rules.line(live.subject).map_or(u32::MAX, |line| line.cut_off());
        !live.key && (live.cut_off < subject || live.cut_off < self.root.cut_off)
    }

    /// Whether whoever lives there holds a permission of the whole tenant.
    pub(super) fn holds(
        &self,
        (life, live, from): ((Place, Generation), &Live, Whence),
        permission: PermissionId,
        now: UnixMillis,
    ) -> bool {
        let rules = &self.root.rules;
        let (Some(line), Some(within)) = (rules.line(live.subject), self.within(life, now)) else {
            return false;
        };
        let facts = facts_of(&self.root, &self.place(life.0), from.0);
        let when = (now, Some(&facts));
        let found = rules.evaluate_under(line, permission, WorkspaceIndex(0), live.restriction, when);
        rules.cut_within(found, permission, &within, now).reason == Reason::None
    }

    /// Whether the caller may order the command. INVARIANT: default deny; every kind names a permission.
    pub(super) fn authorize(&self, ordered: &Ordered, now: UnixMillis) -> Result<(), Refusal> {
        let kind = ordered.command.kind();
        match ordered.caller {
            Caller::Node => Ok(()),
            Caller::Bootstrap if kind == CommandKind::ClaimOperator => Ok(()),
            Caller::Claimant if self.lets_in(&ordered.command) => Ok(()),
            Caller::Bootstrap | Caller::Claimant => Err(Refusal::Unauthorized),
            // What carries a proof of its own is for who has made it, whatever others may do.
            Caller::Operator { .. } | Caller::Holder { .. } if is_proof(kind) => Err(Refusal::Unauthorized),
            // The actor has looked at the system tenant's view when it drained.
            Caller::Operator { .. } => Ok(()),
            Caller::Holder { place, generation, subject, from } => {
                let live = self.live(place, generation, now).ok_or(Refusal::Unauthorized)?;
                if self.acting((place, generation)).is_some() {
                    let may = Self::may_order_acting(&ordered.command, place);
                    return if may { Ok(()) } else { Err(Refusal::Acting) };
                }
                let permission = self.permission_id(kind.permission()).ok_or(Refusal::Unauthorized)?;
                let may = live.subject == subject
                    && (self.holds(((place, generation), &live, from), permission, now)
                        || self.holds_there(&ordered.command, ((place, generation), &live, from), now)
                        || self.is_own(&ordered.command, (place, &live), now));
                if may { Ok(()) } else { Err(Refusal::Unauthorized) }
            }
        }
    }

    /// Whether a caller holds a permission of the whole tenant. Whoever is no holder here was looked at
    /// elsewhere.
    pub(super) fn may_order(&self, caller: Caller, permission: &str, now: UnixMillis) -> bool {
        let Caller::Holder { place, generation, from, .. } = caller else { return true };
        let (live, permission) = (self.live(place, generation, now), self.permission_id(permission));
        let life = (place, generation);
        live.zip(permission)
            .is_some_and(|(live, permission)| self.holds((life, &live, from), permission, now))
    }

    /// What a session may do for its own subject without any permission.
    #[expect(clippy::too_many_lines, reason = "one arm for each command")]
    fn is_own(&self, command: &Command, (own, live): (Place, &Live), now: UnixMillis) -> bool {
        if let Command::RotateKey { key, .. } = command {
            return self.rotates_own(*key, (own, live), now);
        }
        if live.key {
            return false;
        }
        let is_self = |id: &PublicId| self.root.index_of(*id) == Some(live.subject);
        match command {
            Command::ChangePassword { subject, .. } | Command::EndSubjectSessions { subject } => {
                is_self(subject)
            }
            Command::EndOtherSessions {} => true,
            Command::TouchSession { place, .. } | Command::RefreshSession { place, .. } => *place == own,
            Command::EndSession { session } => {
                let life = session.place();
                let acts = self.acting(life).is_some_and(|acting| acting.actor == live.subject);
                acts || Live::of(&self.place(life.0)).subject == live.subject
            }
            Command::RegisterDevice { subject, .. } | Command::RequestRole { subject, .. } => {
                is_self(subject)
            }
            Command::RevokeDevice { device } => {
                self.root.device_ids.get(device).is_some_and(|(subject, _)| *subject == live.subject)
            }
            Command::WithdrawRequest { request } => {
                self.request(*request).is_some_and(|request| request.subject == live.subject)
            }
            // The secret is the proof.
            Command::AnswerInvitation { .. } => true,
            Command::WithdrawInvitation { invitation } | Command::ResendInvitation { invitation, .. } => {
                self.invited_to(*invitation).is_some_and(|(_, _, inviter)| inviter == live.subject)
            }
            Command::MakePersonalWorkspace { subject } => is_self(subject),
            Command::ClaimOperator { .. }
            | Command::OfferBootstrap { .. }
            | Command::CreateTenant { .. }
            | Command::SuspendTenant { .. }
            | Command::ResumeTenant { .. }
            | Command::DeleteTenant { .. }
            | Command::ChangeSettings { .. }
            | Command::ChangeOrigins { .. }
            | Command::CreateSubject { .. }
            | Command::SuspendSubject { .. }
            | Command::ResumeSubject { .. }
            | Command::DeleteSubject { .. }
            | Command::EraseSubject { .. }
            | Command::FinishErasure { .. }
            | Command::EraseInvitation { .. }
            | Command::FinishInvitations { .. }
            | Command::AddIdentifier { .. }
            | Command::RemoveIdentifier { .. }
            | Command::ResetPassword { .. }
            | Command::SetUpPassword { .. }
            | Command::RehashPassword { .. }
            | Command::BeginEpoch { .. }
            | Command::ForgetFailures { .. }
            | Command::CountFailure { .. }
            | Command::DeclareAttribute { .. }
            | Command::SetAttributes { .. }
            | Command::LoadSubjects { .. }
            | Command::RegisterPermission { .. }
            | Command::CreateRole { .. }
            | Command::ChangeRole { .. }
            | Command::DeleteRole { .. }
            | Command::SetRoleParents { .. }
            | Command::RenewGrant { .. }
            | Command::CreateGroup { .. }
            | Command::ChangeGroupRule { .. }
            | Command::DeleteGroup { .. }
            | Command::AddMember { .. }
            | Command::RemoveMember { .. }
            | Command::AddSubgroup { .. }
            | Command::RemoveSubgroup { .. }
            | Command::GrantGroup { .. }
            | Command::SetGrantConditions { .. }
            | Command::GrantUnder { .. }
            | Command::UngrantGroup { .. }
            | Command::CreateWorkspace { .. }
            | Command::DeleteWorkspace { .. }
            | Command::DeleteWorkspaceTree { .. }
            | Command::MoveWorkspace { .. }
            | Command::SetCeiling { .. }
            | Command::SetOwners { .. }
            | Command::Grant { .. }
            | Command::Ungrant { .. }
            | Command::OpenSession { .. }
            | Command::EndTenantSessions {}
            | Command::CreateKey { .. }
            | Command::RotateKey { .. }
            | Command::RevokeKey { .. }
            | Command::RotateRefreshKeys { .. }
            | Command::CreateClient { .. }
            | Command::ChangeClient { .. }
            | Command::DeleteClient { .. }
            | Command::SetRelationModel { .. }
            | Command::ChangeRelations { .. }
            | Command::MapPermission { .. }
            | Command::UnmapPermission { .. }
            | Command::SetService { .. }
            | Command::SetEndpoints { .. }
            | Command::CreateRoleIn { .. }
            | Command::TrustDevice { .. }
            | Command::LimitDevice { .. }
            | Command::LimitTrust { .. }
            | Command::RequireDevices { .. }
            | Command::Impersonate { .. }
            | Command::NoteActings {}
            | Command::Invite { .. }
            | Command::SetGuest { .. }
            | Command::SetPersonalRole { .. }
            | Command::ApproveRequest { .. }
            | Command::RefuseRequest { .. }
            | Command::SetPolicies { .. }
            | Command::DeletePolicies { .. }
            | Command::ChangeEntities { .. }
            | Command::SetVisibility { .. }
            | Command::PlaceTenant { .. }
            | Command::NoteMove { .. }
            | Command::AdoptTenant { .. }
            | Command::HearFleet {}
            | Command::PlantedPanic {} => false,
        }
    }

    /// Whether the caller itself holds every one of the engine's permissions that the patterns cover:
    /// nobody hands out more power over the tenant than they have, and no sight of others whom they do not see.
    pub(super) fn may_hand_out(&self, patterns: &[Pattern], caller: Caller, now: UnixMillis) -> bool {
        self.may_hand_out_all(&patterns.iter().collect::<Vec<_>>(), caller, now)
    }

    /// As [`State::may_hand_out`], of patterns from several places.
    pub(super) fn may_hand_out_all(&self, patterns: &[&Pattern], caller: Caller, now: UnixMillis) -> bool {
        let Caller::Holder { place, generation, from, .. } = caller else { return true };
        let Some(live) = self.live(place, generation, now) else { return false };
        (1..).zip(super::BUILT_IN).all(|(id, name)| {
            !patterns.iter().any(|pattern| pattern.covers(name))
                || self.holds(((place, generation), &live, from), PermissionId(id), now)
                    && self.is_unlimited(caller, name, now)
        })
    }

    /// Whether the caller holds, in the whole tenant, every one of the engine's permissions that a
    /// subject holds anywhere: nobody becomes, or takes over, somebody with more power over the tenant.
    pub(super) fn is_at_least(&self, subject: SubjectIndex, caller: Caller, now: UnixMillis) -> bool {
        let Caller::Holder { place, generation, .. } = caller else { return true };
        let Some(live) = self.live(place, generation, now) else { return false };
        if live.subject == subject && live.restriction.lets_through().is_none() {
            // A restricted key does not come out of its restriction as its own owner.
            return live.restriction.0 == 0;
        }
        self.may_hand_out_all(&self.all_patterns_of(subject), caller, now)
    }

    /// The patterns of every role that a subject has anywhere, now or later.
    pub(super) fn all_patterns_of(&self, subject: SubjectIndex) -> Vec<&Pattern> {
        let roles: BTreeSet<_> = self.all_grants_of(subject).into_iter().map(|grant| grant.role).collect();
        roles.into_iter().flat_map(|role| self.patterns_of(role)).collect()
    }

    /// The restriction of a session that a caller opens without a proof of the subject's own: of the engine's
    /// permissions what the caller itself holds now, whatever the subject is granted later. An opener that
    /// nobody restricts opens its own sessions as they are.
    pub(super) fn vouch(
        &self,
        subject: SubjectIndex,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<RestrictionId, Refusal> {
        if !self.is_at_least(subject, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let Caller::Holder { place, generation, from, .. } = caller else { return Ok(RestrictionId(0)) };
        let live = self.live(place, generation, now).ok_or(Refusal::Unauthorized)?;
        if live.subject == subject && live.restriction.0 == 0 {
            return Ok(RestrictionId(0));
        }
        let all = (1..=ENGINE_PERMISSIONS_MAX).map(PermissionId);
        let life = (place, generation);
        Ok(RestrictionId::ceiling(all.filter(|id| self.holds((life, &live, from), *id, now))))
    }

    /// Whether a key with these patterns lies within its creator's permissions, now and for as long as
    /// it lives: its owner may be granted more later, so patterns are compared, not permissions. A key
    /// for somebody else must name patterns; each must lie within a pattern of a role that the creator
    /// holds until the key ends, in the whole tenant and behind every wall. A restricted creator hands on no more than its
    /// restriction.
    pub(super) fn within_creator(
        &self,
        subject: SubjectIndex,
        patterns: &[Pattern],
        expires: Deadline,
        caller: Caller,
        now: UnixMillis,
    ) -> bool {
        let Caller::Holder { place, generation, .. } = caller else { return true };
        let Some(creator) = self.live(place, generation, now) else { return false };
        // What a device cuts from the creator is cut from the key.
        let Some(Within { ceilings, .. }) = self.within((place, generation), now) else { return false };
        if !self.within_mask(&creator, patterns) || !ceilings.iter().all(|one| self.lies_in(*one, patterns)) {
            return false;
        }
        if creator.subject == subject {
            return true;
        }
        // Its owner may see more people by it than the creator does.
        let shows = |name: &&&str| patterns.iter().any(|pattern| pattern.covers(name));
        if SIGHTED.iter().filter(shows).any(|name| !self.is_unlimited(caller, name, now)) {
            return false;
        }
        // What holds in the whole tenant ends at a wall, and the owner may hold something behind it: the
        // creator must hold each pattern there too.
        let walls =
            self.root.workspaces.values().filter(|record| !record.inherits).map(|record| record.index);
        let mut places = std::iter::once(WorkspaceIndex(0)).chain(walls);
        let lasts = |grant: &GrantRecord| {
            (grant.from == Deadline::NONE || grant.from.passed(now))
                && (grant.until == Deadline::NONE || grant.until >= expires)
        };
        let held = self.grants_that_count(creator.subject).into_iter().filter(lasts);
        let held: Vec<_> = held.map(|grant| (grant.workspace, self.patterns_of(grant.role))).collect();
        let covered = |place: WorkspaceIndex, pattern: &Pattern| {
            let mut here = held.iter().filter(|(at, _)| *at == place).flat_map(|(_, outer)| outer);
            here.any(|outer| outer.contains(pattern))
        };
        !patterns.is_empty() && places.all(|place| patterns.iter().all(|pattern| covered(place, pattern)))
    }

    /// Whether patterns lie in what a creator is restricted to.
    pub(super) fn within_mask(&self, creator: &Live, patterns: &[Pattern]) -> bool {
        let Some(word) = creator.restriction.lets_through() else {
            return self.lies_in(creator.restriction, patterns);
        };
        let held = |id: u32| word >> id & 1 == 1;
        let covers = |name: &str| patterns.iter().any(|pattern| pattern.covers(name));
        !patterns.is_empty() && (1..).zip(super::BUILT_IN).all(|(id, name)| held(id) || !covers(name))
    }

    /// Whether patterns lie in a restriction; 0 restricts nothing.
    fn lies_in(&self, restriction: RestrictionId, patterns: &[Pattern]) -> bool {
        if restriction.0 == 0 {
            return true;
        }
        let Some(mask) = self.root.restrictions.get(&restriction) else { return false };
        let within = |pattern: &Pattern| mask.patterns.iter().any(|outer| outer.contains(pattern));
        !patterns.is_empty() && patterns.iter().all(within)
    }

    /// A note that the caller does something now.
    pub(super) fn note(&self, caller: Caller, now: UnixMillis) -> Note {
        let by = match caller {
            Caller::Holder { subject, .. } => {
                let id = self.root.subjects.get(&subject).map_or_else(PublicId::default, |record| record.id);
                By::Subject(id)
            }
            Caller::Operator { .. } | Caller::Bootstrap => By::Operator,
            Caller::Node | Caller::Claimant => By::Node,
        };
        Note { at: now.to_deadline(), by, request: None }
    }

    /// Of every grant that a subject has those that reach it.
    fn grants_that_count(&self, subject: SubjectIndex) -> Vec<GrantRecord> {
        let guest = self.root.rules.line(subject).is_some_and(tessera_policy::Line::is_guest);
        if !guest {
            return self.grants_of(subject, false);
        }
        let own = self.root.rules.grants_of(subject).filter(|grant| grant.workspace.0 != 0);
        own.filter(|grant| !self.is_conditioned(Grantee::Subject(subject), (grant.role, grant.workspace)))
            .collect()
    }

    /// Whether a grant counts under conditions alone.
    fn is_conditioned(&self, grantee: Grantee, (role, workspace): (RoleId, WorkspaceIndex)) -> bool {
        let conditions = self.root.rules.conditions_of(grantee, role, workspace);
        conditions.is_some_and(|conditions| !conditions.is_empty())
    }

    /// Every grant that a subject has, its own and through groups, each in the window in which it counts.
    fn all_grants_of(&self, subject: SubjectIndex) -> Vec<GrantRecord> {
        self.grants_of(subject, true)
    }

    /// The same, those under conditions with the others or left out.
    fn grants_of(&self, subject: SubjectIndex, conditioned: bool) -> Vec<GrantRecord> {
        let rules = &self.root.rules;
        let counts = |grantee, at| conditioned || !self.is_conditioned(grantee, at);
        let own = rules.grants_of(subject);
        let mut grants: Vec<_> =
            own.filter(|grant| counts(Grantee::Subject(subject), (grant.role, grant.workspace))).collect();
        for member in rules.memberships_of(subject) {
            for reach in rules.reaches(member.group) {
                let (from, until) = reach.meet(member.from, member.until);
                let way = Reach { from, until, ..reach };
                let granted = rules.grants_to(reach.group);
                let at = |grant: &GroupGrantRecord| (grant.role, grant.workspace);
                for grant in granted.filter(|grant| counts(Grantee::Group(reach.group), at(grant))) {
                    let (from, until) = way.meet(grant.from, grant.until);
                    let (role, workspace) = (grant.role, grant.workspace);
                    grants.push(GrantRecord { subject, role, workspace, from, until });
                }
            }
        }
        grants
    }
}
