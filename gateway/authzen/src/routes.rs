//! The standard's paths at the door, and what answers each of them.

use crate::{discovery, evaluate, plain, search};
use axum::Router;
use axum::extract::Request;
use axum::routing::{get, post};
use tessera_gateway_http::{Admitted, Kernel, PlainPath, Problem, Protocol};

/// The permission that lets a caller ask about others.
pub(crate) const CHECK: &str = "tessera.check";
/// The tenant's part of a path, as at every path of the door.
const TENANT_PREFIX: &str = "/t/{tenant}";

/// The standard, as the door holds it.
pub const PROTOCOL: Protocol = Protocol { routes, plain: &[EVALUATION] };
/// One evaluation is asked so often that it is answered where it is read.
const EVALUATION: PlainPath = PlainPath { path: Asked::Evaluation.path(), answer: plain::answer };

/// The standard's default paths, also below the tenant's prefix, and the discovery document, which the standard
/// puts before that prefix.
pub(crate) fn routes(kernel: &Kernel) -> Router {
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
pub(crate) enum Asked {
    Evaluation,
    Evaluations,
    Subjects,
    Resources,
    Actions,
}

impl Asked {
    pub(crate) const ALL: [Self; 5] =
        [Self::Evaluation, Self::Evaluations, Self::Subjects, Self::Resources, Self::Actions];

    /// Its default path.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Evaluation => "/access/v1/evaluation",
            Self::Evaluations => "/access/v1/evaluations",
            Self::Subjects => "/access/v1/search/subject",
            Self::Resources => "/access/v1/search/resource",
            Self::Actions => "/access/v1/search/action",
        }
    }

    /// Its member of the discovery document.
    pub(crate) const fn metadata(self) -> &'static str {
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
pub(crate) async fn answer(asked: Asked, admitted: Admitted) -> Result<Vec<u8>, Problem> {
    if matches!(asked, Asked::Evaluation | Asked::Evaluations) {
        if let Some(told) = evaluate::answer(asked, &admitted, true)? {
            return Ok(told);
        }
        let whole = move || evaluate::answer(asked, &admitted, false);
        return Kernel::aside(whole).await??.ok_or_else(Problem::failed);
    }
    Kernel::aside(move || search::answer(asked, &admitted)).await?.map(String::into_bytes)
}
