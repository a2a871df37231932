//! Lists over a large session table: each page looks at a bounded part of it.

use crate::support;

use std::collections::BTreeSet;
use support::House;
use tessera_model::Command;
use tessera_model::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX};

/// PROPERTY: the pages of a list of sessions, each within its bounds, hold every session of the subject once,
/// wherever they stand in a table of more places than one page looks at; an empty page is not the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_table_is_listed_in_bounded_pages() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let (amy, bob) = (
        house.person(&tenant, "amy@example.org", "correct horse").await,
        house.person(&tenant, "bob@example.org", "correct horse").await,
    );
    let index = |id| {
        let view = tenant.admin.entry.view();
        view.as_ref().expect("awake").listing().subject(id).expect("known").index
    };
    let (amy, bob) = (index(amy), index(bob));
    let total = usize::try_from(PAGE_PLACES_MAX).expect("small") * 2 + 5_000;
    let mut running = tokio::task::JoinSet::new();
    // Amy has a few at the beginning and some at the very end.
    for no in 0..total {
        let subject = if no < 10 || no + 1_500 > total { amy } else { bob };
        let (engine, admin) = (house.engine.clone(), tenant.admin.clone());
        let open = Command::OpenSession { subject, seen_cut_off: 0, identifier: None, acr: 1, device: None };
        running.spawn(async move {
            let done = engine.submit(&admin, engine.command_id(), open).await.expect("opened");
            (subject, done.made.session.expect("an id"))
        });
        if running.len() >= 1_000 {
            running.join_next().await.expect("one").expect("no panic");
        }
    }
    while running.join_next().await.is_some() {}
    let view = tenant.admin.entry.view();
    let view = view.as_ref().expect("awake");
    let reading = house.engine.read(view);
    let (mut cursor, mut seen, mut pages, mut empty) = (0, BTreeSet::new(), 0, 0);
    loop {
        let page = reading.sessions(amy, cursor, 700);
        assert!(page.walked <= PAGE_PLACES_MAX && page.rows.len() <= PAGE_ROWS_MAX);
        pages += 1;
        empty += u32::from(page.rows.is_empty());
        for row in &page.rows {
            assert!(row.subject_index == amy && seen.insert(row.id), "twice, or somebody else's");
        }
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
        assert!(pages < 10_000);
    }
    println!("{} sessions on {pages} pages, {empty} of them empty", seen.len());
    assert_eq!(seen.len(), 10 + 1_499);
    assert!(empty > 0);
}
