//! Short texts that stand for much: refused before the language's reader and validator are given them.

use tessera_policy_cedar::{PolicyError, PolicyReason, Schema, Wrong, program};

fn refused(schema: &str, policies: &str) -> PolicyError {
    let wrong = program(schema.as_bytes(), policies.as_bytes()).map(drop).expect_err("too much");
    let (Wrong::Schema(faults) | Wrong::Policies(faults)) = wrong;
    faults.into_iter().next().expect("a fault")
}

fn list(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(", ")
}

/// PROPERTY: a schema of some ten KiB whose actions apply to millions of pairs is refused, in both forms.
#[test]
fn pairs_of_types_have_a_bound() {
    let all = list(5_000, |at| format!("A{at}"));
    let text = format!("entity {all};\naction a, b appliesTo {{ principal: [{all}], resource: [{all}] }};");
    assert_eq!(refused(&text, "").reason, PolicyReason::TooLong);
    let names = list(5_000, |at| format!("\"A{at}\""));
    let types = list(5_000, |at| format!("\"A{at}\": {{}}"));
    let json = format!(
        r#"{{"": {{"entityTypes": {{{types}}}, "actions": {{"a": {{"appliesTo": {{"principalTypes": [{names}], "resourceTypes": [{names}]}}}}}}}}}}"#
    );
    assert_eq!(refused(&json, "").reason, PolicyReason::TooLong);
    assert!(Schema::parse(json.as_bytes()).is_err());
}

/// PROPERTY: types that double with each name, and chains of names, are refused before they are written out.
#[test]
fn types_that_are_written_out_have_a_bound() {
    let mut doubles = String::from("type T0 = { a: Long };\n");
    for at in 1..46 {
        doubles += &format!("type T{at} = {{ a: T{}, b: T{} }};\n", at - 1, at - 1);
    }
    assert_eq!(refused(&doubles, "").reason, PolicyReason::TooLong);
    let mut chain = String::from("type T0 = { a: Long };\n");
    for at in 1..4_000 {
        chain += &format!("type T{at} = {{ a: T{} }};\n", at - 1);
    }
    assert_eq!(refused(&chain, "").reason, PolicyReason::TooLong);
    // One that lies in itself is refused by the language, not followed.
    assert_eq!(refused("type A = { b: B }; type B = { a: A };", "").reason, PolicyReason::Schema);
}

/// PROPERTY: what is declared of many names at once is counted for each, before it is copied, and in its place.
#[test]
fn what_is_copied_has_a_bound() {
    let names = list(8_000, |at| format!("a{at}"));
    let types = list(4_000, |at| format!("A{at}"));
    for text in [
        format!("entity B;\naction {names} appliesTo {{ principal: [{types}], resource: [B] }};"),
        format!("entity B;\nentity {names} = {{ {}: Long }};", "x".repeat(40_000)),
        format!("entity B;\nentity {names} in [{types}];"),
        format!("namespace N {{ entity B;\nentity {names} tags {{ {}: Long }}; }}", "x".repeat(40_000)),
    ] {
        let fault = refused(&text, "");
        assert_eq!((fault.reason, fault.place.map(|place| place.line)), (PolicyReason::TooLong, Some(2)));
    }
}

/// PROPERTY: chains of types and of actions that lie in each other are counted with all that lies above.
#[test]
fn chains_have_a_bound() {
    let types: String = (1..3_000).map(|at| format!("entity A{at} in A{};\n", at - 1)).collect();
    assert_eq!(refused(&format!("entity A0;\n{types}"), "").reason, PolicyReason::TooLong);
    let actions: String = (1..3_000).map(|at| format!("action a{at} in a{};\n", at - 1)).collect();
    assert_eq!(refused(&format!("action a0;\n{actions}"), "").reason, PolicyReason::TooLong);
}

/// PROPERTY: long policies are not held against a schema of many actions, nor open slots against many types; as many
/// actions as a tenant may have are held against some policies.
#[test]
fn policies_times_actions_have_a_bound() {
    let actions = list(8_192, |at| format!("\"p.{at}\""));
    let schema = format!(
        "entity User, Workspace, Tenant;\naction {actions} appliesTo {{ principal: [User], resource: [Workspace, Tenant], \
         context: {{ now: datetime, key: Bool }} }};"
    );
    let policy = "permit (principal, action, resource) when { context.key };\n";
    assert_eq!(refused(&schema, &policy.repeat(1_600)).reason, PolicyReason::TooLong);
    assert!(program(schema.as_bytes(), policy.repeat(2).as_bytes()).is_ok());
    let types = list(4_000, |at| format!("A{at}"));
    let schema = format!("entity {types};\naction a appliesTo {{ principal: [A0], resource: [A0] }};");
    let slots = "permit (principal in ?principal, action, resource in ?resource);";
    assert_eq!(refused(&schema, slots).reason, PolicyReason::TooLong);
}
