//! Networks that a key is bound to: ranges of IPv4 or IPv6 addresses in CIDR form (RFC 4632, RFC 4291).
//!
//! An IPv4 address is one whether it is written so or mapped into IPv6 (`::ffff:10.1.2.3`): it lies in
//! IPv4 networks alone, and no IPv6 network holds it (F-34).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address without bits beyond its prefix, and the prefix's length.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text or pair is no network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkError {
    /// Not an address, or not a number behind the slash.
    Malformed,
    /// A prefix longer than the address, or an IPv6 one that holds the mapped IPv4 addresses and others.
    BadPrefix,
    /// Bits of the address stand behind the prefix: the network that is probably meant.
    HostBits(Network),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("a network is an address or ADDRESS/PREFIX, such as 10.0.0.0/8"),
            Self::BadPrefix => f.write_str("the prefix does not fit the address"),
            Self::HostBits(meant) => write!(f, "the address has bits behind its prefix: {meant} is meant?"),
        }
    }
}

impl std::error::Error for NetworkError {}

/// The bits of an address that lie behind a prefix, as a mask over 128.
const fn behind(prefix: u32, bits: u32) -> u128 {
    let host = bits.saturating_sub(prefix);
    if host >= 128 { u128::MAX } else { (1 << host) - 1 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// The network of an address and a prefix; an IPv4 network may be written as a mapped IPv6 one.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let (address, prefix) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), canonical @ IpAddr::V4(_)) => {
                (canonical, prefix.checked_sub(96).ok_or(NetworkError::BadPrefix)?)
            }
            (address, _) => (address, prefix),
        };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if u32::from(prefix) > bits {
            return Err(NetworkError::BadPrefix);
        }
        let (found, host) = (number(address), behind(u32::from(prefix), bits));
        if found & host == 0 {
            return Ok(Self { address, prefix });
        }
        let meant = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(found & !host).unwrap_or(0))),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(found & !host)),
        };
        Err(NetworkError::HostBits(Self { address: meant, prefix }))
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a network of one.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let read: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        if !text.contains('/') {
            let whole = read.to_canonical();
            return Self::new(whole, if whole.is_ipv4() { 32 } else { 128 });
        }
        // No sign, no leading zero, no blank.
        let sound = matches!(prefix.as_bytes(), [b'0'] | [b'1'..=b'9', ..] if prefix.len() <= 3);
        let prefix = prefix.parse().ok().filter(|_| sound).ok_or(NetworkError::Malformed)?;
        Self::new(read, prefix)
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        address.is_ipv4() == self.address.is_ipv4()
            && (number(address) ^ number(self.address)) & !behind(u32::from(self.prefix), bits) == 0
    }

    /// Whether every address of `inner` lies in it.
    #[must_use]
    pub fn holds(&self, inner: &Self) -> bool {
        self.prefix <= inner.prefix && self.contains(inner.address)
    }

    /// Its first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Bits that all its addresses share.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Where something comes from, as far as budgets tell sources apart: an IPv4 address, or the first 64 bits of an IPv6
/// one, which is what a household or host has to itself (RFC 6177).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Source([u8; 8]);

impl Source {
    /// The source that an address belongs to.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            // No routed IPv6 network begins with zeros.
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                Self([0, 0, 0, 0, a, b, c, d])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self([a, b, c, d, e, f, g, h])
            }
        }
    }

    /// Its bytes: four zeros and an IPv4 address, or those of the IPv6 one.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).expect(text)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    /// PROPERTY: an IPv4 network holds its addresses however they are written, and nothing else (F-34).
    #[test]
    fn f_34_mapped_addresses_are_ipv4() {
        let ten = network("10.0.0.0/8");
        for inside in ["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "0:0:0:0:0:ffff:10.1.2.3"] {
            assert!(ten.contains(address(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "::ffff:11.0.0.1", "2001:db8::1", "::a01:203", "::"] {
            assert!(!ten.contains(address(outside)), "{outside}");
        }
        assert!(!network("0.0.0.0/0").contains(address("2001:db8::1")));
        assert!(!network("::/0").contains(address("::ffff:10.1.2.3")));
        assert!(network("::/0").contains(address("2001:db8::1")));
    }

    /// PROPERTY: a range is what it says or is refused, with the right form named (F-34).
    #[test]
    fn f_34_ranges_say_what_they_hold() {
        assert_eq!(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
        assert_eq!(network("::ffff:10.1.2.3"), network("10.1.2.3/32"));
        assert_eq!(Network::parse("::ffff:10.0.0.0/64"), Err(NetworkError::BadPrefix));
        assert_eq!(Network::parse("10.1.2.3/8"), Err(NetworkError::HostBits(network("10.0.0.0/8"))));
        assert_eq!(Network::parse("2001:db8::1/32"), Err(NetworkError::HostBits(network("2001:db8::/32"))));
        for bad in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10/8",
            "a",
            "010.0.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.0/ 8",
        ] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    /// PROPERTY: texts read back; a network holds another when it holds its first and last address.
    #[test]
    fn networks_read_back() {
        let all = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.128.0.0/9",
            "10.1.2.3/32",
            "::/0",
            "2001:db8::/32",
            "2001:db8::/64",
            "2001:db8::7/128",
        ];
        for text in all {
            assert_eq!(network(text).to_string(), text);
            for other in all {
                let (outer, inner) = (network(text), network(other));
                let wider = outer.prefix() <= inner.prefix() && outer.contains(inner.address());
                assert_eq!(outer.holds(&inner), wider, "{text} {other}");
            }
        }
        assert!(network("10.0.0.0/8").holds(&network("10.128.0.0/9")));
        assert!(!network("10.128.0.0/9").holds(&network("10.0.0.0/8")));
        assert!(!network("0.0.0.0/0").holds(&network("::/0")));
    }

    /// PROPERTY (TC-2): spellings of one address are one source, hosts of a /64 too, others are others.
    #[test]
    fn tc_2_sources_are_told_apart() {
        let of = |text: &str| Source::of(text.parse().expect("an address"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.8"), of("192.0.2.7"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
    }
}
