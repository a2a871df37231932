//! Images as records: places and command ids, behind one another in the order in which they lie in memory.
//!
//! A part of a bucket says in its header which form it has: a list of events, or one of these. They are read in one
//! pass without a look at anything else, because waking a tenant is mostly this.

use super::bucket::{self, AROUND_BYTES};
use super::field::{Field, Reader, RecordError};
use super::places;
use crate::bucket::{Bucket, BucketKind, Image};
use crate::seal::{AROUND_BYTES as AROUND_BYTES_OF_PART, Part};
use tessera_model::limits::BUCKET_BYTES_MAX;
use tessera_model::record::CommandIdRecord;
use tessera_model::{CommandId, Event, Revision};

/// The form of a part that is a list of events.
pub(crate) const EVENTS: u8 = 0;
/// The form of a part that is an image of places. (1 was one that told every word of each.)
const PLACES: u8 = 3;
/// The form of a part that is an image of command ids.
const COMMANDS: u8 = 2;
/// LIMIT: bytes of one part.
pub(super) const PART_BYTES_MAX: usize = BUCKET_BYTES_MAX - AROUND_BYTES;
/// Bytes of a command id: 16, and its revision.
const COMMAND_BYTES: usize = 24;
/// Hash bytes of a command, which stand sealed: they tell who guesses the whole of it.
const HASH_BYTES: usize = 8;
/// LIMIT: command ids of one part.
const COMMANDS_MAX: usize = PART_BYTES_MAX / (COMMAND_BYTES + HASH_BYTES);

/// LIMIT: parts whose room is asked for at once: 8 MiB of ids, and a list of parts is not believed beyond it.
const PARTS_AHEAD: usize = 32;

/// Encodes a bucket as parts, each with its form: its image, then its events.
pub(crate) fn parts(bucket: &Bucket) -> Vec<(u8, bucket::Part)> {
    let mut parts = Vec::new();
    match &bucket.image {
        Image::None => {}
        Image::Places(places) => {
            // What stands behind the last place that was used is not there.
            let used = places.iter().rposition(|place| !place.is_unused()).map_or(0, |last| last + 1);
            if let Some(places) = places.get(..used).filter(|places| !places.is_empty()) {
                parts.push((PLACES, open(places::put(places))));
            }
        }
        Image::Commands(ids) => {
            for ids in ids.chunks(COMMANDS_MAX) {
                let mut part = open(Vec::with_capacity(ids.len() * COMMAND_BYTES));
                for id in ids {
                    id.put(&mut part.body);
                    id.put_private(&mut part.private);
                }
                parts.push((COMMANDS, part));
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

/// A part that was read, but for what is private of it, which stands sealed behind it.
pub(crate) enum Read<'a> {
    /// Places, of which nothing is.
    Places,
    /// Command ids from this one on, without their hash bytes.
    Commands(usize, Part<'a>),
    /// Events, which are not in the bucket yet.
    Events(Vec<Event>, Option<Part<'a>>),
}

impl Read<'_> {
    /// What of it stands sealed.
    pub(crate) const fn sealed(&self) -> Option<&Part<'_>> {
        match self {
            Self::Places => None,
            Self::Commands(_, sealed) => Some(sealed),
            Self::Events(_, sealed) => sealed.as_ref(),
        }
    }

    /// Leaves what is private of it blank, for whoever has no keys.
    pub(crate) fn blank(self, bucket: &mut Bucket) {
        if let Self::Events(events, _) = self {
            bucket::append(&mut bucket.events, events);
        }
    }

    /// Fills in what is private of it.
    pub(crate) fn fill(self, plain: &[u8], bucket: &mut Bucket) -> Result<(), RecordError> {
        match self {
            Self::Places => Ok(()),
            Self::Commands(from, _) => fill_hashes(from, plain, bucket),
            Self::Events(mut events, _) => {
                bucket::take_private(&mut events, plain)?;
                bucket::append(&mut bucket.events, events);
                Ok(())
            }
        }
    }
}

fn fill_hashes(from: usize, plain: &[u8], bucket: &mut Bucket) -> Result<(), RecordError> {
    let Image::Commands(ids) = &mut bucket.image else { return Err(RecordError::BadHeader) };
    let ids = ids.get_mut(from..).unwrap_or_default();
    let (all, rest) = plain.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || all.len() != ids.len() {
        return Err(RecordError::Short);
    }
    ids.iter_mut().zip(all).for_each(|(id, hash)| id.fingerprint = u64::from_le_bytes(*hash));
    Ok(())
}

/// Decodes one part, of so many, behind what the bucket has of the parts before it.
pub(crate) fn take_part<'a>(
    form: u8,
    mut input: Reader<'a>,
    bucket: &mut Bucket,
    parts: usize,
) -> Result<Read<'a>, RecordError> {
    match form {
        EVENTS => {
            let events = bucket::take_part(&mut input)?;
            let sealed = if input.rest().is_empty() { None } else { Some(Part::take(&mut input)?) };
            input.end()?;
            Ok(Read::Events(events, sealed))
        }
        COMMANDS => {
            let from = if let Image::Commands(ids) = &bucket.image { ids.len() } else { 0 };
            // As many as hashes are sealed behind them.
            let bytes = input.rest().len().checked_sub(AROUND_BYTES_OF_PART).ok_or(RecordError::Short)?;
            if !bytes.is_multiple_of(COMMAND_BYTES + HASH_BYTES) {
                return Err(RecordError::Short);
            }
            let body = input.slice(bytes / (COMMAND_BYTES + HASH_BYTES) * COMMAND_BYTES)?;
            let sealed = Part::take(&mut input)?;
            input.end()?;
            take_image(form, body, bucket, parts)?;
            Ok(Read::Commands(from, sealed))
        }
        _ => take_image(form, input.rest(), bucket, parts).map(|()| Read::Places),
    }
}

fn take_image(form: u8, body: &[u8], bucket: &mut Bucket, parts: usize) -> Result<(), RecordError> {
    match form {
        // An image stands before all events.
        PLACES | COMMANDS if !bucket.events.is_empty() => Err(RecordError::BadHeader),
        PLACES if bucket.kind == BucketKind::Places && bucket.image == Image::None => {
            bucket.image = Image::Places(places::take(bucket.no, body)?);
            Ok(())
        }
        COMMANDS if bucket.kind == BucketKind::Commands => {
            let mut ids = match std::mem::take(&mut bucket.image) {
                Image::Commands(ids) => ids,
                // All parts but the last are full: what has its room from the start is copied nowhere.
                Image::None | Image::Places(_) if parts > 1 => Vec::with_capacity(room(parts)),
                Image::None | Image::Places(_) => Vec::new(),
            };
            take_commands(body, &mut ids)?;
            bucket.image = Image::Commands(ids);
            Ok(())
        }
        _ => Err(RecordError::BadHeader),
    }
}

/// Room for the ids of so many parts, as far as it is asked for before any of them was read.
fn room(parts: usize) -> usize {
    COMMANDS_MAX * parts.min(PARTS_AHEAD)
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
            fingerprint: 0,
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
    use tessera_model::limits::{BUCKET_PLACES, PLACES_MAX};
    use tessera_model::refresh::EndReason;
    use tessera_model::{Generation, Place, PlaceImage};

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
            if *form == EVENTS {
                let events = bucket::take_part(&mut Reader::new(&part.body))?;
                Read::Events(events, None).fill(&part.private, &mut read)?;
                continue;
            }
            let from = if let Image::Commands(ids) = &read.image { ids.len() } else { 0 };
            take_image(*form, &part.body, &mut read, 1)?;
            if *form == COMMANDS && !part.private.is_empty() {
                fill_hashes(from, &part.private, &mut read)?;
            }
        }
        Ok(read)
    }

    /// PROPERTY: command ids and what is sealed behind them come apart again as they were put together; without keys
    /// their hash bytes are blank, and more or fewer hashes than ids are refused.
    #[test]
    fn hashes_stand_behind_their_ids() {
        for count in [1, 2, 300] {
            let bucket =
                Bucket { image: Image::Commands(ids(count)), ..Bucket::of(BucketKind::Commands, 7, vec![]) };
            let (form, part) = parts(&bucket).swap_remove(0);
            let bytes = [part.body.clone(), crate::seal::tests::sealed(&part.private)].concat();
            let mut read = Bucket::of(BucketKind::Commands, 7, vec![]);
            let found = take_part(form, Reader::new(&bytes), &mut read, 3).unwrap();
            assert!(found.sealed().is_some());
            let Read::Commands(from, _) = found else { panic!("ids") };
            assert!(matches!(&read.image, Image::Commands(ids) if ids.iter().all(|id| id.fingerprint == 0)));
            for plain in [&part.private[8..], &[&part.private[..], &[0; 8]].concat(), &part.private[1..]] {
                assert_eq!(fill_hashes(from, plain, &mut read), Err(RecordError::Short));
            }
            fill_hashes(from, &part.private, &mut read).unwrap();
            assert!(read == bucket);
            for cut in [&bytes[1..], &bytes[..bytes.len() - 1], &bytes[24..], &part.body[..]] {
                let mut read = Bucket::of(BucketKind::Commands, 7, vec![]);
                assert!(take_part(form, Reader::new(cut), &mut read, 1).is_err());
            }
        }
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
            // Some whole rows.
            let whole = match form {
                PLACES => places::put(&places(11)),
                _ => whole.body.chunks_exact(COMMAND_BYTES).take(30).flatten().copied().collect(),
            };
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
        assert_eq!(refused(BucketKind::Places, 0, &[(1, place.1.clone())]), header);
        let cap = Some(RecordError::OverCap);
        let last = (PLACES_MAX - 1) / BUCKET_PLACES;
        let room = PLACES_MAX - last * BUCKET_PLACES;
        let many = |count: u32| [(PLACES, places::put(&places(count as usize)))];
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
