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

/// A program that reads what it has freed, and tells what it read by its exit code.
const FAULTY: &str = "fn main() { let kept = Box::into_raw(Box::new([1u8; 64])); unsafe { drop(Box::from_raw(kept)); let read = *std::hint::black_box(kept.cast::<u8>()); std::process::exit(i32::from(read)); } }";

/// Why a sanitizer cannot be had here; nothing when a small program builds with it, and is found out where it reads
/// what it has freed.
pub(crate) fn missing(name: &str) -> Option<String> {
    let program = std::env::temp_dir().join(format!("tessera-sanitizer-{}", std::process::id()));
    let why = tried(name, &program);
    drop(std::fs::remove_file(program));
    why
}

fn tried(name: &str, program: &Path) -> Option<String> {
    let started = compiler()
        .args(["--edition", "2024", "--crate-type", "bin", "-", "-o"])
        .arg(program)
        .arg(format!("-Zsanitizer={name}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        return Some(format!("the compiler has no sanitizer {name:?} here (it does not start)"));
    };
    if let Some(mut input) = child.stdin.take() {
        input.write_all(FAULTY.as_bytes()).ok();
    }
    let Ok(output) = child.wait_with_output() else {
        return Some(format!("the compiler has no sanitizer {name:?} here (it does not end)"));
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        return Some(format!("the compiler has no sanitizer {name:?} here ({said})"));
    }
    if name != ADDRESS {
        return None;
    }
    let Ok(ran) = Command::new(program).output() else {
        return Some(format!("what is planted for the sanitizer {name:?} does not run here"));
    };
    let found = String::from_utf8_lossy(&ran.stderr).contains("AddressSanitizer: heap-use-after-free");
    (!found).then(|| format!("the sanitizer {name:?} does not notice what is planted here"))
}

/// The planted fault that a sanitizer has noticed before it is used; none is planted for others than this one.
pub(crate) fn noticed(name: &str) -> Option<&'static str> {
    (name == ADDRESS).then_some("memory that is read when it was freed: caught")
}

/// The sanitizer that a fault is planted for.
const ADDRESS: &str = "address";

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
        // One that is there notices what is planted.
        assert!(missing(ADDRESS).is_none_or(|why| why.contains("has no sanitizer")));
    }
}
