//! Times of the evaluator by itself: `cargo run --release -p tessera-relation --example figures`; one of them
//! with `-- small`, `large` or `edits` behind it; `-- count N` asks 200 questions N times, for callgrind.

use std::hint::black_box;
use std::io;
use std::time::Instant;
use tessera_model::UnixMillis;
use tessera_relation::{Ask, Model, RELATION_LIST_BUDGET, Relations, TupleRef, Window};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user, group#member]\ntype folder\n  relations\n    define parent: [folder]\n    define viewer: [user, group#member] or viewer from parent\ntype document\n  relations\n    define parent: [folder]\n    define blocked: [user]\n    define viewer: [user, group#member] or viewer from parent\n    define can_view: viewer but not blocked\n";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What one graph has.
#[derive(Clone, Copy)]
struct Sizes {
    users: u64,
    groups: u64,
    trees: u64,
    documents: u64,
}

fn put(relations: &mut Relations, subject: &str, relation: &str, object: &str) -> Outcome<()> {
    relations.write(&TupleRef { subject, relation, object }, Window::ALWAYS)?;
    Ok(())
}

/// Users in groups three deep, folder trees five deep with three group grants on each folder, documents.
fn graph(sizes: Sizes) -> Outcome<Relations> {
    let mut relations = Relations::new();
    relations.set_model(&Model::parse(MODEL)?)?;
    let mut dice = Dice(42);
    let third = sizes.groups / 3;
    for group in third..sizes.groups {
        let above = group % third + if group < 2 * third { 0 } else { third };
        let above = format!("group:g{above}");
        put(&mut relations, &format!("group:g{group}#member"), "member", &above)?;
    }
    for user in 0..sizes.users {
        for _ in 0..4 {
            let group = format!("group:g{}", dice.below(sizes.groups));
            put(&mut relations, &format!("user:u{user}"), "member", &group)?;
        }
    }
    for tree in 0..sizes.trees {
        for level in 0..5 {
            let folder = format!("folder:t{tree}-{level}");
            if level > 0 {
                put(&mut relations, &format!("folder:t{tree}-{}", level - 1), "parent", &folder)?;
            }
            for _ in 0..if level == 0 { 3 } else { 1 } {
                let group = format!("group:g{}#member", dice.below(sizes.groups));
                put(&mut relations, &group, "viewer", &folder)?;
            }
        }
    }
    for document in 0..sizes.documents {
        let folder = format!("folder:t{}-4", dice.below(sizes.trees));
        put(&mut relations, &folder, "parent", &format!("document:d{document}"))?;
    }
    Ok(relations)
}

/// Seconds that this process was on a processor, to some ms, where the system tells; else since its beginning.
fn worked(began: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    ns.map_or_else(|| began.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// What a check takes, names looked up included: median and share of denies, steps, and time on a processor,
/// which other programs do not lengthen.
fn checks(relations: &Relations, sizes: Sizes, distinct: u64, relation: &str) -> Outcome<String> {
    let mut dice = Dice(7);
    let asked: Vec<(String, String)> = (0..distinct)
        .map(|_| {
            let (user, document) = (dice.below(sizes.users), dice.below(sizes.documents));
            (format!("user:u{user}"), format!("document:d{document}"))
        })
        .collect();
    let ask = Ask::at(UnixMillis(0));
    let (mut rounds, mut denied, mut count, mut steps) = (Vec::new(), 0_u64, 0_u64, 0_u64);
    let (began, before) = (Instant::now(), worked(Instant::now()));
    for _ in 0..(400_000 / distinct).max(9) {
        let started = Instant::now();
        for (subject, object) in &asked {
            let answer = relations.check(&ask, &TupleRef { subject, relation, object })?;
            denied += u64::from(!black_box(answer.permitted));
            steps += u64::from(answer.steps);
            count += 1;
        }
        rounds.push(started.elapsed().as_secs_f64() * 1e9 / asked.len() as f64);
    }
    rounds.sort_by(f64::total_cmp);
    let median = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
    let each = |sum: f64| sum / count as f64;
    Ok(format!(
        "{median:.0} ns, {:.0} ns on a processor, {:.0} % denied, {:.0} steps",
        each((worked(began) - before) * 1e9),
        each(denied as f64) * 100.0,
        each(steps as f64)
    ))
}

/// Resident bytes of this process.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4_096.0
}

fn main() -> Outcome<()> {
    let mut out = io::stdout();
    let part = std::env::args().nth(1).unwrap_or_default();
    if part.is_empty() || part == "small" {
        small(&mut out)?;
    }
    if part.is_empty() || part == "large" {
        large(&mut out)?;
    }
    if part == "count" {
        count(std::env::args().nth(2).and_then(|times| times.parse().ok()).unwrap_or(1))?;
    }
    if part.is_empty() || part == "edits" {
        edits(&mut out)?;
    }
    Ok(())
}

/// The same 200 questions again and again.
fn count(times: u32) -> Outcome<()> {
    let sizes = Sizes { users: 1_000, groups: 620, trees: 20, documents: 1_000 };
    let (relations, mut dice) = (graph(sizes)?, Dice(7));
    let ask = Ask::at(UnixMillis(0));
    for _ in 0..200 {
        let subject = format!("user:u{}", dice.below(sizes.users));
        let object = format!("document:d{}", dice.below(sizes.documents));
        for _ in 0..times {
            let tuple = TupleRef { subject: &subject, relation: "viewer", object: &object };
            black_box(relations.check(&ask, &tuple)?);
        }
    }
    Ok(())
}

/// The graph of the comparisons with other servers.
fn small(out: &mut impl io::Write) -> Outcome<()> {
    let small = Sizes { users: 10_000, groups: 620, trees: 100, documents: 35_000 };
    let relations = graph(small)?;
    writeln!(out, "graph of {} tuples", relations.len())?;
    for (name, distinct) in [("hot, 200 questions", 200), ("random, 100,000 questions", 100_000)] {
        for relation in ["viewer", "can_view"] {
            writeln!(out, "{name}, {relation}: {}", checks(&relations, small, distinct, relation)?)?;
        }
    }
    Ok(())
}

/// Two million objects.
fn large(out: &mut impl io::Write) -> Outcome<()> {
    let before = resident();
    let large = Sizes { users: 500_000, groups: 30_000, trees: 20_000, documents: 1_400_000 };
    let started = Instant::now();
    let relations = graph(large)?;
    let each = started.elapsed().as_secs_f64() * 1e9 / relations.len() as f64;
    writeln!(
        out,
        "graph of {} tuples: {:.1} bytes resident a tuple, {each:.0} ns to write one",
        relations.len(),
        (resident() - before) / relations.len() as f64
    )?;
    for relation in ["viewer", "can_view"] {
        writeln!(out, "random, large, {relation}: {}", checks(&relations, large, 200_000, relation)?)?;
    }
    lists(out, &relations)
}

/// Lists of some thousand objects in the large graph.
fn lists(out: &mut impl io::Write, relations: &Relations) -> Outcome<()> {
    let ask = Ask { budget: RELATION_LIST_BUDGET, ..Ask::at(UnixMillis(0)) };
    for relation in ["viewer", "can_view"] {
        let (mut names, began) = (0, Instant::now());
        let before = worked(began);
        for user in 0..50 {
            let list = relations.list_objects(&ask, &format!("user:u{user}"), relation, "document")?;
            names += list.names.len();
        }
        let each = |seconds: f64| seconds * 1e6 / names.max(1) as f64;
        let (wall, processor) = (each(began.elapsed().as_secs_f64()), each(worked(began) - before));
        writeln!(
            out,
            "list_objects {relation}: {names} names in 50 lists, {wall:.2} ms for 1,000, {processor:.2} on a processor"
        )?;
    }
    Ok(())
}

/// Membership edits of a group with a million members, nested in ten others; each is published, so that
/// nothing can be changed in place.
fn edits(out: &mut impl io::Write) -> Outcome<()> {
    let mut relations = Relations::new();
    relations.set_model(&Model::parse(MODEL)?)?;
    for group in 0..10 {
        put(&mut relations, "group:all#member", "member", &format!("group:g{group}"))?;
    }
    for user in 0..1_000_000 {
        put(&mut relations, &format!("user:u{user}"), "member", "group:all")?;
    }
    let (mut kept, mut times) = (relations.clone(), Vec::new());
    for user in 0..1_000_u64 {
        let user = format!("user:u{}", user * 997 % 1_000_000);
        let tuple = TupleRef { subject: &user, relation: "member", object: "group:all" };
        let started = Instant::now();
        relations.remove(&tuple);
        times.push(started.elapsed().as_secs_f64() * 1e6);
        kept = relations.clone();
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    writeln!(out, "edit of a group of {}: p50 {:.0} us, p99 {:.0} us", kept.len(), at(50), at(99))?;
    Ok(())
}
