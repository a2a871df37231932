//! Checks of a real tenant beside Cedar's own evaluator and a slow reading of roles.

mod windows;

use cedar_policy::{Authorizer, Decision, Effect, PolicySet};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tessera_crypto::PasswordPool;
use tessera_engine::{About, Bound, Clock, Engine, EngineConfig, Entropy, PolicyParts};
use tessera_model::grant_condition::GranteeName;
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind};
use tessera_model::{
    Caller, CheckQuery, Command, Deadline, Handle, Name, Pattern, PermissionRef, PublicId, Receipt, Settings,
    UnixMillis, WorkspaceRef,
};
use tessera_policy_cedar::{Facts, Parsed, Question, Schema};
use tessera_storage::Memory;
use windows::{Hand, MINUTE, NOW, Random, SPAN, Window};

struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) {
        tessera_crypto::random::fill(bytes).expect("random bytes");
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

const PERMISSIONS: [&str; 3] = ["docs.read", "docs.write", "docs.list"];
const ROLES: [(&str, &[&str]); 3] =
    [("reader", &["docs.read", "docs.list"]), ("writer", &["docs.write"]), ("idle", &["other.thing"])];
const GROUPS: [&str; 3] = ["staff", "editors", "guests"];
const WORKSPACES: [(&str, Option<&str>); 3] = [("eu", None), ("berlin", Some("eu")), ("lab", None)];

const SCHEMA: &str = r#"
    entity Tenant; entity Workspace in [Workspace, Tenant]; entity Role in [Role]; entity Group in [Group];
    entity User in [Group, Role] = { kind: String, level?: Long, team?: String };
    entity Folder in [Folder];
    entity Doc in [Folder] = { owner: User, size: Long, sealed?: Bool, place?: Workspace } tags String;
    action "docs.read", "docs.write", "docs.list" appliesTo {
        principal: [User], resource: [Doc, Folder, Workspace, Tenant],
        context: { now: datetime, key: Bool, workspace?: Workspace, n: Long, words?: Set<String> },
    };"#;

/// A condition about anything, or about a document.
fn condition(random: &mut Random, doc: bool, depth: usize) -> String {
    if depth > 0 && random.chance(45) {
        let (one, other) = (condition(random, doc, depth - 1), condition(random, doc, depth - 1));
        return match random.below(4) {
            0 => format!("({one} && {other})"),
            1 => format!("({one} || {other})"),
            2 => format!("!({one})"),
            _ => format!("(if {one} then {other} else true)"),
        };
    }
    let n = random.below(5);
    let group = random.pick(&GROUPS);
    match random.below(if doc { 19 } else { 12 }) {
        0 => r#"principal.kind == "machine""#.to_owned(),
        1 => format!("principal has level && principal.level > {n}"),
        2 => format!("context.n > {n}"),
        3 => "context.n * 4611686018427387904 > 5".to_owned(),
        4 => format!("principal in Group::\"{group}\""),
        5 => format!("principal in Role::\"{}\"", random.pick(&["reader", "writer", "idle"])),
        6 => format!(
            "context has workspace && context.workspace in Workspace::\"{}\"",
            random.pick(&["eu", "berlin", "lab"])
        ),
        7 if n > 1 => format!("context.now < datetime(\"202{}-01-01\")", n + 2),
        7 => format!("context.now < datetime(\"2026-01-01T0{}:00:00Z\")", 1 + random.below(9)),
        8 => "context.key".to_owned(),
        9 => format!("context has words && context.words.contains(\"{}\")", random.pick(&["a", "b"])),
        10 => "principal has team && principal.team like \"t*\"".to_owned(),
        11 => "resource in Tenant::\"tenant\"".to_owned(),
        12 => "resource.owner == principal".to_owned(),
        13 => "resource has sealed && resource.sealed".to_owned(),
        14 => format!("resource.size * 2305843009213693952 > {n}"),
        15 => format!("resource in Folder::\"f{}\"", random.below(3)),
        16 => "resource has place && context has workspace && resource.place == context.workspace".to_owned(),
        17 => "resource.hasTag(\"state\") && resource.getTag(\"state\") == \"open\"".to_owned(),
        _ => "resource.owner.kind == \"person\"".to_owned(),
    }
}

fn policies(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..2 + random.below(4) {
        let doc = random.chance(50);
        let effect = if random.chance(45) { "forbid" } else { "permit" };
        let principal = match random.below(4) {
            0 => format!("principal in Group::\"{}\"", random.pick(&GROUPS)),
            1 => format!("principal in Role::\"{}\"", random.pick(&["reader", "writer"])),
            _ => "principal".to_owned(),
        };
        let action = match random.below(3) {
            0 => format!("action == Action::\"{}\"", random.pick(&PERMISSIONS)),
            1 => r#"action in [Action::"docs.read", Action::"docs.write"]"#.to_owned(),
            _ => "action".to_owned(),
        };
        let resource = if doc { "resource is Doc" } else { "resource" };
        let clause = if random.chance(80) { "when" } else { "unless" };
        let when = condition(random, doc, 2);
        text += &format!("{effect} ({principal}, {action}, {resource}) {clause} {{ {when} }};\n");
    }
    text
}

/// Somebody of the tenant, and the slow reading of what he is.
struct Person {
    id: PublicId,
    handle: Handle,
    kind: &'static str,
    level: Option<i64>,
    team: Option<&'static str>,
    /// Role and workspace.
    grants: BTreeMap<(&'static str, Option<&'static str>), Window>,
    groups: BTreeMap<&'static str, Window>,
}

struct World {
    engine: Engine,
    clock: Arc<Hand>,
    admin: Bound,
    people: Vec<Person>,
}

impl World {
    async fn new(random: &mut Random) -> Self {
        let threads = NonZeroUsize::new(1).expect("one");
        let pool = Arc::new(PasswordPool::new(threads, 4).expect("a pool"));
        let hand = Arc::new(Hand(AtomicU64::new(NOW)));
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::clone(&hand) as _, Arc::new(System));
        let store = Arc::new(Memory::new(1 << 20));
        let engine =
            Engine::start(EngineConfig::default(), store, (clock, entropy), pool).await.expect("started");
        let until = UnixMillis(NOW + 1_800_000).to_deadline();
        let offer = Command::OfferBootstrap { tag: [7; 16], until };
        engine.submit_system(Caller::Node, engine.command_id(), offer).await.expect("offered");
        let claim = Command::ClaimOperator { tag: [7; 16], name: name("ops") };
        let done =
            engine.submit_system(Caller::Bootstrap, engine.command_id(), claim).await.expect("claimed");
        let operator = engine.hello(&done.made.handle.expect("a key").to_bytes(), None).expect("bound");
        let create = Command::CreateTenant { name: name("acme") };
        let done = engine.submit(&operator, engine.command_id(), create).await.expect("created");
        let key = done.made.handle.expect("a key").to_bytes();
        let admin = loop {
            match engine.hello(&key, None) {
                Ok(bound) => break bound,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let mut world = Self { engine, clock: hand, admin, people: Vec::new() };
        for permission in PERMISSIONS {
            world.done(Command::RegisterPermission { name: name(permission) }).await;
        }
        for (role, patterns) in ROLES {
            let patterns = patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect();
            world.done(Command::CreateRole { name: name(role), patterns }).await;
        }
        for (workspace, parent) in WORKSPACES {
            let command =
                Command::CreateWorkspace { name: name(workspace), parent: parent.map(name), inherits: true };
            world.done(command).await;
        }
        for group in GROUPS {
            world.done(Command::CreateGroup { name: name(group), rule: Vec::new() }).await;
        }
        // Editors are staff.
        world
            .done(Command::AddSubgroup {
                group: name("staff"),
                member: name("editors"),
                from: Deadline::NONE,
                until: Deadline::NONE,
            })
            .await;
        world.done(Command::DeclareAttribute { name: name("level"), kind: AttributeKind::Integer }).await;
        world.done(Command::DeclareAttribute { name: name("team"), kind: AttributeKind::Text }).await;
        // Sessions outlive the last window.
        let mut settings = Settings::default();
        (settings.session_idle_s, settings.session_ttl_s) = (400_000, 400_000);
        world.done(Command::ChangeSettings { settings: settings.into() }).await;
        for nth in 0..5 {
            world.person(nth, random).await;
        }
        world
    }

    async fn done(&self, command: Command) -> tessera_engine::Made {
        let kind = command.kind();
        let done = self.engine.submit(&self.admin, self.engine.command_id(), command).await;
        done.unwrap_or_else(|error| panic!("{kind:?}: {error}")).made
    }

    async fn person(&mut self, nth: usize, random: &mut Random) {
        let (kind, word) = if nth.is_multiple_of(2) {
            (SubjectKind::Person, "person")
        } else {
            (SubjectKind::Machine, "machine")
        };
        let id = self.engine.command_id();
        let made = self.engine.create_subject(&self.admin, id, (kind, Vec::new()), None).await.expect("made");
        let subject = made.made.subject.expect("an id");
        let (mut grants, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for (role, _) in ROLES {
            for place in [None, Some("eu"), Some("lab")] {
                if random.chance(75) {
                    let window = Window::random(random, true);
                    let ((from, until), conditions) = (window.deadlines(), window.conditions());
                    let (grantee, role_name) = (GranteeName::Subject(subject), name(role));
                    let workspace = place.map(name);
                    let grant =
                        Command::GrantUnder { grantee, role: role_name, workspace, from, until, conditions };
                    self.done(grant).await;
                    grants.insert((role, place), window);
                }
            }
        }
        for group in GROUPS {
            if random.chance(40) {
                let window = Window::random(random, false);
                let (from, until) = window.deadlines();
                self.done(Command::AddMember { group: name(group), subject, from, until }).await;
                groups.insert(group, window);
            }
        }
        let level = random.chance(60).then(|| i64::try_from(random.below(6)).expect("small"));
        let team = random.chance(60).then(|| random.pick(&["tools", "law"]));
        let values = vec![
            (name("level"), level.map(AttributeValue::Integer)),
            (name("team"), team.map(|team| AttributeValue::Text(team.into()))),
        ];
        let id = self.engine.command_id();
        self.engine.set_attributes(&self.admin, (id, false), subject, values).await.expect("set");
        let view = self.admin.entry.view().as_ref().map(Arc::clone).expect("awake");
        let record = view.listing().subject(subject).cloned().expect("a subject");
        let (subject, seen_cut_off) = (record.index, record.cut_off);
        let open = Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device: None };
        let handle = self.done(open).await.handle.expect("a handle");
        self.people.push(Person { id: record.id, handle, kind: word, level, team, grants, groups });
    }
}

fn uid(kind: &str, id: &str) -> String {
    format!("{{\"type\": {kind:?}, \"id\": {id:?}}}")
}

/// A workspace and those above it.
fn above(workspace: &str) -> Vec<&'static str> {
    let (mut found, mut at) = (Vec::new(), Some(workspace.to_owned()));
    while let Some((name, parent)) = WORKSPACES.iter().find(|(name, _)| Some(*name) == at.as_deref()) {
        found.push(*name);
        at = parent.map(str::to_owned);
    }
    found
}

impl Person {
    /// The roles that count in a workspace: granted there, above, or for the whole tenant.
    fn roles(&self, workspace: Option<&str>, at: UnixMillis) -> BTreeSet<&'static str> {
        let places = workspace.map(above).unwrap_or_default();
        let counts = |place: &Option<&'static str>| place.is_none_or(|place| places.contains(&place));
        let held = self.grants.iter().filter(|((_, place), window)| counts(place) && window.holds(at));
        held.map(|((role, _), _)| *role).collect()
    }

    /// The groups that it is in; editors are staff.
    fn groups(&self, at: UnixMillis) -> BTreeSet<&'static str> {
        let held = self.groups.iter().filter(|(_, window)| window.holds(at));
        let mut groups: BTreeSet<_> = held.map(|(group, _)| *group).collect();
        if groups.contains("editors") {
            groups.insert("staff");
        }
        groups
    }

    fn entity(&self, workspace: Option<&str>, at: UnixMillis) -> String {
        let mut parents: Vec<String> = self.groups(at).iter().map(|group| uid("Group", group)).collect();
        parents.extend(self.roles(workspace, at).iter().map(|role| uid("Role", role)));
        let mut attributes = vec![format!("\"kind\": {:?}", self.kind)];
        attributes.extend(self.level.map(|level| format!("\"level\": {level}")));
        attributes.extend(self.team.map(|team| format!("\"team\": {team:?}")));
        let (attributes, parents) = (attributes.join(","), parents.join(","));
        format!(
            "{{\"uid\": {}, \"attrs\": {{{attributes}}}, \"parents\": [{parents}]}}",
            uid("User", &self.id.to_string())
        )
    }
}

/// Random documents in folders; folder f1 lies in f0.
fn documents(world: &World, random: &mut Random) -> Vec<String> {
    let mut all = vec![
        format!("{{\"uid\": {}, \"attrs\": {{}}, \"parents\": []}}", uid("Folder", "f0")),
        format!(
            "{{\"uid\": {}, \"attrs\": {{}}, \"parents\": [{}]}}",
            uid("Folder", "f1"),
            uid("Folder", "f0")
        ),
        format!("{{\"uid\": {}, \"attrs\": {{}}, \"parents\": []}}", uid("Folder", "f2")),
    ];
    for nth in 0..6 {
        let owner = world.people[random.below(world.people.len())].id.to_string();
        let mut attributes =
            vec![format!("\"owner\": {}", uid("User", &owner)), format!("\"size\": {}", random.below(6))];
        if random.chance(50) {
            attributes.push(format!("\"sealed\": {}", random.chance(50)));
        }
        if random.chance(50) {
            attributes
                .push(format!("\"place\": {}", uid("Workspace", random.pick(&["eu", "berlin", "lab"]))));
        }
        let tags = if random.chance(50) { "{\"state\": \"open\"}" } else { "{}" };
        all.push(format!(
            "{{\"uid\": {}, \"attrs\": {{{}}}, \"tags\": {tags}, \"parents\": [{}]}}",
            uid("Doc", &format!("d{nth}")),
            attributes.join(","),
            uid("Folder", &format!("f{}", random.below(3)))
        ));
    }
    all
}

/// What was seen, so that the comparison is one.
#[derive(Debug, Default)]
struct Seen {
    questions: u32,
    permits: u32,
    by_policy: u32,
    forbidden: u32,
    failed: u32,
    /// Answers that said to hold for a while, instants within that while, and answers that were others behind it.
    lasting: u32,
    within: u32,
    changed: u32,
}

/// PROPERTY: a check of a tenant is what Cedar's own evaluator says of the same policies, entities and circumstances,
/// composed with a slow reading of roles: a role or a permit lets through, a forbid that applies or, under the strict
/// rule, fails, does not. METHOD: random policies that the strict validator takes, set in a real tenant; random people,
/// documents, workspaces, contexts; stored entities and sent ones. And until the moment that an answer names nothing
/// changes by time alone: Cedar and the slow reading say the same at random instants before it, as roles and groups come and
/// go by their windows and hours, and instants that policies name pass.
#[tokio::test]
async fn a_tenant_decides_as_cedar_and_a_slow_reading() {
    let mut random = Random(0x5eed_1234_9876_abcd);
    let schema = Schema::parse(SCHEMA.as_bytes()).expect("a schema");
    let world = World::new(&mut random).await;
    let mut seen = Seen::default();
    for _ in 0..60 {
        let text = loop {
            let text = policies(&mut random);
            let good = Parsed::parse(text.as_bytes()).and_then(|parsed| parsed.validate(&schema));
            if good.is_ok() {
                break text;
            }
        };
        let lenient = random.chance(50);
        let parts = PolicyParts {
            text: Some(text.as_str().into()),
            schema: Some(SCHEMA.into()),
            lenient: Some(lenient),
            ..PolicyParts::default()
        };
        // Commands are ordered behind the last window: journals do not go back.
        world.clock.0.store(NOW + SPAN as u64 * MINUTE, Ordering::SeqCst);
        let id = world.engine.command_id();
        world.engine.set_policies(&world.admin, (id, false), parts).await.expect("set");
        let stored = documents(&world, &mut random);
        let put = format!("[{}]", stored.join(","));
        let id = world.engine.command_id();
        world
            .engine
            .change_entities(&world.admin, (id, false), (Some(&put), Vec::new()))
            .await
            .expect("stored");
        let parsed = Parsed::parse(text.as_bytes()).expect("parses");
        for _ in 0..60 {
            question(&world, (&schema, parsed.set(), lenient), (&stored, &text), &mut random, &mut seen);
        }
    }
    println!("{seen:?}");
    assert!(seen.questions >= 3_000 && seen.permits > 300 && seen.by_policy > 100, "{seen:?}");
    assert!(seen.forbidden > 100 && seen.failed > 50, "{seen:?}");
    assert!(seen.lasting > 1_000 && seen.within > 3_000 && seen.changed > 200, "{seen:?}");
}

/// What is asked, and what is known beside it.
struct Case<'a> {
    person: &'a Person,
    permission: &'static str,
    workspace: Option<&'static str>,
    resource: Option<(String, String)>,
    sent: Option<String>,
    context: String,
}

fn question(
    world: &World,
    of: (&Schema, &PolicySet, bool),
    (stored, text): (&[String], &str),
    random: &mut Random,
    seen: &mut Seen,
) {
    let case = Case::random(world, random);
    let now = NOW + random.below(SPAN) as u64 * MINUTE + random.below(2) as u64 * (MINUTE - 1);
    world.clock.0.store(now, Ordering::SeqCst);
    let decision = case.engine(world);
    let (expected, why) = case.slowly(of, stored, UnixMillis(now), seen);
    assert_eq!(decision.is_permit(), expected, "{:?}, {why}\n{text}", decision.reason);
    seen.questions += 1;
    seen.permits += u32::from(expected);
    if decision.valid_until.0 <= now + 1 {
        return;
    }
    seen.lasting += 1;
    let last = decision.valid_until.0.min(NOW + 2 * SPAN as u64 * MINUTE);
    let mut unseen = Seen::default();
    for nth in 0..4 {
        let later = now + 1 + random.below(usize::try_from((last - now).max(2) - 1).expect("small")) as u64;
        let later = if nth == 0 { last - 1 } else { later };
        let (then, why) = case.slowly(of, stored, UnixMillis(later), &mut unseen);
        assert_eq!(then, expected, "{later} before {:?}, {why}\n{text}", decision.valid_until);
        seen.within += 1;
    }
    if decision.valid_until.0 == last {
        let (then, _) = case.slowly(of, stored, UnixMillis(last), &mut unseen);
        seen.changed += u32::from(then != expected);
    }
}

impl<'a> Case<'a> {
    fn random(world: &'a World, random: &mut Random) -> Self {
        let person = &world.people[random.below(world.people.len())];
        let permission = PERMISSIONS[random.below(PERMISSIONS.len())];
        let workspace = [None, Some("eu"), Some("berlin"), Some("lab")][random.below(4)];
        let resource = match random.below(4) {
            0 => None,
            1 => Some(("Folder".to_owned(), format!("f{}", random.below(3)))),
            // The last one is known to nobody, or comes with the question.
            _ => Some(("Doc".to_owned(), format!("d{}", random.below(8)))),
        };
        let sent = random.chance(30).then(|| {
            let tail = documents(world, random);
            let one = tail.last().expect("one").replace("\"d5\"", "\"d7\"");
            format!("[{one}]")
        });
        let words = if random.chance(50) { ", \"words\": [\"a\", \"c\"]" } else { "" };
        let context = format!("\"n\": {}{words}", random.below(6));
        Self { person, permission, workspace, resource, sent, context }
    }

    /// What the engine says, now.
    fn engine(&self, world: &World) -> tessera_model::Decision {
        let place = self.workspace.map_or(WorkspaceRef::Tenant, WorkspaceRef::Name);
        let view = world.admin.entry.view().as_ref().map(Arc::clone).expect("awake");
        let reading = world.engine.read(&view);
        let handle = self.person.handle.to_bytes();
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name(self.permission),
            workspace: place,
            at_least: Receipt::default(),
            address: None,
        };
        let named = self.resource.as_ref().map(|(kind, id)| format!("{kind}:{id}"));
        let own = format!("{{{}}}", self.context);
        let (resource, entities) = (named.as_deref(), self.sent.as_deref());
        let about = About { resource, context: Some(&own), entities, budget: 1_000 };
        let decided = world.engine.check_about(&world.admin, &reading, &query, about);
        decided.unwrap_or_else(|(refusal, misfit)| panic!("{refusal}: {misfit}")).0
    }

    /// What Cedar and the slow reading say at an instant, and what they were asked.
    fn slowly(
        &self,
        (schema, set, lenient): (&Schema, &PolicySet, bool),
        stored: &[String],
        at: UnixMillis,
        seen: &mut Seen,
    ) -> (bool, String) {
        let (person, workspace, permission) = (self.person, self.workspace, self.permission);
        let roles = person.roles(workspace, at);
        let covers = |role: &str| ROLES.iter().any(|(name, all)| *name == role && all.contains(&permission));
        let by_role = roles.iter().any(|role| covers(role));
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let sent = self.sent.iter().map(|one| one[1..one.len() - 1].to_owned());
        for one in stored.iter().cloned().chain(sent) {
            let (_, rest) = one.split_once("\"uid\": ").expect("an entity");
            all.insert(rest.split('}').next().expect("a uid").to_owned(), one);
        }
        all.insert("self".to_owned(), person.entity(workspace, at));
        if let Some(workspace) = workspace {
            let parents = above(workspace).into_iter().skip(1).map(|name| uid("Workspace", name));
            let parents: Vec<String> = parents.chain([uid("Tenant", "tenant")]).collect();
            let entity = format!(
                "{{\"uid\": {}, \"attrs\": {{}}, \"parents\": [{}]}}",
                uid("Workspace", workspace),
                parents.join(",")
            );
            all.insert("here".to_owned(), entity);
        }
        let entities = format!("[{}]", all.into_values().collect::<Vec<_>>().join(","));
        let facts = Facts::parse(entities.as_bytes(), Some(schema))
            .unwrap_or_else(|faults| panic!("{faults:?} {entities}"));
        let here = || {
            let place = workspace.map_or(("Tenant", "tenant"), |name| ("Workspace", name));
            (place.0.to_owned(), place.1.to_owned())
        };
        let (kind, id) = self.resource.clone().unwrap_or_else(here);
        let in_workspace =
            workspace.map_or_else(String::new, |name| format!(", \"workspace\": {}", uid("Workspace", name)));
        let millis = at.0 % 1_000;
        let instant = UnixMillis(at.0 - millis).to_string().replace('Z', &format!(".{millis:03}Z"));
        let told = format!("{{{}, \"now\": \"{instant}\", \"key\": false{in_workspace}}}", self.context);
        let asked = [
            format!("User::\"{}\"", person.id),
            format!("Action::\"{permission}\""),
            format!("{kind}::\"{id}\""),
        ];
        let [subject, action, object] = &asked;
        let question = Question::parse([subject, action, object], &told, Some(schema), true);
        let question = question.unwrap_or_else(|faults| panic!("{faults:?} {told}"));
        let answer = Authorizer::new().is_authorized(question.request(), set, facts.entities());
        let effect = |id: &cedar_policy::PolicyId| set.policy(id).map(cedar_policy::Policy::effect);
        let forbids = answer.diagnostics().reason().any(|id| effect(id) == Some(Effect::Forbid));
        let failed = answer.diagnostics().errors().any(|error| {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            effect(error.policy_id()) == Some(Effect::Forbid)
        });
        let allowed = answer.decision() == Decision::Allow;
        let expected = (by_role || allowed) && !forbids && (lenient || !failed);
        seen.by_policy += u32::from(expected && !by_role);
        seen.forbidden += u32::from(forbids && by_role);
        seen.failed += u32::from(failed);
        let why = format!(
            "role {by_role}, cedar {answer:?}, lenient {lenient}: {asked:?} in {workspace:?} {told}\n{entities}"
        );
        (expected, why)
    }
}
