//! Explanations against what happens when somebody acts on them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where it did not expect to be"
)]

mod scene;

use scene::{Scene, numbered};
use tessera_judge::{Omit, Question};
use tessera_model::{PermissionId, Reason, RestrictionId, SubjectIndex, UnixMillis, WorkspaceIndex};
use tessera_policy::{Explanation, Facts, Rules, Source};

const WORLDS: u64 = 400;

type Asked = (SubjectIndex, PermissionId, WorkspaceIndex);

fn explain(rules: &Rules, (subject, permission, workspace): Asked, at: (UnixMillis, &Facts)) -> Explanation {
    rules.explain_under(subject, permission, workspace, at)
}

/// The rules without one grant.
fn without(rules: &Rules, subject: SubjectIndex, source: &Source) -> Rules {
    let mut rules = rules.clone();
    match source.through {
        None => rules.remove_grant(subject, source.role, source.workspace),
        Some((group, _)) => rules.remove_group_grant(group, source.role, source.workspace),
    }
    rules
}

/// Whether two sources are of one grant, whatever memberships lead to it.
fn same_grant(one: &Source, other: &Source) -> bool {
    (one.role, one.workspace, one.through.map(|(group, _)| group))
        == (other.role, other.workspace, other.through.map(|(group, _)| group))
}

/// The same question through no key, on no device and by nobody else.
fn plain(question: Question) -> Question {
    Question { restriction: 0, device: 0, actor: 0, ..question }
}

/// PROPERTY: an explanation tells the decision; a Permit names a grant that counts, and without the grants named,
/// one after the other, the answer turns or names another one, until it is a Deny that names none. A Deny is
/// turned by undoing what is named: at an instant in the windows of a grant that is named, behind its wall, or
/// below the ceilings. What is not named does not exist.
#[test]
fn acting_on_an_explanation_turns_the_answer() {
    let (mut permits, mut timed, mut walled, mut ceiled, mut groups) = (0, 0, 0, 0, 0);
    let (mut unmet, mut guests) = (0, 0);
    for seed in 0..WORLDS {
        let mut scene = if seed % 2 == 0 { Scene::new(seed) } else { Scene::conditioned(seed) };
        for _ in 0..40 {
            let question = scene.question();
            let asked = (
                SubjectIndex(question.subject),
                numbered(question.permission),
                WorkspaceIndex(question.workspace),
            );
            let (now, unrestricted) = (scene.now(&question), plain(question));
            let facts = scene.facts(&question);
            let right = scene.world.permits(&unrestricted, None);
            let told = explain(&scene.rules, asked, (now, &facts));
            let label = format!("seed {seed}, {question:?}");
            assert_eq!(told.outcome.is_permit(), right, "{label}");
            let counting = told.sources.iter().filter(|source| source.holds).count();
            if right {
                permits += 1;
                let mut rules = scene.rules.clone();
                let mut left = told.clone();
                for _ in 0..=told.sources.len() {
                    if !left.outcome.is_permit() {
                        break;
                    }
                    let named = left.sources.iter().find(|source| source.holds).unwrap().clone();
                    groups += u32::from(named.through.is_some());
                    rules = without(&rules, asked.0, &named);
                    left = explain(&rules, asked, (now, &facts));
                    assert!(!left.sources.iter().any(|source| same_grant(source, &named)), "{label}");
                }
                assert!(left.outcome.reason.is_ungranted(), "{label}");
                assert!(!left.sources.iter().any(|source| source.holds), "{label}");
            } else if told.outcome.reason == Reason::BeyondCeiling {
                ceiled += 1;
                assert!(counting > 0 && !told.ceilings.is_empty(), "{label}");
                assert!(scene.world.permits(&unrestricted, Some(Omit::Ceiling)), "{label}");
            } else if told.outcome.reason.is_ungranted() {
                assert_eq!(counting, 0, "{label}");
                for source in &told.sources {
                    let member = source.through.map(|(_, member)| member);
                    let from = source.from.max(member.map_or(source.from, |member| member.from));
                    let at = if from.0 == 0 { scene.beginning() } else { from.to_millis() };
                    let then = explain(&scene.rules, asked, (at, &facts));
                    let there = then.sources.iter().find(|other| {
                        same_grant(other, source)
                            && other.through.map(|at| at.1) == source.through.map(|at| at.1)
                    });
                    let there = there.unwrap();
                    if source.wall.is_some() {
                        walled += 1;
                        assert!(!there.holds, "{label}");
                    } else if source.unmet.is_some() {
                        unmet += 1;
                        assert!(!source.conditions.is_empty() && !source.holds, "{label}");
                    } else if there.holds {
                        timed += 1;
                        let ceiled = !then.ceilings.is_empty();
                        assert_eq!(then.outcome.is_permit(), !ceiled, "{label}");
                    }
                }
                let cut = told.sources.iter().any(|source| source.wall.is_some());
                let without_walls = scene.world.permits(&unrestricted, Some(Omit::Wall));
                assert!(cut || !without_walls, "{label}: a wall cut what is not named");
                let held_back = told.sources.iter().any(|source| source.guest);
                let as_member = scene.world.permits(&unrestricted, Some(Omit::Guest));
                guests += u32::from(held_back);
                assert!(held_back || !as_member, "{label}: a guest lacks what is not named");
            }
            // The hot path says the same.
            let line = scene.rules.line(asked.0).unwrap();
            let when = (now, Some(&facts));
            let outcome = scene.rules.evaluate_under(line, asked.1, asked.2, RestrictionId(0), when);
            assert_eq!(outcome, told.outcome, "{label}");
        }
    }
    println!(
        "{permits} permits, {groups} through groups, {timed} by time, {walled} walls, {ceiled} ceilings, {unmet} conditions"
    );
    assert!(guests > 200, "{guests}");
    assert!(permits > 1_000 && groups > 500 && timed > 500 && walled > 200 && ceiled > 100 && unmet > 500);
}

/// PROPERTY: what cuts a session or key is named by itself, and nothing else is: an answer that turns when one of
/// them is left out names that one; when nothing is named, none of them cuts; and a Permit names none. Undoing all that
/// is named leaves the answer of the subject itself.
#[test]
fn everything_that_cuts_is_named() {
    let (mut restricted, mut levels, mut devices, mut actors, mut several) = (0, 0, 0, 0, 0);
    for seed in 0..WORLDS {
        let mut scene = if seed % 4 != 0 { Scene::new(seed) } else { Scene::conditioned(seed) };
        for _ in 0..40 {
            let question = scene.question();
            let permission = numbered(question.permission);
            if scene.rules.permission_name(permission).is_none() {
                continue;
            }
            let restriction = RestrictionId(question.restriction);
            let within = scene.within(&question);
            let cuts = scene.rules.cuts_of(restriction, permission, &within, scene.now(&question));
            let (right, label) = (scene.world.permits(&question, None), format!("seed {seed}, {question:?}"));
            let named = [
                (cuts.restriction, Omit::Restriction),
                (cuts.device[0], Omit::Level),
                (cuts.device[1], Omit::Device),
                (cuts.actor, Omit::Actor),
            ];
            let count = named.iter().filter(|(cut, _)| *cut).count();
            assert!(!right || count == 0, "{label}: a Permit names {cuts:?}");
            for (cut, part) in named {
                let alone = !right && scene.world.permits(&question, Some(part));
                // What the actor's own key is restricted to is left out, too.
                let named = cut || part == Omit::Restriction && cuts.actor;
                assert!(named || !alone, "{label}: {part:?} cut what is not named");
                assert!(!cut || count > 1 || alone == scene.world.permits(&plain(question), None), "{label}");
            }
            // Without what is named, it is what the subject itself may do.
            let undone = Question {
                restriction: if cuts.restriction { 0 } else { question.restriction },
                device: if cuts.device == [false; 2] { question.device } else { 0 },
                actor: if cuts.actor { 0 } else { question.actor },
                ..question
            };
            let itself = scene.world.permits(&plain(question), None);
            assert_eq!(scene.world.permits(&undone, None), itself, "{label}");
            restricted += u32::from(cuts.restriction);
            levels += u32::from(cuts.device[0]);
            devices += u32::from(cuts.device[1]);
            actors += u32::from(cuts.actor);
            several += u32::from(count > 1);
        }
    }
    println!(
        "{restricted} restrictions, {levels} levels, {devices} devices, {actors} actors, {several} several"
    );
    assert!(restricted > 100 && levels > 100 && devices > 100 && actors > 50 && several > 50);
}
