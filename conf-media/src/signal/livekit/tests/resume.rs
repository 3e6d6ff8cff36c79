//! Cut websockets, failed media, and coming back.

use super::*;
use proto::leave_request::Action;
use proto::participant_info::State;

fn cut(meeting: &mut Meeting, number: u64) {
    meeting.input(Input::Closed { connection: ConnectionId(number) }).unwrap();
}

#[test]
fn a_cut_websocket_changes_nothing_for_thirty_seconds() {
    let mut meeting = Meeting::with(2);
    meeting.publish(1);
    meeting.forget();
    cut(&mut meeting, 1);
    meeting.wait(29);
    assert!(meeting.received(2).is_empty() && meeting.commands.is_empty());
    meeting.wait(2);
    assert_eq!(meeting.info(2, 1).state(), State::Disconnected);
    assert!(meeting.facts.contains(&Fact::Gone { identity: identity(1) }));
    assert!(matches!(meeting.commands[..], [Command::RemovePeer { peer: PeerId(1) }]));
}

#[test]
fn a_resume_starts_with_reconnect_then_all_participants_then_the_room() {
    let mut meeting = Meeting::with(3);
    cut(&mut meeting, 1);
    meeting.wait(10);
    meeting.try_join(resume(1, 11)).unwrap();
    let received = meeting.received(11);
    let Response::Reconnect(reconnect) = received[0] else { panic!("{:?}", received[0]) };
    assert_eq!(reconnect.server_info.as_ref().unwrap().protocol, 17);
    let Response::Update(update) = received[1] else { panic!("{:?}", received[1]) };
    assert_eq!(update.participants.len(), 3, "a client drops those that are not listed");
    let Response::RoomUpdate(room) = received[2] else { panic!("{:?}", received[2]) };
    assert!(room.room.as_ref().unwrap().sid.starts_with("RM_"));
    assert!(meeting.commands.is_empty(), "media flows on");
    meeting.wait(600);
    assert_eq!(meeting.signal.participants(), 3);
}

#[test]
fn a_resume_without_media_lasts_no_longer_than_the_grace() {
    let mut meeting = Meeting::with(2);
    for back in [true, false] {
        let (peer, connection) = (PeerId(1), if back { 11 } else { 12 });
        meeting.input(Input::Media(Event::Disconnected { peer })).unwrap();
        cut(&mut meeting, if back { 1 } else { 11 });
        meeting.try_join(resume(1, connection)).unwrap();
        meeting.wait(20);
        if back {
            meeting.input(Input::Media(Event::Reconnected { peer })).unwrap();
        }
        meeting.wait(20);
        assert_eq!(meeting.signal.participants(), if back { 2 } else { 1 });
    }
    assert!(meeting.facts.contains(&Fact::Gone { identity: identity(1) }));
}

#[test]
fn the_offer_after_a_resume_restarts_ice_with_new_credentials() {
    let mut meeting = Meeting::with(1);
    meeting.publish(1);
    let ufrag = |meeting: &Meeting, number| {
        let sdp = meeting.answer(number).sdp;
        let line = sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap();
        line.to_owned()
    };
    let before = ufrag(&meeting, 1);
    cut(&mut meeting, 1);
    meeting.try_join(resume(1, 11)).unwrap();
    meeting.forget();
    meeting.offer(11, 6, RESTART);
    let after = ufrag(&meeting, 11);
    assert_ne!(before, after);
    let restarted = meeting.commands.iter().find_map(|command| match command {
        Command::RestartIce { peer: PeerId(1), credentials } => Some(credentials.ufrag.clone()),
        _ => None,
    });
    assert_eq!(restarted.map(|ufrag| format!("a=ice-ufrag:{ufrag}")), Some(after.clone()));
    meeting.offer(11, 7, RESTART);
    assert_eq!(ufrag(&meeting, 11), after, "the same offer restarts nothing");
}

#[test]
fn tracks_published_meanwhile_wait_in_the_first_answer_after_a_resume() {
    let mut meeting = Meeting::with(2);
    cut(&mut meeting, 2);
    let (_, camera) = meeting.publish(1);
    assert!(meeting.requirements(2).is_empty());
    meeting.try_join(resume(2, 12)).unwrap();
    meeting.offer(12, 2, JOIN);
    assert!(meeting.answer(12).mid_to_track_id.values().any(|sid| *sid == camera));
}

#[test]
fn a_resume_without_a_session_is_told_to_join_anew_and_nothing_else() {
    let mut meeting = Meeting::with(1);
    assert_eq!(meeting.try_join(resume(2, 12)), Err(Refusal::NothingToResume));
    let leave = meeting.farewell(12);
    assert_eq!(leave.reason(), proto::DisconnectReason::StateMismatch);
    assert_eq!((leave.action(), leave.can_reconnect), (Action::Reconnect, true));
    assert_eq!((meeting.received(12).len(), meeting.closed.as_slice()), (1, [12].as_slice()));
    assert!(meeting.received(1).is_empty());
    let mut other_session = resume(1, 13);
    other_session.request.participant_sid = "PA_ffff".into();
    assert_eq!(meeting.try_join(other_session), Err(Refusal::NothingToResume));
}

#[test]
fn a_resume_without_a_sid_is_no_duplicate() {
    let mut meeting = Meeting::with(1);
    let mut android = resume(1, 11);
    android.request.participant_sid = String::new();
    meeting.try_join(android).unwrap();
    assert!(matches!(meeting.received(11)[0], Response::Reconnect(_)));
    assert_eq!(meeting.closed, [1], "the half-open one goes without a word");
    assert!(meeting.received(1).is_empty());
    cut(&mut meeting, 1);
    meeting.wait(60);
    assert_eq!(meeting.signal.participants(), 1);
}

#[test]
fn a_sync_state_that_lists_no_subscription_unsubscribes_nothing() {
    let mut meeting = Meeting::with(2);
    meeting.publish(1);
    meeting.offer(2, 2, JOIN);
    cut(&mut meeting, 2);
    meeting.try_join(resume(2, 12)).unwrap();
    meeting.forget();
    let subscription = proto::UpdateSubscription { subscribe: true, ..Default::default() };
    let state = proto::SyncState { subscription: Some(subscription), ..Default::default() };
    meeting.say(12, Request::SyncState(state)).unwrap();
    assert!(meeting.commands.is_empty() && meeting.received(12).is_empty());
}

#[test]
fn a_client_that_believes_in_a_track_we_do_not_know_joins_anew() {
    let mut meeting = Meeting::with(2);
    let info = proto::TrackInfo { sid: "TR_0123".into(), ..Default::default() };
    let published = proto::TrackPublishedResponse { cid: "c".into(), track: Some(info) };
    let state = proto::SyncState { publish_tracks: vec![published], ..Default::default() };
    assert_eq!(meeting.say(1, Request::SyncState(state)), Err(Refusal::UnknownTrack));
    let leave = meeting.farewell(1);
    assert_eq!(leave.reason(), proto::DisconnectReason::StateMismatch);
    assert_eq!(leave.action(), Action::Reconnect);
}

#[test]
fn failed_media_sends_the_client_to_join_anew() {
    let mut meeting = Meeting::with(2);
    let (peer, reason) = (PeerId(1), "handshake".to_owned());
    meeting.input(Input::Media(Event::Failed { peer, reason })).unwrap();
    assert_eq!(meeting.farewell(1).action(), Action::Reconnect);
    assert_eq!(meeting.closed, [1]);
    assert!(meeting.facts.contains(&Fact::Gone { identity: identity(1) }));
    meeting.input(Input::Media(Event::Disconnected { peer })).unwrap();
    meeting.join(1);
    assert_eq!(meeting.info(2, 1).state(), State::Joined);
}

#[test]
fn media_that_is_away_longer_than_the_grace_ends_the_visit_and_no_sooner() {
    let mut meeting = Meeting::with(1);
    let peer = PeerId(1);
    meeting.input(Input::Media(Event::Disconnected { peer })).unwrap();
    meeting.wait(20);
    meeting.input(Input::Media(Event::Reconnected { peer })).unwrap();
    meeting.wait(60);
    assert_eq!(meeting.signal.participants(), 1);
    meeting.input(Input::Media(Event::Disconnected { peer })).unwrap();
    meeting.wait(31);
    assert_eq!(meeting.signal.participants(), 0);
    assert_eq!(meeting.farewell(1).action(), Action::Reconnect);
}

#[test]
fn an_old_token_gives_no_rights_back_on_a_resume() {
    let mut meeting = Meeting::with(1);
    let mut grants = Grants::participant("code");
    grants.can_publish = Some(false);
    meeting.input(Input::SetGrants { identity: identity(1), grants }).unwrap();
    meeting.try_join(resume(1, 11)).unwrap();
    meeting.say(11, Request::AddTrack(add_track(Source::Camera, "c"))).unwrap();
    let reason = meeting.refusal(11).reason();
    assert_eq!(reason, proto::request_response::Reason::NotAllowed);
}
