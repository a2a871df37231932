//! The batch's own places: read by `decide` before the table, stored by publishing.

use crate::order::Change;
use crate::table::{ALIVE, Fields};
use std::collections::BTreeMap;

/// LIMIT: places that stand in a row: a batch of few commands changes few, and a map would be made and thrown away
/// for each of them.
const FEW: usize = 16;

/// Places that this batch changed, each with what it will be.
#[derive(Default)]
pub(super) struct Overlay {
    /// In the order of their places.
    few: Vec<(u32, Change)>,
    /// All of them, when they are many.
    many: BTreeMap<u32, Change>,
}

impl Overlay {
    fn get(&self, place: u32) -> Option<&Change> {
        if self.many.is_empty() {
            self.few.iter().find(|(known, _)| *known == place).map(|(_, change)| change)
        } else {
            self.many.get(&place)
        }
    }

    fn put(&mut self, place: u32, change: Change) {
        if self.many.is_empty() {
            let at = match self.few.binary_search_by_key(&place, |(known, _)| *known) {
                Ok(at) => {
                    self.few.get_mut(at).into_iter().for_each(|known| known.1 = change);
                    return;
                }
                Err(at) => at,
            };
            if self.few.len() < FEW {
                self.few.insert(at, (place, change));
                return;
            }
            self.many.extend(self.few.drain(..));
        }
        self.many.insert(place, change);
    }

    /// The fields of a place as this batch left them.
    pub(super) fn read(&self, place: u32) -> Option<Fields> {
        self.get(place).map(|change| match change {
            Change::Moved(fields) | Change::Ended(fields) | Change::Opened(fields) => *fields,
        })
    }

    pub(super) fn open(&mut self, place: u32, fields: Fields) {
        self.put(place, Change::Opened(fields));
    }

    pub(super) fn end(&mut self, place: u32, mut fields: Fields) {
        let [w0, ..] = &mut fields;
        *w0 &= !ALIVE;
        self.put(place, Change::Ended(fields));
    }

    /// Its ends moved: what the batch opened stays opened, what it ended stays ended.
    pub(super) fn shift(&mut self, place: u32, fields: Fields) {
        let change = match self.get(place) {
            Some(Change::Opened(_)) => Change::Opened(fields),
            Some(Change::Ended(_)) => Change::Ended(fields),
            Some(Change::Moved(_)) | None => Change::Moved(fields),
        };
        self.put(place, change);
    }

    /// All of them, in the order of their places; the next batch begins with none.
    pub(super) fn take(&mut self) -> Vec<(u32, Change)> {
        if self.many.is_empty() {
            return std::mem::take(&mut self.few);
        }
        std::mem::take(&mut self.many).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: however many places a batch changes, each is read as it was left, and all are taken, in order. METHOD:
    /// seeded changes of few and of many places beside a plain map.
    #[test]
    fn few_and_many_are_a_map() {
        let (mut overlay, mut plain) = (Overlay::default(), BTreeMap::new());
        let mut dice = 5_u64;
        for (step, places) in (0..4_000_u64).zip([3, 15, 16, 17, 60, 1].into_iter().cycle()) {
            for _ in 0..places * 2 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = u32::try_from((dice >> 33) % places).unwrap();
                assert_eq!(overlay.read(place), plain.get(&place).copied());
                let fields = [dice | ALIVE, step, 0, 0, 0, 0, 0, 0];
                let [w0, rest @ ..] = fields;
                match dice >> 20 & 3 {
                    0 => overlay.open(place, fields),
                    1 => overlay.shift(place, fields),
                    _ => {
                        overlay.end(place, fields);
                        let [a, b, c, d, e, f, g] = rest;
                        plain.insert(place, [w0 & !ALIVE, a, b, c, d, e, f, g]);
                        continue;
                    }
                }
                plain.insert(place, fields);
            }
            let taken: Vec<(u32, Fields)> = overlay
                .take()
                .into_iter()
                .map(|(place, change)| match change {
                    Change::Moved(fields) | Change::Ended(fields) | Change::Opened(fields) => (place, fields),
                })
                .collect();
            assert!(taken.into_iter().eq(std::mem::take(&mut plain)), "step {step}");
            assert!((0..60).all(|place| overlay.read(place).is_none()));
        }
    }
}
