//! What a call to a simulated disk is part of: the steps on the way to durability, for counting where the power went.

use super::{Content, State};

/// A step of the store, as its calls to the disk show it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// A journal file is made, named or removed.
    Make,
    /// A new journal file is filled with zeros and synced.
    Zero,
    /// The first group in a file that held none.
    Switch,
    /// The first group in a file that held others.
    Reuse,
    /// A group behind another.
    Group,
    /// A group without frames.
    EmptyGroup,
    /// Pages of a transaction of the checkpoint's file.
    CommitPages,
    /// The header of the checkpoint's file, which names the transaction that counts.
    CommitHeader,
    /// A sync of the checkpoint's file: before and behind its header.
    CommitSync,
    /// The copy of the checkpoint's file that a start makes.
    Copy,
    /// The key file.
    Keys,
    /// The directory's identity.
    Identity,
    /// The directory itself is synced.
    Names,
    /// Something else.
    #[default]
    Other,
}

impl Stage {
    /// All of them but the last.
    pub const ALL: [Self; 13] = [
        Self::Make,
        Self::Zero,
        Self::Switch,
        Self::Reuse,
        Self::Group,
        Self::EmptyGroup,
        Self::CommitPages,
        Self::CommitHeader,
        Self::CommitSync,
        Self::Copy,
        Self::Keys,
        Self::Identity,
        Self::Names,
    ];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Zero => "zero",
            Self::Switch => "switch",
            Self::Reuse => "reuse",
            Self::Group => "group",
            Self::EmptyGroup => "empty group",
            Self::CommitPages => "redb pages",
            Self::CommitHeader => "redb header",
            Self::CommitSync => "redb sync",
            Self::Copy => "redb copy",
            Self::Keys => "key file",
            Self::Identity => "identity",
            Self::Names => "directory",
            Self::Other => "other",
        }
    }

    /// The step that a call about a whole file belongs to, by the file's name.
    pub(super) fn of_name(name: &str) -> Self {
        match name {
            _ if name.starts_with("journal-") => Self::Make,
            "state.redb" => Self::CommitPages,
            _ if name.starts_with("state.redb") => Self::Copy,
            _ if name.starts_with("keys-") => Self::Keys,
            _ if name.starts_with("LANE") => Self::Identity,
            _ => Self::Other,
        }
    }
}

/// The first bytes of a group.
const GROUP: [u8; 4] = [0xFF, b'T', b'S', b'G'];
/// Where its header says how many frames it has.
const COUNT: std::ops::Range<usize> = 16..20;

impl State {
    /// The step that a change of a file's bytes belongs to.
    pub(super) fn stage(&self, inode: u64, offset: u64, bytes: &[u8]) -> Stage {
        let name = self.names.iter().find(|(_, known)| **known == inode).map(|(name, _)| name.as_str());
        let stage = Stage::of_name(name.unwrap_or_default());
        if stage == Stage::CommitPages && offset == 0 {
            return Stage::CommitHeader;
        }
        let journals = self.contents.get(&inode).filter(|_| stage == Stage::Make);
        journals.map_or(stage, |held| journal(held, offset, bytes))
    }

    /// The step that a sync of a file belongs to: the one that it ends.
    pub(super) fn synced_stage(&self, inode: u64) -> Stage {
        match self.contents.get(&inode).map(|content| content.stage) {
            Some(Stage::CommitPages | Stage::CommitHeader) => Stage::CommitSync,
            Some(stage) => stage,
            None => Stage::Other,
        }
    }
}

/// The step that a write to a journal file belongs to.
fn journal(held: &Content, offset: u64, bytes: &[u8]) -> Stage {
    if !bytes.starts_with(&GROUP) {
        return Stage::Zero;
    }
    if offset == 0 {
        return if held.live.starts_with(&GROUP) { Stage::Reuse } else { Stage::Switch };
    }
    let empty = bytes.get(COUNT).is_some_and(|count| count == [0; 4]);
    if empty { Stage::EmptyGroup } else { Stage::Group }
}
