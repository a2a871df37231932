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
