//! The command line: what each word does, with examples, and how answers and errors are printed.

use crate::assemble::{self, Walk};
use crate::config::{self, Config, ConfigError};
use crate::exit::{self, FatalError};
use crate::{erase_backup, fleet, help, recover, root_key, rotate_root};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tessera_ctl::{Ctl, CtlError, sorted};

/// Identity and access: who is it, is the session alive, may it do this.
#[derive(Parser)]
#[command(
    name = "tessera",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  tessera dev\n  tessera serve --config /etc/tessera/tessera.toml\n  tessera config check --json"
)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a node on its data directory until SIGTERM or SIGINT.
    #[command(
        after_help = "Examples:\n  tessera serve --config /etc/tessera/tessera.toml\n  TESSERA_QUIC__LISTEN=0.0.0.0:7443 tessera serve\n\nSIGHUP loads the certificate again. The root key's file must exist: `tessera config root-key` makes one."
    )]
    Serve(Files),
    /// Run a node for development, walk through the main job once, and stay up.
    #[command(
        after_help = "Examples:\n  tessera dev\n  tessera dev --folder /tmp/try --json\n\nMakes its folder, root key and certificate when they are missing, and with the walk its operator, a tenant and their profile. In a second terminal, after the walk:\n  tessera check orders.read --profile .tessera"
    )]
    Dev {
        /// Where everything is kept.
        #[arg(long, default_value = ".tessera", value_name = "FOLDER")]
        folder: PathBuf,
        /// Print the walk as one JSON object.
        #[arg(long)]
        json: bool,
        /// Leave the walk out.
        #[arg(long)]
        no_walk: bool,
        #[command(flatten)]
        files: Files,
    },
    /// Make a data directory of a backup, for a node that is not running yet.
    #[command(
        after_help = "Examples:\n  tessera restore /srv/backups/monday --data /var/lib/tessera/data --config /etc/tessera/tessera.toml\n  tessera restore monday --data data --root-key root.key --json\n\nThe data directory must be empty or absent. Every byte of the backup is looked at before anything is made. All sessions end, receipts and cursors of before are answered with Restored (233), and API keys are alive as they were in the backup."
    )]
    Restore(crate::restore::Restore),
    /// Look at a stopped data directory or at a backup: who is in it, and whether every frame is whole.
    #[command(
        after_help = "Examples:\n  tessera inspect /var/lib/tessera/data\n  tessera inspect /srv/backups/monday --json\n\nIt needs no root key and changes nothing."
    )]
    Inspect(crate::inspect::Inspect),
    /// Look at what would keep a node from running well here: disk, clock, limits, keys, certificate, chains.
    #[command(
        after_help = "Examples:\n  tessera doctor --config /etc/tessera/tessera.toml\n  tessera doctor --pid $(pidof tessera) --json\n\nRun it as the node's user, before the first start, after changes, and beside a node that runs. It changes nothing, but for a file that the disk is measured with. Exit codes: 0 nothing failed, 69 something is not available, 75 stored data is damaged, 78 configuration, key or certificate."
    )]
    Doctor(crate::doctor::Doctor),
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  tessera completions bash > /etc/bash_completion.d/tessera")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command, into a folder.
    #[command(after_help = "Example:\n  tessera man /usr/local/share/man/man1")]
    Man {
        /// The folder; it is made when it is missing.
        folder: PathBuf,
    },
    #[command(flatten)]
    Ctl(Box<Ctl>),
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Print the effective configuration, or the first error with its file and line.
    #[command(
        after_help = "Examples:\n  tessera config check --config tessera.toml\n  TESSERA_LOG__FORMAT=json tessera config check --json"
    )]
    Check {
        #[command(flatten)]
        files: Files,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new root key's file. Never replaces one.
    #[command(
        after_help = "Example:\n  tessera config root-key /var/lib/tessera/root.key\n\nKeep a copy elsewhere: without the key nothing sealed can be read."
    )]
    RootKey {
        /// The file, as storage.root_key_file names it.
        file: PathBuf,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Files {
    /// The configuration file (TOML). Without it: defaults and environment.
    #[arg(long, env = "TESSERA_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let found = match whole().try_get_matches() {
        Ok(found) => found,
        Err(error) => return misread(&error),
    };
    if let Some((done, json)) =
        recover::run(&found).or_else(|| rotate_root::run(&found)).or_else(|| erase_backup::run(&found))
    {
        let written = done.and_then(|text| put(&format!("{text}\n")));
        return written.map_or_else(|error| error.print(json), |()| ExitCode::from(exit::OK));
    }
    let line = match Line::from_arg_matches(&found) {
        Ok(line) => line,
        Err(error) => return misread(&error),
    };
    let json = match &line.verb {
        Verb::Dev { json, .. } => *json,
        Verb::Restore(restore) => restore.json,
        Verb::Inspect(inspect) => inspect.json,
        Verb::Doctor(doctor) => doctor.json,
        Verb::Serve(_) | Verb::Config { .. } | Verb::Completions { .. } | Verb::Man { .. } | Verb::Ctl(_) => {
            false
        }
    };
    let done = match line.verb {
        Verb::Serve(files) => load(Config::default(), &files).and_then(assemble::serve),
        Verb::Dev { folder, json, no_walk, files } => load(Config::development(&folder), &files)
            .and_then(|config| assemble::develop(config, Walk { folder, json, skip: no_walk })),
        Verb::Ctl(ctl) => return ask(ctl),
        Verb::Restore(restore) => restore.run().and_then(|text| put(&text)),
        Verb::Inspect(inspect) => match inspect.run() {
            Ok((text, whole)) => match put(&text) {
                Ok(()) if whole => Ok(()),
                Ok(()) => return ExitCode::from(exit::STORAGE),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
        Verb::Doctor(doctor) => match doctor.run() {
            Ok((text, code)) => match put(&text) {
                Ok(()) => return ExitCode::from(code),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        },
        Verb::Config { verb: ConfigVerb::Check { files, json } } => check(&files, json),
        Verb::Config { verb: ConfigVerb::RootKey { file } } => root_key::make(&file),
        Verb::Man { folder } => manual(&folder),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut whole(), "tessera", &mut script);
            put(&String::from_utf8_lossy(&script))
        }
    };
    match done {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => error.print(json),
    }
}

/// A line that was not understood, or that asked for help or the version.
fn misread(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help and version are no errors and go to standard output.
        let text = error.render();
        let text = if std::io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() };
        return put(&text).map_or_else(|error| error.print(false), |()| ExitCode::from(exit::OK));
    }
    // The line was not understood, so this looks for the word itself.
    if std::env::args_os().any(|word| word == "--json") {
        let text = error.render().to_string();
        let what = text.split("\n\n").next().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what).trim();
        return ExitCode::from(CtlError::usage(what).print(true));
    }
    // A closed standard error leaves the exit code.
    drop(error.print());
    ExitCode::from(exit::USAGE)
}

/// Writes the manual: `tessera.1`, and `tessera-tenant-create.1` for `tessera tenant create`.
fn manual(folder: &Path) -> Result<(), FatalError> {
    let failed = |error| FatalError::unavailable(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(whole(), folder).map_err(failed)
}

/// Writes an answer to standard output.
fn put(text: &str) -> Result<(), FatalError> {
    tessera_ctl::put(text).map_err(|error| FatalError { code: error.exit(), what: error.to_string() })
}

/// Runs a command of the operator: a caller like any other.
fn ask(ctl: Box<Ctl>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(ctl.run()),
        Err(error) => FatalError::unavailable(format!("the runtime cannot start: {error}")).print(false),
    }
}

/// The command line with its exit codes below.
pub(crate) fn whole() -> clap::Command {
    let codes: Vec<String> = exit::ALL.iter().map(|(code, word)| format!("{code} {word}")).collect();
    let line = rotate_root::mounted(recover::mounted(Line::command()));
    let line = help::with_examples(erase_backup::mounted(line));
    let examples = line.get_after_help().map(ToString::to_string).unwrap_or_default();
    line.after_help(format!("{examples}\n\nExit codes: {}.", codes.join(", ")))
}

fn load(base: Config, files: &Files) -> Result<Config, FatalError> {
    config::load(base, files.config.as_deref()).map_err(|error| FatalError::config(error.to_string()))
}

/// What is wrong for programs: `error` as every command has it, and beside it where it stands.
fn faulty(error: &ConfigError, failed: &FatalError) -> serde_json::Value {
    let mut object = failed.object();
    if let Some(members) = object.as_object_mut() {
        for (key, value) in [
            ("source", error.source.as_str().into()),
            ("line", error.line.into()),
            ("key", error.key.as_str().into()),
            ("what", error.what.as_str().into()),
        ] {
            members.insert(key.to_owned(), value);
        }
    }
    object
}

fn check(files: &Files, json: bool) -> Result<(), FatalError> {
    let file = files.config.as_deref().map(Path::display).map(|path| path.to_string());
    let read = config::load(Config::default(), files.config.as_deref()).and_then(|config| {
        // What it names of the fleet is looked at as a start would.
        fleet::look(&config).map(|_| config).map_err(|error| ConfigError::of_fleet(&error.what))
    });
    let (text, failed) = match read {
        Ok(config) if json => (
            sorted(serde_json::json!({ "ok": true, "file": file, "config": config, "dangers": dangers(&config) }))
                .to_string(),
            None,
        ),
        Ok(config) => (describe(&config), None),
        Err(error) if json => {
            let failed = FatalError::config(error.to_string());
            (sorted(faulty(&error, &failed)).to_string(), Some(failed))
        }
        Err(error) => return Err(FatalError::config(error.to_string())),
    };
    put(&format!("{}\n", text.trim_end()))?;
    failed.map_or(Ok(()), Err)
}

/// The configuration as `key = value` lines under their tables, as TOML reads them.
fn describe(config: &Config) -> String {
    let mut text = String::new();
    let value = sorted(serde_json::to_value(config).unwrap_or_default());
    for (table, keys) in value.as_object().into_iter().flatten() {
        text.push_str(&format!("[{table}]\n"));
        for (key, value) in keys.as_object().into_iter().flatten() {
            text.push_str(&format!("{key} = {value}\n"));
        }
        text.push('\n');
    }
    for danger in dangers(config) {
        text.push_str(&format!("# this weakens the node: {danger}\n"));
    }
    text
}

/// The `danger_` keys that are switched on.
fn dangers(config: &Config) -> Vec<String> {
    let value = sorted(serde_json::to_value(config).unwrap_or_default());
    let tables = value.as_object().into_iter().flatten();
    tables
        .flat_map(|(table, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.filter(|(key, value)| key.starts_with("danger_") && **value == serde_json::Value::Bool(true))
                .map(move |(key, _)| format!("{table}.{key}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: the command line is well formed.
    #[test]
    fn the_command_line_is_well_formed() {
        whole().debug_assert();
    }

    /// PROPERTY: what `config check` prints reads as the same configuration.
    #[test]
    fn the_printed_configuration_reads_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::development(folder.path());
        config.health.danger_listen_beyond_this_machine = true;
        let path = folder.path().join("tessera.toml");
        std::fs::write(&path, describe(&config)).expect("a file");
        assert_eq!(config::load(Config::default(), Some(&path)), Ok(config.clone()));
        assert_eq!(dangers(&config), ["health.danger_listen_beyond_this_machine"]);
    }
}
