//! The rules against a slow rereading of what was written, step by step.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it did not expect to be"
)]

mod reread;

use reread::{PERMISSIONS, Reread, Seeded};
use tessera_model::record::SubjectStatus;
use tessera_model::{
    PermissionId, PermissionRef, Reason, RestrictionId, RoleId, SubjectIndex, UnixMillis, WorkspaceIndex,
    WorkspaceRef,
};
use tessera_policy::Rules;

const SEEDS: u64 = 30;
const STEPS: u32 = 120;

/// Asks everything at one instant and compares.
fn compare(rules: &Rules, reread: &Reread, now: UnixMillis, what: &str) {
    let mut listed = vec![];
    for subject in (1..=reread::SUBJECTS).map(SubjectIndex) {
        let Some(line) = rules.line(subject) else {
            assert!(!reread.subjects.contains_key(&subject), "{what}");
            continue;
        };
        assert_eq!(Some(&(line.status(), line.cut_off())), reread.subjects.get(&subject), "{what}");
        for workspace in reread.workspaces_to_ask() {
            for restriction in reread.restrictions_to_ask() {
                let list_until = rules.list(line, workspace, restriction, now, &mut listed);
                for permission in (1..=PERMISSIONS + 1).map(PermissionId) {
                    let outcome = rules.evaluate(line, permission, workspace, restriction, now);
                    let asked = (subject, permission, workspace, restriction);
                    let expected = reread.judge(asked, now);
                    let change = reread.change(asked, now);
                    let label = format!("{what}, {asked:?} at {}", now.0);
                    assert_eq!(outcome.reason, expected, "{label}");
                    assert_eq!(outcome.valid_until, change, "{label}");
                    let bit =
                        listed.get(permission.0 as usize / 64).map_or(0, |word| word >> (permission.0 % 64));
                    assert_eq!(bit & 1 == 1, expected == Reason::None, "list, {label}");
                    assert!(list_until > now && list_until <= change, "list until, {label}");
                }
            }
        }
    }
}

/// What is told of grants, names and numbers agrees as well.
fn compare_records(rules: &Rules, reread: &Reread, what: &str) {
    for subject in (1..=reread::SUBJECTS).map(SubjectIndex) {
        let told: Vec<_> = rules.grants_of(subject).collect();
        assert_eq!(told, reread.grants_where(|grant| grant.subject == subject), "{what}, {subject:?}");
    }
    for role in (1..reread.roles_ever).map(RoleId) {
        let told: Vec<_> = rules.holders_of(role).collect();
        assert_eq!(told, reread.grants_where(|grant| grant.role == role), "{what}, {role:?}");
        // Page by page, whatever their size.
        for looked in [1, 3, 1_000] {
            let (mut paged, mut from, mut more) = (vec![], SubjectIndex(0), true);
            while more {
                let page = rules.holders_from(role, from, looked);
                paged.extend(page.0);
                assert!(page.1 > from || !page.2, "{what}: no way forward");
                (from, more) = (page.1, page.2);
            }
            assert_eq!(paged, told, "{what}, {role:?}, {looked}");
        }
    }
    assert_eq!(rules.count_grants(), reread.grants_where(|_| true).len() as u64, "{what}");
    for workspace in reread.workspaces_to_ask() {
        let told: Vec<_> = rules.holders_in(workspace).collect();
        assert_eq!(told, reread.grants_where(|grant| grant.workspace == workspace), "{what}, {workspace:?}");
    }
    for (index, record) in &reread.workspaces {
        assert_eq!(rules.workspace(WorkspaceRef::Name(record.name.as_str())), Some(*index), "{what}");
        assert_eq!(rules.workspace(WorkspaceRef::Index(*index)), Some(*index), "{what}");
        assert_eq!(rules.workspace_name(*index), Some(&record.name), "{what}");
    }
    for id in (0..=PERMISSIONS + 1).map(PermissionId) {
        let name = reread.permissions.get(&id);
        assert_eq!(rules.permission_name(id), name, "{what}");
        assert_eq!(rules.permission(PermissionRef::Id(id)), name.map(|_| id), "{what}");
        let Some(name) = name else { continue };
        assert_eq!(rules.permission(PermissionRef::Name(name.as_str())), Some(id), "{what}");
    }
    assert_eq!(rules.workspace(WorkspaceRef::Index(WorkspaceIndex(reread.workspaces_ever))), None);
    let counts = rules.counts();
    let count = |number: usize| u32::try_from(number).unwrap();
    assert_eq!(counts.permissions, count(reread.permissions.len()), "{what}");
    assert_eq!(counts.roles, count(reread.roles.len()), "{what}");
    assert_eq!(counts.workspaces, count(reread.workspaces.len()), "{what}");
    assert_eq!(counts.restrictions, count(reread.restrictions.len()), "{what}");
    assert_eq!(counts.subjects, count(reread.subjects.len()), "{what}");
}

/// PROPERTY: every answer, its reason and its `valid_until` are those of a slow rereading of what was
/// written; the list of permissions agrees with single questions; a clone never changes.
/// METHOD: random permissions, roles with patterns, trees of workspaces that move and do not inherit,
/// grants with windows, restrictions, removals; at every fourth step each subject is asked for each
/// permission in each workspace under each restriction at several instants.
#[test]
fn every_answer_agrees_with_a_rereading() {
    for seed in 0..SEEDS {
        let (mut random, mut rules, mut reread) = (Seeded::new(seed), Rules::new(), Reread::default());
        reread.plant(&mut random, &mut rules);
        let mut kept = vec![];
        for step in 0..STEPS {
            let what = format!("seed {seed}, step {step}");
            reread.change_something(&mut random, &mut rules);
            if step % 30 == 29 {
                kept.push((rules.clone(), reread.clone(), what.clone()));
            }
            if step % 4 == 3 {
                compare_records(&rules, &reread, &what);
                let now = reread.instant(&mut random);
                compare(&rules, &reread, now, &what);
            }
        }
        for (rules, reread, what) in kept {
            for _ in 0..3 {
                compare(&rules, &reread, reread.instant(&mut random), &format!("{what}, later"));
            }
        }
    }
}

/// PROPERTY: the order in which records arrive changes no answer; taking them twice changes nothing.
/// METHOD: all records of a random state, shuffled, put into empty rules, some of them twice.
#[test]
fn the_order_of_loading_changes_nothing() {
    for seed in 0..SEEDS {
        let (mut random, mut rules, mut reread) = (Seeded::new(seed), Rules::new(), Reread::default());
        reread.plant(&mut random, &mut rules);
        for _ in 0..STEPS {
            reread.change_something(&mut random, &mut rules);
        }
        let mut loaded = Rules::new();
        for load in reread.shuffled(&mut random) {
            load(&mut loaded);
        }
        let what = format!("seed {seed}, loaded");
        compare_records(&loaded, &reread, &what);
        for _ in 0..3 {
            compare(&loaded, &reread, reread.instant(&mut random), &what);
        }
    }
}

/// PROPERTY: sets are shared and freed: when every grant is taken back, none is left.
#[test]
fn sets_are_freed_with_their_last_holder() {
    for seed in 0..SEEDS {
        let (mut random, mut rules, mut reread) = (Seeded::new(seed), Rules::new(), Reread::default());
        reread.plant(&mut random, &mut rules);
        for _ in 0..STEPS {
            reread.change_something(&mut random, &mut rules);
        }
        for grant in reread.grants_where(|_| true) {
            rules.remove_grant(grant.subject, grant.role, grant.workspace);
        }
        for subject in (1..=reread::SUBJECTS).map(SubjectIndex) {
            rules.put_subject(subject, SubjectStatus::Deleted, 0);
        }
        let counts = rules.counts();
        assert_eq!((counts.sets, counts.set_holders, counts.overflows), (0, 0, 0), "seed {seed}");
    }
}

/// PROPERTY: a grant is in force from the millisecond of `from` to the one before `until` (F-24).
/// TC-75.
#[test]
fn windows_are_exact_to_the_millisecond() {
    let (rules, permission) = reread::one_window(100, 200);
    let line = rules.line(SubjectIndex(1)).unwrap();
    let ask = |now| rules.evaluate(line, permission, WorkspaceIndex(0), RestrictionId(0), UnixMillis(now));
    let (from, until) = (reread::millis(100), reread::millis(200));
    for (now, permits, change) in [
        (from - 1, false, from),
        (from, true, until),
        (until - 1, true, until),
        (until, false, u64::MAX),
        (0, false, from),
    ] {
        assert_eq!((ask(now).is_permit(), ask(now).valid_until.0), (permits, change), "{now}");
    }
}

/// PROPERTY: in a chain of any length, cut at any place, a grant holds exactly from where it stands
/// down to the next cut, and a grant for the whole tenant down to the first one.
/// METHOD: every chain of up to 16 workspaces with one that does not inherit at every place or none;
/// one role per place; every place asked for every role.
#[test]
fn chains_end_where_they_are_cut() {
    for length in 1..=16u32 {
        for cut in 0..=length {
            let (rules, permission) = reread::chain(length, cut);
            let line = rules.line(SubjectIndex(1)).unwrap();
            for asked in 0..=length {
                for granted in 0..=length {
                    let outcome = rules.evaluate(
                        line,
                        permission(granted),
                        WorkspaceIndex(asked),
                        RestrictionId(0),
                        UnixMillis(1),
                    );
                    let cut_off = granted < cut && cut <= asked;
                    let expected = granted <= asked && !cut_off;
                    assert_eq!(outcome.is_permit(), expected, "{length}, {cut}, {asked}, {granted}");
                }
            }
        }
    }
}

/// PROPERTY: the overflow record exists exactly while it is needed.
#[test]
fn workspaces_return_to_the_line() {
    let (mut rules, _) = reread::chain(9, 0);
    assert_eq!(rules.counts().overflows, 1);
    for (removed, workspace) in (1..=9).zip([3, 9, 1, 4, 5, 6, 7, 8, 2]) {
        rules.remove_grant(SubjectIndex(1), RoleId(workspace + 1), WorkspaceIndex(workspace));
        assert_eq!(rules.grants_of(SubjectIndex(1)).count(), 10 - removed);
        assert_eq!(rules.counts().overflows, u32::from(removed < 4), "{removed}");
    }
}
