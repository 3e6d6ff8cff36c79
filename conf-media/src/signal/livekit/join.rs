//! A client joins: `join` is its first message, the answer to its offer the second.

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

use super::leave::Farewell;
use super::participant::{Door, Participant, Profile, Transport};
use super::publish::{check_attributes, check_text};
use super::types::{Fact, Join, Output, Refusal, TrackState};
use super::{Signal, info};
use crate::command::PeerId;
use crate::signal::turn::Relay;
use crate::time::Now;

impl Signal {
    pub(in crate::signal) fn join(&mut self, now: Now, mut join: Join) -> Result<(), Refusal> {
        if let Err(refusal) = self.admissible(&join) {
            self.turn_away(&join, Farewell::JOIN_FAILURE);
            return Err(refusal);
        }
        if join.request.reconnect {
            return self.resume(now, &join);
        }
        // An offer that cannot be answered ends the attempt before anybody hears of it.
        let offer = join.request.publisher_offer.take();
        let parsed = match offer.as_ref().map(|offer| crate::sdp::Offer::parse(&offer.sdp)) {
            None => None,
            Some(Ok(parsed)) => Some(parsed),
            Some(Err(error)) => {
                self.turn_away(&join, Farewell::JOIN_FAILURE);
                return Err(error.into());
            }
        };
        self.replace(&join);
        let announced = std::mem::take(&mut join.request.add_track_requests);
        let peer = self.admit(now, &join);
        for request in announced {
            // Refused ones are told to the client; the join stands.
            let _told = self.add_track(peer, request);
        }
        if let (Some(offer), Some(parsed)) = (offer, parsed) {
            self.answer(peer, offer.id, &parsed)?;
        }
        self.refresh_token(now, peer);
        Ok(())
    }

    fn admissible(&self, join: &Join) -> Result<(), Refusal> {
        if self.ended {
            return Err(Refusal::UnknownParticipant);
        }
        if !join.grants.room_join {
            return Err(Refusal::NotAllowed);
        }
        check_text(&join.request.metadata)?;
        check_attributes(&join.request.participant_attributes)
    }

    /// The same identity again: the older connection goes.
    fn replace(&mut self, join: &Join) {
        if let Some(old) = self.peer_of(&join.identity) {
            self.farewell(old, Farewell::DUPLICATE_IDENTITY);
        }
    }

    fn admit(&mut self, now: Now, join: &Join) -> PeerId {
        let peer = join.peer;
        let mut participant = self.newcomer(now, peer, Profile::of(join, now), Door::LiveKit);
        participant.connection = Some(join.connection);
        let settings = join.request.connection_settings.as_ref();
        participant.wishes.auto = settings.is_none_or(|settings| settings.auto_subscribe);
        self.connections.insert(join.connection, peer);
        let me = info::participant(&participant);
        let others = self.visible_to(peer);
        self.participants.insert(peer, participant);
        let response = proto::JoinResponse {
            room: Some(self.room_info()),
            participant: Some(me),
            other_participants: others,
            server_version: info::SERVER_VERSION.to_owned(),
            server_info: Some(info::server()),
            ice_servers: self.ice_servers(now),
            ping_interval: info::PING_INTERVAL,
            ping_timeout: info::PING_TIMEOUT,
            enabled_publish_codecs: info::codecs(),
            fast_publish: join.grants.can_publish(),
            subscriber_primary: false,
            ..Default::default()
        };
        self.send_to(join.connection, Response::Join(response));
        self.announce(peer, false);
        peer
    }

    /// A participant with a transport that may connect; it is in once it is inserted.
    pub(in crate::signal) fn newcomer(
        &mut self,
        now: Now,
        peer: PeerId,
        mut profile: Profile,
        door: Door,
    ) -> Participant {
        self.created.get_or_insert(now.wall);
        let (credentials, session) = (self.random.credentials(), self.random.number());
        let transport = Transport::new(credentials.clone(), session, self.random.text(16));
        match door {
            Door::LiveKit | Door::Whip => self.room.add_peer(peer, credentials),
            Door::Local => self.room.add_local_peer(peer),
        }
        self.version = self.version.wrapping_add(1);
        profile.version = self.version;
        let mut participant = Participant::new(peer, profile, transport, now);
        participant.door = door;
        participant
    }

    /// Everybody whom `peer` sees, itself not included.
    pub(super) fn visible_to(&self, peer: PeerId) -> Vec<proto::ParticipantInfo> {
        let others = self.participants.values().filter(|known| known.peer != peer);
        others.filter(|known| !known.profile.grants.hidden).map(info::participant).collect()
    }

    pub(super) fn room_info(&self) -> proto::Room {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let shown = || self.participants.values().filter(|known| !known.profile.grants.hidden);
        let publishers = shown().filter(|known| known.live_tracks().next().is_some()).count();
        let created = self.created.unwrap_or_default();
        proto::Room {
            sid: format!("RM_{:016x}", self.config.room_number),
            name: self.config.room_name.clone(),
            creation_time: created.as_second(),
            creation_time_ms: created.as_millisecond(),
            enabled_codecs: info::codecs(),
            num_participants: count(shown().count()),
            num_publishers: count(publishers),
            ..Default::default()
        }
    }

    /// A client that never became a participant is told to go.
    pub(super) fn turn_away(&mut self, join: &Join, farewell: Farewell) {
        self.send_to(join.connection, farewell.message());
        self.outputs.push_back(Output::Close { connection: join.connection });
    }

    /// The relay, with credentials of one's own.
    pub(super) fn ice_servers(&mut self, now: Now) -> Vec<proto::IceServer> {
        let Some(turn) = &self.config.turn else { return Vec::new() };
        let Relay { urls, username, credential } = turn.grant(now.wall, &self.random.text(16));
        vec![proto::IceServer { urls, username, credential }]
    }

    pub(super) fn refresh_token(&mut self, now: Now, peer: PeerId) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let token = self.config.token.mint(&participant.claims(), now.wall);
        self.send(peer, Response::RefreshToken(token));
    }

    /// Everything that a participant published is off, told once per source.
    pub(super) fn tracks_off(&mut self, peer: PeerId) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let identity = participant.profile.identity.clone();
        let mut sources: Vec<_> = participant.live_tracks().map(|track| track.source).collect();
        sources.sort();
        sources.dedup();
        for source in sources {
            let identity = identity.clone();
            self.fact(Fact::Track { identity, source, state: TrackState::Off });
        }
    }
}
