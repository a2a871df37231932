//! Moves of which a cell is lost, restored from a backup, or killed in between: what opens, what is refused, and that no
//! two cells ever permit.

use crate::moving::{A, B, Crossed, Links, Side, World, killed, name, start};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tessera_engine::moving::{MoveStatus, MoveWay, SettleWay, WordStatus};
use tessera_engine::{HelloRefusal, SubmitError};
use tessera_model::{Caller, Refusal};
use tessera_storage::disk::Disk;
use tessera_storage::disk::simulated::Simulated;
use tessera_storage::{Backup, Progress, RootKey};

/// Syncs of both cells from the last chunk on: commits of the two chains and of the two system tenants, and what the other
/// cell writes of the copy; with as much again for what the lanes close meanwhile.
const SYNCS_MAX: u64 = 20;
/// Bytes that cross in it where nothing was ordered since the last pass: the frame that freezes a tenant, and the last one.
const BYTES_MAX: usize = 1_024;

/// A move that is cut with a step, and the cell that gives the tenant away lost with it.
async fn cut_at(step: &'static str, arrives: bool) -> World {
    let world = World::new().await;
    *world.links.fatal.lock().expect("sound") = Some((step, arrives));
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!(told.status, MoveStatus::Failed, "{told:?}");
    world.a.lives.store(false, Ordering::SeqCst);
    world.links.engines.lock().expect("sound").remove(&A.0);
    world.links.cut.store(false, Ordering::SeqCst);
    world
}

/// Waits until a cell has a whole copy, or has begun one.
async fn until_copied(side: &Side, whole: bool) {
    for _ in 0..60_000 {
        let found = side.house.store.arrivals(&|_| true).expect("read");
        if found.first().is_some_and(|found| found.head.is_some() == whole) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("nothing was copied");
}

fn is_sent_on(world: &World, side: &Side) -> bool {
    let told = side.house.engine.hello(&world.tenant.admin_key.to_bytes(), None);
    matches!(told, Err(HelloRefusal::Elsewhere(_)))
}

/// The cell that was said to be lost comes back, first alone and then among the others: it never permits.
async fn comes_back(world: &mut World, permitting: usize) {
    world.links.cut.store(true, Ordering::SeqCst);
    world.a = killed(&world.links, A, &world.a).await;
    for _ in 0..200 {
        assert!(!world.permits(&world.a), "it cannot know that it may");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let late = world.write(&world.a, world.a.house.engine.command_id(), "late").await;
    assert!(matches!(late, Err(SubmitError::Refused(Refusal::NotReady | Refusal::Redirect))), "{late:?}");
    world.links.cut.store(false, Ordering::SeqCst);
    world.a.house.engine.tend_moves().await;
    assert_eq!(world.permitting(), permitting);
    let placed = world.b.house.engine.placement(world.tenant.id).expect("placed");
    let heard = world.a.house.engine.place(placed).await;
    assert!(matches!(heard, Ok(()) | Err(SubmitError::Refused(Refusal::PlacementOld))), "{heard:?}");
    assert!(is_sent_on(world, &world.a), "it says where the tenant lives");
    assert_eq!(world.permitting(), permitting);
}

/// PROPERTY: a cell that is lost before its last word: what was copied whole opens by an operator's word alone who says that
/// what came behind it may be lost; sessions end, keys live on, and the higher placement keeps the lost cell closed
/// should it come back, whomever it reaches. TC-108 in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_lost_before_its_last_word() {
    let mut world = cut_at("end", true).await;
    until_copied(&world.b, true).await;
    assert!(!world.permits(&world.b), "what waits is no tenant");
    let unsaid = world.settle(&world.b, SettleWay::SourceLost, false).await;
    assert_eq!(unsaid.err(), Some(SubmitError::Refused(Refusal::LossUnsaid)));
    // Somebody asks for it all the while: also when it is known here and cannot be loaded yet.
    let (engine, key) = (world.b.house.engine.clone(), world.tenant.admin_key.to_bytes());
    let asks = tokio::spawn(async move {
        loop {
            drop(engine.hello(&key, None));
            tokio::task::yield_now().await;
        }
    });
    let settled = world.settle(&world.b, SettleWay::SourceLost, true).await.expect("opened");
    asks.abort();
    assert!(!settled.whole && settled.revision.0 > 0);
    let placed = world.b.house.engine.placement(world.tenant.id).expect("placed");
    assert_eq!((placed.cell, placed.epoch), (B, settled.epoch));
    assert!(!world.permits(&world.b), "nobody knows which sessions had ended");
    let done = world.write(&world.b, world.b.house.engine.command_id(), "orders.late").await;
    assert_eq!(done.expect("taken").epoch, settled.epoch);
    let again = world.settle(&world.b, SettleWay::SourceLost, true).await.expect("said again");
    assert_eq!(again.epoch, settled.epoch, "it lives here");
    comes_back(&mut world, 0).await;
    let admin = world.b.house.bind(&world.tenant.admin_key).await;
    let there = crate::support::Tenant { id: world.tenant.id, admin, admin_key: world.tenant.admin_key };
    world.b.house.sign_in(&there, "ann@example.org", "correct horse").await.expect("signed in");
}

/// PROPERTY: a cell that is lost behind its last word: where it had told another cell so, the copy opens with live
/// sessions, and nothing is lost; what was copied in part opens nowhere; and a cell that answers is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_lost_behind_its_last_word() {
    let mut world = cut_at("open", false).await;
    until_copied(&world.b, true).await;
    let placed = world.a.house.engine.placement(world.tenant.id).expect("placed");
    // It told a third cell, from which this one hears it.
    world.b.house.engine.place(placed).await.expect("told");
    let a = world.a.house.engine.clone();
    world.a.lives.store(true, Ordering::SeqCst);
    world.links.engines.lock().expect("sound").insert(A.0, a);
    let alive = world.settle(&world.b, SettleWay::SourceLost, true).await;
    assert_eq!(alive.err(), Some(SubmitError::Refused(Refusal::CellAlive)));
    world.links.engines.lock().expect("sound").remove(&A.0);
    let settled = world.settle(&world.b, SettleWay::SourceLost, false).await.expect("opened");
    assert!(settled.whole && settled.epoch == placed.epoch);
    assert!(world.permits(&world.b), "its sessions live on");
    comes_back(&mut world, 1).await;

    let world = cut_at("end", false).await;
    until_copied(&world.b, false).await;
    for loss in [false, true] {
        let partial = world.settle(&world.b, SettleWay::SourceLost, loss).await;
        assert_eq!(partial.err(), Some(SubmitError::Refused(Refusal::CopyPartial)));
    }
    let forgotten = world.settle(&world.b, SettleWay::ForgetCopy, false).await;
    assert!(forgotten.is_ok(), "{forgotten:?}");
    let none = world.settle(&world.a, SettleWay::SourceLost, true).await;
    assert!(none.expect("it lives there").whole);
}

/// PROPERTY: a move that was cut off at any step ends by itself, without the command: a copy that waits asks for the last
/// word and opens, or goes; a tenant that had not left goes on where it was. METHOD: cut with each step, then either
/// node killed, or none; both look after their moves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_end_by_themselves() {
    for (step, arrives, kills) in [
        ("begin", true, 0),
        ("end", true, 1),
        ("end", true, 2),
        ("open", false, 0),
        ("open", false, 1),
        ("open", false, 2),
    ] {
        let mut world = cut_at(step, arrives).await;
        let case = format!("{step}, arrives {arrives}, kills {kills}");
        world.a.lives.store(true, Ordering::SeqCst);
        world.links.engines.lock().expect("sound").insert(A.0, world.a.house.engine.clone());
        match kills {
            1 => world.a = killed(&world.links, A, &world.a).await,
            2 => world.b = killed(&world.links, B, &world.b).await,
            _ => {}
        }
        let mut ended = false;
        for _ in 0..600 {
            for side in [&world.a, &world.b] {
                side.house.engine.tend_moves().await;
            }
            let found = world.b.house.store.arrivals(&|_| true).expect("read");
            let waits = found.iter().any(|found| found.head.is_some());
            ended = world.permitting() == 1 && !waits;
            if ended {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(ended, "{case}");
        assert_eq!(world.permits(&world.b), step == "open", "{case}");
        let (lives, other) = if step == "open" { (&world.b, &world.a) } else { (&world.a, &world.b) };
        // It is shown before its arrival is noted, and takes no commands for that moment.
        let id = lives.house.engine.command_id();
        let mut done = world.write(lives, id, "orders.late").await;
        while done == Err(SubmitError::Refused(Refusal::Moving)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            done = world.write(lives, id, "orders.late").await;
        }
        done.expect("it goes on");
        let word = other.house.engine.last_word(world.tenant.id, A).await.expect("told");
        assert_eq!(word.status, WordStatus::Nothing, "{case}");
    }
}

/// PROPERTY: what a cell keeps of a tenant that has left is removed only when the one that has it says so; it opens again
/// only when nobody who answers has the tenant and an operator says that what came behind may be lost; then in an
/// epoch that wins, without its sessions, and again by the same word when that was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_was_kept_is_taken_back() {
    let mut world = World::new().await;
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    let copies = world.a.house.engine.copies(tessera_model::TenantId(0), 9).await.expect("listed");
    assert_eq!((copies.len(), copies[0].arriving, copies[0].cell), (1, false, Some(B)));
    let refused = |told: Result<_, SubmitError>| match told {
        Err(SubmitError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(world.settle(&world.a, SettleWay::TakeBack, true).await), Refusal::CellAlive);
    world.links.cut.store(true, Ordering::SeqCst);
    assert_eq!(refused(world.settle(&world.a, SettleWay::ForgetCopy, true).await), Refusal::CopyNeeded);
    assert_eq!(refused(world.settle(&world.a, SettleWay::TakeBack, false).await), Refusal::LossUnsaid);
    let there = world.b.house.engine.placement(world.tenant.id).expect("placed");
    world.b.house.engine.stop().await;
    let settled = world.settle(&world.a, SettleWay::TakeBack, true).await.expect("taken back");
    assert!(settled.epoch > there.epoch && !settled.whole);
    assert!(!world.permits(&world.a), "its sessions have ended");
    world.write(&world.a, world.a.house.engine.command_id(), "orders.late").await.expect("it goes on");
    // It is where it was after another start, too.
    world.a = killed(&world.links, A, &world.a).await;
    let admin = world.a.house.bind(&world.tenant.admin_key).await;
    let back = crate::support::Tenant { id: world.tenant.id, admin, admin_key: world.tenant.admin_key };
    world.a.house.sign_in(&back, "ann@example.org", "correct horse").await.expect("signed in");
    assert!(world.a.house.engine.copies(tessera_model::TenantId(0), 9).await.expect("listed").is_empty());
}

/// PROPERTY: a cell that is restored from a backup older than a move answers for no tenant of its own before the other cells
/// have said what has left it; then the one that has left is sent on, and the others are open, after another start,
/// too. An operator may say that nothing has left. TC-102 in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tc_102_a_restored_source_hears_the_fleet_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::with(Links { backups: Some(folder), ..Links::default() }).await;
    let engine = world.a.house.engine.clone();
    engine.begin_backup(&name("monday")).expect("begun");
    while engine.follow_backup(&name("monday")).expect("told").taken.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    world.a.lives.store(false, Ordering::SeqCst);
    engine.stop().await;
    let backup = Backup::open(&world.links.backups.as_ref().expect("a folder").path().join("monday"));
    let backup = backup.expect("a backup");
    let restored = || {
        let disk = Simulated::new();
        let on: Arc<dyn Disk> = Arc::new(disk.clone());
        backup.restore(&on, &RootKey::new([1; 32]), engine.now(), &Progress::default()).expect("restored");
        disk
    };
    world.a = start(&world.links, A, restored()).await;
    let engine = world.a.house.engine.clone();
    engine.begin_epoch().await.expect("begun");
    assert!(engine.is_unheard());
    for _ in 0..100 {
        let asked = engine.hello(&world.tenant.admin_key.to_bytes(), None);
        assert!(matches!(asked, Err(HelloRefusal::NotReady)), "closed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(world.permitting(), 1);
    let word = engine.last_word(world.tenant.id, B).await.expect("told");
    assert_eq!(word.status, WordStatus::Nothing, "what it has may be old");
    let placed = world.b.house.engine.placement(world.tenant.id).expect("placed");
    engine.place(placed).await.expect("told");
    engine.hear_fleet(Caller::Node).await.expect("heard");
    assert!(!engine.is_unheard() && is_sent_on(&world, &world.a));
    assert_eq!(world.permitting(), 1);
    world.a = killed(&world.links, A, &world.a).await;
    assert!(!world.a.house.engine.is_unheard(), "that was heard");

    // An operator says that nothing has left it.
    world.a = start(&world.links, A, restored()).await;
    assert!(world.a.house.engine.is_unheard());
    world.b.lives.store(false, Ordering::SeqCst);
    world.links.engines.lock().expect("sound").remove(&B.0);
    world.settle(&world.a, SettleWay::TrustOwn, true).await.expect("said");
    world.a.house.bind(&world.tenant.admin_key).await;
}

/// PROPERTY: between the last command that the cell which gives takes and the first one of the other cell, as much goes over
/// the link as was ordered since the last pass, in a number of questions that does not depend on how much there is,
/// none of them asked again after a rest; and each side syncs a bounded number of times. METHOD: counted, not timed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gap_is_a_few_questions() {
    let world = World::new().await;
    for no in 0..200 {
        world
            .write(&world.a, world.a.house.engine.command_id(), &format!("bulk.p{no}"))
            .await
            .expect("taken");
    }
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    let syncs = world.links.syncs();
    let steps = world.links.steps.lock().expect("sound").clone();
    let frozen = |step: &Crossed| matches!(step.status, Some(MoveStatus::Frozen | MoveStatus::HandedOver));
    let (gap, before): (Vec<_>, Vec<_>) = steps.into_iter().partition(frozen);
    let asked: Vec<&str> = gap.iter().map(|step| step.step).collect();
    assert_eq!(asked, ["chunk", "end", "open"], "one round each: {gap:?}");
    let bytes = |steps: &[Crossed]| steps.iter().map(|step| step.bytes).sum::<usize>();
    let syncs = syncs - gap[0].syncs;
    println!("in the gap: {} rounds, {} of {} bytes, {syncs} syncs", gap.len(), bytes(&gap), bytes(&before));
    assert!(bytes(&gap) <= BYTES_MAX, "{} of {}", bytes(&gap), bytes(&before));
    assert!(syncs <= SYNCS_MAX, "{syncs}");
}
