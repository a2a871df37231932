//! Guessing passwords: who fails waits, durably, whether the account exists or not; sources have budgets.

use crate::spy;
use crate::support;

use spy::Spy;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{House, START_MS, Tenant, grant};
use tessera_engine::{EngineConfig, SubmitError};
use tessera_model::{Command, Deadline, Identifier, Pattern, Private, Reason, Refusal};
use tessera_storage::{Embedded, Memory, Options, RootKey, StorageError};

const WRONG: SubmitError = SubmitError::Refused(Refusal::SignInFailed);

fn wait(retry_ms: u64) -> SubmitError {
    SubmitError::Wait { refusal: Refusal::TooManyFailures, retry_ms }
}

/// Failed sign-ins of an identifier and until when it waits.
fn counted(house: &House, tenant: &Tenant, email: &str) -> (u32, Deadline) {
    let identifier = Identifier::guess(email).expect("an identifier");
    let key = house.engine.identifier_hash(tenant.id, &identifier).expect("keys");
    let view = house.engine.entry(tenant.id).expect("known").view().as_ref().map(Arc::clone);
    view.expect("awake").listing().failures(&key, house.engine.now())
}

/// What an attacker sees: the answers to `count` tries, who waits as told in between.
async fn answers(house: &House, tenant: &Tenant, email: &str, count: usize) -> Vec<Option<SubmitError>> {
    let mut seen = Vec::new();
    for _ in 0..count {
        let answer = house.sign_in(tenant, email, "wrong").await.err();
        if let Some(SubmitError::Wait { retry_ms, .. }) = answer {
            house.pass(retry_ms);
        }
        seen.push(answer);
    }
    seen
}

/// PROPERTY: the fifth failure makes the next wait, one second and twice as long each time, up to the
/// longest; the hundredth ends it. While it waits a right password gets the answer of a wrong one, and
/// sessions and keys of the owner are untouched (TC-1). An unknown identifier gets the same answers.
#[tokio::test]
async fn tc_1_who_fails_waits() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, amy, "reader").await;
    house.submit(&tenant.admin, grant(tenant.admin.subject, "reader")).await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let expires = house.engine.now().plus_seconds(9 * 86_400).to_deadline();
    let patterns = vec![Pattern::new("orders.read").expect("a pattern")];
    let create = support::key(amy, patterns, expires, Private::default());
    let key = house.submit(&tenant.admin, create).await.made.handle.expect("a key");
    let ask = |handle| house.check(&tenant, handle, "orders.read").reason;
    for _ in 0..5 {
        assert_eq!(house.sign_in(&tenant, "amy@example.org", "wrong").await.err(), Some(WRONG));
    }
    for password in ["wrong", "correct horse"] {
        let answer = house.sign_in(&tenant, "amy@example.org", password).await;
        assert_eq!(answer.err(), Some(wait(1_000)), "{password}");
    }
    assert_eq!(counted(&house, &tenant, "amy@example.org").0, 5, "waiting counts nothing");
    assert_eq!((ask(&session), ask(&key)), (Reason::None, Reason::None));
    house.pass(999);
    assert_eq!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.err(), Some(wait(1)));
    house.pass(1);
    assert!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.is_ok());
    assert_eq!(counted(&house, &tenant, "amy@example.org"), (0, Deadline::NONE), "a right one resets it");
    let known = answers(&house, &tenant, "amy@example.org", 210).await;
    let waits: Vec<u64> = known
        .iter()
        .filter_map(|answer| match answer {
            Some(SubmitError::Wait { retry_ms, .. }) => Some(*retry_ms),
            _ => None,
        })
        .collect();
    assert_eq!(waits[..7], [1, 2, 4, 8, 16, 32, 60].map(|seconds| seconds * 1_000));
    assert!(waits[7..95].iter().all(|wait| *wait == 60_000) && waits[95..].iter().all(|wait| *wait == 0));
    assert_eq!(counted(&house, &tenant, "amy@example.org").0, 100);
    assert_eq!(known, answers(&house, &tenant, "nobody@example.org", 210).await);
    // Only a new password, or an administrator, opens the way again.
    house.pass(300 * 86_400_000);
    assert_eq!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.err(), Some(wait(0)));
    let secret = house.reset(&tenant.admin, amy, false).await;
    house.set_up(&secret, "battery staple").await.expect("set");
    assert!(house.sign_in(&tenant, "amy@example.org", "battery staple").await.is_ok());
    answers(&house, &tenant, "amy@example.org", 6).await;
    house.submit(&tenant.admin, Command::ForgetFailures { subject: amy }).await;
    assert!(house.sign_in(&tenant, "amy@example.org", "battery staple").await.is_ok());
}

/// PROPERTY: an identifier that somebody takes starts without the failures from before; one that is given
/// up leaves none. A change of one's own password is guessed no better than a sign-in.
#[tokio::test]
async fn failures_do_not_pass_to_others() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    answers(&house, &tenant, "amy@example.org", 7).await;
    answers(&house, &tenant, "second@example.org", 7).await;
    let amy = house.person(&tenant, "amy@example.org", "correct horse").await;
    assert_eq!(counted(&house, &tenant, "amy@example.org").0, 0);
    let identifier = Identifier::guess("second@example.org").expect("an identifier");
    let hash = house.engine.identifier_hash(tenant.id, &identifier).expect("keys");
    house.submit(&tenant.admin, Command::AddIdentifier { subject: amy, identifier, hash }).await;
    assert_eq!(counted(&house, &tenant, "second@example.org").0, 0);
    let session = house.sign_in(&tenant, "second@example.org", "correct horse").await.expect("signed in");
    answers(&house, &tenant, "second@example.org", 3).await;
    house.submit(&tenant.admin, Command::RemoveIdentifier { subject: amy, hash }).await;
    assert_eq!(counted(&house, &tenant, "second@example.org").0, 0);
    let own = house.bind(&session).await;
    let change = async || {
        let (old, new) = (Private::new(b"wrong".to_vec()), Private::new(b"battery staple".to_vec()));
        house.engine.change_password(&own, house.engine.command_id(), old, new).await.err()
    };
    for _ in 0..5 {
        assert_eq!(change().await, Some(WRONG));
    }
    assert_eq!(change().await, Some(wait(1_000)));
    assert!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.is_ok());
}

fn open(path: &Path) -> Arc<Embedded> {
    let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
    options.journal_file_bytes = 1024 * 1024;
    Arc::new(Embedded::open(path, options).expect("a store"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// PROPERTY: 64 wrong passwords at once are 64 failures, before and after a kill, with a checkpoint between
/// or without. METHOD: an image of the directory as it is once all were answered, and an engine over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tc_1_every_parallel_failure_is_counted_and_kept() {
    for checkpoint in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let (live, image) = (folder.path().join("live"), folder.path().join("image"));
        let house = House::over(open(&live), START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        house.person(&tenant, "amy@example.org", "correct horse").await;
        let mut settings = tenant.admin.entry.view().as_ref().expect("awake").listing().settings();
        settings.sign_in_free = 20;
        house.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() }).await;
        let tries = (0..64).map(|_| house.sign_in(&tenant, "amy@example.org", "wrong"));
        let told =
            support::at_once(tries).await.into_iter().filter(|told| told.as_ref().err() == Some(&WRONG));
        assert_eq!(told.count(), 20, "the others are told to wait, as a right one would be");
        let before = counted(&house, &tenant, "amy@example.org");
        assert_eq!(before.0, 64);
        if checkpoint {
            assert!(house.engine.checkpoint().await);
        }
        copy(&live, &image);
        let again = House::over(open(&image), START_MS).await;
        again.wake(&tenant).await;
        assert_eq!(counted(&again, &tenant, "amy@example.org"), before, "checkpoint {checkpoint}");
    }
}

/// PROPERTY: of many tries at once the right one is told nothing that a wrong one is not, where others have failed too
/// often before it; it opens no session and changes no password. METHOD: 40 tries of which the right one comes last,
/// with five that are free, on a clock that stands: five are told that they were wrong, all others to wait.
#[tokio::test]
async fn tc_1_a_right_one_among_many_is_told_to_wait() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.person(&tenant, "amy@example.org", "correct horse").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let own = house.bind(&session).await;
    let secret = |no: usize| if no == 39 { "correct horse" } else { "wrong" };
    let is_right = |told: &[Option<SubmitError>]| {
        let waits = |told: &&Option<SubmitError>| matches!(told, Some(SubmitError::Wait { .. }));
        let wrong = told.iter().filter(|told| **told == Some(WRONG)).count();
        assert_eq!((wrong, told.iter().filter(waits).count()), (5, 35), "{told:?}");
        assert!(waits(&told.last().expect("forty")), "{told:?}");
    };
    let tries = (0..40).map(|no| house.sign_in(&tenant, "amy@example.org", secret(no)));
    let told = support::at_once(tries).await;
    is_right(&told.into_iter().map(Result::err).collect::<Vec<_>>());
    assert_eq!(counted(&house, &tenant, "amy@example.org").0, 40);
    let private = |text: &str| Private::new(text.as_bytes().to_vec());
    let changes = (0..40).map(|no| {
        let id = house.engine.command_id();
        house.engine.change_password(&own, id, private(secret(no)), private("another long one"))
    });
    let told = support::at_once(changes).await;
    is_right(&told.into_iter().map(Result::err).collect::<Vec<_>>());
    house.submit(&tenant.admin, Command::ForgetFailures { subject: own.subject }).await;
    assert!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.is_ok(), "nothing was changed");
}

/// PROPERTY: nobody is told that a password was wrong before that is counted on disk (TC-3). METHOD: a store
/// that takes no batch for a while.
#[tokio::test]
async fn tc_3_a_failure_is_durable_before_it_is_told() {
    let shut = Arc::new(AtomicBool::new(false));
    let mut spy = Spy::plain(Arc::new(Memory::new(1 << 20)));
    let seen = Arc::clone(&shut);
    spy.before_commit = Box::new(move |_| seen.load(Ordering::SeqCst).then_some(StorageError::Busy));
    let house = House::configured(Arc::new(spy), START_MS, EngineConfig::default()).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    shut.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let told = house.sign_in(&tenant, "amy@example.org", "wrong").await.err().expect("refused");
        assert_ne!(told, WRONG);
    }
    shut.store(false, Ordering::SeqCst);
    house.wake(&tenant).await;
    assert_eq!(counted(&house, &tenant, "amy@example.org").0, 0);
    for _ in 0..5_000 {
        if house.sign_in(&tenant, "amy@example.org", "wrong").await.err() == Some(WRONG) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(counted(&house, &tenant, "amy@example.org").0, 1);
}

/// PROPERTY: a source that fails on many accounts runs out of tries, whoever it asks for and however many run
/// at once; a right password costs it nothing; others go on (TC-2). Only who may say where a request came
/// from is believed.
#[tokio::test]
async fn tc_2_sources_have_budgets() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.person(&tenant, "amy@example.org", "correct horse").await;
    let mut settings = tenant.admin.entry.view().as_ref().expect("awake").listing().settings();
    (settings.source_failures_max, settings.source_refill_s) = (30, 2);
    house.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() }).await;
    let address = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
    let from = |who: String, password: &'static str, at: &str| {
        let at = address(at);
        let (house, tenant) = (&house, &tenant);
        async move { house.sign_in_from(&tenant.admin, (&who, password), at).await.err() }
    };
    let tries = (0..40).map(|nth| from(format!("u{nth}@example.org"), "wrong", "2001:db8::7"));
    let answers = support::at_once(tries).await;
    assert_eq!(answers.iter().filter(|answer| **answer == Some(WRONG)).count(), 30);
    assert_eq!(answers.iter().filter(|answer| **answer == Some(wait(2_000))).count(), 10);
    // Another host of the /64 has the same budget, a right password too.
    let same = from("amy@example.org".to_owned(), "correct horse", "2001:db8::ffff:8").await;
    assert_eq!(same, Some(wait(2_000)));
    for other in ["2001:db8:0:1::7", "192.0.2.7"] {
        assert_eq!(from("amy@example.org".to_owned(), "correct horse", other).await, None);
    }
    house.pass(2_000);
    for _ in 0..50 {
        let right = from("amy@example.org".to_owned(), "correct horse", "2001:db8::7").await;
        assert_eq!(right, None, "what was right is given back");
    }
    assert_eq!(from("x@example.org".to_owned(), "wrong", "2001:db8::7").await, Some(WRONG));
    assert_eq!(from("y@example.org".to_owned(), "wrong", "2001:db8::7").await, Some(wait(2_000)));
    // Who may open sessions and no more may not say where from: its own address counts.
    house.role(&tenant, "opener", &["tessera.sessions.open"]).await;
    let bob = house.person(&tenant, "bob@example.org", "correct horse").await;
    house.grant(&tenant, bob, "opener").await;
    let session = house.sign_in(&tenant, "bob@example.org", "correct horse").await.expect("signed in");
    let own = house.engine.hello_from(&session.to_bytes(), None, address("198.51.100.9")).expect("bound");
    let proof = ("amy@example.org", "correct horse");
    let lied = house.sign_in_from(&own, proof, address("192.0.2.9")).await.err();
    assert_eq!(lied, Some(Refusal::Unauthorized.into()));
    for nth in 0..30 {
        let email = format!("v{nth}@example.org");
        assert_eq!(house.sign_in_from(&own, (&email, "wrong"), None).await.err(), Some(WRONG));
    }
    assert_eq!(house.sign_in_from(&own, proof, None).await.err(), Some(wait(2_000)));
    assert!(house.sign_in(&tenant, "amy@example.org", "correct horse").await.is_ok());
}

/// PROPERTY (F-63): twenty wrong passwords from one place leave a counter of twenty, also after a kill; the owner
/// gets in from another place after a wait of at most a minute, and live sessions and keys never noticed. Whoever
/// tries many accounts is refused, others are served, and nobody learns which names there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_63_a_stranger_locks_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (live, image) = (folder.path().join("live"), folder.path().join("image"));
    let house = House::over(open(&live), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, ann, "reader").await;
    house.submit(&tenant.admin, grant(tenant.admin.subject, "reader")).await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    let expires = house.engine.now().plus_seconds(86_400).to_deadline();
    let patterns = vec![Pattern::new("orders.read").expect("a pattern")];
    let create = support::key(ann, patterns, expires, Private::default());
    let key = house.submit(&tenant.admin, create).await.made.handle.expect("a key");
    let x: Option<IpAddr> = Some("198.51.100.7".parse().expect("an address"));
    let y: Option<IpAddr> = Some("203.0.113.9".parse().expect("an address"));
    // Of a known and of an unknown name, waiting as told: the same answers.
    for _ in 0..20 {
        let mut told = Vec::new();
        for who in ["ann@example.org", "nobody@example.org"] {
            told.push(house.sign_in_from(&tenant.admin, (who, "wrong"), x).await.err());
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0], Some(WRONG));
        for handle in [&session, &key] {
            assert_eq!(house.check(&tenant, handle, "orders.read").reason, Reason::None);
        }
        let (_, until) = counted(&house, &tenant, "ann@example.org");
        let waits = if until == Deadline::NONE { 0 } else { until.to_millis().0 - house.engine.now().0 };
        assert!(waits <= 60_000, "{waits}");
        house.pass(waits);
    }
    assert_eq!(counted(&house, &tenant, "ann@example.org").0, 20);
    copy(&live, &image);
    let again = House::over(open(&image), house.engine.now().0).await;
    again.wake(&tenant).await;
    assert_eq!(counted(&again, &tenant, "ann@example.org").0, 20);
    // The wait that was told is over: the owner gets in from elsewhere, and what failed is forgotten.
    house.sign_in_from(&tenant.admin, ("ann@example.org", "correct horse"), y).await.expect("signed in");
    assert_eq!(counted(&house, &tenant, "ann@example.org").0, 0);
    // One place tries many accounts: it is refused before long, whatever it asks for; another one is served.
    let mut refused = 0;
    for nth in 0..260 {
        let who = format!("somebody{nth}@example.org");
        let told = house.sign_in_from(&tenant.admin, (&who, "wrong"), x).await.err();
        refused += u32::from(told != Some(WRONG));
    }
    assert!((1..=260).contains(&refused), "{refused}");
    assert!(house.sign_in_from(&tenant.admin, ("ann@example.org", "correct horse"), x).await.is_err());
    house.sign_in_from(&tenant.admin, ("ann@example.org", "correct horse"), y).await.expect("signed in");
}
