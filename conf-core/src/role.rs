//! Who may do what: one table.

use serde::{Deserialize, Serialize};

/// What a participant is in a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Role {
    /// Leads the meeting.
    Moderator,
    /// Takes part.
    Viewer,
}

/// What a role may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Action {
    /// Write to everybody.
    Chat,
    /// Raise the own hand or take it down.
    RaiseHand,
    /// Take the microphone from others, one or all.
    Mute,
    /// Put somebody out.
    Remove,
    /// Make somebody moderator or viewer.
    SetRole,
    /// Let in, turn away, and switch the lobby.
    Lobby,
    /// End the meeting for all.
    End,
    /// Go.
    Leave,
}

impl Role {
    /// Whether this role may do that.
    #[must_use]
    pub const fn may(self, action: Action) -> bool {
        match action {
            Action::Chat | Action::RaiseHand | Action::Leave => true,
            Action::Mute | Action::Remove | Action::SetRole | Action::Lobby | Action::End => {
                matches!(self, Self::Moderator)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action::*, Role::*};

    #[test]
    fn a_viewer_speaks_for_itself_and_a_moderator_for_all() {
        for action in [Chat, RaiseHand, Leave] {
            assert!(Viewer.may(action) && Moderator.may(action), "{action:?}");
        }
        for action in [Mute, Remove, SetRole, Lobby, End] {
            assert!(!Viewer.may(action) && Moderator.may(action), "{action:?}");
        }
    }
}
