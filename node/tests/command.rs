//! The real binary's command line: answers, errors and exit codes, without a running node.

use std::process::{Command, Output};

fn tessera(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(arguments).env_remove("TESSERA_CONFIG");
    command.output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// PROPERTY: a wrong command line ends with 2 and a hint on standard error; help with 0 on standard output.
#[test]
fn usage_ends_with_two() {
    let wrong = tessera(&["srve"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty());
    assert!(text(&wrong.stderr).contains("serve"), "{}", text(&wrong.stderr));
    for word in [&["--help"][..], &["serve", "--help"], &["dev", "--help"], &["config", "check", "--help"]] {
        let help = tessera(word);
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains("Example"), "{word:?}: {}", text(&help.stdout));
    }
}

/// PROPERTY: a wrong configuration ends with 78, names file and line, and never prints a backtrace.
#[test]
fn a_wrong_configuration_ends_with_78() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.toml");
    std::fs::write(&path, "[quic]\n\nlisten = \"127.0.0.1\"\n").expect("a file");
    let file = path.display().to_string();
    for verb in [&["config", "check"][..], &["serve"], &["dev", "--folder", "/none"]] {
        let wrong = tessera(&[verb, &["--config", &file]].concat());
        assert_eq!(wrong.status.code(), Some(78));
        let message = text(&wrong.stderr);
        assert!(message.starts_with(&format!("tessera: {file}:3: quic.listen: ")), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let json = tessera(&["config", "check", "--json", "--config", &file]);
    assert_eq!(json.status.code(), Some(78));
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(
        (&answer["ok"], &answer["line"], &answer["key"]),
        (&false.into(), &3.into(), &"quic.listen".into())
    );
}

/// PROPERTY: the environment lies over the file, and its mistakes are named by the variable.
#[test]
fn the_environment_lies_over_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.toml");
    std::fs::write(&path, "[log]\nformat = \"json\"\nfilter = \"warn\"\n").expect("a file");
    let check = |name: &str, value: &str| {
        Command::new(env!("CARGO_BIN_EXE_tessera"))
            .args(["config", "check", "--json", "--config"])
            .arg(&path)
            .env(name, value)
            .output()
            .expect("the binary runs")
    };
    let good = check("TESSERA_LOG__FILTER", "debug");
    let answer: serde_json::Value = serde_json::from_slice(&good.stdout).expect("JSON");
    assert_eq!(answer["config"]["log"], serde_json::json!({ "format": "json", "filter": "debug" }));
    let wrong = check("TESSERA_LOG__FILTR", "debug");
    assert_eq!(wrong.status.code(), Some(78));
    let answer: serde_json::Value = serde_json::from_slice(&wrong.stdout).expect("JSON");
    assert_eq!(answer["source"], "TESSERA_LOG__FILTR");
    assert!(answer["what"].as_str().expect("text").contains("did you mean filter?"), "{answer}");
    let error = &answer["error"];
    assert_eq!(
        (&answer["ok"], &error["exit_code"], &error["name"]),
        (&false.into(), &78.into(), &"Config".into())
    );
    assert!(error["message"].as_str().expect("text").contains("did you mean filter?"), "{answer}");
    for (name, key) in [
        ("TESSERA_STORAGE__CHECKPOINT_SECONDS", "storage.checkpoint_seconds"),
        ("TESSERA_TENANTS__IDLE_SLEEP_SECONDS", "tenants.idle_sleep_seconds"),
        ("TESSERA_STORAGE__TAIL_BYTES_MAX", "storage.tail_bytes_max"),
    ] {
        let far = check(name, &u64::MAX.to_string());
        assert_eq!(far.status.code(), Some(78), "{name}");
        let answer: serde_json::Value = serde_json::from_slice(&far.stdout).expect("JSON");
        assert_eq!((&answer["source"], &answer["key"]), (&name.into(), &key.into()));
        assert!(answer["what"].as_str().expect("text").contains("at most"), "{answer}");
    }
    // A variable without a table is the command line's, not the configuration's.
    assert_eq!(check("TESSERA_ADDRESS", "x").status.code(), Some(0));
}

/// The words of every command, as `tessera --help` and those below it list them.
fn all_commands(path: &[&str], found: &mut Vec<Vec<String>>) {
    let help = text(&tessera(&[path, &["--help"]].concat()).stdout);
    let Some((_, rest)) = help.split_once("Commands:\n") else { return };
    for line in rest.lines().take_while(|line| line.starts_with("  ")) {
        let Some(word) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let word = word.split(' ').next().expect("a word");
        if word == "help" {
            continue;
        }
        let path = [path, &[word]].concat();
        found.push(path.iter().map(|word| (*word).to_owned()).collect());
        all_commands(&path, found);
    }
}

/// PROPERTY: completions are made for every shell and know every command at every depth; those of bash, run by
/// bash, complete a verb. Each command has a manual page, which says what its help says first.
#[test]
fn completions_and_manual_know_every_command() {
    let mut commands = Vec::new();
    all_commands(&[], &mut commands);
    assert!(commands.len() > 60 && commands.iter().any(|path| path.join(" ") == "operator recover"));
    for shell in ["bash", "zsh", "fish"] {
        let made = tessera(&["completions", shell]);
        assert_eq!(made.status.code(), Some(0));
        let script = text(&made.stdout);
        for path in &commands {
            assert!(path.iter().all(|word| script.contains(word.as_str())), "{shell}: {path:?}");
        }
    }
    let line = format!(
        "eval \"$({} completions bash)\"; COMP_WORDS=(tessera operator re); COMP_CWORD=2; _tessera tessera re operator; echo ${{COMPREPLY[@]}}",
        env!("CARGO_BIN_EXE_tessera")
    );
    let completed = Command::new("bash").args(["-c", &line]).output().expect("bash runs");
    assert_eq!(text(&completed.stdout).trim(), "recover", "{}", text(&completed.stderr));

    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    let made = tessera(&["man", &pages.display().to_string()]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    for path in &commands {
        let page = pages.join(format!("tessera-{}.1", path.join("-")));
        let page = std::fs::read_to_string(&page).expect("a page");
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{path:?}");
    }
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "x").expect("a file");
    let refused = tessera(&["man", &blocked.display().to_string()]);
    assert_eq!(refused.status.code(), Some(69), "{}", text(&refused.stderr));
}

/// PROPERTY: with `--json` a line that is not understood is told in JSON, too, with the exit code of usage; so
/// is a node for development that cannot start.
#[test]
fn errors_are_json_when_json_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "x").expect("a file");
    let blocked = blocked.display().to_string();
    let cases = [
        (&["tenant", "lst", "--json"][..], 2, "Usage"),
        (&["grant", "add", "amy", "reader", "--until", "+7", "--json"], 2, "Usage"),
        (&["config", "check", "--json", "--colour"], 2, "Usage"),
        (&["dev", "--json", "--folder", &blocked], 69, "Unavailable"),
    ];
    for (line, exit, name) in cases {
        let wrong = tessera(line);
        assert_eq!(wrong.status.code(), Some(exit), "{line:?}: {}", text(&wrong.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&wrong.stdout).expect("JSON");
        assert_eq!((&answer["ok"], &answer["error"]["exit_code"]), (&false.into(), &exit.into()), "{line:?}");
        assert_eq!(answer["error"]["name"], name, "{line:?}");
        assert!(!answer["error"]["message"].as_str().expect("a text").is_empty(), "{line:?}");
        assert!(text(&wrong.stderr).starts_with("tessera: "), "{line:?}: {}", text(&wrong.stderr));
    }
}

/// PROPERTY: an answer that cannot be written is told, with an exit code of its own; a reader that has gone
/// away had enough. METHOD: a full device, and a pipe whose other end takes one line.
#[test]
fn lost_output_is_told() {
    let shell = |line: &str| {
        let binary = env!("CARGO_BIN_EXE_tessera");
        let line = line.replace("tessera ", &format!("{binary} "));
        Command::new("bash")
            .args(["-c", &line])
            .env_remove("TESSERA_CONFIG")
            .output()
            .expect("the shell runs")
    };
    for line in ["config check", "config check --json", "completions bash", "--help", "--version"] {
        let full = shell(&format!("tessera {line} > /dev/full"));
        assert_eq!(full.status.code(), Some(69), "{line}: {}", text(&full.stderr));
        assert!(text(&full.stderr).contains("standard output"), "{line}: {}", text(&full.stderr));
        let gone = shell(&format!("tessera {line} | true; exit ${{PIPESTATUS[0]}}"));
        assert_eq!(gone.status.code(), Some(0), "{line}: {}", text(&gone.stderr));
        assert!(gone.stderr.is_empty(), "{line}: {}", text(&gone.stderr));
    }
    let one = shell("tessera completions bash | head -1; exit ${PIPESTATUS[0]}");
    assert_eq!((one.status.code(), text(&one.stderr)), (Some(0), String::new()));
}

/// PROPERTY: a word in `log.filter` that is neither a level nor a pair is refused, at `config check` and at
/// the start: the log would be silent.
#[test]
fn a_filter_that_shows_nothing_is_refused() {
    for words in [&["config", "check"][..], &["serve"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
        let wrong = command.args(words).env("TESSERA_LOG__FILTER", "inof").output().expect("the binary runs");
        assert_eq!(wrong.status.code(), Some(78), "{}", text(&wrong.stderr));
        let message = text(&wrong.stderr);
        assert!(message.starts_with("tessera: TESSERA_LOG__FILTER: log.filter: "), "{message}");
        assert!(message.contains("did you mean info?"), "{message}");
    }
}

/// PROPERTY: `serve` without a root key says what to do and ends with 69; it makes nothing on disk.
#[test]
fn serve_needs_its_root_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.toml");
    let (dir, key) = (folder.path().join("data"), folder.path().join("root.key"));
    std::fs::write(&path, format!("[storage]\ndir = {dir:?}\nroot_key_file = {key:?}\n")).expect("a file");
    let refused = tessera(&["serve", "--config", &path.display().to_string()]);
    assert_eq!(refused.status.code(), Some(69), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("tessera config root-key"), "{}", text(&refused.stderr));
    assert!(!dir.exists());
    let made = tessera(&["config", "root-key", &key.display().to_string()]);
    assert_eq!(made.status.code(), Some(0));
    let again = tessera(&["config", "root-key", &key.display().to_string()]);
    assert_eq!(again.status.code(), Some(69), "{}", text(&again.stderr));
}
