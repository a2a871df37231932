//! What a pool does when the tenant lives elsewhere: it asks no more until somebody wants to know anew, and hands on
//! what it knows.

use super::{FAREWELL, NotOpened, Pool};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tessera_model::{HandleBytes, Refusal};
use tessera_wire::Fault;
use tokio::time::sleep;

/// Where the tenant lives, as one of the addresses has said.
pub(super) fn redirect(problems: &[Option<(NotOpened, u32)>]) -> Option<Fault> {
    problems.iter().flatten().find_map(|(problem, _)| match problem {
        NotOpened::Refused(fault) if fault.code == Refusal::Redirect.code() => Some(fault.clone()),
        NotOpened::Refused(_)
        | NotOpened::Untrusted(_)
        | NotOpened::Unreadable(_)
        | NotOpened::Connection(_) => None,
    })
}

impl Pool {
    /// The credential that is used now.
    pub(crate) fn credential(&self) -> Option<HandleBytes> {
        self.credential.read().0
    }

    /// The version of the fleet's map that a node told last; 0 for none.
    pub(crate) fn map_version(&self) -> u64 {
        self.map_version.load(Ordering::Relaxed)
    }

    /// Takes over what another one knows of the time, until a node tells it.
    pub(crate) fn know(&self, other: &Self) {
        let told = *other.clock.lock();
        let mut clock = self.clock.lock();
        *clock = clock.or(told);
    }

    /// Forgets that the tenant lives elsewhere: it is asked again.
    pub(crate) fn ask_anew(&self) {
        for problem in self.problems.lock().iter_mut() {
            let elsewhere = redirect(std::slice::from_ref(problem)).is_some();
            if elsewhere {
                *problem = None;
            }
        }
        self.asked.send_modify(|count| *count += 1);
    }

    /// Uses another credential from now on; connections that stand are replaced as they can be.
    pub(crate) fn take_over(&self, credential: HandleBytes) {
        let turn = {
            let mut known = self.credential.write();
            *known = (Some(credential), known.1 + 1);
            known.1
        };
        self.renewed.send_replace(turn);
    }

    /// Ends when the calls that are in flight have ended: it is not used any more.
    pub(crate) fn retire(self: Arc<Self>) {
        tokio::spawn(async move {
            let until = Instant::now() + FAREWELL;
            while self.waiting() > 0 && Instant::now() < until {
                sleep(Duration::from_millis(20)).await;
            }
            self.close();
        });
    }

    fn waiting(&self) -> usize {
        self.seats.iter().filter_map(|seat| seat.read().as_ref().map(|link| link.waiting())).sum()
    }
}
