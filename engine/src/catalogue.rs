//! What services have registered, and where it is used: for people who administer.

use crate::list::{Listing, Page, page};
use crate::view::Reading;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tessera_model::catalogue::{EntryRecord, EntryText, ServiceRecord};
use tessera_model::limits::{NAME_BYTES_MAX, PAGE_PLACES_MAX, PAGE_ROWS_MAX, PLACES_MAX};
use tessera_model::record::GrantRecord;
use tessera_model::visibility::Detail;
use tessera_model::{
    Deadline, GroupId, Name, Pattern, PermissionId, PublicId, Refusal, RoleId, ServiceIndex, SubjectIndex,
    WorkspaceIndex,
};

/// An entry of a service, with the names of what it names.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The service.
    pub service: Name,
    /// The permission's id.
    pub id: PermissionId,
    /// The permission.
    pub permission: Name,
    /// What it says.
    pub text: EntryText,
    /// The permission to use in its place.
    pub replaced_by: Option<Name>,
}

/// What uses an entry.
#[derive(Clone, Debug)]
pub enum UsedBy {
    /// A role covers it, by this pattern or, without one, by a role above it.
    Role(Name, Option<Pattern>),
    /// A group has a role that covers it.
    GroupGrant(Name, Name, Option<Name>, (Deadline, Deadline)),
    /// A subject has a role that covers it.
    Grant(PublicId, Name, Option<Name>, (Deadline, Deadline)),
    /// A key of a subject is restricted to what this pattern covers, and more.
    Key(PublicId, PublicId, Pattern),
    /// The ceiling of a workspace lets it through by this pattern.
    Ceiling(Name, Pattern),
    /// It follows from a relation to resources of a type.
    Mapping(Box<str>, Box<str>),
    /// Requests to an endpoint of a service need it: service, method, path.
    Endpoint(Name, Box<str>, Box<str>),
}

/// A use of an entry.
#[derive(Clone, Debug)]
pub struct EntryUse {
    /// Its place in the list.
    pub at: u64,
    /// The permission.
    pub permission: Name,
    /// What uses it.
    pub by: UsedBy,
}

impl Listing {
    /// A use of an entry as it is told to whoever reads: of subjects, those whose grants or keys it is shown, and places by
    /// the names that it is told.
    #[must_use]
    pub fn told_use(&self, used: EntryUse) -> Option<EntryUse> {
        let shown = |id: PublicId, detail| {
            !self.is_limited() || self.0.index_of(id).is_some_and(|subject| self.shows(subject, detail))
        };
        let place = |name: Option<Name>| name.and_then(|name| self.told_place(name));
        let by = match used.by {
            UsedBy::Grant(subject, role, at, during) => {
                shown(subject, Detail::Grants).then(|| UsedBy::Grant(subject, role, place(at), during))
            }
            by @ UsedBy::Key(_, subject, _) => shown(subject, Detail::Keys).then_some(by),
            UsedBy::GroupGrant(group, role, at, during) => {
                Some(UsedBy::GroupGrant(group, role, place(at), during))
            }
            UsedBy::Ceiling(at, pattern) => place(Some(at)).map(|at| UsedBy::Ceiling(at, pattern)),
            by @ (UsedBy::Role(..) | UsedBy::Mapping(..) | UsedBy::Endpoint(..)) => Some(by),
        };
        by.map(|by| EntryUse { by, ..used })
    }
}

/// The kinds of uses, in the order of their list.
const ROLE: u64 = 1;
const GROUP_GRANT: u64 = 2;
const GRANT: u64 = 3;
const KEY: u64 = 4;
const CEILING: u64 = 5;
const MAPPING: u64 = 6;
const ENDPOINT: u64 = 7;

/// LIMIT: rows of one holder, as a place counts them: 256 grants or 64 patterns of each of 8,192 permissions are
/// fewer.
const OF_HOLDER_MAX: u64 = (1 << 24) - 1;

/// The place of a holder's row: kind, holder, which.
const fn place(kind: u64, holder: u32, nth: u64) -> u64 {
    kind << 56 | (holder as u64) << 24 | nth
}

impl Listing {
    /// The services after a cursor.
    #[must_use]
    pub fn services(&self, cursor: u64, limit: usize) -> Page<Arc<ServiceRecord>> {
        let after = Bound::Excluded(crate::list::after(cursor));
        let rows = self.0.services.range((after, Bound::Unbounded));
        page(rows.map(|(index, record)| (u64::from(*index), Arc::clone(record))), limit)
    }

    /// The service with this name.
    #[must_use]
    pub fn service_named(&self, name: &Name) -> Option<&Arc<ServiceRecord>> {
        self.0.services.get(self.0.service_names.get(name)?)
    }

    /// The entries of a service, or of all of them, after a cursor: by service, then permission.
    #[must_use]
    pub fn entries(&self, service: Option<ServiceIndex>, cursor: u64, limit: usize) -> Page<(u64, Entry)> {
        let from = u32::try_from(cursor >> 32).unwrap_or(u32::MAX);
        let within = |index: u32| service.is_none_or(|service| service.0 == index);
        let services = self.0.services.range(from..).filter(|(index, _)| within(**index));
        let rows = services.flat_map(|(index, record)| {
            record.entries.iter().filter_map(move |entry| {
                let at = u64::from(*index) << 32 | u64::from(entry.permission.0);
                if at <= cursor {
                    return None;
                }
                Some((at, (at, self.found(record, entry)?)))
            })
        });
        page(rows, limit)
    }

    /// The entry of a permission.
    #[must_use]
    pub fn entry(&self, permission: &Name) -> Option<Entry> {
        let id = self.0.rules.permission(tessera_model::PermissionRef::Name(permission.as_str()))?;
        let record = self.0.services.get(self.0.entries.get(&id.0)?)?;
        self.found(record, record.entry(id)?)
    }

    fn found(&self, record: &ServiceRecord, entry: &EntryRecord) -> Option<Entry> {
        Some(Entry {
            service: record.name.clone(),
            id: entry.permission,
            permission: self.permission_name(entry.permission)?.clone(),
            text: entry.text.clone(),
            replaced_by: self.permission_name(entry.replaced_by).cloned(),
        })
    }
}

/// What is looked for: permissions by id, and whether patterns with a `*` count.
struct Wanted {
    names: BTreeMap<PermissionId, Name>,
    ids: BTreeMap<Name, PermissionId>,
    exact: bool,
}

impl Wanted {
    fn new(names: BTreeMap<PermissionId, Name>, exact: bool) -> Self {
        let ids = names.iter().map(|(id, name)| (name.clone(), *id)).collect();
        Self { names, ids, exact }
    }

    /// Those of the permissions that the patterns cover, each with the first pattern that does.
    fn covered(&self, patterns: &[Pattern]) -> BTreeMap<PermissionId, Pattern> {
        let mut found = BTreeMap::new();
        for pattern in patterns {
            match pattern.exact() {
                Some(name) => {
                    let id = Name::new(name).ok().and_then(|name| self.ids.get(&name));
                    found.extend(id.filter(|id| !found.contains_key(*id)).map(|id| (*id, pattern.clone())));
                }
                None if self.exact && !pattern.is_literal() => {}
                None => {
                    let covered = self.names.iter().filter(|(_, name)| pattern.reaches(name.as_str()));
                    let covered: Vec<_> = covered.map(|(id, _)| *id).collect();
                    covered.into_iter().for_each(|id| {
                        found.entry(id).or_insert_with(|| pattern.clone());
                    });
                }
            }
        }
        found
    }
}

/// A page on its way.
struct Pages {
    from: u64,
    limit: usize,
    page: Page<EntryUse>,
    last: u64,
}

impl Pages {
    /// The first holder of a kind that may have rows; none when the page begins behind that kind.
    fn begin(&self, kind: u64) -> Option<u32> {
        match (self.from >> 56).cmp(&kind) {
            std::cmp::Ordering::Less => Some(0),
            std::cmp::Ordering::Equal => u32::try_from(self.from >> 24 & u64::from(u32::MAX)).ok(),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Takes the rows of a holder; no when the page ends here.
    fn take(&mut self, (kind, holder): (u64, u32), rows: impl IntoIterator<Item = (Name, UsedBy)>) -> bool {
        if self.page.walked == PAGE_PLACES_MAX {
            self.page.next = Some(self.last);
            return false;
        }
        self.page.walked += 1;
        for (nth, (permission, by)) in (1..).zip(rows) {
            let at = place(kind, holder, nth);
            if at <= self.from {
                continue;
            }
            if self.page.rows.len() == self.limit {
                self.page.next = Some(self.last);
                return false;
            }
            self.page.rows.push(EntryUse { at, permission, by });
            self.last = at;
        }
        self.last = place(kind, holder, OF_HOLDER_MAX);
        true
    }
}

/// What each role covers of what is wanted, and by which pattern of its own.
type ByRole = BTreeMap<RoleId, BTreeMap<PermissionId, Option<Pattern>>>;

impl Reading<'_> {
    /// Where an entry is used, by patterns with a `*` too, after a cursor: roles, groups and subjects that have
    /// them, keys, ceilings, mappings.
    ///
    /// # Errors
    /// `PermissionUnknown` for what is no entry of a service.
    pub fn entry_uses(&self, permission: &Name, window: (u64, usize)) -> Result<Page<EntryUse>, Refusal> {
        let listing = self.view.listing();
        let entry = listing.entry(permission).ok_or(Refusal::PermissionUnknown)?;
        let wanted = Wanted::new(BTreeMap::from([(entry.id, entry.permission)]), false);
        Ok(self.uses(&listing, &wanted, window))
    }

    /// Where deprecated entries are named in full, after a cursor.
    #[must_use]
    pub fn deprecated_uses(&self, window: (u64, usize)) -> Page<EntryUse> {
        let listing = self.view.listing();
        let entries = listing.0.services.values().flat_map(|record| &record.entries);
        let names = entries
            .filter(|entry| entry.text.deprecated)
            .filter_map(|entry| Some((entry.permission, listing.permission_name(entry.permission)?.clone())));
        let wanted = Wanted::new(names.collect(), true);
        self.uses(&listing, &wanted, window)
    }

    /// COST: looks at every role for each page, then at holders until the page is full.
    fn uses(&self, listing: &Listing, wanted: &Wanted, (from, limit): (u64, usize)) -> Page<EntryUse> {
        let page = Page { rows: Vec::new(), next: None, walked: 0 };
        let mut pages = Pages { from, limit: limit.clamp(1, PAGE_ROWS_MAX), page, last: from };
        let roles = listing.covering(wanted);
        let on = listing.used_by_roles(&mut pages, wanted, &roles)
            && listing.used_by_grants(&mut pages, wanted, &roles)
            && self.used_by_keys(&mut pages, listing, wanted)
            && listing.used_elsewhere(&mut pages, wanted);
        debug_assert!(on || pages.page.next.is_some());
        pages.page
    }

    fn used_by_keys(&self, pages: &mut Pages, listing: &Listing, wanted: &Wanted) -> bool {
        let Some(from) = pages.begin(KEY) else { return true };
        for number in (from..PLACES_MAX).take_while(|place| self.view.table.place(*place).is_some()) {
            let found = self.at(&listing.0, number).filter(|(live, _)| live.key);
            let rows = found.into_iter().flat_map(|(live, found)| {
                let restriction = listing.0.restrictions.get(&live.restriction);
                let covered = restriction.map(|record| wanted.covered(&record.patterns));
                covered.unwrap_or_default().into_iter().filter_map(move |(id, pattern)| {
                    Some((wanted.names.get(&id)?.clone(), UsedBy::Key(found.id, found.subject, pattern)))
                })
            });
            if !pages.take((KEY, number), rows) {
                return false;
            }
        }
        true
    }
}

impl Listing {
    /// What each role covers, by itself or by those above it.
    fn covering(&self, wanted: &Wanted) -> ByRole {
        let mut roles = ByRole::new();
        for (role, record) in self.0.roles.iter() {
            let own = wanted.covered(&record.patterns);
            if !own.is_empty() {
                roles.insert(*role, own.into_iter().map(|(id, pattern)| (id, Some(pattern))).collect());
            }
        }
        let mut above: Vec<RoleId> = roles.keys().copied().collect();
        while let Some(role) = above.pop() {
            let covered: Vec<_> = roles.get(&role).into_iter().flat_map(BTreeMap::keys).copied().collect();
            for below in self.0.rules.roles_below(role) {
                let known = roles.entry(below).or_default();
                let before = known.len();
                covered.iter().for_each(|id| {
                    known.entry(*id).or_insert(None);
                });
                if known.len() > before {
                    above.push(below);
                }
            }
        }
        roles
    }

    fn used_by_roles(&self, pages: &mut Pages, wanted: &Wanted, roles: &ByRole) -> bool {
        let Some(from) = pages.begin(ROLE) else { return true };
        roles.range(RoleId(from)..).all(|(role, covered)| {
            let name = self.role_name(*role);
            let rows = covered.iter().filter_map(|(id, pattern)| {
                Some((wanted.names.get(id)?.clone(), UsedBy::Role(name?.clone(), pattern.clone())))
            });
            pages.take((ROLE, role.0), rows)
        })
    }

    fn used_by_grants(&self, pages: &mut Pages, wanted: &Wanted, roles: &ByRole) -> bool {
        let place = |workspace: WorkspaceIndex| self.workspace_name(workspace).cloned();
        let covered = |role: RoleId| {
            let ids = roles.get(&role).into_iter().flat_map(BTreeMap::keys);
            ids.filter_map(|id| wanted.names.get(id).cloned())
        };
        if let Some(from) = pages.begin(GROUP_GRANT) {
            for (group, record) in self.0.groups.range(GroupId(from)..) {
                let rows = self.group_grants(*group).into_iter().flat_map(|grant| {
                    let during = (grant.from, grant.until);
                    let role = self.role_name(grant.role).cloned();
                    covered(grant.role).filter_map(move |name| {
                        let (group, place) = (record.name.clone(), place(grant.workspace));
                        Some((name, UsedBy::GroupGrant(group, role.clone()?, place, during)))
                    })
                });
                if !pages.take((GROUP_GRANT, group.0), rows) {
                    return false;
                }
            }
        }
        let Some(from) = pages.begin(GRANT) else { return true };
        for (index, record) in self.0.subjects.range(SubjectIndex(from)..) {
            let rows = self.0.rules.grants_of(index).flat_map(|grant: GrantRecord| {
                let during = (grant.from, grant.until);
                let role = self.role_name(grant.role).cloned();
                covered(grant.role).filter_map(move |name| {
                    let by = UsedBy::Grant(record.id, role.clone()?, place(grant.workspace), during);
                    Some((name, by))
                })
            });
            if !pages.take((GRANT, index.0), rows) {
                return false;
            }
        }
        true
    }

    fn used_elsewhere(&self, pages: &mut Pages, wanted: &Wanted) -> bool {
        if let Some(from) = pages.begin(CEILING) {
            for (index, record) in self.0.workspaces.range(WorkspaceIndex(from)..) {
                let place = self.workspace_name(*index);
                let rows = wanted.covered(&record.ceiling).into_iter().filter_map(|(id, pattern)| {
                    Some((wanted.names.get(&id)?.clone(), UsedBy::Ceiling(place?.clone(), pattern)))
                });
                if !pages.take((CEILING, index.0), rows) {
                    return false;
                }
            }
        }
        if let Some(from) = pages.begin(MAPPING) {
            let on = self.used_by_mappings(pages, wanted, from);
            if !on {
                return false;
            }
        }
        let Some(from) = pages.begin(ENDPOINT) else { return true };
        self.0.endpoints.range(from..).all(|(index, map)| {
            let service = self.0.services.get(index).map(|record| &record.name);
            let rows = map.record.endpoints.iter().filter_map(|endpoint| {
                let mut room = [0; NAME_BYTES_MAX];
                let name = Name::new(endpoint.permission(&mut room)?).ok()?;
                let (name, _) = wanted.ids.get_key_value(&name)?;
                let by = UsedBy::Endpoint(service?.clone(), endpoint.method().into(), endpoint.path().into());
                Some((name.clone(), by))
            });
            pages.take((ENDPOINT, *index), rows)
        })
    }

    fn used_by_mappings(&self, pages: &mut Pages, wanted: &Wanted, from: u32) -> bool {
        wanted.names.range(PermissionId(from)..).all(|(id, name)| {
            let types = self.0.relation_mappings.get(&id.0).into_iter().flat_map(|types| types.iter());
            let rows = types.map(|(type_name, relation)| {
                (name.clone(), UsedBy::Mapping(type_name.clone(), relation.clone()))
            });
            pages.take((MAPPING, id.0), rows)
        })
    }
}
