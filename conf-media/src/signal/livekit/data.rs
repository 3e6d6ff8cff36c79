//! Data packets between participants: who may send, who gets them, in whose name.
//!
//! A client opens two channels, one that loses nothing and one that may. What comes over one of
//! them goes to the others over the same; the bytes of one packet are shared by all who get it.

use std::sync::Arc;

use livekit_protocol::participant_info::State;

use super::Signal;
use super::packet::{Content, Packet, PacketError, Stamp};
use super::participant::Door;
use super::types::{Output, Refusal};
use crate::command::{Command, PeerId};
use crate::data::{Message, Outgoing};

impl Signal {
    /// Forwards a message of a data channel.
    pub(super) fn data(&mut self, peer: PeerId, message: &Message) -> Result<(), Refusal> {
        let lossy = match &*message.label {
            RELIABLE => false,
            LOSSY => true,
            _ => return Err(Refusal::UnknownChannel),
        };
        let sender = self.participant(peer)?;
        if !sender.profile.grants.can_publish_data() {
            return Err(Refusal::DataNotAllowed);
        }
        let packet = Packet::read(&message.bytes)?;
        match packet.content {
            Content::Opaque => {}
            Content::Empty | Content::Metrics => return Ok(()), // nobody is meant
            Content::Speaker | Content::Transcription => return Err(Refusal::DataNotAllowed),
        }
        if !lossy && packet.sequence != 0 {
            if packet.sequence <= sender.data_sequence {
                return Ok(()); // sent again after a resume, and it had arrived
            }
            sender.data_sequence = packet.sequence;
        }
        self.forward(peer, message, &packet, lossy);
        Ok(())
    }

    fn forward(&mut self, peer: PeerId, message: &Message, packet: &Packet<'_>, lossy: bool) {
        let Some(sender) = self.participants.get(&peer) else { return };
        let profile = &sender.profile;
        let hidden = profile.grants.hidden;
        let stamp = Stamp {
            identity: if hidden { "" } else { profile.identity.reveal() },
            sid: if hidden { "" } else { &profile.sid },
            lossy,
        };
        let message = Outgoing {
            binary: true,
            bytes: packet.stamped(&stamp).into(),
            credit: message.credit.clone(),
        };
        let label: Arc<str> = if lossy { LOSSY } else { RELIABLE }.into();
        for other in self.participants.values() {
            let profile = &other.profile;
            let takes = other.peer != peer
                && other.door == Door::LiveKit
                && profile.state == State::Active
                && packet.is_for(profile.identity.reveal(), &profile.sid);
            if takes {
                let (peer, label, message) = (other.peer, label.clone(), message.clone());
                let command = Command::SendData { peer, label, message };
                self.outputs.push_back(Output::Command(command));
            }
        }
    }
}

impl From<PacketError> for Refusal {
    fn from(error: PacketError) -> Self {
        Self::DataPacket(error)
    }
}

/// Labels of the channels that clients open.
pub(super) const RELIABLE: &str = "_reliable";
pub(super) const LOSSY: &str = "_lossy";
