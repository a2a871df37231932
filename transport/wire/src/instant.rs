//! How instants lie in fields.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::part::{Part, number};
use crate::tag::Tag;
use tessera_model::Deadline;
use tessera_model::time::DEADLINE_EPOCH_S;

/// Whole seconds since 1970; 0 for none.
impl Part for Deadline {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        let seconds = if *self == Self::NONE { 0 } else { u64::from(self.0) + DEADLINE_EPOCH_S };
        out.number(tag, seconds);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        seconds_of(tag, number(tag, from)?)
    }
}

fn seconds_of(tag: Tag, seconds: u64) -> Result<Deadline, WireError> {
    if seconds == 0 {
        return Ok(Deadline::NONE);
    }
    let since = seconds.checked_sub(DEADLINE_EPOCH_S).filter(|since| *since != 0);
    let since = since.and_then(|since| u32::try_from(since).ok()).filter(|since| *since != u32::MAX);
    since.map(Deadline).ok_or(WireError::DeadlinePassed(tag))
}

/// The next instant of several under one tag.
pub(crate) fn instant(
    tag: Tag,
    value: Option<Result<FieldValue<'_>, WireError>>,
) -> Result<Deadline, WireError> {
    let Some(FieldValue::Number(seconds)) = value.transpose()? else { return Err(WireError::BadField(tag)) };
    seconds_of(tag, seconds)
}
