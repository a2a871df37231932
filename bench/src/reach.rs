//! Roles and groups: checks through nested groups, lists of permissions, and edits that many hold.

use crate::checks::{Bench, PER_ROOT};
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::memory;
use crate::rounds::{interleave, median, nanos_each};
use crate::world::World;
use std::hint::black_box;
use tessera_model::record::{
    GrantRecord, GroupGrantRecord, GroupRecord, MemberRecord, RoleRecord, SubjectStatus,
};
use tessera_model::{
    Deadline, GroupId, Name, Pattern, PermissionId, RestrictionId, RoleId, SubjectIndex, UnixMillis,
    WorkspaceIndex,
};
use tessera_policy::Rules;

/// The figures of roles and groups.
pub const REACH: Family =
    Family { specs: &[CHECK_NESTED, LIST_PERMISSIONS, ROLE_EDIT, GROUP_EDIT, GROUP_MEMORY], take: reach };

const CHECK_NESTED: Spec = Spec {
    id: "check-nested-groups",
    what: "check by tag as check-hot, roles in workspaces through groups nested four deep, p50",
    unit: "ns",
    goal: "<= 60 ns",
};
const LIST_PERMISSIONS: Spec = Spec {
    id: "list-permissions",
    what: "everything that a subject may do in a workspace as one bitset, through nested groups, p50",
    unit: "ns",
    goal: "<= 1,000 ns",
};
const ROLE_EDIT: Spec = Spec {
    id: "role-edit-1m",
    what: "a role changed that 1,000,000 subjects hold: sets rebuilt and rules cloned, commit left out, p50",
    unit: "us",
    goal: "<= 100 us and <= 1.2 x of 10,000 holders",
};
const GROUP_EDIT: Spec = Spec {
    id: "group-edit-100k",
    what: "somebody into a group and out of it, among 100,000 groups nested 10 deep, p50",
    unit: "us",
    goal: "<= 1,000 us",
};
const GROUP_MEMORY: Spec = Spec {
    id: "group-memory-100k",
    what: "memory of 100,000 groups nested 10 deep with a grant and a member each, per group",
    unit: "B",
    goal: "reported",
};

const SESSIONS: u32 = 10_000;
const QUESTIONS: u32 = 4_096;
/// Permissions, roles and distinct sets of the made-up tenants here.
const PERMISSIONS: u32 = 1_000;
const ROLES: u32 = 300;
const SETS: u32 = 4_000;

fn reach(setup: &Setup) -> Result<Vec<Row>, Why> {
    let mut rows = nested(setup)?;
    rows.push(role_edit(setup)?);
    rows.extend(group_edit(setup)?);
    Ok(rows)
}

/// Checks and lists through groups, beside the same tenant with direct grants; all answers were compared with
/// arithmetic before.
fn nested(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("check-nested-groups, list-permissions");
    let grouped = Bench::new(World::grouped(SESSIONS), QUESTIONS)?;
    let direct = Bench::new(World::of(SESSIONS), QUESTIONS)?;
    let rounds = if setup.quick { 61 } else { 1_001 };
    let count = grouped.by_tag.len();
    let now = grouped.house.engine.now();
    let (view, peer_view) = (grouped.tenant.view()?, direct.tenant.view()?);
    let ours = || {
        nanos_each(count, || {
            black_box(grouped.tags(&view, now, PER_ROOT));
        })
    };
    let peer = || {
        nanos_each(count, || {
            black_box(direct.tags(&peer_view, now, PER_ROOT));
        })
    };
    let (check, check_peer) = interleave(rounds, ours, peer);
    let sizes = format!("{SESSIONS} sessions, {count} random questions a round, {rounds} rounds in turn");
    let rules = many_groups(1_000)?;
    let lines: Vec<_> = (1..=1_000).filter_map(|at| rules.line(SubjectIndex(at))).collect();
    let mut listed = Vec::new();
    let mut list = || {
        nanos_each(lines.len(), || {
            for line in &lines {
                let none = RestrictionId(0);
                black_box(rules.list(line, WorkspaceIndex(0), none, UnixMillis(1), &mut listed));
            }
        })
    };
    let evaluate = || {
        nanos_each(lines.len(), || {
            for line in &lines {
                let (place, none) = (WorkspaceIndex(0), RestrictionId(0));
                black_box(rules.evaluate(line, PermissionId(7), place, none, UnixMillis(1)));
            }
        })
    };
    let (listing, one) = interleave(rounds, &mut list, evaluate);
    let list_sizes =
        format!("1,000 subjects, {PERMISSIONS} permissions, groups 10 deep, {rounds} rounds in turn");
    Ok(vec![
        Row::new(&CHECK_NESTED, check, sizes).beside("direct grants", check_peer).judged(Some(check <= 60.0)),
        Row::new(&LIST_PERMISSIONS, listing, list_sizes)
            .beside("one permission", one)
            .judged(Some(listing <= 1_000.0)),
    ])
}

fn patterns(text: &str) -> Result<Vec<Pattern>, Why> {
    Ok(vec![Pattern::new(text)?])
}

/// Rules with permissions and roles, and nobody.
fn empty() -> Result<Rules, Why> {
    let mut rules = Rules::new();
    for id in 1..=PERMISSIONS {
        rules.put_permission(PermissionId(id), &Name::new(&format!("area{:02}.p{id}", id % 50))?);
    }
    for id in 1..=ROLES {
        rules.put_role(&role(id, id % 50)?);
    }
    Ok(rules)
}

fn role(id: u32, area: u32) -> Result<RoleRecord, Why> {
    let name = Name::new(&format!("role{id}"))?;
    Ok(RoleRecord {
        id: RoleId(id),
        name,
        patterns: patterns(&format!("area{area:02}.*"))?,
        parents: vec![],
        workspace: tessera_model::WorkspaceIndex(0),
    })
}

/// Subjects who all hold role 1, in some 4,000 distinct sets.
fn holders(subjects: u32) -> Result<Rules, Why> {
    let mut rules = empty()?;
    for subject in 1..=subjects {
        let set = subject % SETS;
        rules.put_subject(SubjectIndex(subject), SubjectStatus::Active, 0);
        // One set in fifty holds role 1, whoever many share it.
        let first = if set.is_multiple_of(50) { 1 } else { 2 + set % 30 };
        for role in [first, 40 + set % 120, 160 + set / 120] {
            rules.put_grant(&GrantRecord {
                subject: SubjectIndex(subject),
                role: RoleId(role),
                workspace: WorkspaceIndex(0),
                from: Deadline::NONE,
                until: Deadline::NONE,
            });
        }
    }
    Ok(rules)
}

fn edit(rules: &mut Rules, area: u32) -> Result<f64, Why> {
    let record = role(1, area)?;
    Ok(nanos_each(1_000, || {
        rules.put_role(&record);
        drop(black_box(rules.clone()));
    }))
}

fn role_edit(setup: &Setup) -> Result<Row, Why> {
    let many = setup.size(1_000_000, 50_000);
    setup.progress.say("role-edit-1m");
    let (mut large, mut small) = (holders(many)?, holders(10_000)?);
    let rounds = if setup.quick { 21 } else { 201 };
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // What is published is held by readers meanwhile: an edit copies the chunks that it touches.
        let published = (large.clone(), small.clone());
        ours.push(edit(&mut large, 1 + round % 2)?);
        peer.push(edit(&mut small, 1 + round % 2)?);
        drop(published);
    }
    let (value, beside) = (median(&ours), median(&peer));
    let sizes = format!(
        "{many} subjects, some {SETS} sets of {ROLES} roles, 80 of them hold it, {rounds} rounds in turn"
    );
    let met = value <= 100.0 && value <= beside * 1.2;
    Ok(Row::new(&ROLE_EDIT, value, sizes).beside("10,000 subjects", beside).judged(setup.verdict(met)))
}

/// Groups in chains ten deep, with a grant and a member each.
fn many_groups(groups: u32) -> Result<Rules, Why> {
    let mut rules = empty()?;
    for id in 1..=groups {
        let parents = if (id - 1).is_multiple_of(10) { vec![] } else { vec![GroupId(id - 1)] };
        rules.put_group(&GroupRecord {
            id: GroupId(id),
            name: Name::new(&format!("g{id}"))?,
            parents,
            windows: vec![],
            rule: None,
        });
        rules.put_group_grant(&GroupGrantRecord {
            group: GroupId(id),
            role: RoleId(1 + id % ROLES),
            workspace: WorkspaceIndex(0),
            from: Deadline::NONE,
            until: Deadline::NONE,
        });
    }
    for id in 1..=groups {
        rules.put_subject(SubjectIndex(id), SubjectStatus::Active, 0);
        rules.put_member(&member(id, id));
    }
    Ok(rules)
}

const fn member(subject: u32, group: u32) -> MemberRecord {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    MemberRecord { subject: SubjectIndex(subject), group: GroupId(group), from, until }
}

fn group_edit(setup: &Setup) -> Result<Vec<Row>, Why> {
    let groups = setup.size(100_000, 10_000);
    setup.progress.say("group-edit-100k");
    let before = memory::own_resident();
    let mut rules = many_groups(groups)?;
    let bytes = memory::own_resident() - before;
    let mut times = Vec::new();
    for round in 0..501 {
        let (subject, group) = (1 + round * 7 % groups, 1 + round * 131 % groups);
        let published = rules.clone();
        times.push(nanos_each(2_000, || {
            rules.put_member(&member(subject, group));
            drop(black_box(rules.clone()));
            rules.remove_member(SubjectIndex(subject), GroupId(group));
            drop(black_box(rules.clone()));
        }));
        drop(published);
    }
    let value = median(&times);
    let sizes = format!("{groups} groups in chains of 10, a grant and a member each, 501 edits in and out");
    let each = bytes / f64::from(groups);
    Ok(vec![
        Row::new(&GROUP_EDIT, value, sizes.clone()).judged(setup.verdict(value <= 1_000.0)),
        Row::new(&GROUP_MEMORY, each, sizes),
    ])
}
