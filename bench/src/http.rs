//! The HTTP door's figures: the real node beside a bare axum server, over HTTP/1.1 and TLS.

use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::lines::{Lines, post};
use crate::memory::{processor_seconds, resident};
use crate::process::{Process, fresh, until};
use crate::rounds::{median, quantile};
use crate::wire::{Prepared, own_program};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tessera_model::Handle;

/// The HTTP door's family.
pub const HTTP: Family = Family { specs: &[CHECK, INTROSPECT, PROCESSOR, AUTHZEN, CONNECTIONS], take };

const CHECK: Spec = Spec {
    id: "http-check-vs-axum",
    what: "checks over HTTP/1.1 and TLS, 16 connections with one in flight each",
    unit: "ops/s",
    goal: ">= 0.8 x bare axum JSON",
};
const INTROSPECT: Spec = Spec {
    id: "http-introspect-vs-axum",
    what: "introspections over HTTP/1.1 and TLS, 16 connections with one in flight each",
    unit: "ops/s",
    goal: ">= 0.9 x bare axum JSON",
};
const PROCESSOR: Spec = Spec {
    id: "http-introspect-cpu",
    what: "the node's processor time for one introspection, as the kernel counts it",
    unit: "us",
    goal: "<= 20 us",
};
const AUTHZEN: Spec = Spec {
    id: "authzen-vs-axum",
    what: "AuthZEN evaluations over HTTP/1.1 and TLS, 16 connections with one in flight each",
    unit: "ops/s",
    goal: ">= 0.7 x bare axum JSON",
};
const CONNECTIONS: Spec = Spec {
    id: "http-idle-1000",
    what: "resident memory for 1,000 TLS connections at rest that have asked once",
    unit: "MiB",
    goal: "<= 20 MiB",
};

/// Requests in flight.
const DEPTH: usize = 16;
/// Connections at rest, and what they may take.
const AT_REST: u32 = 1_000;

/// A free TCP address of this machine.
///
/// # Errors
/// When there is none.
pub(crate) fn free() -> Result<SocketAddr, Why> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A bare axum server that answers with this content, and so many connections to it.
///
/// # Errors
/// When it does not start.
pub(crate) fn bare(
    folder: &Path,
    (name, reply): (&str, &str),
    depth: usize,
) -> Result<(Process, Lines), Why> {
    let (listen, certificate) = (free()?, folder.join(format!("{name}.pem")));
    let mut command = Command::new(own_program()?);
    command.args(["bare", "--listen", &listen.to_string(), "--reply", reply, "--certificate"]);
    let mut process = Process::start(command.arg(&certificate), &folder.join("bare.log"))?;
    until(&mut process, &certificate)?;
    let lines = Lines::connect(listen, &std::fs::read(certificate)?, depth)?;
    Ok((process, lines))
}

/// Ours and the peer's rates and processor time for each request, in rounds in turn.
#[derive(Default)]
struct Rounds {
    ours: Vec<f64>,
    bare: Vec<f64>,
    micros: Vec<f64>,
    bare_micros: Vec<f64>,
}

impl Rounds {
    fn take(
        (node, ours): (u32, &mut Lines),
        (peer, bare): (u32, &mut Lines),
        request: &Arc<[u8]>,
        (rounds, count): (usize, usize),
    ) -> Result<Self, Why> {
        let mut taken = Self::default();
        ours.rate(request, count / 4)?;
        bare.rate(request, count / 4)?;
        for _ in 0..rounds {
            for (process, lines, rates, micros) in [
                (node, &mut *ours, &mut taken.ours, &mut taken.micros),
                (peer, &mut *bare, &mut taken.bare, &mut taken.bare_micros),
            ] {
                let before = processor_seconds(process).ok_or("the processor time could not be read")?;
                rates.push(lines.rate(request, count)?);
                let after = processor_seconds(process).ok_or("the processor time could not be read")?;
                micros.push((after - before) * 1e6 / count as f64);
            }
        }
        Ok(taken)
    }
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("http: starting a node and bare servers");
    let folder = fresh(&setup.folder, "http")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listen = free()?;
    let settings = [("TESSERA_HTTP__LISTEN", listen.to_string())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut prepared = runtime.block_on(Prepared::with(&setup.node, &folder, &settings))?;
    let (node, certificate) = (prepared.node.process.id(), prepared.node.certificate()?);
    let handle = Handle::parse(&prepared.handle).map_err(|_| "not a handle")?.to_text();
    let mut ours = Lines::connect(listen, &certificate, DEPTH)?;
    let mut rows = Vec::new();
    let size = (setup.size(9, 3) as usize, setup.size(20_000, 2_000) as usize);
    let asked = format!(r#"{{"handle":"{handle}","permission":"orders.read"}}"#);
    let check = post("/v1/check", &prepared.key, &asked);
    let introspect = post("/v1/introspect", &prepared.key, &format!(r#"{{"token":"{handle}"}}"#));
    let told = ours.once(&introspect)?;
    let subject = told.split(r#""sub":""#).nth(1).and_then(|rest| rest.split('"').next());
    let subject = subject.ok_or("the introspection names no subject")?;
    let asked = format!(
        r#"{{"subject":{{"type":"user","id":"{subject}"}},"action":{{"name":"orders.read"}},"resource":{{"type":"order","id":"1"}}}}"#
    );
    let evaluation = post("/access/v1/evaluation", &prepared.key, &asked);
    for (spec, request, sign, least) in [
        (&CHECK, &check, r#""decision":"permit""#, 0.8),
        (&INTROSPECT, &introspect, r#""active":true"#, 0.9),
        (&AUTHZEN, &evaluation, r#""decision":true"#, 0.7),
    ] {
        setup.progress.say(spec.id);
        let answer = ours.once(request)?;
        if !answer.contains(sign) {
            return Err(format!("answered with {answer}").into());
        }
        let (peer, mut beside) = bare(&folder, (spec.id, &answer), DEPTH)?;
        let taken = Rounds::take((node, &mut ours), (peer.id(), &mut beside), request, size)?;
        let (rate, bare_rate) = (median(&taken.ours), median(&taken.bare));
        let spread = |values: &[f64]| format!("{:.0} to {:.0}", quantile(values, 0.0), quantile(values, 1.0));
        let sizes = format!(
            "{} bytes asked, {} of content answered, {} requests a round, {} rounds in turn, from {}/s, bare {}/s; both ends share the cores",
            request.len(),
            answer.len(),
            size.1,
            size.0,
            spread(&taken.ours),
            spread(&taken.bare)
        );
        let met = Some(rate / bare_rate >= least);
        rows.push(Row::new(spec, rate, sizes.clone()).beside("bare axum JSON", bare_rate).judged(met));
        if spec.id == INTROSPECT.id {
            let (micros, bare_micros) = (median(&taken.micros), median(&taken.bare_micros));
            let row = Row::new(&PROCESSOR, micros, sizes).beside("bare axum JSON", bare_micros);
            rows.push(row.judged(Some(micros <= 20.0)));
        }
        if !ours.once(request)?.contains(sign) {
            return Err("the answer has changed meanwhile".into());
        }
    }
    drop(ours);
    rows.push(at_rest(setup, (node, listen), &certificate, &check)?);
    Ok(rows)
}

/// What connections at rest take.
fn at_rest(
    setup: &Setup,
    (node, listen): (u32, SocketAddr),
    certificate: &[u8],
    request: &[u8],
) -> Result<Row, Why> {
    setup.progress.say(CONNECTIONS.id);
    let count = setup.size(AT_REST, 100);
    let unread = "the node's memory could not be read";
    let before = resident(node).ok_or(unread)?;
    let mut lines = Lines::connect(listen, certificate, count as usize)?;
    lines.each(request)?;
    let mebibytes = (resident(node).ok_or(unread)? - before) / f64::from(1 << 20);
    // All of them still stand.
    lines.each(request)?;
    let sizes = format!("{count} connections from one process");
    let met = setup.verdict(mebibytes <= 20.0);
    Ok(Row::new(&CONNECTIONS, mebibytes, sizes).judged(met))
}
