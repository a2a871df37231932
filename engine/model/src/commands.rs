//! The table of commands as code: the enum, its kinds, and what holds for each of them.

/// The commands and their kinds from one table.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $number:literal, narrows $narrows:literal, $permission:expr,
        { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* };)*) => {
        /// A change that a caller orders. Owned, parsed, names validated.
        #[derive(Clone, Hash)]
        pub enum Command {
            $($(#[$doc])* $name { $($(#[$fdoc])* $field: $type,)* },)*
        }

        /// The kind of a command, as frames and the wire carry it.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum CommandKind {
            $($(#[$doc])* $name,)*
        }

        impl Command {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> CommandKind {
                match self { $(Self::$name { .. } => CommandKind::$name,)* }
            }
        }

        impl CommandKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Number on disk and wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Its name, for logs and documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Whether it only takes rights away: reserved permits, drained first.
            #[must_use]
            pub const fn narrows(self) -> bool {
                match self { $(Self::$name => $narrows,)* }
            }

            /// The permission that its caller needs, in the caller's own tenant. Some kinds also take
            /// a session for what is its own (see the command).
            #[must_use]
            pub const fn permission(self) -> &'static str {
                match self { $(Self::$name => $permission,)* }
            }
        }
    };
}
pub(crate) use commands;
