//! Rotation of keys: the new one is made, kept and tried before the old one ends.

use crate::answer::{Answer, instant};
use crate::error::CtlError;
use crate::handle::Save;
use crate::link::Link;
use crate::reach::{self, Reach};
use crate::secret::{self, Kept};
use crate::session::opened;
use crate::when::{self, When};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tessera_client::wire::{KeyRow, Made, Request};
use tessera_model::{Deadline, Network, Pattern, PublicId};

/// How a key is rotated.
#[derive(Clone, clap::Args)]
pub(crate) struct RotateKey {
    /// The public id of the old key.
    #[arg(value_parser = reach::public_id)]
    old: PublicId,
    /// When the new key ends; without it, when the old one would have.
    #[arg(long, value_name = "TIME")]
    expires: Option<When>,
    /// What the new key may cover, within what the old one may; without it, the same.
    #[arg(long, value_name = "PATTERN", value_parser = reach::pattern)]
    allow: Vec<Pattern>,
    /// From where the new key may be used, within where the old one may; without it, the same.
    #[arg(long, value_name = "NETWORK", value_parser = reach::network)]
    from: Vec<Network>,
    /// How long the old key lives on beside the new one, up to 7d; 0s ends it now.
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = when::overlap)]
    overlap: Duration,
    #[command(flatten)]
    save: Save,
}

/// How an operator's own key is rotated.
#[derive(Clone, clap::Args)]
pub(crate) struct RotateOwn {
    /// When the new key ends.
    #[arg(long, value_name = "TIME", default_value = "+400d")]
    expires: When,
    /// Wait so long with both keys alive before the old one is revoked.
    #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = when::overlap)]
    overlap: Duration,
    /// Where to keep the new key; without it, in place of the old one.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Replace what that file holds; the file of the key in use is replaced without it.
    #[arg(long)]
    replace: bool,
}

async fn row_of(link: &Link, key: PublicId) -> Result<KeyRow, CtlError> {
    let row = link.page::<KeyRow>(&Request::ReadKey { key }).await?.rows.pop();
    row.ok_or_else(|| CtlError::unexpected("the answer holds no key"))
}

/// A key like the old one.
async fn succeed(link: &Link, old: &KeyRow, expires: Deadline) -> Result<Made, CtlError> {
    if old.client.is_some() && old.client_name.is_none() {
        return Err(CtlError::usage("the client that the key names was deleted: it opens nothing")
            .advise("revoke it, and make a new key with the client that is meant"));
    }
    let request = Request::CreateKey {
        subject: old.subject,
        patterns: old.patterns.clone(),
        expires,
        description: old.description.clone(),
        client: old.client_name.clone(),
        networks: old.networks.clone(),
    };
    link.order(&request).await
}

/// What the next command would ask with: not the key that was made.
fn still_read(used: Option<&Path>, file: &Path) -> String {
    let (file, old) = (file.display(), "holds the old key, which opens nothing any more");
    match used {
        Some(used) => {
            let used = used.display();
            format!(
                "{used} {old}: give --key-file {file}, name {file} in the profile, or put it in its place."
            )
        }
        None => format!("What the key was read from (--key, TESSERA_KEY) {old}: give --key-file {file}."),
    }
}

impl RotateKey {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let place = self.save.open()?;
        let expires = self.expires.map_or(Ok(Deadline::NONE), |when| when.resolve(link.now()))?;
        let overlap_s = u32::try_from(self.overlap.as_secs()).unwrap_or(u32::MAX);
        let (key, patterns, networks) = (self.old, self.allow, self.from);
        let request = Request::RotateKey { key, expires, patterns, networks, overlap_s };
        let made = link.order(&request).await?;
        let answer =
            opened(&format!("Made a key in place of {key}."), &made)?.with("replaces", key.to_string());
        let ends = if overlap_s == 0 {
            format!("The old key {key} has ended.")
        } else {
            format!("The old key {key} ends in {overlap_s} s.")
        };
        place.put(answer.line(ends), &made, "key")
    }
}

impl RotateOwn {
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        let settled = reach.settle().await?;
        let before = settled.config.credential.clone().ok_or_else(|| {
            CtlError::usage("no key is given")
                .advise("give the operator's key: --key-file FILE, or a profile")
        })?;
        let used = reach.key_path(&settled.profile);
        let file = self.credentials.clone().or_else(|| used.clone()).ok_or_else(|| {
            CtlError::usage("the key is in no file")
                .advise("name one for the new key with --credentials FILE")
        })?;
        let (real, own) = secret::target(&file, used.as_deref(), self.replace)?;
        let kept = Kept::open(&real)?;
        let link = Link::open(settled.clone(), None).await?;
        let done = self.hand_over(&link, kept, &file).await;
        link.close().await;
        let (answer, old) = done?;
        let mut fresh = settled;
        fresh.config.credential = Some(secret::file(&real)?);
        // Tried before the old one ends: what does not open anything must not be the only key.
        let link = match Link::open(fresh, None).await {
            Ok(link) => link,
            Err(error) if own => {
                Kept::open(&real)?.keep(&before)?;
                return Err(error.advise("the new key opens nothing; the old one is back in its file"));
            }
            Err(error) => {
                let told =
                    format!("{} holds the new key, which opens nothing; the old one stays", file.display());
                return Err(error.advise(told));
            }
        };
        self.wait(&file, old).await;
        let revoked = link.order(&Request::RevokeKey { key: old }).await;
        link.close().await;
        let made = revoked?;
        let answer = answer.line(format!("The old key {old} is revoked."));
        let answer = if own { answer } else { answer.line(still_read(used.as_deref(), &file)) };
        Ok(answer.with("revoked", old.to_string()).made(&made))
    }

    /// Leaves time with both keys alive. Where they are is told before: whoever ends the command here keeps both.
    async fn wait(&self, file: &Path, old: PublicId) {
        if self.overlap.is_zero() {
            return;
        }
        crate::output::tell(&format!(
            "{} holds the new key. The old one is revoked in {} s; a command that is ended before leaves both alive: tessera key revoke {old} --tenant system",
            file.display(),
            self.overlap.as_secs(),
        ));
        tokio::time::sleep(self.overlap).await;
    }

    /// Makes the new key and keeps it; gives the id of the old one.
    async fn hand_over(&self, link: &Link, kept: Kept, file: &Path) -> Result<(Answer, PublicId), CtlError> {
        let bound = link.client.hello().bound;
        let (_, old) = bound.ok_or_else(|| CtlError::unexpected("the node bound the key to nobody"))?;
        let row =
            row_of(link, old).await.map_err(|error| error.advise("only an operator's key is rotated"))?;
        let made = succeed(link, &row, self.expires.resolve(link.now())?).await?;
        let key = made.handle_text().ok_or_else(|| CtlError::unnamed(&made, "key"))?;
        let shown = file.display().to_string();
        if let Err(error) = kept.keep(&key) {
            // It exists and is given once: better on the terminal than lost. The old one stays.
            return Err(CtlError::unexpected(format!(
                "{error}\nThe new key, shown once: {key}\nThe old key stays."
            )));
        }
        let answer = Answer::said(format!("You have a new key, in {shown}."))
            .with("key", made.session.map(|id| id.to_string()))
            .with("key_file", shown)
            .at("expires", made.expires.and_then(instant));
        Ok((answer, old))
    }
}
