//! Proofs over the real binary: each tries to show that a promise is broken, and prints one line at its end.

mod backup;
mod kill;
mod load;
mod node;
mod writer;

use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Proofs of Tessera. Each ends with a line: what was tried and how many violations there were.
#[derive(Parser)]
#[command(
    name = "tessera-proof",
    after_help = "Example:\n  tessera-proof kill --cycles 20 --server target/checked/tessera"
)]
struct Line {
    #[command(subcommand)]
    proof: Proof,
}

#[derive(Subcommand)]
enum Proof {
    /// kill -9 under load: every acknowledged write is there, every answer right, chains verify.
    Kill {
        /// How many times the node is killed.
        #[arg(long, default_value_t = 20)]
        cycles: u32,
        /// Writers at work meanwhile, each with a subject of its own.
        #[arg(long, default_value_t = 8)]
        writers: u32,
        /// Sessions that stand before the first kill, spread over the writers: 3,500 fill a bucket, and each
        /// checkpoint then has many buckets that changed.
        #[arg(long, default_value_t = 0)]
        sessions: u32,
        /// The binary `tessera`.
        #[arg(long)]
        server: PathBuf,
        /// Chooses when to kill and what to do; printed, so that a run can be repeated.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Backups under load, each restored: nothing acknowledged is missing, former handles open nothing.
    Backup {
        /// How many backups are taken.
        #[arg(long, default_value_t = 20)]
        backups: u32,
        /// Writers at work meanwhile, each with a subject of its own.
        #[arg(long, default_value_t = 4)]
        writers: u32,
        /// The binary `tessera`.
        #[arg(long)]
        server: PathBuf,
        /// Chooses what to do; printed, so that a run can be repeated.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A bulk load, the node and the loader killed while it runs and checks go on: every row is one subject.
    Load {
        /// Rows of the file.
        #[arg(long, default_value_t = 50_000)]
        rows: u64,
        /// How many times the node, then the loader, then the node again is killed.
        #[arg(long, default_value_t = 3)]
        kills: u32,
        /// Give the node small journal files and a small tail, so that checkpoints come often.
        #[arg(long)]
        small: bool,
        /// The binary `tessera`.
        #[arg(long)]
        server: PathBuf,
        /// Chooses when to kill; printed, so that a run can be repeated.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let line = Line::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let outcome = match line.proof {
        Proof::Kill { cycles, writers, sessions, server, seed } => {
            runtime.block_on(kill::run(&kill::Plan { cycles, writers, sessions, server, seed }))
        }
        Proof::Backup { backups, writers, server, seed } => {
            runtime.block_on(backup::run(&backup::Plan { backups, writers, server, seed }))
        }
        Proof::Load { rows, kills, small, server, seed } => {
            runtime.block_on(load::run(&load::Plan { rows, kills, server, seed, small }))
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
