//! Conditions of grants as records.

use super::field::{Field, Reader, RecordError, put_bytes, put_list, record};
use super::noun::text;
use tessera_model::grant_condition::{
    GrantCondition, GrantConditionKind, GrantConditions, GrantConditionsRecord, Grantee,
};
use tessera_model::limits::{GRANT_CONDITIONS_MAX, HOURS_SPANS_MAX, ZONE_BYTES_MAX};
use tessera_model::weekly::{Hours, Span};

record! {
    GrantConditionsRecord { grantee, role, workspace, conditions }
    Span { days, from, until }
}

/// 1 and the index of a subject, 2 and the number of a group.
impl Field for Grantee {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Subject(subject) => {
                1u8.put(out);
                subject.put(out);
            }
            Self::Group(group) => {
                2u8.put(out);
                group.put(out);
            }
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        match u8::take(input)? {
            1 => Field::take(input).map(Self::Subject),
            2 => Field::take(input).map(Self::Group),
            _ => Err(RecordError::BadNumber),
        }
    }
}

impl Field for GrantConditions {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self.as_slice(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let listed: Vec<GrantCondition> = input.list(GRANT_CONDITIONS_MAX)?;
        let sorted = Self::new(listed.clone()).map_err(|_| RecordError::BadNumber)?;
        if sorted.as_slice() == listed { Ok(sorted) } else { Err(RecordError::BadNumber) }
    }
}

/// The number of its kind, then what it asks for.
impl Field for GrantCondition {
    fn put(&self, out: &mut Vec<u8>) {
        self.kind().number().put(out);
        match self {
            Self::Hours(hours) => hours.put(out),
            Self::Networks(networks) => networks.put(out),
            Self::Device(trust) => trust.put(out),
            Self::Acr(level) => level.put(out),
            Self::StepUp(age) => age.put(out),
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let kind = GrantConditionKind::from_number(u8::take(input)?).ok_or(RecordError::BadNumber)?;
        let condition = match kind {
            GrantConditionKind::Hours => Self::Hours(Field::take(input)?),
            GrantConditionKind::Networks => Self::Networks(Field::take(input)?),
            GrantConditionKind::Device => Self::Device(Field::take(input)?),
            GrantConditionKind::Acr => Self::Acr(Field::take(input)?),
            GrantConditionKind::StepUp => Self::StepUp(Field::take(input)?),
        };
        if condition.is_sound() { Ok(condition) } else { Err(RecordError::BadNumber) }
    }
}

/// The spans, then the zone's name.
impl Field for Hours {
    fn put(&self, out: &mut Vec<u8>) {
        put_list(self.spans(), out);
        put_bytes(self.zone().as_bytes(), out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let spans = input.list(HOURS_SPANS_MAX)?;
        Self::new(spans, text(input, ZONE_BYTES_MAX)?).ok_or(RecordError::BadText)
    }
}
