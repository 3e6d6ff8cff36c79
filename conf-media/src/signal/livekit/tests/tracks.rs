//! Publishing, subscribing, muting, speaking.

use super::*;
use livekit_protocol::StreamState;

#[test]
fn a_track_is_announced_published_and_told_to_the_others_before_its_media() {
    let mut meeting = Meeting::with(2);
    let sid = meeting.announce(1, Source::Microphone, "m");
    assert!(sid.starts_with("TR_"));
    assert!(meeting.commands.is_empty(), "nothing to receive yet");
    meeting.offer(1, 2, MICROPHONE);
    let Some(Command::Publish { track, peer, publication }) = meeting.commands.first() else {
        panic!("{:?}", meeting.commands)
    };
    assert_eq!((*track, *peer), (track_of(&sid), PeerId(1)));
    assert_eq!(publication.mid.as_str(), "7");
    let info = meeting.info(2, 1);
    assert!(info.is_publisher);
    assert_eq!((info.tracks[0].sid.as_str(), info.tracks[0].mid.as_str()), (sid.as_str(), "7"));
    assert_eq!(info.tracks[0].mime_type, "audio/opus");
    assert!(matches!(meeting.received(2)[0], Response::Update(_)), "before the requirement");
    assert_eq!(meeting.facts, [track_fact(1, Source::Microphone, TrackState::On)]);
    assert!(meeting.answer(1).sdp.contains("a=recvonly"));
    assert!(meeting.answer(1).mid_to_track_id.is_empty());
}

/// A browser sends the first codec of the answer, and clients leave the order to the server.
#[test]
fn the_codec_that_was_announced_goes_first_in_the_answer() {
    for (name, mime) in [("vp9", "video/VP9"), ("h264", "video/H264"), ("av1", "video/AV1")] {
        let mut meeting = Meeting::with(2);
        let mut announced = add_track(Source::Camera, "c");
        let codec = proto::SimulcastCodec { codec: name.into(), ..Default::default() };
        announced.simulcast_codecs.push(codec);
        meeting.say(1, Request::AddTrack(announced)).unwrap();
        meeting.offer(1, 2, CAMERA);
        assert_eq!(meeting.info(2, 1).tracks[0].mime_type, mime);
        let answer = meeting.answer(1).sdp;
        let (_, section) = answer.split_once("a=recvonly").unwrap();
        let first = section.split("a=rtpmap:").nth(1).unwrap();
        let codec = first.split([' ', '/']).nth(1).unwrap();
        assert!(codec.eq_ignore_ascii_case(name), "{codec} is first, {name} was announced");
        let repair = section.split("a=rtpmap:").nth(2).unwrap();
        assert!(repair.contains("rtx/90000"), "its repair stays beside it: {repair}");
    }
}

#[test]
fn a_subscriber_is_asked_for_an_offer_and_its_free_sections_are_used() {
    let mut meeting = Meeting::with(2);
    let (microphone, camera) = meeting.publish(1);
    assert_eq!(meeting.requirements(2), [(0, 0)], "asked once; three of each are free");
    meeting.offer(2, 2, JOIN);
    let answer = meeting.answer(2);
    let map = &answer.mid_to_track_id;
    assert_eq!((map.len(), &map["0"], &map["3"]), (2, &microphone, &camera));
    let subscribed: Vec<_> = meeting
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Subscribe { track, peer, subscription } => Some((*track, *peer, subscription)),
            _ => None,
        })
        .collect();
    let [(first, _, audio), (second, PeerId(2), video)] = subscribed.as_slice() else {
        panic!("{subscribed:?}")
    };
    assert_eq!((*first, *second), (track_of(&microphone), track_of(&camera)));
    assert_eq!((audio.mid.as_str(), video.mid.as_str()), ("0", "3"));
    assert_eq!(audio.cname, video.cname, "sound and picture stay together");
    assert!(video.rtx_ssrc.is_some() && audio.rtx_ssrc.is_none());
    assert!(answer.sdp.contains(&format!("a=ssrc:{} cname:{}", video.ssrc, video.cname)));
    let before = meeting.commands.len();
    meeting.offer(2, 3, JOIN);
    assert_eq!(meeting.answer(2).mid_to_track_id, answer.mid_to_track_id, "full map every time");
    assert_eq!(meeting.commands.len(), before, "and nothing new for the engine");
}

#[test]
fn missing_sections_are_asked_for_by_number() {
    let mut meeting = Meeting::with(5);
    for number in 1..=4 {
        meeting.announce(number, Source::Microphone, "m");
        meeting.offer(number, 2, MICROPHONE);
    }
    meeting.offer(5, 2, JOIN);
    assert_eq!(meeting.answer(5).mid_to_track_id.len(), 3, "three sections, four tracks");
    assert_eq!(meeting.requirements(5), [(0, 0), (1, 0)]);
    // An offer with the same sections brings it no further; it is asked three times, not for ever.
    for id in 3..20 {
        meeting.offer(5, id, JOIN);
    }
    assert!(meeting.requirements(5).len() <= 5, "{:?}", meeting.requirements(5));
}

#[test]
fn a_section_is_inactive_once_before_it_carries_another_track() {
    let mut meeting = Meeting::with(2);
    let (_, camera) = meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    let screen = meeting.announce(1, Source::ScreenShare, "s");
    meeting.offer(1, 4, SCREEN);
    meeting.offer(1, 5, CAMERA_OFF);
    meeting.offer(2, 3, JOIN);
    let map = meeting.answer(2).mid_to_track_id;
    assert_eq!(map.get("4"), Some(&screen), "the browser would not notice a change on 3");
    assert!(!map.contains_key("3") && !map.values().any(|sid| *sid == camera));
    assert!(meeting.facts.contains(&track_fact(1, Source::Camera, TrackState::Off)));
    let unpublished = Command::Unpublish { track: track_of(&camera) };
    let unpublished = format!("{unpublished:?}");
    assert!(meeting.commands.iter().any(|command| format!("{command:?}") == unpublished));
    assert_eq!(meeting.info(2, 1).tracks.len(), 2, "a missing sid means unpublished");
}

#[test]
fn simulcast_is_published_with_three_encodings_and_described_so() {
    let mut meeting = Meeting::with(2);
    let (_, camera) = meeting.publish(1);
    let publications = meeting.commands.iter().filter_map(|command| match command {
        Command::Publish { track, publication, .. } if *track == track_of(&camera) => {
            Some(publication)
        }
        _ => None,
    });
    let publication = publications.last().unwrap();
    assert_eq!(publication.encodings.len(), 3);
    let tracks = meeting.info(2, 1).tracks;
    let info = tracks.iter().find(|track| track.sid == camera).unwrap();
    #[expect(deprecated, reason = "clients still read it")]
    let simulcast = info.simulcast;
    assert!(simulcast && info.mime_type == "video/VP8" && info.codecs[0].mid == "8");
}

#[test]
fn a_track_is_matched_by_its_name_and_otherwise_by_kind_and_order() {
    let mut meeting = Meeting::with(1);
    let offer = crate::sdp::Offer::parse(SCREEN).unwrap();
    let names: Vec<String> = offer
        .sections
        .iter()
        .filter_map(|section| section.msid.as_ref().map(|msid| msid.track.clone()))
        .collect();
    let [_, camera_cid, screen_cid] = names.as_slice() else { panic!("{names:?}") };
    // Announced in another order than offered, with the braces of Firefox on one of them.
    let screen = meeting.announce(1, Source::ScreenShare, screen_cid);
    let camera = meeting.announce(1, Source::Camera, &format!("{{{camera_cid}}}"));
    let microphone = meeting.announce(1, Source::Microphone, "unlike the offer's");
    meeting.offer(1, 2, SCREEN);
    let mids: Vec<_> = meeting
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Publish { track, publication, .. } => Some((*track, publication.mid.as_str())),
            _ => None,
        })
        .collect();
    let expected = [(microphone, "7"), (camera, "8"), (screen, "9")];
    assert_eq!(mids, expected.map(|(sid, mid)| (track_of(&sid), mid)));
}

#[test]
fn an_unannounced_track_is_not_taken() {
    let mut meeting = Meeting::with(2);
    meeting.offer(1, 2, CAMERA);
    assert!(meeting.commands.is_empty());
    assert!(!meeting.answer(1).sdp.contains("a=recvonly"));
    assert!(meeting.received(2).is_empty());
}

#[test]
fn mute_is_told_to_the_engine_the_others_and_the_meeting() {
    let mut meeting = Meeting::with(2);
    let (sid, _) = meeting.publish(1);
    meeting.forget();
    let mute = |muted| Request::Mute(proto::MuteTrackRequest { sid: sid.clone(), muted });
    meeting.say(1, mute(true)).unwrap();
    assert!(matches!(meeting.commands[..], [Command::Mute { muted: true, .. }]));
    assert!(meeting.info(2, 1).tracks[0].muted);
    assert_eq!(meeting.facts, [track_fact(1, Source::Microphone, TrackState::Muted)]);
    meeting.say(1, mute(true)).unwrap();
    assert_eq!(meeting.commands.len(), 1, "the same again is nothing");
    meeting.say(1, mute(false)).unwrap();
    assert!(!meeting.info(2, 1).tracks[0].muted);
    assert_eq!(meeting.facts[1], track_fact(1, Source::Microphone, TrackState::On));
}

#[test]
fn a_mute_by_the_meeting_reaches_its_owner_who_may_unmute() {
    let mut meeting = Meeting::with(2);
    let (sid, _) = meeting.publish(1);
    meeting.forget();
    let (who, source) = (identity(1), Source::Microphone);
    meeting.input(Input::Mute { identity: who, source }).unwrap();
    let expected = proto::MuteTrackRequest { sid: sid.clone(), muted: true };
    assert_eq!(meeting.received(1), [&Response::Mute(expected)], "no update: it would contradict");
    assert!(meeting.info(2, 1).tracks[0].muted);
    let unmute = proto::MuteTrackRequest { sid, muted: false };
    meeting.say(1, Request::Mute(unmute)).unwrap();
    assert!(matches!(
        meeting.commands[..],
        [Command::Mute { muted: true, .. }, Command::Mute { muted: false, .. }]
    ));
}

#[test]
fn a_track_that_is_announced_muted_starts_muted() {
    let mut meeting = Meeting::with(1);
    let mut request = add_track(Source::Microphone, "m");
    request.muted = true;
    meeting.say(1, Request::AddTrack(request)).unwrap();
    meeting.offer(1, 2, MICROPHONE);
    assert!(matches!(
        meeting.commands[..],
        [Command::Publish { .. }, Command::Mute { muted: true, .. }]
    ));
    assert_eq!(meeting.facts, [track_fact(1, Source::Microphone, TrackState::Muted)]);
}

#[test]
fn without_auto_subscribe_a_track_flows_only_when_asked_for() {
    let mut meeting = Meeting::with(1);
    let (microphone, camera) = meeting.publish(1);
    let mut selective = join(2);
    selective.request.connection_settings = Some(proto::ConnectionSettings::default());
    meeting.try_join(selective).unwrap();
    assert!(meeting.answer(2).mid_to_track_id.is_empty());
    let wish = |sid: &str, subscribe| {
        let track_sids = vec![sid.to_owned()];
        Request::Subscription(proto::UpdateSubscription {
            track_sids,
            subscribe,
            ..Default::default()
        })
    };
    meeting.say(2, wish(&camera, true)).unwrap();
    assert_eq!(meeting.requirements(2), [(0, 0)]);
    meeting.offer(2, 2, JOIN);
    assert_eq!(meeting.answer(2).mid_to_track_id.len(), 1);
    meeting.forget();
    meeting.say(2, wish(&camera, false)).unwrap();
    assert!(matches!(meeting.commands[..], [Command::Unsubscribe { .. }]));
    meeting.say(2, wish(&camera, true)).unwrap();
    assert!(matches!(meeting.commands[1..], [Command::Subscribe { .. }]), "its section waits");
    meeting.say(2, wish("TR_0", true)).unwrap();
    let missing = meeting.last(2, |message| match message {
        Response::SubscriptionResponse(response) => Some(response.err()),
        _ => None,
    });
    assert_eq!(missing, proto::SubscriptionError::SeTrackNotfound);
    assert!(!meeting.commands.iter().any(|command| {
        matches!(command, Command::Subscribe { track, .. } if *track == track_of(&microphone))
    }));
}

#[test]
fn a_hidden_tile_pauses_its_track_without_a_negotiation() {
    let mut meeting = Meeting::with(2);
    let (_, camera) = meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    meeting.forget();
    let setting = |disabled| {
        let track_sids = vec![camera.clone()];
        Request::TrackSetting(proto::UpdateTrackSettings {
            track_sids,
            disabled,
            ..Default::default()
        })
    };
    meeting.say(2, setting(true)).unwrap();
    meeting.say(2, setting(true)).unwrap();
    meeting.say(2, setting(false)).unwrap();
    assert!(matches!(
        meeting.commands[..],
        [
            Command::Pause { paused: true, .. },
            Command::Pause { paused: false, .. },
            Command::Prefer { .. }
        ]
    ));
    assert!(meeting.received(2).is_empty());
}

#[test]
fn speakers_are_told_in_batches_and_fall_silent_when_muted() {
    let mut meeting = Meeting::with(2);
    let (sid, _) = meeting.publish(1);
    meeting.forget();
    let track = track_of(&sid);
    for level in [0.1, 0.4, 0.7] {
        meeting.input(Input::Media(Event::Level { track, level, speaking: true })).unwrap();
    }
    assert!(meeting.received(2).is_empty());
    meeting.wait(1);
    let speakers = |meeting: &Meeting| {
        meeting.last(2, |message| match message {
            Response::SpeakersChanged(changed) => Some(changed.speakers.clone()),
            _ => None,
        })
    };
    let loud = proto::SpeakerInfo { sid: "PA_0000000000000001".into(), level: 0.7, active: true };
    assert_eq!(speakers(&meeting), [loud]);
    assert_eq!(meeting.received(2).len(), 1);
    let speaking = |speaking| Fact::Speaking { identity: identity(1), speaking };
    assert_eq!(meeting.facts, [speaking(true)]);
    meeting.say(1, Request::Mute(proto::MuteTrackRequest { sid, muted: true })).unwrap();
    assert!(!speakers(&meeting)[0].active);
    assert_eq!(meeting.facts[1], speaking(false));
    meeting.input(Input::Media(Event::Level { track, level: 0.5, speaking: true })).unwrap();
    assert_eq!(meeting.signal.timeout().map(|at| at > meeting.now.mono), Some(true));
    assert!(!meeting.facts.contains(&Fact::Speaking { identity: identity(2), speaking: true }));
}

#[test]
fn a_microphone_that_is_not_among_the_loudest_pauses_at_those_who_receive_it() {
    let mut meeting = Meeting::with(3);
    let (sid, _) = meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    meeting.forget();
    let track = track_of(&sid);
    for (heard, state) in [(false, StreamState::Paused), (true, StreamState::Active)] {
        meeting.input(Input::Media(Event::Heard { track, heard })).unwrap();
        let told = meeting.last(2, |message| match message {
            Response::StreamStateUpdate(update) => Some(update.stream_states.clone()),
            _ => None,
        });
        let [info] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((info.track_sid.as_str(), info.state()), (sid.as_str(), state));
        assert_eq!(info.participant_sid, "PA_0000000000000001");
    }
    assert!(meeting.received(1).is_empty() && meeting.received(3).is_empty());
    meeting.input(Input::Media(Event::Heard { track: TrackId(404), heard: false })).unwrap();
}

#[test]
fn a_viewer_s_grants_are_enforced_and_a_change_ends_what_they_forbid() {
    let mut meeting = Meeting::with(2);
    let (microphone, _) = meeting.publish(1);
    meeting.forget();
    let mut grants = Grants::participant("code");
    grants.can_publish_sources = vec![Source::Camera];
    meeting.input(Input::SetGrants { identity: identity(1), grants }).unwrap();
    assert!(meeting.received(1).iter().any(|message| matches!(message,
        Response::TrackUnpublished(gone) if gone.track_sid == microphone)));
    let me = meeting.info(1, 1);
    assert_eq!(me.permission.unwrap().can_publish_sources, [Source::Camera.to_wire()]);
    assert!(meeting.received(1).iter().any(|m| matches!(m, Response::RefreshToken(_))));
    assert_eq!(meeting.facts, [track_fact(1, Source::Microphone, TrackState::Off)]);
    meeting.say(1, Request::AddTrack(add_track(Source::Microphone, "again"))).unwrap();
    let refusal = meeting.refusal(1);
    assert_eq!(refusal.reason(), proto::request_response::Reason::NotAllowed);
    let Some(proto::request_response::Request::AddTrack(echo)) = refusal.request else { panic!() };
    assert_eq!(echo.cid, "again");
    // Its section is still offered, but is no guess for the next announced track.
    meeting.forget();
    meeting.offer(1, 9, CAMERA);
    assert!(meeting.commands.is_empty(), "{:?}", meeting.commands);
}
