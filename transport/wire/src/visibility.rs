//! Who sees whom: rules as rows of a request and of a page.

use crate::fault::WireError;
use crate::fields::{FieldValue, FieldsReader, FieldsWriter};
use crate::part::{Part, ill_named, number, text};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::limits::{VISIBILITY_ATTRIBUTES_MAX, VISIBILITY_RULES_MAX};
use tessera_model::visibility::{Details, Reach, VisibilityRule};
use tessera_model::{Limit, Name};

/// Its bits.
impl Part for Reach {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(self.bits()));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let bits = u8::try_from(number(tag, from)?).ok().and_then(Self::from_bits);
        bits.ok_or(WireError::BadField(tag))
    }
}

/// Its bits.
impl Part for Details {
    fn put(&self, tag: Tag, out: &mut FieldsWriter) {
        out.number(tag, u64::from(self.bits()));
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let bits = u16::try_from(number(tag, from)?).ok().and_then(Self::from_bits);
        bits.ok_or(WireError::BadField(tag))
    }
}

/// Each opened by a `Row`: the role if it is one's, the bits of whom it sees and of what, names of attributes.
impl Part for Vec<VisibilityRule> {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        for rule in self {
            out.none(Tag::Row);
            rule.role.put(Tag::Role, out);
            rule.reach.put(Tag::Reach, out);
            rule.details.put(Tag::Details, out);
            rule.attributes.iter().for_each(|name| out.text(Tag::ShownAttribute, name.as_str()));
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut rules = Self::new();
        for fields in from.rows().1 {
            if rules.len() == VISIBILITY_RULES_MAX {
                return Err(WireError::Limit(tag, Limit::VisibilityRules));
            }
            rules.push(VisibilityRule {
                role: Part::take(Tag::Role, &fields)?,
                reach: Part::take(Tag::Reach, &fields)?,
                details: Part::take(Tag::Details, &fields)?,
                attributes: attributes(&fields)?,
            });
            fields.finish()?;
            from.took_row(&fields);
        }
        Ok(rules)
    }
}

fn attributes(from: &FieldsReader<'_>) -> Result<Vec<Name>, WireError> {
    let (tag, mut names) = (Tag::ShownAttribute, Vec::new());
    for value in from.all(tag) {
        let value: FieldValue<'_> = value?;
        if names.len() == VISIBILITY_ATTRIBUTES_MAX {
            return Err(WireError::Limit(tag, Limit::VisibilityAttributes));
        }
        let name = Name::new(text(tag, value)?);
        names.push(name.map_err(|error| ill_named(tag, error, Limit::NameBytes))?);
    }
    Ok(names)
}

shapes! {
    /// Whom holders of a role see, and what of them.
    #[derive(Clone, Debug, Eq, PartialEq)]
    VisibilityRow {
        /// The version of all of them: the same in every row.
        version: u32 = VisibilityVersion,
        /// Whose rule it is; none for everybody who has no role that a rule names.
        role: Option<Name> = Role,
        /// Whom they see: the bits of `Reach`.
        reach: Reach = Reach,
        /// What of them: the bits of `Details`.
        details: Details = Details,
        /// Attributes that are shown by name.
        attributes: Vec<Name> = ShownAttribute,
    }
}

/// The table of requests: the commands that are given, then those about who sees whom, then the others.
macro_rules! and_visibility {
    ($($commands:tt)*) => {
        $crate::elevation::and_elevations! {
            $($commands)*
            /// Says who sees whom, in the place of what was said; no rules for no limits but permissions. By whoever sees
            /// everybody in full alone.
            SetVisibility = 0x10C0 -> Made {
                /// The version that must be the present one; 0 for none. None for any.
                version: Option<u32> = VisibilityVersion,
                /// Whether it is only tried.
                trial: bool = Trial,
                /// The rules, 64 at most.
                rules: Vec<VisibilityRule> = Row,
            };
            /// Who sees whom: a row for each rule.
            ReadVisibility = 0x20C0 -> VisibilityRow {};
        }
    };
}
pub(crate) use and_visibility;
