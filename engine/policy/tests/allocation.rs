//! A question allocates nothing: counted by an allocator that counts.

#![expect(clippy::unwrap_used, reason = "a test stops where it did not expect to be")]

use tessera_model::record::{GrantRecord, RestrictionRecord, RoleRecord, SubjectStatus, WorkspaceRecord};
use tessera_model::{
    Deadline, Name, Pattern, PermissionId, PermissionRef, PublicId, RestrictionId, RoleId, SubjectIndex,
    UnixMillis, WorkspaceIndex, WorkspaceRef,
};
use tessera_policy::Rules;

/// A chain of twelve workspaces, a subject with grants in each, half of them in windows.
fn rules() -> Rules {
    let mut rules = Rules::new();
    let subject = SubjectIndex(1);
    let name = |kind: &str, number: u32| Name::new(&format!("{kind}.{number}")).unwrap();
    rules.put_subject(subject, SubjectStatus::Active, 0);
    for number in 1..=40 {
        rules.put_permission(PermissionId(number), &name("permission", number));
    }
    let patterns = vec![Pattern::new("permission.1*").unwrap()];
    rules.put_restriction(&RestrictionRecord { id: RestrictionId(1), patterns });
    for number in 1..=12 {
        let (index, parent) = (WorkspaceIndex(number), WorkspaceIndex(number - 1));
        let (id, inherits) = (PublicId::default(), number != 3);
        let called = name("workspace", number);
        rules.put_workspace(&WorkspaceRecord {
            index,
            id,
            name: called,
            parent,
            inherits,
            ceiling: vec![],
            owners: RoleId(0),
            personal: SubjectIndex(0),
        });
        let patterns = vec![Pattern::new(&format!("permission.{number}")).unwrap()];
        let role = RoleId(number);
        rules.put_role(&RoleRecord {
            id: role,
            name: name("role", number),
            patterns,
            parents: vec![],
            workspace: WorkspaceIndex(0),
        });
        let until = Deadline(if number % 2 == 0 { 100 } else { 0 });
        rules.put_grant(&GrantRecord { subject, role, workspace: index, from: Deadline::NONE, until });
    }
    rules
}

/// PROPERTY: no allocation in any question, by id or by name, permitted or denied, near or far.
#[test]
fn questions_allocate_nothing() {
    let rules = rules();
    let names: Vec<String> = (1..=40).map(|number| format!("permission.{number}")).collect();
    let places: Vec<String> = (1..=12).map(|number| format!("workspace.{number}")).collect();
    let mut permits = 0;
    let info = allocation_counter::measure(|| {
        let line = rules.line(SubjectIndex(1)).unwrap();
        for place in &places {
            let workspace = rules.workspace(WorkspaceRef::Name(place)).unwrap();
            assert_eq!(rules.workspace(WorkspaceRef::Index(workspace)), Some(workspace));
            for name in &names {
                let permission = rules.permission(PermissionRef::Name(name)).unwrap();
                assert_eq!(rules.permission(PermissionRef::Id(permission)), Some(permission));
                for restriction in [RestrictionId(0), RestrictionId(1), RestrictionId(2)] {
                    for now in [Deadline(50).to_millis(), Deadline(150).to_millis(), UnixMillis(0)] {
                        let outcome = rules.evaluate(line, permission, workspace, restriction, now);
                        permits += u32::from(outcome.is_permit());
                    }
                }
            }
        }
    });
    assert!(permits > 100, "{permits}");
    assert_eq!(info.count_total, 0, "{info:?}");
}

/// PROPERTY: rules can be held by any thread, and a clone of many subjects costs no copy of them.
#[test]
fn clones_are_cheap_and_shared_between_threads() {
    fn shareable<T: Send + Sync>(_: &T) {}
    let mut rules = rules();
    for subject in 2..=20_000 {
        rules.put_subject(SubjectIndex(subject), SubjectStatus::Active, 0);
    }
    shareable(&rules);
    let cloned = allocation_counter::measure(|| drop(rules.clone()));
    assert!(cloned.count_total <= 1, "{cloned:?}");
    // One line edited: its chunk, the nodes above it and the top; 64 × 64 + 16 × 8 + 16 × 8 and heads.
    let kept = rules.clone();
    let edited = allocation_counter::measure(|| rules.put_cut_off(SubjectIndex(9_999), 1));
    assert!(edited.count_total <= 4 && edited.bytes_total <= 4_608, "{edited:?}");
    assert_eq!(kept.line(SubjectIndex(9_999)).unwrap().cut_off(), 0);
    assert_eq!(rules.line(SubjectIndex(9_999)).unwrap().cut_off(), 1);
}
