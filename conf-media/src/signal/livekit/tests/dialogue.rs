//! A whole visit of two participants, from join to leave.

use super::*;

#[test]
fn two_participants_join_publish_subscribe_mute_resume_and_leave() {
    let mut meeting = Meeting::new();
    meeting.join(1);
    meeting.connected(1);
    meeting.join(2);
    meeting.connected(2);
    assert_eq!(meeting.signal.participants(), 2);

    // The first shows camera and microphone; the second gets both with its next offer.
    let (microphone, camera) = meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    let map = meeting.answer(2).mid_to_track_id;
    assert_eq!((&map["0"], &map["3"]), (&microphone, &camera));

    // The second speaks; the first's free sections carry it.
    let answered = meeting.announce(2, Source::Microphone, "x");
    meeting.offer(2, 3, MICROPHONE);
    assert_eq!(meeting.requirements(1), [(0, 0)]);
    meeting.offer(1, 4, CAMERA);
    assert_eq!(meeting.answer(1).mid_to_track_id["0"], answered);
    assert_eq!(meeting.answer(2).mid_to_track_id, map, "its own track is not in its map");

    // Mute, and a websocket that breaks while the other screen is shared.
    let mute = proto::MuteTrackRequest { sid: microphone.clone(), muted: true };
    meeting.say(1, Request::Mute(mute)).unwrap();
    assert!(meeting.info(2, 1).tracks[0].muted);
    meeting.input(Input::Closed { connection: ConnectionId(2) }).unwrap();
    let screen = meeting.announce(1, Source::ScreenShare, "s");
    meeting.offer(1, 5, SCREEN);
    meeting.wait(5);
    meeting.try_join(resume(2, 12)).unwrap();
    assert_eq!(meeting.info(12, 1).tracks.len(), 3);
    let info = proto::TrackInfo { sid: answered, ..Default::default() };
    let track = proto::TrackPublishedResponse { cid: "x".into(), track: Some(info) };
    let state = proto::SyncState { publish_tracks: vec![track], ..Default::default() };
    meeting.say(12, Request::SyncState(state)).unwrap();
    meeting.offer(12, 4, RESTART);
    let after = meeting.answer(12).mid_to_track_id;
    assert_eq!((&after["0"], &after["3"], &after["4"]), (&microphone, &camera, &screen));

    // The second leaves; the first is told, and the engine.
    meeting.forget();
    meeting.say(12, Request::Leave(proto::LeaveRequest::default())).unwrap();
    assert_eq!(meeting.info(1, 2).state(), proto::participant_info::State::Disconnected);
    assert_eq!(meeting.closed, [12]);
    assert!(matches!(meeting.commands[..], [Command::RemovePeer { peer: PeerId(2) }]));
    assert!(meeting.facts.contains(&Fact::Gone { identity: identity(2) }));
    assert_eq!(meeting.signal.participants(), 1);
}
