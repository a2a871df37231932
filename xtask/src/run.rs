//! Programs that xtask starts: the test command's stages and the figures.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// What the whole-workspace stages leave out: benches and their peers.
pub(crate) const OUTSIDE: &[&str] = &["--workspace", "--exclude", "tessera-bench"];
/// The one profile of tests, proofs and their binary.
pub(crate) const PROFILE: &[&str] = &["--profile", "checked"];
/// The switch of the test build: planted faults that the proofs must notice.
pub(crate) const PLANTED: &str = "tessera-node/planted";
/// Lints that keep surprises out of input paths; tests may surprise. And each test program uses only a
/// part of a support module that it shares with others.
const ALLOWED_IN_TESTS: &[&str] = &[
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::indexing_slicing",
    "clippy::cast_possible_truncation",
    "clippy::wildcard_enum_match_arm",
    "clippy::match_wildcard_for_single_variants",
    "clippy::print_stdout",
    "clippy::print_stderr",
    "clippy::too_many_lines",
    "clippy::large_futures",
    "clippy::let_underscore_must_use",
    "clippy::disallowed_methods",
    "clippy::disallowed_types",
    "clippy::type_complexity",
    "dead_code",
    "missing_docs",
    "unreachable_pub",
];

/// Cargo itself, at the root of the tree.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root);
    command
}

/// Runs `command` to its end and hands on how it ended.
pub(crate) fn finish(mut command: Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// One stage of the test command: prints its name and time, tells whether it went well.
pub(crate) fn stage(name: &str, mut command: Command) -> io::Result<bool> {
    writeln!(io::stderr(), "== {name}")?;
    let started = Instant::now();
    let good = command.status()?.success();
    let word = if good { "ok" } else { "FAILED" };
    writeln!(io::stderr(), "== {name}: {word} after {:.1} s", started.elapsed().as_secs_f64())?;
    Ok(good)
}

/// The last stage: every test, and behind all of them one line that counts them.
fn suite(mut command: Command) -> io::Result<bool> {
    writeln!(io::stderr(), "== tests")?;
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut count = Count::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            count.take(&line);
            writeln!(io::stdout(), "{line}")?;
        }
    }
    let good = child.wait()?.success();
    writeln!(io::stdout(), "{} in {:.0} s", count.sentence(good), started.elapsed().as_secs_f64())?;
    Ok(good)
}

/// What the result lines of all test programs add up to.
#[derive(Debug, Default, Eq, PartialEq)]
struct Count {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Count {
    /// Adds a line `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; other lines add nothing.
    fn take(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let number = |word: &str| -> u64 {
            let parts = rest.split([';', '.']).map(str::trim);
            parts.filter_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok()).sum()
        };
        self.programs += 1;
        self.passed += number("passed");
        self.failed += number("failed");
        self.ignored += number("ignored");
    }

    fn sentence(&self, good: bool) -> String {
        let word = if good { "ok" } else { "FAILED" };
        let Self { programs, passed, failed, ignored } = self;
        format!(
            "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; {programs} test programs"
        )
    }
}

/// The test command. The cheap stages come first; the first failure ends it.
///
/// WHY: every stage selects targets that need development dependencies, so that packages are built
/// with one set of features and not twice.
pub(crate) fn test(root: &Path, arguments: &[String]) -> io::Result<ExitCode> {
    writeln!(io::stderr(), "== tidy")?;
    if crate::tidy::run(root, false)? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    let mut format = cargo(root);
    format.args(["fmt", "--all", "--check"]);
    let mut strict = cargo(root);
    strict.arg("clippy").args(PROFILE).args(OUTSIDE).args([
        "--lib",
        "--bins",
        "--examples",
        "--features",
        PLANTED,
    ]);
    strict.args(["--quiet", "--", "-D", "warnings"]);
    let mut tests = cargo(root);
    tests.arg("clippy").args(PROFILE).args(OUTSIDE).args(["--tests", "--features", PLANTED]);
    tests.args(["--quiet", "--", "-D", "warnings"]);
    tests.args(ALLOWED_IN_TESTS.iter().flat_map(|lint| ["-A", lint]));
    let mut build = cargo(root);
    build.arg("build").args(PROFILE).args(OUTSIDE).args(["--all-targets", "--features", PLANTED]);
    let mut tests_run = cargo(root);
    tests_run
        .arg("test")
        .arg("--no-fail-fast")
        .args(PROFILE)
        .args(OUTSIDE)
        .args(["--features", PLANTED])
        .args(arguments);
    let stages = [
        ("format", format),
        ("lints of libraries and binaries", strict),
        ("lints of tests", tests),
        ("build", build),
    ];
    for (name, command) in stages {
        if !stage(name, command)? {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(if suite(tests_run)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes the figures: an optimised build of `tessera-bench`, which stands outside the test command.
pub(crate) fn figures(root: &Path, arguments: &[String]) -> io::Result<ExitCode> {
    let mut build = cargo(root);
    // The figures start the node and programs of their own; they must be of the same build.
    build.args(["build", "--release", "--bins", "-p", "tessera-node", "-p", "tessera-bench"]);
    if !stage("build of the node", build)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = cargo(root);
    command.args(["run", "--release", "-p", "tessera-bench", "--"]).args(arguments);
    finish(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the counts of all programs are added, other lines add nothing.
    #[test]
    fn results_add_up() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.18s",
            "test result: FAILED. 15 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
        ] {
            count.take(line);
        }
        assert_eq!(count, Count { programs: 2, passed: 18, failed: 4, ignored: 1 });
        assert_eq!(
            count.sentence(false),
            "test result: FAILED. 18 passed; 4 failed; 1 ignored; 2 test programs"
        );
    }
}
