//! Texts of the language: parsed, and held against a schema by the strict validator.

use crate::error::{Place, PolicyError, PolicyReason};
use crate::guard::{self, TEXT_BYTES_MAX};
use crate::measure::measure;
use cedar_policy::ffi::DetailedError;
use cedar_policy::{PolicyId, PolicySet, ValidationMode, Validator};
use std::str::FromStr as _;

/// LIMIT: the stack that parser and validator work on; with the heights that pass, they use less.
const STACK_BYTES: usize = 256 << 20;

/// Does work that recurs on a stack that is large enough.
pub(crate) fn on_stack<T: Send>(
    work: impl FnOnce() -> Result<T, Vec<PolicyError>> + Send,
) -> Result<T, Vec<PolicyError>> {
    let none = || vec![PolicyError::new(PolicyReason::Resources, "no stack to parse on")];
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        worker.map_err(|_| none())?.join().map_err(|_| none())?
    })
}

/// A schema.
#[derive(Clone, Debug)]
pub struct Schema(pub(crate) cedar_policy::Schema);

impl Schema {
    /// Reads a schema, in Cedar's form or in JSON.
    ///
    /// # Errors
    /// When it does not parse or contradicts itself, or stands for more than a validator may be given.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<PolicyError>> {
        let text = Self::guarded(bytes)?;
        on_stack(|| measure(text).map(drop))?;
        Self::read(text)
    }

    /// The text, when it is not too long, too deep, or too much once it is written out.
    pub(crate) fn guarded(bytes: &[u8]) -> Result<&str, Vec<PolicyError>> {
        let text = guard::text(bytes, TEXT_BYTES_MAX).map_err(|error| vec![error])?;
        if guard::is_json(text) {
            guard::json(text).map_err(|error| vec![error])?;
        } else {
            guard::cedar(text).map_err(|error| vec![error])?;
            guard::copies(text).map_err(|error| vec![error])?;
        }
        Ok(text)
    }

    /// Reads a schema that was guarded and measured.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<PolicyError>> {
        on_stack(|| {
            let told = |error: DetailedError| PolicyError::told(PolicyReason::Schema, text, [error]);
            if guard::is_json(text) {
                let schema = cedar_policy::Schema::from_json_str(text);
                return schema.map(Self).map_err(|error| told(DetailedError::from(&error)));
            }
            let schema = cedar_policy::Schema::from_cedarschema_str(text);
            schema.map(|(schema, _)| Self(schema)).map_err(|error| told(DetailedError::from(&error)))
        })
    }
}

/// Policies that parse, with where they begin.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub(crate) set: PolicySet,
    /// The byte of the text where each begins. Lines and columns are counted only for a fault.
    starts: Vec<usize>,
    text: String,
}

impl Parsed {
    /// Reads policies, templates and links, in Cedar's form or in JSON. Those of a text are named `policy0`,
    /// `policy1` and so on, in their order.
    ///
    /// # Errors
    /// When they do not parse.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<PolicyError>> {
        let text = guard::text(bytes, TEXT_BYTES_MAX).map_err(|error| vec![error])?;
        let json = guard::is_json(text);
        let starts = if json { guard::json(text).map(|()| Vec::new()) } else { guard::cedar(text) };
        let starts = starts.map_err(|error| vec![error])?;
        on_stack(|| {
            let set = if json {
                PolicySet::from_json_str(text).map_err(|error| DetailedError::from(&error))
            } else {
                PolicySet::from_str(text).map_err(|error| DetailedError::from(&error))
            };
            let set = set.map_err(|error| PolicyError::told(PolicyReason::Syntax, text, [error]))?;
            Ok(Self { set, starts, text: text.to_owned() })
        })
    }

    /// Fills the slots of a template.
    ///
    /// # Errors
    /// When there is no such template, a slot is left open, or the name is taken.
    pub fn link(
        &mut self,
        template: &str,
        name: &str,
        values: &[(cedar_policy::SlotId, cedar_policy::EntityUid)],
    ) -> Result<(), PolicyError> {
        let values = values.iter().cloned().collect();
        let linked = self.set.link(PolicyId::new(template), PolicyId::new(name), values);
        linked.map_err(|error| PolicyError::new(PolicyReason::Syntax, error.to_string()))
    }

    /// Holds the policies against a schema, strictly.
    ///
    /// # Errors
    /// All that does not fit, each at its place.
    pub fn validate(&self, schema: &Schema) -> Result<(), Vec<PolicyError>> {
        on_stack(|| {
            let result = Validator::new(schema.0.clone()).validate(&self.set, ValidationMode::Strict);
            // Told in one order, and the same of them where they are many.
            let mut found: Vec<DetailedError> = result.validation_errors().map(DetailedError::from).collect();
            let at =
                |error: &DetailedError| error.source_locations.first().map_or(0, |label| label.loc.start);
            found.sort_by(|left, right| {
                at(left).cmp(&at(right)).then_with(|| left.message.cmp(&right.message))
            });
            let mut faults = PolicyError::told(PolicyReason::Validation, &self.text, found);
            faults
                .sort_by(|left, right| left.place.cmp(&right.place).then_with(|| left.says.cmp(&right.says)));
            faults.dedup();
            if faults.is_empty() { Ok(()) } else { Err(faults) }
        })
    }

    /// The policies by name: what each does, and its text in the language's one form.
    #[must_use]
    pub fn named(&self) -> std::collections::BTreeMap<String, (&'static str, String)> {
        let told = |policy: &cedar_policy::Policy| {
            let effect = match policy.effect() {
                cedar_policy::Effect::Permit => "permit",
                cedar_policy::Effect::Forbid => "forbid",
            };
            (crate::compile::named(policy).to_owned(), (effect, policy.to_string()))
        };
        self.set.policies().map(told).collect()
    }

    /// How many policies there are; a template counts by its links.
    #[must_use]
    pub fn count(&self) -> usize {
        self.set.policies().count()
    }

    /// How many templates there are.
    #[must_use]
    pub fn templates(&self) -> usize {
        self.set.templates().count()
    }

    /// What the language itself holds them for.
    #[must_use]
    pub const fn set(&self) -> &PolicySet {
        &self.set
    }

    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        let number: usize = name.strip_prefix("policy")?.parse().ok()?;
        let at = self.starts.get(number).filter(|_| name == format!("policy{number}"))?;
        Some(Place::of(&self.text, *at))
    }
}

/// A text of policies in one form: line breaks, indents, spaces; comments stay.
///
/// # Errors
/// When it does not parse, or is JSON.
pub fn format(bytes: &[u8]) -> Result<String, Vec<PolicyError>> {
    let text = guard::text(bytes, TEXT_BYTES_MAX).map_err(|error| vec![error])?;
    if guard::is_json(text) {
        return Err(vec![PolicyError::new(PolicyReason::Syntax, "JSON has no other form here")]);
    }
    Parsed::parse(bytes)?;
    on_stack(|| {
        let config = cedar_policy_formatter::Config { line_width: 100, indent_width: 4 };
        cedar_policy_formatter::policies_str_to_pretty(text, &config)
            .map_err(|error| PolicyError::told(PolicyReason::Syntax, text, [DetailedError::from(error)]))
    })
}
