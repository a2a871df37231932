//! The engine and the slow answer agree on every question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tessera_model::time::DEADLINE_EPOCH_S;
use tessera_model::{Deadline, UnixMillis};
use tessera_relation::{Ask, AskError, Model, Relations, TupleRef, Window};
use tessera_relation_proof::{Naive, Random, Told, Tuple, Who, Without, World};

/// Schemas of a run, and threads that share them.
const SCHEMAS: u64 = 2_950;
const THREADS: u64 = 2;

#[derive(Default)]
struct Tally {
    decisions: AtomicUsize,
    schemas: Mutex<BTreeSet<String>>,
    permits: AtomicUsize,
    too_deep: AtomicUsize,
    lists: AtomicUsize,
    contextual: AtomicUsize,
    left_behind: AtomicUsize,
    timed: AtomicUsize,
    looked_into: AtomicUsize,
    decisive: [AtomicUsize; 5],
}

const PARTS: [Without; 5] = [Without::Or, Without::And, Without::Not, Without::Recursion, Without::Everybody];

/// The instant in seconds of a window's clock.
fn at(second: u64) -> UnixMillis {
    UnixMillis((DEADLINE_EPOCH_S + second) * 1000)
}

fn open(window: Window, second: u64) -> bool {
    u64::from(window.from.0) <= second
        && (window.until == Deadline::NONE || second < u64::from(window.until.0))
}

struct Texts {
    subject: String,
    relation: String,
    object: String,
}

impl Texts {
    fn of(tuple: &Tuple) -> Self {
        let (one, number) = tuple.object;
        Self {
            subject: tuple.who.text(),
            relation: format!("r{}", tuple.relation),
            object: format!("t{one}:{number}"),
        }
    }

    fn tuple(&self) -> TupleRef<'_> {
        TupleRef { subject: &self.subject, relation: &self.relation, object: &self.object }
    }
}

/// Adds and removes tuples on both sides.
fn edit(
    world: &World,
    random: &mut Random,
    relations: &mut Relations,
    plain: &mut BTreeMap<Tuple, Window>,
    count: usize,
) {
    for _ in 0..count {
        let Some(tuple) = world.tuple(random) else { continue };
        let texts = Texts::of(&tuple);
        if random.chance(25) && plain.len() > 30 {
            let gone = *plain.keys().nth(random.below(plain.len())).unwrap();
            plain.remove(&gone);
            assert!(relations.remove(&Texts::of(&gone).tuple()));
            continue;
        }
        let window = match random.below(12) {
            0 => Window { from: Deadline(50), until: Deadline::NONE },
            1 => Window { from: Deadline::NONE, until: Deadline(50) },
            2 => Window { from: Deadline(20), until: Deadline(80) },
            _ => Window::ALWAYS,
        };
        relations.write(&texts.tuple(), window).unwrap();
        plain.insert(tuple, window);
        assert_eq!(relations.window(&texts.tuple()), Some(window));
    }
    assert_eq!(relations.len(), plain.len() as u64);
}

fn subjects(world: &World, random: &mut Random) -> Vec<Who> {
    let mut all = vec![Who::One(0, 0), Who::One(0, 1), Who::One(0, 2)];
    let own = 1 + random.below(world.types.len() - 1);
    all.push(match random.below(6) {
        0 => Who::Everybody(0),
        1 => Who::One(0, 9),
        2 => Who::One(own, random.below(3)),
        _ => Who::Set(own, random.below(3), 1 + random.below(world.types[own].len() - 1)),
    });
    all
}

fn one_schema(seed: u64, tally: &Tally) {
    let mut random = Random::new(seed);
    let world = World::random(&mut random);
    let Ok(model) = Model::parse(&world.text()) else { panic!("seed {seed}: {}", world.text()) };
    let mut relations = Relations::new();
    if relations.set_model(&model).is_err() {
        return; // Nobody could ever be in one of its relations.
    }
    tally.schemas.lock().unwrap().insert(world.text());
    let mut plain = BTreeMap::new();
    for count in [50, 20] {
        edit(&world, &mut random, &mut relations, &mut plain, count);
        let second = [10, 30, 60][random.below(3)];
        let live: Vec<Tuple> =
            plain.iter().filter(|(_, window)| open(**window, second)).map(|(tuple, _)| *tuple).collect();
        checks(&world, &mut random, &relations, &plain, (seed, second), tally);
        if seed.is_multiple_of(4) {
            lists(&world, &mut random, &relations, &live, (seed, second), tally);
        }
    }
    if seed.is_multiple_of(12) {
        other_model(&mut random, &mut relations, &mut plain, seed, tally);
    }
}

/// Another model over the same tuples: what it does not take is told beforehand, and counts in no answer.
fn other_model(
    random: &mut Random,
    relations: &mut Relations,
    plain: &mut BTreeMap<Tuple, Window>,
    seed: u64,
    tally: &Tally,
) {
    let other = World::random(random);
    let Ok(model) = Model::parse(&other.text()) else { panic!("seed {seed}: {}", other.text()) };
    let Ok(orphans) = relations.orphans(&model, None) else { return };
    let left_behind = plain.keys().filter(|tuple| !other.takes(tuple)).count();
    assert_eq!(orphans.count, left_behind as u64, "seed {seed}: {}", other.text());
    tally.left_behind.fetch_add(left_behind, Ordering::Relaxed);
    relations.set_model(&model).unwrap();
    for count in [0, 20] {
        edit(&other, random, relations, plain, count);
        let second = [10, 30, 60][random.below(3)];
        let live: Vec<Tuple> =
            plain.iter().filter(|(_, window)| open(**window, second)).map(|(tuple, _)| *tuple).collect();
        checks(&other, random, relations, plain, (seed, second), tally);
        lists(&other, random, relations, &live, (seed, second), tally);
    }
}

fn checks(
    world: &World,
    random: &mut Random,
    relations: &Relations,
    plain: &BTreeMap<Tuple, Window>,
    (seed, second): (u64, u64),
    tally: &Tally,
) {
    let live: Vec<Tuple> =
        plain.iter().filter(|(_, window)| open(**window, second)).map(|(tuple, _)| *tuple).collect();
    for number in 0..7 {
        let own = 1 + random.below(world.types.len() - 1);
        let root = (own, random.below(3), 1 + random.below(world.types[own].len() - 1));
        let added: Vec<Tuple> =
            (0..if random.chance(60) { 4 } else { 0 }).filter_map(|_| world.tuple(random)).collect();
        let texts: Vec<Texts> = added.iter().map(Texts::of).collect();
        let contextual: Vec<TupleRef<'_>> = texts.iter().map(Texts::tuple).collect();
        let depth = [25, 25, 25, 4, 2][random.below(5)];
        let asked = subjects(world, random);
        let all = live.iter().chain(&added).copied();
        let told = Naive::new(world, all.clone(), Without::Nothing).tell(root, &asked, depth);
        let bare = Naive::new(world, live.iter().copied(), Without::Nothing).tell(root, &asked, depth);
        // Whether a part decides is looked at in one question of three.
        let parts: &[Without] = if number % 3 == 0 { &PARTS } else { &[] };
        let without: Vec<Vec<Told>> = parts
            .iter()
            .map(|part| Naive::new(world, all.clone(), *part).tell(root, &asked, depth))
            .collect();
        tally.looked_into.fetch_add(if parts.is_empty() { 0 } else { asked.len() }, Ordering::Relaxed);
        for (number, (who, told)) in asked.iter().zip(&told).enumerate() {
            let texts = Texts::of(&Tuple { who: *who, relation: root.2, object: (root.0, root.1) });
            let depth = u32::try_from(depth).unwrap();
            let ask = Ask { contextual: &contextual, depth, ..Ask::at(at(second)) };
            let found = relations.check(&ask, &texts.tuple());
            let same = match told {
                Told::Permit => found.is_ok_and(|answer| answer.permitted),
                Told::Deny => found.is_ok_and(|answer| !answer.permitted),
                Told::TooDeep => found == Err(AskError::DepthExceeded),
            };
            assert!(
                same,
                "seed {seed}, second {second}, depth {depth}: {:?} with {contextual:?}: {told:?}, found {found:?}\n{}\n{:#?}",
                texts.tuple(),
                world.text(),
                live.iter().map(|tuple| format!("{:?}", Texts::of(tuple).tuple())).collect::<Vec<_>>(),
            );
            tally.decisions.fetch_add(1, Ordering::Relaxed);
            tally.permits.fetch_add(usize::from(*told == Told::Permit), Ordering::Relaxed);
            tally.too_deep.fetch_add(usize::from(*told == Told::TooDeep), Ordering::Relaxed);
            tally.contextual.fetch_add(usize::from(bare[number] != *told), Ordering::Relaxed);
            for (count, other) in tally.decisive.iter().zip(&without) {
                count.fetch_add(usize::from(other[number] != *told), Ordering::Relaxed);
            }
            // Up to the instant before it may change by time alone, the answer stands.
            if let Ok(answer) = found
                && answer.valid_until.0 != u64::MAX
            {
                tally.timed.fetch_add(1, Ordering::Relaxed);
                assert!(answer.valid_until > at(second), "seed {seed}");
                let then = Ask { now: UnixMillis(answer.valid_until.0 - 1), ..ask };
                assert_eq!(
                    relations.check(&then, &texts.tuple()).unwrap().permitted,
                    answer.permitted,
                    "seed {seed}"
                );
            }
        }
    }
}

fn lists(
    world: &World,
    random: &mut Random,
    relations: &Relations,
    live: &[Tuple],
    (seed, second): (u64, u64),
    tally: &Tally,
) {
    for round in 0..3 {
        let added: Vec<Tuple> = (0..[0, 1, 4][round]).filter_map(|_| world.tuple(random)).collect();
        let texts: Vec<Texts> = added.iter().map(Texts::of).collect();
        let contextual: Vec<TupleRef<'_>> = texts.iter().map(Texts::tuple).collect();
        let naive = Naive::new(world, live.iter().chain(&added).copied(), Without::Nothing);
        let ask = Ask { contextual: &contextual, depth: 1_000, ..Ask::at(at(second)) };
        let own = 1 + random.below(world.types.len() - 1);
        let relation = 1 + random.below(world.types[own].len() - 1);
        for who in subjects(world, random) {
            let list = relations.list_objects(&ask, &who.text(), &format!("r{relation}"), &format!("t{own}"));
            let found: BTreeSet<String> = list.unwrap().names.into_iter().collect();
            let permitted =
                |number: &usize| naive.tell((own, *number, relation), &[who], 1_000) == [Told::Permit];
            let expected: BTreeSet<String> =
                (0..3).filter(permitted).map(|number| format!("t{own}:{number}")).collect();
            assert_eq!(found, expected, "seed {seed}: {who:?} r{relation} t{own}\n{}", world.text());
            tally.lists.fetch_add(1, Ordering::Relaxed);
        }
        let root = (own, random.below(3), relation);
        let other = 1 + random.below(world.types.len() - 1);
        let set = 1 + random.below(world.types[other].len() - 1);
        for (wanted, set) in [(0, None), (other, None), (other, Some(set))] {
            let mut own_grants = naive.own_grants(root, wanted, set);
            let everybody = Who::Everybody(wanted);
            if own_grants.contains(&everybody) && naive.tell(root, &[everybody], 1_000) != [Told::Permit] {
                // Then everyone counts by name who is not like everybody.
                let of_type = |who: &Who| matches!(who, Who::One(one, _) if *one == wanted);
                own_grants.extend(live.iter().chain(&added).map(|tuple| tuple.who).filter(of_type));
            }
            let own_grants: Vec<Who> = own_grants.into_iter().collect();
            let told = naive.tell(root, &own_grants, 1_000);
            let expected: BTreeSet<String> = own_grants
                .iter()
                .zip(told)
                .filter(|(_, told)| *told == Told::Permit)
                .map(|(who, _)| who.text())
                .collect();
            let name = set.map(|set| format!("r{set}"));
            let list = relations.list_subjects(
                &ask,
                &format!("t{}:{}", root.0, root.1),
                &format!("r{relation}"),
                &format!("t{wanted}"),
                name.as_deref(),
            );
            let found: BTreeSet<String> = list.unwrap().names.into_iter().collect();
            assert_eq!(found, expected, "seed {seed}: {root:?} t{wanted} {set:?}\n{}", world.text());
            tally.lists.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// PROPERTY: every check is that of the slow answer, over random models and tuples with edits, windows,
/// tuples of the question, depths, and models that leave tuples behind; lists are the closure of check, tuples of the
/// question included; an answer stands until the instant it names. METHOD: each answer compared; whatever the language has must decide in one answer of a
/// hundred, or the comparison would say nothing about it.
#[test]
fn answers_agree_with_the_slow_answer() {
    let tally = Tally::default();
    // A seed that failed is tried alone.
    if let Some(seed) = std::env::var("TESSERA_SEED").ok().and_then(|seed| seed.parse().ok()) {
        return one_schema(seed, &tally);
    }
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let tally = &tally;
            scope.spawn(move || {
                (thread..SCHEMAS).step_by(THREADS as usize).for_each(|seed| one_schema(seed, tally))
            });
        }
    });
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let (decisions, schemas) = (count(&tally.decisions), tally.schemas.lock().unwrap().len());
    println!(
        "{decisions} decisions over {} schemas, {} permits, {} too deep, {} lists, {} with an end; decided by tuples of the question {}, {} tuples left behind by a model",
        schemas,
        count(&tally.permits),
        count(&tally.too_deep),
        count(&tally.lists),
        count(&tally.timed),
        count(&tally.contextual),
        count(&tally.left_behind),
    );
    for (part, number) in PARTS.iter().zip(&tally.decisive) {
        println!("  without {part:?}: {} other answers", count(number));
        assert!(count(number) * 100 >= count(&tally.looked_into), "{part:?} decides too seldom");
    }
    assert!(decisions >= 100_000 && schemas >= 2_000);
    assert!(count(&tally.permits) * 5 >= decisions && (decisions - count(&tally.permits)) * 5 >= decisions);
    assert!(count(&tally.contextual) * 100 >= decisions, "tuples of the question decide too seldom");
    assert!(count(&tally.left_behind) >= 1_000);
    assert!(count(&tally.too_deep) > 0 && count(&tally.timed) > 0 && count(&tally.lists) >= 1_000);
}
