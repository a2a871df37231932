//! A log of `strace` as calls: which thread, which file, when it began and ended, and whether it was tampered with.

use crate::node::Trouble;
use std::collections::BTreeMap;
use std::path::Path;

/// One call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Call {
    /// The thread's number and name.
    pub(crate) process: u32,
    pub(crate) thread: String,
    /// The call's name.
    pub(crate) name: String,
    /// The file that its first argument names.
    pub(crate) file: String,
    /// The first bytes that it writes, as far as the log has them.
    pub(crate) bytes: Vec<u8>,
    /// Microseconds since 1970.
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// What it returned; -1 for an error and where nothing came back.
    pub(crate) result: i64,
    /// Whether `strace` put a fault into it.
    pub(crate) injected: bool,
    /// Whether the process was ended in it.
    pub(crate) lost: bool,
}

/// Reads a log made with `-f -ttt -T -y --decode-pids=comm`.
pub(crate) fn read_trace(path: &Path) -> Result<Vec<Call>, Trouble> {
    let text = std::fs::read(path)?;
    Ok(calls(&String::from_utf8_lossy(&text)))
}

fn calls(text: &str) -> Vec<Call> {
    let mut open = BTreeMap::<u32, (u64, String)>::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((process, thread, began, rest)) = head(line) else { continue };
        if let Some(part) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(process, (began, part.to_owned()));
        } else if let Some((_, tail)) = rest.split_once(" resumed>").filter(|_| rest.starts_with("<... ")) {
            let Some((first, part)) = open.remove(&process) else { continue };
            calls.extend(call(process, &thread, (first, Some(began)), &(part + tail)));
        } else {
            calls.extend(call(process, &thread, (began, None), rest));
        }
    }
    // What never came back: the process was ended in it.
    for (process, (began, part)) in open {
        calls.extend(call(process, "", (began, None), &part));
    }
    calls
}

/// `123<name> 1700000000.123456 rest`: the thread, its name, microseconds, the rest.
fn head(line: &str) -> Option<(u32, String, u64, &str)> {
    let (who, rest) = line.split_once(' ')?;
    let (process, name) = who.split_once('<').map_or((who, ""), |(process, name)| (process, name));
    let rest = rest.trim_start();
    let (time, rest) = rest.split_once(' ')?;
    let (seconds, micros) = time.split_once('.')?;
    let began = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
    Some((process.parse().ok()?, name.trim_end_matches('>').to_owned(), began, rest))
}

fn call(process: u32, thread: &str, (began, resumed): (u64, Option<u64>), text: &str) -> Option<Call> {
    let (name, arguments) = text.split_once('(')?;
    let file =
        arguments.split_once('<').and_then(|(_, tail)| tail.split_once('>')).map_or("", |(file, _)| file);
    let (_, told) = text.rsplit_once(") = ").or_else(|| text.rsplit_once(")  = ")).unwrap_or(("", "-1"));
    let told = told.trim();
    let result = told.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(-1);
    let seconds = text.rsplit_once('<').and_then(|(_, tail)| tail.strip_suffix('>')).and_then(micros);
    let ended = resumed.unwrap_or_else(|| began + seconds.unwrap_or_default());
    let injected = text.contains("(INJECTED)") || text.contains("(DELAYED)");
    let lost = told.starts_with(['?', '-']) && !injected && result == -1 && !told.contains(' ');
    let bytes = arguments.split_once('"').map_or_else(Vec::new, |(_, text)| unescaped(text));
    let (thread, file) = (thread.to_owned(), file.to_owned());
    Some(Call { process, thread, name: name.to_owned(), file, bytes, began, ended, result, injected, lost })
}

/// The bytes of a text in C's notation, up to its closing quote: octal numbers have as many digits as they need.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes().peekable());
    while let Some(byte) = rest.next().filter(|byte| *byte != b'"') {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: &u8| (b'0'..=b'7').contains(byte);
        if rest.peek().is_some_and(digit) {
            let mut number = 0_u8;
            for _ in 0..3 {
                let Some(next) = rest.next_if(digit) else { break };
                number = number.wrapping_mul(8).wrapping_add(next - b'0');
            }
            bytes.push(number);
        } else {
            bytes.extend(rest.next().map(|named| match named {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'v' => 11,
                b'f' => 12,
                itself => itself,
            }));
        }
    }
    bytes
}

/// `0.000123` as microseconds.
fn micros(text: &str) -> Option<u64> {
    let (seconds, micros) = text.split_once('.')?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: whole, interrupted and unfinished calls are read with their thread, file, times and faults.
    #[test]
    fn logs_are_read() {
        let log = "\
77<tessera-lane> 1700000000.000100 pwrite64(9</d/journal-0001>, \"\\377T\\\"\\1\\0001\\\\\\n\"..., 4096, 0) = 4096 <0.000050>
78<tokio-rt> 1700000000.000120 fdatasync(4</d/state.redb> <unfinished ...>
77<tessera-lane> 1700000000.000160 fdatasync(9</d/journal-0001>) = -1 EIO (Input/output error) (INJECTED) <0.000010>
78<tokio-rt> 1700000000.000190 <... fdatasync resumed>) = 0 <0.000070>
79<a> 1700000000.000200 fdatasync(9</d/journal-0002> <unfinished ...>
79<a> 1700000000.000201 +++ killed by SIGKILL +++
";
        let found = calls(log);
        let short: Vec<_> = found
            .iter()
            .map(|call| (call.thread.as_str(), call.file.as_str(), call.began % 1_000, call.ended % 1_000))
            .collect();
        assert_eq!(short[0], ("tessera-lane", "/d/journal-0001", 100, 150));
        assert_eq!(short[1], ("tessera-lane", "/d/journal-0001", 160, 170));
        assert_eq!(short[2], ("tokio-rt", "/d/state.redb", 120, 190));
        assert_eq!(found[0].bytes, [255, b'T', b'"', 1, 0, b'1', b'\\', 10]);
        assert_eq!((found[1].result, found[1].injected, found[2].result), (-1, true, 0));
        assert_eq!((found[3].name.as_str(), found[3].result, found[3].lost), ("fdatasync", -1, true));
        assert!(!found[0].lost && !found[1].lost && !found[2].lost);
    }
}
