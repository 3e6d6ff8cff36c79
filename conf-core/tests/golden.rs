//! Every kind of frame of the meeting websocket, as JSON that also the web client's tests read.
//!
//! `UPDATE=1 cargo test -p conf-core --test golden` writes the files anew. A change in one of them
//! is a change of the protocol.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use conf_core::meeting::{
    Admit, Camera, ChatMessage, ChatSent, Deny, EndReason, LeftReason, ListenersChanged,
    MeetingEnded, Microphone, Mute, MutedBy, OptionsChanged, Participant, ParticipantChanged,
    ParticipantJoined, ParticipantLeft, Presence, RaiseHand, Remove, SendChat, SetLobby, SetRole,
    WaitReason, Waiting, WaitingAdded, WaitingRemoved,
};
use conf_core::wire::{
    ClientMessage, Command, Event, Goodbye, Hello, MeetingInfo, Request, ServerMessage, Snapshot,
    VERSION, Welcome, WireLimits, event_frame,
};
use conf_core::{
    Action, Limits, Lobby, MeetingId, ParticipantId, Refusal, Role, RoomCode, RoomOptions, Secret,
    Start,
};
use serde_json::Value;

#[test]
fn every_frame_is_written_as_committed_and_read_back() {
    let examples = examples();
    if std::env::var_os("UPDATE").is_some() {
        for (name, value) in &examples {
            let text = serde_json::to_string_pretty(value).unwrap() + "\n";
            std::fs::write(folder().join(name), text).unwrap();
        }
    }
    let mut committed = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(read_back(&name, &value), value, "{name}");
        committed.insert(name, value);
    }
    assert_eq!(committed, examples);
}

#[test]
fn an_event_frame_equals_the_message_it_stands_for() {
    let event = Arc::new(Event::Chat(ChatSent { message: Arc::new(chat_message()) }));
    let frame = event_frame(18, &serde_json::to_string(&event).unwrap());
    let message = ServerMessage::Event { sequence: 18, event };
    assert_eq!(frame, serde_json::to_string(&message).unwrap());
}

#[test]
fn a_refusal_has_one_word_on_the_wire_and_in_metrics() {
    let examples = examples();
    let refused = examples.iter().filter(|(name, _)| name.starts_with("server_refused"));
    let mut words = 0;
    for (name, value) in refused {
        let refusal: Refusal = serde_json::from_value(value["refusal"].clone()).unwrap();
        assert_eq!(value["refusal"]["type"], refusal.code(), "{name}");
        words += 1;
    }
    assert_eq!(words, 18, "one example of each");
}

#[test]
fn an_unknown_field_is_ignored_and_an_unknown_kind_is_refused() {
    let later = r#"{"type":"command","request":1,"command":{"type":"leave","later":1},"later":2}"#;
    let read: ClientMessage = serde_json::from_str(later).unwrap();
    assert!(matches!(
        read,
        ClientMessage::Command(Request { request: 1, command: Command::Leave })
    ));
    for bad in [r#"{"type":"dance"}"#, r#"{"type":"command"}"#, "[]", "{}", "1", r#"{"type":1}"#] {
        assert!(serde_json::from_str::<ClientMessage>(bad).is_err(), "{bad}");
    }
}

#[test]
fn nothing_personal_prints_with_a_frame() {
    for (name, value) in examples() {
        let printed = if name.starts_with("client") {
            format!("{:?}", serde_json::from_value::<ClientMessage>(value).unwrap())
        } else {
            format!("{:?}", serde_json::from_value::<ServerMessage>(value).unwrap())
        };
        for personal in ["Ada", "Carol", "Hello", SECRET, CODE] {
            let shown = printed.replace("Hello(Hello", "");
            assert!(!shown.contains(personal), "{name}: {printed}");
        }
    }
}

fn read_back(name: &str, value: &Value) -> Value {
    let value = value.clone();
    if name.starts_with("client") {
        let message: ClientMessage = serde_json::from_value(value).unwrap();
        serde_json::to_value(message).unwrap()
    } else {
        let message: ServerMessage = serde_json::from_value(value).unwrap();
        serde_json::to_value(message).unwrap()
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn examples() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for message in client_messages() {
        add(&mut all, "client", serde_json::to_value(message).unwrap());
    }
    for message in server_messages() {
        add(&mut all, "server", serde_json::to_value(message).unwrap());
    }
    all
}

/// Names a file after the kinds in it: `server_event_chat.json`.
fn add(all: &mut BTreeMap<String, Value>, side: &str, value: Value) {
    let mut name = format!("{side}_{}", value["type"].as_str().unwrap());
    for inner in ["command", "event", "refusal"] {
        if let Some(kind) = value[inner]["type"].as_str() {
            name = format!("{name}_{kind}");
        }
    }
    if let Some(reason) = value["reason"].as_str() {
        name = format!("{name}_{reason}");
    }
    assert!(all.insert(format!("{name}.json"), value).is_none(), "{name} twice");
}

fn client_messages() -> Vec<ClientMessage> {
    let participant = bob();
    let commands = [
        Command::SendChat(SendChat { text: "Hello\neverybody".to_owned().into() }),
        Command::RaiseHand(RaiseHand { raised: true }),
        Command::Mute(Mute { participant }),
        Command::MuteAll,
        Command::Remove(Remove { participant }),
        Command::SetRole(SetRole { participant, role: Role::Moderator }),
        Command::Leave,
        Command::End,
        Command::Admit(Admit { participant }),
        Command::AdmitAll,
        Command::Deny(Deny { participant }),
        Command::SetLobby(SetLobby { lobby: Lobby::Ask }),
    ];
    let hello = Hello {
        version: VERSION,
        room: CODE.parse::<RoomCode>().unwrap(),
        participant: ada().id,
        secret: Secret::new(SECRET.to_owned()).unwrap(),
        resume_from: Some(17),
    };
    let requests = (1..).zip(commands).map(|(request, command)| Request { request, command });
    [ClientMessage::Hello(hello), ClientMessage::Ping]
        .into_iter()
        .chain(requests.map(ClientMessage::Command))
        .collect()
}

fn server_messages() -> Vec<ServerMessage> {
    let welcome = Welcome { sequence: 17, you: ada().id, snapshot: snapshot() };
    let mut all = vec![
        ServerMessage::Welcome(Box::new(welcome)),
        ServerMessage::Resumed { sequence: 17 },
        ServerMessage::Done { request: 1 },
        ServerMessage::Pong,
        ServerMessage::Waiting { position: 3, reason: WaitReason::Lobby },
        ServerMessage::Waiting { position: 1, reason: WaitReason::NotStarted },
    ];
    let events = (18..).zip(events());
    all.extend(
        events.map(|(sequence, event)| ServerMessage::Event { sequence, event: event.into() }),
    );
    let refusals = (1..).zip(refusals());
    all.extend(refusals.map(|(request, refusal)| ServerMessage::Refused { request, refusal }));
    all.extend(
        [
            Goodbye::Ended,
            Goodbye::Removed,
            Goodbye::Denied,
            Goodbye::Left,
            Goodbye::Replaced,
            Goodbye::Unknown,
            Goodbye::Version,
            Goodbye::TooSlow,
        ]
        .map(|reason| ServerMessage::Goodbye { reason }),
    );
    all
}

fn events() -> [Event; 10] {
    let changed = Participant { microphone: Microphone::On, camera: Camera::On, ..ada() };
    [
        Event::ParticipantJoined(ParticipantJoined { participant: ada() }),
        Event::ParticipantChanged(ParticipantChanged { participant: changed }),
        Event::ParticipantLeft(ParticipantLeft { id: bob(), reason: LeftReason::Lost }),
        Event::Chat(ChatSent { message: Arc::new(chat_message()) }),
        Event::MutedBy(MutedBy { participant: ada().id }),
        Event::MeetingEnded(MeetingEnded { reason: EndReason::Moderator }),
        Event::WaitingAdded(WaitingAdded { waiting: carol() }),
        Event::WaitingRemoved(WaitingRemoved { id: carol().id }),
        Event::OptionsChanged(OptionsChanged { options: options() }),
        Event::ListenersChanged(ListenersChanged { listeners: 2 }),
    ]
}

fn refusals() -> [Refusal; 18] {
    [
        Refusal::MeetingFull { limit: 50 },
        Refusal::LobbyFull { limit: 100 },
        Refusal::Denied,
        Refusal::StillWaiting,
        Refusal::MeetingEnded,
        Refusal::NameInvalid { limit: 60 },
        Refusal::ParticipantTaken,
        Refusal::ParticipantUnknown,
        Refusal::SecretWrong,
        Refusal::Removed,
        Refusal::ConnectionTaken,
        Refusal::ConnectionUnknown,
        Refusal::NotAllowed { action: Action::Mute },
        Refusal::LastModerator,
        Refusal::RemovesItself,
        Refusal::ChatEmpty,
        Refusal::ChatTooLong { limit: 2_000 },
        Refusal::TooManyRequests { retry_after_ms: 250 },
    ]
}

fn snapshot() -> Snapshot {
    Snapshot {
        meeting: MeetingInfo {
            id: MeetingId::from_u64(7),
            started_at: TIME.parse().unwrap(),
            options: options(),
        },
        limits: WireLimits::from(&Limits::default()),
        participants: vec![ada()],
        waiting: vec![carol()],
        listeners: 1,
        chat: vec![Arc::new(chat_message())],
    }
}

fn ada() -> Participant {
    Participant {
        id: ParticipantId::from_u64(42),
        name: "Ada".to_owned().into(),
        role: Role::Moderator,
        presence: Presence::Connected,
        joined_at: TIME.parse().unwrap(),
        hand: false,
        microphone: Microphone::Muted,
        camera: Camera::Off,
        screen: false,
    }
}

fn bob() -> ParticipantId {
    ParticipantId::from_u64(43)
}

fn carol() -> Waiting {
    Waiting {
        id: ParticipantId::from_u64(44),
        name: "Carol".to_owned().into(),
        since: TIME.parse().unwrap(),
    }
}

fn options() -> RoomOptions {
    RoomOptions { mute_on_start: true, lobby: Lobby::Ask, start: Start::Owner }
}

fn chat_message() -> ChatMessage {
    ChatMessage {
        id: 1,
        from: ada().id,
        name: ada().name,
        sent_at: TIME.parse().unwrap(),
        text: "Hello\neverybody".to_owned().into(),
    }
}

const TIME: &str = "2026-01-02T03:04:05.678Z";
const SECRET: &str = "not-a-secret-0123456789";
const CODE: &str = "AAECAwQFBgcICQoL";
