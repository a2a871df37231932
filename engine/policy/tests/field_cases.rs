//! What people reported about comparable products, as tests that carry the case's id.

#![expect(clippy::unwrap_used, reason = "a test stops where it did not expect to be")]

use tessera_model::record::{GrantRecord, RoleRecord, SubjectStatus, WorkspaceRecord};
use tessera_model::{
    Deadline, Name, Pattern, PermissionId, PermissionRef, PublicId, RestrictionId, RoleId, SubjectIndex,
    UnixMillis, WorkspaceIndex,
};
use tessera_policy::Rules;

const TENANT: WorkspaceIndex = WorkspaceIndex(0);
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn role(rules: &mut Rules, id: u32, called: &str, patterns: &[&str]) {
    let patterns = patterns.iter().map(|text| Pattern::new(text).unwrap()).collect();
    rules.put_role(&RoleRecord {
        id: RoleId(id),
        name: name(called),
        patterns,
        parents: vec![],
        workspace: WorkspaceIndex(0),
    });
}

fn workspace(rules: &mut Rules, index: u32, called: &str) {
    let (index, id) = (WorkspaceIndex(index), PublicId::default());
    rules.put_workspace(&WorkspaceRecord {
        index,
        id,
        name: name(called),
        parent: TENANT,
        inherits: true,
        ceiling: vec![],
        owners: RoleId(0),
        personal: SubjectIndex(0),
    });
}

fn grant(subject: u32, role: u32, workspace: WorkspaceIndex) -> GrantRecord {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    GrantRecord { subject: SubjectIndex(subject), role: RoleId(role), workspace, from, until }
}

fn permits(rules: &Rules, subject: u32, permission: &str, workspace: WorkspaceIndex) -> bool {
    let line = rules.line(SubjectIndex(subject)).unwrap();
    let permission = rules.permission(PermissionRef::Name(permission)).unwrap();
    rules.evaluate(line, permission, workspace, RestrictionId(0), NOW).is_permit()
}

/// PROPERTY: whoever held a role that was deleted holds nothing of it, and nothing of a role, or
/// grant in a workspace, that is made anew under the same name.
#[test]
fn f_36_a_deleted_role_leaves_nothing_behind() {
    let mut rules = Rules::new();
    let ann = 1;
    rules.put_subject(SubjectIndex(ann), SubjectStatus::Active, 0);
    rules.put_permission(PermissionId(1), &name("reports.read"));
    workspace(&mut rules, 1, "sales");
    role(&mut rules, 1, "editor", &["reports.*"]);
    role(&mut rules, 2, "timed-editor", &["reports.*"]);
    rules.put_grant(&grant(ann, 1, TENANT));
    rules.put_grant(&grant(ann, 1, WorkspaceIndex(1)));
    rules.put_grant(&GrantRecord { until: Deadline(u32::MAX - 1), ..grant(ann, 2, TENANT) });
    assert!(permits(&rules, ann, "reports.read", TENANT));

    rules.remove_role(RoleId(1));
    rules.remove_role(RoleId(2));
    assert!(!permits(&rules, ann, "reports.read", TENANT));
    assert!(!permits(&rules, ann, "reports.read", WorkspaceIndex(1)));
    assert_eq!(rules.grants_of(SubjectIndex(ann)).count(), 0);

    // The subject can still be edited, and the new role has no holders until it is granted.
    rules.put_subject(SubjectIndex(ann), SubjectStatus::Active, 1);
    role(&mut rules, 3, "editor", &["reports.*"]);
    assert_eq!(rules.holders_of(RoleId(3)).count(), 0);
    assert!(!permits(&rules, ann, "reports.read", TENANT));
    rules.put_grant(&grant(ann, 3, WorkspaceIndex(1)));
    assert!(permits(&rules, ann, "reports.read", WorkspaceIndex(1)));
    assert!(!permits(&rules, ann, "reports.read", TENANT));

    // Same for workspaces.
    rules.remove_workspace(WorkspaceIndex(1));
    assert_eq!(rules.grants_of(SubjectIndex(ann)).count(), 0);
    workspace(&mut rules, 2, "sales");
    assert_eq!(rules.holders_in(WorkspaceIndex(2)).count(), 0);
    assert!(!permits(&rules, ann, "reports.read", WorkspaceIndex(2)));
    rules.put_grant(&grant(ann, 3, WorkspaceIndex(2)));
    assert!(permits(&rules, ann, "reports.read", WorkspaceIndex(2)));
}

/// PROPERTY: a grant that holds everywhere for one subject opens nothing to another one, whatever the
/// order in which the grants were made, in single answers as in the list.
#[test]
fn f_48_a_grant_everywhere_is_nobody_elses() {
    let (alice, bob) = (1, 2);
    let (library, school) = (WorkspaceIndex(1), WorkspaceIndex(2));
    let grants = [grant(bob, 1, TENANT), grant(alice, 2, library)];
    for order in [[0, 1], [1, 0]] {
        let mut rules = Rules::new();
        for subject in [alice, bob] {
            rules.put_subject(SubjectIndex(subject), SubjectStatus::Active, 0);
        }
        rules.put_permission(PermissionId(1), &name("drive"));
        rules.put_permission(PermissionId(2), &name("book.read"));
        workspace(&mut rules, 1, "library");
        workspace(&mut rules, 2, "school");
        role(&mut rules, 1, "driver", &["drive"]);
        role(&mut rules, 2, "book-reader", &["book.read"]);
        for at in order {
            rules.put_grant(grants.get(at).unwrap());
        }
        assert!(permits(&rules, alice, "book.read", library));
        for (subject, place) in
            [(alice, school), (alice, TENANT), (bob, library), (bob, school), (bob, TENANT)]
        {
            assert!(!permits(&rules, subject, "book.read", place));
        }
        assert!(permits(&rules, bob, "drive", school) && !permits(&rules, alice, "drive", school));
        let listed = |subject, place| {
            let mut out = vec![];
            let line = rules.line(SubjectIndex(subject)).unwrap();
            rules.list(line, place, RestrictionId(0), NOW, &mut out);
            out.first().copied().unwrap()
        };
        assert_eq!([listed(alice, library), listed(alice, school)], [1 << 2, 0]);
        assert_eq!([listed(bob, library), listed(bob, school)], [1 << 1, 1 << 1]);
    }
}
