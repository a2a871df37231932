//! One check of a relation and its answer, flat: what is asked most often about relations costs the wire no more than a
//! check of a permission. What comes with other questions, or with tuples of its own, is asked in fields.

use crate::archive::{self, CheckRelationPayload, RelationDecisionPayload};
use crate::check::{length_within, name_within, receipt};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use tessera_model::limits::RELATION_BYTES_MAX;
use tessera_model::{Receipt, UnixMillis};

/// Flag of an answer: the subject is in the relation.
const PERMITTED: u16 = 1;

/// Is a subject in a relation to an object of the connection's tenant?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelationQuery<'a> {
    /// `type:id`.
    pub object: &'a str,
    /// The relation.
    pub relation: &'a str,
    /// `type:id`, `type:id#relation` or `type:*`.
    pub subject: &'a str,
    /// The position that the answer must have seen; zero asks for nothing.
    pub at_least: Receipt,
}

/// The answer to one check of a relation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelationDecision {
    /// Whether the subject is in the relation.
    pub permitted: bool,
    /// Why there is no answer: a code of the code table; 0 when there is one.
    pub code: u16,
    /// Until when it holds by time alone.
    pub valid_until: UnixMillis,
    /// What was looked at for it.
    pub steps: u32,
    /// The position that it was taken at.
    pub seen: Receipt,
}

impl Outbox {
    /// Writes one check of a relation.
    ///
    /// # Errors
    /// [`WireError::BadPayload`] for a name over 562 bytes.
    pub fn check_relation(&mut self, request_id: u64, query: &RelationQuery<'_>) -> Result<(), WireError> {
        let payload = CheckRelationPayload {
            epoch: query.at_least.epoch.0,
            revision: query.at_least.revision.0,
            object_len: length_within(query.object, RELATION_BYTES_MAX)?,
            relation_len: length_within(query.relation, RELATION_BYTES_MAX)?,
            subject_len: length_within(query.subject, RELATION_BYTES_MAX)?,
            flags: 0,
            names: [query.object, query.relation, query.subject].concat().into_bytes(),
        };
        self.payload(Kind::CheckRelation, request_id, &payload)
    }

    /// Writes the answer to one check of a relation.
    ///
    /// # Errors
    /// None that can happen: the payload is of one size.
    pub fn relation_decision(
        &mut self,
        request_id: u64,
        decision: &RelationDecision,
    ) -> Result<(), WireError> {
        let payload = RelationDecisionPayload {
            epoch: decision.seen.epoch.0,
            revision: decision.seen.revision.0,
            valid_until_ms: decision.valid_until.0,
            steps: decision.steps,
            code: decision.code,
            flags: if decision.permitted { PERMITTED } else { 0 },
        };
        self.payload(Kind::RelationDecision, request_id, &payload)
    }
}

impl<'a> Frame<'a> {
    /// Reads a check of a relation in place: the query borrows from the receive buffer.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn check_relation(&self) -> Result<RelationQuery<'a>, WireError> {
        let payload = archive::read::<archive::ArchivedCheckRelationPayload>(self.payload)?;
        let mut names = payload.names.as_slice();
        let object = name_within(&mut names, payload.object_len.to_native(), RELATION_BYTES_MAX)?;
        let relation = name_within(&mut names, payload.relation_len.to_native(), RELATION_BYTES_MAX)?;
        let subject = name_within(&mut names, payload.subject_len.to_native(), RELATION_BYTES_MAX)?;
        if !names.is_empty() || payload.flags.to_native() != 0 {
            return Err(WireError::BadPayload);
        }
        let at_least = receipt(payload.epoch.to_native(), payload.revision.to_native());
        Ok(RelationQuery { object, relation, subject, at_least })
    }

    /// Reads the answer to a check of a relation. One that permits and says why it does not is an error.
    ///
    /// # Errors
    /// [`WireError::BadPayload`].
    pub fn relation_decision(&self) -> Result<RelationDecision, WireError> {
        let payload = archive::read::<archive::ArchivedRelationDecisionPayload>(self.payload)?;
        let (code, flags) = (payload.code.to_native(), payload.flags.to_native());
        let permitted = match flags {
            0 => false,
            PERMITTED if code == 0 => true,
            _ => return Err(WireError::BadPayload),
        };
        Ok(RelationDecision {
            permitted,
            code,
            valid_until: UnixMillis(payload.valid_until_ms.to_native()),
            steps: payload.steps.to_native(),
            seen: receipt(payload.epoch.to_native(), payload.revision.to_native()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inbox;

    /// PROPERTY: names that are too long are not written; an answer that permits although there is none does not read.
    #[test]
    fn long_names_and_double_answers_are_refused() {
        let long = "x".repeat(RELATION_BYTES_MAX + 1);
        let good = RelationQuery {
            object: "document:1",
            relation: "viewer",
            subject: "user:ann",
            at_least: Receipt::default(),
        };
        let mut out = Outbox::new();
        for bad in [
            RelationQuery { object: &long, ..good },
            RelationQuery { relation: &long, ..good },
            RelationQuery { subject: &long, ..good },
        ] {
            assert_eq!(out.check_relation(1, &bad), Err(WireError::BadPayload));
        }
        let both = RelationDecision {
            permitted: true,
            code: 277,
            valid_until: UnixMillis(7),
            steps: 3,
            seen: Receipt::default(),
        };
        for (decision, reads) in [(both, false), (RelationDecision { code: 0, ..both }, true)] {
            let (mut out, mut inbox) = (Outbox::new(), Inbox::default());
            out.relation_decision(1, &decision).expect("written");
            inbox.extend(out.as_bytes());
            let read = inbox.next_frame().expect("a frame").expect("a frame").relation_decision();
            assert_eq!(read, if reads { Ok(decision) } else { Err(WireError::BadPayload) });
        }
    }
}
