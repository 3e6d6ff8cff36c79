//! Ways to go: by oneself, removed, replaced, lost, or with the meeting.

use livekit_protocol as proto;
use proto::leave_request::Action;
use proto::signal_response::Message as Response;
use proto::{DisconnectReason, participant_info::State};

use super::types::{Fact, Identity, Output, Refusal};
use super::{Signal, info};
use crate::command::PeerId;
use crate::time::Now;

/// What a client is told when it has to go.
#[derive(Clone, Copy)]
pub(in crate::signal) struct Farewell {
    reason: DisconnectReason,
    action: Action,
}

impl Farewell {
    pub(in crate::signal) const DUPLICATE_IDENTITY: Self =
        Self { reason: DisconnectReason::DuplicateIdentity, action: Action::Disconnect };
    pub(in crate::signal) const JOIN_FAILURE: Self =
        Self { reason: DisconnectReason::JoinFailure, action: Action::Disconnect };
    pub(super) const STATE_MISMATCH: Self =
        Self { reason: DisconnectReason::StateMismatch, action: Action::Reconnect };
    pub(super) const MEDIA_FAILURE: Self =
        Self { reason: DisconnectReason::MediaFailure, action: Action::Reconnect };
    const CONNECTION_TIMEOUT: Self =
        Self { reason: DisconnectReason::ConnectionTimeout, action: Action::Reconnect };
    const REMOVED: Self =
        Self { reason: DisconnectReason::ParticipantRemoved, action: Action::Disconnect };
    const ROOM_DELETED: Self =
        Self { reason: DisconnectReason::RoomDeleted, action: Action::Disconnect };

    pub(super) fn message(self) -> Response {
        Response::Leave(proto::LeaveRequest {
            can_reconnect: self.action != Action::Disconnect,
            reason: self.reason.into(),
            action: self.action.into(),
            regions: None,
        })
    }
}

impl Signal {
    /// The client says goodbye.
    pub(in crate::signal) fn leave(&mut self, peer: PeerId) -> Result<(), Refusal> {
        let identity = self.participant(peer)?.profile.identity.clone();
        self.depart(peer, DisconnectReason::ClientInitiated);
        self.fact(Fact::Gone { identity });
        Ok(())
    }

    /// The meeting removes a participant.
    pub(in crate::signal) fn remove(&mut self, identity: &Identity) -> Result<(), Refusal> {
        let peer = self.peer_of(identity).ok_or(Refusal::UnknownParticipant)?;
        self.farewell(peer, Farewell::REMOVED);
        self.fact(Fact::Gone { identity: identity.clone() });
        Ok(())
    }

    /// The meeting is over.
    pub(in crate::signal) fn end(&mut self) -> Result<(), Refusal> {
        self.ended = true;
        let everybody: Vec<PeerId> = self.participants.keys().copied().collect();
        for peer in &everybody {
            self.send(*peer, Farewell::ROOM_DELETED.message());
        }
        while let Some((peer, participant)) = self.participants.pop_first() {
            self.room.remove_peer(peer);
            self.disconnect(participant.connection);
        }
        self.end_players();
        self.speakers_at = None;
        Ok(())
    }

    /// Who was away longer than the grace is given up.
    pub(in crate::signal) fn give_up(&mut self, now: Now) {
        let due = |at: Option<std::time::Instant>| at.is_some_and(|at| at <= now.mono);
        let participants = self.participants.values();
        let lost: Vec<PeerId> =
            participants.filter(|known| due(known.gone_at)).map(|known| known.peer).collect();
        for peer in lost {
            self.lose(peer, Farewell::CONNECTION_TIMEOUT);
        }
    }

    /// The session cannot go on; the client may join anew.
    pub(super) fn lose(&mut self, peer: PeerId, farewell: Farewell) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let identity = participant.profile.identity.clone();
        self.farewell(peer, farewell);
        self.fact(Fact::Gone { identity });
    }

    /// Tells a participant to go, and takes everything of it out.
    pub(in crate::signal) fn farewell(&mut self, peer: PeerId, farewell: Farewell) {
        self.send(peer, farewell.message());
        self.depart(peer, farewell.reason);
    }

    /// Takes a participant out: its media, its websocket, its place with the others.
    pub(in crate::signal) fn depart(&mut self, peer: PeerId, reason: DisconnectReason) {
        self.tracks_off(peer);
        self.room.remove_peer(peer);
        let Some(mut participant) = self.participants.remove(&peer) else { return };
        self.disconnect(participant.connection);
        self.forget_tracks(&participant.tracks);
        self.version = self.version.wrapping_add(1);
        participant.profile.version = self.version;
        participant.profile.state = State::Disconnected;
        participant.tracks.clear();
        let mut last = info::participant(&participant);
        last.disconnect_reason = reason.into();
        if !participant.profile.grants.hidden {
            let update = proto::ParticipantUpdate { participants: vec![last] };
            let others: Vec<PeerId> = self.participants.keys().copied().collect();
            for other in others {
                self.send(other, Response::Update(update.clone()));
            }
        }
    }

    pub(super) fn disconnect(&mut self, connection: Option<super::ConnectionId>) {
        if let Some(connection) = connection {
            self.connections.remove(&connection);
            self.drain_room();
            self.outputs.push_back(Output::Close { connection });
        }
    }
}
