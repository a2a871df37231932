//! `tessera invitation`: somebody is asked into a workspace, whether there is an account or not.

use crate::answer::{Answer, instant, put_instant, shown};
use crate::erase::{self, Invited};
use crate::error::CtlError;
use crate::handle::{self, Save};
use crate::link::{Link, Who, Window, identifier};
use crate::reach::{self, Reach};
use crate::secret::{self, PasswordFrom};
use crate::table::Table;
use crate::when::When;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use tessera_client::wire::{InvitationRow, Made, Request};
use tessera_model::code::ProtocolCode;
use tessera_model::{Deadline, Identifier, Name, Private, PublicId};

/// Where the one-time secret of an invitation is.
#[derive(Clone, clap::Args)]
pub(crate) struct SecretFrom {
    /// A file that holds the one-time secret (`tinv_...`); also TESSERA_SECRET.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// What can be done with invitations.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum InvitationVerb {
    /// Invite somebody into a workspace with a role. The secret goes to them, by a way that is theirs alone.
    #[command(
        after_help = "Examples:\n  tessera invitation send eve@example.org berlin clerk --save eve.invitation\n  tessera invitation send +4930123456 berlin clerk --guest --until +90d --expires +3d"
    )]
    Send {
        /// Email, phone number (with +) or username; there may be an account or not.
        #[arg(value_parser = identifier, value_name = "IDENTIFIER")]
        whom: Identifier,
        /// Into which workspace.
        #[arg(value_parser = reach::name)]
        workspace: Name,
        /// With which role.
        #[arg(value_parser = reach::name)]
        role: Name,
        /// Until when they have the role; without it, for good.
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
        /// Until when it may be answered, at most 30 days from now: an instant in UTC, or a span from now.
        #[arg(long, value_name = "TIME", default_value = "+7d")]
        expires: When,
        /// Who gets an account by it is a guest: has nothing but what is granted to them in workspaces.
        #[arg(long)]
        guest: bool,
        #[command(flatten)]
        save: Save,
    },
    /// List the invitations, in the order in which they were made.
    #[command(
        after_help = "Examples:\n  tessera invitation list --open\n  tessera invitation list --by amy@example.org --all --json\n  tessera invitation list --for eve@example.org"
    )]
    List {
        /// Those that this user made alone.
        #[arg(long, value_name = "WHO")]
        by: Option<Who>,
        /// Those alone that can be answered.
        #[arg(long)]
        open: bool,
        /// Those alone that are for this email, phone number or username, whoever made them. Needs
        /// tessera.admin.subjects.
        #[arg(long = "for", value_parser = identifier, value_name = "IDENTIFIER")]
        whom: Option<Identifier>,
        #[command(flatten)]
        window: Window,
    },
    /// Make a new secret for an invitation; the one before ends.
    #[command(after_help = "Example:\n  tessera invitation resend 0190163d-8694-739b-aea5-966c26f8ad90")]
    Resend {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        invitation: PublicId,
        /// Until when it may be answered from now on.
        #[arg(long, value_name = "TIME", default_value = "+7d")]
        expires: When,
        #[command(flatten)]
        save: Save,
    },
    /// Take an invitation back.
    #[command(after_help = "Example:\n  tessera invitation withdraw 0190163d-8694-739b-aea5-966c26f8ad90")]
    Withdraw {
        /// Its public id.
        #[arg(value_parser = reach::public_id)]
        invitation: PublicId,
    },
    /// Erase whom an invitation is for, or all invitations for an address: they end, and nobody can read that any more.
    #[command(
        after_help = "It ends with the notice that it is done. Backups of before hold it until they are destroyed (tessera backup erase).\n\nExamples:\n  tessera invitation erase eve@example.org --yes\n  tessera invitation erase 0190163d-8694-739b-aea5-966c26f8ad90 --yes"
    )]
    Erase {
        /// The public id of an invitation; or an email, phone number (with +) or username: all that are for it.
        #[arg(value_parser = Invited::read, value_name = "INVITATION|IDENTIFIER")]
        whom: Invited,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Accept an invitation with one's own session as --key-file: one's account has the invited identifier.
    #[command(
        after_help = "Example:\n  tessera invitation accept --secret-file eve.invitation --key-file eve.session"
    )]
    Accept(SecretFrom),
    /// Accept an invitation without an account: one is made, with the invited identifier and a password.
    #[command(
        after_help = "Examples:\n  tessera invitation join --secret-file eve.invitation\n  echo \"$PASSWORD\" | tessera invitation join --secret-file eve.invitation --password-stdin"
    )]
    Join(Join),
    /// Decline an invitation. Needs no key.
    #[command(after_help = "Example:\n  tessera invitation decline --secret-file eve.invitation")]
    Decline(SecretFrom),
}

/// How to accept without an account.
#[derive(Clone, clap::Args)]
pub(crate) struct Join {
    #[command(flatten)]
    secret: SecretFrom,
    #[command(flatten)]
    password: PasswordFrom,
}

impl SecretFrom {
    fn read(&self) -> Result<(String, Private), CtlError> {
        let secret = secret::one_time(self.secret_file.as_deref(), "The invitation's secret: ")?;
        let text = String::from_utf8_lossy(secret.expose()).into_owned();
        let bytes = handle::read(&text)?;
        Ok((text, Private::new(bytes.to_vec())))
    }

    /// Answers over a connection of its own, for whoever has the secret.
    async fn answer(&self, reach: &Reach, password: Option<Private>) -> Result<Made, CtlError> {
        let (text, secret) = self.read()?;
        let mut settled = reach.settle().await?;
        settled.config.credential = Some(text);
        let wrong = |error: CtlError| {
            let refused = error.code() == Some(ProtocolCode::HelloRefused.code());
            if refused { CtlError::secret_wrong() } else { error }
        };
        let link = Link::open(settled, None).await.map_err(wrong)?;
        let accept = password.is_some();
        let made = link.order(&Request::AnswerInvitation { secret, accept, password }).await;
        link.close().await;
        made
    }

    /// Declines, whoever has the secret.
    pub(crate) async fn decline(self, reach: &Reach) -> Result<Answer, CtlError> {
        let made = self.answer(reach, None).await?;
        Ok(Answer::said("Declined.").with("invitation", id(made.invitation)).made(&made))
    }
}

impl Join {
    /// Accepts for somebody who has no account.
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        let password = self.password.fresh("New password: ")?;
        let made = self.secret.answer(reach, Some(password)).await?;
        let text = "You are in: sign in with the identifier that was invited, and your password.";
        Ok(accepted(text, &made))
    }
}

fn id(id: Option<PublicId>) -> Option<String> {
    id.map(|id| id.to_string())
}

fn accepted(text: &str, made: &Made) -> Answer {
    let answer = Answer::said(text).with("invitation", id(made.invitation));
    answer.with("subject", id(made.subject)).made(made)
}

fn invitations(rows: &[InvitationRow]) -> (Table, Value) {
    let mut table = Table::new(&["INVITATION", "WHOM", "WORKSPACE", "ROLE", "GUEST", "STATE", "UNTIL"]);
    let mut listed = Vec::new();
    for row in rows {
        let name = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
        let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let whom = row.whom.as_ref().map(|whom| whom.typed().to_owned());
        let state = row.state.name(row.lapsed);
        table.row([
            row.invitation.to_string(),
            dash(whom.clone()),
            dash(name(&row.workspace)),
            dash(name(&row.role)),
            if row.guest { "yes" } else { "no" }.to_owned(),
            state.to_owned(),
            shown(instant(row.until)),
        ]);
        let mut json = Map::new();
        json.insert("invitation".into(), json!(row.invitation.to_string()));
        json.insert("identifier".into(), json!(whom));
        json.insert("inviter".into(), json!(id(row.inviter)));
        json.insert("workspace".into(), json!(name(&row.workspace)));
        json.insert("role".into(), json!(name(&row.role)));
        json.insert("guest".into(), json!(row.guest));
        json.insert("secrets".into(), json!(row.secrets));
        json.insert("state".into(), json!(state));
        json.insert("subject".into(), json!(id(row.subject)));
        put_instant(&mut json, "created", instant(row.made));
        put_instant(&mut json, "until", instant(row.until));
        put_instant(&mut json, "grant_until", instant(row.grant_until));
        put_instant(&mut json, "decided", instant(row.decided));
        listed.push(Value::Object(json));
    }
    (table, Value::Array(listed))
}

/// What is told of an invitation whose secret goes out.
fn sent(text: String, made: &Made) -> Answer {
    let answer = Answer::said(text).with("invitation", id(made.invitation));
    answer.at("expires", made.expires.and_then(instant)).made(made)
}

impl InvitationVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Send { whom, workspace, role, until, expires, guest, save } => {
                let place = save.open()?;
                let grant_until = until.map_or(Ok(Deadline::NONE), |until| until.resolve(link.now()))?;
                let until = expires.resolve(link.now())?;
                let typed = whom.typed().to_owned();
                let text = format!("Invited {typed} into workspace {workspace} with role {role}.");
                let request = Request::Invite { whom, workspace, role, grant_until, until, guest };
                let made = link.order(&request).await?;
                place.put(sent(text, &made).with("identifier", typed), &made, "secret")
            }
            Self::List { by, open, whom, window } => {
                let subject = match by {
                    Some(who) => Some(link.id_of(&who).await?),
                    None => None,
                };
                let request = |after, limit| {
                    let whom = whom.clone();
                    Request::ListInvitations { subject, open, after, limit, whom }
                };
                let found = window.read::<InvitationRow>(link, request).await?;
                let (table, listed) = invitations(&found.rows);
                Ok(found.told(Answer::said(table.to_string()).with("invitations", listed)))
            }
            Self::Resend { invitation, expires, save } => {
                let place = save.open()?;
                let until = expires.resolve(link.now())?;
                let made = link.order(&Request::ResendInvitation { invitation, until }).await?;
                let text = "A new secret: the one before ended.".to_owned();
                place.put(sent(text, &made), &made, "secret")
            }
            Self::Withdraw { invitation } => {
                let made = link.order(&Request::WithdrawInvitation { invitation }).await?;
                Ok(Answer::said("Withdrawn.").with("invitation", invitation.to_string()).made(&made))
            }
            Self::Erase { whom, yes } => erase::invitations(link, &whom, yes).await,
            Self::Accept(from) => {
                let (_, secret) = from.read()?;
                let request = Request::AnswerInvitation { secret, accept: true, password: None };
                let made = link.order(&request).await?;
                Ok(accepted("You are in.", &made))
            }
            Self::Join(_) | Self::Decline(_) => {
                Err(CtlError::unexpected("this goes over a connection of its own"))
            }
        }
    }
}
