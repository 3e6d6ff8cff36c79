//! Tests of the registry: caps, panics, stopping.

use axum::extract::ws::Message;
use conf_core::Refusal;
use conf_privacy::Pii;
use futures_util::FutureExt as _;

use super::*;
use crate::config::Config;
use crate::meeting_task::{Attach, Joined};
use crate::socket;

fn registry(most: usize) -> Meetings {
    let metrics = Arc::new(Metrics::default());
    let media_listen = "127.0.0.1:0".parse().unwrap();
    let config = Config { media_listen, ..Config::built_in() };
    let engine = Engine::start(&config, Arc::clone(&metrics)).unwrap();
    let issuer = Issuer::new("key", "0123456789abcdef0123456789abcdef");
    Meetings::new(Common { limits: Limits::default(), most, issuer, engine, metrics })
}

fn room(name: &str) -> RoomKey {
    RoomKey::Name(name.to_owned())
}

async fn join(meetings: &Meetings, room: &RoomKey) -> Result<Joined, Refusal> {
    let question = |answer| Mail::Join { name: Pii::new("Ada".to_owned()), answer };
    meetings.ask(room, true, question).await.unwrap()
}

#[tokio::test]
async fn a_panic_ends_one_meeting_and_leaves_the_others() {
    let meetings = registry(2);
    join(&meetings, &room("a")).await.unwrap();
    join(&meetings, &room("b")).await.unwrap();
    let broken = meetings.find(&room("a")).unwrap();
    broken.inbox.send(Mail::Panic).await.unwrap();
    broken.inbox.closed().await;
    join(&meetings, &room("b")).await.unwrap();
    assert_eq!(meetings.find(&room("b")).unwrap().count(), 2);
    join(&meetings, &room("a")).await.unwrap();
    assert_eq!(meetings.find(&room("a")).unwrap().count(), 1);
    assert_eq!(meetings.common.metrics.meetings_panicked.load(Ordering::Relaxed), 1);
    assert_eq!(meetings.common.metrics.participants.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn no_more_meetings_run_than_the_limit_says() {
    let meetings = registry(1);
    join(&meetings, &room("a")).await.unwrap();
    assert_eq!(meetings.open(&room("b")).unwrap_err(), ApiError::TooManyMeetings { limit: 1 });
    join(&meetings, &room("a")).await.unwrap();
}

#[tokio::test]
async fn stopping_ends_all_meetings_and_starts_none() {
    let meetings = registry(5);
    join(&meetings, &room("a")).await.unwrap();
    join(&meetings, &room("b")).await.unwrap();
    meetings.stop().await;
    assert!(meetings.find(&room("a")).is_none());
    assert_eq!(meetings.open(&room("a")).unwrap_err(), ApiError::Unavailable);
    assert_eq!(meetings.common.metrics.participants.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_may_come_back() {
    let meetings = registry(1);
    let room = room("a");
    let Joined { participant, secret, .. } = join(&meetings, &room).await.unwrap();
    let attach = async |frames| {
        let (outbox, outgoing) = socket::outbox(frames);
        let attach = Attach {
            participant,
            secret: secret.clone(),
            connection: random::id(),
            resume_from: Some(0),
            outbox,
        };
        let running = meetings.find(&room).unwrap();
        running.ask(|answer| Mail::Attach { attach, answer }).await.unwrap().unwrap();
        outgoing
    };
    let mut stuck = attach(2).await;
    for _ in 0..3 {
        join(&meetings, &room).await.unwrap();
    }
    let last = Message::text(r#"{"type":"goodbye","reason":"too_slow"}"#);
    assert_eq!(stuck.last(), Some(last));
    assert_eq!(meetings.common.metrics.too_slow.load(Ordering::Relaxed), 1);
    let mut back = attach(100).await;
    join(&meetings, &room).await.unwrap();
    assert_eq!(back.last(), None);
    assert_eq!(meetings.find(&room).unwrap().count(), 5);
}

#[tokio::test]
async fn a_meeting_that_is_over_takes_nobodys_place() {
    let meetings = registry(1);
    // As one is whose task has ended and was not cleared up after yet.
    let (inbox, _) = mpsc::channel(1);
    let over = Running { id: MeetingId::from_u64(1), inbox, count: Arc::default() };
    meetings.table().running.insert(room("a"), over);
    meetings.open(&room("b")).unwrap();
}

#[tokio::test]
async fn stopping_waits_for_a_place_in_a_full_inbox() {
    let meetings = registry(1);
    let busy = meetings.open(&room("a")).unwrap();
    // Its task has not run yet: nothing here has waited.
    for _ in 0..INBOX {
        busy.inbox.try_send(Mail::Detach { connection: 0 }).unwrap();
    }
    // Sooner than an empty meeting ends by itself.
    timeout(PATIENCE, meetings.stop()).await.unwrap();
    assert!(busy.inbox.is_closed());
}

#[tokio::test]
async fn somebody_who_is_gone_before_the_answer_does_not_join() {
    let meetings = registry(1);
    let running = meetings.open(&room("a")).unwrap();
    let (answer, gone) = oneshot::channel();
    drop(gone);
    running.inbox.try_send(Mail::Join { name: Pii::new("Ada".to_owned()), answer }).unwrap();
    join(&meetings, &room("a")).await.unwrap();
    assert_eq!(running.count(), 1);
}

#[tokio::test]
async fn a_panic_under_the_lock_does_not_lose_the_rooms() {
    let meetings = registry(2);
    join(&meetings, &room("a")).await.unwrap();
    let table = Arc::clone(&meetings.table);
    let panicked = std::thread::spawn(move || {
        let _locked = table.lock();
        panic!("asked to");
    });
    assert!(panicked.join().is_err());
    assert_eq!(meetings.find(&room("a")).unwrap().count(), 1);
    join(&meetings, &room("b")).await.unwrap();
}

#[tokio::test]
async fn one_websocket_fills_no_inbox() {
    let (inbox, mut mail) = mpsc::channel(INBOX);
    let meeting = Running { id: MeetingId::from_u64(1), inbox, count: Arc::default() };
    let voice = Voice::new(meeting);
    for _ in 0..TURNS {
        let said = voice.say(|turn| Mail::Ping { connection: 1, turn }).now_or_never();
        assert_eq!(said, Some(true));
    }
    assert_eq!(voice.say(|turn| Mail::Ping { connection: 1, turn }).now_or_never(), None);
    drop(mail.recv().await);
    assert!(voice.say(|turn| Mail::Ping { connection: 1, turn }).await);
    drop(mail);
    assert!(!voice.say(|turn| Mail::Ping { connection: 1, turn }).await);
}

#[tokio::test]
async fn the_queue_of_a_replaced_connection_is_thrown_away() {
    let meetings = registry(1);
    let Joined { participant, secret, .. } = join(&meetings, &room("a")).await.unwrap();
    let running = meetings.find(&room("a")).unwrap();
    let attach = async || {
        let (outbox, outgoing) = socket::outbox(9);
        let (connection, secret) = (random::id(), secret.clone());
        let attach = Attach { participant, secret, connection, resume_from: None, outbox };
        running.ask(|answer| Mail::Attach { attach, answer }).await.unwrap().unwrap();
        outgoing
    };
    let mut first = attach().await;
    let _second = attach().await;
    join(&meetings, &room("a")).await.unwrap();
    let replaced = Message::text(r#"{"type":"goodbye","reason":"replaced"}"#);
    assert_eq!(first.last(), Some(replaced), "cut, not queued behind the snapshot");
}
