//! `tessera client`: what sessions are like that are opened through a key which names one.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Window};
use crate::reach;
use crate::table::Table;
use crate::when;
use serde_json::{Value, json};
use tessera_client::wire::{ClientRow, Request};
use tessera_model::Name;
use tessera_model::refresh::{ClientTerms, RefreshMode};

/// What can be done with clients.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum ClientVerb {
    /// Make a client. What is not named is as the tenant's settings say.
    #[command(
        after_help = "Examples:\n  tessera client create phone --refresh rotating --session-lifetime 30d --session-idle 7d\n  tessera client create kiosk --session-lifetime 8h --sessions 1 --over-limit evict"
    )]
    Create {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change a client: what is not named stays. It acts at the next opening and refresh.
    #[command(
        after_help = "Example:\n  tessera client change phone --refresh-lifetime 14d --session-idle 0s"
    )]
    Change {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        #[command(flatten)]
        terms: Terms,
    },
    /// Delete a client: the sessions that were opened through it end, keys that name it open no more.
    #[command(after_help = "Example:\n  tessera client delete phone")]
    Delete {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// Show a client.
    #[command(after_help = "Example:\n  tessera client show phone")]
    Show {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
    },
    /// List the clients.
    #[command(after_help = "Example:\n  tessera client list")]
    List(Window),
}

/// Whether sessions come with a refresh handle.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Mode {
    /// No refresh handle.
    Off,
    /// One refresh handle for the whole session.
    Fixed,
    /// Each use replaces it; one that was replaced ends the session when it comes again.
    Rotating,
}

impl Mode {
    pub(crate) const fn of(self) -> RefreshMode {
        match self {
            Self::Off => RefreshMode::Off,
            Self::Fixed => RefreshMode::Fixed,
            Self::Rotating => RefreshMode::Rotating,
        }
    }
}

/// What happens beyond a limit of sessions.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum OverLimit {
    /// The new session is refused.
    Refuse,
    /// The session that was opened first ends.
    Evict,
}

impl OverLimit {
    pub(crate) const fn evicts(self) -> bool {
        matches!(self, Self::Evict)
    }

    /// For people and `--json`.
    pub(crate) const fn name(evicts: bool) -> &'static str {
        if evicts { "evict" } else { "refuse" }
    }
}

/// What a client's sessions are like.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Terms {
    /// Whether sessions come with a refresh handle.
    #[arg(long, value_name = "MODE")]
    refresh: Option<Mode>,
    /// Absolute lifetime of a session, 60s to 400d; 0s for the tenant's.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    session_lifetime: Option<u32>,
    /// Idle lifetime of a session, 30s to the absolute one; 0s for the tenant's.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    session_idle: Option<u32>,
    /// Lifetime of a refresh handle, 60s to 400d; 0s for the tenant's.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    refresh_lifetime: Option<u32>,
    /// Live sessions of one subject through this client, at most; 0 for no limit but the tenant's.
    #[arg(long, value_name = "COUNT")]
    sessions: Option<u32>,
    /// What happens beyond that limit.
    #[arg(long, value_name = "WHAT")]
    over_limit: Option<OverLimit>,
}

impl Terms {
    fn over(&self, now: ClientTerms) -> ClientTerms {
        ClientTerms {
            refresh: self.refresh.map_or(now.refresh, Mode::of),
            session_ttl_s: self.session_lifetime.unwrap_or(now.session_ttl_s),
            session_idle_s: self.session_idle.unwrap_or(now.session_idle_s),
            refresh_ttl_s: self.refresh_lifetime.unwrap_or(now.refresh_ttl_s),
            sessions_max: self.sessions.unwrap_or(now.sessions_max),
            evict: self.over_limit.map_or(now.evict, OverLimit::evicts),
        }
    }
}

fn object(row: &ClientRow) -> Value {
    let terms = &row.terms;
    json!({
        "client": row.name.as_str(), "id": row.index, "refresh": terms.refresh.name(),
        "session_ttl_s": terms.session_ttl_s, "session_idle_s": terms.session_idle_s,
        "refresh_ttl_s": terms.refresh_ttl_s, "sessions_max": terms.sessions_max,
        "over_limit": OverLimit::name(terms.evict),
    })
}

fn table(rows: &[ClientRow]) -> Table {
    let mut table = Table::new(&[
        "ID",
        "CLIENT",
        "REFRESH",
        "LIFETIME",
        "IDLE",
        "REFRESH LIFETIME",
        "SESSIONS",
        "BEYOND",
    ]);
    let seconds = |value: u32| if value == 0 { "tenant's".to_owned() } else { format!("{value} s") };
    for row in rows {
        let terms = &row.terms;
        let most =
            if terms.sessions_max == 0 { "tenant's".to_owned() } else { terms.sessions_max.to_string() };
        table.row([
            row.index.to_string(),
            row.name.to_string(),
            terms.refresh.name().to_owned(),
            seconds(terms.session_ttl_s),
            seconds(terms.session_idle_s),
            seconds(terms.refresh_ttl_s),
            most,
            OverLimit::name(terms.evict).to_owned(),
        ]);
    }
    table
}

async fn read(link: &Link, name: &Name) -> Result<ClientRow, CtlError> {
    let row = link.page::<ClientRow>(&Request::ReadClient { name: name.clone() }).await?.rows.pop();
    row.ok_or_else(|| CtlError::unknown(format!("no client is named {name}")))
}

/// What is out of bounds is named by the node; the bounds are told here.
fn bounded(error: CtlError, terms: &ClientTerms) -> CtlError {
    if terms.fault().is_some() {
        error.advise("tessera client create --help names the bounds")
    } else {
        error
    }
}

impl ClientVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { name, terms } => {
                let terms = terms.over(ClientTerms::default());
                let made = link.order(&Request::CreateClient { name: name.clone(), terms }).await;
                let made = made.map_err(|error| bounded(error, &terms))?;
                let answer = Answer::said(format!("Made client {name}.")).with("client", name.as_str());
                Ok(answer.with("id", made.client).made(&made))
            }
            Self::Change { name, terms } => {
                let terms = terms.over(read(link, &name).await?.terms);
                let made = link.order(&Request::ChangeClient { name: name.clone(), terms }).await;
                let made = made.map_err(|error| bounded(error, &terms))?;
                Ok(Answer::said(format!("Client {name} is changed."))
                    .with("client", name.as_str())
                    .made(&made))
            }
            Self::Delete { name } => {
                let made = link.order(&Request::DeleteClient { name: name.clone() }).await?;
                let text =
                    format!("Client {name} is deleted; its sessions ended, keys that name it open no more.");
                Ok(Answer::said(text).with("client", name.as_str()).made(&made))
            }
            Self::Show { name } => {
                let row = read(link, &name).await?;
                let text = table(std::slice::from_ref(&row)).to_string();
                Ok(Answer::said(text).with("client", object(&row)))
            }
            Self::List(window) => {
                let request = |after, limit| Request::ListClients { after, limit };
                let found = window.read::<ClientRow>(link, request).await?;
                let rows: Vec<Value> = found.rows.iter().map(object).collect();
                let text = table(&found.rows).to_string();
                Ok(found.told(Answer::said(text).with("clients", rows)))
            }
        }
    }
}
