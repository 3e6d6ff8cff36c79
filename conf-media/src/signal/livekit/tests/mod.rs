//! Dialogues in memory: clients with genuine offers, one meeting, simulated time.

mod data;
mod dialogue;
mod join;
mod local;
mod quality;
mod refusals;
mod resume;
mod tracks;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::token::{Grants, Issuer};
use super::{
    ConnectionId, Fact, Identity, Input, Join, Output, Refusal, Signal, SignalConfig, Source,
    TrackState,
};
use crate::command::{Command, Event, Fingerprint, PeerId, TrackId};
use crate::ice::Candidate;
use crate::srtp::Profile;
use crate::time::Now;

pub(in crate::signal) const JOIN: &str = include_str!("../../../../tests/sdp/chromium_join.sdp");
pub(in crate::signal) const MICROPHONE: &str =
    include_str!("../../../../tests/sdp/chromium_microphone.sdp");
pub(in crate::signal) const CAMERA: &str =
    include_str!("../../../../tests/sdp/chromium_camera.sdp");
pub(in crate::signal) const SCREEN: &str =
    include_str!("../../../../tests/sdp/chromium_screen.sdp");
pub(in crate::signal) const CAMERA_OFF: &str =
    include_str!("../../../../tests/sdp/chromium_camera_off.sdp");
pub(in crate::signal) const RESTART: &str =
    include_str!("../../../../tests/sdp/chromium_ice_restart.sdp");

/// One meeting, and all that came out of its machine.
pub(in crate::signal) struct Meeting {
    pub(in crate::signal) signal: Signal,
    pub(in crate::signal) now: Now,
    sent: Vec<(u64, Response)>,
    pub(in crate::signal) closed: Vec<u64>,
    pub(in crate::signal) commands: Vec<Command>,
    pub(in crate::signal) facts: Vec<Fact>,
    pub(in crate::signal) answers: Vec<(PeerId, String)>,
}

impl Meeting {
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the first")]
    pub(in crate::signal) fn new() -> Self {
        let now = Now { mono: Instant::now(), wall: "2026-11-24T10:00:00Z".parse().unwrap() };
        let config = SignalConfig {
            turn: None,
            candidates: vec![Candidate::udp("127.0.0.1:7882".parse().unwrap())],
            fingerprint: Fingerprint([0xAB; 32]),
            token: Issuer::new("key", "secret"),
            room_name: "code".into(),
            room_number: 7,
            players: 3,
            seed: [1; 32],
        };
        let signal = Signal::new(config);
        let (sent, closed, commands, facts, answers) = Default::default();
        Self { signal, now, sent, closed, commands, facts, answers }
    }

    /// A meeting with participants 1 to `count`, whose media flows, and an empty log.
    pub(in crate::signal) fn with(count: u64) -> Self {
        let mut meeting = Self::new();
        for number in 1..=count {
            meeting.join(number);
            meeting.connected(number);
        }
        meeting.forget();
        meeting
    }

    pub(in crate::signal) fn input(&mut self, input: Input<'_>) -> Result<(), Refusal> {
        let done = self.signal.handle(self.now, input);
        self.drain();
        done
    }

    /// Participant `number` over connection `number` with the first offer of Chromium.
    pub(in crate::signal) fn join(&mut self, number: u64) {
        self.try_join(join(number)).unwrap();
    }

    pub(in crate::signal) fn try_join(&mut self, join: Join) -> Result<(), Refusal> {
        self.input(Input::Join(join))
    }

    pub(in crate::signal) fn connected(&mut self, number: u64) {
        let (peer, profile) = (PeerId(number), Profile::AeadAes128Gcm);
        self.input(Input::Media(Event::Connected { peer, profile })).unwrap();
    }

    pub(in crate::signal) fn say(&mut self, number: u64, request: Request) -> Result<(), Refusal> {
        let bytes = proto::SignalRequest { message: Some(request) }.encode_to_vec();
        self.input(Input::Message { connection: ConnectionId(number), bytes: &bytes })
    }

    pub(in crate::signal) fn offer(&mut self, number: u64, id: u32, sdp: &str) {
        let offer = proto::SessionDescription { sdp: sdp.into(), id, ..Default::default() };
        self.say(number, Request::Offer(offer)).unwrap();
    }

    /// Announces a track; gives its sid.
    pub(in crate::signal) fn announce(&mut self, number: u64, source: Source, cid: &str) -> String {
        self.say(number, Request::AddTrack(add_track(source, cid))).unwrap();
        let published = self.last(number, |message| match message {
            Response::TrackPublished(published) => Some(published.clone()),
            _ => None,
        });
        assert_eq!(published.cid, cid);
        published.track.unwrap().sid
    }

    /// Microphone and camera of participant `number`, in one offer each; gives their sids.
    pub(in crate::signal) fn publish(&mut self, number: u64) -> (String, String) {
        let microphone = self.announce(number, Source::Microphone, "m");
        self.offer(number, 2, MICROPHONE);
        let camera = self.announce(number, Source::Camera, "c");
        self.offer(number, 3, CAMERA);
        (microphone, camera)
    }

    pub(in crate::signal) fn wait(&mut self, seconds: u64) {
        let end = self.now.later(Duration::from_secs(seconds));
        while let Some(at) = self.signal.timeout().filter(|at| *at <= end.mono) {
            self.now = self.now.later(at.saturating_duration_since(self.now.mono));
            self.signal.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// All that `number` received so far, in order.
    pub(in crate::signal) fn received(&self, number: u64) -> Vec<&Response> {
        let to = self.sent.iter().filter(|(connection, _)| *connection == number);
        to.map(|(_, message)| message).collect()
    }

    /// The last message of a kind that `number` received.
    pub(in crate::signal) fn last<T>(
        &self,
        number: u64,
        find: impl Fn(&Response) -> Option<T>,
    ) -> T {
        let found = self.received(number).into_iter().rev().find_map(find);
        found.unwrap_or_else(|| panic!("{number} received {:?}", self.received(number)))
    }

    pub(in crate::signal) fn answer(&self, number: u64) -> proto::SessionDescription {
        self.last(number, |message| match message {
            Response::Answer(answer) => Some(answer.clone()),
            _ => None,
        })
    }

    /// What `number` was last told about participant `about`.
    pub(in crate::signal) fn info(&self, number: u64, about: u64) -> proto::ParticipantInfo {
        self.last(number, |message| match message {
            Response::Update(update) => {
                let mut infos = update.participants.iter();
                infos.find(|info| info.identity == identity(about).reveal()).cloned()
            }
            _ => None,
        })
    }

    pub(in crate::signal) fn farewell(&self, number: u64) -> proto::LeaveRequest {
        self.last(number, |message| match message {
            Response::Leave(leave) => Some(leave.clone()),
            _ => None,
        })
    }

    pub(in crate::signal) fn requirements(&self, number: u64) -> Vec<(u32, u32)> {
        let received = self.received(number).into_iter();
        received
            .filter_map(|message| match message {
                Response::MediaSectionsRequirement(wanted) => {
                    Some((wanted.num_audios, wanted.num_videos))
                }
                _ => None,
            })
            .collect()
    }

    pub(in crate::signal) fn refusal(&self, number: u64) -> proto::RequestResponse {
        self.last(number, |message| match message {
            Response::RequestResponse(response) => Some(response.clone()),
            _ => None,
        })
    }

    pub(in crate::signal) fn forget(&mut self) {
        self.sent.clear();
        self.closed.clear();
        self.commands.clear();
        self.facts.clear();
    }

    fn drain(&mut self) {
        while let Some(output) = self.signal.poll() {
            match output {
                Output::Send { connection, bytes } => {
                    let response = proto::SignalResponse::decode(bytes).unwrap();
                    self.sent.push((connection.0, response.message.unwrap()));
                }
                Output::Close { connection } => self.closed.push(connection.0),
                Output::Answer { peer, sdp } => self.answers.push((peer, sdp)),
                Output::Command(command) => self.commands.push(command),
                Output::Fact(fact) => self.facts.push(fact),
            }
        }
    }
}

pub(in crate::signal) fn identity(number: u64) -> Identity {
    Identity::new(format!("p-{number:016x}"))
}

pub(in crate::signal) fn join(number: u64) -> Join {
    let offer = proto::SessionDescription {
        r#type: "offer".into(),
        sdp: JOIN.into(),
        id: 1,
        ..Default::default()
    };
    let settings = proto::ConnectionSettings { auto_subscribe: true, ..Default::default() };
    Join {
        connection: ConnectionId(number),
        identity: identity(number),
        name: format!("Name {number}"),
        sid_number: number,
        grants: Grants::participant("code"),
        metadata: String::new(),
        attributes: BTreeMap::new(),
        request: Box::new(proto::JoinRequest {
            connection_settings: Some(settings),
            publisher_offer: Some(offer),
            ..Default::default()
        }),
        peer: PeerId(number),
    }
}

/// Participant `number` comes back over `connection`.
pub(in crate::signal) fn resume(number: u64, connection: u64) -> Join {
    let mut join = join(number);
    join.connection = ConnectionId(connection);
    join.peer = PeerId(connection);
    *join.request = proto::JoinRequest {
        reconnect: true,
        participant_sid: format!("PA_{number:016x}"),
        ..Default::default()
    };
    join
}

pub(in crate::signal) fn add_track(source: Source, cid: &str) -> proto::AddTrackRequest {
    let audio = matches!(source, Source::Microphone | Source::ScreenShareAudio);
    let kind = if audio { proto::TrackType::Audio } else { proto::TrackType::Video };
    proto::AddTrackRequest {
        cid: cid.into(),
        r#type: kind.into(),
        source: source.to_wire(),
        ..Default::default()
    }
}

pub(in crate::signal) fn track_of(sid: &str) -> TrackId {
    TrackId(u64::from_str_radix(sid.strip_prefix("TR_").unwrap(), 16).unwrap())
}

pub(in crate::signal) fn track_fact(number: u64, source: Source, state: TrackState) -> Fact {
    Fact::Track { identity: identity(number), source, state }
}
