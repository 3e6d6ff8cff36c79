//! A cut websocket: the participant stays for the grace, its media flows on, and the client comes
//! back to the same session.
//!
//! `reconnect` is the first message then, followed by *all* participants (a client drops those it
//! does not hear of), and the room. The client tells its state and restarts ICE with a new offer.

use std::time::Duration;

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

use super::leave::Farewell;
use super::participant::REFRESH;
use super::types::{ConnectionId, Join, Refusal};
use super::{Signal, info};
use crate::command::PeerId;
use crate::time::Now;

impl Signal {
    /// One that we closed ourselves is not known any more, which is no error.
    pub(in crate::signal) fn closed(
        &mut self,
        now: Now,
        connection: ConnectionId,
    ) -> Result<(), Refusal> {
        let Some(peer) = self.connections.remove(&connection) else { return Ok(()) };
        let participant = self.participant(peer)?;
        participant.connection = None;
        participant.gone_at.get_or_insert(now.mono + GRACE);
        Ok(())
    }

    pub(super) fn resume(&mut self, now: Now, join: &Join) -> Result<(), Refusal> {
        let sid = &join.request.participant_sid;
        let known = self.peer_of(&join.identity).and_then(|peer| self.participants.get_mut(&peer));
        // Some clients resume without saying which session they mean.
        let known = known.filter(|known| sid.is_empty() || known.profile.sid == *sid);
        let Some(participant) = known else {
            self.turn_away(join, Farewell::STATE_MISMATCH);
            return Err(Refusal::NothingToResume);
        };
        let peer = participant.peer;
        let old = participant.connection.replace(join.connection);
        participant.gone_at = participant.transport.lost.then(|| now.mono + GRACE);
        participant.refresh_at = now.mono + REFRESH;
        participant.transport.asked = false;
        participant.transport.in_vain = 0;
        self.disconnect(old.filter(|old| *old != join.connection));
        self.connections.insert(join.connection, peer);
        self.welcome_back(now, peer);
        if let Some(state) = &join.request.sync_state {
            self.sync_state(peer, state)?;
        }
        Ok(())
    }

    fn welcome_back(&mut self, now: Now, peer: PeerId) {
        let ice_servers = self.ice_servers(now);
        let known = self.participants.get(&peer);
        let reconnect = proto::ReconnectResponse {
            server_info: Some(info::server()),
            ice_servers,
            // What came later it sends again; what is sent to it SCTP repeats by itself.
            last_message_seq: known.map_or(0, |participant| participant.data_sequence),
            ..Default::default()
        };
        self.send(peer, Response::Reconnect(reconnect));
        let mut participants = self.visible_to(peer);
        participants.extend(self.participants.get(&peer).map(info::participant));
        self.send(peer, Response::Update(proto::ParticipantUpdate { participants }));
        let room = self.room_info();
        self.send(peer, Response::RoomUpdate(proto::RoomUpdate { room: Some(room) }));
        self.refresh_token(now, peer);
        self.tell_needed_again(peer);
    }

    /// What the client believes after a resume. Its subscriptions are kept as they were here: a
    /// client that reports before it knows its tracks again would lose all of them.
    pub(super) fn sync_state(
        &mut self,
        peer: PeerId,
        state: &proto::SyncState,
    ) -> Result<(), Refusal> {
        let participant = self.participant(peer)?;
        let mut sids = state.publish_tracks.iter().filter_map(|published| published.track.as_ref());
        if sids.any(|track| participant.track(&track.sid).is_none()) {
            self.lose(peer, Farewell::STATE_MISMATCH);
            return Err(Refusal::UnknownTrack);
        }
        for sid in state.track_sids_disabled.iter().take(MAX_SIDS) {
            self.hide(peer, sid, true);
        }
        Ok(())
    }

    pub(in crate::signal) fn refresh_tokens(&mut self, now: Now) {
        let mut due = Vec::new();
        for participant in self.participants.values_mut() {
            if participant.connection.is_some() && participant.refresh_at <= now.mono {
                participant.refresh_at = now.mono + REFRESH;
                due.push(participant.peer);
            }
        }
        for peer in due {
            self.refresh_token(now, peer);
        }
    }
}

/// How long a participant stays without its websocket or its media.
pub(in crate::signal) const GRACE: Duration = Duration::from_secs(30);
/// The most track sids of one message that are looked at.
pub(super) const MAX_SIDS: usize = 1024;
