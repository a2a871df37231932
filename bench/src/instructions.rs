//! `instructions`: what a check takes in instructions, counted by callgrind: the same on a busy machine.
//!
//! Counted inside the loops alone, for what else a start does (gathering entropy above all) differs from
//! run to run. Two runs of `check_loop` differ in their number of passes only; the difference divided by
//! the checks of the difference leaves the first pass out, which loading makes.

use crate::figure::{Family, Row, Setup, Spec, Why};
use std::path::Path;
use std::process::Command;

/// Instructions per check.
pub const INSTRUCTIONS: Family = Family { specs: &[BY_TAG, BY_HANDLE, HASH], take };

/// The unit of these figures.
pub const UNIT: &str = "instructions";

const BY_TAG: Spec = Spec {
    id: "instructions",
    what: "instructions of a check by tag, workspace chain of 4, half decided by an own workspace above",
    unit: UNIT,
    goal: "at most 3 % more than in bench/bar.txt",
};
const BY_HANDLE: Spec =
    Spec { id: "instructions-handle", what: "instructions of a check by handle", ..BY_TAG };
const HASH: Spec = Spec {
    id: "instructions-hash",
    what: "instructions of one BLAKE3 keyed hash of 40 bytes",
    goal: "reported",
    ..BY_TAG
};

/// Passes of the two runs, and questions of a pass (as `check_loop` has them).
const PASSES: (u64, u64) = (1, 5);
/// Questions of one pass of `check_loop`.
pub const QUESTIONS: u32 = 4_096;

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    let own = std::env::current_exe()?;
    let program = own.with_file_name("check_loop");
    if !program.exists() {
        return Err(format!("{} is missing: build tessera-bench with --bins", program.display()).into());
    }
    std::fs::create_dir_all(&setup.folder)?;
    let per_check = |what: &str| -> Result<f64, Why> {
        setup.progress.say(&format!("instructions: {what} under callgrind"));
        let few = count(&program, what, PASSES.0, &setup.folder)?;
        let many = count(&program, what, PASSES.1, &setup.folder)?;
        Ok((many - few) / ((PASSES.1 - PASSES.0) as f64 * f64::from(QUESTIONS)))
    };
    let (tag, handle, hash) = (per_check("tag")?, per_check("handle")?, per_check("hash")?);
    let sizes =
        format!("10,000 sessions, {QUESTIONS} random questions, {} passes counted", PASSES.1 - PASSES.0);
    let peer = "BLAKE3 keyed hash of 40 bytes";
    let judged = |spec: &Spec, counted: f64| {
        let row = Row::new(spec, counted, sizes.clone()).beside(peer, hash);
        row.judged(bar(spec.id).map(|bar| counted <= bar * 1.03))
    };
    Ok(vec![judged(&BY_TAG, tag), judged(&BY_HANDLE, handle), Row::new(&HASH, hash, sizes)])
}

/// What a check may take: a line of the bar's file, `id count`. Lowered by hand when a check gets shorter.
fn bar(id: &str) -> Option<f64> {
    let lines = include_str!("../bar.txt").lines().filter_map(|line| line.split_once(' '));
    lines.filter(|(of, _)| *of == id).find_map(|(_, count)| count.trim().parse().ok())
}

/// Instructions of a whole run of `check_loop`.
fn count(program: &Path, what: &str, passes: u64, folder: &Path) -> Result<f64, Why> {
    let told = Command::new("valgrind")
        .args(["--tool=callgrind", "--error-exitcode=9", "--collect-atstart=no"])
        .args(
            ["tags", "handles", "hashes"]
                .map(|of| format!("--toggle-collect=tessera_bench::checks::Bench::{of}")),
        )
        .arg(format!("--callgrind-out-file={}", folder.join("callgrind.out").display()))
        .arg(program)
        .args([what, &passes.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&told.stderr);
    if !told.status.success() {
        return Err(format!("callgrind: {}", text.lines().last().unwrap_or_default()).into());
    }
    let refs =
        text.lines().find_map(|line| line.split_once("Collected : ")).ok_or("callgrind counted nothing")?;
    Ok(refs.1.trim().parse::<f64>()?)
}

#[cfg(test)]
mod tests {
    /// PROPERTY: every figure that has a bar finds it.
    #[test]
    fn the_bar_names_the_figures() {
        assert!(super::bar(super::BY_TAG.id).is_some_and(|bar| bar > 0.0));
        assert!(super::bar(super::BY_HANDLE.id).is_some_and(|bar| bar > 0.0));
        assert_eq!(super::bar("nothing"), None);
    }
}
