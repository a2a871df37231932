//! A tenant that is in memory before it is one of this cell: loaded from what was copied while it still lives in the
//! other one, kept up with what comes behind, and shown to nobody before it is opened (docs/decisions/0072).

use super::Taken;
use crate::directory::{Entry, Standing};
use crate::house::House;
use crate::load::Loader;
use crate::supervisor::SupervisorMessage;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tessera_model::moving::Warmth;
use tessera_model::{Revision, TenantId};
use tessera_storage::{Arrival, Head, Replay, StorageError};

/// LIMIT: how long nobody may ask for what is copied or waits to be opened: then it leaves memory, and is loaded from the
/// disk when it is opened.
const WARM_IDLE_MS: u64 = 60_000;

/// A tenant in memory that is no tenant of this cell yet.
struct Warm {
    loader: Loader,
    /// Where it stands.
    next: Revision,
    link: [u8; 32],
    /// Whole passes of the copy, and keys that were erased in it, when it was looked at last.
    passes: u64,
    erased: u64,
    bytes: usize,
}

/// Where it stands meanwhile.
#[derive(Default)]
enum Kept {
    /// Nothing was loaded yet.
    #[default]
    Nothing,
    /// It is in memory, as far as it came.
    Warm(Box<Warm>),
    /// It is loaded from the disk when it is opened.
    Cold,
}

/// The place of one tenant that is being taken: whoever writes it keeps it up, whoever opens it takes it.
#[derive(Default)]
pub(crate) struct Shelf {
    kept: Mutex<Kept>,
    /// About how many bytes of memory it takes; told without waiting for a load.
    bytes: AtomicUsize,
    /// It is not to be in memory any more.
    over: AtomicBool,
}

impl Shelf {
    /// One for what is loaded from the disk.
    pub(super) fn cold() -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(Kept::Cold), ..Self::default() })
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Lets it go: it is loaded from the disk. Waits for nobody: one that is being loaded goes when it is.
    pub(super) fn let_go(&self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(mut kept) = self.kept.try_lock() {
            self.settle(&mut kept);
        }
    }

    /// What is over goes, and what it takes is told.
    fn settle(&self, kept: &mut Kept) {
        if self.over.load(Ordering::SeqCst) {
            *kept = Kept::Cold;
        }
        let bytes = if let Kept::Warm(warm) = kept { warm.bytes } else { 0 };
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// How far it is, for the cell that gives.
    pub(super) fn tell(&self, told: &mut Taken) {
        match &*self.kept.lock() {
            Kept::Nothing => told.warmth = Warmth::Loading,
            Kept::Warm(warm) => {
                told.warmth = Warmth::Warm;
                (told.next, told.link) = (warm.next, warm.link);
            }
            Kept::Cold => told.warmth = Warmth::Cold,
        }
    }

    /// Brings it up to the last pass of the copy that stands on the disk. Blocks.
    pub(super) fn keep_up(&self, house: &House, arrival: &Arrival) -> Result<(), StorageError> {
        let mut kept = self.kept.lock();
        self.settle(&mut kept);
        let done = kept_up(&mut kept, house, arrival);
        if done.is_err() {
            *kept = Kept::Cold;
        }
        self.settle(&mut kept);
        done
    }

    /// Takes what is in memory, brought up to a head; none where it does not lead there.
    fn take(&self, house: &House, head: &Head) -> Result<Option<Loader>, StorageError> {
        let kept = std::mem::replace(&mut *self.kept.lock(), Kept::Cold);
        self.bytes.store(0, Ordering::Relaxed);
        let Kept::Warm(warm) = kept else { return Ok(None) };
        let Warm { mut loader, mut next, mut link, .. } = *warm;
        if next < head.next {
            for frame in house.store.history(head.tenant, next, usize::MAX)? {
                (next, link) = (frame.revision.next(), frame.link);
                loader.take(Replay::Frame(frame));
            }
        }
        Ok(((next, link) == (head.next, head.link)).then_some(loader))
    }
}

/// Loads what stands on the disk of a copy, or what came since it was looked at last.
fn kept_up(kept: &mut Kept, house: &House, arrival: &Arrival) -> Result<(), StorageError> {
    let (passes, erased) = (arrival.passes(), arrival.erased());
    let unknown = || StorageError::TenantUnknown(arrival.tenant());
    match kept {
        Kept::Nothing if passes == 0 => {}
        // There would be no room for it: others are asked now, and this one is not.
        Kept::Nothing if house.memory_bytes() >= house.config.memory_bytes_max => *kept = Kept::Cold,
        Kept::Nothing => {
            let mut loader = Loader::new(house, arrival.tenant());
            let head = house.store.load_arrival(arrival, None, &mut |replay| loader.take(replay))?;
            let Head { next, link, .. } = head.ok_or_else(unknown)?;
            if arrival.is_in_buckets() {
                loader.is_in_buckets();
            }
            let bytes = loader.bytes();
            *kept = Kept::Warm(Box::new(Warm { loader, next, link, passes, erased, bytes }));
        }
        // What was read under keys that are gone is read again, without it.
        Kept::Warm(warm) if warm.erased != erased => *kept = Kept::Cold,
        Kept::Warm(warm) if warm.passes == passes => {}
        Kept::Warm(warm) => {
            let from = Some(warm.next);
            let head = house.store.load_arrival(arrival, from, &mut |replay| warm.loader.take(replay))?;
            let Head { next, link, .. } = head.ok_or_else(unknown)?;
            if arrival.is_in_buckets() {
                warm.loader.is_in_buckets();
            }
            warm.bytes = warm.loader.bytes();
            (warm.next, warm.link, warm.passes) = (next, link, passes);
        }
        Kept::Cold => {}
    }
    Ok(())
}

impl House {
    /// About how many bytes the tenants in memory take, those among them that are being taken.
    pub(crate) fn memory_bytes(&self) -> usize {
        let views = self.directory.all().into_iter().filter_map(|entry| entry.known_view());
        views.map(|view| view.bytes()).sum::<usize>() + self.warm_bytes()
    }

    /// About how many bytes those take that are being taken, and are no tenants yet.
    pub(crate) fn warm_bytes(&self) -> usize {
        let shelves: Vec<_> = self.takings.lock().values().map(super::take::Taking::shelf).collect();
        shelves.iter().map(|shelf| shelf.bytes()).sum()
    }

    /// Lets go what is in memory of tenants that are being taken and nobody has asked for lately; all of it, where memory
    /// is short.
    pub(crate) fn let_warm_go(&self, all: bool) {
        let now = self.clock.elapsed_ms();
        let idle = |asked: u64| all || now.saturating_sub(asked) > WARM_IDLE_MS;
        let shelves: Vec<_> = {
            let takings = self.takings.lock();
            takings
                .values()
                .filter(|taking| idle(taking.asked_ms()))
                .map(super::take::Taking::shelf)
                .collect()
        };
        shelves.into_iter().for_each(|shelf| shelf.let_go());
    }
}

/// A tenant's standing, taken for one who puts it into memory himself: whoever asks for it meanwhile waits for that.
pub(super) struct Claimed(Option<Arc<Entry>>);

impl Claimed {
    /// Takes it, before anybody knows the tenant: who is told where it lives asks at once. None where somebody else is
    /// loading it, or it is in memory.
    pub(super) fn take(house: &House, tenant: TenantId) -> Option<Self> {
        let made = || {
            let entry = house.directory.entry_before(tenant, house.away(tenant));
            house.tell_where(&entry);
            entry
        };
        let entry = house.entry(tenant).unwrap_or_else(made);
        let taken = entry.shift(Standing::Asleep, Standing::Waking)
            || entry.shift(Standing::Failed, Standing::Waking);
        taken.then(|| Self(Some(entry)))
    }

    /// Hands on what is in memory: it is shown, and takes commands. False where that is not there.
    ///
    /// # Errors
    /// What differs from the disk, where that is looked at.
    pub(super) fn show(mut self, house: &Arc<House>, shelf: &Shelf, head: &Head) -> Result<bool, String> {
        let Some(entry) = &self.0 else { return Ok(false) };
        let tenant = entry.tenant;
        let loader = match shelf.take(house, head) {
            Ok(Some(loader)) => loader,
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::warn!(%tenant, %error, "a tenant that came is loaded from the disk");
                return Ok(false);
            }
        };
        #[cfg(debug_assertions)]
        if let Some(what) = super::same::differs(house, &loader, head).map_err(|error| error.to_string())? {
            return Err(format!("what is in memory is not what is on the disk: {what}"));
        }
        let running = Box::new(Ok(loader.finish(house, entry, *head)));
        self.0 = None;
        house.tell(SupervisorMessage::Loaded(tenant, running, None));
        Ok(true)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // Whoever asks next loads it from the disk.
        if let Some(entry) = self.0.take() {
            entry.set_standing(Standing::Asleep);
        }
    }
}
