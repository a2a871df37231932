//! The journal: preallocated files of fixed names, written group by group and used again.

pub(crate) mod files;
pub(crate) mod group;
pub(crate) mod scan;
pub(crate) mod write;

pub(crate) use files::Files;
pub(crate) use write::Journal;
