//! `tessera key`: API keys, credentials of machines and tools.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::error::CtlError;
use crate::handle::Save;
use crate::link::{Link, Who, Window};
use crate::reach;
use crate::rotate::RotateKey;
use crate::session::opened;
use crate::table::Table;
use crate::when::When;
use serde_json::{Map, Value, json};
use tessera_client::wire::{KeyRow, Request};
use tessera_model::{Name, Network, Pattern, Private, PublicId};

/// What can be done with API keys.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key, whose handle is given once. It can do no more than its owner and its maker.
    #[command(
        after_help = "Examples:\n  tessera key create amy@example.org --expires +90d --save amy.key\n  tessera key create 0190163d-8694-739b-aea5-966c26f8ad90 --allow orders.read --description 'nightly report'\n  tessera key create amy@example.org --from 10.0.0.0/8 --from 2001:db8::/32\n  tessera key create 0190163d-8694-739b-aea5-966c26f8ad90 --allow tessera.sessions.open --client phone"
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
        /// From where it may be used; without it, from anywhere.
        #[arg(long, value_name = "NETWORK", value_parser = reach::network)]
        from: Vec<Network>,
        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        description: String,
        /// The client that sessions are opened through when this key opens them (tessera client list).
        #[arg(long, value_name = "NAME", value_parser = reach::name)]
        client: Option<Name>,
        #[command(flatten)]
        save: Save,
    },
    /// List the live keys of a user or machine, or of the whole tenant.
    #[command(
        after_help = "LAST USED is noted when the key is shown at a door, once a minute at most and behind the first minute of its life: - says that it was used in that minute alone, or never.\n\nExamples:\n  tessera key list amy@example.org\n  tessera key list --limit 100"
    )]
    List {
        /// Public id, email, phone number or username; without it, everybody's.
        who: Option<Who>,
        #[command(flatten)]
        window: Window,
    },
    /// Show one live key: whose, what it covers, what it is for, until when.
    #[command(after_help = "Example:\n  tessera key show 0190163d-8694-739b-aea5-966c26f8ad90")]
    Show {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        key: PublicId,
    },
    /// Make a key like an old one, which lives on for a while. A key may rotate itself, and a session the
    /// keys of its own subject.
    #[command(
        after_help = "Examples:\n  tessera key rotate 0190163d-8694-739b-aea5-966c26f8ad90 --save new.key\n  tessera key rotate 0190163d-8694-739b-aea5-966c26f8ad90 --save new.key --overlap 10m\n\nGive the new key to whoever used the old one before the old one ends: a client takes it without a gap\n(Client::renew)."
    )]
    Rotate(RotateKey),
    /// End a key, by its public id (see: tessera key list).
    #[command(after_help = "Example:\n  tessera key revoke 0190163d-8694-739b-aea5-966c26f8ad90")]
    Revoke {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        key: PublicId,
    },
}

fn covers(row: &KeyRow) -> Vec<String> {
    row.patterns.iter().map(ToString::to_string).collect()
}

fn networks(row: &KeyRow) -> Vec<String> {
    row.networks.iter().map(ToString::to_string).collect()
}

fn description(row: &KeyRow) -> String {
    String::from_utf8_lossy(row.description.expose()).into_owned()
}

/// The client that it names, for a table.
fn client(row: &KeyRow) -> String {
    match (&row.client_name, row.client) {
        (Some(name), _) => name.to_string(),
        (None, Some(_)) => "(deleted)".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn object(row: &KeyRow) -> Value {
    let mut json = Map::new();
    json.insert("session".into(), json!(row.session.to_string()));
    json.insert("subject".into(), json!(row.subject.to_string()));
    json.insert("description".into(), json!(description(row)));
    json.insert("patterns".into(), json!(covers(row)));
    json.insert("client".into(), json!(row.client.map(|_| client(row))));
    json.insert("networks".into(), json!(networks(row)));
    put_instant(&mut json, "created", instant(row.created));
    put_instant(&mut json, "expires", instant(row.expires));
    put_instant(&mut json, "last_used", instant(row.last_used));
    Value::Object(json)
}

/// Keys as a table and as objects.
fn keys(rows: &[KeyRow]) -> (Table, Vec<Value>) {
    let mut table =
        Table::new(&["KEY", "SUBJECT", "EXPIRES", "LAST USED", "CLIENT", "COVERS", "FROM", "FOR"]);
    for row in rows {
        let covers = if row.patterns.is_empty() { "all".to_owned() } else { covers(row).join(", ") };
        table.row([
            row.session.to_string(),
            row.subject.to_string(),
            shown(instant(row.expires)),
            shown(instant(row.last_used)),
            client(row),
            covers,
            if row.networks.is_empty() { "anywhere".to_owned() } else { networks(row).join(", ") },
            description(row),
        ]);
    }
    (table, rows.iter().map(object).collect())
}

impl KeyVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { who, allow, expires, from: networks, description, client, save } => {
                let place = save.open()?;
                let subject = link.id_of(&who).await?;
                let expires = expires.resolve(link.now())?;
                let covers: Vec<String> = allow.iter().map(ToString::to_string).collect();
                let description = Private::new(description.into_bytes());
                let patterns = allow;
                let request =
                    Request::CreateKey { subject, patterns, expires, description, client, networks };
                let made = link.order(&request).await?;
                let answer = opened(&format!("Made a key of {who}."), &made)?.with("patterns", covers);
                place.put(answer, &made, "key")
            }
            Self::List { who, window } => {
                let subject = match &who {
                    Some(who) => Some(link.id_of(who).await?),
                    None => None,
                };
                let request = |after, limit| Request::ListKeys { subject, after, limit };
                let found = window.read::<KeyRow>(link, request).await?;
                let (table, listed) = keys(&found.rows);
                Ok(found.told(Answer::said(table.to_string()).with("keys", listed)))
            }
            Self::Show { key } => {
                let row = link.page::<KeyRow>(&Request::ReadKey { key }).await?.rows.pop();
                let row = row.ok_or_else(|| CtlError::unexpected("the answer holds no key"))?;
                let (table, _) = keys(std::slice::from_ref(&row));
                Ok(Answer::said(table.to_string()).with("key", object(&row)))
            }
            Self::Rotate(rotate) => rotate.run(link).await,
            Self::Revoke { key } => {
                let made = link.order(&Request::RevokeKey { key }).await?;
                Ok(Answer::said("The key is revoked.").with("session", key.to_string()).made(&made))
            }
        }
    }
}
