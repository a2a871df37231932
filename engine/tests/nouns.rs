//! Nouns one by one: roles, workspaces, attributes, identifiers, and answers while others write.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::{House, grant};
use tessera_engine::SubmitError;
use tessera_model::record::{AttributeKind, AttributeValue};
use tessera_model::{
    CheckQuery, Command, Deadline, Identifier, Limit, Name, Pattern, PermissionRef, PublicId, Reason,
    Receipt, Refusal, WorkspaceRef,
};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// PROPERTY: a deleted role is held by nobody, and a new one of the same name starts with no holder (F-36).
/// TC-60 in part: roles.
#[tokio::test]
async fn f_36_a_role_of_the_same_name_is_another_role() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, ann, "reader").await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let ask = || house.check(&tenant, &session, "orders.read").reason;
    assert_eq!(ask(), Reason::None);
    house.submit(&tenant.admin, Command::DeleteRole { name: name("reader") }).await;
    assert_eq!(ask(), Reason::NotGranted);
    house.role(&tenant, "reader", &["orders.read"]).await;
    assert_eq!(ask(), Reason::NotGranted);
    house.grant(&tenant, ann, "reader").await;
    assert_eq!(ask(), Reason::None);
    // Workspaces likewise.
    let make = || Command::CreateWorkspace { name: name("north"), parent: None, inherits: false };
    house.submit(&tenant.admin, make()).await;
    let none = Deadline::NONE;
    let there = Command::Grant {
        subject: ann,
        role: name("reader"),
        workspace: Some(name("north")),
        from: none,
        until: none,
    };
    house.submit(&tenant.admin, there).await;
    let ask_north = || {
        let view = tenant.admin.entry.view();
        let view = view.as_ref().expect("awake");
        let query = CheckQuery {
            handle: &session.to_bytes(),
            permission: PermissionRef::Name("orders.read"),
            workspace: WorkspaceRef::Name("north"),
            at_least: Receipt::default(),
            address: None,
        };
        house.engine.check(&tenant.admin, &view.read(house.engine.now()), &query).reason
    };
    assert_eq!(ask_north(), Reason::None);
    house.submit(&tenant.admin, Command::DeleteWorkspace { name: name("north") }).await;
    assert_eq!(ask_north(), Reason::WorkspaceUnknown);
    house.submit(&tenant.admin, make()).await;
    assert_eq!(ask_north(), Reason::NotGranted);
}

/// PROPERTY: a demotion, promotion or change of a role is in force at the next check of the same
/// handle, without any refresh (F-40).
/// TC-19 in part: roles.
#[tokio::test]
async fn f_40_the_same_handle_follows_its_grants() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "member", &["orders.read"]).await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let ask = |permission| house.check(&tenant, &session, permission).reason;
    house.grant(&tenant, ann, "member").await;
    assert_eq!(ask("orders.read"), Reason::None);
    let wider =
        vec![Pattern::new("orders.*").expect("a pattern"), Pattern::new("orders.write").expect("a pattern")];
    house.submit(&tenant.admin, Command::ChangeRole { name: name("member"), patterns: wider }).await;
    assert_eq!(ask("orders.write"), Reason::None);
    house.submit(&tenant.admin, Command::RegisterPermission { name: name("orders.cancel") }).await;
    assert_eq!(ask("orders.cancel"), Reason::None, "a wildcard covers what is registered later");
    house
        .submit(&tenant.admin, Command::Ungrant { subject: ann, role: name("member"), workspace: None })
        .await;
    assert_eq!(ask("orders.read"), Reason::NotGranted);
}

/// PROPERTY: one account for one spelling of an identifier; others are others (F-62).
/// TC-9 in part.
#[tokio::test]
async fn f_62_identifiers_are_unique_in_their_normal_form() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.person(&tenant, "Amy.Poe@EXAMPLE.org", "correct horse").await;
    assert!(house.sign_in(&tenant, "amy.poe@example.org", "correct horse").await.is_ok());
    let again = |email: &str| {
        let identifiers = vec![Identifier::guess(email).expect("an identifier")];
        let kind = tessera_model::record::SubjectKind::Person;
        house.engine.create_subject(&tenant.admin, house.engine.command_id(), (kind, identifiers), None)
    };
    assert_eq!(again("AMY.POE@example.org").await.err(), Some(Refusal::Duplicate.into()));
    assert!(again("amypoe@example.org").await.is_ok());
    assert!(again("amy.poe+x@example.org").await.is_ok());
    assert!(again("x@bücher.example").await.is_ok());
    assert_eq!(again("x@xn--bcher-kva.example").await.err(), Some(Refusal::Duplicate.into()));
    // The same identifier in another tenant is another account.
    let other = house.tenant(&operator, "other").await;
    house.person(&other, "amy.poe@example.org", "another horse").await;
    assert!(house.sign_in(&other, "amy.poe@example.org", "correct horse").await.is_err());
}

/// PROPERTY: declared attributes take values of their kind only; undeclared ones take texts only.
#[tokio::test]
async fn attributes_keep_their_kind() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let declare = |kind| Command::DeclareAttribute { name: name("level"), kind };
    house.submit(&tenant.admin, declare(AttributeKind::Integer)).await;
    let order = |command| house.engine.submit(&tenant.admin, house.engine.command_id(), command);
    assert_eq!(order(declare(AttributeKind::Text)).await.err(), Some(Refusal::AttributeKind.into()));
    let set = async |attribute: &str, value| {
        let values = vec![(name(attribute), Some(value))];
        house
            .engine
            .set_attributes(&tenant.admin, (house.engine.command_id(), false), ann, values)
            .await
            .map(drop)
    };
    assert_eq!(set("level", AttributeValue::Integer(3)).await, Ok(()));
    let wrong = set("level", AttributeValue::Bool(true)).await;
    assert_eq!(wrong, Err(Refusal::AttributeKind.into()));
    assert_eq!(set("nickname", AttributeValue::Text("Ann".into())).await, Ok(()));
    let wrong = set("rank", AttributeValue::Integer(1)).await;
    assert_eq!(wrong, Err(Refusal::AttributeUnknown.into()));
    let long = AttributeValue::Text("x".repeat(5_000).into());
    assert_eq!(set("nickname", long).await, Err(Limit::AttributeBytes.reached().into()));
}

/// PROPERTY: what names another tenant's things is refused the same way, whether they exist or not (F-41).
/// TC-57 in part.
#[tokio::test]
async fn f_41_foreign_and_made_up_things_are_refused_alike() {
    let house = House::new().await;
    let operator = house.operator().await;
    let (ours, theirs) = (house.tenant(&operator, "ours").await, house.tenant(&operator, "theirs").await);
    house.role(&ours, "reader", &["orders.read"]).await;
    let foreign = house.person(&theirs, "ann@example.org", "correct horse").await;
    let made_up = PublicId::new(house.engine.now().0, [9; 10]);
    for subject in [foreign, made_up] {
        for command in [
            grant(subject, "reader"),
            Command::SuspendSubject { subject },
            Command::EndSubjectSessions { subject },
            Command::SetAttributes {
                subject,
                values: Vec::new(),
                held: Vec::new(),
                as_of: tessera_model::Revision(0),
            },
        ] {
            let refused = house.engine.submit(&ours.admin, house.engine.command_id(), command).await;
            assert_eq!(refused.err(), Some(SubmitError::Refused(Refusal::SubjectUnknown)));
        }
    }
    for tenant in [theirs.id, tessera_model::TenantId(999)] {
        let refused = house.engine.hello(&ours.admin_key.to_bytes(), Some(tenant));
        assert_eq!(refused.err(), Some(tessera_engine::HelloRefusal::Refused));
    }
    assert!(house.sign_in(&theirs, "ann@example.org", "correct horse").await.is_ok(), "theirs is untouched");
}

/// PROPERTY: after the acknowledgement of a revocation or grant no check gives the old answer, on any
/// thread, while others check all the time (F-18, I7). METHOD: 2 checking threads, 2,000 changes.
/// TC-19 in part.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_18_no_answer_is_stale_after_an_acknowledgement() {
    let house = Arc::new(House::new().await);
    let operator = house.operator().await;
    let tenant = Arc::new(house.tenant(&operator, "acme").await);
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    // Modulo 4: 0 not granted, 1 being granted, 2 granted, 3 being taken back.
    let known = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicU64::new(0));
    let checkers: Vec<_> = (0..2)
        .map(|_| {
            let (house, tenant, known, stop) =
                (Arc::clone(&house), Arc::clone(&tenant), Arc::clone(&known), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut compared = 0_u64;
                while stop.load(Ordering::SeqCst) == 0 {
                    let before = known.load(Ordering::SeqCst);
                    let said = house.check(&tenant, &session, "orders.read").is_permit();
                    let after = known.load(Ordering::SeqCst);
                    // Compared only when nothing was under way from before the question to after it.
                    if before == after && before % 4 != 1 && before % 4 != 3 {
                        assert_eq!(said, before % 4 == 2, "stale at step {before}");
                        compared += 1;
                    }
                }
                compared
            })
        })
        .collect();
    for _ in 0..1_000 {
        known.fetch_add(1, Ordering::SeqCst);
        house.grant(&tenant, ann, "reader").await;
        known.fetch_add(1, Ordering::SeqCst);
        assert!(house.check(&tenant, &session, "orders.read").is_permit());
        std::thread::sleep(std::time::Duration::from_micros(200));
        known.fetch_add(1, Ordering::SeqCst);
        let ungrant = Command::Ungrant { subject: ann, role: name("reader"), workspace: None };
        house.submit(&tenant.admin, ungrant).await;
        known.fetch_add(1, Ordering::SeqCst);
        assert!(!house.check(&tenant, &session, "orders.read").is_permit());
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    stop.store(1, Ordering::SeqCst);
    let compared: u64 = checkers.into_iter().map(|thread| thread.join().expect("no stale answer")).sum();
    assert!(compared > 1_000, "{compared} answers compared");
    println!("{compared} answers compared beside 2,000 changes, 0 stale");
}

/// PROPERTY: who opens sessions or sets passwords does not become somebody with more power over the
/// tenant: a service vouches for ordinary people, not for an admin; an admin of subjects resets no
/// other admin's password, and does not make itself a proof.
/// TC-61 in part: services.
#[tokio::test]
async fn nobody_becomes_somebody_above_themselves() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let boss = house.person(&tenant, "boss@example.org", "correct horse").await;
    house.grant(&tenant, boss, "tessera.admin").await;
    house.role(&tenant, "helper", &["tessera.admin.subjects", "tessera.sessions.open"]).await;
    house.grant(&tenant, ann, "helper").await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let helper = house.engine.hello(&session.to_bytes(), None).expect("bound");
    let index = |id| {
        let view = tenant.admin.entry.view();
        view.as_ref().expect("awake").listing().subject(id).expect("known").index
    };
    let other = house.person(&tenant, "cat@example.org", "correct horse").await;
    let open = |subject| Command::OpenSession {
        subject: index(subject),
        seen_cut_off: 0,
        identifier: None,
        acr: 0,
        device: None,
    };
    let order = |command| house.engine.submit(&helper, house.engine.command_id(), command);
    assert!(order(open(other)).await.is_ok());
    for above in [boss, tenant.admin.subject] {
        assert_eq!(order(open(above)).await.err(), Some(Refusal::BeyondCreator.into()));
        let until = house.engine.now().plus_seconds(60).to_deadline();
        for clear in [false, true] {
            let reset = order(Command::ResetPassword { subject: above, until, clear }).await;
            assert_eq!(reset.err(), Some(Refusal::BeyondCreator.into()));
        }
    }
    assert!(house.sign_in(&tenant, "boss@example.org", "correct horse").await.is_ok());
}

/// PROPERTY: whoever may only open sessions ends nobody else's key or session, although public ids are
/// no secret: they follow from the second of opening, the place and its life.
#[tokio::test]
async fn an_opener_of_sessions_ends_no_admins_key() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.grant(&tenant, ann, "tessera.service").await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let opener = house.engine.hello(&session.to_bytes(), None).expect("bound");
    let (key, born) = (tenant.admin_key, tessera_model::UnixMillis(support::START_MS).to_deadline());
    let id = PublicId::of_place(born, key.place, key.generation);
    for command in [Command::EndSession { session: id }, Command::RevokeKey { key: id }] {
        let refused = house.engine.submit(&opener, house.engine.command_id(), command).await;
        assert_eq!(refused.err(), Some(Refusal::Unauthorized.into()));
    }
    assert!(house.engine.hello(&key.to_bytes(), None).is_ok(), "the admin's key was revoked");
}

/// PROPERTY: a reading that is renewed answers as a new one does, after every kind of change: the root
/// swapped, a place alone changed, time alone gone by. METHOD: one reading kept over all of them.
#[tokio::test]
async fn a_renewed_reading_answers_as_a_new_one() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let bytes = session.to_bytes();
    let query = CheckQuery {
        handle: &bytes,
        permission: PermissionRef::Name("orders.read"),
        workspace: WorkspaceRef::Tenant,
        at_least: Receipt::default(),
        address: None,
    };
    let view = tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let mut kept = view.read(house.engine.now());
    let mut seen = Vec::new();
    let mut look = |house: &House| {
        let now = house.engine.now();
        kept.renew(now);
        let (renewed, fresh) = (
            house.engine.check(&tenant.admin, &kept, &query),
            house.engine.check(&tenant.admin, &view.read(now), &query),
        );
        assert_eq!(renewed, fresh);
        assert_eq!((kept.seen(), kept.now()), (view.read(now).seen(), now));
        seen.push(renewed.reason);
    };
    look(&house);
    house.role(&tenant, "reader", &["orders.read"]).await;
    look(&house);
    house.grant(&tenant, ann, "reader").await;
    look(&house);
    house.submit(&tenant.admin, Command::DeleteRole { name: name("reader") }).await;
    look(&house);
    house.role(&tenant, "clerk", &["orders.*"]).await;
    house.grant(&tenant, ann, "clerk").await;
    look(&house);
    house.pass(400 * 86_400_000);
    look(&house);
    let wanted =
        [Reason::PermissionUnknown, Reason::NotGranted, Reason::None, Reason::NotGranted, Reason::None];
    assert!(seen.starts_with(&wanted), "{seen:?}");
    assert!(matches!(seen.last(), Some(Reason::Expired | Reason::Idle)), "{seen:?}");
}
