//! Rows as CSV (RFC 4180, one row a line): a heading of field names, several values in one field between `;`.

use crate::row::{Draft, RowFault};
use std::collections::BTreeMap;
use tessera_model::IdentifierKind;
use tessera_model::load::LoadRow;
use tessera_model::record::{AttributeKind, AttributeValue};

/// What stands before an attribute's name in a heading.
const ATTRIBUTE: &str = "attribute.";
/// What stands between the values of one field.
const BETWEEN: char = ';';

/// What a column holds.
#[derive(Clone, Debug)]
enum Column {
    Field(&'static str),
    Attribute(String, AttributeKind),
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub struct Heading(Vec<Column>);

fn values(line: &str) -> Result<Vec<String>, RowFault> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let mut records = reader.records();
    let first = records.next().transpose().map_err(|error| RowFault::new("", error.to_string()))?;
    let record = first.ok_or_else(|| RowFault::new("", "the row is empty"))?;
    if line.matches('"').count() % 2 == 1 {
        return Err(RowFault::new("", "the row ends inside quotes"));
    }
    Ok(record.iter().map(|value| value.trim().to_owned()).collect())
}

impl Heading {
    /// Reads a heading. CSV has texts alone: the kind of a declared attribute says how its values are read,
    /// and one that is not declared is a text.
    ///
    /// # Errors
    /// [`RowFault`]: the column that is none, or comes twice.
    pub fn new(line: &str, kinds: &BTreeMap<String, AttributeKind>) -> Result<Self, RowFault> {
        let (mut columns, mut draft) = (Vec::new(), Draft::new());
        for name in values(line)? {
            columns.push(match name.strip_prefix(ATTRIBUTE) {
                Some(attribute) => {
                    let same =
                        |known: &Column| matches!(known, Column::Attribute(other, _) if other == attribute);
                    if columns.iter().any(same) {
                        return Err(RowFault::new(name, "comes twice"));
                    }
                    let kind = kinds.get(attribute).copied().unwrap_or(AttributeKind::Text);
                    Column::Attribute(attribute.to_owned(), kind)
                }
                None => match draft.field(&name) {
                    Ok(field @ ("attributes" | "grants")) => {
                        let what = "stands in NDJSON alone; here: attribute.NAME, roles, workspaces";
                        return Err(RowFault::new(field, what));
                    }
                    Ok(field) => Column::Field(field),
                    Err(what) => return Err(RowFault::new(name, what)),
                },
            });
        }
        Ok(Self(columns))
    }

    /// Reads a row below it. An empty value is none.
    ///
    /// # Errors
    /// [`RowFault`]: the column that does not fit, and why.
    pub fn read(&self, line: &str) -> Result<LoadRow, RowFault> {
        let values = values(line)?;
        if values.len() != self.0.len() {
            let what = format!("the row has {} values, the heading {}", values.len(), self.0.len());
            return Err(RowFault::new("", what));
        }
        let mut draft = Draft::new();
        for (column, value) in self.0.iter().zip(&values).filter(|(_, value)| !value.is_empty()) {
            let (field, done) = match column {
                Column::Attribute(name, kind) => {
                    let done = attribute(value, *kind).and_then(|value| draft.attribute(name, value));
                    (format!("{ATTRIBUTE}{name}"), done)
                }
                Column::Field(field) => ((*field).to_owned(), put(&mut draft, field, value)),
            };
            done.map_err(|what| RowFault::new(field, what))?;
        }
        Ok(draft.finish())
    }
}

fn put(draft: &mut Draft, field: &str, value: &str) -> Result<(), String> {
    let mut each = value.split(BETWEEN).map(str::trim).filter(|text| !text.is_empty());
    match field {
        "kind" => draft.kind(value),
        "status" => draft.status(value),
        "email" => each.try_for_each(|text| draft.identifier(IdentifierKind::Email, text)),
        "phone" => each.try_for_each(|text| draft.identifier(IdentifierKind::Phone, text)),
        "username" => each.try_for_each(|text| draft.identifier(IdentifierKind::Username, text)),
        "password_hash" => draft.password_hash(value),
        "roles" => each.try_for_each(|role| draft.grant(role, None)),
        _ => each.try_for_each(|pair| {
            let (workspace, role) =
                pair.split_once(':').ok_or("a workspace and a role are WORKSPACE:ROLE")?;
            draft.grant(role.trim(), Some(workspace.trim()))
        }),
    }
}

fn attribute(text: &str, kind: AttributeKind) -> Result<AttributeValue, String> {
    match kind {
        AttributeKind::Text => Ok(AttributeValue::Text(text.into())),
        AttributeKind::Integer => {
            text.parse().map(AttributeValue::Integer).map_err(|_| "is no whole number of 64 bits".to_owned())
        }
        AttributeKind::Bool => match text {
            "true" => Ok(AttributeValue::Bool(true)),
            "false" => Ok(AttributeValue::Bool(false)),
            _ => Err("is true or false".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_model::Identifier;

    fn heading(line: &str) -> Result<Heading, RowFault> {
        let kinds = [("seats".to_owned(), AttributeKind::Integer), ("vip".to_owned(), AttributeKind::Bool)];
        Heading::new(line, &kinds.into())
    }

    /// PROPERTY: a row of CSV is the row of JSON that says the same.
    #[test]
    fn csv_says_what_json_says() {
        let head = "email,username,roles,workspaces,attribute.tier,attribute.seats,attribute.vip,status";
        let Ok(heading) = heading(head) else { panic!("a heading") };
        let line =
            r#"a@b.example; c@d.example,amy,"reader;editor",berlin:guest,"gold, ""old""",7,true,suspended"#;
        let Ok(csv) = heading.read(line) else { panic!("a row") };
        let json = crate::row::read(
            r#"{"email":["a@b.example","c@d.example"],"username":"amy","roles":["reader","editor"],
            "workspaces":{"berlin":["guest"]},"attributes":{"tier":"gold, \"old\"","seats":7,"vip":true},
            "status":"suspended"}"#,
        );
        let Ok(json) = json else { panic!("a row") };
        assert_eq!(csv.content(), json.content());
        let typed = |row: &LoadRow| {
            row.identifiers.iter().map(Identifier::typed).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(typed(&csv), typed(&json));
        assert!(heading.read(",,,,,,,").is_ok_and(|row| row.identifiers.is_empty()));
    }

    /// PROPERTY: what does not fit is told with its column.
    #[test]
    fn faults_name_their_column() {
        for (head, field) in [
            ("email,e-mail", "e-mail"),
            ("email,email", "email"),
            ("grants", "grants"),
            ("attribute.a,email,attribute.a", "attribute.a"),
        ] {
            assert_eq!(heading(head).expect_err(head).field, field);
        }
        let Ok(heading) = heading("email,attribute.seats,workspaces") else { panic!("a heading") };
        for (line, field, why) in [
            ("a@b.example,1", "", "2 values"),
            ("a@b.example,x,", "attribute.seats", "whole number"),
            ("a@b.example,1,berlin", "workspaces", "WORKSPACE:ROLE"),
            ("nobody,1,", "email", "local@domain"),
            ("\"a@b.example,1,", "", "inside quotes"),
        ] {
            let Err(fault) = heading.read(line) else { panic!("{line}") };
            assert_eq!(fault.field, field, "{line}: {fault:?}");
            assert!(fault.what.contains(why), "{line}: {fault:?}");
        }
    }
}
