//! Buckets: the shares in which a tenant's state stands in the checkpoint.

use tessera_model::Event;

/// What a bucket holds a share of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum BucketKind {
    /// Permissions, roles, workspaces, groups, restrictions, attributes' declarations, settings. Loaded before
    /// what names them.
    Names,
    /// Sessions and keys: bucket `no` holds places from `no × BUCKET_PLACES`.
    Places,
    /// Subjects with their grants, memberships and attributes.
    Subjects,
    /// Remembered command ids.
    Commands,
    /// The system tenant's records of tenants.
    Directory,
    /// Failed sign-ins: bucket `no` holds the identifiers whose hash begins with these 6 bits.
    Failures,
    /// Tuples about the objects of one share, and behind these the relationship models.
    Relations,
}

impl BucketKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::Places,
        Self::Subjects,
        Self::Names,
        Self::Commands,
        Self::Directory,
        Self::Failures,
        Self::Relations,
    ];

    /// Number on disk: 1 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Places => 1,
            Self::Subjects => 2,
            Self::Names => 3,
            Self::Commands => 4,
            Self::Directory => 5,
            Self::Failures => 6,
            Self::Relations => 7,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }
}

/// A bucket: the events that rebuild its share of a tenant's state. An empty one removes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// What it holds a share of.
    pub kind: BucketKind,
    /// Which share.
    pub no: u32,
    /// The events, each the resulting value of one key.
    pub events: Vec<Event>,
}
