//! Buckets: the shares in which a tenant's state stands in the checkpoint.

use tessera_model::record::{CommandIdRecord, PlaceRecord};
use tessera_model::{Event, Place, PlaceImage};

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

/// What of a bucket stands in it as it lies in memory, in records of one size: most of what a tenant is woken with.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Image {
    /// Nothing: the events are all.
    #[default]
    None,
    /// The places of a bucket of places, from its first one on. The last one is used.
    Places(Vec<PlaceImage>),
    /// Remembered command ids, in the order of their bytes.
    Commands(Vec<CommandIdRecord>),
}

impl Image {
    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Places(places) => places.is_empty(),
            Self::Commands(ids) => ids.is_empty(),
        }
    }
}

/// A bucket: what rebuilds its share of a tenant's state. An empty one removes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// What it holds a share of.
    pub kind: BucketKind,
    /// Which share.
    pub no: u32,
    /// What of it is taken over as it lies, before the events.
    pub image: Image,
    /// The events, each the resulting value of one key.
    pub events: Vec<Event>,
}

impl Bucket {
    /// A bucket of events alone.
    #[must_use]
    pub const fn of(kind: BucketKind, no: u32, events: Vec<Event>) -> Self {
        Self { kind, no, image: Image::None, events }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.image.is_empty() && self.events.is_empty()
    }

    /// What lives at a place, of a bucket that holds it: as its image or the last event says.
    pub(crate) fn place(&self, place: Place) -> Option<PlaceRecord> {
        let at = usize::try_from(place.0 % tessera_model::limits::BUCKET_PLACES).ok()?;
        let lying = match &self.image {
            Image::Places(places) => places.get(at).and_then(|image| image.record(place)),
            Image::None | Image::Commands(_) => None,
        };
        let last = self.events.iter().rev().find_map(|event| {
            if let Event::SessionOpened { record, .. } = event {
                (record.place == place).then_some(Some(*record))
            } else if let Event::SessionEnded { place: ended, .. } = event {
                (*ended == place).then_some(None)
            } else {
                None
            }
        });
        last.unwrap_or(lying)
    }
}

/// What the buckets of a sleeping tenant know of a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Placed {
    /// Its life.
    Here(PlaceRecord),
    /// There is none.
    Nobody,
    /// They lack frames that the history has, as those of a tenant that came from another cell do until its first
    /// checkpoint: only a load tells.
    Behind,
}

impl Placed {
    /// The life, where it is known.
    #[must_use]
    pub fn life(self) -> Option<PlaceRecord> {
        if let Self::Here(record) = self { Some(record) } else { None }
    }
}
