//! How it ended that somebody acted for another.

use super::*;

/// PROPERTY: that somebody acted is kept with when and how it ended, by whichever way that was, without anybody asking:
/// ended by the actor, the subject or an administrator, by its time or by nobody using it, by the end of the actor's session
/// or of its power, and by a cut-off, a suspension or a deletion of the subject. What goes on has no end. Across checkpoints
/// and restarts; the last ones of many are remembered. TC-67 in part: that it is over.
#[tokio::test]
async fn how_acting_ended_is_kept() {
    let last = |scene: &Scene| {
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let index = listing.subject(scene.amy).map(|record| record.index);
        let rows = listing.actings(index.expect("amy"), 0, 1_000).rows;
        let found = rows.last().expect("one").clone();
        assert_eq!((found.1, &*found.0.reason), (Some(scene.sue), "ticket 7"));
        (rows.len(), found.0)
    };
    for way in 0..10 {
        let mut scene = Scene::new().await;
        let handle = scene.acting(&["orders.*"]).await;
        let (_, record) = last(&scene);
        assert_eq!((record.how, record.ended), (ActingEnd::None, tessera_model::Deadline::NONE), "{way}");
        assert_eq!(record.begun, scene.house.engine.now().to_deadline());
        let (session, amy) = (record.session, scene.amy);
        if way % 2 == 0 {
            assert!(scene.house.engine.checkpoint().await);
        }
        scene = scene.restarted().await;
        scene.house.pass(30_000);
        let (house, admin) = (&scene.house, &scene.tenant.admin);
        let mut at = house.engine.now().to_deadline();
        let how = match way {
            0 => {
                house.submit(&house.bind(&handle).await, Command::EndSession { session }).await;
                ActingEnd::Ordered
            }
            1 => {
                let own = house.sign_in(&scene.tenant, "amy@example.org", "correct horse").await.expect("in");
                house.submit(&house.bind(&own).await, Command::EndSession { session }).await;
                ActingEnd::Ordered
            }
            2 => {
                house.submit(admin, Command::EndSession { session }).await;
                ActingEnd::Ordered
            }
            3 => {
                house.pass(900_000);
                at = record.ends;
                ActingEnd::Lifetime
            }
            4 => {
                let own = record_of(house, &scene.own, admin);
                house.submit(admin, Command::EndSession { session: own }).await;
                ActingEnd::Actor
            }
            5 => {
                let role = Name::new("support").expect("a name");
                house.submit(admin, Command::Ungrant { subject: scene.sue, role, workspace: None }).await;
                ActingEnd::Actor
            }
            6 => {
                house.submit(admin, Command::EndSubjectSessions { subject: scene.sue }).await;
                ActingEnd::Actor
            }
            7 => {
                house.submit(admin, Command::EndSubjectSessions { subject: amy }).await;
                ActingEnd::Subject
            }
            8 => {
                house.submit(admin, Command::SuspendSubject { subject: amy }).await;
                ActingEnd::Subject
            }
            _ => {
                house.submit(admin, Command::EndTenantSessions {}).await;
                ActingEnd::Subject
            }
        };
        // Whatever is ordered next has noted it.
        let name = Name::new("later").expect("a name");
        house.submit(admin, Command::CreateRole { name, patterns: Vec::new() }).await;
        let (count, record) = last(&scene);
        assert_eq!((count, record.how, record.ended), (1, how, at), "{way}");
        assert_ne!(scene.reason(&handle, "orders.read"), Reason::None, "{way}");
        assert!(scene.house.engine.checkpoint().await);
        let scene = scene.restarted_by_admin().await;
        assert_eq!(last(&scene), (1, record), "{way}");
    }
    let scene = Scene::new().await;
    for _ in 0..ACTED_PER_SUBJECT_MAX + 5 {
        let made = scene.house.submit(&scene.by, act(scene.amy, &["orders.*"])).await.made;
        let session = made.session.expect("an id");
        scene.house.submit(&scene.by, Command::EndSession { session }).await;
    }
    assert_eq!(last(&scene).0, ACTED_PER_SUBJECT_MAX);
}

/// The public id of a session.
fn record_of(house: &House, handle: &Handle, admin: &Bound) -> PublicId {
    let view = admin.entry.view();
    let reading = house.engine.read(view.as_ref().expect("awake"));
    house.engine.introspect(admin, &reading, (&handle.to_bytes(), None)).expect("alive").id
}

/// PROPERTY: what is kept says what a check says: one that is kept as over stays over, whatever the actor, the subject
/// or a window is given afterwards, and one that goes on is not kept as over, from wherever it may be used alone.
#[tokio::test]
async fn what_is_kept_as_over_stays_over() {
    let told = |scene: &Scene, handle: &Handle| {
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        let index = listing.subject(scene.amy).map(|record| record.index).expect("amy");
        let over = listing.actings(index, 0, 9).rows.last().expect("one").0.how != ActingEnd::None;
        (over, scene.reason(handle, "orders.read") == Reason::None)
    };
    let note = |scene: &Scene, no: u8| {
        let name = Name::new(&format!("later{no}")).expect("a name");
        let (house, admin) = (scene.house.engine.clone(), scene.tenant.admin.clone());
        let role = Command::CreateRole { name, patterns: Vec::new() };
        async move { drop(house.submit(&admin, house.command_id(), role).await.expect("noted")) }
    };
    for way in 0..3 {
        let scene = Scene::new().await;
        let handle = scene.acting(&["orders.*"]).await;
        let role = Name::new("support").expect("a name");
        let admin = &scene.tenant.admin;
        let (subject, workspace) = (scene.sue, None);
        let back = support::grant(scene.sue, "support");
        let (away, back) = match way {
            0 => (Command::Ungrant { subject, role, workspace }, vec![back]),
            1 => {
                let narrow = patterns(&["tessera.check"]);
                let wide = patterns(&["tessera.check", "tessera.sessions.open"]);
                let change = |patterns| Command::ChangeRole { name: role.clone(), patterns };
                (change(narrow), vec![change(wide)])
            }
            _ => {
                let again = support::grant(scene.amy, "reader");
                let (suspend, resume) = (
                    Command::SuspendSubject { subject: scene.amy },
                    Command::ResumeSubject { subject: scene.amy },
                );
                (suspend, vec![resume, again])
            }
        };
        assert_eq!(told(&scene, &handle), (false, true), "{way}");
        scene.house.submit(admin, away).await;
        note(&scene, 0).await;
        assert_eq!(told(&scene, &handle), (true, false), "{way}");
        for command in back {
            scene.house.submit(admin, command).await;
        }
        note(&scene, 1).await;
        assert_eq!(told(&scene, &handle), (true, false), "{way}: over, and given again");
        assert!(scene.house.engine.checkpoint().await);
        let scene = scene.restarted_by_admin().await;
        assert_eq!(told(&scene, &handle), (true, false), "{way}");
    }
    // What lets the actor act counts from some networks alone: from there it goes on.
    let scene = Scene::new().await;
    let handle = scene.acting(&["orders.*"]).await;
    scene.support_from_a_network().await;
    note(&scene, 0).await;
    assert!(!told(&scene, &handle).0);
    let inside = Some("192.0.2.7".parse().expect("an address"));
    assert!(scene.house.engine.hello_from(&handle.to_bytes(), None, inside).is_ok());
}
