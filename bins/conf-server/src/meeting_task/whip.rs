//! Offers of WHIP and WHEP: who may publish or play, and the way of the answer.

use conf_core::meeting::{Fact, Via};
use conf_core::{ParticipantId, Refusal};
use conf_media::command::PeerId;
use conf_media::signal::livekit::token::Claims;
use conf_media::signal::livekit::{self, Input};
use conf_media::signal::whip;
use tokio::sync::oneshot;

use super::mail::{Answered, Offer, Purpose, Unanswered};
use super::translate::adjust;
use super::{Task, is_participant};
use crate::clock;

/// Who waits for the answer to an offer.
pub(super) struct Offered {
    /// Of whoever publishes.
    participant: Option<ParticipantId>,
    answer: oneshot::Sender<Answered>,
}

impl Task {
    pub(super) fn offer(&mut self, offer: Offer, answer: oneshot::Sender<Answered>) {
        let peer = offer.peer;
        match self.taken(offer) {
            Ok(participant) => {
                self.offered.insert(peer, Offered { participant, answer });
            }
            Err(unanswered) => drop(answer.send(Err(unanswered))),
        }
    }

    fn taken(&mut self, offer: Offer) -> Result<Option<ParticipantId>, Unanswered> {
        let Offer { mut claims, peer, sdp, to } = offer;
        match to {
            Purpose::Publish => {
                let id = self.admit(&claims, Some(Via::Tool))?;
                let participant = self.parts.meeting.participant(id);
                let participant = participant.ok_or(Refusal::ParticipantUnknown)?;
                claims.name.clone_from(participant.name.reveal());
                let (claims, sid_number) = (*claims, id.as_u64());
                let publish = whip::Publish { peer, claims, sid_number, offer: sdp };
                self.parts.signal.handle(clock::media(), Input::Publish(Box::new(publish)))?;
                Ok(Some(id))
            }
            Purpose::Play(of) => {
                self.may_listen(&claims)?;
                let play = whip::Play { peer, identity: claims.identity, of, offer: sdp };
                self.parts.signal.handle(clock::media(), Input::Play(Box::new(play)))?;
                Ok(None)
            }
        }
    }

    /// A participant of the web client must be in; whoever has an API token may listen without
    /// coming in, unless they were put out.
    fn may_listen(&mut self, claims: &Claims) -> Result<(), Refusal> {
        if is_participant(&claims.identity) {
            return self.admit(claims, None).map(|_| ());
        }
        if self.identities.is_removed(&claims.identity) {
            return Err(Refusal::Removed);
        }
        Ok(())
    }

    pub(super) fn answered(&mut self, peer: PeerId, sdp: String) {
        let Some(Offered { participant, answer }) = self.offered.remove(&peer) else { return };
        if let Some(participant) = participant {
            self.note(Fact::Connected { participant });
        }
        if answer.send(Ok(sdp)).is_err() {
            // Nobody waits any more: whoever asked is gone, and would stay as a ghost.
            let _just_begun = self.hang_up(peer);
        }
    }

    pub(super) fn count_players(&mut self, count: usize) {
        let before = std::mem::replace(&mut self.players, count);
        adjust(&self.parts.metrics.players, before, count);
        // Refused only if it has ended.
        let _over = self.parts.meeting.handle(clock::core(), conf_core::Input::Listeners { count });
    }

    pub(super) fn hang_up(&mut self, peer: PeerId) -> Result<(), livekit::Refusal> {
        self.parts.signal.handle(clock::media(), Input::HangUp { peer })
    }
}
