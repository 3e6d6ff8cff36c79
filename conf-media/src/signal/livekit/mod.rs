//! LiveKit-protocol compatible signalling: one machine per meeting, for any number of clients.
//!
//! ```text
//!   websocket ──► Join, Message, Closed ──► ┌────────┐ ──► Send, Close ──► websocket
//!   engine    ──► Media(Event)          ──► │ Signal │ ──► Command     ──► engine
//!   meeting   ──► SetGrants, Mute, …    ──► └────────┘ ──► Fact        ──► meeting
//! ```
//!
//! A client has one peer connection; it offers and we answer. The order of messages is part of
//! the protocol: `join` (or `reconnect`) first; a participant is announced before its media flows.
//!
//! This file dispatches; [`join`] admits, [`resume`] lets a cut session live, [`negotiate`] answers
//! offers, [`publish`] and [`subscribe`] hold what is sent and received, [`media`] reads the
//! engine's reports, [`info`] describes people and tracks. Written from the published protobufs
//! and the observed behaviour of the client SDKs.

mod info;
mod join;
mod join_request;
mod leave;
mod media;
mod negotiate;
mod participant;
mod publish;
mod random;
mod resume;
mod speakers;
mod subscribe;
#[cfg(test)]
mod tests;
pub mod token;
mod types;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

pub use join_request::{JoinRequestError, parse_join_request};
pub use types::{
    ConnectionId, Fact, Identity, Input, Join, Output, Refusal, SignalConfig, Source, TrackState,
};

use self::participant::{MESSAGES_PER_SECOND, Participant};
use self::random::Random;
use crate::command::{PeerId, RoomId};
use crate::room::Room;
use crate::time::Now;

/// The signalling of one meeting.
pub struct Signal {
    config: SignalConfig,
    random: Random,
    room: Room,
    participants: BTreeMap<PeerId, Participant>,
    connections: BTreeMap<ConnectionId, PeerId>,
    outputs: VecDeque<Output>,
    /// The last version that a participant's description got.
    version: u32,
    /// When the meeting began, in milliseconds, from the first join on.
    created: Option<jiff::Timestamp>,
    /// When changed loudness is told.
    speakers_at: Option<Instant>,
    ended: bool,
}

impl Signal {
    /// A meeting without participants.
    #[must_use]
    pub fn new(config: SignalConfig) -> Self {
        Self {
            random: Random::new(&config.seed),
            room: Room::new(RoomId(config.room_number)),
            config,
            participants: BTreeMap::new(),
            connections: BTreeMap::new(),
            outputs: VecDeque::new(),
            version: 0,
            created: None,
            speakers_at: None,
            ended: false,
        }
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// A [`Refusal`]: the client was told, nothing else changed.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Refusal> {
        let done = match input {
            Input::Join(join) => self.join(now, join),
            Input::Message { connection, bytes } => self.message(now, connection, bytes),
            Input::Closed { connection } => self.closed(now, connection),
            Input::Media(event) => self.media(now, &event),
            Input::SetGrants { identity, grants } => self.set_grants(now, &identity, grants),
            Input::Mute { identity, source } => self.server_mute(&identity, source),
            Input::Remove { identity } => self.remove(&identity),
            Input::End => self.end(),
        };
        self.drain_room();
        done
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.give_up(now);
        self.refresh_tokens(now);
        self.tell_speakers(now);
        self.drain_room();
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`]; `None` when nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        let participants = self.participants.values();
        let deadlines = participants.flat_map(|participant| {
            let refresh = participant.connection.map(|_| participant.refresh_at);
            [participant.gone_at, refresh]
        });
        deadlines.flatten().chain(self.speakers_at).min()
    }

    /// How many participants are joined, those within their grace included.
    #[must_use]
    pub fn participants(&self) -> usize {
        self.participants.len()
    }

    fn message(&mut self, now: Now, connection: ConnectionId, bytes: &[u8]) -> Result<(), Refusal> {
        let peer = *self.connections.get(&connection).ok_or(Refusal::UnknownConnection)?;
        let done = self.read(now, peer, bytes);
        if let Err(refusal) = &done {
            self.refuse(peer, None, 0, refusal);
        }
        done
    }

    /// Checks size, rate and form, in this order; the cheapest refusal comes first.
    fn read(&mut self, now: Now, peer: PeerId, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(Refusal::MessageTooLarge { len: bytes.len(), limit: MAX_MESSAGE_BYTES });
        }
        if !self.participant(peer)?.bucket.take(now.mono, bytes.len()) {
            return Err(Refusal::TooFast { limit: MESSAGES_PER_SECOND });
        }
        let request = proto::SignalRequest::decode(bytes).map_err(|_| Refusal::Malformed)?;
        match request.message {
            // An unknown member of the oneof: a newer client asks for what we do not have.
            None => Ok(()),
            Some(request) => self.request(now, peer, request),
        }
    }

    fn request(&mut self, now: Now, peer: PeerId, request: Request) -> Result<(), Refusal> {
        match request {
            Request::Offer(offer) => self.offer(peer, &offer),
            Request::AddTrack(request) => self.add_track(peer, request),
            Request::Mute(request) => self.client_mute(peer, &request),
            Request::Subscription(request) => self.subscription(peer, &request),
            Request::TrackSetting(request) => self.track_setting(peer, &request),
            Request::Leave(_) => self.leave(peer),
            Request::SyncState(state) => self.sync_state(peer, &state),
            Request::UpdateMetadata(request) => self.update_metadata(peer, request),
            Request::UpdateAudioTrack(request) => self.update_audio(peer, request),
            Request::UpdateVideoTrack(request) => self.update_video(peer, &request),
            Request::Ping(timestamp) => self.ping(now, peer, timestamp),
            Request::PingReq(ping) => self.ping_req(now, peer, &ping),
            // Nothing to do: we are ICE-lite and learn addresses from checks; everybody may
            // subscribe; layers are chosen without the publisher's help.
            Request::Trickle(_)
            | Request::SubscriptionPermission(_)
            | Request::Simulate(_)
            | Request::UpdateDataSubscription(_) => Ok(()),
            // We never offer, and have no data tracks yet.
            _ => Err(Refusal::Unsupported),
        }
    }

    fn ping(&mut self, now: Now, peer: PeerId, _timestamp: i64) -> Result<(), Refusal> {
        self.send(peer, Response::Pong(now.wall.as_millisecond()));
        Ok(())
    }

    fn ping_req(&mut self, now: Now, peer: PeerId, ping: &proto::Ping) -> Result<(), Refusal> {
        // Milliseconds: nanoseconds overflow a JavaScript number.
        let pong = proto::Pong {
            last_ping_timestamp: ping.timestamp,
            timestamp: now.wall.as_millisecond(),
        };
        self.send(peer, Response::PongResp(pong));
        Ok(())
    }

    /// Tells a client why its request was refused.
    fn refuse(
        &mut self,
        peer: PeerId,
        request: Option<proto::request_response::Request>,
        request_id: u32,
        refusal: &Refusal,
    ) {
        let response = proto::RequestResponse {
            request_id,
            reason: reason(refusal).into(),
            message: refusal.to_string(),
            request,
        };
        self.send(peer, Response::RequestResponse(response));
    }

    fn participant(&mut self, peer: PeerId) -> Result<&mut Participant, Refusal> {
        self.participants.get_mut(&peer).ok_or(Refusal::UnknownParticipant)
    }

    fn peer_of(&self, identity: &Identity) -> Option<PeerId> {
        let mut participants = self.participants.values();
        let found = participants.find(|known| known.profile.identity == *identity);
        found.map(|participant| participant.peer)
    }

    /// Sends to a participant, if its websocket is there; what the engine must do goes first.
    fn send(&mut self, peer: PeerId, message: Response) {
        let connection = self.participants.get(&peer).and_then(|known| known.connection);
        if let Some(connection) = connection {
            self.send_to(connection, message);
        }
    }

    fn send_to(&mut self, connection: ConnectionId, message: Response) {
        self.drain_room();
        let response = proto::SignalResponse { message: Some(message) };
        let bytes = Bytes::from(response.encode_to_vec());
        self.outputs.push_back(Output::Send { connection, bytes });
    }

    /// Describes a participant anew to everybody else, and to itself where `to_self`.
    fn announce(&mut self, peer: PeerId, to_self: bool) {
        self.version = self.version.wrapping_add(1);
        let version = self.version;
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        participant.profile.version = version;
        let hidden = participant.profile.grants.hidden;
        let participants = vec![info::participant(participant)];
        let update = Response::Update(proto::ParticipantUpdate { participants });
        let everybody: Vec<PeerId> = self.participants.keys().copied().collect();
        for other in everybody {
            if if other == peer { to_self } else { !hidden } {
                self.send(other, update.clone());
            }
        }
    }

    fn fact(&mut self, fact: Fact) {
        self.outputs.push_back(Output::Fact(fact));
    }

    fn drain_room(&mut self) {
        while let Some(command) = self.room.poll() {
            self.outputs.push_back(Output::Command(command));
        }
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signal")
            .field("participants", &self.participants.len())
            .field("outputs", &self.outputs.len())
            .finish_non_exhaustive()
    }
}

fn reason(refusal: &Refusal) -> proto::request_response::Reason {
    use proto::request_response::Reason;
    match refusal {
        Refusal::NotAllowed => Reason::NotAllowed,
        Refusal::UnknownTrack | Refusal::UnknownParticipant => Reason::NotFound,
        Refusal::MessageTooLarge { .. }
        | Refusal::TooFast { .. }
        | Refusal::TooManyTracks { .. }
        | Refusal::TextTooLong { .. } => Reason::LimitExceeded,
        Refusal::Unsupported => Reason::UnsupportedType,
        _ => Reason::InvalidRequest,
    }
}

/// The longest message of a client that is read; an offer is the longest it sends.
pub const MAX_MESSAGE_BYTES: usize = crate::sdp::MAX_OFFER_BYTES + 1024;
