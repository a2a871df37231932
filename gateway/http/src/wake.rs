//! Waiting for a tenant that wakes: a little, and so many at once.

use crate::door::Shared;
use crate::problem::Problem;
use std::sync::Arc;
use tessera_accept::Counts;
use tessera_engine::{Entry, Standing};
use tessera_model::{Refusal, TenantId};
use tokio::time::Instant;

/// Who waits for which tenant.
#[derive(Default)]
pub(crate) struct Waiters(Arc<Counts<TenantId>>);

/// Until when a request that begins to wait now may wait.
pub(crate) fn patience(shared: &Shared) -> Instant {
    Instant::now() + shared.limits.wake
}

/// Waits until a tenant has a view, or sleeps again: then whoever may wake it tries once more.
///
/// # Errors
/// `NotReady` with when to come again: it took too long, or too many wait already; `TenantFailed` when what is
/// stored of it does not read.
pub(crate) async fn until_awake(shared: &Shared, entry: &Entry, until: Instant) -> Result<(), Problem> {
    let limits = &shared.limits;
    let not_ready = || Problem::from(Refusal::NotReady);
    let waits = shared.waiters.0.count_within(entry.tenant, limits.waiters_per_tenant, limits.waiters);
    let _waits = waits.ok_or_else(|| not_ready().limited_by("waiters"))?;
    loop {
        // Whoever stirs between the look and the wait is not missed.
        let stirred = entry.stirred();
        match entry.standing() {
            Standing::Failed => return Err(Refusal::TenantFailed.into()),
            Standing::Asleep => return Ok(()),
            _ if entry.view().is_some() => return Ok(()),
            Standing::Waking | Standing::Awake | Standing::Leaving => {}
        }
        tokio::time::timeout_at(until, stirred).await.map_err(|_| not_ready())?;
    }
}
