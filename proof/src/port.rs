//! Addresses that nodes of proofs listen at.

use crate::node::Trouble;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

/// The first port that nodes of proofs listen at, and how many there are: they lie below those that connections are
/// given by the system, so that nobody takes one between two lives of a node.
const PORTS: (u16, u32) = (12_000, 20_000);
/// How many ports were asked for.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// An address of this machine that nobody listens at.
pub(crate) fn free<T>(bind: impl Fn(SocketAddr) -> std::io::Result<T>) -> Result<SocketAddr, Trouble> {
    let (first, count) = PORTS;
    for _ in 0..count {
        let nth = std::process::id().wrapping_mul(977).wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from(([127, 0, 0, 1], first + u16::try_from(nth % count)?));
        if bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err("no port of this machine is free".into())
}
