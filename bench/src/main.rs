//! `tessera-bench`: takes the figures, prints them as a table and writes them as JSON.

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;
use tessera_bench::args::{Args, Part};
use tessera_bench::figure::{self, Family, Progress, Row, Setup, Why};
use tessera_bench::{
    bare, checks, commit, crowd, crowd_quic, echo, engines, flood, http, instructions, large, many, moves,
    paced, policies, reach, relations, restart, revoked, rpc, scopes, wire, wire_peers,
};

/// The node's own allocator: it decides whether the large worlds lie in huge pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// All figures, in the order of the table.
const FAMILIES: &[&Family] = &[
    &checks::HOT,
    &engines::ENGINES,
    &reach::REACH,
    &scopes::SCOPES,
    &policies::POLICIES,
    &large::LARGE,
    &wire::WIRE,
    &wire_peers::PEERS,
    &paced::BUSY,
    &paced::OPEN,
    &revoked::REVOKED,
    &flood::FLOOD,
    &flood::NEIGHBOUR,
    &http::HTTP,
    &commit::COMMIT,
    &crowd::CROWD,
    &crowd_quic::CROWD_QUIC,
    &crowd::SUSTAINED,
    &restart::RESTART,
    &restart::IDLE,
    &many::MANY,
    &many::WAKE,
    &moves::MOVES,
    &relations::RELATIONS,
    &relations::RELATIONS_OVER_QUIC,
    &instructions::INSTRUCTIONS,
];

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.part {
        None => run(&args),
        Some(part) => run_part(part),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // A closed standard error leaves only the exit code.
            drop(writeln!(std::io::stderr(), "figures: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Why> {
    let known = |id: &str| FAMILIES.iter().any(|family| family.specs.iter().any(|spec| spec.id == id));
    if let Some(unknown) = args.only.iter().find(|id| !known(id)) {
        return Err(format!("there is no figure {unknown:?}; --list shows them").into());
    }
    if args.list {
        return list();
    }
    let wanted = |id: &str| args.only.is_empty() || args.only.iter().any(|only| only == id);
    let chosen: Vec<&&Family> =
        FAMILIES.iter().filter(|family| family.specs.iter().any(|spec| wanted(spec.id))).collect();
    let setup = setup(args, chosen.len() as u64)?;
    let mut rows: Vec<Row> = Vec::new();
    for family in chosen {
        let taken = family.rows(&setup).into_iter().filter(|row| wanted(row.id));
        let first = rows.len();
        rows.extend(taken);
        setup.progress.step();
        std::io::stdout().write_all(figure::table(rows.get(first..).unwrap_or_default()).as_bytes())?;
    }
    setup.progress.end();
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
    }
    // The one goal that does not depend on the machine.
    let grown = rows.iter().find(|row| row.unit == instructions::UNIT && row.met == Some(false));
    grown.map_or(Ok(()), |row| Err(format!("{} lies over its bar, see bench/bar.txt", row.id).into()))
}

fn run_part(part: &Part) -> Result<(), Why> {
    match part {
        Part::Echo { listen, reply, busy, certificate } => echo::serve(*listen, (*reply, *busy), certificate),
        Part::Rpc { listen, certificate } => rpc::serve(*listen, certificate),
        Part::Bare { listen, reply, certificate } => bare::serve(*listen, reply, certificate),
        Part::Fill { data, root_key, bytes, sessions, tail_frames, keys } => {
            restart::fill((data, root_key, keys), (*bytes, *sessions, *tail_frames))
        }
    }
}

fn list() -> Result<(), Why> {
    let mut out = std::io::stdout().lock();
    for spec in FAMILIES.iter().flat_map(|family| family.specs) {
        writeln!(out, "{:<24} {} ({})", spec.id, spec.what, spec.goal)?;
    }
    Ok(())
}

fn setup(args: &Args, families: u64) -> Result<Setup, Why> {
    let own = std::env::current_exe()?;
    let beside = own.parent().ok_or("this program stands in no folder")?;
    let node = args.node.clone().unwrap_or_else(|| beside.join("tessera"));
    let folder = args.folder.clone().unwrap_or_else(|| beside.join("figures"));
    Ok(Setup { quick: args.quick, apart: args.apart, folder, node, progress: Progress::new(families) })
}
