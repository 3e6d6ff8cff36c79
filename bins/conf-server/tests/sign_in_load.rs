//! A meeting goes on while a hundred people a second try to sign in.
//!
//! Prints what it measured: `cargo test -p conf-server --test sign_in_load -- --nocapture`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]
#![allow(clippy::print_stdout, reason = "the figures are for whoever runs it")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use support::browser::{ADMIN, Browser};
use support::{Socket, start_with};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

/// Sign-ins offered a second, each from an address of its own.
const OFFERED: u64 = 100;
/// Commands of the meeting in one measurement, each this long after the one before.
const COMMANDS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);
/// Whatever else the machine does only adds to the times, so one good measurement of these counts.
const ROUNDS: u32 = 3;
/// What a command may take, and one in a hundred longer.
const LIMIT: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_sign_ins_a_second_leave_a_meeting_its_pace() {
    let running = start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    running.administrator().await;
    let joined = running.join("Ada").await;
    let (mut socket, _) = running.enter(&joined).await;
    let mut held = false;
    for round in 0..ROUNDS {
        let idle = measure(&mut socket, 2 * round * COMMANDS).await;
        let answers = Arc::new(Answers::default());
        let flood = tokio::spawn(flood(running.browser(), Arc::clone(&answers)));
        let flooded = measure(&mut socket, (2 * round + 1) * COMMANDS).await;
        flood.abort();
        assert!(flood.await.unwrap_err().is_cancelled());
        println!("command, idle:    p50 {:?}, p99 {:?}", idle.p50, idle.p99);
        println!("command, flooded: p50 {:?}, p99 {:?}", flooded.p50, flooded.p99);
        println!("sign-ins: {answers:?}");
        assert!(answers.ok.load(Ordering::Relaxed) > 0, "some are signed in all the same");
        held |= flooded.p99 < LIMIT;
        if held {
            break;
        }
    }
    assert!(held, "the p99 was above {LIMIT:?} each time");
    running.server.stop().await;
}

#[derive(Debug)]
struct Times {
    p50: Duration,
    p99: Duration,
}

/// How long the meeting takes to answer a command.
async fn measure(socket: &mut Socket, first: u32) -> Times {
    let mut times = Vec::new();
    let mut pace = interval(PAUSE);
    for n in 0..COMMANDS {
        pace.tick().await;
        let clock = Instant::now();
        let raise = json!({ "type": "raise_hand", "raised": n % 2 == 0 });
        socket.command(first + n, raise).await;
        socket.until("done").await;
        times.push(clock.elapsed());
    }
    times.sort_unstable();
    Times { p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] }
}

#[derive(Debug, Default)]
struct Answers {
    ok: AtomicUsize,
    busy: AtomicUsize,
}

async fn flood(browser: Browser, answers: Arc<Answers>) {
    let mut pace = interval(Duration::from_millis(1_000 / OFFERED));
    let mut running = JoinSet::new();
    for n in 0_u32.. {
        pace.tick().await;
        let (mut browser, answers) = (browser.clone(), Arc::clone(&answers));
        let [_, a, b, c] = n.to_be_bytes();
        browser.headers = vec![("x-forwarded-for", format!("10.{a}.{b}.{c}"))];
        running.spawn(async move {
            let counter = match browser.sign_in(ADMIN.0, ADMIN.1).await.status {
                201 => &answers.ok,
                503 => &answers.busy,
                other => panic!("{other}"),
            };
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }
}
