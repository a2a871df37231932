//! Many tenants and many sessions: a start costs what is in use, and what has ended is gone.

use crate::spy;
use crate::support;

use spy::Spy;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use support::{House, START_MS, Tenant};
use tessera_model::{Caller, Command, TenantId};
use tessera_storage::disk::real::Directory;
use tessera_storage::disk::{Disk, DiskFile};
use tessera_storage::{Embedded, Options, RootKey, Store};

/// A disk that counts what is read from it.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Disk>,
    read: Arc<AtomicU64>,
    /// What is read of the journal.
    journal: Arc<AtomicU64>,
}

#[derive(Debug)]
struct CountedFile {
    inner: Arc<dyn DiskFile>,
    read: Arc<AtomicU64>,
}

impl Counted {
    fn file(&self, name: &str, file: io::Result<Arc<dyn DiskFile>>) -> io::Result<Arc<dyn DiskFile>> {
        let read = if name.starts_with("journal") { &self.journal } else { &self.read };
        Ok(Arc::new(CountedFile { inner: file?, read: Arc::clone(read) }))
    }
}

impl Disk for Counted {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        // With debug assertions the database walks its whole file when it opens it.
        let apart = cfg!(debug_assertions) && name == "state.redb";
        if apart { self.inner.open(name) } else { self.file(name, self.inner.open(name)) }
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(name, self.inner.create(name))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }
    fn lock(&self, name: &str) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.inner.lock(name)
    }
}

impl DiskFile for CountedFile {
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.inner.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.inner.set_size(size)
    }
}

/// What a start of a directory cost.
struct Cost {
    read: u64,
    /// Of the journal: what was read, and how long it is.
    journal: u64,
    journal_bytes: u64,
    loaded: Vec<TenantId>,
    /// Bytes in the journal of one further tenant.
    tenant: u64,
}

const FILE_BYTES: u64 = 256 * 1024;

fn store(folder: &Path, read: &Arc<AtomicU64>, journal: &Arc<AtomicU64>) -> Arc<dyn Store> {
    let inner: Arc<dyn Disk> = Arc::new(Directory::open(folder).expect("a folder"));
    let disk = Arc::new(Counted { inner, read: Arc::clone(read), journal: Arc::clone(journal) });
    let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
    options.journal_file_bytes = FILE_BYTES;
    Arc::new(Embedded::open_on(disk, options).expect("a store"))
}

/// Makes so many tenants, stops, and starts for the first of them.
async fn start_with(count: u64) -> Cost {
    let (folder, read) = (tempfile::tempdir().expect("a folder"), Arc::new(AtomicU64::new(0)));
    let journal = Arc::new(AtomicU64::new(0));
    let first = {
        let store = store(folder.path(), &read, &journal);
        let house = House::over(Arc::clone(&store), START_MS).await;
        let operator = house.operator().await;
        let hot = house.tenant(&operator, "hot").await;
        for no in 1..count {
            let name = tessera_model::Name::new(&format!("tenant-{no}")).expect("a name");
            house.submit(&operator, Command::CreateTenant { name }).await;
        }
        // The second one settles the keys of whoever was born before the first.
        assert!(house.engine.checkpoint().await);
        house.role(&hot, "reader", &["orders.read"]).await;
        assert!(house.engine.checkpoint().await);
        store.stop();
        hot.admin_key
    };
    read.store(0, Ordering::Relaxed);
    journal.store(0, Ordering::Relaxed);
    let files = std::fs::read_dir(folder.path()).expect("the folder");
    let files = files.filter_map(|file| file.expect("a file").file_name().into_string().ok());
    let journal_bytes = files.filter(|name| name.starts_with("journal")).count() as u64 * FILE_BYTES;
    let loaded = Arc::new(Mutex::new(Vec::new()));
    let mut spy = Spy::plain(store(folder.path(), &read, &journal));
    let seen = Arc::clone(&loaded);
    spy.after_load = Box::new(move |tenant| seen.lock().expect("sound").push(tenant));
    let spied: Arc<dyn Store> = Arc::new(spy);
    let house = House::over(Arc::clone(&spied), START_MS).await;
    let admin = house.bind(&first).await;
    assert!(house.engine.may(&admin, "tessera.admin.settings"));
    let (read, loaded) = (read.load(Ordering::Relaxed), loaded.lock().expect("sound").clone());
    let before = house.store.usage().tail_bytes;
    let name = tessera_model::Name::new("one-more").expect("a name");
    let (id, command) = (house.engine.command_id(), Command::CreateTenant { name });
    house.engine.submit_system(Caller::Node, id, command).await.expect("made");
    let tenant = house.store.usage().tail_bytes - before;
    spied.stop();
    Cost { read, journal: journal.load(Ordering::Relaxed), journal_bytes, loaded, tenant }
}

/// PROPERTY (F-50): a start loads the system tenant and whoever is asked for, whatever the number of tenants;
/// what it reads beside the journal grows by a tenant's line in the list; of the journal it reads no file that was
/// left before the checkpoint; one more tenant costs what the first did.
/// METHOD: the same with 40 and with 400 tenants, bytes counted under the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_50_a_start_costs_the_tail_and_not_the_tenants() {
    let (few, many) = (start_with(40).await, start_with(400).await);
    println!("read {} and {}, a tenant {} and {}", few.read, many.read, few.tenant, many.tenant);
    println!(
        "journal: {} of {}, and {} of {}",
        few.journal, few.journal_bytes, many.journal, many.journal_bytes
    );
    for cost in [&few, &many] {
        assert_eq!(cost.loaded.len(), 2, "{:?}", cost.loaded);
        assert_eq!(cost.loaded[0], TenantId::SYSTEM);
    }
    // A line in the list of tenants, and a page more of the tree that holds their directory rows.
    assert!(many.read < few.read + 360 * 400 + 256 * 1024, "{} and {}", few.read, many.read);
    assert_eq!(few.tenant, many.tenant);
    // The file that is written to, and those that were made ahead.
    assert!(many.journal_bytes > 6 * FILE_BYTES && many.journal < 5 * FILE_BYTES);
}

/// PROPERTY: a checkpoint reads of the journal no more than there is of it, however the commands of many tenants stand
/// in turn. METHOD: 24 tenants that order one command after another, bytes counted under the store.
#[tokio::test]
async fn a_checkpoint_reads_the_tail_once() {
    let (folder, read) = (tempfile::tempdir().expect("a folder"), Arc::new(AtomicU64::new(0)));
    let journal = Arc::new(AtomicU64::new(0));
    let house = House::over(store(folder.path(), &read, &journal), START_MS).await;
    let operator = house.operator().await;
    let mut tenants = Vec::new();
    for no in 0..24 {
        tenants.push(house.tenant(&operator, &format!("tenant-{no}")).await);
    }
    assert!(house.engine.checkpoint().await);
    let before = house.store.usage().tail_bytes;
    for no in 0..30 {
        for tenant in &tenants {
            house.role(tenant, &format!("role-{no}"), &["orders.read"]).await;
        }
    }
    let tail = house.store.usage().tail_bytes - before;
    journal.store(0, Ordering::Relaxed);
    assert!(house.engine.checkpoint().await);
    let read = journal.load(Ordering::Relaxed);
    println!("read {read} of {tail}");
    assert!(read > 0 && read <= tail, "{read} of {tail}");
    house.store.stop();
}

async fn sessions(house: &House, tenant: &Tenant, count: usize) {
    let subject = tenant.admin.subject;
    for _ in 0..count / 10 {
        let opened = (0..10).map(|_| house.open(&tenant.admin, subject));
        assert!(support::at_once(opened).await.iter().all(Result::is_ok));
    }
}

/// PROPERTY (F-50): when sessions have expired and one checkpoint has passed, the table holds as many new ones
/// without growing, also where most of it lives on. METHOD: 1,710 sessions for a month and 190 for an hour, which
/// nearly fill the table's chunks; then 190 more.
#[tokio::test]
async fn f_50_expired_sessions_are_gone_after_a_checkpoint() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house
        .set(&tenant, |settings| {
            (settings.session_ttl_s, settings.session_idle_s) = (30 * 86_400, 30 * 86_400);
        })
        .await;
    sessions(&house, &tenant, 1_710).await;
    house.set(&tenant, |settings| (settings.session_ttl_s, settings.session_idle_s) = (3_600, 3_600)).await;
    sessions(&house, &tenant, 190).await;
    let bytes = || tenant.admin.entry.view().as_ref().expect("awake").table_bytes();
    let full = bytes();
    house.pass(3_601_000);
    assert!(house.engine.checkpoint().await);
    sessions(&house, &tenant, 190).await;
    assert_eq!(bytes(), full);
}
