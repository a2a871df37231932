//! The proofs by name: programs of `tessera-proof`, and tests of the crates that are proofs; each ends with its line.

use crate::run::{OUTSIDE, PLANTED, PROFILE, cargo, finish, stage};
use crate::sanitizer;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// How a proof is run.
#[derive(Clone, Copy, Debug)]
enum How {
    /// By the program `tessera-proof`, in its short form with these arguments.
    Program(&'static [&'static str]),
    /// By tests, which print lines: what cargo is told, and which variables make them longer.
    Tests {
        targets: &'static [&'static str],
        filter: &'static str,
        /// The variable for how much is tried, and its value in the long form.
        full: Option<(&'static str, &'static str)>,
    },
}

/// One proof: all of its parts.
struct Proof {
    name: &'static str,
    parts: &'static [How],
}

const fn tests(targets: &'static [&'static str], filter: &'static str) -> How {
    How::Tests { targets, filter, full: None }
}

const fn longer(
    targets: &'static [&'static str],
    filter: &'static str,
    full: (&'static str, &'static str),
) -> How {
    How::Tests { targets, filter, full: Some(full) }
}

const fn proof(name: &'static str, parts: &'static [How]) -> Proof {
    Proof { name, parts }
}

/// All proofs, in the order in which `prove --quick` runs them.
const PROOFS: &[Proof] = &[
    proof(
        "fuzz",
        &[longer(
            &["--lib", "--bins", "--test", "fuzz", "--test", "fuzz_scopes"],
            "fuzz_",
            ("TESSERA_EXECUTIONS", "1000000000"),
        )],
    ),
    proof("power", &[How::Program(&[]), longer(&["--test", "power_cut"], "", ("TESSERA_POINTS", "1000000"))]),
    proof("simulate", &[How::Program(&[])]),
    proof("corruption", &[longer(&["--test", "corruption"], "", ("TESSERA_FAULTS", "50000"))]),
    proof("kill", &[How::Program(&[])]),
    proof("syscalls", &[How::Program(&[]), tests(&["--test", "faults"], "every_call")]),
    proof("full", &[How::Program(&[])]),
    proof("linear", &[How::Program(&[]), tests(&["--lib"], "explore::")]),
    proof("load", &[How::Program(&["--small"])]),
    proof("backup", &[How::Program(&[])]),
    proof("attack", &[How::Program(&[])]),
    proof("upgrade", &[tests(&["--test", "upgrade"], "")]),
    proof("clock", &[How::Program(&[]), tests(&["--test", "all"], "clock::")]),
];

/// `prove`: one by name, or all of them.
pub(crate) fn run(root: &Path, arguments: &[String]) -> io::Result<ExitCode> {
    match arguments.split_first() {
        Some((name, rest)) if !name.starts_with('-') => one(root, name, rest),
        _ if arguments.iter().any(|one| one == "--quick") => all(root, arguments),
        _ => {
            let names: Vec<_> = PROOFS.iter().map(|proof| proof.name).collect();
            writeln!(io::stderr(), "name a proof, or --quick for all: policy, {}", names.join(", "))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// `keep`: has the proof of upgrades write down what this version writes, under the version's name; it says no when
/// that is kept already.
pub(crate) fn keep(root: &Path, arguments: &[String]) -> io::Result<ExitCode> {
    let numbers =
        |version: &&String| version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3;
    let Some(version) = arguments.first().filter(numbers) else {
        return Err(io::Error::other("name the version, as in `cargo xtask keep 0.1.0`"));
    };
    let mut command =
        by_tests(root, (&["--test", "upgrade"], "kept_directories_open_as_they_were"), None, &[]);
    command.env("TESSERA_KEEP", version);
    finish(command)
}

/// Runs one proof by its name; its arguments follow.
pub(crate) fn one(root: &Path, name: &str, arguments: &[String]) -> io::Result<ExitCode> {
    if name == "policy" {
        let mut command = cargo(root);
        command.arg("run").args(PROFILE).args(["-p", "tessera-policy-proof", "--"]).args(arguments);
        return finish(command);
    }
    let Some(proof) = PROOFS.iter().find(|proof| proof.name == name) else {
        let names: Vec<_> = PROOFS.iter().map(|proof| proof.name).collect();
        return Err(io::Error::other(format!("there is no proof {name:?}: policy, {}", names.join(", "))));
    };
    if !programs(root)? {
        return Ok(ExitCode::FAILURE);
    }
    let told = tried(root, proof, arguments)?;
    Ok(if told.good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All proofs in their short forms, and a line about them behind all.
fn all(root: &Path, arguments: &[String]) -> io::Result<ExitCode> {
    if !programs(root)? {
        return Ok(ExitCode::FAILURE);
    }
    let (began, mut good, mut skipped) = (Instant::now(), 0, 0);
    for proof in PROOFS {
        let told = tried(root, proof, arguments)?;
        good += usize::from(told.good);
        skipped += usize::from(told.skipped);
    }
    let failed = PROOFS.len() - good;
    writeln!(
        io::stdout(),
        "prove: {} proofs in their short forms in {:.0} s, {failed} failed, {skipped} skipped",
        PROOFS.len(),
        began.elapsed().as_secs_f64()
    )?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the node and the programs of the proofs, as the test command does.
fn programs(root: &Path) -> io::Result<bool> {
    let mut build = cargo(root);
    build.arg("build").args(PROFILE).args(OUTSIDE).args(["--bins", "--features", PLANTED, "--quiet"]);
    stage("build of the programs", build)
}

/// How a proof ended.
struct Told {
    good: bool,
    skipped: bool,
}

/// Runs a proof, hands its lines through, and tells how it ended.
fn tried(root: &Path, proof: &Proof, arguments: &[String]) -> io::Result<Told> {
    writeln!(io::stderr(), "== {}", proof.name)?;
    let began = Instant::now();
    let mut told = Told { good: true, skipped: false };
    for part in proof.parts {
        let one = part_of(root, (proof.name, *part), arguments)?;
        told = Told { good: told.good && one.good, skipped: told.skipped || one.skipped };
    }
    writeln!(io::stderr(), "== {}: {:.0} s", proof.name, began.elapsed().as_secs_f64())?;
    Ok(told)
}

/// Runs a part of a proof.
fn part_of(root: &Path, (name, how): (&str, How), arguments: &[String]) -> io::Result<Told> {
    let mut command = match how {
        How::Program(quick) => {
            // It was built beside this program, with the node that it starts.
            let mut command = Command::new(std::env::current_exe()?.with_file_name("tessera-proof"));
            command.current_dir(root).arg(name).args(quick).args(arguments);
            command
        }
        How::Tests { targets, filter, full } => {
            if let Some(why) = said(arguments, "--sanitizer").and_then(sanitizer::missing) {
                writeln!(io::stdout(), "{name}: SKIPPED: {why}")?;
                return Ok(Told { good: true, skipped: true });
            }
            by_tests(root, (targets, filter), full, arguments)
        }
    };
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let (mut skipped, mut lines, mut executions) = (false, 0, 0);
    let noticed = said(arguments, "--sanitizer").and_then(sanitizer::noticed);
    let mut planted: Vec<_> = noticed.into_iter().map(str::to_owned).collect();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if let Some(line) = shown(&line) {
                skipped |= line.contains("SKIPPED");
                lines += 1;
                executions += executed(line);
                planted.extend(line.strip_prefix("planted: ").map(str::to_owned));
                writeln!(io::stdout(), "{line}")?;
            }
        }
    }
    let good = child.wait()?.success();
    let word = if good { "0 violations" } else { "VIOLATIONS" };
    if matches!(how, How::Tests { .. }) {
        let tried = if executions > 0 { format!("{executions} executions, ") } else { String::new() };
        let planted = if planted.is_empty() { "none".to_owned() } else { planted.join(", ") };
        writeln!(io::stdout(), "{name}: {tried}{lines} lines above, {word}; planted: {planted}")?;
    }
    Ok(Told { good, skipped })
}

/// The tests of a proof; `--executions`, `--points`, `--faults` and `--seed` become the variables that they read.
fn by_tests(
    root: &Path,
    (targets, filter): (&[&str], &str),
    full: Option<(&str, &str)>,
    arguments: &[String],
) -> Command {
    let mut command = cargo(root);
    command.arg("test").args(PROFILE).args(OUTSIDE).args(targets);
    if let Some(sanitizer) = said(arguments, "--sanitizer") {
        sanitizer::under(&mut command, root, sanitizer);
    }
    command.args(["--features", PLANTED, "--quiet", "--"]);
    if !filter.is_empty() {
        command.arg(filter);
    }
    command.arg("--nocapture");
    if let Some((variable, much)) = full.filter(|_| arguments.iter().any(|one| one == "--full")) {
        command.env(variable, much);
    }
    let variables = [
        ("--executions", "TESSERA_EXECUTIONS"),
        ("--points", "TESSERA_POINTS"),
        ("--faults", "TESSERA_FAULTS"),
        ("--seed", "TESSERA_SEED"),
    ];
    for (name, variable) in variables {
        command.envs(said(arguments, name).map(|value| (variable, value)));
    }
    command
}

/// What stands behind an argument of this name.
fn said<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value.as_str()).next()
}

/// The executions that a line of fuzzing tells.
fn executed(line: &str) -> u64 {
    let before = line.split_once(" executions").map(|(before, _)| before);
    before.and_then(|before| before.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// A line of a proof; what the test programs print around theirs is left out.
fn shown(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('.');
    let around = ["running ", "test result:", "test "].iter().any(|word| line.starts_with(word));
    (!around && !line.trim().is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what a proof prints is shown, what the test program prints around it is not.
    #[test]
    fn lines_of_proofs_are_shown() {
        for line in ["running 3 tests", "", "test result: ok. 1 passed", "...", "test a ... ok"] {
            assert_eq!(shown(line), None, "{line}");
        }
        assert_eq!(executed("fuzz json: 5 executions (seed 1), 3 taken"), 5);
        assert_eq!(executed("upgrade: 68 power cuts"), 0);
        assert_eq!(shown(".fuzz json: 5 executions"), Some("fuzz json: 5 executions"));
    }

    /// PROPERTY: no two proofs share a name.
    #[test]
    fn proofs_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = PROOFS.iter().map(|proof| proof.name).collect();
        assert_eq!(names.len(), PROOFS.len());
    }
}
