//! A tenant that is in memory where it goes before it has left: what came while it was copied, and last, is there, in memory
//! and on the disk; and nothing of it stays where the move does not end.
//!
//! In builds with debug assertions the cell that takes holds all that it has in memory against a load from its disk, for
//! every tenant that comes, in these tests and in all others: a move fails where a bucket differs.

use crate::moving::{A, B, Crossed, Meanwhile, Side, World, killed, name};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tessera_engine::EngineConfig;
use tessera_engine::moving::{MoveStatus, MoveWay, Warmth};
use tessera_model::{Command, CommandId};

/// What is ordered while the tenant is copied, and comes over in its last frames alone.
async fn orders_meanwhile(world: &World) -> Vec<(CommandId, String)> {
    let (house, key) = (&world.a.house, world.tenant.admin_key);
    let mut orders = Vec::new();
    for no in 0..40 {
        let text = format!("late.p{no}");
        orders.push((house.engine.command_id(), text));
    }
    let mut meanwhile = world.links.meanwhile.lock().expect("sound");
    for (id, text) in &orders {
        let order = Command::RegisterPermission { name: name(text) };
        meanwhile.push((key, *id, Meanwhile::Order(order)));
    }
    // Somebody with sealed rows, whose key is made for it.
    meanwhile.push((key, house.engine.command_id(), Meanwhile::Person("late@example.org")));
    let ends = Command::EndTenantSessions {};
    meanwhile.push((key, house.engine.command_id(), Meanwhile::Order(ends)));
    orders
}

/// All of it happened, and its ids are known: nothing of it is done twice.
async fn all_is_there(world: &World, side: &Side, orders: &[(CommandId, String)]) {
    let admin = side.house.bind(&world.tenant.admin_key).await;
    assert!(!world.permits(side), "the session that ended meanwhile");
    let mut last = None;
    for (id, text) in orders {
        let again = world.write(side, *id, text).await.expect("known");
        assert!(last < Some(again.revision), "repeated, not done twice");
        last = Some(again.revision);
    }
    let view = admin.entry.view().as_ref().map(std::sync::Arc::clone).expect("awake");
    let last = view.read(side.house.engine.now()).resolve("late.p7", "").0;
    assert_ne!(last.0, 0, "what was registered last has a number");
    let there = crate::support::Tenant { id: world.tenant.id, admin, admin_key: world.tenant.admin_key };
    side.house.sign_in(&there, "late@example.org", "correct horse").await.expect("signed in");
    side.house.store.verify(world.tenant.id).expect("each link holds");
}

/// PROPERTY: what is ordered while a tenant is copied crosses in its last frames, however much there is of the tenant: the
/// cell that takes has the rest in memory, applies them, and opens; it loads nothing. It is the same tenant after a kill,
/// when the disk alone knows of them, after a checkpoint, and where it came from. METHOD: counted, not timed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_last_comes_as_frames() {
    let mut world = World::new().await;
    for no in 0..200 {
        let id = world.a.house.engine.command_id();
        world.write(&world.a, id, &format!("bulk.p{no}")).await.expect("taken");
    }
    let orders = orders_meanwhile(&world).await;
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    assert_eq!(*world.links.warmth.lock().expect("sound"), Warmth::Warm);
    let steps = world.links.steps.lock().expect("sound").clone();
    let frozen = |step: &&Crossed| matches!(step.status, Some(MoveStatus::Frozen | MoveStatus::HandedOver));
    let gap: Vec<&Crossed> = steps.iter().filter(frozen).collect();
    assert_eq!(gap.iter().map(|step| step.step).collect::<Vec<_>>(), ["chunk", "end", "open"]);
    let (last, all) = (gap[0].bytes, steps.iter().map(|step| step.bytes).sum::<usize>());
    println!("{} orders meanwhile: {last} of {all} bytes in the gap", orders.len());
    assert!(last > orders.len() * 100, "the frames of all of them");
    all_is_there(&world, &world.b, &orders).await;
    world.b = killed(&world.links, B, &world.b).await;
    all_is_there(&world, &world.b, &orders).await;
    assert!(world.b.house.engine.checkpoint().await);
    world.b = killed(&world.links, B, &world.b).await;
    all_is_there(&world, &world.b, &orders).await;
    let told = world.moved(&world.b, A, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    assert_eq!(*world.links.warmth.lock().expect("sound"), Warmth::Warm);
    all_is_there(&world, &world.a, &orders).await;
}

/// PROPERTY: a node that is killed behind the opening, before any checkpoint, has what came last: whichever commands came
/// behind it, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_last_outlives_kills() {
    let mut world = World::new().await;
    let orders = orders_meanwhile(&world).await;
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    let late = world.b.house.engine.command_id();
    let written = world.write(&world.b, late, "orders.late").await.expect("taken");
    for _ in 0..2 {
        world.b = killed(&world.links, B, &world.b).await;
        world.b.house.bind(&world.tenant.admin_key).await;
        assert_eq!(world.write(&world.b, late, "orders.late").await.expect("known"), written);
        all_is_there(&world, &world.b, &orders).await;
    }
}

/// PROPERTY: of a move that does not end nothing stays in memory: neither where it is undone, nor where the cell that gives
/// is lost and nobody asks for a minute; what is in memory counts as the node's meanwhile, and what was lost is loaded
/// from the disk. METHOD: the node's own figure of what tenants take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_opened_leaves_memory() {
    let mut world = World::new().await;
    let taken = |side: &Side| side.house.engine.usage().awake_bytes;
    let before = taken(&world.b);
    *world.links.fatal.lock().expect("sound") = Some(("end", true));
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!(told.status, MoveStatus::Failed, "{told:?}");
    assert!(taken(&world.b) > before, "it is in memory, and counts");
    assert!(!world.permits(&world.b));
    world.b.house.engine.tend_moves().await;
    assert!(taken(&world.b) > before, "somebody may go on");
    world.b.house.pass(61_000);
    world.b.house.engine.tend_moves().await;
    assert_eq!(taken(&world.b), before, "nobody has asked for a minute");
    world.links.cut.store(false, Ordering::SeqCst);
    world.a.house.engine.tend_moves().await;
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    assert_eq!(*world.links.warmth.lock().expect("sound"), Warmth::Warm);
    world.until_permits(&world.b).await;

    // Undone: the copy goes, and what is in memory with it.
    world = World::new().await;
    let before = taken(&world.b);
    world.links.left.store(2, Ordering::SeqCst);
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!(told.status, MoveStatus::Failed, "{told:?}");
    for _ in 0..1_000 {
        if taken(&world.b) == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("what was undone is in memory");
}

/// PROPERTY: where there is no room in memory a tenant comes all the same, loaded from the disk when it is opened, with all
/// that came last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_it_is_loaded_from_the_disk() {
    let mut world = World::new().await;
    let config = EngineConfig { cell: B, memory_bytes_max: 1, ..EngineConfig::default() };
    world.b = crate::moving::start_with(&world.links, B, world.b.disk.image(), config).await;
    let orders = orders_meanwhile(&world).await;
    let told = world.moved(&world.a, B, MoveWay::There).await.expect("begun");
    assert_eq!((told.status, told.trouble), (MoveStatus::Done, None));
    assert_eq!(*world.links.warmth.lock().expect("sound"), Warmth::Cold);
    all_is_there(&world, &world.b, &orders).await;
}
