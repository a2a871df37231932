//! Faults that were met in the field, each with the number of its case.

use tessera_policy_cedar::{Facts, Parsed, PolicyError, PolicyReason, Question, Schema};
use tessera_program::{FaultRule, Names, Ruling};

struct World {
    schema: Schema,
    policies: Parsed,
    facts: Facts,
}

impl World {
    fn new(schema: &str, policies: &str, entities: &str) -> Result<Self, Vec<PolicyError>> {
        let schema = Schema::parse(schema.as_bytes())?;
        let policies = Parsed::parse(policies.as_bytes())?;
        policies.validate(&schema)?;
        let facts = Facts::parse(entities.as_bytes(), Some(&schema))?;
        Ok(Self { schema, policies, facts })
    }

    /// The answers under the strict rule and under Cedar's.
    fn ask(&self, asked: [&str; 3], context: &str) -> [Ruling; 2] {
        let mut names = Names::default();
        let policies = self.policies.compile(&mut names).expect("compiles");
        let stored = self.facts.store(&mut names).expect("stored");
        let question = Question::parse(asked, context, Some(&self.schema), true).expect("fits");
        let request = question.numbered(&names).expect("whole");
        let mut room = policies.room();
        [FaultRule::Strict, FaultRule::Cedar].map(|rule| policies.decide(&stored, &request, rule, &mut room))
    }

    fn permits(&self, asked: [&str; 3], context: &str) -> [bool; 2] {
        self.ask(asked, context).map(Ruling::permits)
    }
}

fn refused(schema: &str, policies: &str) -> PolicyError {
    let faults = World::new(schema, policies, "[]").err().expect("refused");
    faults.into_iter().next().expect("a fault")
}

fn at(error: &PolicyError) -> (u32, u32) {
    error.place.map(|place| (place.line, place.column)).expect("a place")
}

const RUN: &str = "entity User, Doc;\naction run appliesTo { principal: [User], resource: [Doc], context: { command: String } };";
const ASKED: [&str; 3] = ["User::\"u\"", "Action::\"run\"", "Doc::\"d\""];

/// PROPERTY: `in` on a text and an attribute that does not exist are refused where they stand; the mended
/// form decides.
#[test]
fn f_43_a_forbid_that_could_never_hold() {
    let with = |condition: &str| {
        format!(
            "permit(principal, action, resource);\nforbid(principal, action == Action::\"run\", resource) when {{\n  {condition}\n}};"
        )
    };
    let wrong = refused(RUN, &with("context.command in [\"rm\",\"dd\"]"));
    assert_eq!((wrong.reason, at(&wrong).0), (PolicyReason::Validation, 3), "{wrong}");
    let misspelt = refused(RUN, &with("context.comand == \"rm\""));
    assert_eq!((misspelt.reason, at(&misspelt).0), (PolicyReason::Validation, 3), "{misspelt}");
    assert!(misspelt.says.contains("comand"), "{misspelt}");
    let mended = World::new(RUN, &with("[\"rm\",\"dd\"].contains(context.command)"), "[]").expect("mended");
    assert_eq!(mended.permits(ASKED, r#"{"command": "rm"}"#), [false, false]);
    assert_eq!(mended.permits(ASKED, r#"{"command": "ls"}"#), [true, true]);
}

/// PROPERTY: an optional attribute is not read without `has`; a forbid that fails denies, or is left out
/// under Cedar's rule; a permit that fails permits nothing.
#[test]
fn f_44_a_forbid_that_fails() {
    let schema = "entity User = { limit: Long };\nentity Doc;\naction run appliesTo { principal: [User], resource: [Doc], context: { n: Long, blocked?: Bool } };";
    let permit = "permit(principal, action, resource);\n";
    let open =
        refused(schema, &format!("{permit}forbid(principal, action, resource) when {{ context.blocked }};"));
    assert_eq!((open.reason, at(&open)), (PolicyReason::Validation, (2, 44)), "{open}");
    let world = World::new(
        schema,
        &format!(
            "{permit}forbid(principal, action, resource) when {{ context.n * 4611686018427387904 > 5 }};"
        ),
        "[]",
    )
    .expect("fits");
    assert_eq!(world.permits(ASKED, r#"{"n": 0}"#), [true, true]);
    assert_eq!(world.permits(ASKED, r#"{"n": 1}"#), [false, false]);
    assert_eq!(world.permits(ASKED, r#"{"n": 2}"#), [false, true]);
    let unknown = World::new(
        schema,
        &format!("{permit}forbid(principal, action, resource) when {{ principal.limit < 5 }};"),
        "[]",
    )
    .expect("fits");
    assert_eq!(unknown.permits(ASKED, r#"{"n": 0}"#), [false, true]);
    let failing =
        World::new(schema, "permit(principal, action, resource) when { principal.limit < 5 };", "[]");
    assert_eq!(failing.expect("fits").permits(ASKED, r#"{"n": 0}"#), [false, false]);
}

/// PROPERTY: a second role never brings back what a forbid on the first takes.
#[test]
fn f_46_two_roles() {
    let schema = "entity Role;\nentity User in [Role];\nentity Scope;\naction create appliesTo { principal: [User], resource: [Scope] };";
    let policies = "permit(principal, action == Action::\"create\", resource);\nforbid(principal in Role::\"user\", action == Action::\"create\", resource);";
    let user = |id: &str, roles: &[&str]| {
        let parents: Vec<String> =
            roles.iter().map(|role| format!(r#"{{"type":"Role","id":"{role}"}}"#)).collect();
        format!(r#"{{"uid":{{"type":"User","id":"{id}"}},"attrs":{{}},"parents":[{}]}}"#, parents.join(","))
    };
    let entities =
        [user("a", &["user"]), user("b", &["user", "foo"]), user("c", &["foo"]), user("d", &[])].join(",");
    let world = World::new(schema, policies, &format!("[{entities}]")).expect("fits");
    for (id, permits) in [("a", false), ("b", false), ("c", true), ("d", true)] {
        let who = format!("User::\"{id}\"");
        let asked = [who.as_str(), "Action::\"create\"", "Scope::\"s\""];
        assert_eq!(world.permits(asked, "{}"), [permits, permits], "{id}");
    }
}
