//! Sanitizers for the proofs that are tests: a build of its own, by the compiler's unstable switch.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The compiler that cargo uses.
fn compiler() -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    // A stable compiler has the switch as well, and takes it when told so.
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Why a sanitizer cannot be had here; nothing when a small program builds with it.
pub(crate) fn missing(name: &str) -> Option<String> {
    let mut child = compiler()
        .args(["--edition", "2024", "--crate-type", "bin", "-", "-o"])
        .arg(std::env::temp_dir().join(format!("tessera-sanitizer-{}", std::process::id())))
        .arg(format!("-Zsanitizer={name}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(b"fn main() {}").ok();
    }
    let output = child.wait_with_output().ok()?;
    drop(std::fs::remove_file(
        std::env::temp_dir().join(format!("tessera-sanitizer-{}", std::process::id())),
    ));
    let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
    (!output.status.success()).then(|| format!("the compiler has no sanitizer {name:?} here ({said})"))
}

/// Has a command of cargo build and run under a sanitizer, apart from what is built without.
pub(crate) fn under(command: &mut Command, root: &Path, name: &str) {
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", format!("-Zsanitizer={name}"))
        .env("CARGO_TARGET_DIR", root.join("target").join("sanitizer"));
    // Build scripts and macros are the compiler's own: a named target leaves them as they are.
    if let Some(host) = host() {
        command.args(["--target", &host]);
    }
}

/// The machine that the compiler builds for.
fn host() -> Option<String> {
    let output = compiler().arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a sanitizer that no compiler has is told as missing.
    #[test]
    fn what_is_not_there_is_told() {
        assert!(missing("nothing-like-it").is_some_and(|why| why.contains("nothing-like-it")));
    }
}
