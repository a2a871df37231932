//! kill -9 under load: the node dies at random moments, comes back on the same directory, and nothing
//! that it acknowledged is missing. At the end the chains of every tenant are walked.

use crate::node::{Node, Trouble, handle_of};
use crate::writer::{Tally, Writer};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tessera_client::wire::{Page, Request, TenantRow};
use tessera_model::record::SubjectKind;
use tessera_model::{Name, Pattern};
use tessera_storage::{Embedded, Options, RootKey, Store};

/// What is to be tried.
pub(crate) struct Plan {
    pub(crate) cycles: u32,
    pub(crate) writers: u32,
    pub(crate) sessions: u32,
    pub(crate) server: PathBuf,
    pub(crate) seed: u64,
}

/// What came of it.
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) violations: u64,
}

/// LIMIT: kills in which a journal that is written behind its answers must have shown.
const PLANTED_CYCLES: u32 = 60;

/// Runs the proof, and once more with a planted fault.
pub(crate) async fn run(plan: &Plan) -> Result<Told, Trouble> {
    let mut told = Box::pin(proof(plan)).await?;
    let (caught, planted) = Box::pin(planted(plan)).await?;
    told.violations += u64::from(!caught);
    told.text.push_str("; planted: ");
    told.text.push_str(&planted);
    Ok(told)
}

/// A node that answers before it writes: a kill must show it.
async fn planted(plan: &Plan) -> Result<(bool, String), Trouble> {
    const WHAT: &str = "a journal that is written behind its answers";
    if !tessera_engine::PLANTED {
        return Ok((true, format!("{WHAT} SKIPPED: this build has no planted faults")));
    }
    let folder = tempfile::tempdir()?;
    let mut node = Node::new(&plan.server, folder.path())?;
    node.plant("TESSERA_PLANTED_LATE_WRITES", "1");
    node.start()?;
    let operator = node.client(Some(node.claim().await?)).await?;
    let tally = Arc::new(Tally::default());
    tally.planted.store(true, Ordering::Relaxed);
    let (writers, _) = prepare(&node, &operator, plan, &tally).await?;
    let mut tasks: tokio::task::JoinSet<_> = writers.into_iter().map(Writer::work).collect();
    let mut caught = None;
    for cycle in 1..=PLANTED_CYCLES {
        at_work(&tally).await;
        node.kill()?;
        node.start()?;
        at_work(&tally).await;
        // A writer that was turned down meanwhile, and a start that failed, met what they had been told was there.
        let ended = tasks.try_join_next().is_some() || node.ended()?.is_some();
        if ended || tally.violations.load(Ordering::Relaxed) > 0 {
            caught = Some(cycle);
            break;
        }
    }
    tasks.abort_all();
    drop(operator);
    Ok(match caught {
        Some(cycle) => (true, format!("{WHAT} caught after {cycle} kills")),
        None => (false, format!("{WHAT} NOT noticed in {PLANTED_CYCLES} kills")),
    })
}

async fn proof(plan: &Plan) -> Result<Told, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut node = Node::new(&plan.server, folder.path())?;
    node.start()?;
    let operator = node.client(Some(node.claim().await?)).await?;
    let tally = Arc::new(Tally::default());
    let (writers, tenants) = prepare(&node, &operator, plan, &tally).await?;
    let writers = fill(writers, plan.sessions).await?;
    let tasks: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(writer.work())).collect();
    let bar = ProgressBar::new(u64::from(plan.cycles));
    bar.set_style(ProgressStyle::with_template("kill {bar:30} {pos}/{len} {msg}")?);
    let mut dice = plan.seed | 1;
    for _ in 0..plan.cycles {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Most lives are long enough to load what is there and to change some of it, however busy the machine is;
        // one in four dies while it starts.
        if !(dice >> 60).is_multiple_of(4) {
            at_work(&tally).await;
        }
        let least = u64::from(plan.sessions) / 200;
        tokio::time::sleep(Duration::from_millis(least + (dice >> 33) % 350)).await;
        node.kill()?;
        node.start()?;
        bar.inc(1);
        bar.set_message(format!("{} acknowledged", tally.acknowledged.load(Ordering::Relaxed)));
    }
    // A moment of quiet, so that the last life takes commands too.
    tokio::time::sleep(Duration::from_millis(500)).await;
    tally.stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    bar.finish_and_clear();
    drop(operator);
    let code = node.terminate()?;
    let mut violations = tally.violations.load(Ordering::Relaxed);
    let mut notes = String::new();
    if code != Some(0) {
        violations += 1;
        notes = format!("; the last node ended with {code:?} instead of 0");
    }
    let frames = walk(&node, tenants)?;
    let text = format!(
        "kill: {} cycles (seed {}), {} sessions before, {} writes acknowledged, {} outcomes unknown, {} answers compared, {frames} frames of {tenants} tenants verified, {violations} violations{notes}",
        plan.cycles,
        plan.seed,
        plan.sessions,
        tally.acknowledged.load(Ordering::Relaxed),
        tally.unknown.load(Ordering::Relaxed),
        tally.checked.load(Ordering::Relaxed),
    );
    Ok(Told { text, violations })
}

/// LIMIT: how long a life is waited for that takes no command.
const AT_WORK: Duration = Duration::from_secs(10);

/// Waits until a life has taken a command.
async fn at_work(tally: &Tally) {
    let (began, before) = (Instant::now(), tally.acknowledged.load(Ordering::Relaxed));
    while tally.acknowledged.load(Ordering::Relaxed) == before && began.elapsed() < AT_WORK {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Has the writers open their shares of `sessions`, all at once.
async fn fill(writers: Vec<Writer>, sessions: u32) -> Result<Vec<Writer>, Trouble> {
    let share = sessions.div_ceil(u32::try_from(writers.len().max(1))?);
    let filling: Vec<_> = writers.into_iter().map(|writer| tokio::spawn(writer.fill(share))).collect();
    let mut filled = Vec::with_capacity(filling.len());
    for writer in filling {
        filled.push(writer.await??);
    }
    Ok(filled)
}

/// Two tenants, a role in each, and writers with a subject of their own.
pub(crate) async fn prepare(
    node: &Node,
    operator: &tessera_client::Client,
    plan: &Plan,
    tally: &Arc<Tally>,
) -> Result<(Vec<Writer>, usize), Trouble> {
    let mut writers = Vec::new();
    for name in ["left", "right"] {
        let made = operator.request(&Request::CreateTenant { name: Name::new(name)? }).await?;
        let (tenant, key) = (made.tenant.ok_or("no tenant in the reply")?, handle_of(&made)?);
        let admin = node.client(Some(key.clone())).await?;
        let role = Name::new("actor")?;
        let patterns = vec![Pattern::new("proof.act")?];
        admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
        for _ in 0..plan.writers.div_ceil(2) {
            let request = Request::CreateSubject {
                kind: SubjectKind::Machine,
                identifiers: Vec::new(),
                password: None,
            };
            let subject = admin.request(&request).await?.subject.ok_or("no subject in the reply")?;
            let seed = plan.seed.wrapping_add(writers.len() as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let whose = (tenant, key.clone(), subject);
            writers.push(Writer::new(admin.clone(), whose, role.clone(), seed, Arc::clone(tally)));
        }
    }
    let page: Page<TenantRow> = operator.list(&Request::ListTenants { after: None, limit: 100 }).await?;
    Ok((writers, page.rows.len()))
}

/// Opens the directory of the node that has ended and walks every chain.
fn walk(node: &Node, tenants: usize) -> Result<u64, Trouble> {
    let options = Options::new(RootKey::read(&node.root_key())?, [0; 32], [5; 32]);
    let store = Embedded::open(&node.data(), options)?;
    let mut frames = store.verify(tessera_model::TenantId::SYSTEM)?.frames;
    for counter in 1..=tenants as u64 {
        frames += store.verify(tessera_model::TenantId(counter))?.frames;
    }
    store.stop();
    Ok(frames)
}
