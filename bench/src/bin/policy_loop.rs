//! A fixed number of decisions over policies and nothing else, for callgrind and profilers: `policy_loop six|10|10000
//! PASSES [peer]`. With `peer` cedar-policy decides between the passes, as it does where the figure is taken: what it leaves of
//! the caches is what a decision finds there. Count with `--collect-atstart=no --toggle-collect='*World::ours*'`.

use std::process::ExitCode;
use tessera_bench::figure::{Why, ended};
use tessera_bench::policies::{QUESTIONS, World};
use tessera_bench::rounds::quantile;

/// The node's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ended(run())
}

fn run() -> Result<(), Why> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().ok_or("which policies?")?;
    let passes = arguments.next().ok_or("how often?")?.parse::<u32>()?;
    let beside = arguments.next().is_some();
    let world = if what == "six" { World::six()? } else { World::many(what.parse()?)? };
    let requests = world.requests()?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..passes {
        ours.push(world.ours(&requests));
        if beside {
            peer.push(world.peer());
        }
    }
    let shares = |all: &[f64]| [0.0, 0.1, 0.5].map(|share| format!("{:.1}", quantile(all, share))).join(", ");
    eprintln!("{what}, {QUESTIONS} questions a pass, ns of one: least, tenth, median");
    eprintln!("ours: {}", shares(&ours));
    if beside {
        eprintln!("cedar-policy: {}", shares(&peer));
    }
    Ok(())
}
