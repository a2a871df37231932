//! Bulk load: what a row becomes, that it becomes it once, and what is told of one that becomes nothing.

use crate::support;

use std::collections::BTreeMap;
use support::{House, Tenant};
use tessera_crypto::digest::Hasher;
use tessera_engine::{Bound, SubmitError};
use tessera_model::limits::LOAD_ROWS_MAX;
use tessera_model::load::{LoadField, LoadGrant, LoadRow, Loaded};
use tessera_model::record::{AttributeKind, AttributeValue, SubjectKind, SubjectStatus};
use tessera_model::{
    Command, Deadline, Identifier, Limit, Name, Private, PublicId, Reason, Refusal, RowKind,
};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn identifier(text: &str) -> Identifier {
    Identifier::guess(text).expect("an identifier")
}

fn row(identifiers: &[&str]) -> LoadRow {
    LoadRow {
        kind: SubjectKind::Person,
        suspended: false,
        identifiers: identifiers.iter().copied().map(identifier).collect(),
        password: Private::default(),
        values: Vec::new(),
        grants: Vec::new(),
        serial: 0,
    }
}

fn role(role: &str) -> LoadGrant {
    LoadGrant { role: name(role), workspace: None, from: Deadline::NONE, until: Deadline::NONE }
}

async fn try_load(house: &House, by: &Bound, rows: &[LoadRow], trial: bool) -> Result<Loaded, SubmitError> {
    let id = house.engine.command_id();
    let done = house.engine.load_subjects(by, id, rows.to_vec(), trial).await?;
    Ok(done.made.loaded.expect("told"))
}

async fn load(house: &House, tenant: &Tenant, rows: &[LoadRow]) -> Loaded {
    try_load(house, &tenant.admin, rows, false).await.expect("loaded")
}

/// Every subject that there is, by what it is.
fn subjects(tenant: &Tenant) -> BTreeMap<PublicId, (SubjectKind, SubjectStatus, bool)> {
    let view = tenant.admin.entry.view();
    let listing = view.as_ref().expect("awake").listing();
    let (mut all, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = listing.subjects(after, 100);
        all.extend(page.rows.iter().map(|row| (row.id, (row.kind, row.status, row.has_password))));
        let Some(next) = page.next else { return all };
        after = next;
    }
}

fn found(house: &House, tenant: &Tenant, typed: &str) -> Option<PublicId> {
    let typed = identifier(typed);
    let hash = house.engine.identifier_hash(tenant.id, &typed).expect("hashed");
    let view = tenant.admin.entry.view();
    view.as_ref().expect("awake").listing().subject_with(&hash, typed.kind()).map(|record| record.id)
}

/// PROPERTY: loaded rows are the subjects that they say, each once, in whatever pieces and however often they
/// are sent, restarts in between; a rejected row leaves nothing. METHOD: seeded rows out of few identifiers,
/// sent in pieces and again; a map that takes them one by one says what there must be.
#[tokio::test]
async fn rows_become_subjects_once() {
    for seed in 0..12_u64 {
        let house = House::new().await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        house.role(&tenant, "reader", &["orders.read"]).await;
        let before = subjects(&tenant).len();
        let mut dice = Hasher::new();
        dice.update(&seed.to_le_bytes());
        let mut bytes = vec![0; 4_000];
        dice.fill(&mut bytes);
        let mut bytes = bytes.into_iter();
        let mut roll = |most: u8| bytes.next().expect("dice") % most;
        let rows: Vec<LoadRow> = (0..60)
            .map(|at| {
                let names: Vec<String> = (0..roll(3)).map(|_| format!("user{}", 100 + roll(90))).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let kind = if roll(2) == 0 { SubjectKind::Person } else { SubjectKind::Machine };
                let grants = if roll(5) == 0 { vec![role("nobody")] } else { vec![role("reader")] };
                let serial = if names.is_empty() { at } else { 0 };
                LoadRow { kind, suspended: roll(4) == 0, grants, serial, ..row(&names) }
            })
            .collect();
        // One by one, the obvious way.
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let mut stands = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let names: Vec<&str> = row.identifiers.iter().map(Identifier::normal).collect();
            let twice = names.len() == 2 && names[0] == names[1];
            let free = !twice && names.iter().all(|name| !taken.contains_key(*name));
            let sound = row.grants[0].role.as_str() == "reader";
            // The same content again is the same subject.
            let again = stands.iter().any(|before: &usize| rows[*before].content() == row.content());
            if free && sound && !again {
                taken.extend(names.iter().map(|name| ((*name).to_owned(), at)));
                stands.push(at);
            }
        }
        let size = 1 + usize::from(roll(30));
        let mut made = 0;
        for piece in rows.chunks(size) {
            made += load(&house, &tenant, piece).await.made;
        }
        assert_eq!(made as usize, stands.len(), "seed {seed}");
        let there = subjects(&tenant);
        assert_eq!(there.len() - before, stands.len(), "seed {seed}");
        for (name, at) in &taken {
            let (kind, status, _) = there[&found(&house, &tenant, name).expect("found")];
            let wanted = if rows[*at].suspended { SubjectStatus::Suspended } else { SubjectStatus::Active };
            assert_eq!((kind, status), (rows[*at].kind, wanted), "seed {seed}");
        }
        // Again, in other pieces, by an engine that only has what is stored.
        let other = House::over(std::sync::Arc::clone(&house.store), support::START_MS).await;
        other.wake(&tenant).await;
        let tenant = Tenant { admin: other.bind(&tenant.admin_key).await, ..tenant };
        let mut known = 0;
        for piece in rows.chunks(61 - size) {
            let loaded = load(&other, &tenant, piece).await;
            assert_eq!(loaded.made, 0, "seed {seed}");
            known += loaded.known as usize;
        }
        assert!(known >= stands.len(), "seed {seed}");
        assert_eq!(subjects(&tenant), there, "seed {seed}");
    }
}

/// PROPERTY: a row brings all that it says: password, attributes hot and cold, grants; and one that is there
/// changes nothing, nor does a trial.
#[tokio::test]
async fn a_row_brings_all_that_it_says() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house
        .submit(
            &tenant.admin,
            Command::DeclareAttribute { name: name("seats"), kind: AttributeKind::Integer },
        )
        .await;
    let parameters = tessera_crypto::Parameters { memory_kib: 64, passes: 1, lanes: 1 };
    let phc = tessera_crypto::password::hash(b"correct horse", &[7; 16], parameters).expect("a hash");
    let amy = LoadRow {
        password: Private::new(phc.into_bytes()),
        values: vec![
            (name("seats"), AttributeValue::Integer(7)),
            (name("tier"), AttributeValue::Text("gold".into())),
        ],
        grants: vec![role("reader")],
        ..row(&["amy@example.org", "amy"])
    };
    let before = subjects(&tenant);
    let tried = try_load(&house, &tenant.admin, std::slice::from_ref(&amy), true).await.expect("tried");
    assert_eq!((tried.made, subjects(&tenant)), (1, before));
    assert_eq!(load(&house, &tenant, std::slice::from_ref(&amy)).await.made, 1);
    let session = house.sign_in(&tenant, "AMY@example.org", "correct horse").await.expect("signed in");
    assert!(house.check(&tenant, &session, "orders.read").is_permit());
    let id = found(&house, &tenant, "amy").expect("amy");
    let view = tenant.admin.entry.view();
    let listing = view.as_ref().expect("awake").listing();
    let record = listing.subject(id).expect("a record").clone();
    let hot: Vec<_> = listing.values(record.index).map(|(_, value)| value.clone()).collect();
    assert_eq!(hot, [AttributeValue::Integer(7)]);
    let key = tessera_model::Row::subject_key(record.index, b"tier");
    let cold = house.store.row(tenant.id, RowKind::Profile, &key).expect("a row").value;
    assert_eq!(cold.expect("gold").expose(), b"gold");
    drop(view);
    let again = load(&house, &tenant, std::slice::from_ref(&amy)).await;
    assert_eq!((again.made, again.known, again.rejected.len()), (0, 1, 0));
    // One that was deleted since does not rise again.
    house.submit(&tenant.admin, Command::DeleteSubject { subject: id }).await;
    let again = load(&house, &tenant, std::slice::from_ref(&amy)).await;
    assert_eq!(again.rejected[0].refusal, Refusal::SubjectDeleted);
}

/// PROPERTY: what is wrong with a row is told with its number, its part and the reason, whatever stands around
/// it, and the others are loaded.
/// F-65 in part.
#[tokio::test]
async fn faults_are_told_with_their_place() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.person(&tenant, "taken@example.org", "correct horse").await;
    let hash = |text: &str| LoadRow { password: Private::new(text.as_bytes().to_vec()), ..row(&["hash"]) };
    let with = |values: Vec<(Name, AttributeValue)>| LoadRow { values, ..row(&["values"]) };
    let granted = |grants: Vec<LoadGrant>| LoadRow { grants, ..row(&["grants"]) };
    let place = |grant: LoadGrant| LoadGrant { workspace: Some(name("nowhere")), ..grant };
    let past = |grant: LoadGrant| LoadGrant { until: Deadline(5), ..grant };
    let text = |bytes: usize| AttributeValue::Text("x".repeat(bytes).into());
    let cases = [
        (row(&["new1@example.org", "taken@example.org"]), LoadField::Identifier, 1, Refusal::Duplicate),
        (row(&["twice", "Twice"]), LoadField::Identifier, 1, Refusal::Duplicate),
        (hash("$2b$12$abcdefghijklmnopqrstuv"), LoadField::Password, 0, Refusal::HashUnfit),
        (
            hash("$argon2id$v=19$m=2097152,t=9,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"),
            LoadField::Password,
            0,
            Refusal::HashUnfit,
        ),
        (hash("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ"), LoadField::Password, 0, Refusal::HashUnfit),
        (
            with(vec![(name("a"), text(1)), (name("b"), AttributeValue::Bool(true))]),
            LoadField::Attribute,
            1,
            Refusal::AttributeUnknown,
        ),
        (with(vec![(name("a"), text(5_000))]), LoadField::Attribute, 0, Limit::AttributeBytes.reached()),
        (granted(vec![role("reader"), role("nobody")]), LoadField::Grant, 1, Refusal::RoleUnknown),
        (granted(vec![place(role("reader"))]), LoadField::Grant, 0, Refusal::WorkspaceUnknown),
        (granted(vec![past(role("reader"))]), LoadField::Grant, 0, Refusal::DeadlinePassed),
        (granted(vec![role("reader"), role("reader")]), LoadField::Grant, 1, Refusal::Duplicate),
        (granted(vec![role("reader"); 300]), LoadField::Grant, 256, Limit::GrantsPerSubject.reached()),
    ];
    let good = |at: usize| row(&[format!("good{at}@example.org").as_str()]);
    let rows: Vec<LoadRow> =
        cases.iter().enumerate().flat_map(|(at, (bad, ..))| [good(at), bad.clone()]).collect();
    let before = subjects(&tenant).len();
    let loaded = load(&house, &tenant, &rows).await;
    let wanted: Vec<_> =
        (0_u32..).zip(&cases).map(|(at, (_, field, nth, why))| (2 * at + 1, *field, *nth, *why)).collect();
    let told: Vec<_> = loaded.rejected.iter().map(|one| (one.row, one.field, one.nth, one.refusal)).collect();
    assert_eq!(told, wanted);
    assert_eq!(loaded.made as usize, cases.len());
    assert_eq!(subjects(&tenant).len(), before + cases.len());
    for gone in ["new1@example.org", "twice", "hash", "values", "grants"] {
        assert_eq!(found(&house, &tenant, gone), None, "{gone}");
    }
    // Rows of one command may not take each other's identifiers either.
    let loaded =
        load(&house, &tenant, &[row(&["one", "two"]), row(&["two", "three"]), row(&["three"])]).await;
    assert_eq!((loaded.made, loaded.rejected[0].row), (2, 1));
    let many = vec![row(&[]); LOAD_ROWS_MAX + 1];
    let refused = try_load(&house, &tenant.admin, &many, false).await;
    assert_eq!(refused, Err(SubmitError::Refused(Limit::LoadRows.reached())));
}

/// PROPERTY: nobody loads without the permission, grants only with that for grants, and nobody hands out more
/// power over the tenant than they have, by a load as little as by a grant.
#[tokio::test]
async fn a_load_hands_out_no_more_than_a_grant_would() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    house.role(&tenant, "reader", &["orders.read"]).await;
    house.role(&tenant, "clerk", &["tessera.admin.subjects"]).await;
    house.role(&tenant, "granter", &["tessera.admin.grants"]).await;
    let mut holders = Vec::new();
    for roles in [&[][..], &["clerk"], &["clerk", "granter"]] {
        let email = format!("holder{}@example.org", roles.len());
        let subject = house.person(&tenant, &email, "correct horse").await;
        for role in roles {
            house.grant(&tenant, subject, role).await;
        }
        let session = house.sign_in(&tenant, &email, "correct horse").await.expect("signed in");
        holders.push(house.bind(&session).await);
    }
    let plain = [row(&["plain"])];
    let reader = [LoadRow { grants: vec![role("reader")], ..row(&["reader"]) }];
    let power = [LoadRow { grants: vec![role("tessera.admin")], ..row(&["power"]) }];
    let unauthorized = Err(SubmitError::Refused(Refusal::Unauthorized));
    assert_eq!(try_load(&house, &holders[0], &plain, false).await, unauthorized);
    assert_eq!(try_load(&house, &holders[0], &plain, true).await, unauthorized);
    assert_eq!(try_load(&house, &holders[1], &plain, false).await.expect("loaded").made, 1);
    assert_eq!(try_load(&house, &holders[1], &reader, false).await, unauthorized);
    assert_eq!(try_load(&house, &holders[2], &reader, false).await.expect("loaded").made, 1);
    let loaded = try_load(&house, &holders[2], &power, false).await.expect("told");
    assert_eq!((loaded.made, loaded.rejected[0].refusal), (0, Refusal::BeyondCreator));
    assert_eq!(try_load(&house, &tenant.admin, &power, false).await.expect("loaded").made, 1);
    // A suspended row signs in only when it is resumed.
    let view = tenant.admin.entry.view();
    assert!(view.as_ref().is_some_and(|view| view.listing().subject(holders[0].subject).is_some()));
    drop(view);
    let handle = house.sign_in(&tenant, "holder0@example.org", "correct horse").await.expect("signed in");
    assert_eq!(house.check(&tenant, &handle, "orders.read").reason, Reason::NotGranted);
}

/// PROPERTY: other commands do not wait behind a load that fills its queue: they are taken before it, and its
/// rows are all there in the end.
#[tokio::test]
async fn others_come_before_a_load() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let piece =
        |no: usize| -> Vec<LoadRow> { (0..64).map(|at| row(&[format!("user{no}-{at}").as_str()])).collect() };
    let loads = (0..12).map(|no| {
        let (house, tenant) = (&house, &tenant);
        async move { load(house, tenant, &piece(no)).await.made }
    });
    let other = async {
        let name = name("during");
        let command = Command::RegisterPermission { name };
        let done = house.submit(&tenant.admin, command).await;
        vec![u32::try_from(done.receipt.revision.0).expect("small")]
    };
    let (loaded, other) = tokio::join!(support::at_once(loads), other);
    assert_eq!(loaded, [64; 12]);
    let view = tenant.admin.entry.view();
    let last = view.as_ref().expect("awake").read(house.engine.now()).seen().revision.0;
    assert!(u64::from(other[0]) < last, "{other:?} of {last}");
}
