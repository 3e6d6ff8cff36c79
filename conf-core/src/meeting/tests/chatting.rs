//! Chat.

use super::*;

#[test]
fn what_is_said_reaches_everybody_as_one_shared_event() {
    let mut scene = scene().people(1..=3);
    scene.say(2, " Hi\u{7} all ").unwrap();
    let outputs = scene.outputs();
    assert_eq!(
        outputs[0],
        Output::Send { connection: ConnectionId(2), message: ServerMessage::Done { request: 9 } }
    );
    let events: Vec<_> = outputs[1..]
        .iter()
        .map(|output| match output {
            Output::Send { message: ServerMessage::Event { event, .. }, .. } => event,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| Arc::ptr_eq(event, events[0])));
    let Event::Chat(ChatSent { message }) = &**events[0] else { panic!() };
    assert_eq!((message.id, message.from, message.sent_at), (1, id(2), scene.now.wall));
    assert_eq!(
        (message.name.reveal().as_str(), message.text.reveal().as_str()),
        ("Person 2", "Hi all")
    );
}

#[test]
fn a_message_over_the_limit_changes_nothing() {
    let mut scene = scene().people(1..=2);
    let before = scene.state();
    assert_eq!(scene.say(2, &"x".repeat(2_001)), Err(Refusal::ChatTooLong { limit: 2_000 }));
    assert_eq!(scene.say(2, " \u{200b}\n"), Err(Refusal::ChatEmpty));
    assert_eq!(scene.state(), before);
    scene.say(2, &"ü".repeat(2_000)).unwrap();
}

#[test]
fn somebody_who_writes_too_fast_waits_and_the_others_do_not() {
    let mut scene = scene().people(1..=2);
    for _ in 0..10 {
        scene.say(2, "quick").unwrap();
    }
    let before = scene.state();
    assert_eq!(scene.say(2, "quick"), Err(Refusal::TooManyRequests { retry_after_ms: 1_000 }));
    assert_eq!(scene.state(), before);
    scene.say(1, "calm").unwrap();
    scene.wait(SECOND);
    scene.say(2, "again").unwrap();
}

#[test]
fn the_meeting_remembers_the_last_messages_only() {
    let mut scene = scene().people(1..=1);
    for number in 0..1_010 {
        scene.say(1, &format!("{number}")).unwrap();
        scene.wait(SECOND);
        scene.outputs();
    }
    let chat = scene.meeting.snapshot(id(1)).chat;
    assert_eq!((chat.len(), chat[0].id, chat[999].id), (1_000, 11, 1_010));
}

#[test]
fn the_meeting_remembers_a_megabyte_of_text_at_the_most() {
    let mut scene = scene().people(1..=1);
    for _ in 0..200 {
        scene.say(1, &"😀".repeat(2_000)).unwrap();
        scene.wait(SECOND);
        scene.outputs();
    }
    let chat = scene.meeting.snapshot(id(1)).chat;
    assert_eq!((chat.len(), chat[130].id), (131, 200), "131 of 8,000 bytes fit a mebibyte");
}
