//! The sessions of one subject: a list through w7 of its places, which only the writer touches, and the
//! limit of how many may live at once.

use super::{Map, State};
use crate::check::{Live, halves};
use crate::table::{Fields, Table, Words};
use tessera_model::limits::{EVICTED_MAX, PLACES_MAX};
use tessera_model::{ClientIndex, Generation, Limit, Place, Refusal, SubjectIndex, UnixMillis};

/// In a link: there is none. A place in a list never has two zeros.
const END: u32 = u32::MAX;

/// Sessions of one subject that are taken over behind one another: the first of its list, which the map has when the
/// row ends.
pub(super) struct Row<'t> {
    subject: SubjectIndex,
    first: (u32, &'t Words),
    /// Whether the map has it already.
    known: bool,
}

/// The first session of each subject's list; the order of a list means nothing.
#[derive(Default)]
pub(super) struct Kin(Map<SubjectIndex, u32>);

fn links(table: &Table, place: u32) -> (u32, u32) {
    table.place(place).map_or((0, 0), |words| halves(words.links()))
}

fn link(table: &Table, place: u32, next: u32, previous: u32) {
    if let Some(words) = table.make(place) {
        words.store_links(u64::from(next) | u64::from(previous) << 32);
    }
}

impl Kin {
    /// Puts a session into its subject's list.
    pub(super) fn add(&mut self, table: &Table, subject: SubjectIndex, place: u32) {
        let next = self.0.insert(subject, place).unwrap_or(END);
        link(table, place, next, END);
        if next != END {
            let (after, _) = links(table, next);
            link(table, next, after, place);
        }
    }

    /// As [`Kin::add`], where the words of the place are at hand and no reader has the table yet. Buckets hold rows of
    /// places of one subject: only the first and the last of a row ask the map.
    pub(super) fn take_over<'t>(
        &mut self,
        table: &'t Table,
        row: &mut Option<Row<'t>>,
        (subject, place, words): (SubjectIndex, u32, &'t Words),
    ) {
        let (next, after, known) = match row.take() {
            Some(row) if row.subject == subject => (row.first.0, Some(row.first.1), false),
            other => {
                self.end_row(other);
                let next = self.0.insert(subject, place).unwrap_or(END);
                (next, table.place(next), true)
            }
        };
        words.store_links(u64::from(next) | u64::from(END) << 32);
        if let Some(after) = after {
            let (further, _) = halves(after.links());
            after.store_links(u64::from(further) | u64::from(place) << 32);
        }
        *row = Some(Row { subject, first: (place, words), known });
    }

    /// A row has ended.
    pub(super) fn end_row(&mut self, row: Option<Row<'_>>) {
        if let Some(Row { subject, first: (place, _), .. }) = row.filter(|row| !row.known) {
            self.0.insert(subject, place);
        }
    }

    /// Takes a place out of its subject's list, if it is in one.
    pub(super) fn remove(&mut self, table: &Table, subject: SubjectIndex, place: u32) {
        let (next, previous) = links(table, place);
        if (next, previous) == (0, 0) {
            return;
        }
        if next != END {
            let (after, _) = links(table, next);
            link(table, next, after, previous);
        }
        if previous != END {
            let (_, before) = links(table, previous);
            link(table, previous, next, before);
        } else if next != END {
            self.0.insert(subject, next);
        } else {
            self.0.remove(&subject);
        }
        link(table, place, 0, 0);
    }

    /// The places of a subject's list. LIMIT: as many steps as a tenant has places.
    pub(super) fn of<'t>(&self, table: &'t Table, subject: SubjectIndex) -> impl Iterator<Item = u32> + 't {
        let first = self.0.get(&subject).copied().unwrap_or(END);
        std::iter::successors(Some(first), |place| Some(links(table, *place).0))
            .take_while(|place| *place != END)
            .take(PLACES_MAX as usize)
    }
}

/// How many live sessions a subject may have, through which client, and what happens beyond.
#[derive(Clone, Copy)]
pub(super) struct Most {
    /// Of this client's alone; `None` counts all.
    pub(super) client: Option<ClientIndex>,
    /// 0 for no limit.
    pub(super) sessions: u32,
    pub(super) evict: bool,
}

impl State {
    /// Makes room for one more session of a subject: those that end for it, oldest by opening first.
    pub(super) fn make_room(
        &self,
        subject: SubjectIndex,
        limits: [Most; 2],
        now: UnixMillis,
    ) -> Result<Vec<(Place, Generation)>, Refusal> {
        let limits = limits.iter().filter(|most| (1..PLACES_MAX).contains(&most.sessions));
        let mut evicted: Vec<(Place, Generation)> = Vec::new();
        for most in limits {
            let counted = |place: &u32| {
                let client = self.positions.read(*place).client;
                most.client.is_none_or(|only| only == client)
            };
            let alive = |place: u32| {
                let (generation, _) = halves(self.place(Place(place))[0]);
                // Whoever acts for the subject takes no place from it.
                if self.acting((Place(place), Generation(generation))).is_some() {
                    return None;
                }
                let live = self.live(Place(place), Generation(generation), now)?;
                Some((live.opened, Place(place), Generation(generation)))
            };
            let spared = |(_, place, _): &(_, Place, _)| !evicted.iter().any(|(gone, _)| gone == place);
            let sessions = self.kin.of(&self.table, subject).filter(counted).filter_map(alive);
            let mut sessions: Vec<_> = sessions.filter(spared).collect();
            let over = (sessions.len() + 1).saturating_sub(most.sessions as usize);
            if over == 0 {
                continue;
            }
            if !most.evict {
                return Err(Refusal::SessionsLimit(Limit::SessionsMax.at(most.sessions.into())));
            }
            sessions.sort_unstable();
            let oldest = sessions.iter().take(over.min(EVICTED_MAX - evicted.len()));
            evicted.extend(oldest.map(|(_, place, generation)| (*place, *generation)));
        }
        Ok(evicted)
    }

    /// Takes a place out of the list of whoever lived there.
    pub(super) fn unlink(&mut self, place: Place, fields: &Fields) {
        self.kin.remove(&self.table, Live::of(fields).subject, place.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// PROPERTY: a subject's list holds exactly the places that were added and not removed. METHOD: a long
    /// row of pseudo-random steps beside plain sets.
    #[test]
    fn lists_are_sets() {
        let (mut kin, table) = (Kin::default(), Table::new());
        let mut sets: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); 4];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as u32 % 200;
            let whose = (state >> 50) as u32 % 4;
            let held = sets.iter().position(|set| set.contains(&place));
            match held {
                Some(subject) => {
                    kin.remove(&table, SubjectIndex(subject as u32), place);
                    sets[subject].remove(&place);
                }
                None => {
                    kin.add(&table, SubjectIndex(whose), place);
                    sets[whose as usize].insert(place);
                }
            }
            // Of what is in no list nothing is removed.
            kin.remove(&table, SubjectIndex(9), 500);
            for (subject, set) in (0..).zip(&sets) {
                let listed: Vec<u32> = kin.of(&table, SubjectIndex(subject)).collect();
                assert_eq!(listed.len(), set.len());
                assert_eq!(&listed.into_iter().collect::<BTreeSet<_>>(), set);
            }
        }
    }

    /// PROPERTY: what is taken over in rows makes the lists, link by link, that adding it one by one makes. METHOD:
    /// seeded buckets of rows of one subject with places of others between them.
    #[test]
    fn rows_are_taken_over_as_they_are_added() {
        for seed in 0..50_u64 {
            let mut dice = seed;
            let mut below = |most: u64| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (dice >> 33) as u32 % most as u32
            };
            let (mut added, one_by_one, mut taken, in_rows) =
                (Kin::default(), Table::new(), Kin::default(), Table::new());
            let mut place = 0;
            for _ in 0..4 {
                let mut row = None;
                for _ in 0..below(300) {
                    place += if below(5) == 0 { 2 } else { 1 };
                    let subject = SubjectIndex(if below(3) == 0 { below(6) } else { place / 40 % 6 });
                    added.add(&one_by_one, subject, place);
                    let words = in_rows.make(place).expect("room");
                    taken.take_over(&in_rows, &mut row, (subject, place, words));
                }
                taken.end_row(row);
            }
            for subject in (0..6).map(SubjectIndex) {
                assert!(added.of(&one_by_one, subject).eq(taken.of(&in_rows, subject)), "seed {seed}");
            }
            assert!(
                (0..=place).all(|place| links(&one_by_one, place) == links(&in_rows, place)),
                "seed {seed}"
            );
        }
    }
}
