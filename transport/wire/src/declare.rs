//! What one table of commands and lists declares: the requests, their kinds, and both directions of each.

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident = $number:literal -> $answer:ident
        { $($(#[$fdoc:meta])* $field:ident: $type:ty = $tag:ident,)* };)*) => {
        /// A command or list. No `Debug`: it may hold passwords and personal data.
        #[derive(Clone)]
        #[non_exhaustive]
        pub enum Request {
            $($(#[$doc])* $name { $($(#[$fdoc])* $field: $type,)* },)*
        }

        /// The kind of a command or list.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum RequestKind {
            $($(#[$doc])* $name,)*
        }

        impl Request {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> RequestKind {
                match self { $(Self::$name { .. } => RequestKind::$name,)* }
            }

            fn put(&self, out: &mut FieldsWriter) {
                match self { $(Self::$name { $($field,)* } => { $($field.put(Tag::$tag, out);)* })* }
            }

            fn take(kind: RequestKind, from: &FieldsReader<'_>) -> Result<Self, WireError> {
                let request = match kind {
                    $(RequestKind::$name => Self::$name { $($field: Part::take(Tag::$tag, from)?,)* },)*
                };
                from.finish()?;
                Ok(request)
            }

            #[cfg(test)]
            pub(crate) fn sample(kind: RequestKind, nth: u64) -> Self {
                match kind {
                    $(RequestKind::$name => Self::$name { $($field: crate::sample::Sample::sample(nth),)* },)*
                }
            }
        }

        impl RequestKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Number in the header.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The kind with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Its name, for documents and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What answers it: `Made` in a Receipt, or the rows of a page.
            #[must_use]
            pub const fn answer(self) -> &'static str {
                match self { $(Self::$name => stringify!($answer),)* }
            }

            /// Its fields: name, type, tag.
            #[must_use]
            pub const fn fields(self) -> &'static [(&'static str, &'static str, Tag)] {
                match self { $(Self::$name => &[$((stringify!($field), stringify!($type), Tag::$tag),)*],)* }
            }
        }
    };
}
pub(crate) use requests;
