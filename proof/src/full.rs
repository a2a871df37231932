//! A full disk under the real binary: checks go on, what narrows goes on into the reserve, everything else is
//! refused as `StorageFull`, and space that returns is used by the same process.
//!
//! The disk is a tmpfs of 12 MiB in a mount namespace of its own, in which the proof starts itself again.

use crate::kill::Told;
use crate::node::{Node, Trouble, handle_of, patiently};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tessera_client::wire::Request;
use tessera_client::{Client, ClientError};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, HandleBytes, Name, Pattern, PermissionRef, PublicId, Receipt, Refusal, TenantId,
    WorkspaceRef,
};
use tessera_storage::{Embedded, Options, RootKey, Store};

/// What is to be tried.
pub(crate) struct Plan {
    /// Rounds: the disk is filled and freed so often.
    pub(crate) rounds: u32,
    pub(crate) server: PathBuf,
    /// It runs in a mount namespace of its own already.
    pub(crate) inside: bool,
}

/// The size of the disk.
const DISK: &str = "size=12m";
/// LIMIT: commands until a full disk must have shown.
const COMMANDS: u32 = 20_000;
/// LIMIT: how long space that returned may stay unused.
const RELIEF: Duration = Duration::from_secs(60);

/// How a mount namespace can be had here: as root, or as root of a user namespace.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    ways.into_iter().find(|way| {
        let tried = Command::new("unshare")
            .args(*way)
            .args([
                "sh",
                "-c",
                "d=$(mktemp -d) && mount -t tmpfs -o size=64k none $d; c=$?; umount $d; rmdir $d; exit $c",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.code() == Some(0))
    })
}

/// Runs the proof: in a mount namespace, where one can be had.
pub(crate) async fn run(plan: &Plan) -> Result<Told, Trouble> {
    if plan.inside {
        return inside(plan).await;
    }
    let Some(way) = namespace() else {
        let text =
            "full: SKIPPED: no mount namespace can be had here (unshare --mount, or with --user)".to_owned();
        return Ok(Told { text, violations: 0 });
    };
    let own = std::env::current_exe()?;
    let mut command = Command::new("unshare");
    command.args(way).arg(own).args(["full", "--inside", "--rounds", &plan.rounds.to_string(), "--server"]);
    let output = command.arg(&plan.server).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    Ok(Told { text, violations: u64::from(!output.status.success()) })
}

/// A session as the proof knows it.
struct Held {
    handle: HandleBytes,
    id: PublicId,
    alive: bool,
}

/// The one tenant of the proof.
struct Scene {
    admin: Client,
    subject: PublicId,
    held: Vec<Held>,
    checked: u64,
    acknowledged: u64,
    faults: Vec<String>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Done,
    Full,
}

impl Scene {
    async fn order(&mut self, request: &Request) -> Result<Ended, Trouble> {
        match self.admin.request(request).await {
            Ok(made) => {
                self.acknowledged += 1;
                if let (Some(handle), Some(id)) = (&made.handle, made.session) {
                    let handle = handle.expose().try_into().map_err(|_| "a handle of another length")?;
                    self.held.push(Held { handle, id, alive: true });
                }
                Ok(Ended::Done)
            }
            Err(ClientError::Refused(Refusal::StorageFull | Refusal::ReserveFull | Refusal::Busy(_))) => {
                Ok(Ended::Full)
            }
            Err(error) => Err(format!("a command on a full disk ended with {error}").into()),
        }
    }

    async fn open(&mut self) -> Result<Ended, Trouble> {
        let request = Request::OpenSession { subject: self.subject, device: None, proof: None };
        self.order(&request).await
    }

    /// Ends the newest session that lives.
    async fn end(&mut self) -> Result<Ended, Trouble> {
        let Some(at) = self.held.iter().rposition(|held| held.alive) else { return Ok(Ended::Done) };
        let Some(id) = self.held.get(at).map(|held| held.id) else { return Ok(Ended::Done) };
        let ended = self.order(&Request::EndSession { session: id }).await?;
        if let (Ended::Done, Some(held)) = (ended, self.held.get_mut(at)) {
            held.alive = false;
        }
        Ok(ended)
    }

    /// Asks about every session that the proof knows, or the newest so many.
    async fn look(&mut self, newest: usize, when: &str) -> Result<(), Trouble> {
        for held in self.held.iter().rev().take(newest) {
            let query = CheckQuery {
                handle: &held.handle,
                permission: PermissionRef::Name("proof.act"),
                workspace: WorkspaceRef::Tenant,
                at_least: Receipt::default(),
                address: None,
            };
            let decision = patiently(|| self.admin.check(&query)).await?;
            self.checked += 1;
            if decision.is_permit() != held.alive {
                let said = decision.reason.name();
                self.faults.push(format!("{when}: a session (alive: {}) was answered {said}", held.alive));
            }
        }
        Ok(())
    }
}

async fn inside(plan: &Plan) -> Result<Told, Trouble> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "none"]).arg(&data).status()?;
    if !mounted.success() {
        return Err("the disk could not be mounted".into());
    }
    let told = Box::pin(both(plan, folder.path(), &data)).await;
    let gone = Command::new("umount").arg("--lazy").arg(&data).status()?;
    let told = told?;
    if gone.success() { Ok(told) } else { Err("the disk could not be unmounted".into()) }
}

/// The proof, and one round of it over a node whose revocations are acknowledged and not in force.
async fn both(plan: &Plan, folder: &Path, data: &Path) -> Result<Told, Trouble> {
    let mut told = Box::pin(on_disk(plan, folder, data, false)).await?;
    const WHAT: &str = "revocations that are not in force";
    if !tessera_engine::PLANTED {
        told.text.push_str(&format!("; planted: {WHAT} SKIPPED: this build has no planted faults"));
        return Ok(told);
    }
    for file in std::fs::read_dir(data)? {
        let path = file?.path();
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    std::fs::remove_file(folder.join("root.key"))?;
    let once = Plan { rounds: 1, server: plan.server.clone(), inside: true };
    // A node that answers wrongly may end the round as well.
    let caught = Box::pin(on_disk(&once, folder, data, true)).await.map_or(true, |told| told.violations > 0);
    told.violations += u64::from(!caught);
    let word = if caught { "caught" } else { "NOT noticed" };
    told.text.push_str(&format!("; planted: {WHAT} {word}"));
    Ok(told)
}

/// A tenant with a subject that may act, and some sessions, before the disk is full.
async fn prepare(node: &Node) -> Result<(Scene, TenantId), Trouble> {
    let operator = node.client(Some(node.claim().await?)).await?;
    let made = operator.request(&Request::CreateTenant { name: Name::new("full")? }).await?;
    let admin = node.client(Some(handle_of(&made)?)).await?;
    let (role, none) = (Name::new("actor")?, Deadline::NONE);
    let patterns = vec![Pattern::new("proof.act")?];
    admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
    let person =
        Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None };
    let subject = admin.request(&person).await?.subject.ok_or("no subject in the reply")?;
    admin.request(&Request::Grant { subject, role, workspace: None, from: none, until: none }).await?;
    let mut scene =
        Scene { admin, subject, held: Vec::new(), checked: 0, acknowledged: 0, faults: Vec::new() };
    for _ in 0..200 {
        scene.open().await?;
    }
    Ok((scene, made.tenant.ok_or("no tenant in the reply")?))
}

async fn on_disk(plan: &Plan, folder: &Path, data: &Path, planted: bool) -> Result<Told, Trouble> {
    let small = "journal_file_bytes = 262144\ntail_bytes_max = 2097152\ncheckpoint_seconds = 1\n";
    let mut node = Node::with(&plan.server, folder, small)?;
    if planted {
        node.plant("TESSERA_PLANTED_SKIP_REVOCATIONS", "1");
    }
    node.start()?;
    let (mut scene, tenant) = prepare(&node).await?;
    let (mut refused, mut narrowed, mut lives) = (0_u32, 0_u32, 1_u32);
    for round in 0..plan.rounds {
        let process = node.process();
        fill(data)?;
        let mut left = COMMANDS;
        while scene.open().await? == Ended::Done {
            left = left.checked_sub(1).ok_or("the disk was full and no command was refused")?;
        }
        scene.look(100, "full").await?;
        for _ in 0..10 {
            refused += u32::from(scene.open().await? == Ended::Full);
        }
        for _ in 0..20 {
            // A subject's own narrowing may meet the bound of the reserve; it says so.
            narrowed += u32::from(scene.end().await? == Ended::Done);
        }
        scene.look(100, "narrowed").await?;
        if round % 2 == 1 {
            // A start on the full disk has everything, and refuses the same.
            node.kill()?;
            node.start()?;
            lives += 1;
            scene.look(usize::MAX, "started on a full disk").await?;
            refused += u32::from(scene.open().await? == Ended::Full);
        }
        let process = if round % 2 == 1 { node.process() } else { process };
        std::fs::remove_file(data.join("ballast"))?;
        let began = Instant::now();
        while scene.open().await? == Ended::Full {
            if began.elapsed() > RELIEF {
                scene.faults.push("space returned and was not used".to_owned());
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if node.process() != process || node.ended()?.is_some() {
            scene.faults.push("the process ended on a full disk".to_owned());
        }
        scene.look(100, "relieved").await?;
    }
    scene.look(usize::MAX, "at the end").await?;
    let code = node.terminate()?;
    if code != Some(0) {
        scene.faults.push(format!("the node ended with {code:?} instead of 0"));
    }
    if narrowed == 0 || refused == 0 {
        scene.faults.push(format!("{narrowed} commands narrowed, {refused} were refused"));
    }
    let options = Options::new(RootKey::read(&node.root_key())?, [0; 32], [5; 32]);
    let store = Embedded::open(&node.data(), options)?;
    let frames = store.verify(tenant)?.frames;
    store.stop();
    let violations = scene.faults.len() as u64;
    let mut text = format!(
        "full: {} rounds on a disk of 12 MiB, {lives} lives, {} commands acknowledged, {refused} refused as full, {narrowed} narrowed on the full disk, {} answers compared, {frames} frames verified, {violations} violations",
        plan.rounds, scene.acknowledged, scene.checked
    );
    for fault in &scene.faults {
        text.push_str("\n  ");
        text.push_str(fault);
    }
    Ok(Told { text, violations })
}

/// Takes all space that is left.
fn fill(data: &Path) -> Result<(), Trouble> {
    let mut file = File::create(data.join("ballast"))?;
    for piece in [64 * 1024, 4 * 1024] {
        let zeros = vec![0; piece];
        loop {
            match file.write_all(&zeros) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
