//! Runs the second implementation of the wire, in another language, over docs/wire.md.

use std::process::Command;

/// PROPERTY: docs/wire.md suffices to read and write every example. METHOD: a program in Python that
/// knows nothing but the document; skipped, and said so, where there is no python3.
#[test]
fn another_language_reads_the_document() {
    let here = env!("CARGO_MANIFEST_DIR");
    let (script, document) = (format!("{here}/tests/second_reader.py"), format!("{here}/../../docs/wire.md"));
    let Ok(run) = Command::new("python3").args([&script, &document]).output() else {
        return println!("SKIPPED: there is no python3 here");
    };
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{err}");
    println!("{}", out.trim());
    let count: usize = out.split(' ').next().and_then(|text| text.parse().ok()).expect("a count");
    assert!(count > 70, "{out}");
}
