//! What is explored: one writer's batch against readers, for each kind of batch.

use crate::order::{Change, Marks, RootCell, Verdict, answer, publish, whole};
use crate::table::{ALIVE, Fields, Table};
use loom::sync::{Arc, Mutex};
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A root of the model: the subjects that it knows and what they may do.
#[derive(Clone, Copy)]
struct Root {
    subjects: u64,
    granted: bool,
    cut_off: u64,
}

struct Cell(Mutex<StdArc<Root>>);

struct Loaded(StdArc<Root>);

impl std::ops::Deref for Loaded {
    type Target = Root;
    fn deref(&self) -> &Root {
        &self.0
    }
}

impl RootCell<Root> for Cell {
    type Loaded = Loaded;
    fn load(&self) -> Loaded {
        Loaded(StdArc::clone(&self.0.lock().unwrap()))
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Said {
    Permit,
    Deny,
    Stale,
}

impl Verdict for Said {
    fn permits(&self) -> bool {
        *self == Self::Permit
    }
    fn stale(&self) -> bool {
        *self == Self::Stale
    }
    fn changed() -> Self {
        Self::Deny
    }
}

/// Judges the life `generation` of a place: alive, known, not cut off, granted.
fn judge(generation: u64, root: &Root, fields: &Fields) -> Said {
    let [head, _, _, subject, ends, ..] = *fields;
    if head & 0xFFFF_FFFF != generation || head & ALIVE == 0 {
        return Said::Deny;
    }
    if subject >= root.subjects {
        return Said::Stale;
    }
    if ends >> 32 < root.cut_off || !root.granted {
        return Said::Deny;
    }
    Said::Permit
}

fn fields(generation: u64, subject: u64, count: u64) -> Fields {
    [generation | ALIVE, 7, 7, subject, count << 32, 0, 0, 0]
}

struct World {
    table: Table,
    marks: Marks,
    cell: Cell,
}

impl World {
    fn new(root: Root, start: &[(u32, Change)]) -> Arc<Self> {
        let world =
            Self { table: Table::new(), marks: Marks::new(1), cell: Cell(Mutex::new(StdArc::new(root))) };
        for place in 0..2 {
            world.table.make(place);
        }
        publish(&world.table, &world.marks, start, None, 1);
        Arc::new(world)
    }

    /// A whole reading: steps (1) to (6), and the published revision that it began with.
    fn ask(&self, place: u32, generation: u64) -> (Said, u64) {
        let published = self.marks.published();
        (self.ask_under(&self.marks, place, generation), published)
    }

    /// A reading under these marks.
    fn ask_under(&self, marks: &Marks, place: u32, generation: u64) -> Said {
        let version = marks.version();
        let root = self.cell.load();
        let words = self.table.place(place).unwrap();
        answer(words, &self.cell, marks, (&*root, version), |root, fields| judge(generation, root, fields))
    }

    fn batch(&self, changes: &[(u32, Change)], root: Option<Root>) {
        match root {
            None => publish(&self.table, &self.marks, changes, None, 2),
            Some(root) => {
                let mut swap = || *self.cell.0.lock().unwrap() = StdArc::new(root);
                publish(&self.table, &self.marks, changes, Some(&mut swap), 2);
            }
        }
    }
}

/// Runs every interleaving with up to three preemptions, and tells how many that were.
fn explore(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    let count = StdArc::new(AtomicU64::new(0));
    let counted = StdArc::clone(&count);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    println!(
        "order: {} interleavings of {}, 0 violations",
        count.load(Ordering::Relaxed),
        name.replace("explore::", "")
    );
}

const KNOWN: Root = Root { subjects: 1, granted: true, cut_off: 0 };

/// Subject 0 is granted before; the batch takes that away and gives the place a new life.
fn reused() -> (Arc<World>, loom::thread::JoinHandle<()>) {
    let world = World::new(KNOWN, &[(0, Change::Opened(fields(1, 0, 0)))]);
    let writer = Arc::clone(&world);
    let thread = loom::thread::spawn(move || {
        let root = Root { granted: false, ..KNOWN };
        writer.batch(&[(0, Change::Opened(fields(2, 0, 0)))], Some(root));
    });
    (world, thread)
}

/// PROPERTY: the exploration finds a reader that does not look a second time (step 6). METHOD: its marks are others,
/// which stand still: it never hears that the root was swapped.
#[test]
fn a_reader_that_looks_once_is_noticed() {
    let explored = std::panic::catch_unwind(|| {
        explore(|| {
            let (world, thread) = reused();
            let new = world.ask_under(&Marks::new(1), 0, 2);
            assert_ne!(new, Said::Permit, "the new life exists only without the grant");
            thread.join().unwrap();
        });
    });
    let found = explored.expect_err("it was not noticed");
    let said = found.downcast_ref::<String>().expect("a text");
    assert!(said.contains("without the grant"), "{said}");
    println!("planted: a reader that does not look a second time: caught");
}

/// PROPERTY: a batch that takes a grant away and opens a session in the same place (place reuse under
/// a root swap) never lets the new life do what only the old root permits.
#[test]
fn place_reuse_never_mixes_old_grants_with_new_lives() {
    // One reading each: both in one would be some fifty times as many interleavings, and neither says anything of the other.
    explore(|| {
        let (world, thread) = reused();
        let (new, _) = world.ask(0, 2);
        assert_ne!(new, Said::Permit, "the new life exists only without the grant");
        thread.join().unwrap();
        assert_eq!(world.ask(0, 1).0, Said::Deny);
    });
    explore(|| {
        let (world, thread) = reused();
        let (old, published) = world.ask(0, 1);
        assert!(published < 2 || old != Said::Permit, "published, yet the old life is permitted");
        thread.join().unwrap();
        assert_eq!(world.ask(0, 1).0, Said::Deny);
    });
}

/// PROPERTY: a session whose subject was born in the same batch is permitted or unknown, never denied
/// for an index that its root lacks; after publishing it is permitted.
#[test]
fn a_place_never_meets_a_root_that_lacks_its_subject() {
    explore(|| {
        let world = World::new(KNOWN, &[]);
        let writer = Arc::clone(&world);
        let thread = loom::thread::spawn(move || {
            let root = Root { subjects: 2, ..KNOWN };
            writer.batch(&[(0, Change::Opened(fields(1, 1, 0)))], Some(root));
        });
        let (said, published) = world.ask(0, 1);
        assert_ne!(said, Said::Stale);
        assert!(published < 2 || said == Said::Permit);
        thread.join().unwrap();
        assert_eq!(world.ask(0, 1).0, Said::Permit);
    });
}

/// PROPERTY: a cut-off ends the others at once and never, not for a moment, the session it spares.
#[test]
fn a_cut_off_spares_whom_it_spares() {
    explore(|| {
        let start = [(0, Change::Opened(fields(1, 0, 0))), (1, Change::Opened(fields(1, 0, 0)))];
        let world = World::new(KNOWN, &start);
        let writer = Arc::clone(&world);
        let thread = loom::thread::spawn(move || {
            let root = Root { cut_off: 1, ..KNOWN };
            writer.batch(&[(0, Change::Moved(fields(1, 0, 1)))], Some(root));
        });
        let (spared, _) = world.ask(0, 1);
        assert_eq!(spared, Said::Permit, "both states permit the spared one");
        let (other, published) = world.ask(1, 1);
        assert!(published < 2 || other == Said::Deny);
        thread.join().unwrap();
        assert_eq!(world.ask(1, 1).0, Said::Deny);
    });
}

/// PROPERTY: what the batch revoked is denied by every reading that begins after it was published.
/// TC-19 in part: every interleaving.
#[test]
fn a_revocation_is_in_force_once_published() {
    explore(|| {
        let world = World::new(KNOWN, &[(0, Change::Opened(fields(1, 0, 0)))]);
        let writer = Arc::clone(&world);
        let thread = loom::thread::spawn(move || {
            let mut ended = fields(1, 0, 0);
            ended[0] &= !ALIVE;
            writer.batch(&[(0, Change::Ended(ended))], None);
        });
        let (said, published) = world.ask(0, 1);
        assert!(published < 2 || said == Said::Deny);
        thread.join().unwrap();
        assert_eq!(world.ask(0, 1).0, Said::Deny);
    });
}

/// PROPERTY: a batch that moves a grant from one life's subject to another's gives no answer that
/// neither state gives. METHOD: the new life's subject 1 is granted nothing in either state.
#[test]
fn no_answer_mixes_the_place_of_one_state_with_the_root_of_another() {
    explore(|| {
        // Before: place 0 life 1, root grants. After: place 0 untouched, root grants nothing; place 1 opens.
        let world = World::new(KNOWN, &[(0, Change::Opened(fields(1, 0, 0)))]);
        let writer = Arc::clone(&world);
        let thread = loom::thread::spawn(move || {
            let root = Root { subjects: 2, granted: false, cut_off: 0 };
            writer.batch(&[(1, Change::Opened(fields(1, 1, 0)))], Some(root));
        });
        let (opened, _) = world.ask(1, 1);
        assert_ne!(opened, Said::Permit);
        thread.join().unwrap();
    });
}

/// PROPERTY: what is read whole of a place is of one life, while it ends and is given to another.
#[test]
fn a_place_that_is_read_whole_is_of_one_life() {
    explore(|| {
        let (one, other) = (fields(1, 0, 5), fields(2, 1, 9));
        let world = World::new(KNOWN, &[(0, Change::Opened(one))]);
        let writer = Arc::clone(&world);
        let thread = loom::thread::spawn(move || {
            writer.batch(&[(0, Change::Opened(other))], None);
        });
        let read = whole(world.table.place(0).unwrap());
        assert!(read.is_none_or(|read| read == one || read == other || read[0] == 0), "{read:?}");
        thread.join().unwrap();
        assert_eq!(whole(world.table.place(0).unwrap()), Some(other));
    });
}
