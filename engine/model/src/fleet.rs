//! Fleets: cells, where each of them is reached, and where tenants live that have left the cell of their birth.
//!
//! A cell is one node with its own store. What the fleet file says of cells changes by hand alone; where tenants live
//! is decided tenant by tenant, and the highest epoch wins.

use crate::id::{CellId, TenantId};
use crate::limits::{CELL_ADDRESS_BYTES_MAX, CELL_NAME_BYTES_MAX, FLEET_CELLS_MAX};
use crate::revision::Epoch;
use crate::time::UnixMillis;
use std::fmt;

/// What a cell is called: small letters, digits and `-` between them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CellName(Box<str>);

impl CellName {
    /// Takes a text as the name of a cell; `None` when it is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let ends = text.starts_with('-') || text.ends_with('-');
        let sound = !text.is_empty() && text.len() <= CELL_NAME_BYTES_MAX && !ends && text.bytes().all(fits);
        sound.then(|| Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CellName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A cell, as the fleet file has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cell {
    /// Its number: the first part of the ids of tenants that are born there, and so for ever its own.
    pub id: CellId,
    /// Its name, for people.
    pub name: CellName,
    /// Where its QUIC door is: `host:port`.
    pub address: Box<str>,
    /// The name in its certificate.
    pub certificate: Box<str>,
    /// Where its HTTP door is, as the beginning of addresses there; empty when nobody is told.
    pub http: Box<str>,
}

/// Where a tenant lives. One of them for each tenant; the highest epoch wins.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Placement {
    /// Which tenant.
    pub tenant: TenantId,
    /// The epoch that its history has there. Where nothing is known of a tenant it lives in the cell of its birth, as if
    /// placed there in epoch 0.
    pub epoch: Epoch,
    /// In which cell.
    pub cell: CellId,
}

/// What a node found when it asked another cell last.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PeerSeen {
    /// Which.
    pub cell: CellId,
    /// Whether it answered.
    pub reached: bool,
    /// When it was asked.
    pub at: UnixMillis,
    /// Why it did not answer; empty when it did.
    pub trouble: Box<str>,
    /// The version of the fleet file that it used when it answered last.
    pub version: u64,
    /// How many tenants lived there.
    pub tenants: u64,
    /// How many placements it knew.
    pub placements: u64,
    /// Of how many tenants the two say otherwise of one and the same epoch, or did not take what the other knew.
    pub differs: u64,
}

/// What is wrong with a fleet file beyond its form, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FleetError {
    /// No version, or 0.
    VersionMissing,
    /// No cell at all, or too many of them.
    Cells(usize),
    /// Two cells have this name.
    NameTwice(CellName),
    /// Two cells have this number.
    NumberTwice(CellId),
    /// Two cells have this address.
    AddressTwice(Box<str>),
    /// The address of this cell is none.
    BadAddress(CellName),
    /// The name in the certificate of this cell is none.
    BadCertificate(CellName),
    /// What this cell has for the beginning of its HTTP addresses is none.
    BadHttp(CellName),
    /// The node's own cell is not among them.
    OwnMissing(CellName),
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VersionMissing => f.write_str(
                "it has no version: write version = 1 at its beginning, and one more at each change",
            ),
            Self::Cells(0) => f.write_str("it names no cell: each one is a [[cell]]"),
            Self::Cells(count) => write!(f, "it names {count} cells; at most {FLEET_CELLS_MAX} make a fleet"),
            Self::NameTwice(name) => {
                write!(f, "cell {name} is named twice: a cell has one name and one line")
            }
            Self::NumberTwice(id) => {
                write!(f, "two cells have the number {id}: it is the first part of their tenants' ids")
            }
            Self::AddressTwice(address) => write!(f, "two cells have the address {address}"),
            Self::BadAddress(name) => {
                write!(
                    f,
                    "the address of cell {name} is none: host:port is expected, as node1.example.org:7443"
                )
            }
            Self::BadCertificate(name) => write!(
                f,
                "the certificate's name of cell {name} is none: a host's name or an IP address is expected"
            ),
            Self::BadHttp(name) => {
                write!(f, "http of cell {name} is no origin: https://host or https://host:port is expected")
            }
            Self::OwnMissing(name) => {
                write!(f, "it does not name this node's own cell, {name}: add it, or set fleet.cell right")
            }
        }
    }
}

impl std::error::Error for FleetError {}

/// A fleet, as one of its nodes sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fleet {
    version: u64,
    own: CellId,
    /// By number.
    cells: Vec<Cell>,
}

/// The host and the port of an address.
fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    // An IPv6 address stands in brackets.
    let host = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().ok().map(|_| bare)?,
        None => Some(host).filter(|host| is_host(host))?,
    };
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    Some((host, port))
}

/// Whether it is a name of a host (RFC 1123 section 2.1), or an IPv4 address.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

impl Cell {
    /// The host of its address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        split(&self.address).map_or("", |(host, _)| host)
    }

    fn fault(&self) -> Option<FleetError> {
        let name = || self.name.clone();
        let sound = self.address.len() <= CELL_ADDRESS_BYTES_MAX && split(&self.address).is_some();
        if !sound {
            return Some(FleetError::BadAddress(name()));
        }
        if !is_host(&self.certificate) && self.certificate.parse::<std::net::IpAddr>().is_err() {
            return Some(FleetError::BadCertificate(name()));
        }
        let origin = |text: &str| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let bare = |host: &str| is_host(host) || split(host).is_some();
            text.len() <= CELL_ADDRESS_BYTES_MAX && host.is_some_and(bare)
        };
        (!self.http.is_empty() && !origin(&self.http)).then(|| FleetError::BadHttp(name()))
    }
}

impl Fleet {
    /// Puts a fleet together, as the node of the cell `own` sees it.
    ///
    /// # Errors
    /// [`FleetError`].
    pub fn new(version: u64, own: &CellName, mut cells: Vec<Cell>) -> Result<Self, FleetError> {
        if version == 0 {
            return Err(FleetError::VersionMissing);
        }
        if cells.is_empty() || cells.len() > FLEET_CELLS_MAX {
            return Err(FleetError::Cells(cells.len()));
        }
        if let Some(fault) = cells.iter().find_map(Cell::fault) {
            return Err(fault);
        }
        for (at, cell) in cells.iter().enumerate() {
            for other in cells.iter().take(at) {
                if other.name == cell.name {
                    return Err(FleetError::NameTwice(cell.name.clone()));
                }
                if other.id == cell.id {
                    return Err(FleetError::NumberTwice(cell.id));
                }
                if other.address == cell.address {
                    return Err(FleetError::AddressTwice(cell.address.clone()));
                }
            }
        }
        cells.sort_unstable_by_key(|cell| cell.id);
        let mine = cells.iter().find(|cell| cell.name == *own).map(|cell| cell.id);
        let own = mine.ok_or_else(|| FleetError::OwnMissing(own.clone()))?;
        Ok(Self { version, own, cells })
    }

    /// The version of the file that it was read from.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The cell of the node itself.
    #[must_use]
    pub const fn own(&self) -> CellId {
        self.own
    }

    /// All cells, by number.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// All cells but the node's own.
    pub fn others(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.id != self.own)
    }

    /// The cell with this number.
    #[must_use]
    pub fn cell(&self, id: CellId) -> Option<&Cell> {
        let at = self.cells.binary_search_by_key(&id, |cell| cell.id).ok()?;
        self.cells.get(at)
    }

    /// The cell with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.name.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(id: u16, name: &str, address: &str) -> Cell {
        Cell {
            id: CellId(id),
            name: CellName::new(name).expect("a name"),
            address: address.into(),
            certificate: "node.example.org".into(),
            http: "".into(),
        }
    }

    fn fleet(cells: Vec<Cell>) -> Result<Fleet, FleetError> {
        Fleet::new(3, &CellName::new("a").expect("a name"), cells)
    }

    /// PROPERTY: names of cells are short labels.
    #[test]
    fn names_are_labels() {
        for good in ["a", "eu-1", "0", &"x".repeat(32)] {
            assert!(CellName::new(good).is_some_and(|name| name.as_str() == good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "\u{e9}", &"x".repeat(33)] {
            assert_eq!(CellName::new(bad), None, "{bad}");
        }
    }

    /// PROPERTY: a sound file is taken, whatever the order of its cells, and each cell is found by number and name.
    #[test]
    fn cells_are_found() {
        let cells = vec![cell(7, "b", "[::1]:1"), cell(2, "a", "10.0.0.1:7443"), cell(0, "c", "node:7443")];
        let fleet = fleet(cells).expect("a fleet");
        assert_eq!((fleet.version(), fleet.own()), (3, CellId(2)));
        for known in fleet.cells() {
            assert_eq!(fleet.cell(known.id), Some(known));
            assert_eq!(fleet.named(known.name.as_str()), Some(known));
        }
        assert_eq!(fleet.cell(CellId(3)), None);
        assert_eq!(fleet.others().map(|cell| cell.id.0).collect::<Vec<_>>(), [0, 7]);
        assert_eq!(fleet.cell(CellId(7)).map(Cell::host), Some("::1"));
    }

    /// PROPERTY: whatever two nodes could read differently, or none could use, is refused and named.
    #[test]
    fn what_is_wrong_is_named() {
        let sound = || cell(1, "a", "a.example.org:7443");
        let named = |name: &str| CellName::new(name).expect("a name");
        assert_eq!(fleet(Vec::new()), Err(FleetError::Cells(0)));
        assert_eq!(fleet(vec![cell(2, "b", "x:1")]), Err(FleetError::OwnMissing(named("a"))));
        assert_eq!(fleet(vec![sound(), cell(2, "a", "x:1")]), Err(FleetError::NameTwice(named("a"))));
        assert_eq!(fleet(vec![sound(), cell(1, "b", "x:1")]), Err(FleetError::NumberTwice(CellId(1))));
        let again = cell(2, "b", "a.example.org:7443");
        assert!(matches!(fleet(vec![sound(), again]), Err(FleetError::AddressTwice(_))));
        for bad in ["", "a", "a:", "a:0", "a:70000", ":1", "a b:1", "::1:1", "[::1]", "https://a:1", "-a:1"] {
            let told = fleet(vec![sound(), cell(2, "b", bad)]);
            assert_eq!(told, Err(FleetError::BadAddress(named("b"))), "{bad}");
        }
        let unnamed = Cell { certificate: "".into(), ..sound() };
        assert_eq!(fleet(vec![unnamed]), Err(FleetError::BadCertificate(named("a"))));
        for bad in ["id.example.org", "ftp://a", "https://", "https://a/b", "https://a:b"] {
            let told = fleet(vec![Cell { http: bad.into(), ..sound() }]);
            assert_eq!(told, Err(FleetError::BadHttp(named("a"))), "{bad}");
        }
        let many = (1..=2_000).map(|no| cell(no, &format!("c{no}"), &format!("h{no}:1"))).collect();
        assert_eq!(fleet(many), Err(FleetError::Cells(2_000)));
        let old = Fleet::new(0, &named("a"), vec![sound()]);
        assert_eq!(old, Err(FleetError::VersionMissing));
    }
}
