//! Images of places: the words that a session or API key is in the table, and that a bucket takes as they lie.
//!
//! The words: w0 generation | state; w1, w2 tag; w3 subject | workspace; w4 expires | cut-off count; w5 idle |
//! restriction; w6 device | opened. Beside them the position of its refresh: number | index, rotated at, client.
//! Of a life that is over an image has the generation, and why it ended; of a place that nobody had, zeros.

use crate::id::{ClientIndex, Generation, Place, RestrictionId, SubjectIndex, WorkspaceIndex};
use crate::record::PlaceRecord;
use crate::refresh::{EndReason, REFRESH_INDEX_MAX, RefreshRecord};
use crate::time::Deadline;

/// Bit of w0: a session or key lives here.
pub const ALIVE: u64 = 1 << 32;
/// Bit of w0: it is an API key.
pub const KEY: u64 = 1 << 33;
/// Where the authentication context class stands in w0 (4 bits).
pub const ACR_SHIFT: u32 = 34;
/// Bit of w0: more of it stands elsewhere.
pub const SIDE: u64 = 1 << 38;
/// All bits of w0 that mean something.
const HEAD: u64 = 0xffff_ffff | ALIVE | KEY | 15 << ACR_SHIFT | SIDE;

/// One place as it lies in memory and in a bucket. No `Debug`: it holds the tag.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct PlaceImage {
    /// The first seven words of the table; the eighth, the subject's list, is made anew.
    pub words: [u64; 7],
    /// Where its refresh stands; of what has ended, why, 0, 0.
    pub refresh: [u32; 3],
}

const fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

fn word(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

impl RefreshRecord {
    /// The three words that it is kept as.
    #[must_use]
    pub fn words(&self) -> [u32; 3] {
        let [i0, i1, i2, _] = self.index.min(REFRESH_INDEX_MAX).to_le_bytes();
        [u32::from_le_bytes([self.number, i0, i1, i2]), self.rotated_at.0, self.client.0]
    }

    /// The record of three words.
    #[must_use]
    pub const fn of_words([position, rotated_at, client]: [u32; 3]) -> Self {
        let [number, i0, i1, i2] = position.to_le_bytes();
        Self {
            number,
            index: u32::from_le_bytes([i0, i1, i2, 0]),
            rotated_at: Deadline(rotated_at),
            client: ClientIndex(client),
        }
    }
}

impl PlaceImage {
    /// The image of what lives at a place.
    #[must_use]
    pub fn of(record: &PlaceRecord) -> Self {
        let [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] = record.tag;
        let side = if record.side { SIDE } else { 0 };
        let state = ALIVE | side | if record.key { KEY } else { 0 } | u64::from(record.acr & 15) << ACR_SHIFT;
        let words = [
            u64::from(record.generation.0) | state,
            u64::from_le_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            u64::from_le_bytes([t8, t9, t10, t11, t12, t13, t14, t15]),
            word(record.subject.0, record.workspace.0),
            word(record.expires.0, record.cut_off),
            word(record.idle.0, record.restriction.0),
            word(record.device, record.opened.0),
        ];
        Self { words, refresh: record.refresh.words() }
    }

    /// The image of a place whose last life is over.
    #[must_use]
    pub fn ended(generation: Generation, reason: EndReason) -> Self {
        let why = if reason == EndReason::Ordered { 0 } else { u32::from(reason.number()) };
        Self { words: [u64::from(generation.0), 0, 0, 0, 0, 0, 0], refresh: [why, 0, 0] }
    }

    /// The life that it is of; 0 for a place that nobody had.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        let [w0, ..] = self.words;
        Generation(halves(w0).0)
    }

    /// Whether somebody lives there.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        let [w0, ..] = self.words;
        w0 & ALIVE != 0
    }

    /// Whether nobody ever lived there.
    #[must_use]
    pub const fn is_unused(&self) -> bool {
        let [w0, ..] = self.words;
        w0 == 0
    }

    /// Why what lived there has ended; of what lives it says nothing.
    #[must_use]
    pub fn reason(&self) -> EndReason {
        let [number, ..] = self.refresh;
        u8::try_from(number).ok().and_then(EndReason::from_number).unwrap_or_default()
    }

    /// Whether it is an image that this version makes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let [w0, ..] = self.words;
        if w0 & ALIVE != 0 {
            return w0 & !HEAD == 0 && self.generation().0 != 0;
        }
        *self == if w0 == 0 { Self::default() } else { Self::ended(self.generation(), self.reason()) }
    }

    /// The record of what lives at the place; `None` where nobody does.
    #[must_use]
    pub fn record(&self, place: Place) -> Option<PlaceRecord> {
        let [w0, w1, w2, w3, w4, w5, w6] = self.words;
        if w0 & ALIVE == 0 {
            return None;
        }
        let mut tag = [0; 16];
        for (to, from) in tag.iter_mut().zip(w1.to_le_bytes().into_iter().chain(w2.to_le_bytes())) {
            *to = from;
        }
        let ((subject, workspace), (expires, cut_off)) = (halves(w3), halves(w4));
        let ((idle, restriction), (device, opened)) = (halves(w5), halves(w6));
        Some(PlaceRecord {
            place,
            generation: self.generation(),
            key: w0 & KEY != 0,
            acr: u8::try_from(w0 >> ACR_SHIFT & 15).unwrap_or(0),
            tag,
            subject: SubjectIndex(subject),
            workspace: WorkspaceIndex(workspace),
            expires: Deadline(expires),
            cut_off,
            idle: Deadline(idle),
            restriction: RestrictionId(restriction),
            device,
            opened: Deadline(opened),
            refresh: RefreshRecord::of_words(self.refresh),
            side: w0 & SIDE != 0,
        })
    }
}

impl std::fmt::Debug for PlaceImage {
    /// As the record of place 0: everything but the tag.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.record(Place(0)) {
            Some(record) => record.fmt(f),
            None => write!(f, "PlaceImage({:?}, {:?})", self.generation(), self.reason()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seed: u32) -> PlaceRecord {
        let at = |no: u32| seed.wrapping_mul(0x9E37_79B9).wrapping_add(no);
        PlaceRecord {
            place: Place(7),
            generation: Generation(at(1) | 1),
            key: seed.is_multiple_of(2),
            acr: (seed % 16) as u8,
            tag: std::array::from_fn(|no| (at(2) >> (no % 4)) as u8),
            subject: SubjectIndex(at(3)),
            workspace: WorkspaceIndex(at(4)),
            expires: Deadline(at(5)),
            cut_off: at(6),
            idle: Deadline(at(7)),
            restriction: RestrictionId(at(8)),
            device: at(9),
            opened: Deadline(at(10)),
            refresh: RefreshRecord {
                number: (at(11) % 256) as u8,
                index: at(12) & REFRESH_INDEX_MAX,
                rotated_at: Deadline(at(13)),
                client: ClientIndex(at(14)),
            },
            side: seed.is_multiple_of(3),
        }
    }

    /// PROPERTY: an image is its record and the record its image; what is alive, ended or unused is told apart, and
    /// each of them is sound.
    #[test]
    fn images_are_their_records() {
        for seed in 0..2_000 {
            let record = record(seed);
            let image = PlaceImage::of(&record);
            assert!(image.record(Place(7)) == Some(record) && image.is_alive() && image.is_sound());
            assert_eq!(image.generation(), record.generation);
            for reason in [EndReason::Ordered, EndReason::RefreshReused] {
                let ended = PlaceImage::ended(record.generation, reason);
                assert!(ended.is_sound() && !ended.is_alive() && !ended.is_unused());
                assert_eq!((ended.reason(), ended.record(Place(7))), (reason, None));
            }
        }
        assert!(PlaceImage::default().is_unused() && PlaceImage::default().is_sound());
    }

    /// PROPERTY: an image that nobody makes is not sound: unknown states, a life without a number, a word too much
    /// behind what has ended, a reason that there is none of.
    #[test]
    fn what_nobody_makes_is_not_sound() {
        let alive = PlaceImage::of(&record(1));
        let ended = PlaceImage::ended(Generation(3), EndReason::RefreshReused);
        let with = |mut image: PlaceImage, at: usize, value: u64| {
            image.words[at] |= value;
            image
        };
        assert!((39..64).all(|bit| !with(alive, 0, 1 << bit).is_sound()));
        assert!((33..64).all(|bit| !with(ended, 0, 1 << bit).is_sound()));
        assert!((1..7).all(|at| !with(ended, at, 1).is_sound()));
        assert!(!with(PlaceImage::default(), 1, 1).is_sound());
        let mut nameless = alive;
        nameless.words[0] &= !u64::from(u32::MAX);
        assert!(!nameless.is_sound());
        for refresh in [[1, 0, 0], [3, 0, 0], [2, 1, 0], [2, 0, 1], [u32::MAX, 0, 0]] {
            assert!(!PlaceImage { refresh, ..ended }.is_sound(), "{refresh:?}");
        }
        assert!(!PlaceImage { refresh: [2, 0, 0], ..PlaceImage::default() }.is_sound());
    }
}
