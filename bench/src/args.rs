//! The command line of `tessera-bench`.

use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Takes the figures of docs/performance.md, each beside its peer in the same run.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask figures",
    after_help = "Examples:\n  cargo xtask figures --json figures.json\n  cargo xtask figures --quick --only check-hot,verify-hot"
)]
pub struct Args {
    /// Small sizes, to see that everything runs; goals are not judged.
    #[arg(long)]
    pub quick: bool,
    /// Only the figures with these ids, with commas between (see --list).
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    pub only: Vec<String>,
    /// Print the ids and goals, measure nothing.
    #[arg(long)]
    pub list: bool,
    /// Write the rows to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Where figures that need a disk work; default: a folder of its own under the build's folder.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// The binary of the node; default: beside this program.
    #[arg(long, value_name = "FILE")]
    pub node: Option<PathBuf>,
    /// This process was started for one family alone.
    #[arg(long, hide = true)]
    pub apart: bool,
    /// A part that the figures start in a process of its own.
    #[command(subcommand)]
    pub part: Option<Part>,
}

/// Parts that run in a process of their own.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// A bare quinn server that answers every frame with one of fixed size.
    #[command(hide = true)]
    Echo {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// Bytes of each answer, its header included.
        #[arg(long)]
        reply: usize,
        /// Polls instead of sleeping.
        #[arg(long)]
        busy: bool,
        /// Where to write the certificate.
        #[arg(long)]
        certificate: PathBuf,
    },
    /// A bare axum server over TLS that answers every request with this JSON.
    #[command(hide = true)]
    Bare {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The content of each answer.
        #[arg(long)]
        reply: String,
        /// Where to write the certificate.
        #[arg(long)]
        certificate: PathBuf,
    },
    /// A tonic server over TLS that answers every unary call with bytes of fixed length.
    #[command(hide = true)]
    Rpc {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// Where to write the certificate.
        #[arg(long)]
        certificate: PathBuf,
    },
    /// Fills a data directory and dies as by kill -9, its journal's tail at its bound.
    #[command(hide = true)]
    Fill {
        /// The data directory.
        #[arg(long)]
        data: PathBuf,
        /// The root key's file.
        #[arg(long)]
        root_key: PathBuf,
        /// Bytes that the directory shall have.
        #[arg(long)]
        bytes: u64,
        /// Sessions of the hot tenant.
        #[arg(long)]
        sessions: u32,
        /// Frames that the tail may hold.
        #[arg(long)]
        tail_frames: u64,
        /// Where to write what the first check needs.
        #[arg(long)]
        keys: PathBuf,
    },
}
