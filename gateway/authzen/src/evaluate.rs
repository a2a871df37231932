//! One evaluation, or several in one request, in the order that they were sent in.

use crate::asker::{Asker, Place, Stop, What, Who};
use crate::print::{self, Verdict};
use crate::read::{self, Members, Question, member, object, text};
use crate::routes::Asked;
use tessera_gateway_http::{Admitted, Json, Problem};
use tessera_model::PermissionRef;
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_relation::RELATION_BATCH_BUDGET;

/// LIMIT: evaluations of one request, as checks of a batch.
const EVALUATIONS_MAX: usize = BATCH_CHECKS_MAX;
/// LIMIT: tuples and nodes that all evaluations of a request may look at beside other requests: some 50 us.
const QUICK_BUDGET: u32 = 1_000;

/// When no further evaluation is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn read(content: &Members) -> Result<Self, Problem> {
        let Some(options) = member(content, "options") else { return Ok(Self::ExecuteAll) };
        let options = object(options, "options")?;
        let field = "options/evaluations_semantic";
        let Some(value) = member(options, "evaluations_semantic") else { return Ok(Self::ExecuteAll) };
        match text(value, field)? {
            "execute_all" => Ok(Self::ExecuteAll),
            "deny_on_first_deny" => Ok(Self::DenyOnFirstDeny),
            "permit_on_first_permit" => Ok(Self::PermitOnFirstPermit),
            _ => Err(Problem::unreadable("is none of the three semantics").at(field)),
        }
    }

    const fn ends(self, permitted: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !permitted,
            Self::PermitOnFirstPermit => permitted,
        }
    }
}

/// Answers an evaluation or several; nothing where it has to be answered where it may take a while.
pub(crate) fn answer(asked: Asked, admitted: &Admitted, quick: bool) -> Result<Option<Vec<u8>>, Problem> {
    let view = admitted.view()?;
    let reading = admitted.engine().read(&view);
    let budget = if quick { QUICK_BUDGET } else { RELATION_BATCH_BUDGET };
    let asker = Asker::new(admitted, reading, (quick, budget));
    let told = match several(asked, admitted.content())? {
        Some(items) => all(&asker, admitted.content(), items),
        None => read::question(admitted.content(), "", &[]).map_err(Stop::from).and_then(|question| {
            let mut out = Vec::new();
            one(&asker, &question, ["subject", "resource", "context"])?.print(asker.seen(), &mut out);
            Ok((out, 1))
        }),
    };
    match told {
        Ok((text, checks)) => {
            asker.charge(checks.saturating_sub(1));
            Ok(Some(text))
        }
        Err(stop) => {
            asker.charge(0);
            match stop {
                Stop::Later => Ok(None),
                Stop::Problem(problem) => Err(problem),
            }
        }
    }
}

/// The items of a request for several evaluations; without any it is one evaluation.
fn several(asked: Asked, content: &Members) -> Result<Option<&[Json]>, Problem> {
    if asked == Asked::Evaluation {
        return Ok(None);
    }
    match member(content, "evaluations") {
        None => Ok(None),
        Some(Json::List(items)) if items.len() > EVALUATIONS_MAX => {
            Err(Problem::unreadable("has too many items").at("evaluations").limited_by("evaluations"))
        }
        Some(Json::List(items)) => Ok(Some(items.as_slice()).filter(|items| !items.is_empty())),
        Some(_) => Err(Problem::unreadable("must be an array").at("evaluations")),
    }
}

/// What several evaluations ask, and when no further one is made.
fn questions<'a>(content: &'a Members, items: &'a [Json]) -> Result<(Semantic, Vec<Question<'a>>), Problem> {
    let semantic = Semantic::read(content)?;
    read::defaults(content)?;
    let mut questions = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let at = format!("evaluations/{at}");
        questions.push(read::question(object(item, &at)?, &format!("{at}/"), content)?);
    }
    Ok((semantic, questions))
}

/// How many evaluations a request asks for, read as they are before any is answered.
#[cfg(test)]
pub(crate) fn looks(content: &Members) -> Result<usize, Problem> {
    let items = several(Asked::Evaluations, content)?.unwrap_or_default();
    questions(content, items).map(|(_, questions)| questions.len())
}

/// Every item reads before the first is answered. What is wrong with one item alone, which reads and cannot be evaluated, is
/// its own answer, as the standard has it.
fn all(asker: &Asker<'_>, content: &Members, items: &[Json]) -> Result<(Vec<u8>, u64), Stop> {
    let (semantic, questions) = questions(content, items)?;
    let (mut out, mut checks) = (Vec::from(r#"{"evaluations":["#), 0);
    for (at, question) in questions.iter().enumerate() {
        let fields = ["subject", "resource", "context"].map(|name| format!("evaluations/{at}/{name}"));
        let told = one(asker, question, fields.each_ref().map(String::as_str));
        if checks > 0 {
            out.push(b',');
        }
        let permits = match told {
            Ok(verdict) => {
                verdict.print(asker.seen(), &mut out);
                verdict.permits()
            }
            Err(Stop::Problem(problem)) if problem.is_bad_request() => {
                print::wrong(&problem, asker.seen(), &mut out);
                false
            }
            Err(stop) => return Err(stop),
        };
        checks += 1;
        if semantic.ends(permits) {
            break;
        }
    }
    out.extend_from_slice(b"]}");
    Ok((out, checks))
}

/// One question, whose subject, resource and context stand there.
fn one(
    asker: &Asker<'_>,
    question: &Question<'_>,
    [subject, resource, context]: [&str; 3],
) -> Result<Verdict, Stop> {
    let who: Who = asker.who(question.subject, subject, question.context)?;
    let what: What = asker.what(question.resource, resource)?;
    let about = Some((question.resource, resource)).filter(|_| matches!(what, What::Object(..)));
    let brought = asker.brought(question.action, (question.context, context), about)?;
    asker.decide(&who, PermissionRef::Name(question.action), &what, brought.as_ref())
}

/// Answers one question where it was read, with `out` as the only room; nothing where it has to be answered elsewhere.
pub(crate) fn plainly(admitted: &Admitted, question: &Question<'_>, out: &mut Vec<u8>) -> Option<()> {
    let view = admitted.view().ok()?;
    let reading = admitted.engine().read(&view);
    let asker = Asker::new(admitted, reading, (true, QUICK_BUDGET));
    let resource = question.resource;
    // Policies may look at all of it, which is read from a tree.
    let more = question.context.says_anything() || resource.properties.says_anything();
    if more && asker.has_policies() {
        return None;
    }
    let who = asker.who(question.subject, "subject", question.context).ok()?;
    let permission = PermissionRef::Name(question.action);
    let verdict = match asker.place(resource, "resource").ok()? {
        Place::Nowhere(verdict) => verdict,
        Place::Whole(workspace) => asker.judge(&who, permission, (workspace, None), None).ok()?,
        Place::Object(workspace) => {
            for part in [resource.kind, ":", resource.id?] {
                out.extend_from_slice(part.as_bytes());
            }
            let object = str::from_utf8(out).ok()?;
            let verdict = asker.judge(&who, permission, (workspace, Some(object)), None).ok()?;
            out.clear();
            verdict
        }
    };
    verdict.print(asker.seen(), out);
    asker.charge(0);
    Some(())
}
