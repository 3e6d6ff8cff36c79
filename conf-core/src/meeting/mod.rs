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
mod enter;
mod hand;
mod io;
mod listeners;
mod lobby;
mod media;
mod moderation;
mod outbox;
mod refusal;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use jiff::Timestamp;

pub use chat::{ChatMessage, ChatSent, SendChat};
pub use enter::Standing;
pub use hand::RaiseHand;
pub use io::{EndBy, EndReason, Input, MeetingConfig, MeetingEnded, Output, Policy, Via};
pub use listeners::ListenersChanged;
pub use lobby::{
    Admit, Deny, OptionsChanged, SetLobby, WaitReason, Waiting, WaitingAdded, WaitingRemoved,
};
pub use media::{Fact, Order, Source, TrackState};
pub use moderation::{Mute, MutedBy, Remove, SetRole};
pub use refusal::Refusal;
pub use roster::{
    Camera, LeftReason, Microphone, Participant, ParticipantChanged, ParticipantJoined,
    ParticipantLeft, Presence,
};

use crate::id::{ConnectionId, MeetingId, ParticipantId};
use crate::room::RoomOptions;
use crate::secret::Secret;
use crate::time::Now;
use crate::wire::{Command, Goodbye, ServerMessage};
use chat::Chat;
use effect::Effect;
use enter::{Newcomer, TurnedAway};
use listeners::Listeners;
use lobby::Queue;
use roster::Roster;

/// One run of a room.
#[derive(Debug)]
pub struct Meeting {
    config: MeetingConfig,
    opened_at: Timestamp,
    /// When the first participant came in.
    first_in: Option<Timestamp>,
    roster: Roster,
    queue: Queue,
    chat: Chat,
    turned_away: TurnedAway,
    speaker: Option<ParticipantId>,
    listeners: Listeners,
    /// When the longest duration is reached.
    longest: Option<Instant>,
    /// When an empty meeting ends; `None` while somebody is here or waits.
    empty_until: Option<Instant>,
    ended: Option<EndReason>,
    outputs: VecDeque<Output>,
}

/// Somebody who came and is not gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor<'a> {
    /// In the meeting.
    Here(&'a Participant),
    /// In the lobby.
    Waiting(&'a Waiting),
}

impl Meeting {
    /// Starts a meeting; it ends by itself if nobody comes within the grace.
    #[must_use]
    pub fn new(config: MeetingConfig, now: Now) -> Self {
        Self {
            opened_at: now.wall,
            first_in: None,
            roster: Roster::default(),
            queue: Queue::default(),
            chat: Chat::default(),
            turned_away: TurnedAway::default(),
            speaker: None,
            listeners: Listeners::default(),
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
        self.take(now, input)?;
        self.settle_lobby(now);
        Ok(())
    }

    fn take(&mut self, now: Now, input: Input) -> Result<(), Refusal> {
        match input {
            Input::Join { participant: id, name, secret, via, standing } => {
                self.join(now, Newcomer { id, name, secret, via, standing })
            }
            Input::Attach { participant, secret, connection, resume_from } => {
                self.attach(now, participant, &secret, (connection, resume_from))
            }
            Input::Detach { .. } => Ok(()),
            Input::Command { connection, request, command } => {
                self.command(now, connection, request, &command)
            }
            Input::Media(fact) => self.media(now, fact),
            Input::Listeners { count } => {
                let told = self.listeners.set(count, now.mono);
                told.into_iter().for_each(|event| self.broadcast(event));
                Ok(())
            }
            Input::SetOptions(options) => {
                self.apply(Effect::Options(options), now);
                Ok(())
            }
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
        for who in self.queue.due(now.mono) {
            self.dismiss(who, Goodbye::Unknown, now.mono);
        }
        let told = self.listeners.handle_timeout(now.mono);
        told.into_iter().for_each(|event| self.broadcast(event));
        self.settle_lobby(now);
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
        let people = [self.roster.timeout(), self.queue.timeout(), self.listeners.timeout()];
        [self.longest, self.empty_until].into_iter().chain(people).flatten().min()
    }

    /// Which meeting.
    #[must_use]
    pub fn id(&self) -> MeetingId {
        self.config.id
    }

    /// When the first came in; before that, when it was opened.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.first_in.unwrap_or(self.opened_at)
    }

    /// The options as now in force.
    #[must_use]
    pub fn options(&self) -> RoomOptions {
        self.config.options
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

    /// Who waits in the lobby, longest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.queue.iter()
    }

    /// Somebody who is here or waits.
    #[must_use]
    pub fn visitor(&self, id: ParticipantId) -> Option<Visitor<'_>> {
        let waiting = || self.queue.get(id).map(Visitor::Waiting);
        self.participant(id).map(Visitor::Here).or_else(waiting)
    }

    /// Why somebody cannot come back, if they were put out or turned away.
    #[must_use]
    pub fn turned_away(&self, id: ParticipantId) -> Option<&Refusal> {
        self.turned_away.get(id)
    }

    /// How many are here; who waits does not count.
    #[must_use]
    pub fn count(&self) -> usize {
        self.roster.len()
    }

    /// Who speaks, or spoke last and is still here.
    #[must_use]
    pub fn speaker(&self) -> Option<ParticipantId> {
        self.speaker
    }

    /// Finds somebody who proves to be who they say: for a reload, or a new media token.
    ///
    /// # Errors
    /// [`Refusal::Removed`], [`Refusal::Denied`], [`Refusal::ParticipantUnknown`] (left or lost,
    /// too), [`Refusal::SecretWrong`].
    pub fn authenticate(&self, id: ParticipantId, secret: &Secret) -> Result<Visitor<'_>, Refusal> {
        if let Some(refusal) = self.turned_away.get(id) {
            return Err(refusal.clone());
        }
        let Some(member) = self.roster.get(id) else {
            return self.queue.authenticate(id, secret).map(Visitor::Waiting);
        };
        if !member.secret.matches(secret) {
            return Err(Refusal::SecretWrong);
        }
        Ok(Visitor::Here(&member.participant))
    }
}

/// Inputs of those who are here.
impl Meeting {
    fn command(
        &mut self,
        now: Now,
        connection: ConnectionId,
        request: u32,
        command: &Command,
    ) -> Result<(), Refusal> {
        if let Some(who) = self.queue.connected(connection) {
            return self.waiting_command(now, (who, connection), request, command);
        }
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
            Command::Admit(c) => self.admit(*c)?,
            Command::AdmitAll => self.admit_all()?,
            Command::Deny(c) => self.deny(*c)?,
            Command::SetLobby(c) => self.set_lobby(*c),
            Command::Leave => Effect::Depart { who: by, reason: LeftReason::Left },
            Command::End => Effect::End(EndReason::Moderator),
        };
        if let Some(member) = self.roster.get_mut(by) {
            // Checked above, so it cannot fail.
            let _taken = member.command_rate.take(now.mono);
        }
        self.send(connection, ServerMessage::Done { request });
        self.apply(effect, now);
        Ok(())
    }

    fn media(&mut self, now: Now, fact: Fact) -> Result<(), Refusal> {
        let grace_ends = now.mono + self.config.limits.grace;
        let member = self.roster.get_mut(fact.participant()).ok_or(Refusal::ParticipantUnknown)?;
        let order = media::start_muted(member, self.config.options, fact);
        let effect = media::note(member, fact, grace_ends);
        if let Fact::Speaking { participant, speaking: true } = fact {
            self.speaker = Some(participant);
        }
        self.apply(effect, now);
        self.outputs.extend(order.map(Output::Media));
        Ok(())
    }
}
