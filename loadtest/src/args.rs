//! The command line of `loadtest`.

use clap::{ArgGroup, Parser};
use std::path::PathBuf;

/// Drives a Tessera node and audits every answer.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "loadtest",
    group = ArgGroup::new("some_fleet").args(["fleet", "fleet_keys"]).multiple(false),
    after_help = "Exit codes: 0 nothing wrong, 1 an answer was wrong, an acknowledged write is missing or a move was not done, 2 usage, 3 the load could not run.\nExamples:\n  loadtest --server-bin target/release/tessera --data /tmp/load --seconds 60 --kill-every 10 --report load.html\n  loadtest --server 127.0.0.1:7400 --certificate certificate.pem --key tkey_... --rate 20000\n  loadtest --server-bin target/release/tessera --data /tmp/load --closed 256\n  loadtest --server-bin target/release/tessera --data /tmp/fleet --fleet --moves 20 --kill-every 20 --seconds 120 --report fleet.html\n  loadtest --server-bin target/release/tessera --data /tmp/fleet --fleet --throughput --seconds 10\n  loadtest --server a.example.org:7443 --server-name a.example.org --certificate fleet-ca.pem --fleet-keys operators.toml --moves 4 --report fleet.html"
)]
pub struct Args {
    /// A node that runs already, HOST:PORT.
    #[arg(long, conflicts_with = "server_bin", requires = "certificate", value_name = "ADDRESS")]
    pub server: Option<String>,
    /// The name in its certificate.
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    pub server_name: String,
    /// Its certificate (PEM), believed as it is; with --fleet-keys the certificates that those of all nodes end in, as
    /// `fleet.trust_file` has them.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// An operator's key.
    #[arg(long, env = "LOADTEST_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<String>,
    /// The binary `tessera`: it is started as `tessera serve`, killed and started again.
    #[arg(long, requires = "data", value_name = "FILE")]
    pub server_bin: Option<PathBuf>,
    /// Where the started node keeps its data; must be empty or of an earlier run with the same `--key`.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// kill -9 and restart the started node so often.
    #[arg(long, requires = "server_bin", value_name = "SECONDS")]
    pub kill_every: Option<u64>,
    /// Starts a fleet of nodes of --server-bin, each with a folder of its own under --data, which must be empty.
    /// Tenants are spread over them, and the client finds each by the map. With --kill-every each node is killed in turn.
    #[arg(long, requires = "server_bin", conflicts_with_all = ["server", "key"])]
    pub fleet: bool,
    /// Drives a fleet that runs already, of which --server is a node: the file, of mode 0600, has an operator's key of each
    /// of its cells, a line `NAME = "KEY"` each. Cells, addresses and names in certificates are told by that node. The
    /// load's tenants are made there, moved by --moves, and deleted in the end.
    #[arg(long, requires = "server", conflicts_with_all = ["server_bin", "key"], value_name = "FILE")]
    pub fleet_keys: Option<PathBuf>,
    /// With --fleet-keys: leave the load's tenants there.
    #[arg(long, requires = "fleet_keys")]
    pub keep: bool,
    /// Nodes of the fleet.
    #[arg(long, default_value_t = 3, requires = "fleet", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=9))]
    pub nodes: u16,
    /// Move so many tenants with live sessions to another cell, at moments that the seed gives. With --kill-every, two
    /// of three moves meet a kill of one of their nodes.
    #[arg(long, default_value_t = 0, requires = "some_fleet", value_name = "COUNT")]
    pub moves: u32,
    /// Instead of a load: checks per second and commands per second of one node, two, and so on up to --nodes, each for
    /// --seconds.
    #[arg(long, requires = "fleet", conflicts_with_all = ["kill_every", "moves", "report"])]
    pub throughput: bool,
    /// How long the load runs; with a fleet, at least until each node that is to be killed was, and all moves are done.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub seconds: u64,
    /// Go on until so many sessions were ended and acknowledged, whatever --seconds says.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub revocations: u64,
    /// Open loop: operations per second, by a fixed schedule.
    #[arg(long, default_value_t = 2_000, value_name = "PER_SECOND")]
    pub rate: u32,
    /// Closed loop instead: so many operations in flight, each followed by the next at once.
    #[arg(long, conflicts_with = "rate", value_name = "IN_FLIGHT")]
    pub closed: Option<usize>,
    /// What everything random is drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Tenants; the first ones get most of the load.
    #[arg(long, default_value_t = 8)]
    pub tenants: u32,
    /// Subjects of each tenant.
    #[arg(long, default_value_t = 50)]
    pub subjects: u32,
    /// Writes among 1,000 operations: sign-ins, revocations, grants, role edits.
    #[arg(long, default_value_t = 100, value_name = "PER_THOUSAND", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub writes: u32,
    /// Connections of each tenant.
    #[arg(long, default_value_t = 1)]
    pub connections: usize,
    /// How long one call may take; longer than a restart, so that it is answered behind it.
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=90))]
    pub deadline: u64,
    /// Write the report to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report to this file as one HTML page: latencies and throughput over time, with kills and restarts.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
}

impl Args {
    /// Whether several nodes are driven.
    #[must_use]
    pub const fn is_over_fleet(&self) -> bool {
        self.fleet || self.fleet_keys.is_some()
    }
}
