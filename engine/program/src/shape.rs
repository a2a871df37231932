//! Shapes: which attributes entities and contexts have, as a schema says. What comes in is read and held against
//! them here, so that no schema language is needed when a question is asked.

use crate::entities::Fact;
use crate::plain::{Placed, Plain, PlainError};
use crate::term::Term;
use crate::text::{datetime, decimal, duration};
use crate::value::Ip;
use std::collections::{BTreeMap, BTreeSet};

/// The kind of a value. Kinds within it are numbers in the [`Shape`]'s list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Long,
    /// A text.
    Text,
    /// An entity of this type.
    Entity(String),
    /// Ten-thousandths.
    Decimal,
    /// Milliseconds since 1970.
    Datetime,
    /// Milliseconds.
    Duration,
    /// An address or a network.
    Ip,
    /// Values of this kind.
    Set(u32),
    /// Values under names.
    Record(Vec<Field>),
}

/// A field of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The number of its kind.
    pub kind: u32,
    /// Whether it must be there.
    pub required: bool,
}

/// A type of entities.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntityShape {
    /// The number of the record of its attributes.
    pub attributes: u32,
    /// The number of the kind of its tags; none where it has no tags.
    pub tags: Option<u32>,
    /// The types that it may lie in.
    pub parents: Vec<String>,
    /// All its ids in their order, where they are listed.
    pub ids: Option<Vec<String>>,
}

/// An action.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActionShape {
    /// The number of the record of its context.
    pub context: u32,
    /// All actions that it is in: type and id.
    pub above: Vec<(String, String)>,
}

/// What a schema says about values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shape {
    /// All kinds. INVARIANT: a kind stands behind those within it.
    pub kinds: Vec<Kind>,
    /// The types of entities.
    pub entities: BTreeMap<String, EntityShape>,
    /// The actions, by type and id.
    pub actions: BTreeMap<(String, String), ActionShape>,
}

/// An entity as it came: its parents stand in place of its ancestors.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What is known of it.
    pub fact: Fact,
}

impl Shape {
    /// The kind with this number.
    #[must_use]
    pub fn kind(&self, number: u32) -> Option<&Kind> {
        self.kinds.get(number as usize)
    }

    /// The fields of the record with this number.
    #[must_use]
    pub fn fields(&self, number: u32) -> &[Field] {
        if let Some(Kind::Record(fields)) = self.kind(number) { fields } else { &[] }
    }

    /// Reads the fields of a record. Fields named in `given` come from elsewhere: they must not stand here. With
    /// `whole`, all that are required must.
    ///
    /// # Errors
    /// What does not fit, at its place.
    pub fn read_fields(
        &self,
        record: u32,
        from: &Placed,
        given: &[&str],
        whole: bool,
    ) -> Result<BTreeMap<String, Term>, PlainError> {
        let Plain::Object(members) = &from.value else {
            return Err(from.misfit(format!("expected an object, found {}", from.what())));
        };
        let fields = self.fields(record);
        let mut read = BTreeMap::new();
        for (name, value) in members {
            if given.contains(&name.as_str()) {
                return Err(value.misfit(format!("{name:?} comes from the node and cannot be sent")));
            }
            let field = fields.iter().find(|field| field.name == *name);
            let field =
                field.ok_or_else(|| value.misfit(format!("the schema has no attribute {name:?} here")))?;
            read.insert(name.clone(), self.read(field.kind, value)?);
        }
        let missing = fields.iter().find(|field| {
            field.required && !read.contains_key(&field.name) && !given.contains(&field.name.as_str())
        });
        match missing.filter(|_| whole) {
            Some(field) => Err(from.misfit(format!("the attribute {:?} is missing", field.name))),
            None => Ok(read),
        }
    }

    /// Reads a value of a kind.
    ///
    /// LIMIT: recursion is as deep as the text, which has a bound.
    fn read(&self, number: u32, from: &Placed) -> Result<Term, PlainError> {
        let kind = self.kind(number).ok_or_else(|| from.misfit("the schema has no such kind"))?;
        let wrong = |wanted: &str| from.misfit(format!("expected {wanted}, found {}", from.what()));
        match (kind, &from.value) {
            (Kind::Bool, Plain::Bool(value)) => Ok(Term::Bool(*value)),
            (Kind::Long, Plain::Long(value)) => Ok(Term::Long(*value)),
            (Kind::Text, Plain::Text(text)) => Ok(Term::Text(text.clone())),
            (Kind::Bool, _) => Err(wrong("true or false")),
            (Kind::Long, _) => Err(wrong("a whole number")),
            (Kind::Text, _) => Err(wrong("a text")),
            (Kind::Entity(of), _) => {
                let (kind, id) = self.read_uid(from)?;
                if kind == *of {
                    Ok(Term::Entity { kind, id })
                } else {
                    Err(from.misfit(format!("expected an entity of {of}, found one of {kind}")))
                }
            }
            (Kind::Set(of), Plain::List(items)) => {
                items.iter().map(|item| self.read(*of, item)).collect::<Result<_, _>>().map(Term::Set)
            }
            (Kind::Set(_), _) => Err(wrong("a list")),
            (Kind::Record(_), _) => self.read_fields(number, from, &[], true).map(Term::Record),
            (Kind::Decimal | Kind::Datetime | Kind::Duration | Kind::Ip, _) => extension(kind, from),
        }
    }

    /// Reads `{"type": …, "id": …}`, which may stand in an `__entity`.
    ///
    /// # Errors
    /// When it is none, or the schema does not have it.
    pub fn read_uid(&self, from: &Placed) -> Result<(String, String), PlainError> {
        let inner = from.member("__entity").unwrap_or(from);
        let part = |name: &str| inner.member(name).and_then(Placed::text);
        let (Plain::Object(members), Some(kind), Some(id)) = (&inner.value, part("type"), part("id")) else {
            return Err(from.misfit("expected an entity: an object of `type` and `id`"));
        };
        if members.len() != 2 {
            return Err(from.misfit("an entity has a `type` and an `id`, and nothing else"));
        }
        self.known(kind, id).map_err(|says| from.misfit(says))?;
        Ok((kind.to_owned(), id.to_owned()))
    }

    /// Whether the schema has this entity, or why not.
    fn known(&self, kind: &str, id: &str) -> Result<(), String> {
        if self.actions.contains_key(&(kind.to_owned(), id.to_owned())) {
            return Ok(());
        }
        let shape = self.entities.get(kind).ok_or_else(|| format!("the schema has no type {kind}"))?;
        match &shape.ids {
            Some(ids) if ids.binary_search_by(|one| one.as_str().cmp(id)).is_err() => {
                Err(format!("{kind} has no entity {id:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Reads a list of entities: objects of `uid`, `attrs`, `parents` and `tags`. None stands twice.
    ///
    /// # Errors
    /// What does not fit, at its place.
    pub fn read_entities(&self, from: &Placed) -> Result<Vec<Sent>, PlainError> {
        let Plain::List(items) = &from.value else {
            return Err(from.misfit(format!("expected a list of entities, found {}", from.what())));
        };
        let (mut found, mut names) = (Vec::new(), BTreeSet::new());
        for item in items {
            let sent = self.read_entity(item)?;
            if !names.insert((sent.kind.clone(), sent.id.clone())) {
                return Err(item.misfit(format!("{}::{:?} stands twice", sent.kind, sent.id)));
            }
            found.push(sent);
        }
        Ok(found)
    }

    fn read_entity(&self, from: &Placed) -> Result<Sent, PlainError> {
        let Plain::Object(members) = &from.value else {
            return Err(from.misfit(format!("expected an entity, found {}", from.what())));
        };
        let other =
            members.iter().find(|(name, _)| !["uid", "attrs", "parents", "tags"].contains(&name.as_str()));
        if let Some((name, value)) = other {
            return Err(value.misfit(format!("an entity has no member {name:?}")));
        }
        let uid = from.member("uid").ok_or_else(|| from.misfit("an entity without `uid`"))?;
        let (kind, id) = self.read_uid(uid)?;
        let shape =
            self.entities.get(&kind).ok_or_else(|| uid.misfit("an action is no entity to be stored"))?;
        let nothing = Placed { value: Plain::Object(Vec::new()), ..*from };
        let attributes = from.member("attrs").unwrap_or(&nothing);
        let attributes = self.read_fields(shape.attributes, attributes, &[], true)?;
        let mut tags = BTreeMap::new();
        if let Some(given) = from.member("tags") {
            let Plain::Object(members) = &given.value else {
                return Err(given.misfit(format!("expected an object, found {}", given.what())));
            };
            for (name, value) in members {
                let kind = shape.tags.ok_or_else(|| value.misfit(format!("{kind} has no tags")))?;
                tags.insert(name.clone(), self.read(kind, value)?);
            }
        }
        let mut ancestors = BTreeSet::new();
        if let Some(given) = from.member("parents") {
            let Plain::List(items) = &given.value else {
                return Err(given.misfit(format!("expected a list, found {}", given.what())));
            };
            for item in items {
                let parent = self.read_uid(item)?;
                if !shape.parents.contains(&parent.0) {
                    return Err(item.misfit(format!("{kind} lies in no {}", parent.0)));
                }
                ancestors.insert(parent);
            }
        }
        Ok(Sent { kind, id, fact: Fact { attributes, tags, ancestors } })
    }

    /// Whether what is known of an entity fits; its parents stand in place of its ancestors.
    #[must_use]
    pub fn fits(&self, kind: &str, id: &str, fact: &Fact) -> bool {
        let Some(shape) = self.entities.get(kind) else { return false };
        let tags = |of: u32| fact.tags.values().all(|value| self.is(of, value));
        self.known(kind, id).is_ok()
            && self.holds(self.fields(shape.attributes), &fact.attributes)
            && shape.tags.map_or(fact.tags.is_empty(), tags)
            && fact.ancestors.iter().all(|(kind, _)| shape.parents.contains(kind))
    }

    fn holds(&self, fields: &[Field], values: &BTreeMap<String, Term>) -> bool {
        let field = |name: &String| fields.iter().find(|field| field.name == *name);
        values.iter().all(|(name, value)| field(name).is_some_and(|field| self.is(field.kind, value)))
            && fields.iter().all(|field| !field.required || values.contains_key(&field.name))
    }

    fn is(&self, kind: u32, value: &Term) -> bool {
        match (self.kind(kind), value) {
            (Some(Kind::Bool), Term::Bool(_))
            | (Some(Kind::Long), Term::Long(_))
            | (Some(Kind::Text), Term::Text(_))
            | (Some(Kind::Decimal), Term::Decimal(_))
            | (Some(Kind::Datetime), Term::Datetime(_))
            | (Some(Kind::Duration), Term::Duration(_))
            | (Some(Kind::Ip), Term::Ip(_)) => true,
            (Some(Kind::Entity(of)), Term::Entity { kind, id }) => of == kind && self.known(kind, id).is_ok(),
            (Some(Kind::Set(of)), Term::Set(items)) => items.iter().all(|item| self.is(*of, item)),
            (Some(Kind::Record(fields)), Term::Record(values)) => self.holds(fields, values),
            _ => false,
        }
    }
}

/// Reads a value of an extension: its text, which may stand in an `__extn` with the name of its function.
fn extension(kind: &Kind, from: &Placed) -> Result<Term, PlainError> {
    let name = match kind {
        Kind::Decimal => "decimal",
        Kind::Datetime => "datetime",
        Kind::Duration => "duration",
        Kind::Bool
        | Kind::Long
        | Kind::Text
        | Kind::Entity(_)
        | Kind::Ip
        | Kind::Set(_)
        | Kind::Record(_) => "ip",
    };
    let inner = from.member("__extn");
    let function = inner.map(|inner| inner.member("fn").and_then(Placed::text));
    let text = inner.map_or(Some(from), |inner| inner.member("arg")).and_then(Placed::text);
    let wrong = || from.misfit(format!("expected the text of a value of {name}"));
    if function.is_some_and(|function| function != Some(name)) {
        return Err(wrong());
    }
    let text = text.ok_or_else(wrong)?;
    let read = match name {
        "decimal" => decimal(text).map(Term::Decimal),
        "datetime" => datetime(text).map(Term::Datetime),
        "duration" => duration(text).map(Term::Duration),
        _ => Ip::parse(text).map(Term::Ip),
    };
    read.ok_or_else(|| from.misfit(format!("{text:?} is no {name}")))
}
