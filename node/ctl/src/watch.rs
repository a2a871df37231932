//! `tessera watch`: everything that happens in a tenant, as it happens.

use crate::answer::{Answer, put_instant, receipt, shown};
use crate::error::CtlError;
use crate::link::{Cursor, Link, Who, cursor};
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tessera_client::EventWatch;
use tessera_client::wire::{EventRow, Page};
use tessera_model::{Epoch, Receipt, Refusal, Revision};

/// How long one request waits for something to happen.
const WAIT_MS: u32 = 20_000;
/// What to do where a position is of a history that a restore took back.
const RESTORED: &str = "the node was restored to an earlier point, and what you saw behind that did not happen: begin anew, \
                        with --from-start or at the receipt that the restore printed";

/// What is watched, and from where.
#[derive(Clone, clap::Args)]
pub(crate) struct Watch {
    /// Go on behind this position: a cursor that this command has told.
    #[arg(long, value_name = "CURSOR", value_parser = cursor, conflicts_with_all = ["since", "from_start"])]
    cursor: Option<Cursor>,
    /// Begin behind this position: a receipt, as commands print it.
    #[arg(long, value_name = "RECEIPT", value_parser = receipt, conflicts_with = "from_start")]
    since: Option<Receipt>,
    /// Begin with the first event of the tenant.
    #[arg(long)]
    from_start: bool,
    /// Only events of this kind, or of those that begin with these words: grant, grant.added. May stand several times.
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Only what is about this subject, or ordered by it: an id, email, phone number or username.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<Who>,
    /// Only what there is now, and where to go on.
    #[arg(long)]
    once: bool,
}

fn by(row: &EventRow) -> String {
    match (row.by, row.actor) {
        (1, Some(actor)) => actor.to_string(),
        (1, None) => "a subject".to_owned(),
        (2, _) => "operator".to_owned(),
        (3, _) => "node".to_owned(),
        _ => "secret".to_owned(),
    }
}

fn object(row: &EventRow) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("event".into(), json!(row.event));
    json.insert("seen".into(), json!(row.seen.to_string()));
    put_instant(&mut json, "at", Some(row.at));
    json.insert("command".into(), json!(row.command));
    json.insert("by".into(), json!(by(row)));
    if let Some(subject) = row.subject {
        json.insert("subject".into(), json!(subject.to_string()));
    }
    let details = row.details.0.iter().filter_map(|detail| detail.split_once('='));
    let details: Map<String, Value> = details.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json.insert("details".into(), Value::Object(details));
    json
}

impl Watch {
    async fn page(
        &self,
        link: &Link,
        (at, subject): (Option<&Cursor>, Option<tessera_model::PublicId>),
        wait_ms: Option<u32>,
    ) -> Result<Page<EventRow>, CtlError> {
        let first = self.from_start.then_some(Receipt { epoch: Epoch(0), revision: Revision(0) });
        let watch = EventWatch {
            after: at.map(|cursor| cursor.bytes().to_vec()),
            since: first.or(self.since),
            kinds: self.kinds.clone(),
            subject,
            limit: 0,
            wait_ms,
        };
        let patience = Duration::from_millis(u64::from(wait_ms.unwrap_or(0)) + 10_000);
        let asked = link.client.with_deadline(patience).watch_events(watch).await;
        asked.map_err(|error| {
            let told = link.told(&error);
            if told.is(Refusal::Restored) {
                return told.advise(RESTORED);
            }
            if told.is(Refusal::Behind) {
                let seen = link.client.hello().seen;
                return told.advise(format!("it is at {seen}: is this a position of this node and tenant?"));
            }
            told
        })
    }
}

/// Tells events: once, or as they happen. As they happen each line is an object.
pub(crate) async fn watch(link: &Link, watch: Watch) -> Result<Answer, CtlError> {
    let subject = match &watch.subject {
        Some(who) => Some(link.id_of(who).await?),
        None => None,
    };
    let mut at = watch.cursor.clone();
    if watch.once {
        return once(link, &watch, (at, subject)).await;
    }
    loop {
        let found = watch.page(link, (at.as_ref(), subject), Some(WAIT_MS)).await?;
        let next = found.next.map(Cursor::of);
        for (nth, row) in (1_usize..).zip(&found.rows) {
            let mut json = object(row);
            // The cursor goes on behind all of a page.
            let last = nth == found.rows.len();
            json.insert("cursor".into(), json!(next.as_ref().filter(|_| last).map(ToString::to_string)));
            if !crate::output::is_read(&format!("{}\n", crate::output::sorted(Value::Object(json))))? {
                return Ok(Answer::quiet());
            }
        }
        if let (None, Some(next)) = (&at, &next) {
            // Whoever ends before the first event has to know where to go on, too.
            crate::output::tell(&format!("tessera: watching; go on from here with --cursor {next}"));
        }
        at = next.or(at);
    }
}

/// Every page that there is now: up to the first that does not go on.
async fn once(
    link: &Link,
    watch: &Watch,
    (mut at, subject): (Option<Cursor>, Option<tessera_model::PublicId>),
) -> Result<Answer, CtlError> {
    let mut table = Table::new(&["SEEN", "AT", "EVENT", "BY", "SUBJECT", "WHAT"]);
    let (mut events, mut last) = (Vec::new(), None);
    loop {
        let found = watch.page(link, (at.as_ref(), subject), None).await?;
        for row in &found.rows {
            let about = row.subject.map_or_else(|| "-".to_owned(), |subject| subject.to_string());
            let (seen, when) = (row.seen.to_string(), shown(Some(row.at)));
            table.row([seen, when, row.event.clone(), by(row), about, row.details.0.join(" ")]);
            events.push(Value::Object(object(row)));
            last = Some(row.seen);
        }
        let next = found.next.map(Cursor::of).or_else(|| at.clone());
        let ended = next == at || (found.rows.is_empty() && at.is_none() && watch.begins_now());
        at = next;
        if ended {
            break;
        }
    }
    let next = at.map(|at| at.to_string());
    let answer = Answer::said(table.to_string()).with("events", events).with("next", next);
    // Nothing of that position is left: a receipt is as good as the cursor.
    Ok(match last {
        Some(seen) => answer.line(format!("Go on with --since {seen}")),
        None => answer,
    })
}

impl Watch {
    const fn begins_now(&self) -> bool {
        self.since.is_none() && !self.from_start
    }
}
