//! The life of sessions, keys and subjects through the whole engine, over a store in memory.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use support::{House, START_MS, grant};
use tessera_engine::{EngineConfig, HelloRefusal};
use tessera_model::{
    Cell, CellId, CellName, Command, Deadline, Epoch, Fleet, Handle, HandleBytes, Name, Pattern, Placement,
    Private, PublicId, Reason, Refusal, TenantId, UnixMillis,
};
use tessera_storage::{Memory, Store};

/// PROPERTY: the main job: sign in, permit, revoke, deny; each at the next check.
#[tokio::test]
async fn a_session_is_permitted_until_it_is_revoked() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "Amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    let session = house.sign_in(&tenant, "amy@EXAMPLE.org", "correct horse").await.expect("signed in");
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::NotGranted);
    house.grant(&tenant, amy, "reader").await;
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::None);
    assert_eq!(house.check(&tenant, &session, "orders.write").reason, Reason::PermissionUnknown);
    let id = PublicId::of_place(UnixMillis(START_MS).to_deadline(), session.place, session.generation);
    house.submit(&tenant.admin, Command::EndSession { session: id }).await;
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::Revoked);
    let wrong = house.sign_in(&tenant, "amy@example.org", "wrong").await;
    assert_eq!(wrong.err(), Some(Refusal::SignInFailed.into()));
    let unknown = house.sign_in(&tenant, "bob@example.org", "wrong").await;
    assert_eq!(unknown.err(), Some(Refusal::SignInFailed.into()));
}

/// PROPERTY: idle and absolute ends hold to the millisecond, touch moves the idle end only (F-24).
#[tokio::test]
async fn f_24_what_is_said_of_ends_is_what_holds() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let mut settings = tenant.admin.entry.view().as_ref().expect("awake").listing().settings();
    settings.session_idle_s = 120;
    house.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() }).await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let ask = || house.check(&tenant, &session, "orders.read");
    assert_eq!(ask().valid_until, UnixMillis(START_MS + 120_000));
    house.pass(100_000);
    let touch = || Command::TouchSession { place: session.place, generation: session.generation };
    let done = house.submit(&tenant.admin, touch()).await;
    assert_eq!(done.made.idle_until, Some(UnixMillis(START_MS + 220_000)));
    house.pass(119_999);
    assert_eq!(ask().reason, Reason::None);
    house.pass(1);
    assert_eq!(ask().reason, Reason::Idle);
    let late = house.engine.submit(&tenant.admin, house.engine.command_id(), touch()).await;
    assert_eq!(late.err(), Some(Refusal::SessionUnknown.into()));
    // Touched every 90 s, a session ends at its absolute end all the same.
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let opened = house.engine.now().0;
    let touch = || Command::TouchSession { place: session.place, generation: session.generation };
    let mut last = None;
    while house.engine.now().0 + 90_000 < opened + 86_400_000 {
        house.pass(90_000);
        last = house.submit(&tenant.admin, touch()).await.made.idle_until;
    }
    assert_eq!(last, Some(UnixMillis(opened + 86_400_000)));
    house.clock.0.store(opened + 86_400_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(house.check(&tenant, &session, "orders.read").reason, Reason::Expired);
}

/// PROPERTY: a password change ends the other sessions and no key; an admin's reset ends all (F-26).
/// TC-14 in part: sessions.
#[tokio::test]
async fn f_26_a_changed_password_throws_intruders_out() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in"));
    }
    let mut keys = Vec::new();
    for _ in 0..2 {
        let expires = house.engine.now().plus_seconds(86_400).to_deadline();
        let patterns = vec![Pattern::new("orders.read").expect("a pattern")];
        let description = Private::new(b"a key".to_vec());
        let admin_has_it = grant(tenant.admin.subject, "reader");
        house.submit(&tenant.admin, admin_has_it).await;
        let command = support::key(amy, patterns, expires, description);
        keys.push(house.submit(&tenant.admin, command).await.made.handle.expect("a key"));
    }
    let own = house.engine.hello(&sessions[2].to_bytes(), None).expect("bound");
    let (old, new) = (Private::new(b"correct horse".to_vec()), Private::new(b"battery staple".to_vec()));
    let changed = house.engine.change_password(&own, house.engine.command_id(), old, new).await;
    assert!(changed.is_ok());
    for (at, session) in sessions.iter().enumerate() {
        let wanted = if at == 2 { Reason::None } else { Reason::Revoked };
        assert_eq!(house.check(&tenant, session, "orders.read").reason, wanted, "session {at}");
    }
    let secret = house.reset(&tenant.admin, amy, false).await;
    assert_eq!(house.check(&tenant, &sessions[2], "orders.read").reason, Reason::None);
    assert!(house.set_up(&secret, "set by recovery").await.is_ok());
    assert_eq!(house.check(&tenant, &sessions[2], "orders.read").reason, Reason::Revoked);
    for key in &keys {
        assert_eq!(house.check(&tenant, key, "orders.read").reason, Reason::None);
    }
}

/// PROPERTY: a suspended owner's sessions end and keys are denied at the next check; resumed, keys live
/// and sessions do not; deleted, nothing does, for ever (F-29).
/// TC-19 in part: suspension.
#[tokio::test]
async fn f_29_keys_follow_their_owner() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    house.submit(&tenant.admin, grant(tenant.admin.subject, "reader")).await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let command = Command::CreateKey {
        subject: amy,
        patterns: vec![Pattern::new("orders.read").expect("a pattern")],
        expires,
        description: Private::default(),
        client: None,
        networks: Vec::new(),
    };
    let key = house.submit(&tenant.admin, command).await.made.handle.expect("a key");
    let ask = |handle| house.check(&tenant, handle, "orders.read").reason;
    assert_eq!((ask(&key), ask(&session)), (Reason::None, Reason::None));
    house.submit(&tenant.admin, Command::SuspendSubject { subject: amy }).await;
    assert_eq!((ask(&key), ask(&session)), (Reason::SubjectSuspended, Reason::Revoked));
    assert!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.is_err());
    house.submit(&tenant.admin, Command::ResumeSubject { subject: amy }).await;
    assert_eq!((ask(&key), ask(&session)), (Reason::None, Reason::Revoked));
    house.submit(&tenant.admin, Command::DeleteSubject { subject: amy }).await;
    assert_eq!((ask(&key), ask(&session)), (Reason::SubjectDeleted, Reason::SubjectDeleted));
    // The identifier is free again, and nothing of the old one comes back.
    let again = house.person(&tenant, "amy@example.org", "correct horse").await;
    assert_ne!(again, amy);
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    assert_eq!(ask(&session), Reason::NotGranted);
}

/// PROPERTY: a grant's window holds to the millisecond, before, in and after it.
/// TC-75.
#[tokio::test]
async fn windows_of_grants_are_exact() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let at = |seconds: u32| UnixMillis(START_MS).plus_seconds(seconds).to_deadline();
    let role = Name::new("reader").expect("a name");
    let window =
        |from, until| Command::Grant { subject: amy, role: role.clone(), workspace: None, from, until };
    house.submit(&tenant.admin, window(at(10), at(20))).await;
    let ask = || house.check(&tenant, &session, "orders.read");
    assert_eq!((ask().reason, ask().valid_until), (Reason::NotGranted, at(10).to_millis()));
    house.pass(9_999);
    assert_eq!(ask().reason, Reason::NotGranted);
    house.pass(1);
    assert_eq!((ask().reason, ask().valid_until), (Reason::None, at(20).to_millis()));
    house.pass(9_999);
    assert_eq!(ask().reason, Reason::None);
    house.pass(1);
    assert_eq!(ask().reason, Reason::NotGranted);
    for (from, until) in [(at(40), at(30)), (Deadline::NONE, at(20)), (at(5), at(5))] {
        let refused =
            house.engine.submit(&tenant.admin, house.engine.command_id(), window(from, until)).await;
        assert_eq!(refused.err(), Some(Refusal::DeadlinePassed.into()));
    }
}

/// PROPERTY: a key never covers more than its creator may do for as long as it lives: not what the
/// owner has and the creator lacks, not by a wildcard, not beyond the end of the creator's own grant,
/// and not by being made for somebody who is granted more later.
#[tokio::test]
async fn keys_stay_within_their_creator() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let make = |patterns: &[&str]| Command::CreateKey {
        subject: amy,
        patterns: patterns.iter().map(|text| Pattern::new(text).expect("a pattern")).collect(),
        expires,
        description: Private::default(),
        client: None,
        networks: Vec::new(),
    };
    let order = |command| house.engine.submit(&tenant.admin, house.engine.command_id(), command);
    for patterns in [&[][..], &["orders.read"], &["orders.*"], &["*"], &["tessera.check", "orders.read"]] {
        let refused = order(make(patterns)).await;
        assert_eq!(refused.err(), Some(Refusal::BeyondCreator.into()), "{patterns:?}");
    }
    assert!(order(make(&["tessera.check"])).await.is_ok());
    let role = Name::new("reader").expect("a name");
    let until = house.engine.now().plus_seconds(3_600).to_deadline();
    let short =
        Command::Grant { subject: tenant.admin.subject, role, workspace: None, from: Deadline::NONE, until };
    house.submit(&tenant.admin, short).await;
    assert_eq!(order(make(&["orders.read"])).await.err(), Some(Refusal::BeyondCreator.into()));
    house.submit(&tenant.admin, grant(tenant.admin.subject, "reader")).await;
    assert!(order(make(&["orders.read"])).await.is_ok());
    // What holds in the whole tenant ends at a wall: behind it the owner may hold what the creator does not.
    let wall =
        Command::CreateWorkspace { name: Name::new("vault").expect("a name"), parent: None, inherits: false };
    house.submit(&tenant.admin, wall).await;
    assert_eq!(order(make(&["orders.read"])).await.err(), Some(Refusal::BeyondCreator.into()));
    let (role, workspace) = (Name::new("reader").expect("a name"), Name::new("vault").expect("a name"));
    let none = Deadline::NONE;
    let there = Command::Grant {
        subject: tenant.admin.subject,
        role,
        workspace: Some(workspace),
        from: none,
        until: none,
    };
    house.submit(&tenant.admin, there).await;
    assert!(order(make(&["orders.read"])).await.is_ok());
}

fn fleet_of_three() -> Fleet {
    let cell = |id: u16| Cell {
        id: CellId(id),
        name: CellName::new(&format!("c{id}")).expect("a name"),
        address: format!("c{id}.example.org:7443").into(),
        certificate: format!("c{id}.example.org").into(),
        http: "".into(),
    };
    let own = CellName::new("c2").expect("a name");
    Fleet::new(1, &own, (1..=3).map(cell).collect()).expect("a fleet")
}

async fn in_cell_two(store: &Arc<dyn Store>) -> House {
    let config = EngineConfig { cell: CellId(2), ..EngineConfig::default() };
    let house = House::configured(Arc::clone(store), START_MS, config).await;
    assert!(house.engine.set_fleet(fleet_of_three()));
    house
}

/// PROPERTY: of what is said about where tenants live the highest epoch of each counts, in whatever order it comes, over
/// a restart from checkpoint and journal; two that know the same have one digest. METHOD: random placements beside an
/// ordered map, and what the map holds told to another engine.
#[tokio::test]
async fn the_highest_epoch_says_where_a_tenant_lives() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = in_cell_two(&store).await;
    let (mut plain, mut dice) = (BTreeMap::new(), 7_u64);
    for step in 0..300 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = |shift: u32, most: u64| (dice >> shift) % most;
        let cell = |shift| CellId(1 + u16::try_from(draw(shift, 3)).expect("small"));
        let tenant = TenantId::new(cell(20), 50 + draw(30, 9));
        let (epoch, cell) = (Epoch(draw(40, 9)), cell(50));
        let known = plain.get(&tenant).map_or(Epoch(0), |(epoch, _)| *epoch);
        let told = house.engine.place(Placement { tenant, epoch, cell }).await;
        if epoch > known {
            assert_eq!(told, Ok(()));
            plain.insert(tenant, (epoch, cell));
        } else {
            assert_eq!(told, Err(Refusal::PlacementOld.into()));
        }
        if step == 200 {
            assert!(house.engine.checkpoint().await);
        }
    }
    let all = |house: &House| {
        let mut rows = Vec::new();
        // Pages of four.
        loop {
            let page = house.engine.placements(rows.last().map(|row: &Placement| row.tenant), 4);
            if page.is_empty() {
                break;
            }
            rows.extend(page);
        }
        rows.into_iter().map(|row| (row.tenant, (row.epoch, row.cell))).collect::<BTreeMap<_, _>>()
    };
    let told = house.engine.placements_told();
    assert_eq!((all(&house), told.0), (plain.clone(), u64::try_from(plain.len()).expect("small")));
    house.engine.stop().await;
    let house = in_cell_two(&store).await;
    assert_eq!((all(&house), house.engine.placements_told()), (plain.clone(), told));
    let other = in_cell_two(&(Arc::new(Memory::new(1 << 20)) as Arc<dyn Store>)).await;
    for (tenant, (epoch, cell)) in plain {
        other.engine.place(Placement { tenant, epoch, cell }).await.expect("placed");
    }
    assert_eq!(other.engine.placements_told(), told);
}

/// A handle like another one, of another tenant and cell.
fn of(tenant: TenantId, cell: CellId, mut handle: Handle) -> HandleBytes {
    (handle.tenant, handle.cell) = (tenant, cell);
    handle.to_bytes()
}

/// PROPERTY: a tenant that is placed elsewhere, or is in dispute, is answered by nobody here: Hello says where it lives,
/// commands are sent there, no check is a Permit; a higher epoch opens it again, sessions and all. Whoever asks of a
/// tenant that was born elsewhere is sent to the cell of its birth, of whatever is not in the fleet it is refused.
#[tokio::test]
async fn a_tenant_that_lives_elsewhere_is_closed_here() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = in_cell_two(&store).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    assert_eq!(tenant.id.cell(), CellId(2));
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let key = tenant.admin_key.to_bytes();
    let hello = |house: &House, key: HandleBytes| house.engine.hello(&key, None).err();
    let permitted = || house.check(&tenant, &session, "orders.read").is_permit();
    let place = |epoch, cell| Placement { tenant: tenant.id, epoch: Epoch(epoch), cell: CellId(cell) };
    let order = || Command::RegisterPermission { name: Name::new("orders.write").expect("a name") };
    assert!(permitted() && hello(&house, key).is_none());
    for (epoch, disputed) in [(1, false), (3, true)] {
        if disputed {
            assert!(!house.engine.dispute(place(epoch, 3)), "another epoch is no dispute");
            assert!(house.engine.dispute(place(epoch - 1, 3)) && !house.engine.dispute(place(epoch - 1, 3)));
        } else {
            house.engine.place(place(epoch, 3)).await.expect("placed");
        }
        assert!(!permitted() && tenant.admin.entry.is_away());
        assert_eq!(hello(&house, key), Some(HelloRefusal::Elsewhere(CellId(3))));
        let told = house.engine.submit(&tenant.admin, house.engine.command_id(), order()).await;
        assert_eq!(told.err(), Some(Refusal::Redirect.into()));
        if !disputed {
            let suspend = Command::SuspendTenant { tenant: tenant.id };
            assert_eq!(house.refused(&operator, suspend).await, Refusal::Redirect);
        }
        house.engine.place(place(epoch + if disputed { 0 } else { 1 }, 2)).await.expect("placed");
        assert!(permitted() && hello(&house, key).is_none());
    }
    house.submit(&tenant.admin, order()).await;
    assert_eq!(
        hello(&house, of(TenantId::new(CellId(1), 5), CellId(2), tenant.admin_key)),
        Some(HelloRefusal::Elsewhere(CellId(1)))
    );
    assert_eq!(
        hello(&house, of(TenantId::new(CellId(9), 5), CellId(2), tenant.admin_key)),
        Some(HelloRefusal::Refused)
    );
    // Operators are of one cell: they are sent home, and with a tenant's name refused.
    let stray = of(TenantId::SYSTEM, CellId(1), tenant.admin_key);
    assert_eq!(hello(&house, stray), Some(HelloRefusal::Elsewhere(CellId(1))));
    assert_eq!(house.engine.hello(&stray, Some(tenant.id)).err(), Some(HelloRefusal::Refused));
    // Tenant 0 says it alone, and its own place is not to be had.
    let placed = |tenant| Command::PlaceTenant { placement: Placement { tenant, ..place(9, 1) } };
    assert_eq!(house.refused(&tenant.admin, placed(tenant.id)).await, Refusal::WrongTenant);
    assert_eq!(house.refused(&operator, placed(TenantId::SYSTEM)).await, Refusal::BuiltIn);
}
