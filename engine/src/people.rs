//! The subjects of a tenant by their index: 28 bytes each, in chunks that a clone shares.

use std::ops::{Bound, RangeBounds};
use tessera_model::SubjectIndex;
use tessera_model::limits::SUBJECTS_MAX;
use tessera_model::record::SubjectRecord;
use tessera_policy::Chunked;

/// The records.
#[derive(Clone)]
pub(crate) struct People {
    records: Chunked<Option<SubjectRecord>>,
    len: usize,
}

impl People {
    /// Nobody.
    pub(crate) fn new() -> Self {
        Self { records: Chunked::new(SUBJECTS_MAX), len: 0 }
    }

    /// How many there are, deleted ones included.
    pub(crate) const fn size(&self) -> usize {
        self.len
    }

    /// The record of a subject.
    pub(crate) fn get(&self, index: &SubjectIndex) -> Option<&SubjectRecord> {
        self.records.get(index.0)?.as_ref()
    }

    /// The indexes of all of them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = SubjectIndex> {
        self.range(..).map(|(index, _)| index)
    }

    /// Puts a record in its place.
    pub(crate) fn insert(&mut self, record: SubjectRecord) {
        let index = record.index.0;
        self.len += usize::from(self.get(&record.index).is_none());
        self.records.set(index, Some(record));
    }

    /// The records of some indexes, in their order.
    pub(crate) fn range(
        &self,
        range: impl RangeBounds<SubjectIndex>,
    ) -> impl Iterator<Item = (SubjectIndex, &SubjectRecord)> {
        let from = match range.start_bound() {
            Bound::Included(index) => index.0,
            Bound::Excluded(index) => index.0.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => index.0.saturating_add(1),
            Bound::Excluded(index) => index.0,
            Bound::Unbounded => u32::MAX,
        };
        (from..to.min(self.records.len()))
            .map(SubjectIndex)
            .filter_map(|index| Some((index, self.get(&index)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::PublicId;
    use tessera_model::record::{SubjectKind, SubjectStatus};

    fn record(index: u32) -> SubjectRecord {
        SubjectRecord {
            index: SubjectIndex(index),
            id: PublicId::new(u64::from(index), [7; 10]),
            kind: SubjectKind::Machine,
            status: SubjectStatus::Active,
            cut_off: index,
            has_password: false,
            guest: false,
        }
    }

    /// PROPERTY: records stand where they were put, once, and ranges give those within their bounds in order.
    #[test]
    fn records_stand_where_they_were_put() {
        let mut people = People::new();
        for index in [5, 1, 300, 17, 5] {
            people.insert(record(index));
        }
        assert_eq!(people.size(), 4);
        assert!(people.get(&SubjectIndex(5)).is_some_and(|found| *found == record(5)));
        assert!(people.get(&SubjectIndex(2)).is_none() && people.get(&SubjectIndex(1 << 20)).is_none());
        let found = |range: (Bound<SubjectIndex>, Bound<SubjectIndex>)| {
            people.range(range).map(|(index, _)| index.0).collect::<Vec<_>>()
        };
        assert_eq!(found((Bound::Unbounded, Bound::Unbounded)), [1, 5, 17, 300]);
        assert_eq!(found((Bound::Excluded(SubjectIndex(5)), Bound::Excluded(SubjectIndex(300)))), [17]);
        assert_eq!(
            found((Bound::Included(SubjectIndex(5)), Bound::Included(SubjectIndex(300)))),
            [5, 17, 300]
        );
        assert!(size_of::<Option<SubjectRecord>>() <= 28);
    }
}
