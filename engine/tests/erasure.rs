//! Erasing a subject: deleted, its key destroyed, buckets written anew, and the notice that it is done.

use crate::spy;
use crate::support;

use spy::Spy;
use std::sync::Arc;
use std::time::Duration;
use support::{House, START_MS, Tenant};
use tessera_engine::{InvitationFound, InvitationsOf, Made};
use tessera_model::invitation::InvitationState;
use tessera_model::{
    Command, Deadline, Identifier, Name, PublicId, Refusal, Row, RowKind, SubjectIndex, TenantId,
};
use tessera_storage::{Embedded, Options, RootKey, Store};

fn open(folder: &std::path::Path, seed: u8) -> Arc<dyn Store> {
    let options = Options::new(RootKey::new([7; 32]), [9; 32], [seed; 32]);
    Arc::new(Embedded::open(folder, options).expect("a store"))
}

/// Orders an erasure until the answer says that it is done; gives what every answer named.
async fn until_erased(house: &House, tenant: &Tenant, command: impl Fn() -> Command) -> Made {
    for _ in 0..600 {
        let made = house.submit(&tenant.admin, command()).await.made;
        if made.erased == Some(true) {
            return made;
        }
        assert_eq!(made.erased, Some(false));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never done");
}

async fn erased(house: &House, tenant: &Tenant, subject: PublicId) {
    let made = until_erased(house, tenant, || Command::EraseSubject { subject }).await;
    assert_eq!(made.subject, Some(subject));
}

/// PROPERTY: an erasure ends with its notice, once and for ever: also of somebody who was deleted before, and in a
/// store in memory; repeated it changes nothing; everybody else signs in as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_ends_with_its_notice() {
    let folder = tempfile::tempdir().expect("a folder");
    for store in [open(folder.path(), 1), Arc::new(tessera_storage::Memory::new(1 << 20)) as Arc<dyn Store>] {
        let house = House::over(store, START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
        let ben = house.person(&tenant, "ben@example.org", "correct horse").await;
        let cid = house.person(&tenant, "cid@example.org", "correct horse").await;
        assert!(house.engine.checkpoint().await);
        erased(&house, &tenant, ann).await;
        house.submit(&tenant.admin, Command::DeleteSubject { subject: cid }).await;
        erased(&house, &tenant, cid).await;
        let before = house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await.receipt;
        let again = house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await;
        assert_eq!((again.made.erased, again.receipt), (Some(true), before));
        house.submit(&tenant.admin, Command::SuspendSubject { subject: ben }).await;
        let anew = house.person(&tenant, "ann@example.org", "correct horse").await;
        assert_ne!(anew, ann);
    }
}

/// PROPERTY: an erasure that a kill cut off ends by itself behind the next start, although nobody asks for the tenant.
/// METHOD: the first life takes no checkpoint; the tenant sleeps at the start of the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_leaves_no_erasure_half_done() {
    for covered in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let (ann, key, id) = {
            let store = open(folder.path(), 1);
            let house = House::over(Arc::new(Spy::plain(Arc::clone(&store))), START_MS).await;
            let operator = house.operator().await;
            let tenant = house.tenant(&operator, "acme").await;
            let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
            house.person(&tenant, "ben@example.org", "correct horse").await;
            assert!(!covered || house.engine.checkpoint().await);
            house.submit(&tenant.admin, Command::EraseSubject { subject: ann }).await;
            // The process ends here, with or without what runs beside.
            house.engine.stop().await;
            store.stop();
            (ann, tenant.admin_key, tenant.id)
        };
        let house = House::over(open(folder.path(), 2), START_MS + 1_000).await;
        let admin = house.bind(&key).await;
        let tenant = Tenant { id, admin_key: key, admin };
        erased(&house, &tenant, ann).await;
        // The note of it goes behind the notice.
        for _ in 0..500 {
            if house.store.erasing().expect("read").is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(house.store.erasing().expect("read").is_empty());
        // What it signed in with is free, although the frame that freed it opens no more.
        let anew = house.person(&tenant, "ann@example.org", "correct horse").await;
        assert_ne!(anew, ann);
    }
}

/// PROPERTY: an erasure that is ordered again under its own command id is known for a repeat, also when the tenant was
/// loaded since from frames that the erased key has sealed; another command under that id is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_erasure_is_known_after_a_reload() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), 1);
    let house = House::over(Arc::new(Spy::plain(Arc::clone(&store))), START_MS).await;
    let operator = house.operator().await;
    let tenant = house.tenant(&operator, "acme").await;
    let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
    let id = house.engine.command_id();
    let first = house.engine.submit(&tenant.admin, id, Command::EraseSubject { subject: ann }).await;
    let first = first.expect("begun");
    house.engine.stop().await;
    store.stop();
    drop((house, store));
    // What the frames of before are sealed under is gone before they are read again.
    let store = open(folder.path(), 3);
    let own = (tessera_storage::BucketKind::Subjects, 0);
    store.erase(tenant.id, tessera_model::SubjectIndex(2), own).expect("erased");
    store.stop();
    drop(store);
    let house = House::over(open(folder.path(), 2), START_MS + 1_000).await;
    let admin = house.bind(&tenant.admin_key).await;
    let again = house.engine.submit(&admin, id, Command::EraseSubject { subject: ann }).await.expect("known");
    assert_eq!(again.receipt, first.receipt);
    assert!(again.made.erased.is_some(), "how far it is");
    let other = house.engine.submit(&admin, id, Command::SuspendSubject { subject: ann }).await;
    assert_eq!(other.err(), Some(tessera_model::Refusal::IdReused.into()));
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Invites somebody into a workspace, by the tenant's administrator.
async fn invited(house: &House, tenant: &Tenant, email: &str) -> PublicId {
    let whom = Identifier::guess(email).expect("an identifier");
    let hash = house.engine.identifier_hash(tenant.id, &whom).expect("a hash");
    let until = house.engine.now().plus_seconds(3_600).to_deadline();
    let (workspace, role, grant_until, guest) = (name("berlin"), name("clerk"), Deadline::NONE, false);
    let command = Command::Invite { whom: (whom, hash), workspace, role, grant_until, until, guest };
    house.submit(&tenant.admin, command).await.made.invitation.expect("an id")
}

fn listed(house: &House, tenant: &Tenant, whom: Option<&str>) -> Vec<InvitationFound> {
    let whom = whom.map(|email| {
        let whom = Identifier::guess(email).expect("an identifier");
        house.engine.identifier_hash(tenant.id, &whom).expect("a hash")
    });
    let view = tenant.admin.entry.view();
    let listing = view.as_ref().expect("awake").listing();
    drop(view);
    let of = InvitationsOf { whom, ..InvitationsOf::default() };
    house.engine.invitations(&tenant.admin, &listing, of, (0, 100)).expect("a page").rows
}

/// Whether the row that says whom an invitation is for is there, opened or not.
fn row(store: &dyn Store, tenant: TenantId, number: u32) -> bool {
    let key = Row::subject_key(SubjectIndex(number), &[Row::INVITED]);
    store.row(tenant, RowKind::Invitation, &key).expect("read").value.is_some()
}

async fn uninvited(house: &House, tenant: &Tenant, invitation: PublicId) {
    let made = until_erased(house, tenant, || Command::EraseInvitation { invitation }).await;
    assert_eq!(made.invitation, Some(invitation));
}

/// PROPERTY: whom an invitation was for is erased alone, by an operator's word that ends with a notice and is known when
/// it is repeated, also behind a start; all invitations of an address are found by it, and none of an erased one; what
/// others are invited by stays. With the erasure of a person go those that it came in by, or could have. A number is
/// given once, whatever became of its invitation: under an erased key nothing is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_erased_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut tenant = {
        let store = open(folder.path(), 1);
        let house = House::over(Arc::clone(&store), START_MS).await;
        let operator = house.operator().await;
        let tenant = house.tenant(&operator, "acme").await;
        house.role(&tenant, "clerk", &["orders.write"]).await;
        let berlin = Command::CreateWorkspace { name: name("berlin"), parent: None, inherits: true };
        house.submit(&tenant.admin, berlin).await;
        let ann = house.person(&tenant, "ann@example.org", "correct horse").await;
        invited(&house, &tenant, "ben@example.org").await;
        let cid = invited(&house, &tenant, "cid@example.org").await;
        invited(&house, &tenant, "Ann@example.org").await;
        assert!(house.engine.checkpoint().await);
        let found =
            |whom| listed(&house, &tenant, whom).iter().map(|one| one.record.number).collect::<Vec<_>>();
        assert_eq!(found(Some("CID@example.org")), [2]);
        uninvited(&house, &tenant, cid).await;
        let receipt = house.submit(&tenant.admin, Command::EraseInvitation { invitation: cid }).await;
        assert_eq!(receipt.made.erased, Some(true));
        assert_eq!((found(Some("cid@example.org")), found(None)), (vec![], vec![1, 2, 3]));
        assert_eq!([1, 2, 3].map(|number| row(&*store, tenant.id, number)), [true, false, true]);
        assert_eq!(listed(&house, &tenant, None)[1].record.state, InvitationState::Erased);
        // Its row is gone, and nobody else's. (What a key opens: node/tests/erasure.rs.)
        erased(&house, &tenant, ann).await;
        assert_eq!(found(None), [1, 2]);
        assert_eq!([1, 2, 3].map(|number| row(&*store, tenant.id, number)), [true, false, false]);
        let unknown = Command::EraseInvitation { invitation: ann };
        assert_eq!(house.refused(&tenant.admin, unknown).await, Refusal::InvitationUnknown);
        let finish = Command::FinishInvitations { numbers: vec![1] };
        assert_eq!(house.refused(&tenant.admin, finish).await, Refusal::Unauthorized);
        assert!(house.engine.checkpoint().await);
        house.engine.stop().await;
        store.stop();
        tenant
    };
    let house = House::over(open(folder.path(), 2), START_MS + 1_000).await;
    tenant.admin = house.bind(&tenant.admin_key).await;
    let states: Vec<_> = listed(&house, &tenant, None).iter().map(|one| one.record.state).collect();
    assert_eq!(states, [InvitationState::Open, InvitationState::Erased]);
    let again = listed(&house, &tenant, None)[1].record.id;
    let done = house.submit(&tenant.admin, Command::EraseInvitation { invitation: again }).await;
    assert_eq!(done.made.erased, Some(true));
    // The last one is forgotten whole, and its number stays given.
    invited(&house, &tenant, "dan@example.org").await;
    assert_eq!(listed(&house, &tenant, Some("dan@example.org"))[0].record.number, 4);
    assert!(row(&*house.store, tenant.id, 4));
    assert!(listed(&house, &tenant, Some("dan@example.org"))[0].whom.is_some());
}
