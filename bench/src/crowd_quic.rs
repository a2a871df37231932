//! Many writers over QUIC: connections with one command in flight each, on one endpoint and one thread.

use crate::caller::{config, eagerly};
use crate::crowd::SYNCS;
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::peers::Sync;
use crate::process::{Node, fresh};
use crate::rounds::{median, quantile};
use crate::seeded::Seeded;
use crate::wire::{claim, tenant};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use std::net::Ipv4Addr;
use std::time::Instant;
use tessera_model::{CommandId, Handle, PublicId, Refusal, UnixMillis};
use tessera_wire::{Head, Hello, Inbox, Kind, Outbox, Request, TENANT_OF_CONNECTION};
use tokio::runtime::Runtime;

/// Commands over QUIC.
pub const CROWD_QUIC: Family = Family { specs: &[FEW, THOUSAND], take };

const FEW: Spec = Spec {
    id: "commit-64-quic",
    what: "OpenSession over QUIC, 64 connections to 64 tenants with one in flight each, burst",
    unit: "ops/s",
    goal: ">= 60,000/s",
};
const THOUSAND: Spec = Spec {
    id: "commit-1024-quic",
    what: "OpenSession over QUIC, 1,024 connections to 64 tenants with one in flight each, burst",
    unit: "ops/s",
    goal: ">= 150,000/s",
};

const TENANTS: usize = 64;
const CONNECTIONS: u32 = 1_024;
const CONNECTIONS_QUICK: u32 = 256;

/// LIMIT: how often a writer of one round hears Busy.
const BUSY_MAX: u64 = 1_000_000;

/// One connection of a tenant's admin.
struct Writer {
    _connection: Connection,
    send: SendStream,
    receive: RecvStream,
    inbox: Inbox,
    outbox: Outbox,
    /// Whose sessions it opens: its own subject's.
    subject: PublicId,
    /// The node's time, and when it was told.
    clock: (UnixMillis, Instant),
    dice: Seeded,
}

impl Writer {
    async fn new(endpoint: &Endpoint, node: &Node, key: &Handle, seed: u64) -> Result<Self, Why> {
        let connection = eagerly(endpoint, node.address).await?;
        let (mut send, mut receive) = connection.open_bi().await?;
        let (mut inbox, mut outbox) = (Inbox::default(), Outbox::new());
        outbox.hello(1, &Hello { credential: Some(key.to_bytes()), ..Hello::default() })?;
        send.write_all(outbox.as_bytes()).await?;
        let told = loop {
            let chunk = receive.read_chunk(usize::MAX, true).await?.ok_or("the stream ended")?;
            inbox.extend(&chunk.bytes);
            if let Some(frame) = inbox.next_frame()? {
                break frame.hello_reply()?;
            }
        };
        let (subject, _) = told.bound.ok_or("a writer was not bound")?;
        let (clock, dice) = ((told.node_time, Instant::now()), Seeded::new(seed));
        Ok(Self { _connection: connection, send, receive, inbox, outbox, subject, clock, dice })
    }

    fn command_id(&mut self) -> Result<CommandId, Why> {
        let (told, at) = self.clock;
        let now = told.0 + u64::try_from(at.elapsed().as_millis())?;
        let [a, b, c, d, e, f, g, h] = self.dice.next().to_le_bytes();
        let [i, j, ..] = self.dice.next().to_le_bytes();
        Ok(CommandId(PublicId::new(now, [a, b, c, d, e, f, g, h, i, j]).0))
    }

    /// Opens so many sessions one after the other: microseconds of each, and how often the answer was Busy.
    async fn open(mut self, count: usize) -> Result<(Self, Vec<f64>, u64), Why> {
        let (mut micros, mut busy) = (Vec::with_capacity(count), 0);
        let request = Request::OpenSession { subject: self.subject, device: None, proof: None };
        while micros.len() < count {
            let head = Head { command_id: self.command_id()?, tenant: TENANT_OF_CONNECTION };
            self.outbox.clear();
            self.outbox.request(7, head, &request)?;
            let started = Instant::now();
            self.send.write_all(self.outbox.as_bytes()).await?;
            let fault = loop {
                if let Some(frame) = self.inbox.next_frame()? {
                    break if frame.kind()? == Kind::Error { Some(frame.fault()?) } else { None };
                }
                let chunk = self.receive.read_chunk(usize::MAX, true).await?.ok_or("the stream ended")?;
                self.inbox.extend(&chunk.bytes);
            };
            match fault {
                None => micros.push(started.elapsed().as_nanos() as f64 / 1e3),
                Some(fault) if matches!(fault.refusal(), Some(Refusal::Busy(_))) && busy < BUSY_MAX => {
                    busy += 1;
                    tokio::task::yield_now().await;
                }
                Some(fault) => return Err(format!("a session was refused: {}", fault.detail).into()),
            }
        }
        Ok((self, micros, busy))
    }
}

/// All writers, on a runtime of one thread.
struct Crowd {
    runtime: Runtime,
    _endpoint: Endpoint,
    writers: Vec<Writer>,
    rates: Vec<f64>,
    p50s: Vec<f64>,
    busy: u64,
}

impl Crowd {
    fn connect(node: &mut Node, keys: &[Handle], count: usize) -> Result<Self, Why> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = config(&node.certificate()?)?;
        let (endpoint, writers) = runtime.block_on(async {
            let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
            endpoint.set_default_client_config(config);
            let mut writers = Vec::with_capacity(count);
            for (key, seed) in keys.iter().cycle().take(count).zip(1_u64..) {
                writers.push(Writer::new(&endpoint, node, key, ((count as u64) << 32) | seed).await?);
            }
            Ok::<_, Why>((endpoint, writers))
        })?;
        Ok(Self { runtime, _endpoint: endpoint, writers, rates: Vec::new(), p50s: Vec::new(), busy: 0 })
    }

    /// A round: every writer so many sessions.
    fn round(&mut self, each: usize) -> Result<(), Why> {
        let Self { runtime, writers, .. } = self;
        let (micros, busy, seconds) = runtime.block_on(async {
            let started = Instant::now();
            let mut running = tokio::task::JoinSet::new();
            for writer in writers.drain(..) {
                running.spawn(writer.open(each));
            }
            let (mut all, mut busy) = (Vec::new(), 0);
            while let Some(ended) = running.join_next().await {
                let (writer, micros, refused) = ended??;
                writers.push(writer);
                all.extend(micros);
                busy += refused;
            }
            Ok::<_, Why>((all, busy, started.elapsed().as_secs_f64()))
        })?;
        self.rates.push(micros.len() as f64 / seconds);
        self.p50s.push(median(&micros));
        self.busy += busy;
        Ok(())
    }
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("commit-64-quic: a node with 64 tenants");
    let folder = fresh(&setup.folder, "crowd-quic")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut node = Node::start(&setup.node, &folder, &[])?;
    let keys = runtime.block_on(async {
        let operator = claim(&mut node).await?;
        let mut keys = Vec::new();
        for no in 0..TENANTS {
            let key = tenant(&operator, &format!("bench-{no}")).await?;
            keys.push(Handle::parse_text(&key).map_err(|_| "not a handle")?);
        }
        operator.close().await;
        Ok::<_, Why>(keys)
    })?;
    let connections = setup.size(CONNECTIONS, CONNECTIONS_QUICK) as usize;
    setup.progress.say(&format!("commit-1024-quic: connecting {connections} writers"));
    let mut few = Crowd::connect(&mut node, &keys, TENANTS)?;
    let mut many = Crowd::connect(&mut node, &keys, connections)?;
    let mut sync = Sync::new(&folder)?;
    let (rounds, each, of_many) =
        (setup.size(5, 3), setup.size(500, 60) as usize, setup.size(80, 15) as usize);
    let mut syncs = Vec::new();
    few.round(each / 4)?;
    many.round(of_many / 4)?;
    for crowd in [&mut few, &mut many] {
        crowd.rates.clear();
        crowd.p50s.clear();
    }
    for round in 1..=rounds {
        setup.progress.say(&format!("commit-64-quic, commit-1024-quic: round {round} of {rounds}"));
        few.round(each)?;
        many.round(of_many)?;
        syncs.push(sync.p50(100)?);
    }
    let w = median(&syncs);
    let row = |spec, crowd: &Crowd, each: usize, least: f64| {
        let rate = median(&crowd.rates);
        let sizes = format!(
            "{} connections, {each} commands each a round, {rounds} rounds in turn, {:.0} to {:.0}/s; p50 {:.0} us beside one sync {w:.0} us; Busy {}; both ends share the cores",
            crowd.writers.len(),
            quantile(&crowd.rates, 0.0),
            quantile(&crowd.rates, 1.0),
            median(&crowd.p50s),
            crowd.busy
        );
        Row::new(spec, rate, sizes).beside(SYNCS, 1e6 / w).judged(setup.verdict(rate >= least))
    };
    Ok(vec![row(&FEW, &few, each, 60_000.0), row(&THOUSAND, &many, of_many, 150_000.0)])
}
