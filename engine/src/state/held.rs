//! The keyed hashes of each subject's identifiers: 17 bytes each, those of 64 subjects in one list.

use super::Map;
use tessera_model::SubjectIndex;

/// Subjects whose hashes share a list.
const SHARE: u32 = 64;

/// The hashes that subjects hold.
#[derive(Default)]
pub(super) struct Held(Map<u32, Vec<(u8, [u8; 16])>>);

/// The list of a subject, and which of its subjects it is.
fn place(subject: SubjectIndex) -> (u32, u8) {
    (subject.0 / SHARE, u8::try_from(subject.0 % SHARE).unwrap_or_default())
}

impl Held {
    /// The hashes that a subject holds, in the order in which it got them.
    pub(super) fn of(&self, subject: SubjectIndex) -> impl Iterator<Item = &[u8; 16]> {
        let (list, mine) = place(subject);
        let held = self.0.get(&list).into_iter().flatten();
        held.filter(move |(whose, _)| *whose == mine).map(|(_, hash)| hash)
    }

    /// A subject holds a hash, once.
    pub(super) fn add(&mut self, subject: SubjectIndex, hash: [u8; 16]) {
        let (list, mine) = place(subject);
        let held = self.0.entry(list).or_default();
        if !held.contains(&(mine, hash)) {
            held.push((mine, hash));
        }
    }

    /// A subject holds a hash no more.
    pub(super) fn remove(&mut self, subject: SubjectIndex, hash: [u8; 16]) {
        let (list, mine) = place(subject);
        if let Some(held) = self.0.get_mut(&list) {
            held.retain(|known| *known != (mine, hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: each subject holds what it was given and not taken from it, in that order.
    #[test]
    fn subjects_hold_what_they_were_given() {
        let mut held = Held::default();
        let subject = |no: u32| SubjectIndex(60 + no);
        for no in 0..10 {
            for hash in [[1; 16], [2; 16], [3; 16], [2; 16]] {
                held.add(subject(no), hash);
            }
        }
        held.remove(subject(4), [2; 16]);
        held.remove(subject(5), [9; 16]);
        for no in 0..10 {
            let wanted: &[_] = if no == 4 { &[[1; 16], [3; 16]] } else { &[[1; 16], [2; 16], [3; 16]] };
            assert_eq!(held.of(subject(no)).copied().collect::<Vec<_>>(), wanted, "{no}");
        }
        assert_eq!(held.of(SubjectIndex(9_999)).count(), 0);
    }
}
