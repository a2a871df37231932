//! `tessera user` (or `subject`): whoever acts, people and machines.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::attribute;
use crate::erase;
use crate::error::CtlError;
use crate::handle::{self, Save};
use crate::link::{Link, Who, Window, identifier};
use crate::reach::Reach;
use crate::secret::{self, PasswordFrom, confirm};
use crate::session;
use crate::table::Table;
use crate::visibility::if_shown;
use crate::when::When;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tessera_client::wire::{AttributeValueRow, IdentifierRow, Request, SessionRow, SubjectRow};
use tessera_model::code::ProtocolCode;
use tessera_model::record::{SubjectKind, SubjectStatus};
use tessera_model::{Identifier, IdentifierKind, Private, PublicId, Refusal, UnixMillis};

/// What can be done with users and machines.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum UserVerb {
    /// Make a user, or a machine.
    #[command(
        after_help = "Examples:\n  tessera user create amy@example.org --ask-password\n  echo \"$PASSWORD\" | tessera user create amy@example.org amy '+49 30 1234567' --password-stdin\n  tessera user create --machine"
    )]
    Create {
        /// Emails, phone numbers (with +) and usernames.
        #[arg(value_parser = identifier, value_name = "IDENTIFIER")]
        identifiers: Vec<Identifier>,
        /// Make a machine: a service, device or tool.
        #[arg(long)]
        machine: bool,
        /// Set a password: ask for it, or take it from TESSERA_PASSWORD.
        #[arg(long)]
        ask_password: bool,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Show a user with identifiers, attributes, grants and live sessions.
    #[command(after_help = "Example:\n  tessera user show amy@example.org")]
    Show {
        /// Public id, email, phone number or username.
        who: Who,
    },
    /// List the users and machines.
    #[command(after_help = "Example:\n  tessera user list --limit 100")]
    List(Window),
    /// Suspend a user: sessions end, keys are denied until resumed.
    #[command(after_help = "Example:\n  tessera user suspend amy@example.org")]
    Suspend {
        /// Public id, email, phone number or username.
        who: Who,
    },
    /// Make a guest of a user, or a member of a guest: nothing reaches a guest but what is granted to them in workspaces.
    #[command(
        after_help = "Examples:\n  tessera user guest eve@example.org\n  tessera user guest eve@example.org --off"
    )]
    Guest {
        /// Public id, email, phone number or username.
        who: Who,
        /// A member from now on.
        #[arg(long)]
        off: bool,
    },
    /// Let a suspended user act again. Ended sessions stay ended.
    #[command(after_help = "Example:\n  tessera user resume amy@example.org")]
    Resume {
        /// Public id, email, phone number or username.
        who: Who,
    },
    /// Forget a user's failed sign-ins: they may try again at once.
    #[command(after_help = "Example:\n  tessera user unlock amy@example.org")]
    Unlock {
        /// Public id, email, phone number or username.
        who: Who,
    },
    /// Erase a user: delete it, and destroy the key of everything that is private of it. It waits until that is
    /// done; there is no way back. Also for users that were deleted before, by their public id.
    #[command(after_help = "Example:\n  tessera user erase amy@example.org --yes")]
    Erase {
        /// Public id, email, phone number or username.
        who: Who,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Delete a user for ever: sessions and keys end, identifiers become free.
    #[command(after_help = "Example:\n  tessera user delete amy@example.org --yes")]
    Delete {
        /// Public id, email, phone number or username.
        who: Who,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Add or remove what a user signs in with.
    #[command(subcommand)]
    Identifier(IdentifierVerb),
    /// Set attributes of a user.
    #[command(subcommand)]
    Attribute(attribute::ValueVerb),
    /// Set or change a password.
    #[command(subcommand)]
    Password(PasswordVerb),
}

/// What can be done with identifiers.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum IdentifierVerb {
    /// Add an identifier.
    #[command(after_help = "Example:\n  tessera user identifier add amy@example.org '+49 30 1234567'")]
    Add {
        /// Public id, email, phone number or username.
        who: Who,
        /// The new one.
        #[arg(value_parser = identifier)]
        identifier: Identifier,
    },
    /// Remove an identifier.
    #[command(after_help = "Example:\n  tessera user identifier remove amy@example.org amy")]
    Remove {
        /// Public id, email, phone number or username.
        who: Who,
        /// The one to remove.
        #[arg(value_parser = identifier)]
        identifier: Identifier,
    },
}

/// What can be done with passwords.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum PasswordVerb {
    /// Make a one-time secret with which somebody sets their password themselves. The password until now
    /// and the sessions end when they do.
    #[command(
        after_help = "Examples:\n  tessera user password reset amy@example.org\n  tessera user password reset amy@example.org --now --expires +1h --save amy.setup\n\nGive the secret to its owner, who uses it once: tessera user password set-up"
    )]
    Reset {
        /// Public id, email, phone number or username.
        who: Who,
        /// When the secret ends, at most a week from now: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME", default_value = "+24h")]
        expires: When,
        /// Take the present password away and end the sessions at once.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        save: Save,
    },
    /// Set one's own password with the one-time secret. Needs no key.
    #[command(
        after_help = "Examples:\n  tessera user password set-up --secret-file amy.setup\n  echo \"$PASSWORD\" | tessera user password set-up --secret-file amy.setup --password-stdin"
    )]
    SetUp(SetUp),
    /// Change one's own password, with one's own session as --key-file. Other sessions end.
    #[command(
        after_help = "Examples:\n  tessera user password change --key-file my-session\n  printf '%s\\n%s\\n' \"$OLD\" \"$NEW\" | tessera user password change --key-file my-session --both-stdin"
    )]
    Change {
        /// Read the old password and the new one from the first two lines of standard input.
        #[arg(long)]
        both_stdin: bool,
    },
}

/// How to set a password up.
#[derive(Clone, clap::Args)]
pub(crate) struct SetUp {
    /// A file that holds the one-time secret (`tset_...`); also TESSERA_SECRET.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordFrom,
}

impl SetUp {
    /// Over a connection of its own, for whoever has the secret.
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        let secret = secret::one_time(self.secret_file.as_deref(), "The one-time secret: ")?;
        let text = String::from_utf8_lossy(secret.expose()).into_owned();
        let bytes = handle::read(&text)?;
        let password = self.password.fresh("New password: ")?;
        let mut settled = reach.settle().await?;
        settled.config.credential = Some(text);
        let wrong = |error: CtlError| {
            let refused = error.code() == Some(ProtocolCode::HelloRefused.code());
            if refused { CtlError::secret_wrong() } else { error }
        };
        let link = Link::open(settled, None).await.map_err(wrong)?;
        let secret = Private::new(bytes.to_vec());
        let made = link.order(&Request::SetUpPassword { secret, password }).await;
        link.close().await;
        let made = made?;
        let subject = made.subject.map(|id| id.to_string());
        Ok(Answer::said("Your password is set; all your sessions ended.")
            .with("subject", subject)
            .made(&made))
    }
}

const fn identifier_kind(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::Email => "email",
        IdentifierKind::Phone => "phone",
        IdentifierKind::Username => "username",
    }
}

fn object(row: &SubjectRow) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("subject".into(), json!(row.subject.to_string()));
    json.insert("kind".into(), json!(row.kind.name()));
    json.insert("status".into(), json!(row.status.map(SubjectStatus::name)));
    json.insert("has_password".into(), json!(row.has_password));
    json.insert("guest".into(), json!(row.guest));
    json.insert("creator".into(), json!(row.creator.map(|id| id.to_string())));
    json
}

fn yes(flag: Option<bool>) -> String {
    match flag {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    }
    .to_owned()
}

fn table(rows: &[SubjectRow]) -> Table {
    let mut table = Table::new(&["SUBJECT", "KIND", "STATUS", "PASSWORD", "GUEST"]);
    for row in rows {
        let status = row.status.map_or("-", SubjectStatus::name).to_owned();
        let kind = row.kind.name().to_owned();
        table.row([row.subject.to_string(), kind, status, yes(row.has_password), yes(row.guest)]);
    }
    table
}

impl UserVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Create { identifiers, machine, ask_password, password } => {
                let wanted = ask_password || password.is_named();
                create(link, identifiers, machine, wanted.then_some(password)).await
            }
            Self::Show { who } => show(link, &who).await,
            Self::List(window) => {
                let found = window.read(link, |after, limit| Request::ListSubjects { after, limit }).await?;
                let rows: Vec<Value> = found.rows.iter().map(|row| Value::Object(object(row))).collect();
                let text = table(&found.rows).to_string();
                Ok(found.told(Answer::said(text).with("subjects", rows)))
            }
            Self::Suspend { who } => {
                let done = "is suspended: sessions ended, keys are denied";
                change(link, &who, done, |subject| Request::SuspendSubject { subject }).await
            }
            Self::Guest { who, off } => {
                let done = if off { "is a member" } else { "is a guest" };
                change(link, &who, done, |subject| Request::SetGuest { subject, guest: !off }).await
            }
            Self::Resume { who } => {
                change(link, &who, "may act again", |subject| Request::ResumeSubject { subject }).await
            }
            Self::Unlock { who } => {
                change(link, &who, "may sign in again", |subject| Request::ForgetFailures { subject }).await
            }
            Self::Erase { who, yes } => erase::run(link, &who, yes).await,
            Self::Delete { who, yes } => {
                confirm(yes, &format!("Deleting {who}"), &who.to_string())?;
                change(link, &who, "is deleted for ever", |subject| Request::DeleteSubject { subject }).await
            }
            Self::Identifier(verb) => verb.run(link).await,
            Self::Attribute(verb) => verb.run(link).await,
            Self::Password(verb) => verb.run(link).await,
        }
    }
}

async fn create(
    link: &Link,
    identifiers: Vec<Identifier>,
    machine: bool,
    password: Option<PasswordFrom>,
) -> Result<Answer, CtlError> {
    let kind = if machine { SubjectKind::Machine } else { SubjectKind::Person };
    let named = identifiers.first().map(|identifier| format!(" {}", identifier.typed())).unwrap_or_default();
    let password = password.map(|from| from.fresh("New password: ")).transpose()?;
    let request = Request::CreateSubject { kind, identifiers, password };
    let made = link.order(&request).await?;
    let subject = made.subject.ok_or_else(|| CtlError::unnamed(&made, "subject"))?;
    let answer = Answer::said(format!("Made {}{named} ({subject}).", kind.name()));
    Ok(answer.with("subject", subject.to_string()).with("kind", kind.name()).made(&made))
}

/// A change of one subject that only needs its id.
async fn change(
    link: &Link,
    who: &Who,
    done: &str,
    request: impl FnOnce(PublicId) -> Request,
) -> Result<Answer, CtlError> {
    let subject = link.id_of(who).await?;
    let made = link.order(&request(subject)).await?;
    Ok(Answer::said(format!("{who} {done}.")).with("subject", subject.to_string()).made(&made))
}

async fn show(link: &Link, who: &Who) -> Result<Answer, CtlError> {
    let row = link.subject(who).await?;
    let subject = row.subject;
    let mut identifiers = link.page::<IdentifierRow>(&Request::ListIdentifiers { subject }).await?.rows;
    // The node gives them in no order that means anything.
    identifiers.sort_by(|one, other| {
        let order = |row: &IdentifierRow| (row.identifier.kind(), row.identifier.normal().to_owned());
        order(one).cmp(&order(other))
    });
    let values = link.page::<AttributeValueRow>(&Request::ListAttributeValues { subject }).await?.rows;
    let grants = if_shown(crate::grant::all(link, subject).await)?;
    let sessions = if_shown(link.sessions(subject).await)?;
    let mut json = object(&row);
    let mut answer = Answer::said(table(std::slice::from_ref(&row)).to_string());
    let mut named = Table::new(&["IDENTIFIER", "KIND", "FAILURES", "WAITS UNTIL"]);
    let mut listed = Vec::new();
    for IdentifierRow { identifier, failures, waits_until } in &identifiers {
        let (kind, until) = (identifier_kind(identifier.kind()), instant(*waits_until));
        let failed = failures.map_or_else(|| "-".to_owned(), |count| count.to_string());
        named.row([identifier.typed().to_owned(), kind.to_owned(), failed, shown(until)]);
        let mut row = Map::new();
        row.insert("kind".into(), json!(kind));
        row.insert("identifier".into(), json!(identifier.typed()));
        row.insert("normal".into(), json!(identifier.normal()));
        row.insert("failures".into(), json!(failures));
        put_instant(&mut row, "waits_until", until);
        listed.push(Value::Object(row));
    }
    json.insert("identifiers".into(), Value::Array(listed));
    let (attributes, object) = attribute::values(&values);
    json.insert("attributes".into(), object);
    let (granted, objects) = crate::grant::grants(&grants);
    json.insert("grants".into(), objects);
    let (live, objects) = session::sessions(&sessions);
    json.insert("sessions".into(), objects);
    for part in [named, attributes, granted, live] {
        if !part.is_empty() {
            answer = answer.line(format!("\n{part}"));
        }
    }
    Ok(answer.with("subject", Value::Object(json)))
}

impl IdentifierVerb {
    async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Add { who, identifier } => {
                let done = format!("has the identifier {}", identifier.typed());
                change(link, &who, &done, |subject| Request::AddIdentifier { subject, identifier }).await
            }
            Self::Remove { who, identifier } => {
                let done = format!("has the identifier {} no more", identifier.typed());
                change(link, &who, &done, |subject| Request::RemoveIdentifier { subject, identifier }).await
            }
        }
    }
}

impl PasswordVerb {
    async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Reset { who, expires, now, save } => {
                let place = save.open()?;
                let subject = link.id_of(&who).await?;
                let until = expires.resolve(link.now())?;
                let made = link.order(&Request::ResetPassword { subject, until, clear: now }).await?;
                let ended = if now { "\nThe password until now is gone; all sessions ended." } else { "" };
                let text = format!("{who} may set a new password, once.{ended}");
                let answer = Answer::said(text).with("subject", subject.to_string());
                let answer = answer.at("expires", made.expires.and_then(instant)).made(&made);
                place.put(answer, &made, "secret")
            }
            Self::SetUp(_) => Err(CtlError::unexpected("this goes over a connection of its own")),
            Self::Change { both_stdin } => {
                let (old, new) = if both_stdin {
                    (secret::line_of_stdin("the old password")?, secret::line_of_stdin("the new password")?)
                } else {
                    let from = PasswordFrom::at_terminal();
                    (secret::ask("Password until now: ")?, from.fresh("New password: ")?)
                };
                let made = link.order(&Request::ChangePassword { old, new }).await;
                let made = made.map_err(|error| match error.code() {
                    Some(code) if code == Refusal::SignInFailed.code() => error.old_password(),
                    _ => error,
                })?;
                Ok(Answer::said("Your password is changed; your other sessions ended.").made(&made))
            }
        }
    }
}

/// When a session was opened and ends; a key has no idle end.
pub(crate) fn moments(row: &SessionRow) -> [Option<UnixMillis>; 3] {
    let idle = row.idle_until.and_then(instant);
    [instant(row.created), instant(row.expires), idle]
}
