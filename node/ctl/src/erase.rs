//! `tessera user erase` and `tessera invitation erase`: order it, and wait for the notice that it is done.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Who, Window};
use crate::secret::confirm;
use std::fmt;
use std::time::Duration;
use tessera_client::wire::{InvitationRow, Made, Request};
use tessera_model::{Identifier, PublicId};

/// How often it asks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// LIMIT: how often it asks: five minutes. A checkpoint of a large tenant takes seconds.
const LOOKS_MAX: u32 = 1_200;

/// Orders an erasure until the answer says that it is done; none where it goes on behind all that.
async fn done(link: &Link, request: &Request) -> Result<Option<Made>, CtlError> {
    for _ in 0..LOOKS_MAX {
        let made = link.order(request).await?;
        if made.erased == Some(true) {
            return Ok(Some(made));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(None)
}

/// Erases a user, and tells when nobody can read anything private of it any more.
pub(crate) async fn run(link: &Link, who: &Who, yes: bool) -> Result<Answer, CtlError> {
    confirm(yes, &format!("Erasing {who}"), &who.to_string())?;
    let subject = link.id_of(who).await?;
    let Some(made) = done(link, &Request::EraseSubject { subject }).await? else {
        let told =
            format!("The erasure of {who} goes on; ask again with: tessera user erase {subject} --yes");
        return Ok(Answer::said(told).with("subject", subject.to_string()).with("erased", false).denied());
    };
    let told = format!(
        "{who} is erased: nothing private of it can be read any more in this data directory.\n\
         Backups that were taken before hold it until they are destroyed."
    );
    Ok(Answer::said(told).with("subject", subject.to_string()).with("erased", true).made(&made))
}

/// The invitations that are for an identifier.
async fn for_identifier(link: &Link, whom: &Identifier) -> Result<Vec<PublicId>, CtlError> {
    let request = |after, limit| Request::ListInvitations {
        subject: None,
        open: false,
        after,
        limit,
        whom: Some(whom.clone()),
    };
    let found = Window::all().read::<InvitationRow>(link, request).await?;
    Ok(found.rows.iter().map(|row| row.invitation).collect())
}

/// Whose invitations are erased: one by its public id, or all that are for an identifier.
#[derive(Clone)]
pub(crate) enum Invited {
    /// This one.
    One(PublicId),
    /// All of these.
    All(Identifier),
}

impl Invited {
    /// Reads a public id, or an identifier.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        crate::reach::public_id(text).map(Self::One).or_else(|_| crate::link::identifier(text).map(Self::All))
    }
}

impl fmt::Display for Invited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(id) => write!(f, "{id}"),
            Self::All(whom) => f.write_str(whom.typed()),
        }
    }
}

/// Erases whom invitations are for, and tells when nobody can read that any more.
pub(crate) async fn invitations(link: &Link, invited: &Invited, yes: bool) -> Result<Answer, CtlError> {
    confirm(yes, &format!("Erasing whom invitations are for ({invited})"), &invited.to_string())?;
    let found = match invited {
        Invited::One(id) => vec![*id],
        Invited::All(whom) => for_identifier(link, whom).await?,
    };
    // All are ordered before one is waited for: they go together.
    for invitation in &found {
        link.order(&Request::EraseInvitation { invitation: *invitation }).await?;
    }
    let mut erased = Vec::new();
    for invitation in &found {
        if done(link, &Request::EraseInvitation { invitation: *invitation }).await?.is_none() {
            let told = format!(
                "The erasure of invitation {invitation} goes on; ask again with: tessera invitation erase {invitation} --yes"
            );
            return Ok(Answer::said(told).with("invitations", erased).with("erased", false).denied());
        }
        erased.push(invitation.to_string());
    }
    let told = match erased.len() {
        0 => "No invitation is for that address: nothing is erased.".to_owned(),
        1 => "The invitation is erased: nobody can read any more in this data directory whom it was for.\n\
              Backups that were taken before hold it until they are destroyed."
            .to_owned(),
        count => format!(
            "{count} invitations are erased: nobody can read any more in this data directory whom they were for.\n\
             Backups that were taken before hold it until they are destroyed."
        ),
    };
    Ok(Answer::said(told).with("invitations", erased).with("erased", true))
}
