//! Bad input: the sender is told, nobody else notices.

use super::*;
use proto::request_response::Reason;

fn raw(meeting: &mut Meeting, bytes: &[u8]) -> Result<(), Refusal> {
    meeting.input(Input::Message { connection: ConnectionId(1), bytes })
}

#[test]
fn a_message_that_is_no_protobuf_is_refused_and_the_session_lives() {
    let mut meeting = Meeting::with(2);
    assert_eq!(raw(&mut meeting, &[0xFF, 0xFF, 0xFF]), Err(Refusal::Malformed));
    assert_eq!(meeting.refusal(1).reason(), Reason::InvalidRequest);
    assert!(meeting.received(2).is_empty() && meeting.closed.is_empty());
    meeting.offer(1, 2, JOIN);
    assert_eq!(meeting.answer(1).id, 2);
}

#[test]
fn an_unknown_request_of_a_newer_client_is_skipped() {
    let mut meeting = Meeting::with(1);
    assert_eq!(raw(&mut meeting, &[0xFA, 0x3F, 0x00]), Ok(())); // field 1023, empty
    assert!(meeting.received(1).is_empty());
}

#[test]
fn a_message_over_a_mebibyte_is_refused_with_the_limit() {
    let mut meeting = Meeting::with(1);
    let limit = 1024 * 1024 + 1024;
    let long = vec![0; limit + 1];
    let refused = Refusal::MessageTooLarge { len: long.len(), limit };
    assert_eq!(raw(&mut meeting, &long), Err(refused));
    assert_eq!(meeting.refusal(1).reason(), Reason::LimitExceeded);
    assert!(meeting.refusal(1).message.contains("1049600"));
}

#[test]
fn long_messages_are_refused_sooner_than_short_ones() {
    let mut meeting = Meeting::with(1);
    let metadata = "x".repeat(800_000);
    let long = || {
        let metadata = metadata.clone();
        Request::UpdateMetadata(proto::UpdateParticipantMetadata { metadata, ..Default::default() })
    };
    let read = (0..20).filter(|_| !too_fast(&meeting.say(1, long()))).count();
    assert_eq!(read, 15, "each counts as thirteen");
    assert!(meeting.say(1, Request::Ping(1)).is_ok(), "a ping is still heard");
    meeting.wait(1);
    let read = (0..20).filter(|_| !too_fast(&meeting.say(1, long()))).count();
    assert_eq!(read, 4);
}

fn too_fast(done: &Result<(), Refusal>) -> bool {
    matches!(done, Err(Refusal::TooFast { .. }))
}

#[test]
fn a_flood_is_refused_and_a_second_later_fifty_more_are_heard() {
    let mut meeting = Meeting::with(1);
    let ping = || Request::Ping(1);
    let heard = (0..500).filter(|_| meeting.say(1, ping()).is_ok()).count();
    assert_eq!(heard, 200);
    assert_eq!(meeting.say(1, ping()), Err(Refusal::TooFast { limit: 50 }));
    meeting.wait(1);
    let heard = (0..500).filter(|_| meeting.say(1, ping()).is_ok()).count();
    assert_eq!(heard, 50);
    meeting.wait(3600);
    assert_eq!((0..500).filter(|_| meeting.say(1, ping()).is_ok()).count(), 200);
}

#[test]
fn an_offer_that_cannot_be_answered_is_refused_and_changes_nothing() {
    let mut meeting = Meeting::with(2);
    let (_, camera) = meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    meeting.forget();
    let broken = JOIN.replace("a=mid:4", "a=mid:3");
    let offer = proto::SessionDescription { sdp: broken, id: 3, ..Default::default() };
    let refused = meeting.say(2, Request::Offer(offer));
    assert_eq!(refused, Err(Refusal::Sdp(crate::sdp::SdpError::Mid)));
    assert!(meeting.commands.is_empty() && meeting.received(1).is_empty());
    meeting.offer(2, 4, JOIN);
    assert!(meeting.answer(2).mid_to_track_id.values().any(|sid| *sid == camera));
}

#[test]
fn a_join_with_an_unreadable_offer_is_turned_away_before_anybody_hears_of_it() {
    let mut meeting = Meeting::with(1);
    let mut join = join(2);
    join.request.publisher_offer.as_mut().unwrap().sdp = "v=1".into();
    let refused = meeting.try_join(join);
    assert_eq!(refused, Err(Refusal::Sdp(crate::sdp::SdpError::Version)));
    assert_eq!(meeting.farewell(2).reason(), proto::DisconnectReason::JoinFailure);
    assert_eq!(meeting.closed, [2]);
    assert!(meeting.received(1).is_empty() && meeting.commands.is_empty());
}

#[test]
fn another_certificate_within_a_session_is_refused() {
    let mut meeting = Meeting::with(1);
    let other = JOIN.replace("a=fingerprint:sha-256 13:E6", "a=fingerprint:sha-256 00:00");
    assert_ne!(other, JOIN);
    let offer = proto::SessionDescription { sdp: other, id: 2, ..Default::default() };
    assert_eq!(meeting.say(1, Request::Offer(offer)), Err(Refusal::FingerprintChanged));
    assert!(meeting.commands.is_empty());
}

#[test]
fn the_seventeenth_track_is_refused_with_the_limit() {
    let mut meeting = Meeting::with(1);
    for number in 0..16 {
        meeting.announce(1, Source::Camera, &format!("c{number}"));
    }
    meeting.say(1, Request::AddTrack(add_track(Source::Camera, "c16"))).unwrap();
    let refusal = meeting.refusal(1);
    assert_eq!(refusal.reason(), Reason::LimitExceeded);
    assert!(refusal.message.contains("16"), "{}", refusal.message);
    let again = meeting.announce(1, Source::Camera, "c3");
    assert!(again.starts_with("TR_"), "an announcement may be repeated");
}

#[test]
fn nobody_mutes_or_changes_a_track_of_another() {
    let mut meeting = Meeting::with(2);
    let (sid, _) = meeting.publish(1);
    meeting.forget();
    let mute = proto::MuteTrackRequest { sid: sid.clone(), muted: true };
    assert_eq!(meeting.say(2, Request::Mute(mute)), Err(Refusal::UnknownTrack));
    let update = proto::UpdateLocalVideoTrack { track_sid: sid, width: 1, height: 1 };
    assert_eq!(meeting.say(2, Request::UpdateVideoTrack(update)), Err(Refusal::UnknownTrack));
    assert_eq!(meeting.refusal(2).reason(), Reason::NotFound);
    assert!(meeting.commands.is_empty() && meeting.received(1).is_empty());
}

#[test]
fn metadata_needs_the_grant_and_is_mirrored_with_it() {
    let mut meeting = Meeting::with(2);
    let request = |id| {
        let mut request = proto::UpdateParticipantMetadata { request_id: id, ..Default::default() };
        request.attributes.insert("hand".into(), "up".into());
        Request::UpdateMetadata(request)
    };
    meeting.say(1, request(5)).unwrap();
    let refusal = meeting.refusal(1);
    assert_eq!((refusal.request_id, refusal.reason()), (5, Reason::NotAllowed));
    assert!(meeting.received(2).is_empty());
    let mut grants = Grants::participant("code");
    grants.can_update_own_metadata = Some(true);
    meeting.input(Input::SetGrants { identity: identity(1), grants }).unwrap();
    meeting.say(1, request(6)).unwrap();
    assert_eq!((meeting.refusal(1).request_id, meeting.refusal(1).reason()), (6, Reason::Ok));
    assert_eq!(meeting.info(2, 1).attributes["hand"], "up");
    assert_eq!(meeting.info(1, 1).attributes["hand"], "up");
    let metadata = "x".repeat(16 * 1024 + 1);
    let long = proto::UpdateParticipantMetadata { metadata, ..Default::default() };
    meeting.say(1, Request::UpdateMetadata(long)).unwrap();
    assert_eq!(meeting.refusal(1).reason(), Reason::LimitExceeded);
}

#[test]
fn what_every_client_sends_on_the_side_is_taken_quietly() {
    let mut meeting = Meeting::with(1);
    let end = proto::TrickleRequest {
        candidate_init: r#"{"candidate":""}"#.into(),
        ..Default::default()
    };
    meeting.say(1, Request::Trickle(end)).unwrap();
    // Browsers hide their addresses behind names that only their own network knows (mDNS).
    let hidden = r#"{"candidate":"candidate:1 1 udp 2113937151 6d1c9c1e-3e5c-4e59-8a5b-2f5f7a1d0b7e.local 54321 typ host"}"#;
    let hidden = proto::TrickleRequest { candidate_init: hidden.into(), ..Default::default() };
    meeting.say(1, Request::Trickle(hidden)).unwrap();
    let all = proto::SubscriptionPermission { all_participants: true, ..Default::default() };
    meeting.say(1, Request::SubscriptionPermission(all)).unwrap();
    assert!(meeting.received(1).is_empty());
}

#[test]
fn nothing_personal_is_printed() {
    let join = join(1);
    let text = format!("{:?} {:?}", Input::Join(join), identity(1));
    assert!(!text.contains("Name") && !text.contains("p-0"), "{text}");
    let mut meeting = Meeting::with(2);
    meeting.publish(1);
    let outputs = format!("{:?} {:?} {:?}", meeting.signal, meeting.facts, meeting.commands);
    assert!(!outputs.contains("Name") && !outputs.contains("p-0"), "{outputs}");
}

#[test]
fn damaged_messages_never_panic() {
    let mut meeting = Meeting::with(2);
    let offer = proto::SessionDescription { sdp: CAMERA.into(), id: 2, ..Default::default() };
    let message = Request::Offer(offer);
    let bytes = proto::SignalRequest { message: Some(message) }.encode_to_vec();
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state % damaged.len() as u64).unwrap();
            damaged[at] = state.to_le_bytes()[7];
        }
        meeting.wait(1);
        let _refused = raw(&mut meeting, &damaged);
    }
    assert!(meeting.signal.participants() >= 1);
}
