//! Checks of relations that cost little: answered where they lie, like every other check. What costs more goes
//! to a task of its own, and begins anew there.

use crate::catalogue::authorize;
use crate::list::whole;
use crate::relation::{Asked, resource, resource_row};
use tessera_engine::{Bound, Engine, Reading};
use tessera_model::relation::RelationRecord;
use tessera_model::{Reason, Receipt, Refusal};
use tessera_relation::TupleRef;
use tessera_wire::{Frame, Head, RelationAnswerRow, RelationAsk, Request, RequestKind, Rows};

/// LIMIT: tuples and nodes that the checks of one request may look at beside all other questions of a connection: some 50 us.
const QUICK_BUDGET: u32 = 1_000;
/// LIMIT: checks of one request that are answered beside all other questions.
const QUICK_CHECKS: usize = 64;

/// Whether a check costs more than it may here.
fn is_dear(row: &RelationAnswerRow) -> bool {
    row.code == u32::from(Refusal::RelationBudget.code())
}

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

/// A request as it is taken: a single check of relations where it lies, anything else as a whole.
pub(crate) enum Put<'a> {
    Check(RelationAsk<'a>),
    Whole(Head, Request),
}

impl<'a> Put<'a> {
    /// Reads a request; none where it does not read.
    pub(crate) fn read(kind: RequestKind, frame: &Frame<'a>) -> Option<Self> {
        if kind == RequestKind::CheckRelations
            && let Some(ask) = frame.relation_ask()
        {
            return Some(Self::Check(ask));
        }
        frame.request(kind).ok().map(|(head, request)| Self::Whole(head, request))
    }

    pub(crate) const fn head(&self) -> Head {
        match self {
            Self::Check(ask) => ask.head,
            Self::Whole(head, _) => *head,
        }
    }

    /// What was read as a whole.
    pub(crate) const fn request(&self) -> Option<&Request> {
        match self {
            Self::Check(_) => None,
            Self::Whole(_, request) => Some(request),
        }
    }

    /// The position that a request must have seen.
    pub(crate) const fn at_least(&self) -> Option<Receipt> {
        match self {
            Self::Check(RelationAsk { at_least, .. })
            | Self::Whole(
                _,
                Request::CheckRelations { at_least, .. }
                | Request::CheckResource { at_least, .. }
                | Request::Authorize { at_least, .. },
            ) => *at_least,
            Self::Whole(..) => None,
        }
    }
}

impl Quick<'_> {
    /// Answers a request whose caller may ask it; nothing where it costs more than there is room for here.
    pub(crate) fn answer(&mut self, put: &Put<'_>) -> Option<Result<Rows, Refusal>> {
        let request = match put {
            Put::Check(ask) => {
                let tuple = TupleRef { subject: ask.subject, relation: ask.relation, object: ask.object };
                let row = self.asked().check(&tuple, &[], QUICK_BUDGET).0;
                return if is_dear(&row) { None } else { Some(whole([row])) };
            }
            Put::Whole(_, request) => request,
        };
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
        match self.asked().checks(checks, contextual, correlations) {
            Err(refusal) => Some(Err(refusal)),
            Ok(rows) if rows.iter().any(is_dear) => None,
            Ok(rows) => Some(whole(rows)),
        }
    }

    fn asked(&mut self) -> Asked<'_> {
        Asked {
            relations: self.reading.relations(),
            now: self.reading.now(),
            budget: QUICK_BUDGET,
            of_batch: QUICK_BUDGET,
            walked: &mut self.walked,
        }
    }
}
