//! Relations over the wire: model and tuples are written, and every question about them is answered.

use crate::support;

use support::House;
use tessera_client::ClientError;
use tessera_client::wire::{
    RelationAnswerRow, RelationModelRow, RelationNameRow, RelationRow, RelationStepRow, RelationTrialRow,
    Request,
};
use tessera_model::limits::BATCH_CHECKS_MAX;
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{Deadline, Private, Refusal};

const MODEL: &str = "model\n  schema 1.1\ntype user\ntype team\n  relations\n    define member: [user, team#member]\ntype document\n  relations\n    define blocked: [user]\n    define viewer: [user, user:*, team#member]\n    define can_view: viewer but not blocked\n";

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn record(text: &str) -> RelationRecord {
    let words: Vec<&str> = text.split(' ').collect();
    let (from, until) = (Deadline::NONE, Deadline::NONE);
    RelationRecord {
        subject: words[0].into(),
        relation: words[1].into(),
        object: words[2].into(),
        from,
        until,
    }
}

fn writes(texts: &[&str]) -> Request {
    let change = |text: &&str| RelationChange {
        act: RelationAct::Write,
        condition: RelationCondition::Any,
        tuple: record(text),
    };
    Request::ChangeRelations { changes: texts.iter().map(change).collect() }
}

fn shown(text: &Private) -> String {
    String::from_utf8(text.expose().to_vec()).expect("a text")
}

/// PROPERTY: what is written is answered at the next question, also with `at_least`; items of a batch have
/// tuples of their own (F-20); lists come page by page, whole; an error has its code and is no permit.
#[tokio::test]
async fn every_question_about_relations_is_answered() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let wrong = Request::TryRelationModel { text: private("model\n  schema 1.1\ntype a:\n") };
    let row = acme.client.list::<RelationTrialRow>(&wrong).await.expect("a trial").rows.pop().expect("a row");
    assert_eq!((row.line, row.column), (3, 7));
    let set = |text: &str| Request::SetRelationModel { text: private(text), allow_orphans: false };
    let refused = acme.client.request(&set("nonsense")).await.err();
    assert!(matches!(refused, Some(ClientError::Refused(Refusal::RelationModelWrong))));
    acme.client.request(&set(MODEL)).await.expect("a model");
    let model = acme
        .client
        .list::<RelationModelRow>(&Request::ReadRelationModel { version: None })
        .await
        .expect("a model");
    assert_eq!((model.rows[0].version, shown(&model.rows[0].text)), (1, MODEL.to_owned()));

    let all = [
        "user:ann member team:a",
        "team:a#member viewer document:1",
        "user:eve viewer document:1",
        "user:eve blocked document:1",
        "user:* viewer document:2",
    ];
    let receipt = acme.client.request(&writes(&all)).await.expect("written").receipt;
    let ill = acme.client.request(&writes(&["team:a viewer document:1"])).await.err();
    assert!(matches!(ill, Some(ClientError::Refused(Refusal::RelationMismatch))));

    let checks = [
        "user:ann can_view document:1",
        "user:eve can_view document:1",
        "user:bob can_view document:1",
        "user:bob can_view document:1",
        "user:bob can_view document:2",
        "user:bob fly document:1",
    ];
    let request = Request::CheckRelations {
        checks: checks.iter().map(|text| record(text)).collect(),
        contextual: vec![(3, record("user:bob member team:a"))],
        correlations: Vec::new(),
        at_least: Some(receipt),
    };
    let rows = acme.client.list::<RelationAnswerRow>(&request).await.expect("answers").rows;
    let told: Vec<(bool, u32)> = rows.iter().map(|row| (row.permitted, row.code)).collect();
    assert_eq!(told, [(true, 0), (false, 0), (false, 0), (true, 0), (true, 0), (false, 275)]);

    // As many answers as a batch may have questions.
    let request = Request::CheckRelations {
        checks: vec![record("user:ann can_view document:1"); BATCH_CHECKS_MAX],
        contextual: Vec::new(),
        correlations: Vec::new(),
        at_least: Some(receipt),
    };
    let rows = acme.client.list::<RelationAnswerRow>(&request).await.expect("answers").rows;
    assert_eq!(rows.iter().filter(|row| row.permitted).count(), BATCH_CHECKS_MAX);

    let many: Vec<String> = (0..1_000).map(|number| format!("user:ann viewer document:n{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    acme.client.request(&writes(&many)).await.expect("written");
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let request = Request::ListRelationObjects {
            subject: private("user:ann"),
            relation: private("can_view"),
            type_name: private("document"),
            contextual: Vec::new(),
            at_least: None,
            after,
            limit: 300,
        };
        let page = acme.client.list::<RelationNameRow>(&request).await.expect("a page");
        names.extend(page.rows.iter().map(|row| shown(&row.name)));
        let Some(next) = page.next else { break };
        after = Some(Private::new(next));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((count, names.len()), (1_002, 1_002));

    let request = Request::ListRelationSubjects {
        object: private("document:1"),
        relation: private("can_view"),
        type_name: private("user"),
        contextual: Vec::new(),
        at_least: None,
        after: None,
        limit: 0,
    };
    let names = acme.client.list::<RelationNameRow>(&request).await.expect("a list").rows;
    assert_eq!(names.iter().map(|row| shown(&row.name)).collect::<Vec<_>>(), ["user:ann"]);

    let (mut stored, mut after) = (0, None);
    loop {
        let limit = 400;
        let request = Request::ListRelations { object: None, relation: None, subject: None, after, limit };
        let page = acme.client.list::<RelationRow>(&request).await.expect("a page");
        stored += page.rows.len();
        let Some(next) = page.next else { break };
        after = Some(Private::new(next));
    }
    assert_eq!(stored, 1_005);

    // F-13: the explanation names what takes it away.
    let (check, contextual) = (record("user:eve can_view document:1"), Vec::new());
    let request = Request::ExplainRelation { check, contextual, at_least: None };
    let steps = acme.client.list::<RelationStepRow>(&request).await.expect("steps").rows;
    let told: Vec<String> = steps.iter().map(|step| format!("{} {}", step.kind, shown(&step.told))).collect();
    assert!(told.contains(&"13 document:1#can_view".to_owned()), "{told:?}");
    assert!(told.contains(&"12 user:eve blocked document:1".to_owned()), "{told:?}");
    let request = Request::ExpandRelation {
        object: private("document:1"),
        relation: private("viewer"),
        contextual: Vec::new(),
        at_least: None,
    };
    let steps = acme.client.list::<RelationStepRow>(&request).await.expect("steps").rows;
    let told: Vec<String> = steps.iter().map(|step| shown(&step.told)).collect();
    assert_eq!(told, ["team:a#member", "user:eve"]);
    // More than a frame holds is told in part, and how much is left; every number of names around that, whole or not.
    let mut written = 0;
    for count in [1_021, 1_022, 1_023, 2_000] {
        let more: Vec<String> =
            (written..count).map(|number| format!("user:u{number:04} viewer document:wide")).collect();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        for part in more.chunks(1_000) {
            acme.client.request(&writes(part)).await.expect("written");
        }
        written = count;
        let request = Request::ExpandRelation {
            object: private("document:wide"),
            relation: private("viewer"),
            contextual: Vec::new(),
            at_least: None,
        };
        let steps = acme.client.list::<RelationStepRow>(&request).await.expect("never a failed answer").rows;
        let left: u32 = steps.iter().filter_map(|step| step.left).sum();
        let names = steps.iter().filter(|step| step.kind == 4).count();
        let markers: Vec<u32> =
            steps.iter().filter(|step| step.left.is_some()).map(|step| step.kind).collect();
        assert_eq!(names + usize::try_from(left).expect("small"), count, "{left} left");
        assert_eq!(markers, if left == 0 { vec![] } else { vec![7] });
        assert!(names >= 1_000 && (count < 1_024 || left > 0), "{names} of {count}");
    }
}
