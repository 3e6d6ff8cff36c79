//! Coming in: a join, straight or through the lobby, and the meeting websocket of whoever is in.

use std::collections::VecDeque;

use conf_privacy::Pii;

use super::outbox::Log;
use super::roster::{Camera, Member, Microphone, Participant, ParticipantJoined, Presence};
use super::{Meeting, Policy, Refusal, Via, Visitor};
use crate::id::{ConnectionId, ParticipantId};
use crate::rate::TokenBucket;
use crate::role::Role;
use crate::secret::Secret;
use crate::text;
use crate::time::Now;
use crate::wire::{Event, Goodbye};

/// What a participant is to the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is theirs: they never wait.
    Owner,
    /// Anybody else.
    Guest,
}

/// Somebody who wants in, with a cleaned name.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) id: ParticipantId,
    pub(super) name: Pii<String>,
    pub(super) secret: Secret,
    pub(super) via: Via,
    pub(super) standing: Standing,
}

/// Who was put out or turned away, newest last, at most [`REMEMBERED`]: their secrets open nothing.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    list: VecDeque<(ParticipantId, Refusal)>,
}

impl TurnedAway {
    pub(super) fn add(&mut self, id: ParticipantId, refusal: Refusal) {
        self.list.push_back((id, refusal));
        if self.list.len() > REMEMBERED {
            self.list.pop_front();
        }
    }

    pub(super) fn get(&self, id: ParticipantId) -> Option<&Refusal> {
        self.list.iter().find(|(turned_away, _)| *turned_away == id).map(|(_, refusal)| refusal)
    }
}

impl Meeting {
    pub(super) fn join(&mut self, now: Now, mut newcomer: Newcomer) -> Result<(), Refusal> {
        let (limits, id) = (&self.config.limits, newcomer.id);
        let here = self.roster.get(id).is_some() || self.queue.get(id).is_some();
        if here || self.turned_away.get(id).is_some() {
            return Err(Refusal::ParticipantTaken);
        }
        let name = text::name(newcomer.name.reveal(), limits.name_chars)
            .map_err(|_| Refusal::NameInvalid { limit: limits.name_chars })?;
        newcomer.name = Pii::new(name);
        if self.must_wait(&newcomer).is_some() {
            if self.queue.iter().count() >= limits.waiting {
                return Err(Refusal::LobbyFull { limit: limits.waiting });
            }
            self.wait(now, newcomer);
            return Ok(());
        }
        self.check_space()?;
        self.enter(now, newcomer, None);
        Ok(())
    }

    /// Makes a participant of somebody, who may be connected already.
    pub(super) fn enter(&mut self, now: Now, newcomer: Newcomer, connection: Option<ConnectionId>) {
        let leads = self.leads(&newcomer);
        let Newcomer { id, name, secret, via, .. } = newcomer;
        let limits = &self.config.limits;
        let participant = Participant {
            id,
            name,
            role: if leads { Role::Moderator } else { Role::Viewer },
            presence: Presence::Joining,
            joined_at: now.wall,
            hand: false,
            microphone: Microphone::Off,
            camera: Camera::Off,
            screen: false,
        };
        let mut member = Member {
            participant,
            secret,
            via,
            log: Log::default(),
            connection,
            media: false,
            leaves_at: None,
            chat_rate: TokenBucket::new(limits.chat_burst, limits.chat_interval),
            command_rate: TokenBucket::new(limits.command_burst, limits.command_interval),
            has_spoken: false,
        };
        member.settle(now.mono + limits.grace);
        let participant = member.participant.clone();
        self.broadcast(Event::ParticipantJoined(ParticipantJoined { participant }));
        self.first_in = self.first_in.or(Some(now.wall));
        self.empty_until = None;
        self.roster.add(member);
        if let Some(connection) = connection {
            self.greet(id, connection, None);
        }
    }

    pub(super) fn attach(
        &mut self,
        now: Now,
        id: ParticipantId,
        secret: &Secret,
        (connection, resume_from): (ConnectionId, Option<u64>),
    ) -> Result<(), Refusal> {
        let waits = matches!(self.authenticate(id, secret)?, Visitor::Waiting(_));
        let taken = self.roster.connected(connection).is_some();
        if taken || self.queue.connected(connection).is_some() {
            return Err(Refusal::ConnectionTaken);
        }
        if waits {
            self.attach_waiting(id, connection);
            return Ok(());
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

    pub(super) fn detach(&mut self, now: Now, connection: ConnectionId) {
        let grace_ends = now.mono + self.config.limits.grace;
        self.detach_waiting(connection, grace_ends);
        let Some(member) = self.roster.connected_mut(connection) else { return };
        member.connection = None;
        if member.settle(grace_ends) {
            let event = member.changed();
            self.broadcast(event);
        }
    }

    /// Whether somebody becomes moderator by coming in now.
    pub(super) fn leads(&self, newcomer: &Newcomer) -> bool {
        newcomer.via == Via::Web
            && match self.config.policy {
                Policy::FirstJoinerModerates => self.roster.leaders() == 0,
                Policy::OwnerModerates => newcomer.standing == Standing::Owner,
            }
    }

    pub(super) fn check_space(&self) -> Result<(), Refusal> {
        let limit = self.config.limits.participants;
        if self.roster.len() >= limit {
            return Err(Refusal::MeetingFull { limit });
        }
        Ok(())
    }
}

/// Those turned away that a meeting remembers.
const REMEMBERED: usize = 1_024;
