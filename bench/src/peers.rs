//! The commit's peers: one write and sync, redb behind a gathering writer, PostgreSQL on a socket.

use crate::figure::Why;
use crate::process::{Process, last_line, until};
use crate::rounds::median;
use redb::{Database, Durability, TableDefinition};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, NoTls};

/// Bytes of a row that peers commit: about a frame of one opened session.
const ROW_BYTES: usize = 200;
/// Bytes of the file that is synced, and of one write.
const FILE_BYTES: u64 = 64 * 1024 * 1024;
const WRITE_BYTES: u64 = 4_096;

/// One preallocated file: written and synced, 4 KiB at a time.
pub struct Sync {
    file: File,
    at: u64,
}

impl Sync {
    /// Makes the file: zeroed and synced, so that a write changes no metadata.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(folder: &Path) -> Result<Self, Why> {
        let file = File::create_new(folder.join("synced"))?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// The median of `count` writes with their syncs, µs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn p50(&mut self, count: usize) -> Result<f64, Why> {
        let (block, mut micros) = (vec![0xA5; usize::try_from(WRITE_BYTES)?], Vec::with_capacity(count));
        for _ in 0..count {
            let started = Instant::now();
            self.file.write_all_at(&block, self.at)?;
            self.file.sync_data()?;
            micros.push(started.elapsed().as_nanos() as f64 / 1e3);
            self.at = (self.at + WRITE_BYTES) % FILE_BYTES;
        }
        Ok(median(&micros))
    }
}

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows_v1");
/// LIMIT: rows of one transaction, as many as a group of the journal has frames.
const GROUP_MAX: usize = 1_000;

/// A row on its way into redb, and who waits for it.
type Waiting = oneshot::Sender<()>;

/// redb behind one writer that takes whatever waits into one transaction.
pub struct Gathered {
    sender: mpsc::Sender<Waiting>,
}

impl Gathered {
    /// Opens a database and starts its writer.
    ///
    /// # Errors
    /// When redb refuses.
    pub fn new(path: &Path) -> Result<Self, Why> {
        let database = Database::create(path)?;
        let transaction = database.begin_write()?;
        transaction.open_table(ROWS)?;
        transaction.commit()?;
        let (sender, mut receiver) = mpsc::channel::<Waiting>(GROUP_MAX);
        std::thread::spawn(move || {
            let (mut waiting, mut next) = (Vec::with_capacity(GROUP_MAX), 0);
            while receiver.blocking_recv_many(&mut waiting, GROUP_MAX) > 0 {
                if insert(&database, &mut next, waiting.len()).is_err() {
                    return;
                }
                // Whoever waited may be gone.
                waiting.drain(..).for_each(|waiting| waiting.send(()).unwrap_or_default());
            }
        });
        Ok(Self { sender })
    }

    /// Rows per second of so many tasks with `count` rows each, every row waited for.
    ///
    /// # Errors
    /// When redb has failed, or takes too long.
    pub fn rate(&self, runtime: &Runtime, writers: usize, count: usize) -> Result<f64, Why> {
        let started = Instant::now();
        let inserted = async {
            let tasks: Vec<_> = (0..writers)
                .map(|_| {
                    let sender = self.sender.clone();
                    tokio::spawn(async move {
                        for _ in 0..count {
                            let (reply, done) = oneshot::channel();
                            sender.send(reply).await.map_err(|_| "redb's writer ended")?;
                            done.await.map_err(|_| "redb's writer ended")?;
                        }
                        Ok::<_, &str>(())
                    })
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok::<_, Why>(())
        };
        let late = |_| format!("redb took more than {} s for one round", ROUND.as_secs());
        runtime.block_on(async { tokio::time::timeout(ROUND, inserted).await }).map_err(late)??;
        Ok((writers * count) as f64 / started.elapsed().as_secs_f64())
    }
}

fn insert(database: &Database, next: &mut u64, count: usize) -> Result<(), Why> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    {
        let mut table = transaction.open_table(ROWS)?;
        for _ in 0..count {
            table.insert(*next, [0xA5; ROW_BYTES].as_slice())?;
            *next += 1;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// LIMIT: how long a cluster may take to be made: 2 s where nothing else runs.
const INITDB: Duration = Duration::from_secs(90);
/// LIMIT: how long it may take until all clients are connected.
const CONNECT: Duration = Duration::from_secs(60);
/// LIMIT: how long one round of commits may take, of any peer: a second where nothing else runs.
const ROUND: Duration = Duration::from_secs(60);

/// A PostgreSQL cluster of our own: fsync on, on a socket, ended with its holder.
pub struct Cluster {
    process: Process,
    folder: PathBuf,
    programs: PathBuf,
    clients: Vec<Arc<Client>>,
}

/// Where Debian keeps PostgreSQL's programs, the newest first.
fn programs() -> Result<PathBuf, Why> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| "PostgreSQL is not installed")?;
    let mut found: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    found.sort();
    found
        .pop()
        .filter(|path| path.join("initdb").exists())
        .ok_or_else(|| "PostgreSQL is not installed".into())
}

/// A command as the unprivileged user that PostgreSQL insists on.
fn as_postgres(program: &Path) -> Result<Command, Why> {
    let mut command = Command::new(program);
    command.current_dir("/");
    if std::fs::metadata("/proc/self")?.uid() == 0 {
        let (user, group) = user()?;
        command.uid(user).gid(group);
    }
    Ok(command)
}

/// The user `postgres` of this machine.
fn user() -> Result<(u32, u32), Why> {
    let text = std::fs::read_to_string("/etc/passwd")?;
    let line = text.lines().find_map(|line| line.strip_prefix("postgres:")).ok_or("no user postgres")?;
    let mut fields = line.split(':').skip(1);
    let mut number = || fields.next()?.parse::<u32>().ok();
    number().zip(number()).ok_or_else(|| "the user postgres has no numbers".into())
}

impl Cluster {
    /// Makes and starts a cluster below `folder`, with a table and connected clients.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start(folder: &Path, runtime: &Runtime, clients: usize) -> Result<Self, Why> {
        let programs = programs()?;
        // A socket's path is short by nature: it stands in a folder of its own under /tmp, the data on
        // the same file system as ours.
        let socket = tempfile::Builder::new().prefix("tessera-pg").tempdir()?.keep();
        let data = folder.join("postgres");
        std::fs::create_dir_all(&data)?;
        if std::fs::metadata("/proc/self")?.uid() == 0 {
            let (user, group) = user()?;
            chown(&data, Some(user), Some(group))?;
            chown(&socket, Some(user), Some(group))?;
        }
        let log = folder.join("initdb.log");
        let mut initdb = as_postgres(&programs.join("initdb"))?;
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "-D",
        ]);
        let made = Process::start(initdb.arg(&data), &log)?.wait(INITDB);
        match made {
            Ok(status) if status.success() => {}
            Ok(_) => return Err(format!("initdb: {}", last_line(&log)).into()),
            Err(why) => return Err(format!("initdb: {why}: {}", last_line(&log)).into()),
        }
        let mut command = as_postgres(&programs.join("postgres"))?;
        command.arg("-D").arg(&data).arg("-k").arg(&socket);
        let connections = format!("max_connections={}", clients + 10);
        for setting in
            ["listen_addresses=", "fsync=on", "synchronous_commit=on", "shared_buffers=256MB", &connections]
        {
            command.args(["-c", setting]);
        }
        let log = folder.join("postgres.log");
        let mut process = Process::start(&mut command, &log)?;
        let told = |why: Why| format!("PostgreSQL: {why}: {}", last_line(&log));
        until(&mut process, &socket.join(".s.PGSQL.5432")).map_err(told)?;
        let connected =
            runtime.block_on(async { tokio::time::timeout(CONNECT, connect(&socket, clients)).await });
        let late =
            |_| Why::from(format!("{clients} clients were not connected within {} s", CONNECT.as_secs()));
        let clients = connected.map_err(late).and_then(|connected| connected).map_err(told)?;
        Ok(Self { process, folder: socket, programs, clients })
    }

    /// Rows per second, every client `count` rows, each a transaction of its own.
    ///
    /// # Errors
    /// When PostgreSQL refuses, or takes too long.
    pub fn rate(&self, runtime: &Runtime, count: usize) -> Result<f64, Why> {
        let started = Instant::now();
        let inserted = async {
            let tasks: Vec<_> = self
                .clients
                .iter()
                .map(|client| {
                    let client = Arc::clone(client);
                    tokio::spawn(async move {
                        let insert = client.prepare("INSERT INTO rows (value) VALUES ($1)").await?;
                        for _ in 0..count {
                            client.execute(&insert, &[&[0xA5_u8; ROW_BYTES].as_slice()]).await?;
                        }
                        Ok::<_, tokio_postgres::Error>(())
                    })
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok::<_, Why>(())
        };
        let late = |_| format!("PostgreSQL took more than {} s for one round", ROUND.as_secs());
        runtime.block_on(async { tokio::time::timeout(ROUND, inserted).await }).map_err(late)??;
        Ok((self.clients.len() * count) as f64 / started.elapsed().as_secs_f64())
    }

    /// Its version, as its own program tells it.
    #[must_use]
    pub fn version(&self) -> String {
        let told = Command::new(self.programs.join("postgres")).arg("--version").output();
        told.map_or_else(
            |_| "PostgreSQL".to_owned(),
            |told| String::from_utf8_lossy(&told.stdout).trim().to_owned(),
        )
    }
}

async fn connect(socket: &Path, count: usize) -> Result<Vec<Arc<Client>>, Why> {
    let config = format!("host={} user=postgres dbname=postgres", socket.display());
    let mut clients = Vec::with_capacity(count);
    let started = Instant::now();
    while clients.len() < count {
        let (client, connection) = match tokio_postgres::connect(&config, NoTls).await {
            Ok(connected) => connected,
            // The socket is there a moment before the server is.
            Err(_) if started.elapsed() < CONNECT / 2 => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        tokio::spawn(async move { connection.await.unwrap_or_default() });
        if clients.is_empty() {
            client
                .batch_execute("CREATE TABLE rows (id bigserial PRIMARY KEY, value bytea NOT NULL)")
                .await?;
        }
        clients.push(Arc::new(client));
    }
    Ok(clients)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // An immediate stop: nothing in it is needed. Its children end with it.
        let id = self.process.id().to_string();
        drop(Command::new("kill").args(["-QUIT", &id]).status());
        self.process.wait(Duration::from_secs(10)).map(|_| ()).unwrap_or_default();
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}
