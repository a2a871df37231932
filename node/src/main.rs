//! The binary `tessera`: a node, its development mode, and the operator's commands.

mod assemble;
mod clock;
mod command;
mod config;
mod doctor;
mod entropy;
mod erase_backup;
mod every;
mod exit;
mod fleet;
mod gateway;
mod health;
mod help;
mod huge_pages;
mod inspect;
mod lifecycle;
mod metric;
mod notify;
mod offer;
#[cfg(feature = "planted")]
mod planted;
mod recover;
mod renewal;
mod restore;
mod root_key;
mod rotate_root;
mod scrub;
mod store;
mod telemetry;
mod tls;
mod welcome;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::run()
}
