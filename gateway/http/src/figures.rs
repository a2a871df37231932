//! What the door counts, for metrics. No tenant and no secret in it.

use std::sync::atomic::{AtomicU64, Ordering};

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
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Figures {
                Figures { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

figures! {
    /// Connections that stand now.
    connections_open,
    /// Connections that were made.
    connections,
    /// Connections that were refused at a limit.
    connections_refused,
    /// TLS handshakes that failed or took too long.
    handshakes_failed,
    /// Requests that were answered, whatever the answer.
    requests,
    /// Requests that were answered with a status of 400 to 499.
    refused,
    /// Requests that were answered with a status of 500 or above.
    failed,
    /// Requests that showed no credential, or one that opens nothing.
    unauthenticated,
    /// Requests over a budget.
    over_budget,
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
