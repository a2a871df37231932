//! Plain things as fields: truth values, arrays, options, private texts, subjects.

use super::field::{Blank, Field, Reader, RecordError, put_bytes};
use tessera_model::limits::FRAME_BYTES_MAX;
use tessera_model::{Generation, Place, Private, SubjectIndex};

impl<const N: usize> Blank for [u8; N] {
    fn blank() -> Self {
        [0; N]
    }
}

impl Blank for u64 {
    fn blank() -> Self {
        0
    }
}

impl<T> Blank for Option<T> {
    fn blank() -> Self {
        None
    }
}

impl Blank for Box<str> {
    fn blank() -> Self {
        Self::default()
    }
}

impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RecordError::BadNumber),
        }
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        input.array()
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(inner) = self {
            inner.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        if bool::take(input)? { T::take(input).map(Some) } else { Ok(None) }
    }

    fn put_private(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|inner| inner.put_private(out));
    }

    fn take_private(&mut self, input: &mut Reader<'_>) -> Result<(), RecordError> {
        self.iter_mut().try_for_each(|inner| inner.take_private(input))
    }

    fn owner(&self) -> Option<SubjectIndex> {
        self.as_ref().and_then(Field::owner)
    }
}

/// Whatever has this type is stored sealed, wherever it stands in a record.
impl Field for Private {
    fn put(&self, _out: &mut Vec<u8>) {}

    fn take(_input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok(Self::default())
    }

    fn put_private(&self, out: &mut Vec<u8>) {
        put_bytes(self.expose(), out);
    }

    fn take_private(&mut self, input: &mut Reader<'_>) -> Result<(), RecordError> {
        *self = Self::new(input.bytes(FRAME_BYTES_MAX)?.to_vec());
        Ok(())
    }
}

/// A subject names itself.
impl Field for SubjectIndex {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Field::take(input).map(Self)
    }

    fn owner(&self) -> Option<SubjectIndex> {
        Some(*self)
    }
}

impl Field for (Place, Generation) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        Ok((Field::take(input)?, Field::take(input)?))
    }
}
