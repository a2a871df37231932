//! An image of places as bytes: a row for each place, which says only what differs from the last life before it.
//!
//! Most words of a place are those of its neighbours, and a wake reads, hashes and copies every byte of a bucket: a
//! place took 68 bytes and takes some 20 to 45. There is one form of bytes for each image: a word that is told differs.

use super::field::{Field, Reader, RecordError};
use tessera_model::PlaceImage;
use tessera_model::limits::{BUCKET_PLACES, PLACES_MAX};

/// Words of a life, of 32 bits each, beside its tag.
const WORDS: usize = 13;
/// Bit of a row's head: nobody lives there.
const EMPTY: u16 = 1 << 15;
/// Beside it: the last life is over, and its number and why it ended stand behind the head.
const ENDED: u16 = EMPTY | 1 << 14;
/// All bits of the head of a life.
const TOLD: u16 = (1 << WORDS) - 1;
/// Bytes of a head, and of a tag.
const HEAD_BYTES: usize = 2;
const TAG_BYTES: usize = 16;
/// LIMIT: bytes of a life of which every word is told. 3,500 of them are one part, 239 KiB.
const LIFE_BYTES_MAX: usize = HEAD_BYTES + TAG_BYTES + 4 * WORDS;

const _: () = assert!(BUCKET_PLACES as usize * LIFE_BYTES_MAX <= super::image::PART_BYTES_MAX);

/// The words of a life, in the order in which they are told.
type Life = [u32; WORDS];

const fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn life_of(place: &PlaceImage) -> Life {
    let [w0, _, _, w3, w4, w5, w6] = place.words.map(halves);
    let [position, rotated_at, client] = place.refresh;
    [w0.0, w0.1, w3.0, w3.1, w4.0, w4.1, w5.0, w5.1, w6.0, w6.1, position, rotated_at, client]
}

/// Stores the words of a life in an image, and leaves its tag.
fn live(life: &Life, place: &mut PlaceImage) {
    let [a, b, c, d, e, f, g, h, i, j, position, rotated_at, client] = *life;
    let [_, tag, gat, ..] = place.words;
    place.words = [joined(a, b), tag, gat, joined(c, d), joined(e, f), joined(g, h), joined(i, j)];
    place.refresh = [position, rotated_at, client];
}

/// Encodes places as rows.
pub(super) fn put(places: &[PlaceImage]) -> Vec<u8> {
    let mut body = Vec::with_capacity(places.len() * LIFE_BYTES_MAX);
    let mut last = Life::default();
    for place in places {
        if place.is_unused() {
            EMPTY.put(&mut body);
        } else if place.is_alive() {
            put_life(place, &mut last, &mut body);
        } else {
            ENDED.put(&mut body);
            place.generation().0.put(&mut body);
            let [why, ..] = place.refresh;
            u8::try_from(why).unwrap_or_default().put(&mut body);
        }
    }
    body
}

fn put_life(place: &PlaceImage, last: &mut Life, body: &mut Vec<u8>) {
    let life = life_of(place);
    let differs = life.iter().zip(last.iter()).map(|(word, before)| word != before);
    let head = (0..).zip(differs).fold(0_u16, |head, (bit, differs)| head | u16::from(differs) << bit);
    head.put(body);
    let [_, w1, w2, ..] = place.words;
    w1.put(body);
    w2.put(body);
    let told = life.iter().zip(last.iter()).filter(|(word, before)| word != before);
    told.for_each(|(word, _)| word.put(body));
    *last = life;
}

/// Decodes the places of bucket `no`, whose last one is used.
pub(super) fn take(no: u32, body: &[u8]) -> Result<Vec<PlaceImage>, RecordError> {
    let first =
        no.checked_mul(BUCKET_PLACES).filter(|first| *first < PLACES_MAX).ok_or(RecordError::OverCap)?;
    let most = PLACES_MAX.saturating_sub(first).min(BUCKET_PLACES);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    // Room for lives that differ in nothing: what is shorter is of no weight.
    let mut places = Vec::with_capacity(most.min(body.len() / (HEAD_BYTES + TAG_BYTES) + 1));
    let (mut life, mut last) = (Life::default(), PlaceImage::default());
    // One look at all of them behind the loop: a branch in it would cost a tenth of it.
    let (mut sound, mut rest) = (true, body);
    while let Some((head, behind)) = rest.split_first_chunk() {
        if places.len() == most {
            return Err(RecordError::OverCap);
        }
        let head = u16::from_le_bytes(*head);
        if head & EMPTY != 0 {
            let place;
            (place, rest) = take_empty(head, behind)?;
            sound &= place.is_sound() && !place.is_alive();
            places.push(place);
            continue;
        }
        rest = take_tag(behind, &mut last)?;
        if head != 0 {
            let told;
            (told, rest) = take_words(head, rest, &mut life)?;
            live(&life, &mut last);
            sound &= told;
        }
        sound &= last.is_alive() && last.is_sound();
        places.push(last);
    }
    if !rest.is_empty() || places.is_empty() {
        return Err(RecordError::Short);
    }
    let used = places.last().is_some_and(|place| !place.is_unused());
    if sound && used { Ok(places) } else { Err(RecordError::BadNumber) }
}

fn take_tag<'a>(rest: &'a [u8], place: &mut PlaceImage) -> Result<&'a [u8], RecordError> {
    let (tag, rest) = rest.split_first_chunk::<TAG_BYTES>().ok_or(RecordError::Short)?;
    let [_, w1, w2, ..] = &mut place.words;
    let (halves, _) = tag.as_chunks::<8>();
    for (word, half) in [w1, w2].into_iter().zip(halves) {
        *word = u64::from_le_bytes(*half);
    }
    Ok(rest)
}

/// The words that a head tells, each of which differs from the one before.
fn take_words<'a>(head: u16, mut rest: &'a [u8], life: &mut Life) -> Result<(bool, &'a [u8]), RecordError> {
    let mut sound = head & !TOLD == 0;
    let mut told = head & TOLD;
    while told != 0 {
        let (word, behind) = rest.split_first_chunk().ok_or(RecordError::Short)?;
        let word = u32::from_le_bytes(*word);
        if let Some(held) = life.get_mut(told.trailing_zeros() as usize) {
            sound &= *held != word;
            *held = word;
        }
        told &= told.wrapping_sub(1);
        rest = behind;
    }
    Ok((sound, rest))
}

/// A place where nobody lives.
fn take_empty(head: u16, rest: &[u8]) -> Result<(PlaceImage, &[u8]), RecordError> {
    match head {
        EMPTY => Ok((PlaceImage::default(), rest)),
        ENDED => {
            let mut input = Reader::new(rest);
            let (generation, why) = (u32::take(&mut input)?, u8::take(&mut input)?);
            if generation == 0 {
                return Err(RecordError::BadNumber);
            }
            let words = [generation.into(), 0, 0, 0, 0, 0, 0];
            Ok((PlaceImage { words, refresh: [why.into(), 0, 0] }, input.rest()))
        }
        _ => Err(RecordError::BadNumber),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::Generation;
    use tessera_model::refresh::EndReason;

    /// Lives in which some words change and most do not, beside ended and unused places.
    fn lived(seed: u64, count: u32) -> Vec<PlaceImage> {
        let mut dice = seed;
        let mut below = |most: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % most
        };
        let mut place = PlaceImage::of(&crate::record::samples::place());
        let mut places: Vec<PlaceImage> = Vec::new();
        for _ in 1..count {
            places.push(match below(8) {
                0 => PlaceImage::default(),
                1 => PlaceImage::ended(Generation(9), EndReason::RefreshReused),
                2 => PlaceImage::ended(Generation(7), EndReason::Ordered),
                _ => {
                    let [_, w1, w2, w3, w4, _, w6] = &mut place.words;
                    (*w1, *w2, *w6) = (below(1 << 30), below(1 << 30), *w6 + below(2));
                    (*w3, *w4) = (below(3), below(2) << 32 | below(2));
                    place.refresh = [below(2) as u32, below(2) as u32, below(3) as u32];
                    place
                }
            });
        }
        places.push(place);
        places
    }

    /// PROPERTY: places are read back as they were written, whatever lives beside them, none in more bytes than a row has
    /// at most; and a row of lives of which only the tags differ takes 18 bytes each.
    #[test]
    fn places_are_read_back() {
        for seed in 0..40 {
            let places = lived(seed, 1 + u32::try_from(seed).unwrap() * 90 % BUCKET_PLACES);
            let body = put(&places);
            assert!(take(0, &body).unwrap() == places, "seed {seed}");
            assert!(body.len() <= places.len() * LIFE_BYTES_MAX);
        }
        let alike = vec![PlaceImage::of(&crate::record::samples::place()); BUCKET_PLACES as usize];
        let body = put(&alike);
        assert!(take(3, &body).unwrap() == alike);
        assert!(body.len() <= 18 * alike.len() + 4 * WORDS, "{}", body.len());
    }

    /// PROPERTY: a word that is told and does not differ, an unknown bit of a head, a life that is none and what has
    /// ended without a number are refused: there is one form of bytes for each image.
    #[test]
    fn there_is_one_form() {
        let place = PlaceImage::of(&crate::record::samples::place());
        let body = put(&[place, place]);
        let second = body.len() - 18;
        let told = |bit: u16, word: u32| {
            let mut bytes = body.clone();
            bytes.splice(second..second + 2, (1_u16 << bit).to_le_bytes());
            bytes.extend(word.to_le_bytes());
            take(0, &bytes).map(|places| places.len())
        };
        for (bit, word) in (0..).zip(life_of(&place)) {
            assert_eq!(told(bit, word), Err(RecordError::BadNumber), "word {bit}");
        }
        assert_eq!(told(2, life_of(&place)[2] + 1), Ok(2));
        assert_eq!((told(0, 0), told(1, 0)), (Err(RecordError::BadNumber), Err(RecordError::BadNumber)));
        assert!(told(13, 0).is_err() && told(14, 0).is_err());
        let ended = put(&[PlaceImage::ended(Generation(1), EndReason::RefreshReused)]);
        assert!(take(0, &ended).is_ok());
        for (at, value) in [(0, 1), (1, 0x80), (1, 0xe0), (2, 0), (6, 1), (6, 77)] {
            let mut bytes = ended.clone();
            bytes[at] = value;
            assert!(take(0, &bytes).is_err(), "{at}");
        }
    }
}
