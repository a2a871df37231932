//! Rows: what pages and receipts are made of, and how pages are written and read.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter, Head};
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use crate::tag::Tag;
use tessera_model::limits::{BATCH_CHECKS_MAX, PAGE_ROWS_MAX, WIRE_FRAME_BYTES_MAX};

/// LIMIT: rows of one answer: those of a page, or one for each check of a batch.
const ROWS_MAX: usize = if BATCH_CHECKS_MAX > PAGE_ROWS_MAX { BATCH_CHECKS_MAX } else { PAGE_ROWS_MAX };

/// LIMIT: bytes of a page's cursor: the longest name of a relation's subject, and more than any other.
const CURSOR_BYTES_MAX: usize = 640;

/// Bytes that a row is counted with beside its fields.
const ROW_BYTES: usize = 48;

/// A row of a page, or a receipt: a struct of named parts, each under its tag.
pub trait Shape: Sized {
    /// Its parts: name, type, tag.
    const PARTS: &'static [(&'static str, &'static str, Tag)];

    /// Writes its parts.
    fn put(&self, out: &mut FieldsWriter);

    /// Reads its parts. Fields of unknown tags are passed over: a newer node may say more.
    ///
    /// # Errors
    /// [`WireError::BadField`] or [`WireError::Malformed`].
    fn take(from: &FieldsReader<'_>) -> Result<Self, WireError>;
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty = $tag:ident,)* })*) => {
        $(
            $(#[$doc])*
            pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }

            impl $crate::shape::Shape for $name {
                const PARTS: &'static [(&'static str, &'static str, $crate::tag::Tag)] =
                    &[$((stringify!($field), stringify!($type), $crate::tag::Tag::$tag),)*];

                fn put(&self, out: &mut $crate::fields::FieldsWriter) {
                    $($crate::part::Part::put(&self.$field, $crate::tag::Tag::$tag, out);)*
                }

                fn take(from: &$crate::fields::FieldsReader<'_>) -> Result<Self, $crate::fault::WireError> {
                    Ok(Self { $($field: $crate::part::Part::take($crate::tag::Tag::$tag, from)?,)* })
                }
            }

            #[cfg(test)]
            impl $crate::sample::Sample for $name {
                fn sample(nth: u64) -> Self {
                    Self { $($field: $crate::sample::Sample::sample(nth),)* }
                }
            }
        )*
    };
}
pub(crate) use shapes;

/// A page as received.
#[derive(Clone)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Vec<u8>>,
}

/// What a page is written into, row by row, until it is full.
pub struct RowsWriter {
    fields: FieldsWriter,
    rows: usize,
}

impl Default for RowsWriter {
    fn default() -> Self {
        Self { fields: FieldsWriter::new(Head::default()), rows: 0 }
    }
}

impl RowsWriter {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row; says no, and adds nothing, when the page is full.
    #[must_use]
    pub fn push(&mut self, row: &impl Shape) -> bool {
        let before = self.fields.end();
        self.fields.none(Tag::Row);
        row.put(&mut self.fields);
        let full =
            self.rows == ROWS_MAX || self.fields.len() + ROW_BYTES + CURSOR_BYTES_MAX > WIRE_FRAME_BYTES_MAX;
        if full {
            self.fields.cut(before);
        } else {
            self.rows += 1;
        }
        !full
    }

    /// How many rows it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The page, with where the next one begins.
    #[must_use]
    pub fn finish(self, next: Option<&[u8]>) -> Rows {
        let Some(next) = next else { return Rows { fields: self.fields } };
        let mut fields = FieldsWriter::new(Head::default());
        fields.bytes(Tag::Next, next);
        fields.append(&self.fields);
        Rows { fields }
    }
}

/// A page ready to be written.
pub struct Rows {
    fields: FieldsWriter,
}

impl Outbox {
    /// Writes a page.
    ///
    /// # Errors
    /// [`WireError::FrameTooLarge`] with a cursor over 640 bytes.
    pub fn rows(&mut self, request_id: u64, rows: &Rows) -> Result<(), WireError> {
        self.fields(Kind::Rows, request_id, &rows.fields)
    }
}

impl Frame<'_> {
    /// Reads a page.
    ///
    /// # Errors
    /// [`WireError::BadPayload`], [`WireError::BadField`] or [`WireError::Malformed`].
    pub fn rows<T: Shape>(&self) -> Result<Page<T>, WireError> {
        let (_, fields) = self.fields()?;
        let (before, rows) = fields.rows();
        let next = match before.optional(Tag::Next)? {
            None => None,
            Some(FieldValue::Bytes(bytes)) => Some(bytes.to_vec()),
            Some(
                FieldValue::None
                | FieldValue::Number(_)
                | FieldValue::Flag(_)
                | FieldValue::Integer(_)
                | FieldValue::Text(_),
            ) => return Err(WireError::BadField(Tag::Next)),
        };
        let rows = rows.map(|row| T::take(&row)).collect::<Result<_, _>>()?;
        Ok(Page { rows, next })
    }
}
