//! Grants: this subject has this role there, in this window.

use super::{Decided, State};
use tessera_model::limits::GRANTS_PER_SUBJECT_MAX;
use tessera_model::record::GrantRecord;
use tessera_model::{Caller, Deadline, Event, Limit, Name, PublicId, Refusal, UnixMillis};

impl State {
    pub(super) fn grant(
        &self,
        subject: PublicId,
        role: &Name,
        workspace: Option<&Name>,
        (from, until): (Deadline, Deadline),
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(subject)?.index;
        let role = self.role_id(role)?;
        let workspace = self.workspace_index(workspace)?;
        let empty = until != Deadline::NONE && (until.passed(now) || from != Deadline::NONE && from >= until);
        if empty || from.0 == u32::MAX || until.0 == u32::MAX {
            return Err(Refusal::DeadlinePassed);
        }
        let patterns = self.root.roles.get(&role).map_or(&[][..], |record| &record.patterns);
        if !self.may_hand_out(patterns, caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let record = GrantRecord { subject, role, workspace, from, until };
        let mut held = 0;
        for grant in self.root.rules.grants_of(subject) {
            if grant == record {
                return Ok(Decided::nothing());
            }
            held += usize::from((grant.role, grant.workspace) != (role, workspace));
        }
        if held >= GRANTS_PER_SUBJECT_MAX {
            return Err(Refusal::LimitReached(Limit::GrantsPerSubject));
        }
        Ok(Decided::of(Event::GrantAdded(record)))
    }

    pub(super) fn ungrant(
        &self,
        subject: PublicId,
        role: &Name,
        workspace: Option<&Name>,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(subject)?.index;
        let role = self.role_id(role)?;
        let workspace = self.workspace_index(workspace)?;
        if role.0 == 1 && workspace.0 == 0 && self.is_last_operator(subject, now) {
            return Err(Refusal::LastOperator);
        }
        let held = self
            .root
            .rules
            .grants_of(subject)
            .any(|grant| (grant.role, grant.workspace) == (role, workspace));
        if !held {
            return Ok(Decided::nothing());
        }
        Ok(Decided::of(Event::GrantRemoved { subject, role, workspace }))
    }
}
