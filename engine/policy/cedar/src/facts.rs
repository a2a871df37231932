//! Entities and contexts in the language's JSON: held against the schema, and stored as values.

use crate::error::{PolicyError, PolicyReason};
use crate::guard::{self, CONTEXT_BYTES_MAX, ENTITIES_BYTES_MAX};
use crate::source::Schema;
use cedar_policy::ffi::DetailedError;
use cedar_policy::{Context, EntityUid, EvalResult};
use std::collections::BTreeMap;
use tessera_program::{Entities, EntityRef, Fact, Ip, Names, Request, Term, datetime, decimal, duration};

/// Entities as the language holds them.
#[derive(Clone, Debug)]
pub struct Facts(cedar_policy::Entities);

impl Facts {
    /// Reads entities in JSON. With a schema they must fit it, and its actions are among them.
    ///
    /// # Errors
    /// When they do not parse or do not fit.
    pub fn parse(bytes: &[u8], schema: Option<&Schema>) -> Result<Self, Vec<PolicyError>> {
        let text = guard::text(bytes, ENTITIES_BYTES_MAX).map_err(|error| vec![error])?;
        guard::json(text).map_err(|error| vec![error])?;
        let read = cedar_policy::Entities::from_json_str(text, schema.map(|schema| &schema.0));
        read.map(Self)
            .map_err(|error| PolicyError::told(PolicyReason::Entity, text, [DetailedError::from(&error)]))
    }

    /// What the language itself holds them for.
    #[must_use]
    pub const fn entities(&self) -> &cedar_policy::Entities {
        &self.0
    }

    /// Stores them, in the numbers of `names`.
    ///
    /// # Errors
    /// When a value is nested too deep.
    pub fn store(&self, names: &mut Names) -> Result<Entities, PolicyError> {
        let mut stored = Entities::default();
        for entity in self.0.iter() {
            let uid = entity.uid();
            let mut fact = Fact::default();
            for (name, value) in entity.attrs() {
                fact.attributes
                    .insert(name.to_owned(), value.ok().and_then(|value| term(&value)).ok_or_else(deep)?);
            }
            for (name, value) in entity.tags() {
                fact.tags
                    .insert(name.to_owned(), value.ok().and_then(|value| term(&value)).ok_or_else(deep)?);
            }
            for above in self.0.ancestors(&uid).into_iter().flatten() {
                fact.ancestors.insert(pair(above));
            }
            let (kind, id) = pair(&uid);
            if !stored.put(names, &kind, &id, &fact) {
                return Err(deep());
            }
        }
        Ok(stored)
    }
}

fn deep() -> PolicyError {
    PolicyError::new(PolicyReason::TooDeep, "a value of an entity or context is nested too deep")
}

fn pair(uid: &EntityUid) -> (String, String) {
    (uid.type_name().to_string(), uid.id().unescaped().to_owned())
}

/// A question in the language's terms.
#[derive(Clone, Debug)]
pub struct Question(cedar_policy::Request);

impl Question {
    /// Reads a question: the entities written `Type::"id"`, the context in JSON. With a schema, it must fit it
    /// when `strict`.
    ///
    /// # Errors
    /// When it does not parse or does not fit.
    pub fn parse(
        [subject, action, resource]: [&str; 3],
        context: &str,
        schema: Option<&Schema>,
        strict: bool,
    ) -> Result<Self, Vec<PolicyError>> {
        let uid = |text: &str, what: &str| -> Result<EntityUid, Vec<PolicyError>> {
            let read = text.parse::<EntityUid>().map_err(|error| DetailedError::from(&error));
            read.map_err(|mut error| {
                error.message = format!("{what}: {}", error.message);
                PolicyError::told(PolicyReason::Request, text, [error])
            })
        };
        let (subject, action, resource) =
            (uid(subject, "principal")?, uid(action, "action")?, uid(resource, "resource")?);
        let text = guard::text(context.as_bytes(), CONTEXT_BYTES_MAX).map_err(|error| vec![error])?;
        guard::json(text).map_err(|error| vec![error])?;
        let shape = schema.filter(|_| strict).map(|schema| (&schema.0, &action));
        let context = Context::from_json_str(text, shape)
            .map_err(|error| PolicyError::told(PolicyReason::Request, text, [DetailedError::from(&error)]))?;
        Self::of(subject, action, resource, context, schema.filter(|_| strict))
    }

    /// A question from its parts.
    ///
    /// # Errors
    /// When it does not fit the schema.
    pub fn of(
        subject: EntityUid,
        action: EntityUid,
        resource: EntityUid,
        context: Context,
        schema: Option<&Schema>,
    ) -> Result<Self, Vec<PolicyError>> {
        let schema = schema.map(|schema| &schema.0);
        let asked = cedar_policy::Request::new(subject, action, resource, context, schema);
        asked
            .map(Self)
            .map_err(|error| PolicyError::told(PolicyReason::Request, "", [DetailedError::from(&error)]))
    }

    /// What the language itself holds it for.
    #[must_use]
    pub const fn request(&self) -> &cedar_policy::Request {
        &self.0
    }

    /// The question in the numbers of `names`.
    ///
    /// # Errors
    /// When a value of the context is nested too deep.
    pub fn numbered<'n>(&self, names: &'n Names) -> Result<Request<'n>, PolicyError> {
        let open = || PolicyError::new(PolicyReason::Request, "the question is not whole");
        let uid = |uid: Option<&EntityUid>| uid.map(pair).ok_or_else(open);
        let (subject, action, resource) =
            (uid(self.0.principal())?, uid(self.0.action())?, uid(self.0.resource())?);
        let context = self.0.context().ok_or_else(open)?;
        let mut fields = BTreeMap::new();
        for (name, _) in context.clone() {
            let value = context.get(&name).ok_or_else(open)?;
            fields.insert(name, term(&value).ok_or_else(deep)?);
        }
        let refer = |kind, id| EntityRef { kind, id };
        let whole = (
            refer(subject.0.as_str(), subject.1.as_str()),
            refer(action.0.as_str(), action.1.as_str()),
            refer(resource.0.as_str(), resource.1.as_str()),
        );
        Request::new(names, whole, &fields).ok_or_else(deep)
    }
}

/// A value of the language as a tree.
fn term(value: &EvalResult) -> Option<Term> {
    Some(match value {
        EvalResult::Bool(value) => Term::Bool(*value),
        EvalResult::Long(value) => Term::Long(*value),
        EvalResult::String(text) => Term::Text(text.clone()),
        EvalResult::EntityUid(uid) => {
            let (kind, id) = pair(uid);
            Term::Entity { kind, id }
        }
        EvalResult::Set(items) => Term::Set(items.iter().map(term).collect::<Option<_>>()?),
        EvalResult::Record(fields) => {
            let fields = fields.iter().map(|(name, value)| Some((name.clone(), term(value)?)));
            Term::Record(fields.collect::<Option<_>>()?)
        }
        EvalResult::ExtensionValue(text) => extension(text)?,
    })
}

/// A value of an extension, as the language prints it: a constructor of a text, or an instant with an offset.
fn extension(text: &str) -> Option<Term> {
    let mut quoted = text.split('"').skip(1).step_by(2);
    let (first, second) = (quoted.next()?, quoted.next());
    let constructor = text.split('"').next()?.trim_end_matches('(').rsplit(['(', ' ']).next()?;
    match (constructor, second) {
        ("ip", None) => Ip::parse(first).map(Term::Ip),
        ("decimal", None) => decimal(first).map(Term::Decimal),
        ("duration", None) => duration(first).map(Term::Duration),
        ("datetime", None) => datetime(first).map(Term::Datetime),
        ("datetime", Some(later)) => datetime(first)?.checked_add(duration(later)?).map(Term::Datetime),
        _ => None,
    }
}
