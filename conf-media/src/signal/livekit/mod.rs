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
//! offers, [`publish`] and [`subscribe`] hold what is sent and received, [`quality`] in which size,
//! [`media`] reads the engine's reports, [`data`] forwards data packets, [`info`] describes people
//! and tracks. Written from the published protobufs
//! and the observed behaviour of the client SDKs.

mod data;
pub(super) mod info;
mod join;
mod join_request;
pub(super) mod leave;
mod media;
pub(super) mod negotiate;
pub mod packet;
mod publish;
mod quality;
pub(super) mod resume;
mod speakers;
mod subscribe;
#[cfg(test)]
pub(super) mod tests;
pub mod token;

use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use proto::signal_response::Message as Response;

use super::participant::{self, MESSAGES_PER_SECOND};
use super::types;
use crate::command::PeerId;
use crate::time::Now;
pub use join_request::{JoinRequestError, parse_join_request};

pub use super::Signal;
pub use super::types::{
    ConnectionId, Fact, Identity, Input, Join, Output, Refusal, SignalConfig, Source, TrackState,
};

impl Signal {
    pub(super) fn message(
        &mut self,
        now: Now,
        connection: ConnectionId,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
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
    pub(super) fn announce(&mut self, peer: PeerId, to_self: bool) {
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
