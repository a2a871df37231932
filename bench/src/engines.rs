//! The hot check beside the engines that people embed today, and its other forms.

use crate::casbin::Roles;
use crate::checks::{Bench, PER_ROOT};
use crate::figure::{Family, Row, Setup, Spec, Why};
use crate::rounds::{interleave, nanos_each};
use crate::world::World;
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use std::fmt::Write as _;
use std::hint::black_box;

/// Checks beside cedar-policy and Casbin, and forms of the hot check.
pub const ENGINES: Family = Family { specs: &[FEW, NAMED, VS_CEDAR, VS_CASBIN], take };

const FEW: Spec = Spec {
    id: "check-hot-few",
    what: "check by tag, workspace chain of 4, one of sixteen decided by an own workspace above, one root per 64, p50",
    unit: "ns",
    goal: "<= 50 ns",
};
const NAMED: Spec = Spec {
    id: "check-hot-name",
    what: "check by handle, permission and workspace by name, the questions of check-hot, p50",
    unit: "ns",
    goal: "reported",
};
const VS_CEDAR: Spec = Spec {
    id: "check-hot-vs-cedar",
    what: "the questions of check-hot by tag, p50",
    unit: "ns",
    goal: "<= 1/40 of cedar-policy with one policy",
};
const VS_CASBIN: Spec = Spec {
    id: "check-hot-vs-casbin",
    what: "the questions of check-hot by tag, p50",
    unit: "ns",
    goal: "<= 1/40 of Casbin with two rules",
};

/// Sessions of the hot world, its questions of a pass, and the peers' (a pass takes about as long).
const SESSIONS: u32 = 10_000;
const QUESTIONS: u32 = 4_096;
const PEER_QUESTIONS: usize = 64;

/// cedar-policy with one policy: who is in a group may read what is in a workspace, four deep.
struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    questions: Vec<Request>,
}

const POLICY: &str =
    r#"permit (principal in Group::"readers", action == Action::"read", resource in Space::"1");"#;

impl Cedar {
    fn new(questions: usize) -> Result<Self, Why> {
        let entity = |kind: &str, id: &str, above: &str| {
            format!(r#"{{"uid":{{"type":"{kind}","id":"{id}"}},"attrs":{{}},"parents":[{above}]}}"#)
        };
        let above = |kind: &str, id: &str| format!(r#"{{"type":"{kind}","id":"{id}"}}"#);
        let mut text = format!("[{},{}", entity("Group", "readers", ""), entity("Space", "1", ""));
        for level in 2..=4 {
            let parent = above("Space", &(level - 1).to_string());
            write!(text, ",{}", entity("Space", &level.to_string(), &parent))?;
        }
        for no in 0..questions {
            let group = if no.is_multiple_of(2) { above("Group", "readers") } else { String::new() };
            write!(text, ",{}", entity("User", &no.to_string(), &group))?;
        }
        text.push(']');
        let entities = Entities::from_json_str(&text, None)?;
        let (action, space): (EntityUid, EntityUid) =
            (r#"Action::"read""#.parse()?, r#"Space::"4""#.parse()?);
        let ask = |no: usize| {
            let user: EntityUid = format!(r#"User::"{no}""#).parse()?;
            Ok::<_, Why>(Request::new(user, action.clone(), space.clone(), Context::empty(), None)?)
        };
        let questions = (0..questions).map(ask).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { authorizer: Authorizer::new(), policies: POLICY.parse()?, entities, questions })
    }

    fn permits(&self, question: &Request) -> bool {
        let told = self.authorizer.is_authorized(question, &self.policies, &self.entities);
        told.decision() == Decision::Allow
    }

    /// Whether it says what is expected: every second question is permitted.
    fn agrees(&self) -> bool {
        self.questions.iter().enumerate().all(|(no, question)| self.permits(question) == no.is_multiple_of(2))
    }

    fn nanos(&self) -> f64 {
        nanos_each(self.questions.len(), || {
            for question in &self.questions {
                black_box(self.permits(question));
            }
        })
    }
}

fn take(setup: &Setup) -> Result<Vec<Row>, Why> {
    setup.progress.say("check-hot-few, check-hot-name: loading 10,000 sessions");
    let few = Bench::new(World::few_above(SESSIONS), QUESTIONS)?;
    let half = Bench::new(World::of(SESSIONS), QUESTIONS)?;
    let rounds = if setup.quick { 61 } else { 501 };
    let mut rows = forms(&few, &half, rounds)?;
    let sizes = format!(
        "{SESSIONS} sessions, {QUESTIONS} random questions a round beside {PEER_QUESTIONS}, {rounds} rounds in turn"
    );
    let (view, now) = (half.tenant.view()?, half.house.engine.now());
    let ours = || {
        nanos_each(half.by_tag.len(), || {
            black_box(half.tags(&view, now, PER_ROOT));
        })
    };
    setup.progress.say(VS_CEDAR.id);
    let cedar = Cedar::new(PEER_QUESTIONS)?;
    if !cedar.agrees() {
        return Err("cedar-policy decides something else".into());
    }
    let (time, peer) = interleave(rounds, ours, || cedar.nanos());
    let row = Row::new(&VS_CEDAR, time, sizes.clone());
    rows.push(row.beside("cedar-policy, one policy", peer).judged(Some(time * 40.0 <= peer)));
    setup.progress.say(VS_CASBIN.id);
    let casbin = Roles::new(PEER_QUESTIONS)?;
    if !casbin.agrees() {
        return Err("Casbin decides something else".into());
    }
    let (time, peer) = interleave(rounds, ours, || casbin.nanos());
    let row = Row::new(&VS_CASBIN, time, sizes);
    rows.push(row.beside("Casbin, two rules of roles", peer).judged(Some(time * 40.0 <= peer)));
    Ok(rows)
}

/// The forms that stand beside check-hot.
fn forms(few: &Bench, half: &Bench, rounds: usize) -> Result<Vec<Row>, Why> {
    let count = half.by_tag.len();
    let sizes = format!("{SESSIONS} sessions, {count} random questions a round, {rounds} rounds in turn");
    let (view, now) = (few.tenant.view()?, few.house.engine.now());
    let (other, then) = (half.tenant.view()?, half.house.engine.now());
    let by_few = || {
        nanos_each(count, || {
            black_box(few.tags(&view, now, PER_ROOT));
        })
    };
    let by_half = || {
        nanos_each(count, || {
            black_box(half.tags(&other, then, PER_ROOT));
        })
    };
    let (time, peer) = interleave(rounds, by_few, by_half);
    // The sizes are the goal's even in a quick run; only the rounds are fewer.
    let row = Row::new(&FEW, time, sizes.clone());
    let mut rows = vec![row.beside("half decided above (check-hot)", peer).judged(Some(time <= 50.0))];
    let names: Vec<_> = half
        .by_handle
        .iter()
        .map(|question| World::names_of(question.permission, question.workspace))
        .collect();
    let wanted = half.by_handle.iter().filter(|question| question.permitted).count();
    if half.names(&other, then, &names, PER_ROOT) != wanted {
        return Err("an answer by name is wrong".into());
    }
    let by_name = || {
        nanos_each(count, || {
            black_box(half.names(&other, then, &names, PER_ROOT));
        })
    };
    let by_id = || {
        nanos_each(count, || {
            black_box(half.handles(&other, then, PER_ROOT));
        })
    };
    let (time, peer) = interleave(rounds, by_name, by_id);
    rows.push(Row::new(&NAMED, time, sizes).beside("by ids (verify-hot)", peer));
    Ok(rows)
}
