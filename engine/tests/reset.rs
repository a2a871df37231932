//! Passwords: reset without being chosen by anybody else, hashed anew, and the same answer for everybody.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS};
use tessera_engine::{HelloRefusal, Standing};
use tessera_model::record::SubjectKind;
use tessera_model::{Command, Identifier, Limit, Private, Reason, Refusal, Row, RowKind};
use tessera_storage::{Memory, Store};

/// The least difference between two samples that a classifier uses: how often one of the first is larger
/// than one of the second, ties counting half. 0.5 tells nothing.
fn area_under_curve(first: &[u64], second: &[u64]) -> f64 {
    let mut wins = 0.0;
    for one in first {
        for other in second {
            wins += match one.cmp(other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    let area = wins / (first.len() as f64 * second.len() as f64);
    area.max(1.0 - area)
}

/// PROPERTY: a failing sign-in does the same work and gives the same answer whether the account is known,
/// unknown, suspended or without a password (TC-6). METHOD: 300 interleaved samples of each, of the work
/// that the hashing pool counts, with parameters that are not the default ones; AUC at most 0.60.
#[tokio::test]
async fn tc_6_work_does_not_tell_who_exists() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let mut settings = tenant.admin.entry.view().as_ref().expect("awake").listing().settings();
    (settings.argon_memory_kib, settings.argon_passes) = (40, 2);
    house.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() }).await;
    let mut samples: [Vec<u64>; 4] = Default::default();
    for nth in 0..300 {
        // Others for each sample, so that none has to wait.
        let email = |name: &str| format!("{name}{nth}@example.org");
        house.person(&tenant, &email("known"), "correct horse").await;
        let suspended = house.person(&tenant, &email("suspended"), "correct horse").await;
        house.submit(&tenant.admin, Command::SuspendSubject { subject: suspended }).await;
        let identifiers = vec![Identifier::guess(&email("keys")).expect("an identifier")];
        let (what, id) = ((SubjectKind::Person, identifiers), house.engine.command_id());
        assert!(house.engine.create_subject(&tenant.admin, id, what, None).await.is_ok());
        for (taken, name) in samples.iter_mut().zip(["known", "unknown", "suspended", "keys"]) {
            let before = house.pool.work_kib();
            let refused = house.sign_in(&tenant, &email(name), "wrong").await;
            assert_eq!(refused.err(), Some(Refusal::SignInFailed.into()), "{name}");
            taken.push(house.pool.work_kib() - before);
        }
    }
    let [known_work, others @ ..] = &samples;
    assert!(known_work.iter().all(|work| *work == 80), "the tenant's own parameters");
    for other in others {
        let area = area_under_curve(known_work, other);
        assert!(area <= 0.60, "{area}");
    }
}

/// PROPERTY: a reset gives a secret that works once, until its end, for its subject alone; a newer one, a
/// changed password and a deletion end it; a wrong one changes nothing. Only its tag is stored.
/// TC-69 in part.
#[tokio::test]
async fn a_one_time_secret_works_once() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    let sign_in = |password: &'static str| house.sign_in(&tenant, "amy@example.org", password);
    let wrong = Some(Refusal::SecretWrong.into());
    // The password until now works until the new one is set.
    let older = house.reset(&tenant.admin, amy, false).await;
    let secret = house.reset(&tenant.admin, amy, false).await;
    let session = sign_in("correct horse").await.expect("signed in");
    assert_eq!(house.set_up(&older, "battery staple").await.err(), wrong, "a newer one ended it");
    let mut forged = secret;
    forged.secret[0] ^= 1;
    assert_eq!(house.set_up(&forged, "battery staple").await.err(), wrong);
    assert_eq!(house.engine.hello_set_up(&forged.to_bytes()), Err(HelloRefusal::Refused));
    assert_eq!(house.engine.hello_set_up(&secret.to_bytes()), Ok(()));
    assert_eq!(
        house.set_up(&secret, "short").await.err(),
        Some(Refusal::PasswordLength(Limit::PasswordBytesMin.at(8)).into())
    );
    assert!(house.set_up(&secret, "battery staple").await.is_ok());
    assert_eq!(house.check(&tenant, &session, "tessera.check").reason, Reason::Revoked);
    assert!(sign_in("correct horse").await.is_err());
    assert!(sign_in("battery staple").await.is_ok());
    assert_eq!(house.set_up(&secret, "battery horse").await.err(), wrong, "used up");
    assert_eq!(house.engine.hello_set_up(&secret.to_bytes()), Err(HelloRefusal::Refused));
    // It opens nothing else.
    let other = house.reset(&tenant.admin, amy, false).await;
    assert_eq!(house.check(&tenant, &other, "tessera.check").reason, Reason::HandleKindWrong);
    assert_eq!(house.engine.hello(&other.to_bytes(), None).err(), Some(HelloRefusal::Refused));
    // The owner's own change ends it.
    let own = house.bind(&sign_in("battery staple").await.expect("signed in")).await;
    let (old, new) = (Private::new(b"battery staple".to_vec()), Private::new(b"correct horse".to_vec()));
    assert!(house.engine.change_password(&own, house.engine.command_id(), old, new).await.is_ok());
    assert_eq!(house.set_up(&other, "stolen letter").await.err(), wrong);
    // Time ends it, to the millisecond.
    let late = house.reset(&tenant.admin, amy, false).await;
    house.pass(3_600_000);
    assert_eq!(house.set_up(&late, "battery staple").await.err(), wrong);
    let beyond = house.engine.now().plus_seconds(7 * 86_400 + 1).to_deadline();
    let reset = Command::ResetPassword { subject: amy, until: beyond, clear: false };
    let refused = house.engine.submit(&tenant.admin, house.engine.command_id(), reset).await;
    assert_eq!(refused.err(), Some(Limit::SetUpTtl.reached().into()));
    // Taken away at once: the old password and the sessions are gone before anything is set.
    let session = sign_in("correct horse").await.expect("signed in");
    let now = house.reset(&tenant.admin, amy, true).await;
    assert_eq!(house.check(&tenant, &session, "tessera.check").reason, Reason::Revoked);
    assert!(sign_in("correct horse").await.is_err());
    // A wake forgets nothing, and what is stored is no secret.
    assert!(house.engine.checkpoint().await);
    drop(house);
    let history = store.history(tenant.id, tessera_model::Revision(0), 1_000).expect("a history");
    let told = format!("{:?}", history.iter().map(|frame| &frame.events).collect::<Vec<_>>());
    let secret = format!("{:?}", now.secret);
    assert!(!told.contains(secret.trim_matches(['[', ']'])));
    let house = House::over(store, START_MS + 7_200_000).await;
    house.wake(&tenant).await;
    assert_eq!(house.set_up(&now, "past its end").await.err(), wrong);
}

/// PROPERTY: an offered secret outlives a restart, and wakes a sleeping tenant; a forged one wakes nobody.
#[tokio::test]
async fn a_one_time_secret_wakes_its_tenant() {
    let store: Arc<dyn Store> = Arc::new(Memory::new(1 << 20));
    let house = House::over(Arc::clone(&store), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    let secret = house.reset(&tenant.admin, amy, false).await;
    assert!(house.engine.checkpoint().await);
    drop(house);
    let house = House::over(store, START_MS + 1_000).await;
    let mut forged = secret;
    forged.secret[19] ^= 1;
    assert_eq!(house.engine.hello_set_up(&forged.to_bytes()), Err(HelloRefusal::Refused));
    let entry = house.engine.entry(tenant.id).expect("known");
    // Nor does it without a Hello, as over HTTP.
    let refused = house.set_up(&forged, "battery staple").await;
    assert_eq!(refused.err(), Some(Refusal::SecretWrong.into()));
    assert!(
        entry.view().is_none() && entry.standing() == Standing::Asleep,
        "a forged secret woke the tenant"
    );
    assert_eq!(house.engine.hello_set_up(&secret.to_bytes()), Err(HelloRefusal::NotReady));
    house.wake(&tenant).await;
    assert_eq!(house.engine.hello_set_up(&secret.to_bytes()), Ok(()));
    assert_eq!(house.set_up(&secret, "battery staple").await.map(drop), Ok(()));
}

/// PROPERTY: a sign-in after the tenant's parameters rose stores a hash by the new ones, once, and is
/// answered before; a password that was replaced meanwhile is not put back. When they fall, nothing is
/// hashed anew.
#[tokio::test]
async fn hashes_follow_the_tenants_parameters() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.person(&tenant, "amy@example.org", "correct horse").await;
    let listing = || tenant.admin.entry.view().as_ref().expect("awake").listing();
    let index = listing().subjects(1, 10).rows.pop().expect("amy").index;
    let stored = || {
        let key = Row::subject_key(index, &[]);
        let row = house.store.row(tenant.id, RowKind::Password, &key).expect("read");
        String::from_utf8(row.value.expect("a hash").expose().to_vec()).expect("a text")
    };
    let sign_in = || house.sign_in(&tenant, "amy@example.org", "correct horse");
    let set = |memory, passes| {
        let mut settings = listing().settings();
        (settings.argon_memory_kib, settings.argon_passes) = (memory, passes);
        house.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() })
    };
    let first = stored();
    assert!(first.contains("m=64,t=1,"), "{first}");
    assert!(sign_in().await.is_ok());
    set(32, 1).await;
    let before = house.pool.work_kib();
    assert!(sign_in().await.is_ok());
    assert_eq!(house.pool.work_kib() - before, 64);
    set(80, 1).await;
    assert!(sign_in().await.is_ok());
    for _ in 0..5_000 {
        if stored() != first {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let second = stored();
    assert!(second.contains("m=80,t=1,"), "{second}");
    let before = house.pool.work_kib();
    assert!(sign_in().await.is_ok());
    assert_eq!(house.pool.work_kib() - before, 80, "hashed anew a second time");
    assert_eq!(stored(), second);
}
