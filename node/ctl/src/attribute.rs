//! `tessera attribute` and `tessera user attribute`: what is declared, and what subjects have.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::{Link, Who};
use crate::reach;
use crate::table::Table;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use tessera_client::wire::{AttributeRow, AttributeValueRow, Request};
use tessera_model::Name;
use tessera_model::record::{AttributeKind, AttributeValue};

/// What can be done with declared attributes.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum AttributeVerb {
    /// Declare an attribute: typed, and in memory for rules.
    #[command(after_help = "Example:\n  tessera attribute declare employee bool")]
    Declare {
        /// Its name.
        #[arg(value_parser = reach::name)]
        name: Name,
        /// The kind of its values.
        kind: Kind,
    },
    /// List the declared attributes.
    #[command(after_help = "Example:\n  tessera attribute list")]
    List,
}

/// What can be done with a subject's attributes.
#[derive(Clone, clap::Subcommand)]
pub(crate) enum ValueVerb {
    /// Set or remove attributes. Those that are not declared are texts.
    #[command(
        after_help = "Examples:\n  tessera user attribute set amy@example.org employee=true floor=3 desk='4 b'\n  tessera user attribute set amy@example.org --remove desk"
    )]
    Set {
        /// Public id, email, phone number or username.
        who: Who,
        /// What to set: NAME=VALUE.
        #[arg(value_name = "NAME=VALUE", value_parser = assignment)]
        values: Vec<(Name, String)>,
        /// What to remove.
        #[arg(long, value_name = "NAME", value_parser = reach::name)]
        remove: Vec<Name>,
    },
}

/// The kind of an attribute's values.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// true or false.
    Bool,
    /// A whole number.
    Integer,
    /// A text.
    Text,
}

impl Kind {
    const fn model(self) -> AttributeKind {
        match self {
            Self::Bool => AttributeKind::Bool,
            Self::Integer => AttributeKind::Integer,
            Self::Text => AttributeKind::Text,
        }
    }
}

const fn kind_name(kind: AttributeKind) -> &'static str {
    match kind {
        AttributeKind::Bool => "bool",
        AttributeKind::Integer => "integer",
        AttributeKind::Text => "text",
    }
}

fn assignment(text: &str) -> Result<(Name, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE")?;
    Ok((reach::name(name)?, value.to_owned()))
}

/// The value that a text means for an attribute of this kind.
fn value(name: &Name, kind: AttributeKind, text: String) -> Result<AttributeValue, CtlError> {
    let wrong = || CtlError::usage(format!("{name} is declared as {}; {text:?} is none", kind_name(kind)));
    match kind {
        AttributeKind::Bool => text.parse().map(AttributeValue::Bool).map_err(|_| wrong()),
        AttributeKind::Integer => text.parse().map(AttributeValue::Integer).map_err(|_| wrong()),
        AttributeKind::Text => Ok(AttributeValue::Text(text.into())),
    }
}

/// A subject's attributes as a table and as an object.
pub(crate) fn values(rows: &[AttributeValueRow]) -> (Table, Value) {
    let (mut table, mut json) = (Table::new(&["ATTRIBUTE", "VALUE"]), Map::new());
    let mut sorted: Vec<&(Name, Option<AttributeValue>)> = rows.iter().flat_map(|row| &row.values).collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in sorted {
        let (text, value) = match value {
            None => continue,
            Some(AttributeValue::Bool(flag)) => (flag.to_string(), json!(flag)),
            Some(AttributeValue::Integer(number)) => (number.to_string(), json!(number)),
            Some(AttributeValue::Text(text)) => (text.to_string(), json!(text)),
        };
        table.row([name.to_string(), text]);
        json.insert(name.to_string(), value);
    }
    (table, Value::Object(json))
}

impl AttributeVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        match self {
            Self::Declare { name, kind } => {
                let kind = kind.model();
                let made = link.order(&Request::DeclareAttribute { name: name.clone(), kind }).await?;
                let text = format!("Attribute {name} is declared: {}.", kind_name(kind));
                Ok(Answer::said(text).with("name", name.as_str()).with("kind", kind_name(kind)).made(&made))
            }
            Self::List => {
                let rows = declared(link).await?;
                let mut table = Table::new(&["ATTRIBUTE", "KIND"]);
                let mut listed = Vec::new();
                for row in &rows {
                    table.row([row.name.to_string(), kind_name(row.kind).to_owned()]);
                    listed.push(json!({ "name": row.name.as_str(), "kind": kind_name(row.kind) }));
                }
                Ok(Answer::said(table.to_string()).with("attributes", listed))
            }
        }
    }
}

async fn declared(link: &Link) -> Result<Vec<AttributeRow>, CtlError> {
    Ok(link.page(&Request::ListAttributes {}).await?.rows)
}

impl ValueVerb {
    pub(crate) async fn run(self, link: &Link) -> Result<Answer, CtlError> {
        let Self::Set { who, values, remove } = self;
        if values.is_empty() && remove.is_empty() {
            return Err(CtlError::usage("nothing to set").advise("give NAME=VALUE, or --remove NAME"));
        }
        let declared = declared(link).await?;
        let kind = |name: &Name| {
            declared.iter().find(|row| row.name == *name).map_or(AttributeKind::Text, |row| row.kind)
        };
        let mut changes = Vec::with_capacity(values.len() + remove.len());
        for (name, text) in values {
            let value = value(&name, kind(&name), text)?;
            changes.push((name, Some(value)));
        }
        changes.extend(remove.into_iter().map(|name| (name, None)));
        let count = changes.len();
        let subject = link.id_of(&who).await?;
        let made = link.order(&Request::SetAttributes { subject, values: changes }).await?;
        let text = format!("{count} attribute{} of {who} changed.", if count == 1 { "" } else { "s" });
        Ok(Answer::said(text).with("subject", subject.to_string()).with("changed", count).made(&made))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a text becomes a value of the declared kind, or is refused with that kind's name.
    #[test]
    fn texts_become_values() {
        let name = Name::new("floor").expect("a name");
        let read = |kind, text: &str| value(&name, kind, text.to_owned());
        assert_eq!(read(AttributeKind::Integer, "-3").expect("a number"), AttributeValue::Integer(-3));
        assert_eq!(read(AttributeKind::Bool, "true").expect("a flag"), AttributeValue::Bool(true));
        assert_eq!(read(AttributeKind::Text, "").expect("a text"), AttributeValue::Text("".into()));
        for (kind, bad) in [(AttributeKind::Bool, "yes"), (AttributeKind::Integer, "3.5")] {
            let error = read(kind, bad).expect_err("refused");
            assert_eq!(error.exit(), 2);
            assert!(error.to_string().contains(kind_name(kind)), "{error}");
        }
        assert_eq!(assignment("desk=4=b").expect("read").1, "4=b");
        assert!(assignment("desk").is_err() && assignment("=x").is_err());
    }
}
