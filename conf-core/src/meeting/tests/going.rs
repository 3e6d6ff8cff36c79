//! Leaving, being lost, coming back.

use super::*;

#[test]
fn whoever_leaves_is_gone_at_once() {
    let mut scene = scene().people(1..=2);
    scene.command(2, Command::Leave).unwrap();
    let outputs = scene.outputs();
    let connection = ConnectionId(2);
    assert_eq!(
        outputs[..4],
        [
            Output::Send { connection, message: ServerMessage::Done { request: 9 } },
            Output::Send { connection, message: goodbye(Goodbye::Left) },
            Output::Close { connection },
            Output::Media(Order::Remove { participant: id(2) }),
        ]
    );
    assert_eq!(scene.meeting.authenticate(id(2), &secret(2)), Err(Refusal::ParticipantUnknown));
}

#[test]
fn a_lost_participant_stays_for_the_grace() {
    let mut scene = scene().people(1..=2);
    scene.detach(2);
    let told = scene.told(1);
    assert!(
        matches!(&told[..], [ServerMessage::Event { event, .. }] if matches!(&**event, Event::ParticipantChanged(c) if c.participant.presence == Presence::Reconnecting))
    );
    assert_eq!(scene.meeting.timeout(), Some(scene.now.mono + SECOND * 30));
    scene.wait(SECOND * 29);
    assert_eq!(scene.outputs(), []);
    scene.wait(SECOND);
    assert_eq!(scene.told(1), [event(5, left(2, LeftReason::Lost))]);
}

#[test]
fn media_alone_keeps_somebody_present() {
    let mut scene = scene().people(1..=2);
    scene.fact(Fact::Connected { participant: id(2) });
    scene.detach(2);
    scene.wait(SECOND * 300);
    assert_eq!(scene.meeting.participant(id(2)).unwrap().presence, Presence::Connected);
    scene.track(2, Source::Camera, TrackState::On);
    scene.fact(Fact::Gone { participant: id(2) });
    let lost = scene.meeting.participant(id(2)).unwrap();
    assert_eq!((lost.presence, lost.camera), (Presence::Reconnecting, Camera::Off));
    scene.wait(SECOND * 30);
    assert_eq!(scene.meeting.count(), 1);
    let late = Input::Media(Fact::Connected { participant: id(2) });
    assert_eq!(scene.meeting.handle(scene.now, late), Err(Refusal::ParticipantUnknown));
}

#[test]
fn somebody_who_never_connects_is_lost() {
    let mut scene = scene().people(1..=1);
    scene.join(2).unwrap();
    scene.wait(SECOND * 30);
    assert_eq!(scene.meeting.count(), 1);
}

#[test]
fn a_connection_that_returns_resumes_where_it_broke_off() {
    let mut scene = scene().people(1..=2);
    scene.detach(2);
    scene.say(1, "missed").unwrap();
    scene.outputs();
    scene.attach_as(2, 22, Some(1)).unwrap();
    let told = scene.told(22);
    assert_eq!(told[0], ServerMessage::Resumed { sequence: 1 });
    let numbers: Vec<u64> = told[1..]
        .iter()
        .map(|message| match message {
            ServerMessage::Event { sequence, .. } => *sequence,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [2, 3, 4], "lost, missed, returned");
}

#[test]
fn too_large_a_gap_is_answered_with_a_snapshot() {
    let mut scene = scene().people(1..=2);
    scene.detach(2);
    for number in 0..600 {
        scene.wait(SECOND / 10);
        scene.fact(Fact::Connected { participant: id(2) });
        scene.command(1, Command::RaiseHand(RaiseHand { raised: number % 2 == 0 })).unwrap();
    }
    scene.outputs();
    scene.attach_as(2, 22, Some(1)).unwrap();
    assert!(matches!(&scene.told(22)[..], [ServerMessage::Welcome(w)] if w.sequence > 600));
    scene.attach_as(2, 23, Some(9_999)).unwrap();
    assert!(matches!(&scene.told(23)[..], [ServerMessage::Welcome(_)]));
}

#[test]
fn a_cut_of_the_media_starts_the_grace_and_keeps_the_tracks() {
    let mut scene = scene().people(1..=2);
    scene.fact(Fact::Connected { participant: id(2) });
    scene.track(2, Source::Camera, TrackState::On);
    scene.detach(2);
    scene.fact(Fact::Away { participant: id(2) });
    let away = scene.meeting.participant(id(2)).unwrap();
    assert_eq!((away.presence, away.camera), (Presence::Reconnecting, Camera::On));
    assert_eq!(scene.meeting.timeout(), Some(scene.now.mono + SECOND * 30));
    scene.fact(Fact::Connected { participant: id(2) });
    scene.wait(SECOND * 31);
    assert_eq!(scene.meeting.participant(id(2)).unwrap().presence, Presence::Connected);
}

#[test]
fn whoever_came_with_a_token_leaves_with_the_media() {
    let mut scene = scene().people(1..=1);
    scene.join_as(2, Standing::Guest, Via::Token).unwrap();
    scene.fact(Fact::Connected { participant: id(2) });
    scene.outputs();
    scene.fact(Fact::Gone { participant: id(2) });
    assert_eq!(scene.told(1), [event(4, left(2, LeftReason::Left))]);
}
