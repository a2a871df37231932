//! Where the refresh of each place stands: 12 bytes by place, the actor's own, read by nobody else.

use tessera_model::PlaceImage;
use tessera_model::refresh::{EndReason, RefreshRecord};

/// LIMIT: places of one chunk: 1,024 × 12 B.
const CHUNK: usize = CHUNK_PLACES as usize;
const CHUNK_PLACES: u32 = 1_024;

/// Number and index (low byte and the rest), rotated at, client. Of what has ended: why, 0, 0.
type Words = [u32; 3];

/// The positions of one tenant. Chunks without a position do not exist.
#[derive(Default)]
pub(super) struct Positions(Vec<Option<Box<[Words; CHUNK]>>>);

impl Positions {
    fn words(&self, place: u32) -> Words {
        let at = place as usize;
        let chunk = self.0.get(at / CHUNK).and_then(Option::as_ref);
        chunk.and_then(|chunk| chunk.get(at % CHUNK)).copied().unwrap_or_default()
    }

    fn put(&mut self, place: u32, words: Words) {
        let at = place as usize;
        if words == Words::default() && self.0.get(at / CHUNK).is_none_or(Option::is_none) {
            return;
        }
        if self.0.len() <= at / CHUNK {
            self.0.resize(at / CHUNK + 1, None);
        }
        if let Some(chunk) = self.0.get_mut(at / CHUNK) {
            let chunk = chunk.get_or_insert_with(|| Box::new([Words::default(); CHUNK]));
            if let Some(held) = chunk.get_mut(at % CHUNK) {
                *held = words;
            }
        }
    }

    /// The position of what lives at a place.
    pub(super) fn read(&self, place: u32) -> RefreshRecord {
        RefreshRecord::of_words(self.words(place))
    }

    /// What lives at a place stands here now.
    pub(super) fn write(&mut self, place: u32, record: &RefreshRecord) {
        self.put(place, record.words());
    }

    /// The places from `first` on, of which nothing was known, stand where their images say.
    pub(super) fn take_over(&mut self, first: u32, images: &[PlaceImage]) {
        let (mut at, mut rest) = (first as usize, images);
        while !rest.is_empty() {
            let (now, later) = rest.split_at((CHUNK - at % CHUNK).min(rest.len()));
            if now.iter().any(|image| image.refresh != Words::default()) {
                if self.0.len() <= at / CHUNK {
                    self.0.resize(at / CHUNK + 1, None);
                }
                let chunk = self.0.get_mut(at / CHUNK).map(|chunk| {
                    chunk
                        .get_or_insert_with(|| Box::new([Words::default(); CHUNK]))
                        .iter_mut()
                        .skip(at % CHUNK)
                });
                for (held, image) in chunk.into_iter().flatten().zip(now) {
                    *held = image.refresh;
                }
            }
            (at, rest) = (at + now.len(), later);
        }
    }

    /// Why what lived at a place has ended.
    pub(super) fn reason(&self, place: u32) -> EndReason {
        let [number, ..] = self.words(place);
        u8::try_from(number).ok().and_then(EndReason::from_number).unwrap_or_default()
    }

    /// What lived at a place has ended.
    pub(super) fn end(&mut self, place: u32, reason: EndReason) {
        let number = if reason == EndReason::Ordered { 0 } else { u32::from(reason.number()) };
        self.put(place, [number, 0, 0]);
    }

    /// Every place below `used` that may have a position, with it. Of places that have ended it says
    /// nothing true: the caller looks whether somebody lives there.
    pub(super) fn each(&self, used: u32) -> impl Iterator<Item = (u32, RefreshRecord)> + '_ {
        let chunks = (0_u32..).step_by(CHUNK).zip(&self.0).filter(|(_, chunk)| chunk.is_some());
        let places = chunks.flat_map(move |(first, _)| first..first.saturating_add(CHUNK_PLACES).min(used));
        places.map(|place| (place, self.read(place)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::refresh::REFRESH_INDEX_MAX;
    use tessera_model::{ClientIndex, Deadline};

    /// PROPERTY: positions read back as written, by place, and of others there is none.
    #[test]
    fn positions_read_back() {
        let mut positions = Positions::default();
        let record = |no: u32| RefreshRecord {
            number: (no % 255) as u8 + 1,
            index: no % (REFRESH_INDEX_MAX + 1),
            rotated_at: Deadline(no),
            client: ClientIndex(no / 3),
        };
        let places = [0, 1, 1_023, 1_024, 70_000, (1 << 24) - 1];
        for place in places {
            positions.write(place, &record(place));
        }
        for place in places {
            assert_eq!(positions.read(place), record(place));
        }
        assert_eq!(positions.read(2), RefreshRecord::default());
        let seen: Vec<_> = positions.each(70_001).filter(|(_, record)| record.number != 0).collect();
        assert_eq!(seen, [0, 1, 1_023, 1_024, 70_000].map(|place| (place, record(place))));
        positions.end(1_024, EndReason::RefreshReused);
        positions.end(5, EndReason::Ordered);
        assert_eq!(positions.reason(1_024), EndReason::RefreshReused);
        assert_eq!(positions.reason(5), EndReason::Ordered);
    }

    /// PROPERTY: what is taken over stands as if each had been written, and makes no chunk where nothing stands.
    #[test]
    fn what_is_taken_over_is_what_is_written() {
        let image = |no: u32| {
            let refresh =
                if (no / 700).is_multiple_of(2) && no.is_multiple_of(3) { [no, no + 1, no] } else { [0; 3] };
            PlaceImage { refresh, ..PlaceImage::default() }
        };
        let images: Vec<PlaceImage> = (0..3_500).map(image).collect();
        for first in [0, 1_020, 1_024, 3_500, 7_000] {
            let (mut taken, mut written) = (Positions::default(), Positions::default());
            taken.take_over(first, &images);
            (first..).zip(&images).for_each(|(place, image)| written.put(place, image.refresh));
            assert!(taken.0 == written.0, "{first}");
        }
    }
}
