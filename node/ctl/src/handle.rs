//! Handles that a command asks about, and what it does with the ones it is given once.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::profile::Profile;
use crate::reach::variable;
use crate::secret::{self, Kept};
use std::path::PathBuf;
use tessera_client::wire::Made;
use tessera_model::{Handle, HandleBytes};

/// Which session or key is asked about.
#[derive(Clone, clap::Args)]
pub(crate) struct HandleFrom {
    /// The handle of the session or key (`tess_...`, `tkey_...`); also TESSERA_HANDLE. Others on this
    /// machine can see arguments: --handle-file is safer.
    #[arg(long, value_name = "HANDLE")]
    handle: Option<String>,
    /// A file that holds the handle; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    handle_file: Option<PathBuf>,
}

impl HandleFrom {
    /// Whether one is named on the command line itself.
    pub(crate) const fn is_named(&self) -> bool {
        self.handle.is_some() || self.handle_file.is_some()
    }

    /// Where the successor of a refresh handle goes: into the file that it came from.
    pub(crate) fn place(&self) -> Result<Place, CtlError> {
        let file = self.handle_file.as_ref().filter(|path| *path != std::path::Path::new("-"));
        match file.filter(|_| self.handle.is_none()) {
            // A pipe is no place to keep anything, and a link stays one.
            Some(path) if path.exists() => {
                match std::fs::canonicalize(path).ok().filter(|real| real.is_file()) {
                    Some(real) => Ok(Place(Some((path.clone(), Kept::open(&real)?)))),
                    None => Ok(Place(None)),
                }
            }
            Some(path) => Ok(Place(Some((path.clone(), Kept::open(path)?)))),
            None => Ok(Place(None)),
        }
    }

    /// The handle: from the flag, the file, the environment or the profile.
    pub(crate) fn find(&self, profile: &Profile) -> Result<Option<HandleBytes>, CtlError> {
        let text = if let Some(text) = &self.handle {
            text.clone()
        } else if let Some(path) = &self.handle_file {
            secret::file(path)?
        } else if let Some(text) = variable("TESSERA_HANDLE") {
            text
        } else if let Some(path) = profile.handle_file.as_ref().filter(|path| path.exists()) {
            secret::file(path)?
        } else {
            return Ok(None);
        };
        read(&text).map(Some)
    }

    /// The handle, which must be given.
    pub(crate) fn need(&self, profile: &Profile) -> Result<HandleBytes, CtlError> {
        self.find(profile)?.ok_or_else(|| {
            CtlError::usage("which session or key?")
                .advise("give its handle: --handle-file FILE, --handle HANDLE, or TESSERA_HANDLE")
        })
    }
}

/// Reads a handle's text.
pub(crate) fn read(text: &str) -> Result<HandleBytes, CtlError> {
    Handle::parse_text(text.trim())
        .map(|handle| handle.to_bytes())
        .map_err(|error| CtlError::usage(error.to_string()))
}

/// Where a handle goes that is given once.
#[derive(Clone, clap::Args)]
pub(crate) struct Save {
    /// Keep the handle in this file, for its owner only, instead of printing it.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Where a refresh handle goes.
#[derive(Clone, clap::Args)]
pub(crate) struct SaveRefresh {
    /// Keep the refresh handle, if there is one, in this file, for its owner only.
    #[arg(long, value_name = "FILE")]
    save_refresh: Option<PathBuf>,
}

/// A place for a handle that can be written to.
pub(crate) struct Place(Option<(PathBuf, Kept)>);

impl Save {
    /// Makes sure that the file can be written, before the handle exists.
    pub(crate) fn open(&self) -> Result<Place, CtlError> {
        Place::open("--save", self.save.as_ref())
    }
}

impl SaveRefresh {
    /// Makes sure that the file can be written, before the handle exists.
    pub(crate) fn open(&self) -> Result<Place, CtlError> {
        Place::open("--save-refresh", self.save_refresh.as_ref())
    }
}

impl Place {
    fn open(flag: &str, path: Option<&PathBuf>) -> Result<Self, CtlError> {
        Ok(Self(match path {
            // What is in it may have been shown once.
            Some(path) if path.exists() => {
                let told = format!("{flag} {}: there is something already", path.display());
                return Err(CtlError::usage(told)
                    .advise("nothing was changed: name another file, or move that one away"));
            }
            Some(path) => Some((path.clone(), Kept::open(path)?)),
            None => None,
        }))
    }
}

impl Place {
    /// Keeps or prints the refresh handle that a command made, if it made one.
    pub(crate) fn put_refresh(self, answer: Answer, made: &Made) -> Result<Answer, CtlError> {
        let Some(handle) = made.refresh_text() else { return Ok(answer) };
        let Some((path, kept)) = self.0 else {
            return Ok(answer.with("refresh_handle", handle.clone()).line(format!(
                "\n  {handle}\n\nThis refresh handle is shown once: keep it where only its holder can read it."
            )));
        };
        let shown = path.display().to_string();
        Ok(match kept.keep(&handle) {
            Ok(()) => {
                answer.with("refresh_file", shown.clone()).line(format!("Its refresh handle is in {shown}."))
            }
            // Better on the terminal than lost.
            Err(error) => {
                answer.with("refresh_handle", handle.clone()).line(format!("{error}\n\n  {handle}\n"))
            }
        })
    }

    /// Keeps or prints the handle that a command made: the only time that it is seen.
    pub(crate) fn put(self, answer: Answer, made: &Made, what: &str) -> Result<Answer, CtlError> {
        let Some(handle) = made.handle_text() else {
            let answer = answer.with("handle", serde_json::Value::Null);
            let lost = format!(
                "Its {what} is given once, and was given before. If it is lost, end it and make another."
            );
            return Ok(if made.repeated { answer.line(lost) } else { answer });
        };
        match self.0 {
            None => Ok(answer.with("handle", handle.clone()).line(format!(
                "\n  {handle}\n\nThis {what} is shown once: keep it where only its holder can read it."
            ))),
            Some((path, kept)) => {
                let shown = path.display().to_string();
                match kept.keep(&handle) {
                    Ok(()) => Ok(answer
                        .with("handle_file", shown.clone())
                        .line(format!("Its {what} is in {shown}."))),
                    // It exists and is given once: better on the terminal than lost.
                    Err(error) => {
                        Ok(answer.with("handle", handle.clone()).line(format!("{error}\n\n  {handle}\n")))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tkey_AQIHAAIAAAAAAAEAYwAAAAMAAAB0d2VudHkgYnl0ZXMgc2VjcmV0IQ";

    /// PROPERTY: a handle that was cut or mistyped is a mistake of the command line, told as such.
    #[test]
    fn damaged_handles_are_told() {
        let error = read(TEXT).expect_err("no checksum");
        assert_eq!(error.exit(), 2);
        assert!(!error.to_string().contains("dHdlbnR5"), "{error}");
    }
}
