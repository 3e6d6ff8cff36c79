//! What moderators do, and hands.

use super::*;
use crate::room::Lobby;

#[test]
fn a_viewer_moderates_nothing() {
    let mut scene = scene().people(1..=3);
    let participant = id(3);
    let before = scene.state();
    for (command, action) in [
        (Command::Mute(Mute { participant }), Action::Mute),
        (Command::MuteAll, Action::Mute),
        (Command::Remove(Remove { participant }), Action::Remove),
        (Command::SetRole(SetRole { participant: id(2), role: Role::Moderator }), Action::SetRole),
        (Command::Admit(Admit { participant }), Action::Lobby),
        (Command::AdmitAll, Action::Lobby),
        (Command::Deny(Deny { participant }), Action::Lobby),
        (Command::SetLobby(SetLobby { lobby: Lobby::Ask }), Action::Lobby),
        (Command::End, Action::End),
    ] {
        assert_eq!(scene.command(2, command), Err(Refusal::NotAllowed { action }));
    }
    assert_eq!(scene.state(), before);
}

#[test]
fn muting_orders_the_media_and_tells_the_muted_one_alone() {
    let mut scene = scene().people(1..=3);
    scene.track(2, Source::Microphone, TrackState::On);
    scene.outputs();
    scene.command(1, Command::Mute(Mute { participant: id(2) })).unwrap();
    let outputs = scene.outputs();
    let muted = Event::MutedBy(MutedBy { participant: id(1) });
    let [
        Output::Send { message: ServerMessage::Done { .. }, .. },
        Output::Send { connection: ConnectionId(2), message: ServerMessage::Event { event, .. } },
        order,
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}")
    };
    assert_eq!(**event, muted);
    assert_eq!(
        *order,
        Output::Media(Order::Mute { participant: id(2), source: Source::Microphone })
    );
    scene.track(2, Source::Microphone, TrackState::Muted);
    assert_eq!(scene.meeting.participant(id(2)).unwrap().microphone, Microphone::Muted);
}

#[test]
fn muting_all_spares_who_asks_and_who_is_silent() {
    let mut scene = scene().people(1..=4);
    for number in 1..=3 {
        scene.track(number, Source::Microphone, TrackState::On);
    }
    scene.outputs();
    scene.command(1, Command::MuteAll).unwrap();
    let muted: Vec<_> =
        scene.outputs().into_iter().filter(|o| matches!(o, Output::Media(_))).collect();
    assert_eq!(
        muted,
        [2, 3]
            .map(|n| Output::Media(Order::Mute { participant: id(n), source: Source::Microphone }))
    );
}

#[test]
fn a_removed_participant_goes_and_cannot_come_back() {
    let mut scene = scene().people(1..=3);
    scene.command(1, Command::Remove(Remove { participant: id(2) })).unwrap();
    let outputs = scene.outputs();
    let connection = ConnectionId(2);
    assert_eq!(outputs[1], Output::Send { connection, message: goodbye(Goodbye::Removed) });
    assert_eq!(outputs[2], Output::Close { connection });
    assert_eq!(outputs[3], Output::Media(Order::Remove { participant: id(2) }));
    let Output::Send { message: ServerMessage::Event { event, .. }, .. } = &outputs[4] else {
        panic!()
    };
    assert_eq!(**event, left(2, LeftReason::Removed));
    let refusal = scene.attach_as(2, 22, Some(1)).unwrap_err();
    assert_eq!((refusal.goodbye(), refusal), (Goodbye::Removed, Refusal::Removed));
    assert_eq!(scene.meeting.authenticate(id(2), &secret(2)), Err(Refusal::Removed));
}

#[test]
fn nobody_removes_themselves_or_somebody_who_is_not_here() {
    let mut scene = scene().people(1..=1);
    let remove = |number| Command::Remove(Remove { participant: id(number) });
    assert_eq!(scene.command(1, remove(1)), Err(Refusal::RemovesItself));
    assert_eq!(scene.command(1, remove(9)), Err(Refusal::ParticipantUnknown));
    assert_eq!(
        scene.command(1, Command::Mute(Mute { participant: id(9) })),
        Err(Refusal::ParticipantUnknown)
    );
}

#[test]
fn the_role_can_be_given_and_taken_but_not_from_the_last_moderator() {
    let mut scene = scene().people(1..=2);
    let set = |number, role| Command::SetRole(SetRole { participant: id(number), role });
    assert_eq!(scene.command(1, set(1, Role::Viewer)), Err(Refusal::LastModerator));
    scene.command(1, set(2, Role::Moderator)).unwrap();
    scene.command(2, set(1, Role::Viewer)).unwrap();
    assert_eq!((scene.role(1), scene.role(2)), (Role::Viewer, Role::Moderator));
    assert_eq!(
        scene.command(1, set(2, Role::Viewer)),
        Err(Refusal::NotAllowed { action: Action::SetRole })
    );
}

#[test]
fn when_the_moderator_leaves_whoever_is_here_longest_follows() {
    let mut scene = scene().people(1..=3);
    scene.detach(2);
    scene.command(1, Command::Leave).unwrap();
    assert_eq!(
        (scene.role(2), scene.role(3)),
        (Role::Viewer, Role::Moderator),
        "2 has no connection"
    );
    scene.wait(SECOND * 30);
    scene.join(4).unwrap();
    scene.detach(3);
    scene.wait(SECOND * 29);
    assert_eq!((scene.role(3), scene.role(4)), (Role::Moderator, Role::Viewer), "the grace runs");
    scene.attach_as(4, 4, None).unwrap();
    scene.wait(SECOND);
    assert_eq!(scene.role(4), Role::Moderator);
}

#[test]
fn a_hand_goes_up_once_and_down() {
    let mut scene = scene().people(1..=1);
    for (raised, told) in [(true, 2), (true, 1), (false, 2)] {
        scene.command(1, Command::RaiseHand(RaiseHand { raised })).unwrap();
        assert_eq!(scene.told(1).len(), told);
        assert_eq!(scene.meeting.participant(id(1)).unwrap().hand, raised);
    }
}

#[test]
fn commands_of_any_kind_are_limited_in_rate() {
    let mut scene = scene().people(1..=1);
    let mut raise = |raised| scene.command(1, Command::RaiseHand(RaiseHand { raised }));
    for number in 0..100 {
        raise(number % 2 == 0).unwrap();
    }
    assert_eq!(raise(true), Err(Refusal::TooManyRequests { retry_after_ms: 20 }));
}
