//! `tessera operator`: the one-time secret of a new node becomes an operator's key, once; a key is rotated.

use crate::advice;
use crate::answer::{Answer, instant};
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::profile::{PROFILE_FILE, Profile};
use crate::reach::{self, Reach};
use crate::rotate::RotateOwn;
use crate::secret::{self, Kept};
use std::path::PathBuf;
use tessera_client::wire::{Made, Request};
use tessera_model::code::ProtocolCode;
use tessera_model::{Name, Private};

/// What can be done by and for operators.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum OperatorVerb {
    /// Turn the one-time secret of a new node into an operator's key, and keep it in a file of your own.
    #[command(
        after_help = "Examples:\n  tessera operator claim --profile /var/lib/tessera/data\n  tessera operator claim --address id.example.org:7443 --ca node.pem\n\nThe secret is read from --secret-file, from the profile's file, from TESSERA_SECRET, or asked for.\nThe key is written to --credentials, else to the profile's key file, else to\n~/.config/tessera/operator.key with a profile beside it, so that the commands need no flags."
    )]
    Claim(Claim),
    /// Make a new key for yourself, keep it in place of the old one, try it, and revoke the old one.
    #[command(
        after_help = "Examples:\n  tessera operator rotate\n  tessera operator rotate --overlap 10m --key-file operator.key\n  tessera operator rotate --credentials next.key\n\nA file that is there and holds something else than this key is left alone, unless --replace is given.\nWith --overlap both keys are alive for a while: time to bring the new one to where else it is used."
    )]
    Rotate(RotateOwn),
    /// List the operators: whoever may do everything in the system tenant.
    #[command(after_help = "Examples:\n  tessera operator list\n  tessera operator list --json")]
    List(Window),
}

/// The role that makes an operator, in the system tenant.
const OPERATOR_ROLE: &str = "tessera.admin";

async fn list(reach: &Reach, window: &Window) -> Result<Answer, CtlError> {
    let role = reach::name(OPERATOR_ROLE).map_err(CtlError::usage)?;
    let link = reach.system().await?;
    let found = crate::role::holders(&link, &role, window).await;
    link.close().await;
    let found = found?;
    let (table, listed) = crate::grant::holders(&found.rows);
    Ok(found.told(Answer::said(table.to_string()).with("operators", listed)))
}

/// How to claim.
#[derive(Clone, clap::Args)]
pub(crate) struct Claim {
    /// What the operator is called.
    #[arg(long, default_value = "operator", value_parser = reach::name)]
    name: Name,
    /// A file that holds the secret; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Where to keep the key.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Replace a key that the file holds.
    #[arg(long)]
    replace: bool,
}

/// Turns the secret into a key.
pub(crate) async fn claim(link: &Link, secret: Private, name: Name) -> Result<(Made, String), CtlError> {
    let made = link.order(&Request::ClaimOperator { secret, name }).await.map_err(nothing_to_claim)?;
    let key = made.handle_text().ok_or_else(|| {
        CtlError::unexpected("the secret was used by an earlier attempt, whose answer held the key")
            .advise("if that answer is lost, end the node and start it in a fresh directory")
    })?;
    Ok((made, key))
}

/// A node that turns strangers away has nothing to claim.
fn nothing_to_claim(error: CtlError) -> CtlError {
    if error.code() == Some(ProtocolCode::HelloRefused.code()) {
        CtlError::nothing_to_claim().advise(advice::CLAIMED)
    } else {
        error
    }
}

impl OperatorVerb {
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        match self {
            Self::Claim(claim) => claim.run(reach).await,
            Self::Rotate(rotate) => rotate.run(reach).await,
            Self::List(window) => list(reach, &window).await,
        }
    }
}

impl Claim {
    async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        let profile = reach.profile()?;
        let (file, personal) = self.file(&profile)?;
        let kept = Kept::open(&secret::target(&file, None, self.replace)?.0)?;
        let secret = self.secret(&profile)?;
        let mut settled = reach.settle().await?;
        settled.config.credential = None;
        let address = settled.address.clone();
        let link = Link::open(settled, None).await.map_err(nothing_to_claim)?;
        let done = claim(&link, secret, self.name.clone()).await;
        link.close().await;
        let (made, key) = done?;
        let answer = Answer::said(format!("You are the operator {} of {address}.", self.name))
            .with("operator", made.subject.map(|id| id.to_string()))
            .with("key", made.session.map(|id| id.to_string()))
            .at("expires", made.expires.and_then(instant))
            .made(&made);
        if let Err(error) = kept.keep(&key) {
            // The secret is used up: better on the terminal than lost.
            return Ok(answer
                .with("handle", key.clone())
                .line(format!("{error}\nThe key, shown once:\n\n  {key}\n")));
        }
        let shown = file.display().to_string();
        let answer = answer
            .with("key_file", shown.clone())
            .line(format!("The key is in {shown}: keep it to yourself."));
        Ok(if personal { remember(answer, reach, &profile, &address, &file) } else { answer })
    }

    /// Where the key goes, and whether that is the person's own folder, which has no profile yet.
    fn file(&self, profile: &Profile) -> Result<(PathBuf, bool), CtlError> {
        if let Some(file) = self.credentials.clone().or_else(|| profile.key_file.clone()) {
            return Ok((file, false));
        }
        let folder = Profile::folder().ok_or_else(|| {
            CtlError::usage("there is no home folder to keep the key in")
                .advise("name a file with --credentials")
        })?;
        let free = !folder.join(PROFILE_FILE).exists();
        Ok((folder.join("operator.key"), free))
    }

    fn secret(&self, profile: &Profile) -> Result<Private, CtlError> {
        let of_profile = profile.secret_file.as_deref().filter(|path| path.exists());
        let file = self.secret_file.as_deref().or(of_profile);
        secret::one_time(file, "The one-time secret, as the node shows it at its start: ")
    }
}

/// Writes a profile beside the key, so that the next commands need no flags.
fn remember(
    answer: Answer,
    reach: &Reach,
    profile: &Profile,
    address: &str,
    key: &std::path::Path,
) -> Answer {
    let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let written = Profile {
        address: Some(address.to_owned()),
        server_name: reach.server_name(profile),
        ca: reach.ca(profile).map(whole),
        key_file: Some(PathBuf::from("operator.key")),
        ..Profile::default()
    };
    let file = key.with_file_name(PROFILE_FILE);
    match written.write(&file) {
        Ok(()) => {
            let shown = file.display().to_string();
            answer
                .with("profile", shown.clone())
                .line(format!("The commands find this node by {shown} from now on."))
        }
        Err(error) => answer.line(format!("(No profile was written: {error})")),
    }
}
