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
use tessera_model::{Command, Identifier, Limit, LimitAt, Name, Pattern, Private, Refusal};

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

/// What a call comes to whose caller goes away when it was looked at so often.
async fn given_up<T>(call: impl Future<Output = T>, mut looks: usize) -> Option<T> {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|context| {
        if looks == 0 {
            return Poll::Ready(None);
        }
        looks -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

/// PROPERTY: a caller that goes away at any point of a command or a sign-in leaves nothing half done and loses nothing
/// that was answered: its command id tells what happened, once; no permit is kept. METHOD: each call is given up after
/// so many looks, up to as many as it takes; then as many commands as ever find room.
/// TC-115.
#[tokio::test]
async fn tc_115_callers_that_go_away_keep_nothing() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.person(&tenant, "amy@example.org", "correct horse").await;
    let (engine, admin) = (&house.engine, &tenant.admin);
    let amy = Identifier::guess("amy@example.org").expect("an email");
    let signs_in = |id| {
        let proof = (&amy, Private::new(b"correct horse".to_vec()));
        engine.sign_in(admin, id, proof, (None, None))
    };
    let creates = |id, no: usize| {
        let name = Name::new(&format!("role{no}")).expect("a name");
        let patterns = vec![Pattern::new("orders.*").expect("a pattern")];
        engine.submit(admin, id, Command::CreateRole { name, patterns })
    };
    let (mut most, mut ids) = (0, Vec::new());
    for looks in 0..40 {
        let (role, session) = (engine.command_id(), engine.command_id());
        let told = given_up(creates(role, looks), looks).await;
        let done = creates(role, looks).await.expect("the id tells what happened");
        assert!(told.is_none_or(|told| told.expect("created").receipt == done.receipt));
        let told = given_up(signs_in(session), looks).await;
        most += usize::from(told.is_none());
        signs_in(session).await.expect("the id tells what happened");
        ids.push(role);
    }
    assert!((2..40).contains(&most), "{most} of 40 were given up before their end");
    let history = house.store.history(tenant.id, tessera_model::Revision(0), usize::MAX).expect("a history");
    for id in ids {
        assert_eq!(history.iter().filter(|frame| frame.id == id).count(), 1, "{id:?}");
    }
    assert_eq!(engine.usage().waiting, 0);
    let room = INTAKE_MAX - INTAKE_RESERVED_MAX;
    let mut asked: Vec<Asked<'_>> = (0..room)
        .map(|no| -> Asked<'_> {
            let name = Name::new(&format!("p.{no}")).expect("a name");
            Box::pin(engine.submit(admin, engine.command_id(), Command::RegisterPermission { name }))
        })
        .collect();
    assert_eq!(at_once(&mut asked).await, [], "a permit was kept");
}
