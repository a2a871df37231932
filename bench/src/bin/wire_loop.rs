//! Checks over QUIC and nothing else, door and caller in one process, for callgrind and profilers: `wire_loop
//! node|echo COUNT DEPTH`, where echo is the bare one that the figures stand beside.

use std::process::ExitCode;
use std::sync::Arc;
use tessera_bench::caller::Caller;
use tessera_bench::echo;
use tessera_bench::figure::{Why, ended};
use tessera_bench::house::House;
use tessera_bench::process::free_udp;
use tessera_bench::wire::DECISION_BYTES;
use tessera_engine::EngineConfig;
use tessera_model::{CheckQuery, PermissionRef, Receipt, WorkspaceRef};
use tessera_transport::Limits;
use tessera_wire::{Inbox, Outbox};

/// The node's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("wire_loop node|echo COUNT DEPTH");
    let (what, count, depth) = (next()?, next()?.parse()?, next()?.parse()?);
    let memory = Arc::new(tessera_storage::Memory::new(1 << 22));
    let house = House::over(memory, EngineConfig::default(), 1)?;
    let tenant = house.tenant("bench")?;
    let view = tenant.view()?;
    let permission = view.read(house.engine.now()).resolve("tessera.check", "").0;
    let key = tenant.key.to_bytes();
    let mut outbox = Outbox::new();
    let query = CheckQuery {
        handle: &key,
        permission: PermissionRef::Id(permission),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    outbox.check(7, &query)?;
    let frame = outbox.as_bytes();
    let rate = if what == "echo" {
        bare()?.pipelined(frame, depth, count)?
    } else if what != "node" {
        return Err("wire_loop node|echo COUNT DEPTH".into());
    } else {
        let limits = Limits { checks_per_second: u32::MAX, ..Limits::default() };
        let (door, mut caller) = house.over_quic(&tenant, limits, DECISION_BYTES)?;
        let mut inbox = Inbox::default();
        inbox.extend(&caller.once(frame)?);
        if !inbox.next_frame()?.ok_or("half a reply")?.decision()?.is_permit() {
            return Err("denied".into());
        }
        let rate = caller.pipelined(frame, depth, count)?;
        eprintln!("{:?}", door.figures());
        rate
    };
    eprintln!("{what}: {rate:.0}/s of {} bytes", frame.len());
    Ok(())
}

/// The bare echo on a thread of its own, and a caller of it.
fn bare() -> Result<Caller, Why> {
    let (listen, folder) = (free_udp()?, tempfile::tempdir()?);
    let certificate = folder.path().join("echo.pem");
    let file = certificate.clone();
    let serve =
        move || echo::serve(listen, (DECISION_BYTES, false), &file).map_err(|error| error.to_string());
    let echo = std::thread::Builder::new().name("quic-echo".into()).spawn(serve)?;
    while !certificate.exists() {
        if echo.is_finished() {
            echo.join().map_err(|_| "the echo panicked")??;
            return Err("the echo ended".into());
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Caller::connect(listen, &std::fs::read(certificate)?, DECISION_BYTES)
}
