//! A fixed number of questions over HTTP/1.1 and TLS and nothing else, door and caller in one process, for callgrind and
//! profilers: `http_loop check|introspect plain|general COUNT`. A question of the general way has a header more.

use std::process::ExitCode;
use std::sync::Arc;
use tessera_bench::figure::{Why, ended};
use tessera_bench::house::House;
use tessera_bench::lines::{Lines, post};
use tessera_engine::EngineConfig;
use tessera_gateway_http::{Door, DoorConfig, Limits};
use tessera_model::Private;

/// The node's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections.
const DEPTH: usize = 4;

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("http_loop check|introspect plain|general COUNT");
    let (what, way, count) = (next()?, next()?, next()?.parse::<usize>()?);
    let house = House::over(Arc::new(tessera_storage::Memory::new(1 << 20)), EngineConfig::default(), 1)?;
    let handle = house.tenant("bench")?.key.to_text();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let pem = made.cert.pem().into_bytes();
    let config = DoorConfig {
        listen: "127.0.0.1:0".parse()?,
        identity: Some((pem.clone(), Private::new(made.signing_key.serialize_pem().into_bytes()))),
        domain: String::new(),
        origins: Vec::new(),
        proxies: Vec::new(),
        limits: Limits::default(),
        protocols: Vec::new(),
    };
    let door = house.runtime.block_on(Door::open(house.engine.clone(), config))?;
    let request = match what.as_str() {
        "check" => {
            post("/v1/check", &handle, &format!(r#"{{"handle":"{handle}","permission":"tessera.read"}}"#))
        }
        _ => post("/v1/introspect", &handle, &format!(r#"{{"token":"{handle}"}}"#)),
    };
    let request: Arc<[u8]> = match way.as_str() {
        "plain" => request,
        _ => std::str::from_utf8(&request)?.replacen("\r\n", "\r\nx-general: 1\r\n", 1).into_bytes().into(),
    };
    let mut lines = Lines::connect(door.address(), &pem, DEPTH)?;
    eprintln!("{}", lines.once(&request)?);
    eprintln!("{what} {way}: {:.0}/s", lines.rate(&request, count)?);
    Ok(())
}
