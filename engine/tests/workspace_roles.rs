//! Roles of workspaces: they hold there and below alone, are administered there, and go with it.

use crate::support;

use std::sync::Arc;
use support::{House, Tenant};
use tessera_engine::Bound;
use tessera_model::{Command, Deadline, Name, Pattern, PublicId, Refusal};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

fn make(workspace: &str, role: &str, covers: &[&str]) -> Command {
    Command::CreateRoleIn { workspace: name(workspace), name: name(role), patterns: patterns(covers) }
}

fn grant(subject: PublicId, role: &str, workspace: Option<&str>) -> Command {
    let none = Deadline::NONE;
    Command::Grant { subject, role: name(role), workspace: workspace.map(name), from: none, until: none }
}

/// berlin and hamburg below sales; bonn beside it.
async fn scene() -> (House, Tenant, PublicId) {
    let (house, tenant, ann) = House::with_ann().await;
    for (place, parent) in
        [("sales", None), ("berlin", Some("sales")), ("hamburg", Some("sales")), ("bonn", None)]
    {
        let parent = parent.map(name);
        let command = Command::CreateWorkspace { name: name(place), parent, inherits: place != "hamburg" };
        house.submit(&tenant.admin, command).await;
    }
    (house, tenant, ann)
}

async fn session(house: &House, tenant: &Tenant, email: &str) -> Bound {
    let handle = house.sign_in(tenant, email, "correct horse").await.expect("signed in");
    house.bind(&handle).await
}

/// PROPERTY: a role of a workspace is granted, to subjects, groups and by requests, and used as a parent, exactly at or
/// below it, walls or not; after a restart too.
#[tokio::test]
async fn a_role_of_a_workspace_holds_there_and_below() {
    let (house, tenant, ann) = scene().await;
    let admin = tenant.admin.clone();
    house.submit(&admin, make("sales", "seller", &["orders.*"])).await;
    assert_eq!(house.refused(&admin, make("bonn", "seller", &["x"])).await, Refusal::Duplicate);
    assert_eq!(house.refused(&admin, make("nowhere", "other", &["x"])).await, Refusal::WorkspaceUnknown);
    house.submit(&admin, Command::CreateGroup { name: name("staff"), rule: vec![] }).await;
    let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let admin = again.bind(&tenant.admin_key).await;
    for (place, holds) in [
        (None, false),
        (Some("bonn"), false),
        (Some("sales"), true),
        (Some("berlin"), true),
        (Some("hamburg"), true),
    ] {
        let none = Deadline::NONE;
        let group = Command::GrantGroup {
            group: name("staff"),
            role: name("seller"),
            workspace: place.map(name),
            from: none,
            until: none,
        };
        let ask = Command::RequestRole {
            subject: ann,
            role: name("seller"),
            workspace: place.map(name),
            duration_s: 60,
            reason: "why".into(),
        };
        for command in [grant(ann, "seller", place), group, ask] {
            if holds {
                again.submit(&admin, command).await;
            } else {
                assert_eq!(again.refused(&admin, command).await, Refusal::RoleOutside, "{place:?}");
            }
        }
        let child = format!("child-{}", place.unwrap_or("tenant"));
        let made = match place {
            None => Command::CreateRole { name: name(&child), patterns: vec![] },
            Some(place) => make(place, &child, &[]),
        };
        again.submit(&admin, made).await;
        let parents = Command::SetRoleParents { name: name(&child), parents: vec![name("seller")] };
        if holds {
            again.submit(&admin, parents).await;
        } else {
            assert_eq!(again.refused(&admin, parents).await, Refusal::RoleOutside, "{place:?}");
        }
    }
    // The tenant's own roles are parents of all.
    again.submit(&admin, Command::CreateRole { name: name("plain"), patterns: patterns(&["a.b"]) }).await;
    let parents = Command::SetRoleParents { name: name("child-bonn"), parents: vec![name("plain")] };
    again.submit(&admin, parents).await;
}

/// PROPERTY: a move that would leave a grant, a role below, or owners outside is refused, one that leaves none is not;
/// a role goes with its workspace, alone or in a tree, and its name is free again.
#[tokio::test]
async fn a_role_goes_and_stays_with_its_workspace() {
    let (house, tenant, ann) = scene().await;
    let admin = &tenant.admin;
    let to = |parent: Option<&str>| Command::MoveWorkspace {
        name: name("berlin"),
        parent: parent.map(name),
        inherits: true,
    };
    house.submit(admin, make("sales", "seller", &["orders.*"])).await;
    house.submit(admin, make("berlin", "local", &["orders.read"])).await;
    house.submit(admin, grant(ann, "local", Some("berlin"))).await;
    house.submit(admin, to(Some("bonn"))).await;
    house.submit(admin, to(Some("sales"))).await;
    house.submit(admin, grant(ann, "seller", Some("berlin"))).await;
    for parent in [None, Some("bonn")] {
        assert_eq!(house.refused(admin, to(parent)).await, Refusal::RoleOutside);
    }
    house.submit(admin, to(Some("hamburg"))).await;
    house.submit(admin, to(Some("sales"))).await;
    let back = Command::Ungrant { subject: ann, role: name("seller"), workspace: Some(name("berlin")) };
    house.submit(admin, back).await;
    let below = |parents| Command::SetRoleParents { name: name("local"), parents };
    house.submit(admin, below(vec![name("seller")])).await;
    assert_eq!(house.refused(admin, to(Some("bonn"))).await, Refusal::RoleOutside);
    house.submit(admin, below(vec![])).await;
    house.submit(admin, to(Some("bonn"))).await;
    house.submit(admin, Command::DeleteWorkspace { name: name("berlin") }).await;
    let holders = house.refused(admin, grant(ann, "local", None)).await;
    assert_eq!(holders, Refusal::RoleUnknown);
    house.submit(admin, Command::DeleteWorkspaceTree { name: name("sales") }).await;
    assert_eq!(house.refused(admin, grant(ann, "seller", Some("bonn"))).await, Refusal::RoleUnknown);
    house.submit(admin, make("bonn", "seller", &["orders.read"])).await;
    house.submit(admin, grant(ann, "seller", Some("bonn"))).await;
    let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let admin = again.bind(&tenant.admin_key).await;
    assert_eq!(again.refused(&admin, grant(ann, "seller", None)).await, Refusal::RoleOutside);
}

/// PROPERTY: whoever administers roles and grants in a workspace alone makes, changes, grants and deletes roles of it and
/// below, and of nothing else; registers no permission, and hands out no power over the tenant.
#[tokio::test]
async fn a_workspace_administers_its_own_roles() {
    let (house, tenant, ann) = scene().await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    house.role(&tenant, "keeper", &["tessera.admin.roles", "tessera.admin.grants"]).await;
    house.role(&tenant, "known", &["orders.read"]).await;
    house.submit(&tenant.admin, grant(ann, "keeper", Some("sales"))).await;
    let own = session(&house, &tenant, "ann@example.org").await;
    house.submit(&own, make("sales", "seller", &["orders.read", "orders.*"])).await;
    house.submit(&own, make("berlin", "local", &["orders.read"])).await;
    // Behind a wall what is granted above holds no more.
    assert_eq!(house.refused(&own, make("hamburg", "walled", &["orders.read"])).await, Refusal::Unauthorized);
    assert_eq!(house.refused(&own, make("bonn", "other", &["orders.read"])).await, Refusal::Unauthorized);
    assert_eq!(house.refused(&own, make("sales", "new", &["orders.new"])).await, Refusal::PermissionUnknown);
    assert_eq!(house.refused(&own, make("sales", "power", &["tessera.*"])).await, Refusal::BeyondCreator);
    let change =
        |role: &str, covers: &[&str]| Command::ChangeRole { name: name(role), patterns: patterns(covers) };
    house.submit(&own, change("seller", &["orders.*"])).await;
    assert_eq!(house.refused(&own, change("seller", &["orders.new"])).await, Refusal::PermissionUnknown);
    assert_eq!(house.refused(&own, change("known", &["orders.read"])).await, Refusal::Unauthorized);
    house.submit(&own, grant(bob, "seller", Some("berlin"))).await;
    for command in [
        grant(bob, "known", Some("berlin")),
        grant(bob, "known", None),
        Command::DeleteRole { name: name("known") },
        Command::CreateRole { name: name("free"), patterns: vec![] },
        grant(bob, "seller", None),
    ] {
        let kind = command.kind();
        assert_eq!(house.refused(&own, command).await, Refusal::Unauthorized, "{kind:?}");
    }
    let ask = Command::RequestRole {
        subject: bob,
        role: name("local"),
        workspace: Some(name("berlin")),
        duration_s: 60,
        reason: "why".into(),
    };
    let asks = session(&house, &tenant, "bob@example.org").await;
    let request = house.submit(&asks, ask).await.made.request.expect("an id");
    house.submit(&own, Command::ApproveRequest { request }).await;
    let back = Command::Ungrant { subject: bob, role: name("seller"), workspace: Some(name("berlin")) };
    house.submit(&own, back).await;
    house.submit(&own, Command::DeleteRole { name: name("seller") }).await;
}
