//! Policies that are made by hand: how they are found, what they rule, and which programs are not taken.

use std::collections::{BTreeMap, BTreeSet};
use tessera_program::{
    Assembler, Effect, Entities, EntityRef, Fact, FaultReason, FaultRule, HeadRef, Names, Op,
    POLICY_MADE_MAX, POLICY_OPS_MAX, Policies, ProgramError, Request, Room, Ruling, ScopeRef, TERM_DEPTH_MAX,
    Term, Value, Variable,
};

type Made = Result<(), ProgramError>;

fn head<'a>(name: &'a str, effect: Effect) -> HeadRef<'a> {
    let any = ScopeRef::default();
    HeadRef { name, effect, subject: any, actions: None, below: false, resource: any }
}

fn add(
    policies: &mut Policies,
    names: &mut Names,
    head: &HeadRef<'_>,
    make: impl FnOnce(&mut Assembler<'_>) -> Made,
) -> Made {
    let mut out = Assembler::new(policies, names);
    make(&mut out)?;
    out.finish(head)
}

fn truth(truth: bool) -> impl FnOnce(&mut Assembler<'_>) -> Made {
    move |out| {
        out.put(Op::Push(Value::Bool(truth)));
        Ok(())
    }
}

fn request<'n>(names: &'n Names, subject: &str, action: &str, resource: &str) -> Request<'n> {
    let whole = (
        EntityRef { kind: "User", id: subject },
        EntityRef { kind: "Action", id: action },
        EntityRef { kind: "Doc", id: resource },
    );
    Request::new(names, whole, &BTreeMap::new()).expect("a request")
}

/// PROPERTY: deny is the default, a forbid wins, a permit that fails is none, a forbid that fails denies under
/// the strict rule and is left out under the other.
#[test]
fn forbids_win_and_faults_do_not_permit() {
    let fails = |out: &mut Assembler<'_>| {
        out.put(Op::Load(Variable::Subject));
        let word = out.word("level");
        out.put(Op::Attribute(word));
        Ok(())
    };
    for (permit, forbid, strict, cedar) in [
        (None, None, false, false),
        (Some(Some(true)), None, true, true),
        (Some(Some(false)), None, false, false),
        (Some(None), None, false, false),
        (Some(Some(true)), Some(Some(true)), false, false),
        (Some(Some(true)), Some(Some(false)), true, true),
        (Some(Some(true)), Some(None), false, true),
        (Some(Some(false)), Some(None), false, false),
    ] {
        let (mut policies, mut names) = (Policies::default(), Names::default());
        for (what, effect) in [(permit, Effect::Permit), (forbid, Effect::Forbid)] {
            let Some(what) = what else { continue };
            let head = head("p", effect);
            match what {
                Some(value) => add(&mut policies, &mut names, &head, truth(value)),
                None => add(&mut policies, &mut names, &head, fails),
            }
            .expect("taken");
        }
        let (entities, request) = (Entities::default(), request(&names, "a", "read", "d"));
        let mut room = policies.room();
        let mut ask = |rule| policies.decide(&entities, &request, rule, &mut room);
        let (found_strict, found_cedar) = (ask(FaultRule::Strict), ask(FaultRule::Cedar));
        assert_eq!((found_strict.permits(), found_cedar.permits()), (strict, cedar), "{permit:?} {forbid:?}");
        let small = policies.decide(&entities, &request, FaultRule::Strict, &mut Room::default());
        assert_eq!(small, found_strict);
        if forbid == Some(None) {
            assert!(matches!(found_strict, Ruling::Failed(_, FaultReason::EntityUnknown)));
        }
    }
}

/// PROPERTY: a forbid whose program is not whole denies under both rules.
#[test]
fn a_forbid_that_is_not_whole_denies() {
    let (mut policies, mut names) = (Policies::default(), Names::default());
    add(&mut policies, &mut names, &head("p", Effect::Permit), truth(true)).expect("taken");
    add(&mut policies, &mut names, &head("f", Effect::Forbid), |_| Ok(())).expect("taken");
    let (entities, request) = (Entities::default(), request(&names, "a", "read", "d"));
    for rule in [FaultRule::Strict, FaultRule::Cedar] {
        let ruling = policies.decide(&entities, &request, rule, &mut policies.room());
        assert_eq!(ruling, Ruling::Failed(1, FaultReason::Program));
    }
}

/// PROPERTY: programs over a limit, with a jump that leads nowhere or a constant that is too deep are not
/// taken, and the policies stay as they were.
#[test]
fn programs_have_limits() {
    let (mut policies, mut names) = (Policies::default(), Names::default());
    let head = head("p", Effect::Permit);
    let mut refused = |make: &dyn Fn(&mut Assembler<'_>) -> Made| {
        let found = add(&mut policies, &mut names, &head, |out| make(out)).expect_err("refused");
        assert_eq!(policies.count(), 0);
        found
    };
    let long = refused(&|out| {
        for _ in 0..=POLICY_OPS_MAX {
            out.put(Op::Push(Value::Bool(true)));
        }
        Ok(())
    });
    assert_eq!(long, ProgramError::TooLong);
    let made = refused(&|out| {
        out.put(Op::Set(POLICY_MADE_MAX + 1));
        Ok(())
    });
    assert_eq!(made, ProgramError::MakesTooMuch);
    for op in [Op::Jump(0), Op::And(9), Op::Or(0), Op::Unless(u32::MAX)] {
        let jump = refused(&|out| {
            out.put(op);
            Ok(())
        });
        assert_eq!(jump, ProgramError::Jump);
    }
    let mut deep = Term::Long(1);
    for _ in 0..TERM_DEPTH_MAX {
        deep = Term::Set(vec![deep]);
    }
    assert_eq!(refused(&|out| out.constant(&deep)), ProgramError::TooDeep);
    let fact = Fact { attributes: BTreeMap::from([("a".to_owned(), deep.clone())]), ..Fact::default() };
    assert!(!Entities::default().put(&mut names, "User", "a", &fact));
    let user = EntityRef { kind: "User", id: "a" };
    assert!(Request::new(&names, (user, user, user), &fact.attributes).is_none());
    assert!(!request(&names, "a", "read", "d").send(user, &fact));
}

/// PROPERTY: a program whose stack runs empty, or that leaves no truth, is a fault and never a permit.
#[test]
fn programs_that_are_not_whole_permit_nothing() {
    for op in [
        Op::Equal,
        Op::Drop,
        Op::Double,
        Op::Not,
        Op::In,
        Op::Set(3),
        Op::Record { start: 7, len: 2 },
        Op::Like(9),
        Op::Has { start: 5, len: 1 },
        Op::Push(Value::Long(1)),
        Op::Tag,
        Op::And(1),
    ] {
        let (mut policies, mut names) = (Policies::default(), Names::default());
        let head = head("p", Effect::Permit);
        let made = add(&mut policies, &mut names, &head, |out| {
            out.put(op);
            Ok(())
        });
        made.expect("taken");
        let request = request(&names, "a", "read", "d");
        let mut room = policies.room();
        let ruling = policies.decide(&Entities::default(), &request, FaultRule::Strict, &mut room);
        assert_eq!(ruling, Ruling::NoPermit, "{op:?}");
        assert_eq!(policies.all(&Entities::default(), &request, &mut room).len(), 1, "{op:?}");
    }
}

/// PROPERTY: an entity that is sent with a question stands before the stored one, for that question only.
#[test]
fn entities_are_sent_with_a_question() {
    let (mut policies, mut names) = (Policies::default(), Names::default());
    let in_staff = HeadRef {
        subject: ScopeRef { within: Some(("Group", "staff")), ..ScopeRef::default() },
        ..head("p", Effect::Permit)
    };
    add(&mut policies, &mut names, &in_staff, |out| {
        out.put(Op::Load(Variable::Subject));
        let word = out.word("level");
        out.put(Op::Attribute(word));
        out.constant(&Term::Text("new".to_owned()))?;
        out.put(Op::Equal);
        Ok(())
    })
    .expect("taken");
    let fact = |level: &str, groups: &[&str]| Fact {
        attributes: BTreeMap::from([("level".to_owned(), Term::Text(level.to_owned()))]),
        ancestors: groups.iter().map(|group| ("Group".to_owned(), (*group).to_owned())).collect(),
        ..Fact::default()
    };
    let mut entities = Entities::default();
    assert!(entities.put(&mut names, "User", "a", &fact("old", &["staff"])));
    let mut room = policies.room();
    for (who, sent, permits) in [
        ("a", None, false),
        ("a", Some(fact("new", &["staff"])), true),
        ("a", Some(fact("new", &["guests"])), false),
        ("b", Some(fact("new", &["staff"])), true),
        ("a", None, false),
    ] {
        let mut request = request(&names, who, "read", "d");
        if let Some(fact) = sent {
            assert!(request.send(EntityRef { kind: "User", id: who }, &fact));
        }
        let ruling = policies.decide(&entities, &request, FaultRule::Strict, &mut room);
        assert_eq!(ruling.permits(), permits, "{who}");
    }
}

/// Numbers that look random.
fn next(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

const IDS: [&str; 4] = ["0", "1", "2", "3"];

#[derive(Clone, Copy, Debug)]
struct Wanted {
    is: Option<usize>,
    within: Option<usize>,
    kind: Option<&'static str>,
}

impl Wanted {
    fn random(state: &mut u64, kind: &'static str) -> Self {
        let mut maybe = |of: u64| (next(state, of) == 0).then(|| next(state, 4) as usize);
        let (is, within) = (maybe(5), maybe(4));
        let kinds = [None, Some(kind), Some("Else")];
        Self { is, within, kind: kinds[next(state, 3) as usize] }
    }

    /// The slow answer: each part looked at.
    fn fits(&self, kind: &str, id: usize, groups: &BTreeSet<usize>) -> bool {
        self.is.is_none_or(|is| is == id)
            && self.within.is_none_or(|group| groups.contains(&group))
            && self.kind.is_none_or(|wanted| wanted == kind)
    }

    fn scope<'a>(&self, kind: &'a str) -> ScopeRef<'a> {
        ScopeRef {
            kind: self.kind,
            is: self.is.map(|id| (kind, IDS[id])),
            within: self.within.map(|id| ("Group", IDS[id])),
        }
    }
}

/// PROPERTY: exactly those policies are found whose scope fits. METHOD: random scopes and hierarchies; each
/// question against a look at every policy.
#[test]
fn policies_are_found_by_their_scope() {
    for seed in 0..200 {
        let mut state = seed;
        let (mut policies, mut names, mut entities) =
            (Policies::default(), Names::default(), Entities::default());
        let mut groups: BTreeMap<(&str, usize), BTreeSet<usize>> = BTreeMap::new();
        for kind in ["User", "Doc", "Action"] {
            for (number, id) in IDS.iter().enumerate() {
                let above: BTreeSet<usize> = (0..4).filter(|_| next(&mut state, 3) == 0).collect();
                let ancestors = above.iter().map(|id| ("Group".to_owned(), IDS[*id].to_owned())).collect();
                assert!(entities.put(&mut names, kind, id, &Fact { ancestors, ..Fact::default() }));
                groups.insert((kind, number), above);
            }
        }
        let mut wanted = Vec::new();
        for number in 0..30 {
            let (subject, resource) = (Wanted::random(&mut state, "User"), Wanted::random(&mut state, "Doc"));
            let below = next(&mut state, 2) == 0;
            let actions: Option<Vec<usize>> = (next(&mut state, 3) > 0)
                .then(|| (0..=next(&mut state, 2)).map(|_| next(&mut state, 4) as usize).collect());
            let name = number.to_string();
            let kind = if below { "Group" } else { "Action" };
            let head = HeadRef {
                name: &name,
                effect: if next(&mut state, 2) == 0 { Effect::Permit } else { Effect::Forbid },
                subject: subject.scope("User"),
                actions: actions.as_ref().map(|all| all.iter().map(|id| (kind, IDS[*id])).collect()),
                below,
                resource: resource.scope("Doc"),
            };
            add(&mut policies, &mut names, &head, truth(true)).expect("taken");
            wanted.push((subject, resource, actions, below));
        }
        let mut room = policies.room();
        for _ in 0..20 {
            let ids: [usize; 3] = std::array::from_fn(|_| next(&mut state, 4) as usize);
            let request = request(&names, IDS[ids[0]], IDS[ids[1]], IDS[ids[2]]);
            let slow: Vec<u32> = (0_u32..)
                .zip(&wanted)
                .filter(|(_, (subject, resource, actions, below))| {
                    let own = |group: &usize| groups[&("Action", ids[1])].contains(group);
                    let acts = |one: &usize| if *below { own(one) } else { *one == ids[1] };
                    subject.fits("User", ids[0], &groups[&("User", ids[0])])
                        && resource.fits("Doc", ids[2], &groups[&("Doc", ids[2])])
                        && actions.as_ref().is_none_or(|all| all.iter().any(acts))
                })
                .map(|(number, _)| number)
                .collect();
            let found: Vec<u32> =
                policies.all(&entities, &request, &mut room).into_iter().map(|(number, _)| number).collect();
            assert_eq!(found, slow, "seed {seed}");
        }
    }
}
