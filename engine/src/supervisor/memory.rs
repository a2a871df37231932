//! Tenants that leave memory where it is short.

use super::Supervisor;
use std::sync::atomic::Ordering;
use tessera_model::{TenantId, UnixMillis};

/// LIMIT: how long nobody must have used a tenant that is put to sleep for its memory, ms: less would have
/// those that are in use chase each other out.
pub(super) const MEMORY_IDLE_MS: u64 = 2_000;

impl Supervisor {
    /// Where the tenants in memory take more than they may, those that were used least recently leave it.
    /// True when some would whose frames wait for a checkpoint.
    pub(super) fn relieve(&self, now: UnixMillis) -> bool {
        let (mut awake, mut bytes) = (Vec::new(), self.0.warm_bytes());
        for entry in self.0.directory.all() {
            let Some(size) = entry.known_view().map(|view| view.bytes()) else { continue };
            bytes += size;
            let idle = entry.idle_for(now);
            if entry.tenant != TenantId::SYSTEM && idle >= MEMORY_IDLE_MS {
                awake.push((idle, size, entry));
            }
        }
        if bytes <= self.0.config.memory_bytes_max {
            return false;
        }
        awake.sort_by_key(|(idle, ..)| std::cmp::Reverse(*idle));
        let mut owes = false;
        for (_, size, entry) in awake {
            if bytes <= self.0.config.memory_bytes_max {
                return false;
            }
            owes |= self.0.store.has_tail(entry.tenant);
            if self.lay_down(entry) {
                self.0.slept_for_memory.fetch_add(1, Ordering::Relaxed);
                bytes -= size;
            }
        }
        if bytes > self.0.config.memory_bytes_max {
            self.0.let_warm_go(true);
        }
        owes
    }
}
