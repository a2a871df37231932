//! Conditions of grants: a grant that has some counts only while all of them hold.
//!
//! Each is written as a word and what it asks for: `hours Mon-Fri 08:00-18:00 Europe/Berlin`, `networks 10.0.0.0/8
//! 2001:db8::/32`, `device managed`, `acr 2`, `step-up 300`. A grant has at most one of each.

use crate::device::Trust;
use crate::id::{GroupId, PublicId, RoleId, SubjectIndex, WorkspaceIndex};
use crate::limits::{
    ACR_MAX, GRANT_CONDITION_BYTES_MAX, GRANT_CONDITIONS_MAX, NETWORKS_MAX, STEP_UP_AGE_S_MAX,
};
use crate::name::Name;
use crate::named::Limit;
use crate::network::{Network, NetworkError};
use crate::weekly::{Hours, HoursError};
use std::fmt;

/// What a condition looks at. In the order in which the first that does not hold is told: what the holder can mend
/// comes last.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum GrantConditionKind {
    /// The hour of the week.
    Hours,
    /// Where it is asked from.
    Networks,
    /// The device that the session stands on.
    Device,
    /// How strongly the session was opened.
    Acr,
    /// How long ago.
    StepUp,
}

impl GrantConditionKind {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Hours, Self::Networks, Self::Device, Self::Acr, Self::StepUp];

    /// Number on disk and wire: 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hours => 1,
            Self::Networks => 2,
            Self::Device => 3,
            Self::Acr => 4,
            Self::StepUp => 5,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The word that a condition of this kind begins with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::Networks => "networks",
            Self::Device => "device",
            Self::Acr => "acr",
            Self::StepUp => "step-up",
        }
    }
}

/// Why a text is no condition of a grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantConditionError {
    /// Over [`GRANT_CONDITION_BYTES_MAX`] bytes.
    TooLong,
    /// It begins with none of the five words, or nothing stands behind it.
    NoKind,
    /// Hours that are none.
    Hours(HoursError),
    /// A network that is none, the first of them.
    Network(NetworkError),
    /// More networks than one condition may have.
    TooManyNetworks,
    /// Not a device's level of trust.
    BadTrust,
    /// Not a level from 1 to [`ACR_MAX`].
    BadAcr,
    /// Not seconds from 1 to [`STEP_UP_AGE_S_MAX`].
    BadAge,
    /// A second condition of one kind.
    Twice,
}

impl fmt::Display for GrantConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the condition is over 2,048 bytes",
            Self::NoKind => {
                "a condition begins with hours, networks, device, acr or step-up, and says what it asks for"
            }
            Self::Hours(error) => return error.fmt(f),
            Self::Network(error) => return error.fmt(f),
            Self::TooManyNetworks => "a condition has at most 32 networks",
            Self::BadTrust => "a device is unverified, known, managed or hardened",
            Self::BadAcr => "an acr is a number from 1 to 15",
            Self::BadAge => "a step-up age is a number of seconds from 1 to 31,536,000",
            Self::Twice => "a grant has one condition of each kind",
        })
    }
}

impl std::error::Error for GrantConditionError {}

impl GrantConditionError {
    /// The limit that it is over, when that is what is wrong.
    #[must_use]
    pub const fn limit(self) -> Option<Limit> {
        match self {
            Self::TooLong => Some(Limit::GrantConditionBytes),
            Self::TooManyNetworks => Some(Limit::Networks),
            Self::Hours(HoursError::TooMany) => Some(Limit::HoursSpans),
            Self::Hours(
                HoursError::Missing | HoursError::BadDays | HoursError::BadTimes | HoursError::BadZone,
            )
            | Self::NoKind
            | Self::Network(_)
            | Self::BadTrust
            | Self::BadAcr
            | Self::BadAge
            | Self::Twice => None,
        }
    }
}

/// One condition.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum GrantCondition {
    /// It is one of these hours of the week.
    Hours(Hours),
    /// It is asked from one of these networks. From an address that nobody knows it is not.
    Networks(Vec<Network>),
    /// The session stands on a device that is trusted so far or further.
    Device(Trust),
    /// The session was opened with a proof of this level or a higher one. A key has none.
    Acr(u8),
    /// The session was opened with a proof less than so many seconds ago. A key never is.
    StepUp(u32),
}

impl GrantCondition {
    /// What it looks at.
    #[must_use]
    pub const fn kind(&self) -> GrantConditionKind {
        match self {
            Self::Hours(_) => GrantConditionKind::Hours,
            Self::Networks(_) => GrantConditionKind::Networks,
            Self::Device(_) => GrantConditionKind::Device,
            Self::Acr(_) => GrantConditionKind::Acr,
            Self::StepUp(_) => GrantConditionKind::StepUp,
        }
    }

    /// Reads a condition.
    ///
    /// # Errors
    /// [`GrantConditionError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, GrantConditionError> {
        if text.len() > GRANT_CONDITION_BYTES_MAX {
            return Err(GrantConditionError::TooLong);
        }
        let (word, value) = text.split_once(' ').ok_or(GrantConditionError::NoKind)?;
        let kind = GrantConditionKind::ALL.into_iter().find(|kind| kind.word() == word);
        Self::of(kind.ok_or(GrantConditionError::NoKind)?, value)
    }

    /// Reads a condition of a kind.
    ///
    /// # Errors
    /// [`GrantConditionError`] says what is wrong with it.
    pub fn of(kind: GrantConditionKind, value: &str) -> Result<Self, GrantConditionError> {
        let condition = match kind {
            GrantConditionKind::Hours => {
                Self::Hours(Hours::parse(value).map_err(GrantConditionError::Hours)?)
            }
            GrantConditionKind::Networks => {
                let mut networks = Vec::new();
                for network in value.split_ascii_whitespace() {
                    if networks.len() == NETWORKS_MAX {
                        return Err(GrantConditionError::TooManyNetworks);
                    }
                    networks.push(Network::parse(network).map_err(GrantConditionError::Network)?);
                }
                Self::Networks(networks)
            }
            GrantConditionKind::Device => {
                Self::Device(Trust::from_name(value).ok_or(GrantConditionError::BadTrust)?)
            }
            GrantConditionKind::Acr => {
                Self::Acr(whole(value).and_then(|n| u8::try_from(n).ok()).ok_or(GrantConditionError::BadAcr)?)
            }
            GrantConditionKind::StepUp => Self::StepUp(whole(value).ok_or(GrantConditionError::BadAge)?),
        };
        if condition.is_sound() {
            return Ok(condition);
        }
        Err(match kind {
            GrantConditionKind::Networks => GrantConditionError::NoKind,
            GrantConditionKind::Acr => GrantConditionError::BadAcr,
            GrantConditionKind::Hours | GrantConditionKind::Device | GrantConditionKind::StepUp => {
                GrantConditionError::BadAge
            }
        })
    }

    /// Whether its numbers are within bounds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Hours(_) | Self::Device(_) => true,
            Self::Networks(networks) => !networks.is_empty() && networks.len() <= NETWORKS_MAX,
            Self::Acr(level) => (1..=ACR_MAX).contains(level),
            Self::StepUp(age) => (1..=STEP_UP_AGE_S_MAX).contains(age),
        }
    }
}

/// A number in its shortest form.
fn whole(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().filter(|number| number.to_string() == text)
}

impl fmt::Display for GrantCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().word())?;
        match self {
            Self::Hours(hours) => write!(f, " {hours}"),
            Self::Networks(networks) => networks.iter().try_for_each(|network| write!(f, " {network}")),
            Self::Device(trust) => write!(f, " {}", trust.name()),
            Self::Acr(level) => write!(f, " {level}"),
            Self::StepUp(age) => write!(f, " {age}"),
        }
    }
}

/// The conditions of one grant. INVARIANT: sorted by kind, at most one of each.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GrantConditions(Vec<GrantCondition>);

impl GrantConditions {
    /// No conditions.
    pub const NONE: Self = Self(Vec::new());

    /// These conditions.
    ///
    /// # Errors
    /// `Twice` when there are two of one kind.
    pub fn new(mut conditions: Vec<GrantCondition>) -> Result<Self, GrantConditionError> {
        conditions.sort_by_key(GrantCondition::kind);
        let twice = conditions.windows(2).any(|pair| matches!(pair, [a, b] if a.kind() == b.kind()));
        if twice || conditions.len() > GRANT_CONDITIONS_MAX {
            return Err(GrantConditionError::Twice);
        }
        Ok(Self(conditions))
    }

    /// All of them, by kind.
    #[must_use]
    pub fn as_slice(&self) -> &[GrantCondition] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Who has a grant.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Grantee {
    /// A subject itself.
    Subject(SubjectIndex),
    /// A group.
    Group(GroupId),
}

/// Who has a grant, as a command names it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum GranteeName {
    /// A subject itself.
    Subject(PublicId),
    /// A group.
    Group(Name),
}

/// The conditions of the grant of this holder, role and workspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GrantConditionsRecord {
    /// Whose grant.
    pub grantee: Grantee,
    /// Of which role.
    pub role: RoleId,
    /// Where; 0 for the whole tenant.
    pub workspace: WorkspaceIndex,
    /// All of them; none for a grant without.
    pub conditions: GrantConditions,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: a condition that prints reads back as what it was; kinds are one to one with numbers and words.
    #[test]
    fn conditions_read_back() {
        for text in [
            "hours Mon-Fri 08:00-18:00 Europe/Berlin",
            "networks 10.0.0.0/8",
            "networks 10.0.0.0/8 2001:db8::/32",
            "device managed",
            "acr 2",
            "step-up 300",
        ] {
            let condition = GrantCondition::parse(text).expect(text);
            assert_eq!(condition.to_string(), text);
            assert_eq!(GrantConditionKind::from_number(condition.kind().number()), Some(condition.kind()));
        }
        assert_eq!(GrantConditionKind::from_number(0), None);
    }

    /// PROPERTY: what is no condition is refused with what is wrong, and a grant has one of a kind.
    #[test]
    fn others_are_refused() {
        use GrantConditionError::{
            BadAcr, BadAge, BadTrust, Network as Wrong, NoKind, TooLong, TooManyNetworks, Twice,
        };
        let many = format!("networks{}", " 10.0.0.1".repeat(NETWORKS_MAX + 1));
        for (text, error) in [
            ("", NoKind),
            ("acr", NoKind),
            ("weather sunny", NoKind),
            ("networks ", NoKind),
            ("networks 10.0.0.0/33", Wrong(NetworkError::BadPrefix)),
            ("hours Mon UTC", GrantConditionError::Hours(HoursError::Missing)),
            (&many, TooManyNetworks),
            ("device", NoKind),
            ("device trusted", BadTrust),
            ("acr 0", BadAcr),
            ("acr 16", BadAcr),
            ("acr +1", BadAcr),
            ("step-up 0", BadAge),
            ("step-up 5m", BadAge),
            ("step-up 31536001", BadAge),
            (&"x".repeat(GRANT_CONDITION_BYTES_MAX + 1), TooLong),
        ] {
            assert_eq!(GrantCondition::parse(text), Err(error), "{text}");
        }
        let acr = |level| GrantCondition::Acr(level);
        assert_eq!(GrantConditions::new(vec![acr(1), acr(2)]), Err(Twice));
        let sorted = GrantConditions::new(vec![GrantCondition::StepUp(1), acr(2)]).expect("two kinds");
        assert_eq!(sorted.as_slice(), [acr(2), GrantCondition::StepUp(1)]);
    }
}
