//! The resource form of a check: roles or relations, then what restricts; held against a slow, obvious answer.

use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use support::{House, Tenant};
use tessera_engine::{Draft, Resource, SubmitError, Why};
use tessera_model::limits::RELATION_MAPPINGS_MAX;
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{
    CheckQuery, Command, Deadline, Decision, Handle, Limit, Name, Pattern, PermissionRef, PublicId, Reason,
    Receipt, Refusal, UnixMillis, WorkspaceRef,
};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype document\n  relations\n    define blocked: [user]\n    define viewer: [user, user:*, team#member]\n    define can_view: viewer but not blocked\ntype room\n  relations\n    define guest: [user]\n";
const PERMISSIONS: [&str; 3] = ["docs.read", "docs.write", "rooms.enter"];
const RESOURCES: [&str; 4] = ["document:1", "document:2", "room:1", "team:a"];

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

fn change(act: RelationAct, (subject, relation, object): (&str, &str, &str)) -> RelationChange {
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    let tuple = RelationRecord {
        subject: subject.into(),
        relation: relation.into(),
        object: object.into(),
        from,
        until,
    };
    RelationChange { act, condition: RelationCondition::Any, tuple }
}

struct Scene {
    house: House,
    tenant: Tenant,
    ann: PublicId,
    session: Handle,
}

impl Scene {
    async fn new() -> Self {
        let (house, tenant, ann) = House::with_ann().await;
        let session = house.open(&tenant.admin, ann).await.expect("opened").made.handle.expect("a handle");
        let scene = Self { house, tenant, ann, session };
        for permission in PERMISSIONS {
            scene.done(Command::RegisterPermission { name: name(permission) }).await;
        }
        for workspace in ["berlin", "paris"] {
            let (parent, inherits) = (None, true);
            scene.done(Command::CreateWorkspace { name: name(workspace), parent, inherits }).await;
        }
        scene.done(Command::SetRelationModel { text: MODEL.into(), allow_orphans: false }).await;
        scene
    }

    async fn order(&self, command: Command) -> Result<(), Refusal> {
        let engine = &self.house.engine;
        match engine.submit(&self.tenant.admin, engine.command_id(), command).await {
            Ok(_) => Ok(()),
            Err(SubmitError::Refused(refusal)) => Err(refusal),
            Err(error) => panic!("{error}"),
        }
    }

    async fn done(&self, command: Command) {
        self.order(command).await.expect("done");
    }

    async fn map(&self, permission: &str, type_name: &str, relation: &str) -> Result<(), Refusal> {
        let (type_name, relation) = (type_name.into(), relation.into());
        self.order(Command::MapPermission { permission: name(permission), type_name, relation }).await
    }

    async fn unmap(&self, permission: &str, type_name: &str) {
        self.done(Command::UnmapPermission { permission: name(permission), type_name: type_name.into() })
            .await;
    }

    fn ask(
        &self,
        handle: &Handle,
        (permission, workspace, object): (&str, &str, &str),
        budget: u32,
    ) -> (Decision, u32) {
        let view = self.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let query = CheckQuery {
            handle: &handle.to_bytes(),
            permission: PermissionRef::Name(permission),
            workspace: if workspace.is_empty() {
                WorkspaceRef::Tenant
            } else {
                WorkspaceRef::Name(workspace)
            },
            at_least: Receipt::default(),
            address: None,
        };
        let engine = &self.house.engine;
        engine.check_resource(&self.tenant.admin, &engine.read(view), &query, Resource { object, budget })
    }

    fn reason(&self, handle: &Handle, permission: &str, object: &str) -> Reason {
        self.ask(handle, (permission, "", object), 200_000).0.reason
    }
}

/// What the rules say, read off plain sets.
#[derive(Default)]
struct Plain {
    roles: BTreeSet<(usize, &'static str)>,
    tuples: BTreeSet<(&'static str, &'static str, &'static str)>,
    mapped: BTreeMap<(usize, &'static str), &'static str>,
    ceiling: Option<usize>,
}

impl Plain {
    fn related(&self, relation: &str, object: &str) -> bool {
        let has = |subject, relation| self.tuples.contains(&(subject, relation, object));
        let member =
            |object: &str| self.tuples.iter().any(|one| *one == ("ann", "member", one.2) && one.2 == object);
        let viewer = has("ann", "viewer")
            || has("user:*", "viewer")
            || has("team:a#member", "viewer") && member("team:a");
        match relation {
            "can_view" => viewer && !has("ann", "blocked"),
            "viewer" => viewer,
            relation => has("ann", relation),
        }
    }

    fn permits(&self, permission: usize, workspace: &str, object: &str, mask: Option<usize>) -> bool {
        let (type_name, _) = object.split_once(':').expect("an object");
        let role = self.roles.contains(&(permission, "")) || self.roles.contains(&(permission, workspace));
        let mapped = self.mapped.get(&(permission, type_name));
        let relation = mapped.is_some_and(|relation| self.related(relation, object));
        let restricted = mask.is_some_and(|mask| mask != permission);
        let cut = workspace == "berlin" && self.ceiling.is_some_and(|ceiling| ceiling != permission);
        (role || relation) && !restricted && !cut
    }
}

/// PROPERTY: allowed by a role or by a relation that the permission is mapped to, then cut by the key's restriction
/// and the workspace's ceiling; nothing mapped is nothing allowed; the explanation says the same. METHOD: random
/// grants, tuples, mappings and ceilings, each answer compared with plain sets, by session and by key.
#[tokio::test]
async fn roles_or_relations_then_restrictions() {
    let scene = Scene::new().await;
    for (at, permission) in PERMISSIONS.iter().enumerate() {
        scene.house.role(&scene.tenant, &format!("role{at}"), &[permission]).await;
    }
    // Nobody makes a key that covers more than they may do.
    scene.house.grant(&scene.tenant, scene.tenant.admin.subject, "role0").await;
    let expires = scene.house.engine.now().plus_seconds(3_600).to_deadline();
    let key = Command::CreateKey {
        subject: scene.ann,
        patterns: vec![pattern(PERMISSIONS[0])],
        expires,
        description: tessera_model::Private::new(Vec::new()),
        client: None,
        networks: Vec::new(),
    };
    let key = scene.house.submit(&scene.tenant.admin, key).await.made.handle.expect("a key");
    let user = format!("user:{}", scene.ann);
    let tuples = [
        ("ann", "viewer", "document:1"),
        ("user:*", "viewer", "document:2"),
        ("ann", "blocked", "document:1"),
        ("ann", "blocked", "document:2"),
        ("team:a#member", "viewer", "document:1"),
        ("ann", "member", "team:a"),
        ("ann", "guest", "room:1"),
    ];
    let maps = [
        (0, "document", "can_view"),
        (0, "document", "viewer"),
        (1, "document", "blocked"),
        (2, "room", "guest"),
    ];
    let (mut plain, mut dice, mut told) = (Plain::default(), 7_u64, [0_u32; 2]);
    let mut below = |bound: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        usize::try_from(dice >> 33).expect("small") % bound
    };
    for _ in 0..150 {
        match below(8) {
            0 | 1 => {
                let (role, place) = (below(3), ["", "berlin", "paris"][below(3)]);
                let workspace = (!place.is_empty()).then(|| name(place));
                if plain.roles.remove(&(role, place)) {
                    let role = name(&format!("role{role}"));
                    scene.done(Command::Ungrant { subject: scene.ann, role, workspace }).await;
                } else {
                    let (from, until) = (Deadline::NONE, Deadline::NONE);
                    plain.roles.insert((role, place));
                    let role = name(&format!("role{role}"));
                    scene.done(Command::Grant { subject: scene.ann, role, workspace, from, until }).await;
                }
            }
            2 => {
                plain.ceiling = [None, Some(0), Some(1)][below(3)];
                let patterns = plain.ceiling.iter().map(|at| pattern(PERMISSIONS[*at])).collect();
                scene.done(Command::SetCeiling { name: name("berlin"), patterns }).await;
            }
            3 | 4 => {
                let (permission, type_name, relation) = maps[below(maps.len())];
                if plain.mapped.get(&(permission, type_name)) == Some(&relation) {
                    plain.mapped.remove(&(permission, type_name));
                    scene.unmap(PERMISSIONS[permission], type_name).await;
                } else {
                    plain.mapped.insert((permission, type_name), relation);
                    scene.map(PERMISSIONS[permission], type_name, relation).await.expect("mapped");
                }
            }
            _ => {
                let tuple = tuples[below(tuples.len())];
                let act = if plain.tuples.remove(&tuple) {
                    RelationAct::Remove
                } else {
                    plain.tuples.insert(tuple);
                    RelationAct::Write
                };
                let subject = if tuple.0 == "ann" { &user } else { tuple.0 };
                let changes = vec![change(act, (subject, tuple.1, tuple.2))];
                scene.done(Command::ChangeRelations { changes }).await;
            }
        }
        let view = scene.tenant.admin.entry.view();
        let listing = view.as_ref().expect("awake").listing();
        for (at, permission) in PERMISSIONS.iter().enumerate() {
            for place in ["", "berlin"] {
                for object in RESOURCES {
                    for (handle, mask) in [(&scene.session, None), (&key, Some(0))] {
                        let (decision, _) = scene.ask(handle, (permission, place, object), 200_000);
                        let expected = plain.permits(at, place, object, mask);
                        assert_eq!(
                            decision.is_permit(),
                            expected,
                            "{permission} {place} {object} {decision:?}"
                        );
                        told[usize::from(expected)] += 1;
                        let reading = scene.house.engine.read(view.as_ref().expect("awake"));
                        let through = (handle.to_bytes(), None);
                        let admin = &scene.tenant.admin;
                        let found = scene.house.engine.introspect(admin, &reading, (&through.0, through.1));
                        let id = found.expect("alive").id;
                        let through = scene.house.engine.through(admin, &reading, (scene.ann, id)).ok();
                        let why = Why {
                            context: None,
                            entities: None,
                            subject: scene.ann,
                            through,
                            permission: name(permission),
                            workspace: (!place.is_empty()).then(|| name(place)),
                            resource: Some(object.into()),
                            at: scene.house.engine.now(),
                        };
                        let explained = listing.explain(&why, &Draft::default()).expect("explained");
                        assert_eq!(explained.reason, decision.reason, "{permission} {place} {object}");
                        let type_name = object.split_once(':').expect("an object").0;
                        let mapped = plain.mapped.get(&(at, type_name));
                        let set = mapped.map(|relation| format!("{object}#{relation}"));
                        assert_eq!(explained.related.as_ref().map(|related| related.set.clone()), set);
                    }
                }
            }
        }
    }
    assert!(told[0] > 1_000 && told[1] > 1_000, "{told:?}");
}

/// PROPERTY: no mapping reaches the engine's own permissions; a mapping names what is there, is bounded, and stands
/// after a checkpoint and a start; a relation with a window ends exactly.
#[tokio::test]
async fn mappings_are_guarded_and_kept() {
    let scene = Scene::new().await;
    assert_eq!(scene.map("tessera.admin.keys", "document", "viewer").await, Err(Refusal::BuiltIn));
    assert_eq!(scene.map("docs.fly", "document", "viewer").await, Err(Refusal::PermissionUnknown));
    assert_eq!(scene.map("docs.read", "document", "editor").await, Err(Refusal::RelationUnknown));
    assert_eq!(scene.map("docs.read", "folder", "viewer").await, Err(Refusal::RelationUnknown));
    scene.map("docs.read", "document", "viewer").await.expect("mapped");
    scene.map("docs.read", "document", "viewer").await.expect("mapped already");
    assert_eq!(scene.reason(&scene.session, "docs.read", "document:1"), Reason::NotGranted);
    assert_eq!(scene.reason(&scene.session, "docs.read", "nonsense"), Reason::ResourceUnknown);
    let user = format!("user:{}", scene.ann);
    let mut write = change(RelationAct::Write, (&user, "viewer", "document:1"));
    let end = scene.house.engine.now().plus_seconds(60);
    write.tuple.until = end.to_deadline();
    scene.done(Command::ChangeRelations { changes: vec![write] }).await;
    let (decision, steps) = scene.ask(&scene.session, ("docs.read", "", "document:1"), 200_000);
    assert!(decision.is_permit() && steps > 0);
    assert_eq!(decision.valid_until, UnixMillis(end.to_deadline().to_millis().0));
    let given_up = scene.ask(&scene.session, ("docs.read", "", "document:1"), 0).0;
    let now = scene.house.engine.now();
    assert_eq!(
        (given_up.reason, given_up.valid_until),
        (Reason::BudgetExceeded, now),
        "it may change at any time"
    );
    scene.house.pass(60_000);
    assert_eq!(scene.reason(&scene.session, "docs.read", "document:1"), Reason::NotGranted);
    scene.done(Command::SuspendSubject { subject: scene.ann }).await;
    assert_eq!(scene.reason(&scene.session, "docs.read", "document:1"), Reason::Revoked);
    let mut refused = None;
    for at in 0..=RELATION_MAPPINGS_MAX {
        let permission = format!("bulk.p{at}");
        if let Err(limit) = scene.order(Command::RegisterPermission { name: name(&permission) }).await {
            panic!("{limit}");
        }
        if let Err(told) = scene.map(&permission, "document", "viewer").await {
            refused = Some((at, told));
            break;
        }
    }
    assert_eq!(refused, Some((RELATION_MAPPINGS_MAX - 1, Limit::RelationMappings.reached())));
}
