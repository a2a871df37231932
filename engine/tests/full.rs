//! A store that is full or slow, told to whom it concerns in words that are true for them.

use crate::spy;
use crate::support;

use parking_lot::Mutex;
use spy::Spy;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{House, START_MS, at_once};
use tessera_engine::{EngineConfig, SubmitError};
use tessera_model::limits::{INTAKE_MAX, INTAKE_RESERVED_MAX};
use tessera_model::{Command, Limit, LimitAt, Name, PublicId, Reason, Refusal};
use tessera_storage::disk::{Disk, DiskFile, simulated::Simulated};
use tessera_storage::{Embedded, Memory, Options, Room, RootKey, StorageError};

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

/// A disk whose journal takes its time with each sync: the next of these, then the last one for ever.
#[derive(Debug)]
struct Slow {
    disk: Simulated,
    waits_ms: Arc<Mutex<Vec<u64>>>,
}

#[derive(Debug)]
struct SlowFile {
    file: Arc<dyn DiskFile>,
    waits_ms: Arc<Mutex<Vec<u64>>>,
}

impl Slow {
    fn file(&self, name: &str, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let waits_ms = Arc::clone(&self.waits_ms);
        if name.starts_with("journal-") { Arc::new(SlowFile { file, waits_ms }) } else { file }
    }
}

impl Disk for Slow {
    fn open(&self, name: &str) -> std::io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(name, self.disk.open(name)?))
    }
    fn create(&self, name: &str) -> std::io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(name, self.disk.create(name)?))
    }
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> std::io::Result<()> {
        self.disk.remove(name)
    }
    fn list(&self) -> std::io::Result<Vec<String>> {
        self.disk.list()
    }
    fn sync_dir(&self) -> std::io::Result<()> {
        self.disk.sync_dir()
    }
    fn lock(&self, name: &str) -> std::io::Result<Option<Box<dyn Send + Sync>>> {
        self.disk.lock(name)
    }
}

impl DiskFile for SlowFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.file.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_at(offset, bytes)
    }
    fn sync(&self) -> std::io::Result<()> {
        let wait = {
            let mut waits = self.waits_ms.lock();
            if waits.len() > 1 { waits.remove(0) } else { waits.first().copied().unwrap_or(0) }
        };
        std::thread::sleep(Duration::from_millis(wait));
        self.file.sync()
    }
    fn size(&self) -> std::io::Result<u64> {
        self.file.size()
    }
    fn set_size(&self, size: u64) -> std::io::Result<()> {
        self.file.set_size(size)
    }
}

/// PROPERTY: syncs that take seconds hold up whoever waits for them, and nobody else: checks are answered meanwhile,
/// queues stay bounded and say so by name, whatever was taken is done, passwords are judged as ever and nobody is
/// locked out. METHOD: a disk whose journal takes two seconds for one sync and 50 ms for each other; twice as many
/// commands as find room, with right and wrong passwords beside them.
/// TC-103.
#[tokio::test]
async fn tc_103_slow_syncs_lock_nobody_out() {
    let waits_ms = Arc::new(Mutex::new(Vec::new()));
    let disk = Slow { disk: Simulated::new(), waits_ms: Arc::clone(&waits_ms) };
    let options = Options::new(RootKey::new([7; 32]), [9; 32], [1; 32]);
    let store = Embedded::open_on(Arc::new(disk), Options { journal_file_bytes: 1 << 20, ..options });
    let house = House::over(Arc::new(store.expect("a store")), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    *waits_ms.lock() = vec![2_000, 50];
    let (engine, admin) = (&house.engine, &tenant.admin);
    let room = INTAKE_MAX - INTAKE_RESERVED_MAX;
    let commands = (0..2 * room).map(|no| {
        let name = Name::new(&format!("p.{no}")).expect("a name");
        engine.submit(admin, engine.command_id(), Command::RegisterPermission { name })
    });
    let (told, asked) = tokio::join!(at_once(commands), async {
        let mut beside = 0;
        while beside == 0 || engine.usage().waiting > 0 {
            assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
            beside += u64::from(engine.usage().waiting > 0);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        beside
    });
    let busy = SubmitError::Refused(Refusal::Busy(Limit::Intake.at(room as u64)));
    assert_eq!(told.iter().filter(|one| one.is_ok()).count(), room);
    assert!(told.iter().all(|one| one.as_ref().err().is_none_or(|error| *error == busy)));
    assert!(asked > 100, "{asked} checks while commands waited");
    let signs_in = async |password| house.sign_in(&tenant, "amy@example.org", password).await.map(drop);
    let told = at_once(["wrong", "correct horse", "wrong"].map(&signs_in)).await;
    assert_eq!(told.iter().filter(|one| one.is_ok()).count(), 1, "{told:?}");
    assert!(signs_in("correct horse").await.is_ok(), "somebody is locked out");
    *waits_ms.lock() = Vec::new();
}
