//! Checks of relations that cost little: answered where they lie, like every other check. What costs more goes
//! to a task of its own, and begins anew there.

use crate::answer::{Asking, fault, unready};
use crate::catalogue::authorize;
use crate::connection::Line;
use crate::end::End;
use crate::list::whole;
use crate::relation::{Asked, is_own, resource, resource_row};
use tessera_engine::{Bound, Engine, Reading};
use tessera_model::relation::RelationRecord;
use tessera_model::{Reason, Receipt, Refusal};
use tessera_relation::{Answer, Ask, RELATION_BUDGET, TupleRef};
use tessera_wire::{
    Fault, Frame, Head, Outbox, RelationAnswerRow, RelationAsk, RelationDecision, Request, RequestKind, Rows,
    TENANT_OF_CONNECTION,
};

/// LIMIT: tuples and nodes that the checks of one request may look at beside all other questions of a connection: some 50 us. Checks
/// of relations look at as many in the lists that are kept before they search.
pub(crate) const QUICK_BUDGET: u32 = 1_000;
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
            gone: None,
        }
    }
}

impl Asking<'_> {
    /// Answers a check of relations that costs little; says no, and has done nothing, where another task must.
    #[inline(never)]
    pub(crate) fn quick(
        &mut self,
        line: &Line,
        kind: RequestKind,
        frame: &Frame<'_>,
        out: &mut Outbox,
    ) -> Result<bool, End> {
        let Some(put) = Put::read(kind, frame) else { return Ok(false) };
        let tenant = put.head().tenant;
        let own = tenant == TENANT_OF_CONNECTION || tenant == self.bound.entry.tenant;
        if !own || *line.shared.draining.borrow() || self.engine.is_asleep(self.bound) {
            return Ok(false);
        }
        let id = frame.header.request_id;
        if let Err(refused) = self.afford(1) {
            fault(out, line, id, &refused)?;
            return Ok(true);
        }
        let entitled =
            self.may_check() || put.request().is_some_and(|asked| is_own(self.engine, self.bound, asked));
        let allowed = if entitled { Ok(()) } else { Err(Fault::refused(Refusal::Unauthorized)) };
        let allowed = allowed.and_then(|()| self.sees(put.at_least().unwrap_or_default()));
        if let Err(refused) = allowed {
            fault(out, line, id, &refused)?;
            return Ok(true);
        }
        let mut quick = Quick { engine: self.engine, bound: self.bound, reading: &self.reading, walked: 0 };
        let answered = quick.answer(&put);
        let walked = quick.walked;
        self.pay(walked);
        match answered {
            None => return Ok(false),
            Some(Ok(rows)) => {
                self.others += 1;
                out.rows(id, &rows)?;
            }
            Some(Err(refusal)) => fault(out, line, id, &Fault::refused(refusal))?,
        }
        Ok(true)
    }

    /// Answers one check of a relation within a budget. Says no, and has answered nothing, where it costs more than that
    /// and another task may look at more.
    pub(crate) fn relation(
        &mut self,
        frame: &Frame<'_>,
        out: &mut Outbox,
        budget: u32,
    ) -> Result<bool, Fault> {
        self.afford(1)?;
        let query = frame.check_relation()?;
        self.sees(query.at_least)?;
        if self.engine.is_asleep(self.bound) {
            return Err(unready(self.engine.unready(&self.bound.home)));
        }
        if !self.may_check() {
            return Err(Fault::refused(Refusal::Unauthorized));
        }
        let tuple = TupleRef { subject: query.subject, relation: query.relation, object: query.object };
        let (now, seen) = (self.reading.now(), self.reading.seen());
        let ask = Ask { budget, gone: self.gone, ..Ask::at(now) };
        let decision = match self.reading.relations().check(&ask, &tuple) {
            Ok(Answer { permitted, valid_until, steps }) => {
                self.pay(u64::from(steps));
                RelationDecision { permitted, code: 0, valid_until, steps, seen }
            }
            Err(error) => {
                self.pay(u64::from(error.steps(budget)));
                let refusal = Refusal::from(error);
                if refusal == Refusal::RelationBudget && budget < RELATION_BUDGET {
                    return Ok(false);
                }
                RelationDecision { permitted: false, code: refusal.code(), valid_until: now, steps: 0, seen }
            }
        };
        self.others += 1;
        out.relation_decision(frame.header.request_id, &decision)?;
        Ok(true)
    }

    /// Takes what was looked at from the caller's budget.
    fn pay(&mut self, walked: u64) {
        let cost = walked / crate::list::PLACES_PER_CHECK;
        self.spent += cost;
        self.left = self.left.saturating_sub(i64::try_from(cost).unwrap_or(i64::MAX));
    }
}
