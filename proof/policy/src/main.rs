//! The comparison at any length: `tessera-policy-proof [WORLDS [SEED]]`.

use std::io::Write as _;
use std::process::ExitCode;
use tessera_policy_proof::{Plan, run};

/// Fifty questions to each; more than two million decisions.
const WORLDS: u64 = 25_000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Ok(worlds), Ok(seed)) = (numbers.next().unwrap_or(Ok(WORLDS)), numbers.next().unwrap_or(Ok(1)))
    else {
        drop(writeln!(std::io::stderr(), "tessera-policy-proof [WORLDS [SEED]]"));
        return ExitCode::from(2);
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let (text, good) = match run(Plan { seed, worlds, questions: 50, threads, planted: None }) {
        Ok(tally) => {
            let lacks = tally.lacks();
            (format!("{}{}", tally.text(), lacks.join("\n")), lacks.is_empty())
        }
        Err(difference) => (difference, false),
    };
    let written =
        writeln!(std::io::stdout(), "{text}\npolicies: {}", if good { "no violations" } else { "VIOLATED" });
    if good && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
