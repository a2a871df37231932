//! Proofs in their short form, by their program: each prints its line, and fails where it finds a violation.

use std::path::PathBuf;
use std::process::Command;

fn prove(arguments: &[&str]) {
    let proof = PathBuf::from(env!("CARGO_BIN_EXE_tessera-proof"));
    assert!(
        proof.with_file_name("tessera").exists(),
        "build it first: cargo build --profile checked -p tessera-node"
    );
    let output = Command::new(proof).args(arguments).output().expect("the proof ran");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// PROPERTY: on a full disk checks go on, what narrows goes on into the reserve, everything else is refused, a start
/// has everything, and space that returns is used by the same process. METHOD: the real binary on a tmpfs.
/// F-51, TC-97: the real binary.
#[test]
fn f_51_a_full_disk_under_the_real_binary() {
    prove(&["full", "--quick"]);
}

/// PROPERTY: whatever call to the disk fails, comes late or is the last, nothing acknowledged is lost, an unknown
/// outcome is told under its command id by the next life, the journal's failure ends with 75, and every answer
/// stands behind a sync that began after its write. METHOD: strace over the real binary.
/// TC-93: system calls; TC-96: the real binary; TC-99 in part: answers and syncs.
#[test]
fn calls_that_fail_lose_nothing() {
    prove(&["syscalls", "--quick"]);
}

/// PROPERTY: every answer beside commands is one that some order of the commands allows. METHOD: a million answers
/// on two threads beside 50,000 commands in memory and 2,000 on disk; a stale reading is noticed.
/// TC-19 in part: the order of answers.
#[test]
fn answers_are_linear() {
    prove(&["linear", "--quick"]);
}

/// PROPERTY: hostile clients cost the node bounded memory and wake no tenant, honest callers are answered rightly
/// meanwhile, and guessing that was stopped stays stopped over a kill. METHOD: the real binary under handshakes that
/// are never finished, 10,000 forged handles, 1,000 connections that are idle, slow, deaf or reset their streams,
/// forged refreshes and sign-ins by the hundred.
/// TC-76, TC-77, TC-78 in part: memory under a thousand of them.
#[test]
fn hostile_clients_cost_little() {
    prove(&["attack", "--quick"]);
}

/// PROPERTY: whatever fails in whatever order, acknowledged commands survive, nothing is seen that is not durable,
/// no handle is good in another tenant, nothing that ended lives again, no command stands twice, every order is
/// answered in its time, and one seed gives one trace. METHOD: 200 seeds of a whole engine on a paused clock, over a
/// disk whose power goes and whose calls fail, with panics, callers that give up and clocks that step; each twice.
/// TC-94: the whole engine; TC-95; TC-115: in every world; TC-25 in part: steps of the clock.
#[test]
fn a_simulated_engine_keeps_its_promises() {
    prove(&["simulate", "--quick"]);
}

/// PROPERTY: wherever the power goes in a whole engine, what was acknowledged is there and nothing that nobody
/// ordered; half of the cuts are in the first calls of a life, and each step of the store has a hundred, as has the
/// move of a tenant between two nodes, of which never both answer for it. METHOD: 10,000 cuts in worlds of several
/// lives on one image; eight planted faults are caught.
/// TC-94: power cuts through the whole engine; TC-99: the simulator notices; TC-108: without power.
#[test]
fn power_cuts_through_the_whole_engine_lose_nothing() {
    prove(&["power", "--quick"]);
}

/// PROPERTY: whatever its clocks do, what is due ends, what has ended stays ended, and where nobody knows the time
/// writes wait while what narrows goes on. METHOD: the real binary, whose clocks a file moves.
/// TC-25: the real binary.
#[test]
fn clocks_of_the_real_binary_jump() {
    prove(&["clock", "--quick"]);
}
