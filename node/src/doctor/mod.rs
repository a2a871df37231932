//! `tessera doctor`: what would keep a node from running well on this machine, before or while it runs.
//!
//! Each part looks at one thing and says how it stands and what to do. What judges knows no file: it is given what was
//! read, so that every condition has its test. Nothing is changed, but for a file that the disk is measured with.

mod certificate;
mod clock;
mod disk;
mod finding;
mod keys;
mod machine;
mod running;
mod store;

use crate::command::Files;
use crate::config::{self, Config};
use crate::exit::FatalError;
use finding::Finding;
use machine::Machine;
use std::path::PathBuf;

/// What is looked at.
#[derive(clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    files: Files,
    /// Look at the limits of this process, such as a node that runs, instead of this command's own.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Leave out reading every frame of a stopped data directory.
    #[arg(long)]
    no_chains: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Doctor {
    /// Looks, and gives the answer with its exit code.
    ///
    /// # Errors
    /// When the configuration does not read: then there is nothing to look at.
    pub(crate) fn run(self) -> Result<(String, u8), FatalError> {
        let loaded = config::load(Config::default(), self.files.config.as_deref());
        let config = loaded.map_err(|error| FatalError::config(error.to_string()))?;
        let findings = self.findings(&config);
        let code = finding::exit(&findings);
        let text = if self.json { finding::object(&findings, code) } else { finding::text(&findings) };
        Ok((text, code))
    }

    fn findings(&self, config: &Config) -> Vec<Finding> {
        let machine = Machine::new(PathBuf::from("/"), self.pid);
        let watch = clock::Watch::start();
        let mut findings = vec![keys::root_key(config), keys::directory(config)];
        findings.push(disk::sync(&config.storage.dir));
        findings.push(disk::kind(&config.storage.dir));
        findings.push(disk::space(config));
        findings.push(disk::backups(config));
        findings.extend(machine.findings(config));
        findings.push(certificate::look(config, clock::now_seconds()));
        let store = store::look(config, self.no_chains);
        findings.extend(store.findings);
        findings.extend(keys::key_files(config));
        // After the longest of them: what the wall has done meanwhile shows.
        findings.extend(clock::look(config, &watch, store.last));
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::finding::Level;
    use super::*;
    use crate::exit;

    /// PROPERTY: on a machine without a data directory, root key and certificate, every part says something, and the one
    /// thing that is missing fails.
    #[test]
    fn a_bare_machine_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config::development(folder.path());
        let doctor = Doctor { files: Files { config: None }, pid: None, no_chains: false, json: false };
        let findings = doctor.findings(&config);
        let failed: Vec<&str> =
            findings.iter().filter(|one| one.level == Level::Fail).map(|one| one.name).collect();
        assert_eq!(failed, ["root-key"]);
        assert_eq!(finding::exit(&findings), exit::UNAVAILABLE);
        for finding in &findings {
            assert!(!finding.what.is_empty(), "{}", finding.name);
            assert_eq!(finding.todo.is_empty(), finding.level == Level::Ok, "{finding:?}");
        }
    }
}
