//! Counters of a door and what they read as, from one list of names.

/// Makes `Figures`, what metrics are handed, and `Counters`, what a door counts with: one number for each name.
/// No tenant and no secret belongs in a name.
#[macro_export]
macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts since the door was opened.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct Figures {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The counters themselves.
        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: std::sync::atomic::AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Figures {
                Figures { $($name: self.$name.load(std::sync::atomic::Ordering::Relaxed),)* }
            }
        }

        pub(crate) fn add(counter: &std::sync::atomic::AtomicU64, count: u64) {
            counter.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
        }
    };
}
