//! The lines of a content, and the names of a row's fields.

use tessera_model::load::{LoadField, LoadRow, Rejected};
use tessera_model::{Identifier, IdentifierKind};

/// The lines of a text that hold something, each with its number from 1: empty ones and comments (`#`) are
/// counted and left out.
pub fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1_u64..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The field that an identifier stands in.
#[must_use]
pub const fn field_of(identifier: &Identifier) -> &'static str {
    match identifier.kind() {
        IdentifierKind::Email => "email",
        IdentifierKind::Phone => "phone",
        IdentifierKind::Username => "username",
    }
}

/// The field of a row that the node turned down; empty for the row as a whole.
#[must_use]
pub fn rejected_field(row: &LoadRow, rejected: &Rejected) -> String {
    let nth = usize::from(rejected.nth);
    match rejected.field {
        LoadField::Row => String::new(),
        LoadField::Password => "password_hash".to_owned(),
        LoadField::Identifier => row.identifiers.get(nth).map_or("email", field_of).to_owned(),
        LoadField::Attribute => {
            let name = row.values.get(nth).map(|(name, _)| name.as_str());
            name.map_or_else(|| "attributes".to_owned(), |name| format!("attributes.{name}"))
        }
        LoadField::Grant => match row.grants.get(nth) {
            None => "grants".to_owned(),
            Some(grant) => match &grant.workspace {
                None => format!("roles.{}", grant.role),
                Some(workspace) => format!("workspaces.{workspace}.{}", grant.role),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: lines keep their numbers, whatever is left out between them.
    #[test]
    fn lines_keep_their_numbers() {
        let found: Vec<_> = lines("\u{feff}one\n\n# no\r\n two \r\nthree").collect();
        assert_eq!(found, [(1, "one"), (4, "two"), (5, "three")]);
    }
}
