//! What a tenant's administrator can set.

use crate::limits::PLACES_MAX;
use crate::named::Setting;
use crate::refresh::{RefreshMode, SESSION_TTL_S_MAX};

/// LIMIT: grace of a refresh, s: a lost reply is noticed within a minute.
pub const REFRESH_GRACE_S_MAX: u32 = 60;

/// Settings of one tenant. Every lifetime is in whole seconds; 0 is never "for ever" and is refused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Settings {
    /// Absolute lifetime of a session, 60 s to 400 days. Default one day.
    pub session_ttl_s: u32,
    /// Idle lifetime of a session, 30 s to the absolute one. Default one hour.
    pub session_idle_s: u32,
    /// Argon2id memory in KiB, 8 to 262,144 (RFC 9106). Default 19,456 (OWASP's first choice).
    pub argon_memory_kib: u32,
    /// Argon2id passes, 1 to 16. Default 2.
    pub argon_passes: u32,
    /// Argon2id lanes, 1 to 4. Default 1.
    pub argon_lanes: u32,
    /// Fewest bytes of a password, 8 to 64. Default 8 (NIST SP 800-63B-4 section 3.1.1.2 with a second factor).
    pub password_bytes_min: u32,
    /// Whether the default client's sessions come with a refresh handle. Default off.
    pub refresh: RefreshMode,
    /// Lifetime of a refresh handle from its giving, 60 s to 400 days. Default one day; the session's
    /// absolute end is its end, too.
    pub refresh_ttl_s: u32,
    /// How long a replaced refresh handle still gives its successor again, 1 to 60 s. Default 10 s.
    pub refresh_grace_s: u32,
    /// Live sessions of one subject, at most, 1 to 16,777,216. Default the most: as many as a tenant has.
    pub sessions_max: u32,
    /// Over that limit: whether the oldest session ends (true) or the new one is refused (false, default).
    pub sessions_evict: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            session_ttl_s: 86_400,
            session_idle_s: 3_600,
            argon_memory_kib: 19_456,
            argon_passes: 2,
            argon_lanes: 1,
            password_bytes_min: 8,
            refresh: RefreshMode::Off,
            refresh_ttl_s: 86_400,
            refresh_grace_s: 10,
            sessions_max: PLACES_MAX,
            sessions_evict: false,
        }
    }
}

impl Settings {
    /// The first setting that is out of bounds, if any.
    #[must_use]
    pub fn fault(&self) -> Option<Setting> {
        let bad = |value: u32, low: u32, high: u32| value < low || value > high;
        if bad(self.session_ttl_s, 60, SESSION_TTL_S_MAX) {
            Some(Setting::SessionTtl)
        } else if bad(self.session_idle_s, 30, self.session_ttl_s) {
            Some(Setting::SessionIdle)
        } else if bad(self.argon_lanes, 1, 4) {
            Some(Setting::ArgonLanes)
        } else if bad(self.argon_memory_kib, 8 * self.argon_lanes, 262_144) {
            Some(Setting::ArgonMemory)
        } else if bad(self.argon_passes, 1, 16) {
            Some(Setting::ArgonPasses)
        } else if bad(self.password_bytes_min, 8, 64) {
            Some(Setting::PasswordBytes)
        } else if bad(self.refresh_ttl_s, 60, SESSION_TTL_S_MAX) {
            Some(Setting::RefreshTtl)
        } else if bad(self.refresh_grace_s, 1, REFRESH_GRACE_S_MAX) {
            Some(Setting::RefreshGrace)
        } else if bad(self.sessions_max, 1, PLACES_MAX) {
            Some(Setting::SessionsMax)
        } else {
            None
        }
    }
}
