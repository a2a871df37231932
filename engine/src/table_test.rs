//! Tests of the session table's geometry, beside its source, which the model checker compiles too.

use crate::table::{INNER, OUTER, Table, Words, locate};

/// PROPERTY: places map one to one onto (chunk, offset) and chunks are filled without holes.
/// METHOD: walk the first 20,000 places and compare with a counter.
#[test]
fn places_fill_chunks_in_order() {
    let (mut chunk, mut offset) = (0, 0);
    for place in 0..20_000 {
        let (at, within, size) = locate(place);
        assert_eq!((at, within), (chunk, offset), "place {place}");
        offset += 1;
        if offset == size as usize {
            (chunk, offset) = (chunk + 1, 0);
        }
    }
    let last = locate((1 << 24) - 1);
    assert!(last.0 < INNER * OUTER);
}

#[test]
fn a_place_costs_one_line() {
    assert_eq!(size_of::<Words>(), 64);
    let table = Table::new();
    assert!(table.place(5).is_none());
    assert!(table.make(5).is_some());
    assert!(table.place(5).is_some());
    assert_eq!(table.bytes(), 64 * 64);
    assert!(table.make(u32::MAX).is_none());
}
