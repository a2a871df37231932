//! The batch's own places: read by `decide` before the table, stored by publishing.

use crate::order::Change;
use crate::table::{ALIVE, Fields};
use std::collections::BTreeMap;

/// Places that this batch changed, each with what it will be.
#[derive(Default)]
pub(super) struct Overlay(BTreeMap<u32, Change>);

impl Overlay {
    /// The fields of a place as this batch left them.
    pub(super) fn read(&self, place: u32) -> Option<Fields> {
        self.0.get(&place).map(|change| match change {
            Change::Moved(fields) | Change::Ended(fields) | Change::Opened(fields) => *fields,
        })
    }

    pub(super) fn open(&mut self, place: u32, fields: Fields) {
        self.0.insert(place, Change::Opened(fields));
    }

    pub(super) fn end(&mut self, place: u32, mut fields: Fields) {
        let [w0, ..] = &mut fields;
        *w0 &= !ALIVE;
        self.0.insert(place, Change::Ended(fields));
    }

    /// Its ends moved: what the batch opened stays opened, what it ended stays ended.
    pub(super) fn shift(&mut self, place: u32, fields: Fields) {
        let change = match self.0.get(&place) {
            Some(Change::Opened(_)) => Change::Opened(fields),
            Some(Change::Ended(_)) => Change::Ended(fields),
            Some(Change::Moved(_)) | None => Change::Moved(fields),
        };
        self.0.insert(place, change);
    }

    pub(super) fn take(&mut self) -> Vec<(u32, Change)> {
        std::mem::take(&mut self.0).into_iter().collect()
    }
}
