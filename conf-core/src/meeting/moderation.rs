//! What moderators do to others: mute, put out, give and take the role.

use serde::{Deserialize, Serialize};

use super::roster::{LeftReason, Microphone, Roster};
use super::{Effect, Refusal};
use crate::id::ParticipantId;
use crate::role::Role;

/// Mutes somebody's microphone. Nobody can be unmuted from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Mute {
    /// Whom.
    pub participant: ParticipantId,
}

/// Puts somebody out of the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Remove {
    /// Whom.
    pub participant: ParticipantId,
}

/// Makes somebody moderator or viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SetRole {
    /// Whom.
    pub participant: ParticipantId,
    /// What they become.
    pub role: Role,
}

/// A moderator muted the microphone of whoever receives this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MutedBy {
    /// Who did it.
    pub participant: ParticipantId,
}

pub(super) fn mute(roster: &Roster, by: ParticipantId, command: Mute) -> Result<Effect, Refusal> {
    let target = roster.get(command.participant).ok_or(Refusal::ParticipantUnknown)?;
    let live = target.participant.microphone == Microphone::On;
    Ok(Effect::Mute { by, whom: live.then_some(command.participant).into_iter().collect() })
}

pub(super) fn mute_all(roster: &Roster, by: ParticipantId) -> Effect {
    let live = |p: &super::Participant| p.id != by && p.microphone == Microphone::On;
    let whom = roster.participants().filter(|p| live(p)).map(|p| p.id).collect();
    Effect::Mute { by, whom }
}

pub(super) fn remove(
    roster: &Roster,
    by: ParticipantId,
    command: Remove,
) -> Result<Effect, Refusal> {
    if command.participant == by {
        return Err(Refusal::RemovesItself);
    }
    roster.get(command.participant).ok_or(Refusal::ParticipantUnknown)?;
    Ok(Effect::Depart { who: command.participant, reason: LeftReason::Removed })
}

pub(super) fn set_role(roster: &mut Roster, command: SetRole) -> Result<Effect, Refusal> {
    let leaders = roster.leaders();
    let target = roster.get_mut(command.participant).ok_or(Refusal::ParticipantUnknown)?;
    if target.participant.role == command.role {
        return Ok(Effect::Nothing);
    }
    if target.leads() && leaders == 1 {
        return Err(Refusal::LastModerator);
    }
    target.participant.role = command.role;
    Ok(Effect::RoleChanged(command.participant))
}
