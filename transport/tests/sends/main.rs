//! How often the door calls the kernel to send: replies leave together.

#[path = "../support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};
use support::House;
use support::raw::Raw;
use tessera_client::wire::Outbox;

const ROUNDS: usize = 100;

/// The threads of the door's runtimes in this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("tasks");
    let tasks = tasks.filter_map(Result::ok).filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("quic-"))
    });
    tasks.map(|task| task.file_name().to_string_lossy().into_owned()).collect()
}

/// Counts the sends of these threads until it is ended. `None` where that cannot be done.
fn trace(threads: &[String], into: &str) -> Option<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-q", "-e", "trace=sendmsg,sendmmsg,sendto", "-o", into]);
    for thread in threads {
        strace.args(["-p", thread]);
    }
    strace.stderr(Stdio::null()).spawn().ok()
}

/// PROPERTY: 64 checks that come together are answered with at most 3 sends. METHOD: a peer writes 64
/// frames at once and waits for their answers, 100 times; strace counts the door's sends.
#[tokio::test]
async fn replies_leave_together() {
    let house = House::open().await;
    let operator = house.operator().await;
    let acme = house.tenant(&operator, "acme").await;
    acme.person("amy@example.org", "reader", &["orders.read"]).await;
    let (handle, _) = acme.session("amy@example.org").await;
    let mut out = Outbox::new();
    for id in 0..64 {
        out.check(id, &support::query(&handle, "orders.read")).expect("written");
    }
    let mut raw = Raw::hello(&house, &acme.key).await;
    let threads = threads();
    let into = concat!(env!("CARGO_TARGET_TMPDIR"), "/sends.strace");
    let Some(mut strace) = trace(&threads, into) else { return println!("SKIPPED: there is no strace here") };
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    if strace.try_wait().expect("a state").is_some() {
        return println!("SKIPPED: strace may not look at this process");
    }
    for _ in 0..ROUNDS {
        raw.write(out.as_bytes()).await;
        for _ in 0..64 {
            raw.next().await.expect("an answer");
        }
    }
    let id = strace.id().to_string();
    drop(Command::new("kill").args(["-INT", &id]).status());
    drop(strace.wait());
    let lines = std::fs::read_to_string(into).expect("what strace saw");
    let sends = lines.lines().filter(|line| line.contains("send")).count();
    println!("{sends} sends for {ROUNDS} × 64 checks: {:.2} per 64", sends as f64 / ROUNDS as f64);
    assert!(sends > 0 && sends <= 3 * ROUNDS, "{sends}");
}
