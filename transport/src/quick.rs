//! Checks of relations that cost little: answered where they lie, like every other check. What costs more goes
//! to a task of its own, and begins anew there.

use crate::catalogue::authorize;
use crate::list::whole;
use crate::relation::{Asked, resource, resource_row};
use tessera_engine::{Bound, Engine, Reading};
use tessera_model::relation::RelationRecord;
use tessera_model::{Reason, Receipt, Refusal};
use tessera_wire::{Request, RequestKind, Rows};

/// LIMIT: tuples and nodes that the checks of one request may look at beside all other questions of a connection: some 50 us.
const QUICK_BUDGET: u32 = 1_000;
/// LIMIT: checks of one request that are answered beside all other questions.
const QUICK_CHECKS: usize = 64;

/// Whether a request may be answered where it lies.
pub(crate) const fn may_be(kind: RequestKind) -> bool {
    matches!(kind, RequestKind::CheckRelations | RequestKind::CheckResource | RequestKind::Authorize)
}

/// What a quick answer is made from.
pub(crate) struct Quick<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) bound: &'a Bound,
    pub(crate) reading: &'a Reading<'a>,
    /// What was looked at, in tuples and nodes.
    pub(crate) walked: u64,
}

impl Quick<'_> {
    /// The position that a request must have seen.
    pub(crate) const fn at_least(request: &Request) -> Option<Receipt> {
        if let Request::CheckRelations { at_least, .. }
        | Request::CheckResource { at_least, .. }
        | Request::Authorize { at_least, .. } = request
        {
            *at_least
        } else {
            None
        }
    }

    /// Answers a request whose caller may ask it; nothing where it costs more than there is room for here.
    pub(crate) fn answer(&mut self, request: &Request) -> Option<Result<Rows, Refusal>> {
        if let Request::CheckRelations { checks, contextual, correlations, .. } = request {
            return self.checks(checks, contextual, correlations);
        }
        if let Request::Authorize { .. } = request {
            return Some(authorize((self.engine, self.bound, self.reading), request));
        }
        let asked = resource((self.engine, self.bound, self.reading), request, QUICK_BUDGET);
        let (decision, steps) = match asked {
            Ok(decided) => decided,
            Err(refusal) => return Some(Err(refusal)),
        };
        self.walked += u64::from(steps);
        (decision.reason != Reason::BudgetExceeded).then(|| whole([resource_row(decision, steps)]))
    }

    fn checks(
        &mut self,
        checks: &[RelationRecord],
        contextual: &[(u32, RelationRecord)],
        correlations: &[String],
    ) -> Option<Result<Rows, Refusal>> {
        if checks.len() > QUICK_CHECKS {
            return None;
        }
        let mut asked = Asked {
            relations: self.reading.relations(),
            now: self.reading.now(),
            budget: QUICK_BUDGET,
            of_batch: QUICK_BUDGET,
            walked: &mut self.walked,
        };
        match asked.checks(checks, contextual, correlations) {
            Err(refusal) => Some(Err(refusal)),
            Ok(rows) => {
                let dear = u32::from(Refusal::RelationBudget.code());
                if rows.iter().any(|row| row.code == dear) { None } else { Some(whole(rows)) }
            }
        }
    }
}
