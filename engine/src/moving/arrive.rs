//! A tenant that has come notes so in its own history.

use super::take::refusal_of;
use super::{has_arrived, order, until_awake};
use crate::directory::Entry;
use crate::house::House;
use crate::moving::Hold;
use crate::submit::SubmitError;
use std::sync::Arc;
use std::time::Duration;
use tessera_model::moving::MoveStep;
use tessera_model::{Event, Refusal, TenantId};
use tessera_storage::StorageError;

/// LIMIT: attempts to note that a tenant has come, some milliseconds apart: the intake may be full.
const ARRIVALS_MAX: u32 = 6_000;
/// How long it rests between two of them.
const REST: Duration = Duration::from_millis(10);

/// Notes in its own history that a tenant has come; once, whoever asks.
pub(super) async fn note_arrival(
    house: &Arc<House>,
    entry: &Arc<Entry>,
    step: MoveStep,
) -> Result<(), SubmitError> {
    for _ in 0..ARRIVALS_MAX {
        if has_arrived(entry) {
            return Ok(());
        }
        match order(house, entry, step).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::debug!(tenant = %entry.tenant, %error, "a tenant that came is not open yet")
            }
        }
        tokio::time::sleep(REST).await;
    }
    Err(Refusal::NotReady.into())
}

/// How a tenant has come that was loaded here: its history ends with the last word of the other cell, or it was opened
/// without that.
fn came(house: &House, tenant: TenantId) -> Result<MoveStep, StorageError> {
    let head = house.store.head(tenant)?.ok_or(StorageError::TenantUnknown(tenant))?;
    let last = head.last();
    let own = house.own_cell();
    let moved = |event: &Event| matches!(event, Event::TenantMoved { to, .. } if *to == own);
    let frames = house.store.history(tenant, last, 1)?;
    if frames.iter().any(|frame| frame.events.iter().any(moved)) {
        return Ok(MoveStep::Arrive);
    }
    // Whoever opens what may lack something takes a later epoch than the move had.
    let view = house.entry(tenant).and_then(|entry| entry.known_view());
    let epoch = view.and_then(|view| view.root.full().course.moving).map(|moving| moving.epoch);
    let placed = house.system().and_then(|view| view.root.full().placements.get(tenant));
    let whole = placed.is_some_and(|placed| placed.cell == own && Some(placed.epoch) == epoch);
    Ok(MoveStep::Claim { whole })
}

/// Ends the move of a tenant that is awake here and has not noted that it has come.
pub(super) async fn end_arrival(house: &Arc<House>, entry: &Arc<Entry>) -> Result<(), SubmitError> {
    let (on, tenant) = (Arc::clone(house), entry.tenant);
    let step = house.work(move || came(&on, tenant)).await.unwrap_or(Err(StorageError::LaneStopped));
    let step = step.map_err(|error| refusal_of(&error))?;
    note_arrival(house, entry, step).await?;
    entry.release(Hold::Own);
    Ok(())
}

/// Ends the move of a tenant that was loaded here and had not noted that it has come.
pub(crate) async fn arrive(house: Arc<House>, tenant: TenantId) {
    let Some(entry) = house.entry(tenant) else { return };
    if !until_awake(&house, &entry).await {
        return;
    }
    if let Err(error) = end_arrival(&house, &entry).await {
        tracing::warn!(%tenant, %error, "a tenant that came from another cell is not open yet");
        house.tend(tenant);
    }
}
