//! Members of a problem document for those who come from `OpenFGA`, and those that one problem alone has.

use crate::problem::Problem;
use serde_json::Value;
use tessera_model::Refusal;

impl Problem {
    /// The same, with a member of its own.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.get_or_insert_default().insert(name.to_owned(), value.into());
        self
    }

    /// The same, with the number of `OpenFGA`'s API for what the caller has to mend; none for what waits or is
    /// not the caller's.
    pub(crate) fn in_openfga(self) -> Self {
        const VALIDATION: u16 = 2000;
        const CONTINUATION: u16 = 2007;
        const ENTITY_LIMIT: u16 = 2053;
        let cursor = self.field.as_deref() == Some("cursor");
        let limit = matches!(self.limit, Some((limit, _)) if limit.starts_with("RELATION"));
        let known = match Refusal::from_code(self.code).and_then(Refusal::openfga_code) {
            Some(known) => known,
            None if limit => ENTITY_LIMIT,
            None if cursor => CONTINUATION,
            None if matches!(self.status.as_u16(), 400 | 422) => VALIDATION,
            None => return self,
        };
        self.with("openfga_code", known)
    }

    /// Its number in the one code table.
    pub(crate) const fn code(&self) -> u16 {
        self.code
    }
}
