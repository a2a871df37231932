//! Clocks that jump, stand still and sleep under the real binary: what is due ends, what has ended stays ended, and
//! where nobody knows the time writes wait while what narrows goes on.
//!
//! The test build moves the readings of its clocks by a file; nothing else about the node is different.

use crate::kill::Told;
use crate::node::{Node, Trouble, handle_of, patiently};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tessera_client::wire::Request;
use tessera_client::{Client, ClientError};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, HandleBytes, Name, Pattern, PermissionRef, PublicId, Reason, Receipt, Refusal,
    Setting, WorkspaceRef, settings::SettingsChange,
};

/// What is to be tried.
pub(crate) struct Plan {
    pub(crate) server: PathBuf,
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// The last day on which the admin's key is good, which lives for 400.
const AHEAD: i64 = 399 * DAY;
/// LIMIT: how long a node may take to see that its clock is off, or right again: it looks once a second.
const SEEN: Duration = Duration::from_secs(20);

/// A session and what is known of it.
#[derive(Clone, Copy)]
struct Held {
    handle: HandleBytes,
    id: PublicId,
}

/// The node, the file that moves its clocks, and what was found.
struct Scene {
    node: Node,
    /// Where it lives; gone with it.
    _folder: tempfile::TempDir,
    moves: PathBuf,
    key: String,
    subject: PublicId,
    /// How long it may take to see that its clock is off.
    seen: Duration,
    jumps: u32,
    answers: u32,
    faults: Vec<String>,
}

/// Runs the proof, and once more with a clock that follows every step.
pub(crate) async fn run(plan: &Plan) -> Result<Told, Trouble> {
    if !tessera_engine::PLANTED {
        let text = "clock: SKIPPED: this build cannot move its clocks (feature planted)".to_owned();
        return Ok(Told { text, violations: 0 });
    }
    let mut scene = Scene::new(plan, &[]).await?;
    Box::pin(scene.under_way()).await?;
    Box::pin(scene.between_starts()).await?;
    let code = scene.node.terminate()?;
    if code != Some(0) {
        scene.faults.push(format!("the node ended with {code:?}"));
    }
    let mut faults = std::mem::take(&mut scene.faults);
    let mut planted = Scene::new(plan, &["TESSERA_PLANTED_CLOCK_FOLLOWS"]).await?;
    planted.seen = Duration::from_secs(4);
    // A command under way meets the jump, too: the node refuses its id then, and that is how it is noticed.
    let caught = match Box::pin(planted.jump("planted", AHEAD)).await {
        Ok(()) => !planted.faults.is_empty(),
        Err(error) => match error.downcast_ref::<ClientError>() {
            Some(ClientError::Refused(Refusal::CommandTooOld)) => true,
            Some(_) | None => return Err(error),
        },
    };
    if !caught {
        faults.push("a clock that follows every step was not noticed".to_owned());
    }
    let mut text = format!(
        "clock: {} jumps, stops and suspensions of the real binary's clocks, under way and between starts, {} answers compared, {} violations; planted: a clock that follows every step {}",
        scene.jumps,
        scene.answers,
        faults.len(),
        if caught { "caught" } else { "NOT noticed" }
    );
    for fault in &faults {
        text.push_str("\n  ");
        text.push_str(fault);
    }
    Ok(Told { text, violations: faults.len() as u64 })
}

impl Scene {
    async fn new(plan: &Plan, planted: &[&'static str]) -> Result<Self, Trouble> {
        let folder = tempfile::tempdir()?;
        let moves = folder.path().join("clocks");
        std::fs::write(&moves, "0 0 0")?;
        let mut node = Node::new(&plan.server, folder.path())?;
        node.plant("TESSERA_PLANTED_CLOCKS", moves.display().to_string());
        planted.iter().for_each(|variable| node.plant(variable, "1"));
        node.start()?;
        let operator = node.client(Some(node.claim().await?)).await?;
        let made = operator.request(&Request::CreateTenant { name: Name::new("clock")? }).await?;
        let key = handle_of(&made)?;
        let admin = node.client(Some(key.clone())).await?;
        let (role, none) = (Name::new("actor")?, Deadline::NONE);
        let patterns = vec![Pattern::new("proof.act")?];
        admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
        let person =
            Request::CreateSubject { kind: SubjectKind::Machine, identifiers: Vec::new(), password: None };
        let subject = admin.request(&person).await?.subject.ok_or("no subject in the reply")?;
        admin.request(&Request::Grant { subject, role, workspace: None, from: none, until: none }).await?;
        Ok(Self {
            node,
            _folder: folder,
            moves,
            key,
            subject,
            seen: SEEN,
            jumps: 0,
            answers: 0,
            faults: Vec::new(),
        })
    }

    /// Moves the clocks: the wall's by so much, the boot clock's by so much, the wall standing still at a time or not.
    fn set(&mut self, wall: i64, boot: i64, still: u64) -> Result<(), Trouble> {
        let beside = self.moves.with_extension("new");
        std::fs::write(&beside, format!("{wall} {boot} {still}"))?;
        std::fs::rename(beside, &self.moves)?;
        self.jumps += 1;
        Ok(())
    }

    /// A client that learns the node's time anew.
    async fn admin(&self) -> Result<Client, Trouble> {
        self.node.client(Some(self.key.clone())).await
    }

    async fn open(&mut self, admin: &Client) -> Result<Held, Trouble> {
        let made =
            admin.request(&Request::OpenSession { subject: self.subject, device: None, proof: None }).await?;
        let (Some(handle), Some(id)) = (&made.handle, made.session) else {
            return Err("no session in the reply".into());
        };
        let handle = handle.expose().try_into().map_err(|_| "a handle of another length")?;
        Ok(Held { handle, id })
    }

    /// Whether writes wait, or are taken, within the time in which the node must have seen its clock.
    async fn writes(&mut self, when: &str, wait: bool) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            let admin = self.admin().await?;
            let asked = Request::OpenSession { subject: self.subject, device: None, proof: None };
            let waits = match admin.request(&asked).await {
                Ok(_) => false,
                Err(ClientError::Refused(Refusal::ClockStopped)) => true,
                Err(error) => return Err(format!("{when}: {error}").into()),
            };
            if waits == wait {
                return Ok(());
            }
            if began.elapsed() > self.seen {
                self.faults.push(format!("{when}: writes {}", if wait { "go on" } else { "wait" }));
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn check(&mut self, when: &str, held: &Held, permitted: bool) -> Result<Reason, Trouble> {
        let admin = self.admin().await?;
        let query = CheckQuery {
            handle: &held.handle,
            permission: PermissionRef::Name("proof.act"),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        let decision = patiently(|| admin.check(&query)).await?;
        self.answers += 1;
        if decision.is_permit() != permitted {
            let said = decision.reason.name();
            self.faults.push(format!("{when}: a session was answered {said}, permitted is {permitted}"));
        }
        Ok(decision.reason)
    }

    /// The wall jumps under a node that runs: it is not followed, writes wait, what narrows goes on, and what holds at
    /// both times is permitted; then it is right again.
    async fn jump(&mut self, when: &str, by: i64) -> Result<(), Trouble> {
        let admin = self.admin().await?;
        let (kept, ended) = (self.open(&admin).await?, self.open(&admin).await?);
        self.set(by, 0, 0)?;
        self.writes(when, true).await?;
        // A later time ends it, an earlier one does not.
        self.check(when, &kept, by < 0).await?;
        let admin = self.admin().await?;
        if let Err(error) = admin.request(&Request::EndSession { session: ended.id }).await {
            self.faults.push(format!("{when}: what narrows was turned down: {error}"));
        }
        self.check(when, &ended, false).await?;
        self.set(0, 0, 0)?;
        self.writes(when, false).await?;
        self.check(when, &kept, true).await?;
        self.check(when, &ended, false).await?;
        Ok(())
    }

    /// The admin's key has ended by its time.
    async fn turned_down(&mut self, when: &str) -> Result<(), Trouble> {
        let began = Instant::now();
        while began.elapsed() < SEEN {
            match self.node.connect(Some(self.key.clone()), Duration::from_secs(5)).await {
                Ok(_) => {
                    self.faults.push(format!("{when}: a key that has ended opens something"));
                    return Ok(());
                }
                Err(error) if error.to_string().contains("405") => return Ok(()),
                // It is still starting.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        self.faults.push(format!("{when}: nobody is told anything"));
        Ok(())
    }

    async fn under_way(&mut self) -> Result<(), Trouble> {
        self.jump("399 days ahead", AHEAD).await?;
        self.jump("400 days behind", -400 * DAY).await?;
        self.jump("an hour behind", -HOUR).await?;
        // The wall stands still while time goes on, and catches up.
        let admin = self.admin().await?;
        let kept = self.open(&admin).await?;
        self.set(0, 10_000, 0)?;
        self.writes("a wall that stands still", true).await?;
        self.check("a wall that stands still", &kept, true).await?;
        self.set(10_000, 10_000, 0)?;
        self.writes("a wall that caught up", false).await?;
        // The process stands still.
        self.node.signal("-STOP")?;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        self.node.signal("-CONT")?;
        self.jumps += 1;
        self.check("a process that stood still", &kept, true).await?;
        self.writes("a process that stood still", false).await
    }

    /// Suspensions and starts with another time: what ended by its time does not come back.
    async fn between_starts(&mut self) -> Result<(), Trouble> {
        let admin = self.admin().await?;
        let idle = self.open(&admin).await?;
        // The machine sleeps for two hours: both clocks go on, and an hour without use is over.
        let base = 10_000 + 2 * HOUR;
        self.set(base, base, 0)?;
        self.check("behind a suspension", &idle, false).await?;
        self.writes("behind a suspension", false).await?;
        let admin = self.admin().await?;
        let short = SettingsChange::of(|setting| (setting == Setting::SessionIdle).then_some(86_400));
        admin.request(&Request::ChangeSettings { settings: short }).await?;
        let lives = self.open(&admin).await?;
        for (when, wall, wait) in [
            ("started an hour earlier", base - HOUR + 60_000, false),
            ("started 400 days earlier", base - 400 * DAY, true),
        ] {
            self.node.kill()?;
            self.set(wall, base, 0)?;
            self.node.start()?;
            self.check(when, &idle, false).await?;
            self.check(when, &lives, true).await?;
            self.writes(when, wait).await?;
        }
        self.node.kill()?;
        self.set(base + AHEAD, base, 0)?;
        self.node.start()?;
        let when = "started 399 days later";
        self.check(when, &lives, false).await?;
        self.check(when, &idle, false).await?;
        self.writes(when, false).await?;
        // Behind its own end a key opens nothing.
        self.node.kill()?;
        self.set(base + 401 * DAY, base, 0)?;
        self.node.start()?;
        self.turned_down("started 401 days later").await?;
        // The journal knows that time: at the right one writes wait, and nothing that ended lives again.
        self.node.kill()?;
        self.set(base, base, 0)?;
        self.node.start()?;
        let when = "started behind a journal that is 399 days ahead";
        self.check(when, &lives, false).await?;
        self.check(when, &idle, false).await?;
        self.writes(when, true).await
    }
}
