//! Fields: how numbers, arrays, texts, options and lists stand on disk, and what of them stands apart.

use tessera_model::SubjectIndex;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RecordError {
    /// They end inside a field.
    Short,
    /// Something stands behind the last field.
    Trailing,
    /// A count or length is over its cap.
    OverCap,
    /// A number that no kind has, or a flag that is neither 0 nor 1.
    BadNumber,
    /// A text that its type does not allow.
    BadText,
    /// Magic, version or padding are not what this version writes.
    BadHeader,
    /// The hash behind a value is not its hash.
    BadHash,
    /// Entries that are not in their order, or one of them twice.
    BadOrder,
}

impl RecordError {
    /// What it means, for people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Short => "a record ends inside a field",
            Self::Trailing => "bytes stand behind a record",
            Self::OverCap => "a count is over its cap",
            Self::BadNumber => "a number that no kind has",
            Self::BadText => "a text that is not allowed",
            Self::BadHeader => "a header that is not of this version",
            Self::BadHash => "a hash that is not the value's",
            Self::BadOrder => "entries out of their order",
        }
    }
}

/// Bytes that are read from the front.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `len` bytes.
    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A length or count, at most `max`.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, RecordError> {
        let count = usize::try_from(u32::take(self)?).map_err(|_| RecordError::OverCap)?;
        if count > max { Err(RecordError::OverCap) } else { Ok(count) }
    }

    /// Bytes behind their u32 length, at most `max`.
    pub(crate) fn bytes(&mut self, max: usize) -> Result<&'a [u8], RecordError> {
        let len = self.count(max)?;
        self.slice(len)
    }

    /// A list behind its u32 count, at most `max` items.
    pub(crate) fn list<T: Field>(&mut self, max: usize) -> Result<Vec<T>, RecordError> {
        let count = self.count(max)?;
        // An item has at least one byte: a false count cannot ask for more memory than the record has.
        let mut items = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            items.push(T::take(self)?);
        }
        Ok(items)
    }

    /// What is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Nothing may be left.
    pub(crate) const fn end(&self) -> Result<(), RecordError> {
        if self.0.is_empty() { Ok(()) } else { Err(RecordError::Trailing) }
    }
}

/// Something with a fixed form on disk. What of it belongs to a person stands apart, where it is sealed:
/// [`Field::put`] leaves that out, and [`Field::take`] gives it back blank.
pub(crate) trait Field: Sized {
    /// Writes it behind what `out` holds, without what is stored sealed.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it from the front of `input`; what is stored sealed is blank.
    fn take(input: &mut Reader<'_>) -> Result<Self, RecordError>;
    /// Writes what of it is stored sealed. Whoever has such a part writes something, however empty it is.
    fn put_private(&self, _out: &mut Vec<u8>) {}
    /// Fills in what [`Field::put_private`] wrote.
    fn take_private(&mut self, _input: &mut Reader<'_>) -> Result<(), RecordError> {
        Ok(())
    }
    /// The first subject that it names: what is sealed of it is sealed under that subject's key.
    fn owner(&self) -> Option<SubjectIndex> {
        None
    }
}

/// What stands in the place of a part until it is opened, and for ever where its key was erased.
pub(crate) trait Blank {
    /// Nothing.
    fn blank() -> Self;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(input: &mut Reader<'_>) -> Result<Self, RecordError> {
                input.array().map(Self::from_le_bytes)
            }
        }
    )*};
}
integers!(u8, u16, u32, u64, i64);

/// A length or count as it stands on disk. Whatever is longer than `u32` is over every cap and is
/// refused with the frame that holds it.
pub(crate) fn put_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count).unwrap_or(u32::MAX).put(out);
}

/// Bytes behind their length.
pub(crate) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Items behind their count.
pub(crate) fn put_list<T: Field>(items: &[T], out: &mut Vec<u8>) {
    put_count(items.len(), out);
    items.iter().for_each(|item| item.put(out));
}

/// A record: its fields in the order given; those behind a semicolon stand apart, sealed.
macro_rules! record {
    ($($type:ident { $($field:ident),* $(,)? $(; $($hidden:ident),*)? })*) => {$(
        impl $crate::record::Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn take(
                input: &mut $crate::record::Reader<'_>,
            ) -> Result<Self, $crate::record::RecordError> {
                Ok(Self {
                    $($field: $crate::record::Field::take(input)?,)*
                    $($($hidden: $crate::record::field::Blank::blank(),)*)?
                })
            }
            fn put_private(&self, out: &mut Vec<u8>) {
                $($crate::record::Field::put_private(&self.$field, out);)*
                $($(self.$hidden.put(out);)*)?
            }
            fn take_private(
                &mut self,
                input: &mut $crate::record::Reader<'_>,
            ) -> Result<(), $crate::record::RecordError> {
                $($crate::record::Field::take_private(&mut self.$field, input)?;)*
                $($(self.$hidden = $crate::record::Field::take(input)?;)*)?
                Ok(())
            }
            fn owner(&self) -> Option<tessera_model::SubjectIndex> {
                let found = None;
                $(let found = found.or_else(|| $crate::record::Field::owner(&self.$field));)*
                found
            }
        }
    )*};
}
pub(crate) use record;
