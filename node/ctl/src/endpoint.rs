//! Endpoints of services on the command line: a file of them, and what is registered.

use crate::answer::Answer;
use crate::catalogue::whole;
use crate::error::CtlError;
use crate::link::Link;
use crate::table::Table;
use serde_json::{Value, json};
use std::path::Path;
use tessera_client::wire::{EndpointRow, Request};
use tessera_model::endpoint::{Endpoint, ambiguous};
use tessera_model::{Name, Pattern, Refusal};

/// A file of endpoints.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    endpoints: Vec<Written>,
}

/// An endpoint as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: String,
    path: String,
    needs: String,
}

impl Written {
    fn read(&self) -> Result<Endpoint, String> {
        let target = Pattern::new(&self.needs).map_err(|error| format!("{}: {error}", self.needs))?;
        Endpoint::new(&self.method, &self.path, &target).map_err(|refusal| {
            let shown = format!("{} {} needs {}", self.method, self.path, self.needs);
            if refusal != Refusal::Malformed {
                return format!("{shown}: {refusal}");
            }
            let (part, why) = Endpoint::fault(&self.method, &target);
            format!("{shown}: its {part}: {why}")
        })
    }
}

fn endpoints(text: &str) -> Result<Vec<Endpoint>, String> {
    let read: Map = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let placed = (1..).zip(read.endpoints);
    let read = placed.map(|(at, one): (usize, _)| one.read().map_err(|why| format!("endpoint {at}: {why}")));
    read.collect()
}

/// Which two endpoints a refusal is about, where it is about two.
fn between(endpoints: &[Endpoint], error: CtlError) -> CtlError {
    let two = error.is(Refusal::EndpointAmbiguous).then(|| ambiguous(endpoints));
    let Some((one, other)) = two.flatten() else { return error };
    error.advise(format!(
        "endpoint {} and endpoint {} of the file match one request: add one for what both match, or make one of them narrower",
        one + 1,
        other + 1
    ))
}

/// Puts the endpoints of a file in the place of what a service has.
pub(crate) async fn set(link: &Link, name: Name, path: &Path, trial: bool) -> Result<Answer, CtlError> {
    let endpoints = endpoints(&whole(path)?);
    let endpoints = endpoints.map_err(|why| CtlError::usage(format!("{}: {why}", path.display())))?;
    let count = endpoints.len();
    let order = Request::SetEndpoints { name: name.clone(), trial, endpoints: endpoints.clone() };
    let made = link.order(&order).await.map_err(|error| between(&endpoints, error))?;
    let (has, noun) =
        (if trial { "would have" } else { "has" }, if count == 1 { "endpoint" } else { "endpoints" });
    let answer = Answer::said(format!("Service {name} {has} {count} {noun}."));
    Ok(answer.with("service", name.as_str()).with("endpoints", count).with("dry_run", trial).made(&made))
}

/// Lists the endpoints of a service.
pub(crate) async fn list(link: &Link, service: Name) -> Result<Answer, CtlError> {
    let found = link.page::<EndpointRow>(&Request::ListEndpoints { service: service.clone() }).await?;
    let mut table = Table::new(&["METHOD", "PATH", "NEEDS"]);
    let mut rows: Vec<Value> = Vec::new();
    for row in found.rows {
        rows.push(json!({ "method": row.method, "path": row.path, "needs": row.needs }));
        table.row([row.method, row.path, row.needs]);
    }
    Ok(Answer::said(table.to_string()).with("service", service.as_str()).with("endpoints", rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_client::ClientError;

    /// PROPERTY: a file reads whole or is told with its endpoint and why.
    #[test]
    fn files_read_or_are_told() {
        let good = r#"{"endpoints": [{"method": "GET", "path": "/a/{id}", "needs": "scope=a/b?kind=x"}]}"#;
        assert_eq!(endpoints(good).expect("endpoints")[0].target().as_str(), "scope=read:a/b?kind=x");
        for (bad, why) in [
            ("[]", "invalid"),
            (r#"{"endpoints": [{"method": "get", "path": "/", "needs": "a"}]}"#, "endpoint 1: get /"),
            (r#"{"endpoints": [{"method": "get", "path": "/", "needs": "a"}]}"#, "its method"),
            (r#"{"endpoints": [{"method": "GET", "path": "a", "needs": "a"}]}"#, "its path"),
            (r#"{"endpoints": [{"method": "GET", "path": "/", "needs": "scope=a//b"}]}"#, "at byte 2"),
            (r#"{"endpoints": [{"method": "GET", "path": "/", "needs": "a*"}]}"#, "endpoint 1"),
            (r#"{"endpoints": [{"method": "GET", "path": "/"}]}"#, "missing field"),
        ] {
            let told = endpoints(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
        let two = r#"{"endpoints": [{"method": "GET", "path": "/a/*", "needs": "a"}, {"method": "GET", "path": "/*/b", "needs": "a"}]}"#;
        let told = between(
            &endpoints(two).expect("endpoints"),
            CtlError::of(&ClientError::Refused(Refusal::EndpointAmbiguous), "here:1"),
        );
        assert!(told.to_string().contains("endpoint 1 and endpoint 2"), "{told}");
    }
}
