//! Turns of conditional changes: of one tenant one at a time, so that of two callers who saw the same one is told.
//! Tenants do not wait for each other, and nobody waits long.

use crate::door::Shared;
use crate::problem::Problem;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tessera_model::{Limit, Refusal, TenantId};
use tokio::sync::OwnedMutexGuard;

/// Whose turn it is.
type Lock = Arc<tokio::sync::Mutex<()>>;

/// Of each tenant with such a change: whose turn it is, and how many have or wait for one.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<TenantId, (Lock, usize)>>);

/// A tenant's turn; dropping it gives it to the next.
pub(crate) struct Turn {
    // The guard goes first: a tenant is forgotten when nobody has its turn any more.
    _guard: OwnedMutexGuard<()>,
    _place: Place,
}

/// One of those who have or wait for a tenant's turn.
struct Place {
    turns: Arc<Turns>,
    tenant: TenantId,
}

impl Turns {
    /// Takes a place behind the others of a tenant, unless `most` wait there beside the one whose turn it is.
    fn place(self: &Arc<Self>, tenant: TenantId, most: usize) -> Option<(Lock, Place)> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (lock, places) = tenants.entry(tenant).or_default();
        if *places > most {
            return None;
        }
        *places += 1;
        Some((Arc::clone(lock), Place { turns: Arc::clone(self), tenant }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tenants = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, places)) = tenants.get_mut(&self.tenant) {
            *places = places.saturating_sub(1);
            if *places == 0 {
                tenants.remove(&self.tenant);
            }
        }
    }
}

/// Waits for a tenant's turn.
///
/// # Errors
/// Busy with when to come again: too many wait for this tenant already, or it took too long. Nothing was done.
pub(crate) async fn take(shared: &Shared, tenant: TenantId) -> Result<Turn, Problem> {
    let busy = |name| Problem::from(Refusal::Busy(Limit::Unnamed.at(0))).limited_by(name);
    let placed = shared.turns.place(tenant, shared.limits.turns_per_tenant);
    let (lock, place) = placed.ok_or_else(|| busy("turns_per_tenant"))?;
    let guard = tokio::time::timeout(shared.limits.turn, lock.lock_owned()).await;
    let guard = guard.map_err(|_| busy("turn"))?;
    Ok(Turn { _guard: guard, _place: place })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a tenant's turn is one caller's, so many wait for it, another tenant's is free meanwhile, and nothing of a
    /// tenant stays when nobody has or wants its turn.
    #[test]
    fn turns_are_a_tenants_own() {
        let turns = Arc::new(Turns::default());
        let place = |tenant| turns.place(TenantId(tenant), 1);
        let (first, place_of_first) = place(1).expect("a place");
        let held = first.try_lock_owned().expect("the first turn");
        let (second, place_of_second) = place(1).expect("one waits");
        assert!(Arc::clone(&second).try_lock_owned().is_err(), "it waits");
        assert!(place(1).is_none(), "no third");
        let (other, place_of_other) = place(2).expect("another tenant's");
        assert!(other.try_lock_owned().is_ok(), "nobody holds up another tenant");
        drop((held, place_of_first));
        assert!(second.try_lock_owned().is_ok(), "the next one's turn");
        assert_eq!(turns.0.lock().expect("no panic").len(), 2);
        drop((place_of_second, place_of_other));
        assert!(turns.0.lock().expect("no panic").is_empty());
    }
}
