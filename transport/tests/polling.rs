//! Runtimes that stay awake: they answer, and only those that were told to never sleep.

use crate::support;

use std::time::{Duration, Instant};
use support::{House, query};
use tessera_client::{Client, Config};
use tessera_engine::EngineConfig;
use tessera_transport::Limits;

/// Tasks of this runtime.
fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// PROPERTY: with busy polling on, at either end or both, every question has its answer; a door that was
/// not told to stay awake takes no turn for nothing; a client's turns end with it. METHOD: 200 checks at
/// each of the four ways; the door's figure of turns, and the tasks of the client's runtime.
#[tokio::test]
async fn busy_polling_answers_and_is_off_unless_asked_for() {
    for door in [false, true] {
        let house = House::polling(Limits::default(), EngineConfig::default(), door).await;
        let operator = house.operator().await;
        let acme = house.tenant(&operator, "acme").await;
        acme.person("amy@example.org", "reader", &["orders.read"]).await;
        let (handle, _) = acme.session("amy@example.org").await;
        for busy_poll in [false, true] {
            let before = tasks();
            let config = Config { busy_poll, ..house.config(Some(acme.key.clone())) };
            let client = Client::connect(config).await.expect("connected");
            let mut times = Vec::new();
            for nth in 0..200 {
                let name = if nth % 2 == 0 { "orders.read" } else { "orders.burn" };
                let begun = Instant::now();
                let decision = client.check(&query(&handle, name)).await.expect("an answer");
                times.push(begun.elapsed());
                assert_eq!(decision.is_permit(), nth % 2 == 0);
            }
            times.sort_unstable();
            println!("door {door}, client {busy_poll}: p50 {:?}", times[100]);
            client.close().await;
            // What it had running has ended, its turns too.
            let ended = async {
                while tasks() > before {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), ended).await.expect("its tasks end");
        }
        assert_eq!(house.door.figures().idle_turns > 0, door);
    }
}
