//! WHIP and WHEP: one offer and one answer over HTTP, for tools that publish or play.
//!
//! A WHIP client ([`Publish`]) is a participant like any other: it is announced to the clients of
//! the websockets, a moderator mutes and removes it, and the same identity by another door takes
//! its place. It cannot say anything after its offer, so it publishes what the offer sends, and
//! stays muted once it was muted.
//!
//! A WHEP client ([`Play`]) is a player: it takes part in nothing, is described to nobody, and only
//! counted ([`Fact::Players`]). Each media section of its offer is a slot with an SSRC that stays;
//! which track fills it is our business ([`play`]), and may change with all who come and go. So an
//! offer can be answered before anybody publishes.
//!
//! Both have no connection that could close: whose media does not flow within the grace, or stops
//! for longer, is gone.
//!
//! Sources: RFC 9725 (WHIP), draft-ietf-wish-whep.

mod play;
mod publish;
#[cfg(test)]
mod tests;

use super::Signal;
use super::livekit::token::{Claims, Grants};
use super::participant::Door;
use super::types::{Fact, Identity, Output, Refusal};
use crate::command::PeerId;
use crate::sdp::Offer;

pub(super) use play::Players;

/// A WHIP client offers what it publishes, with a checked token.
#[derive(Debug)]
pub struct Publish {
    /// The id of its media connection, random; also names the session.
    pub peer: PeerId,
    /// What its token says, the name as others see it.
    pub claims: Claims,
    /// The number behind `PA_`; the participant's id in our own meetings, random otherwise.
    pub sid_number: u64,
    /// What it offers.
    pub offer: Offer,
}

/// A WHEP client offers to receive, with a checked token.
#[derive(Debug)]
pub struct Play {
    /// The id of its media connection, random; also names the session.
    pub peer: PeerId,
    /// Whose token it has: it does not receive what a participant of that identity publishes.
    pub identity: Identity,
    /// The one participant to play; `None` plays all of them.
    pub of: Option<Identity>,
    /// What it offers.
    pub offer: Offer,
}

/// Whether an offer publishes something that the grants allow; before anybody is let in for it.
///
/// # Errors
/// [`Refusal::NotAllowed`], [`Refusal::NothingSent`], [`Refusal::TooManyTracks`].
pub fn can_publish(offer: &Offer, grants: &Grants) -> Result<(), Refusal> {
    publish::plan(offer, grants).map(|_| ())
}

/// Whether an offer can be played to, and the grants allow it.
///
/// # Errors
/// [`Refusal::NotAllowed`], [`Refusal::NothingReceived`].
pub fn can_play(offer: &Offer, grants: &Grants) -> Result<(), Refusal> {
    if !grants.can_subscribe() {
        return Err(Refusal::NotAllowed);
    }
    if !offer.sections.iter().any(play::is_slot) {
        return Err(Refusal::NothingReceived);
    }
    Ok(())
}

impl Signal {
    /// The client ends its session.
    pub(super) fn hang_up(&mut self, peer: PeerId) -> Result<(), Refusal> {
        if self.end_player(peer) {
            return Ok(());
        }
        match self.participants.get(&peer) {
            Some(publisher) if publisher.door != Door::LiveKit => self.leave(peer),
            _ => Err(Refusal::UnknownSession),
        }
    }

    /// What the engine must do goes first, or the client's first checks would find nobody.
    pub(super) fn whip_answer(&mut self, peer: PeerId, sdp: String) {
        self.drain_room();
        self.outputs.push_back(Output::Answer { peer, sdp });
    }

    fn tell_players(&mut self) {
        let count = self.players.len();
        self.fact(Fact::Players { count });
    }
}
