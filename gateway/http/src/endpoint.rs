//! Endpoints of services over HTTP: those of a request, and the list of what is registered.

use crate::answer::Object;
use crate::input::{Input, ill_formed};
use crate::json::Json;
use crate::problem::Problem;
use crate::value::text;
use serde_json::{Value, json};
use tessera_engine::Listing;
use tessera_model::endpoint::Endpoint;
use tessera_model::limits::{ENDPOINT_BYTES_MAX, ENDPOINTS_MAX};
use tessera_model::name::NameError;
use tessera_model::{Limit, Pattern, Refusal};

/// Why a part of the endpoints does not read, and where: a path below them, and a sentence where there is more to say.
type Fault = (String, Refusal, Option<String>);

impl Input {
    /// The endpoints of a service.
    pub(crate) fn endpoints(&self, name: &str) -> Result<Vec<Endpoint>, Problem> {
        let value = self.json(name).ok_or_else(|| ill_formed(name))?;
        endpoints(value).map_err(|(at, refusal, why)| {
            let problem = Problem::from(refusal).at(&format!("{name}{at}"));
            why.map_or(problem.clone(), |why| problem.because(why))
        })
    }
}

fn endpoints(value: &Json) -> Result<Vec<Endpoint>, Fault> {
    let Json::List(items) = value else { return Err((String::new(), Refusal::Malformed, None)) };
    if items.len() > ENDPOINTS_MAX {
        return Err((String::new(), Limit::Endpoints.reached(), None));
    }
    let placed = items.iter().enumerate();
    let read = placed.map(|(at, item)| {
        endpoint(item).map_err(|(below, refusal, why)| (format!("/{at}{below}"), refusal, why))
    });
    read.collect()
}

fn endpoint(value: &Json) -> Result<Endpoint, Fault> {
    let ill = |below: &str| (below.to_owned(), Refusal::Malformed, None);
    let Json::Members(members) = value else { return Err(ill("")) };
    let (mut method, mut path, mut needs) = (None, None, None);
    for (member, value) in members {
        let place = match member.as_str() {
            "method" => &mut method,
            "path" => &mut path,
            "needs" => &mut needs,
            _ => return Err(ill(&format!("/{member}"))),
        };
        *place = Some(text(value).ok_or_else(|| ill(&format!("/{member}")))?);
    }
    let target = Pattern::new(needs.ok_or_else(|| ill("/needs"))?).map_err(|error| {
        let scope = if let NameError::BadScope(error) = error { error.limit() } else { None };
        let long = (error == NameError::TooLong).then_some(Limit::PatternBytes);
        let refusal = scope.or(long).map_or(Refusal::Malformed, Limit::reached);
        ("/needs".to_owned(), refusal, Some(error.to_string()))
    })?;
    let (method, path) = (method.ok_or_else(|| ill("/method"))?, path.ok_or_else(|| ill("/path"))?);
    Endpoint::new(method, path, &target).map_err(|refusal| {
        if refusal != Refusal::Malformed {
            return ("/path".to_owned(), refusal, None);
        }
        let (part, why) = Endpoint::fault(method, &target);
        (format!("/{part}"), refusal, Some(why.to_owned()))
    })
}

/// What the description says of the endpoints.
pub(crate) fn schema() -> Value {
    json!({
        "type": "array", "maxItems": ENDPOINTS_MAX,
        "items": {
            "type": "object", "additionalProperties": false, "required": ["method", "path", "needs"],
            "properties": {
                "method": { "type": "string", "pattern": "^([A-Z-]{1,32}|[*])$", "description": "in capitals; `*` for any" },
                "path": { "type": "string", "pattern": "^/", "maxLength": ENDPOINT_BYTES_MAX, "description": "`*` or a word in braces for any one part, `**` as the last one for all further ones" },
                "needs": { "type": "string", "minLength": 1, "description": "a permission, or behind `scope=` a scope" },
            },
        },
    })
}

/// Endpoints that read.
pub(crate) fn example() -> Value {
    json!([
        { "method": "GET", "path": "/orders/{id}", "needs": "orders.read" },
        { "method": "*", "path": "/orders/**", "needs": "orders.write" },
    ])
}

/// The endpoints of a service.
pub(crate) fn told(listing: &Listing, input: &Input) -> Result<Value, Problem> {
    let name = input.name("name")?.ok_or_else(|| ill_formed("name"))?;
    let service = listing.service_named(&name).ok_or(Refusal::ServiceUnknown)?.index;
    let endpoints = listing.endpoints(service).iter().map(|endpoint| {
        let object = Object::new().with("method", endpoint.method()).with("path", endpoint.path());
        object.with("needs", endpoint.target().as_str()).value()
    });
    Ok(Object::new().shown("service", &name).with("endpoints", endpoints.collect::<Vec<Value>>()).value())
}
