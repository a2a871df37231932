//! Actions: which of them stand above one another, and what includes what.

/// The action of a scope that names none.
pub(super) const DEFAULT_ACTION: &str = "read";
/// Every action up to the owner's, and every one that has no level.
pub(super) const ANY_ACTION: &str = "*";
/// Every action there is.
const EVERYTHING: &str = "superadmin";
/// What kind of action a word is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rank {
    /// One with a level: it includes those below.
    Level(u8),
    /// `*`.
    Any,
    /// `superadmin`.
    Everything,
    /// A word that stands for itself.
    Word,
}

/// An action, and what kind it is.
pub(super) type Action<'a> = (&'a str, Rank);

pub(super) fn rank(action: &str) -> Rank {
    match action {
        "read" => Rank::Level(0),
        "create" => Rank::Level(1),
        "update" => Rank::Level(2),
        "delete" => Rank::Level(3),
        "manage" => Rank::Level(4),
        "admin" => Rank::Level(5),
        "owner" => Rank::Level(6),
        ANY_ACTION => Rank::Any,
        EVERYTHING => Rank::Everything,
        _ => Rank::Word,
    }
}

/// Whether whoever may do one action may do another. One without a level is included in itself, in `*` and in
/// `superadmin`, and in nothing else.
pub(super) fn includes((held, rank): Action<'_>, (asked, wanted): Action<'_>) -> bool {
    match (rank, wanted) {
        (Rank::Everything, _) => true,
        (Rank::Level(held), Rank::Level(asked)) => held >= asked,
        (Rank::Any, wanted) => wanted != Rank::Everything,
        (Rank::Word, Rank::Word) => held == asked,
        _ => false,
    }
}
