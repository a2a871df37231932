//! The backup proof in its short form, over the real binary.

use std::path::PathBuf;
use std::process::Command;

/// PROPERTY: twenty backups that are taken while writers work hold all that was acknowledged before each, frame by
/// frame as the node has it, and restored they go on in a new epoch that no former handle or position reaches (F-56 in part, TC-60 in part: restores, TC-102 in part).
/// METHOD: the shipped client and command line; a backup that lacks the last frames is held up as one that has them,
/// and must be noticed.
#[test]
fn f_56_backups_under_load_are_restored_whole() {
    let proof = PathBuf::from(env!("CARGO_BIN_EXE_tessera-proof"));
    let server = proof.with_file_name("tessera");
    assert!(server.exists(), "build it first: cargo build --profile checked -p tessera-node");
    let output = Command::new(proof)
        .args(["backup", "--backups", "20", "--server"])
        .arg(server)
        .output()
        .expect("the proof ran");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
