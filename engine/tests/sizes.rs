//! What a subject may have: bounded by name, so that every record fits a frame and every subject can go.

use crate::support;

use std::sync::Arc;
use support::{House, START_MS, Tenant};
use tessera_engine::SubmitError;
use tessera_model::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_PER_SUBJECT_BYTES_MAX, PROFILE_PER_SUBJECT_BYTES_MAX,
    PROFILE_PER_SUBJECT_MAX,
};
use tessera_model::record::{AttributeKind, AttributeValue};
use tessera_model::{Command, Limit, Name, Pattern, Private, PublicId, Refusal, RowKind};
use tessera_storage::{Embedded, Options, RootKey, Store};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn text(bytes: usize) -> Option<AttributeValue> {
    Some(AttributeValue::Text("x".repeat(bytes).into()))
}

async fn set(
    house: &House,
    tenant: &Tenant,
    subject: PublicId,
    values: Vec<(Name, Option<AttributeValue>)>,
) -> Result<(), SubmitError> {
    let id = house.engine.command_id();
    house.engine.set_attributes(&tenant.admin, (id, false), subject, values).await.map(drop)
}

fn limit(limit: Limit) -> Result<(), SubmitError> {
    Err(limit.reached().into())
}

/// PROPERTY: declared texts beyond the bound are refused by its name, as often as they are sent, and
/// nothing of them happens; within the bound they are taken, and they can always be made fewer.
#[tokio::test]
async fn declared_texts_are_bounded_by_name() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    for no in 0..70 {
        let declare = Command::DeclareAttribute { name: name(&format!("a{no}")), kind: AttributeKind::Text };
        house.submit(&tenant.admin, declare).await;
    }
    let many = |range: std::ops::Range<usize>, bytes| {
        range.map(|no| (name(&format!("a{no}")), text(bytes))).collect::<Vec<_>>()
    };
    let before = house.store.head(tenant.id).expect("a head");
    for _ in 0..4 {
        let refused = set(&house, &tenant, ann, many(0..62, ATTRIBUTE_BYTES_MAX)).await;
        assert_eq!(refused, limit(Limit::AttributesPerSubjectBytes));
    }
    assert_eq!(house.store.head(tenant.id).expect("a head"), before);
    let fit = ATTRIBUTES_PER_SUBJECT_BYTES_MAX / ATTRIBUTE_BYTES_MAX;
    assert_eq!(set(&house, &tenant, ann, many(0..fit, ATTRIBUTE_BYTES_MAX)).await, Ok(()));
    assert_eq!(
        set(&house, &tenant, ann, many(fit..fit + 1, 1)).await,
        limit(Limit::AttributesPerSubjectBytes)
    );
    assert_eq!(set(&house, &tenant, ann, many(0..64, 10)).await, Ok(()));
    assert_eq!(set(&house, &tenant, ann, many(64..65, 10)).await, limit(Limit::AttributesPerSubject));
    let twice = vec![(name("a1"), text(1)), (name("a1"), text(2))];
    assert_eq!(set(&house, &tenant, ann, twice).await, Err(Refusal::Malformed.into()));
    house.submit(&tenant.admin, Command::DeleteSubject { subject: ann }).await;
}

/// PROPERTY: a profile grows to its bounds, by count and by bytes, over many commands and at once, and no further;
/// a subject that has all it may have is deleted, and no cold row of it or of its keys is left.
#[tokio::test]
async fn a_full_profile_is_bounded_and_goes_with_its_subject() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let other = house.person(&tenant, "bob@example.org", "correct horse").await;
    let one = |no: usize, bytes| vec![(name(&format!("p{no:05}")), text(bytes))];
    let each = PROFILE_PER_SUBJECT_BYTES_MAX / PROFILE_PER_SUBJECT_MAX - 6;
    for no in 0..PROFILE_PER_SUBJECT_MAX {
        assert_eq!(set(&house, &tenant, ann, one(no, each)).await, Ok(()), "{no}");
    }
    assert_eq!(set(&house, &tenant, ann, one(99_999, 0)).await, limit(Limit::ProfilePerSubject));
    assert_eq!(set(&house, &tenant, ann, one(0, each + 1)).await, limit(Limit::ProfilePerSubjectBytes));
    assert_eq!(set(&house, &tenant, ann, one(0, each - 1)).await, Ok(()));
    assert_eq!(set(&house, &tenant, other, one(0, 10)).await, Ok(()));
    for subject in [ann, other] {
        let expires = house.engine.now().plus_seconds(86_400).to_deadline();
        let patterns = vec![Pattern::new("tessera.check").expect("a pattern")];
        let description = Private::new(b"what it is for".to_vec());
        house.submit(&tenant.admin, support::key(subject, patterns, expires, description)).await;
    }
    let rows = |kind| house.store.rows(tenant.id, kind, &[], 1_000).expect("rows").len();
    let all =
        || [RowKind::Password, RowKind::Identifier, RowKind::Profile, RowKind::KeyDescription].map(rows);
    assert_eq!(all(), [2, 2, PROFILE_PER_SUBJECT_MAX + 1, 2]);
    house.submit(&tenant.admin, Command::DeleteSubject { subject: ann }).await;
    assert_eq!(all(), [1, 1, 1, 1]);
    assert!(house.engine.checkpoint().await);
    assert_eq!(all(), [1, 1, 1, 1]);
}

/// PROPERTY: parallel changes of one profile are decided one after another: none is lost and none goes beyond the
/// bound.
#[tokio::test]
async fn parallel_changes_of_a_profile_are_counted() {
    let house = House::new().await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let size = ATTRIBUTE_BYTES_MAX;
    for round in 0..10 {
        let change = |no: usize| {
            let values = vec![(name(&format!("p{round}-{no}")), text(size))];
            set(&house, &tenant, ann, values)
        };
        let (a, b, c) = tokio::join!(change(0), change(1), change(2));
        for done in [a, b, c] {
            assert!(done.is_ok() || done == limit(Limit::ProfilePerSubjectBytes), "{done:?}");
        }
    }
    let rows = house.store.rows(tenant.id, RowKind::Profile, &[], 1_000).expect("rows");
    let bytes: usize = rows.iter().map(|(key, value)| key.len() - 4 + value.expose().len()).sum();
    assert!(
        bytes <= PROFILE_PER_SUBJECT_BYTES_MAX && bytes + 2 * size > PROFILE_PER_SUBJECT_BYTES_MAX,
        "{bytes}"
    );
}

/// PROPERTY: what no frame of this store can hold is refused by the limit's name before anything of it happens, at
/// every size around the bound; what others ordered in the same batch happens.
#[tokio::test]
async fn what_no_frame_holds_is_refused_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = Options::new(RootKey::new([7; 32]), [9; 32], [5; 32]);
    options.journal_file_bytes = 64 * 1024;
    let store = Arc::new(Embedded::open(folder.path(), options).expect("a store"));
    let max = store.batch_bytes_max();
    let house = House::over(store, START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let (mut taken, mut refused) = (0, 0);
    for total in (max - 600..max + 100).step_by(20) {
        let pieces = total / 4_000 + 1;
        let values: Vec<_> = (0..pieces).map(|no| (name(&format!("p{no}")), text(total / pieces))).collect();
        let (large, small) = tokio::join!(
            set(&house, &tenant, ann, values),
            set(&house, &tenant, ann, vec![(name("small"), text(total % 7))]),
        );
        assert_eq!(small, Ok(()));
        match large {
            Ok(()) => taken += 1,
            Err(error) => {
                let SubmitError::Refused(refusal) = error else { panic!("{error}") };
                let told = refusal.limit().expect("a limit");
                // The number is this store's: a small file holds small groups.
                assert!(told.limit == Limit::FrameBytes && (1..=max as u64).contains(&told.bound), "{told}");
                refused += 1;
            }
        }
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken > 3 && refused > 3);
    house.submit(&tenant.admin, Command::DeleteSubject { subject: ann }).await;
    assert!(house.engine.checkpoint().await);
    assert!(house.store.rows(tenant.id, RowKind::Profile, &[], 10).expect("rows").is_empty());
}
