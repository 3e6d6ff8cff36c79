//! Coming in: joining, attaching, being refused.

use super::*;

#[test]
fn the_first_to_join_moderates_and_the_others_view() {
    let scene = scene().people(1..=3);
    assert_eq!([1, 2, 3].map(|n| scene.role(n)), [Role::Moderator, Role::Viewer, Role::Viewer]);
}

#[test]
fn whoever_comes_with_a_token_does_not_take_the_moderator_from_those_who_can_act() {
    let mut scene = scene();
    scene.join_as(7, Standing::Guest, Via::Token).unwrap();
    scene.join(1).unwrap();
    assert_eq!((scene.role(7), scene.role(1)), (Role::Viewer, Role::Moderator));
}

#[test]
fn a_full_meeting_refuses_with_its_limit() {
    let mut scene = scene_with(Limits { participants: 2, ..Limits::default() }).people(1..=2);
    assert_eq!(scene.join(3), Err(Refusal::MeetingFull { limit: 2 }));
    scene.command(2, Command::Leave).unwrap();
    scene.join(3).unwrap();
}

#[test]
fn a_name_is_cleaned_and_one_that_cannot_be_seen_is_refused() {
    let mut scene = scene();
    for (name, expected) in
        [("\u{200b} ", Err(Refusal::NameInvalid { limit: 60 })), (" A \n b", Ok(()))]
    {
        let (name, secret) = (Pii::new(name.to_owned()), secret(1));
        let (via, standing) = (Via::Web, Standing::Guest);
        let join = Input::Join { participant: id(1), name, secret, via, standing };
        assert_eq!(scene.meeting.handle(scene.now, join), expected);
    }
    assert_eq!(scene.meeting.participant(id(1)).unwrap().name.reveal(), "A b");
}

#[test]
fn an_id_that_is_here_or_was_removed_cannot_join() {
    let mut scene = scene().people(1..=2);
    assert_eq!(scene.join(2), Err(Refusal::ParticipantTaken));
    scene.command(1, Command::Remove(Remove { participant: id(2) })).unwrap();
    assert_eq!(scene.join(2), Err(Refusal::ParticipantTaken));
}

#[test]
fn only_the_secret_opens_the_websocket() {
    let mut scene = scene();
    scene.join(1).unwrap();
    let input = |number, secret| Input::Attach {
        participant: id(number),
        secret,
        connection: ConnectionId(1),
        resume_from: None,
    };
    let before = scene.state();
    let wrong = scene.meeting.handle(scene.now, input(1, secret(2))).unwrap_err();
    let nobody = scene.meeting.handle(scene.now, input(2, secret(2))).unwrap_err();
    assert_eq!((&wrong, &nobody), (&Refusal::SecretWrong, &Refusal::ParticipantUnknown));
    assert_eq!((wrong.goodbye(), nobody.goodbye()), (Goodbye::Unknown, Goodbye::Unknown));
    assert_eq!(scene.state(), before);
    scene.attach(1).unwrap();
}

#[test]
fn the_snapshot_has_everything_and_the_others_hear_of_the_newcomer() {
    let mut scene = scene().people(1..=1);
    scene.say(1, "first").unwrap();
    scene.outputs();
    scene.join(2).unwrap();
    scene.attach(2).unwrap();
    let outputs = scene.outputs();
    let Some(Output::Send { message: ServerMessage::Welcome(welcome), .. }) = outputs.last() else {
        panic!("{outputs:?}")
    };
    assert_eq!((welcome.sequence, welcome.you), (1, id(2)));
    assert_eq!(
        welcome.snapshot.participants,
        scene.meeting.participants().cloned().collect::<Vec<_>>()
    );
    assert_eq!(welcome.snapshot.chat.len(), 1);
    let kinds: Vec<_> = outputs
        .iter()
        .map(|o| {
            matches!(
                o,
                Output::Send { connection: ConnectionId(1), message: ServerMessage::Event { .. } }
            )
        })
        .collect();
    assert_eq!(kinds, [true, true, false]);
}

#[test]
fn a_second_connection_replaces_the_first() {
    let mut scene = scene().people(1..=2);
    scene.attach_as(2, 22, None).unwrap();
    let outputs = scene.outputs();
    let first = ConnectionId(2);
    assert_eq!(outputs[0], Output::Send { connection: first, message: goodbye(Goodbye::Replaced) });
    assert_eq!(outputs[1], Output::Close { connection: first });
    assert!(matches!(
        outputs[2],
        Output::Send { connection: ConnectionId(22), message: ServerMessage::Welcome(_) }
    ));
    assert_eq!(outputs.len(), 3, "nobody else hears of it");
    assert_eq!(scene.say(2, "old"), Err(Refusal::ConnectionUnknown));
    scene.detach(2);
    assert_eq!(scene.meeting.participant(id(2)).unwrap().presence, Presence::Connected);
    assert_eq!(scene.attach_as(1, 22, None), Err(Refusal::ConnectionTaken));
}

#[test]
fn nobody_listens_unseen() {
    let mut scene = scene().people(1..=2);
    scene.outputs();
    scene.meeting.handle(scene.now, Input::Listeners { count: 3 }).unwrap();
    let changed = Event::ListenersChanged(ListenersChanged { listeners: 3 });
    let told = scene.told(2);
    let [ServerMessage::Event { event, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(**event, changed, "viewers too");
    let count = scene.meeting.count();
    scene.meeting.handle(scene.now, Input::Listeners { count: 0 }).unwrap();
    assert_eq!((scene.told(1), scene.meeting.snapshot(id(1)).listeners), (vec![], 3));
    scene.wait(SECOND);
    assert_eq!((scene.told(1).len(), scene.meeting.snapshot(id(1)).listeners), (1, 0));
    assert_eq!(scene.meeting.count(), count);
}
