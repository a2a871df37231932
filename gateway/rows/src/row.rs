//! One row of a file: strict JSON, each field named when it does not fit.

use crate::shape::{Grant, Pairs, Scalar, Texts};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use std::fmt;
use tessera_model::limits::{ATTRIBUTE_BYTES_MAX, ATTRIBUTES_PER_SUBJECT_MAX};
use tessera_model::limits::{GRANTS_PER_SUBJECT_MAX, IDENTIFIERS_PER_SUBJECT_MAX};
use tessera_model::load::{LoadGrant, LoadRow};
use tessera_model::record::{AttributeValue, SubjectKind};
use tessera_model::{Deadline, Identifier, IdentifierKind, Name, Private};

/// LIMIT: bytes of a PHC string that is looked at: one of 64 bytes of hash and salt has under 300.
const HASH_BYTES_MAX: usize = 512;

/// Why a row is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RowFault {
    /// Which field; empty for the row as a whole.
    pub field: String,
    /// What is wrong with it, a sentence for people.
    pub what: String,
}

impl RowFault {
    /// What is wrong with a field.
    #[must_use]
    pub fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into() }
    }
}

/// The fields of a row, in the order of the guide.
pub(crate) const FIELDS: &[&str] = &[
    "kind",
    "status",
    "email",
    "phone",
    "username",
    "password_hash",
    "attributes",
    "roles",
    "workspaces",
    "grants",
];

/// A row in the making. Its texts are checked where they come in, so that the field at fault is known.
pub(crate) struct Draft {
    row: LoadRow,
    seen: Vec<&'static str>,
}

impl Draft {
    pub(crate) fn new() -> Self {
        let row = LoadRow {
            kind: SubjectKind::Person,
            suspended: false,
            identifiers: Vec::new(),
            password: Private::default(),
            values: Vec::new(),
            grants: Vec::new(),
            serial: 0,
        };
        Self { row, seen: Vec::new() }
    }

    /// The field of this name, which may come once.
    pub(crate) fn field(&mut self, name: &str) -> Result<&'static str, String> {
        let known = FIELDS.iter().copied().find(|known| *known == name);
        let field = known.ok_or_else(|| format!("no such field; there are {}", FIELDS.join(", ")))?;
        if self.seen.contains(&field) {
            return Err("comes twice".to_owned());
        }
        self.seen.push(field);
        Ok(field)
    }

    pub(crate) fn kind(&mut self, text: &str) -> Result<(), String> {
        self.row.kind = match text {
            "person" => SubjectKind::Person,
            "machine" => SubjectKind::Machine,
            _ => return Err("is person or machine".to_owned()),
        };
        Ok(())
    }

    pub(crate) fn status(&mut self, text: &str) -> Result<(), String> {
        self.row.suspended = match text {
            "active" => false,
            "suspended" => true,
            _ => return Err("is active or suspended".to_owned()),
        };
        Ok(())
    }

    pub(crate) fn identifier(&mut self, kind: IdentifierKind, text: &str) -> Result<(), String> {
        if self.row.identifiers.len() == IDENTIFIERS_PER_SUBJECT_MAX {
            return Err(format!("a row has at most {IDENTIFIERS_PER_SUBJECT_MAX} identifiers"));
        }
        let identifier = Identifier::new(kind, text).map_err(|error| error.to_string())?;
        self.row.identifiers.push(identifier);
        Ok(())
    }

    /// Only Argon2id can be verified here; any other is told by its name.
    pub(crate) fn password_hash(&mut self, text: &str) -> Result<(), String> {
        if text.len() > HASH_BYTES_MAX {
            return Err(format!("a password's hash has at most {HASH_BYTES_MAX} bytes"));
        }
        if !text.starts_with("$argon2id$") {
            let found = algorithm(text);
            return Err(format!(
                "{found} cannot be verified here: only argon2id in PHC form ($argon2id$v=19$...)"
            ));
        }
        self.row.password = Private::new(text.as_bytes().to_vec());
        Ok(())
    }

    pub(crate) fn attribute(&mut self, name: &str, value: AttributeValue) -> Result<(), String> {
        let name = Name::new(name).map_err(|error| error.to_string())?;
        if self.row.values.iter().any(|(known, _)| *known == name) {
            return Err(format!("{name} comes twice"));
        }
        if self.row.values.len() == ATTRIBUTES_PER_SUBJECT_MAX {
            return Err(format!("a row has at most {ATTRIBUTES_PER_SUBJECT_MAX} attributes"));
        }
        if matches!(&value, AttributeValue::Text(text) if text.len() > ATTRIBUTE_BYTES_MAX) {
            return Err(format!("{name} has over {ATTRIBUTE_BYTES_MAX} bytes"));
        }
        self.row.values.push((name, value));
        Ok(())
    }

    pub(crate) fn grant(&mut self, role: &str, workspace: Option<&str>) -> Result<(), String> {
        let name = |text: &str| Name::new(text).map_err(|error| error.to_string());
        let workspace = workspace.map(name).transpose()?;
        let (from, until) = (Deadline::NONE, Deadline::NONE);
        self.put_grant(LoadGrant { role: name(role)?, workspace, from, until })
    }

    fn put_grant(&mut self, grant: LoadGrant) -> Result<(), String> {
        let same = |known: &LoadGrant| (&known.role, &known.workspace) == (&grant.role, &grant.workspace);
        if self.row.grants.iter().any(same) {
            return Err(format!("{} is granted twice there", grant.role));
        }
        if self.row.grants.len() == GRANTS_PER_SUBJECT_MAX {
            return Err(format!("a row has at most {GRANTS_PER_SUBJECT_MAX} grants"));
        }
        self.row.grants.push(grant);
        Ok(())
    }

    pub(crate) fn finish(self) -> LoadRow {
        self.row
    }
}

/// What kind of hash this is, by the marks that such hashes bear.
fn algorithm(text: &str) -> &'static str {
    const MARKS: &[(&str, &str)] = &[
        ("$2a$", "bcrypt"),
        ("$2b$", "bcrypt"),
        ("$2x$", "bcrypt"),
        ("$2y$", "bcrypt"),
        ("$argon2i$", "argon2i"),
        ("$argon2d$", "argon2d"),
        ("$scrypt$", "scrypt"),
        ("$7$", "scrypt"),
        ("$y$", "yescrypt"),
        ("$gy$", "gost-yescrypt"),
        ("$pbkdf2", "PBKDF2"),
        ("pbkdf2_", "PBKDF2"),
        ("{PBKDF2", "PBKDF2"),
        ("$1$", "md5-crypt"),
        ("$apr1$", "apr1-md5"),
        ("$5$", "sha256-crypt"),
        ("$6$", "sha512-crypt"),
        ("$P$", "phpass"),
        ("$H$", "phpass"),
        ("{SSHA", "salted SHA"),
        ("{SHA", "SHA"),
    ];
    MARKS.iter().find(|(mark, _)| text.starts_with(mark)).map_or("this hash", |(_, name)| name)
}

/// Reads a row of NDJSON: one JSON object (RFC 8259), members of `docs/operate/load.md`, none twice.
///
/// # Errors
/// [`RowFault`]: the field that does not fit, and why.
pub fn read(line: &str) -> Result<LoadRow, RowFault> {
    let (mut draft, mut at) = (Draft::new(), String::new());
    let mut input = serde_json::Deserializer::from_str(line);
    let read = Row { draft: &mut draft, at: &mut at }.deserialize(&mut input).and_then(|()| input.end());
    match read {
        Ok(()) => Ok(draft.finish()),
        Err(error) => {
            let cut = error.is_eof();
            let column = error.column();
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            let what = match (cut, error.is_syntax()) {
                (true, _) => "the row ends in the middle".to_owned(),
                (_, true) => format!("no JSON at column {column}: {text}"),
                _ => text.to_owned(),
            };
            Err(RowFault::new(at, what))
        }
    }
}

/// Reads the object of a row, and leaves behind which field it was at.
struct Row<'a> {
    draft: &'a mut Draft,
    at: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { draft, at } = self;
        while let Some(name) = map.next_key::<String>()? {
            at.clone_from(&name);
            let field = draft.field(&name).map_err(A::Error::custom)?;
            let done = match field {
                "kind" => draft.kind(&map.next_value::<String>()?),
                "status" => draft.status(&map.next_value::<String>()?),
                "email" => identifiers(draft, IdentifierKind::Email, &map.next_value::<Texts>()?),
                "phone" => identifiers(draft, IdentifierKind::Phone, &map.next_value::<Texts>()?),
                "username" => identifiers(draft, IdentifierKind::Username, &map.next_value::<Texts>()?),
                "password_hash" => draft.password_hash(&map.next_value::<String>()?),
                "attributes" => {
                    let Pairs(values) = map.next_value::<Pairs<Scalar>>()?;
                    values.into_iter().try_for_each(|(name, Scalar(value))| {
                        at.push('.');
                        at.push_str(&name);
                        let done = draft.attribute(&name, value);
                        if done.is_ok() {
                            at.truncate("attributes".len());
                        }
                        done
                    })
                }
                "roles" => map.next_value::<Texts>()?.0.iter().try_for_each(|role| draft.grant(role, None)),
                "workspaces" => {
                    let Pairs(places) = map.next_value::<Pairs<Texts>>()?;
                    places.iter().try_for_each(|(place, Texts(roles))| {
                        roles.iter().try_for_each(|role| draft.grant(role, Some(place)))
                    })
                }
                _ => map.next_value::<Vec<Grant>>()?.into_iter().try_for_each(|grant| {
                    let grant = grant.read()?;
                    draft.put_grant(grant)
                }),
            };
            done.map_err(A::Error::custom)?;
            at.clear();
        }
        Ok(())
    }
}

fn identifiers(draft: &mut Draft, kind: IdentifierKind, texts: &Texts) -> Result<(), String> {
    texts.0.iter().try_for_each(|text| draft.identifier(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a row with everything reads as what it says.
    #[test]
    fn a_whole_row_reads() {
        let row = read(
            r#"{"kind":"machine","status":"suspended","email":["a@b.example","c@d.example"],"phone":"+44 20 7946-0958",
            "username":"amy","password_hash":"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
            "attributes":{"tier":"gold","seats":-3,"vip":true},"roles":["reader"],
            "workspaces":{"berlin":["editor","reader"]},
            "grants":[{"role":"guest","workspace":"paris","until":"2030-01-01"}]}"#,
        );
        let Ok(row) = row else { panic!("a row") };
        let typed: Vec<_> = row.identifiers.iter().map(Identifier::typed).collect();
        assert_eq!(typed, ["a@b.example", "c@d.example", "+44 20 7946-0958", "amy"]);
        assert!(row.kind == SubjectKind::Machine && row.suspended && !row.password.is_empty());
        let values: Vec<_> = row.values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(values[1], ("seats", AttributeValue::Integer(-3)));
        assert_eq!(values.len(), 3);
        let grants: Vec<_> =
            row.grants.iter().map(|grant| grant.workspace.as_ref().map(Name::as_str)).collect();
        assert_eq!(grants, [None, Some("berlin"), Some("berlin"), Some("paris")]);
        assert!(row.grants[3].until != Deadline::NONE);
    }

    /// PROPERTY: whatever does not fit is an error that names the field and says why.
    #[test]
    fn faults_name_their_field() {
        let long = format!(r#"{{"email":"{}@b.example"}}"#, "a".repeat(300));
        for (line, field, why) in [
            (r#"{"email":"a@b.example""#, "", "ends in the middle"),
            (r#"{"email":"a@b.exam"#, "email", "ends in the middle"),
            (r#"{"email":"a@b.example"} x"#, "", "no JSON"),
            (r#"["email"]"#, "", "expected an object"),
            (r#"{"email":3}"#, "email", "a text or a list"),
            (r#"{"email":"nobody"}"#, "email", "local@domain"),
            (&long, "email", "254"),
            (r#"{"email":"a@b.example","email":"c@d.example"}"#, "email", "twice"),
            (r#"{"e-mail":"a@b.example"}"#, "e-mail", "no such field"),
            (r#"{"kind":"robot"}"#, "kind", "person or machine"),
            (r#"{"status":"deleted"}"#, "status", "active or suspended"),
            (r#"{"phone":"030 1"}"#, "phone", "7 to 15"),
            (r#"{"username":"a b"}"#, "username", "3 to 30"),
            (r#"{"password_hash":"$2b$12$abcdefghijklmnopqrstuv"}"#, "password_hash", "bcrypt"),
            (r#"{"password_hash":"$scrypt$ln=16,r=8,p=1$aa$bb"}"#, "password_hash", "scrypt"),
            (r#"{"password_hash":"5f4dcc3b5aa765d61d8327deb882cf99"}"#, "password_hash", "only argon2id"),
            (r#"{"attributes":{"tier":1.5}}"#, "attributes", "whole number"),
            (r#"{"attributes":{"tier":null}}"#, "attributes", "whole number"),
            (r#"{"attributes":{"tier":1,"tier":2}}"#, "attributes.tier", "twice"),
            (r#"{"roles":["reader","reader"]}"#, "roles", "twice"),
            (r#"{"workspaces":{"a!":["reader"]}}"#, "workspaces", "name"),
            (r#"{"grants":[{"role":"reader","until":"+7d"}]}"#, "grants", "instants"),
            (r#"{"grants":[{"role":"reader","til":"2030-01-01"}]}"#, "grants", "til"),
        ] {
            let Err(fault) = read(line) else { panic!("{line}") };
            assert_eq!(fault.field, field, "{line}: {fault:?}");
            assert!(fault.what.contains(why), "{line}: {fault:?}");
        }
    }
}
