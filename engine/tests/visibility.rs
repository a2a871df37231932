//! Who sees whom: held against a slow, obvious reading, before and after changes and restarts; who may say so; and
//! that nobody comes by a wider sight than was given.

use crate::sight;
use crate::support;

use sight::{Dice, NONE, SUBJECTS, TITLE, World, name};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::{House, Tenant, grant, key};
use tessera_engine::{Bound, EventFilter, EventsFrom, Listing, PEOPLE};
use tessera_model::limits::{VISIBILITY_ATTRIBUTES_MAX, VISIBILITY_RULES_MAX};
use tessera_model::record::SubjectKind;
use tessera_model::visibility::{Circle, Detail, Details, Reach, VisibilityDraft, VisibilityRule};
use tessera_model::{
    Command, Handle, Identifier, IdentifierKind, Limit, Name, Pattern, Private, PublicId, Refusal, TenantId,
};

fn listing(house: &House, bound: &Bound, permission: &str) -> Listing {
    let view = bound.entry.view();
    house.engine.listing(bound, view.as_ref().expect("awake"), permission)
}

/// How often each answer came, and each circle alone made the difference.
#[derive(Debug, Default)]
struct Tally {
    seen: usize,
    unseen: usize,
    part: usize,
    by: [usize; 4],
    /// Viewers who read people in workspaces alone.
    there: usize,
}

fn compare(house: &House, world: &World, seed: u64, tally: &mut Tally) {
    let now = house.engine.now();
    let title: Name = name(TITLE);
    for (viewer, who) in world.subjects.iter().enumerate() {
        let listing = listing(house, &who.bound, SUBJECTS);
        let may = |permission| house.engine.may(&who.bound, permission);
        assert_eq!(may(SUBJECTS), world.may(viewer, SUBJECTS, now), "seed {seed}, {viewer}");
        assert_eq!(may(PEOPLE), world.may(viewer, PEOPLE, now), "seed {seed}, {viewer}");
        let reads = house.engine.reads_people(&who.bound);
        assert_eq!(reads, world.reads_people(viewer, now), "seed {seed}, {viewer}");
        tally.there += usize::from(reads && !may(PEOPLE));
        let mut listed = BTreeSet::new();
        for (at, subject) in world.subjects.iter().enumerate() {
            let seen = listing.sees(subject.index);
            let told = seen.map(|seen| {
                let shown =
                    Detail::ALL.iter().filter(|detail| seen.has(**detail)).map(|detail| detail.name());
                (shown.collect::<BTreeSet<_>>(), listing.shows_attribute(seen, &title))
            });
            let right = world.shown(viewer, at, now);
            assert_eq!(told, right, "seed {seed}, {viewer} of {at}");
            assert_eq!(listing.subject(subject.id).is_some(), right.is_some());
            if let Some((details, _)) = right {
                listed.insert(subject.index.0);
                tally.seen += 1;
                tally.part += usize::from(details.len() < Detail::ALL.len());
                let met = Circle::ALL.iter().filter(|circle| world.meets(**circle, viewer, at, now));
                if let [_, only] = met.collect::<Vec<_>>()[..] {
                    tally.by[Circle::ALL.iter().position(|circle| circle == only).expect("one")] += 1;
                }
            } else {
                tally.unseen += 1;
            }
        }
        // Pages of two, whatever they hold, are all of them and nobody else.
        let (mut cursor, mut found, mut pages) = (0, BTreeSet::new(), 0);
        loop {
            let page = listing.subjects(cursor, 2);
            assert!(page.rows.len() <= 2);
            found.extend(page.rows.iter().map(|row| row.index.0));
            pages += 1;
            match page.next {
                Some(next) if next > cursor => cursor = next,
                Some(next) => panic!("{next} after {cursor}"),
                None => break,
            }
        }
        let here: BTreeSet<u32> = world.subjects.iter().map(|subject| subject.index.0).collect();
        assert_eq!(found.intersection(&here).copied().collect::<BTreeSet<_>>(), listed, "seed {seed}");
        assert!(pages <= 8, "{pages}");
    }
}

/// PROPERTY: a viewer sees of whom and what the rules give it, and nothing else: whatever groups, workspaces, windows,
/// roles above roles and creators there are; after every change, with the time, and in another life of the tenant from
/// the journal and from a checkpoint. METHOD: random worlds, held against a reading of what was written down.
#[tokio::test]
async fn sight_is_what_the_rules_give() {
    let mut tally = Tally::default();
    for seed in 0..24 {
        let mut dice = Dice::new(seed);
        let house = House::new().await;
        let operator = house.operator().await;
        let mut tenant = house.tenant(&operator, "acme").await;
        let mut world = World::build(&house, &tenant, &mut dice).await;
        compare(&house, &world, seed, &mut tally);
        for _ in 0..3 {
            world.rule(&house, &tenant, &mut dice).await;
            compare(&house, &world, seed, &mut tally);
            for _ in 0..6 {
                world.change(&house, &tenant, &mut dice).await;
            }
            compare(&house, &world, seed, &mut tally);
        }
        house.pass(60_000);
        compare(&house, &world, seed, &mut tally);
        if seed % 2 == 0 {
            assert!(house.engine.checkpoint().await);
        }
        let house = House::over(Arc::clone(&house.store), house.engine.now().0).await;
        tenant = Tenant { admin: house.bind(&tenant.admin_key).await, ..tenant };
        world.bind(&house).await;
        compare(&house, &world, seed, &mut tally);
        world.rule(&house, &tenant, &mut dice).await;
        compare(&house, &world, seed, &mut tally);
    }
    let all = tally.seen + tally.unseen;
    assert!(all > 10_000 && tally.seen * 5 > all && tally.unseen * 5 > all, "{tally:?}");
    assert!(tally.there > 100, "{tally:?}");
    assert!(tally.part * 20 > all && tally.by[1..].iter().all(|by| by * 100 > all), "{tally:?}");
}

fn rule(role: Option<&str>, reach: &[Circle], details: &[Detail]) -> VisibilityRule {
    VisibilityRule {
        role: role.map(name),
        reach: reach.iter().copied().collect(),
        details: details.iter().copied().collect(),
        attributes: Vec::new(),
    }
}

fn set(rules: Vec<VisibilityRule>) -> Command {
    Command::SetVisibility { draft: VisibilityDraft { rules, expected: None } }
}

fn expecting(rules: Vec<VisibilityRule>, version: u32) -> Command {
    Command::SetVisibility { draft: VisibilityDraft { rules, expected: Some(version) } }
}

/// A house with a tenant, and keys of people who each have one role.
struct Scene {
    house: House,
    tenant: Tenant,
}

impl Scene {
    async fn new() -> Self {
        let house = House::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        Self { house, tenant }
    }

    async fn somebody(&self, role: &str, covers: &[&str]) -> (PublicId, Bound) {
        let (subject, handle) = self.with_key(role, covers).await;
        (subject, self.house.bind(&handle).await)
    }

    async fn with_key(&self, role: &str, covers: &[&str]) -> (PublicId, Handle) {
        self.house.role(&self.tenant, role, covers).await;
        let subject = self.house.person(&self.tenant, &format!("{role}@example.org"), "correct horse").await;
        self.house.grant(&self.tenant, subject, role).await;
        let handle = self.house.sign_in(&self.tenant, &format!("{role}@example.org"), "correct horse").await;
        (subject, handle.expect("signed in"))
    }

    async fn done(&self, command: Command) {
        self.house.submit(&self.tenant.admin, command).await;
    }

    async fn refused(&self, by: &Bound, command: Command) -> Refusal {
        self.house.refused(by, command).await
    }

    fn version(&self) -> u32 {
        listing(&self.house, &self.tenant.admin, SUBJECTS).visibility().0
    }
}

/// PROPERTY: whoever does not see everybody in full, by every permission of reads, says nothing about who sees whom, and
/// neither comes by a wider sight nor gives anybody one: not by roles, grants, groups, requests, keys or passwords.
#[tokio::test]
async fn nobody_widens_a_sight() {
    let scene = Scene::new().await;
    let wide = ["tessera.admin.*", PEOPLE];
    let (_, support) = scene.somebody("support", &wide).await;
    let (boss, _) = scene.somebody("boss", &[SUBJECTS]).await;
    let (_, lister) = scene.somebody("lister", &["tessera.admin.settings", SUBJECTS]).await;
    let all = || vec![rule(None, &[Circle::Everybody], Detail::ALL)];
    // Settings and subjects are not all that rules could show.
    assert_eq!(scene.refused(&lister, set(all())).await, Refusal::SightLimited);
    let limits = vec![
        rule(Some("support"), &[Circle::Workspace], &[Detail::Email]),
        rule(Some("manager"), &[Circle::Everybody], Detail::ALL),
    ];
    scene.house.role(&scene.tenant, "manager", &["orders.read"]).await;
    scene.house.role(&scene.tenant, "unnamed", &[SUBJECTS]).await;
    scene.done(Command::CreateGroup { name: name("bosses"), rule: Vec::new() }).await;
    let granted = |role: &str| Command::GrantGroup {
        group: name("bosses"),
        role: name(role),
        workspace: None,
        from: NONE,
        until: NONE,
    };
    scene.done(granted("unnamed")).await;
    // Without rules whoever has it all may: as it was.
    scene.house.submit(&support, set(limits.clone())).await;
    assert_eq!(scene.version(), 1);
    for widens in [set(all()), set(Vec::new()), set(limits)] {
        assert_eq!(scene.refused(&support, widens).await, Refusal::SightLimited);
    }
    let me = support.subject;
    let patterns =
        |texts: &[&str]| texts.iter().map(|text| Pattern::new(text).expect("one")).collect::<Vec<_>>();
    let expires = scene.house.engine.now().plus_seconds(86_400).to_deadline();
    let beyond = [
        grant(me, "unnamed"),
        grant(me, "manager"),
        grant(me, "support"),
        grant(boss, "manager"),
        Command::CreateRole { name: name("mine"), patterns: patterns(&[SUBJECTS]) },
        Command::ChangeRole { name: name("manager"), patterns: patterns(&[PEOPLE]) },
        Command::SetRoleParents { name: name("lister"), parents: vec![name("manager")] },
        Command::AddMember { group: name("bosses"), subject: me, from: NONE, until: NONE },
        granted("manager"),
        key(boss, patterns(&[SUBJECTS]), expires, Private::default()),
        Command::ResetPassword { subject: boss, until: expires, clear: true },
    ];
    for command in beyond {
        let kind = command.kind();
        assert_eq!(scene.refused(&support, command).await, Refusal::BeyondCreator, "{kind:?}");
    }
    // What shows nobody is handed out as before; and whoever sees all hands out all.
    scene.house.role(&scene.tenant, "clerk", &["orders.write"]).await;
    scene.house.submit(&support, grant(me, "clerk")).await;
    scene.done(grant(boss, "manager")).await;
    scene.done(set(Vec::new())).await;
    assert_eq!(scene.version(), 0);
}

/// PROPERTY: what is ordered is held against what there is, and nothing of what is refused happens. A version says
/// which rules it was ordered over; the same rules again change nothing.
#[tokio::test]
async fn rules_are_sound_or_refused() {
    let scene = Scene::new().await;
    let admin = &scene.tenant.admin;
    scene.house.role(&scene.tenant, "lead", &[PEOPLE]).await;
    let place = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
    scene.done(place).await;
    let there =
        Command::CreateRoleIn { workspace: name("berlin"), name: name("local"), patterns: Vec::new() };
    scene.done(there).await;
    let one = |role: Option<&str>| rule(role, &[], &[]);
    let many = |count: usize| {
        let attributes = (0..count).map(|at| name(&format!("a{at}"))).collect();
        VisibilityRule { attributes, ..one(None) }
    };
    let over = vec![one(None); VISIBILITY_RULES_MAX + 1];
    for (rules, refusal) in [
        (vec![one(Some("nobody"))], Refusal::RoleUnknown),
        (vec![one(Some(tessera_engine::ADMIN_ROLE))], Refusal::BuiltIn),
        (vec![one(Some("local"))], Refusal::RoleOutside),
        (vec![one(Some("lead")), one(Some("lead"))], Refusal::Duplicate),
        (vec![one(None), one(None)], Refusal::Duplicate),
        (over, Limit::VisibilityRules.reached()),
        (vec![many(VISIBILITY_ATTRIBUTES_MAX + 1)], Limit::VisibilityAttributes.reached()),
    ] {
        assert_eq!(scene.refused(admin, set(rules)).await, refusal);
    }
    assert_eq!(scene.refused(admin, expecting(vec![one(None)], 1)).await, Refusal::VisibilityVersion);
    scene.done(expecting(vec![many(VISIBILITY_ATTRIBUTES_MAX), one(Some("lead"))], 0)).await;
    let done = scene.house.submit(admin, expecting(vec![one(Some("lead")), many(16)], 1)).await;
    assert_eq!(scene.version(), 1);
    let again = scene.house.submit(admin, set(vec![one(Some("lead")), many(16)])).await;
    assert_eq!(again.receipt.revision, done.receipt.revision);
    assert_eq!(scene.refused(admin, expecting(Vec::new(), 0)).await, Refusal::VisibilityVersion);
    scene.done(expecting(Vec::new(), 1)).await;
    assert_eq!(scene.version(), 0);
    scene.done(expecting(vec![one(Some("lead"))], 0)).await;
    // A version never comes again.
    assert_eq!(scene.version(), 3);
    // The rule of a role that is gone is nobody's.
    scene.done(Command::DeleteRole { name: name("lead") }).await;
    assert_eq!(listing(&scene.house, admin, SUBJECTS).visibility().1, []);
    let system = scene.house.operator_key.lock().expect("sound").expect("a key");
    let system = scene.house.bind(&system).await;
    assert_eq!(scene.refused(&system, set(Vec::new())).await, Refusal::WrongTenant);
    assert_eq!(system.entry.tenant, TenantId::SYSTEM);
}

/// PROPERTY: without rules nothing has changed: whoever has a permission sees everybody by it, and whoever has that of
/// reading people alone sees nobody but itself; acting for somebody shows nothing as one's own. An identifier finds
/// whom a rule shows by that kind of identifier, and nobody else.
#[tokio::test]
async fn identifiers_find_whom_rules_show() {
    let scene = Scene::new().await;
    let (amy, reader) = scene.somebody("reader", &[PEOPLE]).await;
    let (bob, lister) = scene.somebody("lister", &[SUBJECTS]).await;
    let ids =
        |listing: &Listing| listing.subjects(0, 100).rows.iter().map(|row| row.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&listing(&scene.house, &reader, SUBJECTS)), BTreeSet::from([amy]));
    assert_eq!(ids(&listing(&scene.house, &lister, SUBJECTS)).len(), 3);
    let add = Identifier::guess("bobby").expect("one");
    let hash = scene.house.engine.identifier_hash(scene.tenant.id, &add).expect("a hash");
    scene.done(Command::AddIdentifier { subject: bob, identifier: add.clone(), hash }).await;
    let mail = Identifier::guess("lister@example.org").expect("one");
    let mail = scene.house.engine.identifier_hash(scene.tenant.id, &mail).expect("a hash");
    let find = |reader: &Bound| {
        let listing = listing(&scene.house, reader, SUBJECTS);
        let by = |hash, kind| listing.subject_with(hash, kind).map(|found| found.id);
        (by(&hash, IdentifierKind::Username), by(&mail, IdentifierKind::Email))
    };
    assert_eq!((find(&reader), find(&lister)), ((None, None), (Some(bob), Some(bob))));
    scene.done(set(vec![rule(None, &[Circle::Everybody], &[Detail::Username])])).await;
    assert_eq!(find(&reader), (Some(bob), None));
    scene.done(set(vec![rule(None, &[Circle::Everybody], &[Detail::Email])])).await;
    assert_eq!(find(&reader), (None, Some(bob)));
    // Whom no rule names is not limited by one: the role gives the permission itself.
    assert_eq!(find(&lister), (Some(bob), Some(bob)));
    scene.done(set(vec![rule(Some("lister"), &[], &[])])).await;
    assert_eq!(
        (find(&lister), ids(&listing(&scene.house, &lister, SUBJECTS))),
        ((Some(bob), Some(bob)), [bob].into())
    );
}

/// PROPERTY: of whom a watcher of events sees it is told what rules show of them, and of whoever's sessions and keys end
/// nothing where rules limit it.
#[tokio::test]
async fn events_tell_what_is_shown() {
    let scene = Scene::new().await;
    let (_, watcher) = scene.somebody("watcher", &["tessera.audit"]).await;
    let (amy, _) = scene.somebody("amy", &["orders.read"]).await;
    let kinds = async |subject| {
        let filter = EventFilter { kinds: Vec::new(), subject };
        let page = (EventsFrom::First, 0, std::time::Duration::ZERO);
        let told = scene.house.engine.watch_events(&watcher, filter, page).await.expect("a page");
        told.events.iter().map(|event| event.kind).collect::<BTreeSet<_>>()
    };
    let all = kinds(Some(amy)).await;
    let shown = [
        (Detail::Status, "subject.changed"),
        (Detail::Grants, "grant.added"),
        (Detail::Sessions, "session.opened"),
    ];
    assert!(shown.iter().all(|(_, kind)| all.contains(kind)), "{all:?}");
    for (detail, kind) in shown {
        scene.done(set(vec![rule(Some("watcher"), &[Circle::Everybody], &[detail])])).await;
        let told = kinds(Some(amy)).await;
        assert!(shown.iter().all(|(_, other)| told.contains(other) == (*other == kind)), "{told:?}");
    }
    assert!(!kinds(None).await.contains("session.ended"));
}

/// PROPERTY: who made whom is known of everybody whom a subject has made, one by one or many at once, and of nobody
/// else; it is told to whom it is shown, and who sees whoever it was.
#[tokio::test]
async fn creators_are_told_to_whom_they_are_shown() {
    let scene = Scene::new().await;
    let (amy, maker) = scene.somebody("maker", &[SUBJECTS]).await;
    let command = Command::CreateSubject {
        kind: SubjectKind::Machine,
        identifiers: Vec::new(),
        password: Private::default(),
    };
    let one = scene.house.submit(&maker, command).await.made.subject.expect("an id");
    let row = tessera_model::load::LoadRow {
        kind: SubjectKind::Person,
        suspended: false,
        identifiers: vec![Identifier::guess("carl@example.org").expect("one")],
        password: Private::default(),
        values: Vec::new(),
        grants: Vec::new(),
        serial: 0,
    };
    let id = scene.house.engine.command_id();
    scene.house.engine.load_subjects(&maker, id, vec![row], false).await.expect("loaded");
    let all = listing(&scene.house, &scene.tenant.admin, SUBJECTS);
    let index = |id| all.subject(id).expect("there").index;
    let carl = all.subjects(0, 100).rows.last().expect("one").id;
    assert_eq!((all.creator(index(one)), all.creator(index(carl))), (Some(amy), Some(amy)));
    assert_eq!(all.creator(index(amy)), Some(scene.tenant.admin.subject));
    assert_eq!(all.creator(index(scene.tenant.admin.subject)), None);
    let (_, reader) = scene.somebody("reader", &[PEOPLE]).await;
    for (details, seen) in [(vec![Detail::Creator], Some(amy)), (vec![Detail::Email], None)] {
        scene.done(set(vec![rule(Some("reader"), &[Circle::Everybody], &details)])).await;
        assert_eq!(listing(&scene.house, &reader, SUBJECTS).creator(index(one)), seen);
    }
    // Of whom it made she sees them, and not who made her.
    scene.done(set(vec![rule(Some("maker"), &[Circle::Created], &[Detail::Creator])])).await;
    let hers = listing(&scene.house, &maker, SUBJECTS);
    assert_eq!(hers.creator(index(one)), Some(amy));
    assert_eq!(hers.creator(index(amy)), None);
    assert_eq!(hers.subjects(0, 100).rows.len(), 3);
    let none = Reach::default();
    assert!(none.names().is_empty() && Details::default().names().is_empty());
}
