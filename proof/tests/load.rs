//! The proof of bulk loads in its short form, over the real binary.

use std::path::PathBuf;
use std::process::Command;

/// PROPERTY: a load whose node and whose loader are killed at chosen moments, and which is then run again, makes
/// every row one subject; checks are answered rightly all the while. METHOD: 50,000 rows, three kills, small
/// journal files so that checkpoints fall into it; then everything is counted by a node started anew.
/// TC-92: bulk loads; F-65 in part.
#[test]
fn a_load_that_is_cut_off_makes_every_row_one_subject() {
    let proof = PathBuf::from(env!("CARGO_BIN_EXE_tessera-proof"));
    let server = proof.with_file_name("tessera");
    assert!(server.exists(), "build it first: cargo build --profile checked -p tessera-node");
    let rows = std::env::var("TESSERA_LOAD_ROWS").unwrap_or_else(|_| "50000".into());
    let output = Command::new(proof)
        .args(["load", "--rows", &rows, "--kills", "3", "--small", "--server"])
        .arg(server)
        .output()
        .expect("the proof ran");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
