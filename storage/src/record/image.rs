//! Images as records: places and command ids of one size each, behind one another as they lie in memory.
//!
//! A part of a bucket says in its header which form it has: a list of events, or one of these. They are read in one
//! pass without a look at anything else, because waking a tenant is mostly this.

use super::bucket::{self, AROUND_BYTES};
use super::field::{Field, Reader, RecordError};
use crate::bucket::{Bucket, BucketKind, Image};
use crate::seal::Part;
use tessera_model::limits::{BUCKET_BYTES_MAX, BUCKET_PLACES, PLACES_MAX};
use tessera_model::record::CommandIdRecord;
use tessera_model::{CommandId, Event, PlaceImage, Revision};

/// The form of a part that is a list of events.
const EVENTS: u8 = 0;
/// The form of a part that is an image of places.
const PLACES: u8 = 1;
/// The form of a part that is an image of command ids.
const COMMANDS: u8 = 2;
/// Bytes of a place: seven words of 8 and three of 4. LIMIT: 3,500 of them are one part, 232 KiB.
const PLACE_BYTES: usize = 68;
/// Bytes of a command id: 16, its revision and 8 hash bytes.
const COMMAND_BYTES: usize = 32;
/// LIMIT: command ids of one part.
const COMMANDS_MAX: usize = (BUCKET_BYTES_MAX - AROUND_BYTES) / COMMAND_BYTES;

/// Encodes a bucket as parts, each with its form: its image, then its events.
pub(crate) fn parts(bucket: &Bucket) -> Vec<(u8, bucket::Part)> {
    let mut parts = Vec::new();
    match &bucket.image {
        Image::None => {}
        Image::Places(places) => {
            // What stands behind the last place that was used is not there.
            let used = places.iter().rposition(|place| !place.is_unused()).map_or(0, |last| last + 1);
            let mut body = Vec::with_capacity(used * PLACE_BYTES);
            places.iter().take(used).for_each(|place| put_place(place, &mut body));
            if !body.is_empty() {
                parts.push((PLACES, open(body)));
            }
        }
        Image::Commands(ids) => {
            for ids in ids.chunks(COMMANDS_MAX) {
                let mut body = Vec::with_capacity(ids.len() * COMMAND_BYTES);
                ids.iter().for_each(|id| id.put(&mut body));
                parts.push((COMMANDS, open(body)));
            }
        }
    }
    parts.extend(bucket::parts(&bucket.events).into_iter().map(|part| (EVENTS, part)));
    parts
}

/// A part in which nothing is private.
const fn open(body: Vec<u8>) -> bucket::Part {
    bucket::Part { body, private: Vec::new() }
}

fn put_place(place: &PlaceImage, body: &mut Vec<u8>) {
    place.words.iter().for_each(|word| word.put(body));
    place.refresh.iter().for_each(|word| word.put(body));
}

/// The events of a part, blank where they are private, and what is private of them, sealed.
pub(crate) type Events<'a> = (Vec<Event>, Option<Part<'a>>);

/// Decodes one part: an image behind what the bucket has of the parts before it, or events, which are not in the bucket
/// yet.
pub(crate) fn take_part<'a>(
    form: u8,
    mut input: Reader<'a>,
    bucket: &mut Bucket,
) -> Result<Option<Events<'a>>, RecordError> {
    if form == EVENTS {
        let events = bucket::take_part(&mut input)?;
        let sealed = if input.rest().is_empty() { None } else { Some(Part::take(&mut input)?) };
        input.end()?;
        return Ok(Some((events, sealed)));
    }
    take_image(form, input.rest(), bucket).map(|()| None)
}

fn take_image(form: u8, body: &[u8], bucket: &mut Bucket) -> Result<(), RecordError> {
    match form {
        // An image stands before all events.
        PLACES | COMMANDS if !bucket.events.is_empty() => Err(RecordError::BadHeader),
        PLACES if bucket.kind == BucketKind::Places && bucket.image == Image::None => {
            bucket.image = Image::Places(take_places(bucket.no, body)?);
            Ok(())
        }
        COMMANDS if bucket.kind == BucketKind::Commands => {
            let mut ids = match std::mem::take(&mut bucket.image) {
                Image::Commands(ids) => ids,
                Image::None | Image::Places(_) => Vec::new(),
            };
            take_commands(body, &mut ids)?;
            bucket.image = Image::Commands(ids);
            Ok(())
        }
        _ => Err(RecordError::BadHeader),
    }
}

fn take_places(no: u32, body: &[u8]) -> Result<Vec<PlaceImage>, RecordError> {
    let (all, rest) = body.as_chunks::<PLACE_BYTES>();
    if !rest.is_empty() || all.is_empty() {
        return Err(RecordError::Short);
    }
    let first =
        no.checked_mul(BUCKET_PLACES).filter(|first| *first < PLACES_MAX).ok_or(RecordError::OverCap)?;
    let most = PLACES_MAX.saturating_sub(first).min(BUCKET_PLACES);
    if all.len() > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(RecordError::OverCap);
    }
    let mut places = Vec::with_capacity(all.len());
    // One look at all of them behind the loop: a branch in it would cost a tenth of it.
    let mut sound = true;
    for bytes in all {
        let place = take_place(bytes);
        sound &= place.is_sound();
        places.push(place);
    }
    let used = places.last().is_some_and(|place| !place.is_unused());
    if sound && used { Ok(places) } else { Err(RecordError::BadNumber) }
}

fn take_place(bytes: &[u8; PLACE_BYTES]) -> PlaceImage {
    let (words, rest) = bytes.as_chunks::<8>();
    let (more, _) = rest.as_chunks::<4>();
    let mut place = PlaceImage::default();
    for (to, from) in place.words.iter_mut().zip(words) {
        *to = u64::from_le_bytes(*from);
    }
    let [.., last] = words else { return place };
    // The eighth word of the bytes is the first two of the refresh.
    let [a, b, c, d, e, f, g, h] = *last;
    let third = more.first().copied().unwrap_or_default();
    let refresh = [[a, b, c, d], [e, f, g, h], third];
    for (to, from) in place.refresh.iter_mut().zip(refresh) {
        *to = u32::from_le_bytes(from);
    }
    place
}

/// Appends command ids, which stand in the order of their bytes, each once.
fn take_commands(body: &[u8], ids: &mut Vec<CommandIdRecord>) -> Result<(), RecordError> {
    let (all, rest) = body.as_chunks::<COMMAND_BYTES>();
    if !rest.is_empty() || all.is_empty() {
        return Err(RecordError::Short);
    }
    if all.len() > COMMANDS_MAX {
        return Err(RecordError::OverCap);
    }
    ids.reserve(all.len());
    let mut last = ids.last().map(|record| record.id);
    for bytes in all {
        let mut input = Reader::new(bytes);
        let record = CommandIdRecord {
            id: CommandId::take(&mut input)?,
            revision: Revision::take(&mut input)?,
            fingerprint: u64::take(&mut input)?,
        };
        if last.is_some_and(|last| last.0 >= record.id.0) {
            return Err(RecordError::BadOrder);
        }
        last = Some(record.id);
        ids.push(record);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) use tests::samples;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::samples::place;
    use tessera_model::refresh::EndReason;
    use tessera_model::{Generation, Place};

    fn places(count: usize) -> Vec<PlaceImage> {
        let alive = PlaceImage::of(&place());
        let kinds =
            [alive, PlaceImage::ended(Generation(9), EndReason::RefreshReused), PlaceImage::default()];
        let mut places: Vec<_> = kinds.into_iter().cycle().take(count.saturating_sub(1)).collect();
        places.push(alive);
        places
    }

    fn ids(count: u64) -> Vec<CommandIdRecord> {
        let id = |no: u64| CommandId((u128::from(no) << 60).to_be_bytes());
        (0..count)
            .map(|no| CommandIdRecord { id: id(no), revision: Revision(no * 3), fingerprint: !no })
            .collect()
    }

    fn joined(bucket: &Bucket, parts: &[(u8, bucket::Part)]) -> Result<Bucket, RecordError> {
        let mut read = Bucket::of(bucket.kind, bucket.no, Vec::new());
        for (form, part) in parts {
            if let Some((mut events, _)) = take_part(*form, Reader::new(&part.body), &mut read)? {
                bucket::take_private(&mut events, &part.private)?;
                read.events.append(&mut events);
            }
        }
        Ok(read)
    }

    pub(crate) fn samples() -> Vec<Bucket> {
        let side = Event::NetworksBound { place: Place(3), generation: Generation(1), networks: vec![] };
        let image = |kind, no, image, events| Bucket { kind, no, image, events };
        vec![
            image(BucketKind::Places, 0, Image::Places(places(1)), vec![]),
            image(BucketKind::Places, 2, Image::Places(places(BUCKET_PLACES as usize)), vec![side]),
            image(BucketKind::Commands, 7, Image::Commands(ids(3)), vec![]),
            image(BucketKind::Commands, 7, Image::Commands(ids(20_000)), vec![]),
            image(BucketKind::Commands, 0, Image::None, vec![Event::CommandFloor { unix_ms: 5 }]),
        ]
    }

    /// PROPERTY: images are read back as they were written, in parts under the cap, with their events behind them.
    #[test]
    fn images_split_and_join() {
        for bucket in samples() {
            let parts = parts(&bucket);
            assert!(parts.iter().all(|(_, part)| part.body.len() <= BUCKET_BYTES_MAX - 64));
            assert!(joined(&bucket, &parts) == Ok(bucket));
        }
        // Of what nobody used at the end there is nothing, and of nothing else no part.
        let unused = Image::Places(vec![PlaceImage::default(); 5]);
        let nothing = Bucket { image: unused, ..Bucket::of(BucketKind::Places, 0, vec![]) };
        assert!(parts(&nothing).is_empty());
    }

    /// PROPERTY: every turned bit and every cut of an image is refused or gives another image, whose bytes are the
    /// changed ones: nothing is read in two ways.
    #[test]
    fn what_is_read_has_one_form() {
        for bucket in samples().into_iter().filter(|bucket| !bucket.image.is_empty()) {
            let (form, whole) = parts(&bucket).swap_remove(0);
            let whole = whole.body.get(..700.min(whole.body.len() / 68 * 68)).unwrap_or_default();
            let cuts = (0..whole.len()).map(|len| whole[..len].to_vec());
            let turns = (0..whole.len() * 8).map(|bit| {
                let mut turned = whole.to_vec();
                turned[bit / 8] ^= 1 << (bit % 8);
                turned
            });
            for bytes in cuts.chain(turns) {
                if let Ok(read) = joined(&bucket, &[(form, open(bytes.clone()))]) {
                    let again: Vec<_> =
                        parts(&read).into_iter().map(|(form, part)| (form, part.body)).collect();
                    assert!(again == [(form, bytes)], "two forms");
                }
            }
        }
    }

    /// PROPERTY: an image of another kind of bucket, behind events or a second time, beyond the last place, longer
    /// than its bucket, of an unknown form, out of order or with an id twice is refused.
    #[test]
    fn images_out_of_place_are_refused() {
        let refused = |kind, no, parts: &[(u8, Vec<u8>)]| {
            let parts: Vec<_> = parts.iter().map(|(form, body)| (*form, open(body.clone()))).collect();
            joined(&Bucket::of(kind, no, vec![]), &parts).err()
        };
        let first = |bucket: &Bucket| {
            let (form, part) = parts(bucket).swap_remove(0);
            (form, part.body)
        };
        let [one, _, ids_of, ..] = &samples()[..] else { panic!("five samples") };
        let (place, commands) = (first(one), first(ids_of));
        let event = (EVENTS, bucket::parts(&[Event::CommandFloor { unix_ms: 5 }]).swap_remove(0).body);
        let header = Some(RecordError::BadHeader);
        assert_eq!(refused(BucketKind::Names, 0, std::slice::from_ref(&place)), header);
        assert_eq!(refused(BucketKind::Places, 0, std::slice::from_ref(&commands)), header);
        assert_eq!(refused(BucketKind::Places, 0, &[place.clone(), place.clone()]), header);
        assert_eq!(refused(BucketKind::Places, 0, &[event.clone(), place.clone()]), header);
        assert_eq!(refused(BucketKind::Commands, 0, &[event, commands.clone()]), header);
        assert_eq!(refused(BucketKind::Places, 0, &[(3, place.1.clone())]), header);
        let cap = Some(RecordError::OverCap);
        let last = (PLACES_MAX - 1) / BUCKET_PLACES;
        let room = PLACES_MAX - last * BUCKET_PLACES;
        let many = |count: u32| [(PLACES, place.1.repeat(count as usize))];
        assert_eq!(refused(BucketKind::Places, last, &many(room)), None);
        assert_eq!(refused(BucketKind::Places, last, &many(room + 1)), cap);
        assert_eq!(refused(BucketKind::Places, last + 1, &many(1)), cap);
        assert_eq!(refused(BucketKind::Places, u32::MAX, &many(1)), cap);
        assert_eq!(refused(BucketKind::Places, 0, &many(BUCKET_PLACES + 1)), cap);
        let twice = [commands.1.get(..COMMAND_BYTES).unwrap_or_default(), &commands.1].concat();
        assert_eq!(refused(BucketKind::Commands, 7, &[(COMMANDS, twice)]), Some(RecordError::BadOrder));
        assert_eq!(
            refused(BucketKind::Commands, 7, &[commands.clone(), commands]),
            Some(RecordError::BadOrder),
            "over two parts"
        );
        assert_eq!(refused(BucketKind::Places, 0, &[(PLACES, vec![])]), Some(RecordError::Short));
    }
}
