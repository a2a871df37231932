//! Something that is due now and then, beside other things that are waited for.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A moment that comes again and again. The next one is kept: whoever waits beside something else, and is dropped each
/// time that comes first, is late by nothing.
pub(crate) struct Every(Option<(Duration, Instant)>);

impl Every {
    /// Each time so much has passed; never without.
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self(every.map(|every| (every, Instant::now() + every)))
    }

    /// Waits until it is due.
    pub(crate) async fn due(&mut self) {
        match &mut self.0 {
            None => std::future::pending().await,
            Some((every, next)) => {
                sleep_until(*next).await;
                *next = Instant::now() + *every;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: what is waited for beside something that comes more often is due all the same, and what never is, is not.
    #[tokio::test]
    async fn waits_that_are_dropped_are_not_begun_anew() {
        let (mut seldom, mut never) = (Every::new(Some(Duration::from_millis(60))), Every::new(None));
        let mut often = Every::new(Some(Duration::from_millis(5)));
        for _ in 0..10_000 {
            tokio::select! {
                biased;
                () = never.due() => panic!("never"),
                () = often.due() => {}
                () = seldom.due() => return,
            }
        }
        panic!("not once in ten thousand turns");
    }
}
