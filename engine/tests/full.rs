//! A full store, told to whom it concerns in words that are true for them.

use crate::spy;
use crate::support;

use parking_lot::Mutex;
use spy::Spy;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{House, START_MS, at_once};
use tessera_engine::{EngineConfig, SubmitError};
use tessera_model::{Command, LimitAt, PublicId, Refusal};
use tessera_storage::{Memory, Room, StorageError};

/// PROPERTY: a command that widens is told that only narrowing ones are taken, and they are; where not even those
/// are, both are told so by a code and text of their own; a narrowing command that shared the batch of others is
/// told to come again, because alone it is taken. Nothing of what was refused happened.
/// TC-97 in part.
#[tokio::test]
async fn each_is_told_what_is_true_for_it() {
    let room = Arc::new(Mutex::new(None::<Room>));
    let fails = Arc::new(AtomicBool::new(false));
    let mut spy = Spy::plain(Arc::new(Memory::new(1 << 20)));
    let (of_room, of_commit) = (Arc::clone(&room), Arc::clone(&fails));
    spy.room = Box::new(move |room| of_room.lock().unwrap_or(room));
    spy.before_commit =
        Box::new(move |_| of_commit.swap(false, Ordering::SeqCst).then_some(StorageError::StorageFull));
    let house = House::configured(Arc::new(spy), START_MS, EngineConfig::default()).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    let suspend = |subject: PublicId| Command::SuspendSubject { subject };
    let resume = |subject: PublicId| Command::ResumeSubject { subject };
    let order = async |command: Command| {
        let told = house.engine.submit(&tenant.admin, house.engine.command_id(), command).await;
        told.map(|_| ())
    };
    let refused = |refusal: Refusal| Err(SubmitError::from(refusal));
    assert!(suspend(amy).kind().narrows() && !resume(amy).kind().narrows());

    *room.lock() = Some(Room::Full);
    assert_eq!(order(suspend(amy)).await, Ok(()));
    assert_eq!(order(resume(amy)).await, refused(Refusal::StorageFull));
    *room.lock() = Some(Room::Nothing);
    assert_eq!(order(resume(amy)).await, refused(Refusal::ReserveFull));
    assert_eq!(order(suspend(bob)).await, refused(Refusal::ReserveFull));
    let text = Refusal::ReserveFull.to_string();
    assert!(text.contains("reserve") && text != Refusal::StorageFull.to_string(), "{text}");
    *room.lock() = None;

    // The same where the store finds out only at the commit.
    for (commands, wanted) in [
        (vec![resume(amy)], vec![Refusal::StorageFull]),
        (vec![suspend(bob)], vec![Refusal::ReserveFull]),
        (vec![resume(amy), suspend(bob)], vec![Refusal::StorageFull, Refusal::Busy(LimitAt::UNNAMED)]),
    ] {
        fails.store(true, Ordering::SeqCst);
        let woken = house.engine.usage().woken;
        let told = at_once(commands.into_iter().map(&order)).await;
        assert_eq!(told, wanted.into_iter().map(refused).collect::<Vec<_>>());
        // The tenant is loaded anew, and its callers are told to wait until then.
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while house.engine.usage().woken == woken {
            assert!(std::time::Instant::now() < patience, "it was not loaded anew");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    assert_eq!(order(suspend(bob)).await, Ok(()));
    assert_eq!(order(resume(amy)).await, Ok(()));
}
