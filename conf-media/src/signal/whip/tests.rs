//! Tools and websocket clients in one meeting in memory, simulated time.

use super::*;
use crate::command::{Command, Event, Subscription, TrackId};
use crate::signal::livekit::tests::{CAMERA, JOIN, Meeting, identity, track_fact, track_of};
use crate::signal::types::{Input, Source, TrackState};
use crate::srtp::Profile;

/// In the shape that OBS Studio offers: H.264 and Opus, no header extensions.
const OBS: &str = include_str!("../../../tests/sdp/obs_whip.sdp");
/// In the shape that GStreamer offers: VP8 with RTX first, a sound that is bundled only.
const GSTREAMER: &str = include_str!("../../../tests/sdp/gstreamer_whip.sdp");
const FIREFOX: &str = include_str!("../../../tests/sdp/firefox_join.sdp");

fn claims(name: &str, grants: Grants) -> Claims {
    Claims {
        identity: Identity::new(name),
        name: name.into(),
        grants,
        metadata: String::new(),
        attributes: Default::default(),
    }
}

fn publish_with(
    meeting: &mut Meeting,
    peer: u64,
    grants: Grants,
    sdp: &str,
) -> Result<(), Refusal> {
    let publish = Publish {
        peer: PeerId(peer),
        claims: claims(&format!("tool {peer}"), grants),
        sid_number: peer,
        offer: Offer::parse(sdp).unwrap(),
    };
    meeting.input(Input::Publish(Box::new(publish)))
}

fn publish(meeting: &mut Meeting, peer: u64, sdp: &str) {
    publish_with(meeting, peer, Grants::participant("code"), sdp).unwrap();
}

fn play_as(
    meeting: &mut Meeting,
    peer: u64,
    identity: Identity,
    of: Option<Identity>,
    sdp: &str,
) -> Result<(), Refusal> {
    let offer = Offer::parse(sdp).unwrap();
    meeting.input(Input::Play(Box::new(Play { peer: PeerId(peer), identity, of, offer })))
}

fn play(meeting: &mut Meeting, peer: u64, sdp: &str) {
    play_as(meeting, peer, Identity::new("player"), None, sdp).unwrap();
}

/// The first `audio` and `video` receiving sections of a browser's offer.
fn slots(audio: usize, video: usize) -> String {
    let (mut kept, mut left) = (String::new(), (audio, video));
    for (at, part) in JOIN.split("m=").enumerate() {
        let wanted = match at {
            0 => true,
            _ if part.starts_with("audio") => left.0.checked_sub(1).map(|n| left.0 = n).is_some(),
            _ if part.starts_with("video") => left.1.checked_sub(1).map(|n| left.1 = n).is_some(),
            _ => false,
        };
        if wanted {
            kept.push_str(if at == 0 { "" } else { "m=" });
            kept.push_str(part);
        }
    }
    kept
}

fn connected(meeting: &mut Meeting, peer: u64) {
    let profile = Profile::AeadAes128Gcm;
    meeting.input(Input::Media(Event::Connected { peer: PeerId(peer), profile })).unwrap();
}

/// What a player was subscribed to since it was last asked, and unsubscribed from, in order.
fn changes(meeting: &mut Meeting, peer: u64) -> Vec<(TrackId, Option<Subscription>)> {
    let commands = std::mem::take(&mut meeting.commands);
    let of_peer = |command| match command {
        Command::Subscribe { track, peer: to, subscription } if to == PeerId(peer) => {
            Some((track, Some(subscription)))
        }
        Command::Unsubscribe { track, peer: to } if to == PeerId(peer) => Some((track, None)),
        _ => None,
    };
    commands.into_iter().filter_map(of_peer).collect()
}

fn speaks(meeting: &mut Meeting, sid: &str, speaking: bool) {
    let level = if speaking { 0.5 } else { 0.0 };
    let event = Event::Level { track: track_of(sid), level, speaking };
    meeting.input(Input::Media(event)).unwrap();
}

#[test]
fn a_tool_that_publishes_is_a_participant_with_tracks_for_everybody() {
    for (sdp, codec) in [(OBS, "video/H264"), (GSTREAMER, "video/VP8"), (CAMERA, "video/VP8")] {
        let mut meeting = Meeting::with(1);
        publish(&mut meeting, 7, sdp);
        let (peer, answer) = meeting.answers.pop().unwrap();
        assert_eq!(peer, PeerId(7));
        for line in ["a=ice-lite", "a=setup:passive", "typ host", "a=recvonly", "a=rtcp-mux"] {
            assert!(answer.contains(line), "{line}: {answer}");
        }
        assert!(meeting.facts.contains(&Fact::Track {
            identity: Identity::new("tool 7"),
            source: Source::Camera,
            state: TrackState::On
        }));
        let update = meeting.last(1, |message| match message {
            livekit_protocol::signal_response::Message::Update(update) => {
                update.participants.iter().find(|info| info.identity == "tool 7").cloned()
            }
            _ => None,
        });
        assert_eq!((update.tracks.len(), update.name.as_str()), (2, "tool 7"));
        assert!(update.tracks.iter().any(|track| track.mime_type == codec), "{codec}");
        // It is asked for an offer, in which both tracks get their sections.
        assert_eq!(meeting.requirements(1).len(), 1);
    }
}

#[test]
fn simulcast_of_a_browser_is_taken_with_its_rids_and_repair() {
    let mut meeting = Meeting::with(0);
    publish(&mut meeting, 7, CAMERA);
    let (_, answer) = meeting.answers.pop().unwrap();
    assert!(answer.contains("a=simulcast:recv q;h;f"), "{answer}");
    assert!(answer.contains("transport-cc") && answer.contains("rtx/90000"));
    let encodings = meeting.commands.iter().filter_map(|command| match command {
        Command::Publish { publication, .. } => Some(publication.encodings.len()),
        _ => None,
    });
    assert_eq!(encodings.collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn an_offer_that_may_not_or_does_not_publish_is_refused_and_nobody_comes_in() {
    let mut meeting = Meeting::with(1);
    let may = |grants| Grants { room_join: true, room: "code".into(), ..grants };
    let mute = may(Grants { can_publish: Some(false), ..Grants::default() });
    assert_eq!(publish_with(&mut meeting, 7, mute, OBS), Err(Refusal::NotAllowed));
    let sound = may(Grants { can_publish_sources: vec![Source::Microphone], ..Grants::default() });
    assert_eq!(publish_with(&mut meeting, 7, sound, OBS), Err(Refusal::NotAllowed));
    let grants = Grants::participant("code");
    assert_eq!(publish_with(&mut meeting, 7, grants, JOIN), Err(Refusal::NothingSent));
    assert_eq!((meeting.signal.participants(), meeting.commands.len()), (1, 0));
    let screens = vec![Source::Microphone, Source::ScreenShare];
    let screen = may(Grants { can_publish_sources: screens, ..Grants::default() });
    publish_with(&mut meeting, 7, screen, OBS).unwrap();
    let facts: Vec<_> =
        meeting.facts.iter().filter(|fact| matches!(fact, Fact::Track { .. })).collect();
    assert!(matches!(facts[1], Fact::Track { source: Source::ScreenShare, .. }), "{facts:?}");
}

#[test]
fn a_tool_whose_media_never_flows_or_stops_is_gone_after_the_grace() {
    let mut meeting = Meeting::with(0);
    publish(&mut meeting, 7, OBS);
    publish(&mut meeting, 8, OBS);
    connected(&mut meeting, 8);
    play(&mut meeting, 9, &slots(1, 1));
    meeting.wait(31);
    let gone = |name: &str| Fact::Gone { identity: Identity::new(name) };
    assert!(meeting.facts.contains(&gone("tool 7")) && !meeting.facts.contains(&gone("tool 8")));
    assert_eq!(meeting.facts.last(), Some(&Fact::Players { count: 0 }));
    meeting.input(Input::Media(Event::Disconnected { peer: PeerId(8) })).unwrap();
    meeting.wait(29);
    meeting.input(Input::Media(Event::Reconnected { peer: PeerId(8) })).unwrap();
    meeting.wait(60);
    assert_eq!(meeting.signal.participants(), 1);
    meeting.input(Input::Media(Event::Disconnected { peer: PeerId(8) })).unwrap();
    meeting.wait(31);
    assert_eq!(meeting.signal.participants(), 0);
}

#[test]
fn a_session_ends_once_and_only_one_of_this_door() {
    let mut meeting = Meeting::with(1);
    publish(&mut meeting, 7, OBS);
    play(&mut meeting, 8, &slots(1, 1));
    for peer in [7, 8] {
        meeting.input(Input::HangUp { peer: PeerId(peer) }).unwrap();
        let again = meeting.input(Input::HangUp { peer: PeerId(peer) });
        assert_eq!(again, Err(Refusal::UnknownSession));
    }
    assert_eq!(meeting.input(Input::HangUp { peer: PeerId(1) }), Err(Refusal::UnknownSession));
    let ended = |command: &&Command| matches!(command, Command::RemovePeer { .. });
    assert_eq!(meeting.commands.iter().filter(ended).count(), 2);
    assert_eq!(meeting.signal.participants(), 1);
}

#[test]
fn a_moderator_mutes_and_removes_a_tool_and_the_same_identity_takes_its_place() {
    let mut meeting = Meeting::with(0);
    publish(&mut meeting, 7, OBS);
    let identity = Identity::new("tool 7");
    let mute = Input::Mute { identity: identity.clone(), source: Source::Microphone };
    meeting.input(mute).unwrap();
    let muted = |command: &Command| matches!(command, Command::Mute { muted: true, .. });
    assert!(meeting.commands.iter().any(muted));
    let mut publish = Publish {
        peer: PeerId(9),
        claims: claims("tool 7", Grants::participant("code")),
        sid_number: 7,
        offer: Offer::parse(GSTREAMER).unwrap(),
    };
    publish.claims.identity = identity.clone();
    meeting.input(Input::Publish(Box::new(publish))).unwrap();
    assert_eq!(meeting.signal.participants(), 1);
    assert_eq!(meeting.input(Input::HangUp { peer: PeerId(7) }), Err(Refusal::UnknownSession));
    meeting.input(Input::Remove { identity: identity.clone() }).unwrap();
    assert_eq!(meeting.facts.last(), Some(&Fact::Gone { identity }));
}

#[test]
fn a_player_receives_everybody_in_stable_slots_that_may_be_empty() {
    let mut meeting = Meeting::with(0);
    play(&mut meeting, 8, &slots(1, 2));
    let (_, answer) = meeting.answers.pop().unwrap();
    assert_eq!(answer.matches("a=sendonly").count(), 3, "{answer}");
    assert!(changes(&mut meeting, 8).is_empty());
    meeting.join(1);
    let (microphone, camera) = meeting.publish(1);
    publish(&mut meeting, 7, CAMERA);
    let filled = changes(&mut meeting, 8);
    let tracks: Vec<_> = filled.iter().map(|(track, _)| *track).collect();
    assert_eq!((filled.len(), tracks[0], tracks[1]), (3, track_of(&microphone), track_of(&camera)));
    for (_, subscription) in &filled {
        let ssrc = subscription.as_ref().unwrap().ssrc;
        assert!(answer.contains(&format!("a=ssrc:{ssrc} cname:")), "{answer}");
    }
    // The microphone's slot goes to the tool, with the same numbers.
    meeting.input(Input::Remove { identity: identity(1) }).unwrap();
    let refilled = changes(&mut meeting, 8);
    assert_eq!(refilled.len(), 1, "the engine ends what ends with a track");
    assert_eq!(refilled[0].1, filled[0].1);
}

#[test]
fn somebody_who_speaks_takes_the_slot_of_somebody_who_does_not() {
    let mut meeting = Meeting::with(2);
    let (first, _) = meeting.publish(1);
    let (second, _) = meeting.publish(2);
    play(&mut meeting, 8, &slots(1, 0));
    let filled = changes(&mut meeting, 8);
    assert_eq!((filled.len(), filled[0].0), (1, track_of(&first)));
    speaks(&mut meeting, &second, true);
    let swapped = changes(&mut meeting, 8);
    let subscription = filled[0].1.clone();
    assert_eq!(swapped, [(track_of(&first), None), (track_of(&second), subscription.clone())]);
    speaks(&mut meeting, &first, true);
    speaks(&mut meeting, &second, false);
    let back = changes(&mut meeting, 8);
    assert_eq!(back, [(track_of(&second), None), (track_of(&first), subscription)]);
    speaks(&mut meeting, &first, false);
    assert!(changes(&mut meeting, 8).is_empty(), "silence is no reason to change");
}

#[test]
fn a_microphone_that_is_not_heard_or_muted_gives_its_slot_away() {
    let mut meeting = Meeting::with(2);
    let (first, _) = meeting.publish(1);
    let (second, _) = meeting.publish(2);
    play(&mut meeting, 8, &slots(1, 0));
    meeting.forget();
    let heard = Event::Heard { track: track_of(&first), heard: false };
    meeting.input(Input::Media(heard)).unwrap();
    assert_eq!(changes(&mut meeting, 8)[1].0, track_of(&second));
    let mute = Input::Mute { identity: identity(2), source: Source::Microphone };
    meeting.input(mute).unwrap();
    assert_eq!(changes(&mut meeting, 8)[1].0, track_of(&first));
    assert!(meeting.facts.contains(&track_fact(2, Source::Microphone, TrackState::Muted)));
}

#[test]
fn one_participant_is_played_alone_and_nobody_hears_themselves() {
    let mut meeting = Meeting::with(2);
    meeting.publish(1);
    let (microphone, camera) = meeting.publish(2);
    let unknown = Some(Identity::new("nobody"));
    let refused = play_as(&mut meeting, 8, Identity::new("p"), unknown, JOIN);
    assert_eq!(refused, Err(Refusal::UnknownParticipant));
    meeting.forget();
    play_as(&mut meeting, 8, Identity::new("p"), Some(identity(2)), JOIN).unwrap();
    let of_second = [track_of(&microphone), track_of(&camera)];
    let tracks = |changes: Vec<(TrackId, _)>| -> Vec<TrackId> {
        changes.into_iter().map(|(track, _)| track).collect()
    };
    assert_eq!(tracks(changes(&mut meeting, 8)), of_second);
    play_as(&mut meeting, 9, identity(1), None, JOIN).unwrap();
    assert_eq!(tracks(changes(&mut meeting, 9)), of_second);
}

#[test]
fn a_slot_takes_only_what_its_receiver_decodes() {
    let mut meeting = Meeting::with(0);
    publish(&mut meeting, 7, OBS);
    meeting.forget();
    let vp8 = GSTREAMER.replace("sendonly", "recvonly");
    play(&mut meeting, 8, &vp8);
    assert_eq!(changes(&mut meeting, 8).len(), 1, "the sound only");
    play(&mut meeting, 9, &OBS.replace("sendonly", "recvonly"));
    assert_eq!(changes(&mut meeting, 9).len(), 2);
}

#[test]
fn players_are_counted_and_have_a_cap_of_their_own() {
    let mut meeting = Meeting::with(0);
    for (count, peer) in [(1, 7), (2, 8), (3, 9)] {
        play(&mut meeting, peer, FIREFOX);
        assert_eq!(meeting.facts.last(), Some(&Fact::Players { count }));
    }
    let full = play_as(&mut meeting, 10, Identity::new("p"), None, FIREFOX);
    assert_eq!(full, Err(Refusal::TooManyPlayers { limit: 3 }));
    assert_eq!((meeting.signal.participants(), meeting.signal.players()), (0, 3));
    meeting.input(Input::EndPlayers { identity: Identity::new("player") }).unwrap();
    assert_eq!(meeting.facts.last(), Some(&Fact::Players { count: 0 }));
    play(&mut meeting, 7, FIREFOX);
    meeting.input(Input::End).unwrap();
    assert_eq!(meeting.signal.players(), 0);
}

#[test]
fn an_offer_that_cannot_be_played_to_is_refused() {
    let grants = Grants::participant("code");
    let sending = Offer::parse(OBS).unwrap();
    assert_eq!(can_play(&sending, &grants), Err(Refusal::NothingReceived));
    let deaf = Grants { can_subscribe: Some(false), ..grants.clone() };
    assert_eq!(can_play(&Offer::parse(JOIN).unwrap(), &deaf), Err(Refusal::NotAllowed));
    assert_eq!(can_play(&Offer::parse(JOIN).unwrap(), &grants), Ok(()));
}

#[test]
fn of_a_player_of_one_video_little_is_kept() {
    const PLAYERS: u32 = 64;
    let mut meeting = Meeting::with(1);
    meeting.signal.config.players = 100;
    publish(&mut meeting, 7, CAMERA);
    let offer = slots(0, 1);
    let kept = allocation_counter::measure(|| {
        for peer in 100..100 + u64::from(PLAYERS) {
            play(&mut meeting, peer, &offer);
            connected(&mut meeting, peer);
            (meeting.commands, meeting.answers) = (Vec::new(), Vec::new()); // handed on
            meeting.facts = Vec::new();
        }
    });
    let each = kept.bytes_current / i64::from(PLAYERS);
    assert!(each <= 1_200, "{each} bytes");
}
