//! Guests, personal workspaces, and groups that lie in others for a while.

use crate::support;

use std::sync::Arc;
use support::{House, Tenant};
use tessera_engine::{Draft, Explained, Why};
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::{Command, Condition, Deadline, Name, Pattern, PublicId, Reason, Refusal, UnixMillis};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

const NONE: Deadline = Deadline::NONE;

struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.role(&tenant, "owner", &["files.*"]).await;
        let scene = Self { house, tenant, ann };
        for (text, parent) in
            [("sales", None), ("berlin", Some(name("sales"))), ("mitte", Some(name("berlin")))]
        {
            scene.done(Command::CreateWorkspace { name: name(text), parent, inherits: true }).await;
        }
        scene
    }

    async fn done(&self, command: Command) -> tessera_engine::Done {
        self.house.submit(&self.tenant.admin, command).await
    }

    async fn refused(&self, command: Command) -> Refusal {
        self.house.refused(&self.tenant.admin, command).await
    }

    async fn grant(&self, subject: PublicId, role: &str, workspace: Option<&str>) {
        let (role, workspace) = (name(role), workspace.map(name));
        self.done(Command::Grant { subject, role, workspace, from: NONE, until: NONE }).await;
    }

    async fn group(&self, group: &str, rule: Vec<Condition>, workspace: Option<&str>) {
        self.done(Command::CreateGroup { name: name(group), rule }).await;
        let (role, workspace) = (name("reader"), workspace.map(name));
        self.done(Command::GrantGroup { group: name(group), role, workspace, from: NONE, until: NONE }).await;
    }

    async fn join(&self, group: &str, subject: PublicId) {
        self.done(Command::AddMember { group: name(group), subject, from: NONE, until: NONE }).await;
    }

    fn explained(&self, workspace: Option<&str>, at: UnixMillis) -> Explained {
        let view = self.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let why = Why {
            subject: self.ann,
            through: None,
            permission: name("orders.read"),
            workspace: workspace.map(name),
            resource: None,
            context: None,
            entities: None,
            at,
        };
        listing.explain(&why, &Draft::default()).expect("explained")
    }

    fn reads(&self, workspace: Option<&str>) -> bool {
        self.explained(workspace, self.house.engine.now()).reason == Reason::None
    }

    fn figure(&self, name: &str) -> u64 {
        let view = self.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let (figures, _) = self.house.engine.figures(&self.tenant.admin, view).expect("figures");
        figures.iter().find(|figure| figure.name == name).expect("the figure").count
    }

    async fn restarted(self) -> Self {
        let house = House::over(Arc::clone(&self.house.store), self.house.engine.now().0).await;
        let admin = house.bind(&self.tenant.admin_key).await;
        Self { tenant: Tenant { admin, ..self.tenant }, house, ..self }
    }
}

/// PROPERTY: of everything that somebody holds a guest keeps what is granted to itself in a workspace, there and below;
/// what is granted in the whole tenant, to groups of any kind, does not reach it, wherever it stands, and the explanation
/// says so; a member of all that again when it is turned back. Across checkpoints and restarts.
#[tokio::test]
async fn guests_have_what_is_granted_to_them_in_workspaces() {
    let mut scene = Scene::new().await;
    scene.done(Command::DeclareAttribute { name: name("city"), kind: AttributeKind::Text }).await;
    let rule = vec![Condition::new("city=*").expect("a condition")];
    scene.group("everybody", rule, None).await;
    scene.group("team", Vec::new(), Some("sales")).await;
    scene.join("team", scene.ann).await;
    let values = vec![(name("city"), Some(AttributeValue::Text("bonn".into())))];
    let id = scene.house.engine.command_id();
    let set = scene.house.engine.set_attributes(&scene.tenant.admin, (id, false), scene.ann, values).await;
    set.expect("set");
    let everywhere = [None, Some("sales"), Some("berlin"), Some("mitte")];
    for place in everywhere {
        assert!(scene.reads(place), "{place:?}");
    }
    let turn = |guest| Command::SetGuest { subject: scene.ann, guest };
    scene.done(turn(true)).await;
    scene.grant(scene.ann, "reader", None).await;
    for place in everywhere {
        assert!(!scene.reads(place), "{place:?}");
        let told = scene.explained(place, scene.house.engine.now());
        assert!(
            !told.sources.is_empty() && told.sources.iter().all(|source| source.withheld && !source.holds)
        );
    }
    scene.grant(scene.ann, "reader", Some("berlin")).await;
    for round in 0..3 {
        let held: Vec<_> = everywhere.into_iter().filter(|place| scene.reads(*place)).collect();
        assert_eq!(held, [Some("berlin"), Some("mitte")], "{round}");
        assert_eq!(scene.figure("guests"), 1);
        assert!(scene.house.engine.checkpoint().await);
        scene = scene.restarted().await;
    }
    let back = Command::SetGuest { subject: scene.ann, guest: false };
    scene.done(back).await;
    assert!(everywhere.into_iter().all(|place| scene.reads(place)));
    assert_eq!(scene.figure("guests"), 0);
}

/// PROPERTY: nobody makes a member of a guest who could not grant what that one comes to.
#[tokio::test]
async fn nobody_lifts_a_guest_above_themselves() {
    let scene = Scene::new().await;
    let eve = scene.house.person(&scene.tenant, "eve@example.org", "correct horse").await;
    scene.done(Command::SetGuest { subject: eve, guest: true }).await;
    scene.grant(eve, "tessera.admin", None).await;
    scene.house.role(&scene.tenant, "desk", &["tessera.admin.subjects"]).await;
    scene.grant(scene.ann, "desk", None).await;
    let session = scene.house.sign_in(&scene.tenant, "ann@example.org", "correct horse").await.expect("in");
    let desk = scene.house.bind(&session).await;
    let lift = Command::SetGuest { subject: eve, guest: false };
    assert_eq!(scene.house.refused(&desk, lift).await, Refusal::BeyondCreator);
    scene.house.submit(&desk, Command::SetGuest { subject: eve, guest: true }).await;
}

/// PROPERTY: each new person gets one personal workspace, owned by the role that the tenant names; who was there before
/// gets one on demand, once; machines and guests get none by themselves; it stays with its subject and goes with it,
/// unless other workspaces hang below; nobody else takes a name like it. Across restarts.
#[tokio::test]
async fn personal_workspaces_go_with_their_subjects() {
    let mut scene = Scene::new().await;
    let make = |subject| Command::MakePersonalWorkspace { subject };
    assert_eq!(scene.refused(make(scene.ann)).await, Refusal::PersonalOff);
    scene.done(Command::SetPersonalRole { role: Some(name("owner")) }).await;
    let first = scene.done(make(scene.ann)).await.made;
    let again = scene.done(make(scene.ann)).await.made;
    assert!(first.workspace.is_some());
    assert_eq!((first.workspace, first.number), (again.workspace, again.number));
    let bob = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    let (engine, kind) = (&scene.house.engine, SubjectKind::Machine);
    let id = engine.command_id();
    engine.create_subject(&scene.tenant.admin, id, (kind, Vec::new()), None).await.expect("made");
    assert_eq!(scene.figure("personal_workspaces"), 2);
    let of = |subject: PublicId| format!("tessera.personal.{subject}");
    scene = scene.restarted().await;
    assert_eq!(scene.done(make(scene.ann)).await.made.workspace, first.workspace);
    let own =
        scene.house.sign_in(&scene.tenant, "bob@example.org", "correct horse").await.expect("signed in");
    let own = scene.house.bind(&own).await;
    // It is the subject's, and not the subject's to take away or to hand on.
    let bobs = of(bob);
    let delete = Command::DeleteWorkspace { name: name(&bobs) };
    assert_eq!(scene.house.refused(&own, delete).await, Refusal::Unauthorized);
    let ungrant = Command::Ungrant { subject: bob, role: name("owner"), workspace: Some(name(&bobs)) };
    assert_eq!(scene.refused(ungrant).await, Refusal::LastOwner);
    let owners = Command::SetOwners { name: name(&bobs), role: None };
    assert_eq!(scene.refused(owners).await, Refusal::Personal);
    let like = Command::CreateWorkspace { name: name("tessera.personal.x"), parent: None, inherits: true };
    assert_eq!(scene.refused(like).await, Refusal::Personal);
    let inner = Command::CreateWorkspace { name: name("inner"), parent: Some(name(&bobs)), inherits: true };
    scene.done(inner).await;
    assert_eq!(scene.refused(Command::DeleteSubject { subject: bob }).await, Refusal::NotEmpty);
    let moved = Command::MoveWorkspace { name: name("inner"), parent: None, inherits: true };
    scene.done(moved).await;
    // The only owner may be suspended and deleted: what is theirs waits, and goes, with them.
    scene.done(Command::SuspendSubject { subject: bob }).await;
    scene.done(Command::DeleteSubject { subject: bob }).await;
    assert_eq!(scene.figure("personal_workspaces"), 1);
    // What hangs below something else goes with it only when it is nobody's own.
    let below =
        Command::MoveWorkspace { name: name(&of(scene.ann)), parent: Some(name("sales")), inherits: true };
    scene.done(below).await;
    assert_eq!(scene.refused(Command::DeleteWorkspaceTree { name: name("sales") }).await, Refusal::Personal);
    let guest = scene.house.person(&scene.tenant, "eve@example.org", "correct horse").await;
    scene.done(Command::SetGuest { subject: guest, guest: true }).await;
    // An administrator may: and it is made anew on demand, as another one.
    scene.done(Command::DeleteWorkspace { name: name(&of(scene.ann)) }).await;
    let anew = scene.done(make(scene.ann)).await.made;
    assert!(anew.workspace != first.workspace && anew.number > first.number);
    scene.done(Command::DeleteWorkspace { name: name(&of(guest)) }).await;
    assert_eq!(scene.refused(make(guest)).await, Refusal::PersonalOff);
    scene.done(Command::SetPersonalRole { role: None }).await;
    scene.house.person(&scene.tenant, "fay@example.org", "correct horse").await;
    assert_eq!(scene.figure("personal_workspaces"), 1);
}

/// PROPERTY: nobody names a role for personal workspaces that they could not grant.
#[tokio::test]
async fn personal_roles_lie_within_whoever_names_them() {
    let scene = Scene::new().await;
    scene.house.role(&scene.tenant, "setter", &["tessera.admin.settings"]).await;
    scene.grant(scene.ann, "setter", None).await;
    let session = scene.house.sign_in(&scene.tenant, "ann@example.org", "correct horse").await.expect("in");
    let setter = scene.house.bind(&session).await;
    let set = |role: &str| Command::SetPersonalRole { role: Some(name(role)) };
    assert_eq!(scene.house.refused(&setter, set("tessera.admin")).await, Refusal::BeyondCreator);
    scene.house.submit(&setter, set("owner")).await;
}

/// PROPERTY: a group that lies in another one for a while gives its members what that has exactly then: from the first
/// instant of the window on, and not at the first one behind it; windows of a path meet, and those of two paths join;
/// `valid_until` is the instant at which the answer turns. Across checkpoints and restarts.
#[tokio::test]
async fn edges_between_groups_have_windows() {
    let mut scene = Scene::new().await;
    for group in ["inner", "middle"] {
        scene.done(Command::CreateGroup { name: name(group), rule: Vec::new() }).await;
    }
    scene.group("outer", Vec::new(), None).await;
    scene.join("inner", scene.ann).await;
    let now = scene.house.engine.now();
    let at = |seconds: u32| now.plus_seconds(seconds);
    let nest = |outer: &str, inner: &str, from: u32, until: u32| Command::AddSubgroup {
        group: name(outer),
        member: name(inner),
        from: if from == 0 { NONE } else { at(from).to_deadline() },
        until: if until == 0 { NONE } else { at(until).to_deadline() },
    };
    scene.done(nest("middle", "inner", 10, 0)).await;
    scene.done(nest("outer", "middle", 0, 30)).await;
    assert_eq!(scene.refused(nest("inner", "outer", 0, 5)).await, Refusal::Cycle);
    assert_eq!(scene.refused(nest("outer", "inner", 50, 50)).await, Refusal::DeadlinePassed);
    for _ in 0..2 {
        for (instant, holds, until) in [
            (at(0), false, Some(at(10))),
            (UnixMillis(at(10).0 - 1), false, Some(at(10))),
            (at(10), true, Some(at(30))),
            (UnixMillis(at(30).0 - 1), true, Some(at(30))),
            (at(30), false, None),
        ] {
            let told = scene.explained(None, instant);
            assert_eq!(
                (told.reason == Reason::None, told.valid_until),
                (holds, until.unwrap_or(UnixMillis(u64::MAX)))
            );
        }
        assert!(scene.house.engine.checkpoint().await);
        scene = scene.restarted().await;
    }
    // Another path, from the moment on at which the first one ends.
    scene.done(nest("outer", "inner", 30, 40)).await;
    let told = scene.explained(None, at(20));
    assert_eq!((told.reason, told.valid_until), (Reason::None, at(40)));
    // For good: the window is replaced.
    scene.done(nest("outer", "inner", 0, 0)).await;
    assert_eq!(scene.explained(None, at(0)).valid_until, UnixMillis(u64::MAX));
    scene.done(Command::RemoveSubgroup { group: name("outer"), member: name("inner") }).await;
    assert_eq!(scene.explained(None, at(40)).reason, Reason::NotGranted);
    assert_eq!(scene.explained(None, at(20)).reason, Reason::None);
}

/// PROPERTY: the numbers of roles and groups that are gone are not given to others, after another start too, nor behind a
/// new epoch.
#[tokio::test]
async fn numbers_of_roles_and_groups_are_not_given_again() {
    let mut scene = Scene::new().await;
    let pattern = || vec![Pattern::new("orders.read").expect("a pattern")];
    let mut last = (0, 0);
    for round in 0..4 {
        let text = format!("passing-{round}");
        let role =
            scene.done(Command::CreateRole { name: name(&text), patterns: pattern() }).await.made.number;
        let group =
            scene.done(Command::CreateGroup { name: name(&text), rule: Vec::new() }).await.made.number;
        let (role, group) = (role.expect("a number"), group.expect("a number"));
        assert!(role > last.0 && group > last.1, "{round}");
        last = (role, group);
        scene.done(Command::DeleteRole { name: name(&text) }).await;
        scene.done(Command::DeleteGroup { name: name(&text) }).await;
        if round % 2 == 0 {
            assert!(scene.house.engine.checkpoint().await);
        }
        scene = scene.restarted().await;
    }
}
