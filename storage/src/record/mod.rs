//! The codec of everything on disk: a record is a fixed list of little-endian fields.
//!
//! Decoders are total: any bytes give a value or a [`RecordError`], never a panic, and never more
//! memory than the bytes they were given. What decodes encodes to the same bytes again. The layout is
//! written out in docs/file.md and frozen as version 1.

pub(crate) mod bucket;
mod catalogue;
mod condition;
mod elevation;
mod endpoint;
pub(crate) mod event;
pub(crate) mod field;
pub(crate) mod frame;
pub(crate) mod image;
pub(crate) mod noun;
mod places;
mod plain;
mod policy;
pub(crate) mod row;
mod visibility;

pub(crate) use field::{Field, Reader, RecordError};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
