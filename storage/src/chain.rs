//! The chain of a tenant, in which each frame's link hashes the link before it.
//!
//! So no frame can be changed, dropped or moved unnoticed.

use tessera_crypto::digest;
use tessera_model::TenantId;

/// The link before a tenant's first frame: BLAKE3(tenant id ‖ nonce).
pub(crate) fn genesis(tenant: TenantId, nonce: &[u8; 32]) -> [u8; 32] {
    digest::hash(&[&tenant.0.to_le_bytes(), nonce])
}

/// The link of a frame: BLAKE3(link before ‖ header ‖ payload ‖ hash of the rows). `head` is the
/// frame's header and payload, which stand behind one another.
pub(crate) fn link(before: &[u8; 32], head: &[u8], rows_hash: &[u8; 32]) -> [u8; 32] {
    digest::hash(&[before, head, rows_hash])
}

/// The hash of a frame's rows, as encoded. A frame without rows has the hash of nothing.
pub(crate) fn rows_hash(rows: &[u8]) -> [u8; 32] {
    if rows.is_empty() { NO_ROWS } else { digest::hash(&[rows]) }
}

/// BLAKE3 of the empty input (the first of its published vectors).
const NO_ROWS: [u8; 32] = [
    0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc, 0xc9, 0x49, 0x9b,
    0xcb, 0x25, 0xc9, 0xad, 0xc1, 0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca, 0xe4, 0x1f, 0x32, 0x62,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_no_rows_is_the_hash_of_nothing() {
        assert_eq!(NO_ROWS, digest::hash(&[]));
    }
}
