//! The power goes while a backup is restored: what is left is no data directory, or a whole one.

use super::tally::Tally;
use crate::node::Trouble;
use crate::simulate::{World, options};
use std::collections::BTreeMap;
use std::sync::Arc;
use tessera_model::{TenantId, UnixMillis};
use tessera_storage::disk::Disk;
use tessera_storage::disk::simulated::{Fault, Simulated};
use tessera_storage::{Backup, Embedded, Head, Progress, RootKey, StorageError, Store as _};

/// Restores of one backup that lose their power.
const CUTS: u64 = 4;

/// Takes a backup of a disk at rest, and restores it again and again without coming to the end.
pub(super) fn cut(world: &mut World, disk: &Simulated, tally: &mut Tally) -> Result<(), Trouble> {
    let (now, backup) = (UnixMillis(world.now), Simulated::new());
    let store = Embedded::open_on(Arc::new(disk.clone()), options())?;
    let tenants = std::iter::once(TenantId::SYSTEM).chain(world.tenants.iter().map(|tenant| tenant.id));
    let tenants: Vec<_> = tenants.collect();
    let heads = heads(&store, &tenants)?;
    store.backup_to(&backup, now, &Progress::default())?;
    store.stop();
    let backup = Backup::open_on(Arc::new(backup))?;
    // How many calls a restore takes, that is not disturbed.
    let whole = Simulated::new();
    restore(&backup, &whole, now)?;
    look(world, &whole.image(), &tenants, &heads);
    for _ in 0..CUTS {
        let to = Simulated::new();
        to.plant(1 + world.dice.below(whole.calls()), Fault::PowerCut);
        let ended = restore(&backup, &to, now);
        if ended.is_ok() && to.is_off() {
            world.fault("a restore came to its end without power");
        }
        tally.note_restore(to.cut_stage());
        let left = super::survived(world, &to);
        look(world, &left, &tenants, &heads);
    }
    Ok(())
}

fn restore(backup: &Backup, to: &Simulated, now: UnixMillis) -> Result<(), StorageError> {
    let to: Arc<dyn Disk> = Arc::new(to.clone());
    backup.restore(&to, &RootKey::new([3; 32]), now, &Progress::default()).map(drop)
}

type Heads = BTreeMap<TenantId, Option<Head>>;

fn heads(store: &Embedded, tenants: &[TenantId]) -> Result<Heads, StorageError> {
    tenants.iter().map(|tenant| Ok((*tenant, store.head(*tenant)?))).collect()
}

/// What is there is no data directory, or has every tenant at the backup's head.
fn look(world: &mut World, left: &Simulated, tenants: &[TenantId], wanted: &Heads) {
    let is_directory = left.list().is_ok_and(|names| names.iter().any(|name| name == "LANE"));
    let blank = left.list().is_ok_and(|names| names.is_empty());
    let store = match Embedded::open_on(Arc::new(left.clone()), options()) {
        Ok(_) if blank => return,
        Ok(store) => store,
        Err(_) if !is_directory => return,
        Err(error) => return world.fault(format!("a restored directory does not open: {error}")),
    };
    if !is_directory && heads(&store, tenants).is_ok_and(|heads| heads.values().all(Option::is_none)) {
        // It was made anew, on what says nothing of anybody.
        return;
    }
    match heads(&store, tenants) {
        Err(error) => world.fault(format!("a restored directory does not read: {error}")),
        Ok(found) => {
            for (tenant, head) in &found {
                let same = wanted
                    .get(tenant)
                    .copied()
                    .flatten()
                    .zip(*head)
                    .is_some_and(|(wanted, head)| (wanted.next, wanted.link) == (head.next, head.link));
                if !same || store.verify(*tenant).is_err() {
                    world.fault(format!("tenant {tenant} is not what was restored"));
                }
            }
        }
    }
    store.stop();
}
