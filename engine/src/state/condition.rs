//! Conditions of grants: under which circumstances a grant counts.
//!
//! They stay when a grant's window is changed, and go with the grant. Whoever sets them may hand out what the grant
//! gives: without them it would count always.

use super::{Decided, State};
use tessera_model::grant_condition::{
    GrantCondition, GrantConditions, GrantConditionsRecord, Grantee, GranteeName,
};
use tessera_model::note::About;
use tessera_model::record::GrantRecord;
use tessera_model::{Caller, Command, Deadline, Event, Name, Refusal, RoleId, UnixMillis, WorkspaceIndex};

/// A grant that is named: its role and workspace.
type Named<'a> = (&'a Name, Option<&'a Name>);

impl State {
    fn grantee(&self, named: &GranteeName) -> Result<Grantee, Refusal> {
        match named {
            GranteeName::Subject(id) => Ok(Grantee::Subject(self.known_subject(*id)?.index)),
            GranteeName::Group(name) => Ok(Grantee::Group(self.group_id(name)?)),
        }
    }

    /// Decides about conditions of grants.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is decided elsewhere")]
    pub(super) fn about_conditions(
        &self,
        command: &Command,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        match command {
            Command::SetGrantConditions { grantee, role, workspace, conditions } => {
                self.set_grant_conditions(grantee, (role, workspace.as_ref()), conditions, caller, now)
            }
            Command::GrantUnder { grantee, role, workspace, from, until, conditions } => {
                let terms = ((*from, *until), conditions);
                self.grant_under(grantee, (role, workspace.as_ref()), terms, caller, now)
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// Puts conditions in the place of those that a standing grant has.
    fn set_grant_conditions(
        &self,
        named: &GranteeName,
        (role, workspace): Named<'_>,
        conditions: &GrantConditions,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let grantee = self.grantee(named)?;
        let place = (self.role_id(role)?, self.workspace_index(workspace)?);
        let rules = &self.root.rules;
        let stands = match grantee {
            Grantee::Subject(subject) => {
                rules.grants_of(subject).any(|grant| (grant.role, grant.workspace) == place)
            }
            Grantee::Group(group) => {
                rules.grants_to(group).any(|grant| (grant.role, grant.workspace) == place)
            }
        };
        if !stands {
            return Err(Refusal::GrantUnknown);
        }
        if !self.may_hand_out_all(&self.handed_with(place.0), caller, now) {
            return Err(Refusal::BeyondCreator);
        }
        let Some(record) = self.conditions(grantee, place, conditions, now)? else {
            return Ok(Decided::nothing());
        };
        let about = match grantee {
            Grantee::Subject(subject) => About::Grant(subject, place.0, place.1),
            Grantee::Group(group) => About::GroupGrant(group, place.0, place.1),
        };
        let note = about.row(self.note(caller, now), true);
        Ok(Decided { rows: vec![note], ..Decided::of(Event::GrantConditionsSet(record)) })
    }

    /// Grants a role under conditions.
    fn grant_under(
        &self,
        named: &GranteeName,
        (role, workspace): Named<'_>,
        (window, conditions): ((Deadline, Deadline), &GrantConditions),
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        let grantee = self.grantee(named)?;
        let place = (self.role_id(role)?, self.workspace_index(workspace)?);
        let set = self.conditions(grantee, place, conditions, now)?;
        let mut granted = match named {
            GranteeName::Subject(id) => self.grant(*id, role, workspace, window, caller, now)?,
            GranteeName::Group(group) => self.grant_group((group, role, workspace), window, caller, now)?,
        };
        // Before the grant: it never stands without them.
        granted.events.splice(0..0, set.map(Event::GrantConditionsSet));
        Ok(granted)
    }

    /// What conditions a grant gets; nothing when it has them.
    fn conditions(
        &self,
        grantee: Grantee,
        (role, workspace): (RoleId, WorkspaceIndex),
        conditions: &GrantConditions,
        now: UnixMillis,
    ) -> Result<Option<GrantConditionsRecord>, Refusal> {
        for condition in conditions.as_slice() {
            if !condition.is_sound() {
                return Err(Refusal::Malformed);
            }
            if let GrantCondition::Hours(hours) = condition
                && !tessera_policy::is_zone(hours.zone())
            {
                return Err(Refusal::ZoneUnknown);
            }
        }
        let held = self.root.rules.conditions_of(grantee, role, workspace);
        if held.map_or(conditions.is_empty(), |held| held == conditions) {
            return Ok(None);
        }
        let record = GrantConditionsRecord { grantee, role, workspace, conditions: conditions.clone() };
        if let Grantee::Subject(subject) = grantee
            && !conditions.is_empty()
            && self.is_last_owner(subject, role, workspace)
        {
            return Err(Refusal::LastOwner);
        }
        if self.leaves_no_operator(|rules| rules.put_conditions(&record), now) {
            return Err(Refusal::LastOperator);
        }
        Ok(Some(record))
    }

    pub(super) fn apply_conditions(&mut self, record: &GrantConditionsRecord) {
        self.root.rules.put_conditions(record);
        if let Grantee::Subject(subject) = record.grantee {
            let place = (record.role, record.workspace);
            let mut grants = self.root.rules.grants_of(subject);
            let standing = grants.find(|grant| (grant.role, grant.workspace) == place);
            if let Some(grant) = standing {
                self.note_granted(&grant);
            }
        }
    }

    /// Whether a grant counts always.
    pub(super) fn counts_always(&self, grant: &GrantRecord) -> bool {
        let GrantRecord { subject, role, workspace, from, until } = *grant;
        from == Deadline::NONE
            && until == Deadline::NONE
            && self.root.rules.conditions_of(Grantee::Subject(subject), role, workspace).is_none()
    }

    /// The conditions of all grants of a subject, as events.
    pub(super) fn condition_events(&self, grantee: Grantee) -> impl Iterator<Item = Event> + '_ {
        self.root.rules.conditions_held(grantee).map(Event::GrantConditionsSet)
    }
}
