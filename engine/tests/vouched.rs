//! Sessions that somebody opened who vouched for their subject: they never outgrow their opener.

use crate::support;

use support::{House, Tenant, key};
use tessera_engine::{BUILT_IN, Bound, Rotation};
use tessera_model::{
    Deadline, Handle, Pattern, PermissionId, Private, PublicId, Reason, Refusal, WorkspaceRef,
};

/// A tenant, a service that vouches, and amy who reads orders.
async fn scene(house: &House) -> (Tenant, Bound, PublicId) {
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let service = house.person(&tenant, "service@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.role(&tenant, "writer", &["orders.write", "orders.later"]).await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.grant(&tenant, amy, "reader").await;
    house.grant(&tenant, service, "tessera.service").await;
    let session = house.sign_in(&tenant, "service@example.org", "correct horse").await.expect("signed in");
    (tenant, house.bind(&session).await, amy)
}

async fn opened(house: &House, by: &Bound, subject: PublicId) -> Handle {
    house.open(by, subject).await.expect("opened").made.handle.expect("a handle")
}

/// What a session may do of the engine's permissions, by checks; the list must say the same.
fn engine_permissions(house: &House, tenant: &Tenant, handle: &Handle) -> Vec<&'static str> {
    let held = BUILT_IN.iter().copied().filter(|name| house.check(tenant, handle, name).is_permit());
    let held: Vec<_> = held.collect();
    let view = tenant.admin.entry.view();
    let reading = house.engine.read(view.as_ref().expect("awake"));
    let bytes = handle.to_bytes();
    let listed = house.engine.list_permissions(&tenant.admin, &reading, (&bytes, None), WorkspaceRef::Tenant);
    let words = listed.expect("alive").permitted;
    let bit = |id: usize| words[id / 64] >> (id % 64) & 1 == 1;
    let listed: Vec<_> = (1..).zip(BUILT_IN).filter(|(id, _)| bit(*id)).map(|(_, name)| *name).collect();
    assert_eq!(held, listed);
    // Of applications' permissions the list and the check agree as well.
    for id in BUILT_IN.len() + 1..words.len() * 64 {
        let Some(name) = reading.permission_name(PermissionId(u32::try_from(id).expect("small"))) else {
            continue;
        };
        assert_eq!(house.check(tenant, handle, name).is_permit(), bit(id), "{name}");
    }
    held
}

/// PROPERTY: a session that was opened without a proof never holds a permission of the engine that its opener
/// did not hold when it opened it, whatever its subject is granted later, across checkpoints and restarts;
/// applications' permissions follow the subject's grants, and a session with a proof follows all of them.
/// TC-61 in part: sessions without a proof.
#[tokio::test]
async fn a_vouched_session_never_outgrows_its_opener() {
    let house = House::new().await;
    let (tenant, service, amy) = scene(&house).await;
    let vouched = opened(&house, &service, amy).await;
    let proven = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let by_admin = opened(&house, &tenant.admin, amy).await;
    assert_eq!(engine_permissions(&house, &tenant, &vouched), [""; 0]);
    house.grant(&tenant, amy, "tessera.admin").await;
    house.grant(&tenant, amy, "writer").await;
    let of_service = ["tessera.check", "tessera.read", "tessera.sessions.open", "tessera.address"];
    let look = |house: &House, tenant: &Tenant| {
        assert_eq!(engine_permissions(house, tenant, &vouched), of_service);
        assert_eq!(house.check(tenant, &vouched, "tessera.admin.keys").reason, Reason::Restricted);
        for all in [&proven, &by_admin] {
            assert_eq!(engine_permissions(house, tenant, all), BUILT_IN);
        }
        for name in ["orders.read", "orders.write", "orders.later"] {
            assert!(house.check(tenant, &vouched, name).is_permit(), "{name}");
        }
    };
    look(&house, &tenant);
    assert!(house.engine.checkpoint().await);
    let again = House::over(std::sync::Arc::clone(&house.store), house.engine.now().0).await;
    let admin = again.bind(&tenant.admin_key).await;
    look(&again, &Tenant { id: tenant.id, admin, admin_key: tenant.admin_key });
}

/// PROPERTY: what a vouched session makes is bounded as it is: it opens sessions under its own ceiling, makes no
/// key that covers more, rotates no key of its subject, resets nobody above it and hands out no more.
#[tokio::test]
async fn what_a_vouched_session_makes_is_bounded_too() {
    let house = House::new().await;
    let (tenant, service, amy) = scene(&house).await;
    house
        .role(&tenant, "keys", &["tessera.sessions.open", "tessera.admin.keys", "tessera.admin.grants"])
        .await;
    house.grant(&tenant, service.subject, "keys").await;
    let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text).expect("one")).collect();
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let made =
        house.submit(&tenant.admin, key(amy, patterns(&["tessera.*"]), expires, Private::default())).await;
    let old = made.made.session.expect("an id");
    let vouched = opened(&house, &service, amy).await;
    house.grant(&tenant, amy, "tessera.admin").await;
    let own = house.bind(&vouched).await;
    let rotation =
        Rotation { key: old, expires: Deadline::NONE, patterns: vec![], networks: vec![], overlap_s: 0 };
    let rotated = house.engine.rotate_key(&own, house.engine.command_id(), rotation).await;
    let told = rotated.err();
    assert_eq!(told, Some(Refusal::BeyondCreator.into()), "a key that covers more was taken over");
    let make = |texts: &[&str]| key(amy, patterns(texts), expires, Private::default());
    let order = |command| house.engine.submit(&own, house.engine.command_id(), command);
    for beyond in
        [&[][..], &["*"], &["tessera.*"], &["tessera.admin.roles"], &["orders.*", "tessera.admin.*"]]
    {
        let refused = order(make(beyond)).await.err();
        assert_eq!(refused, Some(Refusal::BeyondCreator.into()), "{beyond:?}");
    }
    assert!(order(make(&["orders.*", "tessera.admin.keys"])).await.is_ok());
    let refused = order(support::grant(amy, "tessera.admin")).await.err();
    assert_eq!(refused, Some(Refusal::BeyondCreator.into()));
    // It may open sessions for those below it, and they are bounded as it is.
    assert_eq!(house.open(&own, amy).await.err(), Some(Refusal::BeyondCreator.into()));
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    let next = opened(&house, &own, bob).await;
    house.grant(&tenant, bob, "tessera.admin").await;
    let held = engine_permissions(&house, &tenant, &next);
    assert_eq!(held, engine_permissions(&house, &tenant, &vouched));
    assert!(held.contains(&"tessera.admin.keys") && !held.contains(&"tessera.admin.roles"));
}
