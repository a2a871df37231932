//! What patterns compile to, and what a new permission costs.

use super::*;
use crate::Rules;
use tessera_model::record::{GrantRecord, RestrictionRecord, SubjectStatus};
use tessera_model::{Deadline, RestrictionId, SubjectIndex, WorkspaceIndex};

fn patterns(texts: &[String]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

/// PROPERTY: what patterns compile to is what each of them covers, whatever lies within what, also after
/// permissions were renamed. METHOD: seeded names and patterns of few letters, compared one by one.
#[test]
fn compiling_is_covering() {
    let mut seed = 11_u64;
    let mut next = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    let mut permissions = Permissions::new();
    let mut held = std::collections::BTreeMap::new();
    for round in 0..400_u32 {
        let mut text = |most: u64| -> String {
            (0..1 + next(most)).map(|_| ["a", "b", ".", "ab"][usize::try_from(next(4)).unwrap()]).collect()
        };
        // Names differ, as the engine sees to; ids are renamed now and then.
        let (id, name) = (1 + round % 150, text(6));
        if let (false, Ok(known)) = (held.values().any(|known| *known == name), Name::new(&name)) {
            permissions.put(PermissionId(id), &known);
            held.insert(id, name);
        }
        let mut texts: Vec<String> = (0..round % 9).map(|_| text(4)).collect();
        for (no, text) in texts.iter_mut().enumerate() {
            match no % 3 {
                0 => text.push('*'),
                1 if round % 50 == 0 => *text = "*".into(),
                _ => {}
            }
        }
        let patterns = patterns(&texts);
        let bits = compile(&patterns, &permissions);
        for (id, name) in &held {
            let covered = patterns.iter().any(|pattern| pattern.covers(name));
            assert_eq!(bits.holds(PermissionId(*id)), covered, "{name} by {texts:?}");
        }
    }
}

/// PROPERTY: the same over as many names as a large application has, put in any order.
#[test]
fn compiling_is_covering_at_size() {
    let mut permissions = Permissions::new();
    let names: Vec<String> =
        (0..3_000).map(|at| format!("app.g{:02}.p{:03}", at * 7 % 60, at * 13 % 3_000)).collect();
    for (id, name) in (1..).zip(&names) {
        permissions.put(PermissionId(id), &Name::new(name).expect("a name"));
    }
    for group in 0..60 {
        let patterns =
            patterns(&[format!("app.g{group:02}.*"), format!("app.g{:02}.*", (group * 7 + 1) % 60)]);
        let bits = compile(&patterns, &permissions);
        for (id, name) in (1..).zip(&names) {
            let covered = patterns.iter().any(|pattern| pattern.covers(name));
            assert_eq!(bits.holds(PermissionId(id)), covered, "{name} by {patterns:?}");
        }
    }
}

/// PROPERTY: registering a permission compiles no role and no restriction, whatever their number; a load,
/// which puts permissions first, compiles each once. What they then cover is what a fresh compilation
/// covers.
#[test]
fn a_new_permission_compiles_nothing() {
    let mut rules = Rules::new();
    let name = |no: u32| Name::new(&format!("area{}.thing{no}", no % 7)).expect("a name");
    let of = |role: u32| patterns(&[format!("area{}.*", role % 9), format!("area1.thing{role}")]);
    for role in 1..=60 {
        let record = RoleRecord {
            id: RoleId(role),
            name: Name::new(&format!("role{role}")).expect("a name"),
            patterns: of(role),
            parents: vec![],
            workspace: WorkspaceIndex(0),
        };
        rules.put_role(&record);
        rules.put_restriction(&RestrictionRecord { id: RestrictionId(role), patterns: of(role) });
        rules.put_subject(SubjectIndex(role), SubjectStatus::Active, 0);
        for held in [role, 1 + role % 5] {
            rules.put_grant(&GrantRecord {
                subject: SubjectIndex(role),
                role: RoleId(held),
                workspace: WorkspaceIndex(0),
                from: Deadline::NONE,
                until: Deadline::NONE,
            });
        }
    }
    let before = COMPILED.get();
    for no in 1..=1_500 {
        rules.put_permission(PermissionId(no), &name(no));
    }
    assert_eq!(COMPILED.get(), before);
    let mut permissions = Permissions::new();
    for no in 1..=1_500 {
        permissions.put(PermissionId(no), &name(no));
    }
    for role in 1..=60 {
        let right = compile(&of(role), &permissions);
        let also = compile(&of(1 + role % 5), &permissions);
        for no in (1..=1_501).map(PermissionId) {
            assert_eq!(rules.roles.covers(RoleId(role), no), right.holds(no));
            assert_eq!(rules.restrictions.lets_through(RestrictionId(role), no), right.holds(no));
            let line = rules.line(SubjectIndex(role)).expect("a line");
            let now = tessera_model::UnixMillis(1_800_000_000_000);
            let outcome = rules.evaluate(line, no, WorkspaceIndex(0), RestrictionId(0), now);
            let held = outcome.reason == tessera_model::Reason::None;
            assert_eq!(held, right.holds(no) || also.holds(no), "role {role}, {no:?}");
        }
    }
}
