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
    let octets = match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            return [a, b, c, d, e, f, g, h];
        }
    };
    // ::ffff:a.b.c.d has its own part at the end; no routed IPv6 network begins with zeros.
    let [.., a, b, c, d] = octets;
    [0, 0, 0, 0, a, b, c, d]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: networks are counted apart, and a place given back is free; nothing stays behind.
    #[test]
    fn networks_are_counted_apart() {
        let sources = Arc::new(Sources::default());
        let count = |text: &str| sources.count(text.parse().expect("an address"), 2);
        let (first, second) = (count("192.0.2.7"), count("::ffff:192.0.2.7"));
        assert!(first.is_some() && second.is_some() && count("192.0.2.7").is_none());
        assert!(count("192.0.2.8").is_some());
        drop(first);
        assert!(count("192.0.2.7").is_some());
        let (six, same) = (count("2001:db8::1"), count("2001:db8::2"));
        assert!(six.is_some() && same.is_some() && count("2001:db8::3").is_none());
        assert!(count("2001:db8:0:1::1").is_some());
        drop((second, six, same));
        assert!(sources.0.lock().expect("no panic").is_empty());
    }
}
