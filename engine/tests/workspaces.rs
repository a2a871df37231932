//! Workspaces that move, end, have ceilings and keep an owner.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_engine::SubmitError;
use tessera_model::limits::{WORKSPACE_DEPTH_MAX, WORKSPACE_TREE_MAX};
use tessera_model::{
    CheckQuery, Command, Deadline, Handle, Limit, Name, Pattern, PermissionRef, PublicId, Reason, Receipt,
    Refusal, WorkspaceRef,
};

const NONE: Deadline = Deadline::NONE;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn make(text: &str, under: Option<&str>) -> Command {
    Command::CreateWorkspace { name: name(text), parent: under.map(name), inherits: true }
}

fn hang(text: &str, under: Option<&str>) -> Command {
    Command::MoveWorkspace { name: name(text), parent: under.map(name), inherits: true }
}

fn ceiling(text: &str, patterns: &[&str]) -> Command {
    let patterns = patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
    Command::SetCeiling { name: name(text), patterns }
}

fn grant_in(subject: PublicId, role: &str, workspace: &str, until: Deadline) -> Command {
    let workspace = Some(name(workspace));
    Command::Grant { subject, role: name(role), workspace, from: NONE, until }
}

fn ungrant_in(subject: PublicId, role: &str, workspace: &str) -> Command {
    Command::Ungrant { subject, role: name(role), workspace: Some(name(workspace)) }
}

fn owners(workspace: &str, role: Option<&str>) -> Command {
    Command::SetOwners { name: name(workspace), role: role.map(name) }
}

async fn done(house: &House, tenant: &Tenant, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        house.submit(&tenant.admin, command).await;
    }
}

fn asks(house: &House, tenant: &Tenant, session: &Handle, permission: &str, workspace: &str) -> Reason {
    let view = tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let query = CheckQuery {
        handle: &session.to_bytes(),
        permission: PermissionRef::Name(permission),
        workspace: WorkspaceRef::Name(workspace),
        at_least: Receipt::default(),
        address: None,
    };
    house.engine.check(&tenant.admin, &view.read(house.engine.now()), &query).reason
}

/// PROPERTY: a ceiling cuts whoever asks in its workspace and below, through walls and wherever the tree moves;
/// what is registered later is cut too; without it all is as before, and it outlives the node.
#[tokio::test]
async fn a_ceiling_cuts_here_and_below() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "boss", &["orders.*", "bills.*"]).await;
    house.role(&tenant, "names", &["orders.read", "bills.pay"]).await;
    let wall = Command::CreateWorkspace { name: name("vault"), parent: Some(name("eu")), inherits: false };
    let setup = [make("sales", None), make("eu", Some("sales")), wall, make("lab", None)];
    done(&house, &tenant, setup).await;
    done(&house, &tenant, [support::grant(ann, "boss"), grant_in(ann, "boss", "vault", NONE)]).await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let ask =
        |what: &str| ["sales", "eu", "vault", "lab"].map(|at| asks(&house, &tenant, &session, what, at));
    let (yes, cut) = (Reason::None, Reason::BeyondCeiling);
    assert_eq!(ask("bills.pay"), [yes; 4]);
    done(&house, &tenant, [ceiling("eu", &["orders.*"])]).await;
    assert_eq!(ask("bills.pay"), [yes, cut, cut, yes]);
    assert_eq!(ask("orders.read"), [yes; 4]);
    done(&house, &tenant, [Command::RegisterPermission { name: name("bills.sign") }]).await;
    assert_eq!(ask("bills.sign"), [yes, cut, cut, yes]);
    done(&house, &tenant, [ceiling("sales", &["bills.*"])]).await;
    assert_eq!(ask("bills.pay"), [yes, cut, cut, yes]);
    assert_eq!(ask("orders.read"), [cut, cut, cut, yes]);
    // Moved out of sales, eu keeps its own ceiling only; the wall moves with it.
    done(&house, &tenant, [hang("eu", Some("lab"))]).await;
    assert_eq!(ask("orders.read"), [cut, yes, yes, yes]);
    assert_eq!(ask("bills.pay"), [yes, cut, cut, yes]);
    assert!(house.engine.checkpoint().await);
    let again = House::over(Arc::clone(&house.store), START_MS).await;
    let admin = again.bind(&tenant.admin_key).await;
    let woken = Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
    let later = ["sales", "eu", "vault", "lab"].map(|at| asks(&again, &woken, &session, "bills.pay", at));
    assert_eq!(later, [yes, cut, cut, yes]);
    done(&house, &tenant, [ceiling("eu", &[]), ceiling("sales", &[])]).await;
    assert_eq!([ask("bills.pay"), ask("orders.read")], [[yes; 4]; 2]);
}

/// PROPERTY: a workspace moves with all below it, and grants follow the new path; under itself or too deep it is
/// refused. One with workspaces below ends only with all of them, and only so many at once.
#[tokio::test]
async fn workspaces_move_and_end_with_what_hangs_below() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    let setup = [make("a", None), make("b", Some("a")), make("c", Some("b")), make("z", None)];
    done(&house, &tenant, setup).await;
    done(&house, &tenant, [grant_in(ann, "reader", "z", NONE)]).await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let ask = |at: &str| asks(&house, &tenant, &session, "orders.read", at);
    assert_eq!(ask("c"), Reason::NotGranted);
    done(&house, &tenant, [hang("b", Some("z"))]).await;
    assert_eq!([ask("a"), ask("b"), ask("c")], [Reason::NotGranted, Reason::None, Reason::None]);
    assert_eq!(house.refused(&tenant.admin, hang("z", Some("c"))).await, Refusal::Cycle);
    assert_eq!(house.refused(&tenant.admin, hang("z", Some("z"))).await, Refusal::Cycle);
    assert_eq!(house.refused(&tenant.admin, hang("z", Some("q"))).await, Refusal::WorkspaceUnknown);
    for no in 0..WORKSPACE_DEPTH_MAX - 2 {
        let above = if no == 0 { None } else { Some(format!("d{}", no - 1)) };
        done(&house, &tenant, [make(&format!("d{no}"), above.as_deref())]).await;
    }
    let bottom = format!("d{}", WORKSPACE_DEPTH_MAX - 3);
    let deep = hang("z", Some(&bottom));
    assert_eq!(house.refused(&tenant.admin, deep).await, Limit::WorkspaceDepth.reached());
    done(&house, &tenant, [hang("b", Some(&bottom))]).await;
    assert_eq!(ask("c"), Reason::NotGranted);
    let end = |text: &str| Command::DeleteWorkspaceTree { name: name(text) };
    assert_eq!(
        house.refused(&tenant.admin, Command::DeleteWorkspace { name: name("d0") }).await,
        Refusal::NotEmpty
    );
    done(&house, &tenant, [end("d0")]).await;
    assert_eq!([ask("d0"), ask("b"), ask("c")], [Reason::WorkspaceUnknown; 3]);
    assert_eq!(ask("z"), Reason::None);
    for no in 0..WORKSPACE_TREE_MAX {
        done(&house, &tenant, [make(&format!("w{no}"), Some("z"))]).await;
    }
    assert_eq!(house.refused(&tenant.admin, end("z")).await, Limit::WorkspaceTree.reached());
    done(&house, &tenant, [Command::DeleteWorkspace { name: name("w0") }, end("z")]).await;
    assert_eq!([ask("z"), ask("w1")], [Reason::WorkspaceUnknown; 2]);
}

/// PROPERTY: a workspace with owners keeps one who is active and stays: of two who remove each other at once one
/// succeeds; the last one is not removed, limited in time, suspended or deleted, and the role is not deleted
/// (F-38).
#[tokio::test]
async fn f_38_the_last_owner_stays() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    house.role(&tenant, "owner", &["orders.*"]).await;
    house.role(&tenant, "helper", &["tessera.admin.grants"]).await;
    done(&house, &tenant, [make("shop", None), make("other", None)]).await;
    assert_eq!(house.refused(&tenant.admin, owners("shop", Some("owner"))).await, Refusal::LastOwner);
    let setup = [
        grant_in(ann, "owner", "shop", NONE),
        owners("shop", Some("owner")),
        grant_in(bob, "owner", "shop", NONE),
        support::grant(ann, "helper"),
        support::grant(bob, "helper"),
    ];
    done(&house, &tenant, setup).await;
    let mut bounds = Vec::new();
    for email in ["ann@example.org", "bob@example.org"] {
        let session = house.sign_in(&tenant, email, "correct horse").await.expect("signed in");
        bounds.push(house.bind(&session).await);
    }
    let orders = bounds.iter().zip([bob, ann]).map(|(bound, whom)| {
        let engine = &house.engine;
        engine.submit(bound, engine.command_id(), ungrant_in(whom, "owner", "shop"))
    });
    let outcomes = support::at_once(orders).await;
    let refusals: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(refusals, [&SubmitError::Refused(Refusal::LastOwner)]);
    let last = if outcomes.first().is_some_and(Result::is_ok) { ann } else { bob };
    let other = if last == ann { bob } else { ann };
    let until = house.engine.now().plus_seconds(3_600).to_deadline();
    let takes = [
        ungrant_in(last, "owner", "shop"),
        grant_in(last, "owner", "shop", until),
        Command::SuspendSubject { subject: last },
        Command::DeleteSubject { subject: last },
        Command::DeleteRole { name: name("owner") },
    ];
    for take in &takes {
        assert_eq!(house.refused(&tenant.admin, take.clone()).await, Refusal::LastOwner, "{:?}", take.kind());
    }
    // One who is limited in time or suspended does not count beside the last one.
    done(&house, &tenant, [grant_in(other, "owner", "shop", until)]).await;
    assert_eq!(house.refused(&tenant.admin, ungrant_in(last, "owner", "shop")).await, Refusal::LastOwner);
    done(&house, &tenant, [grant_in(other, "owner", "shop", NONE)]).await;
    done(&house, &tenant, [Command::SuspendSubject { subject: other }]).await;
    assert_eq!(house.refused(&tenant.admin, ungrant_in(last, "owner", "shop")).await, Refusal::LastOwner);
    // The rule outlives the node.
    assert!(house.engine.checkpoint().await);
    let again = House::over(Arc::clone(&house.store), START_MS).await;
    let admin = again.bind(&tenant.admin_key).await;
    let woken = Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
    assert_eq!(again.refused(&woken.admin, ungrant_in(last, "owner", "shop")).await, Refusal::LastOwner);
    // With another owner, or without the rule, everything can be taken.
    done(&house, &tenant, [Command::ResumeSubject { subject: other }, ungrant_in(last, "owner", "shop")])
        .await;
    assert_eq!(house.refused(&tenant.admin, ungrant_in(other, "owner", "shop")).await, Refusal::LastOwner);
    done(&house, &tenant, [owners("shop", None), ungrant_in(other, "owner", "shop")]).await;
    done(&house, &tenant, [Command::DeleteRole { name: name("owner") }]).await;
}

/// PROPERTY: the number of a workspace that is gone is not given to another one, after another start too: whoever asks by
/// it is told that there is none.
#[tokio::test]
async fn numbers_are_not_given_again() {
    let (house, tenant, _) = House::with_ann().await;
    let make = |text: &str| Command::CreateWorkspace { name: name(text), parent: None, inherits: true };
    let berlin = house.submit(&tenant.admin, make("berlin")).await.made.number.expect("a number");
    house.submit(&tenant.admin, Command::DeleteWorkspace { name: name("berlin") }).await;
    assert!(house.engine.checkpoint().await);
    let again = House::over(Arc::clone(&house.store), START_MS).await;
    let admin = again.bind(&tenant.admin_key).await;
    let paris = again.submit(&admin, make("paris")).await.made.number.expect("a number");
    assert!(paris > berlin, "{paris} after {berlin}");
}

/// PROPERTY: the number of a client that is gone is not given to another one, after another start too: keys that name
/// it would open sessions as the other.
#[tokio::test]
async fn clients_numbers_are_not_given_again() {
    let (house, tenant, _) = House::with_ann().await;
    let make = |text: &str| Command::CreateClient {
        name: name(text),
        terms: tessera_model::refresh::ClientTerms::default(),
    };
    let mut last = 0;
    let (mut house, mut admin) = (house, tenant.admin.clone());
    for round in 0..4 {
        let number = house.submit(&admin, make("phone")).await.made.number.expect("a number");
        assert!(number > last, "{number} after {last}");
        last = number;
        if round == 2 {
            assert!(house.engine.checkpoint().await, "before it is gone, too");
        }
        house.submit(&admin, Command::DeleteClient { name: name("phone") }).await;
        if round > 0 {
            assert!(house.engine.checkpoint().await);
        }
        house = House::over(Arc::clone(&house.store), START_MS).await;
        admin = house.bind(&tenant.admin_key).await;
    }
}
