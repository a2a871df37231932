//! The kill proof in its short form, over the real binary.

use std::path::PathBuf;
use std::process::Command;

fn prove(cycles: &str, more: &[&str]) {
    let proof = PathBuf::from(env!("CARGO_BIN_EXE_tessera-proof"));
    let server = proof.with_file_name("tessera");
    assert!(server.exists(), "build it first: cargo build --profile checked -p tessera-node");
    let output = Command::new(proof)
        .args(["kill", "--cycles", cycles, "--server"])
        .arg(server)
        .args(more)
        .output()
        .expect("the proof ran");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// PROPERTY: every acknowledged write survives kill -9 and every answer is right; SIGTERM ends with 0.
/// METHOD: 60 kills at random moments under load from the shipped client, then every chain is walked.
/// TC-92, TC-74 in part: chains.
#[test]
fn acknowledged_writes_survive_kill_9() {
    let cycles = std::env::var("TESSERA_KILL_CYCLES").unwrap_or_else(|_| "60".into());
    prove(&cycles, &[]);
}

/// PROPERTY: the same while each checkpoint has many buckets that changed. METHOD: 240,000 sessions, which
/// fill 35 buckets of each tenant, are ended at random places between the kills.
/// TC-92.
#[test]
fn many_changed_buckets_survive_kill_9() {
    prove("4", &["--sessions", "240000"]);
}
