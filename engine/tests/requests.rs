//! Roles for a while: asked for by one, granted by another, over without anybody's doing.

use crate::support;

use std::sync::Arc;
use support::{House, Tenant};
use tessera_engine::{Bound, RequestFound, RequestsOf};
use tessera_model::elevation::RequestState;
use tessera_model::limits::{
    REQUEST_DURATION_S_MAX, REQUEST_TTL_S, REQUESTS_KEPT_PER_SUBJECT_MAX, REQUESTS_PER_SUBJECT_MAX,
};
use tessera_model::{Command, Deadline, Limit, Name, PublicId, Reason, Refusal};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn ask(subject: PublicId, role: &str, duration_s: u32) -> Command {
    Command::RequestRole { subject, role: name(role), workspace: None, duration_s, reason: "on call".into() }
}

struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    own: Bound,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        house.role(&tenant, "clerk", &["orders.write"]).await;
        house.role(&tenant, "keeper", &["tessera.admin.keys"]).await;
        let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
        let own = house.bind(&session).await;
        Self { house, tenant, ann, own }
    }

    /// Somebody who may grant, and holds `role` besides.
    async fn granter(&self, email: &str, role: &str) -> (PublicId, Bound) {
        let who = self.house.person(&self.tenant, email, "correct horse").await;
        let granting = format!("granting-{}", &email[..3]);
        self.house.role(&self.tenant, &granting, &["tessera.admin.grants"]).await;
        self.house.grant(&self.tenant, who, &granting).await;
        self.house.grant(&self.tenant, who, role).await;
        let session = self.house.sign_in(&self.tenant, email, "correct horse").await.expect("signed in");
        (who, self.house.bind(&session).await)
    }

    async fn asked(&self, role: &str, duration_s: u32) -> PublicId {
        let done = self.house.submit(&self.own, ask(self.ann, role, duration_s)).await;
        done.made.request.expect("an id")
    }

    fn may(&self, permission: &str) -> Reason {
        let view = self.tenant.admin.entry.view();
        let record = view.as_ref().expect("awake").listing();
        let why = tessera_engine::Why {
            subject: self.ann,
            through: None,
            permission: name(permission),
            workspace: None,
            resource: None,
            context: None,
            entities: None,
            at: self.house.engine.now(),
        };
        record.explain(&why, &tessera_engine::Draft::default()).expect("explained").reason
    }

    fn listed(&self, open: bool) -> Vec<RequestFound> {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let subject = Some(listing.subject(self.ann).expect("ann").index);
        listing.requests(RequestsOf { subject, open }, (0, 1_000), self.house.engine.now()).rows
    }

    async fn restarted(self) -> Self {
        let house = House::over(Arc::clone(&self.house.store), self.house.engine.now().0).await;
        let admin = house.bind(&self.tenant.admin_key).await;
        let tenant = Tenant { admin, ..self.tenant };
        let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
        let own = house.bind(&session).await;
        Self { tenant, house, own, ..self }
    }
}

/// PROPERTY: what is approved holds from the approval on for exactly as long as it was asked for, by nobody's doing;
/// the grant names its request, the request tells who decided and until when; across checkpoints and restarts.
#[tokio::test]
async fn an_approved_request_is_a_grant_for_a_while() {
    let mut scene = Scene::new().await;
    let (bob, approver) = scene.granter("bob@example.org", "clerk").await;
    let request = scene.asked("clerk", 3_600).await;
    assert_eq!(scene.may("orders.write"), Reason::NotGranted);
    scene.house.pass(60_000);
    let done = scene.house.submit(&approver, Command::ApproveRequest { request }).await;
    let until = scene.house.engine.now().plus_seconds(3_600).to_deadline();
    assert_eq!(done.made.expires, Some(until.to_millis()));
    for round in 0..3 {
        assert_eq!(scene.may("orders.write"), Reason::None);
        let found = scene.listed(false).pop().expect("the request");
        assert_eq!((found.record.id, found.record.state), (request, RequestState::Approved));
        assert_eq!((found.decided_by, found.record.granted_until), (Some(bob), until));
        assert_eq!(found.role, Some(name("clerk")));
        assert!(scene.listed(true).is_empty());
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        drop(view);
        let review = scene
            .house
            .engine
            .review(&scene.tenant.admin, &listing, (tessera_engine::ReviewPlace::default(), 1_000))
            .expect("a page");
        let mine: Vec<_> = review.rows.iter().filter(|row| row.until == until).collect();
        assert_eq!(mine.len(), 1);
        assert_eq!(mine[0].made.as_ref().and_then(|note| note.request), Some(request));
        assert_eq!(mine[0].by(), Some(bob.to_string()));
        if round == 0 {
            scene = scene.restarted().await;
        } else if round == 1 {
            assert!(scene.house.engine.checkpoint().await);
            scene = scene.restarted().await;
        }
    }
    let left = until.to_millis().0 - scene.house.engine.now().0;
    scene.house.pass(left - 1);
    assert_eq!(scene.may("orders.write"), Reason::None);
    scene.house.pass(1);
    assert_eq!(scene.may("orders.write"), Reason::NotGranted);
}

/// PROPERTY: a request is decided once, by somebody else who could grant the role, and before it lapses; whoever asks
/// takes it back; what was not approved grants nothing.
#[tokio::test]
async fn a_request_is_decided_once_and_by_another() {
    let scene = Scene::new().await;
    let (_, approver) = scene.granter("bob@example.org", "clerk").await;
    let (house, admin) = (&scene.house, &scene.tenant.admin);
    let approve = |request| Command::ApproveRequest { request };
    let refuse = |request| Command::RefuseRequest { request };
    // Nobody decides without the permission, and nobody about their own, also with it.
    let first = scene.asked("clerk", 60).await;
    for command in [approve(first), refuse(first)] {
        assert_eq!(house.refused(&scene.own, command).await, Refusal::Unauthorized);
    }
    house.grant(&scene.tenant, scene.ann, "tessera.admin").await;
    for command in [approve(first), refuse(first)] {
        assert_eq!(house.refused(&scene.own, command).await, Refusal::OwnRequest);
    }
    let role = name("tessera.admin");
    house.submit(admin, Command::Ungrant { subject: scene.ann, role, workspace: None }).await;
    // Nobody grants so what they could not grant themselves.
    let above = scene.asked("keeper", 60).await;
    assert_eq!(house.refused(&approver, approve(above)).await, Refusal::BeyondCreator);
    assert_eq!(house.refused(&scene.own, ask(scene.ann, "keeper", 60)).await, Refusal::Duplicate);
    house.submit(&approver, refuse(above)).await;
    assert_eq!(house.refused(admin, approve(above)).await, Refusal::RequestClosed);
    assert_eq!(scene.may("tessera.admin.keys"), Reason::NotGranted);
    let again = scene.asked("keeper", 60).await;
    house.submit(admin, approve(again)).await;
    assert_eq!(scene.may("tessera.admin.keys"), Reason::None);
    for command in [approve(again), refuse(again), Command::WithdrawRequest { request: again }] {
        assert_eq!(house.refused(admin, command).await, Refusal::RequestClosed);
    }
    // Taken back by whoever asks, and by nobody else without the permission.
    let bob = house.person(&scene.tenant, "eve@example.org", "correct horse").await;
    assert_eq!(house.refused(&scene.own, ask(bob, "clerk", 60)).await, Refusal::Unauthorized);
    let eve = house.sign_in(&scene.tenant, "eve@example.org", "correct horse").await.expect("signed in");
    let eve = house.bind(&eve).await;
    let withdraw = Command::WithdrawRequest { request: first };
    assert_eq!(house.refused(&eve, withdraw.clone()).await, Refusal::Unauthorized);
    house.submit(&scene.own, withdraw).await;
    assert_eq!(house.refused(&approver, approve(first)).await, Refusal::RequestClosed);
    let states: Vec<_> = scene.listed(false).iter().map(|found| found.record.state).collect();
    assert_eq!(states, [RequestState::Withdrawn, RequestState::Refused, RequestState::Approved]);
    // One that nobody decides lapses.
    let late = scene.asked("clerk", 60).await;
    assert_eq!(scene.listed(true).len(), 1);
    house.pass(u64::from(REQUEST_TTL_S) * 1_000);
    assert!(scene.listed(true).is_empty() && scene.listed(false).pop().is_some_and(|found| found.lapsed));
    let approver = house.sign_in(&scene.tenant, "bob@example.org", "correct horse").await.expect("signed in");
    let approver = house.bind(&approver).await;
    assert_eq!(house.refused(&approver, approve(late)).await, Refusal::RequestClosed);
    assert_eq!(house.refused(&approver, approve(PublicId([9; 16]))).await, Refusal::RequestUnknown);
    assert_eq!(scene.may("orders.write"), Reason::NotGranted);
}

/// PROPERTY: an approval never shortens a grant that stands, lengthens one that ends earlier, and finds out what has
/// gone since; what is asked for is bounded.
#[tokio::test]
async fn an_approval_takes_nothing_away() {
    let scene = Scene::new().await;
    let (house, admin) = (&scene.house, &scene.tenant.admin);
    let now = house.engine.now();
    let grant = |until| Command::Grant {
        subject: scene.ann,
        role: name("clerk"),
        workspace: None,
        from: Deadline::NONE,
        until,
    };
    for (until, refused) in [
        (Deadline::NONE, true),
        (now.plus_seconds(3_600).to_deadline(), true),
        (now.plus_seconds(3_599).to_deadline(), false),
    ] {
        house.submit(admin, grant(until)).await;
        let request = scene.asked("clerk", 3_600).await;
        if refused {
            let told = house.refused(admin, Command::ApproveRequest { request }).await;
            assert_eq!(told, Refusal::GrantStands);
            house.submit(admin, Command::RefuseRequest { request }).await;
        } else {
            house.submit(admin, Command::ApproveRequest { request }).await;
            house.pass(3_599_500);
            assert_eq!(scene.may("orders.write"), Reason::None);
        }
    }
    let scene = Scene::new().await;
    let (house, admin) = (&scene.house, &scene.tenant.admin);
    house.role(&scene.tenant, "gone", &["orders.read"]).await;
    let request = scene.asked("gone", 60).await;
    house.submit(admin, Command::DeleteRole { name: name("gone") }).await;
    assert!(scene.listed(false).is_empty(), "it is gone with the role");
    assert_eq!(house.refused(admin, Command::ApproveRequest { request }).await, Refusal::RequestUnknown);
    for (command, refusal) in [
        (ask(scene.ann, "nobody", 60), Refusal::RoleUnknown),
        (ask(scene.ann, "clerk", 0), Refusal::DeadlinePassed),
        (ask(scene.ann, "clerk", REQUEST_DURATION_S_MAX + 1), Limit::RequestDuration.reached()),
        (
            Command::RequestRole {
                subject: scene.ann,
                role: name("clerk"),
                workspace: Some(name("nowhere")),
                duration_s: 60,
                reason: "why".into(),
            },
            Refusal::WorkspaceUnknown,
        ),
        (
            Command::RequestRole {
                subject: scene.ann,
                role: name("clerk"),
                workspace: None,
                duration_s: 60,
                reason: "".into(),
            },
            Refusal::Malformed,
        ),
    ] {
        assert_eq!(house.refused(&scene.own, command).await, refusal);
    }
    for no in 0..REQUESTS_PER_SUBJECT_MAX {
        house.role(&scene.tenant, &format!("role{no}"), &["orders.read"]).await;
        scene.asked(&format!("role{no}"), 60).await;
    }
    let more = house.refused(&scene.own, ask(scene.ann, "clerk", 60)).await;
    assert_eq!(more, Limit::RequestsPerSubject.reached());
    house.submit(admin, Command::SuspendSubject { subject: scene.ann }).await;
    assert_eq!(house.refused(admin, ask(scene.ann, "clerk", 60)).await, Refusal::SubjectSuspended);
    house.submit(admin, Command::DeleteSubject { subject: scene.ann }).await;
    let told = house.refused(admin, Command::ApproveRequest { request }).await;
    assert_eq!(told, Refusal::RequestUnknown);
}

/// PROPERTY: a request for a role that was deleted, and a role that names it as its parent, never come to mean a role
/// that is made later, also behind a checkpoint and a new start. So it is with a workspace.
#[tokio::test]
async fn a_deleted_role_does_not_come_back_as_another() {
    let mut scene = Scene::new().await;
    scene.house.role(&scene.tenant, "child", &["orders.read"]).await;
    scene.house.role(&scene.tenant, "gone", &["orders.read"]).await;
    let (house, admin) = (&scene.house, &scene.tenant.admin);
    let below = Command::SetRoleParents { name: name("child"), parents: vec![name("gone")] };
    house.submit(admin, below).await;
    house.grant(&scene.tenant, scene.ann, "child").await;
    let place = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
    house.submit(admin, place).await;
    let there = Command::RequestRole {
        subject: scene.ann,
        role: name("clerk"),
        workspace: Some(name("berlin")),
        duration_s: 60,
        reason: "why".into(),
    };
    let there = house.submit(&scene.own, there).await.made.request.expect("an id");
    let request = scene.asked("gone", 60).await;
    let kept = scene.asked("clerk", 60).await;
    house.submit(admin, Command::DeleteRole { name: name("gone") }).await;
    house.submit(admin, Command::DeleteWorkspace { name: name("berlin") }).await;
    assert!(house.engine.checkpoint().await);
    scene = scene.restarted().await;
    scene.house.role(&scene.tenant, "power", &["tessera.admin.keys"]).await;
    let (house, admin) = (&scene.house, &scene.tenant.admin);
    for request in [request, there] {
        let told = house.refused(admin, Command::ApproveRequest { request }).await;
        assert_eq!(told, Refusal::RequestUnknown);
    }
    let listed: Vec<_> = scene.listed(false).iter().map(|found| found.record.id).collect();
    assert_eq!(listed, [kept]);
    assert_eq!(scene.may("tessera.admin.keys"), Reason::NotGranted);
}

/// PROPERTY: one person is not both sides of a request: whoever asked in somebody's place does not approve it, and an
/// operator's is not approved by an operator; who asked is told.
#[tokio::test]
async fn nobody_approves_what_they_asked_for() {
    let scene = Scene::new().await;
    let (bob, approver) = scene.granter("bob@example.org", "clerk").await;
    let house = &scene.house;
    let request = house.submit(&approver, ask(scene.ann, "clerk", 60)).await.made.request.expect("an id");
    assert_eq!(scene.listed(true)[0].made_by, Some(bob));
    let approve = Command::ApproveRequest { request };
    assert_eq!(house.refused(&approver, approve.clone()).await, Refusal::OwnRequest);
    let scene = scene.restarted().await;
    assert_eq!(scene.listed(true)[0].made_by, Some(bob));
    scene.house.submit(&scene.tenant.admin, approve).await;
    assert_eq!(scene.may("orders.write"), Reason::None);
}

/// PROPERTY: whoever asks again and again pushes out what is over of their own, and nothing else: not what others asked
/// for, and not what stands open or whose grant is in force.
#[tokio::test]
async fn asking_again_pushes_out_nobody() {
    let scene = Scene::new().await;
    let (house, admin) = (&scene.house, &scene.tenant.admin);
    let bob = house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    let theirs = house.submit(admin, ask(bob, "clerk", 60)).await.made.request.expect("an id");
    house.submit(admin, Command::RefuseRequest { request: theirs }).await;
    let (approver, held) =
        (scene.granter("eve@example.org", "clerk").await.1, scene.asked("clerk", 86_400).await);
    house.submit(&approver, Command::ApproveRequest { request: held }).await;
    let open = scene.asked("keeper", 60).await;
    house.role(&scene.tenant, "other", &["orders.read"]).await;
    for _ in 0..REQUESTS_KEPT_PER_SUBJECT_MAX + 10 {
        let request = scene.asked("other", 60).await;
        house.submit(&scene.own, Command::WithdrawRequest { request }).await;
    }
    let mine: Vec<_> = scene.listed(false).iter().map(|found| found.record.id).collect();
    assert_eq!(mine.len(), REQUESTS_KEPT_PER_SUBJECT_MAX);
    assert!(mine.contains(&held) && mine.contains(&open));
    let view = admin.entry.view();
    let all = view.as_ref().expect("awake").listing().requests(
        RequestsOf::default(),
        (0, 1_000),
        house.engine.now(),
    );
    assert!(all.rows.iter().any(|found| found.record.id == theirs));
}

/// PROPERTY: an approval looks at when a grant is in force: what is over tells nothing of the new one, what begins within
/// the span becomes one window with it, and what begins behind it is in the way.
#[tokio::test]
async fn an_approval_looks_at_the_window() {
    let window = |scene: &Scene, from: u32, until: Option<u32>| {
        let now = scene.house.engine.now();
        let at = |s: u32| now.plus_seconds(s).to_deadline();
        let until = until.map_or(Deadline::NONE, at);
        Command::Grant { subject: scene.ann, role: name("clerk"), workspace: None, from: at(from), until }
    };
    for (from, until, stands) in [(60, Some(200), false), (60, None, false), (101, Some(200), true)] {
        let scene = Scene::new().await;
        scene.house.submit(&scene.tenant.admin, window(&scene, from, until)).await;
        assert_eq!(scene.may("orders.write"), Reason::NotGranted);
        let request = scene.asked("clerk", 100).await;
        let approve = Command::ApproveRequest { request };
        if stands {
            let told = scene.house.refused(&scene.tenant.admin, approve).await;
            assert_eq!(told, Refusal::GrantStands);
            continue;
        }
        scene.house.submit(&scene.tenant.admin, approve).await;
        assert_eq!(scene.may("orders.write"), Reason::None);
        scene.house.pass(150_000);
        assert_eq!(scene.may("orders.write"), Reason::None, "it stood before, and is not shortened");
    }
    // One that is over: the new one begins now.
    let scene = Scene::new().await;
    scene.house.submit(&scene.tenant.admin, window(&scene, 1, Some(10))).await;
    scene.house.pass(20_000);
    let request = scene.asked("clerk", 100).await;
    let now = scene.house.engine.now();
    scene.house.submit(&scene.tenant.admin, Command::ApproveRequest { request }).await;
    let view = scene.tenant.admin.entry.view();
    let listing = view.as_ref().expect("awake").listing();
    let review = scene
        .house
        .engine
        .review(&scene.tenant.admin, &listing, (tessera_engine::ReviewPlace::default(), 1_000))
        .expect("a page");
    let row = review.rows.iter().find(|row| row.until == now.plus_seconds(100).to_deadline());
    let row = row.expect("the grant");
    assert_eq!(row.from, now.to_deadline());
    assert_eq!(row.made.as_ref().and_then(|note| note.request), Some(request));
}
