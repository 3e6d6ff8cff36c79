//! Joining, and going: what each field of `join` prevents.

use super::*;
use crate::signal::livekit::token;
use proto::leave_request::Action;
use proto::participant_info::State;

fn join_response(meeting: &Meeting, number: u64) -> proto::JoinResponse {
    match meeting.received(number).first() {
        Some(Response::Join(response)) => response.clone(),
        other => panic!("first came {other:?}"),
    }
}

#[test]
fn join_comes_first_and_the_answer_second_with_the_offer_s_id() {
    for id in [0, 1, 77] {
        let mut meeting = Meeting::new();
        let mut join = join(1);
        join.request.publisher_offer.as_mut().unwrap().id = id;
        meeting.try_join(join).unwrap();
        let received = meeting.received(1);
        assert!(matches!(received[0], Response::Join(_)));
        let Response::Answer(answer) = received[1] else { panic!("{:?}", received[1]) };
        assert_eq!((answer.id, answer.r#type.as_str()), (id, "answer"));
    }
}

#[test]
fn a_client_without_an_offer_in_its_join_is_answered_when_it_offers() {
    let mut meeting = Meeting::new();
    let mut firefox = join(1);
    firefox.request.publisher_offer = None;
    meeting.try_join(firefox).unwrap();
    assert!(!meeting.received(1).iter().any(|message| matches!(message, Response::Answer(_))));
    meeting.offer(1, 1, JOIN);
    assert_eq!(meeting.answer(1).id, 1);
}

#[test]
fn join_has_all_that_clients_abort_without() {
    let mut meeting = Meeting::new();
    meeting.join(1);
    let response = join_response(&meeting, 1);
    let room = response.room.unwrap();
    assert_eq!((room.sid.as_str(), room.name.as_str()), ("RM_0000000000000007", "code"));
    let me = response.participant.unwrap();
    assert_eq!(me.sid, "PA_0000000000000001");
    assert_eq!(me.identity, "p-0000000000000001");
    let permission = me.permission.unwrap();
    assert!(permission.can_publish && permission.can_subscribe && permission.can_publish_data);
    assert_eq!((response.ping_interval, response.ping_timeout), (5, 15));
    let server = response.server_info.unwrap();
    assert_eq!(server.version, "1.13.5");
    assert!(server.protocol < 18, "18 promises negotiated data channels");
    assert!(!response.subscriber_primary && response.fast_publish);
    assert!(response.enabled_publish_codecs.iter().any(|codec| codec.mime == "video/VP8"));
}

#[test]
fn the_first_answer_accepts_the_rid_extension_on_every_placeholder_for_video() {
    let mut meeting = Meeting::new();
    meeting.join(1);
    let sdp = meeting.answer(1).sdp;
    let videos: Vec<&str> = sdp.split("m=").filter(|part| part.starts_with("video")).collect();
    assert_eq!(videos.len(), 3);
    for video in videos {
        assert!(video.contains("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"), "{video}");
    }
}

#[test]
fn who_joins_later_is_listed_with_tracks_and_announced_to_the_others() {
    let mut meeting = Meeting::with(1);
    let (microphone, camera) = meeting.publish(1);
    meeting.join(2);
    let others = join_response(&meeting, 2).other_participants;
    assert_eq!(others.len(), 1);
    let sids: Vec<&str> = others[0].tracks.iter().map(|track| track.sid.as_str()).collect();
    assert_eq!(sids, [microphone.as_str(), camera.as_str()]);
    assert_eq!(meeting.info(1, 2).state(), State::Joined);
    meeting.connected(2);
    assert_eq!(meeting.info(1, 2).state(), State::Active);
    assert!(meeting.facts.contains(&Fact::Connected { identity: identity(2) }));
}

#[test]
fn tracks_that_are_there_already_flow_with_the_first_answer() {
    let mut meeting = Meeting::with(1);
    let (microphone, camera) = meeting.publish(1);
    meeting.join(2);
    let answer = meeting.answer(2);
    assert_eq!(answer.mid_to_track_id.get("0"), Some(&microphone));
    assert_eq!(answer.mid_to_track_id.get("3"), Some(&camera));
    assert!(meeting.requirements(2).is_empty());
}

#[test]
fn sound_and_picture_of_one_device_pair_are_in_one_stream() {
    let mut meeting = Meeting::with(1);
    let (microphone, camera) = meeting.publish(1);
    let screen = meeting.announce(1, Source::ScreenShare, "s");
    meeting.offer(1, 4, SCREEN);
    meeting.join(2);
    let sdp = meeting.answer(2).sdp;
    for (sid, stream) in [(microphone, "camera"), (camera, "camera"), (screen, "screen")] {
        let msid = format!("a=msid:PA_0000000000000001|{stream} {sid}\r\n");
        assert!(sdp.contains(&msid), "{sdp}");
    }
}

#[test]
fn a_token_is_renewed_at_once_and_every_five_minutes() {
    let mut meeting = Meeting::new();
    meeting.join(1);
    let count = |meeting: &Meeting| {
        let received = meeting.received(1).into_iter();
        received.filter(|message| matches!(message, Response::RefreshToken(_))).count()
    };
    assert_eq!(count(&meeting), 1);
    meeting.wait(299);
    assert_eq!(count(&meeting), 1);
    meeting.wait(602);
    assert_eq!(count(&meeting), 4);
    let token = meeting.last(1, |message| match message {
        Response::RefreshToken(token) => Some(token.clone()),
        _ => None,
    });
    let keys = |key: &str| (key == "key").then(|| "secret".to_owned());
    let claims = token::verify(&token, &keys, meeting.now.wall).unwrap();
    assert_eq!(claims.identity, identity(1));
    assert!(claims.grants.room_join && claims.grants.room == "code" && claims.name == "Name 1");
}

#[test]
fn both_kinds_of_ping_are_answered_in_milliseconds() {
    let mut meeting = Meeting::with(1);
    let ping = proto::Ping { timestamp: 5, rtt: 1 };
    meeting.say(1, Request::PingReq(ping)).unwrap();
    meeting.say(1, Request::Ping(5)).unwrap();
    let wall = meeting.now.wall.as_millisecond();
    let expected = proto::Pong { last_ping_timestamp: 5, timestamp: wall };
    assert_eq!(meeting.received(1), [&Response::PongResp(expected), &Response::Pong(wall)]);
}

#[test]
fn the_same_identity_again_replaces_the_older_connection() {
    let mut meeting = Meeting::with(2);
    let mut again = join(1);
    again.connection = ConnectionId(11);
    again.peer = PeerId(11);
    meeting.try_join(again).unwrap();
    let leave = meeting.farewell(1);
    assert_eq!(leave.reason(), proto::DisconnectReason::DuplicateIdentity);
    assert_eq!(leave.action(), Action::Disconnect);
    assert_eq!(meeting.closed, [1]);
    assert!(matches!(meeting.received(11)[0], Response::Join(_)));
    assert!(!meeting.facts.contains(&Fact::Gone { identity: identity(1) }));
    let versions: Vec<u32> = meeting
        .received(2)
        .iter()
        .filter_map(|message| match message {
            Response::Update(update) => Some(update.participants[0].version),
            _ => None,
        })
        .collect();
    assert!(versions.is_sorted() && versions.len() == 2, "same sid, so the version grows");
    assert!(meeting.commands.iter().any(|c| matches!(c, Command::RemovePeer { peer: PeerId(1) })));
}

#[test]
fn who_leaves_is_gone_at_once_with_its_media() {
    let mut meeting = Meeting::with(2);
    meeting.publish(1);
    meeting.forget();
    meeting.say(1, Request::Leave(proto::LeaveRequest::default())).unwrap();
    assert_eq!(meeting.closed, [1]);
    let info = meeting.info(2, 1);
    assert_eq!(info.state(), State::Disconnected);
    assert!(info.tracks.is_empty() && info.sid == "PA_0000000000000001");
    let off = |source| track_fact(1, source, TrackState::Off);
    let gone = Fact::Gone { identity: identity(1) };
    assert_eq!(meeting.facts, [off(Source::Camera), off(Source::Microphone), gone]);
    assert_eq!(meeting.signal.participants(), 1);
    assert!(matches!(meeting.commands[..], [Command::RemovePeer { peer: PeerId(1) }]));
}

#[test]
fn a_removed_participant_and_an_ended_room_say_why() {
    let mut meeting = Meeting::with(3);
    meeting.input(Input::Remove { identity: identity(1) }).unwrap();
    let leave = meeting.farewell(1);
    assert_eq!(leave.reason(), proto::DisconnectReason::ParticipantRemoved);
    assert_eq!(leave.action(), Action::Disconnect);
    assert!(meeting.facts.contains(&Fact::Gone { identity: identity(1) }));
    meeting.input(Input::End).unwrap();
    for number in [2, 3] {
        assert_eq!(meeting.farewell(number).reason(), proto::DisconnectReason::RoomDeleted);
    }
    assert_eq!(meeting.closed, [1, 2, 3]);
    assert_eq!(meeting.signal.timeout(), None);
    assert!(meeting.try_join(join(4)).is_err());
}

#[test]
fn a_hidden_participant_is_not_shown() {
    let mut meeting = Meeting::with(1);
    let mut hidden = join(2);
    hidden.grants.hidden = true;
    meeting.try_join(hidden).unwrap();
    meeting.connected(2);
    assert!(meeting.received(1).is_empty());
    meeting.join(3);
    let others = join_response(&meeting, 3).other_participants;
    assert_eq!(others.len(), 1);
}

#[test]
fn nothing_of_a_hidden_participant_reaches_the_others() {
    let mut meeting = Meeting::with(1);
    let mut hidden = join(2);
    hidden.grants.hidden = true;
    meeting.try_join(hidden).unwrap();
    meeting.connected(2);
    meeting.forget();
    let (microphone, _) = meeting.publish(2);
    let (track, level) = (track_of(&microphone), 0.5);
    meeting.input(Input::Media(Event::Level { track, level, speaking: true })).unwrap();
    meeting.wait(1);
    let grants = Grants::participant("code");
    meeting.input(Input::SetGrants { identity: identity(2), grants }).unwrap();
    assert!(meeting.received(1).is_empty(), "{:?}", meeting.received(1));
    meeting.offer(1, 2, JOIN);
    assert!(meeting.answer(1).mid_to_track_id.is_empty());
    meeting.join(3);
    let room = join_response(&meeting, 3).room.unwrap();
    assert_eq!((room.num_participants, room.num_publishers), (2, 0));
}

#[test]
fn a_recorder_is_shown_as_one() {
    let mut meeting = Meeting::with(1);
    let mut recorder = join(2);
    recorder.grants.recorder = true;
    meeting.try_join(recorder).unwrap();
    #[expect(deprecated, reason = "clients read it from here")]
    let shown = meeting.info(1, 2).permission.unwrap().recorder;
    assert!(shown);
}

#[test]
fn what_a_token_says_about_its_holder_reaches_the_others_and_the_next_token() {
    let mut meeting = Meeting::with(1);
    let mut agent = join(2);
    agent.metadata = "{\"seat\":4}".into();
    agent.attributes = [("team".to_owned(), "blue".to_owned())].into();
    agent.request.metadata = "not allowed".into();
    agent.request.participant_attributes = [("team".to_owned(), "red".to_owned())].into();
    meeting.try_join(agent).unwrap();
    let shown = meeting.info(1, 2);
    assert_eq!(
        (shown.metadata.as_str(), shown.attributes["team"].as_str()),
        ("{\"seat\":4}", "blue")
    );
    let token = meeting.last(2, |message| match message {
        Response::RefreshToken(token) => Some(token.clone()),
        _ => None,
    });
    let keys = |_: &str| Some("secret".to_owned());
    let claims = token::verify(&token, &keys, meeting.now.wall).unwrap();
    assert_eq!((claims.metadata, claims.attributes["team"].as_str()), (shown.metadata, "blue"));
}

#[test]
fn a_client_that_may_adds_its_own_words_to_its_token_s() {
    let mut meeting = Meeting::with(1);
    let mut agent = join(2);
    agent.grants.can_update_own_metadata = Some(true);
    agent.metadata = "token's".into();
    agent.attributes = [("team", "blue"), ("lang", "de")].map(|(k, v)| (k.into(), v.into())).into();
    agent.request.participant_attributes = [("team".to_owned(), "red".to_owned())].into();
    meeting.try_join(agent).unwrap();
    let shown = meeting.info(1, 2);
    assert_eq!(shown.metadata, "token's");
    assert_eq!(
        (shown.attributes["team"].as_str(), shown.attributes["lang"].as_str()),
        ("red", "de")
    );
}
