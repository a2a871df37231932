//! The kinds of frames: a u16 in the header, append-only.

use crate::request::RequestKind;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $asks:literal;)*) => {
        /// What a frame holds.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
            /// A command or list: tagged fields.
            Request(RequestKind),
        }

        impl Kind {
            /// The kinds with a payload of their own, in the order of their numbers.
            pub const FIXED: &'static [Self] = &[$(Self::$name,)*];

            /// Number in the header.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* Self::Request(kind) => kind.number() }
            }

            /// The kind with this number.
            #[must_use]
            #[inline]
            pub fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => RequestKind::from_number(number).map(Self::Request),
                }
            }

            /// Its name, for documents and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* Self::Request(kind) => kind.name() }
            }

            /// Whether a caller sends it (true) or a node answers with it (false).
            #[must_use]
            pub const fn asks(self) -> bool {
                match self { $(Self::$name => $asks,)* Self::Request(_) => true }
            }
        }
    };
}

kinds! {
    /// First frame of each connection: who asks, about which tenant.
    Hello = 1, true;
    /// The node's time and what the credential is.
    HelloReply = 2, false;
    /// One check.
    Check = 3, true;
    /// The answer to one check.
    Decision = 4, false;
    /// Up to 1,024 checks.
    CheckBatch = 5, true;
    /// The answers to a batch, in its order.
    DecisionBatch = 6, false;
    /// What is this handle?
    Introspect = 7, true;
    /// What the handle is.
    Introspection = 8, false;
    /// What may the holder of this handle do in a workspace?
    ListPermissions = 9, true;
    /// The permitted set.
    Permissions = 10, false;
    /// The ids of these names?
    Resolve = 11, true;
    /// Ids, in the order of the names.
    Resolved = 12, false;
    /// Why a question was not answered.
    Error = 13, false;
    /// A command was taken, or changed nothing: its position and what it made.
    Receipt = 14, false;
    /// A page of a list.
    Rows = 15, false;
    /// One check of a relation.
    CheckRelation = 16, true;
    /// The answer to one check of a relation.
    RelationDecision = 17, false;
}
