//! Grants: this subject has this role there, in this window.

use super::{Decided, State};
use tessera_model::limits::GRANTS_PER_SUBJECT_MAX;
use tessera_model::note::About;
use tessera_model::record::GrantRecord;
use tessera_model::{Caller, Deadline, Event, Limit, Name, PublicId, Refusal, UnixMillis};

/// Whether a window may be given: one that has not passed, and is not empty.
pub(super) fn window(from: Deadline, until: Deadline, now: UnixMillis) -> Result<(), Refusal> {
    let empty = until != Deadline::NONE && (until.passed(now) || from != Deadline::NONE && from >= until);
    if empty || from.0 == u32::MAX || until.0 == u32::MAX {
        return Err(Refusal::DeadlinePassed);
    }
    Ok(())
}

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
        self.fits(role, workspace)?;
        window(from, until, now)?;
        if !self.may_hand_out_all(&self.handed_with(role), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let limited = from != Deadline::NONE || until != Deadline::NONE;
        if limited && self.is_last_owner(subject, role, workspace) {
            return Err(Refusal::LastOwner);
        }
        let record = GrantRecord { subject, role, workspace, from, until };
        let (mut held, mut stood) = (0, false);
        for grant in self.root.rules.grants_of(subject) {
            if grant == record {
                return Ok(Decided::nothing());
            }
            let same = (grant.role, grant.workspace) == (role, workspace);
            stood |= same;
            held += usize::from(!same);
        }
        if held >= GRANTS_PER_SUBJECT_MAX {
            return Err(Limit::GrantsPerSubject.reached());
        }
        // A grant that stood for good may begin later now.
        if self.leaves_no_operator(|rules| rules.put_grant(&record), now) {
            return Err(Refusal::LastOperator);
        }
        let note = About::Grant(subject, role, workspace).row(self.note(caller, now), stood);
        Ok(Decided { rows: vec![note], ..Decided::of(Event::GrantAdded(record)) })
    }

    pub(super) fn renew_grant(
        &self,
        id: PublicId,
        (role, workspace): (&Name, Option<&Name>),
        until: Deadline,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let subject = self.known_subject(id)?.index;
        let place = (self.role_id(role)?, self.workspace_index(workspace)?);
        let mut grants = self.root.rules.grants_of(subject);
        let standing = grants.find(|grant| (grant.role, grant.workspace) == place);
        let from = standing.ok_or(Refusal::GrantUnknown)?.from;
        self.grant(id, role, workspace, (from, until), caller, now)
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
        let held = self
            .root
            .rules
            .grants_of(subject)
            .any(|grant| (grant.role, grant.workspace) == (role, workspace));
        if !held {
            return Ok(Decided::nothing());
        }
        if self.leaves_no_operator(|rules| rules.remove_grant(subject, role, workspace), now) {
            return Err(Refusal::LastOperator);
        }
        if self.is_last_owner(subject, role, workspace) {
            return Err(Refusal::LastOwner);
        }
        Ok(Decided {
            rows: About::Grant(subject, role, workspace).gone().into(),
            ..Decided::of(Event::GrantRemoved { subject, role, workspace })
        })
    }
}
