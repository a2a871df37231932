//! A fixed number of checks and nothing else, for callgrind: `check_loop tag|handle|hash PASSES`.

use std::hint::black_box;
use std::process::ExitCode;
use tessera_bench::checks::{Bench, PER_ROOT};
use tessera_bench::figure::Why;
use tessera_bench::instructions::QUESTIONS;
use tessera_bench::world::World;

fn main() -> ExitCode {
    if run().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let (what, passes) =
        (arguments.next().ok_or("what?")?, arguments.next().ok_or("how often?")?.parse::<u32>()?);
    let bench = Bench::new(World::of(10_000), QUESTIONS)?;
    let (view, now) = (bench.tenant.view()?, bench.house.engine.now());
    for _ in 0..passes {
        match what.as_str() {
            "tag" => {
                black_box(bench.tags(&view, now, PER_ROOT));
            }
            "handle" => {
                black_box(bench.handles(&view, now, PER_ROOT));
            }
            _ => bench.hashes(&[7; 32]),
        }
    }
    Ok(())
}
