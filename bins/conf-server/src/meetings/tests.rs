//! Tests of the registry: caps, panics, stopping.

use axum::extract::ws::Message;
use conf_core::Refusal;
use conf_core::meeting::Standing;
use conf_media::signal::livekit::Identity;
use conf_media::signal::livekit::token::{Claims, Grants};
use conf_privacy::Pii;
use futures_util::FutureExt as _;

use super::*;
use crate::config::Config;
use crate::meeting_task::{Attach, Joined};
use crate::socket;

fn registry(most: usize) -> Meetings {
    let metrics = Arc::new(Metrics::default());
    let media_listen = vec!["127.0.0.1:0".parse().unwrap()];
    let config = Config { media_listen, ..Config::built_in() };
    let engine = Engine::start(&config, Arc::clone(&metrics)).unwrap();
    let issuer = Issuer::new("key", "0123456789abcdef0123456789abcdef");
    let (limits, players) = (Limits::default(), 10);
    Meetings::new(Common { limits, most, players, issuer, turn: None, engine, metrics })
}

fn room(name: &str) -> RoomKey {
    RoomKey::Name(name.to_owned())
}

fn opening(name: &str) -> Opening {
    Opening::named(name.to_owned())
}

async fn join(meetings: &Meetings, room: &RoomKey) -> Result<Joined, Refusal> {
    let RoomKey::Name(name) = room else { panic!("only names here") };
    join_by(meetings, &opening(name)).await
}

async fn join_by(meetings: &Meetings, opening: &Opening) -> Result<Joined, Refusal> {
    meetings.ask_opened(opening, mail(Standing::Guest)).await.unwrap()
}

/// The question of somebody called Ada.
fn mail(standing: Standing) -> impl Fn(oneshot::Sender<Result<Joined, Refusal>>) -> Mail {
    move |answer| Mail::Join { name: Pii::new("Ada".to_owned()), standing, answer }
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
    assert_eq!(meetings.open(&opening("b")).unwrap_err(), ApiError::TooManyMeetings { limit: 1 });
    join(&meetings, &room("a")).await.unwrap();
}

#[tokio::test]
async fn stopping_ends_all_meetings_and_starts_none() {
    let meetings = registry(5);
    join(&meetings, &room("a")).await.unwrap();
    join(&meetings, &room("b")).await.unwrap();
    meetings.stop().await;
    assert!(meetings.find(&room("a")).is_none());
    assert_eq!(meetings.open(&opening("a")).unwrap_err(), ApiError::Unavailable);
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
    let entry = Entry { running: over, codes: VecDeque::new() };
    meetings.table().running.insert(room("a"), entry);
    meetings.open(&opening("b")).unwrap();
}

#[tokio::test]
async fn stopping_waits_for_a_place_in_a_full_inbox() {
    let meetings = registry(1);
    let busy = meetings.open(&opening("a")).unwrap();
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
    let running = meetings.open(&opening("a")).unwrap();
    let (answer, gone) = oneshot::channel();
    drop(gone);
    running.inbox.try_send(mail(Standing::Guest)(answer)).unwrap();
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
        let turn = voice.turn().now_or_never().unwrap();
        assert!(voice.say(Mail::Ping { connection: 1, turn }).await);
    }
    assert!(voice.turn().now_or_never().is_none());
    drop(mail.recv().await);
    let turn = voice.turn().await;
    drop(mail);
    assert!(!voice.say(Mail::Ping { connection: 1, turn }).await);
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

fn lasting(code: u8, owner: Option<u64>, options: RoomOptions) -> Room {
    Room {
        id: RoomId::from_u64(7),
        owner: owner.map(conf_core::AccountId::from_u64),
        code: RoomCode::from_bytes([code; RoomCode::BYTES]),
        title: None,
        options,
    }
}

#[tokio::test]
async fn a_room_with_a_new_code_has_one_meeting_that_both_codes_lead_to_until_it_ends() {
    let meetings = registry(1);
    let (before, after) = (lasting(1, None, default()), lasting(2, None, default()));
    join_by(&meetings, &Opening::of_room(&before)).await.unwrap();
    assert_eq!(meetings.by_code(after.code), None, "nobody came in by it yet");
    join_by(&meetings, &Opening::of_room(&after)).await.unwrap();
    let key = RoomKey::Room(before.id);
    assert_eq!(meetings.find(&key).unwrap().count(), 2);
    assert_eq!((meetings.by_code(before.code), meetings.by_code(after.code)), {
        (Some(key.clone()), Some(key.clone()))
    });
    for code in 3..100 {
        meetings.open(&Opening::of_room(&lasting(code, None, default()))).unwrap();
    }
    assert_eq!(meetings.table().codes.len(), CODES, "the oldest are forgotten");
    meetings.end_room(before.id).await;
    assert!(meetings.find(&key).is_none());
    meetings.open(&Opening::of_room(&after)).unwrap();
    assert_eq!(meetings.table().codes.len(), 1, "those of the one that is over");
}

#[tokio::test]
async fn a_room_with_an_owner_is_led_by_them_and_follows_its_options() {
    let meetings = registry(1);
    let options = RoomOptions { lobby: conf_core::Lobby::Ask, ..default() };
    let room = lasting(1, Some(1), options);
    let opening = Opening::of_room(&room);
    assert_eq!(join_by(&meetings, &opening).await.unwrap().role, None, "waits");
    let owner = meetings.ask_opened(&opening, mail(Standing::Owner)).await.unwrap();
    assert_eq!(owner.unwrap().role, Some(conf_core::Role::Moderator));
    assert_eq!(meetings.find(&opening.key).unwrap().count(), 1);
    meetings.set_options(room.id, default()).await;
    let guest = join_by(&meetings, &opening).await.unwrap();
    assert_eq!(guest.role, Some(conf_core::Role::Viewer));
    assert_eq!(meetings.find(&opening.key).unwrap().count(), 3);
}

#[tokio::test]
async fn media_is_refused_to_whoever_waits() {
    let meetings = registry(1);
    let options = RoomOptions { lobby: conf_core::Lobby::Ask, ..default() };
    let opening = Opening::of_room(&lasting(1, Some(1), options));
    let waits = join_by(&meetings, &opening).await.unwrap().participant;
    let claims = Box::new(Claims {
        identity: Identity::new(waits.to_string()),
        name: String::new(),
        grants: Grants::participant("room"),
        metadata: String::new(),
        attributes: Default::default(),
    });
    let question = |answer| Mail::Admit { claims: claims.clone(), enter: false, answer };
    let answer = meetings.ask(&opening.key, question).await.unwrap();
    assert_eq!(answer, Err(Refusal::StillWaiting));
}

fn default() -> RoomOptions {
    RoomOptions::default()
}
