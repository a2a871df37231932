//! Limits that are reached for the moment: each is told by its name and number, and what waits behind it is done.

use crate::support;

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use support::House;
use tessera_engine::{Done, SubmitError};
use tessera_model::limits::{INTAKE_MAX, INTAKE_RESERVED_MAX, LOADS_WAITING_MAX};
use tessera_model::load::LoadRow;
use tessera_model::record::SubjectKind;
use tessera_model::{Command, Identifier, Limit, LimitAt, Name, Private, Refusal};

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Done, SubmitError>> + 'a>>;

/// Looks at each once, in one turn of the runtime, and tells the refusals of those that were answered.
async fn at_once(asked: &mut [Asked<'_>]) -> Vec<SubmitError> {
    std::future::poll_fn(|context| {
        let answered = asked.iter_mut().filter_map(|one| match one.as_mut().poll(context) {
            Poll::Ready(outcome) => outcome.err(),
            Poll::Pending => None,
        });
        Poll::Ready(answered.collect())
    })
    .await
}

fn row(email: &str) -> LoadRow {
    LoadRow {
        kind: SubjectKind::Person,
        suspended: false,
        identifiers: vec![Identifier::guess(email).expect("an email")],
        password: Private::default(),
        values: Vec::new(),
        grants: Vec::new(),
        serial: 0,
    }
}

/// PROPERTY: as many commands wait as permits say; the next is told which limit that is and its number, those that
/// narrow have permits of their own, and loads a queue of their own. METHOD: all of them in one turn of a runtime of one
/// thread, in which no actor runs.
/// TC-113 in part.
#[tokio::test]
async fn intakes_are_bounded_by_name() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let (engine, admin) = (&house.engine, &tenant.admin);
    let wide = |no: usize| -> Asked<'_> {
        let name = Name::new(&format!("p.{no}")).expect("a name");
        Box::pin(engine.submit(admin, engine.command_id(), Command::RegisterPermission { name }))
    };
    let narrow = |_| -> Asked<'_> {
        Box::pin(engine.submit(admin, engine.command_id(), Command::EndTenantSessions {}))
    };
    let room = INTAKE_MAX - INTAKE_RESERVED_MAX;
    let mut asked: Vec<Asked<'_>> = (0..room + 3).map(wide).collect();
    let busy = |bound: usize| SubmitError::Refused(Refusal::Busy(Limit::Intake.at(bound as u64)));
    assert_eq!(at_once(&mut asked).await, vec![busy(room); 3]);
    let mut narrowing: Vec<Asked<'_>> = (0..INTAKE_RESERVED_MAX + 2).map(narrow).collect();
    assert_eq!(at_once(&mut narrowing).await, vec![busy(INTAKE_MAX); 2]);
    // What waits is done.
    for one in asked.into_iter().take(room).chain(narrowing.into_iter().take(INTAKE_RESERVED_MAX)) {
        assert!(one.await.is_ok());
    }
    let load = |no: usize| -> Asked<'_> {
        let rows = vec![row(&format!("p{no}@example.org"))];
        Box::pin(engine.load_subjects(admin, engine.command_id(), rows, false))
    };
    let mut loads: Vec<Asked<'_>> = (0..LOADS_WAITING_MAX + 1).map(load).collect();
    let mut told = at_once(&mut loads).await;
    // A load gives its turn away once before it waits.
    told.extend(at_once(&mut loads).await);
    let limit = LimitAt { limit: Limit::LoadsWaiting, bound: LOADS_WAITING_MAX as u64 };
    assert_eq!(told, [SubmitError::Refused(Refusal::Busy(limit))]);
    for one in loads.into_iter().take(LOADS_WAITING_MAX) {
        assert!(one.await.is_ok());
    }
}
