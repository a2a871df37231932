//! AuthZEN 1.0 (OpenID Authorization API 1.0, final): evaluation, evaluations and searches over the HTTP door.
//!
//! Parses what the standard calls subject, action, resource and context into the engine's questions and prints its
//! answers. TLS, limits, budgets, tenants and credentials are the door's ([`tessera_gateway_http::Kernel`]); what is
//! decided is the engine's. A denial is never an error, and an error never an answer of 200.

mod asker;
mod discovery;
mod evaluate;
mod page;
mod plain;
mod print;
mod read;
mod routes;
mod search;
#[cfg(test)]
mod tests;

pub use routes::PROTOCOL;
