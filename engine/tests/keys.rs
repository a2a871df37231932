//! API keys over many lives: the numbers of their restrictions come back.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_engine::{Rotation, SubmitError};
use tessera_model::limits::RESTRICTIONS_NARROWED_MAX;
use tessera_model::{
    Command, Deadline, Event, Handle, Limit, Pattern, Private, PublicId, Reason, Refusal, Revision,
    UnixMillis,
};
use tessera_storage::{Memory, Store};

async fn key(house: &House, tenant: &Tenant, patterns: &[String]) -> (Handle, PublicId) {
    let patterns = patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
    let expires = UnixMillis(START_MS).plus_seconds(86_400 * 300).to_deadline();
    let subject = tenant.admin.subject;
    let command = support::key(subject, patterns, expires, Private::default());
    let made = house.submit(&tenant.admin, command).await.made;
    (made.handle.expect("a handle"), made.session.expect("an id"))
}

/// PROPERTY: the number of a restriction comes back when no place names it any more, at the next load and not
/// before; every key, whatever number its restriction has, is let through by its own patterns alone. METHOD: keys
/// with masks of their own are made and revoked over many lives, with and without checkpoints; every live one is
/// asked everything.
#[tokio::test]
async fn numbers_of_restrictions_come_back() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let mut house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let mut tenant = house.tenant(&operator, "acme").await;
    let names: Vec<String> = (0..12).map(|no| format!("orders.do{no}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    house.role(&tenant, "worker", &all).await;
    house.grant(&tenant, tenant.admin.subject, "worker").await;
    let mut live: Vec<(Handle, PublicId, usize)> = Vec::new();
    let (mut made, mut seed) = (0, 1_u64);
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("small") % n
    };
    for life in 0..12 {
        for _ in 0..30 {
            // A mask of its own: one permission, and a name that nothing has.
            let may = next(names.len());
            let (handle, id) = key(&house, &tenant, &[names[may].clone(), format!("mask{made}.*")]).await;
            live.push((handle, id, may));
            made += 1;
            if live.len() > 8 {
                let (_, id, _) = live.swap_remove(next(live.len()));
                house.submit(&tenant.admin, Command::RevokeKey { key: id }).await;
            }
        }
        for (handle, _, may) in &live {
            for (at, name) in names.iter().enumerate() {
                let wanted = if at == *may { Reason::None } else { Reason::Restricted };
                assert_eq!(house.check(&tenant, handle, name).reason, wanted, "life {life}");
            }
        }
        if life % 2 == 0 {
            assert!(house.engine.checkpoint().await);
        }
        house = House::over(Arc::clone(&store), START_MS + 1_000 * (life + 1)).await;
        let admin = house.bind(&tenant.admin_key).await;
        tenant = Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
    }
    let frames = store.history(tenant.id, Revision(0), usize::MAX).expect("a history");
    let numbers = frames.iter().flat_map(|frame| &frame.events).filter_map(|event| match event {
        Event::RestrictionAdded(record) => Some(record.id.0),
        _ => None,
    });
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(numbers.len(), made);
    // Those of one life, and those that live on.
    assert!(numbers.iter().all(|number| *number <= 30 + 8 + 1), "{numbers:?}");
}

/// PROPERTY: a key that narrows itself again and again leaves half of the restrictions to whoever makes keys, who goes
/// on; a mask that is there already costs nothing. METHOD: one plain key, until it is refused.
#[tokio::test]
async fn narrowed_keys_leave_masks_for_others() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let (handle, id) = key(&house, &tenant, &["orders.*".to_owned()]).await;
    let plain = house.bind(&handle).await;
    let narrow = async |no: u32| {
        let patterns = vec![Pattern::new(&format!("orders.p{no}.*")).expect("a pattern")];
        let rotation =
            Rotation { key: id, expires: Deadline::NONE, patterns, networks: vec![], overlap_s: 600 };
        house.engine.rotate_key(&plain, house.engine.command_id(), rotation).await.map(drop)
    };
    // The key's own stands there already.
    let mut no = 1;
    while no < RESTRICTIONS_NARROWED_MAX {
        let more = 128.min(RESTRICTIONS_NARROWED_MAX - no);
        let told = support::at_once((no..no + more).map(narrow)).await;
        assert!(told.iter().all(Result::is_ok), "{no}: {told:?}");
        no += more;
    }
    let bound = Limit::Restrictions.at(RESTRICTIONS_NARROWED_MAX.into());
    assert_eq!(narrow(no).await, Err(SubmitError::Refused(Refusal::LimitReached(bound))));
    assert_eq!(narrow(1).await, Ok(()));
    key(&house, &tenant, &["orders.new.*".to_owned()]).await;
}
