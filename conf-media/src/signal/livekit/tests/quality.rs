//! Sizes of tiles, and which encodings publishers are asked to make.

use proto::VideoQuality::{High, Low, Medium};

use super::*;
use crate::command::Preference;

/// A camera of three encodings at participant 1, shown by 2 and 3.
fn meeting() -> (Meeting, String) {
    let mut meeting = Meeting::with(3);
    let (_, camera) = meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    meeting.offer(3, 2, JOIN);
    meeting.forget();
    (meeting, camera)
}

fn setting(sid: &str, disabled: bool, size: (u32, u32)) -> Request {
    Request::TrackSetting(proto::UpdateTrackSettings {
        track_sids: vec![sid.to_owned()],
        disabled,
        quality: High.into(),
        width: size.0,
        height: size.1,
        ..Default::default()
    })
}

/// What the publisher was told, oldest first: which qualities are on.
fn told(meeting: &Meeting) -> Vec<Vec<proto::VideoQuality>> {
    let updates = meeting.received(1).into_iter().filter_map(|message| match message {
        Response::SubscribedQualityUpdate(update) => Some(update),
        _ => None,
    });
    let on = |update: &proto::SubscribedQualityUpdate| {
        let [codec] = update.subscribed_codecs.as_slice() else { panic!("{update:?}") };
        assert_eq!(codec.codec, "vp8");
        let on = codec.qualities.iter().filter(|quality| quality.enabled);
        on.map(proto::SubscribedQuality::quality).collect()
    };
    updates.map(on).collect()
}

#[test]
fn an_encoding_that_nobody_has_a_use_for_is_switched_off_after_a_while_and_on_at_once() {
    let (mut meeting, camera) = meeting();
    meeting.say(2, setting(&camera, false, (320, 180))).unwrap();
    meeting.say(3, setting(&camera, false, (640, 360))).unwrap();
    meeting.wait(4);
    assert!(told(&meeting).is_empty(), "not at once");
    meeting.wait(2);
    assert_eq!(told(&meeting), [vec![Low, Medium]]);
    meeting.say(3, setting(&camera, true, (640, 360))).unwrap();
    meeting.wait(6);
    assert_eq!(told(&meeting).last().unwrap(), &[Low]);
    meeting.say(2, setting(&camera, false, (1280, 720))).unwrap();
    assert_eq!(told(&meeting).last().unwrap(), &[Low, Medium, High]);
    assert_eq!(told(&meeting).len(), 3);
}

#[test]
fn a_tile_that_is_small_for_a_moment_costs_nothing() {
    let (mut meeting, camera) = meeting();
    meeting.say(3, setting(&camera, true, (0, 0))).unwrap();
    meeting.say(2, setting(&camera, false, (320, 180))).unwrap();
    meeting.wait(3);
    meeting.say(2, setting(&camera, false, (1280, 720))).unwrap();
    meeting.wait(20);
    assert!(told(&meeting).is_empty());
}

#[test]
fn a_camera_that_nobody_shows_is_switched_off_whole() {
    let (mut meeting, camera) = meeting();
    meeting.say(2, setting(&camera, true, (0, 0))).unwrap();
    meeting.say(3, setting(&camera, true, (0, 0))).unwrap();
    meeting.wait(6);
    assert_eq!(told(&meeting), [vec![]]);
    meeting.say(3, setting(&camera, false, (0, 0))).unwrap();
    assert_eq!(told(&meeting).last().unwrap(), &[Low, Medium, High], "without a size: all");
}

#[test]
fn a_publisher_that_was_away_hears_again_what_is_needed() {
    let (mut meeting, camera) = meeting();
    for number in [2, 3] {
        meeting.say(number, setting(&camera, false, (320, 180))).unwrap();
    }
    meeting.wait(6);
    meeting.forget();
    meeting.input(Input::Closed { connection: ConnectionId(1) }).unwrap();
    let mut again = join(1);
    again.request.reconnect = true;
    meeting.try_join(again).unwrap();
    meeting.wait(6);
    assert_eq!(told(&meeting), [vec![Low]]);
}

#[test]
fn the_engine_learns_how_a_track_is_shown_and_a_late_section_too() {
    let (mut meeting, camera) = meeting();
    let request = proto::UpdateTrackSettings {
        track_sids: vec![camera.clone(), "TR_unknown".to_owned()],
        quality: Low.into(),
        fps: 15,
        priority: 2,
        ..Default::default()
    };
    meeting.say(2, Request::TrackSetting(request)).unwrap();
    let shown = Preference { size: None, encoding: Some(0), frame_rate: Some(15), priority: 2 };
    let prefers = |command: &Command| matches!(command, Command::Prefer { peer: PeerId(2), preference, .. } if *preference == shown);
    assert!(meeting.commands.iter().any(prefers));
    meeting.forget();
    meeting.offer(2, 3, RESTART);
    let huge = setting(&camera, false, (u32::MAX, 1 << 20));
    meeting.say(2, huge).unwrap();
    let size = Some((u16::MAX, u16::MAX));
    let largest = |command: &Command| matches!(command, Command::Prefer { preference, .. } if preference.size == size);
    assert!(meeting.commands.iter().any(largest));
}

#[test]
fn a_subscriber_hears_that_its_network_does_not_take_a_track() {
    let (mut meeting, camera) = meeting();
    let track = track_of(&camera);
    for starved in [true, false] {
        meeting.input(Input::Media(Event::Starved { track, peer: PeerId(2), starved })).unwrap();
    }
    let states = meeting.received(2).into_iter().filter_map(|message| match message {
        Response::StreamStateUpdate(update) => Some(update.stream_states[0].state()),
        _ => None,
    });
    use proto::StreamState::{Active, Paused};
    assert_eq!(states.collect::<Vec<_>>(), [Paused, Active]);
    assert!(meeting.received(3).is_empty());
}

#[test]
fn everybody_hears_how_good_a_connection_is() {
    let (mut meeting, _) = meeting();
    let quality = crate::command::Quality { score: 40.0, grade: crate::command::Grade::Poor };
    meeting.input(Input::Media(Event::Quality { peer: PeerId(2), quality })).unwrap();
    for number in [1, 2, 3] {
        let update = meeting.last(number, |message| match message {
            Response::ConnectionQuality(update) => Some(update.updates[0].clone()),
            _ => None,
        });
        assert_eq!(update.participant_sid, "PA_0000000000000002");
        assert_eq!((update.quality(), update.score), (proto::ConnectionQuality::Poor, 2.0));
    }
}
