//! Erasing a subject: deleted, its key destroyed, buckets written anew, and the notice that it is done.

use crate::spy;
use crate::support;

use spy::Spy;
use std::sync::Arc;
use std::time::Duration;
use support::{House, START_MS, Tenant};
use tessera_model::{Command, PublicId};
use tessera_storage::{Embedded, Options, RootKey, Store};

fn open(folder: &std::path::Path, seed: u8) -> Arc<dyn Store> {
    let options = Options::new(RootKey::new([7; 32]), [9; 32], [seed; 32]);
    Arc::new(Embedded::open(folder, options).expect("a store"))
}

/// Orders the erasure until the answer says that it is done.
async fn erased(house: &House, tenant: &Tenant, subject: PublicId) {
    for _ in 0..600 {
        let done = house.submit(&tenant.admin, Command::EraseSubject { subject }).await;
        assert_eq!(done.made.subject, Some(subject));
        if done.made.erased == Some(true) {
            return;
        }
        assert_eq!(done.made.erased, Some(false));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never done");
}

/// PROPERTY: an erasure ends with its notice, once and for ever: also of somebody who was deleted before, and in a
/// store in memory; repeated it changes nothing; everybody else signs in as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_ends_with_its_notice() {
    let folder = tempfile::tempdir().expect("a folder");
    for store in [open(folder.path(), 1), Arc::new(tessera_storage::Memory::new(1 << 20)) as Arc<dyn Store>] {
        let house = House::over(store, START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
        let ben = house.person(&tenant, "ben@example.org", "correct horse").await;
        let cid = house.person(&tenant, "cid@example.org", "correct horse").await;
        assert!(house.engine.checkpoint().await);
        erased(&house, &tenant, ann).await;
        house.submit(&tenant.admin, Command::DeleteSubject { subject: cid }).await;
        erased(&house, &tenant, cid).await;
        let before = house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await.receipt;
        let again = house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await;
        assert_eq!((again.made.erased, again.receipt), (Some(true), before));
        house.submit(&tenant.admin, Command::SuspendSubject { subject: ben }).await;
        let anew = house.person(&tenant, "ann@example.org", "correct horse").await;
        assert_ne!(anew, ann);
    }
}

/// PROPERTY: an erasure that a kill cut off ends by itself behind the next start, although nobody asks for the tenant.
/// METHOD: the first life takes no checkpoint; the tenant sleeps at the start of the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_no_erasure_half_done() {
    for covered in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let (ann, key, id) = {
            let store = open(folder.path(), 1);
            let house = House::over(Arc::new(Spy::plain(Arc::clone(&store))), START_MS).await;
            let operator = house.operator().await;
            let tenant = house.tenant(&operator, "acme").await;
            let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
            house.person(&tenant, "ben@example.org", "correct horse").await;
            assert!(!covered || house.engine.checkpoint().await);
            house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await;
            // The process ends here, with or without what runs beside.
            house.engine.stop().await;
            store.stop();
            (ann, tenant.admin_key, tenant.id)
        };
        let house = House::over(open(folder.path(), 2), START_MS + 1_000).await;
        let admin = house.bind(&key).await;
        let tenant = Tenant { id, admin_key: key, admin };
        erased(&house, &tenant, ann).await;
        // The note of it goes behind the notice.
        for _ in 0..500 {
            if house.store.erasing().expect("read").is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(house.store.erasing().expect("read").is_empty());
        // What it signed in with is free, although the frame that freed it opens no more.
        let anew = house.person(&tenant, "ann@example.org", "correct horse").await;
        assert_ne!(anew, ann);
    }
}

/// PROPERTY: an erasure that is ordered again under its own command id is known for a repeat, also when the tenant was
/// loaded since from frames that the erased key has sealed; another command under that id is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_erasure_is_known_after_a_reload() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), 1);
    let house = House::over(Arc::new(Spy::plain(Arc::clone(&store))), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let id = house.engine.command_id();
    let first = house.engine.submit(&tenant.admin, id, Command::EraseSubject { subject: ann }).await;
    let first = first.expect("begun");
    house.engine.stop().await;
    store.stop();
    drop((house, store));
    // What the frames of before are sealed under is gone before they are read again.
    let store = open(folder.path(), 3);
    let own = (tessera_storage::BucketKind::Subjects, 0);
    store.erase(tenant.id, tessera_model::SubjectIndex(2), own).expect("erased");
    store.stop();
    drop(store);
    let house = House::over(open(folder.path(), 2), START_MS + 1_000).await;
    let admin = house.bind(&tenant.admin_key).await;
    let again = house.engine.submit(&admin, id, Command::EraseSubject { subject: ann }).await.expect("known");
    assert_eq!(again.receipt, first.receipt);
    assert!(again.made.erased.is_some(), "how far it is");
    let other = house.engine.submit(&admin, id, Command::SuspendSubject { subject: ann }).await;
    assert_eq!(other.err(), Some(tessera_model::Refusal::IdReused.into()));
}
