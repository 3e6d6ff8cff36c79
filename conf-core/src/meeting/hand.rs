//! Raised hands: who wants to speak.

use serde::{Deserialize, Serialize};

use super::Effect;
use super::roster::Member;

/// Raises the own hand or takes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RaiseHand {
    /// Up or down.
    pub raised: bool,
}

pub(super) fn raise(member: &mut Member, command: RaiseHand) -> Effect {
    if member.participant.hand == command.raised {
        return Effect::Nothing;
    }
    member.participant.hand = command.raised;
    Effect::Broadcast(member.changed())
}
