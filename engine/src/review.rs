//! Who holds what, since when, by whom and until when: for people who look through it.

use crate::bound::Bound;
use crate::cursor::Cursors;
use crate::engine::Engine;
use crate::list::Listing;
use std::collections::HashMap;
use std::ops::Bound as Edge;
use tessera_model::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX};
use tessera_model::note::{About, Note};
use tessera_model::record::GroupRecord;
use tessera_model::visibility::Detail;
use tessera_model::{
    CursorFault, Deadline, GrantConditions, GroupId, Name, PublicId, Refusal, RowKind, SubjectIndex,
};

/// Where groups begin in the places of a review: behind all subjects.
const GROUPS: u64 = 1 << 32;
/// What of a holder stands first: its roles, then its memberships.
const ROLES: u8 = 1;
const MEMBERSHIPS: u8 = 2;

/// A place in a review: behind all that a holder has, or behind one thing of it. The beginning is the one by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReviewPlace {
    holder: u64,
    row: Option<(u8, u64)>,
}

impl ReviewPlace {
    /// The place that a cursor stands for; the beginning without one.
    ///
    /// # Errors
    /// `CursorRefused` for what is none of this list.
    pub fn read(cursors: &Cursors, cursor: Option<&[u8]>) -> Result<Self, Refusal> {
        let Some((holder, tail)) = cursors.tail(cursor)? else { return Ok(Self::default()) };
        let row = match tail.split_first() {
            None => None,
            Some((kind, at)) => {
                let at = at.try_into().map_err(|_| Refusal::CursorRefused(CursorFault::Damaged))?;
                Some((*kind, u64::from_le_bytes(at)))
            }
        };
        Ok(Self { holder, row })
    }

    /// The cursor that stands for it.
    #[must_use]
    pub fn cursor(&self, cursors: &Cursors) -> Vec<u8> {
        let row = self.row.iter().flat_map(|(kind, at)| std::iter::once(*kind).chain(at.to_le_bytes()));
        cursors.behind(self.holder, &row.collect::<Vec<u8>>())
    }

    /// The same behind all that a holder has.
    const fn behind(holder: u64) -> Self {
        Self { holder, row: None }
    }

    /// Behind which of its things to go on with a holder; none for the beginning.
    fn within(&self, holder: u64) -> Option<(u8, u64)> {
        self.row.filter(|_| self.holder == holder)
    }
}

/// A page of a review.
#[derive(Clone, Debug)]
pub struct Review {
    /// The rows, as many as were asked for at most.
    pub rows: Vec<Reviewed>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<ReviewPlace>,
    /// Subjects that were looked at for it.
    pub walked: u64,
}

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
    /// The place behind it.
    pub place: ReviewPlace,
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
    /// What subjects and groups hold themselves, behind a place, with when and by whom it was made: of those whose
    /// grants or groups the reader of the listing is shown. It may wait for the disk.
    ///
    /// # Errors
    /// `TenantFailed` when a row is damaged, `NotReady` when the node is ending.
    pub fn review(
        &self,
        bound: &Bound,
        listing: &Listing,
        (from, limit): (ReviewPlace, usize),
    ) -> Result<Review, Refusal> {
        let mut page = Review { rows: Vec::new(), next: None, walked: 0 };
        let mut last = from;
        // One who has more than was told yet is gone on with.
        let begins = from.holder.saturating_sub(u64::from(from.row.is_some()));
        if from.holder < GROUPS {
            let after = Edge::Excluded(SubjectIndex(u32::try_from(begins).unwrap_or(u32::MAX)));
            for (index, _) in listing.0.subjects.range((after, Edge::Unbounded)) {
                if page.is_full(limit) {
                    page.next = Some(last);
                    return Ok(page);
                }
                page.walked += 1;
                let holder = u64::from(index.0);
                let found = self.held_by(bound, listing, index, from.within(holder))?;
                last = ReviewPlace::behind(holder);
                if page.takes(found, limit) {
                    return Ok(page);
                }
            }
        }
        let after = u32::try_from(begins.saturating_sub(GROUPS)).unwrap_or(u32::MAX);
        let after = Edge::Excluded(GroupId(if from.holder < GROUPS { 0 } else { after }));
        for (group, record) in listing.0.groups.range((after, Edge::Unbounded)) {
            if page.is_full(limit) {
                page.next = Some(last);
                return Ok(page);
            }
            let holder = GROUPS + u64::from(group.0);
            let found = self.held_by_group(bound, listing, record, from.within(holder))?;
            last = ReviewPlace::behind(holder);
            if page.takes((found, false), limit) {
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// What a group has.
    fn held_by_group(
        &self,
        bound: &Bound,
        listing: &Listing,
        record: &GroupRecord,
        behind: Option<(u8, u64)>,
    ) -> Result<Vec<Reviewed>, Refusal> {
        let group = record.id;
        let mut grants = listing.group_grants(group);
        if grants.is_empty() {
            return Ok(Vec::new());
        }
        grants.sort_unstable_by_key(|grant| (grant.role, grant.workspace));
        let notes = self.notes(bound, RowKind::GroupGranted, SubjectIndex(group.0))?;
        let rows = grants.into_iter().filter_map(|grant| {
            let at = (ROLES, u64::from(grant.role.0) << 32 | u64::from(grant.workspace.0));
            let role = listing.role_name(grant.role).filter(|_| behind.is_none_or(|behind| at > behind))?;
            let about = About::GroupGrant(group, grant.role, grant.workspace);
            let place = listing.workspace_name(grant.workspace).cloned();
            Some(Reviewed {
                place: ReviewPlace { holder: GROUPS + u64::from(group.0), row: Some(at) },
                who: Who::Group(record.name.clone()),
                held: Held::Role(role.clone(), place),
                from: grant.from,
                until: grant.until,
                by_rule: false,
                made: notes.get(&about.key(false)).map(|note| listing.told_of(*note)),
                changed: notes.get(&about.key(true)).map(|note| listing.told_of(*note)),
                conditions: listing.group_conditions_of(&grant),
            })
        });
        Ok(rows.collect())
    }

    /// What a subject has: as many roles as a page holds, or what is left of them and all memberships; and whether there
    /// is more.
    fn held_by(
        &self,
        bound: &Bound,
        listing: &Listing,
        index: SubjectIndex,
        behind: Option<(u8, u64)>,
    ) -> Result<(Vec<Reviewed>, bool), Refusal> {
        let Some(seen) = listing.sees(index) else { return Ok((Vec::new(), false)) };
        let (mut grants, mut members, mut more) = (Vec::new(), Vec::new(), false);
        if seen.has(Detail::Grants) && behind.is_none_or(|(kind, _)| kind == ROLES) {
            let page = listing.grants(index, behind.map_or(0, |(_, at)| at), PAGE_ROWS_MAX);
            (grants, more) = (page.rows, page.next.is_some());
        }
        if seen.has(Detail::Groups) && !more {
            members = listing.0.rules.memberships_of(index);
            members.sort_unstable_by_key(|member| member.group);
            members.retain(|member| behind.is_none_or(|at| (MEMBERSHIPS, u64::from(member.group.0)) > at));
        }
        let Some(record) = listing.0.subjects.get(&index) else { return Ok((Vec::new(), false)) };
        if grants.is_empty() && members.is_empty() {
            return Ok((Vec::new(), false));
        }
        let notes = self.notes(bound, RowKind::Granted, index)?;
        let row = |(kind, at): (u8, u64), held, (from, until), about: About| Reviewed {
            place: ReviewPlace { holder: u64::from(index.0), row: Some((kind, at)) },
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
            let (at, conditions) = ((ROLES, grant.place_of_subject()), listing.conditions_of(&grant));
            Some(Reviewed { conditions, ..row(at, held, (grant.from, grant.until), about) })
        });
        let members = members.into_iter().filter_map(|member| {
            let held = Held::Group(listing.group_name(member.group)?.clone());
            let at = (MEMBERSHIPS, u64::from(member.group.0));
            let row = row(at, held, (member.from, member.until), About::Member(index, member.group));
            Some(Reviewed { by_rule: listing.0.rules.follows_rule(member.group), ..row })
        });
        Ok((grants.chain(members).collect(), more))
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

impl Review {
    /// Whether it ends here.
    fn is_full(&self, limit: usize) -> bool {
        self.rows.len() >= limit || self.walked == PAGE_PLACES_MAX
    }

    /// Takes what fits of what a holder has; true where that was not all.
    fn takes(&mut self, (found, more): (Vec<Reviewed>, bool), limit: usize) -> bool {
        let room = limit.saturating_sub(self.rows.len());
        let cut = found.len() > room || more;
        self.rows.extend(found.into_iter().take(room));
        if cut {
            self.next = self.rows.last().map(|row| row.place);
        }
        cut
    }
}
