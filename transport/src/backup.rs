//! How a backup stands, as the wire tells it.

use tessera_engine::BackupTold;
use tessera_wire::BackupRow;

pub(crate) fn backup_row(told: BackupTold) -> BackupRow {
    let BackupTold { name, taken, trouble, bytes: (done, expected) } = told;
    let status = match (&taken, &trouble) {
        (Some(_), _) => 2,
        (None, Some(_)) => 3,
        (None, None) => 1,
    };
    let (bytes, expected) = taken.map_or((done, expected), |taken| (taken.bytes, taken.bytes));
    BackupRow { name, status, bytes, expected, tenants: taken.map_or(0, |taken| taken.tenants), trouble }
}
