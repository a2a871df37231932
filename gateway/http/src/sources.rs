//! Connections by where they come from: one network cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// An IPv4 address, or the first 64 bits of an IPv6 one.
pub(crate) type Network = [u8; 8];

/// Connections counted by network.
#[derive(Default)]
pub(crate) struct Sources(Mutex<HashMap<Network, usize>>);

/// A place in the count; dropping it gives it back.
pub(crate) struct Counted {
    sources: Arc<Sources>,
    network: Network,
}

/// The network that an address belongs to.
pub(crate) fn network(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            // No routed IPv6 network begins with zeros.
            let [a, b, c, d] = address.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

impl Sources {
    /// Counts a connection, unless its network has as many as it may.
    pub(crate) fn count(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let network = network(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { sources: Arc::clone(self), network })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.sources.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}
