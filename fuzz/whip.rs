//! Target of WHIP and WHEP: the offers that tools POST, from the text to what the engine is told.
//!
//! An input is one offer or several with a zero byte between them. Each is sent to both doors of a
//! meeting in which somebody publishes and somebody plays already, so that tracks find slots; what
//! the meeting's machine wants of the engine is done by a shard. What the doors promise is checked:
//! what [`can_publish`] lets in is answered, an offer that is refused changes nothing, an answer has
//! a section for each of the offer, and whoever hangs up is gone.

use std::time::Duration;

use conf_media::command::{Command, Event, Fingerprint, PeerId, TrackId};
use conf_media::ice::Candidate;
use conf_media::sdp::Offer;
use conf_media::shard::{self, Shard, ShardConfig};
use conf_media::signal::livekit::token::{Claims, Grants};
use conf_media::signal::livekit::{
    ConnectionId, Fact, Identity, Input, Join, Output, Refusal, Signal, SignalConfig, Source,
};
use conf_media::signal::whip::{Play, Publish, can_play, can_publish};
use conf_media::srtp::Profile;
use livekit_protocol as proto;

use crate::Shape;
use crate::signalling::{issuer, now};

const OBS: &str = include_str!("../conf-media/tests/sdp/obs_whip.sdp");
const GSTREAMER: &str = include_str!("../conf-media/tests/sdp/gstreamer_whip.sdp");
const CHROMIUM: &str = include_str!("../conf-media/tests/sdp/chromium_camera.sdp");

/// Offers of one input that are read.
const MAX_OFFERS: usize = 4;
/// Longer than a client without media is kept.
const LONG: Duration = Duration::from_secs(60);

pub(crate) fn run(input: &[u8]) -> Shape {
    let mut meeting = Meeting::new();
    let mut shape = Shape::NOTHING;
    for (number, offer) in (100..).step_by(10).zip(input.split(|byte| *byte == 0).take(MAX_OFFERS))
    {
        shape = match std::str::from_utf8(offer).map(Offer::parse) {
            Ok(Ok(offer)) => shape.and(meeting.visit(number, &offer)),
            outcome => shape.and(outcome.map(|parsed| parsed.err())),
        };
    }
    meeting.end();
    shape
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let played = |offer: &str| offer.replace("sendonly", "recvonly");
    let several = [OBS, &played(GSTREAMER), GSTREAMER, &played(OBS)].join("\0");
    // Of a browser's long offer the session part and the camera, in three encodings.
    let parts = CHROMIUM.split("m=").enumerate();
    let kept = parts.filter(|(at, part)| *at == 0 || part.contains("a=simulcast"));
    let simulcast: Vec<&str> = kept.map(|(_, part)| part).collect();
    [OBS, GSTREAMER, &played(OBS), &played(GSTREAMER), &several, &simulcast.join("m=")]
        .map(|offer| offer.as_bytes().to_vec())
        .to_vec()
}

/// A meeting with its engine.
struct Meeting {
    signal: Signal,
    shard: Shard,
    /// Answers, and tracks that were published, since they were last looked at.
    answers: Vec<(PeerId, String)>,
    published: Vec<TrackId>,
    /// What came out since it was last looked at.
    shape: Shape,
}

impl Meeting {
    /// With one by websocket, one who publishes, and one who plays.
    fn new() -> Self {
        let signal = Signal::new(SignalConfig {
            turn: None,
            candidates: vec![Candidate::udp(([127, 0, 0, 1], 7882).into())],
            fingerprint: Fingerprint([7; 32]),
            token: issuer(),
            room_name: "room".into(),
            room_number: 1,
            players: 10,
            seed: [7; 32],
        });
        let shard = Shard::new(ShardConfig { seed: 1, ..ShardConfig::default() });
        let (answers, published) = (Vec::new(), Vec::new());
        let mut meeting = Self { signal, shard, answers, published, shape: Shape::NOTHING };
        let join = Join {
            connection: ConnectionId(1),
            identity: Identity::new("p-1"),
            name: "name".into(),
            sid_number: 1,
            grants: Grants::participant("room"),
            metadata: String::new(),
            attributes: Default::default(),
            request: Box::new(proto::JoinRequest::default()),
            peer: PeerId(1),
        };
        let joined = meeting.input(Input::Join(join));
        let offers = (Offer::parse(GSTREAMER), Offer::parse(&OBS.replace("sendonly", "recvonly")));
        let (Ok(published), Ok(played)) = offers else { unreachable!("stored offers are valid") };
        let published = meeting.input(publish(2, published));
        let played = meeting.input(play(3, None, played));
        assert_eq!((joined, published, played), (Ok(()), Ok(()), Ok(())));
        meeting.answers.clear();
        meeting
    }

    /// A tool comes with an offer, publishes if it may, plays if it may, and goes.
    fn visit(&mut self, number: u64, offer: &Offer) -> Shape {
        let grants = Grants::participant("room");
        let (publishes, plays) = (can_publish(offer, &grants), can_play(offer, &grants));
        let limited = Grants { can_publish_sources: vec![Source::ScreenShare], ..grants };
        let limited = can_publish(offer, &limited);
        let peers = [number, number + 1, number + 2];
        let [publisher, player, fan] = peers;
        self.post(publish(publisher, offer.clone()), publishes, (publisher, offer));
        self.post(play(player, None, offer.clone()), plays.clone(), (player, offer));
        let whom = Some(identity(2));
        self.post(play(fan, whom, offer.clone()), plays, (fan, offer));
        for peer in peers {
            self.report(Event::Connected { peer: PeerId(peer), profile: Profile::AeadAes128Gcm });
        }
        for track in std::mem::take(&mut self.published) {
            self.report(Event::Level { track, level: 0.5, speaking: true });
            self.report(Event::Heard { track, heard: false });
        }
        let mute = Input::Mute { identity: identity(publisher), source: Source::Camera };
        drop(self.input(mute));
        self.report(Event::Disconnected { peer: PeerId(publisher) });
        for peer in peers.map(PeerId) {
            let (before, known) = (self.present(), self.input(Input::HangUp { peer }).is_ok());
            assert_eq!(self.present() + usize::from(known), before, "one goes, or nobody");
            assert_eq!(self.input(Input::HangUp { peer }), Err(Refusal::UnknownSession));
        }
        std::mem::replace(&mut self.shape, Shape::NOTHING).and(limited)
    }

    /// Sends an offer to a door, that was asked before what it thinks of it.
    fn post(
        &mut self,
        input: Input<'_>,
        expected: Result<(), Refusal>,
        (peer, offer): (u64, &Offer),
    ) {
        let before = self.present();
        let done = self.input(input);
        assert_eq!(done, expected, "a door does what it said");
        assert_eq!(self.present(), before + usize::from(done.is_ok()));
        let answers = std::mem::take(&mut self.answers);
        assert_eq!(answers.len(), usize::from(done.is_ok()), "one answer, or a refusal");
        for (to, answer) in answers {
            let (kept, lines) = (answer.matches("\r\nm=").count(), answer.split_terminator("\r\n"));
            assert_eq!((to, kept), (PeerId(peer), offer.sections.len()));
            for line in lines {
                let typed = line.as_bytes().get(1) == Some(&b'=');
                assert!(typed && !line.contains(['\r', '\n']), "a line of the answer: {line:?}");
            }
        }
    }

    fn report(&mut self, event: Event) {
        drop(self.input(Input::Media(event)));
    }

    fn input(&mut self, input: Input<'_>) -> Result<(), Refusal> {
        let done = self.signal.handle(now(), input);
        self.shape = self.shape.and(&done);
        self.drain();
        done
    }

    /// Does what the machine wants done.
    fn drain(&mut self) {
        while let Some(output) = self.signal.poll() {
            self.shape = self.shape.and(std::mem::discriminant(&output));
            match output {
                Output::Answer { peer, sdp } => self.answers.push((peer, sdp)),
                Output::Command(command) => {
                    if let Command::Publish { track, .. } = &command {
                        self.published.push(*track);
                    }
                    let done = self.shard.handle(now(), shard::Input::Command(command));
                    self.shape = self.shape.and(done);
                }
                Output::Fact(fact) => {
                    let track = matches!(fact, Fact::Track { .. });
                    self.shape = self.shape.and(track);
                }
                Output::Send { .. } | Output::Close { .. } => {}
            }
        }
        while self.shard.poll().is_some() {}
    }

    fn present(&self) -> usize {
        self.signal.participants() + self.signal.players()
    }

    /// Whoever has no media is given up; then it is over.
    fn end(&mut self) {
        self.signal.handle_timeout(now().later(LONG));
        self.drain();
        assert_eq!((self.signal.participants(), self.signal.players()), (1, 0));
        assert_eq!(self.input(Input::End), Ok(()));
        assert_eq!((self.present(), self.shard.counters().panics), (0, 0));
    }
}

fn identity(number: u64) -> Identity {
    Identity::new(format!("tool {number}"))
}

fn publish(peer: u64, offer: Offer) -> Input<'static> {
    let claims = Claims {
        identity: identity(peer),
        name: "tool".into(),
        grants: Grants::participant("room"),
        metadata: String::new(),
        attributes: Default::default(),
    };
    Input::Publish(Box::new(Publish { peer: PeerId(peer), claims, sid_number: peer, offer }))
}

fn play(peer: u64, of: Option<Identity>, offer: Offer) -> Input<'static> {
    Input::Play(Box::new(Play { peer: PeerId(peer), identity: identity(peer), of, offer }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offer_of_the_seeds_publishes_or_plays() {
        let grants = Grants::participant("room");
        for seed in seeds() {
            for offer in seed.split(|byte| *byte == 0) {
                let offer = Offer::parse(std::str::from_utf8(offer).unwrap()).unwrap();
                let (publishes, plays) = (can_publish(&offer, &grants), can_play(&offer, &grants));
                assert!(publishes.is_ok() != plays.is_ok(), "{publishes:?} {plays:?}");
            }
        }
        let last = String::from_utf8(seeds().pop().unwrap()).unwrap();
        assert!(last.contains("a=simulcast:send") && last.len() < 4_096);
    }
}
