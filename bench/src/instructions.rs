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
    goal: "at most 3 % more than in bench/bar.txt, where that was counted the same way",
};
const BY_HANDLE: Spec =
    Spec { id: "instructions-handle", what: "instructions of a check by handle", ..BY_TAG };
const HASH: Spec = Spec {
    id: "instructions-hash",
    what: "instructions of one BLAKE3 keyed hash of 40 bytes",
    goal: "reported",
    ..BY_TAG
};

/// The way of counting, as the bar's file must name it: another way of counting is another number, and judges nothing.
/// A new name with every change of what is counted.
const WAY: &str = "loops-alone";

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
        let bar = bar(include_str!("../bar.txt"), spec.id);
        let sizes = match bar {
            Some(_) => sizes.clone(),
            None => {
                format!("{sizes}; the bar was counted another way: put `{}` there", line(spec.id, counted))
            }
        };
        let row = Row::new(spec, counted, sizes).beside(peer, hash);
        row.judged(bar.map(|bar| counted <= bar * 1.03))
    };
    Ok(vec![judged(&BY_TAG, tag), judged(&BY_HANDLE, handle), Row::new(&HASH, hash, sizes)])
}

/// What a check may take: a line `id way count` of the bar's file, where that was counted this way. Lowered by hand
/// when a check gets shorter, from a count in release.
fn bar(text: &str, id: &str) -> Option<f64> {
    let words = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    words.into_iter().find_map(|words| match words.as_slice() {
        [of, way, count] if *of == id && *way == WAY => count.parse().ok(),
        _ => None,
    })
}

/// A line of the bar's file.
fn line(id: &str, counted: f64) -> String {
    format!("{id} {WAY} {counted:.0}")
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
    use super::*;

    /// PROPERTY: a bar that was counted this way is found as it was written; one of another way judges nothing. The
    /// file has a line for every figure that has a bar.
    #[test]
    fn bars_are_of_one_way_of_counting() {
        let text = format!("{}\n{}\n", line(BY_TAG.id, 391.4), line(BY_HANDLE.id, 1_130.0));
        assert_eq!((bar(&text, BY_TAG.id), bar(&text, BY_HANDLE.id)), (Some(391.0), Some(1_130.0)));
        assert_eq!(bar(&text, "nothing"), None);
        assert_eq!(bar(&text.replace(WAY, "whole-runs"), BY_TAG.id), None);
        for spec in [BY_TAG, BY_HANDLE] {
            let of = |line: &str| line.split(' ').next() == Some(spec.id) && line.split(' ').count() == 3;
            assert_eq!(include_str!("../bar.txt").lines().filter(|line| of(line)).count(), 1, "{}", spec.id);
        }
    }
}
