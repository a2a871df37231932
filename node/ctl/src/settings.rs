//! `tessera settings`: what a tenant's administrator can set.

use crate::answer::Answer;
use crate::client::{Mode, OverLimit};
use crate::error::CtlError;
use crate::link::Link;
use crate::table::Table;
use crate::when;
use serde_json::{Value, json};
use tessera_client::wire::{Request, SettingsRow};
use tessera_model::Settings;

/// What can be done with settings.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum SettingsVerb {
    /// Show the tenant's settings.
    #[command(after_help = "Example:\n  tessera settings show")]
    Show,
    /// Change settings; what is not named stays.
    #[command(
        after_help = "Examples:\n  tessera settings set --session-lifetime 12h --session-idle 30m --password-bytes-min 12\n  tessera settings set --refresh rotating --sessions 5 --over-limit evict"
    )]
    Set(Change),
}

/// The settings to change.
#[derive(Clone, Copy, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Change {
    /// Absolute lifetime of a session, 60s to 400d.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    session_lifetime: Option<u32>,
    /// Idle lifetime of a session, 30s to the absolute one.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    session_idle: Option<u32>,
    /// Argon2id memory in KiB, 8 to 262144.
    #[arg(long, value_name = "KIB")]
    argon_memory: Option<u32>,
    /// Argon2id passes, 1 to 16.
    #[arg(long, value_name = "COUNT")]
    argon_passes: Option<u32>,
    /// Argon2id lanes, 1 to 4.
    #[arg(long, value_name = "COUNT")]
    argon_lanes: Option<u32>,
    /// Fewest bytes of a password, 8 to 64.
    #[arg(long, value_name = "BYTES")]
    password_bytes_min: Option<u32>,
    /// Whether sessions come with a refresh handle, where no client says otherwise.
    #[arg(long, value_name = "MODE")]
    refresh: Option<Mode>,
    /// Lifetime of a refresh handle, 60s to 400d.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    refresh_lifetime: Option<u32>,
    /// How long a replaced refresh handle still gives its successor again, 1s to 60s.
    #[arg(long, value_name = "SPAN", value_parser = when::setting)]
    refresh_grace: Option<u32>,
    /// Live sessions of one subject, at most, 1 to 16777216.
    #[arg(long, value_name = "COUNT")]
    sessions: Option<u32>,
    /// What happens beyond that limit.
    #[arg(long, value_name = "WHAT")]
    over_limit: Option<OverLimit>,
}

impl Change {
    fn over(&self, now: Settings) -> Settings {
        Settings {
            session_ttl_s: self.session_lifetime.unwrap_or(now.session_ttl_s),
            session_idle_s: self.session_idle.unwrap_or(now.session_idle_s),
            argon_memory_kib: self.argon_memory.unwrap_or(now.argon_memory_kib),
            argon_passes: self.argon_passes.unwrap_or(now.argon_passes),
            argon_lanes: self.argon_lanes.unwrap_or(now.argon_lanes),
            password_bytes_min: self.password_bytes_min.unwrap_or(now.password_bytes_min),
            refresh: self.refresh.map_or(now.refresh, Mode::of),
            refresh_ttl_s: self.refresh_lifetime.unwrap_or(now.refresh_ttl_s),
            refresh_grace_s: self.refresh_grace.unwrap_or(now.refresh_grace_s),
            sessions_max: self.sessions.unwrap_or(now.sessions_max),
            sessions_evict: self.over_limit.map_or(now.sessions_evict, OverLimit::evicts),
        }
    }
}

fn table(settings: &Settings) -> Table {
    let mut table = Table::new(&["SETTING", "VALUE", "FLAG OF settings set"]);
    let rows = [
        ("session lifetime, seconds", settings.session_ttl_s.to_string(), "--session-lifetime"),
        ("session idle lifetime, seconds", settings.session_idle_s.to_string(), "--session-idle"),
        ("sessions of one subject, at most", settings.sessions_max.to_string(), "--sessions"),
        ("beyond that", OverLimit::name(settings.sessions_evict).to_owned(), "--over-limit"),
        ("refresh handles", settings.refresh.name().to_owned(), "--refresh"),
        ("refresh lifetime, seconds", settings.refresh_ttl_s.to_string(), "--refresh-lifetime"),
        ("refresh grace, seconds", settings.refresh_grace_s.to_string(), "--refresh-grace"),
        ("Argon2id memory, KiB", settings.argon_memory_kib.to_string(), "--argon-memory"),
        ("Argon2id passes", settings.argon_passes.to_string(), "--argon-passes"),
        ("Argon2id lanes", settings.argon_lanes.to_string(), "--argon-lanes"),
        ("fewest bytes of a password", settings.password_bytes_min.to_string(), "--password-bytes-min"),
    ];
    for (what, value, flag) in rows {
        table.row([what.to_owned(), value, flag.to_owned()]);
    }
    table
}

fn object(settings: &Settings) -> Value {
    json!({
        "session_ttl_s": settings.session_ttl_s, "session_idle_s": settings.session_idle_s,
        "argon_memory_kib": settings.argon_memory_kib, "argon_passes": settings.argon_passes,
        "argon_lanes": settings.argon_lanes, "password_bytes_min": settings.password_bytes_min,
        "refresh": settings.refresh.name(), "refresh_ttl_s": settings.refresh_ttl_s,
        "refresh_grace_s": settings.refresh_grace_s, "sessions_max": settings.sessions_max,
        "over_limit": OverLimit::name(settings.sessions_evict),
    })
}

impl SettingsVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let row = link.page::<SettingsRow>(&Request::ReadSettings {}).await?.rows.pop();
        let now = row.ok_or_else(|| CtlError::unexpected("the answer holds no settings"))?.settings;
        match self {
            Self::Show => Ok(Answer::said(table(&now).to_string()).with("settings", object(&now))),
            Self::Set(change) => {
                let settings = change.over(now);
                let made =
                    link.order(&Request::ChangeSettings { settings }).await.map_err(
                        |error| match settings.fault() {
                            Some(name) => error
                                .advise(format!("{name} is out of its bounds: tessera settings set --help")),
                            None => error,
                        },
                    )?;
                let answer = Answer::said("The settings are:").line(table(&settings).to_string());
                Ok(answer.with("settings", object(&settings)).made(&made))
            }
        }
    }
}
