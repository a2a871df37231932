//! Limits on sessions: how many may live at once, by tenant and by client; refused or evicted.

use crate::support;

use support::{House, Tenant};
use tessera_engine::{Bound, SubmitError};
use tessera_model::refresh::{ClientTerms, RefreshMode};
use tessera_model::{Command, Handle, Limit, Name, PublicId, Reason, Refusal, Setting};

struct Scene {
    house: House,
    tenant: Tenant,
    amy: PublicId,
    bob: PublicId,
}

/// A session as it was opened.
struct Opened {
    id: PublicId,
    handle: Handle,
    evicted: Vec<PublicId>,
}

impl Scene {
    async fn new() -> Self {
        let house = House::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
        let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        house.grant(&tenant, amy, "reader").await;
        house.grant(&tenant, bob, "reader").await;
        Self { house, tenant, amy, bob }
    }

    async fn open(&self, bound: &Bound, subject: PublicId) -> Result<Opened, SubmitError> {
        let made = self.house.open(bound, subject).await?.made;
        let (id, handle) = (made.session.expect("an id"), made.handle.expect("a handle"));
        Ok(Opened { id, handle, evicted: made.evicted })
    }

    fn lives(&self, opened: &Opened) -> bool {
        let reason = self.house.check(&self.tenant, &opened.handle, "orders.read").reason;
        assert!(matches!(reason, Reason::None | Reason::Revoked | Reason::Expired | Reason::Idle));
        reason == Reason::None
    }
}

/// PROPERTY: beyond the tenant's limit a new session is refused; what has ended by any of its ways makes
/// room, another subject's sessions take none.
#[tokio::test]
async fn new_sessions_are_refused_at_the_limit() {
    let scene = Scene::new().await;
    let admin = &scene.tenant.admin;
    scene.house.set(&scene.tenant, |settings| settings.sessions_max = 2).await;
    let full: SubmitError = Refusal::SessionsLimit(Limit::SessionsMax.at(2)).into();
    let first = scene.open(admin, scene.amy).await.expect("opened");
    assert!(scene.open(admin, scene.amy).await.is_ok());
    assert_eq!(scene.open(admin, scene.amy).await.err(), Some(full));
    assert!(scene.open(admin, scene.bob).await.is_ok());
    // Ended by order.
    scene.house.submit(admin, Command::EndSession { session: first.id }).await;
    let third = scene.open(admin, scene.amy).await.expect("opened");
    assert_eq!(scene.open(admin, scene.amy).await.err(), Some(full));
    // Ended by a cut-off.
    scene.house.submit(admin, Command::EndSubjectSessions { subject: scene.amy }).await;
    assert!(!scene.lives(&third));
    for _ in 0..2 {
        assert!(scene.open(admin, scene.amy).await.is_ok());
    }
    assert_eq!(scene.open(admin, scene.amy).await.err(), Some(full));
    // Ended by time.
    scene.house.pass(3_600_000);
    for _ in 0..2 {
        assert!(scene.open(admin, scene.amy).await.is_ok());
    }
    assert_eq!(scene.open(admin, scene.amy).await.err(), Some(full));
    // Keys are no sessions.
    let key = Command::CreateKey {
        subject: scene.tenant.admin.subject,
        patterns: Vec::new(),
        expires: scene.house.engine.now().plus_seconds(600).to_deadline(),
        description: Default::default(),
        client: None,
        networks: Vec::new(),
    };
    for _ in 0..3 {
        scene.house.submit(admin, key.clone()).await;
    }
    assert!(scene.open(admin, scene.tenant.admin.subject).await.is_ok());
}

/// PROPERTY: with eviction the oldest by opening ends, is named to the caller and in the event, and is
/// denied at the next check; touching it made it no younger.
#[tokio::test]
async fn the_oldest_is_evicted() {
    let scene = Scene::new().await;
    let admin = &scene.tenant.admin;
    let evict = |settings: &mut tessera_model::Settings| {
        (settings.sessions_max, settings.sessions_over_limit) = (3, 1);
    };
    scene.house.set(&scene.tenant, evict).await;
    let mut live = std::collections::VecDeque::new();
    for round in 0..20 {
        let opened = scene.open(admin, scene.amy).await.expect("opened");
        if live.len() == 3 {
            let oldest: Opened = live.pop_front().expect("one");
            assert_eq!(opened.evicted, [oldest.id], "round {round}");
            assert!(!scene.lives(&oldest));
        } else {
            assert!(opened.evicted.is_empty());
        }
        live.push_back(opened);
        scene.house.pass(61_000);
        let oldest = live.front().expect("one");
        let touch =
            Command::TouchSession { place: oldest.handle.place, generation: oldest.handle.generation };
        scene.house.submit(admin, touch).await;
        assert!(live.iter().all(|opened| scene.lives(opened)));
    }
    let history =
        scene.house.store.history(scene.tenant.id, tessera_model::Revision(0), 1_000).expect("read");
    let named = history.iter().flat_map(|frame| &frame.events).filter_map(|event| {
        if let tessera_model::Event::SessionOpened { evicted, .. } = event {
            Some(evicted.len())
        } else {
            None
        }
    });
    assert_eq!(named.sum::<usize>(), 17);
}

/// PROPERTY: a client's limit counts its own sessions, the tenant's all; the client's is looked at first, so
/// that no more end than must.
#[tokio::test]
async fn a_client_has_a_limit_of_its_own() {
    let scene = Scene::new().await;
    let terms = |sessions_max, evict| ClientTerms { sessions_max, evict, ..ClientTerms::default() };
    let phone = scene.house.client(&scene.tenant, "phone", terms(2, true)).await;
    let desk = scene.house.client(&scene.tenant, "desk", terms(1, false)).await;
    let first = scene.open(&phone, scene.amy).await.expect("opened");
    let second = scene.open(&phone, scene.amy).await.expect("opened");
    let at_desk = scene.open(&desk, scene.amy).await.expect("opened");
    let full: SubmitError = Refusal::SessionsLimit(Limit::SessionsMax.at(1)).into();
    assert_eq!(scene.open(&desk, scene.amy).await.err(), Some(full));
    let evict = |settings: &mut tessera_model::Settings| {
        (settings.sessions_max, settings.sessions_over_limit) = (3, 1);
    };
    scene.house.set(&scene.tenant, evict).await;
    scene.house.pass(1_000);
    let third = scene.open(&phone, scene.amy).await.expect("opened");
    assert_eq!(third.evicted, [first.id]);
    assert!(scene.lives(&second) && scene.lives(&at_desk) && scene.lives(&third) && !scene.lives(&first));
    // A client without a limit of its own: the tenant's evicts the oldest, whichever client's it is.
    scene.house.pass(1_000);
    let plain = scene.open(&scene.tenant.admin, scene.amy).await.expect("opened");
    assert_eq!(plain.evicted, [second.id.min(at_desk.id)]);
}

/// PROPERTY: a limit below what lives ends nothing by itself; the next opening evicts down to it, 255 at most.
#[tokio::test]
async fn a_lowered_limit_acts_at_the_next_opening() {
    let scene = Scene::new().await;
    let admin = &scene.tenant.admin;
    let mut all = Vec::new();
    for _ in 0..300 {
        all.push(scene.open(admin, scene.amy).await.expect("opened"));
    }
    let evict = |settings: &mut tessera_model::Settings| {
        (settings.sessions_max, settings.sessions_over_limit) = (1, 1);
    };
    scene.house.set(&scene.tenant, evict).await;
    assert!(all.iter().all(|opened| scene.lives(opened)), "never retroactively");
    scene.house.pass(1_000);
    let opened = scene.open(admin, scene.amy).await.expect("opened");
    assert_eq!(opened.evicted.len(), 255);
    assert_eq!(all.iter().filter(|one| scene.lives(one)).count(), 45);
    scene.house.pass(1_000);
    let last = scene.open(admin, scene.amy).await.expect("opened");
    assert_eq!(last.evicted.len(), 46);
    assert!(!scene.lives(&opened) && scene.lives(&last));
    // With the limit refused, not evicted, nobody ends.
    scene.house.set(&scene.tenant, |settings| settings.sessions_over_limit = 0).await;
    assert!(scene.open(admin, scene.amy).await.is_err());
    assert!(scene.lives(&last));
}

/// PROPERTY: 0 never means for ever: settings refuse it, a client's 0 is the tenant's value.
#[tokio::test]
async fn f_24_zero_never_means_for_ever() {
    let scene = Scene::new().await;
    let settings = scene.tenant.admin.entry.view().as_ref().expect("awake").listing().settings();
    type Change = fn(&mut tessera_model::Settings);
    let zeros: [(Setting, Change); 5] = [
        (Setting::SessionTtl, |settings| settings.session_ttl_s = 0),
        (Setting::SessionIdle, |settings| settings.session_idle_s = 0),
        (Setting::RefreshTtl, |settings| settings.refresh_ttl_s = 0),
        (Setting::RefreshGrace, |settings| settings.refresh_grace_s = 0),
        (Setting::SessionsMax, |settings| settings.sessions_max = 0),
    ];
    for (setting, change) in zeros {
        let mut wrong = settings;
        change(&mut wrong);
        let command = Command::ChangeSettings { settings: wrong.into() };
        let refused =
            scene.house.engine.submit(&scene.tenant.admin, scene.house.engine.command_id(), command).await;
        assert_eq!(refused.err(), Some(Refusal::SettingOutOfBounds(setting).into()));
    }
    let mut wrong = settings;
    wrong.refresh_grace_s = 61;
    let command = Command::ChangeSettings { settings: wrong.into() };
    let id = scene.house.engine.command_id();
    assert!(scene.house.engine.submit(&scene.tenant.admin, id, command).await.is_err());
    let zero = ClientTerms { refresh: RefreshMode::Fixed, ..ClientTerms::default() };
    let phone = scene.house.client(&scene.tenant, "phone", zero).await;
    let made = scene.house.open(&phone, scene.amy).await.expect("opened").made;
    let now = scene.house.engine.now();
    assert_eq!(made.expires, Some(now.plus_seconds(settings.session_ttl_s)));
    assert_eq!(made.idle_until, Some(now.plus_seconds(settings.session_idle_s)));
    assert_eq!(made.refresh_until, Some(now.plus_seconds(settings.refresh_ttl_s)));
    let name = Name::new("phone").expect("a name");
    let tight = ClientTerms { sessions_max: 1, ..zero };
    scene.house.submit(&scene.tenant.admin, Command::ChangeClient { name, terms: tight }).await;
    assert_eq!(
        scene.house.open(&phone, scene.amy).await.err(),
        Some(Refusal::SessionsLimit(Limit::SessionsMax.at(1)).into())
    );
}
