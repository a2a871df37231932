//! The rows of a bulk load and what became of them, as they lie in fields.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::instant::instant;
use crate::part::{Part, number, small, text};
use crate::tag::Tag;
use tessera_model::limits::{GRANTS_PER_SUBJECT_MAX, LOAD_ROWS_MAX};
use tessera_model::load::{LoadField, LoadGrant, LoadRow, Loaded, Rejected};
use tessera_model::record::{AttributeValue, SubjectStatus};
use tessera_model::{Limit, Name, Private, Refusal};

/// Each opened by a `Row`.
impl Part for Vec<LoadRow> {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        for row in self {
            out.none(Tag::Row);
            row.kind.put(Tag::SubjectKind, out);
            let status = if row.suspended { SubjectStatus::Suspended } else { SubjectStatus::Active };
            status.put(Tag::SubjectStatus, out);
            out.number(Tag::Serial, row.serial);
            row.password.put(Tag::PasswordHash, out);
            row.identifiers.put(Tag::Identifier, out);
            let values = row.values.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
            values.collect::<Vec<_>>().put(Tag::Attribute, out);
            row.grants.iter().for_each(|grant| put_grant(grant, out));
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut rows = Self::new();
        for fields in from.rows().1 {
            if rows.len() == LOAD_ROWS_MAX {
                return Err(WireError::Malformed(tag));
            }
            rows.push(take_row(&fields)?);
            fields.finish()?;
            from.took_row(&fields);
        }
        Ok(rows)
    }
}

fn take_row(from: &FieldsReader<'_>) -> Result<LoadRow, WireError> {
    let suspended = match SubjectStatus::take(Tag::SubjectStatus, from)? {
        SubjectStatus::Active => false,
        SubjectStatus::Suspended => true,
        SubjectStatus::Deleted => return Err(WireError::BadField(Tag::SubjectStatus)),
    };
    let values = Vec::<(Name, Option<AttributeValue>)>::take(Tag::Attribute, from)?;
    let values = values.into_iter().map(|(name, value)| Some((name, value?))).collect::<Option<_>>();
    Ok(LoadRow {
        kind: Part::take(Tag::SubjectKind, from)?,
        suspended,
        identifiers: Part::take(Tag::Identifier, from)?,
        password: Private::take(Tag::PasswordHash, from)?,
        values: values.ok_or(WireError::BadField(Tag::Value))?,
        grants: take_grants(from)?,
        serial: number(Tag::Serial, from)?,
    })
}

/// Role, workspace (none for the whole tenant), from and until.
fn put_grant(grant: &LoadGrant, out: &mut FieldsWriter) {
    grant.role.put(Tag::Role, out);
    match &grant.workspace {
        None => out.none(Tag::Workspace),
        Some(name) => name.put(Tag::Workspace, out),
    }
    grant.from.put(Tag::From, out);
    grant.until.put(Tag::Until, out);
}

fn take_grants(from: &FieldsReader<'_>) -> Result<Vec<LoadGrant>, WireError> {
    let name = |tag, value| Name::new(text(tag, value)?).map_err(|_| WireError::Malformed(tag));
    let (mut grants, mut workspaces) = (Vec::new(), from.all(Tag::Workspace));
    let (mut begins, mut ends) = (from.all(Tag::From), from.all(Tag::Until));
    for role in from.all(Tag::Role) {
        if grants.len() == GRANTS_PER_SUBJECT_MAX {
            return Err(WireError::Malformed(Tag::Role));
        }
        let named = workspaces.next().ok_or(WireError::BadField(Tag::Workspace))??;
        let workspace = match matches!(named, FieldValue::None) {
            true => None,
            false => Some(name(Tag::Workspace, named)?),
        };
        grants.push(LoadGrant {
            role: name(Tag::Role, role?)?,
            workspace,
            from: instant(Tag::From, begins.next())?,
            until: instant(Tag::Until, ends.next())?,
        });
    }
    for (tag, more) in [
        (Tag::Workspace, workspaces.next().is_some()),
        (Tag::From, begins.next().is_some()),
        (Tag::Until, ends.next().is_some()),
    ] {
        if more {
            return Err(WireError::BadField(tag));
        }
    }
    Ok(grants)
}

/// Counts under their own tags, then each row that was turned down.
impl Part for Loaded {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        self.made.put(tag, out);
        self.known.put(Tag::RowsKnown, out);
        for Rejected { row, field, nth, refusal } in &self.rejected {
            let mut bytes = row.to_le_bytes().to_vec();
            bytes.push(field.number());
            bytes.extend_from_slice(&nth.to_le_bytes());
            bytes.extend_from_slice(&refusal.code().to_le_bytes());
            if let Some(limit) = refusal.limit() {
                bytes.extend_from_slice(limit.limit.name().as_bytes());
            }
            out.bytes(Tag::Rejected, &bytes);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut loaded =
            Self { made: small(tag, from)?, known: small(Tag::RowsKnown, from)?, rejected: Vec::new() };
        for value in from.all(Tag::Rejected) {
            if loaded.rejected.len() == LOAD_ROWS_MAX {
                return Err(WireError::Malformed(Tag::Rejected));
            }
            let FieldValue::Bytes(bytes) = value? else { return Err(WireError::BadField(Tag::Rejected)) };
            loaded.rejected.push(rejected(bytes).ok_or(WireError::BadField(Tag::Rejected))?);
        }
        Ok(loaded)
    }
}

fn rejected(bytes: &[u8]) -> Option<Rejected> {
    let (row, rest) = bytes.split_first_chunk()?;
    let ([field], rest) = rest.split_first_chunk()?;
    let (nth, rest) = rest.split_first_chunk()?;
    let (code, limit) = rest.split_first_chunk()?;
    let limit = std::str::from_utf8(limit).ok()?;
    Some(Rejected {
        row: u32::from_le_bytes(*row),
        field: LoadField::from_number(*field)?,
        nth: u16::from_le_bytes(*nth),
        refusal: Refusal::read(u16::from_le_bytes(*code), limit, Limit::from_name(limit).bound())?,
    })
}
