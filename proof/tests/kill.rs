//! The kill proof in its short form, over the real binary.

use std::path::PathBuf;
use std::process::Command;

/// PROPERTY: every acknowledged write survives kill -9 and every answer is right; SIGTERM ends with 0.
/// METHOD: 20 kills at random moments under load from the shipped client, then every chain is walked.
#[test]
fn acknowledged_writes_survive_kill_9() {
    let proof = PathBuf::from(env!("CARGO_BIN_EXE_tessera-proof"));
    let server = proof.with_file_name("tessera");
    assert!(server.exists(), "build it first: cargo build --profile checked -p tessera-node");
    let cycles = std::env::var("TESSERA_KILL_CYCLES").unwrap_or_else(|_| "20".into());
    let output = Command::new(proof)
        .args(["kill", "--cycles", &cycles, "--server"])
        .arg(server)
        .output()
        .expect("the proof ran");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
