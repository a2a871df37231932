//! The client's typed calls about relations over a real door, and what becomes of a question whose stream ends.

use crate::support;

use std::time::Duration;
use support::House;
use support::raw::Raw;
use tessera_client::wire::{Head, Kind, Outbox, RelationQuery, Request, TENANT_OF_CONNECTION};
use tessera_client::{Beside, Client, ClientError, tuple};
use tessera_model::limits::{BATCH_CHECKS_MAX, RELATION_CHANGES_MAX};
use tessera_model::{Receipt, Refusal};
use tessera_transport::Limits;

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user]\ntype folder\n  relations\n    define parent: [folder]\n    define viewer: [user, team#member] or viewer from parent\ntype document\n  relations\n    define parent: [folder]\n    define blocked: [user]\n    define viewer: [user, team#member] or viewer from parent\n    define can_view: viewer but not blocked\n";

fn query<'a>(text: &'a str, at_least: Receipt) -> RelationQuery<'a> {
    let mut words = text.split(' ');
    let mut word = || words.next().expect("three words");
    let (subject, relation, object) = (word(), word(), word());
    RelationQuery { object, relation, subject, at_least }
}

async fn permitted(client: &Client, text: &str, at_least: Receipt) -> Result<bool, ClientError> {
    client.check_relation(&query(text, at_least)).await.map(|decision| decision.permitted)
}

/// PROPERTY: the client's typed calls say what the node holds: a check alone and in a batch, with tuples of its own, lists,
/// expansions, explanations, tuples and models; unknown names are typed errors and no permit.
#[tokio::test]
async fn typed_calls_say_what_the_node_holds() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let client = &acme.client;
    assert!(client.relation_model(None).await.expect("none").is_none());
    assert_eq!(client.try_relation_model("model\n  schema 1.1\ntype a:\n").await.expect("a trial").line, 3);
    client.set_relation_model(MODEL, false).await.expect("a model");
    let all = [
        tuple("user:ann", "member", "team:a"),
        tuple("team:a#member", "viewer", "folder:1"),
        tuple("folder:1", "parent", "folder:2"),
        tuple("folder:2", "parent", "document:1"),
        tuple("user:eve", "viewer", "document:1"),
        tuple("user:eve", "blocked", "document:1"),
    ];
    let seen = client.write_relations(&all).await.expect("written").receipt;
    for (text, expected) in [
        ("user:ann can_view document:1", true),
        ("user:eve can_view document:1", false),
        ("user:eve viewer document:1", true),
        ("team:a#member viewer document:1", true),
        ("user:nobody viewer document:1", false),
    ] {
        assert_eq!(permitted(client, text, seen).await.ok(), Some(expected), "{text}");
    }
    let unknown = permitted(client, "user:ann nothing document:1", seen).await;
    assert!(matches!(unknown, Err(ClientError::Refused(Refusal::RelationUnknown))));
    let own = [tuple("user:bob", "member", "team:a")];
    let beside = Beside { contextual: &own, at_least: seen };
    let bob = tuple("user:bob", "can_view", "document:1");
    assert!(client.check_relation_with(&bob, beside).await.expect("an answer").permitted);
    assert!(!client.check_relation_with(&bob, Beside::default()).await.expect("an answer").permitted);
    let both = [bob.clone(), tuple("user:ann", "can_view", "document:1")];
    let names = vec!["b".to_owned(), "a".to_owned()];
    let rows = client.check_relations(&both, (Vec::new(), names), seen).await.expect("answers");
    let told: Vec<_> = rows.iter().map(|row| (row.correlation.as_deref(), row.permitted)).collect();
    assert_eq!(told, [(Some("b"), false), (Some("a"), true)]);
    let list = client.list_relation_objects("user:bob", "can_view", "document", beside).await;
    assert_eq!(list.expect("a list"), ["document:1"]);
    let list = client.list_relation_subjects("document:1", "viewer", "user", Beside::default()).await;
    assert_eq!(list.expect("a list"), ["user:ann", "user:eve"]);
    let list = client.list_relation_subjects("document:1", "viewer", "team#member", Beside::default()).await;
    assert_eq!(list.expect("a list"), ["team:a#member"]);
    let steps = client.expand_relation("document:1", "can_view", Beside::default()).await.expect("steps");
    assert_eq!(steps.first().map(|step| step.kind), Some(3));
    let steps = client.explain_relation(&both[1], Beside::default()).await.expect("steps");
    assert!(steps.iter().any(|step| step.holds), "{steps:?}");
    let mut stored = client.relations("document:1", "", "");
    let mut count = 0;
    while let Some(row) = stored.next().await {
        assert_eq!(&*row.expect("a row").tuple.object, "document:1");
        count += 1;
    }
    assert_eq!(count, 3);
    let seen = client.remove_relations(&all[..1]).await.expect("removed").receipt;
    assert_eq!(permitted(client, "user:ann can_view document:1", seen).await.ok(), Some(false));
    assert_eq!(client.relation_models().await.expect("versions").len(), 1);
    acme.person("joe@example.org", "reader", &["orders.read"]).await;
    let reader = house.client(&acme.session("joe@example.org").await.1).await;
    let refused = permitted(&reader, "user:eve viewer document:1", Receipt::default()).await;
    assert!(matches!(refused, Err(ClientError::Refused(Refusal::Unauthorized))));
}

/// Documents that each name a thousand teams, and somebody who is in another one: long to answer, and always no.
async fn long_questions(client: &Client) {
    client.set_relation_model(MODEL, false).await.expect("a model");
    let teams: Vec<_> = (0..RELATION_CHANGES_MAX)
        .map(|team| tuple(&format!("team:{team}#member"), "viewer", "document:long"))
        .collect();
    client.write_relations(&teams).await.expect("written");
    client.write_relations(&[tuple("team:none#member", "viewer", "document:short")]).await.expect("written");
}

/// PROPERTY: a check that costs more than its share where it lies is answered all the same, behind others.
#[tokio::test]
async fn a_long_check_is_answered() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    long_questions(&acme.client).await;
    let long = query("team:none#member viewer document:long", Receipt::default());
    let decision = acme.client.check_relation(&long).await.expect("an answer");
    assert!(!decision.permitted && decision.steps > 2_000, "{decision:?}");
}

/// Asks until the one command or list that may run at once is over.
async fn until_over(raw: &mut Raw) {
    let mut out = Outbox::new();
    let head = Head { tenant: TENANT_OF_CONNECTION, ..Head::default() };
    out.request(9, head, &Request::ListRelationModels {}).expect("written");
    for _ in 0..60_000 {
        raw.write(out.as_bytes()).await;
        if raw.next().await.expect("an answer").1 == Kind::Rows {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it went on");
}

/// PROPERTY: a question whose stream was reset, or is read no more behind its end, is given up: it is paid for as far as it
/// came. METHOD: the clock stands, so that a budget that is a little less than what the whole question costs is not filled
/// again; afterwards something is left of it.
#[tokio::test]
async fn a_question_ends_with_its_stream() {
    // 1,024 checks of 2,001 steps each, eight to a check, are 256,000.
    let limits = Limits { commands_in_flight: 1, checks_per_second: 235_000, ..Limits::default() };
    for reset in [true, false] {
        let house = House::with(limits).await;
        let operator = house.operator().await;
        let acme = house.tenant(&operator, "acme").await;
        long_questions(&acme.client).await;
        let one = tuple("team:none#member", "viewer", "document:long");
        let first = acme.client.check_relation_with(&one, Beside::default()).await.expect("an answer");
        assert!(u64::from(first.steps) * BATCH_CHECKS_MAX as u64 / 8 > 250_000, "{first:?}");
        let mut raw = Raw::hello(&house, &acme.key).await;
        let (mut send, mut receive) = raw.connection.open_bi().await.expect("a stream");
        let request = Request::CheckRelations {
            checks: vec![one; BATCH_CHECKS_MAX],
            contextual: Vec::new(),
            correlations: Vec::new(),
            at_least: None,
        };
        let mut out = Outbox::new();
        let head = Head { tenant: TENANT_OF_CONNECTION, ..Head::default() };
        out.request(8, head, &request).expect("written");
        let before = house.door.figures().commands;
        send.write_all(out.as_bytes()).await.expect("sent");
        while house.door.figures().commands == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if reset {
            send.reset(0_u32.into()).expect("reset");
        } else {
            send.finish().expect("ended");
        }
        receive.stop(0_u32.into()).expect("stopped");
        until_over(&mut raw).await;
        let left = acme.client.with_deadline(Duration::from_secs(5));
        let answered = permitted(&left, "team:none#member viewer document:short", Receipt::default()).await;
        assert_eq!(answered.ok(), Some(true), "the whole question was paid for");
    }
}
