//! The fleet that a node belongs to, and its own place in it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tessera_model::CellName;

/// The fleet that a node belongs to: several nodes, each with its own store and its own tenants.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fleet {
    /// The fleet file (TOML), the same on all nodes. Empty: the node belongs to no fleet.
    pub(crate) file: PathBuf,
    /// This node's own cell, by its name in the file.
    pub(crate) cell: String,
    /// The certificates (PEM) that the other nodes' certificates end in.
    pub(crate) trust_file: PathBuf,
    /// The keys that the other nodes know this one by: one line for each cell, mode 0600.
    pub(crate) keys_file: PathBuf,
    /// Seconds between two looks at the fleet file; 0: only at SIGHUP.
    pub(crate) poll_seconds: u64,
    /// Seconds between two rounds in which the other cells are asked where tenants live.
    pub(crate) sync_seconds: u64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            cell: String::new(),
            trust_file: PathBuf::new(),
            keys_file: PathBuf::new(),
            poll_seconds: 30,
            sync_seconds: 60,
        }
    }
}

impl Fleet {
    /// What is wrong with it beyond the types: the key and what to do about it.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let named = !self.file.as_os_str().is_empty();
        if named && CellName::new(&self.cell).is_none() {
            faults.push((
                "fleet.cell",
                "must name this node's own cell as fleet.file has it: small letters, digits and - between them",
            ));
        }
        if !(named || self.cell.is_empty() && self.trust_file.as_os_str().is_empty()) {
            faults.push((
                "fleet.file",
                "must name the fleet file: the other keys of [fleet] say nothing without",
            ));
        }
        if self.trust_file.as_os_str().is_empty() != self.keys_file.as_os_str().is_empty() {
            faults.push(("fleet.keys_file", "and fleet.trust_file go together: give both or none"));
        }
        if !(1..=3_600).contains(&self.sync_seconds) {
            faults.push(("fleet.sync_seconds", "must be 1 to 3600"));
        }
        faults
    }
}
