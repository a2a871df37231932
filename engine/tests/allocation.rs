//! Absence 1, counted: a check allocates nothing, whatever it answers.

use crate::support;

use support::House;
use tessera_engine::{OfSubject, Resource};
use tessera_model::{
    CheckQuery, Command, Identifier, Name, Pattern, PermissionRef, Private, PublicId, Reason, Receipt,
    Thumbprint, WorkspaceIndex, WorkspaceRef,
};

/// PROPERTY: `check` makes no allocation, for permits and for every kind of denial that a query can
/// reach, by name and by id. METHOD: a counting allocator around 10,000 checks of each.
#[tokio::test]
async fn a_check_allocates_nothing() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let parent =
        Command::CreateWorkspace { name: Name::new("north").expect("a name"), parent: None, inherits: true };
    house.submit(&tenant.admin, parent).await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let ended = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let opened = house.engine.now().to_deadline();
    let id = PublicId::of_place(opened, ended.place, ended.generation);
    house.submit(&tenant.admin, Command::EndSession { session: id }).await;
    let mut forged = session;
    forged.secret = [1; 20];
    // One on a device that has a ceiling, and one in which the admin acts.
    let name = Name::new("phone").expect("a name");
    let device = Command::RegisterDevice { subject: amy, name, key: Thumbprint([1; 32]) };
    let device = house.submit(&tenant.admin, device).await.made.device.expect("an id");
    let none = vec![Pattern::new("none.*").expect("a pattern")];
    house.submit(&tenant.admin, Command::LimitDevice { device, patterns: none }).await;
    let identifier = Identifier::guess("amy@example.org").expect("an identifier");
    let proof = (&identifier, Private::new(b"correct horse".to_vec()));
    let engine = &house.engine;
    let limited = engine.sign_in(&tenant.admin, engine.command_id(), proof, (None, Some(device))).await;
    let limited = limited.expect("signed in").made.handle.expect("a handle");
    let all = vec![Pattern::new("*").expect("a pattern")];
    let act = Command::Impersonate { subject: amy, patterns: all, ttl_s: 60, reason: "ticket 7".into() };
    let acting = house.submit(&tenant.admin, act).await.made.handle.expect("a handle");
    let handles = [
        limited.to_bytes(),
        acting.to_bytes(),
        session.to_bytes(),
        ended.to_bytes(),
        forged.to_bytes(),
        [0; 40],
        [255; 40],
    ];
    let permissions = [
        PermissionRef::Name("orders.read"),
        PermissionRef::Name("nothing"),
        PermissionRef::Id(tessera_model::PermissionId(13)),
    ];
    let workspaces = [WorkspaceRef::Tenant, WorkspaceRef::Name("north"), WorkspaceRef::Name("nowhere")];
    let view = tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let (mut permits, mut reasons) = (0, std::collections::BTreeSet::new());
    let ask_all = |permits: &mut u32, reasons: &mut std::collections::BTreeSet<u16>| {
        let reading = view.read(house.engine.now());
        for handle in &handles {
            for permission in permissions {
                for workspace in workspaces {
                    let query = CheckQuery {
                        handle,
                        permission,
                        workspace,
                        at_least: Receipt::default(),
                        address: None,
                    };
                    let decision = house.engine.check(&tenant.admin, &reading, &query);
                    *permits += u32::from(decision.is_permit());
                    reasons.insert(decision.reason.code());
                }
            }
        }
    };
    // Once before: the set of reasons, and the thread's slot of the root's pointer, are made.
    ask_all(&mut permits, &mut reasons);
    let counted = allocation_counter::measure(|| {
        for _ in 0..10_000 {
            ask_all(&mut permits, &mut reasons);
        }
    });
    assert_eq!(counted.count_total, 0, "a check allocated");
    assert!(permits > 0 && reasons.len() >= 6 && reasons.contains(&130), "{permits} {reasons:?}");
}

/// PROPERTY: a decision about a subject allocates nothing either, while no relation is asked.
#[tokio::test]
async fn a_decision_allocates_nothing() {
    let (house, tenant, ann) = House::with_ann().await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, ann, "reader").await;
    let view = tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let reading = view.read(house.engine.now());
    let subject = reading.listing().subject(ann).expect("ann").index;
    let ask = || {
        let mut permits = 0_u32;
        for permission in ["orders.read", "orders.write", "tessera.check"] {
            for about in [None, Some(Resource { object: "document:1", budget: 1_000 })] {
                let (permission, workspace) = (PermissionRef::Name(permission), WorkspaceIndex(0));
                let asked = OfSubject { subject, permission, workspace, about, brought: None };
                permits +=
                    u32::from(house.engine.decide(&tenant.admin, &reading, &asked).reason == Reason::None);
            }
        }
        permits
    };
    assert_eq!(ask(), 2);
    let counted = allocation_counter::measure(|| {
        for _ in 0..10_000 {
            ask();
        }
    });
    assert_eq!(counted.count_total, 0, "a decision allocated");
}
