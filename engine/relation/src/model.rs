//! A model as it was written: types, their relations and how each follows from others.

use std::fmt;

/// Where something stands in a text. Both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A relationship model: what `OpenFGA` calls an authorization model (schema 1.1, or 1.2 without modules).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Model {
    /// The types, in the order of the text.
    pub types: Vec<TypeDefinition>,
}

/// One type of objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypeDefinition {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub at: Position,
    /// Its relations, in the order of the text.
    pub relations: Vec<RelationDefinition>,
}

/// One relation of a type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelationDefinition {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub at: Position,
    /// What may stand in a tuple of this relation. Empty where no tuple may be written.
    pub direct: Vec<Restriction>,
    /// How the relation follows from tuples and other relations.
    pub rewrite: Rewrite,
}

/// One kind of subject that a tuple may name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restriction {
    /// The type of the subject.
    pub type_name: String,
    /// One of that type, all of them, or a set.
    pub kind: RestrictionKind,
    /// Where it stands.
    pub at: Position,
}

/// What of a type may stand in a tuple.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RestrictionKind {
    /// An object: `user`.
    Object,
    /// Everybody of the type: `user:*`.
    Wildcard,
    /// Those in a relation to an object: `team#member`.
    Userset(
        /// The relation.
        String,
    ),
}

/// The algebra of relations (Zanzibar's userset rewrites).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rewrite {
    /// Who stands in tuples of this relation itself.
    Direct,
    /// Who is in another relation to the same object.
    Computed {
        /// The other relation.
        relation: String,
        /// Where it is named.
        at: Position,
    },
    /// Who is in a relation to an object that a tuple of this one names: `viewer from parent`.
    From {
        /// The relation to the named object.
        relation: String,
        /// The relation whose tuples name objects.
        tupleset: String,
        /// Where the tupleset is named.
        at: Position,
    },
    /// Who is in at least one.
    Union(Vec<Rewrite>),
    /// Who is in every one.
    Intersection(Vec<Rewrite>),
    /// Who is in the first and not in the second.
    Exclusion(Box<Rewrite>, Box<Rewrite>),
}
