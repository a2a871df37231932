//! The settings of a tenant as members of JSON: one list for reading, writing and documents.

use crate::operation::{Field, Shape};
use tessera_model::Settings;

type Reach = fn(&mut Settings) -> &mut u32;

/// How each member reaches its setting.
const REACHES: [(&str, Reach); 6] = [
    ("session_ttl_s", |settings| &mut settings.session_ttl_s),
    ("session_idle_s", |settings| &mut settings.session_idle_s),
    ("argon_memory_kib", |settings| &mut settings.argon_memory_kib),
    ("argon_passes", |settings| &mut settings.argon_passes),
    ("argon_lanes", |settings| &mut settings.argon_lanes),
    ("password_bytes_min", |settings| &mut settings.password_bytes_min),
];

/// The members.
pub(crate) const NAMES: [&str; 6] = [
    "session_ttl_s",
    "session_idle_s",
    "argon_memory_kib",
    "argon_passes",
    "argon_lanes",
    "password_bytes_min",
];

/// The members as fields of a merge patch.
pub(crate) const FIELDS: [Field; 6] = [
    Field::maybe("session_ttl_s", Shape::Count, "lifetime of a session, seconds"),
    Field::maybe("session_idle_s", Shape::Count, "idle lifetime of a session, seconds"),
    Field::maybe("argon_memory_kib", Shape::Count, "Argon2id memory, KiB"),
    Field::maybe("argon_passes", Shape::Count, "Argon2id passes"),
    Field::maybe("argon_lanes", Shape::Count, "Argon2id lanes"),
    Field::maybe("password_bytes_min", Shape::Count, "fewest bytes of a password"),
];

/// The settings as name and value.
pub(crate) fn values(mut settings: Settings) -> Vec<(&'static str, u32)> {
    REACHES.iter().map(|(name, reach)| (*name, *reach(&mut settings))).collect()
}

/// The setting behind a member.
pub(crate) fn reach<'a>(settings: &'a mut Settings, name: &str) -> Option<&'a mut u32> {
    REACHES.iter().find(|(known, _)| *known == name).map(|(_, reach)| reach(settings))
}
