//! Backups as an operator asks for them, and what is different after a restore.

use crate::support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{House, START_MS};
use tessera_engine::{BackupTold, Sees, SubmitError};
use tessera_model::{Command, Epoch, Name, Reason, Receipt, Refusal, Revision, UnixMillis};
use tessera_storage::disk::{Disk, real::Directory};
use tessera_storage::{Backup, Embedded, Memory, Options, Progress, RootKey};

/// When it is restored.
const NOW: UnixMillis = UnixMillis(START_MS + 60_000);

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn root() -> RootKey {
    RootKey::new([7; 32])
}

fn open(path: &Path, backups: Option<&Path>) -> Arc<Embedded> {
    let mut options = Options::new(root(), [9; 32], [5; 32]);
    options.journal_file_bytes = 1024 * 1024;
    options.backup_dir = backups.map(Path::to_owned);
    Arc::new(Embedded::open(path, options).expect("a store"))
}

/// Follows a backup to its end.
async fn follow(house: &House, called: &str) -> Result<BackupTold, Refusal> {
    loop {
        let told = house.engine.follow_backup(&name(called))?;
        if told.taken.is_some() || told.trouble.is_some() {
            return Ok(told);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn register(permission: &str) -> Command {
    Command::RegisterPermission { name: name(permission) }
}

/// PROPERTY: after a restore every session of the backup is dead, keys are alive as they were, positions of before
/// are told as restored, and no id of a tenant or permission that may have been given since is given again, not
/// after another start either (F-56 in part, TC-102 in part).
#[tokio::test]
async fn f_56_a_restored_history_goes_on_in_a_new_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, backups, again) =
        (folder.path().join("data"), folder.path().join("backups"), folder.path().join("again"));
    std::fs::create_dir(&backups).expect("a folder");
    let house = House::over(open(&data, Some(&backups)), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, ann, "reader").await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let first = house.submit(&tenant.admin, register("orders.write")).await;
    for caller in [&tenant.admin, &operator] {
        let refused = house.engine.submit(caller, house.engine.command_id(), Command::BeginEpoch {}).await;
        assert_eq!(refused.err(), Some(SubmitError::Refused(Refusal::Unauthorized)));
    }
    house.engine.begin_backup(&name("monday")).expect("begun");
    // It makes and syncs files meanwhile.
    assert_eq!(house.engine.begin_backup(&name("monday")).map(|told| told.taken), Ok(None));
    assert_eq!(house.engine.begin_backup(&name("tuesday")), Err(Refusal::BackupRunning));
    let told = follow(&house, "monday").await.expect("told");
    assert_eq!(told.taken.map(|taken| taken.tenants), Some(2), "{told:?}");
    assert_eq!(house.engine.begin_backup(&name("monday")), Err(Refusal::BackupExists));
    let lost = house.submit(&tenant.admin, register("orders.lost")).await;
    house.engine.stop().await;

    let disk: Arc<dyn Disk> = Arc::new(Directory::open(&again).expect("a folder"));
    let backup = Backup::open(&backups.join("monday")).expect("a backup");
    let (epoch, restored) = backup.restore(&disk, &root(), NOW, &Progress::default()).expect("restored");
    assert_eq!((epoch, restored[1].revision), (Epoch(NOW.0), first.receipt.revision));
    let house = House::over(open(&again, None), START_MS + 60_000).await;
    let begun = house.engine.begin_epoch().await.expect("begun");
    let told: Vec<_> = begun.iter().map(|one| (one.receipt.epoch, one.sessions, one.keys)).collect();
    assert_eq!(told, [(epoch, 0, 1), (epoch, 1, 1)]);
    let admin = house.bind(&tenant.admin_key).await;
    let tenant = support::Tenant { admin, ..tenant };
    assert!(!house.check(&tenant, &session, "orders.read").is_permit());
    assert_eq!(house.check(&tenant, &tenant.admin_key, "tessera.read").reason, Reason::None);
    {
        let view = tenant.admin.entry.view();
        let reading = house.engine.read(view.as_ref().expect("awake"));
        assert_eq!(reading.sees(lost.receipt), Sees::Restored);
        assert_eq!(reading.sees(Receipt { epoch, revision: Revision(1) }), Sees::Yes);
    }
    // Who watches goes on behind what is there, and is told where that was taken back.
    let watch = |receipt| {
        let from = (tessera_engine::EventsFrom::Behind(receipt), 0, std::time::Duration::ZERO);
        house.engine.watch_events(&tenant.admin, tessera_engine::EventFilter::default(), from)
    };
    let next = watch(first.receipt).await.expect("kept");
    assert_eq!(next.events[0].revision, lost.receipt.revision, "what took its place");
    assert_eq!(watch(lost.receipt).await.err(), Some(Refusal::Restored));
    let second = house.submit(&tenant.admin, register("orders.other")).await;
    assert_eq!(second.made.number, first.made.number.map(|id| id + 1 + 256), "an id of before");
    let operator = house.operator().await;
    let other = house.tenant(&operator, "other").await;
    assert!(other.id.counter() > 1 << 20, "{}", other.id);
    house.engine.checkpoint().await;
    house.engine.stop().await;

    let house = House::over(open(&again, None), START_MS + 120_000).await;
    let admin = house.bind(&tenant.admin_key).await;
    let tenant = support::Tenant { admin, ..tenant };
    assert!(!house.check(&tenant, &session, "orders.read").is_permit());
    let third = house.submit(&tenant.admin, register("orders.third")).await;
    assert_eq!(third.made.number, second.made.number.map(|id| id + 1));
    assert_eq!(third.receipt.epoch, epoch);
    house.engine.stop().await;
}

/// PROPERTY: what keeps a backup from being begun is told, each with its own refusal.
#[tokio::test]
async fn what_keeps_a_backup_from_beginning_is_told() {
    let house = House::over(Arc::new(Memory::new(1 << 20)), START_MS).await;
    assert_eq!(house.engine.follow_backup(&name("monday")), Err(Refusal::BackupUnknown));
    assert_eq!(house.engine.begin_backup(&name("Mon/day")), Err(Refusal::Malformed));
    assert!(matches!(house.engine.begin_backup(&name("monday")), Ok(_) | Err(Refusal::BackupsOff)));
    assert_eq!(follow(&house, "monday").await, Err(Refusal::BackupsOff));
    // Neither this name nor another one is taken by what failed.
    for called in ["monday", "tuesday", "monday"] {
        assert!(matches!(house.engine.begin_backup(&name(called)), Ok(_) | Err(Refusal::BackupsOff)));
        assert_eq!(follow(&house, called).await, Err(Refusal::BackupsOff));
    }
}
