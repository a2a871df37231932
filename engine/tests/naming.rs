//! What may be named: nothing that is not there where a name only cuts, and nothing new by what reads as an id.

use crate::support;

use support::{House, key};
use tessera_model::{Command, Name, Pattern, Private, Reason, Refusal, Thumbprint, Trust};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
}

/// PROPERTY: a name of no permission is refused wherever it would only cut: in a key, the ceiling of a workspace, of a
/// device or a level, and for whoever acts. A beginning may match nothing yet, what a key covers
/// already it may keep, and a role registers what it names.
#[tokio::test]
async fn what_only_cuts_names_what_there_is() {
    let (house, tenant, ann) = House::with_ann().await;
    let admin = &tenant.admin;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.grant(&tenant, ann, "reader").await;
    // Nobody makes a key for somebody else that covers more than they may do.
    house.role(&tenant, "wide", &["orders.*"]).await;
    house.grant(&tenant, admin.subject, "wide").await;
    house
        .submit(admin, Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true })
        .await;
    let register = Command::RegisterDevice { subject: ann, name: name("phone"), key: Thumbprint([1; 32]) };
    let device = house.submit(admin, register).await.made.device.expect("an id");
    let expires = house.engine.now().plus_seconds(3_000).to_deadline();
    let commands = |texts: &[&str]| {
        let patterns = patterns(texts);
        [
            key(ann, patterns.clone(), expires, Private::default()),
            Command::SetCeiling { name: name("berlin"), patterns: patterns.clone() },
            Command::LimitDevice { device, patterns: patterns.clone() },
            Command::LimitTrust { trust: Trust::Known, patterns },
        ]
    };
    for texts in [&["orders.raed"][..], &["orders.read", "no.such"]] {
        for command in commands(texts) {
            assert_eq!(
                house.refused(admin, command.clone()).await,
                Refusal::PermissionUnknown,
                "{:?}",
                command.kind()
            );
        }
    }
    let act = |texts: &[&str]| Command::Impersonate {
        subject: ann,
        patterns: patterns(texts),
        ttl_s: 900,
        reason: "ticket 7".into(),
    };
    assert_eq!(house.refused(admin, act(&["orders.raed"])).await, Refusal::PermissionUnknown);
    for command in commands(&["orders.read", "orders.*"]) {
        house.submit(admin, command).await;
    }
    house.role(&tenant, "writer", &["orders.write"]).await;
    let session = house.sign_in(&tenant, "ann@example.org", "correct horse").await.expect("signed in");
    assert_eq!(house.check(&tenant, &session, "orders.write").reason, Reason::NotGranted, "a role registers");
}

/// PROPERTY: nothing new is called by a number or a public id; whatever else is a name is one.
#[tokio::test]
async fn nothing_new_is_called_by_an_id() {
    let (house, tenant, _) = House::with_ann().await;
    let admin = &tenant.admin;
    for text in ["7", "0190163d-8694-739b-aea5-966c26f8ad90", "0190163D-8694-739B-AEA5-966C26F8AD90"] {
        for command in [
            Command::CreateRole { name: name(text), patterns: Vec::new() },
            Command::CreateRole { name: name("fine"), patterns: patterns(&[text]) },
            Command::CreateGroup { name: name(text), rule: Vec::new() },
            Command::CreateWorkspace { name: name(text), parent: None, inherits: true },
            Command::CreateClient { name: name(text), terms: tessera_model::refresh::ClientTerms::default() },
            Command::RegisterPermission { name: name(text) },
            Command::SetService { name: name(text), entries: Vec::new() },
        ] {
            assert_eq!(
                house.refused(admin, command.clone()).await,
                Refusal::BuiltIn,
                "{text}: {:?}",
                command.kind()
            );
        }
    }
    for text in ["7a", "v2", "0190163d-8694", "a-7", "2026.q1"] {
        house.submit(admin, Command::CreateRole { name: name(text), patterns: Vec::new() }).await;
    }
}
