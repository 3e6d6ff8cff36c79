//! A program of this process publishes: others see a participant like any other.

use super::*;
use crate::codec::Codec;
use crate::frame;
use crate::signal::livekit::token::Claims;
use crate::signal::local::{Local, LocalTrack};

fn program(identity: &str, grants: Grants) -> Local {
    let claims = Claims {
        identity: Identity::new(identity),
        name: "Player".into(),
        grants,
        metadata: String::new(),
        attributes: BTreeMap::new(),
    };
    let frames = frame::Source { track: TrackId(0xABC), codec: Codec::Vp8, ssrc: 5 };
    let track = LocalTrack { frames, source: Source::Camera, size: (640, 360) };
    Local { peer: PeerId(50), claims, sid_number: 50, tracks: vec![track] }
}

#[test]
fn a_program_is_announced_with_its_tracks_which_others_receive() {
    let mut meeting = Meeting::with(2);
    let local = program("player", Grants::participant("code"));
    meeting.input(Input::Local(Box::new(local))).unwrap();
    let added = |it: &Command| matches!(it, Command::AddLocalPeer { peer: PeerId(50), .. });
    assert!(meeting.commands.iter().any(added));
    let info = meeting.last(1, |message| match message {
        Response::Update(update) => update.participants.first().cloned(),
        _ => None,
    });
    assert_eq!((&*info.identity, &*info.name), ("player", "Player"));
    let track = &info.tracks[0];
    assert_eq!((&*track.sid, &*track.mime_type), ("TR_0000000000000abc", "video/VP8"));
    assert_eq!((track.width, track.muted), (640, false));
    assert_eq!(meeting.requirements(1).len(), 1);
    meeting.offer(1, 2, JOIN);
    assert!(meeting.answer(1).mid_to_track_id.values().any(|sid| *sid == track.sid));
    let state = TrackState::On;
    let identity = Identity::new("player");
    let fact = Fact::Track { identity: identity.clone(), source: Source::Camera, state };
    assert!(meeting.facts.contains(&fact));

    meeting.forget();
    meeting.input(Input::Mute { identity, source: Source::Camera }).unwrap();
    assert!(matches!(meeting.commands[..], [Command::Mute { muted: true, .. }]));
    meeting.wait(600);
    assert_eq!(meeting.signal.participants(), 3, "it stays without any connection");
    meeting.input(Input::HangUp { peer: PeerId(50) }).unwrap();
    assert_eq!(meeting.signal.participants(), 2);
    assert!(
        meeting.commands.iter().any(|it| matches!(it, Command::RemovePeer { peer: PeerId(50) }))
    );
}

#[test]
fn a_program_that_may_not_publish_does_not_take_part() {
    let mut meeting = Meeting::with(1);
    let grants = Grants { can_publish: Some(false), ..Grants::participant("code") };
    let refused = meeting.input(Input::Local(Box::new(program("player", grants))));
    assert_eq!(refused, Err(Refusal::NotAllowed));
    assert_eq!(meeting.signal.participants(), 1);
}
