//! The metadata of a policy decision point: which endpoints there are, for whichever identifier was asked.
//!
//! The document says the same whether the tenant exists or not: nobody learns here which tenants there are.

use crate::Asked;
use serde_json::{Map, Value};
use tessera_gateway_http::Open;

/// What the standard inserts between host and path of the identifier.
pub(crate) const PATH: &str = "/.well-known/authzen-configuration";

/// The document.
pub(crate) fn document(asked: &Open) -> String {
    let below = asked.path.strip_prefix(PATH).unwrap_or_default();
    let identifier = format!("{}{below}", asked.origin);
    let mut members = Map::new();
    for endpoint in Asked::ALL {
        members.insert(endpoint.metadata().to_owned(), format!("{identifier}{}", endpoint.path()).into());
    }
    members.insert("policy_decision_point".to_owned(), identifier.into());
    Value::Object(members).to_string()
}
