//! A request's fields, gathered from path, query and body by the table, and read as what they must be.

use crate::json::Json;
use crate::load::{Form, rows};
use crate::operation::{Operation, Shape, Stand};
use crate::problem::Problem;
use crate::sound::sound;
use crate::tuple;
use crate::value::{
    NameOrNumber, attribute_kind, attributes, bool, conditions, count, handle, identifiers, instant, list,
    name_or_number, networks, origins, patterns, receipt, rule, subject_kind, text,
};
use tessera_model::limits::RELATION_CHANGES_MAX;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::relation::RelationRecord;
use tessera_model::time::DEADLINE_EPOCH_S;
use tessera_model::{
    Condition, Deadline, GrantConditions, HandleBytes, Identifier, Name, Network, Origin, Pattern, Private,
    PublicId, Receipt, Refusal,
};

/// LIMIT: names in one question about ids.
pub(crate) const NAMES_MAX: usize = 1_024;
/// LIMIT: characters of a text that is no secret: the longest, a key's description, has 256 bytes.
pub(crate) const TEXT_CHARS_MAX: usize = 4_096;

/// The fields of one request. No `Debug`: it may hold passwords.
#[derive(Clone)]
pub(crate) struct Input(Vec<(&'static str, Json)>);

impl Input {
    /// Gathers the fields. What the table does not know is named and refused, and so is what is missing.
    ///
    /// # Errors
    /// A [`Problem`] at the field.
    pub(crate) fn gather(
        operation: &'static Operation,
        path: Vec<(String, String)>,
        query: Vec<(String, String)>,
        body: Vec<(String, Json)>,
    ) -> Result<Self, Problem> {
        let text = |(name, value)| (name, Json::Text(value));
        let mut gathered = Vec::with_capacity(operation.fields.len());
        let mut take = |stand: Stand, pairs: &mut dyn Iterator<Item = (String, Json)>| {
            for (name, value) in pairs {
                let known = operation.fields.iter().find(|field| field.stand == stand && field.name == name);
                let Some(field) = known else {
                    return Err(Problem::unreadable("no such member or parameter here").at(&name));
                };
                let value = if stand == Stand::Query { typed(field.shape, value) } else { value };
                // An explicit null is as good as none.
                if value != Json::Null {
                    gathered.push((field.name, value));
                }
            }
            Ok(())
        };
        take(Stand::Path, &mut path.into_iter().map(text))?;
        take(Stand::Query, &mut query.into_iter().map(text))?;
        let stand = if operation.content().is_some() { Stand::Content } else { Stand::Body };
        take(stand, &mut body.into_iter())?;
        let input = Self(gathered);
        for field in operation.fields {
            match input.json(field.name) {
                None if field.required => return Err(Problem::unreadable("is missing").at(field.name)),
                None => {}
                Some(value) => sound(field, value)?,
            }
        }
        Ok(input)
    }

    pub(crate) fn json(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Takes a field out and reads it; nothing when it was left out.
    fn read<T>(&self, name: &str, read: impl FnOnce(&Json) -> Option<T>) -> Result<Option<T>, Problem> {
        self.json(name).map(|value| read(value).ok_or_else(|| ill_formed(name))).transpose()
    }

    /// A text, when there is one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.json(name) {
            Some(Json::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A secret text, such as a password; empty when it was left out.
    pub(crate) fn secret(&self, name: &str) -> Private {
        Private::new(self.text(name).unwrap_or_default().as_bytes().to_vec())
    }

    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>, Problem> {
        self.read(name, bool)
    }

    pub(crate) fn count(&self, name: &str) -> Result<Option<u32>, Problem> {
        self.read(name, count)
    }

    pub(crate) fn name(&self, name: &str) -> Result<Option<Name>, Problem> {
        self.read(name, |value| Name::new(text(value)?).ok())
    }

    pub(crate) fn public_id(&self, name: &str) -> Result<Option<PublicId>, Problem> {
        self.read(name, |value| PublicId::parse(text(value)?))
    }

    pub(crate) fn networks(&self, name: &str) -> Result<Vec<Network>, Problem> {
        Ok(self.read(name, networks)?.unwrap_or_default())
    }

    pub(crate) fn origins(&self, name: &str) -> Result<Vec<Origin>, Problem> {
        Ok(self.read(name, origins)?.unwrap_or_default())
    }

    pub(crate) fn patterns(&self, name: &str) -> Result<Vec<Pattern>, Problem> {
        Ok(self.read(name, patterns)?.unwrap_or_default())
    }

    pub(crate) fn rule(&self, name: &str) -> Result<Vec<Condition>, Problem> {
        Ok(self.read(name, rule)?.unwrap_or_default())
    }

    /// Conditions of a grant; nothing where they are not spoken of.
    pub(crate) fn conditions(&self, name: &str) -> Result<Option<GrantConditions>, Problem> {
        self.read(name, conditions)
    }

    pub(crate) fn names(&self, name: &str) -> Result<Vec<Name>, Problem> {
        Ok(self
            .read(name, |value| list(value, NAMES_MAX, |item| Name::new(text(item)?).ok()))?
            .unwrap_or_default())
    }

    pub(crate) fn identifier(&self, name: &str) -> Result<Option<Identifier>, Problem> {
        self.read(name, |value| Identifier::guess(text(value)?).ok())
    }

    pub(crate) fn identifiers(&self, name: &str) -> Result<Vec<Identifier>, Problem> {
        Ok(self.read(name, identifiers)?.unwrap_or_default())
    }

    pub(crate) fn handle(&self, name: &str) -> Result<Option<HandleBytes>, Problem> {
        self.read(name, |value| text(value).and_then(handle))
    }

    pub(crate) fn instant(&self, name: &str) -> Result<Deadline, Problem> {
        self.read(name, instant)?.map_or(Ok(Deadline::NONE), |at| {
            // A deadline of 0 would read as none.
            let deadline = at.to_deadline();
            let early = at.0 / 1_000 <= DEADLINE_EPOCH_S;
            if early { Err(Problem::from(Refusal::DeadlinePassed).at(name)) } else { Ok(deadline) }
        })
    }

    pub(crate) fn receipt(&self, name: &str) -> Result<Receipt, Problem> {
        Ok(self.read(name, |value| receipt(text(value)?))?.unwrap_or_default())
    }

    /// The bytes of a cursor; what is no text of one is no cursor of this node either, which says so.
    pub(crate) fn cursor(&self, name: &str) -> Option<Vec<u8>> {
        self.text(name).map(|text| tessera_model::cursor::from_text(text).unwrap_or_default())
    }

    pub(crate) fn subject_kind(&self, name: &str) -> Result<SubjectKind, Problem> {
        Ok(self.read(name, subject_kind)?.unwrap_or(SubjectKind::Person))
    }

    pub(crate) fn attribute_kind(&self, name: &str) -> Result<Option<AttributeKind>, Problem> {
        self.read(name, attribute_kind)
    }

    pub(crate) fn attributes(&self, name: &str) -> Result<Vec<(Name, Option<AttributeValue>)>, Problem> {
        Ok(self.read(name, attributes)?.unwrap_or_default())
    }

    /// A name or a number.
    pub(crate) fn name_or_number(&self, name: &str) -> Result<Option<NameOrNumber<'_>>, Problem> {
        self.json(name).map(|value| name_or_number(value).ok_or_else(|| ill_formed(name))).transpose()
    }

    /// Tuples of relations, with their windows where they may have one.
    pub(crate) fn tuples(&self, name: &str) -> Result<Vec<RelationRecord>, Problem> {
        let windows = name == "write";
        let read = |value: &Json| list(value, RELATION_CHANGES_MAX, |one| tuple::tuple(one, windows));
        Ok(self.read(name, read)?.unwrap_or_default())
    }

    /// Rows of subjects: their form and their text.
    pub(crate) fn rows(&self, name: &str) -> Option<(Form, &str)> {
        self.json(name).and_then(rows)
    }

    /// The questions of a batch, each an object.
    pub(crate) fn checks(&self, name: &str) -> &[Json] {
        match self.json(name) {
            Some(Json::List(list)) => list,
            _ => &[],
        }
    }
}

/// A parameter's text as what its shape writes: a parameter has no types, a content has.
fn typed(shape: Shape, value: Json) -> Json {
    let Json::Text(text) = &value else { return value };
    match (shape, text.as_str()) {
        (Shape::Bool, "true") => Json::Bool(true),
        (Shape::Bool, "false") => Json::Bool(false),
        (Shape::Count | Shape::Limit, digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse::<u32>().map_or(value, |number| Json::Whole(number.into()))
        }
        _ => value,
    }
}

pub(crate) fn ill_formed(field: &str) -> Problem {
    Problem::from(Refusal::Malformed).at(field)
}
