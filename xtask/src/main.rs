//! `cargo xtask`: checks the house, makes golden texts, runs the test command, starts proofs and figures.
//!
//! It reads files and spawns programs; it imports no crate of the house, so that it can judge all of them.

mod cases;
mod crates;
mod golden;
mod house;
mod lexeme;
mod prove;
mod rules;
mod run;
mod sanitizer;
mod source;
mod tidy;
mod tree;
mod violation;

use std::io::Write;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  tidy [--json]          check floors, files, words, documents, errors and golden texts
  gen                    write the golden texts (docs/surface/, threats.md, field-cases.md) anew
  test [ARGS]            the test command: tidy, format, lints, then every test (ARGS go to cargo test)
  keep VERSION           keep the data directory that this version writes, for the tests of upgrades; at a release
  figures [ARGS]         take the figures (release build of tessera-bench; ARGS go through)
  prove NAME [--quick|--full] [--seed N] [ARGS]
                         run a proof; each ends with one line, and fails where it finds a violation
  prove --quick          run all of them in their short forms
  simulate [--seed N] [--seeds N]
                         the proof of that name
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match dispatch(&command, &rest) {
        Ok(code) => code,
        Err(error) => {
            // A closed standard error leaves only the exit code.
            drop(writeln!(std::io::stderr(), "xtask {command}: {error}"));
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> std::io::Result<ExitCode> {
    match command {
        "tidy" => tidy::run(&tree::root(), rest.iter().any(|argument| argument == "--json")),
        "gen" => golden::run(&tree::root()),
        "test" => run::test(&tree::root(), rest),
        "keep" => prove::keep(&tree::root(), rest),
        "figures" => run::figures(&tree::root(), rest),
        "prove" => prove::run(&tree::root(), rest),
        "simulate" => prove::one(&tree::root(), "simulate", rest),
        "" | "help" | "--help" | "-h" => {
            std::io::stdout().write_all(HELP.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        unknown => {
            std::io::stderr().write_all(HELP.as_bytes())?;
            Err(std::io::Error::other(format!("there is no command {unknown:?}")))
        }
    }
}
