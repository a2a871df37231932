//! Events of a tenant as rows, and the request that watches them.

use crate::fault::WireError;
use crate::fields::{FieldsReader, FieldsWriter};
use crate::part::{Part, text};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::{PublicId, Receipt, UnixMillis};

/// LIMIT: details of one event.
const DETAILS_MAX: usize = 32;

/// What an event says: `name=value` each, in a fixed order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventDetails(pub Vec<String>);

impl Part for EventDetails {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        self.0.iter().for_each(|one| out.text(tag, one));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut found = Vec::new();
        for value in from.all(tag) {
            if found.len() == DETAILS_MAX {
                return Err(WireError::Malformed(tag));
            }
            found.push(text(tag, value?)?.to_owned());
        }
        Ok(Self(found))
    }
}

shapes! {
    /// An event of a tenant. No `Debug`: what it says may be personal.
    #[derive(Clone, Eq, PartialEq)]
    EventRow {
        /// The position: the epoch that it is of, and its revision.
        seen: Receipt = Epoch,
        /// When it was committed.
        at: UnixMillis = Happened,
        /// What kind of event: words with dots between. `command` where a command did nothing else that is told.
        event: String = EventKind,
        /// By which command.
        command: String = EventCommand,
        /// Who ordered it: 1 a subject, 2 an operator, 3 the node, 4 whoever held a secret.
        by: u32 = EventBy,
        /// The subject that ordered it; none for another, or for one whom the reader does not see.
        actor: Option<PublicId> = Actor,
        /// Whom it is about.
        subject: Option<PublicId> = Subject,
        /// What it says. What is private of a subject is `hidden` without the permission to read subjects, and `erased`
        /// when the subject is.
        details: EventDetails = EventDetail,
    }
}

/// The table of requests: the commands that are given, then the watch of events, then the others.
macro_rules! and_events {
    ($($commands:tt)*) => {
        $crate::fleet::and_fleet! {
            $($commands)*
            /// The events of the tenant behind a cursor or a position; none without both, but `Next`, where to begin. Where
            /// there is nothing behind it the answer waits. `Next` is always there. Needs `tessera.audit`.
            WatchEvents = 0x20E0 -> EventRow {
                /// Where the page begins.
                after: Option<Private> = After,
                /// How many rows at most.
                limit: u32 = Limit,
                /// How long to wait where nothing has happened, at most 30,000 ms; none for not at all.
                wait_ms: Option<u32> = Wait,
                /// Without a cursor: the position behind which to begin. One of epoch 0 is the beginning of the history.
                since: Option<Receipt> = Epoch,
                /// Only events of these kinds, at most 64: whole names, or their first words; none for all.
                kinds: Vec<String> = EventKind,
                /// Only what is about this subject, or ordered by it.
                subject: Option<PublicId> = Subject,
            };
        }
    };
}
pub(crate) use and_events;
