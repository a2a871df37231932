//! Refresh: successors, repeats, reuse and its end of a family, clients and their limits, bad input.

use crate::support;

use std::collections::BTreeSet;
use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_engine::{Bound, Done, SubmitError};
use tessera_model::refresh::{ClientTerms, RefreshMode, RefreshSecret};
use tessera_model::{
    Command, CommandId, Generation, Handle, HandleKind, Name, Place, Private, PublicId, Reason, Refusal,
    Setting, TenantId, UnixMillis,
};
use tessera_storage::{Memory, Store};

struct Scene {
    house: House,
    tenant: Tenant,
    amy: PublicId,
}

impl Scene {
    async fn with(mode: RefreshMode) -> Self {
        let house = House::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.grant(&tenant, amy, "reader").await;
        house.set(&tenant, |settings| settings.refresh = u32::from(mode.number())).await;
        Self { house, tenant, amy }
    }

    /// A session of Amy's: its handle, its refresh handle.
    async fn open(&self, bound: &Bound) -> (Handle, Handle) {
        let made = self.house.open(bound, self.amy).await.expect("opened").made;
        (made.handle.expect("a handle"), made.refresh.expect("a refresh handle"))
    }

    async fn refresh(&self, handle: &Handle) -> Result<Done, SubmitError> {
        self.house.refresh(&self.tenant.admin, handle).await
    }

    /// The successor.
    async fn next(&self, handle: &Handle) -> Handle {
        self.refresh(handle).await.expect("refreshed").made.refresh.expect("a successor")
    }

    async fn refused(&self, handle: &Handle) -> Refusal {
        match self.refresh(handle).await {
            Err(SubmitError::Refused(refusal)) => refusal,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("refreshed"),
        }
    }

    fn reason(&self, session: &Handle) -> Reason {
        self.house.check(&self.tenant, session, "orders.read").reason
    }
}

fn same(left: &Handle, right: &Handle) -> bool {
    left.to_bytes() == right.to_bytes()
}

fn index(handle: &Handle) -> u32 {
    RefreshSecret::parse(&handle.secret).index
}

/// PROPERTY: a lost reply can be repeated within the grace, byte for byte, under the same command id and
/// under a new one; when the successor was used and the grace is over, the old handle is reuse and the
/// session ends (F-21, TC-16).
#[tokio::test]
async fn f_21_a_lost_reply_is_repeated() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let (session, a) = scene.open(&scene.tenant.admin).await;
    let (engine, admin) = (&scene.house.engine, &scene.tenant.admin);
    let (first, second) = (engine.command_id(), engine.command_id());
    let b = engine.refresh(admin, first, &a.to_bytes()).await.expect("refreshed");
    let b = b.made.refresh.expect("a successor");
    assert_eq!(b.to_text().get(..5), Some("tref_"));
    scene.house.pass(9_000);
    for (id, repeat) in [(first, true), (second, false), (engine.command_id(), false)] {
        let again = engine.refresh(admin, id, &a.to_bytes()).await.expect("repeated");
        assert!(same(&again.made.refresh.expect("the same"), &b));
        assert_eq!(again.repeat, repeat);
        assert!(again.made.handle.is_none(), "the session's handle is given once");
    }
    let c = scene.next(&b).await;
    scene.house.pass(10_001);
    // A command id that is remembered is a repeat, never reuse; past the grace it has no secret.
    let late = engine.refresh(admin, first, &a.to_bytes()).await.expect("a repeat");
    assert!(late.repeat && late.made.refresh.is_none());
    assert_eq!(scene.reason(&session), Reason::None);
    assert_eq!(scene.refused(&a).await, Refusal::RefreshReused);
    assert_eq!(scene.reason(&session), Reason::Revoked);
    // The whole family is dead, and says why.
    for handle in [&a, &b, &c] {
        assert_eq!(scene.refused(handle).await, Refusal::RefreshReused);
    }
}

/// PROPERTY: the grace is exact at a whole second: the last instant repeats, the first after it is reuse.
#[tokio::test]
async fn the_grace_ends_at_its_second() {
    for (passed, ends) in [(9_999, false), (10_000, true)] {
        let scene = Scene::with(RefreshMode::Rotating).await;
        let (session, a) = scene.open(&scene.tenant.admin).await;
        // The wake gives a grace of its own: get behind it.
        scene.house.pass(60_000);
        let b = scene.next(&a).await;
        scene.house.pass(passed);
        match scene.refresh(&a).await {
            Ok(done) if !ends => assert!(same(&done.made.refresh.expect("the same"), &b)),
            Err(SubmitError::Refused(Refusal::RefreshReused)) if ends => {}
            Ok(_) | Err(_) => panic!("{passed}"),
        }
        assert_eq!(scene.reason(&session) == Reason::None, !ends);
    }
}

/// PROPERTY: a fixed client's one handle refreshes a thousand times, to the absolute end and not beyond;
/// a revocation ends it at once. Of a rotating client each new handle lives and the old one does not (F-28).
#[tokio::test]
async fn f_28_fixed_and_rotating_clients() {
    let scene = Scene::with(RefreshMode::Fixed).await;
    scene.house.set(&scene.tenant, |settings| settings.session_idle_s = 120).await;
    let (session, handle) = scene.open(&scene.tenant.admin).await;
    let opened = scene.house.engine.now().0;
    for _ in 0..1_000 {
        scene.house.pass(86_300);
        let done = scene.refresh(&handle).await.expect("refreshed");
        assert!(same(&done.made.refresh.expect("the same"), &handle));
        assert_eq!(scene.reason(&session), Reason::None);
    }
    scene.house.clock.0.store(opened + 86_400_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(scene.refused(&handle).await, Refusal::SessionUnknown);
    let (session, handle) = scene.open(&scene.tenant.admin).await;
    let (place, generation) = (session.place, session.generation);
    let id = PublicId::of_place(scene.house.engine.now().to_deadline(), place, generation);
    scene.house.submit(&scene.tenant.admin, Command::EndSession { session: id }).await;
    assert_eq!(scene.refused(&handle).await, Refusal::SessionUnknown);

    let scene = Scene::with(RefreshMode::Rotating).await;
    let (session, mut current) = scene.open(&scene.tenant.admin).await;
    for round in 0..50 {
        scene.house.pass(11_000);
        let next = scene.next(&current).await;
        assert!(!same(&next, &current));
        assert_eq!(index(&next), round + 1);
        current = next;
    }
    scene.house.pass(11_000);
    let newest = scene.next(&current).await;
    scene.house.pass(11_000);
    assert_eq!(scene.refused(&current).await, Refusal::RefreshReused);
    assert_eq!(scene.refused(&newest).await, Refusal::RefreshReused);
    assert_eq!(scene.reason(&session), Reason::Revoked);
}

/// PROPERTY: a refresh moves the idle end as a touch does, never beyond the absolute end, and the reply
/// says what a check says (F-24).
#[tokio::test]
async fn f_24_a_refresh_moves_the_idle_end() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    scene.house.set(&scene.tenant, |settings| settings.session_idle_s = 120).await;
    let made = scene.house.open(&scene.tenant.admin, scene.amy).await.expect("opened").made;
    let (session, mut handle) = (made.handle.expect("a handle"), made.refresh.expect("a refresh handle"));
    assert_eq!(made.expires, Some(UnixMillis(START_MS + 86_400_000)));
    assert_eq!(made.idle_until, Some(UnixMillis(START_MS + 120_000)));
    assert_eq!(made.refresh_until, Some(UnixMillis(START_MS + 86_400_000)));
    let ask = || scene.house.check(&scene.tenant, &session, "orders.read");
    scene.house.pass(100_000);
    let done = scene.refresh(&handle).await.expect("refreshed");
    assert_eq!(done.made.idle_until, Some(UnixMillis(START_MS + 220_000)));
    assert_eq!(ask().valid_until, UnixMillis(START_MS + 220_000));
    handle = done.made.refresh.expect("a successor");
    scene.house.pass(119_999);
    assert_eq!(ask().reason, Reason::None);
    // And with many refreshes the session ends at its absolute end all the same.
    let mut last = None;
    while scene.house.engine.now().0 + 90_000 < START_MS + 86_400_000 {
        let done = scene.refresh(&handle).await.expect("refreshed");
        handle = done.made.refresh.expect("a successor");
        last = done.made.idle_until;
        assert_eq!(Some(ask().valid_until), last);
        scene.house.pass(90_000);
    }
    assert!(last.expect("refreshed") <= UnixMillis(START_MS + 86_400_000));
    assert_eq!(scene.refresh(&handle).await.expect("refreshed").made.idle_until, made.expires);
    scene.house.clock.0.store(START_MS + 86_400_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(ask().reason, Reason::Expired);
    assert_eq!(scene.refused(&handle).await, Refusal::SessionUnknown);
}

/// PROPERTY: an idle session's refresh handle does not bring it back, and a refresh handle ends with its own
/// lifetime while the session lives on.
#[tokio::test]
async fn what_has_expired_stays_expired() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    scene.house.set(&scene.tenant, |settings| settings.session_idle_s = 120).await;
    let (session, handle) = scene.open(&scene.tenant.admin).await;
    scene.house.pass(120_000);
    assert_eq!(scene.reason(&session), Reason::Idle);
    assert_eq!(scene.refused(&handle).await, Refusal::SessionUnknown);
    let short = |settings: &mut tessera_model::Settings| {
        (settings.session_idle_s, settings.refresh_ttl_s) = (3_600, 60);
    };
    scene.house.set(&scene.tenant, short).await;
    let (session, handle) = scene.open(&scene.tenant.admin).await;
    scene.house.pass(59_999);
    let next = scene.next(&handle).await;
    scene.house.pass(61_000);
    assert_eq!(scene.refused(&next).await, Refusal::RefreshExpired);
    assert_eq!(scene.reason(&session), Reason::None, "nothing happened to the session");
    // A tenant that switches refresh off takes none any more.
    let (session, handle) = scene.open(&scene.tenant.admin).await;
    scene.house.set(&scene.tenant, |settings| settings.refresh = u32::from(RefreshMode::Off.number())).await;
    assert_eq!(scene.refused(&handle).await, Refusal::RefreshExpired);
    assert_eq!(scene.reason(&session), Reason::None);
    assert!(scene.house.open(&scene.tenant.admin, scene.amy).await.expect("opened").made.refresh.is_none());
}

/// PROPERTY: after a changed password only the session that changed it refreshes (F-26).
#[tokio::test]
async fn f_26_refresh_handles_of_intruders_are_refused() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(scene.open(&scene.tenant.admin).await);
    }
    let own = scene.house.engine.hello(&opened[2].0.to_bytes(), None).expect("bound");
    let (old, new) = (Private::new(b"correct horse".to_vec()), Private::new(b"battery staple".to_vec()));
    let id = scene.house.engine.command_id();
    assert!(scene.house.engine.change_password(&own, id, old, new).await.is_ok());
    for (at, (session, handle)) in opened.iter().enumerate() {
        if at == 2 {
            assert_eq!(scene.reason(session), Reason::None);
            // A session refreshes itself, without any permission.
            assert!(scene.house.refresh(&own, handle).await.is_ok());
        } else {
            assert_eq!(scene.refused(handle).await, Refusal::SessionUnknown);
        }
    }
    let suspended = Command::SuspendSubject { subject: scene.amy };
    let (_, handle) = scene.open(&scene.tenant.admin).await;
    scene.house.submit(&scene.tenant.admin, suspended).await;
    assert_eq!(scene.refused(&handle).await, Refusal::SessionUnknown);
}

/// PROPERTY: parallel uses of one handle meet in one successor, which alone goes on; never a fork (TC-17).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tc_17_parallel_refreshes_leave_one_successor() {
    for parallel in [20, 64] {
        let scene = Scene::with(RefreshMode::Rotating).await;
        let (session, a) = scene.open(&scene.tenant.admin).await;
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..parallel {
            let (engine, admin) = (scene.house.engine.clone(), scene.tenant.admin.clone());
            let id = engine.command_id();
            running.spawn(async move { engine.refresh(&admin, id, &a.to_bytes()).await });
        }
        let mut successors = BTreeSet::new();
        while let Some(done) = running.join_next().await {
            let done = done.expect("no panic").expect("refreshed");
            successors.insert(done.made.refresh.expect("a successor").to_bytes());
        }
        assert_eq!(successors.len(), 1);
        let b = Handle::parse(successors.first().expect("one")).expect("a handle");
        assert_eq!(index(&b), 1);
        let c = scene.next(&b).await;
        assert_eq!(index(&c), 2);
        scene.house.pass(60_000);
        assert_eq!(scene.reason(&session), Reason::None);
        assert_eq!(scene.refused(&b).await, Refusal::RefreshReused);
    }
}

/// PROPERTY: whatever is not an authentic refresh handle of this tenant's living session is refused by its
/// type, and ends nothing (TC-20, TC-24).
/// TC-59 in part: a handle whose tenant was exchanged.
#[tokio::test]
async fn tc_24_what_is_no_refresh_handle_ends_nothing() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let operator = scene.house.operator().await;
    let other = scene.house.tenant(&operator, "other").await;
    scene.house.set(&other, |settings| settings.refresh = u32::from(RefreshMode::Rotating.number())).await;
    let bob = scene.house.person(&other, "bob@example.org", "correct horse").await;
    let foreign = scene.house.open(&other.admin, bob).await.expect("opened").made.refresh.expect("a handle");
    let (session, refresh) = scene.open(&scene.tenant.admin).await;
    let (_, second) = scene.open(&scene.tenant.admin).await;
    let forged = Handle { secret: [9; 20], ..refresh };
    let skipped = RefreshSecret { index: 5, ..RefreshSecret::parse(&refresh.secret) };
    let wrong = [
        ("another tenant's", foreign),
        ("a relabelled tenant's", Handle { tenant: scene.tenant.id, ..foreign }),
        ("another place's", Handle { place: second.place, ..refresh }),
        ("no place's", Handle { place: Place(900_000), ..refresh }),
        ("a later generation's", Handle { generation: Generation(refresh.generation.0 + 1), ..refresh }),
        ("a forged", forged),
        ("a skipped", Handle { secret: skipped.to_bytes(), ..refresh }),
        ("another cell's", Handle { cell: tessera_model::CellId(9), ..refresh }),
        ("the session's secret", Handle { kind: HandleKind::Refresh, ..session }),
    ];
    for (what, handle) in &wrong {
        assert_eq!(scene.refused(handle).await, Refusal::SessionUnknown, "{what}");
    }
    for handle in [session, scene.tenant.admin_key, Handle { kind: HandleKind::Key, ..refresh }] {
        assert_eq!(scene.refused(&handle).await, Refusal::Malformed);
    }
    // And a refresh handle opens nothing but a refresh: no Hello, no check, no introspection.
    assert!(scene.house.engine.hello(&refresh.to_bytes(), None).is_err());
    assert_eq!(scene.reason(&refresh), Reason::HandleKindWrong);
    let view = scene.tenant.admin.entry.view();
    let reading = view.as_ref().expect("awake").read(scene.house.engine.now());
    let found = scene.house.engine.introspect(&scene.tenant.admin, &reading, (&refresh.to_bytes(), None));
    assert!(found.is_err());
    drop(view);
    // A caller who may not open sessions cannot refresh them either; another tenant's operator sees nothing.
    let (own, _) = scene.open(&scene.tenant.admin).await;
    let own = scene.house.engine.hello(&own.to_bytes(), None).expect("bound");
    let refused = scene.house.refresh(&own, &refresh).await;
    assert_eq!(refused.err(), Some(Refusal::Unauthorized.into()));
    let refused = scene.house.refresh(&other.admin, &refresh).await;
    assert_eq!(refused.err(), Some(Refusal::SessionUnknown.into()));
    assert_eq!(scene.reason(&session), Reason::None, "none of it ended anything");
    assert_eq!(index(&scene.next(&refresh).await), 1);
    assert_eq!(foreign.tenant, other.id);
    assert_ne!(foreign.tenant, TenantId::SYSTEM);
}

/// PROPERTY: a client's handle is refused to every other client, before anything else is looked at, and
/// nothing happens; a deleted client's sessions end, and its keys open no more.
#[tokio::test]
async fn handles_are_their_clients_own() {
    let scene = Scene::with(RefreshMode::Off).await;
    let rotating = ClientTerms { refresh: RefreshMode::Rotating, ..ClientTerms::default() };
    let phone = scene.house.client(&scene.tenant, "phone", rotating).await;
    let desk = scene.house.client(&scene.tenant, "desk", rotating).await;
    let (session, a) = scene.open(&phone).await;
    let engine = &scene.house.engine;
    let id = engine.command_id();
    let b = engine.refresh(&phone, id, &a.to_bytes()).await.expect("refreshed").made.refresh.expect("one");
    scene.house.pass(60_000);
    let wrong: SubmitError = Refusal::WrongClient.into();
    for stranger in [&desk, &scene.tenant.admin] {
        // Even what would be reuse, and even under the id of the client's own command.
        assert_eq!(scene.house.refresh(stranger, &a).await.err(), Some(wrong));
        assert_eq!(scene.house.refresh(stranger, &b).await.err(), Some(wrong));
        assert_eq!(engine.refresh(stranger, id, &a.to_bytes()).await.err(), Some(wrong));
    }
    assert_eq!(scene.reason(&session), Reason::None);
    assert!(scene.house.refresh(&phone, &b).await.is_ok());
    // The client's own terms count.
    let name = |text| Name::new(text).expect("a name");
    let terms = ClientTerms { session_ttl_s: 600, session_idle_s: 60, refresh_ttl_s: 300, ..rotating };
    scene.house.submit(&scene.tenant.admin, Command::ChangeClient { name: name("desk"), terms }).await;
    let made = scene.house.open(&desk, scene.amy).await.expect("opened").made;
    let now = engine.now();
    assert_eq!(made.expires, Some(now.plus_seconds(600)));
    assert_eq!(made.idle_until, Some(now.plus_seconds(60)));
    assert_eq!(made.refresh_until, Some(now.plus_seconds(300)));
    assert!(scene.house.open(&scene.tenant.admin, scene.amy).await.expect("opened").made.refresh.is_none());
    let desks = made.handle.expect("a handle");
    scene.house.submit(&scene.tenant.admin, Command::DeleteClient { name: name("phone") }).await;
    assert_eq!(scene.reason(&session), Reason::Revoked);
    assert_eq!(scene.reason(&desks), Reason::None);
    let refused = scene.house.open(&phone, scene.amy).await;
    assert_eq!(refused.err(), Some(Refusal::ClientUnknown.into()));
    // A client of the same name is another one: the old key does not come to life with it.
    let command = Command::CreateClient { name: name("phone"), terms: rotating };
    scene.house.submit(&scene.tenant.admin, command).await;
    let refused = scene.house.open(&phone, scene.amy).await;
    assert_eq!(refused.err(), Some(Refusal::ClientUnknown.into()));
}

/// PROPERTY: clients are made, changed and deleted by name; bad terms, taken and unknown names are refused.
#[tokio::test]
async fn clients_are_refused_what_makes_no_sense() {
    let scene = Scene::with(RefreshMode::Off).await;
    let order = |command| {
        let (engine, admin) = (scene.house.engine.clone(), scene.tenant.admin.clone());
        async move { engine.submit(&admin, engine.command_id(), command).await.map(|done| done.made.number) }
    };
    let name = |text| Name::new(text).expect("a name");
    let terms = ClientTerms::default();
    assert_eq!(order(Command::CreateClient { name: name("a"), terms }).await, Ok(Some(1)));
    assert_eq!(order(Command::CreateClient { name: name("b"), terms }).await, Ok(Some(2)));
    let twice = order(Command::CreateClient { name: name("a"), terms }).await;
    assert_eq!(twice, Err(Refusal::Duplicate.into()));
    let bad = ClientTerms { session_ttl_s: 5, ..terms };
    for command in [
        Command::CreateClient { name: name("c"), terms: bad },
        Command::ChangeClient { name: name("a"), terms: bad },
    ] {
        assert_eq!(order(command).await, Err(Refusal::SettingOutOfBounds(Setting::SessionTtl).into()));
    }
    for command in
        [Command::ChangeClient { name: name("x"), terms }, Command::DeleteClient { name: name("x") }]
    {
        assert_eq!(order(command).await, Err(Refusal::ClientUnknown.into()));
    }
    assert!(order(Command::DeleteClient { name: name("a") }).await.is_ok());
    assert_eq!(
        order(Command::CreateClient { name: name("a"), terms }).await,
        Ok(Some(3)),
        "no index comes again"
    );
    let key = Command::CreateKey {
        subject: scene.tenant.admin.subject,
        patterns: Vec::new(),
        expires: scene.house.engine.now().plus_seconds(60).to_deadline(),
        description: Private::default(),
        client: Some(name("x")),
        networks: Vec::new(),
    };
    assert_eq!(order(key).await, Err(Refusal::ClientUnknown.into()));
    let listed = scene.tenant.admin.entry.view().as_ref().expect("awake").listing().clients(0, 10);
    let listed: Vec<_> = listed.rows.iter().map(|row| (row.index.0, row.name.as_str().to_owned())).collect();
    assert_eq!(listed, [(2, "b".to_owned()), (3, "a".to_owned())]);
}

/// PROPERTY: a rotation of the refresh keys ends nobody: old handles refresh and move to the new key; with
/// `now` every family of the older keys ends, and sessions without a refresh handle do not.
#[tokio::test]
async fn rotated_keys_end_nobody_and_leaked_ones_their_families() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let number = |handle: &Handle| RefreshSecret::parse(&handle.secret).number;
    let rotate = |now| Command::RotateRefreshKeys { now };
    let (first, a) = scene.open(&scene.tenant.admin).await;
    let (_, stays) = scene.open(&scene.tenant.admin).await;
    scene.house.pass(120_000);
    assert_eq!(scene.house.submit(&scene.tenant.admin, rotate(false)).await.made.number, Some(2));
    let (second, b) = scene.open(&scene.tenant.admin).await;
    assert_eq!((number(&a), number(&b)), (1, 2));
    let moved = scene.next(&a).await;
    assert_eq!((number(&moved), index(&moved)), (2, 1));
    // The lost reply of a refresh that moved on to the new key is repeated by the old handle.
    assert!(same(&scene.next(&a).await, &moved));
    scene.house.pass(120_000);
    scene.house.submit(&scene.tenant.admin, rotate(false)).await;
    assert_eq!(number(&scene.next(&stays).await), 3, "key 1 was still named by a living session");
    scene.house.pass(120_000);
    let plain = scene.house.client(&scene.tenant, "plain", ClientTerms::default()).await;
    let without = scene.house.open(&plain, scene.amy).await.expect("opened").made;
    assert!(without.refresh.is_none());
    scene.house.submit(&scene.tenant.admin, rotate(true)).await;
    for session in [&first, &second] {
        assert_eq!(scene.reason(session), Reason::Revoked);
    }
    for handle in [&a, &b, &moved, &stays] {
        assert_eq!(scene.refused(handle).await, Refusal::SessionUnknown);
    }
    assert_eq!(scene.reason(&without.handle.expect("a handle")), Reason::None);
    let (_, fresh) = scene.open(&scene.tenant.admin).await;
    assert_eq!(number(&fresh), 4);
    // 400 rotations: numbers go round, the one of a living family is never given again.
    for _ in 0..400 {
        scene.house.pass(120_000);
        let made = scene.house.submit(&scene.tenant.admin, rotate(false)).await.made.number;
        assert_ne!(made, Some(4));
        if scene.house.engine.now().0 % 3_600_000 < 240_000 {
            let session = PublicId::of_place(UnixMillis(0).to_deadline(), fresh.place, fresh.generation);
            assert_eq!(session.place(), (fresh.place, fresh.generation));
            let touch = Command::TouchSession { place: fresh.place, generation: fresh.generation };
            scene.house.submit(&scene.tenant.admin, touch).await;
        }
    }
    assert!(scene.refresh(&fresh).await.is_ok());
    let keys = scene.house.store.tenant_keys(scene.tenant.id).expect("keys");
    assert!(keys.refresh.len() <= 4, "{} keys are kept", keys.refresh.len());
}

/// PROPERTY: a key that no living session names any more is kept as long as a lost reply can be repeated by
/// a handle that was made by it; then the next rotation drops it.
#[tokio::test]
async fn a_lost_reply_outlives_two_rotations() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let rotate = || Command::RotateRefreshKeys { now: false };
    scene.house.pass(120_000);
    let (_, a) = scene.open(&scene.tenant.admin).await;
    scene.house.submit(&scene.tenant.admin, rotate()).await;
    let b = scene.next(&a).await;
    scene.house.submit(&scene.tenant.admin, rotate()).await;
    assert!(same(&scene.next(&a).await, &b));
    scene.house.pass(61_000);
    scene.house.submit(&scene.tenant.admin, rotate()).await;
    assert_eq!(scene.refused(&a).await, Refusal::SessionUnknown, "its key is gone");
    assert_eq!(index(&scene.next(&b).await), 2);
    let keys = scene.house.store.tenant_keys(scene.tenant.id).expect("keys");
    assert_eq!(keys.refresh.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 4]);
}

/// PROPERTY: a shorter idle lifetime never moves an idle end back.
#[tokio::test]
async fn an_idle_end_never_moves_back() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let (_, a) = scene.open(&scene.tenant.admin).await;
    scene.house.set(&scene.tenant, |settings| settings.session_idle_s = 60).await;
    let done = scene.refresh(&a).await.expect("refreshed");
    assert_eq!(done.made.idle_until, Some(UnixMillis(START_MS + 3_600_000)));
}

/// PROPERTY: a family, its grace, a repeat and reuse are the same after a restart; the wake starts the grace
/// anew, so that a reply that was lost with the node can be repeated.
#[tokio::test]
async fn a_restart_keeps_families() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.set(&tenant, |settings| settings.refresh = u32::from(RefreshMode::Rotating.number())).await;
    let made = house.open(&tenant.admin, amy).await.expect("opened").made;
    let (session, a) = (made.handle.expect("a handle"), made.refresh.expect("one"));
    let b = house.refresh(&tenant.admin, &a).await.expect("refreshed").made.refresh.expect("one");
    for checkpoint in [false, true] {
        if checkpoint {
            assert!(house.engine.checkpoint().await);
        }
        // Long after the rotation, but right after the wake: the same successor.
        let again = House::over(Arc::clone(&store), START_MS + 600_000).await;
        let admin = again.bind(&tenant.admin_key).await;
        let repeated = again.refresh(&admin, &a).await.expect("a repeat").made.refresh.expect("one");
        assert!(same(&repeated, &b), "{checkpoint}");
    }
    let again = House::over(Arc::clone(&store), START_MS + 600_000).await;
    let admin = again.bind(&tenant.admin_key).await;
    let c = again.refresh(&admin, &b).await.expect("refreshed").made.refresh.expect("one");
    assert_eq!(index(&c), 2);
    let tenant = Tenant { id: tenant.id, admin, admin_key: tenant.admin_key };
    again.role(&tenant, "reader", &["orders.read"]).await;
    again.grant(&tenant, amy, "reader").await;
    assert_eq!(again.check(&tenant, &session, "orders.read").reason, Reason::None);
    assert_eq!(again.refresh(&tenant.admin, &a).await.err(), Some(Refusal::RefreshReused.into()));
    assert_eq!(again.check(&tenant, &session, "orders.read").reason, Reason::Revoked);
}

/// PROPERTY: a repeat under the id of a refresh never counts as reuse, another handle under that id is told.
#[tokio::test]
async fn an_id_belongs_to_one_handle() {
    let scene = Scene::with(RefreshMode::Rotating).await;
    let (_, a) = scene.open(&scene.tenant.admin).await;
    let (_, other) = scene.open(&scene.tenant.admin).await;
    let engine = &scene.house.engine;
    let id = CommandId(PublicId::new(engine.now().0, [3; 10]).0);
    assert!(engine.refresh(&scene.tenant.admin, id, &a.to_bytes()).await.is_ok());
    let wrong = engine.refresh(&scene.tenant.admin, id, &other.to_bytes()).await;
    assert_eq!(wrong.err(), Some(Refusal::IdReused.into()));
}
