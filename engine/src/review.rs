//! Who holds what, since when, by whom and until when: for people who look through it.

use crate::bound::Bound;
use crate::engine::Engine;
use crate::list::{Listing, Page};
use std::collections::HashMap;
use std::ops::Bound as Edge;
use tessera_model::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX};
use tessera_model::note::{About, Note};
use tessera_model::visibility::Detail;
use tessera_model::{Deadline, GrantConditions, Name, PublicId, Refusal, RowKind, SubjectIndex};

/// Where groups begin in the cursor of a review: behind all subjects.
const GROUPS: u64 = 1 << 32;

/// Who holds something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Who {
    /// A subject.
    Subject(PublicId),
    /// A group.
    Group(Name),
}

/// What is held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Held {
    /// A role, there; `None` for the whole tenant.
    Role(Name, Option<Name>),
    /// A membership in a group.
    Group(Name),
}

/// One thing that somebody holds.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// The cursor behind it.
    pub cursor: u64,
    /// Who.
    pub who: Who,
    /// What.
    pub held: Held,
    /// First instant; `NONE` for no beginning.
    pub from: Deadline,
    /// First instant after; `NONE` for no end.
    pub until: Deadline,
    /// Whether it follows from the rule of a group.
    pub by_rule: bool,
    /// When it was made and by whom; `None` of what a tenant was born with, and of what follows from a rule.
    pub made: Option<Told>,
    /// When it was changed last and by whom; `None` when it is as it was made.
    pub changed: Option<Told>,
    /// The conditions under which a role counts.
    pub conditions: GrantConditions,
}

/// A note, as far as it is told to whoever asks.
#[derive(Clone, Debug)]
pub struct Told {
    /// When.
    pub at: Deadline,
    /// By whom: a public id, `operator` or `node`; none where whoever asks does not see them.
    pub by: Option<String>,
    /// The request that it was made for.
    pub request: Option<PublicId>,
}

impl Listing {
    fn told_of(&self, note: Note) -> Told {
        Told { at: note.at, by: self.told(note).map(|by| by.text()), request: note.request }
    }
}

impl Reviewed {
    /// By whom it was made: a public id, `operator`, `node` or `rule`.
    #[must_use]
    pub fn by(&self) -> Option<String> {
        match &self.made {
            Some(told) => told.by.clone(),
            None => self.by_rule.then(|| "rule".to_owned()),
        }
    }
}

impl Engine {
    /// What subjects and groups hold themselves, after a cursor, with when and by whom it was made: of those whose
    /// grants or groups the reader of the listing is shown. All that one holder has is on one page. It may wait for the
    /// disk.
    ///
    /// # Errors
    /// `TenantFailed` when a row is damaged, `NotReady` when the node is ending.
    pub fn review(
        &self,
        bound: &Bound,
        listing: &Listing,
        (cursor, limit): (u64, usize),
    ) -> Result<Page<Reviewed>, Refusal> {
        let mut rows = Vec::new();
        if cursor < GROUPS {
            let after = Edge::Excluded(SubjectIndex(u32::try_from(cursor).unwrap_or(u32::MAX)));
            let (mut last, subjects) = (cursor, listing.0.subjects.range((after, Edge::Unbounded)));
            for (walked, (index, _)) in (0..).zip(subjects) {
                if rows.len() >= limit || walked == PAGE_PLACES_MAX {
                    return Ok(Page { rows, next: Some(last), walked });
                }
                rows.extend(self.held_by(bound, listing, index)?);
                last = u64::from(index.0);
            }
        }
        let after = u32::try_from(cursor.saturating_sub(GROUPS)).unwrap_or(u32::MAX);
        let after = Edge::Excluded(tessera_model::GroupId(if cursor < GROUPS { 0 } else { after }));
        for (group, record) in listing.0.groups.range((after, Edge::Unbounded)) {
            if rows.len() >= limit {
                return Ok(page(rows));
            }
            let grants = listing.group_grants(*group);
            if grants.is_empty() {
                continue;
            }
            let notes = self.notes(bound, RowKind::GroupGranted, SubjectIndex(group.0))?;
            for grant in grants {
                let Some(role) = listing.role_name(grant.role) else { continue };
                let about = About::GroupGrant(*group, grant.role, grant.workspace);
                let place = listing.workspace_name(grant.workspace).cloned();
                rows.push(Reviewed {
                    cursor: GROUPS + u64::from(group.0),
                    who: Who::Group(record.name.clone()),
                    held: Held::Role(role.clone(), place),
                    from: grant.from,
                    until: grant.until,
                    by_rule: false,
                    made: notes.get(&about.key(false)).map(|note| listing.told_of(*note)),
                    changed: notes.get(&about.key(true)).map(|note| listing.told_of(*note)),
                    conditions: listing.group_conditions_of(&grant),
                });
            }
        }
        Ok(Page { rows, next: None, walked: 0 })
    }

    fn held_by(
        &self,
        bound: &Bound,
        listing: &Listing,
        index: SubjectIndex,
    ) -> Result<Vec<Reviewed>, Refusal> {
        let Some(seen) = listing.sees(index) else { return Ok(Vec::new()) };
        let (mut grants, mut members) = (Vec::new(), Vec::new());
        if seen.has(Detail::Grants) {
            grants = listing.grants(index, 0, PAGE_ROWS_MAX).rows;
        }
        if seen.has(Detail::Groups) {
            members = listing.0.rules.memberships_of(index);
        }
        let Some(record) = listing.0.subjects.get(&index) else { return Ok(Vec::new()) };
        if grants.is_empty() && members.is_empty() {
            return Ok(Vec::new());
        }
        let notes = self.notes(bound, RowKind::Granted, index)?;
        let row = |held, (from, until), about: About| Reviewed {
            cursor: u64::from(index.0),
            who: Who::Subject(record.id),
            held,
            from,
            until,
            by_rule: false,
            made: notes.get(&about.key(false)).map(|note| listing.told_of(*note)),
            changed: notes.get(&about.key(true)).map(|note| listing.told_of(*note)),
            conditions: GrantConditions::NONE,
        };
        let grants = grants.into_iter().filter_map(|grant| {
            let place = listing.workspace_name(grant.workspace).cloned();
            let held = Held::Role(listing.role_name(grant.role)?.clone(), place);
            let about = About::Grant(index, grant.role, grant.workspace);
            let conditions = listing.conditions_of(&grant);
            Some(Reviewed { conditions, ..row(held, (grant.from, grant.until), about) })
        });
        let members = members.into_iter().filter_map(|member| {
            let held = Held::Group(listing.group_name(member.group)?.clone());
            let row = row(held, (member.from, member.until), About::Member(index, member.group));
            Some(Reviewed { by_rule: listing.0.rules.follows_rule(member.group), ..row })
        });
        Ok(grants.chain(members).collect())
    }

    fn notes(
        &self,
        bound: &Bound,
        kind: RowKind,
        whose: SubjectIndex,
    ) -> Result<HashMap<Vec<u8>, Note, foldhash::fast::FixedState>, Refusal> {
        let rows = self.cold_rows(bound, kind, whose)?;
        Ok(rows.into_iter().filter_map(|(key, value)| Some((key, Note::read(&value)?))).collect())
    }
}

/// A page that ends behind its last holder.
fn page(rows: Vec<Reviewed>) -> Page<Reviewed> {
    let next = rows.last().map(|row| row.cursor);
    Page { rows, next, walked: 0 }
}
