//! `tessera origin`: the origins whose scripts may ask a tenant over HTTP.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::Link;
use tessera_client::wire::{OriginsRow, Request};
use tessera_model::Origin;

/// What can be done with origins.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum OriginVerb {
    /// Let the scripts of an origin ask. It is compared byte by byte with what a browser sends.
    #[command(after_help = "Example:\n  tessera origin add https://app.example.com")]
    Add {
        /// Scheme, host and, where it is not the default, port.
        #[arg(value_parser = read)]
        origin: Origin,
    },
    /// Let the scripts of an origin ask no longer.
    #[command(after_help = "Example:\n  tessera origin remove https://app.example.com")]
    Remove {
        /// As it is listed.
        #[arg(value_parser = read)]
        origin: Origin,
    },
    /// List the origins.
    #[command(after_help = "Example:\n  tessera origin list")]
    List,
}

fn read(text: &str) -> Result<Origin, String> {
    Origin::new(text).map_err(|error| error.to_string())
}

fn told(origins: &[Origin]) -> Answer {
    let listed: Vec<String> = origins.iter().map(ToString::to_string).collect();
    let text =
        if listed.is_empty() { "No scripts of other origins may ask.".to_owned() } else { listed.join("\n") };
    Answer::said(text).with("origins", listed)
}

impl OriginVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let row = link.page::<OriginsRow>(&Request::ReadOrigins {}).await?.rows.pop();
        let mut origins = row.ok_or_else(|| CtlError::unexpected("the answer holds no origins"))?.origins;
        match self {
            Self::List => return Ok(told(&origins)),
            Self::Add { origin } => {
                origins.retain(|known| *known != origin);
                origins.push(origin);
            }
            Self::Remove { origin } => origins.retain(|known| *known != origin),
        }
        let made = link.order(&Request::ChangeOrigins { origins: origins.clone() }).await?;
        Ok(told(&origins).made(&made))
    }
}
