//! Wakes of a large tenant and nothing else, for callgrind and profilers: `wake_loop FOLDER WAKES [SESSIONS]`. The
//! directory is made where there is none.

use std::path::Path;
use std::process::ExitCode;
use tessera_bench::figure::{Why, ended};
use tessera_bench::many;
use tessera_model::{Handle, TenantId};

/// The node's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let (folder, wakes) =
        (arguments.next().ok_or("where?")?, arguments.next().ok_or("how often?")?.parse::<u32>()?);
    let sessions = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let (folder, kept) = (Path::new(&folder), Path::new(&folder).join("tenant"));
    if !kept.exists() {
        std::fs::create_dir_all(folder)?;
        let (tenant, key) = many::large(folder, sessions)?;
        std::fs::write(&kept, format!("{} {}", tenant.0, key.to_text()))?;
    }
    let text = std::fs::read_to_string(&kept)?;
    let (tenant, key) = text.split_once(' ').ok_or("half a line")?;
    let key = Handle::parse_text(key).map_err(|_| "not a handle")?;
    let tenant = (TenantId(tenant.parse()?), key);
    for _ in 0..wakes {
        eprintln!("{:.1} ms", many::woken(folder, &tenant)?);
    }
    Ok(())
}
