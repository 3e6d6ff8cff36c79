//! What the media engine reports.

use livekit_protocol::participant_info::State;

use super::Signal;
use super::leave::Farewell;
use super::resume::GRACE;
use super::types::{Fact, Refusal};
use crate::command::Event;
use crate::time::Now;

impl Signal {
    /// A report about somebody who left meanwhile is no error.
    pub(in crate::signal) fn media(&mut self, now: Now, event: &Event) -> Result<(), Refusal> {
        if let crate::command::Subject::Peer(peer) = event.subject()
            && !self.participants.contains_key(&peer)
        {
            return Ok(());
        }
        match event {
            Event::Connected { peer, .. } => {
                let participant = self.participant(*peer)?;
                participant.profile.state = State::Active;
                participant.path_found();
                let identity = participant.profile.identity.clone();
                self.announce(*peer, false);
                self.fact(Fact::Connected { identity });
            }
            Event::Disconnected { peer } => {
                // Its client notices too and restarts ICE or joins anew.
                let participant = self.participant(*peer)?;
                participant.transport.lost = true;
                participant.gone_at.get_or_insert(now.mono + GRACE);
            }
            Event::Reconnected { peer } => {
                let participant = self.participant(*peer)?;
                participant.transport.lost = false;
                participant.path_found();
            }
            Event::Failed { peer, .. } => {
                self.lose(*peer, Farewell::MEDIA_FAILURE);
            }
            Event::Level { track, level, speaking } => {
                self.level(now, *track, *level, *speaking);
            }
            Event::Heard { track, heard } => {
                self.heard(*track, *heard);
                self.stream_state(*track, *heard);
            }
            Event::Data { peer, message } => self.data(*peer, message)?,
            Event::Quality { peer, quality } => self.connection_quality(*peer, *quality),
            Event::Starved { track, peer, starved } => self.starved(*track, *peer, *starved),
            Event::TrackLive { .. }
            | Event::KeyframeWanted { .. }
            | Event::Stats { .. }
            | Event::DataStats { .. } => {}
        }
        Ok(())
    }
}
