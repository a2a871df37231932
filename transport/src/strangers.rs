//! Connections that no Hello has bound yet: they have places of their own, which are few.
//!
//! Whoever has no credential can so never hold the place of somebody who has one. A place that was
//! held for a second without a Hello makes room when there is none left: a peer that has something
//! to say needs a few round trips, one that waits to be in the way can wait elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tessera_model::Source;
use tokio::sync::Notify;
use tokio::time::Instant;

/// LIMIT: how long a place is a stranger's own, though others want it: some round trips to the other
/// side of the earth.
const OWN: Duration = Duration::from_secs(1);

/// How many places there are.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    pub(crate) all: usize,
    pub(crate) per_source: usize,
}

/// One stranger.
struct Guest {
    since: Instant,
    network: Source,
    leave: Arc<Notify>,
}

#[derive(Default)]
struct Held {
    next: u64,
    /// INVARIANT: in the order of their arrival, the oldest first.
    guests: BTreeMap<u64, Guest>,
}

/// The places of a door for strangers.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<Held>);

/// A place of a stranger; dropping it gives it back.
pub(crate) struct Place {
    strangers: Arc<Strangers>,
    number: u64,
    leave: Arc<Notify>,
}

impl Strangers {
    /// Gives a place to a new connection, if need be that of one who has had it for a while.
    /// COST: a look through all places, a few hundred, for each new connection.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, places: Places, now: Instant) -> Option<Place> {
        let network = Source::of(address);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = held.guests.values().filter(|guest| guest.network == network).count();
        if of_network >= places.per_source {
            held.make_room(|guest| guest.network == network, now)?;
        } else if held.guests.len() >= places.all {
            held.make_room(|_| true, now)?;
        }
        let (number, leave) = (held.next, Arc::new(Notify::new()));
        held.next += 1;
        held.guests.insert(number, Guest { since: now, network, leave: Arc::clone(&leave) });
        Some(Place { strangers: Arc::clone(self), number, leave })
    }

    /// Strangers that are here now.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).guests.len()
    }
}

impl Held {
    /// Sends the oldest of those meant away, unless it came just now.
    fn make_room(&mut self, meant: impl Fn(&Guest) -> bool, now: Instant) -> Option<()> {
        let (number, oldest) = self.guests.iter().find(|(_, guest)| meant(guest))?;
        if now.duration_since(oldest.since) < OWN {
            return None;
        }
        oldest.leave.notify_one();
        let number = *number;
        self.guests.remove(&number);
        Some(())
    }
}

impl Place {
    /// Resolves when the place was given to somebody else.
    pub(crate) fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let leave = Arc::clone(&self.leave);
        async move { leave.notified().await }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.strangers.0.lock().unwrap_or_else(PoisonError::into_inner).guests.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const PLACES: Places = Places { all: 4, per_source: 2 };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Whether the place is lost; a stranger is told once.
    fn is_lost(place: &Place) -> bool {
        let lost = pin!(place.lost());
        lost.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    /// PROPERTY: never more strangers than there are places, in all and from one source; who came within
    /// the last second keeps the place, who came before makes room; a place given back is free.
    #[test]
    fn strangers_are_few() {
        let (strangers, begun) = (Arc::new(Strangers::default()), Instant::now());
        let admit = |last, after| strangers.admit(address(last), PLACES, begun + after);
        let (early, late) = (Duration::ZERO, Duration::from_millis(1_500));
        let first = admit(1, early).expect("a place");
        let second = admit(1, late).expect("a place");
        assert!(!is_lost(&first));
        let third = admit(1, late).expect("the place of the first");
        assert!(is_lost(&first) && !is_lost(&second) && !is_lost(&third));
        assert!(admit(1, late).is_none(), "both came just now");
        let (fourth, fifth) = (admit(2, late).expect("a place"), admit(3, late).expect("a place"));
        assert_eq!(strangers.count(), PLACES.all);
        assert!(admit(4, late).is_none(), "all came just now");
        drop(fourth);
        let sixth = admit(4, late).expect("a place given back");
        // The first gives back what it has no more: nobody else's.
        drop(first);
        assert_eq!(strangers.count(), PLACES.all);
        let seventh = admit(5, late * 2).expect("the place of the second, the oldest");
        assert!(is_lost(&second) && !is_lost(&third) && !is_lost(&fifth) && !is_lost(&sixth));
        drop((second, third, fifth, sixth, seventh));
        assert_eq!(strangers.count(), 0);
    }
}
