//! The standard's entities, read from JSON as a tree. What is missing or of another type is named in a 400; members that nobody
//! knows are passed over, as the standard asks for.

use crate::plain::Flat;
use serde_json::{Map, Number, Value as Text};
use tessera_gateway_http::{Json, Problem, Value};

/// Members of an object.
pub(crate) type Members = [(String, Json)];

/// What else is said about an entity, or around a question: members of which few have a say.
#[derive(Clone, Copy)]
pub(crate) enum Said<'a> {
    /// As a tree.
    Tree(&'a Members),
    /// In the plain form.
    Plain(&'a Flat<'a>),
}

impl<'a> From<&'a Members> for Said<'a> {
    fn from(members: &'a Members) -> Self {
        Self::Tree(members)
    }
}

impl<'a> Said<'a> {
    /// Whether a member is said; null is the same as none.
    pub(crate) fn has(self, name: &str) -> bool {
        match self {
            Self::Tree(members) => member(members, name).is_some(),
            Self::Plain(flat) => flat.member(name).is_some(),
        }
    }

    /// The members that have one of these names, as JSON; nothing where none has. In the plain form none is looked for.
    pub(crate) fn some_of(self, names: &[&str]) -> Option<Map<String, Text>> {
        let Self::Tree(members) = self else { return None };
        let wanted =
            members.iter().filter(|(name, value)| *value != Json::Null && names.contains(&name.as_str()));
        let found: Map<String, Text> = wanted.map(|(name, value)| (name.clone(), as_text(value))).collect();
        (!found.is_empty()).then_some(found)
    }

    /// Whether anything is said.
    pub(crate) fn says_anything(self) -> bool {
        match self {
            Self::Tree(members) => !members.is_empty(),
            Self::Plain(flat) => flat.says_anything(),
        }
    }

    /// The text of a member, which stands at `field`.
    pub(crate) fn text(self, name: &str, field: impl FnOnce() -> String) -> Result<Option<&'a str>, Problem> {
        match self {
            Self::Tree(members) => match member(members, name) {
                None => Ok(None),
                Some(Json::Text(text)) => Ok(Some(text)),
                Some(_) => Err(no_text(&field())),
            },
            Self::Plain(flat) => match flat.member(name) {
                None => Ok(None),
                Some(Value::Text(text)) => Ok(Some(text)),
                Some(Value::Null | Value::Bool(_) | Value::Whole(_)) => Err(no_text(&field())),
            },
        }
    }
}

/// A subject or a resource.
#[derive(Clone, Copy)]
pub(crate) struct Entity<'a> {
    /// Its type.
    pub(crate) kind: &'a str,
    /// Its id; `None` where a search goes for it.
    pub(crate) id: Option<&'a str>,
    /// What else is said about it.
    pub(crate) properties: Said<'a>,
}

/// Whether an entity must have an id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Id {
    /// It is required.
    Wanted,
    /// A search goes for it: whatever stands there is passed over.
    Sought,
}

/// A member; null is the same as none.
pub(crate) fn member<'a>(members: &'a Members, name: &str) -> Option<&'a Json> {
    members.iter().find(|(known, value)| known == name && *value != Json::Null).map(|(_, value)| value)
}

/// A required member is not there.
pub(crate) fn missing(field: &str) -> Problem {
    Problem::unreadable("is missing").at(field)
}

/// An object.
pub(crate) fn object<'a>(value: &'a Json, field: &str) -> Result<&'a Members, Problem> {
    if let Json::Members(members) = value {
        Ok(members)
    } else {
        Err(Problem::unreadable("must be an object").at(field))
    }
}

/// A value as it is written again. Of a number with a fraction only that it has one.
fn as_text(value: &Json) -> Text {
    match value {
        Json::Null => Text::Null,
        Json::Bool(value) => (*value).into(),
        Json::Whole(value) => Number::from_i128(*value).map_or(Text::Null, Text::Number),
        Json::Fraction => 0.5.into(),
        Json::Text(text) => text.as_str().into(),
        Json::List(items) => items.iter().map(as_text).collect(),
        Json::Members(members) => {
            Text::Object(members.iter().map(|(name, value)| (name.clone(), as_text(value))).collect())
        }
    }
}

fn no_text(field: &str) -> Problem {
    Problem::unreadable("must be a string").at(field)
}

/// A text.
pub(crate) fn text<'a>(value: &'a Json, field: &str) -> Result<&'a str, Problem> {
    if let Json::Text(text) = value { Ok(text) } else { Err(no_text(field)) }
}

/// A text that must be there.
fn required<'a>(members: &'a Members, at: &str, name: &str) -> Result<&'a str, Problem> {
    let field = format!("{at}/{name}");
    text(member(members, name).ok_or_else(|| missing(&field))?, &field)
}

/// An object that may be there.
fn optional<'a>(members: &'a Members, at: &str, name: &str) -> Result<&'a Members, Problem> {
    match member(members, name) {
        None => Ok(&[]),
        Some(value) => object(value, &format!("{at}/{name}")),
    }
}

/// A subject or resource, which stands at `at`.
pub(crate) fn entity<'a>(value: &'a Json, at: &str, id: Id) -> Result<Entity<'a>, Problem> {
    let members = object(value, at)?;
    let kind = required(members, at, "type")?;
    let id = if id == Id::Wanted { Some(required(members, at, "id")?) } else { None };
    Ok(Entity { kind, id, properties: optional(members, at, "properties")?.into() })
}

/// The name of an action, which stands at `at`.
pub(crate) fn action<'a>(value: &'a Json, at: &str) -> Result<&'a str, Problem> {
    let members = object(value, at)?;
    optional(members, at, "properties")?;
    required(members, at, "name")
}

/// One question.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) subject: Entity<'a>,
    pub(crate) action: &'a str,
    pub(crate) resource: Entity<'a>,
    pub(crate) context: Said<'a>,
}

/// A question whose members stand in `members`, below `at`, or else in what stands for all.
pub(crate) fn question<'a>(
    members: &'a Members,
    at: &str,
    defaults: &'a Members,
) -> Result<Question<'a>, Problem> {
    let find = |name: &str| match member(members, name) {
        Some(value) => Ok((value, format!("{at}{name}"))),
        None => member(defaults, name)
            .map(|value| (value, name.to_owned()))
            .ok_or_else(|| missing(&format!("{at}{name}"))),
    };
    let ((subject, of_subject), (resource, of_resource)) = (find("subject")?, find("resource")?);
    let (done, of_action) = find("action")?;
    let context = match find("context") {
        Ok((context, field)) => object(context, &field)?,
        Err(_) => &[],
    };
    Ok(Question {
        subject: entity(subject, &of_subject, Id::Wanted)?,
        action: action(done, &of_action)?,
        resource: entity(resource, &of_resource, Id::Wanted)?,
        context: context.into(),
    })
}

/// What stands for all is well-formed, also where each question has its own.
pub(crate) fn defaults(members: &Members) -> Result<(), Problem> {
    for name in ["subject", "resource"] {
        if let Some(value) = member(members, name) {
            entity(value, name, Id::Wanted)?;
        }
    }
    if let Some(value) = member(members, "action") {
        action(value, "action")?;
    }
    if let Some(value) = member(members, "context") {
        object(value, "context")?;
    }
    Ok(())
}

/// A value as text, the members of objects in the order of their names: equal values give equal texts. No two
/// numbers with a fraction are told apart.
pub(crate) fn canonical(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push('n'),
        Json::Bool(value) => out.push(if *value { 't' } else { 'f' }),
        Json::Whole(value) => out.push_str(&format!("{value};")),
        Json::Fraction => out.push('.'),
        Json::Text(text) => sized(text, out),
        Json::List(items) => {
            out.push_str(&format!("[{}", items.len()));
            items.iter().for_each(|item| canonical(item, out));
        }
        Json::Members(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|one, other| one.0.cmp(&other.0));
            out.push_str(&format!("{{{}", sorted.len()));
            for (name, value) in sorted {
                sized(name, out);
                canonical(value, out);
            }
        }
    }
}

fn sized(text: &str, out: &mut String) {
    out.push_str(&format!("\"{}:", text.len()));
    out.push_str(text);
}
