//! Tagged fields: the one payload of every command, list, receipt and page.
//!
//! A field is a number or a span of the payload's bytes. The same tag again is a list. Nothing here
//! knows what a tag means.

use crate::archive::{self, ArchivedField, Field, FieldsPayload};
use crate::fault::WireError;
use crate::frame::Frame;
use crate::kind::Kind;
use crate::outbox::Outbox;
use crate::tag::Tag;
use std::cell::Cell;
use tessera_model::{CommandId, TenantId};

/// In a payload's `tenant`: the tenant that the connection is bound to.
pub const TENANT_OF_CONNECTION: TenantId = TenantId(u64::MAX);

const NONE: u16 = 0;
const NUMBER: u16 = 1;
const FLAG: u16 = 2;
const INTEGER: u16 = 3;
const TEXT: u16 = 4;
const BYTES: u16 = 5;

/// The kinds of fields: number, name, what `number` and `len` mean.
pub const FIELD_KINDS: &[(u16, &str, &str)] = &[
    (NONE, "none", "number 0, len 0"),
    (NUMBER, "number", "number is the value, len 0"),
    (FLAG, "flag", "number is 0 or 1, len 0"),
    (INTEGER, "integer", "number is the value in two's complement, len 0"),
    (TEXT, "text", "number is where it begins in bytes, len its length; UTF-8"),
    (BYTES, "bytes", "number is where it begins in bytes, len its length"),
];

/// What stands before the fields.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// Makes a repeat harmless; zero in lists and replies.
    pub command_id: CommandId,
    /// The tenant acted on; [`TENANT_OF_CONNECTION`] unless an operator names another.
    pub tenant: TenantId,
}

/// Fields being written. No `Debug`: they hold secrets.
pub struct FieldsWriter {
    payload: FieldsPayload,
}

impl FieldsWriter {
    pub(crate) fn new(head: Head) -> Self {
        let (command_id, tenant) = (head.command_id.0, head.tenant.0);
        Self { payload: FieldsPayload { command_id, tenant, fields: Vec::new(), bytes: Vec::new() } }
    }

    /// Bytes of the payload as it would be written now, padding between its parts included.
    pub(crate) fn len(&self) -> usize {
        self.payload.fields.len() * size_of::<ArchivedField>() + self.payload.bytes.len() + 48
    }

    /// Where the fields end now, to cut off what comes behind.
    pub(crate) fn end(&self) -> (usize, usize) {
        (self.payload.fields.len(), self.payload.bytes.len())
    }

    /// Takes what was written since [`FieldsWriter::end`] off again.
    pub(crate) fn cut(&mut self, (fields, bytes): (usize, usize)) {
        self.payload.fields.truncate(fields);
        self.payload.bytes.truncate(bytes);
    }

    fn field(&mut self, tag: Tag, kind: u16, len: u32, number: u64) {
        self.payload.fields.push(Field { tag: tag.number(), kind, len, number });
    }

    fn span(&mut self, tag: Tag, kind: u16, bytes: &[u8]) {
        let number = self.payload.bytes.len() as u64;
        self.payload.bytes.extend_from_slice(bytes);
        // A length beyond u32 makes the frame too large, which is refused when it is written.
        self.field(tag, kind, u32::try_from(bytes.len()).unwrap_or(u32::MAX), number);
    }

    pub(crate) fn none(&mut self, tag: Tag) {
        self.field(tag, NONE, 0, 0);
    }

    pub(crate) fn number(&mut self, tag: Tag, number: u64) {
        self.field(tag, NUMBER, 0, number);
    }

    pub(crate) fn flag(&mut self, tag: Tag, flag: bool) {
        self.field(tag, FLAG, 0, u64::from(flag));
    }

    pub(crate) fn integer(&mut self, tag: Tag, integer: i64) {
        self.field(tag, INTEGER, 0, u64::from_le_bytes(integer.to_le_bytes()));
    }

    pub(crate) fn text(&mut self, tag: Tag, text: &str) {
        self.span(tag, TEXT, text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, tag: Tag, bytes: &[u8]) {
        self.span(tag, BYTES, bytes);
    }

    /// Puts the fields of another writer behind those here.
    pub(crate) fn append(&mut self, other: &Self) {
        let shift = self.payload.bytes.len() as u64;
        self.payload.bytes.extend_from_slice(&other.payload.bytes);
        for field in &other.payload.fields {
            let number = if matches!(field.kind, TEXT | BYTES) { field.number + shift } else { field.number };
            self.payload.fields.push(Field { tag: field.tag, kind: field.kind, len: field.len, number });
        }
    }
}

/// One field as received.
#[derive(Clone, Copy)]
pub(crate) enum FieldValue<'a> {
    None,
    Number(u64),
    Flag(bool),
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Fields as received: borrowed from the receive buffer.
pub struct FieldsReader<'a> {
    fields: &'a [ArchivedField],
    bytes: &'a [u8],
    taken: Cell<usize>,
}

impl<'a> FieldsReader<'a> {
    fn value(&self, tag: Tag, field: &ArchivedField) -> Result<FieldValue<'a>, WireError> {
        self.taken.set(self.taken.get() + 1);
        let bad = WireError::BadField(tag);
        let (kind, len, number) = (field.kind.to_native(), field.len.to_native(), field.number.to_native());
        if !matches!(kind, TEXT | BYTES) && len != 0 {
            return Err(bad);
        }
        let span = || {
            let start = usize::try_from(number).ok()?;
            let end = start.checked_add(usize::try_from(len).ok()?)?;
            self.bytes.get(start..end)
        };
        match (kind, number) {
            (NONE, 0) => Ok(FieldValue::None),
            (NUMBER, number) => Ok(FieldValue::Number(number)),
            (FLAG, 0) => Ok(FieldValue::Flag(false)),
            (FLAG, 1) => Ok(FieldValue::Flag(true)),
            (INTEGER, number) => Ok(FieldValue::Integer(i64::from_le_bytes(number.to_le_bytes()))),
            (TEXT, _) => str::from_utf8(span().ok_or(bad)?).map(FieldValue::Text).map_err(|_| bad),
            (BYTES, _) => span().map(FieldValue::Bytes).ok_or(bad),
            _ => Err(bad),
        }
    }

    /// The fields with this tag, in their order.
    pub(crate) fn all(&self, tag: Tag) -> impl Iterator<Item = Result<FieldValue<'a>, WireError>> {
        self.fields
            .iter()
            .filter(move |field| field.tag.to_native() == tag.number())
            .map(move |field| self.value(tag, field))
    }

    /// The values of fields under some tags, each at most once; none when there is any other field, or one that does
    /// not read.
    pub(crate) fn only<const N: usize>(&self, tags: [Tag; N]) -> Option<[Option<FieldValue<'a>>; N]> {
        let mut found = [None; N];
        for field in self.fields {
            let number = field.tag.to_native();
            let (tag, place) = tags.iter().zip(&mut found).find(|(tag, _)| tag.number() == number)?;
            if place.replace(self.value(*tag, field).ok()?).is_some() {
                return None;
            }
        }
        Some(found)
    }

    /// The one field with this tag, if there is one.
    pub(crate) fn optional(&self, tag: Tag) -> Result<Option<FieldValue<'a>>, WireError> {
        let mut found = self.all(tag);
        let first = found.next().transpose()?;
        if found.next().is_some() { Err(WireError::BadField(tag)) } else { Ok(first) }
    }

    /// The one field with this tag.
    pub(crate) fn one(&self, tag: Tag) -> Result<FieldValue<'a>, WireError> {
        self.optional(tag)?.ok_or(WireError::BadField(tag))
    }

    /// Whether a field has this tag.
    pub(crate) fn has(&self, tag: Tag) -> bool {
        self.fields.iter().any(|field| field.tag.to_native() == tag.number())
    }

    /// Says that a part took fields of its own: those of a row, and the one that opens it.
    pub(crate) fn took_row(&self, row: &Self) {
        self.taken.set(self.taken.get() + row.fields.len() + 1);
    }

    /// Refuses fields that nobody took: a caller that knows more than this build is told, rather than
    /// half understood.
    pub(crate) fn finish(&self) -> Result<(), WireError> {
        if self.taken.get() == self.fields.len() { Ok(()) } else { Err(WireError::BadPayload) }
    }

    /// The fields before the first `Row`, and those of each row.
    pub(crate) fn rows(&self) -> (Self, impl Iterator<Item = FieldsReader<'a>>) {
        let bytes = self.bytes;
        let part = move |fields| FieldsReader { fields, bytes, taken: Cell::new(0) };
        let mut parts = self.fields.split(|field| field.tag.to_native() == Tag::Row.number()).map(part);
        (parts.next().unwrap_or_else(|| part(&[])), parts)
    }
}

impl Outbox {
    pub(crate) fn fields(
        &mut self,
        kind: Kind,
        request_id: u64,
        fields: &FieldsWriter,
    ) -> Result<(), WireError> {
        self.payload(kind, request_id, &fields.payload)
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn fields(&self) -> Result<(Head, FieldsReader<'a>), WireError> {
        let payload = archive::read::<archive::ArchivedFieldsPayload>(self.payload)?;
        let head =
            Head { command_id: CommandId(payload.command_id), tenant: TenantId(payload.tenant.to_native()) };
        let (fields, bytes) = (payload.fields.as_slice(), payload.bytes.as_slice());
        Ok((head, FieldsReader { fields, bytes, taken: Cell::new(0) }))
    }
}
