//! `tessera user erase`: orders it, and waits for the notice that it is done.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Who};
use crate::secret::confirm;
use std::time::Duration;
use tessera_client::wire::Request;

/// How often it asks whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// LIMIT: how often it asks: five minutes. A checkpoint of a large tenant takes seconds.
const LOOKS_MAX: u32 = 1_200;

/// Erases a user, and tells when nobody can read anything private of it any more.
pub(crate) async fn run(link: &Link, who: &Who, yes: bool) -> Result<Answer, CtlError> {
    confirm(yes, &format!("Erasing {who}"), &who.to_string())?;
    let subject = link.id_of(who).await?;
    for _ in 0..LOOKS_MAX {
        let made = link.order(&Request::EraseSubject { subject }).await?;
        if made.erased == Some(true) {
            let told = format!(
                "{who} is erased: nothing private of it can be read any more in this data directory.\n\
                 Backups that were taken before hold it until they are destroyed."
            );
            return Ok(Answer::said(told)
                .with("subject", subject.to_string())
                .with("erased", true)
                .made(&made));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let told = format!("The erasure of {who} goes on; ask again with: tessera user erase {subject} --yes");
    Ok(Answer::said(told).with("subject", subject.to_string()).with("erased", false).denied())
}
