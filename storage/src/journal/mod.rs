//! The journal: preallocated files of fixed names, written group by group and used again.

pub(crate) mod group;
