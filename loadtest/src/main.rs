//! `loadtest`: drives a node, audits every answer, and ends with 1 when one was wrong.

use clap::Parser as _;
use loadtest::args::Args;
use loadtest::page::page;
use loadtest::report::Report;
use loadtest::throughput::Rate;
use std::io::Write as _;
use std::process::ExitCode;

/// An answer was wrong, an acknowledged write is missing, or a move was not done.
const FOUND: u8 = 1;
/// The load could not run.
const NOT_RUN: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.throughput {
        return throughput(&args).await;
    }
    let report = match loadtest::run::run(&args).await {
        Ok(report) => report,
        Err(why) => {
            // A closed standard error leaves the exit code.
            drop(writeln!(std::io::stderr(), "loadtest: {why}"));
            return ExitCode::from(NOT_RUN);
        }
    };
    if let Err(error) = write(&args, &report) {
        drop(writeln!(std::io::stderr(), "loadtest: the report: {error}"));
        return ExitCode::from(NOT_RUN);
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) }
}

/// Measures one node, two, and so on, and tells it.
async fn throughput(args: &Args) -> ExitCode {
    let told = match loadtest::throughput::run(args).await {
        Ok(rates) => tell(args, &rates).map(|()| rates.iter().all(|rate| rate.wrong == 0)),
        Err(why) => Err(std::io::Error::other(why.to_string())),
    };
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FOUND),
        Err(error) => {
            // A closed standard error leaves the exit code.
            drop(writeln!(std::io::stderr(), "loadtest: {error}"));
            ExitCode::from(NOT_RUN)
        }
    }
}

fn tell(args: &Args, rates: &[Rate]) -> std::io::Result<()> {
    std::io::stdout().write_all(loadtest::throughput::text(rates).as_bytes())?;
    let Some(path) = &args.json else { return Ok(()) };
    std::fs::write(path, serde_json::to_vec_pretty(rates)?)
}

fn write(args: &Args, report: &Report) -> std::io::Result<()> {
    std::io::stdout().write_all(report.text().as_bytes())?;
    if let Some(path) = &args.report {
        std::fs::write(path, page(report))?;
    }
    let Some(path) = &args.json else { return Ok(()) };
    std::fs::write(path, serde_json::to_vec_pretty(report)?)
}
