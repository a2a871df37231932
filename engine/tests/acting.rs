//! Sessions in which somebody acts for somebody else: never more than either of them, and over with either of them.

#[path = "acting_ends.rs"]
mod ends;

use crate::support;

use std::sync::Arc;
use support::{House, Tenant, key};
use tessera_engine::{BUILT_IN, Bound};
use tessera_model::elevation::ActingEnd;
use tessera_model::limits::{
    ACTED_PER_SUBJECT_MAX, ACTING_PER_ACTOR_MAX, ACTING_TTL_S_MAX, REASON_BYTES_MAX,
};
use tessera_model::record::SubjectKind;
use tessera_model::{
    Command, Handle, Limit, Name, Pattern, Private, PublicId, Reason, Refusal, Thumbprint, Trust,
    WorkspaceRef,
};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

fn act(subject: PublicId, texts: &[&str]) -> Command {
    Command::Impersonate { subject, patterns: patterns(texts), ttl_s: 900, reason: "ticket 7".into() }
}

/// A tenant; amy, who reads orders and a profile; and sue of the support, who may act for others.
struct Scene {
    house: House,
    tenant: Tenant,
    amy: PublicId,
    sue: PublicId,
    /// Sue's own session.
    own: Handle,
    by: Bound,
}

impl Scene {
    async fn new() -> Self {
        let house = House::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        let sue = house.person(&tenant, "sue@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read", "profile.read"]).await;
        house.role(&tenant, "writer", &["orders.write"]).await;
        house.role(&tenant, "support", &["tessera.sessions.open", "tessera.check"]).await;
        house.grant(&tenant, amy, "reader").await;
        house.grant(&tenant, sue, "support").await;
        let own = house.sign_in(&tenant, "sue@example.org", "correct horse").await.expect("signed in");
        let by = house.bind(&own).await;
        Self { house, tenant, amy, sue, own, by }
    }

    async fn acting(&self, texts: &[&str]) -> Handle {
        self.house.submit(&self.by, act(self.amy, texts)).await.made.handle.expect("a handle")
    }

    /// What lets sue act counts from 192.0.2.0/24 alone.
    async fn support_from_a_network(&self) {
        let network = tessera_model::Network::parse("192.0.2.0/24").expect("a network");
        let conditions = vec![tessera_model::GrantCondition::Networks(vec![network])];
        let set = Command::SetGrantConditions {
            grantee: tessera_model::grant_condition::GranteeName::Subject(self.sue),
            role: Name::new("support").expect("a name"),
            workspace: None,
            conditions: tessera_model::GrantConditions::new(conditions).expect("of each kind one"),
        };
        self.house.submit(&self.tenant.admin, set).await;
    }

    fn reason(&self, handle: &Handle, permission: &str) -> Reason {
        self.house.check(&self.tenant, handle, permission).reason
    }

    /// The same where sue's own session may have ended.
    async fn restarted_by_admin(self) -> Self {
        let house = House::over(Arc::clone(&self.house.store), self.house.engine.now().0).await;
        let admin = house.bind(&self.tenant.admin_key).await;
        Self { tenant: Tenant { admin, ..self.tenant }, house, ..self }
    }

    async fn restarted(self) -> Self {
        let house = House::over(Arc::clone(&self.house.store), self.house.engine.now().0).await;
        let admin = house.bind(&self.tenant.admin_key).await;
        let by = house.bind(&self.own).await;
        Self { tenant: Tenant { admin, ..self.tenant }, house, by, ..self }
    }
}

/// PROPERTY: whoever acts may what the subject may that lies in what was named, and of the engine's own permissions
/// what the actor holds too, at each check; the subject sees who acts and why, and so does introspection; all of
/// that across checkpoints and restarts.
#[tokio::test]
async fn whoever_acts_stays_within_the_subject_and_the_actor() {
    let mut scene = Scene::new().await;
    let narrow = scene.acting(&["orders.*"]).await;
    let wide = scene.acting(&["*"]).await;
    for round in 0..3 {
        let of = |handle, permission| scene.reason(handle, permission);
        assert_eq!(of(&narrow, "orders.read"), Reason::None);
        assert_eq!(of(&narrow, "profile.read"), Reason::Restricted);
        assert_eq!(of(&narrow, "orders.write"), if round < 2 { Reason::NotGranted } else { Reason::None });
        assert_eq!(of(&wide, "profile.read"), Reason::None);
        let view = scene.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let (reading, listing) = (scene.house.engine.read(view), view.listing());
        let found = scene.house.engine.introspect(&scene.tenant.admin, &reading, (&wide.to_bytes(), None));
        let found = found.expect("alive");
        assert_eq!((found.subject, found.actor), (scene.amy, Some(scene.sue)));
        let index = listing.subject(scene.amy).expect("amy").index;
        let rows = reading.sessions(index, 0, 100).rows;
        assert_eq!(rows.len(), 2);
        for row in rows {
            assert_eq!(row.actor, Some(scene.sue));
            assert_eq!(listing.acting_reason(row.place, row.generation), Some("ticket 7"));
        }
        // Amy is made an admin: of that the actor has what she has herself, and nothing when that is taken.
        if round == 2 {
            break;
        }
        if round == 1 {
            scene.house.grant(&scene.tenant, scene.amy, "writer").await;
        }
        assert!(scene.house.engine.checkpoint().await);
        scene = scene.restarted().await;
    }
    scene.house.grant(&scene.tenant, scene.amy, "tessera.admin").await;
    let held: Vec<_> = BUILT_IN.iter().filter(|name| scene.reason(&wide, name) == Reason::None).collect();
    assert_eq!(held, [&"tessera.check", &"tessera.sessions.open"]);
    assert_eq!(scene.reason(&wide, "tessera.admin.keys"), Reason::BeyondActor);
    let role = Name::new("support").expect("a name");
    let narrower = Command::ChangeRole { name: role, patterns: patterns(&["tessera.sessions.*"]) };
    scene.house.submit(&scene.tenant.admin, narrower).await;
    assert_eq!(scene.reason(&wide, "tessera.check"), Reason::BeyondActor);
    assert_eq!(scene.reason(&wide, "tessera.sessions.open"), Reason::None);
}

/// PROPERTY: whoever may not act for others any more does not go on with it, whatever is asked and however the power
/// went: with the grant, its window, the role, a ceiling of the actor's device, or a suspension that is over by now. In
/// the window's case the answer tells until when it holds.
#[tokio::test]
async fn whoever_may_not_act_any_more_does_not_go_on() {
    let role = || Name::new("support").expect("a name");
    let take = |subject| Command::Ungrant { subject, role: role(), workspace: None };
    for way in 0..5 {
        let mut scene = Scene::new().await;
        let now = scene.house.engine.now();
        let expires = now.plus_seconds(7_200).to_deadline();
        let (subject, workspace) = (scene.sue, None);
        if way == 1 {
            let (from, until) = (tessera_model::Deadline::NONE, now.plus_seconds(300).to_deadline());
            let window = Command::Grant { subject, role: role(), workspace, from, until };
            scene.house.submit(&scene.tenant.admin, window).await;
        } else if way == 3 {
            let (name, key) = (Name::new("desk").expect("a name"), Thumbprint([1; 32]));
            let desk = Command::RegisterDevice { subject, name, key };
            let device = scene.house.submit(&scene.tenant.admin, desk).await.made.device;
            let view = scene.tenant.admin.entry.view();
            let record = view.as_ref().expect("awake").listing().subject(subject).expect("sue").clone();
            drop(view);
            let (subject, seen_cut_off) = (record.index, record.cut_off);
            let device = device.map(Into::into);
            let open = Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device };
            scene.own = scene.house.submit(&scene.tenant.admin, open).await.made.handle.expect("one");
            scene.by = scene.house.bind(&scene.own).await;
        } else if way == 4 {
            // By a key, which no cut-off ends.
            scene.house.role(&scene.tenant, "keeper", &["tessera.admin.keys"]).await;
            scene.house.grant(&scene.tenant, subject, "keeper").await;
            let texts = patterns(&["tessera.sessions.open", "orders.*"]);
            let made = key(subject, texts, expires, Private::default());
            scene.own = scene.house.submit(&scene.by, made).await.made.handle.expect("a key");
            scene.by = scene.house.bind(&scene.own).await;
        }
        let acting = scene.acting(&["orders.*"]).await;
        let decision = scene.house.check(&scene.tenant, &acting, "orders.read");
        assert_eq!(decision.reason, Reason::None, "{way}");
        assert!(way != 1 || decision.valid_until <= now.plus_seconds(300), "{way}");
        let (house, admin) = (&scene.house, &scene.tenant.admin);
        match way {
            0 => drop(house.submit(admin, take(subject)).await),
            1 => house.pass(300_000),
            2 => drop(house.submit(admin, Command::DeleteRole { name: role() }).await),
            3 => {
                let limit =
                    Command::LimitTrust { trust: Trust::Unverified, patterns: patterns(&["orders.*"]) };
                house.submit(admin, limit).await;
            }
            _ => {
                house.submit(admin, Command::SuspendSubject { subject }).await;
                house.submit(admin, Command::ResumeSubject { subject }).await;
                // The key is as good as before, and opens another one.
                let again = scene.acting(&["orders.*"]).await;
                assert_eq!(scene.reason(&again, "orders.read"), Reason::None);
            }
        }
        // What a command has taken is noted with it, and the session has ended for good; by time alone it is dead.
        let right = if matches!(way, 0 | 2 | 3) { Reason::Revoked } else { Reason::ActorGone };
        assert_eq!(scene.reason(&acting, "orders.read"), right, "{way}");
        assert!(house.engine.hello(&acting.to_bytes(), None).is_err(), "{way}");
        let view = admin.entry.view();
        let reading = house.engine.read(view.as_ref().expect("awake"));
        let bytes = acting.to_bytes();
        let listed = house.engine.list_permissions(admin, &reading, (&bytes, None), WorkspaceRef::Tenant);
        assert_eq!(listed.err(), Some(right), "{way}");
    }
}

/// PROPERTY: one actor has so many live acting sessions and no more, whatever they are restricted to; one that ended
/// makes room. Whoever acts reads nothing as the subject's own.
#[tokio::test]
async fn acting_is_bounded_and_reads_nothing_of_its_own() {
    let scene = Scene::new().await;
    let mut all = Vec::new();
    for no in 0..ACTING_PER_ACTOR_MAX {
        all.push(scene.house.submit(&scene.by, act(scene.amy, &[&format!("orders.no{no}*")])).await.made);
    }
    let more = || act(scene.amy, &["orders.read"]);
    assert_eq!(scene.house.refused(&scene.by, more()).await, Limit::ActingPerActor.reached());
    let session = all.pop().and_then(|made| made.session).expect("an id");
    scene.house.submit(&scene.by, Command::EndSession { session }).await;
    let acting = scene.house.submit(&scene.by, more()).await.made.handle.expect("a handle");
    let by = scene.house.bind(&acting).await;
    assert!(by.subject == scene.amy && by.acting && !by.reads_as(scene.amy));
    let own = scene.house.sign_in(&scene.tenant, "amy@example.org", "correct horse").await.expect("in");
    let own = scene.house.bind(&own).await;
    assert!(own.reads_as(scene.amy) && !own.reads_as(scene.sue));
    scene.house.pass(900_000);
    scene.house.submit(&scene.by, more()).await;
}

/// PROPERTY: it ends with either side and with its time: each end alone is enough, at the next check and for good;
/// what ends nothing of either leaves it alone. TC-67 in part: it ends.
#[tokio::test]
async fn acting_ends_with_either_side() {
    enum End {
        Nothing,
        Subject(fn(PublicId) -> Command),
        Actor(fn(PublicId) -> Command),
        Everybody,
        OwnSession,
        ByActor,
        BySubject,
        Time,
        Device,
    }
    let ends = [
        (End::Nothing, Reason::None),
        (End::Subject(|subject| Command::SuspendSubject { subject }), Reason::Revoked),
        (End::Subject(|subject| Command::EndSubjectSessions { subject }), Reason::Revoked),
        (End::Subject(|subject| Command::DeleteSubject { subject }), Reason::SubjectDeleted),
        (End::Actor(|subject| Command::SuspendSubject { subject }), Reason::ActorGone),
        (End::Actor(|subject| Command::EndSubjectSessions { subject }), Reason::ActorGone),
        (End::Actor(|subject| Command::DeleteSubject { subject }), Reason::ActorGone),
        (End::Everybody, Reason::Revoked),
        (End::OwnSession, Reason::ActorGone),
        (End::ByActor, Reason::Revoked),
        (End::BySubject, Reason::Revoked),
        (End::Time, Reason::Expired),
        (End::Device, Reason::ActorGone),
    ];
    for (end, right) in ends {
        let mut scene = Scene::new().await;
        let mut device = None;
        if matches!(end, End::Device) {
            let (name, key) = (Name::new("desk").expect("a name"), Thumbprint([1; 32]));
            let command = Command::RegisterDevice { subject: scene.sue, name, key };
            device = scene.house.submit(&scene.tenant.admin, command).await.made.device;
            let view = scene.tenant.admin.entry.view();
            let record = view.as_ref().expect("awake").listing().subject(scene.sue).expect("sue").clone();
            drop(view);
            let command = Command::OpenSession {
                subject: record.index,
                seen_cut_off: record.cut_off,
                identifier: None,
                acr: 0,
                device: device.map(Into::into),
            };
            scene.own = scene.house.submit(&scene.tenant.admin, command).await.made.handle.expect("one");
            scene.by = scene.house.bind(&scene.own).await;
        }
        let amys = scene.house.sign_in(&scene.tenant, "amy@example.org", "correct horse").await.expect("in");
        let amys = scene.house.bind(&amys).await;
        let done = scene.house.submit(&scene.by, act(scene.amy, &["orders.*"])).await.made;
        let (acting, session) = (done.handle.expect("a handle"), done.session.expect("an id"));
        assert_eq!(scene.reason(&acting, "orders.read"), Reason::None);
        let (house, admin) = (&scene.house, &scene.tenant.admin);
        let own = {
            let view = admin.entry.view();
            let reading = house.engine.read(view.as_ref().expect("awake"));
            house.engine.id_of(&reading, &scene.own.to_bytes()).expect("its id")
        };
        match end {
            End::Nothing => {
                house.submit(admin, Command::EndSubjectSessions { subject: admin.subject }).await;
            }
            End::Subject(command) => {
                house.submit(admin, command(scene.amy)).await;
            }
            End::Actor(command) => {
                house.submit(admin, command(scene.sue)).await;
            }
            End::Everybody => {
                house.submit(admin, Command::EndTenantSessions {}).await;
            }
            End::OwnSession => {
                house.submit(&scene.by, Command::EndSession { session: own }).await;
            }
            End::ByActor => {
                house.submit(&scene.by, Command::EndSession { session }).await;
            }
            End::BySubject => {
                house.submit(&amys, Command::EndSession { session }).await;
            }
            End::Time => house.pass(900_000),
            End::Device => {
                house.submit(admin, Command::RevokeDevice { device: device.expect("one") }).await;
            }
        }
        assert_eq!(scene.reason(&acting, "orders.read"), right);
        let bound = scene.house.engine.hello(&acting.to_bytes(), None);
        assert_eq!(bound.is_ok(), right == Reason::None);
        assert!(scene.house.engine.checkpoint().await);
        let house = House::over(Arc::clone(&scene.house.store), scene.house.engine.now().0).await;
        let admin = house.bind(&scene.tenant.admin_key).await;
        let tenant = Tenant { admin, ..scene.tenant };
        let later = house.check(&tenant, &acting, "orders.read").reason;
        assert_eq!(later == Reason::None, right == Reason::None, "{later:?}");
    }
}

/// PROPERTY: whoever acts orders nothing in the subject's name but the end of it. TC-67 in part: passwords, keys,
/// sessions, devices, roles, and acting again.
#[tokio::test]
async fn tc_67_whoever_acts_changes_nothing() {
    let scene = Scene::new().await;
    scene.house.grant(&scene.tenant, scene.sue, "tessera.admin").await;
    let acting = scene.acting(&["*"]).await;
    let by = scene.house.bind(&acting).await;
    let bob = scene.house.person(&scene.tenant, "bob@example.org", "correct horse").await;
    let role = Name::new("writer").expect("a name");
    let expires = scene.house.engine.now().plus_seconds(60).to_deadline();
    for command in [
        Command::ChangePassword { subject: scene.amy, password: Private::default(), proven: 0 },
        Command::EndSubjectSessions { subject: scene.amy },
        Command::EndOtherSessions {},
        Command::ResetPassword { subject: scene.amy, until: expires, clear: false },
        key(scene.amy, patterns(&["orders.read"]), expires, Private::default()),
        support::grant(scene.amy, "writer"),
        act(bob, &["orders.*"]),
        Command::RegisterDevice { subject: scene.amy, name: role.clone(), key: Thumbprint([1; 32]) },
        Command::RequestRole {
            subject: scene.amy,
            role,
            workspace: None,
            duration_s: 60,
            reason: "mine".into(),
        },
    ] {
        let kind = command.kind();
        assert_eq!(scene.house.refused(&by, command).await, Refusal::Acting, "{kind:?}");
    }
    assert_eq!(scene.house.open(&by, bob).await.err(), Some(Refusal::Acting.into()));
    let (place, generation) = (acting.place, acting.generation);
    scene.house.submit(&by, Command::TouchSession { place, generation }).await;
    let view = scene.tenant.admin.entry.view();
    let id =
        scene.house.engine.id_of(&scene.house.engine.read(view.as_ref().expect("awake")), &acting.to_bytes());
    drop(view);
    scene.house.submit(&by, Command::EndSession { session: id.expect("its id") }).await;
    assert_eq!(scene.reason(&acting, "orders.read"), Reason::Revoked);
}

/// PROPERTY: nobody acts for somebody above themselves, for somebody who may act for others, for a machine, for
/// themselves, beyond what restricts them, for longer than an hour or for no reason; an application's limit of
/// sessions does not notice. TC-66: an admin, another supporter, a machine; whoever is of another tenant is nobody.
#[tokio::test]
async fn tc_66_nobody_acts_for_somebody_above() {
    let scene = Scene::new().await;
    let (house, tenant) = (&scene.house, &scene.tenant);
    let boss = house.person(tenant, "boss@example.org", "correct horse").await;
    house.grant(tenant, boss, "tessera.admin").await;
    let peer = house.person(tenant, "peer@example.org", "correct horse").await;
    house.grant(tenant, peer, "support").await;
    let keeper = house.person(tenant, "keeper@example.org", "correct horse").await;
    house.role(tenant, "keeper", &["tessera.admin.keys"]).await;
    house.grant(tenant, keeper, "keeper").await;
    let machine = house.engine.create_subject(
        &tenant.admin,
        house.engine.command_id(),
        (SubjectKind::Machine, vec![]),
        None,
    );
    let machine = machine.await.expect("made").made.subject.expect("an id");
    for subject in [boss, peer, keeper, machine, scene.sue, tenant.admin.subject] {
        assert_eq!(house.refused(&scene.by, act(subject, &["orders.*"])).await, Refusal::BeyondCreator);
    }
    // An admin acts for no other admin either.
    assert_eq!(house.refused(&tenant.admin, act(boss, &["orders.*"])).await, Refusal::BeyondCreator);
    house.submit(&tenant.admin, act(keeper, &["*"])).await;
    let stranger = house.refused(&scene.by, act(PublicId([9; 16]), &["orders.*"])).await;
    assert_eq!(stranger, Refusal::SubjectUnknown);
    let with = |ttl_s, reason: &str, texts: &[&str]| Command::Impersonate {
        subject: scene.amy,
        patterns: patterns(texts),
        ttl_s,
        reason: reason.into(),
    };
    let long = "x".repeat(REASON_BYTES_MAX + 1);
    for (command, refusal) in [
        (with(0, "why", &["*"]), Refusal::DeadlinePassed),
        (with(ACTING_TTL_S_MAX + 1, "why", &["*"]), Limit::ActingTtl.reached()),
        (with(60, "", &["*"]), Refusal::Malformed),
        (with(60, " ", &["*"]), Refusal::Malformed),
        (with(60, "a\nb", &["*"]), Refusal::Malformed),
        (with(60, &long, &["*"]), Limit::ReasonBytes.reached()),
        (with(60, "why", &[]), Refusal::Malformed),
    ] {
        assert_eq!(house.refused(&scene.by, command).await, refusal);
    }
    // A key of the support's is restricted: what acts by it is, too. Whoever is not allowed at all is told so.
    let expires = house.engine.now().plus_seconds(600).to_deadline();
    let made = key(scene.sue, patterns(&["tessera.sessions.open", "orders.*"]), expires, Private::default());
    house.grant(tenant, scene.sue, "keeper").await;
    let made = house.submit(&scene.by, made).await.made.handle.expect("a key");
    let bot = house.bind(&made).await;
    assert_eq!(house.refused(&bot, act(scene.amy, &["*"])).await, Refusal::BeyondCreator);
    let session = house.submit(&bot, act(scene.amy, &["orders.read"])).await.made;
    assert_eq!(session.expires, Some(expires.to_millis()), "no longer than the key");
    let amys = house.sign_in(tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let amys = house.bind(&amys).await;
    assert_eq!(house.refused(&amys, act(boss, &["*"])).await, Refusal::Unauthorized);
    // Whoever acts on a limited device is limited by it.
    let (name, key) = (Name::new("desk").expect("a name"), Thumbprint([1; 32]));
    let command = Command::RegisterDevice { subject: scene.sue, name, key };
    let device = house.submit(&tenant.admin, command).await.made.device;
    let view = tenant.admin.entry.view();
    let record = view.as_ref().expect("awake").listing().subject(scene.sue).expect("sue").clone();
    drop(view);
    let (subject, seen_cut_off) = (record.index, record.cut_off);
    let device = device.map(Into::into);
    let open = Command::OpenSession { subject, seen_cut_off, identifier: None, acr: 0, device };
    let desk = house.submit(&tenant.admin, open).await.made.handle.expect("a handle");
    let desk = house.bind(&desk).await;
    let acting = house.submit(&desk, act(scene.amy, &["*"])).await.made.handle.expect("a handle");
    assert_eq!(scene.reason(&acting, "profile.read"), Reason::None);
    let texts = patterns(&["orders.*", "tessera.sessions.open"]);
    let limit = Command::LimitTrust { trust: Trust::Unverified, patterns: texts };
    house.submit(&tenant.admin, limit).await;
    assert_eq!(scene.reason(&acting, "profile.read"), Reason::BeyondDevice);
    assert_eq!(scene.reason(&acting, "orders.read"), Reason::None);
    // However many act, amy's own sessions stay: her limit is hers.
    house.set(tenant, |settings| settings.sessions_max = 2).await;
    for _ in 0..4 {
        house.submit(&scene.by, act(scene.amy, &["orders.*"])).await;
    }
    house.sign_in(tenant, "amy@example.org", "correct horse").await.expect("room for one more");
    assert!(house.engine.is_alive(&amys));
}

/// PROPERTY: what the actor's key is bound to, what was begun with it is bound to: used from elsewhere it is denied.
#[tokio::test]
async fn acting_stays_in_the_networks_of_the_actors_key() {
    let scene = Scene::new().await;
    let network = tessera_model::Network::parse("192.0.2.0/24").expect("a network");
    let command = Command::CreateKey {
        subject: scene.sue,
        patterns: Vec::new(),
        expires: scene.house.engine.now().plus_seconds(3_600).to_deadline(),
        description: Private::default(),
        client: None,
        networks: vec![network],
    };
    scene.house.role(&scene.tenant, "maker", &["tessera.admin.keys"]).await;
    scene.house.grant(&scene.tenant, scene.sue, "maker").await;
    let key = scene.house.submit(&scene.by, command).await.made.handle.expect("a key");
    let inside: std::net::IpAddr = "192.0.2.7".parse().expect("an address");
    let by = scene.house.engine.hello_from(&key.to_bytes(), None, Some(inside)).expect("bound");
    let acting = scene.house.submit(&by, act(scene.amy, &["orders.*"])).await.made.handle.expect("a handle");
    let from = |address: &str| {
        let view = scene.tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let query = tessera_model::CheckQuery {
            handle: &acting.to_bytes(),
            permission: tessera_model::PermissionRef::Name("orders.read"),
            workspace: WorkspaceRef::Tenant,
            at_least: tessera_model::Receipt::default(),
            address: Some(address.parse().expect("an address")),
        };
        scene.house.engine.check(&scene.tenant.admin, &scene.house.engine.read(view), &query).reason
    };
    assert_eq!(from("192.0.2.9"), Reason::None);
    assert_eq!(from("198.51.100.1"), Reason::AddressNotAllowed);
}

/// PROPERTY: where what lets the actor act counts from some networks alone, the session in which it acts does so too:
/// by the address that is said, and by that of whoever uses it; of another's that nobody knows it is over.
#[tokio::test]
async fn acting_counts_where_the_actors_grant_counts() {
    let scene = Scene::new().await;
    let acting = scene.acting(&["orders.*"]).await;
    scene.support_from_a_network().await;
    let address = |text: &str| text.parse::<std::net::IpAddr>().expect("an address");
    let ask = |by: &Bound, said: Option<&str>| {
        let view = by.entry.view();
        let query = tessera_model::CheckQuery {
            handle: &acting.to_bytes(),
            permission: tessera_model::PermissionRef::Name("orders.read"),
            workspace: WorkspaceRef::Tenant,
            at_least: tessera_model::Receipt::default(),
            address: said.map(address),
        };
        let reading = scene.house.engine.read(view.as_ref().expect("awake"));
        scene.house.engine.check(by, &reading, &query).reason
    };
    let mut admin = scene.tenant.admin.clone();
    admin.peer = Some(address("192.0.2.1"));
    assert_eq!(ask(&admin, Some("192.0.2.7")), Reason::None);
    assert_eq!(ask(&admin, Some("198.51.100.1")), Reason::ActorGone);
    assert_eq!(ask(&admin, None), Reason::ActorGone);
    let hello = |from: &str| scene.house.engine.hello_from(&acting.to_bytes(), None, Some(address(from)));
    assert_eq!(ask(&hello("192.0.2.7").expect("bound"), None), Reason::None);
    assert!(hello("198.51.100.1").is_err());
}
