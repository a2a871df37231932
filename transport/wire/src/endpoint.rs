//! Endpoints of services, and what is authorized by them.

use crate::fault::WireError;
use crate::fields::{FieldsReader, FieldsWriter};
use crate::part::{Part, ill_named, text};
use crate::shape::shapes;
use crate::tag::Tag;
use tessera_model::endpoint::Endpoint;
use tessera_model::limits::ENDPOINTS_MAX;
use tessera_model::{Limit, Name, Pattern, Receipt, UnixMillis};

/// Each opened by a `Row`: method, path and what it needs, texts.
impl Part for Vec<Endpoint> {
    fn put(&self, _tag: Tag, out: &mut FieldsWriter) {
        for endpoint in self {
            out.none(Tag::Row);
            out.text(Tag::Method, endpoint.method());
            out.text(Tag::PathPattern, endpoint.path());
            out.text(Tag::Needs, endpoint.target().as_str());
        }
    }

    fn take(tag: Tag, from: &FieldsReader<'_>) -> Result<Self, WireError> {
        let mut endpoints = Self::new();
        for fields in from.rows().1 {
            if endpoints.len() == ENDPOINTS_MAX {
                return Err(WireError::Limit(tag, Limit::Endpoints));
            }
            let method = text(Tag::Method, fields.one(Tag::Method)?)?;
            let path = text(Tag::PathPattern, fields.one(Tag::PathPattern)?)?;
            let target = Pattern::new(text(Tag::Needs, fields.one(Tag::Needs)?)?);
            let target = target.map_err(|error| ill_named(Tag::Needs, error, Limit::PatternBytes))?;
            let endpoint = Endpoint::new(method, path, &target);
            endpoints.push(endpoint.map_err(|refusal| match refusal.limit() {
                Some(limit) => WireError::Limit(Tag::PathPattern, limit.limit),
                None => WireError::Malformed(Tag::PathPattern),
            })?);
            fields.finish()?;
            from.took_row(&fields);
        }
        Ok(endpoints)
    }
}

shapes! {
    /// Whether something may be done with an application.
    #[derive(Clone, Debug, Eq, PartialEq)]
    AuthorizedRow {
        /// Why not: a code of the code table; 0 for a permit.
        reason: u32 = Reason,
        /// The position it was taken at.
        seen: Receipt = Epoch,
        /// Until when it holds by time alone.
        valid_until: UnixMillis = ValidUntil,
        /// The permission that was asked; none where nothing is known to be asked for.
        permission: Option<Name> = Permission,
    }
    /// An endpoint of a service.
    #[derive(Clone, Debug, Eq, PartialEq)]
    EndpointRow {
        /// The method; `*` for any.
        method: String = Method,
        /// The pattern of paths.
        path: String = PathPattern,
        /// What it needs: a permission, or behind `scope=` a scope.
        needs: String = Needs,
    }
}
