//! Documents whose blocks are run: each command of a `console` block, in its order, against a node.
//!
//! What differs between two runs (ids, times, durations, ports) is masked before lines are compared,
//! and an id that the document shows stands for the id of the run in later commands. With
//! `TESSERA_DOCUMENTS=write` the outputs are written into the document instead.

use crate::node::Node;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const OPEN: &str = "```console";
const CLOSE: &str = "```";

/// A command of a document and the output that stands below it.
struct Step {
    command: String,
    output: String,
}

/// A piece of a document.
enum Piece {
    Text(String),
    Block(Vec<Step>),
}

/// A document, taken apart.
pub(crate) struct Document {
    path: PathBuf,
    pieces: Vec<Piece>,
    ids: HashMap<String, String>,
    exports: String,
    write: bool,
    faults: Vec<String>,
}

impl Document {
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        let text = std::fs::read_to_string(&path).expect("the document");
        let mut pieces = vec![Piece::Text(String::new())];
        let mut inside = false;
        for line in text.lines() {
            if !inside && line == OPEN {
                pieces.push(Piece::Block(Vec::new()));
                inside = true;
            } else if inside && line == CLOSE {
                pieces.push(Piece::Text(String::new()));
                inside = false;
            } else {
                match pieces.last_mut().expect("a piece") {
                    Piece::Text(text) => text.push_str(&format!("{line}\n")),
                    Piece::Block(steps) => match (line.strip_prefix("$ "), steps.last_mut()) {
                        (Some(command), _) => {
                            steps.push(Step { command: command.to_owned(), output: String::new() });
                        }
                        (None, Some(step)) => step.output.push_str(&format!("{line}\n")),
                        (None, None) => panic!("{name}: a block begins with a command: {line}"),
                    },
                }
            }
        }
        let write = std::env::var("TESSERA_DOCUMENTS").is_ok_and(|value| value == "write");
        Self { path, pieces, ids: HashMap::new(), exports: String::new(), write, faults: Vec::new() }
    }

    /// Takes an output that was printed by something else than a command: by the node at its start.
    pub(crate) fn printed(&mut self, node: &Node, command: &str, output: &str) {
        let output = shown(node, output);
        let mut pieces = std::mem::take(&mut self.pieces);
        let blocks = pieces
            .iter_mut()
            .filter_map(|piece| if let Piece::Block(steps) = piece { Some(steps) } else { None });
        let step = blocks.flatten().find(|step| step.command == command).expect(command);
        self.compare(step, output);
        self.pieces = pieces;
    }

    /// Runs every command but `except`.
    pub(crate) fn run(&mut self, node: &Node, except: &str) {
        let mut pieces = std::mem::take(&mut self.pieces);
        for piece in &mut pieces {
            let Piece::Block(steps) = piece else { continue };
            for step in steps.iter_mut().filter(|step| step.command != except) {
                if let Some(export) = step.command.strip_prefix("export ") {
                    self.exports.push_str(&format!("export {export}; "));
                    continue;
                }
                let mut command = step.command.clone();
                for (old, new) in &self.ids {
                    command = command.replace(old, new);
                }
                let done = node.shell(&format!("{}{{ {command}\n}} 2>&1", self.exports));
                let mut output = shown(node, &String::from_utf8_lossy(&done.stdout));
                match done.status.code().expect("a code") {
                    0 => {}
                    code => output.push_str(&format!("(exit code {code})\n")),
                }
                if self.write {
                    // An id that a command names is one of this run from now on.
                    step.command = command;
                }
                self.compare(step, output);
            }
        }
        self.pieces = pieces;
    }

    fn compare(&mut self, step: &mut Step, output: String) {
        for (old, new) in ids(&step.output).into_iter().zip(ids(&output)) {
            self.ids.insert(old, new);
        }
        if self.write {
            step.output = output;
        } else if mask(&step.output) != mask(&output) {
            let fault = format!("$ {}\nthe document:\n{}the node:\n{output}", step.command, step.output);
            self.faults.push(fault);
        }
    }

    /// Fails when an output differs; writes the outputs when that was asked for.
    pub(crate) fn finish(self) {
        assert!(self.faults.is_empty(), "{}: {}", self.path.display(), self.faults.join("\n"));
        if !self.write {
            return;
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Block(steps) => {
                    text.push_str(&format!("{OPEN}\n"));
                    for step in steps {
                        text.push_str(&format!("$ {}\n{}", step.command, step.output));
                    }
                    text.push_str(&format!("{CLOSE}\n"));
                }
            }
        }
        std::fs::write(&self.path, text).expect("written");
    }
}

/// An output as the document shows it: the default port, and no folder of this machine.
fn shown(node: &Node, output: &str) -> String {
    let home = node.folder.join("home").display().to_string();
    let text = output.replace(&home, "/home/ann").replace(&format!("{}/", node.folder.display()), "");
    let text = text.replace(&node.gateway.to_string(), "127.0.0.1:7481");
    let text = text.replace(&node.health.to_string(), "127.0.0.1:7480");
    text.replace(&node.quic.to_string(), "127.0.0.1:7443")
}

fn is_id(word: &str) -> bool {
    let sound = |(at, byte): (usize, u8)| {
        if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    };
    word.len() == 36 && word.bytes().enumerate().all(sound)
}

/// The public ids of a text, in their order.
fn ids(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words.filter(|word| is_id(word)).map(str::to_owned).collect()
}

/// A text without what differs between two runs.
fn mask(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", mask_line(line))).collect()
}

const ENDS: [char; 9] = [' ', '"', ',', '}', '{', '.', '(', ')', ':'];

fn mask_line(line: &str) -> String {
    let mut out = String::new();
    let line = without_durations(line);
    for part in line.split_inclusive([' ', '"', ',', '}', '{', '(', ')']) {
        let word = part.trim_end_matches(ENDS);
        let tail = part.get(word.len()..).expect("a tail");
        let field = word.strip_prefix(':').is_some_and(is_number);
        let timed = ["_us\"", "_ms\"", "\"min\"", "\"median\"", "\"max\""];
        let handle = word.len() == 65
            && ["tess_", "tkey_", "tref_", "tset_", "tinv_"].iter().any(|prefix| word.starts_with(prefix));
        let cursor = out.ends_with("--cursor ") || out.ends_with("\"next\":\"");
        out.push_str(match word {
            _ if cursor => "CURSOR",
            word if is_id(word) => "ID",
            word if word.strip_prefix("tessera.personal.").is_some_and(is_id) => "tessera.personal.ID",
            word if is_time(word) => "TIME",
            _ if handle => "HANDLE",
            _ if field && timed.iter().any(|name| out.ends_with(name)) => ":N",
            word => word,
        });
        out.push_str(tail);
    }
    out
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A line whose durations are all one; the blanks before them go along, for columns move with them.
fn without_durations(line: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in line.split(' ') {
        let unit = matches!(word.trim_end_matches(['.', ',']), "us" | "ms");
        let number = words.last().is_some_and(|last| last.split('.').all(is_number));
        if unit && number {
            words.pop();
            while words.last().is_some_and(|word| word.is_empty()) {
                words.pop();
            }
            words.push("N");
            words.push(if word.ends_with(',') {
                "T,"
            } else if word.ends_with('.') {
                "T."
            } else {
                "T"
            });
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

fn is_time(word: &str) -> bool {
    let form = "0000-00-00T00:00:00Z";
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    word.len() == form.len() && word.bytes().zip(form.bytes()).all(fits)
}

/// PROPERTY: two runs of the same command are one after masking, and different answers stay different.
#[test]
fn masks_take_away_what_differs() {
    let same = [
        ("Seen at 1.6, in 168 us.", "Seen at 1.6, in 20999 us."),
        ("claim       key kept          687 us", "claim       key kept         23.0 ms"),
        ("p50 58 us, p99 4.2 ms   197.2 ms", "p50 1.0 ms, p99 999 us    99 us"),
        ("{\"took_us\":12,\"node_time_ms\":1,\"min\":3}", "{\"took_us\":7,\"node_time_ms\":22,\"min\":4}"),
        ("until 2026-12-03T01:00:20Z.", "until 2027-12-03T01:00:20Z."),
        ("id 01a2155d-c052-7f73-abb3-548faf31c6c7.", "id 01a2155d-c052-7f73-abb3-548faf31c6c8."),
    ];
    for (left, right) in same {
        assert_eq!(mask(left), mask(right));
    }
    let other = [
        ("Seen at 1.6, in 168 us.", "Seen at 1.7, in 168 us."),
        ("{\"ok\":true,\"id\":12}", "{\"ok\":true,\"id\":13}"),
        ("3 permitted", "4 permitted"),
        ("until 2026-12-03", "until 2026-12-04"),
    ];
    for (left, right) in other {
        assert_ne!(mask(left), mask(right));
    }
}
