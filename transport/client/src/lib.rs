//! Placeholder that the first commit of this room replaces.
