//! Bulk load, cut off: the node and the loader are killed at chosen moments while checks go on, and in the end
//! every row is one subject.

use crate::node::{Node, Trouble, handle_of};
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tessera_client::Client;
use tessera_client::wire::{Page, Request, SubjectRow};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, Handle, HandleBytes, Identifier, Name, Pattern, PermissionRef, Private, Receipt,
    WorkspaceRef,
};

/// What is to be tried.
pub(crate) struct Plan {
    pub(crate) rows: u64,
    pub(crate) kills: u32,
    pub(crate) server: PathBuf,
    pub(crate) seed: u64,
    /// Small journal files and a small tail, so that checkpoints come often.
    pub(crate) small: bool,
}

/// LIMIT: identifiers that are looked up one by one at the end.
const LOOKED_UP: u64 = 500;
/// How often a check is asked for while the load runs.
const CHECK_EVERY: Duration = Duration::from_millis(1);

/// What the checks beside the load came to.
#[derive(Default)]
struct Checks {
    right: AtomicU64,
    wrong: AtomicU64,
    unanswered: AtomicU64,
    stop: AtomicBool,
}

/// Runs the proof.
#[expect(clippy::too_many_lines, reason = "one step behind the other, as a reader would do it by hand")]
pub(crate) async fn run(plan: &Plan) -> Result<crate::kill::Told, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut node = if plan.small {
        Node::new(&plan.server, folder.path())?
    } else {
        Node::plain(&plan.server, folder.path())?
    };
    node.start()?;
    let key = {
        let operator = node.client(Some(node.claim().await?)).await?;
        handle_of(&operator.request(&Request::CreateTenant { name: Name::new("loaded")? }).await?)?
    };
    let key_file = folder.path().join("admin.key");
    std::fs::write(&key_file, &key)?;
    let admin = node.client(Some(key)).await?;
    let (before, asked) = scene(&admin).await?;
    let rows = folder.path().join("rows.ndjson");
    write_rows(&rows, plan.rows)?;
    let checks = Arc::new(Checks::default());
    let checking = tokio::spawn(check(admin.clone(), asked, Arc::clone(&checks)));
    let loader = Loader {
        server: &plan.server,
        rows: &rows,
        key: &key_file,
        node: node.address(),
        ca: node.data().join("certificate.pem"),
        folder: folder.path(),
    };
    let began = Instant::now();
    let (running, mut lives, cut) = cut_off(plan, &mut node, &loader).await?;
    let summary = loader.until_done(&node, running, &mut lives).await?;
    let took = began.elapsed();
    checks.stop.store(true, Ordering::Relaxed);
    checking.await?;
    let peak = node.memory()?;
    let mut faults = Vec::new();
    let again = loader.until_done(&node, loader.start()?, &mut lives).await?;
    if !again.contains("\"made\":0,") || !again.contains(&format!("\"rows\":{},", plan.rows)) {
        faults.push(format!("the load, once more, made something: {again}"));
    }
    // What stands on disk, read by a node that has only that.
    node.kill()?;
    node.start()?;
    count(&node.client(Some(std::fs::read_to_string(&key_file)?)).await?, plan.rows, before, &mut faults)
        .await?;
    // Held against a row that nobody loaded, the count must not agree.
    let mut planted = Vec::new();
    count(
        &node.client(Some(std::fs::read_to_string(&key_file)?)).await?,
        plan.rows + 1,
        before,
        &mut planted,
    )
    .await?;
    if planted.is_empty() {
        faults.push("a row that was left out was not noticed".to_owned());
    }
    let woken = node.memory()?;
    let code = node.terminate()?;
    if code != Some(0) {
        faults.push(format!("the last node ended with {code:?}"));
    }
    let (right, wrong) = (checks.right.load(Ordering::Relaxed), checks.wrong.load(Ordering::Relaxed));
    if right == 0 {
        faults.push("no check was answered rightly beside the load".to_owned());
    }
    let mut text = format!(
        "load: {} rows (seed {}), killed: {cut:?}, {lives} lives of the loader, {:.1} s with the kills, {right} checks right, {wrong} wrong, {} unanswered while the node was away; resident MB now/peak {peak} after the load, {woken} after a restart; last life: {summary}; {} violations; planted: a row that was left out {}",
        plan.rows,
        plan.seed,
        took.as_secs_f64(),
        checks.unanswered.load(Ordering::Relaxed),
        faults.len() as u64 + wrong,
        if planted.is_empty() { "NOT noticed" } else { "caught" },
    );
    for fault in &faults {
        write!(text, "\n  {fault}")?;
    }
    Ok(crate::kill::Told { text, violations: faults.len() as u64 + wrong })
}

/// Starts the loader, and kills node and loader in turn at chosen moments.
async fn cut_off(
    plan: &Plan,
    node: &mut Node,
    loader: &Loader<'_>,
) -> Result<(Child, u32, Vec<&'static str>), Trouble> {
    let bar = ProgressBar::new_spinner();
    let (mut dice, mut lives, mut cut) = (plan.seed | 1, 1, Vec::new());
    let mut running = loader.start()?;
    for no in 0..plan.kills {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // At some 20,000 rows/s the moments lie within the load, wherever it is.
        let span = (plan.rows / 20 / u64::from(plan.kills.max(1))).max(100);
        tokio::time::sleep(Duration::from_millis(100 + (dice >> 33) % span)).await;
        if no == 0 && running.try_wait()?.is_some() {
            return Err("the load had come to its end before the first kill: nothing was cut off".into());
        }
        let whom = if no % 2 == 0 { "node" } else { "loader" };
        bar.set_message(format!("kill -9 of the {whom}"));
        if no % 2 == 0 {
            node.kill()?;
            node.start()?;
        } else {
            running.kill()?;
            running.wait()?;
            running = loader.start()?;
            lives += 1;
        }
        cut.push(whom);
    }
    Ok((running, lives, cut))
}

/// A role that rows name, and a person with a session that holds it; and how many subjects there are.
async fn scene(admin: &Client) -> Result<(u64, HandleBytes), Trouble> {
    let role = Name::new("reader")?;
    let patterns = vec![Pattern::new("orders.read")?];
    admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
    admin.request(&Request::RegisterPermission { name: Name::new("orders.write")? }).await?;
    let person =
        Request::CreateSubject { kind: SubjectKind::Person, identifiers: Vec::new(), password: None };
    let subject = admin.request(&person).await?.subject.ok_or("no subject in the reply")?;
    let none = Deadline::NONE;
    admin.request(&Request::Grant { subject, role, workspace: None, from: none, until: none }).await?;
    let opened = admin.request(&Request::OpenSession { subject, device: None, proof: None }).await?;
    let handle = Handle::parse_text(&handle_of(&opened)?).map_err(|_| "no handle")?.to_bytes();
    let page: Page<SubjectRow> = admin.list(&Request::ListSubjects { after: None, limit: 100 }).await?;
    Ok((page.rows.len() as u64, handle))
}

/// Rows as a directory of another product would be exported.
fn write_rows(path: &Path, rows: u64) -> Result<(), Trouble> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    for row in 0..rows {
        writeln!(
            out,
            r#"{{"email":"person.{row}@example.org","password_hash":"$argon2id$v=19$m=19456,t=2,p=1${:021}A$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g","attributes":{{"full_name":"Person {row}"}},"roles":["reader"]}}"#,
            row
        )?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}

/// Asks all the time: what is granted is permitted, what is not is not.
async fn check(client: Client, handle: HandleBytes, checks: Arc<Checks>) {
    let mut turn = 0_u64;
    while !checks.stop.load(Ordering::Relaxed) {
        turn += 1;
        let permission = if turn.is_multiple_of(2) { "orders.read" } else { "orders.write" };
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        match client.with_deadline(Duration::from_secs(2)).check(&query).await {
            Ok(decision) if decision.is_permit() == turn.is_multiple_of(2) => &checks.right,
            Ok(_) => &checks.wrong,
            Err(_) => &checks.unanswered,
        }
        .fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

/// The command line that loads.
struct Loader<'a> {
    server: &'a Path,
    rows: &'a Path,
    key: &'a Path,
    node: String,
    ca: PathBuf,
    folder: &'a Path,
}

impl Loader<'_> {
    fn start(&self) -> Result<Child, Trouble> {
        let mut command = Command::new(self.server);
        command.arg("load").arg(self.rows).args(["--json", "--timeout", "30s", "--address", &self.node]);
        command.args(["--server-name", "localhost", "--patience", "2m"]);
        command.arg("--ca").arg(&self.ca).arg("--key-file").arg(self.key);
        command.env("HOME", self.folder).env_remove("TESSERA_PROFILE").env_remove("TESSERA_TENANT");
        let out = std::fs::File::create(self.folder.join("loader"))?;
        Ok(command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?)
    }

    /// Starts it anew until it has come to its end.
    async fn until_done(&self, node: &Node, mut running: Child, lives: &mut u32) -> Result<String, Trouble> {
        // LIMIT: lives that end because the node was away at their beginning.
        for _ in 0..50 {
            let status = tokio::task::spawn_blocking(move || running.wait()).await??;
            let said = std::fs::read_to_string(self.folder.join("loader"))?;
            match status.code() {
                Some(0) => return Ok(said.trim().to_owned()),
                Some(3) => drop(node.client(None).await?),
                code => return Err(format!("the loader ended with {code:?}: {said}").into()),
            }
            running = self.start()?;
            *lives += 1;
        }
        Err("the loader did not come to its end".into())
    }
}

/// Every row is one subject, and none is two.
async fn count(admin: &Client, rows: u64, before: u64, faults: &mut Vec<String>) -> Result<(), Trouble> {
    let (mut ids, mut listed, mut after) = (BTreeSet::new(), 0, None);
    loop {
        let request = Request::ListSubjects { after, limit: 0 };
        let page: Page<SubjectRow> = crate::node::patiently(|| admin.list(&request)).await?;
        listed += page.rows.len() as u64;
        ids.extend(page.rows.iter().map(|row| row.subject));
        let Some(next) = page.next else { break };
        after = Some(Private::new(next));
    }
    if listed != rows + before || ids.len() as u64 != listed {
        faults.push(format!(
            "{listed} subjects, {} different ones, of {rows} rows and {before} before",
            ids.len()
        ));
    }
    let mut whose = BTreeSet::new();
    let looked_up = rows.min(LOOKED_UP);
    for nth in 0..looked_up {
        let row = nth * rows / looked_up;
        let identifier = Identifier::guess(&format!("person.{row}@example.org"))?;
        let request = Request::ReadSubject { subject: None, identifier: Some(identifier) };
        let page: Page<SubjectRow> = crate::node::patiently(|| admin.list(&request)).await?;
        match page.rows.first() {
            Some(found) if found.has_password == Some(true) && ids.contains(&found.subject) => {
                whose.insert(found.subject);
            }
            _ => faults.push(format!("row {row} is nobody")),
        }
    }
    if whose.len() as u64 != looked_up {
        faults.push(format!("{looked_up} rows are {} subjects", whose.len()));
    }
    Ok(())
}
