//! A fixed number of checks and nothing else, for callgrind and profilers: `check_loop
//! tag|tag-1|handle|handle-1|batch|hash PASSES [SESSIONS]`.

use std::hint::black_box;
use std::process::ExitCode;
use tessera_bench::checks::{Bench, PER_ROOT};
use tessera_bench::figure::{Why, ended};
use tessera_bench::instructions::QUESTIONS;
use tessera_bench::world::World;

/// The node's own allocator: it decides whether the large worlds lie in huge pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let (what, passes) =
        (arguments.next().ok_or("what?")?, arguments.next().ok_or("how often?")?.parse::<u32>()?);
    let sessions = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    // Many sessions want many questions, or the questions' own sessions are all in the cache.
    let questions = if sessions > 100_000 { 1 << 20 } else { QUESTIONS };
    let bench = Bench::new(World::of(sessions), questions)?;
    let (view, now) = (bench.tenant.view()?, bench.house.engine.now());
    let started = std::time::Instant::now();
    for _ in 0..passes {
        match what.as_str() {
            "tag" => {
                black_box(bench.tags(&view, now, PER_ROOT));
            }
            "handle" => {
                black_box(bench.handles(&view, now, PER_ROOT));
            }
            "handle-1" => {
                black_box(bench.handles(&view, now, 1));
            }
            "tag-1" => {
                black_box(bench.tags(&view, now, 1));
            }
            "batch" => {
                black_box(bench.batches(&view, now, PER_ROOT));
            }
            _ => bench.hashes(&[7; 32]),
        }
    }
    let checks = f64::from(passes) * f64::from(questions);
    eprintln!("{what}: {:.1} ns each", started.elapsed().as_nanos() as f64 / checks);
    Ok(())
}
