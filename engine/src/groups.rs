//! Lists of groups: who is in which, straight and through others, and where roles are used.

use crate::list::{Listing, Page, after, page, page_of};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tessera_model::record::{GroupGrantRecord, GroupRecord, MemberRecord};
use tessera_model::rule::Term;
use tessera_model::visibility::Detail;
use tessera_model::{Condition, Deadline, GroupId, Name, PublicId, RoleId, SubjectIndex};

/// How somebody is in a group.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Way {
    /// Whether the membership is in that group itself.
    pub direct: bool,
    /// First instant of that membership; `NONE` for no beginning, or where it is not direct.
    pub from: Deadline,
    /// First instant after it; `NONE` for no end, or where it is not direct.
    pub until: Deadline,
    /// The groups in it through which the subject is in it too.
    pub through: Vec<Name>,
}

/// A subject that is in a group.
#[derive(Clone, Debug)]
pub struct MemberFound {
    /// The subject's index.
    pub index: SubjectIndex,
    /// Who.
    pub subject: PublicId,
    /// How.
    pub way: Way,
}

/// A group that a subject is in.
#[derive(Clone, Debug)]
pub struct MembershipFound {
    /// The group's id.
    pub id: GroupId,
    /// Which.
    pub group: Name,
    /// How.
    pub way: Way,
}

/// Where a role is used.
#[derive(Clone, Debug)]
pub enum RoleUse {
    /// A role has it for a parent.
    Role(Name),
    /// It is granted to a group.
    Group(Name, GroupGrantRecord),
}

impl Listing {
    /// The group with this name.
    #[must_use]
    pub fn group_named(&self, name: &Name) -> Option<&Arc<GroupRecord>> {
        self.0.groups.get(self.0.group_names.get(name)?)
    }

    /// The name of a group.
    #[must_use]
    pub fn group_name(&self, group: GroupId) -> Option<&Name> {
        self.0.groups.get(&group).map(|record| &record.name)
    }

    /// The rule of a group in words; empty for a group without one.
    #[must_use]
    pub fn rule(&self, group: &GroupRecord) -> Vec<Condition> {
        let name = |id: u32| self.0.attributes.values().find(|record| record.id == id);
        let terms = group.rule.iter().flat_map(|rule| &rule.terms);
        let condition = |term: &Term| {
            name(term.attribute).map(|known| Condition::of(known.name.clone(), term.matches.clone()))
        };
        terms.filter_map(condition).collect()
    }

    /// How many subjects the change of a group's rule has not reached yet.
    #[must_use]
    pub fn rule_left(&self, group: &GroupRecord) -> u32 {
        group.rule.as_ref().map_or(0, |rule| self.0.next.subject.saturating_sub(rule.settled.0))
    }

    /// The names of groups, those that were deleted left out.
    pub fn group_names(&self, groups: &[GroupId]) -> Vec<Name> {
        groups.iter().filter_map(|group| self.group_name(*group).cloned()).collect()
    }

    /// The names of roles, those that were deleted left out.
    pub fn role_names(&self, roles: &[RoleId]) -> Vec<Name> {
        roles.iter().filter_map(|role| self.role_name(*role).cloned()).collect()
    }

    /// The groups after a cursor; with `within`, those that lie in it straight.
    #[must_use]
    pub fn groups(&self, within: Option<GroupId>, cursor: u64, limit: usize) -> Page<Arc<GroupRecord>> {
        let range = (Bound::Excluded(GroupId(after(cursor))), Bound::Unbounded);
        let row = |record: &Arc<GroupRecord>| (u64::from(record.id.0), Arc::clone(record));
        match within {
            None => page(self.0.groups.range(range).map(|(_, record)| row(record)), limit),
            Some(outer) => {
                let inner = self.0.rules.groups_in(outer).filter(|group| group.0 > after(cursor));
                page(inner.filter_map(|group| self.0.groups.get(&group)).map(row), limit)
            }
        }
    }

    /// The subjects in a group after a cursor; with `nested`, those too that are in groups in it. Those whose groups its
    /// reader is not shown are left out: a page may be empty and not the last. COST: looks at every subject's line.
    #[must_use]
    pub fn members(&self, group: GroupId, nested: bool, cursor: u64, limit: usize) -> Page<MemberFound> {
        let start = SubjectIndex(after(cursor));
        let rules = &self.0.rules;
        if nested {
            page_of(self.by_subject(group, rules.members_below(group, start)), limit)
        } else {
            page_of(self.by_subject(group, rules.members_of(group, start)), limit)
        }
    }

    /// Memberships that lead into a group, in the order of their subjects: one row for each subject.
    fn by_subject(
        &self,
        group: GroupId,
        members: impl Iterator<Item = MemberRecord>,
    ) -> impl Iterator<Item = (u64, Option<MemberFound>)> {
        let mut members = members.peekable();
        std::iter::from_fn(move || {
            let first = members.next()?;
            let mut all = vec![first];
            while let Some(more) = members.next_if(|next| next.subject == first.subject) {
                all.push(more);
            }
            let subject = self.0.subjects.get(&first.subject)?.id;
            let found = self.shows(first.subject, Detail::Groups).then(|| {
                let way = self.way(group, &all);
                MemberFound { index: first.subject, subject, way }
            });
            Some((u64::from(first.subject.0), found))
        })
    }

    /// The groups that a subject is in, straight or through others, after a cursor.
    #[must_use]
    pub fn memberships(&self, subject: SubjectIndex, cursor: u64, limit: usize) -> Page<MembershipFound> {
        let mut groups: BTreeMap<GroupId, Vec<MemberRecord>> = BTreeMap::new();
        for member in self.0.rules.memberships_of(subject) {
            for group in self.0.rules.groups_above(member.group) {
                groups.entry(*group).or_default().push(member);
            }
        }
        let rows = groups.range((Bound::Excluded(GroupId(after(cursor))), Bound::Unbounded));
        let rows = rows.filter_map(|(group, members)| {
            let found = MembershipFound {
                id: *group,
                group: self.group_name(*group)?.clone(),
                way: self.way(*group, members),
            };
            Some((u64::from(group.0), found))
        });
        page(rows, limit)
    }

    /// How memberships of one subject lead into a group.
    fn way(&self, group: GroupId, members: &[MemberRecord]) -> Way {
        let own = members.iter().find(|member| member.group == group);
        let through = members.iter().filter(|member| member.group != group).map(|member| member.group);
        Way {
            direct: own.is_some(),
            from: own.map_or(Deadline::NONE, |member| member.from),
            until: own.map_or(Deadline::NONE, |member| member.until),
            through: self.group_names(&through.collect::<Vec<_>>()),
        }
    }

    /// The grants of a group itself; at most 256.
    #[must_use]
    pub fn group_grants(&self, group: GroupId) -> Vec<GroupGrantRecord> {
        self.0.rules.grants_to(group).collect()
    }

    /// Where a role is used, subjects left out. COST: looks at every group's line.
    #[must_use]
    pub fn role_uses(&self, role: RoleId) -> Vec<RoleUse> {
        let below = self.0.rules.roles_below(role);
        let mut uses: Vec<_> =
            below.filter_map(|role| self.role_name(role)).cloned().map(RoleUse::Role).collect();
        let grants = self.0.rules.groups_with(role).into_iter();
        uses.extend(
            grants.filter_map(|grant| Some(RoleUse::Group(self.group_name(grant.group)?.clone(), grant))),
        );
        uses
    }

    /// The id of the role with this name.
    #[must_use]
    pub fn role_named(&self, name: &Name) -> Option<RoleId> {
        self.0.role_names.get(name).copied()
    }
}
