//! Compiled policies and the language's own evaluator agree.

use tessera_policy_proof::{Plan, run};

/// PROPERTY: every decision is that of the language, under both rules about a forbid that fails, and the
/// same policies fail. METHOD: random worlds; each operator must stand in one policy of 200 and decide one
/// answer of 1,000: made wrong, in the compiled policies alone, the comparison sees another answer.
#[test]
fn decisions_are_those_of_the_language() {
    let plan = Plan { seed: 1, worlds: 2_000, questions: 50, threads: 2, planted: None };
    let tally = run(plan).unwrap_or_else(|difference| panic!("{difference}"));
    println!("{}", tally.text());
    assert!(tally.questions >= 100_000);
    assert_eq!(tally.lacks(), Vec::<String>::new());
}

/// PROPERTY: a fault in an operator of the compiled policies is found within a few worlds.
#[test]
fn a_planted_fault_is_found() {
    for planted in ["Less", "ContainsAll", "IsInRange", "has a path", "GetTag", "Add", "if", "is in"] {
        let plan = Plan { seed: 7, worlds: 200, questions: 20, threads: 2, planted: Some(planted) };
        let difference = run(plan).err().unwrap_or_else(|| panic!("{planted} was not noticed"));
        assert!(difference.contains("found"), "{planted}: {difference}");
    }
}
