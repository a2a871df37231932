//! AuthZEN 1.0 (OpenID Authorization API 1.0, final): evaluation, evaluations and searches over the HTTP door.
//!
//! Parses what the standard calls subject, action, resource and context into the engine's questions and prints its
//! answers. TLS, limits, budgets, tenants and credentials are the door's ([`Kernel`]); what is decided is the
//! engine's. What is asked about by an answer of `false` and a reason is never an error, and an error is never
//! an answer of 200.

mod asker;
mod discovery;
mod evaluate;
mod page;
mod print;
mod read;
mod search;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::Request;
use axum::routing::{get, post};
use tessera_gateway_http::Kernel;

/// The permission that lets a caller ask about others.
const CHECK: &str = "tessera.check";
/// The tenant's part of a path, as at every path of the door.
const TENANT_PREFIX: &str = "/t/{tenant}";

/// The standard's default paths, also below the tenant's prefix, and the discovery document, which the standard
/// puts before that prefix.
#[must_use]
pub fn routes(kernel: &Kernel) -> Router {
    let mut router = Router::new();
    for prefix in ["", TENANT_PREFIX] {
        let serve = |asked: Asked| {
            let kernel = kernel.clone();
            post(move |request: Request| async move {
                let (route, answer) = (asked.path(), move |admitted| answer(asked, admitted));
                kernel.admit((route, CHECK), request, answer).await
            })
        };
        for asked in Asked::ALL {
            router = router.route(&format!("{prefix}{}", asked.path()), serve(asked));
        }
        let kernel = kernel.clone();
        let discover = get(move |request: Request| async move {
            kernel.open(discovery::PATH, request, discovery::document).await
        });
        router = router.route(&format!("{}{prefix}", discovery::PATH), discover);
    }
    router
}

/// The endpoints of the standard's HTTPS binding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    Evaluation,
    Evaluations,
    Subjects,
    Resources,
    Actions,
}

impl Asked {
    const ALL: [Self; 5] =
        [Self::Evaluation, Self::Evaluations, Self::Subjects, Self::Resources, Self::Actions];

    /// Its default path.
    const fn path(self) -> &'static str {
        match self {
            Self::Evaluation => "/access/v1/evaluation",
            Self::Evaluations => "/access/v1/evaluations",
            Self::Subjects => "/access/v1/search/subject",
            Self::Resources => "/access/v1/search/resource",
            Self::Actions => "/access/v1/search/action",
        }
    }

    /// Its member of the discovery document.
    const fn metadata(self) -> &'static str {
        match self {
            Self::Evaluation => "access_evaluation_endpoint",
            Self::Evaluations => "access_evaluations_endpoint",
            Self::Subjects => "search_subject_endpoint",
            Self::Resources => "search_resource_endpoint",
            Self::Actions => "search_action_endpoint",
        }
    }
}

/// Answers a request: where it lies when it costs little, else on a thread that may take a while.
async fn answer(
    asked: Asked,
    admitted: tessera_gateway_http::Admitted,
) -> Result<String, tessera_gateway_http::Problem> {
    if matches!(asked, Asked::Evaluation | Asked::Evaluations) {
        if let Some(told) = evaluate::answer(asked, &admitted, true)? {
            return Ok(told);
        }
        let whole = move || evaluate::answer(asked, &admitted, false);
        return Kernel::aside(whole).await??.ok_or_else(tessera_gateway_http::Problem::failed);
    }
    Kernel::aside(move || search::answer(asked, &admitted)).await?
}
