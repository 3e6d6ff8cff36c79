//! Who is here: the people of a meeting in the order they came.
//!
//! A participant is present while its meeting websocket or its media lives, and a grace longer.
//! In a meeting of no owner's, somebody who can act leads whenever such a person is here: the first,
//! and when the last moderator goes, whoever has been here longest (before others, those with a
//! connection).

use std::time::Instant;

use conf_privacy::Pii;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Via;
use super::outbox::Log;
use crate::id::{ConnectionId, ParticipantId};
use crate::rate::TokenBucket;
use crate::role::Role;
use crate::secret::Secret;
use crate::wire::Event;

/// One person's visit, as everybody in the meeting sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Participant {
    /// Who.
    pub id: ParticipantId,
    /// The name they gave.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub name: Pii<String>,
    /// Moderator or viewer.
    pub role: Role,
    /// Whether any connection of theirs lives.
    pub presence: Presence,
    /// When they came.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub joined_at: Timestamp,
    /// Hand raised.
    pub hand: bool,
    /// Their microphone.
    pub microphone: Microphone,
    /// Their camera.
    pub camera: Camera,
    /// Shares a screen or window.
    pub screen: bool,
}

/// Whether a participant can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Presence {
    /// Let in, no connection yet.
    Joining,
    /// The meeting websocket or the media lives.
    Connected,
    /// Both are lost; the grace runs.
    Reconnecting,
}

/// State of a microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Microphone {
    /// Not published.
    Off,
    /// Published, silent.
    Muted,
    /// Can be heard.
    On,
}

/// State of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Camera {
    /// Dark or not published.
    Off,
    /// Can be seen.
    On,
}

/// Somebody came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ParticipantJoined {
    /// Who.
    pub participant: Participant,
}

/// Something about somebody changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ParticipantChanged {
    /// All of them, as they are now.
    pub participant: Participant,
}

/// Somebody is no longer here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ParticipantLeft {
    /// Who.
    pub id: ParticipantId,
    /// How.
    pub reason: LeftReason,
}

/// How somebody went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum LeftReason {
    /// By themselves.
    Left,
    /// All connections lost for longer than the grace.
    Lost,
    /// Put out by a moderator.
    Removed,
}

/// A participant and what only the meeting knows of it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) participant: Participant,
    pub(super) secret: Secret,
    pub(super) via: Via,
    pub(super) log: Log,
    pub(super) connection: Option<ConnectionId>,
    pub(super) media: bool,
    /// When the grace ends; `None` while a connection lives.
    pub(super) leaves_at: Option<Instant>,
    pub(super) chat_rate: TokenBucket,
    pub(super) command_rate: TokenBucket,
    /// Whether the microphone was published before.
    pub(super) has_spoken: bool,
}

impl Member {
    /// Recomputes presence and grace after a connection came or went.
    pub(super) fn settle(&mut self, grace_ends: Instant) -> bool {
        let alive = self.connection.is_some() || self.media;
        self.leaves_at = if alive { None } else { self.leaves_at.or(Some(grace_ends)) };
        let presence = match (alive, self.participant.presence) {
            (true, _) => Presence::Connected,
            (false, Presence::Joining) => Presence::Joining,
            (false, _) => Presence::Reconnecting,
        };
        std::mem::replace(&mut self.participant.presence, presence) != presence
    }

    /// The event that shows everybody the present state.
    pub(super) fn changed(&self) -> Event {
        Event::ParticipantChanged(ParticipantChanged { participant: self.participant.clone() })
    }

    /// Whether it is a moderator who can act: others have no meeting websocket.
    pub(super) fn leads(&self) -> bool {
        self.participant.role == Role::Moderator && self.via == Via::Web
    }
}

/// The people of a meeting, longest present first.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: Vec<Member>,
}

impl Roster {
    pub(super) fn add(&mut self, member: Member) {
        self.members.push(member);
    }

    pub(super) fn take(&mut self, id: ParticipantId) -> Option<Member> {
        let index = self.members.iter().position(|m| m.participant.id == id)?;
        Some(self.members.remove(index))
    }

    pub(super) fn drain(&mut self) -> Vec<Member> {
        std::mem::take(&mut self.members)
    }

    /// Makes somebody moderator if nobody leads and somebody can; whom.
    pub(super) fn promote(&mut self) -> Option<ParticipantId> {
        if self.leaders() > 0 {
            return None;
        }
        let able = self.members.iter_mut().filter(|m| m.via == Via::Web);
        // The sort key keeps the order of coming among equals: `min_by_key` returns the first.
        let next = able.min_by_key(|m| m.participant.presence != Presence::Connected)?;
        next.participant.role = Role::Moderator;
        Some(next.participant.id)
    }

    pub(super) fn get_mut(&mut self, id: ParticipantId) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.participant.id == id)
    }

    pub(super) fn connected_mut(&mut self, connection: ConnectionId) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.connection == Some(connection))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut()
    }

    pub(super) fn get(&self, id: ParticipantId) -> Option<&Member> {
        self.members.iter().find(|m| m.participant.id == id)
    }

    pub(super) fn connected(&self, connection: ConnectionId) -> Option<&Member> {
        self.members.iter().find(|m| m.connection == Some(connection))
    }

    pub(super) fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.members.iter().map(|m| &m.participant)
    }

    /// The participants whose grace is over, and when the next one's is.
    pub(super) fn due(&self, now: Instant) -> Vec<ParticipantId> {
        let due = |m: &&Member| m.leaves_at.is_some_and(|at| at <= now);
        self.members.iter().filter(due).map(|m| m.participant.id).collect()
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.members.iter().filter_map(|m| m.leaves_at).min()
    }

    /// How many lead.
    pub(super) fn leaders(&self) -> usize {
        self.members.iter().filter(|m| m.leads()).count()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}
