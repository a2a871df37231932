//! A made-up tenant of any size: sessions, subjects, roles and a tree of workspaces, all by a seed.
//!
//! Its facts go into the engine as the buckets of a checkpoint do. Who may do what is also said by
//! arithmetic alone ([`World::permits`]), so that every answer can be compared before it is timed.

use crate::seeded::{Seeded, low, mix, scaled};
use tessera_crypto::digest::{Tagger, tag_words};
use tessera_model::record::{
    GrantRecord, GroupGrantRecord, GroupRecord, MemberRecord, PlaceRecord, RoleRecord, SubjectKind,
    SubjectRecord, SubjectStatus, WorkspaceRecord,
};
use tessera_model::refresh::RefreshRecord;
use tessera_model::{
    CellId, Deadline, Event, Generation, GroupId, Handle, HandleBytes, HandleKind, Name, Pattern,
    PermissionId, Place, PublicId, RestrictionId, RoleId, SubjectIndex, TenantId, WorkspaceIndex,
};
use tessera_storage::{Bucket, BucketKind, Replay};

/// Numbers that a tenant's birth leaves free.
const FIRST_PLACE: u32 = 1;
const FIRST_SUBJECT: u32 = 2;
const FIRST_ROLE: u32 = 10;
const FIRST_PERMISSION: u32 = 33;
/// Groups of permissions per half, permissions per group, roles per half.
const GROUPS: u32 = 30;
const GROUP_PERMISSIONS: u32 = 16;
const ROLES: u32 = 150;
/// Distinct grant sets at the tenant; with the single roles in workspaces some 4,000.
const ROOT_SETS: u32 = 3_700;
/// Levels of each chain of workspaces.
const LEVELS: u32 = 4;
/// Events handed over at a time.
const BUCKET_EVENTS: usize = 3_500;
/// End of all sessions: far away.
const END: Deadline = Deadline(400_000_000);

/// The sizes of a made-up tenant.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Live sessions.
    pub sessions: u32,
    /// Subjects, each with three roles in the tenant and one in each of three workspaces.
    pub subjects: u32,
    /// Chains of four workspaces below each other.
    pub chains: u32,
    /// What everything is drawn from.
    pub seed: u64,
    /// Whether roles in workspaces come through groups, each nested four deep with the grant at its top.
    pub grouped: bool,
    /// Whether few questions are decided by an own workspace above: one of sixteen, not half of them.
    pub few_above: bool,
}

/// A question asked by place and tag, and its right answer.
#[derive(Clone, Copy)]
pub struct TagQuestion {
    /// Where the session stands.
    pub place: Place,
    /// Its tag as words.
    pub tag: (u64, u64),
    /// What is asked.
    pub permission: PermissionId,
    /// Where.
    pub workspace: WorkspaceIndex,
    /// Whether it is permitted.
    pub permitted: bool,
}

/// A question asked by handle, and its right answer.
#[derive(Clone, Copy)]
pub struct HandleQuestion {
    /// The handle.
    pub handle: HandleBytes,
    /// What is asked.
    pub permission: PermissionId,
    /// Where.
    pub workspace: WorkspaceIndex,
    /// Whether it is permitted.
    pub permitted: bool,
}

/// The generation of every session.
pub const GENERATION: Generation = Generation(1);

impl World {
    /// Ten sessions per subject, 20,000 workspaces at most.
    #[must_use]
    pub fn of(sessions: u32) -> Self {
        let subjects = (sessions / 10).max(1);
        let chains = (subjects / 4).clamp(1, 5_000);
        Self { sessions, subjects, chains, seed: 0x7E55_E4A0, grouped: false, few_above: false }
    }

    /// The same, with roles in workspaces through nested groups.
    #[must_use]
    pub fn grouped(sessions: u32) -> Self {
        Self { grouped: true, ..Self::of(sessions) }
    }

    /// The same, with few questions that an own workspace above decides.
    #[must_use]
    pub fn few_above(sessions: u32) -> Self {
        Self { few_above: true, ..Self::of(sessions) }
    }

    const fn draw(&self, kind: u64, number: u32, nth: u32) -> u32 {
        low(mix(self.seed ^ (kind << 56) ^ ((number as u64) << 8) ^ nth as u64))
    }

    /// Whose session it is.
    const fn subject_of(&self, session: u32) -> u32 {
        scaled(self.draw(1, session, 0), self.subjects)
    }

    const fn root_role(&self, subject: u32, nth: u32) -> u32 {
        let set = scaled(self.draw(2, subject, 0), ROOT_SETS);
        scaled(self.draw(3, set, nth), ROLES)
    }

    /// Chain, level (1 to 3) and role of a subject's nth workspace.
    const fn membership(&self, subject: u32, nth: u32) -> (u32, u32, u32) {
        let chain = scaled(self.draw(4, subject, nth), self.chains);
        let level = 1 + scaled(self.draw(5, subject, nth), LEVELS - 1);
        (chain, level, scaled(self.draw(6, subject, nth), ROLES))
    }

    /// The two groups of permissions that a role of either half covers.
    const fn groups_of(role: u32) -> [u32; 2] {
        [role % GROUPS, (role * 7 + 1) % GROUPS]
    }

    /// A permission's id: half 0 is granted in the tenant, half 1 in workspaces.
    const fn permission(half: u32, group: u32, nth: u32) -> u32 {
        FIRST_PERMISSION + (half * GROUPS + group) * GROUP_PERMISSIONS + nth
    }

    const fn workspace(chain: u32, level: u32) -> u32 {
        chain * LEVELS + level
    }

    /// Whether a subject may do something in a workspace: said by arithmetic, not by the engine.
    fn permits(&self, subject: u32, permission: u32, workspace: u32) -> bool {
        let (half, group) = {
            let group = (permission - FIRST_PERMISSION) / GROUP_PERMISSIONS;
            (group / GROUPS, group % GROUPS)
        };
        if half == 0 {
            return (0..3).any(|nth| Self::groups_of(self.root_role(subject, nth)).contains(&group));
        }
        let (chain, level) = ((workspace - 1) / LEVELS, (workspace - 1) % LEVELS + 1);
        (0..3).any(|nth| {
            let (held, held_level, role) = self.membership(subject, nth);
            held == chain && held_level <= level && Self::groups_of(role).contains(&group)
        })
    }

    /// The handle of a session.
    #[must_use]
    pub fn handle(&self, tenant: TenantId, session: u32) -> Handle {
        let mut secret = [0; 20];
        let words = (0..5).flat_map(|nth| self.draw(7, session, nth).to_le_bytes());
        for (to, from) in secret.iter_mut().zip(words) {
            *to = from;
        }
        Handle {
            kind: HandleKind::Session,
            cell: CellId(0),
            tenant,
            place: Place(FIRST_PLACE + session),
            generation: GENERATION,
            secret,
        }
    }

    /// A question about a random session. Half (or one of sixteen) are decided by a workspace of the subject's above
    /// the one asked in, a quarter are (nearly all) denied, the others are decided in the tenant.
    fn draw_question(&self, random: &mut Seeded) -> (u32, u32, u32, bool) {
        let session = random.below(self.sessions);
        let subject = self.subject_of(session);
        let nth = random.below(GROUP_PERMISSIONS);
        let kind = match (self.few_above, random.below(if self.few_above { 16 } else { 4 })) {
            (false, kind) => kind,
            (true, 0) => 2,
            (true, 1..=4) => 1,
            (true, _) => 0,
        };
        let (permission, workspace) = match kind {
            0 => {
                let [group, _] = Self::groups_of(self.root_role(subject, random.below(3)));
                (Self::permission(0, group, nth), Self::workspace(random.below(self.chains), LEVELS))
            }
            1 => {
                let group = random.below(GROUPS);
                (Self::permission(1, group, nth), Self::workspace(random.below(self.chains), LEVELS))
            }
            _ => {
                let (chain, _, role) = self.membership(subject, random.below(3));
                let [group, _] = Self::groups_of(role);
                (Self::permission(1, group, nth), Self::workspace(chain, LEVELS))
            }
        };
        (session, permission, workspace, self.permits(subject, permission, workspace))
    }

    /// Questions by handle and the same by tag, with their right answers.
    #[must_use]
    pub fn questions(&self, tenant: TenantId, count: u32) -> (Vec<HandleQuestion>, Vec<TagQuestion>) {
        let (mut random, tagger) = (Seeded::new(self.seed), Tagger::new());
        let draw = |_| {
            let (session, permission, workspace, permitted) = self.draw_question(&mut random);
            let handle = self.handle(tenant, session).to_bytes();
            let (permission, workspace) = (PermissionId(permission), WorkspaceIndex(workspace));
            let tag = tag_words(tagger.tag(&handle));
            let place = Place(FIRST_PLACE + session);
            (
                HandleQuestion { handle, permission, workspace, permitted },
                TagQuestion { place, tag, permission, workspace, permitted },
            )
        };
        (0..count).map(draw).unzip()
    }

    /// The names of a permission and a workspace that are asked about.
    #[must_use]
    pub fn names_of(permission: PermissionId, workspace: WorkspaceIndex) -> (String, String) {
        let at = permission.0 - FIRST_PERMISSION;
        let (group, nth) = (at / GROUP_PERMISSIONS, at % GROUP_PERMISSIONS);
        let half = if group < GROUPS { "a" } else { "b" };
        (format!("bench.{half}.g{:02}.p{nth:02}", group % GROUPS), format!("bench.w{}", workspace.0))
    }

    /// Hands all facts to `sink`, names first.
    ///
    /// # Panics
    /// Never for names made here; a name that does not hold is a fault of this bench.
    pub fn replay(&self, tenant: TenantId, sink: &mut dyn FnMut(Replay)) {
        let mut give = |kind: BucketKind, events: &mut dyn Iterator<Item = Event>| {
            let mut no = 0;
            loop {
                let events: Vec<Event> = events.take(BUCKET_EVENTS).collect();
                if events.is_empty() {
                    return;
                }
                sink(Replay::Bucket(Bucket::of(kind, no, events)));
                no += 1;
            }
        };
        give(BucketKind::Names, &mut self.name_events());
        give(BucketKind::Subjects, &mut (0..self.subjects).flat_map(|subject| self.subject_events(subject)));
        let tagger = Tagger::new();
        let sessions = (0..self.sessions).map(|session| self.session_event(tenant, session, &tagger));
        give(BucketKind::Places, &mut { sessions });
    }

    fn name_events(&self) -> impl Iterator<Item = Event> {
        let halves = ["a", "b"];
        let permissions = (0..2 * GROUPS * GROUP_PERMISSIONS).filter_map(move |at| {
            let (group, nth) = (at / GROUP_PERMISSIONS, at % GROUP_PERMISSIONS);
            let half = halves.get(group as usize / GROUPS as usize)?;
            let name = Name::new(&format!("bench.{half}.g{:02}.p{nth:02}", group % GROUPS)).ok()?;
            Some(Event::PermissionRegistered { id: PermissionId(FIRST_PERMISSION + at), name })
        });
        let roles = (0..2 * ROLES).filter_map(move |role| {
            let half = halves.get(role as usize / ROLES as usize)?;
            let covers = Self::groups_of(role % ROLES).into_iter();
            let patterns = covers
                .filter_map(|group| Pattern::new(&format!("bench.{half}.g{group:02}.*")).ok())
                .collect();
            let name = Name::new(&format!("bench.role.{role}")).ok()?;
            Some(Event::RoleChanged(RoleRecord {
                id: RoleId(FIRST_ROLE + role),
                name,
                patterns,
                parents: vec![],
                workspace: WorkspaceIndex(0),
            }))
        });
        let workspaces = (0..self.chains).flat_map(|chain| (1..=LEVELS).map(move |level| (chain, level)));
        let workspaces = workspaces.filter_map(|(chain, level)| {
            let index = Self::workspace(chain, level);
            Some(Event::WorkspaceChanged(WorkspaceRecord {
                index: WorkspaceIndex(index),
                id: public_id(u64::from(index) << 32),
                name: Name::new(&format!("bench.w{index}")).ok()?,
                parent: WorkspaceIndex(if level == 1 { 0 } else { index - 1 }),
                inherits: true,
                ceiling: vec![],
                owners: RoleId(0),
                personal: SubjectIndex(0),
            }))
        });
        let groups = if self.grouped { self.subjects } else { 0 };
        let groups = (0..groups).flat_map(|subject| (0..3).map(move |nth| (subject, nth)));
        let groups = groups.flat_map(|(subject, nth)| self.group_events(subject, nth));
        permissions.chain(roles).chain(workspaces).chain(groups)
    }

    /// The group at a level (0 for the outermost) above a subject's nth membership.
    const fn group(subject: u32, nth: u32, level: u32) -> GroupId {
        GroupId(1 + (subject * 3 + nth) * LEVELS + level)
    }

    /// Groups in one another, and the grant to the outermost.
    fn group_events(&self, subject: u32, nth: u32) -> Vec<Event> {
        let (chain, level, role) = self.membership(subject, nth);
        let named = |level: u32| {
            let id = Self::group(subject, nth, level);
            let parents = if level == 0 { vec![] } else { vec![Self::group(subject, nth, level - 1)] };
            let name = Name::new(&format!("bench.g{}", id.0)).ok()?;
            Some(Event::GroupChanged(GroupRecord { id, name, parents, windows: vec![], rule: None }))
        };
        let grant = Event::GroupGrantAdded(GroupGrantRecord {
            group: Self::group(subject, nth, 0),
            role: RoleId(FIRST_ROLE + ROLES + role),
            workspace: WorkspaceIndex(Self::workspace(chain, level)),
            from: Deadline::NONE,
            until: Deadline::NONE,
        });
        (0..LEVELS).filter_map(named).chain([grant]).collect()
    }

    fn subject_events(&self, subject: u32) -> Vec<Event> {
        let index = SubjectIndex(FIRST_SUBJECT + subject);
        let grant = |role: u32, workspace: u32| {
            Event::GrantAdded(GrantRecord {
                subject: index,
                role: RoleId(FIRST_ROLE + role),
                workspace: WorkspaceIndex(workspace),
                from: Deadline::NONE,
                until: Deadline::NONE,
            })
        };
        let mut events = vec![Event::SubjectChanged(SubjectRecord {
            index,
            id: public_id(u64::from(subject)),
            kind: SubjectKind::Person,
            status: SubjectStatus::Active,
            cut_off: 0,
            has_password: false,
            guest: false,
        })];
        events.extend((0..3).map(|nth| grant(self.root_role(subject, nth), 0)));
        events.extend((0..3).map(|nth| {
            let (chain, level, role) = self.membership(subject, nth);
            if self.grouped {
                let group = Self::group(subject, nth, LEVELS - 1);
                let (from, until) = (Deadline::NONE, Deadline::NONE);
                return Event::MemberAdded(MemberRecord { subject: index, group, from, until });
            }
            grant(ROLES + role, Self::workspace(chain, level))
        }));
        events
    }

    fn session_event(&self, tenant: TenantId, session: u32, tagger: &Tagger) -> Event {
        let record = PlaceRecord {
            place: Place(FIRST_PLACE + session),
            generation: GENERATION,
            key: false,
            acr: 1,
            tag: tagger.tag(&self.handle(tenant, session).to_bytes()),
            subject: SubjectIndex(FIRST_SUBJECT + self.subject_of(session)),
            workspace: WorkspaceIndex(0),
            expires: END,
            cut_off: 0,
            idle: END,
            restriction: RestrictionId(0),
            device: 0,
            opened: Deadline(189_388_800),
            refresh: RefreshRecord::default(),
            side: false,
        };
        Event::SessionOpened { record, evicted: Vec::new() }
    }
}

fn public_id(seed: u64) -> PublicId {
    let [a, b, c, d, e, f, g, h] = mix(seed ^ 0x5AB7).to_le_bytes();
    PublicId::new(1_767_225_600_000, [a, b, c, d, e, f, g, h, 0, 0])
}
