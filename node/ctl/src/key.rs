//! `tessera key`: API keys, credentials of machines and tools.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::handle::Save;
use crate::link::{Link, Who};
use crate::reach;
use crate::session::opened;
use crate::when::When;
use tessera_client::wire::Request;
use tessera_model::{Pattern, Private, PublicId};

/// What can be done with API keys.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key, whose handle is given once. It can do no more than its owner and its maker.
    #[command(
        after_help = "Examples:\n  tessera key create amy@example.org --expires +90d --save amy.key\n  tessera key create 0190163d-8694-739b-aea5-966c26f8ad90 --allow orders.read --description 'nightly report'"
    )]
    Create {
        /// Public id, email, phone number or username.
        who: Who,
        /// What it may cover of its owner's permissions; without it, all of them.
        #[arg(long, value_name = "PATTERN", value_parser = reach::pattern)]
        allow: Vec<Pattern>,
        /// When it ends: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME", default_value = "+90d")]
        expires: When,
        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,
        #[command(flatten)]
        save: Save,
    },
    /// End a key, by its public id (see: tessera session list WHO).
    #[command(after_help = "Example:\n  tessera key revoke 0190163d-8694-739b-aea5-966c26f8ad90")]
    Revoke {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        key: PublicId,
    },
}

impl KeyVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { who, allow, expires, description, save } => {
                let place = save.open()?;
                let subject = link.id_of(&who).await?;
                let expires = expires.resolve(link.now())?;
                let covers: Vec<String> = allow.iter().map(ToString::to_string).collect();
                let description = Private::new(description.into_bytes());
                let request = Request::CreateKey { subject, patterns: allow, expires, description };
                let made = link.order(&request).await?;
                let answer = opened(&format!("Made a key of {who}."), &made)?.with("patterns", covers);
                place.put(answer, &made, "key")
            }
            Self::Revoke { key } => {
                let made = link.order(&Request::RevokeKey { key }).await?;
                Ok(Answer::said("The key is revoked.").with("session", key.to_string()).made(&made))
            }
        }
    }
}
