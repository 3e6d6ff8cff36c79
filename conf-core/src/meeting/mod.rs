//! One run of a room, from the first join to the end, as a pure state machine.
//!
//! The meeting decides: who is here, who may what, who said what. Connections and media are
//! somebody else's; they report ([`Input`]) and are told what to do ([`Output`]). Each feature has
//! a file with its commands, events and rules, and returns an effect; here they are only
//! asked in turn and carried out.
//!
//! Drive it with `handle`, and after that or when `timeout` is reached (`handle_timeout`) call
//! `poll` until it is `None`.

mod chat;
mod effect;
mod hand;
mod io;
mod media;
mod moderation;
mod outbox;
mod refusal;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use conf_privacy::Pii;
use jiff::Timestamp;

pub use chat::{ChatMessage, ChatSent, SendChat};
pub use hand::RaiseHand;
pub use io::{EndBy, EndReason, Input, MeetingConfig, MeetingEnded, Output, Policy, Via};
pub use media::{Fact, Order, Source, TrackState};
pub use moderation::{Mute, MutedBy, Remove, SetRole};
pub use refusal::Refusal;
pub use roster::{
    Camera, LeftReason, Microphone, Participant, ParticipantChanged, ParticipantJoined,
    ParticipantLeft, Presence,
};

use crate::id::{ConnectionId, MeetingId, ParticipantId};
use crate::rate::TokenBucket;
use crate::role::Role;
use crate::secret::Secret;
use crate::text;
use crate::time::Now;
use crate::wire::{Command, Event, Goodbye, ServerMessage};
use chat::Chat;
use effect::Effect;
use outbox::Log;
use roster::{Member, Roster};

/// One run of a room.
#[derive(Debug)]
pub struct Meeting {
    config: MeetingConfig,
    started_at: Timestamp,
    roster: Roster,
    chat: Chat,
    /// Who was put out, newest last, at most [`REMOVED`]: their secrets open nothing.
    removed: VecDeque<ParticipantId>,
    speaker: Option<ParticipantId>,
    /// When the longest duration is reached.
    longest: Option<Instant>,
    /// When an empty meeting ends; `None` while somebody is here.
    empty_until: Option<Instant>,
    ended: Option<EndReason>,
    outputs: VecDeque<Output>,
}

impl Meeting {
    /// Starts a meeting; it ends by itself if nobody comes within the grace.
    #[must_use]
    pub fn new(config: MeetingConfig, now: Now) -> Self {
        Self {
            started_at: now.wall,
            roster: Roster::default(),
            chat: Chat::default(),
            removed: VecDeque::new(),
            speaker: None,
            longest: now.mono.checked_add(config.limits.max_duration),
            empty_until: Some(now.mono + config.limits.grace),
            ended: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// [`Refusal`] says why not; nothing has changed then.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<(), Refusal> {
        if let Input::Detach { connection } = input {
            self.detach(now, connection);
            return Ok(());
        }
        if self.ended.is_some() {
            return Err(Refusal::MeetingEnded);
        }
        match input {
            Input::Join { participant, name, secret, via } => {
                self.join(now, participant, &name, (secret, via))
            }
            Input::Attach { participant, secret, connection, resume_from } => {
                self.attach(now, participant, &secret, (connection, resume_from))
            }
            Input::Detach { .. } => Ok(()),
            Input::Command { connection, request, command } => {
                self.command(now, connection, request, &command)
            }
            Input::Media(fact) => self.media(now, fact),
            Input::End { by: EndBy::Api | EndBy::Operator } => {
                self.end(EndReason::Operator);
                Ok(())
            }
        }
    }

    /// Takes that time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.ended.is_some() {
            return;
        }
        if self.longest.is_some_and(|at| at <= now.mono) {
            return self.end(EndReason::TooLong);
        }
        for who in self.roster.due(now.mono) {
            // Whoever is lost has had the grace already, so an empty meeting does not wait again.
            self.depart(who, LeftReason::Lost, now.mono);
        }
        if self.empty_until.is_some_and(|at| at <= now.mono) {
            self.end(EndReason::Empty);
        }
    }

    /// What to do; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`]; `None`: nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        if self.ended.is_some() {
            return None;
        }
        [self.longest, self.empty_until, self.roster.timeout()].into_iter().flatten().min()
    }

    /// Which meeting.
    #[must_use]
    pub fn id(&self) -> MeetingId {
        self.config.id
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Why it is over, if it is.
    #[must_use]
    pub fn ended(&self) -> Option<EndReason> {
        self.ended
    }

    /// Who is here, longest present first.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.roster.participants()
    }

    /// Somebody who is here.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.roster.get(id).map(|member| &member.participant)
    }

    /// How many are here.
    #[must_use]
    pub fn count(&self) -> usize {
        self.roster.len()
    }

    /// Who speaks, or spoke last and is still here.
    #[must_use]
    pub fn speaker(&self) -> Option<ParticipantId> {
        self.speaker
    }

    /// Finds a participant who proves to be one: for a reload, or a new media token.
    ///
    /// # Errors
    /// [`Refusal::Removed`], [`Refusal::ParticipantUnknown`] (left or lost, too),
    /// [`Refusal::SecretWrong`].
    pub fn authenticate(
        &self,
        id: ParticipantId,
        secret: &Secret,
    ) -> Result<&Participant, Refusal> {
        if self.removed.contains(&id) {
            return Err(Refusal::Removed);
        }
        let member = self.roster.get(id).ok_or(Refusal::ParticipantUnknown)?;
        if !member.secret.matches(secret) {
            return Err(Refusal::SecretWrong);
        }
        Ok(&member.participant)
    }
}

/// Inputs.
impl Meeting {
    fn join(
        &mut self,
        now: Now,
        id: ParticipantId,
        name: &Pii<String>,
        (secret, via): (Secret, Via),
    ) -> Result<(), Refusal> {
        let limits = &self.config.limits;
        if self.roster.get(id).is_some() || self.removed.contains(&id) {
            return Err(Refusal::ParticipantTaken);
        }
        let name = text::name(name.reveal(), limits.name_chars)
            .map_err(|_| Refusal::NameInvalid { limit: limits.name_chars })?;
        if self.roster.len() >= limits.participants {
            return Err(Refusal::MeetingFull { limit: limits.participants });
        }
        let Policy::FirstJoinerModerates = self.config.policy;
        let leads = via == Via::Web && self.roster.leaders() == 0;
        let participant = Participant {
            id,
            name: Pii::new(name),
            role: if leads { Role::Moderator } else { Role::Viewer },
            presence: Presence::Joining,
            joined_at: now.wall,
            hand: false,
            microphone: Microphone::Off,
            camera: Camera::Off,
            screen: false,
        };
        let member = Member {
            participant: participant.clone(),
            secret,
            via,
            log: Log::default(),
            connection: None,
            media: false,
            leaves_at: Some(now.mono + limits.grace),
            chat_rate: TokenBucket::new(limits.chat_burst, limits.chat_interval),
            command_rate: TokenBucket::new(limits.command_burst, limits.command_interval),
        };
        self.broadcast(Event::ParticipantJoined(ParticipantJoined { participant }));
        self.roster.add(member);
        self.empty_until = None;
        Ok(())
    }

    fn attach(
        &mut self,
        now: Now,
        id: ParticipantId,
        secret: &Secret,
        (connection, resume_from): (ConnectionId, Option<u64>),
    ) -> Result<(), Refusal> {
        self.authenticate(id, secret)?;
        if self.roster.connected(connection).is_some() {
            return Err(Refusal::ConnectionTaken);
        }
        let member = self.roster.get_mut(id).ok_or(Refusal::ParticipantUnknown)?;
        if let Some(old) = member.connection.take() {
            self.goodbye(old, Goodbye::Replaced);
        }
        // The others hear of it now; the newcomer's own copy comes with what it missed.
        let member = self.roster.get_mut(id).ok_or(Refusal::ParticipantUnknown)?;
        member.connection = Some(connection);
        let changed = member.settle(now.mono + self.config.limits.grace).then(|| member.changed());
        member.connection = None;
        if let Some(event) = changed {
            self.broadcast(event);
        }
        self.greet(id, connection, resume_from);
        Ok(())
    }

    fn detach(&mut self, now: Now, connection: ConnectionId) {
        let grace_ends = now.mono + self.config.limits.grace;
        let Some(member) = self.roster.connected_mut(connection) else { return };
        member.connection = None;
        if member.settle(grace_ends) {
            let event = member.changed();
            self.broadcast(event);
        }
    }

    fn command(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request: u32,
        command: &Command,
    ) -> Result<(), Refusal> {
        let member = self.roster.connected_mut(connection).ok_or(Refusal::ConnectionUnknown)?;
        let by = member.participant.id;
        let action = command.action();
        if !member.participant.role.may(action) {
            return Err(Refusal::NotAllowed { action });
        }
        member.command_rate.check(now.mono).map_err(Refusal::too_many)?;
        let effect = match command {
            Command::SendChat(c) => self.chat.send(now, &self.config.limits, member, c)?,
            Command::RaiseHand(c) => hand::raise(member, *c),
            Command::Mute(c) => moderation::mute(&self.roster, by, *c)?,
            Command::MuteAll => moderation::mute_all(&self.roster, by),
            Command::Remove(c) => moderation::remove(&self.roster, by, *c)?,
            Command::SetRole(c) => moderation::set_role(&mut self.roster, *c)?,
            Command::Leave => Effect::Depart { who: by, reason: LeftReason::Left },
            Command::End => Effect::End(EndReason::Moderator),
        };
        if let Some(member) = self.roster.get_mut(by) {
            // Checked above, so it cannot fail.
            let _taken = member.command_rate.take(now.mono);
        }
        self.send(connection, ServerMessage::Done { request });
        self.apply(effect, now.mono);
        Ok(())
    }

    fn media(&mut self, now: Now, fact: Fact) -> Result<(), Refusal> {
        let grace_ends = now.mono + self.config.limits.grace;
        let member = self.roster.get_mut(fact.participant()).ok_or(Refusal::ParticipantUnknown)?;
        let effect = media::note(member, fact, grace_ends);
        if let Fact::Speaking { participant, speaking: true } = fact {
            self.speaker = Some(participant);
        }
        self.apply(effect, now.mono);
        Ok(())
    }
}
