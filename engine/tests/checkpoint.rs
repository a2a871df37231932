//! A checkpoint of many buckets, and the directory that a kill in its middle leaves.

use crate::spy;
use crate::support;

use spy::Spy;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{House, START_MS};
use tessera_engine::EngineConfig;
use tessera_model::TenantId;
use tessera_model::record::SubjectKind;
use tessera_storage::{Embedded, Options, RootKey};

fn options() -> Options {
    let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
    options.journal_file_bytes = 16 * 1024 * 1024;
    options
}

fn open(path: &Path) -> Arc<Embedded> {
    Arc::new(Embedded::open(path, options()).expect("a store"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

async fn many(house: &House, tenant: &support::Tenant, count: usize) {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (engine, admin) = (house.engine.clone(), tenant.admin.clone());
        running.spawn(async move {
            let id = engine.command_id();
            engine.create_subject(&admin, id, (SubjectKind::Machine, Vec::new()), None).await.expect("made");
        });
        if running.len() >= 512 {
            running.join_next().await.expect("one").expect("no panic");
        }
    }
    while let Some(one) = running.join_next().await {
        one.expect("no panic");
    }
}

fn subjects(tenant: &support::Tenant) -> usize {
    let view = tenant.admin.entry.view();
    let listing = view.as_ref().expect("awake").listing();
    let (mut count, mut from) = (0, 0);
    loop {
        let page = listing.subjects(from, 1_000);
        count += page.rows.len();
        match page.next {
            Some(next) => from = next,
            None => return count,
        }
    }
}

/// PROPERTY: what is acknowledged survives a kill in the middle of a checkpoint. METHOD: an image of the
/// directory right after the first buckets of 10,000 subjects were put, and a second engine over it.
/// TC-100.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_two_handovers_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (live, image) = (folder.path().join("live"), folder.path().join("image"));
    let inner = open(&live);
    let puts = Arc::new(AtomicUsize::new(0));
    let mut spy = Spy::plain(inner);
    let (counted, from, to) = (Arc::clone(&puts), live.clone(), image.clone());
    spy.after_put = Box::new(move |tenant, head, buckets| {
        if tenant != TenantId::SYSTEM && head.next.0 > 9_000 {
            let nth = counted.fetch_add(1, Ordering::SeqCst) + 1;
            println!("put {nth} of {tenant}: {} buckets before {}", buckets.len(), head.next);
            if nth == 1 {
                copy(&from, &to); // what a kill -9 would leave now
            }
        }
    });
    let config = EngineConfig { checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(Arc::new(spy), START_MS, config).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    many(&house, &tenant, 10_000).await;
    assert_eq!(subjects(&tenant), 10_001);
    assert!(house.engine.checkpoint().await);
    assert!(puts.load(Ordering::SeqCst) >= 1);
    println!("image taken; starting on it");
    let again = House::over(open(&image), START_MS).await;
    let entry = again.engine.entry(tenant.id).expect("an entry");
    let bound = match again.engine.hello(&tenant.admin_key.to_bytes(), None) {
        Err(tessera_engine::HelloRefusal::Refused) => None,
        _ => Some(again.bind(&tenant.admin_key).await),
    };
    println!("standing {:?}", entry.standing());
    let found = bound.map(|admin| {
        let tenant = support::Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
        let view = tenant.admin.entry.view();
        let roles = view.as_ref().expect("awake").listing().roles(0, 100).rows.len();
        drop(view);
        (subjects(&tenant), roles)
    });
    assert_eq!(found, Some((10_001, 3)), "subjects and roles that were acknowledged");
}
