//! Backups under load: a running node is backed up again and again while writers work; each backup is restored
//! and compared, frame by frame, with the node's own history and with what had been acknowledged.

use crate::kill::{Told, prepare};
use crate::node::{Node, Trouble};
use crate::writer::Tally;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tessera_client::wire::{BackupRow, Page, Request};
use tessera_client::{Client, ClientError};
use tessera_model::{Deadline, Epoch, Name, Receipt, Refusal, Revision, TenantId};
use tessera_storage::{Embedded, FrameRead, Options, RootKey, Store};

/// What is to be tried.
pub(crate) struct Plan {
    pub(crate) backups: u32,
    pub(crate) writers: u32,
    pub(crate) server: PathBuf,
    pub(crate) seed: u64,
}

/// Status of a backup that is done.
const DONE: u32 = 2;

/// One backup: where it is, and the highest position that each tenant had acknowledged before it began.
struct Taken {
    path: PathBuf,
    before: BTreeMap<TenantId, Revision>,
}

type Histories = BTreeMap<TenantId, Vec<FrameRead>>;

/// Runs the proof.
pub(crate) async fn run(plan: &Plan) -> Result<Told, Trouble> {
    let folder = tempfile::tempdir()?;
    let backups = folder.path().join("backups");
    std::fs::create_dir(&backups)?;
    let mut node = Node::with_backups(&plan.server, folder.path(), &backups)?;
    node.start()?;
    let operator = node.client(Some(node.claim().await?)).await?;
    let tally = Arc::new(Tally::default());
    let many = crate::kill::Plan {
        cycles: 0,
        writers: plan.writers,
        sessions: 0,
        server: plan.server.clone(),
        seed: plan.seed,
    };
    let (writers, count) = prepare(&node, &operator, &many, &tally).await?;
    let tasks: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(writer.work())).collect();
    let mut taken = Vec::new();
    for no in 0..plan.backups {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let before = tally.acked();
        take(&operator, &format!("no-{no}")).await?;
        taken.push(Taken { path: backups.join(format!("no-{no}")), before });
    }
    tally.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    let told = tally.acked();
    drop(operator);
    node.terminate()?;
    let mut faults = Vec::new();
    let (_, whole) = read(&node.data(), &node.root_key(), count)?;
    let (mut frames, mut epochs) = (0, BTreeSet::from([Epoch(1)]));
    for one in &taken {
        let to = folder.path().join("restored");
        restore(&plan.server, &one.path, &to, &node.root_key())?;
        let (epoch, copy) = read(&to, &node.root_key(), count)?;
        if !epochs.insert(epoch) {
            faults.push(format!("{}: restored into epoch {}, as others", one.path.display(), epoch.0));
        }
        frames += compare(&copy, &whole, &one.before, &mut faults);
        std::fs::remove_dir_all(&to)?;
    }
    // The planted fault: what lacks its tail looks like the first backup beside the last word of the writers.
    let mut caught = Vec::new();
    if let Some(first) = taken.first() {
        let to = folder.path().join("restored");
        restore(&plan.server, &first.path, &to, &node.root_key())?;
        compare(&read(&to, &node.root_key(), count)?.1, &whole, &told, &mut caught);
    }
    if caught.is_empty() {
        faults.push("a backup that lacks acknowledged frames was not noticed".to_owned());
    }
    faults.extend(live(&plan.server, folder.path(), &node, &tally).await?);
    let violations = tally.violations.load(Ordering::Relaxed) + faults.len() as u64;
    let tail = if caught.is_empty() { "NOT noticed" } else { "caught" };
    let mut text = format!(
        "backup: {} backups (seed {}) while {} writes were acknowledged and {} answers compared, each restored; {frames} frames compared; {violations} violations; planted: a backup that lacks its tail {tail}",
        taken.len(),
        plan.seed,
        tally.acknowledged.load(Ordering::Relaxed),
        tally.checked.load(Ordering::Relaxed),
    );
    for fault in &faults {
        write!(text, "\n  {fault}")?;
    }
    Ok(Told { text, violations })
}

/// Has a backup taken, and waits for its end.
async fn take(operator: &Client, name: &str) -> Result<(), Trouble> {
    let name = Name::new(name)?;
    let began = Instant::now();
    let mut follow = false;
    loop {
        let page: Page<BackupRow> = operator.list(&Request::Backup { name: name.clone(), follow }).await?;
        let row = page.rows.into_iter().next().ok_or("nothing was told of a backup")?;
        if row.status == DONE {
            return Ok(());
        }
        if row.trouble.is_some() || began.elapsed() > Duration::from_secs(60) {
            return Err(format!("a backup failed: {row:?}").into());
        }
        follow = true;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn restore(server: &Path, backup: &Path, to: &Path, key: &Path) -> Result<(), Trouble> {
    let mut command = Command::new(server);
    command.arg("restore").arg(backup).arg("--data").arg(to).arg("--root-key").arg(key);
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("restore: {}", String::from_utf8_lossy(&done.stderr)).into())
    }
}

/// The histories of all tenants of a stopped directory, every link verified, and the epoch it is in.
fn read(data: &Path, key: &Path, tenants: usize) -> Result<(Epoch, Histories), Trouble> {
    let store = Embedded::open(data, Options::new(RootKey::read(key)?, [0; 32], [5; 32]))?;
    let mut histories = Histories::new();
    let mut epoch = Epoch(0);
    for tenant in (0..=tenants as u64).map(TenantId) {
        store.verify(tenant)?;
        epoch = store.head(tenant)?.map_or(epoch, |head| head.epoch);
        histories.insert(tenant, store.history(tenant, Revision(0), usize::MAX)?);
    }
    store.stop();
    Ok((epoch, histories))
}

/// Holds a restored directory against the node's own history and what was acknowledged before: up to the one
/// frame that begins its epoch it is the same, and nothing that was acknowledged is missing.
fn compare(
    copy: &Histories,
    whole: &Histories,
    before: &BTreeMap<TenantId, Revision>,
    faults: &mut Vec<String>,
) -> u64 {
    let mut compared = 0;
    for (tenant, frames) in copy {
        let Some((last, old)) = frames.split_last() else {
            faults.push(format!("tenant {tenant}: no frame"));
            continue;
        };
        if last.epoch <= Epoch(1) || old.iter().any(|frame| frame.epoch != Epoch(1)) {
            faults.push(format!("tenant {tenant}: not one frame begins the new epoch"));
        }
        let own = whole.get(tenant).and_then(|frames| frames.get(..old.len()));
        if own != Some(old) {
            faults.push(format!("tenant {tenant}: its frames are not those of the node"));
        }
        if let Some(acknowledged) = before.get(tenant).filter(|revision| revision.0 >= old.len() as u64) {
            faults.push(format!(
                "tenant {tenant}: {} was acknowledged before, the backup has {} frames",
                acknowledged.0,
                old.len()
            ));
        }
        compared += old.len() as u64;
    }
    compared
}

/// Serves the directory that was restored last: handles of before open nothing, neither for those who held them
/// nor for anybody else; positions of before are answered with Restored; the node takes commands.
async fn live(server: &Path, folder: &Path, node: &Node, tally: &Tally) -> Result<Vec<String>, Trouble> {
    let home = folder.join("home");
    std::fs::create_dir(&home)?;
    std::fs::rename(folder.join("restored"), home.join("data"))?;
    let mut again = Node::new(server, &home)?;
    std::fs::copy(node.root_key(), again.root_key())?;
    again.start()?;
    let mut faults = Vec::new();
    for (admin, side) in tally.sides() {
        let client = again.client(Some(admin)).await?;
        let mut alive = 0;
        for handle in &side.handles {
            alive += u64::from(side.check(&client, handle, Receipt::default()).await?.is_permit());
        }
        let (subject, role, none) = (side.subject, side.role.clone(), Deadline::NONE);
        client.request(&Request::Grant { subject, role, workspace: None, from: none, until: none }).await?;
        let fresh = client
            .request(&Request::OpenSession { subject: side.subject, device: None, proof: None })
            .await?;
        for handle in &side.handles {
            alive += u64::from(side.check(&client, handle, Receipt::default()).await?.is_permit());
        }
        if alive > 0 || side.handles.is_empty() {
            faults.push(format!("{alive} of {} handles of before are alive", side.handles.len()));
        }
        let handle = fresh.handle.as_ref().and_then(|handle| handle.expose().try_into().ok());
        let handle = handle.ok_or("no handle in the reply")?;
        if !side.check(&client, &handle, fresh.receipt).await?.is_permit() {
            faults.push("a new session may not do what its subject was granted".to_owned());
        }
        match side.check(&client, &handle, Receipt { epoch: Epoch(1), revision: Revision(1) }).await {
            Err(ClientError::Refused(Refusal::Restored)) => {}
            other => faults.push(format!("a receipt of before was answered by {other:?}")),
        }
        if fresh.receipt.epoch <= Epoch(1) {
            faults.push(format!("a command went into epoch {}", fresh.receipt.epoch.0));
        }
    }
    let code = again.terminate()?;
    if code != Some(0) {
        faults.push(format!("the restored node ended with {code:?}"));
    }
    Ok(faults)
}
