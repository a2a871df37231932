//! Proofs over the real binary: each tries to show that a promise is broken, and prints one line at its end.

mod attack;
mod backup;
mod clock;
mod full;
mod kill;
mod linear;
mod load;
mod neighbour;
mod node;
mod port;
mod power;
mod raw;
mod seams;
mod simulate;
mod syscalls;
mod trace;
mod writer;

use clap::{Args, Parser, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Proofs of Tessera. Each ends with a line: what was tried and how many violations there were.
#[derive(Parser)]
#[command(
    name = "tessera-proof",
    after_help = "Example:\n  tessera-proof kill --quick\n  tessera-proof kill --cycles 20 --server target/checked/tessera"
)]
struct Line {
    #[command(subcommand)]
    proof: Proof,
}

/// How long, with which seed, and which binary.
#[derive(Args, Clone)]
struct Form {
    /// The short form, which is part of the tests (the default).
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The long form, before a release.
    #[arg(long)]
    full: bool,
    /// Chooses what to do and when; printed, so that a run can be repeated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The binary `tessera`; default the one beside this program.
    #[arg(long)]
    server: Option<PathBuf>,
}

impl Form {
    /// What was said, else the number of the form.
    fn number<T>(&self, said: Option<T>, quick: T, full: T) -> T {
        said.unwrap_or(if self.full && !self.quick { full } else { quick })
    }

    fn server(&self) -> PathBuf {
        let beside = || std::env::current_exe().map(|own| own.with_file_name("tessera")).unwrap_or_default();
        self.server.clone().unwrap_or_else(beside)
    }
}

#[derive(Subcommand)]
enum Proof {
    /// kill -9 under load: every acknowledged write is there, every answer right, chains verify.
    Kill {
        /// How many times the node is killed: 60, or 10,000.
        #[arg(long)]
        cycles: Option<u32>,
        /// Writers at work meanwhile, each with a subject of its own.
        #[arg(long, default_value_t = 8)]
        writers: u32,
        /// Sessions that stand before the first kill, spread over the writers: 3,500 fill a bucket, and each
        /// checkpoint then has many buckets that changed.
        #[arg(long, default_value_t = 0)]
        sessions: u32,
        #[command(flatten)]
        form: Form,
    },
    /// Backups under load, each restored: nothing acknowledged is missing, former handles open nothing.
    Backup {
        /// How many backups are taken: 20, or 200.
        #[arg(long)]
        backups: Option<u32>,
        /// Writers at work meanwhile, each with a subject of its own.
        #[arg(long, default_value_t = 4)]
        writers: u32,
        #[command(flatten)]
        form: Form,
    },
    /// A bulk load, the node and the loader killed while it runs and checks go on: every row is one subject.
    Load {
        /// Rows of the file: 50,000, or a million.
        #[arg(long)]
        rows: Option<u64>,
        /// How many times the node, then the loader, then the node again is killed.
        #[arg(long, default_value_t = 3)]
        kills: u32,
        /// Give the node small journal files and a small tail, so that checkpoints come often.
        #[arg(long)]
        small: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Clocks that jump and stand still under the real binary; what has ended stays ended.
    Clock {
        #[command(flatten)]
        form: Form,
    },
    /// A full disk: checks go on, what narrows goes on, the rest is refused, space that returns is used.
    Full {
        /// How often the disk is filled and freed: 4, or 40.
        #[arg(long)]
        rounds: Option<u32>,
        /// It runs in a mount namespace of its own already.
        #[arg(long, hide = true)]
        inside: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Calls to the disk that fail, come late or are the last, by strace; and the order of syncs and answers.
    Syscalls {
        /// Positions of each of the four kinds: 40, or 2,000.
        #[arg(long)]
        positions: Option<u32>,
        #[command(flatten)]
        form: Form,
    },
    /// Real threads: answers beside commands, each held against what was acknowledged before it was asked.
    Linear {
        /// Commands over the store in memory: 50,000, or a million.
        #[arg(long)]
        commands: Option<u64>,
        /// Commands over the store on disk: 2,000, or 50,000.
        #[arg(long)]
        on_disk: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// Hostile clients against the real binary: memory stays bounded, honest callers are served.
    Attack {
        /// Hostile connections: 1,000, or 10,000.
        #[arg(long)]
        connections: Option<u32>,
        #[command(flatten)]
        form: Form,
    },
    /// Power cuts through the whole engine on a simulated disk, by step; what was acknowledged is there.
    Power {
        /// How many power cuts: 10,000, or a million.
        #[arg(long)]
        points: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
    /// A whole engine from one seed on a paused clock, with faults; each seed runs twice to the same trace.
    Simulate {
        /// How many seeds: 200, or 100,000.
        #[arg(long)]
        seeds: Option<u64>,
        #[command(flatten)]
        form: Form,
    },
}

fn main() -> ExitCode {
    let line = Line::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let outcome = match line.proof {
        Proof::Kill { cycles, writers, sessions, form } => {
            let (cycles, server, seed) = (form.number(cycles, 60, 10_000), form.server(), form.seed);
            runtime.block_on(kill::run(&kill::Plan { cycles, writers, sessions, server, seed }))
        }
        Proof::Backup { backups, writers, form } => {
            let (backups, server, seed) = (form.number(backups, 20, 200), form.server(), form.seed);
            runtime.block_on(backup::run(&backup::Plan { backups, writers, server, seed }))
        }
        Proof::Load { rows, kills, small, form } => {
            let (rows, server, seed) = (form.number(rows, 50_000, 1_000_000), form.server(), form.seed);
            runtime.block_on(load::run(&load::Plan { rows, kills, server, seed, small }))
        }
        Proof::Clock { form } => runtime.block_on(clock::run(&clock::Plan { server: form.server() })),
        Proof::Full { rounds, inside, form } => {
            let (rounds, server) = (form.number(rounds, 4, 40), form.server());
            runtime.block_on(full::run(&full::Plan { rounds, server, inside }))
        }
        Proof::Syscalls { positions, form } => {
            let (positions, server, seed) = (form.number(positions, 40, 2_000), form.server(), form.seed);
            runtime.block_on(syscalls::run(&syscalls::Plan { positions, server, seed }))
        }
        Proof::Linear { commands, on_disk, form } => {
            let plan = linear::Plan {
                commands: form.number(commands, 50_000, 1_000_000),
                on_disk: form.number(on_disk, 2_000, 50_000),
                seed: form.seed,
            };
            linear::run(&plan)
        }
        Proof::Attack { connections, form } => {
            let (connections, server) = (form.number(connections, 1_000, 10_000), form.server());
            runtime.block_on(attack::run(&attack::Plan { connections, server }))
        }
        Proof::Power { points, form } => {
            power::run(&power::Plan { points: form.number(points, 10_000, 1_000_000), seed: form.seed })
        }
        Proof::Simulate { seeds, form } => {
            simulate::run(&simulate::Plan { seeds: form.number(seeds, 200, 100_000), seed: form.seed })
        }
    };
    let (text, code) = match outcome {
        Ok(told) => (told.text, if told.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Err(error) => (format!("FAILED: {error}"), ExitCode::FAILURE),
    };
    // Nobody reads it when standard output is closed.
    drop(writeln!(std::io::stdout(), "{text}"));
    code
}
