//! What a question costs: nothing is looked at for free, and a budget that does not pay for it ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use tessera_model::{Deadline, UnixMillis};
use tessera_relation::{Ask, AskError, Model, Relations, StepKind, TupleRef, Window};

fn relations(model: &str) -> Relations {
    let mut relations = Relations::new();
    let text = format!("model\n  schema 1.1\ntype user\n{model}");
    relations.set_model(&Model::parse(&text).expect("a model")).expect("a good model");
    relations
}

fn write(relations: &mut Relations, text: &str, window: Window) {
    let words: Vec<&str> = text.split(' ').collect();
    let tuple = TupleRef { subject: words[0], relation: words[1], object: words[2] };
    relations.write(&tuple, window).expect("it fits");
}

fn ask(budget: u32) -> Ask<'static> {
    Ask { budget, ..Ask::at(UnixMillis(0)) }
}

/// What the question costs, asked with a budget that just pays for it, and with one that does not.
fn cost<T>(relations: &Relations, question: impl Fn(&Relations, &Ask<'_>) -> Result<T, AskError>) -> u32 {
    let (mut low, mut high) = (0, 1 << 20);
    assert!(question(relations, &ask(high)).is_ok());
    while low < high {
        let middle = (low + high) / 2;
        match question(relations, &ask(middle)) {
            Ok(_) => high = middle,
            Err(error) => {
                assert_eq!(error, AskError::BudgetExhausted);
                low = middle + 1;
            }
        }
    }
    low
}

const NOBODY: TupleRef<'static> = TupleRef { subject: "user:nobody", relation: "x", object: "t:1" };

fn check(relations: &Relations, ask: &Ask<'_>) -> Result<bool, AskError> {
    relations.check(ask, &NOBODY).map(|answer| answer.permitted)
}

/// PROPERTY: a definition of thousands of terms costs thousands of steps, whichever way an answer is found.
#[test]
fn long_definitions_are_paid_for() {
    let long = vec!["r"; 3_000].join(" or ");
    let plain = relations(&format!("type t\n  relations\n    define r: [user]\n    define x: {long}\n"));
    assert!(cost(&plain, check) >= 2_900);
    let not = format!("type t\n  relations\n    define r: [user]\n    define x: ({long}) but not r\n");
    let mut not = relations(&not);
    write(&mut not, "user:ann r t:1", Window::ALWAYS);
    let ann = TupleRef { subject: "user:ann", ..NOBODY };
    assert!(cost(&not, |relations, ask| relations.check(ask, &ann)) >= 2_900);
    // Round in a circle, where the exact evaluation tells.
    let mut round = relations(&format!(
        "type t\n  relations\n    define p: [t]\n    define r: [user]\n    define x: ({long} or x from p) but not r\n"
    ));
    write(&mut round, "t:1 p t:1", Window::ALWAYS);
    assert!(cost(&round, check) >= 5_900);
    for relations in [&plain, &not, &round] {
        let subjects =
            |relations: &Relations, ask: &Ask<'_>| relations.list_subjects(ask, "t:1", "x", "user", None);
        assert!(cost(relations, subjects) >= 2_900);
    }
    // Whom a relation counts in: a list of objects goes that way.
    let users: String = (0..3_000).map(|number| format!("    define x{number}: r\n")).collect();
    let mut many = relations(&format!("type t\n  relations\n    define r: [user]\n{users}"));
    write(&mut many, "user:ann r t:1", Window::ALWAYS);
    let objects = |relations: &Relations, ask: &Ask<'_>| relations.list_objects(ask, "user:ann", "x7", "t");
    assert!(cost(&many, objects) >= 2_900);
}

/// PROPERTY: a direct step costs as much as there are kinds of sets, each time it stands in a definition.
#[test]
fn direct_steps_cost_their_kinds() {
    let sets: Vec<String> = (0..80).map(|number| format!("t#s{number}")).collect();
    let defined: String = (0..80).map(|number| format!("    define s{number}: [user]\n")).collect();
    let restrictions: Vec<String> =
        (0..80).map(|number| format!("{{\"type\":\"t\",\"relation\":\"s{number}\"}}")).collect();
    let one = relations(&format!("type t\n  relations\n{defined}    define x: [{}]\n", sets.join(", ")));
    let once = cost(&one, check);
    assert!(once >= 60);
    let these = vec!["{\"this\":{}}"; 50].join(",");
    let plain: Vec<String> = (0..80).map(|number| format!("\"s{number}\":{{\"this\":{{}}}}")).collect();
    let hints: Vec<String> = (0..80)
        .map(|number| format!("\"s{number}\":{{\"directly_related_user_types\":[{{\"type\":\"user\"}}]}}"))
        .collect();
    let json = format!(
        "{{\"schema_version\":\"1.1\",\"type_definitions\":[{{\"type\":\"user\"}},{{\"type\":\"t\",\"relations\":{{\"x\":{{\"union\":{{\"child\":[{these}]}}}},{}}},\"metadata\":{{\"relations\":{{\"x\":{{\"directly_related_user_types\":[{}]}},{}}}}}}}]}}",
        plain.join(","),
        restrictions.join(","),
        hints.join(","),
    );
    let mut fifty = Relations::new();
    fifty.set_model(&Model::parse_json(&json).expect("a model")).expect("a good model");
    assert!(cost(&fifty, check) >= 50 * 80);
}

/// PROPERTY: a tuple outside of its window costs a step wherever it is passed over: an object that was full of
/// them is no way to work for nothing.
#[test]
fn closed_windows_are_paid_for() {
    let mut relations = relations(
        "type t\n  relations\n    define p: [t]\n    define x: [user, t#x] or x from p\n    define not: x but not p2\n    define p2: [user]\n",
    );
    let closed = Window { from: Deadline(1_000), until: Deadline::NONE };
    for number in 2..400 {
        write(&mut relations, &format!("t:{number}#x x t:1"), closed);
        write(&mut relations, &format!("t:{number} p t:1"), closed);
        write(&mut relations, &format!("user:u{number} x t:1"), closed);
        write(&mut relations, &format!("user:ann x t:{number}"), closed);
    }
    assert_eq!(check(&relations, &ask(10_000)), Ok(false));
    assert!(cost(&relations, check) >= 790);
    let not = TupleRef { relation: "not", ..NOBODY };
    assert!(cost(&relations, |relations, ask| relations.check(ask, &not)) >= 790);
    assert!(cost(&relations, |relations, ask| relations.list_objects(ask, "user:ann", "x", "t")) >= 390);
    assert!(
        cost(&relations, |relations, ask| relations.list_subjects(ask, "t:1", "x", "user", None)) >= 1_190
    );
    assert!(cost(&relations, |relations, ask| relations.expand(ask, "t:1", "x")) >= 1_190);
    assert!(cost(&relations, |relations, ask| relations.explain(ask, &NOBODY)) >= 790);
}

/// PROPERTY: an explanation has an answer wherever the check has one, and the same; where the way to it would cost more
/// than one may, it says so. METHOD: every budget up to one that pays for all.
#[test]
fn an_explanation_says_no_less_than_the_check() {
    let mut relations =
        relations("type t\n  relations\n    define p: [t]\n    define x: [user, t#x] or x from p\n");
    for number in 2..40 {
        write(&mut relations, &format!("t:{number} p t:{}", number - 1 - number % 2), Window::ALWAYS);
    }
    write(&mut relations, "user:ann x t:17", Window::ALWAYS);
    let mut not_told = 0;
    for subject in ["user:ann", "user:bob"] {
        let tuple = TupleRef { subject, relation: "x", object: "t:1" };
        for budget in 0..2_000 {
            let checked = relations.check(&ask(budget), &tuple);
            let explained = relations.explain(&ask(budget), &tuple);
            assert_eq!(
                checked.map(|answer| answer.permitted),
                explained.as_ref().map(|one| one.answer.permitted).map_err(|error| *error)
            );
            let Ok(explained) = explained else { continue };
            assert_eq!(explained.path.first().map(|step| step.holds), Some(explained.answer.permitted));
            not_told += u32::from(explained.path.last().map(|step| step.kind) == Some(StepKind::NotTold));
        }
        let whole = relations.explain(&ask(2_000), &tuple).expect("explained").path;
        assert!(whole.iter().all(|step| step.kind != StepKind::NotTold), "{whole:?}");
    }
    assert!(not_told > 0);
}

/// PROPERTY: a question whose asker has gone is given up at its next step.
#[test]
fn nobody_is_answered_who_has_gone() {
    let mut relations = relations("type t\n  relations\n    define x: [user, t#x]\n");
    write(&mut relations, "t:2#x x t:1", Window::ALWAYS);
    let gone = AtomicBool::new(false);
    let asked = || check(&relations, &Ask { gone: Some(&gone), ..ask(1_000) });
    assert_eq!(asked(), Ok(false));
    let tried = || {
        let other = "model\n  schema 1.1\ntype user\ntype t\n  relations\n    define x: [user]\n";
        relations.orphans(&Model::parse(other).expect("a model"), Some(&gone)).expect("a good model").count
    };
    assert_eq!(tried(), 1);
    gone.store(true, Ordering::Relaxed);
    assert_eq!((asked(), tried()), (Err(AskError::BudgetExhausted), 0));
}

/// PROPERTY: types whose relations have one name share one run of tuples on the way up: it costs what it holds, not
/// that for each type. METHOD: forty types, and a subject in 300 groups of the first.
#[test]
fn a_run_of_tuples_is_walked_once() {
    let types: String = (0..40)
        .map(|at| format!("type g{at}\n  relations\n    define member: [user, g{at}#member]\n"))
        .collect();
    let sets: Vec<String> = (0..40).map(|at| format!("g{at}#member")).collect();
    let mut relations =
        relations(&format!("{types}type t\n  relations\n    define x: [{}]\n", sets.join(", ")));
    for number in 0..300 {
        write(&mut relations, &format!("user:ann member g0:n{number}"), Window::ALWAYS);
        for other in 0..4 {
            write(&mut relations, &format!("user:u{other} member g1:m{number}"), Window::ALWAYS);
        }
    }
    for number in 0..200 {
        write(&mut relations, &format!("g1:m{number}#member x t:1"), Window::ALWAYS);
    }
    let ann = TupleRef { subject: "user:ann", relation: "x", object: "t:1" };
    let answer = relations.check(&ask(100_000), &ann).expect("an answer");
    assert!(!answer.permitted && answer.steps < 1_000, "{answer:?}");
    write(&mut relations, "g0:n77#member x t:1", Window::ALWAYS);
    assert!(relations.check(&ask(100_000), &ann).expect("an answer").permitted);
}

/// PROPERTY: text that is made to be dear is refused with a place and a reason, in both forms: 10^6 brackets and unions, as
/// many as fit into a model, over-long names, a hundred thousand members.
#[test]
fn hostile_models_are_refused_with_a_place() {
    let head = "model\n  schema 1.1\ntype user\ntype t\n  relations\n    define r: [user]\n    define x: ";
    let json = |rewrite: &str| {
        format!(
            "{{\"schema_version\":\"1.1\",\"type_definitions\":[\n{{\"type\":\"t\",\"relations\":{{\"x\":{rewrite}}}}}]}}"
        )
    };
    let nested = |count: usize| "{\"union\":{\"child\":[".repeat(count);
    let named = |count: usize| (0..count).map(|at| format!("\"r{at}\":1,")).collect::<String>();
    for (text, line, reason) in [
        (format!("{head}{}r", "(".repeat(1_000_000)), 1, "too long"),
        (format!("{head}r{}", " or r".repeat(1_000_000)), 1, "too long"),
        (format!("{head}{}r", "(".repeat(150_000)), 7, "too deep"),
        (format!("{head}r{}", " or r".repeat(35_000)), 7, "too many"),
        (format!("{head}r but not {}", "r".repeat(10_000)), 7, ""),
        (format!("{head}[{}]", "user, ".repeat(30_000)), 7, "too many"),
        (json(&nested(1_000_000)), 1, "too long"),
        (json(&nested(5_000)), 2, "too deep"),
        (json(&format!("{{\"union\":{{\"child\":[{}1]}}}}", "{\"this\":{}},".repeat(14_000))), 2, ""),
        (json(&format!("{{{}\"r1\":1}}", named(12_000))), 2, "twice"),
        ("{".repeat(190_000), 1, ""),
    ] {
        let taken = Model::parse(&text).and_then(|model| Relations::new().set_model(&model));
        let error = taken.expect_err("refused");
        let told = error.reason.to_string();
        assert!(told.contains(reason) && told.len() < 200, "{told}");
        assert_eq!(error.at.line, line, "{told}");
        assert!(error.at.column > 0);
    }
}
