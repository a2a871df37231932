//! `tessera session`: signing in, looking at sessions and ending them.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::device_key::DeviceKeyFrom;
use crate::error::CtlError;
use crate::handle::{HandleFrom, Save, SaveRefresh};
use crate::link::{Link, Who, Window};
use crate::reach;
use crate::secret::PasswordFrom;
use crate::table::Table;
use crate::user::moments;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use tessera_client::Found;
use tessera_client::wire::{ActingRow, Introspect, Made, Request, SessionRow};
use tessera_model::{Handle, HandleBytes, HandleKind, Pattern, Private, PublicId, Receipt, grouped};

/// What can be done with sessions.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum SessionVerb {
    /// Sign in with a password: a new session, whose handle is given once.
    #[command(
        after_help = "Examples:\n  tessera session sign-in amy@example.org --save amy.session\n  echo \"$PASSWORD\" | tessera session sign-in amy@example.org --password-stdin --json\n  tessera session sign-in amy@example.org --device 0190163d-8694-739b-aea5-966c26f8ad90 --device-key phone.key"
    )]
    SignIn {
        /// Email, phone number or username, as typed.
        identifier: String,
        /// Where the person's request came from, with the permission tessera.address: its failures are
        /// counted, not those of this machine.
        #[arg(long, value_name = "IP")]
        from_address: Option<IpAddr>,
        /// The public id of the person's device that the session opens on.
        #[arg(long, value_name = "UUID", value_parser = reach::public_id)]
        device: Option<PublicId>,
        #[command(flatten)]
        device_key: DeviceKeyFrom,
        #[command(flatten)]
        password: PasswordFrom,
        #[command(flatten)]
        save: Save,
        #[command(flatten)]
        save_refresh: SaveRefresh,
    },
    /// Open a session for a user whom you have authenticated yourself.
    #[command(
        after_help = "Examples:\n  tessera session open amy@example.org --save amy.session\n  tessera session open amy@example.org --device 0190163d-8694-739b-aea5-966c26f8ad90 --device-key phone.key"
    )]
    Open {
        /// Public id, email, phone number or username.
        who: Who,
        /// The public id of the user's device that it opens on.
        #[arg(long, value_name = "UUID", value_parser = reach::public_id)]
        device: Option<PublicId>,
        #[command(flatten)]
        device_key: DeviceKeyFrom,
        #[command(flatten)]
        save: Save,
        #[command(flatten)]
        save_refresh: SaveRefresh,
    },
    /// Act for a user: a session of theirs within what you name, with a reason that they see. It ends with yours,
    /// and after an hour at the latest.
    #[command(
        after_help = "Example:\n  tessera session impersonate amy@example.org --may 'orders.*' --for 15m --because 'ticket 7' --save acting.session"
    )]
    Impersonate {
        /// For whom: public id, email, phone number or username.
        who: Who,
        /// What you may use of their permissions: names, or beginnings with *; may be given several times.
        #[arg(long = "may", required = true, value_name = "PATTERN", value_parser = reach::pattern)]
        may: Vec<Pattern>,
        /// For how long: 15m; an hour at most.
        #[arg(id = "span", long = "for", value_name = "SPAN", value_parser = crate::request::seconds)]
        span: u32,
        /// Why, in one line; they see it.
        #[arg(long, value_name = "TEXT", value_parser = reach::because)]
        because: String,
        #[command(flatten)]
        save: Save,
    },
    /// Use a refresh handle: the session's idle end moves, and the handle is replaced. A handle that was
    /// replaced before ends its session. With --handle-file the file holds the new one afterwards.
    #[command(after_help = "Example:\n  tessera session refresh --handle-file amy.refresh")]
    Refresh(HandleFrom),
    /// Show what a handle is: whose, since when, until when. Exit code 1 when it is not alive.
    #[command(after_help = "Example:\n  tessera session show --handle-file amy.session")]
    Show {
        #[command(flatten)]
        handle: HandleFrom,
        /// The address that the holder's request came from, with the permission tessera.address.
        #[arg(long, value_name = "IP")]
        from_address: Option<IpAddr>,
    },
    /// List the live sessions and keys of a user or machine.
    #[command(
        after_help = "Examples:\n  tessera session list amy@example.org\n  tessera session list amy@example.org --all --json"
    )]
    List {
        /// Public id, email, phone number or username.
        who: Who,
        #[command(flatten)]
        window: Window,
    },
    /// List who acts and acted for a user: since when, why, until when, and how it ended.
    #[command(after_help = "Example:\n  tessera session actings amy@example.org")]
    Actings {
        /// Public id, email, phone number or username.
        who: Who,
        #[command(flatten)]
        window: Window,
    },
    /// Move a session's idle end, as its holder's activity does.
    #[command(after_help = "Example:\n  tessera session touch --handle-file amy.session")]
    Touch(HandleFrom),
    /// End a session, by its public id or its handle.
    #[command(
        after_help = "Examples:\n  tessera session end 0190163d-8694-739b-aea5-966c26f8ad90\n  tessera session end --handle-file amy.session"
    )]
    End {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        session: Option<PublicId>,
        #[command(flatten)]
        handle: HandleFrom,
    },
    /// End your own other sessions: those of the session that asks live on, and so do keys.
    #[command(after_help = "Example:\n  tessera session end-others --key-file amy.session")]
    EndOthers,
    /// End all sessions of a user, or of the whole tenant. Keys live on.
    #[command(
        group = clap::ArgGroup::new("whose").args(["who", "everybody"]).required(true),
        after_help = "Examples:\n  tessera session end-all amy@example.org\n  tessera session end-all --everybody"
    )]
    EndAll {
        /// Public id, email, phone number or username.
        who: Option<Who>,
        /// All sessions of the tenant.
        #[arg(long)]
        everybody: bool,
    },
}

/// Live sessions and keys as a table and as objects.
pub(crate) fn sessions(rows: &[SessionRow]) -> (Table, Value) {
    let beside = rows.iter().any(|row| row.device.is_some() || row.actor.is_some());
    let mut columns = vec!["SESSION OR KEY", "KIND", "CREATED", "EXPIRES", "IDLE UNTIL"];
    if beside {
        columns.extend(["DEVICE", "ACTOR", "BECAUSE"]);
    }
    let mut table = Table::new(&columns);
    let mut listed = Vec::new();
    let mut sorted: Vec<&SessionRow> = rows.iter().collect();
    sorted.sort_by_key(|row| (row.created, row.session));
    for row in sorted {
        let kind = if row.key { "key" } else { "session" };
        let moments = moments(row);
        let [created, expires, idle] = moments.map(shown);
        let mut cells = vec![row.session.to_string(), kind.to_owned(), created, expires, idle];
        let (device, actor) = (row.device.map(|id| id.to_string()), row.actor.map(|id| id.to_string()));
        if beside {
            let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            cells.extend([dash(device.clone()), dash(actor.clone()), dash(row.reason.clone())]);
        }
        table.row(cells);
        let mut json = Map::new();
        json.insert("device".into(), json!(device));
        json.insert("actor".into(), json!(actor));
        json.insert("acts_because".into(), json!(row.reason));
        json.insert("session".into(), json!(row.session.to_string()));
        json.insert("kind".into(), json!(kind));
        for (field, moment) in ["created", "expires", "idle_until"].into_iter().zip(moments) {
            put_instant(&mut json, field, moment);
        }
        listed.push(Value::Object(json));
    }
    (table, Value::Array(listed))
}

impl SessionVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            sign_in @ Self::SignIn { .. } => sign_in.sign_in(link).await,
            Self::Impersonate { who, may: patterns, span: ttl_s, because: reason, save } => {
                let place = save.open()?;
                let subject = link.id_of(&who).await?;
                let made = link.order(&Request::Impersonate { subject, patterns, ttl_s, reason }).await?;
                place.put(session_opened(&format!("You act for {who}."), &made)?, &made, "handle")
            }
            Self::Open { who, device, device_key, save, save_refresh } => {
                let (place, refresh) = (save.open()?, save_refresh.open()?);
                let subject = link.id_of(&who).await?;
                let proof = device_key.prove(link, device).await?;
                let made = link.order(&Request::OpenSession { subject, device, proof }).await?;
                let answer = session_opened(&format!("Opened a session of {who}."), &made)?;
                refresh.put_refresh(place.put(answer, &made, "handle")?, &made)
            }
            Self::Refresh(handle) => refresh(link, &handle).await,
            Self::Show { handle, from_address } => {
                show(link, &handle.need(&link.profile)?, from_address).await
            }
            Self::List { who, window } => {
                let subject = link.id_of(&who).await?;
                let request = |after, limit| Request::ListSessions { subject, after, limit };
                let found = window.read::<SessionRow>(link, request).await?;
                let (table, listed) = sessions(&found.rows);
                let answer = Answer::said(table.to_string()).with("subject", subject.to_string());
                Ok(found.told(answer.with("sessions", listed)))
            }
            Self::Actings { who, window } => acted(link, &who, &window).await,
            Self::Touch(handle) => {
                let handle = Private::new(handle.need(&link.profile)?.to_vec());
                let made = link.order(&Request::TouchSession { handle }).await?;
                let until = made.idle_until.and_then(instant);
                let text = until.map_or_else(
                    || "The session is touched.".to_owned(),
                    |until| format!("The session is touched: it ends at {until} unless touched again."),
                );
                Ok(Answer::said(text).at("idle_until", until).made(&made))
            }
            Self::End { session, handle } => end(link, session, &handle).await,
            Self::EndOthers => {
                let made = link.order(&Request::EndOtherSessions {}).await?;
                let text = match made.ended {
                    Some(ended) => format!("{} other sessions ended.", grouped(ended.into())),
                    None => "The other sessions ended.".to_owned(),
                };
                Ok(Answer::said(text).with("ended", made.ended).made(&made))
            }
            Self::EndAll { who: Some(who), .. } => {
                let subject = link.id_of(&who).await?;
                let made = link.order(&Request::EndSubjectSessions { subject }).await?;
                let answer = Answer::said(format!("All sessions of {who} ended."));
                Ok(answer.with("subject", subject.to_string()).made(&made))
            }
            Self::EndAll { who: None, .. } => {
                let made = link.order(&Request::EndTenantSessions {}).await?;
                Ok(Answer::said("All sessions of the tenant ended.").made(&made))
            }
        }
    }
}

impl SessionVerb {
    async fn sign_in(self, link: &Link) -> Result<Answer, CtlError> {
        let Self::SignIn {
            identifier,
            from_address: address,
            device,
            device_key,
            password,
            save,
            save_refresh,
        } = self
        else {
            return Err(CtlError::usage("no sign-in"));
        };
        let (place, refresh) = (save.open()?, save_refresh.open()?);
        let password = password.known(&format!("Password of {identifier}: "))?;
        let typed = Private::new(identifier.clone().into_bytes());
        let proof = device_key.prove(link, device).await?;
        let request = Request::SignIn { identifier: typed, password, address, device, proof };
        let made = link.order(&request).await?;
        let text = format!("{identifier} is signed in.");
        refresh.put_refresh(place.put(session_opened(&text, &made)?, &made, "handle")?, &made)
    }
}

/// What a new session or key is, but for its handle.
pub(crate) fn opened(text: &str, made: &Made) -> Result<Answer, CtlError> {
    let session = made.session.ok_or_else(|| CtlError::unnamed(made, "session"))?;
    let mut answer = Answer::said(text)
        .with("session", session.to_string())
        .with("subject", made.subject.map(|id| id.to_string()))
        .at("expires", made.expires.and_then(instant))
        .at("idle_until", made.idle_until.and_then(instant))
        .made(made);
    let mut table = Table::new(&["ID", "EXPIRES", "IDLE UNTIL"]);
    let [expires, idle] = [made.expires, made.idle_until].map(|end| shown(end.and_then(instant)));
    table.row([session.to_string(), expires, idle]);
    answer = answer.line(table.to_string());
    Ok(answer)
}

/// What a new session is: also until when it can be refreshed, and who had to go for it.
fn session_opened(text: &str, made: &Made) -> Result<Answer, CtlError> {
    let evicted: Vec<String> = made.evicted.iter().map(ToString::to_string).collect();
    let mut answer = opened(text, made)?;
    if !evicted.is_empty() {
        answer = answer.line(format!("Over the limit, these sessions ended: {}.", evicted.join(", ")));
    }
    if let Some(until) = made.refresh_until.and_then(instant) {
        answer = answer.line(format!("It can be refreshed until {until}."));
    }
    Ok(answer.with("evicted", evicted).at("refresh_until", made.refresh_until.and_then(instant)))
}

async fn acted(link: &Link, who: &Who, window: &Window) -> Result<Answer, CtlError> {
    let subject = link.id_of(who).await?;
    let request = |after, limit| Request::ListActings { subject, after, limit };
    let found = window.read::<ActingRow>(link, request).await?;
    let mut table = Table::new(&["SESSION", "ACTOR", "BECAUSE", "SINCE", "ENDED", "HOW"]);
    let mut listed = Vec::new();
    for row in &found.rows {
        let actor = row.actor.map(|id| id.to_string());
        let [begun, ends, ended] = [row.begun, row.ends, row.ended].map(instant);
        let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        table.row([
            row.session.to_string(),
            dash(actor.as_deref().unwrap_or_default()),
            row.reason.clone(),
            shown(begun),
            shown(ended),
            dash(row.how.name()),
        ]);
        let mut json = Map::new();
        json.insert("session".into(), json!(row.session.to_string()));
        json.insert("actor".into(), json!(actor));
        json.insert("acts_because".into(), json!(row.reason));
        json.insert("how".into(), json!((!row.how.name().is_empty()).then(|| row.how.name())));
        for (field, moment) in [("created", begun), ("expires", ends), ("ended", ended)] {
            put_instant(&mut json, field, moment);
        }
        listed.push(Value::Object(json));
    }
    let answer = Answer::said(table.to_string()).with("subject", subject.to_string());
    Ok(found.told(answer.with("actings", Value::Array(listed))))
}

/// A handle that refreshes: another one is told here, where its kind is seen.
fn refreshing(handle: HandleBytes) -> Result<HandleBytes, CtlError> {
    match Handle::parse(&handle) {
        Ok(Handle { kind, .. }) if kind != HandleKind::Refresh => {
            let (found, wanted) = (kind.prefix(), HandleKind::Refresh.prefix());
            Err(CtlError::usage(format!(
                "a handle {found}... refreshes nothing: a refresh handle ({wanted}...) is wanted"
            ))
            .advise("--save-refresh keeps the one that comes with a session"))
        }
        _ => Ok(handle),
    }
}

async fn refresh(link: &Link, from: &HandleFrom) -> Result<Answer, CtlError> {
    if !from.is_named() {
        return Err(CtlError::usage("which refresh handle?")
            .advise("name its file with --handle-file FILE, or give it with --handle"));
    }
    let handle = Private::new(refreshing(from.need(&link.profile)?)?.to_vec());
    let place = from.place()?;
    let made = link.order(&Request::RefreshSession { handle }).await?;
    let [until, idle] = [made.refresh_until, made.idle_until].map(|end| end.and_then(instant));
    let text = match (idle, until) {
        (Some(idle), Some(until)) => {
            format!("Refreshed: the session ends at {idle} unless used, and can be refreshed until {until}.")
        }
        (None | Some(_), _) => {
            "It had happened already, too long ago for the new handle: sign in anew.".to_owned()
        }
    };
    let answer = Answer::said(text)
        .with("session", made.session.map(|id| id.to_string()))
        .at("idle_until", idle)
        .at("refresh_until", until)
        .made(&made);
    if made.refresh.is_none() {
        return Ok(answer.denied());
    }
    place.put_refresh(answer, &made)
}

async fn show(link: &Link, handle: &HandleBytes, address: Option<IpAddr>) -> Result<Answer, CtlError> {
    let ask = Introspect { handle, at_least: Receipt::default(), address };
    let found = link.client.introspect_from(&ask).await;
    match found.map_err(|error| link.told(&error))? {
        Found::Nothing(reason, seen) => {
            Ok(Answer::said(format!("Not alive: {} (code {}).", reason.text(), reason.code()))
                .with("alive", false)
                .with("reason", reason.name())
                .with("reason_code", reason.code())
                .with("seen", seen.to_string())
                .denied())
        }
        Found::Alive(found) => {
            let kind = if found.key { "key" } else { "session" };
            let idle = (!found.key).then_some(found.idle_until);
            let mut table = Table::new(&["KIND", "ID", "SUBJECT", "SINCE", "EXPIRES", "IDLE UNTIL"]);
            table.row([
                kind.to_owned(),
                found.id.to_string(),
                found.subject.to_string(),
                shown(Some(found.authenticated_at)),
                shown(Some(found.expires)),
                shown(idle),
            ]);
            let mut answer =
                Answer::said(format!("Alive, in tenant {}.", found.tenant)).line(table.to_string());
            if let Some(device) = found.device {
                answer = answer.line(format!("It stands on device {device}."));
            }
            if let Some(actor) = found.actor {
                answer = answer.line(format!("{actor} acts in it."));
            }
            Ok(answer
                .with("device", found.device.map(|id| id.to_string()))
                .with("actor", found.actor.map(|id| id.to_string()))
                .with("alive", true)
                .with("kind", kind)
                .with("session", found.id.to_string())
                .with("subject", found.subject.to_string())
                .with("tenant", found.tenant.to_string())
                .at("authenticated_at", Some(found.authenticated_at))
                .at("expires", Some(found.expires))
                .at("idle_until", idle)
                .with("seen", found.seen.to_string()))
        }
    }
}

async fn end(link: &Link, session: Option<PublicId>, handle: &HandleFrom) -> Result<Answer, CtlError> {
    let request = match (session, handle.is_named()) {
        (Some(_), true) => return Err(CtlError::usage("give the public id or the handle, not both")),
        (Some(session), false) => Request::EndSession { session },
        // The profile's handle is not meant: to end something it must be named.
        (None, true) => Request::SignOut { handle: Private::new(handle.need(&link.profile)?.to_vec()) },
        (None, false) => {
            return Err(CtlError::usage("which session?").advise("give its public id, or --handle-file FILE"));
        }
    };
    let made = link.order(&request).await?;
    let ended = made.session.or(session).map(|id| id.to_string());
    Ok(Answer::said("The session ended.").with("session", ended).made(&made))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: only a refresh handle refreshes; others are told by their kind.
    #[test]
    fn other_handles_refresh_nothing() {
        let handle = |kind| {
            let (place, generation) = (tessera_model::Place(99), tessera_model::Generation(3));
            let (cell, tenant) = (tessera_model::CellId(7), tessera_model::TenantId(9));
            Handle { kind, cell, tenant, place, generation, secret: [7; 20] }.to_bytes()
        };
        for kind in [HandleKind::Session, HandleKind::Key] {
            let error = refreshing(handle(kind)).expect_err("refused");
            assert!(error.exit() == 2 && error.to_string().contains("tref_"), "{error}");
        }
        assert!(refreshing(handle(HandleKind::Refresh)).is_ok());
    }
}
