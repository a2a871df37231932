//! Memory: beyond its bound the tenants that were used least recently sleep, and nobody in use does.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS};
use tessera_engine::{EngineConfig, Standing};
use tessera_model::Command;
use tessera_model::record::SubjectKind;
use tessera_storage::Memory;

/// PROPERTY: with more tenants awake than memory allows, those that were used least recently are put to sleep, also where
/// a checkpoint must come first, until the rest fits; one that is in use stays, and all of them wake again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_least_recently_used_sleep() {
    let room = 1024 * 1024;
    let config =
        EngineConfig { memory_bytes_max: room, checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(Arc::new(Memory::new(1 << 20)), START_MS, config).await;
    let operator = house.operator().await;
    let mut tenants = Vec::new();
    for no in 0..12 {
        tenants.push(house.tenant(&operator, &format!("tenant{no}")).await);
        for _ in 0..300 {
            let (engine, admin) = (&house.engine, &tenants[no].admin);
            let made =
                engine.create_subject(admin, engine.command_id(), (SubjectKind::Machine, vec![]), None);
            made.await.expect("made");
        }
    }
    let each = tenants[3].admin.entry.view().as_ref().expect("awake").bytes();
    assert!(each > 300 * (135 + 55) && each < room / 3, "{each}");
    assert!(house.engine.usage().awake_bytes > room);
    // Used in the order of their numbers, a second apart.
    for tenant in &tenants {
        house.pass(1_500);
        assert!(house.engine.is_alive(&tenant.admin));
    }
    house.pass(1_999);
    assert!(house.engine.is_alive(&tenants[0].admin), "and the first one again");
    while house.engine.usage().awake_bytes > room {
        tokio::task::yield_now().await;
    }
    let usage = house.engine.usage();
    let awake: Vec<bool> =
        tenants.iter().map(|tenant| tenant.admin.entry.standing() == Standing::Awake).collect();
    println!("{awake:?} {usage:?}");
    assert!(awake[0], "it was in use");
    let first = awake[1..].iter().position(|awake| *awake).expect("some") + 1;
    assert!(awake[1..first].iter().all(|awake| !awake) && awake[first..].iter().all(|awake| *awake));
    let slept = awake.iter().filter(|awake| !**awake).count();
    assert!(slept >= 12 - room / each && slept < 12);
    assert_eq!((usage.slept, usage.slept_for_memory), (slept as u64, slept as u64));
    assert!(usage.store.checkpoints >= 1);
    for tenant in &tenants {
        let admin = house.bind(&tenant.admin_key).await;
        let subject = admin.subject;
        house.submit(&admin, Command::EndSubjectSessions { subject }).await;
    }
    assert!(house.engine.usage().woken >= 12 + slept as u64);
}
