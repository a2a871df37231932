//! Bytes of programs and entities that were damaged: read in part, or refused; never a panic, and never without end.

use std::collections::{BTreeMap, BTreeSet};
use tessera_policy_cedar::program;
use tessera_program::{Entities, EntityRef, Fact, FaultRule, Program, Request, Term};

const SCHEMA: &str = r#"entity User = { level: Long, team?: String }; entity Folder in [Folder];
    entity Doc in [Folder] = { owner: User, kinds?: Set<String> } tags String; entity Colour enum ["red", "blue"];
    action all; action read, write in [all] appliesTo { principal: [User], resource: [Doc],
        context: { n: Long, at?: datetime, from?: ipaddr, colour?: Colour } };"#;
const POLICIES: &str = r#"permit (principal, action in [Action::"all"], resource in Folder::"top")
        when { principal.level > 3 && (if context has at then context.at < datetime("2026-01-01") else true) };
    forbid (principal, action == Action::"write", resource) unless { resource.owner == principal };
    forbid (principal is User, action, resource) when { resource has kinds && resource.kinds.contains("x") };
    permit (principal, action, resource) when { principal has team && principal.team like "a*b" };
    forbid (principal, action, resource) when { [context.n, 1].containsAny([2, 3]) && resource.hasTag("t") };"#;

/// Asks a program that was read: whatever it says, it says something.
fn ask(read: &Program) {
    let mut names = read.names.clone();
    let mut entities = Entities::default();
    let attributes = BTreeMap::from([("level".to_owned(), Term::Long(4))]);
    entities.put(&mut names, "User", "ann", &Fact { attributes, ..Fact::default() });
    let refer = |kind, id| EntityRef { kind, id };
    let who = (refer("User", "ann"), refer("Action", "read"), refer("Doc", "d"));
    let context = BTreeMap::from([("n".to_owned(), Term::Long(2))]);
    let request = Request::new(&names, who, &context).expect("flat");
    let mut room = read.policies.room();
    for rule in [FaultRule::Strict, FaultRule::Cedar] {
        read.policies.decide(&entities, &request, rule, &mut room);
    }
}

/// PROPERTY: a program that is cut short is none; one with a byte of another value is none, or one that answers.
#[test]
fn programs() {
    let whole = program(SCHEMA.as_bytes(), POLICIES.as_bytes()).expect("a program");
    let bytes = whole.encode();
    ask(&Program::decode(&bytes).expect("whole"));
    for end in 0..bytes.len() {
        assert!(Program::decode(&bytes[..end]).is_err(), "{end}");
    }
    let mut read = 0;
    for at in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(program) = Program::decode(&damaged) {
                ask(&program);
                read += 1;
            }
        }
    }
    assert!(read > 100, "{read}");
}

/// PROPERTY: the same of what is known of an entity; what is read comes out as it was read.
#[test]
fn facts() {
    let record =
        Term::Record(BTreeMap::from([("a".to_owned(), Term::Set(vec![Term::Long(1), Term::Bool(true)]))]));
    let owner = Term::Entity { kind: "User".to_owned(), id: "ann".to_owned() };
    let fact = Fact {
        attributes: BTreeMap::from([("owner".to_owned(), owner), ("deep".to_owned(), record)]),
        tags: BTreeMap::from([("t".to_owned(), Term::Text("x".to_owned()))]),
        ancestors: BTreeSet::from([("Folder".to_owned(), "top".to_owned())]),
    };
    let bytes = fact.encode();
    assert_eq!(Fact::decode(&bytes).expect("whole"), fact);
    for end in 0..bytes.len() {
        assert!(Fact::decode(&bytes[..end]).is_err(), "{end}");
    }
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(read) = Fact::decode(&damaged) {
                assert_eq!(Fact::decode(&read.encode()).expect("again"), read);
            }
        }
    }
}
