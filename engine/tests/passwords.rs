//! Passwords: what a hash may cost on a node, and how long one may be.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS};
use tessera_engine::EngineConfig;
use tessera_model::record::SubjectKind;
use tessera_model::{Command, Identifier, Limit, Private, Refusal, RowKind, Setting, Settings};
use tessera_storage::Memory;

/// PROPERTY: settings that cost more than the node allows are refused by the name of its key; those from before
/// the cap was lowered are hashed within it, and passwords go on to verify.
#[tokio::test]
async fn a_hash_costs_no_more_than_the_node_allows() {
    let store = Arc::new(Memory::new(1 << 20));
    let (tenant, dear) = {
        let house = House::over(Arc::clone(&store) as _, START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        for (argon_memory_kib, argon_passes, fits) in [
            (262_144, 1, true),
            (262_144, 2, false),
            (131_072, 2, true),
            (65_536, 5, false),
            (16_384, 16, true),
        ] {
            let settings = Settings { argon_memory_kib, argon_passes, ..Settings::default() };
            let command = Command::ChangeSettings { settings: settings.into() };
            let changed = house.engine.submit(&tenant.admin, house.engine.command_id(), command).await;
            let refused = (!fits).then(|| Refusal::SettingOutOfBounds(Setting::PasswordsCost).into());
            assert_eq!(changed.err(), refused, "{argon_memory_kib} × {argon_passes}");
        }
        let settings = Settings { argon_memory_kib: 256, argon_passes: 4, ..Settings::default() };
        house.submit(&tenant.admin, Command::ChangeSettings { settings: settings.into() }).await;
        (tenant.admin_key, house.person(&tenant, "old@example.org", "correct horse").await)
    };
    let config = EngineConfig { password_cost_max: 128, ..EngineConfig::default() };
    let house = House::configured(store, START_MS, config).await;
    let admin = house.bind(&tenant).await;
    let tenant = support::Tenant { id: admin.entry.tenant, admin, admin_key: tenant };
    let cheap = house.person(&tenant, "new@example.org", "correct horse").await;
    assert_ne!(dear, cheap);
    let rows = house.store.rows(tenant.id, RowKind::Password, &[], 10).expect("rows");
    let phc: Vec<_> =
        rows.iter().map(|(_, row)| String::from_utf8_lossy(row.expose()).into_owned()).collect();
    assert!(phc[0].contains("m=256,t=4,p=1") && phc[1].contains("m=128,t=1,p=1"), "{phc:?}");
    for email in ["old@example.org", "new@example.org"] {
        assert!(house.sign_in(&tenant, email, "correct horse").await.is_ok());
    }
}

/// PROPERTY: a change of one's own password, sent again under its id, gets its receipt, although its old password
/// is no longer right; under another id, or by somebody else, it does not.
#[tokio::test]
async fn a_repeated_change_gets_its_receipt() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.person(&tenant, "amy@example.org", "correct horse").await;
    let session = house.sign_in(&tenant, "amy@example.org", "correct horse").await.expect("signed in");
    let own = house.engine.hello(&session.to_bytes(), None).expect("bound");
    let private = |text: &str| Private::new(text.as_bytes().to_vec());
    let change = async |id| {
        let (old, new) = (private("correct horse"), private("battery staple"));
        house.engine.change_password(&own, id, old, new).await
    };
    let id = house.engine.command_id();
    let first = change(id).await.expect("changed");
    for _ in 0..3 {
        let again = change(id).await.expect("a repeat");
        assert_eq!((again.receipt, again.repeat), (first.receipt, true));
    }
    let other = change(house.engine.command_id()).await;
    assert_eq!(other.err(), Some(Refusal::SignInFailed.into()));
    let session = house.sign_in(&tenant, "amy@example.org", "battery staple").await.expect("signed in");
    let second = house.engine.hello(&session.to_bytes(), None).expect("bound");
    let (old, new) = (private("battery staple"), private("another one"));
    let foreign = house.engine.change_password(&second, id, old, new).await;
    assert_eq!(foreign.err(), Some(Refusal::IdReused.into()));
}

/// PROPERTY (TC-7): what is longer than a password may be is refused before anything is hashed, where one is set as
/// where one is shown; the longest one that is allowed works.
#[tokio::test]
async fn tc_7_long_passwords_cost_nothing() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let longest = "p".repeat(1_024);
    house.person(&tenant, "amy@example.org", &longest).await;
    assert!(house.sign_in(&tenant, "amy@example.org", &longest).await.is_ok());
    let before = house.pool.work_kib();
    let identifiers = || vec![Identifier::guess("bob@example.org").expect("an identifier")];
    for bytes in [1_025, 1 << 20] {
        let password = Private::new(vec![b'p'; bytes]);
        let (engine, kind) = (&house.engine, (SubjectKind::Person, identifiers()));
        let made = engine.create_subject(&tenant.admin, engine.command_id(), kind, Some(password)).await;
        assert_eq!(
            made.err(),
            Some(Refusal::PasswordLength(Limit::PasswordBytes.at(1_024)).into()),
            "{bytes}"
        );
        for email in ["amy@example.org", "nobody@example.org"] {
            let told = house.sign_in(&tenant, email, &"p".repeat(bytes)).await.err();
            assert_eq!(told, Some(Refusal::SignInFailed.into()), "{email}, {bytes}");
        }
    }
    assert_eq!(house.pool.work_kib(), before);
    assert!(house.sign_in(&tenant, "amy@example.org", &longest).await.is_ok());
}
