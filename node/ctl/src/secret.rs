//! Secrets on their way in and out: asked for without echo, read from standard input or a variable of
//! the environment, and kept in files for their owner only. None is a plain argument by default.

use crate::error::CtlError;
use crate::reach::variable;
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tessera_model::Private;
use tessera_model::limits::PASSWORD_BYTES_MAX;

const VARIABLE: &str = "TESSERA_PASSWORD";
/// LIMIT: bytes of a file that holds a handle or one-time secret: ten times the longest.
const FILE_BYTES_MAX: u64 = 1_024;

/// Where a password comes from.
#[derive(Clone, clap::Args)]
pub(crate) struct PasswordFrom {
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordFrom {
    /// At the terminal, or from the environment.
    pub(crate) const fn at_terminal() -> Self {
        Self { password_stdin: false }
    }

    /// Whether a place to read it from was named.
    pub(crate) const fn is_named(&self) -> bool {
        self.password_stdin
    }

    /// A password that exists: asked for once.
    pub(crate) fn known(&self, prompt: &str) -> Result<Private, CtlError> {
        self.given().unwrap_or_else(|| ask(prompt))
    }

    /// A new password: at a terminal asked for twice.
    pub(crate) fn fresh(&self, prompt: &str) -> Result<Private, CtlError> {
        if let Some(given) = self.given() {
            return given;
        }
        let (first, again) = (ask(prompt)?, ask("The same again: ")?);
        // Both were typed by the same person a moment ago: nothing is guessed by their comparison.
        if first.expose() == again.expose() {
            Ok(first)
        } else {
            Err(CtlError::usage("the two passwords differ").advise("nothing was changed: try again"))
        }
    }

    fn given(&self) -> Option<Result<Private, CtlError>> {
        if self.password_stdin {
            return Some(line_of_stdin("the password"));
        }
        std::env::var(VARIABLE).ok().map(|text| Ok(Private::new(text.into_bytes())))
    }
}

/// The next line of standard input.
pub(crate) fn line_of_stdin(what: &str) -> Result<Private, CtlError> {
    let mut line = Vec::new();
    let read = std::io::stdin().lock().read_until(b'\n', &mut line);
    read.map_err(|error| CtlError::file("reading", Path::new("standard input"), &error))?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    if line.is_empty() {
        return Err(CtlError::usage(format!("{what} is missing on standard input")));
    }
    if line.len() > PASSWORD_BYTES_MAX {
        return Err(CtlError::usage(format!("{what} is over {PASSWORD_BYTES_MAX} bytes")));
    }
    Ok(Private::new(line))
}

/// Asks at the terminal, without echo.
pub(crate) fn ask(prompt: &str) -> Result<Private, CtlError> {
    match rpassword::prompt_password(prompt) {
        Ok(text) => Ok(Private::new(text.into_bytes())),
        Err(error) => Err(CtlError::usage(format!("there is no terminal to ask at ({error})"))
            .advise(format!("give it with --password-stdin, or in the variable {VARIABLE}"))),
    }
}

/// Asks for a word at the terminal before something that cannot be undone.
pub(crate) fn confirm(yes: bool, what: &str, word: &str) -> Result<(), CtlError> {
    if yes {
        return Ok(());
    }
    use std::io::IsTerminal as _;
    if !std::io::stdin().is_terminal() {
        return Err(CtlError::usage(format!("{what} cannot be undone")).advise("add --yes to do it"));
    }
    drop(write!(std::io::stderr(), "{what} cannot be undone. Type {word} to do it: "));
    drop(std::io::stderr().flush());
    let mut line = String::new();
    drop(std::io::stdin().lock().read_line(&mut line));
    if line.trim() == word { Ok(()) } else { Err(CtlError::usage("nothing was done")) }
}

/// A one-time secret: from a file that is named, from TESSERA_SECRET, or asked for.
pub(crate) fn one_time(path: Option<&Path>, prompt: &str) -> Result<Private, CtlError> {
    if let Some(path) = path {
        return file(path).map(|text| Private::new(text.into_bytes()));
    }
    match variable("TESSERA_SECRET") {
        Some(text) => Ok(Private::new(text.trim().as_bytes().to_vec())),
        None => ask(prompt).map_err(|error| {
            error.advise("give it with --secret-file FILE, or in the variable TESSERA_SECRET")
        }),
    }
}

/// The one line that a small secret file holds; `-` is standard input.
pub(crate) fn file(path: &Path) -> Result<String, CtlError> {
    use std::io::Read as _;
    if path == Path::new("-") {
        let line = line_of_stdin("the secret")?;
        return String::from_utf8(line.expose().to_vec())
            .map_err(|_| CtlError::usage("standard input is not a text"));
    }
    let mut text = String::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| CtlError::file("reading", path, &error))?;
    Ok(text.trim().to_owned())
}

/// Where a key is to be written: the file itself, behind links, and whether that is the key's own (`used`). Another one
/// that is there is written over when that was asked for; what is no file of bytes never is.
pub(crate) fn target(path: &Path, used: Option<&Path>, replace: bool) -> Result<(PathBuf, bool), CtlError> {
    let nothing_changed = |what: &str| {
        Err(CtlError::usage(format!("{}: {what}", path.display()))
            .advise("nothing was changed: name another file with --credentials"))
    };
    if std::fs::symlink_metadata(path).is_err() {
        // Nothing is there; whether it can be written is told by the attempt.
        return Ok((path.to_owned(), false));
    }
    let Ok(real) = std::fs::canonicalize(path) else {
        return nothing_changed("a link that leads to no file");
    };
    if !real.is_file() {
        return nothing_changed("a key is kept in a regular file, and this is none");
    }
    let own = used.and_then(|used| std::fs::canonicalize(used).ok()).is_some_and(|used| used == real);
    if own || replace {
        return Ok((real, own));
    }
    Err(CtlError::usage(format!("{}: there is something already", path.display()))
        .advise("nothing was changed: name another file with --credentials, or add --replace"))
}

/// A file for its owner only that is being written: it appears whole, or not at all.
pub(crate) struct Kept {
    path: PathBuf,
    beside: PathBuf,
    file: Option<std::fs::File>,
}

impl Kept {
    /// Makes sure that it can be written, before there is anything to lose.
    pub(crate) fn open(path: &Path) -> Result<Self, CtlError> {
        let failed = |error: std::io::Error| CtlError::file("writing", path, &error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(beside);
        // Left over from a process of this number that was killed. Made anew, never followed: in a folder
        // of many it could be somebody's link.
        drop(std::fs::remove_file(&beside));
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&beside).map_err(failed)?;
        Ok(Self { path: path.to_owned(), beside, file: Some(file) })
    }

    /// Writes the text and a line's end, syncs, and puts the file in its place.
    pub(crate) fn keep(mut self, text: &str) -> Result<(), CtlError> {
        let failed = |error: std::io::Error| CtlError::file("writing", &self.path, &error);
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.write_all(text.trim_end().as_bytes()).map_err(failed)?;
        file.write_all(b"\n").map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&self.beside, &self.path).map_err(failed)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Never written to: nothing is lost with it.
            drop(std::fs::remove_file(&self.beside));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// PROPERTY: a kept file is its owner's alone and reads back; one that was given up leaves nothing.
    #[test]
    fn kept_files_are_the_owners() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/operator.key");
        drop(Kept::open(&path).expect("open"));
        assert_eq!(std::fs::read_dir(path.parent().expect("a parent")).expect("a folder").count(), 0);
        Kept::open(&path).expect("open").keep("tkey_x").expect("kept");
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(file(&path).expect("read"), "tkey_x");
        Kept::open(&path).expect("open").keep("tkey_y\n").expect("kept again");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "tkey_y\n");
        assert_eq!(std::fs::read_dir(path.parent().expect("a parent")).expect("a folder").count(), 1);
    }

    /// PROPERTY: a file that cannot be written is told before anything is made.
    #[test]
    fn what_cannot_be_kept_is_told_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let blocker = folder.path().join("file");
        std::fs::write(&blocker, "x").expect("a file");
        assert_eq!(Kept::open(&blocker.join("key")).err().expect("refused").exit(), 69);
        assert_eq!(file(&folder.path().join("none")).expect_err("missing").exit(), 69);
    }

    /// PROPERTY: what somebody else keeps in a file is not lost to a key: only the key's own file is written over
    /// unasked, behind links too, and what is no regular file never is.
    #[test]
    fn only_the_keys_own_file_is_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let [precious, own, link, loose] = ["p", "own", "link", "loose"].map(|name| folder.path().join(name));
        std::fs::write(&precious, "precious").expect("a file");
        std::fs::write(&own, "tkey_x").expect("a file");
        std::os::unix::fs::symlink("own", &link).expect("a link");
        std::os::unix::fs::symlink("none", &loose).expect("a link");
        let real = own.canonicalize().expect("a path");
        let refused = |path: &Path, replace| target(path, Some(&own), replace).expect_err("refused").exit();
        assert_eq!(refused(&precious, false), 2);
        assert_eq!(
            target(&precious, Some(&own), true).expect("asked for"),
            (precious.canonicalize().expect("a path"), false)
        );
        for (path, used) in [(&own, &own), (&link, &own), (&own, &link), (&link, &link)] {
            assert_eq!(target(path, Some(used), false).expect("its own"), (real.clone(), true));
        }
        assert_eq!(target(&own, None, false).expect_err("nobody's").exit(), 2);
        for path in [Path::new("/dev/null"), folder.path(), &loose] {
            assert_eq!(refused(path, true), 2, "{}", path.display());
        }
        let free = folder.path().join("deep/free");
        assert_eq!(target(&free, Some(&own), false).expect("free"), (free.clone(), false));
        // A key that is kept behind a link leaves the link.
        Kept::open(&target(&link, Some(&own), false).expect("its own").0)
            .expect("open")
            .keep("tkey_y")
            .expect("kept");
        assert!(link.is_symlink() && file(&link).expect("read") == "tkey_y");
    }
}
