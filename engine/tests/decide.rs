//! A decision about a subject: what its explanation says, and what a check of its session says.

use crate::support;

use support::{House, Tenant};
use tessera_engine::{Draft, OfSubject, Resource, Why};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{
    CheckQuery, Command, Deadline, Handle, Name, Pattern, PermissionRef, PublicId, Reason, Receipt,
    SubjectIndex, UnixMillis, WorkspaceIndex, WorkspaceRef,
};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype document\n  relations\n    define blocked: [user]\n    define viewer: [user, user:*, team#member]\n    define can_view: viewer but not blocked\n";
const PERMISSIONS: [&str; 4] = ["docs.read", "docs.write", "docs.share", "docs.unknown"];
const PLACES: [&str; 3] = ["", "berlin", "paris"];
const OBJECTS: [&str; 5] = ["", "document:1", "document:2", "document:3", "nonsense"];

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

struct Scene {
    house: House,
    tenant: Tenant,
    people: Vec<(PublicId, Handle)>,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        let mut scene = Self { house, tenant, people: Vec::new() };
        let mut ids = vec![ann];
        for email in ["ben@example.org", "cleo@example.org", "dan@example.org"] {
            ids.push(scene.house.person(&scene.tenant, email, "correct horse").await);
        }
        for id in ids {
            let opened = scene.house.open(&scene.tenant.admin, id).await.expect("opened");
            scene.people.push((id, opened.made.handle.expect("a handle")));
        }
        for (at, permission) in PERMISSIONS[..3].iter().enumerate() {
            scene.house.role(&scene.tenant, &format!("role{at}"), &[permission]).await;
        }
        for (workspace, inherits) in [("berlin", true), ("paris", false)] {
            scene.done(Command::CreateWorkspace { name: name(workspace), parent: None, inherits }).await;
        }
        scene.done(Command::SetRelationModel { text: MODEL.into(), allow_orphans: false }).await;
        scene
    }

    async fn done(&self, command: Command) {
        self.house.submit(&self.tenant.admin, command).await;
    }
}

/// PROPERTY: what is decided about a subject is what its explanation says, and what a check of its session says,
/// reason and end; both answers come in numbers. METHOD: random grants with and without windows, ceilings,
/// suspensions, mappings and tuples.
#[tokio::test]
async fn a_decision_is_what_its_explanation_says() {
    let scene = Scene::new().await;
    let (mut dice, mut told) = (11_u64, [0_u32; 2]);
    let mut below = |bound: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        usize::try_from(dice >> 33).expect("small") % bound
    };
    let mut suspended = [false; 4];
    for round in 0..120 {
        let one = below(4);
        let (subject, _) = scene.people[one];
        match below(12) {
            0..=5 => {
                let (role, place) = (name(&format!("role{}", below(3))), PLACES[below(3)]);
                let workspace = (!place.is_empty()).then(|| name(place));
                let now = scene.house.engine.now();
                let until = [Deadline::NONE, now.plus_seconds(90).to_deadline()][below(2)];
                let from = [Deadline::NONE, now.plus_seconds(3).to_deadline()][below(2)];
                let grant = Command::Grant { subject, role, workspace, from, until };
                drop(
                    scene
                        .house
                        .engine
                        .submit(&scene.tenant.admin, scene.house.engine.command_id(), grant)
                        .await,
                );
            }
            6 => {
                let (role, place) = (name(&format!("role{}", below(3))), PLACES[below(3)]);
                let workspace = (!place.is_empty()).then(|| name(place));
                let ungrant = Command::Ungrant { subject, role, workspace };
                drop(
                    scene
                        .house
                        .engine
                        .submit(&scene.tenant.admin, scene.house.engine.command_id(), ungrant)
                        .await,
                );
            }
            7 => {
                let patterns = match below(5) {
                    0 | 3 | 4 => Vec::new(),
                    at => vec![Pattern::new(PERMISSIONS[at]).expect("a pattern")],
                };
                scene.done(Command::SetCeiling { name: name("berlin"), patterns }).await;
            }
            8 => {
                let (permission, relation) = (name(PERMISSIONS[below(3)]), ["can_view", "viewer"][below(2)]);
                let (type_name, relation) = ("document".into(), relation.into());
                scene.done(Command::MapPermission { permission, type_name, relation }).await;
            }
            9 if round % 3 == 0 => {
                suspended[one] = !suspended[one];
                let now = suspended[one];
                let change = if now {
                    Command::SuspendSubject { subject }
                } else {
                    Command::ResumeSubject { subject }
                };
                scene.done(change).await;
            }
            _ => {
                let object = OBJECTS[1 + below(3)];
                let user = if below(6) == 0 { "user:*".to_owned() } else { format!("user:{subject}") };
                let relation = if user == "user:*" { "viewer" } else { ["viewer", "blocked"][below(2)] };
                let act = [RelationAct::Write, RelationAct::Remove][below(2)];
                let (from, until) = (Deadline::NONE, Deadline::NONE);
                let tuple = RelationRecord {
                    subject: user.into(),
                    relation: relation.into(),
                    object: object.into(),
                    from,
                    until,
                };
                let changes = vec![RelationChange { act, condition: RelationCondition::Any, tuple }];
                scene.done(Command::ChangeRelations { changes }).await;
            }
        }
        scene.house.pass(1_000);
        hold(&scene, &suspended, &mut told);
    }
    let all = told[0] + told[1];
    assert!(told[0] * 5 >= all && told[1] * 5 >= all, "{told:?}");
}

/// Holds every decision against its explanation and, where the subject was never suspended, its session's check.
fn hold(scene: &Scene, suspended: &[bool; 4], told: &mut [u32; 2]) {
    let (engine, bound) = (&scene.house.engine, &scene.tenant.admin);
    let view = bound.entry.view();
    let view = view.as_ref().expect("awake");
    let reading = engine.read(view);
    let listing = reading.listing();
    for (at, (subject, handle)) in scene.people.iter().enumerate() {
        let index = listing.subject(*subject).expect("there").index;
        for (permission, place, object) in questions() {
            let (_, workspace) = reading.resolve("", place);
            let about = (!object.is_empty()).then_some(Resource { object, budget: 200_000 });
            let asked = OfSubject {
                subject: index,
                permission: PermissionRef::Name(permission),
                workspace,
                about,
                brought: None,
            };
            let decided = engine.decide(bound, &reading, &asked);
            let why = Why {
                subject: *subject,
                through: None,
                permission: name(permission),
                workspace: (!place.is_empty()).then(|| name(place)),
                resource: about.map(|about| about.object.into()),
                context: None,
                entities: None,
                at: engine.now(),
            };
            let explained = listing.explain(&why, &Draft::default()).expect("explained");
            let question = format!("{permission} {place} {object}");
            assert_eq!(decided.reason, explained.reason, "{question}");
            told[usize::from(decided.reason == Reason::None)] += 1;
            let query = CheckQuery {
                handle: &handle.to_bytes(),
                permission: PermissionRef::Name(permission),
                workspace: if place.is_empty() { WorkspaceRef::Tenant } else { WorkspaceRef::Name(place) },
                at_least: Receipt::default(),
                address: None,
            };
            let checked = match about {
                None => engine.check(bound, &reading, &query),
                Some(about) => engine.check_resource(bound, &reading, &query, about).0,
            };
            if !suspended[at] && checked.reason != Reason::Revoked {
                assert_eq!(checked.reason, decided.reason, "{question}");
                assert!(checked.valid_until <= decided.valid_until, "a session ends, too: {question}");
            }
        }
    }
}

fn questions() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    PERMISSIONS.into_iter().flat_map(|permission| {
        PLACES
            .into_iter()
            .flat_map(move |place| OBJECTS.into_iter().map(move |object| (permission, place, object)))
    })
}

/// PROPERTY: a decision ends where its grant does; one about nobody, or of a tenant that is closed, is a denial.
#[tokio::test]
async fn decisions_end_where_their_grants_do() {
    let scene = Scene::new().await;
    let (engine, bound, ann) = (&scene.house.engine, &scene.tenant.admin, scene.people[0].0);
    let ask = |subject: Option<SubjectIndex>| {
        let view = bound.entry.view();
        let view = view.as_ref().expect("awake");
        let reading = engine.read(view);
        let known = reading.listing().subject(ann).map(|found| found.index);
        let (permission, workspace) = (PermissionRef::Name("docs.read"), WorkspaceIndex(0));
        let subject = subject.or(known).expect("a subject");
        engine.decide(
            bound,
            &reading,
            &OfSubject { subject, permission, workspace, about: None, brought: None },
        )
    };
    let end = engine.now().plus_seconds(60);
    let (subject, role, workspace) = (ann, name("role0"), None);
    let (from, until) = (Deadline::NONE, end.to_deadline());
    scene.done(Command::Grant { subject, role, workspace, from, until }).await;
    let told = ask(None);
    assert_eq!((told.reason, told.valid_until, told.steps), (Reason::None, until.to_millis(), 0));
    scene.house.pass(60_000);
    let told = ask(None);
    assert_eq!((told.reason, told.valid_until), (Reason::NotGranted, UnixMillis(u64::MAX)));
    assert_eq!(ask(Some(SubjectIndex(999))).reason, Reason::SubjectDeleted);
}
