//! What a tenant's administrator can set: one table of names, meanings, defaults and bounds.

use crate::named::Setting;
use crate::refresh::RefreshMode;

/// LIMIT: grace of a refresh, s: a lost reply is noticed within a minute.
pub const REFRESH_GRACE_S_MAX: u32 = 60;

/// What a setting counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SettingUnit {
    /// Whole seconds.
    Seconds,
    /// KiB of memory.
    Kibibytes,
    /// Bytes.
    Bytes,
    /// A number of things.
    Count,
    /// Whether sessions come with a refresh handle: the number of a [`RefreshMode`].
    Refresh,
    /// What happens beyond a limit of sessions.
    OverLimit,
    /// Off or on.
    Switch,
    /// Who may become a subject without an administrator: see [`Registration`].
    Registration,
}

/// Whether people may become subjects by themselves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Registration {
    /// No.
    Closed,
    /// Yes, but they may nothing until an administrator has resumed them.
    Approval,
    /// Yes.
    Open,
}

impl SettingUnit {
    /// For people and `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Kibibytes => "KiB",
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Refresh | Self::OverLimit | Self::Switch | Self::Registration => "choice",
        }
    }

    /// The names of the values from 0 on, where the value is a choice; none where it is a number.
    #[must_use]
    pub const fn choices(self) -> &'static [&'static str] {
        match self {
            Self::Refresh => &["off", "fixed", "rotating"],
            Self::OverLimit => &["refuse", "evict"],
            Self::Switch => &["off", "on"],
            Self::Registration => &["closed", "approval", "open"],
            Self::Seconds | Self::Kibibytes | Self::Bytes | Self::Count => &[],
        }
    }
}

impl SettingInfo {
    /// A value as it is shown: the name of a choice, or the number.
    #[must_use]
    pub fn shown(&self, value: u32) -> String {
        let choice = usize::try_from(value).ok().and_then(|value| self.unit.choices().get(value));
        choice.map_or_else(|| value.to_string(), |choice| (*choice).to_owned())
    }

    /// The value that a choice's name stands for; `None` for a name that is none, and of numbers.
    #[must_use]
    pub fn chosen(&self, name: &str) -> Option<u32> {
        let place = self.unit.choices().iter().position(|choice| *choice == name)?;
        u32::try_from(place).ok()
    }
}

/// One line of the table of settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SettingInfo {
    /// Which.
    pub setting: Setting,
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub unit: SettingUnit,
    /// What it is unless it is set.
    pub default: u32,
    /// The least that it can be.
    pub low: u32,
    /// The most that it can be.
    pub high: u32,
    /// What it means.
    pub text: &'static str,
}

macro_rules! settings {
    ($($name:ident: $unit:ident = $default:literal, $low:literal to $high:literal, $setting:ident, $text:literal;)*) => {
        /// Settings of one tenant. Every lifetime is in whole seconds; 0 is never "for ever" and is refused.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub struct Settings {
            $(#[doc = $text] pub $name: u32,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Settings {
            /// All of them, in the order in which they are shown.
            pub const LIST: &'static [SettingInfo] = &[$(SettingInfo {
                setting: Setting::$setting,
                name: stringify!($name),
                unit: SettingUnit::$unit,
                default: $default,
                low: $low,
                high: $high,
                text: $text,
            },)*];

            /// The value of a setting; `None` for one that is the node's.
            #[must_use]
            pub const fn get(&self, setting: Setting) -> Option<u32> {
                match setting {
                    $(Setting::$setting => Some(self.$name),)*
                    _ => None,
                }
            }

            /// Sets a setting, within its bounds or not; false for one that is the node's.
            pub const fn set(&mut self, setting: Setting, value: u32) -> bool {
                match setting {
                    $(Setting::$setting => self.$name = value,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

settings! {
    session_ttl_s: Seconds = 86_400, 60 to 34_560_000, SessionTtl,
        "Absolute lifetime of a session.";
    session_idle_s: Seconds = 3_600, 30 to 34_560_000, SessionIdle,
        "Idle lifetime of a session; at most the absolute one.";
    argon_memory_kib: Kibibytes = 19_456, 8 to 262_144, ArgonMemory,
        "Memory of Argon2id for a password's hash (RFC 9106); at least 8 for each lane.";
    argon_passes: Count = 2, 1 to 16, ArgonPasses,
        "Passes of Argon2id.";
    argon_lanes: Count = 1, 1 to 4, ArgonLanes,
        "Lanes of Argon2id.";
    password_bytes_min: Bytes = 8, 8 to 64, PasswordBytes,
        "Fewest bytes of a password (NIST SP 800-63B-4 section 3.1.1.2: 15 where it is the only factor).";
    sign_in_free: Count = 5, 1 to 20, SignInFree,
        "Failed sign-ins of one identifier after which the next must wait.";
    sign_in_wait_s: Seconds = 1, 1 to 3_600, SignInWait,
        "The first wait; it doubles with each further failure.";
    sign_in_wait_s_max: Seconds = 60, 1 to 86_400, SignInWaitMax,
        "The longest wait.";
    sign_in_failures_max: Count = 100, 10 to 100, SignInFailures,
        "Failed sign-ins in a row after which only a new password lets in (NIST SP 800-63B-4 section 3.2.2).";
    source_failures_max: Count = 200, 10 to 100_000, SourceFailures,
        "Failed sign-ins that one source (an IPv4 address, an IPv6 /64) has at once.";
    source_refill_s: Seconds = 3, 1 to 3_600, SourceRefill,
        "How long it takes until a source has one more.";
    refresh: Refresh = 0, 0 to 2, Refresh,
        "Whether sessions of the default client come with a refresh handle: off, fixed (one for the session) or rotating.";
    refresh_ttl_s: Seconds = 86_400, 60 to 34_560_000, RefreshTtl,
        "Lifetime of a refresh handle from its giving; the session's end is its end, too.";
    refresh_grace_s: Seconds = 10, 1 to 60, RefreshGrace,
        "How long a replaced refresh handle gives its successor again.";
    sessions_max: Count = 16_777_216, 1 to 16_777_216, SessionsMax,
        "Live sessions of one subject.";
    sessions_over_limit: OverLimit = 0, 0 to 1, SessionsOverLimit,
        "Beyond that: refuse the new one, or evict the oldest.";
    public_sign_in: Switch = 0, 0 to 1, PublicSignIn,
        "Whether people may sign in over HTTP without an application's credential.";
    registration: Registration = 0, 0 to 2, Registration,
        "Whether people may register over HTTP: closed, approval (they stay suspended until an administrator resumes them) or open.";
}

/// Some settings and their new values; the others stay. In the order of [`Settings::LIST`], each once.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct SettingsChange(Vec<(Setting, u32)>);

impl SettingsChange {
    /// What `value` says of each setting: nothing leaves it as it is.
    #[must_use]
    pub fn of(value: impl Fn(Setting) -> Option<u32>) -> Self {
        Self(Settings::LIST.iter().filter_map(|info| Some((info.setting, value(info.setting)?))).collect())
    }

    /// Each setting that changes, with its new value.
    #[must_use]
    pub fn values(&self) -> &[(Setting, u32)] {
        &self.0
    }

    /// The settings after the change, within their bounds or not.
    #[must_use]
    pub fn applied(&self, to: &Settings) -> Settings {
        let mut settings = *to;
        for (setting, value) in &self.0 {
            settings.set(*setting, *value);
        }
        settings
    }
}

impl From<Settings> for SettingsChange {
    /// All of them.
    fn from(settings: Settings) -> Self {
        Self::of(|setting| settings.get(setting))
    }
}

impl Settings {
    /// The first setting that is out of bounds, if any.
    #[must_use]
    pub fn fault(&self) -> Option<Setting> {
        let outside = |info: &&SettingInfo| {
            self.get(info.setting).is_some_and(|value| value < info.low || value > info.high)
        };
        if let Some(info) = Self::LIST.iter().find(outside) {
            Some(info.setting)
        } else if self.session_idle_s > self.session_ttl_s {
            Some(Setting::SessionIdle)
        } else if self.argon_memory_kib < 8 * self.argon_lanes {
            Some(Setting::ArgonMemory)
        } else if self.sign_in_wait_s > self.sign_in_wait_s_max {
            Some(Setting::SignInWaitMax)
        } else {
            None
        }
    }

    /// Whether the default client's sessions come with a refresh handle. Off where the number is none.
    #[must_use]
    pub fn refresh_mode(&self) -> RefreshMode {
        u8::try_from(self.refresh).ok().and_then(RefreshMode::from_number).unwrap_or_default()
    }

    /// Whether the oldest session ends for a new one over the limit.
    #[must_use]
    pub const fn evicts(&self) -> bool {
        self.sessions_over_limit == 1
    }

    /// Whether people may sign in without an application's credential.
    #[must_use]
    pub const fn signs_in_publicly(&self) -> bool {
        self.public_sign_in == 1
    }

    /// Whether people may register. Closed where the number is none.
    #[must_use]
    pub const fn registration(&self) -> Registration {
        match self.registration {
            1 => Registration::Approval,
            2 => Registration::Open,
            _ => Registration::Closed,
        }
    }

    /// The line of the table with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static SettingInfo> {
        Self::LIST.iter().find(|info| info.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: defaults hold; each setting is found by its name, takes its bounds and nothing beyond
    /// them, and one that is out of bounds is the one that is named.
    #[test]
    fn bounds_are_exact() {
        assert_eq!(Settings::default().fault(), None);
        for info in Settings::LIST {
            assert_eq!(Settings::named(info.name), Some(info));
            assert_eq!(info.setting.name(), info.name);
            assert_eq!(Settings::default().get(info.setting), Some(info.default));
            let with = |value| {
                let mut settings = Settings::default();
                // What others ask of it is given its widest.
                (settings.session_ttl_s, settings.sign_in_wait_s_max) = (34_560_000, 86_400);
                (settings.session_idle_s, settings.sign_in_wait_s) = (30, 1);
                assert!(settings.set(info.setting, value));
                settings.fault()
            };
            for value in [info.low, info.high] {
                assert_eq!(with(value), None, "{} = {value}", info.name);
                assert_eq!(info.chosen(&info.shown(value)).is_some(), !info.unit.choices().is_empty());
            }
            for value in info.low.checked_sub(1).into_iter().chain([info.high + 1]) {
                assert_eq!(with(value), Some(info.setting), "{} = {value}", info.name);
                assert_eq!(info.shown(value), value.to_string(), "no choice has this number");
            }
        }
        assert!(!Settings::default().set(Setting::PasswordsCost, 1));
    }

    /// PROPERTY: a choice is read by its name and shown by it, and by no other; its names are the modes'.
    #[test]
    fn choices_have_names() {
        let refresh = Settings::named("refresh").expect("a setting");
        for mode in [RefreshMode::Off, RefreshMode::Fixed, RefreshMode::Rotating] {
            let value = u32::from(mode.number());
            assert_eq!(
                (refresh.chosen(mode.name()), refresh.shown(value)),
                (Some(value), mode.name().into())
            );
            assert_eq!(Settings { refresh: value, ..Settings::default() }.refresh_mode(), mode);
        }
        let over = Settings::named("sessions_over_limit").expect("a setting");
        assert_eq!((over.chosen("evict"), over.chosen("Evict"), over.chosen("1")), (Some(1), None, None));
        assert!(!Settings::default().evicts());
    }

    /// PROPERTY: a change leaves what it does not name, and a whole one leaves nothing.
    #[test]
    fn a_change_names_what_changes() {
        let before = Settings { session_ttl_s: 7_200, sessions_max: 3, ..Settings::default() };
        for info in Settings::LIST {
            let change = SettingsChange::of(|setting| (setting == info.setting).then_some(info.high));
            let mut expected = before;
            expected.set(info.setting, info.high);
            assert_eq!((change.applied(&before), change.values().len()), (expected, 1), "{}", info.name);
        }
        assert_eq!(SettingsChange::from(before).applied(&Settings::default()), before);
        assert_eq!(SettingsChange::default().applied(&before), before);
    }

    /// PROPERTY: settings that contradict each other are refused.
    #[test]
    fn settings_agree_with_each_other() {
        let base = Settings::default();
        let idle = Settings { session_idle_s: 86_401, ..base };
        assert_eq!(idle.fault(), Some(Setting::SessionIdle));
        let lanes = Settings { argon_memory_kib: 16, argon_lanes: 4, ..base };
        assert_eq!(lanes.fault(), Some(Setting::ArgonMemory));
        let wait = Settings { sign_in_wait_s: 901, ..base };
        assert_eq!(wait.fault(), Some(Setting::SignInWaitMax));
    }
}
