//! The metadata of a policy decision point: which endpoints there are, for whichever identifier was asked.
//!
//! The document says the same whether the tenant exists or not: nobody learns here which tenants there are.

use crate::routes::Asked;
use serde_json::Value;
use tessera_gateway_http::Open;

/// What the standard inserts between host and path of the identifier.
pub(crate) const PATH: &str = "/.well-known/authzen-configuration";

/// The document.
pub(crate) fn document(asked: &Open) -> String {
    let below = asked.path.strip_prefix(PATH).unwrap_or_default();
    let identifier = format!("{}{below}", asked.origin);
    let url = |path: &str| Value::from(format!("{identifier}{path}"));
    let mut out = format!(r#"{{"policy_decision_point":{}"#, url(""));
    for endpoint in Asked::ALL {
        out.push_str(&format!(r#","{}":{}"#, endpoint.metadata(), url(endpoint.path())));
    }
    out.push('}');
    out
}
