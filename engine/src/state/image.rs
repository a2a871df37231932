//! What of a tenant is taken into a bucket, and out of it, as it lies: its places and its remembered command ids.
//!
//! A wake is mostly these two, and each of them would be some hundred nanoseconds as an event. So a bucket holds the
//! words of the table themselves: they are stored where they belong, and what is derived from them (the lists of
//! subjects' sessions, free places, who names which client) is made in the same pass (docs/decisions/0043).

use super::kin::Row;
use super::{State, SubjectIndex};
use crate::check::halves;
use crate::table::{ACR_SHIFT, ALIVE, Fields, KEY, SIDE, Table, Words};
use tessera_model::limits::BUCKET_PLACES;
use tessera_model::record::CommandIdRecord;
use tessera_model::refresh::RefreshRecord;
use tessera_model::{ClientIndex, Event, Place, PlaceImage, image};

// The words of an image are those of the table.
const _: () = {
    assert!(ALIVE == image::ALIVE && KEY == image::KEY && SIDE == image::SIDE);
    assert!(ACR_SHIFT == image::ACR_SHIFT);
};

/// The words of an image as the table has them.
pub(super) const fn fields_of(image: &PlaceImage) -> Fields {
    let [w0, w1, w2, w3, w4, w5, w6] = image.words;
    [w0, w1, w2, w3, w4, w5, w6, 0]
}

impl State {
    /// The places of one bucket as they lie, and what else is known of those who live there, as facts.
    pub(super) fn place_image(&self, no: u32) -> (Vec<PlaceImage>, Vec<Event>) {
        let from = no.saturating_mul(BUCKET_PLACES);
        let to = from.saturating_add(BUCKET_PLACES).min(self.places.used());
        let (mut images, mut events) = (Vec::new(), Vec::new());
        for place in from..to {
            let fields = self.place(Place(place));
            let image = self.image_of(place, &fields);
            if image.is_alive() {
                self.side_events((Place(place), image.generation()), &fields, &mut events);
            }
            images.push(image);
        }
        // What nobody ever used at the end is not there.
        let used = images.iter().rposition(|image| !image.is_unused()).map_or(0, |last| last + 1);
        images.truncate(used);
        (images, events)
    }

    fn image_of(&self, place: u32, fields: &Fields) -> PlaceImage {
        let [w0, w1, w2, w3, w4, w5, w6, _] = *fields;
        if w0 & ALIVE != 0 {
            let words = [w0, w1, w2, w3, w4, w5, w6];
            return PlaceImage { words, refresh: self.positions.read(place).words() };
        }
        let (generation, _) = halves(w0);
        if generation == 0 {
            return PlaceImage::default();
        }
        PlaceImage::ended(tessera_model::Generation(generation), self.positions.reason(place))
    }

    /// Takes over the places of a bucket: before the view exists, and before anything of these places was applied.
    pub(crate) fn take_places(&mut self, no: u32, images: &[PlaceImage]) {
        let first = no.saturating_mul(BUCKET_PLACES);
        let table = std::sync::Arc::clone(&self.table);
        let (mut rest, mut place, mut row) = (images, first, None);
        while !rest.is_empty() {
            // Beyond the last place there is no room: the store has refused such a bucket.
            let Some(words) = table.make_from(place).filter(|words| !words.is_empty()) else { break };
            let (now, later) = rest.split_at(words.len().min(rest.len()));
            for ((image, words), place) in now.iter().zip(words).zip(place..) {
                self.take_place((place, image, words), &table, &mut row);
            }
            place = place.saturating_add(u32::try_from(now.len()).unwrap_or(u32::MAX));
            rest = later;
        }
        self.kin.end_row(row);
        self.positions.take_over(first, images);
        self.places.taken_over(place);
    }

    fn take_place<'t>(
        &mut self,
        (place, image, words): (u32, &PlaceImage, &'t Words),
        table: &'t Table,
        row: &mut Option<Row<'t>>,
    ) {
        words.fill(&fields_of(image));
        if !image.is_alive() {
            if !image.is_unused() {
                self.places.ended(place);
            }
            return;
        }
        let [w0, _, _, w3, ..] = image.words;
        if w0 & KEY == 0 {
            let (subject, _) = halves(w3);
            self.kin.take_over(table, row, (SubjectIndex(subject), place, words));
            return;
        }
        let RefreshRecord { client, .. } = RefreshRecord::of_words(image.refresh);
        if client != ClientIndex(0) {
            self.root.key_clients.insert_mut(Place(place), (image.generation(), client));
        }
    }

    /// Takes over remembered command ids.
    pub(crate) fn take_ids(&mut self, ids: Vec<CommandIdRecord>) {
        self.ids.take_over(ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use tessera_model::record::PlaceRecord;
    use tessera_model::refresh::EndReason;
    use tessera_model::{CellId, Deadline, Generation, RestrictionId, TenantId, UnixMillis, WorkspaceIndex};
    use tessera_storage::{BucketKind, Image};

    const SUBJECTS: u32 = 40;
    const PLACES: u32 = 2 * BUCKET_PLACES - 900;

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, most: u32) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((self.0 >> 33) % u64::from(most)).expect("below u32")
        }
    }

    fn record(dice: &mut Dice, place: u32, generation: u32) -> PlaceRecord {
        let key = dice.below(3) == 0;
        PlaceRecord {
            place: Place(place),
            generation: Generation(generation),
            key,
            acr: u8::try_from(dice.below(16)).expect("4 bits"),
            tag: std::array::from_fn(|_| u8::try_from(dice.below(256)).expect("a byte")),
            // Rows of one subject, and places of another between them.
            subject: SubjectIndex(
                1 + if dice.below(4) == 0 { dice.below(SUBJECTS) } else { place / 50 % SUBJECTS },
            ),
            workspace: WorkspaceIndex(dice.below(9)),
            expires: Deadline(dice.below(1 << 30)),
            cut_off: dice.below(5),
            idle: Deadline(dice.below(1 << 30)),
            restriction: RestrictionId(dice.below(5)),
            device: dice.below(3),
            opened: Deadline(dice.below(1 << 30)),
            refresh: RefreshRecord {
                number: u8::try_from(dice.below(256)).expect("a byte"),
                index: dice.below(1 << 24),
                rotated_at: Deadline(dice.below(1 << 30)),
                client: ClientIndex(dice.below(4)),
            },
            side: key && dice.below(4) == 0,
        }
    }

    /// A state in which sessions and keys were opened and ended, some again and again.
    fn lived(dice: &mut Dice) -> State {
        let mut state = State::new(TenantId(1), CellId(0));
        let mut lives: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
        for step in 0..9_000 {
            let place = dice.below(PLACES);
            let (generation, alive) = lives.get(&place).copied().unwrap_or_default();
            if alive && dice.below(3) > 0 {
                let reason = if dice.below(4) == 0 { EndReason::RefreshReused } else { EndReason::Ordered };
                let (place, generation) = (Place(place), Generation(generation));
                state.apply(&Event::SessionEnded { place, generation, reason });
            } else if !alive {
                let record = record(dice, place, generation + 1);
                let (place, generation) = (record.place, record.generation);
                if record.side {
                    state.apply(&Event::NetworksBound { place, generation, networks: Vec::new() });
                }
                state.apply(&Event::SessionOpened { record, evicted: Vec::new() });
            }
            let fields = state.place(Place(place));
            lives.insert(place, (halves(fields[0]).0, fields[0] & ALIVE != 0));
            if step % 500 == 0 {
                state.settle();
            }
        }
        state.settle();
        state
    }

    /// Everything that is derived of places, and the places themselves.
    fn told(state: &mut State) -> impl PartialEq + use<> {
        let used = state.places.used();
        let images: Vec<PlaceImage> =
            (0..used).map(|place| state.image_of(place, &state.place(Place(place)))).collect();
        let listed = |subject| state.kin.of(&state.table, SubjectIndex(subject)).collect::<Vec<u32>>();
        let kin: Vec<(usize, BTreeSet<u32>)> =
            (0..=SUBJECTS).map(listed).map(|all| (all.len(), all.into_iter().collect())).collect();
        let clients: Vec<_> =
            state.root.key_clients.iter().map(|(place, client)| (*place, *client)).collect();
        let sides: BTreeSet<_> = state.root.sides.keys().copied().collect();
        state.sweep(usize::MAX, UnixMillis(0));
        let mut free = BTreeSet::new();
        while let Some(place) = state.places.pick().filter(|place| *place < used) {
            assert!(free.insert(place), "a place is free twice");
            state.places.filled(place);
        }
        (images, kin, clients, sides, free, used)
    }

    /// PROPERTY: what is taken over from buckets is what their facts make when they are applied one by one, and what
    /// was there before: places, positions, subjects' lists, keys' clients, networks, free places. METHOD: random
    /// lives over two buckets; each state is made anew in both ways.
    #[test]
    fn what_is_taken_over_is_what_was_applied() {
        for seed in 0..6 {
            let mut before = lived(&mut Dice(seed));
            let (mut taken, mut applied) =
                (State::new(TenantId(1), CellId(0)), State::new(TenantId(1), CellId(0)));
            for no in 0..2 {
                let bucket = before.bucket((BucketKind::Places, no));
                let Image::Places(images) = &bucket.image else { panic!("no image") };
                assert!(images.iter().all(PlaceImage::is_sound));
                taken.take_places(no, images);
                for (image, at) in images.iter().zip(no * BUCKET_PLACES..) {
                    let (place, generation, reason) = (Place(at), image.generation(), image.reason());
                    match image.record(place) {
                        Some(record) => applied.apply(&Event::SessionOpened { record, evicted: Vec::new() }),
                        None if image.is_unused() => {}
                        None => applied.apply(&Event::SessionEnded { place, generation, reason }),
                    }
                }
                for event in &bucket.events {
                    taken.apply(event);
                    applied.apply(event);
                }
            }
            applied.settle();
            let (before, taken, applied) = (told(&mut before), told(&mut taken), told(&mut applied));
            assert!(taken == applied && taken == before, "seed {seed}");
        }
    }

    /// PROPERTY: command ids that are taken over are known, and are the ids of their minute again.
    #[test]
    fn ids_are_taken_over() {
        let mut state = State::new(TenantId(1), CellId(0));
        let id = |no: u64| {
            tessera_model::CommandId((u128::from(60_000 + no % 7) << 80 | u128::from(no)).to_be_bytes())
        };
        let record =
            |no| CommandIdRecord { id: id(no), revision: tessera_model::Revision(no), fingerprint: !no };
        (0..5_000).for_each(|no| state.remember_record(record(no)));
        let bucket = state.bucket((BucketKind::Commands, 1));
        let Image::Commands(ids) = &bucket.image else { panic!("no image") };
        assert!(ids.len() == 5_000 && ids.is_sorted_by(|one, next| one.id.0 < next.id.0));
        let mut woken = State::new(TenantId(1), CellId(0));
        woken.take_ids(ids.clone());
        assert_eq!(woken.remembered(), 5_000);
        assert!(woken.bucket((BucketKind::Commands, 1)) == bucket);
    }
}
