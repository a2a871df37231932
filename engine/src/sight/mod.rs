//! Who sees whom: the one answer behind every list and read that shows a subject.
//!
//! INVARIANT: a door reads from a [`Listing`] that [`Engine::listing`] has made for its caller, unless what it reads is
//! the caller's own or shows no subject. A test holds every kind of read against that.

mod listing;

use crate::bound::Bound;
use crate::engine::Engine;
use crate::list::Listing;
use crate::root::Root;
use crate::view::{Reading, View};
use std::collections::BTreeSet;
use std::sync::Arc;
use tessera_model::grant_condition::{GrantConditions, Grantee};
use tessera_model::limits::CREATORS_DEPTH_MAX;
use tessera_model::visibility::{Circle, Detail, Details, Reach, SightRecord};
use tessera_model::{Caller, Deadline, GroupId, Pattern, RoleId, SubjectIndex, UnixMillis, WorkspaceIndex};

/// The permission to read the people whom the tenant's rules show: of nobody more, and nothing else.
pub const PEOPLE: &str = "tessera.people.read";

/// What the names of personal workspaces begin with: then the public id of the subject.
pub(crate) const PERSONAL: &str = "tessera.personal.";

/// The permissions of reads that show subjects, and [`PEOPLE`].
pub(crate) const SIGHTED: &[&str] = &[
    "tessera.admin.subjects",
    "tessera.admin.grants",
    "tessera.admin.groups",
    "tessera.admin.sessions",
    "tessera.admin.keys",
    "tessera.admin.services",
    "tessera.admin.relations",
    "tessera.check",
    crate::watch::events::AUDIT,
    PEOPLE,
];

/// Those whose reads [`PEOPLE`] opens as far as rules show.
pub(crate) const OPENED: &[&str] = &[
    "tessera.admin.subjects",
    "tessera.admin.grants",
    "tessera.admin.groups",
    "tessera.admin.sessions",
    "tessera.admin.keys",
];

/// When something is looked at: the time for ends, and the earlier one for beginnings while the clock is in doubt.
type When = (UnixMillis, UnixMillis);

/// What is shown of one subject.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The rules by which it is seen, a bit each.
    rules: u64,
    details: Details,
}

impl Seen {
    /// Everything.
    pub const ALL: Self = Self { rules: u64::MAX, details: Details::ALL };

    /// Whether a detail is shown.
    #[must_use]
    pub const fn has(self, detail: Detail) -> bool {
        self.details.has(detail)
    }
}

/// Whom a caller sees: everybody in full, or whom some rules show.
#[derive(Clone, Default)]
pub(crate) struct Sight(Option<Arc<Limited>>);

/// Workspaces, and all from which grants hold in those.
#[derive(Default)]
struct Places {
    held: BTreeSet<WorkspaceIndex>,
    above: BTreeSet<WorkspaceIndex>,
}

impl Places {
    fn of(root: &Root, held: impl Iterator<Item = WorkspaceIndex>) -> Self {
        let held: BTreeSet<_> = held.filter(|workspace| workspace.0 != 0).collect();
        Self { above: held.iter().flat_map(|place| above(root, *place)).collect(), held }
    }

    /// Whether a subject holds a grant in one of them, or one of them lies where a grant of the subject holds.
    fn are_shared(&self, root: &Root, subject: SubjectIndex, when: When) -> bool {
        // Where two subtrees meet one of them lies in the other.
        let held = held(root, subject, when).into_iter().map(|(_, workspace)| workspace);
        held.filter(|workspace| workspace.0 != 0)
            .any(|place| self.above.contains(&place) || above(root, place).any(|up| self.held.contains(&up)))
    }
}

/// A rule that holds for a viewer.
struct Ruled {
    rule: SightRecord,
    /// Where its role is held: of those whom the rule shows, whoever shares one of these is seen by it; none for a role of
    /// the whole tenant, which narrows nothing.
    within: Option<Places>,
}

/// A viewer whom rules limit, and what of its own they compare.
struct Limited {
    viewer: SubjectIndex,
    /// Whether the viewer sees itself in full: nobody acts in its place.
    own: bool,
    rules: Vec<Ruled>,
    /// Every circle of one of the rules.
    reach: Reach,
    /// The workspaces in which the viewer holds a grant.
    places: Places,
    /// The groups that the viewer is in.
    groups: BTreeSet<GroupId>,
    when: When,
}

/// Whether a window is open.
fn is_open((from, until): (Deadline, Deadline), (now, early): When) -> bool {
    (from == Deadline::NONE || from.passed(early)) && (until == Deadline::NONE || !until.passed(now))
}

/// The grants of a subject that hold, its own and those of its groups, each by role and workspace. Those under
/// conditions are left out: nobody sees more by what may not count at the next moment. To a guest come those alone that
/// are its own, in workspaces.
fn held(root: &Root, subject: SubjectIndex, when: When) -> Vec<(RoleId, WorkspaceIndex)> {
    let guest = root.subjects.get(&subject).is_some_and(|record| record.guest);
    let steady = |grantee, role, workspace| {
        root.rules.conditions_of(grantee, role, workspace).is_none_or(GrantConditions::is_empty)
    };
    let own = root.rules.grants_of(subject).filter(|grant| {
        is_open((grant.from, grant.until), when)
            && !(guest && grant.workspace.0 == 0)
            && steady(Grantee::Subject(subject), grant.role, grant.workspace)
    });
    let mut held: Vec<_> = own.map(|grant| (grant.role, grant.workspace)).collect();
    if guest {
        return held;
    }
    for group in groups(root, subject, when) {
        let grants = root.rules.grants_to(group).filter(|grant| {
            is_open((grant.from, grant.until), when)
                && steady(Grantee::Group(group), grant.role, grant.workspace)
        });
        held.extend(grants.map(|grant| (grant.role, grant.workspace)));
    }
    held
}

/// The groups that a subject is in, straight or through others.
fn groups(root: &Root, subject: SubjectIndex, when: When) -> BTreeSet<GroupId> {
    let members = root.rules.memberships_of(subject).into_iter();
    let open = members.filter(|member| is_open((member.from, member.until), when));
    let reached = open.flat_map(|member| root.rules.reaches(member.group));
    reached.filter(|reach| is_open((reach.from, reach.until), when)).map(|reach| reach.group).collect()
}

/// The workspaces from which grants hold in one, itself first: up to the first that takes nothing from above.
fn above(root: &Root, place: WorkspaceIndex) -> impl Iterator<Item = WorkspaceIndex> + '_ {
    let up = |at: &WorkspaceIndex| {
        let record = root.workspaces.get(at)?;
        (record.inherits && record.parent.0 != 0).then_some(record.parent)
    };
    std::iter::successors(Some(place), up)
}

/// The roles that somebody holds in the whole tenant, and those that they have for parents.
fn roles(root: &Root, held: &[(RoleId, WorkspaceIndex)]) -> BTreeSet<RoleId> {
    let whole = held.iter().filter(|(_, workspace)| workspace.0 == 0);
    with_parents(root, whole.map(|(role, _)| *role).collect())
}

/// Roles, and those that they have for parents.
fn with_parents(root: &Root, mut rest: Vec<RoleId>) -> BTreeSet<RoleId> {
    let mut all = BTreeSet::new();
    while let Some(role) = rest.pop() {
        if let (Some(record), true) = (root.roles.get(&role), !all.contains(&role)) {
            all.insert(role);
            rest.extend(record.parents.iter().copied());
        }
    }
    all
}

/// The rules that limit whoever holds these roles and reads with this permission, where it is more than [`PEOPLE`];
/// none where nothing does.
///
/// A role that no rule names shows everybody to whom it gives the permission itself, as if there were no rules. Whoever
/// has none such, and no role that a rule names either, has the rule for everybody else.
fn limits(root: &Root, roles: &BTreeSet<RoleId>, permission: Option<&str>) -> Option<Vec<SightRecord>> {
    let set = root.visibility.as_ref().map_or(&[][..], |record| &record.rules);
    if set.is_empty() {
        return if permission.is_some() { None } else { Some(Vec::new()) };
    }
    let gives = |role: &RoleId| {
        let mut patterns = root.roles.get(role).into_iter().flat_map(|record| record.patterns.iter());
        permission.is_some_and(|name| patterns.any(|one: &Pattern| one.covers(name)))
    };
    if roles.iter().any(|role| !set.iter().any(|rule| rule.role == *role) && gives(role)) {
        return None;
    }
    let named: Vec<_> = set.iter().filter(|rule| roles.contains(&rule.role)).cloned().collect();
    if named.is_empty() {
        Some(set.iter().filter(|rule| rule.role.0 == 0).cloned().collect())
    } else {
        Some(named)
    }
}

/// The rules of roles that a viewer holds in workspaces, beside those that hold for it in the whole tenant already.
fn in_places(root: &Root, held: &[(RoleId, WorkspaceIndex)], whole: &[SightRecord]) -> Vec<Ruled> {
    let set = root.visibility.as_ref().map_or(&[][..], |record| &record.rules);
    let rest = set.iter().filter(|rule| rule.role.0 != 0 && !whole.iter().any(|one| one.role == rule.role));
    let ruled = rest.filter_map(|rule| {
        let by = |role: RoleId| with_parents(root, vec![role]).contains(&rule.role);
        let places = held.iter().filter(|(role, workspace)| workspace.0 != 0 && by(*role));
        let within = Places::of(root, places.map(|(_, workspace)| *workspace));
        (!within.held.is_empty()).then(|| Ruled { rule: rule.clone(), within: Some(within) })
    });
    ruled.collect()
}

/// Whether somebody who has a permission sees everybody by it, in full.
pub(crate) fn is_unlimited(root: &Root, viewer: SubjectIndex, permission: &str, now: UnixMillis) -> bool {
    // Whoever reads people alone is shown what rules show.
    let permission = if permission == PEOPLE { "tessera.admin.subjects" } else { permission };
    limits(root, &roles(root, &held(root, viewer, (now, now))), Some(permission)).is_none()
}

impl Limited {
    fn new(
        root: &Root,
        (viewer, own): (SubjectIndex, bool),
        (whole, held): (Vec<SightRecord>, &[(RoleId, WorkspaceIndex)]),
        when: When,
    ) -> Self {
        let mut rules = in_places(root, held, &whole);
        rules.extend(whole.into_iter().map(|rule| Ruled { rule, within: None }));
        Self {
            viewer,
            own,
            reach: rules.iter().fold(Reach::default(), |all, ruled| all.or(ruled.rule.reach)),
            rules,
            places: Places::of(root, held.iter().map(|(_, workspace)| *workspace)),
            groups: groups(root, viewer, when),
            when,
        }
    }

    /// Whether the viewer has made a subject, or whoever has made it, and so on.
    fn has_made(&self, root: &Root, subject: SubjectIndex) -> bool {
        let by = |of: &SubjectIndex| root.creators.get(of.0).copied().filter(|by| *by != 0).map(SubjectIndex);
        let depth = usize::try_from(CREATORS_DEPTH_MAX).unwrap_or(usize::MAX);
        std::iter::successors(by(&subject), by).take(depth).any(|by| by == self.viewer)
    }

    /// The circles that a subject is in, as far as a rule asks for them.
    fn circles(&self, root: &Root, subject: SubjectIndex) -> Reach {
        let is_in = |circle: &Circle| match circle {
            Circle::Everybody => true,
            // There is a workspace in which the viewer and the subject both hold a grant.
            Circle::Workspace => self.places.are_shared(root, subject, self.when),
            Circle::Group => !groups(root, subject, self.when).is_disjoint(&self.groups),
            Circle::Created => self.has_made(root, subject),
        };
        self.reach.each().filter(is_in).collect()
    }

    fn seen(&self, root: &Root, subject: SubjectIndex) -> Option<Seen> {
        let circles = self.circles(root, subject);
        if self.own && subject == self.viewer {
            return Some(Seen::ALL);
        }
        let none = Seen { rules: 0, details: Details::default() };
        let holds = |ruled: &Ruled| {
            let within = ruled.within.as_ref();
            ruled.rule.reach.meets(circles)
                && within.is_none_or(|places| places.are_shared(root, subject, self.when))
        };
        let by = (0_u32..).zip(&self.rules).filter(|(_, ruled)| holds(ruled));
        let seen = by.fold(none, |seen, (nth, ruled)| Seen {
            rules: seen.rules | 1_u64.checked_shl(nth).unwrap_or(0),
            details: seen.details.or(ruled.rule.details),
        });
        (seen.rules != 0).then_some(seen)
    }
}

impl Sight {
    /// What of a subject is shown; none where it is not seen.
    fn seen(&self, root: &Root, subject: SubjectIndex) -> Option<Seen> {
        self.0.as_ref().map_or(Some(Seen::ALL), |limited| limited.seen(root, subject))
    }

    /// Takes as long as looking at a subject that is not there would.
    fn pretend(&self, root: &Root) {
        if let Some(limited) = &self.0 {
            std::hint::black_box(limited.seen(root, limited.viewer));
        }
    }
}

impl Engine {
    /// The lists of a tenant as a caller sees them who reads with a permission, or with [`PEOPLE`] where it has not got
    /// that. An operator of the system tenant sees everybody.
    #[must_use]
    pub fn listing(&self, bound: &Bound, view: &View, permission: &str) -> Listing {
        self.listing_of(bound, &self.read(view), permission)
    }

    /// As [`Engine::listing`], of the root of a reading.
    #[must_use]
    pub fn listing_of(&self, bound: &Bound, reading: &Reading<'_>, permission: &str) -> Listing {
        let (root, when) = (reading.root.full(), (reading.now, reading.early));
        let Caller::Holder { subject: viewer, .. } = bound.caller else { return Listing::of(root) };
        let held = held(&root, viewer, when);
        let roles = roles(&root, &held);
        let sight = match limits(&root, &roles, self.may(bound, permission).then_some(permission)) {
            None => Sight::default(),
            Some(rules) => {
                let limited = Limited::new(&root, (viewer, !bound.acting), (rules, &held), when);
                Sight(Some(Arc::new(limited)))
            }
        };
        Listing(root, sight)
    }

    /// The number of the workspace with this name, 0 for none: a personal one of somebody whom the caller does not see is
    /// none, too.
    #[must_use]
    pub fn resolve_workspace(&self, bound: &Bound, reading: &Reading<'_>, name: &str) -> WorkspaceIndex {
        let (_, found) = reading.resolve("", name);
        match reading.root.workspaces.get(&found) {
            Some(record) if record.personal.0 != 0 => {
                let listing = self.listing_of(bound, reading, "tessera.check");
                if listing.shows_workspace(record) { found } else { WorkspaceIndex(0) }
            }
            Some(_) | None => found,
        }
    }

    /// Whether a caller may read people as far as rules show them: with [`PEOPLE`] in the whole tenant, or in a workspace.
    #[must_use]
    pub fn reads_people(&self, bound: &Bound) -> bool {
        if self.may(bound, PEOPLE) {
            return true;
        }
        let Caller::Holder { subject: viewer, .. } = bound.caller else { return false };
        let view = bound.home.view();
        let Some(view) = view.as_ref() else { return false };
        let reading = self.read(view);
        let held = held(&reading.root.full(), viewer, (reading.now, reading.early));
        let places: BTreeSet<_> = held.iter().map(|(_, place)| *place).filter(|place| place.0 != 0).collect();
        places.into_iter().any(|place| self.may_in(bound, PEOPLE, place))
    }
}
