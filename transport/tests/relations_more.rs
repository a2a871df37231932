//! Relations over the wire: ids of questions, sealed cursors, resources, watching; the field's cases F-18 and F-19.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{House, Tenant, name};
use tessera_client::ClientError;
use tessera_client::wire::{
    RelationAnswerRow, RelationEventRow, RelationMappingRow, RelationModelRow, RelationNameRow, RelationRow,
    RelationVersionRow, Request,
};
use tessera_model::relation::{RelationAct, RelationChange, RelationCondition, RelationRecord};
use tessera_model::{
    CheckQuery, CursorFault, Deadline, PermissionRef, Private, Reason, Receipt, Refusal, WorkspaceRef,
};

/// The model of `02-two-recursive-parents.fga.yaml`, and a document with an exclusion.
const MODEL: &str = "model\n  schema 1.1\ntype person\ntype user\ntype team\n  relations\n    define parent_group: [team]\n    define child_group: [team]\n    define member: [person, user] or member from parent_group or member from child_group\ntype folder\n  relations\n    define viewer: [person, user]\ntype doc\n  relations\n    define parent: [folder]\n    define blocked: [person]\n    define can_view: (viewer from parent) but not blocked\n    define viewer: [user, team#member]\n";

fn private(text: &str) -> Private {
    Private::new(text.as_bytes().to_vec())
}

fn shown(text: &Private) -> String {
    String::from_utf8(text.expose().to_vec()).expect("a text")
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

fn changes(act: RelationAct, texts: &[&str]) -> Request {
    let condition = RelationCondition::Any;
    let change = |text: &&str| RelationChange { act, condition, tuple: record(text) };
    Request::ChangeRelations { changes: texts.iter().map(change).collect() }
}

fn check(texts: &[&str], at_least: Option<Receipt>) -> Request {
    Request::CheckRelations {
        checks: texts.iter().map(|text| record(text)).collect(),
        contextual: Vec::new(),
        correlations: Vec::new(),
        at_least,
    }
}

async fn permitted(tenant: &Tenant, text: &str, at_least: Option<Receipt>) -> bool {
    let rows =
        tenant.client.list::<RelationAnswerRow>(&check(&[text], at_least)).await.expect("an answer").rows;
    assert_eq!(rows[0].code, 0, "{text}");
    rows[0].permitted
}

async fn acme(house: &House) -> Tenant {
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    let set = Request::SetRelationModel { text: private(MODEL), allow_orphans: false };
    acme.client.request(&set).await.expect("a model");
    acme
}

/// PROPERTY: after the ack of a write at revision r no check gives the old answer, with `at_least` r or without it;
/// a model that is written again as it is denies nobody meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f_18_nothing_stale_after_the_ack() {
    let house = House::open().await;
    let acme = Arc::new(acme(&house).await);
    // u1 is in g1, and g6 lies three edges away from it by both kinds of edges.
    let edges = [
        "team:g1 parent_group team:g2",
        "team:g2 parent_group team:g3",
        "team:g3 child_group team:g6",
        "person:ever member team:g6",
    ];
    acme.client.request(&changes(RelationAct::Write, &edges)).await.expect("written");
    let over = Arc::new(AtomicBool::new(false));
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (acme, over) = (Arc::clone(&acme), Arc::clone(&over));
        others.spawn(async move {
            let mut asked = 0_u32;
            while !over.load(Ordering::Relaxed) {
                // One that nobody changes is never denied.
                assert!(permitted(&acme, "person:ever member team:g6", None).await);
                asked += 1;
            }
            asked
        });
    }
    let moved = ["person:u1 member team:g1"];
    for round in 0..100 {
        let (act, expected) =
            if round % 2 == 0 { (RelationAct::Write, true) } else { (RelationAct::Remove, false) };
        let receipt = acme.client.request(&changes(act, &moved)).await.expect("done").receipt;
        let questions = ["person:u1 member team:g6"; 100];
        for at_least in [Some(receipt), None] {
            let rows = acme.client.list::<RelationAnswerRow>(&check(&questions, at_least)).await;
            let rows = rows.expect("answers").rows;
            assert!(rows.len() == 100 && rows.iter().all(|row| row.permitted == expected), "round {round}");
        }
        if round % 10 == 9 {
            let same = Request::SetRelationModel { text: private(MODEL), allow_orphans: false };
            acme.client.request(&same).await.expect("the same model");
        }
    }
    over.store(true, Ordering::Relaxed);
    let mut asked = 0;
    while let Some(done) = others.join_next().await {
        asked += done.expect("no false deny");
    }
    assert!(asked > 0);
}

/// PROPERTY: 2,500 objects behind an exclusion come in pages of 1,000, each once and none missing; a page ends with a
/// cursor or is the last; what costs too much is an error and never a short list.
#[tokio::test]
async fn f_19_a_list_is_whole_or_an_error() {
    let house = House::open().await;
    let acme = acme(&house).await;
    for part in 0..5 {
        let mut all = Vec::new();
        for at in part * 500..(part + 1) * 500 {
            all.push(format!("folder:{at} parent doc:{at}"));
            all.push(format!("person:maria viewer folder:{at}"));
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        acme.client.request(&changes(RelationAct::Write, &all)).await.expect("written");
    }
    let list = |after: Option<Vec<u8>>| Request::ListRelationObjects {
        subject: private("person:maria"),
        relation: private("can_view"),
        type_name: private("doc"),
        contextual: Vec::new(),
        at_least: None,
        after: after.map(Private::new),
        limit: 1_000,
    };
    let (mut names, mut after, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let page = acme.client.list::<RelationNameRow>(&list(after)).await.expect("a page");
        sizes.push(page.rows.len());
        names.extend(page.rows.iter().map(|row| shown(&row.name)));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    names.sort_unstable();
    names.dedup();
    let mut expected: Vec<String> = (0..2_500).map(|at| format!("doc:{at}")).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    // Another answer to the same question at a later revision: the pages behind the cursor follow it.
    let first = acme.client.list::<RelationNameRow>(&list(None)).await.expect("a page");
    acme.client
        .request(&changes(RelationAct::Write, &["person:maria blocked doc:999"]))
        .await
        .expect("blocked");
    let (mut rest, mut after) = (Vec::new(), first.next);
    while let Some(next) = after {
        let page = acme.client.list::<RelationNameRow>(&list(Some(next))).await.expect("a page");
        rest.extend(page.rows.iter().map(|row| shown(&row.name)));
        after = page.next;
    }
    assert_eq!(rest.len(), 1_499);
    assert!(!rest.contains(&"doc:999".to_owned()));
}

/// PROPERTY: an answer carries what its question was called; ids that are alike, or not one for each, are refused.
#[tokio::test]
async fn questions_have_names() {
    let house = House::open().await;
    let acme = acme(&house).await;
    acme.client.request(&changes(RelationAct::Write, &["user:ann viewer folder:1"])).await.expect("written");
    let ask = |ids: &[&str]| Request::CheckRelations {
        checks: vec![record("user:ann viewer folder:1"), record("user:bob viewer folder:1")],
        contextual: Vec::new(),
        correlations: ids.iter().map(|id| (*id).to_owned()).collect(),
        at_least: None,
    };
    let rows = acme.client.list::<RelationAnswerRow>(&ask(&["first", "second"])).await.expect("answers").rows;
    let told: Vec<_> = rows.iter().map(|row| (row.correlation.as_deref(), row.permitted)).collect();
    assert_eq!(told, [(Some("first"), true), (Some("second"), false)]);
    let rows = acme.client.list::<RelationAnswerRow>(&ask(&[])).await.expect("answers").rows;
    assert!(rows.iter().all(|row| row.correlation.is_none()));
    let (long, longer) = ("x".repeat(36), "x".repeat(37));
    assert!(acme.client.list::<RelationAnswerRow>(&ask(&[&long, "a-b_9"])).await.is_ok());
    let bad = [
        &["same", "same"][..],
        &["one"],
        &["one", "two", "three"],
        &[&longer, "a"],
        &["a.b", "a"],
        &["", "a"],
    ];
    for bad in bad {
        let told = acme.client.list::<RelationAnswerRow>(&ask(bad)).await.err();
        assert!(matches!(told, Some(ClientError::Refused(Refusal::Malformed))), "{bad:?}: {told:?}");
    }
}

/// PROPERTY: a cursor of a list of relations goes on in its own list and question only.
#[tokio::test]
async fn cursors_are_of_one_question() {
    let house = House::open().await;
    let acme = acme(&house).await;
    let all: Vec<String> = (0..20).map(|at| format!("user:ann viewer folder:{at:02}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    acme.client.request(&changes(RelationAct::Write, &all)).await.expect("written");
    let tuples = |relation: Option<&str>, after: Option<Private>| Request::ListRelations {
        object: None,
        relation: relation.map(private),
        subject: None,
        after,
        limit: 7,
    };
    let objects = |subject: &str, after: Option<Private>| Request::ListRelationObjects {
        subject: private(subject),
        relation: private("viewer"),
        type_name: private("folder"),
        contextual: Vec::new(),
        at_least: None,
        after,
        limit: 7,
    };
    let of_tuples = acme.client.list::<RelationRow>(&tuples(None, None)).await.expect("a page").next;
    let of_objects =
        acme.client.list::<RelationNameRow>(&objects("user:ann", None)).await.expect("a page").next;
    let cursor = |bytes: &Option<Vec<u8>>| Some(Private::new(bytes.clone().expect("more")));
    let mut damaged = of_tuples.clone().expect("more");
    damaged[20] ^= 1;
    for (request, fault) in [
        (tuples(Some("viewer"), cursor(&of_tuples)), CursorFault::Filter),
        (tuples(None, cursor(&of_objects)), CursorFault::List),
        (objects("user:bob", cursor(&of_objects)), CursorFault::Filter),
        (objects("user:ann", cursor(&of_tuples)), CursorFault::List),
        (tuples(None, Some(Private::new(damaged))), CursorFault::Damaged),
    ] {
        let told = acme.client.list::<RelationRow>(&request).await.err();
        let Some(ClientError::Refused(Refusal::CursorRefused(found))) = told else { panic!("{told:?}") };
        assert_eq!(found, fault);
    }
    let rest =
        acme.client.pages::<RelationRow>(tuples(None, cursor(&of_tuples))).up_to(100).await.expect("rows");
    assert_eq!(rest.len(), 13);
}

/// PROPERTY: the versions of a model are kept and read; a permission that is mapped to a relation is given to
/// whoever is in it, to that resource alone and at the next check, and taken back.
#[tokio::test]
async fn a_resource_is_checked() {
    let house = House::open().await;
    let acme = acme(&house).await;
    let next = format!("{MODEL}# second\n");
    let set = Request::SetRelationModel { text: private(&next), allow_orphans: false };
    acme.client.request(&set).await.expect("a model");
    let versions =
        acme.client.list::<RelationVersionRow>(&Request::ListRelationModels {}).await.expect("a list");
    assert_eq!(versions.rows.iter().map(|row| row.version).collect::<Vec<_>>(), [2, 1]);
    let read = |version| Request::ReadRelationModel { version };
    let first = acme.client.list::<RelationModelRow>(&read(Some(1))).await.expect("a model").rows;
    assert_eq!(shown(&first[0].text), MODEL);
    let none = acme.client.list::<RelationModelRow>(&read(Some(7))).await.err();
    assert!(matches!(none, Some(ClientError::Refused(Refusal::RelationModelUnknown))));

    let ann = acme.person("ann@example.org", "guest", &["guests.enter"]).await;
    let handle = acme.session("ann@example.org").await.0;
    acme.client
        .request(&Request::RegisterPermission { name: name("docs.read") })
        .await
        .expect("a permission");
    let asked = async |object: &str| {
        let query = CheckQuery {
            handle: &handle,
            permission: PermissionRef::Name("docs.read"),
            workspace: WorkspaceRef::Tenant,
            at_least: Receipt::default(),
            address: None,
        };
        acme.client.check_resource(&query, object).await.expect("an answer").reason
    };
    assert_eq!(asked("doc:1").await, Reason::NotGranted);
    let map = Request::MapPermission {
        permission: name("docs.read"),
        type_name: "doc".to_owned(),
        relation: "viewer".to_owned(),
    };
    acme.client.request(&map).await.expect("mapped");
    assert_eq!(asked("doc:1").await, Reason::NotGranted);
    let tuple = format!("user:{ann} viewer doc:1");
    acme.client.request(&changes(RelationAct::Write, &[&tuple])).await.expect("written");
    assert_eq!((asked("doc:1").await, asked("doc:2").await), (Reason::None, Reason::NotGranted));
    assert_eq!(asked("nonsense").await, Reason::ResourceUnknown);
    let list = Request::ListMappings { after: None, limit: 0 };
    let mappings = acme.client.list::<RelationMappingRow>(&list).await.expect("a list").rows;
    assert_eq!((mappings.len(), mappings[0].relation.as_str()), (1, "viewer"));
    let unmap = Request::UnmapPermission { permission: name("docs.read"), type_name: "doc".to_owned() };
    acme.client.request(&unmap).await.expect("taken back");
    assert_eq!(asked("doc:1").await, Reason::NotGranted);
    let own = Request::MapPermission {
        permission: name("tessera.admin.keys"),
        type_name: "doc".to_owned(),
        relation: "viewer".to_owned(),
    };
    assert!(matches!(acme.client.request(&own).await, Err(ClientError::Refused(Refusal::BuiltIn))));
}

fn watch(after: Option<Vec<u8>>, limit: u32, wait_ms: u32) -> Request {
    Request::WatchRelations { after: after.map(Private::new), limit, wait_ms: Some(wait_ms) }
}

/// PROPERTY: whoever watches hears every change once and in its order, whatever the size of the pages; a request that
/// waits is answered when something happens; a damaged position is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_watched() {
    let house = House::open().await;
    let acme = Arc::new(acme(&house).await);
    let begin = acme.client.list::<RelationEventRow>(&watch(None, 0, 0)).await.expect("a position");
    assert!(begin.rows.is_empty());
    let waiting = {
        let (acme, after) = (Arc::clone(&acme), begin.next.clone());
        let client = acme.client.with_deadline(Duration::from_secs(30));
        tokio::spawn(async move { client.list::<RelationEventRow>(&watch(after, 0, 20_000)).await })
    };
    acme.client.request(&changes(RelationAct::Write, &["user:ann viewer folder:1"])).await.expect("written");
    let heard = waiting.await.expect("a task").expect("an answer");
    assert_eq!((heard.rows.len(), heard.rows[0].event), (1, 1));

    let mut expected = vec!["1 user:ann viewer folder:1".to_owned()];
    for round in 0..10 {
        let all: Vec<String> = (0..17).map(|at| format!("user:u{at} viewer folder:{round}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        acme.client.request(&changes(RelationAct::Write, &all)).await.expect("written");
        // What else happens is not told.
        let other = Request::RegisterPermission { name: name(&format!("p{round}")) };
        acme.client.request(&other).await.expect("a permission");
        let gone = format!("user:u3 viewer folder:{round}");
        acme.client.request(&changes(RelationAct::Remove, &[&gone])).await.expect("removed");
        expected.extend(all.iter().map(|text| format!("1 {text}")));
        expected.push(format!("2 {gone}"));
    }
    let set = Request::SetRelationModel { text: private(&format!("{MODEL}#\n")), allow_orphans: false };
    acme.client.request(&set).await.expect("a model");
    for limit in [1, 5, 1_000] {
        let (mut told, mut after, mut model) = (Vec::new(), begin.next.clone(), 0);
        loop {
            let page = acme.client.list::<RelationEventRow>(&watch(after, limit, 0)).await.expect("a page");
            if page.rows.is_empty() {
                break;
            }
            for row in &page.rows {
                match &row.tuple {
                    Some(one) => {
                        told.push(format!("{} {} {} {}", row.event, one.subject, one.relation, one.object))
                    }
                    None => model = row.version,
                }
            }
            after = page.next;
        }
        // The changes of one command have no order among themselves.
        let (mut told, mut expected) = (told, expected.clone());
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!((told, model), (expected, 2), "limit {limit}");
    }
    let mut damaged = begin.next.expect("a position");
    damaged[5] ^= 1;
    let told = acme.client.list::<RelationEventRow>(&watch(Some(damaged), 0, 0)).await.err();
    assert!(matches!(told, Some(ClientError::Refused(Refusal::CursorRefused(_)))), "{told:?}");
}
