//! `tessera operator recover`: a new one-time secret for a node whose operators' keys are lost.
//!
//! It needs the data directory, the root key and the node stopped: whoever has these has everything
//! already. What it does is a command of the node in the journal, like every other.

use crate::assemble;
use crate::clock::{Machine, NodeClock};
use crate::command::Files;
use crate::config::{self, Config};
use crate::entropy::SystemEntropy;
use crate::exit::FatalError;
use crate::fleet;
use crate::offer;
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use std::path::PathBuf;
use std::sync::Arc;

/// The noun of the command line that this verb belongs to, and the verb.
const NOUN: &str = "operator";
const VERB: &str = "recover";

/// Which node.
#[derive(clap::Args)]
struct Recover {
    #[command(flatten)]
    files: Files,
    /// The folder of a node for development (`tessera dev`).
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    folder: Option<PathBuf>,
}

/// The command line with this verb beside those of its noun, which need a running node.
pub(crate) fn mounted(line: Command) -> Command {
    // The texts come last: the arguments' own would stand in their place.
    let verb = Recover::augment_args(Command::new(VERB))
        .about("Make a new one-time secret for a stopped node whose operators' keys are lost")
        .long_about(
            "Make a new one-time secret for a stopped node whose operators' keys are lost.\n\nIt needs the node's configuration, its data directory and its root key, and no running node on them. The node's journal keeps that it was done. Earlier keys are not revoked by it.",
        )
        .after_help(
            "Examples:\n  tessera operator recover --config /etc/tessera/tessera.toml\n  tessera operator recover --folder .tessera\n\nThen start the node, and within 30 minutes: tessera operator claim --profile DATA_DIRECTORY",
        );
    line.mut_subcommand(NOUN, |noun| noun.subcommand(verb))
}

/// Does it, when the line asks for it: the answer for people or programs, and whether it is for programs.
pub(crate) fn run(found: &ArgMatches) -> Option<(Result<String, FatalError>, bool)> {
    let verb = found.subcommand_matches(NOUN)?.subcommand_matches(VERB)?;
    let json = verb.get_flag("json");
    let done = Recover::from_arg_matches(verb)
        .map_err(|error| FatalError { code: crate::exit::USAGE, what: error.to_string() })
        .and_then(|recover| recover.run(json));
    Some((done, json))
}

impl Recover {
    fn run(self, json: bool) -> Result<String, FatalError> {
        let base = self.folder.as_deref().map_or_else(Config::default, Config::development);
        let loaded = config::load(base, self.files.config.as_deref());
        let config = loaded.map_err(|error| FatalError::config(error.to_string()))?;
        let dir = &config.storage.dir;
        if !dir.join("LANE").is_file() {
            return Err(FatalError::config(format!(
                "storage.dir {}: holds no data of a node; name its configuration with --config",
                dir.display()
            )));
        }
        let renewed = assemble::runtime()?.block_on(renew(&config))?;
        let (file, dir) = (dir.join(offer::FILE).display().to_string(), dir.display());
        Ok(if json {
            let until = renewed.until.to_millis();
            tessera_ctl::sorted(serde_json::json!({
                "ok": true, "secret_file": file, "expires": until.to_string(), "expires_ms": until.0,
                "receipt": renewed.receipt.to_string(), "repeated": false,
            }))
            .to_string()
        } else {
            format!(
                "A new one-time secret (30 minutes, one use; also in {file}):\n\n    {}\n\nStart the node, then: tessera operator claim --profile {dir}\nEarlier operators' keys are as they were: tessera key list --tenant system shows them, tessera key revoke ends one.",
                renewed.secret
            )
        })
    }
}

async fn renew(config: &Config) -> Result<offer::Offered, FatalError> {
    let engine = assemble::engine(config, fleet::read(config)?, Arc::new(NodeClock::new(Machine))).await?;
    let offered = offer::renew(&engine, &SystemEntropy, &config.storage.dir).await;
    engine.stop().await;
    // The closing group may fail, too: then nobody knows what is on the disk.
    let failed = tokio::time::timeout(std::time::Duration::ZERO, engine.until_failed()).await.is_ok();
    if failed {
        Err(FatalError::storage("the store has failed: look again with another recover"))
    } else {
        offered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the verb says what it does, in the list of its noun, in its help and in its manual page.
    #[test]
    fn the_verb_says_what_it_does() {
        let line = mounted(Command::new("tessera").subcommand(Command::new(NOUN)));
        let verb = line.find_subcommand(NOUN).and_then(|noun| noun.find_subcommand(VERB)).expect("there");
        let (short, long) = (verb.get_about().expect("short"), verb.get_long_about().expect("long"));
        assert!(short.to_string().starts_with("Make a new one-time secret"), "{short}");
        assert!(long.to_string().contains("no running node"), "{long}");
        assert!(verb.get_arguments().any(|argument| argument.get_id() == "folder"));
    }
}
