//! The graph of docs/performance.md: users in nested groups, folder trees, documents; and the questions about it.

use crate::figure::Why;
use crate::seeded::Seeded;
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, UnixMillis};
use tessera_relation::{Ask, Model, Relations, TupleRef, Window};

/// The model: groups in groups, viewers through folders, and an exclusion.
pub const MODEL: &str = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user, group#member]\ntype folder\n  relations\n    define parent: [folder]\n    define viewer: [user, group#member] or viewer from parent\ntype document\n  relations\n    define parent: [folder]\n    define blocked: [user]\n    define viewer: [user, group#member] or viewer from parent\n    define can_view: viewer but not blocked\n";

/// How much there is of each.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Users.
    pub users: u32,
    /// Groups, three deep.
    pub groups: u32,
    /// Groups that each user is in.
    pub each: u32,
    /// Folder trees, five deep.
    pub trees: u32,
    /// Documents, each in a folder.
    pub documents: u32,
}

/// Some 100,000 tuples: 10,000 users in 620 groups, 100 trees, 35,000 documents.
pub const SMALL: Sizes = Sizes { users: 10_000, groups: 620, each: 6, trees: 100, documents: 35_000 };

/// A tuple in its three parts.
pub type Triple = (String, &'static str, String);

/// Hands every tuple of a graph to `put`.
///
/// # Errors
/// What `put` says.
pub fn tuples(sizes: Sizes, put: &mut dyn FnMut(Triple) -> Result<(), Why>) -> Result<(), Why> {
    let mut dice = Seeded::new(42);
    let third = sizes.groups / 3;
    for group in third..sizes.groups {
        let above = group % third + if group < 2 * third { 0 } else { third };
        put((format!("group:g{group}#member"), "member", format!("group:g{above}")))?;
    }
    for user in 0..sizes.users {
        for _ in 0..sizes.each {
            put((format!("user:u{user}"), "member", format!("group:g{}", dice.below(sizes.groups))))?;
        }
    }
    for tree in 0..sizes.trees {
        for level in 0..5 {
            let folder = format!("folder:t{tree}-{level}");
            if level > 0 {
                put((format!("folder:t{tree}-{}", level - 1), "parent", folder.clone()))?;
            }
            // Three grants on the outermost folder, one on each of the others.
            for _ in 0..if level == 0 { 3 } else { 1 } {
                let group = format!("group:g{}#member", dice.below(sizes.groups));
                put((group, "viewer", folder.clone()))?;
            }
        }
    }
    for document in 0..sizes.documents {
        let folder = format!("folder:t{}-4", dice.below(sizes.trees));
        put((folder, "parent", format!("document:d{document}")))?;
    }
    Ok(())
}

/// The graph in memory.
///
/// # Errors
/// When a tuple is refused.
pub fn relations(sizes: Sizes) -> Result<Relations, Why> {
    let mut relations = Relations::new();
    relations.set_model(&Model::parse(MODEL)?)?;
    tuples(sizes, &mut |(subject, relation, object)| {
        let tuple = TupleRef { subject: &subject, relation, object: &object };
        relations.write(&tuple, Window::ALWAYS)?;
        Ok(())
    })?;
    Ok(relations)
}

/// A tuple as commands carry it.
#[must_use]
pub fn record((subject, relation, object): &Triple) -> RelationRecord {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    RelationRecord {
        object: object.as_str().into(),
        relation: (*relation).into(),
        subject: subject.as_str().into(),
        from,
        until,
    }
}

/// A tuple that is to be written.
#[must_use]
pub fn write(tuple: &Triple) -> RelationChange {
    RelationChange { act: RelationAct::Write, condition: RelationCondition::Any, tuple: record(tuple) }
}

/// Random questions, and the share of them that is answered with no.
///
/// # Errors
/// When a question has no answer.
pub fn questions(
    relations: &Relations,
    sizes: Sizes,
    (count, relation): (u32, &'static str),
) -> Result<(Vec<Triple>, f64), Why> {
    let mut dice = Seeded::new(7);
    let (mut asked, mut denied) = (Vec::new(), 0_u32);
    for _ in 0..count {
        let subject = format!("user:u{}", dice.below(sizes.users));
        let object = format!("document:d{}", dice.below(sizes.documents));
        let tuple = TupleRef { subject: &subject, relation, object: &object };
        denied += u32::from(!relations.check(&Ask::at(UnixMillis(0)), &tuple)?.permitted);
        asked.push((subject, relation, object));
    }
    Ok((asked, f64::from(denied) / f64::from(count.max(1))))
}
