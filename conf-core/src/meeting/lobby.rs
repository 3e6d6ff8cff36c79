//! The lobby: where people wait until a moderator lets them in, or until the meeting begins.
//!
//! Whoever waits is no participant: they see nothing of the meeting, and nobody but the moderators
//! sees them. Their place in the queue stays while their websocket lives, and a grace longer.
//! After everything that happens the meeting asks [`Meeting::settle_lobby`] who comes in now.

use std::time::Instant;

use conf_privacy::Pii;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::enter::{Newcomer, Standing};
use super::{Effect, Meeting, Policy, Refusal, Via};
use crate::id::{ConnectionId, ParticipantId};
use crate::room::{Lobby, RoomOptions, Start};
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::{Command, Event, Goodbye, ServerMessage};

/// Lets in somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Admit {
    /// Whom.
    pub participant: ParticipantId,
}

/// Turns away somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Deny {
    /// Whom.
    pub participant: ParticipantId,
}

/// Switches the lobby of this meeting on or off. Off lets all in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SetLobby {
    /// What it becomes.
    pub lobby: Lobby,
}

/// Somebody who waits, as moderators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Waiting {
    /// Who; the same when they are let in.
    pub id: ParticipantId,
    /// The name they gave.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub name: Pii<String>,
    /// When they came.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub since: Timestamp,
}

/// Why somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum WaitReason {
    /// A moderator lets people in one by one, or the meeting is full.
    Lobby,
    /// The meeting begins when its owner comes.
    NotStarted,
}

/// Somebody waits, behind all who waited before. A participant who becomes moderator is told of
/// each who waits; one who becomes viewer is told no more, and forgets the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WaitingAdded {
    /// Who.
    pub waiting: Waiting,
}

/// Somebody waits no more: let in, turned away, or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WaitingRemoved {
    /// Who.
    pub id: ParticipantId,
}

/// The options of the meeting are others now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OptionsChanged {
    /// All of them.
    pub options: RoomOptions,
}

/// Somebody who waits and what only the meeting knows of it.
#[derive(Debug)]
pub(super) struct Waiter {
    waiting: Waiting,
    secret: Secret,
    connection: Option<ConnectionId>,
    /// When the grace ends; `None` while the connection lives.
    leaves_at: Option<Instant>,
    /// What it was told last on this connection: its place, counted from 1, and why it waits.
    told: Option<(usize, WaitReason)>,
}

/// Those who wait, longest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: Vec<Waiter>,
}

impl Queue {
    /// Empties the queue; the connections of those who waited.
    pub(super) fn drain(&mut self) -> Vec<ConnectionId> {
        let waiters = std::mem::take(&mut self.waiters);
        waiters.into_iter().filter_map(|waiter| waiter.connection).collect()
    }

    pub(super) fn get(&self, id: ParticipantId) -> Option<&Waiting> {
        self.iter().find(|waiting| waiting.id == id)
    }

    /// Somebody who waits, if the secret is theirs.
    pub(super) fn authenticate(
        &self,
        id: ParticipantId,
        secret: &Secret,
    ) -> Result<&Waiting, Refusal> {
        let waiter = self.waiters.iter().find(|waiter| waiter.waiting.id == id);
        let waiter = waiter.ok_or(Refusal::ParticipantUnknown)?;
        if !waiter.secret.matches(secret) {
            return Err(Refusal::SecretWrong);
        }
        Ok(&waiter.waiting)
    }

    pub(super) fn connected(&self, connection: ConnectionId) -> Option<ParticipantId> {
        let waiter = self.waiters.iter().find(|waiter| waiter.connection == Some(connection))?;
        Some(waiter.waiting.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiters.iter().map(|waiter| &waiter.waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn due(&self, now: Instant) -> Vec<ParticipantId> {
        let due = |waiter: &&Waiter| waiter.leaves_at.is_some_and(|at| at <= now);
        self.waiters.iter().filter(due).map(|waiter| waiter.waiting.id).collect()
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.waiters.iter().filter_map(|waiter| waiter.leaves_at).min()
    }

    fn get_mut(&mut self, id: ParticipantId) -> Option<&mut Waiter> {
        self.waiters.iter_mut().find(|waiter| waiter.waiting.id == id)
    }

    fn take(&mut self, id: ParticipantId) -> Option<Waiter> {
        let index = self.waiters.iter().position(|waiter| waiter.waiting.id == id)?;
        Some(self.waiters.remove(index))
    }

    fn ids(&self) -> Vec<ParticipantId> {
        self.iter().map(|waiting| waiting.id).collect()
    }
}

/// What moderators decide.
impl Meeting {
    pub(super) fn admit(&self, command: Admit) -> Result<Effect, Refusal> {
        self.queue.get(command.participant).ok_or(Refusal::ParticipantUnknown)?;
        self.check_space()?;
        Ok(Effect::LetIn(vec![command.participant]))
    }

    /// As many as there is space for, longest waiting first.
    pub(super) fn admit_all(&self) -> Result<Effect, Refusal> {
        if !self.queue.is_empty() {
            self.check_space()?;
        }
        Ok(Effect::LetIn(self.queue.ids()))
    }

    pub(super) fn deny(&self, command: Deny) -> Result<Effect, Refusal> {
        self.queue.get(command.participant).ok_or(Refusal::ParticipantUnknown)?;
        Ok(Effect::Deny(command.participant))
    }

    pub(super) fn set_lobby(&self, command: SetLobby) -> Effect {
        Effect::Options(RoomOptions { lobby: command.lobby, ..self.config.options })
    }
}

/// Those who wait.
impl Meeting {
    /// Why somebody who comes now waits; `None`: they come straight in.
    pub(super) fn must_wait(&self, newcomer: &Newcomer) -> Option<WaitReason> {
        if newcomer.via != Via::Web || self.leads(newcomer) {
            return None;
        }
        self.wait_reason()
    }

    pub(super) fn wait(&mut self, now: Now, newcomer: Newcomer) {
        let Newcomer { id, name, secret, .. } = newcomer;
        let waiting = Waiting { id, name, since: now.wall };
        self.tell_moderators(Event::WaitingAdded(WaitingAdded { waiting: waiting.clone() }));
        let leaves_at = Some(now.mono + self.config.limits.grace);
        let waiter = Waiter { waiting, secret, connection: None, leaves_at, told: None };
        self.queue.waiters.push(waiter);
        self.empty_until = None;
    }

    /// A websocket of somebody who waits said hello; they are told their place.
    pub(super) fn attach_waiting(&mut self, id: ParticipantId, connection: ConnectionId) {
        let Some(waiter) = self.queue.get_mut(id) else { return };
        let old = waiter.connection.replace(connection);
        waiter.leaves_at = None;
        waiter.told = None;
        if let Some(old) = old {
            self.goodbye(old, Goodbye::Replaced);
        }
    }

    /// Whoever waits can do nothing but go.
    pub(super) fn waiting_command(
        &mut self,
        now: Now,
        (who, connection): (ParticipantId, ConnectionId),
        request: u32,
        command: &Command,
    ) -> Result<(), Refusal> {
        if *command != Command::Leave {
            return Err(Refusal::StillWaiting);
        }
        self.send(connection, ServerMessage::Done { request });
        self.dismiss(who, Goodbye::Left, now.mono);
        Ok(())
    }

    pub(super) fn detach_waiting(&mut self, connection: ConnectionId, grace_ends: Instant) {
        let Some(id) = self.queue.connected(connection) else { return };
        let Some(waiter) = self.queue.get_mut(id) else { return };
        waiter.connection = None;
        waiter.leaves_at = Some(grace_ends);
    }

    /// Ends somebody's waiting; where they are connected, with this goodbye.
    pub(super) fn dismiss(&mut self, id: ParticipantId, reason: Goodbye, now: Instant) {
        let Some(waiter) = self.queue.take(id) else { return };
        self.tell_moderators(Event::WaitingRemoved(WaitingRemoved { id }));
        if reason == Goodbye::Denied {
            self.turned_away.add(id, Refusal::Denied);
        }
        if let Some(connection) = waiter.connection {
            self.goodbye(connection, reason);
        }
        self.note_emptiness(reason == Goodbye::Unknown, now);
    }

    /// Makes a participant of somebody who waits, while there is space.
    pub(super) fn let_in(&mut self, now: Now, id: ParticipantId) {
        if self.check_space().is_err() {
            return;
        }
        let Some(waiter) = self.queue.take(id) else { return };
        self.tell_moderators(Event::WaitingRemoved(WaitingRemoved { id }));
        let newcomer = Newcomer {
            id,
            name: waiter.waiting.name,
            secret: waiter.secret,
            via: Via::Web,
            standing: Standing::Guest,
        };
        self.enter(now, newcomer, waiter.connection);
    }

    /// Lets in whom nothing keeps any more, and tells the others where they stand if that changed.
    pub(super) fn settle_lobby(&mut self, now: Now) {
        while self.check_space().is_ok()
            && let Some(next) = self.next_in()
        {
            self.let_in(now, next);
        }
        let reason = self.wait_reason().unwrap_or(WaitReason::Lobby);
        let mut told = Vec::new();
        for (position, waiter) in (1..).zip(&mut self.queue.waiters) {
            let place = Some((position, reason));
            if let Some(connection) = waiter.connection
                && waiter.told != place
            {
                waiter.told = place;
                told.push((connection, ServerMessage::Waiting { position, reason }));
            }
        }
        for (connection, message) in told {
            self.send(connection, message);
        }
    }

    /// Tells somebody who has become moderator who waits.
    pub(super) fn hand_over_lobby(&mut self, to: ParticipantId) {
        let waiting: Vec<Waiting> = self.queue.iter().cloned().collect();
        for waiting in waiting {
            self.tell(to, Event::WaitingAdded(WaitingAdded { waiting }));
        }
    }

    fn wait_reason(&self) -> Option<WaitReason> {
        let options = self.config.options;
        if options.start == Start::Owner && self.roster.leaders() == 0 {
            return Some(WaitReason::NotStarted);
        }
        (options.lobby == Lobby::Ask).then_some(WaitReason::Lobby)
    }

    /// Who comes in next, if there is space.
    fn next_in(&self) -> Option<ParticipantId> {
        let unled = self.roster.leaders() == 0;
        if unled && self.config.policy == Policy::FirstJoinerModerates {
            // Nobody could let anybody in, so the first to wait leads: better one who is connected.
            let waiters = self.queue.waiters.iter();
            let first = waiters.min_by_key(|waiter| waiter.connection.is_none())?;
            return Some(first.waiting.id);
        }
        let first = self.queue.iter().next()?;
        self.wait_reason().is_none().then_some(first.id)
    }
}
