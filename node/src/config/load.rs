//! Reads the file and the environment into a [`Config`], or says which line is wrong and what to write.

use super::Config;
use super::locate::{line_of, nearest};
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format as _, Serialized, Toml};
use std::fmt;
use std::path::{Path, PathBuf};

/// The first part of every variable of the environment.
const PREFIX: &str = "TESSERA_";
/// What stands between two parts of a key in a variable's name.
const NEST: &str = "__";

/// A configuration that cannot be used. Printed as `file:line: key: what to do`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ConfigError {
    /// The file, or the variable of the environment.
    pub(crate) source: String,
    /// The line in the file, when it could be found.
    pub(crate) line: Option<usize>,
    /// The key, with dots.
    pub(crate) key: String,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// What is wrong with the files that `[fleet]` names: it is told with its file.
    pub(crate) fn of_fleet(what: &str) -> Self {
        let (key, what) = what.split_once(' ').unwrap_or(("fleet.file", what));
        Self { source: "fleet".to_owned(), line: None, key: key.to_owned(), what: what.to_owned() }
    }
}

/// The effective configuration: `base`, over it the file, over it the environment.
///
/// # Errors
/// The first [`ConfigError`]: a file that is missing or does not parse, an unknown key, a wrong value.
pub(crate) fn load(base: Config, file: Option<&Path>) -> Result<Config, ConfigError> {
    let mut text = String::new();
    if let Some(path) = file {
        text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            source: path.display().to_string(),
            line: None,
            key: String::new(),
            what: format!("cannot be read: {error}"),
        })?;
    }
    over(base, file, text)
}

/// The text of the file lies over `base`, the environment over both.
fn over(base: Config, file: Option<&Path>, text: String) -> Result<Config, ConfigError> {
    let figment = Figment::from(Serialized::defaults(base)).merge(Toml::string(&text));
    let figment = figment.merge(Env::prefixed(PREFIX).filter(|key| key.as_str().contains(NEST)).split(NEST));
    let place = Place { file: file.map(Path::to_path_buf), text };
    let config: Config = figment.extract().map_err(|error| place.explain(&error))?;
    match config.faults().into_iter().next() {
        None => Ok(config),
        Some((key, what)) => {
            let path: Vec<String> = key.split('.').map(str::to_owned).collect();
            Err(place.at(&path, what))
        }
    }
}

/// Another file in TOML than the configuration, read whole: the environment does not count.
///
/// # Errors
/// [`ConfigError`], as of the configuration.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    let place = Place { file: Some(path.to_path_buf()), text: text.to_owned() };
    Figment::from(Toml::string(text)).extract().map_err(|error| place.explain(&error))
}

/// What errors are pointed at.
struct Place {
    file: Option<PathBuf>,
    text: String,
}

impl Place {
    /// An error of figment in words, with the line where it stands.
    fn explain(&self, error: &figment::Error) -> ConfigError {
        let mut path = error.path.clone();
        let what = match &error.kind {
            Kind::UnknownField(name, known) => {
                if path.last() != Some(name) {
                    path.push(name.clone());
                }
                match nearest(name, known) {
                    Some(near) => format!("no such key; did you mean {near}?"),
                    None => format!("no such key; known here: {}", known.join(", ")),
                }
            }
            Kind::UnknownVariant(name, known) => {
                format!("{name:?} is not one of {}", known.join(", "))
            }
            Kind::InvalidType(actual, expected) if expected.contains("a sequence") => {
                format!("found {actual}, expected a list in brackets: [\"one\", \"two\"]")
            }
            Kind::InvalidType(actual, expected) => format!("found {actual}, expected {expected}"),
            Kind::InvalidValue(actual, expected) => format!("found {actual}, which is not {expected}"),
            Kind::Message(message) if path.is_empty() => return self.unparsed(message),
            other @ (Kind::Message(_)
            | Kind::InvalidLength(..)
            | Kind::MissingField(_)
            | Kind::DuplicateField(_)
            | Kind::ISizeOutOfRange(_)
            | Kind::USizeOutOfRange(_)
            | Kind::Unsupported(_)
            | Kind::UnsupportedKey(..)) => other.to_string(),
        };
        self.at(&path, what)
    }

    /// A text that is not TOML at all: the parser's message holds the line.
    fn unparsed(&self, message: &str) -> ConfigError {
        let line = message.split("at line ").nth(1).and_then(|tail| tail.split([',', ' ', '\n']).next());
        let what = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(message);
        ConfigError {
            source: self.name(),
            line: line.and_then(|line| line.parse().ok()),
            key: String::new(),
            what: format!("does not read as TOML: {}", what.trim()),
        }
    }

    fn at(&self, path: &[String], what: String) -> ConfigError {
        let key = path.join(".");
        let variable = format!("{PREFIX}{}", path.join(NEST).to_uppercase());
        // The environment wins over the file, so a variable that is set is the culprit.
        if std::env::var_os(&variable).is_some() {
            return ConfigError { source: variable, line: None, key, what };
        }
        let line = line_of(&self.text, path);
        ConfigError { source: self.name(), line, key, what }
    }

    fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "configuration".to_owned(), |file| file.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tessera.toml");
        std::fs::write(&path, text).expect("a file");
        load(Config::default(), Some(&path))
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "tessera.toml"))
    }

    /// PROPERTY: what the file says is in force, what it leaves out keeps its default.
    #[test]
    fn the_file_lies_over_the_defaults() {
        let config = read("[storage]\ndir = \"/srv/t\"\n[log]\nformat = \"json\"\n").expect("good");
        assert_eq!(config.storage.dir, PathBuf::from("/srv/t"));
        assert_eq!(config.log.format, super::super::LogFormat::Json);
        assert_eq!(config.quic, Config::default().quic);
        assert_eq!(load(Config::default(), None), Ok(Config::default()));
    }

    /// PROPERTY: each mistake is told with file, line, key and what to do.
    #[test]
    fn mistakes_are_told_with_their_line() {
        let cases = [
            ("[quic]\nlistne = \"x\"\n", "tessera.toml:2: quic.listne: no such key; did you mean listen?"),
            ("[quick]\n", "tessera.toml:1: quick: no such key; did you mean quic?"),
            ("[log]\n\nformat = \"xml\"\n", "tessera.toml:3: log.format: \"xml\" is not one of text, json"),
            (
                "[storage]\njournal_file_bytes = 5\n",
                "tessera.toml:2: storage.journal_file_bytes: must be 65536 (64 KiB) to 67108864 (64 MiB), in steps of 16384 (16 KiB)",
            ),
            (
                "[http]\norigins = \"https://a.example,https://b.example\"\n",
                "tessera.toml:2: http.origins: found string \"https://a.example,https://b.example\", expected a list in brackets: [\"one\", \"two\"]",
            ),
            (
                "[tenants]\nidle_sleep_seconds = \"many\"\n",
                "tessera.toml:2: tenants.idle_sleep_seconds: found string \"many\", expected u64",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(read(text), Err(message.to_owned()));
        }
        let broken = read("[log]\nformat = \n").expect_err("broken");
        assert!(broken.starts_with("tessera.toml:2: does not read as TOML"), "{broken}");
        let missing = load(Config::default(), Some(Path::new("/none/tessera.toml"))).expect_err("missing");
        assert!(missing.to_string().starts_with("/none/tessera.toml: cannot be read"), "{missing}");
    }

    /// PROPERTY: any file is a configuration or an error with its place and what to do. METHOD: 200,000 changed files.
    /// TC-83 in part: the configuration.
    #[test]
    fn fuzz_configuration() {
        let whole = "[storage]\ndir = \"/srv/t\"\nroot_key_file = \"/srv/k\"\njournal_file_bytes = 65536\ntail_bytes_max = 131072\n[quic]\nlisten = \"127.0.0.1:7443\"\nnames = [\"a.example\"]\n[http]\nlisten = \"127.0.0.1:7481\"\norigins = [\"https://a.example\"]\n[health]\nlisten = \"127.0.0.1:7480\"\n[log]\nformat = \"json\"\nfilter = \"info,tessera=debug\"\n[passwords]\nthreads = 2\n";
        let words = "storage quic http health log dir listen names [ ] { } = \" ' \n # true 1e9 0x7f 1979-05-27 . , inf";
        let target = tessera_fuzz::Target::new("configuration").seeds([whole, "[storage]\n"]).words(words);
        let found = target.run(|bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let read = over(Config::default(), None, text);
            tessera_fuzz::Outcome::of(&read.map_err(|error| (error.key, error.what)))
        });
        match found {
            Ok(run) => println!("{run}"),
            Err(finding) => panic!("{finding}"),
        }
    }
}
