//! One damaged tenant among others, over the real store: it says that it failed, the others go on.

use crate::support;

use std::path::Path;
use std::sync::Arc;
use support::{House, START_MS};
use tessera_engine::{EngineConfig, HelloRefusal, Standing, SubmitError};
use tessera_model::record::SubjectKind;
use tessera_model::{Command, Name, Refusal, TenantId};
use tessera_storage::{Embedded, Options, RootKey, Store};

const BLOCK: usize = 4096;

fn open(path: &Path) -> Arc<Embedded> {
    let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
    options.journal_file_bytes = 64 * 1024;
    options.tail_frames_max = 400;
    Arc::new(Embedded::open(path, options).expect("a store"))
}

/// Turns a bit in the last frame of a tenant that the journal holds: file and offset.
fn damage(path: &Path, tenant: TenantId) -> (String, u64) {
    let mut last: Option<(u64, String, u64)> = None;
    for entry in std::fs::read_dir(path).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if !name.starts_with("journal-") {
            continue;
        }
        let bytes = std::fs::read(path.join(&name)).expect("a file");
        for at in (0..bytes.len()).step_by(BLOCK).filter(|at| bytes[*at..].starts_with(b"\xFFTSG")) {
            let number = |from: usize, len: usize| {
                bytes[at + from..at + from + len]
                    .iter()
                    .rev()
                    .fold(0, |all, byte| all << 8 | u64::from(*byte))
            };
            for entry in (0..number(16, 4)).map(|no| 128 + 32 * usize::try_from(no).expect("small")) {
                let (owner, revision, offset) =
                    (number(entry, 8), number(entry + 8, 8), number(entry + 16, 4));
                if owner == tenant.0 && last.as_ref().is_none_or(|(found, ..)| *found < revision) {
                    last = Some((revision, name.clone(), at as u64 + offset));
                }
            }
        }
    }
    let (_, name, offset) = last.expect("a frame of the tenant");
    let mut bytes = std::fs::read(path.join(&name)).expect("a file");
    bytes[usize::try_from(offset).expect("small") + 70] ^= 4;
    std::fs::write(path.join(&name), bytes).expect("written");
    (name, offset)
}

async fn subject(house: &House, tenant: &support::Tenant) -> Result<(), tessera_engine::SubmitError> {
    let (engine, id) = (&house.engine, house.engine.command_id());
    engine.create_subject(&tenant.admin, id, (SubjectKind::Machine, Vec::new()), None).await.map(drop)
}

/// Makes a subject; where the tail is full, a checkpoint must make room for it.
async fn one_more(house: &House, tenant: &support::Tenant) {
    let made = match subject(house, tenant).await {
        Err(SubmitError::Refused(Refusal::Busy(_))) => {
            assert!(house.engine.checkpoint().await, "no checkpoint could be taken");
            subject(house, tenant).await
        }
        made => made,
    };
    assert_eq!(made, Ok(()));
}

/// PROPERTY: a tenant with one damaged byte in the tail answers TenantFailed after every restart, with file
/// and offset in what the store tells, and thousands of commands of others are never refused: the journal
/// goes round without it. It can be deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_tenant_fails_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    // No checkpoint but for a tail that fills: the damage lies behind the last one.
    let config = EngineConfig { checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let (ids, keys, operator_key) = {
        let house = House::configured(open(path), START_MS, config).await;
        let operator = house.operator().await;
        let (sick, well) = (house.tenant(&operator, "sick").await, house.tenant(&operator, "well").await);
        for _ in 0..5 {
            subject(&house, &sick).await.expect("made");
            subject(&house, &well).await.expect("made");
        }
        let operator_key = house.operator_key.lock().expect("sound").expect("a key");
        // Not stopped: a stop takes a checkpoint. The store closes its journal, as 50 ms of rest would.
        house.store.stop();
        ([sick.id, well.id], [sick.admin_key, well.admin_key], operator_key)
    };
    let (file, offset) = damage(path, ids[0]);
    for life in 0..4 {
        let store = open(path);
        let found = store.damaged();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((&*found[0].file, found[0].offset), (file.as_str(), offset), "life {life}");
        let house = House::configured(store, START_MS, config).await;
        assert_eq!(house.engine.usage().failed, 1);
        let refused = house.engine.hello(&keys[0].to_bytes(), None).err();
        assert_eq!(refused, Some(HelloRefusal::Failed), "life {life}");
        let operator = house.bind(&operator_key).await;
        let there = house.engine.hello(&operator_key.to_bytes(), Some(ids[0])).err();
        assert_eq!(there, Some(HelloRefusal::Failed));
        let well = support::Tenant { id: ids[1], admin: house.bind(&keys[1]).await, admin_key: keys[1] };
        for _ in 0..1_200 {
            one_more(&house, &well).await;
        }
        let usage = house.engine.usage();
        assert!(usage.store.checkpoints >= 2 && usage.store.journal_files < 40, "{usage:?}");
        let entry = house.engine.entry(ids[0]).expect("an entry");
        assert_eq!(entry.standing(), Standing::Failed);
        if life == 3 {
            let command = Command::DeleteTenant { tenant: ids[0], finish: false };
            house.submit(&operator, command).await;
            while house.engine.usage().failed > 0 || !house.store.damaged().is_empty() {
                tokio::task::yield_now().await;
            }
        }
        house.engine.stop().await;
    }
    let house = House::configured(open(path), START_MS, config).await;
    assert!(house.store.damaged().is_empty());
    assert_eq!(house.engine.usage().failed, 0);
    assert_eq!(house.engine.hello(&keys[0].to_bytes(), None).err(), Some(HelloRefusal::Refused));
}

/// PROPERTY: a tenant whose frames go bad while the node runs fails when it is next loaded or put, with its
/// commands told so; the checkpoint goes on without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_under_a_running_node_fails_one_tenant() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let config = EngineConfig { checkpoint_every_ms: u64::MAX, ..EngineConfig::default() };
    let house = House::configured(open(path), START_MS, config).await;
    let operator = house.operator().await;
    let (sick, well) = (house.tenant(&operator, "sick").await, house.tenant(&operator, "well").await);
    subject(&house, &sick).await.expect("made");
    damage(path, sick.id);
    assert!(house.engine.checkpoint().await);
    assert_eq!(subject(&house, &sick).await, Err(Refusal::TenantFailed.into()));
    assert!(sick.admin.entry.view().is_none());
    for _ in 0..1_000 {
        one_more(&house, &well).await;
    }
    house.engine.stop().await;
    let operator_key = house.operator_key.lock().expect("sound").expect("a key");
    drop(house);
    let house = House::configured(open(path), START_MS, config).await;
    let mut answer = house.engine.hello(&sick.admin_key.to_bytes(), None).err();
    while answer == Some(HelloRefusal::NotReady) {
        tokio::task::yield_now().await;
        answer = house.engine.hello(&sick.admin_key.to_bytes(), None).err();
    }
    assert_eq!(answer, Some(HelloRefusal::Failed));
    let name = Name::new("more").expect("a name");
    let operator = house.bind(&operator_key).await;
    house.submit(&operator, Command::CreateTenant { name }).await;
}
