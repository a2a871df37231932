//! A decision allocates nothing.

use tessera_policy_cedar::{Facts, Parsed, Question, Schema};
use tessera_program::{FaultRule, Names};

/// PROPERTY: with room taken once, decisions allocate nothing: sets and records that a policy makes, forms of
/// texts, texts that nobody knew, tags with computed keys, faults.
#[test]
fn decisions_allocate_nothing() {
    let schema = Schema::parse(
        b"entity Group; entity User in [Group] = { level: Long, boss: User } tags Set<String>; entity Doc = { owner: User };
        action read appliesTo { principal: [User], resource: [Doc], context: { n: Long, text: String, r: { a: Long, b: Set<Long> } } };",
    )
    .expect("a schema");
    let text = r#"
        permit(principal in Group::"g", action == Action::"read", resource)
        when { [context.n, 2, principal.level].containsAll([2, context.n]) && context.text like "*no*" }
        when { {a: context.n, b: [context.n + 1]} == context.r || [[context.n], [2]].contains([1]) }
        when { principal.hasTag(context.text) == false && resource.owner.boss == principal };
        forbid(principal, action, resource) when { context.n * 4611686018427387904 > 5 };
        forbid(principal, action, resource) when { principal.boss.boss.level == 3 };"#;
    let parsed = Parsed::parse(text.as_bytes()).expect("parses");
    parsed.validate(&schema).expect("fits");
    let entities = r#"[
        {"uid":{"type":"User","id":"a"},"attrs":{"level":1,"boss":{"type":"User","id":"b"}},"parents":[{"type":"Group","id":"g"}]},
        {"uid":{"type":"User","id":"b"},"attrs":{"level":2,"boss":{"type":"User","id":"a"}},"parents":[]},
        {"uid":{"type":"Doc","id":"d"},"attrs":{"owner":{"type":"User","id":"b"}},"parents":[]}]"#;
    let mut names = Names::default();
    let policies = parsed.compile(&mut names).expect("compiles");
    let stored =
        Facts::parse(entities.as_bytes(), Some(&schema)).expect("fits").store(&mut names).expect("stored");
    let mut room = policies.room();
    for (context, permits) in [
        (r#"{"n": 1, "text": "nobody knew", "r": {"a": 1, "b": [2]}}"#, false),
        (r#"{"n": 2, "text": "nobody knew", "r": {"a": 2, "b": [3]}}"#, false),
        (r#"{"n": 0, "text": "nobody knew", "r": {"a": 0, "b": [1]}}"#, true),
        (r#"{"n": 0, "text": "other", "r": {"a": 0, "b": [1]}}"#, false),
    ] {
        let asked = ["User::\"a\"", "Action::\"read\"", "Doc::\"d\""];
        let question = Question::parse(asked, context, Some(&schema), true).expect("fits");
        let request = question.numbered(&names).expect("whole");
        let mut found = None;
        let counted = allocation_counter::measure(|| {
            found = Some(policies.decide(&stored, &request, FaultRule::Strict, &mut room));
        });
        assert_eq!(found.map(tessera_program::Ruling::permits), Some(permits), "{context}: {found:?}");
        assert_eq!(counted.count_total, 0, "{context}");
    }
}
