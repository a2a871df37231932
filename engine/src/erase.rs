//! Erasures, one tenant at a time: the store erases keys, a checkpoint writes the buckets anew that held something
//! private, and then the tenant notes that it is done. Whatever ends it early, the next start goes on with it.

use crate::actor::TenantMessage;
use crate::house::House;
use crate::root::Root;
use crate::state::{of_invitation, of_subject};
use crate::submit;
use crate::supervisor::{SupervisorMessage, awake};
use std::sync::Arc;
use std::time::Duration;
use tessera_model::invitation::key_owner;
use tessera_model::limits::INVITATIONS_MAX;
use tessera_model::{Command, SubjectIndex, TenantId};
use tessera_storage::StorageError;
use tokio::sync::oneshot;

/// LIMIT: attempts, one a second: an hour. What is left then is done at the next start.
const ATTEMPTS_MAX: u32 = 3_600;

/// Erases whoever is to be erased in a tenant.
pub(crate) async fn run(house: Arc<House>, tenant: TenantId) {
    for _ in 0..ATTEMPTS_MAX {
        match round(&house, tenant).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(%tenant, %error, "an erasure is not done yet; it is repeated"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// One attempt: true when nobody is left.
async fn round(house: &Arc<House>, tenant: TenantId) -> Result<bool, StorageError> {
    let Some(entry) = house.entry(tenant) else { return Ok(true) };
    let Some(actor) = awake(house, &entry).await else { return Ok(true) };
    // Also where it is closed: what is noted of an erasure goes only when nobody is left.
    let Some(view) = entry.known_view() else { return Ok(false) };
    let erased = Arc::new(Erased::of(&view.root.full()));
    let (on, all) = (Arc::clone(house), Arc::clone(&erased));
    let names = house.work(move || erase_keys(&on, tenant, &all)).await;
    let names = names.unwrap_or(Err(StorageError::LaneStopped))?;
    if erased.is_nobody() {
        return Ok(true);
    }
    drop(actor.cast(TenantMessage::Again(names)));
    house.rewriting.lock().insert(tenant);
    let (reply, taken) = oneshot::channel();
    house.tell(SupervisorMessage::Checkpoint(reply));
    let taken = taken.await.unwrap_or(false);
    house.rewriting.lock().remove(&tenant);
    let on = Arc::clone(house);
    let done = house.work(move || on.store.finish_erasing(tenant)).await;
    if !taken || !done.unwrap_or(Err(StorageError::LaneStopped))? {
        return Ok(false);
    }
    // Whom the invitations of a subject were for goes before the notice that the subject is erased.
    let numbers = erased.invitations.clone();
    let finish = (!numbers.is_empty()).then_some(Command::FinishInvitations { numbers });
    let subjects = erased.subjects.iter().map(|subject| Command::FinishErasure { subject: *subject });
    for command in finish.into_iter().chain(subjects) {
        if !submit::by_node(house, &entry, command).await {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Whose keys are destroyed in one attempt.
struct Erased {
    subjects: Vec<SubjectIndex>,
    /// Numbers of invitations.
    invitations: Vec<u32>,
}

impl Erased {
    /// All subjects, and invitations, those longest known first; nobody where nothing is to be begun.
    fn of(root: &Root) -> Self {
        if !root.has_erasures() {
            return Self { subjects: Vec::new(), invitations: Vec::new() };
        }
        let invitations = root.invited.keys.keys().copied().take(INVITATIONS_MAX).collect();
        Self { subjects: root.being_erased(), invitations }
    }

    const fn is_nobody(&self) -> bool {
        self.subjects.is_empty() && self.invitations.is_empty()
    }
}

type Names = std::collections::BTreeSet<(tessera_storage::BucketKind, u32)>;

/// Erases the keys of subjects and invitations, and tells the buckets that must be written anew. For nobody, what a former life
/// left is done with.
fn erase_keys(house: &House, tenant: TenantId, erased: &Erased) -> Result<Names, StorageError> {
    let mut names = Names::new();
    for subject in &erased.subjects {
        names.extend(house.store.erase(tenant, *subject, of_subject(*subject))?);
    }
    for number in &erased.invitations {
        names.extend(house.store.erase(tenant, key_owner(*number), of_invitation(*number))?);
    }
    // The note of it goes last: until the history says that it is done, the next start has to look.
    if erased.is_nobody() && house.store.finish_erasing(tenant)? {
        house.store.erased(tenant)?;
    }
    Ok(names)
}
