//! Bulk load: many subjects in one command, each whole or not at all.
//!
//! INVARIANT: the id of a loaded subject is derived from all that its row says, so a row that happened
//! before is told from one that did not, however long ago that was.

use super::grant::window;
use super::subject::identifier_row;
use super::{Decided, Made, Map, State};
use std::collections::BTreeSet;
use tessera_model::limits::{
    GRANTS_PER_SUBJECT_MAX, IDENTIFIERS_PER_SUBJECT_MAX, LOAD_ROWS_MAX, SUBJECTS_MAX,
};
use tessera_model::load::{KeyedRow, LoadField, LoadGrant, LoadRow, Loaded, Rejected};
use tessera_model::note::About;
use tessera_model::record::{GrantRecord, SubjectRecord, SubjectStatus};
use tessera_model::{
    Caller, Event, GroupId, Limit, PublicId, Refusal, RoleId, Row, RowKind, SubjectIndex, UnixMillis,
};

/// Which part of a row does not fit, and why.
type Fault = (LoadField, usize, Refusal);

/// What the rows before one came to.
struct Draft<'a> {
    state: &'a State,
    caller: Caller,
    now: UnixMillis,
    next: u32,
    ids: BTreeSet<PublicId>,
    hashes: BTreeSet<[u8; 16]>,
    /// Whether the caller may hand out a role, and what comes with a group.
    roles: Map<RoleId, bool>,
    groups: Map<GroupId, bool>,
    events: Vec<Event>,
    rows: Vec<Row>,
}

impl State {
    pub(super) fn load_subjects(
        &self,
        rows: &[KeyedRow],
        trial: bool,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Decided, Refusal> {
        if rows.len() > LOAD_ROWS_MAX {
            return Err(Limit::LoadRows.reached());
        }
        let grants = rows.iter().any(|keyed| !keyed.row.grants.is_empty());
        if grants && !self.may_order(caller, "tessera.admin.grants", now) {
            return Err(Refusal::Unauthorized);
        }
        let mut draft = Draft {
            state: self,
            caller,
            now,
            next: self.next.subject,
            ids: BTreeSet::new(),
            hashes: BTreeSet::new(),
            roles: Map::default(),
            groups: Map::default(),
            events: Vec::with_capacity(rows.len() * 3),
            rows: Vec::with_capacity(rows.len() * 2),
        };
        let mut loaded = Loaded::default();
        for (row, keyed) in (0..).zip(rows) {
            match draft.take(keyed) {
                Ok(true) => loaded.made += 1,
                Ok(false) => loaded.known += 1,
                Err((field, nth, refusal)) => {
                    let nth = u16::try_from(nth).unwrap_or(u16::MAX);
                    loaded.rejected.push(Rejected { row, field, nth, refusal });
                }
            }
        }
        let Draft { events, rows, .. } = draft;
        let made = Made { loaded: Some(loaded), ..Made::default() };
        Ok(match trial {
            true => Decided { made, ..Decided::default() },
            false => {
                let decided = Decided { events, rows, made, ..Decided::default() };
                Self::created_by(decided, caller, self.next.subject)
            }
        })
    }
}

impl Draft<'_> {
    /// Takes a row: true when its subject is made, false when it is there. Of a fault nothing stays.
    fn take(&mut self, keyed: &KeyedRow) -> Result<bool, Fault> {
        if let Some(known) = self.state.root.subject(keyed.id) {
            return match known.status {
                SubjectStatus::Deleted => Err((LoadField::Row, 0, Refusal::SubjectDeleted)),
                SubjectStatus::Active | SubjectStatus::Suspended => Ok(false),
            };
        }
        if self.ids.contains(&keyed.id) {
            return Err((LoadField::Row, 0, Refusal::Duplicate));
        }
        let (events, rows) = (self.events.len(), self.rows.len());
        let taken = self.make(keyed);
        if taken.is_err() {
            self.events.truncate(events);
            self.rows.truncate(rows);
        } else {
            self.next += 1;
            self.ids.insert(keyed.id);
            self.hashes.extend(keyed.hashes.iter().copied());
        }
        taken.map(|()| true)
    }

    fn make(&mut self, KeyedRow { id, hashes, row }: &KeyedRow) -> Result<(), Fault> {
        if self.next >= SUBJECTS_MAX {
            return Err((LoadField::Row, 0, Limit::Subjects.reached()));
        }
        let (index, has_password) = (SubjectIndex(self.next), !row.password.is_empty());
        let status = if row.suspended { SubjectStatus::Suspended } else { SubjectStatus::Active };
        let record =
            SubjectRecord { index, id: *id, kind: row.kind, status, cut_off: 0, has_password, guest: false };
        self.events.push(Event::SubjectChanged(record));
        self.identify(index, hashes, row)?;
        if has_password {
            let key = Row::subject_key(index, &[]);
            self.rows.push(Row { kind: RowKind::Password, key, value: Some(row.password.clone()) });
        }
        if !row.values.is_empty() {
            let values: Vec<_> = row.values.iter().map(|(name, value)| (name, Some(value))).collect();
            let set = self.state.values_set(index, &values, &[]);
            let Decided { events, rows, .. } =
                set.map_err(|(nth, refusal)| (LoadField::Attribute, nth, refusal))?;
            let (state, caller, now) = (self.state, self.caller, self.now);
            for group in state.entered(index, &events) {
                let may = self.groups.entry(group);
                let may = may.or_insert_with(|| state.may_hand_out_all(&state.handed_by(group), caller, now));
                if !*may {
                    return Err((LoadField::Attribute, 0, Refusal::BeyondCreator));
                }
            }
            self.events.extend(events);
            self.rows.extend(rows);
        }
        self.grant(index, &row.grants)
    }

    fn identify(&mut self, index: SubjectIndex, hashes: &[[u8; 16]], row: &LoadRow) -> Result<(), Fault> {
        if hashes.len() > IDENTIFIERS_PER_SUBJECT_MAX {
            let refusal = Limit::IdentifiersPerSubject.reached();
            return Err((LoadField::Identifier, IDENTIFIERS_PER_SUBJECT_MAX, refusal));
        }
        for (nth, (hash, identifier)) in hashes.iter().zip(&row.identifiers).enumerate() {
            let taken = self.state.root.holder(hash).is_some()
                || self.hashes.contains(hash)
                || hashes.iter().take(nth).any(|before| before == hash);
            if taken {
                return Err((LoadField::Identifier, nth, Refusal::Duplicate));
            }
            // Failures from before there was anybody are not the newcomer's.
            self.events.extend(self.state.forget(hash));
            self.events.push(Event::IdentifierTaken { hash: *hash, subject: index });
            self.rows.push(identifier_row(index, identifier, *hash));
        }
        Ok(())
    }

    fn grant(&mut self, subject: SubjectIndex, grants: &[LoadGrant]) -> Result<(), Fault> {
        if grants.len() > GRANTS_PER_SUBJECT_MAX {
            let refusal = Limit::GrantsPerSubject.reached();
            return Err((LoadField::Grant, GRANTS_PER_SUBJECT_MAX, refusal));
        }
        for (nth, grant) in grants.iter().enumerate() {
            let refused = |refusal| (LoadField::Grant, nth, refusal);
            let same =
                |before: &LoadGrant| (&before.role, &before.workspace) == (&grant.role, &grant.workspace);
            if grants.iter().take(nth).any(same) {
                return Err(refused(Refusal::Duplicate));
            }
            let role = self.state.role_id(&grant.role).map_err(refused)?;
            let workspace = self.state.workspace_index(grant.workspace.as_ref()).map_err(refused)?;
            self.state.fits(role, workspace).map_err(refused)?;
            let (from, until) = (grant.from, grant.until);
            window(from, until, self.now).map_err(refused)?;
            let (state, caller, now) = (self.state, self.caller, self.now);
            let may = self.roles.entry(role);
            let may = *may.or_insert_with(|| state.may_hand_out_all(&state.handed_with(role), caller, now));
            if !may {
                return Err(refused(Refusal::BeyondCreator));
            }
            self.events.push(Event::GrantAdded(GrantRecord { subject, role, workspace, from, until }));
            self.rows.push(About::Grant(subject, role, workspace).row(state.note(caller, now), false));
        }
        Ok(())
    }
}
