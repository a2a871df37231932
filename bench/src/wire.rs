//! The wire's figures: the real node beside a bare quinn echo of the same sizes.

use crate::caller::Caller;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::process::{Node, Process, free_udp, fresh, until};
use crate::rounds::{median, quantile};
use std::path::{Path, PathBuf};
use std::process::Command;
use tessera_client::wire::{Made, Request};
use tessera_client::{Client, wire};
use tessera_model::record::SubjectKind;
use tessera_model::{
    CheckQuery, Deadline, Handle, HandleBytes, Name, Pattern, PermissionId, PermissionRef, Private, Receipt,
    WorkspaceRef,
};
use tessera_wire::{Hello, Inbox, Outbox};

/// The wire's family.
pub const WIRE: Family = Family { specs: &[P50, PIPELINED, PIPELINED_16, CLIENT_P50], take };

const P50: Spec = Spec {
    id: "wire-p50-vs-quinn",
    what: "check over QUIC, one in flight, p50",
    unit: "us",
    goal: "<= 1.15 x bare quinn echo",
};
const PIPELINED: Spec = Spec {
    id: "wire-pipelined-vs-quinn",
    what: "checks over QUIC, one connection and stream, 256 in flight",
    unit: "ops/s",
    goal: ">= 0.65 x bare quinn echo",
};
const PIPELINED_16: Spec = Spec {
    id: "wire-depth16-vs-quinn",
    what: "checks over QUIC, one connection and stream, 16 in flight",
    unit: "ops/s",
    goal: ">= 0.85 x bare quinn echo",
};
const CLIENT_P50: Spec = Spec {
    id: "wire-client-p50",
    what: "check through the shipped client, one in flight, p50",
    unit: "us",
    goal: "reported",
};

/// Bytes of a Decision frame: header and payload.
pub const DECISION_BYTES: usize = 48;

/// A node with one tenant, one session and what a check of it needs.
pub struct Prepared {
    /// The node.
    pub node: Node,
    /// The tenant admin's key.
    pub key: String,
    /// The session that is asked about.
    pub handle: HandleBytes,
    /// The permission that it has.
    pub permission: PermissionId,
}

fn text(made: &Made) -> Result<String, Why> {
    made.handle_text().ok_or_else(|| "no handle was given".into())
}

/// Claims a new node and makes a tenant in it: the admin's key.
///
/// # Errors
/// When the node refuses.
pub async fn claim(node: &mut Node) -> Result<Client, Why> {
    let secret = Private::new(node.secret()?.into_bytes());
    let stranger = node.client(None).await?;
    let made = stranger.request(&Request::ClaimOperator { secret, name: Name::new("bench")? }).await?;
    stranger.close().await;
    node.client(Some(text(&made)?)).await
}

/// Makes a tenant: its admin's key.
///
/// # Errors
/// When the node refuses.
pub async fn tenant(operator: &Client, name: &str) -> Result<String, Why> {
    text(&operator.request(&Request::CreateTenant { name: Name::new(name)? }).await?)
}

/// Makes a subject with a role and a session: the session's handle and the permission's id.
///
/// # Errors
/// When the node refuses.
pub async fn session(admin: &Client) -> Result<(HandleBytes, PermissionId), Why> {
    let role = Name::new("reader")?;
    let patterns = vec![Pattern::new("orders.read")?];
    admin.request(&Request::CreateRole { name: role.clone(), patterns }).await?;
    let kind = SubjectKind::Machine;
    let made = admin.request(&Request::CreateSubject { kind, identifiers: vec![], password: None }).await?;
    let subject = made.subject.ok_or("no subject was made")?;
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    admin.request(&Request::Grant { subject, role, workspace: None, from, until }).await?;
    let opened = admin.request(&Request::OpenSession { subject, device: None, proof: None }).await?;
    let handle = Handle::parse_text(&text(&opened)?).map_err(|_| "not a handle")?;
    let resolved = admin.resolve(&[wire::Resolve::Permission("orders.read")]).await?;
    let id = resolved.ids.first().copied().ok_or("the permission has no id")?;
    Ok((handle.to_bytes(), PermissionId(id)))
}

impl Prepared {
    /// Starts a node and makes what a check needs.
    ///
    /// # Errors
    /// When it does not start or refuses.
    pub async fn new(program: &Path, folder: &Path) -> Result<Self, Why> {
        Self::with(program, folder, &[]).await
    }

    /// The same, of a node with these further settings.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub async fn with(program: &Path, folder: &Path, settings: &[(&str, &str)]) -> Result<Self, Why> {
        let mut node = Node::start(program, folder, settings)?;
        let operator = claim(&mut node).await?;
        let key = tenant(&operator, "bench").await?;
        let admin = node.client(Some(key.clone())).await?;
        let (handle, permission) = session(&admin).await?;
        Ok(Self { node, key, handle, permission })
    }

    /// The check that is asked again and again, by ids.
    #[must_use]
    pub const fn query(&self) -> CheckQuery<'_> {
        CheckQuery {
            handle: &self.handle,
            permission: PermissionRef::Id(self.permission),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt { epoch: tessera_model::Epoch(0), revision: tessera_model::Revision(0) },
            address: None,
        }
    }

    /// Its frame.
    ///
    /// # Errors
    /// None that can happen.
    pub fn frame(&self) -> Result<Vec<u8>, Why> {
        let mut outbox = Outbox::new();
        outbox.check(7, &self.query())?;
        Ok(outbox.as_bytes().to_vec())
    }

    /// The bench's caller, bound as the tenant's admin, after one check that was permitted.
    ///
    /// # Errors
    /// When the node refuses.
    pub fn caller(&mut self) -> Result<Caller, Why> {
        let mut caller = Caller::connect(self.node.address, &self.node.certificate()?, DECISION_BYTES)?;
        let key = Handle::parse_text(&self.key).map_err(|_| "not a handle")?.to_bytes();
        if !caller.hello(&Hello { credential: Some(key), ..Hello::default() })? {
            return Err("the tenant did not wake".into());
        }
        self.permitted(&mut caller)?;
        Ok(caller)
    }

    /// Whether a check is permitted: asked before and after what is timed.
    ///
    /// # Errors
    /// When it is not.
    pub fn permitted(&self, caller: &mut Caller) -> Result<(), Why> {
        let mut inbox = Inbox::default();
        inbox.extend(&caller.once(&self.frame()?)?);
        let decision = inbox.next_frame()?.ok_or("half a reply")?.decision()?;
        if decision.is_permit() { Ok(()) } else { Err(format!("denied: {}", decision.reason.name()).into()) }
    }
}

/// The program whose hidden parts are started: this one, or the one above a criterion bench.
///
/// # Errors
/// When the system does not tell where it is.
pub fn own_program() -> Result<PathBuf, Why> {
    let own = std::env::current_exe()?;
    if own.file_name().is_some_and(|name| name == "tessera-bench") {
        return Ok(own);
    }
    Ok(own.ancestors().nth(2).ok_or("no folder above")?.join("tessera-bench"))
}

/// The bare echo as a process, and a caller of it.
///
/// # Errors
/// When it does not start.
pub fn echo(folder: &Path) -> Result<(Process, Caller), Why> {
    echo_of(folder, DECISION_BYTES, false)
}

/// The same with replies of so many bytes; it may poll instead of sleeping.
///
/// # Errors
/// As [`echo`].
pub fn echo_of(folder: &Path, reply: usize, busy: bool) -> Result<(Process, Caller), Why> {
    let (listen, certificate) = (free_udp()?, folder.join(format!("echo-{reply}.pem")));
    let mut command = Command::new(own_program()?);
    if busy {
        command.args(["echo", "--busy"]);
    } else {
        command.arg("echo");
    }
    command.args(["--listen", &listen.to_string(), "--reply", &reply.to_string(), "--certificate"]);
    let mut process = Process::start(command.arg(&certificate), &folder.join("echo.log"))?;
    until(&mut process, &certificate)?;
    let caller = Caller::connect(listen, &std::fs::read(certificate)?, reply)?;
    Ok((process, caller))
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("wire: starting a node and a bare echo");
    let folder = fresh(&setup.folder, "wire")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut prepared = runtime.block_on(Prepared::new(&setup.node, &folder))?;
    let (_echo, mut bare) = echo(&folder)?;
    let (mut ours, frame) = (prepared.caller()?, prepared.frame()?);
    let rounds = setup.size(9, 3) as usize;
    let sizes = |count: usize| {
        format!(
            "{} bytes asked, {DECISION_BYTES} answered, {count} checks a round, {rounds} rounds in turn; both ends share the cores",
            frame.len()
        )
    };
    setup.progress.say("wire-p50-vs-quinn");
    let count = setup.size(20_000, 2_000) as usize;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let p50 =
        |caller: &mut Caller, count: usize| Ok::<_, Why>(median(&caller.one_by_one(&frame, count)?) / 1e3);
    p50(&mut ours, count / 4)?;
    p50(&mut bare, count / 4)?;
    for _ in 0..rounds {
        a.push(p50(&mut ours, count)?);
        b.push(p50(&mut bare, count)?);
    }
    let (ours_p50, bare_p50) = (median(&a), median(&b));
    let spread = |values: &[f64]| format!("{:.0} to {:.0}", quantile(values, 0.0), quantile(values, 1.0));
    let noted = format!("{}; rounds from {} us, bare {} us", sizes(count), spread(&a), spread(&b));
    // Fewer rounds in a quick run, the same sizes.
    let met = Some(ours_p50 / bare_p50 <= 1.15);
    let mut rows = vec![Row::new(&P50, ours_p50, noted).beside("bare quinn echo", bare_p50).judged(met)];
    for (spec, depth, least) in [(&PIPELINED, 256, 0.65), (&PIPELINED_16, 16, 0.85)] {
        setup.progress.say(spec.id);
        let count = setup.size(if depth == 256 { 1_000_000 } else { 300_000 }, 50_000) as usize;
        let (mut a, mut b) = (Vec::new(), Vec::new());
        ours.pipelined(&frame, depth, count / 10)?;
        bare.pipelined(&frame, depth, count / 10)?;
        for _ in 0..rounds {
            a.push(ours.pipelined(&frame, depth, count)?);
            b.push(bare.pipelined(&frame, depth, count)?);
        }
        let (ours_rate, bare_rate) = (median(&a), median(&b));
        let met = Some(ours_rate / bare_rate >= least);
        rows.push(Row::new(spec, ours_rate, sizes(count)).beside("bare quinn echo", bare_rate).judged(met));
    }
    prepared.permitted(&mut ours)?;
    drop(ours);
    setup.progress.say(CLIENT_P50.id);
    let client = runtime.block_on(async {
        let client = prepared.node.client(Some(prepared.key.clone())).await?;
        let mut nanos = Vec::new();
        for _ in 0..count {
            let started = std::time::Instant::now();
            client.check(&prepared.query()).await?;
            nanos.push(started.elapsed().as_nanos() as f64);
        }
        Ok::<_, Why>(median(&nanos) / 1e3)
    })?;
    rows.push(Row::new(&CLIENT_P50, client, sizes(count)).beside("bare quinn echo", bare_p50));
    Ok(rows)
}
