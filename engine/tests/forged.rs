//! What forged refresh handles cost: one hash where somebody lives, nothing where somebody sleeps.
#![cfg(feature = "planted")]

use crate::support;

use std::sync::Arc;
use support::{House, Tenant};
use tessera_crypto::digest::hashes_made;
use tessera_engine::SubmitError;
use tessera_model::refresh::{RefreshMode, RefreshSecret};
use tessera_model::{Generation, Handle, HandleKind, Place, Reason, Refusal};

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    tessera_crypto::random::fill(&mut bytes).expect("random bytes");
    bytes
}

/// PROPERTY: a refresh handle that was not made here costs exactly one keyed hash, whatever is wrong with it, ends
/// nobody's session and writes nothing: the next refresh with the right one is as if it had not been. METHOD: the
/// hashes of this thread counted.
#[tokio::test]
async fn a_forgery_costs_one_hash_and_ends_nothing() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    house.set(&tenant, |settings| settings.refresh = u32::from(RefreshMode::Rotating.number())).await;
    let made = house.open(&tenant.admin, amy).await.expect("opened").made;
    let (session, refresh) = (made.handle.expect("a handle"), made.refresh.expect("a refresh handle"));
    let right = RefreshSecret::parse(&refresh.secret);
    let secret = |number, index, mac| RefreshSecret { number, index, mac }.to_bytes();
    let position = || tenant.admin.entry.view().as_ref().expect("awake").read(house.engine.now()).seen();
    let before = position();
    let (Place(place), Generation(life)) = (refresh.place, refresh.generation);
    let mut forgeries = vec![
        ("another mac", Handle { secret: secret(right.number, right.index, [0; 16]), ..refresh }),
        ("another index", Handle { secret: secret(right.number, right.index + 1, right.mac), ..refresh }),
        ("no such key", Handle { secret: secret(right.number + 7, right.index, right.mac), ..refresh }),
        ("another life", Handle { generation: Generation(life + 1), ..refresh }),
        ("no life yet", Handle { generation: Generation(0), ..refresh }),
        ("another place", Handle { place: Place(place + 1), ..refresh }),
        ("a place that nobody made", Handle { place: Place(0x00FF_FFFF), ..refresh }),
    ];
    forgeries.extend((0..2_000).map(|_| ("random", Handle { secret: random(), ..refresh })));
    for (what, forged) in &forgeries {
        let hashes = hashes_made();
        let told = house.refresh(&tenant.admin, forged).await.err();
        assert_eq!(told, Some(SubmitError::from(Refusal::SessionUnknown)), "{what}");
        assert_eq!(hashes_made() - hashes, 1, "{what}");
    }
    assert_eq!(position(), before, "something was written");
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
    let next = house.refresh(&tenant.admin, &refresh).await.expect("refreshed").made.refresh;
    assert_eq!(RefreshSecret::parse(&next.expect("a successor").secret).index, right.index + 1);
}

/// PROPERTY: refresh handles of sleeping tenants, made up or real, wake none of them and cost no hash, whoever shows
/// them and wherever. METHOD: 10,000 over twenty tenants that sleep, shown by a caller of another tenant, as a
/// credential and as a one-time secret.
/// TC-64 in part: forged handles.
#[tokio::test]
async fn forgeries_wake_nobody() {
    let house = House::new().await;
    let operator = house.operator().await;
    let mut sleepers = Vec::new();
    for nth in 0..20 {
        let tenant = house.tenant(&operator, &format!("t{nth}")).await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        house.set(&tenant, |settings| settings.refresh = u32::from(RefreshMode::Rotating.number())).await;
        let real =
            house.open(&tenant.admin, amy).await.expect("opened").made.refresh.expect("a refresh handle");
        sleepers.push((tenant.id, real));
    }
    let awake = house.tenant(&operator, "awake").await;
    assert!(house.engine.checkpoint().await);
    let again = House::over(Arc::clone(&house.store), house.engine.now().0).await;
    let admin = again.bind(&awake.admin_key).await;
    let awake = Tenant { id: awake.id, admin, admin_key: awake.admin_key };
    let (woken, hashes) = (again.engine.usage().woken, hashes_made());
    for nth in 0..10_000 {
        let (tenant, real) = &sleepers[nth % sleepers.len()];
        let secret = if nth % 50 == 0 { real.secret } else { random() };
        let forged = Handle { kind: HandleKind::Refresh, tenant: *tenant, secret, ..*real };
        let told = again.refresh(&awake.admin, &forged).await.err();
        assert_eq!(told, Some(SubmitError::from(Refusal::SessionUnknown)));
        let bytes = forged.to_bytes();
        assert!(again.engine.hello(&bytes, None).is_err() && again.engine.hello_set_up(&bytes).is_err());
        assert!(again.engine.hello(&bytes, Some(awake.id)).is_err());
    }
    assert_eq!(hashes_made(), hashes);
    tokio::task::yield_now().await;
    assert_eq!(again.engine.usage().woken, woken);
    for (tenant, _) in &sleepers {
        assert!(again.engine.trouble(*tenant).is_none());
    }
}
