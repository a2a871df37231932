//! `tessera ping`: is the node there, what is it, and how long does a question take.

use crate::answer::Answer;
use crate::error::CtlError;
use crate::link::Link;
use crate::reach::Reach;
use serde_json::Value;
use std::time::{Duration, Instant};
use tessera_model::TenantId;
use tessera_model::code::ProtocolCode;

/// How often to ask.
#[derive(Clone, clap::Args)]
pub(crate) struct Ping {
    /// Questions to time.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What is known of a node that knows no strangers.
fn turned_away(address: &str, connected: u64) -> Answer {
    let unknown = Value::Null;
    Answer::said(format!("{address} answers, and knows no strangers: give a key to learn more."))
        .line(format!("Connected in {connected} us."))
        .with("address", address)
        .with("version", unknown.clone())
        .at("node_time", None)
        .with("tenant", unknown.clone())
        .with("subject", unknown.clone())
        .with("seen", unknown.clone())
        .with("cell", unknown.clone())
        .with("connect_us", connected)
        .with("round_trips_us", unknown)
}

impl Ping {
    pub(crate) async fn run(self, reach: &Reach) -> Result<Answer, CtlError> {
        let settled = reach.settle().await?;
        let (has_key, address) = (settled.home.is_some(), settled.address.clone());
        let begun = Instant::now();
        let link = match Link::open(settled, None).await {
            // A node that has its operator knows no strangers: it is there all the same.
            Err(error) if !has_key && error.code() == Some(ProtocolCode::HelloRefused.code()) => {
                return Ok(turned_away(&address, micros(begun.elapsed())));
            }
            link => link?,
        };
        let connected = micros(begun.elapsed());
        let answer = self.ask(&link, &address, connected, has_key).await;
        link.close().await;
        answer
    }

    async fn ask(
        &self,
        link: &Link,
        address: &str,
        connected: u64,
        has_key: bool,
    ) -> Result<Answer, CtlError> {
        let hello = *link.client.hello();
        let version = format!(
            "{}.{}.{}",
            hello.version / 1_000_000,
            hello.version / 1_000 % 1_000,
            hello.version % 1_000
        );
        let who = hello.bound.map(|(subject, _)| subject.to_string());
        let bound = match (&who, hello.tenant) {
            (None, _) => "as a stranger".to_owned(),
            (Some(subject), TenantId::SYSTEM) => format!("as operator {subject}"),
            (Some(subject), tenant) => format!("as {subject} of tenant {tenant}"),
        };
        let text = format!("{address} answers, {bound}: version {version}, its time is {}.", hello.node_time);
        let mut answer = Answer::said(text)
            .line(format!("Connected in {connected} us."))
            .with("address", address)
            .with("version", version)
            .at("node_time", Some(hello.node_time))
            .with("tenant", who.as_ref().map(|_| hello.tenant.to_string()))
            .with("subject", who)
            .with("seen", hello.seen.to_string())
            .with("cell", hello.cell.0)
            .with("connect_us", connected);
        if !has_key {
            return Ok(answer.with("round_trips_us", Value::Null));
        }
        let mut times = Vec::new();
        for _ in 0..self.count {
            let asked = Instant::now();
            link.client.resolve(&[]).await.map_err(|error| link.told(&error))?;
            times.push(micros(asked.elapsed()));
        }
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        let (least, most) = (times.first().copied(), times.last().copied());
        let text = format!(
            "{} round trips: fastest {} us, middle {middle} us, slowest {} us.",
            self.count,
            least.unwrap_or_default(),
            most.unwrap_or_default()
        );
        answer = answer.line(text);
        let spread = serde_json::json!({ "count": self.count, "min": least, "median": middle, "max": most });
        Ok(answer.with("round_trips_us", spread))
    }
}
