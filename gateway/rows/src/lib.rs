//! Rows of a bulk load as people write them: NDJSON and CSV, for the HTTP door and the command line.
//!
//! A row that does not read is told with its field and why. What a row comes to, the node decides; what it
//! turns down is told under the names of this text, too.

mod csv;
mod line;
mod row;
mod shape;

pub use csv::Heading;
pub use line::{field_of, lines, rejected_field};
pub use row::{RowFault, read};
