//! The data directory: of a node that stands, every chain to its head; of one that runs, what it says of itself.

use super::finding::Finding;
use super::running::Running;
use crate::config::Config;
use crate::exit;
use crate::metric;
use crate::restore;
use serde_json::json;
use std::path::Path;
use tessera_model::UnixMillis;
use tessera_storage::{Inspected, Progress, StorageError, inspect};

const CHAINS: &str = "chains";
const NODE: &str = "node";

/// What the directory says.
pub(crate) struct Looked {
    pub(crate) findings: Vec<Finding>,
    /// The latest time that its journal proves.
    pub(crate) last: Last,
}

/// What is known of the journal's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Last {
    /// Nothing.
    Unknown,
    /// Of a node that stands: the time of the last frame.
    Frame(UnixMillis),
    /// Of one that runs: seconds that the journal is ahead, and the wall clock, and how often that was an alarm.
    Running { journal_s: f64, wall_s: f64, alarms: f64 },
}

/// Looks at the directory.
pub(crate) fn look(config: &Config, no_chains: bool) -> Looked {
    let dir = &config.storage.dir;
    if !dir.join("LANE").exists() {
        return Looked { findings: vec![judge_new(dir)], last: Last::Unknown };
    }
    if no_chains {
        return match Running::ask(config.health.listen) {
            Some(node) => of_running(config, &node),
            None => Looked { findings: Vec::new(), last: Last::Unknown },
        };
    }
    match inspect(dir, &Progress::default()) {
        Ok(found) => Looked {
            last: found.last.map_or(Last::Unknown, Last::Frame),
            findings: vec![judge_chains(dir, &found)],
        },
        Err(StorageError::InUse) => match Running::ask(config.health.listen) {
            Some(node) => of_running(config, &node),
            None => Looked {
                findings: vec![Finding::fail(
                    NODE,
                    exit::UNAVAILABLE,
                    format!(
                        "a process has {}, and nothing answers at {}",
                        dir.display(),
                        config.health.listen
                    ),
                    "is it the node of this configuration (health.listen)? Look at its log",
                )],
                last: Last::Unknown,
            },
        },
        Err(error) => {
            let told = restore::told(dir, &error);
            let todo = "keep a copy of the directory as it is, then see docs/operate/running.md, Damage";
            Looked { findings: vec![Finding::fail(CHAINS, told.code, told.what, todo)], last: Last::Unknown }
        }
    }
}

fn judge_new(dir: &Path) -> Finding {
    let shown = dir.display();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // Certificates are there before the first group, and nothing else of worth.
    let mut of_node = names
        .filter(|name| name.starts_with("journal-") || matches!(&**name, "state.redb" | "keys-a" | "keys-b"));
    if let Some(name) = of_node.next() {
        return Finding::fail(
            CHAINS,
            exit::STORAGE,
            format!("{shown} has {name} of a node, and no LANE"),
            "bring the whole directory back from a copy, or restore a backup",
        );
    }
    Finding::ok(CHAINS, format!("{shown} holds no tenants yet"))
}

fn judge_chains(dir: &Path, found: &Inspected) -> Finding {
    let shown = dir.display();
    let of_tenants = found
        .tenants
        .iter()
        .filter_map(|one| Some(format!("tenant {}: {}", one.tenant, one.damage.as_ref()?)));
    let damage: Vec<String> = found.damage.iter().cloned().chain(of_tenants).collect();
    let frames: u64 = found.tenants.iter().map(|one| one.frames).sum();
    let heads: Vec<_> = found
        .tenants
        .iter()
        .map(|one| {
            let head: String = one.link.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({
                "tenant": one.tenant.to_string(), "revision": one.revision.map(|revision| revision.0),
                "head": head,
            })
        })
        .collect();
    let finding = match damage.as_slice() {
        [] => Finding::ok(
            CHAINS,
            format!("{shown}: {frames} frames of {} tenants lead to their heads", found.tenants.len()),
        ),
        [first, rest @ ..] => Finding::fail(
            CHAINS,
            exit::STORAGE,
            format!("{shown}: {first}, and {} more", rest.len()),
            "keep a copy of the directory as it is, then see docs/operate/running.md, Damage",
        ),
    };
    finding.with(json!({ "heads": heads, "damage": damage }))
}

fn of_running(config: &Config, node: &Running) -> Looked {
    let metric = |name: &str| node.metric(name).unwrap_or_default();
    let last = Last::Running {
        journal_s: metric(metric::JOURNAL_AHEAD_SECONDS),
        wall_s: metric(metric::CLOCK_DRIFT_SECONDS),
        alarms: metric(metric::CLOCK_ALARMS_TOTAL),
    };
    let mut findings = vec![judge_node(&config.health.listen.to_string(), node)];
    findings.push(judge_health(node));
    Looked { findings, last }
}

fn judge_node(address: &str, node: &Running) -> Finding {
    let word = node.ready.lines().next().unwrap_or_default();
    if node.is_ready {
        Finding::ok(NODE, format!("a node runs on the directory, and says {word} at {address}"))
    } else {
        Finding::fail(
            NODE,
            exit::UNAVAILABLE,
            format!("a node runs on the directory, and says {word} at {address}"),
            "wait until it is ready; its log says what it waits for",
        )
    }
}

/// What a node that runs knows of its chains: tenants whose history did not lead to its head have failed.
fn judge_health(node: &Running) -> Finding {
    let count = |name: &str| node.metric(name).unwrap_or_default();
    let damage: Vec<String> = [
        (metric::TENANTS_FAILED, "tenants have failed"),
        (metric::TENANTS_DAMAGED, "tenants of which a part cannot be read"),
        (metric::SCRUB_DAMAGE, "entries of the checkpoint that read wrong"),
    ]
    .into_iter()
    .filter(|(name, _)| count(name) > 0.0)
    .map(|(name, what)| format!("{} {what}", count(name)))
    .collect();
    if !damage.is_empty() {
        return Finding::fail(
            CHAINS,
            exit::STORAGE,
            damage.join(", "),
            "its log says which: see docs/operate/running.md, Damage",
        );
    }
    if count(metric::STORAGE_FULL) > 0.0 {
        return Finding::fail(
            CHAINS,
            exit::UNAVAILABLE,
            "the disk has no space for a journal file or a checkpoint: only commands that take rights away are taken",
            "make space; the node goes on by itself",
        );
    }
    Finding::ok(CHAINS, "the node reports no damage; stop it to have every frame looked at")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use tessera_model::{Epoch, Revision, TenantId};
    use tessera_storage::InspectedTenant;

    fn found(damage: Vec<String>, of_tenant: Option<String>) -> Inspected {
        Inspected {
            backup_made: None,
            epoch: Epoch(0),
            sequence: 1,
            last: None,
            covered: None,
            files: Vec::new(),
            tenants: vec![InspectedTenant {
                tenant: TenantId(1),
                name: None,
                status: None,
                epoch: Epoch(0),
                revision: Some(Revision(4)),
                link: [7; 32],
                frames: 5,
                damage: of_tenant,
            }],
            damage,
        }
    }

    /// PROPERTY: damage anywhere fails with the store's code, and names the first; without any the heads are told.
    #[test]
    fn damaged_chains_are_told() {
        let dir = Path::new("/data");
        let good = judge_chains(dir, &found(Vec::new(), None));
        assert_eq!((good.level, &good.details["heads"][0]["revision"]), (Level::Ok, &json!(4)));
        for bad in [found(vec!["keys-a".to_owned()], None), found(Vec::new(), Some("a link".to_owned()))] {
            let told = judge_chains(dir, &bad);
            assert_eq!((told.level, told.code), (Level::Fail, exit::STORAGE));
        }
        assert_eq!(judge_new(dir).level, Level::Ok);
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(judge_new(folder.path()).level, Level::Ok);
        std::fs::write(folder.path().join("state.redb"), "").expect("written");
        assert_eq!(judge_new(folder.path()).code, exit::STORAGE);
    }

    /// PROPERTY: of a node that runs, each alarm fails, and so does one that is not ready.
    #[test]
    fn a_running_nodes_alarms_are_told() {
        for (metrics, code) in [
            ("tessera_tenants_failed 1\n", exit::STORAGE),
            ("tessera_tenants_damaged 2\n", exit::STORAGE),
            ("tessera_scrub_damage 1\n", exit::STORAGE),
            ("tessera_storage_full 1\n", exit::UNAVAILABLE),
        ] {
            let told = judge_health(&Running::planted("ready\n", metrics));
            assert_eq!((told.level, told.code), (Level::Fail, code), "{metrics}");
        }
        let good = Running::planted("ready\n", "tessera_tenants_failed 0\ntessera_storage_full 0\n");
        assert_eq!((judge_health(&good).level, judge_node("here", &good).level), (Level::Ok, Level::Ok));
        assert_eq!(judge_node("here", &Running::planted("draining\n", "")).level, Level::Fail);
    }
}
