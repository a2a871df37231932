//! The life of sessions, keys and subjects through the whole engine, over a store in memory.

use crate::support;

use support::{House, START_MS, grant};
use tessera_model::{Command, Deadline, Name, Pattern, Private, PublicId, Reason, Refusal, UnixMillis};

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
