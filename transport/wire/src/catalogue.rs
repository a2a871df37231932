//! Services in fields: what they register, and the rows that tell of it.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::part::{Part, text};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::catalogue::{EntryText, Label, ServiceEntry};
use tessera_model::limits::{LABELS_MAX, SERVICE_ENTRIES_MAX};
use tessera_model::{Deadline, Limit, Name, Pattern, PublicId, Refusal};

/// A refusal of a value in a field: over a limit, or ill-formed.
fn refused(tag: Tag, refusal: Refusal) -> WireError {
    match refusal.limit() {
        Some(limit) => WireError::Limit(tag, limit.limit),
        None => WireError::Malformed(tag),
    }
}

/// Each under its own tag; a label is its language, a space and its text.
impl Part for EntryText {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        self.action.put(Tag::Action, out);
        for label in &self.labels {
            out.text(tag, &format!("{} {}", label.language(), label.text()));
        }
        out.text(Tag::EntryDescription, &self.description);
        self.deprecated.put(Tag::Deprecated, out);
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut labels = Vec::new();
        for value in from.all(tag) {
            if labels.len() == LABELS_MAX {
                return Err(WireError::Limit(tag, Limit::Labels));
            }
            let (language, text) = text(tag, value?)?.split_once(' ').ok_or(WireError::Malformed(tag))?;
            labels.push(Label::new(language, text).map_err(|refusal| refused(tag, refusal))?);
        }
        let action = Part::take(Tag::Action, from)?;
        let FieldValue::Text(description) = from.one(Tag::EntryDescription)? else {
            return Err(WireError::BadField(Tag::EntryDescription));
        };
        let deprecated = Part::take(Tag::Deprecated, from)?;
        let found = Self::new(action, labels, description, deprecated);
        found.map_err(|refusal| {
            let long = refusal == Limit::EntryDescriptionBytes.reached();
            refused(if long { Tag::EntryDescription } else { tag }, refusal)
        })
    }
}

/// Each opened by a `Row`.
impl Part for Vec<ServiceEntry> {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        for entry in self {
            out.none(Tag::Row);
            entry.permission.put(Tag::Permission, out);
            entry.text.put(Tag::Label, out);
            entry.replaced_by.put(Tag::ReplacedBy, out);
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut entries = Self::new();
        for fields in from.rows().1 {
            if entries.len() == SERVICE_ENTRIES_MAX {
                return Err(WireError::Limit(tag, Limit::ServiceEntries));
            }
            let (permission, text) =
                (Part::take(Tag::Permission, &fields)?, Part::take(Tag::Label, &fields)?);
            let entry = ServiceEntry::new(permission, text, Part::take(Tag::ReplacedBy, &fields)?);
            entries.push(entry.map_err(|refusal| refused(Tag::ReplacedBy, refusal))?);
            fields.finish()?;
            from.took_row(&fields);
        }
        Ok(entries)
    }
}

shapes! {
    /// A service.
    #[derive(Clone, Debug, Eq, PartialEq)]
    ServiceRow {
        /// Its name.
        service: Name = Service,
        /// How many entries it has.
        entries: u32 = Count,
        /// How many of them are deprecated.
        deprecated: u32 = DeprecatedCount,
    }
    /// An entry of a service.
    #[derive(Clone, Debug, Eq, PartialEq)]
    EntryRow {
        /// The service.
        service: Name = Service,
        /// The permission's dense id.
        id: u32 = PermissionId,
        /// The permission.
        permission: Name = Permission,
        /// What it says, each part under its own tag.
        text: EntryText = Label,
        /// The permission to use in its place.
        replaced_by: Option<Name> = ReplacedBy,
    }
    /// A use of an entry.
    #[derive(Clone, Debug, Eq, PartialEq)]
    EntryUseRow {
        /// The permission.
        permission: Name = Permission,
        /// 1 a role, 2 a grant to a group, 3 a grant to a subject, 4 a key, 5 a ceiling, 6 a mapping to a relation,
        /// 7 an endpoint.
        kind: u32 = EntryUse,
        /// The role that covers it, or that is granted.
        role: Option<Name> = Role,
        /// The group that has the role.
        group: Option<Name> = Group,
        /// The subject that has the role, or whose key it is.
        subject: Option<PublicId> = Subject,
        /// The key.
        key: Option<PublicId> = Session,
        /// Where the grant holds, none for the whole tenant; or whose ceiling it is.
        workspace: Option<Name> = Workspace,
        /// First instant of the grant.
        from: Deadline = From,
        /// First instant after it.
        until: Deadline = Until,
        /// The pattern that covers it; none of a role that has it from a role above.
        patterns: Vec<Pattern> = Pattern,
        /// The type of the resources.
        type_name: Option<String> = TypeName,
        /// The relation to them.
        relation: Option<String> = Relation,
        /// The service whose endpoint it is.
        service: Option<Name> = Service,
        /// Its method; `*` for any.
        method: Option<String> = Method,
        /// Its pattern of paths.
        path: Option<String> = PathPattern,
    }
}
