//! The load test against the real node: clean under kills, and not blind to a planted fault.

use clap::Parser as _;
use loadtest::args::Args;
use loadtest::fleet::{Fleet, OPERATORS};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tessera_client::wire::{CopyRow, FleetRow, Request};

/// The node's binary of the same build. The test command builds it first, with its planted faults.
fn node() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_loadtest"));
    let node = own.with_file_name("tessera");
    assert!(node.exists(), "{} is missing: build tessera-node with the feature planted", node.display());
    node
}

fn run(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> (Output, serde_json::Value) {
    let (data, report) = (folder.join("node"), folder.join("report.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.arg("--server-bin").arg(node()).arg("--data").arg(data).arg("--json").arg(&report);
    command.args(arguments).envs(settings.iter().copied());
    let output = command.output().expect("the load test starts");
    let text = std::fs::read(&report).unwrap_or_else(|_| panic!("no report: {output:?}"));
    (output, serde_json::from_slice(&text).expect("a report"))
}

fn count(report: &serde_json::Value, of: &str) -> u64 {
    report["audited"][of].as_u64().expect("a count")
}

/// PROPERTY: under kills and restarts no answer is wrong and no acknowledged write is missing, and the
/// auditor has looked at what it says. METHOD: the real node, killed every two seconds.
/// TC-92.
#[test]
fn a_killed_node_loses_nothing_and_answers_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = ["--tenants", "4", "--subjects", "25"];
    let load = ["--seconds", "9", "--rate", "800", "--writes", "200", "--kill-every", "2"];
    let arguments: Vec<&str> = size.into_iter().chain(load).collect();
    let (output, report) = run(folder.path(), &arguments, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(report["kills"].as_u64().is_some_and(|kills| kills >= 2), "{report}");
    for of in ["checks", "certain", "writes", "revocations", "refreshes", "rereads"] {
        assert!(count(&report, of) > 0, "{of}");
    }
    for of in ["wrong", "stale", "lost", "unread"] {
        assert_eq!(count(&report, of), 0, "{of}: {report}");
    }
    // The last reread looked at every subject: sessions and grants.
    assert!(count(&report, "rereads") >= 2 * 4 * 25);
    // The course shows when it was killed, and that it came back.
    let marks = report["marks"].as_array().expect("marks");
    let of = |event: &str| marks.iter().filter(|mark| mark["event"] == event).count();
    let kills = usize::try_from(report["kills"].as_u64().expect("a count")).expect("small");
    assert!(of("kill") >= kills && of("restart") >= 1 && of("restart") <= of("kill"), "{marks:?}");
    let answered = |point: &serde_json::Value| {
        (point["per_second"].as_f64().unwrap_or_default() * point["seconds"].as_f64().unwrap_or_default())
            .round()
    };
    let answered: f64 = report["course"].as_array().expect("a course").iter().map(answered).sum();
    let counted = report["latencies"].as_array().expect("latencies").iter();
    let counted: u64 = counted.map(|row| row["count"].as_u64().unwrap_or_default()).sum();
    assert_eq!(answered, counted as f64, "{report}");
}

/// PROPERTY: one revocation in 10,000 that is acknowledged and not in force is reported, and ends the
/// load test with 1. METHOD: the node's planted fault; the load goes on until it must have struck.
#[test]
fn a_skipped_revocation_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    // The fault counts single sessions of one tenant; one revocation in twenty is of all sessions. It
    // strikes three times: once or twice the place may have been given away before anybody asked.
    let size = ["--tenants", "1", "--subjects", "200"];
    let load = ["--seconds", "1", "--closed", "128", "--writes", "1000", "--revocations", "31500"];
    let arguments: Vec<&str> = size.into_iter().chain(load).collect();
    let (output, report) = run(folder.path(), &arguments, &[("TESSERA_PLANTED_SKIP_REVOCATIONS", "10000")]);
    assert!(count(&report, "revocations") >= 31_500);
    assert!(count(&report, "wrong") > 0, "the planted fault went unseen: {report}");
    assert_eq!(output.status.code(), Some(1));
    // What was answered and what alone was possible is told for each, with the subject and the times.
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("possible:"), "{told}");
}

/// Nodes of a fleet that are small on the disk.
const SMALL: (&str, &str) = ("TESSERA_STORAGE__JOURNAL_FILE_BYTES", "1048576");

/// PROPERTY: over a fleet of three, of which each node is killed, while tenants with live sessions move, no answer is wrong
/// and no acknowledged write is missing; every move is done, and the node that gave a tenant away answers nothing of it
/// any more; the course shows all of it. TC-92.
#[test]
fn a_fleet_loses_nothing_over_kills_and_moves() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = ["--fleet", "--tenants", "6", "--subjects", "8", "--moves", "2"];
    let load = ["--seconds", "4", "--rate", "300", "--writes", "250", "--kill-every", "1", "--seed", "3"];
    let arguments: Vec<&str> = size.into_iter().chain(load).collect();
    let (output, report) = run(folder.path(), &arguments, &[SMALL]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for of in ["wrong", "stale", "lost", "unread"] {
        assert_eq!(count(&report, of), 0, "{of}: {told}");
    }
    for (of, least) in [("checks", 200), ("certain", 100), ("writes", 50), ("rereads", 2 * 6 * 8)] {
        assert!(count(&report, of) >= least, "{of}: {told}");
    }
    let all = |of: &str| report[of].as_array().expect("rows").clone();
    let (cells, moves, marks) = (all("cells"), all("moves"), all("marks"));
    assert!(cells.len() == 3 && cells.iter().all(|cell| cell["kills"].as_u64() > Some(0)), "{told}");
    assert!(moves.len() == 2 && moves.iter().all(|moved| moved["done"] == true), "{told}");
    assert!(moves.iter().all(|moved| moved["sessions"].as_u64() > Some(0)), "{told}");
    assert!(moves.iter().any(|moved| moved["asked_behind"].as_u64() > Some(0)), "{told}");
    let of = |event: &str| marks.iter().filter(|mark| mark["event"] == event).count();
    assert!(of("kill") >= 3 && of("restart") == of("kill") && of("move") == 2, "{marks:?}");
    assert!(told.contains("2 of 2 moves done"), "{told}");
}

/// PROPERTY: a node that goes on answering for a tenant that it gave away is reported: two cells would permit.
#[test]
fn a_node_that_keeps_what_it_gave_is_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = ["--fleet", "--nodes", "2", "--tenants", "2", "--subjects", "4", "--moves", "1"];
    let load = ["--seconds", "1", "--rate", "100", "--deadline", "1"];
    let arguments: Vec<&str> = size.into_iter().chain(load).collect();
    let planted = ("TESSERA_PLANTED_KEEPS_MOVED", "1");
    let (output, report) = run(folder.path(), &arguments, &[SMALL, planted]);
    assert!(report["moves"][0]["asked_behind"].as_u64() > Some(0), "{report}");
    assert!(count(&report, "wrong") > 0, "the planted fault went unseen: {report}");
    assert_eq!(output.status.code(), Some(1));
}

/// What `loadtest` says of a fleet that runs.
fn driven(fleet: &Fleet, trust: &Path, keys: &Path, more: &[&str]) -> Output {
    let server = fleet.cells[0].door.0.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["--server", &server, "--certificate"]).arg(trust).arg("--fleet-keys").arg(keys).args(more);
    command.output().expect("the load test starts")
}

/// How many tenants live in each cell.
async fn living(fleet: &Fleet) -> Vec<u64> {
    let mut living = Vec::new();
    for cell in &fleet.cells {
        let told = cell.operator.list::<FleetRow>(&Request::ReadFleet {}).await.expect("told");
        living.extend(told.rows.iter().map(|row| row.tenants));
    }
    living
}

/// PROPERTY: a fleet that runs already is driven, audited and moved by whoever has an operator's key of each of its cells,
/// and is left as it was: no tenant of the load lives on, and nothing is kept of one that moved. A file of keys that
/// misses a cell, names one that there is not, or can be read by others is refused before anything is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_runs_is_driven_and_left_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, above) = (node(), folder.path().join("fleet"));
    let line = ["loadtest", "--fleet", "--server-bin", node.to_str().expect("a path"), "--data", "unused"];
    let fleet = Fleet::start_with(&Args::parse_from(line), &above, 3, &[SMALL]).await.expect("a fleet");
    let (trust, keys) = (above.join("trust.pem"), above.join(OPERATORS));
    let whole = std::fs::read_to_string(&keys).expect("the keys");
    let report = folder.path().join("report.json");
    let before = living(&fleet).await;
    let load = ["--tenants", "3", "--subjects", "4", "--moves", "1", "--seconds", "2", "--rate", "100"];
    let json = ["--json", report.to_str().expect("a path")];
    let done = driven(&fleet, &trust, &keys, &[load.as_slice(), &json].concat());
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("JSON");
    for of in ["wrong", "stale", "lost", "unread"] {
        assert_eq!(count(&report, of), 0, "{of}: {told}");
    }
    assert!(count(&report, "checks") > 50 && count(&report, "rereads") >= 3 * 4, "{told}");
    assert!(report["cells"].as_array().is_some_and(|cells| cells.len() == 3), "{told}");
    assert!(told.contains("1 of 1 moves done"), "{told}");
    // A row of a tenant that left the cell of its birth stays there; it lives nowhere.
    let mut behind = living(&fleet).await;
    for _ in 0..600 {
        if behind == before {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        behind = living(&fleet).await;
    }
    assert_eq!(behind, before, "tenants that live in each cell");
    for cell in &fleet.cells {
        let copies = cell.operator.list::<CopyRow>(&Request::ListCopies { after: None, limit: 1_000 }).await;
        assert!(copies.expect("a list").rows.is_empty(), "cell {}", cell.name);
    }
    let (missing, more) =
        (whole.lines().skip(1).collect::<Vec<_>>().join("\n"), whole.clone() + "z = \"k\"\n");
    for (text, says) in [(missing, "cell a"), (more, "cell z"), (whole + "ill formed\n", "line 4")] {
        std::fs::write(&keys, text).expect("written");
        let refused = driven(&fleet, &trust, &keys, &load);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(3) && told.contains(says), "{says}: {told}");
    }
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&keys, open).expect("changed");
    let refused = driven(&fleet, &trust, &keys, &load);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("chmod 600"), "{refused:?}");
}
